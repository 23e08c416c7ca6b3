#include "load/onnx_sparse.h"

#include <string.h>

typedef struct sparse {
    dv_tensor values, indices;
    size_t count;     /* elements that are given */
    size_t elements;  /* of the dense tensor */
    bool by_position; /* an index for each dim, not one for the whole tensor */
} sparse;

static dv_status read_shape(const dv_onnx_sparse *given, dv_tensor *out, sparse *s)
{
    char text[DV_SHAPE_TEXT];
    if (given->rank > DV_MAX_RANK)
        return dv_fail(DV_BAD_INPUT, "it has %u dimensions; at most %d are supported", given->rank,
                       DV_MAX_RANK);
    out->shape = dv_shape_make(given->dims, given->rank);
    for (uint32_t d = 0; d < given->rank; d++)
        if (given->dims[d] < 0)
            return dv_fail(DV_BAD_INPUT, "its dimension %u is %lld; a size cannot be negative", d,
                           (long long)given->dims[d]);
    if (!dv_shape_elements(&out->shape, &s->elements))
        return dv_fail(DV_BAD_INPUT, "its shape %s has more elements than memory can hold",
                       dv_shape_text(&out->shape, text));
    return DV_OK;
}

static dv_status check_indices(const dv_tensor *out, sparse *s)
{
    const dv_shape *i = &s->indices.shape;
    char text[DV_SHAPE_TEXT];
    s->by_position = i->rank == 2;
    bool fits = s->indices.dtype == DV_DTYPE_I64 && s->values.shape.rank == 1 &&
                (i->rank == 1 || (i->rank == 2 && i->dim[1] == out->shape.rank)) &&
                i->dim[0] == s->values.shape.dim[0];
    if (!fits)
        return dv_fail(DV_BAD_INPUT,
                       "its indices are %s %s; i64, one or %u for each of its %lld "
                       "values are expected",
                       dv_dtype_name(s->indices.dtype), dv_shape_text(i, text),
                       (unsigned)out->shape.rank,
                       (long long)(s->values.shape.rank == 1 ? s->values.shape.dim[0] : -1));
    s->count = (size_t)i->dim[0];
    return DV_OK;
}

/* Where value n goes. */
static dv_status place_of(const sparse *s, const dv_shape *shape, size_t n, size_t *place)
{
    int64_t index[DV_MAX_RANK] = {0};
    size_t width = s->by_position ? shape->rank : 1;
    (void)dv_tensor_read_i64(&s->indices, n * width, width, index);
    uint64_t at = 0;
    for (size_t d = 0; d < width; d++) {
        int64_t size = s->by_position ? shape->dim[d] : (int64_t)s->elements;
        if (index[d] < 0 || index[d] >= size)
            return dv_fail(DV_BAD_INPUT,
                           "index %lld of value %zu is out of range; it must be below "
                           "%lld",
                           (long long)index[d], n, (long long)size);
        at = s->by_position ? at * (uint64_t)size + (uint64_t)index[d] : (uint64_t)index[d];
    }
    *place = (size_t)at;
    return DV_OK;
}

static dv_status fill(const sparse *s, const dv_tensor *out, uint8_t *bytes)
{
    size_t width = dv_dtype_bytes(s->values.dtype), last = 0;
    for (size_t n = 0; n < s->count; n++) {
        size_t place = 0;
        DV_TRY(place_of(s, &out->shape, n, &place));
        if (n > 0 && place <= last)
            return dv_fail(DV_BAD_INPUT, "its indices are not in ascending order at value %zu", n);
        last = place;
        dv_tensor_read(&s->values, n, 1, bytes + place * width);
    }
    return DV_OK;
}

static dv_status densify(dv_onnx_files *files, const sparse *s, dv_tensor *out)
{
    size_t bytes;
    dv_buffer *buffer = NULL;
    if (s->count == 0) { /* needs no memory */
        out->data = (dv_data){.storage = DV_STORAGE_FILL};
        return DV_OK;
    }
    if (!dv_mul_size(s->elements, dv_dtype_bytes(out->dtype), &bytes))
        return dv_fail(DV_BAD_INPUT, "its %zu elements are more than memory can hold", s->elements);
    DV_TRY(dv_onnx_new_buffer(files, bytes, &buffer));
    dv_status status = fill(s, out, dv_buffer_writable(buffer));
    if (status == DV_OK)
        out->data = (dv_data){.storage = DV_STORAGE_BUFFER, .buffer = buffer};
    else
        dv_buffer_release(buffer);
    return status;
}

dv_status dv_onnx_sparse_data(dv_onnx_files *files, const dv_onnx_sparse *given, dv_tensor *out)
{
    sparse s = {0};
    out->role = DV_ROLE_CONSTANT;
    dv_status status = read_shape(given, out, &s);
    if (status == DV_OK)
        status = dv_onnx_tensor_data(files, &given->values, &s.values);
    if (status == DV_OK)
        status = dv_onnx_tensor_data(files, &given->indices, &s.indices);
    out->dtype = s.values.dtype;
    if (status == DV_OK && out->dtype != DV_DTYPE_NONE && out->dtype != DV_DTYPE_STRING) {
        status = check_indices(out, &s);
        if (status == DV_OK)
            status = densify(files, &s, out);
    }
    dv_buffer_release(s.values.data.buffer);
    dv_buffer_release(s.indices.data.buffer);
    return status;
}
