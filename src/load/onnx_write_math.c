/* onnx_write_math.c - operators that compute, as ONNX nodes. */
#include <math.h>

#include "load/onnx_put.h"

dv_status dv_onnx_write_plain(dv_onnx_put *put)
{
    return dv_put_whole(put, put->type);
}

/* ---- convolution and products ---- */

static void put_pads(dv_onnx_put *put, const int64_t *begin, const int64_t *end, size_t spatial)
{
    int64_t pads[2 * DV_MAX_SPATIAL];
    for (size_t i = 0; i < spatial; i++) {
        pads[i] = begin[i];
        pads[spatial + i] = end[i];
    }
    dv_put_ints(put, "pads", pads, 2 * spatial);
}

dv_status dv_onnx_write_conv(dv_onnx_put *put)
{
    const dv_conv_params *conv = &put->op->params.conv;
    const dv_shape *weight = &dv_put_input_tensor(put, 1)->shape;
    if (conv->auto_pad != DV_PAD_EXPLICIT || weight->rank != conv->spatial + 2)
        return dv_put_refuse(put, "it is not lowered");
    dv_put_ints(put, "kernel_shape", weight->dim + 2, conv->spatial);
    dv_put_ints(put, "strides", conv->stride, conv->spatial);
    dv_put_ints(put, "dilations", conv->dilation, conv->spatial);
    put_pads(put, conv->pad_begin, conv->pad_end, conv->spatial);
    dv_put_int(put, "group", conv->groups);
    if (conv->transposed)
        dv_put_ints(put, "output_padding", conv->output_padding, conv->spatial);
    return dv_put_whole(put, conv->transposed ? "ConvTranspose" : put->type);
}

/* Gemm for matrices; MatMul and Add for all other ranks, which Gemm does not take. */
dv_status dv_onnx_write_linear(dv_onnx_put *put)
{
    const dv_linear_params *linear = &put->op->params.linear;
    const char *x = dv_put_input(put, 0), *weight = dv_put_input(put, 1);
    if (linear->input_transposed || linear->alpha != 1 || linear->beta != 1)
        return dv_put_refuse(put, "it is not lowered");
    if (dv_put_input_tensor(put, 0)->shape.rank == 2) {
        dv_put_int(put, "transB", !linear->weight_kn);
        return dv_put_whole(put, "Gemm");
    }
    if (!linear->weight_kn) {
        dv_put_ints(put, "perm", (const int64_t[]){1, 0}, 2);
        weight = dv_put_part(put, "Transpose", weight, NULL, NULL);
    }
    if (!dv_put_input_tensor(put, 2))
        return dv_put_last(put, "MatMul", x, weight, NULL);
    const char *product = dv_put_part(put, "MatMul", x, weight, NULL);
    return dv_put_last(put, "Add", product, dv_put_input(put, 2), NULL);
}

dv_status dv_onnx_write_rnn(dv_onnx_put *put)
{
    static const char *const names[] = {"Sigmoid", "Tanh", "Relu"};
    const dv_rnn_params *rnn = &put->op->params.rnn;
    const char *of[6];
    size_t each = put->op->kind == DV_OP_LSTM ? 3 : put->op->kind == DV_OP_GRU ? 2 : 1;
    const dv_activation chosen[] = {rnn->gate, rnn->cell, rnn->state};
    for (size_t i = 0; i < each * (size_t)rnn->directions && i < 6; i++)
        of[i] = names[chosen[i % each]];
    dv_put_strings(put, "activations", of, each * (size_t)rnn->directions);
    dv_put_int(put, "hidden_size", rnn->hidden);
    dv_put_string(put, "direction",
                  rnn->directions == 2 ? "bidirectional"
                  : rnn->reverse       ? "reverse"
                                       : "forward");
    if (rnn->clip != 0)
        dv_put_float(put, "clip", rnn->clip);
    if (rnn->batch_first)
        dv_put_int(put, "layout", 1);
    if (rnn->reset_after)
        dv_put_int(put, "linear_before_reset", 1);
    if (rnn->coupled)
        dv_put_int(put, "input_forget", 1);
    return dv_put_whole(put, put->type);
}

/* ---- normalisation ---- */

dv_status dv_onnx_write_batch_norm(dv_onnx_put *put)
{
    dv_put_float(put, "epsilon", put->op->params.norm.eps);
    return dv_put_whole(put, put->type);
}

/* ONNX has no layer norm without a weight. */
dv_status dv_onnx_write_layer_norm(dv_onnx_put *put)
{
    const dv_tensor *x = dv_put_input_tensor(put, 0);
    int64_t axes = put->op->params.norm.axes;
    const char *weight = dv_put_input(put, 1), *bias = dv_put_input(put, 2);
    if (axes < 1 || axes > x->shape.rank)
        return dv_put_refuse(put, "it is not lowered");
    if (!*weight) {
        dv_shape shape = {.rank = (uint8_t)axes};
        for (int64_t i = 0; i < axes; i++)
            shape.dim[i] = x->shape.dim[x->shape.rank - axes + i];
        dv_put_value(put, "value", x->dtype, 1);
        weight = dv_put_part(put, "ConstantOfShape", dv_put_shape(put, &shape), NULL, NULL);
    }
    dv_put_int(put, "axis", -axes);
    dv_put_float(put, "epsilon", put->op->params.norm.eps);
    return dv_put_last(put, put->type, dv_put_input(put, 0), weight, *bias ? bias : NULL);
}

/* A vector of one number a channel, laid along dim 1 of a tensor of that rank. */
static const char *along_channels(dv_onnx_put *put, const char *vector, uint8_t rank)
{
    int64_t behind[DV_MAX_RANK];
    for (uint8_t d = 2; d < rank; d++)
        behind[d - 2] = d - 1;
    if (rank < 3)
        return vector;
    return dv_put_part(put, "Unsqueeze", vector, dv_put_longs(put, behind, (size_t)rank - 2), NULL);
}

/* GroupNormalization changed its meaning between operator sets 18 and 21, so the groups are made
   channels of an InstanceNormalization, which has had one meaning since set 6. */
dv_status dv_onnx_write_group_norm(dv_onnx_put *put)
{
    const dv_tensor *x = dv_put_input_tensor(put, 0);
    int64_t groups = put->op->params.norm.groups, channels = x->shape.dim[1];
    const char *weight = dv_put_input(put, 1), *bias = dv_put_input(put, 2);
    if (groups < 1 || x->shape.rank < 2)
        return dv_put_refuse(put, "it is not lowered");
    dv_put_float(put, "epsilon", put->op->params.norm.eps);
    if (groups == channels && *weight && *bias && x->shape.rank > 2)
        return dv_put_whole(put, put->type);
    dv_text epsilon = put->attributes;
    put->attributes = (dv_text){0};
    const char *grouped = dv_put_part(put, "Reshape", dv_put_input(put, 0),
                                      dv_put_longs(put, (const int64_t[]){0, groups, -1}, 3), NULL);
    const char *ones = dv_put_list(put, x->dtype, 1, (size_t)groups);
    const char *zeros = dv_put_list(put, x->dtype, 0, (size_t)groups);
    put->attributes = epsilon;
    const char *y = dv_put_part(put, put->type, grouped, ones, zeros);
    const char *shape = dv_put_shape(put, &x->shape);
    if (!*weight && !*bias)
        return dv_put_last(put, "Reshape", y, shape, NULL);
    y = dv_put_part(put, "Reshape", y, shape, NULL);
    if (*weight) {
        weight = along_channels(put, weight, x->shape.rank);
        if (!*bias)
            return dv_put_last(put, "Mul", y, weight, NULL);
        y = dv_put_part(put, "Mul", y, weight, NULL);
    }
    return dv_put_last(put, "Add", y, along_channels(put, bias, x->shape.rank), NULL);
}

dv_status dv_onnx_write_lrn(dv_onnx_put *put)
{
    const dv_lrn_params *lrn = &put->op->params.lrn;
    dv_put_int(put, "size", lrn->size);
    dv_put_float(put, "alpha", lrn->alpha);
    dv_put_float(put, "beta", lrn->beta);
    dv_put_float(put, "bias", lrn->bias);
    return dv_put_whole(put, put->type);
}

/* ---- element by element ---- */

dv_status dv_onnx_write_rsqrt(dv_onnx_put *put)
{
    const char *root = dv_put_part(put, "Sqrt", dv_put_input(put, 0), NULL, NULL);
    return dv_put_last(put, "Reciprocal", root, NULL, NULL);
}

/* Spelt out, as exporters before operator set 20 do. */
dv_status dv_onnx_write_gelu(dv_onnx_put *put)
{
    const char *x = dv_put_input(put, 0), *gate;
    dv_dtype dtype = dv_put_input_tensor(put, 0)->dtype;
    if (put->op->params.flag.on) {
        const char *cube = dv_put_part(put, "Pow", x, dv_put_scalar(put, dtype, 3), NULL);
        cube = dv_put_part(put, "Mul", cube, dv_put_scalar(put, dtype, 0.044715), NULL);
        const char *sum = dv_put_part(put, "Add", x, cube, NULL);
        sum = dv_put_part(put, "Mul", sum, dv_put_scalar(put, dtype, sqrt(M_2_PI)), NULL);
        gate = dv_put_part(put, "Tanh", sum, NULL, NULL);
    } else {
        const char *part = dv_put_part(put, "Div", x, dv_put_scalar(put, dtype, M_SQRT2), NULL);
        gate = dv_put_part(put, "Erf", part, NULL, NULL);
    }
    gate = dv_put_part(put, "Add", gate, dv_put_scalar(put, dtype, 1), NULL);
    const char *product = dv_put_part(put, "Mul", x, gate, NULL);
    return dv_put_last(put, "Mul", product, dv_put_scalar(put, dtype, 0.5), NULL);
}

dv_status dv_onnx_write_silu(dv_onnx_put *put)
{
    const char *x = dv_put_input(put, 0);
    return dv_put_last(put, "Mul", x, dv_put_part(put, "Sigmoid", x, NULL, NULL), NULL);
}

dv_status dv_onnx_write_alpha(dv_onnx_put *put)
{
    dv_put_float(put, "alpha", put->op->params.scalar.alpha);
    return dv_put_whole(put, put->type);
}

dv_status dv_onnx_write_alpha_beta(dv_onnx_put *put)
{
    dv_put_float(put, "beta", put->op->params.scalar.beta);
    return dv_onnx_write_alpha(put);
}

dv_status dv_onnx_write_clamp(dv_onnx_put *put)
{
    const dv_clamp_params *clamp = &put->op->params.clamp;
    dv_dtype dtype = dv_put_input_tensor(put, 0)->dtype;
    if (put->op->input_count != 1)
        return dv_put_refuse(put, "it is not lowered");
    const char *low = isinf(clamp->min) ? "" : dv_put_scalar(put, dtype, clamp->min);
    const char *high = isinf(clamp->max) ? "" : dv_put_scalar(put, dtype, clamp->max);
    return dv_put_last(put, put->type, dv_put_input(put, 0), low, high);
}

/* ONNX's Mod takes floats in C's way only: x - floor(x / y) * y has the sign of y. */
dv_status dv_onnx_write_remainder(dv_onnx_put *put)
{
    const char *x = dv_put_input(put, 0), *y = dv_put_input(put, 1);
    if (!dv_dtype_is_float(dv_put_input_tensor(put, 0)->dtype))
        return dv_put_whole(put, "Mod");
    const char *whole = dv_put_part(put, "Div", x, y, NULL);
    whole = dv_put_part(put, "Floor", whole, NULL, NULL);
    return dv_put_last(put, "Sub", x, dv_put_part(put, "Mul", whole, y, NULL), NULL);
}

dv_status dv_onnx_write_fmod(dv_onnx_put *put)
{
    dv_put_int(put, "fmod", 1);
    return dv_put_whole(put, put->type);
}

dv_status dv_onnx_write_not_equal(dv_onnx_put *put)
{
    const char *same = dv_put_part(put, "Equal", dv_put_input(put, 0), dv_put_input(put, 1), NULL);
    return dv_put_last(put, "Not", same, NULL, NULL);
}

dv_status dv_onnx_write_shift(dv_onnx_put *put)
{
    dv_put_string(put, "direction", put->op->kind == DV_OP_SHIFT_LEFT ? "LEFT" : "RIGHT");
    return dv_put_whole(put, put->type);
}

/* ---- reductions and rows ---- */

dv_status dv_onnx_write_reduce(dv_onnx_put *put)
{
    const dv_reduce_params *reduce = &put->op->params.reduce;
    if (reduce->count == 0)
        return dv_put_last(put, "Identity", dv_put_input(put, 0), NULL, NULL);
    dv_put_int(put, "keepdims", reduce->keep_dims);
    return dv_put_last(put, put->type, dv_put_input(put, 0),
                       dv_put_longs(put, reduce->axes, reduce->count), NULL);
}

dv_status dv_onnx_write_argmax(dv_onnx_put *put)
{
    const dv_reduce_params *reduce = &put->op->params.reduce;
    if (reduce->count != 1)
        return dv_put_refuse(put, "it has %u axes", (unsigned)reduce->count);
    dv_put_int(put, "axis", reduce->axes[0]);
    dv_put_int(put, "keepdims", reduce->keep_dims);
    if (reduce->last)
        dv_put_int(put, "select_last_index", 1);
    return dv_put_whole(put, put->type);
}

dv_status dv_onnx_write_topk(dv_onnx_put *put)
{
    const dv_topk_params *topk = &put->op->params.topk;
    dv_put_int(put, "axis", topk->axis);
    dv_put_int(put, "largest", !topk->smallest);
    const char *inputs[] = {dv_put_input(put, 0), dv_put_longs(put, &topk->k, 1)};
    const char *outputs[] = {dv_put_output(put, 0), dv_put_output(put, 1)};
    dv_put_node(put, put->type, inputs, 2, outputs, 2);
    return DV_OK;
}

dv_status dv_onnx_write_cumsum(dv_onnx_put *put)
{
    const dv_axis_params *axis = &put->op->params.axis;
    if (axis->exclusive)
        dv_put_int(put, "exclusive", 1);
    if (axis->reverse)
        dv_put_int(put, "reverse", 1);
    return dv_put_last(put, put->type, dv_put_input(put, 0), dv_put_long(put, axis->axis), NULL);
}

dv_status dv_onnx_write_softmax(dv_onnx_put *put)
{
    if (!put->op->params.axis.guarded)
        return dv_onnx_write_axis(put);
    dv_put_int(put, "axis", put->op->params.axis.axis);
    const char *share = dv_put_part(put, put->type, dv_put_input(put, 0), NULL, NULL);
    const char *none = dv_put_part(put, "IsNaN", share, NULL, NULL);
    const char *zero = dv_put_scalar(put, dv_put_input_tensor(put, 0)->dtype, 0);
    return dv_put_last(put, "Where", none, zero, share);
}

dv_status dv_onnx_write_axis(dv_onnx_put *put)
{
    dv_put_int(put, "axis", put->op->params.axis.axis);
    return dv_put_whole(put, put->type);
}

/* ---- windows and images ---- */

dv_status dv_onnx_write_pool(dv_onnx_put *put)
{
    const dv_pool_params *pool = &put->op->params.pool;
    bool dilated = false;
    if (pool->global || pool->auto_pad != DV_PAD_EXPLICIT || pool->spatial < 1)
        return dv_put_refuse(put, "it is not lowered");
    for (uint8_t i = 0; i < pool->spatial; i++)
        dilated |= pool->dilation[i] != 1;
    dv_put_ints(put, "kernel_shape", pool->kernel, pool->spatial);
    dv_put_ints(put, "strides", pool->stride, pool->spatial);
    put_pads(put, pool->pad_begin, pool->pad_end, pool->spatial);
    if (dilated)
        dv_put_ints(put, "dilations", pool->dilation, pool->spatial);
    if (pool->ceil_mode)
        dv_put_int(put, "ceil_mode", 1);
    if (put->op->kind == DV_OP_AVG_POOL && pool->count_include_pad)
        dv_put_int(put, "count_include_pad", 1);
    if (put->op->kind == DV_OP_AVG_POOL && dilated)
        dv_put_need(put, 19);
    bool indexed = put->op->output_count > 1 && put->op->outputs[1] != DV_NONE;
    if (indexed && !pool->whole)
        return dv_put_refuse(put, "its indices are not those of the whole tensor");
    if (indexed && pool->by_column)
        dv_put_int(put, "storage_order", 1);
    return dv_put_whole(put, put->type);
}

/* Scales where they say more than the sizes do, which set the scale to output / input. */
dv_status dv_onnx_write_resize(dv_onnx_put *put)
{
    static const char *const modes[] = {"half_pixel", "pytorch_half_pixel",   "align_corners",
                                        "asymmetric", "half_pixel_symmetric", "tf_crop_and_resize"};
    static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                            "ceil"};
    const dv_resize_params *resize = &put->op->params.resize;
    const dv_shape *x = &dv_put_input_tensor(put, 0)->shape,
                   *y = &dv_put_output_tensor(put, 0)->shape;
    dv_op_kind kind = put->op->kind;
    dv_put_string(put, "coordinate_transformation_mode", modes[resize->coordinate]);
    dv_put_string(put, "mode",
                  kind == DV_OP_UPSAMPLE_NEAREST    ? "nearest"
                  : kind == DV_OP_UPSAMPLE_BILINEAR ? "linear"
                                                    : "cubic");
    if (kind == DV_OP_UPSAMPLE_NEAREST)
        dv_put_string(put, "nearest_mode", roundings[resize->nearest]);
    if (kind == DV_OP_UPSAMPLE_BICUBIC)
        dv_put_float(put, "cubic_coeff_a", resize->cubic);
    if (resize->exclude_outside)
        dv_put_int(put, "exclude_outside", 1);
    if (resize->antialias)
        dv_put_int(put, "antialias", 1);
    if (resize->antialias || resize->coordinate == DV_COORDINATE_SYMMETRIC)
        dv_put_need(put, 19);
    double by_size[] = {(double)y->dim[2] / (double)x->dim[2],
                        (double)y->dim[3] / (double)x->dim[3]};
    bool sizes = by_size[0] == resize->scale_h && by_size[1] == resize->scale_w;
    const char *inputs[] = {dv_put_input(put, 0), "", "", ""};
    if (resize->coordinate == DV_COORDINATE_CROP) {
        const double *roi = resize->roi;
        dv_put_float(put, "extrapolation_value", resize->outside);
        inputs[1] = dv_put_floats(
            put,
            (const float[]){0, 0, (float)roi[0], (float)roi[1], 1, 1, (float)roi[2], (float)roi[3]},
            8);
    }
    /* scales of a region are of the region, not of the image */
    if (sizes || resize->coordinate == DV_COORDINATE_CROP)
        inputs[3] = dv_put_shape(put, y);
    else
        inputs[2] = dv_put_floats(
            put, (const float[]){1, 1, (float)resize->scale_h, (float)resize->scale_w}, 4);
    const char *output = dv_put_output(put, 0);
    dv_put_node(put, put->type, inputs, 4, &output, 1);
    return DV_OK;
}

/* ---- quantised numbers ---- */

dv_status dv_onnx_write_quantize(dv_onnx_put *put)
{
    bool quantises = put->op->kind == DV_OP_QUANTIZE || put->op->kind == DV_OP_QUANTIZE_CHANNEL;
    bool by_channel =
        put->op->kind == DV_OP_QUANTIZE_CHANNEL || put->op->kind == DV_OP_DEQUANTIZE_CHANNEL;
    const dv_tensor *scale = dv_put_input_tensor(put, 1);
    dv_dtype dtype = put->op->params.quant.dtype;
    size_t count;
    if (scale->dtype != DV_DTYPE_F32)
        dv_put_need(put, 19);
    if (dtype == DV_DTYPE_I16 || dtype == DV_DTYPE_U16)
        dv_put_need(put, 21);
    const char *zero = dv_put_input(put, 2);
    if (quantises && !*zero && dtype != DV_DTYPE_U8 && dv_shape_elements(&scale->shape, &count))
        zero = by_channel ? dv_put_list(put, dtype, 0, count) : dv_put_scalar(put, dtype, 0);
    if (by_channel)
        dv_put_int(put, "axis", put->op->params.quant.axis);
    return dv_put_last(put, put->type, dv_put_input(put, 0), dv_put_input(put, 1),
                       *zero ? zero : NULL);
}

/* The quantised numbers that come first are not asked for. */
dv_status dv_onnx_write_choose_qparams(dv_onnx_put *put)
{
    const char *x = dv_put_input(put, 0);
    const char *outputs[] = {dv_put_new_name(put, put->op->name), dv_put_output(put, 0),
                             dv_put_output(put, 1)};
    dv_put_node(put, put->type, &x, 1, outputs, 3);
    return DV_OK;
}
