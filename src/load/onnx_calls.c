/* onnx_calls.c - a call of one of the model's functions becomes the function's body.

   The body is built among the nodes around the call, as if it had been written there: inputs and
   outputs of the function stand for those of the call, an attribute that a node of the body refers
   to is the call's, else the function's default, else left out. What is made inside is named
   "call/name". */
#include <string.h>

#include "load/onnx_build.h"
#include "load/unfold.h"

dv_status dv_onnx_count_expanded(dv_onnx_builder *b, size_t count)
{
    size_t most = dv_unfold_most(dv_buffer_size(b->files.model));
    if (count <= most - b->expanded) {
        b->expanded += (uint32_t)count;
        return DV_OK;
    }
    return dv_fail(
        DV_BAD_INPUT,
        "the model's functions, loops and long names unfold into more than %zu nodes; at "
        "most that many are built for a file of its size",
        most);
}

/* ---- attributes ---- */

static const dv_onnx_attribute *attribute_named(const dv_onnx_attribute *attributes, uint32_t count,
                                                dv_span name)
{
    for (uint32_t i = 0; i < count; i++)
        if (dv_span_equal(attributes[i].name, name))
            return &attributes[i];
    return NULL;
}

dv_status dv_onnx_resolve(const dv_onnx_builder *b, dv_onnx_node *node)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < node->attribute_count; i++) {
        dv_onnx_attribute *attribute = &node->attributes[i];
        if (attribute->refers.size > 0) {
            if (!b->call)
                return dv_fail(
                    DV_BAD_INPUT,
                    "attribute '%.*s' refers to an attribute of a function, but the node "
                    "is in none",
                    dv_onnx_shown(attribute->name), dv_onnx_bytes(attribute->name));
            const dv_onnx_node *call = b->call->node;
            const dv_onnx_function *f = &b->call->callee->function;
            const dv_onnx_attribute *value =
                attribute_named(call->attributes, call->attribute_count, attribute->refers);
            if (!value)
                value = attribute_named(f->defaults, f->default_count, attribute->refers);
            if (!value)
                continue; /* an optional one that the call left out */
            dv_span name = attribute->name;
            *attribute = *value;
            attribute->name = name;
        }
        node->attributes[kept++] = *attribute;
    }
    node->attribute_count = kept;
    return DV_OK;
}

/* ---- calls ---- */

static dv_status check_call(const dv_onnx_builder *b, const dv_onnx_at *at,
                            const dv_onnx_callee *callee)
{
    const dv_onnx_function *f = &callee->function;
    for (const dv_onnx_call *outer = b->call; outer; outer = outer->outer)
        if (outer->callee == callee)
            return dv_fail(DV_BAD_INPUT, "function '%.*s' calls itself", dv_onnx_shown(f->name),
                           dv_onnx_bytes(f->name));
    if (b->call && b->call->depth >= DV_ONNX_MAX_NESTING)
        return dv_fail(DV_BAD_INPUT, "functions call each other more than %d deep",
                       DV_ONNX_MAX_NESTING);
    if (at->op.input_count > f->inputs.count || at->op.output_count > f->outputs.count)
        return dv_fail(DV_BAD_INPUT,
                       "it has %u inputs and %u outputs; function '%.*s' has %u and %u",
                       at->op.input_count, at->op.output_count, dv_onnx_shown(f->name),
                       dv_onnx_bytes(f->name), f->inputs.count, f->outputs.count);
    return DV_OK;
}

/* The names of the function's inputs, and of the outputs that one of its nodes is to make. */
static dv_status bind(const dv_onnx_builder *b, const dv_onnx_at *at, const dv_onnx_function *f)
{
    dv_names *ids = &b->scope->ids;
    for (uint32_t i = 0; i < f->inputs.count; i++) {
        bool given = i < at->op.input_count && at->inputs[i] != DV_NONE;
        DV_TRY(dv_names_put(ids, f->inputs.items[i], given ? at->inputs[i] : DV_ONNX_ABSENT));
    }
    for (uint32_t i = 0; i < at->op.output_count; i++)
        if (at->outputs[i] != DV_NONE &&
            dv_names_find(ids, f->outputs.items[i], DV_NONE) == DV_NONE)
            DV_TRY(dv_names_put(ids, f->outputs.items[i], at->outputs[i]));
    return DV_OK;
}

/* Outputs that are an input or another output under one more name. */
static dv_status pass_on(dv_onnx_builder *b, dv_onnx_at *at, const dv_onnx_function *f)
{
    for (uint32_t i = 0; i < at->op.output_count; i++) {
        dv_tensor_id made = dv_names_find(&b->scope->ids, f->outputs.items[i], DV_NONE);
        if (at->outputs[i] == DV_NONE || made == at->outputs[i])
            continue;
        if (made == DV_ONNX_ABSENT)
            return dv_fail(DV_BAD_INPUT, "output %u is an input that the call leaves out", i);
        dv_op same = at->op;
        same.kind = DV_OP_IDENTITY;
        same.inputs = &made;
        same.outputs = &at->outputs[i];
        same.input_count = same.output_count = 1;
        DV_TRY(dv_onnx_add(at, &same));
    }
    return DV_OK;
}

static dv_status note_reads(dv_onnx_callee *callee)
{
    if (callee->has_reads)
        return DV_OK;
    callee->has_reads = true;
    dv_onnx_graph body = {.nodes = callee->function.nodes};
    DV_TRY(dv_onnx_reads_graph(&callee->reads, &body));
    for (uint32_t i = 0; i < callee->function.outputs.count; i++)
        DV_TRY(dv_names_put(&callee->reads.read, callee->function.outputs.items[i], 1));
    return DV_OK;
}

static dv_status build_body(dv_onnx_builder *b, dv_onnx_at *at, dv_onnx_callee *callee)
{
    const dv_onnx_function *f = &callee->function;
    dv_onnx_graph body = {.nodes = f->nodes};
    DV_TRY(note_reads(callee));
    DV_TRY(bind(b, at, f));
    for (uint32_t i = 0; i < body.nodes.count; i++) {
        dv_status status = dv_onnx_add_node(b, &body, i);
        DV_TRY(b->call->depth > DV_ONNX_TOLD
                   ? status
                   : dv_within(status, "function '%.*s'", dv_onnx_shown(f->name),
                               dv_onnx_bytes(f->name)));
    }
    return pass_on(b, at, f);
}

dv_status dv_onnx_add_call(dv_onnx_builder *b, dv_onnx_at *at, bool *done)
{
    dv_onnx_callee *callee = dv_onnx_callee_of(&b->callees, at->node);
    *done = callee != NULL;
    if (!callee)
        return DV_OK;
    DV_TRY(check_call(b, at, callee));
    dv_onnx_call call = {.callee = callee,
                         .node = at->node,
                         .depth = b->call ? b->call->depth + 1 : 1,
                         .outer = b->call};
    dv_onnx_scope scope = {.prefix = dv_arena_printf(at->arena, "%s/", at->op.name)};
    if (!scope.prefix)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    dv_onnx_scope *outer = b->scope;
    b->scope = &scope;
    b->call = &call;
    dv_status status = build_body(b, at, callee);
    b->call = call.outer;
    b->scope = outer;
    dv_names_free(&scope.ids);
    return status;
}
