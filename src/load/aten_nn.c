/* aten_nn.c - ATen's convolutions, matrix products and normalisations. */
#include <math.h>
#include <string.h>

#include "load/aten_build.h"

/* ---- convolution ---- */

typedef struct conv_arguments {
    uint32_t stride, padding, dilation, groups, output_padding; /* their places; 0: none */
    bool transposed;
    uint32_t least; /* of the result; behind it the most */
} conv_arguments;

static dv_status finish_clamped(dv_aten_at *at, const dv_op_params *params,
                                const dv_tensor_id inputs[3], uint32_t least)
{
    dv_op_params clamp = {.clamp = {-INFINITY, INFINITY}};
    dv_tensor_id id;
    if (dv_aten_given(at, least))
        DV_TRY(dv_aten_real(at, least, &clamp.clamp.min));
    if (dv_aten_given(at, least + 1))
        DV_TRY(dv_aten_real(at, least + 1, &clamp.clamp.max));
    DV_TRY(
        dv_aten_emit_all(at, DV_OP_CONVOLUTION, params, inputs, inputs[2] == DV_NONE ? 2 : 3, &id));
    return dv_aten_finish(at, DV_OP_CLAMP, &clamp, id, DV_NONE, DV_NONE);
}

static dv_status read_conv(dv_aten_at *at, const conv_arguments *from)
{
    dv_op_params params = {.conv = {.transposed = from->transposed}};
    dv_conv_params *conv = &params.conv;
    dv_tensor_id inputs[3];
    bool opened;
    DV_TRY(dv_aten_input(at, 0, &inputs[0]));
    DV_TRY(dv_aten_input(at, 1, &inputs[1]));
    DV_TRY(dv_aten_option(at, 2, &inputs[2]));
    uint8_t rank = dv_aten_rank_of(at, inputs[1]);
    if (rank < 3 || rank > 2 + DV_MAX_SPATIAL)
        return dv_aten_opaque(at, "a weight of %u dimensions is not supported", rank);
    conv->spatial = (uint8_t)(rank - 2);
    size_t n = conv->spatial;
    DV_TRY(dv_aten_open_batch(at, &inputs[0], conv->spatial, &opened));
    DV_TRY(dv_aten_spatial(at, from->stride, n, 1, conv->stride));
    DV_TRY(dv_aten_spatial(at, from->dilation, n, 1, conv->dilation));
    DV_TRY(dv_aten_int(at, from->groups, &conv->groups));
    if (from->output_padding)
        DV_TRY(dv_aten_spatial(at, from->output_padding, n, 0, conv->output_padding));
    const dv_aten_value *padding = &at->args[from->padding];
    if (padding->type == DV_ATEN_TEXT) {
        bool same = padding->text && strcmp(padding->text, "same") == 0;
        conv->auto_pad = same ? DV_PAD_SAME_UPPER : DV_PAD_VALID;
    } else {
        DV_TRY(dv_aten_spatial(at, from->padding, n, 0, conv->pad_begin));
        memcpy(conv->pad_end, conv->pad_begin, sizeof conv->pad_end);
    }
    if (at->reason)
        return DV_OK;
    if (from->least && opened)
        return dv_aten_opaque(at, "a clamped convolution without a batch is not supported");
    if (from->least)
        return finish_clamped(at, &params, inputs, from->least);
    return dv_aten_finish_image(at, opened, DV_OP_CONVOLUTION, &params, inputs,
                                inputs[2] == DV_NONE ? 2 : 3);
}

dv_status dv_aten_read_convolution(dv_aten_at *at)
{
    bool transposed;
    DV_TRY(dv_aten_flag(at, 6, &transposed));
    return read_conv(at, &(conv_arguments){3, 4, 5, 8, 7, transposed, 0});
}

dv_status dv_aten_read_conv_with_clamp(dv_aten_at *at)
{
    bool transposed;
    DV_TRY(dv_aten_flag(at, 6, &transposed));
    return read_conv(at, &(conv_arguments){3, 4, 5, 8, 7, transposed, 9});
}

dv_status dv_aten_read_conv(dv_aten_at *at)
{
    return read_conv(at, &(conv_arguments){3, 4, 5, 6, 0, false, 0});
}

dv_status dv_aten_read_conv_transpose(dv_aten_at *at)
{
    return read_conv(at, &(conv_arguments){3, 4, 7, 6, 5, true, 0});
}

/* ---- matrix products ---- */

dv_status dv_aten_read_linear(dv_aten_at *at)
{
    dv_op_params params = {.linear = {.alpha = 1, .beta = 1}};
    dv_tensor_id x, weight, bias;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_input(at, 1, &weight));
    DV_TRY(dv_aten_option(at, 2, &bias));
    return dv_aten_finish(at, DV_OP_LINEAR, &params, x, weight, bias);
}

/* beta * self + alpha * mat1 . mat2 */
dv_status dv_aten_read_addmm(dv_aten_at *at)
{
    dv_op_params params = {.linear = {.weight_kn = true}};
    dv_tensor_id bias, x, weight;
    DV_TRY(dv_aten_input(at, 0, &bias));
    DV_TRY(dv_aten_input(at, 1, &x));
    DV_TRY(dv_aten_input(at, 2, &weight));
    DV_TRY(dv_aten_real(at, 3, &params.linear.beta));
    DV_TRY(dv_aten_real(at, 4, &params.linear.alpha));
    return dv_aten_finish(at, DV_OP_LINEAR, &params, x, weight, bias);
}

dv_status dv_aten_read_baddbmm(dv_aten_at *at)
{
    dv_tensor_id bias, a, b, product;
    double beta, alpha;
    DV_TRY(dv_aten_input(at, 0, &bias));
    DV_TRY(dv_aten_input(at, 1, &a));
    DV_TRY(dv_aten_input(at, 2, &b));
    DV_TRY(dv_aten_real(at, 3, &beta));
    DV_TRY(dv_aten_real(at, 4, &alpha));
    DV_TRY(dv_aten_emit(at, DV_OP_MATMUL, NULL, a, b, &product));
    DV_TRY(dv_aten_times(at, alpha, &product));
    DV_TRY(dv_aten_times(at, beta, &bias));
    return dv_aten_finish(at, DV_OP_ADD, NULL, product, bias, DV_NONE);
}

/* ---- normalisation ---- */

/* An input left out may not stand before one that is there. */
static dv_status fill_weight(dv_aten_at *at, const dv_shape *shape, dv_tensor_id *weight,
                             dv_tensor_id bias, dv_dtype dtype)
{
    dv_tensor tensor = {.name = "one",
                        .dtype = dtype,
                        .shape = *shape,
                        .role = DV_ROLE_CONSTANT,
                        .data = {.storage = DV_STORAGE_FILL, .shift = 1}};
    if (*weight != DV_NONE || bias == DV_NONE)
        return DV_OK;
    return dv_graph_add_tensor(at->graph, &tensor, weight);
}

static dv_status finish_norm(dv_aten_at *at, dv_op_kind kind, const dv_op_params *params,
                             dv_tensor_id x, dv_tensor_id weight, dv_tensor_id bias,
                             const dv_shape *shape)
{
    DV_TRY(fill_weight(at, shape, &weight, bias, dv_aten_dtype_of(at, x)));
    return dv_aten_finish(at, kind, params, x, weight, bias);
}

dv_status dv_aten_read_layer_norm(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id x, weight, bias;
    dv_shape shape = {0};
    size_t count;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_ints(at, 1, shape.dim, DV_MAX_RANK, &count));
    DV_TRY(dv_aten_option(at, 2, &weight));
    DV_TRY(dv_aten_option(at, 3, &bias));
    DV_TRY(dv_aten_real(at, 4, &params.norm.eps));
    shape.rank = (uint8_t)count;
    params.norm.axes = (int64_t)count;
    return finish_norm(at, DV_OP_LAYER_NORM, &params, x, weight, bias, &shape);
}

static dv_status read_group_norm(dv_aten_at *at, uint32_t weight_at, uint32_t groups_at,
                                 uint32_t eps_at)
{
    dv_op_params params = {0};
    dv_tensor_id x, weight, bias;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_option(at, weight_at, &weight));
    DV_TRY(dv_aten_option(at, weight_at + 1, &bias));
    if (groups_at)
        DV_TRY(dv_aten_int(at, groups_at, &params.norm.groups));
    DV_TRY(dv_aten_real(at, eps_at, &params.norm.eps));
    dv_shape channels = {.rank = 1};
    if (dv_aten_rank_of(at, x) < 2 || !dv_shape_known(dv_aten_shape_of(at, x)))
        return dv_aten_opaque(at, "the shape of its input is not known");
    channels.dim[0] = dv_aten_shape_of(at, x)->dim[1];
    return finish_norm(at, DV_OP_GROUP_NORM, &params, x, weight, bias, &channels);
}

dv_status dv_aten_read_native_group_norm(dv_aten_at *at)
{
    return read_group_norm(at, 1, 6, 7);
}

dv_status dv_aten_read_group_norm(dv_aten_at *at)
{
    return read_group_norm(at, 2, 1, 4);
}

dv_status dv_aten_read_instance_norm(dv_aten_at *at)
{
    bool own;
    DV_TRY(dv_aten_flag(at, 5, &own));
    if (!own)
        return dv_aten_opaque(at, "an instance norm by running statistics is not supported");
    return read_group_norm(at, 1, 0, 7);
}

static dv_status read_batch_norm(dv_aten_at *at, uint32_t eps_at)
{
    dv_op_params params = {0};
    dv_tensor_id inputs[5];
    for (uint32_t i = 0; i < 5; i++)
        DV_TRY(i == 1 || i == 2 ? dv_aten_option(at, i, &inputs[i])
                                : dv_aten_input(at, i, &inputs[i]));
    DV_TRY(dv_aten_real(at, eps_at, &params.norm.eps));
    const dv_shape channels = *dv_aten_shape_of(at, inputs[3]);
    for (uint32_t i = 1; i < 3; i++) {
        dv_tensor tensor = {.name = i == 1 ? "one" : "zero",
                            .dtype = dv_aten_dtype_of(at, inputs[0]),
                            .shape = channels,
                            .role = DV_ROLE_CONSTANT,
                            .data = {.storage = DV_STORAGE_FILL, .shift = i == 1}};
        if (inputs[i] == DV_NONE)
            DV_TRY(dv_graph_add_tensor(at->graph, &tensor, &inputs[i]));
    }
    return dv_aten_finish_all(at, DV_OP_BATCH_NORM, &params, inputs, 5);
}

dv_status dv_aten_read_batch_norm(dv_aten_at *at)
{
    return read_batch_norm(at, 6);
}

dv_status dv_aten_read_batch_norm_flag(dv_aten_at *at)
{
    bool training;
    DV_TRY(dv_aten_flag(at, 5, &training));
    if (training)
        return dv_aten_opaque(at, "a batch norm in training is not supported; export the model "
                                  "after .eval()");
    return read_batch_norm(at, 7);
}

/* x / sqrt(mean of squares + eps) * weight */
dv_status dv_aten_read_rms_norm(dv_aten_at *at)
{
    dv_op_params over = {.reduce = {.keep_dims = true}};
    dv_tensor_id x, weight, square, small;
    int64_t dims[DV_MAX_RANK];
    size_t count;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_ints(at, 1, dims, DV_MAX_RANK, &count));
    DV_TRY(dv_aten_option(at, 2, &weight));
    double eps = dv_aten_dtype_of(at, x) == DV_DTYPE_F16 ? 0x1p-10 : 0x1p-23; /* of the type */
    if (dv_aten_given(at, 3))
        DV_TRY(dv_aten_real(at, 3, &eps));
    for (size_t i = 0; i < count; i++)
        over.reduce.axes[over.reduce.count++] = -(int64_t)(count - i);
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, x, x, &square));
    DV_TRY(dv_aten_emit(at, DV_OP_MEAN, &over, square, DV_NONE, &square));
    DV_TRY(dv_aten_scalar(at, dv_aten_dtype_of(at, x), eps, &small));
    DV_TRY(dv_aten_emit(at, DV_OP_ADD, NULL, square, small, &square));
    DV_TRY(dv_aten_emit(at, DV_OP_RSQRT, NULL, square, DV_NONE, &square));
    if (weight == DV_NONE)
        return dv_aten_finish(at, DV_OP_MUL, NULL, x, square, DV_NONE);
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, x, square, &x));
    return dv_aten_finish(at, DV_OP_MUL, NULL, x, weight, DV_NONE);
}
