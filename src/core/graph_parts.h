/* graph_parts.h - what a graph owns while it is filled; private to core/graph*.c. */
#ifndef DV_CORE_GRAPH_PARTS_H
#define DV_CORE_GRAPH_PARTS_H

#include "core/graph.h"

typedef struct dv_graph_parts {
    dv_arena *arena;
    dv_op *ops;
    dv_tensor *tensors;
    dv_tensor_id *outputs;
    dv_update *states;
    size_t op_capacity, tensor_capacity, output_capacity, state_capacity;
    dv_unit_id *unit_of; /* in the arena; by operator; NULL without units */
    dv_op_id *producer;  /* in the arena */
} dv_graph_parts;

/* Sorts operators (and units) and renumbers; graph->producer is valid before, and not after. */
DV_MUST_USE dv_status dv_graph_sort(dv_graph *graph);

/* Gives each of count names that an earlier one has a suffix "#2", "#3" ...; name(context, i) is
   where the i-th is kept. */
DV_MUST_USE dv_status dv_graph_unique_names(dv_graph *graph, size_t count,
                                            const char **(*name)(dv_graph *graph, size_t i));

#endif
