/* file.c - mapped and heap buffers, and whole-or-nothing writing. */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"

enum { ALIGNMENT = 64, PADDING = 64 };

/* A pipe may never end, and unlike a file it has to be kept in memory. */
enum { MOST_OF_STREAM = 1 << 30 };

struct dv_buffer {
    atomic_uint references;
    bool mapped;
    size_t size;
    uint8_t *data;
    pthread_mutex_t hashing;
    char sha256[65]; /* "" until it is asked for */
};

static dv_buffer *buffer_around(uint8_t *data, size_t size, bool mapped)
{
    dv_buffer *buffer = malloc(sizeof *buffer);
    if (buffer)
        *buffer = (dv_buffer){
            .mapped = mapped, .size = size, .data = data, .hashing = PTHREAD_MUTEX_INITIALIZER};
    if (buffer)
        atomic_init(&buffer->references, 1);
    return buffer;
}

dv_buffer *dv_buffer_create(size_t size)
{
    size_t room;
    if (!dv_add_size(size, PADDING + ALIGNMENT - 1, &room))
        return NULL;
    room = room / ALIGNMENT * ALIGNMENT;
    uint8_t *data = aligned_alloc(ALIGNMENT, room);
    if (!data)
        return NULL;
    memset(data, 0, room);
    dv_buffer *buffer = buffer_around(data, size, false);
    if (!buffer)
        free(data);
    return buffer;
}

static dv_status read_stream(int descriptor, const char *path, dv_buffer **out)
{
    uint8_t *data = NULL;
    size_t capacity = 0, size = 0;
    dv_status status = DV_OK;
    for (;;) {
        if (!dv_grow((void **)&data, &capacity, size + 65536, 1)) {
            status = dv_fail(DV_NO_MEMORY, "%s: out of memory", path);
            break;
        }
        ssize_t got = read(descriptor, data + size, capacity - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = dv_fail(DV_IO, "%s: %s", path, strerror(errno));
        if (got <= 0)
            break;
        size += (size_t)got;
        if (size > MOST_OF_STREAM) {
            status = dv_fail(DV_IO, "%s: more than 1 GiB; give the path of a file instead", path);
            break;
        }
    }
    if (status == DV_OK) {
        *out = dv_buffer_create(size);
        if (!*out)
            status = dv_fail(DV_NO_MEMORY, "%s: out of memory", path);
        else if (size > 0)
            memcpy((*out)->data, data, size);
    }
    free(data);
    return status;
}

static dv_status map_descriptor(int descriptor, const char *path, dv_buffer **out)
{
    struct stat about;
    if (fstat(descriptor, &about) != 0)
        return dv_fail(DV_IO, "%s: %s", path, strerror(errno));
    if (S_ISDIR(about.st_mode))
        return dv_fail(DV_IO, "%s: this is a folder, not a file", path);
    if (S_ISCHR(about.st_mode) || S_ISBLK(about.st_mode)) /* /dev/zero never ends */
        return dv_fail(DV_IO, "%s: this is a device, not a file", path);
    if (!S_ISREG(about.st_mode)) /* a pipe, as in <(command) */
        return read_stream(descriptor, path, out);
    size_t size = (size_t)about.st_size;
    if (size == 0) {
        *out = dv_buffer_create(0);
        return *out ? DV_OK : dv_fail(DV_NO_MEMORY, "%s: out of memory", path);
    }
    void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (data == MAP_FAILED)
        return dv_fail(DV_IO, "%s: %s", path, strerror(errno));
    *out = buffer_around(data, size, true);
    if (!*out) {
        munmap(data, size);
        return dv_fail(DV_NO_MEMORY, "%s: out of memory", path);
    }
    return DV_OK;
}

static dv_status map_path(const char *path, bool plain, dv_buffer **out)
{
    struct stat about;
    int flags = plain ? O_NONBLOCK : 0; /* to open a pipe without a writer waits for one */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (descriptor < 0)
        return dv_fail(DV_IO, "%s: %s", path, strerror(errno));
    dv_status status = DV_OK;
    if (plain && fstat(descriptor, &about) == 0 && S_ISFIFO(about.st_mode))
        status = dv_fail(DV_IO, "%s: this is a pipe, not a file", path);
    if (status == DV_OK)
        status = map_descriptor(descriptor, path, out);
    close(descriptor);
    return status;
}

dv_status dv_buffer_map(const char *path, dv_buffer **out)
{
    if (strcmp(path, "-") == 0)
        return read_stream(STDIN_FILENO, "standard input", out);
    return map_path(path, false, out);
}

dv_status dv_buffer_map_plain(const char *path, dv_buffer **out)
{
    return map_path(path, true, out);
}

dv_buffer *dv_buffer_retain(dv_buffer *buffer)
{
    atomic_fetch_add(&buffer->references, 1);
    return buffer;
}

void dv_buffer_release(dv_buffer *buffer)
{
    if (!buffer || atomic_fetch_sub(&buffer->references, 1) != 1)
        return;
    if (buffer->mapped)
        munmap(buffer->data, buffer->size);
    else
        free(buffer->data);
    free(buffer);
}

const uint8_t *dv_buffer_data(const dv_buffer *buffer)
{
    return buffer->data;
}

uint8_t *dv_buffer_writable(dv_buffer *buffer)
{
    return buffer->mapped ? NULL : buffer->data;
}

bool dv_buffer_is_mapped(const dv_buffer *buffer)
{
    return buffer->mapped;
}

size_t dv_buffer_size(const dv_buffer *buffer)
{
    return buffer->size;
}

const char *dv_buffer_sha256(dv_buffer *buffer)
{
    pthread_mutex_lock(&buffer->hashing);
    if (!buffer->sha256[0])
        dv_sha256_hex(buffer->data, buffer->size, buffer->sha256);
    pthread_mutex_unlock(&buffer->hashing);
    return buffer->sha256;
}

/* The temporary file of the write under way; only one write runs at a time in a process. */
static char temporary[PATH_MAX];
static volatile int temporary_exists;

void dv_file_abandon(void)
{
    if (temporary_exists)
        unlink(temporary);
}

static bool write_all(int descriptor, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t put = write(descriptor, bytes, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        bytes += put;
        size -= (size_t)put;
    }
    return true;
}

/* The rename is only durable once the folder is on disk too. */
static void sync_folder(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder ? 1 : 0] = '\0';
    int descriptor = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        fsync(descriptor);
        close(descriptor);
    }
}

/* A device or pipe (/dev/null, /dev/stdout) cannot be replaced by a rename. */
static bool is_special(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode);
}

/* A file on its way: a temporary one beside it, or the device, pipe or stream itself. */
struct dv_file_out {
    int descriptor;
    bool replaces; /* of a temporary file by a rename */
    const char *name;
    char path[PATH_MAX];
};

static dv_status fault_of(const dv_file_out *file)
{
    return dv_fail(DV_IO, "%s: %s", file->name, strerror(errno));
}

static dv_status open_temporary(dv_file_out *file)
{
    int length = snprintf(temporary, sizeof temporary, "%s.XXXXXX", file->path);
    if (length < 0 || (size_t)length >= sizeof temporary)
        return dv_fail(DV_IO, "%.64s...: the path is too long", file->path);
    file->descriptor = mkostemp(temporary, O_CLOEXEC);
    if (file->descriptor < 0)
        return fault_of(file);
    temporary_exists = 1;
    file->replaces = true;
    return DV_OK;
}

dv_status dv_file_out_open(const char *path, dv_file_out **out)
{
    dv_file_out *file = calloc(1, sizeof *file);
    if (!file)
        return dv_fail(DV_NO_MEMORY, "%s: out of memory", path);
    dv_status status = DV_OK;
    file->name = file->path;
    if (strlen(path) >= sizeof file->path) {
        status = dv_fail(DV_IO, "%.64s...: the path is too long", path);
    } else if (strcmp(path, "-") == 0) {
        file->name = "standard output";
        file->descriptor = STDOUT_FILENO;
    } else {
        strcpy(file->path, path);
        if (!is_special(path))
            status = open_temporary(file);
        else if ((file->descriptor = open(path, O_WRONLY | O_CLOEXEC)) < 0)
            status = fault_of(file);
    }
    if (status != DV_OK)
        free(file);
    else
        *out = file;
    return status;
}

dv_status dv_file_out_put(dv_file_out *file, const void *bytes, size_t size)
{
    return write_all(file->descriptor, bytes, size) ? DV_OK : fault_of(file);
}

static dv_status replace(dv_file_out *file)
{
    mode_t mask = umask(0);
    umask(mask);
    if (fchmod(file->descriptor, 0666 & ~mask) != 0 || fsync(file->descriptor) != 0 ||
        rename(temporary, file->path) != 0)
        return fault_of(file);
    temporary_exists = 0;
    sync_folder(file->path);
    return DV_OK;
}

dv_status dv_file_out_close(dv_file_out *file, dv_status status)
{
    if (!file)
        return status;
    if (file->replaces && status == DV_OK)
        status = replace(file);
    if (file->replaces && temporary_exists) {
        unlink(temporary);
        temporary_exists = 0;
    }
    if (file->descriptor != STDOUT_FILENO)
        close(file->descriptor);
    free(file);
    return status;
}

dv_status dv_file_write(const char *path, const void *bytes, size_t size)
{
    dv_file_out *file = NULL;
    DV_TRY(dv_file_out_open(path, &file));
    return dv_file_out_close(file, dv_file_out_put(file, bytes, size));
}
