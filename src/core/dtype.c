/* dtype.c - element types and shapes. */
#include "core/dtype.h"

#include <stdio.h>
#include <string.h>

#include "core/arena.h"

static const struct {
    size_t bytes;
    const char *name;
} rows[] = {
#define ROW(name, bytes, text) [DV_DTYPE_##name] = {bytes, text},
    DV_DTYPE_LIST(ROW)
#undef ROW
};

size_t dv_dtype_bytes(dv_dtype dtype)
{
    return rows[dtype].bytes;
}

const char *dv_dtype_name(dv_dtype dtype)
{
    return rows[dtype].name;
}

bool dv_dtype_from_name(const char *name, dv_dtype *out)
{
    for (int i = 1; i < DV_DTYPE_COUNT; i++)
        if (strcmp(name, rows[i].name) == 0) {
            *out = (dv_dtype)i;
            return true;
        }
    return false;
}

bool dv_dtype_is_float(dv_dtype dtype)
{
    return dtype == DV_DTYPE_F32 || dtype == DV_DTYPE_F16 || dtype == DV_DTYPE_BF16 ||
           dtype == DV_DTYPE_F64;
}

dv_shape dv_shape_make(const int64_t *dims, size_t rank)
{
    dv_shape shape = {.rank = (uint8_t)rank};
    for (size_t i = 0; i < rank; i++)
        shape.dim[i] = dims[i];
    return shape;
}

bool dv_shape_known(const dv_shape *shape)
{
    if (shape->rank > DV_MAX_RANK)
        return false;
    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i] < 0)
            return false;
    return true;
}

bool dv_shape_equal(const dv_shape *a, const dv_shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank && a->rank <= DV_MAX_RANK; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

bool dv_shape_elements(const dv_shape *shape, size_t *out)
{
    if (!dv_shape_known(shape))
        return false;
    size_t elements = 1;
    for (int i = 0; i < shape->rank; i++)
        if (!dv_mul_size(elements, (size_t)shape->dim[i], &elements))
            return false;
    *out = elements;
    return true;
}

bool dv_shape_broadcast(const dv_shape *a, const dv_shape *b, dv_shape *out)
{
    if (!dv_shape_known(a) || !dv_shape_known(b))
        return false;
    dv_shape result = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (int i = 1; i <= result.rank; i++) {
        int64_t p = i <= a->rank ? a->dim[a->rank - i] : 1;
        int64_t q = i <= b->rank ? b->dim[b->rank - i] : 1;
        if (p != q && p != 1 && q != 1)
            return false;
        result.dim[result.rank - i] = p == 1 ? q : p;
    }
    *out = result;
    return true;
}

char *dv_shape_text(const dv_shape *shape, char out[DV_SHAPE_TEXT])
{
    if (shape->rank > DV_MAX_RANK) {
        strcpy(out, "?");
    } else if (shape->rank == 0) {
        strcpy(out, "scalar");
    } else {
        size_t at = 0;
        for (int i = 0; i < shape->rank; i++) {
            const char *between = i > 0 ? "x" : "";
            int n = shape->dim[i] < 0 ? snprintf(out + at, DV_SHAPE_TEXT - at, "%s?", between)
                                      : snprintf(out + at, DV_SHAPE_TEXT - at, "%s%lld", between,
                                                 (long long)shape->dim[i]);
            at += (size_t)n;
        }
    }
    return out;
}
