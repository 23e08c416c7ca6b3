/* tflite_tensor.c - tensors of a TFLite file as tensors of the graph, in either order of dims. */
#include <string.h>

#include "load/rows.h"
#include "load/tflite_build.h"
#include "load/unfold.h"

enum { BLOCKWISE = 2 }; /* QuantizationDetails */

static const uint8_t to_planar[] = {0, 3, 1, 2}, to_plain[] = {0, 2, 3, 1};

const char *dv_tfl_type_name(uint8_t type)
{
    static const char *const names[] = {
        "FLOAT32",  "FLOAT16",  "INT32",     "UINT8",         "INT64",       "STRING",
        "BOOL",     "INT16",    "COMPLEX64", "INT8",          "FLOAT64",     "COMPLEX128",
        "UINT64",   "RESOURCE", "VARIANT",   "UINT32",        "UINT16",      "INT4",
        "BFLOAT16", "INT2",     "UINT4",     "FLOAT8_E4M3FN", "FLOAT8_E5M2",
    };
    return type < sizeof names / sizeof names[0] ? names[type] : "of an unknown number";
}

/* How much of a name a message shows, and its letters. */
static int shown(dv_span name)
{
    return name.size > 120 ? 120 : (int)name.size;
}

static const char *letters(dv_span name)
{
    return name.size ? (const char *)name.data : "";
}

char *dv_tfl_text(dv_tfl_builder *b, dv_span name)
{
    return dv_arena_copy_n(b->arena, name.size ? (const char *)name.data : "", name.size);
}

static dv_status read_shape(dv_tfl_builder *b, dv_tfl_tensor *out)
{
    dv_fb_vector shape = dv_fb_list(&out->table, 0, 4), open = dv_fb_list(&out->table, 7, 4);
    if (shape.count > DV_MAX_RANK)
        return dv_fail(DV_BAD_INPUT, "it has %u dimensions; at most %d are supported", shape.count,
                       DV_MAX_RANK);
    out->shape.rank = (uint8_t)shape.count;
    for (uint32_t d = 0; d < shape.count; d++) {
        out->shape.dim[d] = dv_fb_i32_at(&shape, d);
        if (out->shape.dim[d] < 0)
            return dv_fail(DV_BAD_INPUT, "its dimension %u is %lld; a size cannot be negative", d,
                           (long long)out->shape.dim[d]);
        if (d < open.count && dv_fb_i32_at(&open, d) < 0)
            out->open |= 1u << d;
    }
    return b->fb.status;
}

/* Behind an operator whose output's size is computed, old files record no dims at all. What was
   made in planar order is an image, of sizes that nobody knows yet. */
static void assume_image(const dv_tfl_builder *b, int64_t index, dv_tfl_tensor *out)
{
    const dv_tfl_slot *slot = &b->scope->slots[index];
    if (out->shape.rank > 0 || (slot->planar == DV_NONE && slot->integers[1] == DV_NONE))
        return;
    out->shape = (dv_shape){.rank = 4, .dim = {1, 1, 1, 1}};
    out->open = 15;
}

dv_status dv_tfl_tensor_at(dv_tfl_builder *b, int64_t index, dv_tfl_tensor *out)
{
    if (index < 0 || index >= b->scope->tensors.count)
        return dv_fail(DV_BAD_INPUT, "tensor %lld of %u", (long long)index,
                       b->scope->tensors.count);
    *out = (dv_tfl_tensor){.table = dv_fb_table_at(&b->scope->tensors, (uint32_t)index)};
    out->type = dv_fb_u8(&out->table, 1, 0);
    out->buffer = dv_fb_u32(&out->table, 2, 0);
    out->name = dv_fb_string(&out->table, 3);
    dv_fb_table quantisation = dv_fb_child(&out->table, 4);
    out->scale = dv_fb_list(&quantisation, 2, 4);
    out->zero = dv_fb_list(&quantisation, 3, 8);
    out->quantised_axis = (uint32_t)dv_fb_i32(&quantisation, 6, 0);
    if (dv_fb_u8(&quantisation, 4, 0) == BLOCKWISE) {
        dv_fb_table blocks = dv_fb_child(&quantisation, 5);
        out->block_scales = dv_fb_i32(&blocks, 0, 0);
        out->block_zeros = dv_fb_i32(&blocks, 1, 0);
        out->block = dv_fb_i32(&blocks, 2, 0);
    }
    out->is_variable = dv_fb_flag(&out->table, 5, false);
    dv_dtype stored = dv_tfl_stored_dtype(out);
    out->quantised = out->scale.count > 0 &&
                     (stored == DV_DTYPE_I8 || stored == DV_DTYPE_U8 || stored == DV_DTYPE_I16 ||
                      stored == DV_DTYPE_U16 || stored == DV_DTYPE_I32 || stored == DV_DTYPE_I64);
    b->quantised |= out->quantised;
    if (b->fb.status == DV_OK)
        DV_TRY(
            dv_within(read_shape(b, out), "tensor '%.*s'", shown(out->name), letters(out->name)));
    assume_image(b, index, out);
    /* one scale an element of a vector is one a channel, whatever dim the file says it is of */
    if (out->shape.rank == 1 && out->scale.count == (uint32_t)out->shape.dim[0])
        out->quantised_axis = 0;
    return b->fb.status;
}

dv_status dv_tfl_count_built(dv_tfl_builder *b, size_t count)
{
    size_t most = b->fb.size / 2 + dv_unfold_most(b->fb.size);
    if (count > most - b->built)
        return dv_fail(DV_BAD_INPUT,
                       "its subgraphs, loops and steps unfold into more than %zu tensors and "
                       "operators, the most for a file of its size",
                       most);
    b->built += count;
    return DV_OK;
}

dv_status dv_tfl_open_scope(dv_tfl_builder *b, uint32_t subgraph, dv_tfl_scope *scope)
{
    *scope = (dv_tfl_scope){.subgraph = dv_fb_table_at(&b->subgraphs, subgraph)};
    scope->tensors = dv_fb_tables(&scope->subgraph, 0);
    DV_TRY(b->fb.status);
    DV_TRY(dv_tfl_count_built(b, scope->tensors.count));
    scope->slots = dv_arena_array(b->arena, scope->tensors.count, sizeof *scope->slots);
    if (!scope->slots)
        return dv_fail(DV_NO_MEMORY, "out of memory for %u tensors", scope->tensors.count);
    for (uint32_t i = 0; i < scope->tensors.count; i++) {
        dv_fb_table tensor = dv_fb_table_at(&scope->tensors, i);
        DV_TRY(dv_tfl_count_built(b, dv_unfold_names(1, dv_fb_string(&tensor, 3).size)));
        uint32_t index = dv_fb_u32(&tensor, 2, 0);
        dv_fb_vector shape = dv_fb_list(&tensor, 0, 4);
        bool empty = false, stored = false;
        for (uint32_t d = 0; d < shape.count; d++)
            empty |= dv_fb_i32_at(&shape, d) == 0;
        if (index > 0 && index < b->buffers.count) {
            dv_fb_table buffer = dv_fb_table_at(&b->buffers, index);
            dv_fb_vector data = dv_fb_list(&buffer, 0, 1);
            stored = data.count > 0 || dv_fb_u64(&buffer, 1, 0) > 1 || empty;
        }
        bool variable = dv_fb_flag(&tensor, 5, false);
        scope->slots[i] = (dv_tfl_slot){.plain = DV_NONE,
                                        .planar = DV_NONE,
                                        .integers = {DV_NONE, DV_NONE},
                                        .weight = DV_NONE,
                                        .variable = DV_NONE,
                                        .constant = stored && !variable ? i : DV_NONE};
        DV_TRY(b->fb.status);
    }
    return DV_OK;
}

/* ---- what is added to the graph ---- */

dv_status dv_tfl_add_activation(dv_tfl_builder *b, const char *name, dv_tensor_id *id)
{
    dv_tensor tensor = {
        .name = name, .role = DV_ROLE_ACTIVATION, .shape = {.rank = DV_RANK_UNKNOWN}};
    return dv_graph_add_tensor(b->graph, &tensor, id);
}

dv_status dv_tfl_add_op(dv_tfl_builder *b, const dv_op *like, dv_op_kind kind,
                        const dv_op_params *params, const dv_tensor_id *inputs,
                        uint32_t input_count, const char *name, dv_tensor_id *output)
{
    dv_op op = *like;
    op.kind = kind;
    op.reason = NULL;
    op.inputs = inputs;
    op.input_count = input_count;
    op.params = params ? *params : (dv_op_params){0};
    DV_TRY(dv_rows_bind(b->options, &op, &b->dims_used));
    dv_op_id id;
    dv_tensor_id made; /* *output may be one of the inputs */
    DV_TRY(dv_tfl_add_activation(b, name, &made));
    op.outputs = &made;
    op.output_count = 1;
    DV_TRY(dv_graph_add_op(b->graph, &op, &id));
    *output = made;
    return DV_OK;
}

static dv_status add_constant(dv_tfl_builder *b, uint32_t slot, dv_tensor *constant,
                              dv_tensor_id *id)
{
    dv_tfl_tensor tensor;
    dv_status status = dv_tfl_tensor_at(b, slot, &tensor);
    constant->name = status == DV_OK ? dv_tfl_text(b, tensor.name) : NULL;
    if (status == DV_OK)
        status = constant->name ? dv_graph_add_tensor(b->graph, constant, id)
                                : dv_fail(DV_NO_MEMORY, "out of memory");
    dv_buffer_release(constant->data.buffer);
    return status;
}

/* A slot may stand for the elements of another that a DEQUANTIZE or DENSIFY folded into it: those
   are quantised as the other one says. */
static dv_status constant_of(dv_tfl_builder *b, uint32_t slot, const uint8_t *perm,
                             dv_tfl_tensor *source, dv_tensor *out)
{
    uint32_t from = b->scope->slots[slot].constant;
    dv_tfl_tensor tensor;
    DV_TRY(dv_tfl_tensor_at(b, slot, &tensor));
    DV_TRY(dv_tfl_tensor_at(b, from, source));
    bool as_f32 = dv_tfl_dtype(&tensor) == DV_DTYPE_F32;
    return dv_within(dv_tfl_constant(b, from, as_f32, perm, out), "tensor '%.*s'",
                     shown(source->name), letters(source->name));
}

static dv_status not_there(dv_tfl_builder *b, uint32_t slot)
{
    dv_tfl_tensor tensor;
    DV_TRY(dv_tfl_tensor_at(b, slot, &tensor));
    return dv_fail(DV_BAD_INPUT, "tensor '%.*s' is read but neither made before nor given",
                   shown(tensor.name), letters(tensor.name));
}

/* What a recurrent operator keeps from one inference to the next. */
static dv_status add_state(dv_tfl_builder *b, uint32_t slot, const dv_tfl_tensor *tensor,
                           dv_tensor_id *id)
{
    dv_tensor state = {.name = dv_tfl_text(b, tensor->name),
                       .role = DV_ROLE_STATE,
                       .dtype = dv_tfl_stored_dtype(tensor),
                       .shape = tensor->shape};
    if (!state.name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    DV_TRY(dv_graph_add_tensor(b->graph, &state, id));
    *(tensor->quantised ? &b->scope->slots[slot].integers[0] : &b->scope->slots[slot].plain) = *id;
    return DV_OK;
}

/* ---- one form from the other ---- */

dv_status dv_tfl_set(dv_tfl_builder *b, uint32_t slot, bool planar, dv_tensor_id id,
                     const char *name)
{
    dv_tfl_slot *s = &b->scope->slots[slot];
    dv_tfl_tensor tensor;
    DV_TRY(dv_tfl_tensor_at(b, slot, &tensor));
    if (tensor.quantised)
        return dv_tfl_quantise(b, &tensor, tensor.quantised_axis, name, id, &s->integers[planar]);
    *(planar ? &s->planar : &s->plain) = id;
    name = dv_arena_copy(dv_graph_arena(b->graph), name);
    if (!name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    dv_graph_tensor_mutable(b->graph, id)->name = name;
    return DV_OK;
}

static bool has_form(const dv_tfl_slot *s, bool planar)
{
    return (planar ? s->planar : s->plain) != DV_NONE || s->integers[planar] != DV_NONE;
}

/* Makes a form by a permutation of the other one, `from`. */
static dv_status permuted(dv_tfl_builder *b, uint32_t slot, bool planar, dv_tensor_id from)
{
    dv_tfl_tensor tensor;
    dv_tensor_id id;
    DV_TRY(dv_tfl_tensor_at(b, slot, &tensor));
    char *name = dv_tfl_text(b, tensor.name);
    char *full = name ? dv_arena_printf(b->arena, planar ? "%s.nchw" : "%s.nhwc", name) : NULL;
    if (!full)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    dv_op_params params = {.permute = {.rank = 4}};
    memcpy(params.permute.perm, planar ? to_planar : to_plain, 4);
    dv_op like = {.name = full, .source_type = "TRANSPOSE", .debug_handle = b->handle};
    DV_TRY(dv_tfl_add_op(b, &like, DV_OP_PERMUTE, &params, &from, 1, full, &id));
    return dv_tfl_set(b, slot, planar, id, full);
}

/* A constant of fewer dims broadcasts along the last ones: in planar order it gets leading dims of
   1 first. *axis: where a channel's scales go. */
static dv_status constant_form(dv_tfl_builder *b, uint32_t slot, bool planar, dv_tensor *constant,
                               dv_tfl_tensor *source, uint32_t *axis)
{
    dv_tfl_tensor tensor;
    DV_TRY(dv_tfl_tensor_at(b, slot, &tensor));
    if (!planar) {
        DV_TRY(constant_of(b, slot, NULL, source, constant));
        *axis = source->quantised_axis;
        return DV_OK;
    }
    uint8_t perm[4], rank = tensor.shape.rank, lead = (uint8_t)(4 - rank), used = 0;
    dv_shape shape = {.rank = 4, .dim = {1, 1, 1, 1}};
    DV_TRY(dv_tfl_tensor_at(b, b->scope->slots[slot].constant, source));
    *axis = 0;
    for (uint8_t d = 0; d < 4; d++)
        if (to_planar[d] >= lead) {
            perm[used++] = (uint8_t)(to_planar[d] - lead);
            shape.dim[d] = tensor.shape.dim[to_planar[d] - lead];
            if (to_planar[d] == source->quantised_axis + lead)
                *axis = d;
        }
    if (!dv_shape_equal(&source->shape, &tensor.shape))
        return dv_fail(DV_BAD_INPUT, "tensor '%.*s' changes its shape when it is converted",
                       shown(tensor.name), letters(tensor.name));
    DV_TRY(constant_of(b, slot, perm, source, constant));
    constant->shape = shape;
    return DV_OK;
}

/* A constant as operators read it. Where the source is quantised and this slot is, too, its
   integers are kept, for an operator that takes them as they are. */
static dv_status make_constant(dv_tfl_builder *b, uint32_t slot, bool planar, dv_tensor_id *id)
{
    dv_tensor constant;
    dv_tfl_tensor source;
    uint32_t axis;
    dv_tfl_slot *s = &b->scope->slots[slot];
    DV_TRY(constant_form(b, slot, planar, &constant, &source, &axis));
    DV_TRY(add_constant(b, slot, &constant, id));
    if (!source.quantised)
        return DV_OK;
    s->integers[planar] = *id;
    return dv_within(dv_tfl_dequantise(b, &source, axis, b->graph->tensors[*id].name, *id, id),
                     "tensor '%.*s'", shown(source.name), letters(source.name));
}

static dv_status form(dv_tfl_builder *b, uint32_t slot, bool planar, dv_tensor_id *id)
{
    dv_tfl_slot *s = &b->scope->slots[slot];
    dv_tensor_id *kept = planar ? &s->planar : &s->plain;
    dv_tfl_tensor tensor;
    *id = *kept;
    if (*id != DV_NONE)
        return DV_OK;
    DV_TRY(dv_tfl_tensor_at(b, slot, &tensor));
    if (s->constant != DV_NONE && (!planar || tensor.shape.rank <= 4)) {
        DV_TRY(make_constant(b, slot, planar, id));
        *kept = *id;
        return DV_OK;
    }
    if (!has_form(s, planar)) {
        dv_tensor_id other;
        if (!has_form(s, !planar) && !planar) {
            DV_TRY(tensor.is_variable ? add_state(b, slot, &tensor, id) : not_there(b, slot));
        } else {
            DV_TRY(form(b, slot, !planar, &other));
            DV_TRY(permuted(b, slot, planar, other));
        }
    }
    if (*kept == DV_NONE)
        DV_TRY(dv_tfl_dequantise(b, &tensor, tensor.quantised_axis,
                                 b->graph->tensors[s->integers[planar]].name, s->integers[planar],
                                 kept));
    *id = *kept;
    return DV_OK;
}

dv_status dv_tfl_plain(dv_tfl_builder *b, uint32_t slot, dv_tensor_id *id)
{
    return form(b, slot, false, id);
}

dv_status dv_tfl_planar(dv_tfl_builder *b, uint32_t slot, dv_tensor_id *id)
{
    return form(b, slot, true, id);
}

dv_status dv_tfl_memory(dv_tfl_builder *b, uint32_t slot, dv_tensor_id *id)
{
    dv_tfl_tensor tensor;
    dv_tfl_slot *s = &b->scope->slots[slot];
    DV_TRY(dv_tfl_tensor_at(b, slot, &tensor));
    if (!tensor.quantised || s->integers[0] == DV_NONE)
        DV_TRY(dv_tfl_plain(b, slot, id));
    if (!tensor.quantised)
        return DV_OK;
    if (s->integers[0] == DV_NONE)
        DV_TRY(dv_tfl_quantise(b, &tensor, tensor.quantised_axis, b->graph->tensors[*id].name, *id,
                               &s->integers[0]));
    *id = s->integers[0];
    return DV_OK;
}

dv_status dv_tfl_weight(dv_tfl_builder *b, uint32_t slot, const uint8_t *perm, dv_tensor_id *id)
{
    dv_tfl_slot *s = &b->scope->slots[slot];
    dv_tensor constant;
    dv_tfl_tensor source;
    if (s->weight != DV_NONE && s->weight_perm == perm) {
        *id = s->weight;
        return DV_OK;
    }
    DV_TRY(dv_tfl_tensor_at(b, s->constant, &source));
    DV_TRY(constant_of(b, slot, perm, &source, &constant));
    uint32_t axis = 0;
    for (uint8_t d = 0; d < source.shape.rank; d++)
        axis = perm[d] == source.quantised_axis ? d : axis;
    DV_TRY(add_constant(b, slot, &constant, id));
    if (source.quantised)
        DV_TRY(dv_within(dv_tfl_dequantise(b, &source, axis, b->graph->tensors[*id].name, *id, id),
                         "tensor '%.*s'", shown(source.name), letters(source.name)));
    s->weight = *id;
    s->weight_perm = perm;
    return DV_OK;
}
