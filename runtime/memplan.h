/* memplan.h - where in one block of memory each intermediate tensor lies.

   Two tensors may share bytes if no step needs both. Greedy by size with best fit (largest first,
   each into the smallest hole that takes it), as in Pisarchyk and Lee, "Efficient Memory
   Management for Deep Neural Net Inference", 2020: near the peak of live bytes on real networks. */
#ifndef DV_RUNTIME_MEMPLAN_H
#define DV_RUNTIME_MEMPLAN_H

#include "core/status.h"

typedef struct dv_memplan_item {
    size_t bytes;         /* of the tensor itself, padding not included */
    uint32_t first, last; /* steps that need it, from the one that writes it; inclusive */
    size_t offset;        /* out: multiple of DV_TENSOR_ALIGN */
} dv_memplan_item;

/* Sets every item's offset and *total, the bytes of the block. Each item is given its bytes plus
   DV_TENSOR_PADDING, rounded up to DV_TENSOR_ALIGN; items of 0 bytes too. DV_NO_MEMORY if the sum
   overflows. O(items^2); more than 4,096 items are placed in O(items log items), each where one of
   nearly its size was, in up to a quarter more memory and what sizes of different times cannot
   share. */
DV_MUST_USE dv_status dv_memplan(dv_memplan_item *items, uint32_t count, size_t *total);

/* bytes + DV_TENSOR_PADDING rounded up to DV_TENSOR_ALIGN; false on overflow. */
bool dv_memplan_padded(size_t bytes, size_t *out);

/* Memory for tensors: bytes padded as above, aligned, zeroed and already touched (a first touch
   costs microseconds a page). NULL without memory. Freed with free(). */
void *dv_memplan_allocate(size_t bytes);

#endif
