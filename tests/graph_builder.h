/* graph_builder.h - small graphs by hand, for tests.

       dv_graph *graph = build_graph();
       dv_tensor_id x = build_input(graph, "x", "f32 1x3x8x8");
       dv_tensor_id w = build_fill(graph, "w", "f32 4x3x3x3", 0.5);
       dv_tensor_id y = BUILD_OP(graph, DV_OP_CONVOLUTION, build_conv(1, 1, 1), "y", x, w);
       graph = build_finish(graph, y);

   A type is a dtype and a shape: "f32 1x3x8x8", "i64 scalar", "f32 1x?x8" (one dim unknown), "f32
   ?" (nothing known). Whatever fails stops the test. */
#ifndef DV_TESTS_GRAPH_BUILDER_H
#define DV_TESTS_GRAPH_BUILDER_H

#include "core/graph.h"
#include "tests/suite.h"

dv_graph *build_graph(void);

dv_tensor_id build_input(dv_graph *graph, const char *name, const char *type);

/* Constants: one value everywhere; drawn from a seed; f32 or i64 elements as listed. */
dv_tensor_id build_fill(dv_graph *graph, const char *name, const char *type, double value);
dv_tensor_id build_random(dv_graph *graph, const char *name, const char *type, uint64_t seed,
                          double scale, double shift);
dv_tensor_id build_floats(dv_graph *graph, const char *name, const char *type, const float *values);
dv_tensor_id build_ints(dv_graph *graph, const char *name, const char *type, const int64_t *values);

/* A vector of i64 for parameters: BUILD_INTS(graph, 1, -1). */
#define BUILD_INTS(graph, ...)                          \
    build_vector(graph, (const int64_t[]){__VA_ARGS__}, \
                 sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))
dv_tensor_id build_vector(dv_graph *graph, const int64_t *values, size_t count);

/* An operator with one output of unknown shape, named as the output; returns the output. */
#define BUILD_OP(graph, kind, params, name, ...)                             \
    build_op(graph, kind, params, name, (const dv_tensor_id[]){__VA_ARGS__}, \
             sizeof((const dv_tensor_id[]){__VA_ARGS__}) / sizeof(dv_tensor_id))
dv_tensor_id build_op(dv_graph *graph, dv_op_kind kind, dv_op_params params, const char *name,
                      const dv_tensor_id *inputs, size_t count);

/* The same with several outputs "name.0", "name.1" ..., whose ids go to outputs. */
void build_op_outputs(dv_graph *graph, dv_op_kind kind, dv_op_params params, const char *name,
                      const dv_tensor_id *inputs, size_t count, dv_tensor_id *outputs,
                      uint32_t output_count);

/* Parameters. */
dv_op_params build_none(void);
dv_op_params build_conv(int64_t stride, int64_t pad, int64_t groups);
dv_op_params build_pool(int64_t kernel, int64_t stride, int64_t pad);
dv_op_params build_linear(bool weight_kn);
dv_op_params build_axis(int64_t axis);
dv_op_params build_permute(const char *perm); /* "0231" */
dv_op_params build_clamp(double min, double max);
dv_op_params build_norm(double eps, int64_t axes);
dv_op_params build_reduce(bool keep_dims, const char *axes); /* "23" */

void build_output(dv_graph *graph, dv_tensor_id id);

/* Adds the output (DV_NONE: those added are all) and finishes; returns graph. */
dv_graph *build_finish(dv_graph *graph, dv_tensor_id output);

/* "f32 1x4x8x8": the type of the tensor of that name; "" if there is none. */
const char *type_of(const dv_graph *graph, const char *name);

/* How many operators of that kind; the first of them, or NULL; the one of that name, or NULL. */
uint32_t count_of(const dv_graph *graph, dv_op_kind kind);
const dv_op *first_of(const dv_graph *graph, dv_op_kind kind);
const dv_op *op_named(const dv_graph *graph, const char *name);

#endif
