/* jobs.c - the container. */
#include "sim/jobs.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/arena.h"

void dv_jobs_free(dv_jobs *jobs)
{
    free(jobs->job);
    free(jobs->step);
    free(jobs->after);
    *jobs = (dv_jobs){0};
}

uint32_t dv_jobs_add(dv_jobs *jobs, dv_job job)
{
    void *items = jobs->job;
    if (jobs->failed || jobs->job_count >= UINT32_MAX - 1 ||
        !dv_grow(&items, &jobs->job_capacity, jobs->job_count + 1, sizeof *jobs->job)) {
        jobs->failed = true;
        return 0;
    }
    jobs->job = items;
    job.first_step = jobs->step_count;
    job.step_count = 0;
    jobs->job[jobs->job_count] = job;
    return (uint32_t)jobs->job_count++;
}

void dv_jobs_step(dv_jobs *jobs, dv_event_kind kind, uint32_t item, double duration_us)
{
    void *items = jobs->step;
    if (jobs->failed ||
        !dv_grow(&items, &jobs->step_capacity, jobs->step_count + 1, sizeof *jobs->step)) {
        jobs->failed = true;
        return;
    }
    jobs->step = items;
    jobs->step[jobs->step_count++] = (dv_step){kind, item, duration_us};
    jobs->job[jobs->job_count - 1].step_count++;
}

void dv_jobs_after(dv_jobs *jobs, uint32_t before, uint32_t after)
{
    if (before == UINT32_MAX)
        return;
    void *items = jobs->after;
    if (jobs->failed ||
        !dv_grow(&items, &jobs->after_capacity, jobs->after_count + 1, sizeof *jobs->after)) {
        jobs->failed = true;
        return;
    }
    jobs->after = items;
    jobs->after[jobs->after_count++] = (dv_after){before, after};
}

dv_status dv_jobs_link(const dv_problem *problem, dv_device_id from, dv_device_id to,
                       dv_trace *trace, uint32_t *link)
{
    char name[256];
    snprintf(name, sizeof name, "%s > %s", problem->device_name[from], problem->device_name[to]);
    *link = dv_trace_resource(trace, name);
    return *link == UINT32_MAX ? dv_fail(DV_NO_MEMORY, "simulate: out of memory") : DV_OK;
}
