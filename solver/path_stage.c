/* path_stage.c - which form of the program, and how much of it. */
#include "solver/path_stage.h"

#include <math.h>

#include "core/clock.h"
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

dv_status dv_path_stage(const dv_problem *problem, double deadline_s, double tolerance,
                        const dv_progress *progress, dv_plan *trial, dv_plan *plan,
                        double *bound_us, const char **method)
{
    bool limited = isfinite(deadline_s);
    size_t most = column_limit(deadline_s - dv_clock_s());
    dv_path_settings settings = {.form = DV_FORM_PAIRWISE,
                                 .reduce = true,
                                 .iteration_limit = limited ? 0 : ITERATIONS,
                                 .node_limit = limited ? 0 : NODES,
                                 .tolerance = tolerance,
                                 .deadline_s = deadline_s,
                                 .progress = progress};
    if (dv_path_columns(problem, settings.form) > most)
        settings.form = DV_FORM_TRANSPORT;
    if (dv_path_columns(problem, settings.form) > most)
        return DV_OK;
    dv_outcome outcome = DV_OUTCOME_FEASIBLE;
    dv_path_result result;
    DV_TRY(dv_path_improve(problem, &settings, trial, plan, &outcome, &result));
    if (result.bound_us > *bound_us) {
        *bound_us = result.bound_us;
        *method = result.method;
    }
    return DV_OK;
}
