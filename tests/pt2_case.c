/* pt2_case.c - runs a torch.export archive and holds it against what torch computed. */
#include "tests/pt2_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/load.h"
#include "lower/lower.h"
#include "runtime/backend.h"

enum { MOST = 96 };

typedef struct reference {
    dv_buffer *file;
    uint32_t input_count, output_count;
    dv_tensor inputs[MOST], outputs[MOST]; /* their data lies in the file */
} reference;

typedef struct memory {
    uint32_t input_count;
    void *inputs[MOST], *outputs[MOST];
    dv_tensor_id ids[MOST]; /* of the inputs: the graph's, then its states */
} memory;

static bool read_line(const char *line, reference *to, dv_tensor **tensor)
{
    char kind[8], dtype[8];
    int used;
    dv_tensor t = {0};
    if (sscanf(line, "%7s %7s%n", kind, dtype, &used) != 2 || !dv_dtype_from_name(dtype, &t.dtype))
        return false;
    for (line += used; *line == ' ' && t.shape.rank < DV_MAX_RANK; t.shape.rank++)
        t.shape.dim[t.shape.rank] = strtoll(line, (char **)&line, 10);
    bool input = strcmp(kind, "input") == 0;
    uint32_t *count = input ? &to->input_count : &to->output_count;
    if (*count == MOST)
        return false;
    *tensor = &(input ? to->inputs : to->outputs)[(*count)++];
    **tensor = t;
    return true;
}

static bool read_reference(const char *path, reference *to)
{
    *to = (reference){0};
    if (dv_buffer_map(path, &to->file) != DV_OK)
        return false;
    const char *data = (const char *)dv_buffer_data(to->file);
    size_t size = dv_buffer_size(to->file), at = 0;
    while (at < size) {
        const char *end = memchr(data + at, '\n', size - at);
        char line[128];
        dv_tensor *tensor;
        size_t bytes;
        if (!end || (size_t)(end - data) - at >= sizeof line)
            return false;
        snprintf(line, sizeof line, "%.*s", (int)((size_t)(end - data) - at), data + at);
        at = (size_t)(end - data) + 1;
        if (!read_line(line, to, &tensor) || !dv_tensor_bytes(tensor, &bytes) || bytes > size - at)
            return false;
        tensor->data = (dv_data){DV_STORAGE_BUFFER, .buffer = to->file, .offset = at};
        at += bytes + 1;
    }
    return true;
}

static void *room_for(const dv_tensor *tensor)
{
    size_t bytes = 0;
    if (!dv_tensor_bytes(tensor, &bytes))
        return NULL;
    size_t rounded = (bytes + DV_TENSOR_PADDING + DV_TENSOR_ALIGN - 1) / DV_TENSOR_ALIGN;
    void *room = aligned_alloc(DV_TENSOR_ALIGN, rounded * DV_TENSOR_ALIGN);
    if (room)
        memset(room, 0, rounded * DV_TENSOR_ALIGN);
    return room;
}

static bool same_kind(const dv_tensor *a, const dv_tensor *b)
{
    return a->dtype == b->dtype && dv_shape_equal(&a->shape, &b->shape);
}

/* Inputs as the reference has them, states as they begin. */
static bool fill(const dv_graph *graph, const reference *ref, memory *m)
{
    if (graph->input_count != ref->input_count || graph->output_count != ref->output_count) {
        fprintf(stderr, "    %u inputs and %u outputs, torch has %u and %u\n", graph->input_count,
                graph->output_count, ref->input_count, ref->output_count);
        return false;
    }
    for (uint32_t i = 0; i < graph->input_count; i++)
        m->ids[m->input_count++] = graph->inputs[i];
    for (dv_tensor_id t = 0; t < graph->tensor_count && m->input_count < MOST; t++)
        if (graph->tensors[t].role == DV_ROLE_STATE)
            m->ids[m->input_count++] = t;
    for (uint32_t i = 0; i < m->input_count; i++) {
        const dv_tensor *tensor = &graph->tensors[m->ids[i]], *from = tensor;
        size_t count;
        m->inputs[i] = room_for(tensor);
        if (i < graph->input_count) {
            from = &ref->inputs[i];
            if (!same_kind(from, tensor))
                return false;
        }
        if (!m->inputs[i] || !dv_shape_elements(&tensor->shape, &count))
            return false;
        if (from->data.storage != DV_STORAGE_NONE)
            dv_tensor_read(from, 0, count, m->inputs[i]);
    }
    for (uint32_t i = 0; i < graph->output_count; i++)
        m->outputs[i] = room_for(&graph->tensors[graph->outputs[i]]);
    return true;
}

static bool run(const dv_graph *graph, memory *m)
{
    const dv_backend *portable = dv_backend_find("portable");
    dv_layout plain[MOST] = {DV_LAYOUT_PLAIN};
    dv_op_id *ops = calloc((size_t)graph->op_count + 1, sizeof *ops);
    dv_executable *executable = NULL;
    if (!ops || !portable)
        abort();
    for (dv_op_id o = 0; o < graph->op_count; o++)
        ops[o] = o;
    dv_segment_spec spec = {.graph = graph,
                            .op_count = graph->op_count,
                            .ops = ops,
                            .input_count = m->input_count,
                            .output_count = graph->output_count,
                            .inputs = m->ids,
                            .outputs = graph->outputs,
                            .input_layout = plain,
                            .output_layout = plain,
                            .precision = DV_DTYPE_F32,
                            .threads = 1};
    dv_status status = portable->compile(&spec, &executable);
    if (status == DV_OK)
        status = portable->bind(executable, m->inputs, m->outputs);
    if (status == DV_OK)
        status = portable->run(executable, NULL);
    if (status != DV_OK)
        fprintf(stderr, "    portable: %s\n", dv_message());
    portable->destroy(executable);
    free(ops);
    return status == DV_OK;
}

/* Converts by borrowing the reader of constants. */
static double element(const dv_tensor *like, const void *from, size_t i)
{
    size_t width = dv_dtype_bytes(like->dtype);
    dv_buffer *one = dv_buffer_create(width);
    int64_t integer = 0;
    float real = 0;
    if (!one)
        abort();
    memcpy(dv_buffer_writable(one), (const uint8_t *)from + i * width, width);
    dv_tensor tensor = {.dtype = like->dtype,
                        .role = DV_ROLE_CONSTANT,
                        .data = {.storage = DV_STORAGE_BUFFER, .buffer = one}};
    double value;
    if (like->dtype == DV_DTYPE_F64)
        memcpy(&value, (const uint8_t *)from + i * width, width);
    else if (dv_dtype_is_float(like->dtype))
        value = dv_tensor_read_f32(&tensor, 0, 1, &real) ? (double)real : NAN;
    else
        value = dv_tensor_read_i64(&tensor, 0, 1, &integer) ? (double)integer : NAN;
    dv_buffer_release(one);
    return value;
}

static double compare(const dv_tensor *made, const void *out, const dv_tensor *expected)
{
    size_t count = 0;
    double worst = 0, squares = 0;
    char a[DV_SHAPE_TEXT], b[DV_SHAPE_TEXT];
    const uint8_t *raw = dv_tensor_raw(expected);
    dv_shape_elements(&expected->shape, &count);
    if (!same_kind(made, expected)) {
        fprintf(stderr, "    '%s' is %s %s, torch has %s %s\n", made->name,
                dv_dtype_name(made->dtype), dv_shape_text(&made->shape, a),
                dv_dtype_name(expected->dtype), dv_shape_text(&expected->shape, b));
        return (double)INFINITY;
    }
    for (size_t i = 0; i < count; i++) {
        double x = element(made, out, i), y = element(expected, raw, i);
        bool same = x == y || (isnan(x) && isnan(y));
        if (!same && (!dv_dtype_is_float(made->dtype) || !isfinite(x) || !isfinite(y))) {
            fprintf(stderr, "    '%s': element %zu is %g, torch has %g\n", made->name, i, x, y);
            return (double)INFINITY;
        }
        worst = same ? worst : fmax(worst, fabs(x - y));
        squares += isfinite(y) ? y * y : 0;
    }
    double scale = squares > 0 ? sqrt(squares / (double)count) : 1;
    if (worst / scale > 1e-3)
        fprintf(stderr, "    '%s' differs by %g of %g\n", made->name, worst, scale);
    return worst / scale;
}

static double run_and_compare(const dv_graph *graph, const reference *ref)
{
    memory m = {0};
    double worst = (double)INFINITY;
    if (fill(graph, ref, &m) && run(graph, &m)) {
        worst = 0;
        for (uint32_t i = 0; i < graph->output_count; i++)
            worst = fmax(
                worst, compare(&graph->tensors[graph->outputs[i]], m.outputs[i], &ref->outputs[i]));
    }
    for (uint32_t i = 0; i < MOST; i++) {
        free(m.inputs[i]);
        free(m.outputs[i]);
    }
    return worst;
}

double pt2_difference(const char *folder, const char *name)
{
    char path[1024];
    reference ref;
    dv_graph *graph = NULL, *lowered = NULL;
    double worst = (double)INFINITY;
    snprintf(path, sizeof path, "%s/%s.ref", folder, name);
    bool ready = read_reference(path, &ref);
    if (!ready)
        fprintf(stderr, "    %s cannot be read\n", path);
    snprintf(path, sizeof path, "%s/%s.pt2", folder, name);
    if (ready && (dv_load(path, NULL, &graph) != DV_OK || dv_lower(graph, NULL, &lowered) != DV_OK))
        fprintf(stderr, "    %s: %s\n", name, dv_message());
    if (lowered)
        worst = run_and_compare(lowered, &ref);
    dv_graph_destroy(graph);
    dv_graph_destroy(lowered);
    dv_buffer_release(ref.file);
    return worst;
}
