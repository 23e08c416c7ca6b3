#include "tests/onnx_writer.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "load/protobuf.h"
#include "lower/lower.h"
#include "tests/suite.h"

void pb_varint(dv_text *out, uint64_t value)
{
    do {
        char byte = (char)(value & 0x7f);
        value >>= 7;
        if (value)
            byte = (char)(byte | 0x80);
        dv_text_append_n(out, &byte, 1);
    } while (value);
}

void pb_int(dv_text *out, unsigned number, int64_t value)
{
    pb_varint(out, (uint64_t)number << 3);
    pb_varint(out, (uint64_t)value);
}

void pb_float(dv_text *out, unsigned number, float value)
{
    pb_varint(out, (uint64_t)number << 3 | 5);
    dv_text_append_n(out, (const char *)&value, sizeof value);
}

void pb_bytes(dv_text *out, unsigned number, const void *bytes, size_t size)
{
    pb_varint(out, (uint64_t)number << 3 | 2);
    pb_varint(out, size);
    if (size)
        dv_text_append_n(out, bytes, size);
}

void pb_string(dv_text *out, unsigned number, const char *text)
{
    pb_bytes(out, number, text, strlen(text));
}

void pb_message(dv_text *out, unsigned number, const dv_text *bytes)
{
    pb_bytes(out, number, dv_text_string(bytes), bytes->length);
}

/* Calls each part of "a,b,c" (or "a b c") in turn. */
typedef void part_fn(void *context, const char *part);

static void for_each_part(const char *list, char separator, part_fn *call, void *context)
{
    while (list && *list) {
        const char *stop = strchr(list, separator);
        size_t length = stop ? (size_t)(stop - list) : strlen(list);
        char *part = strndup(list, length);
        if (!part)
            abort();
        call(context, part);
        free(part);
        list += length + (stop ? 1 : 0);
    }
}

static void flush_node(onnx_writer *w)
{
    if (w->node.length)
        pb_message(&w->graph, 1, &w->node);
    dv_text_free(&w->node);
    w->node = (dv_text){0};
}

onnx_writer onnx_begin(int64_t opset)
{
    return (onnx_writer){.opset = opset};
}

void onnx_free(onnx_writer *w)
{
    dv_text_free(&w->graph);
    dv_text_free(&w->node);
    dv_text_free(&w->functions);
}

static void put_dim(void *context, const char *part)
{
    dv_text dim = {0};
    char *end;
    long long value = strtoll(part, &end, 10);
    if (*part && !*end)
        pb_int(&dim, 1, value);
    else if (strcmp(part, "?") != 0)
        pb_string(&dim, 2, part);
    pb_message(context, 1, &dim);
    dv_text_free(&dim);
}

static void put_value_info(dv_text *out, unsigned number, const char *name, int type,
                           const char *dims)
{
    dv_text shape = {0}, tensor = {0}, kind = {0}, info = {0};
    pb_int(&tensor, 1, type);
    for_each_part(dims, ',', put_dim, &shape);
    if (dims)
        pb_message(&tensor, 2, &shape);
    pb_message(&kind, 1, &tensor);
    pb_string(&info, 1, name);
    pb_message(&info, 2, &kind);
    pb_message(out, number, &info);
    dv_text_free(&shape);
    dv_text_free(&tensor);
    dv_text_free(&kind);
    dv_text_free(&info);
}

void onnx_input(onnx_writer *w, const char *name, int type, const char *dims)
{
    put_value_info(&w->graph, 11, name, type, dims);
}

void onnx_output(onnx_writer *w, const char *name, int type, const char *dims)
{
    put_value_info(&w->graph, 12, name, type, dims);
}

void onnx_recorded(onnx_writer *w, const char *name, int type, const char *dims)
{
    put_value_info(&w->graph, 13, name, type, dims);
}

static void put_tensor_dim(void *context, const char *part)
{
    pb_int(context, 1, strtoll(part, NULL, 10));
}

static void tensor_head(dv_text *out, const char *name, int type, const char *dims)
{
    for_each_part(dims, ',', put_tensor_dim, out);
    pb_int(out, 2, type);
    if (name)
        pb_string(out, 8, name);
}

void onnx_tensor(dv_text *out, const char *name, int type, const char *dims, const void *bytes,
                 size_t size)
{
    tensor_head(out, name, type, dims);
    pb_bytes(out, 9, bytes, size);
}

void onnx_raw(onnx_writer *w, const char *name, int type, const char *dims, const void *bytes,
              size_t size)
{
    dv_text tensor = {0};
    onnx_tensor(&tensor, name, type, dims, bytes, size);
    pb_message(&w->graph, 5, &tensor);
    dv_text_free(&tensor);
}

static void multiply(void *context, const char *part)
{
    *(size_t *)context *= strtoull(part, NULL, 10);
}

static size_t elements_of(const char *dims)
{
    size_t elements = 1;
    for_each_part(dims, ',', multiply, &elements);
    return elements;
}

void onnx_floats(onnx_writer *w, const char *name, const char *dims, const float *values)
{
    onnx_raw(w, name, ONNX_FLOAT, dims, values, elements_of(dims) * sizeof *values);
}

void onnx_longs(onnx_writer *w, const char *name, const char *dims, const int64_t *values)
{
    onnx_raw(w, name, ONNX_INT64, dims, values, elements_of(dims) * sizeof *values);
}

static void put_entry(dv_text *out, unsigned number, const char *key, const char *value)
{
    if (!value)
        return;
    dv_text entry = {0};
    pb_string(&entry, 1, key);
    pb_string(&entry, 2, value);
    pb_message(out, number, &entry);
    dv_text_free(&entry);
}

void onnx_external(onnx_writer *w, const char *name, int type, const char *dims,
                   const char *location, const char *offset, const char *length)
{
    dv_text tensor = {0};
    tensor_head(&tensor, name, type, dims);
    put_entry(&tensor, 13, "location", location);
    put_entry(&tensor, 13, "offset", offset);
    put_entry(&tensor, 13, "length", length);
    pb_int(&tensor, 14, 1);
    pb_message(&w->graph, 5, &tensor);
    dv_text_free(&tensor);
}

static void put_node_input(void *context, const char *part)
{
    pb_string(context, 1, strcmp(part, "-") == 0 ? "" : part);
}

static void put_node_output(void *context, const char *part)
{
    pb_string(context, 2, strcmp(part, "-") == 0 ? "" : part);
}

void onnx_named_node(onnx_writer *w, const char *name, const char *domain, const char *type,
                     const char *inputs, const char *outputs)
{
    flush_node(w);
    for_each_part(inputs, ' ', put_node_input, &w->node);
    for_each_part(outputs, ' ', put_node_output, &w->node);
    if (name)
        pb_string(&w->node, 3, name);
    pb_string(&w->node, 4, type);
    if (domain)
        pb_string(&w->node, 7, domain);
}

void onnx_node(onnx_writer *w, const char *type, const char *inputs, const char *outputs)
{
    onnx_named_node(w, NULL, NULL, type, inputs, outputs);
}

/* An attribute's name and type come with every kind; value is its one field, already encoded. */
static void put_attribute(onnx_writer *w, const char *name, int type, dv_text *value)
{
    dv_text attribute = {0};
    pb_string(&attribute, 1, name);
    dv_text_append_n(&attribute, dv_text_string(value), value->length);
    pb_int(&attribute, 20, type);
    pb_message(&w->node, 5, &attribute);
    dv_text_free(&attribute);
    dv_text_free(value);
}

void onnx_attr_int(onnx_writer *w, const char *name, int64_t value)
{
    dv_text field = {0};
    pb_int(&field, 3, value);
    put_attribute(w, name, 2, &field);
}

void onnx_attr_float(onnx_writer *w, const char *name, float value)
{
    dv_text field = {0};
    pb_float(&field, 2, value);
    put_attribute(w, name, 1, &field);
}

void onnx_attr_string(onnx_writer *w, const char *name, const char *value)
{
    dv_text field = {0};
    pb_string(&field, 4, value);
    put_attribute(w, name, 3, &field);
}

static void put_ints_element(void *context, const char *part)
{
    pb_int(context, 8, strtoll(part, NULL, 10));
}

void onnx_attr_ints(onnx_writer *w, const char *name, const char *values)
{
    dv_text field = {0};
    for_each_part(values, ',', put_ints_element, &field);
    put_attribute(w, name, 7, &field);
}

static void put_floats_element(void *context, const char *part)
{
    pb_float(context, 7, strtof(part, NULL));
}

void onnx_attr_floats(onnx_writer *w, const char *name, const char *values)
{
    dv_text field = {0};
    for_each_part(values, ',', put_floats_element, &field);
    put_attribute(w, name, 6, &field);
}

void onnx_attr_tensor(onnx_writer *w, const char *name, const dv_text *tensor)
{
    dv_text field = {0};
    pb_message(&field, 5, tensor);
    put_attribute(w, name, 4, &field);
}

void onnx_attr_graph(onnx_writer *w, const char *name, const dv_text *graph)
{
    dv_text field = {0};
    pb_message(&field, 6, graph);
    put_attribute(w, name, 5, &field);
}

void onnx_attr_refers(onnx_writer *w, const char *name, int type, const char *to)
{
    dv_text field = {0};
    pb_string(&field, 21, to);
    put_attribute(w, name, type, &field);
}

dv_text onnx_graph_of(onnx_writer *w)
{
    flush_node(w);
    dv_text graph = w->graph;
    w->graph = (dv_text){0};
    onnx_free(w);
    return graph;
}

static void put_function_input(void *context, const char *part)
{
    pb_string(context, 4, part);
}

static void put_function_output(void *context, const char *part)
{
    pb_string(context, 5, part);
}

static void put_function_attribute(void *context, const char *part)
{
    pb_string(context, 6, part);
}

void onnx_function(onnx_writer *w, const char *name, const char *inputs, const char *outputs,
                   const char *attributes, const dv_text *defaults, onnx_writer *body)
{
    dv_text function = {0}, opset = {0};
    int64_t version = body->opset;
    dv_text nodes = onnx_graph_of(body);
    pb_string(&function, 1, name);
    for_each_part(inputs, ' ', put_function_input, &function);
    for_each_part(outputs, ' ', put_function_output, &function);
    for_each_part(attributes, ' ', put_function_attribute, &function);
    dv_pb_cursor cursor =
        dv_pb_open((dv_span){(const uint8_t *)nodes.data, nodes.length}, (uint8_t *)nodes.data);
    dv_pb_field field;
    while (dv_pb_next(&cursor, &field)) /* nodes have another number in a function */
        if (field.number == 1)
            pb_bytes(&function, 7, field.bytes.data, field.bytes.size);
    pb_int(&opset, 2, version);
    pb_message(&function, 9, &opset);
    pb_string(&function, 10, "local");
    if (defaults)
        pb_message(&function, 11, defaults);
    pb_message(&w->functions, 25, &function);
    dv_text_free(&function);
    dv_text_free(&opset);
    dv_text_free(&nodes);
}

void onnx_graph_field(onnx_writer *w, unsigned number, const dv_text *bytes)
{
    flush_node(w);
    pb_message(&w->graph, number, bytes);
}

void onnx_bytes(onnx_writer *w, dv_text *out)
{
    flush_node(w);
    dv_text opset = {0}, graph = {0};
    pb_int(out, 1, 8); /* IR version */
    pb_string(out, 2, "divvy tests");
    pb_string(&graph, 2, "test");
    dv_text_append_n(&graph, dv_text_string(&w->graph), w->graph.length);
    pb_message(out, 7, &graph);
    pb_string(&opset, 1, "");
    pb_int(&opset, 2, w->opset);
    pb_message(out, 8, &opset);
    if (w->functions.length) {
        dv_text local = {0};
        pb_string(&local, 1, "local");
        pb_int(&local, 2, 1);
        pb_message(out, 8, &local);
        dv_text_append_n(out, w->functions.data, w->functions.length);
        dv_text_free(&local);
    }
    dv_text_free(&opset);
    dv_text_free(&graph);
}

bool onnx_save(onnx_writer *w, const char *path)
{
    dv_text bytes = {0};
    onnx_bytes(w, &bytes);
    dv_status status = dv_file_write(path, dv_text_string(&bytes), bytes.length);
    dv_text_free(&bytes);
    CU_ASSERT_EQUAL(status, DV_OK);
    return status == DV_OK;
}

dv_status onnx_load(onnx_writer *w, const dv_load_options *options, dv_graph **graph)
{
    char path[256];
    *graph = NULL;
    snprintf(path, sizeof path, "%s/model.onnx", dv_test_folder());
    if (!onnx_save(w, path))
        return DV_IO;
    dv_load_options with = options ? *options : (dv_load_options){0};
    with.infer = dv_lower_known;
    return dv_load(path, &with, graph);
}

dv_graph *onnx_loaded(onnx_writer *w)
{
    dv_graph *graph;
    dv_status status = onnx_load(w, NULL, &graph);
    CU_ASSERT_EQUAL(status, DV_OK);
    if (status != DV_OK)
        fprintf(stderr, "\n    %s\n", dv_message());
    return graph;
}

void onnx_refused(onnx_writer *w, dv_status status, const char *what)
{
    dv_graph *graph;
    CU_ASSERT_EQUAL(onnx_load(w, NULL, &graph), status);
    bool told = strstr(dv_message(), what) != NULL && strstr(dv_message(), "model.onnx: ");
    CU_ASSERT_TRUE(told);
    if (!told)
        fprintf(stderr, "\n    expected '%s', found '%s'\n", what, dv_message());
    dv_graph_destroy(graph);
    onnx_free(w);
}

dv_text onnx_inner_graph(const char *type, const char *inputs, const char *output)
{
    dv_text graph = {0}, node = {0}, info = {0}, kind = {0}, tensor = {0};
    for_each_part(inputs, ' ', put_node_input, &node);
    pb_string(&node, 2, output);
    pb_string(&node, 4, type);
    pb_message(&graph, 1, &node);
    pb_int(&tensor, 1, ONNX_FLOAT);
    pb_message(&kind, 1, &tensor);
    pb_string(&info, 1, output);
    pb_message(&info, 2, &kind);
    pb_message(&graph, 12, &info);
    dv_text_free(&node);
    dv_text_free(&info);
    dv_text_free(&kind);
    dv_text_free(&tensor);
    return graph;
}
