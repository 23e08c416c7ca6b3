/* integer_arithmetic.c - sums, differences and products of two 8-bit tensors, with broadcasting. */
#include <math.h>

#include "runtime/layout.h"
#include "runtime/xnnpack/integer_ops.h"

enum { MAX_RANK = 6 }; /* XNN_MAX_TENSOR_DIMS */

/* The ranges in which the library's fixed-point factors hold enough bits. */
static bool factors_fit(dv_op_kind kind, float a, float b, float y)
{
    if (kind == DV_OP_MUL) {
        float factor = a * b / y;
        return factor >= 0x1p-16f && factor < 0x1p8f;
    }
    return a / y >= 0x1p-10f && a / y < 0x1p8f && b / y >= 0x1p-10f && b / y < 0x1p8f;
}

static bool is_scalar(const dv_graph *graph, dv_tensor_id tensor)
{
    size_t elements = 0;
    return dv_xnn_is_constant(graph, tensor) &&
           dv_shape_elements(&graph->tensors[tensor].shape, &elements) && elements == 1;
}

bool dv_xnn_arithmetic_fits(const dv_graph *graph, dv_op_id id)
{
    const dv_op *op = &graph->ops[id];
    dv_tensor_id a = op->inputs[0], b = op->inputs[1];
    dv_xnn_result result;
    dv_shape broadcast;
    if (!dv_xnn_takes(graph, a) || !dv_xnn_takes(graph, b) || !dv_xnn_result_of(graph, id, &result))
        return false;
    const dv_tensor *x = &graph->tensors[a], *z = &graph->tensors[b];
    const dv_tensor *y = &graph->tensors[result.tensor];
    /* one number for all elements is better told by a table, which rounds once */
    return !is_scalar(graph, a) && !is_scalar(graph, b) &&
           !(dv_xnn_is_constant(graph, a) && dv_xnn_is_constant(graph, b)) &&
           y->shape.rank <= MAX_RANK && dv_shape_broadcast(&x->shape, &z->shape, &broadcast) &&
           dv_shape_equal(&broadcast, &y->shape) &&
           factors_fit(op->kind, dv_xnn_scale(x), dv_xnn_scale(z), dv_xnn_scale(y));
}

static enum xnn_status create_signed(dv_op_kind kind, const dv_tensor *a, const dv_tensor *b,
                                     const dv_tensor *y, dv_xnn_range range, xnn_operator_t *op)
{
    int8_t za = (int8_t)dv_xnn_zero(a, true), zb = (int8_t)dv_xnn_zero(b, true);
    int8_t zy = (int8_t)dv_xnn_zero(y, true), low = (int8_t)range.low, high = (int8_t)range.high;
    float sa = dv_xnn_scale(a), sb = dv_xnn_scale(b), sy = dv_xnn_scale(y);
    switch (kind) {
    case DV_OP_ADD:
        return xnn_create_add_nd_qs8(za, sa, zb, sb, zy, sy, low, high, 0, op);
    case DV_OP_SUB:
        return xnn_create_subtract_nd_qs8(za, sa, zb, sb, zy, sy, low, high, 0, op);
    default:
        return xnn_create_multiply_nd_qs8(za, sa, zb, sb, zy, sy, low, high, 0, op);
    }
}

static enum xnn_status create_unsigned(dv_op_kind kind, const dv_tensor *a, const dv_tensor *b,
                                       const dv_tensor *y, dv_xnn_range range, xnn_operator_t *op)
{
    uint8_t za = (uint8_t)dv_xnn_zero(a, false), zb = (uint8_t)dv_xnn_zero(b, false);
    uint8_t zy = (uint8_t)dv_xnn_zero(y, false);
    uint8_t low = (uint8_t)range.low, high = (uint8_t)range.high;
    float sa = dv_xnn_scale(a), sb = dv_xnn_scale(b), sy = dv_xnn_scale(y);
    switch (kind) {
    case DV_OP_ADD:
        return xnn_create_add_nd_qu8(za, sa, zb, sb, zy, sy, low, high, 0, op);
    case DV_OP_SUB:
        return xnn_create_subtract_nd_qu8(za, sa, zb, sb, zy, sy, low, high, 0, op);
    default:
        return xnn_create_multiply_nd_qu8(za, sa, zb, sb, zy, sy, low, high, 0, op);
    }
}

/* The setups take a kind and a form; they differ in the type of their pointers alone. */
static dv_xnn_binary_setup setup_of(dv_op_kind kind, bool is_signed)
{
    typedef void (*any)(void);
    static const struct {
        dv_op_kind kind;
        any setup[2]; /* unsigned, signed */
    } rows[] = {
        {DV_OP_ADD, {(any)xnn_setup_add_nd_qu8, (any)xnn_setup_add_nd_qs8}},
        {DV_OP_SUB, {(any)xnn_setup_subtract_nd_qu8, (any)xnn_setup_subtract_nd_qs8}},
        {DV_OP_MUL, {(any)xnn_setup_multiply_nd_qu8, (any)xnn_setup_multiply_nd_qs8}},
    };
    size_t row = 0;
    while (rows[row].kind != kind)
        row++;
    return (dv_xnn_binary_setup)rows[row].setup[is_signed];
}

static dv_status read_operand(dv_program *program, dv_tensor_id tensor, bool last, bool is_signed,
                              size_t *rank, size_t *dims, dv_value *value)
{
    const dv_shape *shape = &dv_program_graph(program)->tensors[tensor].shape;
    *rank = dv_xnn_dims(shape, last, dims);
    dv_layout layout = last && shape->rank == 4 ? DV_LAYOUT_CHANNELS_LAST : DV_LAYOUT_PLAIN;
    return dv_xnn_read_as(program, tensor, layout, is_signed, value);
}

dv_status dv_xnn_lower_arithmetic(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    dv_tensor_id a = op->inputs[0], b = op->inputs[1];
    dv_xnn_result result;
    if (!dv_xnn_result_of(graph, (dv_op_id)(op - graph->ops), &result) ||
        !dv_xnn_take_activation(program, at, &result))
        return DV_OK;
    *done = true;
    bool last = graph->tensors[result.tensor].shape.rank == 4 && dv_xnn_may_be_last(graph, a) &&
                dv_xnn_may_be_last(graph, b) &&
                (dv_xnn_is_last(program, a) || dv_xnn_is_last(program, b));
    bool is_signed = dv_xnn_form_at_hand(program, dv_xnn_is_constant(graph, a) ? b : a);
    dv_xnn_step *step = dv_xnn_step_create(program, dv_xnn_setup_binary);
    if (!step)
        return DV_NO_MEMORY;
    step->binary = setup_of(op->kind, is_signed);
    dv_xnn_range range = dv_xnn_range_of(graph, &result, is_signed);
    enum xnn_status created = (is_signed ? create_signed : create_unsigned)(
        op->kind, &graph->tensors[a], &graph->tensors[b], &graph->tensors[result.tensor], range,
        &step->op);
    dv_value values[3] = {DV_NONE, DV_NONE, DV_NONE};
    dv_xnn_write write = {.turned = DV_NONE};
    dv_status status =
        read_operand(program, a, last, is_signed, &step->rank_a, step->shape_a, &values[0]);
    if (status == DV_OK)
        status =
            read_operand(program, b, last, is_signed, &step->rank_b, step->shape_b, &values[1]);
    if (status == DV_OK)
        status =
            dv_xnn_write_as(program, result.tensor,
                            last ? DV_LAYOUT_CHANNELS_LAST : DV_LAYOUT_PLAIN, is_signed, &write);
    if (status != DV_OK) {
        dv_xnn_step_destroy(step);
        return status;
    }
    values[2] = write.value;
    DV_TRY(dv_xnn_add(program, step, created, values, 3));
    return dv_xnn_written(program, &write);
}
