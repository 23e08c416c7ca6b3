/* load_ilp.h - the split of any kind with the least largest load, as an integer program in GLPK.

   Columns: x[u,d] (piece u is on device d), in[t,d] and out[t,d] (d fetches tensor t, or leaves it
   in the host's memory), z[d] (d is used; only where that costs), and the largest load T.

     minimise T
     sum over d of x[u,d] = 1
     in[t,d] >= x[v,d] - x[p(t),d]                       for every reader v of t
     out[t,d] >= x[p(t),d] - x[v,d]                      likewise; = x[p(t),d] if the host needs t
     sum of time x + in_us in + out_us out + z's cost <= T       for every device
     sum of bytes x <= capacity                          for every device that has one
     floor <= T <= the load to beat

   (Tarnawski et al., NeurIPS 2020). Of devices that are alike in every figure, the r-th heaviest
   piece may use the first r only. */
#ifndef DV_SOLVER_LOAD_ILP_H
#define DV_SOLVER_LOAD_ILP_H

#include "core/problem.h"
#include "core/progress.h"

typedef struct dv_load_ilp_settings {
    double upper_us;     /* nothing above is looked for; finite */
    double floor_us;     /* known: no split has less */
    uint32_t size_limit; /* entries of the program; a larger one is not built. 0: none */
    uint32_t node_limit; /* of branch and bound; 0: none */
    double deadline_s;   /* on dv_clock_s */
    double tolerance;    /* relative */
    const dv_progress *progress;
} dv_load_ilp_settings;

/* pieces: of dv_contract for splits of any kind. target: a split with at most upper_us if *found.
   No split has less than *bound_us (upper_us if there is nothing below). *exact: the search came to
   its end, and the split found is the best, up to the tolerances of GLPK (1e-7 of the load). */
DV_MUST_USE dv_status dv_load_ilp_run(const dv_problem *pieces,
                                      const dv_load_ilp_settings *settings, dv_target_id *target,
                                      bool *found, bool *exact, double *bound_us);

#endif
