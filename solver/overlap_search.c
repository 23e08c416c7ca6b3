/* overlap_search.c - annealing over placement and order. */
#include "solver/overlap_search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/rng.h"
#include "solver/evaluate.h"
#include "solver/makespan.h"
#include "solver/place.h"

typedef struct walk {
    const dv_problem *p;
    dv_rng rng;
    dv_makespan makespan;
    dv_plan *at, *trial;
    uint32_t *position; /* per unit, in at's order */
    double at_value;
    bool limited; /* a step may break a limit */
} walk;

static bool is_limited(const dv_problem *p)
{
    bool limited = p->max_segments != UINT32_MAX || isfinite(p->energy_budget_uj) ||
                   isfinite(p->loss_budget) || p->group;
    for (dv_device_id d = 0; d < p->device_count; d++)
        limited = limited || (p->memory_bytes && isfinite(p->capacity_bytes[d]));
    return limited;
}

/* Also sets the plan's makespan. */
static double value_of(walk *w, dv_plan *plan)
{
    const dv_problem *p = w->p;
    double sum = 0.0;
    plan->makespan_us = dv_makespan_us(&w->makespan, plan->target, plan->order);
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        sum += w->makespan.end_us[u];
    return plan->makespan_us + 0.01 * sum / p->unit_count;
}

static dv_target_id any_target(walk *w)
{
    return (dv_target_id)dv_rng_below(&w->rng, w->p->target_count);
}

static dv_unit_id any_unit(walk *w)
{
    return (dv_unit_id)dv_rng_below(&w->rng, w->p->unit_count);
}

static void put(walk *w, dv_unit_id u, dv_target_id a)
{
    const dv_problem *p = w->p;
    if (!dv_problem_allows(p, u, a))
        return;
    w->trial->target[u] = a;
    for (dv_unit_id v = 0; p->group && p->group[u] != DV_NONE && v < p->unit_count; v++) {
        dv_target_id near;
        if (v != u && p->group[v] == p->group[u] &&
            p->device[w->trial->target[v]] != p->device[a] &&
            (near = dv_place_fastest(p, v, p->device[a])) != DV_NONE)
            w->trial->target[v] = near;
    }
}

/* Places [first, last] of the order: unit u goes to one end of it, the others close up. */
static void shift(dv_unit_id *order, uint32_t from, uint32_t to)
{
    dv_unit_id u = order[from];
    if (from < to)
        memmove(order + from, order + from + 1, (to - from) * sizeof *order);
    else
        memmove(order + to + 1, order + to, (from - to) * sizeof *order);
    order[to] = u;
}

/* Where u may stand: behind all that it reads, before all that read it. */
static void window_of(const walk *w, dv_unit_id u, uint32_t *low, uint32_t *high)
{
    const dv_problem *p = w->p;
    *low = 0;
    *high = p->unit_count - 1;
    for (uint32_t i = p->previous_start[u]; i < p->previous_start[u + 1]; i++)
        if (w->position[p->previous[i]] + 1 > *low)
            *low = w->position[p->previous[i]] + 1;
    for (uint32_t i = p->next_start[u]; i < p->next_start[u + 1]; i++)
        if (w->position[p->next[i]] - 1 < *high)
            *high = w->position[p->next[i]] - 1;
}

static void move_in_order(walk *w, dv_unit_id u)
{
    uint32_t low, high;
    window_of(w, u, &low, &high);
    shift(w->trial->order, w->position[u], low + (uint32_t)dv_rng_below(&w->rng, high - low + 1));
}

/* Next to a unit of the device that it is on in trial, if one stands in its window. */
static void move_to_neighbour(walk *w, dv_unit_id u)
{
    uint32_t low, high;
    window_of(w, u, &low, &high);
    dv_device_id d = w->p->device[w->trial->target[u]];
    uint32_t first = low + (uint32_t)dv_rng_below(&w->rng, high - low + 1);
    for (uint32_t i = 0; i <= high - low; i++) {
        uint32_t k = low + (first - low + i) % (high - low + 1);
        dv_unit_id v = w->at->order[k];
        if (v == u || w->p->device[w->trial->target[v]] != d)
            continue;
        shift(w->trial->order, w->position[u], k);
        return;
    }
}

static void move_run(walk *w, dv_target_id a)
{
    uint32_t length = 1u << dv_rng_below(&w->rng, 6);
    uint32_t first = w->position[any_unit(w)];
    for (uint32_t k = first; k < w->p->unit_count && k < first + length; k++)
        put(w, w->at->order[k], a);
}

/* From a unit on along its only readers: a branch between two joins. */
static void move_chain(walk *w, dv_target_id a)
{
    const dv_problem *p = w->p;
    dv_unit_id u = any_unit(w);
    uint32_t most = 1 + (uint32_t)dv_rng_below(&w->rng, 32);
    for (uint32_t i = 0; i < most; i++) {
        put(w, u, a);
        if (p->next_start[u + 1] - p->next_start[u] != 1)
            return;
        dv_unit_id v = p->next[p->next_start[u]];
        if (p->previous_start[v + 1] - p->previous_start[v] != 1)
            return;
        u = v;
    }
}

static void propose(walk *w)
{
    uint32_t n = w->p->unit_count;
    memcpy(w->trial->target, w->at->target, n * sizeof *w->trial->target);
    memcpy(w->trial->order, w->at->order, n * sizeof *w->trial->order);
    dv_unit_id u = any_unit(w);
    dv_target_id a = any_target(w);
    switch (dv_rng_below(&w->rng, 6)) {
    case 0:
        put(w, u, a);
        break;
    case 1:
        put(w, u, a);
        move_to_neighbour(w, u);
        break;
    case 2:
        move_in_order(w, u);
        break;
    case 3:
        move_to_neighbour(w, u);
        break;
    case 4:
        move_run(w, a);
        break;
    default:
        move_chain(w, a);
        break;
    }
}

static void take(walk *w, double value)
{
    uint32_t n = w->p->unit_count;
    memcpy(w->at->target, w->trial->target, n * sizeof *w->at->target);
    memcpy(w->at->order, w->trial->order, n * sizeof *w->at->order);
    w->at->makespan_us = w->trial->makespan_us;
    w->at_value = value;
    for (uint32_t k = 0; k < n; k++)
        w->position[w->at->order[k]] = k;
}

/* Keeps trial, if it holds, as the best. */
static void keep_best(walk *w, const dv_solve_options *options, dv_plan *plan)
{
    if (w->trial->makespan_us >= plan->makespan_us || !dv_evaluate(w->p, w->trial))
        return;
    memcpy(plan->target, w->trial->target, w->p->unit_count * sizeof *plan->target);
    memcpy(plan->order, w->trial->order, w->p->unit_count * sizeof *plan->order);
    plan->cost = w->trial->cost;
    plan->makespan_us = w->trial->makespan_us;
    dv_progress_incumbent(options->progress, plan->makespan_us);
}

static void anneal(walk *w, const dv_solve_options *options, double steps, dv_plan *plan)
{
    double end_s = dv_clock_s() + options->deadline_s;
    dv_plan_copy(w->trial, plan);
    take(w, value_of(w, w->trial));
    double hot = w->at_value / 50.0, cold = w->at_value / 1e5;
    for (double i = 0; i < steps; i++) {
        if (dv_progress_stopped(options->progress) || dv_clock_s() >= end_s)
            return;
        double temperature = hot * pow(cold / hot, i / steps);
        propose(w);
        double chance = dv_rng_uniform(&w->rng);
        if (w->limited && !dv_evaluate(w->p, w->trial))
            continue;
        double value = value_of(w, w->trial), more = value - w->at_value;
        if (more > 0.0 && !(chance < exp(-more / temperature)))
            continue;
        take(w, value);
        keep_best(w, options, plan);
    }
}

dv_status dv_overlap_anneal(const dv_problem *problem, const dv_solve_options *options,
                            double steps, dv_plan *plan)
{
    walk w = {.p = problem,
              .rng = dv_rng_seeded(options->seed),
              .limited = is_limited(problem),
              .position = calloc((size_t)problem->unit_count + 1, sizeof *w.position)};
    dv_status status = dv_makespan_create(problem, &w.makespan);
    if (status == DV_OK)
        status = dv_plan_create(problem, &w.at);
    if (status == DV_OK)
        status = dv_plan_create(problem, &w.trial);
    if (status == DV_OK && !w.position)
        status = dv_fail(DV_NO_MEMORY, "makespan: out of memory");
    if (status == DV_OK && problem->unit_count > 0)
        anneal(&w, options, steps, plan);
    free(w.position);
    dv_plan_destroy(w.at);
    dv_plan_destroy(w.trial);
    dv_makespan_free(&w.makespan);
    return status;
}

/* Each device's turn, and how many producers of each unit are still to come. */
typedef struct turns {
    const dv_problem *p;
    const dv_target_id *target;
    dv_unit_id *line;   /* devices' units one device after another, in turn */
    uint32_t *at, *end; /* per device: into line */
    uint32_t *missing;  /* per unit */
} turns;

static bool may_run(const turns *t, dv_device_id d)
{
    return t->at[d] < t->end[d] && t->missing[t->line[t->at[d]]] == 0;
}

/* How many units device d could run now without leaving it. */
static uint32_t reach_of(const turns *t, dv_device_id d)
{
    const dv_problem *p = t->p;
    uint32_t count = 0;
    for (uint32_t k = t->at[d]; k < t->end[d]; k++, count++) {
        dv_unit_id u = t->line[k];
        uint32_t mine = 0;
        for (uint32_t i = p->previous_start[u]; i < p->previous_start[u + 1]; i++) {
            uint32_t j = t->at[d];
            while (j < k && t->line[j] != p->previous[i])
                j++;
            mine += j < k;
        }
        if (t->missing[u] > mine || count >= 64)
            break;
    }
    return count;
}

static void gather(turns *t, dv_unit_id *order)
{
    const dv_problem *p = t->p;
    dv_device_id d = DV_NONE;
    for (uint32_t k = 0; k < p->unit_count; k++) {
        if (d == DV_NONE || !may_run(t, d)) {
            uint32_t best = 0;
            for (dv_device_id e = 0; e < p->device_count; e++) {
                uint32_t reach = may_run(t, e) ? reach_of(t, e) : 0;
                if (reach > best) {
                    best = reach;
                    d = e;
                }
            }
        }
        dv_unit_id u = order[k] = t->line[t->at[d]++];
        for (uint32_t i = p->next_start[u]; i < p->next_start[u + 1]; i++)
            t->missing[p->next[i]]--;
    }
}

dv_status dv_overlap_gather(const dv_problem *problem, const dv_target_id *target,
                            dv_unit_id *order)
{
    size_t units = (size_t)problem->unit_count + 1, devices = (size_t)problem->device_count + 1;
    turns t = {.p = problem, .target = target};
    t.line = calloc(units, sizeof *t.line);
    t.at = calloc(devices, sizeof *t.at);
    t.end = calloc(devices, sizeof *t.end);
    t.missing = calloc(units, sizeof *t.missing);
    bool ok = t.line && t.at && t.end && t.missing;
    if (ok) {
        for (dv_unit_id u = 0; u < problem->unit_count; u++) {
            t.end[problem->device[target[u]]]++;
            t.missing[u] = problem->previous_start[u + 1] - problem->previous_start[u];
        }
        for (dv_device_id d = 0, sum = 0; d < problem->device_count; d++) {
            uint32_t count = t.end[d];
            t.at[d] = t.end[d] = sum;
            sum += count;
        }
        for (uint32_t k = 0; k < problem->unit_count; k++)
            t.line[t.end[problem->device[target[order[k]]]]++] = order[k];
        gather(&t, order);
    }
    free(t.line);
    free(t.at);
    free(t.end);
    free(t.missing);
    return ok ? DV_OK : dv_fail(DV_NO_MEMORY, "makespan: out of memory");
}
