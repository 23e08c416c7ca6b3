/* graphjson_write.c - writes graph/1; fields that have their default value are left out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "load/base64.h"
#include "load/graph_params.h"
#include "load/graphjson.h"

static const int64_t FAR = (int64_t)1 << 53;

static void put_shape(dv_json_writer *w, const char *key, const dv_shape *shape)
{
    dv_json_begin_line(w, key, '[');
    for (uint8_t i = 0; i < shape->rank; i++)
        dv_json_put_integer(w, NULL, shape->dim[i]);
    dv_json_end(w, ']');
}

/* Small enough to read, and every element exact as a number of JSON? */
static bool fits_as_numbers(const dv_tensor *tensor, size_t elements)
{
    enum { MOST = 64 };
    if (elements > MOST)
        return false;
    for (size_t i = 0; i < elements; i++) {
        int64_t whole = 0;
        float single = 0;
        double value;
        if (tensor->dtype == DV_DTYPE_F64)
            dv_tensor_read(tensor, i, 1, &value);
        else if (dv_dtype_is_float(tensor->dtype) && dv_tensor_read_f32(tensor, i, 1, &single))
            value = (double)single;
        else if (dv_tensor_read_i64(tensor, i, 1, &whole))
            value = (double)whole;
        else
            return false;
        if (!isfinite(value) || (value == 0 && signbit(value)) || whole > FAR || whole < -FAR)
            return false;
    }
    return true;
}

/* The number of fewest digits that reads back as this f32. */
static double shortest(float value)
{
    char digits[40];
    for (int precision = 1; precision < 9; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, (double)value);
        double number = strtod(digits, NULL);
        if ((float)number == value)
            return number;
    }
    return (double)value;
}

static void put_numbers(dv_json_writer *w, const dv_tensor *tensor, size_t elements)
{
    dv_json_begin_line(w, "values", '[');
    for (size_t i = 0; i < elements; i++) {
        int64_t whole = 0;
        float single = 0;
        double value = 0;
        if (tensor->dtype == DV_DTYPE_F64) {
            dv_tensor_read(tensor, i, 1, &value);
            dv_json_put_number(w, NULL, value);
        } else if (dv_dtype_is_float(tensor->dtype)) {
            (void)dv_tensor_read_f32(tensor, i, 1, &single);
            dv_json_put_number(w, NULL, shortest(single));
        } else {
            (void)dv_tensor_read_i64(tensor, i, 1, &whole);
            dv_json_put_integer(w, NULL, whole);
        }
    }
    dv_json_end(w, ']');
}

static dv_status put_bytes(dv_json_writer *w, const dv_tensor *tensor)
{
    size_t elements, bytes;
    if (!dv_shape_elements(&tensor->shape, &elements) || !dv_tensor_bytes(tensor, &bytes))
        return dv_fail(DV_INTERNAL, "constant '%s' has no size", tensor->name);
    if (fits_as_numbers(tensor, elements)) {
        put_numbers(w, tensor, elements);
        return DV_OK;
    }
    uint8_t *computed = dv_tensor_raw(tensor) ? NULL : malloc(bytes + 1);
    if (computed)
        dv_tensor_read(tensor, 0, elements, computed);
    const uint8_t *raw = computed ? computed : dv_tensor_raw(tensor);
    dv_text text = {.failed = !raw};
    if (raw)
        dv_base64_append(&text, raw, bytes);
    dv_json_put_string(w, "base64", dv_text_string(&text));
    bool failed = text.failed;
    dv_text_free(&text);
    free(computed);
    return failed ? dv_fail(DV_NO_MEMORY, "out of memory") : DV_OK;
}

static dv_status put_data(dv_json_writer *w, const dv_tensor *tensor)
{
    const dv_data *data = &tensor->data;
    switch (data->storage) {
    case DV_STORAGE_FILL:
        if (isnan(data->shift))
            dv_json_put_string(w, "fill", "nan");
        else
            dv_json_put_number(w, "fill", data->shift);
        return DV_OK;
    case DV_STORAGE_GENERATED:
        dv_json_begin_line(w, "generated", '{');
        if (data->seed <= (uint64_t)FAR) {
            dv_json_put_integer(w, "seed", (int64_t)data->seed);
        } else {
            dv_text seed = {0};
            dv_text_append(&seed, "%llu", (unsigned long long)data->seed);
            dv_json_put_string(w, "seed", dv_text_string(&seed));
            dv_text_free(&seed);
        }
        dv_json_put_number(w, "scale", data->scale);
        if (data->shift != 0)
            dv_json_put_number(w, "shift", data->shift);
        dv_json_end(w, '}');
        return DV_OK;
    case DV_STORAGE_BUFFER:
    case DV_STORAGE_SCALED:
        return put_bytes(w, tensor);
    case DV_STORAGE_NONE:
        break;
    }
    return dv_fail(DV_BAD_INPUT, "constant '%s' has no elements that graph/1 can hold",
                   tensor->name);
}

static dv_status put_tensor(dv_json_writer *w, const dv_graph *graph, dv_tensor_id id)
{
    const dv_tensor *tensor = &graph->tensors[id];
    static const char *const roles[] = {"activation", "input", "constant", "state"};
    dv_json_begin_line(w, NULL, '{');
    dv_json_put_string(w, "name", tensor->name);
    if (tensor->role != DV_ROLE_ACTIVATION)
        dv_json_put_string(w, "role", roles[tensor->role]);
    if (tensor->dtype != DV_DTYPE_NONE || tensor->role != DV_ROLE_ACTIVATION)
        dv_json_put_string(w, "dtype", dv_dtype_name(tensor->dtype));
    if (dv_shape_known(&tensor->shape))
        put_shape(w, "shape", &tensor->shape);
    bool begins = tensor->role == DV_ROLE_STATE && tensor->data.storage != DV_STORAGE_NONE;
    dv_status status = tensor->role == DV_ROLE_CONSTANT || begins ? put_data(w, tensor) : DV_OK;
    for (uint32_t i = 0; tensor->role == DV_ROLE_STATE && i < graph->state_count; i++)
        if (graph->states[i].tensor == id)
            dv_json_put_string(w, "next", graph->tensors[graph->states[i].next].name);
    dv_json_end(w, '}');
    return status;
}

/* ---- operators ---- */

static void put_list(dv_json_writer *w, const dv_field *field, const char *params)
{
    uint8_t count = *((const uint8_t *)params + field->count_offset);
    bool usual = true;
    int64_t values[DV_MAX_RANK];
    for (uint8_t i = 0; i < count; i++) {
        if (field->type == DV_FIELD_BYTES)
            values[i] = ((const uint8_t *)params)[field->offset + i];
        else
            memcpy(&values[i], params + field->offset + i * sizeof *values, sizeof *values);
        usual = usual && values[i] == (int64_t)field->absent;
    }
    /* a list without a usual value, and the first of those that share a count, is always there */
    bool counts = strcmp(field->name, "axes") == 0 || strcmp(field->name, "stride") == 0 ||
                  strcmp(field->name, "kernel") == 0 || strcmp(field->name, "begin") == 0 ||
                  field->type == DV_FIELD_BYTES;
    if (count == 0 || (usual && !counts))
        return;
    dv_json_begin_line(w, field->name, '[');
    for (uint8_t i = 0; i < count; i++)
        dv_json_put_integer(w, NULL, values[i] > FAR ? FAR : values[i] < -FAR ? -FAR : values[i]);
    dv_json_end(w, ']');
}

static void put_field(dv_json_writer *w, const dv_field *field, const dv_op_params *params)
{
    const char *place = (const char *)params + field->offset;
    int64_t whole;
    double number;
    int choice;
    switch (field->type) {
    case DV_FIELD_FLAG:
        if (*(const bool *)place)
            dv_json_put_bool(w, field->name, true);
        break;
    case DV_FIELD_INTEGER:
        memcpy(&whole, place, sizeof whole);
        if (whole != (int64_t)field->absent)
            dv_json_put_integer(w, field->name, whole);
        break;
    case DV_FIELD_NUMBER:
        memcpy(&number, place, sizeof number);
        if (number != field->absent)
            dv_json_put_number(w, field->name, number);
        break;
    case DV_FIELD_CHOICE:
        memcpy(&choice, place, sizeof choice);
        if (choice != 0)
            dv_json_put_string(w, field->name, field->names[choice]);
        break;
    case DV_FIELD_DTYPE:
        dv_json_put_string(w, field->name, dv_dtype_name(*(const dv_dtype *)(const void *)place));
        break;
    case DV_FIELD_SHAPE:
        if (dv_shape_known((const dv_shape *)(const void *)place))
            put_shape(w, field->name, (const dv_shape *)(const void *)place);
        break;
    case DV_FIELD_LIST:
    case DV_FIELD_BYTES:
        put_list(w, field, (const char *)params);
        break;
    case DV_FIELD_SIZES:
        if (params->split.count == 0)
            break;
        dv_json_begin_line(w, field->name, '[');
        for (uint32_t i = 0; i < params->split.count; i++)
            dv_json_put_integer(w, NULL, params->split.sizes[i]);
        dv_json_end(w, ']');
        break;
    }
}

static void put_params(dv_json_writer *w, const dv_op *op)
{
    /* whether any field differs shows only in what is written: write aside first */
    dv_text aside = {0};
    dv_json_writer trial = dv_json_writer_on(&aside);
    dv_json_begin_line(&trial, NULL, '{');
    for (const dv_field *field = dv_fields_of(op->kind); field->name; field++)
        put_field(&trial, field, &op->params);
    bool any = aside.length > 1;
    dv_text_free(&aside);
    if (!any)
        return;
    dv_json_begin_line(w, "params", '{');
    for (const dv_field *field = dv_fields_of(op->kind); field->name; field++)
        put_field(w, field, &op->params);
    dv_json_end(w, '}');
}

static void put_names(dv_json_writer *w, const char *key, const dv_graph *graph,
                      const dv_tensor_id *ids, uint32_t count)
{
    dv_json_begin_line(w, key, '[');
    for (uint32_t i = 0; i < count; i++)
        dv_json_put_string(w, NULL, ids[i] == DV_NONE ? NULL : graph->tensors[ids[i]].name);
    dv_json_end(w, ']');
}

static void put_operator(dv_json_writer *w, const dv_graph *graph, const dv_op *op)
{
    const char *kind = dv_op_info_of(op->kind)->name;
    dv_json_begin_line(w, NULL, '{');
    dv_json_put_string(w, "name", op->name);
    dv_json_put_string(w, "kind", kind);
    put_names(w, "inputs", graph, op->inputs, op->input_count);
    put_names(w, "outputs", graph, op->outputs, op->output_count);
    put_params(w, op);
    if (strcmp(op->source_type, kind) != 0)
        dv_json_put_string(w, "source", op->source_type);
    dv_json_put_integer(w, "handle", op->debug_handle);
    if (op->reason)
        dv_json_put_string(w, "reason", op->reason);
    dv_json_end(w, '}');
}

/* What the reader would refuse. */
static dv_status check_writable(const dv_graph *graph)
{
    if (graph->output_count == 0)
        return dv_fail(DV_BAD_INPUT, "graph/1 holds no graph without outputs");
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++) {
        const dv_tensor *tensor = &graph->tensors[t];
        if (!dv_json_is_spelt(tensor->name, tensor->name))
            return dv_fail(DV_BAD_INPUT,
                           "the name of tensor %u is not UTF-8, as all text in graph/1 is", t);
        for (uint8_t d = 0; tensor->shape.rank <= DV_MAX_RANK && d < tensor->shape.rank; d++)
            if (tensor->shape.dim[d] > FAR)
                return dv_fail(DV_BAD_INPUT, "tensor %u has a dimension beyond 2^53", t);
    }
    return DV_OK;
}

dv_status dv_graph_write_json(const dv_graph *graph, dv_text *out)
{
    DV_TRY(check_writable(graph));
    dv_json_writer w = dv_json_writer_on(out);
    dv_status status = DV_OK;
    dv_json_begin_object(&w, NULL);
    dv_json_put_string(&w, "divvy", "graph/1");
    dv_json_put_string(&w, "name", graph->name);
    if (graph->about)
        dv_json_put_string(&w, "about", graph->about);
    dv_json_begin_array(&w, "tensors");
    for (dv_tensor_id t = 0; t < graph->tensor_count && status == DV_OK; t++)
        status = put_tensor(&w, graph, t);
    dv_json_end(&w, ']');
    dv_json_begin_array(&w, "operators");
    for (dv_op_id o = 0; o < graph->op_count; o++)
        put_operator(&w, graph, &graph->ops[o]);
    dv_json_end(&w, ']');
    put_names(&w, "outputs", graph, graph->outputs, graph->output_count);
    dv_json_end(&w, '}');
    if (status == DV_OK && out->failed)
        status = dv_fail(DV_NO_MEMORY, "out of memory");
    return status;
}
