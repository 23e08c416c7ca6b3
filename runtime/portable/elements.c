/* elements.c - reading and writing elements of any dtype as double or int64. */
#include <math.h>
#include <string.h>

#include "runtime/portable/kernel.h"

static float bf16_to_f32(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

/* Round to nearest even; a NaN stays one. */
static uint16_t f32_to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (isnan(value))
        return (uint16_t)(bits >> 16 | 0x40);
    bits += 0x7fff + (bits >> 16 & 1);
    return (uint16_t)(bits >> 16);
}

/* Toward zero and into [low, high]; comparing before converting keeps the conversion defined. */
static int64_t hold(double value, double low, double high, int64_t lowest, int64_t highest)
{
    if (isnan(value))
        return 0;
    if (value <= low)
        return lowest;
    return value >= high ? highest : (int64_t)value;
}

static uint64_t hold_u64(double value)
{
    if (!(value > 0))
        return 0;
    return value >= 18446744073709551615.0 ? UINT64_MAX : (uint64_t)value;
}

#define HOLD(value, type, lowest, highest) \
    (type) hold(value, (double)(lowest), (double)(highest), lowest, highest)

/* ROWS(X): X(dtype, C type, element as double, double as element) */
#define FLOAT_ROWS(X)                                                   \
    X(F32, float, (double)v, (float)v)                                  \
    X(F64, double, v, v)                                                \
    X(F16, uint16_t, (double)dv_f16_to_f32(v), dv_f32_to_f16((float)v)) \
    X(BF16, uint16_t, (double)bf16_to_f32(v), f32_to_bf16((float)v))

#define INTEGER_ROWS(X)                                                \
    X(I8, int8_t, (double)v, HOLD(v, int8_t, INT8_MIN, INT8_MAX))      \
    X(I16, int16_t, (double)v, HOLD(v, int16_t, INT16_MIN, INT16_MAX)) \
    X(I32, int32_t, (double)v, HOLD(v, int32_t, INT32_MIN, INT32_MAX)) \
    X(I64, int64_t, (double)v, HOLD(v, int64_t, INT64_MIN, INT64_MAX)) \
    X(U8, uint8_t, (double)v, HOLD(v, uint8_t, 0, UINT8_MAX))          \
    X(U16, uint16_t, (double)v, HOLD(v, uint16_t, 0, UINT16_MAX))      \
    X(U32, uint32_t, (double)v, HOLD(v, uint32_t, 0, UINT32_MAX))      \
    X(U64, uint64_t, (double)v, hold_u64(v))                           \
    X(BOOL, uint8_t, (double)(v != 0), (uint8_t)(v != 0))

void dv_load_f64(const dv_operand *from, size_t first, ptrdiff_t stride, size_t count, double *out)
{
    switch (from->dtype) {
#define ROW(dtype, type, get, set)                              \
    case DV_DTYPE_##dtype: {                                    \
        const type *element = (const type *)from->data + first; \
        for (size_t i = 0; i < count; i++, element += stride) { \
            type v = *element;                                  \
            out[i] = get;                                       \
        }                                                       \
        break;                                                  \
    }
        FLOAT_ROWS(ROW)
        INTEGER_ROWS(ROW)
#undef ROW
    default:
        break;
    }
}

void dv_store_f64(const dv_operand *to, size_t first, ptrdiff_t stride, size_t count,
                  const double *in)
{
    switch (to->dtype) {
#define ROW(dtype, type, get, set)                              \
    case DV_DTYPE_##dtype: {                                    \
        type *element = (type *)to->data + first;               \
        for (size_t i = 0; i < count; i++, element += stride) { \
            double v = in[i];                                   \
            *element = set;                                     \
        }                                                       \
        break;                                                  \
    }
        FLOAT_ROWS(ROW)
        INTEGER_ROWS(ROW)
#undef ROW
    default:
        break;
    }
}

void dv_load_i64(const dv_operand *from, size_t first, ptrdiff_t stride, size_t count, int64_t *out)
{
    switch (from->dtype) {
#define ROW(dtype, type, get, set)                              \
    case DV_DTYPE_##dtype: {                                    \
        const type *element = (const type *)from->data + first; \
        for (size_t i = 0; i < count; i++, element += stride)   \
            out[i] = (int64_t)*element;                         \
        break;                                                  \
    }
        INTEGER_ROWS(ROW)
#undef ROW
    default:
        for (size_t i = 0; i < count; i++)
            out[i] = hold(dv_at(from, first + (size_t)(stride * (ptrdiff_t)i)), (double)INT64_MIN,
                          (double)INT64_MAX, INT64_MIN, INT64_MAX);
        break;
    }
}

void dv_store_i64(const dv_operand *to, size_t first, ptrdiff_t stride, size_t count,
                  const int64_t *in)
{
    switch (to->dtype) {
#define ROW(dtype, type, get, set)                            \
    case DV_DTYPE_##dtype: {                                  \
        type *element = (type *)to->data + first;             \
        for (size_t i = 0; i < count; i++, element += stride) \
            *element = (type)in[i];                           \
        break;                                                \
    }
        INTEGER_ROWS(ROW)
#undef ROW
    default:
        for (size_t i = 0; i < count; i++)
            dv_put(to, first + (size_t)(stride * (ptrdiff_t)i), (double)in[i]);
        break;
    }
    if (to->dtype == DV_DTYPE_BOOL)
        for (size_t i = 0; i < count; i++)
            ((uint8_t *)to->data)[first + (size_t)(stride * (ptrdiff_t)i)] = in[i] != 0;
}

double dv_at(const dv_operand *from, size_t index)
{
    if (from->dtype == DV_DTYPE_F32)
        return (double)((const float *)from->data)[index];
    double value = 0;
    dv_load_f64(from, index, 1, 1, &value);
    return value;
}

void dv_put(const dv_operand *to, size_t index, double value)
{
    if (to->dtype == DV_DTYPE_F32)
        ((float *)to->data)[index] = (float)value;
    else
        dv_store_f64(to, index, 1, 1, &value);
}
