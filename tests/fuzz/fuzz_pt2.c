/* fuzz_pt2.c - torch.export archives, from load to plan.

   A changed byte of an archive mostly breaks a checksum of the container. So what does not begin
   like a zip file is taken as the texts inside one: the program, the list of weights, the list of
   constants, with zero bytes between them; storages of zeros are added. */
#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "tests/fuzz/fuzz.h"

enum { STORAGES = 8, STORAGE_BYTES = 4096 };

typedef struct archive {
    dv_text bytes, directory;
    unsigned entries;
} archive;

static void put(dv_text *out, size_t width, uint64_t bits)
{
    for (size_t i = 0; i < width; i++) {
        char byte = (char)(uint8_t)(bits >> (8 * i));
        dv_text_append_n(out, &byte, 1);
    }
}

static uint32_t crc32_of(const void *bytes, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= ((const uint8_t *)bytes)[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

/* What a local header and an entry of the directory share. */
static void put_about(dv_text *out, const char *name, const void *bytes, size_t size)
{
    put(out, 2, 20); /* version needed; then flags, method 0 (stored), time, date 1980-01-01 */
    put(out, 2, 0);
    put(out, 2, 0);
    put(out, 2, 0);
    put(out, 2, 0x21);
    put(out, 4, crc32_of(bytes, size));
    put(out, 4, size);
    put(out, 4, size);
    put(out, 2, strlen(name));
    put(out, 2, 0); /* extra field */
}

static void add_entry(archive *a, const char *name, const void *bytes, size_t size)
{
    size_t at = a->bytes.length;
    put(&a->bytes, 4, 0x04034b50);
    put_about(&a->bytes, name, bytes, size);
    dv_text_append(&a->bytes, "%s", name);
    dv_text_append_n(&a->bytes, bytes, size);

    put(&a->directory, 4, 0x02014b50);
    put(&a->directory, 2, 20); /* made by */
    put_about(&a->directory, name, bytes, size);
    put(&a->directory, 2, 0); /* comment, disk, attributes */
    put(&a->directory, 2, 0);
    put(&a->directory, 2, 0);
    put(&a->directory, 4, 0);
    put(&a->directory, 4, at);
    dv_text_append(&a->directory, "%s", name);
    a->entries++;
}

static void close_archive(archive *a)
{
    size_t at = a->bytes.length;
    dv_text_append_n(&a->bytes, a->directory.data, a->directory.length);
    put(&a->bytes, 4, 0x06054b50);
    put(&a->bytes, 4, 0); /* disks */
    put(&a->bytes, 2, a->entries);
    put(&a->bytes, 2, a->entries);
    put(&a->bytes, 4, a->directory.length);
    put(&a->bytes, 4, at);
    put(&a->bytes, 2, 0);
    dv_text_free(&a->directory);
    dv_fuzz_expect(!a->bytes.failed, "memory for the archive itself");
}

static void add_texts(archive *a, const uint8_t *data, size_t size)
{
    static const char *const names[] = {"m/models/model.json",
                                        "m/data/weights/model_weights_config.json",
                                        "m/data/constants/model_constants_config.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const uint8_t *end = size && i < 2 ? memchr(data, 0, size) : NULL;
        size_t length = end ? (size_t)(end - data) : size;
        add_entry(a, names[i], length ? (const char *)data : "", length);
        if (size > 0) {
            data += length + (end != NULL);
            size -= length + (end != NULL);
        }
    }
}

int dv_fuzz_pt2(const uint8_t *data, size_t size)
{
    static const uint8_t zeros[STORAGE_BYTES];
    if (size >= 2 && memcmp(data, "PK", 2) == 0)
        return dv_fuzz_model("model.pt2", data, size);
    archive a = {0};
    add_entry(&a, "m/archive_format", "pt2", 3);
    add_entry(&a, "m/byteorder", "little", 6);
    add_texts(&a, data, size);
    for (int i = 0; i < STORAGES; i++) {
        char name[64];
        snprintf(name, sizeof name, "m/data/weights/weight_%d", i);
        add_entry(&a, name, zeros, sizeof zeros);
        snprintf(name, sizeof name, "m/data/constants/tensor_%d", i);
        add_entry(&a, name, zeros, sizeof zeros);
    }
    close_archive(&a);
    int result = dv_fuzz_model("model.pt2", (const uint8_t *)a.bytes.data, a.bytes.length);
    dv_text_free(&a.bytes);
    return result;
}
