/* test_execution.c - random networks under random plans over a cpu and two worker processes give
   what the portable backend alone gives. */
#include <math.h>
#include <stdio.h>

#include "core/rng.h"
#include "tests/execution.h"

enum { NETWORKS = 250, PLANS = 2, STEPS_MOST = 14, IMAGES_MOST = 64 };

static const double tolerance = 1e-4;

typedef struct image {
    dv_tensor_id id;
    int64_t channels, height, width;
} image;

/* A network that grows. */
typedef struct maker {
    dv_graph *graph;
    dv_rng rng;
    image images[IMAGES_MOST];
    uint32_t count;
    uint32_t names;
    char name[16];
} maker;

static uint32_t draw(maker *m, uint32_t bound)
{
    return (uint32_t)dv_rng_below(&m->rng, bound);
}

static const char *fresh(maker *m)
{
    snprintf(m->name, sizeof m->name, "t%u", m->names++);
    return m->name;
}

static void add(maker *m, dv_tensor_id id, int64_t channels, int64_t height, int64_t width)
{
    m->images[m->count++] = (image){id, channels, height, width};
}

/* Mostly a recent one, so that networks are deep; any one otherwise, so that tensors live long. */
static image any(maker *m)
{
    uint32_t recent = m->count < 3 ? m->count : 3;
    return m->images[draw(m, 2) ? m->count - 1 - draw(m, recent) : draw(m, m->count)];
}

static dv_tensor_id weights(maker *m, int64_t a, int64_t b, int64_t c, int64_t d)
{
    char type[80];
    snprintf(type, sizeof type, "f32 %dx%dx%dx%d", (int)a, (int)b, (int)c, (int)d);
    double scale = 1.5 / sqrt((double)(b * c * d));
    return build_random(m->graph, fresh(m), type, dv_rng_next(&m->rng), scale, 0);
}

static dv_tensor_id vector(maker *m, int64_t length)
{
    char type[32];
    snprintf(type, sizeof type, "f32 %d", (int)length);
    return build_random(m->graph, fresh(m), type, dv_rng_next(&m->rng), 0.5, 0);
}

/* Any kernel, stride and grouping, with or without bias and activation. */
static void add_convolution(maker *m)
{
    static const dv_op_kind activations[] = {DV_OP_RELU, DV_OP_HARDSWISH, DV_OP_SIGMOID,
                                             DV_OP_IDENTITY};
    image x = any(m);
    int64_t kernel = draw(m, 2) ? 3 : 1, stride = 1 + draw(m, 4) / 3;
    int64_t out = 1 + draw(m, 20), groups = 1;
    uint32_t grouping = draw(m, 4);
    if (grouping == 0)
        groups = out = x.channels; /* depthwise */
    else if (grouping == 1 && x.channels % 2 == 0) {
        groups = 2;
        out += out % 2;
    }
    dv_tensor_id w = weights(m, out, x.channels / groups, kernel, kernel);
    dv_op_params params = build_conv(stride, kernel / 2, groups);
    dv_tensor_id inputs[] = {x.id, w, draw(m, 2) ? vector(m, out) : DV_NONE};
    dv_tensor_id y = build_op(m->graph, DV_OP_CONVOLUTION, params, fresh(m), inputs,
                              inputs[2] == DV_NONE ? 2 : 3);
    y = BUILD_OP(m->graph, activations[draw(m, 4)], build_none(), fresh(m), y);
    add(m, y, out, (x.height - 1) / stride + 1, (x.width - 1) / stride + 1);
}

static void add_pool(maker *m)
{
    image x = any(m);
    int64_t stride = 1 + draw(m, 2);
    dv_op_kind kind = draw(m, 2) ? DV_OP_MAX_POOL : DV_OP_AVG_POOL;
    dv_tensor_id y = BUILD_OP(m->graph, kind, build_pool(3, stride, 1), fresh(m), x.id);
    add(m, y, x.channels, (x.height - 1) / stride + 1, (x.width - 1) / stride + 1);
}

static void add_unary(maker *m)
{
    static const dv_op_kind kinds[] = {DV_OP_RELU, DV_OP_SIGMOID, DV_OP_TANH,
                                       DV_OP_ABS,  DV_OP_NEG,     DV_OP_HARDSWISH};
    image x = any(m);
    dv_tensor_id y = BUILD_OP(m->graph, kinds[draw(m, 6)], build_none(), fresh(m), x.id);
    add(m, y, x.channels, x.height, x.width);
}

/* Two images of one size if there are, else an image and itself. */
static void add_binary(maker *m)
{
    static const dv_op_kind kinds[] = {DV_OP_ADD, DV_OP_MUL, DV_OP_SUB, DV_OP_MAXIMUM};
    image x = any(m), z = x;
    for (uint32_t i = 0; i < m->count; i++) {
        const image *other = &m->images[i];
        if (other->channels == x.channels && other->height == x.height && other->width == x.width &&
            draw(m, 2))
            z = *other;
    }
    dv_tensor_id y = BUILD_OP(m->graph, kinds[draw(m, 4)], build_none(), fresh(m), x.id, z.id);
    add(m, y, x.channels, x.height, x.width);
}

/* Squeeze and excite. */
static void add_gate(maker *m)
{
    image x = any(m);
    dv_tensor_id g = BUILD_OP(m->graph, DV_OP_MEAN, build_reduce(true, "23"), fresh(m), x.id);
    dv_tensor_id w = weights(m, x.channels, x.channels, 1, 1);
    g = BUILD_OP(m->graph, DV_OP_CONVOLUTION, build_conv(1, 0, 1), fresh(m), g, w);
    g = BUILD_OP(m->graph, DV_OP_SIGMOID, build_none(), fresh(m), g);
    add(m, BUILD_OP(m->graph, DV_OP_MUL, build_none(), fresh(m), x.id, g), x.channels, x.height,
        x.width);
}

static void add_concatenation(maker *m)
{
    image x = any(m);
    dv_tensor_id parts[3] = {x.id};
    int64_t channels = x.channels;
    size_t count = 1;
    for (uint32_t i = 0; i < m->count && count < 3; i++) {
        const image *other = &m->images[i];
        if (other->height != x.height || other->width != x.width || channels > 40)
            continue;
        parts[count++] = other->id;
        channels += other->channels;
    }
    dv_tensor_id y = build_op(m->graph, DV_OP_CAT, build_axis(1), fresh(m), parts, count);
    add(m, y, channels, x.height, x.width);
}

static void add_split(maker *m)
{
    image x = any(m);
    dv_tensor_id halves[2];
    if (x.channels % 2 != 0)
        return;
    dv_op_params by_channel = {.split = {.axis = 1}};
    build_op_outputs(m->graph, DV_OP_SPLIT, by_channel, fresh(m), &x.id, 1, halves, 2);
    add(m, halves[0], x.channels / 2, x.height, x.width);
    add(m, halves[1], x.channels / 2, x.height, x.width);
}

/* Rows through a softmax or a linear layer: the image in another order and back. */
static void add_rows(maker *m)
{
    image x = any(m);
    dv_tensor_id y = BUILD_OP(m->graph, DV_OP_PERMUTE, build_permute("0231"), fresh(m), x.id);
    if (draw(m, 2)) {
        char type[48];
        snprintf(type, sizeof type, "f32 %dx%d", (int)x.channels, (int)x.channels);
        dv_tensor_id w = build_random(m->graph, fresh(m), type, dv_rng_next(&m->rng), 0.5, 0);
        y = BUILD_OP(m->graph, DV_OP_LINEAR, build_linear(false), fresh(m), y, w);
    } else {
        y = BUILD_OP(m->graph, DV_OP_SOFTMAX, build_axis(-1), fresh(m), y);
    }
    y = BUILD_OP(m->graph, DV_OP_PERMUTE, build_permute("0312"), fresh(m), y);
    add(m, y, x.channels, x.height, x.width);
}

/* Ends in a vector, an output that no image operator reads. */
static void add_classifier(maker *m)
{
    image x = any(m);
    dv_tensor_id y = BUILD_OP(m->graph, DV_OP_MEAN, build_reduce(false, "23"), fresh(m), x.id);
    char type[48];
    snprintf(type, sizeof type, "f32 7x%d", (int)x.channels);
    dv_tensor_id w = build_random(m->graph, fresh(m), type, dv_rng_next(&m->rng), 0.5, 0);
    build_output(m->graph, BUILD_OP(m->graph, DV_OP_LINEAR, build_linear(false), fresh(m), y, w));
}

static dv_graph *random_network(uint64_t seed)
{
    static void (*const steps[])(maker *) = {
        add_convolution, add_convolution,   add_convolution, add_pool, add_unary,     add_binary,
        add_gate,        add_concatenation, add_split,       add_rows, add_classifier};
    maker m = {.graph = build_graph(), .rng = dv_rng_seeded(seed)};
    uint32_t inputs = 1 + draw(&m, 2), count = 2 + draw(&m, STEPS_MOST - 1);
    for (uint32_t i = 0; i < inputs; i++) {
        char type[64];
        int64_t channels = 1 + draw(&m, 12), height = 1 + draw(&m, 9), width = 1 + draw(&m, 9);
        snprintf(type, sizeof type, "f32 1x%dx%dx%d", (int)channels, (int)height, (int)width);
        add(&m, build_input(m.graph, fresh(&m), type), channels, height, width);
    }
    for (uint32_t i = 0; i < count; i++)
        steps[draw(&m, sizeof steps / sizeof steps[0])](&m);
    add_unary(&m);
    dv_tensor_id last = m.images[m.count - 1].id;
    for (uint32_t i = inputs; i + 1 < m.count; i++) /* inner tensors may be outputs too */
        if (draw(&m, 8) == 0)
            build_output(m.graph, m.images[i].id);
    return build_finish(m.graph, last);
}

static void every_plan_of_every_network_agrees(void)
{
    const char *found[8];
    uint32_t count = 0;
    while (count < 8 && (found[count] = execution_backend(count)))
        count++;
    CU_ASSERT_TRUE_FATAL(count > 0);
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        dv_rng rng = dv_rng_seeded(~seed);
        const execution_device devices[] = {
            {.name = "cpu", .backend = found[dv_rng_below(&rng, count)]},
            {.name = "npu",
             .backend = "worker",
             .inner = found[dv_rng_below(&rng, count)],
             .core = -1},
            {.name = "gpu",
             .backend = "worker",
             .inner = found[dv_rng_below(&rng, count)],
             .core = -1}};
        execution e = execution_of(random_network(seed), devices, 2 + seed % 2);
        for (uint64_t plan = 0; plan < PLANS; plan++) {
            execution_scatter(&e, seed * PLANS + plan);
            double error = execution_error(&e, seed);
            if (!(error < tolerance))
                fprintf(stderr, "\n    seed %llu, plan %llu on %s, %s, %s: error %g\n",
                        (unsigned long long)seed, (unsigned long long)plan, devices[0].backend,
                        devices[1].inner, devices[2].inner, error);
            CU_ASSERT_TRUE(error < tolerance);
        }
        execution_end(&e);
    }
}

DV_SUITE(property_execution, DV_TEST(every_plan_of_every_network_agrees));
