/* binary.c - element-wise functions of two operands that broadcast. */
#include "runtime/portable/binary.h"

#include <math.h>

void dv_binary_walk(const dv_kernel_call *call, dv_walk *walk)
{
    ptrdiff_t stride[3][DV_WALK_RANK];
    const dv_shape *over = &call->outputs[0].shape;
    dv_strides(over, stride[0]);
    dv_broadcast_strides(&call->inputs[0].shape, over, stride[1]);
    dv_broadcast_strides(&call->inputs[1].shape, over, stride[2]);
    dv_walk_start(walk, over->rank, over->dim, 3, stride);
}

void dv_binary_floats(const dv_kernel_call *call, dv_float_pair apply)
{
    dv_walk walk;
    double a[DV_BLOCK], b[DV_BLOCK];
    dv_binary_walk(call, &walk);
    if (walk.empty)
        return;
    do {
        for (size_t i = 0; i < walk.length; i += DV_BLOCK) {
            size_t count = walk.length - i < DV_BLOCK ? walk.length - i : DV_BLOCK;
            dv_load_f64(&call->inputs[0], dv_walk_index(&walk, 1, i), walk.step[1], count, a);
            dv_load_f64(&call->inputs[1], dv_walk_index(&walk, 2, i), walk.step[2], count, b);
            apply(a, b, count);
            dv_store_f64(&call->outputs[0], dv_walk_index(&walk, 0, i), walk.step[0], count, a);
        }
    } while (dv_walk_next(&walk));
}

bool dv_binary_integers(const dv_kernel_call *call, dv_integer_pair apply)
{
    dv_walk walk;
    int64_t a[DV_BLOCK], b[DV_BLOCK];
    dv_binary_walk(call, &walk);
    if (walk.empty)
        return true;
    do {
        for (size_t i = 0; i < walk.length; i += DV_BLOCK) {
            size_t count = walk.length - i < DV_BLOCK ? walk.length - i : DV_BLOCK;
            dv_load_i64(&call->inputs[0], dv_walk_index(&walk, 1, i), walk.step[1], count, a);
            dv_load_i64(&call->inputs[1], dv_walk_index(&walk, 2, i), walk.step[2], count, b);
            if (!apply(a, b, count))
                return false;
            dv_store_i64(&call->outputs[0], dv_walk_index(&walk, 0, i), walk.step[0], count, a);
        }
    } while (dv_walk_next(&walk));
    return true;
}

static dv_status binary(const dv_kernel_call *call, dv_float_pair floats, dv_integer_pair integers,
                        dv_integer_pair unsigned_integers)
{
    const dv_operand *a = &call->inputs[0], *b = &call->inputs[1];
    if (dv_dtype_is_float(a->dtype) || dv_dtype_is_float(b->dtype)) {
        dv_binary_floats(call, floats);
        return DV_OK;
    }
    dv_integer_pair apply = a->dtype == DV_DTYPE_U64 ? unsigned_integers : integers;
    if (dv_binary_integers(call, apply))
        return DV_OK;
    return dv_fail(DV_BAD_INPUT, "'%s': division of an integer by zero", call->op->name);
}

/* Integer arithmetic wraps, as unsigned arithmetic does; storing keeps the low bits. */
#define WRAP(a, operator, b) ((int64_t)((uint64_t)(a) operator(uint64_t)(b)))

static bool divide(int64_t a, int64_t b, int64_t *out)
{
    if (b == 0)
        return false;
    *out = b == -1 ? WRAP(0, -, a) : a / b; /* INT64_MIN / -1 would trap */
    return true;
}

static bool divide_u64(uint64_t a, uint64_t b, int64_t *out)
{
    if (b == 0)
        return false;
    *out = (int64_t)(a / b);
    return true;
}

/* The rest has the dividend's sign (C) or the divisor's (Python). */
static bool rest(int64_t a, int64_t b, bool like_divisor, int64_t *out)
{
    if (b == 0)
        return false;
    *out = b == -1 ? 0 : a % b;
    if (like_divisor && *out != 0 && (*out < 0) != (b < 0))
        *out += b;
    return true;
}

static bool rest_u64(uint64_t a, uint64_t b, int64_t *out)
{
    if (b == 0)
        return false;
    *out = (int64_t)(a % b);
    return true;
}

static double remainder_like_divisor(double a, double b)
{
    double r = fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

/* By squaring; a negative exponent gives the truncated reciprocal. */
static int64_t power(int64_t base, int64_t exponent)
{
    if (exponent < 0)
        return base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
    int64_t result = 1;
    for (; exponent > 0; exponent >>= 1, base = WRAP(base, *, base))
        if (exponent & 1)
            result = WRAP(result, *, base);
    return result;
}

/* NaN in either operand comes out. */
static double larger(double a, double b)
{
    return isnan(a) || a > b ? a : b;
}

static double smaller(double a, double b)
{
    return isnan(a) || a < b ? a : b;
}

/* BINARY(name, of doubles x and y, done with int64 x and y into *out, the same for U64): the
   statements give false where there is no result. */
#define INTEGERS(name, type, statement)                          \
    static bool name(int64_t *a, const int64_t *b, size_t count) \
    {                                                            \
        for (size_t i = 0; i < count; i++) {                     \
            type x = (type)a[i], y = (type)b[i];                 \
            int64_t *out = &a[i];                                \
            if (!(statement))                                    \
                return false;                                    \
        }                                                        \
        return true;                                             \
    }

#define BINARY(name, expression, statement, unsigned_statement)         \
    static void name##_floats(double *a, const double *b, size_t count) \
    {                                                                   \
        for (size_t i = 0; i < count; i++) {                            \
            double x = a[i], y = b[i];                                  \
            a[i] = (expression);                                        \
        }                                                               \
    }                                                                   \
    INTEGERS(name##_i64, int64_t, statement)                            \
    INTEGERS(name##_u64, uint64_t, unsigned_statement)                  \
    dv_status dv_kernel_##name(const dv_kernel_call *call)              \
    {                                                                   \
        return binary(call, name##_floats, name##_i64, name##_u64);     \
    }

#define IS(value) (*out = (int64_t)(value), true)

BINARY(add, x + y, IS(WRAP(x, +, y)), IS(x + y))
BINARY(sub, x - y, IS(WRAP(x, -, y)), IS(x - y))
BINARY(mul, x *y, IS(WRAP(x, *, y)), IS(x *y))
BINARY(div, x / y, divide(x, y, out), divide_u64(x, y, out))
BINARY(pow, pow(x, y), IS(power(x, y)), IS(power((int64_t)x, (int64_t)y)))
BINARY(maximum, larger(x, y), IS(x > y ? x : y), IS(x > y ? x : y))
BINARY(minimum, smaller(x, y), IS(x < y ? x : y), IS(x < y ? x : y))
BINARY(remainder, remainder_like_divisor(x, y), rest(x, y, true, out), rest_u64(x, y, out))
BINARY(fmod, fmod(x, y), rest(x, y, false, out), rest_u64(x, y, out))
BINARY(prelu, x < 0 ? x * y : x, IS(x < 0 ? WRAP(x, *, y) : x), IS(((void)y, x)))
