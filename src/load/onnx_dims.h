/* onnx_dims.h - numbers for the dimensions that an ONNX file leaves open.

   A symbolic dim takes its value from --dim by name; one without a name (and any other) by the
   input and the dim's index, as in --dim x:2=640; tensor i of a sequence x is the input "x[i]".
   What is left open is 1 if it is the first dim of an input (the batch), else an error that says
   what to type. */
#ifndef DV_LOAD_ONNX_DIMS_H
#define DV_LOAD_ONNX_DIMS_H

#include "core/dtype.h"
#include "load/load.h"
#include "load/names.h"
#include "load/onnx_read.h"

/* Zero-initialise but for options; free with dv_onnx_dims_free. */
typedef struct dv_onnx_dims {
    const dv_load_options *options; /* NULL: no bindings */
    dv_names batch;                 /* symbols that stand first in some input */
    uint64_t used;                  /* bit i: binding i was used; the first 64 are watched */
} dv_onnx_dims;

/* First pass, over every input of the model: which symbols may default to 1. */
DV_MUST_USE dv_status dv_onnx_dims_note(dv_onnx_dims *dims, const dv_onnx_value *input);

/* Second pass: the shape of one input. DV_BAD_INPUT "dimension 2 ('width') ...". */
DV_MUST_USE dv_status dv_onnx_dims_shape(dv_onnx_dims *dims, const dv_onnx_value *input,
                                         dv_shape *out);

/* The shape that the file records of a value that nodes make, whose open dims are called as those
   of inputs; a first one without a name is the batch, where no dim is bound. False if a dim stays
   open. */
bool dv_onnx_dims_recorded(dv_onnx_dims *dims, const dv_onnx_value *value, dv_shape *out);

/* Is there a --dim by the name of the input itself: how many tensors a sequence has, or whether an
   optional is given? */
bool dv_onnx_dims_count(dv_onnx_dims *dims, const dv_onnx_value *input, int64_t *count);

/* Afterwards: DV_BAD_PARAMETER naming a binding that no input has. */
DV_MUST_USE dv_status dv_onnx_dims_check(const dv_onnx_dims *dims);

void dv_onnx_dims_free(dv_onnx_dims *dims);

#endif
