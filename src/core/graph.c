/* graph.c - filling a graph and closing it. */
#include "core/graph.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/graph_parts.h"

static dv_status out_of_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "out of memory while building a graph");
}

dv_graph *dv_graph_create(const char *name, const char *format)
{
    dv_graph *graph = calloc(1, sizeof *graph);
    dv_graph_parts *parts = calloc(1, sizeof *parts);
    dv_arena *arena = dv_arena_create();
    if (graph && parts && arena) {
        parts->arena = arena;
        graph->parts = parts;
        graph->name = dv_arena_copy(arena, name);
        graph->format = dv_arena_copy(arena, format);
        if (graph->name && graph->format)
            return graph;
    }
    free(graph);
    free(parts);
    dv_arena_destroy(arena);
    return NULL;
}

void dv_graph_destroy(dv_graph *graph)
{
    if (!graph)
        return;
    for (uint32_t t = 0; t < graph->tensor_count; t++) {
        dv_buffer_release(graph->tensors[t].data.buffer);
        dv_buffer_release(graph->tensors[t].data.factors);
    }
    dv_buffer_release(graph->source);
    free(graph->parts->ops);
    free(graph->parts->tensors);
    free(graph->parts->outputs);
    free(graph->parts->states);
    dv_arena_destroy(graph->parts->arena);
    free(graph->parts);
    free(graph);
}

dv_arena *dv_graph_arena(dv_graph *graph)
{
    return graph->parts->arena;
}

enum { LONGEST_SHOWN = 120 }; /* bytes of a name in a message */

dv_status dv_graph_reserve(dv_graph *graph, uint32_t ops, uint32_t tensors)
{
    dv_graph_parts *parts = graph->parts;
    if (parts->ops || parts->tensors)
        return DV_OK;
    parts->ops = calloc((size_t)ops + 1, sizeof *parts->ops);
    parts->tensors = calloc((size_t)tensors + 1, sizeof *parts->tensors);
    graph->ops = parts->ops;
    graph->tensors = parts->tensors;
    if (!parts->ops || !parts->tensors)
        return out_of_memory();
    parts->op_capacity = (size_t)ops + 1;
    parts->tensor_capacity = (size_t)tensors + 1;
    return DV_OK;
}

static dv_status check_size(const dv_tensor *tensor)
{
    size_t bytes;
    if (dv_shape_known(&tensor->shape) && !dv_tensor_bytes(tensor, &bytes))
        return dv_fail(DV_BAD_INPUT, "tensor '%.*s' has more elements than memory can hold",
                       LONGEST_SHOWN, tensor->name ? tensor->name : "");
    return DV_OK;
}

dv_status dv_graph_add_tensor(dv_graph *graph, const dv_tensor *tensor, dv_tensor_id *id)
{
    dv_graph_parts *parts = graph->parts;
    DV_TRY(check_size(tensor));
    const char *name = dv_arena_copy(parts->arena, tensor->name ? tensor->name : "");
    if (!name || graph->tensor_count == DV_NONE - 1 ||
        !dv_grow((void **)&parts->tensors, &parts->tensor_capacity, (size_t)graph->tensor_count + 1,
                 sizeof *parts->tensors))
        return out_of_memory();
    dv_tensor *copy = &parts->tensors[graph->tensor_count];
    *copy = *tensor;
    copy->name = name;
    if (copy->data.buffer)
        dv_buffer_retain(copy->data.buffer);
    if (copy->data.factors)
        dv_buffer_retain(copy->data.factors);
    graph->tensors = parts->tensors;
    *id = graph->tensor_count++;
    return copy->quant.count ? dv_graph_set_quant(graph, *id, &tensor->quant) : DV_OK;
}

static const dv_tensor_id *copy_ids(dv_graph *graph, const dv_tensor_id *ids, uint32_t count)
{
    dv_tensor_id *copy = dv_arena_array(graph->parts->arena, count, sizeof *copy);
    if (copy && count > 0)
        memcpy(copy, ids, count * sizeof *copy);
    return copy;
}

static bool copy_split_sizes(dv_graph *graph, dv_op *op)
{
    dv_split_params *split = &op->params.split;
    if (op->kind != DV_OP_SPLIT || split->count == 0)
        return true;
    int64_t *sizes = dv_arena_array(graph->parts->arena, split->count, sizeof *sizes);
    if (sizes)
        memcpy(sizes, split->sizes, split->count * sizeof *sizes);
    split->sizes = sizes;
    return sizes != NULL;
}

dv_status dv_graph_add_op(dv_graph *graph, const dv_op *op, dv_op_id *id)
{
    dv_graph_parts *parts = graph->parts;
    if (graph->op_count == DV_NONE - 1 || !dv_grow((void **)&parts->ops, &parts->op_capacity,
                                                   (size_t)graph->op_count + 1, sizeof *parts->ops))
        return out_of_memory();
    dv_op *copy = &parts->ops[graph->op_count];
    *copy = *op;
    copy->name = dv_arena_copy(parts->arena, op->name ? op->name : "");
    copy->source_type = dv_arena_copy(parts->arena, op->source_type ? op->source_type : "");
    copy->reason = dv_arena_copy(parts->arena, op->reason);
    copy->inputs = copy_ids(graph, op->inputs, op->input_count);
    copy->outputs = copy_ids(graph, op->outputs, op->output_count);
    if (!copy->name || !copy->source_type || !copy->inputs || !copy->outputs ||
        (op->reason && !copy->reason) || !copy_split_sizes(graph, copy))
        return out_of_memory();
    graph->ops = parts->ops;
    *id = graph->op_count++;
    return DV_OK;
}

dv_tensor *dv_graph_tensor_mutable(dv_graph *graph, dv_tensor_id id)
{
    return &graph->parts->tensors[id];
}

dv_op *dv_graph_op_mutable(dv_graph *graph, dv_op_id id)
{
    return &graph->parts->ops[id];
}

dv_status dv_graph_add_output(dv_graph *graph, dv_tensor_id id)
{
    dv_graph_parts *parts = graph->parts;
    if (id >= graph->tensor_count)
        return dv_fail(DV_INTERNAL, "output %u is no tensor of the graph", id);
    if (!dv_grow((void **)&parts->outputs, &parts->output_capacity, (size_t)graph->output_count + 1,
                 sizeof *parts->outputs))
        return out_of_memory();
    parts->outputs[graph->output_count++] = id;
    parts->tensors[id].is_output = true;
    graph->outputs = parts->outputs;
    return DV_OK;
}

dv_status dv_graph_add_state(dv_graph *graph, dv_tensor_id tensor, dv_tensor_id next)
{
    dv_graph_parts *parts = graph->parts;
    if (tensor >= graph->tensor_count || next >= graph->tensor_count)
        return dv_fail(DV_INTERNAL, "state %u or its next value %u is no tensor of the graph",
                       tensor, next);
    const char *name = parts->tensors[tensor].name;
    if (parts->tensors[tensor].role != DV_ROLE_STATE)
        return dv_fail(DV_BAD_INPUT, "'%s' is no state", name);
    for (uint32_t i = 0; i < graph->state_count; i++)
        if (parts->states[i].tensor == tensor)
            return dv_fail(DV_BAD_INPUT, "state '%s' has two next values", name);
    if (!dv_grow((void **)&parts->states, &parts->state_capacity, (size_t)graph->state_count + 1,
                 sizeof *parts->states))
        return out_of_memory();
    parts->states[graph->state_count++] = (dv_update){tensor, next};
    parts->tensors[next].is_kept = true;
    graph->states = parts->states;
    return DV_OK;
}

dv_status dv_graph_set_units(dv_graph *graph, const dv_unit_id *unit_of, uint32_t unit_count)
{
    dv_unit_id *copy = dv_arena_array(graph->parts->arena, graph->op_count, sizeof *copy);
    uint32_t *sizes = dv_arena_array(graph->parts->arena, unit_count, sizeof *sizes);
    if (!copy || !sizes)
        return out_of_memory();
    for (dv_op_id o = 0; o < graph->op_count; o++) {
        if (unit_of[o] >= unit_count)
            return dv_fail(DV_INTERNAL, "operator %u has no unit", o);
        copy[o] = unit_of[o];
        sizes[unit_of[o]]++;
    }
    for (dv_unit_id u = 0; u < unit_count; u++)
        if (sizes[u] == 0)
            return dv_fail(DV_INTERNAL, "unit %u has no operator", u);
    graph->parts->unit_of = copy;
    graph->unit_count = unit_count;
    return DV_OK;
}

dv_status dv_graph_set_about(dv_graph *graph, const char *about)
{
    graph->about = dv_arena_copy(graph->parts->arena, about);
    return about && !graph->about ? out_of_memory() : DV_OK;
}

void dv_graph_set_source(dv_graph *graph, dv_buffer *source)
{
    if (source)
        dv_buffer_retain(source);
    dv_buffer_release(graph->source);
    graph->source = source;
}

const char *dv_graph_sha256(const dv_graph *graph)
{
    return graph->source ? dv_buffer_sha256(graph->source) : "";
}

dv_status dv_graph_copy_source(dv_graph *to, const dv_graph *from)
{
    dv_graph_set_source(to, from->source);
    return dv_graph_set_about(to, from->about);
}

static dv_status set_producers(dv_graph *graph)
{
    dv_graph_parts *parts = graph->parts;
    dv_op_id *producer = dv_arena_array(parts->arena, graph->tensor_count, sizeof *producer);
    if (!producer)
        return out_of_memory();
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++)
        producer[t] = DV_NONE;
    for (dv_op_id o = 0; o < graph->op_count; o++) {
        const dv_op *op = &graph->ops[o];
        for (uint32_t i = 0; i < op->output_count; i++) {
            dv_tensor_id t = op->outputs[i];
            if (t == DV_NONE)
                continue;
            if (t >= graph->tensor_count)
                return dv_fail(DV_INTERNAL, "operator '%s' makes no tensor of the graph", op->name);
            if (producer[t] != DV_NONE || graph->tensors[t].role != DV_ROLE_ACTIVATION)
                return dv_fail(DV_BAD_INPUT,
                               "node %u '%s' (%s): its output '%s' is already made elsewhere", o,
                               op->name, op->source_type, graph->tensors[t].name);
            producer[t] = o;
        }
    }
    parts->producer = producer;
    graph->producer = producer;
    return DV_OK;
}

static dv_status check_reads(const dv_graph *graph)
{
    for (dv_op_id o = 0; o < graph->op_count; o++) {
        const dv_op *op = &graph->ops[o];
        for (uint32_t i = 0; i < op->input_count; i++) {
            dv_tensor_id t = op->inputs[i];
            if (t == DV_NONE)
                continue;
            if (t >= graph->tensor_count)
                return dv_fail(DV_INTERNAL, "operator '%s' reads no tensor of the graph", op->name);
            if (graph->tensors[t].role == DV_ROLE_ACTIVATION && graph->producer[t] == DV_NONE)
                return dv_fail(DV_BAD_INPUT, "node %u '%s' (%s): nothing makes its input '%s'", o,
                               op->name, op->source_type, graph->tensors[t].name);
        }
    }
    for (uint32_t i = 0; i < graph->output_count; i++) {
        const dv_tensor *tensor = &graph->tensors[graph->outputs[i]];
        if (tensor->role == DV_ROLE_ACTIVATION && graph->producer[graph->outputs[i]] == DV_NONE)
            return dv_fail(DV_BAD_INPUT, "nothing makes the output '%s'", tensor->name);
    }
    return DV_OK;
}

/* What states become is made by operators and fits. */
static dv_status check_states(const dv_graph *graph)
{
    for (uint32_t i = 0; i < graph->state_count; i++) {
        const dv_tensor *state = &graph->tensors[graph->states[i].tensor];
        const dv_tensor *next = &graph->tensors[graph->states[i].next];
        if (graph->producer[graph->states[i].next] == DV_NONE)
            return dv_fail(DV_BAD_INPUT, "state '%s': no operator makes its next value '%s'",
                           state->name, next->name);
        if (dv_shape_known(&state->shape) && dv_shape_known(&next->shape) &&
            (!dv_shape_equal(&state->shape, &next->shape) || state->dtype != next->dtype))
            return dv_fail(DV_BAD_INPUT,
                           "state '%s': its next value '%s' has another shape or type", state->name,
                           next->name);
    }
    return DV_OK;
}

/* Counts, then places, each tensor's distinct consumers; ascending because operators are visited in
   order, and repeats within an operator are seen by `last`. */
static dv_status set_consumers(dv_graph *graph)
{
    dv_arena *arena = graph->parts->arena;
    size_t tensors = graph->tensor_count;
    uint32_t *start = dv_arena_array(arena, tensors + 2, sizeof *start);
    dv_op_id *last = dv_arena_array(arena, tensors, sizeof *last);
    if (!start || !last)
        return out_of_memory();
    dv_op_id *consumers = NULL;
    for (int placing = 0; placing < 2; placing++) {
        for (size_t t = 0; t < tensors; t++)
            last[t] = DV_NONE;
        for (dv_op_id o = 0; o < graph->op_count; o++)
            for (uint32_t i = 0; i < graph->ops[o].input_count; i++) {
                dv_tensor_id t = graph->ops[o].inputs[i];
                if (t == DV_NONE || last[t] == o)
                    continue;
                last[t] = o;
                if (placing)
                    consumers[start[t + 1]++] = o;
                else
                    start[t + 2]++;
            }
        if (!placing) {
            for (size_t t = 2; t < tensors + 2; t++)
                start[t] += start[t - 1];
            consumers = dv_arena_array(arena, start[tensors + 1], sizeof *consumers);
            if (!consumers)
                return out_of_memory();
        }
    }
    graph->consumer_start = start;
    graph->consumers = consumers;
    return DV_OK;
}

static dv_status set_inputs(dv_graph *graph)
{
    dv_tensor_id *inputs = dv_arena_array(graph->parts->arena, graph->tensor_count, sizeof *inputs);
    if (!inputs)
        return out_of_memory();
    graph->input_count = 0;
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++)
        if (graph->tensors[t].role == DV_ROLE_INPUT)
            inputs[graph->input_count++] = t;
    graph->inputs = inputs;
    return DV_OK;
}

static const char **tensor_name(dv_graph *graph, size_t i)
{
    return &graph->parts->tensors[i].name;
}

static const char **unit_name(dv_graph *graph, size_t i)
{
    /* the units were made by dv_graph_sort in this graph's own arena */
    return (const char **)&graph->units[i].name;
}

dv_status dv_graph_set_merged(dv_graph *graph, const dv_merged *merged, uint32_t count)
{
    dv_arena *arena = graph->parts->arena;
    dv_merged *copy = dv_arena_array(arena, count, sizeof *copy);
    if (!copy)
        return out_of_memory();
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = merged[i];
        copy[i].name = dv_arena_copy(arena, merged[i].name);
        copy[i].source_type = dv_arena_copy(arena, merged[i].source_type);
        if (!copy[i].name || (merged[i].source_type && !copy[i].source_type))
            return out_of_memory();
    }
    graph->merged = copy;
    graph->merged_count = count;
    return DV_OK;
}

dv_status dv_graph_finish(dv_graph *graph)
{
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++) /* shapes may have come later */
        DV_TRY(check_size(&graph->tensors[t]));
    DV_TRY(set_producers(graph));
    DV_TRY(check_reads(graph));
    DV_TRY(check_states(graph));
    const dv_op *before = graph->ops;
    DV_TRY(dv_graph_sort(graph));
    if (graph->ops != before) /* the sort had to move operators */
        DV_TRY(set_producers(graph));
    DV_TRY(set_consumers(graph));
    DV_TRY(set_inputs(graph));
    DV_TRY(dv_graph_unique_names(graph, graph->tensor_count, tensor_name));
    return dv_graph_unique_names(graph, graph->unit_count, unit_name);
}

/* Where an operator of that kind has its rows; 0: nowhere. */
static size_t rows_offset(dv_op_kind kind)
{
    switch (kind) {
    case DV_OP_NONZERO:
        return offsetof(dv_op, params.rows.rows);
    case DV_OP_UNIQUE:
        return offsetof(dv_op, params.unique.rows);
    case DV_OP_NMS:
        return offsetof(dv_op, params.nms.rows);
    default:
        return 0;
    }
}

const int64_t *dv_op_rows(const dv_op *op)
{
    size_t offset = rows_offset(op->kind);
    return offset ? (const int64_t *)((const char *)op + offset) : NULL;
}

void dv_op_set_rows(dv_op *op, int64_t rows)
{
    memcpy((char *)op + rows_offset(op->kind), &rows, sizeof rows);
}
