/* cheapest.c - each unit where it runs fastest, blind to moves and dispatch.

   What a table of operator times suggests at first sight. O(units * targets). */
#include "solver/place.h"
#include "solver/strategy.h"

static dv_status solve(const dv_problem *problem, const dv_solve_options *options,
                       const dv_param_value *values, dv_plan *plan, dv_outcome *outcome)
{
    (void)values;
    dv_plan *trial = NULL;
    DV_TRY(dv_plan_create(problem, &trial));
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        trial->target[u] = dv_place_fastest(problem, u, DV_NONE);
    dv_place_join_groups(problem, trial);
    *outcome = DV_OUTCOME_NONE;
    dv_place_keep_better(problem, options->progress, trial, plan, outcome);
    dv_plan_destroy(trial);
    return DV_OK;
}

const dv_strategy dv_strategy_cheapest = {
    .name = "cheapest",
    .summary = "each unit on its fastest target, blind to moves and dispatch",
    .objectives = DV_OBJECTIVE_LATENCY | DV_OBJECTIVE_MAKESPAN,
    .solve = solve,
};
