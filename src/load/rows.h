/* rows.h - --dim for results whose length only values tell.

   Such a dimension has no name of its own in most formats: --dim takes the operator's, as in
   --dim nms=20. */
#ifndef DV_LOAD_ROWS_H
#define DV_LOAD_ROWS_H

#include "load/load.h"

/* Gives an operator of such a kind (dv_op_rows) the rows that a --dim with its name says, and sets
   that binding's bit in *used (the first 64 are watched). Others are left alone; options may be
   NULL. DV_BAD_PARAMETER for less than one row. */
DV_MUST_USE dv_status dv_rows_bind(const dv_load_options *options, dv_op *op, uint64_t *used);

#endif
