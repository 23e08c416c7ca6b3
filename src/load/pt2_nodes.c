/* pt2_nodes.c - the nodes of a torch.export graph become operators, under their names.

   A node calls "torch.ops.aten.conv2d.default"; what aten.def has a row for is translated by it,
   the rest is kept by name. Nodes that only compute numbers (sym_size, comparisons of sizes) need
   no operator: the file records their values. */
#include <stdio.h>
#include <string.h>

#include "load/pt2_build.h"

enum { SHOWN = 120 };

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "out of memory");
}

static dv_span span_of(const char *text)
{
    return (dv_span){(const uint8_t *)text, strlen(text)};
}

/* ---- names ---- */

/* "torch.ops.aten.conv2d.default" to its parts; "_operator.add" has no overload. */
static dv_status split_target(dv_pt2 *b, dv_pt2_node *n)
{
    static const char prefix[] = "torch.ops.";
    if (strncmp(n->target, prefix, sizeof prefix - 1) == 0)
        n->target += sizeof prefix - 1;
    char *copy = dv_arena_copy(b->arena, n->target);
    if (!copy)
        return no_memory();
    n->space = copy;
    n->op = n->overload = "";
    char *dot = strchr(copy, '.');
    if (dot) {
        *dot = '\0';
        n->op = dot + 1;
        dot = strchr(dot + 1, '.');
    }
    if (dot) {
        *dot = '\0';
        n->overload = dot + 1;
    }
    return DV_OK;
}

/* Files before schema 8.9 do not name their nodes. torch.export.load calls a node as its only
   tensor, and one with several outputs after its operator, "split_tensor", "split_tensor_1". */
static dv_status invent_name(dv_pt2 *b, dv_pt2_node *n, bool single)
{
    if (single && n->outputs[0]) {
        n->name = n->outputs[0];
        return DV_OK;
    }
    char *base = dv_arena_printf(b->arena, "%s_%s", n->op, n->overload);
    if (!base)
        return no_memory();
    for (char *c = base; *c; c++)
        if (!(*c == '_' || (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') ||
              (*c >= 'A' && *c <= 'Z')))
            *c = '_';
    uint32_t before = dv_names_find(&b->node_names, span_of(base), 0);
    DV_TRY(dv_names_put(&b->node_names, span_of(base), before + 1));
    n->name = before ? dv_arena_printf(b->arena, "%s_%u", base, before) : base;
    return n->name ? DV_OK : no_memory();
}

static dv_status read_name(dv_pt2 *b, dv_pt2_node *n)
{
    dv_json_at name = dv_json_member(n->at, "name");
    if (dv_json_present(&name))
        return dv_json_string(&name, &n->name);
    dv_json_at outputs = dv_json_member(n->at, "outputs"), only = dv_json_first(&outputs);
    dv_json_at inner = dv_json_first(&only);
    bool single = dv_json_count(&outputs) == 1 && inner.key && strcmp(inner.key, "as_tensor") == 0;
    return invent_name(b, n, single);
}

/* ---- arguments ---- */

dv_status dv_pt2_argument_value(dv_pt2 *b, const dv_json_at *input, uint32_t *index)
{
    dv_json_at arg = dv_json_member(input, "arg"), tensor = dv_json_member(&arg, "as_tensor");
    dv_json_at name = dv_json_member(&tensor, "name");
    const char *text;
    *index = DV_NONE;
    if (!dv_json_is_string(&name))
        return DV_OK;
    DV_TRY(dv_json_string(&name, &text));
    return dv_pt2_value_of(b, text, index);
}

/* Where in the schema the argument goes, or DV_NONE. */
static uint32_t position_of(const dv_aten_rule *rule, const char *name)
{
    uint32_t count = dv_aten_arg_count(rule);
    for (uint32_t i = 0; i < count; i++)
        if (dv_aten_arg_is(rule, i, name, strlen(name)))
            return i;
    return DV_NONE;
}

/* Arguments that do not change what is computed. */
static bool is_idle(const char *name, const dv_aten_value *value)
{
    static const char *const idle[] = {"device",       "layout",    "pin_memory", "memory_format",
                                       "non_blocking", "generator", "dtype",      NULL};
    for (size_t i = 0; idle[i]; i++)
        if (strcmp(idle[i], name) == 0)
            return true;
    return value->type == DV_ATEN_NONE;
}

static dv_status read_arguments(dv_pt2 *b, const dv_pt2_node *n, const dv_aten_rule *rule,
                                dv_aten_value *args, uint32_t count, const char **unknown)
{
    dv_json_at inputs = dv_json_member(n->at, "inputs");
    DV_TRY(dv_json_array(&inputs));
    for (uint32_t i = 0; i < count; i++)
        args[i] = dv_aten_default(rule, i);
    uint32_t place = 0;
    for (dv_json_at input = dv_json_first(&inputs); input.node;
         input = dv_json_next(&input), place++) {
        dv_json_at called = dv_json_member(&input, "name"), arg = dv_json_member(&input, "arg");
        const char *name;
        dv_aten_value value;
        DV_TRY(dv_json_string(&called, &name));
        DV_TRY(dv_within(dv_pt2_argument(b, &arg, &value), "argument '%.60s'", name));
        uint32_t at = position_of(rule, name);
        if (at == DV_NONE && place == 0)
            at = 0; /* "self" or "input": writing in place changes its name */
        if (at < count)
            args[at] = value;
        else if (!is_idle(name, &value))
            *unknown = name;
    }
    return DV_OK;
}

/* All tensors among a node's arguments. */
static dv_status read_tensors(dv_pt2 *b, const dv_pt2_node *n, dv_tensor_id **ids, uint32_t *count)
{
    dv_json_at inputs = dv_json_member(n->at, "inputs");
    size_t capacity = 0;
    DV_TRY(dv_json_array(&inputs));
    *ids = NULL;
    *count = 0;
    for (dv_json_at input = dv_json_first(&inputs); input.node; input = dv_json_next(&input)) {
        dv_json_at arg = dv_json_member(&input, "arg"), inner = dv_json_first(&arg);
        capacity += dv_json_is_array(&inner) ? dv_json_count(&inner) : 1;
    }
    *ids = dv_arena_array(b->arena, capacity + 1, sizeof **ids);
    if (!*ids)
        return no_memory();
    for (dv_json_at input = dv_json_first(&inputs); input.node; input = dv_json_next(&input)) {
        dv_json_at arg = dv_json_member(&input, "arg");
        dv_aten_value value;
        DV_TRY(dv_pt2_argument(b, &arg, &value));
        if (value.type == DV_ATEN_TENSOR)
            (*ids)[(*count)++] = value.tensor;
        for (uint32_t i = 0; value.type == DV_ATEN_TENSORS && i < value.count; i++)
            if (value.tensors[i] != DV_NONE)
                (*ids)[(*count)++] = value.tensors[i];
    }
    return DV_OK;
}

/* ---- results ---- */

static dv_status add_outputs(dv_pt2 *b, const dv_pt2_node *n, dv_tensor_id **ids)
{
    *ids = dv_arena_array(b->arena, (size_t)n->output_count + 1, sizeof **ids);
    if (!*ids)
        return no_memory();
    for (uint32_t i = 0; i < n->output_count; i++) {
        uint32_t index;
        (*ids)[i] = DV_NONE;
        if (!n->outputs[i])
            continue;
        DV_TRY(dv_pt2_value_of(b, n->outputs[i], &index));
        DV_TRY(dv_pt2_add_output(b, index, &(*ids)[i]));
    }
    return DV_OK;
}

/* The node's values hold these tensors, and are known as views of what they share memory with. */
static dv_status take_outputs(dv_pt2 *b, const dv_pt2_node *n, const dv_tensor_id *ids, bool again)
{
    bool writes = dv_pt2_writes(n->op);
    bool view = !writes && dv_pt2_is_view(n->op) && dv_pt2_shares_memory(b, n);
    if (writes && n->first != DV_NONE && n->output_count > 0 && ids[0] != DV_NONE && !again)
        DV_TRY(dv_pt2_write(b, n->first, ids[0], n->name));
    for (uint32_t i = 0; i < n->output_count; i++) {
        uint32_t index;
        if (!n->outputs[i])
            continue;
        DV_TRY(dv_pt2_value_of(b, n->outputs[i], &index));
        dv_pt2_value *value = &b->values[index];
        if (!again && (value->id != DV_NONE || value->weight))
            return dv_fail(DV_BAD_INPUT, "its output '%.*s' is made twice", SHOWN, value->name);
        value->id = ids[i];
        if (n->first != DV_NONE && n->first != index && (view || (writes && i == 0))) {
            value->view_of = n->first;
            value->made = view ? n->at->node : NULL;
            value->output = i;
        }
        dv_pt2_refresh(b, index);
    }
    return DV_OK;
}

/* ---- operators ---- */

static dv_status add_opaque(dv_pt2 *b, const dv_pt2_node *n, const dv_tensor_id *outputs,
                            const char *reason)
{
    dv_tensor_id *inputs;
    uint32_t count;
    dv_op_id id;
    DV_TRY(read_tensors(b, n, &inputs, &count));
    dv_op op = {.kind = DV_OP_OPAQUE,
                .name = n->name,
                .source_type = n->target,
                .input_count = count,
                .inputs = inputs,
                .output_count = n->output_count,
                .outputs = outputs,
                .debug_handle = b->handle,
                .reason = dv_arena_copy(dv_graph_arena(b->graph), reason)};
    return op.reason ? dv_graph_add_op(b->graph, &op, &id) : no_memory();
}

static dv_status add_operator(dv_pt2 *b, const dv_pt2_node *n, const dv_tensor_id *outputs)
{
    bool ours = strcmp(n->space, "aten") == 0 || strcmp(n->space, "quantized_decomposed") == 0 ||
                strcmp(n->space, "dim_order_ops") == 0 || strcmp(n->space, "transformers") == 0;
    const dv_aten_rule *rule = ours ? dv_aten_find(n->op, n->overload) : NULL;
    char reason[256];
    snprintf(reason, sizeof reason, "operator %.200s is not supported", n->target);
    if (!rule)
        return add_opaque(b, n, outputs, reason);
    uint32_t count = dv_aten_arg_count(rule);
    if (count == 0)
        return add_opaque(b, n, outputs, "it is known by name, and has no kernel here");
    dv_aten_value *args = dv_arena_array(b->arena, (size_t)count + 1, sizeof *args);
    const char *unknown = NULL;
    if (!args)
        return no_memory();
    DV_TRY(read_arguments(b, n, rule, args, count, &unknown));
    snprintf(reason, sizeof reason, "argument '%.60s' is not supported", unknown ? unknown : "");
    if (unknown)
        return add_opaque(b, n, outputs, reason);
    dv_aten_call call = {.rule = rule,
                         .name = n->name,
                         .source_type = n->target,
                         .debug_handle = b->handle,
                         .arg_count = count,
                         .args = args,
                         .output_count = n->output_count,
                         .outputs = outputs};
    return dv_aten_add(b->graph, &call);
}

/* ---- nodes ---- */

static bool gives_tensors(const dv_pt2_node *n)
{
    for (uint32_t i = 0; i < n->output_count; i++)
        if (n->outputs[i])
            return true;
    return false;
}

static dv_status read_node(dv_pt2 *b, const dv_json_at *at, dv_pt2_node *n)
{
    dv_json_at target = dv_json_member(at, "target"), inputs = dv_json_member(at, "inputs");
    dv_json_at first = dv_json_first(&inputs);
    bool all_tensors;
    *n = (dv_pt2_node){.at = at, .first = DV_NONE};
    DV_TRY(dv_json_string(&target, &n->target));
    DV_TRY(split_target(b, n));
    DV_TRY(dv_pt2_outputs(b, at, &n->outputs, &n->output_count, &all_tensors));
    DV_TRY(read_name(b, n));
    if (b->scope->prefix)
        n->name = dv_arena_printf(b->arena, "%s%s", b->scope->prefix, n->name);
    if (!n->name)
        return no_memory();
    return first.node ? dv_pt2_argument_value(b, &first, &n->first) : DV_OK;
}

static dv_status add_node(dv_pt2 *b, dv_pt2_node *n, bool again)
{
    dv_tensor_id *outputs;
    if (!gives_tensors(n))
        return DV_OK;
    bool done = false;
    if (strcmp(n->space, "higher_order") == 0)
        DV_TRY(dv_pt2_add_wrapped(b, n, &done));
    if (done)
        return DV_OK;
    DV_TRY(add_outputs(b, n, &outputs));
    if (strcmp(n->space, "higher_order") == 0) {
        const char *reason = NULL;
        DV_TRY(dv_pt2_add_region(b, n, outputs, &done, &reason));
        if (!done && reason)
            DV_TRY(add_opaque(b, n, outputs, reason));
        if (done || reason)
            return take_outputs(b, n, outputs, again);
    }
    DV_TRY(add_operator(b, n, outputs));
    return take_outputs(b, n, outputs, again);
}

dv_status dv_pt2_add_node(dv_pt2 *b, const dv_json_at *at, bool again)
{
    dv_pt2_node n;
    dv_status status = read_node(b, at, &n);
    if (status != DV_OK)
        return dv_within(status, "node %lld", (long long)b->handle);
    status = add_node(b, &n, again);
    return dv_within(status, "node %lld '%.*s' (%.*s)", (long long)b->handle, SHOWN, n.name, SHOWN,
                     n.target);
}

dv_status dv_pt2_add_nodes(dv_pt2 *b)
{
    dv_json_at nodes = dv_json_member(&b->scope->graph, "nodes");
    DV_TRY(dv_json_array(&nodes));
    int64_t handle = 0;
    for (dv_json_at at = dv_json_first(&nodes); at.node; at = dv_json_next(&at)) {
        if (b->scope->depth == 0)
            b->handle = handle++;
        DV_TRY(dv_pt2_add_node(b, &at, false));
    }
    return DV_OK;
}
