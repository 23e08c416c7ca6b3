/* onnx_build.h - the state of loading one ONNX file, shared by what builds inputs and what builds
   nodes. */
#ifndef DV_LOAD_ONNX_BUILD_H
#define DV_LOAD_ONNX_BUILD_H

#include "core/graph.h"
#include "load/names.h"
#include "load/onnx_callees.h"
#include "load/onnx_dims.h"
#include "load/onnx_ops.h"
#include "load/onnx_reads.h"

/* The names of one graph; an inner graph sees those of the outer ones, its own first; the body of a
   function sees its own only. */
typedef struct dv_onnx_scope {
    dv_names
        ids; /* name -> tensor, or DV_ONNX_ABSENT: an input of a function that a call left out */
    struct dv_onnx_scope *outer;
    const char *prefix; /* of the names of what is built here; "" for the model's own graph */
} dv_onnx_scope;

#define DV_ONNX_ABSENT (DV_NONE - 1)

enum { DV_ONNX_TOLD = 2 }; /* calls within calls that a message names */

/* A call of a function of the model under way; its body is built in place of the node. */
typedef struct dv_onnx_call {
    const struct dv_onnx_callee *callee;
    const dv_onnx_node *node; /* its attributes are those that the body may refer to */
    int depth;
    struct dv_onnx_call *outer; /* NULL: the node is in the model's own graph */
} dv_onnx_call;

typedef struct dv_onnx_builder {
    const uint8_t *file; /* start of the mapped model */
    dv_onnx_files files;
    dv_onnx_model model;
    dv_onnx_graph source;
    dv_onnx_dims dims;
    dv_onnx_reads reads;
    dv_onnx_callees callees;
    dv_graph *graph;
    dv_arena *arena; /* lives as long as the builder */
    dv_onnx_scope *scope;
    dv_onnx_call *call; /* innermost; NULL: none */
    uint32_t expanded;  /* nodes built in place of calls and loops */
    int depth;          /* of the graph being built; 0: the model's own */
    uint32_t handle;    /* index of the node of the model's own graph being built */
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

/* Adds the constants of a graph, dense and sparse, to the innermost graph. */
DV_MUST_USE dv_status dv_onnx_add_initialisers(dv_onnx_builder *b, const dv_onnx_graph *graph);

/* Adds the index-th node of a graph: operators, or a constant. */
DV_MUST_USE dv_status dv_onnx_add_node(dv_onnx_builder *b, const dv_onnx_graph *graph,
                                       uint32_t index);

/* Replaces an If by the operators of both its branches and a choice between what they make, or of
   the one that a constant condition takes; *done false where that is not possible. Both branches
   of ONNX's If are free of side effects, so running the other one too changes no value. */
DV_MUST_USE dv_status dv_onnx_add_branches(dv_onnx_builder *b, dv_onnx_at *at, bool *done);

/* Replaces the call of a function of the model by the function's body; *done false if there is no
   such function. */
DV_MUST_USE dv_status dv_onnx_add_call(dv_onnx_builder *b, dv_onnx_at *at, bool *done);

/* Replaces a Loop or Scan by its body, once for each turn; *done false where the number of turns is
   not a constant of the file. DV_BAD_INPUT for more turns than are unrolled. */
DV_MUST_USE dv_status dv_onnx_add_loop(dv_onnx_builder *b, dv_onnx_at *at, bool *done);

/* Gives a node of a function's body the attributes of the call that it refers to. */
DV_MUST_USE dv_status dv_onnx_resolve(const dv_onnx_builder *b, dv_onnx_node *node);

/* Counts nodes that are built in place of a call or a loop. DV_BAD_INPUT once there are more than
   any real model has: a small file can ask for astronomically many. */
DV_MUST_USE dv_status dv_onnx_count_expanded(dv_onnx_builder *b, size_t count);

/* The version of the operator set that nodes of that domain are of. */
DV_MUST_USE dv_status dv_onnx_opset_of(const dv_onnx_builder *b, dv_span domain, int64_t *out);

/* "" or "ai.onnx"? */
bool dv_onnx_is_standard(dv_span domain);

#endif
