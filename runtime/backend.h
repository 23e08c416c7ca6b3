/* backend.h - a library that runs segments of a graph: create, bind, run, destroy.

   Listed in backends.def. A segment is compiled once into a flat array of steps; a run is a loop
   over them; nothing is allocated during a run. */
#ifndef DV_RUNTIME_BACKEND_H
#define DV_RUNTIME_BACKEND_H

#include "core/graph.h"

/* Every tensor's memory is followed by this many readable bytes (XNNPACK reads past the end) and
   starts at a multiple of DV_TENSOR_ALIGN. */
enum { DV_TENSOR_PADDING = 128, DV_TENSOR_ALIGN = 64 };

/* How a border tensor lies in memory. Rank-4 tensors of f32, i8 or u8 may be channels-last; all
   others are row-major in their logical (NCHW) shape. */
typedef enum dv_layout {
    DV_LAYOUT_PLAIN,
    DV_LAYOUT_CHANNELS_LAST,
} dv_layout;

/* Operators of a graph to run as one call, in order; borders are tensors read from outside (inputs,
   no constants) and needed outside (outputs). */
typedef struct dv_segment_spec {
    const dv_graph *graph; /* outlives the executable: weights are read from it at compile time */
    uint32_t op_count;
    const dv_op_id *ops;
    uint32_t input_count, output_count;
    const dv_tensor_id *inputs, *outputs;
    const dv_layout *input_layout, *output_layout;
    dv_dtype precision; /* F32 */
    uint32_t threads;
} dv_segment_spec;

typedef struct dv_executable dv_executable; /* opaque, the backend's own */

typedef struct dv_backend {
    const char *name;
    const char *summary;
    bool prefers_channels_last;
    /* Is the library usable here? Else false and why (one line). */
    bool (*probe)(char *why, size_t size);
    /* Can it run this operator (core form, static shapes) in that precision? Else false and why. */
    bool (*supports)(const dv_graph *graph, dv_op_id op, dv_dtype precision, char *why,
                     size_t size);
    /* Validates, packs weights, plans the arena. The spec's arrays are copied if kept. */
    dv_status (*compile)(const dv_segment_spec *spec, dv_executable **out);
    /* Border memory: inputs then outputs, in the spec's order; kept until the next bind. */
    dv_status (*bind)(dv_executable *executable, void *const *inputs, void *const *outputs);
    /* Runs once. op_end_ns NULL: full speed; else op_end_ns[i] = dv_clock_ns() after the i-th
       operator of the spec (fused ones share a stamp). */
    dv_status (*run)(dv_executable *executable, uint64_t *op_end_ns);
    void (*destroy)(dv_executable *executable); /* NULL is allowed */
    /* Has it operators of its own for this kind on f32, not just the portable ones? NULL: none. */
    bool (*is_own)(dv_op_kind kind);
    /* Does it run this quantised operator, or conversion to or from 8-bit integers, on integers by
       kernels of its own? An activation behind it may be part of the answer: a unit is asked by its
       first operator. NULL: it never does. */
    bool (*is_integer)(const dv_graph *graph, dv_op_id op);
} dv_backend;

/* By name, the i-th; NULL if there is none. */
const dv_backend *dv_backend_find(const char *name);
const dv_backend *dv_backend_at(size_t i);

#endif
