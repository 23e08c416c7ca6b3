/* simulate.c - a plan becomes jobs, jobs become a trace. */
#include "sim/simulate.h"

#include <math.h>

#include "sim/jobs.h"

static dv_status check(const dv_problem *problem, const dv_plan *plan,
                       const dv_simulate_options *options)
{
    if (options->inferences == 0)
        return dv_fail(DV_BAD_PARAMETER, "simulate: at least one inference, please");
    if (problem->subgraphs_per_device && options->executor == DV_EXECUTOR_OVERLAPPED)
        return dv_fail(DV_BAD_PARAMETER,
                       "simulate: %s has subgraphs_per_device, whose schedules have any number of "
                       "CPUs; play it with --executor sequential",
                       problem->name ? problem->name : "this problem");
    if (plan->unit_count != problem->unit_count)
        return dv_fail(DV_BAD_INPUT, "simulate: the plan places %u units of %u", plan->unit_count,
                       problem->unit_count);
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        if (plan->target[u] >= problem->target_count || plan->order[u] >= problem->unit_count)
            return dv_fail(DV_BAD_INPUT, "simulate: the plan names a unit or target that the "
                                         "problem lacks");
        if (!isfinite(dv_problem_time_us(problem, u, plan->target[u])))
            return dv_fail(DV_BAD_INPUT, "simulate: %s cannot run unit '%s'",
                           problem->target_name[plan->target[u]], problem->unit_name[u]);
    }
    return DV_OK;
}

static dv_status fill(const dv_problem *problem, const dv_plan *plan,
                      const dv_simulate_options *options, dv_jobs *jobs, dv_trace *trace)
{
    for (dv_device_id d = 0; d < problem->device_count; d++)
        if (dv_trace_resource(trace, problem->device_name[d]) == UINT32_MAX)
            return dv_fail(DV_NO_MEMORY, "simulate: out of memory");
    if (trace->resource_count != problem->device_count)
        return dv_fail(DV_BAD_INPUT, "simulate: two devices have one name");
    for (uint32_t i = 0; i < options->inferences; i++) {
        size_t first = jobs->job_count;
        if (options->executor == DV_EXECUTOR_SEQUENTIAL) {
            DV_TRY(dv_jobs_expand(problem, plan, trace, jobs));
            dv_jobs_sequential(jobs, first);
        } else {
            DV_TRY(dv_jobs_overlapped(problem, plan, trace, jobs));
        }
        if (jobs->failed)
            return dv_fail(DV_NO_MEMORY, "simulate: %u inferences do not fit in memory",
                           options->inferences);
    }
    DV_TRY(dv_jobs_run(jobs, trace->resource_count, trace));
    dv_trace_finish(trace);
    return DV_OK;
}

dv_status dv_simulate(const dv_problem *problem, const dv_plan *plan,
                      const dv_simulate_options *options, dv_trace **out)
{
    *out = NULL;
    DV_TRY(check(problem, plan, options));
    dv_trace *trace = dv_trace_create("predicted");
    if (!trace)
        return dv_fail(DV_NO_MEMORY, "simulate: out of memory");
    dv_jobs jobs = {0};
    dv_status status = fill(problem, plan, options, &jobs, trace);
    dv_jobs_free(&jobs);
    if (status == DV_OK)
        *out = trace;
    else
        dv_trace_destroy(trace);
    return status;
}
