/* onnx_ops_qlinear.c - operators on quantised tensors, spelt as conversions to numbers, the
   operator, and a conversion back; lowering merges the conversions into it (lower/quantise.c). */
#include <string.h>

#include "load/onnx_ops.h"

/* Three inputs of a node that say what integers stand for: those, their scale, their zero point. */
static dv_status emit_numbers(dv_onnx_at *at, dv_tensor_id x, dv_tensor_id scale, dv_tensor_id zero,
                              int64_t axis, dv_tensor_id *id)
{
    dv_op_params params = {.quant = {.axis = axis, .dtype = DV_DTYPE_F32}};
    dv_op_params real = {.cast = {DV_DTYPE_F32}};
    dv_dtype dtype = scale == DV_NONE ? DV_DTYPE_F32 : at->graph->tensors[scale].dtype;
    if (dtype != DV_DTYPE_F32 && dtype != DV_DTYPE_NONE)
        DV_TRY(dv_onnx_emit(at, DV_OP_CAST, &real, scale, DV_NONE, &scale));
    if (zero == DV_NONE)
        return dv_onnx_emit(at, DV_OP_DEQUANTIZE, &params, x, scale, id);
    return dv_onnx_emit3(at, DV_OP_DEQUANTIZE, &params, (dv_tensor_id[]){x, scale, zero}, id);
}

static dv_tensor_id given(const dv_onnx_at *at, uint32_t i)
{
    return dv_onnx_given_input(at, i) ? at->inputs[i] : DV_NONE;
}

/* Inputs [first, first + 3) as numbers. */
static dv_status emit_input(dv_onnx_at *at, uint32_t first, int64_t axis, dv_tensor_id *id)
{
    return emit_numbers(at, at->inputs[first], at->inputs[first + 1], given(at, first + 2), axis,
                        id);
}

/* op becomes the conversion of numbers to integers with that scale and zero point. */
static void become_integers(dv_onnx_at *at, dv_tensor_id numbers, dv_tensor_id scale,
                            dv_tensor_id zero)
{
    dv_onnx_become(at, DV_OP_QUANTIZE, numbers, scale, zero);
    at->op.params.quant.dtype = DV_DTYPE_U8;
}

/* Adds the operator itself. */
static dv_status emit_op(dv_onnx_at *at, dv_op_kind kind, const dv_op_params *params,
                         const dv_tensor_id *inputs, uint32_t count, dv_tensor_id *id)
{
    DV_TRY(dv_onnx_part(at, id));
    dv_op op = at->op;
    op.kind = kind;
    op.params = *params;
    op.inputs = inputs;
    op.input_count = count;
    op.outputs = id;
    op.output_count = 1;
    return dv_onnx_add(at, &op);
}

/* A bias of i32 has the scale of the products. */
static dv_status emit_bias(dv_onnx_at *at, dv_tensor_id bias, dv_tensor_id x_scale,
                           dv_tensor_id w_scale, dv_tensor_id *id)
{
    dv_tensor_id scale;
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, x_scale, w_scale, &scale));
    return emit_numbers(at, bias, scale, DV_NONE, 0, id);
}

/* Inputs (x, scale, zero, w, scale, zero, y scale, y zero[, bias in i32]). */
dv_status dv_onnx_op_qlinear_conv(dv_onnx_at *at)
{
    dv_tensor_id numbers[3], y, in[9] = {0};
    bool biased = dv_onnx_given_input(at, 8);
    memcpy(in, at->inputs, (biased ? 9 : 8) * sizeof *in);
    at->inputs[1] = in[3]; /* what reading a convolution looks at */
    DV_TRY(dv_onnx_op_conv(at));
    if (at->op.kind == DV_OP_OPAQUE)
        return DV_OK;
    at->inputs[1] = in[1];
    dv_op_params conv = at->op.params;
    DV_TRY(emit_input(at, 0, 1, &numbers[0]));
    DV_TRY(emit_input(at, 3, 0, &numbers[1]));
    if (biased)
        DV_TRY(emit_bias(at, in[8], in[1], in[4], &numbers[2]));
    DV_TRY(emit_op(at, DV_OP_CONVOLUTION, &conv, numbers, biased ? 3 : 2, &y));
    become_integers(at, y, in[6], in[7]);
    return DV_OK;
}

/* Inputs (a, scale, zero, b, scale, zero, y scale, y zero); scales by row of a, by column of b. */
dv_status dv_onnx_op_qlinear_matmul(dv_onnx_at *at)
{
    dv_tensor_id a, b, y;
    DV_TRY(emit_input(at, 0, -2, &a));
    DV_TRY(emit_input(at, 3, -1, &b));
    DV_TRY(dv_onnx_emit(at, DV_OP_MATMUL, NULL, a, b, &y));
    become_integers(at, y, at->inputs[6], at->inputs[7]);
    return DV_OK;
}

/* ---- com.microsoft: what ONNX Runtime's quantiser writes ---- */

/* Inputs (a, scale, zero, b, scale, zero, y scale, y zero). */
dv_status dv_onnx_op_qlinear_binary(dv_onnx_at *at)
{
    dv_tensor_id a, b, y, scale = at->inputs[6], zero = given(at, 7);
    dv_op_kind kind = dv_span_is(at->node->op_type, "QLinearMul") ? DV_OP_MUL : DV_OP_ADD;
    DV_TRY(emit_input(at, 0, 0, &a));
    DV_TRY(emit_input(at, 3, 0, &b));
    DV_TRY(dv_onnx_emit(at, kind, NULL, a, b, &y));
    become_integers(at, y, scale, zero);
    return DV_OK;
}

/* Inputs (x, scale, zero, y scale, y zero): op, whose attributes were read, of x. */
static dv_status of_one(dv_onnx_at *at, dv_op_kind kind)
{
    dv_op_params params = at->op.params;
    dv_tensor_id x, y, scale = at->inputs[3], zero = given(at, 4);
    DV_TRY(emit_input(at, 0, 0, &x));
    DV_TRY(dv_onnx_emit(at, kind, &params, x, DV_NONE, &y));
    become_integers(at, y, scale, zero);
    return DV_OK;
}

dv_status dv_onnx_op_qlinear_sigmoid(dv_onnx_at *at)
{
    return of_one(at, DV_OP_SIGMOID);
}

dv_status dv_onnx_op_qlinear_leaky_relu(dv_onnx_at *at)
{
    DV_TRY(dv_onnx_op_leaky_relu(at));
    return of_one(at, DV_OP_LEAKY_RELU);
}

static dv_status refuse_channels_last(dv_onnx_at *at, bool *refused)
{
    DV_TRY(dv_onnx_flag(at, "channels_last", false, refused));
    return *refused ? dv_onnx_opaque(at, "channels_last = 1 is not supported") : DV_OK;
}

dv_status dv_onnx_op_qlinear_global_pool(dv_onnx_at *at)
{
    bool refused;
    DV_TRY(refuse_channels_last(at, &refused));
    if (refused)
        return DV_OK;
    DV_TRY(dv_onnx_op_global_pool(at));
    return of_one(at, DV_OP_AVG_POOL);
}

dv_status dv_onnx_op_qlinear_pool(dv_onnx_at *at)
{
    bool refused;
    DV_TRY(refuse_channels_last(at, &refused));
    if (!refused)
        DV_TRY(dv_onnx_op_pool(at));
    return at->op.kind == DV_OP_OPAQUE ? DV_OK : of_one(at, DV_OP_AVG_POOL);
}

dv_status dv_onnx_op_qlinear_reduce_mean(dv_onnx_at *at)
{
    DV_TRY(dv_onnx_op_reduce(at));
    return of_one(at, DV_OP_MEAN);
}

/* Flattened to 2-D around the axis if the opset it was made from says so. */
dv_status dv_onnx_op_qlinear_softmax(dv_onnx_at *at)
{
    int64_t opset;
    DV_TRY(dv_onnx_int(at, "opset", 13, &opset));
    DV_TRY(dv_onnx_int(at, "axis", opset < 13 ? 1 : -1, &at->op.params.axis.axis));
    at->op.params.axis.flatten_2d = opset < 13;
    return of_one(at, DV_OP_SOFTMAX);
}

/* Inputs (y scale, y zero, then x, scale, zero of each). */
dv_status dv_onnx_op_qlinear_concat(dv_onnx_at *at)
{
    uint32_t many = (at->op.input_count - 2) / 3;
    dv_op_params params = {.axis = {.axis = 0}};
    dv_tensor_id y, scale = at->inputs[0], zero = at->inputs[1];
    if (at->op.input_count != 2 + 3 * many || many == 0)
        return dv_fail(DV_BAD_INPUT, "%u inputs are not those of tensors with scale and zero point",
                       at->op.input_count);
    if (!dv_onnx_has(at, "axis"))
        return dv_fail(DV_BAD_INPUT, "attribute 'axis' is missing");
    DV_TRY(dv_onnx_int(at, "axis", 0, &params.axis.axis));
    dv_tensor_id *numbers = dv_arena_array(at->arena, many, sizeof *numbers);
    if (!numbers)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < many; i++)
        DV_TRY(emit_input(at, 2 + 3 * i, 0, &numbers[i]));
    DV_TRY(emit_op(at, DV_OP_CAT, &params, numbers, many, &y));
    become_integers(at, y, scale, zero);
    return DV_OK;
}

/* Inputs (a, scale, zero, b, scale, zero[, c in i32[, y scale, y zero]]); without a y scale, floats
   come out. */
dv_status dv_onnx_op_qgemm(dv_onnx_at *at)
{
    dv_tensor_id numbers[3], y, scale = given(at, 7), zero = given(at, 8);
    bool biased = dv_onnx_given_input(at, 6);
    double alpha;
    DV_TRY(dv_onnx_float(at, "alpha", 1.0, &alpha));
    if (biased && alpha != 1)
        return dv_onnx_opaque(at, "alpha = %g with a bias is not supported", alpha);
    DV_TRY(dv_onnx_op_gemm(at));
    dv_op_params linear = at->op.params;
    linear.linear.beta = 1;
    DV_TRY(emit_input(at, 0, 0, &numbers[0]));
    DV_TRY(emit_input(at, 3, linear.linear.weight_kn ? 1 : 0, &numbers[1]));
    if (biased)
        DV_TRY(emit_bias(at, at->inputs[6], at->inputs[1], at->inputs[4], &numbers[2]));
    if (scale != DV_NONE) {
        DV_TRY(emit_op(at, DV_OP_LINEAR, &linear, numbers, biased ? 3 : 2, &y));
        become_integers(at, y, scale, zero);
        return DV_OK;
    }
    dv_onnx_become(at, DV_OP_LINEAR, numbers[0], numbers[1], biased ? numbers[2] : DV_NONE);
    at->op.params = linear;
    return DV_OK;
}
