/* tflite_ops_complex.c - spectra. A complex tensor of the file is one of ours with a last dim of
   two: real and imaginary part. */
#include <string.h>

#include "load/tflite_build.h"

enum { COMPLEX64 = 8 };

bool dv_tfl_is_complex(const dv_tfl_tensor *tensor)
{
    return tensor->type == COMPLEX64;
}

int64_t dv_tfl_axis_of(const dv_tfl_tensor *tensor, int64_t axis)
{
    return axis < 0 && dv_tfl_is_complex(tensor) ? axis - 1 : axis;
}

/* The spectrum of real images along their last two dims, of which the last is halved. The input is
   cut or padded with zeros to the lengths. */
dv_status dv_tfl_op_rfft2d(dv_tfl_at *at)
{
    dv_tfl_tensor x;
    dv_tensor_id id;
    int64_t lengths[2];
    int count;
    dv_op_params last = {.axes = {.count = 1, .axes = {-1}}};
    DV_TRY(dv_tfl_input(at, 0, &x));
    DV_TRY(dv_tfl_ints(at, 1, 2, lengths, &count));
    if (count != 2)
        return dv_tfl_opaque(at, "its lengths are computed, which is not supported");
    if (x.shape.rank < 2 || dv_tfl_is_complex(&x))
        return dv_fail(DV_BAD_INPUT, "its input has %u dimensions, or is complex",
                       (unsigned)x.shape.rank);
    dv_op_params row = {.spectrum = {.axis = -2, .length = lengths[1], .onesided = true}};
    dv_op_params column = {.spectrum = {.axis = -3, .length = lengths[0]}};
    DV_TRY(dv_tfl_plain_input(at, 0, &id));
    DV_TRY(dv_tfl_emit1(at, DV_OP_UNSQUEEZE, &last, id, &id));
    DV_TRY(dv_tfl_emit1(at, DV_OP_DFT, &row, id, &id));
    if (lengths[0] != 1 || x.shape.dim[x.shape.rank - 2] != 1)
        DV_TRY(dv_tfl_emit1(at, DV_OP_DFT, &column, id, &id));
    return dv_tfl_result(at, 0, id, false);
}

/* REAL, IMAG. */
dv_status dv_tfl_op_complex_part(dv_tfl_at *at)
{
    dv_tensor_id id;
    dv_op_params part = {.select = {.axis = -1, .index = strcmp(at->type, "IMAG") == 0}};
    dv_tfl_tensor x;
    DV_TRY(dv_tfl_input(at, 0, &x));
    if (!dv_tfl_is_complex(&x))
        return dv_tfl_opaque(at, "its input is %s, which is not supported",
                             dv_tfl_type_name(x.type));
    DV_TRY(dv_tfl_plain_input(at, 0, &id));
    DV_TRY(dv_tfl_emit1(at, DV_OP_SELECT, &part, id, &id));
    return dv_tfl_result(at, 0, id, false);
}

/* A cast to real numbers drops the imaginary part. */
dv_status dv_tfl_cast_complex(dv_tfl_at *at)
{
    dv_tfl_tensor out;
    dv_tensor_id id;
    dv_op_params part = {.select = {.axis = -1, .index = 0}};
    DV_TRY(dv_tfl_output(at, 0, &out));
    if (dv_tfl_is_complex(&out))
        return dv_tfl_opaque(at, "its output is %s, which is not supported",
                             dv_tfl_type_name(out.type));
    dv_op_params cast = {.cast = {.dtype = dv_tfl_dtype(&out)}};
    DV_TRY(dv_tfl_plain_input(at, 0, &id));
    DV_TRY(dv_tfl_emit1(at, DV_OP_SELECT, &part, id, &id));
    DV_TRY(dv_tfl_emit1(at, DV_OP_CAST, &cast, id, &id));
    return dv_tfl_result(at, 0, id, false);
}

dv_status dv_tfl_op_complex_abs(dv_tfl_at *at)
{
    dv_tensor_id id;
    dv_op_params sum = {.reduce = {.count = 1, .axes = {-1}}};
    dv_tfl_tensor x;
    DV_TRY(dv_tfl_input(at, 0, &x));
    if (!dv_tfl_is_complex(&x))
        return dv_tfl_opaque(at, "its input is %s, which is not supported",
                             dv_tfl_type_name(x.type));
    DV_TRY(dv_tfl_plain_input(at, 0, &id));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MUL, NULL, id, id, &id));
    DV_TRY(dv_tfl_emit1(at, DV_OP_SUM, &sum, id, &id));
    DV_TRY(dv_tfl_emit1(at, DV_OP_SQRT, NULL, id, &id));
    return dv_tfl_result(at, 0, id, false);
}

dv_status dv_tfl_reshape_complex(dv_tfl_at *at)
{
    int64_t dims[DV_MAX_RANK + 1];
    int count;
    dv_tensor_id x, shape;
    DV_TRY(dv_tfl_ints(at, 1, DV_MAX_RANK - 1, dims, &count));
    if (count < 0)
        return dv_tfl_opaque(at, "its shape is computed, which is not supported");
    dims[count] = 2;
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(dv_tfl_longs(at, dims, (size_t)count + 1, &shape));
    DV_TRY(dv_tfl_emit2(at, DV_OP_VIEW, NULL, x, shape, &x));
    return dv_tfl_result(at, 0, x, false);
}
