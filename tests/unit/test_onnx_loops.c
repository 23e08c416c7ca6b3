/* test_onnx_loops.c - loops with a known number of turns load as that many bodies. */
#include <stdlib.h>
#include <string.h>

#include "tests/lowering.h"
#include "tests/onnx_writer.h"

/* The body: v_out = v + v, each = neg(v); its condition is `condition` ("same" of the input, a
   Constant, or computed). */
static dv_text body_of(const char *condition, uint8_t truth)
{
    onnx_writer w = onnx_begin(13);
    dv_text value = {0};
    onnx_input(&w, "i", ONNX_INT64, "");
    onnx_input(&w, "go", ONNX_BOOL, "");
    onnx_input(&w, "v", ONNX_FLOAT, NULL);
    onnx_node(&w, "Add", "v v", "v_out");
    onnx_node(&w, "Neg", "v", "each");
    if (strcmp(condition, "Constant") == 0) {
        onnx_node(&w, "Constant", "", "on");
        onnx_tensor(&value, NULL, ONNX_BOOL, "", &truth, 1);
        onnx_attr_tensor(&w, "value", &value);
    } else if (strcmp(condition, "Identity") == 0) {
        onnx_node(&w, "Identity", "go", "on");
    } else {
        onnx_node(&w, "ReduceMax", "v", "most");
        onnx_node(&w, "Cast", "most", "on");
        onnx_attr_int(&w, "to", ONNX_BOOL);
    }
    onnx_output(&w, "on", ONNX_BOOL, "");
    onnx_output(&w, "v_out", ONNX_FLOAT, NULL);
    onnx_output(&w, "each", ONNX_FLOAT, NULL);
    dv_text_free(&value);
    return onnx_graph_of(&w);
}

static onnx_writer loop_of(int64_t turns, const char *condition, uint8_t truth)
{
    dv_text body = body_of(condition, truth);
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "2,3");
    onnx_longs(&w, "turns", "", &turns);
    onnx_named_node(&w, "loop", NULL, "Loop", "turns - x", "last all");
    onnx_attr_graph(&w, "body", &body);
    onnx_output(&w, "last", ONNX_FLOAT, NULL);
    onnx_output(&w, "all", ONNX_FLOAT, NULL);
    dv_text_free(&body);
    return w;
}

static dv_graph *loaded(onnx_writer *w)
{
    dv_graph *graph = onnx_loaded(w);
    onnx_free(w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    return graph;
}

static void a_loop_is_its_body_once_a_turn(void)
{
    onnx_writer w = loop_of(3, "Identity", 1);
    dv_graph *graph = loaded(&w);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_ADD), 3);
    CU_ASSERT_PTR_NOT_NULL(op_named(graph, "loop.2/v_out"));
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_OPAQUE), 0);
    graph = lowered(graph);
    CU_ASSERT_STRING_EQUAL(type_of(graph, "last"), "f32 2x3");
    CU_ASSERT_STRING_EQUAL(type_of(graph, "all"), "f32 3x2x3");
    void *inputs[32] = {NULL}, *outputs[32] = {NULL};
    CU_ASSERT_TRUE_FATAL(run_portable(graph, 3, 10, inputs, outputs));
    const float *x = inputs[0], *last = outputs[0], *all = outputs[1];
    for (int i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(last[i], 8 * x[i]);
        CU_ASSERT_EQUAL(all[i], -x[i]);
        CU_ASSERT_EQUAL(all[12 + i], -4 * x[i]);
    }
    for (int i = 0; i < 32; i++) {
        free(inputs[i]);
        free(outputs[i]);
    }
    dv_graph_destroy(graph);
}

static void a_constant_condition_ends_a_loop(void)
{
    onnx_writer w = loop_of(5, "Constant", 0);
    dv_graph *graph = loaded(&w);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_ADD), 1);
    dv_graph_destroy(graph);
    w = loop_of(5, "Constant", 1);
    graph = loaded(&w);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_ADD), 5);
    dv_graph_destroy(graph);
}

static void a_loop_that_depends_on_data_stays_opaque_and_is_named(void)
{
    onnx_writer w = loop_of(5, "Cast", 0);
    dv_graph *graph = loaded(&w);
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_OPAQUE);
    CU_ASSERT_EQUAL(graph->op_count, 1); /* nothing of the turn that was tried is left */
    CU_ASSERT_PTR_NOT_NULL(strstr(graph->ops[0].reason, "condition after turn 0"));
    expect_refused(graph, "'loop'|Loop");
}

static void a_loop_of_giant_length_is_refused_by_name(void)
{
    onnx_writer w = loop_of(INT64_MAX, "Identity", 0);
    onnx_refused(&w, DV_BAD_INPUT, "node 0 'loop' (Loop): it does not end within 1024 turns");
}

/* Loops in loops multiply: 1000 turns of 1000 turns. */
static void loops_in_loops_have_a_limit_together(void)
{
    static const int64_t turns = 1000;
    dv_text inner = body_of("Identity", 1);
    onnx_writer outer = onnx_begin(13), w = onnx_begin(13);
    onnx_input(&outer, "oi", ONNX_INT64, "");
    onnx_input(&outer, "ogo", ONNX_BOOL, "");
    onnx_input(&outer, "ov", ONNX_FLOAT, NULL);
    onnx_node(&outer, "Loop", "turns - ov", "ov_out oall");
    onnx_attr_graph(&outer, "body", &inner);
    onnx_output(&outer, "ogo", ONNX_BOOL, "");
    onnx_output(&outer, "ov_out", ONNX_FLOAT, NULL);
    dv_text body = onnx_graph_of(&outer);
    onnx_input(&w, "x", ONNX_FLOAT, "2,3");
    onnx_longs(&w, "turns", "", &turns);
    onnx_node(&w, "Loop", "turns - x", "y");
    onnx_attr_graph(&w, "body", &body);
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_text_free(&inner);
    dv_text_free(&body);
    onnx_refused(&w, DV_BAD_INPUT, "unfold into more than");
}

/* Running sums of the rows of x. */
static void a_scan_takes_its_input_apart_and_stacks_what_turns_make(void)
{
    onnx_writer inner = onnx_begin(13), w = onnx_begin(13);
    static const float zeros[3] = {0};
    onnx_input(&inner, "sum", ONNX_FLOAT, "3");
    onnx_input(&inner, "row", ONNX_FLOAT, "3");
    onnx_node(&inner, "Add", "sum row", "next");
    onnx_node(&inner, "Identity", "next", "each");
    onnx_output(&inner, "next", ONNX_FLOAT, "3");
    onnx_output(&inner, "each", ONNX_FLOAT, "3");
    dv_text body = onnx_graph_of(&inner);
    onnx_input(&w, "x", ONNX_FLOAT, "2,3");
    onnx_floats(&w, "zeros", "3", zeros);
    onnx_node(&w, "Scan", "zeros x", "sum all");
    onnx_attr_graph(&w, "body", &body);
    onnx_attr_int(&w, "num_scan_inputs", 1);
    onnx_output(&w, "sum", ONNX_FLOAT, NULL);
    onnx_output(&w, "all", ONNX_FLOAT, NULL);
    dv_text_free(&body);
    dv_graph *graph = lowered(loaded(&w));
    CU_ASSERT_STRING_EQUAL(type_of(graph, "all"), "f32 2x3");
    void *inputs[32] = {NULL}, *outputs[32] = {NULL};
    CU_ASSERT_TRUE_FATAL(run_portable(graph, 3, 10, inputs, outputs));
    const float *x = inputs[0], *sum = outputs[0], *all = outputs[1];
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(sum[i], x[i] + x[3 + i]);
        CU_ASSERT_EQUAL(all[i], x[i]);
        CU_ASSERT_EQUAL(all[3 + i], sum[i]);
    }
    for (int i = 0; i < 32; i++) {
        free(inputs[i]);
        free(outputs[i]);
    }
    dv_graph_destroy(graph);
}

DV_SUITE(load_onnx_loops, DV_TEST(a_loop_is_its_body_once_a_turn),
         DV_TEST(a_constant_condition_ends_a_loop),
         DV_TEST(a_loop_that_depends_on_data_stays_opaque_and_is_named),
         DV_TEST(a_loop_of_giant_length_is_refused_by_name),
         DV_TEST(loops_in_loops_have_a_limit_together),
         DV_TEST(a_scan_takes_its_input_apart_and_stacks_what_turns_make));
