/* rewrite.c - building a changed copy of a finished graph. */
#include "lower/rewrite.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static dv_status out_of_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "out of memory while lowering a graph");
}

char *dv_name_text(const char *name, char out[DV_NAME_TEXT])
{
    size_t length = 0;
    for (; name[length] && length < DV_NAME_TEXT - 4; length++)
        out[length] = (unsigned char)name[length] < ' ' || name[length] == 127 ? '?' : name[length];
    if (name[length]) { /* cut, but not inside a UTF-8 sequence */
        while (length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80)
            length--;
        memcpy(out + length, "...", 3);
        length += 3;
    }
    out[length] = 0;
    return out;
}

dv_status dv_node_fail(const dv_op *op, const char *format, ...)
{
    char what[512], name[DV_NAME_TEXT], type[DV_NAME_TEXT];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return dv_fail(DV_BAD_INPUT, "node %lld '%s' (%s): %s", (long long)op->debug_handle,
                   dv_name_text(op->name, name), dv_name_text(op->source_type, type), what);
}

const dv_op *dv_graph_maker(const dv_graph *graph, dv_tensor_id id)
{
    if (id == DV_NONE || graph->producer[id] == DV_NONE)
        return NULL;
    return &graph->ops[graph->producer[id]];
}

uint32_t dv_graph_readers(const dv_graph *graph, dv_tensor_id id)
{
    return graph->consumer_start[id + 1] - graph->consumer_start[id] +
           (graph->tensors[id].is_output || graph->tensors[id].is_kept ? 1 : 0);
}

dv_rewrite dv_rewrite_dry(const dv_graph *from)
{
    return (dv_rewrite){.from = from};
}

/* A dry rewrite has no new graph: what would change it ends it. */
static bool stops(dv_rewrite *rewrite)
{
    if (rewrite->to)
        return false;
    rewrite->changed = true;
    return true;
}

const dv_tensor *dv_rewrite_at(const dv_rewrite *rewrite, dv_tensor_id id)
{
    if (!rewrite->to)
        return &rewrite->from->tensors[id];
    return &rewrite->to->tensors[id];
}

const dv_op *dv_rewrite_producer(const dv_rewrite *rewrite, dv_tensor_id id)
{
    if (!rewrite->to)
        return dv_graph_maker(rewrite->from, id);
    if (id == DV_NONE || rewrite->producer[id] == DV_NONE)
        return NULL;
    return &rewrite->to->ops[rewrite->producer[id]];
}

dv_status dv_rewrite_add(dv_rewrite *rewrite, const dv_tensor *tensor, dv_tensor_id *id)
{
    if (stops(rewrite))
        return DV_INTERNAL;
    DV_TRY(dv_graph_add_tensor(rewrite->to, tensor, id));
    if (!dv_grow((void **)&rewrite->producer, &rewrite->producer_capacity, (size_t)*id + 1,
                 sizeof *rewrite->producer))
        return out_of_memory();
    rewrite->producer[*id] = DV_NONE;
    return DV_OK;
}

dv_status dv_rewrite_tensor(dv_rewrite *rewrite, dv_tensor_id old, dv_tensor_id *id)
{
    if (old == DV_NONE || !rewrite->to) {
        *id = old;
        return DV_OK;
    }
    if (rewrite->map[old] == DV_NONE) {
        dv_tensor_id fresh;
        DV_TRY(dv_rewrite_add(rewrite, &rewrite->from->tensors[old], &fresh));
        rewrite->map[old] = fresh;
    }
    *id = rewrite->map[old];
    return DV_OK;
}

static void forget(dv_rewrite *rewrite)
{
    free(rewrite->map);
    free(rewrite->producer);
    rewrite->map = NULL;
    rewrite->producer = NULL;
}

/* What a pass may still compute: TIMES_STORED elements for each byte of the files that the model
   was read from, and FREE_ELEMENTS, less what was computed before. Mapped files are stored, other
   buffers were made; neighbours that share one count once. */
static size_t spare_of(const dv_graph *graph)
{
    enum { FREE_ELEMENTS = 1 << 21, TIMES_STORED = 4 };
    const dv_buffer *last = NULL;
    size_t stored = graph->source ? dv_buffer_size(graph->source) : 0, made = 0, bytes, elements;
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++) {
        const dv_tensor *tensor = &graph->tensors[t];
        const dv_data *data = &tensor->data;
        if (data->storage != DV_STORAGE_BUFFER || data->buffer == last ||
            data->buffer == graph->source)
            continue;
        last = data->buffer;
        bool mapped = dv_buffer_is_mapped(last);
        if (mapped && !dv_add_size(stored, dv_buffer_size(last), &stored))
            return SIZE_MAX;
        if (!mapped && dv_shape_elements(&tensor->shape, &elements))
            made += elements;
    }
    if (!dv_mul_size(stored, TIMES_STORED, &bytes) || !dv_add_size(bytes, FREE_ELEMENTS, &bytes))
        return SIZE_MAX;
    return bytes > made ? bytes - made : 0;
}

bool dv_rewrite_afford(dv_rewrite *rewrite, size_t elements)
{
    if (elements > rewrite->spare)
        return false;
    rewrite->spare -= elements;
    return true;
}

dv_status dv_rewrite_begin(dv_rewrite *rewrite, const dv_graph *from)
{
    *rewrite = (dv_rewrite){.from = from, .spare = spare_of(from)};
    rewrite->to = dv_graph_create(from->name, from->format);
    rewrite->map = malloc(((size_t)from->tensor_count + 1) * sizeof *rewrite->map);
    dv_status status = rewrite->to && rewrite->map ? DV_OK : out_of_memory();
    if (status == DV_OK) {
        memset(rewrite->map, 0xff, from->tensor_count * sizeof *rewrite->map); /* DV_NONE */
        status = dv_graph_copy_source(rewrite->to, from);
    }
    if (status == DV_OK)
        status = dv_graph_reserve(rewrite->to, from->op_count, from->tensor_count);
    dv_tensor_id ignored;
    for (uint32_t i = 0; status == DV_OK && i < from->input_count; i++)
        status = dv_rewrite_tensor(rewrite, from->inputs[i], &ignored);
    if (status != DV_OK) {
        forget(rewrite);
        dv_graph_destroy(rewrite->to);
        rewrite->to = NULL;
    }
    return status;
}

dv_status dv_rewrite_add_op(dv_rewrite *rewrite, const dv_op *op)
{
    dv_op_id id;
    if (stops(rewrite))
        return DV_INTERNAL;
    DV_TRY(dv_graph_add_op(rewrite->to, op, &id));
    for (uint32_t i = 0; i < op->output_count; i++)
        if (op->outputs[i] != DV_NONE)
            rewrite->producer[op->outputs[i]] = id;
    return DV_OK;
}

dv_status dv_rewrite_copy(dv_rewrite *rewrite, const dv_op *op)
{
    dv_tensor_id few[16], *ids = few;
    size_t count = (size_t)op->input_count + op->output_count;
    if (count > 16)
        ids = malloc(count * sizeof *ids);
    if (!ids)
        return out_of_memory();
    dv_status status = DV_OK;
    for (size_t i = 0; status == DV_OK && i < count; i++)
        status = dv_rewrite_tensor(
            rewrite, i < op->input_count ? op->inputs[i] : op->outputs[i - op->input_count],
            &ids[i]);
    if (status == DV_OK) {
        dv_op copy = *op;
        copy.inputs = ids;
        copy.outputs = ids + op->input_count;
        status = dv_rewrite_add_op(rewrite, &copy);
    }
    if (ids != few)
        free(ids);
    return status;
}

static dv_status add_made(dv_rewrite *rewrite, const dv_made *made, dv_tensor_id output)
{
    dv_op op = {.kind = made->kind,
                .name = made->source->name,
                .source_type = made->source->source_type,
                .input_count = made->input_count,
                .output_count = 1,
                .inputs = made->inputs,
                .outputs = &output,
                .params = made->params,
                .debug_handle = made->source->debug_handle};
    rewrite->changed = true;
    return dv_rewrite_add_op(rewrite, &op);
}

dv_status dv_rewrite_replace(dv_rewrite *rewrite, const dv_made *made)
{
    dv_tensor_id output;
    DV_TRY(dv_rewrite_tensor(rewrite, made->source->outputs[0], &output));
    return add_made(rewrite, made, output);
}

static dv_status add_named(dv_rewrite *rewrite, const char *base, const char *suffix,
                           dv_tensor *tensor, dv_tensor_id *id)
{
    if (stops(rewrite))
        return DV_INTERNAL;
    tensor->name = dv_arena_printf(dv_graph_arena(rewrite->to), "%s.%s", base, suffix);
    return tensor->name ? dv_rewrite_add(rewrite, tensor, id) : out_of_memory();
}

dv_status dv_rewrite_step(dv_rewrite *rewrite, const dv_made *made, const char *suffix,
                          dv_dtype dtype, const dv_shape *shape, dv_tensor_id *id)
{
    dv_tensor tensor = {.dtype = dtype, .shape = *shape, .role = DV_ROLE_ACTIVATION};
    DV_TRY(add_named(rewrite, rewrite->from->tensors[made->source->outputs[0]].name, suffix,
                     &tensor, id));
    return add_made(rewrite, made, *id);
}

dv_status dv_rewrite_constant(dv_rewrite *rewrite, const char *base, const char *suffix,
                              dv_dtype dtype, const dv_shape *shape, const dv_data *data,
                              dv_tensor_id *id)
{
    dv_tensor tensor = {.dtype = dtype, .shape = *shape, .role = DV_ROLE_CONSTANT, .data = *data};
    return add_named(rewrite, base, suffix, &tensor, id);
}

dv_status dv_rewrite_floats(dv_rewrite *rewrite, const char *base, const char *suffix,
                            const dv_shape *shape, const float *values, dv_tensor_id *id)
{
    size_t elements, bytes;
    if (!dv_shape_elements(shape, &elements) || !dv_mul_size(elements, sizeof *values, &bytes))
        return dv_fail(DV_INTERNAL, "a constant of unknown shape");
    dv_data data = {.storage = DV_STORAGE_BUFFER, .buffer = dv_buffer_create(bytes)};
    if (!data.buffer)
        return out_of_memory();
    if (bytes > 0)
        memcpy(dv_buffer_writable(data.buffer), values, bytes);
    dv_status status = dv_rewrite_constant(rewrite, base, suffix, DV_DTYPE_F32, shape, &data, id);
    dv_buffer_release(data.buffer); /* the graph has its own reference */
    return status;
}

/* A graph output must be made by an operator, under its own name. */
static dv_status make_view(dv_rewrite *rewrite, const dv_op *like, dv_tensor_id source,
                           dv_tensor_id output)
{
    const dv_tensor *tensor = dv_rewrite_at(rewrite, source);
    dv_op op = {.kind = DV_OP_VIEW,
                .name = like ? like->name : dv_rewrite_at(rewrite, output)->name,
                .source_type = like ? like->source_type : "Identity",
                .input_count = 1,
                .output_count = 1,
                .inputs = &source,
                .outputs = &output,
                .params.view.shape = tensor->shape,
                .debug_handle = like ? like->debug_handle : -1};
    for (uint8_t d = 0; tensor->shape.rank <= DV_MAX_RANK && d < tensor->shape.rank; d++)
        op.params.view.allow_zero |= tensor->shape.dim[d] == 0;
    return dv_rewrite_add_op(rewrite, &op);
}

dv_status dv_rewrite_alias(dv_rewrite *rewrite, const dv_op *source, dv_tensor_id id)
{
    dv_tensor_id old = source->outputs[0];
    if (stops(rewrite))
        return DV_INTERNAL;
    if (old == DV_NONE)
        return DV_OK;
    if (!rewrite->from->tensors[old].is_output) {
        rewrite->map[old] = id;
        rewrite->changed = true;
        return DV_OK;
    }
    if (id == rewrite->map[source->inputs[0]] && rewrite->producer[id] != DV_NONE &&
        !dv_rewrite_at(rewrite, id)->is_output) {
        char *name = dv_arena_copy(dv_graph_arena(rewrite->to), rewrite->from->tensors[old].name);
        if (!name)
            return out_of_memory();
        dv_tensor *tensor = dv_graph_tensor_mutable(rewrite->to, id);
        tensor->name = name;
        tensor->is_output = true;
        rewrite->map[old] = id;
        rewrite->changed = true;
        return DV_OK;
    }
    dv_tensor output = rewrite->from->tensors[old];
    output.shape = dv_rewrite_at(rewrite, id)->shape;
    output.dtype = dv_rewrite_at(rewrite, id)->dtype;
    DV_TRY(dv_rewrite_add(rewrite, &output, &rewrite->map[old]));
    return make_view(rewrite, source, id, rewrite->map[old]);
}

/* The i-th output in the new graph; what cannot be an output itself gets a VIEW. */
static dv_status add_output(dv_rewrite *rewrite, dv_tensor_id old)
{
    dv_graph *to = rewrite->to;
    const dv_tensor *was = &rewrite->from->tensors[old];
    dv_tensor_id id;
    DV_TRY(dv_rewrite_tensor(rewrite, old, &id));
    const dv_tensor *now = dv_rewrite_at(rewrite, id);
    bool own = rewrite->producer[id] != DV_NONE && strcmp(now->name, was->name) == 0;
    if (own || (was->role == DV_ROLE_ACTIVATION && rewrite->producer[id] == DV_NONE &&
                now->role == DV_ROLE_ACTIVATION)) /* the latter is a fault that finish names */
        return dv_graph_add_output(to, id);
    dv_tensor output = {.dtype = now->dtype, .shape = now->shape, .role = DV_ROLE_ACTIVATION};
    dv_tensor_id made;
    if (strcmp(now->name, was->name) == 0 && now->role != DV_ROLE_CONSTANT) {
        DV_TRY(add_named(rewrite, was->name, "output", &output, &made));
    } else {
        if (now->role == DV_ROLE_CONSTANT && strcmp(now->name, was->name) == 0) {
            char *name = dv_arena_printf(dv_graph_arena(to), "%s.value", was->name);
            if (!name)
                return out_of_memory();
            dv_graph_tensor_mutable(to, id)->name = name;
        }
        output.name = was->name;
        DV_TRY(dv_rewrite_add(rewrite, &output, &made));
    }
    if (rewrite->producer[id] == DV_NONE)
        dv_graph_tensor_mutable(to, id)->is_output = false;
    rewrite->map[old] = made;
    rewrite->changed = true;
    DV_TRY(make_view(rewrite, dv_graph_maker(rewrite->from, old), id, made));
    return dv_graph_add_output(to, made);
}

/* States in the new graph; a next value that no operator makes any more gets a VIEW. */
static dv_status add_states(dv_rewrite *rewrite)
{
    const dv_graph *from = rewrite->from;
    for (uint32_t i = 0; i < from->state_count; i++) {
        dv_tensor_id state, next;
        DV_TRY(dv_rewrite_tensor(rewrite, from->states[i].tensor, &state));
        DV_TRY(dv_rewrite_tensor(rewrite, from->states[i].next, &next));
        if (rewrite->producer[next] == DV_NONE) {
            const dv_tensor *now = dv_rewrite_at(rewrite, next);
            dv_tensor made = {.dtype = now->dtype, .shape = now->shape};
            dv_tensor_id id;
            DV_TRY(
                add_named(rewrite, from->tensors[from->states[i].tensor].name, "next", &made, &id));
            dv_graph_tensor_mutable(rewrite->to, next)->is_kept = false;
            DV_TRY(make_view(rewrite, dv_graph_maker(from, from->states[i].next), next, id));
            next = id;
        }
        DV_TRY(dv_graph_add_state(rewrite->to, state, next));
    }
    return DV_OK;
}

static dv_status finish(dv_rewrite *rewrite, dv_status status, bool sweeps, dv_graph **out)
{
    if (status == DV_OK)
        status = add_states(rewrite);
    if (status == DV_OK && sweeps)
        status = dv_graph_sweep(rewrite->to);
    if (status == DV_OK)
        status = dv_graph_finish(rewrite->to);
    forget(rewrite);
    if (status == DV_OK)
        *out = rewrite->to;
    else
        dv_graph_destroy(rewrite->to);
    rewrite->to = NULL;
    return status;
}

dv_status dv_rewrite_end(dv_rewrite *rewrite, dv_status status, dv_graph **out)
{
    const dv_graph *from = rewrite->from;
    for (uint32_t i = 0; status == DV_OK && i < from->output_count; i++)
        status = add_output(rewrite, from->outputs[i]);
    return finish(rewrite, status, true, out);
}

dv_status dv_rewrite_end_as_is(dv_rewrite *rewrite, dv_status status, dv_graph **out)
{
    const dv_graph *from = rewrite->from;
    for (uint32_t i = 0; status == DV_OK && i < from->output_count; i++) {
        dv_tensor_id id;
        status = dv_rewrite_tensor(rewrite, from->outputs[i], &id);
        if (status == DV_OK)
            status = dv_graph_add_output(rewrite->to, id);
    }
    return finish(rewrite, status, false, out);
}

dv_status dv_rewrite_end_if_changed(dv_rewrite *rewrite, dv_status status, dv_graph **out)
{
    if (status != DV_OK || rewrite->changed)
        return dv_rewrite_end(rewrite, status, out);
    forget(rewrite);
    dv_graph_destroy(rewrite->to);
    rewrite->to = NULL;
    *out = NULL;
    return DV_OK;
}
