/* test_onnx_fused.c - quantised and fused operators of ONNX Runtime's become what they mean. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* The unit that makes the tensor of that name. */
static dv_unit_id maker_of(const dv_graph *graph, const char *name)
{
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++)
        if (strcmp(graph->tensors[t].name, name) == 0 && graph->producer[t] != DV_NONE)
            return graph->unit_of[graph->producer[t]];
    return DV_NONE;
}

/* What ONNX Runtime's dynamic quantisation writes: the choice of a scale that two products share is
   a unit, and so is each product with its bias and activation. */
static void dynamic_products_are_units(void)
{
    static const int8_t matrix[3 * 4] = {1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12};
    static const float bias[4] = {1, 2, 3, 4};
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "2,3");
    scale(&w, "s", 0.1f);
    int8_t none = 0;
    onnx_raw(&w, "m", ONNX_INT8, "3,4", matrix, sizeof matrix);
    onnx_raw(&w, "mz", ONNX_INT8, "", &none, 1);
    onnx_floats(&w, "bias", "4", bias);
    onnx_node(&w, "DynamicQuantizeLinear", "x", "q qs qz");
    onnx_node(&w, "MatMulInteger", "q m qz mz", "i");
    onnx_node(&w, "Cast", "i", "f");
    onnx_attr_int(&w, "to", ONNX_FLOAT);
    onnx_node(&w, "Mul", "qs s", "both");
    onnx_node(&w, "Mul", "f both", "scaled");
    onnx_node(&w, "Add", "scaled bias", "sum");
    onnx_node(&w, "Relu", "sum", "a");
    microsoft(&w, "MatMulIntegerToFloat", "q m qs s qz mz bias", "b");
    onnx_node(&w, "Sub", "a b", "c");
    onnx_node(&w, "Neg", "x", "n");
    microsoft(&w, "DynamicQuantizeMatMul", "n m s mz", "alone");
    onnx_node(&w, "Sub", "alone c", "y");
    dv_graph *graph = finished(&w, ONNX_FLOAT);
    /* the choice, a, b, a - b, -x, the product with a choice of its own, y */
    CU_ASSERT_EQUAL(graph->unit_count, 7);
    CU_ASSERT_EQUAL(count_of(graph, DV_OP_MATMUL_INTEGER), 3);
    CU_ASSERT_NOT_EQUAL(maker_of(graph, "a"), DV_NONE);
    CU_ASSERT_EQUAL(maker_of(graph, "q"), maker_of(graph, "qs"));
    CU_ASSERT_EQUAL(maker_of(graph, "i"), maker_of(graph, "a"));
    dv_graph_destroy(graph);
}

/* Four bits a weight, the lower first, in blocks of 16 with a scale and a zero point each. */
static void weights_of_four_bits_are_unpacked(void)
{
    static const float scales[4] = {1.0f, 0.5f, 2.0f, 0.25f};
    uint8_t packed[2 * 2 * 8], zeros[2] = {0x31, 0x52};
    for (size_t i = 0; i < sizeof packed; i++)
        packed[i] = (uint8_t)(i * 37);
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "1,20");
    onnx_raw(&w, "b", ONNX_UINT8, "2,2,8", packed, sizeof packed);
    onnx_floats(&w, "scales", "4", scales);
    onnx_raw(&w, "zeros", ONNX_UINT8, "2", zeros, sizeof zeros);
    microsoft(&w, "MatMulNBits", "x b scales zeros", "y");
    onnx_attr_int(&w, "K", 20);
    onnx_attr_int(&w, "N", 2);
    onnx_attr_int(&w, "bits", 4);
    onnx_attr_int(&w, "block_size", 16);
    dv_graph *graph = finished(&w, ONNX_FLOAT);
    void *inputs[32] = {NULL}, *outputs[32] = {NULL};
    CU_ASSERT_TRUE_FATAL(run_portable(graph, 3, 10, inputs, outputs));
    for (size_t n = 0; n < 2; n++) {
        double sum = 0;
        for (size_t k = 0; k < 20; k++) {
            size_t block = n * 2 + k / 16;
            int weight = packed[block * 8 + k % 16 / 2] >> (k % 2 * 4) & 15;
            int zero_point = zeros[n] >> (k / 16 * 4) & 15;
            sum += (double)((float *)inputs[0])[k] * (double)scales[block] * (weight - zero_point);
        }
        CU_ASSERT_DOUBLE_EQUAL(((float *)outputs[0])[n], sum, 1e-4);
    }
    for (int i = 0; i < 32; i++) {
        free(inputs[i]);
        free(outputs[i]);
    }
    dv_graph_destroy(graph);
}

static void weights_that_do_not_fit_are_refused_by_name(void)
{
    static const uint8_t packed[16];
    static const float scales[1];
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "1,16");
    onnx_raw(&w, "b", ONNX_UINT8, "16", packed, sizeof packed);
    onnx_floats(&w, "scales", "1", scales);
    microsoft(&w, "MatMulNBits", "x b scales", "y");
    onnx_attr_int(&w, "K", 16);
    onnx_attr_int(&w, "N", 1);
    onnx_attr_int(&w, "block_size", 16);
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    onnx_refused(&w, DV_BAD_INPUT, "(MatMulNBits): its weights have another number of bytes");
}

/* com.microsoft's attention over heads is that of the standard. */
static void attention_means_the_same_in_either_spelling(void)
{
    dv_graph *graphs[2];
    for (int i = 0; i < 2; i++) {
        onnx_writer w = onnx_begin(23);
        onnx_input(&w, "q", ONNX_FLOAT, "1,3,8");
        onnx_input(&w, "k", ONNX_FLOAT, "1,5,8");
        onnx_input(&w, "v", ONNX_FLOAT, "1,5,8");
        if (i == 0) {
            onnx_node(&w, "Attention", "q k v", "y");
            onnx_attr_int(&w, "q_num_heads", 2);
            onnx_attr_int(&w, "kv_num_heads", 2);
        } else {
            microsoft(&w, "MultiHeadAttention", "q k v", "y");
            onnx_attr_int(&w, "num_heads", 2);
        }
        graphs[i] = finished(&w, ONNX_FLOAT);
        CU_ASSERT_EQUAL(graphs[i]->unit_count, 1);
    }
    CU_ASSERT_TRUE(difference(graphs[0], graphs[1], 3, 10) < 1e-6);
    dv_graph_destroy(graphs[0]);
    dv_graph_destroy(graphs[1]);
}

/* Grouped heads behind a past, turned by their positions: the standard's rotary embedding and
   attention say the same. */
static void grouped_attention_is_that_of_the_standard(void)
{
    static const int64_t positions[2] = {3, 4};
    static const int32_t last = 4, total = 5;
    float cosines[8 * 2], sines[8 * 2];
    dv_graph *graphs[2];
    for (int i = 0; i < 16; i++) {
        cosines[i] = (float)cos(0.3 * i);
        sines[i] = (float)sin(0.3 * i);
    }
    for (int i = 0; i < 2; i++) {
        onnx_writer w = onnx_begin(23);
        onnx_input(&w, "q", ONNX_FLOAT, "1,2,16");
        onnx_input(&w, "k", ONNX_FLOAT, "1,2,8");
        onnx_input(&w, "v", ONNX_FLOAT, "1,2,8");
        onnx_input(&w, "pk", ONNX_FLOAT, "1,2,3,4");
        onnx_input(&w, "pv", ONNX_FLOAT, "1,2,3,4");
        onnx_floats(&w, "cos", "8,2", cosines);
        onnx_floats(&w, "sin", "8,2", sines);
        if (i == 0) {
            onnx_longs(&w, "positions", "1,2", positions);
            onnx_node(&w, "RotaryEmbedding", "q cos sin positions", "qr");
            onnx_attr_int(&w, "num_heads", 4);
            onnx_node(&w, "RotaryEmbedding", "k cos sin positions", "kr");
            onnx_attr_int(&w, "num_heads", 2);
            onnx_node(&w, "Attention", "qr kr v - pk pv", "y");
            onnx_attr_int(&w, "q_num_heads", 4);
            onnx_attr_int(&w, "is_causal", 1);
        } else {
            onnx_raw(&w, "last", ONNX_INT32, "1", &last, sizeof last);
            onnx_raw(&w, "total", ONNX_INT32, "", &total, sizeof total);
            microsoft(&w, "GroupQueryAttention", "q k v pk pv last total cos sin", "y");
            onnx_attr_int(&w, "num_heads", 4);
            onnx_attr_int(&w, "do_rotary", 1);
        }
        onnx_attr_int(&w, "kv_num_heads", 2);
        graphs[i] = finished(&w, ONNX_FLOAT);
    }
    CU_ASSERT_TRUE(difference(graphs[0], graphs[1], 3, 10) < 1e-6);
    CU_ASSERT_EQUAL(graphs[0]->unit_count, graphs[1]->unit_count);
    dv_graph_destroy(graphs[0]);
    dv_graph_destroy(graphs[1]);
}

DV_SUITE(load_onnx_fused, DV_TEST(a_quantised_network_becomes_quantised_operators),
         DV_TEST(quantised_sums_are_of_the_numbers),
         DV_TEST(fused_products_are_scaled_and_transposed),
         DV_TEST(fused_operators_are_taken_apart), DV_TEST(dynamic_products_are_units),
         DV_TEST(weights_of_four_bits_are_unpacked),
         DV_TEST(weights_that_do_not_fit_are_refused_by_name),
         DV_TEST(attention_means_the_same_in_either_spelling),
         DV_TEST(grouped_attention_is_that_of_the_standard));
