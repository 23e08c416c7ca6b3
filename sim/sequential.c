/* sequential.c - ExecuTorch's runtime: one thing at a time, each in the order of the plan. */
#include "sim/jobs.h"

void dv_jobs_sequential(dv_jobs *jobs, size_t first)
{
    uint32_t last_segment = UINT32_MAX;
    for (size_t j = first; j < jobs->job_count; j++) {
        if (j > 0)
            dv_jobs_after(jobs, (uint32_t)j - 1, (uint32_t)j);
        if (!jobs->job[j].is_segment)
            continue;
        jobs->job[j].waits_since = last_segment;
        last_segment = (uint32_t)j;
    }
}
