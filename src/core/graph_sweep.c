/* graph_sweep.c - dropping what nothing needs from a graph that is being filled. */
#include <stdlib.h>
#include <string.h>

#include "core/graph_parts.h"

/* In one allocation. */
typedef struct sweep {
    dv_op_id *producer;    /* per tensor */
    dv_tensor_id *renamed; /* per tensor: used or not, then its new id */
    dv_op_id *stack;
    bool *live; /* per operator */
} sweep;

static bool sweep_create(const dv_graph *graph, sweep *s)
{
    size_t tensors = (size_t)graph->tensor_count + 1, ops = (size_t)graph->op_count + 1;
    s->producer = malloc((2 * tensors + ops) * sizeof *s->producer + ops * sizeof *s->live);
    if (!s->producer)
        return false;
    s->renamed = s->producer + tensors;
    s->stack = s->renamed + tensors;
    s->live = (bool *)(s->stack + ops);
    memset(s->producer, 0xff, 2 * tensors * sizeof *s->producer); /* DV_NONE */
    memset(s->live, 0, ops * sizeof *s->live);
    for (dv_op_id o = 0; o < graph->op_count; o++)
        for (uint32_t i = 0; i < graph->ops[o].output_count; i++)
            if (graph->ops[o].outputs[i] != DV_NONE)
                s->producer[graph->ops[o].outputs[i]] = o;
    return true;
}

/* What the host sees, what states keep, and all operators that lead there; their inputs are used.
 */
static void mark(const dv_graph *graph, sweep *s)
{
    enum { USED = 0 };
    size_t depth = 0;
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++) {
        const dv_tensor *tensor = &graph->tensors[t];
        if (tensor->is_output || tensor->is_kept || tensor->role == DV_ROLE_INPUT ||
            tensor->role == DV_ROLE_STATE)
            s->renamed[t] = USED;
        dv_op_id maker = s->producer[t];
        if (s->renamed[t] == USED && maker != DV_NONE && !s->live[maker]) {
            s->live[maker] = true;
            s->stack[depth++] = maker;
        }
    }
    while (depth > 0) {
        const dv_op *op = &graph->ops[s->stack[--depth]];
        for (uint32_t i = 0; i < op->input_count; i++) {
            if (op->inputs[i] == DV_NONE)
                continue;
            s->renamed[op->inputs[i]] = USED;
            dv_op_id maker = s->producer[op->inputs[i]];
            if (maker != DV_NONE && !s->live[maker]) {
                s->live[maker] = true;
                s->stack[depth++] = maker;
            }
        }
    }
}

static void drop_tensors(dv_graph *graph, sweep *s)
{
    dv_tensor *tensors = graph->parts->tensors;
    uint32_t kept = 0;
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++) {
        if (s->renamed[t] == DV_NONE) {
            dv_buffer_release(tensors[t].data.buffer);
            dv_buffer_release(tensors[t].data.factors);
            continue;
        }
        if (kept != t)
            tensors[kept] = tensors[t];
        s->renamed[t] = kept++;
    }
    graph->tensor_count = kept;
}

/* The lists of a graph that is being filled are in its own arena, so they may be changed. */
static void rename_all(const sweep *s, const dv_tensor_id *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (ids[i] != DV_NONE)
            ((dv_tensor_id *)ids)[i] = s->renamed[ids[i]];
}

static void drop_operators(dv_graph *graph, const sweep *s)
{
    dv_op *ops = graph->parts->ops;
    uint32_t kept = 0;
    for (dv_op_id o = 0; o < graph->op_count; o++) {
        if (!s->live[o])
            continue;
        if (kept != o)
            ops[kept] = ops[o];
        dv_op *op = &ops[kept++];
        rename_all(s, op->inputs, op->input_count);
        rename_all(s, op->outputs, op->output_count); /* unread ones have become DV_NONE */
        while (op->kind != DV_OP_SPLIT && op->output_count > 1 &&
               op->outputs[op->output_count - 1] == DV_NONE)
            op->output_count--;
    }
    graph->op_count = kept;
}

dv_status dv_graph_sweep(dv_graph *graph)
{
    sweep s;
    if (!sweep_create(graph, &s))
        return dv_fail(DV_NO_MEMORY, "out of memory while dropping unused operators");
    mark(graph, &s);
    drop_tensors(graph, &s);
    drop_operators(graph, &s);
    rename_all(&s, graph->outputs, graph->output_count);
    for (uint32_t i = 0; i < graph->state_count; i++) {
        dv_update *state = &graph->parts->states[i];
        state->tensor = s.renamed[state->tensor];
        state->next = s.renamed[state->next];
    }
    free(s.producer);
    return DV_OK;
}
