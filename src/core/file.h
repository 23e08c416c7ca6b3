/* file.h - reading untrusted files and writing whole ones. */
#ifndef DV_CORE_FILE_H
#define DV_CORE_FILE_H

#include "core/status.h"

/* Bytes shared by reference count: a mapped file, or heap memory. */
typedef struct dv_buffer dv_buffer;

/* Maps a file read-only (an empty file gives size 0). DV_IO with "path: reason" if it is missing,
   unreadable, a folder or a device. A pipe and standard input ("-") are read to their end into
   memory; more than 1 GiB of that is refused. */
DV_MUST_USE dv_status dv_buffer_map(const char *path, dv_buffer **out);

/* The same for a path that came from a file instead of a person: "-" is a name as any other, and a
   pipe, which could keep the program waiting, is DV_IO. */
DV_MUST_USE dv_status dv_buffer_map_plain(const char *path, dv_buffer **out);

/* size zeroed bytes, 64-byte aligned and padded by 64; NULL without memory. */
dv_buffer *dv_buffer_create(size_t size);

dv_buffer *dv_buffer_retain(dv_buffer *buffer); /* returns buffer; thread-safe */
void dv_buffer_release(dv_buffer *buffer);      /* NULL is allowed; thread-safe */
const uint8_t *dv_buffer_data(const dv_buffer *buffer);
uint8_t *dv_buffer_writable(dv_buffer *buffer); /* only of dv_buffer_create, before sharing */
size_t dv_buffer_size(const dv_buffer *buffer);

/* Is it a file's bytes where they are, not a copy in memory? */
bool dv_buffer_is_mapped(const dv_buffer *buffer);

/* SHA-256 of all its bytes, which must not change any more. O(size) at the first call, then kept;
   thread-safe. */
const char *dv_buffer_sha256(dv_buffer *buffer);

/* Writes the whole file or nothing: a temporary file beside it, fsync, rename. path "-" writes to
   standard output. DV_IO with "path: reason". */
DV_MUST_USE dv_status dv_file_write(const char *path, const void *bytes, size_t size);

/* The same piece by piece, for what is too large to be put together in memory first: open, put as
   often as needed, close. Only one file is written at a time in a process. */
typedef struct dv_file_out dv_file_out;
DV_MUST_USE dv_status dv_file_out_open(const char *path, dv_file_out **out);
DV_MUST_USE dv_status dv_file_out_put(dv_file_out *file, const void *bytes, size_t size);

/* Makes the file what it was opened as if status is DV_OK, else leaves what was there before;
   returns the first failure. Frees file; NULL is allowed. */
DV_MUST_USE dv_status dv_file_out_close(dv_file_out *file, dv_status status);

/* Removes temporary files of writes under way; async-signal-safe, for a signal handler. */
void dv_file_abandon(void);

/* SHA-256 (FIPS 180-4) as 64 hexadecimal digits and a NUL. */
void dv_sha256_hex(const void *bytes, size_t size, char out[65]);

/* A data file compiled into the program, such as "devices/iphone12.json"; NULL if there is none.
 *size excludes the terminating NUL that follows the bytes. */
const char *dv_embedded_find(const char *name, size_t *size);

/* The i-th embedded file's name, in the order of names; NULL past the last. */
const char *dv_embedded_name(size_t i);

#endif
