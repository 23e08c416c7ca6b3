/* segment_case.h - small networks in core form, and what a backend makes of them against the
   portable one. */
#ifndef DV_TESTS_SEGMENT_CASE_H
#define DV_TESTS_SEGMENT_CASE_H

#include <math.h>

#include "core/graph.h"
#include "runtime/backend.h"

/* Adds a tensor; shape as "1x3x8x8", "" for a scalar. Aborts without memory. */
dv_tensor_id net_input(dv_graph *graph, const char *shape);
dv_tensor_id net_input_of(dv_graph *graph, dv_dtype dtype, const char *shape);
dv_tensor_id net_constant(dv_graph *graph, const char *shape, double scale, double shift);

/* Adds an operator of one f32 output. inputs: up to DV_NONE - 1, so at most 8 ids. */
dv_tensor_id net_op(dv_graph *graph, dv_op_kind kind, const dv_op_params *params,
                    const char *output_shape, uint32_t input_count, const dv_tensor_id *inputs);
#define NET_OP(graph, kind, params, shape, ...)                                      \
    net_op(graph, kind, params, shape,                                               \
           (uint32_t)(sizeof((dv_tensor_id[]){__VA_ARGS__}) / sizeof(dv_tensor_id)), \
           (dv_tensor_id[]){__VA_ARGS__})

/* Marks the output and finishes the graph, one unit an operator. */
void net_finish(dv_graph *graph, dv_tensor_id output);

/* Largest relative RMS difference of any output of the graph, run as one segment, from the portable
   backend's; border images in the layout given. INFINITY, and a line on stderr, if it fails. */
double segment_error(const dv_graph *graph, const char *backend, dv_layout layout, uint64_t seed);

#endif
