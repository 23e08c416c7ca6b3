/* subgraphs_dp.c - subgraphs and host units join an ideal one after another.

   From an ideal with its states, a walk over the ideals above it keeps up to date what the
   difference costs as one subgraph; single pieces join on the host. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/rng.h"
#include "solver/contract.h"
#include "solver/lattice.h"
#include "solver/piece_order.h"
#include "solver/subgraphs.h"
#include "solver/subgraphs_states.h"

enum { FIRST_ORDERS = 2 };

/* Puts piece q into the subgraph, or (sign -1) takes the last one out again. */
static void count_piece(dv_subgraphs_dp *d, uint32_t q, int sign)
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
static double exchange_us(const dv_subgraphs_dp *d, const uint32_t *chosen, uint32_t count)
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
static void close_subgraph(dv_subgraphs_dp *d, uint32_t i, uint32_t j, const uint32_t *chosen,
                           uint32_t count, double *ends)
{
    dv_device_id device = d->p->device[d->accelerator];
    double busy = d->busy_us + exchange_us(d, chosen, count) + d->p->dispatch_us[device] +
                  d->p->session_us[device];
    if (!dv_subgraphs_list_live(d, j)) {
        d->failed = true;
        return;
    }
    for (uint32_t s = 0; s < d->list_count[i]; s++) {
        uint32_t from = d->list[(size_t)i * DV_SUBGRAPHS_STATES + s];
        const dv_subgraphs_state *old = &d->states[from];
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
        dv_subgraphs_enter(d, j, ends,
                           (dv_subgraphs_state){.last_us = fmax(old->last_us, end),
                                                .parent = from,
                                                .used = old->used + 1});
    }
}

/* Depth first over the ideals above; chosen: the pieces so far. */
static void walk(dv_subgraphs_dp *d, uint32_t from, uint32_t at, uint32_t *chosen, uint32_t count,
                 double *ends)
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
static void join_host(dv_subgraphs_dp *d, uint32_t i, double *ends, double *temporary)
{
    const dv_problem *p = d->p;
    for (uint32_t c = d->lattice->start[i]; c < d->lattice->start[i + 1]; c++) {
        uint32_t j = d->lattice->child[c], q = d->lattice->by[c];
        if (!isfinite(d->pieces->time_us[(size_t)q * p->device_count + p->device[p->host]]))
            continue;
        d->taken[q] = true;
        d->failed = d->failed || !dv_subgraphs_list_live(d, j);
        for (uint32_t s = 0; s < d->list_count[i] && !d->failed; s++) {
            uint32_t from = d->list[(size_t)i * DV_SUBGRAPHS_STATES + s];
            dv_subgraphs_state new = {.last_us = d->states[from].last_us,
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
            dv_subgraphs_enter(d, j, ends, new);
        }
        d->taken[q] = false;
    }
}

static void spread_rows(dv_subgraphs_dp *d, uint32_t i)
{
    for (uint32_t s = 0; s < d->list_count[i]; s++) {
        const dv_subgraphs_state *from = &d->states[d->list[(size_t)i * DV_SUBGRAPHS_STATES + s]];
        for (uint32_t l = 0; l < d->live_count[i]; l++)
            d->row[(size_t)s * d->p->unit_count + d->live[i][l].unit] = d->ends[from->ends + l];
    }
}

static bool holds(const dv_subgraphs_dp *d, uint32_t ideal, uint32_t q, const uint32_t *place)
{
    if (!d->lattice->set)
        return place[q] < ideal;
    return d->lattice->set[(size_t)ideal * d->lattice->word_count + q / 64] >> q % 64 & 1;
}

static void run(dv_subgraphs_dp *d, uint32_t *chosen, double *ends, double *temporary,
                const uint32_t *place)
{
    double none = 0.0;
    memset(d->taken, 0, d->pieces->unit_count * sizeof *d->taken);
    memset(d->seen, 0xff, d->lattice->count * sizeof *d->seen);
    for (uint32_t q = 0; q < d->pieces->unit_count; q++)
        d->inside[q] = false;
    if (!dv_subgraphs_list_live(d, 0)) {
        d->failed = true;
        return;
    }
    dv_subgraphs_enter(d, 0, &none, (dv_subgraphs_state){.parent = UINT32_MAX});
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
static uint32_t write_pieces(const dv_subgraphs_dp *d, uint32_t low, uint32_t high,
                             const uint32_t *place, dv_target_id a, uint32_t end,
                             dv_target_id *target, dv_unit_id *order)
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

static void write_plan(const dv_subgraphs_dp *d, uint32_t best, const uint32_t *place,
                       dv_target_id *target, dv_unit_id *order)
{
    uint32_t end = d->p->unit_count;
    while (d->states[best].parent != UINT32_MAX) {
        const dv_subgraphs_state *s = &d->states[best];
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

static bool list_members(dv_subgraphs_dp *d)
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

/* The best along the lattice; *value: INFINITY if none is below d->upper_us. */
static dv_status search_lattice(dv_subgraphs_dp *d, dv_target_id *target, dv_unit_id *order,
                                double *value)
{
    size_t ideals = (size_t)d->lattice->count + 1, units = (size_t)d->p->unit_count + 1;
    d->list = calloc(ideals * DV_SUBGRAPHS_STATES, sizeof *d->list);
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
            uint32_t at = d->list[(size_t)full * DV_SUBGRAPHS_STATES + s];
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
    dv_subgraphs_free_states(d);
    return d->failed ? dv_fail(DV_NO_MEMORY, "subgraphs: out of memory") : DV_OK;
}

static dv_status search_all(dv_subgraphs_dp *d, uint32_t ideal_limit, dv_target_id *target,
                            dv_unit_id *order, dv_subgraphs_result *result, bool *complete)
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

static dv_status search_order(dv_subgraphs_dp *d, const dv_unit_id *pieces, dv_target_id *target,
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

static dv_status search_orders(dv_subgraphs_dp *d, uint32_t steps, uint64_t seed,
                               dv_target_id *target, dv_unit_id *order, dv_subgraphs_result *result)
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
            dv_piece_order_late(d->pieces, trial, missing);
        else if (step == 1)
            for (uint32_t q = 0; q < n; q++)
                trial[q] = q;
        else {
            memcpy(trial, at, n * sizeof *at);
            for (uint64_t k = dv_rng_below(&rng, 3) + 1; k > 0; k--)
                dv_piece_order_disturb(d->pieces, &rng, trial);
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

static dv_status search(dv_subgraphs_dp *d, uint32_t ideal_limit, uint32_t order_steps,
                        uint64_t seed, dv_target_id *target, dv_unit_id *order,
                        dv_subgraphs_result *result)
{
    const dv_problem *p = d->p;
    size_t units = (size_t)p->unit_count + 1, tensors = (size_t)p->tensor_count + 1;
    d->tail_us = calloc(units, sizeof *d->tail_us);
    d->inside = calloc(units, sizeof *d->inside);
    d->taken = calloc(units, sizeof *d->taken);
    d->outside = calloc(tensors, sizeof *d->outside);
    d->fetched = calloc(tensors, sizeof *d->fetched);
    d->makers = calloc(tensors, sizeof *d->makers);
    d->row = calloc(units * DV_SUBGRAPHS_STATES, sizeof *d->row);
    if (!list_members(d) || !d->tail_us || !d->inside || !d->taken || !d->outside || !d->fetched ||
        !d->makers || !d->row)
        return dv_fail(DV_NO_MEMORY, "subgraphs: out of memory");
    dv_subgraphs_find_tails(d);
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
        dv_subgraphs_dp d = {.p = problem,
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
