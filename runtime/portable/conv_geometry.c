/* conv_geometry.c - do the shapes of a convolution agree, and what are its sizes. */
#include "runtime/portable/conv_geometry.h"

static int64_t padded_output(const dv_conv_params *p, int d, int64_t in, int64_t kernel)
{
    int64_t span = (kernel - 1) * p->dilation[d] + 1;
    int64_t pads = p->pad_begin[d] + p->pad_end[d];
    if (p->transposed)
        return (in - 1) * p->stride[d] + span - pads + p->output_padding[d];
    int64_t room = in + pads - span;
    return room < 0 ? 0 : room / p->stride[d] + 1;
}

/* Beyond this no kernel, step or padding makes sense, and no product below can overflow. */
enum { LARGEST_STEP = 1 << 24 };

static bool sane(int64_t value, int64_t least)
{
    return value >= least && value <= LARGEST_STEP;
}

static const char *spatial_sizes(const dv_kernel_call *call, dv_conv_geometry *g)
{
    const dv_conv_params *p = &call->op->params.conv;
    int missing = DV_MAX_SPATIAL - p->spatial;
    for (int d = 0; d < DV_MAX_SPATIAL; d++) {
        g->in[d] = g->out[d] = g->kernel[d] = g->stride[d] = g->dilation[d] = 1;
        g->pad[d] = 0;
        int from = d - missing; /* the params' dim */
        if (from < 0)
            continue;
        g->in[d] = call->inputs[0].shape.dim[from + 2];
        g->out[d] = call->outputs[0].shape.dim[from + 2];
        g->kernel[d] = call->inputs[1].shape.dim[from + 2];
        g->stride[d] = p->stride[from];
        g->dilation[d] = p->dilation[from];
        g->pad[d] = p->pad_begin[from];
        if (!sane(g->stride[d], 1) || !sane(g->dilation[d], 1) || !sane(g->kernel[d], 1) ||
            !sane(p->pad_begin[from], -LARGEST_STEP) || !sane(p->pad_end[from], -LARGEST_STEP) ||
            !sane(p->output_padding[from], 0) || !sane(g->in[d], 0))
            return "a stride, dilation, padding or size is out of range";
        if (g->out[d] != padded_output(p, from, g->in[d], g->kernel[d]))
            return "the output's shape does not follow from the input's";
    }
    return NULL;
}

static const char *channel_sizes(const dv_kernel_call *call, dv_conv_geometry *g)
{
    const dv_shape *in = &call->inputs[0].shape, *weight = &call->inputs[1].shape;
    const dv_shape *out = &call->outputs[0].shape;
    int64_t groups = call->op->params.conv.groups;
    if (groups < 1 || in->dim[1] % groups || out->dim[1] % groups || in->dim[0] != out->dim[0])
        return "the groups do not divide the channels";
    g->batch = (size_t)in->dim[0];
    g->groups = (size_t)groups;
    g->in_per_group = (size_t)(in->dim[1] / groups);
    g->out_per_group = (size_t)(out->dim[1] / groups);
    bool fits = g->transposed
                    ? weight->dim[0] == in->dim[1] && weight->dim[1] == (int64_t)g->out_per_group
                    : weight->dim[0] == out->dim[1] && weight->dim[1] == (int64_t)g->in_per_group;
    if (!fits)
        return "the weight's channels do not fit the input and output";
    if (dv_given(&call->inputs[2]) && call->inputs[2].count != (size_t)out->dim[1])
        return "the bias does not have one element an output channel";
    return NULL;
}

static size_t volume(const int64_t *size)
{
    return (size_t)size[0] * (size_t)size[1] * (size_t)size[2];
}

const char *dv_conv_geometry_of(const dv_kernel_call *call, dv_conv_geometry *g)
{
    const dv_conv_params *p = &call->op->params.conv;
    g->transposed = p->transposed;
    if (p->spatial < 1 || p->spatial > DV_MAX_SPATIAL || p->auto_pad != DV_PAD_EXPLICIT)
        return "the convolution is not in core form";
    int rank = p->spatial + 2;
    if (call->inputs[0].shape.rank != rank || call->inputs[1].shape.rank != rank ||
        call->outputs[0].shape.rank != rank)
        return "input, weight and output differ in rank";
    const char *fault = spatial_sizes(call, g);
    if (!fault)
        fault = channel_sizes(call, g);
    if (fault)
        return fault;
    g->in_pixels = volume(g->in);
    g->out_pixels = volume(g->out);
    g->depth = g->in_per_group * volume(g->kernel);
    g->pointwise = true;
    for (int d = 0; d < DV_MAX_SPATIAL; d++)
        if (g->kernel[d] != 1 || g->stride[d] != 1 || g->pad[d] != 0 || g->in[d] != g->out[d])
            g->pointwise = false;
    return NULL;
}
