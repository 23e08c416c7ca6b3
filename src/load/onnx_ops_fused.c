/* onnx_ops_fused.c - com.microsoft: what ONNX Runtime's optimiser fuses, taken apart again. */
#include <math.h>

#include "load/onnx_ops.h"

static dv_tensor_id given(const dv_onnx_at *at, uint32_t i)
{
    return dv_onnx_given_input(at, i) ? at->inputs[i] : DV_NONE;
}

static dv_status add_if_given(dv_onnx_at *at, dv_tensor_id b, dv_tensor_id *id)
{
    return b == DV_NONE ? DV_OK : dv_onnx_emit(at, DV_OP_ADD, NULL, *id, b, id);
}

/* ---- activations ---- */

/* gelu(x + bias); FastGelu by tanh, BiasGelu and Gelu by erf. */
dv_status dv_onnx_op_bias_gelu(dv_onnx_at *at)
{
    dv_tensor_id x = at->inputs[0];
    bool by_tanh = dv_span_is(at->node->op_type, "FastGelu");
    DV_TRY(add_if_given(at, given(at, 1), &x));
    dv_onnx_become(at, DV_OP_GELU, x, DV_NONE, DV_NONE);
    at->op.params.flag.on = by_tanh;
    return DV_OK;
}

/* x sigmoid(1.702 x) */
dv_status dv_onnx_op_quick_gelu(dv_onnx_at *at)
{
    double alpha;
    dv_tensor_id factor, gate, x = at->inputs[0];
    DV_TRY(dv_onnx_float(at, "alpha", 1.702f, &alpha));
    DV_TRY(dv_onnx_scalar(at, dv_onnx_input_dtype(at, 0), alpha, &factor));
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, x, factor, &gate));
    DV_TRY(dv_onnx_emit(at, DV_OP_SIGMOID, NULL, gate, DV_NONE, &gate));
    dv_onnx_become(at, DV_OP_MUL, x, gate, DV_NONE);
    return DV_OK;
}

/* ---- normalisation behind a sum ---- */

/* The sum that is normalised, which is the node's output 3 if that is asked for. */
static dv_status emit_sum(dv_onnx_at *at, dv_tensor_id bias, dv_tensor_id *id)
{
    dv_tensor_id asked = at->op.output_count > 3 ? at->outputs[3] : DV_NONE;
    dv_tensor_id x = at->inputs[0], skip = at->inputs[1];
    if (bias != DV_NONE)
        DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, x, bias, &x));
    *id = asked;
    return asked == DV_NONE ? dv_onnx_emit(at, DV_OP_ADD, NULL, x, skip, id)
                            : dv_onnx_emit_to(at, DV_OP_ADD, NULL, x, skip, asked);
}

static bool wants_statistics(const dv_onnx_at *at)
{
    return (at->op.output_count > 1 && at->outputs[1] != DV_NONE) ||
           (at->op.output_count > 2 && at->outputs[2] != DV_NONE);
}

/* Inputs (x, skip, weight[, bias[, bias of x]]): layer norm of their sum over the last dim. */
dv_status dv_onnx_op_skip_layer_norm(dv_onnx_at *at)
{
    double epsilon;
    dv_tensor_id sum, weight = at->inputs[2], shift = given(at, 3);
    DV_TRY(dv_onnx_float(at, "epsilon", 1e-12f, &epsilon));
    if (wants_statistics(at))
        return dv_onnx_opaque(at, "mean and deviation as outputs are not supported");
    DV_TRY(emit_sum(at, given(at, 4), &sum));
    at->op.output_count = 1;
    dv_onnx_become(at, DV_OP_LAYER_NORM, sum, weight, shift);
    at->op.params.norm = (dv_norm_params){.eps = epsilon, .axes = 1};
    return DV_OK;
}

/* Inputs (x, skip, weight[, bias of x]): RMS norm of their sum over the last dim. */
dv_status dv_onnx_op_skip_rms_norm(dv_onnx_at *at)
{
    dv_tensor_id sum, weight = at->inputs[2];
    if (wants_statistics(at))
        return dv_onnx_opaque(at, "mean and deviation as outputs are not supported");
    if (!dv_onnx_has(at, "epsilon"))
        return dv_fail(DV_BAD_INPUT, "attribute 'epsilon' is missing");
    DV_TRY(emit_sum(at, given(at, 3), &sum));
    at->inputs[0] = sum;
    at->inputs[1] = weight;
    at->op.input_count = 2;
    at->op.output_count = 1;
    return dv_onnx_op_rms_norm(at);
}

/* ---- matrix products ---- */

static dv_status swap_last(dv_onnx_at *at, uint32_t input, dv_tensor_id *id)
{
    uint8_t rank = dv_onnx_shape_of(at, at->inputs[input])->rank;
    dv_op_params order = {.permute = {.rank = rank}};
    for (uint8_t d = 0; d < rank; d++)
        order.permute.perm[d] = d;
    order.permute.perm[rank - 2] = (uint8_t)(rank - 1);
    order.permute.perm[rank - 1] = (uint8_t)(rank - 2);
    return dv_onnx_emit(at, DV_OP_PERMUTE, &order, *id, DV_NONE, id);
}

/* alpha times the product of a and b, either transposed in its last two dims. */
dv_status dv_onnx_op_fused_matmul(dv_onnx_at *at)
{
    static const char *const names[] = {"transA", "transB"};
    dv_tensor_id sides[2] = {at->inputs[0], at->inputs[1]}, factor;
    bool turned[2], batch_a, batch_b;
    double alpha;
    DV_TRY(dv_onnx_float(at, "alpha", 1.0, &alpha));
    DV_TRY(dv_onnx_flag(at, "transBatchA", false, &batch_a));
    DV_TRY(dv_onnx_flag(at, "transBatchB", false, &batch_b));
    if (batch_a || batch_b)
        return dv_onnx_opaque(at, "transBatchA = 1 and transBatchB = 1 are not supported");
    for (uint32_t i = 0; i < 2; i++) {
        DV_TRY(dv_onnx_flag(at, names[i], false, &turned[i]));
        uint8_t rank = turned[i] ? dv_onnx_shape_of(at, at->inputs[i])->rank : 0;
        if (turned[i] && (rank == DV_RANK_UNKNOWN || rank < 2))
            return dv_onnx_opaque(
                at, "%s = 1 needs the rank of its input, which does not follow from the model",
                names[i]);
    }
    for (uint32_t i = 0; i < 2; i++)
        if (turned[i])
            DV_TRY(swap_last(at, i, &sides[i]));
    if (alpha != 1) {
        DV_TRY(dv_onnx_scalar(at, dv_onnx_input_dtype(at, 0), alpha, &factor));
        DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, sides[0], factor, &sides[0]));
    }
    dv_onnx_become(at, DV_OP_MATMUL, sides[0], sides[1], DV_NONE);
    return DV_OK;
}

/* ---- convolution with its activation ---- */

typedef struct fused_activation {
    const char *name;
    dv_op_kind kind;
    double alpha, beta; /* defaults */
} fused_activation;

static const fused_activation *activation_of(dv_span name)
{
    static const fused_activation activations[] = {
        {"Relu", DV_OP_RELU, 0, 0},
        {"Sigmoid", DV_OP_SIGMOID, 0, 0},
        {"Tanh", DV_OP_TANH, 0, 0},
        {"LeakyRelu", DV_OP_LEAKY_RELU, 0.01, 0},
        {"Clip", DV_OP_CLAMP, -(double)INFINITY, (double)INFINITY},
        {"HardSigmoid", DV_OP_HARDSIGMOID, 0.2, 0.5},
    };
    for (size_t i = 0; i < sizeof activations / sizeof activations[0]; i++)
        if (dv_span_is(name, activations[i].name))
            return &activations[i];
    return NULL;
}

/* Inputs (x, weight[, bias[, what is added]]), attributes of Conv and the activation's. */
dv_status dv_onnx_op_fused_conv(dv_onnx_at *at)
{
    dv_span name;
    size_t count = 0;
    dv_tensor_id added = given(at, 3), y;
    DV_TRY(dv_onnx_text(at, "activation", "", &name));
    const fused_activation *f = activation_of(name);
    if (!f)
        return dv_onnx_opaque(at, "activation '%.*s' is not supported",
                              (int)(name.size > 40 ? 40 : name.size), (const char *)name.data);
    const dv_onnx_attribute *given_params = dv_onnx_attribute_of(at, "activation_params");
    float values[2] = {(float)f->alpha, (float)f->beta};
    if (given_params)
        DV_TRY(dv_onnx_read_floats(given_params, at->file, 2, values, &count));
    DV_TRY(dv_onnx_op_conv(at));
    if (at->op.kind == DV_OP_OPAQUE)
        return DV_OK;
    dv_op conv = at->op;
    conv.kind = DV_OP_CONVOLUTION;
    conv.inputs = at->inputs;
    conv.input_count = at->op.input_count > 3 ? 3 : at->op.input_count;
    conv.outputs = &y;
    conv.output_count = 1;
    DV_TRY(dv_onnx_part(at, &y));
    DV_TRY(dv_onnx_add(at, &conv));
    DV_TRY(add_if_given(at, added, &y));
    dv_onnx_become(at, f->kind, y, DV_NONE, DV_NONE);
    if (f->kind == DV_OP_CLAMP)
        at->op.params.clamp = (dv_clamp_params){(double)values[0], (double)values[1]};
    else
        at->op.params.scalar = (dv_scalar_params){(double)values[0], (double)values[1]};
    return DV_OK;
}

/* alpha a b + beta c and its activation, with Gemm's inputs and attributes. */
dv_status dv_onnx_op_fused_gemm(dv_onnx_at *at)
{
    dv_span name;
    dv_tensor_id y;
    DV_TRY(dv_onnx_text(at, "activation", "", &name));
    const fused_activation *f = activation_of(name);
    if (!f)
        return dv_onnx_opaque(at, "activation '%.*s' is not supported",
                              (int)(name.size > 40 ? 40 : name.size), (const char *)name.data);
    double alpha, beta;
    DV_TRY(dv_onnx_float(at, "activation_alpha", f->alpha, &alpha));
    DV_TRY(dv_onnx_float(at, "activation_beta", f->beta, &beta));
    DV_TRY(dv_onnx_op_gemm(at));
    dv_op gemm = at->op;
    gemm.kind = DV_OP_LINEAR;
    gemm.inputs = at->inputs;
    gemm.outputs = &y;
    gemm.output_count = 1;
    DV_TRY(dv_onnx_part(at, &y));
    DV_TRY(dv_onnx_add(at, &gemm));
    dv_onnx_become(at, f->kind, y, DV_NONE, DV_NONE);
    if (f->kind == DV_OP_CLAMP)
        at->op.params.clamp = (dv_clamp_params){alpha, beta};
    else
        at->op.params.scalar = (dv_scalar_params){alpha, beta};
    return DV_OK;
}
