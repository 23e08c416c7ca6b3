/* Batch norm and constant scales and shifts in the weights before them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/lowering.h"

static dv_tensor_id batch_norm(dv_graph *graph, dv_tensor_id x, int channels, bool same)
{
    char type[32];
    double spread = same ? 0 : 0.5;
    snprintf(type, sizeof type, "f32 %d", channels);
    dv_tensor_id weight = build_random(graph, "bn.weight", type, 11, spread, 1);
    dv_tensor_id bias = build_random(graph, "bn.bias", type, 12, spread, 0.25);
    dv_tensor_id mean = build_random(graph, "bn.mean", type, 13, spread, 0.125);
    dv_tensor_id variance = build_random(graph, "bn.variance", type, 14, spread, 1);
    return BUILD_OP(graph, DV_OP_BATCH_NORM, build_norm(1e-5, 0), "bn", x, weight, bias, mean,
                    variance);
}

/* Lowers; there must be one operator of that kind and the same numbers as before. */
static dv_graph *folds_into(dv_graph *graph, dv_tensor_id output, dv_op_kind kind)
{
    dv_graph *before = NULL;
    build_finish(graph, output);
    CU_ASSERT_EQUAL_FATAL(dv_pass_infer(graph, NULL, &before), DV_OK);
    dv_graph *after = lowered(graph);
    CU_ASSERT_EQUAL(after->op_count, 1);
    CU_ASSERT_EQUAL(after->ops[0].kind, kind);
    CU_ASSERT_TRUE(difference(before, after, 3, 3) < 1e-5);
    dv_graph_destroy(before);
    return after;
}

static void test_batch_norm_goes_into_convolutions_of_every_kind(void)
{
    static const struct {
        const char *x, *w;
        int64_t groups;
        bool transposed, has_bias;
        int channels;
    } cases[] = {
        {"f32 1x3x6x6", "f32 8x3x3x3", 1, false, true, 8},
        {"f32 1x3x6x6", "f32 8x3x3x3", 1, false, false, 8},
        {"f32 1x6x5x5", "f32 12x2x3x3", 3, false, true, 12},
        {"f32 1x6x5x5", "f32 6x1x3x3", 6, false, false, 6},
        {"f32 1x3x9", "f32 4x3x3", 1, false, true, 4},
        {"f32 1x6x5x5", "f32 6x4x3x3", 1, true, true, 4},
        {"f32 1x6x5x5", "f32 6x2x3x3", 3, true, false, 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dv_graph *graph = build_graph();
        dv_op_params params = build_conv(1, 1, cases[i].groups);
        char bias[32];
        params.conv.transposed = cases[i].transposed;
        snprintf(bias, sizeof bias, "f32 %d", cases[i].channels);
        dv_tensor_id x = build_input(graph, "x", cases[i].x);
        dv_tensor_id w = build_random(graph, "w", cases[i].w, 1, 1, 0);
        dv_tensor_id b = cases[i].has_bias ? build_random(graph, "b", bias, 2, 1, 0) : DV_NONE;
        dv_tensor_id y = BUILD_OP(graph, DV_OP_CONVOLUTION, params, "conv", x, w, b);
        graph =
            folds_into(graph, batch_norm(graph, y, cases[i].channels, false), DV_OP_CONVOLUTION);
        CU_ASSERT_EQUAL(graph->ops[0].input_count, 3);
        CU_ASSERT_STRING_EQUAL(graph->ops[0].name, "conv");
        CU_ASSERT_STRING_EQUAL(graph->tensors[graph->outputs[0]].name, "bn");
        dv_graph_destroy(graph);
    }
}

static void test_batch_norm_goes_into_linear_layers(void)
{
    for (int kn = 0; kn < 2; kn++) {
        dv_graph *graph = build_graph();
        dv_tensor_id x = build_input(graph, "x", "f32 3x4");
        dv_tensor_id w = build_random(graph, "w", kn ? "f32 4x6" : "f32 6x4", 1, 1, 0);
        dv_tensor_id y = BUILD_OP(graph, DV_OP_LINEAR, build_linear(kn), "fc", x, w);
        dv_graph_destroy(folds_into(graph, batch_norm(graph, y, 6, false), DV_OP_LINEAR));
    }
}

static void test_an_equal_scale_leaves_computed_weights_computed(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 1x3x6x6");
    dv_tensor_id w = build_random(graph, "w", "f32 8x3x3x3", 1, 1, 0.5);
    dv_tensor_id y = BUILD_OP(graph, DV_OP_CONVOLUTION, build_conv(1, 1, 1), "conv", x, w);
    graph = folds_into(graph, batch_norm(graph, y, 8, true), DV_OP_CONVOLUTION);
    const dv_tensor *weight = &graph->tensors[graph->ops[0].inputs[1]];
    CU_ASSERT_EQUAL(weight->data.storage, DV_STORAGE_GENERATED);
    CU_ASSERT_DOUBLE_EQUAL(weight->data.scale, 1 / sqrt(1 + 1e-5), 1e-12);
    dv_graph_destroy(graph);
}

/* The factor of batch_norm() for a channel. */
static double norm_factor(const dv_graph *graph, size_t channel)
{
    const dv_op *norm = NULL;
    for (dv_op_id o = 0; o < graph->op_count; o++)
        if (graph->ops[o].kind == DV_OP_BATCH_NORM)
            norm = &graph->ops[o];
    float weight, variance;
    (void)dv_tensor_read_f32(&graph->tensors[norm->inputs[1]], channel, 1, &weight);
    (void)dv_tensor_read_f32(&graph->tensors[norm->inputs[4]], channel, 1, &variance);
    return (double)weight / sqrt((double)variance + norm->params.norm.eps);
}

static void test_weights_stay_where_they_are_and_are_scaled_as_they_are_read(void)
{
    enum { CHANNELS = 8, FILTER = 27, PART = 40, FIRST = 20 };
    float values[CHANNELS * FILTER], read[PART];
    for (int i = 0; i < CHANNELS * FILTER; i++)
        values[i] = (float)(i % 7 - 3) / 3;
    for (int computed = 0; computed < 2; computed++) {
        dv_graph *graph = build_graph();
        dv_tensor_id x = build_input(graph, "x", "f32 1x3x6x6");
        dv_tensor_id w = computed ? build_random(graph, "w", "f32 8x3x3x3", 1, 1, 0.5)
                                  : build_floats(graph, "w", "f32 8x3x3x3", values);
        dv_tensor_id y = BUILD_OP(graph, DV_OP_CONVOLUTION, build_conv(1, 1, 1), "conv", x, w);
        build_finish(graph, batch_norm(graph, y, CHANNELS, false));
        if (computed)
            (void)dv_tensor_read_f32(&graph->tensors[w], 0, CHANNELS * FILTER, values);

        dv_graph *after = NULL;
        CU_ASSERT_EQUAL_FATAL(dv_lower(graph, NULL, &after), DV_OK);
        const dv_tensor *weight = &after->tensors[after->ops[0].inputs[1]];
        CU_ASSERT_EQUAL(weight->data.storage, DV_STORAGE_SCALED);
        CU_ASSERT_PTR_EQUAL(weight->data.buffer, graph->tensors[w].data.buffer);
        CU_ASSERT_PTR_NULL(dv_tensor_raw(weight));
        CU_ASSERT_TRUE_FATAL(dv_tensor_read_f32(weight, FIRST, PART, read));
        for (size_t i = 0; i < PART; i++) {
            double factor = norm_factor(graph, (FIRST + i) / FILTER);
            CU_ASSERT_EQUAL(read[i], (float)((double)values[FIRST + i] * factor));
        }
        dv_graph_destroy(after);
        dv_graph_destroy(graph);
    }
}

static void test_one_scale_after_the_other_multiplies_the_factors(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 1x3x6x6");
    dv_tensor_id w = build_random(graph, "w", "f32 8x3x3x3", 1, 1, 0);
    dv_tensor_id y = BUILD_OP(graph, DV_OP_CONVOLUTION, build_conv(1, 1, 1), "conv", x, w);
    y = batch_norm(graph, y, 8, false);
    dv_tensor_id each = build_random(graph, "each", "f32 8x1x1", 2, 0.5, 2);
    y = BUILD_OP(graph, DV_OP_MUL, build_none(), "each", y, each);
    y = BUILD_OP(graph, DV_OP_MUL, build_none(), "all", y,
                 build_fill(graph, "three", "f32 scalar", 3));
    dv_graph_destroy(folds_into(graph, y, DV_OP_CONVOLUTION));
}

static void test_scales_and_shifts_by_constants_follow(void)
{
    static const char *const types[] = {"f32 scalar", "f32 1", "f32 8x1x1", "f32 1x8x1x1"};
    static const dv_op_kind kinds[] = {DV_OP_MUL, DV_OP_ADD, DV_OP_SUB, DV_OP_DIV};
    for (int t = 0; t < 4; t++)
        for (int k = 0; k < 4; k++) {
            dv_graph *graph = build_graph();
            dv_tensor_id x = build_input(graph, "x", "f32 1x3x6x6");
            dv_tensor_id w = build_random(graph, "w", "f32 8x3x3x3", 1, 1, 0);
            dv_tensor_id c = build_random(graph, "c", types[t], 2, 0.5, 2);
            dv_tensor_id y = BUILD_OP(graph, DV_OP_CONVOLUTION, build_conv(1, 1, 1), "conv", x, w);
            y = BUILD_OP(graph, kinds[k], build_none(), "y", y, c);
            dv_graph_destroy(folds_into(graph, y, DV_OP_CONVOLUTION));
        }
}

static void test_weights_with_other_readers_are_left(void)
{
    dv_graph *graph = build_graph(); /* the convolution's result is read twice */
    dv_tensor_id x = build_input(graph, "x", "f32 1x3x6x6");
    dv_tensor_id w = build_random(graph, "w", "f32 8x3x3x3", 1, 1, 0);
    dv_tensor_id y = BUILD_OP(graph, DV_OP_CONVOLUTION, build_conv(1, 1, 1), "conv", x, w);
    dv_tensor_id n = batch_norm(graph, y, 8, false);
    graph = lowered(build_finish(graph, BUILD_OP(graph, DV_OP_ADD, build_none(), "sum", n, y)));
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_BATCH_NORM), 1);
    dv_graph_destroy(graph);

    graph = build_graph(); /* one weight for two layers: each gets its own */
    x = build_input(graph, "x", "f32 1x3x6x6");
    w = build_random(graph, "w", "f32 3x3x3x3", 1, 1, 0);
    y = BUILD_OP(graph, DV_OP_CONVOLUTION, build_conv(1, 1, 1), "conv1", x, w);
    y = BUILD_OP(graph, DV_OP_CONVOLUTION, build_conv(1, 1, 1), "conv2",
                 batch_norm(graph, y, 3, false), w);
    dv_graph *before = NULL;
    build_finish(graph, y);
    CU_ASSERT_EQUAL_FATAL(dv_pass_infer(graph, NULL, &before), DV_OK);
    graph = lowered(graph);
    CU_ASSERT_EQUAL(graph->op_count, 2);
    CU_ASSERT_TRUE(difference(before, graph, 3, 3) < 1e-5);
    dv_graph_destroy(before);
    dv_graph_destroy(graph);

    graph = build_graph(); /* a constant that varies over the image is no bias */
    x = build_input(graph, "x", "f32 1x3x6x6");
    w = build_random(graph, "w", "f32 6x3x3x3", 1, 1, 0);
    y = BUILD_OP(graph, DV_OP_CONVOLUTION, build_conv(1, 1, 1), "conv", x, w);
    dv_tensor_id columns = build_random(graph, "c", "f32 6", 2, 1, 0);
    graph = lowered(build_finish(graph, BUILD_OP(graph, DV_OP_ADD, build_none(), "y", y, columns)));
    CU_ASSERT_EQUAL(graph->op_count, 2);
    dv_graph_destroy(graph);
}

static void test_a_batch_norm_that_divides_by_nothing_is_left(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 1x3x6x6");
    dv_tensor_id w = build_random(graph, "w", "f32 4x3x3x3", 1, 1, 0);
    dv_tensor_id y = BUILD_OP(graph, DV_OP_CONVOLUTION, build_conv(1, 1, 1), "conv", x, w);
    dv_tensor_id ones = build_fill(graph, "ones", "f32 4", 1);
    dv_tensor_id minus = build_fill(graph, "minus", "f32 4", -1);
    y = BUILD_OP(graph, DV_OP_BATCH_NORM, build_norm(0, 0), "bn", y, ones, ones, ones, minus);
    graph = lowered(build_finish(graph, y));
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_BATCH_NORM), 1);
    dv_graph_destroy(graph);
}

/* Weights of f16 are not scaled, but what is added to a bare layer is its bias. */
static void test_a_sum_of_f16_becomes_the_bias(void)
{
    static const char *const shapes[] = {"f16 4", "f16 1x4"};
    for (size_t i = 0; i < 2; i++) {
        dv_graph *graph = build_graph(), *before = NULL;
        dv_tensor_id x = build_input(graph, "x", "f16 3x8");
        dv_tensor_id w = build_fill(graph, "w", "f16 8x4", 0.5);
        dv_tensor_id b = build_fill(graph, "b", shapes[i], 0.25);
        dv_tensor_id y = BUILD_OP(graph, DV_OP_MATMUL, build_none(), "product", x, w);
        build_finish(graph, BUILD_OP(graph, DV_OP_ADD, build_none(), "y", y, b));
        CU_ASSERT_EQUAL_FATAL(dv_pass_infer(graph, NULL, &before), DV_OK);
        dv_graph *after = lowered(graph);
        CU_ASSERT_EQUAL(after->op_count, 1);
        CU_ASSERT_EQUAL(after->ops[0].kind, DV_OP_LINEAR);
        CU_ASSERT_EQUAL(after->ops[0].input_count, 3);
        CU_ASSERT_TRUE(difference(before, after, 3, 3) < 2e-3); /* one rounding fewer */
        dv_graph_destroy(before);
        dv_graph_destroy(after);
    }
}

DV_SUITE(lower_affine, DV_TEST(test_batch_norm_goes_into_convolutions_of_every_kind),
         DV_TEST(test_batch_norm_goes_into_linear_layers),
         DV_TEST(test_an_equal_scale_leaves_computed_weights_computed),
         DV_TEST(test_weights_stay_where_they_are_and_are_scaled_as_they_are_read),
         DV_TEST(test_one_scale_after_the_other_multiplies_the_factors),
         DV_TEST(test_scales_and_shifts_by_constants_follow),
         DV_TEST(test_weights_with_other_readers_are_left),
         DV_TEST(test_a_batch_norm_that_divides_by_nothing_is_left),
         DV_TEST(test_a_sum_of_f16_becomes_the_bias));
