/* compare.c - comparisons, logic and selection. */
#include <string.h>

#include "runtime/portable/binary.h"

static dv_status compare(const dv_kernel_call *call, dv_float_pair floats, dv_integer_pair integers,
                         dv_integer_pair unsigned_integers)
{
    dv_dtype dtype = call->inputs[0].dtype;
    if (dv_dtype_is_float(dtype))
        dv_binary_floats(call, floats);
    else
        (void)dv_binary_integers(call, dtype == DV_DTYPE_U64 ? unsigned_integers : integers);
    return DV_OK;
}

#define INTEGERS(name, type, expression)                         \
    static bool name(int64_t *a, const int64_t *b, size_t count) \
    {                                                            \
        for (size_t i = 0; i < count; i++) {                     \
            type x = (type)a[i], y = (type)b[i];                 \
            a[i] = (expression);                                 \
        }                                                        \
        return true;                                             \
    }

#define COMPARE(name, expression)                                       \
    static void name##_floats(double *a, const double *b, size_t count) \
    {                                                                   \
        for (size_t i = 0; i < count; i++) {                            \
            double x = a[i], y = b[i];                                  \
            a[i] = (expression);                                        \
        }                                                               \
    }                                                                   \
    INTEGERS(name##_i64, int64_t, expression)                           \
    INTEGERS(name##_u64, uint64_t, expression)                          \
    dv_status dv_kernel_##name(const dv_kernel_call *call)              \
    {                                                                   \
        return compare(call, name##_floats, name##_i64, name##_u64);    \
    }

COMPARE(eq, x == y)
COMPARE(ne, x != y)
COMPARE(gt, x > y)
COMPARE(ge, x >= y)
COMPARE(lt, x < y)
COMPARE(le, x <= y)
COMPARE(logical_and, x != 0 && y != 0)
COMPARE(logical_or, x != 0 || y != 0)
COMPARE(logical_xor, (x != 0) != (y != 0))

dv_status dv_kernel_where(const dv_kernel_call *call)
{
    const dv_shape *over = &call->outputs[0].shape;
    const uint8_t *condition = call->inputs[0].data;
    const char *yes = call->inputs[1].data, *no = call->inputs[2].data;
    char *out = call->outputs[0].data;
    size_t size = dv_dtype_bytes(call->outputs[0].dtype);
    ptrdiff_t stride[4][DV_WALK_RANK];
    dv_strides(over, stride[0]);
    for (int i = 0; i < 3; i++)
        dv_broadcast_strides(&call->inputs[i].shape, over, stride[i + 1]);
    dv_walk walk;
    dv_walk_start(&walk, over->rank, over->dim, 4, stride);
    if (walk.empty)
        return DV_OK;
    do {
        for (size_t i = 0; i < walk.length; i++) {
            const char *from = condition[dv_walk_index(&walk, 1, i)]
                                   ? yes + dv_walk_index(&walk, 2, i) * size
                                   : no + dv_walk_index(&walk, 3, i) * size;
            memcpy(out + dv_walk_index(&walk, 0, i) * size, from, size);
        }
    } while (dv_walk_next(&walk));
    return DV_OK;
}
