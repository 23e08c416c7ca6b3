/* evaluate.h - constants computed from constants: a small interpreter of operators.

   It exists for the arithmetic on shapes that exporters leave in the graph and for constants in
   disguise, not for running networks: beyond FOLD_LIMIT elements, or what the pass may spend
   (dv_rewrite_afford), an operator is left alone, unless its result needs no memory (the same bytes
   under another shape, or one value everywhere). */
#ifndef DV_LOWER_EVALUATE_H
#define DV_LOWER_EVALUATE_H

#include "lower/infer.h"

/* Arithmetic results up to FOLD_LIMIT elements are computed; copies (casts, transposes, slices) of
   constants up to COPY_LIMIT, beyond FOLD_LIMIT only if there are no more of them than before.
   RANGE_LIMIT: a range has no form but its elements. */
enum { DV_FOLD_LIMIT = 1 << 20, DV_COPY_LIMIT = 1 << 25, DV_RANGE_LIMIT = 1 << 21 };

/* If the inferred operator's outputs can be computed now, adds them as constants, lets them stand
   for its outputs and sets *folded. O(elements), 0 if there is nothing to fold. */
DV_MUST_USE dv_status dv_fold(dv_infer *infer, bool *folded);

/* Adds a constant converted to another type; *id is DV_NONE if it is too large or has no such
   value. O(elements). */
DV_MUST_USE dv_status dv_fold_cast(dv_rewrite *rewrite, const dv_op *source, dv_tensor_id from,
                                   dv_dtype to, dv_tensor_id *id);

/* One element, in a float tensor f, else i (booleans: 0 or 1). */
typedef union dv_cell {
    int64_t i;
    double f;
} dv_cell;

/* A constant unpacked. */
typedef struct dv_value {
    dv_dtype dtype;
    dv_shape shape;
    size_t count;
    dv_cell *cells;
} dv_value;

/* Computes all but data movement and FILLs the cells of *out, whose dtype, shape, count and memory
   are given. false: not an operator for this, or no value (a division by zero). */
bool dv_evaluate_math(const dv_infer *infer, const dv_value *inputs, dv_value *out);

/* The same for operators that only move elements; output: which of a SPLIT's. */
bool dv_evaluate_move(const dv_infer *infer, const dv_value *inputs, uint32_t output,
                      dv_value *out);

/* Row-major strides of a shape, in elements. */
void dv_shape_strides(const dv_shape *shape, int64_t strides[DV_MAX_RANK]);

/* Steps an index through shape, the last dim fastest. */
void dv_next_index(const dv_shape *shape, int64_t index[DV_MAX_RANK]);

#endif
