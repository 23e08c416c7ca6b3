/* pad.c - padding with a constant, by reflection, by the edge or by the other end; negative pads
 * crop. */
#include <string.h>

#include "runtime/portable/kernel.h"

/* The input coordinate that an output coordinate shows, or -1: padding. Reflection goes back and
   forth as often as it takes. */
static int64_t source(dv_pad_mode mode, int64_t at, int64_t size)
{
    if (at >= 0 && at < size)
        return at;
    if (mode == DV_PAD_CONSTANT)
        return -1;
    if (mode == DV_PAD_EDGE || size == 1)
        return at < 0 ? 0 : size - 1;
    if (mode == DV_PAD_WRAP)
        return (at % size + size) % size;
    int64_t period = 2 * (size - 1), within = at % period;
    if (within < 0)
        within += period;
    return within < size ? within : period - within;
}

/* The index of the row of the input that an outer index of the output shows, or -1. */
static ptrdiff_t source_row(const dv_kernel_call *call, const int64_t *index)
{
    const dv_shape *in = &call->inputs[0].shape;
    const dv_pad_params *p = &call->op->params.pad;
    ptrdiff_t row = 0;
    for (int d = 0; d + 1 < in->rank; d++) {
        int64_t at = source(p->mode, index[d] - p->begin[d], in->dim[d]);
        if (at < 0)
            return -1;
        row = row * (ptrdiff_t)in->dim[d] + (ptrdiff_t)at;
    }
    return row;
}

static void step(const dv_shape *shape, int64_t *index)
{
    for (int d = shape->rank - 2; d >= 0; d--) {
        if (++index[d] < shape->dim[d])
            return;
        index[d] = 0;
    }
}

dv_status dv_kernel_pad(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    const dv_pad_params *p = &call->op->params.pad;
    size_t size = dv_dtype_bytes(in->dtype);
    int last = in->shape.rank - 1;
    int64_t index[DV_MAX_RANK] = {0}, width = last < 0 ? 1 : in->shape.dim[last];
    int64_t out_width = last < 0 ? 1 : out->shape.dim[last], before = last < 0 ? 0 : p->begin[last];
    uint64_t value = 0;
    dv_put(&(dv_operand){.dtype = in->dtype, .data = &value}, 0, p->value);
    char *to = out->data;
    for (size_t at = 0; at < out->count; at += (size_t)out_width, step(&out->shape, index)) {
        ptrdiff_t row = source_row(call, index);
        for (int64_t x = 0; x < out_width; x++, to += size) {
            int64_t column = row < 0 ? -1 : source(p->mode, x - before, width);
            ptrdiff_t element = row * (ptrdiff_t)width + (ptrdiff_t)column;
            memcpy(to,
                   column < 0 ? (const char *)&value
                              : (const char *)in->data + element * (ptrdiff_t)size,
                   size);
        }
    }
    return DV_OK;
}

const char *dv_check_pad(const dv_kernel_call *call)
{
    const dv_pad_params *p = &call->op->params.pad;
    const dv_shape *in = &call->inputs[0].shape, *out = &call->outputs[0].shape;
    if (!dv_dtype_is_number(call->inputs[0].dtype) || !dv_same_dtype(call))
        return "input and output differ in type";
    if (p->rank != in->rank || out->rank != in->rank)
        return "there must be one pair of pads for each dim";
    for (int d = 0; d < in->rank; d++) {
        int64_t padded;
        if (__builtin_add_overflow(in->dim[d], p->begin[d], &padded) ||
            __builtin_add_overflow(padded, p->end[d], &padded) || padded != out->dim[d])
            return "the output's shape does not follow from the pads";
        if (p->mode != DV_PAD_CONSTANT && in->dim[d] == 0 && out->dim[d] > 0)
            return "there is nothing to reflect";
    }
    return NULL;
}
