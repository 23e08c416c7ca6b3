/* zip.h - the entries of a zip archive that is in memory or mapped. */
#ifndef DV_LOAD_ZIP_H
#define DV_LOAD_ZIP_H

#include "core/file.h"

typedef struct dv_zip dv_zip;

enum { DV_ZIP_MISSING = -1 };

/* Bytes of a buffer that somebody keeps. */
typedef struct dv_bytes {
    dv_buffer *buffer; /* the archive's own where the entry is stored as it is, else a copy */
    size_t offset, size;
} dv_bytes;

/* Does the file begin like a zip archive that has entries? */
bool dv_zip_recognise(const uint8_t *bytes, size_t size);

/* Reads the directory of the archive that fills the buffer. DV_BAD_INPUT, DV_NO_MEMORY. */
DV_MUST_USE dv_status dv_zip_open(dv_buffer *buffer, dv_zip **out);

/* The same for an archive within other bytes, such as one that is an entry of another. */
DV_MUST_USE dv_status dv_zip_open_part(const dv_bytes *part, dv_zip **out);
void dv_zip_close(dv_zip *zip); /* NULL is allowed */

/* The i-th entry's name, NULL past the last; the entry of that name, or DV_ZIP_MISSING. O(1). */
const char *dv_zip_name(const dv_zip *zip, int64_t i);
int64_t dv_zip_find(const dv_zip *zip, const char *name);

/* An entry's bytes: where they are in the archive if it is stored, else unpacked into a buffer of
   their own. The caller releases out->buffer. DV_BAD_INPUT for an entry that lies outside the file,
   is encrypted or damaged, or would unpack to far more than the archive's size justifies. */
DV_MUST_USE dv_status dv_zip_entry(dv_zip *zip, int64_t i, dv_bytes *out);

#endif
