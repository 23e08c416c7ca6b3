/* makespan.c - the overlapped schedule of a plan, unit after unit.

   A device takes its units in the plan's order, and a link its tensors in the order in which they
   were made, so one pass along the order meets everything after what it waits for. */
#include "solver/makespan.h"

#include <math.h>
#include <stdlib.h>

#include "solver/subgraphs.h"

typedef struct schedule {
    dv_makespan *m;
    const dv_problem *problem;
    const dv_target_id *target;
    double end_us; /* of all so far */
} schedule;

static double *there(const schedule *s, uint32_t t, dv_target_id a)
{
    return &s->m->there_us[(size_t)t * s->problem->target_count + a];
}

static dv_target_id source_of(const schedule *s, uint32_t t)
{
    dv_unit_id maker = s->problem->producer[t];
    return maker == DV_NONE ? s->problem->host : s->target[maker];
}

static int by_turn(const void *a, const void *b)
{
    const dv_transfer *x = a, *y = b;
    if (x->reader != y->reader)
        return x->reader < y->reader ? -1 : 1;
    if (x->tensor != y->tensor)
        return x->tensor < y->tensor ? -1 : 1;
    return x->to < y->to ? -1 : x->to > y->to;
}

/* Adds a transfer for each other device's target that reads t, with its first reader, to the sorted
   ones. Returns their new number. */
static size_t add_transfers(const schedule *s, uint32_t t, size_t count)
{
    const dv_problem *p = s->problem;
    dv_transfer *list = s->m->transfer;
    size_t first = count;
    dv_device_id home = p->device[source_of(s, t)];
    uint32_t end = p->consumer_start[t + 1];
    for (uint32_t i = p->consumer_start[t]; i <= end; i++) {
        if (i == end && !p->host_needs[t])
            break;
        uint32_t reader = i == end ? UINT32_MAX : s->m->position[p->consumers[i]];
        dv_target_id to = i == end ? p->host : s->target[p->consumers[i]];
        if (p->device[to] == home || (i < end && reader == UINT32_MAX))
            continue;
        size_t k = first;
        while (k < count && list[k].to != to)
            k++;
        if (k == count)
            list[count++] = (dv_transfer){reader, t, to};
        else if (reader < list[k].reader)
            list[k].reader = reader;
    }
    return count;
}

/* Sends them in turn, none before ready_us. */
static void send(schedule *s, size_t count, double ready_us)
{
    const dv_problem *p = s->problem;
    dv_transfer *list = s->m->transfer;
    if (count > 1)
        qsort(list, count, sizeof *list, by_turn);
    for (size_t i = 0; i < count; i++) {
        uint32_t t = list[i].tensor;
        dv_target_id from = source_of(s, t), to = list[i].to;
        double *link =
            &s->m->link_free_us[(size_t)p->device[from] * p->device_count + p->device[to]];
        *link = fmax(*link, ready_us) + dv_problem_move_us(p, t, from, to);
        *there(s, t, to) = *link;
        s->end_us = fmax(s->end_us, *link);
    }
}

static void send_inputs(schedule *s)
{
    const dv_problem *p = s->problem;
    size_t count = 0;
    for (uint32_t t = 0; t < p->tensor_count; t++)
        if (p->producer[t] == DV_NONE)
            count = add_transfers(s, t, count);
    send(s, count, 0.0);
}

static void send_outputs(schedule *s, dv_unit_id u)
{
    const dv_problem *p = s->problem;
    size_t count = 0;
    for (uint32_t i = p->unit_output_start[u]; i < p->unit_output_start[u + 1]; i++)
        count = add_transfers(s, p->unit_outputs[i], count);
    send(s, count, s->m->end_us[u]);
}

/* When the last of what u reads has arrived from other devices. */
static double arrival_us(const schedule *s, dv_unit_id u)
{
    const dv_problem *p = s->problem;
    dv_device_id here = p->device[s->target[u]];
    double last_us = 0.0;
    for (uint32_t i = p->unit_tensor_start[u]; i < p->unit_tensor_start[u + 1]; i++) {
        uint32_t t = p->unit_tensors[i];
        if (p->device[source_of(s, t)] != here)
            last_us = fmax(last_us, *there(s, t, s->target[u]));
    }
    return last_us;
}

/* now_us, and what u takes of its device's time for tensors that are there in another form. */
static double convert_inputs(const schedule *s, dv_unit_id u, double now_us)
{
    const dv_problem *p = s->problem;
    dv_target_id here = s->target[u];
    for (uint32_t i = p->unit_tensor_start[u]; i < p->unit_tensor_start[u + 1]; i++) {
        uint32_t t = p->unit_tensors[i];
        dv_target_id from = source_of(s, t);
        if (p->device[from] == p->device[here] && from != here && *there(s, t, here) < 0.0) {
            now_us += dv_problem_move_us(p, t, from, here);
            *there(s, t, here) = 0.0;
        }
    }
    return now_us;
}

/* The same for outputs that the host needs, made on its device in another form. */
static double convert_outputs(const schedule *s, dv_unit_id u, double now_us)
{
    const dv_problem *p = s->problem;
    dv_target_id here = s->target[u];
    if (here == p->host || p->device[here] != p->device[p->host])
        return now_us;
    for (uint32_t i = p->unit_output_start[u]; i < p->unit_output_start[u + 1]; i++) {
        uint32_t t = p->unit_outputs[i];
        if (!p->host_needs[t])
            continue;
        now_us += dv_problem_move_us(p, t, here, p->host);
        *there(s, t, p->host) = 0.0;
    }
    return now_us;
}

static void run_unit(schedule *s, dv_unit_id u, dv_device_id before)
{
    const dv_problem *p = s->problem;
    dv_device_id d = p->device[s->target[u]];
    double *device = &s->m->device_free_us[d];
    double now = fmax(*device, arrival_us(s, u)); /* < 0: not used yet */
    now += *device >= 0.0 ? 0.0 : p->session_us[d];
    now += d != before ? p->dispatch_us[d] : 0.0;
    now = convert_inputs(s, u, now) + dv_problem_time_us(p, u, s->target[u]);
    *device = s->m->end_us[u] = convert_outputs(s, u, now);
    s->end_us = fmax(s->end_us, *device);
    send_outputs(s, u);
}

double dv_makespan_prefix_us(dv_makespan *makespan, const dv_target_id *target,
                             const dv_unit_id *order, uint32_t count)
{
    const dv_problem *p = makespan->problem;
    schedule s = {.m = makespan, .problem = p, .target = target};
    for (dv_device_id d = 0; d < p->device_count; d++)
        makespan->device_free_us[d] = -1.0;
    for (size_t i = 0; i < (size_t)p->device_count * p->device_count; i++)
        makespan->link_free_us[i] = 0.0;
    for (size_t i = 0; i < (size_t)p->tensor_count * p->target_count; i++)
        makespan->there_us[i] = -1.0;
    for (dv_unit_id u = 0; count < p->unit_count && u < p->unit_count; u++)
        makespan->position[u] = UINT32_MAX;
    for (uint32_t k = 0; k < count; k++)
        makespan->position[order[k]] = k;
    send_inputs(&s);
    dv_device_id before = DV_NONE;
    for (uint32_t k = 0; k < count; k++) {
        run_unit(&s, order[k], before);
        before = p->device[target[order[k]]];
    }
    return s.end_us;
}

double dv_makespan_us(dv_makespan *makespan, const dv_target_id *target, const dv_unit_id *order)
{
    if (makespan->problem->subgraphs_per_device)
        return dv_subgraphs_us(makespan, target, order);
    return dv_makespan_prefix_us(makespan, target, order, makespan->problem->unit_count);
}

static size_t most_tensors(const dv_problem *p)
{
    size_t most = 0, inputs = 0;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        size_t made = p->unit_output_start[u + 1] - p->unit_output_start[u];
        most = made > most ? made : most;
    }
    for (uint32_t t = 0; t < p->tensor_count; t++)
        inputs += p->producer[t] == DV_NONE;
    return inputs > most ? inputs : most;
}

dv_status dv_makespan_create(const dv_problem *problem, dv_makespan *makespan)
{
    size_t targets = problem->target_count, devices = problem->device_count;
    dv_makespan m = {.problem = problem};
    m.device_free_us = calloc(devices + 1, sizeof *m.device_free_us);
    m.link_free_us = calloc(devices * devices + 1, sizeof *m.link_free_us);
    m.there_us = calloc(problem->tensor_count * targets + 1, sizeof *m.there_us);
    m.position = calloc((size_t)problem->unit_count + 1, sizeof *m.position);
    m.end_us = calloc((size_t)problem->unit_count + 1, sizeof *m.end_us);
    m.transfer = calloc(most_tensors(problem) * targets + 1, sizeof *m.transfer);
    *makespan = m;
    bool ok =
        m.device_free_us && m.link_free_us && m.there_us && m.position && m.end_us && m.transfer;
    return ok ? DV_OK : dv_fail(DV_NO_MEMORY, "makespan: out of memory");
}

void dv_makespan_free(dv_makespan *makespan)
{
    free(makespan->device_free_us);
    free(makespan->link_free_us);
    free(makespan->there_us);
    free(makespan->position);
    free(makespan->end_us);
    free(makespan->transfer);
    *makespan = (dv_makespan){0};
}
