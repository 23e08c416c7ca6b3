/* piece_order.h - orders in which pieces can join an ideal, one at a time.

   A search tries such orders where there are too many ideals to look at. */
#ifndef DV_SOLVER_PIECE_ORDER_H
#define DV_SOLVER_PIECE_ORDER_H

#include "core/problem.h"
#include "core/rng.h"

/* Every piece right before its first reader: behind what it reads, from the last piece on. order,
   missing (to work in): unit_count entries each. O(pieces * (pieces + edges)). */
void dv_piece_order_late(const dv_problem *pieces, dv_unit_id *order, uint32_t *missing);

/* Moves a random piece of a topological order, of at least one piece, to a random place that its
   neighbours allow. O(pieces + edges). */
void dv_piece_order_disturb(const dv_problem *pieces, dv_rng *rng, dv_unit_id *order);

#endif
