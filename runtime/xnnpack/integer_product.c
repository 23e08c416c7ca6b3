/* integer_product.c - convolutions and matrix products of 8-bit integers.

   The library sums in 32 bits and scales by input scale * weight scale / output scale. Weights with
   a scale a channel, and a matrix product by such, are its signed convolutions; weights with a zero
   point its unsigned operators; all others run in the form in which the input is at hand. */
#include <math.h>
#include <stdlib.h>

#include "runtime/layout.h"
#include "runtime/memplan.h"
#include "runtime/xnnpack/integer_ops.h"

/* More are no network's: a bound on what asking takes. */
enum { MOST_OUTPUTS = 1 << 20 };

/* The operator as the library takes it. */
typedef struct product {
    const dv_op *op;
    const dv_tensor *x, *w;
    dv_xnn_result result;
    bool is_convolution, transposed;
    bool inputs_first; /* matrix products: the weight is [inputs][outputs] */
    bool per_channel;  /* scales of the weight */
    bool symmetric;    /* the weight's zero points are the middle */
    size_t inputs, outputs, depth, rows;
} product;

static int32_t middle_of(const dv_tensor *w)
{
    return w->dtype == DV_DTYPE_U8 ? 128 : 0;
}

/* Scales with which the library's arithmetic is defined; it aborts on some others. */
static bool scales_fit(const dv_graph *graph, const product *p)
{
    float out = dv_xnn_scale(&graph->tensors[p->result.tensor]);
    for (uint32_t c = 0; c < p->w->quant.count; c++) {
        float scale = p->w->quant.scale[c];
        float factor = dv_xnn_scale(p->x) * scale / out;
        if (!isnormal(scale) || !(factor >= 0x1p-32f) || !(factor < 256.0f) ||
            !isnormal(dv_xnn_scale(p->x) * scale))
            return false;
    }
    return true;
}

static bool weights_fit(const dv_graph *graph, dv_tensor_id id, uint32_t axis, product *p)
{
    const dv_tensor *w = &graph->tensors[id];
    if (!dv_xnn_is_constant(graph, id) || !dv_program_is_bytes(w) || w->quant.count == 0)
        return false;
    p->per_channel = w->quant.count > 1;
    p->symmetric = true;
    for (uint32_t c = 0; c < w->quant.count; c++)
        p->symmetric &= w->quant.zero[c] == middle_of(w);
    if (p->per_channel &&
        (!p->symmetric || w->quant.count != p->outputs || w->quant.axis != axis || p->transposed))
        return false;
    int64_t zero = (int64_t)w->quant.zero[0] - middle_of(w);
    if (!p->symmetric && (zero < INT8_MIN || zero > INT8_MAX))
        return false;
    if (p->outputs > MOST_OUTPUTS)
        return false;
    /* sums must not wrap; half of the range is left for the bias */
    return p->depth < (size_t)INT32_MAX / 2 / (255u * (p->symmetric ? 128u : 255u));
}

/* The bias as integers of the sum's scale; false if it is not constant or too large. */
static bool read_bias(const dv_graph *graph, const product *p, int32_t *out)
{
    dv_tensor_id id = p->op->input_count > 2 ? p->op->inputs[2] : DV_NONE;
    for (size_t c = 0; c < p->outputs; c++)
        out[c] = 0;
    if (id == DV_NONE)
        return true;
    const dv_tensor *bias = &graph->tensors[id];
    size_t count = 0;
    if (!dv_xnn_is_constant(graph, id) || !dv_shape_elements(&bias->shape, &count) ||
        count != p->outputs || (!dv_dtype_is_float(bias->dtype) && bias->quant.count == 0))
        return false;
    for (size_t c = 0; c < count; c++) {
        float number;
        double scale =
            (double)dv_xnn_scale(p->x) * (double)p->w->quant.scale[p->per_channel ? c : 0];
        if (!dv_tensor_read_numbers(bias, c, 1, &number))
            return false;
        double integer = nearbyint((double)number / scale);
        if (!(fabs(integer) < 0x1p30))
            return false;
        out[c] = (int32_t)integer;
    }
    return true;
}

static bool convolution_of(const dv_graph *graph, const dv_op *op, product *p)
{
    const dv_conv_params *c = &op->params.conv;
    const dv_shape *y = &graph->tensors[op->outputs[0]].shape;
    if (!dv_xnn_convolution_fits(graph, op))
        return false;
    p->is_convolution = true;
    p->transposed = c->transposed;
    p->inputs = (size_t)p->x->shape.dim[1];
    p->outputs = (size_t)y->dim[1];
    p->depth = p->inputs / (size_t)c->groups * (size_t)(p->w->shape.dim[2] * p->w->shape.dim[3]);
    return true;
}

static bool matrix_of(const dv_graph *graph, const dv_op *op, product *p)
{
    const dv_shape *x = &p->x->shape, *w = &p->w->shape;
    size_t x_size = 0, y_size = 0;
    p->inputs_first = op->kind == DV_OP_MATMUL || op->params.linear.weight_kn;
    if (w->rank != 2 || x->rank < 1)
        return false;
    p->inputs = p->depth = (size_t)w->dim[p->inputs_first ? 0 : 1];
    p->outputs = (size_t)w->dim[p->inputs_first ? 1 : 0];
    if (!dv_shape_elements(x, &x_size) ||
        !dv_shape_elements(&graph->tensors[op->outputs[0]].shape, &y_size) ||
        (size_t)x->dim[x->rank - 1] != p->inputs || y_size % p->outputs != 0 ||
        y_size / p->outputs != x_size / p->inputs)
        return false;
    p->rows = x_size / p->inputs;
    return true;
}

/* Everything but the bias's elements. */
static bool product_of(const dv_graph *graph, dv_op_id id, product *p)
{
    const dv_op *op = &graph->ops[id];
    *p = (product){.op = op};
    if (op->input_count < 2 || op->inputs[1] == DV_NONE || !dv_xnn_takes(graph, op->inputs[0]) ||
        dv_xnn_is_constant(graph, op->inputs[0]) || !dv_xnn_result_of(graph, id, &p->result))
        return false;
    p->x = &graph->tensors[op->inputs[0]];
    p->w = &graph->tensors[op->inputs[1]];
    bool convolution = op->kind == DV_OP_CONVOLUTION;
    if (!(convolution ? convolution_of : matrix_of)(graph, op, p))
        return false;
    uint32_t axis = convolution || !p->inputs_first ? 0 : 1;
    return weights_fit(graph, op->inputs[1], axis, p) && scales_fit(graph, p);
}

bool dv_xnn_product_fits(const dv_graph *graph, dv_op_id op)
{
    product p;
    if (!product_of(graph, op, &p))
        return false;
    int32_t *bias = malloc((p.outputs + 1) * sizeof *bias);
    bool fits = bias && read_bias(graph, &p, bias);
    free(bias);
    return fits;
}

/* ---- packing ---- */

/* The weights in a form, [groups, outputs of a group, kernel pixels, inputs of a group]. */
static uint8_t *read_kernel(const product *p, bool is_signed)
{
    const dv_shape *w = &p->w->shape;
    size_t elements = 0;
    (void)dv_shape_elements(w, &elements);
    uint8_t *plain = dv_xnn_read_constant(p->w), *kernel = dv_memplan_allocate(elements);
    size_t batch = 1, rows = (size_t)w->dim[0], columns = (size_t)w->dim[1];
    if (!plain || !kernel) {
        free(plain);
        free(kernel);
        return NULL;
    }
    if (p->transposed) {
        batch = (size_t)p->op->params.conv.groups;
        rows /= batch;
        columns *= (size_t)(w->dim[2] * w->dim[3]);
    } else if (p->is_convolution) {
        batch = rows;
        rows = columns;
        columns = (size_t)(w->dim[2] * w->dim[3]);
    }
    if (p->is_convolution || p->inputs_first) {
        dv_layout_transpose_bytes(plain, kernel, batch, rows, columns);
        free(plain);
    } else {
        free(kernel);
        kernel = plain;
    }
    if ((p->w->dtype == DV_DTYPE_I8) != is_signed)
        for (size_t i = 0; i < elements; i++)
            kernel[i] ^= 0x80;
    return kernel;
}

/* What creating the library's operator takes. */
typedef struct packed {
    bool is_signed;
    uint8_t *kernel;
    int32_t *bias;
    int32_t x_zero, w_zero, y_zero;
    float x_scale, w_scale, y_scale;
    dv_xnn_range range;
} packed;

static enum xnn_status create_convolution(const product *p, const packed *k, const dv_shape *shape,
                                          xnn_operator_t *op)
{
    static const dv_conv_params row = {
        .groups = 1, .stride = {1, 1}, .dilation = {1, 1}}; /* a matrix product by channels */
    const dv_conv_params *c = p->is_convolution ? &p->op->params.conv : &row;
    uint32_t top = (uint32_t)c->pad_begin[0], left = (uint32_t)c->pad_begin[1];
    uint32_t bottom = (uint32_t)c->pad_end[0], right = (uint32_t)c->pad_end[1];
    uint32_t height = p->is_convolution ? (uint32_t)shape->dim[2] : 1;
    uint32_t width = p->is_convolution ? (uint32_t)shape->dim[3] : 1;
    uint32_t down = (uint32_t)c->stride[0], across = (uint32_t)c->stride[1];
    uint32_t apart = (uint32_t)c->dilation[0], aside = (uint32_t)c->dilation[1];
    uint32_t groups = (uint32_t)c->groups;
    size_t in = p->inputs, out = p->outputs;
    if (p->per_channel)
        return xnn_create_convolution2d_nhwc_qc8(
            top, right, bottom, left, height, width, down, across, apart, aside, groups,
            in / groups, out / groups, in, out, (int8_t)k->x_zero, k->x_scale, p->w->quant.scale,
            (const int8_t *)k->kernel, k->bias, (int8_t)k->y_zero, k->y_scale, (int8_t)k->range.low,
            (int8_t)k->range.high, 0, op);
    if (p->transposed)
        return k->is_signed
                   ? xnn_create_deconvolution2d_nhwc_qs8(
                         top, right, bottom, left, height, width, down, across, apart, aside,
                         groups, in / groups, out / groups, in, out, (int8_t)k->x_zero, k->x_scale,
                         k->w_scale, (const int8_t *)k->kernel, k->bias, (int8_t)k->y_zero,
                         k->y_scale, (int8_t)k->range.low, (int8_t)k->range.high, 0, op)
                   : xnn_create_deconvolution2d_nhwc_qu8(
                         top, right, bottom, left, height, width, down, across, apart, aside,
                         groups, in / groups, out / groups, in, out, (uint8_t)k->x_zero, k->x_scale,
                         (uint8_t)k->w_zero, k->w_scale, k->kernel, k->bias, (uint8_t)k->y_zero,
                         k->y_scale, (uint8_t)k->range.low, (uint8_t)k->range.high, 0, op);
    return k->is_signed
               ? xnn_create_convolution2d_nhwc_qs8(
                     top, right, bottom, left, height, width, down, across, apart, aside, groups,
                     in / groups, out / groups, in, out, (int8_t)k->x_zero, k->x_scale, k->w_scale,
                     (const int8_t *)k->kernel, k->bias, (int8_t)k->y_zero, k->y_scale,
                     (int8_t)k->range.low, (int8_t)k->range.high, 0, op)
               : xnn_create_convolution2d_nhwc_qu8(
                     top, right, bottom, left, height, width, down, across, apart, aside, groups,
                     in / groups, out / groups, in, out, (uint8_t)k->x_zero, k->x_scale,
                     (uint8_t)k->w_zero, k->w_scale, k->kernel, k->bias, (uint8_t)k->y_zero,
                     k->y_scale, (uint8_t)k->range.low, (uint8_t)k->range.high, 0, op);
}

static enum xnn_status create_matrix(const product *p, const packed *k, xnn_operator_t *op)
{
    size_t in = p->inputs, out = p->outputs;
    return k->is_signed ? xnn_create_fully_connected_nc_qs8(
                              in, out, in, out, (int8_t)k->x_zero, k->x_scale, k->w_scale,
                              (const int8_t *)k->kernel, k->bias, (int8_t)k->y_zero, k->y_scale,
                              (int8_t)k->range.low, (int8_t)k->range.high, 0, op)
                        : xnn_create_fully_connected_nc_qu8(
                              in, out, in, out, (uint8_t)k->x_zero, k->x_scale, (uint8_t)k->w_zero,
                              k->w_scale, k->kernel, k->bias, (uint8_t)k->y_zero, k->y_scale,
                              (uint8_t)k->range.low, (uint8_t)k->range.high, 0, op);
}

static enum xnn_status create(const dv_graph *graph, const product *p, bool is_signed,
                              xnn_operator_t *op)
{
    const dv_tensor *y = &graph->tensors[p->result.tensor];
    packed k = {.is_signed = is_signed,
                .kernel = read_kernel(p, is_signed),
                .bias = dv_memplan_allocate(p->outputs * sizeof(int32_t)),
                .x_zero = dv_xnn_zero(p->x, is_signed),
                .w_zero = p->w->quant.zero[0] - middle_of(p->w) + (is_signed ? 0 : 128),
                .y_zero = dv_xnn_zero(y, is_signed),
                .x_scale = dv_xnn_scale(p->x),
                .w_scale = p->w->quant.scale[0],
                .y_scale = dv_xnn_scale(y),
                .range = dv_xnn_range_of(graph, &p->result, is_signed)};
    enum xnn_status status = xnn_status_out_of_memory;
    if (k.kernel && k.bias && read_bias(graph, p, k.bias))
        status = p->is_convolution || p->per_channel ? create_convolution(p, &k, &p->w->shape, op)
                                                     : create_matrix(p, &k, op);
    free(k.kernel);
    free(k.bias);
    return status;
}

/* ---- steps ---- */

static enum xnn_status setup_channels(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_convolution2d_nhwc_qc8(step->op, step->batch, step->height, step->width,
                                            memory[0], memory[1], step->pool);
}

static enum xnn_status setup_signed(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_convolution2d_nhwc_qs8(step->op, step->batch, step->height, step->width,
                                            memory[0], memory[1], step->pool);
}

static enum xnn_status setup_unsigned(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_convolution2d_nhwc_qu8(step->op, step->batch, step->height, step->width,
                                            memory[0], memory[1], step->pool);
}

static enum xnn_status setup_transposed_signed(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_deconvolution2d_nhwc_qs8(step->op, step->batch, step->height, step->width,
                                              step->adjust_height, step->adjust_width, memory[0],
                                              memory[1], step->pool);
}

static enum xnn_status setup_transposed_unsigned(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_deconvolution2d_nhwc_qu8(step->op, step->batch, step->height, step->width,
                                              step->adjust_height, step->adjust_width, memory[0],
                                              memory[1], step->pool);
}

static enum xnn_status setup_matrix_signed(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_fully_connected_nc_qs8(step->op, step->batch, memory[0], memory[1],
                                            step->pool);
}

static enum xnn_status setup_matrix_unsigned(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_fully_connected_nc_qu8(step->op, step->batch, memory[0], memory[1],
                                            step->pool);
}

static void describe(dv_xnn_step *step, const product *p, bool is_signed)
{
    const dv_conv_params *c = &p->op->params.conv;
    if (!p->is_convolution && !p->per_channel) {
        step->batch = p->rows;
        step->setup = is_signed ? setup_matrix_signed : setup_matrix_unsigned;
        return;
    }
    step->height = p->is_convolution ? (size_t)p->x->shape.dim[2] : p->rows;
    step->width = p->is_convolution ? (size_t)p->x->shape.dim[3] : 1;
    step->batch = p->is_convolution ? (size_t)p->x->shape.dim[0] : 1;
    if (p->per_channel)
        step->setup = setup_channels;
    else if (!p->transposed)
        step->setup = is_signed ? setup_signed : setup_unsigned;
    else
        step->setup = is_signed ? setup_transposed_signed : setup_transposed_unsigned;
    if (p->transposed) {
        step->adjust_height = (uint32_t)c->output_padding[0];
        step->adjust_width = (uint32_t)c->output_padding[1];
    }
}

dv_status dv_xnn_lower_product(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    product p;
    if (!product_of(graph, (dv_op_id)(op - graph->ops), &p) ||
        !dv_xnn_take_activation(program, at, &p.result))
        return DV_OK;
    *done = true;
    bool is_signed = p.per_channel || (p.symmetric && dv_xnn_form_at_hand(program, op->inputs[0]));
    dv_layout layout = p.is_convolution ? DV_LAYOUT_CHANNELS_LAST : DV_LAYOUT_PLAIN;
    dv_value input;
    dv_xnn_write write;
    DV_TRY(dv_xnn_read_as(program, op->inputs[0], layout, is_signed, &input));
    DV_TRY(dv_xnn_write_as(program, p.result.tensor, layout, is_signed, &write));
    dv_xnn_step *step = dv_xnn_step_create(program, NULL);
    if (!step)
        return DV_NO_MEMORY;
    describe(step, &p, is_signed);
    enum xnn_status status = create(graph, &p, is_signed, &step->op);
    DV_TRY(dv_xnn_add(program, step, status, (dv_value[]){input, write.value}, 2));
    return dv_xnn_written(program, &write);
}
