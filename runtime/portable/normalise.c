/* normalise.c - batch, layer, group and local response normalisation, in double throughout. */
#include <math.h>

#include "runtime/portable/kernel.h"

/* Elements of one channel of one image: of dims from the third on. */
static size_t pixels_of(const dv_shape *shape)
{
    size_t pixels = 1;
    for (int d = 2; d < shape->rank; d++)
        pixels *= (size_t)shape->dim[d];
    return pixels;
}

static double at_or(const dv_operand *operand, size_t index, double otherwise)
{
    return dv_given(operand) ? dv_at(operand, index) : otherwise;
}

static bool has(const dv_operand *operand, size_t count)
{
    return !dv_given(operand) || operand->count == count;
}

dv_status dv_kernel_batch_norm(const dv_kernel_call *call)
{
    const dv_operand *x = &call->inputs[0], *out = &call->outputs[0];
    size_t channels = (size_t)x->shape.dim[1], pixels = pixels_of(&x->shape);
    double eps = call->op->params.norm.eps;
    for (size_t row = 0; row < (size_t)x->shape.dim[0] * channels; row++) {
        size_t c = row % channels;
        double scale = dv_at(&call->inputs[1], c) / sqrt(dv_at(&call->inputs[4], c) + eps);
        double mean = dv_at(&call->inputs[3], c), bias = dv_at(&call->inputs[2], c);
        for (size_t i = row * pixels; i < (row + 1) * pixels; i++)
            dv_put(out, i, (dv_at(x, i) - mean) * scale + bias);
    }
    return DV_OK;
}

const char *dv_check_batch_norm(const dv_kernel_call *call)
{
    const char *fault = dv_check_float_map(call);
    if (fault)
        return fault;
    if (call->inputs[0].shape.rank < 2)
        return "batch norm needs at least two dims";
    for (int i = 1; i < 5; i++)
        if (!dv_dtype_is_float(call->inputs[i].dtype) ||
            call->inputs[i].count != (size_t)call->inputs[0].shape.dim[1])
            return "batch norm's parameters need one float a channel";
    return NULL;
}

typedef struct moments {
    double mean, inverse_deviation;
} moments;

/* Of count elements from first, in two passes: the second around the mean, so that nothing
   cancels. */
static moments moments_of(const dv_operand *x, size_t first, size_t count, double eps)
{
    double sum = 0, squares = 0;
    for (size_t i = first; i < first + count; i++)
        sum += dv_at(x, i);
    double mean = sum / (double)count;
    for (size_t i = first; i < first + count; i++) {
        double away = dv_at(x, i) - mean;
        squares += away * away;
    }
    return (moments){mean, 1 / sqrt(squares / (double)count + eps)};
}

/* Elements of the last `axes` dims. */
static size_t tail_of(const dv_shape *shape, int64_t axes)
{
    size_t tail = 1;
    for (int64_t d = shape->rank - axes; d < shape->rank; d++)
        tail *= (size_t)shape->dim[d];
    return tail;
}

dv_status dv_kernel_layer_norm(const dv_kernel_call *call)
{
    const dv_operand *x = &call->inputs[0], *out = &call->outputs[0];
    size_t length = tail_of(&x->shape, call->op->params.norm.axes);
    for (size_t first = 0; first < x->count; first += length) {
        moments m = moments_of(x, first, length, call->op->params.norm.eps);
        for (size_t i = 0; i < length; i++) {
            double y = (dv_at(x, first + i) - m.mean) * m.inverse_deviation;
            dv_put(out, first + i,
                   y * at_or(&call->inputs[1], i, 1) + at_or(&call->inputs[2], i, 0));
        }
    }
    return DV_OK;
}

const char *dv_check_layer_norm(const dv_kernel_call *call)
{
    const char *fault = dv_check_float_map(call);
    int64_t axes = call->op->params.norm.axes;
    if (fault)
        return fault;
    if (axes < 1 || axes > call->inputs[0].shape.rank)
        return "layer norm needs between one dim and all of them";
    size_t length = tail_of(&call->inputs[0].shape, axes);
    if (!has(&call->inputs[1], length) || !has(&call->inputs[2], length))
        return "layer norm's weight and bias do not fit the normalised dims";
    return NULL;
}

dv_status dv_kernel_group_norm(const dv_kernel_call *call)
{
    const dv_operand *x = &call->inputs[0], *out = &call->outputs[0];
    size_t channels = (size_t)x->shape.dim[1], groups = (size_t)call->op->params.norm.groups;
    size_t pixels = pixels_of(&x->shape), length = channels / groups * pixels;
    if (x->count == 0)
        return DV_OK;
    for (size_t group = 0; group < x->count / length; group++) {
        moments m = moments_of(x, group * length, length, call->op->params.norm.eps);
        for (size_t i = group * length; i < (group + 1) * length; i++) {
            size_t c = i / pixels % channels;
            double y = (dv_at(x, i) - m.mean) * m.inverse_deviation;
            dv_put(out, i, y * at_or(&call->inputs[1], c, 1) + at_or(&call->inputs[2], c, 0));
        }
    }
    return DV_OK;
}

const char *dv_check_group_norm(const dv_kernel_call *call)
{
    const char *fault = dv_check_float_map(call);
    const dv_shape *shape = &call->inputs[0].shape;
    int64_t groups = call->op->params.norm.groups;
    if (fault)
        return fault;
    if (shape->rank < 2 || groups < 1 || shape->dim[1] % groups)
        return "the groups do not divide the channels";
    if (!has(&call->inputs[1], (size_t)shape->dim[1]) ||
        !has(&call->inputs[2], (size_t)shape->dim[1]))
        return "group norm's weight and bias need one element a channel";
    return NULL;
}

/* The window of channel c is [c - (size - 1) / 2, c + size / 2], as in ONNX. */
dv_status dv_kernel_lrn(const dv_kernel_call *call)
{
    const dv_operand *x = &call->inputs[0], *out = &call->outputs[0];
    const dv_lrn_params *p = &call->op->params.lrn;
    int64_t channels = x->shape.dim[1];
    size_t pixels = pixels_of(&x->shape), image = (size_t)channels * pixels;
    for (size_t i = 0; i < x->count; i++) {
        int64_t c = (int64_t)(i / pixels) % channels;
        size_t pixel = i / image * image + i % pixels;
        int64_t from = c - (p->size - 1) / 2, to = c + p->size / 2;
        double squares = 0;
        for (int64_t n = from < 0 ? 0 : from; n <= to && n < channels; n++) {
            double v = dv_at(x, pixel + (size_t)n * pixels);
            squares += v * v;
        }
        double scale = p->bias + p->alpha / (double)p->size * squares;
        dv_put(out, i, dv_at(x, i) / pow(scale, p->beta));
    }
    return DV_OK;
}

const char *dv_check_lrn(const dv_kernel_call *call)
{
    const char *fault = dv_check_float_map(call);
    if (fault)
        return fault;
    if (call->inputs[0].shape.rank < 2 || call->op->params.lrn.size < 1 ||
        call->op->params.lrn.size > INT32_MAX)
        return "local response norm needs channels and a positive size";
    return NULL;
}
