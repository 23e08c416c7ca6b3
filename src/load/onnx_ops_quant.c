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
