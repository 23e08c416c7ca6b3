/* canon.h - what the rules of canon*.c and recognise*.c share.

   A rule looks at one operator of the old graph, whose shapes are all known, and either leaves it
   (to be copied) or makes what stands for it and sets *done. */
#ifndef DV_LOWER_CANON_H
#define DV_LOWER_CANON_H

#include "lower/rewrite.h"

typedef dv_status (*dv_canon_rule)(dv_rewrite *rewrite, const dv_op *op, bool *done);

/* Runs rules[kind] (NULL: copy) over every operator of graph. */
DV_MUST_USE dv_status dv_canon_run(const dv_graph *graph, const dv_canon_rule rules[DV_OP_COUNT],
                                   dv_graph **out);

/* The i-th input or the first output of an operator of the old graph. */
const dv_tensor *dv_old_input(const dv_rewrite *rewrite, const dv_op *op, uint32_t i);
const dv_tensor *dv_old_output(const dv_rewrite *rewrite, const dv_op *op);

/* Is the tensor a floating constant with one value everywhere? */
bool dv_constant_value(const dv_tensor *tensor, double *value);

/* Makes op's output an alias of its i-th input. */
DV_MUST_USE dv_status dv_become_input(dv_rewrite *rewrite, const dv_op *op, uint32_t i, bool *done);

/* Makes op's output by a `kind` of its first input_count inputs. */
DV_MUST_USE dv_status dv_become(dv_rewrite *rewrite, const dv_op *op, dv_op_kind kind,
                                const dv_op_params *params, uint32_t input_count, bool *done);

/* The parameters of a view to that shape. */
dv_op_params dv_view_to(const dv_shape *shape);

/* Rules that live in canon_linear.c. */
dv_status dv_canon_linear(dv_rewrite *rewrite, const dv_op *op, bool *done);
dv_status dv_canon_matmul(dv_rewrite *rewrite, const dv_op *op, bool *done);
dv_status dv_canon_softmax(dv_rewrite *rewrite, const dv_op *op, bool *done);

/* Rules that live in recognise_attention.c. */
dv_status dv_recognise_safe_softmax(dv_rewrite *rewrite, const dv_op *op, bool *done);
dv_status dv_recognise_merged_linear(dv_rewrite *rewrite, const dv_op *op, bool *done);
dv_status dv_recognise_merged_matmul(dv_rewrite *rewrite, const dv_op *op, bool *done);

/* In canon_quant.c: a run of its rules alone. */
DV_MUST_USE dv_status dv_canon_quantised_moves(const dv_graph *graph, dv_graph **out);

#endif
