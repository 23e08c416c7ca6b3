/* pool.c - maximum and average over windows, and the mean of a whole image. */
#include "runtime/xnnpack/ops.h"

static enum xnn_status setup_max(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_max_pooling2d_nhwc_f32(step->op, step->batch, step->height, step->width,
                                            memory[0], memory[1], step->pool);
}

static enum xnn_status setup_average(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_average_pooling2d_nhwc_f32(step->op, step->batch, step->height, step->width,
                                                memory[0], memory[1], step->pool);
}

static enum xnn_status setup_global(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_global_average_pooling_nwc_f32(step->op, step->batch, step->width, memory[0],
                                                    memory[1], step->pool);
}

bool dv_xnn_window_of(const dv_pool_params *p, const dv_shape *x, const dv_shape *y,
                      dv_xnn_window *w)
{
    *w = (dv_xnn_window){0};
    if (p->spatial != 2 || p->auto_pad != DV_PAD_EXPLICIT || p->global || x->rank != 4 ||
        y->rank != 4 || x->dim[0] != y->dim[0] || x->dim[1] != y->dim[1])
        return false;
    for (size_t i = 0; i < 2; i++) {
        int64_t before = p->pad_begin[i], after = p->pad_end[i];
        if (x->dim[2 + i] < 1 || x->dim[2 + i] > INT32_MAX || y->dim[2 + i] < 1 ||
            y->dim[2 + i] > INT32_MAX || before > INT32_MAX || after > INT32_MAX)
            return false;
        if (p->kernel[i] < 1 || p->kernel[i] > 4096 || p->stride[i] < 1 ||
            p->stride[i] > INT32_MAX || p->dilation[i] < 1 || p->dilation[i] > 4096 || before < 0 ||
            after < 0)
            return false;
        int64_t reach = p->dilation[i] * (p->kernel[i] - 1) + 1;
        int64_t used = (y->dim[2 + i] - 1) * p->stride[i] + reach;
        if (used > x->dim[2 + i] + before + after) {
            after = used - x->dim[2 + i] - before;
            w->overhang = true;
        }
        /* a window must touch the image, and the floor of the library's formula must be ours */
        if (before >= reach || after >= reach ||
            (x->dim[2 + i] + before + after - reach) / p->stride[i] + 1 != y->dim[2 + i])
            return false;
        w->kernel[i] = (uint32_t)p->kernel[i];
        w->stride[i] = (uint32_t)p->stride[i];
        w->dilation[i] = (uint32_t)p->dilation[i];
        w->before[i] = (uint32_t)before;
        w->after[i] = (uint32_t)after;
        w->padded = w->padded || p->pad_begin[i] > 0 || p->pad_end[i] > 0;
    }
    return w->kernel[0] * w->kernel[1] > 1; /* a window of one is refused by the library */
}

static enum xnn_status create_max(const dv_xnn_window *w, size_t channels, float low, float high,
                                  xnn_operator_t *op)
{
    return xnn_create_max_pooling2d_nhwc_f32(w->before[0], w->after[1], w->after[0], w->before[1],
                                             w->kernel[0], w->kernel[1], w->stride[0], w->stride[1],
                                             w->dilation[0], w->dilation[1], channels, channels,
                                             channels, low, high, 0, op);
}

static enum xnn_status create_average(const dv_xnn_window *w, size_t channels, float low,
                                      float high, xnn_operator_t *op)
{
    return xnn_create_average_pooling2d_nhwc_f32(
        w->before[0], w->after[1], w->after[0], w->before[1], w->kernel[0], w->kernel[1],
        w->stride[0], w->stride[1], channels, channels, channels, low, high, 0, op);
}

/* The library's average leaves padding out of the divisor; where the model counts it, the image
   is padded by zeros first. Moves *input and *x to the padded image. */
static dv_status pad_first(dv_program *program, dv_shape *x, dv_xnn_window *w, dv_value *input)
{
    dv_value image = DV_NONE;
    int64_t before[2] = {w->before[0], w->before[1]}, after[2] = {w->after[0], w->after[1]};
    size_t elements = 0;
    dv_shape padded = *x;
    for (size_t i = 0; i < 2; i++) {
        padded.dim[2 + i] += before[i] + after[i];
        w->before[i] = w->after[i] = 0;
    }
    if (!dv_shape_elements(&padded, &elements))
        return dv_fail(DV_BAD_INPUT, "the padded image does not fit memory");
    DV_TRY(dv_program_scratch(program, elements * sizeof(float), &image));
    DV_TRY(dv_xnn_add_image_pad(program, x, before, after, *input, image));
    *input = image;
    *x = padded;
    return DV_OK;
}

dv_status dv_xnn_lower_pool(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_pool_params *p = &op->params.pool;
    dv_shape x = graph->tensors[op->inputs[0]].shape;
    bool max = op->kind == DV_OP_MAX_POOL;
    dv_xnn_window w;
    if (op->output_count > 1 && op->outputs[1] != DV_NONE)
        return DV_OK; /* indices */
    if (!dv_xnn_window_of(p, &x, &graph->tensors[op->outputs[0]].shape, &w))
        return DV_OK;
    bool pad = !max && p->count_include_pad && w.padded;
    if (!max && (w.dilation[0] != 1 || w.dilation[1] != 1 ||
                 (p->count_include_pad && w.padded && w.overhang)))
        return DV_OK;
    *done = true;
    dv_value values[2];
    dv_tensor_id output;
    float low, high;
    dv_xnn_fuse_clamp(program, at, &low, &high, &output);
    DV_TRY(dv_program_read(program, op->inputs[0], DV_LAYOUT_CHANNELS_LAST, &values[0]));
    if (pad)
        DV_TRY(pad_first(program, &x, &w, &values[0]));
    DV_TRY(dv_program_write(program, output, DV_LAYOUT_CHANNELS_LAST, &values[1]));
    dv_xnn_step *step = dv_xnn_step_create(program, max ? setup_max : setup_average);
    if (!step)
        return DV_NO_MEMORY;
    step->batch = (size_t)x.dim[0];
    step->height = (size_t)x.dim[2];
    step->width = (size_t)x.dim[3];
    enum xnn_status status =
        (max ? create_max : create_average)(&w, (size_t)x.dim[1], low, high, &step->op);
    return dv_xnn_add(program, step, status, values, 2);
}

/* The mean over height and width. */
dv_status dv_xnn_lower_mean(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_reduce_params *p = &op->params.reduce;
    const dv_shape *x = &graph->tensors[op->inputs[0]].shape;
    if (x->rank != 4 || p->count != 2 || p->axes[0] != 2 || p->axes[1] != 3)
        return DV_OK;
    *done = true;
    dv_value values[2];
    dv_tensor_id output;
    float low, high;
    dv_xnn_fuse_clamp(program, at, &low, &high, &output);
    DV_TRY(dv_program_read(program, op->inputs[0], DV_LAYOUT_CHANNELS_LAST, &values[0]));
    DV_TRY(dv_program_write(program, output, DV_LAYOUT_PLAIN, &values[1])); /* one pixel */
    dv_xnn_step *step = dv_xnn_step_create(program, setup_global);
    if (!step)
        return DV_NO_MEMORY;
    size_t channels = (size_t)x->dim[1];
    step->batch = (size_t)x->dim[0];
    step->width = (size_t)x->dim[2] * (size_t)x->dim[3];
    enum xnn_status status = xnn_create_global_average_pooling_nwc_f32(channels, channels, channels,
                                                                       low, high, 0, &step->op);
    return dv_xnn_add(program, step, status, values, 2);
}
