/* overlap.h - the least makespan: devices and links at work at the same time. */
#ifndef DV_SOLVER_OVERLAP_H
#define DV_SOLVER_OVERLAP_H

#include "solver/strategy.h"

/* Fills plan as a strategy does; plan->makespan_us is set as dv_solve sets it. The best of every
   baseline and of the best plan for the latency, list scheduling by tails, annealing of placement
   and order; bounds by chains, by loads, by both in a linear program; small problems exactly. */
DV_MUST_USE dv_status dv_overlap_solve(const dv_problem *problem, const dv_solve_options *options,
                                       dv_plan *plan, dv_outcome *outcome);

#endif
