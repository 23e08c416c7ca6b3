/* conv.c - convolutions and matrix products with constant weights. */
#include <stdlib.h>
#include <string.h>

#include "runtime/layout.h"
#include "runtime/memplan.h"
#include "runtime/xnnpack/ops.h"

static enum xnn_status setup_convolution(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_convolution2d_nhwc_f32(step->op, step->batch, step->height, step->width,
                                            memory[0], memory[1], step->pool);
}

static enum xnn_status setup_deconvolution(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_deconvolution2d_nhwc_f32(step->op, step->batch, step->height, step->width,
                                              step->adjust_height, step->adjust_width, memory[0],
                                              memory[1], step->pool);
}

/* The extent that the library will compute; it writes past the output if that is larger than the
   tensor. */
static int64_t output_extent(const dv_conv_params *p, size_t i, int64_t input, int64_t kernel)
{
    int64_t reach = p->dilation[i] * (kernel - 1) + 1;
    int64_t pads = p->pad_begin[i] + p->pad_end[i];
    if (p->transposed)
        return (input - 1) * p->stride[i] + reach - pads + p->output_padding[i];
    return input + pads < reach ? -1 : (input + pads - reach) / p->stride[i] + 1;
}

static bool small(int64_t value, int64_t least)
{
    return value >= least && value <= INT32_MAX;
}

bool dv_xnn_convolution_fits(const dv_graph *graph, const dv_op *op)
{
    const dv_conv_params *p = &op->params.conv;
    const dv_shape *x = &graph->tensors[op->inputs[0]].shape;
    const dv_shape *y = &graph->tensors[op->outputs[0]].shape;
    const dv_shape *w = &graph->tensors[op->inputs[1]].shape;
    if (p->spatial != 2 || p->auto_pad != DV_PAD_EXPLICIT || x->rank != 4 || y->rank != 4 ||
        w->rank != 4 || p->groups < 1 || x->dim[1] % p->groups != 0 || y->dim[1] % p->groups != 0)
        return false;
    for (size_t i = 0; i < 2; i++) {
        if (!small(p->stride[i], 1) || !small(p->dilation[i], 1) || !small(p->pad_begin[i], 0) ||
            !small(p->pad_end[i], 0) || !small(w->dim[2 + i], 1) || !small(x->dim[2 + i], 1) ||
            output_extent(p, i, x->dim[2 + i], w->dim[2 + i]) != y->dim[2 + i])
            return false;
        if (p->transposed && !(p->output_padding[i] >= 0 && p->output_padding[i] < p->stride[i]))
            return false;
    }
    int64_t rows = p->transposed ? x->dim[1] : y->dim[1];
    int64_t columns = (p->transposed ? y->dim[1] : x->dim[1]) / p->groups;
    return w->dim[0] == rows && w->dim[1] == columns && x->dim[0] == y->dim[0];
}

static bool bias_fits(const dv_graph *graph, const dv_op *op, int64_t channels)
{
    if (op->input_count < 3 || op->inputs[2] == DV_NONE)
        return true;
    const dv_shape *shape = &graph->tensors[op->inputs[2]].shape;
    return dv_xnn_is_constant(graph, op->inputs[2]) && shape->rank == 1 &&
           shape->dim[0] == channels;
}

static float *read_bias(const dv_graph *graph, const dv_op *op, bool *ok)
{
    *ok = true;
    if (op->input_count < 3 || op->inputs[2] == DV_NONE)
        return NULL;
    float *bias = dv_xnn_read_floats(&graph->tensors[op->inputs[2]]);
    *ok = bias != NULL;
    return bias;
}

/* [groups, outputs of a group, kernel pixels, inputs of a group], as the library packs from. */
static float *read_kernel(const dv_tensor *weight, const dv_conv_params *p)
{
    size_t pixels = (size_t)(weight->shape.dim[2] * weight->shape.dim[3]);
    size_t rows = (size_t)weight->shape.dim[0], columns = (size_t)weight->shape.dim[1];
    float *plain = dv_xnn_read_floats(weight);
    float *kernel = plain ? dv_memplan_allocate(rows * columns * pixels * sizeof *kernel) : NULL;
    if (kernel && !p->transposed) { /* [outputs][inputs of a group][pixels] */
        dv_layout_transpose(plain, kernel, rows, columns, pixels);
    } else if (kernel) { /* [inputs][outputs of a group][pixels] */
        size_t groups = (size_t)p->groups;
        dv_layout_transpose(plain, kernel, groups, rows / groups, columns * pixels);
    }
    free(plain);
    return kernel;
}

static enum xnn_status create_convolution(const dv_conv_params *p, const dv_shape *x,
                                          const dv_shape *y, const dv_shape *w, const float *kernel,
                                          const float *bias, float low, float high,
                                          xnn_operator_t *op)
{
    size_t in = (size_t)x->dim[1], out = (size_t)y->dim[1], groups = (size_t)p->groups;
    uint32_t top = (uint32_t)p->pad_begin[0], left = (uint32_t)p->pad_begin[1];
    uint32_t bottom = (uint32_t)p->pad_end[0], right = (uint32_t)p->pad_end[1];
    uint32_t height = (uint32_t)w->dim[2], width = (uint32_t)w->dim[3];
    uint32_t down = (uint32_t)p->stride[0], across = (uint32_t)p->stride[1];
    uint32_t apart = (uint32_t)p->dilation[0], aside = (uint32_t)p->dilation[1];
    if (p->transposed)
        return xnn_create_deconvolution2d_nhwc_f32(
            top, right, bottom, left, height, width, down, across, apart, aside, (uint32_t)groups,
            in / groups, out / groups, in, out, kernel, bias, low, high, 0, op);
    return xnn_create_convolution2d_nhwc_f32(top, right, bottom, left, height, width, down, across,
                                             apart, aside, (uint32_t)groups, in / groups,
                                             out / groups, in, out, kernel, bias, low, high, 0, op);
}

dv_status dv_xnn_lower_convolution(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_conv_params *p = &op->params.conv;
    if (!dv_xnn_is_constant(graph, op->inputs[1]) || !dv_xnn_convolution_fits(graph, op) ||
        !bias_fits(graph, op, graph->tensors[op->outputs[0]].shape.dim[1]))
        return DV_OK;
    *done = true;
    const dv_shape *x = &graph->tensors[op->inputs[0]].shape;
    const dv_tensor *w = &graph->tensors[op->inputs[1]];
    dv_value values[2];
    dv_tensor_id output;
    float low, high;
    bool bias_read;
    dv_xnn_fuse_clamp(program, at, &low, &high, &output);
    DV_TRY(dv_program_read(program, op->inputs[0], DV_LAYOUT_CHANNELS_LAST, &values[0]));
    DV_TRY(dv_program_write(program, output, DV_LAYOUT_CHANNELS_LAST, &values[1]));
    dv_xnn_step *step =
        dv_xnn_step_create(program, p->transposed ? setup_deconvolution : setup_convolution);
    if (!step)
        return DV_NO_MEMORY;
    step->batch = (size_t)x->dim[0];
    step->height = (size_t)x->dim[2];
    step->width = (size_t)x->dim[3];
    step->adjust_height = (uint32_t)p->output_padding[0];
    step->adjust_width = (uint32_t)p->output_padding[1];
    float *kernel = read_kernel(w, p), *bias = read_bias(graph, op, &bias_read);
    enum xnn_status status = xnn_status_out_of_memory;
    if (kernel && bias_read)
        status = create_convolution(p, x, &graph->tensors[op->outputs[0]].shape, &w->shape, kernel,
                                    bias, low, high, &step->op);
    free(kernel);
    free(bias);
    return dv_xnn_add(program, step, status, values, 2);
}

/* The weight of a matrix product as [outputs][inputs]. */
static float *read_matrix(const dv_tensor *weight, bool inputs_first, size_t inputs, size_t outputs)
{
    float *plain = dv_xnn_read_floats(weight);
    if (!plain || !inputs_first)
        return plain;
    float *turned = dv_memplan_allocate(inputs * outputs * sizeof *turned);
    if (turned)
        dv_layout_transpose(plain, turned, 1, inputs, outputs);
    free(plain);
    return turned;
}

/* LINEAR, and MATMUL by a constant matrix. */
dv_status dv_xnn_lower_linear(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_tensor *weight = &graph->tensors[op->inputs[1]];
    const dv_shape *x = &graph->tensors[op->inputs[0]].shape;
    bool linear = op->kind == DV_OP_LINEAR;
    bool inputs_first = !linear || op->params.linear.weight_kn;
    if (!dv_xnn_is_constant(graph, op->inputs[1]) || weight->shape.rank != 2 || x->rank < 1)
        return DV_OK;
    size_t inputs = (size_t)weight->shape.dim[inputs_first ? 0 : 1];
    size_t outputs = (size_t)weight->shape.dim[inputs_first ? 1 : 0], x_size = 0, y_size = 0;
    if (!dv_shape_elements(x, &x_size) ||
        !dv_shape_elements(&graph->tensors[op->outputs[0]].shape, &y_size) ||
        (size_t)x->dim[x->rank - 1] != inputs || y_size / outputs != x_size / inputs ||
        y_size % outputs != 0 || (linear && !bias_fits(graph, op, (int64_t)outputs)))
        return DV_OK;
    *done = true;
    dv_value values[2];
    dv_tensor_id output;
    float low, high;
    bool bias_read = true;
    dv_xnn_fuse_clamp(program, at, &low, &high, &output);
    DV_TRY(dv_program_read(program, op->inputs[0], DV_LAYOUT_PLAIN, &values[0]));
    DV_TRY(dv_program_write(program, output, DV_LAYOUT_PLAIN, &values[1]));
    dv_xnn_step *step = dv_xnn_step_create(program, dv_xnn_setup_unary);
    if (!step)
        return DV_NO_MEMORY;
    step->unary = xnn_setup_fully_connected_nc_f32;
    step->batch = x_size / inputs;
    float *kernel = read_matrix(weight, inputs_first, inputs, outputs);
    float *bias = linear ? read_bias(graph, op, &bias_read) : NULL;
    enum xnn_status status = xnn_status_out_of_memory;
    if (kernel && bias_read)
        status = xnn_create_fully_connected_nc_f32(inputs, outputs, inputs, outputs, kernel, bias,
                                                   low, high, 0, &step->op);
    free(kernel);
    free(bias);
    return dv_xnn_add(program, step, status, values, 2);
}
