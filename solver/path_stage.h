/* path_stage.h - the integer program without an order as a last stage of auto and ideal. */
#ifndef DV_SOLVER_PATH_STAGE_H
#define DV_SOLVER_PATH_STAGE_H

#include "core/plan.h"
#include "core/progress.h"

/* Improves an evaluated plan, placement and order, and raises *bound_us, a known bound of every
   order (or -INFINITY), to what the program proves; *method is then what proved it, a constant
   text. The form is pairwise, or transport where that would be too large for the time left, or
   neither. Without a deadline the work is limited by counts, the same on every machine: at most
   some ten seconds. trial: any plan of the problem. */
DV_MUST_USE dv_status dv_path_stage(const dv_problem *problem, double deadline_s, double tolerance,
                                    const dv_progress *progress, dv_plan *trial, dv_plan *plan,
                                    double *bound_us, const char **method);

#endif
