/* segment_case.c - builds networks, runs them as one segment, compares. */
#include "tests/unit/segment_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "runtime/layout.h"
#include "runtime/memplan.h"

enum { MOST_BORDERS = 16 };

static dv_shape shape_of(const char *text)
{
    dv_shape shape = {0};
    while (*text) {
        shape.dim[shape.rank++] = strtoll(text, (char **)(uintptr_t)&text, 10);
        text += *text == 'x';
    }
    return shape;
}

static dv_tensor_id add(dv_graph *graph, const dv_tensor *tensor)
{
    dv_tensor_id id = DV_NONE;
    if (dv_graph_add_tensor(graph, tensor, &id) != DV_OK)
        abort();
    return id;
}

dv_tensor_id net_input_of(dv_graph *graph, dv_dtype dtype, const char *shape)
{
    dv_tensor tensor = {
        .name = "in", .dtype = dtype, .shape = shape_of(shape), .role = DV_ROLE_INPUT};
    return add(graph, &tensor);
}

dv_tensor_id net_input(dv_graph *graph, const char *shape)
{
    return net_input_of(graph, DV_DTYPE_F32, shape);
}

dv_tensor_id net_constant(dv_graph *graph, const char *shape, double scale, double shift)
{
    dv_tensor tensor = {.name = "constant",
                        .dtype = DV_DTYPE_F32,
                        .shape = shape_of(shape),
                        .role = DV_ROLE_CONSTANT,
                        .data = {.storage = DV_STORAGE_GENERATED,
                                 .seed = graph->tensor_count + 17,
                                 .scale = scale,
                                 .shift = shift}};
    return add(graph, &tensor);
}

dv_tensor_id net_op(dv_graph *graph, dv_op_kind kind, const dv_op_params *params,
                    const char *output_shape, uint32_t input_count, const dv_tensor_id *inputs)
{
    dv_tensor tensor = {.name = "t",
                        .dtype = DV_DTYPE_F32,
                        .shape = shape_of(output_shape),
                        .role = DV_ROLE_ACTIVATION};
    dv_tensor_id output = add(graph, &tensor);
    dv_op op = {.kind = kind,
                .name = dv_op_info_of(kind)->name,
                .source_type = "Test",
                .input_count = input_count,
                .output_count = 1,
                .inputs = inputs,
                .outputs = &output};
    if (params)
        op.params = *params;
    if (dv_graph_add_op(graph, &op, &(dv_op_id){0}) != DV_OK)
        abort();
    return output;
}

void net_finish(dv_graph *graph, dv_tensor_id output)
{
    dv_unit_id *unit_of = calloc((size_t)graph->op_count + 1, sizeof *unit_of);
    if (!unit_of)
        abort();
    for (uint32_t i = 0; i < graph->op_count; i++)
        unit_of[i] = i;
    if (dv_graph_add_output(graph, output) != DV_OK ||
        dv_graph_set_units(graph, unit_of, graph->op_count) != DV_OK ||
        dv_graph_finish(graph) != DV_OK) {
        fprintf(stderr, "%s\n", dv_message());
        abort();
    }
    free(unit_of);
}

static dv_layout layout_of(const dv_tensor *tensor, dv_layout wanted)
{
    return dv_layout_may_be_channels_last(tensor->dtype, &tensor->shape) ? wanted : DV_LAYOUT_PLAIN;
}

static void *border(const dv_tensor *tensor)
{
    size_t bytes = 0;
    void *memory = dv_tensor_bytes(tensor, &bytes) ? dv_memplan_allocate(bytes) : NULL;
    if (!memory)
        abort();
    return memory;
}

static void fill(const dv_tensor *tensor, uint64_t seed, dv_layout layout, void *memory)
{
    size_t elements = 0;
    dv_shape_elements(&tensor->shape, &elements);
    if (tensor->dtype != DV_DTYPE_F32) {
        for (size_t i = 0; i < elements; i++)
            ((int64_t *)memory)[i] = (int64_t)(dv_rng_at(seed, i) % 3);
        return;
    }
    float *plain = border(tensor);
    for (size_t i = 0; i < elements; i++)
        plain[i] = (float)(dv_rng_at(seed, i) >> 40) * 0x1p-22f - 2.0f;
    if (layout == DV_LAYOUT_PLAIN)
        memcpy(memory, plain, elements * sizeof *plain);
    else
        dv_layout_convert(tensor->dtype, &tensor->shape, plain, DV_LAYOUT_PLAIN, memory, layout);
    free(plain);
}

/* Runs the graph on a backend; outputs come out plain, in new memory. */
static dv_status run(const dv_graph *graph, const dv_backend *backend, dv_layout wanted,
                     uint64_t seed, float **outputs)
{
    dv_layout in_layout[MOST_BORDERS], out_layout[MOST_BORDERS];
    void *in[MOST_BORDERS], *out[MOST_BORDERS];
    dv_op_id *ops = calloc((size_t)graph->op_count + 1, sizeof *ops);
    dv_executable *executable = NULL;
    if (!ops || graph->input_count > MOST_BORDERS || graph->output_count > MOST_BORDERS)
        abort();
    for (dv_op_id i = 0; i < graph->op_count; i++)
        ops[i] = i;
    for (uint32_t i = 0; i < graph->input_count; i++) {
        const dv_tensor *tensor = &graph->tensors[graph->inputs[i]];
        in_layout[i] = layout_of(tensor, wanted);
        in[i] = border(tensor);
        fill(tensor, seed + i, in_layout[i], in[i]);
    }
    for (uint32_t i = 0; i < graph->output_count; i++) {
        out_layout[i] = layout_of(&graph->tensors[graph->outputs[i]], wanted);
        out[i] = border(&graph->tensors[graph->outputs[i]]);
        outputs[i] = border(&graph->tensors[graph->outputs[i]]);
    }
    dv_segment_spec spec = {.graph = graph,
                            .op_count = graph->op_count,
                            .ops = ops,
                            .input_count = graph->input_count,
                            .output_count = graph->output_count,
                            .inputs = graph->inputs,
                            .outputs = graph->outputs,
                            .input_layout = in_layout,
                            .output_layout = out_layout,
                            .precision = DV_DTYPE_F32,
                            .threads = 1};
    dv_status status = backend->compile(&spec, &executable);
    if (status == DV_OK)
        status = backend->bind(executable, in, out);
    for (int i = 0; i < 2 && status == DV_OK; i++) /* a second run finds no leftovers */
        status = backend->run(executable, NULL);
    for (uint32_t i = 0; i < graph->output_count; i++) {
        const dv_tensor *tensor = &graph->tensors[graph->outputs[i]];
        size_t bytes = 0;
        dv_tensor_bytes(tensor, &bytes);
        if (out_layout[i] == DV_LAYOUT_PLAIN)
            memcpy(outputs[i], out[i], bytes);
        else
            dv_layout_convert(tensor->dtype, &tensor->shape, out[i], out_layout[i], outputs[i],
                              DV_LAYOUT_PLAIN);
        free(out[i]);
    }
    for (uint32_t i = 0; i < graph->input_count; i++)
        free(in[i]);
    backend->destroy(executable);
    free(ops);
    return status;
}

static double relative_rms(const dv_tensor *tensor, const float *a, const float *b)
{
    size_t elements = 0;
    double difference = 0.0, size = 0.0;
    dv_shape_elements(&tensor->shape, &elements);
    for (size_t i = 0; i < elements; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    double error = difference == 0.0 ? 0.0 : sqrt(difference / size);
    return isnan(error) ? INFINITY : error;
}

double segment_error(const dv_graph *graph, const char *backend, dv_layout layout, uint64_t seed)
{
    float *ours[MOST_BORDERS] = {NULL}, *reference[MOST_BORDERS] = {NULL};
    double worst = 0.0;
    dv_status status = run(graph, dv_backend_find(backend), layout, seed, ours);
    if (status == DV_OK)
        status = run(graph, dv_backend_find("portable"), DV_LAYOUT_PLAIN, seed, reference);
    if (status != DV_OK)
        fprintf(stderr, "\n    %s: %s\n", backend, dv_message());
    for (uint32_t i = 0; i < graph->output_count; i++) {
        if (status == DV_OK)
            worst = fmax(worst,
                         relative_rms(&graph->tensors[graph->outputs[i]], ours[i], reference[i]));
        free(ours[i]);
        free(reference[i]);
    }
    return status == DV_OK ? worst : INFINITY;
}
