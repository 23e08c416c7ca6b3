/* pool.c - maximum and average over windows, and the mean of a whole image. */
#include "runtime/onednn/ops.h"

typedef struct window {
    dnnl_dims_t kernel, stride, dilation, begin, end;
} window;

static bool window_of(const dv_pool_params *p, const dv_shape *x, const dv_shape *y, bool max,
                      window *w)
{
    if (p->spatial != 2 || p->auto_pad != DV_PAD_EXPLICIT || p->global || x->rank != 4 ||
        y->rank != 4)
        return false;
    for (size_t i = 0; i < 2; i++) {
        if (p->kernel[i] < 1 || p->kernel[i] > 4096 || p->stride[i] < 1 || p->dilation[i] < 1 ||
            p->dilation[i] > 4096 || p->pad_begin[i] < 0 || p->pad_end[i] < 0)
            return false;
        int64_t reach = p->dilation[i] * (p->kernel[i] - 1) + 1, after = p->pad_end[i];
        int64_t used = (y->dim[2 + i] - 1) * p->stride[i] + reach;
        int64_t over = used - x->dim[2 + i] - p->pad_begin[i] - after;
        if (over > 0 && !max && p->count_include_pad)
            return false; /* what hangs over by the ceiling is not padding that counts */
        if (over > 0)
            after += over;
        if (p->pad_begin[i] >= reach || after >= reach ||
            (x->dim[2 + i] + p->pad_begin[i] + after - reach) / p->stride[i] + 1 != y->dim[2 + i])
            return false;
        w->kernel[i] = p->kernel[i];
        w->stride[i] = p->stride[i];
        w->dilation[i] = p->dilation[i] - 1;
        w->begin[i] = p->pad_begin[i];
        w->end[i] = after;
    }
    return true;
}

/* From a value of one description to one of another; owns pd. */
static dv_status add_pool(dv_program *program, dnnl_primitive_desc_t pd,
                          const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                          dv_tensor_id input, uint32_t layout, dv_tensor_id output,
                          uint32_t output_layout)
{
    dv_dnn_operand operands[2] = {{.arg = DNNL_ARG_SRC, .desc = *from},
                                  {.arg = DNNL_ARG_DST, .desc = *to}};
    dv_status status = dv_program_read(program, input, layout, &operands[0].value);
    if (status == DV_OK)
        status = dv_program_write(program, output, output_layout, &operands[1].value);
    if (status != DV_OK) {
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    return dv_dnn_add(program, pd, operands, 2);
}

dv_status dv_dnn_lower_pool(dv_program *program, uint32_t at, bool *done)
{
    const dv_dnn_context *context = dv_dnn_context_of(program);
    const dv_tensor *tensors = dv_program_graph(program)->tensors;
    const dv_op *op = dv_program_op(program, at);
    const dv_pool_params *p = &op->params.pool;
    const dv_shape *x = &tensors[op->inputs[0]].shape, *y = &tensors[op->outputs[0]].shape;
    bool max = op->kind == DV_OP_MAX_POOL;
    window w;
    if ((op->output_count > 1 && op->outputs[1] != DV_NONE) || !window_of(p, x, y, max, &w))
        return DV_OK;
    uint32_t layout = dv_dnn_at_hand(program, op->inputs[0]);
    dnnl_memory_desc_t from = dv_dnn_desc(context, x, layout), to = dv_dnn_desc(context, y, layout);
    dnnl_alg_kind_t kind = max                    ? dnnl_pooling_max
                           : p->count_include_pad ? dnnl_pooling_avg_include_padding
                                                  : dnnl_pooling_avg_exclude_padding;
    dnnl_pooling_v2_desc_t desc;
    if (dnnl_pooling_v2_forward_desc_init(&desc, dnnl_forward_inference, kind, &from, &to, w.stride,
                                          w.kernel, w.dilation, w.begin, w.end) != dnnl_success)
        return DV_OK;
    dnnl_primitive_desc_t pd = dv_dnn_describe(program, &desc, NULL, false);
    if (!pd)
        return DV_OK;
    *done = true;
    return add_pool(program, pd, &from, &to, op->inputs[0], layout, op->outputs[0], layout);
}

/* The mean over height and width as one window; its result is plain whatever the layout, because
   one pixel's channels lie one after another in all of them (blocks must be full for that). */
dv_status dv_dnn_lower_mean(dv_program *program, uint32_t at, bool *done)
{
    const dv_dnn_context *context = dv_dnn_context_of(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_reduce_params *p = &op->params.reduce;
    const dv_shape *x = &dv_program_graph(program)->tensors[op->inputs[0]].shape;
    if (x->rank != 4 || p->count != 2 || p->axes[0] != 2 || p->axes[1] != 3)
        return DV_OK;
    uint32_t layout = dv_dnn_at_hand(program, op->inputs[0]);
    if (layout == DV_LAYOUT_OWN && x->dim[1] % context->block != 0)
        layout = DV_LAYOUT_CHANNELS_LAST;
    dv_shape y = dv_shape_make((int64_t[]){x->dim[0], x->dim[1], 1, 1}, 4);
    dnnl_memory_desc_t from = dv_dnn_desc(context, x, layout);
    dnnl_memory_desc_t to = dv_dnn_desc(context, &y, layout);
    dnnl_dims_t whole = {x->dim[2], x->dim[3]}, none = {0, 0};
    dnnl_pooling_v2_desc_t desc;
    if (dnnl_pooling_v2_forward_desc_init(&desc, dnnl_forward_inference,
                                          dnnl_pooling_avg_include_padding, &from, &to, whole,
                                          whole, none, none, none) != dnnl_success)
        return DV_OK;
    dnnl_primitive_desc_t pd = dv_dnn_describe(program, &desc, NULL, false);
    if (!pd)
        return DV_OK;
    *done = true;
    return add_pool(program, pd, &from, &to, op->inputs[0], layout, op->outputs[0],
                    DV_LAYOUT_PLAIN);
}
