/* contiguous.h - the contiguous split with the least largest load.

   Contract, cut one order in the best way, then ask the dynamic program over ideals for anything
   better until there is none (split.h). A plan is worth what dv_evaluate_load_us says; the proof is
   about the pieces' loads, which are never larger: a device with several targets may take its times
   from one and its ways from another there, and pays a single dispatch. The two are the same where
   each device has one target, and the graph is no training step with dispatch to pay. */
#ifndef DV_SOLVER_CONTIGUOUS_H
#define DV_SOLVER_CONTIGUOUS_H

#include "core/plan.h"
#include "core/progress.h"

typedef struct dv_contiguous_settings {
    uint32_t ideal_limit; /* with more ideals only one order is cut */
    double deadline_s;    /* on dv_clock_s */
    const dv_progress *progress;
} dv_contiguous_settings;

/* False: energy or loss budgets, too many units or kinds of devices, or a training step whose
   segments are limited. */
bool dv_contiguous_serves(const dv_problem *problem);

/* plan: the best found, if *load_us, its largest load, is finite. No contiguous split has less than
 *bound_us, INFINITY if there is none at all. trial: another plan of the problem. */
DV_MUST_USE dv_status dv_contiguous_run(const dv_problem *problem,
                                        const dv_contiguous_settings *settings, dv_plan *trial,
                                        dv_plan *plan, double *load_us, double *bound_us);

#endif
