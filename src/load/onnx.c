/* onnx.c - an ONNX file becomes a graph in source form.

   The file stays mapped: constants point into it. Inputs and initialisers come first, then the
   nodes in the file's order; a name that is read before it is made gets its tensor early, and
   finishing the graph finds what nobody makes. */
#include <string.h>

#include "load/load.h"
#include "load/names.h"
#include "load/onnx_dims.h"
#include "load/onnx_ops.h"
#include "load/onnx_read.h"
#include "load/onnx_reads.h"
#include "load/onnx_tensor.h"

typedef struct builder {
    const uint8_t *file;
    dv_onnx_files files;
    dv_onnx_model model;
    dv_onnx_graph source;
    dv_onnx_dims dims;
    dv_graph *graph;
    dv_arena *arena; /* lives as long as the builder */
    dv_names ids;    /* name -> tensor */
    dv_onnx_reads reads;
} builder;

enum { SHOWN = 120 }; /* bytes of a name in a message */

static int shown(dv_span text)
{
    return text.size > SHOWN ? SHOWN : (int)text.size;
}

static const char *text_of(dv_span text)
{
    return text.size ? (const char *)text.data : "";
}

static dv_status add_tensor(builder *b, dv_span name, dv_tensor *tensor, dv_tensor_id *id)
{
    tensor->name = dv_arena_copy_n(b->arena, text_of(name), name.size);
    if (!tensor->name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    DV_TRY(dv_graph_add_tensor(b->graph, tensor, id));
    return dv_names_put(&b->ids, name, *id);
}

/* The tensor of that name, made as an activation if it is new; the empty name is none. */
static dv_status tensor_of(builder *b, dv_span name, dv_tensor_id *id)
{
    *id = DV_NONE;
    if (name.size == 0)
        return DV_OK;
    *id = dv_names_find(&b->ids, name, DV_NONE);
    if (*id != DV_NONE)
        return DV_OK;
    dv_tensor tensor = {.role = DV_ROLE_ACTIVATION, .shape = {.rank = DV_RANK_UNKNOWN}};
    return add_tensor(b, name, &tensor, id);
}

/* ---- initialisers and inputs ---- */

static dv_status add_initialiser(builder *b, dv_span bytes)
{
    dv_onnx_tensor view;
    DV_TRY(dv_onnx_read_tensor(bytes, b->file, &view));
    if (view.name.size == 0)
        return dv_fail(DV_BAD_INPUT, "an initialiser has no name");
    dv_tensor tensor = {0};
    dv_tensor_id id;
    dv_status status = dv_onnx_tensor_data(&b->files, &view, &tensor);
    if (status == DV_OK && dv_names_find(&b->ids, view.name, DV_NONE) != DV_NONE)
        status = dv_fail(DV_BAD_INPUT, "the name is given twice");
    if (status == DV_OK)
        status = add_tensor(b, view.name, &tensor, &id);
    dv_buffer_release(tensor.data.buffer);
    return dv_within(status, "initialiser '%.*s'", shown(view.name), text_of(view.name));
}

/* Files of IR version below 4 list initialisers among the inputs too: those are not the host's. */
static dv_status add_input(builder *b, const dv_onnx_value *value)
{
    if (dv_names_find(&b->ids, value->name, DV_NONE) != DV_NONE)
        return DV_OK;
    dv_tensor tensor = {.role = DV_ROLE_INPUT, .shape = {.rank = DV_RANK_UNKNOWN}};
    if (value->is_tensor) {
        tensor.dtype = dv_onnx_dtype(value->type);
        DV_TRY(dv_onnx_dims_shape(&b->dims, value, &tensor.shape));
        size_t bytes;
        char text[DV_SHAPE_TEXT];
        if (!dv_tensor_bytes(&tensor, &bytes))
            return dv_fail(DV_BAD_INPUT, "its shape %s has more elements than memory can hold",
                           dv_shape_text(&tensor.shape, text));
    }
    dv_tensor_id id;
    return add_tensor(b, value->name, &tensor, &id);
}

static dv_status add_inputs(builder *b)
{
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < b->source.inputs.count; i++) {
            dv_onnx_value value;
            DV_TRY(dv_onnx_read_value(b->source.inputs.items[i], b->file, &value));
            if (value.name.size == 0)
                return dv_fail(DV_BAD_INPUT, "input %u has no name", i);
            bool given = dv_names_find(&b->ids, value.name, DV_NONE) == DV_NONE;
            dv_status status = !given      ? DV_OK
                               : pass == 0 ? dv_onnx_dims_note(&b->dims, &value)
                                           : add_input(b, &value);
            DV_TRY(dv_within(status, "input '%.*s'", shown(value.name), text_of(value.name)));
        }
    }
    return dv_onnx_dims_check(&b->dims);
}

/* ---- nodes ---- */

static dv_status opset_of(const builder *b, dv_span domain, int64_t *out)
{
    bool standard = domain.size == 0 || dv_span_is(domain, "ai.onnx");
    for (uint32_t i = 0; i < b->model.opset_count; i++) {
        dv_span imported = b->model.opsets[i].domain;
        bool same = standard ? imported.size == 0 || dv_span_is(imported, "ai.onnx")
                             : dv_span_equal(imported, domain);
        if (same) {
            *out = b->model.opsets[i].version;
            return DV_OK;
        }
    }
    *out = 1; /* files of IR version 1 and 2 name no operator sets */
    if (standard && b->model.ir_version >= 3)
        return dv_fail(DV_BAD_INPUT, "the model does not say which operator set it uses");
    return DV_OK;
}

/* Is name one of the words of list? */
static bool is_listed(const char *list, dv_span name)
{
    while (*list) {
        size_t length = strcspn(list, " ");
        if (dv_span_equal(name, (dv_span){(const uint8_t *)list, length}))
            return true;
        list += length + (list[length] == ' ');
    }
    return false;
}

/* Reasons to leave a node opaque that hold for any type. */
static dv_status check_generally(dv_onnx_at *at, const dv_onnx_rule *rule)
{
    for (uint32_t i = 0; i < at->node->attribute_count; i++) {
        const dv_onnx_attribute *attribute = &at->node->attributes[i];
        if (!is_listed(rule->attributes, attribute->name))
            return dv_onnx_opaque(at, "attribute '%.*s' (opset %lld) is not supported",
                                  shown(attribute->name), text_of(attribute->name),
                                  (long long)at->opset);
        if (attribute->refers)
            return dv_onnx_opaque(at, "attribute '%.*s' refers to a function's",
                                  shown(attribute->name), text_of(attribute->name));
    }
    for (uint32_t i = 0; i < at->op.input_count; i++) {
        if (at->inputs[i] == DV_NONE)
            continue;
        const dv_tensor *tensor = &at->graph->tensors[at->inputs[i]];
        bool ours = tensor->dtype != DV_DTYPE_NONE && tensor->dtype != DV_DTYPE_STRING;
        if (!ours && tensor->role != DV_ROLE_ACTIVATION)
            return dv_onnx_opaque(at, "its input '%.*s' has an element type that is not supported",
                                  SHOWN, tensor->name);
    }
    for (uint32_t i = 1; i < at->op.output_count && rule->kind != DV_OP_SPLIT; i++)
        if (at->outputs[i] != DV_NONE)
            return dv_onnx_opaque(at, "its output %u '%.*s' is used, which is not supported", i,
                                  SHOWN, at->graph->tensors[at->outputs[i]].name);
    return DV_OK;
}

static dv_status check_inputs(const dv_onnx_at *at, const dv_onnx_rule *rule)
{
    uint32_t count = at->op.input_count;
    if (count > rule->most)
        return dv_fail(DV_BAD_INPUT, "it has %u inputs; at most %u are allowed", count, rule->most);
    for (uint32_t i = 0; i < rule->least; i++)
        if (!dv_onnx_given_input(at, i))
            return dv_fail(DV_BAD_INPUT, "its input %u is missing", i);
    return DV_OK;
}

static dv_status translate(dv_onnx_at *at)
{
    const dv_onnx_node *node = at->node;
    bool standard = node->domain.size == 0 || dv_span_is(node->domain, "ai.onnx");
    const dv_onnx_rule *rule = standard ? dv_onnx_rule_of(node->op_type) : NULL;
    if (!rule)
        return dv_onnx_opaque(at, "operator %.*s (%.*s, opset %lld) is not supported",
                              shown(node->op_type), text_of(node->op_type),
                              standard ? 7 : shown(node->domain),
                              standard ? "ai.onnx" : text_of(node->domain), (long long)at->opset);
    at->op.kind = rule->kind;
    DV_TRY(check_generally(at, rule));
    if (at->op.kind == DV_OP_OPAQUE)
        return DV_OK;
    while (at->op.input_count > rule->least && at->inputs[at->op.input_count - 1] == DV_NONE)
        at->op.input_count--;
    DV_TRY(check_inputs(at, rule));
    at->op.output_count = rule->kind == DV_OP_SPLIT ? at->op.output_count : 1;
    return rule->read(at);
}

/* Names that the inner graphs of an opaque node read and the outer graph has become its inputs, so
   that it stays behind their makers. */
static dv_status capture(builder *b, dv_onnx_at *at, const dv_onnx_reads *inner)
{
    size_t most = at->op.input_count + inner->read.count;
    dv_tensor_id *inputs = dv_arena_array(at->arena, most, sizeof *inputs);
    if (!inputs)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    if (at->op.input_count > 0)
        memcpy(inputs, at->inputs, at->op.input_count * sizeof *inputs);
    dv_span name;
    for (size_t place = 0; dv_names_next(&inner->read, &place, &name);) {
        dv_tensor_id id = dv_names_find(&b->ids, name, DV_NONE);
        if (id != DV_NONE && !dv_names_find(&inner->made, name, 0))
            inputs[at->op.input_count++] = id;
    }
    at->inputs = inputs;
    return DV_OK;
}

static dv_status add_captures(builder *b, dv_onnx_at *at)
{
    dv_onnx_reads inner = {.file = b->file};
    dv_status status = dv_onnx_reads_inner(&inner, at->node, at->arena);
    if (status == DV_OK && inner.read.count > 0)
        status = capture(b, at, &inner);
    dv_onnx_reads_free(&inner);
    return status;
}

/* ---- Constant nodes: a constant tensor, not an operator ---- */

static dv_status read_constant(builder *b, const dv_onnx_node *node, dv_arena *arena,
                               dv_tensor *tensor)
{
    if (node->attribute_count != 1)
        return dv_fail(DV_BAD_INPUT, "a Constant needs exactly one attribute");
    const dv_onnx_attribute *a = &node->attributes[0];
    if (dv_span_is(a->name, "value") && (a->given & DV_ONNX_T)) {
        dv_onnx_tensor view;
        DV_TRY(dv_onnx_read_tensor(a->t, b->file, &view));
        return dv_onnx_tensor_data(&b->files, &view, tensor);
    }
    if (dv_span_is(a->name, "value_int") && (a->given & DV_ONNX_I))
        return dv_onnx_tensor_of(DV_DTYPE_I64, &a->i, 1, 0, tensor);
    if (dv_span_is(a->name, "value_float") && (a->given & DV_ONNX_F))
        return dv_onnx_tensor_of(DV_DTYPE_F32, &a->f, 1, 0, tensor);
    size_t count, most = a->body.size; /* an element takes at least a byte */
    void *values = dv_arena_array(arena, most, sizeof(int64_t));
    if (!values)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    if (dv_span_is(a->name, "value_ints") && (a->given & DV_ONNX_INTS)) {
        DV_TRY(dv_onnx_read_ints(a, b->file, most, values, &count));
        return dv_onnx_tensor_of(DV_DTYPE_I64, values, count, 1, tensor);
    }
    if (dv_span_is(a->name, "value_floats") && (a->given & DV_ONNX_FLOATS)) {
        DV_TRY(dv_onnx_read_floats(a, b->file, most, values, &count));
        return dv_onnx_tensor_of(DV_DTYPE_F32, values, count, 1, tensor);
    }
    tensor->role = DV_ROLE_CONSTANT; /* strings or sparse: whoever reads it stays opaque */
    tensor->shape.rank = DV_RANK_UNKNOWN;
    return DV_OK;
}

static dv_status add_constant(builder *b, const dv_onnx_node *node, dv_arena *arena)
{
    if (node->outputs.count != 1 || node->outputs.items[0].size == 0)
        return dv_fail(DV_BAD_INPUT, "a Constant needs exactly one output");
    dv_span name = node->outputs.items[0];
    dv_tensor tensor = {0};
    dv_status status = read_constant(b, node, arena, &tensor);
    dv_tensor_id id = dv_names_find(&b->ids, name, DV_NONE);
    if (status == DV_OK && id == DV_NONE) {
        status = add_tensor(b, name, &tensor, &id);
    } else if (status == DV_OK) {
        /* read by an earlier node already */
        dv_tensor *early = dv_graph_tensor_mutable(b->graph, id);
        tensor.name = early->name;
        if (early->role == DV_ROLE_ACTIVATION) {
            *early = tensor;
            return DV_OK; /* the graph has our reference now */
        }
        status = dv_fail(DV_BAD_INPUT, "its output '%.*s' is already made elsewhere", shown(name),
                         text_of(name));
    }
    dv_buffer_release(tensor.data.buffer);
    return status;
}

/* ---- nodes ---- */

/* The tensors of a list of names, with room for a few more. */
static dv_status ids_of(builder *b, const dv_onnx_spans *names, dv_arena *arena, dv_tensor_id **out)
{
    *out = dv_arena_array(arena, (size_t)names->count + DV_ONNX_SPARE, sizeof **out);
    if (!*out)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < names->count; i++)
        DV_TRY(tensor_of(b, names->items[i], &(*out)[i]));
    return DV_OK;
}

/* A node goes by its name, or by the first output that has one. */
static dv_span name_of(const dv_onnx_node *node)
{
    if (node->name.size > 0)
        return node->name;
    for (uint32_t i = 0; i < node->outputs.count; i++)
        if (node->outputs.items[i].size > 0)
            return node->outputs.items[i];
    return node->op_type;
}

static dv_status add_operator(builder *b, const dv_onnx_node *node, uint32_t index, dv_arena *arena)
{
    dv_span name = name_of(node);
    dv_onnx_at at = {.graph = b->graph,
                     .files = &b->files,
                     .file = b->file,
                     .arena = arena,
                     .node = node,
                     .op = {.kind = DV_OP_OPAQUE,
                            .input_count = node->inputs.count,
                            .output_count = node->outputs.count,
                            .debug_handle = index}};
    DV_TRY(opset_of(b, node->domain, &at.opset));
    DV_TRY(ids_of(b, &node->inputs, arena, &at.inputs));
    /* outputs behind the first that nobody reads are not asked for */
    for (uint32_t i = 0; i < node->outputs.count; i++)
        if (i > 0 && !dv_names_find(&b->reads.read, node->outputs.items[i], 0))
            node->outputs.items[i] = (dv_span){0};
    DV_TRY(ids_of(b, &node->outputs, arena, &at.outputs));
    at.op.name = dv_arena_copy_n(arena, text_of(name), name.size);
    at.op.source_type = dv_arena_copy_n(arena, text_of(node->op_type), node->op_type.size);
    if (!at.op.name || !at.op.source_type)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    if (node->outputs.count == 0)
        return dv_fail(DV_BAD_INPUT, "it has no output");
    DV_TRY(translate(&at));
    if (at.op.kind == DV_OP_OPAQUE)
        DV_TRY(add_captures(b, &at));
    at.op.inputs = at.inputs;
    at.op.outputs = at.outputs;
    return dv_onnx_add(&at, &at.op);
}

static dv_status add_node(builder *b, uint32_t index)
{
    dv_arena *arena = dv_arena_create();
    dv_onnx_node node = {0};
    dv_status status = arena
                           ? dv_onnx_read_node(b->source.nodes.items[index], b->file, arena, &node)
                           : dv_fail(DV_NO_MEMORY, "out of memory");
    if (status == DV_OK) {
        bool constant = dv_span_is(node.op_type, "Constant") && node.domain.size == 0;
        status = constant ? add_constant(b, &node, arena) : add_operator(b, &node, index, arena);
    }
    dv_span name = name_of(&node);
    status = dv_within(status, "node %u '%.*s' (%.*s)", index, shown(name), text_of(name),
                       shown(node.op_type), text_of(node.op_type));
    dv_arena_destroy(arena);
    return status;
}

static dv_status add_outputs(builder *b)
{
    for (uint32_t i = 0; i < b->source.outputs.count; i++) {
        dv_onnx_value value;
        dv_tensor_id id;
        DV_TRY(dv_onnx_read_value(b->source.outputs.items[i], b->file, &value));
        if (value.name.size == 0)
            return dv_fail(DV_BAD_INPUT, "output %u has no name", i);
        DV_TRY(tensor_of(b, value.name, &id));
        if (b->graph->tensors[id].is_output)
            return dv_fail(DV_BAD_INPUT, "output '%.*s' is listed twice", shown(value.name),
                           text_of(value.name));
        DV_TRY(dv_graph_add_output(b->graph, id));
    }
    return DV_OK;
}

/* ---- the file ---- */

/* "opset 13, IR version 7, by pytorch 1.12.1" */
static dv_status describe(builder *b)
{
    int64_t opset = 0;
    for (uint32_t i = 0; i < b->model.opset_count; i++)
        if (b->model.opsets[i].domain.size == 0 || dv_span_is(b->model.opsets[i].domain, "ai.onnx"))
            opset = b->model.opsets[i].version;
    dv_span by = b->model.producer, version = b->model.producer_version;
    const char *about = dv_arena_printf(
        b->arena, "opset %lld, IR version %lld%s%.*s%s%.*s", (long long)opset,
        (long long)b->model.ir_version, by.size ? ", by " : "", shown(by), text_of(by),
        by.size && version.size ? " " : "", by.size ? shown(version) : 0, text_of(version));
    return about ? dv_graph_set_about(b->graph, about) : dv_fail(DV_NO_MEMORY, "out of memory");
}

static dv_status open_model(builder *b, dv_buffer *buffer)
{
    dv_span bytes = {dv_buffer_data(buffer), dv_buffer_size(buffer)};
    DV_TRY(dv_onnx_read_model(bytes, b->file, &b->model));
    if (!b->model.has_graph)
        return dv_fail(DV_BAD_INPUT, "it holds no graph; is it an ONNX model?");
    DV_TRY(dv_onnx_read_graph(b->model.graph, b->file, b->arena, &b->source));
    dv_span name = b->source.name;
    const char *text = dv_arena_copy_n(b->arena, text_of(name), name.size);
    b->graph = text ? dv_graph_create(text, "onnx") : NULL;
    return b->graph ? describe(b) : dv_fail(DV_NO_MEMORY, "out of memory");
}

static dv_status build(builder *b, dv_buffer *buffer)
{
    DV_TRY(open_model(b, buffer));
    if (b->source.sparse_count > 0)
        return dv_fail(DV_BAD_INPUT, "its sparse initialisers are not supported; export the model "
                                     "with dense ones");
    if (b->source.outputs.count == 0)
        return dv_fail(DV_BAD_INPUT, "the graph has no outputs");
    for (uint32_t i = 0; i < b->source.initialisers.count; i++)
        DV_TRY(add_initialiser(b, b->source.initialisers.items[i]));
    DV_TRY(add_inputs(b));
    DV_TRY(dv_onnx_reads_graph(&b->reads, &b->source));
    for (uint32_t i = 0; i < b->source.nodes.count; i++)
        DV_TRY(add_node(b, i));
    DV_TRY(add_outputs(b));
    return dv_graph_finish(b->graph);
}

static dv_status load(const char *path, dv_buffer *buffer, const dv_load_options *options,
                      dv_graph **out)
{
    builder b = {.file = dv_buffer_data(buffer),
                 .files = {.path = path, .model = buffer},
                 .dims = {.options = options},
                 .reads = {.file = dv_buffer_data(buffer)},
                 .arena = dv_arena_create()};
    dv_status status = b.arena ? build(&b, buffer) : dv_fail(DV_NO_MEMORY, "out of memory");
    if (status == DV_OK)
        *out = b.graph;
    else
        dv_graph_destroy(b.graph);
    dv_onnx_files_close(&b.files);
    dv_onnx_dims_free(&b.dims);
    dv_names_free(&b.ids);
    dv_onnx_reads_free(&b.reads);
    dv_arena_destroy(b.arena);
    return status;
}

/* A ModelProto starts with its IR version (field 1, a small number), then other known fields. */
static bool recognise(const uint8_t *bytes, size_t size, const char *path)
{
    (void)path;
    return size >= 4 && bytes[0] == 0x08 && bytes[1] >= 1 && bytes[1] < 64 &&
           ((bytes[2] & 7) == DV_PB_BYTES || (bytes[2] & 7) == DV_PB_VARINT) && bytes[2] >= 8;
}

const dv_loader dv_loader_onnx = {
    .name = "onnx",
    .summary = "ONNX, opsets 6 to 22",
    .extension = ".onnx",
    .recognise = recognise,
    .load = load,
};
