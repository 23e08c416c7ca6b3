/* onnx_ops_signal.c - windows, spectra and their scales. */
#include "load/onnx_ops.h"

dv_status dv_onnx_op_dft(dv_onnx_at *at)
{
    dv_spectrum_params *dft = &at->op.params.spectrum;
    DV_TRY(dv_onnx_int(at, "axis", at->opset < 20 ? 1 : -2, &dft->axis));
    DV_TRY(dv_onnx_flag(at, "inverse", false, &dft->inverse));
    return dv_onnx_flag(at, "onesided", false, &dft->onesided);
}

dv_status dv_onnx_op_stft(dv_onnx_at *at)
{
    return dv_onnx_flag(at, "onesided", true, &at->op.params.spectrum.onesided);
}

/* Numbers in the formulas below are f64, cast in the end. */
static dv_status times(dv_onnx_at *at, dv_tensor_id a, double factor, dv_tensor_id *id)
{
    dv_tensor_id constant;
    DV_TRY(dv_onnx_scalar(at, DV_DTYPE_F64, factor, &constant));
    return dv_onnx_emit(at, DV_OP_MUL, NULL, a, constant, id);
}

static dv_status plus(dv_onnx_at *at, dv_tensor_id a, double addend, dv_tensor_id *id)
{
    dv_tensor_id constant;
    DV_TRY(dv_onnx_scalar(at, DV_DTYPE_F64, addend, &constant));
    return dv_onnx_emit(at, DV_OP_ADD, NULL, a, constant, id);
}

/* a[0] - a[1] cos(2 pi n / size) + a[2] cos(4 pi n / size), n from 0 to size - 1; size less 1 in
   the divisor of a window that is not periodic. */
static dv_status become_window(dv_onnx_at *at, const double a[3])
{
    const double pi = 3.14159265358979323846;
    int64_t type;
    bool periodic;
    DV_TRY(dv_onnx_int(at, "output_datatype", DV_ONNX_FLOAT, &type));
    DV_TRY(dv_onnx_flag(at, "periodic", true, &periodic));
    dv_dtype dtype = type < 0 || type > UINT32_MAX ? DV_DTYPE_NONE : dv_onnx_dtype((uint32_t)type);
    if (dtype == DV_DTYPE_NONE || dtype == DV_DTYPE_STRING)
        return dv_onnx_opaque(at, "elements of type %lld are not supported", (long long)type);
    dv_op_params real = {.cast = {DV_DTYPE_F64}}, none = {.axes = {.count = 0}};
    dv_tensor_id size, zero, one, steps, turns, first, second, sum;
    DV_TRY(dv_onnx_emit(at, DV_OP_CAST, &real, at->inputs[0], DV_NONE, &size));
    DV_TRY(dv_onnx_emit(at, DV_OP_SQUEEZE, &none, size, DV_NONE, &size));
    DV_TRY(dv_onnx_scalar(at, DV_DTYPE_F64, 0, &zero));
    DV_TRY(dv_onnx_scalar(at, DV_DTYPE_F64, 1, &one));
    DV_TRY(dv_onnx_emit3(at, DV_OP_ARANGE, NULL, (dv_tensor_id[]){zero, size, one}, &steps));
    if (!periodic)
        DV_TRY(plus(at, size, -1, &size));
    DV_TRY(times(at, steps, 2 * pi, &turns));
    DV_TRY(dv_onnx_emit(at, DV_OP_DIV, NULL, turns, size, &turns));
    DV_TRY(dv_onnx_emit(at, DV_OP_COS, NULL, turns, DV_NONE, &first));
    DV_TRY(times(at, first, -a[1], &first));
    DV_TRY(plus(at, first, a[0], &sum));
    if (a[2] != 0) {
        DV_TRY(times(at, turns, 2, &second));
        DV_TRY(dv_onnx_emit(at, DV_OP_COS, NULL, second, DV_NONE, &second));
        DV_TRY(times(at, second, a[2], &second));
        DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, sum, second, &sum));
    }
    dv_onnx_become(at, DV_OP_CAST, sum, DV_NONE, DV_NONE);
    at->op.params.cast.dtype = dtype;
    return DV_OK;
}

dv_status dv_onnx_op_hann_window(dv_onnx_at *at)
{
    return become_window(at, (double[]){0.5, 0.5, 0});
}

dv_status dv_onnx_op_hamming_window(dv_onnx_at *at)
{
    return become_window(at, (double[]){25.0 / 46.0, 1 - 25.0 / 46.0, 0});
}

dv_status dv_onnx_op_blackman_window(dv_onnx_at *at)
{
    return become_window(at, (double[]){0.42, 0.5, 0.08});
}

/* Inputs (bins, DFT length, sample rate, low, high). */
dv_status dv_onnx_op_mel_weights(dv_onnx_at *at)
{
    int64_t type;
    DV_TRY(dv_onnx_int(at, "output_datatype", DV_ONNX_FLOAT, &type));
    dv_dtype dtype = type < 0 || type > UINT32_MAX ? DV_DTYPE_NONE : dv_onnx_dtype((uint32_t)type);
    if (!dv_dtype_is_float(dtype))
        return dv_onnx_opaque(at, "elements of type %lld are not supported", (long long)type);
    at->op.params.mel.dtype = dtype;
    return DV_OK;
}
