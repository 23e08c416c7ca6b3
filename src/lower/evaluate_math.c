/* evaluate_math.c - arithmetic, comparisons, reductions and ranges on small constants.

   In double precision, rounded to f32 where the tensor is f32; integers wrap as in two's
   complement. */
#include <math.h>
#include <string.h>

#include "lower/evaluate.h"

void dv_shape_strides(const dv_shape *shape, int64_t strides[DV_MAX_RANK])
{
    int64_t stride = 1;
    for (int d = shape->rank - 1; d >= 0; d--) {
        strides[d] = stride;
        stride *= shape->dim[d];
    }
}

void dv_next_index(const dv_shape *shape, int64_t index[DV_MAX_RANK])
{
    for (int d = shape->rank - 1; d >= 0; d--) {
        if (++index[d] < shape->dim[d])
            return;
        index[d] = 0;
    }
}

/* Strides with which `from` is read when broadcast to `to`. */
static void broadcast_strides(const dv_shape *from, const dv_shape *to, int64_t out[DV_MAX_RANK])
{
    int64_t own[DV_MAX_RANK];
    dv_shape_strides(from, own);
    int lead = to->rank - from->rank;
    for (int d = 0; d < to->rank; d++)
        out[d] = d < lead || from->dim[d - lead] == 1 ? 0 : own[d - lead];
}

static size_t place(const dv_shape *shape, const int64_t *index, const int64_t *strides)
{
    int64_t at = 0;
    for (int d = 0; d < shape->rank; d++)
        at += index[d] * strides[d];
    return (size_t)at;
}

static double as_f32(double value)
{
    return (double)(float)value;
}

static bool float_unary(const dv_infer *infer, double x, double *y)
{
    const dv_op_params *p = &infer->params;
    switch (infer->kind) {
    case DV_OP_RELU:
        *y = x < 0 ? 0 : x;
        return true;
    case DV_OP_SIGMOID:
        *y = 1 / (1 + exp(-x));
        return true;
    case DV_OP_TANH:
        *y = tanh(x);
        return true;
    case DV_OP_ERF:
        *y = erf(x);
        return true;
    case DV_OP_EXP:
        *y = exp(x);
        return true;
    case DV_OP_LOG:
        *y = log(x);
        return true;
    case DV_OP_SQRT:
        *y = sqrt(x);
        return true;
    case DV_OP_RSQRT:
        *y = 1 / sqrt(x);
        return true;
    case DV_OP_RECIPROCAL:
        *y = 1 / x;
        return true;
    case DV_OP_NEG:
        *y = -x;
        return true;
    case DV_OP_ABS:
        *y = fabs(x);
        return true;
    case DV_OP_SIGN:
        *y = x > 0 ? 1 : x < 0 ? -1 : x;
        return true;
    case DV_OP_FLOOR:
        *y = floor(x);
        return true;
    case DV_OP_CEIL:
        *y = ceil(x);
        return true;
    case DV_OP_ROUND:
        *y = rint(x);
        return true;
    case DV_OP_SIN:
        *y = sin(x);
        return true;
    case DV_OP_COS:
        *y = cos(x);
        return true;
    case DV_OP_CLAMP:
        *y = fmin(fmax(x, p->clamp.min), p->clamp.max);
        return !isnan(x);
    default:
        return false;
    }
}

static bool integer_unary(const dv_infer *infer, int64_t x, int64_t *y)
{
    const dv_clamp_params *clamp = &infer->params.clamp;
    switch (infer->kind) {
    case DV_OP_RELU:
        *y = x < 0 ? 0 : x;
        return true;
    case DV_OP_NEG:
        *y = (int64_t)(0 - (uint64_t)x);
        return true;
    case DV_OP_ABS:
        *y = x < 0 ? (int64_t)(0 - (uint64_t)x) : x;
        return true;
    case DV_OP_SIGN:
        *y = (x > 0) - (x < 0);
        return true;
    case DV_OP_FLOOR:
    case DV_OP_CEIL:
    case DV_OP_ROUND:
        *y = x;
        return true;
    case DV_OP_CLAMP: /* bounds may be infinite; they are whole numbers in integer tensors */
        *y = (double)x < clamp->min   ? (int64_t)clamp->min
             : (double)x > clamp->max ? (int64_t)clamp->max
                                      : x;
        return fabs((double)*y) < 0x1p62;
    default:
        return false;
    }
}

/* Reads the cell as it becomes in a tensor of dtype `to`. */
static bool cast(dv_cell in, dv_dtype from, dv_dtype to, dv_cell *out)
{
    bool from_float = dv_dtype_is_float(from), to_float = dv_dtype_is_float(to);
    if (to == DV_DTYPE_BOOL) {
        out->i = from_float ? in.f != 0 : in.i != 0;
    } else if (to_float) {
        double value = from_float ? in.f : (double)in.i;
        out->f = to == DV_DTYPE_F64 ? value : as_f32(value);
    } else if (from_float) {
        if (!(fabs(in.f) < 0x1p63))
            return false;
        out->i = (int64_t)in.f;
    } else {
        out->i = in.i;
    }
    switch (to) { /* narrow integers wrap */
    case DV_DTYPE_I8:
        out->i = (int8_t)(uint8_t)(uint64_t)out->i;
        return true;
    case DV_DTYPE_I16:
        out->i = (int16_t)(uint16_t)(uint64_t)out->i;
        return true;
    case DV_DTYPE_I32:
        out->i = (int32_t)(uint32_t)(uint64_t)out->i;
        return true;
    case DV_DTYPE_U8:
        out->i = (uint8_t)(uint64_t)out->i;
        return true;
    case DV_DTYPE_U16:
        out->i = (uint16_t)(uint64_t)out->i;
        return true;
    case DV_DTYPE_U32:
        out->i = (uint32_t)(uint64_t)out->i;
        return true;
    default:
        return true;
    }
}

static bool unary(const dv_infer *infer, const dv_value *x, dv_value *out)
{
    bool is_float = dv_dtype_is_float(x->dtype), ok = true;
    for (size_t e = 0; ok && e < out->count; e++) {
        dv_cell in = x->cells[e];
        if (infer->kind == DV_OP_CAST)
            ok = cast(in, x->dtype, out->dtype, &out->cells[e]);
        else if (infer->kind == DV_OP_LOGICAL_NOT)
            out->cells[e].i = is_float ? in.f == 0 : in.i == 0;
        else if (infer->kind == DV_OP_ISNAN)
            out->cells[e].i = is_float && isnan(in.f);
        else if (is_float)
            ok = float_unary(infer, in.f, &out->cells[e].f);
        else
            ok = integer_unary(infer, in.i, &out->cells[e].i) &&
                 cast(out->cells[e], DV_DTYPE_I64, out->dtype, &out->cells[e]);
    }
    return ok;
}

static bool float_binary(dv_op_kind kind, double a, double b, double *y)
{
    switch (kind) {
    case DV_OP_ADD:
        *y = a + b;
        return true;
    case DV_OP_SUB:
        *y = a - b;
        return true;
    case DV_OP_MUL:
        *y = a * b;
        return true;
    case DV_OP_DIV:
        *y = a / b;
        return true;
    case DV_OP_POW:
        *y = pow(a, b);
        return true;
    case DV_OP_MAXIMUM:
        *y = a > b ? a : b;
        return !isnan(a) && !isnan(b);
    case DV_OP_MINIMUM:
        *y = a < b ? a : b;
        return !isnan(a) && !isnan(b);
    case DV_OP_REMAINDER:
        *y = a - b * floor(a / b);
        return isfinite(*y);
    case DV_OP_FMOD:
        *y = fmod(a, b);
        return true;
    default:
        return false;
    }
}

static bool integer_power(int64_t base, int64_t exponent, int64_t *y)
{
    uint64_t result = 1, factor = (uint64_t)base;
    if (exponent < 0)
        return false;
    for (; exponent > 0; exponent >>= 1) {
        if (exponent & 1)
            result *= factor;
        factor *= factor;
    }
    *y = (int64_t)result;
    return true;
}

static bool integer_divide(dv_op_kind kind, int64_t a, int64_t b, int64_t *y)
{
    if (b == 0)
        return false;
    if (b == -1) { /* INT64_MIN / -1 does not fit */
        *y = kind == DV_OP_DIV ? (int64_t)(0 - (uint64_t)a) : 0;
        return true;
    }
    int64_t rest = a % b;
    *y = kind == DV_OP_DIV                                                 ? a / b
         : kind == DV_OP_REMAINDER && rest != 0 && ((rest < 0) != (b < 0)) ? rest + b
                                                                           : rest;
    return true;
}

static bool integer_binary(dv_op_kind kind, int64_t a, int64_t b, int64_t *y)
{
    switch (kind) {
    case DV_OP_ADD:
        *y = (int64_t)((uint64_t)a + (uint64_t)b);
        return true;
    case DV_OP_SUB:
        *y = (int64_t)((uint64_t)a - (uint64_t)b);
        return true;
    case DV_OP_MUL:
        *y = (int64_t)((uint64_t)a * (uint64_t)b);
        return true;
    case DV_OP_DIV:
    case DV_OP_REMAINDER:
    case DV_OP_FMOD:
        return integer_divide(kind, a, b, y);
    case DV_OP_POW:
        return integer_power(a, b, y);
    case DV_OP_MAXIMUM:
        *y = a > b ? a : b;
        return true;
    case DV_OP_MINIMUM:
        *y = a < b ? a : b;
        return true;
    default:
        return false;
    }
}

/* Comparisons and logic; order: -1, 0, 1, or 2 if unordered. */
static bool truth(dv_op_kind kind, int order, bool a, bool b, int64_t *y)
{
    switch (kind) {
    case DV_OP_EQ:
        *y = order == 0;
        return true;
    case DV_OP_NE:
        *y = order != 0;
        return true;
    case DV_OP_GT:
        *y = order == 1;
        return true;
    case DV_OP_GE:
        *y = order == 0 || order == 1;
        return true;
    case DV_OP_LT:
        *y = order == -1;
        return true;
    case DV_OP_LE:
        *y = order == 0 || order == -1;
        return true;
    case DV_OP_LOGICAL_AND:
        *y = a && b;
        return true;
    case DV_OP_LOGICAL_OR:
        *y = a || b;
        return true;
    case DV_OP_LOGICAL_XOR:
        *y = a != b;
        return true;
    default:
        return false;
    }
}

static bool compare(dv_op_kind kind, dv_dtype dtype, dv_cell a, dv_cell b, int64_t *y)
{
    if (dv_dtype_is_float(dtype)) {
        int order = a.f < b.f ? -1 : a.f > b.f ? 1 : a.f == b.f ? 0 : 2;
        return truth(kind, order, a.f != 0, b.f != 0, y);
    }
    return truth(kind, (a.i > b.i) - (a.i < b.i), a.i != 0, b.i != 0, y);
}

static bool binary(dv_op_kind kind, const dv_value *inputs, dv_value *out)
{
    int64_t sa[DV_MAX_RANK], sb[DV_MAX_RANK], index[DV_MAX_RANK] = {0};
    dv_dtype dtype = inputs[0].dtype;
    bool is_float = dv_dtype_is_float(dtype), ok = true;
    bool is_truth = out->dtype == DV_DTYPE_BOOL;
    broadcast_strides(&inputs[0].shape, &out->shape, sa);
    broadcast_strides(&inputs[1].shape, &out->shape, sb);
    for (size_t e = 0; ok && e < out->count; e++) {
        dv_cell a = inputs[0].cells[place(&out->shape, index, sa)];
        dv_cell b = inputs[1].cells[place(&out->shape, index, sb)];
        if (is_truth)
            ok = compare(kind, dtype, a, b, &out->cells[e].i);
        else if (is_float)
            ok = float_binary(kind, a.f, b.f, &out->cells[e].f);
        else
            ok = integer_binary(kind, a.i, b.i, &out->cells[e].i) &&
                 cast(out->cells[e], DV_DTYPE_I64, dtype, &out->cells[e]);
        dv_next_index(&out->shape, index);
    }
    return ok;
}

static bool where(const dv_value *inputs, dv_value *out)
{
    int64_t strides[3][DV_MAX_RANK], index[DV_MAX_RANK] = {0};
    for (int i = 0; i < 3; i++)
        broadcast_strides(&inputs[i].shape, &out->shape, strides[i]);
    for (size_t e = 0; e < out->count; e++) {
        int chosen = inputs[0].cells[place(&out->shape, index, strides[0])].i ? 1 : 2;
        out->cells[e] = inputs[chosen].cells[place(&out->shape, index, strides[chosen])];
        dv_next_index(&out->shape, index);
    }
    return true;
}

static bool accumulate(dv_op_kind kind, bool is_float, bool first, dv_cell x, dv_cell *sum)
{
    dv_op_kind step = kind == DV_OP_PROD   ? DV_OP_MUL
                      : kind == DV_OP_AMAX ? DV_OP_MAXIMUM
                      : kind == DV_OP_AMIN ? DV_OP_MINIMUM
                                           : DV_OP_ADD;
    if (first && (kind == DV_OP_AMAX || kind == DV_OP_AMIN)) {
        *sum = x;
        return true;
    }
    return is_float ? float_binary(step, sum->f, x.f, &sum->f)
                    : integer_binary(step, sum->i, x.i, &sum->i);
}

static bool reduce(const dv_infer *infer, const dv_value *x, dv_value *out)
{
    const dv_reduce_params *p = &infer->params.reduce;
    bool is_float = dv_dtype_is_float(x->dtype);
    if ((infer->kind == DV_OP_MEAN && !is_float) ||
        (x->count == 0 && (infer->kind == DV_OP_AMAX || infer->kind == DV_OP_AMIN)))
        return false;
    dv_shape kept = x->shape;
    for (uint8_t i = 0; i < p->count; i++)
        kept.dim[p->axes[i]] = 1;
    int64_t strides[DV_MAX_RANK], index[DV_MAX_RANK] = {0};
    broadcast_strides(&kept, &x->shape, strides);
    for (size_t e = 0; e < out->count; e++)
        if (is_float)
            out->cells[e].f = infer->kind == DV_OP_PROD ? 1 : 0;
        else
            out->cells[e].i = infer->kind == DV_OP_PROD ? 1 : 0;
    for (size_t e = 0; e < x->count; e++) {
        bool first = true;
        for (uint8_t i = 0; i < p->count; i++)
            first &= index[p->axes[i]] == 0;
        if (!accumulate(infer->kind, is_float, first, x->cells[e],
                        &out->cells[place(&x->shape, index, strides)]))
            return false;
        dv_next_index(&x->shape, index);
    }
    for (size_t e = 0; e < out->count; e++)
        if (infer->kind == DV_OP_MEAN)
            out->cells[e].f /= (double)(x->count / out->count);
        else if (!is_float)
            (void)cast(out->cells[e], DV_DTYPE_I64, out->dtype, &out->cells[e]);
    return true;
}

static bool arange(const dv_value *inputs, dv_value *out)
{
    for (size_t e = 0; e < out->count; e++)
        if (dv_dtype_is_float(out->dtype))
            out->cells[e].f = inputs[0].cells[0].f + (double)e * inputs[2].cells[0].f;
        else
            out->cells[e].i = (int64_t)((uint64_t)inputs[0].cells[0].i +
                                        (uint64_t)e * (uint64_t)inputs[2].cells[0].i);
    return true;
}

static bool shape_of(const dv_infer *infer, dv_value *out)
{
    const dv_shape *x = &dv_infer_input(infer, 0)->shape;
    size_t elements;
    if (infer->kind == DV_OP_NUMEL) {
        out->cells[0].i = dv_shape_elements(x, &elements) ? (int64_t)elements : 0;
        return true;
    }
    for (size_t e = 0; e < out->count; e++)
        out->cells[e].i = x->dim[infer->params.slice.begin[0] + (int64_t)e];
    return true;
}

static bool cumsum(const dv_infer *infer, const dv_value *x, dv_value *out)
{
    const dv_axis_params *p = &infer->params.axis;
    if (p->exclusive || p->reverse || x->shape.rank == 0)
        return false;
    int64_t strides[DV_MAX_RANK], index[DV_MAX_RANK] = {0};
    dv_shape_strides(&x->shape, strides);
    bool is_float = dv_dtype_is_float(x->dtype);
    for (size_t e = 0; e < x->count; e++) {
        out->cells[e] = x->cells[e];
        if (index[p->axis] > 0 &&
            !accumulate(DV_OP_SUM, is_float, false, out->cells[e - (size_t)strides[p->axis]],
                        &out->cells[e]))
            return false;
        dv_next_index(&x->shape, index);
    }
    return true;
}

bool dv_evaluate_math(const dv_infer *infer, const dv_value *inputs, dv_value *out)
{
    const dv_op_info *info = dv_op_info_of(infer->kind);
    switch (infer->kind) {
    case DV_OP_WHERE:
        return where(inputs, out);
    case DV_OP_MEAN:
    case DV_OP_SUM:
    case DV_OP_AMAX:
    case DV_OP_AMIN:
    case DV_OP_PROD:
        return reduce(infer, &inputs[0], out);
    case DV_OP_CUMSUM:
        return cumsum(infer, &inputs[0], out);
    case DV_OP_ARANGE:
        return arange(inputs, out);
    case DV_OP_SHAPE:
    case DV_OP_NUMEL:
        return shape_of(infer, out);
    default:
        if (info->family != DV_FAMILY_ELEMENTWISE)
            return false;
        return info->most_inputs == 1 ? unary(infer, &inputs[0], out)
                                      : binary(infer->kind, inputs, out);
    }
}
