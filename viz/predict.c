/* predict.c - a plan as a timeline, by the cost semantics of solver/evaluate.h: one thing at a
   time, so that the last event ends at the plan's latency. */
#include <stdio.h>

#include "viz/parts.h"

typedef struct walk {
    const dv_problem *problem;
    const dv_plan *plan;
    dv_trace *trace;
    bool *sent; /* [tensor * targets + target] */
    bool *used; /* per device */
    uint32_t segment;
    double now_us;
} walk;

static dv_status event(walk *w, dv_event_kind kind, uint32_t resource, uint32_t item, double us)
{
    if (us <= 0)
        return DV_OK;
    double start = w->now_us;
    w->now_us += us;
    return dv_trace_add(w->trace, (dv_event){kind, resource, item, w->segment, start, w->now_us});
}

static dv_status device_event(walk *w, dv_event_kind kind, dv_device_id device, uint32_t item,
                              double us)
{
    uint32_t resource = dv_trace_resource(w->trace, w->problem->device_name[device]);
    if (resource == UINT32_MAX)
        return dv_fail(DV_NO_MEMORY, "no memory for the timeline");
    return event(w, kind, resource, item, us);
}

static dv_status move(walk *w, uint32_t tensor, dv_target_id to)
{
    const dv_problem *p = w->problem;
    dv_unit_id producer = p->producer[tensor];
    dv_target_id from = producer == DV_NONE ? p->host : w->plan->target[producer];
    size_t slot = (size_t)tensor * p->target_count + to;
    char name[256];
    if (from == to || w->sent[slot])
        return DV_OK;
    w->sent[slot] = true;
    snprintf(name, sizeof name, "%s > %s", p->device_name[p->device[from]],
             p->device_name[p->device[to]]);
    uint32_t resource = dv_trace_resource(w->trace, name);
    if (resource == UINT32_MAX)
        return dv_fail(DV_NO_MEMORY, "no memory for the timeline");
    return event(w, DV_EVENT_MOVE, resource, tensor, dv_problem_move_us(p, tensor, from, to));
}

static dv_status run_unit(walk *w, dv_unit_id unit, bool begins_segment)
{
    const dv_problem *p = w->problem;
    dv_target_id target = w->plan->target[unit];
    dv_device_id device = p->device[target];
    if (begins_segment) {
        if (!w->used[device])
            DV_TRY(device_event(w, DV_EVENT_SESSION, device, device, p->session_us[device]));
        w->used[device] = true;
        DV_TRY(device_event(w, DV_EVENT_SWITCH, device, w->segment, p->dispatch_us[device]));
    }
    for (uint32_t i = p->unit_tensor_start[unit]; i < p->unit_tensor_start[unit + 1]; i++)
        DV_TRY(move(w, p->unit_tensors[i], target));
    return device_event(w, DV_EVENT_COMPUTE, device, unit, dv_problem_time_us(p, unit, target));
}

static dv_status run_all(walk *w)
{
    const dv_problem *p = w->problem;
    dv_device_id last = UINT32_MAX;
    for (dv_device_id d = 0; d < p->device_count; d++) /* rows in the problem's order */
        if (dv_trace_resource(w->trace, p->device_name[d]) == UINT32_MAX)
            return dv_fail(DV_NO_MEMORY, "no memory for the timeline");
    for (uint32_t k = 0; k < p->unit_count; k++) {
        dv_unit_id unit = w->plan->order[k];
        dv_device_id device = p->device[w->plan->target[unit]];
        if (k > 0 && device != last)
            w->segment++;
        DV_TRY(run_unit(w, unit, device != last));
        last = device;
    }
    for (uint32_t t = 0; t < p->tensor_count; t++)
        if (p->host_needs[t])
            DV_TRY(move(w, t, p->host));
    return DV_OK;
}

dv_status dv_predict(const dv_problem *problem, const dv_plan *plan, dv_trace **out)
{
    if (dv_overlaps(problem, plan))
        return dv_predict_overlap(problem, plan, out);
    dv_arena *scratch = dv_arena_create();
    dv_status status = DV_NO_MEMORY;
    walk w = {.problem = problem, .plan = plan, .trace = dv_trace_create("predicted")};
    if (scratch) {
        size_t cells;
        if (dv_mul_size(problem->tensor_count, problem->target_count, &cells))
            w.sent = dv_arena_alloc(scratch, cells);
        w.used = dv_arena_array(scratch, problem->device_count, sizeof *w.used);
    }
    if (!w.trace || !w.sent || !w.used)
        dv_fail(status, "no memory for the timeline");
    else
        status = run_all(&w);
    dv_arena_destroy(scratch);
    if (status == DV_OK) {
        dv_trace_finish(w.trace);
        *out = w.trace;
    } else {
        dv_trace_destroy(w.trace);
    }
    return status;
}
