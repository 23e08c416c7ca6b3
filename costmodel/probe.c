/* probe.c - the probes: four networks of the usual manners of building, with odd widths, and one of
   single operators; three of the four again in 8-bit integers, and two of such integers as no
   library takes. */
#include "costmodel/probe.h"
#include "costmodel/probe_net.h"

/* No operator fused behind a layer. */
#define NONE DV_OP_COUNT

static wire image_input(net *n, int64_t channels, int64_t size)
{
    return dv_net_input(n, "image", DV_DTYPE_F32, (int64_t[]){1, channels, size, size}, 4);
}

/* Dense convolutions 1x1 and 3x3 from 56 to 7 pixels, with residual sums. */
static wire bottleneck(net *n, wire x, int64_t inner, int64_t out, int64_t stride)
{
    wire y = dv_net_conv(n, x, inner, 1, 1, 1, DV_OP_RELU);
    y = dv_net_conv(n, y, inner, 3, stride, 1, DV_OP_RELU);
    y = dv_net_conv(n, y, out, 1, 1, 1, NONE);
    if (stride != 1 || x.shape.dim[1] != out)
        x = dv_net_conv(n, x, out, 1, stride, 1, NONE);
    y = dv_net_binary(n, DV_OP_ADD, y, x);
    n->fuse = true;
    return dv_net_unary(n, DV_OP_RELU, y);
}

static dv_status dense(net n, dv_graph **out)
{
    wire x = dv_net_conv(&n, image_input(&n, 3, 192), 56, 7, 2, 1, DV_OP_RELU);
    x = dv_net_pool(&n, x, DV_OP_MAX_POOL, 3, 2);
    x = bottleneck(&n, x, 48, 208, 1);
    x = bottleneck(&n, x, 72, 208, 1);
    x = bottleneck(&n, x, 112, 384, 2);
    x = dv_net_conv(&n, x, 96, 3, 1, 1, DV_OP_RELU);
    x = bottleneck(&n, x, 144, 448, 1);
    x = bottleneck(&n, x, 240, 880, 2);
    x = dv_net_conv(&n, x, 320, 3, 1, 1, DV_OP_RELU);
    x = bottleneck(&n, x, 192, 1152, 1);
    x = bottleneck(&n, x, 448, 1920, 2);
    x = dv_net_conv(&n, x, 512, 3, 1, 1, DV_OP_RELU);
    x = bottleneck(&n, x, 384, 1536, 1);
    x = dv_net_mean(&n, x);
    x = dv_net_view(&n, x, (int64_t[]){1, 1536}, 2);
    x = dv_net_linear(&n, x, 2048, DV_OP_RELU);
    x = dv_net_linear(&n, x, 1000, NONE);
    dv_net_output(&n, dv_net_softmax(&n, x));
    return dv_net_end(&n, out);
}

/* Depthwise convolutions between 1x1 ones, gates on channels. */
static wire inverted(net *n, wire x, int64_t inner, int64_t out, int64_t kernel, int64_t stride,
                     dv_op_kind act, bool gated)
{
    wire y = dv_net_conv(n, x, inner, 1, 1, 1, act);
    y = dv_net_conv(n, y, inner, kernel, stride, inner, act);
    if (gated) {
        wire gate = dv_net_conv(n, dv_net_mean(n, y), inner / 4, 1, 1, 1, DV_OP_RELU);
        gate = dv_net_conv(n, gate, inner, 1, 1, 1, DV_OP_HARDSIGMOID);
        y = dv_net_binary(n, DV_OP_MUL, y, gate);
    }
    y = dv_net_conv(n, y, out, 1, 1, 1, NONE);
    return stride == 1 && x.shape.dim[1] == out ? dv_net_binary(n, DV_OP_ADD, y, x) : y;
}

static dv_status separable(net n, dv_graph **out)
{
    wire x = dv_net_conv(&n, image_input(&n, 3, 240), 24, 3, 2, 1, DV_OP_CLAMP);
    x = dv_net_conv(&n, x, 24, 3, 1, 24, DV_OP_CLAMP);
    x = dv_net_conv(&n, x, 20, 1, 1, 1, NONE);
    x = inverted(&n, x, 80, 28, 3, 2, DV_OP_CLAMP, false);
    x = inverted(&n, x, 160, 28, 3, 1, DV_OP_CLAMP, false);
    x = inverted(&n, x, 168, 44, 5, 2, DV_OP_RELU, true);
    x = inverted(&n, x, 224, 44, 3, 1, DV_OP_CLAMP, false);
    x = inverted(&n, x, 256, 72, 3, 2, DV_OP_HARDSWISH, false);
    x = inverted(&n, x, 400, 72, 3, 1, DV_OP_CLAMP, false);
    x = inverted(&n, x, 448, 104, 5, 1, DV_OP_HARDSWISH, true);
    x = inverted(&n, x, 624, 104, 3, 1, DV_OP_CLAMP, false);
    x = inverted(&n, x, 560, 176, 3, 2, DV_OP_CLAMP, false);
    x = inverted(&n, x, 1056, 176, 5, 1, DV_OP_HARDSWISH, true);
    x = inverted(&n, x, 880, 336, 3, 1, DV_OP_CLAMP, false);
    x = dv_net_conv(&n, x, 1216, 1, 1, 1, DV_OP_CLAMP);
    x = dv_net_mean(&n, x);
    x = dv_net_view(&n, x, (int64_t[]){1, 1216}, 2);
    dv_net_output(&n, dv_net_linear(&n, x, 1000, NONE));
    return dv_net_end(&n, out);
}

/* Branches joined by concatenation, grouped convolutions, pooling, resampling, shuffles. */
static wire shuffle(net *n, wire x, int64_t groups)
{
    int64_t c = x.shape.dim[1], h = x.shape.dim[2], w = x.shape.dim[3];
    x = dv_net_view(n, x, (int64_t[]){1, groups, c / groups, h, w}, 5);
    x = dv_net_permute(n, x, (uint8_t[]){0, 2, 1, 3, 4});
    return dv_net_view(n, x, (int64_t[]){1, c, h, w}, 4);
}

static wire branches(net *n, wire x, int64_t width)
{
    wire a = dv_net_conv(n, x, width, 1, 1, 1, DV_OP_RELU);
    wire b = dv_net_conv(n, dv_net_conv(n, x, width / 2, 1, 1, 1, DV_OP_RELU), width, 3, 1, 1,
                         DV_OP_RELU);
    wire c = dv_net_conv(n, dv_net_pool(n, x, DV_OP_AVG_POOL, 3, 1), width, 1, 1, 1, DV_OP_RELU);
    return dv_net_batch_norm(n, dv_net_cat(n, dv_net_cat(n, a, b, 1), c, 1), DV_OP_RELU);
}

static dv_status branched(net n, dv_graph **out)
{
    wire x = dv_net_conv(&n, image_input(&n, 3, 128), 32, 3, 2, 1, DV_OP_RELU);
    x = dv_net_conv(&n, x, 64, 3, 1, 4, DV_OP_RELU);
    x = branches(&n, x, 24);
    x = dv_net_pool(&n, x, DV_OP_MAX_POOL, 2, 2);
    x = shuffle(&n, x, 2);
    x = dv_net_conv(&n, x, 128, 1, 1, 1, DV_OP_RELU);
    x = dv_net_conv(&n, x, 128, 3, 1, 32, DV_OP_RELU);
    x = branches(&n, x, 64);
    wire left = dv_net_slice(&n, x, 1, 0, 96), right = dv_net_slice(&n, x, 1, 96, 192);
    x = dv_net_cat(&n, dv_net_conv(&n, left, 96, 3, 1, 96, NONE), right, 1);
    x = dv_net_pool(&n, x, DV_OP_MAX_POOL, 3, 2);
    x = shuffle(&n, x, 4);
    x = dv_net_conv(&n, x, 256, 1, 1, 1, DV_OP_RELU);
    x = dv_net_conv(&n, x, 256, 3, 1, 32, DV_OP_RELU);
    x = branches(&n, x, 128);
    wire up = dv_net_upsample(&n, dv_net_group_norm(&n, x, 8), DV_OP_UPSAMPLE_NEAREST);
    up = dv_net_pad(&n, dv_net_conv(&n, up, 64, 1, 1, 1, DV_OP_SIGMOID), 1);
    up = dv_net_group_norm(&n, dv_net_pool(&n, up, DV_OP_AVG_POOL, 3, 2), 16);
    dv_net_output(&n, dv_net_upsample(&n, up, DV_OP_UPSAMPLE_BILINEAR));
    x = dv_net_conv(&n, x, 512, 3, 2, 32, DV_OP_RELU);
    x = dv_net_pool(&n, shuffle(&n, x, 8), DV_OP_AVG_POOL, 3, 2);
    dv_net_output(&n, dv_net_mean(&n, x));
    return dv_net_end(&n, out);
}

/* Attention over `length` tokens of `width`, and its feed-forward part. */
static wire attend(net *n, wire x, int64_t heads, int64_t inner)
{
    int64_t length = x.shape.dim[1], width = x.shape.dim[2], head = width / heads;
    wire part[3];
    for (int i = 0; i < 3; i++) {
        part[i] = dv_net_linear(n, x, width, NONE);
        part[i] = dv_net_view(n, part[i], (int64_t[]){1, length, heads, head}, 4);
        part[i] =
            dv_net_permute(n, part[i], i == 1 ? (uint8_t[]){0, 2, 3, 1} : (uint8_t[]){0, 2, 1, 3});
    }
    wire scores = dv_net_matmul(n, part[0], part[1]);
    scores = dv_net_binary(n, DV_OP_MUL, scores, dv_net_weight(n, (int64_t[]){1}, 1, 0.2));
    wire y = dv_net_matmul(n, dv_net_softmax(n, scores), part[2]);
    y = dv_net_permute(n, y, (uint8_t[]){0, 2, 1, 3});
    y = dv_net_view(n, y, (int64_t[]){1, length, width}, 3);
    y = dv_net_binary(n, DV_OP_ADD, dv_net_linear(n, y, width, NONE), x);
    x = dv_net_layer_norm(n, y);
    y = dv_net_unary(n, DV_OP_GELU, dv_net_linear(n, x, inner, NONE));
    y = dv_net_binary(n, DV_OP_ADD, dv_net_linear(n, y, width, NONE), x);
    return dv_net_layer_norm(n, y);
}

static dv_status build_sequence(dv_graph **out)
{
    net n = dv_net_begin("sequence");
    wire token = dv_net_input(&n, "token", DV_DTYPE_I64, (int64_t[]){1, 96}, 2);
    wire x = dv_net_layer_norm(&n, dv_net_embedding(&n, 8000, 320, token));
    x = attend(&n, x, 5, 1280);
    x = attend(&n, x, 10, 960);
    wire few = dv_net_slice(&n, x, 1, 0, 24);
    few = dv_net_linear(&n, few, 768, DV_OP_TANH);
    few = attend(&n, few, 12, 3072);
    few = dv_net_slice(&n, few, 1, 0, 1);
    dv_net_output(&n, dv_net_softmax(&n, dv_net_linear(&n, few, 4096, NONE)));
    return dv_net_end(&n, out);
}

/* Single element-wise operators at three sizes: those that real networks hold now and then. */
static dv_status build_pointwise(dv_graph **out)
{
    static const dv_op_kind unary[] = {
        DV_OP_RELU,        DV_OP_SIGMOID, DV_OP_TANH,       DV_OP_ERF,
        DV_OP_EXP,         DV_OP_SQRT,    DV_OP_NEG,        DV_OP_ABS,
        DV_OP_GELU,        DV_OP_SILU,    DV_OP_CLAMP,      DV_OP_HARDSWISH,
        DV_OP_HARDSIGMOID, DV_OP_ELU,     DV_OP_LEAKY_RELU, DV_OP_SOFTPLUS};
    static const dv_op_kind binary[] = {DV_OP_ADD, DV_OP_SUB,     DV_OP_MUL,
                                        DV_OP_DIV, DV_OP_MAXIMUM, DV_OP_POW};
    static const int64_t sizes[][2] = {{24, 12}, {48, 28}, {64, 56}};
    net n = dv_net_begin("pointwise");
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        wire x = image_input(&n, sizes[s][0], sizes[s][1]);
        wire positive = dv_net_unary(&n, DV_OP_SIGMOID, x);
        for (size_t i = 0; i < sizeof unary / sizeof *unary; i++)
            dv_net_output(&n, dv_net_unary(&n, unary[i], positive));
        for (size_t i = 0; i < sizeof binary / sizeof *binary; i++)
            dv_net_output(&n, dv_net_binary(&n, binary[i], positive, x));
    }
    return dv_net_end(&n, out);
}

/* Attention of integers, and what else no library computes on them. */
static dv_status build_converted(dv_graph **out)
{
    net n = dv_net_begin("converted");
    n.integers = n.odd = true;
    wire x = dv_net_input(&n, "tokens", DV_DTYPE_F32, (int64_t[]){1, 24, 96}, 3);
    wire other = dv_net_input(&n, "others", DV_DTYPE_F32, (int64_t[]){1, 24, 96}, 3);
    wire few = dv_net_input(&n, "few", DV_DTYPE_F32, (int64_t[]){1, 6, 16}, 3);
    x = attend(&n, x, 4, 192);
    x = attend(&n, x, 2, 96);
    few = attend(&n, few, 2, 32);
    few = attend(&n, few, 1, 16);
    wire y = dv_net_layer_norm(&n, dv_net_binary(&n, DV_OP_DIV, x, other));
    y = dv_net_binary(&n, DV_OP_MAXIMUM, y, x);
    dv_net_output(&n, dv_net_softmax(&n, dv_net_linear(&n, y, 64, NONE)));
    dv_net_output(&n, dv_net_binary(&n, DV_OP_MINIMUM, few, dv_net_softmax(&n, few)));
    wire image = image_input(&n, 16, 28);
    image = dv_net_conv(&n, image, 32, 1, 1, 1, DV_OP_RELU);
    wire deep = dv_net_conv(&n, image, 32, 3, 1, 32, DV_OP_RELU);
    image = dv_net_pool(&n, dv_net_binary(&n, DV_OP_MINIMUM, image, deep), DV_OP_MAX_POOL, 3, 2);
    image = dv_net_conv(&n, image, 48, 1, 1, 1, NONE);
    deep = dv_net_conv(&n, image, 48, 3, 1, 48, NONE);
    image = dv_net_pool(&n, dv_net_binary(&n, DV_OP_DIV, image, deep), DV_OP_MAX_POOL, 2, 2);
    image = dv_net_conv(&n, image, 64, 3, 2, 1, DV_OP_RELU);
    image = dv_net_pool(&n, dv_net_pad(&n, image, 1), DV_OP_MAX_POOL, 3, 1);
    image = dv_net_cat(&n, dv_net_slice(&n, image, 1, 0, 16), image, 1);
    image = dv_net_pool(&n, image, DV_OP_MAX_POOL, 3, 2);
    dv_net_output(&n, dv_net_upsample(&n, image, DV_OP_UPSAMPLE_BILINEAR));
    dv_net_output(&n, dv_net_mean(&n, image));
    return dv_net_end(&n, out);
}

static net integers(const char *name, bool odd)
{
    net n = dv_net_begin(name);
    n.integers = true;
    n.odd = odd;
    return n;
}

#define NETWORK(name, body, ...)                  \
    static dv_status build_##name(dv_graph **out) \
    {                                             \
        return body(__VA_ARGS__, out);            \
    }
NETWORK(dense, dense, dv_net_begin("dense"))
NETWORK(separable, separable, dv_net_begin("separable"))
NETWORK(branched, branched, dv_net_begin("branched"))
NETWORK(dense_integers, dense, integers("dense integers", false))
NETWORK(separable_integers, separable, integers("separable integers", false))
NETWORK(branched_integers, branched, integers("branched integers", false))
NETWORK(branched_odd, branched, integers("branched odd integers", true))

static const dv_probe probes[] = {
    {"dense", build_dense},
    {"separable", build_separable},
    {"branched", build_branched},
    {"sequence", build_sequence},
    {"pointwise", build_pointwise},
    {"dense integers", build_dense_integers},
    {"separable integers", build_separable_integers},
    {"branched integers", build_branched_integers},
    {"branched odd integers", build_branched_odd},
    {"converted", build_converted},
};

const dv_probe *dv_probe_at(size_t i)
{
    return i < sizeof probes / sizeof *probes ? &probes[i] : NULL;
}

dv_status dv_probe_copy(size_t elements, dv_graph **out)
{
    net n = dv_net_begin("copy");
    wire x = dv_net_input(&n, "x", DV_DTYPE_F32, (int64_t[]){(int64_t)elements}, 1);
    dv_net_output(&n, dv_net_unary(&n, DV_OP_NEG, x));
    return dv_net_end(&n, out);
}
