/* rules.c - the checks that many kernels share. */
#include "runtime/portable/kernel.h"

bool dv_dtype_is_number(dv_dtype dtype)
{
    return dtype != DV_DTYPE_NONE && dtype != DV_DTYPE_STRING;
}

bool dv_all_f32(const dv_kernel_call *call)
{
    for (uint32_t i = 0; i < call->input_count; i++)
        if (dv_given(&call->inputs[i]) && call->inputs[i].dtype != DV_DTYPE_F32)
            return false;
    return call->outputs[0].dtype == DV_DTYPE_F32;
}

bool dv_same_dtype(const dv_kernel_call *call)
{
    for (uint32_t i = 0; i < call->output_count; i++)
        if (dv_given(&call->outputs[i]) && call->outputs[i].dtype != call->inputs[0].dtype)
            return false;
    return true;
}

static const char *check_same_shape(const dv_kernel_call *call)
{
    return dv_shape_equal(&call->inputs[0].shape, &call->outputs[0].shape)
               ? NULL
               : "input and output differ in shape";
}

const char *dv_check_map(const dv_kernel_call *call)
{
    if (!dv_dtype_is_number(call->inputs[0].dtype) || !dv_same_dtype(call))
        return "input and output must be numbers of one type";
    return check_same_shape(call);
}

const char *dv_check_float_map(const dv_kernel_call *call)
{
    if (!dv_dtype_is_float(call->inputs[0].dtype) || !dv_same_dtype(call))
        return "input and output must be floats of one type";
    return check_same_shape(call);
}

const char *dv_check_integer_map(const dv_kernel_call *call)
{
    if (dv_dtype_is_float(call->inputs[0].dtype))
        return "input and output must be integers of one type";
    return dv_check_map(call);
}

const char *dv_check_to_bool(const dv_kernel_call *call)
{
    if (!dv_dtype_is_number(call->inputs[0].dtype) || call->outputs[0].dtype != DV_DTYPE_BOOL)
        return "a number goes in, a bool comes out";
    return check_same_shape(call);
}

static const char *check_broadcast(const dv_kernel_call *call)
{
    dv_shape shape;
    if (!dv_shape_broadcast(&call->inputs[0].shape, &call->inputs[1].shape, &shape) ||
        !dv_shape_equal(&shape, &call->outputs[0].shape))
        return "the operands do not broadcast to the output's shape";
    return NULL;
}

const char *dv_check_arithmetic(const dv_kernel_call *call)
{
    dv_dtype dtype = call->inputs[0].dtype;
    if (!dv_dtype_is_number(dtype) || call->inputs[1].dtype != dtype || !dv_same_dtype(call))
        return "operands and result must be numbers of one type";
    return check_broadcast(call);
}

const char *dv_check_bitwise(const dv_kernel_call *call)
{
    if (dv_dtype_is_float(call->inputs[0].dtype))
        return "operands and result must be integers of one type";
    return dv_check_arithmetic(call);
}

const char *dv_check_power(const dv_kernel_call *call)
{
    if (!dv_dtype_is_number(call->inputs[0].dtype) || !dv_dtype_is_number(call->inputs[1].dtype) ||
        !dv_same_dtype(call))
        return "operands must be numbers, the result of the base's type";
    return check_broadcast(call);
}

const char *dv_check_compare(const dv_kernel_call *call)
{
    dv_dtype dtype = call->inputs[0].dtype;
    if (!dv_dtype_is_number(dtype) || call->inputs[1].dtype != dtype)
        return "operands must be numbers of one type";
    if (call->outputs[0].dtype != DV_DTYPE_BOOL)
        return "the result must be bool";
    return check_broadcast(call);
}

const char *dv_check_where(const dv_kernel_call *call)
{
    dv_shape choice, all;
    dv_dtype dtype = call->inputs[1].dtype;
    if (call->inputs[0].dtype != DV_DTYPE_BOOL || !dv_dtype_is_number(dtype) ||
        call->inputs[2].dtype != dtype || call->outputs[0].dtype != dtype)
        return "where takes a bool and two operands of the result's type";
    if (!dv_shape_broadcast(&call->inputs[1].shape, &call->inputs[2].shape, &choice) ||
        !dv_shape_broadcast(&call->inputs[0].shape, &choice, &all) ||
        !dv_shape_equal(&all, &call->outputs[0].shape))
        return "the operands do not broadcast to the output's shape";
    return NULL;
}

const char *dv_check_same_elements(const dv_kernel_call *call)
{
    if (!dv_dtype_is_number(call->inputs[0].dtype) || !dv_same_dtype(call))
        return "input and output differ in type";
    return call->inputs[0].count == call->outputs[0].count
               ? NULL
               : "input and output differ in their number of elements";
}
