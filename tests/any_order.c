/* any_order.c - see any_order.h. */
#include "tests/any_order.h"

#include <math.h>
#include <stdlib.h>

#include "solver/evaluate.h"

double dv_least_dispatch_us(const dv_problem *p, const dv_target_id *x)
{
    double best[1 << DV_ANY_ORDER_UNITS][DV_ANY_ORDER_DEVICES];
    uint32_t all = (1u << p->unit_count) - 1u, before[DV_ANY_ORDER_UNITS] = {0};
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        for (uint32_t i = p->previous_start[u]; i < p->previous_start[u + 1]; i++)
            before[u] |= 1u << p->previous[i];
    for (uint32_t s = 0; s <= all; s++)
        for (int d = 0; d < DV_ANY_ORDER_DEVICES; d++)
            best[s][d] = INFINITY;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        if (before[u] == 0)
            best[1u << u][p->device[x[u]]] = p->dispatch_us[p->device[x[u]]];
    for (uint32_t s = 1; s < all; s++)
        for (uint32_t d = 0; d < p->device_count; d++)
            for (dv_unit_id u = 0; u < p->unit_count && isfinite(best[s][d]); u++) {
                if (s >> u & 1u || (before[u] & ~s))
                    continue;
                uint32_t e = p->device[x[u]];
                double us = best[s][d] + (e == d ? 0.0 : p->dispatch_us[e]);
                best[s | 1u << u][e] = fmin(best[s | 1u << u][e], us);
            }
    double least = INFINITY;
    for (uint32_t d = 0; d < p->device_count; d++)
        least = fmin(least, best[all][d]);
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
    if (dv_plan_create(p, &plan) != DV_OK)
        abort();
    double best = INFINITY;
    do {
        if (dv_evaluate(p, plan))
            best = fmin(best, plan->cost.total_us - plan->cost.dispatch_us +
                                  dv_least_dispatch_us(p, plan->target));
    } while (dv_next_placement(p, plan->target));
    dv_plan_destroy(plan);
    return best;
}
