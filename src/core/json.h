/* json.h - reading JSON strictly, with the path of every fault, and writing it exactly.

   Readers walk with a dv_json_at, a value that knows its file and its path, so that every message
   says "iphone12.json: devices[2].dispatch_us: ...". */
#ifndef DV_CORE_JSON_H
#define DV_CORE_JSON_H

#include "core/arena.h"
#include "core/text.h"

typedef struct cJSON dv_json;

/* Bytes of the UTF-8 sequence that text of size > 0 bytes starts with, 0 if it is none (RFC 3629).
 */
size_t dv_utf8_length(const char *text, size_t size);

/* Parses size bytes. DV_BAD_INPUT with "file: line L, column C: ...", also for nesting deeper than
   the library's limit, trailing characters, bytes that are not UTF-8, and repeated keys within one
   object. */
DV_MUST_USE dv_status dv_json_parse(const char *file, const char *text, size_t size, dv_json **out);
void dv_json_destroy(dv_json *json);

/* A place in a document. Copy freely; the parent must outlive it. */
typedef struct dv_json_at {
    const dv_json *node; /* NULL: absent */
    const char *file;
    const struct dv_json_at *parent;
    const char *key; /* NULL: element of an array */
    size_t index;
} dv_json_at;

dv_json_at dv_json_root(const dv_json *json, const char *file);

/* The member of an object or element of an array; absent if there is none. O(members). */
dv_json_at dv_json_member(const dv_json_at *at, const char *key);
dv_json_at dv_json_element(const dv_json_at *at, size_t index);

/* First child and next sibling, for loops in O(1) a step. */
dv_json_at dv_json_first(const dv_json_at *at);
dv_json_at dv_json_next(const dv_json_at *at);

size_t dv_json_count(const dv_json_at *at); /* elements or members; 0 if neither */
bool dv_json_present(const dv_json_at *at); /* and not null */
bool dv_json_is_object(const dv_json_at *at);
bool dv_json_is_array(const dv_json_at *at);
bool dv_json_is_string(const dv_json_at *at);
bool dv_json_is_number(const dv_json_at *at);

/* DV_BAD_INPUT with "file: path: message". */
dv_status dv_json_fail(const dv_json_at *at, const char *format, ...) DV_PRINTF(2, 3);

/* Fails unless the document's "divvy" key is noun ("platform/1"). */
DV_MUST_USE dv_status dv_json_expect_noun(const dv_json_at *root, const char *noun);

/* Fails on a member of the object that keys (NULL-terminated) does not list; suggests the nearest.
 */
DV_MUST_USE dv_status dv_json_only(const dv_json_at *at, const char *const *keys);

/* Required values: a failure names path and what was expected. Strings are borrowed from the
   document. Numbers must be finite, except that dv_json_number_or_inf takes "inf" and null as
   INFINITY. */
DV_MUST_USE dv_status dv_json_string(const dv_json_at *at, const char **out);
DV_MUST_USE dv_status dv_json_number(const dv_json_at *at, double *out);
DV_MUST_USE dv_status dv_json_number_or_inf(const dv_json_at *at, double *out);
DV_MUST_USE dv_status dv_json_integer(const dv_json_at *at, int64_t low, int64_t high,
                                      int64_t *out);
DV_MUST_USE dv_status dv_json_bool(const dv_json_at *at, bool *out);
DV_MUST_USE dv_status dv_json_array(const dv_json_at *at);
DV_MUST_USE dv_status dv_json_object(const dv_json_at *at);

/* Writing: a small state machine over a dv_text; commas, indentation (two spaces) and escapes are
   its business. Numbers are written with the fewest digits that read back equal; infinity as
   "inf", NaN as null. key NULL inside arrays. */
typedef struct dv_json_writer {
    dv_text *out;
    int depth;
    uint64_t has_items; /* bit d: the container at depth d has an item already */
    uint64_t compact;   /* bit d: the container at depth d stays on one line */
} dv_json_writer;

dv_json_writer dv_json_writer_on(dv_text *out);
void dv_json_begin_object(dv_json_writer *writer, const char *key);
void dv_json_begin_array(dv_json_writer *writer, const char *key);
void dv_json_begin_line(dv_json_writer *writer, const char *key, char bracket); /* '{' or '[' */
void dv_json_end(dv_json_writer *writer, char bracket);                         /* '}' or ']' */
void dv_json_put_string(dv_json_writer *writer, const char *key,
                        const char *value); /* NULL: null */
/* Is text what a reader gets of value once it was written? */
bool dv_json_is_spelt(const char *value, const char *text);
void dv_json_put_number(dv_json_writer *writer, const char *key, double value);
void dv_json_put_integer(dv_json_writer *writer, const char *key, int64_t value);
void dv_json_put_bool(dv_json_writer *writer, const char *key, bool value);

#endif
