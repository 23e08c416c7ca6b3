/* load_search.h - placements of any kind with a smaller largest load, by simulated annealing.

   Groups of units move to another device or change places with each other, single units to another
   target of their device, along one order of the units; kept is the placement with the smallest
   largest load. Between them the 16-norm of the loads decides, which tells two placements with the
   same largest load apart. (Kirkpatrick, Gelatt, Vecchi, Science 220, 1983.) */
#ifndef DV_SOLVER_LOAD_SEARCH_H
#define DV_SOLVER_LOAD_SEARCH_H

#include "core/plan.h"
#include "core/progress.h"

typedef struct dv_load_search_settings {
    uint32_t rounds; /* of cooling */
    uint32_t steps;  /* tried changes of a round */
    uint64_t seed;
    double deadline_s; /* on dv_clock_s */
    const dv_progress *progress;
} dv_load_search_settings;

/* plan: a plan that dv_evaluate accepts, *load_us its largest load; both get better or stay. trial:
   another plan of the problem. O(rounds * steps * neighbours of a group). */
DV_MUST_USE dv_status dv_load_search_run(const dv_problem *problem,
                                         const dv_load_search_settings *settings, dv_plan *trial,
                                         dv_plan *plan, double *load_us);

#endif
