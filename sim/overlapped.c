/* overlapped.c - devices and links work in parallel; each device runs an inference's segments in
   the plan's order, and may turn to the next inference while it waits. */
#include <stdlib.h>
#include <string.h>

#include "sim/jobs.h"

dv_status dv_jobs_overlapped(dv_jobs *jobs, size_t first, uint32_t device_count)
{
    uint32_t *last = malloc(((size_t)device_count + 1) * sizeof *last);
    if (!last)
        return dv_fail(DV_NO_MEMORY, "simulate: out of memory");
    memset(last, 0xff, ((size_t)device_count + 1) * sizeof *last);
    for (size_t j = first; j < jobs->job_count; j++) {
        if (!jobs->job[j].is_segment)
            continue;
        uint32_t *before = &last[jobs->job[j].device];
        dv_jobs_after(jobs, *before, (uint32_t)j);
        jobs->job[j].waits_since = *before;
        *before = (uint32_t)j;
    }
    free(last);
    return DV_OK;
}
