/* executor.h - runs a plan for real: every segment on the backend of its device, every hand-over a
   real copy, and measures both. */
#ifndef DV_RUNTIME_EXECUTOR_H
#define DV_RUNTIME_EXECUTOR_H

#include "core/plan.h"
#include "core/platform.h"
#include "core/progress.h"
#include "core/trace.h"

typedef struct dv_executor dv_executor;

/* Compiles plan's segments for the backends that platform names (worker processes are started
   here). graph, platform, problem and plan are borrowed and outlive the executor. DV_BAD_INPUT if a
   device is not realised on this machine or its backend cannot run an operator (named). */
DV_MUST_USE dv_status dv_executor_create(const dv_graph *graph, const dv_platform *platform,
                                         const dv_problem *problem, const dv_plan *plan,
                                         dv_executor **out);

/* Stops workers and frees; NULL is allowed. */
void dv_executor_destroy(dv_executor *executor);

/* Memory of the i-th graph input and output (plain layout, the tensor's dtype), to fill and read.
 */
void *dv_executor_input(dv_executor *executor, uint32_t i);
const void *dv_executor_output(dv_executor *executor, uint32_t i);

/* Fills every input from a seed: floats uniform in [-1, 1), integers small and in range for an
   embedding they index, booleans true. */
void dv_executor_fill_inputs(dv_executor *executor, uint64_t seed);

/* Every state begins anew, as it is when the executor is made: with its given value, or zeros. */
void dv_executor_reset(dv_executor *executor);

/* Bytes and content of a tensor of role STATE, as the last inference left it; NULL if no operator
   touches it. */
void *dv_executor_state(dv_executor *executor, dv_tensor_id state);

/* One inference: the outputs from the inputs and the states, which change. DV_UNAVAILABLE with its
 * reason if a worker died. */
DV_MUST_USE dv_status dv_executor_run(dv_executor *executor);

/* Quartiles of repeated measurements, us. */
typedef struct dv_measured {
    double median, q1, q3;
    double least; /* what a busy machine leaves alone */
    uint32_t runs;
} dv_measured;

typedef struct dv_measurement {
    dv_measured total;
    uint32_t segment_count;
    dv_measured *segments; /* run of the segment, dispatch included, in plan order */
    uint32_t move_count;
    struct dv_move {
        uint32_t tensor; /* of the problem */
        dv_target_id from, to;
        double bytes;
        dv_measured time;
    } * moves;
    double *unit_us;       /* per unit: median in profile mode */
    double *unit_least_us; /* per unit: the least in profile mode */
    dv_trace *trace;       /* of the run whose total is the median */
} dv_measurement;

/* Warm-up until stable (at least 3 runs), then interleaves runs of all count executors, `runs` each
   (or until seconds have passed, whichever is later to reach 5 runs), and fills measurements[i]
   (the caller frees each with dv_measurement_free). */
DV_MUST_USE dv_status dv_executor_measure(dv_executor *const *executors, size_t count,
                                          uint32_t runs, double seconds,
                                          const dv_progress *progress,
                                          dv_measurement *measurements);
void dv_measurement_free(dv_measurement *measurement);

/* An operator whose values decide how many rows its results have (dv_op_rows). */
typedef struct dv_found {
    dv_op_id op;
    size_t rows; /* that there were for these inputs, room or not */
} dv_found;

/* Runs the graph on the portable backend with the same inputs and states and compares every output
   of floats or quantised bytes and every state's new value: the largest relative RMS error
   (rms(a - b) / rms(b), or / 1e-3, of bytes / 64 steps of the scale, where b is smaller) and the
   tensor that has it. */
typedef struct dv_check {
    double max_relative_rms;
    dv_tensor_id worst_output;
    uint32_t found_count;  /* operators with dv_op_rows, in the graph's order */
    const dv_found *found; /* the executor's, until its next check */
} dv_check;

DV_MUST_USE dv_status dv_executor_check(dv_executor *executor, dv_check *check);

#endif
