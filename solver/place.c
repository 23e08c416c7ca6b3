/* place.c - steps that the rules of placement share. */
#include "solver/place.h"

#include <math.h>
#include <string.h>

#include "solver/evaluate.h"

dv_target_id dv_place_fastest(const dv_problem *problem, dv_unit_id u, dv_device_id d)
{
    dv_target_id best = DV_NONE;
    for (dv_target_id a = 0; a < problem->target_count; a++) {
        if ((d != DV_NONE && problem->device[a] != d) || !dv_problem_allows(problem, u, a))
            continue;
        if (best == DV_NONE ||
            dv_problem_time_us(problem, u, a) < dv_problem_time_us(problem, u, best))
            best = a;
    }
    return best;
}

dv_target_id dv_place_fallback(const dv_problem *problem, dv_unit_id u)
{
    if (dv_problem_allows(problem, u, problem->host))
        return problem->host;
    dv_target_id near = dv_place_fastest(problem, u, problem->device[problem->host]);
    return near != DV_NONE ? near : dv_place_fastest(problem, u, DV_NONE);
}

/* The sum of the least times of the group's units on device d; INFINITY if one cannot run there. */
static double group_time_us(const dv_problem *problem, uint32_t group, dv_device_id d)
{
    double sum = 0.0;
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        if (problem->group[u] != group)
            continue;
        dv_target_id a = dv_place_fastest(problem, u, d);
        if (a == DV_NONE)
            return INFINITY;
        sum += dv_problem_time_us(problem, u, a);
    }
    return sum;
}

static void join_group(const dv_problem *problem, uint32_t group, dv_plan *plan)
{
    dv_device_id best = DV_NONE;
    double best_us = INFINITY;
    for (dv_device_id d = 0; d < problem->device_count; d++) {
        double sum = group_time_us(problem, group, d);
        if (sum < best_us) {
            best_us = sum;
            best = d;
        }
    }
    if (best == DV_NONE)
        return;
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        if (problem->group[u] == group)
            plan->target[u] = dv_place_fastest(problem, u, best);
}

void dv_place_join_groups(const dv_problem *problem, dv_plan *plan)
{
    if (!problem->group)
        return;
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        uint32_t group = problem->group[u];
        if (group == DV_NONE)
            continue;
        for (dv_unit_id v = u + 1; v < problem->unit_count; v++)
            if (problem->group[v] == group) {
                if (problem->device[plan->target[u]] != problem->device[plan->target[v]])
                    join_group(problem, group, plan);
                break;
            }
    }
}

bool dv_place_keep_better(const dv_problem *problem, const dv_progress *progress, dv_plan *trial,
                          dv_plan *plan, dv_outcome *outcome)
{
    if (!dv_evaluate(problem, trial))
        return false;
    if (*outcome != DV_OUTCOME_NONE && trial->cost.total_us >= plan->cost.total_us)
        return false;
    memcpy(plan->target, trial->target, problem->unit_count * sizeof *plan->target);
    memcpy(plan->order, trial->order, problem->unit_count * sizeof *plan->order);
    plan->cost = trial->cost; /* what was proven of the old plan stays true */
    *outcome = DV_OUTCOME_FEASIBLE;
    dv_progress_incumbent(progress, plan->cost.total_us);
    return true;
}
