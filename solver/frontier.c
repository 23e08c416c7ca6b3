/* frontier.c - the dynamic program as a strategy: milliseconds where ilp takes seconds, so it is
   what re-solves while a slider moves. */
#include "solver/frontier.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "solver/evaluate.h"
#include "solver/incumbent.h"
#include "solver/limited.h"
#include "solver/order.h"
#include "solver/place.h"
#include "solver/strategy.h"

enum { STATES };

static const dv_param params[] = {
    [STATES] = {.name = "states",
                .type = DV_PARAM_INTEGER,
                .summary = "states kept in one layer; if more are needed the result has a gap",
                .preset = "20000",
                .low = 1,
                .high = 10000000},
    {0},
};

/* With a deadline, a run with so many states comes first: a good plan soon. */
enum { FEW_STATES = 16 };

/* Labels that any plan as good as the incumbent can do with. */
static dv_status reduced_labels(const dv_problem *problem, const dv_frontier_settings *settings,
                                const dv_plan *incumbent, const dv_unit_id *order,
                                dv_labels *labels)
{
    DV_TRY(dv_labels_create(problem, labels));
    dv_labels_cut(problem, incumbent->cost.total_us, labels);
    dv_labels_dominate(problem, order, settings->progress, settings->deadline_s, labels);
    return DV_OK;
}

static void tell(const dv_frontier_settings *settings, const char *what,
                 const dv_frontier_result *result)
{
    dv_progress_log(settings->progress, "frontier: %s: %zu states (%u at most in a layer)%s", what,
                    result->states, result->most, result->exact ? "" : ", cut short");
}

/* One run for the plan's order; keeps what is better, raises *bound_us. */
static dv_status improve_with(const dv_problem *problem, const dv_labels *labels,
                              const dv_frontier_settings *settings, dv_plan *trial, dv_plan *plan,
                              double *bound_us)
{
    dv_frontier_settings s = *settings;
    dv_frontier_result result;
    /* The known plan's own cost must not be pruned away by the rounding of another summation. */
    s.path = NULL;
    s.upper_us = plan->cost.total_us * (1.0 + 1e-9);
    s.known = plan->target;
    DV_TRY(dv_frontier_run(problem, labels, plan->order, &s, trial->target, &result));
    *bound_us = fmax(*bound_us, fmin(result.bound_us, plan->cost.total_us));
    tell(settings, "given order", &result);
    if (result.found) {
        dv_outcome outcome = DV_OUTCOME_FEASIBLE;
        memcpy(trial->order, plan->order, problem->unit_count * sizeof *trial->order);
        dv_place_keep_better(problem, settings->progress, trial, plan, &outcome);
    }
    *bound_us = fmin(*bound_us, plan->cost.total_us);
    return DV_OK;
}

dv_status dv_frontier_improve(const dv_problem *problem, const dv_frontier_settings *settings,
                              dv_plan *trial, dv_plan *plan, double *bound_us)
{
    dv_labels labels = {0};
    dv_frontier_settings few = *settings;
    few.state_limit = few.state_limit < FEW_STATES ? few.state_limit : FEW_STATES;
    *bound_us = -INFINITY;
    dv_status status = reduced_labels(problem, settings, plan, plan->order, &labels);
    if (status == DV_OK && isfinite(settings->deadline_s))
        status = improve_with(problem, &labels, &few, trial, plan, bound_us);
    if (status == DV_OK)
        status = improve_with(problem, &labels, settings, trial, plan, bound_us);
    dv_labels_free(&labels);
    return status;
}

/* target, path: unit_count entries to work in; order: any topological one will do. */
static dv_status bound_along_path(const dv_problem *problem, const dv_frontier_settings *settings,
                                  const dv_plan *plan, const dv_unit_id *order,
                                  dv_target_id *target, dv_unit_id *path, double *bound_us)
{
    dv_frontier_settings s = *settings;
    double dispatch_us;
    DV_TRY(dv_order_dearest_path(problem, plan->target, path, &s.path_length, &dispatch_us));
    s.path = path;
    s.upper_us = plan->cost.total_us * (1.0 + 1e-9);
    dv_labels labels = {0};
    dv_frontier_result result;
    dv_status status = reduced_labels(problem, settings, plan, NULL, &labels);
    if (status == DV_OK)
        status = dv_frontier_run(problem, &labels, order, &s, target, &result);
    dv_labels_free(&labels);
    DV_TRY(status);
    tell(settings, "along a path", &result);
    *bound_us = fmin(result.bound_us, plan->cost.total_us);
    return DV_OK;
}

dv_status dv_frontier_path_bound(const dv_problem *problem, const dv_frontier_settings *settings,
                                 const dv_plan *plan, double *bound_us)
{
    *bound_us = -INFINITY;
    /* The problem's own order keeps fewer tensors alive than one made for few segments. */
    dv_plan *own = NULL;
    DV_TRY(dv_plan_create(problem, &own));
    dv_unit_id *path = calloc((size_t)problem->unit_count + 1, sizeof *path);
    dv_status status =
        path ? bound_along_path(problem, settings, plan, own->order, own->target, path, bound_us)
             : dv_fail(DV_NO_MEMORY, "frontier: out of memory");
    free(path);
    dv_plan_destroy(own);
    return status;
}

dv_status dv_frontier_check(const dv_problem *problem, const char *strategy)
{
    return dv_frontier_holds(problem)
               ? DV_OK
               : dv_fail(DV_BAD_PARAMETER,
                         "strategy %s holds 64 devices at most; use ilp, or fewer (--targets)",
                         strategy);
}

dv_status dv_frontier_solve(const dv_problem *problem, const dv_frontier_settings *settings,
                            double tolerance, dv_plan *trial, dv_plan *plan, dv_outcome *outcome,
                            double *bound_us, double *any_bound_us)
{
    *bound_us = -INFINITY;
    if (any_bound_us)
        *any_bound_us = -INFINITY;
    if (dv_limits_bind(problem)) {
        dv_limited_settings limited = {.state_limit = settings->state_limit,
                                       .deadline_s = settings->deadline_s,
                                       .memory_limit = settings->memory_limit,
                                       .tolerance = tolerance,
                                       .any_order = any_bound_us != NULL,
                                       .progress = settings->progress};
        dv_limited_result result;
        DV_TRY(dv_limited_improve(problem, &limited, trial, plan, outcome, &result));
        *bound_us = result.given_bound_us;
        if (any_bound_us)
            *any_bound_us = result.any_bound_us;
        return DV_OK;
    }
    if (*outcome == DV_OUTCOME_NONE) /* no baseline met the groups */
        plan->cost.total_us = INFINITY;
    DV_TRY(dv_frontier_improve(problem, settings, trial, plan, bound_us));
    if (isfinite(plan->cost.total_us))
        *outcome = DV_OUTCOME_FEASIBLE;
    else if (*bound_us == INFINITY)
        *outcome = DV_OUTCOME_INFEASIBLE;
    return any_bound_us && *outcome == DV_OUTCOME_FEASIBLE
               ? dv_frontier_path_bound(problem, settings, plan, any_bound_us)
               : DV_OK;
}

static dv_status solve(const dv_problem *problem, const dv_solve_options *options,
                       const dv_param_value *values, dv_plan *plan, dv_outcome *outcome)
{
    *outcome = DV_OUTCOME_NONE;
    DV_TRY(dv_frontier_check(problem, "frontier"));
    dv_frontier_settings settings = {.state_limit = (uint32_t)values[STATES].number,
                                     .deadline_s = dv_solve_deadline_s(options),
                                     .memory_limit = options->memory_bytes,
                                     .progress = options->progress};
    dv_plan *trial = NULL;
    DV_TRY(dv_plan_create(problem, &trial));
    double bound_us = -INFINITY;
    dv_status status = dv_incumbent_baselines(problem, options, trial, plan, outcome);
    if (status == DV_OK)
        status = dv_frontier_solve(problem, &settings, options->tolerance, trial, plan, outcome,
                                   &bound_us, NULL);
    dv_plan_destroy(trial);
    if (status != DV_OK || *outcome != DV_OUTCOME_FEASIBLE)
        return status;
    plan->bound_us = bound_us;
    snprintf(plan->proved_by, sizeof plan->proved_by, "frontier: dynamic programming");
    snprintf(plan->proof_scope, sizeof plan->proof_scope, "given order");
    dv_progress_bound(options->progress, bound_us);
    if (plan->cost.total_us - bound_us <= options->tolerance * plan->cost.total_us)
        *outcome = DV_OUTCOME_OPTIMAL;
    return DV_OK;
}

const dv_strategy dv_strategy_frontier = {
    .name = "frontier",
    .summary = "dynamic programming over frontiers: proven optimal for the given order, at once",
    .objectives = DV_OBJECTIVE_LATENCY,
    .params = params,
    .solve = solve,
};
