/* tflite.c - a TFLite file (schema version 3) becomes a graph in source form.

   The file stays mapped, and constants whose elements need no change point into it. Quantised
   tensors stay integers; operators see them through conversions (QUANTIZE, DEQUANTIZE), which
   lowering merges with them. */
#include <stdio.h>
#include <string.h>

#include "load/tflite_build.h"

/* ---- inputs ---- */

/* The size of an open dim: bound as NAME:DIM, else what the file was converted with. */
static dv_status bind_dim(dv_tfl_builder *b, const char *name, unsigned d, unsigned open,
                          int64_t *size)
{
    size_t length = strlen(name);
    char suffix[16];
    snprintf(suffix, sizeof suffix, ":%u", d);
    for (size_t i = 0; b->options && i < b->options->dim_count; i++) {
        const dv_binding *binding = &b->options->dims[i];
        if (strncmp(binding->name, name, length) != 0 ||
            strcmp(binding->name + length, suffix) != 0)
            continue;
        if (!(open & 1u << d) && binding->value != *size)
            return dv_fail(DV_BAD_PARAMETER, "dimension %u of input '%s' is fixed at %lld", d, name,
                           (long long)*size);
        if (binding->value < 1 || binding->value > INT32_MAX)
            return dv_fail(DV_BAD_PARAMETER, "dimension %u of input '%s' cannot be %lld", d, name,
                           (long long)binding->value);
        *size = binding->value;
        b->dims_used |= i < 64 ? (uint64_t)1 << i : 0;
        return DV_OK;
    }
    if ((open & 1u << d) && d > 0 && *size <= 1)
        return dv_fail(DV_BAD_INPUT,
                       "input '%s': dimension %u has no value; choose one, for example "
                       "--dim '%s:%u=N'",
                       name, d, name, d);
    return DV_OK;
}

static dv_status add_input(dv_tfl_builder *b, int32_t index)
{
    dv_tfl_tensor tensor;
    dv_tensor_id id;
    DV_TRY(dv_tfl_tensor_at(b, index, &tensor));
    dv_tensor input = {.name = dv_tfl_text(b, tensor.name),
                       .role = DV_ROLE_INPUT,
                       .dtype = dv_tfl_stored_dtype(&tensor),
                       .shape = tensor.shape};
    if (!input.name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    dv_tfl_slot *slot = &b->scope->slots[index];
    if (slot->plain != DV_NONE || slot->integers[0] != DV_NONE || slot->constant != DV_NONE)
        return dv_fail(DV_BAD_INPUT, "input '%.120s' is listed twice or is a constant", input.name);
    for (uint8_t d = 0; d < input.shape.rank; d++)
        DV_TRY(bind_dim(b, input.name, d, tensor.open, &input.shape.dim[d]));
    size_t bytes;
    char text[DV_SHAPE_TEXT];
    if (!dv_tensor_bytes(&input, &bytes))
        return dv_fail(DV_BAD_INPUT,
                       "the shape %s of input '%.120s' has more elements than memory "
                       "can hold",
                       dv_shape_text(&input.shape, text), input.name);
    DV_TRY(dv_graph_add_tensor(b->graph, &input, &id));
    *(tensor.quantised ? &slot->integers[0] : &slot->plain) = id;
    return DV_OK;
}

static dv_status add_inputs(dv_tfl_builder *b)
{
    dv_fb_vector inputs = dv_fb_list(&b->scope->subgraph, 1, 4);
    for (uint32_t i = 0; i < inputs.count; i++)
        DV_TRY(add_input(b, dv_fb_i32_at(&inputs, i)));
    return b->fb.status;
}

static dv_status check_dims(const dv_tfl_builder *b)
{
    for (size_t i = 0; b->options && i < b->options->dim_count && i < 64; i++)
        if (!(b->dims_used & (uint64_t)1 << i))
            return dv_fail(
                DV_BAD_PARAMETER,
                "no input has a dimension '%s'; a TFLite model's are called INPUT:INDEX, "
                "and a result whose length the values decide as its operator",
                b->options->dims[i].name);
    return DV_OK;
}

/* ---- outputs ---- */

/* The tensor that stands for an output has its name; what was called so before makes way. */
static dv_status name_output(dv_tfl_builder *b, const dv_tfl_slot *slot, dv_tensor_id id,
                             const char *name)
{
    const char *own = dv_arena_copy(dv_graph_arena(b->graph), name);
    const char *other = dv_arena_printf(dv_graph_arena(b->graph), "%s.nchw", name);
    if (!own || !other)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    if (slot->planar != DV_NONE && slot->planar != id)
        dv_graph_tensor_mutable(b->graph, slot->planar)->name = other;
    if (slot->integers[1] != DV_NONE)
        dv_graph_tensor_mutable(b->graph, slot->integers[1])->name = other;
    dv_graph_tensor_mutable(b->graph, id)->name = own;
    return DV_OK;
}

static dv_status add_output(dv_tfl_builder *b, int32_t index)
{
    dv_tfl_tensor tensor;
    dv_tensor_id id;
    DV_TRY(dv_tfl_tensor_at(b, index, &tensor));
    const char *name = dv_tfl_text(b, tensor.name);
    if (!name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    DV_TRY(dv_within(dv_tfl_memory(b, (uint32_t)index, &id), "output '%.120s'", name));
    const dv_tensor *made = &b->graph->tensors[id];
    bool own = made->role == DV_ROLE_ACTIVATION && !made->is_output;
    if (!own) { /* an input, a constant, or an output already */
        dv_op like = {.name = name, .source_type = "OUTPUT", .debug_handle = -1};
        DV_TRY(dv_tfl_add_op(b, &like, DV_OP_IDENTITY, NULL, &id, 1, name, &id));
    } else {
        DV_TRY(name_output(b, &b->scope->slots[index], id, name));
    }
    return dv_graph_add_output(b->graph, id);
}

static dv_status add_outputs(dv_tfl_builder *b)
{
    dv_fb_vector outputs = dv_fb_list(&b->scope->subgraph, 2, 4);
    if (outputs.count == 0)
        return dv_fail(DV_BAD_INPUT, "the graph has no outputs");
    for (uint32_t i = 0; i < outputs.count; i++)
        DV_TRY(add_output(b, dv_fb_i32_at(&outputs, i)));
    return b->fb.status;
}

/* ---- the file ---- */

static dv_status describe(dv_tfl_builder *b)
{
    dv_span by = dv_fb_string(&b->model, 3);
    const char *about = dv_arena_printf(
        b->arena, "schema 3%s%.*s%s", by.size ? ", " : "", by.size > 120 ? 120 : (int)by.size,
        by.size ? (const char *)by.data : "", b->quantised ? ", quantised" : "");
    return about ? dv_graph_set_about(b->graph, about) : dv_fail(DV_NO_MEMORY, "out of memory");
}

static dv_status open_model(dv_tfl_builder *b)
{
    b->model = dv_fb_root(&b->fb);
    uint32_t version = dv_fb_u32(&b->model, 0, 0);
    b->codes = dv_fb_tables(&b->model, 1);
    b->subgraphs = dv_fb_tables(&b->model, 2);
    b->buffers = dv_fb_tables(&b->model, 4);
    DV_TRY(b->fb.status);
    if (version != 3)
        return dv_fail(DV_BAD_INPUT, "schema version %u is not supported; version 3 is", version);
    if (b->subgraphs.count == 0)
        return dv_fail(DV_BAD_INPUT, "it holds no graph");
    return DV_OK;
}

static dv_status build(dv_tfl_builder *b, dv_tfl_scope *scope)
{
    DV_TRY(open_model(b));
    DV_TRY(dv_tfl_open_scope(b, 0, scope));
    b->scope = scope;
    const char *name = dv_tfl_text(b, dv_fb_string(&scope->subgraph, 4));
    b->graph = name ? dv_graph_create(name, "tflite") : NULL;
    if (!b->graph)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    DV_TRY(add_inputs(b));
    DV_TRY(dv_tfl_add_operators(b));
    DV_TRY(check_dims(b));
    DV_TRY(add_outputs(b));
    DV_TRY(dv_tfl_add_states(b));
    DV_TRY(describe(b));
    return dv_graph_finish(b->graph);
}

static dv_status load(const char *path, dv_buffer *buffer, const dv_load_options *options,
                      dv_graph **out)
{
    (void)path;
    dv_tfl_scope scope = {0};
    dv_tfl_builder b = {.fb = {.bytes = dv_buffer_data(buffer), .size = dv_buffer_size(buffer)},
                        .buffer = buffer,
                        .options = options,
                        .arena = dv_arena_create()};
    dv_status status = b.arena ? build(&b, &scope) : dv_fail(DV_NO_MEMORY, "out of memory");
    if (status == DV_OK)
        *out = b.graph;
    else
        dv_graph_destroy(b.graph);
    dv_tfl_free_states(&b);
    dv_onnx_known_free(&b.known);
    dv_arena_destroy(b.arena);
    return status;
}

static bool recognise(const uint8_t *bytes, size_t size, const char *path)
{
    (void)path;
    return size >= 8 && memcmp(bytes + 4, "TFL3", 4) == 0;
}

const dv_loader dv_loader_tflite = {
    .name = "tflite",
    .summary = "TFLite, schema version 3",
    .extension = ".tflite",
    .recognise = recognise,
    .load = load,
};
