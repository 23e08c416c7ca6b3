/* tflite_quant.c - what a file says of quantisation, as conversions of ours. */
#include <math.h>
#include <string.h>

#include "load/tflite_build.h"

static int64_t zero_of(const dv_tfl_tensor *tensor, uint32_t channel)
{
    if (tensor->zero.count == 0)
        return 0;
    return dv_fb_i64_at(&tensor->zero, tensor->zero.count == 1 ? 0 : channel);
}

/* Zero points lie in the range of the type; scales are numbers. */
static dv_status check(const dv_tfl_tensor *tensor)
{
    uint32_t count = tensor->scale.count;
    dv_dtype dtype = dv_tfl_stored_dtype(tensor);
    bool is_unsigned = dtype == DV_DTYPE_U8 || dtype == DV_DTYPE_U16;
    int bits = (int)(8 * dv_dtype_bytes(dtype));
    double least = is_unsigned ? 0 : -ldexp(1, bits - 1);
    double most = ldexp(1, is_unsigned ? bits : bits - 1) - 1;
    bool fits = tensor->zero.count <= 1 || tensor->zero.count == count;
    if (count > 1)
        fits &= tensor->quantised_axis < tensor->shape.rank &&
                (int64_t)count == tensor->shape.dim[tensor->quantised_axis];
    if (!fits)
        return dv_fail(DV_BAD_INPUT,
                       "it has %u scales and %u zero points, which do not fit its shape", count,
                       tensor->zero.count);
    for (uint32_t i = 0; i < count && tensor->scale.fb->status == DV_OK; i++) {
        double scale = (double)dv_fb_f32_at(&tensor->scale, i);
        double zero = (double)zero_of(tensor, i);
        if (!isfinite(scale) || scale < 0)
            return dv_fail(DV_BAD_INPUT, "its scale is %g", scale);
        if (zero < least || zero > most)
            return dv_fail(DV_BAD_INPUT, "its zero point %g lies outside its type", zero);
    }
    return DV_OK;
}

dv_status dv_tfl_meaning(const dv_tfl_tensor *tensor, double element, double *out)
{
    DV_TRY(check(tensor));
    *out = (element - (double)zero_of(tensor, 0)) * (double)dv_fb_f32_at(&tensor->scale, 0);
    return DV_OK;
}

/* ---- blocks ---- */

/* A tensor of scales or zero points, one a block; constant: what it belongs to. */
static dv_status read_blocks(dv_tfl_builder *b, int64_t index, const dv_tfl_tensor *tensor,
                             const dv_tensor *constant, dv_tensor *out)
{
    dv_tfl_tensor info;
    size_t count, have;
    uint8_t last = (uint8_t)(constant->shape.rank - 1);
    if (index < 0 || index >= b->scope->tensors.count)
        return dv_fail(DV_BAD_INPUT, "its blocks' scales are tensor %lld of %u", (long long)index,
                       b->scope->tensors.count);
    if (constant->shape.rank == 0 || !dv_shape_elements(&constant->shape, &count) ||
        constant->shape.dim[last] % tensor->block != 0)
        return dv_fail(DV_BAD_INPUT, "blocks of %d do not divide its last dimension",
                       (int)tensor->block);
    DV_TRY(dv_tfl_stored(b, (uint32_t)index, &info, out));
    if (out->data.storage != DV_STORAGE_NONE && dv_shape_elements(&out->shape, &have) &&
        have == count / (size_t)tensor->block)
        return DV_OK;
    dv_buffer_release(out->data.buffer);
    *out = (dv_tensor){0};
    return dv_fail(DV_BAD_INPUT, "its blocks of %d do not have one scale each", (int)tensor->block);
}

static void unfold(const dv_tensor *integers, const dv_tensor *scales, const dv_tensor *zeros,
                   size_t block, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) {
        float value = 0, scale = 1, zero = 0;
        (void)dv_tensor_read_f32(integers, i, 1, &value);
        (void)dv_tensor_read_f32(scales, i / block, 1, &scale);
        if (zeros)
            (void)dv_tensor_read_f32(zeros, i / block, 1, &zero);
        out[i] = (value - zero) * scale;
    }
}

dv_status dv_tfl_unfold_blocks(dv_tfl_builder *b, const dv_tfl_tensor *tensor, dv_tensor *constant)
{
    dv_tensor scales = {0}, zeros = {0}, made = *constant;
    size_t count = 0, bytes;
    dv_status status = read_blocks(b, tensor->block_scales, tensor, constant, &scales);
    bool shifted = status == DV_OK && tensor->block_zeros > 0;
    if (shifted)
        status = read_blocks(b, tensor->block_zeros, tensor, constant, &zeros);
    made.dtype = DV_DTYPE_F32;
    if (status == DV_OK &&
        (!dv_tensor_bytes(&made, &bytes) || !dv_shape_elements(&made.shape, &count)))
        status = dv_fail(DV_BAD_INPUT, "its shape has more elements than memory can hold");
    if (status == DV_OK)
        status = dv_tfl_new_buffer(b, bytes, &made.data.buffer);
    if (status == DV_OK) {
        unfold(constant, &scales, shifted ? &zeros : NULL, (size_t)tensor->block, count,
               (float *)(void *)dv_buffer_writable(made.data.buffer));
        made.data.offset = 0;
    }
    dv_buffer_release(scales.data.buffer);
    dv_buffer_release(zeros.data.buffer);
    dv_buffer_release(constant->data.buffer);
    *constant = status == DV_OK ? made : (dv_tensor){0};
    return status;
}

/* ---- conversions ---- */

static void put(uint8_t *out, size_t width, uint64_t bits)
{
    for (size_t i = 0; i < width; i++)
        out[i] = (uint8_t)(bits >> (8 * i));
}

/* What the file says, checked, in the builder's arena. */
static dv_status read_quant(dv_tfl_builder *b, const dv_tfl_tensor *tensor, uint32_t axis,
                            dv_quant *out)
{
    uint32_t count = tensor->scale.count;
    float *scale = dv_arena_array(b->arena, count, sizeof *scale);
    int32_t *zero = dv_arena_array(b->arena, count, sizeof *zero);
    if (!scale || !zero)
        return dv_fail(DV_NO_MEMORY, "out of memory for %u scales", count);
    DV_TRY(check(tensor));
    for (uint32_t i = 0; i < count; i++) {
        scale[i] = dv_fb_f32_at(&tensor->scale, i);
        zero[i] = (int32_t)zero_of(tensor, i);
    }
    *out = (dv_quant){count, axis, scale, zero};
    return b->fb.status;
}

/* Adds a constant vector (of one element: a scalar) of the scales or the zero points. */
static dv_status add_list(dv_tfl_builder *b, const dv_quant *quant, const char *name,
                          dv_dtype dtype, dv_tensor_id *id)
{
    uint32_t count = quant->count;
    size_t width = dv_dtype_bytes(dtype);
    dv_buffer *buffer;
    DV_TRY(dv_tfl_new_buffer(b, count * width, &buffer));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &quant->scale[i], sizeof bits);
        put(dv_buffer_writable(buffer) + i * width, width,
            dtype == DV_DTYPE_F32 ? bits : (uint64_t)(int64_t)quant->zero[i]);
    }
    dv_tensor list = {
        .name = dv_arena_printf(b->arena, "%s.%s", name, dtype == DV_DTYPE_F32 ? "scale" : "zero"),
        .role = DV_ROLE_CONSTANT,
        .dtype = dtype,
        .shape = {.rank = count > 1, .dim = {count}},
        .data = {.storage = DV_STORAGE_BUFFER, .buffer = buffer}};
    dv_status status = list.name ? dv_graph_add_tensor(b->graph, &list, id)
                                 : dv_fail(DV_NO_MEMORY, "out of memory");
    dv_buffer_release(buffer);
    return status;
}

static dv_status convert(dv_tfl_builder *b, const dv_quant *quant, dv_dtype dtype, dv_op_kind kind,
                         const char *name, const char *made, dv_tensor_id from, dv_tensor_id *id)
{
    dv_tensor_id ids[3] = {from};
    dv_op like = {.name = name,
                  .source_type = kind == DV_OP_QUANTIZE ? "QUANTIZE" : "DEQUANTIZE",
                  .debug_handle = b->handle};
    dv_op_params params = {.quant = {.axis = quant->axis, .dtype = dtype}};
    DV_TRY(add_list(b, quant, name, DV_DTYPE_F32, &ids[1]));
    DV_TRY(add_list(b, quant, name, dtype, &ids[2]));
    return made ? dv_tfl_add_op(b, &like, kind, &params, ids, 3, made, id)
                : dv_fail(DV_NO_MEMORY, "out of memory");
}

dv_status dv_tfl_dequantise_by(dv_tfl_builder *b, const dv_quant *quant, dv_dtype dtype,
                               const char *name, dv_tensor_id integers, dv_tensor_id *id)
{
    return convert(b, quant, dtype, DV_OP_DEQUANTIZE, name,
                   dv_arena_printf(b->arena, "%s.f32", name), integers, id);
}

dv_status dv_tfl_dequantise(dv_tfl_builder *b, const dv_tfl_tensor *tensor, uint32_t axis,
                            const char *name, dv_tensor_id integers, dv_tensor_id *id)
{
    dv_quant quant;
    DV_TRY(read_quant(b, tensor, axis, &quant));
    return dv_tfl_dequantise_by(b, &quant, dv_tfl_stored_dtype(tensor), name, integers, id);
}

dv_status dv_tfl_quantise(dv_tfl_builder *b, const dv_tfl_tensor *tensor, uint32_t axis,
                          const char *name, dv_tensor_id numbers, dv_tensor_id *id)
{
    dv_quant quant;
    DV_TRY(read_quant(b, tensor, axis, &quant));
    return convert(b, &quant, dv_tfl_stored_dtype(tensor), DV_OP_QUANTIZE, name, name, numbers, id);
}
