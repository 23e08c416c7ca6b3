/* tflite_writer.h - TFLite files by hand, for tests.

     tfl_writer w = tfl_begin();
     tfl_tensor(&w, "x", TFL_F32, "1,4,4,2");                  tensor 0
     tfl_constant(&w, "w", TFL_F32, "1,3,3,2", values, size);  tensor 1
     tfl_tensor(&w, "y", TFL_F32, "1,4,4,1");                  tensor 2
     tfl_op(&w, TFL_CONV_2D, "0,1", "2");
     tfl_option(&w, 1, 4, 1);                                  field 1, 4 bytes: 1
     tfl_borders(&w, "0", "2");
     dv_graph *graph = tfl_loaded(&w);
   Nothing needs to be freed. */
#ifndef DV_TESTS_TFLITE_WRITER_H
#define DV_TESTS_TFLITE_WRITER_H

#include "core/graph.h"
#include "load/load.h"
#include "tests/fb_writer.h"

enum { TFL_F32 = 0, TFL_F16 = 1, TFL_I32 = 2, TFL_U8 = 3, TFL_I64 = 4, TFL_BOOL = 6, TFL_I8 = 9 };

enum { TFL_MOST = 32, TFL_MOST_FIELDS = 8 };

typedef struct tfl_spec_tensor {
    const char *name, *shape, *signature;
    int type;
    const void *bytes;
    size_t size;
    const float *scales;
    const int64_t *zeros;
    size_t scale_count;
    int axis;
    bool variable; /* an operator keeps it from one inference to the next */
    const char *sparse_segments, *sparse_indices; /* the last dim is compressed */
} tfl_spec_tensor;

typedef struct tfl_spec_op {
    int code;
    const char *custom, *inputs, *outputs, *list;
    const void *custom_bytes;
    size_t custom_size;
    unsigned fields[TFL_MOST_FIELDS], widths[TFL_MOST_FIELDS];
    uint64_t bits[TFL_MOST_FIELDS];
    unsigned field_count;
} tfl_spec_op;

typedef struct tfl_spec_graph {
    tfl_spec_tensor tensors[TFL_MOST];
    tfl_spec_op ops[TFL_MOST];
    size_t tensor_count, op_count;
    const char *inputs, *outputs;
} tfl_spec_graph;

/* All texts and bytes are borrowed until the file is made. */
typedef struct tfl_writer {
    tfl_spec_graph graphs[4];
    size_t graph_count;
} tfl_writer;

tfl_writer tfl_begin(void);

/* Further tensors and operators belong to a new subgraph. */
void tfl_subgraph(tfl_writer *w);

/* The last tensor of the current subgraph is what the next three describe further. */
int tfl_tensor(tfl_writer *w, const char *name, int type, const char *shape);
int tfl_constant(tfl_writer *w, const char *name, int type, const char *shape, const void *bytes,
                 size_t size);
void tfl_signature(tfl_writer *w, const char *signature);
void tfl_quantise(tfl_writer *w, size_t count, const float *scales, const int64_t *zeros, int axis);
void tfl_sparse(tfl_writer *w, const char *segments, const char *indices);

/* An operator of that builtin number, and its options. */
void tfl_op(tfl_writer *w, int code, const char *inputs, const char *outputs);
void tfl_custom(tfl_writer *w, const char *name, const char *inputs, const char *outputs,
                const void *options, size_t size);
void tfl_option(tfl_writer *w, unsigned field, unsigned width, uint64_t bits);
void tfl_option_f32(tfl_writer *w, unsigned field, float value);
void tfl_option_ints(tfl_writer *w, const char *numbers); /* as field 0 */

void tfl_borders(tfl_writer *w, const char *inputs, const char *outputs);

/* The file; the caller frees it. */
dv_text tfl_bytes(const tfl_writer *w);

/* Loads it through a file of this test run; on failure NULL, and dv_message() tells why. */
dv_status tfl_load(const tfl_writer *w, const dv_load_options *options, dv_graph **graph);

/* The same where it has to succeed. */
dv_graph *tfl_loaded(const tfl_writer *w);

/* Expects this status and a message that names the file and contains what. */
void tfl_refused(const tfl_writer *w, dv_status status, const char *what);

#endif
