/* tflite_ops.c - what the readers of TFLite's operators are made of. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "load/tflite_build.h"

dv_status dv_tfl_opaque(dv_tfl_at *at, const char *format, ...)
{
    char reason[512];
    va_list list;
    va_start(list, format);
    vsnprintf(reason, sizeof reason, format, list);
    va_end(list);
    at->opaque = true;
    at->like.reason = dv_arena_copy(at->b->arena, reason);
    return at->like.reason ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory");
}

/* ---- inputs and outputs ---- */

bool dv_tfl_given(const dv_tfl_at *at, uint32_t i)
{
    return i < at->inputs.count && dv_fb_i32_at(&at->inputs, i) >= 0;
}

uint32_t dv_tfl_slot_of(const dv_tfl_at *at, uint32_t i)
{
    return (uint32_t)dv_fb_i32_at(&at->inputs, i); /* checked before any reader runs */
}

dv_status dv_tfl_input(const dv_tfl_at *at, uint32_t i, dv_tfl_tensor *out)
{
    return dv_tfl_tensor_at(at->b, dv_fb_i32_at(&at->inputs, i), out);
}

dv_status dv_tfl_output(const dv_tfl_at *at, uint32_t i, dv_tfl_tensor *out)
{
    return dv_tfl_tensor_at(at->b, dv_fb_i32_at(&at->outputs, i), out);
}

dv_status dv_tfl_plain_input(const dv_tfl_at *at, uint32_t i, dv_tensor_id *id)
{
    return dv_tfl_plain(at->b, dv_tfl_slot_of(at, i), id);
}

dv_status dv_tfl_planar_input(const dv_tfl_at *at, uint32_t i, dv_tensor_id *id)
{
    return dv_tfl_planar(at->b, dv_tfl_slot_of(at, i), id);
}

bool dv_tfl_prefers_planar(const dv_tfl_at *at, uint32_t i)
{
    const dv_tfl_slot *slot = &at->b->scope->slots[dv_tfl_slot_of(at, i)];
    bool planar = slot->planar != DV_NONE || slot->integers[1] != DV_NONE;
    bool plain = slot->plain != DV_NONE || slot->integers[0] != DV_NONE;
    return slot->constant == DV_NONE && planar && !plain;
}

/* The integers of input i if they follow from shapes and constants by the rules of lowering. */
static dv_status ints_that_follow(const dv_tfl_at *at, uint32_t i, size_t most, int64_t *out,
                                  int *count)
{
    dv_tfl_builder *b = at->b;
    const dv_tensor *is;
    dv_tfl_tensor tensor;
    dv_tensor_id id;
    size_t elements;
    DV_TRY(dv_tfl_input(at, i, &tensor));
    dv_dtype dtype = dv_tfl_dtype(&tensor);
    bool numbers = dtype == DV_DTYPE_I32 || dtype == DV_DTYPE_I64;
    bool handle = b->scope->slots[dv_tfl_slot_of(at, i)].variable != DV_NONE;
    if (!b->options || !b->options->infer || !numbers || handle)
        return DV_OK;
    b->known.graph = b->graph;
    b->known.options = b->options;
    DV_TRY(dv_tfl_plain_input(at, i, &id));
    DV_TRY(dv_onnx_know(&b->known, id, &is));
    if (is->role == DV_ROLE_CONSTANT && dv_shape_elements(&is->shape, &elements) &&
        elements <= most && dv_tensor_read_i64(is, 0, elements, out))
        *count = (int)elements;
    return DV_OK;
}

dv_status dv_tfl_ints(const dv_tfl_at *at, uint32_t i, size_t most, int64_t *out, int *count)
{
    *count = -1;
    if (!dv_tfl_given(at, i))
        return DV_OK;
    uint32_t source = at->b->scope->slots[dv_tfl_slot_of(at, i)].constant;
    if (source == DV_NONE)
        return ints_that_follow(at, i, most, out, count);
    dv_tfl_tensor tensor;
    dv_tensor stored;
    size_t elements;
    dv_status status = dv_tfl_stored(at->b, source, &tensor, &stored);
    if (status == DV_OK && stored.data.storage != DV_STORAGE_NONE &&
        !dv_dtype_is_float(stored.dtype) && dv_shape_elements(&stored.shape, &elements) &&
        elements <= most && dv_tensor_read_i64(&stored, 0, elements, out))
        *count = (int)elements;
    if (status == DV_OK)
        dv_buffer_release(stored.data.buffer);
    return status;
}

dv_status dv_tfl_number(const dv_tfl_at *at, uint32_t i, double *out, bool *known)
{
    dv_tfl_tensor tensor;
    dv_tensor stored;
    size_t count;
    float value = 0;
    uint32_t source =
        dv_tfl_given(at, i) ? at->b->scope->slots[dv_tfl_slot_of(at, i)].constant : DV_NONE;
    *known = false;
    if (source == DV_NONE)
        return DV_OK;
    DV_TRY(dv_tfl_stored(at->b, source, &tensor, &stored));
    *known = stored.data.storage != DV_STORAGE_NONE && dv_shape_elements(&stored.shape, &count) &&
             count == 1 && dv_tensor_read_f32(&stored, 0, 1, &value);
    dv_buffer_release(stored.data.buffer);
    *out = (double)value;
    return *known && tensor.quantised ? dv_tfl_meaning(&tensor, *out, out) : DV_OK;
}

int64_t dv_tfl_planar_axis(int64_t axis)
{
    static const int64_t planar[] = {0, 2, 3, 1};
    return axis >= -4 && axis < 4 ? planar[axis < 0 ? axis + 4 : axis] : axis;
}

/* ---- what is made ---- */

static dv_status add_constant(dv_tfl_at *at, dv_tensor *tensor, dv_tensor_id *id)
{
    tensor->name = at->part;
    tensor->role = DV_ROLE_CONSTANT;
    return dv_graph_add_tensor(at->b->graph, tensor, id);
}

dv_status dv_tfl_scalar(dv_tfl_at *at, dv_dtype dtype, double value, dv_tensor_id *id)
{
    dv_tensor tensor = {.dtype = dtype, .data = {.storage = DV_STORAGE_FILL, .shift = value}};
    return add_constant(at, &tensor, id);
}

dv_status dv_tfl_longs(dv_tfl_at *at, const int64_t *values, size_t count, dv_tensor_id *id)
{
    dv_buffer *buffer;
    DV_TRY(dv_tfl_new_buffer(at->b, count * 8, &buffer));
    for (size_t i = 0; i < 8 * count; i++)
        dv_buffer_writable(buffer)[i] = (uint8_t)((uint64_t)values[i / 8] >> (8 * (i % 8)));
    dv_tensor tensor = {.dtype = DV_DTYPE_I64,
                        .shape = {.rank = 1, .dim = {(int64_t)count}},
                        .data = {.storage = DV_STORAGE_BUFFER, .buffer = buffer}};
    dv_status status = add_constant(at, &tensor, id);
    dv_buffer_release(buffer);
    return status;
}

dv_status dv_tfl_floats(dv_tfl_at *at, const float *values, const int64_t *dims, unsigned rank,
                        dv_tensor_id *id)
{
    dv_tensor tensor = {.dtype = DV_DTYPE_F32,
                        .shape = dv_shape_make(dims, rank),
                        .data = {.storage = DV_STORAGE_BUFFER}};
    size_t bytes;
    if (!dv_tensor_bytes(&tensor, &bytes))
        return dv_fail(DV_NO_MEMORY, "out of memory");
    DV_TRY(dv_tfl_new_buffer(at->b, bytes, &tensor.data.buffer));
    memcpy(dv_buffer_writable(tensor.data.buffer), values, bytes);
    dv_status status = add_constant(at, &tensor, id);
    dv_buffer_release(tensor.data.buffer);
    return status;
}

dv_status dv_tfl_emit(dv_tfl_at *at, dv_op_kind kind, const dv_op_params *params,
                      const dv_tensor_id *inputs, uint32_t count, dv_tensor_id *id)
{
    dv_tensor_id output;
    DV_TRY(dv_tfl_add_op(at->b, &at->like, kind, params, inputs, count, at->part, &output));
    *id = output;
    return DV_OK;
}

dv_status dv_tfl_emit1(dv_tfl_at *at, dv_op_kind kind, const dv_op_params *params, dv_tensor_id a,
                       dv_tensor_id *id)
{
    return dv_tfl_emit(at, kind, params, &a, 1, id);
}

dv_status dv_tfl_emit2(dv_tfl_at *at, dv_op_kind kind, const dv_op_params *params, dv_tensor_id a,
                       dv_tensor_id b, dv_tensor_id *id)
{
    return dv_tfl_emit(at, kind, params, (const dv_tensor_id[]){a, b}, 2, id);
}

dv_status dv_tfl_long_input(dv_tfl_at *at, uint32_t i, dv_tensor_id *id)
{
    dv_tfl_tensor tensor;
    dv_op_params cast = {.cast = {.dtype = DV_DTYPE_I64}};
    DV_TRY(dv_tfl_input(at, i, &tensor));
    DV_TRY(dv_tfl_plain_input(at, i, id));
    return dv_tfl_dtype(&tensor) == DV_DTYPE_I64 ? DV_OK
                                                 : dv_tfl_emit1(at, DV_OP_CAST, &cast, *id, id);
}

/* A slot that nothing has filled yet. Without elements it was taken for a constant. */
static bool is_free(dv_tfl_slot *slot, const dv_tfl_tensor *tensor)
{
    size_t elements;
    if (dv_shape_elements(&tensor->shape, &elements) && elements == 0)
        slot->constant = DV_NONE;
    return slot->plain == DV_NONE && slot->planar == DV_NONE && slot->constant == DV_NONE &&
           slot->integers[0] == DV_NONE && slot->integers[1] == DV_NONE;
}

dv_status dv_tfl_result(dv_tfl_at *at, uint32_t i, dv_tensor_id id, bool planar)
{
    dv_tfl_tensor tensor;
    DV_TRY(dv_tfl_output(at, i, &tensor));
    uint32_t slot = (uint32_t)dv_fb_i32_at(&at->outputs, i);
    if (!is_free(&at->b->scope->slots[slot], &tensor))
        return dv_fail(DV_BAD_INPUT, "its output %u is made elsewhere, too", i);
    const char *name = dv_tfl_text(at->b, tensor.name);
    return name ? dv_tfl_set(at->b, slot, planar, id, name)
                : dv_fail(DV_NO_MEMORY, "out of memory");
}

dv_status dv_tfl_result_in_memory(dv_tfl_at *at, uint32_t i, dv_tensor_id id)
{
    dv_tfl_tensor tensor;
    DV_TRY(dv_tfl_output(at, i, &tensor));
    dv_tfl_slot *slot = &at->b->scope->slots[dv_fb_i32_at(&at->outputs, i)];
    if (!is_free(slot, &tensor))
        return dv_fail(DV_BAD_INPUT, "its output %u is made elsewhere, too", i);
    const char *name = dv_tfl_text(at->b, tensor.name);
    name = name ? dv_arena_copy(dv_graph_arena(at->b->graph), name) : NULL;
    if (!name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    dv_graph_tensor_mutable(at->b->graph, id)->name = name;
    *(tensor.quantised ? &slot->integers[0] : &slot->plain) = id;
    return DV_OK;
}

/* ActivationFunctionType */
static dv_status activate(dv_tfl_at *at, uint8_t activation, dv_tensor_id *id)
{
    dv_op_params params = {0};
    switch (activation) {
    case 0:
        return DV_OK;
    case 1:
        return dv_tfl_emit1(at, DV_OP_RELU, NULL, *id, id);
    case 2:
        params.clamp = (dv_clamp_params){-1, 1};
        return dv_tfl_emit1(at, DV_OP_CLAMP, &params, *id, id);
    case 3:
        params.clamp = (dv_clamp_params){0, 6};
        return dv_tfl_emit1(at, DV_OP_CLAMP, &params, *id, id);
    case 4:
        return dv_tfl_emit1(at, DV_OP_TANH, NULL, *id, id);
    default:
        return dv_fail(DV_BAD_INPUT, "its fused activation %u is not known", (unsigned)activation);
    }
}

dv_status dv_tfl_result_activated(dv_tfl_at *at, unsigned field, dv_tensor_id id, bool planar)
{
    DV_TRY(activate(at, dv_fb_u8(&at->options, field, 0), &id));
    return dv_tfl_result(at, 0, id, planar);
}
