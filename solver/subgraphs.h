/* subgraphs.h - the makespan of the device-placement paper: accelerators that run whole subgraphs.

   Where problem->subgraphs_per_device is set, a device with memory of its own holds at most so many
   subgraphs, each a segment of the plan, and runs one after another of them as one call; units on
   the host's side run on as many processors as there are units:

     end(u) on the host's side   time[u] + the latest end of what u reads
     start(S) on device d        the latest end of what S reads from outside, and of d's subgraph
                                 before
     end(u), u in S              start(S) + dispatch[d] (and session[d], the first time)
                                 + move(t, host, x) for each tensor t that S reads from outside
                                 + the times of all its units
                                 + move(t, x, host) for each of its tensors that is read outside

   and the makespan is the latest end (Tarnawski et al., "Efficient Algorithms for Device Placement
   of DNN Graph Operators", NeurIPS 2020: single-sample latency). */
#ifndef DV_SOLVER_SUBGRAPHS_H
#define DV_SOLVER_SUBGRAPHS_H

#include "solver/makespan.h"
#include "solver/strategy.h"

/* Is the device on the host's side: do moves between it and the host cost nothing? */
bool dv_subgraphs_is_host(const dv_problem *problem, dv_device_id device);

/* As dv_makespan_us, which calls it for such problems. INFINITY where a device has more subgraphs
   than it may. */
double dv_subgraphs_us(dv_makespan *makespan, const dv_target_id *target, const dv_unit_id *order);

/* Can the searches below serve it: one target a device, accelerators all alike, nothing pinned to
   one of them, no limits but capacities, no training step? */
bool dv_subgraphs_serve(const dv_problem *problem);

/* A path, and how it can be shared out. */
typedef struct dv_subgraphs_path {
    dv_unit_id *unit;
    uint32_t length, width; /* width: 1 + the most subgraphs that there may be */
    double *rest_us; /* [i * width + used]: least time from the end of the path's first i units
                        to its own end, with so many subgraphs used; rest_us[0]: of it all */
} dv_subgraphs_path;

typedef struct dv_subgraphs_result {
    double makespan_us; /* INFINITY: nothing below upper_us was found */
    double bound_us; /* of all plans with one subgraph a device; -INFINITY if nothing is proven */
} dv_subgraphs_result;

/* The best plan in which every device has one subgraph and the units (in pieces: groups, and what
   must go with them) join one at a time in the order of a lattice: of all ideals if there are no
   more than ideal_limit (then it is the best of all such plans, and a bound), else along the best
   order that a search of order_steps finds. Dynamic programming: for each ideal, the ends of what
   it still has to hand over, none of which is later than in a state that is dropped. target, order:
   unit_count entries, set if makespan_us is finite. path: of dv_subgraphs_path_find. */
DV_MUST_USE dv_status dv_subgraphs_search(const dv_problem *problem, uint32_t ideal_limit,
                                          uint32_t order_steps, uint64_t seed, double deadline_s,
                                          double upper_us, const dv_subgraphs_path *path,
                                          dv_target_id *target, dv_unit_id *order,
                                          dv_subgraphs_result *result);

/* Of some long paths the one that takes longest: what no plan can beat. Along a path, a subgraph
   takes a stretch with everything between its ends, whose memory must fit, and pays for what
   certainly enters and leaves it; rest_us has the best way to share the path out among the devices
   and the host. DV_NO_MEMORY; free it either way. O(paths * length^2 * (units + edges)). */
DV_MUST_USE dv_status dv_subgraphs_path_find(const dv_problem *problem, dv_subgraphs_path *path);
void dv_subgraphs_path_free(dv_subgraphs_path *path);

#endif
