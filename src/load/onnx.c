/* onnx.c - an ONNX file becomes a graph in source form.

   The file stays mapped: constants point into it. Inputs and initialisers come first, then the
   nodes in the file's order; a name that is read before it is made gets its tensor early, and
   finishing the graph finds what nobody makes. */
#include <string.h>

#include "load/load.h"
#include "load/onnx_build.h"

/* ---- inputs and outputs ---- */

/* Files of IR version below 4 list initialisers among the inputs too: those are not the host's. */
static dv_status add_input(dv_onnx_builder *b, const dv_onnx_value *value)
{
    if (dv_names_find(&b->scope->ids, value->name, DV_NONE) != DV_NONE)
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
    return dv_onnx_add_tensor(b, value->name, &tensor, &id);
}

/* "x[2]": how tensor i of a sequence is known to the host. */
static dv_status name_item(dv_onnx_builder *b, dv_span sequence, uint32_t i, dv_span *name)
{
    const char *text =
        dv_arena_printf(b->arena, "%.*s[%u]", (int)sequence.size, dv_onnx_bytes(sequence), i);
    if (!text || sequence.size > INT32_MAX)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    *name = (dv_span){(const uint8_t *)text, strlen(text)};
    return DV_OK;
}

/* An optional is taken to be there unless --dim NAME=0 says not; a sequence is as many inputs as
   --dim NAME=N says. */
static dv_status add_input_of_any_type(dv_onnx_builder *b, const dv_onnx_value *value)
{
    int64_t count = 1;
    bool given = dv_onnx_dims_count(&b->dims, value, &count);
    if (value->is_optional && given && count == 0)
        return dv_names_put(&b->scope->ids, value->name, DV_ONNX_ABSENT);
    dv_onnx_value item = *value;
    item.is_tensor = true;
    if (!value->is_sequence)
        return add_input(b, &item);
    if (!given)
        return dv_fail(
            DV_BAD_INPUT,
            "it is a sequence of tensors, of a number that the model leaves open; choose "
            "one, for example --dim '%.*s=3'",
            dv_onnx_shown(value->name), dv_onnx_bytes(value->name));
    dv_tensor_id id, *items;
    if (count < 0 || count > UINT32_MAX)
        return dv_fail(DV_BAD_PARAMETER, "a sequence cannot have %lld tensors", (long long)count);
    DV_TRY(dv_onnx_add_sequence(b, (uint32_t)count, &id, &items));
    for (uint32_t i = 0; i < (uint32_t)count; i++) {
        DV_TRY(name_item(b, value->name, i, &item.name));
        DV_TRY(add_input(b, &item));
        items[i] = dv_names_find(&b->scope->ids, item.name, DV_NONE);
        if (items[i] >= DV_ONNX_SEQUENCE)
            return dv_fail(DV_BAD_INPUT, "the name of its tensor %u is taken", i);
    }
    return dv_names_put(&b->scope->ids, value->name, id);
}

static dv_status add_inputs(dv_onnx_builder *b)
{
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < b->source.inputs.count; i++) {
            dv_onnx_value value;
            DV_TRY(dv_onnx_read_value(b->source.inputs.items[i], b->file, &value));
            if (value.name.size == 0)
                return dv_fail(DV_BAD_INPUT, "input %u has no name", i);
            bool given = dv_names_find(&b->scope->ids, value.name, DV_NONE) == DV_NONE;
            dv_status status = !given      ? DV_OK
                               : pass == 0 ? dv_onnx_dims_note(&b->dims, &value)
                               : value.is_sequence || value.is_optional
                                   ? add_input_of_any_type(b, &value)
                                   : add_input(b, &value);
            DV_TRY(dv_within(status, "input '%.*s'", dv_onnx_shown(value.name),
                             dv_onnx_bytes(value.name)));
        }
    }
    return DV_OK;
}

/* The host takes a sequence tensor by tensor. */
static dv_status add_sequence_output(dv_onnx_builder *b, dv_span name, dv_onnx_sequence sequence)
{
    for (uint32_t i = 0; i < sequence.count; i++) {
        dv_tensor made = {.role = DV_ROLE_ACTIVATION, .shape = {.rank = DV_RANK_UNKNOWN}};
        dv_span item;
        dv_tensor_id id;
        dv_op_id op;
        DV_TRY(name_item(b, name, i, &item));
        DV_TRY(dv_onnx_add_tensor(b, item, &made, &id));
        made = b->graph->tensors[id];
        const dv_op pass = {.kind = DV_OP_IDENTITY,
                            .name = made.name,
                            .source_type = "Identity",
                            .input_count = 1,
                            .output_count = 1,
                            .inputs = &sequence.items[i],
                            .outputs = &id,
                            .debug_handle = b->handle};
        DV_TRY(dv_graph_add_op(b->graph, &pass, &op));
        DV_TRY(dv_graph_add_output(b->graph, id));
    }
    return DV_OK;
}

static dv_status add_outputs(dv_onnx_builder *b)
{
    for (uint32_t i = 0; i < b->source.outputs.count; i++) {
        dv_onnx_value value;
        dv_tensor_id id;
        DV_TRY(dv_onnx_read_value(b->source.outputs.items[i], b->file, &value));
        if (value.name.size == 0)
            return dv_fail(DV_BAD_INPUT, "output %u has no name", i);
        DV_TRY(dv_onnx_value_named(b, value.name, &id));
        if (id == DV_NONE)
            continue; /* an optional that is left out */
        if (dv_onnx_is_sequence(id)) {
            DV_TRY(add_sequence_output(b, value.name, dv_onnx_sequence_of(b, id)));
            continue;
        }
        if (b->graph->tensors[id].is_output)
            return dv_fail(DV_BAD_INPUT, "output '%.*s' is listed twice", dv_onnx_shown(value.name),
                           dv_onnx_bytes(value.name));
        DV_TRY(dv_graph_add_output(b->graph, id));
    }
    return DV_OK;
}

/* ---- the file ---- */

/* "opset 13, IR version 7, by pytorch 1.12.1" */
static dv_status describe(dv_onnx_builder *b)
{
    int64_t opset = 0;
    for (uint32_t i = 0; i < b->model.opset_count; i++)
        if (b->model.opsets[i].domain.size == 0 || dv_span_is(b->model.opsets[i].domain, "ai.onnx"))
            opset = b->model.opsets[i].version;
    dv_span by = b->model.producer, version = b->model.producer_version;
    const char *about =
        dv_arena_printf(b->arena, "opset %lld, IR version %lld%s%.*s%s%.*s", (long long)opset,
                        (long long)b->model.ir_version, by.size ? ", by " : "", dv_onnx_shown(by),
                        dv_onnx_bytes(by), by.size && version.size ? " " : "",
                        by.size ? dv_onnx_shown(version) : 0, dv_onnx_bytes(version));
    return about ? dv_graph_set_about(b->graph, about) : dv_fail(DV_NO_MEMORY, "out of memory");
}

static dv_status open_model(dv_onnx_builder *b, dv_buffer *buffer)
{
    dv_span bytes = {dv_buffer_data(buffer), dv_buffer_size(buffer)};
    DV_TRY(dv_onnx_read_model(bytes, b->file, &b->model));
    if (!b->model.has_graph)
        return dv_fail(DV_BAD_INPUT, "it holds no graph; is it an ONNX model?");
    DV_TRY(dv_onnx_callees_read(&b->callees, bytes, b->file, b->arena));
    DV_TRY(dv_onnx_read_graph(b->model.graph, b->file, b->arena, &b->source));
    dv_span name = b->source.name;
    const char *text = dv_arena_copy_n(b->arena, dv_onnx_bytes(name), name.size);
    b->graph = text ? dv_graph_create(text, "onnx") : NULL;
    b->known.graph = b->graph;
    return b->graph ? describe(b) : dv_fail(DV_NO_MEMORY, "out of memory");
}

static dv_status build(dv_onnx_builder *b, dv_buffer *buffer)
{
    DV_TRY(open_model(b, buffer));
    if (b->source.outputs.count == 0)
        return dv_fail(DV_BAD_INPUT, "the graph has no outputs");
    DV_TRY(dv_onnx_add_initialisers(b, &b->source));
    DV_TRY(add_inputs(b));
    DV_TRY(dv_onnx_reads_graph(&b->reads, &b->source));
    for (uint32_t i = 0; i < b->source.nodes.count; i++)
        DV_TRY(dv_onnx_add_node(b, &b->source, i));
    DV_TRY(dv_onnx_dims_check(&b->dims));
    DV_TRY(add_outputs(b));
    if (b->has_leftovers)
        DV_TRY(dv_graph_sweep(b->graph));
    return dv_graph_finish(b->graph);
}

static dv_status load(const char *path, dv_buffer *buffer, const dv_load_options *options,
                      dv_graph **out)
{
    dv_onnx_scope scope = {.prefix = ""};
    dv_onnx_builder b = {.file = dv_buffer_data(buffer),
                         .files = {.path = path, .model = buffer},
                         .dims = {.options = options},
                         .known = {.options = options},
                         .reads = {.file = dv_buffer_data(buffer)},
                         .arena = dv_arena_create(),
                         .scope = &scope};
    dv_status status = b.arena ? build(&b, buffer) : dv_fail(DV_NO_MEMORY, "out of memory");
    if (status == DV_OK)
        *out = b.graph;
    else
        dv_graph_destroy(b.graph);
    dv_onnx_files_close(&b.files);
    dv_onnx_dims_free(&b.dims);
    dv_names_free(&scope.ids);
    dv_onnx_reads_free(&b.reads);
    dv_onnx_known_free(&b.known);
    dv_onnx_callees_free(&b.callees);
    dv_names_free(&b.recorded.names);
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
