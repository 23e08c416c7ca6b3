/* subgraphs_states.c - see subgraphs_states.h. */
#include "solver/subgraphs_states.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"

enum { STATES_ALONG = 16 }; /* of one ideal along one order */

/* The least time that unit v takes anywhere. */
static double least_us(const dv_subgraphs_dp *d, dv_unit_id v)
{
    double least = INFINITY;
    if (dv_problem_allows(d->p, v, d->p->host))
        least = dv_problem_time_us(d->p, v, d->p->host);
    if (dv_problem_allows(d->p, v, d->accelerator))
        least = fmin(least, dv_problem_time_us(d->p, v, d->accelerator));
    return least;
}

/* The tail of u through what is neither inside nor taken; negative if nothing there reads it. */
static double open_tail_us(const dv_subgraphs_dp *d, dv_unit_id u)
{
    double tail = -1.0;
    for (uint32_t i = d->p->next_start[u]; i < d->p->next_start[u + 1]; i++) {
        dv_unit_id v = d->p->next[i];
        if (!d->inside[d->piece[v]] && !d->taken[d->piece[v]])
            tail = fmax(tail, least_us(d, v) + d->tail_us[v]);
    }
    return tail;
}

bool dv_subgraphs_list_live(dv_subgraphs_dp *d, uint32_t j)
{
    if (d->live[j])
        return true;
    dv_subgraphs_live *list = calloc((size_t)d->p->unit_count + 1, sizeof *list);
    uint32_t count = 0;
    if (!list)
        return false;
    for (dv_unit_id u = 0; u < d->p->unit_count; u++) {
        double tail = d->inside[d->piece[u]] || d->taken[d->piece[u]] ? open_tail_us(d, u) : -1.0;
        if (tail >= 0.0)
            list[count++] = (dv_subgraphs_live){u, tail};
    }
    for (uint32_t *at = &d->path_at[j]; *at < d->path->length; ++*at)
        if (!d->inside[d->piece[d->path->unit[*at]]] && !d->taken[d->piece[d->path->unit[*at]]])
            break;
    d->live[j] = realloc(list, ((size_t)count + 1) * sizeof *list);
    d->live_count[j] = count;
    return d->live[j] != NULL;
}

/* Is a no later than b in anything? */
static bool dominates(const dv_subgraphs_dp *d, const dv_subgraphs_state *a, const double *b_ends,
                      double b_last, uint32_t b_used)
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
static double bound_of(const dv_subgraphs_dp *d, uint32_t ideal, const double *ends, double last,
                       uint32_t used)
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
static bool make_room(dv_subgraphs_dp *d, uint32_t j, double bound)
{
    uint32_t *list = d->list + (size_t)j * DV_SUBGRAPHS_STATES, worst = 0;
    double most = -INFINITY;
    if (d->list_count[j] < (d->order ? STATES_ALONG : DV_SUBGRAPHS_STATES))
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

void dv_subgraphs_enter(dv_subgraphs_dp *d, uint32_t j, const double *ends, dv_subgraphs_state new)
{
    double bound = bound_of(d, j, ends, new.last_us, new.used);
    uint32_t *list = d->list + (size_t)j * DV_SUBGRAPHS_STATES, kept = 0;
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
        const dv_subgraphs_state *old = &d->states[list[i]];
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

void dv_subgraphs_find_tails(dv_subgraphs_dp *d)
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

void dv_subgraphs_free_states(dv_subgraphs_dp *d)
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
