/* bitwise.c - logic on the bits of integers. A shift by the element's width or more leaves nothing,
   or, to the right, the sign. */
#include "runtime/portable/binary.h"

#define BITWISE(name, expression)                                        \
    static bool name##_pairs(int64_t *a, const int64_t *b, size_t count) \
    {                                                                    \
        for (size_t i = 0; i < count; i++) {                             \
            int64_t x = a[i], y = b[i];                                  \
            a[i] = (expression);                                         \
        }                                                                \
        return true;                                                     \
    }                                                                    \
    dv_status dv_kernel_##name(const dv_kernel_call *call)               \
    {                                                                    \
        (void)dv_binary_integers(call, name##_pairs);                    \
        return DV_OK;                                                    \
    }

static int64_t shift_left(int64_t x, int64_t by)
{
    return (uint64_t)by < 64 ? (int64_t)((uint64_t)x << by) : 0;
}

static int64_t shift_right(int64_t x, int64_t by)
{
    int64_t most = x < 0 ? -1 : 0;
    return (uint64_t)by < 64 ? x >> by : most;
}

static int64_t shift_right_unsigned(int64_t x, int64_t by)
{
    return (uint64_t)by < 64 ? (int64_t)((uint64_t)x >> by) : 0;
}

BITWISE(bitwise_and, x &y)
BITWISE(bitwise_or, x | y)
BITWISE(bitwise_xor, x ^ y)
BITWISE(shift_left, shift_left(x, y))

static bool shift_right_pairs(int64_t *a, const int64_t *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        a[i] = shift_right(a[i], b[i]);
    return true;
}

static bool shift_right_u64_pairs(int64_t *a, const int64_t *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        a[i] = shift_right_unsigned(a[i], b[i]);
    return true;
}

/* Narrower unsigned integers are loaded as what they are, so only 64 bits differ in sign. */
dv_status dv_kernel_shift_right(const dv_kernel_call *call)
{
    bool wide = call->inputs[0].dtype == DV_DTYPE_U64;
    (void)dv_binary_integers(call, wide ? shift_right_u64_pairs : shift_right_pairs);
    return DV_OK;
}

dv_status dv_kernel_bitwise_not(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0];
    bool truth = in->dtype == DV_DTYPE_BOOL;
    for (size_t i = 0; i < in->count; i++) {
        int64_t x = 0;
        dv_load_i64(in, i, 1, 1, &x);
        x = truth ? !x : ~x;
        dv_store_i64(&call->outputs[0], i, 1, 1, &x);
    }
    return DV_OK;
}
