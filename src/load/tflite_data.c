/* tflite_data.c - the elements of constants: where they are in the file, and what is made of them
   at load: dense from sparse, f32 from f16, bytes from half and quarter bytes, dims in another
   order. */
#include <string.h>

#include "load/tflite_build.h"

/* Conversions copy; a file that refers to one buffer many times, or claims a huge sparse tensor,
   must not make us fill the memory. Real files need four times their size at most (i8 as f32). */
enum { MOST_GROWTH = 64, ALWAYS_ALLOWED = 1 << 20 };

dv_status dv_tfl_new_buffer(dv_tfl_builder *b, size_t bytes, dv_buffer **out)
{
    size_t total, most;
    if (!dv_mul_size(b->fb.size, MOST_GROWTH, &most) || !dv_add_size(most, ALWAYS_ALLOWED, &most))
        most = SIZE_MAX;
    if (!dv_add_size(b->made_bytes, bytes, &total) || total > most)
        return dv_fail(DV_BAD_INPUT,
                       "its constants would unfold to more than %d times the file's size",
                       MOST_GROWTH);
    b->made_bytes = total;
    *out = dv_buffer_create(bytes);
    return *out ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory for %zu bytes", bytes);
}

static dv_status wrong_size(const dv_tfl_tensor *tensor, size_t have, size_t want)
{
    char text[DV_SHAPE_TEXT];
    return dv_fail(DV_BAD_INPUT, "its buffer holds %zu bytes where its shape %s needs %zu", have,
                   dv_shape_text(&tensor->shape, text), want);
}

/* Element types as they are stored. */
static dv_dtype stored_dtype(uint8_t type)
{
    static const dv_dtype types[] = {
        DV_DTYPE_F32,  DV_DTYPE_F16,  DV_DTYPE_I32,  DV_DTYPE_U8,  DV_DTYPE_I64, DV_DTYPE_STRING,
        DV_DTYPE_BOOL, DV_DTYPE_I16,  DV_DTYPE_NONE, DV_DTYPE_I8,  DV_DTYPE_F64, DV_DTYPE_NONE,
        DV_DTYPE_U64,  DV_DTYPE_NONE, DV_DTYPE_NONE, DV_DTYPE_U32, DV_DTYPE_U16, DV_DTYPE_I8,
        DV_DTYPE_BF16, DV_DTYPE_I8,   DV_DTYPE_U8,
    };
    return type < sizeof types / sizeof types[0] ? types[type] : DV_DTYPE_NONE;
}

dv_dtype dv_tfl_dtype(const dv_tfl_tensor *tensor)
{
    return tensor->quantised || tensor->block > 0 ? DV_DTYPE_F32 : stored_dtype(tensor->type);
}

dv_dtype dv_tfl_stored_dtype(const dv_tfl_tensor *tensor)
{
    return stored_dtype(tensor->type);
}

/* Bits of an element that is less than a byte, else 0. */
static unsigned packed_bits(uint8_t type)
{
    return type == 17 || type == 20 ? 4 : type == 19 ? 2 : 0;
}

/* INT4, INT2, UINT4: the first element in the lowest bits of the first byte. */
static void unpack(uint8_t type, dv_span stored, size_t count, uint8_t *out)
{
    unsigned bits = packed_bits(type), each = 8 / bits, mask = (1u << bits) - 1;
    unsigned sign = type == 20 ? 0 : 1u << (bits - 1);
    for (size_t i = 0; i < count; i++) {
        unsigned value = (unsigned)stored.data[i / each] >> (bits * (i % each)) & mask;
        out[i] = (uint8_t)((value ^ sign) - sign); /* extends the sign */
    }
}

static dv_status unpacked(dv_tfl_builder *b, const dv_tfl_tensor *tensor, dv_span stored,
                          size_t count, dv_buffer **out)
{
    unsigned each = 8 / packed_bits(tensor->type);
    size_t need = count / each + (count % each != 0);
    if (stored.size != need)
        return wrong_size(tensor, stored.size, need);
    DV_TRY(dv_tfl_new_buffer(b, count, out));
    unpack(tensor->type, stored, count, dv_buffer_writable(*out));
    return b->fb.status;
}

/* The bytes of a buffer: inside the flatbuffer, or behind it in the file. */
static dv_status buffer_bytes(dv_tfl_builder *b, uint32_t index, dv_span *out)
{
    dv_fb_table buffer = dv_fb_table_at(&b->buffers, index);
    dv_fb_vector data = dv_fb_list(&buffer, 0, 1);
    uint64_t offset = dv_fb_u64(&buffer, 1, 0), size = dv_fb_u64(&buffer, 2, 0);
    *out = dv_fb_bytes(&data);
    if (offset > 1) { /* 1 marks a buffer to be placed later */
        if (offset > b->fb.size || size > b->fb.size - offset)
            return dv_fail(DV_BAD_INPUT, "its data is bytes %llu to %llu of a file of %zu",
                           (unsigned long long)offset, (unsigned long long)(offset + size),
                           b->fb.size);
        *out = (dv_span){b->fb.bytes + offset, (size_t)size};
    }
    return b->fb.status;
}

dv_status dv_tfl_stored(dv_tfl_builder *b, uint32_t slot, dv_tfl_tensor *tensor, dv_tensor *out)
{
    dv_span bytes;
    DV_TRY(dv_tfl_tensor_at(b, slot, tensor));
    DV_TRY(buffer_bytes(b, tensor->buffer, &bytes));
    *out = (dv_tensor){
        .dtype = stored_dtype(tensor->type), .shape = tensor->shape, .role = DV_ROLE_CONSTANT};
    if (out->dtype == DV_DTYPE_NONE || out->dtype == DV_DTYPE_STRING)
        return DV_OK;
    size_t want;
    if (!dv_tensor_bytes(out, &want))
        return dv_fail(DV_BAD_INPUT, "its shape has more elements than memory can hold");
    out->data.storage = DV_STORAGE_BUFFER;
    dv_fb_table sparsity = dv_fb_child(&tensor->table, 6);
    if (sparsity.at)
        return dv_tfl_densify(b, tensor, bytes, &out->data.buffer);
    if (packed_bits(tensor->type))
        return unpacked(b, tensor, bytes, want, &out->data.buffer);
    if (bytes.size != want)
        return wrong_size(tensor, bytes.size, want);
    DV_TRY(b->fb.status);
    out->data.buffer = dv_buffer_retain(b->buffer);
    out->data.offset = bytes.size ? (size_t)(bytes.data - b->fb.bytes) : 0;
    return DV_OK;
}

/* ---- conversion ---- */

typedef struct conversion {
    const dv_tensor *from;
    dv_dtype to;
    size_t stride[DV_MAX_RANK]; /* of the source, for each dim of the result */
} conversion;

static void convert_element(const conversion *c, size_t from, size_t to, uint8_t *out)
{
    size_t width = dv_dtype_bytes(c->to);
    float value = 0;
    if (c->to == c->from->dtype) {
        memcpy(out + to * width, dv_tensor_raw(c->from) + from * width, width);
        return;
    }
    (void)dv_tensor_read_f32(c->from, from, 1, &value);
    memcpy(out + to * width, &value, width);
}

static void convert_all(const conversion *c, const dv_shape *shape, uint8_t *out)
{
    size_t count = 0, index[DV_MAX_RANK] = {0};
    (void)dv_shape_elements(shape, &count);
    size_t from = 0;
    for (size_t to = 0; to < count; to++) {
        convert_element(c, from, to, out);
        for (int d = shape->rank - 1; d >= 0; d--) {
            from += c->stride[d];
            if (++index[d] < (size_t)shape->dim[d])
                break;
            from -= c->stride[d] * index[d];
            index[d] = 0;
        }
    }
}

/* Do the dims that are not 1 keep their order? */
static bool keeps_order(const dv_shape *shape, const uint8_t *perm)
{
    int last = -1;
    for (uint8_t d = 0; d < shape->rank; d++) {
        if (shape->dim[perm[d]] == 1)
            continue;
        if (perm[d] < last)
            return false;
        last = perm[d];
    }
    return true;
}

static dv_status convert(dv_tfl_builder *b, const uint8_t *perm, dv_dtype to, dv_tensor *constant)
{
    dv_tensor from = *constant;
    conversion c = {.from = &from, .to = to};
    size_t strides[DV_MAX_RANK], stride = 1, bytes;
    for (int d = from.shape.rank - 1; d >= 0; d--) {
        strides[d] = stride;
        stride *= (size_t)from.shape.dim[d]; /* the elements were counted before */
    }
    dv_tensor made = {.dtype = to,
                      .role = DV_ROLE_CONSTANT,
                      .shape = {.rank = from.shape.rank},
                      .data = {.storage = DV_STORAGE_BUFFER}};
    for (uint8_t d = 0; d < from.shape.rank; d++) {
        uint8_t source = perm ? perm[d] : d;
        made.shape.dim[d] = from.shape.dim[source];
        c.stride[d] = strides[source];
    }
    if (!dv_tensor_bytes(&made, &bytes))
        return dv_fail(DV_BAD_INPUT, "its shape has more elements than memory can hold");
    DV_TRY(dv_tfl_new_buffer(b, bytes, &made.data.buffer));
    convert_all(&c, &made.shape, dv_buffer_writable(made.data.buffer));
    dv_buffer_release(from.data.buffer);
    *constant = made;
    return b->fb.status;
}

dv_status dv_tfl_constant(dv_tfl_builder *b, uint32_t slot, bool as_f32, const uint8_t *perm,
                          dv_tensor *out)
{
    dv_tfl_tensor tensor;
    *out = (dv_tensor){0};
    DV_TRY(dv_tfl_stored(b, slot, &tensor, out));
    if (out->data.storage == DV_STORAGE_NONE)
        return DV_OK;
    if (tensor.block > 0)
        DV_TRY(dv_tfl_unfold_blocks(b, &tensor, out));
    dv_dtype to = as_f32 && out->dtype == DV_DTYPE_F16 ? DV_DTYPE_F32 : out->dtype;
    bool moves = perm && !keeps_order(&out->shape, perm);
    dv_shape shape = out->shape;
    dv_status status = DV_OK;
    if (moves || to != out->dtype)
        status = convert(b, moves ? perm : NULL, to, out);
    if (status == DV_OK && perm && !moves)
        for (uint8_t d = 0; d < shape.rank; d++)
            out->shape.dim[d] = shape.dim[perm[d]];
    if (status != DV_OK) {
        dv_buffer_release(out->data.buffer);
        *out = (dv_tensor){0};
    }
    return status;
}
