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

/* ---- very many items ---- */

/* Sizes that count as one: a quarter of a power of two apart. */
enum { QUARTERS = 4, CLASS_COUNT = 64 * QUARTERS + QUARTERS, MOST_EXACT = 4096 };

static size_t class_of(size_t bytes, size_t *rounded)
{
    size_t power = DV_TENSOR_ALIGN, exponent = 0;
    while (power <= bytes / 2) {
        power *= 2;
        exponent++;
    }
    size_t quarter = power / QUARTERS, steps = (bytes - power + quarter - 1) / quarter;
    *rounded = power + steps * quarter;
    return exponent * QUARTERS + steps; /* four steps up is the next power's first class */
}

typedef struct event {
    uint32_t step, item;
} event;

static int by_step(const void *a, const void *b)
{
    const event *p = a, *q = b;
    if (p->step != q->step)
        return p->step < q->step ? -1 : 1;
    return p->item < q->item ? -1 : p->item > q->item;
}

/* Every item takes the place that one of its size class left last, or a new one. */
static dv_status place_by_class(dv_memplan_item *items, uint32_t count, event *begins, event *ends,
                                uint32_t *below, size_t *total)
{
    uint32_t left[CLASS_COUNT]; /* per class the item whose place is free, of a stack */
    for (size_t c = 0; c < CLASS_COUNT; c++)
        left[c] = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        begins[i] = (event){items[i].first, i};
        ends[i] = (event){items[i].last, i};
    }
    qsort(begins, count, sizeof *begins, by_step);
    qsort(ends, count, sizeof *ends, by_step);
    uint32_t ended = 0;
    for (uint32_t k = 0; k < count; k++) {
        dv_memplan_item *item = &items[begins[k].item];
        size_t bytes, rounded;
        for (; ended < count && ends[ended].step < item->first; ended++) {
            uint32_t over = ends[ended].item;
            if (!dv_memplan_padded(items[over].bytes, &bytes))
                continue; /* it was refused */
            size_t c = class_of(bytes, &rounded);
            below[over] = left[c];
            left[c] = over;
        }
        if (!dv_memplan_padded(item->bytes, &bytes) || bytes > SIZE_MAX / 2)
            return dv_fail(DV_NO_MEMORY, "the network's intermediate tensors exceed memory");
        size_t c = class_of(bytes, &rounded);
        if (left[c] != UINT32_MAX) {
            item->offset = items[left[c]].offset;
            left[c] = below[left[c]];
            continue;
        }
        item->offset = *total;
        if (!dv_add_size(*total, rounded, total))
            return dv_fail(DV_NO_MEMORY, "the network's intermediate tensors exceed memory");
    }
    return DV_OK;
}

static dv_status plan_by_class(dv_memplan_item *items, uint32_t count, size_t *total)
{
    event *begins = calloc(count, sizeof *begins), *ends = calloc(count, sizeof *ends);
    uint32_t *below = calloc(count, sizeof *below);
    dv_status status = begins && ends && below
                           ? place_by_class(items, count, begins, ends, below, total)
                           : dv_fail(DV_NO_MEMORY, "no memory for the memory plan");
    free(begins);
    free(ends);
    free(below);
    return status;
}

dv_status dv_memplan(dv_memplan_item *items, uint32_t count, size_t *total)
{
    *total = 0;
    if (count == 0)
        return DV_OK;
    if (count > MOST_EXACT)
        return plan_by_class(items, count, total);
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
