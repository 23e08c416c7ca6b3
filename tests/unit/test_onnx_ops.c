/* test_onnx_ops.c - attributes of every form and opset become the parameters that op.h describes.
 */
#include "load/onnx_ops.h"

#include <math.h>
#include <string.h>

#include "tests/graph_builder.h"
#include "tests/onnx_writer.h"
#include "tests/suite.h"

static const float zeros[4096];

/* A model of one node under test: begin, attributes, end. */
static onnx_writer node_of(int64_t opset, const char *type, const char *inputs, const char *outputs)
{
    onnx_writer w = onnx_begin(opset);
    onnx_input(&w, "x", ONNX_FLOAT, "2,4,8,8");
    onnx_input(&w, "v", ONNX_FLOAT, "4");
    onnx_floats(&w, "w", "6,4,3,3", zeros);
    onnx_floats(&w, "b", "6", zeros);
    onnx_node(&w, type, inputs, outputs);
    return w;
}

static dv_graph *finished(onnx_writer *w)
{
    onnx_output(w, "y", ONNX_FLOAT, NULL);
    dv_graph *graph = onnx_loaded(w);
    onnx_free(w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    return graph;
}

static void opaque_because(onnx_writer *w, const char *reason)
{
    dv_graph *graph = finished(w);
    const dv_op *op = first_of(graph, DV_OP_OPAQUE);
    CU_ASSERT_PTR_NOT_NULL_FATAL(op);
    CU_ASSERT_PTR_NOT_NULL(strstr(op->reason, reason));
    CU_ASSERT_EQUAL(graph->op_count, 1); /* nothing was emitted before */
    dv_graph_destroy(graph);
}

static void the_table_is_sorted_and_every_row_is_found(void)
{
    const dv_onnx_rule *rule, *before = NULL;
    for (size_t i = 0; (rule = dv_onnx_rule_at(i)); i++, before = rule) {
        dv_span type = {(const uint8_t *)rule->type, strlen(rule->type)};
        CU_ASSERT_PTR_EQUAL(dv_onnx_rule_of(type), rule);
        CU_ASSERT_TRUE(!before || strcmp(before->type, rule->type) < 0);
        CU_ASSERT_TRUE(rule->least <= rule->most);
    }
    CU_ASSERT_PTR_NULL(dv_onnx_rule_of((dv_span){(const uint8_t *)"Re", 2}));
    CU_ASSERT_PTR_NULL(dv_onnx_rule_of((dv_span){0}));
}

static void convolution_takes_its_attributes_or_their_defaults(void)
{
    onnx_writer w = node_of(11, "Conv", "x w b", "y");
    onnx_attr_ints(&w, "kernel_shape", "3,3");
    onnx_attr_ints(&w, "strides", "2,1");
    onnx_attr_ints(&w, "dilations", "1,2");
    onnx_attr_ints(&w, "pads", "0,1,2,3");
    dv_graph *graph = finished(&w);
    dv_conv_params conv = graph->ops[0].params.conv;
    CU_ASSERT_EQUAL(conv.spatial, 2);
    CU_ASSERT_EQUAL(conv.groups, 1);
    CU_ASSERT_TRUE(conv.stride[0] == 2 && conv.stride[1] == 1 && conv.dilation[1] == 2);
    CU_ASSERT_TRUE(conv.pad_begin[0] == 0 && conv.pad_begin[1] == 1 && conv.pad_end[0] == 2 &&
                   conv.pad_end[1] == 3);
    dv_graph_destroy(graph);

    w = node_of(11, "Conv", "x w", "y");
    onnx_attr_string(&w, "auto_pad", "SAME_LOWER");
    graph = finished(&w);
    conv = graph->ops[0].params.conv;
    CU_ASSERT_EQUAL(conv.auto_pad, DV_PAD_SAME_LOWER);
    CU_ASSERT_EQUAL(conv.spatial, 2); /* from the weight */
    CU_ASSERT_TRUE(conv.stride[0] == 1 && conv.dilation[1] == 1 && conv.pad_end[1] == 0);
    dv_graph_destroy(graph);
}

static void contradicting_windows_are_refused(void)
{
    onnx_writer w = node_of(11, "Conv", "x w", "y");
    onnx_attr_ints(&w, "strides", "2");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    onnx_refused(&w, DV_BAD_INPUT, "node 0 'y' (Conv): its weight is for 2 spatial");
    w = node_of(11, "Conv", "x w", "y");
    onnx_attr_ints(&w, "kernel_shape", "3,5");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    onnx_refused(&w, DV_BAD_INPUT, "attribute 'kernel_shape' says 5 where the weight has 3");
    w = node_of(11, "MaxPool", "x", "y");
    onnx_attr_ints(&w, "kernel_shape", "3,0");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    onnx_refused(&w, DV_BAD_INPUT, "attribute 'kernel_shape' holds 0");
    w = node_of(11, "Conv", "x w", "y");
    onnx_attr_string(&w, "group", "many");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    onnx_refused(&w, DV_BAD_INPUT, "attribute 'group' must be an integer");
    w = node_of(11, "Conv", "x w", "y");
    onnx_attr_ints(&w, "strides", "1,1,1,1");
    opaque_because(&w, "more than 3 spatial dimensions");
}

static void transposed_convolution_has_an_output_shape_in_either_spelling(void)
{
    static const char *const spellings[] = {"16,17", "2,6,16,17"};
    for (int i = 0; i < 2; i++) {
        onnx_writer w = node_of(11, "ConvTranspose", "x w", "y");
        onnx_attr_ints(&w, "output_shape", spellings[i]);
        onnx_attr_ints(&w, "output_padding", "1,0");
        dv_graph *graph = finished(&w);
        dv_conv_params conv = graph->ops[0].params.conv;
        CU_ASSERT_TRUE(conv.transposed && conv.output_padding[0] == 1);
        CU_ASSERT_TRUE(conv.output_shape[0] == 16 && conv.output_shape[1] == 17);
        dv_graph_destroy(graph);
    }
}

static void gemm_is_linear_with_its_factors(void)
{
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "a", ONNX_FLOAT, "3,2");
    onnx_floats(&w, "w", "4,3", zeros);
    onnx_node(&w, "Gemm", "a w", "y");
    onnx_attr_int(&w, "transA", 1);
    onnx_attr_int(&w, "transB", 1);
    onnx_attr_float(&w, "alpha", 0.5f);
    dv_graph *graph = finished(&w);
    dv_linear_params linear = graph->ops[0].params.linear;
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_LINEAR);
    CU_ASSERT_TRUE(linear.input_transposed && !linear.weight_kn);
    CU_ASSERT_TRUE(linear.alpha == 0.5 && linear.beta == 1);
    dv_graph_destroy(graph);
}

static void softmax_flattens_before_opset_13(void)
{
    onnx_writer w = node_of(11, "Softmax", "x", "y");
    dv_graph *graph = finished(&w);
    CU_ASSERT_TRUE(graph->ops[0].params.axis.flatten_2d && graph->ops[0].params.axis.axis == 1);
    dv_graph_destroy(graph);
    w = node_of(13, "Softmax", "x", "y");
    graph = finished(&w);
    CU_ASSERT_TRUE(!graph->ops[0].params.axis.flatten_2d && graph->ops[0].params.axis.axis == -1);
    dv_graph_destroy(graph);
}

/* What moved from attributes to inputs is taken where it is. */
static void attribute_and_input_forms_are_both_read(void)
{
    onnx_writer w = node_of(9, "Squeeze", "x", "y");
    onnx_attr_ints(&w, "axes", "0,-1");
    dv_graph *graph = finished(&w);
    CU_ASSERT_EQUAL(graph->ops[0].params.axes.count, 2);
    CU_ASSERT_EQUAL(graph->ops[0].params.axes.axes[1], -1);
    dv_graph_destroy(graph);

    w = node_of(13, "ReduceSum", "x v", "y");
    onnx_attr_int(&w, "keepdims", 0);
    onnx_attr_int(&w, "noop_with_empty_axes", 1);
    graph = finished(&w);
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_SUM);
    CU_ASSERT_EQUAL(graph->ops[0].input_count, 2);
    CU_ASSERT_TRUE(graph->ops[0].params.reduce.noop_when_empty);
    CU_ASSERT_FALSE(graph->ops[0].params.reduce.keep_dims);
    dv_graph_destroy(graph);

    w = node_of(9, "Slice", "x", "y");
    onnx_attr_ints(&w, "starts", "1,-2");
    onnx_attr_ints(&w, "ends", "9223372036854775807,-1");
    graph = finished(&w);
    dv_slice_params slice = graph->ops[0].params.slice;
    CU_ASSERT_TRUE(slice.count == 2 && slice.axes[1] == 1 && slice.step[0] == 1);
    CU_ASSERT_TRUE(slice.end[0] == INT64_MAX && slice.begin[1] == -2);
    dv_graph_destroy(graph);

    w = node_of(10, "Slice", "x v v - v", "y");
    graph = finished(&w);
    CU_ASSERT_EQUAL(graph->ops[0].input_count, 5);
    CU_ASSERT_EQUAL(graph->ops[0].inputs[3], DV_NONE);
    CU_ASSERT_EQUAL(graph->ops[0].params.slice.count, 0);
    dv_graph_destroy(graph);

    w = node_of(4, "Reshape", "x", "y");
    onnx_attr_ints(&w, "shape", "0,-1");
    graph = finished(&w);
    int64_t shape[2];
    CU_ASSERT_EQUAL_FATAL(graph->ops[0].input_count, 2);
    CU_ASSERT_TRUE(dv_tensor_read_i64(&graph->tensors[graph->ops[0].inputs[1]], 0, 2, shape));
    CU_ASSERT_TRUE(shape[0] == 0 && shape[1] == -1);
    dv_graph_destroy(graph);

    w = node_of(9, "Pad", "x", "y");
    onnx_attr_ints(&w, "pads", "0,0,1,2,0,0,3,4");
    onnx_attr_float(&w, "value", 7);
    graph = finished(&w);
    dv_pad_params pad = graph->ops[0].params.pad;
    CU_ASSERT_TRUE(pad.rank == 4 && pad.begin[3] == 2 && pad.end[2] == 3 && pad.value == 7);
    dv_graph_destroy(graph);
}

static void clip_is_open_where_no_bound_is_given(void)
{
    onnx_writer w = node_of(6, "Clip", "x", "y");
    onnx_attr_float(&w, "max", 6);
    dv_graph *graph = finished(&w);
    CU_ASSERT_TRUE(graph->ops[0].params.clamp.max == 6);
    CU_ASSERT_TRUE(isinf(graph->ops[0].params.clamp.min));
    dv_graph_destroy(graph);
    w = node_of(11, "Clip", "x - v", "y");
    graph = finished(&w);
    CU_ASSERT_EQUAL(graph->ops[0].input_count, 3);
    CU_ASSERT_EQUAL(graph->ops[0].inputs[1], DV_NONE);
    dv_graph_destroy(graph);
}

static void operators_of_many_operands_become_chains(void)
{
    onnx_writer w = node_of(13, "Max", "x v x v", "y");
    dv_graph *graph = finished(&w);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_MAXIMUM), 3);
    CU_ASSERT_STRING_EQUAL(graph->ops[0].source_type, "Max");
    CU_ASSERT_EQUAL(graph->ops[0].debug_handle, graph->ops[2].debug_handle);
    dv_graph_destroy(graph);
    w = node_of(13, "Sum", "x", "y");
    graph = finished(&w);
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_IDENTITY);
    dv_graph_destroy(graph);
    w = node_of(13, "Mean", "x v v", "y");
    graph = finished(&w);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_ADD), 2);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_DIV), 1);
    dv_graph_destroy(graph);
}

static void early_broadcasting_lines_up_at_its_axis(void)
{
    onnx_writer w = node_of(6, "Add", "x v", "y");
    onnx_attr_int(&w, "broadcast", 1);
    onnx_attr_int(&w, "axis", 1);
    dv_graph *graph = finished(&w);
    CU_ASSERT_EQUAL_FATAL(graph->op_count, 2);
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_UNSQUEEZE);
    CU_ASSERT_EQUAL(graph->ops[0].params.axes.count, 2); /* [4] to [4, 1, 1] */
    CU_ASSERT_EQUAL(graph->ops[0].params.axes.axes[0], 1);
    dv_graph_destroy(graph);
    w = node_of(6, "PRelu", "x v", "y");
    graph = finished(&w);
    CU_ASSERT_EQUAL(graph->op_count, 2);
    dv_graph_destroy(graph);
    w = node_of(7, "PRelu", "x v", "y");
    graph = finished(&w);
    CU_ASSERT_EQUAL(graph->op_count, 1);
    dv_graph_destroy(graph);
}

static void resize_and_upsample_share_one_form(void)
{
    onnx_writer w = node_of(13, "Resize", "x - v", "y");
    onnx_attr_string(&w, "mode", "linear");
    onnx_attr_string(&w, "coordinate_transformation_mode", "align_corners");
    dv_graph *graph = finished(&w);
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_UPSAMPLE_BILINEAR);
    CU_ASSERT_EQUAL(graph->ops[0].params.resize.coordinate, DV_COORDINATE_ALIGN_CORNERS);
    dv_graph_destroy(graph);

    w = node_of(10, "Resize", "x v", "y");
    graph = finished(&w);
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_UPSAMPLE_NEAREST);
    CU_ASSERT_EQUAL(graph->ops[0].params.resize.coordinate, DV_COORDINATE_ASYMMETRIC);
    CU_ASSERT_EQUAL(graph->ops[0].input_count, 3);
    CU_ASSERT_EQUAL(graph->ops[0].inputs[1], DV_NONE);
    dv_graph_destroy(graph);

    w = node_of(7, "Upsample", "x", "y");
    onnx_attr_floats(&w, "scales", "1,1,2,2");
    graph = finished(&w);
    float scales[4] = {0};
    CU_ASSERT_EQUAL_FATAL(graph->ops[0].input_count, 3);
    CU_ASSERT_TRUE(dv_tensor_read_f32(&graph->tensors[graph->ops[0].inputs[2]], 0, 4, scales));
    CU_ASSERT_EQUAL(scales[3], 2);
    dv_graph_destroy(graph);

    w = node_of(13, "Resize", "x - v", "y");
    onnx_attr_string(&w, "mode", "lanczos");
    opaque_because(&w, "mode = 'lanczos' is not supported");
    w = node_of(18, "Resize", "x - v", "y");
    onnx_attr_int(&w, "antialias", 1);
    onnx_attr_ints(&w, "axes", "3,2");
    onnx_attr_string(&w, "keep_aspect_ratio_policy", "not_larger");
    graph = finished(&w);
    dv_resize_params resize = graph->ops[0].params.resize;
    CU_ASSERT_TRUE(resize.antialias && resize.axis_count == 2 && resize.axes[0] == 3 &&
                   resize.policy == DV_RESIZE_NOT_LARGER);
    dv_graph_destroy(graph);
}

static void split_is_by_sizes_or_equal(void)
{
    onnx_writer w = node_of(11, "Split", "x", "y z");
    onnx_attr_int(&w, "axis", 1);
    onnx_attr_ints(&w, "split", "1,3");
    dv_graph *graph = finished(&w);
    dv_split_params split = graph->ops[0].params.split;
    CU_ASSERT_TRUE(split.axis == 1 && split.count == 2 && split.sizes[1] == 3);
    CU_ASSERT_EQUAL(graph->ops[0].output_count, 2);
    CU_ASSERT_EQUAL(graph->ops[0].outputs[1], DV_NONE); /* nobody reads z */
    dv_graph_destroy(graph);
    w = node_of(18, "Split", "x", "y z");
    onnx_attr_int(&w, "num_outputs", 3);
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    onnx_refused(&w, DV_BAD_INPUT, "attribute 'num_outputs' says 3; the node has 2 outputs");
}

static void layer_norm_counts_its_axis_from_either_end(void)
{
    onnx_writer w = node_of(17, "LayerNormalization", "x v", "y");
    dv_graph *graph = finished(&w);
    CU_ASSERT_EQUAL(graph->ops[0].params.norm.axes, 1);
    dv_graph_destroy(graph);
    w = node_of(17, "LayerNormalization", "x v", "y");
    onnx_attr_int(&w, "axis", 2);
    graph = finished(&w);
    CU_ASSERT_EQUAL(graph->ops[0].params.norm.axes, 2);
    dv_graph_destroy(graph);
}

static void training_forms_are_opaque(void)
{
    onnx_writer w = node_of(13, "BatchNormalization", "x v v v v", "y");
    onnx_attr_int(&w, "training_mode", 1);
    opaque_because(&w, "training mode is not supported");
    w = node_of(6, "Dropout", "x", "y");
    opaque_because(&w, "training mode is not supported");
    w = node_of(12, "Dropout", "x v v", "y");
    opaque_because(&w, "training mode is not supported");
    w = node_of(10, "Dropout", "x", "y");
    dv_graph *graph = finished(&w);
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_IDENTITY);
    dv_graph_destroy(graph);
}

static void casts_name_types_by_number_or_by_word(void)
{
    onnx_writer w = node_of(13, "Cast", "x", "y");
    onnx_attr_int(&w, "to", ONNX_INT64);
    dv_graph *graph = finished(&w);
    CU_ASSERT_EQUAL(graph->ops[0].params.cast.dtype, DV_DTYPE_I64);
    CU_ASSERT_EQUAL(graph->tensors[graph->outputs[0]].dtype, DV_DTYPE_I64);
    dv_graph_destroy(graph);
    w = node_of(1, "Cast", "x", "y");
    onnx_attr_string(&w, "to", "FLOAT16");
    graph = finished(&w);
    CU_ASSERT_EQUAL(graph->ops[0].params.cast.dtype, DV_DTYPE_F16);
    dv_graph_destroy(graph);
    w = node_of(13, "Cast", "x", "y");
    onnx_attr_int(&w, "to", ONNX_STRING);
    opaque_because(&w, "a cast to type 8 (STRING) is not supported");
}

static void constant_of_shape_takes_value_and_type_from_one_element(void)
{
    const int64_t seven = 7;
    dv_text value = {0};
    onnx_writer w = node_of(9, "ConstantOfShape", "v", "y");
    onnx_tensor(&value, NULL, ONNX_INT64, "1", &seven, sizeof seven);
    onnx_attr_tensor(&w, "value", &value);
    dv_graph *graph = finished(&w);
    CU_ASSERT_EQUAL(graph->ops[0].params.full.dtype, DV_DTYPE_I64);
    CU_ASSERT_EQUAL(graph->ops[0].params.full.value, 7);
    dv_graph_destroy(graph);
    dv_text_free(&value);
    w = node_of(9, "ConstantOfShape", "v", "y");
    graph = finished(&w);
    CU_ASSERT_EQUAL(graph->ops[0].params.full.dtype, DV_DTYPE_F32);
    dv_graph_destroy(graph);
}

static void a_permutation_must_be_one(void)
{
    onnx_writer w = node_of(13, "Transpose", "x", "y");
    onnx_attr_ints(&w, "perm", "0,2,3,1");
    dv_graph *graph = finished(&w);
    CU_ASSERT_EQUAL(graph->ops[0].params.permute.rank, 4);
    CU_ASSERT_EQUAL(graph->ops[0].params.permute.perm[3], 1);
    dv_graph_destroy(graph);
    w = node_of(13, "Transpose", "x", "y");
    onnx_attr_ints(&w, "perm", "0,2,2,1");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    onnx_refused(&w, DV_BAD_INPUT, "attribute 'perm' is not a permutation");
}

DV_SUITE(load_onnx_ops, DV_TEST(the_table_is_sorted_and_every_row_is_found),
         DV_TEST(convolution_takes_its_attributes_or_their_defaults),
         DV_TEST(contradicting_windows_are_refused),
         DV_TEST(transposed_convolution_has_an_output_shape_in_either_spelling),
         DV_TEST(gemm_is_linear_with_its_factors), DV_TEST(softmax_flattens_before_opset_13),
         DV_TEST(attribute_and_input_forms_are_both_read),
         DV_TEST(clip_is_open_where_no_bound_is_given),
         DV_TEST(operators_of_many_operands_become_chains),
         DV_TEST(early_broadcasting_lines_up_at_its_axis),
         DV_TEST(resize_and_upsample_share_one_form), DV_TEST(split_is_by_sizes_or_equal),
         DV_TEST(layer_norm_counts_its_axis_from_either_end), DV_TEST(training_forms_are_opaque),
         DV_TEST(casts_name_types_by_number_or_by_word),
         DV_TEST(constant_of_shape_takes_value_and_type_from_one_element),
         DV_TEST(a_permutation_must_be_one));
