/* overlap_search.h - short overlapped schedules: where units run, and in which order. */
#ifndef DV_SOLVER_OVERLAP_SEARCH_H
#define DV_SOLVER_OVERLAP_SEARCH_H

#include "solver/strategy.h"

/* Simulated annealing from plan, which is evaluated and holds its makespan_us. A step moves a unit,
   a run of neighbours in the order or a chain of units to another target, or a unit to another
   place in the order, or both, and is kept by the usual rule; what is weighed is the makespan, and
   to a hundredth part the mean end of the units, which tells plans of equal makespan apart. Limits
   hold throughout. plan gets the best one met. Counted in steps: the same seed gives the same plan,
   unless options->deadline_s (from the call) ends it earlier. O(steps * (units + readers)). */
DV_MUST_USE dv_status dv_overlap_anneal(const dv_problem *problem, const dv_solve_options *options,
                                        double steps, dv_plan *plan);

/* Puts the units into an order in which each device runs the same units in the same turn, but stays
   at hand as long as it can: fewer segments. order: rewritten in place. DV_NO_MEMORY. O(units *
   devices + edges). */
DV_MUST_USE dv_status dv_overlap_gather(const dv_problem *problem, const dv_target_id *target,
                                        dv_unit_id *order);

#endif
