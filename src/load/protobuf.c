#include "load/protobuf.h"

#include <string.h>

bool dv_span_is(dv_span span, const char *text)
{
    size_t length = strlen(text);
    return span.size == length && (length == 0 || memcmp(span.data, text, length) == 0);
}

bool dv_span_equal(dv_span a, dv_span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

dv_pb_cursor dv_pb_open(dv_span message, const uint8_t *file)
{
    const uint8_t *start = message.data ? message.data : file;
    return (dv_pb_cursor){.at = start, .end = start + message.size, .file = file};
}

static bool malformed(dv_pb_cursor *cursor, const uint8_t *where, const char *what)
{
    cursor->status =
        dv_fail(DV_BAD_INPUT, "byte %zu: %s; the file is damaged or not of this format",
                (size_t)(where - cursor->file), what);
    return false;
}

/* At most ten bytes; the tenth may only hold bit 63. */
static bool read_varint(dv_pb_cursor *cursor, uint64_t *out)
{
    const uint8_t *start = cursor->at;
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (cursor->at == cursor->end)
            return malformed(cursor, start, "a number is cut off");
        uint8_t byte = *cursor->at++;
        if (shift == 63 && byte > 1)
            return malformed(cursor, start, "a number has more than 64 bits");
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out = value;
            return true;
        }
    }
    return malformed(cursor, start, "a number has more than 64 bits");
}

static bool read_fixed(dv_pb_cursor *cursor, size_t size, uint64_t *out)
{
    if ((size_t)(cursor->end - cursor->at) < size)
        return malformed(cursor, cursor->at, "a number is cut off");
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)cursor->at[i] << (8 * i);
    cursor->at += size;
    *out = value;
    return true;
}

static bool read_bytes(dv_pb_cursor *cursor, dv_span *out)
{
    const uint8_t *start = cursor->at;
    uint64_t length;
    if (!read_varint(cursor, &length))
        return false;
    size_t left = (size_t)(cursor->end - cursor->at);
    if (length > left) {
        cursor->status = dv_fail(DV_BAD_INPUT,
                                 "byte %zu: a field of %llu bytes where %zu are left; the file is "
                                 "truncated or damaged",
                                 (size_t)(start - cursor->file), (unsigned long long)length, left);
        return false;
    }
    *out = (dv_span){cursor->at, (size_t)length};
    cursor->at += length;
    return true;
}

bool dv_pb_next(dv_pb_cursor *cursor, dv_pb_field *field)
{
    if (cursor->status != DV_OK || cursor->at == cursor->end)
        return false;
    const uint8_t *start = cursor->at;
    uint64_t tag;
    if (!read_varint(cursor, &tag))
        return false;
    if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return malformed(cursor, start, "a field has an impossible number");
    *field = (dv_pb_field){.number = (uint32_t)(tag >> 3), .wire = (dv_pb_wire)(tag & 7)};
    switch (field->wire) {
    case DV_PB_VARINT:
        return read_varint(cursor, &field->value);
    case DV_PB_FIXED64:
        return read_fixed(cursor, 8, &field->value);
    case DV_PB_FIXED32:
        return read_fixed(cursor, 4, &field->value);
    case DV_PB_BYTES:
        return read_bytes(cursor, &field->bytes);
    }
    return malformed(cursor, start, "a field has an unknown wire type");
}

bool dv_pb_expect(dv_pb_cursor *cursor, const dv_pb_field *field, dv_pb_wire wire)
{
    if (field->wire == wire)
        return true;
    return malformed(cursor, cursor->at, "the field that ends here has the wrong wire type");
}

bool dv_pb_each(dv_pb_cursor *cursor, const dv_pb_field *field, dv_pb_wire wire,
                bool (*put)(void *context, uint64_t bits), void *context)
{
    if (field->wire == wire)
        return put(context, field->value) || malformed(cursor, cursor->at, "a list is too long");
    if (!dv_pb_expect(cursor, field, DV_PB_BYTES))
        return false;
    dv_pb_cursor packed = dv_pb_open(field->bytes, cursor->file);
    while (packed.at < packed.end) {
        uint64_t bits = 0;
        bool read = wire == DV_PB_VARINT
                        ? read_varint(&packed, &bits)
                        : read_fixed(&packed, wire == DV_PB_FIXED64 ? 8 : 4, &bits);
        if (!read) {
            cursor->status = packed.status;
            return false;
        }
        if (!put(context, bits))
            return malformed(cursor, packed.at, "a list is too long");
    }
    return true;
}

void dv_pb_take_bytes(dv_pb_cursor *cursor, const dv_pb_field *field, dv_span *out)
{
    if (dv_pb_expect(cursor, field, DV_PB_BYTES))
        *out = field->bytes;
}

void dv_pb_take_text(dv_pb_cursor *cursor, const dv_pb_field *field, dv_span *out)
{
    dv_pb_take_bytes(cursor, field, out);
    if (cursor->status == DV_OK && out->size > 0 && memchr(out->data, 0, out->size))
        cursor->status = dv_fail(DV_BAD_INPUT, "byte %zu: a name contains a NUL byte",
                                 (size_t)(out->data - cursor->file));
}

void dv_pb_take_int(dv_pb_cursor *cursor, const dv_pb_field *field, int64_t *out)
{
    if (dv_pb_expect(cursor, field, DV_PB_VARINT))
        *out = (int64_t)field->value;
}

void dv_pb_take_enum(dv_pb_cursor *cursor, const dv_pb_field *field, uint32_t *out)
{
    if (dv_pb_expect(cursor, field, DV_PB_VARINT))
        *out = field->value > UINT32_MAX ? UINT32_MAX : (uint32_t)field->value;
}

float dv_pb_float(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, sizeof value);
    return value;
}

double dv_pb_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
