/* aten_math.c - ATen operators element by element, and reductions. */
#include <math.h>
#include <string.h>

#include "load/aten_build.h"

/* ---- one operand ---- */

dv_status dv_aten_read_plain(dv_aten_at *at)
{
    dv_tensor_id a, b = DV_NONE;
    DV_TRY(dv_aten_input(at, 0, &a));
    if (dv_op_info_of(at->kind)->least_inputs > 1)
        DV_TRY(dv_aten_input(at, 1, &b));
    dv_dtype made = dv_aten_made_dtype(at, DV_DTYPE_NONE);
    dv_dtype given = dv_aten_dtype_of(at, a);
    if (b == DV_NONE && dv_dtype_is_float(made) && given != DV_DTYPE_NONE &&
        !dv_dtype_is_float(given))
        DV_TRY(dv_aten_cast(at, made, &a)); /* the root of a whole number is none */
    return dv_aten_finish(at, at->kind, NULL, a, b, DV_NONE);
}

dv_status dv_aten_read_same(dv_aten_at *at)
{
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    return dv_aten_finish(at, DV_OP_IDENTITY, NULL, a, DV_NONE, DV_NONE);
}

/* Of booleans and numbers alike: what is not zero is true. */
dv_status dv_aten_read_logical(dv_aten_at *at)
{
    dv_tensor_id a, b = DV_NONE;
    DV_TRY(dv_aten_input(at, 0, &a));
    if (at->kind != DV_OP_LOGICAL_NOT)
        DV_TRY(dv_aten_input(at, 1, &b));
    DV_TRY(dv_aten_cast(at, DV_DTYPE_BOOL, &a));
    if (b != DV_NONE)
        DV_TRY(dv_aten_cast(at, DV_DTYPE_BOOL, &b));
    return dv_aten_finish(at, at->kind, NULL, a, b, DV_NONE);
}

dv_status dv_aten_read_trunc(dv_aten_at *at)
{
    dv_tensor_id a, sign, size;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_SIGN, NULL, a, DV_NONE, &sign));
    DV_TRY(dv_aten_emit(at, DV_OP_ABS, NULL, a, DV_NONE, &size));
    DV_TRY(dv_aten_emit(at, DV_OP_FLOOR, NULL, size, DV_NONE, &size));
    return dv_aten_finish(at, DV_OP_MUL, NULL, sign, size, DV_NONE);
}

dv_status dv_aten_read_hardsigmoid(dv_aten_at *at)
{
    dv_op_params params = {.scalar = {.alpha = 1.0 / 6, .beta = 0.5}};
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    return dv_aten_finish(at, at->kind, &params, a, DV_NONE, DV_NONE);
}

static dv_status clamp_between(dv_aten_at *at, double low, double high)
{
    dv_op_params params = {.clamp = {low, high}};
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    return dv_aten_finish(at, DV_OP_CLAMP, &params, a, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_relu6(dv_aten_at *at)
{
    return clamp_between(at, 0, 6);
}

/* Bounds that are tensors: a maximum, then a minimum. */
static dv_status clamp_by_tensors(dv_aten_at *at)
{
    dv_tensor_id a, low, high;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_option(at, 1, &low));
    DV_TRY(dv_aten_option(at, 2, &high));
    dv_dtype made = dv_aten_made_dtype(at, DV_DTYPE_NONE);
    dv_tensor_id *all[] = {&a, &low, &high};
    for (int i = 0; i < 3; i++)
        if (*all[i] != DV_NONE)
            DV_TRY(dv_aten_cast(at, made, all[i]));
    if (high == DV_NONE)
        return dv_aten_finish(at, DV_OP_MAXIMUM, NULL, a, low, DV_NONE);
    if (low != DV_NONE)
        DV_TRY(dv_aten_emit(at, DV_OP_MAXIMUM, NULL, a, low, &a));
    return dv_aten_finish(at, DV_OP_MINIMUM, NULL, a, high, DV_NONE);
}

dv_status dv_aten_read_clamp(dv_aten_at *at)
{
    double low = -INFINITY, high = INFINITY;
    if (at->args[1].type == DV_ATEN_TENSOR || at->args[2].type == DV_ATEN_TENSOR)
        return clamp_by_tensors(at);
    if (dv_aten_given(at, 1))
        DV_TRY(dv_aten_real(at, 1, &low));
    if (dv_aten_given(at, 2))
        DV_TRY(dv_aten_real(at, 2, &high));
    return clamp_between(at, low, high);
}

dv_status dv_aten_read_clamp_max(dv_aten_at *at)
{
    double high;
    DV_TRY(dv_aten_real(at, 1, &high));
    return clamp_between(at, -INFINITY, high);
}

static dv_status with_scalars(dv_aten_at *at, double alpha, double beta)
{
    dv_op_params params = {.scalar = {.alpha = alpha, .beta = beta}};
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    return dv_aten_finish(at, at->kind, &params, a, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_leaky_relu(dv_aten_at *at)
{
    double slope;
    DV_TRY(dv_aten_real(at, 1, &slope));
    return with_scalars(at, slope, 0);
}

dv_status dv_aten_read_gelu(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    params.flag.on = at->args[1].type == DV_ATEN_TEXT && at->args[1].text &&
                     strcmp(at->args[1].text, "tanh") == 0;
    return dv_aten_finish(at, DV_OP_GELU, &params, a, DV_NONE, DV_NONE);
}

/* The threshold only spares an exponential where the result is x to within rounding. */
dv_status dv_aten_read_softplus(dv_aten_at *at)
{
    double beta;
    dv_tensor_id a, factor;
    DV_TRY(dv_aten_real(at, 1, &beta));
    if (beta == 1)
        return with_scalars(at, 0, 0);
    if (!(fabs(beta) > 0))
        return dv_fail(DV_BAD_INPUT, "a softplus with beta %g", beta);
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_scalar(at, dv_aten_dtype_of(at, a), beta, &factor));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, a, factor, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_SOFTPLUS, NULL, a, DV_NONE, &a));
    return dv_aten_finish(at, DV_OP_DIV, NULL, a, factor, DV_NONE);
}

dv_status dv_aten_read_mish(dv_aten_at *at)
{
    dv_tensor_id a, gate;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_SOFTPLUS, NULL, a, DV_NONE, &gate));
    DV_TRY(dv_aten_emit(at, DV_OP_TANH, NULL, gate, DV_NONE, &gate));
    return dv_aten_finish(at, DV_OP_MUL, NULL, a, gate, DV_NONE);
}

dv_status dv_aten_read_log_sigmoid(dv_aten_at *at)
{
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_NEG, NULL, a, DV_NONE, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_SOFTPLUS, NULL, a, DV_NONE, &a));
    return dv_aten_finish(at, DV_OP_NEG, NULL, a, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_log_base(dv_aten_at *at)
{
    bool two = dv_aten_arg_count(at->call->rule) == 1 && strstr(at->call->source_type, "log2");
    dv_tensor_id a, factor;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_scalar(at, dv_aten_dtype_of(at, a), 1 / log(two ? 2 : 10), &factor));
    DV_TRY(dv_aten_emit(at, DV_OP_LOG, NULL, a, DV_NONE, &a));
    return dv_aten_finish(at, DV_OP_MUL, NULL, a, factor, DV_NONE);
}

dv_status dv_aten_read_log1p(dv_aten_at *at)
{
    dv_tensor_id a, one;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_scalar(at, dv_aten_dtype_of(at, a), 1, &one));
    DV_TRY(dv_aten_emit(at, DV_OP_ADD, NULL, a, one, &a));
    return dv_aten_finish(at, DV_OP_LOG, NULL, a, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_expm1(dv_aten_at *at)
{
    dv_tensor_id a, one;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_scalar(at, dv_aten_dtype_of(at, a), 1, &one));
    DV_TRY(dv_aten_emit(at, DV_OP_EXP, NULL, a, DV_NONE, &a));
    return dv_aten_finish(at, DV_OP_SUB, NULL, a, one, DV_NONE);
}

dv_status dv_aten_read_square(dv_aten_at *at)
{
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    return dv_aten_finish(at, DV_OP_MUL, NULL, a, a, DV_NONE);
}

/* One slope a channel: [C] becomes [C, 1, 1] for an image. */
dv_status dv_aten_read_prelu(dv_aten_at *at)
{
    dv_tensor_id a, slope;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_input(at, 1, &slope));
    uint8_t rank = dv_aten_rank_of(at, a), own = dv_aten_rank_of(at, slope);
    if (rank == DV_RANK_UNKNOWN || own == DV_RANK_UNKNOWN)
        return dv_aten_opaque(at, "the rank of its input is not known");
    dv_op_params behind = {.axes = {.count = 0}};
    for (uint8_t d = 1; own == 1 && d + 1 < rank; d++)
        behind.axes.axes[behind.axes.count++] = d;
    if (behind.axes.count > 0)
        DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &behind, slope, DV_NONE, &slope));
    return dv_aten_finish(at, DV_OP_PRELU, NULL, a, slope, DV_NONE);
}

/* ---- element types ---- */

static dv_status finish_cast(dv_aten_at *at, dv_tensor_id a, dv_dtype dtype)
{
    dv_op_params params = {.cast = {.dtype = dtype}};
    if (dtype == dv_aten_dtype_of(at, a))
        return dv_aten_finish(at, DV_OP_IDENTITY, NULL, a, DV_NONE, DV_NONE);
    return dv_aten_finish(at, DV_OP_CAST, &params, a, DV_NONE, DV_NONE);
}

static dv_status cast_by(dv_aten_at *at, uint32_t argument)
{
    dv_tensor_id a;
    int64_t number;
    DV_TRY(dv_aten_input(at, 0, &a));
    if (!dv_aten_given(at, argument)) /* the file knows what an out-variant makes */
        return finish_cast(at, a,
                           at->call->outputs[0] == DV_NONE
                               ? dv_aten_dtype_of(at, a)
                               : dv_aten_dtype_of(at, at->call->outputs[0]));
    DV_TRY(dv_aten_int(at, argument, &number));
    dv_dtype dtype = dv_aten_dtype(number);
    if (dtype == DV_DTYPE_NONE)
        return dv_aten_opaque(at, "element type %lld is not supported", (long long)number);
    return finish_cast(at, a, dtype);
}

dv_status dv_aten_read_to(dv_aten_at *at)
{
    return cast_by(at, 1);
}

dv_status dv_aten_read_to_device(dv_aten_at *at)
{
    return cast_by(at, 2);
}

/* An out-variant has no dtype; its output has. */
dv_status dv_aten_read_to_dim_order(dv_aten_at *at)
{
    at->args[1] = (dv_aten_value){0};
    return cast_by(at, 1);
}

dv_status dv_aten_read_like_second(dv_aten_at *at)
{
    dv_tensor_id a, b;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_input(at, 1, &b));
    return finish_cast(at, a, dv_aten_dtype_of(at, b));
}

/* The second argument under the shape and the type of the first. */
dv_status dv_aten_read_copy(dv_aten_at *at)
{
    dv_tensor_id to, from;
    DV_TRY(dv_aten_input(at, 0, &to));
    DV_TRY(dv_aten_input(at, 1, &from));
    DV_TRY(dv_aten_cast(at, dv_aten_dtype_of(at, to), &from));
    dv_op_params params = {.view = {.shape = *dv_aten_shape_of(at, to)}};
    if (!dv_shape_known(&params.view.shape))
        return dv_aten_finish(at, DV_OP_IDENTITY, NULL, from, DV_NONE, DV_NONE);
    return dv_aten_finish(at, DV_OP_EXPAND, &params, from, DV_NONE, DV_NONE);
}

/* ---- two operands ---- */

/* Where a type stands in ATen's promotion: of two, the higher is taken. A scalar counts only with
   its category. */
static int category(dv_dtype dtype)
{
    return dtype == DV_DTYPE_BOOL ? 0 : dv_dtype_is_float(dtype) ? 2 : 1;
}

static dv_dtype promote(dv_dtype a, dv_dtype b)
{
    if (a == b)
        return a;
    if (category(a) != category(b))
        return category(a) > category(b) ? a : b;
    if (category(a) == 2 && dv_dtype_bytes(a) == dv_dtype_bytes(b))
        return DV_DTYPE_F32; /* f16 and bf16 */
    if (dv_dtype_bytes(a) == dv_dtype_bytes(b))
        return a == DV_DTYPE_U8 || b == DV_DTYPE_U8 ? DV_DTYPE_I16 : a;
    return dv_dtype_bytes(a) > dv_dtype_bytes(b) ? a : b;
}

/* A tensor without dimensions counts as a scalar unless it is of a higher category. */
static dv_dtype common(const dv_aten_at *at, dv_tensor_id a, dv_tensor_id b)
{
    dv_dtype ta = dv_aten_dtype_of(at, a), tb = dv_aten_dtype_of(at, b);
    bool sa = dv_aten_rank_of(at, a) == 0, sb = dv_aten_rank_of(at, b) == 0;
    if (sa != sb && category(ta) == category(tb))
        return sa ? tb : ta;
    return promote(ta, tb);
}

static bool is_number(const dv_aten_value *value)
{
    return value->type == DV_ATEN_INT || value->type == DV_ATEN_REAL || value->type == DV_ATEN_BOOL;
}

/* The type that a number beside a tensor of that type gives. */
static dv_dtype beside(const dv_aten_value *number, dv_dtype tensor)
{
    if (number->type == DV_ATEN_REAL && category(tensor) < 2)
        return DV_DTYPE_F32;
    if (number->type == DV_ATEN_INT && category(tensor) == 0)
        return DV_DTYPE_I64;
    return tensor;
}

/* Arguments i and j, at most one of them a number, as tensors of one type. */
static dv_status operands(dv_aten_at *at, uint32_t i, uint32_t j, dv_tensor_id *a, dv_tensor_id *b)
{
    const dv_aten_value *x = &at->args[i], *y = &at->args[j];
    if (is_number(x) || is_number(y)) {
        uint32_t number = is_number(x) ? i : j, other = is_number(x) ? j : i;
        dv_tensor_id *from = is_number(x) ? b : a, *made = is_number(x) ? a : b;
        double value;
        DV_TRY(dv_aten_input(at, other, from));
        dv_dtype dtype = beside(&at->args[number], dv_aten_dtype_of(at, *from));
        DV_TRY(dv_aten_real(at, number, &value));
        DV_TRY(dv_aten_cast(at, dtype, from));
        return dv_aten_scalar(at, dtype, value, made);
    }
    DV_TRY(dv_aten_input(at, i, a));
    DV_TRY(dv_aten_input(at, j, b));
    dv_dtype dtype = common(at, *a, *b);
    DV_TRY(dv_aten_cast(at, dtype, a));
    return dv_aten_cast(at, dtype, b);
}

/* b times the factor of an addition or subtraction. */
static dv_status scale(dv_aten_at *at, uint32_t argument, dv_tensor_id *b)
{
    double alpha = 1;
    dv_tensor_id factor;
    if (dv_aten_given(at, argument))
        DV_TRY(dv_aten_real(at, argument, &alpha));
    if (alpha == 1)
        return DV_OK;
    DV_TRY(dv_aten_scalar(at, dv_aten_dtype_of(at, *b), alpha, &factor));
    return dv_aten_emit(at, DV_OP_MUL, NULL, *b, factor, b);
}

dv_status dv_aten_read_binary(dv_aten_at *at)
{
    dv_tensor_id a, b;
    DV_TRY(operands(at, 0, 1, &a, &b));
    if (at->kind == DV_OP_ADD || at->kind == DV_OP_SUB)
        DV_TRY(scale(at, 2, &b));
    return dv_aten_finish(at, at->kind, NULL, a, b, DV_NONE);
}

/* b - alpha * a */
dv_status dv_aten_read_rsub(dv_aten_at *at)
{
    dv_tensor_id a, b;
    DV_TRY(operands(at, 0, 1, &a, &b));
    DV_TRY(scale(at, 2, &a));
    return dv_aten_finish(at, DV_OP_SUB, NULL, b, a, DV_NONE);
}

/* Of booleans, the logical operators. */
dv_status dv_aten_read_bitwise(dv_aten_at *at)
{
    static const dv_op_kind logical[][2] = {{DV_OP_BITWISE_NOT, DV_OP_LOGICAL_NOT},
                                            {DV_OP_BITWISE_AND, DV_OP_LOGICAL_AND},
                                            {DV_OP_BITWISE_OR, DV_OP_LOGICAL_OR},
                                            {DV_OP_BITWISE_XOR, DV_OP_LOGICAL_XOR}};
    dv_tensor_id a, b = DV_NONE;
    dv_op_kind kind = at->kind;
    if (kind == DV_OP_BITWISE_NOT)
        DV_TRY(dv_aten_input(at, 0, &a));
    else
        DV_TRY(operands(at, 0, 1, &a, &b));
    for (size_t i = 0; dv_aten_dtype_of(at, a) == DV_DTYPE_BOOL && i < 4; i++)
        if (logical[i][0] == at->kind)
            kind = logical[i][1];
    return dv_aten_finish(at, kind, NULL, a, b, DV_NONE);
}

/* floor(a / b); of integers without a detour over floats: (a - a mod b) / b is exact. */
static dv_status floored(dv_aten_at *at, dv_tensor_id a, dv_tensor_id b)
{
    dv_tensor_id rest;
    if (dv_dtype_is_float(dv_aten_dtype_of(at, a))) {
        DV_TRY(dv_aten_emit(at, DV_OP_DIV, NULL, a, b, &a));
        return dv_aten_finish(at, DV_OP_FLOOR, NULL, a, DV_NONE, DV_NONE);
    }
    DV_TRY(dv_aten_emit(at, DV_OP_REMAINDER, NULL, a, b, &rest));
    DV_TRY(dv_aten_emit(at, DV_OP_SUB, NULL, a, rest, &a));
    return dv_aten_finish(at, DV_OP_DIV, NULL, a, b, DV_NONE);
}

dv_status dv_aten_read_div(dv_aten_at *at)
{
    const dv_aten_value *mode = &at->args[2];
    const char *rounding = mode->type == DV_ATEN_TEXT && mode->text ? mode->text : "";
    dv_tensor_id a, b;
    if (*rounding && strcmp(rounding, "floor") != 0 && strcmp(rounding, "trunc") != 0)
        return dv_aten_opaque(at, "rounding_mode '%.20s' is not supported", rounding);
    DV_TRY(operands(at, 0, 1, &a, &b));
    bool floats = dv_dtype_is_float(dv_aten_dtype_of(at, a));
    if (strcmp(rounding, "floor") == 0)
        return floored(at, a, b);
    if (!*rounding && !floats) { /* true division gives a fraction */
        DV_TRY(dv_aten_cast(at, DV_DTYPE_F32, &a));
        DV_TRY(dv_aten_cast(at, DV_DTYPE_F32, &b));
    }
    if (!*rounding || !floats)
        return dv_aten_finish(at, DV_OP_DIV, NULL, a, b, DV_NONE);
    dv_tensor_id sign;
    DV_TRY(dv_aten_emit(at, DV_OP_DIV, NULL, a, b, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_SIGN, NULL, a, DV_NONE, &sign));
    DV_TRY(dv_aten_emit(at, DV_OP_ABS, NULL, a, DV_NONE, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_FLOOR, NULL, a, DV_NONE, &a));
    return dv_aten_finish(at, DV_OP_MUL, NULL, sign, a, DV_NONE);
}

dv_status dv_aten_read_floor_divide(dv_aten_at *at)
{
    dv_tensor_id a, b;
    DV_TRY(operands(at, 0, 1, &a, &b));
    return floored(at, a, b);
}

/* ---- choices ---- */

static dv_status choose(dv_aten_at *at, dv_tensor_id condition, dv_tensor_id a, dv_tensor_id b)
{
    DV_TRY(dv_aten_cast(at, DV_DTYPE_BOOL, &condition));
    return dv_aten_finish(at, DV_OP_WHERE, NULL, condition, a, b);
}

dv_status dv_aten_read_where(dv_aten_at *at)
{
    dv_tensor_id condition, a, b;
    DV_TRY(dv_aten_input(at, 0, &condition));
    if (is_number(&at->args[1]) && is_number(&at->args[2])) {
        dv_dtype dtype = at->call->outputs[0] == DV_NONE
                             ? DV_DTYPE_F32
                             : dv_aten_dtype_of(at, at->call->outputs[0]);
        double x, y;
        DV_TRY(dv_aten_real(at, 1, &x));
        DV_TRY(dv_aten_real(at, 2, &y));
        DV_TRY(dv_aten_scalar(at, dtype, x, &a));
        DV_TRY(dv_aten_scalar(at, dtype, y, &b));
        return choose(at, condition, a, b);
    }
    DV_TRY(operands(at, 1, 2, &a, &b));
    return choose(at, condition, a, b);
}

dv_status dv_aten_read_masked_fill(dv_aten_at *at)
{
    dv_tensor_id a, mask, value;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_input(at, 1, &mask));
    if (is_number(&at->args[2])) {
        double number;
        DV_TRY(dv_aten_real(at, 2, &number));
        DV_TRY(dv_aten_scalar(at, dv_aten_dtype_of(at, a), number, &value));
    } else {
        DV_TRY(dv_aten_input(at, 2, &value));
        DV_TRY(dv_aten_cast(at, dv_aten_dtype_of(at, a), &value));
    }
    return choose(at, mask, value, a);
}
