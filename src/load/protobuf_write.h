/* protobuf_write.h - fields of the protobuf wire format, appended to a text. */
#ifndef DV_LOAD_PROTOBUF_WRITE_H
#define DV_LOAD_PROTOBUF_WRITE_H

#include "core/text.h"

void dv_pb_put_varint(dv_text *out, uint64_t value);
void dv_pb_put_int(dv_text *out, uint32_t number, int64_t value);
void dv_pb_put_float(dv_text *out, uint32_t number, float value);
void dv_pb_put_bytes(dv_text *out, uint32_t number, const void *bytes, size_t size);
void dv_pb_put_text(dv_text *out, uint32_t number, const char *text);
void dv_pb_put_message(dv_text *out, uint32_t number, const dv_text *message);

/* What comes before the bytes of a field of that length, for bytes that are written later. */
void dv_pb_put_head(dv_text *out, uint32_t number, uint64_t length);

#endif
