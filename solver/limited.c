/* limited.c - prices for limits, then states that keep them; see limited.h. */
#include "solver/limited.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/budgets.h"
#include "solver/evaluate.h"
#include "solver/frontier.h"
#include "solver/place.h"

enum {
    PRICED_STATES = 4000, /* of the problem at prices, which is solved often */
    REST_STATES = 20000,
    FIRST_STATES =
        16, /* for a better plan, which prunes the next run, with so many times as many */
    MORE_STATES = 8,
    ROUNDS = 40,
    PATIENCE = 4, /* rounds without a better bound before steps get shorter */
};

typedef struct search {
    const dv_problem *problem;
    const dv_limited_settings *settings;
    dv_plan *trial, *plan; /* plan: the best that meets the limits, if *outcome says there is one */
    dv_plan *priced_plan;  /* the best at the prices of the last round */
    dv_outcome *outcome;
    dv_budgets budgets;
    dv_labels labels; /* that the limits leave */
    dv_priced priced;
    double bound_us;
    double *best_price_us;
    double *amount; /* of priced_plan, per budget */
} search;

static bool have_plan(const search *s)
{
    return *s->outcome == DV_OUTCOME_FEASIBLE;
}

static bool is_met(const search *s)
{
    double cost_us = s->plan->cost.total_us;
    return have_plan(s) && cost_us - s->bound_us <= s->settings->tolerance * cost_us;
}

static bool out_of_time(const search *s)
{
    return dv_progress_must_end(s->settings->progress, s->settings->deadline_s);
}

static dv_frontier_settings frontier_settings(const search *s, uint32_t states)
{
    return (dv_frontier_settings){.state_limit = states,
                                  .deadline_s = s->settings->deadline_s,
                                  .memory_limit = s->settings->memory_limit,
                                  .progress = s->settings->progress};
}

/* Improves priced_plan at the prices that are set. Targets are ruled out by cost alone: to compare
   them all with each other takes as long as the whole program. */
static dv_status improve_priced(search *s, double *bound_us)
{
    const dv_problem *priced = &s->priced.problem;
    dv_plan *plan = s->priced_plan;
    dv_progress quiet = dv_progress_silent(s->settings->progress);
    dv_frontier_settings settings = frontier_settings(s, PRICED_STATES);
    dv_frontier_result found;
    dv_labels labels = {0};
    dv_outcome outcome = DV_OUTCOME_FEASIBLE;
    settings.progress = &quiet;
    if (!dv_evaluate(priced, plan))
        plan->cost.total_us = INFINITY;
    settings.upper_us = plan->cost.total_us * (1.0 + 1e-9);
    dv_status status = dv_labels_create(priced, &labels);
    if (status == DV_OK) {
        dv_labels_cut(priced, plan->cost.total_us, &labels);
        status = dv_frontier_run(priced, &labels, plan->order, &settings, s->trial->target, &found);
    }
    dv_labels_free(&labels);
    DV_TRY(status);
    memcpy(s->trial->order, plan->order, priced->unit_count * sizeof *plan->order);
    if (found.found)
        dv_place_keep_better(priced, NULL, s->trial, plan, &outcome);
    *bound_us = fmin(found.bound_us, plan->cost.total_us);
    return DV_OK;
}

/* Solves at the prices that are set: a bound, a plan, and what that takes of the limits. */
static dv_status solve_priced(search *s)
{
    const dv_problem *p = s->problem;
    double bound_us, worth_us = dv_budgets_worth_us(&s->budgets);
    dv_priced_set(p, &s->budgets, &s->labels, &s->priced);
    DV_TRY(improve_priced(s, &bound_us));
    if (isfinite(bound_us)) /* the rounding of these sums */
        bound_us -= worth_us + 1e-12 * (fabs(bound_us) + worth_us);
    if (bound_us > s->bound_us) {
        s->bound_us = bound_us;
        for (uint32_t b = 0; b < s->budgets.count; b++)
            s->best_price_us[b] = s->budgets.list[b].price_us;
        dv_progress_bound(s->settings->progress, bound_us);
    }
    if (!isfinite(s->priced_plan->cost.total_us))
        return DV_OK;
    for (uint32_t b = 0; b < s->budgets.count; b++)
        s->amount[b] = dv_budget_amount(p, &s->budgets.list[b], s->priced_plan);
    memcpy(s->trial->target, s->priced_plan->target, p->unit_count * sizeof *s->trial->target);
    memcpy(s->trial->order, s->priced_plan->order, p->unit_count * sizeof *s->trial->order);
    dv_place_keep_better(p, s->settings->progress, s->trial, s->plan, s->outcome);
    return DV_OK;
}

/* How far the last plan is above a limit, relative to it; below: negative. */
static double excess(const search *s, uint32_t b)
{
    return s->amount[b] / s->budgets.list[b].most - 1.0;
}

/* Until some plan meets the limits: what is above its limit gets dearer. */
static dv_status find_some_plan(search *s)
{
    double start_us = fmax(s->bound_us, 1.0);
    for (int round = 0; round < ROUNDS / 2 && !have_plan(s) && !out_of_time(s); round++) {
        bool above = false;
        for (uint32_t b = 0; b < s->budgets.count; b++) {
            dv_budget *budget = &s->budgets.list[b];
            if (excess(s, b) <= 0.0)
                continue;
            above = true;
            budget->price_us = fmax(2.0 * budget->price_us, 0.05 * start_us / budget->most);
        }
        if (!above)
            return DV_OK;
        DV_TRY(solve_priced(s));
    }
    return DV_OK;
}

/* One limit: where the lines of a plan that meets it and of one that does not cross, is the price
   to ask for; if nothing lies below the crossing, it is the best. */
static dv_status find_price(search *s, double cheap_us, double cheap_amount)
{
    dv_budget *budget = &s->budgets.list[0];
    double held_us = s->plan->cost.total_us;
    double held_amount = dv_budget_amount(s->problem, budget, s->plan);
    for (int round = 0; round < ROUNDS && !is_met(s) && !out_of_time(s); round++) {
        double crossing_us = (held_us - cheap_us) / (cheap_amount - held_amount);
        if (!(cheap_amount > budget->most && crossing_us > 0.0 && isfinite(crossing_us)))
            return DV_OK;
        double line_us = held_us + crossing_us * (held_amount - budget->most);
        budget->price_us = crossing_us;
        DV_TRY(solve_priced(s));
        double cost_us = s->priced_plan->cost.total_us - crossing_us * s->amount[0];
        if (s->bound_us >= line_us - 1e-9 * fabs(line_us))
            return DV_OK;
        bool meets = s->amount[0] <= budget->most;
        if (s->amount[0] == (meets ? held_amount : cheap_amount))
            return DV_OK;
        *(meets ? &held_us : &cheap_us) = cost_us;
        *(meets ? &held_amount : &cheap_amount) = s->amount[0];
    }
    return DV_OK;
}

/* Several limits: steps along the excess, as long as the gap says (Polyak, USSR Computational
   Mathematics 9(3), 1969). */
static dv_status find_prices(search *s)
{
    double length = 1.0;
    int waited = 0;
    for (int round = 0; round < ROUNDS && !is_met(s) && !out_of_time(s); round++) {
        double norm = 0.0, before_us = s->bound_us;
        for (uint32_t b = 0; b < s->budgets.count; b++)
            if (excess(s, b) > 0.0 || s->budgets.list[b].price_us > 0.0)
                norm += excess(s, b) * excess(s, b);
        double value_us = s->priced_plan->cost.total_us - dv_budgets_worth_us(&s->budgets);
        double step_us = length * (s->plan->cost.total_us - value_us) / norm;
        if (!(norm > 0.0) || !isfinite(step_us))
            return DV_OK;
        for (uint32_t b = 0; b < s->budgets.count; b++) {
            dv_budget *budget = &s->budgets.list[b];
            budget->price_us = fmax(0.0, budget->price_us + step_us * excess(s, b) / budget->most);
        }
        DV_TRY(solve_priced(s));
        waited = s->bound_us > before_us ? 0 : waited + 1;
        if (waited < PATIENCE)
            continue;
        waited = 0;
        length *= 0.5;
        for (uint32_t b = 0; b < s->budgets.count; b++)
            s->budgets.list[b].price_us = s->best_price_us[b];
        DV_TRY(solve_priced(s));
    }
    return DV_OK;
}

static dv_status find_dual(search *s)
{
    DV_TRY(solve_priced(s)); /* at no price: the limits left aside */
    double free_us = s->priced_plan->cost.total_us;
    double free_amount = s->budgets.count ? s->amount[0] : 0.0;
    if (!isfinite(free_us) || s->budgets.count == 0)
        return DV_OK;
    DV_TRY(find_some_plan(s));
    if (!have_plan(s))
        return DV_OK;
    return s->budgets.count == 1 ? find_price(s, free_us, free_amount) : find_prices(s);
}

static void set_best_prices(search *s)
{
    for (uint32_t b = 0; b < s->budgets.count; b++)
        s->budgets.list[b].price_us = s->best_price_us[b];
    dv_priced_set(s->problem, &s->budgets, &s->labels, &s->priced);
}

/* One run over states that keep the limits. *exact: no state was dropped. */
static dv_status run_states(search *s, uint32_t states, const dv_suffix *rest,
                            const dv_labels *labels, bool *exact)
{
    dv_frontier_settings settings = frontier_settings(s, states);
    dv_frontier_result found;
    settings.budgets = &s->budgets;
    settings.rest = rest;
    settings.upper_us = have_plan(s) ? s->plan->cost.total_us * (1.0 + 1e-9) : INFINITY;
    DV_TRY(
        dv_frontier_run(s->problem, labels, s->plan->order, &settings, s->trial->target, &found));
    memcpy(s->trial->order, s->plan->order, s->problem->unit_count * sizeof *s->trial->order);
    if (found.found)
        dv_place_keep_better(s->problem, s->settings->progress, s->trial, s->plan, s->outcome);
    double bound_us = have_plan(s) ? fmin(found.bound_us, s->plan->cost.total_us) : found.bound_us;
    s->bound_us = fmax(s->bound_us, bound_us);
    *exact = found.exact;
    dv_progress_log(s->settings->progress, "frontier: %zu states within limits (%u at most)%s",
                    found.states, found.most, found.exact ? "" : ", cut short");
    return DV_OK;
}

/* Labels that a plan better than the known one may use. */
static dv_status make_labels(const search *s, dv_labels *labels)
{
    DV_TRY(dv_labels_create(&s->priced.problem, labels));
    if (!have_plan(s))
        return DV_OK;
    double cost_us = s->plan->cost.total_us * (1.0 + 1e-9);
    dv_labels_cut(s->problem, cost_us, labels);
    dv_labels_cut(&s->priced.problem, cost_us + dv_budgets_worth_us(&s->budgets), labels);
    return DV_OK;
}

static dv_status search_states(search *s, dv_limited_result *result)
{
    dv_labels labels = {0};
    dv_suffix rest = {0};
    set_best_prices(s);
    dv_status status = make_labels(s, &labels);
    if (status == DV_OK)
        status = dv_suffix_create(&s->priced.problem, &labels, s->plan->order, REST_STATES,
                                  s->settings->progress, &rest);
    bool stopped = status == DV_INTERRUPTED;
    if (stopped)
        status = DV_OK;
    for (uint32_t states = FIRST_STATES; status == DV_OK && !stopped; states *= MORE_STATES) {
        bool last = states >= s->settings->state_limit || !have_plan(s);
        status = run_states(s, last ? s->settings->state_limit : states, rest.exact ? &rest : NULL,
                            &labels, &result->exact);
        if (last || result->exact || out_of_time(s) || is_met(s))
            break;
    }
    dv_suffix_free(&rest);
    dv_labels_free(&labels);
    return status;
}

/* Dispatch, and the price of segments with it, along one path only. */
static dv_status bound_any_order(search *s, double *bound_us)
{
    dv_frontier_settings settings = frontier_settings(s, PRICED_STATES);
    set_best_prices(s);
    double worth_us = dv_budgets_worth_us(&s->budgets);
    if (!dv_evaluate(&s->priced.problem, s->priced_plan))
        return DV_OK;
    double least_us;
    DV_TRY(dv_frontier_path_bound(&s->priced.problem, &settings, s->priced_plan, &least_us));
    *bound_us = fmin(least_us - worth_us - 1e-12 * (fabs(least_us) + worth_us), s->bound_us);
    return DV_OK;
}

static dv_status run(search *s, dv_limited_result *result)
{
    const dv_problem *p = s->problem;
    DV_TRY(dv_budgets_create(p, &s->budgets));
    DV_TRY(dv_labels_create(p, &s->labels));
    DV_TRY(dv_priced_create(p, &s->priced));
    DV_TRY(dv_plan_create(p, &s->priced_plan));
    s->best_price_us = calloc((size_t)s->budgets.count + 1, sizeof *s->best_price_us);
    s->amount = calloc((size_t)s->budgets.count + 1, sizeof *s->amount);
    if (!s->best_price_us || !s->amount)
        return dv_fail(DV_NO_MEMORY, "limits: out of memory");
    memcpy(s->priced_plan->order, s->plan->order, p->unit_count * sizeof *s->plan->order);
    bool possible = dv_budgets_cut(p, &s->budgets, &s->labels);
    if (!possible)
        s->bound_us = INFINITY;
    if (possible)
        DV_TRY(find_dual(s));
    possible = possible && isfinite(s->priced_plan->cost.total_us);
    if (possible && s->settings->any_order)
        DV_TRY(bound_any_order(s, &result->any_bound_us));
    if (possible && s->settings->state_limit > 0 && !is_met(s) && !out_of_time(s))
        DV_TRY(search_states(s, result));
    result->given_bound_us = s->bound_us;
    if (!have_plan(s) && s->bound_us == INFINITY)
        *s->outcome = DV_OUTCOME_INFEASIBLE;
    return DV_OK;
}

dv_status dv_limited_improve(const dv_problem *problem, const dv_limited_settings *settings,
                             dv_plan *trial, dv_plan *plan, dv_outcome *outcome,
                             dv_limited_result *result)
{
    search s = {.problem = problem,
                .settings = settings,
                .trial = trial,
                .plan = plan,
                .outcome = outcome,
                .bound_us = -INFINITY};
    *result = (dv_limited_result){.given_bound_us = -INFINITY, .any_bound_us = -INFINITY};
    dv_status status = run(&s, result);
    dv_plan_destroy(s.priced_plan);
    dv_priced_free(&s.priced);
    dv_labels_free(&s.labels);
    dv_budgets_free(&s.budgets);
    free(s.best_price_us);
    free(s.amount);
    return status;
}

dv_status dv_limited_solve(const dv_problem *problem, const dv_limited_settings *settings,
                           dv_plan *trial, dv_plan *plan, dv_outcome *outcome)
{
    dv_limited_result result;
    *outcome = DV_OUTCOME_NONE;
    plan->cost.total_us = INFINITY;
    DV_TRY(dv_limited_improve(problem, settings, trial, plan, outcome, &result));
    plan->bound_us = result.given_bound_us;
    double cost_us = plan->cost.total_us;
    if (*outcome == DV_OUTCOME_FEASIBLE &&
        cost_us - plan->bound_us <= settings->tolerance * cost_us)
        *outcome = DV_OUTCOME_OPTIMAL;
    return DV_OK;
}
