/* random.c - the best of n placements drawn at random: what any rule should beat.

   Each unit on one of its allowed targets, uniformly; scattered groups are joined. Order as given.
   The same seed draws the same placements. O(n * (units + moves)). */
#include "core/rng.h"
#include "solver/place.h"
#include "solver/strategy.h"

enum { N };

static const dv_param params[] = {
    [N] = {.name = "n",
           .type = DV_PARAM_INTEGER,
           .summary = "how many placements are drawn",
           .preset = "1000",
           .low = 1,
           .high = 1e9},
    {0},
};

static dv_target_id draw(const dv_problem *problem, dv_unit_id u, dv_rng *rng)
{
    for (;;) { /* every unit has an allowed target */
        dv_target_id a = (dv_target_id)dv_rng_below(rng, problem->target_count);
        if (dv_problem_allows(problem, u, a))
            return a;
    }
}

static dv_status solve(const dv_problem *problem, const dv_solve_options *options,
                       const dv_param_value *values, dv_plan *plan, dv_outcome *outcome)
{
    *outcome = DV_OUTCOME_NONE;
    dv_plan *trial = NULL;
    DV_TRY(dv_plan_create(problem, &trial));
    dv_rng rng = dv_rng_seeded(options->seed);
    double deadline_s = dv_solve_deadline_s(options);
    for (double i = 0;
         i < values[N].number &&
         (*outcome == DV_OUTCOME_NONE || !dv_progress_must_end(options->progress, deadline_s));
         i++) {
        for (dv_unit_id u = 0; u < problem->unit_count; u++)
            trial->target[u] = draw(problem, u, &rng);
        dv_place_join_groups(problem, trial);
        dv_place_keep_better(problem, options->progress, trial, plan, outcome);
    }
    dv_plan_destroy(trial);
    return DV_OK;
}

const dv_strategy dv_strategy_random = {
    .name = "random",
    .summary = "the best of n random placements",
    .objectives = DV_OBJECTIVE_LATENCY | DV_OBJECTIVE_MAKESPAN,
    .params = params,
    .solve = solve,
};
