/* onnx_build.h - the state of loading one ONNX file, shared by what builds inputs and what builds
   nodes. */
#ifndef DV_LOAD_ONNX_BUILD_H
#define DV_LOAD_ONNX_BUILD_H

#include "core/graph.h"
#include "load/names.h"
#include "load/onnx_dims.h"
#include "load/onnx_ops.h"
#include "load/onnx_reads.h"

/* The names of one graph; an inner graph sees those of the outer ones, its own first. */
typedef struct dv_onnx_scope {
    dv_names ids; /* name -> tensor */
    struct dv_onnx_scope *outer;
} dv_onnx_scope;

typedef struct dv_onnx_builder {
    const uint8_t *file; /* start of the mapped model */
    dv_onnx_files files;
    dv_onnx_model model;
    dv_onnx_graph source;
    dv_onnx_dims dims;
    dv_onnx_reads reads;
    dv_graph *graph;
    dv_arena *arena; /* lives as long as the builder */
    dv_onnx_scope *scope;
    int depth;       /* of the graph being built; 0: the model's own */
    uint32_t handle; /* index of the node of the model's own graph being built */
} dv_onnx_builder;

/* How much of a name a message shows, and its bytes. */
int dv_onnx_shown(dv_span text);
const char *dv_onnx_bytes(dv_span text);

/* Adds a tensor of that name to the innermost graph. */
DV_MUST_USE dv_status dv_onnx_add_tensor(dv_onnx_builder *b, dv_span name, dv_tensor *tensor,
                                         dv_tensor_id *id);

/* The tensor of that name in the innermost graph that has it, else a new activation; DV_NONE for
   the empty name. */
DV_MUST_USE dv_status dv_onnx_tensor_named(dv_onnx_builder *b, dv_span name, dv_tensor_id *id);

/* Adds the constant of a TensorProto to the innermost graph. */
DV_MUST_USE dv_status dv_onnx_add_initialiser(dv_onnx_builder *b, dv_span bytes);

/* Adds the index-th node of a graph: operators, or a constant. */
DV_MUST_USE dv_status dv_onnx_add_node(dv_onnx_builder *b, const dv_onnx_graph *graph,
                                       uint32_t index);

/* Replaces an If by the operators of both its branches and a choice between what they make, or of
   the one that a constant condition takes; *done false where that is not possible. Both branches
   of ONNX's If are free of side effects, so running the other one too changes no value. */
DV_MUST_USE dv_status dv_onnx_add_branches(dv_onnx_builder *b, dv_onnx_at *at, bool *done);

#endif
