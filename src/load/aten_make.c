/* aten_make.c - what makes tensors of numbers: full, zeros, arange and their like. */
#include <math.h>

#include "load/aten_build.h"

dv_dtype dv_aten_made_dtype(const dv_aten_at *at, dv_dtype absent)
{
    dv_tensor_id out = at->call->outputs[0];
    dv_dtype dtype = out == DV_NONE ? DV_DTYPE_NONE : dv_aten_dtype_of(at, out);
    return dtype == DV_DTYPE_NONE ? absent : dtype;
}

static dv_status finish_full(dv_aten_at *at, const dv_shape *shape, double value)
{
    dv_op_params params = {
        .full = {.shape = *shape, .dtype = dv_aten_made_dtype(at, DV_DTYPE_F32), .value = value}};
    if (!dv_shape_known(shape))
        return dv_aten_opaque(at, "the shape of what it makes is not known");
    return dv_aten_finish(at, DV_OP_FULL, &params, DV_NONE, DV_NONE, DV_NONE);
}

static dv_status full_of_sizes(dv_aten_at *at, uint32_t sizes_at, double value)
{
    dv_shape shape = {0};
    size_t count;
    DV_TRY(dv_aten_ints(at, sizes_at, shape.dim, DV_MAX_RANK, &count));
    shape.rank = (uint8_t)count;
    return finish_full(at, &shape, value);
}

static dv_status full_like(dv_aten_at *at, double value)
{
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    return finish_full(at, dv_aten_shape_of(at, a), value);
}

dv_status dv_aten_read_full(dv_aten_at *at)
{
    double value;
    DV_TRY(dv_aten_real(at, 1, &value));
    return full_of_sizes(at, 0, value);
}

dv_status dv_aten_read_full_like(dv_aten_at *at)
{
    double value;
    DV_TRY(dv_aten_real(at, 1, &value));
    return full_like(at, value);
}

dv_status dv_aten_read_new_full(dv_aten_at *at)
{
    double value;
    DV_TRY(dv_aten_real(at, 2, &value));
    return full_of_sizes(at, 1, value);
}

dv_status dv_aten_read_zeros(dv_aten_at *at)
{
    return full_of_sizes(at, 0, 0);
}

dv_status dv_aten_read_ones(dv_aten_at *at)
{
    return full_of_sizes(at, 0, 1);
}

dv_status dv_aten_read_zeros_like(dv_aten_at *at)
{
    return full_like(at, 0);
}

dv_status dv_aten_read_ones_like(dv_aten_at *at)
{
    return full_like(at, 1);
}

dv_status dv_aten_read_new_zeros(dv_aten_at *at)
{
    return full_of_sizes(at, 1, 0);
}

dv_status dv_aten_read_new_ones(dv_aten_at *at)
{
    return full_of_sizes(at, 1, 1);
}

dv_status dv_aten_read_scalar_tensor(dv_aten_at *at)
{
    double value;
    DV_TRY(dv_aten_real(at, 0, &value));
    return finish_full(at, &(dv_shape){0}, value);
}

static dv_status finish_arange(dv_aten_at *at, double start, double end, double step)
{
    bool whole = start == rint(start) && end == rint(end) && step == rint(step);
    dv_dtype dtype = dv_aten_made_dtype(at, whole ? DV_DTYPE_I64 : DV_DTYPE_F32);
    dv_tensor_id inputs[3];
    DV_TRY(dv_aten_scalar(at, dtype, start, &inputs[0]));
    DV_TRY(dv_aten_scalar(at, dtype, end, &inputs[1]));
    DV_TRY(dv_aten_scalar(at, dtype, step, &inputs[2]));
    return dv_aten_finish_all(at, DV_OP_ARANGE, NULL, inputs, 3);
}

dv_status dv_aten_read_arange_end(dv_aten_at *at)
{
    double end;
    DV_TRY(dv_aten_real(at, 0, &end));
    return finish_arange(at, 0, end, 1);
}

dv_status dv_aten_read_arange_start(dv_aten_at *at)
{
    double start, end;
    DV_TRY(dv_aten_real(at, 0, &start));
    DV_TRY(dv_aten_real(at, 1, &end));
    return finish_arange(at, start, end, 1);
}

dv_status dv_aten_read_arange_step(dv_aten_at *at)
{
    double start, end, step;
    DV_TRY(dv_aten_real(at, 0, &start));
    DV_TRY(dv_aten_real(at, 1, &end));
    DV_TRY(dv_aten_real(at, 2, &step));
    return finish_arange(at, start, end, step);
}
