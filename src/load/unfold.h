/* unfold.h - how much a reader may make that its file does not hold.

   Functions that are called more than once, loops and recurrent layers written out step by step,
   branches that are built wherever they are entered: a short file could ask for any number of
   operators by them. What is made beyond the file's own is counted in nodes, a long name or a long
   list counting as several, and bounded by the file's length. */
#ifndef DV_LOAD_UNFOLD_H
#define DV_LOAD_UNFOLD_H

#include <stddef.h>

/* Nodes that a file of that length may unfold into: 16,384, one more for every 8 bytes, and never
   more than 131,072. */
static inline size_t dv_unfold_most(size_t file_bytes)
{
    const size_t least = (size_t)1 << 14, most = (size_t)1 << 17;
    return file_bytes / 8 < most - least ? least + file_bytes / 8 : most;
}

/* Nodes as which operands count under a name of that length: none while it is short. Each may
   become an operator that is called after it. */
static inline size_t dv_unfold_names(size_t operands, size_t name_bytes)
{
    return operands * (name_bytes / 256);
}

#endif
