/* slices.h - which slices of a tensor are equal. */
#ifndef DV_CORE_SLICES_H
#define DV_CORE_SLICES_H

#include "core/dtype.h"
#include "core/op.h"

/* n slices of row-major elements, each `outer` times `inner` of them. */
typedef struct dv_slices {
    const double *floats; /* NULL: the elements are integers */
    const int64_t *integers;
    size_t outer, n, inner;
} dv_slices;

/* How params cut a tensor of that shape, which has count elements; the elements are the caller's to
   add. The axis is counted from the front. */
dv_slices dv_slices_of(const dv_unique_params *params, const dv_shape *shape, size_t count);

/* Slices that are equal. */
typedef struct dv_group {
    size_t first;   /* the first of them */
    size_t name;    /* the group's place in the sorted order */
    size_t members; /* how many */
} dv_group;

/* Groups equal slices: fills the first n of `groups`, sorted (smallest slice first) or by the first
   place of each, and `of`, the group of every slice; returns how many groups there are. groups, of
   and scratch are the caller's, with room for n. O(n log n) comparisons of slices. */
size_t dv_slices_group(const dv_slices *slices, bool sorted, dv_group *groups, size_t *of,
                       size_t *scratch);

#endif
