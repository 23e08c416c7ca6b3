/* unit_heap.h - units that wait, the most urgent first: a binary heap. */
#ifndef DV_SOLVER_UNIT_HEAP_H
#define DV_SOLVER_UNIT_HEAP_H

#include "core/graph.h"

typedef struct dv_unit_heap {
    const double *priority; /* per unit; NULL: the lowest unit is first */
    dv_unit_id *unit;       /* owned by the caller: room for all that wait at once */
    uint32_t count;
} dv_unit_heap;

/* O(log count). Of equal priorities the lower unit is first. */
void dv_unit_heap_push(dv_unit_heap *heap, dv_unit_id u);
dv_unit_id dv_unit_heap_pop(dv_unit_heap *heap); /* of a heap that is not empty */

#endif
