/* throughput.c - contiguous splits first, then any; says which were proven. */
#include "solver/throughput.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "solver/contiguous.h"
#include "solver/contract.h"
#include "solver/evaluate.h"
#include "solver/labels.h"
#include "solver/load_search.h"
#include "solver/split.h"

typedef struct search {
    const dv_problem *problem;
    const dv_solve_options *options;
    const dv_throughput_settings *settings;
    double deadline_s; /* on dv_clock_s */
    dv_plan *plan, *trial;
    double load_us;       /* of plan; INFINITY: none yet */
    double contiguous_us; /* no contiguous split has less */
    double any_us;        /* no split has less */
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
    s->any_us = bound_us;
    s->any_by = method;
    s->contiguous_us = fmax(s->contiguous_us, bound_us);
    dv_progress_bound(s->options->progress, bound_us);
}

static dv_status anneal(search *s, uint32_t rounds, uint32_t steps)
{
    dv_load_search_settings settings = {.rounds = rounds,
                                        .steps = steps,
                                        .seed = s->options->seed,
                                        .deadline_s = s->deadline_s,
                                        .progress = s->options->progress};
    return dv_load_search_run(s->problem, &settings, s->trial, s->plan, &s->load_us);
}

static dv_status search_any(search *s, const dv_problem *pieces)
{
    prove_any(s, dv_split_floor_us(pieces), "work spread evenly");
    if (s->settings->splits == DV_SPLITS_CONTIGUOUS || meets(s, s->any_us) || out_of_time(s) ||
        !isfinite(s->load_us))
        return DV_OK;
    return anneal(s, 4, 200000);
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
        status = search_any(s, contraction.pieces);
    dv_contraction_free(&contraction);
    DV_TRY(status);
    if (isfinite(s->load_us))
        claim(s, outcome);
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
