/* ideal.c - the dynamic program over ideals as a strategy. */
#include "solver/ideal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "solver/evaluate.h"
#include "solver/frontier.h"
#include "solver/incumbent.h"
#include "solver/path_stage.h"
#include "solver/place.h"
#include "solver/strategy.h"
#include "solver/throughput.h"

enum { STATES, IDEALS, PROGRAM };

/* Units of a problem whose proof is tried before a search with few states, and without one. */
enum { LONG = 4000, VERY_LONG = 20000 };

static const dv_param params[] = {
    [STATES] = {.name = "states",
                .type = DV_PARAM_INTEGER,
                .summary = "states kept in one level; if more are needed the result has a gap",
                .preset = "50000",
                .low = 1,
                .high = 10000000},
    [IDEALS] = {.name = "ideals",
                .type = DV_PARAM_INTEGER,
                .summary = "for throughput: if the graph has more, only one order is cut up",
                .preset = "300000",
                .low = 1,
                .high = 100000000},
    [PROGRAM] = {.name = "program",
                 .type = DV_PARAM_CHOICE,
                 .summary =
                     "where the search does not finish, the integer program without an order "
                     "takes part, or does not",
                 .preset = "on",
                 .choices = "off|on"},
    {0},
};

static dv_status run_within(const dv_problem *problem, const dv_budgets *budgets,
                            dv_ideal_settings *settings, const dv_plan *plan, dv_plan *trial,
                            dv_ideal_result *result)
{
    dv_labels labels = {0};
    dv_status status = dv_labels_create(problem, &labels);
    if (status == DV_OK && dv_budgets_cut(problem, budgets, &labels)) {
        dv_labels_cut(problem, plan->cost.total_us, &labels);
        dv_labels_dominate(problem, NULL, settings->progress, settings->deadline_s, &labels);
        settings->budgets = budgets;
        status = dv_ideal_run(problem, &labels, settings, trial->target, trial->order, result);
    } else if (status == DV_OK) {
        *result = (dv_ideal_result){.exact = true, .value_us = INFINITY, .bound_us = INFINITY};
    }
    dv_labels_free(&labels);
    return status;
}

/* One search with the plan as the one to beat; lowers the settings' work. */
static dv_status search(const dv_problem *problem, dv_ideal_settings *settings, dv_plan *trial,
                        dv_plan *plan, double *bound_us)
{
    /* The known plan's own cost must not be pruned away by the rounding of another summation. */
    settings->upper_us = plan->cost.total_us * (1.0 + 1e-9);
    dv_budgets budgets;
    dv_ideal_result result = {0};
    DV_TRY(dv_budgets_create(problem, &budgets));
    dv_status status = run_within(problem, &budgets, settings, plan, trial, &result);
    dv_budgets_free(&budgets);
    DV_TRY(status);
    dv_progress_log(
        settings->progress, "ideal: %zu states (%zu at most in a level) in %zu ideals, work %zu%s",
        result.states, result.most, result.ideals, result.made, result.exact ? "" : ", cut short");
    if (result.found) {
        dv_outcome outcome = DV_OUTCOME_FEASIBLE;
        dv_place_keep_better(problem, settings->progress, trial, plan, &outcome);
    }
    settings->work_limit -= result.made < settings->work_limit ? result.made : settings->work_limit;
    *bound_us = fmin(fmax(*bound_us, result.bound_us), plan->cost.total_us);
    return DV_OK;
}

static bool is_done(const dv_ideal_settings *settings, const dv_plan *plan, double bound_us)
{
    return plan->cost.total_us <= bound_us * (1.0 + 1e-12) || settings->work_limit == 0 ||
           dv_progress_must_end(settings->progress, settings->deadline_s);
}

dv_status dv_ideal_improve(const dv_problem *problem, const dv_ideal_settings *settings,
                           dv_plan *trial, dv_plan *plan, double *bound_us)
{
    static const uint32_t few[] = {64, 1024};
    dv_ideal_settings s = *settings;
    /* In a long problem a better plan hardly prunes anything, as what it saves is spread over all
       of it: there the proof comes first. */
    bool late = settings->whole && problem->unit_count > LONG;
    for (size_t i = 0; !late && i < sizeof few / sizeof few[0]; i++) {
        s.state_limit = few[i];
        if (few[i] >= settings->state_limit || (i > 0 && settings->whole))
            break;
        s.whole = false;
        DV_TRY(search(problem, &s, trial, plan, bound_us));
        if (is_done(&s, plan, *bound_us))
            return DV_OK;
    }
    s.state_limit = settings->state_limit;
    s.whole = settings->whole;
    DV_TRY(search(problem, &s, trial, plan, bound_us));
    if (!late || problem->unit_count > VERY_LONG || is_done(&s, plan, *bound_us))
        return DV_OK;
    s.state_limit = few[0];
    s.whole = false;
    return search(problem, &s, trial, plan, bound_us);
}

static dv_status solve(const dv_problem *problem, const dv_solve_options *options,
                       const dv_param_value *values, dv_plan *plan, dv_outcome *outcome)
{
    *outcome = DV_OUTCOME_NONE;
    if (options->objective == DV_OBJECTIVE_THROUGHPUT) {
        dv_throughput_settings settings = {.splits = DV_SPLITS_CONTIGUOUS,
                                           .ideal_limit = (uint32_t)values[IDEALS].number};
        return dv_throughput_solve(problem, options, &settings, plan, outcome);
    }
    DV_TRY(dv_frontier_check(problem, "ideal"));
    double deadline_s = dv_solve_deadline_s(options);
    dv_frontier_settings frontier = {.state_limit = 400,
                                     .deadline_s = deadline_s,
                                     .memory_limit = options->memory_bytes,
                                     .progress = options->progress};
    dv_ideal_settings settings = {.state_limit = (uint32_t)values[STATES].number,
                                  .work_limit = SIZE_MAX,
                                  .memory_limit = options->memory_bytes,
                                  .deadline_s = deadline_s,
                                  .progress = options->progress};
    dv_plan *trial = NULL;
    DV_TRY(dv_plan_create(problem, &trial));
    double bound_us = -INFINITY, given_us;
    dv_status status = dv_incumbent_baselines(problem, options, trial, plan, outcome);
    if (status == DV_OK)
        status = dv_frontier_solve(problem, &frontier, options->tolerance, trial, plan, outcome,
                                   &given_us, &bound_us);
    if (status == DV_OK && *outcome != DV_OUTCOME_FEASIBLE) /* another order may be possible */
        plan->cost.total_us = INFINITY;
    if (status == DV_OK)
        status = dv_ideal_improve(problem, &settings, trial, plan, &bound_us);
    bool found = isfinite(plan->cost.total_us);
    if (status == DV_OK)
        *outcome = found                  ? DV_OUTCOME_FEASIBLE
                   : bound_us == INFINITY ? DV_OUTCOME_INFEASIBLE
                                          : DV_OUTCOME_NONE;
    const char *method = "ideal: dynamic programming";
    if (status == DV_OK && *outcome == DV_OUTCOME_FEASIBLE && values[PROGRAM].number > 0.0 &&
        !dv_progress_must_end(options->progress, deadline_s) &&
        plan->cost.total_us - bound_us > options->tolerance * plan->cost.total_us)
        status =
            dv_path_stage(problem, options, deadline_s, trial, plan, outcome, &bound_us, &method);
    dv_plan_destroy(trial);
    if (status != DV_OK || *outcome != DV_OUTCOME_FEASIBLE)
        return status;
    plan->bound_us = bound_us;
    snprintf(plan->proved_by, sizeof plan->proved_by, "%s", method);
    snprintf(plan->proof_scope, sizeof plan->proof_scope, "any order");
    dv_progress_bound(options->progress, bound_us);
    if (plan->cost.total_us - bound_us <= options->tolerance * plan->cost.total_us)
        *outcome = DV_OUTCOME_OPTIMAL;
    return DV_OK;
}

const dv_strategy dv_strategy_ideal = {
    .name = "ideal",
    .summary =
        "dynamic programming over ideals: placement and order together, proven for any order",
    .objectives = DV_OBJECTIVE_LATENCY | DV_OBJECTIVE_THROUGHPUT,
    .params = params,
    .solve = solve,
};
