/* flatbuffer.h - reads any flatbuffer in place and trusts nothing.

   Tables are read by field number, as the format's schema counts them (a union takes two). Every
   offset, vtable, vector and string is checked against the bytes before it is followed; the first
   fault is kept in the buffer's status with its message, and from then on every read gives the
   default, so that a reader asks for the status once at the end of a step. Offsets only point
   forwards, so following them always ends. Encoding: https://flatbuffers.dev/internals. */
#ifndef DV_LOAD_FLATBUFFER_H
#define DV_LOAD_FLATBUFFER_H

#include "load/protobuf.h"

typedef struct dv_fb {
    const uint8_t *bytes;
    size_t size;
    dv_status status; /* DV_BAD_INPUT once something was malformed */
} dv_fb;

typedef struct dv_fb_table {
    dv_fb *fb;
    size_t at; /* 0: absent; every field then has its default */
    size_t vtable;
    uint16_t field_bytes, table_bytes; /* of the vtable's entries; of the table */
} dv_fb_table;

typedef struct dv_fb_vector {
    dv_fb *fb;
    size_t at; /* of the first element */
    uint32_t count;
    uint32_t width; /* bytes of an element */
} dv_fb_vector;

/* The root table. */
dv_fb_table dv_fb_root(dv_fb *fb);

/* Scalar fields; absent ones give the default. */
bool dv_fb_flag(const dv_fb_table *table, unsigned field, bool absent);
uint8_t dv_fb_u8(const dv_fb_table *table, unsigned field, uint8_t absent);
int8_t dv_fb_i8(const dv_fb_table *table, unsigned field, int8_t absent);
int32_t dv_fb_i32(const dv_fb_table *table, unsigned field, int32_t absent);
uint32_t dv_fb_u32(const dv_fb_table *table, unsigned field, uint32_t absent);
int64_t dv_fb_i64(const dv_fb_table *table, unsigned field, int64_t absent);
uint64_t dv_fb_u64(const dv_fb_table *table, unsigned field, uint64_t absent);
float dv_fb_f32(const dv_fb_table *table, unsigned field, float absent);
double dv_fb_f64(const dv_fb_table *table, unsigned field, double absent);

/* A table, a vector of elements of width bytes, a string without its terminator; absent: at 0,
   count 0, an empty span. */
dv_fb_table dv_fb_child(const dv_fb_table *table, unsigned field);
dv_fb_vector dv_fb_list(const dv_fb_table *table, unsigned field, uint32_t width);
dv_span dv_fb_string(const dv_fb_table *table, unsigned field);

/* A vector of tables. */
dv_fb_vector dv_fb_tables(const dv_fb_table *table, unsigned field);

/* Elements of a vector; past its end a fault. */
dv_fb_table dv_fb_table_at(const dv_fb_vector *vector, uint32_t i);
int32_t dv_fb_i32_at(const dv_fb_vector *vector, uint32_t i);
int64_t dv_fb_i64_at(const dv_fb_vector *vector, uint32_t i);
float dv_fb_f32_at(const dv_fb_vector *vector, uint32_t i);
uint64_t dv_fb_bits_at(const dv_fb_vector *vector, uint32_t i); /* of the element's own width */

/* The vector's bytes. */
dv_span dv_fb_bytes(const dv_fb_vector *vector);

#endif
