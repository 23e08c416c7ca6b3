/* run_limits.h - what a run would take of this machine, before it takes it. */
#ifndef DV_CLI_RUN_LIMITS_H
#define DV_CLI_RUN_LIMITS_H

#include "cli/pipeline.h"

/* What a run takes at least. The executor keeps a copy of every constant and, at the peak, the
   activations that live together; so does the reference run, for the latter. */
typedef struct dv_run_needs {
    double bytes;
    double inference_us; /* predicted, of the plan */
    double reference_us; /* of the reference kernels, roughly */
} dv_run_needs;

/* O(operators + edges). */
dv_run_needs dv_run_needs_of(const dv_session *session);

/* DV_NEGATIVE, with figures and what to do, if a run of the session's plan would take more memory
   than --memory, or than this machine has free, or more time than --patience. */
DV_MUST_USE dv_status dv_run_check_needs(const dv_cli *cli, const dv_session *session);

#endif
