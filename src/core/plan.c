/* plan.c - a plan's memory, its segments and its gap. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/plan.h"

const char *dv_outcome_name(dv_outcome outcome)
{
    static const char *const names[] = {"none", "optimal", "feasible", "infeasible"};
    return (unsigned)outcome < sizeof names / sizeof *names ? names[outcome] : "?";
}

dv_status dv_plan_create(const dv_problem *problem, dv_plan **out)
{
    *out = NULL;
    dv_plan *plan = calloc(1, sizeof *plan);
    size_t units = problem->unit_count;
    dv_target_id *target = calloc(units ? units : 1, sizeof *target);
    dv_unit_id *order = calloc(units ? units : 1, sizeof *order);
    if (!plan || !target || !order) {
        free(plan);
        free(target);
        free(order);
        return dv_fail(DV_NO_MEMORY, "plan: out of memory");
    }
    *plan = (dv_plan){.unit_count = problem->unit_count,
                      .target = target,
                      .order = order,
                      .load_us = NAN,
                      .makespan_us = NAN,
                      .bound_us = -INFINITY};
    for (dv_unit_id u = 0; u < plan->unit_count; u++)
        order[u] = u;
    *out = plan;
    return DV_OK;
}

void dv_plan_destroy(dv_plan *plan)
{
    if (!plan)
        return;
    free(plan->target);
    free(plan->order);
    free(plan);
}

void dv_plan_copy(dv_plan *to, const dv_plan *from)
{
    dv_target_id *target = to->target;
    dv_unit_id *order = to->order;
    memcpy(target, from->target, from->unit_count * sizeof *target);
    memcpy(order, from->order, from->unit_count * sizeof *order);
    *to = *from;
    to->target = target;
    to->order = order;
}

double dv_plan_value_us(const dv_plan *plan)
{
    if (!isnan(plan->load_us))
        return plan->load_us;
    return isnan(plan->makespan_us) ? plan->cost.total_us : plan->makespan_us;
}

double dv_plan_gap(const dv_plan *plan)
{
    double value = dv_plan_value_us(plan), bound = plan->bound_us;
    if (isinf(bound))
        return INFINITY;
    /* a bound above the value by rounding is no gap */
    return value > bound ? (value - bound) / value : 0.0;
}

dv_status dv_plan_segments(const dv_problem *problem, const dv_plan *plan, dv_segment **segments,
                           uint32_t *count)
{
    *count = 0;
    *segments = calloc(plan->unit_count ? plan->unit_count : 1, sizeof **segments);
    if (!*segments)
        return dv_fail(DV_NO_MEMORY, "plan: out of memory");
    for (uint32_t k = 0; k < plan->unit_count; k++) {
        dv_device_id device = problem->device[plan->target[plan->order[k]]];
        if (*count == 0 || (*segments)[*count - 1].device != device)
            (*segments)[(*count)++] = (dv_segment){device, k, 0};
        (*segments)[*count - 1].count++;
    }
    return DV_OK;
}
