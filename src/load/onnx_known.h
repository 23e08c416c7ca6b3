/* onnx_known.h - what follows for a tensor while the graph is still being built.

   Some nodes become operators only once a shape or a value is known: a Loop by its number of turns,
   a sequence by its length, a transposition by its rank. Both follow from what was built before by
   the rules of lowering, which the caller lends (dv_load_options.infer); without them, only what
   the file itself says is known. */
#ifndef DV_LOAD_ONNX_KNOWN_H
#define DV_LOAD_ONNX_KNOWN_H

#include "core/graph.h"
#include "load/load.h"

/* Zero-initialise but for graph and options; free with dv_onnx_known_free. */
typedef struct dv_onnx_known {
    dv_graph *graph; /* being built; borrowed */
    const dv_load_options *options;
    dv_graph *facts;                 /* a tensor for each that was asked about */
    dv_tensor_id *fact;              /* per tensor of graph: its tensor of facts, DV_NONE: none */
    dv_op_id *producer;              /* per tensor of graph */
    uint32_t tensor_count, op_count; /* of graph that the tables cover */
    uint32_t inferred;               /* times that the rules were asked */
} dv_onnx_known;

/* Sets *out to a tensor with the shape and the element type of tensor id of the graph as far as
   they follow (rank DV_RANK_UNKNOWN: not), which is a constant with its elements if the value
   follows too. It is valid until the next question. A tensor that an operator still to come makes
   stays unknown. DV_NO_MEMORY. O(operators that nobody asked about before) over all calls. */
DV_MUST_USE dv_status dv_onnx_know(dv_onnx_known *known, dv_tensor_id id, const dv_tensor **out);

void dv_onnx_known_free(dv_onnx_known *known);

#endif
