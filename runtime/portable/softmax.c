/* softmax.c - softmax and its logarithm along one axis.

   The largest element is subtracted first, so that no exponential overflows. */
#include <math.h>

#include "runtime/portable/kernel.h"

/* One line of `length` elements, `step` apart. */
static void softmax_line(const dv_operand *in, const dv_operand *out, size_t first, size_t length,
                         size_t step, bool logarithm, bool guarded)
{
    double most = -INFINITY, sum = 0;
    for (size_t i = 0; i < length; i++) {
        double x = dv_at(in, first + i * step);
        if (isnan(x) || x > most)
            most = x;
    }
    for (size_t i = 0; i < length; i++)
        sum += exp(dv_at(in, first + i * step) - most);
    double log_sum = log(sum);
    for (size_t i = 0; i < length; i++) {
        double x = dv_at(in, first + i * step) - most;
        double y = logarithm ? x - log_sum : exp(x) / sum;
        dv_put(out, first + i * step, guarded && isnan(y) ? 0 : y);
    }
}

static dv_status softmax(const dv_kernel_call *call, bool logarithm)
{
    const dv_operand *in = &call->inputs[0];
    int64_t axis = call->op->params.axis.axis;
    size_t length = (size_t)in->shape.dim[axis], inner = 1;
    for (int d = (int)axis + 1; d < in->shape.rank; d++)
        inner *= (size_t)in->shape.dim[d];
    for (size_t line = 0; in->count && line < in->count / length; line++)
        softmax_line(in, &call->outputs[0], line / inner * length * inner + line % inner, length,
                     inner, logarithm, call->op->params.axis.guarded);
    return DV_OK;
}

dv_status dv_kernel_softmax(const dv_kernel_call *call)
{
    return softmax(call, false);
}

dv_status dv_kernel_log_softmax(const dv_kernel_call *call)
{
    return softmax(call, true);
}

const char *dv_check_softmax(const dv_kernel_call *call)
{
    const char *fault = dv_check_float_map(call);
    const dv_axis_params *p = &call->op->params.axis;
    if (fault)
        return fault;
    if (p->flatten_2d)
        return "the softmax is not in core form";
    if (p->axis < 0 || p->axis >= call->inputs[0].shape.rank)
        return "the axis is out of range";
    return NULL;
}
