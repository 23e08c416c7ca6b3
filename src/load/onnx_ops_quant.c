/* onnx_ops_quant.c - quantised tensors, and products of integers. */
#include "load/onnx_ops.h"

/* Blocks of elements with a scale each are not per tensor nor per channel. */
static dv_status check_blocks(dv_onnx_at *at)
{
    int64_t block;
    DV_TRY(dv_onnx_int(at, "block_size", 0, &block));
    return block != 0 ? dv_onnx_opaque(at, "block_size = %lld is not supported", (long long)block)
                      : DV_OK;
}

dv_status dv_onnx_op_quantize(dv_onnx_at *at)
{
    int64_t type;
    DV_TRY(dv_onnx_int(at, "output_dtype", 0, &type));
    DV_TRY(dv_onnx_int(at, "axis", 1, &at->op.params.quant.axis));
    at->op.params.quant.dtype = DV_DTYPE_U8;
    if (type > 0 && type <= UINT32_MAX)
        at->op.params.quant.dtype = dv_onnx_dtype((uint32_t)type);
    return check_blocks(at);
}

dv_status dv_onnx_op_dequantize(dv_onnx_at *at)
{
    DV_TRY(dv_onnx_int(at, "axis", 1, &at->op.params.quant.axis));
    return check_blocks(at);
}

/* Outputs (y, scale, zero point): the latter two are chosen from x. */
dv_status dv_onnx_op_dynamic_quantize(dv_onnx_at *at)
{
    dv_tensor_id chosen[2], x = at->inputs[0];
    for (uint32_t i = 0; i < 2; i++) {
        chosen[i] = at->op.output_count > i + 1 ? at->outputs[i + 1] : DV_NONE;
        if (chosen[i] == DV_NONE)
            DV_TRY(dv_onnx_part(at, &chosen[i]));
    }
    dv_op choose = at->op;
    choose.kind = DV_OP_CHOOSE_QPARAMS;
    choose.inputs = &x;
    choose.input_count = 1;
    choose.outputs = chosen;
    choose.output_count = 2;
    DV_TRY(dv_onnx_add(at, &choose));
    at->op.output_count = 1;
    dv_onnx_become(at, DV_OP_QUANTIZE, x, chosen[0], chosen[1]);
    at->op.params.quant.dtype = DV_DTYPE_U8;
    return DV_OK;
}

dv_status dv_onnx_op_conv_integer(dv_onnx_at *at)
{
    return dv_onnx_op_conv(at);
}

/* A vector of one number a channel, laid along dim 1 of an output with so many spatial dims. */
static dv_status along_channels(dv_onnx_at *at, int64_t spatial, dv_tensor_id *id)
{
    dv_op_params behind = {.axes = {.count = (uint8_t)spatial}};
    for (int64_t i = 0; i < spatial; i++)
        behind.axes.axes[i] = 1 + i;
    return dv_onnx_emit(at, DV_OP_UNSQUEEZE, &behind, *id, DV_NONE, id);
}

/* op becomes the i32 products times both scales, quantised again. */
static dv_status requantize(dv_onnx_at *at, dv_tensor_id products, dv_tensor_id scale,
                            dv_tensor_id y_scale, dv_tensor_id y_zero)
{
    dv_op_params real = {.cast = {DV_DTYPE_F32}};
    dv_tensor_id scaled;
    DV_TRY(dv_onnx_emit(at, DV_OP_CAST, &real, products, DV_NONE, &scaled));
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, scaled, scale, &scaled));
    dv_onnx_become(at, DV_OP_QUANTIZE, scaled, y_scale, y_zero);
    at->op.params.quant.dtype = DV_DTYPE_U8;
    return DV_OK;
}

/* The product of integers of inputs a and b with their zero points. */
static dv_status emit_product(dv_onnx_at *at, dv_op_kind kind, const dv_op_params *params,
                              const dv_tensor_id inputs[4], dv_tensor_id *id)
{
    DV_TRY(dv_onnx_part(at, id));
    dv_op product = at->op;
    product.kind = kind;
    product.params = *params;
    product.inputs = inputs;
    product.input_count = 4;
    product.outputs = id;
    product.output_count = 1;
    return dv_onnx_add(at, &product);
}

static bool is_vector(const dv_onnx_at *at, uint32_t i)
{
    const dv_shape *shape = &at->graph->tensors[at->inputs[i]].shape;
    return shape->rank == 1 && shape->dim[0] != 1;
}

/* Inputs (x, scale, zero, w, scale, zero, y scale, y zero[, bias in i32]). */
dv_status dv_onnx_op_qlinear_conv(dv_onnx_at *at)
{
    dv_tensor_id in[9] = {0}, products, scale;
    bool has_bias = dv_onnx_given_input(at, 8);
    for (uint32_t i = 0; i < 8u + has_bias; i++)
        in[i] = at->inputs[i];
    bool by_channel = is_vector(at, 4);
    at->inputs[1] = in[3]; /* what reading a convolution looks at */
    DV_TRY(dv_onnx_op_conv(at));
    if (at->op.kind == DV_OP_OPAQUE)
        return DV_OK;
    dv_op_params conv = at->op.params;
    int64_t spatial = conv.conv.spatial;
    if (spatial == 0 && (by_channel || has_bias))
        return dv_onnx_opaque(at, "the rank of its weight is not known yet");
    DV_TRY(emit_product(at, DV_OP_CONV_INTEGER, &conv, (dv_tensor_id[]){in[0], in[3], in[2], in[5]},
                        &products));
    if (has_bias) {
        DV_TRY(along_channels(at, spatial, &in[8]));
        DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, products, in[8], &products));
    }
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, in[1], in[4], &scale));
    if (by_channel)
        DV_TRY(along_channels(at, spatial, &scale));
    return requantize(at, products, scale, in[6], in[7]);
}

/* Inputs (a, scale, zero, b, scale, zero, y scale, y zero). */
dv_status dv_onnx_op_qlinear_matmul(dv_onnx_at *at)
{
    dv_tensor_id in[8], products, scale;
    dv_op_params none = {.flag = {false}};
    for (uint32_t i = 0; i < 8; i++)
        in[i] = at->inputs[i];
    if (is_vector(at, 1))
        return dv_onnx_opaque(at, "a scale for each row of its first input is not supported");
    DV_TRY(emit_product(at, DV_OP_MATMUL_INTEGER, &none,
                        (dv_tensor_id[]){in[0], in[3], in[2], in[5]}, &products));
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, in[1], in[4], &scale));
    return requantize(at, products, scale, in[6], in[7]);
}
