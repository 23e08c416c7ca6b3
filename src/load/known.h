/* known.h - numbers that follow from constants alone, while a graph is being filled: conditions of
   branches and counters of loops, on which loaders decide what to build. */
#ifndef DV_LOAD_KNOWN_H
#define DV_LOAD_KNOWN_H

#include "core/graph.h"

/* What is known so far; zero-initialise, free with dv_known_free. */
typedef struct dv_known {
    double *numbers; /* per tensor, NAN if not known; malloc'ed */
    size_t capacity, tensors;
    dv_op_id seen; /* operators that were looked at */
} dv_known;

/* *known: does the tensor have one element whose value follows from constants through elementwise
   operators? That value. Every operator added since the last call is looked at once, in the order
   of addition. DV_NO_MEMORY. */
DV_MUST_USE dv_status dv_known_number(dv_known *known, const dv_graph *graph, dv_tensor_id id,
                                      bool *is_known, double *out);

void dv_known_free(dv_known *known);

#endif
