/* xnnblob_nodes.c - what each kind of XNNPACK node is in our operators. */
#include <math.h>
#include <string.h>

#include "load/xnnblob.h"

enum { INPUT_MOST = DV_XNN_MOST_INPUTS };

static dv_status finish(dv_xnn_builder *x, dv_tensor_id id, bool planar)
{
    DV_TRY(dv_xnn_round(x, x->node->outputs[0], &id));
    dv_xnn_slot *slot = &x->slots[x->node->outputs[0]];
    *slot = planar ? (dv_xnn_slot){DV_NONE, id} : (dv_xnn_slot){id, DV_NONE};
    return DV_OK;
}

/* The bounds of the node's output. */
static dv_status bound(dv_xnn_builder *x, dv_tensor_id *id)
{
    dv_op_params params = {.clamp = {x->node->least, x->node->most}};
    if (isnan(x->node->least) || isnan(x->node->most))
        return dv_fail(DV_BAD_INPUT, "its bounds are not numbers");
    if (x->node->least == -INFINITY && x->node->most == INFINITY)
        return DV_OK;
    return dv_xnn_emit(x, DV_OP_CLAMP, &params, id, 1, id);
}

/* ---- element by element ---- */

static dv_op_kind elementwise_kind(const char *name)
{
    static const struct {
        const char *name;
        dv_op_kind kind;
    } rows[] = {
        {"Add", DV_OP_ADD},
        {"Div", DV_OP_DIV},
        {"Minimum", DV_OP_MINIMUM},
        {"Multiply", DV_OP_MUL},
        {"Subtract", DV_OP_SUB},
        {"Maximum", DV_OP_MAXIMUM},
        {"PReLU", DV_OP_PRELU},
        {"Square", DV_OP_MUL},
        {"Sigmoid", DV_OP_SIGMOID},
        {"Floor", DV_OP_FLOOR},
        {"SquareRoot", DV_OP_SQRT},
        {"Ceiling", DV_OP_CEIL},
        {"Hardswish", DV_OP_HARDSWISH},
        {"Negate", DV_OP_NEG},
        {"Abs", DV_OP_ABS},
        {"ReciprocalSquareRoot", DV_OP_RSQRT},
        {"Log", DV_OP_LOG},
        {"Gelu", DV_OP_GELU},
        {"Tanh", DV_OP_TANH},
        {"Exp", DV_OP_EXP},
        {"Sin", DV_OP_SIN},
        {"Cos", DV_OP_COS},
        {"LeakyReLU", DV_OP_LEAKY_RELU},
        {"ELU", DV_OP_ELU},
        {"Clamp", DV_OP_IDENTITY}, /* its bounds do the work */
        {"Copy", DV_OP_IDENTITY},
        {"Convert", DV_OP_IDENTITY}, /* its output is rounded */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].kind;
    return DV_OP_COUNT;
}

/* Is the value an image that is here with its channels in front and not as it is? */
static bool only_planar(const dv_xnn_builder *x, uint32_t value)
{
    return x->slots[value].plain == DV_NONE && x->slots[value].planar != DV_NONE;
}

/* Channels in front if an operand is here only so and none is a lone vector, which would have to be
   turned as well. */
static bool wants_planar(const dv_xnn_builder *x)
{
    bool any = false;
    for (uint32_t i = 0; i < x->node->input_count; i++) {
        uint32_t v = x->node->inputs[i];
        if (x->graph.values[v].shape.rank != 4)
            return false;
        any |= only_planar(x, v);
    }
    return any;
}

static dv_status add_elementwise(dv_xnn_builder *x, dv_op_kind kind)
{
    dv_tensor_id inputs[2];
    dv_op_params params = {0};
    bool planar = wants_planar(x);
    uint32_t count = x->node->input_count;
    for (uint32_t i = 0; i < count; i++)
        DV_TRY(planar ? dv_xnn_planar(x, x->node->inputs[i], &inputs[i])
                      : dv_xnn_plain(x, x->node->inputs[i], &inputs[i]));
    if (strcmp(dv_xnn_kind_name(x->node->kind), "Square") == 0)
        inputs[count++] = inputs[0];
    if (kind == DV_OP_LEAKY_RELU)
        params.scalar.alpha = (double)dv_fb_f32(&x->node->table, 0, 0);
    if (kind == DV_OP_ELU)
        params.scalar.alpha = (double)dv_fb_f32(&x->node->table, 0, 0);
    dv_tensor_id id = inputs[0];
    if (kind != DV_OP_IDENTITY)
        DV_TRY(dv_xnn_emit(x, kind, &params, inputs, count, &id));
    DV_TRY(bound(x, &id));
    return finish(x, id, planar);
}

/* ---- products ---- */

static dv_status bias_of(dv_xnn_builder *x, dv_tensor_id *inputs, uint32_t *count)
{
    uint32_t bias = x->node->inputs[2];
    *count = 2;
    if (bias == DV_NONE)
        return DV_OK;
    *count = 3;
    return dv_xnn_plain(x, bias, &inputs[2]);
}

static dv_status add_linear(dv_xnn_builder *x)
{
    enum { TRANSPOSE_WEIGHTS = 1 };
    dv_op_params params = {.linear = {.alpha = 1, .beta = 1}};
    dv_tensor_id inputs[3], id;
    uint32_t count;
    params.linear.weight_kn = dv_fb_u32(&x->node->table, 4, 0) & TRANSPOSE_WEIGHTS;
    DV_TRY(dv_xnn_plain(x, x->node->inputs[0], &inputs[0]));
    DV_TRY(dv_xnn_plain(x, x->node->inputs[1], &inputs[1]));
    DV_TRY(bias_of(x, inputs, &count));
    DV_TRY(dv_xnn_emit(x, DV_OP_LINEAR, &params, inputs, count, &id));
    DV_TRY(bound(x, &id));
    return finish(x, id, false);
}

static dv_status add_matmul(dv_xnn_builder *x)
{
    dv_tensor_id inputs[2], id;
    DV_TRY(dv_xnn_plain(x, x->node->inputs[0], &inputs[0]));
    DV_TRY(dv_xnn_plain(x, x->node->inputs[1], &inputs[1]));
    if (dv_fb_u32(&x->node->table, 3, 0) & 1) { /* the second is transposed */
        dv_op_params swap = {.permute = {.rank = x->graph.values[x->node->inputs[1]].shape.rank}};
        if (swap.permute.rank < 2)
            return dv_fail(DV_BAD_INPUT, "its second input is no matrix");
        for (uint8_t d = 0; d < swap.permute.rank; d++)
            swap.permute.perm[d] = d;
        swap.permute.perm[swap.permute.rank - 1]--;
        swap.permute.perm[swap.permute.rank - 2]++;
        DV_TRY(dv_xnn_emit(x, DV_OP_PERMUTE, &swap, &inputs[1], 1, &inputs[1]));
    }
    DV_TRY(dv_xnn_emit(x, DV_OP_MATMUL, NULL, inputs, 2, &id));
    DV_TRY(bound(x, &id));
    return finish(x, id, false);
}

static int64_t field(const dv_xnn_builder *x, unsigned i)
{
    return (int64_t)dv_fb_u32(&x->node->table, i, 0);
}

static dv_status filter_of(dv_xnn_builder *x, dv_xnn_layout layout, int64_t groups,
                           dv_tensor_id *id)
{
    uint32_t filter = x->node->inputs[1];
    if (x->graph.values[filter].constant == 0)
        return dv_fail(DV_BAD_INPUT, "its filter is not a constant");
    return dv_xnn_constant(x, filter, layout, groups, id);
}

static dv_status add_conv(dv_xnn_builder *x, bool deep, bool transposed)
{
    dv_op_params params = {.conv = {.spatial = 2, .transposed = transposed}};
    dv_conv_params *conv = &params.conv;
    dv_tensor_id inputs[3], id;
    uint32_t count;
    conv->pad_begin[0] = field(x, 0);
    conv->pad_end[1] = field(x, 1);
    conv->pad_end[0] = field(x, 2);
    conv->pad_begin[1] = field(x, 3);
    conv->groups = field(x, 12);
    for (unsigned d = 0; d < 2; d++) {
        conv->stride[d] = field(x, 6 + d);
        conv->dilation[d] = field(x, 8 + d);
        conv->output_padding[d] = transposed ? field(x, 13 + d) : 0;
    }
    DV_TRY(x->graph.fb.status);
    DV_TRY(dv_xnn_planar(x, x->node->inputs[0], &inputs[0]));
    DV_TRY(filter_of(x,
                     transposed ? DV_XNN_TRANSPOSED
                     : deep     ? DV_XNN_DEPTHWISE
                                : DV_XNN_OHWI,
                     conv->groups, &inputs[1]));
    DV_TRY(bias_of(x, inputs, &count));
    DV_TRY(dv_xnn_emit(x, DV_OP_CONVOLUTION, &params, inputs, count, &id));
    DV_TRY(bound(x, &id));
    return finish(x, id, true);
}

/* softmax(q . k^T * scale + mask) . v; XNNPACK's scale is one number for each channel. */
static dv_status add_attention(dv_xnn_builder *x)
{
    dv_op_params swap = {.permute = {.rank = 4, .perm = {0, 1, 3, 2}}},
                 rows = {.axis = {.axis = -1}};
    dv_tensor_id q, k, v, pair[2];
    DV_TRY(dv_xnn_plain(x, x->node->inputs[0], &q));
    DV_TRY(dv_xnn_plain(x, x->node->inputs[1], &k));
    DV_TRY(dv_xnn_plain(x, x->node->inputs[2], &v));
    if (x->node->inputs[3] != DV_NONE) {
        pair[0] = q;
        DV_TRY(dv_xnn_plain(x, x->node->inputs[3], &pair[1]));
        DV_TRY(dv_xnn_emit(x, DV_OP_MUL, NULL, pair, 2, &q));
    }
    if (x->graph.values[x->node->inputs[1]].shape.rank != 4)
        return dv_fail(DV_BAD_INPUT, "its keys have not 4 dimensions");
    DV_TRY(dv_xnn_emit(x, DV_OP_PERMUTE, &swap, &k, 1, &k));
    pair[0] = q;
    pair[1] = k;
    DV_TRY(dv_xnn_emit(x, DV_OP_MATMUL, NULL, pair, 2, &q));
    if (x->node->inputs[4] != DV_NONE) {
        pair[0] = q;
        DV_TRY(dv_xnn_plain(x, x->node->inputs[4], &pair[1]));
        DV_TRY(dv_xnn_emit(x, DV_OP_ADD, NULL, pair, 2, &q));
    }
    DV_TRY(dv_xnn_emit(x, DV_OP_SOFTMAX, &rows, &q, 1, &q));
    pair[0] = q;
    pair[1] = v;
    DV_TRY(dv_xnn_emit(x, DV_OP_MATMUL, NULL, pair, 2, &q));
    return finish(x, q, false);
}

/* ---- windows ---- */

static dv_status add_pool(dv_xnn_builder *x, dv_op_kind kind, bool global)
{
    dv_op_params params = {.pool = {.spatial = 2, .global = global}};
    dv_pool_params *pool = &params.pool;
    dv_tensor_id id;
    for (unsigned d = 0; d < 2 && !global; d++) {
        pool->kernel[d] = field(x, 4 + d);
        pool->stride[d] = field(x, 6 + d);
        pool->dilation[d] = kind == DV_OP_MAX_POOL ? field(x, 8 + d) : 1;
    }
    if (!global) {
        pool->pad_begin[0] = field(x, 0);
        pool->pad_end[1] = field(x, 1);
        pool->pad_end[0] = field(x, 2);
        pool->pad_begin[1] = field(x, 3);
    }
    DV_TRY(x->graph.fb.status);
    DV_TRY(dv_xnn_planar(x, x->node->inputs[0], &id));
    DV_TRY(dv_xnn_emit(x, kind, &params, &id, 1, &id));
    DV_TRY(bound(x, &id));
    return finish(x, id, true);
}

static dv_status add_resize(dv_xnn_builder *x)
{
    enum { ALIGN_CORNERS = 8, LEGACY = 4 };
    int64_t flags = field(x, 4);
    dv_op_params params = {.resize = {.coordinate = flags & ALIGN_CORNERS
                                                        ? DV_COORDINATE_ALIGN_CORNERS
                                                    : flags & LEGACY ? DV_COORDINATE_ASYMMETRIC
                                                                     : DV_COORDINATE_HALF_PIXEL}};
    const dv_shape *in = &x->graph.values[x->node->inputs[0]].shape;
    dv_tensor_id inputs[4] = {DV_NONE, DV_NONE, DV_NONE, DV_NONE}, id;
    if (in->rank != 4)
        return dv_fail(DV_BAD_INPUT, "its input is no image");
    int64_t sizes[4] = {in->dim[0], in->dim[3], field(x, 0), field(x, 1)};
    dv_buffer *buffer = dv_buffer_create(sizeof sizes);
    if (!buffer)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    memcpy(dv_buffer_writable(buffer), sizes, sizeof sizes);
    dv_tensor list = {.name = x->name,
                      .dtype = DV_DTYPE_I64,
                      .shape = {1, {4}},
                      .role = DV_ROLE_CONSTANT,
                      .data = {.storage = DV_STORAGE_BUFFER, .buffer = buffer}};
    dv_status status = dv_graph_add_tensor(x->b->graph, &list, &inputs[3]);
    dv_buffer_release(buffer);
    DV_TRY(status);
    DV_TRY(dv_xnn_planar(x, x->node->inputs[0], &inputs[0]));
    DV_TRY(dv_xnn_emit(x, DV_OP_UPSAMPLE_BILINEAR, &params, inputs, 4, &id));
    return finish(x, id, true);
}

/* ---- movement ---- */

static dv_status add_transpose(dv_xnn_builder *x)
{
    static const uint8_t to_front[] = {0, 3, 1, 2}, to_back[] = {0, 2, 3, 1};
    dv_op_params params = {0};
    dv_fb_vector perm = dv_fb_list(&x->node->table, 1, 4);
    dv_tensor_id id;
    uint32_t in = x->node->inputs[0];
    dv_xnn_slot *out = &x->slots[x->node->outputs[0]];
    uint8_t rank = x->graph.values[in].shape.rank;
    unsigned seen = 0;
    params.permute.rank = rank;
    for (uint8_t d = 0; d < rank; d++) {
        uint64_t from = d < perm.count ? dv_fb_bits_at(&perm, d) : rank;
        if (from >= rank || (seen & 1u << from))
            return dv_fail(DV_BAD_INPUT, "its order is not a permutation");
        seen |= 1u << from;
        params.permute.perm[d] = (uint8_t)from;
    }
    if (rank == 4 && memcmp(params.permute.perm, to_back, 4) == 0) {
        DV_TRY(dv_xnn_plain(x, in, &id)); /* channels are in front of what is read */
        *out = (dv_xnn_slot){DV_NONE, id};
        return x->graph.fb.status;
    }
    if (rank == 4 && memcmp(params.permute.perm, to_front, 4) == 0) {
        DV_TRY(dv_xnn_planar(x, in, &id));
        *out = (dv_xnn_slot){id, DV_NONE};
        return x->graph.fb.status;
    }
    DV_TRY(dv_xnn_plain(x, in, &id));
    DV_TRY(dv_xnn_emit(x, DV_OP_PERMUTE, &params, &id, 1, &id));
    return finish(x, id, false);
}

/* The writer's own shape of the output; new_shape has a 0 for a dim that follows from the rest. */
static dv_status add_reshape(dv_xnn_builder *x)
{
    const dv_shape *shape = &x->graph.values[x->node->outputs[0]].shape;
    dv_op_params params = {.view = {.shape = *shape, .allow_zero = true}};
    dv_tensor_id id;
    DV_TRY(dv_xnn_plain(x, x->node->inputs[0], &id));
    DV_TRY(dv_xnn_emit(x, DV_OP_VIEW, &params, &id, 1, &id));
    return finish(x, id, false);
}

static dv_status add_pad(dv_xnn_builder *x)
{
    dv_op_params params = {.pad = {.value = (double)dv_fb_f32(&x->node->table, 2, 0)}};
    dv_fb_vector before = dv_fb_list(&x->node->table, 0, 4),
                 after = dv_fb_list(&x->node->table, 1, 4);
    uint8_t rank = x->graph.values[x->node->inputs[0]].shape.rank;
    dv_tensor_id id;
    if (before.count != rank || after.count != rank)
        return dv_fail(DV_BAD_INPUT, "its pads do not fit its input");
    params.pad.rank = rank;
    for (uint8_t d = 0; d < rank; d++) {
        params.pad.begin[d] = (int64_t)dv_fb_bits_at(&before, d);
        params.pad.end[d] = (int64_t)dv_fb_bits_at(&after, d);
    }
    DV_TRY(dv_xnn_plain(x, x->node->inputs[0], &id));
    DV_TRY(dv_xnn_emit(x, DV_OP_PAD, &params, &id, 1, &id));
    return finish(x, id, false);
}

static dv_status add_slice(dv_xnn_builder *x)
{
    dv_op_params params = {0};
    dv_fb_vector offsets = dv_fb_list(&x->node->table, 1, 4),
                 sizes = dv_fb_list(&x->node->table, 2, 4);
    const dv_shape *in = &x->graph.values[x->node->inputs[0]].shape;
    dv_tensor_id id;
    if (offsets.count != in->rank || sizes.count != in->rank)
        return dv_fail(DV_BAD_INPUT, "its offsets do not fit its input");
    params.slice.count = in->rank;
    for (uint8_t d = 0; d < in->rank; d++) {
        int64_t size = (int64_t)dv_fb_bits_at(&sizes, d);
        params.slice.axes[d] = d;
        params.slice.begin[d] = (int64_t)dv_fb_bits_at(&offsets, d);
        params.slice.end[d] = size ? params.slice.begin[d] + size : INT64_MAX;
        params.slice.step[d] = 1;
    }
    DV_TRY(dv_xnn_plain(x, x->node->inputs[0], &id));
    DV_TRY(dv_xnn_emit(x, DV_OP_SLICE, &params, &id, 1, &id));
    return finish(x, id, false);
}

static dv_status add_cat(dv_xnn_builder *x)
{
    static const int8_t in_front[] = {0, 2, 3, 1}; /* of an NHWC axis, ours */
    dv_op_params params = {.axis = {.axis = (int32_t)dv_fb_u32(&x->node->table, 0, 0)}};
    dv_tensor_id inputs[INPUT_MOST], id;
    bool planar = wants_planar(x);
    uint32_t count = x->node->input_count;
    for (uint32_t i = 0; i < count; i++) {
        if (x->node->inputs[i] == DV_NONE)
            return dv_fail(DV_BAD_INPUT, "its input %u is missing", i);
        DV_TRY(planar ? dv_xnn_planar(x, x->node->inputs[i], &inputs[i])
                      : dv_xnn_plain(x, x->node->inputs[i], &inputs[i]));
    }
    if (planar && params.axis.axis < 0)
        params.axis.axis += 4;
    if (planar && (params.axis.axis < 0 || params.axis.axis > 3))
        return dv_fail(DV_BAD_INPUT, "axis %lld of an image", (long long)params.axis.axis);
    if (planar)
        params.axis.axis = in_front[params.axis.axis];
    DV_TRY(dv_xnn_emit(x, DV_OP_CAT, &params, inputs, count, &id));
    return finish(x, id, planar);
}

static dv_status add_softmax(dv_xnn_builder *x)
{
    dv_op_params params = {.axis = {.axis = -1}};
    dv_tensor_id id;
    DV_TRY(dv_xnn_plain(x, x->node->inputs[0], &id));
    DV_TRY(dv_xnn_emit(x, DV_OP_SOFTMAX, &params, &id, 1, &id));
    return finish(x, id, false);
}

/* What is not understood stays one operator, kept by name, and so do its shapes. */
static dv_status add_unknown(dv_xnn_builder *x)
{
    dv_tensor_id inputs[INPUT_MOST], outputs[2] = {DV_NONE, DV_NONE};
    uint32_t count = 0;
    for (uint32_t i = 0; i < x->node->input_count; i++)
        if (x->node->inputs[i] != DV_NONE)
            DV_TRY(dv_xnn_plain(x, x->node->inputs[i], &inputs[count++]));
    for (uint32_t i = 0; i < x->node->output_count; i++) {
        dv_tensor tensor = {.name = x->name,
                            .dtype = DV_DTYPE_F32,
                            .shape = x->graph.values[x->node->outputs[i]].shape};
        DV_TRY(dv_graph_add_tensor(x->b->graph, &tensor, &outputs[i]));
        x->slots[x->node->outputs[i]] = (dv_xnn_slot){outputs[i], DV_NONE};
    }
    dv_op op = {.kind = DV_OP_OPAQUE,
                .name = x->name,
                .source_type = dv_xnn_kind_name(x->node->kind),
                .debug_handle = x->call->instruction,
                .inputs = inputs,
                .input_count = count,
                .outputs = outputs,
                .output_count = x->node->output_count,
                .reason = "this kind of XNNPACK node is not understood"};
    dv_op_id id;
    return dv_graph_add_op(x->b->graph, &op, &id);
}

dv_status dv_xnn_add_node(dv_xnn_builder *x)
{
    static const struct {
        const char *name;
        dv_status (*add)(dv_xnn_builder *x);
    } rows[] = {
        {"FullyConnected", add_linear},
        {"BatchMatrixMultiply", add_matmul},
        {"ScaledDotProductAttention", add_attention},
        {"StaticResizeBilinear2D", add_resize},
        {"StaticTranspose", add_transpose},
        {"StaticReshape", add_reshape},
        {"StaticConstantPad", add_pad},
        {"StaticSlice", add_slice},
        {"Softmax", add_softmax},
    };
    const char *name = dv_xnn_kind_name(x->node->kind);
    dv_op_kind kind = elementwise_kind(name);
    if (kind != DV_OP_COUNT)
        return add_elementwise(x, kind);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].add(x);
    if (strcmp(name, "Conv2d") == 0)
        return add_conv(x, false, false);
    if (strcmp(name, "DepthwiseConv2d") == 0)
        return add_conv(x, true, false);
    if (strcmp(name, "ConvTranspose2d") == 0)
        return add_conv(x, false, true);
    if (strcmp(name, "MaxPooling2d") == 0)
        return add_pool(x, DV_OP_MAX_POOL, false);
    if (strcmp(name, "AvgPooling2d") == 0)
        return add_pool(x, DV_OP_AVG_POOL, false);
    if (strcmp(name, "GlobalAvgPooling2d") == 0)
        return add_pool(x, DV_OP_AVG_POOL, true);
    if (strncmp(name, "Concatenate", 11) == 0)
        return add_cat(x);
    return add_unknown(x);
}
