/* list_schedule.c - one unit after another to the target where it is done first.

   Ready units wait in a heap. Busy times that touch are one, so what is left between them are gaps
   that nothing fitted into yet; those before a unit's inputs are there are skipped by bisection. */
#include "solver/list_schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "solver/groups.h"
#include "solver/place.h"
#include "solver/unit_heap.h"

typedef struct busy { /* of a device, by time; neighbours do not touch */
    double start_us, end_us;
} busy;

typedef struct timeline {
    busy *slots;
    size_t count, capacity;
} timeline;

typedef struct begun {
    double start_us;
    uint32_t rank; /* when it was scheduled */
    dv_unit_id unit;
} begun;

typedef struct schedule {
    const dv_problem *problem;
    timeline *devices;
    double *start_us, *finish_us; /* per unit */
    uint32_t *missing;            /* per unit: producers not yet scheduled; UINT32_MAX: done */
    dv_unit_heap ready;
    begun *begun; /* as scheduled */
    dv_unit_groups groups;
    dv_device_id *group_device; /* of a group's first unit; DV_NONE: none is scheduled */
    bool *group_may;            /* [group * devices + device]: can all its units run there? */
    dv_plan *plan;
} schedule;

double dv_mean_time_us(const dv_problem *problem, dv_unit_id u)
{
    double sum = 0.0;
    uint32_t count = 0;
    for (dv_target_id a = 0; a < problem->target_count; a++)
        if (dv_problem_allows(problem, u, a)) {
            sum += dv_problem_time_us(problem, u, a);
            count++;
        }
    return sum / count;
}

double dv_mean_move_us(const dv_problem *problem, uint32_t t)
{
    double sum = 0.0;
    uint32_t n = problem->target_count;
    for (dv_target_id a = 0; a < n; a++)
        for (dv_target_id b = 0; b < n; b++)
            sum += dv_problem_move_us(problem, t, a, b);
    return n > 1 ? sum / ((double)n * (n - 1)) : 0.0;
}

/* When all that u reads is on target a. */
static double ready_us(const schedule *s, dv_unit_id u, dv_target_id a)
{
    const dv_problem *p = s->problem;
    double ready = 0.0;
    for (uint32_t i = p->unit_tensor_start[u]; i < p->unit_tensor_start[u + 1]; i++) {
        uint32_t t = p->unit_tensors[i];
        dv_unit_id from = p->producer[t];
        double made = from == DV_NONE ? 0.0 : s->finish_us[from];
        dv_target_id at = from == DV_NONE ? p->host : s->plan->target[from];
        ready = fmax(ready, made + dv_problem_move_us(p, t, at, a));
    }
    return ready;
}

/* The first slot that ends after that time. */
static size_t first_ending_after(const timeline *t, double us)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->slots[middle].end_us > us)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The earliest start on a device of something that is ready and takes so long. */
static double earliest_us(const timeline *t, double ready, double takes)
{
    double start = ready;
    for (size_t i = first_ending_after(t, ready); i < t->count; i++) {
        if (start + takes <= t->slots[i].start_us)
            return start;
        start = fmax(start, t->slots[i].end_us);
    }
    return start;
}

/* False without memory. */
static bool occupy(timeline *t, double start, double end)
{
    if (end <= start)
        return true; /* takes no time, so it is in nobody's way */
    size_t i = first_ending_after(t, start);
    bool before = i > 0 && t->slots[i - 1].end_us == start;
    bool behind = i < t->count && t->slots[i].start_us == end;
    if (before && behind) {
        t->slots[i - 1].end_us = t->slots[i].end_us;
        memmove(t->slots + i, t->slots + i + 1, (--t->count - i) * sizeof *t->slots);
    } else if (before) {
        t->slots[i - 1].end_us = end;
    } else if (behind) {
        t->slots[i].start_us = start;
    } else {
        void *items = t->slots;
        if (!dv_grow(&items, &t->capacity, t->count + 1, sizeof *t->slots))
            return false;
        t->slots = items;
        memmove(t->slots + i + 1, t->slots + i, (t->count++ - i) * sizeof *t->slots);
        t->slots[i] = (busy){start, end};
    }
    return true;
}

/* May u go to target a: support, pin, and the device that its group has already? */
static bool may_go(const schedule *s, dv_unit_id u, dv_target_id a)
{
    const dv_problem *p = s->problem;
    uint32_t g = s->groups.index[u];
    dv_device_id d = p->device[a];
    return dv_problem_allows(p, u, a) &&
           (g == UINT32_MAX || (s->group_may[(size_t)g * p->device_count + d] &&
                                (s->group_device[g] == DV_NONE || s->group_device[g] == d)));
}

/* False without memory. */
static bool put(schedule *s, dv_unit_id u, const double *ahead_us)
{
    const dv_problem *p = s->problem;
    dv_target_id best = dv_place_fallback(p, u); /* if its group leaves it nowhere */
    double best_us = INFINITY, best_start = 0.0;
    for (dv_target_id a = 0; a < p->target_count; a++) {
        if (!may_go(s, u, a))
            continue;
        double takes = dv_problem_time_us(p, u, a);
        double start = earliest_us(&s->devices[p->device[a]], ready_us(s, u, a), takes);
        double value = start + takes + (ahead_us ? ahead_us[(size_t)u * p->target_count + a] : 0.0);
        if (value >= best_us)
            continue;
        best_us = value;
        best_start = start;
        best = a;
    }
    s->plan->target[u] = best;
    s->start_us[u] = best_start;
    s->finish_us[u] = best_start + dv_problem_time_us(p, u, best);
    if (s->groups.index[u] != UINT32_MAX && s->group_device[s->groups.index[u]] == DV_NONE)
        s->group_device[s->groups.index[u]] = p->device[best];
    return occupy(&s->devices[p->device[best]], best_start, s->finish_us[u]);
}

static int by_start(const void *a, const void *b)
{
    const begun *x = a, *y = b;
    if (x->start_us != y->start_us)
        return x->start_us < y->start_us ? -1 : 1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* The order of starts; of equal ones, the order of scheduling, in which producers come first. */
static void write_order(const schedule *s)
{
    uint32_t n = s->problem->unit_count;
    qsort(s->begun, n, sizeof *s->begun, by_start);
    for (uint32_t i = 0; i < n; i++)
        s->plan->order[i] = s->begun[i].unit;
}

static void find_group_devices(schedule *s)
{
    const dv_problem *p = s->problem;
    for (uint32_t g = 0; g < s->groups.count; g++) {
        s->group_device[g] = DV_NONE;
        for (dv_device_id d = 0; d < p->device_count; d++) {
            bool all = true;
            for (uint32_t i = s->groups.start[g]; all && i < s->groups.start[g + 1]; i++)
                all = dv_place_fastest(p, s->groups.units[i], d) != DV_NONE;
            s->group_may[(size_t)g * p->device_count + d] = all;
        }
    }
}

/* False without memory. */
static bool run(schedule *s, const double *ahead_us, const dv_progress *progress, double deadline_s,
                bool *ended)
{
    const dv_problem *p = s->problem;
    find_group_devices(s);
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        s->missing[u] = p->previous_start[u + 1] - p->previous_start[u];
        if (s->missing[u] == 0)
            dv_unit_heap_push(&s->ready, u);
    }
    for (uint32_t k = 0; k < p->unit_count; k++) {
        if (k % 256 == 255 && dv_progress_must_end(progress, deadline_s)) {
            *ended = true;
            return true;
        }
        dv_unit_id next = dv_unit_heap_pop(&s->ready);
        if (!put(s, next, ahead_us))
            return false;
        s->begun[k] = (begun){s->start_us[next], k, next};
        for (uint32_t i = p->next_start[next]; i < p->next_start[next + 1]; i++)
            if (--s->missing[p->next[i]] == 0)
                dv_unit_heap_push(&s->ready, p->next[i]);
    }
    write_order(s);
    return true;
}

static void release(schedule *s)
{
    for (dv_device_id d = 0; s->devices && d < s->problem->device_count; d++)
        free(s->devices[d].slots);
    free(s->devices);
    free(s->start_us);
    free(s->finish_us);
    free(s->missing);
    free(s->ready.unit);
    free(s->begun);
    free(s->group_device);
    free(s->group_may);
    dv_unit_groups_free(&s->groups);
}

dv_status dv_list_schedule(const dv_problem *problem, const double *priority,
                           const double *ahead_us, const dv_progress *progress, double deadline_s,
                           dv_plan *plan, bool *ended)
{
    size_t units = (size_t)problem->unit_count + 1, devices = problem->device_count;
    schedule s = {.problem = problem, .ready.priority = priority, .plan = plan};
    *ended = false;
    DV_TRY(dv_unit_groups_create(problem, &s.groups));
    s.devices = calloc(devices + 1, sizeof *s.devices);
    s.start_us = calloc(units, sizeof *s.start_us);
    s.finish_us = calloc(units, sizeof *s.finish_us);
    s.missing = calloc(units, sizeof *s.missing);
    s.ready.unit = calloc(units, sizeof *s.ready.unit);
    s.begun = calloc(units, sizeof *s.begun);
    s.group_device = calloc((size_t)s.groups.count + 1, sizeof *s.group_device);
    s.group_may = calloc((size_t)s.groups.count * devices + 1, sizeof *s.group_may);
    bool ok = s.devices && s.start_us && s.finish_us && s.missing && s.ready.unit && s.begun &&
              s.group_device && s.group_may;
    ok = ok && run(&s, ahead_us, progress, deadline_s, ended);
    release(&s);
    return ok ? DV_OK : dv_fail(DV_NO_MEMORY, "list scheduling: out of memory");
}
