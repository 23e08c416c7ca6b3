/* aten_emit.c - what a call of ATen becomes: constants, operators in between, and the one that
   makes its result. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "load/aten_build.h"

dv_status dv_aten_opaque(dv_aten_at *at, const char *format, ...)
{
    char text[256];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    at->reason = dv_arena_copy(dv_graph_arena(at->graph), text);
    return at->reason ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory");
}

static dv_status add_part(dv_aten_at *at, const char *what, dv_tensor *tensor, dv_tensor_id *id)
{
    tensor->name = dv_arena_printf(dv_graph_arena(at->graph), "%s.%s", at->call->name, what);
    if (!tensor->name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    return dv_graph_add_tensor(at->graph, tensor, id);
}

dv_status dv_aten_scalar(dv_aten_at *at, dv_dtype dtype, double value, dv_tensor_id *id)
{
    /* Beside elements of a type that we do not hold; whatever reads both is refused in lowering. */
    bool held = dtype != DV_DTYPE_NONE && dtype != DV_DTYPE_STRING;
    dv_tensor tensor = {.dtype = held ? dtype : DV_DTYPE_F32,
                        .role = DV_ROLE_CONSTANT,
                        .data = {.storage = DV_STORAGE_FILL, .shift = value}};
    return add_part(at, "scalar", &tensor, id);
}

bool dv_aten_affords(const dv_aten_at *at, size_t bytes)
{
    enum { SMALL = 1 << 13, FREE = 1 << 24, TIMES_FILE = 4 };
    size_t made = bytes, file = 0;
    const dv_buffer *last = NULL;
    for (dv_tensor_id t = 0; bytes > SMALL && t < at->graph->tensor_count; t++) {
        const dv_buffer *buffer = at->graph->tensors[t].data.buffer;
        if (!buffer || buffer == last)
            continue;
        last = buffer;
        size_t size = dv_buffer_size(buffer);
        if (dv_buffer_is_mapped(buffer))
            file = size > file ? size : file;
        else if (!dv_add_size(made, size, &made))
            return false;
    }
    return made <= FREE || (made - FREE) / TIMES_FILE <= file;
}

dv_status dv_aten_list(dv_aten_at *at, const int64_t *values, size_t count, dv_tensor_id *id)
{
    dv_buffer *buffer = dv_buffer_create(count * sizeof *values + 1);
    if (!buffer)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    if (count)
        memcpy(dv_buffer_writable(buffer), values, count * sizeof *values);
    dv_tensor tensor = {.dtype = DV_DTYPE_I64,
                        .shape = {.rank = 1, .dim = {(int64_t)count}},
                        .role = DV_ROLE_CONSTANT,
                        .data = {.storage = DV_STORAGE_BUFFER, .buffer = buffer}};
    dv_status status = add_part(at, "list", &tensor, id);
    dv_buffer_release(buffer);
    return status;
}

static dv_status add_op(dv_aten_at *at, dv_op_kind kind, const dv_op_params *params,
                        const dv_tensor_id *inputs, uint32_t input_count,
                        const dv_tensor_id *outputs, uint32_t output_count)
{
    dv_op op = {.kind = kind,
                .name = at->call->name,
                .source_type = at->call->source_type,
                .debug_handle = at->call->debug_handle,
                .inputs = inputs,
                .input_count = input_count,
                .outputs = outputs,
                .output_count = output_count};
    dv_op_id id;
    if (params)
        op.params = *params;
    return dv_graph_add_op(at->graph, &op, &id);
}

static dv_dtype result_of(const dv_aten_at *at, dv_op_kind kind, const dv_op_params *params,
                          dv_tensor_id a)
{
    if (kind == DV_OP_CAST)
        return params->cast.dtype;
    if (kind >= DV_OP_EQ && kind <= DV_OP_LOGICAL_XOR)
        return DV_DTYPE_BOOL;
    if (kind == DV_OP_LOGICAL_NOT || kind == DV_OP_ISNAN || kind == DV_OP_ISINF)
        return DV_DTYPE_BOOL;
    if (kind == DV_OP_NONZERO)
        return DV_DTYPE_I64;
    return a == DV_NONE ? DV_DTYPE_F32 : dv_aten_dtype_of(at, a);
}

dv_status dv_aten_emit_all(dv_aten_at *at, dv_op_kind kind, const dv_op_params *params,
                           const dv_tensor_id *inputs, uint32_t count, dv_tensor_id *id)
{
    dv_tensor_id typed = count == 0 ? DV_NONE : inputs[kind == DV_OP_WHERE ? 1 : 0];
    dv_tensor part = {.dtype = result_of(at, kind, params, typed),
                      .shape = {.rank = DV_RANK_UNKNOWN},
                      .role = DV_ROLE_ACTIVATION};
    dv_tensor_id made;
    DV_TRY(add_part(at, "part", &part, &made));
    DV_TRY(add_op(at, kind, params, inputs, count, &made, 1));
    *id = made;
    return DV_OK;
}

dv_status dv_aten_emit(dv_aten_at *at, dv_op_kind kind, const dv_op_params *params, dv_tensor_id a,
                       dv_tensor_id b, dv_tensor_id *id)
{
    dv_tensor_id inputs[2] = {a, b};
    return dv_aten_emit_all(at, kind, params, inputs, a == DV_NONE ? 0 : b == DV_NONE ? 1 : 2, id);
}

dv_status dv_aten_cast(dv_aten_at *at, dv_dtype dtype, dv_tensor_id *id)
{
    dv_op_params params = {.cast = {.dtype = dtype}};
    if (dtype == DV_DTYPE_NONE || dv_aten_dtype_of(at, *id) == dtype)
        return DV_OK;
    return dv_aten_emit(at, DV_OP_CAST, &params, *id, DV_NONE, id);
}

dv_status dv_aten_finish_all(dv_aten_at *at, dv_op_kind kind, const dv_op_params *params,
                             const dv_tensor_id *inputs, uint32_t count)
{
    return add_op(at, kind, params, inputs, count, at->call->outputs, at->call->output_count);
}

dv_status dv_aten_finish_one(dv_aten_at *at, uint32_t i, dv_op_kind kind,
                             const dv_op_params *params, dv_tensor_id a, dv_tensor_id b)
{
    dv_tensor_id inputs[2] = {a, b};
    if (i >= at->call->output_count || at->call->outputs[i] == DV_NONE)
        return DV_OK;
    return add_op(at, kind, params, inputs,
                  a == DV_NONE   ? 0
                  : b == DV_NONE ? 1
                                 : 2,
                  &at->call->outputs[i], 1);
}

dv_status dv_aten_finish(dv_aten_at *at, dv_op_kind kind, const dv_op_params *params,
                         dv_tensor_id a, dv_tensor_id b, dv_tensor_id c)
{
    dv_tensor_id inputs[3] = {a, b, c};
    uint32_t count = c != DV_NONE ? 3 : b != DV_NONE ? 2 : a != DV_NONE ? 1 : 0;
    return dv_aten_finish_all(at, kind, params, inputs, count);
}

dv_status dv_aten_numbers(dv_aten_at *at, dv_dtype dtype, const dv_shape *shape,
                          const double *numbers, dv_tensor_id *id)
{
    size_t count, width = dtype == DV_DTYPE_F64 ? sizeof(double) : sizeof(float), bytes;
    if (!dv_shape_elements(shape, &count) || !dv_mul_size(count, width, &bytes))
        return dv_fail(DV_BAD_INPUT, "it makes more numbers than memory can hold");
    dv_buffer *buffer = dv_buffer_create(bytes + 1);
    if (!buffer)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    uint8_t *to = dv_buffer_writable(buffer);
    for (size_t i = 0; i < count; i++) {
        float narrow = (float)numbers[i];
        memcpy(to + i * width, width == sizeof narrow ? (const void *)&narrow : &numbers[i], width);
    }
    dv_tensor tensor = {.dtype = width == sizeof(float) ? DV_DTYPE_F32 : DV_DTYPE_F64,
                        .shape = *shape,
                        .role = DV_ROLE_CONSTANT,
                        .is_table = true,
                        .data = {.storage = DV_STORAGE_BUFFER, .buffer = buffer}};
    dv_status status = add_part(at, "numbers", &tensor, id);
    dv_buffer_release(buffer);
    return status;
}
