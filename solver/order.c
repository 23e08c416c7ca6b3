/* order.c - list scheduling that stays on a device until nothing is ready there. */
#include "solver/order.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct scheduler {
    const dv_problem *problem;
    const dv_target_id *target;
    uint32_t *missing;       /* per unit: producers that have not run */
    dv_unit_id *queue;       /* units of a tried closure */
    dv_unit_id *next;        /* the unit behind it in its device's queue */
    dv_unit_id *head, *tail; /* per device: its queue of ready units */
    double *ahead_us;        /* per unit: dispatch on the dearest path behind it */
    dv_unit_id *order, *best;
    double best_us;
} scheduler;

static dv_device_id device_of(const scheduler *s, dv_unit_id u)
{
    return s->problem->device[s->target[u]];
}

/* What entering v from u costs. */
static double switch_us(const scheduler *s, dv_unit_id u, dv_unit_id v)
{
    dv_device_id to = device_of(s, v);
    return device_of(s, u) == to ? 0.0 : s->problem->dispatch_us[to];
}

static void look_ahead(scheduler *s)
{
    const dv_problem *p = s->problem;
    for (dv_unit_id u = p->unit_count; u-- > 0;) {
        s->ahead_us[u] = 0.0;
        for (uint32_t i = p->next_start[u]; i < p->next_start[u + 1]; i++) {
            dv_unit_id v = p->next[i];
            s->ahead_us[u] = fmax(s->ahead_us[u], s->ahead_us[v] + switch_us(s, u, v));
        }
    }
}

static void enqueue(scheduler *s, dv_unit_id u)
{
    dv_device_id d = device_of(s, u);
    s->next[u] = DV_NONE;
    if (s->head[d] == DV_NONE)
        s->head[d] = u;
    else
        s->next[s->tail[d]] = u;
    s->tail[d] = u;
}

static void begin(scheduler *s)
{
    const dv_problem *p = s->problem;
    for (dv_device_id d = 0; d < p->device_count; d++)
        s->head[d] = DV_NONE;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        s->missing[u] = p->previous_start[u + 1] - p->previous_start[u];
        if (s->missing[u] == 0)
            enqueue(s, u);
    }
}

/* Runs everything that is or becomes ready on d; returns the new count of units that have run. */
static uint32_t run_closure(scheduler *s, dv_device_id d, uint32_t done)
{
    const dv_problem *p = s->problem;
    while (s->head[d] != DV_NONE) {
        dv_unit_id u = s->head[d];
        s->head[d] = s->next[u];
        s->order[done++] = u;
        for (uint32_t i = p->next_start[u]; i < p->next_start[u + 1]; i++)
            if (--s->missing[p->next[i]] == 0)
                enqueue(s, p->next[i]);
    }
    return done;
}

/* How many units run_closure would run: it counts down as that would, then up again. */
static uint32_t closure_size(scheduler *s, dv_device_id d)
{
    const dv_problem *p = s->problem;
    uint32_t end = 0;
    for (dv_unit_id u = s->head[d]; u != DV_NONE; u = s->next[u])
        s->queue[end++] = u;
    for (uint32_t k = 0; k < end; k++)
        for (uint32_t i = p->next_start[s->queue[k]]; i < p->next_start[s->queue[k] + 1]; i++)
            if (--s->missing[p->next[i]] == 0 && device_of(s, p->next[i]) == d)
                s->queue[end++] = p->next[i];
    for (uint32_t k = 0; k < end; k++)
        for (uint32_t i = p->next_start[s->queue[k]]; i < p->next_start[s->queue[k] + 1]; i++)
            s->missing[p->next[i]]++;
    return end;
}

static double ahead_of(const scheduler *s, dv_device_id d)
{
    double most = -1.0;
    for (dv_unit_id u = s->head[d]; u != DV_NONE; u = s->next[u])
        most = fmax(most, s->ahead_us[u]);
    return most;
}

static dv_device_id choose(scheduler *s, bool by_size)
{
    dv_device_id best = DV_NONE;
    double best_value = -1.0;
    for (dv_device_id d = 0; d < s->problem->device_count; d++) {
        if (s->head[d] == DV_NONE)
            continue;
        double value = by_size ? closure_size(s, d) : ahead_of(s, d);
        if (value > best_value) {
            best_value = value;
            best = d;
        }
    }
    return best;
}

/* One schedule; kept if it is the best so far. */
static void schedule(scheduler *s, dv_device_id first, bool by_size)
{
    begin(s);
    if (s->head[first] == DV_NONE)
        return;
    double dispatch_us = 0.0;
    uint32_t done = 0;
    for (dv_device_id d = first; d != DV_NONE; d = choose(s, by_size)) {
        dispatch_us += s->problem->dispatch_us[d];
        done = run_closure(s, d, done);
    }
    if (done < s->problem->unit_count || dispatch_us >= s->best_us)
        return;
    s->best_us = dispatch_us;
    memcpy(s->best, s->order, done * sizeof *s->order);
}

static void release(scheduler *s)
{
    free(s->missing);
    free(s->queue);
    free(s->next);
    free(s->head);
    free(s->tail);
    free(s->ahead_us);
    free(s->order);
}

static bool allocate(scheduler *s)
{
    size_t units = (size_t)s->problem->unit_count + 1;
    size_t devices = (size_t)s->problem->device_count + 1;
    s->missing = calloc(units, sizeof *s->missing);
    s->queue = calloc(units, sizeof *s->queue);
    s->next = calloc(units, sizeof *s->next);
    s->head = calloc(devices, sizeof *s->head);
    s->tail = calloc(devices, sizeof *s->tail);
    s->ahead_us = calloc(units, sizeof *s->ahead_us);
    s->order = calloc(units, sizeof *s->order);
    return s->missing && s->queue && s->next && s->head && s->tail && s->ahead_us && s->order;
}

dv_status dv_order_closure(const dv_problem *problem, const dv_target_id *target,
                           const dv_progress *progress, double deadline_s, dv_unit_id *order,
                           double *dispatch_us)
{
    scheduler s = {.problem = problem, .target = target, .best = order, .best_us = INFINITY};
    bool ok = allocate(&s);
    if (ok) {
        look_ahead(&s);
        for (uint32_t i = 0; i < 2 * problem->device_count; i++)
            if (isinf(s.best_us) || !dv_progress_must_end(progress, deadline_s))
                schedule(&s, i / 2, i % 2 == 1);
        *dispatch_us = s.best_us;
    }
    release(&s);
    return ok ? DV_OK : dv_fail(DV_NO_MEMORY, "order: out of memory");
}

dv_status dv_order_dearest_path(const dv_problem *problem, const dv_target_id *target,
                                dv_unit_id *path, uint32_t *length, double *dispatch_us)
{
    scheduler s = {.problem = problem, .target = target};
    uint32_t *steps = calloc((size_t)problem->unit_count + 1, sizeof *steps);
    *length = 0;
    *dispatch_us = 0.0;
    if (!allocate(&s) || !steps) {
        free(steps);
        release(&s);
        return dv_fail(DV_NO_MEMORY, "order: out of memory");
    }
    /* s.next[u]: the unit behind u on its dearest path. */
    dv_unit_id first = DV_NONE;
    double best_us = -1.0;
    for (dv_unit_id u = problem->unit_count; u-- > 0;) {
        s.next[u] = DV_NONE;
        s.ahead_us[u] = 0.0;
        steps[u] = 1;
        for (uint32_t i = problem->next_start[u]; i < problem->next_start[u + 1]; i++) {
            dv_unit_id v = problem->next[i];
            double us = s.ahead_us[v] + switch_us(&s, u, v);
            if (us < s.ahead_us[u] || (us == s.ahead_us[u] && steps[v] + 1 <= steps[u]))
                continue;
            s.ahead_us[u] = us;
            s.next[u] = v;
            steps[u] = steps[v] + 1;
        }
        double us = s.ahead_us[u] + problem->dispatch_us[device_of(&s, u)];
        if (us < best_us || (us == best_us && first != DV_NONE && steps[u] <= steps[first]))
            continue;
        best_us = us;
        first = u;
    }
    for (dv_unit_id u = first; u != DV_NONE; u = s.next[u])
        path[(*length)++] = u;
    *dispatch_us = problem->unit_count ? best_us : 0.0;
    free(steps);
    release(&s);
    return DV_OK;
}
