/* aten_complex.h - what the readers of complex numbers share. */
#ifndef DV_LOAD_ATEN_COMPLEX_H
#define DV_LOAD_ATEN_COMPLEX_H

#include "load/aten_build.h"

/* Arithmetic of that name on complex numbers, NULL if there is none. */
dv_aten_reader *dv_aten_complex_math(const char *name);

/* How many dims the file counts. */
uint8_t dv_aten_file_rank(const dv_aten_at *at, dv_tensor_id id);

/* A list among the arguments, or a number, as a list that may be changed and has room for `more`.
 */
DV_MUST_USE dv_status dv_aten_own_list(dv_aten_at *at, uint32_t i, size_t more, int64_t **out);

/* Dims at the i-th place, a number or a list, as counted from the front. DV_BAD_INPUT if one is
   none of `rank`. */
DV_MUST_USE dv_status dv_aten_count_axes(dv_aten_at *at, uint32_t i, uint8_t rank);

/* The i-th argument as complex numbers; real ones get imaginary parts of zero. */
DV_MUST_USE dv_status dv_aten_complex_operand(dv_aten_at *at, uint32_t i, dv_tensor_id *id);

/* The first (0) or second (1) part of complex numbers, keeping a last dim of one or dropping it. */
DV_MUST_USE dv_status dv_aten_part_of(dv_aten_at *at, dv_tensor_id z, int part, bool keep,
                                      dv_tensor_id *id);

/* A last dim of one behind the others. */
DV_MUST_USE dv_status dv_aten_open_last(dv_aten_at *at, dv_tensor_id *id);

#endif
