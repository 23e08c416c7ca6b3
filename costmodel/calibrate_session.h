/* calibrate_session.h - the inside of a calibration, for calibrate*.c alone. */
#ifndef DV_COSTMODEL_CALIBRATE_SESSION_H
#define DV_COSTMODEL_CALIBRATE_SESSION_H

#include "costmodel/calibrate.h"
#include "costmodel/machine.h"
#include "runtime/executor.h"

enum { DV_MOST_PROBES = 12, DV_MOST_MOVES = 4096 };

/* How long passes over the probes go on, and when to hurry with what follows, in seconds since the
   start. */
typedef struct dv_calibrate_budget {
    double passes_s, hurry_s;
} dv_calibrate_budget;

/* A graph made ready to run by a plan. */
typedef struct dv_bench {
    dv_problem *problem;
    dv_plan *plan;
    dv_executor *executor;
} dv_bench;

typedef struct dv_session {
    const dv_calibrate_options *options;
    dv_machine machine;
    dv_platform *platform; /* of the machine as guessed, for the executor */
    size_t probe_count;
    dv_graph *graphs[DV_MOST_PROBES];
    dv_bench benches[2][DV_MOST_PROBES]; /* per device */
    double *unit_us[2][DV_MOST_PROBES];  /* the usual time on a quiet machine */
    double whole_us[2][DV_MOST_PROBES];  /* of the whole probe as one segment, likewise */
    dv_sample to_moves[DV_MOST_MOVES], from_moves[DV_MOST_MOVES];
    size_t to_count, from_count;
    dv_calibrate_budget budget;
    double started;
} dv_session;

/* Where a unit is to run. */
typedef dv_target_id (*dv_bench_place)(dv_unit_id u, const void *context);

/* The place of every unit is *(const dv_target_id *)context. */
dv_target_id dv_bench_all_on(dv_unit_id u, const void *context);

DV_MUST_USE dv_status dv_bench_open(const dv_session *s, const dv_graph *graph,
                                    dv_bench_place place, const void *context, dv_bench *b);
void dv_bench_close(dv_bench *b); /* a zeroed one is allowed */

DV_MUST_USE dv_status dv_session_check_stop(const dv_session *s);
bool dv_session_in_a_hurry(const dv_session *s);

/* Fits the rows of a device from unit_us, and reports how well (calibrate_fit.c). */
DV_MUST_USE dv_status dv_session_fit(dv_session *s, uint32_t device, dv_calibration *report);

/* Measures what segments cost beyond their units, and hand-overs (calibrate_links.c). */
DV_MUST_USE dv_status dv_session_measure_links(dv_session *s);

#endif
