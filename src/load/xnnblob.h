/* xnnblob.h - what the blobs of ExecuTorch's XNNPACK and Vulkan delegates hold.

   XNNPACK: a header of 30 bytes, a flatbuffer, constants (XNNHeader.h and schema.fbs of its
   serialization). Vulkan: the same with another schema, whose operators are ATen's. Weights may be
   in the program's named data instead. */
#ifndef DV_LOAD_XNNBLOB_H
#define DV_LOAD_XNNBLOB_H

#include "load/pte_build.h"

/* A value of an XNNPACK graph. */
typedef struct dv_xnn_value {
    bool given;
    dv_shape shape;
    int16_t type;      /* XNNDatatype */
    uint32_t constant; /* index of its data; 0: none */
    uint32_t external; /* index of the call's argument; DV_NONE: inside */
    uint8_t quant;     /* kind of quant_table: XNNQuantParams; 0: none */
    dv_fb_table quant_table;
} dv_xnn_value;

enum { DV_XNN_MOST_INPUTS = 5 };

/* A node of an XNNPACK graph. */
typedef struct dv_xnn_node {
    uint8_t kind; /* XNodeUnion */
    dv_fb_table table;
    uint32_t input_count, output_count;
    uint32_t inputs[DV_XNN_MOST_INPUTS], outputs[2]; /* values; DV_NONE: left out */
    double least, most;                              /* bounds of its output; infinite: open */
} dv_xnn_node;

typedef struct dv_xnn_graph {
    dv_fb fb;
    dv_span constants; /* behind the flatbuffer */
    dv_fb_vector data; /* ConstantDataOffset */
    uint32_t node_count, value_count, input_count, output_count;
    dv_xnn_node *nodes;
    dv_xnn_value *values;
} dv_xnn_graph;

/* Reads the tables of a blob; *known false if it is none. */
DV_MUST_USE dv_status dv_xnnblob_open(dv_span blob, dv_arena *arena, dv_xnn_graph *out,
                                      bool *known);

/* "Conv2d"; "?" for a kind that this program does not know. */
const char *dv_xnn_kind_name(uint8_t kind);

/* One line of a delegate's own operators. */
typedef struct dv_blob_line {
    const char *kind;
    dv_shape input, output; /* the first of each, as the delegate lays them out */
    const char *dtype;      /* of the output: "qint8" */
    double macs;
} dv_blob_line;

/* Lists the operators of a delegate that can be opened (ops >= 0) into arena. */
DV_MUST_USE dv_status dv_blob_lines(const dv_pte_delegate *delegate, dv_arena *arena,
                                    dv_blob_line **lines, uint32_t *count);

/* The same for a Vulkan blob. */
DV_MUST_USE dv_status dv_vkblob_lines(const dv_pte_delegate *delegate, dv_arena *arena,
                                      dv_blob_line **lines, uint32_t *count);

/* Adds the operators of the call's blob to the graph being built. *opened false: it cannot be, and
   nothing was added. */
DV_MUST_USE dv_status dv_xnnblob_add(dv_pte_builder *b, const dv_pte_call *call, bool *opened);
DV_MUST_USE dv_status dv_vkblob_add(dv_pte_builder *b, const dv_pte_call *call, bool *opened);

/* ---- shared by xnnblob*.c ---- */

/* A value in the graph being built. XNNPACK's images are NHWC, ours NCHW: a value may exist as it
   is (plain), with its channels in front (planar), or both; a permutation is put in only where a
   form is missing. */
typedef struct dv_xnn_slot {
    dv_tensor_id plain, planar;
} dv_xnn_slot;

typedef struct dv_xnn_builder {
    dv_pte_builder *b;
    const dv_pte_call *call;
    dv_xnn_graph graph;
    dv_xnn_slot *slots;
    const dv_xnn_node *node; /* under way */
    const char *name;        /* of its operators: "3/0:Conv2d" */
} dv_xnn_builder;

/* How a weight's dims become ours. */
typedef enum dv_xnn_layout {
    DV_XNN_AS_IS,
    DV_XNN_OHWI,       /* to [out, in, h, w] */
    DV_XNN_DEPTHWISE,  /* [1, h, w, out] to [out, 1, h, w] */
    DV_XNN_TRANSPOSED, /* [out, h, w, in / groups] to [in, out / groups, h, w] */
} dv_xnn_layout;

/* The constant of a value, added to the graph: as f32, or as i8 behind a DEQUANTIZE. groups is for
   DV_XNN_TRANSPOSED. */
DV_MUST_USE dv_status dv_xnn_constant(dv_xnn_builder *x, uint32_t value, dv_xnn_layout layout,
                                      int64_t groups, dv_tensor_id *id);

/* The operators of x->node. */
DV_MUST_USE dv_status dv_xnn_add_node(dv_xnn_builder *x);

/* Adds an operator whose output is *id, a new tensor. params may be NULL. */
DV_MUST_USE dv_status dv_xnn_emit(dv_xnn_builder *x, dv_op_kind kind, const dv_op_params *params,
                                  const dv_tensor_id *inputs, uint32_t count, dv_tensor_id *id);

/* Adds a constant of one element. */
DV_MUST_USE dv_status dv_xnn_scalar(dv_xnn_builder *x, dv_dtype dtype, double value,
                                    dv_tensor_id *id);

/* Rounds *id to the numbers that a quantised value can hold; others stay. */
DV_MUST_USE dv_status dv_xnn_round(dv_xnn_builder *x, uint32_t value, dv_tensor_id *id);

/* A value as it is, or with its channels in front. */
DV_MUST_USE dv_status dv_xnn_plain(dv_xnn_builder *x, uint32_t value, dv_tensor_id *id);
DV_MUST_USE dv_status dv_xnn_planar(dv_xnn_builder *x, uint32_t value, dv_tensor_id *id);

#endif
