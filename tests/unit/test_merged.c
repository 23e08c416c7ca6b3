/* test_merged.c - what became of operators that lowering merged into others or computed. */
#include <string.h>

#include "tests/lowering.h"

static const dv_merged *merged_named(const dv_graph *graph, const char *name)
{
    for (uint32_t i = 0; i < graph->merged_count; i++)
        if (strcmp(graph->merged[i].name, name) == 0)
            return &graph->merged[i];
    return NULL;
}

static const char *goes_with(const dv_graph *graph, const char *name)
{
    const dv_merged *merged = merged_named(graph, name);
    return !merged ? "not merged" : merged->into == DV_NONE ? "" : graph->ops[merged->into].name;
}

/* A batch norm goes with the convolution it is folded into, what does nothing with its maker. */
static void test_folded_operators_go_with_what_made_their_input(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 1x3x8x8");
    dv_tensor_id w = build_random(graph, "w", "f32 4x3x3x3", 1, 0.5, 0);
    dv_tensor_id one = build_fill(graph, "one", "f32 4", 1.5);
    dv_tensor_id y = BUILD_OP(graph, DV_OP_CONVOLUTION, build_conv(1, 1, 1), "conv", x, w);
    y = BUILD_OP(graph, DV_OP_BATCH_NORM, build_norm(1e-5, 0), "norm", y, one, one, one, one);
    y = BUILD_OP(graph, DV_OP_IDENTITY, build_none(), "drop", y);
    y = BUILD_OP(graph, DV_OP_RELU, build_none(), "act", y);
    graph = lowered(build_finish(graph, y));
    CU_ASSERT_STRING_EQUAL(goes_with(graph, "norm"), "conv");
    CU_ASSERT_STRING_EQUAL(goes_with(graph, "drop"), "conv");
    CU_ASSERT_STRING_EQUAL(goes_with(graph, "act"), "not merged");
    CU_ASSERT_EQUAL(graph->merged_count, 2);
    dv_graph_destroy(graph);
}

/* The parts of a SiLU go with it, not with what made its input. */
static void test_parts_go_with_what_they_were_recognised_as(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 4x4");
    dv_tensor_id w = build_random(graph, "w", "f32 4x4", 1, 0.5, 0);
    dv_tensor_id y = BUILD_OP(graph, DV_OP_LINEAR, build_linear(false), "line", x, w);
    dv_tensor_id gate = BUILD_OP(graph, DV_OP_SIGMOID, build_none(), "gate", y);
    y = BUILD_OP(graph, DV_OP_MUL, build_none(), "silu", y, gate);
    graph = lowered(build_finish(graph, y));
    CU_ASSERT_STRING_EQUAL(goes_with(graph, "gate"), "silu");
    dv_graph_destroy(graph);
}

/* What is computed from constants goes with its reader, what nothing reads nowhere. */
static void test_computed_operators_go_with_their_readers(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 4");
    dv_tensor_id two = build_fill(graph, "two", "f32 4", 2);
    dv_tensor_id four = BUILD_OP(graph, DV_OP_MUL, build_none(), "square", two, two);
    BUILD_OP(graph, DV_OP_NEG, build_none(), "unread", x);
    dv_tensor_id y = BUILD_OP(graph, DV_OP_ADD, build_none(), "sum", x, four);
    graph = lowered(build_finish(graph, y));
    CU_ASSERT_STRING_EQUAL(goes_with(graph, "square"), "sum");
    CU_ASSERT_PTR_NOT_NULL(merged_named(graph, "unread"));
    dv_graph_destroy(graph);
}

DV_SUITE(lower_merged, DV_TEST(test_folded_operators_go_with_what_made_their_input),
         DV_TEST(test_parts_go_with_what_they_were_recognised_as),
         DV_TEST(test_computed_operators_go_with_their_readers));
