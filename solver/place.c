/* place.c - steps that the rules of placement share. */
#include "solver/place.h"

#include <math.h>
#include <string.h>

#include "solver/evaluate.h"
#include "solver/groups.h"

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

/* The sum of the least times of group g on device d; INFINITY if a unit cannot run there. */
static double group_time_us(const dv_problem *problem, const dv_unit_groups *groups, uint32_t g,
                            dv_device_id d)
{
    double sum = 0.0;
    for (uint32_t i = groups->start[g]; i < groups->start[g + 1]; i++) {
        dv_target_id a = dv_place_fastest(problem, groups->units[i], d);
        if (a == DV_NONE)
            return INFINITY;
        sum += dv_problem_time_us(problem, groups->units[i], a);
    }
    return sum;
}

static void join_group(const dv_problem *problem, const dv_unit_groups *groups, uint32_t g,
                       dv_plan *plan)
{
    dv_device_id best = DV_NONE;
    double best_us = INFINITY;
    for (dv_device_id d = 0; d < problem->device_count; d++) {
        double sum = group_time_us(problem, groups, g, d);
        if (sum < best_us) {
            best_us = sum;
            best = d;
        }
    }
    for (uint32_t i = groups->start[g]; best != DV_NONE && i < groups->start[g + 1]; i++)
        plan->target[groups->units[i]] = dv_place_fastest(problem, groups->units[i], best);
}

static bool is_scattered(const dv_problem *problem, const dv_unit_groups *groups, uint32_t g,
                         const dv_plan *plan)
{
    dv_device_id first = problem->device[plan->target[groups->units[groups->start[g]]]];
    for (uint32_t i = groups->start[g] + 1; i < groups->start[g + 1]; i++)
        if (problem->device[plan->target[groups->units[i]]] != first)
            return true;
    return false;
}

void dv_place_join_groups(const dv_problem *problem, dv_plan *plan)
{
    dv_unit_groups groups;
    /* Without memory the groups stay as they are, and the plan is not legal. */
    if (!problem->group || dv_unit_groups_create(problem, &groups) != DV_OK)
        return;
    for (uint32_t g = 0; g < groups.count; g++)
        if (is_scattered(problem, &groups, g, plan))
            join_group(problem, &groups, g, plan);
    dv_unit_groups_free(&groups);
}

bool dv_place_keep_better(const dv_problem *problem, const dv_progress *progress, dv_plan *trial,
                          dv_plan *plan, dv_outcome *outcome)
{
    if (!dv_evaluate(problem, trial))
        return false;
    /* A plan that holds a makespan is one of plans that are told apart by theirs. */
    trial->makespan_us = isnan(plan->makespan_us) ? NAN : dv_evaluate_makespan_us(problem, trial);
    if (isinf(trial->makespan_us)) /* not a schedule that the problem allows */
        return false;
    if (*outcome != DV_OUTCOME_NONE && dv_plan_value_us(trial) >= dv_plan_value_us(plan))
        return false;
    memcpy(plan->target, trial->target, problem->unit_count * sizeof *plan->target);
    memcpy(plan->order, trial->order, problem->unit_count * sizeof *plan->order);
    plan->cost = trial->cost; /* what was proven of the old plan stays true */
    plan->makespan_us = trial->makespan_us;
    *outcome = DV_OUTCOME_FEASIBLE;
    dv_progress_incumbent(progress, dv_plan_value_us(plan));
    return true;
}
