/* overlap.c - first plans, then a search, then proofs, each for as long as it is needed.

   No plan is worse than any baseline's, because every baseline is asked, with the same seed, and so
   is the strategy for the latency: a makespan is never longer than the latency of the same plan. */
#include "solver/overlap.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "solver/evaluate.h"
#include "solver/list_schedule.h"
#include "solver/overlap_bound.h"
#include "solver/overlap_exact.h"
#include "solver/overlap_search.h"
#include "solver/place.h"
#include "solver/subgraphs.h"

/* Work that is the same on every machine. */
enum { FIRST_NODES = 20000, NODES = 300000, COLUMNS = 8000, WALKS = 3, LISTED_UNITS = 4000 };
static const double WALK_WORK = 2e7, MOST_STEPS = 60000.0, LEAST_STEPS = 1000.0;

typedef struct search {
    const dv_problem *problem;
    const dv_solve_options *options;
    double end_s; /* on dv_clock_s */
    dv_plan *plan, *trial;
    dv_outcome *outcome;
    dv_overlap_bound bound;
    dv_subgraphs_path path;
    double bound_us;
    const char *by;
} search;

static bool out_of_time(const search *s)
{
    return dv_progress_stopped(s->options->progress) || dv_clock_s() >= s->end_s;
}

static bool found(const search *s)
{
    return *s->outcome == DV_OUTCOME_FEASIBLE;
}

static bool meets(const search *s)
{
    double value = s->plan->makespan_us;
    return found(s) && value - s->bound_us <= s->options->tolerance * value;
}

static void keep_bound(search *s, double bound_us, const char *by)
{
    if (!(bound_us > s->bound_us))
        return;
    s->bound_us = bound_us;
    s->by = by;
    dv_progress_bound(s->options->progress, bound_us);
}

/* Trial, and trial with its segments gathered. */
static dv_status offer(search *s)
{
    if (!dv_evaluate(s->problem, s->trial)) /* then its order may be none at all */
        return DV_OK;
    dv_place_keep_better(s->problem, s->options->progress, s->trial, s->plan, s->outcome);
    DV_TRY(dv_overlap_gather(s->problem, s->trial->target, s->trial->order));
    dv_place_keep_better(s->problem, s->options->progress, s->trial, s->plan, s->outcome);
    return DV_OK;
}

static dv_status try_strategy(search *s, const dv_strategy *strategy, dv_objective objective,
                              double deadline_s)
{
    dv_solve_options quiet = *s->options;
    dv_param_value values[16] = {{0}};
    dv_outcome outcome = DV_OUTCOME_NONE;
    dv_plan *plan = NULL;
    quiet.progress = NULL;
    quiet.objective = objective;
    quiet.deadline_s = deadline_s;
    for (size_t i = 0; strategy->params && strategy->params[i].name && i < 16; i++)
        DV_TRY(dv_param_preset(&strategy->params[i], &values[i]));
    DV_TRY(dv_plan_create(s->problem, &plan));
    if (objective == DV_OBJECTIVE_MAKESPAN)
        plan->makespan_us = INFINITY;
    dv_status status = strategy->solve(s->problem, &quiet, values, plan, &outcome);
    if (status == DV_BAD_PARAMETER) /* it does not serve this problem */
        status = DV_OK;
    else if (status == DV_OK && (outcome == DV_OUTCOME_OPTIMAL || outcome == DV_OUTCOME_FEASIBLE)) {
        memcpy(s->trial->target, plan->target, s->problem->unit_count * sizeof *plan->target);
        memcpy(s->trial->order, plan->order, s->problem->unit_count * sizeof *plan->order);
        status = offer(s);
    } else if (outcome == DV_OUTCOME_INFEASIBLE && s->problem->max_segments == UINT32_MAX) {
        *s->outcome = DV_OUTCOME_INFEASIBLE; /* of limits that no order changes */
    }
    dv_plan_destroy(plan);
    return status;
}

/* Those that search, or draw lots, cost more than they give to a problem that can be solved. */
static bool is_slow(const dv_strategy *strategy)
{
    return strcmp(strategy->name, "anneal") == 0 || strcmp(strategy->name, "random") == 0 ||
           strcmp(strategy->name, "metis") == 0;
}

static dv_status try_baselines(search *s, bool slow)
{
    const dv_strategy *strategy;
    for (size_t i = 0; (strategy = dv_strategy_at(i)); i++) {
        if (found(s) && out_of_time(s))
            return DV_OK;
        if ((strategy->objectives & DV_OBJECTIVE_MAKESPAN) && dv_strategy_needs_nothing(strategy) &&
            strcmp(strategy->name, "auto") != 0 && is_slow(strategy) == slow)
            DV_TRY(try_strategy(s, strategy, DV_OBJECTIVE_MAKESPAN,
                                fmax(0.0, s->end_s - dv_clock_s())));
    }
    return DV_OK;
}

/* The best plan for one thing after another, on a third of the time at most. */
static dv_status try_latency(search *s)
{
    double left_s = s->end_s - dv_clock_s();
    return try_strategy(s, dv_strategy_find("auto"), DV_OBJECTIVE_LATENCY,
                        found(s) ? left_s / 3 : left_s);
}

/* Units by their least tail: what has the longest way to go comes first; with and without the tail
   ahead in the choice of the target. */
static dv_status try_lists(search *s)
{
    const dv_problem *p = s->problem;
    double *least = calloc((size_t)p->unit_count + 1, sizeof *least);
    if (!least)
        return dv_fail(DV_NO_MEMORY, "makespan: out of memory");
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        least[u] = INFINITY;
        for (dv_target_id a = 0; a < p->target_count; a++)
            if (dv_problem_allows(p, u, a))
                least[u] = fmin(least[u], dv_problem_time_us(p, u, a) +
                                              s->bound.tail_us[(size_t)u * p->target_count + a]);
    }
    dv_status status = DV_OK;
    for (int ahead = 0; ahead < 2 && status == DV_OK && p->unit_count <= LISTED_UNITS; ahead++) {
        bool ended = false;
        status = dv_list_schedule(p, least, ahead ? s->bound.tail_us : NULL, s->options->progress,
                                  s->end_s, s->trial, &ended);
        if (status == DV_OK && !ended)
            status = offer(s);
    }
    free(least);
    return status;
}

static dv_status walk(search *s)
{
    const dv_problem *p = s->problem;
    double size = p->unit_count + (double)p->tensor_count * p->target_count +
                  p->consumer_start[p->tensor_count];
    double steps = fmin(MOST_STEPS, fmax(LEAST_STEPS, WALK_WORK / (size + 1)));
    for (uint64_t i = 0; i < WALKS && !out_of_time(s) && !meets(s); i++) {
        dv_solve_options options = *s->options;
        options.seed = s->options->seed + i;
        options.deadline_s = s->end_s - dv_clock_s();
        DV_TRY(dv_overlap_anneal(p, &options, steps, s->plan));
        dv_plan_copy(s->trial, s->plan);
        DV_TRY(offer(s));
    }
    return DV_OK;
}

/* Bounds of schedules shorter than the plan: where there are none, the plan is as short as any. */
static dv_status tighten(search *s)
{
    double upper_us = s->plan->makespan_us;
    if (!dv_overlap_bound_tighten(&s->bound, upper_us)) {
        keep_bound(s, upper_us, "chains: heads and tails");
        return DV_OK;
    }
    keep_bound(s, fmin(upper_us, s->bound.path_us), "chains: heads and tails");
    keep_bound(s, fmin(upper_us, s->bound.device_us), "work spread evenly");
    return DV_OK;
}

static dv_status prove_small(search *s, uint32_t nodes)
{
    bool finished = false;
    DV_TRY(tighten(s));
    if (meets(s))
        return DV_OK;
    DV_TRY(dv_overlap_exact(s->problem, &s->bound, nodes, s->end_s, s->options->progress, s->plan,
                            &finished));
    if (finished)
        keep_bound(s, s->plan->makespan_us, "branch and bound");
    return DV_OK;
}

static dv_status relax(search *s)
{
    double relaxed_us;
    DV_TRY(dv_overlap_relax(&s->bound, s->plan->makespan_us, COLUMNS, s->end_s,
                            s->options->progress, &relaxed_us));
    keep_bound(s, fmin(s->plan->makespan_us, relaxed_us), "relaxation of chains and loads");
    return DV_OK;
}

/* Accelerators that run whole subgraphs: other rules, another search, another bound. */
static dv_status run_subgraphs(search *s)
{
    enum { IDEALS = 3000, ORDERS = 150 };
    dv_subgraphs_result result;
    if (!dv_subgraphs_serve(s->problem))
        return dv_fail(
            DV_BAD_PARAMETER,
            "makespan of subgraphs needs one target a device, accelerators that are all "
            "alike and not pinned to, no limits but capacities, and no training step: "
            "ask for --objective throughput, or take \"subgraphs_per_device\" out of the "
            "problem (--write-problem writes it)");
    DV_TRY(dv_subgraphs_path_find(s->problem, &s->path));
    keep_bound(s, s->path.rest_us[0] * (1 - 1e-12), "paths shared out under memory");
    DV_TRY(try_baselines(s, false));
    DV_TRY(dv_subgraphs_search(s->problem, IDEALS, ORDERS, s->options->seed, s->end_s,
                               found(s) ? s->plan->makespan_us : INFINITY, &s->path,
                               s->trial->target, s->trial->order, &result));
    if (isfinite(result.makespan_us))
        dv_place_keep_better(s->problem, s->options->progress, s->trial, s->plan, s->outcome);
    if (s->problem->subgraphs_per_device == 1)
        keep_bound(s, result.bound_us, "ideals: dynamic programming");
    if (!meets(s) && !out_of_time(s))
        DV_TRY(try_baselines(s, true));
    return DV_OK;
}

static dv_status run_overlapped(search *s)
{
    DV_TRY(dv_overlap_bound_create(s->problem, &s->bound));
    keep_bound(s, s->bound.path_us, "chains: heads and tails");
    keep_bound(s, s->bound.device_us, "work spread evenly");
    DV_TRY(try_baselines(s, false));
    if (!meets(s) && !out_of_time(s))
        DV_TRY(try_lists(s));
    if (found(s) && !meets(s) && !out_of_time(s))
        DV_TRY(prove_small(s, FIRST_NODES));
    if (!meets(s))
        DV_TRY(try_baselines(s, true));
    if (!meets(s) && !(found(s) && out_of_time(s)))
        DV_TRY(try_latency(s));
    if (!found(s))
        return DV_OK;
    DV_TRY(walk(s));
    if (!meets(s) && !out_of_time(s))
        DV_TRY(prove_small(s, NODES));
    if (!meets(s) && !out_of_time(s))
        DV_TRY(relax(s));
    return DV_OK;
}

static dv_status run(search *s)
{
    DV_TRY(dv_plan_create(s->problem, &s->trial));
    DV_TRY(s->problem->subgraphs_per_device ? run_subgraphs(s) : run_overlapped(s));
    if (!found(s))
        return DV_OK;
    s->plan->bound_us = s->bound_us;
    snprintf(s->plan->proved_by, sizeof s->plan->proved_by, "%s", s->by);
    snprintf(s->plan->proof_scope, sizeof s->plan->proof_scope, "any order");
    *s->outcome = meets(s) ? DV_OUTCOME_OPTIMAL : DV_OUTCOME_FEASIBLE;
    return DV_OK;
}

dv_status dv_overlap_solve(const dv_problem *problem, const dv_solve_options *options,
                           dv_plan *plan, dv_outcome *outcome)
{
    search s = {.problem = problem,
                .options = options,
                .end_s = dv_clock_s() + options->deadline_s,
                .plan = plan,
                .outcome = outcome,
                .bound_us = -INFINITY,
                .by = ""};
    *outcome = DV_OUTCOME_NONE;
    dv_status status = run(&s);
    dv_plan_destroy(s.trial);
    dv_overlap_bound_free(&s.bound);
    dv_subgraphs_path_free(&s.path);
    return status;
}
