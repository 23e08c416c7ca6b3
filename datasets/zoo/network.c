/* network.c - layers of the zoo's networks. */
#include "datasets/zoo/network.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/rng.h"
#include "core/text.h"

enum { NAME_MAX_BYTES = 160 };

dv_network dv_network_begin(const dv_zoo_entry *entry, const char *options)
{
    dv_network net = {.graph = dv_graph_create(entry->name, "zoo"), .scope = "", .norm_eps = 1e-5};
    if (!net.graph) {
        net.status = dv_fail(DV_NO_MEMORY, "out of memory while building %s", entry->name);
        return net;
    }
    char identity[256];
    int length = snprintf(identity, sizeof identity, "zoo:%s%s%s", entry->name, options ? ":" : "",
                          options ? options : "");
    dv_sha256_hex(identity, (size_t)length < sizeof identity ? (size_t)length : sizeof identity - 1,
                  net.graph->sha256);
    net.status = dv_graph_set_about(net.graph, entry->citation);
    return net;
}

dv_status dv_network_finish_many(dv_network *net, const dv_tensor_id *outputs, uint32_t count,
                                 dv_graph **out)
{
    for (uint32_t i = 0; i < count && net->status == DV_OK; i++)
        net->status = dv_graph_add_output(net->graph, outputs[i]);
    if (net->status == DV_OK)
        net->status = dv_graph_finish(net->graph);
    if (net->status == DV_OK)
        *out = net->graph;
    else
        dv_graph_destroy(net->graph);
    net->graph = NULL;
    return net->status;
}

dv_status dv_network_finish(dv_network *net, dv_tensor_id output, dv_graph **out)
{
    return dv_network_finish_many(net, &output, 1, out);
}

void dv_network_scope(dv_network *net, const char *format, ...)
{
    if (net->status != DV_OK)
        return;
    char text[NAME_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    net->scope = dv_arena_copy(dv_graph_arena(net->graph), text);
    if (!net->scope)
        net->status = dv_fail(DV_NO_MEMORY, "out of memory while building a network");
}

/* "scope.what", or "what" outside any scope. */
static void full_name(const dv_network *net, const char *what, char name[NAME_MAX_BYTES])
{
    snprintf(name, NAME_MAX_BYTES, "%s%s%s", net->scope, net->scope[0] ? "." : "", what);
}

static dv_tensor_id add_tensor(dv_network *net, dv_tensor tensor)
{
    dv_tensor_id id = DV_NONE;
    if (net->status == DV_OK)
        net->status = dv_graph_add_tensor(net->graph, &tensor, &id);
    return id;
}

/* Adds an operator with one output of that type and shape. */
static dv_tensor_id add_op(dv_network *net, dv_op op, const dv_tensor_id *inputs, uint32_t count,
                           dv_dtype dtype, dv_shape shape)
{
    char name[NAME_MAX_BYTES], what[64];
    const char *kind = dv_op_info_of(op.kind)->name;
    const char *start = strchr(kind, '.') ? strchr(kind, '.') + 1 : kind;
    while (*start == '_')
        start++;
    snprintf(what, sizeof what, "%.*s_%u", (int)strcspn(start, "."), start,
             net->graph ? net->graph->op_count : 0);
    full_name(net, what, name);
    dv_tensor_id output =
        add_tensor(net, (dv_tensor){.name = name, .dtype = dtype, .shape = shape});
    op.name = name;
    op.source_type = start;
    op.inputs = inputs;
    op.input_count = count;
    op.outputs = &output;
    op.output_count = 1;
    dv_op_id id;
    if (net->status == DV_OK) {
        op.debug_handle = net->graph->op_count;
        net->status = dv_graph_add_op(net->graph, &op, &id);
    }
    return output;
}

static const dv_shape *shape_of(const dv_network *net, dv_tensor_id x)
{
    static const dv_shape none = {0};
    return net->status == DV_OK ? &net->graph->tensors[x].shape : &none;
}

static dv_dtype dtype_of(const dv_network *net, dv_tensor_id x)
{
    return net->status == DV_OK ? net->graph->tensors[x].dtype : DV_DTYPE_F32;
}

int64_t dv_dim(const dv_network *net, dv_tensor_id x, int dim)
{
    const dv_shape *shape = shape_of(net, x);
    int at = dim < 0 ? dim + shape->rank : dim;
    return at >= 0 && at < shape->rank ? shape->dim[at] : 0;
}

dv_tensor_id dv_input(dv_network *net, const char *name, dv_dtype dtype, const int64_t *dims,
                      size_t rank)
{
    return add_tensor(net, (dv_tensor){.name = name,
                                       .dtype = dtype,
                                       .shape = dv_shape_make(dims, rank),
                                       .role = DV_ROLE_INPUT});
}

dv_tensor_id dv_image_input(dv_network *net, const char *options, int64_t side)
{
    int64_t batch = dv_network_option(net, options, "batch", 1, 1024, 1);
    side = dv_network_option(net, options, "side", 32, 4096, side);
    return dv_input(net, "image", DV_DTYPE_F32, (int64_t[]){batch, 3, side, side}, 4);
}

dv_tensor_id dv_weight(dv_network *net, const char *name, const int64_t *dims, size_t rank,
                       double scale, double shift)
{
    char full[NAME_MAX_BYTES], numbered[64];
    uint64_t layer = net->layer++;
    snprintf(numbered, sizeof numbered, "%s_%llu", name, (unsigned long long)layer);
    full_name(net, numbered, full);
    dv_data data = {.storage = DV_STORAGE_GENERATED,
                    .seed = dv_rng_at(0x64697676, layer),
                    .scale = scale,
                    .shift = shift};
    return add_tensor(net, (dv_tensor){.name = full,
                                       .dtype = DV_DTYPE_F32,
                                       .shape = dv_shape_make(dims, rank),
                                       .role = DV_ROLE_CONSTANT,
                                       .data = data});
}

dv_tensor_id dv_scalar(dv_network *net, double value)
{
    char full[NAME_MAX_BYTES], numbered[64];
    snprintf(numbered, sizeof numbered, "scalar_%llu", (unsigned long long)net->layer++);
    full_name(net, numbered, full);
    return add_tensor(net, (dv_tensor){.name = full,
                                       .dtype = DV_DTYPE_F32,
                                       .role = DV_ROLE_CONSTANT,
                                       .data = {.storage = DV_STORAGE_FILL, .shift = value}});
}

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
    dv_shape shape = *shape_of(net, x);
    shape.dim[1] = layer.channels;
    for (int i = 0; i < 2; i++)
        shape.dim[i + 2] =
            (shape.dim[i + 2] + 2 * padding[i] - dilation * (kernel[i] - 1) - 1) / stride + 1;
    double fan_in = (double)(filter[1] * kernel[0] * kernel[1]);
    dv_tensor_id inputs[3] = {x, dv_weight(net, "weight", filter, 4, he_scale(fan_in), 0)};
    if (layer.bias)
        inputs[2] = dv_weight(net, "bias", &layer.channels, 1, 0.1, 0);
    return add_op(net, op, inputs, layer.bias ? 3 : 2, DV_DTYPE_F32, shape);
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
    return add_op(net, op, inputs, 5, DV_DTYPE_F32, *shape_of(net, x));
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
    return add_op(net, op, inputs, 3, DV_DTYPE_F32, *shape_of(net, x));
}

dv_tensor_id dv_linear(dv_network *net, dv_tensor_id x, int64_t features, bool bias)
{
    int64_t weight[] = {features, dv_dim(net, x, -1)};
    dv_op op = {.kind = DV_OP_LINEAR, .params.linear = {.alpha = 1, .beta = 1}};
    dv_shape shape = *shape_of(net, x);
    if (shape.rank > 0)
        shape.dim[shape.rank - 1] = features;
    /* fan-in without the factor of a following rectifier: half of He's variance */
    double scale = he_scale(2 * (double)or_one(weight[1]));
    dv_tensor_id inputs[3] = {x, dv_weight(net, "weight", weight, 2, scale, 0)};
    if (bias)
        inputs[2] = dv_weight(net, "bias", &features, 1, 0.1, 0);
    return add_op(net, op, inputs, bias ? 3 : 2, DV_DTYPE_F32, shape);
}

dv_tensor_id dv_unary(dv_network *net, dv_op_kind kind, dv_tensor_id x)
{
    return add_op(net, (dv_op){.kind = kind}, &x, 1, dtype_of(net, x), *shape_of(net, x));
}

dv_tensor_id dv_binary(dv_network *net, dv_op_kind kind, dv_tensor_id a, dv_tensor_id b)
{
    dv_shape shape = {0};
    if (net->status == DV_OK && !dv_shape_broadcast(shape_of(net, a), shape_of(net, b), &shape))
        net->status = dv_fail(DV_INTERNAL, "%s: operands that do not match", net->scope);
    dv_tensor_id inputs[] = {a, b};
    return add_op(net, (dv_op){.kind = kind}, inputs, 2, dtype_of(net, a), shape);
}

dv_tensor_id dv_clamp(dv_network *net, dv_tensor_id x, double min, double max)
{
    dv_op op = {.kind = DV_OP_CLAMP, .params.clamp = {.min = min, .max = max}};
    return add_op(net, op, &x, 1, DV_DTYPE_F32, *shape_of(net, x));
}

dv_tensor_id dv_hardsigmoid(dv_network *net, dv_tensor_id x)
{
    dv_op op = {.kind = DV_OP_HARDSIGMOID, .params.scalar = {.alpha = 1.0 / 6, .beta = 0.5}};
    return add_op(net, op, &x, 1, DV_DTYPE_F32, *shape_of(net, x));
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
    dv_shape shape = *shape_of(net, x);
    for (int i = 0; i < 2; i++) {
        int64_t in = shape.dim[i + 2], stride = params.stride[i], padding = params.pad_begin[i];
        int64_t room = in + 2 * padding - params.kernel[i];
        int64_t steps = (params.ceil_mode ? room + stride - 1 : room) / stride;
        if (params.ceil_mode && steps * stride >= in + padding)
            steps--; /* a window must start inside the image or its first padding */
        shape.dim[i + 2] = steps + 1;
    }
    return add_op(net, (dv_op){.kind = kind, .params.pool = params}, &x, 1, DV_DTYPE_F32, shape);
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
    dv_shape shape = *shape_of(net, x);
    shape.dim[2] = shape.dim[3] = 1;
    return add_op(net, op, &x, 1, DV_DTYPE_F32, shape);
}

dv_tensor_id dv_concat(dv_network *net, const dv_tensor_id *xs, uint32_t count, int64_t axis)
{
    dv_op op = {.kind = DV_OP_CAT, .params.axis = {.axis = axis}};
    dv_shape shape = *shape_of(net, xs[0]);
    for (uint32_t i = 1; i < count; i++)
        shape.dim[axis] += dv_dim(net, xs[i], (int)axis);
    return add_op(net, op, xs, count, dtype_of(net, xs[0]), shape);
}

dv_tensor_id dv_softmax(dv_network *net, dv_tensor_id x)
{
    const dv_shape *shape = shape_of(net, x);
    dv_op op = {.kind = DV_OP_SOFTMAX, .params.axis = {.axis = shape->rank - 1}};
    return add_op(net, op, &x, 1, DV_DTYPE_F32, *shape);
}

dv_tensor_id dv_matmul(dv_network *net, dv_tensor_id a, dv_tensor_id b)
{
    dv_shape shape = *shape_of(net, a);
    if (shape.rank > 0)
        shape.dim[shape.rank - 1] = dv_dim(net, b, -1);
    dv_tensor_id inputs[] = {a, b};
    return add_op(net, (dv_op){.kind = DV_OP_MATMUL}, inputs, 2, DV_DTYPE_F32, shape);
}

dv_tensor_id dv_view(dv_network *net, dv_tensor_id x, const int64_t *dims, size_t rank)
{
    dv_shape shape = dv_shape_make(dims, rank);
    return add_op(net, (dv_op){.kind = DV_OP_VIEW, .params.view = {.shape = shape}}, &x, 1,
                  dtype_of(net, x), shape);
}

dv_tensor_id dv_permute(dv_network *net, dv_tensor_id x, const uint8_t *perm, uint8_t rank)
{
    dv_op op = {.kind = DV_OP_PERMUTE, .params.permute = {.rank = rank}};
    dv_shape shape = {.rank = rank};
    for (uint8_t i = 0; i < rank; i++) {
        op.params.permute.perm[i] = perm[i];
        shape.dim[i] = dv_dim(net, x, perm[i]);
    }
    return add_op(net, op, &x, 1, dtype_of(net, x), shape);
}

dv_tensor_id dv_flatten(dv_network *net, dv_tensor_id x)
{
    const dv_shape *shape = shape_of(net, x);
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
    dv_shape shape = *shape_of(net, x);
    shape.dim[axis] = end - begin;
    return add_op(net, op, &x, 1, dtype_of(net, x), shape);
}

dv_tensor_id dv_cast(dv_network *net, dv_tensor_id x, dv_dtype dtype)
{
    dv_op op = {.kind = DV_OP_CAST, .params.cast = {.dtype = dtype}};
    return add_op(net, op, &x, 1, dtype, *shape_of(net, x));
}

dv_tensor_id dv_embedding(dv_network *net, dv_tensor_id ids, int64_t rows, int64_t width)
{
    int64_t dims[] = {rows, width};
    dv_tensor_id inputs[] = {dv_weight(net, "weight", dims, 2, 0.02 * sqrt(3.0), 0), ids};
    dv_shape shape = *shape_of(net, ids);
    shape.dim[shape.rank++] = width;
    return add_op(net, (dv_op){.kind = DV_OP_EMBEDDING}, inputs, 2, DV_DTYPE_F32, shape);
}

int64_t dv_network_option(dv_network *net, const char *options, const char *key, int64_t low,
                          int64_t high, int64_t preset)
{
    size_t length = strlen(key);
    for (const char *at = options; at && *at;) {
        size_t part = strcspn(at, ",");
        if (part > length && strncmp(at, key, length) == 0 && at[length] == '=') {
            char number[32];
            int64_t value;
            snprintf(number, sizeof number, "%.*s", (int)(part - length - 1), at + length + 1);
            if (dv_parse_integer(number, low, high, &value))
                return value;
            if (net->status == DV_OK)
                net->status = dv_fail(
                    DV_BAD_PARAMETER, "zoo:%s: %s takes a whole number from %lld to %lld, not '%s'",
                    net->graph->name, key, (long long)low, (long long)high, number);
            return preset;
        }
        at += part + (at[part] == ',');
    }
    return preset;
}
