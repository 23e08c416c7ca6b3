#include "core/slices.h"

#include <stdlib.h>

dv_slices dv_slices_of(const dv_unique_params *params, const dv_shape *shape, size_t count)
{
    dv_slices s = {.outer = 1, .n = count, .inner = 1};
    if (params->flat)
        return s;
    s.n = (size_t)shape->dim[params->axis];
    for (int64_t d = 0; d < params->axis; d++)
        s.outer *= (size_t)shape->dim[d];
    for (int64_t d = params->axis + 1; d < shape->rank; d++)
        s.inner *= (size_t)shape->dim[d];
    return s;
}

static int compare_slices(const dv_slices *s, size_t i, size_t k)
{
    for (size_t o = 0; o < s->outer; o++)
        for (size_t e = 0; e < s->inner; e++) {
            size_t a = (o * s->n + i) * s->inner + e, b = (o * s->n + k) * s->inner + e;
            int order = s->floats
                            ? (s->floats[a] > s->floats[b]) - (s->floats[a] < s->floats[b])
                            : (s->integers[a] > s->integers[b]) - (s->integers[a] < s->integers[b]);
            if (order != 0)
                return order;
        }
    return 0;
}

static int compare_with_place(const void *a, const void *b, void *context)
{
    size_t i = *(const size_t *)a, k = *(const size_t *)b;
    int order = compare_slices(context, i, k);
    return order ? order : (i > k) - (i < k);
}

static int compare_first(const void *a, const void *b)
{
    const dv_group *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

size_t dv_slices_group(const dv_slices *slices, bool sorted, dv_group *groups, size_t *of,
                       size_t *scratch)
{
    size_t count = 0;
    if (slices->n == 0)
        return 0;
    for (size_t i = 0; i < slices->n; i++)
        scratch[i] = i;
    qsort_r(scratch, slices->n, sizeof *scratch, compare_with_place, (void *)slices);
    for (size_t i = 0; i < slices->n; i++) {
        if (i == 0 || compare_slices(slices, scratch[i - 1], scratch[i]) != 0) {
            groups[count] = (dv_group){.first = scratch[i], .name = count};
            count++;
        }
        groups[count - 1].members++;
        of[scratch[i]] = count - 1;
    }
    if (!sorted) { /* what groups were called in `of` follows */
        qsort(groups, count, sizeof *groups, compare_first);
        for (size_t g = 0; g < count; g++)
            scratch[groups[g].name] = g;
        for (size_t i = 0; i < slices->n; i++)
            of[i] = scratch[of[i]];
    }
    return count;
}
