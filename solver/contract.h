/* contract.h - units that must share a device become one: a smaller problem with the same loads.

   Of a training step (problem->backward) contiguity is asked of the forward units; a backward unit
   follows its group. A piece without a forward unit gets its place in the row from the mirror image
   of the backward edges at it (as in the program of Tarnawski et al., NeurIPS 2020). */
#ifndef DV_SOLVER_CONTRACT_H
#define DV_SOLVER_CONTRACT_H

#include "core/problem.h"

/* The pieces are units without groups and pins, and each device has one target. Their previous and
   next are what a contiguous split must keep before and behind: by them their order is topological
   (by the tensors too, but for a training step). */
typedef struct dv_contraction {
    dv_problem *pieces;
    uint32_t *piece;     /* per unit of the problem: its piece */
    uint32_t unit_count; /* of the problem */
} dv_contraction;

/* Joins the units of each group, then, where splits are to be contiguous, what a cycle between the
   joined runs through (no contiguous split parts it), then pieces that take no time and have a
   single neighbour with that neighbour, which costs no split anything; the last only where memory
   cannot matter. For splits of any kind no piece comes before another (previous, next are empty).

   A piece's times are the sums of its units', each on the fastest target of the device; INFINITY
   where one of them may not run there. Where a device has several targets, time, memory and ways
   are each at their least: no split of the units has smaller loads than that of the pieces. Ways
   between two devices other than the host's are not filled in.

   Free it also after a failure. O(joined cycles * (units + edges)). */
DV_MUST_USE dv_status dv_contract(const dv_problem *problem, bool contiguous, dv_contraction *out);
void dv_contraction_free(dv_contraction *contraction);

#endif
