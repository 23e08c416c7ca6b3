/* graph_data.c - the elements of constants, whatever keeps them. */
#include <math.h>
#include <string.h>

#include "core/graph.h"
#include "core/rng.h"

bool dv_tensor_bytes(const dv_tensor *tensor, size_t *bytes)
{
    size_t elements;
    return dv_shape_elements(&tensor->shape, &elements) &&
           dv_mul_size(elements, dv_dtype_bytes(tensor->dtype), bytes);
}

const uint8_t *dv_tensor_raw(const dv_tensor *tensor)
{
    if (tensor->data.storage != DV_STORAGE_BUFFER)
        return NULL;
    return dv_buffer_data(tensor->data.buffer) + tensor->data.offset;
}

float dv_f16_to_f32(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = (bits >> 10) & 31,
             mantissa = bits & 0x3ff, out;
    if (exponent == 31)
        out = sign | 0x7f800000 | mantissa << 13;
    else if (exponent > 0)
        out = sign | (exponent + 112) << 23 | mantissa << 13;
    else
        return (sign ? -1.0f : 1.0f) * (float)mantissa * 0x1p-24f;
    float value;
    memcpy(&value, &out, sizeof value);
    return value;
}

uint16_t dv_f32_to_f16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t sign = (uint16_t)((bits >> 16) & 0x8000);
    uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00);
    if (magnitude >= 0x477ff000) /* rounds to 65536 or more */
        return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x38800000) { /* subnormal: scale so that one unit is 2^-24 */
        float scaled;
        memcpy(&scaled, &magnitude, sizeof scaled);
        return (uint16_t)(sign | (uint16_t)lrintf(scaled * 0x1p24f));
    }
    uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
    return (uint16_t)(sign | (uint16_t)((rounded - 0x38000000) >> 13));
}

static float bf16_to_f32(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

static uint16_t f32_to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/* Element i of a generated or filled tensor. */
static double made_element(const dv_data *data, size_t i)
{
    if (data->storage != DV_STORAGE_GENERATED)
        return data->shift;
    double unit = (double)(dv_rng_at(data->seed, i) >> 11) * 0x1p-52 - 1.0;
    return data->scale * unit + data->shift;
}

#define STORE(type, value)                     \
    do {                                       \
        type stored_ = (type)(value);          \
        memcpy(out, &stored_, sizeof stored_); \
    } while (0)

/* Held to a type's range, which a number from a file need not keep to: C leaves the conversion of
   others undefined. Not a number gives 0. */
static double held(double value, double least, double most)
{
    return isnan(value) ? 0 : fmin(fmax(value, least), most);
}

static void store(dv_dtype dtype, double value, void *out)
{
    switch (dtype) {
    case DV_DTYPE_F32:
        STORE(float, value);
        break;
    case DV_DTYPE_F64:
        STORE(double, value);
        break;
    case DV_DTYPE_F16:
        STORE(uint16_t, dv_f32_to_f16((float)value));
        break;
    case DV_DTYPE_BF16:
        STORE(uint16_t, f32_to_bf16((float)value));
        break;
    case DV_DTYPE_I8:
        STORE(int8_t, held(value, INT8_MIN, INT8_MAX));
        break;
    case DV_DTYPE_I16:
        STORE(int16_t, held(value, INT16_MIN, INT16_MAX));
        break;
    case DV_DTYPE_I32:
        STORE(int32_t, held(value, INT32_MIN, INT32_MAX));
        break;
    case DV_DTYPE_I64:
        STORE(int64_t, held(value, -0x1p63, 0x1.fffffffffffffp62));
        break;
    case DV_DTYPE_U8:
        STORE(uint8_t, held(value, 0, UINT8_MAX));
        break;
    case DV_DTYPE_U16:
        STORE(uint16_t, held(value, 0, UINT16_MAX));
        break;
    case DV_DTYPE_U32:
        STORE(uint32_t, held(value, 0, UINT32_MAX));
        break;
    case DV_DTYPE_U64:
        STORE(uint64_t, held(value, 0, 0x1.fffffffffffffp63));
        break;
    case DV_DTYPE_BOOL:
        STORE(uint8_t, value != 0);
        break;
    case DV_DTYPE_NONE:
    case DV_DTYPE_STRING:
    case DV_DTYPE_COUNT:
        break;
    }
}

/* Run by run of elements that share a factor. */
static void read_scaled(const dv_tensor *tensor, size_t first, size_t count, uint8_t *out)
{
    const dv_data *data = &tensor->data;
    dv_tensor base = *tensor;
    base.data.storage = data->base;
    dv_tensor_read(&base, first, count, out);
    const double *factors = (const double *)(const void *)dv_buffer_data(data->factors);
    size_t channels = dv_buffer_size(data->factors) / sizeof *factors;
    for (size_t i = first, end = first + count; i < end;) {
        size_t slice = i / data->inner, run = (slice + 1) * data->inner;
        double factor = factors[slice % channels];
        for (run = run < end ? run : end; i < run; i++, out += sizeof(float)) {
            float value;
            memcpy(&value, out, sizeof value);
            value = (float)((double)value * factor);
            memcpy(out, &value, sizeof value);
        }
    }
}

void dv_tensor_read(const dv_tensor *tensor, size_t first, size_t count, void *out)
{
    size_t size = dv_dtype_bytes(tensor->dtype);
    if (tensor->data.storage == DV_STORAGE_SCALED) {
        read_scaled(tensor, first, count, out);
        return;
    }
    if (tensor->data.storage == DV_STORAGE_BUFFER) {
        memcpy(out, dv_tensor_raw(tensor) + first * size, count * size);
        return;
    }
    if (tensor->data.storage == DV_STORAGE_FILL && tensor->data.shift == 0) {
        memset(out, 0, count * size);
        return;
    }
    for (size_t i = 0; i < count; i++)
        store(tensor->dtype, made_element(&tensor->data, first + i), (uint8_t *)out + i * size);
}

#define LOAD(type) \
    type loaded;   \
    memcpy(&loaded, in, sizeof loaded)

static double load_real(dv_dtype dtype, const uint8_t *in)
{
    switch (dtype) {
    case DV_DTYPE_F32: {
        LOAD(float);
        return (double)loaded;
    }
    case DV_DTYPE_F64: {
        LOAD(double);
        return loaded;
    }
    case DV_DTYPE_F16: {
        LOAD(uint16_t);
        return (double)dv_f16_to_f32(loaded);
    }
    case DV_DTYPE_BF16: {
        LOAD(uint16_t);
        return (double)bf16_to_f32(loaded);
    }
    case DV_DTYPE_U64: {
        LOAD(uint64_t);
        return (double)loaded;
    }
    default:
        return NAN;
    }
}

/* Whole numbers exactly; floating ones truncated, out-of-range ones to the nearest end. */
static int64_t load_whole(dv_dtype dtype, const uint8_t *in)
{
    switch (dtype) {
    case DV_DTYPE_I8: {
        LOAD(int8_t);
        return loaded;
    }
    case DV_DTYPE_I16: {
        LOAD(int16_t);
        return loaded;
    }
    case DV_DTYPE_I32: {
        LOAD(int32_t);
        return loaded;
    }
    case DV_DTYPE_I64: {
        LOAD(int64_t);
        return loaded;
    }
    case DV_DTYPE_U8: {
        LOAD(uint8_t);
        return loaded;
    }
    case DV_DTYPE_U16: {
        LOAD(uint16_t);
        return loaded;
    }
    case DV_DTYPE_U32: {
        LOAD(uint32_t);
        return loaded;
    }
    case DV_DTYPE_U64: {
        LOAD(uint64_t);
        return loaded > INT64_MAX ? INT64_MAX : (int64_t)loaded;
    }
    case DV_DTYPE_BOOL: {
        LOAD(uint8_t);
        return loaded != 0;
    }
    default: {
        double real = load_real(dtype, in);
        if (isnan(real))
            return 0;
        return real >= 0x1p63 ? INT64_MAX : real <= -0x1p63 ? INT64_MIN : (int64_t)real;
    }
    }
}

static bool readable(dv_dtype dtype)
{
    return dtype != DV_DTYPE_STRING && dtype != DV_DTYPE_NONE;
}

bool dv_tensor_read_f32(const dv_tensor *tensor, size_t first, size_t count, float *out)
{
    if (!readable(tensor->dtype))
        return false;
    if (tensor->dtype == DV_DTYPE_F32) {
        dv_tensor_read(tensor, first, count, out);
        return true;
    }
    bool real = dv_dtype_is_float(tensor->dtype) || tensor->dtype == DV_DTYPE_U64;
    for (size_t i = 0; i < count; i++) {
        uint8_t element[8];
        dv_tensor_read(tensor, first + i, 1, element);
        out[i] = real ? (float)load_real(tensor->dtype, element)
                      : (float)load_whole(tensor->dtype, element);
    }
    return true;
}

bool dv_tensor_read_i64(const dv_tensor *tensor, size_t first, size_t count, int64_t *out)
{
    if (!readable(tensor->dtype))
        return false;
    for (size_t i = 0; i < count; i++) {
        uint8_t element[8];
        dv_tensor_read(tensor, first + i, 1, element);
        out[i] = load_whole(tensor->dtype, element);
    }
    return true;
}
