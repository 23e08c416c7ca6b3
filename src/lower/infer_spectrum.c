/* infer_spectrum.c - shapes of spectra and determinants, and of what only values tell. */
#include "lower/evaluate.h"
#include "lower/infer.h"

static dv_status check_complex(const dv_infer *infer, const dv_shape *x)
{
    char text[DV_SHAPE_TEXT];
    if (x->rank < 2 || (x->dim[x->rank - 1] != 1 && x->dim[x->rank - 1] != 2) ||
        !dv_dtype_is_float(infer->dtypes[0]))
        return dv_infer_fail(infer, "%s of %s are no real or complex numbers",
                             dv_shape_text(x, text), dv_dtype_name(infer->dtypes[0]));
    return DV_OK;
}

static dv_status read_one(const dv_infer *infer, uint32_t i, const char *what, int64_t *out)
{
    size_t count;
    if (!dv_infer_input(infer, i))
        return DV_OK;
    DV_TRY(dv_infer_ints(infer, i, what, out, 1, &count));
    return count == 1 ? DV_OK : dv_infer_fail(infer, "its %s must be one number", what);
}

static dv_status check_length(const dv_infer *infer, int64_t length)
{
    return length < 1 || length > 1 << 24
               ? dv_infer_fail(infer, "a length of %lld", (long long)length)
               : DV_OK;
}

dv_status dv_infer_dft(dv_infer *infer)
{
    dv_spectrum_params *dft = &infer->params.spectrum;
    dv_shape *y = &infer->shapes[0];
    DV_TRY(check_complex(infer, y));
    DV_TRY(read_one(infer, 1, "length", &dft->length));
    DV_TRY(read_one(infer, 2, "axis", &dft->axis));
    if (infer->input_count <= 3)
        infer->input_count = 1;
    DV_TRY(dv_infer_axis(infer, &dft->axis, y->rank));
    if (dft->axis == y->rank - 1)
        return dv_infer_fail(infer, "its axis is that of real and imaginary parts");
    bool to_real = dft->inverse && dft->onesided;
    if (dft->length == 0)
        dft->length = to_real ? 2 * (y->dim[dft->axis] - 1) : y->dim[dft->axis];
    DV_TRY(check_length(infer, dft->length));
    bool half = dft->onesided && !dft->inverse;
    y->dim[dft->axis] = half ? dft->length / 2 + 1 : dft->length;
    y->dim[y->rank - 1] = to_real ? 1 : 2;
    return DV_OK;
}

dv_status dv_infer_stft(dv_infer *infer)
{
    dv_spectrum_params *stft = &infer->params.spectrum;
    const dv_shape x = infer->shapes[0];
    DV_TRY(check_complex(infer, &x));
    if (infer->source->input_count > 2) { /* (signal, step, window, length) */
        DV_TRY(read_one(infer, 1, "step", &stft->step));
        DV_TRY(read_one(infer, 3, "length", &stft->length));
        infer->inputs[1] = infer->input_count > 2 ? infer->inputs[2] : DV_NONE;
        infer->input_count = infer->inputs[1] == DV_NONE ? 1 : 2;
    } else if (infer->source->input_count == 2 && stft->step == 0) {
        DV_TRY(read_one(infer, 1, "step", &stft->step));
        infer->input_count = 1;
    }
    const dv_tensor *window = dv_infer_input(infer, 1);
    if (window && (window->shape.rank != 1 || window->dtype != infer->dtypes[0]))
        return dv_infer_fail(infer, "its window is no list of its signal's numbers");
    if (stft->length == 0)
        stft->length = window ? window->shape.dim[0] : x.dim[1];
    DV_TRY(check_length(infer, stft->length));
    if (x.rank != 3 || x.dim[1] < stft->length || stft->step < 1 || stft->step > DV_DIM_LIMIT ||
        (window && window->shape.dim[0] != stft->length))
        return dv_infer_fail(infer, "frames of %lld every %lld do not fit its signal",
                             (long long)stft->length, (long long)stft->step);
    int64_t frames = 1 + (x.dim[1] - stft->length) / stft->step;
    int64_t bins = stft->onesided ? stft->length / 2 + 1 : stft->length;
    infer->shapes[0] = dv_shape_make((int64_t[]){x.dim[0], frames, bins, 2}, 4);
    return DV_OK;
}

dv_status dv_infer_det(dv_infer *infer)
{
    dv_shape *y = &infer->shapes[0];
    char text[DV_SHAPE_TEXT];
    if (y->rank < 2 || y->dim[y->rank - 1] != y->dim[y->rank - 2] ||
        !dv_dtype_is_float(infer->dtypes[0]))
        return dv_infer_fail(infer, "%s is no square matrix of floats", dv_shape_text(y, text));
    y->rank = (uint8_t)(y->rank - 2);
    return DV_OK;
}
