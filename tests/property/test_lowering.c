/* Lowering keeps the numbers, is done when it is done, and survives any parameters, on random
   networks. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "datasets/zoo/zoo.h"
#include "tests/lowering.h"

/* A random network under construction: images [1, 4, 8, 8] that later operators read. */
typedef struct maker {
    dv_graph *graph;
    uint64_t seed, drawn;
    dv_tensor_id images[64];
    size_t count;
    char name[32];
} maker;

static uint64_t draw(maker *m, uint64_t below)
{
    return dv_rng_at(m->seed, m->drawn++) % below;
}

static dv_tensor_id any(maker *m)
{
    return m->images[m->count - 1 - draw(m, m->count < 4 ? m->count : 4)];
}

static const char *fresh(maker *m)
{
    snprintf(m->name, sizeof m->name, "op%llu", (unsigned long long)m->drawn);
    return m->name;
}

static dv_tensor_id weight(maker *m, const char *type, double scale, double shift)
{
    return build_random(m->graph, "weight", type, m->drawn++, scale, shift);
}

static dv_tensor_id step(maker *m, dv_op_kind kind, dv_op_params params, dv_tensor_id a,
                         dv_tensor_id b)
{
    return build_op(m->graph, kind, params, fresh(m), (dv_tensor_id[]){a, b}, b == DV_NONE ? 1 : 2);
}

static dv_tensor_id convolve(maker *m, dv_tensor_id x)
{
    static const char *const types[] = {"f32 4x4x3x3", "f32 4x2x3x3", "f32 4x1x3x3"};
    static const int64_t groups[] = {1, 2, 4};
    size_t which = draw(m, 3);
    dv_op_params params = build_conv(1, 1, groups[which]);
    if (draw(m, 2)) {
        params = build_conv(1, 0, groups[which]);
        params.conv.auto_pad = draw(m, 2) ? DV_PAD_SAME_UPPER : DV_PAD_SAME_LOWER;
    }
    dv_tensor_id w = weight(m, types[which], 0.5, draw(m, 2) ? 0 : 0.1);
    return step(m, DV_OP_CONVOLUTION, params, x, w);
}

static dv_tensor_id normalise(maker *m, dv_tensor_id x)
{
    double spread = draw(m, 2) ? 0 : 0.5;
    dv_tensor_id parameters[5] = {x};
    for (int i = 1; i < 5; i++)
        parameters[i] = weight(m, "f32 4", spread, i == 1 || i == 4 ? 1 : 0.1);
    return build_op(m->graph, DV_OP_BATCH_NORM, build_norm(1e-3, 0), fresh(m), parameters, 5);
}

/* Arithmetic with a constant of some shape that broadcasts, on either side. */
static dv_tensor_id arithmetic(maker *m, dv_tensor_id x)
{
    static const char *const types[] = {"f32 scalar",  "f32 1", "f32 4x1x1",
                                        "f32 1x4x1x1", "f32 8", "f32 1x1x8x1"};
    static const dv_op_kind kinds[] = {DV_OP_ADD, DV_OP_MUL,     DV_OP_SUB,
                                       DV_OP_DIV, DV_OP_MAXIMUM, DV_OP_MINIMUM};
    dv_op_kind kind = kinds[draw(m, 6)];
    dv_tensor_id c = weight(m, types[draw(m, 6)], 0.25, draw(m, 3) ? 1 : 0.5);
    bool swapped = draw(m, 2) && kind != DV_OP_DIV;
    return swapped ? step(m, kind, build_none(), c, x) : step(m, kind, build_none(), x, c);
}

static dv_tensor_id activate(maker *m, dv_tensor_id x)
{
    static const dv_op_kind kinds[] = {DV_OP_RELU, DV_OP_SIGMOID, DV_OP_TANH,
                                       DV_OP_ABS,  DV_OP_NEG,     DV_OP_IDENTITY};
    if (draw(m, 4) == 0)
        return step(m, DV_OP_CLAMP, build_clamp(-0.5, draw(m, 2) ? 0.5 : (double)INFINITY), x,
                    DV_NONE);
    return step(m, kinds[draw(m, 6)], build_none(), x, DV_NONE);
}

/* There and back again, or through two dims of one size. */
static dv_tensor_id move(maker *m, dv_tensor_id x)
{
    dv_op_params flat = {.view = {.shape = {.rank = 2, .dim = {4, 64}}}};
    dv_op_params image = {.view = {.shape = {.rank = 4, .dim = {1, 4, 8, 8}}}};
    switch (draw(m, 5)) {
    case 0:
        x = step(m, DV_OP_PERMUTE, build_permute("0231"), x, DV_NONE);
        return step(m, DV_OP_PERMUTE, build_permute("0312"), x, DV_NONE);
    case 1:
        return step(m, DV_OP_PERMUTE, build_permute("0132"), x, DV_NONE);
    case 2:
        x = step(m, DV_OP_VIEW, flat, x, DV_NONE);
        if (draw(m, 2)) {
            dv_tensor_id w = weight(m, "f32 64x64", 0.2, 0);
            x = step(m, draw(m, 2) ? DV_OP_MATMUL : DV_OP_LINEAR, build_linear(true), x, w);
        }
        return step(m, DV_OP_VIEW, image, x, DV_NONE);
    case 3:
        x = step(m, DV_OP_FLATTEN, build_axis((int64_t)draw(m, 5)), x, DV_NONE);
        return step(m, DV_OP_VIEW, image, x, DV_NONE);
    default:
        x = step(m, DV_OP_SQUEEZE, build_none(), x, BUILD_INTS(m->graph, 0));
        x = step(m, DV_OP_SOFTMAX, build_axis(-1), x, DV_NONE);
        return step(m, DV_OP_UNSQUEEZE, build_none(), x, BUILD_INTS(m->graph, 0));
    }
}

static dv_tensor_id gate(maker *m, dv_tensor_id x)
{
    dv_op_params global = {.pool = {.global = true}};
    dv_tensor_id g = x;
    if (draw(m, 2))
        g = step(m, DV_OP_AVG_POOL, global, g, DV_NONE);
    g = step(m, DV_OP_SIGMOID, build_none(), g, DV_NONE);
    return step(m, DV_OP_MUL, build_none(), x, g);
}

static dv_tensor_id cut(maker *m, dv_tensor_id x)
{
    dv_tensor_id halves[2];
    dv_op_params by_channel = {.split = {.axis = 1}};
    build_op_outputs(m->graph, DV_OP_SPLIT, by_channel, fresh(m), &x, 1, halves, 2);
    if (draw(m, 2))
        halves[0] = step(m, DV_OP_RELU, build_none(), halves[0], DV_NONE);
    return step(m, DV_OP_CAT, build_axis(1), halves[draw(m, 2)], halves[draw(m, 2)]);
}

static dv_tensor_id add_random(maker *m)
{
    dv_tensor_id x = any(m);
    switch (draw(m, 9)) {
    case 0:
    case 1:
        return convolve(m, x);
    case 2:
        return normalise(m, x);
    case 3:
        return arithmetic(m, x);
    case 4:
        return activate(m, x);
    case 5:
        return move(m, x);
    case 6:
        return gate(m, x);
    case 7:
        return cut(m, x);
    default:
        return step(m, draw(m, 2) ? DV_OP_ADD : DV_OP_MUL, build_none(), x, any(m));
    }
}

static dv_graph *random_network(uint64_t seed)
{
    maker m = {.graph = build_graph(), .seed = seed};
    m.images[m.count++] = build_input(m.graph, "x", "f32 1x4x8x8");
    for (size_t length = 3 + draw(&m, 20); length > 0; length--)
        m.images[m.count++] = add_random(&m);
    if (draw(&m, 3) == 0)
        build_output(m.graph, m.images[1 + draw(&m, m.count - 1)]);
    dv_tensor_id last = m.images[m.count - 1];
    return build_finish(m.graph, m.graph->tensors[last].is_output ? DV_NONE : last);
}

static void test_numbers_stay_and_a_second_lowering_changes_nothing(void)
{
    for (uint64_t seed = 1; seed <= 400; seed++) {
        dv_graph *source = random_network(seed), *once = NULL, *twice = NULL, *near = NULL;
        CU_ASSERT_EQUAL_FATAL(dv_pass_infer(source, NULL, &near), DV_OK);
        CU_ASSERT_EQUAL_FATAL(dv_lower(source, NULL, &once), DV_OK);
        CU_ASSERT_EQUAL_FATAL(dv_lower(once, NULL, &twice), DV_OK);
        char *first = printed(once), *second = printed(twice);
        double error = difference(near, once, seed, 4), again = difference(once, twice, seed, 4);
        bool same = strcmp(first, second) == 0;
        if (!(error < 1e-3) || again != 0 || !same)
            fprintf(stderr, "    seed %llu: error %g, then %g\n%s%s", (unsigned long long)seed,
                    error, again, first, same ? "" : second);
        CU_ASSERT_TRUE(error < 1e-3);
        CU_ASSERT_EQUAL(again, 0);
        CU_ASSERT_TRUE(same);
        free(first);
        free(second);
        dv_graph_destroy(source);
        dv_graph_destroy(near);
        dv_graph_destroy(once);
        dv_graph_destroy(twice);
    }
}

static void test_lowering_a_zoo_network_twice_changes_nothing(void)
{
    static const char *const names[] = {"mobilenet_v3_small", "shufflenet_v2_x1_0", "squeezenet1_1",
                                        "vit_b_32"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        dv_graph *source = NULL;
        CU_ASSERT_EQUAL_FATAL(dv_zoo_build(names[i], &source), DV_OK);
        dv_graph *once = lowered(source), *twice = NULL;
        CU_ASSERT_EQUAL_FATAL(dv_lower(once, NULL, &twice), DV_OK);
        char *first = printed(once), *second = printed(twice);
        CU_ASSERT_STRING_EQUAL(first, second);
        free(first);
        free(second);
        dv_graph_destroy(once);
        dv_graph_destroy(twice);
    }
}

/* Values that break sums, products, shifts and comparisons. */
static int64_t nasty(maker *m)
{
    static const int64_t values[] = {INT64_MIN,
                                     INT64_MIN + 1,
                                     INT32_MIN,
                                     -65536,
                                     -9,
                                     -3,
                                     -2,
                                     -1,
                                     0,
                                     1,
                                     2,
                                     3,
                                     4,
                                     7,
                                     8,
                                     9,
                                     255,
                                     65536,
                                     INT32_MAX,
                                     INT64_MAX,
                                     INT64_MAX - 1};
    return values[draw(m, sizeof values / sizeof values[0])];
}

/* What a loader guarantees: booleans and enumerations hold values of theirs, lists exist. One
   function a kind of parameters, found through the table of operators, so that a new operator is
   included. */
#define SOUND(member) \
    static void sound_##member(maker *m, uint32_t outputs, const int64_t *sizes, dv_op_params *p)
#define UNLIMITED(member)                             \
    SOUND(member)                                     \
    {                                                 \
        (void)m, (void)outputs, (void)sizes, (void)p; \
    }
#define LIMITED (void)outputs, (void)sizes

UNLIMITED(none)
UNLIMITED(norm)
UNLIMITED(lrn)
UNLIMITED(scalar)
UNLIMITED(clamp)
UNLIMITED(permute)
UNLIMITED(slice)
UNLIMITED(select)

SOUND(conv)
{
    LIMITED;
    p->conv.auto_pad = (dv_auto_pad)draw(m, 4);
    p->conv.transposed = draw(m, 2);
}

SOUND(pool)
{
    LIMITED;
    p->pool.auto_pad = (dv_auto_pad)draw(m, 4);
    p->pool.ceil_mode = draw(m, 2);
    p->pool.count_include_pad = draw(m, 2);
    p->pool.global = draw(m, 2);
    p->pool.whole = draw(m, 2);
    p->pool.by_column = draw(m, 2);
}

SOUND(linear)
{
    LIMITED;
    p->linear.weight_kn = draw(m, 2);
    p->linear.input_transposed = draw(m, 2);
}

SOUND(split)
{
    p->split.count = draw(m, 2) ? outputs : 0;
    p->split.sizes = sizes;
}

SOUND(pad)
{
    LIMITED;
    p->pad.mode = (dv_pad_mode)draw(m, 4);
}

SOUND(resize)
{
    LIMITED;
    p->resize.coordinate = (dv_coordinate_mode)draw(m, 6);
    p->resize.policy = (dv_resize_policy)draw(m, 3);
    p->resize.antialias = draw(m, 2);
    p->resize.nearest = (dv_nearest_mode)draw(m, 4);
    p->resize.exclude_outside = draw(m, 2);
}

UNLIMITED(reverse)

SOUND(rows)
{
    LIMITED;
    p->rows.rows = (int64_t)draw(m, 3);
}

SOUND(unique)
{
    LIMITED;
    p->unique.flat = draw(m, 2);
    p->unique.sorted = draw(m, 2);
}

SOUND(nms)
{
    LIMITED;
    p->nms.centred = draw(m, 2);
}

SOUND(detect)
{
    LIMITED;
    p->detect.by_class = draw(m, 2);
}

UNLIMITED(suppress)

SOUND(mel)
{
    LIMITED;
    p->mel.dtype = (dv_dtype)draw(m, DV_DTYPE_COUNT);
}

SOUND(spectrum)
{
    LIMITED;
    p->spectrum.inverse = draw(m, 2);
    p->spectrum.onesided = draw(m, 2);
}

SOUND(region)
{
    LIMITED;
    p->region.largest = draw(m, 2);
    p->region.half_pixel = draw(m, 2);
}

SOUND(grid)
{
    LIMITED;
    p->grid.mode = (dv_sample_mode)draw(m, 3);
    p->grid.border = (dv_border)draw(m, 3);
    p->grid.align_corners = draw(m, 2);
}

SOUND(shuffle)
{
    LIMITED;
    p->shuffle.dcr = draw(m, 2);
}

SOUND(tri)
{
    LIMITED;
    p->tri.upper = draw(m, 2);
}

SOUND(flag)
{
    LIMITED;
    p->flag.on = draw(m, 2);
}

SOUND(view)
{
    LIMITED;
    p->view.allow_zero = draw(m, 2);
}

SOUND(cast)
{
    LIMITED;
    p->cast.dtype = (dv_dtype)draw(m, DV_DTYPE_COUNT);
}

SOUND(full)
{
    LIMITED;
    p->full.dtype = (dv_dtype)draw(m, DV_DTYPE_COUNT);
}

SOUND(axis)
{
    LIMITED;
    p->axis.flatten_2d = draw(m, 2);
    p->axis.exclusive = draw(m, 2);
    p->axis.reverse = draw(m, 2);
    p->axis.guarded = draw(m, 2);
}

SOUND(axes)
{
    LIMITED;
    p->axes.lenient = draw(m, 2);
}

SOUND(reduce)
{
    LIMITED;
    p->reduce.keep_dims = draw(m, 2);
    p->reduce.noop_when_empty = draw(m, 2);
    p->reduce.last = draw(m, 2);
}

SOUND(topk)
{
    LIMITED;
    p->topk.smallest = draw(m, 2);
}

SOUND(scatter)
{
    LIMITED;
    p->scatter.mode = (dv_scatter_mode)draw(m, 5);
}

SOUND(rnn)
{
    LIMITED;
    p->rnn.reverse = draw(m, 2);
    p->rnn.batch_first = draw(m, 2);
    p->rnn.reset_after = draw(m, 2);
    p->rnn.coupled = draw(m, 2);
    p->rnn.gate = (dv_activation)draw(m, 3);
    p->rnn.cell = (dv_activation)draw(m, 3);
    p->rnn.state = (dv_activation)draw(m, 3);
}

SOUND(quant)
{
    LIMITED;
    p->quant.dtype = (dv_dtype)draw(m, DV_DTYPE_COUNT);
}

static void (*const sounds[])(maker *m, uint32_t outputs, const int64_t *sizes, dv_op_params *p) = {
#define OP(kind, name, family, least, most, params, shape, work) [DV_OP_##kind] = sound_##params,
#include "core/ops.def"
#undef OP
};

/* An operator of any kind over inputs of any types, its parameters full of such values. */
static dv_graph *random_nonsense(uint64_t seed)
{
    static const char *const types[] = {"f32 1x4x8x8",
                                        "f32 4x4x3x3",
                                        "f32 4",
                                        "f32 scalar",
                                        "i64 4",
                                        "f32 0x3",
                                        "bool 2",
                                        "i64 1x2",
                                        "f32 4x4",
                                        "i32 3",
                                        "u8 2x2x2",
                                        "f64 1x4",
                                        "f32 2x1x2x1x2x1x2x1"};
    maker m = {.graph = build_graph(), .seed = seed};
    dv_tensor_id inputs[6];
    size_t count = draw(&m, 6);
    for (size_t i = 0; i < count; i++) {
        const char *type = types[draw(&m, sizeof types / sizeof types[0])];
        int64_t vector[4] = {nasty(&m), nasty(&m), nasty(&m), nasty(&m)};
        switch (draw(&m, 4)) {
        case 0:
            inputs[i] = build_input(m.graph, "x", type);
            break;
        case 1:
            inputs[i] = build_fill(m.graph, "f", type, (double)nasty(&m));
            break;
        case 2:
            inputs[i] = build_vector(m.graph, vector, draw(&m, 5));
            break;
        default:
            inputs[i] = draw(&m, 3) ? build_input(m.graph, "y", type) : DV_NONE;
        }
    }
    dv_op_kind kind = (dv_op_kind)draw(&m, DV_OP_COUNT);
    uint32_t outputs = (uint32_t)draw(&m, 3) + 1;
    int64_t sizes[3] = {nasty(&m), nasty(&m), nasty(&m)};
    dv_op_params params = {0};
    int64_t words[sizeof params / sizeof(int64_t)];
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        words[i] = draw(&m, 3) ? (int64_t)draw(&m, 4) : nasty(&m);
    memcpy(&params, words, sizeof words);
    sounds[kind](&m, outputs, sizes, &params);
    dv_tensor_id results[3];
    build_op_outputs(m.graph, kind, params, "y", inputs, count, results, outputs);
    build_output(m.graph, results[0]);
    return build_finish(m.graph, DV_NONE);
}

static void test_any_parameters_are_refused_or_lowered_but_never_fatal(void)
{
    size_t good = 0;
    for (uint64_t seed = 1; seed <= 60000; seed++) {
        dv_graph *graph = random_nonsense(seed), *out = NULL;
        dv_status status = dv_lower(graph, NULL, &out);
        if (status != DV_OK && status != DV_BAD_INPUT)
            fprintf(stderr, "    seed %llu: %s\n", (unsigned long long)seed, dv_message());
        CU_ASSERT_TRUE(status == DV_OK || status == DV_BAD_INPUT);
        if (status == DV_OK) {
            good++;
            dv_graph *again = NULL; /* what comes out is good input */
            dv_status second = dv_lower(out, NULL, &again);
            char *first = printed(out), *text = second == DV_OK ? printed(again) : strdup("");
            if (second != DV_OK || strcmp(first, text) != 0)
                fprintf(stderr, "    seed %llu: %s\n%s%s", (unsigned long long)seed,
                        second == DV_OK ? "" : dv_message(), first, text);
            CU_ASSERT_EQUAL(second, DV_OK);
            CU_ASSERT_STRING_EQUAL(first, text);
            free(first);
            free(text);
            dv_graph_destroy(again);
        }
        dv_graph_destroy(out);
        dv_graph_destroy(graph);
    }
    CU_ASSERT_TRUE(good > 1000);
}

DV_SUITE(lowering_property, DV_TEST(test_numbers_stay_and_a_second_lowering_changes_nothing),
         DV_TEST(test_lowering_a_zoo_network_twice_changes_nothing),
         DV_TEST(test_any_parameters_are_refused_or_lowered_but_never_fatal));
