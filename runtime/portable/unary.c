/* unary.c - element-wise functions of one operand. */
#include <math.h>

#include "runtime/portable/kernel.h"

typedef void (*float_block)(const dv_op_params *params, double *v, size_t count);
typedef void (*integer_block)(const dv_op_params *params, int64_t *v, size_t count);

static void map_floats(const dv_kernel_call *call, float_block apply)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    double block[DV_BLOCK];
    for (size_t first = 0; first < in->count; first += DV_BLOCK) {
        size_t count = in->count - first < DV_BLOCK ? in->count - first : DV_BLOCK;
        dv_load_f64(in, first, 1, count, block);
        apply(&call->op->params, block, count);
        dv_store_f64(out, first, 1, count, block);
    }
}

static void map_integers(const dv_kernel_call *call, integer_block apply)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    int64_t block[DV_BLOCK];
    for (size_t first = 0; first < in->count; first += DV_BLOCK) {
        size_t count = in->count - first < DV_BLOCK ? in->count - first : DV_BLOCK;
        dv_load_i64(in, first, 1, count, block);
        apply(&call->op->params, block, count);
        dv_store_i64(out, first, 1, count, block);
    }
}

static dv_status map(const dv_kernel_call *call, float_block floats, integer_block integers)
{
    if (dv_dtype_is_float(call->inputs[0].dtype))
        map_floats(call, floats);
    else
        map_integers(call, integers);
    return DV_OK;
}

/* FLOAT(name, expression in x and p): the function of one double. */
#define FLOAT(name, expression)                                               \
    static void name##_floats(const dv_op_params *p, double *v, size_t count) \
    {                                                                         \
        (void)p;                                                              \
        for (size_t i = 0; i < count; i++) {                                  \
            double x = v[i];                                                  \
            v[i] = (expression);                                              \
        }                                                                     \
    }

/* The same, and a kernel for floats only. */
#define KERNEL_OF_FLOATS(name, expression)                 \
    FLOAT(name, expression)                                \
    dv_status dv_kernel_##name(const dv_kernel_call *call) \
    {                                                      \
        map_floats(call, name##_floats);                   \
        return DV_OK;                                      \
    }

/* A kernel for floats and, by another expression, for integers. */
#define KERNEL_OF_NUMBERS(name, expression, integer_expression)                  \
    FLOAT(name, expression)                                                      \
    static void name##_integers(const dv_op_params *p, int64_t *v, size_t count) \
    {                                                                            \
        (void)p;                                                                 \
        for (size_t i = 0; i < count; i++) {                                     \
            int64_t x = v[i];                                                    \
            v[i] = (integer_expression);                                         \
        }                                                                        \
    }                                                                            \
    dv_status dv_kernel_##name(const dv_kernel_call *call)                       \
    {                                                                            \
        return map(call, name##_floats, name##_integers);                        \
    }

/* Without overflow for any x. */
static double sigmoid(double x)
{
    double e = exp(-fabs(x));
    return (x >= 0 ? 1 : e) / (1 + e);
}

static double softplus(double x)
{
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

/* Comparisons are written so that NaN goes through. */
static double clamp(double x, double low, double high)
{
    double y = x < low ? low : x;
    return y > high ? high : y;
}

static double gelu(double x, bool by_tanh)
{
    if (by_tanh) /* 0.797... = sqrt(2 / pi) */
        return x / 2 * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    return x / 2 * (1 + erf(x * 0.70710678118654752440));
}

static int64_t clamp_integer(int64_t x, double low, double high)
{
    if ((double)x < low)
        x = low >= 9223372036854775807.0 ? INT64_MAX : (int64_t)low;
    if ((double)x > high)
        x = high <= -9223372036854775808.0 ? INT64_MIN : (int64_t)high;
    return x;
}

KERNEL_OF_NUMBERS(relu, x < 0 ? 0 : x, x < 0 ? 0 : x)
KERNEL_OF_NUMBERS(neg, -x, (int64_t)(0 - (uint64_t)x))
KERNEL_OF_NUMBERS(abs, fabs(x), x < 0 ? (int64_t)(0 - (uint64_t)x) : x)
KERNEL_OF_NUMBERS(sign, isnan(x) ? x : (double)((x > 0) - (x < 0)), (x > 0) - (x < 0))
KERNEL_OF_NUMBERS(clamp, clamp(x, p->clamp.min, p->clamp.max),
                  clamp_integer(x, p->clamp.min, p->clamp.max))

KERNEL_OF_FLOATS(sigmoid, sigmoid(x))
KERNEL_OF_FLOATS(tanh, tanh(x))
KERNEL_OF_FLOATS(erf, erf(x))
KERNEL_OF_FLOATS(exp, exp(x))
KERNEL_OF_FLOATS(log, log(x))
KERNEL_OF_FLOATS(sqrt, sqrt(x))
KERNEL_OF_FLOATS(rsqrt, 1 / sqrt(x))
KERNEL_OF_FLOATS(reciprocal, 1 / x)
KERNEL_OF_FLOATS(floor, floor(x))
KERNEL_OF_FLOATS(ceil, ceil(x))
KERNEL_OF_FLOATS(round, nearbyint(x)) /* half to even, the default rounding mode */
KERNEL_OF_FLOATS(sin, sin(x))
KERNEL_OF_FLOATS(cos, cos(x))
KERNEL_OF_FLOATS(tan, tan(x))
KERNEL_OF_FLOATS(asin, asin(x))
KERNEL_OF_FLOATS(acos, acos(x))
KERNEL_OF_FLOATS(atan, atan(x))
KERNEL_OF_FLOATS(sinh, sinh(x))
KERNEL_OF_FLOATS(cosh, cosh(x))
KERNEL_OF_FLOATS(asinh, asinh(x))
KERNEL_OF_FLOATS(acosh, acosh(x))
KERNEL_OF_FLOATS(atanh, atanh(x))
KERNEL_OF_FLOATS(gelu, gelu(x, p->flag.on))
KERNEL_OF_FLOATS(silu, x *sigmoid(x))
KERNEL_OF_FLOATS(hardswish, x *clamp(x / 6 + 0.5, 0, 1))
KERNEL_OF_FLOATS(hardsigmoid, clamp(p->scalar.alpha *x + p->scalar.beta, 0, 1))
KERNEL_OF_FLOATS(elu, x < 0 ? p->scalar.alpha * expm1(x) : x)
KERNEL_OF_FLOATS(leaky_relu, x < 0 ? p->scalar.alpha * x : x)
KERNEL_OF_FLOATS(softplus, softplus(x))

dv_status dv_kernel_logical_not(const dv_kernel_call *call)
{
    for (size_t i = 0; i < call->inputs[0].count; i++)
        dv_put(&call->outputs[0], i, dv_at(&call->inputs[0], i) == 0);
    return DV_OK;
}

dv_status dv_kernel_isnan(const dv_kernel_call *call)
{
    for (size_t i = 0; i < call->inputs[0].count; i++)
        dv_put(&call->outputs[0], i, isnan(dv_at(&call->inputs[0], i)));
    return DV_OK;
}

dv_status dv_kernel_isinf(const dv_kernel_call *call)
{
    for (size_t i = 0; i < call->inputs[0].count; i++)
        dv_put(&call->outputs[0], i, isinf(dv_at(&call->inputs[0], i)) != 0);
    return DV_OK;
}
