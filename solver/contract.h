/* contract.h - units that must share a device become one: a smaller problem with the same loads. */
#ifndef DV_SOLVER_CONTRACT_H
#define DV_SOLVER_CONTRACT_H

#include "core/problem.h"

typedef struct dv_contraction {
    dv_problem *pieces;  /* one unit a piece, in a topological order; without groups and pins */
    uint32_t *piece;     /* per unit of the problem: its piece */
    uint32_t unit_count; /* of the problem */
} dv_contraction;

/* Joins the units of each group, then what a cycle between the joined runs through (no contiguous
   split parts it), then pieces that take no time and have a single neighbour with that neighbour,
   which costs no split anything; the last only where memory cannot matter. A piece's times are the
   sums of its units', INFINITY where one of them may not run. Free it also after a failure.
   O(joined cycles * (units + edges)). */
DV_MUST_USE dv_status dv_contract(const dv_problem *problem, dv_contraction *out);
void dv_contraction_free(dv_contraction *contraction);

#endif
