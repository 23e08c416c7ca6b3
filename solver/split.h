/* split.h - contiguous splits with the least largest load, by dynamic programming over ideals.

   A split gives each device the difference of two ideals: the devices can be put in a row so that
   every tensor runs forward. val[used devices][ideal] is the least largest load with which those
   devices can hold that ideal; from each ideal a walk over the ideals above it keeps the load of
   the difference up to date on every kind of device and turns back where it cannot beat the best
   split known. Devices that are alike in every figure are counted, not told apart. (Tarnawski et
   al., NeurIPS 2020, whose program this follows; the walk and its pruning are ours.) */
#ifndef DV_SOLVER_SPLIT_H
#define DV_SOLVER_SPLIT_H

#include "core/plan.h"
#include "core/progress.h"
#include "solver/lattice.h"

typedef struct dv_split_settings {
    double deadline_s; /* on dv_clock_s */
    const dv_progress *progress;
    double upper_us; /* only splits with less load are looked for; INFINITY: any */
    bool decide;     /* is there one at all? Any will do, not the best: then a device need not stop
                        at an ideal if one unit more fits, and that unit spares all others more time
                        than its tensors cost them; and devices are used as few as do */
    size_t step_limit; /* of the walks, all together; 0: none */
} dv_split_settings;

typedef struct dv_split_result {
    bool found;
    bool exact;     /* the search came to its end: nothing below load_us, or upper_us if none was
                       found; to decide, a split found is the end too, and says nothing of others */
    double load_us; /* of the split that was found */
} dv_split_result;

/* Can it serve the problem: one target a device, no groups, no limits but capacities, and not so
   many kinds of devices that their combinations do not fit, nor more than 4000 units? */
bool dv_split_serves(const dv_problem *problem);

/* The best split along the lattice; target, order: unit_count entries, set if found. Fails only
   without memory. O(combinations of devices * pairs of ideals) at worst. */
DV_MUST_USE dv_status dv_split_run(const dv_problem *problem, const dv_lattice *lattice,
                                   const dv_split_settings *settings, dv_target_id *target,
                                   dv_unit_id *order, dv_split_result *result);

/* A lower bound of any split, contiguous or not: work spread evenly, and the largest unit. */
double dv_split_floor_us(const dv_problem *problem);

#endif
