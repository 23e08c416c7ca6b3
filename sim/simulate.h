/* simulate.h - a plan on a machine as discrete events.

   Deterministic. The sequential executor is ExecuTorch's runtime: segments one after another, each
   waiting for its inputs to be moved, each tensor sent once per destination. The overlapped one
   lets every unit start as soon as its device is free and its inputs are there: the schedule whose
   length is the makespan (solver/makespan.h). */
#ifndef DV_SIM_SIMULATE_H
#define DV_SIM_SIMULATE_H

#include "core/plan.h"
#include "core/trace.h"

typedef enum dv_executor_model {
    DV_EXECUTOR_SEQUENTIAL, /* one thing at a time: latency equals dv_evaluate's */
    DV_EXECUTOR_OVERLAPPED, /* devices and links at once: that of one inference equals
                               dv_evaluate_makespan_us */
} dv_executor_model;

typedef struct dv_simulate_options {
    dv_executor_model executor;
    uint32_t inferences; /* one after another through the machine; at least 1 */
} dv_simulate_options;

/* The predicted trace of a plan that dv_evaluate accepts. DV_BAD_PARAMETER for the overlapped
   executor of a problem with subgraphs_per_device, which has other rules. Resources: every device
   in the problem's order, then one link per ordered pair of devices used. O(events log events). */
DV_MUST_USE dv_status dv_simulate(const dv_problem *problem, const dv_plan *plan,
                                  const dv_simulate_options *options, dv_trace **out);

#endif
