/* infer_rnn.c - shapes of whole recurrent layers and of quantised tensors. */
#include <math.h>

#include "lower/infer.h"

static dv_status expect(const dv_infer *infer, uint32_t i, const char *what, const int64_t *dims,
                        size_t rank)
{
    const dv_tensor *tensor = dv_infer_input(infer, i);
    dv_shape expected = dv_shape_make(dims, rank);
    char have[DV_SHAPE_TEXT], want[DV_SHAPE_TEXT];
    if (tensor && !dv_shape_equal(&tensor->shape, &expected))
        return dv_infer_fail(infer, "its %s is %s, expected %s", what,
                             dv_shape_text(&tensor->shape, have), dv_shape_text(&expected, want));
    return DV_OK;
}

static dv_status check_types(const dv_infer *infer)
{
    for (uint32_t i = 1; i < infer->input_count; i++) {
        const dv_tensor *tensor = dv_infer_input(infer, i);
        if (tensor && i != 4 && tensor->dtype != infer->dtypes[0])
            return dv_infer_fail(infer, "inputs of %s and %s do not match",
                                 dv_dtype_name(infer->dtypes[0]), dv_dtype_name(tensor->dtype));
    }
    return DV_OK;
}

dv_status dv_infer_rnn(dv_infer *infer)
{
    dv_rnn_params *rnn = &infer->params.rnn;
    const dv_shape x = infer->shapes[0], w = dv_infer_input(infer, 1)->shape,
                   r = dv_infer_input(infer, 2)->shape;
    int64_t gates = infer->kind == DV_OP_LSTM ? 4 : infer->kind == DV_OP_GRU ? 3 : 1;
    char xs[DV_SHAPE_TEXT], ws[DV_SHAPE_TEXT];
    DV_TRY(check_types(infer));
    if (x.rank != 3 || w.rank != 3 || r.rank != 3 || (w.dim[0] != 1 && w.dim[0] != 2) ||
        r.dim[2] < 1 || r.dim[2] > DV_DIM_LIMIT / 8)
        return dv_infer_fail(infer, "input %s and weight %s do not match", dv_shape_text(&x, xs),
                             dv_shape_text(&w, ws));
    if (rnn->hidden == 0)
        rnn->hidden = r.dim[2];
    if (rnn->hidden != r.dim[2] || rnn->directions != w.dim[0])
        return dv_infer_fail(infer, "its weight %s is not for %lld hidden units in %lld directions",
                             dv_shape_text(&r, ws), (long long)rnn->hidden,
                             (long long)rnn->directions);
    int64_t directions = rnn->directions, hidden = rnn->hidden, rows = gates * hidden;
    int64_t steps = x.dim[rnn->batch_first], batch = x.dim[!rnn->batch_first];
    int64_t state[] = {directions, batch, hidden}, every[] = {steps, directions, batch, hidden};
    if (rnn->batch_first) {
        state[0] = every[0] = batch;
        every[1] = steps;
        state[1] = every[2] = directions;
    }
    DV_TRY(expect(infer, 1, "weight", (int64_t[]){directions, rows, x.dim[2]}, 3));
    DV_TRY(expect(infer, 2, "recurrent weight", (int64_t[]){directions, rows, hidden}, 3));
    DV_TRY(expect(infer, 3, "bias", (int64_t[]){directions, 2 * rows}, 2));
    DV_TRY(expect(infer, 4, "lengths", &batch, 1));
    DV_TRY(expect(infer, 5, "first state", state, 3));
    DV_TRY(expect(infer, 6, "first cell", state, 3));
    DV_TRY(expect(infer, 7, "peephole weight", (int64_t[]){directions, 3 * hidden}, 2));
    infer->known_outputs = infer->output_count;
    for (uint32_t i = 0; i < infer->output_count; i++)
        infer->shapes[i] = i == 0 ? dv_shape_make(every, 4) : dv_shape_make(state, 3);
    return DV_OK;
}

/* ---- quantised tensors ---- */

/* One scale, or one a channel: then the kind says so. */
static dv_status read_scale(dv_infer *infer, dv_op_kind whole, dv_op_kind channel)
{
    const dv_tensor *scale = dv_infer_input(infer, 1), *zero = dv_infer_input(infer, 2);
    const dv_shape *x = &infer->shapes[0];
    char text[DV_SHAPE_TEXT];
    size_t count;
    int64_t *axis = &infer->params.quant.axis;
    if (!dv_dtype_is_float(scale->dtype) || !dv_shape_elements(&scale->shape, &count))
        return dv_infer_fail(infer, "its scale is %s", dv_dtype_name(scale->dtype));
    infer->kind = count == 1 ? whole : channel;
    if (count == 1) {
        *axis = 0;
    } else {
        DV_TRY(dv_infer_axis(infer, axis, x->rank));
        if (scale->shape.rank != 1 || scale->shape.dim[0] != x->dim[*axis])
            return dv_infer_fail(infer, "its scale is %s, not one number a channel",
                                 dv_shape_text(&scale->shape, text));
    }
    size_t zeros;
    if (zero && (!dv_shape_elements(&zero->shape, &zeros) || zeros != count))
        return dv_infer_fail(infer, "its zero point is %s, its scale has %zu elements",
                             dv_shape_text(&zero->shape, text), count);
    return DV_OK;
}

dv_status dv_infer_quantize(dv_infer *infer)
{
    const dv_tensor *zero = dv_infer_input(infer, 2);
    DV_TRY(read_scale(infer, DV_OP_QUANTIZE, DV_OP_QUANTIZE_CHANNEL));
    dv_dtype dtype = zero ? zero->dtype : infer->params.quant.dtype;
    if (dtype <= DV_DTYPE_NONE || dtype >= DV_DTYPE_STRING || dv_dtype_is_float(dtype))
        return dv_infer_fail(infer, "it cannot quantise to %s",
                             dtype >= 0 && dtype < DV_DTYPE_COUNT ? dv_dtype_name(dtype)
                                                                  : "nothing");
    infer->params.quant.dtype = infer->dtypes[0] = dtype;
    return DV_OK;
}

dv_status dv_infer_dequantize(dv_infer *infer)
{
    const dv_tensor *zero = dv_infer_input(infer, 2);
    DV_TRY(read_scale(infer, DV_OP_DEQUANTIZE, DV_OP_DEQUANTIZE_CHANNEL));
    if (dv_dtype_is_float(infer->dtypes[0]) || (zero && zero->dtype != infer->dtypes[0]))
        return dv_infer_fail(infer, "its input is %s, its zero point %s",
                             dv_dtype_name(infer->dtypes[0]),
                             zero ? dv_dtype_name(zero->dtype) : "left out");
    infer->params.quant.dtype = infer->dtypes[0];
    infer->dtypes[0] = dv_infer_input(infer, 1)->dtype;
    return DV_OK;
}

dv_status dv_infer_choose_qparams(dv_infer *infer)
{
    if (infer->dtypes[0] != DV_DTYPE_F32)
        return dv_infer_fail(infer, "its input is %s, not f32", dv_dtype_name(infer->dtypes[0]));
    infer->shapes[0] = (dv_shape){0};
    if (infer->output_count > 1) {
        infer->known_outputs = 2;
        infer->shapes[1] = (dv_shape){0};
        infer->dtypes[1] = DV_DTYPE_U8;
    }
    return DV_OK;
}
