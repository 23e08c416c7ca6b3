/* test_onnx_named.c - operators of other domains: kept by name with the shapes that are known, or
   computed where their numbers are those of tensors; random numbers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lower/lower.h"
#include "tests/lowering.h"
#include "tests/onnx_writer.h"
#include "tests/suite.h"

static void other(onnx_writer *w, const char *domain, const char *type, const char *inputs,
                  const char *outputs)
{
    onnx_named_node(w, "node", domain, type, inputs, outputs);
}

static dv_graph *finished(onnx_writer *w)
{
    dv_graph *graph = onnx_loaded(w);
    onnx_free(w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    return lowered(graph);
}

static const dv_tensor *output_of(const dv_graph *graph, uint32_t i)
{
    return &graph->tensors[graph->outputs[i]];
}

static bool is_shape(const dv_tensor *tensor, const char *text)
{
    char shape[DV_SHAPE_TEXT];
    return strcmp(dv_shape_text(&tensor->shape, shape), text) == 0;
}

static void a_strangers_operator_has_the_shapes_that_the_file_records(void)
{
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "N,8");
    other(&w, "my.company", "Magic", "x", "m");
    onnx_node(&w, "Relu", "m", "y");
    onnx_recorded(&w, "m", ONNX_FLOAT, "N,3");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_graph *graph = finished(&w);
    CU_ASSERT_EQUAL_FATAL(graph->op_count, 2);
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_OPAQUE);
    CU_ASSERT_STRING_EQUAL(graph->ops[0].source_type, "Magic");
    CU_ASSERT_TRUE(is_shape(output_of(graph, 0), "1x3"));
    dv_graph_destroy(graph);
}

static void without_a_shape_the_operator_is_named(void)
{
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "2,8");
    other(&w, "my.company", "Magic", "x", "y");
    onnx_output(&w, "y", ONNX_FLOAT, "?,?");
    dv_graph *graph = onnx_loaded(&w);
    onnx_free(&w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    expect_refused(graph, "Magic|my.company|does not tell the shapes");
}

static void trees_tell_their_shapes_by_their_attributes(void)
{
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "N,4");
    other(&w, "ai.onnx.ml", "TreeEnsembleClassifier", "x", "label scores");
    onnx_attr_ints(&w, "classlabels_int64s", "0,1,2");
    other(&w, "ai.onnx.ml", "ZipMap", "scores", "p");
    onnx_attr_ints(&w, "classlabels_int64s", "0,1,2");
    other(&w, "ai.onnx.ml", "TreeEnsembleRegressor", "x", "v");
    onnx_attr_int(&w, "n_targets", 2);
    onnx_output(&w, "label", ONNX_INT64, "?");
    onnx_output(&w, "p", ONNX_FLOAT, "?,?");
    onnx_output(&w, "v", ONNX_FLOAT, "?,?");
    dv_load_options options = {
        .dims = &(dv_binding){.name = "N", .value = 5}, .dim_count = 1, .infer = dv_lower_known};
    dv_graph *graph = NULL;
    CU_ASSERT_EQUAL_FATAL(onnx_load(&w, &options, &graph), DV_OK);
    onnx_free(&w);
    graph = lowered(graph);
    CU_ASSERT_TRUE(is_shape(output_of(graph, 0), "5"));
    CU_ASSERT_EQUAL(output_of(graph, 0)->dtype, DV_DTYPE_I64);
    CU_ASSERT_TRUE(is_shape(output_of(graph, 1), "5x3"));
    CU_ASSERT_TRUE(is_shape(output_of(graph, 2), "5x2"));
    dv_graph_destroy(graph);
}

/* A pipeline of scikit-learn's: scaled, then a linear classifier with integers for labels. */
static void a_linear_classifier_is_computed(void)
{
    static const float offset[] = {0.5f, -1, 2}, scale[] = {2, 1, 0.5f};
    static const float weight[3][3] = {{1, -2, 0.5f}, {0, 3, 1}, {-1, 0.25f, 2}};
    static const float bias[] = {0.5f, -0.25f, 0}, labels[] = {7, 3, 9};
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "4,3");
    other(&w, "ai.onnx.ml", "Scaler", "x", "s");
    onnx_attr_floats(&w, "offset", "0.5,-1,2");
    onnx_attr_floats(&w, "scale", "2,1,0.5");
    other(&w, "ai.onnx.ml", "LinearClassifier", "s", "label scores");
    onnx_attr_floats(&w, "coefficients", "1,-2,0.5,0,3,1,-1,0.25,2");
    onnx_attr_floats(&w, "intercepts", "0.5,-0.25,0");
    onnx_attr_ints(&w, "classlabels_ints", "7,3,9");
    onnx_attr_string(&w, "post_transform", "NONE");
    onnx_output(&w, "label", ONNX_INT64, NULL);
    onnx_output(&w, "scores", ONNX_FLOAT, NULL);
    dv_load_options options = {.infer = dv_lower_known};
    dv_graph *graph = NULL;
    CU_ASSERT_EQUAL_FATAL(onnx_load(&w, &options, &graph), DV_OK);
    onnx_free(&w);
    graph = lowered(graph);
    void *in[1] = {0}, *out[2] = {0};
    CU_ASSERT_TRUE_FATAL(run_portable(graph, 3, 100, in, out));
    for (size_t n = 0; n < 4; n++) {
        size_t best = 0;
        double score[3];
        for (size_t c = 0; c < 3; c++) {
            score[c] = bias[c];
            for (size_t i = 0; i < 3; i++)
                score[c] +=
                    weight[c][i] * (((float *)in[0])[3 * n + i] - offset[i]) * (double)scale[i];
            CU_ASSERT_DOUBLE_EQUAL(((float *)out[1])[3 * n + c], score[c], 1e-4);
            best = score[c] > score[best] ? c : best;
        }
        CU_ASSERT_EQUAL(((int64_t *)out[0])[n], (int64_t)labels[best]);
    }
    free(in[0]);
    free(out[0]);
    free(out[1]);
    dv_graph_destroy(graph);
}

static void rows_are_normalised_and_elements_picked(void)
{
    onnx_writer w = onnx_begin(13);
    static const int64_t picks[] = {2, 0};
    onnx_input(&w, "x", ONNX_FLOAT, "3,4");
    onnx_longs(&w, "i", "2", picks);
    other(&w, "ai.onnx.ml", "Normalizer", "x", "n");
    onnx_attr_string(&w, "norm", "L2");
    other(&w, "ai.onnx.ml", "ArrayFeatureExtractor", "n i", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_load_options options = {.infer = dv_lower_known};
    dv_graph *graph = NULL;
    CU_ASSERT_EQUAL_FATAL(onnx_load(&w, &options, &graph), DV_OK);
    onnx_free(&w);
    graph = lowered(graph);
    void *in[1] = {0}, *out[1] = {0};
    CU_ASSERT_TRUE_FATAL(run_portable(graph, 3, 100, in, out));
    for (size_t n = 0; n < 3; n++) {
        const float *x = (const float *)in[0] + 4 * n;
        double length = sqrt((double)x[0] * x[0] + x[1] * x[1] + x[2] * x[2] + x[3] * x[3]);
        for (size_t k = 0; k < 2; k++)
            CU_ASSERT_DOUBLE_EQUAL(((float *)out[0])[2 * n + k], x[picks[k]] / length, 1e-5);
    }
    free(in[0]);
    free(out[0]);
    dv_graph_destroy(graph);
}

static void categories_become_columns(void)
{
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_INT64, "6");
    other(&w, "ai.onnx.ml", "OneHotEncoder", "x", "y");
    onnx_attr_ints(&w, "cats_int64s", "2,0,7");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_graph *graph = finished(&w);
    void *in[1] = {0}, *out[1] = {0};
    CU_ASSERT_TRUE(is_shape(output_of(graph, 0), "6x3"));
    CU_ASSERT_TRUE_FATAL(run_portable(graph, 3, 4, in, out));
    for (size_t i = 0; i < 18; i++) {
        const int64_t category[] = {2, 0, 7}, x = ((int64_t *)in[0])[i / 3];
        CU_ASSERT_EQUAL(((float *)out[0])[i], x == category[i % 3]);
    }
    free(in[0]);
    free(out[0]);
    dv_graph_destroy(graph);
}

/* Three bits, narrow: from -3 to 3 steps of a quarter. */
static void numbers_of_few_bits_are_rounded_among_the_reals(void)
{
    static const float scale = 0.25f, zero = 0, bits = 3;
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "64");
    onnx_raw(&w, "s", ONNX_FLOAT, "", &scale, 4);
    onnx_raw(&w, "z", ONNX_FLOAT, "", &zero, 4);
    onnx_raw(&w, "b", ONNX_FLOAT, "", &bits, 4);
    other(&w, "qonnx.custom_op.general", "Quant", "x s z b", "q");
    onnx_attr_int(&w, "signed", 1);
    onnx_attr_int(&w, "narrow", 1);
    onnx_attr_string(&w, "rounding_mode", "ROUND");
    other(&w, "onnx.brevitas", "BipolarQuant", "x s", "y");
    onnx_output(&w, "q", ONNX_FLOAT, NULL);
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_load_options options = {.infer = dv_lower_known};
    dv_graph *graph = NULL;
    CU_ASSERT_EQUAL_FATAL(onnx_load(&w, &options, &graph), DV_OK);
    onnx_free(&w);
    graph = lowered(graph);
    void *in[1] = {0}, *out[2] = {0};
    CU_ASSERT_TRUE_FATAL(run_portable(graph, 3, 100, in, out));
    for (size_t i = 0; i < 64; i++) {
        double x = ((float *)in[0])[i];
        CU_ASSERT_EQUAL(((float *)out[0])[i], (float)(rint(fmin(fmax(x / 0.25, -3), 3)) * 0.25));
        CU_ASSERT_EQUAL(((float *)out[1])[i], x >= 0 ? 0.25f : -0.25f);
    }
    free(in[0]);
    free(out[0]);
    free(out[1]);
    dv_graph_destroy(graph);
}

static void random_numbers_are_drawn_once(void)
{
    onnx_writer w = onnx_begin(13);
    onnx_node(&w, "RandomNormal", "", "n");
    onnx_attr_ints(&w, "shape", "40,50");
    onnx_attr_float(&w, "mean", 3);
    onnx_attr_float(&w, "scale", 2);
    onnx_input(&w, "x", ONNX_FLOAT, "40,50");
    onnx_node(&w, "RandomUniformLike", "x", "u");
    onnx_attr_float(&w, "low", 1);
    onnx_attr_float(&w, "high", 2);
    onnx_node(&w, "Add", "n x", "y");
    onnx_node(&w, "Sub", "y x", "o");
    onnx_node(&w, "Mul", "u x", "m");
    onnx_node(&w, "Div", "m x", "p");
    onnx_output(&w, "o", ONNX_FLOAT, NULL);
    onnx_output(&w, "p", ONNX_FLOAT, NULL);
    dv_load_options options = {.infer = dv_lower_known};
    dv_graph *graph = NULL, *again = NULL;
    CU_ASSERT_EQUAL_FATAL(onnx_load(&w, &options, &graph), DV_OK);
    CU_ASSERT_EQUAL_FATAL(onnx_load(&w, &options, &again), DV_OK);
    onnx_free(&w);
    graph = lowered(graph);
    again = lowered(again);
    CU_ASSERT_TRUE(difference(graph, again, 3, 3) == 0);
    void *in[1] = {0}, *out[2] = {0};
    CU_ASSERT_TRUE_FATAL(run_portable(graph, 3, 100, in, out));
    double sum = 0, squares = 0, least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < 2000; i++) {
        double n = ((float *)out[0])[i], u = ((float *)out[1])[i];
        sum += n;
        squares += n * n;
        least = fmin(least, u);
        most = fmax(most, u);
    }
    double mean = sum / 2000;
    CU_ASSERT_DOUBLE_EQUAL(mean, 3, 0.2);
    CU_ASSERT_DOUBLE_EQUAL(sqrt(squares / 2000 - mean * mean), 2, 0.15);
    CU_ASSERT_TRUE(least > 0.999 && least < 1.05 && most < 2.001 && most > 1.95);
    free(in[0]);
    free(out[0]);
    free(out[1]);
    dv_graph_destroy(graph);
    dv_graph_destroy(again);
}

DV_SUITE(load_onnx_named, DV_TEST(a_strangers_operator_has_the_shapes_that_the_file_records),
         DV_TEST(without_a_shape_the_operator_is_named),
         DV_TEST(trees_tell_their_shapes_by_their_attributes),
         DV_TEST(a_linear_classifier_is_computed), DV_TEST(rows_are_normalised_and_elements_picked),
         DV_TEST(categories_become_columns),
         DV_TEST(numbers_of_few_bits_are_rounded_among_the_reals),
         DV_TEST(random_numbers_are_drawn_once));
