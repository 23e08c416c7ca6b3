/* unit_heap.c - sifting up and down. */
#include "solver/unit_heap.h"

static bool precedes(const dv_unit_heap *heap, dv_unit_id u, dv_unit_id v)
{
    const double *priority = heap->priority;
    return priority && priority[u] != priority[v] ? priority[u] > priority[v] : u < v;
}

void dv_unit_heap_push(dv_unit_heap *heap, dv_unit_id u)
{
    uint32_t i = heap->count++;
    for (; i > 0 && precedes(heap, u, heap->unit[(i - 1) / 2]); i = (i - 1) / 2)
        heap->unit[i] = heap->unit[(i - 1) / 2];
    heap->unit[i] = u;
}

dv_unit_id dv_unit_heap_pop(dv_unit_heap *heap)
{
    dv_unit_id first = heap->unit[0], last = heap->unit[--heap->count];
    uint32_t i = 0;
    for (uint32_t child; (child = 2 * i + 1) < heap->count; i = child) {
        if (child + 1 < heap->count && precedes(heap, heap->unit[child + 1], heap->unit[child]))
            child++;
        if (!precedes(heap, heap->unit[child], last))
            break;
        heap->unit[i] = heap->unit[child];
    }
    heap->unit[i] = last;
    return first;
}
