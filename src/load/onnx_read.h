/* onnx_read.h - ONNX messages as views over the mapped file.

   Fields and numbers are those of onnx.proto (https://onnx.ai/onnx/api/classes.html); strings and
   payloads stay where they are. Lists of spans are in the reader's arena. Whatever onnx.proto3
   leaves open is closed here: list lengths are limited, text must be free of NUL bytes. */
#ifndef DV_LOAD_ONNX_READ_H
#define DV_LOAD_ONNX_READ_H

#include "core/arena.h"
#include "load/protobuf.h"

/* Real files stay far below (the largest export examined has 6,623 nodes). */
enum {
    DV_ONNX_MAX_ITEMS = 1 << 20, /* nodes, initialisers or names in one list */
    DV_ONNX_MAX_NESTING = 32,    /* graphs within graphs */
};

typedef enum dv_onnx_type { /* TensorProto.DataType */
                            DV_ONNX_FLOAT = 1,
                            DV_ONNX_UINT8 = 2,
                            DV_ONNX_INT8 = 3,
                            DV_ONNX_UINT16 = 4,
                            DV_ONNX_INT16 = 5,
                            DV_ONNX_INT32 = 6,
                            DV_ONNX_INT64 = 7,
                            DV_ONNX_STRING = 8,
                            DV_ONNX_BOOL = 9,
                            DV_ONNX_FLOAT16 = 10,
                            DV_ONNX_DOUBLE = 11,
                            DV_ONNX_UINT32 = 12,
                            DV_ONNX_UINT64 = 13,
                            DV_ONNX_BFLOAT16 = 16,
                            DV_ONNX_UINT4 = 21,
                            DV_ONNX_INT4 = 22,
} dv_onnx_type;

typedef struct dv_onnx_spans {
    uint32_t count;
    dv_span *items;
} dv_onnx_spans;

/* Values of one attribute that are given; INT and INTS may both be absent in a malformed file. */
typedef enum dv_onnx_given {
    DV_ONNX_F = 1,
    DV_ONNX_I = 2,
    DV_ONNX_S = 4,
    DV_ONNX_T = 8,
    DV_ONNX_G = 16,
    DV_ONNX_FLOATS = 32,
    DV_ONNX_INTS = 64,
    DV_ONNX_STRINGS = 128,
    DV_ONNX_OTHER = 256,
} dv_onnx_given;

typedef struct dv_onnx_attribute {
    dv_span name;
    uint32_t type;  /* AttributeProto.AttributeType; 0 in files of IR version 1 */
    unsigned given; /* mask of dv_onnx_given */
    float f;
    int64_t i;
    dv_span s, t, g; /* text; a TensorProto; a GraphProto */
    dv_span sparse;  /* a SparseTensorProto */
    dv_span body;    /* the whole message, for lists */
    dv_span refers;  /* to an attribute of the enclosing function; empty: to none */
    bool used;       /* set by the reader of the operator */
} dv_onnx_attribute;

typedef struct dv_onnx_node {
    dv_span name, op_type, domain, overload;
    dv_onnx_spans inputs, outputs; /* an empty name is an optional one left out */
    uint32_t attribute_count;
    dv_onnx_attribute *attributes;
} dv_onnx_node;

typedef struct dv_onnx_dim {
    bool known;
    int64_t value;
    dv_span symbol; /* empty: without a name */
} dv_onnx_dim;

enum { DV_ONNX_MAX_DIMS = 64 }; /* more than a tensor of ours has: the caller says what is wrong */

typedef struct dv_onnx_value { /* ValueInfoProto */
    dv_span name;
    bool is_tensor;                /* not a sequence, map, optional or sparse tensor */
    bool is_sequence, is_optional; /* of tensors of the type that follows; both: an optional one */
    uint32_t type;                 /* element type */
    bool has_shape;
    uint32_t rank;
    dv_onnx_dim dims[DV_ONNX_MAX_DIMS];
} dv_onnx_value;

typedef struct dv_onnx_tensor { /* TensorProto */
    dv_span name;
    uint32_t type;
    uint32_t rank;
    int64_t dims[DV_ONNX_MAX_DIMS];
    bool has_raw, external, segmented;
    dv_span raw;
    dv_span location, offset, length; /* of external data; empty: not given */
    dv_span body;                     /* the whole message, for typed lists */
} dv_onnx_tensor;

typedef struct dv_onnx_sparse { /* SparseTensorProto: the elements of a tensor that are not 0 */
    dv_onnx_tensor values, indices;
    uint32_t rank;
    int64_t dims[DV_ONNX_MAX_DIMS];
} dv_onnx_sparse;

typedef struct dv_onnx_graph {
    dv_span name;
    dv_onnx_spans nodes, initialisers, inputs, outputs, sparse; /* messages still to be read */
} dv_onnx_graph;

typedef struct dv_onnx_opset {
    dv_span domain;
    int64_t version;
} dv_onnx_opset;

enum { DV_ONNX_MAX_OPSETS = 256 };

typedef struct dv_onnx_model {
    int64_t ir_version;
    dv_span producer, producer_version;
    uint32_t opset_count;
    dv_onnx_opset opsets[DV_ONNX_MAX_OPSETS];
    uint32_t function_count; /* model-local functions */
    bool has_graph;
    dv_span graph;
} dv_onnx_model;

typedef struct dv_onnx_function { /* FunctionProto */
    dv_span name, domain, overload;
    dv_onnx_spans inputs, outputs, nodes; /* names; messages still to be read */
    uint32_t default_count;               /* attributes that a call may leave out */
    dv_onnx_attribute *defaults;
    uint32_t opset_count;
    dv_onnx_opset *opsets;
} dv_onnx_function;

/* Each reads one message. file is the start of the mapped file; DV_BAD_INPUT with the place, or
   DV_NO_MEMORY. O(bytes of the message that are not payload). */
DV_MUST_USE dv_status dv_onnx_read_model(dv_span bytes, const uint8_t *file, dv_onnx_model *out);
DV_MUST_USE dv_status dv_onnx_read_graph(dv_span bytes, const uint8_t *file, dv_arena *arena,
                                         dv_onnx_graph *out);
DV_MUST_USE dv_status dv_onnx_read_node(dv_span bytes, const uint8_t *file, dv_arena *arena,
                                        dv_onnx_node *out);
DV_MUST_USE dv_status dv_onnx_read_value(dv_span bytes, const uint8_t *file, dv_onnx_value *out);
DV_MUST_USE dv_status dv_onnx_read_function(dv_span bytes, const uint8_t *file, dv_arena *arena,
                                            dv_onnx_function *out);
DV_MUST_USE dv_status dv_onnx_read_tensor(dv_span bytes, const uint8_t *file, dv_onnx_tensor *out);

DV_MUST_USE dv_status dv_onnx_read_sparse(dv_span bytes, const uint8_t *file, dv_onnx_sparse *out);

/* The elements of an attribute's list of ints (floats); at most most of them. */
DV_MUST_USE dv_status dv_onnx_read_ints(const dv_onnx_attribute *attribute, const uint8_t *file,
                                        size_t most, int64_t *out, size_t *count);
DV_MUST_USE dv_status dv_onnx_read_floats(const dv_onnx_attribute *attribute, const uint8_t *file,
                                          size_t most, float *out, size_t *count);
DV_MUST_USE dv_status dv_onnx_read_texts(const dv_onnx_attribute *attribute, const uint8_t *file,
                                         size_t most, dv_span *out, size_t *count);

#endif
