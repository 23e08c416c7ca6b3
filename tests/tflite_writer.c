#include "tests/tflite_writer.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "tests/suite.h"

tfl_writer tfl_begin(void)
{
    return (tfl_writer){.graph_count = 1};
}

static tfl_spec_graph *current(tfl_writer *w)
{
    return &w->graphs[w->graph_count - 1];
}

void tfl_subgraph(tfl_writer *w)
{
    if (w->graph_count == 4)
        abort();
    w->graph_count++;
}

int tfl_tensor(tfl_writer *w, const char *name, int type, const char *shape)
{
    return tfl_constant(w, name, type, shape, NULL, 0);
}

int tfl_constant(tfl_writer *w, const char *name, int type, const char *shape, const void *bytes,
                 size_t size)
{
    tfl_spec_graph *g = current(w);
    if (g->tensor_count == TFL_MOST)
        abort();
    g->tensors[g->tensor_count] =
        (tfl_spec_tensor){.name = name, .type = type, .shape = shape, .bytes = bytes, .size = size};
    return (int)g->tensor_count++;
}

static tfl_spec_tensor *last_tensor(tfl_writer *w)
{
    return &current(w)->tensors[current(w)->tensor_count - 1];
}

void tfl_signature(tfl_writer *w, const char *signature)
{
    last_tensor(w)->signature = signature;
}

void tfl_quantise(tfl_writer *w, size_t count, const float *scales, const int64_t *zeros, int axis)
{
    tfl_spec_tensor *tensor = last_tensor(w);
    tensor->scale_count = count;
    tensor->scales = scales;
    tensor->zeros = zeros;
    tensor->axis = axis;
}

void tfl_sparse(tfl_writer *w, const char *segments, const char *indices)
{
    last_tensor(w)->sparse_segments = segments;
    last_tensor(w)->sparse_indices = indices;
}

void tfl_op(tfl_writer *w, int code, const char *inputs, const char *outputs)
{
    tfl_spec_graph *g = current(w);
    if (g->op_count == TFL_MOST)
        abort();
    g->ops[g->op_count++] = (tfl_spec_op){.code = code, .inputs = inputs, .outputs = outputs};
}

void tfl_custom(tfl_writer *w, const char *name, const char *inputs, const char *outputs,
                const void *options, size_t size)
{
    tfl_op(w, 32, inputs, outputs);
    tfl_spec_op *op = &current(w)->ops[current(w)->op_count - 1];
    op->custom = name;
    op->custom_bytes = options;
    op->custom_size = size;
}

void tfl_option(tfl_writer *w, unsigned field, unsigned width, uint64_t bits)
{
    tfl_spec_op *op = &current(w)->ops[current(w)->op_count - 1];
    if (op->field_count == TFL_MOST_FIELDS)
        abort();
    op->fields[op->field_count] = field;
    op->widths[op->field_count] = width;
    op->bits[op->field_count++] = bits;
}

void tfl_option_f32(tfl_writer *w, unsigned field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    tfl_option(w, field, 4, bits);
}

void tfl_option_ints(tfl_writer *w, const char *numbers)
{
    current(w)->ops[current(w)->op_count - 1].list = numbers;
}

void tfl_borders(tfl_writer *w, const char *inputs, const char *outputs)
{
    current(w)->inputs = inputs;
    current(w)->outputs = outputs;
}

/* ---- the file ---- */

/* All dims dense but the last one, which is compressed. */
static void put_sparsity(fb_writer *f, size_t tensor, const tfl_spec_tensor *spec)
{
    static const char *const orders[] = {"0", "0,1", "0,1,2", "0,1,2,3"};
    size_t sparsity = fb_child(f, tensor, 6, 3), last = 0;
    for (const char *c = spec->shape; *c; c++)
        last += *c == ',';
    fb_ints(f, sparsity, 0, orders[last]);
    size_t dims = fb_refs(f, sparsity, 2, last + 1);
    const char *text = spec->shape;
    for (size_t d = 0; d < last; d++, text++) {
        char *end;
        size_t rows = fb_table(f, 6);
        fb_point(f, dims, d, rows);
        fb_put(f, rows, 1, 4, (uint64_t)strtol(text, &end, 10));
        text = end;
    }
    size_t columns = fb_table(f, 6);
    fb_point(f, dims, last, columns);
    fb_put(f, columns, 0, 1, 1);
    fb_put(f, columns, 2, 1, 1);
    fb_put(f, columns, 4, 1, 1);
    size_t segments = fb_child(f, columns, 3, 1);
    fb_ints(f, segments, 0, spec->sparse_segments);
    size_t indices = fb_child(f, columns, 5, 1);
    fb_ints(f, indices, 0, spec->sparse_indices);
}

static void put_tensor(fb_writer *f, size_t refs, size_t i, const tfl_spec_tensor *spec,
                       uint32_t buffer)
{
    size_t tensor = fb_table(f, 8);
    fb_point(f, refs, i, tensor);
    fb_ints(f, tensor, 0, spec->shape);
    fb_put(f, tensor, 1, 1, (uint64_t)spec->type);
    fb_put(f, tensor, 2, 4, buffer);
    fb_string(f, tensor, 3, spec->name);
    if (spec->scale_count) {
        size_t quantisation = fb_child(f, tensor, 4, 7);
        fb_vector(f, quantisation, 2, 4, spec->scale_count, spec->scales);
        fb_vector(f, quantisation, 3, 8, spec->scale_count, spec->zeros);
        fb_put(f, quantisation, 6, 4, (uint64_t)spec->axis);
    }
    if (spec->variable)
        fb_put(f, tensor, 5, 1, 1);
    if (spec->sparse_segments)
        put_sparsity(f, tensor, spec);
    if (spec->signature)
        fb_ints(f, tensor, 7, spec->signature);
}

static void put_op(fb_writer *f, size_t refs, size_t i, const tfl_spec_op *spec, uint32_t code)
{
    size_t op = fb_table(f, 6);
    fb_point(f, refs, i, op);
    fb_put(f, op, 0, 4, code);
    fb_ints(f, op, 1, spec->inputs);
    fb_ints(f, op, 2, spec->outputs);
    if (spec->field_count || spec->list) {
        size_t options = fb_child(f, op, 4, 8);
        for (unsigned k = 0; k < spec->field_count; k++)
            fb_put(f, options, spec->fields[k], spec->widths[k], spec->bits[k]);
        if (spec->list)
            fb_ints(f, options, 0, spec->list);
    }
    if (spec->custom_size)
        fb_vector(f, op, 5, 1, spec->custom_size, spec->custom_bytes);
}

/* Every operator has a code of its own, every constant a buffer. */
static void put_codes(fb_writer *f, const tfl_writer *w)
{
    size_t count = 0, next = 0;
    for (size_t g = 0; g < w->graph_count; g++)
        count += w->graphs[g].op_count;
    size_t codes = fb_refs(f, FB_ROOT, 1, count);
    for (size_t g = 0; g < w->graph_count; g++)
        for (size_t i = 0; i < w->graphs[g].op_count; i++) {
            const tfl_spec_op *op = &w->graphs[g].ops[i];
            size_t code = fb_table(f, 4);
            fb_point(f, codes, next++, code);
            fb_put(f, code, 0, 1, (uint64_t)(op->code < 127 ? op->code : 127));
            if (op->custom)
                fb_string(f, code, 1, op->custom);
            fb_put(f, code, 3, 4, (uint64_t)op->code);
        }
}

static void put_buffers(fb_writer *f, const tfl_writer *w)
{
    size_t count = 1, next = 1;
    for (size_t g = 0; g < w->graph_count; g++)
        for (size_t i = 0; i < w->graphs[g].tensor_count; i++)
            count += w->graphs[g].tensors[i].bytes != NULL;
    size_t buffers = fb_refs(f, FB_ROOT, 4, count);
    fb_point(f, buffers, 0, fb_table(f, 3));
    for (size_t g = 0; g < w->graph_count; g++)
        for (size_t i = 0; i < w->graphs[g].tensor_count; i++) {
            const tfl_spec_tensor *tensor = &w->graphs[g].tensors[i];
            if (!tensor->bytes)
                continue;
            size_t buffer = fb_table(f, 3);
            fb_point(f, buffers, next++, buffer);
            fb_vector(f, buffer, 0, 1, tensor->size, tensor->bytes);
        }
}

dv_text tfl_bytes(const tfl_writer *w)
{
    fb_writer f = fb_begin("TFL3", 8);
    fb_put(&f, FB_ROOT, 0, 4, 3);
    put_codes(&f, w);
    size_t graphs = fb_refs(&f, FB_ROOT, 2, w->graph_count);
    fb_string(&f, FB_ROOT, 3, "by hand");
    uint32_t buffer = 1, code = 0;
    for (size_t g = 0; g < w->graph_count; g++) {
        const tfl_spec_graph *spec = &w->graphs[g];
        size_t graph = fb_table(&f, 5);
        fb_point(&f, graphs, g, graph);
        size_t tensors = fb_refs(&f, graph, 0, spec->tensor_count);
        for (size_t i = 0; i < spec->tensor_count; i++)
            put_tensor(&f, tensors, i, &spec->tensors[i], spec->tensors[i].bytes ? buffer++ : 0);
        fb_ints(&f, graph, 1, spec->inputs ? spec->inputs : "");
        fb_ints(&f, graph, 2, spec->outputs ? spec->outputs : "");
        size_t ops = fb_refs(&f, graph, 3, spec->op_count);
        for (size_t i = 0; i < spec->op_count; i++)
            put_op(&f, ops, i, &spec->ops[i], code++);
        fb_string(&f, graph, 4, "graph");
    }
    put_buffers(&f, w);
    return f.bytes;
}

dv_status tfl_load(const tfl_writer *w, const dv_load_options *options, dv_graph **graph)
{
    char path[256];
    *graph = NULL;
    snprintf(path, sizeof path, "%s/model.tflite", dv_test_folder());
    dv_text bytes = tfl_bytes(w);
    dv_status status = dv_file_write(path, bytes.data, bytes.length);
    dv_text_free(&bytes);
    return status == DV_OK ? dv_load(path, options, graph) : status;
}

dv_graph *tfl_loaded(const tfl_writer *w)
{
    dv_graph *graph;
    dv_status status = tfl_load(w, NULL, &graph);
    CU_ASSERT_EQUAL_FATAL(status, DV_OK);
    return graph;
}

void tfl_refused(const tfl_writer *w, dv_status status, const char *what)
{
    dv_graph *graph;
    CU_ASSERT_EQUAL(tfl_load(w, NULL, &graph), status);
    bool told = strstr(dv_message(), what) && strstr(dv_message(), "model.tflite: ");
    CU_ASSERT_TRUE(told);
    if (!told)
        fprintf(stderr, "\n    expected '%s', found '%s'\n", what, dv_message());
    dv_graph_destroy(graph);
}
