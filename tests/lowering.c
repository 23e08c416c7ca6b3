/* lowering.c - passes run over hand-made graphs, and what comes out compared, for tests. */
#include "tests/lowering.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "runtime/backend.h"

static void check(dv_graph *graph, dv_status status)
{
    if (status != DV_OK)
        fprintf(stderr, "    %s\n", dv_message());
    CU_ASSERT_EQUAL_FATAL(status, DV_OK);
    dv_graph_destroy(graph);
}

dv_graph *lowered(dv_graph *graph)
{
    dv_graph *out = NULL;
    check(graph, dv_lower(graph, NULL, &out));
    return out;
}

dv_graph *inferred(dv_graph *graph)
{
    dv_graph *out = NULL;
    check(graph, dv_pass_infer(graph, NULL, &out));
    return out;
}

void expect_refused(dv_graph *graph, const char *words)
{
    dv_graph *out = NULL;
    dv_status status = dv_lower(graph, NULL, &out);
    CU_ASSERT_EQUAL(status, DV_BAD_INPUT);
    CU_ASSERT_PTR_NULL(out);
    char word[128];
    while (status == DV_BAD_INPUT && *words) {
        size_t length = strcspn(words, "|");
        snprintf(word, sizeof word, "%.*s", (int)length, words);
        bool found = strstr(dv_message(), word) != NULL;
        if (!found)
            fprintf(stderr, "    no '%s' in: %s\n", word, dv_message());
        CU_ASSERT_TRUE(found);
        words += length + (words[length] == '|');
    }
    dv_graph_destroy(out);
    dv_graph_destroy(graph);
}

char *printed(const dv_graph *graph)
{
    dv_text text = {0};
    CU_ASSERT_EQUAL_FATAL(dv_graph_print(graph, &text), DV_OK);
    char *copy = strdup(dv_text_string(&text));
    dv_text_free(&text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    return copy;
}

static void *memory_of(const dv_tensor *tensor)
{
    size_t bytes = 0;
    bool known = dv_tensor_bytes(tensor, &bytes);
    size_t rounded = (bytes + DV_TENSOR_PADDING + DV_TENSOR_ALIGN - 1) / DV_TENSOR_ALIGN;
    void *memory = known ? aligned_alloc(DV_TENSOR_ALIGN, rounded * DV_TENSOR_ALIGN) : NULL;
    if (!memory)
        abort();
    memset(memory, 0, rounded * DV_TENSOR_ALIGN);
    return memory;
}

static void fill_input(const dv_tensor *tensor, uint64_t seed, int64_t most, void *memory)
{
    size_t count = 0;
    dv_shape_elements(&tensor->shape, &count);
    for (size_t i = 0; i < count; i++) {
        uint64_t drawn = dv_rng_at(seed, i);
        if (tensor->dtype == DV_DTYPE_F32)
            ((float *)memory)[i] = (float)((double)(drawn >> 11) * 0x1p-52 - 1.0);
        else if (tensor->dtype == DV_DTYPE_I64)
            ((int64_t *)memory)[i] = (int64_t)(drawn % (uint64_t)most);
        else
            ((uint8_t *)memory)[i] = drawn & 1;
    }
}

enum { MOST_BORDERS = 32 };

bool run_portable(const dv_graph *graph, uint64_t seed, int64_t most, void **kept, void **outputs)
{
    const dv_backend *portable = dv_backend_find("portable");
    void *inputs[MOST_BORDERS] = {NULL};
    dv_layout plain[MOST_BORDERS] = {DV_LAYOUT_PLAIN};
    dv_op_id *ops = calloc((size_t)graph->op_count + 1, sizeof *ops);
    if (!ops || !portable || graph->input_count > MOST_BORDERS ||
        graph->output_count > MOST_BORDERS)
        abort();
    for (dv_op_id o = 0; o < graph->op_count; o++)
        ops[o] = o;
    for (uint32_t i = 0; i < graph->input_count; i++) {
        inputs[i] = memory_of(&graph->tensors[graph->inputs[i]]);
        fill_input(&graph->tensors[graph->inputs[i]], seed + i, most, inputs[i]);
    }
    for (uint32_t i = 0; i < graph->output_count; i++)
        outputs[i] = memory_of(&graph->tensors[graph->outputs[i]]);
    dv_segment_spec spec = {.graph = graph,
                            .op_count = graph->op_count,
                            .ops = ops,
                            .input_count = graph->input_count,
                            .output_count = graph->output_count,
                            .inputs = graph->inputs,
                            .outputs = graph->outputs,
                            .input_layout = plain,
                            .output_layout = plain,
                            .precision = DV_DTYPE_F32,
                            .threads = 1};
    dv_executable *executable = NULL;
    dv_status status = portable->compile(&spec, &executable);
    if (status == DV_OK)
        status = portable->bind(executable, inputs, outputs);
    if (status == DV_OK)
        status = portable->run(executable, NULL);
    if (status != DV_OK)
        fprintf(stderr, "    portable: %s\n", dv_message());
    portable->destroy(executable);
    for (uint32_t i = 0; i < graph->input_count; i++) {
        if (kept)
            kept[i] = inputs[i];
        else
            free(inputs[i]);
    }
    free(ops);
    return status == DV_OK;
}

static double output_difference(const dv_tensor *a, const dv_tensor *b, const void *x,
                                const void *y)
{
    size_t count = 0, bytes = 0;
    if (a->dtype != b->dtype || !dv_shape_equal(&a->shape, &b->shape) ||
        !dv_shape_elements(&a->shape, &count) || !dv_tensor_bytes(a, &bytes))
        return (double)INFINITY;
    if (a->dtype != DV_DTYPE_F32)
        return memcmp(x, y, bytes) == 0 ? 0 : (double)INFINITY;
    double worst = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        double p = (double)((const float *)x)[i], q = (double)((const float *)y)[i];
        worst = fmax(worst, fabs(p - q));
        squares += p * p;
        if (isnan(p) || isnan(q))
            return (double)INFINITY;
    }
    return worst == 0 ? 0 : worst / (sqrt(squares / (double)count) + 1e-30);
}

double difference(const dv_graph *a, const dv_graph *b, uint64_t seed, int64_t most)
{
    void *x[MOST_BORDERS] = {NULL}, *y[MOST_BORDERS] = {NULL};
    double worst = (double)INFINITY;
    if (a->input_count == b->input_count && a->output_count == b->output_count &&
        run_portable(a, seed, most, NULL, x) && run_portable(b, seed, most, NULL, y)) {
        worst = 0;
        for (uint32_t i = 0; i < a->output_count; i++)
            worst = fmax(worst, output_difference(&a->tensors[a->outputs[i]],
                                                  &b->tensors[b->outputs[i]], x[i], y[i]));
    }
    for (uint32_t i = 0; i < MOST_BORDERS; i++) {
        free(x[i]);
        free(y[i]);
    }
    return worst;
}

bool holds(const dv_graph *graph, dv_tensor_id id, size_t count, const double *expected)
{
    const dv_tensor *tensor = &graph->tensors[id];
    size_t elements;
    if (id == DV_NONE || tensor->role != DV_ROLE_CONSTANT ||
        !dv_shape_elements(&tensor->shape, &elements) || elements != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        float value;
        if (!dv_tensor_read_f32(tensor, i, 1, &value) ||
            fabs((double)value - expected[i]) > 1e-6 * fmax(1, fabs(expected[i]))) {
            fprintf(stderr, "    element %zu is %g, not %g\n", i, (double)value, expected[i]);
            return false;
        }
    }
    return true;
}
