/* test_quantise.c - operators between conversions become integer operators. */
#include <stdlib.h>

#include "tests/lowering.h"

static dv_op_params to(dv_dtype dtype, int64_t axis)
{
    return (dv_op_params){.quant = {.axis = axis, .dtype = dtype}};
}

/* An i8 tensor behind a conversion to floats. */
static dv_tensor_id from_integers(dv_graph *graph, const char *name, dv_tensor_id integers,
                                  double scale, double zero)
{
    dv_tensor_id s = build_fill(graph, "scale", "f32 scalar", scale);
    dv_tensor_id z = build_fill(graph, "zero", "i8 scalar", zero);
    return BUILD_OP(graph, DV_OP_DEQUANTIZE, to(DV_DTYPE_I8, 0), name, integers, s, z);
}

static dv_tensor_id to_integers(dv_graph *graph, const char *name, dv_tensor_id x, double scale,
                                double zero)
{
    dv_tensor_id s = build_fill(graph, "scale", "f32 scalar", scale);
    dv_tensor_id z = build_fill(graph, "zero", "i8 scalar", zero);
    return BUILD_OP(graph, DV_OP_QUANTIZE, to(DV_DTYPE_I8, 0), name, x, s, z);
}

/* Weights with a scale for each of 4 channels, in random integers of [-100, 100]. */
static dv_tensor_id weight(dv_graph *graph, const char *name, const char *type)
{
    static const float scales[] = {0.01f, 0.02f, 0.005f, 0.03f};
    dv_tensor_id w = build_random(graph, name, type, 7, 100, 0);
    dv_tensor_id s = build_floats(graph, "scales", "f32 4", scales);
    dv_tensor_id z = build_fill(graph, "zeros", "i8 4", 0);
    return BUILD_OP(graph, DV_OP_DEQUANTIZE, to(DV_DTYPE_I8, 0), "w.f32", w, s, z);
}

/* y = integers of relu(conv(x, w)) */
static dv_graph *convolution(dv_op_kind activation, double out_zero)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "i8 1x3x5x5");
    dv_tensor_id f = from_integers(graph, "x.f32", x, 0.1, 3);
    dv_tensor_id w = weight(graph, "w", "i8 4x3x3x3");
    dv_tensor_id c = BUILD_OP(graph, DV_OP_CONVOLUTION, build_conv(1, 1, 1), "c", f, w);
    dv_tensor_id r = BUILD_OP(graph, activation, build_none(), "r", c);
    return build_finish(graph, to_integers(graph, "y", r, 0.3, out_zero));
}

/* The pass alone, on a graph with shapes. */
static dv_graph *merged(dv_graph *graph)
{
    dv_graph *out = NULL;
    graph = inferred(graph);
    CU_ASSERT_EQUAL_FATAL(dv_pass_quantise(graph, NULL, &out), DV_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    dv_graph_destroy(graph);
    return out;
}

/* How far apart in steps the first outputs of two graphs are, as 8-bit integers. */
static int steps_apart(const dv_graph *a, const dv_graph *b, uint64_t seed)
{
    void *out[2][32] = {{0}};
    int worst = 0;
    const dv_tensor *y = &a->tensors[a->outputs[0]];
    size_t count;
    CU_ASSERT_TRUE_FATAL(dv_shape_elements(&y->shape, &count));
    CU_ASSERT_TRUE_FATAL(run_portable(a, seed, 100, NULL, out[0]));
    CU_ASSERT_TRUE_FATAL(run_portable(b, seed, 100, NULL, out[1]));
    for (size_t i = 0; i < count; i++) {
        int apart = abs(((int8_t *)out[0][0])[i] - ((int8_t *)out[1][0])[i]);
        worst = apart > worst ? apart : worst;
    }
    for (size_t i = 0; i < 32; i++) {
        free(out[0][i]);
        free(out[1][i]);
    }
    return worst;
}

static void a_convolution_takes_and_gives_integers(void)
{
    dv_graph *before = inferred(convolution(DV_OP_RELU, -128));
    dv_graph *after = merged(convolution(DV_OP_RELU, -128));
    CU_ASSERT_EQUAL_FATAL(after->op_count, 1); /* the range of y clips as the activation does */
    const dv_op *op = &after->ops[0];
    CU_ASSERT_EQUAL(op->kind, DV_OP_CONVOLUTION);
    CU_ASSERT_STRING_EQUAL(type_of(after, "y"), "i8 1x4x5x5");
    CU_ASSERT_EQUAL(after->tensors[op->inputs[0]].quant.count, 1);
    CU_ASSERT_EQUAL(after->tensors[op->inputs[1]].quant.count, 4);
    CU_ASSERT_EQUAL(after->tensors[op->outputs[0]].quant.zero[0], -128);
    CU_ASSERT_EQUAL(steps_apart(before, after, 11), 0);
    dv_graph_destroy(before);
    dv_graph_destroy(after);
}

static void an_activation_that_the_range_does_not_imply_stays(void)
{
    dv_graph *before = inferred(convolution(DV_OP_RELU, 5));
    dv_graph *after = merged(convolution(DV_OP_RELU, 5));
    CU_ASSERT_EQUAL(after->op_count, 2);
    CU_ASSERT_EQUAL(count_of(after, DV_OP_RELU), 1);
    CU_ASSERT_EQUAL(count_of(after, DV_OP_QUANTIZE), 0);
    CU_ASSERT_STRING_EQUAL(type_of(after, "c"), "f32 1x4x5x5");
    CU_ASSERT_STRING_EQUAL(type_of(after, "y"), "i8 1x4x5x5");
    CU_ASSERT_EQUAL(steps_apart(before, after, 12), 0);
    dv_graph_destroy(before);
    dv_graph_destroy(after);
}

static void one_floating_operand_leaves_the_conversions_where_they_are(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "i8 1x4"), z = build_input(graph, "z", "f32 1x4");
    dv_tensor_id f = from_integers(graph, "x.f32", x, 0.1, 3);
    dv_tensor_id a = BUILD_OP(graph, DV_OP_ADD, build_none(), "a", f, z);
    graph = inferred(build_finish(graph, to_integers(graph, "y", a, 0.3, 0)));
    dv_graph *out = NULL;
    CU_ASSERT_EQUAL(dv_pass_quantise(graph, NULL, &out), DV_OK);
    CU_ASSERT_PTR_NULL(out);
    dv_graph_destroy(graph);
}

static void weights_stay_integers_beside_floating_activations(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 2x8");
    dv_tensor_id w = weight(graph, "w", "i8 4x8");
    graph = build_finish(graph, BUILD_OP(graph, DV_OP_LINEAR, build_linear(false), "y", x, w));
    dv_graph *before = inferred(graph), *after = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_pass_quantise(before, NULL, &after), DV_OK);
    CU_ASSERT_EQUAL_FATAL(after->op_count, 1);
    CU_ASSERT_STRING_EQUAL(type_of(after, "w"), "i8 4x8");
    CU_ASSERT_TRUE(difference(before, after, 3, 2) < 1e-6);
    dv_graph_destroy(before);
    dv_graph_destroy(after);
}

/* A permutation of the integers between two conversions: were the integers said to stand for
   numbers, it would be one from numbers to bare integers. */
static void integers_that_others_read_are_not_said_to_stand_for_numbers(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 2x3");
    dv_tensor_id q = to_integers(graph, "q", x, 0.01, 0);
    dv_tensor_id p = BUILD_OP(graph, DV_OP_PERMUTE, build_permute("10"), "p", q);
    dv_tensor_id f = from_integers(graph, "f", p, 0.01, 0);
    dv_tensor_id r = BUILD_OP(graph, DV_OP_RELU, build_none(), "r", f);
    dv_tensor_id i = to_integers(graph, "i", r, 0.01, 0);
    graph = build_finish(graph, from_integers(graph, "y", i, 0.01, 0));
    dv_graph *before = inferred(graph), *after = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_pass_quantise(before, NULL, &after), DV_OK);
    CU_ASSERT_PTR_NULL(after);
    dv_graph_destroy(before);
}

static void operators_of_several_results_merge_if_all_of_them_become_integers(void)
{
    for (int all = 0; all < 2; all++) {
        dv_graph *graph = build_graph();
        dv_tensor_id x = build_input(graph, "x", "i8 2x6"), halves[2];
        dv_tensor_id f = from_integers(graph, "x.f32", x, 0.1, 3);
        dv_op_params params = {.split = {.axis = 1}};
        build_op_outputs(graph, DV_OP_SPLIT, params, "half", &f, 1, halves, 2);
        build_output(graph, to_integers(graph, "y", halves[0], 0.1, 3));
        build_output(graph, all ? to_integers(graph, "z", halves[1], 0.2, 1) : halves[1]);
        graph = inferred(build_finish(graph, DV_NONE));
        dv_graph *out = NULL;
        CU_ASSERT_EQUAL(dv_pass_quantise(graph, NULL, &out), DV_OK);
        CU_ASSERT_EQUAL(out != NULL, all == 1);
        if (out) {
            CU_ASSERT_EQUAL(out->op_count, 1);
            CU_ASSERT_EQUAL(steps_apart(graph, out, 4), 0);
        }
        dv_graph_destroy(out);
        dv_graph_destroy(graph);
    }
}

static void lowering_a_quantised_graph_again_changes_nothing(void)
{
    dv_graph *once = lowered(convolution(DV_OP_RELU, 5)), *twice = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_lower(once, NULL, &twice), DV_OK);
    char *first = printed(once), *second = printed(twice);
    CU_ASSERT_STRING_EQUAL(first, second);
    CU_ASSERT_EQUAL(steps_apart(once, twice, 9), 0);
    free(first);
    free(second);
    dv_graph_destroy(once);
    dv_graph_destroy(twice);
}

static void quantisation_can_be_spelt_by_conversions_again(void)
{
    dv_graph *core = lowered(convolution(DV_OP_RELU, 5)), *spelt = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_spell_quantisation(core, &spelt), DV_OK);
    CU_ASSERT_EQUAL(count_of(spelt, DV_OP_DEQUANTIZE), 1);
    CU_ASSERT_EQUAL(count_of(spelt, DV_OP_DEQUANTIZE_CHANNEL), 1);
    CU_ASSERT_EQUAL(count_of(spelt, DV_OP_QUANTIZE), 1);
    for (dv_tensor_id t = 0; t < spelt->tensor_count; t++)
        CU_ASSERT_EQUAL(spelt->tensors[t].quant.count, 0);
    CU_ASSERT_EQUAL(steps_apart(core, spelt, 8), 0);
    dv_graph_destroy(core);
    dv_graph_destroy(spelt);
}

static void weights_of_integers_are_parameters_and_their_scales_are_not(void)
{
    dv_graph *source = inferred(convolution(DV_OP_RELU, 5));
    dv_graph *core = lowered(convolution(DV_OP_RELU, 5));
    CU_ASSERT_EQUAL(dv_graph_count(source).parameters, 4 * 3 * 3 * 3);
    CU_ASSERT_EQUAL(dv_graph_count(core).parameters, 4 * 3 * 3 * 3);
    CU_ASSERT_EQUAL(dv_graph_count(source).weight_bytes, 4 * 3 * 3 * 3);
    CU_ASSERT_EQUAL(dv_graph_count(core).weight_bytes, 4 * 3 * 3 * 3);
    dv_graph_destroy(source);
    dv_graph_destroy(core);
}

DV_SUITE(lower_quantise, DV_TEST(a_convolution_takes_and_gives_integers),
         DV_TEST(an_activation_that_the_range_does_not_imply_stays),
         DV_TEST(one_floating_operand_leaves_the_conversions_where_they_are),
         DV_TEST(weights_stay_integers_beside_floating_activations),
         DV_TEST(integers_that_others_read_are_not_said_to_stand_for_numbers),
         DV_TEST(operators_of_several_results_merge_if_all_of_them_become_integers),
         DV_TEST(lowering_a_quantised_graph_again_changes_nothing),
         DV_TEST(quantisation_can_be_spelt_by_conversions_again),
         DV_TEST(weights_of_integers_are_parameters_and_their_scales_are_not));
