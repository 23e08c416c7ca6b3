/* run_report.h - a plan executed on this machine, its prediction beside the measurement. */
#ifndef DV_CLI_RUN_REPORT_H
#define DV_CLI_RUN_REPORT_H

#include "cli/pipeline.h"
#include "runtime/executor.h"

typedef struct dv_run {
    dv_executor *executor;
    dv_measurement measured;
    dv_check check;
} dv_run;

/* Largest relative RMS error against the portable backend that arithmetic explains: of f32, or,
   where numbers are rounded to integers on the way, of a number between two steps that goes to
   either. */
double dv_run_tolerance(const dv_graph *graph);

/* Executes the session's plan: measures it, and compares the outputs with the portable backend.
   DV_NEGATIVE, before anything is taken, if it needs more memory or time than there is. */
DV_MUST_USE dv_status dv_run_session(const dv_cli *cli, const dv_session *session, uint32_t runs,
                                     dv_run *run);
void dv_run_free(dv_run *run);

/* Tables of segments and hand-overs, and the check. */
DV_MUST_USE dv_status dv_run_print(const dv_cli *cli, const dv_session *session, const dv_run *run,
                                   dv_text *out);

/* The object of `run --json`. */
DV_MUST_USE dv_status dv_run_print_json(const dv_session *session, const dv_run *run, dv_text *out);

#endif
