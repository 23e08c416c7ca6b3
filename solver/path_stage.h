/* path_stage.h - the integer program without an order as a last stage of auto and ideal. */
#ifndef DV_SOLVER_PATH_STAGE_H
#define DV_SOLVER_PATH_STAGE_H

#include "solver/strategy.h"

/* Improves plan, placement and order (*outcome FEASIBLE: it is evaluated; NONE: there is none yet),
   and raises *bound_us, a known bound of every order (or -INFINITY), to what the program proves;
   *method is then what proved it, a constant text. *outcome becomes FEASIBLE with the first plan,
   and INFEASIBLE where the limits cannot be met in any order. The form is pairwise, or transport
   where that would be too large for the time left, or neither. Without a deadline the work is
   limited by counts, the same on every machine: at most some ten seconds. trial: any plan of the
   problem; options: progress and tolerance. */
DV_MUST_USE dv_status dv_path_stage(const dv_problem *problem, const dv_solve_options *options,
                                    double deadline_s, dv_plan *trial, dv_plan *plan,
                                    dv_outcome *outcome, double *bound_us, const char **method);

/* Is the pairwise form so small that it is tried without a deadline too? */
bool dv_path_stage_is_quick(const dv_problem *problem);

#endif
