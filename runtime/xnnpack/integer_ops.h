/* integer_ops.h - what the integer operators share; for the files of this folder alone. */
#ifndef DV_RUNTIME_XNNPACK_INTEGER_OPS_H
#define DV_RUNTIME_XNNPACK_INTEGER_OPS_H

#include "runtime/xnnpack/ops.h"

/* A tensor of 8-bit integers with one scale, as the library takes it. */
bool dv_xnn_takes(const dv_graph *graph, dv_tensor_id tensor);

/* Do both stand for numbers alike, so that integers may be moved from one to the other? */
bool dv_xnn_alike(const dv_graph *graph, dv_tensor_id a, dv_tensor_id b);

/* The zero point in a form; the scale. */
int32_t dv_xnn_zero(const dv_tensor *tensor, bool is_signed);
float dv_xnn_scale(const dv_tensor *tensor);

/* The integer of a number, held to the type's range, as the reference kernels round it. */
int32_t dv_xnn_quantised(const dv_tensor *tensor, double number, bool is_signed);

/* What an operator makes, an activation behind it included that only clips: the integers, and the
   range to hold them to (in the tensor's own form). */
typedef struct dv_xnn_result {
    dv_tensor_id tensor;
    dv_op_id activation; /* DV_NONE: none rides along */
    double least, most;  /* numbers */
} dv_xnn_result;

/* False if the operator ends in floats, or in what the library does not take. */
bool dv_xnn_result_of(const dv_graph *graph, dv_op_id op, dv_xnn_result *result);

/* Lets the activation ride along. False if it is not in the segment and the result needs it. */
bool dv_xnn_take_activation(dv_program *program, uint32_t at, dv_xnn_result *result);

typedef struct dv_xnn_range {
    int32_t low, high; /* low < high, or the result cannot be held to it */
} dv_xnn_range;

dv_xnn_range dv_xnn_range_of(const dv_graph *graph, const dv_xnn_result *result, bool is_signed);

/* The form that costs nothing: in which the tensor is at hand. */
bool dv_xnn_form_at_hand(const dv_program *program, dv_tensor_id tensor);
/* Channels-last if the tensor is at hand so (or it is a constant image). */
bool dv_xnn_is_last(const dv_program *program, dv_tensor_id tensor);

/* A tensor in a form and standard layout. */
DV_MUST_USE dv_status dv_xnn_read_as(dv_program *program, dv_tensor_id tensor, dv_layout layout,
                                     bool is_signed, dv_value *value);

/* The value that the next step writes for a tensor; dv_xnn_written is called after that step. */
typedef struct dv_xnn_write {
    dv_value value;
    dv_value turned; /* the tensor's value if that is not the same; else DV_NONE */
    size_t bytes;
} dv_xnn_write;

DV_MUST_USE dv_status dv_xnn_write_as(dv_program *program, dv_tensor_id tensor, dv_layout layout,
                                      bool is_signed, dv_xnn_write *write);
DV_MUST_USE dv_status dv_xnn_written(dv_program *program, const dv_xnn_write *write);

/* Copies `rows` rows of `length` elements of x into y, which has another scale; with flipped, both
   in the other form than their own. */
DV_MUST_USE dv_status dv_xnn_add_rescaled_rows(dv_program *program, dv_tensor_id x, dv_tensor_id y,
                                               bool flipped, size_t rows, size_t length,
                                               size_t to_stride, size_t to_offset, dv_value from,
                                               dv_value to);

/* One function a group of kinds: whether the library has an operator for it, and its steps. */
bool dv_xnn_product_fits(const dv_graph *graph, dv_op_id op);
bool dv_xnn_arithmetic_fits(const dv_graph *graph, dv_op_id op);
bool dv_xnn_integer_pool_fits(const dv_graph *graph, dv_op_id op);
bool dv_xnn_integer_mean_fits(const dv_graph *graph, dv_op_id op);
bool dv_xnn_integer_resize_fits(const dv_graph *graph, dv_op_id op);
bool dv_xnn_integer_move_fits(const dv_graph *graph, dv_op_id op);
bool dv_xnn_integer_softmax_fits(const dv_graph *graph, dv_op_id op);
bool dv_xnn_table_fits(const dv_graph *graph, dv_op_id op);
bool dv_xnn_conversion_fits(const dv_graph *graph, dv_op_id op);

dv_status dv_xnn_lower_product(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_arithmetic(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_integer_pool(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_integer_mean(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_integer_resize(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_integer_softmax(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_table(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_conversion(dv_program *program, uint32_t at, bool *done);

#endif
