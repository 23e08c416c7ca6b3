/* conv.c - convolutions of one to three spatial dims, dense, grouped or depthwise. */
#include <string.h>

#include "runtime/onednn/ops.h"

typedef struct convolution {
    const dv_shape *x, *y, *w;
    dnnl_memory_desc_t source, weights, bias, target; /* as asked for; `any` where left open */
    dnnl_memory_desc_t plain_weights;
    dnnl_dims_t stride, dilation, begin, end;
    bool has_bias;
} convolution;

static bool fits(const dv_graph *graph, const dv_op *op)
{
    const dv_conv_params *p = &op->params.conv;
    const dv_shape *x = &graph->tensors[op->inputs[0]].shape;
    const dv_shape *y = &graph->tensors[op->outputs[0]].shape;
    const dv_shape *w = &graph->tensors[op->inputs[1]].shape;
    if (p->transposed || p->auto_pad != DV_PAD_EXPLICIT || p->spatial < 1 || p->spatial > 3 ||
        x->rank != p->spatial + 2 || y->rank != x->rank || w->rank != x->rank || p->groups < 1 ||
        x->dim[1] % p->groups != 0 || y->dim[1] % p->groups != 0 || w->dim[0] != y->dim[1] ||
        w->dim[1] != x->dim[1] / p->groups || x->dim[0] != y->dim[0])
        return false;
    for (size_t i = 0; i < p->spatial; i++)
        if (p->stride[i] < 1 || p->dilation[i] < 1 || p->pad_begin[i] < 0 || p->pad_end[i] < 0)
            return false;
    if (op->input_count < 3 || op->inputs[2] == DV_NONE)
        return true;
    const dv_shape *bias = &graph->tensors[op->inputs[2]].shape;
    return dv_dnn_is_constant(graph, op->inputs[2]) && bias->rank == 1 && bias->dim[0] == y->dim[1];
}

static dnnl_memory_desc_t any_of(const dnnl_memory_desc_t *like)
{
    dnnl_memory_desc_t desc = {0};
    if (dnnl_memory_desc_init_by_tag(&desc, like->ndims, like->dims, dnnl_f32,
                                     dnnl_format_tag_any) != dnnl_success)
        return *like;
    return desc;
}

/* [outputs, inputs of a group, kernel] or, grouped, [groups, outputs of one, ...]. */
static dv_shape weight_shape(const dv_shape *w, int64_t groups)
{
    dv_shape shape = *w;
    if (groups == 1)
        return shape;
    shape.rank = (uint8_t)(w->rank + 1);
    shape.dim[0] = groups;
    shape.dim[1] = w->dim[0] / groups;
    for (uint8_t i = 1; i < w->rank; i++)
        shape.dim[i + 1] = w->dim[i];
    return shape;
}

static void describe_operands(const dv_program *program, const dv_op *op, convolution *c)
{
    const dv_tensor *tensors = dv_program_graph(program)->tensors;
    const dv_conv_params *p = &op->params.conv;
    *c = (convolution){.x = &tensors[op->inputs[0]].shape,
                       .y = &tensors[op->outputs[0]].shape,
                       .w = &tensors[op->inputs[1]].shape};
    dv_shape weights = weight_shape(c->w, p->groups);
    c->plain_weights = dv_dnn_desc_padded(&weights, weights.rank);
    c->weights = any_of(&c->plain_weights);
    c->source = dv_dnn_desc_padded(c->x, c->x->rank);
    c->target = dv_dnn_desc_padded(c->y, c->y->rank);
    if (c->x->rank == 4) {
        c->source = any_of(&c->source);
        c->target = any_of(&c->target);
    }
    c->has_bias = op->input_count > 2 && op->inputs[2] != DV_NONE;
    if (c->has_bias)
        c->bias = dv_dnn_desc_padded(&tensors[op->inputs[2]].shape, 1);
    for (size_t i = 0; i < p->spatial; i++) {
        c->stride[i] = p->stride[i];
        c->dilation[i] = p->dilation[i] - 1;
        c->begin[i] = p->pad_begin[i];
        c->end[i] = p->pad_end[i];
    }
}

static dnnl_primitive_desc_t describe(const dv_program *program, const convolution *c,
                                      dnnl_primitive_attr_t attr)
{
    dnnl_convolution_desc_t desc;
    if (dnnl_dilated_convolution_forward_desc_init(
            &desc, dnnl_forward_inference, dnnl_convolution_direct, &c->source, &c->weights,
            c->has_bias ? &c->bias : NULL, &c->target, c->stride, c->dilation, c->begin,
            c->end) != dnnl_success)
        return NULL;
    return dv_dnn_describe(program, &desc, attr, true);
}

/* Settles the layouts: what the library prefers if that is one of ours, else channels-last (images)
   or plain. NULL if the library has no fast way. */
static dnnl_primitive_desc_t settle(const dv_program *program, convolution *c)
{
    const dv_dnn_context *context = dv_dnn_context_of(program);
    dnnl_primitive_desc_t pd = describe(program, c, NULL);
    if (!pd)
        return NULL;
    c->source = dv_dnn_query(pd, dnnl_query_src_md);
    c->target = dv_dnn_query(pd, dnnl_query_dst_md);
    if (dv_dnn_layout_of(context, c->x, &c->source) != DV_LAYOUT_COUNT &&
        dv_dnn_layout_of(context, c->y, &c->target) != DV_LAYOUT_COUNT)
        return pd;
    dnnl_primitive_desc_destroy(pd);
    uint32_t layout = c->x->rank == 4 ? DV_LAYOUT_CHANNELS_LAST : DV_LAYOUT_PLAIN;
    c->source = dv_dnn_desc(context, c->x, layout);
    c->target = dv_dnn_desc(context, c->y, layout);
    return describe(program, c, NULL);
}

/* With as much riding along as the library does fast; plain if nothing. */
static dnnl_primitive_desc_t fuse(const dv_program *program, uint32_t at, const convolution *c,
                                  dnnl_primitive_desc_t plain, dv_dnn_fusion *fusion)
{
    for (int residual = 1; residual >= 0; residual--) {
        dnnl_primitive_attr_t attr = dv_dnn_fuse(program, at, residual ? &c->target : NULL, fusion);
        dnnl_primitive_desc_t pd = attr && fusion->count ? describe(program, c, attr) : NULL;
        if (attr)
            dnnl_primitive_attr_destroy(attr);
        if (pd) {
            dnnl_primitive_desc_destroy(plain);
            return pd;
        }
    }
    fusion->count = 0;
    fusion->residual = DV_NONE;
    fusion->output = dv_program_op(program, at)->outputs[0];
    return plain;
}

static dv_status add_operands(dv_program *program, const dv_op *op, const convolution *c,
                              dnnl_primitive_desc_t pd, const dv_dnn_fusion *fusion,
                              dv_dnn_operand *operands, uint32_t *count)
{
    const dv_dnn_context *context = dv_dnn_context_of(program);
    const dv_tensor *tensors = dv_program_graph(program)->tensors;
    uint32_t from = dv_dnn_layout_of(context, c->x, &c->source);
    uint32_t to = dv_dnn_layout_of(context, c->y, &c->target);
    dnnl_memory_desc_t packed = dv_dnn_query(pd, dnnl_query_weights_md);
    operands[0] = (dv_dnn_operand){.arg = DNNL_ARG_SRC, .desc = c->source};
    operands[1] = (dv_dnn_operand){.arg = DNNL_ARG_DST, .desc = c->target};
    DV_TRY(dv_program_read(program, op->inputs[0], from, &operands[0].value));
    *count = 2;
    if (fusion->residual != DV_NONE) {
        dv_dnn_operand *residual = &operands[(*count)++];
        *residual = (dv_dnn_operand){.arg = fusion->residual_arg, .desc = c->target};
        DV_TRY(dv_program_read(program, fusion->residual, to, &residual->value));
    }
    DV_TRY(dv_program_write(program, fusion->output, to, &operands[1].value));
    DV_TRY(dv_dnn_constant(program, &tensors[op->inputs[1]], DNNL_ARG_WEIGHTS, &c->plain_weights,
                           &packed, &operands[*count]));
    ++*count;
    if (c->has_bias) {
        DV_TRY(dv_dnn_constant(program, &tensors[op->inputs[2]], DNNL_ARG_BIAS, &c->bias, &c->bias,
                               &operands[*count]));
        ++*count;
    }
    return DV_OK;
}

dv_status dv_dnn_lower_convolution(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    convolution c;
    dv_dnn_fusion fusion;
    dv_dnn_operand operands[5];
    uint32_t count = 0;
    if (!dv_dnn_is_constant(graph, op->inputs[1]) || !fits(graph, op))
        return DV_OK;
    describe_operands(program, op, &c);
    dnnl_primitive_desc_t pd = settle(program, &c);
    if (!pd)
        return DV_OK;
    *done = true;
    pd = fuse(program, at, &c, pd, &fusion);
    dv_dnn_take(program, &fusion);
    dv_status status = add_operands(program, op, &c, pd, &fusion, operands, &count);
    if (status != DV_OK) {
        dv_dnn_free_operands(operands, count);
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    return dv_dnn_add(program, pd, operands, count);
}
