/* onnx_data.c - stored tensors, sequences and optionals of a test as tensors. */
#include "tests/conformance/onnx_data.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "load/onnx_tensor.h"

/* A mapped file of the data set and the list that it is read into. */
typedef struct reader {
    onnx_case *test;
    onnx_settings *settings;
    dv_onnx_files files;
    const uint8_t *bytes;
    const dv_onnx_value *type;
    dv_tensor *tensors;
    char (*names)[128];
    uint32_t *count;
    bool is_input;
} reader;

static const char *keep_name(onnx_settings *s, const char *name)
{
    snprintf(s->names[s->name_count], sizeof s->names[0], "%s", name);
    return s->names[s->name_count++];
}

static bool bind_dim(reader *r, const char *name, int64_t value)
{
    onnx_settings *s = r->settings;
    if (!r->is_input)
        return true;
    if (s->dim_count == ONNX_CASE_TENSORS || s->name_count == 2 * ONNX_CASE_TENSORS)
        return false;
    s->dims[s->dim_count++] = (dv_binding){keep_name(s, name), value};
    return true;
}

static bool set_value(reader *r, const dv_tensor *tensor)
{
    onnx_settings *s = r->settings;
    size_t elements;
    double value = 0;
    float real;
    int64_t whole;
    if (!r->is_input || !dv_shape_elements(&tensor->shape, &elements) || elements != 1)
        return true;
    if (tensor->dtype == DV_DTYPE_F64)
        dv_tensor_read(tensor, 0, 1, &value);
    else if (dv_dtype_is_float(tensor->dtype) && dv_tensor_read_f32(tensor, 0, 1, &real))
        value = (double)real;
    else if (dv_tensor_read_i64(tensor, 0, 1, &whole))
        value = (double)whole;
    else
        return true;
    if (s->value_count == ONNX_CASE_TENSORS || s->name_count == 2 * ONNX_CASE_TENSORS)
        return false;
    s->values[s->value_count++] = (dv_setting){keep_name(s, tensor->name), value};
    return true;
}

/* Adds a TensorProto; its own name if none is given. */
static bool add_tensor(reader *r, dv_span bytes, const char *name)
{
    dv_onnx_tensor view;
    if (*r->count == ONNX_CASE_TENSORS)
        return false;
    dv_tensor *out = &r->tensors[*r->count];
    char *kept = r->names[*r->count];
    memset(out, 0, sizeof *out);
    bool good = dv_onnx_read_tensor(bytes, r->bytes, &view) == DV_OK &&
                dv_onnx_tensor_data(&r->files, &view, out) == DV_OK;
    if (name)
        snprintf(kept, sizeof r->names[0], "%s", name);
    else
        snprintf(kept, sizeof r->names[0], "%.*s", good ? (int)view.name.size : 0,
                 (const char *)view.name.data);
    out->name = kept;
    out->role = DV_ROLE_CONSTANT;
    if (!good || out->data.storage == DV_STORAGE_NONE) {
        dv_buffer_release(out->data.buffer);
        return false;
    }
    ++*r->count;
    return name ? true : set_value(r, out);
}

/* The dims that the type leaves open, of the tensor that was read last. */
static bool bind_open_dims(reader *r, const char *name)
{
    const dv_shape *shape = &r->tensors[*r->count - 1].shape;
    for (uint8_t d = 0; d < shape->rank && d < r->type->rank; d++) {
        char dim[160];
        snprintf(dim, sizeof dim, "%.120s:%u", name, (unsigned)d);
        if (!r->type->dims[d].known && !bind_dim(r, dim, shape->dim[d]))
            return false;
    }
    return true;
}

/* SequenceProto: tensors are its field 3. */
static bool add_sequence(reader *r, dv_span bytes, const char *name)
{
    dv_pb_cursor cursor = dv_pb_open(bytes, r->bytes);
    dv_pb_field field;
    uint32_t items = 0;
    while (dv_pb_next(&cursor, &field)) {
        char item[128];
        if (field.number != 3)
            continue;
        snprintf(item, sizeof item, "%.100s[%u]", name, items++);
        if (!dv_pb_expect(&cursor, &field, DV_PB_BYTES) || !add_tensor(r, field.bytes, item))
            return false;
        if (!bind_open_dims(r, item))
            return false;
    }
    return cursor.status == DV_OK && bind_dim(r, name, items);
}

/* OptionalProto: a tensor is its field 3, a sequence its field 5. */
static bool add_optional(reader *r, dv_span bytes, const char *name)
{
    dv_pb_cursor cursor = dv_pb_open(bytes, r->bytes);
    dv_pb_field field;
    while (dv_pb_next(&cursor, &field)) {
        if (field.number != 3 && field.number != 5)
            continue;
        return dv_pb_expect(&cursor, &field, DV_PB_BYTES) &&
               (field.number == 3 ? add_tensor(r, field.bytes, name)
                                  : add_sequence(r, field.bytes, name));
    }
    return cursor.status == DV_OK && bind_dim(r, name, 0);
}

static bool add_file(reader *r, const char *path, const dv_onnx_value *type)
{
    char name[128];
    r->files = (dv_onnx_files){.path = path};
    r->type = type;
    if (dv_buffer_map(path, &r->files.model) != DV_OK)
        return false;
    r->bytes = dv_buffer_data(r->files.model);
    dv_span whole = {r->bytes, dv_buffer_size(r->files.model)};
    snprintf(name, sizeof name, "%.*s", (int)type->name.size, (const char *)type->name.data);
    bool good = type->is_optional   ? add_optional(r, whole, name)
                : type->is_sequence ? add_sequence(r, whole, name)
                                    : add_tensor(r, whole, NULL) && bind_open_dims(r, name);
    dv_onnx_files_close(&r->files);
    dv_buffer_release(r->files.model);
    return good;
}

static bool add_files(reader *r, const dv_onnx_spans *types, const uint8_t *model)
{
    dv_onnx_value type = {0};
    for (uint32_t i = 0;; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/test_data_set_0/%s_%u.pb", r->test->folder,
                 r->is_input ? "input" : "output", i);
        if (access(path, R_OK) != 0)
            return true;
        if (i < types->count && dv_onnx_read_value(types->items[i], model, &type) != DV_OK)
            return false;
        if (!add_file(r, path, &type))
            return false;
    }
}

bool onnx_data_read(onnx_case *test, onnx_settings *settings)
{
    char path[512];
    dv_buffer *file = NULL;
    dv_onnx_model model;
    dv_onnx_graph graph;
    memset(settings, 0, sizeof *settings);
    snprintf(path, sizeof path, "%s/model.onnx", test->folder);
    dv_arena *arena = dv_arena_create();
    bool good = arena && dv_buffer_map(path, &file) == DV_OK;
    const uint8_t *bytes = good ? dv_buffer_data(file) : NULL;
    good = good &&
           dv_onnx_read_model((dv_span){bytes, dv_buffer_size(file)}, bytes, &model) == DV_OK &&
           dv_onnx_read_graph(model.graph, bytes, arena, &graph) == DV_OK;
    reader inputs = {.test = test,
                     .settings = settings,
                     .tensors = test->given,
                     .names = test->names,
                     .count = &test->given_count,
                     .is_input = true};
    reader outputs = {.test = test,
                      .settings = settings,
                      .tensors = test->expected,
                      .names = test->names + ONNX_CASE_TENSORS,
                      .count = &test->expected_count};
    good = good && add_files(&inputs, &graph.inputs, bytes) &&
           add_files(&outputs, &graph.outputs, bytes);
    dv_buffer_release(file);
    dv_arena_destroy(arena);
    return good;
}
