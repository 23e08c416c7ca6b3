/* walk.c - stepping several arrays through one index space, row by row. */
#include <string.h>

#include "runtime/portable/kernel.h"

/* Can the dim `inner` be the continuation of `outer` for every array? */
static bool even(const dv_walk *walk, size_t outer, size_t inner)
{
    for (size_t a = 0; a < walk->many; a++)
        if (walk->stride[a][outer] != walk->stride[a][inner] * (ptrdiff_t)walk->dim[inner])
            return false;
    return true;
}

static void append_dim(dv_walk *walk, size_t dim, ptrdiff_t (*stride)[DV_WALK_RANK], size_t from)
{
    size_t at = walk->rank++;
    walk->dim[at] = dim;
    for (size_t a = 0; a < walk->many; a++)
        walk->stride[a][at] = stride[a][from];
    if (at > 0 && even(walk, at - 1, at)) {
        walk->dim[at - 1] *= dim;
        for (size_t a = 0; a < walk->many; a++)
            walk->stride[a][at - 1] = walk->stride[a][at];
        walk->rank--;
    }
}

void dv_walk_start(dv_walk *walk, size_t rank, const int64_t *dim, size_t many,
                   ptrdiff_t (*stride)[DV_WALK_RANK])
{
    memset(walk, 0, sizeof *walk);
    walk->many = many;
    walk->length = 1;
    for (size_t d = 0; d < rank; d++) {
        if (dim[d] == 0)
            walk->empty = true;
        if (dim[d] != 1)
            append_dim(walk, (size_t)dim[d], stride, d);
    }
    if (walk->rank == 0)
        return;
    size_t last = --walk->rank; /* the row is no part of the space of rows */
    walk->length = walk->dim[last];
    for (size_t a = 0; a < many; a++)
        walk->step[a] = walk->stride[a][last];
}

bool dv_walk_next(dv_walk *walk)
{
    for (size_t d = walk->rank; d-- > 0;) {
        for (size_t a = 0; a < walk->many; a++)
            walk->at[a] += walk->stride[a][d];
        if (++walk->index[d] < walk->dim[d])
            return true;
        walk->index[d] = 0;
        for (size_t a = 0; a < walk->many; a++)
            walk->at[a] -= walk->stride[a][d] * (ptrdiff_t)walk->dim[d];
    }
    return false;
}

void dv_strides(const dv_shape *shape, ptrdiff_t *stride)
{
    ptrdiff_t step = 1;
    for (size_t d = shape->rank; d-- > 0;) {
        stride[d] = step;
        step *= (ptrdiff_t)shape->dim[d];
    }
}

void dv_broadcast_strides(const dv_shape *operand, const dv_shape *over, ptrdiff_t *stride)
{
    size_t missing = (size_t)(over->rank - operand->rank);
    dv_strides(operand, stride + missing);
    for (size_t d = 0; d < over->rank; d++)
        if (d < missing || operand->dim[d - missing] == 1)
            stride[d] = 0;
}

#define COPY_ROW(type)                                              \
    do {                                                            \
        type *target = (type *)to + walk->at[0];                    \
        const type *source = (const type *)from + walk->at[1];      \
        for (size_t i = 0; i < walk->length;                        \
             i++, target += walk->step[0], source += walk->step[1]) \
            *target = *source;                                      \
    } while (0)

void dv_copy_walk(dv_walk *walk, size_t size, void *to, const void *from)
{
    if (walk->empty)
        return;
    bool solid = walk->length == 1 || (walk->step[0] == 1 && walk->step[1] == 1);
    do {
        if (solid)
            memcpy((char *)to + walk->at[0] * (ptrdiff_t)size,
                   (const char *)from + walk->at[1] * (ptrdiff_t)size, walk->length * size);
        else if (size == 1)
            COPY_ROW(uint8_t);
        else if (size == 2)
            COPY_ROW(uint16_t);
        else if (size == 4)
            COPY_ROW(uint32_t);
        else
            COPY_ROW(uint64_t);
    } while (dv_walk_next(walk));
}
