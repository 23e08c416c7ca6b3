/* throughput.h - the objective "throughput": the least largest load of a device.

   A split is contiguous if the devices can be put in a row so that every tensor between them runs
   forward. Of these the best is found and proven by contiguous.h. Among splits of any kind the
   integer program of load_ilp.h and the annealing of load_search.h look for better ones, and bounds
   come from load_bound.h and the integer program. */
#ifndef DV_SOLVER_THROUGHPUT_H
#define DV_SOLVER_THROUGHPUT_H

#include "solver/strategy.h"

typedef enum dv_throughput_splits {
    DV_SPLITS_CONTIGUOUS, /* the best of them, and a proof of that */
    DV_SPLITS_ANY,        /* and what is quickly found and proven of others */
    DV_SPLITS_ANY_PROVEN, /* and the integer program to its end */
} dv_throughput_splits;

typedef struct dv_throughput_settings {
    dv_throughput_splits splits;
    uint32_t ideal_limit; /* with more ideals only one order is cut up for contiguous splits */
} dv_throughput_settings;

/* As dv_strategy's solve, for this objective. */
DV_MUST_USE dv_status dv_throughput_solve(const dv_problem *problem,
                                          const dv_solve_options *options,
                                          const dv_throughput_settings *settings, dv_plan *plan,
                                          dv_outcome *outcome);

#endif
