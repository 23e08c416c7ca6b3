/* fb_writer.h - any flatbuffer by hand, for tests: parents first, then what they point to.

     fb_writer w = fb_begin("TFL3", 8);                  a root table with room for 8 fields
     fb_put(&w, FB_ROOT, 0, 4, 3);                      field 0: a number of 4 bytes
     size_t list = fb_refs(&w, FB_ROOT, 2, 1);          field 2: a vector of one table
     size_t table = fb_table(&w, 5);
     fb_point(&w, list, 0, table);
   The bytes are in w.bytes; free with dv_text_free. */
#ifndef DV_TESTS_FB_WRITER_H
#define DV_TESTS_FB_WRITER_H

#include "core/text.h"

typedef struct fb_writer {
    dv_text bytes;
    size_t root;
} fb_writer;

#define FB_ROOT 0

/* identifier of four letters; its root has room for that many fields. */
fb_writer fb_begin(const char *identifier, unsigned fields);

/* A new table, to be pointed to; its place. */
size_t fb_table(fb_writer *w, unsigned fields);

/* Sets a scalar field of a table (FB_ROOT: the root). */
void fb_put(fb_writer *w, size_t table, unsigned field, unsigned width, uint64_t bits);
void fb_put_f32(fb_writer *w, size_t table, unsigned field, float value);
void fb_put_f64(fb_writer *w, size_t table, unsigned field, double value);

/* Makes a field of a table point to a new table, vector, string, or vector of count tables (their
   offsets are set by fb_point); the place of what is new. */
size_t fb_child(fb_writer *w, size_t table, unsigned field, unsigned fields);
size_t fb_vector(fb_writer *w, size_t table, unsigned field, unsigned width, size_t count,
                 const void *elements);
size_t fb_string(fb_writer *w, size_t table, unsigned field, const char *text);
size_t fb_refs(fb_writer *w, size_t table, unsigned field, size_t count);
void fb_point(fb_writer *w, size_t refs, size_t i, size_t target);

/* A vector of i32 from "1,2,-3". */
size_t fb_ints(fb_writer *w, size_t table, unsigned field, const char *numbers);

#endif
