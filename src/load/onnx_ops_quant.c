/* onnx_ops_quant.c - quantised tensors, and products of integers. */
#include <math.h>

#include "load/onnx_ops.h"

/* One number a block becomes one an element: its places along the axis, each repeated. */
static dv_status spread(dv_onnx_at *at, int64_t axis, dv_tensor_id places, dv_tensor_id *id)
{
    dv_op_params along = {.axis = {.axis = axis}};
    return dv_onnx_emit(at, DV_OP_INDEX_SELECT, &along, *id, places, id);
}

enum { MOST_BLOCKED = 1 << 20 }; /* elements along the axis, for each of which there is an index */

/* Blocks of elements with a scale each are not per tensor nor per channel: scales and zero points
   are spread to one an element, and op becomes what is left to do. */
static dv_status read_blocks(dv_onnx_at *at, bool quantises)
{
    int64_t block, axis = at->op.params.quant.axis;
    DV_TRY(dv_onnx_int(at, "block_size", 0, &block));
    if (block == 0)
        return DV_OK;
    const dv_shape *x = dv_onnx_shape_of(at, at->inputs[0]);
    if (axis < 0 && x->rank != DV_RANK_UNKNOWN)
        axis += x->rank;
    if (x->rank == DV_RANK_UNKNOWN || axis < 0 || axis >= x->rank || x->dim[axis] < 1 ||
        x->dim[axis] > MOST_BLOCKED)
        return dv_onnx_opaque(
            at,
            "block_size = %lld needs the shape of its input, which does not follow from the model",
            (long long)block);
    int64_t size = x->dim[axis];
    int64_t *blocks = dv_arena_array(at->arena, (size_t)size, sizeof *blocks);
    if (!blocks)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (int64_t i = 0; i < size; i++)
        blocks[i] = block < 1 ? 0 : i / block;
    dv_op_params real = {.cast = {DV_DTYPE_F32}};
    dv_tensor_id places, y = at->inputs[0], scale = at->inputs[1], zero = DV_NONE;
    dv_dtype integers = dv_onnx_given_input(at, 2) ? at->graph->tensors[at->inputs[2]].dtype
                                                   : at->op.params.quant.dtype;
    DV_TRY(dv_onnx_list(at, blocks, (size_t)size, &places));
    DV_TRY(spread(at, axis, places, &scale));
    if (dv_onnx_given_input(at, 2)) {
        zero = at->inputs[2];
        DV_TRY(spread(at, axis, places, &zero));
        DV_TRY(dv_onnx_emit(at, DV_OP_CAST, &real, zero, DV_NONE, &zero));
    }
    if (!quantises) {
        DV_TRY(dv_onnx_emit(at, DV_OP_CAST, &real, y, DV_NONE, &y));
        if (zero != DV_NONE)
            DV_TRY(dv_onnx_emit(at, DV_OP_SUB, NULL, y, zero, &y));
        dv_onnx_become(at, DV_OP_MUL, y, scale, DV_NONE);
        return DV_OK;
    }
    size_t bits = 8 * dv_dtype_bytes(integers);
    bool is_signed = integers == DV_DTYPE_I8 || integers == DV_DTYPE_I16;
    if (!is_signed && integers != DV_DTYPE_U8 && integers != DV_DTYPE_U16)
        return dv_fail(DV_BAD_INPUT, "blocks of %s cannot be quantised", dv_dtype_name(integers));
    dv_op_params range = {.clamp = {.min = is_signed ? -ldexp(1, (int)bits - 1) : 0,
                                    .max = ldexp(1, (int)bits - is_signed) - 1}};
    DV_TRY(dv_onnx_emit(at, DV_OP_DIV, NULL, y, scale, &y));
    DV_TRY(dv_onnx_emit(at, DV_OP_ROUND, NULL, y, DV_NONE, &y));
    if (zero != DV_NONE)
        DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, y, zero, &y));
    DV_TRY(dv_onnx_emit(at, DV_OP_CLAMP, &range, y, DV_NONE, &y));
    dv_onnx_become(at, DV_OP_CAST, y, DV_NONE, DV_NONE);
    at->op.params.cast.dtype = integers;
    return DV_OK;
}

dv_status dv_onnx_op_quantize(dv_onnx_at *at)
{
    int64_t type;
    DV_TRY(dv_onnx_int(at, "output_dtype", 0, &type));
    DV_TRY(dv_onnx_int(at, "axis", 1, &at->op.params.quant.axis));
    at->op.params.quant.dtype = DV_DTYPE_U8;
    if (type > 0 && type <= UINT32_MAX)
        at->op.params.quant.dtype = dv_onnx_dtype((uint32_t)type);
    return read_blocks(at, true);
}

dv_status dv_onnx_op_dequantize(dv_onnx_at *at)
{
    DV_TRY(dv_onnx_int(at, "axis", 1, &at->op.params.quant.axis));
    return read_blocks(at, false);
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
