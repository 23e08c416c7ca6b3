/* test_onnx_sequences.c - sequences, optionals and loops whose length shapes tell leave only
 * tensors.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/lowering.h"
#include "tests/onnx_writer.h"

static dv_graph *loaded(onnx_writer *w)
{
    dv_graph *graph = onnx_loaded(w);
    onnx_free(w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_OPAQUE), 0);
    return graph;
}

/* Runs the graph on drawn inputs and holds output o against expected(inputs, element). */
static void expect_values(dv_graph *graph, uint32_t o, double (*expected)(void **inputs, size_t i))
{
    void *inputs[32] = {NULL}, *outputs[32] = {NULL};
    size_t count = 0;
    CU_ASSERT_TRUE_FATAL(run_portable(graph, 3, 10, inputs, outputs));
    CU_ASSERT_TRUE(dv_shape_elements(&graph->tensors[graph->outputs[o]].shape, &count));
    CU_ASSERT_TRUE(count > 0);
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_DOUBLE_EQUAL(((float *)outputs[o])[i], expected(inputs, i), 1e-6);
    for (int i = 0; i < 32; i++) {
        free(inputs[i]);
        free(outputs[i]);
    }
    dv_graph_destroy(graph);
}

static double rows_backwards(void **inputs, size_t i)
{
    return (double)((const float *)inputs[0])[(1 - i / 3) * 3 + i % 3];
}

/* x is cut into its rows; the last is taken out, put in front, and all are joined again. */
static void a_sequence_is_the_tensors_in_it(void)
{
    static const int64_t last = -1, first = 0;
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "2,3");
    onnx_longs(&w, "last", "", &last);
    onnx_longs(&w, "first", "", &first);
    onnx_node(&w, "Relu", "x", "unused");
    onnx_node(&w, "Identity", "x", "same");
    onnx_node(&w, "SplitToSequence", "same", "rows");
    onnx_node(&w, "SequenceAt", "rows last", "row");
    onnx_node(&w, "SequenceErase", "rows", "shorter");
    onnx_node(&w, "SequenceInsert", "shorter row first", "turned");
    onnx_node(&w, "ConcatFromSequence", "turned", "y");
    onnx_attr_int(&w, "axis", 0);
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_graph *graph = lowered(loaded(&w));
    CU_ASSERT_STRING_EQUAL(type_of(graph, "y"), "f32 2x3");
    expect_values(graph, 0, rows_backwards);
}

static void a_sequence_that_is_an_output_is_an_output_a_tensor(void)
{
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "5,3");
    static const int64_t two = 2;
    onnx_longs(&w, "two", "", &two);
    onnx_node(&w, "SplitToSequence", "x two", "parts");
    onnx_output(&w, "parts", ONNX_FLOAT, NULL);
    dv_graph *graph = lowered(loaded(&w));
    CU_ASSERT_EQUAL(graph->output_count, 3);
    CU_ASSERT_STRING_EQUAL(type_of(graph, "parts[0]"), "f32 2x3");
    CU_ASSERT_STRING_EQUAL(type_of(graph, "parts[2]"), "f32 1x3");
    dv_graph_destroy(graph);
}

static void a_position_that_is_computed_from_data_is_named(void)
{
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "2,3");
    onnx_input(&w, "which", ONNX_INT64, "");
    onnx_node(&w, "SplitToSequence", "x", "rows");
    onnx_named_node(&w, "pick", NULL, "SequenceAt", "rows which", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_graph *graph = onnx_loaded(&w);
    onnx_free(&w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    expect_refused(graph, "'pick'|position in the sequence is computed");
}

static void a_position_outside_is_refused_by_name(void)
{
    static const int64_t two = 2;
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "2,3");
    onnx_longs(&w, "two", "", &two);
    onnx_node(&w, "SplitToSequence", "x", "rows");
    onnx_named_node(&w, "pick", NULL, "SequenceAt", "rows two", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    onnx_refused(&w, DV_BAD_INPUT, "node 1 'pick' (SequenceAt): its position is outside");
}

/* for i in range(x.size(0)): all.append(x[i] * x[i]); stack(all) */
static dv_text appending_body(void)
{
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "i", ONNX_INT64, "");
    onnx_input(&w, "go", ONNX_BOOL, "");
    onnx_input(&w, "list", ONNX_FLOAT, NULL);
    onnx_node(&w, "Gather", "x i", "row");
    onnx_node(&w, "Mul", "row row", "square");
    onnx_node(&w, "SequenceInsert", "list square", "longer");
    onnx_node(&w, "Cast", "go", "on");
    onnx_attr_int(&w, "to", ONNX_BOOL);
    onnx_output(&w, "on", ONNX_BOOL, "");
    onnx_output(&w, "longer", ONNX_FLOAT, NULL);
    return onnx_graph_of(&w);
}

static double squares(void **inputs, size_t i)
{
    double x = (double)((const float *)inputs[0])[i];
    return x * x;
}

static void a_loop_over_a_shape_fills_a_sequence(void)
{
    static const int64_t zero = 0;
    dv_text body = appending_body();
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "4,3");
    onnx_longs(&w, "zero", "", &zero);
    onnx_node(&w, "Shape", "x", "shape");
    onnx_node(&w, "Gather", "shape zero", "turns");
    onnx_node(&w, "SequenceEmpty", "", "none");
    onnx_node(&w, "Loop", "turns - none", "list");
    onnx_attr_graph(&w, "body", &body);
    onnx_node(&w, "ConcatFromSequence", "list", "y");
    onnx_attr_int(&w, "axis", 0);
    onnx_attr_int(&w, "new_axis", 1);
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_text_free(&body);
    dv_graph *graph = lowered(loaded(&w));
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_MUL), 4);
    CU_ASSERT_STRING_EQUAL(type_of(graph, "y"), "f32 4x3");
    expect_values(graph, 0, squares);
}

/* while (v < 20) v = 2 v, from 3: the condition follows from constants. */
static void a_condition_that_follows_from_constants_ends_a_loop(void)
{
    static const int64_t three = 3, twenty = 20;
    onnx_writer inner = onnx_begin(13), w = onnx_begin(13);
    onnx_input(&inner, "i", ONNX_INT64, "");
    onnx_input(&inner, "go", ONNX_BOOL, "");
    onnx_input(&inner, "v", ONNX_INT64, "");
    onnx_node(&inner, "Add", "v v", "twice");
    onnx_node(&inner, "Less", "twice twenty", "on");
    onnx_output(&inner, "on", ONNX_BOOL, "");
    onnx_output(&inner, "twice", ONNX_INT64, "");
    dv_text body = onnx_graph_of(&inner);
    onnx_input(&w, "x", ONNX_FLOAT, "2");
    onnx_longs(&w, "three", "", &three);
    onnx_longs(&w, "twenty", "", &twenty);
    onnx_node(&w, "Loop", "- - three", "v");
    onnx_attr_graph(&w, "body", &body);
    onnx_node(&w, "Cast", "v", "real");
    onnx_attr_int(&w, "to", ONNX_FLOAT);
    onnx_node(&w, "Mul", "x real", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_text_free(&body);
    dv_graph *graph = lowered(loaded(&w));
    CU_ASSERT_EQUAL(graph->op_count, 1);
    const double factor = 24; /* 3, 6, 12, 24 */
    dv_tensor_id other = graph->ops[0].inputs[1];
    CU_ASSERT_TRUE(holds(graph, other, 1, &factor));
    dv_graph_destroy(graph);
}

static double rows_from_the_end(void **inputs, size_t i)
{
    const float *x = inputs[0]; /* 2x3: turn t sees column 2 - t, outputs lie along axis 1 */
    return (double)x[(i / 3) * 3 + 2 - i % 3];
}

static void a_scan_may_go_backwards_along_any_axis(void)
{
    onnx_writer inner = onnx_begin(13), w = onnx_begin(13);
    onnx_input(&inner, "column", ONNX_FLOAT, "2");
    onnx_node(&inner, "Identity", "column", "each");
    onnx_output(&inner, "each", ONNX_FLOAT, "2");
    dv_text body = onnx_graph_of(&inner);
    onnx_input(&w, "x", ONNX_FLOAT, "2,3");
    onnx_node(&w, "Scan", "x", "y");
    onnx_attr_graph(&w, "body", &body);
    onnx_attr_int(&w, "num_scan_inputs", 1);
    onnx_attr_ints(&w, "scan_input_axes", "-1");
    onnx_attr_ints(&w, "scan_input_directions", "1");
    onnx_attr_ints(&w, "scan_output_axes", "1");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_text_free(&body);
    dv_graph *graph = lowered(loaded(&w));
    CU_ASSERT_STRING_EQUAL(type_of(graph, "y"), "f32 2x3");
    expect_values(graph, 0, rows_from_the_end);
}

static void an_optional_is_what_it_holds(void)
{
    onnx_writer w = onnx_begin(18);
    onnx_input(&w, "x", ONNX_FLOAT, "2,3");
    onnx_node(&w, "Optional", "x", "maybe");
    onnx_node(&w, "OptionalHasElement", "maybe", "there");
    dv_text then = onnx_inner_graph("Relu", "x", "a"), other = onnx_inner_graph("Neg", "x", "b");
    onnx_node(&w, "If", "there", "chosen");
    onnx_attr_graph(&w, "then_branch", &then);
    onnx_attr_graph(&w, "else_branch", &other);
    onnx_node(&w, "OptionalGetElement", "maybe", "again");
    onnx_node(&w, "Add", "chosen again", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_text_free(&then);
    dv_text_free(&other);
    dv_graph *graph = loaded(&w);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_NEG), 0); /* that branch is never taken */
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_RELU), 1);
    graph = lowered(graph);
    CU_ASSERT_STRING_EQUAL(type_of(graph, "y"), "f32 2x3");
    dv_graph_destroy(graph);
}

/* A transposition needs the rank of what a MatMul made: it follows. */
static void a_rank_in_the_middle_of_a_network_follows(void)
{
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "a", ONNX_FLOAT, "2,3,4");
    onnx_input(&w, "b", ONNX_FLOAT, "2,4,5");
    onnx_node(&w, "MatMul", "a b", "ab");
    onnx_named_node(&w, "fused", "com.microsoft", "FusedMatMul", "ab ab", "y");
    onnx_attr_int(&w, "transB", 1);
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_graph *graph = lowered(loaded(&w));
    CU_ASSERT_STRING_EQUAL(type_of(graph, "y"), "f32 2x3x3");
    dv_graph_destroy(graph);
}

/* Either output of a Split is asked about in its turn. */
static void what_follows_for_one_output_follows_for_the_others(void)
{
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "4,3");
    onnx_node(&w, "Split", "x", "a b");
    onnx_named_node(&w, "first", "com.microsoft", "FusedMatMul", "a a", "aa");
    onnx_attr_int(&w, "transA", 1);
    onnx_named_node(&w, "second", "com.microsoft", "FusedMatMul", "b b", "bb");
    onnx_attr_int(&w, "transA", 1);
    onnx_node(&w, "Add", "aa bb", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_graph *graph = lowered(loaded(&w));
    CU_ASSERT_STRING_EQUAL(type_of(graph, "y"), "f32 3x3");
    dv_graph_destroy(graph);
}

DV_SUITE(load_onnx_sequences, DV_TEST(a_sequence_is_the_tensors_in_it),
         DV_TEST(a_sequence_that_is_an_output_is_an_output_a_tensor),
         DV_TEST(a_position_that_is_computed_from_data_is_named),
         DV_TEST(a_position_outside_is_refused_by_name),
         DV_TEST(a_loop_over_a_shape_fills_a_sequence),
         DV_TEST(a_condition_that_follows_from_constants_ends_a_loop),
         DV_TEST(a_scan_may_go_backwards_along_any_axis), DV_TEST(an_optional_is_what_it_holds),
         DV_TEST(a_rank_in_the_middle_of_a_network_follows),
         DV_TEST(what_follows_for_one_output_follows_for_the_others));
