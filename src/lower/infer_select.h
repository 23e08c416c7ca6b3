/* infer_select.h - the values of operators whose shapes only values tell. */
#ifndef DV_LOWER_INFER_SELECT_H
#define DV_LOWER_INFER_SELECT_H

#include "lower/evaluate.h"
#include "lower/infer.h"

/* Fills the cells of output `output` of UNIQUE, NMS and MEL_WEIGHTS; false for other kinds. */
bool dv_evaluate_select(const dv_infer *infer, const dv_value *inputs, uint32_t output,
                        dv_value *out);

#endif
