/* pareto.c - the epsilon-constraint method: fastest within a budget, then a smaller budget.
   Haimes, Lasdon, Wismer, IEEE Trans. SMC 1(3), 1971. */
#include "solver/pareto.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/labels.h"

static const char *const names[] = {[DV_PARETO_ENERGY] = "energy",
                                    [DV_PARETO_SEGMENTS] = "segments",
                                    [DV_PARETO_LOSS] = "loss",
                                    [DV_PARETO_MEMORY] = "memory"};

bool dv_pareto_axis_from_name(const char *name, dv_pareto_axis *out)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0) {
            *out = (dv_pareto_axis)i;
            return true;
        }
    return false;
}

static const double *table_of(const dv_problem *p, dv_pareto_axis axis)
{
    const double *const tables[] = {[DV_PARETO_ENERGY] = p->energy_uj,
                                    [DV_PARETO_SEGMENTS] = NULL,
                                    [DV_PARETO_LOSS] = p->loss,
                                    [DV_PARETO_MEMORY] = p->memory_bytes};
    return tables[axis];
}

dv_status dv_pareto_check(const dv_problem *problem, dv_pareto_axis axis)
{
    if (axis != DV_PARETO_SEGMENTS && !table_of(problem, axis))
        return dv_fail(DV_BAD_PARAMETER, "the problem states no %s of its units", names[axis]);
    if (axis == DV_PARETO_MEMORY && dv_limit_energy_binds(problem) && dv_limit_loss_binds(problem))
        return dv_fail(DV_BAD_PARAMETER,
                       "not with budgets of energy and of loss at once; leave one "
                       "of them out");
    return DV_OK;
}

static double amount_of(const dv_problem *p, dv_pareto_axis axis, const dv_plan *plan)
{
    const double *table = table_of(p, axis);
    double sum = 0.0;
    if (axis == DV_PARETO_SEGMENTS)
        return plan->cost.segments;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        sum += table[(size_t)u * p->target_count + plan->target[u]];
    return sum;
}

/* No plan needs less. */
static double least_of(const dv_problem *p, dv_pareto_axis axis)
{
    const double *table = table_of(p, axis);
    double sum = 0.0;
    for (dv_unit_id u = 0; table && u < p->unit_count; u++) {
        double least = INFINITY;
        for (dv_target_id a = 0; a < p->target_count; a++)
            if (dv_problem_allows(p, u, a))
                least = fmin(least, table[(size_t)u * p->target_count + a]);
        sum += least;
    }
    return table ? sum : 1.0;
}

/* Memory is limited device by device only; its sum takes the place of an energy or loss that is not
   limited. */
static dv_pareto_axis pose(dv_problem *p, dv_pareto_axis axis)
{
    if (axis != DV_PARETO_MEMORY)
        return axis;
    if (dv_limit_energy_binds(p)) {
        p->loss = p->memory_bytes;
        p->loss_budget = INFINITY;
        return DV_PARETO_LOSS;
    }
    p->energy_uj = p->memory_bytes;
    p->energy_budget_uj = INFINITY;
    return DV_PARETO_ENERGY;
}

static void set_budget(dv_problem *p, dv_pareto_axis axis, double budget)
{
    if (axis == DV_PARETO_ENERGY)
        p->energy_budget_uj = budget;
    else if (axis == DV_PARETO_LOSS)
        p->loss_budget = budget;
    else
        p->max_segments = (uint32_t)budget;
}

/* Adds the plan, in place of points that are no faster than it, which it makes superfluous. */
static bool add(dv_pareto *out, const dv_pareto_point *point)
{
    while (out->count > 0 && point->plan->cost.total_us <=
                                 out->points[out->count - 1].plan->cost.total_us * (1.0 + 1e-9))
        dv_plan_destroy(out->points[--out->count].plan);
    dv_pareto_point *more = realloc(out->points, ((size_t)out->count + 1) * sizeof *more);
    if (!more)
        return false;
    out->points = more;
    out->points[out->count++] = *point;
    return true;
}

dv_status dv_pareto_find(const dv_problem *problem, dv_pareto_axis axis, uint32_t steps,
                         const dv_solve_options *options, dv_pareto *out)
{
    *out = (dv_pareto){0};
    DV_TRY(dv_pareto_check(problem, axis));
    dv_problem limited = *problem;
    dv_pareto_axis limit = pose(&limited, axis);
    dv_progress quiet = {.stop = options->progress ? options->progress->stop : NULL};
    dv_solve_options settings = *options;
    settings.progress = &quiet;
    double least = least_of(problem, axis), step = -1.0, fastest = 0.0;
    for (;;) {
        dv_outcome outcome;
        dv_pareto_point point = {0};
        DV_TRY(dv_solve(&limited, "auto:order=given", &settings, &point.plan, &outcome));
        if (!point.plan)
            return DV_OK;
        point.amount = amount_of(problem, axis, point.plan);
        point.proven = outcome == DV_OUTCOME_OPTIMAL;
        if (!add(out, &point)) {
            dv_plan_destroy(point.plan);
            return dv_fail(DV_NO_MEMORY, "pareto: out of memory");
        }
        if (dv_progress_stopped(options->progress))
            return dv_fail(DV_INTERRUPTED, "stopped");
        if (step < 0.0) {
            fastest = point.amount;
            step = axis == DV_PARETO_SEGMENTS ? 1.0 : (fastest - least) / steps;
        }
        dv_progress_step(options->progress, "pareto",
                         fastest > least ? (fastest - point.amount) / (fastest - least) : 1.0);
        double budget = point.amount - fmax(step, 1e-6 * point.amount);
        if (point.amount <= least * (1.0 + 1e-9) || budget < 0.0)
            return DV_OK;
        set_budget(&limited, limit, fmax(budget, least));
    }
}

void dv_pareto_free(dv_pareto *pareto)
{
    for (uint32_t i = 0; i < pareto->count; i++)
        dv_plan_destroy(pareto->points[i].plan);
    free(pareto->points);
    *pareto = (dv_pareto){0};
}
