/* scatter.c - writes by index into a copy of the data. Negative indices count from the end; one out
   of range is an error of the run. */
#include <string.h>

#include "runtime/portable/kernel.h"

static dv_status index_at(const dv_kernel_call *call, size_t i, int64_t size, size_t *out)
{
    int64_t given = 0, index;
    dv_load_i64(&call->inputs[1], i, 1, 1, &given);
    index = given < 0 && given >= -size ? given + size : given;
    if (index < 0 || index >= size)
        return dv_fail(DV_BAD_INPUT, "'%s': index %lld is out of range of a dim of %lld",
                       call->op->name, (long long)given, (long long)size);
    *out = (size_t)index;
    return DV_OK;
}

static double combine(dv_scatter_mode mode, double a, double b)
{
    switch (mode) {
    case DV_SCATTER_ADD:
        return a + b;
    case DV_SCATTER_MUL:
        return a * b;
    case DV_SCATTER_MAX:
        return b > a ? b : a;
    case DV_SCATTER_MIN:
        return b < a ? b : a;
    case DV_SCATTER_SET:
        break;
    }
    return b;
}

static int64_t combine_integers(dv_scatter_mode mode, int64_t a, int64_t b)
{
    switch (mode) {
    case DV_SCATTER_ADD:
        return (int64_t)((uint64_t)a + (uint64_t)b);
    case DV_SCATTER_MUL:
        return (int64_t)((uint64_t)a * (uint64_t)b);
    case DV_SCATTER_MAX:
        return b > a ? b : a;
    case DV_SCATTER_MIN:
        return b < a ? b : a;
    case DV_SCATTER_SET:
        break;
    }
    return b;
}

/* count updates from `from` meet the output's elements from `to` on. */
static void update(const dv_kernel_call *call, size_t to, size_t from, size_t count)
{
    const dv_operand *out = &call->outputs[0], *updates = &call->inputs[2];
    dv_scatter_mode mode = call->op->params.scatter.mode;
    size_t size = dv_dtype_bytes(out->dtype);
    if (mode == DV_SCATTER_SET) {
        memcpy((char *)out->data + to * size, (const char *)updates->data + from * size,
               count * size);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (dv_dtype_is_float(out->dtype)) {
            dv_put(out, to + i, combine(mode, dv_at(out, to + i), dv_at(updates, from + i)));
            continue;
        }
        int64_t a = 0, b = 0;
        dv_load_i64(out, to + i, 1, 1, &a);
        dv_load_i64(updates, from + i, 1, 1, &b);
        a = combine_integers(mode, a, b);
        dv_store_i64(out, to + i, 1, 1, &a);
    }
}

static void copy_data(const dv_kernel_call *call)
{
    const dv_operand *data = &call->inputs[0];
    if (data->count > 0 && call->outputs[0].data != data->data) /* else written in place */
        memcpy(call->outputs[0].data, data->data, data->count * dv_dtype_bytes(data->dtype));
}

/* out[i][index[i][j]] = updates[i][j], for the axis 1. */
dv_status dv_kernel_scatter(const dv_kernel_call *call)
{
    const dv_shape *data = &call->inputs[0].shape, *indices = &call->inputs[1].shape;
    int64_t axis = call->op->params.scatter.axis;
    ptrdiff_t stride[1][DV_WALK_RANK];
    dv_strides(data, stride[0]);
    ptrdiff_t along = stride[0][axis];
    stride[0][axis] = 0; /* the walk gives where the other dims are; the index adds the axis */
    dv_walk walk;
    size_t at = 0, index;
    copy_data(call);
    dv_walk_start(&walk, indices->rank, indices->dim, 1, stride);
    if (walk.empty)
        return DV_OK;
    do {
        for (size_t i = 0; i < walk.length; i++, at++) {
            DV_TRY(index_at(call, at, data->dim[axis], &index));
            update(call, dv_walk_index(&walk, 0, i) + index * (size_t)along, at, 1);
        }
    } while (dv_walk_next(&walk));
    return DV_OK;
}

dv_status dv_kernel_scatter_nd(const dv_kernel_call *call)
{
    const dv_operand *data = &call->inputs[0], *indices = &call->inputs[1];
    size_t depth = (size_t)indices->shape.dim[indices->shape.rank - 1], slice = 1, index;
    copy_data(call);
    for (size_t d = depth; d < data->shape.rank; d++)
        slice *= (size_t)data->shape.dim[d];
    size_t tuples = slice ? call->inputs[2].count / slice : 0;
    for (size_t i = 0; i < tuples; i++) {
        size_t to = 0;
        for (size_t d = 0; d < depth; d++) {
            DV_TRY(index_at(call, i * depth + d, data->shape.dim[d], &index));
            to = to * (size_t)data->shape.dim[d] + index;
        }
        update(call, to * slice, i * slice, slice);
    }
    return DV_OK;
}

static const char *check_operands(const dv_kernel_call *call)
{
    dv_dtype index = call->inputs[1].dtype, dtype = call->inputs[0].dtype;
    if (!dv_dtype_is_number(dtype) || !dv_same_dtype(call) || call->inputs[2].dtype != dtype)
        return "data, updates and output differ in type";
    if (index != DV_DTYPE_I64 && index != DV_DTYPE_I32)
        return "the indices must be i64 or i32";
    if ((unsigned)call->op->params.scatter.mode > DV_SCATTER_MIN)
        return "the mode is not known";
    return dv_shape_equal(&call->inputs[0].shape, &call->outputs[0].shape)
               ? NULL
               : "data and output differ in shape";
}

const char *dv_check_scatter(const dv_kernel_call *call)
{
    const dv_shape *data = &call->inputs[0].shape, *indices = &call->inputs[1].shape;
    int64_t axis = call->op->params.scatter.axis;
    const char *fault = check_operands(call);
    if (fault)
        return fault;
    if (axis < 0 || axis >= data->rank || indices->rank != data->rank ||
        !dv_shape_equal(indices, &call->inputs[2].shape))
        return "the axis is out of range or the indices do not match the updates";
    for (int d = 0; d < data->rank; d++)
        if (d != axis && indices->dim[d] > data->dim[d])
            return "the indices are larger than the data";
    return NULL;
}

const char *dv_check_scatter_nd(const dv_kernel_call *call)
{
    const dv_shape *data = &call->inputs[0].shape, *indices = &call->inputs[1].shape;
    const char *fault = check_operands(call);
    if (fault)
        return fault;
    if (indices->rank < 1 || indices->dim[indices->rank - 1] > data->rank)
        return "the indices have more numbers than the data has dims";
    dv_shape expected = *indices;
    int64_t depth = expected.dim[--expected.rank];
    if (expected.rank + data->rank - depth > DV_MAX_RANK)
        return "the updates have too many dims";
    for (int64_t d = depth; d < data->rank; d++)
        expected.dim[expected.rank++] = data->dim[d];
    return dv_shape_equal(&expected, &call->inputs[2].shape)
               ? NULL
               : "the updates do not match the indices";
}
