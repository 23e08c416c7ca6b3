/* incumbent.h - a good plan at once: what the exact methods start from and prune with. */
#ifndef DV_SOLVER_INCUMBENT_H
#define DV_SOLVER_INCUMBENT_H

#include "solver/strategy.h"

/* The best of the baselines in the given order, improved by moving segments and single units while
   that helps. *outcome is FEASIBLE, or NONE if none of them meets the limits. The first baseline
   runs whatever the deadline, O(units * targets); without one deterministic. */
DV_MUST_USE dv_status dv_incumbent_find(const dv_problem *problem, const dv_solve_options *options,
                                        dv_plan *plan, dv_outcome *outcome);

/* The best of the baselines alone, cheapest first. */
DV_MUST_USE dv_status dv_incumbent_baselines(const dv_problem *problem,
                                             const dv_solve_options *options, dv_plan *trial,
                                             dv_plan *plan, dv_outcome *outcome);

/* Improves an evaluated plan, its order kept: whole segments, then single units, to any other
   target, until nothing helps, about 1e8 steps are spent or the deadline (on progress's clock) has
   passed. trial: any plan of the problem. */
void dv_incumbent_improve(const dv_problem *problem, const dv_progress *progress, double deadline_s,
                          dv_plan *trial, dv_plan *plan);

#endif
