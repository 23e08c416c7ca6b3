/* order.h - the order of a placement: few segments, and what no order could save. */
#ifndef DV_SOLVER_ORDER_H
#define DV_SOLVER_ORDER_H

#include "core/plan.h"
#include "core/progress.h"

/* Writes a topological order in which the placement needs little dispatch: whatever is ready on the
   device at hand runs before the next device is entered (which never hurts), the next device is the
   one with the dearest path ahead, or the one that can run most; from every first device; the best
   of all, or of those tried by the deadline (on progress's clock; the first is always tried).
   *dispatch_us is what it pays. O(devices * switches * (units + edges)). */
DV_MUST_USE dv_status dv_order_closure(const dv_problem *problem, const dv_target_id *target,
                                       const dv_progress *progress, double deadline_s,
                                       dv_unit_id *order, double *dispatch_us);

/* The path of the graph along which the placement pays most dispatch (the longest of equals), first
   unit first; *dispatch_us is what it pays: no order of this placement pays less.
   path: unit_count entries. O(units + edges). */
DV_MUST_USE dv_status dv_order_dearest_path(const dv_problem *problem, const dv_target_id *target,
                                            dv_unit_id *path, uint32_t *length,
                                            double *dispatch_us);

#endif
