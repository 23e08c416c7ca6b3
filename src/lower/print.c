/* print.c - a graph as text, one operator a line, for people and for comparing graphs. */
#include <stdlib.h>
#include <string.h>

#include "lower/lower.h"

static void print_name(dv_text *out, const char *name)
{
    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;
        if (c < ' ' || c == 127 || c == '\'' || c == '\\')
            dv_text_append(out, "\\x%02x", c);
        else
            dv_text_append_n(out, name, 1);
    }
}

static void print_tensor(dv_text *out, const dv_graph *graph, dv_tensor_id id)
{
    if (id == DV_NONE) {
        dv_text_append(out, "-");
        return;
    }
    dv_text_append(out, "%%");
    print_name(out, graph->tensors[id].name);
}

static void print_list(dv_text *out, const char *name, const int64_t *values, size_t count)
{
    dv_text_append(out, " %s=", name);
    for (size_t i = 0; i < count; i++)
        dv_text_append(out, "%s%lld", i ? "," : "", (long long)values[i]);
}

static void print_conv(dv_text *out, const dv_op_params *p)
{
    const dv_conv_params *conv = &p->conv;
    dv_text_append(out, "%s groups=%lld", conv->transposed ? " transposed" : "",
                   (long long)conv->groups);
    print_list(out, "stride", conv->stride, conv->spatial);
    print_list(out, "dilation", conv->dilation, conv->spatial);
    print_list(out, "pad_begin", conv->pad_begin, conv->spatial);
    print_list(out, "pad_end", conv->pad_end, conv->spatial);
    if (conv->transposed)
        print_list(out, "output_padding", conv->output_padding, conv->spatial);
}

static void print_pool(dv_text *out, const dv_op_params *p)
{
    const dv_pool_params *pool = &p->pool;
    print_list(out, "kernel", pool->kernel, pool->spatial);
    print_list(out, "stride", pool->stride, pool->spatial);
    print_list(out, "dilation", pool->dilation, pool->spatial);
    print_list(out, "pad_begin", pool->pad_begin, pool->spatial);
    print_list(out, "pad_end", pool->pad_end, pool->spatial);
    dv_text_append(out, "%s%s%s%s", pool->ceil_mode ? " ceil" : "",
                   pool->count_include_pad ? " count_pad" : "", pool->whole ? " whole" : "",
                   pool->by_column ? " by_column" : "");
    if (pool->image[0] != 0)
        print_list(out, "image", pool->image, pool->spatial);
    if (pool->p != 0)
        dv_text_append(out, " p=%.17g", pool->p);
}

static void print_grid(dv_text *out, const dv_op_params *p)
{
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const borders[] = {"zeros", "edge", "reflect"};
    char text[DV_SHAPE_TEXT];
    dv_text_append(out, " %s %s%s shape=%s", modes[p->grid.mode % 3], borders[p->grid.border % 3],
                   p->grid.align_corners ? " align_corners" : "",
                   dv_shape_text(&p->grid.shape, text));
}

static void print_region(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " cells=%lldx%lld samples=%lld scale=%.17g%s%s",
                   (long long)p->region.height, (long long)p->region.width,
                   (long long)p->region.samples, p->region.scale,
                   p->region.largest ? " largest" : "", p->region.half_pixel ? " half_pixel" : "");
}

static void print_spectrum(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " axis=%lld length=%lld step=%lld%s%s", (long long)p->spectrum.axis,
                   (long long)p->spectrum.length, (long long)p->spectrum.step,
                   p->spectrum.inverse ? " inverse" : "", p->spectrum.onesided ? " onesided" : "");
}

static void print_rows(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " rows=%lld", (long long)p->rows.rows);
}

static void print_unique(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " axis=%lld%s%s rows=%lld", (long long)p->unique.axis,
                   p->unique.flat ? " flat" : "", p->unique.sorted ? " sorted" : "",
                   (long long)p->unique.rows);
}

static void print_nms(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " most=%lld overlap=%.17g score=%.17g%s rows=%lld", (long long)p->nms.most,
                   p->nms.overlap, p->nms.score, p->nms.centred ? " centred" : "",
                   (long long)p->nms.rows);
}

static void print_detect(dv_text *out, const dv_op_params *p)
{
    const dv_detect_params *d = &p->detect;
    dv_text_append(out, " most=%lld classes=%lld per_box=%lld score=%.17g overlap=%.17g",
                   (long long)d->most, (long long)d->classes, (long long)d->classes_per_box,
                   d->score, d->overlap);
    dv_text_append(out, " scales=%.17g,%.17g,%.17g,%.17g", d->y_scale, d->x_scale, d->h_scale,
                   d->w_scale);
    if (d->by_class)
        dv_text_append(out, " by_class=%lld", (long long)d->most_per_class);
}

static void print_suppress(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " most=%lld", (long long)p->suppress.most);
}

static void print_mel(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " bins=%lld length=%lld rate=%lld low=%.17g high=%.17g to=%s",
                   (long long)p->mel.bins, (long long)p->mel.length, (long long)p->mel.rate,
                   p->mel.low, p->mel.high, dv_dtype_name(p->mel.dtype));
}

static void print_reverse(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " axis=%lld batch=%lld", (long long)p->reverse.axis,
                   (long long)p->reverse.batch);
}

static void print_linear(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, "%s%s", p->linear.weight_kn ? " kn" : "",
                   p->linear.input_transposed ? " transposed" : "");
    if (p->linear.alpha != 1 || p->linear.beta != 1)
        dv_text_append(out, " alpha=%.17g beta=%.17g", p->linear.alpha, p->linear.beta);
}

static void print_norm(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " eps=%.17g axes=%lld groups=%lld", p->norm.eps, (long long)p->norm.axes,
                   (long long)p->norm.groups);
}

static void print_lrn(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " size=%lld alpha=%.17g beta=%.17g bias=%.17g", (long long)p->lrn.size,
                   p->lrn.alpha, p->lrn.beta, p->lrn.bias);
}

static void print_none(dv_text *out, const dv_op_params *p)
{
    (void)out;
    (void)p;
}

static void print_flag(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, "%s", p->flag.on ? " tanh" : "");
}

static void print_scalar(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " alpha=%.17g beta=%.17g", p->scalar.alpha, p->scalar.beta);
}

static void print_clamp(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " min=%.17g max=%.17g", p->clamp.min, p->clamp.max);
}

static void print_reduce(dv_text *out, const dv_op_params *p)
{
    size_t count = p->reduce.count < DV_MAX_RANK ? p->reduce.count : DV_MAX_RANK;
    print_list(out, "axes", p->reduce.axes, count);
    dv_text_append(out, "%s%s", p->reduce.keep_dims ? " keep" : "", p->reduce.last ? " last" : "");
}

static void print_topk(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " axis=%lld k=%lld%s", (long long)p->topk.axis, (long long)p->topk.k,
                   p->topk.smallest ? " smallest" : "");
}

static void print_rnn(dv_text *out, const dv_op_params *p)
{
    static const char *const names[] = {"sigmoid", "tanh", "relu"};
    const dv_rnn_params *rnn = &p->rnn;
    dv_text_append(out, " hidden=%lld directions=%lld%s%s%s%s", (long long)rnn->hidden,
                   (long long)rnn->directions, rnn->reverse ? " reverse" : "",
                   rnn->batch_first ? " batch_first" : "", rnn->reset_after ? " reset_after" : "",
                   rnn->coupled ? " coupled" : "");
    dv_text_append(out, " clip=%.17g %s,%s,%s", rnn->clip, names[rnn->gate % 3],
                   names[rnn->cell % 3], names[rnn->state % 3]);
}

static void print_quant(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " axis=%lld %s", (long long)p->quant.axis, dv_dtype_name(p->quant.dtype));
}

static void print_scatter(dv_text *out, const dv_op_params *p)
{
    static const char *const modes[] = {"set", "add", "mul", "max", "min"};
    dv_text_append(out, " axis=%lld %s", (long long)p->scatter.axis, modes[p->scatter.mode % 5]);
}

static void print_axes(dv_text *out, const dv_op_params *p)
{
    size_t count = p->axes.count < DV_MAX_RANK ? p->axes.count : DV_MAX_RANK;
    print_list(out, "axes", p->axes.axes, count);
}

static void print_axis(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " axis=%lld%s%s%s%s", (long long)p->axis.axis,
                   p->axis.flatten_2d ? " flatten" : "", p->axis.exclusive ? " exclusive" : "",
                   p->axis.reverse ? " reverse" : "", p->axis.guarded ? " guarded" : "");
}

static void print_view(dv_text *out, const dv_op_params *p)
{
    char text[DV_SHAPE_TEXT];
    dv_text_append(out, " shape=%s", dv_shape_text(&p->view.shape, text));
}

static void print_permute(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " perm=");
    for (uint8_t d = 0; d < p->permute.rank && d < DV_MAX_RANK; d++)
        dv_text_append(out, "%s%u", d ? "," : "", (unsigned)p->permute.perm[d]);
}

static void print_split(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " axis=%lld", (long long)p->split.axis);
    print_list(out, "sizes", p->split.sizes, p->split.count);
}

static void print_slice(dv_text *out, const dv_op_params *p)
{
    size_t count = p->slice.count < DV_MAX_RANK ? p->slice.count : DV_MAX_RANK;
    print_list(out, "begin", p->slice.begin, count);
    print_list(out, "end", p->slice.end, count);
    print_list(out, "step", p->slice.step, count);
}

static void print_select(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " axis=%lld index=%lld", (long long)p->select.axis,
                   (long long)p->select.index);
}

static void print_pad(dv_text *out, const dv_op_params *p)
{
    static const char *const modes[] = {"constant", "reflect", "edge", "wrap"};
    size_t count = p->pad.rank < DV_MAX_RANK ? p->pad.rank : DV_MAX_RANK;
    dv_text_append(out, " %s", modes[p->pad.mode % 4]);
    print_list(out, "begin", p->pad.begin, count);
    print_list(out, "end", p->pad.end, count);
    dv_text_append(out, " value=%.17g", p->pad.value);
}

static void print_resize(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " coordinate=%d nearest=%d scale=%.17g,%.17g", (int)p->resize.coordinate,
                   (int)p->resize.nearest, p->resize.scale_h, p->resize.scale_w);
    if (p->resize.cubic != 0)
        dv_text_append(out, " cubic=%.17g%s", p->resize.cubic,
                       p->resize.exclude_outside ? " exclude" : "");
    if (p->resize.antialias)
        dv_text_append(out, " antialias");
    if (p->resize.coordinate == DV_COORDINATE_CROP)
        dv_text_append(out, " roi=%.17g,%.17g,%.17g,%.17g outside=%.17g", p->resize.roi[0],
                       p->resize.roi[1], p->resize.roi[2], p->resize.roi[3], p->resize.outside);
}

static void print_shuffle(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " block=%lld%s", (long long)p->shuffle.block, p->shuffle.dcr ? " dcr" : "");
}

static void print_tri(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " diagonal=%lld%s", (long long)p->tri.diagonal,
                   p->tri.upper ? " upper" : "");
}

static void print_cast(dv_text *out, const dv_op_params *p)
{
    dv_text_append(out, " to=%s", dv_dtype_name(p->cast.dtype));
}

static void print_full(dv_text *out, const dv_op_params *p)
{
    char text[DV_SHAPE_TEXT];
    dv_text_append(out, " shape=%s value=%.17g", dv_shape_text(&p->full.shape, text),
                   p->full.value);
}

static void (*const printers[DV_OP_COUNT])(dv_text *, const dv_op_params *) = {
#define OP(kind, name, family, least, most, params, shape, work) [DV_OP_##kind] = print_##params,
#include "core/ops.def"
#undef OP
};

/* What a quantised tensor's elements stand for. */
static void print_quantisation(dv_text *out, const dv_quant *quant)
{
    if (quant->count == 1)
        dv_text_append(out, " scale=%g zero=%d", (double)quant->scale[0], quant->zero[0]);
    else if (quant->count > 1)
        dv_text_append(out, " scales=%u axis=%u", quant->count, quant->axis);
}

static void print_op(dv_text *out, const dv_graph *graph, dv_op_id id)
{
    const dv_op *op = &graph->ops[id];
    char text[DV_SHAPE_TEXT];
    dv_text_append(out, "%4u ", id);
    for (uint32_t i = 0; i < op->output_count; i++) {
        dv_tensor_id t = op->outputs[i];
        dv_text_append(out, "%s", i ? ", " : "");
        print_tensor(out, graph, t);
        if (t == DV_NONE)
            continue;
        dv_text_append(out, " %s[%s]", dv_dtype_name(graph->tensors[t].dtype),
                       dv_shape_text(&graph->tensors[t].shape, text));
        print_quantisation(out, &graph->tensors[t].quant);
    }
    dv_text_append(out, " = %s(", dv_op_info_of(op->kind)->name);
    for (uint32_t i = 0; i < op->input_count; i++) {
        dv_text_append(out, "%s", i ? ", " : "");
        print_tensor(out, graph, op->inputs[i]);
    }
    dv_text_append(out, ")");
    printers[op->kind](out, &op->params);
    dv_text_append(out, " '");
    print_name(out, op->name);
    dv_text_append(out, "'");
    if (graph->unit_of)
        dv_text_append(out, " unit %u", graph->unit_of[id]);
    dv_text_append(out, "\n");
}

dv_status dv_graph_print(const dv_graph *graph, dv_text *out)
{
    for (dv_op_id o = 0; o < graph->op_count; o++)
        print_op(out, graph, o);
    return out->failed ? dv_fail(DV_NO_MEMORY, "out of memory while printing a graph") : DV_OK;
}
