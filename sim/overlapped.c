/* overlapped.c - devices and links work in parallel, by the rules of the makespan.

   Every unit is a job of its device, which runs an inference's units in the plan's order and may
   turn to the next inference while it waits. A unit starts when what it reads has arrived; what
   another device or the host reads leaves when its maker is done, once per destination target, over
   a link that carries one tensor at a time in the order in which they were made (of one unit's,
   those first whose first reader comes first). Dispatch is paid by the first unit of a segment,
   sessions by a device's first unit, another precision within a device by the unit that needs it.
   One inference takes as long as solver/makespan.h says; nothing is shared with that. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/jobs.h"

typedef struct sending {
    uint32_t reader; /* place in the order; UINT32_MAX: the host */
    uint32_t tensor;
    dv_target_id to;
} sending;

typedef struct overlap {
    const dv_problem *problem;
    const dv_plan *plan;
    dv_trace *trace;
    dv_jobs *jobs;
    uint32_t *position; /* per unit */
    uint32_t *unit_job; /* per unit; UINT32_MAX until made */
    uint32_t *last_job; /* per device: of its latest unit */
    uint32_t *delivery; /* [tensor * targets + target]: job that brings it there, or UINT32_MAX */
    sending *list;      /* of one unit, or of all inputs */
} overlap;

static dv_target_id source_of(const overlap *o, uint32_t t)
{
    dv_unit_id u = o->problem->producer[t];
    return u == DV_NONE ? o->problem->host : o->plan->target[u];
}

static uint32_t *delivery_of(const overlap *o, uint32_t t, dv_target_id to)
{
    return &o->delivery[(size_t)t * o->problem->target_count + to];
}

static int by_turn(const void *a, const void *b)
{
    const sending *x = a, *y = b;
    if (x->reader != y->reader)
        return x->reader < y->reader ? -1 : 1;
    if (x->tensor != y->tensor)
        return x->tensor < y->tensor ? -1 : 1;
    return x->to < y->to ? -1 : x->to > y->to;
}

static size_t note(const overlap *o, size_t count, sending item)
{
    const dv_problem *p = o->problem;
    if (p->device[source_of(o, item.tensor)] == p->device[item.to])
        return count;
    for (size_t k = count; k > 0 && o->list[k - 1].tensor == item.tensor; k--)
        if (o->list[k - 1].to == item.to) {
            if (item.reader < o->list[k - 1].reader)
                o->list[k - 1].reader = item.reader;
            return count;
        }
    o->list[count] = item;
    return count + 1;
}

/* Adds to the list where tensor t has to go; returns the list's new length. */
static size_t note_tensor(const overlap *o, uint32_t t, size_t count)
{
    const dv_problem *p = o->problem;
    for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++) {
        dv_unit_id u = p->consumers[i];
        count = note(o, count, (sending){o->position[u], t, o->plan->target[u]});
    }
    return p->host_needs[t] ? note(o, count, (sending){UINT32_MAX, t, p->host}) : count;
}

static dv_status send_all(const overlap *o, size_t count, uint32_t maker)
{
    const dv_problem *p = o->problem;
    if (count > 1)
        qsort(o->list, count, sizeof *o->list, by_turn);
    for (size_t i = 0; i < count; i++) {
        uint32_t t = o->list[i].tensor, link;
        dv_target_id from = source_of(o, t), to = o->list[i].to;
        DV_TRY(dv_jobs_link(p, p->device[from], p->device[to], o->trace, &link));
        uint32_t segment = maker == UINT32_MAX ? UINT32_MAX : o->jobs->job[maker].segment;
        uint32_t job = dv_jobs_add(
            o->jobs, (dv_job){.resource = link, .segment = segment, .waits_since = UINT32_MAX});
        dv_jobs_step(o->jobs, DV_EVENT_MOVE, t, dv_problem_move_us(p, t, from, to));
        dv_jobs_after(o->jobs, maker, job);
        *delivery_of(o, t, to) = job;
    }
    return DV_OK;
}

/* What unit u waits for, and the tensors that its device has in another precision only. */
static dv_status gather_inputs(const overlap *o, dv_unit_id u, uint32_t job)
{
    const dv_problem *p = o->problem;
    dv_target_id here = o->plan->target[u];
    for (uint32_t i = p->unit_tensor_start[u]; i < p->unit_tensor_start[u + 1]; i++) {
        uint32_t t = p->unit_tensors[i], *delivery = delivery_of(o, t, here);
        dv_unit_id maker = p->producer[t];
        if (maker != DV_NONE && o->unit_job[maker] == UINT32_MAX)
            return dv_fail(DV_BAD_INPUT,
                           "simulate: unit '%s' runs before '%s', whose output it reads",
                           p->unit_name[u], p->unit_name[maker]);
        dv_target_id from = source_of(o, t);
        if (p->device[from] != p->device[here])
            dv_jobs_after(o->jobs, *delivery, job);
        else if (from != here && *delivery == UINT32_MAX) {
            dv_jobs_step(o->jobs, DV_EVENT_MOVE, t, dv_problem_move_us(p, t, from, here));
            *delivery = job;
        }
    }
    return DV_OK;
}

/* Outputs that the host needs and its own device made in another precision. */
static void convert_outputs(const overlap *o, dv_unit_id u, uint32_t job)
{
    const dv_problem *p = o->problem;
    dv_target_id here = o->plan->target[u];
    if (here == p->host || p->device[here] != p->device[p->host])
        return;
    for (uint32_t i = p->unit_output_start[u]; i < p->unit_output_start[u + 1]; i++) {
        uint32_t t = p->unit_outputs[i];
        if (!p->host_needs[t])
            continue;
        dv_jobs_step(o->jobs, DV_EVENT_MOVE, t, dv_problem_move_us(p, t, here, p->host));
        *delivery_of(o, t, p->host) = job;
    }
}

static dv_status add_unit(const overlap *o, dv_unit_id u, uint32_t segment, bool first_of_segment)
{
    const dv_problem *p = o->problem;
    dv_device_id d = p->device[o->plan->target[u]];
    uint32_t before = o->last_job[d];
    uint32_t job = dv_jobs_add(o->jobs, (dv_job){.resource = d,
                                                 .segment = segment,
                                                 .is_segment = true,
                                                 .device = d,
                                                 .waits_since = before});
    if (before == UINT32_MAX && p->session_us[d] > 0.0)
        dv_jobs_step(o->jobs, DV_EVENT_SESSION, d, p->session_us[d]);
    if (first_of_segment)
        dv_jobs_step(o->jobs, DV_EVENT_SWITCH, segment, p->dispatch_us[d]);
    DV_TRY(gather_inputs(o, u, job));
    dv_jobs_step(o->jobs, DV_EVENT_COMPUTE, u, dv_problem_time_us(p, u, o->plan->target[u]));
    convert_outputs(o, u, job);
    dv_jobs_after(o->jobs, before, job);
    o->last_job[d] = o->unit_job[u] = job;
    size_t count = 0;
    for (uint32_t i = p->unit_output_start[u]; i < p->unit_output_start[u + 1]; i++)
        count = note_tensor(o, p->unit_outputs[i], count);
    return send_all(o, count, job);
}

static dv_status add_all(const overlap *o)
{
    const dv_problem *p = o->problem;
    size_t inputs = 0;
    if (!o->position || !o->unit_job || !o->last_job || !o->delivery || !o->list)
        return dv_fail(DV_NO_MEMORY, "simulate: out of memory");
    for (uint32_t k = 0; k < p->unit_count; k++)
        o->position[o->plan->order[k]] = k;
    for (uint32_t t = 0; t < p->tensor_count; t++)
        if (p->producer[t] == DV_NONE)
            inputs = note_tensor(o, t, inputs);
    DV_TRY(send_all(o, inputs, UINT32_MAX));
    uint32_t segment = UINT32_MAX;
    dv_device_id before = DV_NONE;
    for (uint32_t k = 0; k < p->unit_count; k++) {
        dv_unit_id u = o->plan->order[k];
        dv_device_id d = p->device[o->plan->target[u]];
        segment += d != before; /* the first is 0 */
        DV_TRY(add_unit(o, u, segment, d != before));
        before = d;
    }
    return o->jobs->failed ? dv_fail(DV_NO_MEMORY, "simulate: out of memory") : DV_OK;
}

static uint32_t *filled(size_t count)
{
    uint32_t *items = malloc((count + 1) * sizeof *items);
    if (items)
        memset(items, 0xff, (count + 1) * sizeof *items);
    return items;
}

dv_status dv_jobs_overlapped(const dv_problem *problem, const dv_plan *plan, dv_trace *trace,
                             dv_jobs *jobs)
{
    size_t copies = (size_t)problem->tensor_count * problem->target_count;
    overlap o = {.problem = problem, .plan = plan, .trace = trace, .jobs = jobs};
    o.position = filled(problem->unit_count);
    o.unit_job = filled(problem->unit_count);
    o.last_job = filled(problem->device_count);
    o.delivery = filled(copies);
    o.list = malloc((copies + 1) * sizeof *o.list);
    dv_status status = add_all(&o);
    free(o.position);
    free(o.unit_job);
    free(o.last_job);
    free(o.delivery);
    free(o.list);
    return status;
}
