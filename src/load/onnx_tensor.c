#include "load/onnx_tensor.h"

#include <stdlib.h>
#include <string.h>

/* What the standard calls each type, ours, and the typed field that may hold its elements. */
static const struct {
    const char *name;
    dv_dtype dtype;
    uint32_t field;
    dv_pb_wire wire;
} types[] = {
    {"UNDEFINED", DV_DTYPE_NONE, 0, DV_PB_VARINT},
    {"FLOAT", DV_DTYPE_F32, 4, DV_PB_FIXED32},
    {"UINT8", DV_DTYPE_U8, 5, DV_PB_VARINT},
    {"INT8", DV_DTYPE_I8, 5, DV_PB_VARINT},
    {"UINT16", DV_DTYPE_U16, 5, DV_PB_VARINT},
    {"INT16", DV_DTYPE_I16, 5, DV_PB_VARINT},
    {"INT32", DV_DTYPE_I32, 5, DV_PB_VARINT},
    {"INT64", DV_DTYPE_I64, 7, DV_PB_VARINT},
    {"STRING", DV_DTYPE_STRING, 6, DV_PB_BYTES},
    {"BOOL", DV_DTYPE_BOOL, 5, DV_PB_VARINT},
    {"FLOAT16", DV_DTYPE_F16, 5, DV_PB_VARINT},
    {"DOUBLE", DV_DTYPE_F64, 10, DV_PB_FIXED64},
    {"UINT32", DV_DTYPE_U32, 11, DV_PB_VARINT},
    {"UINT64", DV_DTYPE_U64, 11, DV_PB_VARINT},
    {"COMPLEX64", DV_DTYPE_NONE, 0, DV_PB_VARINT},
    {"COMPLEX128", DV_DTYPE_NONE, 0, DV_PB_VARINT},
    {"BFLOAT16", DV_DTYPE_BF16, 5, DV_PB_VARINT},
    {"FLOAT8E4M3FN", DV_DTYPE_NONE, 0, DV_PB_VARINT},
    {"FLOAT8E4M3FNUZ", DV_DTYPE_NONE, 0, DV_PB_VARINT},
    {"FLOAT8E5M2", DV_DTYPE_NONE, 0, DV_PB_VARINT},
    {"FLOAT8E5M2FNUZ", DV_DTYPE_NONE, 0, DV_PB_VARINT},
    {"UINT4", DV_DTYPE_NONE, 0, DV_PB_VARINT},
    {"INT4", DV_DTYPE_NONE, 0, DV_PB_VARINT},
    {"FLOAT4E2M1", DV_DTYPE_NONE, 0, DV_PB_VARINT},
};

enum { TYPE_COUNT = sizeof types / sizeof types[0] };

dv_dtype dv_onnx_dtype(uint32_t type)
{
    return type < TYPE_COUNT ? types[type].dtype : DV_DTYPE_NONE;
}

uint32_t dv_onnx_type_of(dv_dtype dtype)
{
    for (uint32_t type = 1; type < TYPE_COUNT && dtype != DV_DTYPE_NONE; type++)
        if (types[type].dtype == dtype)
            return type;
    return 0;
}

const char *dv_onnx_type_name(uint32_t type)
{
    return type < TYPE_COUNT ? types[type].name : "of an unknown number";
}

static dv_status shape_of(const dv_onnx_tensor *tensor, dv_shape *out)
{
    if (tensor->rank > DV_MAX_RANK)
        return dv_fail(DV_BAD_INPUT, "it has %u dimensions; at most %d are supported", tensor->rank,
                       DV_MAX_RANK);
    *out = (dv_shape){.rank = (uint8_t)tensor->rank};
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (tensor->dims[i] < 0)
            return dv_fail(DV_BAD_INPUT, "its dimension %u is %lld; a size cannot be negative", i,
                           (long long)tensor->dims[i]);
        out->dim[i] = tensor->dims[i];
    }
    return DV_OK;
}

static dv_status size_of(const dv_shape *shape, dv_dtype dtype, size_t *elements, size_t *bytes)
{
    char text[DV_SHAPE_TEXT];
    if (!dv_shape_elements(shape, elements) ||
        !dv_mul_size(*elements, dv_dtype_bytes(dtype), bytes))
        return dv_fail(DV_BAD_INPUT, "its shape %s has more elements than memory can hold",
                       dv_shape_text(shape, text));
    return DV_OK;
}

static dv_status wrong_size(const dv_shape *shape, const char *where, size_t have, size_t want)
{
    char text[DV_SHAPE_TEXT];
    return dv_fail(DV_BAD_INPUT, "%s holds %zu where its shape %s needs %zu", where, have,
                   dv_shape_text(shape, text), want);
}

dv_status dv_onnx_new_buffer(dv_onnx_files *files, size_t bytes, dv_buffer **out)
{
    enum { LEAST_LIMIT = 1 << 24, TIMES_FILE = 64 };
    size_t total, most = dv_buffer_size(files->model);
    if (!dv_mul_size(most, TIMES_FILE, &most))
        most = SIZE_MAX;
    most = most < LEAST_LIMIT ? LEAST_LIMIT : most;
    if (!dv_add_size(files->made_bytes, bytes, &total) || total > most)
        return dv_fail(
            DV_BAD_INPUT,
            "its %zu bytes are too many for a file of %zu bytes; constants may unfold to "
            "%d times the file's size, or 16 MiB",
            bytes, dv_buffer_size(files->model), TIMES_FILE);
    files->made_bytes = total;
    *out = dv_buffer_create(bytes);
    return *out ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory for %zu bytes", bytes);
}

/* ---- typed lists ---- */

typedef struct fill {
    uint8_t *out;
    size_t count, most, bytes;
    dv_dtype dtype;
} fill;

/* Elements are written little-endian, which is how all constants are kept. */
static bool put_element(void *context, uint64_t bits)
{
    fill *f = context;
    if (f->count == f->most)
        return false;
    if (f->dtype == DV_DTYPE_BOOL)
        bits = bits != 0;
    for (size_t i = 0; i < f->bytes; i++)
        f->out[f->count * f->bytes + i] = (uint8_t)(bits >> (8 * i));
    f->count++;
    return true;
}

static dv_status typed_data(dv_onnx_files *files, const dv_onnx_tensor *tensor, dv_tensor *out,
                            size_t elements, size_t bytes)
{
    /* an element takes at least a byte, so a shape that lies cannot make us allocate */
    if (elements > tensor->body.size)
        return wrong_size(&out->shape, "it", tensor->body.size, elements);
    dv_buffer *buffer = NULL;
    DV_TRY(dv_onnx_new_buffer(files, bytes, &buffer));
    fill f = {.out = dv_buffer_writable(buffer),
              .most = elements,
              .bytes = dv_dtype_bytes(out->dtype),
              .dtype = out->dtype};
    dv_pb_cursor cursor = dv_pb_open(tensor->body, dv_buffer_data(files->model));
    dv_pb_field field;
    while (dv_pb_next(&cursor, &field))
        if (field.number == types[tensor->type].field)
            (void)dv_pb_each(&cursor, &field, types[tensor->type].wire, put_element, &f);
    dv_status status = cursor.status;
    if (status == DV_OK && f.count != elements)
        status = wrong_size(&out->shape, "its list of elements", f.count, elements);
    if (status != DV_OK) {
        dv_buffer_release(buffer);
        return status;
    }
    out->data = (dv_data){.storage = DV_STORAGE_BUFFER, .buffer = buffer};
    return DV_OK;
}

/* ---- four-bit integers: two to a byte, the lower half first; kept as one to a byte ---- */

static bool is_nibbles(uint32_t type)
{
    return type == DV_ONNX_UINT4 || type == DV_ONNX_INT4;
}

/* Elements come from the bytes of src. */
static dv_status unpack_nibbles(dv_onnx_files *files, uint32_t type, dv_tensor *out,
                                const uint8_t *src, size_t elements)
{
    dv_buffer *buffer = NULL;
    DV_TRY(dv_onnx_new_buffer(files, elements, &buffer));
    uint8_t *to = dv_buffer_writable(buffer);
    for (size_t i = 0; i < elements; i++) {
        uint8_t nibble = i % 2 ? src[i / 2] >> 4 : src[i / 2] & 15;
        to[i] = type == DV_ONNX_INT4 && nibble > 7 ? (uint8_t)(nibble | 0xf0) : nibble;
    }
    out->data = (dv_data){.storage = DV_STORAGE_BUFFER, .buffer = buffer};
    return DV_OK;
}

/* int32_data holds a byte of two elements in each number. */
static dv_status nibble_data(dv_onnx_files *files, const dv_onnx_tensor *tensor, dv_tensor *out)
{
    dv_tensor packed = {.dtype = DV_DTYPE_U8, .role = DV_ROLE_CONSTANT};
    size_t elements, bytes;
    DV_TRY(size_of(&out->shape, out->dtype, &elements, &bytes));
    packed.shape = (dv_shape){.rank = 1, .dim = {(int64_t)(elements / 2 + elements % 2)}};
    dv_onnx_tensor same = *tensor;
    same.type = DV_ONNX_UINT8;
    same.rank = 1;
    same.dims[0] = packed.shape.dim[0];
    DV_TRY(dv_onnx_tensor_data(files, &same, &packed));
    dv_status status = unpack_nibbles(files, tensor->type, out, dv_tensor_raw(&packed), elements);
    dv_buffer_release(packed.data.buffer);
    return status;
}

/* ---- external files ---- */

struct dv_onnx_external {
    dv_span location;
    dv_buffer *buffer;
};

void dv_onnx_files_close(dv_onnx_files *files)
{
    for (uint32_t i = 0; i < files->external_count; i++)
        dv_buffer_release(files->externals[i].buffer);
    free(files->externals);
    files->externals = NULL;
    files->external_count = 0;
    files->external_capacity = 0;
}

/* Inside the model's folder: relative, and no part of it is "..". */
static bool is_inside(dv_span location)
{
    if (location.size == 0 || location.data[0] == '/' || location.data[0] == '\\')
        return false;
    size_t start = 0;
    for (size_t i = 0; i <= location.size; i++) {
        if (i < location.size && location.data[i] != '/' && location.data[i] != '\\')
            continue;
        if (i - start == 2 && memcmp(location.data + start, "..", 2) == 0)
            return false;
        start = i + 1;
    }
    return true;
}

static dv_status map_beside(const char *model_path, dv_span location, dv_buffer **out)
{
    const char *slash = strrchr(model_path, '/');
    int folder = slash ? (int)(slash - model_path + 1) : 0;
    dv_arena *arena = dv_arena_create();
    char *path = arena ? dv_arena_printf(arena, "%.*s%.*s", folder, model_path, (int)location.size,
                                         (const char *)location.data)
                       : NULL;
    dv_status status =
        path ? dv_buffer_map_plain(path, out) : dv_fail(DV_NO_MEMORY, "out of memory");
    dv_arena_destroy(arena);
    return dv_within(status, "external data");
}

static dv_status open_external(dv_onnx_files *files, dv_span location, dv_buffer **out)
{
    enum { LONGEST = 4096 };
    if (strcmp(files->path, "-") == 0)
        return dv_fail(DV_BAD_INPUT,
                       "its data is in another file, which a model read from standard "
                       "input cannot have; give the model's path");
    if (location.size > LONGEST || !is_inside(location))
        return dv_fail(DV_BAD_INPUT,
                       "its data is in '%.*s', which is not a path inside the model's folder",
                       (int)(location.size > 80 ? 80 : location.size),
                       location.size ? (const char *)location.data : "");
    for (uint32_t i = 0; i < files->external_count; i++) {
        if (dv_span_equal(files->externals[i].location, location)) {
            *out = files->externals[i].buffer;
            return DV_OK;
        }
    }
    if (!dv_grow((void **)&files->externals, &files->external_capacity,
                 (size_t)files->external_count + 1, sizeof *files->externals))
        return dv_fail(DV_NO_MEMORY, "out of memory");
    DV_TRY(map_beside(files->path, location, out));
    files->externals[files->external_count++] = (struct dv_onnx_external){location, *out};
    return DV_OK;
}

/* A decimal number, as the keys of external data hold it; absent: fallback. */
static dv_status read_decimal(dv_span text, const char *key, size_t fallback, size_t *out)
{
    *out = fallback;
    if (text.size == 0)
        return DV_OK;
    size_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        bool digit = text.data[i] >= '0' && text.data[i] <= '9';
        if (!digit || !dv_mul_size(value, 10, &value) ||
            !dv_add_size(value, (size_t)(text.data[i] - '0'), &value))
            return dv_fail(DV_BAD_INPUT, "the %s of its external data is not a number", key);
    }
    *out = value;
    return DV_OK;
}

static dv_status external_data(dv_onnx_files *files, const dv_onnx_tensor *tensor, dv_tensor *out,
                               size_t bytes)
{
    size_t offset, length, end;
    DV_TRY(read_decimal(tensor->offset, "offset", 0, &offset));
    DV_TRY(read_decimal(tensor->length, "length", bytes, &length));
    if (length != bytes)
        return wrong_size(&out->shape, "its external data", length, bytes);
    dv_buffer *buffer;
    DV_TRY(open_external(files, tensor->location, &buffer));
    if (!dv_add_size(offset, length, &end) || end > dv_buffer_size(buffer))
        return dv_fail(DV_BAD_INPUT,
                       "its data is bytes %zu to %zu of '%.*s', which has %zu; the file is "
                       "truncated or of another model",
                       offset, end, (int)tensor->location.size, (const char *)tensor->location.data,
                       dv_buffer_size(buffer));
    out->data = (dv_data){
        .storage = DV_STORAGE_BUFFER, .buffer = dv_buffer_retain(buffer), .offset = offset};
    return DV_OK;
}

dv_status dv_onnx_tensor_data(dv_onnx_files *files, const dv_onnx_tensor *tensor, dv_tensor *out)
{
    out->role = DV_ROLE_CONSTANT;
    out->dtype = dv_onnx_dtype(tensor->type);
    out->data = (dv_data){.storage = DV_STORAGE_NONE};
    DV_TRY(shape_of(tensor, &out->shape));
    if (is_nibbles(tensor->type)) {
        out->dtype = tensor->type == DV_ONNX_INT4 ? DV_DTYPE_I8 : DV_DTYPE_U8;
        return nibble_data(files, tensor, out);
    }
    if (out->dtype == DV_DTYPE_NONE || out->dtype == DV_DTYPE_STRING)
        return DV_OK;
    size_t elements, bytes;
    DV_TRY(size_of(&out->shape, out->dtype, &elements, &bytes));
    if (tensor->segmented)
        return dv_fail(DV_BAD_INPUT, "it is stored in segments, which are not supported");
    if (tensor->external)
        return external_data(files, tensor, out, bytes);
    if (!tensor->has_raw)
        return typed_data(files, tensor, out, elements, bytes);
    if (tensor->raw.size != bytes)
        return wrong_size(&out->shape, "its data", tensor->raw.size, bytes);
    out->data = (dv_data){.storage = DV_STORAGE_BUFFER,
                          .buffer = dv_buffer_retain(files->model),
                          .offset = (size_t)(tensor->raw.data - dv_buffer_data(files->model))};
    return DV_OK;
}

dv_status dv_onnx_tensor_of(dv_dtype dtype, const void *values, size_t count, uint8_t rank,
                            dv_tensor *out)
{
    size_t width = dv_dtype_bytes(dtype);
    dv_buffer *buffer = dv_buffer_create(count * width);
    if (!buffer)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = 0;
        if (dtype == DV_DTYPE_F32) {
            uint32_t single;
            memcpy(&single, (const float *)values + i, sizeof single);
            bits = single;
        } else {
            bits = (uint64_t)((const int64_t *)values)[i];
        }
        for (size_t byte = 0; byte < width; byte++)
            dv_buffer_writable(buffer)[width * i + byte] = (uint8_t)(bits >> (8 * byte));
    }
    *out = (dv_tensor){.dtype = dtype,
                       .role = DV_ROLE_CONSTANT,
                       .shape = {.rank = rank, .dim = {rank ? (int64_t)count : 0}},
                       .data = {.storage = DV_STORAGE_BUFFER, .buffer = buffer}};
    return DV_OK;
}
