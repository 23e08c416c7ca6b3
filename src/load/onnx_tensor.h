/* onnx_tensor.h - a TensorProto's elements become the data of a constant.

   Raw data stays where it is: the constant points into the mapped file, or into the mapped file of
   external data. Only typed lists (float_data, int64_data ...) are copied. */
#ifndef DV_LOAD_ONNX_TENSOR_H
#define DV_LOAD_ONNX_TENSOR_H

#include "core/graph.h"
#include "load/onnx_read.h"

/* The model file and the files of external data opened so far. */
typedef struct dv_onnx_files {
    const char *path; /* of the model; external data is beside it */
    dv_buffer *model;
    uint32_t external_count;
    struct dv_onnx_external *externals;
    size_t external_capacity;
    size_t made_bytes; /* of constants that are no bytes of a file */
} dv_onnx_files;

/* A buffer for a constant that is not kept as its file has it: typed lists, sparse tensors. All of
   a model's together may take 64 times the file's size, or 16 MiB. DV_BAD_INPUT beyond. */
DV_MUST_USE dv_status dv_onnx_new_buffer(dv_onnx_files *files, size_t bytes, dv_buffer **out);

/* Releases the files of external data; constants that use one keep it alive. */
void dv_onnx_files_close(dv_onnx_files *files);

/* The element type of a TensorProto.DataType; DV_DTYPE_NONE where there is none of ours. */
dv_dtype dv_onnx_dtype(uint32_t type);

/* The TensorProto.DataType of an element type; 0 (UNDEFINED) for NONE. */
uint32_t dv_onnx_type_of(dv_dtype dtype);

/* "INT4", "COMPLEX64": what the standard calls a type, also those without one of ours. */
const char *dv_onnx_type_name(uint32_t type);

/* Sets dtype, shape, role and data of *out; the name is the caller's. out->data.buffer is a new
   reference that the caller releases once the graph has its own. An element type that is not
   supported gives dtype NONE (strings: STRING) and no data. DV_BAD_INPUT "what is wrong", for the
   caller to say where; DV_IO for external files. */
DV_MUST_USE dv_status dv_onnx_tensor_data(dv_onnx_files *files, const dv_onnx_tensor *tensor,
                                          dv_tensor *out);

/* Makes *out a constant of count numbers, f32 or i64 as dtype says: a list (rank 1) or one number
   (rank 0). The buffer is a new reference, as above. */
DV_MUST_USE dv_status dv_onnx_tensor_of(dv_dtype dtype, const void *values, size_t count,
                                        uint8_t rank, dv_tensor *out);

#endif
