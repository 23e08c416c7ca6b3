/* pareto.h - latency against a second cost: the least latency for each budget. */
#ifndef DV_SOLVER_PARETO_H
#define DV_SOLVER_PARETO_H

#include "core/plan.h"
#include "solver/strategy.h"

typedef enum dv_pareto_axis {
    DV_PARETO_ENERGY,
    DV_PARETO_SEGMENTS,
    DV_PARETO_LOSS,
    DV_PARETO_MEMORY, /* constants on all devices together, each in its target's precision */
} dv_pareto_axis;

typedef struct dv_pareto_point {
    dv_plan *plan;
    double amount; /* of the second cost: uJ, segments, loss, bytes */
    bool proven;   /* no plan in the problem's order that needs no more of it is faster */
} dv_pareto_point;

typedef struct dv_pareto {
    dv_pareto_point
        *points; /* fastest first; each needs less than the one before, and takes longer */
    uint32_t count;
} dv_pareto;

/* "energy", ...; false if unknown. */
bool dv_pareto_axis_from_name(const char *name, dv_pareto_axis *out);

/* DV_BAD_PARAMETER if the problem does not state that cost; of memory also where budgets of energy
   and loss both bind (a budget of memory takes the place of one of them). */
DV_MUST_USE dv_status dv_pareto_check(const dv_problem *problem, dv_pareto_axis axis);

/* Each by auto in the problem's order, with a budget that falls below each plan found: by one
   segment, or by at least a steps-th of the way from the fastest plan's amount to the least there
   is; so of segments the whole front, of the others about so many points of it. DV_INTERRUPTED,
   DV_NO_MEMORY. *out may be freed in any case. */
DV_MUST_USE dv_status dv_pareto_find(const dv_problem *problem, dv_pareto_axis axis, uint32_t steps,
                                     const dv_solve_options *options, dv_pareto *out);
void dv_pareto_free(dv_pareto *pareto);

#endif
