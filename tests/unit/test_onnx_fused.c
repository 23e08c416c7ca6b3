/* test_onnx_fused.c - quantised and fused operators of ONNX Runtime's become what they mean. */
#include <math.h>
#include <stdlib.h>

#include "lower/lower.h"
#include "tests/lowering.h"
#include "tests/onnx_writer.h"
#include "tests/suite.h"

static void scale(onnx_writer *w, const char *name, float value)
{
    onnx_raw(w, name, ONNX_FLOAT, "", &value, sizeof value);
}

static void zero(onnx_writer *w, const char *name, uint8_t value)
{
    onnx_raw(w, name, ONNX_UINT8, "", &value, sizeof value);
}

static void microsoft(onnx_writer *w, const char *type, const char *inputs, const char *outputs)
{
    onnx_named_node(w, outputs, "com.microsoft", type, inputs, outputs);
}

static dv_graph *finished(onnx_writer *w, int type)
{
    onnx_output(w, "y", type, NULL);
    dv_graph *graph = onnx_loaded(w);
    onnx_free(w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    return lowered(graph);
}

/* As ONNX Runtime's quantiser writes a network: integers all the way, pooled and reshaped as such.
 */
static void a_quantised_network_becomes_quantised_operators(void)
{
    static const int8_t weights[4 * 2 * 9], matrix[3 * 4];
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "1,2,6,6");
    scale(&w, "s", 0.1f);
    scale(&w, "t", 0.2f);
    zero(&w, "z", 128);
    int8_t none = 0;
    onnx_raw(&w, "wz", ONNX_INT8, "", &none, 1);
    onnx_raw(&w, "w", ONNX_INT8, "4,2,3,3", weights, sizeof weights);
    onnx_raw(&w, "m", ONNX_INT8, "3,4", matrix, sizeof matrix);
    onnx_node(&w, "QuantizeLinear", "x s z", "q");
    onnx_node(&w, "QLinearConv", "q s z w s wz t z", "c");
    onnx_node(&w, "MaxPool", "c", "p");
    onnx_attr_ints(&w, "kernel_shape", "2,2");
    microsoft(&w, "QLinearAdd", "p t z p t z s z", "a");
    microsoft(&w, "QLinearGlobalAveragePool", "a s z t z", "g");
    onnx_node(&w, "Flatten", "g", "f");
    microsoft(&w, "QGemm", "f t z m s wz - s z", "n");
    onnx_attr_int(&w, "transB", 1);
    onnx_node(&w, "DequantizeLinear", "n s z", "y");
    dv_graph *graph = finished(&w, ONNX_FLOAT);
    static const dv_op_kind kinds[] = {DV_OP_QUANTIZE, DV_OP_CONVOLUTION, DV_OP_MAX_POOL,
                                       DV_OP_ADD,      DV_OP_MEAN,        DV_OP_VIEW,
                                       DV_OP_LINEAR,   DV_OP_DEQUANTIZE};
    CU_ASSERT_EQUAL_FATAL(graph->op_count, sizeof kinds / sizeof kinds[0]);
    for (dv_op_id o = 0; o < graph->op_count; o++) {
        const dv_op *op = &graph->ops[o];
        CU_ASSERT_EQUAL(op->kind, kinds[o]);
        CU_ASSERT_EQUAL(dv_op_is_quantised(graph, op), o > 0 && o < graph->op_count - 1);
        if (o < graph->op_count - 1)
            CU_ASSERT_EQUAL(graph->tensors[op->outputs[0]].dtype, DV_DTYPE_U8);
    }
    dv_graph_destroy(graph);
}

static void quantised_sums_are_of_the_numbers(void)
{
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "a", ONNX_UINT8, "32");
    onnx_input(&w, "b", ONNX_UINT8, "32");
    scale(&w, "s", 0.5f);
    scale(&w, "t", 0.25f);
    scale(&w, "u", 1);
    zero(&w, "k", 10);
    zero(&w, "l", 20);
    zero(&w, "m", 5);
    microsoft(&w, "QLinearAdd", "a s k b t l u m", "y");
    dv_graph *graph = finished(&w, ONNX_UINT8);
    void *in[2] = {0}, *out[1] = {0};
    CU_ASSERT_TRUE_FATAL(run_portable(graph, 3, 100, in, out));
    for (size_t i = 0; i < 32; i++) {
        double a = ((uint8_t *)in[0])[i] - 10.0, b = ((uint8_t *)in[1])[i] - 20.0;
        double want = fmin(fmax(rint(0.5 * a + 0.25 * b) + 5, 0), 255);
        CU_ASSERT_EQUAL(((uint8_t *)out[0])[i], (uint8_t)want);
    }
    free(in[0]);
    free(in[1]);
    free(out[0]);
    dv_graph_destroy(graph);
}

static void fused_products_are_scaled_and_transposed(void)
{
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "a", ONNX_FLOAT, "1,3,2");
    onnx_input(&w, "b", ONNX_FLOAT, "1,4,3");
    microsoft(&w, "FusedMatMul", "a b", "y");
    onnx_attr_int(&w, "transA", 1);
    onnx_attr_int(&w, "transB", 1);
    onnx_attr_float(&w, "alpha", 0.5f);
    dv_graph *graph = finished(&w, ONNX_FLOAT);
    void *in[2] = {0}, *out[1] = {0};
    CU_ASSERT_TRUE_FATAL(run_portable(graph, 4, 100, in, out));
    const float *a = in[0], *b = in[1], *y = out[0];
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < 4; j++) {
            float want = 0;
            for (size_t k = 0; k < 3; k++)
                want += 0.5f * a[k * 2 + i] * b[j * 3 + k];
            CU_ASSERT_DOUBLE_EQUAL(y[i * 4 + j], want, 1e-5);
        }
    free(in[0]);
    free(in[1]);
    free(out[0]);
    dv_graph_destroy(graph);
}

static void fused_operators_are_taken_apart(void)
{
    static const float numbers[64];
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "1,2,4,4");
    onnx_floats(&w, "w", "2,2,1,1", numbers);
    onnx_floats(&w, "g", "4", numbers);
    microsoft(&w, "FusedConv", "x w", "c");
    onnx_attr_string(&w, "activation", "Clip");
    onnx_attr_floats(&w, "activation_params", "-1,1");
    microsoft(&w, "SkipLayerNormalization", "c x g g", "n");
    microsoft(&w, "FastGelu", "n g", "y");
    dv_graph *graph = finished(&w, ONNX_FLOAT);
    const dv_op *clamp = first_of(graph, DV_OP_CLAMP), *gelu = first_of(graph, DV_OP_GELU);
    CU_ASSERT_PTR_NOT_NULL_FATAL(clamp);
    CU_ASSERT_TRUE(clamp->params.clamp.min == -1 && clamp->params.clamp.max == 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(gelu);
    CU_ASSERT_TRUE(gelu->params.flag.on);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_LAYER_NORM), 1);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_ADD), 2); /* the skip, and the bias of gelu */
    dv_graph_destroy(graph);
}

DV_SUITE(load_onnx_fused, DV_TEST(a_quantised_network_becomes_quantised_operators),
         DV_TEST(quantised_sums_are_of_the_numbers),
         DV_TEST(fused_products_are_scaled_and_transposed),
         DV_TEST(fused_operators_are_taken_apart));
