/* One spelling for each operator: what canon rewrites, and what it leaves. */
#include <math.h>
#include <string.h>

#include "tests/lowering.h"

/* Lowers one operator y over inputs; the numbers must stay those of the source form. */
static dv_graph *lowered_same(dv_graph *graph)
{
    dv_graph *before = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_pass_infer(graph, NULL, &before), DV_OK);
    dv_graph *after = lowered(graph);
    double error = difference(before, after, 1, 3);
    CU_ASSERT_TRUE(error < 1e-5);
    dv_graph_destroy(before);
    return after;
}

static void test_identities_leave_and_outputs_keep_their_names(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 2x3");
    dv_tensor_id a = BUILD_OP(graph, DV_OP_IDENTITY, build_none(), "a", x);
    dv_tensor_id b = BUILD_OP(graph, DV_OP_SIGMOID, build_none(), "b", a);
    dv_tensor_id c = BUILD_OP(graph, DV_OP_IDENTITY, build_none(), "c", b);
    graph = lowered_same(build_finish(graph, c));
    CU_ASSERT_EQUAL(graph->op_count, 1);
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_SIGMOID);
    CU_ASSERT_STRING_EQUAL(graph->ops[0].name, "b");
    CU_ASSERT_STRING_EQUAL(graph->tensors[graph->outputs[0]].name, "c");
    dv_graph_destroy(graph);
}

static void test_an_output_that_is_an_input_or_a_constant_is_still_made(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 2"), w = build_fill(graph, "w", "f32 3", 2);
    build_output(graph, BUILD_OP(graph, DV_OP_IDENTITY, build_none(), "same", x));
    build_output(graph, BUILD_OP(graph, DV_OP_IDENTITY, build_none(), "fixed", w));
    build_output(graph, BUILD_OP(graph, DV_OP_IDENTITY, build_none(), "again", x));
    build_output(graph, w);
    build_output(graph, x);
    graph = lowered(build_finish(graph, DV_NONE));
    static const char *const names[] = {"same", "fixed", "again", "w", "x.output"};
    CU_ASSERT_EQUAL_FATAL(graph->output_count, 5);
    CU_ASSERT_EQUAL(graph->op_count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        CU_ASSERT_STRING_EQUAL(graph->tensors[graph->outputs[i]].name, names[i]);
        CU_ASSERT_NOT_EQUAL(graph->producer[graph->outputs[i]], DV_NONE);
    }
    CU_ASSERT_EQUAL(graph->input_count, 1);
    CU_ASSERT_FALSE(graph->tensors[graph->inputs[0]].is_output);
    dv_graph_destroy(graph);
}

static void test_two_outputs_of_one_result_stay_two(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 2");
    dv_tensor_id y = BUILD_OP(graph, DV_OP_RELU, build_none(), "y", x);
    build_output(graph, BUILD_OP(graph, DV_OP_IDENTITY, build_none(), "first", y));
    build_output(graph, y);
    graph = lowered_same(build_finish(graph, DV_NONE));
    CU_ASSERT_STRING_EQUAL(graph->tensors[graph->outputs[0]].name, "first");
    CU_ASSERT_STRING_EQUAL(graph->tensors[graph->outputs[1]].name, "y");
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_RELU), 1);
    dv_graph_destroy(graph);
}

static void test_whatever_only_changes_the_shape_is_one_view(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 2x1x3x4");
    dv_tensor_id axes = BUILD_INTS(graph, 1), front = BUILD_INTS(graph, 0);
    dv_tensor_id a = BUILD_OP(graph, DV_OP_SQUEEZE, build_none(), "a", x, axes);
    dv_tensor_id b = BUILD_OP(graph, DV_OP_UNSQUEEZE, build_none(), "b", a, front);
    dv_tensor_id c = BUILD_OP(graph, DV_OP_FLATTEN, build_axis(2), "c", b);
    graph = lowered_same(build_finish(graph, c));
    CU_ASSERT_EQUAL(graph->op_count, 1);
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_VIEW);
    CU_ASSERT_STRING_EQUAL(type_of(graph, "c"), "f32 2x12");
    dv_graph_destroy(graph);
}

static void test_opposite_permutations_cancel_and_others_join(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 1x3x4x5");
    dv_tensor_id a = BUILD_OP(graph, DV_OP_PERMUTE, build_permute("0231"), "a", x);
    dv_tensor_id b = BUILD_OP(graph, DV_OP_PERMUTE, build_permute("0312"), "b", a);
    dv_tensor_id c = BUILD_OP(graph, DV_OP_RELU, build_none(), "c", b);
    dv_tensor_id d = BUILD_OP(graph, DV_OP_PERMUTE, build_permute("0213"), "d", c);
    dv_tensor_id e = BUILD_OP(graph, DV_OP_PERMUTE, build_permute("3012"), "e", d);
    graph = lowered_same(build_finish(graph, e));
    CU_ASSERT_EQUAL(graph->op_count, 2);
    const dv_op *permute = first_of(graph, DV_OP_PERMUTE);
    CU_ASSERT_PTR_NOT_NULL_FATAL(permute);
    CU_ASSERT_EQUAL(memcmp(permute->params.permute.perm, (uint8_t[]){3, 0, 2, 1}, 4), 0);
    CU_ASSERT_STRING_EQUAL(type_of(graph, "e"), "f32 5x1x4x3");
    dv_graph_destroy(graph);

    graph = build_graph(); /* dims of size 1 move freely */
    x = build_input(graph, "x", "f32 1x3x1x5");
    a = BUILD_OP(graph, DV_OP_PERMUTE, build_permute("1023"), "a", x);
    graph = lowered_same(build_finish(graph, a));
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_VIEW);
    dv_graph_destroy(graph);
}

static void test_copies_that_copy_everything_leave(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 2x3");
    dv_op_params shape = {.view = {.shape = {.rank = 2, .dim = {2, 3}}}};
    dv_op_params ones = {.view = {.shape = {.rank = 2, .dim = {1, 1}}}};
    dv_op_params whole = {.slice = {.count = 1, .axes = {0}, .end = {99}, .step = {1}}};
    dv_op_params none = {.pad = {.rank = 2}};
    dv_op_params same = {.cast = {.dtype = DV_DTYPE_F32}};
    dv_tensor_id a = BUILD_OP(graph, DV_OP_EXPAND, shape, "a", x);
    dv_tensor_id b = BUILD_OP(graph, DV_OP_REPEAT, ones, "b", a);
    dv_tensor_id c = BUILD_OP(graph, DV_OP_SLICE, whole, "c", b);
    dv_tensor_id d = BUILD_OP(graph, DV_OP_PAD, none, "d", c);
    dv_tensor_id e = BUILD_OP(graph, DV_OP_CAST, same, "e", d);
    dv_tensor_id f = BUILD_OP(graph, DV_OP_CAT, build_axis(0), "f", e);
    dv_tensor_id one = build_fill(graph, "one", "f32 scalar", 1);
    dv_tensor_id g = BUILD_OP(graph, DV_OP_MUL, build_none(), "g", f, one);
    dv_tensor_id h = BUILD_OP(graph, DV_OP_TANH, build_none(), "h", g);
    graph = lowered_same(build_finish(graph, h));
    CU_ASSERT_EQUAL(graph->op_count, 1);
    dv_graph_destroy(graph);
}

static void test_a_reversal_is_no_copy(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 2x3");
    dv_op_params reversed = {
        .slice = {.count = 1, .axes = {1}, .begin = {-1}, .end = {INT64_MIN}, .step = {-1}}};
    dv_op_params shifted = {.pad = {.rank = 2, .begin = {0, 1}, .end = {0, -1}}};
    dv_tensor_id a = BUILD_OP(graph, DV_OP_SLICE, reversed, "a", x);
    dv_tensor_id b = BUILD_OP(graph, DV_OP_PAD, shifted, "b", a);
    graph = lowered_same(build_finish(graph, b));
    CU_ASSERT_EQUAL(graph->op_count, 2);
    dv_graph_destroy(graph);
}

static void test_zeros_around_an_image_are_the_convolutions_padding(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 1x2x6x6");
    dv_tensor_id w = build_random(graph, "w", "f32 3x2x3x3", 1, 1, 0);
    dv_op_params around = {.pad = {.rank = 4, .begin = {0, 0, 1}, .end = {0, 0, 0, 2}}};
    dv_tensor_id a = BUILD_OP(graph, DV_OP_PAD, around, "a", x);
    dv_tensor_id b = BUILD_OP(graph, DV_OP_CONVOLUTION, build_conv(1, 1, 1), "b", a, w);
    graph = lowered_same(build_finish(graph, b));
    CU_ASSERT_EQUAL(graph->op_count, 1);
    CU_ASSERT_EQUAL(graph->ops[0].params.conv.pad_begin[0], 2);
    CU_ASSERT_EQUAL(graph->ops[0].params.conv.pad_end[1], 3);
    dv_graph_destroy(graph);

    graph = build_graph(); /* other values, and other dims, are not */
    x = build_input(graph, "x", "f32 1x2x6x6");
    w = build_random(graph, "w", "f32 3x3x3x3", 1, 1, 0);
    dv_op_params channel = {.pad = {.rank = 4, .begin = {0, 1}}};
    a = BUILD_OP(graph, DV_OP_PAD, channel, "a", x);
    around.pad.value = 1;
    a = BUILD_OP(graph, DV_OP_PAD, around, "c", a);
    b = BUILD_OP(graph, DV_OP_CONVOLUTION, build_conv(1, 1, 1), "b", a, w);
    graph = lowered_same(build_finish(graph, b));
    CU_ASSERT_EQUAL(graph->op_count, 3);
    dv_graph_destroy(graph);
}

static void test_a_resize_that_keeps_the_shape_leaves_only_at_scale_one(void)
{
    for (int same = 0; same < 2; same++) {
        dv_graph *graph = build_graph();
        dv_tensor_id x = build_input(graph, "x", "f32 1x2x5x5");
        dv_tensor_id scales =
            build_floats(graph, "s", "f32 4", (float[]){1, 1, same ? 1 : 1.15f, 1});
        dv_op_params floor_mode = {
            .resize = {.coordinate = DV_COORDINATE_ASYMMETRIC, .nearest = DV_NEAREST_FLOOR}};
        dv_tensor_id a =
            BUILD_OP(graph, DV_OP_UPSAMPLE_NEAREST, floor_mode, "a", x, DV_NONE, scales);
        graph = lowered_same(build_finish(graph, BUILD_OP(graph, DV_OP_EXP, build_none(), "b", a)));
        CU_ASSERT_EQUAL(graph->op_count, same ? 1 : 2);
        dv_graph_destroy(graph);
    }
}

static void test_a_global_average_is_a_mean(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 2x3x4x5");
    dv_op_params global = {.pool = {.global = true}};
    graph = lowered_same(build_finish(graph, BUILD_OP(graph, DV_OP_AVG_POOL, global, "y", x)));
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_MEAN);
    CU_ASSERT_STRING_EQUAL(type_of(graph, "y"), "f32 2x3x1x1");
    dv_graph_destroy(graph);
}

static void test_one_sided_clamps_and_powers_have_their_own_names(void)
{
    static const struct {
        double exponent;
        dv_op_kind kind;
    } cases[] = {{2, DV_OP_MUL},
                 {0.5, DV_OP_SQRT},
                 {-0.5, DV_OP_RSQRT},
                 {-1, DV_OP_RECIPROCAL},
                 {3, DV_OP_POW}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dv_graph *graph = build_graph();
        dv_tensor_id x = build_input(graph, "x", "f32 3");
        dv_tensor_id e = build_fill(graph, "e", "f32 scalar", cases[i].exponent);
        graph = lowered(build_finish(graph, BUILD_OP(graph, DV_OP_POW, build_none(), "y", x, e)));
        CU_ASSERT_EQUAL(graph->op_count, 1);
        CU_ASSERT_EQUAL(graph->ops[0].kind, cases[i].kind);
        dv_graph_destroy(graph);
    }
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 3");
    dv_tensor_id zero = build_fill(graph, "zero", "f32 scalar", 0);
    dv_tensor_id six = build_fill(graph, "six", "f32 1", 6);
    build_output(graph, BUILD_OP(graph, DV_OP_CLAMP, build_none(), "relu", x, zero));
    build_output(graph, BUILD_OP(graph, DV_OP_MAXIMUM, build_none(), "max", zero, x));
    build_output(graph, BUILD_OP(graph, DV_OP_MINIMUM, build_none(), "min", x, six));
    graph = lowered_same(build_finish(graph, DV_NONE));
    CU_ASSERT_EQUAL(op_named(graph, "relu")->kind, DV_OP_RELU);
    CU_ASSERT_EQUAL(op_named(graph, "max")->kind, DV_OP_RELU);
    CU_ASSERT_EQUAL(op_named(graph, "min")->kind, DV_OP_CLAMP);
    CU_ASSERT_EQUAL(op_named(graph, "min")->params.clamp.max, 6);
    dv_graph_destroy(graph);
}

static void test_a_product_with_a_constant_matrix_is_a_linear_layer(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 2x3x4");
    dv_tensor_id w = build_random(graph, "w", "f32 4x5", 1, 1, 0);
    dv_tensor_id bias = build_random(graph, "bias", "f32 5", 2, 1, 0);
    dv_tensor_id a = BUILD_OP(graph, DV_OP_MATMUL, build_none(), "a", x, w);
    dv_tensor_id b = BUILD_OP(graph, DV_OP_ADD, build_none(), "b", bias, a);
    graph = lowered_same(build_finish(graph, b));
    CU_ASSERT_EQUAL(graph->op_count, 1);
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_LINEAR);
    CU_ASSERT_TRUE(graph->ops[0].params.linear.weight_kn);
    CU_ASSERT_EQUAL(graph->ops[0].input_count, 3);
    CU_ASSERT_STRING_EQUAL(graph->ops[0].name, "a");
    CU_ASSERT_STRING_EQUAL(graph->tensors[graph->outputs[0]].name, "b");
    dv_graph_destroy(graph);

    graph = build_graph(); /* the weight transposed, too large to be turned now */
    x = build_input(graph, "x", "f32 1x1100");
    w = build_random(graph, "w", "f32 1000x1100", 1, 1, 0);
    dv_tensor_id turned = BUILD_OP(graph, DV_OP_PERMUTE, build_permute("10"), "turned", w);
    a = BUILD_OP(graph, DV_OP_MATMUL, build_none(), "a", x, turned);
    graph = lowered_same(build_finish(graph, a));
    CU_ASSERT_EQUAL(graph->op_count, 1);
    CU_ASSERT_FALSE(graph->ops[0].params.linear.weight_kn);
    CU_ASSERT_EQUAL(graph->tensors[graph->ops[0].inputs[1]].data.storage, DV_STORAGE_GENERATED);
    dv_graph_destroy(graph);
}

static void test_vectors_are_multiplied_as_matrices(void)
{
    static const char *const types[][2] = {
        {"f32 4", "f32 4"}, {"f32 4", "f32 2x4x5"}, {"f32 2x3x4", "f32 4"}, {"f32 4", "f32 4x5"}};
    for (int i = 0; i < 4; i++) {
        dv_graph *graph = build_graph();
        dv_tensor_id a = build_input(graph, "a", types[i][0]);
        dv_tensor_id b = build_input(graph, "b", types[i][1]);
        graph =
            lowered(build_finish(graph, BUILD_OP(graph, DV_OP_MATMUL, build_none(), "y", a, b)));
        const dv_op *product = first_of(graph, DV_OP_MATMUL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(product);
        CU_ASSERT_TRUE(graph->tensors[product->inputs[0]].shape.rank >= 2);
        CU_ASSERT_TRUE(graph->tensors[product->inputs[1]].shape.rank >= 2);
        dv_graph_destroy(graph);
    }
}

static void test_gemm_in_all_its_forms_computes_what_it_did(void)
{
    for (int form = 0; form < 16; form++) {
        dv_op_params params = {.linear = {.alpha = form & 1 ? 0.5 : 1,
                                          .beta = form & 2 ? -2 : 1,
                                          .input_transposed = form & 4,
                                          .weight_kn = form & 8}};
        static const char *const biases[] = {"f32 5", "f32 1x5", "f32 scalar", "f32 3x5",
                                             "f32 3x1"};
        for (int i = 0; i < 5; i++) {
            dv_graph *graph = build_graph();
            dv_tensor_id x = build_input(graph, "x", form & 4 ? "f32 4x3" : "f32 3x4");
            dv_tensor_id w = build_random(graph, "w", form & 8 ? "f32 4x5" : "f32 5x4", 1, 1, 0);
            dv_tensor_id b = build_random(graph, "b", biases[i], 2, 1, 0);
            graph =
                lowered(build_finish(graph, BUILD_OP(graph, DV_OP_LINEAR, params, "y", x, w, b)));
            const dv_op *linear = first_of(graph, DV_OP_LINEAR);
            CU_ASSERT_PTR_NOT_NULL_FATAL(linear);
            CU_ASSERT_EQUAL(linear->params.linear.alpha, 1);
            CU_ASSERT_EQUAL(linear->params.linear.beta, 1);
            CU_ASSERT_FALSE(linear->params.linear.input_transposed);
            if (linear->input_count == 3)
                CU_ASSERT_STRING_EQUAL("5", dv_shape_text(&graph->tensors[linear->inputs[2]].shape,
                                                          (char[DV_SHAPE_TEXT]){0}));
            CU_ASSERT_EQUAL(linear->input_count == 3, i < 3);

            /* the same spelled out: alpha x w + beta b */
            dv_graph *plain = build_graph();
            x = build_input(plain, "x", form & 4 ? "f32 4x3" : "f32 3x4");
            w = build_random(plain, "w", form & 8 ? "f32 4x5" : "f32 5x4", 1, 1, 0);
            b = build_random(plain, "b", biases[i], 2, 1, 0);
            if (form & 4)
                x = BUILD_OP(plain, DV_OP_PERMUTE, build_permute("10"), "xt", x);
            if (!(form & 8))
                w = BUILD_OP(plain, DV_OP_PERMUTE, build_permute("10"), "wt", w);
            dv_tensor_id alpha = build_fill(plain, "alpha", "f32 scalar", params.linear.alpha);
            dv_tensor_id beta = build_fill(plain, "beta", "f32 scalar", params.linear.beta);
            dv_tensor_id xw = BUILD_OP(plain, DV_OP_MATMUL, build_none(), "xw", x, w);
            xw = BUILD_OP(plain, DV_OP_MUL, build_none(), "axw", xw, alpha);
            b = BUILD_OP(plain, DV_OP_MUL, build_none(), "bb", b, beta);
            plain =
                inferred(build_finish(plain, BUILD_OP(plain, DV_OP_ADD, build_none(), "y", xw, b)));
            CU_ASSERT_TRUE(difference(plain, graph, 5, 1) < 1e-5);
            dv_graph_destroy(plain);
            dv_graph_destroy(graph);
        }
    }
}

static void test_softmax_over_flattened_dims(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 2x3x4");
    dv_op_params flat = {.axis = {.axis = 1, .flatten_2d = true}};
    graph = lowered(build_finish(graph, BUILD_OP(graph, DV_OP_SOFTMAX, flat, "y", x)));
    CU_ASSERT_EQUAL(graph->op_count, 3); /* view, softmax over twelve, view */
    CU_ASSERT_STRING_EQUAL(type_of(graph, "y"), "f32 2x3x4");
    const dv_op *softmax = first_of(graph, DV_OP_SOFTMAX);
    CU_ASSERT_EQUAL(graph->tensors[softmax->inputs[0]].shape.dim[1], 12);
    dv_graph_destroy(graph);

    graph = build_graph();
    x = build_input(graph, "x", "f32 2x10x1x1");
    graph = lowered(build_finish(graph, BUILD_OP(graph, DV_OP_SOFTMAX, flat, "y", x)));
    CU_ASSERT_EQUAL(graph->op_count, 1);
    CU_ASSERT_FALSE(graph->ops[0].params.axis.flatten_2d);
    dv_graph_destroy(graph);
}

static void test_constant_indices_select_and_tables_embed(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 2x3"), ids = build_input(graph, "ids", "i64 4");
    dv_tensor_id last = build_ints(graph, "last", "i64 scalar", (int64_t[]){-1});
    dv_tensor_id table = build_random(graph, "table", "f32 3x8", 1, 1, 0);
    build_output(graph, BUILD_OP(graph, DV_OP_INDEX_SELECT, build_axis(1), "a", x, last));
    build_output(graph, BUILD_OP(graph, DV_OP_INDEX_SELECT, build_axis(0), "b", table, ids));
    graph = lowered_same(build_finish(graph, DV_NONE));
    CU_ASSERT_EQUAL(op_named(graph, "a")->kind, DV_OP_SELECT);
    CU_ASSERT_EQUAL(op_named(graph, "a")->params.select.index, 2);
    CU_ASSERT_EQUAL(op_named(graph, "b")->kind, DV_OP_EMBEDDING);
    dv_graph_destroy(graph);
}

static void test_what_reaches_no_output_is_dropped(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 2"), unused = build_input(graph, "z", "f32 2");
    dv_tensor_id y = BUILD_OP(graph, DV_OP_RELU, build_none(), "y", x);
    BUILD_OP(graph, DV_OP_EXP, build_none(), "dead", unused);
    graph = lowered(build_finish(graph, y));
    CU_ASSERT_EQUAL(graph->op_count, 1);
    CU_ASSERT_EQUAL(graph->input_count, 2); /* inputs are the caller's, used or not */
    CU_ASSERT_EQUAL(graph->tensor_count, 3);
    dv_graph_destroy(graph);
}

DV_SUITE(lower_canon, DV_TEST(test_identities_leave_and_outputs_keep_their_names),
         DV_TEST(test_an_output_that_is_an_input_or_a_constant_is_still_made),
         DV_TEST(test_two_outputs_of_one_result_stay_two),
         DV_TEST(test_whatever_only_changes_the_shape_is_one_view),
         DV_TEST(test_opposite_permutations_cancel_and_others_join),
         DV_TEST(test_copies_that_copy_everything_leave), DV_TEST(test_a_reversal_is_no_copy),
         DV_TEST(test_zeros_around_an_image_are_the_convolutions_padding),
         DV_TEST(test_a_resize_that_keeps_the_shape_leaves_only_at_scale_one),
         DV_TEST(test_a_global_average_is_a_mean),
         DV_TEST(test_one_sided_clamps_and_powers_have_their_own_names),
         DV_TEST(test_a_product_with_a_constant_matrix_is_a_linear_layer),
         DV_TEST(test_vectors_are_multiplied_as_matrices),
         DV_TEST(test_gemm_in_all_its_forms_computes_what_it_did),
         DV_TEST(test_softmax_over_flattened_dims),
         DV_TEST(test_constant_indices_select_and_tables_embed),
         DV_TEST(test_what_reaches_no_output_is_dropped));
