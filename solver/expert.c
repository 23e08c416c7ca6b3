/* expert.c - the plan of a file (plan/1), made by hand or by another program.

   It is evaluated and certified like any other: a plan that breaks a pin or a limit of the problem
   is no plan of it. O(size of the file). */

#include "core/file.h"
#include "solver/place.h"
#include "solver/strategy.h"

enum { PATH };

static const dv_param params[] = {
    [PATH] = {.name = "file",
              .type = DV_PARAM_TEXT,
              .summary = "the plan/1 file; its name may hold no comma",
              .preset = NULL},
    {0},
};

static dv_status solve(const dv_problem *problem, const dv_solve_options *options,
                       const dv_param_value *values, dv_plan *plan, dv_outcome *outcome)
{
    *outcome = DV_OUTCOME_NONE;
    const char *path = values[PATH].text;
    dv_buffer *buffer = NULL;
    dv_plan *read = NULL;
    DV_TRY(dv_buffer_map(path, &buffer));
    dv_status status = dv_plan_parse(path, (const char *)dv_buffer_data(buffer),
                                     dv_buffer_size(buffer), problem, &read);
    dv_buffer_release(buffer);
    DV_TRY(status);
    if (!dv_place_keep_better(problem, options->progress, read, plan, outcome))
        status = dv_fail(DV_BAD_INPUT, "%s: this plan breaks a limit, a pin or a group of %s", path,
                         problem->name ? problem->name : "the problem");
    dv_plan_destroy(read);
    return status;
}

const dv_strategy dv_strategy_expert = {
    .name = "expert",
    .summary = "the plan of a file",
    .objectives = DV_OBJECTIVE_LATENCY | DV_OBJECTIVE_MAKESPAN,
    .params = params,
    .solve = solve,
};
