/* costmodel.h - a graph on a platform becomes a problem: every unit's time on every target, every
   tensor's cost of moving. One file a model, listed in models.def. */
#ifndef DV_COSTMODEL_COSTMODEL_H
#define DV_COSTMODEL_COSTMODEL_H

#include "core/graph.h"
#include "core/platform.h"
#include "core/problem.h"

typedef struct dv_cost_model {
    const char *name;
    const char *summary;
    const char *citation;
    /* Time of one unit on one target, INFINITY if the target's device cannot run an operator of it.
       Shapes are static, the graph is lowered. */
    double (*unit_time_us)(const dv_graph *graph, dv_unit_id unit, const dv_platform *platform,
                           dv_target_id target);
} dv_cost_model;

/* By name; NULL if there is none. The i-th, NULL past the last. The first is the default. */
const dv_cost_model *dv_cost_model_find(const char *name);
const dv_cost_model *dv_cost_model_at(size_t i);

/* The problem of placing graph's units on platform's targets. Tensors are those activations,
   inputs and outputs that cross units or the host; bytes are in the producer target's precision
   for floating tensors (a graph input is the host target's). Weights count as memory in the
   target's precision. A unit that no target supports is DV_BAD_INPUT naming its operators, and the
   platform. The problem copies what it needs. O(units * targets + edges). */
DV_MUST_USE dv_status dv_problem_build(const dv_graph *graph, const dv_platform *platform,
                                       const dv_cost_model *model, dv_problem **out);

#endif
