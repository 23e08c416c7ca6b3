/* onnx_read_tensor.c - tensors, and the lists of attributes. */
#include <string.h>

#include "load/onnx_read.h"

static bool put_tensor_dim(void *context, uint64_t bits)
{
    dv_onnx_tensor *tensor = context;
    if (tensor->rank == DV_ONNX_MAX_DIMS)
        return false;
    tensor->dims[tensor->rank++] = (int64_t)bits;
    return true;
}

static void take_external(dv_pb_cursor *cursor, const dv_pb_field *field, dv_onnx_tensor *tensor)
{
    if (!dv_pb_expect(cursor, field, DV_PB_BYTES))
        return;
    dv_span key = {0}, value = {0};
    dv_pb_cursor inner = dv_pb_open(field->bytes, cursor->file);
    dv_pb_field part;
    while (dv_pb_next(&inner, &part)) {
        if (part.number == 1)
            dv_pb_take_text(&inner, &part, &key);
        else if (part.number == 2)
            dv_pb_take_text(&inner, &part, &value);
    }
    cursor->status = inner.status;
    if (dv_span_is(key, "location"))
        tensor->location = value;
    else if (dv_span_is(key, "offset"))
        tensor->offset = value;
    else if (dv_span_is(key, "length"))
        tensor->length = value;
}

dv_status dv_onnx_read_tensor(dv_span bytes, const uint8_t *file, dv_onnx_tensor *out)
{
    memset(out, 0, sizeof *out);
    out->body = bytes;
    dv_pb_cursor cursor = dv_pb_open(bytes, file);
    dv_pb_field field;
    while (dv_pb_next(&cursor, &field)) {
        int64_t place = 0;
        switch (field.number) {
        case 1:
            (void)dv_pb_each(&cursor, &field, DV_PB_VARINT, put_tensor_dim, out);
            break;
        case 2:
            dv_pb_take_enum(&cursor, &field, &out->type);
            break;
        case 3:
            out->segmented = true;
            break;
        case 8:
            dv_pb_take_text(&cursor, &field, &out->name);
            break;
        case 9:
            dv_pb_take_bytes(&cursor, &field, &out->raw);
            out->has_raw = true;
            break;
        case 13:
            take_external(&cursor, &field, out);
            break;
        case 14:
            dv_pb_take_int(&cursor, &field, &place);
            out->external = place == 1;
            break;
        default:
            break;
        }
    }
    return cursor.status;
}

/* The values' own name is that of the tensor. */
dv_status dv_onnx_read_sparse(dv_span bytes, const uint8_t *file, dv_onnx_sparse *out)
{
    memset(out, 0, sizeof *out);
    dv_span values = {0}, indices = {0};
    dv_onnx_tensor dims = {0};
    dv_pb_cursor cursor = dv_pb_open(bytes, file);
    dv_pb_field field;
    while (dv_pb_next(&cursor, &field)) {
        if (field.number == 1)
            dv_pb_take_bytes(&cursor, &field, &values);
        else if (field.number == 2)
            dv_pb_take_bytes(&cursor, &field, &indices);
        else if (field.number == 3)
            (void)dv_pb_each(&cursor, &field, DV_PB_VARINT, put_tensor_dim, &dims);
    }
    DV_TRY(cursor.status);
    out->rank = dims.rank;
    memcpy(out->dims, dims.dims, sizeof out->dims);
    DV_TRY(dv_onnx_read_tensor(values, file, &out->values));
    return dv_onnx_read_tensor(indices, file, &out->indices);
}

/* A bounded list being filled. */
typedef struct list {
    size_t count, most;
    int64_t *ints;
    float *floats;
} list;

static bool put_int(void *context, uint64_t bits)
{
    list *ints = context;
    if (ints->count == ints->most)
        return false;
    ints->ints[ints->count++] = (int64_t)bits;
    return true;
}

static bool put_float(void *context, uint64_t bits)
{
    list *floats = context;
    if (floats->count == floats->most)
        return false;
    floats->floats[floats->count++] = dv_pb_float(bits);
    return true;
}

dv_status dv_onnx_read_ints(const dv_onnx_attribute *attribute, const uint8_t *file, size_t most,
                            int64_t *out, size_t *count)
{
    list ints = {.most = most, .ints = out};
    dv_pb_cursor cursor = dv_pb_open(attribute->body, file);
    dv_pb_field field;
    while (dv_pb_next(&cursor, &field))
        if (field.number == 8)
            (void)dv_pb_each(&cursor, &field, DV_PB_VARINT, put_int, &ints);
    *count = ints.count;
    return cursor.status;
}

dv_status dv_onnx_read_floats(const dv_onnx_attribute *attribute, const uint8_t *file, size_t most,
                              float *out, size_t *count)
{
    list floats = {.most = most, .floats = out};
    dv_pb_cursor cursor = dv_pb_open(attribute->body, file);
    dv_pb_field field;
    while (dv_pb_next(&cursor, &field))
        if (field.number == 7)
            (void)dv_pb_each(&cursor, &field, DV_PB_FIXED32, put_float, &floats);
    *count = floats.count;
    return cursor.status;
}

dv_status dv_onnx_read_texts(const dv_onnx_attribute *attribute, const uint8_t *file, size_t most,
                             dv_span *out, size_t *count)
{
    dv_pb_cursor cursor = dv_pb_open(attribute->body, file);
    dv_pb_field field;
    *count = 0;
    while (dv_pb_next(&cursor, &field)) {
        if (field.number != 9 || !dv_pb_expect(&cursor, &field, DV_PB_BYTES))
            continue;
        if (*count == most)
            return dv_fail(DV_BAD_INPUT, "more than %zu texts", most);
        out[(*count)++] = field.bytes;
    }
    return cursor.status;
}
