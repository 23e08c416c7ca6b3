/* onnx_ops_nn.c - convolution, pooling, matrix products, normalisation, resampling. */
#include <string.h>

#include "load/onnx_ops.h"

/* ---- windows: what convolution and pooling share ---- */

typedef struct window {
    uint8_t spatial; /* 0: no attribute tells */
    dv_auto_pad auto_pad;
    int64_t kernel[DV_MAX_SPATIAL], stride[DV_MAX_SPATIAL], dilation[DV_MAX_SPATIAL];
    int64_t pad_begin[DV_MAX_SPATIAL], pad_end[DV_MAX_SPATIAL];
} window;

static dv_status read_auto_pad(dv_onnx_at *at, dv_auto_pad *out)
{
    static const struct {
        const char *name;
        dv_auto_pad value;
    } names[] = {
        {"", DV_PAD_EXPLICIT},
        {"NOTSET", DV_PAD_EXPLICIT},
        {"SAME_UPPER", DV_PAD_SAME_UPPER},
        {"SAME_LOWER", DV_PAD_SAME_LOWER},
        {"VALID", DV_PAD_VALID},
    };
    dv_span text;
    DV_TRY(dv_onnx_text(at, "auto_pad", "NOTSET", &text));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (dv_span_is(text, names[i].name)) {
            *out = names[i].value;
            return DV_OK;
        }
    }
    return dv_fail(DV_BAD_INPUT, "attribute 'auto_pad' must be NOTSET, SAME_UPPER, SAME_LOWER or "
                                 "VALID");
}

/* Lists of one number a spatial dim have to agree on how many there are. */
static dv_status agree(window *w, const char *name, size_t count)
{
    if (count == 0)
        return DV_OK;
    if (w->spatial != 0 && w->spatial != count)
        return dv_fail(DV_BAD_INPUT, "attribute '%s' is for %zu spatial dimensions, others for %u",
                       name, count, w->spatial);
    w->spatial = (uint8_t)count;
    return DV_OK;
}

static dv_status at_least(const char *name, const int64_t *values, size_t count, int64_t least)
{
    /* far beyond any image, and sums of a few of them stay within 64 bits */
    const int64_t most = (int64_t)1 << 40;
    for (size_t i = 0; i < count; i++)
        if (values[i] < least || values[i] > most)
            return dv_fail(DV_BAD_INPUT, "attribute '%s' holds %lld; it must be from %lld to %lld",
                           name, (long long)values[i], (long long)least, (long long)most);
    return DV_OK;
}

/* A list of one number a spatial dim, ones where absent; *count 0 if absent. */
static dv_status read_sizes(dv_onnx_at *at, window *w, const char *name, int64_t *out)
{
    size_t count;
    DV_TRY(dv_onnx_ints(at, name, DV_MAX_SPATIAL, out, &count));
    DV_TRY(at_least(name, out, count, 1));
    for (size_t i = count; i < DV_MAX_SPATIAL; i++)
        out[i] = 1;
    return agree(w, name, count);
}

static dv_status read_pads(dv_onnx_at *at, window *w)
{
    int64_t pads[2 * DV_MAX_SPATIAL];
    size_t count;
    DV_TRY(dv_onnx_ints(at, "pads", 2 * DV_MAX_SPATIAL, pads, &count));
    DV_TRY(at_least("pads", pads, count, 0));
    if (count % 2 != 0)
        return dv_fail(DV_BAD_INPUT, "attribute 'pads' has an odd count of numbers");
    for (size_t i = 0; i < count / 2; i++) {
        w->pad_begin[i] = pads[i];
        w->pad_end[i] = pads[count / 2 + i];
    }
    return agree(w, "pads", count / 2);
}

/* More than three spatial dims: nothing of ours holds them. */
static bool too_many_dims(const dv_onnx_at *at)
{
    static const char *const names[] = {"kernel_shape", "strides", "dilations"};
    int64_t values[DV_ONNX_MAX_DIMS];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const dv_onnx_attribute *attribute = dv_onnx_attribute_of(at, names[i]);
        size_t count;
        if (attribute && (attribute->given & DV_ONNX_INTS) &&
            dv_onnx_read_ints(attribute, at->file, DV_ONNX_MAX_DIMS, values, &count) == DV_OK &&
            count > DV_MAX_SPATIAL)
            return true;
    }
    return false;
}

static dv_status read_window(dv_onnx_at *at, window *w)
{
    *w = (window){0};
    DV_TRY(read_auto_pad(at, &w->auto_pad));
    DV_TRY(read_sizes(at, w, "kernel_shape", w->kernel));
    DV_TRY(read_sizes(at, w, "strides", w->stride));
    DV_TRY(read_sizes(at, w, "dilations", w->dilation));
    return read_pads(at, w);
}

/* ---- convolution ---- */

/* A weight that is known already has to fit what the attributes say. */
static dv_status check_weight(const dv_onnx_at *at, window *w)
{
    const dv_shape *weight = &at->graph->tensors[at->inputs[1]].shape;
    if (!dv_shape_known(weight))
        return DV_OK;
    if (weight->rank < 3)
        return dv_fail(DV_BAD_INPUT, "its weight has %u dimensions; a convolution needs 3 or more",
                       weight->rank);
    if (w->spatial != 0 && w->spatial != weight->rank - 2)
        return dv_fail(DV_BAD_INPUT,
                       "its weight is for %d spatial dimensions, its attributes are for %u",
                       weight->rank - 2, w->spatial);
    w->spatial = (uint8_t)(weight->rank - 2);
    for (uint8_t i = 0; dv_onnx_has(at, "kernel_shape") && i < w->spatial; i++)
        if (w->kernel[i] != weight->dim[2 + i])
            return dv_fail(DV_BAD_INPUT,
                           "attribute 'kernel_shape' says %lld where the weight has "
                           "%lld",
                           (long long)w->kernel[i], (long long)weight->dim[2 + i]);
    return DV_OK;
}

static dv_status read_convolution(dv_onnx_at *at)
{
    dv_conv_params *conv = &at->op.params.conv;
    const dv_shape *weight = &at->graph->tensors[at->inputs[1]].shape;
    if (too_many_dims(at) || (weight->rank != DV_RANK_UNKNOWN && weight->rank > 2 + DV_MAX_SPATIAL))
        return dv_onnx_opaque(at, "more than %d spatial dimensions are not supported",
                              DV_MAX_SPATIAL);
    window w;
    DV_TRY(read_window(at, &w));
    DV_TRY(check_weight(at, &w));
    DV_TRY(dv_onnx_int(at, "group", 1, &conv->groups));
    DV_TRY(at_least("group", &conv->groups, 1, 1));
    conv->spatial = w.spatial;
    conv->auto_pad = w.auto_pad;
    memcpy(conv->stride, w.stride, sizeof conv->stride);
    memcpy(conv->dilation, w.dilation, sizeof conv->dilation);
    memcpy(conv->pad_begin, w.pad_begin, sizeof conv->pad_begin);
    memcpy(conv->pad_end, w.pad_end, sizeof conv->pad_end);
    return DV_OK;
}

dv_status dv_onnx_op_conv(dv_onnx_at *at)
{
    return read_convolution(at);
}

dv_status dv_onnx_op_conv_transpose(dv_onnx_at *at)
{
    dv_conv_params *conv = &at->op.params.conv;
    DV_TRY(read_convolution(at));
    if (at->op.kind == DV_OP_OPAQUE)
        return DV_OK;
    size_t count;
    conv->transposed = true;
    DV_TRY(dv_onnx_ints(at, "output_padding", DV_MAX_SPATIAL, conv->output_padding, &count));
    DV_TRY(at_least("output_padding", conv->output_padding, count, 0));
    /* some exporters write the batch and the channels in front */
    int64_t shape[2 + DV_MAX_SPATIAL];
    DV_TRY(dv_onnx_ints(at, "output_shape", 2 + DV_MAX_SPATIAL, shape, &count));
    DV_TRY(at_least("output_shape", shape, count, 1));
    size_t front = conv->spatial && count == (size_t)conv->spatial + 2 ? 2 : 0;
    if (count > 0 && count - front != conv->spatial)
        return dv_fail(DV_BAD_INPUT, "attribute 'output_shape' is not for %u spatial dimensions",
                       conv->spatial);
    memcpy(conv->output_shape, shape + front, (count - front) * sizeof *shape);
    return DV_OK;
}

/* ---- pooling ---- */

static void set_window(dv_pool_params *pool, const window *w)
{
    pool->spatial = w->spatial;
    pool->auto_pad = w->auto_pad;
    memcpy(pool->kernel, w->kernel, sizeof pool->kernel);
    memcpy(pool->stride, w->stride, sizeof pool->stride);
    memcpy(pool->dilation, w->dilation, sizeof pool->dilation);
    memcpy(pool->pad_begin, w->pad_begin, sizeof pool->pad_begin);
    memcpy(pool->pad_end, w->pad_end, sizeof pool->pad_end);
}

dv_status dv_onnx_op_pool(dv_onnx_at *at)
{
    dv_pool_params *pool = &at->op.params.pool;
    if (too_many_dims(at))
        return dv_onnx_opaque(at, "more than %d spatial dimensions are not supported",
                              DV_MAX_SPATIAL);
    if (!dv_onnx_has(at, "kernel_shape"))
        return dv_fail(DV_BAD_INPUT, "attribute 'kernel_shape' is missing");
    window w;
    DV_TRY(read_window(at, &w));
    if (w.spatial == 0)
        return dv_fail(DV_BAD_INPUT, "attribute 'kernel_shape' is empty");
    DV_TRY(dv_onnx_flag(at, "ceil_mode", false, &pool->ceil_mode));
    DV_TRY(dv_onnx_flag(at, "count_include_pad", false, &pool->count_include_pad));
    set_window(pool, &w);
    if (at->op.output_count > 1 && at->outputs[1] != DV_NONE) { /* max pool's indices */
        pool->whole = true;
        DV_TRY(dv_onnx_flag(at, "storage_order", false, &pool->by_column));
    }
    return DV_OK;
}

/* p was a number with a fraction before opset 2. */
dv_status dv_onnx_op_lp_pool(dv_onnx_at *at)
{
    const dv_onnx_attribute *given = dv_onnx_attribute_of(at, "p");
    double power = 2;
    int64_t p = 2;
    if (given && (given->given & DV_ONNX_F))
        DV_TRY(dv_onnx_float(at, "p", 2, &power));
    else
        DV_TRY(dv_onnx_int(at, "p", 2, &p));
    if (!(given && (given->given & DV_ONNX_F)))
        power = (double)p;
    if (!(power > 0))
        return dv_fail(DV_BAD_INPUT, "attribute 'p' must be positive");
    DV_TRY(dv_onnx_has(at, "kernel_shape") ? dv_onnx_op_pool(at) : dv_onnx_op_global_pool(at));
    if (at->op.kind != DV_OP_OPAQUE)
        at->op.params.pool.p = power;
    return DV_OK;
}

dv_status dv_onnx_op_max_unpool(dv_onnx_at *at)
{
    DV_TRY(dv_onnx_op_pool(at));
    at->op.params.pool.whole = true;
    return DV_OK;
}

/* The image and the blocks come as inputs. */
dv_status dv_onnx_op_col2im(dv_onnx_at *at)
{
    window w;
    if (too_many_dims(at))
        return dv_onnx_opaque(at, "more than %d spatial dimensions are not supported",
                              DV_MAX_SPATIAL);
    DV_TRY(read_window(at, &w));
    set_window(&at->op.params.pool, &w);
    return DV_OK;
}

dv_status dv_onnx_op_global_pool(dv_onnx_at *at)
{
    dv_pool_params *pool = &at->op.params.pool;
    pool->global = true;
    for (size_t i = 0; i < DV_MAX_SPATIAL; i++)
        pool->kernel[i] = pool->stride[i] = pool->dilation[i] = 1;
    return DV_OK;
}

/* ---- matrix products ---- */

dv_status dv_onnx_op_gemm(dv_onnx_at *at)
{
    dv_linear_params *linear = &at->op.params.linear;
    bool weight_nk;
    DV_TRY(dv_onnx_float(at, "alpha", 1.0, &linear->alpha));
    DV_TRY(dv_onnx_float(at, "beta", 1.0, &linear->beta));
    DV_TRY(dv_onnx_flag(at, "transA", false, &linear->input_transposed));
    DV_TRY(dv_onnx_flag(at, "transB", false, &weight_nk));
    linear->weight_kn = !weight_nk;
    return DV_OK;
}

/* ---- normalisation ---- */

dv_status dv_onnx_op_batch_norm(dv_onnx_at *at)
{
    bool training, per_channel, testing;
    DV_TRY(dv_onnx_float(at, "epsilon", 1e-5f, &at->op.params.norm.eps));
    DV_TRY(dv_onnx_flag(at, "training_mode", false, &training));
    DV_TRY(dv_onnx_flag(at, "spatial", true, &per_channel));
    DV_TRY(dv_onnx_flag(at, "is_test", at->opset >= 7, &testing));
    if (training && per_channel)
        return dv_onnx_batch_norm_in_training(at);
    if (training || !testing)
        return dv_onnx_opaque(at, "training mode is not supported; export the model for inference");
    if (!per_channel)
        return dv_onnx_opaque(at, "spatial = 0 is not supported");
    for (uint32_t i = 1; i < at->op.output_count; i++)
        if (at->outputs[i] != DV_NONE)
            return dv_onnx_opaque(at, "training mode is not supported; export the model for "
                                      "inference");
    at->op.output_count = 1;
    return DV_OK;
}

dv_status dv_onnx_op_lrn(dv_onnx_at *at)
{
    dv_lrn_params *lrn = &at->op.params.lrn;
    DV_TRY(dv_onnx_float(at, "alpha", 1e-4f, &lrn->alpha));
    DV_TRY(dv_onnx_float(at, "beta", 0.75, &lrn->beta));
    DV_TRY(dv_onnx_float(at, "bias", 1.0, &lrn->bias));
    DV_TRY(dv_onnx_int(at, "size", 0, &lrn->size));
    return at_least("size", &lrn->size, 1, 1);
}

/* Out of training, dropout passes its input on. */
dv_status dv_onnx_op_dropout(dv_onnx_at *at)
{
    bool testing;
    const dv_tensor *ratio = dv_onnx_known_constant(at, 1);
    DV_TRY(dv_onnx_flag(at, "is_test", at->opset >= 7, &testing));
    if (dv_onnx_given_input(at, 2)) { /* training_mode */
        const dv_tensor *training = dv_onnx_known_constant(at, 2);
        int64_t on = 1;
        if (training && training->dtype == DV_DTYPE_BOOL && dv_tensor_read_i64(training, 0, 1, &on))
            testing = on == 0;
        else
            testing = false;
        testing |= ratio && dv_onnx_first_element(ratio) == 0; /* nothing is dropped */
    }
    if (!testing)
        return dv_onnx_opaque(at, "training mode is not supported; export the model for inference");
    at->op.input_count = 1;
    if (at->op.output_count > 1 && at->outputs[1] != DV_NONE) { /* the mask: nothing is dropped */
        dv_tensor_id shape;
        dv_op_params whole = {.slice = {.count = 1, .end = {INT64_MAX}, .step = {1}}};
        /* in the data's own type before opset 10 */
        dv_dtype dtype = at->opset < 10 ? dv_onnx_input_dtype(at, 0) : DV_DTYPE_BOOL;
        dv_op_params truth = {.full = {{.rank = DV_RANK_UNKNOWN}, dtype, 1.0}};
        DV_TRY(dv_onnx_emit(at, DV_OP_SHAPE, &whole, at->inputs[0], DV_NONE, &shape));
        DV_TRY(dv_onnx_emit_to(at, DV_OP_FULL, &truth, shape, DV_NONE, at->outputs[1]));
    }
    at->op.output_count = 1;
    return DV_OK;
}
