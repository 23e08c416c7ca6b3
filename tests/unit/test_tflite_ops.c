/* test_tflite_ops.c - TFLite's operators compute what the same network of ours by hand does. */
#include <stdio.h>

#include "tests/lowering.h"
#include "tests/tflite_writer.h"

/* One operator of input x and up to two constants, in images (x is made planar by a RELU over a
   pool of one pixel first) or plain. */
static void one(int code, const char *shape, const char *out, const int32_t *list, size_t count,
                tfl_writer *w)
{
    static char dims[16];
    snprintf(dims, sizeof dims, "%zu", count);
    *w = tfl_begin();
    tfl_tensor(w, "x", TFL_F32, shape);
    tfl_tensor(w, "pooled", TFL_F32, shape);
    tfl_tensor(w, "y", TFL_F32, out);
    tfl_op(w, 17, "0", "1"); /* MAX_POOL_2D: now only the planar form is there */
    for (unsigned field = 1; field <= 4; field++)
        tfl_option(w, field, 4, 1);
    if (list)
        tfl_constant(w, "list", TFL_I32, dims, list, count * sizeof *list);
    tfl_op(w, code, list ? "1,3" : "1", "2");
    tfl_borders(w, "0", "2");
}

/* x in NCHW, as the pool leaves it. */
static dv_tensor_id image(dv_graph *graph, const char *type)
{
    dv_tensor_id x = build_input(graph, "x", type);
    return BUILD_OP(graph, DV_OP_PERMUTE, build_permute("0312"), "p", x);
}

static void expect_same(const tfl_writer *w, dv_graph *twin)
{
    dv_graph *graph = lowered(tfl_loaded(w));
    twin = lowered(twin);
    double apart = difference(graph, twin, 3, 2);
    CU_ASSERT_TRUE(apart < 1e-6);
    if (!(apart < 1e-6))
        fprintf(stderr, "    differs by %g\n", apart);
    dv_graph_destroy(graph);
    dv_graph_destroy(twin);
}

static void a_mean_over_an_image_needs_no_permutation_behind_it(void)
{
    static const int32_t axes[] = {1, 2};
    tfl_writer w;
    one(40, "1,3,5,2", "1,2", axes, 2, &w);
    dv_graph *twin = build_graph();
    dv_tensor_id x = image(twin, "f32 1x3x5x2");
    dv_graph *graph = lowered(tfl_loaded(&w));
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_PERMUTE), 1);
    dv_graph_destroy(graph);
    expect_same(&w,
                build_finish(twin, BUILD_OP(twin, DV_OP_MEAN, build_reduce(false, "23"), "y", x)));
}

static void a_mean_over_channels_and_rows_keeps_the_order_of_what_is_left(void)
{
    static const int32_t axes[] = {1};
    tfl_writer w;
    one(40, "1,3,5,2", "1,5,2", axes, 1, &w);
    dv_graph *twin = build_graph();
    dv_tensor_id x = build_input(twin, "x", "f32 1x3x5x2");
    expect_same(&w,
                build_finish(twin, BUILD_OP(twin, DV_OP_MEAN, build_reduce(false, "1"), "y", x)));
}

static void pads_follow_their_dims(void)
{
    static const int32_t pads[] = {0, 0, 1, 2, 0, 3, 0, 1};
    tfl_writer w;
    one(34, "1,3,5,2", "1,6,8,3", NULL, 0, &w);
    tfl_constant(&w, "list", TFL_I32, "4,2", pads, sizeof pads);
    w.graphs[0].ops[1].inputs = "1,3";
    dv_graph *twin = build_graph();
    dv_tensor_id x = build_input(twin, "x", "f32 1x3x5x2");
    dv_op_params pad = {.pad = {.rank = 4, .begin = {0, 1, 0, 0}, .end = {0, 2, 3, 1}}};
    expect_same(&w, build_finish(twin, BUILD_OP(twin, DV_OP_PAD, pad, "y", x)));
}

/* x[:, 1:, 1, ::-1] */
static void strided_slices_honour_their_masks(void)
{
    static const int32_t begin[] = {0, 1, 1, 0}, end[] = {0, 0, 2, 0}, step[] = {1, 1, 1, -1};
    tfl_writer w;
    one(45, "1,3,5,2", "1,2,2", NULL, 0, &w);
    tfl_constant(&w, "begin", TFL_I32, "4", begin, sizeof begin);
    tfl_constant(&w, "end", TFL_I32, "4", end, sizeof end);
    tfl_constant(&w, "step", TFL_I32, "4", step, sizeof step);
    w.graphs[0].ops[1].inputs = "1,3,4,5";
    tfl_option(&w, 0, 4, 8 | 1);
    tfl_option(&w, 1, 4, 8 | 2 | 1);
    tfl_option(&w, 4, 4, 4);
    dv_graph *twin = build_graph();
    dv_tensor_id x = build_input(twin, "x", "f32 1x3x5x2");
    dv_op_params slice = {.slice = {.count = 2,
                                    .axes = {1, 3},
                                    .begin = {1, INT64_MAX},
                                    .end = {INT64_MAX, INT64_MIN},
                                    .step = {1, -1}}};
    dv_op_params select = {.select = {.axis = 2, .index = 1}};
    dv_tensor_id y = BUILD_OP(twin, DV_OP_SLICE, slice, "s", x);
    expect_same(&w, build_finish(twin, BUILD_OP(twin, DV_OP_SELECT, select, "y", y)));
}

/* Blocks taken apart and put together again give the image. */
static void space_to_depth_undoes_depth_to_space(void)
{
    tfl_writer w;
    one(26, "1,4,6,3", "1,2,3,12", NULL, 0, &w);
    tfl_option(&w, 0, 4, 2);
    tfl_tensor(&w, "back", TFL_F32, "1,4,6,3");
    tfl_op(&w, 5, "2", "3");
    tfl_option(&w, 0, 4, 2);
    tfl_borders(&w, "0", "3");
    dv_graph *twin = build_graph();
    dv_tensor_id x = build_input(twin, "x", "f32 1x4x6x3");
    dv_tensor_id once = BUILD_OP(twin, DV_OP_NEG, build_none(), "n", x);
    expect_same(&w, build_finish(twin, BUILD_OP(twin, DV_OP_NEG, build_none(), "y", once)));
}

static void a_transposed_convolution_gives_the_shape_asked_for(void)
{
    static const float weight[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    static const int32_t shape[] = {1, 6, 10, 1};
    tfl_writer w = tfl_begin();
    tfl_constant(&w, "shape", TFL_I32, "4", shape, sizeof shape);
    tfl_constant(&w, "w", TFL_F32, "1,3,3,1", weight, sizeof weight);
    tfl_tensor(&w, "x", TFL_F32, "1,3,5,1");
    tfl_tensor(&w, "y", TFL_F32, "1,6,10,1");
    tfl_op(&w, 67, "0,1,2", "3");
    tfl_option(&w, 1, 4, 2);
    tfl_option(&w, 2, 4, 2);
    tfl_borders(&w, "2", "3");
    dv_graph *graph = lowered(tfl_loaded(&w));
    CU_ASSERT_STRING_EQUAL(type_of(graph, "y"), "f32 1x6x10x1");
    dv_graph_destroy(graph);
}

static void a_depthwise_weight_has_a_row_for_each_channel(void)
{
    static const float weight[] = {1, 2, 3, 4, 5, 6, 7, 8}; /* 1, H2, W1, C2 times 2 */
    tfl_writer w = tfl_begin();
    tfl_tensor(&w, "x", TFL_F32, "1,4,4,2");
    tfl_constant(&w, "w", TFL_F32, "1,2,1,4", weight, sizeof weight);
    tfl_tensor(&w, "y", TFL_F32, "1,4,4,4");
    tfl_op(&w, 4, "0,1", "2");
    tfl_option(&w, 1, 4, 1);
    tfl_option(&w, 2, 4, 1);
    tfl_option(&w, 3, 4, 2);
    tfl_borders(&w, "0", "2");
    dv_graph *graph = lowered(tfl_loaded(&w));
    const dv_op *conv = first_of(graph, DV_OP_CONVOLUTION);
    CU_ASSERT_PTR_NOT_NULL_FATAL(conv);
    CU_ASSERT_EQUAL(conv->params.conv.groups, 2);
    CU_ASSERT_TRUE(HOLDS(graph, conv->inputs[1], 1, 5, 2, 6, 3, 7, 4, 8));
    dv_graph_destroy(graph);
}

/* Broadcast along the channels, which are last in the file and second in our graph. */
static void a_vector_is_added_along_the_channels(void)
{
    static const float shift[] = {10, 20};
    tfl_writer w;
    one(0, "1,3,5,2", "1,3,5,2", NULL, 0, &w);
    tfl_constant(&w, "shift", TFL_F32, "2", shift, sizeof shift);
    w.graphs[0].ops[1].inputs = "1,3";
    dv_graph *twin = build_graph();
    dv_tensor_id x = build_input(twin, "x", "f32 1x3x5x2");
    dv_tensor_id s = build_floats(twin, "s", "f32 2", shift);
    expect_same(&w, build_finish(twin, BUILD_OP(twin, DV_OP_ADD, build_none(), "y", x, s)));
}

DV_SUITE(load_tflite_ops, DV_TEST(a_mean_over_an_image_needs_no_permutation_behind_it),
         DV_TEST(a_mean_over_channels_and_rows_keeps_the_order_of_what_is_left),
         DV_TEST(pads_follow_their_dims), DV_TEST(strided_slices_honour_their_masks),
         DV_TEST(space_to_depth_undoes_depth_to_space),
         DV_TEST(a_transposed_convolution_gives_the_shape_asked_for),
         DV_TEST(a_depthwise_weight_has_a_row_for_each_channel),
         DV_TEST(a_vector_is_added_along_the_channels));
