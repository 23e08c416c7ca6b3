/* protobuf.h - a cursor over the protobuf wire format that copies nothing and trusts nothing.

   A message is a span of the mapped file. The cursor steps from field to field; every length is
   checked against the enclosing span, so that no reader above it can leave the file. Encoding:
   https://protobuf.dev/programming-guides/encoding. */
#ifndef DV_LOAD_PROTOBUF_H
#define DV_LOAD_PROTOBUF_H

#include "core/status.h"

/* Bytes of the mapped file: a string, or a message still to be read. */
typedef struct dv_span {
    const uint8_t *data; /* NULL: absent */
    size_t size;
} dv_span;

/* Does the span hold exactly this text? */
bool dv_span_is(dv_span span, const char *text);
bool dv_span_equal(dv_span a, dv_span b);

typedef enum dv_pb_wire {
    DV_PB_VARINT = 0,
    DV_PB_FIXED64 = 1,
    DV_PB_BYTES = 2,
    DV_PB_FIXED32 = 5,
} dv_pb_wire;

typedef struct dv_pb_field {
    uint32_t number; /* 1 to 2^29 - 1 */
    dv_pb_wire wire;
    uint64_t value; /* VARINT, FIXED64, FIXED32: the bits */
    dv_span bytes;  /* BYTES */
} dv_pb_field;

typedef struct dv_pb_cursor {
    const uint8_t *at, *end;
    const uint8_t *file; /* start of the whole file, for places in messages */
    dv_status status;    /* DV_BAD_INPUT, with the message set, once something was malformed */
} dv_pb_cursor;

/* A cursor over message, which lies in the file that begins at file. */
dv_pb_cursor dv_pb_open(dv_span message, const uint8_t *file);

/* Steps to the next field; false at the end of the message and on malformed bytes, which
   cursor->status tells apart ("byte 1207: a field of 4096 bytes where 12 are left"). Groups (wire
   types 3 and 4) count as malformed: no format read here has them. */
bool dv_pb_next(dv_pb_cursor *cursor, dv_pb_field *field);

/* Fails the cursor unless the field has that wire type; true if it has. */
bool dv_pb_expect(dv_pb_cursor *cursor, const dv_pb_field *field, dv_pb_wire wire);

/* Elements of a repeated scalar field come one by one or packed into BYTES, both legal in any mix.
   Calls put for each element of this field (its bits), of wire type wire; fails the cursor on any
   other type, or when put returns false (too many). */
bool dv_pb_each(dv_pb_cursor *cursor, const dv_pb_field *field, dv_pb_wire wire,
                bool (*put)(void *context, uint64_t bits), void *context);

/* Each takes the value of a field of that kind; another wire type fails the cursor. A text that
   will be a C string must have no NUL byte, which would let two names collide; a number that no
   enum has reads as UINT32_MAX. */
void dv_pb_take_bytes(dv_pb_cursor *cursor, const dv_pb_field *field, dv_span *out);
void dv_pb_take_text(dv_pb_cursor *cursor, const dv_pb_field *field, dv_span *out);
void dv_pb_take_int(dv_pb_cursor *cursor, const dv_pb_field *field, int64_t *out);
void dv_pb_take_enum(dv_pb_cursor *cursor, const dv_pb_field *field, uint32_t *out);

/* The bits of a FIXED32 as a float, of a FIXED64 as a double. */
float dv_pb_float(uint64_t bits);
double dv_pb_double(uint64_t bits);

#endif
