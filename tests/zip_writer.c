/* zip_writer.c - zip archives by hand (PKWARE's APPNOTE, sections 4.3.7, 4.3.12 and 4.3.16). */
#include "tests/zip_writer.h"

#include <stdlib.h>
#include <string.h>

static uint32_t crc_of(const uint8_t *bytes, size_t size)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void put(dv_text *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        char c = i < 8 ? (char)(value >> (8 * i)) : 0;
        dv_text_append_n(out, &c, 1);
    }
}

zip_writer zip_begin(void)
{
    return (zip_writer){.count = 0};
}

/* What both headers say of an entry, from "version needed" on. */
static void describe(dv_text *out, const char *name, const void *bytes, size_t size)
{
    put(out, 20, 2);
    put(out, 0, 2 + 2);       /* flags, method: stored */
    put(out, 0x00210000u, 4); /* 1980-01-01 */
    put(out, crc_of(bytes, size), 4);
    put(out, size, 4);
    put(out, size, 4);
    put(out, strlen(name), 2);
    put(out, 0, 2); /* extra */
}

void zip_entry(zip_writer *w, const char *name, const void *bytes, size_t size)
{
    size_t at = w->body.length;
    dv_text_append_n(&w->body, "PK\3\4", 4);
    describe(&w->body, name, bytes, size);
    dv_text_append_n(&w->body, name, strlen(name));
    if (size)
        dv_text_append_n(&w->body, bytes, size);
    dv_text_append_n(&w->directory, "PK\1\2", 4);
    put(&w->directory, 20, 2);
    describe(&w->directory, name, bytes, size);
    put(&w->directory, 0, 2 + 2 + 2 + 4); /* comment, disk, attributes */
    put(&w->directory, at, 4);
    dv_text_append_n(&w->directory, name, strlen(name));
    w->count++;
}

dv_buffer *zip_finish(zip_writer *w)
{
    size_t directory = w->body.length, size = w->directory.length;
    if (size)
        dv_text_append_n(&w->body, w->directory.data, size);
    dv_text_append_n(&w->body, "PK\5\6", 4);
    put(&w->body, 0, 2 + 2);
    put(&w->body, w->count, 2);
    put(&w->body, w->count, 2);
    put(&w->body, size, 4);
    put(&w->body, directory, 4);
    put(&w->body, 0, 2);
    dv_buffer *archive = dv_buffer_create(w->body.length);
    if (!archive || w->body.failed || w->directory.failed)
        abort();
    memcpy(dv_buffer_writable(archive), w->body.data, w->body.length);
    dv_text_free(&w->body);
    dv_text_free(&w->directory);
    *w = zip_begin();
    return archive;
}
