/* limited.h - the dynamic program of frontier.h where limits bind.

   First the Lagrangian dual (budgets.h; Fisher, Management Science 27(1), 1981): at prices on the
   limits the dynamic program solves a problem without them, which bounds the limited one from
   below; the prices that bound best are sought, and plans on the way that happen to meet the limits
   are kept. Then, unless bound and plan meet, states keep what they have spent of each limit
   (labels of a resource-constrained shortest path), pruned by what the rest costs at those prices:
   exact, or with a gap where states or time run out. */
#ifndef DV_SOLVER_LIMITED_H
#define DV_SOLVER_LIMITED_H

#include "core/plan.h"
#include "core/progress.h"

typedef struct dv_limited_settings {
    uint32_t state_limit; /* kept in one layer; 0: the dual only */
    double deadline_s;    /* on progress's clock */
    size_t memory_limit;  /* bytes of states; 0: no limit */
    double tolerance;     /* relative gap that counts as none */
    bool any_order;       /* a bound for every order too */
    const dv_progress *progress;
} dv_limited_settings;

typedef struct dv_limited_result {
    double given_bound_us; /* no plan in the order of plan costs less; INFINITY: there is none */
    double any_bound_us;   /* no plan in any order costs less; -INFINITY if it was not asked for */
    bool exact;            /* of the given order: proven by states, not by prices */
} dv_limited_result;

/* plan: an order, and a plan that was evaluated if *outcome is FEASIBLE; both improved. *outcome
   becomes INFEASIBLE if no plan in that order meets the limits. trial: any plan of the problem.
   Where dv_frontier_holds the problem. Fails only without memory. */
DV_MUST_USE dv_status dv_limited_improve(const dv_problem *problem,
                                         const dv_limited_settings *settings, dv_plan *trial,
                                         dv_plan *plan, dv_outcome *outcome,
                                         dv_limited_result *result);

/* The best plan in plan->order, from nothing. *outcome: OPTIMAL, FEASIBLE (with a gap), INFEASIBLE
   or NONE. plan->bound_us is set. */
DV_MUST_USE dv_status dv_limited_solve(const dv_problem *problem,
                                       const dv_limited_settings *settings, dv_plan *trial,
                                       dv_plan *plan, dv_outcome *outcome);

#endif
