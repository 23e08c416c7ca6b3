/* onnx_reads.h - which names the nodes of a graph, and of the graphs inside them, read. */
#ifndef DV_LOAD_ONNX_READS_H
#define DV_LOAD_ONNX_READS_H

#include "load/names.h"
#include "load/onnx_read.h"

/* Zero-initialise but for file; free with dv_onnx_reads_free. */
typedef struct dv_onnx_reads {
    const uint8_t *file; /* start of the mapped model */
    dv_names read;       /* by nodes, or by the host as outputs of a graph */
    dv_names made;       /* by the nodes of inner graphs */
} dv_onnx_reads;

/* Notes what a node reads, itself and by its inner graphs. arena: scratch. DV_BAD_INPUT for
   malformed or too deeply nested graphs. O(bytes). */
DV_MUST_USE dv_status dv_onnx_reads_node(dv_onnx_reads *reads, const dv_onnx_node *node,
                                         dv_arena *arena);

/* Notes what all nodes and the host read of a whole graph. */
DV_MUST_USE dv_status dv_onnx_reads_graph(dv_onnx_reads *reads, const dv_onnx_graph *graph);

/* Notes what the inner graphs of a node read, but not the node itself. */
DV_MUST_USE dv_status dv_onnx_reads_inner(dv_onnx_reads *reads, const dv_onnx_node *node,
                                          dv_arena *arena);

void dv_onnx_reads_free(dv_onnx_reads *reads);

#endif
