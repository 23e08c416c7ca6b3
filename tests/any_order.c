/* any_order.c - see any_order.h. */
#include "tests/any_order.h"

#include <math.h>
#include <stdlib.h>

#include "solver/evaluate.h"

/* [units that ran][device of the last][segments so far]: the least dispatch. */
typedef double table[1 << DV_ANY_ORDER_UNITS][DV_ANY_ORDER_DEVICES][DV_ANY_ORDER_UNITS + 1];

static void go_on(const dv_problem *p, const dv_target_id *x, const uint32_t *before, uint32_t s,
                  uint32_t d, table best)
{
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        if (s >> u & 1u || (before[u] & ~s))
            continue;
        uint32_t e = p->device[x[u]];
        double us = e == d ? 0.0 : p->dispatch_us[e];
        for (uint32_t k = 0; k + (e != d) <= p->unit_count; k++) {
            double *to = &best[s | 1u << u][e][k + (e != d)];
            *to = fmin(*to, best[s][d][k] + us);
        }
    }
}

double dv_least_dispatch_us(const dv_problem *p, const dv_target_id *x)
{
    table best;
    uint32_t all = (1u << p->unit_count) - 1u, before[DV_ANY_ORDER_UNITS] = {0};
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        for (uint32_t i = p->previous_start[u]; i < p->previous_start[u + 1]; i++)
            before[u] |= 1u << p->previous[i];
    for (uint32_t s = 0; s <= all; s++)
        for (int d = 0; d < DV_ANY_ORDER_DEVICES; d++)
            for (int k = 0; k <= DV_ANY_ORDER_UNITS; k++)
                best[s][d][k] = INFINITY;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        if (before[u] == 0)
            best[1u << u][p->device[x[u]]][1] = p->dispatch_us[p->device[x[u]]];
    for (uint32_t s = 1; s < all; s++)
        for (uint32_t d = 0; d < p->device_count; d++)
            go_on(p, x, before, s, d, best);
    double least = INFINITY;
    for (uint32_t d = 0; d < p->device_count; d++)
        for (uint32_t k = 0; k <= p->unit_count && k <= p->max_segments; k++)
            least = fmin(least, best[all][d][k]);
    return least;
}

bool dv_next_placement(const dv_problem *p, dv_target_id *x)
{
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        if (++x[u] < p->target_count)
            return true;
        x[u] = 0;
    }
    return false;
}

double dv_any_order_optimum_us(const dv_problem *p)
{
    dv_plan *plan = NULL;
    dv_problem any = *p; /* the segments of the given order are no matter */
    any.max_segments = UINT32_MAX;
    if (dv_plan_create(p, &plan) != DV_OK)
        abort();
    double best = INFINITY;
    do {
        if (dv_evaluate(&any, plan))
            best = fmin(best, plan->cost.total_us - plan->cost.dispatch_us +
                                  dv_least_dispatch_us(p, plan->target));
    } while (dv_next_placement(p, plan->target));
    dv_plan_destroy(plan);
    return best;
}
