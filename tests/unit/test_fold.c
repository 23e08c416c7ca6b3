/* Constants computed from constants: values, laziness and limits. */
#include <math.h>
#include <string.h>

#include "tests/lowering.h"

/* Infers a graph whose one output is constant, and gives the constant behind it. */
static dv_tensor_id folded(dv_graph **graph, dv_tensor_id output)
{
    *graph = inferred(build_finish(*graph, output));
    CU_ASSERT_EQUAL((*graph)->op_count, 1);
    CU_ASSERT_EQUAL((*graph)->ops[0].kind, DV_OP_VIEW); /* an output is made by an operator */
    return (*graph)->ops[0].inputs[0];
}

static void test_a_views_shape_computed_from_the_inputs_shape_is_folded(void)
{
    /* x.view(x.shape[0], -1), as exporters spell it */
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 4x3x2");
    dv_tensor_id shape = BUILD_OP(graph, DV_OP_SHAPE, build_none(), "shape", x);
    dv_tensor_id zero = build_ints(graph, "zero", "i64 scalar", (int64_t[]){0});
    dv_tensor_id batch = BUILD_OP(graph, DV_OP_INDEX_SELECT, build_axis(0), "batch", shape, zero);
    dv_tensor_id axes = BUILD_INTS(graph, 0), rest = BUILD_INTS(graph, -1);
    dv_tensor_id row = BUILD_OP(graph, DV_OP_UNSQUEEZE, build_none(), "row", batch, axes);
    dv_tensor_id target = BUILD_OP(graph, DV_OP_CAT, build_axis(0), "target", row, rest);
    dv_tensor_id y = BUILD_OP(graph, DV_OP_VIEW, build_none(), "y", x, target);
    graph = inferred(build_finish(graph, y));
    CU_ASSERT_EQUAL(graph->op_count, 1);
    CU_ASSERT_STRING_EQUAL(type_of(graph, "y"), "f32 4x6");
    CU_ASSERT_EQUAL(graph->tensor_count, 2); /* nothing of the computation is left */
    dv_graph_destroy(graph);
}

static void test_integers_divide_and_wrap_as_they_should(void)
{
    static const struct {
        dv_op_kind kind;
        double expected[4];
    } cases[] = {{DV_OP_DIV, {3, -3, -3, 3}},      {DV_OP_REMAINDER, {1, 1, -1, -1}},
                 {DV_OP_FMOD, {1, -1, 1, -1}},     {DV_OP_MUL, {14, -14, -14, 14}},
                 {DV_OP_MAXIMUM, {7, 2, 7, -2}},   {DV_OP_SUB, {5, -9, 9, -5}},
                 {DV_OP_GT, {1, 0, 1, 0}},         {DV_OP_EQ, {0, 0, 0, 0}},
                 {DV_OP_LOGICAL_AND, {1, 1, 1, 1}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dv_graph *graph = build_graph();
        dv_tensor_id a = BUILD_INTS(graph, 7, -7, 7, -7), b = BUILD_INTS(graph, 2, 2, -2, -2);
        dv_tensor_id y = folded(&graph, BUILD_OP(graph, cases[i].kind, build_none(), "y", a, b));
        CU_ASSERT_TRUE(holds(graph, y, 4, cases[i].expected));
        dv_graph_destroy(graph);
    }
}

static void test_a_division_by_zero_is_left_to_run_time(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id a = BUILD_INTS(graph, 7), b = BUILD_INTS(graph, 0);
    graph = inferred(build_finish(graph, BUILD_OP(graph, DV_OP_DIV, build_none(), "y", a, b)));
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_DIV), 1);
    dv_graph_destroy(graph);

    graph = build_graph(); /* the quotient that does not fit wraps, and nothing traps */
    a = BUILD_INTS(graph, INT64_MIN), b = BUILD_INTS(graph, -1);
    dv_tensor_id y = folded(&graph, BUILD_OP(graph, DV_OP_DIV, build_none(), "y", a, b));
    int64_t value = 0;
    CU_ASSERT_TRUE(dv_tensor_read_i64(&graph->tensors[y], 0, 1, &value));
    CU_ASSERT_EQUAL(value, INT64_MIN);
    dv_graph_destroy(graph);
}

static void test_floats_are_rounded_to_their_type(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id a = build_floats(graph, "a", "f32 2", (float[]){1, 2});
    dv_tensor_id b = build_floats(graph, "b", "f32 scalar", (float[]){3});
    dv_tensor_id y = folded(&graph, BUILD_OP(graph, DV_OP_DIV, build_none(), "y", a, b));
    float values[2] = {0};
    CU_ASSERT_TRUE(dv_tensor_read_f32(&graph->tensors[y], 0, 2, values));
    CU_ASSERT_EQUAL(values[0], 1.0f / 3.0f);
    CU_ASSERT_EQUAL(values[1], 2.0f / 3.0f);
    dv_graph_destroy(graph);
}

static void test_reductions_and_ranges(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id a = build_floats(graph, "a", "f32 2x3", (float[]){1, 2, 3, 4, 5, 9});
    dv_tensor_id y = folded(&graph, BUILD_OP(graph, DV_OP_MEAN, build_reduce(false, "1"), "y", a));
    CU_ASSERT_TRUE(HOLDS(graph, y, 2, 6));
    dv_graph_destroy(graph);

    graph = build_graph();
    a = build_ints(graph, "a", "i64 2x3", (int64_t[]){1, 2, 3, -4, 5, 9});
    y = folded(&graph, BUILD_OP(graph, DV_OP_AMIN, build_reduce(true, "0"), "y", a));
    CU_ASSERT_TRUE(HOLDS(graph, y, -4, 2, 3));
    dv_graph_destroy(graph);

    graph = build_graph();
    dv_tensor_id start = build_ints(graph, "a", "i64 scalar", (int64_t[]){10});
    dv_tensor_id limit = build_ints(graph, "b", "i64 scalar", (int64_t[]){4});
    dv_tensor_id step = build_ints(graph, "c", "i64 scalar", (int64_t[]){-2});
    y = folded(&graph, BUILD_OP(graph, DV_OP_ARANGE, build_none(), "y", start, limit, step));
    CU_ASSERT_TRUE(HOLDS(graph, y, 10, 8, 6));
    dv_graph_destroy(graph);

    graph = build_graph();
    a = BUILD_INTS(graph, 1, 2, 3, 4);
    y = folded(&graph, BUILD_OP(graph, DV_OP_CUMSUM, build_axis(0), "y", a));
    CU_ASSERT_TRUE(HOLDS(graph, y, 1, 3, 6, 10));
    dv_graph_destroy(graph);
}

static void test_moved_constants(void)
{
    const int64_t six[] = {0, 1, 2, 3, 4, 5};
    dv_graph *graph = build_graph();
    dv_tensor_id a = build_ints(graph, "a", "i64 2x3", six);
    dv_tensor_id y = folded(&graph, BUILD_OP(graph, DV_OP_PERMUTE, build_permute("10"), "y", a));
    CU_ASSERT_TRUE(HOLDS(graph, y, 0, 3, 1, 4, 2, 5));
    dv_graph_destroy(graph);

    graph = build_graph();
    a = build_ints(graph, "a", "i64 2x3", six);
    dv_op_params pad = {.pad = {.rank = 2, .begin = {0, 1}, .end = {0, -1}, .value = 7}};
    y = folded(&graph, BUILD_OP(graph, DV_OP_PAD, pad, "y", a));
    CU_ASSERT_TRUE(HOLDS(graph, y, 7, 0, 1, 7, 3, 4));
    dv_graph_destroy(graph);

    graph = build_graph();
    a = build_ints(graph, "a", "i64 2x3", six);
    dv_op_params reversed = {
        .slice = {.count = 1, .axes = {1}, .begin = {-1}, .end = {INT64_MIN}, .step = {-2}}};
    y = folded(&graph, BUILD_OP(graph, DV_OP_SLICE, reversed, "y", a));
    CU_ASSERT_TRUE(HOLDS(graph, y, 2, 0, 5, 3));
    dv_graph_destroy(graph);

    graph = build_graph();
    a = build_ints(graph, "a", "i64 2x3", six);
    dv_tensor_id index = BUILD_INTS(graph, -1, 0);
    y = folded(&graph, BUILD_OP(graph, DV_OP_INDEX_SELECT, build_axis(1), "y", a, index));
    CU_ASSERT_TRUE(HOLDS(graph, y, 2, 0, 5, 3));
    dv_graph_destroy(graph);

    graph = build_graph();
    a = build_ints(graph, "a", "i64 2x3", six);
    dv_tensor_id b = build_ints(graph, "b", "i64 2x1", (int64_t[]){8, 9});
    y = folded(&graph, BUILD_OP(graph, DV_OP_CAT, build_axis(1), "y", a, b, b));
    CU_ASSERT_TRUE(HOLDS(graph, y, 0, 1, 2, 8, 8, 3, 4, 5, 9, 9));
    dv_graph_destroy(graph);

    graph = build_graph();
    a = build_ints(graph, "a", "i64 2x3", six);
    dv_op_params upper = {.tri = {.upper = true, .diagonal = 1}};
    y = folded(&graph, BUILD_OP(graph, DV_OP_TRIL, upper, "y", a));
    CU_ASSERT_TRUE(HOLDS(graph, y, 0, 1, 2, 0, 0, 5));
    dv_graph_destroy(graph);
}

static void test_an_index_out_of_range_is_left_to_run_time(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id a = BUILD_INTS(graph, 1, 2, 3), index = BUILD_INTS(graph, 3);
    graph = inferred(
        build_finish(graph, BUILD_OP(graph, DV_OP_INDEX_SELECT, build_axis(0), "y", a, index)));
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_INDEX_SELECT), 1);
    dv_graph_destroy(graph);
}

static void test_filled_tensors_stay_lazy_however_large(void)
{
    /* 2^40 bytes: would not fit any test machine */
    dv_graph *graph = build_graph();
    dv_tensor_id shape = BUILD_INTS(graph, 1 << 20, 1 << 18);
    dv_op_params two = {.full = {.dtype = DV_DTYPE_F32, .value = 2}};
    dv_tensor_id a = BUILD_OP(graph, DV_OP_FULL, two, "a", shape);
    dv_tensor_id b = BUILD_OP(graph, DV_OP_MUL, build_none(), "b", a, a);
    dv_tensor_id c = BUILD_OP(graph, DV_OP_PERMUTE, build_permute("10"), "c", b);
    dv_op_params half = {.slice = {.count = 1, .axes = {0}, .end = {1 << 17}, .step = {1}}};
    dv_tensor_id d = BUILD_OP(graph, DV_OP_SLICE, half, "d", c);
    dv_tensor_id y = folded(&graph, BUILD_OP(graph, DV_OP_NEG, build_none(), "y", d));
    CU_ASSERT_EQUAL(graph->tensors[y].data.storage, DV_STORAGE_FILL);
    CU_ASSERT_EQUAL(graph->tensors[y].data.shift, -4);
    CU_ASSERT_EQUAL(graph->tensors[y].shape.dim[0], 1 << 17);
    dv_graph_destroy(graph);
}

static void test_views_of_generated_weights_stay_generated(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id w = build_random(graph, "w", "f32 100000x100000", 7, 1, 0);
    dv_op_params wide = {.view = {.shape = {.rank = 2, .dim = {50000, 200000}}}};
    dv_tensor_id y = folded(&graph, BUILD_OP(graph, DV_OP_VIEW, wide, "y", w));
    CU_ASSERT_EQUAL(graph->tensors[y].data.storage, DV_STORAGE_GENERATED);
    CU_ASSERT_EQUAL(graph->tensors[y].data.seed, 7);
    CU_ASSERT_EQUAL(graph->tensors[y].shape.dim[0], 50000);
    dv_graph_destroy(graph);
}

static void test_arithmetic_on_large_constants_is_not_done_early(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id w = build_random(graph, "w", "f32 2048x2048", 7, 1, 0);
    graph = inferred(build_finish(graph, BUILD_OP(graph, DV_OP_EXP, build_none(), "y", w)));
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_EXP), 1);
    dv_graph_destroy(graph);
}

static void test_casts_of_constants(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id a = build_floats(graph, "a", "f32 4", (float[]){-1.75f, 0, 2.5f, 300});
    dv_op_params to_u8 = {.cast = {.dtype = DV_DTYPE_U8}};
    dv_op_params to_bool = {.cast = {.dtype = DV_DTYPE_BOOL}};
    dv_op_params to_half = {.cast = {.dtype = DV_DTYPE_F16}};
    build_output(graph, BUILD_OP(graph, DV_OP_CAST, to_u8, "u8", a));
    build_output(graph, BUILD_OP(graph, DV_OP_CAST, to_bool, "bool", a));
    build_output(graph, BUILD_OP(graph, DV_OP_CAST, to_half, "f16", a));
    graph = inferred(build_finish(graph, DV_NONE));
    CU_ASSERT_TRUE(HOLDS(graph, op_named(graph, "u8")->inputs[0], 255, 0, 2, 44));
    CU_ASSERT_TRUE(HOLDS(graph, op_named(graph, "bool")->inputs[0], 1, 0, 1, 1));
    CU_ASSERT_TRUE(HOLDS(graph, op_named(graph, "f16")->inputs[0], -1.75, 0, 2.5, 300));
    dv_graph_destroy(graph);
}

DV_SUITE(lower_fold, DV_TEST(test_a_views_shape_computed_from_the_inputs_shape_is_folded),
         DV_TEST(test_integers_divide_and_wrap_as_they_should),
         DV_TEST(test_a_division_by_zero_is_left_to_run_time),
         DV_TEST(test_floats_are_rounded_to_their_type), DV_TEST(test_reductions_and_ranges),
         DV_TEST(test_moved_constants), DV_TEST(test_an_index_out_of_range_is_left_to_run_time),
         DV_TEST(test_filled_tensors_stay_lazy_however_large),
         DV_TEST(test_views_of_generated_weights_stay_generated),
         DV_TEST(test_arithmetic_on_large_constants_is_not_done_early),
         DV_TEST(test_casts_of_constants));
