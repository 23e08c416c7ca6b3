/* The passes as a whole: order, dumps, names, handles, size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/zoo/zoo.h"
#include "tests/lowering.h"

static dv_graph *small(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 1x3x8x8");
    dv_tensor_id w = build_random(graph, "w", "f32 4x3x3x3", 1, 1, 0);
    dv_tensor_id a = BUILD_OP(graph, DV_OP_CONVOLUTION, build_conv(2, 1, 1), "conv", x, w);
    return build_finish(graph, BUILD_OP(graph, DV_OP_RELU, build_none(), "it's\n", a));
}

static void test_a_graph_is_printed_one_operator_a_line(void)
{
    dv_graph *graph = lowered(small());
    char *text = printed(graph);
    CU_ASSERT_STRING_EQUAL(
        text, "   0 %conv f32[1x4x4x4] = aten.convolution.default(%x, %w) groups=1 stride=2,2 "
              "dilation=1,1 pad_begin=1,1 pad_end=1,1 'conv' unit 0\n"
              "   1 %it\\x27s\\x0a f32[1x4x4x4] = aten.relu.default(%conv) 'it\\x27s\\x0a' unit "
              "0\n");
    free(text);
    dv_graph_destroy(graph);
}

typedef struct dumps {
    char names[256];
    uint32_t units;
} dumps;

static void note(void *context, const char *pass, const dv_graph *graph)
{
    dumps *seen = context;
    size_t length = strlen(seen->names);
    snprintf(seen->names + length, sizeof seen->names - length, "%s ", pass);
    seen->units = graph->unit_count;
}

static void test_dumps_come_after_the_pass_asked_for(void)
{
    dv_graph *graph = small(), *out = NULL;
    dumps seen = {0};
    dv_lower_options options = {.dump_after = "all", .dump = note, .context = &seen};
    CU_ASSERT_EQUAL_FATAL(dv_lower(graph, &options, &out), DV_OK);
    CU_ASSERT_STRING_EQUAL(seen.names, "infer canon recognise affine quantise fuse ");
    CU_ASSERT_EQUAL(seen.units, 1);
    dv_graph_destroy(out);

    seen = (dumps){0};
    options.dump_after = "infer";
    CU_ASSERT_EQUAL_FATAL(dv_lower(graph, &options, &out), DV_OK);
    CU_ASSERT_STRING_EQUAL(seen.names, "infer ");
    CU_ASSERT_EQUAL(seen.units, 0);
    dv_graph_destroy(out);
    dv_graph_destroy(graph);
}

static void test_every_pass_can_be_found_and_says_what_it_does(void)
{
    size_t count = 0;
    for (; dv_pass_at(count); count++)
        CU_ASSERT_TRUE(dv_pass_at(count)->name[0] && dv_pass_at(count)->summary[0]);
    CU_ASSERT_EQUAL(count, 6);
}

static void test_operators_go_by_their_source_name_and_handle(void)
{
    dv_graph *graph = small();
    dv_graph_op_mutable(graph, 0)->debug_handle = 41;
    graph = lowered(graph);
    CU_ASSERT_EQUAL(op_named(graph, "conv")->debug_handle, 41);
    CU_ASSERT_STRING_EQUAL(op_named(graph, "conv")->source_type, "aten.convolution.default");
    dv_graph_destroy(graph);
}

static void test_a_network_without_operators_is_lowered(void)
{
    dv_graph *graph = build_graph();
    build_input(graph, "x", "f32 2");
    graph = lowered(build_finish(graph, DV_NONE));
    CU_ASSERT_EQUAL(graph->op_count, 0);
    CU_ASSERT_EQUAL(graph->unit_count, 0);
    CU_ASSERT_EQUAL(graph->input_count, 1);
    dv_graph_destroy(graph);
}

static void test_a_chain_of_100000_operators_is_lowered_whole(void)
{
    enum { LENGTH = 100000 };
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 4"), first = x;
    char name[32];
    for (int i = 0; i < LENGTH; i++) {
        snprintf(name, sizeof name, "op%d", i);
        if (i % 4 == 3)
            x = BUILD_OP(graph, DV_OP_IDENTITY, build_none(), name, x);
        else if (i % 2)
            x = BUILD_OP(graph, DV_OP_ADD, build_none(), name, x, first);
        else
            x = BUILD_OP(graph, DV_OP_SIGMOID, build_none(), name, x);
    }
    graph = lowered(build_finish(graph, x));
    CU_ASSERT_EQUAL(graph->op_count, LENGTH * 3 / 4);
    CU_ASSERT_EQUAL(graph->unit_count, LENGTH / 2); /* every sum takes the sigmoid behind it */
    dv_graph_destroy(graph);
}

static void test_a_chain_of_views_of_views_collapses_in_one_round(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 4x6");
    char name[32];
    for (int i = 0; i < 1000; i++) {
        dv_op_params shape = {
            .view = {.shape = {.rank = 2, .dim = {i % 2 ? 4 : 6, i % 2 ? 6 : 4}}}};
        snprintf(name, sizeof name, "v%d", i);
        x = BUILD_OP(graph, DV_OP_VIEW, shape, name, x);
    }
    graph = lowered(build_finish(graph, BUILD_OP(graph, DV_OP_EXP, build_none(), "y", x)));
    CU_ASSERT_EQUAL(graph->op_count, 1);
    dv_graph_destroy(graph);
}

static void test_every_zoo_network_is_lowered_to_core_form(void)
{
    for (size_t i = 0; dv_zoo_at(i); i++) {
        dv_graph *graph = NULL;
        CU_ASSERT_EQUAL_FATAL(dv_zoo_build(dv_zoo_at(i)->name, &graph), DV_OK);
        graph = lowered(graph);
        for (dv_op_id o = 0; o < graph->op_count; o++) {
            const dv_op_info *info = dv_op_info_of(graph->ops[o].kind);
            CU_ASSERT_TRUE(graph->ops[o].input_count <= info->most_inputs);
            CU_ASSERT_NOT_EQUAL(info->family, DV_FAMILY_PLUMBING);
        }
        for (dv_tensor_id t = 0; t < graph->tensor_count; t++)
            CU_ASSERT_TRUE(dv_shape_known(&graph->tensors[t].shape));
        CU_ASSERT_TRUE(graph->unit_count > 0 && graph->unit_count <= graph->op_count);
        dv_graph_destroy(graph);
    }
}

DV_SUITE(lower_lower, DV_TEST(test_a_graph_is_printed_one_operator_a_line),
         DV_TEST(test_dumps_come_after_the_pass_asked_for),
         DV_TEST(test_every_pass_can_be_found_and_says_what_it_does),
         DV_TEST(test_operators_go_by_their_source_name_and_handle),
         DV_TEST(test_a_network_without_operators_is_lowered),
         DV_TEST(test_a_chain_of_100000_operators_is_lowered_whole),
         DV_TEST(test_a_chain_of_views_of_views_collapses_in_one_round),
         DV_TEST(test_every_zoo_network_is_lowered_to_core_form));
