/* aten_nn.c - ATen's convolutions, matrix products, normalisations, pooling and resampling. */
#include <math.h>
#include <string.h>

#include "load/aten_build.h"

/* ---- convolution ---- */

/* An image without a batch is not what our convolutions and pools take. */
static dv_status check_batch(dv_aten_at *at, dv_tensor_id x, uint8_t spatial)
{
    uint8_t rank = dv_aten_rank_of(at, x);
    return rank == DV_RANK_UNKNOWN || rank == spatial + 2
               ? DV_OK
               : dv_aten_opaque(at, "an input of %u dimensions, without a batch, is not supported",
                                rank);
}

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
    DV_TRY(dv_aten_input(at, 0, &inputs[0]));
    DV_TRY(dv_aten_input(at, 1, &inputs[1]));
    DV_TRY(dv_aten_option(at, 2, &inputs[2]));
    uint8_t rank = dv_aten_rank_of(at, inputs[1]);
    if (rank < 3 || rank > 2 + DV_MAX_SPATIAL)
        return dv_aten_opaque(at, "a weight of %u dimensions is not supported", rank);
    conv->spatial = (uint8_t)(rank - 2);
    size_t n = conv->spatial;
    DV_TRY(check_batch(at, inputs[0], conv->spatial));
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
    if (from->least)
        return finish_clamped(at, &params, inputs, from->least);
    return dv_aten_finish(at, DV_OP_CONVOLUTION, &params, inputs[0], inputs[1], inputs[2]);
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

static dv_status times(dv_aten_at *at, double factor, dv_tensor_id *id)
{
    dv_tensor_id scalar;
    if (factor == 1)
        return DV_OK;
    DV_TRY(dv_aten_scalar(at, dv_aten_dtype_of(at, *id), factor, &scalar));
    return dv_aten_emit(at, DV_OP_MUL, NULL, *id, scalar, id);
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
    DV_TRY(times(at, alpha, &product));
    DV_TRY(times(at, beta, &bias));
    return dv_aten_finish(at, DV_OP_ADD, NULL, product, bias, DV_NONE);
}

/* Adds what masks: booleans choose, numbers are added. */
static dv_status mask_scores(dv_aten_at *at, dv_tensor_id mask, dv_tensor_id *scores)
{
    dv_tensor_id never, raised[2];
    dv_dtype dtype = dv_aten_dtype_of(at, *scores);
    if (dv_aten_dtype_of(at, mask) != DV_DTYPE_BOOL)
        return dv_aten_emit(at, DV_OP_ADD, NULL, *scores, mask, scores);
    DV_TRY(dv_aten_scalar(at, dtype, 0, &raised[0]));
    DV_TRY(dv_aten_scalar(at, dtype, -INFINITY, &never));
    dv_tensor_id inputs[3] = {mask, raised[0], never};
    DV_TRY(dv_aten_emit_all(at, DV_OP_WHERE, NULL, inputs, 3, &raised[1]));
    return dv_aten_emit(at, DV_OP_ADD, NULL, *scores, raised[1], scores);
}

/* A lower triangle of ones, as booleans: query i sees keys up to i. */
static dv_status causal_mask(dv_aten_at *at, int64_t queries, int64_t keys, dv_tensor_id *mask)
{
    size_t bytes;
    if (!dv_mul_size((size_t)queries, (size_t)keys, &bytes) || bytes > (size_t)1 << 31)
        return dv_fail(DV_BAD_INPUT, "its mask would be too large");
    dv_buffer *buffer = dv_buffer_create(bytes + 1);
    if (!buffer)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    uint8_t *cell = dv_buffer_writable(buffer);
    for (int64_t q = 0; q < queries; q++)
        for (int64_t k = 0; k < keys; k++)
            *cell++ = k <= q;
    dv_tensor tensor = {.name = "causal",
                        .dtype = DV_DTYPE_BOOL,
                        .shape = {2, {queries, keys}},
                        .role = DV_ROLE_CONSTANT,
                        .data = {.storage = DV_STORAGE_BUFFER, .buffer = buffer}};
    dv_status status = dv_graph_add_tensor(at->graph, &tensor, mask);
    dv_buffer_release(buffer);
    return status;
}

/* softmax(q . k^T * scale + mask) . v, in steps. */
/* Heads of keys or values that several queries share, each repeated so often. */
static dv_status share_heads(dv_aten_at *at, const dv_shape *query, dv_tensor_id *id)
{
    dv_shape shape = *dv_aten_shape_of(at, *id);
    uint8_t head = (uint8_t)(shape.rank - 3);
    int64_t heads = query->dim[query->rank - 3], own = shape.dim[head];
    dv_op_params open = {.axes = {.count = 1, .axes = {head + 1}}}, wide = {0}, flat = {0};
    if (own == heads)
        return DV_OK;
    if (own < 1 || heads % own != 0 || shape.rank >= DV_MAX_RANK)
        return dv_fail(DV_BAD_INPUT, "%lld heads cannot share %lld", (long long)heads,
                       (long long)own);
    for (uint8_t d = 0; d < shape.rank; d++)
        wide.view.shape.dim[d + (d > head)] = shape.dim[d];
    wide.view.shape.rank = (uint8_t)(shape.rank + 1);
    wide.view.shape.dim[head + 1] = heads / own;
    shape.dim[head] = heads;
    flat.view.shape = shape;
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, *id, DV_NONE, id));
    DV_TRY(dv_aten_emit(at, DV_OP_EXPAND, &wide, *id, DV_NONE, id));
    return dv_aten_emit(at, DV_OP_VIEW, &flat, *id, DV_NONE, id);
}

dv_status dv_aten_read_attention(dv_aten_at *at)
{
    dv_tensor_id q, k, v, mask, scores;
    dv_op_params swap = {0}, rows = {.axis = {.axis = -1}};
    bool causal, shared;
    DV_TRY(dv_aten_input(at, 0, &q));
    DV_TRY(dv_aten_input(at, 1, &k));
    DV_TRY(dv_aten_input(at, 2, &v));
    DV_TRY(dv_aten_option(at, 3, &mask));
    DV_TRY(dv_aten_flag(at, 5, &causal));
    DV_TRY(dv_aten_flag(at, 7, &shared));
    const dv_shape query = *dv_aten_shape_of(at, q), key = *dv_aten_shape_of(at, k);
    if (!dv_shape_known(&query) || !dv_shape_known(&key) || query.rank < 2 || key.rank < 2)
        return dv_aten_opaque(at, "the shapes of its inputs are not known");
    if (shared && query.rank >= 3 && key.rank == query.rank) {
        DV_TRY(share_heads(at, &query, &k));
        DV_TRY(share_heads(at, &query, &v));
    }
    double scale = 1 / sqrt((double)query.dim[query.rank - 1]);
    if (dv_aten_given(at, 6))
        DV_TRY(dv_aten_real(at, 6, &scale));
    swap.permute.rank = key.rank;
    for (uint8_t d = 0; d < key.rank; d++)
        swap.permute.perm[d] = d;
    swap.permute.perm[key.rank - 2] = (uint8_t)(key.rank - 1);
    swap.permute.perm[key.rank - 1] = (uint8_t)(key.rank - 2);
    DV_TRY(dv_aten_emit(at, DV_OP_PERMUTE, &swap, k, DV_NONE, &k));
    DV_TRY(dv_aten_emit(at, DV_OP_MATMUL, NULL, q, k, &scores));
    DV_TRY(times(at, scale, &scores));
    if (causal && mask == DV_NONE)
        DV_TRY(causal_mask(at, query.dim[query.rank - 2], key.dim[key.rank - 2], &mask));
    if (mask != DV_NONE)
        DV_TRY(mask_scores(at, mask, &scores));
    DV_TRY(dv_aten_emit(at, DV_OP_SOFTMAX, &rows, scores, DV_NONE, &scores));
    return dv_aten_finish_one(at, 0, DV_OP_MATMUL, NULL, scores, v);
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

/* ---- pooling ---- */

static uint8_t spatial_of(const dv_aten_at *at, size_t kernel)
{
    const char *digit = strpbrk(at->call->source_type, "123");
    uint8_t named = digit ? (uint8_t)(*digit - '0') : 2;
    return kernel > 1 ? (uint8_t)kernel : named;
}

/* Arguments 1 to 3 are kernel, stride (none: the kernel) and padding. */
static dv_status read_window(dv_aten_at *at, dv_pool_params *pool, dv_tensor_id *x)
{
    int64_t kernel[DV_MAX_SPATIAL];
    size_t count, strides;
    DV_TRY(dv_aten_input(at, 0, x));
    DV_TRY(dv_aten_ints(at, 1, kernel, DV_MAX_SPATIAL, &count));
    pool->spatial = spatial_of(at, count);
    DV_TRY(check_batch(at, *x, pool->spatial));
    DV_TRY(dv_aten_spatial(at, 1, pool->spatial, 1, pool->kernel));
    DV_TRY(dv_aten_ints(at, 2, pool->stride, DV_MAX_SPATIAL, &strides));
    if (strides)
        DV_TRY(dv_aten_spatial(at, 2, pool->spatial, 1, pool->stride));
    else
        memcpy(pool->stride, pool->kernel, sizeof pool->stride);
    DV_TRY(dv_aten_spatial(at, 3, pool->spatial, 0, pool->pad_begin));
    memcpy(pool->pad_end, pool->pad_begin, sizeof pool->pad_end);
    for (size_t d = 0; d < DV_MAX_SPATIAL; d++)
        pool->dilation[d] = 1;
    return DV_OK;
}

dv_status dv_aten_read_max_pool(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id x;
    DV_TRY(read_window(at, &params.pool, &x));
    if (at->reason)
        return DV_OK;
    DV_TRY(dv_aten_spatial(at, 4, params.pool.spatial, 1, params.pool.dilation));
    DV_TRY(dv_aten_flag(at, 5, &params.pool.ceil_mode));
    return dv_aten_finish_all(at, DV_OP_MAX_POOL, &params, &x, 1);
}

/* Sums of windows over a divisor of their own: the mean over all of a window, times its size. */
static dv_status finish_sums(dv_aten_at *at, dv_op_params *params, dv_tensor_id x)
{
    double divisor, size = 1;
    dv_tensor_id factor;
    DV_TRY(dv_aten_real(at, 6, &divisor));
    if (params->pool.ceil_mode)
        return dv_aten_opaque(at, "a divisor_override with ceil_mode is not supported");
    if (divisor == 0)
        return dv_fail(DV_BAD_INPUT, "a divisor_override of 0");
    params->pool.count_include_pad = true;
    for (uint8_t d = 0; d < params->pool.spatial; d++)
        size *= (double)params->pool.kernel[d];
    DV_TRY(dv_aten_scalar(at, dv_aten_dtype_of(at, x), size / divisor, &factor));
    DV_TRY(dv_aten_emit(at, DV_OP_AVG_POOL, params, x, DV_NONE, &x));
    return dv_aten_finish(at, DV_OP_MUL, NULL, x, factor, DV_NONE);
}

dv_status dv_aten_read_avg_pool(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id x;
    DV_TRY(read_window(at, &params.pool, &x));
    if (at->reason)
        return DV_OK;
    DV_TRY(dv_aten_flag(at, 4, &params.pool.ceil_mode));
    DV_TRY(dv_aten_flag(at, 5, &params.pool.count_include_pad));
    if (dv_aten_given(at, 6))
        return finish_sums(at, &params, x);
    return dv_aten_finish_all(at, DV_OP_AVG_POOL, &params, &x, 1);
}

/* Windows that tile the image; ATen's overlap where the sizes do not divide. */
dv_status dv_aten_read_adaptive_pool(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_pool_params *pool = &params.pool;
    dv_tensor_id x;
    int64_t sizes[DV_MAX_SPATIAL];
    size_t count;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_ints(at, 1, sizes, DV_MAX_SPATIAL, &count));
    pool->spatial = spatial_of(at, count);
    DV_TRY(check_batch(at, x, pool->spatial));
    DV_TRY(dv_aten_spatial(at, 1, pool->spatial, 1, sizes));
    if (at->reason)
        return DV_OK;
    bool global = true;
    for (uint8_t d = 0; d < pool->spatial; d++)
        global &= sizes[d] == 1;
    pool->global = global;
    const dv_shape *shape = dv_aten_shape_of(at, x);
    if (!global && !dv_shape_known(shape))
        return dv_aten_opaque(at, "the shape of its input is not known");
    for (uint8_t d = 0; d < pool->spatial; d++) {
        int64_t in = global ? 1 : shape->dim[2 + d];
        if (sizes[d] < 1 || in % sizes[d] != 0)
            return dv_aten_uneven_pool(at, x, sizes, pool->spatial);
        pool->kernel[d] = pool->stride[d] = in / sizes[d];
        pool->dilation[d] = 1;
    }
    return dv_aten_finish(at, at->kind, &params, x, DV_NONE, DV_NONE);
}

/* ---- resampling ---- */

/* Sizes at argument 1; factors at `factors` for the two forms: two numbers, or a list. */
static dv_status resample(dv_aten_at *at, dv_resize_params resize, uint32_t factors)
{
    dv_op_params params = {.resize = resize};
    dv_tensor_id inputs[4] = {DV_NONE, DV_NONE, DV_NONE, DV_NONE};
    int64_t sizes[4];
    size_t count;
    DV_TRY(dv_aten_input(at, 0, &inputs[0]));
    const dv_shape x = *dv_aten_shape_of(at, inputs[0]);
    if (!dv_shape_known(&x) || x.rank != 4)
        return dv_aten_opaque(at, "the shape of its input is not known");
    DV_TRY(dv_aten_ints(at, 1, sizes + 2, 2, &count));
    sizes[0] = x.dim[0];
    sizes[1] = x.dim[1];
    const dv_aten_value *list = &at->args[factors];
    for (size_t d = 0; count == 0 && d < 2; d++) {
        if (list->type != DV_ATEN_REALS || list->count != 2)
            return dv_fail(DV_BAD_INPUT, "neither its size nor its factors are given");
        sizes[2 + d] = (int64_t)floor((double)x.dim[2 + d] * list->reals[d]);
    }
    DV_TRY(dv_aten_list(at, sizes, 4, &inputs[3]));
    if (resize.coordinate != DV_COORDINATE_ALIGN_CORNERS) {
        params.resize.scale_h = (double)sizes[2] / (double)x.dim[2];
        params.resize.scale_w = (double)sizes[3] / (double)x.dim[3];
    }
    return dv_aten_finish_all(at, at->kind, &params, inputs, 4);
}

dv_status dv_aten_read_upsample_nearest(dv_aten_at *at)
{
    return resample(
        at, (dv_resize_params){.coordinate = DV_COORDINATE_ASYMMETRIC, .nearest = DV_NEAREST_FLOOR},
        2);
}

dv_status dv_aten_read_upsample(dv_aten_at *at)
{
    bool corners;
    DV_TRY(dv_aten_flag(at, 2, &corners));
    return resample(at,
                    (dv_resize_params){.coordinate = corners ? DV_COORDINATE_ALIGN_CORNERS
                                                             : DV_COORDINATE_PYTORCH_HALF_PIXEL,
                                       .cubic = -0.75},
                    3);
}
