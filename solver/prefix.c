/* prefix.c - the beginning of a plan, and the least that its end can cost; see suffix.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/suffix.h"

dv_status dv_prefix_create(const dv_suffix *suffix, dv_prefix *prefix)
{
    size_t cells = (size_t)suffix->problem->tensor_count * suffix->problem->target_count + 1;
    *prefix = (dv_prefix){.need = calloc(cells, sizeof *prefix->need),
                          .group = calloc((size_t)suffix->group_count + 1, sizeof *prefix->group)};
    if (prefix->need && prefix->group)
        return DV_OK;
    dv_prefix_free(prefix);
    return dv_fail(DV_NO_MEMORY, "suffix: out of memory");
}

void dv_prefix_free(dv_prefix *prefix)
{
    free(prefix->need);
    free(prefix->group);
    *prefix = (dv_prefix){0};
}

/* A tensor newly made on target a. */
static void fill_need(const dv_problem *p, uint32_t t, dv_target_id a, dv_prefix *prefix)
{
    for (dv_target_id e = 0; e < p->target_count; e++) {
        bool held = e == a || (e == p->host && p->host_needs[t]);
        prefix->need[(size_t)t * p->target_count + e] = held ? 0.0 : dv_problem_move_us(p, t, a, e);
    }
}

void dv_prefix_begin(const dv_suffix *suffix, dv_prefix *prefix)
{
    const dv_problem *p = suffix->problem;
    prefix->cost = 0.0;
    prefix->last = DV_NONE;
    prefix->used = 0;
    for (uint32_t g = 0; g < suffix->group_count; g++)
        prefix->group[g] = DV_NONE;
    for (uint32_t t = 0; t < p->tensor_count; t++)
        if (p->producer[t] == DV_NONE)
            fill_need(p, t, p->host, prefix);
}

bool dv_prefix_step(const dv_suffix *suffix, const dv_prefix *from, uint32_t k, dv_target_id a,
                    dv_prefix *to)
{
    const dv_problem *p = suffix->problem;
    dv_unit_id u = suffix->order[k];
    dv_device_id d = p->device[a];
    uint32_t g = suffix->group_index[u];
    if (g != UINT32_MAX && from->group[g] != DV_NONE && from->group[g] != d)
        return false;
    to->cost = from->cost + dv_problem_time_us(p, u, a);
    to->cost += from->last != d ? p->dispatch_us[d] : 0.0;
    to->cost += from->used >> d & 1u ? 0.0 : p->session_us[d];
    to->last = d;
    to->used = from->used | UINT64_C(1) << d;
    memcpy(to->group, from->group, suffix->group_count * sizeof *to->group);
    if (g != UINT32_MAX)
        to->group[g] = d;
    const dv_suffix_layer *behind = &suffix->layers[k + 1];
    for (uint32_t i = 0; i < behind->live_count; i++) {
        size_t row = (size_t)behind->live[i] * p->target_count;
        if (p->producer[behind->live[i]] != u && to != from)
            memcpy(to->need + row, from->need + row, p->target_count * sizeof *to->need);
    }
    for (uint32_t i = p->unit_tensor_start[u]; i < p->unit_tensor_start[u + 1]; i++) {
        size_t cell = (size_t)p->unit_tensors[i] * p->target_count + a;
        to->cost += from->need[cell];
        to->need[cell] = 0.0;
    }
    for (uint32_t i = p->unit_output_start[u]; i < p->unit_output_start[u + 1]; i++) {
        uint32_t t = p->unit_outputs[i];
        to->cost += p->host_needs[t] ? dv_problem_move_us(p, t, a, p->host) : 0.0;
        fill_need(p, t, a, to);
    }
    return true;
}

/* The cost of prefix and rest together; stops early once not below limit. */
static double join_us(const dv_suffix *suffix, uint32_t k, const dv_prefix *prefix, uint32_t state,
                      double limit)
{
    const dv_problem *p = suffix->problem;
    const dv_suffix_layer *layer = &suffix->layers[k];
    const uint64_t *key =
        layer->key + state * (2 + (size_t)layer->live_count + suffix->group_count);
    double sum = prefix->cost + layer->cost[state];
    if (key[0] != DV_NONE && key[0] != prefix->last)
        sum += p->dispatch_us[key[0]];
    for (uint64_t left = key[1] & ~prefix->used; left; left &= left - 1)
        sum += p->session_us[__builtin_ctzll(left)];
    for (uint32_t g = 0; g < suffix->group_count; g++) {
        uint64_t device = key[2 + layer->live_count + g];
        if (device != DV_NONE && prefix->group[g] != DV_NONE && prefix->group[g] != device)
            return INFINITY;
    }
    for (uint32_t i = 0; i < layer->live_count && sum < limit; i++) {
        const double *need = prefix->need + (size_t)layer->live[i] * p->target_count;
        for (uint64_t left = key[2 + i]; left; left &= left - 1)
            sum += need[__builtin_ctzll(left)];
    }
    return sum;
}

double dv_suffix_least(const dv_suffix *suffix, uint32_t k, const dv_prefix *prefix, double limit,
                       uint32_t *state)
{
    const dv_suffix_layer *layer = &suffix->layers[k];
    double least = limit;
    for (uint32_t i = 0; i < layer->count && prefix->cost + layer->cost[i] < least; i++) {
        double sum = join_us(suffix, k, prefix, i, least);
        if (sum >= least)
            continue;
        least = sum;
        if (state)
            *state = i;
    }
    return least;
}

void dv_suffix_follow(const dv_suffix *suffix, uint32_t k, uint32_t state, dv_target_id *target)
{
    for (; k < suffix->problem->unit_count; k++) {
        const dv_suffix_layer *layer = &suffix->layers[k];
        target[suffix->order[k]] = layer->choice[state];
        state = layer->next[state];
    }
}
