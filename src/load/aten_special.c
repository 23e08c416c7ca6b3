/* aten_special.c - elementwise functions of ATen's that take several of our operators. */
#include <float.h>
#include <math.h>

#include "load/aten_build.h"

/* The type that the call computes in: its result's, or its first argument's for a condition. */
static dv_dtype type_of(const dv_aten_at *at)
{
    dv_dtype made = dv_aten_made_dtype(at, DV_DTYPE_F32);
    return made == DV_DTYPE_BOOL && at->args[0].type == DV_ATEN_TENSOR
               ? dv_aten_dtype_of(at, at->args[0].tensor)
               : made;
}

/* Argument i, a number or a tensor, in that type. */
dv_status dv_aten_operand(dv_aten_at *at, uint32_t i, dv_tensor_id *id)
{
    double value;
    if (at->args[i].type == DV_ATEN_TENSOR) {
        *id = at->args[i].tensor;
        return dv_aten_cast(at, type_of(at), id);
    }
    DV_TRY(dv_aten_real(at, i, &value));
    return dv_aten_scalar(at, type_of(at), value, id);
}

/* *id = *id KIND number */
dv_status dv_aten_with(dv_aten_at *at, dv_op_kind kind, double number, dv_tensor_id *id)
{
    dv_tensor_id scalar;
    DV_TRY(dv_aten_scalar(at, type_of(at), number, &scalar));
    return dv_aten_emit(at, kind, NULL, *id, scalar, id);
}

dv_status dv_aten_choose(dv_aten_at *at, dv_tensor_id condition, dv_tensor_id yes, dv_tensor_id no,
                         dv_tensor_id *id)
{
    dv_tensor_id inputs[3] = {condition, yes, no};
    return dv_aten_emit_all(at, DV_OP_WHERE, NULL, inputs, 3, id);
}

static dv_status finish_choice(dv_aten_at *at, dv_tensor_id condition, dv_tensor_id yes,
                               dv_tensor_id no)
{
    return dv_aten_finish(at, DV_OP_WHERE, NULL, condition, yes, no);
}

/* 2^x */
dv_status dv_aten_read_exp2(dv_aten_at *at)
{
    dv_tensor_id x, two;
    DV_TRY(dv_aten_operand(at, 0, &x));
    DV_TRY(dv_aten_scalar(at, type_of(at), 2, &two));
    return dv_aten_finish(at, DV_OP_POW, NULL, two, x, DV_NONE);
}

/* 1 - erf(x) */
dv_status dv_aten_read_erfc(dv_aten_at *at)
{
    dv_tensor_id x, one;
    DV_TRY(dv_aten_operand(at, 0, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_ERF, NULL, x, DV_NONE, &x));
    DV_TRY(dv_aten_scalar(at, type_of(at), 1, &one));
    return dv_aten_finish(at, DV_OP_SUB, NULL, one, x, DV_NONE);
}

/* What is behind the point, with the number's sign. */
dv_status dv_aten_read_frac(dv_aten_at *at)
{
    dv_tensor_id x, one;
    DV_TRY(dv_aten_operand(at, 0, &x));
    DV_TRY(dv_aten_scalar(at, type_of(at), 1, &one));
    return dv_aten_finish(at, DV_OP_FMOD, NULL, x, one, DV_NONE);
}

dv_status dv_aten_read_isfinite(dv_aten_at *at)
{
    dv_tensor_id x, nan, infinite;
    DV_TRY(dv_aten_operand(at, 0, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_ISNAN, NULL, x, DV_NONE, &nan));
    DV_TRY(dv_aten_emit(at, DV_OP_ISINF, NULL, x, DV_NONE, &infinite));
    DV_TRY(dv_aten_emit(at, DV_OP_LOGICAL_OR, NULL, nan, infinite, &nan));
    return dv_aten_finish(at, DV_OP_LOGICAL_NOT, NULL, nan, DV_NONE, DV_NONE);
}

/* Degrees and radians: x times a factor. */
dv_status dv_aten_read_rad2deg(dv_aten_at *at)
{
    dv_tensor_id x, factor;
    DV_TRY(dv_aten_operand(at, 0, &x));
    DV_TRY(dv_aten_scalar(at, type_of(at), 180 / M_PI, &factor));
    return dv_aten_finish(at, DV_OP_MUL, NULL, x, factor, DV_NONE);
}

dv_status dv_aten_read_deg2rad(dv_aten_at *at)
{
    dv_tensor_id x, factor;
    DV_TRY(dv_aten_operand(at, 0, &x));
    DV_TRY(dv_aten_scalar(at, type_of(at), M_PI / 180, &factor));
    return dv_aten_finish(at, DV_OP_MUL, NULL, x, factor, DV_NONE);
}

/* log(e^a + e^b) = max + log(1 + e^-|a - b|) */
dv_status dv_aten_read_logaddexp(dv_aten_at *at)
{
    dv_tensor_id a, b, most, apart;
    DV_TRY(dv_aten_operand(at, 0, &a));
    DV_TRY(dv_aten_operand(at, 1, &b));
    DV_TRY(dv_aten_emit(at, DV_OP_MAXIMUM, NULL, a, b, &most));
    DV_TRY(dv_aten_emit(at, DV_OP_SUB, NULL, a, b, &apart));
    DV_TRY(dv_aten_emit(at, DV_OP_ABS, NULL, apart, DV_NONE, &apart));
    DV_TRY(dv_aten_emit(at, DV_OP_NEG, NULL, apart, DV_NONE, &apart));
    DV_TRY(dv_aten_emit(at, DV_OP_SOFTPLUS, NULL, apart, DV_NONE, &apart));
    return dv_aten_finish(at, DV_OP_ADD, NULL, most, apart, DV_NONE);
}

/* x * log(y), and 0 where x is 0 */
dv_status dv_aten_read_xlogy(dv_aten_at *at)
{
    dv_tensor_id x, y, zero, none;
    DV_TRY(dv_aten_operand(at, 0, &x));
    DV_TRY(dv_aten_operand(at, 1, &y));
    DV_TRY(dv_aten_emit(at, DV_OP_LOG, NULL, y, DV_NONE, &y));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, x, y, &y));
    DV_TRY(dv_aten_scalar(at, type_of(at), 0, &zero));
    DV_TRY(dv_aten_emit(at, DV_OP_EQ, NULL, x, zero, &none));
    return finish_choice(at, none, zero, y);
}

/* sqrt(a^2 + b^2) */
dv_status dv_aten_read_hypot(dv_aten_at *at)
{
    dv_tensor_id a, b;
    DV_TRY(dv_aten_operand(at, 0, &a));
    DV_TRY(dv_aten_operand(at, 1, &b));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, a, a, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, b, b, &b));
    DV_TRY(dv_aten_emit(at, DV_OP_ADD, NULL, a, b, &a));
    return dv_aten_finish(at, DV_OP_SQRT, NULL, a, DV_NONE, DV_NONE);
}

/* The angle of (x, y): atan(y / x), turned by half a circle where x is negative, a quarter where it
   is 0. The sign of a zero is not looked at. */
dv_status dv_aten_read_atan2(dv_aten_at *at)
{
    dv_tensor_id y, x, angle, half, minus, below, left, upright, quarter;
    DV_TRY(dv_aten_operand(at, 0, &y));
    DV_TRY(dv_aten_operand(at, 1, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_DIV, NULL, y, x, &angle));
    DV_TRY(dv_aten_emit(at, DV_OP_ATAN, NULL, angle, DV_NONE, &angle));
    DV_TRY(dv_aten_scalar(at, type_of(at), M_PI, &half));
    DV_TRY(dv_aten_scalar(at, type_of(at), -M_PI, &minus));
    below = y;
    DV_TRY(dv_aten_with(at, DV_OP_LT, 0, &below));
    DV_TRY(dv_aten_choose(at, below, minus, half, &half));
    DV_TRY(dv_aten_emit(at, DV_OP_ADD, NULL, angle, half, &half));
    left = x;
    DV_TRY(dv_aten_with(at, DV_OP_LT, 0, &left));
    DV_TRY(dv_aten_choose(at, left, half, angle, &angle));
    upright = x;
    DV_TRY(dv_aten_with(at, DV_OP_EQ, 0, &upright));
    DV_TRY(dv_aten_emit(at, DV_OP_SIGN, NULL, y, DV_NONE, &quarter));
    DV_TRY(dv_aten_with(at, DV_OP_MUL, M_PI / 2, &quarter));
    return finish_choice(at, upright, quarter, angle);
}

/* x where it is above the threshold, else a value */
dv_status dv_aten_read_threshold(dv_aten_at *at)
{
    dv_tensor_id x, least, value, above;
    DV_TRY(dv_aten_operand(at, 0, &x));
    DV_TRY(dv_aten_operand(at, 1, &least));
    DV_TRY(dv_aten_operand(at, 2, &value));
    DV_TRY(dv_aten_emit(at, DV_OP_GT, NULL, x, least, &above));
    return finish_choice(at, above, x, value);
}

/* x where |x| > lambda, else 0 */
dv_status dv_aten_read_hardshrink(dv_aten_at *at)
{
    dv_tensor_id x, least, size, zero;
    DV_TRY(dv_aten_operand(at, 0, &x));
    DV_TRY(dv_aten_operand(at, 1, &least));
    DV_TRY(dv_aten_emit(at, DV_OP_ABS, NULL, x, DV_NONE, &size));
    DV_TRY(dv_aten_emit(at, DV_OP_GT, NULL, size, least, &size));
    DV_TRY(dv_aten_scalar(at, type_of(at), 0, &zero));
    return finish_choice(at, size, x, zero);
}

/* x less what of it lies within [-lambda, lambda] */
dv_status dv_aten_read_softshrink(dv_aten_at *at)
{
    dv_op_params held = {0};
    dv_tensor_id x, part;
    DV_TRY(dv_aten_operand(at, 0, &x));
    DV_TRY(dv_aten_real(at, 1, &held.clamp.max));
    held.clamp.min = -held.clamp.max;
    DV_TRY(dv_aten_emit(at, DV_OP_CLAMP, &held, x, DV_NONE, &part));
    return dv_aten_finish(at, DV_OP_SUB, NULL, x, part, DV_NONE);
}

/* scale * (x above 0, else alpha * (e^(input_scale * x) - 1)) */
static dv_status exponential(dv_aten_at *at, double alpha, double scale, double input_scale)
{
    dv_tensor_id x, low, above;
    DV_TRY(dv_aten_operand(at, 0, &x));
    above = low = x;
    DV_TRY(dv_aten_with(at, DV_OP_GT, 0, &above));
    DV_TRY(dv_aten_with(at, DV_OP_MUL, input_scale, &low));
    DV_TRY(dv_aten_emit(at, DV_OP_EXP, NULL, low, DV_NONE, &low));
    DV_TRY(dv_aten_with(at, DV_OP_SUB, 1, &low));
    DV_TRY(dv_aten_with(at, DV_OP_MUL, alpha * scale, &low));
    DV_TRY(dv_aten_with(at, DV_OP_MUL, scale, &x));
    return finish_choice(at, above, x, low);
}

dv_status dv_aten_read_celu(dv_aten_at *at)
{
    double alpha;
    DV_TRY(dv_aten_real(at, 1, &alpha));
    if (alpha == 0)
        return dv_fail(DV_BAD_INPUT, "an alpha of 0");
    return exponential(at, alpha, 1, 1 / alpha);
}

dv_status dv_aten_read_elu(dv_aten_at *at)
{
    double alpha, scale, input_scale;
    dv_op_params params = {0};
    dv_tensor_id x;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_real(at, 1, &alpha));
    DV_TRY(dv_aten_real(at, 2, &scale));
    DV_TRY(dv_aten_real(at, 3, &input_scale));
    if (scale != 1 || input_scale != 1)
        return exponential(at, alpha, scale, input_scale);
    params.scalar.alpha = alpha;
    return dv_aten_finish(at, DV_OP_ELU, &params, x, DV_NONE, DV_NONE);
}

/* NaN and the infinities by numbers: 0 and the type's extremes, unless others are given. */
dv_status dv_aten_read_nan_to_num(dv_aten_at *at)
{
    dv_op_params held = {.clamp = {-FLT_MAX, FLT_MAX}};
    dv_tensor_id x, nan, value;
    double number = 0;
    DV_TRY(dv_aten_operand(at, 0, &x));
    if (type_of(at) != DV_DTYPE_F32 || dv_aten_given(at, 2) || dv_aten_given(at, 3))
        return dv_aten_opaque(at, "only f32 with its own extremes is supported");
    if (dv_aten_given(at, 1))
        DV_TRY(dv_aten_real(at, 1, &number));
    DV_TRY(dv_aten_emit(at, DV_OP_ISNAN, NULL, x, DV_NONE, &nan));
    DV_TRY(dv_aten_scalar(at, DV_DTYPE_F32, number, &value));
    DV_TRY(dv_aten_emit(at, DV_OP_CLAMP, &held, x, DV_NONE, &x));
    return finish_choice(at, nan, value, x);
}
