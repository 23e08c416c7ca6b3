/* expand.c - one inference of a plan as jobs.

   A segment is one delegate call: it starts when all its inputs have arrived and hands over all its
   outputs when it ends. A tensor goes over the link from its producer's device once per destination
   target; a change of precision within a device is a step of the segment that needs it. Outputs go
   to the host when their segment has ended. */
#include <stdlib.h>
#include <string.h>

#include "sim/jobs.h"

typedef struct expansion {
    const dv_problem *problem;
    const dv_plan *plan;
    dv_trace *trace;
    dv_jobs *jobs;
    dv_segment *segment;
    uint32_t segment_count;
    uint32_t *segment_of;  /* per unit; UINT32_MAX until expanded */
    uint32_t *segment_job; /* per segment */
    uint32_t *delivery;    /* [tensor * targets + target]: job that brings it there, or none */
    bool *used;            /* per device: its session was paid */
} expansion;

static dv_target_id source_of(const expansion *e, uint32_t t)
{
    dv_unit_id u = e->problem->producer[t];
    return u == DV_NONE ? e->problem->host : e->plan->target[u];
}

/* The job that makes tensor t; UINT32_MAX for inputs. */
static uint32_t maker_job(const expansion *e, uint32_t t)
{
    dv_unit_id u = e->problem->producer[t];
    return u == DV_NONE ? UINT32_MAX : e->segment_job[e->segment_of[u]];
}

static uint32_t *delivery_of(const expansion *e, uint32_t t, dv_target_id to)
{
    return &e->delivery[(size_t)t * e->problem->target_count + to];
}

/* Sends tensor t over its link to target `to`, unless that has been done or is none. */
static dv_status send(const expansion *e, uint32_t t, dv_target_id to)
{
    const dv_problem *p = e->problem;
    dv_target_id from = source_of(e, t);
    if (p->device[from] == p->device[to] || *delivery_of(e, t, to) != UINT32_MAX)
        return DV_OK;
    uint32_t link;
    DV_TRY(dv_jobs_link(p, p->device[from], p->device[to], e->trace, &link));
    uint32_t maker = maker_job(e, t);
    uint32_t segment = maker == UINT32_MAX ? UINT32_MAX : e->jobs->job[maker].segment;
    uint32_t job = dv_jobs_add(
        e->jobs, (dv_job){.resource = link, .segment = segment, .waits_since = UINT32_MAX});
    dv_jobs_step(e->jobs, DV_EVENT_MOVE, t, dv_problem_move_us(p, t, from, to));
    dv_jobs_after(e->jobs, maker, job);
    *delivery_of(e, t, to) = job;
    return DV_OK;
}

/* Moves that segment s waits for. */
static dv_status send_inputs(expansion *e, uint32_t s)
{
    const dv_problem *p = e->problem;
    for (uint32_t k = e->segment[s].first; k < e->segment[s].first + e->segment[s].count; k++) {
        dv_unit_id u = e->plan->order[k];
        e->segment_of[u] = s;
        for (uint32_t i = p->unit_tensor_start[u]; i < p->unit_tensor_start[u + 1]; i++) {
            uint32_t t = p->unit_tensors[i];
            dv_unit_id maker = p->producer[t];
            if (maker != DV_NONE && e->segment_of[maker] == UINT32_MAX)
                return dv_fail(DV_BAD_INPUT,
                               "simulate: unit '%s' runs before '%s', whose output "
                               "it reads",
                               p->unit_name[u], p->unit_name[maker]);
            DV_TRY(send(e, t, e->plan->target[u]));
        }
    }
    return DV_OK;
}

/* Unit u within the job of its segment: conversions that it needs first, then itself. */
static void compute(expansion *e, uint32_t job, dv_unit_id u)
{
    const dv_problem *p = e->problem;
    dv_target_id here = e->plan->target[u];
    for (uint32_t i = p->unit_tensor_start[u]; i < p->unit_tensor_start[u + 1]; i++) {
        uint32_t t = p->unit_tensors[i], *delivery = delivery_of(e, t, here);
        dv_target_id from = source_of(e, t);
        if (from != here && *delivery == UINT32_MAX) { /* another precision of this device */
            dv_jobs_step(e->jobs, DV_EVENT_MOVE, t, dv_problem_move_us(p, t, from, here));
            *delivery = job;
        }
        uint32_t source = from == here ? maker_job(e, t) : *delivery;
        uint32_t maker = maker_job(e, t);
        if (source != UINT32_MAX && source != job)
            dv_jobs_after(e->jobs, source, job);
        if (maker != UINT32_MAX && maker != job && maker != source)
            dv_jobs_after(e->jobs, maker, job);
    }
    dv_jobs_step(e->jobs, DV_EVENT_COMPUTE, u, dv_problem_time_us(p, u, here));
}

static void run_segment(expansion *e, uint32_t s)
{
    const dv_problem *p = e->problem;
    dv_device_id d = e->segment[s].device;
    uint32_t job = dv_jobs_add(e->jobs, (dv_job){.resource = d,
                                                 .segment = s,
                                                 .is_segment = true,
                                                 .device = d,
                                                 .waits_since = UINT32_MAX});
    e->segment_job[s] = job;
    if (!e->used[d] && p->session_us[d] > 0.0)
        dv_jobs_step(e->jobs, DV_EVENT_SESSION, d, p->session_us[d]);
    e->used[d] = true;
    dv_jobs_step(e->jobs, DV_EVENT_SWITCH, s, p->dispatch_us[d]);
    for (uint32_t k = e->segment[s].first; k < e->segment[s].first + e->segment[s].count; k++)
        compute(e, job, e->plan->order[k]);
    /* An output of the host's own device in another precision is converted before the call ends. */
    for (uint32_t k = e->segment[s].first; k < e->segment[s].first + e->segment[s].count; k++) {
        dv_unit_id u = e->plan->order[k];
        for (uint32_t i = p->unit_output_start[u]; i < p->unit_output_start[u + 1]; i++) {
            uint32_t t = p->unit_outputs[i], *delivery = delivery_of(e, t, p->host);
            if (!p->host_needs[t] || d != p->device[p->host] || e->plan->target[u] == p->host ||
                *delivery != UINT32_MAX)
                continue;
            dv_jobs_step(e->jobs, DV_EVENT_MOVE, t,
                         dv_problem_move_us(p, t, e->plan->target[u], p->host));
            *delivery = job;
        }
    }
}

static dv_status send_outputs(expansion *e, uint32_t s)
{
    const dv_problem *p = e->problem;
    for (uint32_t k = e->segment[s].first; k < e->segment[s].first + e->segment[s].count; k++) {
        dv_unit_id u = e->plan->order[k];
        for (uint32_t i = p->unit_output_start[u]; i < p->unit_output_start[u + 1]; i++)
            if (p->host_needs[p->unit_outputs[i]])
                DV_TRY(send(e, p->unit_outputs[i], p->host));
    }
    return DV_OK;
}

static uint32_t *filled(size_t count)
{
    uint32_t *items = malloc((count + 1) * sizeof *items);
    if (items)
        memset(items, 0xff, (count + 1) * sizeof *items);
    return items;
}

static dv_status expand(expansion *e)
{
    if (!e->segment_of || !e->segment_job || !e->delivery || !e->used)
        return dv_fail(DV_NO_MEMORY, "simulate: out of memory");
    for (uint32_t s = 0; s < e->segment_count; s++) {
        DV_TRY(send_inputs(e, s));
        run_segment(e, s);
        if (e->jobs->failed)
            return dv_fail(DV_NO_MEMORY, "simulate: out of memory");
        DV_TRY(send_outputs(e, s));
    }
    return e->jobs->failed ? dv_fail(DV_NO_MEMORY, "simulate: out of memory") : DV_OK;
}

dv_status dv_jobs_expand(const dv_problem *problem, const dv_plan *plan, dv_trace *trace,
                         dv_jobs *jobs)
{
    expansion e = {.problem = problem, .plan = plan, .trace = trace, .jobs = jobs};
    DV_TRY(dv_plan_segments(problem, plan, &e.segment, &e.segment_count));
    e.segment_of = filled(problem->unit_count);
    e.segment_job = filled(e.segment_count);
    e.delivery = filled((size_t)problem->tensor_count * problem->target_count);
    e.used = calloc((size_t)problem->device_count + 1, sizeof *e.used);
    dv_status status = expand(&e);
    free(e.segment);
    free(e.segment_of);
    free(e.segment_job);
    free(e.delivery);
    free(e.used);
    return status;
}
