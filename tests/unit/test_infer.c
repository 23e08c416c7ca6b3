/* Shapes and parameters that the infer pass finds, against closed forms. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lowering.h"

/* One operator "y" over activations of the types given (separated by ", "; "-" left out). */
static const char *type_after(dv_op_kind kind, dv_op_params params, const char *types)
{
    static char found[256];
    dv_graph *graph = build_graph();
    dv_tensor_id inputs[8];
    size_t count = 0;
    char buffer[256], *rest = buffer, *type;
    snprintf(buffer, sizeof buffer, "%s", types);
    while ((type = strsep(&rest, ","))) {
        type += strspn(type, " ");
        inputs[count++] = strcmp(type, "-") == 0 ? DV_NONE : build_input(graph, "x", type);
    }
    dv_tensor_id y = build_op(graph, kind, params, "y", inputs, count);
    graph = inferred(build_finish(graph, y));
    snprintf(found, sizeof found, "%s", type_of(graph, "y"));
    dv_graph_destroy(graph);
    return found;
}

#define EXPECT_TYPE(kind, params, types, expected)                 \
    do {                                                           \
        const char *found_ = type_after(kind, params, types);      \
        if (strcmp(found_, expected) != 0)                         \
            fprintf(stderr, "    %s, not %s\n", found_, expected); \
        CU_ASSERT_STRING_EQUAL(found_, expected);                  \
    } while (0)

static void test_convolutions_keep_the_size_their_padding_gives(void)
{
    EXPECT_TYPE(DV_OP_CONVOLUTION, build_conv(1, 1, 1), "f32 2x3x8x9, f32 4x3x3x3", "f32 2x4x8x9");
    EXPECT_TYPE(DV_OP_CONVOLUTION, build_conv(2, 3, 1), "f32 1x3x224x224, f32 64x3x7x7, f32 64",
                "f32 1x64x112x112");
    EXPECT_TYPE(DV_OP_CONVOLUTION, build_conv(1, 0, 4), "f32 1x8x5x5, f32 12x2x5x1",
                "f32 1x12x1x5");
    EXPECT_TYPE(DV_OP_CONVOLUTION, build_conv(2, 0, 1), "f32 1x2x9, f32 3x2x3", "f32 1x3x4");
    EXPECT_TYPE(DV_OP_CONVOLUTION, build_conv(1, 1, 1), "f32 1x2x3x4x5, f32 3x2x3x3x3",
                "f32 1x3x3x4x5");
    dv_op_params dilated = build_conv(1, 2, 1);
    dilated.conv.dilation[0] = dilated.conv.dilation[1] = 2;
    EXPECT_TYPE(DV_OP_CONVOLUTION, dilated, "f32 1x1x7x7, f32 1x1x3x3", "f32 1x1x7x7");
}

static void test_same_padding_becomes_explicit_with_the_odd_pixel_at_its_side(void)
{
    for (int upper = 0; upper < 2; upper++) {
        dv_op_params params = build_conv(2, 0, 1);
        params.conv.auto_pad = upper ? DV_PAD_SAME_UPPER : DV_PAD_SAME_LOWER;
        dv_graph *graph = build_graph();
        dv_tensor_id x = build_input(graph, "x", "f32 1x1x6x5");
        dv_tensor_id w = build_fill(graph, "w", "f32 1x1x3x3", 1);
        graph =
            inferred(build_finish(graph, BUILD_OP(graph, DV_OP_CONVOLUTION, params, "y", x, w)));
        const dv_conv_params *conv = &graph->ops[0].params.conv;
        CU_ASSERT_STRING_EQUAL(type_of(graph, "y"), "f32 1x1x3x3");
        CU_ASSERT_EQUAL(conv->auto_pad, DV_PAD_EXPLICIT);
        /* 6 -> 3 by stride 2 and window 3 takes one pixel of padding; 5 -> 3 takes two */
        CU_ASSERT_EQUAL(conv->pad_begin[0], upper ? 0 : 1);
        CU_ASSERT_EQUAL(conv->pad_end[0], upper ? 1 : 0);
        CU_ASSERT_EQUAL(conv->pad_begin[1], 1);
        CU_ASSERT_EQUAL(conv->pad_end[1], 1);
        dv_graph_destroy(graph);
    }
}

static void test_transposed_convolutions_grow(void)
{
    dv_op_params params = build_conv(2, 1, 1);
    params.conv.transposed = true;
    EXPECT_TYPE(DV_OP_CONVOLUTION, params, "f32 1x4x5x6, f32 4x3x3x3", "f32 1x3x9x11");
    params.conv.output_padding[0] = 1;
    EXPECT_TYPE(DV_OP_CONVOLUTION, params, "f32 1x4x5x6, f32 4x3x3x3", "f32 1x3x10x11");
    params = build_conv(3, 0, 2);
    params.conv.transposed = true;
    EXPECT_TYPE(DV_OP_CONVOLUTION, params, "f32 1x4x3, f32 4x3x3, f32 6", "f32 1x6x9");
    params.conv.output_shape[0] = 10; /* one more than the strides make: output padding */
    EXPECT_TYPE(DV_OP_CONVOLUTION, params, "f32 1x4x3, f32 4x3x3", "f32 1x6x10");
    params.conv.output_shape[0] = 7;
    EXPECT_TYPE(DV_OP_CONVOLUTION, params, "f32 1x4x3, f32 4x3x3", "f32 1x6x7");
    params = build_conv(2, 0, 1);
    params.conv.transposed = true;
    params.conv.auto_pad = DV_PAD_SAME_UPPER;
    EXPECT_TYPE(DV_OP_CONVOLUTION, params, "f32 1x1x4x4, f32 1x1x3x3", "f32 1x1x8x8");
}

static void test_pools_round_as_they_are_told(void)
{
    EXPECT_TYPE(DV_OP_MAX_POOL, build_pool(3, 2, 1), "f32 1x8x112x112", "f32 1x8x56x56");
    dv_op_params ceil_mode = build_pool(3, 2, 0);
    EXPECT_TYPE(DV_OP_MAX_POOL, ceil_mode, "f32 1x8x110x109", "f32 1x8x54x54");
    ceil_mode.pool.ceil_mode = true;
    EXPECT_TYPE(DV_OP_MAX_POOL, ceil_mode, "f32 1x8x110x109", "f32 1x8x55x54");
    /* a window that would begin behind the image and its padding is left out */
    dv_op_params late = build_pool(1, 2, 0);
    late.pool.ceil_mode = true;
    EXPECT_TYPE(DV_OP_AVG_POOL, late, "f32 1x1x4x4", "f32 1x1x2x2");
    dv_op_params global = {.pool = {.global = true}};
    EXPECT_TYPE(DV_OP_AVG_POOL, global, "f32 2x3x7x5", "f32 2x3x1x1");
    EXPECT_TYPE(DV_OP_MAX_POOL, global, "f32 2x3x7", "f32 2x3x1");
}

static void test_matrix_products_follow_numpy(void)
{
    EXPECT_TYPE(DV_OP_MATMUL, build_none(), "f32 3x4, f32 4x5", "f32 3x5");
    EXPECT_TYPE(DV_OP_MATMUL, build_none(), "f32 2x1x3x4, f32 7x4x5", "f32 2x7x3x5");
    EXPECT_TYPE(DV_OP_MATMUL, build_none(), "f32 4, f32 4x5", "f32 5");
    EXPECT_TYPE(DV_OP_MATMUL, build_none(), "f32 2x3x4, f32 4", "f32 2x3");
    EXPECT_TYPE(DV_OP_MATMUL, build_none(), "f32 4, f32 4", "f32 scalar");
    EXPECT_TYPE(DV_OP_LINEAR, build_linear(false), "f32 2x3x4, f32 5x4, f32 5", "f32 2x3x5");
    EXPECT_TYPE(DV_OP_LINEAR, build_linear(true), "f32 2x4, f32 4x5", "f32 2x5");
    dv_op_params turned = build_linear(true);
    turned.linear.input_transposed = true;
    EXPECT_TYPE(DV_OP_LINEAR, turned, "f32 4x2, f32 4x5, f32 1x5", "f32 2x5");
}

static void test_operands_broadcast(void)
{
    EXPECT_TYPE(DV_OP_ADD, build_none(), "f32 3x1x5, f32 4x1", "f32 3x4x5");
    EXPECT_TYPE(DV_OP_MUL, build_none(), "i64 scalar, i64 2x2", "i64 2x2");
    EXPECT_TYPE(DV_OP_GE, build_none(), "f32 3x1, f32 2", "bool 3x2");
    EXPECT_TYPE(DV_OP_WHERE, build_none(), "bool 2x1, f32 3, f32 scalar", "f32 2x3");
    dv_op_params choice = {.flag = {.on = true}}; /* of an If: the condition widens nothing */
    EXPECT_TYPE(DV_OP_WHERE, choice, "bool 1x1, f32 3, f32 3", "f32 3");
    EXPECT_TYPE(DV_OP_POW, build_none(), "f32 3, i64 scalar", "f32 3");
    EXPECT_TYPE(DV_OP_RELU, build_none(), "f32 3x0", "f32 3x0");
    EXPECT_TYPE(DV_OP_ISNAN, build_none(), "f32 3", "bool 3");
    EXPECT_TYPE(DV_OP_CLAMP, build_clamp(0, 6), "f32 3, f32 scalar, f32 scalar", "f32 3");
}

static void test_reductions_drop_or_keep_their_axes(void)
{
    EXPECT_TYPE(DV_OP_MEAN, build_reduce(true, "23"), "f32 2x3x4x5", "f32 2x3x1x1");
    EXPECT_TYPE(DV_OP_SUM, build_reduce(false, "0"), "f32 2x3x4", "f32 3x4");
    EXPECT_TYPE(DV_OP_AMAX, build_reduce(false, ""), "f32 2x3", "f32 scalar");
    dv_op_params noop = build_reduce(true, "");
    noop.reduce.noop_when_empty = true;
    EXPECT_TYPE(DV_OP_SUM, noop, "f32 2x3", "f32 2x3");
    dv_op_params negative = build_reduce(false, "0");
    negative.reduce.axes[0] = -1;
    EXPECT_TYPE(DV_OP_ARGMAX, negative, "f32 2x3", "i64 2");
}

static void test_moved_elements_have_the_shapes_of_numpy(void)
{
    EXPECT_TYPE(DV_OP_PERMUTE, build_permute("0231"), "f32 2x3x4x5", "f32 2x4x5x3");
    EXPECT_TYPE(DV_OP_PERMUTE, build_none(), "f32 2x3x4", "f32 4x3x2");
    EXPECT_TYPE(DV_OP_CAT, build_axis(-1), "f32 2x3, f32 2x1, f32 2x0", "f32 2x4");
    EXPECT_TYPE(DV_OP_INDEX_SELECT, build_axis(1), "f32 2x3x4, i64 5x6", "f32 2x5x6x4");
    EXPECT_TYPE(DV_OP_EMBEDDING, build_none(), "f32 100x8, i64 2x7", "f32 2x7x8");
    EXPECT_TYPE(DV_OP_GATHER, build_axis(0), "f32 3x4, i64 9x2", "f32 9x2");
    dv_op_params select = {.select = {.axis = -2, .index = -1}};
    EXPECT_TYPE(DV_OP_SELECT, select, "f32 2x3x4", "f32 2x4");
    dv_op_params pad = {.pad = {.rank = 2, .begin = {1, -1}, .end = {0, 2}}};
    EXPECT_TYPE(DV_OP_PAD, pad, "f32 3x4", "f32 4x5");
    dv_op_params shuffle = {.shuffle = {.block = 2}};
    EXPECT_TYPE(DV_OP_PIXEL_SHUFFLE, shuffle, "f32 1x12x3x4", "f32 1x3x6x8");
    EXPECT_TYPE(DV_OP_FLATTEN, build_axis(2), "f32 2x3x4x5", "f32 6x20");
    EXPECT_TYPE(DV_OP_FLATTEN, build_axis(0), "f32 2x3", "f32 1x6");
    dv_op_params cast = {.cast = {.dtype = DV_DTYPE_I64}};
    EXPECT_TYPE(DV_OP_CAST, cast, "f32 2x3", "i64 2x3");
}

/* One operator over an activation x and parameter vectors; returns the type of y. */
static const char *type_with(dv_op_kind kind, dv_op_params params, const char *x_type,
                             const char *vectors)
{
    static char found[256];
    dv_graph *graph = build_graph();
    dv_tensor_id inputs[8] = {build_input(graph, "x", x_type)};
    size_t count = 1;
    char buffer[256], *rest = buffer, *vector;
    snprintf(buffer, sizeof buffer, "%s", vectors);
    while ((vector = strsep(&rest, ";"))) {
        int64_t values[16];
        size_t n = 0;
        char *number;
        vector += strspn(vector, " ");
        while ((number = strsep(&vector, " ")))
            if (*number)
                values[n++] = strtoll(number, NULL, 10);
        inputs[count++] = build_vector(graph, values, n);
    }
    dv_tensor_id y = build_op(graph, kind, params, "y", inputs, count);
    graph = inferred(build_finish(graph, y));
    snprintf(found, sizeof found, "%s", type_of(graph, "y"));
    CU_ASSERT_EQUAL(graph->ops[0].input_count, 1); /* read and dropped */
    dv_graph_destroy(graph);
    return found;
}

static void test_parameters_are_read_from_constants_and_dropped(void)
{
    dv_op_params none = build_none();
    CU_ASSERT_STRING_EQUAL(type_with(DV_OP_VIEW, none, "f32 2x3x4", "0 -1"), "f32 2x12");
    CU_ASSERT_STRING_EQUAL(type_with(DV_OP_VIEW, none, "f32 2x3x4", "4 3 2"), "f32 4x3x2");
    dv_op_params zeros = {.view = {.allow_zero = true}};
    CU_ASSERT_STRING_EQUAL(type_with(DV_OP_VIEW, zeros, "f32 0x3", "3 0"), "f32 3x0");
    CU_ASSERT_STRING_EQUAL(type_with(DV_OP_EXPAND, none, "f32 3x1", "2 1 6"), "f32 2x3x6");
    CU_ASSERT_STRING_EQUAL(type_with(DV_OP_REPEAT, none, "f32 2x3", "4 1"), "f32 8x3");
    CU_ASSERT_STRING_EQUAL(type_with(DV_OP_SQUEEZE, none, "f32 1x3x1", "-1"), "f32 1x3");
    CU_ASSERT_STRING_EQUAL(type_with(DV_OP_UNSQUEEZE, none, "f32 3x4", "0 -1"), "f32 1x3x4x1");
    CU_ASSERT_STRING_EQUAL(type_with(DV_OP_MEAN, none, "f32 3x4", "1"), "f32 3");
    CU_ASSERT_STRING_EQUAL(type_with(DV_OP_PAD, none, "f32 3x4", "1 0 0 2"), "f32 4x6");
    CU_ASSERT_STRING_EQUAL(type_with(DV_OP_CUMSUM, none, "f32 3x4", "-1"), "f32 3x4");
}

static void test_slices_are_clamped_like_numpys(void)
{
    dv_op_params none = build_none();
    CU_ASSERT_STRING_EQUAL(type_with(DV_OP_SLICE, none, "f32 20x10x5", "0 0; 3 10; 0 1; 1 1"),
                           "f32 3x10x5");
    CU_ASSERT_STRING_EQUAL(
        type_with(DV_OP_SLICE, none, "f32 20x10", "0 -3; 9223372036854775807 -1"), "f32 20x2");
    CU_ASSERT_STRING_EQUAL(
        type_with(DV_OP_SLICE, none, "f32 20x10", "-1 7; -9223372036854775808 0; 0 1; -1 -3"),
        "f32 20x3");
    CU_ASSERT_STRING_EQUAL(type_with(DV_OP_SLICE, none, "f32 20x10", "1000; 2000; 1"), "f32 20x0");
    CU_ASSERT_STRING_EQUAL(type_with(DV_OP_SLICE, none, "f32 20", "5; 2; 0; 1"), "f32 0");
    CU_ASSERT_STRING_EQUAL(type_with(DV_OP_SLICE, none, "f32 20",
                                     "19; -9223372036854775808; 0; "
                                     "-9223372036854775808"),
                           "f32 1");
}

static void test_a_reversed_slice_keeps_its_meaning_when_lowered_again(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 4");
    dv_tensor_id begins = BUILD_INTS(graph, -1), ends = BUILD_INTS(graph, INT64_MIN),
                 axes = BUILD_INTS(graph, 0), steps = BUILD_INTS(graph, -1);
    graph = inferred(build_finish(
        graph, BUILD_OP(graph, DV_OP_SLICE, build_none(), "y", x, begins, ends, axes, steps)));
    CU_ASSERT_EQUAL(graph->ops[0].params.slice.begin[0], 3);
    CU_ASSERT_EQUAL(graph->ops[0].params.slice.end[0], -1);
    graph = inferred(graph);
    CU_ASSERT_STRING_EQUAL(type_of(graph, "y"), "f32 4");
    CU_ASSERT_EQUAL(graph->ops[0].params.slice.end[0], -1);
    dv_graph_destroy(graph);
}

static void test_splits_have_the_sizes_given_or_equal_ones(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 7x10"), given[2], equal[3], listed[2];
    dv_tensor_id sizes = BUILD_INTS(graph, 3, 7);
    dv_op_params by_axis = {.split = {.axis = -1}};
    build_op_outputs(graph, DV_OP_SPLIT, by_axis, "given", (dv_tensor_id[]){x, sizes}, 2, given, 2);
    build_op_outputs(graph, DV_OP_SPLIT, by_axis, "equal", &x, 1, equal, 3);
    dv_op_params by_list = {.split = {.axis = 0, .count = 2, .sizes = (int64_t[]){2, 5}}};
    build_op_outputs(graph, DV_OP_SPLIT, by_list, "listed", &x, 1, listed, 2);
    for (int i = 0; i < 2; i++) {
        build_output(graph, given[i]);
        build_output(graph, equal[i]);
        build_output(graph, listed[i]);
    }
    build_output(graph, equal[2]);
    graph = inferred(build_finish(graph, DV_NONE));
    CU_ASSERT_STRING_EQUAL(type_of(graph, "given.0"), "f32 7x3");
    CU_ASSERT_STRING_EQUAL(type_of(graph, "given.1"), "f32 7x7");
    CU_ASSERT_STRING_EQUAL(type_of(graph, "equal.0"), "f32 7x4");
    CU_ASSERT_STRING_EQUAL(type_of(graph, "equal.2"), "f32 7x2"); /* what is left */
    CU_ASSERT_STRING_EQUAL(type_of(graph, "listed.1"), "f32 5x10");
    CU_ASSERT_EQUAL(op_named(graph, "given")->params.split.sizes[1], 7);
    dv_graph_destroy(graph);
}

static void test_images_are_resized_by_scales_or_to_sizes(void)
{
    const float scales[] = {1, 1, 2.5f, 0.5f};
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 1x3x5x8");
    dv_tensor_id by = build_floats(graph, "scales", "f32 4", scales);
    dv_tensor_id to = BUILD_INTS(graph, 1, 3, 10, 4);
    build_output(graph,
                 BUILD_OP(graph, DV_OP_UPSAMPLE_NEAREST, build_none(), "scaled", x, DV_NONE, by));
    build_output(graph, BUILD_OP(graph, DV_OP_UPSAMPLE_BILINEAR, build_none(), "sized", x, DV_NONE,
                                 DV_NONE, to));
    graph = inferred(inferred(build_finish(graph, DV_NONE)));
    CU_ASSERT_STRING_EQUAL(type_of(graph, "scaled"), "f32 1x3x12x4");
    CU_ASSERT_EQUAL(op_named(graph, "scaled")->params.resize.scale_h, 2.5);
    CU_ASSERT_STRING_EQUAL(type_of(graph, "sized"), "f32 1x3x10x4");
    CU_ASSERT_EQUAL(op_named(graph, "sized")->params.resize.scale_w, 0.5);
    dv_graph_destroy(graph);
}

static void test_a_pool_may_also_give_indices(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 1x1x4x4"), outputs[2];
    build_op_outputs(graph, DV_OP_MAX_POOL, build_pool(2, 2, 0), "y", &x, 1, outputs, 2);
    build_output(graph, outputs[0]);
    build_output(graph, outputs[1]);
    graph = inferred(build_finish(graph, DV_NONE));
    CU_ASSERT_STRING_EQUAL(type_of(graph, "y.1"), "i64 1x1x2x2");
    dv_graph_destroy(graph);
}

DV_SUITE(lower_infer, DV_TEST(test_convolutions_keep_the_size_their_padding_gives),
         DV_TEST(test_same_padding_becomes_explicit_with_the_odd_pixel_at_its_side),
         DV_TEST(test_transposed_convolutions_grow), DV_TEST(test_pools_round_as_they_are_told),
         DV_TEST(test_matrix_products_follow_numpy), DV_TEST(test_operands_broadcast),
         DV_TEST(test_reductions_drop_or_keep_their_axes),
         DV_TEST(test_moved_elements_have_the_shapes_of_numpy),
         DV_TEST(test_parameters_are_read_from_constants_and_dropped),
         DV_TEST(test_slices_are_clamped_like_numpys),
         DV_TEST(test_a_reversed_slice_keeps_its_meaning_when_lowered_again),
         DV_TEST(test_splits_have_the_sizes_given_or_equal_ones),
         DV_TEST(test_images_are_resized_by_scales_or_to_sizes),
         DV_TEST(test_a_pool_may_also_give_indices));
