/* fuzz_run.c - small networks, graph/1 or ONNX, executed by the reference kernels.

   Whatever lowering lets through must run or be refused with a message: no index, window or size
   that a file states may lead a kernel out of its memory. */
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "lower/lower.h"
#include "runtime/memplan.h"
#include "runtime/portable/portable.h"
#include "tests/fuzz/fuzz.h"

/* What is run, so that a fuzzer sees hundreds of networks a second: bytes of a tensor, operators,
   nanoseconds by the estimate. */
enum { MOST_BYTES = 1 << 18, MOST_OPS = 256 };
static const double most_ns = 2e7;

typedef struct borders {
    dv_tensor_id *inputs, *outputs; /* states are inputs, what they become outputs */
    void **memory;                  /* of the inputs, then the outputs */
    dv_layout *plain;
    dv_op_id *ops;
    uint32_t input_count, output_count;
} borders;

static bool is_small(const dv_graph *graph)
{
    double ns = 0;
    size_t bytes;
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++)
        if (!dv_tensor_bytes(&graph->tensors[t], &bytes) || bytes > MOST_BYTES)
            return false;
    for (dv_op_id o = 0; o < graph->op_count; o++)
        ns += dv_portable_ns(graph, o);
    return graph->op_count <= MOST_OPS && ns <= most_ns;
}

static bool is_supported(const dv_graph *graph)
{
    char why[160];
    for (dv_op_id o = 0; o < graph->op_count; o++)
        if (!dv_portable_supports(graph, o, DV_DTYPE_F32, why, sizeof why))
            return false;
    return true;
}

static void add_output(const dv_graph *graph, borders *b, dv_tensor_id t)
{
    for (uint32_t i = 0; i < b->output_count; i++)
        if (b->outputs[i] == t)
            return;
    if (graph->producer[t] != DV_NONE)
        b->outputs[b->output_count++] = t;
}

static void list_borders(const dv_graph *graph, borders *b)
{
    size_t most = (size_t)graph->tensor_count + graph->output_count + 1;
    b->inputs = calloc(most, sizeof *b->inputs);
    b->outputs = calloc(most, sizeof *b->outputs);
    b->memory = calloc(2 * most, sizeof *b->memory);
    b->plain = calloc(most, sizeof *b->plain);
    b->ops = calloc((size_t)graph->op_count + 1, sizeof *b->ops);
    dv_fuzz_expect(b->inputs && b->outputs && b->memory && b->plain && b->ops,
                   "memory for borders");
    for (dv_op_id o = 0; o < graph->op_count; o++)
        b->ops[o] = o;
    for (uint32_t i = 0; i < graph->input_count; i++)
        b->inputs[b->input_count++] = graph->inputs[i];
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++)
        if (graph->tensors[t].role == DV_ROLE_STATE)
            b->inputs[b->input_count++] = t;
    for (uint32_t i = 0; i < graph->output_count; i++)
        add_output(graph, b, graph->outputs[i]);
    for (uint32_t i = 0; i < graph->state_count; i++)
        add_output(graph, b, graph->states[i].next);
}

/* Floats of [-2, 2), whole numbers of 0 to 3, booleans. */
static void fill(const dv_tensor *tensor, dv_rng *rng, uint8_t *memory, size_t bytes)
{
    size_t width = dv_dtype_bytes(tensor->dtype);
    for (size_t at = 0; width > 0 && at + width <= bytes; at += width) {
        uint8_t whole = (uint8_t)dv_rng_below(rng, tensor->dtype == DV_DTYPE_BOOL ? 2 : 4);
        float single = (float)dv_rng_below(rng, 4000) / 1000 - 2;
        double number = (double)single;
        uint16_t half = dv_f32_to_f16(single);
        memset(memory + at, 0, width);
        if (tensor->dtype == DV_DTYPE_F32)
            memcpy(memory + at, &single, sizeof single);
        else if (tensor->dtype == DV_DTYPE_F64)
            memcpy(memory + at, &number, sizeof number);
        else if (tensor->dtype == DV_DTYPE_F16 || tensor->dtype == DV_DTYPE_BF16)
            memcpy(memory + at, &half, sizeof half);
        else
            memory[at] = whole;
    }
}

static void *make(const dv_tensor *tensor, size_t *bytes)
{
    dv_fuzz_expect(dv_tensor_bytes(tensor, bytes), "a tensor has a size");
    void *memory = dv_memplan_allocate(*bytes);
    dv_fuzz_expect(memory, "memory for a small tensor");
    return memory;
}

static void allocate(const dv_graph *graph, borders *b)
{
    dv_rng rng = dv_rng_seeded(1);
    size_t bytes;
    for (uint32_t i = 0; i < b->input_count; i++) {
        const dv_tensor *tensor = &graph->tensors[b->inputs[i]];
        b->memory[i] = make(tensor, &bytes);
        fill(tensor, &rng, b->memory[i], bytes);
    }
    for (uint32_t i = 0; i < b->output_count; i++)
        b->memory[b->input_count + i] = make(&graph->tensors[b->outputs[i]], &bytes);
}

static void free_borders(borders *b)
{
    for (uint32_t i = 0; b->memory && i < b->input_count + b->output_count; i++)
        free(b->memory[i]);
    free(b->inputs);
    free(b->outputs);
    free(b->memory);
    free(b->plain);
    free(b->ops);
}

/* FNV-1a of all outputs. */
static uint64_t digest(const dv_graph *graph, const borders *b)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (uint32_t i = 0; i < b->output_count; i++) {
        const uint8_t *memory = b->memory[b->input_count + i];
        size_t bytes = 0;
        (void)dv_tensor_bytes(&graph->tensors[b->outputs[i]], &bytes);
        for (size_t k = 0; k < bytes; k++)
            hash = (hash ^ memory[k]) * 0x100000001b3u;
    }
    return hash;
}

static void execute(const dv_graph *graph)
{
    borders b = {0};
    dv_executable *executable = NULL;
    list_borders(graph, &b);
    dv_segment_spec spec = {.graph = graph,
                            .op_count = graph->op_count,
                            .ops = b.ops,
                            .input_count = b.input_count,
                            .output_count = b.output_count,
                            .inputs = b.inputs,
                            .outputs = b.outputs,
                            .input_layout = b.plain,
                            .output_layout = b.plain,
                            .precision = DV_DTYPE_F32,
                            .threads = 1};
    allocate(graph, &b);
    if (dv_fuzz_accepted(dv_backend_portable.compile(&spec, &executable)) &&
        dv_fuzz_accepted(
            dv_backend_portable.bind(executable, b.memory, b.memory + b.input_count))) {
        if (dv_fuzz_accepted(dv_backend_portable.run(executable, NULL))) {
            uint64_t first = digest(graph, &b);
            dv_fuzz_expect(dv_backend_portable.run(executable, NULL) == DV_OK, "it runs again");
            dv_fuzz_expect(graph->state_count > 0 || digest(graph, &b) == first,
                           "the same inputs give the same outputs");
        }
    }
    dv_backend_portable.destroy(executable);
    free_borders(&b);
}

int dv_fuzz_run(const uint8_t *data, size_t size)
{
    dv_buffer *buffer = dv_fuzz_buffer(data, size);
    dv_graph *source = NULL, *graph = NULL;
    const char *path = size > 0 && data[0] == '{' ? "model.json" : "model.onnx";
    if (dv_fuzz_accepted(dv_fuzz_load(path, buffer, &source)) &&
        dv_fuzz_accepted(dv_lower(source, NULL, &graph)) && is_small(graph) && is_supported(graph))
        execute(graph);
    dv_graph_destroy(graph);
    dv_graph_destroy(source);
    dv_fuzz_free(buffer);
    return 0;
}
