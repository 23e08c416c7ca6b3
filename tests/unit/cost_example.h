/* cost_example.h - a small network and a small machine whose costs can be told by hand.

   Units: 0 convolution 3x3, 4 to 8 channels at 10x10, and its ReLU; 1 the sum of that with itself;
   2 a view of it; 3 a GELU, which only the cpu runs. */
#ifndef DV_TESTS_COST_EXAMPLE_H
#define DV_TESTS_COST_EXAMPLE_H

#include "core/graph.h"
#include "core/platform.h"

dv_graph *cost_example_graph(void);
dv_platform *cost_example_platform(void);

/* For other small graphs. */
dv_tensor_id cost_example_constant(dv_graph *graph, const char *name, const int64_t *dims,
                                   size_t rank);
dv_tensor_id cost_example_activation(dv_graph *graph, const char *name, const int64_t *dims,
                                     size_t rank);
dv_op_id cost_example_op(dv_graph *graph, dv_op *op, const dv_tensor_id *inputs, uint32_t count,
                         dv_tensor_id output);

#endif
