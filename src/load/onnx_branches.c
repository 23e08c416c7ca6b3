/* onnx_branches.c - If without a branch: both are built, and a choice is made between results. */
#include "load/onnx_build.h"

/* The two branches of an If, as far as they can be built in place. */
typedef struct branches {
    dv_onnx_graph graph[2]; /* then, else */
} branches;

/* All outputs are tensors, and as many as the node has. */
static dv_status check_outputs(dv_onnx_builder *b, const dv_onnx_at *at, const dv_onnx_graph *graph,
                               bool *fits)
{
    *fits = graph->outputs.count == at->op.output_count && graph->inputs.count == 0;
    for (uint32_t i = 0; *fits && i < graph->outputs.count; i++) {
        dv_onnx_value value;
        DV_TRY(dv_onnx_read_value(graph->outputs.items[i], b->file, &value));
        *fits = value.is_tensor && value.name.size > 0;
    }
    return DV_OK;
}

static dv_status read_branches(dv_onnx_builder *b, const dv_onnx_at *at, branches *out, bool *fits)
{
    static const char *const names[] = {"then_branch", "else_branch"};
    *fits = at->op.input_count == 1 && at->inputs[0] != DV_NONE && at->node->attribute_count == 2 &&
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
        DV_TRY(dv_onnx_tensor_named(b, value.name, &results[i]));
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

/* 0 then, 1 else; 2 if the condition is not a constant of the file. */
static size_t branch_taken(const dv_onnx_at *at)
{
    const dv_tensor *condition = dv_onnx_constant(at, 0);
    size_t elements;
    int64_t value;
    if (!condition || condition->dtype != DV_DTYPE_BOOL ||
        !dv_shape_elements(&condition->shape, &elements) || elements != 1 ||
        !dv_tensor_read_i64(condition, 0, 1, &value))
        return 2;
    return value ? 0 : 1;
}

static dv_status add_choice(dv_onnx_at *at, dv_op_kind kind, const dv_tensor_id *inputs,
                            uint32_t input_count, dv_tensor_id output)
{
    dv_op choice = at->op;
    choice.kind = kind;
    choice.inputs = inputs;
    choice.input_count = input_count;
    choice.outputs = &output;
    choice.output_count = 1;
    choice.params.flag.on = kind == DV_OP_WHERE;
    return dv_onnx_add(at, &choice);
}

dv_status dv_onnx_add_branches(dv_onnx_builder *b, dv_onnx_at *at, bool *done)
{
    branches both;
    *done = false;
    bool fits;
    DV_TRY(read_branches(b, at, &both, &fits));
    if (!fits)
        return DV_OK;
    size_t taken = branch_taken(at);
    uint32_t count = at->op.output_count;
    dv_tensor_id *results[2];
    for (size_t i = 0; i < 2; i++) {
        results[i] = dv_arena_array(at->arena, count, sizeof **results);
        if (!results[i])
            return dv_fail(DV_NO_MEMORY, "out of memory");
        if (taken == 2 || taken == i)
            DV_TRY(build_branch(b, &both.graph[i], results[i]));
    }
    for (uint32_t i = 0; i < count; i++) {
        const dv_tensor_id choice[] = {at->inputs[0], results[0][i], results[1][i]};
        if (at->outputs[i] == DV_NONE)
            continue;
        if (taken == 2)
            DV_TRY(add_choice(at, DV_OP_WHERE, choice, 3, at->outputs[i]));
        else
            DV_TRY(add_choice(at, DV_OP_IDENTITY, &results[taken][i], 1, at->outputs[i]));
    }
    *done = true;
    return DV_OK;
}
