/* anneal.c - simulated annealing over placements.

   From the better of cheapest and everything on its fallback; a step moves one unit, or a run of
   neighbours in the order, to another target, and is taken if it does not cost more, else with
   probability exp(-more / temperature). The temperature falls geometrically from a twentieth to a
   hundred-thousandth of the first cost. Time is counted in steps, so that the same seed gives the
   same plan on any machine. For the makespan the order is walked over too (overlap_search.h).
   O(steps * (units + moves)). */
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "solver/evaluate.h"
#include "solver/groups.h"
#include "solver/overlap_search.h"
#include "solver/place.h"
#include "solver/strategy.h"

enum { STEPS };

static const dv_param params[] = {
    [STEPS] = {.name = "steps",
               .type = DV_PARAM_INTEGER,
               .summary = "moves that are tried",
               .preset = "20000",
               .low = 0,
               .high = 1e9},
    {0},
};

typedef struct walk {
    const dv_problem *problem;
    const dv_solve_options *options;
    dv_unit_groups groups;
    dv_rng rng;
    dv_plan *at, *trial; /* at: where the walk stands, evaluated */
} walk;

/* Both starts; the better legal one. False if neither meets the limits. */
static bool begin(walk *w, dv_plan *plan, dv_outcome *outcome)
{
    const dv_problem *p = w->problem;
    for (int start = 0; start < 2; start++) {
        for (dv_unit_id u = 0; u < p->unit_count; u++)
            w->trial->target[u] = start ? dv_place_fallback(p, u) : dv_place_fastest(p, u, DV_NONE);
        dv_place_join_groups(p, w->trial);
        dv_place_keep_better(p, w->options->progress, w->trial, plan, outcome);
    }
    if (*outcome == DV_OUTCOME_NONE)
        return false;
    dv_plan_copy(w->at, plan);
    return true;
}

static void move_unit(walk *w, dv_unit_id u, dv_target_id a)
{
    const dv_problem *p = w->problem;
    uint32_t g = w->groups.index[u];
    if (!dv_problem_allows(p, u, a))
        return;
    w->trial->target[u] = a;
    for (uint32_t i = g != UINT32_MAX ? w->groups.start[g] : 0;
         g != UINT32_MAX && i < w->groups.start[g + 1]; i++) {
        dv_unit_id v = w->groups.units[i];
        dv_target_id near;
        if (v != u && p->device[w->trial->target[v]] != p->device[a] &&
            (near = dv_place_fastest(p, v, p->device[a])) != DV_NONE)
            w->trial->target[v] = near;
    }
}

/* One unit, or a run of 2, 4, 8 ... of them. */
static void propose(walk *w)
{
    uint32_t n = w->problem->unit_count;
    memcpy(w->trial->target, w->at->target, n * sizeof *w->trial->target);
    uint32_t length = 1u << dv_rng_below(&w->rng, 6);
    uint32_t first = (uint32_t)dv_rng_below(&w->rng, n);
    dv_target_id a = (dv_target_id)dv_rng_below(&w->rng, w->problem->target_count);
    for (uint32_t k = first; k < n && k < first + length; k++)
        move_unit(w, w->at->order[k], a);
}

static void anneal(walk *w, double steps, dv_plan *plan, dv_outcome *outcome)
{
    double hot = plan->cost.total_us / 20.0, cold = plan->cost.total_us / 1e5;
    double deadline_s = dv_solve_deadline_s(w->options);
    for (double i = 0; i < steps; i++) {
        if (dv_progress_must_end(w->options->progress, deadline_s))
            return;
        double temperature = hot * pow(cold / hot, i / steps);
        propose(w);
        double chance = dv_rng_uniform(&w->rng);
        if (!dv_evaluate(w->problem, w->trial))
            continue;
        double more = w->trial->cost.total_us - w->at->cost.total_us;
        if (more > 0.0 && !(chance < exp(-more / temperature)))
            continue;
        memcpy(w->at->target, w->trial->target, w->problem->unit_count * sizeof *w->at->target);
        w->at->cost = w->trial->cost;
        dv_place_keep_better(w->problem, w->options->progress, w->trial, plan, outcome);
    }
}

static dv_status solve(const dv_problem *problem, const dv_solve_options *options,
                       const dv_param_value *values, dv_plan *plan, dv_outcome *outcome)
{
    *outcome = DV_OUTCOME_NONE;
    walk w = {.problem = problem, .options = options, .rng = dv_rng_seeded(options->seed)};
    dv_status status = dv_unit_groups_create(problem, &w.groups);
    if (status == DV_OK)
        status = dv_plan_create(problem, &w.at);
    if (status == DV_OK)
        status = dv_plan_create(problem, &w.trial);
    if (status == DV_OK && begin(&w, plan, outcome) && problem->unit_count > 0) {
        if (options->objective == DV_OBJECTIVE_MAKESPAN)
            status = dv_overlap_anneal(problem, options, values[STEPS].number, plan);
        else
            anneal(&w, values[STEPS].number, plan, outcome);
    }
    dv_unit_groups_free(&w.groups);
    dv_plan_destroy(w.at);
    dv_plan_destroy(w.trial);
    return status;
}

const dv_strategy dv_strategy_anneal = {
    .name = "anneal",
    .summary = "simulated annealing, seeded, a stated number of steps",
    .citation = "Kirkpatrick, Gelatt, Vecchi, Science 220, 1983",
    .objectives = DV_OBJECTIVE_LATENCY | DV_OBJECTIVE_MAKESPAN,
    .params = params,
    .solve = solve,
};
