/* overlap_exact.c - depth first, the most promising beginning first. */
#include "solver/overlap_exact.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "solver/evaluate.h"
#include "solver/makespan.h"

enum { UNITS = DV_OVERLAP_EXACT_UNITS, TARGETS = DV_OVERLAP_EXACT_TARGETS };

/* All that the future of a beginning depends on: of each unit where and as what number on its
   device it ran, and whether it paid a dispatch; then the device at hand. */
typedef struct key {
    uint16_t unit[UNITS];
    uint16_t last;
} key;

typedef struct child {
    double bound_us;
    dv_unit_id unit;
    dv_target_id target;
} child;

typedef struct search {
    const dv_problem *p;
    const dv_overlap_bound *bound;
    const dv_progress *progress;
    dv_plan *plan, *trial; /* trial: the beginning, order[0 .. depth) */
    dv_makespan makespan;
    key *seen; /* open addressing; last = UINT16_MAX: empty */
    size_t capacity;
    uint32_t nodes, node_limit;
    double deadline_s;
    bool switches_matter, stopped;
    uint32_t missing[UNITS];
    key at;
    uint16_t on_device[TARGETS]; /* units so far */
} search;

/* The earliest end of unit u, not in the beginning, on target a. head: of the other such units. */
static double head_us(const search *s, dv_unit_id u, dv_target_id a, const bool *done,
                      double head[][TARGETS])
{
    const dv_problem *p = s->p;
    dv_device_id d = p->device[a];
    bool used = s->on_device[d] > 0;
    double ready = used ? s->makespan.device_free_us[d] : p->session_us[d] + p->dispatch_us[d];
    for (uint32_t i = p->unit_tensor_start[u]; i < p->unit_tensor_start[u + 1]; i++) {
        uint32_t t = p->unit_tensors[i];
        dv_unit_id maker = p->producer[t];
        uint32_t reader = p->consumer_start[t];
        while (p->consumers[reader] != u)
            reader++;
        double arrival = INFINITY;
        if (maker == DV_NONE)
            arrival = dv_problem_move_us(p, t, p->host, a);
        else if (done[maker]) /* within a device, a conversion may have been paid already */
            arrival = s->makespan.end_us[maker] +
                      (p->device[s->trial->target[maker]] == d
                           ? 0.0
                           : dv_overlap_edge_us(s->bound, t, reader, s->trial->target[maker], a));
        else
            for (dv_target_id from = 0; from < p->target_count; from++)
                arrival = fmin(arrival, head[maker][from] +
                                            dv_overlap_edge_us(s->bound, t, reader, from, a));
        ready = fmax(ready, arrival);
    }
    return ready + dv_problem_time_us(p, u, a);
}

/* What any plan with this beginning takes at least. */
static double bound_of(const search *s, uint32_t depth, double so_far_us)
{
    const dv_problem *p = s->p;
    uint32_t n = p->target_count;
    double head[UNITS][TARGETS], work = 0.0, bound = so_far_us;
    bool done[UNITS] = {false};
    for (uint32_t k = 0; k < depth; k++)
        done[s->trial->order[k]] = true;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        const double *tail = s->bound->tail_us + (size_t)u * n;
        if (done[u]) {
            bound = fmax(bound, s->makespan.end_us[u] + tail[s->trial->target[u]]);
            continue;
        }
        double least = INFINITY;
        for (dv_target_id a = 0; a < n; a++) {
            bool open = isfinite(s->bound->head_us[(size_t)u * n + a]);
            head[u][a] = open ? head_us(s, u, a, done, head) : INFINITY;
            least = fmin(least, head[u][a] + tail[a]);
        }
        bound = fmax(bound, least);
        work += s->bound->work_us[u];
    }
    for (dv_device_id d = 0; d < p->device_count; d++)
        work += s->on_device[d] ? s->bound->share[d] * s->makespan.device_free_us[d] : 0.0;
    return fmax(bound, work * (1 - 1e-12));
}

/* Was the beginning met before? Enters it. */
static bool is_known(search *s)
{
    uint64_t hash = 14695981039346656037u;
    const uint16_t *words = (const uint16_t *)&s->at;
    for (size_t i = 0; i < sizeof s->at / sizeof *words; i++)
        hash = (hash ^ words[i]) * 1099511628211u;
    size_t at = (size_t)(hash ^ hash >> 32) & (s->capacity - 1);
    for (; s->seen[at].last != UINT16_MAX; at = (at + 1) & (s->capacity - 1))
        if (memcmp(&s->seen[at], &s->at, sizeof s->at) == 0)
            return true;
    s->seen[at] = s->at;
    return false;
}

/* Puts unit u on target a at the end of the beginning; before: what key.last was. */
static void append(search *s, uint32_t depth, child c)
{
    dv_device_id d = s->p->device[c.target];
    bool begins = depth == 0 || s->p->device[s->trial->target[s->trial->order[depth - 1]]] != d;
    s->trial->order[depth] = c.unit;
    s->trial->target[c.unit] = c.target;
    unsigned pays = s->switches_matter && begins;
    s->at.unit[c.unit] =
        (uint16_t)(1u + c.target + TARGETS * (s->on_device[d] + (unsigned)UNITS * pays));
    s->at.last = s->switches_matter ? (uint16_t)d : 0;
    s->on_device[d]++;
    for (uint32_t i = s->p->next_start[c.unit]; i < s->p->next_start[c.unit + 1]; i++)
        s->missing[s->p->next[i]]--;
}

static void take_back(search *s, uint32_t depth, child c)
{
    s->at.unit[c.unit] = 0;
    s->on_device[s->p->device[c.target]]--;
    dv_device_id before = depth ? s->p->device[s->trial->target[s->trial->order[depth - 1]]] : 0;
    s->at.last = s->switches_matter ? (uint16_t)before : 0;
    for (uint32_t i = s->p->next_start[c.unit]; i < s->p->next_start[c.unit + 1]; i++)
        s->missing[s->p->next[i]]++;
}

static bool may_follow(const search *s, dv_unit_id u, dv_target_id a)
{
    const dv_problem *p = s->p;
    if (!isfinite(s->bound->head_us[(size_t)u * p->target_count + a]))
        return false;
    for (dv_unit_id v = 0; p->group && p->group[u] != DV_NONE && v < p->unit_count; v++)
        if (p->group[v] == p->group[u] && s->at.unit[v] &&
            p->device[s->trial->target[v]] != p->device[a])
            return false;
    return true;
}

static int by_bound(const void *a, const void *b)
{
    const child *x = a, *y = b;
    if (x->bound_us != y->bound_us)
        return x->bound_us < y->bound_us ? -1 : 1;
    return x->unit != y->unit ? (x->unit < y->unit ? -1 : 1)
                              : (x->target > y->target) - (x->target < y->target);
}

static void keep(search *s, double us)
{
    s->trial->makespan_us = us;
    if (!dv_evaluate(s->p, s->trial))
        return;
    memcpy(s->plan->target, s->trial->target, s->p->unit_count * sizeof *s->plan->target);
    memcpy(s->plan->order, s->trial->order, s->p->unit_count * sizeof *s->plan->order);
    s->plan->cost = s->trial->cost;
    s->plan->makespan_us = us;
    dv_progress_incumbent(s->progress, us);
}

static bool is_too_long(const search *s, double us)
{
    return us >= s->plan->makespan_us * (1 - 1e-9);
}

/* The beginnings one unit longer that could still be better, most promising first. */
static size_t list_children(search *s, uint32_t depth, child *list)
{
    const dv_problem *p = s->p;
    size_t count = 0;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        for (dv_target_id a = 0; a < p->target_count; a++) {
            child c = {0.0, u, a};
            if (s->at.unit[u] || s->missing[u] || !may_follow(s, u, a))
                continue;
            append(s, depth, c);
            double so_far =
                dv_makespan_prefix_us(&s->makespan, s->trial->target, s->trial->order, depth + 1);
            c.bound_us = bound_of(s, depth + 1, so_far);
            take_back(s, depth, c);
            if (!is_too_long(s, c.bound_us))
                list[count++] = c;
        }
    qsort(list, count, sizeof *list, by_bound);
    return count;
}

/* As deep as there are units, of which there are few. */
static void extend(search *s, uint32_t depth)
{
    child list[UNITS * TARGETS];
    if (depth == s->p->unit_count) {
        double us = dv_makespan_us(&s->makespan, s->trial->target, s->trial->order);
        if (!is_too_long(s, us))
            keep(s, us);
        return;
    }
    size_t count = list_children(s, depth, list);
    for (size_t i = 0; i < count && !s->stopped; i++) {
        if (is_too_long(s, list[i].bound_us))
            return;
        append(s, depth, list[i]);
        if (++s->nodes >= s->node_limit || dv_clock_s() >= s->deadline_s ||
            dv_progress_stopped(s->progress))
            s->stopped = true;
        else if (!is_known(s))
            extend(s, depth + 1);
        take_back(s, depth, list[i]);
    }
}

static dv_status prepare(search *s)
{
    const dv_problem *p = s->p;
    for (s->capacity = 1024; s->capacity < 2 * (size_t)s->node_limit;)
        s->capacity *= 2;
    s->seen = malloc(s->capacity * sizeof *s->seen);
    if (!s->seen)
        return dv_fail(DV_NO_MEMORY, "makespan: out of memory");
    memset(s->seen, 0xff, s->capacity * sizeof *s->seen);
    s->switches_matter = p->max_segments != UINT32_MAX;
    for (dv_device_id d = 0; d < p->device_count; d++)
        s->switches_matter = s->switches_matter || p->dispatch_us[d] > 0.0;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        s->missing[u] = p->previous_start[u + 1] - p->previous_start[u];
    DV_TRY(dv_plan_create(p, &s->trial));
    return dv_makespan_create(p, &s->makespan);
}

dv_status dv_overlap_exact(const dv_problem *problem, const dv_overlap_bound *bound,
                           uint32_t node_limit, double deadline_s, const dv_progress *progress,
                           dv_plan *plan, bool *finished)
{
    *finished = false;
    if (problem->unit_count > UNITS || problem->target_count > TARGETS)
        return DV_OK;
    search s = {.p = problem,
                .bound = bound,
                .progress = progress,
                .plan = plan,
                .node_limit = node_limit,
                .deadline_s = deadline_s};
    dv_status status = prepare(&s);
    if (status == DV_OK) {
        extend(&s, 0);
        *finished = !s.stopped;
    }
    free(s.seen);
    dv_plan_destroy(s.trial);
    dv_makespan_free(&s.makespan);
    return status;
}
