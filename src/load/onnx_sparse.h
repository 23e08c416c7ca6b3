/* onnx_sparse.h - a SparseTensorProto becomes a dense constant. */
#ifndef DV_LOAD_ONNX_SPARSE_H
#define DV_LOAD_ONNX_SPARSE_H

#include "load/onnx_tensor.h"

/* As dv_onnx_tensor_data. A tensor that would be far larger than its file is refused: it is the
   file that has to justify the memory. O(elements). */
DV_MUST_USE dv_status dv_onnx_sparse_data(dv_onnx_files *files, const dv_onnx_sparse *sparse,
                                          dv_tensor *out);

#endif
