/* pte_case.c - an ExecuTorch program and what ExecuTorch's own tools said of it. */
#include "tests/pte_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/load.h"
#include "tests/execution.h"

static void demand(dv_status status, const char *path)
{
    if (status != DV_OK)
        fprintf(stderr, "    %s: %s\n", path, dv_message());
    CU_ASSERT_EQUAL_FATAL(status, DV_OK);
}

pte_case *pte_case_open(const char *folder, const char *name, const char *method)
{
    pte_case *c = calloc(1, sizeof *c);
    dv_buffer *text;
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    snprintf(c->path, sizeof c->path, "%s/%s.json", folder, name);
    demand(dv_buffer_map(c->path, &text), c->path);
    demand(
        dv_json_parse(c->path, (const char *)dv_buffer_data(text), dv_buffer_size(text), &c->note),
        c->path);
    dv_buffer_release(text);
    snprintf(c->path, sizeof c->path, "%s/%s.pte", folder, name);
    demand(dv_buffer_map(c->path, &c->buffer), c->path);
    demand(dv_pte_read(c->buffer, c->path, method, &c->pte), c->path);
    c->root = dv_json_root(c->note, "note");
    dv_json_at methods = dv_json_member(&c->root, "methods");
    c->method = dv_json_member(&methods, method ? method : "forward");
    return c;
}

void pte_case_close(pte_case *c)
{
    dv_json_destroy(c->note);
    dv_pte_free(&c->pte);
    dv_buffer_release(c->buffer);
    free(c);
}

/* ---- tensors of a note ---- */

static void store(dv_dtype dtype, double value, uint8_t *to)
{
    float f = (float)value;
    int64_t wide = (int64_t)value;
    if (dtype == DV_DTYPE_F32)
        memcpy(to, &f, sizeof f);
    else /* integers and booleans are little-endian */
        memcpy(to, &wide, dv_dtype_bytes(dtype));
}

static double fetch(dv_dtype dtype, const uint8_t *from)
{
    float f;
    int64_t wide = 0;
    if (dtype == DV_DTYPE_F32) {
        memcpy(&f, from, sizeof f);
        return (double)f;
    }
    if (dtype == DV_DTYPE_I8)
        return (int8_t)*from;
    if (dtype == DV_DTYPE_I32) {
        int32_t narrow;
        memcpy(&narrow, from, sizeof narrow);
        return narrow;
    }
    memcpy(&wide, from, dv_dtype_bytes(dtype));
    return (double)wide;
}

static double number_of(const dv_json_at *at)
{
    double value = 0;
    bool flag = false;
    dv_status status = dv_json_is_number(at) ? dv_json_number(at, &value) : dv_json_bool(at, &flag);
    CU_ASSERT_EQUAL(status, DV_OK);
    if (!dv_json_is_number(at))
        value = flag;
    return value;
}

static void fill(dv_executor *executor, uint32_t i, const dv_tensor *tensor, const dv_json_at *note)
{
    dv_json_at data = dv_json_member(note, "data");
    uint8_t *to = dv_executor_input(executor, i);
    size_t count = 0;
    CU_ASSERT_TRUE_FATAL(dv_shape_elements(&tensor->shape, &count));
    CU_ASSERT_EQUAL_FATAL(dv_json_count(&data), count);
    for (dv_json_at at = dv_json_first(&data); count > 0; at = dv_json_next(&at), count--) {
        store(tensor->dtype, number_of(&at), to);
        to += dv_dtype_bytes(tensor->dtype);
    }
}

/* rms(ours - theirs) / rms(theirs) */
static double distance(dv_executor *executor, uint32_t i, const dv_tensor *tensor,
                       const dv_json_at *note)
{
    dv_json_at data = dv_json_member(note, "data");
    const uint8_t *ours = dv_executor_output(executor, i);
    size_t count = 0;
    double sum = 0, all = 0;
    if (!dv_shape_elements(&tensor->shape, &count) || dv_json_count(&data) != count)
        return INFINITY;
    for (dv_json_at at = dv_json_first(&data); count > 0; at = dv_json_next(&at), count--) {
        double theirs = number_of(&at), off = fetch(tensor->dtype, ours) - theirs;
        sum += off * off;
        all += theirs * theirs;
        ours += dv_dtype_bytes(tensor->dtype);
    }
    return all > 0 ? sqrt(sum / all) : sqrt(sum);
}

static double compare(execution *e, const dv_json_at *outputs)
{
    double worst = 0;
    for (uint32_t i = 0; i < e->graph->output_count; i++) {
        dv_json_at note = dv_json_element(outputs, i);
        worst =
            fmax(worst, distance(e->executor, i, &e->graph->tensors[e->graph->outputs[i]], &note));
    }
    return worst;
}

double pte_case_error(const pte_case *c, const char *method)
{
    static const execution_device cpu = {.name = "cpu", .backend = "portable"};
    dv_load_options options = {.method = method};
    dv_json_at inputs = dv_json_member(&c->method, "inputs");
    dv_json_at outputs = dv_json_member(&c->method, "outputs");
    dv_graph *graph = NULL;
    if (!dv_json_present(&outputs))
        return NAN;
    if (dv_load(c->path, &options, &graph) != DV_OK) {
        fprintf(stderr, "    %s\n", dv_message());
        return INFINITY;
    }
    execution e = execution_of(graph, &cpu, 1);
    double worst = INFINITY;
    if (execution_start(&e, 1) == DV_OK) {
        for (uint32_t i = 0; i < e.graph->input_count; i++) {
            dv_json_at note = dv_json_element(&inputs, i);
            fill(e.executor, i, &e.graph->tensors[e.graph->inputs[i]], &note);
        }
        if (dv_executor_run(e.executor) == DV_OK)
            worst = compare(&e, &outputs);
    }
    if (isinf(worst))
        fprintf(stderr, "    %s: %s\n", c->path, dv_message());
    execution_end(&e);
    return worst;
}
