/* quantise.c - from floats to integers with a scale and a zero point, and back. */
#include <math.h>

#include "runtime/portable/kernel.h"

/* Which scale element i has. */
typedef struct channels {
    size_t inner, count; /* elements of a channel, channels; count 1: one for all */
} channels;

static channels channels_of(const dv_kernel_call *call)
{
    const dv_operand *x = &call->inputs[0], *scale = &call->inputs[1];
    channels c = {.inner = 1, .count = scale->count};
    for (int64_t d = call->op->params.quant.axis + 1; c.count > 1 && d < x->shape.rank; d++)
        c.inner *= (size_t)x->shape.dim[d];
    return c;
}

static size_t channel_of(const channels *c, size_t i)
{
    return c->count == 1 ? 0 : i / c->inner % c->count;
}

static int64_t zero_of(const dv_kernel_call *call, size_t channel)
{
    int64_t zero = 0;
    if (call->input_count > 2 && dv_given(&call->inputs[2]))
        dv_load_i64(&call->inputs[2], channel, 1, 1, &zero);
    return zero;
}

/* round(x / scale) + zero point, halves to even, held to the type's range (as storing does). */
dv_status dv_kernel_quantize(const dv_kernel_call *call)
{
    const dv_operand *x = &call->inputs[0];
    channels c = channels_of(call);
    for (size_t i = 0; i < x->count; i++) {
        size_t channel = channel_of(&c, i);
        float quotient = (float)dv_at(x, i) / (float)dv_at(&call->inputs[1], channel);
        double y = nearbyint((double)quotient) + (double)zero_of(call, channel);
        dv_store_f64(&call->outputs[0], i, 1, 1, &y);
    }
    return DV_OK;
}

dv_status dv_kernel_dequantize(const dv_kernel_call *call)
{
    const dv_operand *x = &call->inputs[0];
    channels c = channels_of(call);
    for (size_t i = 0; i < x->count; i++) {
        size_t channel = channel_of(&c, i);
        int64_t value = 0;
        dv_load_i64(x, i, 1, 1, &value);
        double y = (double)(value - zero_of(call, channel)) * dv_at(&call->inputs[1], channel);
        dv_store_f64(&call->outputs[0], i, 1, 1, &y);
    }
    return DV_OK;
}

static bool is_quantised(dv_dtype dtype)
{
    return dtype == DV_DTYPE_U8 || dtype == DV_DTYPE_I8 || dtype == DV_DTYPE_U16 ||
           dtype == DV_DTYPE_I16 || dtype == DV_DTYPE_I32 || dtype == DV_DTYPE_I64;
}

static const char *check_scales(const dv_kernel_call *call, dv_dtype quantised)
{
    const dv_operand *x = &call->inputs[0], *scale = &call->inputs[1], *zero = &call->inputs[2];
    int64_t axis = call->op->params.quant.axis;
    if (!dv_dtype_is_float(scale->dtype) || !is_quantised(quantised))
        return "the scale must be a float, the quantised side an integer";
    if (scale->count != 1 && (scale->shape.rank != 1 || axis < 0 || axis >= x->shape.rank ||
                              scale->shape.dim[0] != x->shape.dim[axis]))
        return "the scale must be one, or one a channel";
    if (call->input_count > 2 && dv_given(zero) &&
        (zero->dtype != quantised || zero->count != scale->count))
        return "the zero point does not match the scale and the quantised type";
    return dv_shape_equal(&x->shape, &call->outputs[0].shape) ? NULL
                                                              : "input and output differ in shape";
}

const char *dv_check_quantize(const dv_kernel_call *call)
{
    dv_dtype x = call->inputs[0].dtype;
    if (!dv_dtype_is_float(x) && x != DV_DTYPE_I32)
        return "floats or i32 are quantised";
    return check_scales(call, call->outputs[0].dtype);
}

const char *dv_check_dequantize(const dv_kernel_call *call)
{
    if (!dv_dtype_is_float(call->outputs[0].dtype))
        return "a float comes out";
    return check_scales(call, call->inputs[0].dtype);
}

/* The range of x and 0 over 255 steps, and where 0 lies in it. */
dv_status dv_kernel_choose_qparams(const dv_kernel_call *call)
{
    const dv_operand *x = &call->inputs[0];
    double least = 0, most = 0;
    for (size_t i = 0; i < x->count; i++) {
        double value = dv_at(x, i);
        least = value < least ? value : least;
        most = value > most ? value : most;
    }
    float scale = most > least ? ((float)most - (float)least) / 255 : 1;
    double zero = nearbyint((double)((0 - (float)least) / scale));
    dv_put(&call->outputs[0], 0, (double)scale);
    if (call->output_count > 1 && dv_given(&call->outputs[1]))
        dv_store_f64(&call->outputs[1], 0, 1, 1, &zero);
    return DV_OK;
}

const char *dv_check_choose_qparams(const dv_kernel_call *call)
{
    const dv_operand *scale = &call->outputs[0], *zero = &call->outputs[1];
    if (call->inputs[0].dtype != DV_DTYPE_F32 || scale->dtype != DV_DTYPE_F32 || scale->count != 1)
        return "f32 goes in, one f32 scale comes out";
    if (call->output_count > 2 || (call->output_count > 1 && dv_given(zero) &&
                                   (zero->dtype != DV_DTYPE_U8 || zero->count != 1)))
        return "the zero point must be one u8";
    return NULL;
}
