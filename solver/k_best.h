/* k_best.h - the next best plans of an order. */
#ifndef DV_SOLVER_K_BEST_H
#define DV_SOLVER_K_BEST_H

#include "core/plan.h"
#include "core/progress.h"

typedef struct dv_k_best {
    dv_plan **plans; /* evaluated and certified, cheapest first, distinct placements */
    uint32_t count;  /* fewer than asked for if there are no more */
    bool exact;      /* no placement that is missing costs less than the last */
} dv_k_best;

/* The wanted cheapest placements of that order. DV_BAD_PARAMETER for more than 64 devices or
   targets, DV_NO_MEMORY, DV_INTERRUPTED. *best may be freed in any case. O(one backward pass +
   wanted * units * targets * states); where a limit binds, wanted * units solves (limited.h). */
DV_MUST_USE dv_status dv_k_best_find(const dv_problem *problem, const dv_unit_id *order,
                                     uint32_t wanted, uint32_t state_limit,
                                     const dv_progress *progress, dv_k_best *best);
void dv_k_best_free(dv_k_best *best);

#endif
