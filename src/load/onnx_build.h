/* onnx_build.h - the state of loading one ONNX file, shared by what builds inputs and what builds
   nodes. */
#ifndef DV_LOAD_ONNX_BUILD_H
#define DV_LOAD_ONNX_BUILD_H

#include "core/graph.h"
#include "load/names.h"
#include "load/onnx_callees.h"
#include "load/onnx_dims.h"
#include "load/onnx_known.h"
#include "load/onnx_ops.h"
#include "load/onnx_reads.h"

/* The names of one graph; an inner graph sees those of the outer ones, its own first; the body of a
   function sees its own only. */
typedef struct dv_onnx_scope {
    dv_names ids; /* name -> tensor, sequence, or DV_ONNX_ABSENT: an optional left out */
    struct dv_onnx_scope *outer;
    const char *prefix; /* of the names of what is built here; "" for the model's own graph */
} dv_onnx_scope;

#define DV_ONNX_ABSENT (DV_NONE - 1)

/* A sequence of tensors, whose length is known while loading: no operator of ours works on one.
   Names stand for it as for a tensor, by its index with this bit set. */
typedef struct dv_onnx_sequence {
    uint32_t count;
    dv_tensor_id *items;
} dv_onnx_sequence;

#define DV_ONNX_SEQUENCE 0x80000000u

/* Is this a sequence, not a tensor, DV_NONE or DV_ONNX_ABSENT? */
static inline bool dv_onnx_is_sequence(dv_tensor_id id)
{
    return id != DV_NONE && id != DV_ONNX_ABSENT && (id & DV_ONNX_SEQUENCE) != 0;
}

enum { DV_ONNX_TOLD = 2 }; /* calls within calls that a message names */

/* A call of a function of the model under way; its body is built in place of the node. */
typedef struct dv_onnx_call {
    const struct dv_onnx_callee *callee;
    const dv_onnx_node *node; /* its attributes are those that the body may refer to */
    int depth;
    struct dv_onnx_call *outer; /* NULL: the node is in the model's own graph */
} dv_onnx_call;

/* What the model's own graph records of values that nodes make: messages by name, once asked. */
typedef struct dv_onnx_recorded {
    bool is_read;
    dv_names names;
    dv_span *items;
} dv_onnx_recorded;

typedef struct dv_onnx_builder {
    const uint8_t *file; /* start of the mapped model */
    dv_onnx_files files;
    dv_onnx_model model;
    dv_onnx_graph source;
    dv_onnx_dims dims;
    dv_onnx_reads reads;
    dv_onnx_known known;
    dv_onnx_callees callees;
    dv_onnx_recorded recorded;
    dv_onnx_sequence *sequences;
    uint32_t sequence_count, sequence_room;
    dv_graph *graph;
    dv_arena *arena; /* lives as long as the builder */
    dv_onnx_scope *scope;
    dv_onnx_call *call; /* innermost; NULL: none */
    uint32_t expanded;  /* nodes built in place of calls and loops */
    bool has_leftovers; /* of branches and turns that were given up */
    int depth;          /* of the graph being built; 0: the model's own */
    uint32_t handle;    /* index of the node of the model's own graph being built */
} dv_onnx_builder;

/* How much of a name a message shows, and its bytes. */
int dv_onnx_shown(dv_span text);
const char *dv_onnx_bytes(dv_span text);

/* Adds a tensor of that name to the innermost graph. */
DV_MUST_USE dv_status dv_onnx_add_tensor(dv_onnx_builder *b, dv_span name, dv_tensor *tensor,
                                         dv_tensor_id *id);

/* The tensor or sequence of that name in the innermost graph that has it, else a new activation;
   DV_NONE for the empty name and for an optional that is left out. */
DV_MUST_USE dv_status dv_onnx_value_named(dv_onnx_builder *b, dv_span name, dv_tensor_id *id);

/* What a node makes under that name in the innermost graph: a new activation, unless a node before
   read it already. */
DV_MUST_USE dv_status dv_onnx_output_named(dv_onnx_builder *b, dv_span name, dv_tensor_id *id);

/* Gives a value of an output (a tensor or a sequence) to the node's output i: by an operator that
   passes a tensor on, by the name alone for a sequence. */
DV_MUST_USE dv_status dv_onnx_pass_on(dv_onnx_builder *b, dv_onnx_at *at, dv_tensor_id value,
                                      uint32_t i);

/* A new sequence of count tensors, to be filled; *id stands for it. */
DV_MUST_USE dv_status dv_onnx_add_sequence(dv_onnx_builder *b, uint32_t count, dv_tensor_id *id,
                                           dv_tensor_id **items);

/* The items of a sequence. */
dv_onnx_sequence dv_onnx_sequence_of(const dv_onnx_builder *b, dv_tensor_id id);

/* The value of a tensor where it is one integer that is known while loading. */
DV_MUST_USE dv_status dv_onnx_known_integer(dv_onnx_builder *b, dv_tensor_id id, bool *known,
                                            int64_t *out);

/* Builds a node that works on sequences or optionals; *done false if it is none. What cannot be
   built makes op OPAQUE with the reason. */
DV_MUST_USE dv_status dv_onnx_add_sequences(dv_onnx_builder *b, dv_onnx_at *at, bool *done);

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

/* Gives what a node makes that is kept by name the element types and shapes that the file records,
   or the node's attributes tell; what neither does stays unknown. After the node was added. */
DV_MUST_USE dv_status dv_onnx_record_outputs(dv_onnx_builder *b, dv_onnx_at *at);

/* Counts nodes that are built in place of a call or a loop. DV_BAD_INPUT once there are more than
   any real model has: a small file can ask for astronomically many. */
DV_MUST_USE dv_status dv_onnx_count_expanded(dv_onnx_builder *b, size_t count);

/* The version of the operator set that nodes of that domain are of. */
DV_MUST_USE dv_status dv_onnx_opset_of(const dv_onnx_builder *b, dv_span domain, int64_t *out);

/* "" or "ai.onnx"? */
bool dv_onnx_is_standard(dv_span domain);

#endif
