/* onnx_writer.h - ONNX files by hand, for tests: a few calls make the bytes of a ModelProto.

     onnx_writer w = onnx_begin(13);
     onnx_input(&w, "x", ONNX_FLOAT, "1,3,H,?");
     onnx_floats(&w, "weight", "8,3,3,3", values);
     onnx_node(&w, "Conv", "x weight", "y");
     onnx_attr_ints(&w, "strides", "2,2");
     onnx_output(&w, "y", ONNX_FLOAT, NULL);
     dv_graph *graph = onnx_loaded(&w);   (or onnx_save, onnx_bytes)
     onnx_free(&w); */
#ifndef DV_TESTS_ONNX_WRITER_H
#define DV_TESTS_ONNX_WRITER_H

#include "core/graph.h"
#include "core/text.h"
#include "load/load.h"

enum {
    ONNX_FLOAT = 1,
    ONNX_UINT8 = 2,
    ONNX_INT8 = 3,
    ONNX_INT32 = 6,
    ONNX_INT64 = 7,
    ONNX_STRING = 8,
    ONNX_BOOL = 9,
    ONNX_FLOAT16 = 10,
    ONNX_DOUBLE = 11,
    ONNX_BFLOAT16 = 16,
};

typedef struct onnx_writer {
    dv_text graph;     /* the fields of a GraphProto so far */
    dv_text node;      /* the node under way; further attributes go to it */
    dv_text functions; /* the fields of the ModelProto that follow the graph */
    int64_t opset;
} onnx_writer;

onnx_writer onnx_begin(int64_t opset);
void onnx_free(onnx_writer *w);

/* dims: "1,3,224,224"; a name is a symbolic dim, "?" an unknown one, "" a scalar, NULL no shape. */
void onnx_input(onnx_writer *w, const char *name, int type, const char *dims);
void onnx_output(onnx_writer *w, const char *name, int type, const char *dims);

/* What shape inference leaves in the file about a value between nodes. */
void onnx_recorded(onnx_writer *w, const char *name, int type, const char *dims);

/* An initialiser with raw_data of size bytes. */
void onnx_raw(onnx_writer *w, const char *name, int type, const char *dims, const void *bytes,
              size_t size);
void onnx_floats(onnx_writer *w, const char *name, const char *dims, const float *values);
void onnx_longs(onnx_writer *w, const char *name, const char *dims, const int64_t *values);

/* An initialiser whose bytes are in another file. */
void onnx_external(onnx_writer *w, const char *name, int type, const char *dims,
                   const char *location, const char *offset, const char *length);

/* A node; inputs and outputs are names with a space between them, "-" is one left out. */
void onnx_node(onnx_writer *w, const char *type, const char *inputs, const char *outputs);
void onnx_named_node(onnx_writer *w, const char *name, const char *domain, const char *type,
                     const char *inputs, const char *outputs);

/* Attributes of the last node. */
void onnx_attr_int(onnx_writer *w, const char *name, int64_t value);
void onnx_attr_float(onnx_writer *w, const char *name, float value);
void onnx_attr_string(onnx_writer *w, const char *name, const char *value);
void onnx_attr_ints(onnx_writer *w, const char *name, const char *values); /* "1,2,-3" */
void onnx_attr_floats(onnx_writer *w, const char *name, const char *values);
/* tensor and graph: the bytes of a TensorProto (onnx_tensor) or GraphProto. */
void onnx_attr_tensor(onnx_writer *w, const char *name, const dv_text *tensor);
void onnx_attr_graph(onnx_writer *w, const char *name, const dv_text *graph);

/* The attribute of that name of the enclosing function; type is AttributeProto.AttributeType. */
void onnx_attr_refers(onnx_writer *w, const char *name, int type, const char *to);

/* Adds a function of domain "local" whose body is the nodes of another writer, which is freed, in
   that one's operator set; attributes: names with a space between them. A default value of another
   attribute is that attribute, encoded, in *defaults (NULL: none). */
void onnx_function(onnx_writer *w, const char *name, const char *inputs, const char *outputs,
                   const char *attributes, const dv_text *defaults, onnx_writer *body);

/* The fields of a GraphProto that a writer has gathered, for onnx_attr_graph; frees the writer. */
dv_text onnx_graph_of(onnx_writer *w);

/* The fields of a TensorProto with raw_data. */
void onnx_tensor(dv_text *out, const char *name, int type, const char *dims, const void *bytes,
                 size_t size);

/* The fields of a GraphProto of one node of that type, for onnx_attr_graph. */
dv_text onnx_inner_graph(const char *type, const char *inputs, const char *output);

/* Any field of the graph: already encoded bytes under a field number. */
void onnx_graph_field(onnx_writer *w, unsigned number, const dv_text *bytes);

/* The whole ModelProto; the writer stays usable. */
void onnx_bytes(onnx_writer *w, dv_text *out);

/* Writes it to path; false (with a CUnit failure) if that is impossible. */
bool onnx_save(onnx_writer *w, const char *path);

/* Loads the model through a file of this test run. On failure *graph is NULL and dv_message() tells
   why. */
dv_status onnx_load(onnx_writer *w, const dv_load_options *options, dv_graph **graph);

/* The same where it has to succeed; NULL with a CUnit failure. */
dv_graph *onnx_loaded(onnx_writer *w);

/* Frees the writer and asserts that loading fails with exactly this status and a message that
   contains what. */
void onnx_refused(onnx_writer *w, dv_status status, const char *what);

/* The wire format itself. */
void pb_varint(dv_text *out, uint64_t value);
void pb_int(dv_text *out, unsigned number, int64_t value);
void pb_float(dv_text *out, unsigned number, float value);
void pb_string(dv_text *out, unsigned number, const char *text);
void pb_message(dv_text *out, unsigned number, const dv_text *bytes);
void pb_bytes(dv_text *out, unsigned number, const void *bytes, size_t size);

#endif
