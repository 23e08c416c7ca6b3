/* onnx_ops.h - one node of an ONNX graph becomes one or a few of our operators.

   onnx_ops.def has a row for each operator type that is understood: the kind it becomes, the reader
   of its attributes, how many inputs it may have and which attributes. A node with an attribute
   that is not in its row stays opaque, so that nothing is ever read in half. */
#ifndef DV_LOAD_ONNX_OPS_H
#define DV_LOAD_ONNX_OPS_H

#include "core/graph.h"
#include "load/onnx_known.h"
#include "load/onnx_read.h"
#include "load/onnx_tensor.h"

/* One node on its way. The reader fills op.params, may change op.kind and the inputs, and may emit
   operators before it; op itself is added when the reader has returned. */
typedef struct dv_onnx_at {
    dv_graph *graph;
    dv_onnx_files *files;
    const uint8_t *file; /* start of the mapped model */
    dv_arena *arena;     /* lives until the node is done */
    dv_onnx_known *known;
    uint64_t *dims_used; /* of the command line's */
    const dv_onnx_node *node;
    int64_t opset;
    bool in_branch; /* of an If: it may be one that is never taken */
    dv_op op;
    dv_tensor_id *inputs, *outputs; /* those of op, to be changed; room for DV_ONNX_SPARE more */
} dv_onnx_at;

enum { DV_ONNX_SPARE = 4 };

typedef dv_status dv_onnx_reader(dv_onnx_at *at);

typedef struct dv_onnx_rule {
    const char *type;
    dv_op_kind kind;
    dv_onnx_reader *read;
    uint32_t least, most;   /* inputs */
    const char *attributes; /* names with a space between them */
} dv_onnx_rule;

/* The row for an operator type of the default domain, or NULL. O(log rows). */
const dv_onnx_rule *dv_onnx_rule_of(dv_span type);

/* The row for an operator type of another domain, "domain.type" in the table, or NULL. */
const dv_onnx_rule *dv_onnx_rule_in(dv_span domain, dv_span type);

/* The i-th row, NULL past the last. */
const dv_onnx_rule *dv_onnx_rule_at(size_t i);

#define RULE(type, kind, reader, least, most, attributes) dv_onnx_reader dv_onnx_op_##reader;
#include "load/onnx_ops.def"
#undef RULE

/* ---- what readers are made of ---- */

/* Attributes; the default where absent. DV_BAD_INPUT if it holds another type of value. */
DV_MUST_USE dv_status dv_onnx_int(dv_onnx_at *at, const char *name, int64_t absent, int64_t *out);
DV_MUST_USE dv_status dv_onnx_flag(dv_onnx_at *at, const char *name, bool absent, bool *out);
DV_MUST_USE dv_status dv_onnx_float(dv_onnx_at *at, const char *name, double absent, double *out);
DV_MUST_USE dv_status dv_onnx_text(dv_onnx_at *at, const char *name, const char *absent,
                                   dv_span *out);
/* *count 0 if absent or empty. */
DV_MUST_USE dv_status dv_onnx_ints(dv_onnx_at *at, const char *name, size_t most, int64_t *out,
                                   size_t *count);
const dv_onnx_attribute *dv_onnx_attribute_of(const dv_onnx_at *at, const char *name);
bool dv_onnx_has(const dv_onnx_at *at, const char *name);

/* Is input i there? */
bool dv_onnx_given_input(const dv_onnx_at *at, uint32_t i);

/* Input i where it is a constant whose elements can be read; else NULL. */
const dv_tensor *dv_onnx_constant(const dv_onnx_at *at, uint32_t i);

/* The shape of a tensor of the graph as far as it follows from what was built before; of rank
   DV_RANK_UNKNOWN where it does not, or without memory. Lives until the node is done. Ask where the
   shape decides what is built, not for every node: see onnx_known.h for the cost. */
const dv_shape *dv_onnx_shape_of(dv_onnx_at *at, dv_tensor_id id);

/* Input i where its value follows from what was built before; else NULL. Lives until the next
   question; the same cost as dv_onnx_shape_of. */
const dv_tensor *dv_onnx_known_constant(dv_onnx_at *at, uint32_t i);

/* The element type of input i as far as it is known while loading, else F32. */
dv_dtype dv_onnx_input_dtype(const dv_onnx_at *at, uint32_t i);

/* Makes op OPAQUE for this reason and returns DV_OK (DV_NO_MEMORY). Before anything was emitted. */
dv_status dv_onnx_opaque(dv_onnx_at *at, const char *format, ...) DV_PRINTF(2, 3);

/* Adds a constant: one element of that value; a list of i64, of f32. */
DV_MUST_USE dv_status dv_onnx_scalar(dv_onnx_at *at, dv_dtype dtype, double value,
                                     dv_tensor_id *id);
DV_MUST_USE dv_status dv_onnx_list(dv_onnx_at *at, const int64_t *values, size_t count,
                                   dv_tensor_id *id);

DV_MUST_USE dv_status dv_onnx_floats(dv_onnx_at *at, const float *values, size_t count,
                                     dv_tensor_id *id);

/* The first element of a constant of numbers. */
double dv_onnx_first_element(const dv_tensor *tensor);

/* Adds a tensor between the operators of one node. */
DV_MUST_USE dv_status dv_onnx_part(dv_onnx_at *at, dv_tensor_id *id);

/* Adds an operator in front of op under the node's name; *id is its new output. params may be NULL.
   b DV_NONE: one input. */
DV_MUST_USE dv_status dv_onnx_emit(dv_onnx_at *at, dv_op_kind kind, const dv_op_params *params,
                                   dv_tensor_id a, dv_tensor_id b, dv_tensor_id *id);

DV_MUST_USE dv_status dv_onnx_emit3(dv_onnx_at *at, dv_op_kind kind, const dv_op_params *params,
                                    const dv_tensor_id inputs[3], dv_tensor_id *id);

/* The same with an output of the node, which is not op's own, as its output. */
DV_MUST_USE dv_status dv_onnx_emit_to(dv_onnx_at *at, dv_op_kind kind, const dv_op_params *params,
                                      dv_tensor_id a, dv_tensor_id b, dv_tensor_id id);

/* BatchNormalization by the batch's own mean and variance, with the running ones as outputs. */
DV_MUST_USE dv_status dv_onnx_batch_norm_in_training(dv_onnx_at *at);

/* op becomes kind of these inputs (b, c DV_NONE: fewer). */
void dv_onnx_become(dv_onnx_at *at, dv_op_kind kind, dv_tensor_id a, dv_tensor_id b,
                    dv_tensor_id c);

/* Adds op and tells its outputs their element type. */
DV_MUST_USE dv_status dv_onnx_add(dv_onnx_at *at, const dv_op *op);

#endif
