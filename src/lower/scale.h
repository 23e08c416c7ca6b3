/* scale.h - constants multiplied by factors, without computing or copying them. */
#ifndef DV_LOWER_SCALE_H
#define DV_LOWER_SCALE_H

#include "lower/rewrite.h"

/* Which factor the elements of a tensor are multiplied by: the i-th by (i / inner) % count. */
typedef struct dv_factors {
    size_t count, inner;
    const double *factor; /* finite */
} dv_factors;

/* Lets *id, an f32 constant of the new graph, be "<name>.<suffix>": its elements times the factors.
   What it is made of (a mapped file, a seed) stays where it is and is multiplied as it is read. *id
   is left if all factors are 1. O(factors). */
DV_MUST_USE dv_status dv_scale_constant(dv_rewrite *rewrite, const dv_factors *factors,
                                        const char *suffix, dv_tensor_id *id);

#endif
