/* robust.h - the plan that is never far from the best, whatever the costs turn out to be.

   The speed of each device, the cost of hand-overs, and that of dispatch and sessions are each off
   by a factor from 1 - p to 1 + p, independently. A plan's *regret* at such factors is what it
   costs more than the best plan there; wanted is the plan whose greatest regret is least (Kouvelis,
   Yu, "Robust Discrete Optimization and Its Applications", 1997). A plan's cost is linear in the
   factors and the optimum concave, so the greatest regret is at a corner of the box. */
#ifndef DV_SOLVER_ROBUST_H
#define DV_SOLVER_ROBUST_H

#include "core/plan.h"
#include "solver/strategy.h"

enum { DV_ROBUST_DEVICES_MAX = 7 };

typedef struct dv_robust_plan {
    dv_plan *plan;        /* evaluated at the problem's own costs */
    double worst_us;      /* its cost at the dearest corner */
    double regret_us;     /* its greatest regret */
    uint32_t corner;      /* where: bit d: device d is slow, then hand-overs dear, dispatch dear */
    double corner_us;     /* its cost there */
    double corner_opt_us; /* the optimum there */
} dv_robust_plan;

typedef struct dv_robust {
    dv_robust_plan nominal; /* the best plan at the problem's own costs */
    dv_robust_plan robust;
    double bound_us;  /* no plan's greatest regret is less */
    uint32_t corners; /* 2^(devices + 2) */
    uint32_t solves;
    bool exact; /* every solve was proven optimal */
} dv_robust;

/* share in (0, 1). Lower bounds come from mixtures of corners: the optimum at mixed factors less
   the mixed optima (the Lagrangian of the minimum over plans of the maximum over corners).
   DV_BAD_PARAMETER for a share out of range, too many devices, or an objective other than latency;
   DV_NEGATIVE without a plan; DV_INTERRUPTED. *out may be freed in any case. About 2^(devices + 2)
   solves of the strategy. */
DV_MUST_USE dv_status dv_robust_find(const dv_problem *problem, const char *strategy,
                                     const dv_solve_options *options, double share, dv_robust *out);
void dv_robust_free(dv_robust *robust);

#endif
