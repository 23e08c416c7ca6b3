/* engine.c - discrete events: jobs end, what waited for them becomes ready, free resources take the
   next.

   Times come from a heap of endings. All endings of one instant are handled before any job of that
   instant starts, so the outcome does not depend on how the heap orders equals. */
#include <math.h>
#include <stdlib.h>

#include "sim/jobs.h"

typedef struct ending {
    double time_us;
    uint32_t job;
} ending;

typedef struct engine {
    const dv_jobs *jobs;
    dv_trace *trace;
    uint32_t resource_count;
    uint32_t *missing;   /* per job: endings that it still waits for */
    size_t *first_after; /* per job + 1: into afters, jobs that wait for it */
    uint32_t *afters;
    double *end_us;      /* per job */
    double *free_us;     /* per resource: since when it is free; INFINITY: it is busy */
    size_t *ready_first; /* per resource + 1: its part of ready, a heap of jobs */
    size_t *ready_count;
    uint32_t *ready;
    ending *endings; /* heap */
    size_t ending_count;
} engine;

static void push_ready(engine *e, uint32_t job)
{
    uint32_t resource = e->jobs->job[job].resource;
    uint32_t *heap = e->ready + e->ready_first[resource];
    size_t at = e->ready_count[resource]++;
    for (; at > 0 && heap[(at - 1) / 2] > job; at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = job;
}

static uint32_t pop_ready(engine *e, uint32_t resource)
{
    uint32_t *heap = e->ready + e->ready_first[resource];
    uint32_t first = heap[0], last = heap[--e->ready_count[resource]];
    size_t count = e->ready_count[resource], at = 0;
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && heap[child + 1] < heap[child])
            child++;
        if (heap[child] >= last)
            break;
        heap[at] = heap[child];
    }
    heap[at] = last;
    return first;
}

static bool sooner(ending a, ending b)
{
    return a.time_us < b.time_us || (a.time_us == b.time_us && a.job < b.job);
}

static void push_ending(engine *e, ending new)
{
    size_t at = e->ending_count++;
    for (; at > 0 && sooner(new, e->endings[(at - 1) / 2]); at = (at - 1) / 2)
        e->endings[at] = e->endings[(at - 1) / 2];
    e->endings[at] = new;
}

static ending pop_ending(engine *e)
{
    ending first = e->endings[0], last = e->endings[--e->ending_count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < e->ending_count; at = child) {
        if (child + 1 < e->ending_count && sooner(e->endings[child + 1], e->endings[child]))
            child++;
        if (!sooner(e->endings[child], last))
            break;
        e->endings[at] = e->endings[child];
    }
    e->endings[at] = last;
    return first;
}

static dv_status start(engine *e, uint32_t resource, double now_us)
{
    uint32_t j = pop_ready(e, resource);
    const dv_job *job = &e->jobs->job[j];
    dv_event event = {.resource = resource, .segment = job->segment, .item = job->segment};
    if (job->is_segment) {
        double since = job->waits_since == UINT32_MAX ? 0.0 : e->end_us[job->waits_since];
        event.kind = DV_EVENT_WAIT;
        event.start_us = fmax(since, e->free_us[resource]);
        event.end_us = now_us;
        if (event.start_us < event.end_us)
            DV_TRY(dv_trace_add(e->trace, event));
    }
    double time_us = now_us;
    for (size_t s = job->first_step; s < job->first_step + job->step_count; s++) {
        const dv_step *step = &e->jobs->step[s];
        event.kind = step->kind;
        event.item = step->item;
        event.start_us = time_us;
        event.end_us = time_us += step->duration_us;
        DV_TRY(dv_trace_add(e->trace, event));
    }
    e->free_us[resource] = INFINITY;
    push_ending(e, (ending){time_us, j});
    return DV_OK;
}

static void end(engine *e, ending ended)
{
    e->end_us[ended.job] = ended.time_us;
    e->free_us[e->jobs->job[ended.job].resource] = ended.time_us;
    for (size_t i = e->first_after[ended.job]; i < e->first_after[ended.job + 1]; i++)
        if (--e->missing[e->afters[i]] == 0)
            push_ready(e, e->afters[i]);
}

static dv_status run(engine *e)
{
    size_t ended = 0;
    double now_us = 0.0;
    for (uint32_t j = 0; j < e->jobs->job_count; j++)
        if (e->missing[j] == 0)
            push_ready(e, j);
    for (;;) {
        for (uint32_t r = 0; r < e->resource_count; r++)
            if (e->ready_count[r] > 0 && isfinite(e->free_us[r]))
                DV_TRY(start(e, r, now_us));
        if (e->ending_count == 0)
            break;
        now_us = e->endings[0].time_us;
        while (e->ending_count > 0 && e->endings[0].time_us <= now_us) {
            end(e, pop_ending(e));
            ended++;
        }
    }
    return ended == e->jobs->job_count
               ? DV_OK
               : dv_fail(DV_INTERNAL, "simulate: %zu of %zu jobs wait for each other",
                         e->jobs->job_count - ended, e->jobs->job_count);
}

/* Turns the list of dependencies into rows, and counts jobs of resources. */
static void index_jobs(engine *e)
{
    const dv_jobs *jobs = e->jobs;
    for (size_t i = 0; i < jobs->after_count; i++) {
        e->first_after[jobs->after[i].before + 1]++;
        e->missing[jobs->after[i].after]++;
    }
    for (size_t j = 0; j < jobs->job_count; j++) {
        e->first_after[j + 1] += e->first_after[j];
        e->ready_first[jobs->job[j].resource + 1]++;
    }
    for (uint32_t r = 0; r < e->resource_count; r++)
        e->ready_first[r + 1] += e->ready_first[r];
    /* Fill rows from their ends; every start comes back to where it was. */
    for (size_t i = 0; i < jobs->after_count; i++)
        e->afters[e->first_after[jobs->after[i].before]++] = jobs->after[i].after;
    for (size_t j = jobs->job_count; j > 0; j--)
        e->first_after[j] = e->first_after[j - 1];
    e->first_after[0] = 0;
}

dv_status dv_jobs_run(const dv_jobs *jobs, uint32_t resource_count, dv_trace *trace)
{
    size_t count = jobs->job_count + 1, resources = (size_t)resource_count + 1;
    engine e = {.jobs = jobs, .trace = trace, .resource_count = resource_count};
    e.missing = calloc(count, sizeof *e.missing);
    e.first_after = calloc(count + 1, sizeof *e.first_after);
    e.afters = calloc(jobs->after_count + 1, sizeof *e.afters);
    e.end_us = calloc(count, sizeof *e.end_us);
    e.free_us = calloc(resources, sizeof *e.free_us);
    e.ready_first = calloc(resources + 1, sizeof *e.ready_first);
    e.ready_count = calloc(resources, sizeof *e.ready_count);
    e.ready = calloc(count, sizeof *e.ready);
    e.endings = calloc(count, sizeof *e.endings);
    dv_status status = DV_OK;
    if (!e.missing || !e.first_after || !e.afters || !e.end_us || !e.free_us || !e.ready_first ||
        !e.ready_count || !e.ready || !e.endings)
        status = dv_fail(DV_NO_MEMORY, "simulate: out of memory");
    if (status == DV_OK) {
        index_jobs(&e);
        status = run(&e);
    }
    free(e.missing);
    free(e.first_after);
    free(e.afters);
    free(e.end_us);
    free(e.free_us);
    free(e.ready_first);
    free(e.ready_count);
    free(e.ready);
    free(e.endings);
    return status;
}
