/* ideal.h - the exact placement and order together, by dynamic programming over ideals.

   Level k holds every set of k units that can have run first, and for each set the states of
   frontier.h: device at hand, open sessions and groups, and what it still costs to have each live
   tensor on each target. Equal states of one set merge, dominated ones go, and so does whatever
   cannot beat the known plan. A ready unit that can only run on the device at hand runs at once:
   for a given placement that never hurts. */
#ifndef DV_SOLVER_IDEAL_H
#define DV_SOLVER_IDEAL_H

#include "core/plan.h"
#include "core/progress.h"
#include "solver/budgets.h"

typedef struct dv_ideal_settings {
    uint32_t state_limit; /* kept in one level; of more the most promising stay, with a gap */
    bool whole;        /* if some level needs more than that, end with the bound reached: a proof or
                          nothing;        dv_ideal_improve then tries for a better plan with few states
                          only */
    size_t work_limit; /* states made, wide ones counting more; then the search ends with the bound
                          reached */
    size_t
        memory_limit;  /* bytes, roughly; reached, a level keeps fewer states, or the search ends */
    double deadline_s; /* on progress's clock; the search then ends with the bound reached */
    const dv_progress *progress;
    const dv_budgets *budgets; /* limits to keep; NULL: none. dv_ideal_improve finds them itself */
    double upper_us; /* cost of a known plan; states that cannot beat it go. INFINITY: none */
} dv_ideal_settings;

typedef struct dv_ideal_result {
    bool found;      /* a plan that costs no more than upper_us */
    double value_us; /* its cost */
    double bound_us; /* no plan in any order costs less than this, or than upper_us */
    bool exact;      /* no state was dropped for lack of room or time */
    size_t states;   /* kept in all */
    size_t ideals;
    size_t most; /* states kept in one level */
    size_t made; /* before merging and dominance; wide ones count more */
} dv_ideal_result;

/* target, order: unit_count entries, set if found. Where dv_frontier_holds the problem, and labels
   keep an optimal plan of any order. Fails only without memory. */
DV_MUST_USE dv_status dv_ideal_run(const dv_problem *problem, const dv_labels *labels,
                                   const dv_ideal_settings *settings, dv_target_id *target,
                                   dv_unit_id *order, dv_ideal_result *result);

/* Improves an evaluated plan (or one that costs INFINITY: none is known), order and placement:
   first with few states, which makes a better plan to prune with, then with all that are allowed;
   settings' limits are for all of it, upper_us is not read. *bound_us: a known bound of every order
   (or -INFINITY), raised to what is proven; not above the plan's cost. trial: any plan of the
   problem. */
DV_MUST_USE dv_status dv_ideal_improve(const dv_problem *problem, const dv_ideal_settings *settings,
                                       dv_plan *trial, dv_plan *plan, double *bound_us);

#endif
