/* onnx_put.h - nodes of an ONNX graph being written, for the writers of onnx_write.def.

   A writer sees one operator of ours. It gathers attributes, then puts the node that has them; what
   it needs on the way (constants, results between nodes) gets a new name after the operator. What
   fails for want of memory makes the whole fail at its end. */
#ifndef DV_LOAD_ONNX_PUT_H
#define DV_LOAD_ONNX_PUT_H

#include "core/graph.h"
#include "core/text.h"
#include "load/names.h"

typedef struct dv_onnx_put {
    const dv_graph *graph;
    const dv_op *op;  /* being written */
    const char *type; /* its ONNX type, of onnx_write.def */
    int64_t opset;    /* that the nodes so far need */
    dv_arena *arena;  /* names */
    dv_names node_names;
    dv_names taken;      /* all names of tensors */
    dv_text nodes;       /* fields `node` of GraphProto */
    dv_text constants;   /* fields `initializer`, of small constants */
    dv_text attributes;  /* of the next node */
    bool failed;         /* out of memory */
    bool quantised;      /* the operator computes on the numbers that quantised tensors stand for */
    const char **real;   /* per tensor: the name of those numbers; NULL: not there yet */
    const char **before; /* per tensor: the name of a result before it is rounded */
} dv_onnx_put;

typedef dv_status dv_onnx_op_writer(dv_onnx_put *put);

#define WRITE(kind, type, writer) dv_onnx_op_writer dv_onnx_write_##writer;
#include "load/onnx_write.def"
#undef WRITE

/* ---- the operator ---- */

/* Makes op the operator being written, between conversions of its quantised operands, as ONNX
   spells a quantised operator; end it with dv_put_end once its nodes are put. */
DV_MUST_USE dv_status dv_put_begin(dv_onnx_put *put, const dv_op *op, const char *type);
void dv_put_end(dv_onnx_put *put);

/* The name of input i, "" if it is left out; of output i, one of our own if nobody asked for it. */
const char *dv_put_input(const dv_onnx_put *put, uint32_t i);
const char *dv_put_output(dv_onnx_put *put, uint32_t i);

/* Of a quantised operand, the tensor of numbers. NULL: left out. */
const dv_tensor *dv_put_input_tensor(const dv_onnx_put *put, uint32_t i);
const dv_tensor *dv_put_output_tensor(const dv_onnx_put *put, uint32_t i);

/* The operator cannot be written; says why. */
dv_status dv_put_refuse(const dv_onnx_put *put, const char *format, ...) DV_PRINTF(2, 3);

/* ---- attributes of the next node ---- */

void dv_put_int(dv_onnx_put *put, const char *name, int64_t value);
void dv_put_float(dv_onnx_put *put, const char *name, double value);
void dv_put_string(dv_onnx_put *put, const char *name, const char *value);
void dv_put_ints(dv_onnx_put *put, const char *name, const int64_t *values, size_t count);
void dv_put_strings(dv_onnx_put *put, const char *name, const char *const *values, size_t count);

/* A tensor of one element. */
void dv_put_value(dv_onnx_put *put, const char *name, dv_dtype dtype, double value);

/* ---- constants; the name of a new one ---- */

const char *dv_put_longs(dv_onnx_put *put, const int64_t *values, size_t count); /* a list */
const char *dv_put_long(dv_onnx_put *put, int64_t value);                        /* rank 0 */
const char *dv_put_shape(dv_onnx_put *put, const dv_shape *shape);               /* a list */
const char *dv_put_scalar(dv_onnx_put *put, dv_dtype dtype, double value);       /* rank 0 */
const char *dv_put_floats(dv_onnx_put *put, const float *values, size_t count);  /* a list */
/* Zero points: one number of rank 0, or a list. */
const char *dv_put_zeros(dv_onnx_put *put, dv_dtype dtype, const int32_t *values, size_t count);
const char *dv_put_list(dv_onnx_put *put, dv_dtype dtype, double value, size_t count);

/* ---- nodes ---- */

/* Puts a node. The operator's last node has its name, those before a name after it; ONNX Runtime
   wants no name twice. */
void dv_put_node(dv_onnx_put *put, const char *type, const char *const *inputs, size_t input_count,
                 const char *const *outputs, size_t output_count);

/* A node with the attributes so far, of inputs a, b and c (NULL: no more); its new output's name.
 */
const char *dv_put_part(dv_onnx_put *put, const char *type, const char *a, const char *b,
                        const char *c);

/* The same with the operator's first output. */
dv_status dv_put_last(dv_onnx_put *put, const char *type, const char *a, const char *b,
                      const char *c);

/* All inputs and outputs of the operator. */
dv_status dv_put_whole(dv_onnx_put *put, const char *type);

/* The operator needs at least that operator set. */
void dv_put_need(dv_onnx_put *put, int64_t opset);

/* A name like `base` that no tensor has. */
const char *dv_put_new_name(dv_onnx_put *put, const char *base);

/* Appends name, type and shape as a ValueInfoProto. */
void dv_put_value_info(dv_text *out, uint32_t number, const dv_tensor *tensor, const char *name);

#endif
