/* ggml.c - the scheduler of ggml (llama.cpp): five passes over the nodes in their given order.

     1  nodes with weights go where their weights are
     2  assignments spread to neighbours that the backend supports: accelerators down and up the
        list, then every backend down and up; the CPU stops the first two sweeps
     3  what is still free goes to the backend that holds most of its inputs; a node moves to a
        backend of higher priority if that shares memory with its own and with its inputs
     4  inputs of nodes get the backend of their readers (here: the host's inputs stay there)
     5  runs of one backend become splits, with copies between them

   Simplified: weights lie on the backend of highest priority that supports their node and has
   memory left, as with all layers offloaded; a problem that states no memory has weights where the
   host takes longer than for the mean unit. Sharing memory means that moving costs nothing.
   Passes 4 and 5 are what segments and moves are in any plan. O(units * devices * inputs). */
#include <math.h>
#include <stdlib.h>

#include "solver/place.h"
#include "solver/priority.h"
#include "solver/strategy.h"

enum { PRIORITY };

static const dv_param params[] = {
    [PRIORITY] = {.name = "priority",
                  .type = DV_PARAM_TEXT,
                  .summary = "the backends' devices, highest priority first, as gpu+npu; or speed: "
                             "the most accelerating first",
                  .preset = "speed"},
    {0},
};

typedef struct scheduler {
    const dv_problem *problem;
    dv_priority backends; /* the host's device last */
    uint32_t *backend;    /* per unit: index in backends; UINT32_MAX: free */
    double *bytes;        /* per backend: weights put there */
} scheduler;

static dv_target_id target_on(const scheduler *s, dv_unit_id u, uint32_t backend)
{
    return dv_place_fastest(s->problem, u, s->backends.device[backend]);
}

static bool has_weights(const scheduler *s, dv_unit_id u, double mean_us)
{
    const dv_problem *p = s->problem;
    dv_target_id a = dv_place_fallback(p, u);
    if (p->memory_bytes)
        return p->memory_bytes[(size_t)u * p->target_count + a] > 0.0;
    return dv_problem_time_us(p, u, a) > mean_us;
}

/* Puts u's weights on backend b's target a, if there is room. */
static bool take_room(scheduler *s, dv_unit_id u, uint32_t b, dv_target_id a)
{
    const dv_problem *p = s->problem;
    double bytes = p->memory_bytes ? p->memory_bytes[(size_t)u * p->target_count + a] : 0.0;
    if (s->bytes[b] + bytes > p->capacity_bytes[s->backends.device[b]])
        return false;
    s->bytes[b] += bytes;
    return true;
}

static void follow_weights(scheduler *s)
{
    const dv_problem *p = s->problem;
    double mean_us = 0.0;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        mean_us += dv_problem_time_us(p, u, dv_place_fallback(p, u)) / p->unit_count;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        s->backend[u] = UINT32_MAX;
        if (!has_weights(s, u, mean_us))
            continue;
        for (uint32_t b = 0; b < s->backends.count && s->backend[u] == UINT32_MAX; b++) {
            dv_target_id a = target_on(s, u, b);
            if (a != DV_NONE && take_room(s, u, b, a))
                s->backend[u] = b;
        }
    }
}

/* One sweep down or up the list; the last backend, the CPU, spreads only if all do. */
static void spread(scheduler *s, bool up, bool all)
{
    uint32_t n = s->problem->unit_count, at = UINT32_MAX;
    for (uint32_t i = 0; i < n; i++) {
        dv_unit_id u = up ? n - 1 - i : i;
        if (s->backend[u] != UINT32_MAX)
            at = all || s->backend[u] + 1 < s->backends.count ? s->backend[u] : UINT32_MAX;
        else if (at != UINT32_MAX && target_on(s, u, at) != DV_NONE)
            s->backend[u] = at;
    }
}

static bool moves_freely(const dv_problem *p, dv_target_id a, dv_target_id b)
{
    size_t pair = (size_t)a * p->target_count + b;
    return a == b || (p->move_latency_us[pair] == 0.0 && p->move_us_per_byte[pair] == 0.0);
}

static dv_target_id target_of(const scheduler *s, dv_unit_id u)
{
    if (u == DV_NONE)
        return s->problem->host;
    return s->backend[u] == UINT32_MAX ? DV_NONE : target_on(s, u, s->backend[u]);
}

/* How many of u's inputs can be read on target a as they lie. */
static uint32_t inputs_at(const scheduler *s, dv_unit_id u, dv_target_id a)
{
    const dv_problem *p = s->problem;
    uint32_t count = 0;
    for (uint32_t i = p->unit_tensor_start[u]; i < p->unit_tensor_start[u + 1]; i++) {
        dv_target_id from = target_of(s, p->producer[p->unit_tensors[i]]);
        count += from != DV_NONE && moves_freely(p, from, a);
    }
    return count;
}

/* The backend that holds most inputs; the first of equals. */
static void assign_free(scheduler *s, dv_unit_id u)
{
    uint32_t most = 0;
    for (uint32_t b = 0; b < s->backends.count; b++) {
        dv_target_id a = target_on(s, u, b);
        if (a == DV_NONE)
            continue;
        uint32_t count = inputs_at(s, u, a);
        if (s->backend[u] != UINT32_MAX && count <= most)
            continue;
        s->backend[u] = b;
        most = count;
    }
}

static void upgrade(scheduler *s, dv_unit_id u)
{
    const dv_problem *p = s->problem;
    uint32_t inputs = p->unit_tensor_start[u + 1] - p->unit_tensor_start[u];
    for (uint32_t b = 0; b < s->backend[u]; b++) {
        dv_target_id a = target_on(s, u, b);
        if (a == DV_NONE || !moves_freely(p, target_of(s, u), a) || inputs_at(s, u, a) < inputs ||
            !take_room(s, u, b, a))
            continue;
        s->backend[u] = b;
        return;
    }
}

static void place(scheduler *s, dv_plan *plan)
{
    const dv_problem *p = s->problem;
    follow_weights(s);
    spread(s, false, false);
    spread(s, true, false);
    spread(s, false, true);
    spread(s, true, true);
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        if (s->backend[u] == UINT32_MAX)
            assign_free(s, u);
        else
            upgrade(s, u);
    }
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        plan->target[u] = target_on(s, u, s->backend[u]);
    dv_place_join_groups(p, plan);
}

static dv_status solve(const dv_problem *problem, const dv_solve_options *options,
                       const dv_param_value *values, dv_plan *plan, dv_outcome *outcome)
{
    *outcome = DV_OUTCOME_NONE;
    dv_plan *trial = NULL;
    scheduler s = {.problem = problem};
    DV_TRY(dv_priority_create(problem, &s.backends));
    dv_status status =
        dv_priority_choose(problem, "ggml", "priority", values[PRIORITY].text, &s.backends);
    dv_device_id host = problem->device[problem->host];
    for (uint32_t i = 0; i < s.backends.count && status == DV_OK; i++)
        if (s.backends.device[i] == host)
            status = dv_fail(DV_BAD_PARAMETER,
                             "strategy ggml: priority=%s: %s, the host, is last "
                             "anyway; leave it out",
                             values[PRIORITY].text, problem->device_name[host]);
    if (status == DV_OK) {
        s.backends.device[s.backends.count++] = host;
        s.backend = calloc((size_t)problem->unit_count + 1, sizeof *s.backend);
        s.bytes = calloc((size_t)problem->device_count + 1, sizeof *s.bytes);
        status = s.backend && s.bytes ? dv_plan_create(problem, &trial)
                                      : dv_fail(DV_NO_MEMORY, "strategy ggml: out of memory");
    }
    if (status == DV_OK) {
        /* A list that leaves devices out may leave a unit without any: then nothing is found. */
        bool served = true;
        for (dv_unit_id u = 0; u < problem->unit_count; u++) {
            bool any = false;
            for (uint32_t b = 0; b < s.backends.count; b++)
                any = any || target_on(&s, u, b) != DV_NONE;
            served = served && any;
        }
        if (served) {
            place(&s, trial);
            dv_place_keep_better(problem, options->progress, trial, plan, outcome);
        }
    }
    free(s.backend);
    free(s.bytes);
    dv_plan_destroy(trial);
    dv_priority_free(&s.backends);
    return status;
}

const dv_strategy dv_strategy_ggml = {
    .name = "ggml",
    .summary = "weights on the accelerator, then sweeps that spread to neighbours",
    .citation = "ggml (llama.cpp), ggml-backend.cpp, ggml_backend_sched_split_graph",
    .objectives = DV_OBJECTIVE_LATENCY | DV_OBJECTIVE_MAKESPAN,
    .params = params,
    .solve = solve,
};
