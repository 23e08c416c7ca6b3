/* probe_net.c - layers of the probes, in core form. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "costmodel/probe_net.h"

net dv_net_begin(const char *name)
{
    net n = {.graph = dv_graph_create(name, "probe")};
    if (!n.graph)
        n.status = dv_fail(DV_NO_MEMORY, "calibration: out of memory");
    return n;
}

dv_status dv_net_end(net *n, dv_graph **out)
{
    *out = NULL;
    if (n->status == DV_OK)
        n->status = dv_graph_set_units(n->graph, n->unit_of, n->unit_count);
    if (n->status == DV_OK)
        n->status = dv_graph_finish(n->graph);
    free(n->unit_of);
    if (n->status == DV_OK)
        *out = n->graph;
    else
        dv_graph_destroy(n->graph);
    return n->status;
}

void dv_net_output(net *n, wire x)
{
    if (n->status == DV_OK)
        n->status = dv_graph_add_output(n->graph, x.id);
}

static wire add(net *n, const dv_tensor *tensor)
{
    wire made = {DV_NONE, tensor->shape};
    if (n->status == DV_OK)
        n->status = dv_graph_add_tensor(n->graph, tensor, &made.id);
    return made;
}

/* Integers instead of floats, all activations alike. */
static void quantise(const net *n, dv_op_kind maker, dv_tensor *tensor)
{
    static const float scale[] = {0.05f, 0x1p-8f};
    static const int32_t zero[] = {0, -128};
    bool share = maker == DV_OP_SOFTMAX && !n->odd; /* as libraries want it */
    if (!n->integers || tensor->dtype != DV_DTYPE_F32)
        return;
    tensor->dtype = DV_DTYPE_I8;
    tensor->quant = (dv_quant){1, 0, &scale[share], &zero[share]};
}

wire dv_net_input(net *n, const char *name, dv_dtype dtype, const int64_t *dims, size_t rank)
{
    dv_tensor tensor = {
        .name = name, .dtype = dtype, .shape = dv_shape_make(dims, rank), .role = DV_ROLE_INPUT};
    quantise(n, DV_OP_COUNT, &tensor);
    return add(n, &tensor);
}

/* Weights of integers with a scale for each of the first dim. */
static wire integer_weight(net *n, dv_tensor *tensor)
{
    wire made = {DV_NONE, tensor->shape};
    uint32_t channels = (uint32_t)tensor->shape.dim[0];
    float *scale = malloc(channels * sizeof *scale);
    int32_t *zero = calloc(channels, sizeof *zero);
    if (n->status == DV_OK && (!scale || !zero))
        n->status = dv_fail(DV_NO_MEMORY, "calibration: out of memory");
    for (uint32_t c = 0; n->status == DV_OK && c < channels; c++) {
        scale[c] = (float)(tensor->data.scale / 127);
        zero[c] = n->odd ? 1 + (int32_t)(c % 2) : 0;
    }
    tensor->dtype = DV_DTYPE_I8;
    tensor->data.scale = 126;
    if (n->status == DV_OK) {
        tensor->quant = (dv_quant){channels, 0, scale, zero};
        made = add(n, tensor);
    }
    free(scale);
    free(zero);
    return made;
}

wire dv_net_weight(net *n, const int64_t *dims, size_t rank, double scale)
{
    dv_tensor tensor = {.name = "weight",
                        .dtype = DV_DTYPE_F32,
                        .shape = dv_shape_make(dims, rank),
                        .role = DV_ROLE_CONSTANT};
    tensor.data = (dv_data){
        .storage = DV_STORAGE_GENERATED, .seed = n->op_count + UINT64_C(1), .scale = scale};
    return n->integers && rank > 1 ? integer_weight(n, &tensor) : add(n, &tensor);
}

wire dv_net_op(net *n, dv_op_kind kind, const wire *inputs, uint32_t count, dv_shape shape,
               const dv_op_params *params)
{
    enum { MOST = 8 };
    char name[32];
    snprintf(name, sizeof name, "%u", n->op_count);
    dv_tensor tensor = {
        .name = name, .dtype = DV_DTYPE_F32, .shape = shape, .role = DV_ROLE_ACTIVATION};
    quantise(n, kind, &tensor);
    wire out = add(n, &tensor);
    dv_tensor_id ids[MOST];
    for (uint32_t i = 0; i < count && i < MOST; i++)
        ids[i] = inputs[i].id;
    dv_op op = {.kind = kind,
                .name = name,
                .source_type = dv_op_info_of(kind)->name,
                .input_count = count,
                .output_count = 1,
                .inputs = ids,
                .outputs = &out.id};
    if (params)
        op.params = *params;
    bool fuse = n->fuse && n->unit_count > 0;
    n->fuse = false;
    dv_op_id id;
    if (n->status == DV_OK &&
        !dv_grow((void **)&n->unit_of, &n->capacity, (size_t)n->op_count + 1, sizeof *n->unit_of))
        n->status = dv_fail(DV_NO_MEMORY, "calibration: out of memory");
    if (n->status == DV_OK)
        n->status = dv_graph_add_op(n->graph, &op, &id);
    if (n->status != DV_OK)
        return out;
    if (!fuse)
        n->unit_count++;
    n->unit_of[n->op_count++] = n->unit_count - 1;
    return out;
}

static dv_shape image(const wire *x, int64_t channels, int64_t height, int64_t width)
{
    return dv_shape_make((int64_t[]){x->shape.dim[0], channels, height, width}, 4);
}

static wire then(net *n, wire x, dv_op_kind kind)
{
    if (kind == DV_OP_COUNT)
        return x;
    n->fuse = true;
    return dv_net_unary(n, kind, x);
}

wire dv_net_conv(net *n, wire x, int64_t out, int64_t kernel, int64_t stride, int64_t groups,
                 dv_op_kind after)
{
    int64_t in = x.shape.dim[1] / groups, pad = kernel / 2;
    double fan_in = (double)(in * kernel * kernel);
    wire weight = dv_net_weight(n, (int64_t[]){out, in, kernel, kernel}, 4, sqrt(3.0 / fan_in));
    wire bias = dv_net_weight(n, (int64_t[]){out}, 1, 0.1);
    dv_op_params params = {0};
    params.conv = (dv_conv_params){.spatial = 2,
                                   .groups = groups,
                                   .stride = {stride, stride, 1},
                                   .dilation = {1, 1, 1},
                                   .pad_begin = {pad, pad},
                                   .pad_end = {pad, pad}};
    int64_t height = (x.shape.dim[2] + 2 * pad - kernel) / stride + 1;
    int64_t width = (x.shape.dim[3] + 2 * pad - kernel) / stride + 1;
    wire y = dv_net_op(n, DV_OP_CONVOLUTION, (wire[]){x, weight, bias}, 3,
                       image(&x, out, height, width), &params);
    return then(n, y, after);
}

wire dv_net_pool(net *n, wire x, dv_op_kind kind, int64_t kernel, int64_t stride)
{
    int64_t pad = kernel / 2;
    dv_op_params params = {0};
    params.pool = (dv_pool_params){.spatial = 2,
                                   .count_include_pad = true,
                                   .kernel = {kernel, kernel, 1},
                                   .stride = {stride, stride, 1},
                                   .dilation = {1, 1, 1},
                                   .pad_begin = {pad, pad},
                                   .pad_end = {pad, pad}};
    int64_t height = (x.shape.dim[2] + 2 * pad - kernel) / stride + 1;
    int64_t width = (x.shape.dim[3] + 2 * pad - kernel) / stride + 1;
    return dv_net_op(n, kind, &x, 1, image(&x, x.shape.dim[1], height, width), &params);
}

wire dv_net_unary(net *n, dv_op_kind kind, wire x)
{
    dv_op_params params = {0};
    if (kind == DV_OP_CLAMP)
        params.clamp = (dv_clamp_params){0.0, 6.0};
    else if (kind == DV_OP_HARDSIGMOID)
        params.scalar = (dv_scalar_params){1.0 / 6.0, 0.5};
    else if (kind == DV_OP_ELU || kind == DV_OP_LEAKY_RELU)
        params.scalar = (dv_scalar_params){0.1, 0.0};
    return dv_net_op(n, kind, &x, 1, x.shape, &params);
}

wire dv_net_binary(net *n, dv_op_kind kind, wire a, wire b)
{
    return dv_net_op(n, kind, (wire[]){a, b}, 2, a.shape, NULL);
}

wire dv_net_linear(net *n, wire x, int64_t out, dv_op_kind after)
{
    int64_t in = x.shape.dim[x.shape.rank - 1];
    wire weight = dv_net_weight(n, (int64_t[]){out, in}, 2, sqrt(3.0 / (double)in));
    wire bias = dv_net_weight(n, (int64_t[]){out}, 1, 0.1);
    dv_op_params params = {0};
    params.linear = (dv_linear_params){.alpha = 1.0, .beta = 1.0};
    dv_shape shape = x.shape;
    shape.dim[shape.rank - 1] = out;
    wire y = dv_net_op(n, DV_OP_LINEAR, (wire[]){x, weight, bias}, 3, shape, &params);
    return then(n, y, after);
}

wire dv_net_matmul(net *n, wire a, wire b)
{
    dv_shape shape = a.shape;
    shape.dim[shape.rank - 1] = b.shape.dim[b.shape.rank - 1];
    return dv_net_op(n, DV_OP_MATMUL, (wire[]){a, b}, 2, shape, NULL);
}

wire dv_net_view(net *n, wire x, const int64_t *dims, size_t rank)
{
    dv_op_params params = {0};
    params.view.shape = dv_shape_make(dims, rank);
    return dv_net_op(n, DV_OP_VIEW, &x, 1, params.view.shape, &params);
}

wire dv_net_permute(net *n, wire x, const uint8_t *perm)
{
    dv_op_params params = {0};
    params.permute.rank = x.shape.rank;
    dv_shape shape = x.shape;
    for (uint8_t i = 0; i < x.shape.rank; i++) {
        params.permute.perm[i] = perm[i];
        shape.dim[i] = x.shape.dim[perm[i]];
    }
    return dv_net_op(n, DV_OP_PERMUTE, &x, 1, shape, &params);
}

wire dv_net_softmax(net *n, wire x)
{
    dv_op_params params = {0};
    params.axis.axis = x.shape.rank - 1;
    return dv_net_op(n, DV_OP_SOFTMAX, &x, 1, x.shape, &params);
}

wire dv_net_layer_norm(net *n, wire x)
{
    int64_t width = x.shape.dim[x.shape.rank - 1];
    wire weight = dv_net_weight(n, &width, 1, 1.0), bias = dv_net_weight(n, &width, 1, 0.1);
    dv_op_params params = {0};
    params.norm = (dv_norm_params){.eps = 1e-5, .axes = 1};
    return dv_net_op(n, DV_OP_LAYER_NORM, (wire[]){x, weight, bias}, 3, x.shape, &params);
}

wire dv_net_batch_norm(net *n, wire x, dv_op_kind after)
{
    int64_t channels = x.shape.dim[1];
    wire inputs[5] = {x};
    for (int i = 1; i < 5; i++)
        inputs[i] = dv_net_weight(n, &channels, 1, 0.1);
    if (n->status == DV_OK) /* a variance is positive */
        dv_graph_tensor_mutable(n->graph, inputs[4].id)->data.shift = 1.0;
    dv_op_params params = {0};
    params.norm = (dv_norm_params){.eps = 1e-5};
    return then(n, dv_net_op(n, DV_OP_BATCH_NORM, inputs, 5, x.shape, &params), after);
}

wire dv_net_group_norm(net *n, wire x, int64_t groups)
{
    int64_t channels = x.shape.dim[1];
    wire weight = dv_net_weight(n, &channels, 1, 1.0), bias = dv_net_weight(n, &channels, 1, 0.1);
    dv_op_params params = {0};
    params.norm = (dv_norm_params){.eps = 1e-5, .groups = groups};
    return dv_net_op(n, DV_OP_GROUP_NORM, (wire[]){x, weight, bias}, 3, x.shape, &params);
}

wire dv_net_mean(net *n, wire x)
{
    dv_op_params params = {0};
    params.reduce = (dv_reduce_params){.count = 2, .keep_dims = true, .axes = {2, 3}};
    return dv_net_op(n, DV_OP_MEAN, &x, 1, image(&x, x.shape.dim[1], 1, 1), &params);
}

wire dv_net_cat(net *n, wire a, wire b, int64_t axis)
{
    dv_op_params params = {0};
    params.axis.axis = axis;
    dv_shape shape = a.shape;
    shape.dim[axis] += b.shape.dim[axis];
    return dv_net_op(n, DV_OP_CAT, (wire[]){a, b}, 2, shape, &params);
}

wire dv_net_slice(net *n, wire x, int64_t axis, int64_t begin, int64_t end)
{
    dv_op_params params = {0};
    dv_shape shape = x.shape;
    params.slice.count = shape.rank;
    for (uint8_t i = 0; i < shape.rank; i++) {
        params.slice.axes[i] = i;
        params.slice.end[i] = shape.dim[i];
        params.slice.step[i] = 1;
    }
    params.slice.begin[axis] = begin;
    params.slice.end[axis] = end;
    shape.dim[axis] = end - begin;
    return dv_net_op(n, DV_OP_SLICE, &x, 1, shape, &params);
}

wire dv_net_upsample(net *n, wire x, dv_op_kind kind)
{
    dv_op_params params = {0};
    params.resize = (dv_resize_params){.coordinate = DV_COORDINATE_ASYMMETRIC,
                                       .nearest = DV_NEAREST_FLOOR,
                                       .scale_h = 2.0,
                                       .scale_w = 2.0};
    if (kind == DV_OP_UPSAMPLE_BILINEAR)
        params.resize.coordinate = DV_COORDINATE_HALF_PIXEL;
    return dv_net_op(n, kind, &x, 1,
                     image(&x, x.shape.dim[1], 2 * x.shape.dim[2], 2 * x.shape.dim[3]), &params);
}

wire dv_net_pad(net *n, wire x, int64_t by)
{
    dv_op_params params = {0};
    params.pad = (dv_pad_params){.mode = DV_PAD_CONSTANT, .rank = 4};
    for (int i = 2; i < 4; i++)
        params.pad.begin[i] = params.pad.end[i] = by;
    return dv_net_op(n, DV_OP_PAD, &x, 1,
                     image(&x, x.shape.dim[1], x.shape.dim[2] + 2 * by, x.shape.dim[3] + 2 * by),
                     &params);
}

wire dv_net_embedding(net *n, int64_t rows, int64_t width, wire index)
{
    bool integers = n->integers;
    n->integers = false; /* a table of its own kind: rows are looked up as they are */
    wire table = dv_net_weight(n, (int64_t[]){rows, width}, 2, 1.0);
    n->integers = integers;
    dv_shape shape = index.shape;
    shape.dim[shape.rank++] = width;
    return dv_net_op(n, DV_OP_EMBEDDING, (wire[]){table, index}, 2, shape, NULL);
}
