/* Placement units: what joins and what does not. */
#include <stdio.h>
#include <string.h>

#include "datasets/zoo/llama.h"
#include "load/load.h"
#include "tests/lowering.h"
#include "tests/suite.h"

static bool together(const dv_graph *graph, const char *a, const char *b)
{
    const dv_op *first = op_named(graph, a), *second = op_named(graph, b);
    CU_ASSERT_TRUE_FATAL(first && second);
    return graph->unit_of[first - graph->ops] == graph->unit_of[second - graph->ops];
}

static dv_tensor_id conv(dv_graph *graph, const char *name, dv_tensor_id x)
{
    dv_tensor_id w = build_random(graph, "w", "f32 4x4x3x3", 1, 1, 0);
    return BUILD_OP(graph, DV_OP_CONVOLUTION, build_conv(1, 1, 1), name, x, w);
}

static dv_tensor_id relu(dv_graph *graph, const char *name, dv_tensor_id x)
{
    return BUILD_OP(graph, DV_OP_RELU, build_none(), name, x);
}

static void test_a_residual_block_is_three_units(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 1x4x8x8");
    dv_tensor_id a = relu(graph, "relu1", conv(graph, "conv1", x));
    dv_tensor_id b = conv(graph, "conv2", a);
    dv_tensor_id sum = BUILD_OP(graph, DV_OP_ADD, build_none(), "sum", b, x);
    graph = lowered(build_finish(graph, relu(graph, "relu2", sum)));
    CU_ASSERT_EQUAL(graph->unit_count, 3);
    CU_ASSERT_TRUE(together(graph, "conv1", "relu1"));
    CU_ASSERT_TRUE(together(graph, "sum", "relu2"));
    CU_ASSERT_FALSE(together(graph, "conv2", "sum"));
    CU_ASSERT_STRING_EQUAL(graph->units[0].name, "conv1");
    dv_graph_destroy(graph);
}

static void test_a_result_that_others_need_ends_its_unit(void)
{
    dv_graph *graph = build_graph(); /* read by two */
    dv_tensor_id x = build_input(graph, "x", "f32 1x4x8x8");
    dv_tensor_id a = conv(graph, "conv", x);
    dv_tensor_id b = relu(graph, "relu", a);
    graph = lowered(build_finish(graph, BUILD_OP(graph, DV_OP_SUB, build_none(), "sub", a, b)));
    CU_ASSERT_FALSE(together(graph, "conv", "relu"));
    dv_graph_destroy(graph);

    graph = build_graph(); /* a graph output */
    x = build_input(graph, "x", "f32 1x4x8x8");
    a = conv(graph, "conv", x);
    build_output(graph, a);
    graph = lowered(build_finish(graph, relu(graph, "relu", a)));
    CU_ASSERT_FALSE(together(graph, "conv", "relu"));
    dv_graph_destroy(graph);
}

static void test_one_activation_a_unit_and_views_for_free(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 1x4x8x8");
    dv_op_params flat = {.view = {.shape = {.rank = 2, .dim = {4, 64}}}};
    dv_tensor_id a = conv(graph, "conv", x);
    dv_tensor_id b = BUILD_OP(graph, DV_OP_VIEW, flat, "view", a);
    dv_tensor_id c = relu(graph, "relu", b);
    dv_tensor_id d = BUILD_OP(graph, DV_OP_SIGMOID, build_none(), "sigmoid", c);
    graph = lowered(build_finish(graph, d));
    CU_ASSERT_EQUAL(graph->unit_count, 2);
    CU_ASSERT_TRUE(together(graph, "conv", "view"));
    CU_ASSERT_TRUE(together(graph, "conv", "relu"));
    CU_ASSERT_FALSE(together(graph, "relu", "sigmoid"));
    dv_graph_destroy(graph);
}

static void test_movement_and_softmax_take_no_activation(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 1x4x8x8");
    dv_tensor_id a = BUILD_OP(graph, DV_OP_SOFTMAX, build_axis(1), "softmax", x);
    dv_tensor_id b = relu(graph, "relu", a);
    dv_tensor_id c = BUILD_OP(graph, DV_OP_PERMUTE, build_permute("0231"), "permute", b);
    graph = lowered(build_finish(graph, c));
    CU_ASSERT_EQUAL(graph->unit_count, 3);
    dv_graph_destroy(graph);
}

static void test_units_cover_all_operators_and_keep_the_order(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 1x4x8x8");
    dv_tensor_id left = relu(graph, "relu1", conv(graph, "conv1", x));
    dv_tensor_id right = relu(graph, "relu2", conv(graph, "conv2", x));
    dv_tensor_id y = BUILD_OP(graph, DV_OP_CAT, build_axis(1), "cat", left, right);
    graph = lowered(build_finish(graph, y));
    uint32_t covered = 0;
    for (dv_unit_id u = 0; u < graph->unit_count; u++)
        for (uint32_t i = 0; i < graph->units[u].op_count; i++) {
            dv_op_id o = graph->units[u].ops[i];
            CU_ASSERT_EQUAL(graph->unit_of[o], u);
            CU_ASSERT_EQUAL(o, covered);
            covered++;
        }
    CU_ASSERT_EQUAL(covered, graph->op_count);
    CU_ASSERT_EQUAL(graph->unit_count, 3);
    dv_graph_destroy(graph);
}

/* How many operators of that kind the unit of op has. */
static uint32_t beside(const dv_graph *graph, const dv_op *op, dv_op_kind kind)
{
    const dv_unit *unit = &graph->units[graph->unit_of[op - graph->ops]];
    uint32_t count = 0;
    for (uint32_t i = 0; i < unit->op_count; i++)
        count += graph->ops[unit->ops[i]].kind == kind;
    return count;
}

static void test_attention_rms_norm_and_rotary_positions_are_units(void)
{
    static const dv_llama sizes = {3, 24, 4, 2, 6, 40, 37, true, 32};
    dv_zoo_entry entry = {.name = "small", .citation = "ours", .variant = &sizes};
    static const char *const forms[] = {"prefill=5", "decode=5"};
    for (int i = 0; i < 2; i++) {
        dv_graph *graph = NULL;
        CU_ASSERT_EQUAL_FATAL(dv_llama_build(&entry, forms[i], &graph), DV_OK);
        graph = lowered(graph);
        CU_ASSERT_EQUAL(beside(graph, first_of(graph, DV_OP_SOFTMAX), DV_OP_MATMUL), 2);
        CU_ASSERT_EQUAL(beside(graph, first_of(graph, DV_OP_RSQRT), DV_OP_MEAN), 1);
        CU_ASSERT_EQUAL(beside(graph, first_of(graph, DV_OP_RSQRT), DV_OP_MUL), 3);
        CU_ASSERT_EQUAL(beside(graph, first_of(graph, DV_OP_NEG), DV_OP_SLICE), 2);
        CU_ASSERT_EQUAL(beside(graph, first_of(graph, DV_OP_NEG), DV_OP_MUL), 2);
        /* two norms, three products, two rotations, attention, a product, a sum, then the gate:
           three products, a factor, a sum; the step writes two caches besides */
        const dv_op *norm = first_of(graph, DV_OP_RSQRT);
        dv_unit_id first = graph->unit_of[norm - graph->ops], second = first;
        for (dv_op_id o = 0, seen = 0; o < graph->op_count; o++)
            if (graph->ops[o].kind == DV_OP_RSQRT && ++seen == 3)
                second = graph->unit_of[o];
        CU_ASSERT_EQUAL(second - first, i == 0 ? 15 : 17);
        dv_graph_destroy(graph);
    }
}

/* Core ATen guards the softmax of scores that a mask may take whole rows of, and merges dims around
   products: the block is the same. */
static void test_attention_of_core_aten_is_a_unit(void)
{
    char path[512];
    dv_graph *core = NULL;
    snprintf(path, sizeof path, "%s/tests/data/pt2/encoder_core.pt2", dv_source_root());
    CU_ASSERT_EQUAL_FATAL(dv_load(path, NULL, &core), DV_OK);
    core = lowered(core);
    const dv_op *softmax = first_of(core, DV_OP_SOFTMAX);
    CU_ASSERT_EQUAL(beside(core, softmax, DV_OP_MATMUL), 2);
    CU_ASSERT_TRUE(softmax->params.axis.guarded); /* a mask may hide all of a row */
    CU_ASSERT_EQUAL(beside(core, softmax, DV_OP_LINEAR), 0);
    dv_graph_destroy(core);
}

/* Scores that somebody else reads, too, cannot vanish into a block. */
static void test_attention_whose_weights_are_an_output_is_no_block(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id q = build_input(graph, "q", "f32 2x5x4"), k = build_input(graph, "k", "f32 2x4x5");
    dv_tensor_id v = build_input(graph, "v", "f32 2x5x4");
    dv_tensor_id s = BUILD_OP(graph, DV_OP_MATMUL, build_none(), "scores", q, k);
    s = BUILD_OP(graph, DV_OP_SOFTMAX, build_axis(-1), "weights", s);
    build_output(graph, s);
    graph = lowered(build_finish(graph, BUILD_OP(graph, DV_OP_MATMUL, build_none(), "y", s, v)));
    CU_ASSERT_EQUAL(graph->unit_count, 3);
    dv_graph_destroy(graph);
}

/* Scores capped by a tanh, masked in two ways with views between, and a guard behind: still one
   attention. */
static void test_attention_with_a_cap_masks_and_a_guard_is_one_unit(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id q = build_input(graph, "q", "f32 2x5x4"), k = build_input(graph, "k", "f32 2x4x5");
    dv_tensor_id v = build_input(graph, "v", "f32 2x5x4"), m = build_input(graph, "m", "f32 2x5x5");
    dv_tensor_id zero = build_fill(graph, "zero", "f32 scalar", 0);
    dv_tensor_id cap = build_fill(graph, "cap", "f32 scalar", 30);
    dv_op_params images = build_none(), rows = build_none();
    images.view.shape = dv_shape_make((int64_t[]){1, 2, 5, 5}, 4);
    rows.view.shape = dv_shape_make((int64_t[]){2, 5, 5}, 3);
    dv_tensor_id s = BUILD_OP(graph, DV_OP_MATMUL, build_none(), "scores", q, k);
    s = BUILD_OP(graph, DV_OP_DIV, build_none(), "small", s, cap);
    s = BUILD_OP(graph, DV_OP_TANH, build_none(), "capped", s);
    s = BUILD_OP(graph, DV_OP_MUL, build_none(), "large", s, cap);
    s = BUILD_OP(graph, DV_OP_ADD, build_none(), "biased", s, m);
    s = BUILD_OP(graph, DV_OP_VIEW, images, "images", s);
    s = BUILD_OP(graph, DV_OP_SUB, build_none(), "masked", s, m);
    s = BUILD_OP(graph, DV_OP_VIEW, rows, "rows", s);
    s = BUILD_OP(graph, DV_OP_SOFTMAX, build_axis(-1), "weights", s);
    dv_tensor_id test = BUILD_OP(graph, DV_OP_ISNAN, build_none(), "test", s);
    s = BUILD_OP(graph, DV_OP_WHERE, build_none(), "guarded", test, zero, s);
    graph = lowered(build_finish(graph, BUILD_OP(graph, DV_OP_MATMUL, build_none(), "y", s, v)));
    CU_ASSERT_EQUAL(graph->unit_count, 1);
    dv_graph_destroy(graph);
}

/* x / sqrt(mean(x x) + eps) * weight */
static void test_an_rms_norm_that_divides_is_one_unit(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 3x8");
    dv_tensor_id eps = build_fill(graph, "eps", "f32 scalar", 1e-6);
    dv_tensor_id weight = build_random(graph, "w", "f32 8", 3, 1, 0);
    dv_op_params last = {.reduce = {.axes = {-1}, .count = 1, .keep_dims = true}};
    dv_tensor_id s = BUILD_OP(graph, DV_OP_MUL, build_none(), "square", x, x);
    s = BUILD_OP(graph, DV_OP_MEAN, last, "mean", s);
    s = BUILD_OP(graph, DV_OP_ADD, build_none(), "sum", s, eps);
    s = BUILD_OP(graph, DV_OP_SQRT, build_none(), "root", s);
    s = BUILD_OP(graph, DV_OP_DIV, build_none(), "norm", x, s);
    graph = lowered(build_finish(graph, BUILD_OP(graph, DV_OP_MUL, build_none(), "y", s, weight)));
    CU_ASSERT_EQUAL(graph->unit_count, 1);
    dv_graph_destroy(graph);
}

DV_SUITE(lower_fuse, DV_TEST(test_a_residual_block_is_three_units),
         DV_TEST(test_a_result_that_others_need_ends_its_unit),
         DV_TEST(test_one_activation_a_unit_and_views_for_free),
         DV_TEST(test_movement_and_softmax_take_no_activation),
         DV_TEST(test_units_cover_all_operators_and_keep_the_order),
         DV_TEST(test_attention_of_core_aten_is_a_unit),
         DV_TEST(test_attention_rms_norm_and_rotary_positions_are_units),
         DV_TEST(test_attention_whose_weights_are_an_output_is_no_block),
         DV_TEST(test_attention_with_a_cap_masks_and_a_guard_is_one_unit),
         DV_TEST(test_an_rms_norm_that_divides_is_one_unit));
