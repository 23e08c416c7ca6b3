#include "load/protobuf_write.h"

#include <string.h>

#include "load/protobuf.h"

void dv_pb_put_varint(dv_text *out, uint64_t value)
{
    char bytes[10];
    size_t size = 0;
    do {
        bytes[size++] = (char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value);
    dv_text_append_n(out, bytes, size);
}

static void put_tag(dv_text *out, uint32_t number, dv_pb_wire wire)
{
    dv_pb_put_varint(out, (uint64_t)number << 3 | wire);
}

void dv_pb_put_int(dv_text *out, uint32_t number, int64_t value)
{
    put_tag(out, number, DV_PB_VARINT);
    dv_pb_put_varint(out, (uint64_t)value);
}

void dv_pb_put_float(dv_text *out, uint32_t number, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    char bytes[4];
    for (int i = 0; i < 4; i++)
        bytes[i] = (char)(bits >> (8 * i));
    put_tag(out, number, DV_PB_FIXED32);
    dv_text_append_n(out, bytes, sizeof bytes);
}

void dv_pb_put_head(dv_text *out, uint32_t number, uint64_t length)
{
    put_tag(out, number, DV_PB_BYTES);
    dv_pb_put_varint(out, length);
}

void dv_pb_put_bytes(dv_text *out, uint32_t number, const void *bytes, size_t size)
{
    dv_pb_put_head(out, number, size);
    if (size > 0)
        dv_text_append_n(out, bytes, size);
}

void dv_pb_put_text(dv_text *out, uint32_t number, const char *text)
{
    dv_pb_put_bytes(out, number, text, strlen(text));
}

void dv_pb_put_message(dv_text *out, uint32_t number, const dv_text *message)
{
    dv_pb_put_bytes(out, number, dv_text_string(message), message->length);
    out->failed |= message->failed;
}
