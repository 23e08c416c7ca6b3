/* layers.c - the layers that the zoo's networks are made of. */
#include <math.h>

#include "datasets/zoo/network.h"
#include "datasets/zoo/network_parts.h"

/* Uniform(-s, s) has variance s^2 / 3. */
static double he_scale(double fan_in)
{
    return sqrt(6.0 / fan_in);
}

static int64_t or_one(int64_t value)
{
    return value > 0 ? value : 1;
}

dv_tensor_id dv_conv2d(dv_network *net, dv_tensor_id x, dv_conv_layer layer)
{
    int64_t stride = or_one(layer.stride), dilation = or_one(layer.dilation);
    int64_t groups = or_one(layer.groups);
    int64_t kernel[] = {or_one(layer.kernel),
                        layer.kernel_width > 0 ? layer.kernel_width : or_one(layer.kernel)};
    int64_t padding[] = {layer.padding,
                         layer.kernel_width > 0 ? layer.padding_width : layer.padding};
    int64_t filter[] = {layer.channels, dv_dim(net, x, 1) / groups, kernel[0], kernel[1]};
    dv_op op = {.kind = DV_OP_CONVOLUTION,
                .params.conv = {.spatial = 2,
                                .groups = groups,
                                .stride = {stride, stride},
                                .dilation = {dilation, dilation},
                                .pad_begin = {padding[0], padding[1]},
                                .pad_end = {padding[0], padding[1]}}};
    dv_shape shape = *dv_network_shape(net, x);
    shape.dim[1] = layer.channels;
    for (int i = 0; i < 2; i++)
        shape.dim[i + 2] =
            (shape.dim[i + 2] + 2 * padding[i] - dilation * (kernel[i] - 1) - 1) / stride + 1;
    double fan_in = (double)(filter[1] * kernel[0] * kernel[1]);
    dv_tensor_id inputs[3] = {x, dv_weight(net, "weight", filter, 4, he_scale(fan_in), 0)};
    if (layer.bias)
        inputs[2] = dv_weight(net, "bias", &layer.channels, 1, 0.1, 0);
    return dv_network_op(net, op, inputs, layer.bias ? 3 : 2, DV_DTYPE_F32, shape);
}

dv_tensor_id dv_batch_norm(dv_network *net, dv_tensor_id x)
{
    int64_t channels = dv_dim(net, x, 1);
    dv_op op = {.kind = DV_OP_BATCH_NORM, .params.norm = {.eps = net->norm_eps}};
    dv_tensor_id inputs[] = {
        x,
        dv_weight(net, "weight", &channels, 1, 0.2, 1),
        dv_weight(net, "bias", &channels, 1, 0.1, 0),
        dv_weight(net, "running_mean", &channels, 1, 0.1, 0),
        dv_weight(net, "running_var", &channels, 1, 0.2, 1),
    };
    return dv_network_op(net, op, inputs, 5, DV_DTYPE_F32, *dv_network_shape(net, x));
}

dv_tensor_id dv_conv_norm_valid(dv_network *net, dv_tensor_id x, dv_conv_layer layer,
                                dv_op_kind activation)
{
    x = dv_batch_norm(net, dv_conv2d(net, x, layer));
    return activation == DV_OP_IDENTITY ? x : dv_unary(net, activation, x);
}

dv_tensor_id dv_conv_norm(dv_network *net, dv_tensor_id x, dv_conv_layer layer,
                          dv_op_kind activation)
{
    layer.padding = (layer.kernel - 1) / 2 * or_one(layer.dilation);
    layer.padding_width = (layer.kernel_width - 1) / 2 * or_one(layer.dilation);
    return dv_conv_norm_valid(net, x, layer, activation);
}

dv_tensor_id dv_layer_norm(dv_network *net, dv_tensor_id x, double eps)
{
    int64_t width = dv_dim(net, x, -1);
    dv_op op = {.kind = DV_OP_LAYER_NORM, .params.norm = {.eps = eps, .axes = 1}};
    dv_tensor_id inputs[] = {x, dv_weight(net, "weight", &width, 1, 0.2, 1),
                             dv_weight(net, "bias", &width, 1, 0.1, 0)};
    return dv_network_op(net, op, inputs, 3, DV_DTYPE_F32, *dv_network_shape(net, x));
}

dv_tensor_id dv_group_norm(dv_network *net, dv_tensor_id x, int64_t groups, double eps)
{
    int64_t channels = dv_dim(net, x, 1);
    dv_op op = {.kind = DV_OP_GROUP_NORM, .params.norm = {.eps = eps, .groups = groups}};
    dv_tensor_id inputs[] = {x, dv_weight(net, "weight", &channels, 1, 0.2, 1),
                             dv_weight(net, "bias", &channels, 1, 0.1, 0)};
    return dv_network_op(net, op, inputs, 3, DV_DTYPE_F32, *dv_network_shape(net, x));
}

dv_tensor_id dv_linear(dv_network *net, dv_tensor_id x, int64_t features, bool bias)
{
    int64_t weight[] = {features, dv_dim(net, x, -1)};
    dv_op op = {.kind = DV_OP_LINEAR, .params.linear = {.alpha = 1, .beta = 1}};
    dv_shape shape = *dv_network_shape(net, x);
    if (shape.rank > 0)
        shape.dim[shape.rank - 1] = features;
    /* fan-in without the factor of a following rectifier: half of He's variance */
    double scale = he_scale(2 * (double)or_one(weight[1]));
    dv_tensor_id inputs[3] = {x, dv_weight(net, "weight", weight, 2, scale, 0)};
    if (bias)
        inputs[2] = dv_weight(net, "bias", &features, 1, 0.1, 0);
    return dv_network_op(net, op, inputs, bias ? 3 : 2, DV_DTYPE_F32, shape);
}

dv_tensor_id dv_linear_tied(dv_network *net, dv_tensor_id x, dv_tensor_id weight)
{
    dv_op op = {.kind = DV_OP_LINEAR, .params.linear = {.alpha = 1, .beta = 1}};
    dv_shape shape = *dv_network_shape(net, x);
    if (shape.rank > 0)
        shape.dim[shape.rank - 1] = dv_dim(net, weight, 0);
    dv_tensor_id inputs[] = {x, weight};
    return dv_network_op(net, op, inputs, 2, DV_DTYPE_F32, shape);
}

dv_tensor_id dv_unary(dv_network *net, dv_op_kind kind, dv_tensor_id x)
{
    return dv_network_op(net, (dv_op){.kind = kind}, &x, 1, dv_network_dtype(net, x),
                         *dv_network_shape(net, x));
}

dv_tensor_id dv_binary(dv_network *net, dv_op_kind kind, dv_tensor_id a, dv_tensor_id b)
{
    dv_shape shape = {0};
    if (net->status == DV_OK &&
        !dv_shape_broadcast(dv_network_shape(net, a), dv_network_shape(net, b), &shape))
        net->status = dv_fail(DV_INTERNAL, "%s: operands that do not match", net->scope);
    dv_tensor_id inputs[] = {a, b};
    return dv_network_op(net, (dv_op){.kind = kind}, inputs, 2, dv_network_dtype(net, a), shape);
}

dv_tensor_id dv_clamp(dv_network *net, dv_tensor_id x, double min, double max)
{
    dv_op op = {.kind = DV_OP_CLAMP, .params.clamp = {.min = min, .max = max}};
    return dv_network_op(net, op, &x, 1, DV_DTYPE_F32, *dv_network_shape(net, x));
}

dv_tensor_id dv_gelu_tanh(dv_network *net, dv_tensor_id x)
{
    dv_op op = {.kind = DV_OP_GELU, .params.flag = {.on = true}};
    return dv_network_op(net, op, &x, 1, DV_DTYPE_F32, *dv_network_shape(net, x));
}

dv_tensor_id dv_hardsigmoid(dv_network *net, dv_tensor_id x)
{
    dv_op op = {.kind = DV_OP_HARDSIGMOID, .params.scalar = {.alpha = 1.0 / 6, .beta = 0.5}};
    return dv_network_op(net, op, &x, 1, DV_DTYPE_F32, *dv_network_shape(net, x));
}

dv_tensor_id dv_squeeze_excite(dv_network *net, dv_tensor_id x, int64_t squeezed, dv_op_kind inner,
                               dv_op_kind gate)
{
    dv_conv_layer down = {.channels = squeezed, .kernel = 1, .bias = true};
    dv_conv_layer up = {.channels = dv_dim(net, x, 1), .kernel = 1, .bias = true};
    dv_tensor_id y = dv_global_average(net, x);
    y = dv_conv2d(net, dv_unary(net, inner, dv_conv2d(net, y, down)), up);
    y = gate == DV_OP_HARDSIGMOID ? dv_hardsigmoid(net, y) : dv_unary(net, gate, y);
    return dv_binary(net, DV_OP_MUL, x, y);
}

static dv_tensor_id pool(dv_network *net, dv_op_kind kind, dv_tensor_id x, dv_pool_params params)
{
    dv_shape shape = *dv_network_shape(net, x);
    for (int i = 0; i < 2; i++) {
        int64_t in = shape.dim[i + 2], stride = params.stride[i], padding = params.pad_begin[i];
        int64_t room = in + 2 * padding - params.kernel[i];
        int64_t steps = (params.ceil_mode ? room + stride - 1 : room) / stride;
        if (params.ceil_mode && steps * stride >= in + padding)
            steps--; /* a window must start inside the image or its first padding */
        shape.dim[i + 2] = steps + 1;
    }
    return dv_network_op(net, (dv_op){.kind = kind, .params.pool = params}, &x, 1, DV_DTYPE_F32,
                         shape);
}

static dv_pool_params square_window(int64_t kernel, int64_t stride, int64_t padding)
{
    return (dv_pool_params){.spatial = 2,
                            .kernel = {kernel, kernel},
                            .stride = {stride, stride},
                            .dilation = {1, 1},
                            .pad_begin = {padding, padding},
                            .pad_end = {padding, padding}};
}

dv_tensor_id dv_max_pool(dv_network *net, dv_tensor_id x, int64_t kernel, int64_t stride,
                         int64_t padding, bool ceil_mode)
{
    dv_pool_params params = square_window(kernel, stride, padding);
    params.ceil_mode = ceil_mode;
    return pool(net, DV_OP_MAX_POOL, x, params);
}

dv_tensor_id dv_average_pool(dv_network *net, dv_tensor_id x, int64_t kernel, int64_t stride,
                             int64_t padding)
{
    dv_pool_params params = square_window(kernel, stride, padding);
    params.count_include_pad = true;
    return pool(net, DV_OP_AVG_POOL, x, params);
}

dv_tensor_id dv_global_average(dv_network *net, dv_tensor_id x)
{
    dv_op op = {.kind = DV_OP_MEAN,
                .params.reduce = {.count = 2, .keep_dims = true, .axes = {2, 3}}};
    dv_shape shape = *dv_network_shape(net, x);
    shape.dim[2] = shape.dim[3] = 1;
    return dv_network_op(net, op, &x, 1, DV_DTYPE_F32, shape);
}

dv_tensor_id dv_mean_last(dv_network *net, dv_tensor_id x)
{
    dv_shape shape = *dv_network_shape(net, x);
    dv_op op = {.kind = DV_OP_MEAN,
                .params.reduce = {.count = 1, .keep_dims = true, .axes = {shape.rank - 1}}};
    if (shape.rank > 0)
        shape.dim[shape.rank - 1] = 1;
    return dv_network_op(net, op, &x, 1, DV_DTYPE_F32, shape);
}

dv_tensor_id dv_concat(dv_network *net, const dv_tensor_id *xs, uint32_t count, int64_t axis)
{
    dv_op op = {.kind = DV_OP_CAT, .params.axis = {.axis = axis}};
    dv_shape shape = *dv_network_shape(net, xs[0]);
    for (uint32_t i = 1; i < count; i++)
        shape.dim[axis] += dv_dim(net, xs[i], (int)axis);
    return dv_network_op(net, op, xs, count, dv_network_dtype(net, xs[0]), shape);
}

dv_tensor_id dv_softmax(dv_network *net, dv_tensor_id x)
{
    const dv_shape *shape = dv_network_shape(net, x);
    dv_op op = {.kind = DV_OP_SOFTMAX, .params.axis = {.axis = shape->rank - 1}};
    return dv_network_op(net, op, &x, 1, DV_DTYPE_F32, *shape);
}

dv_tensor_id dv_matmul(dv_network *net, dv_tensor_id a, dv_tensor_id b)
{
    dv_shape shape = *dv_network_shape(net, a);
    if (shape.rank > 0)
        shape.dim[shape.rank - 1] = dv_dim(net, b, -1);
    dv_tensor_id inputs[] = {a, b};
    return dv_network_op(net, (dv_op){.kind = DV_OP_MATMUL}, inputs, 2, DV_DTYPE_F32, shape);
}

dv_tensor_id dv_view(dv_network *net, dv_tensor_id x, const int64_t *dims, size_t rank)
{
    dv_shape shape = dv_shape_make(dims, rank);
    return dv_network_op(net, (dv_op){.kind = DV_OP_VIEW, .params.view = {.shape = shape}}, &x, 1,
                         dv_network_dtype(net, x), shape);
}

dv_tensor_id dv_permute(dv_network *net, dv_tensor_id x, const uint8_t *perm, uint8_t rank)
{
    dv_op op = {.kind = DV_OP_PERMUTE, .params.permute = {.rank = rank}};
    dv_shape shape = {.rank = rank};
    for (uint8_t i = 0; i < rank; i++) {
        op.params.permute.perm[i] = perm[i];
        shape.dim[i] = dv_dim(net, x, perm[i]);
    }
    return dv_network_op(net, op, &x, 1, dv_network_dtype(net, x), shape);
}

dv_tensor_id dv_expand(dv_network *net, dv_tensor_id x, const int64_t *dims, size_t rank)
{
    dv_shape shape = dv_shape_make(dims, rank);
    return dv_network_op(net, (dv_op){.kind = DV_OP_EXPAND, .params.view = {.shape = shape}}, &x, 1,
                         dv_network_dtype(net, x), shape);
}

dv_tensor_id dv_flatten(dv_network *net, dv_tensor_id x)
{
    const dv_shape *shape = dv_network_shape(net, x);
    int64_t dims[] = {dv_dim(net, x, 0), 1};
    for (int i = 1; i < shape->rank; i++)
        dims[1] *= shape->dim[i];
    return dv_view(net, x, dims, 2);
}

dv_tensor_id dv_slice(dv_network *net, dv_tensor_id x, int64_t axis, int64_t begin, int64_t end)
{
    dv_op op = {
        .kind = DV_OP_SLICE,
        .params.slice = {.count = 1, .axes = {axis}, .begin = {begin}, .end = {end}, .step = {1}}};
    dv_shape shape = *dv_network_shape(net, x);
    shape.dim[axis] = end - begin;
    return dv_network_op(net, op, &x, 1, dv_network_dtype(net, x), shape);
}

dv_tensor_id dv_stride(dv_network *net, dv_tensor_id x, int64_t axis, int64_t begin, int64_t step)
{
    int64_t end = dv_dim(net, x, (int)axis);
    dv_op op = {.kind = DV_OP_SLICE,
                .params.slice = {
                    .count = 1, .axes = {axis}, .begin = {begin}, .end = {end}, .step = {step}}};
    dv_shape shape = *dv_network_shape(net, x);
    shape.dim[axis] = (end - begin + step - 1) / step;
    return dv_network_op(net, op, &x, 1, dv_network_dtype(net, x), shape);
}

static dv_tensor_id resize(dv_network *net, dv_op_kind kind, dv_tensor_id x, int64_t height,
                           int64_t width)
{
    dv_shape shape = *dv_network_shape(net, x);
    double scale_h = (double)height / (double)or_one(shape.dim[2]);
    double scale_w = (double)width / (double)or_one(shape.dim[3]);
    dv_op op = {.kind = kind,
                .params.resize = {.coordinate = kind == DV_OP_UPSAMPLE_NEAREST
                                                    ? DV_COORDINATE_ASYMMETRIC
                                                    : DV_COORDINATE_HALF_PIXEL,
                                  .nearest = DV_NEAREST_FLOOR,
                                  .scale_h = scale_h,
                                  .scale_w = scale_w}};
    shape.dim[2] = height;
    shape.dim[3] = width;
    return dv_network_op(net, op, &x, 1, DV_DTYPE_F32, shape);
}

dv_tensor_id dv_upsample(dv_network *net, dv_tensor_id x, int64_t height, int64_t width)
{
    return resize(net, DV_OP_UPSAMPLE_BILINEAR, x, height, width);
}

dv_tensor_id dv_upsample_nearest(dv_network *net, dv_tensor_id x, int64_t factor)
{
    return resize(net, DV_OP_UPSAMPLE_NEAREST, x, factor * dv_dim(net, x, 2),
                  factor * dv_dim(net, x, 3));
}

dv_tensor_id dv_up_conv2d(dv_network *net, dv_tensor_id x, int64_t channels, int64_t kernel)
{
    int64_t filter[] = {dv_dim(net, x, 1), channels, kernel, kernel};
    dv_op op = {.kind = DV_OP_CONVOLUTION,
                .params.conv = {.spatial = 2,
                                .transposed = true,
                                .groups = 1,
                                .stride = {kernel, kernel},
                                .dilation = {1, 1}}};
    dv_shape shape = *dv_network_shape(net, x);
    shape.dim[1] = channels;
    shape.dim[2] *= kernel;
    shape.dim[3] *= kernel;
    dv_tensor_id inputs[] = {
        x, dv_weight(net, "weight", filter, 4, he_scale((double)or_one(filter[0])), 0),
        dv_weight(net, "bias", &channels, 1, 0.1, 0)};
    return dv_network_op(net, op, inputs, 3, DV_DTYPE_F32, shape);
}

dv_tensor_id dv_cast(dv_network *net, dv_tensor_id x, dv_dtype dtype)
{
    dv_op op = {.kind = DV_OP_CAST, .params.cast = {.dtype = dtype}};
    return dv_network_op(net, op, &x, 1, dtype, *dv_network_shape(net, x));
}

dv_tensor_id dv_embedding(dv_network *net, dv_tensor_id ids, int64_t rows, int64_t width)
{
    int64_t dims[] = {rows, width};
    return dv_lookup(net, dv_weight(net, "weight", dims, 2, 0.02 * sqrt(3.0), 0), ids);
}

dv_tensor_id dv_lookup(dv_network *net, dv_tensor_id table, dv_tensor_id ids)
{
    dv_tensor_id inputs[] = {table, ids};
    dv_shape shape = *dv_network_shape(net, ids);
    shape.dim[shape.rank++] = dv_dim(net, table, 1);
    return dv_network_op(net, (dv_op){.kind = DV_OP_EMBEDDING}, inputs, 2, DV_DTYPE_F32, shape);
}
