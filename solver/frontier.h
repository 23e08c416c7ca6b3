/* frontier.h - the exact placement for a fixed order by dynamic programming over its frontiers.

   After k units, all that the rest of the order needs to know is: the device of the last unit,
   which sessions are open, where the groups under way are, and for every live tensor what it still
   costs to have it on each target ("need": 0 where it is held). State A makes state B superfluous
   if A can do whatever B does next for at most what B costs more already (bounded-difference
   dominance):

     cost(A) + sum over live tensors and targets of max(0, need_A - need_B)
             + dispatch of B's device if A is on another
             + sessions that B has open and A has not  <=  cost(B)

   With it a transformer of 400 units keeps about a hundred states a layer.

   Limits of capacity, energy, loss and segments are sums that each state keeps as well; A must then
   have spent no more than B. What the rest costs at least at the limits' prices (suffix.h over the
   priced problem of budgets.h) drops what cannot beat the known plan. */
#ifndef DV_SOLVER_FRONTIER_H
#define DV_SOLVER_FRONTIER_H

#include "core/plan.h"
#include "core/progress.h"
#include "solver/frontier_states.h"
#include "solver/labels.h"
#include "solver/suffix.h"

/* The states that were kept before a place of the order, cheapest first. */
typedef struct dv_frontier_layer {
    dv_states states;
    uint32_t *live; /* per slot: its tensor */
    uint32_t live_count;
} dv_frontier_layer;

typedef struct dv_frontier_settings {
    /* Kept in one layer; when more are needed the cheapest stay, and the result has a gap. */
    uint32_t state_limit;
    double deadline_s;   /* on progress's clock; past it the search ends where it is */
    size_t memory_limit; /* bytes; states are dropped before they take more; 0: no limit */
    /* Numbers that all layers together may hold and try: wide graphs keep fewer states; 0: no
       limit. The same on every machine. */
    double work_limit;
    const dv_progress *progress;
    double upper_us; /* cost of a known plan; states that cannot beat it go. INFINITY: none */
    /* Its placement: where the search ends early, the best beginning goes on as in that plan. NULL:
       then nothing is found. */
    const dv_target_id *known;
    /* Dispatch is paid along this path only (units by increasing place in the order, each reading
       from the one before), NULL: along the order. Paid along one path of the graph, the least cost
       is a lower bound for every order: devices along a path are a subsequence of the segments. */
    const dv_unit_id *path;
    uint32_t path_length;
    const dv_budgets *budgets; /* limits to keep; NULL: none */
    /* Of the problem at the prices of budgets, exact: what the rest costs at least. NULL: not had
     */
    const dv_suffix *rest;
    /* unit_count entries, zeroed, that get the layers before each place; the caller frees them with
       dv_frontier_layers_free. NULL: layers go when they are done with. */
    dv_frontier_layer *layers;
} dv_frontier_settings;

typedef struct dv_frontier_result {
    bool found;      /* a placement; unless the search ended early it costs at most upper_us */
    double value_us; /* its cost; INFINITY: unknown, the search ended early */
    double bound_us; /* no placement costs less than this, or than upper_us */
    bool exact;      /* no state was dropped for lack of room or time */
    size_t states;   /* kept in all */
    uint32_t most;   /* kept in one layer */
} dv_frontier_result;

/* Can the method hold the problem in its states: at most 64 devices? */
bool dv_frontier_holds(const dv_problem *problem);

/* The same without budgets: no limit binds either. */
bool dv_frontier_serves(const dv_problem *problem);

/* target: unit_count entries, set if found. Fails only without memory.
   O(units * states * (targets + 40) * live tensors * targets). */
DV_MUST_USE dv_status dv_frontier_run(const dv_problem *problem, const dv_labels *labels,
                                      const dv_unit_id *order, const dv_frontier_settings *settings,
                                      dv_target_id *target, dv_frontier_result *result);

void dv_frontier_layers_free(dv_frontier_layer *layers, uint32_t count);

/* The best placement for the order of an evaluated plan, which it replaces if it is better; no plan
   with that order costs less than *bound_us. trial: any plan of the problem; settings->upper_us and
   path are not read. */
DV_MUST_USE dv_status dv_frontier_improve(const dv_problem *problem,
                                          const dv_frontier_settings *settings, dv_plan *trial,
                                          dv_plan *plan, double *bound_us);

/* DV_BAD_PARAMETER in the strategy's name where the method does not hold the problem. */
DV_MUST_USE dv_status dv_frontier_check(const dv_problem *problem, const char *strategy);

/* The same with or without limits, and with or without a plan to begin with (*outcome FEASIBLE or
   NONE; plan->order counts either way). *outcome: FEASIBLE, INFEASIBLE if that is proven of the
   order, or NONE. Bound and plan may be tolerance (relative) apart where limits bind.
   *any_bound_us: of every order, if not NULL. */
DV_MUST_USE dv_status dv_frontier_solve(const dv_problem *problem,
                                        const dv_frontier_settings *settings, double tolerance,
                                        dv_plan *trial, dv_plan *plan, dv_outcome *outcome,
                                        double *bound_us, double *any_bound_us);

/* A lower bound for every placement in every order: dispatch is paid along the dearest path of the
   plan alone. Not above the plan's cost. */
DV_MUST_USE dv_status dv_frontier_path_bound(const dv_problem *problem,
                                             const dv_frontier_settings *settings,
                                             const dv_plan *plan, double *bound_us);

#endif
