/* load_bound.h - how small the largest load of any split can be, contiguous or not.

   Give every piece a weight. If the devices together cannot hold the weight of all pieces, each
   loaded with at most T, no split has a largest load of T: what a device can hold, the greatest
   weight of a set of pieces with load at most T, ways to and from the host's memory included, is a
   knapsack over the graph. It is solved for all T at once by dynamic programming along the pieces,
   with a state for what the tensors under way have at their ends; where many loads crowd, one that
   is too small stands for them, so that the result errs to the safe side. Work as the weight is the
   bound of evenly spread work that also has to be carried about; better weights follow by
   subgradient steps (the dual of the set-partitioning program: Dantzig, Wolfe, Operations Research
   8(1), 1960). Memory is left out of account. */
#ifndef DV_SOLVER_LOAD_BOUND_H
#define DV_SOLVER_LOAD_BOUND_H

#include "core/problem.h"
#include "core/progress.h"

typedef struct dv_load_bound_settings {
    double upper_us;   /* a known split's largest load; finite */
    uint32_t rounds;   /* of new weights */
    size_t work_limit; /* of all rounds, in entries of the dynamic program */
    double deadline_s; /* on dv_clock_s */
    const dv_progress *progress;
} dv_load_bound_settings;

/* pieces: of dv_contract for splits of any kind. *bound_us (at least 0, at most upper_us): no split
   has less. 0 where too many tensors are under way at once. */
DV_MUST_USE dv_status dv_load_bound_run(const dv_problem *pieces,
                                        const dv_load_bound_settings *settings, double *bound_us);

#endif
