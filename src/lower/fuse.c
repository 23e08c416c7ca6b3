/* fuse.c - placement units: what is placed as one.

   A unit is a head and what is computed on the head's result in passing. An operator joins the unit
   of the operator that makes its only non-constant input if nobody else reads that input, it is no
   graph output, and the operator is
     - free: another view of the same bytes; or
     - the unit's first activation, and the head is of a kind into whose kernels backends fuse one
       (convolution, matrix product, batch norm, arithmetic, pooling).
   A residual addition with its activation is a unit by itself, because two units feed it. Larger
   units would forbid placements that pay off; smaller ones would offer placements that tear apart
   what every backend runs as one kernel.

   Since a follower reads nothing but its unit and constants, every unit has its inputs at its head,
   and the graph of units has no cycle.

   A block that delegates run whole (attention, RMS norm, rotary positions, products of what is
   quantised while the model runs; composite.c) is one unit, with what may follow it. Only one
   result leaves a unit of either kind, so every path that leaves one goes through it, and a cycle
   of units would be one of operators.

   In a torch.export program, what one node was split into (an attention, a layer of an LSTM) is one
   unit as well: a compiler places nodes by their names, so it cannot tear one apart. These
   operators follow one another in the order, which keeps the graph of units free of cycles. One
   walk; O(operators + edges). */
#include <stdlib.h>
#include <string.h>

#include "lower/passes.h"
#include "lower/rewrite.h"

bool dv_op_is_activation(dv_op_kind kind)
{
    switch (kind) {
    case DV_OP_RELU:
    case DV_OP_CLAMP:
    case DV_OP_SIGMOID:
    case DV_OP_TANH:
    case DV_OP_GELU:
    case DV_OP_SILU:
    case DV_OP_HARDSWISH:
    case DV_OP_HARDSIGMOID:
    case DV_OP_ELU:
    case DV_OP_LEAKY_RELU:
        return true;
    default:
        return false;
    }
}

static bool takes_activation(dv_op_kind kind)
{
    switch (kind) {
    case DV_OP_CONVOLUTION:
    case DV_OP_LINEAR:
    case DV_OP_MATMUL:
    case DV_OP_BATCH_NORM:
    case DV_OP_GROUP_NORM:
    case DV_OP_ADD:
    case DV_OP_SUB:
    case DV_OP_MUL:
    case DV_OP_DIV:
    case DV_OP_MAX_POOL:
    case DV_OP_AVG_POOL:
        return true;
    default:
        return false;
    }
}

static bool is_free(dv_op_kind kind)
{
    return dv_op_info_of(kind)->family == DV_FAMILY_VIEW;
}

/* The only input that is no constant, or DV_NONE if there is none or more than one. */
static dv_tensor_id only_activation(const dv_graph *graph, const dv_op *op)
{
    dv_tensor_id only = DV_NONE;
    for (uint32_t i = 0; i < op->input_count; i++) {
        dv_tensor_id t = op->inputs[i];
        if (t == DV_NONE || graph->tensors[t].role == DV_ROLE_CONSTANT || t == only)
            continue;
        if (only != DV_NONE)
            return DV_NONE;
        only = t;
    }
    return only;
}

/* Are both parts of one node that is placed by its name? */
static bool same_node(const dv_graph *graph, dv_op_id a, dv_op_id b)
{
    const dv_op *x = &graph->ops[a], *y = &graph->ops[b];
    return strcmp(graph->format, "pt2") == 0 && x->debug_handle >= 0 &&
           x->debug_handle == y->debug_handle && strcmp(x->name, y->name) == 0;
}

/* Is op no more than the result of the operator before it, viewed? */
static bool views_last(const dv_graph *graph, dv_op_id op)
{
    const dv_op *view = &graph->ops[op], *last = &graph->ops[op - 1];
    return is_free(view->kind) && view->input_count == 1 && view->inputs[0] == last->outputs[0] &&
           dv_graph_readers(graph, view->inputs[0]) == 1;
}

/* Blocks of the graph, without those that a node of the program owns a part of. A view that belongs
   to the node of a block's last operator is the block's too. */
static void find_blocks(const dv_graph *graph, dv_op_id *block_of, bool *dropped)
{
    dv_composites_find(graph, block_of);
    for (dv_op_id o = 1; o < graph->op_count; o++)
        if (same_node(graph, o - 1, o) && block_of[o - 1] != block_of[o]) {
            if (block_of[o] == DV_NONE && views_last(graph, o)) {
                block_of[o] = block_of[o - 1];
                continue;
            }
            for (dv_op_id k = o - 1; k <= o; k++)
                if (block_of[k] != DV_NONE)
                    dropped[block_of[k]] = true;
        }
    for (dv_op_id o = 0; o < graph->op_count; o++)
        if (block_of[o] != DV_NONE && dropped[block_of[o]])
            block_of[o] = DV_NONE;
}

typedef struct group {
    dv_op_kind head;
    bool has_activation;
} group;

/* The unit that op joins, or DV_NONE. */
static dv_unit_id joined(const dv_graph *graph, const dv_op *op, const dv_unit_id *unit_of,
                         const group *groups)
{
    if (!is_free(op->kind) && !dv_op_is_activation(op->kind))
        return DV_NONE;
    dv_tensor_id input = only_activation(graph, op);
    if (input == DV_NONE || graph->producer[input] == DV_NONE ||
        dv_graph_readers(graph, input) != 1)
        return DV_NONE;
    dv_unit_id unit = unit_of[graph->producer[input]];
    if (is_free(op->kind))
        return unit;
    return takes_activation(groups[unit].head) && !groups[unit].has_activation ? unit : DV_NONE;
}

dv_status dv_pass_fuse(const dv_graph *graph, const dv_lower_options *options, dv_graph **out)
{
    (void)options;
    size_t count = (size_t)graph->op_count + 1;
    dv_unit_id *unit_of = malloc(count * sizeof *unit_of);
    group *groups = calloc(count, sizeof *groups);
    dv_op_id *block_of = malloc(count * sizeof *block_of);
    dv_unit_id *block_unit = malloc(count * sizeof *block_unit); /* per block, DV_NONE before */
    bool *dropped = calloc(count, sizeof *dropped);
    dv_status status = unit_of && groups && block_of && block_unit && dropped
                           ? DV_OK
                           : dv_fail(DV_NO_MEMORY, "out of memory while fusing");
    uint32_t units = 0;
    dv_rewrite rewrite = {0};
    if (status == DV_OK)
        status = dv_rewrite_begin(&rewrite, graph);
    if (status != DV_OK)
        goto done;
    memset(block_unit, 0xff, count * sizeof *block_unit);
    find_blocks(graph, block_of, dropped);
    for (dv_op_id o = 0; status == DV_OK && o < graph->op_count; o++) {
        const dv_op *op = &graph->ops[o];
        dv_unit_id *block = block_of[o] == DV_NONE ? NULL : &block_unit[block_of[o]];
        bool goes_on = o > 0 && same_node(graph, o - 1, o);
        bool begins = !goes_on && !block && o + 1 < graph->op_count && same_node(graph, o, o + 1);
        unit_of[o] = goes_on  ? unit_of[o - 1]
                     : begins ? DV_NONE
                     : block  ? *block
                              : joined(graph, op, unit_of, groups);
        if (unit_of[o] == DV_NONE) {
            groups[units].head = block ? DV_OP_OPAQUE : op->kind; /* no activation behind a block */
            unit_of[o] = units++;
        }
        if (block)
            *block = unit_of[o];
        groups[unit_of[o]].has_activation |= dv_op_is_activation(op->kind);
        status = dv_rewrite_copy(&rewrite, op);
    }
    if (status == DV_OK)
        status = dv_graph_set_units(rewrite.to, unit_of, units);
    status = dv_rewrite_end_as_is(&rewrite, status, out);
done:
    free(unit_of);
    free(groups);
    free(block_of);
    free(block_unit);
    free(dropped);
    return status;
}
