/* Operators found in their exporters' spellings, with the numbers they had. */
#include <math.h>
#include <string.h>

#include "tests/lowering.h"

/* Lowers a graph whose one output must come from `kind` alone, and checks the numbers. */
static dv_graph *becomes(dv_graph *graph, dv_tensor_id output, dv_op_kind kind)
{
    dv_graph *before = NULL;
    build_finish(graph, output);
    CU_ASSERT_EQUAL_FATAL(dv_pass_infer(graph, NULL, &before), DV_OK);
    dv_graph *after = lowered(graph);
    CU_ASSERT_EQUAL(after->op_count, 1);
    CU_ASSERT_EQUAL(after->ops[0].kind, kind);
    CU_ASSERT_TRUE(difference(before, after, 3, 3) < 1e-4);
    dv_graph_destroy(before);
    return after;
}

static dv_tensor_id scalar(dv_graph *graph, double value)
{
    return build_fill(graph, "c", "f32 scalar", value);
}

static dv_tensor_id one(dv_graph *graph, dv_op_kind kind, dv_tensor_id x)
{
    return BUILD_OP(graph, kind, build_none(), "t", x);
}

static dv_tensor_id two(dv_graph *graph, dv_op_kind kind, dv_tensor_id a, dv_tensor_id b)
{
    return BUILD_OP(graph, kind, build_none(), "t", a, b);
}

/* 1 + erf(x / sqrt 2) */
static dv_tensor_id erf_gate(dv_graph *graph, dv_tensor_id x)
{
    dv_tensor_id u = two(graph, DV_OP_DIV, x, scalar(graph, 1.4142135));
    return two(graph, DV_OP_ADD, one(graph, DV_OP_ERF, u), scalar(graph, 1));
}

static void test_gelu_as_torch_exports_it(void)
{
    dv_graph *graph = build_graph(); /* (x * gate) * 0.5 */
    dv_tensor_id x = build_input(graph, "x", "f32 4x16");
    dv_tensor_id y =
        two(graph, DV_OP_MUL, two(graph, DV_OP_MUL, x, erf_gate(graph, x)), scalar(graph, 0.5));
    graph = becomes(graph, y, DV_OP_GELU);
    CU_ASSERT_FALSE(graph->ops[0].params.flag.on);
    dv_graph_destroy(graph);

    graph = build_graph(); /* (x * 0.5) * gate, the constant in front */
    x = build_input(graph, "x", "f32 4x16");
    y = two(graph, DV_OP_MUL, two(graph, DV_OP_MUL, scalar(graph, 0.5), x), erf_gate(graph, x));
    dv_graph_destroy(becomes(graph, y, DV_OP_GELU));

    graph = build_graph(); /* x * (0.5 * gate) */
    x = build_input(graph, "x", "f32 4x16");
    y = two(graph, DV_OP_MUL, x, two(graph, DV_OP_MUL, erf_gate(graph, x), scalar(graph, 0.5)));
    dv_graph_destroy(becomes(graph, y, DV_OP_GELU));
}

static dv_tensor_id clamped(dv_graph *graph, dv_tensor_id x, double min, double max)
{
    dv_op_params params = {.clamp = {min, max}};
    return BUILD_OP(graph, DV_OP_CLAMP, params, "t", x);
}

/* Core ATen clamps to each side by itself: both are one, and hardswish is found behind them. */
static void test_a_clamp_of_a_clamp_is_one(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 4x16");
    dv_tensor_id y = clamped(graph, clamped(graph, x, -1, INFINITY), -INFINITY, 0.5);
    graph = becomes(graph, y, DV_OP_CLAMP);
    CU_ASSERT_EQUAL(graph->ops[0].params.clamp.min, -1);
    CU_ASSERT_EQUAL(graph->ops[0].params.clamp.max, 0.5);
    dv_graph_destroy(graph);

    graph = build_graph(); /* bounds that do not overlap: the outer ones hold */
    x = build_input(graph, "x", "f32 4x16");
    dv_graph_destroy(becomes(graph, clamped(graph, clamped(graph, x, 2, 3), -1, 1), DV_OP_CLAMP));

    graph = build_graph();
    x = build_input(graph, "x", "f32 4x16");
    y = two(graph, DV_OP_ADD, x, scalar(graph, 3));
    y = clamped(graph, clamped(graph, y, 0, INFINITY), -INFINITY, 6);
    y = two(graph, DV_OP_DIV, two(graph, DV_OP_MUL, x, y), scalar(graph, 6));
    dv_graph_destroy(becomes(graph, y, DV_OP_HARDSWISH));
}

static void test_gelu_in_its_tanh_forms(void)
{
    for (int form = 0; form < 3; form++) {
        dv_graph *graph = build_graph();
        dv_tensor_id x = build_input(graph, "x", "f32 4x16"), z;
        dv_tensor_id root = scalar(graph, 0.7978845608), cubic = scalar(graph, 0.044715);
        if (form < 2) { /* root * (x + cubic * x^3) */
            dv_tensor_id cube = form == 0 ? two(graph, DV_OP_POW, x, scalar(graph, 3))
                                          : two(graph, DV_OP_MUL, x, two(graph, DV_OP_MUL, x, x));
            z = two(graph, DV_OP_MUL, two(graph, DV_OP_ADD, x, two(graph, DV_OP_MUL, cube, cubic)),
                    root);
        } else { /* x * root * (1 + cubic * x * x) */
            dv_tensor_id square = two(graph, DV_OP_MUL, two(graph, DV_OP_MUL, x, cubic), x);
            z = two(graph, DV_OP_MUL, two(graph, DV_OP_MUL, x, root),
                    two(graph, DV_OP_ADD, square, scalar(graph, 1)));
        }
        dv_tensor_id gate = two(graph, DV_OP_ADD, one(graph, DV_OP_TANH, z), scalar(graph, 1));
        dv_tensor_id y = two(graph, DV_OP_MUL, two(graph, DV_OP_MUL, x, scalar(graph, 0.5)), gate);
        graph = becomes(graph, y, DV_OP_GELU);
        CU_ASSERT_TRUE(graph->ops[0].params.flag.on);
        dv_graph_destroy(graph);
    }
}

static void test_gates_of_their_own_input(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 4x16");
    dv_tensor_id y = two(graph, DV_OP_MUL, one(graph, DV_OP_SIGMOID, x), x);
    dv_graph_destroy(becomes(graph, y, DV_OP_SILU));

    graph = build_graph();
    x = build_input(graph, "x", "f32 4x16");
    dv_op_params hard = {.scalar = {.alpha = 1.0 / 6, .beta = 0.5}};
    y = two(graph, DV_OP_MUL, x, BUILD_OP(graph, DV_OP_HARDSIGMOID, hard, "g", x));
    dv_graph_destroy(becomes(graph, y, DV_OP_HARDSWISH));

    graph = build_graph(); /* x * clamp(x + 3, 0, 6) / 6 */
    x = build_input(graph, "x", "f32 4x16");
    dv_tensor_id gate = BUILD_OP(graph, DV_OP_CLAMP, build_clamp(0, 6), "g",
                                 two(graph, DV_OP_ADD, x, scalar(graph, 3)));
    y = two(graph, DV_OP_DIV, two(graph, DV_OP_MUL, x, gate), scalar(graph, 6));
    dv_graph_destroy(becomes(graph, y, DV_OP_HARDSWISH));

    graph = build_graph(); /* clamp(x + 3, 0, 6) / 6 */
    x = build_input(graph, "x", "f32 4x16");
    gate = BUILD_OP(graph, DV_OP_CLAMP, build_clamp(0, 6), "g",
                    two(graph, DV_OP_ADD, x, scalar(graph, 3)));
    y = two(graph, DV_OP_DIV, gate, scalar(graph, 6));
    dv_graph_destroy(becomes(graph, y, DV_OP_HARDSIGMOID));
}

/* The spelling of exporters before layer norm had an operator; divide: by sqrt, else times rsqrt.
 */
static dv_tensor_id layer_norm(dv_graph *graph, dv_tensor_id x, const char *axes, bool divide,
                               bool power)
{
    dv_tensor_id mean = BUILD_OP(graph, DV_OP_MEAN, build_reduce(true, axes), "mean", x);
    dv_tensor_id centred = two(graph, DV_OP_SUB, x, mean);
    dv_tensor_id square = power ? two(graph, DV_OP_POW, centred, scalar(graph, 2))
                                : two(graph, DV_OP_MUL, centred, centred);
    dv_tensor_id variance = BUILD_OP(graph, DV_OP_MEAN, build_reduce(true, axes), "var", square);
    dv_tensor_id sum = two(graph, DV_OP_ADD, variance, scalar(graph, 1e-5));
    if (divide)
        return two(graph, DV_OP_DIV, centred, one(graph, DV_OP_SQRT, sum));
    return two(graph, DV_OP_MUL, one(graph, DV_OP_RSQRT, sum), centred);
}

static void test_layer_norm_with_weight_and_bias(void)
{
    for (int form = 0; form < 4; form++) {
        dv_graph *graph = build_graph();
        dv_tensor_id x = build_input(graph, "x", "f32 2x5x16");
        dv_tensor_id w = build_random(graph, "w", "f32 16", 1, 0.5, 1);
        dv_tensor_id b = build_random(graph, "b", "f32 1x1x16", 2, 1, 0);
        dv_tensor_id y = layer_norm(graph, x, "2", form & 1, form & 2);
        y = two(graph, DV_OP_ADD, two(graph, DV_OP_MUL, y, w), b);
        graph = becomes(graph, y, DV_OP_LAYER_NORM);
        CU_ASSERT_EQUAL(graph->ops[0].input_count, 3);
        CU_ASSERT_EQUAL(graph->ops[0].params.norm.axes, 1);
        CU_ASSERT_DOUBLE_EQUAL(graph->ops[0].params.norm.eps, 1e-5, 1e-12);
        CU_ASSERT_EQUAL(graph->tensors[graph->ops[0].inputs[2]].shape.rank, 1);
        dv_graph_destroy(graph);
    }
}

static void test_layer_norm_over_two_dims_without_parameters(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 2x5x16");
    graph = becomes(graph, layer_norm(graph, x, "12", true, true), DV_OP_LAYER_NORM);
    CU_ASSERT_EQUAL(graph->ops[0].params.norm.axes, 2);
    CU_ASSERT_EQUAL(graph->ops[0].input_count, 1);
    dv_graph_destroy(graph);
}

static void test_what_only_looks_alike_is_left(void)
{
    dv_graph *graph = build_graph(); /* normalised over the channels: no layer norm of ATen */
    dv_tensor_id x = build_input(graph, "x", "f32 2x5x16");
    graph = lowered(build_finish(graph, layer_norm(graph, x, "1", true, true)));
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_LAYER_NORM), 0);
    dv_graph_destroy(graph);

    graph = build_graph(); /* squeeze and excite: the gate is another tensor's */
    x = build_input(graph, "x", "f32 4x16");
    dv_tensor_id z = build_input(graph, "z", "f32 4x16");
    graph = lowered(build_finish(graph, two(graph, DV_OP_MUL, x, one(graph, DV_OP_SIGMOID, z))));
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_SIGMOID), 1);
    dv_graph_destroy(graph);

    graph = build_graph(); /* the gate itself is an output, too */
    x = build_input(graph, "x", "f32 4x16");
    dv_tensor_id gate = one(graph, DV_OP_SIGMOID, x);
    build_output(graph, gate);
    graph = lowered(build_finish(graph, two(graph, DV_OP_MUL, x, gate)));
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_SIGMOID), 1);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_SILU), 0);
    dv_graph_destroy(graph);

    graph = build_graph(); /* x * 0.25 * (1 + erf(...)) */
    x = build_input(graph, "x", "f32 4x16");
    graph = lowered(
        build_finish(graph, two(graph, DV_OP_MUL, two(graph, DV_OP_MUL, x, erf_gate(graph, x)),
                                scalar(graph, 0.25))));
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_GELU), 0);
    dv_graph_destroy(graph);
}

/* The root of 2 is 1.4140625 there. */
static void test_gelu_of_f16_is_found(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f16 4x16");
    dv_tensor_id u = two(graph, DV_OP_DIV, x, build_fill(graph, "r", "f16 scalar", 1.4140625));
    u = two(graph, DV_OP_ADD, one(graph, DV_OP_ERF, u), build_fill(graph, "o", "f16 scalar", 1));
    u = two(graph, DV_OP_MUL, two(graph, DV_OP_MUL, x, u),
            build_fill(graph, "h", "f16 scalar", 0.5));
    graph = lowered(build_finish(graph, u));
    CU_ASSERT_EQUAL(graph->op_count, 1);
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_GELU);
    dv_graph_destroy(graph);
}

/* isnan(s) ? 0 : s, as PyTorch writes attention whose mask may hide a whole row. */
static void test_a_guard_against_masked_rows_is_the_softmaxs_own(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 4x16");
    dv_tensor_id s = BUILD_OP(graph, DV_OP_SOFTMAX, build_axis(-1), "s", x);
    dv_tensor_id test = one(graph, DV_OP_ISNAN, s);
    dv_tensor_id y = BUILD_OP(graph, DV_OP_WHERE, build_none(), "y", test, scalar(graph, 0), s);
    graph = becomes(graph, y, DV_OP_SOFTMAX);
    CU_ASSERT_TRUE(graph->ops[0].params.axis.guarded);
    dv_graph_destroy(graph);

    graph = build_graph(); /* another value than 0 is somebody's own */
    x = build_input(graph, "x", "f32 4x16");
    s = BUILD_OP(graph, DV_OP_SOFTMAX, build_axis(-1), "s", x);
    test = one(graph, DV_OP_ISNAN, s);
    y = BUILD_OP(graph, DV_OP_WHERE, build_none(), "y", test, scalar(graph, 1), s);
    graph = lowered(build_finish(graph, y));
    CU_ASSERT_EQUAL(graph->op_count, 3);
    dv_graph_destroy(graph);
}

static void test_one_over_a_root_is_one_operator(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 4x16");
    dv_tensor_id square = two(graph, DV_OP_ADD, two(graph, DV_OP_MUL, x, x), scalar(graph, 1));
    dv_tensor_id root = one(graph, DV_OP_SQRT, square);
    graph = lowered(build_finish(graph, two(graph, DV_OP_DIV, scalar(graph, 1), root)));
    CU_ASSERT_EQUAL(graph->ops[graph->op_count - 1].kind, DV_OP_RSQRT);
    dv_graph_destroy(graph);
}

/* where(not any(not (scores == -inf)), 0, softmax(scores)) of a product plus a mask, as core ATen
   writes attention; lowered, and held against what it was. */
static dv_graph *guarded(const float *mask)
{
    dv_graph *graph = build_graph(), *before = NULL;
    dv_op_params rows = build_reduce(true, "2"), real = {.cast = {DV_DTYPE_F32}},
                 truth = {.cast = {DV_DTYPE_BOOL}};
    dv_tensor_id q = build_input(graph, "q", "f32 2x2x4"), k = build_input(graph, "k", "f32 2x4x3");
    dv_tensor_id s = two(graph, DV_OP_ADD, two(graph, DV_OP_MATMUL, q, k),
                         build_floats(graph, "mask", "f32 2x3", mask));
    dv_tensor_id p = BUILD_OP(graph, DV_OP_SOFTMAX, build_axis(-1), "p", s);
    dv_tensor_id t = two(graph, DV_OP_EQ, s, scalar(graph, -INFINITY));
    t = BUILD_OP(graph, DV_OP_CAST, real, "t", one(graph, DV_OP_LOGICAL_NOT, t));
    t = BUILD_OP(graph, DV_OP_AMAX, rows, "t", t);
    t = one(graph, DV_OP_LOGICAL_NOT, BUILD_OP(graph, DV_OP_CAST, truth, "t", t));
    s = BUILD_OP(graph, DV_OP_WHERE, build_none(), "y", t, scalar(graph, 0), p);
    build_finish(graph, one(graph, DV_OP_NEG, s));
    CU_ASSERT_EQUAL_FATAL(dv_pass_infer(graph, NULL, &before), DV_OK);
    graph = lowered(graph);
    CU_ASSERT_TRUE(difference(before, graph, 3, 3) < 1e-6);
    dv_graph_destroy(before);
    return graph;
}

static bool has_kind(const dv_graph *graph, dv_op_kind kind)
{
    for (dv_op_id o = 0; o < graph->op_count; o++)
        if (graph->ops[o].kind == kind)
            return true;
    return false;
}

static void test_a_softmax_needs_no_guard_where_every_row_has_a_score(void)
{
    const float gap = -INFINITY;
    dv_graph *graph = guarded((const float[]){0, gap, gap, 0, 0, gap});
    CU_ASSERT_FALSE(has_kind(graph, DV_OP_WHERE));
    CU_ASSERT_EQUAL(graph->op_count, 4);
    dv_graph_destroy(graph);
    graph = guarded((const float[]){0, gap, gap, gap, gap, gap}); /* a row without a score */
    CU_ASSERT_EQUAL_FATAL(graph->op_count, 4);
    CU_ASSERT_EQUAL(graph->ops[2].kind, DV_OP_SOFTMAX);
    CU_ASSERT_TRUE(graph->ops[2].params.axis.guarded);
    dv_graph_destroy(graph);
}

static void test_products_are_done_without_merged_dims(void)
{
    dv_graph *graph = build_graph(), *before = NULL;
    dv_op_params flat = {.view = {.shape = {2, {10, 4}}}},
                 back = {.view = {.shape = {3, {2, 5, 6}}}};
    dv_tensor_id x = build_input(graph, "x", "f32 2x5x4");
    dv_tensor_id w = build_random(graph, "w", "f32 6x4", 7, 1, 0);
    dv_tensor_id y = BUILD_OP(graph, DV_OP_VIEW, flat, "t", x);
    y = BUILD_OP(graph, DV_OP_LINEAR, build_linear(false), "t", y, w);
    y = BUILD_OP(graph, DV_OP_VIEW, back, "t", y);
    build_finish(graph, one(graph, DV_OP_NEG, y));
    CU_ASSERT_EQUAL_FATAL(dv_pass_infer(graph, NULL, &before), DV_OK);
    graph = lowered(graph);
    CU_ASSERT_EQUAL(graph->op_count, 2);
    CU_ASSERT_TRUE(difference(before, graph, 3, 3) < 1e-5);
    dv_graph_destroy(before);
    dv_graph_destroy(graph);

    graph = build_graph();
    dv_op_params heads[] = {{.view = {.shape = {3, {6, 4, 5}}}},
                            {.view = {.shape = {3, {6, 5, 2}}}},
                            {.view = {.shape = {4, {2, 3, 4, 2}}}}};
    dv_tensor_id a = build_input(graph, "a", "f32 2x3x4x5"),
                 b = build_input(graph, "b", "f32 2x3x5x2");
    a = BUILD_OP(graph, DV_OP_VIEW, heads[0], "t", a);
    b = BUILD_OP(graph, DV_OP_VIEW, heads[1], "t", b);
    y = BUILD_OP(graph, DV_OP_VIEW, heads[2], "y", two(graph, DV_OP_MATMUL, a, b));
    build_finish(graph, one(graph, DV_OP_NEG, y));
    CU_ASSERT_EQUAL_FATAL(dv_pass_infer(graph, NULL, &before), DV_OK);
    graph = lowered(graph);
    CU_ASSERT_EQUAL(graph->op_count, 2);
    CU_ASSERT_TRUE(difference(before, graph, 3, 3) < 1e-5);
    dv_graph_destroy(before);
    dv_graph_destroy(graph);
}

DV_SUITE(lower_recognise, DV_TEST(test_a_softmax_needs_no_guard_where_every_row_has_a_score),
         DV_TEST(test_products_are_done_without_merged_dims),
         DV_TEST(test_a_clamp_of_a_clamp_is_one), DV_TEST(test_gelu_as_torch_exports_it),
         DV_TEST(test_gelu_in_its_tanh_forms), DV_TEST(test_gates_of_their_own_input),
         DV_TEST(test_layer_norm_with_weight_and_bias),
         DV_TEST(test_layer_norm_over_two_dims_without_parameters),
         DV_TEST(test_what_only_looks_alike_is_left),
         DV_TEST(test_a_guard_against_masked_rows_is_the_softmaxs_own),
         DV_TEST(test_one_over_a_root_is_one_operator), DV_TEST(test_gelu_of_f16_is_found));
