/* onnx_write.h - a lowered graph as an ONNX file, for any other tool.

   Each operator becomes the ONNX operator of its name, or the few that it stands for; names of
   tensors and operators are kept, what is added between them is named after the operator. Operator
   set 18, or a later one where an operator needs it (doc/formats.md). */
#ifndef DV_LOAD_ONNX_WRITE_H
#define DV_LOAD_ONNX_WRITE_H

#include "core/graph.h"

typedef enum dv_onnx_weights {
    DV_WEIGHTS_AUTO,   /* inside up to 2 GB, beyond that beside, but generated ones not unasked */
    DV_WEIGHTS_INSIDE, /* in the model file */
    DV_WEIGHTS_BESIDE, /* in FILE.data, as ONNX's external data */
    DV_WEIGHTS_NONE,   /* shapes only: every large constant of floats is one value everywhere */
} dv_onnx_weights;

/* Writes the whole file, or nothing; path "-" is standard output. DV_BAD_INPUT naming an operator
   or tensor that ONNX has no form for, DV_BAD_PARAMETER for weights that cannot go where they were
   wanted, DV_IO. Memory: the graph's structure and a block of weights. O(bytes). */
DV_MUST_USE dv_status dv_onnx_write(const dv_graph *graph, const char *path,
                                    dv_onnx_weights weights);

#endif
