/* zip.c - zip archives, read by libzip from memory.

   libzip says how an entry is stored but not where. So the archive is given to it as a source of
   ours that notes where libzip reads: the first bytes of an entry that is stored as it is are read
   at the entry's own place, which lets its data stay in the mapped file. Those bytes are compared,
   and an entry whose place cannot be confirmed is copied like a packed one. */
#include "load/zip.h"

#include <stdlib.h>
#include <string.h>
#include <zip.h>

enum { PROBE = 64 }; /* bytes by which a place is confirmed */

/* Unpacked entries together may take this many bytes, and this many for each of the archive's. */
enum { UNPACK_FREE = 1 << 24, UNPACK_RATIO = 32 };

struct dv_zip {
    dv_buffer *buffer;
    size_t base, size; /* the archive's place in it */
    zip_t *archive;
    uint64_t position; /* of the source */
    uint64_t last;     /* where it was read last */
    uint64_t unpacked;
    zip_error_t error;
};

bool dv_zip_recognise(const uint8_t *bytes, size_t size)
{
    return size >= 4 && memcmp(bytes, "PK\3\4", 4) == 0;
}

static zip_int64_t read_at(dv_zip *zip, void *data, zip_uint64_t length)
{
    uint64_t left = zip->position < zip->size ? zip->size - zip->position : 0;
    if (length > left)
        length = left;
    zip->last = zip->position;
    if (length > 0)
        memcpy(data, dv_buffer_data(zip->buffer) + zip->base + zip->position, length);
    zip->position += length;
    return (zip_int64_t)length;
}

static zip_int64_t seek(dv_zip *zip, void *data, zip_uint64_t length)
{
    zip_int64_t to =
        zip_source_seek_compute_offset(zip->position, zip->size, data, length, &zip->error);
    if (to < 0)
        return -1;
    zip->position = (uint64_t)to;
    return 0;
}

static zip_int64_t describe(const dv_zip *zip, void *data, zip_uint64_t length)
{
    zip_stat_t *stat = data;
    if (length < sizeof *stat)
        return -1;
    zip_stat_init(stat);
    stat->valid = ZIP_STAT_SIZE;
    stat->size = zip->size;
    return sizeof *stat;
}

/* The archive's bytes, as libzip wants to be given them. */
static zip_int64_t source(void *user, void *data, zip_uint64_t length, zip_source_cmd_t command)
{
    dv_zip *zip = user;
    switch (command) {
    case ZIP_SOURCE_OPEN:
        zip->position = 0;
        return 0;
    case ZIP_SOURCE_READ:
        return read_at(zip, data, length);
    case ZIP_SOURCE_SEEK:
        return seek(zip, data, length);
    case ZIP_SOURCE_TELL:
        return (zip_int64_t)zip->position;
    case ZIP_SOURCE_STAT:
        return describe(zip, data, length);
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&zip->error, data, length);
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(
            ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR,
            ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_SUPPORTS, -1);
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE:
        return 0;
    default:
        zip_error_set(&zip->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

dv_status dv_zip_open_part(const dv_bytes *part, dv_zip **out)
{
    dv_zip *zip = calloc(1, sizeof *zip);
    if (!zip)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    zip_error_t error;
    zip_error_init(&error);
    zip_error_init(&zip->error);
    zip->buffer = dv_buffer_retain(part->buffer);
    zip->base = part->offset;
    zip->size = part->size;
    zip_source_t *from = zip_source_function_create(source, zip, &error);
    zip->archive = from ? zip_open_from_source(from, ZIP_RDONLY, &error) : NULL;
    dv_status status = DV_OK;
    if (!zip->archive) {
        bool memory = zip_error_code_zip(&error) == ZIP_ER_MEMORY;
        status = dv_fail(memory ? DV_NO_MEMORY : DV_BAD_INPUT, "a damaged zip archive: %s",
                         zip_error_strerror(&error));
        if (from)
            zip_source_free(from);
        dv_zip_close(zip);
        zip = NULL;
    }
    zip_error_fini(&error);
    *out = zip;
    return status;
}

dv_status dv_zip_open(dv_buffer *buffer, dv_zip **out)
{
    return dv_zip_open_part(&(dv_bytes){buffer, 0, dv_buffer_size(buffer)}, out);
}

void dv_zip_close(dv_zip *zip)
{
    if (!zip)
        return;
    if (zip->archive)
        zip_discard(zip->archive);
    zip_error_fini(&zip->error);
    dv_buffer_release(zip->buffer);
    free(zip);
}

const char *dv_zip_name(const dv_zip *zip, int64_t i)
{
    if (i < 0 || i >= zip_get_num_entries(zip->archive, 0))
        return NULL;
    const char *name = zip_get_name(zip->archive, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
    return name ? name : "";
}

int64_t dv_zip_find(const dv_zip *zip, const char *name)
{
    zip_int64_t i = zip_name_locate(zip->archive, name, ZIP_FL_ENC_RAW);
    return i < 0 ? DV_ZIP_MISSING : i;
}

/* Is the entry there as it is, in the archive's own bytes? Reads its first bytes to find out. */
static bool is_in_place(dv_zip *zip, zip_uint64_t i, uint64_t size, size_t *offset)
{
    uint8_t first[PROBE];
    zip_file_t *file = zip_fopen_index(zip->archive, i, 0);
    if (!file)
        return false;
    uint64_t want = size < PROBE ? size : PROBE;
    bool read = zip_fread(file, first, want) == (zip_int64_t)want;
    uint64_t at = zip->last;
    zip_fclose(file);
    *offset = zip->base + (size_t)at;
    return read && at <= zip->size && size <= zip->size - at &&
           memcmp(first, dv_buffer_data(zip->buffer) + *offset, want) == 0;
}

static dv_status unpack(dv_zip *zip, zip_uint64_t i, const zip_stat_t *stat, dv_bytes *out)
{
    uint64_t justified = UNPACK_FREE + UNPACK_RATIO * (uint64_t)zip->size;
    if (stat->size > justified || zip->unpacked > justified - stat->size)
        return dv_fail(DV_BAD_INPUT, "it would unpack to far more than the archive holds");
    zip_file_t *file = zip_fopen_index(zip->archive, i, 0);
    if (!file)
        return dv_fail(DV_BAD_INPUT, "%s", zip_strerror(zip->archive));
    dv_buffer *buffer = dv_buffer_create(stat->size);
    dv_status status = buffer ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory");
    uint64_t have = 0;
    while (status == DV_OK && have < stat->size) {
        zip_int64_t got = zip_fread(file, dv_buffer_writable(buffer) + have, stat->size - have);
        if (got <= 0)
            status = dv_fail(DV_BAD_INPUT, "it is damaged or cut short");
        else
            have += (uint64_t)got;
    }
    zip_fclose(file);
    if (status != DV_OK) {
        dv_buffer_release(buffer);
        return status;
    }
    zip->unpacked += stat->size;
    *out = (dv_bytes){buffer, 0, stat->size};
    return DV_OK;
}

dv_status dv_zip_entry(dv_zip *zip, int64_t i, dv_bytes *out)
{
    zip_stat_t stat;
    const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if (i < 0 || zip_stat_index(zip->archive, (zip_uint64_t)i, 0, &stat) != 0 ||
        (stat.valid & needed) != needed)
        return dv_fail(DV_BAD_INPUT, "the archive does not describe it");
    size_t offset;
    if (stat.encryption_method != ZIP_EM_NONE)
        return dv_fail(DV_BAD_INPUT, "it is encrypted");
    if (stat.size > 0 && stat.comp_method == ZIP_CM_STORE &&
        is_in_place(zip, (zip_uint64_t)i, stat.size, &offset)) {
        *out = (dv_bytes){dv_buffer_retain(zip->buffer), offset, stat.size};
        return DV_OK;
    }
    return unpack(zip, (zip_uint64_t)i, &stat, out);
}
