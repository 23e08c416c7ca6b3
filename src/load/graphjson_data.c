/* graphjson_data.c - what a tensor of graph/1 is made of: type, shape and elements. */
#include "load/graphjson_data.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "load/base64.h"

dv_status dv_graphjson_shape(const dv_json_at *at, dv_shape *out)
{
    DV_TRY(dv_json_array(at));
    if (dv_json_count(at) > DV_MAX_RANK)
        return dv_json_fail(at, "at most %d dimensions are supported", DV_MAX_RANK);
    *out = (dv_shape){0};
    for (dv_json_at dim = dv_json_first(at); dv_json_present(&dim); dim = dv_json_next(&dim))
        DV_TRY(dv_json_integer(&dim, 0, DV_GRAPHJSON_FAR, &out->dim[out->rank++]));
    if (dv_json_count(at) != out->rank)
        return dv_json_fail(at, "expected whole numbers");
    return DV_OK;
}

dv_status dv_graphjson_dtype(const dv_json_at *at, dv_dtype *out)
{
    const char *name;
    DV_TRY(dv_json_string(at, &name));
    if (!dv_dtype_from_name(name, out))
        return dv_json_fail(at, "'%s' is no element type; f32, f16, i64, bool and the like are",
                            name);
    return DV_OK;
}

/* "none" is what is no tensor of numbers, such as a sequence. */
dv_status dv_graphjson_dtype_or_none(const dv_json_at *at, dv_dtype *out)
{
    const char *name;
    DV_TRY(dv_json_string(at, &name));
    *out = DV_DTYPE_NONE;
    return strcmp(name, dv_dtype_name(DV_DTYPE_NONE)) == 0 ? DV_OK : dv_graphjson_dtype(at, out);
}

/* One number of a list into its place. */
static dv_status read_element(const dv_json_at *at, dv_dtype dtype, uint8_t *out)
{
    size_t width = dv_dtype_bytes(dtype);
    int64_t whole = 0;
    if (dv_dtype_is_float(dtype)) {
        double value;
        DV_TRY(dv_json_number(at, &value));
        float single = (float)value;
        uint32_t bits;
        memcpy(&bits, &single, sizeof bits);
        if (dtype == DV_DTYPE_F64) {
            memcpy(out, &value, sizeof value);
            return DV_OK;
        }
        if (dtype == DV_DTYPE_F16)
            bits = dv_f32_to_f16(single);
        if (dtype == DV_DTYPE_BF16) /* to nearest even */
            bits = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
        memcpy(out, &bits, width);
        return DV_OK;
    }
    int bits = (int)(8 * width);
    bool is_signed = dtype == DV_DTYPE_I8 || dtype == DV_DTYPE_I16 || dtype == DV_DTYPE_I32 ||
                     dtype == DV_DTYPE_I64;
    int64_t high = dtype == DV_DTYPE_BOOL ? 1
                   : bits == 64           ? DV_GRAPHJSON_FAR
                                          : ((int64_t)1 << (is_signed ? bits - 1 : bits)) - 1;
    DV_TRY(dv_json_integer(at, is_signed ? -high - (bits < 64) : 0, high, &whole));
    memcpy(out, &whole, width);
    return DV_OK;
}

static dv_status read_values(const dv_json_at *at, dv_dtype dtype, size_t elements, uint8_t *out)
{
    DV_TRY(dv_json_array(at));
    if (dv_json_count(at) != elements)
        return dv_json_fail(at, "%zu values where the shape needs %zu", dv_json_count(at),
                            elements);
    size_t width = dv_dtype_bytes(dtype), i = 0;
    for (dv_json_at value = dv_json_first(at); i < elements; value = dv_json_next(&value))
        DV_TRY(read_element(&value, dtype, out + width * i++));
    return DV_OK;
}

/* Seeds have 64 bits, numbers in JSON 53: larger ones are written as text. */
static dv_status read_seed(const dv_json_at *at, uint64_t *out)
{
    if (!dv_json_is_string(at)) {
        int64_t value;
        DV_TRY(dv_json_integer(at, 0, DV_GRAPHJSON_FAR, &value));
        *out = (uint64_t)value;
        return DV_OK;
    }
    const char *text;
    DV_TRY(dv_json_string(at, &text));
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    if (errno || *end || *text < '0' || *text > '9')
        return dv_json_fail(at, "expected a whole number of at most 64 bits");
    return DV_OK;
}

static dv_status read_generated(const dv_json_at *at, dv_data *out)
{
    static const char *const keys[] = {"seed", "scale", "shift", NULL};
    DV_TRY(dv_json_object(at));
    DV_TRY(dv_json_only(at, keys));
    dv_json_at seed = dv_json_member(at, "seed"), scale = dv_json_member(at, "scale"),
               shift = dv_json_member(at, "shift");
    out->storage = DV_STORAGE_GENERATED;
    DV_TRY(read_seed(&seed, &out->seed));
    DV_TRY(dv_json_number(&scale, &out->scale));
    return dv_json_present(&shift) ? dv_json_number(&shift, &out->shift) : DV_OK;
}

/* Elements as numbers or base64; the length is known from the shape before memory is taken. */
static dv_status read_bytes(const dv_json_at *at, const dv_json_at *values, dv_tensor *tensor)
{
    size_t elements, bytes;
    const char *text = NULL;
    dv_json_at packed = dv_json_member(at, "base64");
    if (!dv_shape_elements(&tensor->shape, &elements) || !dv_tensor_bytes(tensor, &bytes))
        return dv_json_fail(at, "its shape has more elements than memory can hold");
    if (dv_json_present(&packed))
        DV_TRY(dv_json_string(&packed, &text));
    if (text && strlen(text) / 4 != bytes / 3 + (bytes % 3 != 0))
        return dv_json_fail(&packed, "it is not the base64 of %zu bytes, which the shape needs",
                            bytes);
    if (!text && dv_json_count(values) != elements)
        return dv_json_fail(values, "%zu values where the shape needs %zu", dv_json_count(values),
                            elements);
    tensor->data.storage = DV_STORAGE_BUFFER;
    tensor->data.buffer = dv_buffer_create(bytes);
    if (!tensor->data.buffer)
        return dv_fail(DV_NO_MEMORY, "out of memory for %zu bytes", bytes);
    uint8_t *out = dv_buffer_writable(tensor->data.buffer);
    if (!text)
        return read_values(values, tensor->dtype, elements, out);
    return dv_base64_decode(text, out, bytes)
               ? DV_OK
               : dv_json_fail(&packed, "it is not the base64 of %zu bytes", bytes);
}

static dv_status read_fill(const dv_json_at *at, double *out)
{
    const char *text = "";
    if (dv_json_is_string(at))
        DV_TRY(dv_json_string(at, &text));
    *out = strcmp(text, "nan") == 0 ? NAN : -INFINITY;
    return isnan(*out) || strcmp(text, "-inf") == 0 ? DV_OK : dv_json_number_or_inf(at, out);
}

dv_status dv_graphjson_data(const dv_json_at *at, dv_tensor *tensor)
{
    dv_json_at values = dv_json_member(at, "values"), fill = dv_json_member(at, "fill"),
               generated = dv_json_member(at, "generated"), packed = dv_json_member(at, "base64");
    int given = dv_json_present(&values) + dv_json_present(&fill) + dv_json_present(&generated) +
                dv_json_present(&packed);
    if (tensor->role != DV_ROLE_CONSTANT && given == 0)
        return DV_OK;
    if (tensor->role != DV_ROLE_CONSTANT && tensor->role != DV_ROLE_STATE)
        return dv_json_fail(at, "only a constant or a state has elements");
    if (given != 1)
        return dv_json_fail(at, "its elements need one of values, fill, generated and base64");
    size_t bytes;
    if (tensor->dtype == DV_DTYPE_NONE || tensor->dtype == DV_DTYPE_STRING)
        return dv_json_fail(at, "a constant needs an element type of numbers");
    if (!dv_tensor_bytes(tensor, &bytes))
        return dv_json_fail(at, "a constant needs a shape that memory can hold");
    if (dv_json_present(&fill)) {
        tensor->data.storage = DV_STORAGE_FILL;
        return read_fill(&fill, &tensor->data.shift);
    }
    if (dv_json_present(&generated)) {
        if (tensor->dtype != DV_DTYPE_F32)
            return dv_json_fail(&generated, "generated elements are f32");
        return read_generated(&generated, &tensor->data);
    }
    return read_bytes(at, &values, tensor);
}
