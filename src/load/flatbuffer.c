#include "load/flatbuffer.h"

#include <string.h>

static void fault(dv_fb *fb, size_t at, const char *what)
{
    if (fb->status == DV_OK)
        fb->status =
            dv_fail(DV_BAD_INPUT, "byte %zu: %s; the file is damaged or truncated", at, what);
}

/* width little-endian bytes at `at`, which must lie inside; 0 and a fault otherwise. */
static uint64_t bits_at(dv_fb *fb, size_t at, size_t width)
{
    if (fb->status != DV_OK)
        return 0;
    if (at > fb->size || fb->size - at < width) {
        fault(fb, at, "a number lies outside the file");
        return 0;
    }
    uint64_t bits = 0;
    for (size_t i = 0; i < width; i++)
        bits |= (uint64_t)fb->bytes[at + i] << (8 * i);
    return bits;
}

/* The place that the offset stored at `at` points to; 0 and a fault if there is none. */
static size_t follow(dv_fb *fb, size_t at)
{
    uint64_t offset = bits_at(fb, at, 4);
    if (fb->status != DV_OK)
        return 0;
    if (offset == 0 || offset >= fb->size - at) {
        fault(fb, at, "an offset leads out of the file");
        return 0;
    }
    return at + (size_t)offset;
}

static dv_fb_table table_at(dv_fb *fb, size_t at)
{
    dv_fb_table absent = {.fb = fb}, table = {.fb = fb, .at = at};
    int64_t back = (int32_t)(uint32_t)bits_at(fb, at, 4);
    if (fb->status != DV_OK || at == 0)
        return absent;
    int64_t vtable = (int64_t)at - back; /* file sizes are far below 2^63 */
    if (vtable < 0 || (uint64_t)vtable >= fb->size) {
        fault(fb, at, "a table's layout lies outside the file");
        return absent;
    }
    table.vtable = (size_t)vtable;
    uint64_t vtable_bytes = bits_at(fb, table.vtable, 2);
    table.table_bytes = (uint16_t)bits_at(fb, table.vtable + 2, 2);
    if (fb->status != DV_OK)
        return absent;
    if (vtable_bytes < 4 || vtable_bytes % 2 != 0 || fb->size - table.vtable < vtable_bytes ||
        table.table_bytes < 4 || fb->size - at < table.table_bytes) {
        fault(fb, at, "a table does not fit into the file");
        return absent;
    }
    table.field_bytes = (uint16_t)(vtable_bytes - 4);
    return table;
}

dv_fb_table dv_fb_root(dv_fb *fb)
{
    return table_at(fb, follow(fb, 0));
}

/* Where a field of width bytes is; 0 if it is absent. */
static size_t field_at(const dv_fb_table *table, unsigned field, size_t width)
{
    if (table->at == 0 || table->fb->status != DV_OK || 2 * (size_t)field >= table->field_bytes)
        return 0;
    size_t offset = (size_t)bits_at(table->fb, table->vtable + 4 + 2 * (size_t)field, 2);
    if (offset == 0)
        return 0;
    if (offset < 4 || offset + width > table->table_bytes) {
        fault(table->fb, table->at, "a field lies outside its table");
        return 0;
    }
    return table->at + offset;
}

/* The bits of a scalar field, or those of the default. */
static uint64_t scalar(const dv_fb_table *table, unsigned field, size_t width, uint64_t absent)
{
    size_t at = field_at(table, field, width);
    return at ? bits_at(table->fb, at, width) : absent;
}

bool dv_fb_flag(const dv_fb_table *table, unsigned field, bool absent)
{
    return scalar(table, field, 1, absent) != 0;
}

uint8_t dv_fb_u8(const dv_fb_table *table, unsigned field, uint8_t absent)
{
    return (uint8_t)scalar(table, field, 1, absent);
}

int8_t dv_fb_i8(const dv_fb_table *table, unsigned field, int8_t absent)
{
    return (int8_t)(uint8_t)scalar(table, field, 1, (uint8_t)absent);
}

int32_t dv_fb_i32(const dv_fb_table *table, unsigned field, int32_t absent)
{
    return (int32_t)(uint32_t)scalar(table, field, 4, (uint32_t)absent);
}

uint32_t dv_fb_u32(const dv_fb_table *table, unsigned field, uint32_t absent)
{
    return (uint32_t)scalar(table, field, 4, absent);
}

int64_t dv_fb_i64(const dv_fb_table *table, unsigned field, int64_t absent)
{
    return (int64_t)scalar(table, field, 8, (uint64_t)absent);
}

uint64_t dv_fb_u64(const dv_fb_table *table, unsigned field, uint64_t absent)
{
    return scalar(table, field, 8, absent);
}

float dv_fb_f32(const dv_fb_table *table, unsigned field, float absent)
{
    size_t at = field_at(table, field, 4);
    return at ? dv_pb_float(bits_at(table->fb, at, 4)) : absent;
}

double dv_fb_f64(const dv_fb_table *table, unsigned field, double absent)
{
    size_t at = field_at(table, field, 8);
    return at ? dv_pb_double(bits_at(table->fb, at, 8)) : absent;
}

dv_fb_table dv_fb_child(const dv_fb_table *table, unsigned field)
{
    size_t at = field_at(table, field, 4);
    return at ? table_at(table->fb, follow(table->fb, at)) : (dv_fb_table){.fb = table->fb};
}

dv_fb_vector dv_fb_list(const dv_fb_table *table, unsigned field, uint32_t width)
{
    dv_fb_vector vector = {.fb = table->fb, .width = width};
    size_t at = field_at(table, field, 4);
    size_t start = at ? follow(table->fb, at) : 0;
    if (start == 0)
        return vector;
    uint64_t count = bits_at(table->fb, start, 4);
    if (table->fb->status != DV_OK)
        return vector;
    if (count > (table->fb->size - start - 4) / width) {
        fault(table->fb, start, "a list is longer than the file");
        return vector;
    }
    vector.at = start + 4;
    vector.count = (uint32_t)count;
    return vector;
}

dv_fb_vector dv_fb_tables(const dv_fb_table *table, unsigned field)
{
    return dv_fb_list(table, field, 4);
}

dv_span dv_fb_bytes(const dv_fb_vector *vector)
{
    if (vector->count == 0)
        return (dv_span){0};
    return (dv_span){vector->fb->bytes + vector->at, (size_t)vector->count * vector->width};
}

dv_span dv_fb_string(const dv_fb_table *table, unsigned field)
{
    dv_fb_vector letters = dv_fb_list(table, field, 1);
    return dv_fb_bytes(&letters);
}

static bool has(const dv_fb_vector *vector, uint32_t i)
{
    if (vector->fb->status != DV_OK)
        return false;
    if (i < vector->count)
        return true;
    fault(vector->fb, vector->at, "a list is shorter than its index");
    return false;
}

uint64_t dv_fb_bits_at(const dv_fb_vector *vector, uint32_t i)
{
    return has(vector, i)
               ? bits_at(vector->fb, vector->at + (size_t)i * vector->width, vector->width)
               : 0;
}

dv_fb_table dv_fb_table_at(const dv_fb_vector *vector, uint32_t i)
{
    if (!has(vector, i))
        return (dv_fb_table){.fb = vector->fb};
    return table_at(vector->fb, follow(vector->fb, vector->at + 4 * (size_t)i));
}

int32_t dv_fb_i32_at(const dv_fb_vector *vector, uint32_t i)
{
    return (int32_t)(uint32_t)dv_fb_bits_at(vector, i);
}

int64_t dv_fb_i64_at(const dv_fb_vector *vector, uint32_t i)
{
    return (int64_t)dv_fb_bits_at(vector, i);
}

float dv_fb_f32_at(const dv_fb_vector *vector, uint32_t i)
{
    return dv_pb_float(dv_fb_bits_at(vector, i));
}
