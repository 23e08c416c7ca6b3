/* test_tflite.c - what a TFLite file says becomes a graph: orders of dims, weights in disguise,
   branches, quantisation, and messages for what cannot be. */
#include <string.h>

#include "tests/lowering.h"
#include "tests/tflite_writer.h"

enum { CONV_2D = 3, DEQUANTIZE = 6, FULLY_CONNECTED = 9, RELU = 19, ADD = 0 };
enum { IF = 118, DENSIFY = 124, GREATER = 61, HASHTABLE_FIND = 137, WHILE = 119, MUL = 18 };

static dv_tensor_id tensor_named(const dv_graph *graph, const char *name)
{
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++)
        if (strcmp(graph->tensors[t].name, name) == 0)
            return t;
    return DV_NONE;
}

/* Two convolutions of a 1x2 kernel over one row, an addition between them. */
static tfl_writer two_convolutions(void)
{
    static const float weight[] = {1, 2, 3, 4, 5, 6, 7, 8}; /* O2 H1 W2 I2 */
    static const float bias[] = {0.5f, -0.5f};
    tfl_writer w = tfl_begin();
    tfl_tensor(&w, "x", TFL_F32, "1,3,4,2");
    tfl_constant(&w, "w", TFL_F32, "2,1,2,2", weight, sizeof weight);
    tfl_constant(&w, "b", TFL_F32, "2", bias, sizeof bias);
    tfl_tensor(&w, "c", TFL_F32, "1,3,4,2");
    tfl_tensor(&w, "s", TFL_F32, "1,3,4,2");
    tfl_tensor(&w, "y", TFL_F32, "1,3,4,2");
    tfl_op(&w, CONV_2D, "0,1,2", "3");
    tfl_option(&w, 1, 4, 1);
    tfl_option(&w, 2, 4, 1);
    tfl_option(&w, 3, 1, 3); /* RELU6 */
    tfl_op(&w, ADD, "3,2", "4");
    tfl_op(&w, CONV_2D, "4,1", "5");
    tfl_option(&w, 1, 4, 1);
    tfl_option(&w, 2, 4, 1);
    tfl_borders(&w, "0", "5");
    return w;
}

static void weights_are_brought_to_oihw(void)
{
    tfl_writer w = two_convolutions();
    dv_graph *graph = lowered(tfl_loaded(&w));
    dv_tensor_id weight = first_of(graph, DV_OP_CONVOLUTION)->inputs[1];
    CU_ASSERT_TRUE(HOLDS(graph, weight, 1, 3, 2, 4, 5, 7, 6, 8));
    CU_ASSERT_EQUAL(graph->tensors[weight].shape.dim[1], 2);
    CU_ASSERT_EQUAL(graph->tensors[weight].shape.dim[3], 2);
    dv_graph_destroy(graph);
}

static void images_are_permuted_at_the_borders_only(void)
{
    tfl_writer w = two_convolutions();
    dv_graph *graph = lowered(tfl_loaded(&w));
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_PERMUTE), 2);
    CU_ASSERT_STRING_EQUAL(type_of(graph, "x"), "f32 1x3x4x2");
    CU_ASSERT_STRING_EQUAL(type_of(graph, "y"), "f32 1x3x4x2");
    CU_ASSERT_STRING_EQUAL(type_of(graph, "c"), "f32 1x2x3x4");
    dv_graph_destroy(graph);
}

/* The same network written by hand in NCHW. */
static dv_graph *two_convolutions_by_hand(void)
{
    static const float weight[] = {1, 3, 2, 4, 5, 7, 6, 8}, bias[] = {0.5f, -0.5f};
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 1x3x4x2");
    dv_tensor_id w = build_floats(graph, "w", "f32 2x2x1x2", weight);
    dv_tensor_id b = build_floats(graph, "b", "f32 2", bias);
    dv_tensor_id b3 = build_floats(graph, "b3", "f32 2x1x1", bias);
    dv_op_params conv = build_conv(1, 0, 1);
    conv.conv.pad_end[1] = 1;
    dv_tensor_id p = BUILD_OP(graph, DV_OP_PERMUTE, build_permute("0312"), "p", x);
    dv_tensor_id c = BUILD_OP(graph, DV_OP_CONVOLUTION, conv, "c", p, w, b);
    dv_tensor_id r = BUILD_OP(graph, DV_OP_CLAMP, build_clamp(0, 6), "r", c);
    dv_tensor_id s = BUILD_OP(graph, DV_OP_ADD, build_none(), "s", r, b3);
    dv_tensor_id d = BUILD_OP(graph, DV_OP_CONVOLUTION, conv, "d", s, w);
    return build_finish(graph, BUILD_OP(graph, DV_OP_PERMUTE, build_permute("0231"), "y", d));
}

static void a_network_of_images_computes_what_its_nchw_twin_does(void)
{
    tfl_writer w = two_convolutions();
    dv_graph *graph = lowered(tfl_loaded(&w)), *twin = lowered(two_convolutions_by_hand());
    CU_ASSERT_TRUE(difference(graph, twin, 5, 2) < 1e-5);
    dv_graph_destroy(graph);
    dv_graph_destroy(twin);
}

static void f16_weights_behind_dequantize_are_constants(void)
{
    static const uint16_t halves[] = {0x3c00, 0x4000, 0xc200, 0x3800};
    tfl_writer w = tfl_begin();
    tfl_tensor(&w, "x", TFL_F32, "1,2");
    tfl_constant(&w, "half", TFL_F16, "2,2", halves, sizeof halves);
    tfl_tensor(&w, "w", TFL_F32, "2,2");
    tfl_tensor(&w, "y", TFL_F32, "1,2");
    tfl_op(&w, DEQUANTIZE, "1", "2");
    tfl_op(&w, FULLY_CONNECTED, "0,2,-1", "3");
    tfl_borders(&w, "0", "3");
    dv_graph *graph = tfl_loaded(&w);
    CU_ASSERT_EQUAL(graph->op_count, 1);
    CU_ASSERT_TRUE(HOLDS(graph, tensor_named(graph, "w"), 1, 2, -3, 0.5));
    dv_graph_destroy(graph);
}

static void sparse_weights_are_unfolded(void)
{
    static const float values[] = {7, 8, 9};
    tfl_writer w = tfl_begin();
    tfl_tensor(&w, "x", TFL_F32, "1,4");
    tfl_constant(&w, "sparse", TFL_F32, "3,4", values, sizeof values);
    tfl_sparse(&w, "0,1,1,3", "2,0,3");
    tfl_tensor(&w, "w", TFL_F32, "3,4");
    tfl_tensor(&w, "y", TFL_F32, "1,3");
    tfl_op(&w, DENSIFY, "1", "2");
    tfl_op(&w, FULLY_CONNECTED, "0,2,-1", "3");
    tfl_borders(&w, "0", "3");
    dv_graph *graph = tfl_loaded(&w);
    CU_ASSERT_TRUE(HOLDS(graph, tensor_named(graph, "w"), 0, 0, 7, 0, 0, 0, 0, 0, 8, 0, 0, 9));
    dv_graph_destroy(graph);
    w.graphs[0].tensors[1].sparse_indices = "2,0,4";
    tfl_refused(&w, DV_BAD_INPUT, "tensor 'sparse': its sparse elements are malformed");
    w.graphs[0].tensors[1].sparse_indices = "2,0,3";
    w.graphs[0].tensors[1].sparse_segments = "0,1,3,1";
    tfl_refused(&w, DV_BAD_INPUT, "its segments lead out of its indices");
}

/* y = x > 0 (one element) ? x + x : x * x */
static tfl_writer branching(void)
{
    static const float zero[] = {0};
    tfl_writer w = tfl_begin();
    tfl_tensor(&w, "x", TFL_F32, "1");
    tfl_constant(&w, "zero", TFL_F32, "1", zero, sizeof zero);
    tfl_tensor(&w, "positive", TFL_BOOL, "1");
    tfl_tensor(&w, "y", TFL_F32, "1");
    tfl_op(&w, GREATER, "0,1", "2");
    tfl_op(&w, IF, "2,0", "3");
    tfl_option(&w, 0, 4, 1);
    tfl_option(&w, 1, 4, 2);
    tfl_borders(&w, "0", "3");
    for (int branch = 0; branch < 2; branch++) {
        tfl_subgraph(&w);
        tfl_tensor(&w, "in", TFL_F32, "1");
        tfl_tensor(&w, branch ? "product" : "sum", TFL_F32, "1");
        tfl_op(&w, branch ? MUL : ADD, "0,0", "1");
        tfl_borders(&w, "0", "1");
    }
    return w;
}

static void both_branches_of_an_if_are_built(void)
{
    tfl_writer w = branching();
    dv_graph *graph = lowered(tfl_loaded(&w));
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_WHERE), 1);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_ADD), 1);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_MUL), 1);
    dv_graph_destroy(graph);
}

static void a_branch_that_contains_itself_is_refused(void)
{
    tfl_writer w = branching();
    w.graphs[1].ops[0] = w.graphs[0].ops[1];
    w.graphs[1].ops[0].inputs = "0,0";
    w.graphs[1].ops[0].outputs = "1";
    tfl_refused(&w, DV_BAD_INPUT, "nested more than");
}

static void operators_that_are_not_understood_stay_by_name(void)
{
    tfl_writer w = tfl_begin();
    tfl_tensor(&w, "x", TFL_F32, "1,4");
    tfl_tensor(&w, "y", TFL_F32, "1,4");
    tfl_tensor(&w, "z", TFL_F32, "1,4");
    tfl_custom(&w, "Sorcery", "0", "1", NULL, 0);
    tfl_op(&w, HASHTABLE_FIND, "1", "2");
    tfl_borders(&w, "0", "2");
    dv_graph *graph = tfl_loaded(&w);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_OPAQUE), 2);
    const dv_op *op = op_named(graph, "y");
    CU_ASSERT_PTR_NOT_NULL_FATAL(op);
    CU_ASSERT_STRING_EQUAL(op->source_type, "Sorcery");
    CU_ASSERT_STRING_EQUAL(op->reason, "custom operator Sorcery is not supported");
    CU_ASSERT_STRING_EQUAL(op_named(graph, "z")->reason,
                           "operator HASHTABLE_FIND is not supported: it looks up keys in a table");
    dv_graph_destroy(graph);
}

/* int8 in and out, one scale a row of the weight. */
static void a_quantised_network_stays_one_of_integers(void)
{
    static const float xs = 0.5f, ys = 0.25f, ws[] = {0.5f, 2};
    static const int64_t xz = 3, yz = -1, wz[] = {0, 0};
    static const int8_t weight[] = {1, 2, 3, -4};
    tfl_writer w = tfl_begin();
    tfl_tensor(&w, "x", TFL_I8, "1,2");
    tfl_quantise(&w, 1, &xs, &xz, 0);
    tfl_constant(&w, "w", TFL_I8, "2,2", weight, sizeof weight);
    tfl_quantise(&w, 2, ws, wz, 0);
    tfl_tensor(&w, "y", TFL_I8, "1,2");
    tfl_quantise(&w, 1, &ys, &yz, 0);
    tfl_op(&w, FULLY_CONNECTED, "0,1,-1", "2");
    tfl_borders(&w, "0", "2");
    dv_graph *graph = tfl_loaded(&w);
    CU_ASSERT_PTR_NOT_NULL(strstr(graph->about, "quantised"));
    CU_ASSERT_TRUE(HOLDS(graph, tensor_named(graph, "w"), 1, 2, 3, -4));
    graph = lowered(graph);
    CU_ASSERT_EQUAL_FATAL(graph->op_count, 1);
    const dv_op *op = &graph->ops[0];
    CU_ASSERT_EQUAL(op->kind, DV_OP_LINEAR);
    const dv_tensor *x = &graph->tensors[op->inputs[0]], *wt = &graph->tensors[op->inputs[1]];
    const dv_tensor *y = &graph->tensors[op->outputs[0]];
    CU_ASSERT_EQUAL(x->dtype, DV_DTYPE_I8);
    CU_ASSERT_TRUE(x->quant.count == 1 && x->quant.scale[0] == xs && x->quant.zero[0] == xz);
    CU_ASSERT_EQUAL(wt->dtype, DV_DTYPE_I8);
    CU_ASSERT_TRUE(wt->quant.count == 2 && wt->quant.axis == 0 && wt->quant.scale[1] == ws[1]);
    CU_ASSERT_EQUAL(y->dtype, DV_DTYPE_I8);
    CU_ASSERT_TRUE(y->quant.count == 1 && y->quant.scale[0] == ys && y->quant.zero[0] == yz);
    dv_graph_destroy(graph);
}

static void quantisation_that_makes_no_sense_is_refused(void)
{
    static const float ones[] = {1, 1, 1}, none = -1;
    static const int64_t far = 128, zeros[] = {0, 0, 0};
    tfl_writer w = tfl_begin();
    tfl_tensor(&w, "x", TFL_I8, "1,2");
    tfl_quantise(&w, 1, ones, &far, 0);
    tfl_tensor(&w, "y", TFL_F32, "1,2");
    tfl_op(&w, DEQUANTIZE, "0", "1");
    tfl_borders(&w, "0", "1");
    tfl_refused(&w, DV_BAD_INPUT, "its zero point 128 lies outside its type");
    w.graphs[0].tensors[0].scale_count = 3;
    w.graphs[0].tensors[0].zeros = zeros;
    tfl_refused(&w, DV_BAD_INPUT, "it has 3 scales and 3 zero points, which do not fit its shape");
    w.graphs[0].tensors[0].scale_count = 1;
    w.graphs[0].tensors[0].scales = &none;
    tfl_refused(&w, DV_BAD_INPUT, "its scale is -1");
}

/* Two elements a byte, the first in the low half. */
static void elements_of_half_a_byte_are_unpacked(void)
{
    static const uint8_t packed[] = {0xe1, 0x87};
    static const float scale = 0.5f;
    static const int64_t zero = 0;
    tfl_writer w = tfl_begin();
    tfl_tensor(&w, "x", TFL_F32, "1,4");
    tfl_constant(&w, "w", 17, "1,4", packed, sizeof packed);
    tfl_quantise(&w, 1, &scale, &zero, 0);
    tfl_tensor(&w, "y", TFL_F32, "1,1");
    tfl_op(&w, FULLY_CONNECTED, "0,1,-1", "2");
    tfl_borders(&w, "0", "2");
    dv_graph *graph = lowered(tfl_loaded(&w));
    CU_ASSERT_STRING_EQUAL(type_of(graph, "w"), "i8 1x4");
    CU_ASSERT_TRUE(HOLDS(graph, tensor_named(graph, "w"), 1, -2, 7, -8));
    dv_graph_destroy(graph);
    w.graphs[0].tensors[1].size = 1;
    tfl_refused(&w, DV_BAD_INPUT,
                "tensor 'w': its buffer holds 1 bytes where its shape 1x4 needs 2");
}

/* As face_detection_full_range_sparse has them: sparse halves, unfolded, then widened. */
static void sparse_halves_are_unfolded_and_widened(void)
{
    static const uint16_t halves[] = {0x3c00, 0x4000, 0xc200};
    tfl_writer w = tfl_begin();
    tfl_tensor(&w, "x", TFL_F32, "1,1,1,3");
    tfl_constant(&w, "sparse", TFL_F16, "2,1,1,3", halves, sizeof halves);
    tfl_sparse(&w, "0,1,3", "2,0,1");
    tfl_tensor(&w, "half", TFL_F16, "2,1,1,3");
    tfl_tensor(&w, "w", TFL_F32, "2,1,1,3");
    tfl_tensor(&w, "y", TFL_F32, "1,1,1,2");
    tfl_op(&w, DENSIFY, "1", "2");
    tfl_op(&w, DEQUANTIZE, "2", "3");
    tfl_op(&w, 3, "0,3", "4");
    tfl_option(&w, 0, 1, 1);
    tfl_option(&w, 1, 4, 1);
    tfl_option(&w, 2, 4, 1);
    tfl_borders(&w, "0", "4");
    dv_graph *graph = lowered(tfl_loaded(&w));
    const dv_op *conv = first_of(graph, DV_OP_CONVOLUTION);
    CU_ASSERT_PTR_NOT_NULL_FATAL(conv);
    CU_ASSERT_TRUE(HOLDS(graph, conv->inputs[1], 0, 0, 1, 2, -3, 0));
    dv_graph_destroy(graph);
}

/* x doubles while what is counted is less than a limit. */
static tfl_writer looping(void)
{
    static const int32_t numbers[] = {0, 1, 3};
    tfl_writer w = tfl_begin();
    tfl_constant(&w, "start", TFL_I32, "", &numbers[0], 4);
    tfl_tensor(&w, "x", TFL_F32, "2");
    tfl_tensor(&w, "rounds", TFL_I32, "");
    tfl_tensor(&w, "y", TFL_F32, "2");
    tfl_op(&w, WHILE, "0,1", "2,3");
    tfl_option(&w, 0, 4, 1);
    tfl_option(&w, 1, 4, 2);
    tfl_borders(&w, "1", "3");
    tfl_subgraph(&w);
    tfl_tensor(&w, "i", TFL_I32, "");
    tfl_tensor(&w, "value", TFL_F32, "2");
    tfl_constant(&w, "limit", TFL_I32, "", &numbers[2], 4);
    tfl_tensor(&w, "goes on", TFL_BOOL, "");
    tfl_op(&w, 58, "0,2", "3");
    tfl_borders(&w, "0,1", "3");
    tfl_subgraph(&w);
    tfl_tensor(&w, "i", TFL_I32, "");
    tfl_tensor(&w, "value", TFL_F32, "2");
    tfl_constant(&w, "one", TFL_I32, "", &numbers[1], 4);
    tfl_tensor(&w, "next i", TFL_I32, "");
    tfl_tensor(&w, "next", TFL_F32, "2");
    tfl_op(&w, ADD, "0,2", "3");
    tfl_op(&w, ADD, "1,1", "4");
    tfl_borders(&w, "0,1", "3,4");
    return w;
}

static void a_loop_is_unrolled_if_its_rounds_can_be_counted(void)
{
    tfl_writer w = looping();
    dv_graph *graph = lowered(tfl_loaded(&w));
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_ADD), 3);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_OPAQUE), 0);
    dv_graph_destroy(graph);
}

static void a_loop_whose_rounds_depend_on_values_stays_by_name(void)
{
    tfl_writer w = looping();
    w.graphs[0].tensors[0].bytes = NULL;
    w.graphs[0].tensors[0].size = 0;
    w.graphs[0].inputs = "0,1";
    dv_graph *graph = tfl_loaded(&w);
    const dv_op *loop = first_of(graph, DV_OP_OPAQUE);
    CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
    CU_ASSERT_STRING_EQUAL(loop->source_type, "WHILE");
    CU_ASSERT_PTR_NOT_NULL(strstr(loop->reason, "how many rounds it takes depends on values"));
    dv_graph_destroy(graph);
    w = looping();
    w.graphs[2].ops[0].inputs = "0,0"; /* not by a constant */
    graph = tfl_loaded(&w);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_OPAQUE), 1);
    dv_graph_destroy(graph);
    w = looping();
    w.graphs[2].ops[0].code = 41; /* away from the limit */
    graph = tfl_loaded(&w);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_OPAQUE), 1);
    dv_graph_destroy(graph);
}

/* What recurs becomes a state of the graph, with its next value. */
static void a_recurrent_layer_keeps_its_state(void)
{
    static const float weight[12] = {1}, recurrent[16] = {1};
    tfl_writer w = tfl_begin();
    tfl_tensor(&w, "x", TFL_F32, "2,3");
    tfl_constant(&w, "w", TFL_F32, "4,3", weight, sizeof weight);
    tfl_constant(&w, "r", TFL_F32, "4,4", recurrent, sizeof recurrent);
    tfl_constant(&w, "b", TFL_F32, "4", weight, 16);
    tfl_tensor(&w, "h", TFL_F32, "2,4");
    w.graphs[0].tensors[4].variable = true;
    tfl_tensor(&w, "y", TFL_F32, "2,4");
    tfl_op(&w, 24, "0,1,2,3,4", "5");
    tfl_option(&w, 0, 1, 4);
    tfl_borders(&w, "0", "5");
    dv_graph *graph = lowered(tfl_loaded(&w));
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_RNN), 1);
    CU_ASSERT_EQUAL_FATAL(graph->state_count, 1);
    CU_ASSERT_EQUAL(graph->tensors[graph->states[0].tensor].role, DV_ROLE_STATE);
    dv_graph_destroy(graph);
}

static void an_open_dimension_is_bound_by_its_input_and_index(void)
{
    tfl_writer w = tfl_begin();
    dv_graph *graph;
    tfl_tensor(&w, "x", TFL_F32, "1,1");
    tfl_signature(&w, "-1,-1");
    tfl_tensor(&w, "y", TFL_F32, "1,1");
    tfl_op(&w, RELU, "0", "1");
    tfl_borders(&w, "0", "1");
    tfl_refused(&w, DV_BAD_INPUT,
                "input 'x': dimension 1 has no value; choose one, for example "
                "--dim 'x:1=N'");
    const dv_binding bound[] = {{"x:1", 7}, {"y:0", 2}};
    dv_load_options options = {.dims = bound, .dim_count = 1};
    CU_ASSERT_EQUAL_FATAL(tfl_load(&w, &options, &graph), DV_OK);
    graph = lowered(graph);
    CU_ASSERT_STRING_EQUAL(type_of(graph, "y"), "f32 1x7");
    dv_graph_destroy(graph);
    options.dim_count = 2;
    CU_ASSERT_EQUAL(tfl_load(&w, &options, &graph), DV_BAD_PARAMETER);
}

static void faults_name_the_operator_and_the_tensor(void)
{
    tfl_writer w = two_convolutions();
    w.graphs[0].ops[1].inputs = "3,77";
    tfl_refused(&w, DV_BAD_INPUT, "operator 1 's' (ADD): its input 1 is tensor 77 of 6");
    w = two_convolutions();
    w.graphs[0].tensors[1].size -= 4;
    tfl_refused(&w, DV_BAD_INPUT,
                "tensor 'w': its buffer holds 28 bytes where its shape 2x1x2x2 "
                "needs 32");
    w = two_convolutions();
    w.graphs[0].ops[1].outputs = "3";
    tfl_refused(&w, DV_BAD_INPUT, "its output 0 is made elsewhere, too");
    w = two_convolutions();
    w.graphs[0].ops[0].inputs = "4,1,2";
    tfl_refused(&w, DV_BAD_INPUT, "tensor 's' is read but neither made before nor given");
    w = two_convolutions();
    w.graphs[0].outputs = "";
    tfl_refused(&w, DV_BAD_INPUT, "the graph has no outputs");
}

DV_SUITE(load_tflite, DV_TEST(weights_are_brought_to_oihw),
         DV_TEST(images_are_permuted_at_the_borders_only),
         DV_TEST(a_network_of_images_computes_what_its_nchw_twin_does),
         DV_TEST(f16_weights_behind_dequantize_are_constants), DV_TEST(sparse_weights_are_unfolded),
         DV_TEST(both_branches_of_an_if_are_built),
         DV_TEST(a_branch_that_contains_itself_is_refused),
         DV_TEST(operators_that_are_not_understood_stay_by_name),
         DV_TEST(a_quantised_network_stays_one_of_integers),
         DV_TEST(quantisation_that_makes_no_sense_is_refused),
         DV_TEST(elements_of_half_a_byte_are_unpacked),
         DV_TEST(sparse_halves_are_unfolded_and_widened),
         DV_TEST(a_loop_is_unrolled_if_its_rounds_can_be_counted),
         DV_TEST(a_loop_whose_rounds_depend_on_values_stays_by_name),
         DV_TEST(a_recurrent_layer_keeps_its_state),
         DV_TEST(an_open_dimension_is_bound_by_its_input_and_index),
         DV_TEST(faults_name_the_operator_and_the_tensor));
