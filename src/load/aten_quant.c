/* aten_quant.c - ATen's quantisation of tensors and back. */
#include <math.h>

#include "load/aten_build.h"

/* A number or a tensor as a tensor of that type. */
static dv_status as_tensor(dv_aten_at *at, uint32_t i, dv_dtype dtype, dv_tensor_id *id)
{
    double value;
    if (at->args[i].type == DV_ATEN_TENSOR) {
        DV_TRY(dv_aten_input(at, i, id));
        return dv_aten_cast(at, dtype, id);
    }
    DV_TRY(dv_aten_real(at, i, &value));
    return dv_aten_scalar(at, dtype, value, id);
}

/* A range narrower than the type's own is kept by clamping before rounding. */
static dv_status keep_range(dv_aten_at *at, dv_dtype dtype, dv_tensor_id *x)
{
    double scale, zero, low, high;
    bool is_unsigned = dtype == DV_DTYPE_U8 || dtype == DV_DTYPE_U16;
    double most = ldexp(1, (int)(8 * dv_dtype_bytes(dtype)) - !is_unsigned) - 1;
    double least = is_unsigned ? 0 : -most - 1;
    if (at->args[1].type == DV_ATEN_TENSOR || at->args[2].type == DV_ATEN_TENSOR)
        return DV_OK;
    DV_TRY(dv_aten_real(at, 1, &scale));
    DV_TRY(dv_aten_real(at, 2, &zero));
    DV_TRY(dv_aten_real(at, 3, &low));
    DV_TRY(dv_aten_real(at, 4, &high));
    if (low <= least && high >= most)
        return DV_OK;
    dv_op_params clamp = {.clamp = {(low - zero) * scale, (high - zero) * scale}};
    return dv_aten_emit(at, DV_OP_CLAMP, &clamp, *x, DV_NONE, x);
}

dv_status dv_aten_read_quantize(dv_aten_at *at)
{
    dv_dtype dtype = dv_aten_made_dtype(at, DV_DTYPE_I8);
    dv_op_params params = {.quant = {.dtype = dtype}};
    dv_tensor_id x, scale, zero;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(keep_range(at, dtype, &x));
    DV_TRY(as_tensor(at, 1, DV_DTYPE_F32, &scale));
    DV_TRY(as_tensor(at, 2, dtype, &zero));
    return dv_aten_finish(at, DV_OP_QUANTIZE, &params, x, scale, zero);
}

dv_status dv_aten_read_dequantize(dv_aten_at *at)
{
    dv_tensor_id x, scale, zero;
    DV_TRY(dv_aten_input(at, 0, &x));
    dv_op_params params = {.quant = {.dtype = dv_aten_dtype_of(at, x)}};
    DV_TRY(as_tensor(at, 1, DV_DTYPE_F32, &scale));
    DV_TRY(as_tensor(at, 2, dv_aten_dtype_of(at, x), &zero));
    return dv_aten_finish(at, DV_OP_DEQUANTIZE, &params, x, scale, zero);
}

/* Zero points may be left out of a symmetric scheme. */
static dv_status finish_channels(dv_aten_at *at, dv_dtype dtype)
{
    dv_op_params params = {.quant = {.dtype = dtype}};
    dv_tensor_id x, scale, zero = DV_NONE;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(as_tensor(at, 1, DV_DTYPE_F32, &scale));
    if (dv_aten_given(at, 2))
        DV_TRY(as_tensor(at, 2, dtype, &zero));
    DV_TRY(dv_aten_axis(at, 3, x, &params.quant.axis));
    return dv_aten_finish(at, at->kind, &params, x, scale, zero);
}

dv_status dv_aten_read_quantize_channel(dv_aten_at *at)
{
    return finish_channels(at, dv_aten_made_dtype(at, DV_DTYPE_I8));
}

dv_status dv_aten_read_dequantize_channel(dv_aten_at *at)
{
    dv_tensor_id x;
    DV_TRY(dv_aten_input(at, 0, &x));
    return finish_channels(at, dv_aten_dtype_of(at, x));
}
