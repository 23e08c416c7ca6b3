/* single.c - everything on one target; the host takes what that target cannot run.

   What a person does by hand ("put it all on the NPU"), tried for every target.
   O(targets * (units + moves)). */
#include <math.h>

#include "solver/place.h"
#include "solver/strategy.h"

static void place_all_on(const dv_problem *problem, dv_target_id target, dv_plan *plan)
{
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        plan->target[u] =
            dv_problem_allows(problem, u, target) ? target : dv_place_fallback(problem, u);
    dv_place_join_groups(problem, plan);
}

static dv_status solve(const dv_problem *problem, const dv_solve_options *options,
                       const dv_param_value *values, dv_plan *plan, dv_outcome *outcome)
{
    (void)values;
    double deadline_s = dv_solve_deadline_s(options);
    dv_plan *trial = NULL;
    DV_TRY(dv_plan_create(problem, &trial));
    trial->bound_us = -INFINITY;
    *outcome = DV_OUTCOME_NONE;
    for (dv_target_id target = 0; target < problem->target_count; target++) {
        if (*outcome != DV_OUTCOME_NONE && dv_progress_must_end(options->progress, deadline_s))
            break;
        place_all_on(problem, target, trial);
        dv_place_keep_better(problem, options->progress, trial, plan, outcome);
    }
    dv_plan_destroy(trial);
    return DV_OK;
}

const dv_strategy dv_strategy_single = {
    .name = "single",
    .summary = "all on the best single target, the host for what it cannot run",
    .objectives = DV_OBJECTIVE_LATENCY | DV_OBJECTIVE_MAKESPAN,
    .solve = solve,
};
