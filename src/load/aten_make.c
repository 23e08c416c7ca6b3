/* aten_make.c - what makes tensors of numbers: full, zeros, arange and their like. */
#include <math.h>
#include <string.h>

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

/* Numbers from start to end, counted from the nearer of both as torch does. */
dv_status dv_aten_read_linspace(dv_aten_at *at)
{
    enum { MOST = 1 << 20 };
    double start, end;
    int64_t steps;
    DV_TRY(dv_aten_real(at, 0, &start));
    DV_TRY(dv_aten_real(at, 1, &end));
    DV_TRY(dv_aten_int(at, 2, &steps));
    if (dv_aten_made_dtype(at, DV_DTYPE_F32) != DV_DTYPE_F32 || steps < 1 || steps > MOST ||
        !dv_aten_affords(at, (size_t)steps * sizeof(float)))
        return dv_aten_opaque(at, "%lld numbers of this type are not supported", (long long)steps);
    dv_buffer *buffer = dv_buffer_create((size_t)steps * sizeof(float));
    if (!buffer)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    float *numbers = (float *)dv_buffer_writable(buffer);
    double step = steps > 1 ? (end - start) / (double)(steps - 1) : 0;
    for (int64_t i = 0; i < steps; i++)
        numbers[i] = (float)(i < steps / 2 || steps == 1 ? start + step * (double)i
                                                         : end - step * (double)(steps - 1 - i));
    dv_tensor tensor = {.name = "linspace",
                        .dtype = DV_DTYPE_F32,
                        .shape = {1, {steps}},
                        .role = DV_ROLE_CONSTANT,
                        .data = {.storage = DV_STORAGE_BUFFER, .buffer = buffer}};
    dv_tensor_id id;
    dv_status status = dv_graph_add_tensor(at->graph, &tensor, &id);
    dv_buffer_release(buffer);
    return status == DV_OK ? dv_aten_finish(at, DV_OP_IDENTITY, NULL, id, DV_NONE, DV_NONE)
                           : status;
}

/* Each of a list of vectors along a dim of its own, repeated over the others'. "xy" swaps the first
   two dims. */
dv_status dv_aten_read_meshgrid(dv_aten_at *at)
{
    const dv_aten_value *list = &at->args[0];
    bool swapped =
        at->args[1].type == DV_ATEN_TEXT && at->args[1].text && strcmp(at->args[1].text, "xy") == 0;
    dv_op_params wide = {0};
    if (list->type != DV_ATEN_TENSORS || list->count == 0 || list->count > DV_MAX_RANK ||
        list->count != at->call->output_count)
        return dv_fail(DV_BAD_INPUT, "it does not give a grid for each of its vectors");
    wide.view.shape.rank = (uint8_t)list->count;
    for (uint8_t i = 0; i < list->count; i++) {
        const dv_shape *own =
            list->tensors[i] == DV_NONE ? NULL : dv_aten_shape_of(at, list->tensors[i]);
        if (!own || !dv_shape_known(own) || own->rank > 1)
            return dv_aten_opaque(at, "an input is no vector of known length");
        uint8_t place = swapped && list->count > 1 && i < 2 ? (uint8_t)(1 - i) : i;
        wide.view.shape.dim[place] = own->rank ? own->dim[0] : 1;
    }
    for (uint8_t i = 0; i < list->count; i++) {
        uint8_t place = swapped && list->count > 1 && i < 2 ? (uint8_t)(1 - i) : i;
        dv_op_params line = {.view = {.shape = {.rank = (uint8_t)list->count}}};
        dv_tensor_id id = list->tensors[i];
        for (uint8_t d = 0; d < list->count; d++)
            line.view.shape.dim[d] = d == place ? wide.view.shape.dim[d] : 1;
        DV_TRY(dv_aten_emit(at, DV_OP_VIEW, &line, id, DV_NONE, &id));
        DV_TRY(dv_aten_finish_one(at, i, DV_OP_EXPAND, &wide, id, DV_NONE));
    }
    return DV_OK;
}
