/* executor_check.c - holds a plan's outputs against the reference kernels. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/executor_parts.h"
#include "runtime/memplan.h"
#include "runtime/portable/portable.h"

/* The whole graph as one segment of the portable backend. Its inputs are the executor's own, its
   states copies. */
typedef struct reference {
    dv_segment_spec spec;
    dv_op_id *ops;
    dv_tensor_id *inputs;  /* the graph's, then the states */
    dv_tensor_id *outputs; /* those that an operator makes, then what states become */
    void **states;         /* memory of the states' copies */
    uint32_t state_count;
    dv_layout *plain;
    void **input_memory, **output_memory;
    dv_executable *executable;
} reference;

static void free_reference(reference *r)
{
    if (r->executable)
        dv_backend_portable.destroy(r->executable);
    for (uint32_t i = 0; r->output_memory && i < r->spec.output_count; i++)
        free(r->output_memory[i]);
    for (uint32_t i = 0; r->states && i < r->state_count; i++)
        free(r->states[i]);
    free(r->states);
    free(r->inputs);
    free(r->ops);
    free(r->outputs);
    free(r->plain);
    free(r->input_memory);
    free(r->output_memory);
}

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "no memory for the reference run");
}

/* Adds what the executor's states hold now to the inputs. */
static dv_status copy_states(dv_executor *executor, reference *r)
{
    const dv_graph *graph = executor->graph;
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++) {
        size_t bytes = 0;
        const void *now =
            graph->tensors[t].role == DV_ROLE_STATE ? dv_executor_state(executor, t) : NULL;
        if (!now)
            continue;
        if (!dv_tensor_bytes(&graph->tensors[t], &bytes) ||
            !(r->states[r->state_count] = dv_memplan_allocate(bytes)))
            return no_memory();
        memcpy(r->states[r->state_count], now, bytes);
        r->input_memory[r->spec.input_count] = r->states[r->state_count++];
        r->inputs[r->spec.input_count++] = t;
    }
    return DV_OK;
}

static dv_status add_output(const dv_graph *graph, reference *r, dv_tensor_id t)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < r->spec.output_count; i++)
        if (r->outputs[i] == t)
            return DV_OK;
    if (graph->producer[t] == DV_NONE)
        return DV_OK;
    if (!dv_tensor_bytes(&graph->tensors[t], &bytes) ||
        !(r->output_memory[r->spec.output_count] = dv_memplan_allocate(bytes)))
        return no_memory();
    r->outputs[r->spec.output_count++] = t;
    return DV_OK;
}

static dv_status build(dv_executor *executor, reference *r)
{
    const dv_graph *graph = executor->graph;
    size_t borders = 1;
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++)
        borders += graph->tensors[t].role == DV_ROLE_STATE;
    r->states = calloc(borders, sizeof *r->states);
    borders += (size_t)graph->input_count + graph->output_count;
    r->inputs = calloc(borders, sizeof *r->inputs);
    r->ops = calloc((size_t)graph->op_count + 1, sizeof *r->ops);
    r->outputs = calloc(borders, sizeof *r->outputs);
    r->plain = calloc(borders, sizeof *r->plain);
    r->input_memory = calloc(borders, sizeof *r->input_memory);
    r->output_memory = calloc(borders, sizeof *r->output_memory);
    if (!r->ops || !r->states || !r->inputs || !r->outputs || !r->plain || !r->input_memory ||
        !r->output_memory)
        return no_memory();
    for (dv_op_id op = 0; op < graph->op_count; op++)
        r->ops[op] = op;
    for (uint32_t i = 0; i < graph->input_count; i++) {
        r->input_memory[i] = dv_executor_input(executor, i);
        r->inputs[r->spec.input_count++] = graph->inputs[i];
    }
    DV_TRY(copy_states(executor, r));
    for (uint32_t i = 0; i < graph->output_count; i++)
        DV_TRY(add_output(graph, r, graph->outputs[i]));
    for (uint32_t i = 0; i < graph->state_count; i++)
        DV_TRY(add_output(graph, r, graph->states[i].next));
    r->spec.graph = graph;
    r->spec.op_count = graph->op_count;
    r->spec.ops = r->ops;
    r->spec.inputs = r->inputs;
    r->spec.outputs = r->outputs;
    r->spec.input_layout = r->spec.output_layout = r->plain;
    r->spec.precision = DV_DTYPE_F32;
    r->spec.threads = 1;
    return DV_OK;
}

static double element(dv_dtype dtype, const void *data, size_t i)
{
    switch (dtype) {
    case DV_DTYPE_F32:
        return ((const float *)data)[i];
    case DV_DTYPE_F64:
        return ((const double *)data)[i];
    default:
        return dv_f16_to_f32(((const uint16_t *)data)[i]);
    }
}

/* What numbers about one lose to f32 is 1e-7: an output smaller than this is not held to its own
   size, which may be 0. */
static const double least_rms = 1e-3;

/* An output of quantised integers is not held to less than this many steps of its scale, either: a
   network of integers may end a step apart, which is all that there is of a small output. */
static const double least_steps = 64;

static bool is_integer(const dv_tensor *tensor)
{
    return tensor->quant.count == 1 &&
           (tensor->dtype == DV_DTYPE_I8 || tensor->dtype == DV_DTYPE_U8);
}

/* rms(a - b) / rms(b) of integers that are quantised alike, in steps from the zero point. */
static double relative_steps(const dv_tensor *tensor, const void *a, const void *b, size_t elements)
{
    double difference = 0.0, size = 0.0, zero = tensor->quant.zero[0];
    bool is_signed = tensor->dtype == DV_DTYPE_I8;
    for (size_t i = 0; i < elements; i++) {
        double x = is_signed ? ((const int8_t *)a)[i] : ((const uint8_t *)a)[i];
        double y = is_signed ? ((const int8_t *)b)[i] : ((const uint8_t *)b)[i];
        difference += (x - y) * (x - y);
        size += (y - zero) * (y - zero);
    }
    return elements == 0
               ? 0.0
               : sqrt(difference / fmax(size, (double)elements * least_steps * least_steps));
}

/* rms(a - b) / rms(b); two equal values, infinite ones too, differ by nothing. */
static double relative_rms(const dv_tensor *tensor, const void *a, const void *b)
{
    size_t elements = 0;
    double difference = 0.0, size = 0.0;
    if (!dv_shape_elements(&tensor->shape, &elements))
        return INFINITY;
    if (is_integer(tensor))
        return relative_steps(tensor, a, b, elements);
    for (size_t i = 0; i < elements; i++) {
        double x = element(tensor->dtype, a, i), y = element(tensor->dtype, b, i);
        if (x == y || (isnan(x) && isnan(y))) {
            size += isfinite(y) ? y * y : 0.0;
            continue;
        }
        difference += (x - y) * (x - y);
        size += y * y;
    }
    if (difference == 0.0)
        return 0.0;
    double error = sqrt(difference / fmax(size, (double)elements * least_rms * least_rms));
    return isnan(error) ? INFINITY : error;
}

/* What the executor made of an output, or of what a state becomes. */
static const void *result_of(dv_executor *executor, dv_tensor_id tensor)
{
    const dv_graph *graph = executor->graph;
    if (graph->tensors[tensor].is_output)
        return dv_executor_copy(&executor->lanes[0], tensor);
    for (uint32_t i = 0; i < graph->state_count; i++)
        if (graph->states[i].next == tensor)
            return dv_executor_state(executor, graph->states[i].tensor);
    return NULL;
}

static dv_status compare(dv_executor *executor, const reference *r, dv_check *check)
{
    const dv_graph *graph = executor->graph;
    for (uint32_t i = 0; i < r->spec.output_count; i++) {
        const dv_tensor *tensor = &graph->tensors[r->outputs[i]];
        if (tensor->dtype != DV_DTYPE_F32 && tensor->dtype != DV_DTYPE_F64 &&
            tensor->dtype != DV_DTYPE_F16 && !is_integer(tensor))
            continue;
        const void *ours = result_of(executor, r->outputs[i]);
        double error = relative_rms(tensor, ours, r->output_memory[i]);
        if (check->worst_output == DV_NONE || error > check->max_relative_rms) {
            check->max_relative_rms = error;
            check->worst_output = r->outputs[i];
        }
    }
    return DV_OK;
}

/* How many rows the reference found where the values decide. */
static dv_status note_found(dv_executor *executor, const reference *r, dv_check *check)
{
    const dv_graph *graph = executor->graph;
    if (!executor->found)
        executor->found =
            dv_arena_array(executor->arena, (size_t)graph->op_count + 1, sizeof *executor->found);
    if (!executor->found)
        return no_memory();
    executor->found_count = 0;
    for (dv_op_id op = 0; op < graph->op_count; op++)
        if (dv_op_rows(&graph->ops[op]))
            executor->found[executor->found_count++] =
                (dv_found){op, dv_portable_found(r->executable, op)};
    check->found_count = executor->found_count;
    check->found = executor->found;
    return DV_OK;
}

dv_status dv_executor_check(dv_executor *executor, dv_check *check)
{
    reference r = {0};
    *check = (dv_check){.max_relative_rms = 0.0, .worst_output = DV_NONE};
    dv_status status = build(executor, &r);
    if (status == DV_OK)
        status = dv_backend_portable.compile(&r.spec, &r.executable);
    if (status == DV_OK)
        status = dv_backend_portable.bind(r.executable, r.input_memory, r.output_memory);
    if (status == DV_OK)
        status = dv_backend_portable.run(r.executable, NULL);
    if (status == DV_OK)
        status = note_found(executor, &r, check);
    if (status == DV_OK)
        status = dv_executor_run(executor);
    if (status == DV_OK)
        status = compare(executor, &r, check);
    free_reference(&r);
    return status;
}
