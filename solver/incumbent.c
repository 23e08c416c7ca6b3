/* incumbent.c - baselines, then coordinate descent. */
#include "solver/incumbent.h"

#include <math.h>
#include <string.h>

#include "solver/evaluate.h"
#include "solver/place.h"

/* Moves places [first, first + count) of the order to target where they may go. */
static void move_run(const dv_problem *problem, const dv_plan *from, uint32_t first, uint32_t count,
                     dv_target_id target, dv_plan *trial)
{
    memcpy(trial->target, from->target, problem->unit_count * sizeof *trial->target);
    for (uint32_t k = first; k < first + count; k++) {
        dv_unit_id u = from->order[k];
        if (dv_problem_allows(problem, u, target)) {
            trial->target[u] = target;
            continue;
        }
        dv_target_id near = dv_place_fastest(problem, u, problem->device[target]);
        if (near != DV_NONE)
            trial->target[u] = near;
    }
}

static bool try_run(const dv_problem *problem, const dv_progress *progress, uint32_t first,
                    uint32_t count, dv_plan *trial, dv_plan *plan)
{
    dv_outcome outcome = DV_OUTCOME_FEASIBLE;
    bool better = false;
    for (dv_target_id a = 0; a < problem->target_count; a++) {
        if (count == 1 && plan->target[plan->order[first]] == a)
            continue;
        move_run(problem, plan, first, count, a, trial);
        better |= dv_place_keep_better(problem, progress, trial, plan, &outcome);
    }
    return better;
}

static uint32_t segment_length(const dv_problem *problem, const dv_plan *plan, uint32_t first)
{
    uint32_t k = first + 1;
    while (k < problem->unit_count && problem->device[plan->target[plan->order[k]]] ==
                                          problem->device[plan->target[plan->order[first]]])
        k++;
    return k - first;
}

void dv_incumbent_improve(const dv_problem *problem, const dv_progress *progress, double deadline_s,
                          dv_plan *trial, dv_plan *plan)
{
    memcpy(trial->order, plan->order, problem->unit_count * sizeof *trial->order);
    /* One evaluation is some ten steps a unit. */
    double steps_left = 1e8, evaluation = 10.0 * (problem->unit_count + problem->tensor_count + 1);
    for (bool better = true; better;) {
        better = false;
        for (uint32_t first = 0, count; first < problem->unit_count && steps_left > 0.0 &&
                                        !dv_progress_must_end(progress, deadline_s);
             first += count) {
            count = segment_length(problem, plan, first);
            better |= try_run(problem, progress, first, count, trial, plan);
            steps_left -= evaluation * problem->target_count;
        }
        for (uint32_t k = 0; k < problem->unit_count && steps_left > 0.0 &&
                             !dv_progress_must_end(progress, deadline_s);
             k++) {
            better |= try_run(problem, progress, k, 1, trial, plan);
            steps_left -= evaluation * problem->target_count;
        }
        if (dv_progress_must_end(progress, deadline_s) || steps_left <= 0.0)
            return;
    }
}

dv_status dv_incumbent_baselines(const dv_problem *problem, const dv_solve_options *options,
                                 dv_plan *trial, dv_plan *plan, dv_outcome *outcome)
{
    static const char *const names[] = {"cheapest", "single", "chain"};
    double deadline_s = dv_solve_deadline_s(options);
    *outcome = DV_OUTCOME_NONE;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (*outcome != DV_OUTCOME_NONE && dv_progress_must_end(options->progress, deadline_s))
            break;
        const dv_strategy *strategy = dv_strategy_find(names[i]);
        dv_param_value values[8] = {{0}};
        for (size_t k = 0; strategy->params && strategy->params[k].name && k < 8; k++)
            DV_TRY(dv_param_preset(&strategy->params[k], &values[k]));
        dv_progress silent;
        dv_solve_options quiet = dv_solve_options_within(options, deadline_s, &silent);
        dv_outcome found = DV_OUTCOME_NONE;
        DV_TRY(strategy->solve(problem, &quiet, values, trial, &found));
        if (found == DV_OUTCOME_FEASIBLE)
            dv_place_keep_better(problem, options->progress, trial, plan, outcome);
    }
    return DV_OK;
}

dv_status dv_incumbent_find(const dv_problem *problem, const dv_solve_options *options,
                            dv_plan *plan, dv_outcome *outcome)
{
    double deadline_s = dv_solve_deadline_s(options);
    *outcome = DV_OUTCOME_NONE;
    dv_plan *trial = NULL;
    DV_TRY(dv_plan_create(problem, &trial));
    dv_status status = dv_incumbent_baselines(problem, options, trial, plan, outcome);
    if (status == DV_OK && *outcome == DV_OUTCOME_FEASIBLE)
        dv_incumbent_improve(problem, options->progress, deadline_s, trial, plan);
    dv_plan_destroy(trial);
    return status;
}
