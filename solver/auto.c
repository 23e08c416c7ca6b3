/* auto.c - the default: the cheapest method that proves the most.

   Baselines, then the dynamic program for the given order; if that does not finish, the integer
   program. Then the order: a better one for the placement, the best placement for that
   order, and so on until nothing improves. A lower bound for every order (dispatch counted along
   one path only) tells whether the order could matter at all; where it leaves a gap, dynamic
   programming over ideals closes it within a budget of states, or the integer program without an
   order. What is claimed is what was proven:

     optimal, any order     cost and the bound for every order meet
     optimal, given order   the problem's order was kept, and is proven
     feasible, any order    another order is better than the best of the given one; the gap is to
   the bound for every order */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "solver/evaluate.h"
#include "solver/frontier.h"
#include "solver/ideal.h"
#include "solver/incumbent.h"
#include "solver/limited.h"
#include "solver/order.h"
#include "solver/overlap.h"
#include "solver/path_stage.h"
#include "solver/strategy.h"
#include "solver/throughput.h"

enum { ORDER, SPLIT };

static const dv_param params[] = {
    [ORDER] = {.name = "order",
               .type = DV_PARAM_CHOICE,
               .summary = "look for a better order of the units too, or keep the given one",
               .preset = "free",
               .choices = "free|given"},
    [SPLIT] = {.name = "split",
               .type = DV_PARAM_CHOICE,
               .summary = "for throughput: only splits whose devices stand in a row, or any",
               .preset = "any",
               .choices = "contiguous|any"},
    {0},
};

/* In the rounds of better orders a few states do: nothing is claimed from them. */
enum { STATE_LIMIT = 20000, ROUND_STATES = 400, ROUNDS = 6 };

/* Of the bound along a path: seconds where many tensors are alive at a time, as in a network of a
   hundred branches. */
enum { PATH_WORK = 400000000, PATH_WORK_A_UNIT = 500000 };

/* Of a problem with more units each step takes seconds, and only those that gain much are taken. */
enum { LARGE = 20000, ROUNDS_OF_LARGE = 2 };

/* Where limits bind states are many more; and with more labels (units * targets) than this the
   integer program takes minutes for what prices leave open. */
enum { LIMITED_STATES = 1000, LIMITED_ROUND_STATES = 20, ILP_LABELS = 1200 };

/* Of the search over ideals: seconds at most, and the same result on every machine. */
enum { IDEAL_STATES = 10000, IDEAL_WORK = 4000000, IDEAL_WORK_A_UNIT = 500, IDEALS = 300000 };

/* Of the same search as the last resort, where no program is small enough: some ten seconds. */
enum { LAST_UNITS = 3000, LAST_STATES = 30000, LAST_WORK = 10000000 };

typedef struct search {
    const dv_problem *problem;
    const dv_solve_options *options;
    dv_frontier_settings settings;
    dv_plan *plan;  /* best so far */
    dv_plan *given; /* best so far in the given order */
    dv_plan *trial, *other;
    double given_bound_us, any_bound_us;
    char given_by[64], any_by[64];
} search;

static bool meets(const search *s, double cost_us, double bound_us)
{
    return isfinite(cost_us) && cost_us - bound_us <= s->options->tolerance * cost_us;
}

static bool out_of_time(const search *s)
{
    return dv_progress_must_end(s->options->progress, s->settings.deadline_s);
}

/* The integer program on the time that is left. */
static dv_status run_ilp(const search *s, dv_plan *plan, dv_outcome *outcome)
{
    const dv_strategy *ilp = dv_strategy_find("ilp");
    dv_solve_options options = *s->options;
    options.deadline_s = fmax(0.0, s->settings.deadline_s - dv_progress_now_s(options.progress));
    dv_param_value values[8] = {{0}};
    for (size_t i = 0; ilp->params[i].name && i < 8; i++)
        DV_TRY(dv_param_preset(&ilp->params[i], &values[i]));
    return ilp->solve(s->problem, &options, values, plan, outcome);
}

/* Best plan and bound for the given order. */
static dv_status solve_given(search *s)
{
    DV_TRY(dv_frontier_improve(s->problem, &s->settings, s->trial, s->given, &s->given_bound_us));
    snprintf(s->given_by, sizeof s->given_by, "frontier: dynamic programming");
    if (meets(s, s->given->cost.total_us, s->given_bound_us) || out_of_time(s))
        return DV_OK;
    dv_outcome outcome = DV_OUTCOME_NONE;
    DV_TRY(run_ilp(s, s->other, &outcome));
    if (outcome != DV_OUTCOME_OPTIMAL && outcome != DV_OUTCOME_FEASIBLE)
        return DV_OK;
    if (dv_evaluate(s->problem, s->other) && s->other->cost.total_us < s->given->cost.total_us)
        dv_plan_copy(s->given, s->other);
    if (s->other->bound_us > s->given_bound_us) {
        s->given_bound_us = s->other->bound_us;
        snprintf(s->given_by, sizeof s->given_by, "%s", s->other->proved_by);
    }
    return DV_OK;
}

/* One round: a better order for the plan's placement, then the best placement for that order.
 *better: it helped. */
static dv_status alternate(search *s, bool *better)
{
    double dispatch_us, bound_us;
    *better = false;
    dv_plan_copy(s->other, s->plan);
    DV_TRY(dv_order_closure(s->problem, s->plan->target, s->options->progress,
                            s->settings.deadline_s, s->other->order, &dispatch_us));
    if (!dv_evaluate(s->problem, s->other) ||
        s->other->cost.total_us >= s->plan->cost.total_us * (1.0 - 1e-12))
        return DV_OK;
    dv_frontier_settings settings = s->settings;
    dv_outcome found = DV_OUTCOME_FEASIBLE;
    settings.state_limit = dv_limits_bind(s->problem) ? LIMITED_ROUND_STATES : ROUND_STATES;
    DV_TRY(dv_frontier_solve(s->problem, &settings, s->options->tolerance, s->trial, s->other,
                             &found, &bound_us, NULL));
    dv_plan_copy(s->plan, s->other);
    dv_progress_incumbent(s->options->progress, s->plan->cost.total_us);
    *better = true;
    return DV_OK;
}

/* Partitions merged as ExecuTorch merges them are another start for the search of orders, and
   nobody should find them better than the default. */
static dv_status try_merged_chain(search *s)
{
    dv_plan *merged = NULL;
    dv_outcome outcome;
    dv_progress silent;
    dv_solve_options options = dv_solve_options_within(s->options, s->settings.deadline_s, &silent);
    DV_TRY(dv_solve(s->problem, "chain:partitions=merged", &options, &merged, &outcome));
    if (merged && merged->cost.total_us < s->plan->cost.total_us) {
        dv_plan_copy(s->plan, merged);
        dv_progress_incumbent(s->options->progress, s->plan->cost.total_us);
    }
    dv_plan_destroy(merged);
    return DV_OK;
}

/* What no plan can save: says something even where there is no time for anything else. */
static dv_status bound_by_least_times(search *s)
{
    dv_labels labels;
    DV_TRY(dv_labels_create(s->problem, &labels));
    s->any_bound_us = dv_labels_floor_us(s->problem, &labels);
    dv_labels_free(&labels);
    snprintf(s->any_by, sizeof s->any_by, "auto: least times");
    return DV_OK;
}

static dv_status bound_any_order(search *s)
{
    double bound_us;
    dv_frontier_settings settings = s->settings;
    settings.work_limit = fmax(PATH_WORK, (double)PATH_WORK_A_UNIT * s->problem->unit_count);
    DV_TRY(dv_frontier_path_bound(s->problem, &settings, s->plan, &bound_us));
    if (bound_us > s->any_bound_us) {
        s->any_bound_us = bound_us;
        snprintf(s->any_by, sizeof s->any_by, "auto: path bound");
    }
    return DV_OK;
}

static size_t ideal_work(const dv_problem *problem)
{
    size_t work = (size_t)problem->unit_count * IDEAL_WORK_A_UNIT;
    return work > IDEAL_WORK ? work : IDEAL_WORK;
}

/* Placement and order together. */
static dv_status search_ideals(search *s, uint32_t states, size_t work)
{
    dv_ideal_settings settings = {.state_limit = states,
                                  .whole = true,
                                  .work_limit = work,
                                  .memory_limit = s->options->memory_bytes,
                                  .deadline_s = s->settings.deadline_s,
                                  .progress = s->options->progress};
    double bound_us = s->any_bound_us;
    DV_TRY(dv_ideal_improve(s->problem, &settings, s->trial, s->plan, &bound_us));
    if (bound_us > s->any_bound_us) {
        s->any_bound_us = bound_us;
        snprintf(s->any_by, sizeof s->any_by, "ideal: dynamic programming");
    }
    return DV_OK;
}

static void claim(search *s, dv_outcome *outcome)
{
    dv_plan *plan = s->plan;
    bool same_order =
        memcmp(plan->order, s->given->order, s->problem->unit_count * sizeof *plan->order) == 0;
    const char *scope = "any order", *by = s->any_by;
    plan->bound_us = s->any_bound_us;
    if (!meets(s, plan->cost.total_us, plan->bound_us) && same_order &&
        s->given_bound_us > plan->bound_us) {
        plan->bound_us = s->given_bound_us;
        scope = "given order";
        by = s->given_by;
    }
    snprintf(plan->proof_scope, sizeof plan->proof_scope, "%s", scope);
    snprintf(plan->proved_by, sizeof plan->proved_by, "%s", by);
    dv_progress_bound(s->options->progress, plan->bound_us);
    *outcome =
        meets(s, plan->cost.total_us, plan->bound_us) ? DV_OUTCOME_OPTIMAL : DV_OUTCOME_FEASIBLE;
}

/* Has the graph another topological order than the given one? */
static bool order_is_open(const dv_problem *problem)
{
    for (dv_unit_id u = 0; u + 1 < problem->unit_count; u++) {
        bool follows = false;
        for (uint32_t i = problem->next_start[u]; i < problem->next_start[u + 1]; i++)
            follows = follows || problem->next[i] == u + 1;
        if (!follows)
            return true;
    }
    return false;
}

/* The integer program without an order; where that is large, the whole search over ideals first. */
static dv_status run_without_order(search *s, dv_outcome *outcome)
{
    const char *by = s->any_by;
    if (!dv_path_stage_is_quick(s->problem) && s->problem->unit_count <= LAST_UNITS) {
        DV_TRY(search_ideals(s, LAST_STATES, LAST_WORK));
        if (isfinite(s->plan->cost.total_us))
            *outcome = DV_OUTCOME_FEASIBLE;
        if (meets(s, s->plan->cost.total_us, s->any_bound_us) || out_of_time(s))
            return DV_OK;
    }
    DV_TRY(dv_path_stage(s->problem, s->options, s->settings.deadline_s, s->trial, s->plan, outcome,
                         &s->any_bound_us, &by));
    if (by != s->any_by)
        snprintf(s->any_by, sizeof s->any_by, "%s", by);
    return DV_OK;
}

/* The given order where limits bind: prices and states, then for problems of no great size the
   integer program. */
static dv_status solve_given_limited(search *s, dv_outcome *outcome)
{
    dv_limited_settings limited = {.state_limit = LIMITED_STATES,
                                   .deadline_s = s->settings.deadline_s,
                                   .tolerance = s->options->tolerance,
                                   .any_order = true,
                                   .progress = s->options->progress};
    dv_limited_result result;
    DV_TRY(dv_limited_improve(s->problem, &limited, s->trial, s->given, outcome, &result));
    s->given_bound_us = result.given_bound_us;
    s->any_bound_us = result.any_bound_us;
    snprintf(s->given_by, sizeof s->given_by, "frontier: %s",
             result.exact ? "dynamic programming" : "Lagrangian bound");
    snprintf(s->any_by, sizeof s->any_by, "auto: Lagrangian path bound");
    bool found = *outcome == DV_OUTCOME_FEASIBLE;
    size_t labels = (size_t)s->problem->unit_count * s->problem->target_count;
    if (*outcome == DV_OUTCOME_INFEASIBLE || out_of_time(s) || (found && labels > ILP_LABELS) ||
        (found && meets(s, s->given->cost.total_us, s->given_bound_us)))
        return DV_OK;
    dv_outcome other = DV_OUTCOME_NONE;
    DV_TRY(run_ilp(s, s->other, &other));
    if (other == DV_OUTCOME_INFEASIBLE)
        *outcome = other;
    if (other != DV_OUTCOME_OPTIMAL && other != DV_OUTCOME_FEASIBLE)
        return DV_OK;
    if (!found || s->other->cost.total_us < s->given->cost.total_us)
        dv_plan_copy(s->given, s->other);
    *outcome = DV_OUTCOME_FEASIBLE;
    if (s->other->bound_us > s->given_bound_us) {
        s->given_bound_us = s->other->bound_us;
        snprintf(s->given_by, sizeof s->given_by, "%s", s->other->proved_by);
    }
    return DV_OK;
}

/* Other orders where limits bind: merged partitions, the closure order of the plan, ideals, the
   integer program without an order. */
static dv_status search_orders_limited(search *s, dv_outcome *outcome)
{
    bool better = true;
    DV_TRY(try_merged_chain(s));
    for (int round = 0;
         better && round < ROUNDS && !out_of_time(s) && isfinite(s->plan->cost.total_us) &&
         !meets(s, s->plan->cost.total_us, s->any_bound_us);
         round++)
        DV_TRY(alternate(s, &better));
    if (!meets(s, s->plan->cost.total_us, s->any_bound_us) && !out_of_time(s))
        DV_TRY(search_ideals(s, IDEAL_STATES, ideal_work(s->problem)));
    *outcome = isfinite(s->plan->cost.total_us) ? DV_OUTCOME_FEASIBLE
               : s->any_bound_us == INFINITY    ? DV_OUTCOME_INFEASIBLE
                                                : DV_OUTCOME_NONE;
    if (*outcome != DV_OUTCOME_INFEASIBLE && !out_of_time(s) &&
        !meets(s, s->plan->cost.total_us, s->any_bound_us))
        DV_TRY(run_without_order(s, outcome));
    return DV_OK;
}

/* Where limits bind. */
static dv_status run_limited(search *s, bool free_order, dv_outcome *outcome)
{
    /* Only the number of segments depends on the order; another one might need fewer. */
    bool open = free_order && order_is_open(s->problem);
    bool other_may_do = open && s->problem->max_segments > 1 && dv_limit_segments_binds(s->problem);
    DV_TRY(solve_given_limited(s, outcome));
    if (*outcome != DV_OUTCOME_FEASIBLE) {
        s->given->cost.total_us = INFINITY;
        if (!other_may_do)
            return DV_OK;
        dv_progress_log(s->options->progress, "auto: the limits cannot be met in the given order");
    }
    dv_plan_copy(s->plan, s->given);
    if (open && !meets(s, s->plan->cost.total_us, s->any_bound_us))
        DV_TRY(search_orders_limited(s, outcome));
    if (*outcome == DV_OUTCOME_FEASIBLE)
        claim(s, outcome);
    return DV_OK;
}

static dv_status run(search *s, bool free_order, dv_outcome *outcome)
{
    dv_solve_options quiet = *s->options;
    DV_TRY(dv_incumbent_baselines(s->problem, &quiet, s->trial, s->given, outcome));
    DV_TRY(bound_by_least_times(s));
    if (!dv_frontier_holds(s->problem))
        return run_ilp(s, s->plan, outcome);
    if (*outcome == DV_OUTCOME_NONE || dv_limits_bind(s->problem))
        return run_limited(s, free_order, outcome);
    if (!out_of_time(s))
        DV_TRY(solve_given(s));
    dv_plan_copy(s->plan, s->given);
    if (!out_of_time(s))
        DV_TRY(bound_any_order(s));
    bool better = free_order && !meets(s, s->plan->cost.total_us, s->any_bound_us);
    if (better && !out_of_time(s))
        DV_TRY(try_merged_chain(s));
    bool large = s->problem->unit_count > LARGE;
    for (int round = 0; better && round < (large ? ROUNDS_OF_LARGE : ROUNDS) && !out_of_time(s) &&
                        !meets(s, s->plan->cost.total_us, s->any_bound_us);
         round++)
        DV_TRY(alternate(s, &better));
    if (!meets(s, s->plan->cost.total_us, s->any_bound_us) &&
        s->plan->cost.total_us < s->given->cost.total_us && !large && !out_of_time(s))
        DV_TRY(bound_any_order(s)); /* another placement has another dearest path */
    if (free_order && !meets(s, s->plan->cost.total_us, s->any_bound_us) && !out_of_time(s))
        DV_TRY(search_ideals(s, IDEAL_STATES, ideal_work(s->problem)));
    if (free_order && !meets(s, s->plan->cost.total_us, s->any_bound_us) && !out_of_time(s))
        DV_TRY(run_without_order(s, outcome));
    claim(s, outcome);
    return DV_OK;
}

static dv_status solve(const dv_problem *problem, const dv_solve_options *options,
                       const dv_param_value *values, dv_plan *plan, dv_outcome *outcome)
{
    if (options->objective == DV_OBJECTIVE_THROUGHPUT) {
        dv_throughput_settings settings = {
            .splits = values[SPLIT].number > 0.0 ? DV_SPLITS_ANY : DV_SPLITS_CONTIGUOUS,
            .ideal_limit = IDEALS};
        return dv_throughput_solve(problem, options, &settings, plan, outcome);
    }
    if (options->objective == DV_OBJECTIVE_MAKESPAN)
        return dv_overlap_solve(problem, options, plan, outcome);
    search s = {.problem = problem,
                .options = options,
                .settings = {.state_limit = STATE_LIMIT,
                             .deadline_s = dv_solve_deadline_s(options),
                             .memory_limit = options->memory_bytes,
                             .progress = options->progress},
                .plan = plan,
                .given_bound_us = -INFINITY,
                .any_bound_us = -INFINITY};
    dv_status status = dv_plan_create(problem, &s.given);
    if (status == DV_OK)
        status = dv_plan_create(problem, &s.trial);
    if (status == DV_OK)
        status = dv_plan_create(problem, &s.other);
    if (status == DV_OK)
        status = run(&s, values[ORDER].number == 0.0, outcome);
    dv_plan_destroy(s.given);
    dv_plan_destroy(s.trial);
    dv_plan_destroy(s.other);
    return status;
}

const dv_strategy dv_strategy_auto = {
    .name = "auto",
    .summary = "exact methods in turn, placement and order; says what was proven",
    .objectives = DV_OBJECTIVE_LATENCY | DV_OBJECTIVE_THROUGHPUT | DV_OBJECTIVE_MAKESPAN,
    .params = params,
    .solve = solve,
};
