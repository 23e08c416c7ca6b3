/* subgraphs_dp.c - subgraphs and host units join an ideal one after another.

   A state of an ideal is how many devices have their subgraph, the ends of the units that somebody
   outside still reads, and the latest end of all. From an ideal, a walk over the ideals above it
   keeps up to date what the difference costs as one subgraph; single pieces join on the host. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/clock.h"
#include "core/rng.h"
#include "solver/contract.h"
#include "solver/lattice.h"
#include "solver/subgraphs.h"

enum {
    STATES_MOST = 200,
    STATES_ALONG = 16,
    FIRST_ORDERS = 2
}; /* of one ideal; the same along one order */

typedef struct state {
    double last_us, bound_us;
    size_t ends; /* where its ends begin; as many as its ideal has live units */
    uint32_t parent, ideal, used;
    bool host; /* the last piece joined on the host */
} state;

typedef struct live {
    dv_unit_id unit;
    double tail_us; /* what reads it from outside, and what follows, takes at least so long */
} live;

typedef struct dp {
    const dv_problem *p;
    const dv_problem *pieces;
    const uint32_t *piece; /* per unit */
    const dv_lattice *lattice;
    const dv_unit_id *order; /* of pieces, for a chain; NULL: all ideals */
    uint32_t *member_start;  /* per piece + 1: its units */
    dv_unit_id *member;
    const dv_subgraphs_path *path;
    uint32_t *path_at; /* per ideal: how many of the path's units it holds */
    double *tail_us;   /* per unit: what follows takes at least so long */
    dv_target_id accelerator;
    uint32_t accelerators;
    double upper_us, deadline_s;

    state *states; /* all of them */
    size_t state_count, state_capacity;
    double *ends;
    size_t end_count, end_capacity;
    uint32_t *list, *list_count; /* [ideal * STATES_MOST + i]: states of an ideal */
    live **live;                 /* per ideal; NULL: not met yet */
    uint32_t *live_count;

    bool *inside;      /* per piece: in the ideal at hand */
    bool *taken;       /* per piece: in the subgraph at hand */
    uint32_t *outside; /* per tensor of a taken piece: readers not taken */
    uint32_t *fetched; /* per tensor: how many taken units read it from outside */
    uint32_t *seen;    /* per ideal: the ideal from which the walk last met it */
    double bytes, busy_us;
    dv_unit_id *makers; /* of what was fetched; those of inputs left out */
    uint32_t maker_count;
    double *row; /* [state of the ideal at hand * units + unit]: ends */
    double dropped_us;
    bool failed, late;
} dp;

/* The least time that unit v takes anywhere. */
static double least_us(const dp *d, dv_unit_id v)
{
    double least = INFINITY;
    if (dv_problem_allows(d->p, v, d->p->host))
        least = dv_problem_time_us(d->p, v, d->p->host);
    if (dv_problem_allows(d->p, v, d->accelerator))
        least = fmin(least, dv_problem_time_us(d->p, v, d->accelerator));
    return least;
}

/* The tail of u through what is neither inside nor taken; negative if nothing there reads it. */
static double open_tail_us(const dp *d, dv_unit_id u)
{
    double tail = -1.0;
    for (uint32_t i = d->p->next_start[u]; i < d->p->next_start[u + 1]; i++) {
        dv_unit_id v = d->p->next[i];
        if (!d->inside[d->piece[v]] && !d->taken[d->piece[v]])
            tail = fmax(tail, least_us(d, v) + d->tail_us[v]);
    }
    return tail;
}

/* The live units of ideal j, which is what is inside and taken. */
static bool list_live(dp *d, uint32_t j)
{
    if (d->live[j])
        return true;
    live *list = calloc((size_t)d->p->unit_count + 1, sizeof *list);
    uint32_t count = 0;
    if (!list)
        return false;
    for (dv_unit_id u = 0; u < d->p->unit_count; u++) {
        double tail = d->inside[d->piece[u]] || d->taken[d->piece[u]] ? open_tail_us(d, u) : -1.0;
        if (tail >= 0.0)
            list[count++] = (live){u, tail};
    }
    for (uint32_t *at = &d->path_at[j]; *at < d->path->length; ++*at)
        if (!d->inside[d->piece[d->path->unit[*at]]] && !d->taken[d->piece[d->path->unit[*at]]])
            break;
    d->live[j] = realloc(list, ((size_t)count + 1) * sizeof *list);
    d->live_count[j] = count;
    return d->live[j] != NULL;
}

/* Is a no later than b in anything? */
static bool dominates(const dp *d, const state *a, const double *b_ends, double b_last,
                      uint32_t b_used)
{
    if (a->used > b_used || a->last_us > b_last)
        return false;
    for (uint32_t i = 0; i < d->live_count[a->ideal]; i++)
        if (d->ends[a->ends + i] > b_ends[i])
            return false;
    return true;
}

/* The state is a beginning, so the path is cut where it leaves the ideal: what follows has to be
   shared out among the devices left. */
static double bound_of(const dp *d, uint32_t ideal, const double *ends, double last, uint32_t used)
{
    uint32_t at = d->path_at[ideal];
    dv_unit_id cut = at > 0 ? d->path->unit[at - 1] : DV_NONE;
    double rest = d->path->rest_us[(size_t)at * d->path->width + used];
    if (at == 0)
        last = fmax(last, rest);
    for (uint32_t i = 0; i < d->live_count[ideal]; i++) {
        last = fmax(last, ends[i] + d->live[ideal][i].tail_us);
        if (d->live[ideal][i].unit == cut)
            last = fmax(last, ends[i] + rest);
    }
    return last * (1 - 1e-12);
}

/* Makes room where an ideal has all the states that it may: the one with the worst bound goes.
   False if that is the new one. */
static bool make_room(dp *d, uint32_t j, double bound)
{
    uint32_t *list = d->list + (size_t)j * STATES_MOST, worst = 0;
    double most = -INFINITY;
    if (d->list_count[j] < (d->order ? STATES_ALONG : STATES_MOST))
        return true;
    for (uint32_t i = 0; i < d->list_count[j]; i++) {
        double b = d->states[list[i]].bound_us;
        if (b > most) {
            most = b;
            worst = i;
        }
    }
    d->dropped_us = fmin(d->dropped_us, fmax(bound, most));
    if (bound >= most)
        return false;
    list[worst] = list[--d->list_count[j]];
    return true;
}

static void enter(dp *d, uint32_t j, const double *ends, state new)
{
    double bound = bound_of(d, j, ends, new.last_us, new.used);
    uint32_t *list = d->list + (size_t)j * STATES_MOST, kept = 0;
    if (bound >= d->upper_us * (1 - 1e-9))
        return;
    for (uint32_t i = 0; i < d->list_count[j]; i++)
        if (dominates(d, &d->states[list[i]], ends, new.last_us, new.used))
            return;
    uint32_t count = d->live_count[j];
    if (!dv_grow((void **)&d->states, &d->state_capacity, d->state_count + 1, sizeof *d->states) ||
        !dv_grow((void **)&d->ends, &d->end_capacity, d->end_count + count + 1, sizeof *d->ends)) {
        d->failed = true;
        return;
    }
    new.ideal = j;
    new.bound_us = bound;
    new.ends = d->end_count;
    memcpy(d->ends + d->end_count, ends, count * sizeof *ends);
    for (uint32_t i = 0; i < d->list_count[j]; i++) {
        const state *old = &d->states[list[i]];
        if (!dominates(d, &new, d->ends + old->ends, old->last_us, old->used))
            list[kept++] = list[i];
    }
    d->list_count[j] = kept;
    if (!make_room(d, j, bound))
        return;
    d->end_count += count;
    list[d->list_count[j]++] = (uint32_t)d->state_count;
    d->states[d->state_count++] = new;
}

/* Puts piece q into the subgraph, or (sign -1) takes the last one out again. */
static void count_piece(dp *d, uint32_t q, int sign)
{
    const dv_problem *p = d->p;
    dv_target_id a = d->accelerator;
    if (sign > 0)
        d->taken[q] = true;
    for (uint32_t m = d->member_start[q]; m < d->member_start[q + 1]; m++) {
        dv_unit_id u =
            d->member[sign > 0 ? m : d->member_start[q + 1] - 1 - (m - d->member_start[q])];
        d->busy_us += sign * dv_problem_time_us(p, u, a);
        if (p->memory_bytes)
            d->bytes += sign * p->memory_bytes[(size_t)u * p->target_count + a];
        for (uint32_t i = p->unit_tensor_start[u]; i < p->unit_tensor_start[u + 1]; i++) {
            uint32_t t = p->unit_tensors[i];
            dv_unit_id maker = p->producer[t];
            if (maker != DV_NONE && d->taken[d->piece[maker]]) {
                d->outside[t] -= (uint32_t)sign;
                continue;
            }
            d->fetched[t] += (uint32_t)sign;
            if (maker != DV_NONE && d->fetched[t] == (sign > 0 ? 1u : 0u)) {
                if (sign > 0)
                    d->makers[d->maker_count] = maker;
                d->maker_count += (uint32_t)sign;
            }
        }
        for (uint32_t i = p->unit_output_start[u]; sign > 0 && i < p->unit_output_start[u + 1];
             i++) {
            uint32_t t = p->unit_outputs[i];
            d->outside[t] = p->consumer_start[t + 1] - p->consumer_start[t];
        }
    }
    if (sign < 0)
        d->taken[q] = false;
}

/* What the subgraph pays for what enters and leaves. */
static double exchange_us(const dp *d, const uint32_t *chosen, uint32_t count)
{
    const dv_problem *p = d->p;
    double us = 0.0;
    for (uint32_t c = 0; c < count; c++)
        for (uint32_t m = d->member_start[chosen[c]]; m < d->member_start[chosen[c] + 1]; m++) {
            dv_unit_id u = d->member[m];
            for (uint32_t i = p->unit_tensor_start[u]; i < p->unit_tensor_start[u + 1]; i++) {
                uint32_t t = p->unit_tensors[i];
                if (d->fetched[t]) /* by its readers in equal parts, so once in all */
                    us += dv_problem_move_us(p, t, p->host, d->accelerator) / d->fetched[t];
            }
            for (uint32_t i = p->unit_output_start[u]; i < p->unit_output_start[u + 1]; i++) {
                uint32_t t = p->unit_outputs[i];
                if (d->outside[t] || p->host_needs[t])
                    us += dv_problem_move_us(p, t, d->accelerator, p->host);
            }
        }
    return us;
}

/* The subgraph at hand, from every state of ideal i. */
static void close_subgraph(dp *d, uint32_t i, uint32_t j, const uint32_t *chosen, uint32_t count,
                           double *ends)
{
    dv_device_id device = d->p->device[d->accelerator];
    double busy = d->busy_us + exchange_us(d, chosen, count) + d->p->dispatch_us[device] +
                  d->p->session_us[device];
    if (!list_live(d, j)) {
        d->failed = true;
        return;
    }
    for (uint32_t s = 0; s < d->list_count[i]; s++) {
        uint32_t from = d->list[(size_t)i * STATES_MOST + s];
        const state *old = &d->states[from];
        const double *row = d->row + (size_t)s * d->p->unit_count;
        if (old->used >= d->accelerators)
            continue;
        double start = 0.0;
        for (uint32_t m = 0; m < d->maker_count; m++)
            start = fmax(start, row[d->makers[m]]);
        double end = start + busy;
        for (uint32_t l = 0; l < d->live_count[j]; l++) {
            dv_unit_id u = d->live[j][l].unit;
            ends[l] = d->taken[d->piece[u]] ? end : row[u];
        }
        enter(d, j, ends,
              (state){.last_us = fmax(old->last_us, end), .parent = from, .used = old->used + 1});
    }
}

/* Depth first over the ideals above; chosen: the pieces so far. */
static void walk(dp *d, uint32_t from, uint32_t at, uint32_t *chosen, uint32_t count, double *ends)
{
    for (uint32_t c = d->lattice->start[at]; c < d->lattice->start[at + 1]; c++) {
        uint32_t j = d->lattice->child[c], q = d->lattice->by[c];
        if (d->seen[j] == from || d->failed)
            continue;
        d->seen[j] = from;
        bool runs = isfinite(
            d->pieces->time_us[(size_t)q * d->p->device_count + d->p->device[d->accelerator]]);
        double bytes = d->bytes, busy = d->busy_us;
        if (!runs)
            continue;
        count_piece(d, q, 1);
        if (d->bytes <= d->p->capacity_bytes[d->p->device[d->accelerator]] * (1 + 1e-12) &&
            d->busy_us < d->upper_us) {
            chosen[count] = q;
            close_subgraph(d, from, j, chosen, count + 1, ends);
            walk(d, from, j, chosen, count + 1, ends);
        }
        count_piece(d, q, -1);
        d->bytes = bytes; /* as it was, to the last bit */
        d->busy_us = busy;
    }
}

/* Single pieces on the host, unit after unit. */
static void join_host(dp *d, uint32_t i, double *ends, double *temporary)
{
    const dv_problem *p = d->p;
    for (uint32_t c = d->lattice->start[i]; c < d->lattice->start[i + 1]; c++) {
        uint32_t j = d->lattice->child[c], q = d->lattice->by[c];
        if (!isfinite(d->pieces->time_us[(size_t)q * p->device_count + p->device[p->host]]))
            continue;
        d->taken[q] = true;
        d->failed = d->failed || !list_live(d, j);
        for (uint32_t s = 0; s < d->list_count[i] && !d->failed; s++) {
            uint32_t from = d->list[(size_t)i * STATES_MOST + s];
            state new = {.last_us = d->states[from].last_us,
                         .parent = from,
                         .used = d->states[from].used,
                         .host = true};
            memcpy(temporary, d->row + (size_t)s * p->unit_count,
                   p->unit_count * sizeof *temporary);
            for (uint32_t m = d->member_start[q]; m < d->member_start[q + 1]; m++) {
                dv_unit_id u = d->member[m];
                double start = 0.0;
                for (uint32_t k = p->previous_start[u]; k < p->previous_start[u + 1]; k++)
                    start = fmax(start, temporary[p->previous[k]]);
                temporary[u] = start + dv_problem_time_us(p, u, p->host);
                new.last_us = fmax(new.last_us, temporary[u]);
            }
            for (uint32_t l = 0; l < d->live_count[j]; l++)
                ends[l] = temporary[d->live[j][l].unit];
            enter(d, j, ends, new);
        }
        d->taken[q] = false;
    }
}

static void spread_rows(dp *d, uint32_t i)
{
    for (uint32_t s = 0; s < d->list_count[i]; s++) {
        const state *from = &d->states[d->list[(size_t)i * STATES_MOST + s]];
        for (uint32_t l = 0; l < d->live_count[i]; l++)
            d->row[(size_t)s * d->p->unit_count + d->live[i][l].unit] = d->ends[from->ends + l];
    }
}

static bool holds(const dp *d, uint32_t ideal, uint32_t q, const uint32_t *place)
{
    if (!d->lattice->set)
        return place[q] < ideal;
    return d->lattice->set[(size_t)ideal * d->lattice->word_count + q / 64] >> q % 64 & 1;
}

static void run(dp *d, uint32_t *chosen, double *ends, double *temporary, const uint32_t *place)
{
    double none = 0.0;
    memset(d->taken, 0, d->pieces->unit_count * sizeof *d->taken);
    memset(d->seen, 0xff, d->lattice->count * sizeof *d->seen);
    for (uint32_t q = 0; q < d->pieces->unit_count; q++)
        d->inside[q] = false;
    if (!list_live(d, 0)) {
        d->failed = true;
        return;
    }
    enter(d, 0, &none, (state){.parent = UINT32_MAX});
    for (uint32_t i = 0; i + 1 < d->lattice->count && !d->failed; i++) {
        if (d->list_count[i] == 0)
            continue;
        if (dv_clock_s() >= d->deadline_s) {
            d->late = true;
            return;
        }
        for (uint32_t q = 0; q < d->pieces->unit_count; q++)
            d->inside[q] = holds(d, i, q, place);
        spread_rows(d, i);
        d->bytes = d->busy_us = 0.0;
        d->maker_count = 0;
        join_host(d, i, ends, temporary);
        walk(d, i, i, chosen, 0, ends);
    }
}

/* The pieces between two ideals, each with its units, before place `end` of the order. */
static uint32_t write_pieces(const dp *d, uint32_t low, uint32_t high, const uint32_t *place,
                             dv_target_id a, uint32_t end, dv_target_id *target, dv_unit_id *order)
{
    uint32_t count = 0;
    for (uint32_t q = 0; q < d->pieces->unit_count; q++)
        if (holds(d, high, q, place) && !holds(d, low, q, place))
            count += d->member_start[q + 1] - d->member_start[q];
    uint32_t at = end - count;
    for (uint32_t q = 0; q < d->pieces->unit_count; q++) /* their numbers are topological */
        if (holds(d, high, q, place) && !holds(d, low, q, place))
            for (uint32_t m = d->member_start[q]; m < d->member_start[q + 1]; m++) {
                order[at++] = d->member[m];
                target[d->member[m]] = a;
            }
    return end - count;
}

static void write_plan(const dp *d, uint32_t best, const uint32_t *place, dv_target_id *target,
                       dv_unit_id *order)
{
    uint32_t end = d->p->unit_count;
    while (d->states[best].parent != UINT32_MAX) {
        const state *s = &d->states[best];
        dv_target_id a = d->p->host;
        if (!s->host) { /* the used-th of the accelerators */
            uint32_t number = 0;
            for (a = 0;; a++)
                if (!dv_subgraphs_is_host(d->p, d->p->device[a]) && ++number == s->used)
                    break;
        }
        end = write_pieces(d, d->states[s->parent].ideal, s->ideal, place, a, end, target, order);
        best = s->parent;
    }
}

static void find_tails(dp *d)
{
    const dv_problem *p = d->p;
    for (dv_unit_id u = p->unit_count; u-- > 0;) {
        d->tail_us[u] = 0.0;
        for (uint32_t i = p->next_start[u]; i < p->next_start[u + 1]; i++) {
            dv_unit_id v = p->next[i];
            d->tail_us[u] = fmax(d->tail_us[u], least_us(d, v) + d->tail_us[v]);
        }
    }
}

static bool list_members(dp *d)
{
    uint32_t units = d->p->unit_count, pieces = d->pieces->unit_count;
    d->member_start = calloc((size_t)pieces + 2, sizeof *d->member_start);
    d->member = calloc((size_t)units + 1, sizeof *d->member);
    if (!d->member_start || !d->member)
        return false;
    for (dv_unit_id u = 0; u < units; u++)
        d->member_start[d->piece[u] + 2]++;
    for (uint32_t q = 0; q < pieces; q++)
        d->member_start[q + 2] += d->member_start[q + 1];
    for (dv_unit_id u = 0; u < units; u++)
        d->member[d->member_start[d->piece[u] + 1]++] = u;
    return true;
}

static void free_states(dp *d)
{
    for (uint32_t i = 0; d->live && i < d->lattice->count; i++)
        free(d->live[i]);
    free(d->states);
    free(d->ends);
    free(d->list);
    free(d->list_count);
    free(d->live);
    free(d->live_count);
    free(d->path_at);
    free(d->seen);
    d->states = NULL;
    d->ends = NULL;
    d->list = d->list_count = d->live_count = d->seen = d->path_at = NULL;
    d->live = NULL;
    d->state_count = d->state_capacity = d->end_count = d->end_capacity = 0;
}

/* The best along the lattice; *value: INFINITY if none is below d->upper_us. */
static dv_status search_lattice(dp *d, dv_target_id *target, dv_unit_id *order, double *value)
{
    size_t ideals = (size_t)d->lattice->count + 1, units = (size_t)d->p->unit_count + 1;
    d->list = calloc(ideals * STATES_MOST, sizeof *d->list);
    d->list_count = calloc(ideals, sizeof *d->list_count);
    d->live = calloc(ideals, sizeof *d->live);
    d->live_count = calloc(ideals, sizeof *d->live_count);
    d->seen = calloc(ideals, sizeof *d->seen);
    d->path_at = calloc(ideals, sizeof *d->path_at);
    uint32_t *chosen = calloc(units, sizeof *chosen), *place = calloc(units, sizeof *place);
    double *ends = calloc(units, sizeof *ends), *temporary = calloc(units, sizeof *temporary);
    *value = INFINITY;
    d->failed = !d->list || !d->list_count || !d->live || !d->live_count || !d->seen ||
                !d->path_at || !chosen || !place || !ends || !temporary;
    if (!d->failed) {
        for (uint32_t k = 0; d->order && k < d->pieces->unit_count; k++)
            place[d->order[k]] = k;
        run(d, chosen, ends, temporary, place);
        uint32_t full = d->lattice->count - 1, best = UINT32_MAX;
        for (uint32_t s = 0; s < d->list_count[full]; s++) {
            uint32_t at = d->list[(size_t)full * STATES_MOST + s];
            if (d->states[at].last_us < *value) {
                *value = d->states[at].last_us;
                best = at;
            }
        }
        if (best != UINT32_MAX)
            write_plan(d, best, place, target, order);
    }
    free(chosen);
    free(place);
    free(ends);
    free(temporary);
    free_states(d);
    return d->failed ? dv_fail(DV_NO_MEMORY, "subgraphs: out of memory") : DV_OK;
}

static dv_status search_all(dp *d, uint32_t ideal_limit, dv_target_id *target, dv_unit_id *order,
                            dv_subgraphs_result *result, bool *complete)
{
    dv_lattice lattice;
    DV_TRY(dv_lattice_build(d->pieces, ideal_limit, &lattice, complete));
    if (!*complete)
        return DV_OK;
    d->lattice = &lattice;
    d->order = NULL;
    double value;
    d->dropped_us = INFINITY;
    dv_status status = search_lattice(d, target, order, &value);
    dv_lattice_free(&lattice);
    result->makespan_us = fmin(result->makespan_us, value);
    /* Pieces of several units are more than the rules ask for. */
    if (status == DV_OK && d->pieces->unit_count == d->p->unit_count && !d->late)
        result->bound_us = fmin(fmin(result->makespan_us, d->upper_us), d->dropped_us);
    return status;
}

static dv_status search_order(dp *d, const dv_unit_id *pieces, dv_target_id *target,
                              dv_unit_id *order, double *value)
{
    dv_lattice lattice;
    DV_TRY(dv_lattice_chain(d->pieces, pieces, &lattice));
    d->lattice = &lattice;
    d->order = pieces;
    dv_status status = search_lattice(d, target, order, value);
    dv_lattice_free(&lattice);
    return status;
}

/* Every piece right before its first reader: behind what it reads, from the last piece on. */
static void order_late(const dv_problem *pieces, dv_unit_id *order, uint32_t *missing)
{
    uint32_t n = pieces->unit_count, at = n;
    for (uint32_t q = 0; q < n; q++)
        missing[q] = pieces->next_start[q + 1] - pieces->next_start[q];
    while (at > 0) { /* the ready one that became ready last: depth first, backward */
        uint32_t best = DV_NONE;
        for (uint32_t q = 0; q < n; q++)
            if (missing[q] == 0)
                best = q;
        for (uint32_t k = at; k < n; k++) {
            bool done = false;
            for (uint32_t i = pieces->previous_start[order[k]];
                 i < pieces->previous_start[order[k] + 1]; i++)
                if (missing[pieces->previous[i]] == 0) {
                    best = pieces->previous[i];
                    done = true;
                }
            if (done)
                break;
        }
        order[--at] = best;
        missing[best] = UINT32_MAX;
        for (uint32_t i = pieces->previous_start[best]; i < pieces->previous_start[best + 1]; i++)
            missing[pieces->previous[i]]--;
    }
}

/* Moves a random piece to a random place that its neighbours allow. */
static void disturb(const dv_problem *pieces, dv_rng *rng, dv_unit_id *order)
{
    uint32_t n = pieces->unit_count, from = (uint32_t)dv_rng_below(rng, n), low = from, high = from;
    dv_unit_id q = order[from];
    for (bool blocked = false; low > 0; low--) {
        for (uint32_t i = pieces->previous_start[q]; i < pieces->previous_start[q + 1]; i++)
            blocked = blocked || pieces->previous[i] == order[low - 1];
        if (blocked)
            break;
    }
    for (bool blocked = false; high + 1 < n; high++) {
        for (uint32_t i = pieces->next_start[q]; i < pieces->next_start[q + 1]; i++)
            blocked = blocked || pieces->next[i] == order[high + 1];
        if (blocked)
            break;
    }
    uint32_t to = low + (uint32_t)dv_rng_below(rng, high - low + 1);
    for (; from < to; from++)
        order[from] = order[from + 1];
    for (; from > to; from--)
        order[from] = order[from - 1];
    order[to] = q;
}

static dv_status search_orders(dp *d, uint32_t steps, uint64_t seed, dv_target_id *target,
                               dv_unit_id *order, dv_subgraphs_result *result)
{
    uint32_t n = d->pieces->unit_count;
    dv_rng rng = dv_rng_seeded(seed);
    dv_unit_id *at = calloc((size_t)n + 1, sizeof *at), *trial = calloc((size_t)n + 1, sizeof *at);
    uint32_t *missing = calloc((size_t)n + 1, sizeof *missing);
    dv_status status =
        at && trial && missing ? DV_OK : dv_fail(DV_NO_MEMORY, "subgraphs: out of memory");
    for (uint32_t step = 0; step < steps + 2 && status == DV_OK && !d->late; step++) {
        double value = INFINITY;
        if (step == 0)
            order_late(d->pieces, trial, missing);
        else if (step == 1)
            for (uint32_t q = 0; q < n; q++)
                trial[q] = q;
        else {
            memcpy(trial, at, n * sizeof *at);
            for (uint64_t k = dv_rng_below(&rng, 3) + 1; k > 0; k--)
                disturb(d->pieces, &rng, trial);
        }
        status = search_order(d, trial, target, order, &value);
        if (step > 0 && !(value < result->makespan_us))
            continue;
        memcpy(at, trial, n * sizeof *at);
        if (value < result->makespan_us)
            d->upper_us = result->makespan_us = value;
    }
    free(at);
    free(trial);
    free(missing);
    return status;
}

static dv_status search(dp *d, uint32_t ideal_limit, uint32_t order_steps, uint64_t seed,
                        dv_target_id *target, dv_unit_id *order, dv_subgraphs_result *result)
{
    const dv_problem *p = d->p;
    size_t units = (size_t)p->unit_count + 1, tensors = (size_t)p->tensor_count + 1;
    d->tail_us = calloc(units, sizeof *d->tail_us);
    d->inside = calloc(units, sizeof *d->inside);
    d->taken = calloc(units, sizeof *d->taken);
    d->outside = calloc(tensors, sizeof *d->outside);
    d->fetched = calloc(tensors, sizeof *d->fetched);
    d->makers = calloc(tensors, sizeof *d->makers);
    d->row = calloc(units * STATES_MOST, sizeof *d->row);
    if (!list_members(d) || !d->tail_us || !d->inside || !d->taken || !d->outside || !d->fetched ||
        !d->makers || !d->row)
        return dv_fail(DV_NO_MEMORY, "subgraphs: out of memory");
    find_tails(d);
    bool complete = false;
    /* What a few orders give lets the search of all ideals leave out much. */
    DV_TRY(search_orders(d, FIRST_ORDERS, seed, target, order, result));
    if (!d->late)
        DV_TRY(search_all(d, ideal_limit, target, order, result, &complete));
    return complete || d->late ? DV_OK : search_orders(d, order_steps, seed, target, order, result);
}

dv_status dv_subgraphs_search(const dv_problem *problem, uint32_t ideal_limit, uint32_t order_steps,
                              uint64_t seed, double deadline_s, double upper_us,
                              const dv_subgraphs_path *path, dv_target_id *target,
                              dv_unit_id *order, dv_subgraphs_result *result)
{
    *result = (dv_subgraphs_result){INFINITY, -INFINITY};
    dv_contraction contraction;
    dv_status status = dv_contract(problem, true, &contraction);
    if (status == DV_OK) {
        dp d = {.p = problem,
                .pieces = contraction.pieces,
                .piece = contraction.piece,
                .upper_us = upper_us,
                .path = path,
                .deadline_s = deadline_s,
                .dropped_us = INFINITY};
        for (dv_target_id a = problem->target_count; a-- > 0;)
            if (!dv_subgraphs_is_host(problem, problem->device[a])) {
                d.accelerator = a;
                d.accelerators++;
            }
        status = search(&d, ideal_limit, order_steps, seed, target, order, result);
        free(d.member_start);
        free(d.member);
        free(d.tail_us);
        free(d.inside);
        free(d.taken);
        free(d.outside);
        free(d.fetched);
        free(d.makers);
        free(d.row);
    }
    dv_contraction_free(&contraction);
    return status;
}
