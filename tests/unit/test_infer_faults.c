/* Operators that cannot be: each is refused with the node's name, none crashes. */
#include <math.h>

#include "tests/lowering.h"

/* One operator 'y' over activations of the types given. */
static void refuse(dv_op_kind kind, dv_op_params params, const char *a, const char *b,
                   const char *words)
{
    dv_graph *graph = build_graph();
    dv_tensor_id inputs[2] = {build_input(graph, "a", a), DV_NONE};
    if (b)
        inputs[1] = build_input(graph, "b", b);
    dv_tensor_id y = build_op(graph, kind, params, "y", inputs, b ? 2 : 1);
    expect_refused(build_finish(graph, y), words);
}

/* The same over one activation and one vector of parameters. */
static void refuse_with(dv_op_kind kind, dv_op_params params, const char *a, size_t count,
                        const int64_t *values, const char *words)
{
    dv_graph *graph = build_graph();
    dv_tensor_id inputs[2] = {build_input(graph, "a", a), build_vector(graph, values, count)};
    dv_tensor_id y = build_op(graph, kind, params, "y", inputs, 2);
    expect_refused(build_finish(graph, y), words);
}

#define REFUSE_WITH(kind, params, a, words, ...)                                     \
    refuse_with(kind, params, a, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), \
                (int64_t[]){__VA_ARGS__}, words)

static void test_mismatched_operands_name_the_node(void)
{
    refuse(DV_OP_MATMUL, build_none(), "f32 2x768", "f32 512x3",
           "node 0 'y' (aten.bmm.default): |inputs 768 and 512 do not match");
    refuse(DV_OP_MATMUL, build_none(), "f32 2x3x4", "f32 5x4x3", "batches");
    refuse(DV_OP_MATMUL, build_none(), "f32 scalar", "f32 3", "no matrices");
    refuse(DV_OP_ADD, build_none(), "f32 2x3", "f32 4", "'y'|2x3 and 4 do not match");
    refuse(DV_OP_ADD, build_none(), "f32 3", "i64 3", "f32 and i64 do not match");
    refuse(DV_OP_LINEAR, build_linear(false), "f32 2x3", "f32 4x5", "inputs 3 and 5");
    refuse(DV_OP_CAT, build_axis(0), "f32 2x3", "f32 2x4", "do not match along axis 0");
    refuse(DV_OP_PRELU, build_none(), "f32 3", "f32 2x3", "slope");
    refuse(DV_OP_ADD, build_none(), "f32 3", NULL, "input 2 is missing");
}

static void test_impossible_windows_are_refused(void)
{
    dv_op_params params = build_conv(1, 0, 1);
    refuse(DV_OP_CONVOLUTION, params, "f32 1x3x2x2", "f32 4x3x3x3", "does not fit into 2");
    refuse(DV_OP_CONVOLUTION, params, "f32 1x3x8x8", "f32 4x2x3x3", "3 channels|expects 2");
    refuse(DV_OP_CONVOLUTION, params, "f32 1x3x8", "f32 4x3x3x3", "1x3x8|4x3x3x3");
    refuse(DV_OP_CONVOLUTION, params, "f32 1x0x8x8", "f32 4x0x0x3", "a kernel of size 0");
    refuse(DV_OP_CONVOLUTION, build_conv(0, 0, 1), "f32 1x3x8x8", "f32 4x3x3x3", "stride of 0");
    refuse(DV_OP_CONVOLUTION, build_conv(1, -1, 1), "f32 1x3x8x8", "f32 4x3x3x3", "padding of -1");
    refuse(DV_OP_CONVOLUTION, build_conv(1, INT64_MAX, 1), "f32 1x3x8x8", "f32 4x3x3x3",
           "a padding of");
    refuse(DV_OP_CONVOLUTION, build_conv(1, 0, 2), "f32 1x3x8x8", "f32 4x3x3x3", "2 groups");
    refuse(DV_OP_CONVOLUTION, build_conv(1, 0, 0), "f32 1x3x8x8", "f32 4x3x3x3", "0 groups");
    refuse(DV_OP_CONVOLUTION, build_conv(1, 0, INT64_MIN), "f32 1x3x8x8", "f32 4x3x3x3", "groups");
    params.conv.dilation[0] = INT64_MAX;
    refuse(DV_OP_CONVOLUTION, params, "f32 1x3x8x8", "f32 4x3x3x3", "a dilation of");
    params = build_conv(1, 3, 1);
    params.conv.transposed = true;
    refuse(DV_OP_CONVOLUTION, params, "f32 1x3x2x2", "f32 3x4x3x3", "nothing of the output");
    refuse(DV_OP_MAX_POOL, build_pool(2, 1, 2), "f32 1x3x8x8", NULL, "as wide as its window");
    refuse(DV_OP_AVG_POOL, build_pool(9, 1, 0), "f32 1x3x8x8", NULL, "does not fit");
    refuse(DV_OP_MAX_POOL, build_pool(0, 1, 0), "f32 1x3x8x8", NULL, "a kernel of size 0");
    refuse(DV_OP_MAX_POOL, build_pool(2, 1, 0), "f32 8x8", NULL, "cannot be pooled");
}

static void test_axes_out_of_range_are_refused(void)
{
    refuse(DV_OP_CAT, build_axis(2), "f32 2x3", "f32 2x3", "axis 2 is out of range");
    refuse(DV_OP_SOFTMAX, build_axis(-3), "f32 2x3", NULL, "axis -3 is out of range");
    refuse(DV_OP_MEAN, build_reduce(false, "5"), "f32 2x3", NULL, "axis 5");
    refuse(DV_OP_MEAN, build_reduce(false, "11"), "f32 2x3", NULL, "given twice");
    refuse(DV_OP_PERMUTE, build_permute("00"), "f32 2x3", NULL, "no permutation");
    refuse(DV_OP_PERMUTE, build_permute("012"), "f32 2x3", NULL, "no permutation");
    REFUSE_WITH(DV_OP_SQUEEZE, build_none(), "f32 2x3", "dimension 0 is 2, not 1", 0);
    REFUSE_WITH(DV_OP_UNSQUEEZE, build_none(), "f32 2x3", "axis 3", 3);
    REFUSE_WITH(DV_OP_UNSQUEEZE, build_none(), "f32 2x3", "more than 8", 0, 1, 2, 3, 4, 5, 6);
    REFUSE_WITH(DV_OP_SUM, build_none(), "f32 2x3", "axis", INT64_MIN);
    refuse(DV_OP_INDEX_SELECT, build_axis(0), "f32 scalar", "i64 2", "axis 0");
    dv_op_params select = {.select = {.axis = 0, .index = 2}};
    refuse(DV_OP_SELECT, select, "f32 2x3", NULL, "index 2 is out of range");
}

static void test_impossible_shapes_are_refused(void)
{
    dv_op_params none = build_none();
    REFUSE_WITH(DV_OP_VIEW, none, "f32 2x3", "2x3 cannot be viewed", 4, 2);
    REFUSE_WITH(DV_OP_VIEW, none, "f32 2x3", "cannot be viewed", -1, 4);
    REFUSE_WITH(DV_OP_VIEW, none, "f32 2x3", "cannot be viewed", -1, -1);
    REFUSE_WITH(DV_OP_VIEW, none, "f32 2x3", "cannot be viewed", -2, -3);
    REFUSE_WITH(DV_OP_VIEW, none, "f32 2x3", "cannot be viewed", 1, 1, 0);
    dv_op_params zeros = {.view = {.allow_zero = true}};
    REFUSE_WITH(DV_OP_VIEW, zeros, "f32 0x3", "cannot be viewed", -1, 0);
    REFUSE_WITH(DV_OP_VIEW, none, "f32 4", "cannot be viewed", INT64_MAX, INT64_MAX);
    REFUSE_WITH(DV_OP_EXPAND, none, "f32 2x3", "cannot be expanded", 4, 3);
    REFUSE_WITH(DV_OP_EXPAND, none, "f32 1", "too large", INT64_MAX);
    REFUSE_WITH(DV_OP_REPEAT, none, "f32 2x3", "-1 repeats", -1, 2);
    REFUSE_WITH(DV_OP_REPEAT, none, "f32 2x3", "repeats", INT64_MAX, 2);
    REFUSE_WITH(DV_OP_REPEAT, none, "f32 2x3", "1 repeats for 2", 2);
    REFUSE_WITH(DV_OP_PAD, none, "f32 2", "pads of -3", -3, 0);
    REFUSE_WITH(DV_OP_PAD, none, "f32 2", "pads of", INT64_MIN, INT64_MAX);
    REFUSE_WITH(DV_OP_PAD, none, "f32 2", "3 pads for 1", 1, 1, 1);
    REFUSE_WITH(DV_OP_VIEW, none, "f32 2", "more than 8", 1, 1, 1, 1, 1, 1, 1, 1, 2);
    dv_op_params reflect = {.pad = {.mode = DV_PAD_REFLECT, .rank = 1, .begin = {2}}};
    refuse(DV_OP_PAD, reflect, "f32 2", NULL, "2 elements cannot be continued by 2");
    dv_op_params shuffle = {.shuffle = {.block = INT64_MAX}};
    refuse(DV_OP_PIXEL_SHUFFLE, shuffle, "f32 1x4x2x2", NULL, "blocks");
    dv_op_params cast = {.cast = {.dtype = DV_DTYPE_STRING}};
    refuse(DV_OP_CAST, cast, "f32 2", NULL, "not supported");
}

static void test_bad_slices_and_splits_are_refused(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 4x4");
    dv_tensor_id zero = BUILD_INTS(graph, 0), four = BUILD_INTS(graph, 4);
    expect_refused(build_finish(graph, BUILD_OP(graph, DV_OP_SLICE, build_none(), "y", x, zero,
                                                four, zero, zero)),
                   "a step of 0");
    graph = build_graph();
    x = build_input(graph, "x", "f32 4x4");
    dv_tensor_id two = BUILD_INTS(graph, 0, 0);
    zero = BUILD_INTS(graph, 0);
    expect_refused(
        build_finish(graph, BUILD_OP(graph, DV_OP_SLICE, build_none(), "y", x, zero, two)),
        "differ in number");
    dv_op_params split = {.split = {.axis = 0, .count = 1, .sizes = (int64_t[]){3}}};
    refuse(DV_OP_SPLIT, split, "f32 4", NULL, "add up to 3, not 4");
    split.split.sizes = (int64_t[]){INT64_MAX};
    refuse(DV_OP_SPLIT, split, "f32 4", NULL, "do not add up");
    split.split.sizes = (int64_t[]){-1};
    refuse(DV_OP_SPLIT, split, "f32 4", NULL, "do not add up");
}

static void test_parameters_that_are_computed_are_refused_with_their_name(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 4"), shape = build_input(graph, "dims", "i64 1");
    dv_tensor_id view = BUILD_OP(graph, DV_OP_VIEW, build_none(), "y", x, shape);
    expect_refused(build_finish(graph, view),
                   "target shape 'dims' is only known when the network runs");
}

static void test_unknown_dims_of_inputs_are_named(void)
{
    refuse(DV_OP_RELU, build_none(), "f32 1x?x8", NULL, "input 'a': dimension 1|--dim");
    refuse(DV_OP_RELU, build_none(), "f32 ?", NULL, "input 'a'");
}

static void test_absurd_sizes_are_refused(void)
{
    refuse(DV_OP_RELU, build_none(), "f32 1x9000000000000", NULL, "dimension 1 is too large");
    refuse(DV_OP_RELU, build_none(), "f32 2000000000x2000000000", NULL, "too large");
    refuse(DV_OP_ADD, build_none(), "f32 2000000000x1x1x2000000000",
           "f32 1x2000000000x2000000000x1", "too large");
}

static void test_an_unsupported_operator_is_named_with_its_reason(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 4"), y = DV_NONE;
    build_op_outputs(graph, DV_OP_OPAQUE, build_none(), "odd", &x, 1, &y, 1);
    dv_graph_op_mutable(graph, 0)->reason = "domain com.example is not supported";
    dv_graph_op_mutable(graph, 0)->source_type = "Magic";
    build_finish(graph, BUILD_OP(graph, DV_OP_RELU, build_none(), "after", y));

    dv_lower_options keep = {.keep_opaque = true};
    dv_graph *out = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_lower(graph, &keep, &out), DV_OK);
    CU_ASSERT_EQUAL(out->op_count, 2);
    CU_ASSERT_EQUAL(out->unit_count, 2);
    CU_ASSERT_STRING_EQUAL(type_of(out, "after"), "f32 ?");
    dv_graph_destroy(out);

    expect_refused(graph, "node 0 'odd' (Magic): domain com.example is not supported");
}

static void test_what_depends_on_an_unsupported_operator_can_still_be_shown(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 4"), shape = DV_NONE;
    build_op_outputs(graph, DV_OP_OPAQUE, build_none(), "odd", &x, 1, &shape, 1);
    dv_graph_tensor_mutable(graph, shape)->shape = (dv_shape){.rank = 1, .dim = {2}};
    dv_graph_tensor_mutable(graph, shape)->dtype = DV_DTYPE_I64;
    dv_tensor_id view = BUILD_OP(graph, DV_OP_VIEW, build_none(), "view", x, shape);
    build_output(graph, BUILD_OP(graph, DV_OP_RELU, build_none(), "after", view));
    build_output(graph, BUILD_OP(graph, DV_OP_EXP, build_none(), "beside", x));
    build_finish(graph, DV_NONE);

    dv_lower_options keep = {.keep_opaque = true};
    dv_graph *out = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_lower(graph, &keep, &out), DV_OK);
    CU_ASSERT_EQUAL(out->op_count, 4);
    CU_ASSERT_STRING_EQUAL(type_of(out, "view"), "f32 ?");
    CU_ASSERT_STRING_EQUAL(type_of(out, "beside"), "f32 4");
    dv_graph_destroy(out);
    expect_refused(graph, "'odd'");

    graph = build_graph(); /* a fault of another kind stays one */
    x = build_input(graph, "x", "f32 4");
    dv_tensor_id bad = BUILD_OP(graph, DV_OP_CAT, build_axis(3), "bad", x, x);
    build_finish(graph, bad);
    CU_ASSERT_EQUAL(dv_lower(graph, &keep, &out), DV_BAD_INPUT);
    dv_graph_destroy(graph);
}

DV_SUITE(lower_infer_faults, DV_TEST(test_mismatched_operands_name_the_node),
         DV_TEST(test_impossible_windows_are_refused), DV_TEST(test_axes_out_of_range_are_refused),
         DV_TEST(test_impossible_shapes_are_refused),
         DV_TEST(test_bad_slices_and_splits_are_refused),
         DV_TEST(test_parameters_that_are_computed_are_refused_with_their_name),
         DV_TEST(test_unknown_dims_of_inputs_are_named), DV_TEST(test_absurd_sizes_are_refused),
         DV_TEST(test_an_unsupported_operator_is_named_with_its_reason),
         DV_TEST(test_what_depends_on_an_unsupported_operator_can_still_be_shown));
