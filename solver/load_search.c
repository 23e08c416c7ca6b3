/* load_search.c - see load_search.h. */
#include "solver/load_search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/rng.h"
#include "solver/evaluate.h"
#include "solver/groups.h"
#include "solver/order.h"
#include "solver/place.h"

typedef struct search {
    const dv_problem *problem;
    const dv_load_search_settings *settings;
    dv_rng rng;
    dv_target_id *target;    /* per unit: the placement at hand (trial's) */
    const dv_unit_id *order; /* and its order */
    uint32_t *place;         /* per unit, in the order */
    uint32_t *block;         /* per unit: its group */
    uint32_t *start;         /* per block: its first member */
    dv_unit_id *member;
    double *load_us, *bytes;           /* per device */
    uint32_t *units;                   /* per device */
    double *kept_load_us, *kept_bytes; /* the same before a change */
    uint32_t *kept_units;
    dv_target_id *kept_target; /* best placement of all */
    double *in_us;             /* per device, zeros: to work in */
    uint32_t *stamp;           /* per tensor: change in which it was last met */
    uint32_t *changing;        /* per unit: change in which it last took part */
    uint32_t change;
    double best_us;
} search;

/* A change at hand: which units get which targets. */
typedef struct change {
    dv_unit_id *unit;
    dv_target_id *from;
    uint32_t count;
} change;

/* Adds (sign 1) or takes away tensor t's part of the loads. */
static void add_tensor(search *s, uint32_t t, double sign)
{
    const dv_problem *p = s->problem;
    dv_unit_id maker = p->producer[t];
    dv_target_id from = maker == DV_NONE ? p->host : s->target[maker];
    dv_device_id home = p->device[from];
    bool leaves = p->host_needs[t];
    for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++) {
        dv_target_id to = s->target[p->consumers[i]];
        dv_device_id d = p->device[to];
        if (d == home)
            continue;
        leaves = true;
        double us = dv_load_in_us(p, t, to);
        if (us > s->in_us[d]) {
            s->load_us[d] += sign * (us - s->in_us[d]);
            s->in_us[d] = us;
        }
    }
    if (leaves && maker != DV_NONE)
        s->load_us[home] += sign * dv_load_out_us(p, t, from);
    for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++)
        s->in_us[p->device[s->target[p->consumers[i]]]] = 0.0;
}

/* Dispatch for the unit in place k of the order, if a segment begins there. */
static void add_entry(search *s, uint32_t k, double sign)
{
    const dv_problem *p = s->problem;
    if (k >= p->unit_count)
        return;
    dv_device_id d = p->device[s->target[s->order[k]]];
    if (k == 0 || p->device[s->target[s->order[k - 1]]] != d)
        s->load_us[d] += sign * p->dispatch_us[d];
}

/* A unit's own part, but for tensors. */
static void add_unit(search *s, dv_unit_id u, int sign)
{
    const dv_problem *p = s->problem;
    dv_target_id a = s->target[u];
    dv_device_id d = p->device[a];
    s->load_us[d] += sign * dv_problem_time_us(p, u, a);
    if (p->memory_bytes)
        s->bytes[d] += sign * p->memory_bytes[(size_t)u * p->target_count + a];
    if (s->units[d] == (sign > 0 ? 0 : 1))
        s->load_us[d] += sign * p->session_us[d];
    s->units[d] += (uint32_t)sign;
}

/* Each tensor at unit u once in this change. */
static void add_tensors_at(search *s, dv_unit_id u, double sign)
{
    const dv_problem *p = s->problem;
    uint32_t reads = p->unit_tensor_start[u + 1] - p->unit_tensor_start[u];
    uint32_t all = reads + p->unit_output_start[u + 1] - p->unit_output_start[u];
    for (uint32_t i = 0; i < all; i++) {
        uint32_t t = i < reads ? p->unit_tensors[p->unit_tensor_start[u] + i]
                               : p->unit_outputs[p->unit_output_start[u] + i - reads];
        if (s->stamp[t] == s->change)
            continue;
        s->stamp[t] = s->change;
        add_tensor(s, t, sign);
    }
}

static void sum_up(search *s)
{
    const dv_problem *p = s->problem;
    memset(s->load_us, 0, p->device_count * sizeof *s->load_us);
    memset(s->bytes, 0, p->device_count * sizeof *s->bytes);
    memset(s->units, 0, p->device_count * sizeof *s->units);
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        add_unit(s, u, 1);
        add_entry(s, u, 1.0);
    }
    for (uint32_t t = 0; t < p->tensor_count; t++)
        add_tensor(s, t, 1.0);
}

/* Entries at the places of the changed units and behind them, each once: the place before a changed
   unit counts by that unit. */
static void add_entries(search *s, const change *c, double sign)
{
    for (uint32_t i = 0; i < c->count; i++) {
        uint32_t k = s->place[c->unit[i]];
        add_entry(s, k, sign);
        if (k + 1 < s->problem->unit_count && s->changing[s->order[k + 1]] != s->change)
            add_entry(s, k + 1, sign);
    }
}

static void apply(search *s, change *c, const dv_target_id *to)
{
    const dv_problem *p = s->problem;
    memcpy(s->kept_load_us, s->load_us, p->device_count * sizeof *s->load_us);
    memcpy(s->kept_bytes, s->bytes, p->device_count * sizeof *s->bytes);
    memcpy(s->kept_units, s->units, p->device_count * sizeof *s->units);
    s->change++;
    for (uint32_t i = 0; i < c->count; i++)
        s->changing[c->unit[i]] = s->change;
    for (uint32_t i = 0; i < c->count; i++)
        add_tensors_at(s, c->unit[i], -1.0);
    add_entries(s, c, -1.0);
    for (uint32_t i = 0; i < c->count; i++) {
        dv_unit_id u = c->unit[i];
        add_unit(s, u, -1);
        c->from[i] = s->target[u];
        s->target[u] = to[i];
        add_unit(s, u, 1);
    }
    add_entries(s, c, 1.0);
    s->change++;
    for (uint32_t i = 0; i < c->count; i++)
        add_tensors_at(s, c->unit[i], 1.0);
}

static void undo(search *s, const change *c)
{
    const dv_problem *p = s->problem;
    for (uint32_t i = 0; i < c->count; i++)
        s->target[c->unit[i]] = c->from[i];
    memcpy(s->load_us, s->kept_load_us, p->device_count * sizeof *s->load_us);
    memcpy(s->bytes, s->kept_bytes, p->device_count * sizeof *s->bytes);
    memcpy(s->units, s->kept_units, p->device_count * sizeof *s->units);
}

static double largest(const search *s)
{
    double most = 0.0;
    for (dv_device_id d = 0; d < s->problem->device_count; d++)
        most = fmax(most, s->load_us[d]);
    return most;
}

/* The 16-norm of the loads; INFINITY where one holds too much. */
static double energy(const search *s)
{
    double sum = 0.0, most = largest(s);
    for (dv_device_id d = 0; d < s->problem->device_count; d++) {
        if (s->bytes[d] > s->problem->capacity_bytes[d] * (1.0 + 1e-9))
            return INFINITY;
        double x = most > 0.0 ? fmax(0.0, s->load_us[d]) / most : 0.0;
        x *= x;
        x *= x;
        x *= x;
        sum += x * x;
    }
    return most * sqrt(sqrt(sqrt(sqrt(sum))));
}

static uint32_t below(search *s, uint32_t n)
{
    return (uint32_t)dv_rng_below(&s->rng, n);
}

/* The block moves to device d, each unit to its fastest target there. False if one cannot. */
static bool plan_move(const search *s, uint32_t block, dv_device_id d, change *c, dv_target_id *to)
{
    for (uint32_t i = s->start[block]; i < s->start[block + 1]; i++) {
        dv_target_id a = dv_place_fastest(s->problem, s->member[i], d);
        if (a == DV_NONE)
            return false;
        c->unit[c->count] = s->member[i];
        to[c->count++] = a;
    }
    return true;
}

/* A unit that reads from u or feeds it, or any unit. */
static dv_unit_id neighbour(search *s, dv_unit_id u)
{
    const dv_problem *p = s->problem;
    uint32_t before = p->previous_start[u + 1] - p->previous_start[u];
    uint32_t all = before + p->next_start[u + 1] - p->next_start[u];
    if (all == 0 || below(s, 4) == 0)
        return below(s, p->unit_count);
    uint32_t i = below(s, all);
    return i < before ? p->previous[p->previous_start[u] + i]
                      : p->next[p->next_start[u] + i - before];
}

/* One random change, or none (count 0). */
static void propose(search *s, change *c, dv_target_id *to)
{
    const dv_problem *p = s->problem;
    dv_unit_id u = below(s, p->unit_count), v = neighbour(s, u);
    dv_device_id d = p->device[s->target[u]], e = p->device[s->target[v]];
    uint32_t what = below(s, 8);
    bool ok = true;
    c->count = 0;
    if (what == 0 && p->target_count > p->device_count) { /* another target of its device */
        dv_target_id a = below(s, p->target_count);
        ok = p->device[a] == d && dv_problem_allows(p, u, a);
        c->unit[0] = u;
        to[0] = a;
        c->count = 1;
    } else if (what < 4) { /* change places */
        ok = d != e && plan_move(s, s->block[u], e, c, to) && plan_move(s, s->block[v], d, c, to);
    } else {
        dv_device_id there = what < 6 ? e : below(s, p->device_count);
        ok = there != d && plan_move(s, s->block[u], there, c, to);
    }
    c->count = ok ? c->count : 0;
}

static void keep(search *s)
{
    double most = largest(s);
    if (most >= s->best_us * (1.0 - 1e-12))
        return;
    s->best_us = most;
    memcpy(s->kept_target, s->target, s->problem->unit_count * sizeof *s->target);
}

/* One round of cooling from the placement at hand. */
static void anneal(search *s, change *c, dv_target_id *to)
{
    sum_up(s);
    double now = energy(s), hot = 0.03 * now, cold = 1e-4 * now;
    uint32_t steps = s->settings->steps;
    double heat = hot, cooling = pow(cold / hot, 1.0 / steps);
    for (uint32_t i = 0; i < steps; i++) {
        if (i % 4096 == 4095) {
            if (dv_progress_stopped(s->settings->progress) ||
                dv_clock_s() >= s->settings->deadline_s)
                return;
            sum_up(s); /* what rounding has added up */
            now = energy(s);
        }
        heat *= cooling;
        propose(s, c, to);
        if (c->count == 0)
            continue;
        apply(s, c, to);
        double then = energy(s), rise = then - now;
        if (!isfinite(then) || (rise > 0.0 && dv_rng_uniform(&s->rng) >= exp(-rise / heat))) {
            undo(s, c);
            continue;
        }
        now = then;
        keep(s);
    }
}

/* Groups become blocks; a unit without one is a block of its own. */
static dv_status list_blocks(search *s)
{
    const dv_problem *p = s->problem;
    dv_unit_groups groups;
    DV_TRY(dv_unit_groups_create(p, &groups));
    uint32_t alone = groups.count, end = 0;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        s->block[u] = groups.index[u] != UINT32_MAX ? groups.index[u] : alone++;
    for (uint32_t b = 0; b < groups.count; b++)
        for (uint32_t i = groups.start[b]; i < groups.start[b + 1]; i++) {
            s->member[end++] = groups.units[i];
            s->start[b + 1] = end;
        }
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        if (groups.index[u] == UINT32_MAX) {
            s->member[end++] = u;
            s->start[s->block[u] + 1] = end;
        }
    dv_unit_groups_free(&groups);
    return DV_OK;
}

/* Keeps what the round found, in the order at hand or in a better one. */
static dv_status take(search *s, dv_plan *trial, dv_plan *plan, double *load_us)
{
    const dv_problem *p = s->problem;
    double dispatch_us;
    memcpy(trial->target, s->kept_target, p->unit_count * sizeof *trial->target);
    for (int other = 0; other < 2; other++) {
        if (other)
            DV_TRY(dv_order_closure(p, trial->target, NULL, INFINITY, trial->order, &dispatch_us));
        if (!dv_evaluate(p, trial))
            continue;
        double us = dv_evaluate_load_us(p, trial);
        if (us >= *load_us * (1.0 - 1e-12))
            continue;
        *load_us = us;
        dv_plan_copy(plan, trial);
        dv_progress_incumbent(s->settings->progress, us);
    }
    return DV_OK;
}

static dv_status run(search *s, change *c, dv_target_id *to, dv_plan *trial, dv_plan *plan,
                     double *load_us)
{
    const dv_problem *p = s->problem;
    DV_TRY(list_blocks(s));
    for (uint32_t round = 0; round < s->settings->rounds; round++) {
        if (dv_progress_stopped(s->settings->progress) || dv_clock_s() >= s->settings->deadline_s)
            return DV_OK;
        dv_plan_copy(trial, plan);
        s->target = trial->target;
        s->order = trial->order;
        for (uint32_t k = 0; k < p->unit_count; k++)
            s->place[s->order[k]] = k;
        s->best_us = *load_us;
        memcpy(s->kept_target, s->target, p->unit_count * sizeof *s->target);
        anneal(s, c, to);
        DV_TRY(take(s, trial, plan, load_us));
    }
    return DV_OK;
}

dv_status dv_load_search_run(const dv_problem *problem, const dv_load_search_settings *settings,
                             dv_plan *trial, dv_plan *plan, double *load_us)
{
    size_t units = (size_t)problem->unit_count + 2, devices = (size_t)problem->device_count + 1;
    uint32_t *ids = calloc(9 * units + 2 * devices + problem->tensor_count, sizeof *ids);
    double *sums = calloc(5 * devices, sizeof *sums);
    dv_status status = ids && sums ? DV_OK : dv_fail(DV_NO_MEMORY, "load search: out of memory");
    search s = {.problem = problem, .settings = settings, .rng = dv_rng_seeded(settings->seed)};
    if (status == DV_OK) {
        s.place = ids;
        s.block = ids + units;
        s.start = ids + 2 * units;
        s.member = ids + 3 * units;
        s.kept_target = ids + 4 * units;
        s.units = ids + 9 * units;
        s.kept_units = s.units + devices;
        s.stamp = s.kept_units + devices;
        s.changing = ids + 8 * units;
        s.load_us = sums;
        s.bytes = sums + devices;
        s.kept_load_us = sums + 2 * devices;
        s.kept_bytes = sums + 3 * devices;
        s.in_us = sums + 4 * devices;
        /* Two blocks that change places are all units at most. */
        change c = {.unit = ids + 5 * units, .from = ids + 6 * units};
        status = run(&s, &c, ids + 7 * units, trial, plan, load_us);
    }
    free(ids);
    free(sums);
    return status;
}
