/* test_onnx_branches.c - an If loads as its branches, and lowering takes the right one. */
#include <string.h>

#include "lower/lower.h"
#include "tests/graph_builder.h"
#include "tests/onnx_writer.h"
#include "tests/suite.h"

static onnx_writer model_with_if(void)
{
    dv_text then_branch = onnx_inner_graph("Relu", "outer", "same");
    dv_text else_branch = onnx_inner_graph("Neg", "outer", "same");
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "2");
    onnx_node(&w, "Abs", "x", "outer");
    onnx_node(&w, "If", "c", "y");
    onnx_attr_graph(&w, "then_branch", &then_branch);
    onnx_attr_graph(&w, "else_branch", &else_branch);
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_text_free(&then_branch);
    dv_text_free(&else_branch);
    return w;
}

static void an_if_becomes_a_choice_between_both_branches(void)
{
    onnx_writer w = model_with_if();
    onnx_input(&w, "c", ONNX_BOOL, "1,1");
    dv_graph *graph = onnx_loaded(&w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    const dv_op *choice = first_of(graph, DV_OP_WHERE);
    CU_ASSERT_PTR_NOT_NULL_FATAL(choice);
    CU_ASSERT_EQUAL_FATAL(choice->input_count, 3);
    CU_ASSERT_TRUE(choice->params.flag.on);
    CU_ASSERT_STRING_EQUAL(graph->tensors[choice->inputs[0]].name, "c");
    CU_ASSERT_EQUAL(graph->ops[graph->producer[choice->inputs[1]]].kind, DV_OP_RELU);
    CU_ASSERT_EQUAL(graph->ops[graph->producer[choice->inputs[2]]].kind, DV_OP_NEG);
    CU_ASSERT_EQUAL(choice->debug_handle, 1);
    CU_ASSERT_EQUAL(first_of(graph, DV_OP_NEG)->debug_handle, 1);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_OPAQUE), 0);
    dv_graph_destroy(graph);
    onnx_free(&w);
}

static void an_if_of_a_constant_is_the_branch_it_takes(void)
{
    for (uint8_t truth = 0; truth < 2; truth++) {
        onnx_writer w = model_with_if();
        onnx_raw(&w, "c", ONNX_BOOL, "1", &truth, 1);
        dv_graph *graph = onnx_loaded(&w);
        CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
        CU_ASSERT_EQUAL(count_of(graph, DV_OP_RELU), truth);
        CU_ASSERT_EQUAL(count_of(graph, DV_OP_NEG), !truth);
        CU_ASSERT_EQUAL(count_of(graph, DV_OP_IDENTITY), 1);
        dv_graph_destroy(graph);
        onnx_free(&w);
    }
}

/* If(x.shape[1] == 1, Squeeze(x, 1), Identity(x)), as exporters write tensor.squeeze(1). */
static onnx_writer squeeze_if_one(const char *dims)
{
    static const int64_t one = 1;
    dv_text then_branch = onnx_inner_graph("Squeeze", "x one", "thin");
    dv_text else_branch = onnx_inner_graph("Identity", "x", "as_is");
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, dims);
    onnx_longs(&w, "one", "1", &one);
    onnx_node(&w, "Shape", "x", "shape");
    onnx_node(&w, "Gather", "shape one", "size");
    onnx_node(&w, "Equal", "size one", "c");
    onnx_node(&w, "If", "c", "y");
    onnx_attr_graph(&w, "then_branch", &then_branch);
    onnx_attr_graph(&w, "else_branch", &else_branch);
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_text_free(&then_branch);
    dv_text_free(&else_branch);
    return w;
}

static void expect_lowered(onnx_writer *w, const char *type)
{
    dv_graph *graph = onnx_loaded(w), *lowered = NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT_EQUAL(dv_lower(graph, NULL, &lowered), DV_OK);
    if (lowered)
        CU_ASSERT_STRING_EQUAL(type_of(lowered, "y"), type);
    dv_graph_destroy(lowered);
    dv_graph_destroy(graph);
    onnx_free(w);
}

static void a_choice_by_shape_has_the_shape_of_the_branch_taken(void)
{
    onnx_writer w = squeeze_if_one("2,1,3");
    expect_lowered(&w, "f32 2x3");
    w = squeeze_if_one("2,5,3"); /* where squeezing would be an error */
    expect_lowered(&w, "f32 2x5x3");
}

static void branches_of_different_shapes_need_a_known_condition(void)
{
    dv_text then_branch = onnx_inner_graph("Squeeze", "x", "thin");
    dv_text else_branch = onnx_inner_graph("Identity", "x", "as_is");
    onnx_writer w = onnx_begin(11);
    onnx_input(&w, "x", ONNX_FLOAT, "2,1,3");
    onnx_input(&w, "c", ONNX_BOOL, "");
    onnx_named_node(&w, "which", NULL, "If", "c", "y");
    onnx_attr_graph(&w, "then_branch", &then_branch);
    onnx_attr_graph(&w, "else_branch", &else_branch);
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_graph *graph = onnx_loaded(&w), *lowered = NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT_EQUAL(dv_lower(graph, NULL, &lowered), DV_BAD_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "'which' (If): its branches make f32 2x3 and f32 "
                                                "2x1x3"));
    dv_graph_destroy(graph);
    onnx_free(&w);
    dv_text_free(&then_branch);
    dv_text_free(&else_branch);
}

DV_SUITE(load_onnx_branches, DV_TEST(an_if_becomes_a_choice_between_both_branches),
         DV_TEST(an_if_of_a_constant_is_the_branch_it_takes),
         DV_TEST(a_choice_by_shape_has_the_shape_of_the_branch_taken),
         DV_TEST(branches_of_different_shapes_need_a_known_condition));
