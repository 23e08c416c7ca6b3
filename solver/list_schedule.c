/* list_schedule.c - one unit after another to the target where it is done first. */
#include "solver/list_schedule.h"

#include <math.h>
#include <stdlib.h>

#include "solver/place.h"

typedef struct busy { /* of a device, by time */
    double start_us, end_us;
} busy;

typedef struct schedule {
    const dv_problem *problem;
    busy *slots; /* [device * units + i] */
    uint32_t *slot_count;
    double *start_us, *finish_us; /* per unit */
    uint32_t *missing;            /* per unit: producers not yet scheduled; UINT32_MAX: done */
    uint32_t *rank;               /* per unit: when it was scheduled */
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

/* The earliest start on device d of something that is ready and takes so long. */
static double earliest_us(const schedule *s, dv_device_id d, double ready, double takes)
{
    const busy *slots = s->slots + (size_t)d * s->problem->unit_count;
    double start = ready;
    for (uint32_t i = 0; i < s->slot_count[d]; i++) {
        if (start + takes <= slots[i].start_us)
            return start;
        start = fmax(start, slots[i].end_us);
    }
    return start;
}

static void occupy(schedule *s, dv_device_id d, double start, double end)
{
    busy *slots = s->slots + (size_t)d * s->problem->unit_count;
    uint32_t i = s->slot_count[d]++;
    for (; i > 0 && slots[i - 1].start_us > start; i--)
        slots[i] = slots[i - 1];
    slots[i] = (busy){start, end};
}

/* May u go to target a: support, pin, and the device that its group has already? */
static bool may_go(const schedule *s, dv_unit_id u, dv_target_id a)
{
    const dv_problem *p = s->problem;
    if (!dv_problem_allows(p, u, a))
        return false;
    if (!p->group || p->group[u] == DV_NONE)
        return true;
    for (dv_unit_id v = 0; v < p->unit_count; v++)
        if (v != u && p->group[v] == p->group[u]) {
            if (s->missing[v] == UINT32_MAX && p->device[s->plan->target[v]] != p->device[a])
                return false;
            if (dv_place_fastest(p, v, p->device[a]) == DV_NONE)
                return false;
        }
    return true;
}

static void put(schedule *s, dv_unit_id u, const double *ahead_us)
{
    const dv_problem *p = s->problem;
    dv_target_id best = dv_place_fallback(p, u); /* if its group leaves it nowhere */
    double best_us = INFINITY, best_start = 0.0;
    for (dv_target_id a = 0; a < p->target_count; a++) {
        if (!may_go(s, u, a))
            continue;
        double takes = dv_problem_time_us(p, u, a);
        double start = earliest_us(s, p->device[a], ready_us(s, u, a), takes);
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
    occupy(s, p->device[best], best_start, s->finish_us[u]);
}

/* The order of starts; of equal ones, the order of scheduling, in which producers come first. */
static void write_order(const schedule *s)
{
    dv_unit_id *order = s->plan->order;
    uint32_t n = s->problem->unit_count;
    for (dv_unit_id u = 0; u < n; u++)
        order[s->rank[u]] = u;
    for (uint32_t i = 1; i < n; i++) {
        dv_unit_id u = order[i];
        uint32_t k = i;
        for (; k > 0 && s->start_us[order[k - 1]] > s->start_us[u]; k--)
            order[k] = order[k - 1];
        order[k] = u;
    }
}

static void run(schedule *s, const double *priority, const double *ahead_us)
{
    const dv_problem *p = s->problem;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        s->missing[u] = p->previous_start[u + 1] - p->previous_start[u];
    for (uint32_t k = 0; k < p->unit_count; k++) {
        dv_unit_id next = DV_NONE;
        for (dv_unit_id u = 0; u < p->unit_count; u++)
            if (s->missing[u] == 0 && (next == DV_NONE || priority[u] > priority[next]))
                next = u;
        put(s, next, ahead_us);
        s->missing[next] = UINT32_MAX;
        s->rank[next] = k;
        for (uint32_t i = p->next_start[next]; i < p->next_start[next + 1]; i++)
            s->missing[p->next[i]]--;
    }
    write_order(s);
}

dv_status dv_list_schedule(const dv_problem *problem, const double *priority,
                           const double *ahead_us, dv_plan *plan)
{
    size_t units = (size_t)problem->unit_count + 1;
    schedule s = {.problem = problem, .plan = plan};
    s.slots = calloc(units * ((size_t)problem->device_count + 1), sizeof *s.slots);
    s.slot_count = calloc((size_t)problem->device_count + 1, sizeof *s.slot_count);
    s.start_us = calloc(units, sizeof *s.start_us);
    s.finish_us = calloc(units, sizeof *s.finish_us);
    s.missing = calloc(units, sizeof *s.missing);
    s.rank = calloc(units, sizeof *s.rank);
    bool ok = s.slots && s.slot_count && s.start_us && s.finish_us && s.missing && s.rank;
    if (ok)
        run(&s, priority, ahead_us);
    free(s.slots);
    free(s.slot_count);
    free(s.start_us);
    free(s.finish_us);
    free(s.missing);
    free(s.rank);
    return ok ? DV_OK : dv_fail(DV_NO_MEMORY, "list scheduling: out of memory");
}
