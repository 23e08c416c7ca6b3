/* test_tflite_named.c - operators of TFLite files that are known by name alone, and what is around
   them. */
#include <string.h>

#include "tests/lowering.h"
#include "tests/tflite_writer.h"

enum { RELU = 19, NON_MAX_SUPPRESSION_V4 = 120 };

/* What the file records is enough to place what is around the operator; room that a compiler lists
   among the inputs is no input. */
static void an_operator_known_by_name_has_the_shape_that_the_file_tells(void)
{
    tfl_writer w = tfl_begin();
    tfl_tensor(&w, "x", TFL_F32, "1,4");
    tfl_tensor(&w, "room", TFL_F32, "1,64");
    tfl_tensor(&w, "y", TFL_F32, "2,3");
    tfl_tensor(&w, "z", TFL_F32, "2,3");
    tfl_custom(&w, "Sorcery", "0,1", "2", NULL, 0);
    tfl_op(&w, RELU, "2", "3");
    tfl_borders(&w, "0", "3");
    dv_graph *graph = lowered(tfl_loaded(&w));
    const dv_op *op = op_named(graph, "y");
    CU_ASSERT_PTR_NOT_NULL_FATAL(op);
    CU_ASSERT_EQUAL(op->input_count, 1);
    CU_ASSERT_STRING_EQUAL(type_of(graph, "z"), "f32 2x3");
    dv_graph_destroy(graph);
}

static void an_operator_whose_shape_nobody_tells_is_named(void)
{
    dv_graph *core = NULL;
    tfl_writer w = tfl_begin();
    tfl_tensor(&w, "x", TFL_F32, "1,4");
    tfl_tensor(&w, "y", TFL_F32, "");
    tfl_custom(&w, "Sorcery", "0", "1", NULL, 0);
    tfl_borders(&w, "0", "1");
    dv_graph *graph = tfl_loaded(&w);
    CU_ASSERT_EQUAL(dv_lower(graph, NULL, &core), DV_BAD_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(),
                                  "(Sorcery): custom operator Sorcery is not supported, "
                                  "and the file does not tell the shapes"));
    dv_graph_destroy(graph);
}

/* {max_detections: 5, max_classes_per_detection: 2}, which is not all that it takes. */
static void detections_without_their_attributes_are_kept_by_name(void)
{
    static const uint8_t options[] = {
        109, 97,  120, 95,  100, 101, 116, 101, 99, 116, 105, 111, 110, 115, 0,   109, 97,  120,
        95,  99,  108, 97,  115, 115, 101, 115, 95, 112, 101, 114, 95,  100, 101, 116, 101, 99,
        116, 105, 111, 110, 0,   2,   27,  43,  2,  1,   2,   2,   5,   4,   4,   4,   36,  1};
    tfl_writer w = tfl_begin();
    tfl_tensor(&w, "boxes", TFL_F32, "1,20,4");
    tfl_tensor(&w, "scores", TFL_F32, "1,20,3");
    tfl_tensor(&w, "anchors", TFL_F32, "20,4");
    for (int i = 0; i < 4; i++)
        tfl_tensor(&w, (const char *[]){"b", "c", "s", "n"}[i], TFL_F32, "1,10,4");
    tfl_custom(&w, "TFLite_Detection_PostProcess", "0,1,2", "3,4,5,6", options, sizeof options);
    tfl_borders(&w, "0,1,2", "3,4,5,6");
    dv_graph *graph = lowered(tfl_loaded(&w));
    CU_ASSERT_EQUAL(op_named(graph, "b")->kind, DV_OP_OPAQUE);
    dv_graph_destroy(graph);
}

static dv_graph *suppression(const char *most_inputs)
{
    static const int32_t most = 7;
    static const float half = 0.5f;
    tfl_writer w = tfl_begin();
    tfl_tensor(&w, "boxes", TFL_F32, "20,4");
    tfl_tensor(&w, "scores", TFL_F32, "20");
    tfl_constant(&w, "most", TFL_I32, "", &most, sizeof most);
    tfl_tensor(&w, "any", TFL_I32, "");
    tfl_constant(&w, "overlap", TFL_F32, "", &half, sizeof half);
    tfl_tensor(&w, "which", TFL_I32, "");
    tfl_tensor(&w, "many", TFL_I32, "");
    tfl_op(&w, NON_MAX_SUPPRESSION_V4, most_inputs, "5,6");
    tfl_borders(&w, "0,1,3", "5,6");
    return tfl_loaded(&w);
}

static void suppression_has_room_for_the_most_it_keeps(void)
{
    dv_graph *graph = lowered(suppression("0,1,2,4,4"));
    CU_ASSERT_STRING_EQUAL(type_of(graph, "which"), "i32 7");
    CU_ASSERT_STRING_EQUAL(type_of(graph, "many"), "i32 scalar");
    dv_graph_destroy(graph);
}

static void suppression_of_a_computed_number_says_so(void)
{
    dv_graph *core = NULL, *graph = suppression("0,1,3,4,4");
    CU_ASSERT_EQUAL(dv_lower(graph, NULL, &core), DV_BAD_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "how many boxes it keeps at most is computed"));
    dv_graph_destroy(graph);
}

DV_SUITE(load_tflite_named, DV_TEST(an_operator_known_by_name_has_the_shape_that_the_file_tells),
         DV_TEST(an_operator_whose_shape_nobody_tells_is_named),
         DV_TEST(detections_without_their_attributes_are_kept_by_name),
         DV_TEST(suppression_has_room_for_the_most_it_keeps),
         DV_TEST(suppression_of_a_computed_number_says_so));
