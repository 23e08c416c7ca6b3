/* elementwise.c - operators that work element by element or row by row. */
#include <math.h>
#include <stdlib.h>

#include "runtime/layout.h"
#include "runtime/memplan.h"
#include "runtime/xnnpack/ops.h"

static size_t elements_of(const dv_graph *graph, dv_tensor_id tensor)
{
    size_t elements = 0;
    return dv_shape_elements(&graph->tensors[tensor].shape, &elements) ? elements : 0;
}

/* The layout a tensor is at hand in; channels-last where there is a choice. */
static uint32_t layout_at_hand(const dv_program *program, dv_tensor_id tensor)
{
    const dv_tensor *t = &dv_program_graph(program)->tensors[tensor];
    bool last = dv_layout_may_be_channels_last(t->dtype, &t->shape) &&
                (dv_program_layouts(program, tensor) & 1u << DV_LAYOUT_CHANNELS_LAST) != 0;
    return last ? DV_LAYOUT_CHANNELS_LAST : DV_LAYOUT_PLAIN;
}

typedef enum xnn_status (*create_plain)(size_t channels, size_t input_stride, size_t output_stride,
                                        uint32_t flags, xnn_operator_t *op);

static const struct {
    dv_op_kind kind;
    create_plain create; /* NULL: it has parameters */
    dv_xnn_unary_setup setup;
} unaries[] = {
    {DV_OP_RELU, NULL, xnn_setup_clamp_nc_f32},
    {DV_OP_CLAMP, NULL, xnn_setup_clamp_nc_f32},
    {DV_OP_ELU, NULL, xnn_setup_elu_nc_f32},
    {DV_OP_LEAKY_RELU, NULL, xnn_setup_leaky_relu_nc_f32},
    {DV_OP_SIGMOID, xnn_create_sigmoid_nc_f32, xnn_setup_sigmoid_nc_f32},
    {DV_OP_HARDSWISH, xnn_create_hardswish_nc_f32, xnn_setup_hardswish_nc_f32},
    {DV_OP_ABS, xnn_create_abs_nc_f32, xnn_setup_abs_nc_f32},
    {DV_OP_NEG, xnn_create_negate_nc_f32, xnn_setup_negate_nc_f32},
    {DV_OP_FLOOR, xnn_create_floor_nc_f32, xnn_setup_floor_nc_f32},
    {DV_OP_CEIL, xnn_create_ceiling_nc_f32, xnn_setup_ceiling_nc_f32},
    {DV_OP_ROUND, xnn_create_bankers_rounding_nc_f32, xnn_setup_bankers_rounding_nc_f32},
    {DV_OP_SQRT, xnn_create_square_root_nc_f32, xnn_setup_square_root_nc_f32},
};

/* Whether the library takes the operator's parameters. */
static bool parameters_fit(const dv_op *op)
{
    switch (op->kind) {
    case DV_OP_CLAMP:
        return (float)op->params.clamp.min < (float)op->params.clamp.max;
    case DV_OP_ELU:
        return isnormal((float)op->params.scalar.alpha) && op->params.scalar.alpha > 0;
    case DV_OP_LEAKY_RELU:
        return isfinite((float)op->params.scalar.alpha);
    default:
        return true;
    }
}

static enum xnn_status create_unary(const dv_op *op, create_plain create, size_t n,
                                    xnn_operator_t *out)
{
    float alpha = (float)op->params.scalar.alpha;
    switch (op->kind) {
    case DV_OP_RELU:
        return xnn_create_clamp_nc_f32(n, n, n, 0.0f, INFINITY, 0, out);
    case DV_OP_CLAMP:
        return xnn_create_clamp_nc_f32(n, n, n, (float)op->params.clamp.min,
                                       (float)op->params.clamp.max, 0, out);
    case DV_OP_ELU:
        return xnn_create_elu_nc_f32(n, n, n, alpha, 0, out);
    case DV_OP_LEAKY_RELU:
        return xnn_create_leaky_relu_nc_f32(n, n, n, alpha, 0, out);
    default:
        return create(n, n, n, 0, out);
    }
}

dv_status dv_xnn_lower_unary(dv_program *program, uint32_t at, bool *done)
{
    const dv_op *op = dv_program_op(program, at);
    size_t row = 0, n = elements_of(dv_program_graph(program), op->inputs[0]);
    while (row < sizeof unaries / sizeof unaries[0] && unaries[row].kind != op->kind)
        row++;
    if (row == sizeof unaries / sizeof unaries[0] || !parameters_fit(op))
        return DV_OK;
    *done = true;
    dv_value values[2];
    uint32_t layout = layout_at_hand(program, op->inputs[0]);
    DV_TRY(dv_program_read(program, op->inputs[0], layout, &values[0]));
    DV_TRY(dv_program_write(program, op->outputs[0], layout, &values[1]));
    dv_xnn_step *step = dv_xnn_step_create(program, dv_xnn_setup_unary);
    if (!step)
        return DV_NO_MEMORY;
    step->unary = unaries[row].setup;
    enum xnn_status status = create_unary(op, unaries[row].create, n, &step->op);
    return dv_xnn_add(program, step, status, values, 2);
}

/* x * sigmoid(x) */
dv_status dv_xnn_lower_silu(dv_program *program, uint32_t at, bool *done)
{
    const dv_op *op = dv_program_op(program, at);
    size_t n = elements_of(dv_program_graph(program), op->inputs[0]);
    uint32_t layout = layout_at_hand(program, op->inputs[0]);
    dv_value input, gate, output;
    *done = true;
    DV_TRY(dv_program_read(program, op->inputs[0], layout, &input));
    DV_TRY(dv_program_scratch(program, n * sizeof(float), &gate));
    DV_TRY(dv_program_write(program, op->outputs[0], layout, &output));
    dv_xnn_step *sigmoid = dv_xnn_step_create(program, dv_xnn_setup_unary);
    if (!sigmoid)
        return DV_NO_MEMORY;
    sigmoid->unary = xnn_setup_sigmoid_nc_f32;
    enum xnn_status status = xnn_create_sigmoid_nc_f32(n, n, n, 0, &sigmoid->op);
    DV_TRY(dv_xnn_add(program, sigmoid, status, (dv_value[]){input, gate}, 2));
    dv_xnn_step *product = dv_xnn_step_create(program, dv_xnn_setup_binary);
    if (!product)
        return DV_NO_MEMORY;
    product->binary = xnn_setup_multiply_nd_f32;
    product->rank_a = product->rank_b = 1;
    product->shape_a[0] = product->shape_b[0] = n;
    status = xnn_create_multiply_nd_f32(-INFINITY, INFINITY, 0, &product->op);
    return dv_xnn_add(program, product, status, (dv_value[]){input, gate, output}, 3);
}

/* Rows are the last dim: the last axis of a plain tensor, the channels of a channels-last one. */
dv_status dv_xnn_lower_softmax(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_shape *x = &graph->tensors[op->inputs[0]].shape;
    int64_t axis = op->params.axis.axis;
    uint32_t layout = DV_LAYOUT_PLAIN;
    if (x->rank == 4 && axis == 1)
        layout = DV_LAYOUT_CHANNELS_LAST;
    else if (x->rank < 1 || axis != x->rank - 1)
        return DV_OK;
    *done = true;
    dv_value values[2];
    size_t channels = (size_t)x->dim[axis];
    DV_TRY(dv_program_read(program, op->inputs[0], layout, &values[0]));
    DV_TRY(dv_program_write(program, op->outputs[0], layout, &values[1]));
    dv_xnn_step *step = dv_xnn_step_create(program, dv_xnn_setup_unary);
    if (!step)
        return DV_NO_MEMORY;
    step->unary = xnn_setup_softmax_nc_f32;
    size_t rows = step->batch = elements_of(graph, op->inputs[0]) / channels;
    enum xnn_status status = xnn_create_softmax_nc_f32(channels, channels, channels, 0, &step->op);
    DV_TRY(dv_xnn_add(program, step, status, values, 2));
    return op->params.axis.guarded ? dv_program_guard(program, values[0], values[1], rows, channels)
                                   : DV_OK;
}

/* A slope for all or one a channel of an image. */
dv_status dv_xnn_lower_prelu(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_shape *x = &graph->tensors[op->inputs[0]].shape;
    const dv_tensor *slope = &graph->tensors[op->inputs[1]];
    const dv_shape *s = &slope->shape;
    size_t count = elements_of(graph, op->inputs[1]);
    if (!dv_xnn_is_constant(graph, op->inputs[1]) || x->rank != 4 || s->rank > 4)
        return DV_OK;
    size_t channels = (size_t)x->dim[1];
    bool per_channel = s->rank >= 3 && s->dim[s->rank - 3] == x->dim[1] && count == channels;
    if (count != 1 && !per_channel)
        return DV_OK;
    *done = true;
    dv_value values[2];
    DV_TRY(dv_program_read(program, op->inputs[0], DV_LAYOUT_CHANNELS_LAST, &values[0]));
    DV_TRY(dv_program_write(program, op->outputs[0], DV_LAYOUT_CHANNELS_LAST, &values[1]));
    dv_xnn_step *step = dv_xnn_step_create(program, dv_xnn_setup_unary);
    if (!step)
        return DV_NO_MEMORY;
    step->unary = xnn_setup_prelu_nc_f32;
    step->batch = elements_of(graph, op->inputs[0]) / channels;
    float *given = dv_xnn_read_floats(slope);
    float *all = dv_memplan_allocate(channels * sizeof *all);
    enum xnn_status status = xnn_status_out_of_memory;
    if (given && all) {
        for (size_t c = 0; c < channels; c++)
            all[c] = given[count == 1 ? 0 : c];
        status = xnn_create_prelu_nc_f32(channels, channels, channels, all, 0, &step->op);
    }
    free(given);
    free(all);
    return dv_xnn_add(program, step, status, values, 2);
}

/* y = x * a + b with constants a channel (batch norm) or for all (hard sigmoid): two operators,
   the second in place. */
typedef struct affine {
    size_t count; /* constants: 1 or channels */
    float *scale, *shift;
    float low, high;
} affine;

static bool batch_norm_constants(const dv_graph *graph, const dv_op *op, affine *a)
{
    float *part[4] = {NULL}; /* weight, bias, mean, variance */
    bool ok = true;
    for (size_t i = 0; i < 4; i++) {
        part[i] = dv_xnn_read_floats(&graph->tensors[op->inputs[i + 1]]);
        ok = ok && part[i];
    }
    for (size_t c = 0; ok && c < a->count; c++) {
        double scale = part[0][c] / sqrt((double)part[3][c] + op->params.norm.eps);
        a->scale[c] = (float)scale;
        a->shift[c] = (float)(part[1][c] - part[2][c] * scale);
    }
    for (size_t i = 0; i < 4; i++)
        free(part[i]);
    return ok;
}

static bool batch_norm_fits(const dv_graph *graph, const dv_op *op)
{
    const dv_shape *x = &graph->tensors[op->inputs[0]].shape;
    if (x->rank != 4 || op->input_count != 5 || op->output_count != 1)
        return false;
    for (size_t i = 1; i < 5; i++)
        if (!dv_xnn_is_constant(graph, op->inputs[i]) ||
            elements_of(graph, op->inputs[i]) != (size_t)x->dim[1])
            return false;
    return true;
}

/* Adds memory[from] op constant -> memory[to]; owns constant. */
static dv_status add_affine_half(dv_program *program, bool multiply, size_t n, const affine *a,
                                 float *constant, dv_value from, dv_value to)
{
    dv_xnn_step *step = dv_xnn_step_create(program, dv_xnn_setup_binary);
    if (!step) {
        free(constant);
        return DV_NO_MEMORY;
    }
    step->constant = constant;
    step->rank_a = 2;
    step->shape_a[0] = n / a->count;
    step->shape_a[1] = a->count;
    step->rank_b = 1;
    step->shape_b[0] = a->count;
    if (a->count == 1) { /* one row of all elements */
        step->rank_a = 1;
        step->shape_a[0] = n;
    }
    step->binary = multiply ? xnn_setup_multiply_nd_f32 : xnn_setup_add_nd_f32;
    enum xnn_status status = multiply
                                 ? xnn_create_multiply_nd_f32(-INFINITY, INFINITY, 0, &step->op)
                                 : xnn_create_add_nd_f32(a->low, a->high, 0, &step->op);
    return dv_xnn_add(program, step, status, (dv_value[]){from, to}, 2);
}

dv_status dv_xnn_lower_affine(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    bool norm = op->kind == DV_OP_BATCH_NORM;
    if (norm && !batch_norm_fits(graph, op))
        return DV_OK;
    *done = true;
    dv_tensor_id output = op->outputs[0];
    affine a = {.count = norm ? (size_t)graph->tensors[op->inputs[0]].shape.dim[1] : 1,
                .low = 0.0f,
                .high = 1.0f};
    if (norm)
        dv_xnn_fuse_clamp(program, at, &a.low, &a.high, &output);
    uint32_t layout = norm ? DV_LAYOUT_CHANNELS_LAST : layout_at_hand(program, op->inputs[0]);
    dv_value from, to;
    DV_TRY(dv_program_read(program, op->inputs[0], layout, &from));
    DV_TRY(dv_program_write(program, output, layout, &to));
    a.scale = dv_memplan_allocate(a.count * sizeof *a.scale);
    a.shift = dv_memplan_allocate(a.count * sizeof *a.shift);
    bool ok = a.scale && a.shift;
    if (ok && norm) {
        ok = batch_norm_constants(graph, op, &a);
    } else if (ok) {
        a.scale[0] = (float)op->params.scalar.alpha;
        a.shift[0] = (float)op->params.scalar.beta;
    }
    if (!ok) {
        free(a.scale);
        free(a.shift);
        return dv_fail(DV_NO_MEMORY, "no memory for constants");
    }
    size_t n = elements_of(graph, op->inputs[0]);
    dv_status status = add_affine_half(program, true, n, &a, a.scale, from, to);
    if (status != DV_OK) {
        free(a.shift);
        return status;
    }
    return add_affine_half(program, false, n, &a, a.shift, to, to);
}
