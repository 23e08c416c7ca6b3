/* makespan.h - when everything is done if devices and links work at the same time.

   The rules, which the simulator's overlapped executor plays (doc/solvers.md has them in words):

   - a device runs its units in the plan's order, one at a time, each as soon as the device is free
     and what it reads has arrived. A unit holds its device for

         session[d] if it is the first on d + dispatch[d] if it begins a segment
       + move(t, x, x(u)) for each t that is on d in another target's form, and not yet in this one
       + time[u][x(u)]
       + move(t, x(u), host) for each output t that the host needs, if d is the host's device

   - whatever another device reads leaves when its unit is done (inputs: at 0), once per destination
     target, over the link from its device to that one; a link carries one tensor at a time, in the
     order in which they were made, of one unit's those first whose first reader comes first in the
     plan (the host, waiting for an output, comes last), then by number, then by target.

   No plan takes longer than its latency: while work is left, something runs.

   A problem with subgraphs_per_device has other rules: solver/subgraphs.h. */
#ifndef DV_SOLVER_MAKESPAN_H
#define DV_SOLVER_MAKESPAN_H

#include "core/plan.h"

/* One transfer over a link. */
typedef struct dv_transfer {
    uint32_t reader; /* its place in the plan's order; UINT32_MAX: the host */
    uint32_t tensor;
    dv_target_id to;
} dv_transfer;

/* Room to work in, reused from plan to plan. */
typedef struct dv_makespan {
    const dv_problem *problem;
    double *device_free_us; /* per device */
    double *link_free_us;   /* [from * devices + to] */
    double *there_us;       /* [tensor * targets + target]; < 0: not in that form yet */
    uint32_t *position;     /* per unit */
    dv_transfer *transfer;  /* of the unit at hand; targets * the most tensors of one unit */
    double *end_us;         /* per unit: when it was done, of the last plan asked for */
} dv_makespan;

/* DV_NO_MEMORY. Free it either way. */
DV_MUST_USE dv_status dv_makespan_create(const dv_problem *problem, dv_makespan *makespan);
void dv_makespan_free(dv_makespan *makespan);

/* Of a placement and a topological order, both legal; INFINITY where a device has more subgraphs
   than the problem allows. O(units + readers of tensors + tensors * targets). */
double dv_makespan_us(dv_makespan *makespan, const dv_target_id *target, const dv_unit_id *order);

/* The same of the first count units of the order alone: as if nobody else read what they make.
   Whatever comes after them, none of these ends sooner. */
double dv_makespan_prefix_us(dv_makespan *makespan, const dv_target_id *target,
                             const dv_unit_id *order, uint32_t count);

#endif
