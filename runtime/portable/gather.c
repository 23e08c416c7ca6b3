/* gather.c - reads by index. Negative indices count from the end; one out of range is an error of
   the run, since only the data tells. */
#include <string.h>

#include "runtime/portable/kernel.h"

/* The i-th index, brought into [0, size); -1 if it is out of range. */
static int64_t index_at(const dv_operand *indices, size_t i, int64_t size)
{
    int64_t index = 0;
    dv_load_i64(indices, i, 1, 1, &index);
    if (index < 0 && index >= -size)
        index += size;
    return index >= 0 && index < size ? index : -1;
}

static dv_status out_of_range(const dv_kernel_call *call, size_t i, int64_t size)
{
    int64_t index = 0;
    dv_load_i64(&call->inputs[1], i, 1, 1, &index);
    return dv_fail(DV_BAD_INPUT, "'%s': index %lld is out of range of a dim of %lld",
                   call->op->name, (long long)index, (long long)size);
}

/* Replaces the axis by the indices: whole rows of what lies behind the axis are copied. */
static dv_status gather_rows(const dv_kernel_call *call, int64_t axis)
{
    const dv_operand *data = &call->inputs[0], *indices = &call->inputs[1];
    int64_t size = data->shape.dim[axis];
    size_t outer = 1, row = dv_dtype_bytes(data->dtype);
    for (int d = 0; d < axis; d++)
        outer *= (size_t)data->shape.dim[d];
    for (int d = (int)axis + 1; d < data->shape.rank; d++)
        row *= (size_t)data->shape.dim[d];
    char *to = call->outputs[0].data;
    if (call->outputs[0].count == 0)
        return DV_OK;
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < indices->count; i++, to += row) {
            int64_t index = index_at(indices, i, size);
            if (index < 0)
                return out_of_range(call, i, size);
            memcpy(to, (const char *)data->data + (o * (size_t)size + (size_t)index) * row, row);
        }
    return DV_OK;
}

static const char *check_indices(const dv_kernel_call *call)
{
    dv_dtype dtype = call->inputs[1].dtype;
    if (!dv_dtype_is_number(call->inputs[0].dtype) || !dv_same_dtype(call))
        return "input and output differ in type";
    if (dtype != DV_DTYPE_I64 && dtype != DV_DTYPE_I32)
        return "the indices must be i64 or i32";
    return NULL;
}

static const char *check_rows(const dv_kernel_call *call, int64_t axis)
{
    const dv_shape *data = &call->inputs[0].shape, *indices = &call->inputs[1].shape;
    const char *fault = check_indices(call);
    if (fault)
        return fault;
    if (axis < 0 || axis >= data->rank || data->rank + indices->rank - 1 > DV_MAX_RANK)
        return "the axis or the rank is out of range";
    dv_shape expected = {0};
    for (int d = 0; d < axis; d++)
        expected.dim[expected.rank++] = data->dim[d];
    for (int d = 0; d < indices->rank; d++)
        expected.dim[expected.rank++] = indices->dim[d];
    for (int d = (int)axis + 1; d < data->rank; d++)
        expected.dim[expected.rank++] = data->dim[d];
    return dv_shape_equal(&expected, &call->outputs[0].shape)
               ? NULL
               : "the output's shape does not follow from the indices";
}

dv_status dv_kernel_index_select(const dv_kernel_call *call)
{
    return gather_rows(call, call->op->params.axis.axis);
}

const char *dv_check_index_select(const dv_kernel_call *call)
{
    return check_rows(call, call->op->params.axis.axis);
}

dv_status dv_kernel_embedding(const dv_kernel_call *call)
{
    return gather_rows(call, 0);
}

const char *dv_check_embedding(const dv_kernel_call *call)
{
    return check_rows(call, 0);
}

/* out[i][j][k] = data[i][index[i][j][k]][k], for the axis 1. */
dv_status dv_kernel_gather(const dv_kernel_call *call)
{
    const dv_operand *data = &call->inputs[0], *indices = &call->inputs[1];
    int64_t axis = call->op->params.axis.axis, size = data->shape.dim[axis];
    size_t bytes = dv_dtype_bytes(data->dtype), at = 0;
    char *to = call->outputs[0].data;
    ptrdiff_t stride[1][DV_WALK_RANK];
    dv_strides(&data->shape, stride[0]);
    ptrdiff_t along = stride[0][axis];
    stride[0][axis] = 0; /* the walk gives where the other dims are; the index adds the axis */
    dv_walk walk;
    dv_walk_start(&walk, indices->shape.rank, indices->shape.dim, 1, stride);
    if (walk.empty)
        return DV_OK;
    do {
        for (size_t i = 0; i < walk.length; i++, at++, to += bytes) {
            int64_t index = index_at(indices, at, size);
            if (index < 0)
                return out_of_range(call, at, size);
            size_t from = dv_walk_index(&walk, 0, i) + (size_t)(index * along);
            memcpy(to, (const char *)data->data + from * bytes, bytes);
        }
    } while (dv_walk_next(&walk));
    return DV_OK;
}

const char *dv_check_gather(const dv_kernel_call *call)
{
    const dv_shape *data = &call->inputs[0].shape, *indices = &call->inputs[1].shape;
    int64_t axis = call->op->params.axis.axis;
    const char *fault = check_indices(call);
    if (fault)
        return fault;
    if (axis < 0 || axis >= data->rank || indices->rank != data->rank)
        return "the axis or the rank is out of range";
    for (int d = 0; d < data->rank; d++)
        if (d != axis && indices->dim[d] > data->dim[d])
            return "the indices are larger than the data";
    return dv_shape_equal(indices, &call->outputs[0].shape)
               ? NULL
               : "the output does not have the indices' shape";
}

/* Slices by tuples of indices, behind `axis` dims that data and indices share. */
dv_status dv_kernel_gather_nd(const dv_kernel_call *call)
{
    const dv_operand *data = &call->inputs[0], *indices = &call->inputs[1];
    size_t batch_dims = (size_t)call->op->params.axis.axis, batch = 1, whole = 1;
    size_t depth = (size_t)indices->shape.dim[indices->shape.rank - 1];
    size_t slice = dv_dtype_bytes(data->dtype);
    char *to = call->outputs[0].data;
    if (call->outputs[0].count == 0)
        return DV_OK;
    for (size_t d = 0; d < data->shape.rank; d++)
        if (d < batch_dims)
            batch *= (size_t)data->shape.dim[d];
        else
            whole *= (size_t)data->shape.dim[d];
    for (size_t d = batch_dims + depth; d < data->shape.rank; d++)
        slice *= (size_t)data->shape.dim[d];
    size_t tuples = call->outputs[0].count * dv_dtype_bytes(data->dtype) / slice;
    for (size_t i = 0; i < tuples; i++, to += slice) {
        const char *image =
            (const char *)data->data + i / (tuples / batch) * whole * dv_dtype_bytes(data->dtype);
        size_t from = 0;
        for (size_t d = 0; d < depth; d++) {
            int64_t size = data->shape.dim[batch_dims + d];
            int64_t index = index_at(indices, i * depth + d, size);
            if (index < 0)
                return out_of_range(call, i * depth + d, size);
            from = from * (size_t)size + (size_t)index;
        }
        memcpy(to, image + from * slice, slice);
    }
    return DV_OK;
}

const char *dv_check_gather_nd(const dv_kernel_call *call)
{
    const dv_shape *data = &call->inputs[0].shape, *indices = &call->inputs[1].shape;
    int64_t batch_dims = call->op->params.axis.axis;
    const char *fault = check_indices(call);
    if (fault)
        return fault;
    if (indices->rank < 1 || batch_dims < 0 || batch_dims >= indices->rank ||
        batch_dims + indices->dim[indices->rank - 1] > data->rank)
        return "the indices have more numbers than the data has dims";
    dv_shape expected = *indices;
    int64_t depth = expected.dim[--expected.rank];
    if (expected.rank + data->rank - batch_dims - depth > DV_MAX_RANK)
        return "the output has too many dims";
    for (int64_t d = 0; d < batch_dims; d++)
        if (data->dim[d] != indices->dim[d])
            return "data and indices differ in their batch dims";
    for (int64_t d = batch_dims + depth; d < data->rank; d++)
        expected.dim[expected.rank++] = data->dim[d];
    return dv_shape_equal(&expected, &call->outputs[0].shape)
               ? NULL
               : "the output's shape does not follow from the indices";
}
