/* test_onnx.c - from the nodes of a file to the operators of a graph. */
#include "load/load.h"

#include <string.h>

#include "tests/graph_builder.h"
#include "tests/onnx_writer.h"
#include "tests/suite.h"

static const float ones[64] = {1, 1, 1, 1};

static void a_network_keeps_its_names_order_and_origin(void)
{
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "1,3");
    onnx_floats(&w, "w", "3,2", ones);
    onnx_named_node(&w, "fc", NULL, "MatMul", "x w", "h");
    onnx_node(&w, "Relu", "h", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_graph *graph = onnx_loaded(&w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT_STRING_EQUAL(graph->name, "test");
    CU_ASSERT_STRING_EQUAL(graph->format, "onnx");
    CU_ASSERT_STRING_EQUAL(graph->about, "opset 13, IR version 8, by divvy tests");
    CU_ASSERT_EQUAL(strlen(dv_graph_sha256(graph)), 64);
    CU_ASSERT_EQUAL_FATAL(graph->op_count, 2);
    CU_ASSERT_STRING_EQUAL(graph->ops[0].name, "fc");
    CU_ASSERT_STRING_EQUAL(graph->ops[0].source_type, "MatMul");
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_MATMUL);
    CU_ASSERT_STRING_EQUAL(graph->ops[1].name, "y"); /* no name: its first output's */
    CU_ASSERT_EQUAL(graph->ops[1].debug_handle, 1);
    CU_ASSERT_EQUAL(graph->input_count, 1);
    CU_ASSERT_EQUAL(graph->output_count, 1);
    dv_graph_destroy(graph);
    onnx_free(&w);
}

/* Files of IR version 3 had to list them. */
static void initialisers_among_the_inputs_are_not_the_hosts(void)
{
    onnx_writer w = onnx_begin(6);
    onnx_input(&w, "x", ONNX_FLOAT, "1,3");
    onnx_input(&w, "w", ONNX_FLOAT, "3,2");
    onnx_floats(&w, "w", "3,2", ones);
    onnx_node(&w, "MatMul", "x w", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_graph *graph = onnx_loaded(&w);
    CU_ASSERT_EQUAL(graph->input_count, 1);
    CU_ASSERT_STRING_EQUAL(graph->tensors[graph->inputs[0]].name, "x");
    dv_graph_destroy(graph);
    onnx_free(&w);
}

static void constant_nodes_become_constants(void)
{
    const float values[] = {1, 2};
    dv_text tensor = {0};
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "2");
    onnx_node(&w, "Constant", "", "a");
    onnx_tensor(&tensor, NULL, ONNX_FLOAT, "2", values, sizeof values);
    onnx_attr_tensor(&w, "value", &tensor);
    onnx_node(&w, "Constant", "", "b");
    onnx_attr_ints(&w, "value_ints", "3,-4");
    onnx_node(&w, "Constant", "", "c");
    onnx_attr_float(&w, "value_float", 0.5f);
    onnx_node(&w, "Constant", "", "d");
    onnx_attr_int(&w, "value_int", 9);
    onnx_node(&w, "Constant", "", "e");
    onnx_attr_floats(&w, "value_floats", "0.25,8");
    onnx_node(&w, "Sum", "x a c e", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_graph *graph = onnx_loaded(&w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_ADD), 3);
    CU_ASSERT_EQUAL(graph->op_count, 3);
    CU_ASSERT_STRING_EQUAL(type_of(graph, "a"), "f32 2");
    CU_ASSERT_STRING_EQUAL(type_of(graph, "b"), "i64 2");
    CU_ASSERT_STRING_EQUAL(type_of(graph, "c"), "f32 scalar");
    CU_ASSERT_STRING_EQUAL(type_of(graph, "d"), "i64 scalar");
    CU_ASSERT_STRING_EQUAL(type_of(graph, "e"), "f32 2");
    dv_graph_destroy(graph);
    dv_text_free(&tensor);
    onnx_free(&w);
}

static void an_unknown_operator_stays_visible_with_its_reason(void)
{
    onnx_writer w = onnx_begin(17);
    onnx_input(&w, "x", ONNX_FLOAT, "2");
    onnx_node(&w, "Frobnicate", "x", "h");
    onnx_named_node(&w, "odd", "com.example", "Relu", "h", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_graph *graph = onnx_loaded(&w);
    CU_ASSERT_EQUAL_FATAL(count_of(graph, DV_OP_OPAQUE), 2);
    CU_ASSERT_STRING_EQUAL(op_named(graph, "h")->reason,
                           "operator Frobnicate (ai.onnx, opset 17) is not supported");
    CU_ASSERT_STRING_EQUAL(op_named(graph, "odd")->reason,
                           "operator Relu (com.example, opset 1) is not supported");
    dv_graph_destroy(graph);
    onnx_free(&w);
}

/* What a row of the table does not know could change the meaning. */
static void an_unknown_attribute_leaves_the_node_opaque(void)
{
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "2");
    onnx_node(&w, "Relu", "x", "y");
    onnx_attr_float(&w, "slope", 1);
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_graph *graph = onnx_loaded(&w);
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_OPAQUE);
    CU_ASSERT_STRING_EQUAL(graph->ops[0].reason, "attribute 'slope' (opset 13) is not supported");
    dv_graph_destroy(graph);
    onnx_free(&w);
}

static void outputs_that_nobody_reads_are_not_asked_for(void)
{
    onnx_writer w = onnx_begin(9);
    onnx_input(&w, "x", ONNX_FLOAT, "2,4,8,8");
    onnx_node(&w, "Dropout", "x", "h mask");
    onnx_node(&w, "Relu", "h", "y more");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    onnx_output(&w, "more", ONNX_INT64, NULL);
    dv_graph *graph = onnx_loaded(&w);
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_IDENTITY);
    CU_ASSERT_EQUAL(graph->ops[1].kind, DV_OP_OPAQUE);
    CU_ASSERT_STRING_EQUAL(graph->ops[1].reason,
                           "its output 1 'more' is used, which is not supported");
    dv_graph_destroy(graph);
    onnx_free(&w);
}

/* An opaque Loop stays behind what its body reads. */
static void names_that_inner_graphs_read_are_inputs(void)
{
    dv_text body = onnx_inner_graph("Relu", "outer", "inner");
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "n", ONNX_INT64, "");
    onnx_input(&w, "x", ONNX_FLOAT, "2");
    onnx_node(&w, "Relu", "x", "outer");
    onnx_node(&w, "Loop", "n", "y");
    onnx_attr_graph(&w, "body", &body);
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_graph *graph = onnx_loaded(&w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT_EQUAL(graph->ops[1].kind, DV_OP_OPAQUE);
    CU_ASSERT_EQUAL_FATAL(graph->ops[1].input_count, 2);
    CU_ASSERT_STRING_EQUAL(graph->tensors[graph->ops[1].inputs[1]].name, "outer");
    dv_graph_destroy(graph);
    onnx_free(&w);
    dv_text_free(&body);
}

static void nesting_without_end_is_refused(void)
{
    dv_text graph = {0};
    for (int depth = 0; depth < 1000; depth++) {
        dv_text attribute = {0}, node = {0}, outer = {0};
        pb_string(&attribute, 1, "body");
        pb_message(&attribute, 6, &graph);
        pb_string(&node, 4, "Loop");
        pb_message(&node, 5, &attribute);
        pb_message(&outer, 1, &node);
        dv_text_free(&graph);
        dv_text_free(&attribute);
        dv_text_free(&node);
        graph = outer;
    }
    onnx_writer w = onnx_begin(13);
    onnx_node(&w, "Loop", "", "y");
    onnx_attr_graph(&w, "body", &graph);
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_text_free(&graph);
    onnx_refused(&w, DV_BAD_INPUT, "graphs are nested more than 32 deep");
}

static void faults_of_the_graph_name_the_node(void)
{
    onnx_writer w = onnx_begin(13);
    onnx_node(&w, "Add", "a b", "c");
    onnx_node(&w, "Add", "c c", "b");
    onnx_output(&w, "b", ONNX_FLOAT, NULL);
    onnx_refused(&w, DV_BAD_INPUT, "node 0 'c' (Add): nothing makes its input 'a'");

    w = onnx_begin(13);
    onnx_input(&w, "a", ONNX_FLOAT, "1");
    onnx_node(&w, "Add", "a b", "c");
    onnx_node(&w, "Add", "c c", "b");
    onnx_output(&w, "b", ONNX_FLOAT, NULL);
    onnx_refused(&w, DV_BAD_INPUT, "node 0 'c' (Add) lies on a cycle or behind one");

    w = onnx_begin(13);
    onnx_input(&w, "a", ONNX_FLOAT, "1");
    onnx_node(&w, "Relu", "a", "b");
    onnx_named_node(&w, "again", NULL, "Relu", "a", "b");
    onnx_output(&w, "b", ONNX_FLOAT, NULL);
    onnx_refused(&w, DV_BAD_INPUT, "node 1 'again' (Relu): its output 'b' is already made");

    w = onnx_begin(13);
    onnx_input(&w, "a", ONNX_FLOAT, "1");
    onnx_named_node(&w, "one", NULL, "Add", "a", "b");
    onnx_output(&w, "b", ONNX_FLOAT, NULL);
    onnx_refused(&w, DV_BAD_INPUT, "node 0 'one' (Add): its input 1 is missing");

    w = onnx_begin(13);
    onnx_input(&w, "a", ONNX_FLOAT, "1");
    onnx_output(&w, "b", ONNX_FLOAT, NULL);
    onnx_refused(&w, DV_BAD_INPUT, "nothing makes the output 'b'");

    w = onnx_begin(13);
    onnx_input(&w, "a", ONNX_FLOAT, "1");
    onnx_refused(&w, DV_BAD_INPUT, "the graph has no outputs");

    w = onnx_begin(13);
    onnx_floats(&w, "a", "1", ones);
    onnx_floats(&w, "a", "2", ones);
    onnx_output(&w, "a", ONNX_FLOAT, NULL);
    onnx_refused(&w, DV_BAD_INPUT, "initialiser 'a': the name is given twice");
}

static void names_with_quotes_and_spaces_survive(void)
{
    const char *name = "{\"1\": \"1_minute_timer\"}";
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "2");
    dv_text node = {0};
    pb_string(&node, 1, "x");
    pb_string(&node, 2, name);
    pb_string(&node, 4, "Relu");
    onnx_graph_field(&w, 1, &node);
    onnx_output(&w, name, ONNX_FLOAT, NULL);
    dv_graph *graph = onnx_loaded(&w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT_STRING_EQUAL(graph->ops[0].name, name);
    CU_ASSERT_STRING_EQUAL(graph->tensors[graph->outputs[0]].name, name);
    dv_graph_destroy(graph);
    onnx_free(&w);
    dv_text_free(&node);
}

DV_SUITE(load_onnx, DV_TEST(a_network_keeps_its_names_order_and_origin),
         DV_TEST(initialisers_among_the_inputs_are_not_the_hosts),
         DV_TEST(constant_nodes_become_constants),
         DV_TEST(an_unknown_operator_stays_visible_with_its_reason),
         DV_TEST(an_unknown_attribute_leaves_the_node_opaque),
         DV_TEST(outputs_that_nobody_reads_are_not_asked_for),
         DV_TEST(names_that_inner_graphs_read_are_inputs), DV_TEST(nesting_without_end_is_refused),
         DV_TEST(faults_of_the_graph_name_the_node), DV_TEST(names_with_quotes_and_spaces_survive));
