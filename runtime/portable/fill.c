/* fill.c - conversion between types, and constant tensors. */
#include <string.h>

#include "runtime/portable/kernel.h"

dv_status dv_kernel_cast(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    /* Integers go by int64: double would lose the low bits, and would hold where C wraps. */
    bool integers = !dv_dtype_is_float(in->dtype) && !dv_dtype_is_float(out->dtype);
    double floats[DV_BLOCK];
    int64_t whole[DV_BLOCK];
    for (size_t first = 0; first < in->count; first += DV_BLOCK) {
        size_t count = in->count - first < DV_BLOCK ? in->count - first : DV_BLOCK;
        if (integers) {
            dv_load_i64(in, first, 1, count, whole);
            dv_store_i64(out, first, 1, count, whole);
        } else {
            dv_load_f64(in, first, 1, count, floats);
            dv_store_f64(out, first, 1, count, floats);
        }
    }
    return DV_OK;
}

const char *dv_check_cast(const dv_kernel_call *call)
{
    if (!dv_dtype_is_number(call->inputs[0].dtype) || !dv_dtype_is_number(call->outputs[0].dtype))
        return "only numbers can be converted";
    if (call->op->params.cast.dtype != call->outputs[0].dtype)
        return "the output's type is not the one asked for";
    return dv_shape_equal(&call->inputs[0].shape, &call->outputs[0].shape)
               ? NULL
               : "input and output differ in shape";
}

dv_status dv_kernel_full(const dv_kernel_call *call)
{
    for (size_t i = 0; i < call->outputs[0].count; i++)
        dv_put(&call->outputs[0], i, call->op->params.full.value);
    return DV_OK;
}

const char *dv_check_full(const dv_kernel_call *call)
{
    if (call->input_count > 0)
        return "the operator is not in core form";
    return dv_dtype_is_number(call->outputs[0].dtype) ? NULL : "only numbers can be filled in";
}
