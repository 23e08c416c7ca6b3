/* predict_overlap.c - a plan for the makespan as a timeline: when each unit ends and each tensor
   arrives is what solver/makespan.h says, and what they hold their device or link for lies before
   that. */
#include <stdio.h>
#include <stdlib.h>

#include "solver/makespan.h"
#include "viz/parts.h"

typedef struct overlap {
    const dv_problem *p;
    const dv_plan *plan;
    dv_trace *trace;
    dv_makespan makespan;
    bool *converted; /* [tensor * targets + target]: made there on its own device already */
    bool *used;      /* per device */
    uint32_t segment;
} overlap;

static dv_target_id source_of(const overlap *o, uint32_t t)
{
    dv_unit_id maker = o->p->producer[t];
    return maker == DV_NONE ? o->p->host : o->plan->target[maker];
}

/* Adds an event that ends at *end_us, if it takes any time; *end_us becomes its start. */
static dv_status before(const overlap *o, dv_event_kind kind, uint32_t resource, uint32_t item,
                        double us, double *end_us)
{
    dv_event event = {kind, resource, item, o->segment, *end_us - us, *end_us};
    *end_us -= us;
    return us > 0.0 ? dv_trace_add(o->trace, event) : DV_OK;
}

/* Is t here in another form only, to be converted to target `to` for the first time? */
static bool converts(const overlap *o, uint32_t t, dv_target_id to)
{
    dv_target_id from = source_of(o, t);
    bool *done = &o->converted[(size_t)t * o->p->target_count + to];
    if (from == to || o->p->device[from] != o->p->device[to] || *done)
        return false;
    *done = true;
    return true;
}

/* From its end backward: outputs made for the host, itself, what it converted, the call. */
static dv_status add_unit(overlap *o, dv_unit_id u, bool begins_segment)
{
    const dv_problem *p = o->p;
    dv_target_id here = o->plan->target[u];
    uint32_t row = dv_trace_resource(o->trace, p->device_name[p->device[here]]);
    double at = o->makespan.end_us[u];
    for (uint32_t i = p->unit_output_start[u + 1]; i-- > p->unit_output_start[u];) {
        uint32_t t = p->unit_outputs[i];
        if (p->host_needs[t] && converts(o, t, p->host))
            DV_TRY(before(o, DV_EVENT_MOVE, row, t, dv_problem_move_us(p, t, here, p->host), &at));
    }
    DV_TRY(before(o, DV_EVENT_COMPUTE, row, u, dv_problem_time_us(p, u, here), &at));
    for (uint32_t i = p->unit_tensor_start[u + 1]; i-- > p->unit_tensor_start[u];) {
        uint32_t t = p->unit_tensors[i];
        if (converts(o, t, here))
            DV_TRY(before(o, DV_EVENT_MOVE, row, t, dv_problem_move_us(p, t, source_of(o, t), here),
                          &at));
    }
    if (begins_segment)
        DV_TRY(before(o, DV_EVENT_SWITCH, row, o->segment, p->dispatch_us[p->device[here]], &at));
    if (!o->used[p->device[here]])
        DV_TRY(
            before(o, DV_EVENT_SESSION, row, p->device[here], p->session_us[p->device[here]], &at));
    o->used[p->device[here]] = true;
    return DV_OK;
}

static dv_status add_transfers(const overlap *o)
{
    const dv_problem *p = o->p;
    for (uint32_t t = 0; t < p->tensor_count; t++)
        for (dv_target_id to = 0; to < p->target_count; to++) {
            double arrival = o->makespan.there_us[(size_t)t * p->target_count + to];
            dv_target_id from = source_of(o, t);
            char name[256];
            if (arrival < 0.0 || p->device[from] == p->device[to])
                continue;
            snprintf(name, sizeof name, "%s > %s", p->device_name[p->device[from]],
                     p->device_name[p->device[to]]);
            uint32_t row = dv_trace_resource(o->trace, name);
            if (row == UINT32_MAX)
                return dv_fail(DV_NO_MEMORY, "no memory for the timeline");
            DV_TRY(before(o, DV_EVENT_MOVE, row, t, dv_problem_move_us(p, t, from, to), &arrival));
        }
    return DV_OK;
}

static dv_status add_all(overlap *o)
{
    const dv_problem *p = o->p;
    dv_device_id last = UINT32_MAX;
    for (dv_device_id d = 0; d < p->device_count; d++) /* rows in the problem's order */
        if (dv_trace_resource(o->trace, p->device_name[d]) == UINT32_MAX)
            return dv_fail(DV_NO_MEMORY, "no memory for the timeline");
    (void)dv_makespan_us(&o->makespan, o->plan->target, o->plan->order);
    for (uint32_t k = 0; k < p->unit_count; k++) {
        dv_unit_id u = o->plan->order[k];
        dv_device_id d = p->device[o->plan->target[u]];
        if (k > 0 && d != last)
            o->segment++;
        DV_TRY(add_unit(o, u, d != last));
        last = d;
    }
    o->segment = UINT32_MAX;
    return add_transfers(o);
}

dv_status dv_predict_overlap(const dv_problem *problem, const dv_plan *plan, dv_trace **out)
{
    size_t cells = (size_t)problem->tensor_count * problem->target_count + 1;
    overlap o = {.p = problem, .plan = plan, .trace = dv_trace_create("predicted")};
    o.converted = calloc(cells, sizeof *o.converted);
    o.used = calloc((size_t)problem->device_count + 1, sizeof *o.used);
    dv_status status = dv_makespan_create(problem, &o.makespan);
    if (status == DV_OK && (!o.trace || !o.converted || !o.used))
        status = dv_fail(DV_NO_MEMORY, "no memory for the timeline");
    if (status == DV_OK)
        status = add_all(&o);
    dv_makespan_free(&o.makespan);
    free(o.converted);
    free(o.used);
    if (status == DV_OK) {
        dv_trace_finish(o.trace);
        *out = o.trace;
    } else {
        dv_trace_destroy(o.trace);
    }
    return status;
}
