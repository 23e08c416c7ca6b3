/* onnx_branches.c - If without a branch: both are built, and a choice is made between results. */
#include "load/onnx_build.h"

/* The two branches of an If, as far as they can be built in place. */
typedef struct branches {
    dv_onnx_graph graph[2]; /* then, else */
} branches;

/* All outputs have a name, and are as many as the node has. */
static dv_status check_outputs(dv_onnx_builder *b, const dv_onnx_at *at, const dv_onnx_graph *graph,
                               bool *fits)
{
    *fits = graph->outputs.count == at->op.output_count && graph->inputs.count == 0;
    for (uint32_t i = 0; *fits && i < graph->outputs.count; i++) {
        dv_onnx_value value;
        DV_TRY(dv_onnx_read_value(graph->outputs.items[i], b->file, &value));
        *fits = value.name.size > 0;
    }
    return DV_OK;
}

static dv_status read_branches(dv_onnx_builder *b, const dv_onnx_at *at, branches *out, bool *fits)
{
    static const char *const names[] = {"then_branch", "else_branch"};
    *fits = at->op.input_count == 1 && at->inputs[0] != DV_NONE &&
            !dv_onnx_is_sequence(at->inputs[0]) && at->node->attribute_count == 2 &&
            b->depth < DV_ONNX_MAX_NESTING;
    for (size_t i = 0; *fits && i < 2; i++) {
        const dv_onnx_attribute *attribute = dv_onnx_attribute_of(at, names[i]);
        *fits = attribute && (attribute->given & DV_ONNX_G);
        if (!*fits)
            return DV_OK;
        DV_TRY(dv_onnx_read_graph(attribute->g, b->file, at->arena, &out->graph[i]));
        DV_TRY(check_outputs(b, at, &out->graph[i], fits));
    }
    return DV_OK;
}

static dv_status fill_branch(dv_onnx_builder *b, const dv_onnx_graph *graph, dv_tensor_id *results)
{
    DV_TRY(dv_onnx_add_initialisers(b, graph));
    for (uint32_t i = 0; i < graph->nodes.count; i++)
        DV_TRY(dv_onnx_add_node(b, graph, i));
    for (uint32_t i = 0; i < graph->outputs.count; i++) {
        dv_onnx_value value;
        DV_TRY(dv_onnx_read_value(graph->outputs.items[i], b->file, &value));
        DV_TRY(dv_onnx_value_named(b, value.name, &results[i]));
    }
    return DV_OK;
}

/* Builds a branch among the nodes around it; results[i] becomes the tensor of its output i. */
static dv_status build_branch(dv_onnx_builder *b, const dv_onnx_graph *graph, dv_tensor_id *results)
{
    dv_onnx_scope scope = {.outer = b->scope, .prefix = b->scope->prefix};
    b->scope = &scope;
    b->depth++;
    dv_status status = fill_branch(b, graph, results);
    b->depth--;
    b->scope = scope.outer;
    dv_names_free(&scope.ids);
    return status;
}

/* 0 then, 1 else; 2 if the condition does not follow from the model. */
static dv_status branch_taken(dv_onnx_builder *b, const dv_onnx_at *at, size_t *taken)
{
    bool known;
    int64_t value = 0;
    DV_TRY(dv_onnx_known_integer(b, at->inputs[0], &known, &value));
    *taken = !known ? 2 : value ? 0 : 1;
    return DV_OK;
}

static dv_status add_choice(dv_onnx_at *at, dv_tensor_id a, dv_tensor_id b, dv_tensor_id output)
{
    const dv_tensor_id inputs[] = {at->inputs[0], a, b};
    dv_op choice = at->op;
    choice.kind = DV_OP_WHERE;
    choice.inputs = inputs;
    choice.input_count = 3;
    choice.outputs = &output;
    choice.output_count = 1;
    choice.params.flag.on = true;
    return dv_onnx_add(at, &choice);
}

/* Can a choice be made between these outputs? Two sequences are chosen from tensor by tensor. */
static dv_status check_choice(const dv_onnx_builder *b, dv_onnx_at *at, dv_tensor_id then,
                              dv_tensor_id other, uint32_t i)
{
    if (then == DV_NONE || other == DV_NONE ||
        dv_onnx_is_sequence(then) != dv_onnx_is_sequence(other))
        return dv_onnx_opaque(at,
                              "its output %u is there in one branch only, and which branch is "
                              "taken is not known before the model runs",
                              i);
    if (dv_onnx_is_sequence(then) &&
        dv_onnx_sequence_of(b, then).count != dv_onnx_sequence_of(b, other).count)
        return dv_onnx_opaque(at,
                              "its output %u is a sequence of another length in either branch, and "
                              "which branch is taken is not known before the model runs",
                              i);
    return DV_OK;
}

static dv_status choose(dv_onnx_builder *b, dv_onnx_at *at, dv_tensor_id then, dv_tensor_id other,
                        uint32_t i)
{
    if (!dv_onnx_is_sequence(then))
        return add_choice(at, then, other, at->outputs[i]);
    dv_tensor_id made, *items;
    uint32_t count = dv_onnx_sequence_of(b, then).count;
    DV_TRY(dv_onnx_add_sequence(b, count, &made, &items));
    dv_onnx_sequence left = dv_onnx_sequence_of(b, then), right = dv_onnx_sequence_of(b, other);
    for (uint32_t k = 0; k < count; k++) {
        DV_TRY(dv_onnx_part(at, &items[k]));
        DV_TRY(add_choice(at, left.items[k], right.items[k], items[k]));
    }
    return dv_onnx_pass_on(b, at, made, i);
}

dv_status dv_onnx_add_branches(dv_onnx_builder *b, dv_onnx_at *at, bool *done)
{
    branches both;
    *done = false;
    bool fits;
    DV_TRY(read_branches(b, at, &both, &fits));
    if (!fits)
        return DV_OK;
    size_t taken;
    DV_TRY(branch_taken(b, at, &taken));
    uint32_t count = at->op.output_count;
    dv_tensor_id *results[2];
    for (size_t i = 0; i < 2; i++) {
        results[i] = dv_arena_array(at->arena, count, sizeof **results);
        if (!results[i])
            return dv_fail(DV_NO_MEMORY, "out of memory");
        if (taken == 2 || taken == i)
            DV_TRY(build_branch(b, &both.graph[i], results[i]));
    }
    for (uint32_t i = 0; i < count && taken == 2; i++)
        if (at->outputs[i] != DV_NONE && !at->op.reason)
            DV_TRY(check_choice(b, at, results[0][i], results[1][i], i));
    for (uint32_t i = 0; i < count && !at->op.reason; i++) {
        if (at->outputs[i] == DV_NONE)
            continue;
        if (taken == 2)
            DV_TRY(choose(b, at, results[0][i], results[1][i], i));
        else
            DV_TRY(dv_onnx_pass_on(b, at, results[taken][i], i));
    }
    *done = !at->op.reason;
    return DV_OK;
}
