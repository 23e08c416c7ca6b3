/* pte.c - a method of an ExecuTorch program becomes a graph.

   Kernels are ATen's and become operators by their table; the blobs of XNNPACK and Vulkan are
   opened into theirs; the call of any other delegate is one operator that is kept by name, with its
   shapes. Every operator has the instruction that it came from as its handle, so that the program's
   own placement can be read off the graph. */
#include <string.h>

#include "load/load.h"
#include "load/pte.h"
#include "load/xnnblob.h"

/* ---- values ---- */

static const char *name_of(const dv_pte_builder *b, uint32_t value)
{
    const dv_pte_value *v = &b->pte->values[value];
    return v->name.size ? dv_arena_copy_n(b->arena, (const char *)v->name.data, v->name.size)
                        : dv_arena_printf(b->arena, "value_%u", value);
}

static dv_status add_value(dv_pte_builder *b, uint32_t value, dv_role role, dv_tensor_id *id)
{
    const dv_pte_value *v = &b->pte->values[value];
    dv_tensor tensor = {
        .name = name_of(b, value), .dtype = v->dtype, .shape = v->shape, .role = role};
    if (!tensor.name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    bool kept = role == DV_ROLE_CONSTANT || role == DV_ROLE_STATE;
    if (kept && v->stored.data && v->dtype != DV_DTYPE_NONE)
        tensor.data = (dv_data){.storage = DV_STORAGE_BUFFER,
                                .buffer = v->buffer,
                                .offset = (size_t)(v->stored.data - dv_buffer_data(v->buffer))};
    for (uint8_t d = 0; role == DV_ROLE_CONSTANT && v->permuted && d < v->shape.rank; d++)
        tensor.shape.dim[d] = v->shape.dim[v->order[d]];
    return dv_graph_add_tensor(b->graph, &tensor, id);
}

/* An operator of the loader's own making. */
static dv_status emit(dv_pte_builder *b, dv_op_kind kind, const dv_op_params *params,
                      const char *name, dv_tensor_id from, uint32_t value, dv_tensor_id *id)
{
    dv_op op = {.kind = kind,
                .name = name,
                .source_type = dv_op_info_of(kind)->name,
                .debug_handle = b->instruction,
                .params = *params,
                .inputs = &from,
                .input_count = 1,
                .outputs = id,
                .output_count = 1};
    dv_op_id op_id;
    dv_tensor tensor = {
        .name = name, .dtype = b->pte->values[value].dtype, .shape = b->pte->values[value].shape};
    DV_TRY(dv_graph_add_tensor(b->graph, &tensor, id));
    return dv_graph_add_op(b->graph, &op, &op_id);
}

/* A weight whose elements are stored in another order of dimensions is turned. */
static dv_status add_constant(dv_pte_builder *b, uint32_t value)
{
    const dv_pte_value *v = &b->pte->values[value];
    dv_op_params params = {.permute = {.rank = v->shape.rank}};
    dv_tensor_id stored;
    if (!v->stored.data && v->bytes > 0)
        return dv_fail(DV_BAD_INPUT,
                       v->external ? "weight '%.120s' is neither in the program nor in a .ptd file "
                                     "beside it (the program's name with .ptd, or "
                                     "_default_external_constant.ptd)"
                                   : "weight '%.120s' has fewer bytes than its shape needs",
                       name_of(b, value));
    if (!v->stored.data) /* of no elements */
        return add_value(b, value, DV_ROLE_STATE, &b->ids[value]);
    DV_TRY(add_value(b, value, DV_ROLE_CONSTANT, &stored));
    b->ids[value] = stored;
    if (!v->permuted)
        return DV_OK;
    for (uint8_t d = 0; d < v->shape.rank; d++)
        params.permute.perm[v->order[d]] = d;
    return emit(b, DV_OP_PERMUTE, &params, name_of(b, value), stored, value, &b->ids[value]);
}

/* A value that nothing made is a weight, or what the program keeps between its runs. */
static dv_status add_unmade(dv_pte_builder *b, uint32_t value)
{
    const dv_pte_value *v = &b->pte->values[value];
    if (v->external || (v->data > 0 && !v->planned))
        return add_constant(b, value);
    DV_TRY(add_value(b, value, DV_ROLE_STATE, &b->ids[value]));
    b->states[value] = b->ids[value];
    return DV_OK;
}

/* The same bytes under the view's own shape and type. */
static dv_status add_view(dv_pte_builder *b, uint32_t value, dv_tensor_id source)
{
    const dv_pte_value *v = &b->pte->values[value];
    const dv_tensor *from = &b->graph->tensors[source];
    dv_op_params params = {.view = {.shape = v->shape, .allow_zero = true}};
    if (from->dtype != v->dtype)
        return dv_fail(DV_BAD_INPUT, "value %u shows %s as %s, which is not supported", value,
                       dv_dtype_name(from->dtype), dv_dtype_name(v->dtype));
    b->of[value] = source;
    if (dv_shape_equal(&from->shape, &v->shape)) {
        b->ids[value] = source;
        return DV_OK;
    }
    const char *name = name_of(b, value);
    if (!name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    return emit(b, DV_OP_VIEW, &params, name, source, value, &b->ids[value]);
}

dv_status dv_pte_tensor(dv_pte_builder *b, uint32_t value, dv_tensor_id *id)
{
    uint32_t root = b->pte->same_as[value];
    if (b->ids[root] == DV_NONE)
        DV_TRY(add_unmade(b, root));
    if (root != value && (b->ids[value] == DV_NONE || b->of[value] != b->ids[root]))
        DV_TRY(add_view(b, value, b->ids[root]));
    *id = b->ids[value];
    return DV_OK;
}

dv_status dv_pte_make(dv_pte_builder *b, uint32_t value, dv_tensor_id *id)
{
    return add_value(b, value, DV_ROLE_ACTIVATION, id);
}

void dv_pte_set(dv_pte_builder *b, uint32_t value, dv_tensor_id id)
{
    const char *name = name_of(b, value);
    const char *own = name ? dv_arena_copy(dv_graph_arena(b->graph), name) : NULL;
    if (own && b->graph->tensors[id].role == DV_ROLE_ACTIVATION)
        dv_graph_tensor_mutable(b->graph, id)->name = own; /* as the program calls it */
    b->ids[value] = id;
}

dv_status dv_pte_new_buffer(dv_pte_builder *b, size_t bytes, dv_buffer **out)
{
    /* numbers of 4 bits become f32, and a weight may be shared by a few delegates */
    size_t file =
        dv_buffer_size(b->pte->buffer) + (b->pte->weights ? dv_buffer_size(b->pte->weights) : 0);
    if (!dv_add_size(b->made_bytes, bytes, &b->made_bytes) || b->made_bytes / 32 > file + 4096)
        return dv_fail(DV_BAD_INPUT, "its weights are larger than the file can hold");
    *out = dv_buffer_create(bytes + 1);
    return *out ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory for %zu bytes of weights", bytes);
}

/* ---- calls ---- */

static dv_status add_delegate(dv_pte_builder *b, const dv_pte_call *call)
{
    const dv_pte_delegate *delegate = &b->pte->delegates[call->delegate];
    bool opened = false;
    if (!dv_add_size(b->blob_bytes, delegate->blob.size, &b->blob_bytes) ||
        b->blob_bytes / 16 > dv_buffer_size(b->pte->buffer))
        return dv_fail(DV_BAD_INPUT, "its delegates are called too often");
    dv_arena *whole = b->arena;
    b->arena = dv_arena_create(); /* what opening a blob takes is not needed behind it */
    dv_status status = b->arena ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory");
    if (status == DV_OK)
        status = dv_xnnblob_add(b, call, &opened);
    if (status == DV_OK && !opened)
        status = dv_vkblob_add(b, call, &opened);
    dv_arena_destroy(b->arena);
    b->arena = whole;
    DV_TRY(dv_within(status, "delegate %u (%.80s)", call->delegate, delegate->backend));
    return opened ? DV_OK
                  : dv_pte_add_opaque(b, call,
                                      "what this delegate runs is its backend's own business");
}

static dv_status add_call(dv_pte_builder *b, const dv_pte_call *call)
{
    b->instruction = call->instruction;
    if (b->pte->jumps > 0)
        return dv_pte_add_opaque(b, call, "this method has branches");
    return call->delegate == DV_NONE ? dv_pte_add_kernel(b, call) : add_delegate(b, call);
}

/* ---- the method ---- */

static dv_status describe(dv_pte_builder *b)
{
    const dv_pte *pte = b->pte;
    const char *about = dv_arena_printf(b->arena, "method %.80s, %u calls, %u changes of backend%s",
                                        pte->method, pte->call_count, pte->switches,
                                        pte->jumps ? ", with branches: both sides are listed" : "");
    return about ? dv_graph_set_about(b->graph, about) : dv_fail(DV_NO_MEMORY, "out of memory");
}

static dv_status add_outputs(dv_pte_builder *b)
{
    const dv_pte *pte = b->pte;
    b->instruction = DV_NONE;
    for (uint32_t i = 0; i < pte->output_count; i++) {
        uint32_t value = (uint32_t)pte->outputs[i];
        dv_tensor_id id;
        if (!pte->values[value].is_tensor)
            continue;
        DV_TRY(dv_pte_tensor(b, value, &id));
        if (!b->graph->tensors[id].is_output)
            DV_TRY(dv_graph_add_output(b->graph, id));
    }
    for (uint32_t v = 0; v < pte->value_count; v++)
        if (b->states[v] != DV_NONE && b->ids[v] != b->states[v])
            DV_TRY(dv_graph_add_state(b->graph, b->states[v], b->ids[v]));
    return DV_OK;
}

static dv_status build(dv_pte_builder *b)
{
    const dv_pte *pte = b->pte;
    for (uint32_t v = 0; v < pte->value_count; v++)
        b->ids[v] = b->of[v] = b->states[v] = DV_NONE;
    for (uint32_t i = 0; i < pte->input_count; i++) {
        uint32_t value = (uint32_t)pte->inputs[i];
        if (pte->values[value].is_tensor && b->ids[value] == DV_NONE)
            DV_TRY(add_value(b, value, DV_ROLE_INPUT, &b->ids[value]));
    }
    for (uint32_t i = 0; i < pte->call_count; i++) {
        DV_TRY(dv_within(add_call(b, &pte->calls[i]), "instruction %u (%.100s)",
                         pte->calls[i].instruction, pte->calls[i].name));
    }
    DV_TRY(add_outputs(b));
    DV_TRY(describe(b));
    return dv_graph_finish(b->graph);
}

static dv_status load(const char *path, dv_buffer *buffer, const dv_load_options *options,
                      dv_graph **out)
{
    dv_pte pte;
    if (options && options->dim_count > 0)
        return dv_fail(DV_BAD_PARAMETER, "the shapes of a compiled program are fixed; --dim does "
                                         "not apply");
    DV_TRY(dv_pte_read(buffer, path, options ? options->method : NULL, &pte));
    dv_pte_builder b = {
        .pte = &pte, .arena = pte.arena, .graph = dv_graph_create(pte.method, "pte")};
    b.ids = dv_arena_array(pte.arena, pte.value_count, sizeof *b.ids);
    b.of = dv_arena_array(pte.arena, pte.value_count, sizeof *b.of);
    b.states = dv_arena_array(pte.arena, pte.value_count, sizeof *b.states);
    dv_status status =
        b.graph && b.ids && b.of && b.states ? build(&b) : dv_fail(DV_NO_MEMORY, "out of memory");
    if (status == DV_OK)
        *out = b.graph;
    else
        dv_graph_destroy(b.graph);
    dv_pte_free(&pte);
    return status;
}

static bool recognise(const uint8_t *bytes, size_t size, const char *path)
{
    (void)path;
    return dv_pte_recognise(bytes, size);
}

const dv_loader dv_loader_pte = {
    .name = "pte",
    .summary = "ExecuTorch programs",
    .extension = ".pte",
    .recognise = recognise,
    .load = load,
};
