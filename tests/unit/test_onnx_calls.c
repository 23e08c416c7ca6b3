/* test_onnx_calls.c - a model's own functions are built in place of their calls. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/graph_builder.h"
#include "tests/onnx_writer.h"
#include "tests/suite.h"

enum { TYPE_FLOAT = 1, TYPE_INT = 2 };

/* y = leaky(x), with alpha the function's own attribute, 0.25 unless the call says more. */
static void add_leaky(onnx_writer *w)
{
    dv_text alpha = {0};
    pb_string(&alpha, 1, "slope");
    pb_float(&alpha, 2, 0.25f);
    pb_int(&alpha, 20, TYPE_FLOAT);
    onnx_writer body = onnx_begin(13);
    onnx_node(&body, "LeakyRelu", "X", "inner");
    onnx_attr_refers(&body, "alpha", TYPE_FLOAT, "slope");
    onnx_node(&body, "Neg", "inner", "Y");
    onnx_function(w, "leaky", "X", "Y", "", &alpha, &body);
    dv_text_free(&alpha);
}

static onnx_writer begin(void)
{
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "2,3");
    return w;
}

static dv_graph *loaded(onnx_writer *w)
{
    onnx_output(w, "y", ONNX_FLOAT, NULL);
    dv_graph *graph = onnx_loaded(w);
    onnx_free(w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    return graph;
}

static void a_call_becomes_the_body_named_after_the_call(void)
{
    onnx_writer w = begin();
    add_leaky(&w);
    onnx_named_node(&w, "act", "local", "leaky", "x", "y");
    onnx_attr_float(&w, "slope", 0.5f);
    dv_graph *graph = loaded(&w);
    CU_ASSERT_EQUAL(graph->op_count, 2);
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_LEAKY_RELU);
    CU_ASSERT_EQUAL(graph->ops[0].params.scalar.alpha, 0.5);
    CU_ASSERT_STRING_EQUAL(graph->ops[0].name, "act/inner");
    CU_ASSERT_STRING_EQUAL(graph->tensors[graph->ops[1].outputs[0]].name, "y");
    CU_ASSERT_EQUAL(graph->ops[1].debug_handle, 0);
    dv_graph_destroy(graph);
}

static void an_attribute_that_a_call_leaves_out_has_the_functions_default(void)
{
    onnx_writer w = begin();
    add_leaky(&w);
    onnx_named_node(&w, "act", "local", "leaky", "x", "y");
    dv_graph *graph = loaded(&w);
    CU_ASSERT_EQUAL(graph->ops[0].params.scalar.alpha, 0.25);
    dv_graph_destroy(graph);
}

static void an_optional_attribute_without_a_default_is_left_out(void)
{
    onnx_writer w = begin(), body = onnx_begin(13);
    onnx_node(&body, "Softmax", "X", "Y");
    onnx_attr_refers(&body, "axis", TYPE_INT, "axis");
    onnx_function(&w, "soft", "X", "Y", "axis", NULL, &body);
    onnx_named_node(&w, NULL, "local", "soft", "x", "y");
    dv_graph *graph = loaded(&w);
    CU_ASSERT_EQUAL(first_of(graph, DV_OP_SOFTMAX)->params.axis.axis, -1);
    dv_graph_destroy(graph);
}

static void calls_nest_and_each_has_names_of_its_own(void)
{
    onnx_writer w = begin(), body = onnx_begin(13);
    add_leaky(&w);
    onnx_named_node(&body, "first", "local", "leaky", "A", "h");
    onnx_attr_refers(&body, "slope", TYPE_FLOAT, "s");
    onnx_named_node(&body, "second", "local", "leaky", "h", "B");
    onnx_function(&w, "twice", "A", "B", "s", NULL, &body);
    onnx_named_node(&w, "p", "local", "twice", "x", "h");
    onnx_attr_float(&w, "s", 0.125f);
    onnx_named_node(&w, "q", "local", "twice", "h", "y");
    onnx_attr_float(&w, "s", 0.75f);
    dv_graph *graph = loaded(&w);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_LEAKY_RELU), 4);
    CU_ASSERT_EQUAL(op_named(graph, "p/first/inner")->params.scalar.alpha, 0.125);
    CU_ASSERT_EQUAL(op_named(graph, "p/second/inner")->params.scalar.alpha, 0.25);
    CU_ASSERT_EQUAL(op_named(graph, "q/first/inner")->params.scalar.alpha, 0.75);
    dv_graph_destroy(graph);
}

static void a_function_is_of_the_operator_set_that_it_imports(void)
{
    onnx_writer w = begin(), body = onnx_begin(11);
    onnx_node(&body, "Unsqueeze", "X", "Y"); /* axes are an input since operator set 13 */
    onnx_attr_ints(&body, "axes", "0");
    onnx_function(&w, "wrap", "X", "Y", "", NULL, &body);
    onnx_named_node(&w, NULL, "local", "wrap", "x", "y");
    dv_graph *graph = loaded(&w);
    CU_ASSERT_EQUAL(first_of(graph, DV_OP_UNSQUEEZE)->params.axes.count, 1);
    dv_graph_destroy(graph);
}

static void an_input_that_a_call_leaves_out_is_left_out_inside(void)
{
    onnx_writer w = begin(), body = onnx_begin(13);
    static const float six = 6;
    onnx_node(&body, "Clip", "X low high", "Y");
    onnx_function(&w, "clip", "X low high", "Y", "", NULL, &body);
    onnx_floats(&w, "six", "", &six);
    onnx_named_node(&w, NULL, "local", "clip", "x - six", "y");
    dv_graph *graph = loaded(&w);
    const dv_op *clamp = first_of(graph, DV_OP_CLAMP);
    CU_ASSERT_PTR_NOT_NULL_FATAL(clamp);
    CU_ASSERT_TRUE(clamp->input_count == 3 ? clamp->inputs[1] == DV_NONE
                                           : isinf(clamp->params.clamp.min));
    dv_graph_destroy(graph);
}

static void an_input_may_be_passed_on_as_an_output(void)
{
    onnx_writer w = begin(), body = onnx_begin(13);
    onnx_node(&body, "Relu", "X", "R");
    onnx_function(&w, "both", "X", "X R", "", NULL, &body);
    onnx_named_node(&w, NULL, "local", "both", "x", "same relu");
    onnx_node(&w, "Add", "same relu", "y");
    dv_graph *graph = loaded(&w);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_IDENTITY), 1);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_RELU), 1);
    dv_graph_destroy(graph);
}

static void a_function_that_calls_itself_is_refused(void)
{
    onnx_writer w = begin(), a = onnx_begin(13), b = onnx_begin(13);
    onnx_named_node(&a, NULL, "local", "b", "X", "Y");
    onnx_named_node(&b, NULL, "local", "a", "X", "Y");
    onnx_function(&w, "a", "X", "Y", "", NULL, &a);
    onnx_function(&w, "b", "X", "Y", "", NULL, &b);
    onnx_named_node(&w, NULL, "local", "a", "x", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    onnx_refused(&w, DV_BAD_INPUT, "function 'a' calls itself");
}

/* 20 functions that each call the one before 8 times would be 8^20 nodes. */
static void functions_that_unfold_without_end_are_refused(void)
{
    onnx_writer w = begin();
    for (int level = 0; level < 20; level++) {
        char name[16], before[16], in[16], out[16];
        onnx_writer body = onnx_begin(13);
        snprintf(name, sizeof name, "f%d", level);
        snprintf(before, sizeof before, "f%d", level - 1);
        for (int i = 0; i < 8; i++) {
            snprintf(in, sizeof in, i == 0 ? "X" : "t%d", i);
            snprintf(out, sizeof out, i == 7 ? "Y" : "t%d", i + 1);
            onnx_named_node(&body, NULL, level ? "local" : NULL, level ? before : "Relu", in, out);
        }
        onnx_function(&w, name, "X", "Y", "", NULL, &body);
    }
    onnx_named_node(&w, NULL, "local", "f19", "x", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    onnx_refused(&w, DV_BAD_INPUT, "unfold into more than");
}

/* Each of the body's nodes would have the name of the call in front of its own. */
static void a_call_with_a_giant_name_is_refused(void)
{
    enum { NODES = 600, LENGTH = 20000 };
    static char name[LENGTH + 1];
    onnx_writer w = begin(), body = onnx_begin(13);
    memset(name, 'n', LENGTH);
    for (int i = 0; i < NODES; i++) {
        char in[16], out[16];
        snprintf(in, sizeof in, i == 0 ? "X" : "t%d", i);
        snprintf(out, sizeof out, i == NODES - 1 ? "Y" : "t%d", i + 1);
        onnx_node(&body, "Relu", in, out);
    }
    onnx_function(&w, "long", "X", "Y", "", NULL, &body);
    onnx_named_node(&w, name, "local", "long", "x", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    onnx_refused(&w, DV_BAD_INPUT, "unfold into more than");
}

static void a_call_with_too_many_inputs_is_refused(void)
{
    onnx_writer w = begin();
    add_leaky(&w);
    onnx_named_node(&w, "act", "local", "leaky", "x x", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    onnx_refused(&w, DV_BAD_INPUT, "node 0 'act' (leaky): it has 2 inputs and 1 outputs");
}

static void a_reference_outside_of_functions_is_refused(void)
{
    onnx_writer w = begin();
    onnx_node(&w, "LeakyRelu", "x", "y");
    onnx_attr_refers(&w, "alpha", TYPE_FLOAT, "slope");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    onnx_refused(&w, DV_BAD_INPUT, "attribute 'alpha' refers to an attribute of a function");
}

DV_SUITE(load_onnx_calls, DV_TEST(a_call_becomes_the_body_named_after_the_call),
         DV_TEST(an_attribute_that_a_call_leaves_out_has_the_functions_default),
         DV_TEST(an_optional_attribute_without_a_default_is_left_out),
         DV_TEST(calls_nest_and_each_has_names_of_its_own),
         DV_TEST(a_function_is_of_the_operator_set_that_it_imports),
         DV_TEST(an_input_that_a_call_leaves_out_is_left_out_inside),
         DV_TEST(an_input_may_be_passed_on_as_an_output),
         DV_TEST(a_function_that_calls_itself_is_refused),
         DV_TEST(a_call_with_a_giant_name_is_refused),
         DV_TEST(functions_that_unfold_without_end_are_refused),
         DV_TEST(a_call_with_too_many_inputs_is_refused),
         DV_TEST(a_reference_outside_of_functions_is_refused));
