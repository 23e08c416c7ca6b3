/* flexbuffer.c - a buffer is read from its end: the root's value, its type, its width. Offsets
   point backwards from where they stand. */
#include "load/flexbuffer.h"

#include <string.h>

enum {
    INT = 1,
    UINT,
    FLOAT,
    INDIRECT_INT = 6,
    INDIRECT_UINT,
    INDIRECT_FLOAT,
    MAP,
    VECTOR_INT = 11,
    VECTOR_UINT,
    BOOL = 26
};

/* A map: its elements and its keys are vectors; the types of the elements follow them. */
typedef struct map {
    dv_span bytes;
    size_t at, width, count; /* of the elements */
    size_t keys, key_width;
} map;

/* The width bytes at a place as an unsigned integer. */
static bool bits_at(dv_span bytes, size_t at, size_t width, uint64_t *out)
{
    *out = 0;
    if (width > bytes.size || at > bytes.size - width)
        return false;
    for (size_t i = 0; i < width; i++)
        *out |= (uint64_t)bytes.data[at + i] << (8 * i);
    return true;
}

/* Where the offset at a place points to. */
static bool follow(dv_span bytes, size_t at, size_t width, size_t *to)
{
    uint64_t back;
    if (!bits_at(bytes, at, width, &back) || back > at)
        return false;
    *to = at - (size_t)back;
    return true;
}

static bool open_map(dv_span bytes, map *m)
{
    uint64_t type, width, count, key_width;
    *m = (map){.bytes = bytes};
    if (bytes.size < 3 || !bits_at(bytes, bytes.size - 1, 1, &width) ||
        !bits_at(bytes, bytes.size - 2, 1, &type) || type >> 2 != MAP || width == 0 || width > 8 ||
        bytes.size - 2 < width || !follow(bytes, bytes.size - 2 - width, width, &m->at))
        return false;
    m->width = (size_t)1 << (type & 3);
    if (m->at < 3 * m->width || !bits_at(bytes, m->at - m->width, m->width, &count) ||
        !bits_at(bytes, m->at - 2 * m->width, m->width, &key_width) ||
        !follow(bytes, m->at - 3 * m->width, m->width, &m->keys) || key_width == 0 ||
        key_width > 8 || count > bytes.size)
        return false;
    m->count = (size_t)count;
    m->key_width = (size_t)key_width;
    return true;
}

/* Does key i say so? */
static bool is_key(const map *m, size_t i, const char *key)
{
    size_t at, length = strlen(key) + 1;
    return follow(m->bytes, m->keys + i * m->key_width, m->key_width, &at) &&
           length <= m->bytes.size && at <= m->bytes.size - length &&
           memcmp(m->bytes.data + at, key, length) == 0;
}

static bool number_at(dv_span bytes, size_t at, size_t width, unsigned type, double *out)
{
    uint64_t bits;
    if (!bits_at(bytes, at, width, &bits))
        return false;
    if (type == FLOAT || type == INDIRECT_FLOAT) {
        float single;
        double value;
        uint32_t low = (uint32_t)bits;
        memcpy(&single, &low, sizeof single);
        memcpy(&value, &bits, sizeof value);
        *out = width == 8 ? value : (double)single;
        return width >= 4;
    }
    uint64_t sign = (uint64_t)1 << (8 * width - 1);
    if (type == INT || type == INDIRECT_INT)
        *out = (double)(int64_t)((bits ^ sign) - sign);
    else
        *out = (double)bits;
    return true;
}

/* Where the map holds the value of key, how wide it is there (*width), and the byte that tells its
   type. */
static bool find(dv_span bytes, const char *key, size_t *at, size_t *width, uint64_t *type)
{
    map m;
    if (!open_map(bytes, &m))
        return false;
    size_t i = 0;
    while (i < m.count && !is_key(&m, i, key))
        i++;
    *at = m.at + i * m.width;
    *width = m.width;
    return i < m.count && bits_at(bytes, m.at + m.count * m.width + i, 1, type);
}

bool dv_flex_number(dv_span bytes, const char *key, double *out)
{
    size_t at, width;
    uint64_t type;
    if (!find(bytes, key, &at, &width, &type))
        return false;
    unsigned kind = (unsigned)type >> 2;
    if (kind >= INDIRECT_INT && kind <= INDIRECT_FLOAT) {
        if (!follow(bytes, at, width, &at))
            return false;
        width = (size_t)1 << (type & 3);
    } else if (kind != INT && kind != UINT && kind != FLOAT && kind != BOOL) {
        return false;
    }
    return number_at(bytes, at, width, kind, out);
}

bool dv_flex_integers(dv_span bytes, const char *key, size_t most, int64_t *out, size_t *count)
{
    size_t at, width;
    uint64_t type, length;
    if (!find(bytes, key, &at, &width, &type))
        return false;
    unsigned kind = (unsigned)type >> 2;
    if ((kind != VECTOR_INT && kind != VECTOR_UINT) || !follow(bytes, at, width, &at))
        return false;
    width = (size_t)1 << (type & 3);
    if (at < width || !bits_at(bytes, at - width, width, &length) || length > most)
        return false;
    *count = (size_t)length;
    for (size_t i = 0; i < *count; i++) {
        double number;
        if (!number_at(bytes, at + i * width, width, kind == VECTOR_INT ? INT : UINT, &number) ||
            !(number >= -9e15 && number <= 9e15))
            return false;
        out[i] = (int64_t)number;
    }
    return true;
}
