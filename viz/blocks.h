/* blocks.h - the repeated blocks of a network. */
#ifndef DV_VIZ_BLOCKS_H
#define DV_VIZ_BLOCKS_H

#include "core/problem.h"
#include "viz/unit_text.h"

/* `repeats` times the same `period` types of units, from unit `first` on. */
typedef struct dv_block_run {
    uint32_t first, period, repeats;
} dv_block_run;

typedef struct dv_blocks {
    uint32_t run_count, block_count;
    dv_block_run *runs;
    uint32_t *block_of; /* per unit: number of its block; DV_NONE outside */
} dv_blocks;

/* Runs of at least two times three units, of more than one type, that follow each other; the best
   first. Blocks begin where the fewest values cross. DV_NO_MEMORY. O(units * periods up to 256). */
DV_MUST_USE dv_status dv_blocks_find(const dv_problem *problem, const dv_unit_text *texts,
                                     dv_arena *arena, dv_blocks *out);

#endif
