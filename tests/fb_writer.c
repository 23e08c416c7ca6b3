#include "tests/fb_writer.h"

#include <stdlib.h>
#include <string.h>

/* Tables are a layout of all their fields, then eight bytes for each. */

static void set(fb_writer *w, size_t at, unsigned width, uint64_t bits)
{
    for (unsigned i = 0; i < width; i++)
        w->bytes.data[at + i] = (char)(bits >> (8 * i));
}

static size_t append(fb_writer *w, size_t size)
{
    static const char zeros[64];
    while (w->bytes.length % 8 != 0)
        dv_text_append_n(&w->bytes, zeros, 1);
    size_t at = w->bytes.length;
    for (size_t left = size; left > 0;) {
        size_t part = left < sizeof zeros ? left : sizeof zeros;
        dv_text_append_n(&w->bytes, zeros, part);
        left -= part;
    }
    if (w->bytes.failed)
        abort();
    return at;
}

fb_writer fb_begin(const char *identifier, unsigned fields)
{
    fb_writer w = {0};
    append(&w, 8);
    memcpy(w.bytes.data + 4, identifier, 4);
    w.root = fb_table(&w, fields);
    set(&w, 0, 4, w.root);
    return w;
}

size_t fb_table(fb_writer *w, unsigned fields)
{
    size_t layout = append(w, 4 + 2 * (size_t)fields);
    size_t table = append(w, 8 + 8 * (size_t)fields);
    set(w, layout, 2, 4 + 2 * fields);
    set(w, layout + 2, 2, 8 + 8 * fields);
    set(w, table, 4, table - layout);
    return table;
}

/* The place of a field, which is thereby there. */
static size_t field_at(fb_writer *w, size_t table, unsigned field)
{
    if (table == FB_ROOT)
        table = w->root;
    size_t back = 0;
    for (unsigned i = 0; i < 4; i++)
        back |= (size_t)(unsigned char)w->bytes.data[table + i] << (8 * i);
    set(w, table - back + 4 + 2 * (size_t)field, 2, 8 + 8 * field);
    return table + 8 + 8 * (size_t)field;
}

void fb_put(fb_writer *w, size_t table, unsigned field, unsigned width, uint64_t bits)
{
    set(w, field_at(w, table, field), width, bits);
}

void fb_put_f32(fb_writer *w, size_t table, unsigned field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    fb_put(w, table, field, 4, bits);
}

void fb_put_f64(fb_writer *w, size_t table, unsigned field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    fb_put(w, table, field, 8, bits);
}

static void refer(fb_writer *w, size_t at, size_t target)
{
    set(w, at, 4, target - at);
}

size_t fb_child(fb_writer *w, size_t table, unsigned field, unsigned fields)
{
    size_t child = fb_table(w, fields);
    refer(w, field_at(w, table, field), child);
    return child;
}

size_t fb_vector(fb_writer *w, size_t table, unsigned field, unsigned width, size_t count,
                 const void *elements)
{
    size_t at = append(w, 16 + count * width) + 4; /* elements aligned to 8 */
    set(w, at, 4, count);
    if (count > 0 && elements)
        memcpy(w->bytes.data + at + 4, elements, count * width);
    refer(w, field_at(w, table, field), at);
    return at;
}

size_t fb_string(fb_writer *w, size_t table, unsigned field, const char *text)
{
    return fb_vector(w, table, field, 1, strlen(text), text);
}

size_t fb_refs(fb_writer *w, size_t table, unsigned field, size_t count)
{
    return fb_vector(w, table, field, 4, count, NULL);
}

void fb_point(fb_writer *w, size_t refs, size_t i, size_t target)
{
    size_t at = refs + 4 + 4 * i;
    refer(w, at, target);
}

size_t fb_ints(fb_writer *w, size_t table, unsigned field, const char *numbers)
{
    int32_t values[64];
    size_t count = 0;
    for (char *end; *numbers && count < 64; numbers = *end == ',' ? end + 1 : end)
        values[count++] = (int32_t)strtol(numbers, &end, 10);
    return fb_vector(w, table, field, 4, count, values);
}
