/* memplan.c - greedy by size, best fit. */
#include "runtime/memplan.h"

#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "runtime/backend.h"

/* A piece of the block that is taken while the item being placed lives. */
typedef struct extent {
    size_t begin, end;
} extent;

typedef struct ranked {
    size_t bytes;
    uint32_t item;
} ranked;

bool dv_memplan_padded(size_t bytes, size_t *out)
{
    size_t padded;
    if (!dv_add_size(bytes, DV_TENSOR_PADDING + DV_TENSOR_ALIGN - 1, &padded))
        return false;
    *out = padded / DV_TENSOR_ALIGN * DV_TENSOR_ALIGN;
    return true;
}

void *dv_memplan_allocate(size_t bytes)
{
    size_t padded;
    void *memory = NULL;
    if (!dv_memplan_padded(bytes, &padded) || posix_memalign(&memory, DV_TENSOR_ALIGN, padded) != 0)
        return NULL;
    memset(memory, 0, padded);
    return memory;
}

static int larger_first(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

static int by_begin(const void *a, const void *b)
{
    const extent *x = a, *y = b;
    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

static bool live_together(const dv_memplan_item *a, const dv_memplan_item *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The start of the smallest hole between the taken extents (sorted) that holds bytes; behind the
   last one if there is none. */
static size_t best_hole(const extent *taken, size_t count, size_t bytes)
{
    size_t best = SIZE_MAX, best_size = SIZE_MAX, free_from = 0;
    for (size_t i = 0; i < count; i++) {
        if (taken[i].begin > free_from) {
            size_t hole = taken[i].begin - free_from;
            if (hole >= bytes && hole < best_size) {
                best = free_from;
                best_size = hole;
            }
        }
        if (taken[i].end > free_from)
            free_from = taken[i].end;
    }
    return best == SIZE_MAX ? free_from : best;
}

static dv_status rank_items(const dv_memplan_item *items, uint32_t count, ranked *order)
{
    size_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        order[i].item = i;
        if (!dv_memplan_padded(items[i].bytes, &order[i].bytes) ||
            !dv_add_size(sum, order[i].bytes, &sum))
            return dv_fail(DV_NO_MEMORY, "the network's intermediate tensors exceed memory");
    }
    qsort(order, count, sizeof *order, larger_first);
    return DV_OK;
}

dv_status dv_memplan(dv_memplan_item *items, uint32_t count, size_t *total)
{
    *total = 0;
    if (count == 0)
        return DV_OK;
    ranked *order = calloc(count, sizeof *order);
    extent *taken = calloc(count, sizeof *taken);
    dv_status status = order && taken ? rank_items(items, count, order)
                                      : dv_fail(DV_NO_MEMORY, "no memory for the memory plan");
    for (uint32_t k = 0; status == DV_OK && k < count; k++) {
        dv_memplan_item *item = &items[order[k].item];
        size_t taken_count = 0;
        for (uint32_t j = 0; j < k; j++) {
            const dv_memplan_item *other = &items[order[j].item];
            if (live_together(item, other))
                taken[taken_count++] = (extent){other->offset, other->offset + order[j].bytes};
        }
        qsort(taken, taken_count, sizeof *taken, by_begin);
        item->offset = best_hole(taken, taken_count, order[k].bytes);
        if (item->offset + order[k].bytes > *total)
            *total = item->offset + order[k].bytes;
    }
    free(order);
    free(taken);
    return status;
}
