/* throughput.c - contiguous splits first, then any; says which were proven. */
#include "solver/throughput.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "solver/contiguous.h"
#include "solver/contract.h"
#include "solver/evaluate.h"
#include "solver/labels.h"
#include "solver/load_bound.h"
#include "solver/load_ilp.h"
#include "solver/load_search.h"
#include "solver/order.h"
#include "solver/place.h"
#include "solver/split.h"

/* Each a second or so, and the same result on every machine. */
enum { ANNEAL_ROUNDS = 4, ANNEAL_STEPS = 150000, BOUND_ROUNDS = 8, BOUND_WORK = 10000000 };
enum { ILP_SIZE = 5000, ILP_NODES = 60 };

typedef struct search {
    const dv_problem *problem;
    const dv_solve_options *options;
    const dv_throughput_settings *settings;
    double deadline_s; /* on dv_clock_s */
    dv_plan *plan, *trial;
    double load_us;       /* of plan; INFINITY: none yet */
    double contiguous_us; /* no contiguous split has less */
    double any_us;        /* no split has less */
    bool infeasible;      /* proven */
    const char *any_by;   /* the method behind it */
} search;

static bool out_of_time(const search *s)
{
    return dv_progress_stopped(s->options->progress) || dv_clock_s() >= s->deadline_s;
}

static bool meets(const search *s, double bound_us)
{
    return s->load_us - bound_us <= s->options->tolerance * s->load_us;
}

static void prove_any(search *s, double bound_us, const char *method)
{
    bound_us = fmin(bound_us, s->load_us);
    if (bound_us <= s->any_us)
        return;
    if (bound_us > s->any_us * (1.0 + 1e-8)) /* else it is the former bound, but for rounding */
        s->any_by = method;
    s->any_us = bound_us;
    s->contiguous_us = fmax(s->contiguous_us, bound_us);
    dv_progress_bound(s->options->progress, bound_us);
}

static dv_status anneal(search *s)
{
    uint32_t units = s->problem->unit_count;
    uint32_t steps = units < ANNEAL_STEPS / 2000 ? 2000 * units : ANNEAL_STEPS;
    dv_load_search_settings settings = {.rounds = ANNEAL_ROUNDS,
                                        .steps = steps,
                                        .seed = s->options->seed,
                                        .deadline_s = s->deadline_s,
                                        .progress = s->options->progress};
    return dv_load_search_run(s->problem, &settings, s->trial, s->plan, &s->load_us);
}

/* A split of the pieces becomes a plan, each unit on the fastest target, kept if it is better. */
static dv_status take(search *s, const dv_contraction *contraction, const dv_target_id *device)
{
    double dispatch_us;
    for (dv_unit_id u = 0; u < s->problem->unit_count; u++)
        s->trial->target[u] = dv_place_fastest(s->problem, u, device[contraction->piece[u]]);
    DV_TRY(dv_order_closure(s->problem, s->trial->target, s->options->progress, INFINITY,
                            s->trial->order, &dispatch_us));
    if (!dv_evaluate(s->problem, s->trial))
        return DV_OK;
    double load_us = dv_evaluate_load_us(s->problem, s->trial);
    if (load_us >= s->load_us)
        return DV_OK;
    s->load_us = load_us;
    dv_plan_copy(s->plan, s->trial);
    dv_progress_incumbent(s->options->progress, load_us);
    return DV_OK;
}

/* Without a plan the program may look for any: no load is above all work on the slowest. */
static double upper(const search *s, const dv_problem *pieces)
{
    if (isfinite(s->load_us))
        return s->load_us;
    double sum = 0.0;
    for (dv_device_id d = 0; d < pieces->device_count; d++) {
        sum += pieces->dispatch_us[d] + pieces->session_us[d];
        for (dv_unit_id u = 0; u < pieces->unit_count; u++)
            sum +=
                isfinite(dv_problem_time_us(pieces, u, d)) ? dv_problem_time_us(pieces, u, d) : 0;
        for (uint32_t t = 0; t < pieces->tensor_count; t++)
            sum += dv_load_in_us(pieces, t, d) + dv_load_out_us(pieces, t, d);
    }
    return sum + 1.0;
}

static dv_status run_ilp(search *s, const dv_contraction *contraction)
{
    const dv_problem *pieces = contraction->pieces;
    bool whole = s->settings->splits == DV_SPLITS_ANY_PROVEN, found, exact;
    dv_load_ilp_settings settings = {.upper_us = upper(s, pieces),
                                     .floor_us = fmax(0.0, s->any_us),
                                     .size_limit = whole ? 0 : ILP_SIZE,
                                     .node_limit = whole ? 0 : ILP_NODES,
                                     .deadline_s = s->deadline_s,
                                     .tolerance = s->options->tolerance,
                                     .progress = s->options->progress};
    double bound_us, before_us = s->load_us;
    dv_target_id *device = calloc((size_t)pieces->unit_count + 1, sizeof *device);
    if (!device)
        return dv_fail(DV_NO_MEMORY, "throughput: out of memory");
    dv_status status = dv_load_ilp_run(pieces, &settings, device, &found, &exact, &bound_us);
    if (status == DV_OK && found)
        status = take(s, contraction, device);
    free(device);
    DV_TRY(status);
    s->infeasible = exact && !found && isinf(before_us);
    /* What GLPK's tolerances leave between its value and that of the split is no gap. */
    if (exact && isfinite(s->load_us) && s->load_us - bound_us <= 1e-7 * s->load_us)
        bound_us = s->load_us;
    if (!s->infeasible)
        prove_any(s, bound_us, "ilp: branch and bound");
    return DV_OK;
}

static dv_status bound(search *s, const dv_problem *pieces)
{
    dv_load_bound_settings settings = {.upper_us = s->load_us,
                                       .rounds = BOUND_ROUNDS,
                                       .work_limit = BOUND_WORK,
                                       .deadline_s = s->deadline_s,
                                       .progress = s->options->progress};
    double bound_us;
    DV_TRY(dv_load_bound_run(pieces, &settings, &bound_us));
    prove_any(s, bound_us, "weights: dynamic programming");
    return DV_OK;
}

static dv_status search_any(search *s, const dv_contraction *contraction)
{
    const dv_problem *pieces = contraction->pieces;
    prove_any(s, dv_split_floor_us(pieces), "work spread evenly");
    if (s->settings->splits == DV_SPLITS_CONTIGUOUS || meets(s, s->any_us) || out_of_time(s))
        return DV_OK;
    if (isfinite(s->load_us)) {
        DV_TRY(anneal(s));
        if (!meets(s, s->any_us) && !out_of_time(s))
            DV_TRY(bound(s, pieces));
    }
    if (!meets(s, s->any_us) && !out_of_time(s))
        DV_TRY(run_ilp(s, contraction));
    return DV_OK;
}

/* What is said of the plan: that no split is better, or no contiguous one if that is proven and no
   other was found; else how far the bound of all splits is. */
static void claim(search *s, dv_outcome *outcome)
{
    dv_plan *plan = s->plan;
    bool any = meets(s, s->any_us);
    bool only = s->settings->splits == DV_SPLITS_CONTIGUOUS;
    bool better = s->contiguous_us > s->any_us * (1.0 + 1e-12);
    bool below = s->load_us < s->contiguous_us * (1.0 - 1e-9);
    bool narrow = !any && !below && better && (only || meets(s, s->contiguous_us));
    plan->bound_us = fmin(narrow ? s->contiguous_us : s->any_us, s->load_us);
    snprintf(plan->proof_scope, sizeof plan->proof_scope, "%s",
             narrow ? "contiguous splits" : "any split");
    snprintf(plan->proved_by, sizeof plan->proved_by, "%s",
             narrow ? "ideal: dynamic programming" : s->any_by);
    *outcome = meets(s, plan->bound_us) ? DV_OUTCOME_OPTIMAL : DV_OUTCOME_FEASIBLE;
    dv_progress_bound(s->options->progress, plan->bound_us);
}

static dv_status run(search *s, dv_outcome *outcome)
{
    const dv_problem *p = s->problem;
    if (dv_limit_energy_binds(p) || dv_limit_loss_binds(p))
        return dv_fail(DV_BAD_PARAMETER,
                       "throughput: budgets of energy and of loss are not served; leave them out");
    dv_contiguous_settings settings = {.ideal_limit = s->settings->ideal_limit,
                                       .deadline_s = s->deadline_s,
                                       .progress = s->options->progress};
    if (dv_contiguous_serves(p))
        DV_TRY(dv_contiguous_run(p, &settings, s->trial, s->plan, &s->load_us, &s->contiguous_us));
    dv_contraction contraction;
    dv_status status = dv_contract(p, false, &contraction);
    if (status == DV_OK)
        status = search_any(s, &contraction);
    dv_contraction_free(&contraction);
    DV_TRY(status);
    if (isfinite(s->load_us))
        claim(s, outcome);
    else if (s->infeasible)
        *outcome = DV_OUTCOME_INFEASIBLE;
    return DV_OK;
}

dv_status dv_throughput_solve(const dv_problem *problem, const dv_solve_options *options,
                              const dv_throughput_settings *settings, dv_plan *plan,
                              dv_outcome *outcome)
{
    search s = {.problem = problem,
                .options = options,
                .settings = settings,
                .deadline_s = dv_clock_s() + options->deadline_s,
                .plan = plan,
                .load_us = INFINITY,
                .contiguous_us = -INFINITY,
                .any_us = -INFINITY};
    *outcome = DV_OUTCOME_NONE;
    DV_TRY(dv_plan_create(problem, &s.trial));
    dv_status status = run(&s, outcome);
    dv_plan_destroy(s.trial);
    return status;
}
