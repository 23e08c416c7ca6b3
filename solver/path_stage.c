/* path_stage.c - which form of the program, and how much of it. */
#include "solver/path_stage.h"

#include <math.h>

#include "solver/path_ilp.h"

/* A relaxation of so many columns takes GLPK some five seconds, with the transport form a little
   less; the time grows faster than the square. */
enum { COLUMNS = 18000, ITERATIONS = 30000, NODES = 400 };

/* To build and load a program takes about a second for so many columns. */
static const double columns_built_per_s = 200000.0;

static size_t column_limit(double left_s)
{
    double limit = COLUMNS * sqrt(fmax(1.0, isfinite(left_s) ? left_s / 10.0 : 1.0));
    return (size_t)fmin(limit, fmax(0.0, isfinite(left_s) ? left_s * columns_built_per_s : limit));
}

bool dv_path_stage_is_quick(const dv_problem *problem)
{
    return dv_path_columns(problem, DV_FORM_PAIRWISE) <= COLUMNS;
}

dv_status dv_path_stage(const dv_problem *problem, const dv_solve_options *options,
                        double deadline_s, dv_plan *trial, dv_plan *plan, dv_outcome *outcome,
                        double *bound_us, const char **method)
{
    bool timed = isfinite(deadline_s);
    size_t most = column_limit(deadline_s - dv_progress_now_s(options->progress));
    dv_path_settings settings = {.form = DV_FORM_PAIRWISE,
                                 .reduce = true,
                                 .iteration_limit = timed ? 0 : ITERATIONS,
                                 .node_limit = timed ? 0 : NODES,
                                 .tolerance = options->tolerance,
                                 .deadline_s = deadline_s,
                                 .progress = options->progress};
    if (dv_path_columns(problem, settings.form) > most)
        settings.form = DV_FORM_TRANSPORT;
    if (dv_path_columns(problem, settings.form) > most)
        return DV_OK;
    dv_path_result result;
    dv_status status = dv_path_improve(problem, &settings, trial, plan, outcome, &result);
    if (status == DV_INTERNAL) { /* what other methods found and proved still stands */
        dv_progress_log(options->progress, "%s", dv_message());
        return DV_OK;
    }
    DV_TRY(status);
    if (result.bound_us > *bound_us) {
        *bound_us = result.bound_us;
        *method = result.method;
    }
    if (result.infeasible)
        *outcome = DV_OUTCOME_INFEASIBLE;
    return DV_OK;
}
