/* reverse.c - the beginning of every sequence of a batch, back to front. */
#include <string.h>

#include "runtime/portable/kernel.h"

dv_status dv_kernel_reverse_sequence(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0], *lengths = &call->inputs[1];
    const dv_reverse_params *p = &call->op->params.reverse;
    size_t bytes = dv_dtype_bytes(in->dtype);
    ptrdiff_t stride[DV_WALK_RANK];
    dv_strides(&in->shape, stride);
    size_t along = (size_t)stride[p->axis], across = (size_t)stride[p->batch];
    size_t steps = (size_t)in->shape.dim[p->axis], batch = (size_t)in->shape.dim[p->batch];
    for (size_t i = 0; i < in->count; i++) {
        size_t step = i / along % steps, from = i;
        int64_t length = 0;
        dv_load_i64(lengths, i / across % batch, 1, 1, &length);
        if (length < 0 || length > (int64_t)steps)
            return dv_fail(DV_BAD_INPUT, "'%s': a length of %lld in sequences of %zu",
                           call->op->name, (long long)length, steps);
        if (step < (size_t)length)
            from = i - step * along + ((size_t)length - 1 - step) * along;
        memcpy((char *)call->outputs[0].data + i * bytes, (const char *)in->data + from * bytes,
               bytes);
    }
    return DV_OK;
}

const char *dv_check_reverse_sequence(const dv_kernel_call *call)
{
    const dv_reverse_params *p = &call->op->params.reverse;
    const dv_shape *x = &call->inputs[0].shape, *lengths = &call->inputs[1].shape;
    dv_dtype dtype = call->inputs[1].dtype;
    if (dtype != DV_DTYPE_I64 && dtype != DV_DTYPE_I32)
        return "the lengths must be i64 or i32";
    if (p->axis < 0 || p->batch < 0 || p->axis >= x->rank || p->batch >= x->rank ||
        p->axis == p->batch || lengths->rank != 1 || lengths->dim[0] != x->dim[p->batch])
        return "the sequences and their lengths do not fit";
    return dv_check_map(call);
}
