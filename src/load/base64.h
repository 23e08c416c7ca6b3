/* base64.h - bytes in text (RFC 4648, section 4, with padding, without line breaks). */
#ifndef DV_LOAD_BASE64_H
#define DV_LOAD_BASE64_H

#include "core/text.h"

void dv_base64_append(dv_text *out, const uint8_t *bytes, size_t size);

/* Decodes exactly size bytes; false if text is not base64 or holds another number of bytes. */
bool dv_base64_decode(const char *text, uint8_t *out, size_t size);

#endif
