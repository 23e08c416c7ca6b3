/* overlap_exact.h - the best overlapped schedule of a small problem, proven. */
#ifndef DV_SOLVER_OVERLAP_EXACT_H
#define DV_SOLVER_OVERLAP_EXACT_H

#include "core/plan.h"
#include "core/progress.h"
#include "solver/overlap_bound.h"

enum { DV_OVERLAP_EXACT_UNITS = 24, DV_OVERLAP_EXACT_TARGETS = 16 }; /* at most */

/* Branch and bound over orders and placements together, unit after unit: a beginning's schedule
   without what its later readers will ask of the links, heads and tails of the rest, and work
   spread evenly bound what can follow; beginnings that run the same units on the same targets in
   the same order on each device, and pay the same dispatches, are one. plan: evaluated with its
   makespan_us; gets any better one. *finished: every plan was covered, so plan's is the least
   makespan of all. Gives up after node_limit beginnings or at the deadline (dv_clock_s). */
DV_MUST_USE dv_status dv_overlap_exact(const dv_problem *problem, const dv_overlap_bound *bound,
                                       uint32_t node_limit, double deadline_s,
                                       const dv_progress *progress, dv_plan *plan, bool *finished);

#endif
