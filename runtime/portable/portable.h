/* portable.h - the reference kernels one operator at a time, for backends that lack an operator
   and run it as a step of their own.

   Create once, bind the memory, run as often as wanted:

       dv_portable_op *op;
       DV_TRY(dv_portable_op_create(graph, id, &op));
       dv_portable_op_bind(op, inputs, outputs);
       DV_TRY(dv_portable_op_run(op));
       dv_portable_op_destroy(op);

   All memory is row-major in the tensor's own shape and dtype (never channels-last). */
#ifndef DV_RUNTIME_PORTABLE_PORTABLE_H
#define DV_RUNTIME_PORTABLE_PORTABLE_H

#include "runtime/backend.h"

typedef struct dv_portable_op dv_portable_op;

/* Is there a kernel for this operator, for its types and shapes? Else false and why (one line). */
bool dv_portable_supports(const dv_graph *graph, dv_op_id op, dv_dtype precision, char *why,
                          size_t size);

/* Makes an operator ready; all memory it will need is taken here. graph outlives it. DV_BAD_INPUT
   naming the operator if there is no kernel for it; DV_NO_MEMORY. */
DV_MUST_USE dv_status dv_portable_op_create(const dv_graph *graph, dv_op_id op,
                                            dv_portable_op **out);
void dv_portable_op_destroy(dv_portable_op *op); /* NULL is allowed */

/* Memory of every input and output in the operator's own order, constants included; NULL where the
   operator has DV_NONE. Aligned to the element's size; kept until the next bind. Outputs overlap
   no input, but that of a scatter may be the very memory of its data. */
void dv_portable_op_bind(dv_portable_op *op, const void *const *inputs, void *const *outputs);

/* Computes the outputs. Allocates nothing. DV_BAD_INPUT if a value is out of range (an index, a
   division of integers by zero). Two threads may run two operators, not the same one. */
DV_MUST_USE dv_status dv_portable_op_run(dv_portable_op *op);

/* How many rows the last run found, of an operator whose values decide that (dv_rows_params). */
size_t dv_portable_op_found(const dv_portable_op *op);

/* The elements of a constant, contiguous and aligned to their size: *data points into the mapped
   file where that is possible (then *owned is NULL), else into memory at *owned, for free().
   Nothing readable is promised past the end. DV_NO_MEMORY. */
DV_MUST_USE dv_status dv_portable_constant(const dv_tensor *tensor, const void **data,
                                           void **owned);

/* Nanoseconds that an inferred operator takes, within a factor of five or so. O(operands). */
double dv_portable_ns(const dv_graph *graph, dv_op_id op);

extern const dv_backend dv_backend_portable;

/* The same of operator i of an executable of the portable backend. */
size_t dv_portable_found(const dv_executable *executable, uint32_t i);

#endif
