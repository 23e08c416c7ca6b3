/* boxes.h - what picking boxes takes.

   Whether two boxes overlap too much, and which of two scores is higher, is decided in f32, as the
   programs do that networks were trained for: a box more or less is no rounding error. */
#ifndef DV_RUNTIME_PORTABLE_BOXES_H
#define DV_RUNTIME_PORTABLE_BOXES_H

#include <stddef.h>

/* The share of what two boxes cover that both cover; 0 if one is empty. A box is two corners. */
float dv_box_overlap(const float *a, const float *b);

/* A box that may be kept. */
typedef struct dv_candidate {
    float score;
    int index;
    int compared; /* suppress.c: with so many of those kept */
} dv_candidate;

/* A heap of candidates, the highest score on top. Which of equal scores comes first is what C++'s
   heaps make of it (a hole is moved down to a leaf, and what fills it up again), so that it is the
   one that TFLite keeps. O(log count). */
void dv_candidates_push(dv_candidate *heap, size_t *count, dv_candidate one);
dv_candidate dv_candidates_pop(dv_candidate *heap, size_t *count);

#endif
