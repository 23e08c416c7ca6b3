/* integer_pool.c - pooling, means, softmax and resizing of 8-bit images. */
#include "runtime/xnnpack/integer_ops.h"

/* ---- pools ---- */

static enum xnn_status setup_max_signed(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_max_pooling2d_nhwc_s8(step->op, step->batch, step->height, step->width,
                                           memory[0], memory[1], step->pool);
}

static enum xnn_status setup_max_unsigned(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_max_pooling2d_nhwc_u8(step->op, step->batch, step->height, step->width,
                                           memory[0], memory[1], step->pool);
}

static enum xnn_status setup_average(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_average_pooling2d_nhwc_qu8(step->op, step->batch, step->height, step->width,
                                                memory[0], memory[1], step->pool);
}

/* An average scales by input scale / output scale; outside of these the library has no factor. */
static bool factor_fits(const dv_tensor *x, const dv_tensor *y)
{
    float factor = dv_xnn_scale(x) / dv_xnn_scale(y);
    return factor >= 0x1p-8f && factor < 0x1p8f;
}

bool dv_xnn_integer_pool_fits(const dv_graph *graph, dv_op_id id)
{
    const dv_op *op = &graph->ops[id];
    dv_xnn_result result;
    dv_xnn_window w;
    if (op->output_count != 1 || !dv_xnn_takes(graph, op->inputs[0]) ||
        !dv_xnn_result_of(graph, id, &result))
        return false;
    const dv_tensor *x = &graph->tensors[op->inputs[0]], *y = &graph->tensors[result.tensor];
    if (!dv_xnn_window_of(&op->params.pool, &x->shape, &y->shape, &w))
        return false;
    if (op->kind == DV_OP_MAX_POOL)
        return dv_xnn_alike(graph, op->inputs[0], result.tensor);
    bool padded = w.padded || w.overhang; /* the divisor then differs from window to window */
    return !padded && w.dilation[0] == 1 && w.dilation[1] == 1 && factor_fits(x, y);
}

static enum xnn_status create_max(const dv_xnn_window *w, size_t c, dv_xnn_range range,
                                  bool is_signed, xnn_operator_t *op)
{
    if (is_signed)
        return xnn_create_max_pooling2d_nhwc_s8(
            w->before[0], w->after[1], w->after[0], w->before[1], w->kernel[0], w->kernel[1],
            w->stride[0], w->stride[1], w->dilation[0], w->dilation[1], c, c, c, (int8_t)range.low,
            (int8_t)range.high, 0, op);
    return xnn_create_max_pooling2d_nhwc_u8(w->before[0], w->after[1], w->after[0], w->before[1],
                                            w->kernel[0], w->kernel[1], w->stride[0], w->stride[1],
                                            w->dilation[0], w->dilation[1], c, c, c,
                                            (uint8_t)range.low, (uint8_t)range.high, 0, op);
}

/* The library averages unsigned integers only. */
static enum xnn_status create_average(const dv_xnn_window *w, size_t c, const dv_tensor *x,
                                      const dv_tensor *y, dv_xnn_range range, xnn_operator_t *op)
{
    return xnn_create_average_pooling2d_nhwc_qu8(
        0, 0, 0, 0, w->kernel[0], w->kernel[1], w->stride[0], w->stride[1], c, c, c,
        (uint8_t)dv_xnn_zero(x, false), dv_xnn_scale(x), (uint8_t)dv_xnn_zero(y, false),
        dv_xnn_scale(y), (uint8_t)range.low, (uint8_t)range.high, 0, op);
}

dv_status dv_xnn_lower_integer_pool(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_tensor *x = &graph->tensors[op->inputs[0]];
    bool max = op->kind == DV_OP_MAX_POOL;
    dv_xnn_window w;
    dv_xnn_result result;
    if (!dv_xnn_result_of(graph, (dv_op_id)(op - graph->ops), &result) ||
        !dv_xnn_take_activation(program, at, &result))
        return DV_OK;
    const dv_tensor *y = &graph->tensors[result.tensor];
    (void)dv_xnn_window_of(&op->params.pool, &x->shape, &y->shape, &w);
    *done = true;
    bool is_signed = max && dv_xnn_form_at_hand(program, op->inputs[0]);
    dv_value input;
    dv_xnn_write write;
    DV_TRY(dv_xnn_read_as(program, op->inputs[0], DV_LAYOUT_CHANNELS_LAST, is_signed, &input));
    DV_TRY(dv_xnn_write_as(program, result.tensor, DV_LAYOUT_CHANNELS_LAST, is_signed, &write));
    dv_xnn_step *step = dv_xnn_step_create(program, !max        ? setup_average
                                                    : is_signed ? setup_max_signed
                                                                : setup_max_unsigned);
    if (!step)
        return DV_NO_MEMORY;
    step->batch = (size_t)x->shape.dim[0];
    step->height = (size_t)x->shape.dim[2];
    step->width = (size_t)x->shape.dim[3];
    dv_xnn_range range = dv_xnn_range_of(graph, &result, is_signed);
    size_t channels = (size_t)x->shape.dim[1];
    enum xnn_status status = max ? create_max(&w, channels, range, is_signed, &step->op)
                                 : create_average(&w, channels, x, y, range, &step->op);
    DV_TRY(dv_xnn_add(program, step, status, (dv_value[]){input, write.value}, 2));
    return dv_xnn_written(program, &write);
}

/* ---- the mean of a whole image ---- */

static enum xnn_status setup_mean_signed(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_global_average_pooling_nwc_qs8(step->op, step->batch, step->width, memory[0],
                                                    memory[1], step->pool);
}

static enum xnn_status setup_mean_unsigned(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_global_average_pooling_nwc_qu8(step->op, step->batch, step->width, memory[0],
                                                    memory[1], step->pool);
}

bool dv_xnn_integer_mean_fits(const dv_graph *graph, dv_op_id id)
{
    const dv_op *op = &graph->ops[id];
    const dv_reduce_params *p = &op->params.reduce;
    dv_xnn_result result;
    return op->output_count == 1 && dv_xnn_takes(graph, op->inputs[0]) &&
           graph->tensors[op->inputs[0]].shape.rank == 4 && p->count == 2 && p->axes[0] == 2 &&
           p->axes[1] == 3 && dv_xnn_result_of(graph, id, &result) &&
           factor_fits(&graph->tensors[op->inputs[0]], &graph->tensors[result.tensor]);
}

dv_status dv_xnn_lower_integer_mean(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_tensor *x = &graph->tensors[op->inputs[0]];
    dv_xnn_result result;
    if (!dv_xnn_result_of(graph, (dv_op_id)(op - graph->ops), &result) ||
        !dv_xnn_take_activation(program, at, &result))
        return DV_OK;
    *done = true;
    const dv_tensor *y = &graph->tensors[result.tensor];
    bool is_signed = dv_xnn_form_at_hand(program, op->inputs[0]);
    dv_value input;
    dv_xnn_write write;
    DV_TRY(dv_xnn_read_as(program, op->inputs[0], DV_LAYOUT_CHANNELS_LAST, is_signed, &input));
    DV_TRY(dv_xnn_write_as(program, result.tensor, DV_LAYOUT_PLAIN, is_signed, &write));
    dv_xnn_step *step =
        dv_xnn_step_create(program, is_signed ? setup_mean_signed : setup_mean_unsigned);
    if (!step)
        return DV_NO_MEMORY;
    size_t c = (size_t)x->shape.dim[1];
    step->batch = (size_t)x->shape.dim[0];
    step->width = (size_t)x->shape.dim[2] * (size_t)x->shape.dim[3];
    dv_xnn_range range = dv_xnn_range_of(graph, &result, is_signed);
    int32_t x_zero = dv_xnn_zero(x, is_signed), y_zero = dv_xnn_zero(y, is_signed);
    enum xnn_status status =
        is_signed ? xnn_create_global_average_pooling_nwc_qs8(
                        c, c, c, (int8_t)x_zero, dv_xnn_scale(x), (int8_t)y_zero, dv_xnn_scale(y),
                        (int8_t)range.low, (int8_t)range.high, 0, &step->op)
                  : xnn_create_global_average_pooling_nwc_qu8(
                        c, c, c, (uint8_t)x_zero, dv_xnn_scale(x), (uint8_t)y_zero, dv_xnn_scale(y),
                        (uint8_t)range.low, (uint8_t)range.high, 0, &step->op);
    DV_TRY(dv_xnn_add(program, step, status, (dv_value[]){input, write.value}, 2));
    return dv_xnn_written(program, &write);
}

/* ---- softmax: unsigned, into 256ths ---- */

static enum xnn_status setup_softmax(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_softmax_nc_qu8(step->op, step->batch, memory[0], memory[1], step->pool);
}

bool dv_xnn_integer_softmax_fits(const dv_graph *graph, dv_op_id id)
{
    const dv_op *op = &graph->ops[id];
    if (!dv_xnn_takes(graph, op->inputs[0]) || !dv_xnn_takes(graph, op->outputs[0]))
        return false;
    const dv_tensor *x = &graph->tensors[op->inputs[0]], *y = &graph->tensors[op->outputs[0]];
    int64_t axis = op->params.axis.axis;
    return dv_xnn_scale(y) == 0x1p-8f && dv_xnn_zero(y, false) == 0 && x->shape.rank >= 1 &&
           ((x->shape.rank == 4 && axis == 1) || axis == x->shape.rank - 1);
}

dv_status dv_xnn_lower_integer_softmax(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_tensor *x = &graph->tensors[op->inputs[0]], *y = &graph->tensors[op->outputs[0]];
    int64_t axis = op->params.axis.axis;
    dv_layout layout = x->shape.rank == 4 && axis == 1 ? DV_LAYOUT_CHANNELS_LAST : DV_LAYOUT_PLAIN;
    size_t elements = 0, channels = (size_t)x->shape.dim[axis];
    (void)dv_shape_elements(&x->shape, &elements);
    *done = true;
    dv_value input;
    dv_xnn_write write;
    DV_TRY(dv_xnn_read_as(program, op->inputs[0], layout, false, &input));
    DV_TRY(dv_xnn_write_as(program, op->outputs[0], layout, false, &write));
    dv_xnn_step *step = dv_xnn_step_create(program, setup_softmax);
    if (!step)
        return DV_NO_MEMORY;
    step->batch = elements / channels;
    enum xnn_status status = xnn_create_softmax_nc_qu8(
        channels, channels, channels, dv_xnn_scale(x), 0, dv_xnn_scale(y), 0, &step->op);
    DV_TRY(dv_xnn_add(program, step, status, (dv_value[]){input, write.value}, 2));
    return dv_xnn_written(program, &write);
}

/* ---- resizing ---- */

static enum xnn_status setup_resize_signed(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_resize_bilinear2d_nhwc_s8(step->op, step->batch, step->height, step->width,
                                               step->out_height, step->out_width, memory[0],
                                               memory[1], step->pool);
}

static enum xnn_status setup_resize_unsigned(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_resize_bilinear2d_nhwc_u8(step->op, step->batch, step->height, step->width,
                                               step->out_height, step->out_width, memory[0],
                                               memory[1], step->pool);
}

bool dv_xnn_integer_resize_fits(const dv_graph *graph, dv_op_id id)
{
    const dv_op *op = &graph->ops[id];
    uint32_t flags;
    return dv_xnn_takes(graph, op->inputs[0]) && dv_xnn_takes(graph, op->outputs[0]) &&
           dv_xnn_alike(graph, op->inputs[0], op->outputs[0]) &&
           dv_xnn_resize_fits(graph, op, &flags);
}

dv_status dv_xnn_lower_integer_resize(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_shape *x = &graph->tensors[op->inputs[0]].shape;
    const dv_shape *y = &graph->tensors[op->outputs[0]].shape;
    uint32_t flags;
    (void)dv_xnn_resize_fits(graph, op, &flags);
    *done = true;
    bool is_signed = dv_xnn_form_at_hand(program, op->inputs[0]);
    dv_value input;
    dv_xnn_write write;
    DV_TRY(dv_xnn_read_as(program, op->inputs[0], DV_LAYOUT_CHANNELS_LAST, is_signed, &input));
    DV_TRY(dv_xnn_write_as(program, op->outputs[0], DV_LAYOUT_CHANNELS_LAST, is_signed, &write));
    dv_xnn_step *step =
        dv_xnn_step_create(program, is_signed ? setup_resize_signed : setup_resize_unsigned);
    if (!step)
        return DV_NO_MEMORY;
    size_t c = (size_t)x->dim[1];
    step->batch = (size_t)x->dim[0];
    step->height = (size_t)x->dim[2];
    step->width = (size_t)x->dim[3];
    step->out_height = (size_t)y->dim[2];
    step->out_width = (size_t)y->dim[3];
    enum xnn_status status = is_signed
                                 ? xnn_create_resize_bilinear2d_nhwc_s8(c, c, c, flags, &step->op)
                                 : xnn_create_resize_bilinear2d_nhwc_u8(c, c, c, flags, &step->op);
    DV_TRY(dv_xnn_add(program, step, status, (dv_value[]){input, write.value}, 2));
    return dv_xnn_written(program, &write);
}
