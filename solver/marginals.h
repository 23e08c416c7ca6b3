/* marginals.h - for every unit and target, what the best plan costs that puts it there. */
#ifndef DV_SOLVER_MARGINALS_H
#define DV_SOLVER_MARGINALS_H

#include "core/plan.h"
#include "core/progress.h"

typedef struct dv_marginals {
    double *cost_us; /* [unit * targets + target]; INFINITY: not supported, or pinned elsewhere */
    bool exact;      /* else each is the cost of a plan that need not be the best */
    size_t states;   /* kept, forwards and backwards */
} dv_marginals;

/* Over all plans with that order. Two passes of dynamic programming, from both ends, that meet at
   every unit: a few times the cost of one solve. Where a limit binds, one solve (limited.h) for
   each unit and target. Fails without memory, with DV_INTERRUPTED, or with DV_BAD_PARAMETER for
   more than 64 devices. cost_us may be freed in any case. */
DV_MUST_USE dv_status dv_marginals_compute(const dv_problem *problem, const dv_unit_id *order,
                                           uint32_t state_limit, const dv_progress *progress,
                                           dv_marginals *marginals);
void dv_marginals_free(dv_marginals *marginals);

/* The next best target of u besides a; DV_NONE if there is none. O(targets). */
dv_target_id dv_marginals_second(const dv_problem *problem, const dv_marginals *marginals,
                                 dv_unit_id u, dv_target_id a);

#endif
