/* pte.c - an ExecuTorch program becomes a graph of its calls.

   What a delegate runs inside is its backend's own business, and kernels are called by name; so
   each call is an operator that is kept by name, with shapes, weights and edges as the program has
   them. `divvy info` shows the placement itself (pte.h). */
#include <string.h>

#include "load/load.h"
#include "load/pte.h"

typedef struct builder {
    const dv_pte *pte;
    dv_buffer *buffer;
    dv_graph *graph;
    dv_tensor_id *ids; /* per value: the tensor that holds it now */
} builder;

static const char *name_of(const builder *b, uint32_t value)
{
    const dv_pte_value *v = &b->pte->values[value];
    return v->name.size ? dv_arena_copy_n(b->pte->arena, (const char *)v->name.data, v->name.size)
                        : dv_arena_printf(b->pte->arena, "value_%u", value);
}

static dv_status add_value(builder *b, uint32_t value, dv_role role)
{
    const dv_pte_value *v = &b->pte->values[value];
    dv_tensor tensor = {
        .name = name_of(b, value), .dtype = v->dtype, .shape = v->shape, .role = role};
    if (!tensor.name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    if (role == DV_ROLE_CONSTANT && v->stored && v->dtype != DV_DTYPE_NONE)
        tensor.data = (dv_data){.storage = DV_STORAGE_BUFFER,
                                .buffer = b->buffer,
                                .offset = (size_t)(v->stored - dv_buffer_data(b->buffer))};
    return dv_graph_add_tensor(b->graph, &tensor, &b->ids[value]);
}

/* A value that nothing made is a weight, or what the program keeps between its runs. */
static dv_status read_value(builder *b, uint32_t value, dv_tensor_id *id)
{
    const dv_pte_value *v = &b->pte->values[value];
    if (b->ids[value] == DV_NONE)
        DV_TRY(add_value(b, value, v->data > 0 && !v->planned ? DV_ROLE_CONSTANT : DV_ROLE_STATE));
    *id = b->ids[value];
    return DV_OK;
}

static const char *reason_of(const builder *b, const dv_pte_call *call)
{
    if (call->delegate == DV_NONE)
        return "a kernel of a compiled program, which info can show and no other verb takes";
    const dv_pte_delegate *delegate = &b->pte->delegates[call->delegate];
    return dv_arena_printf(
        b->pte->arena,
        "a delegate of a compiled program, which info can show and no other verb takes%s%s",
        delegate->inside ? ": " : "", delegate->inside ? delegate->inside : "");
}

static dv_status add_call(builder *b, const dv_pte_call *call)
{
    dv_arena *arena = b->pte->arena;
    dv_tensor_id *inputs = dv_arena_array(arena, call->input_count, sizeof *inputs);
    dv_tensor_id *outputs = dv_arena_array(arena, call->output_count, sizeof *outputs);
    dv_op op = {.kind = DV_OP_OPAQUE,
                .name = dv_arena_printf(arena, "%u:%.200s", call->instruction, call->name),
                .source_type = call->name,
                .debug_handle = call->instruction,
                .inputs = inputs,
                .outputs = outputs,
                .input_count = call->input_count,
                .output_count = call->output_count,
                .reason = reason_of(b, call)};
    dv_op_id id;
    if (!inputs || !outputs || !op.name || !op.reason)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < call->input_count; i++)
        DV_TRY(read_value(b, call->inputs[i], &inputs[i]));
    for (uint32_t i = 0; i < call->output_count; i++) {
        DV_TRY(add_value(b, call->outputs[i], DV_ROLE_ACTIVATION));
        outputs[i] = b->ids[call->outputs[i]];
    }
    return dv_graph_add_op(b->graph, &op, &id);
}

static dv_status build(builder *b)
{
    const dv_pte *pte = b->pte;
    for (uint32_t v = 0; v < pte->value_count; v++)
        b->ids[v] = DV_NONE;
    for (uint32_t i = 0; i < pte->input_count; i++) {
        uint32_t value = (uint32_t)pte->inputs[i];
        if (pte->values[value].is_tensor && b->ids[value] == DV_NONE)
            DV_TRY(add_value(b, value, DV_ROLE_INPUT));
    }
    for (uint32_t i = 0; i < pte->call_count; i++)
        DV_TRY(add_call(b, &pte->calls[i]));
    for (uint32_t i = 0; i < pte->output_count; i++) {
        uint32_t value = pte->same_as[pte->outputs[i]];
        dv_tensor_id id;
        if (!pte->values[value].is_tensor)
            continue;
        DV_TRY(read_value(b, value, &id));
        if (!b->graph->tensors[id].is_output)
            DV_TRY(dv_graph_add_output(b->graph, id));
    }
    const char *about = dv_arena_printf(
        pte->arena, "method %.80s, %u calls, %u changes of backend%s", pte->method, pte->call_count,
        pte->switches, pte->jumps ? ", with branches: both sides are listed" : "");
    if (!about)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    DV_TRY(dv_graph_set_about(b->graph, about));
    return dv_graph_finish(b->graph);
}

static dv_status load(const char *path, dv_buffer *buffer, const dv_load_options *options,
                      dv_graph **out)
{
    (void)path;
    dv_pte pte;
    if (options && options->dim_count > 0)
        return dv_fail(DV_BAD_PARAMETER, "the shapes of a compiled program are fixed; --dim does "
                                         "not apply");
    DV_TRY(dv_pte_read(buffer, &pte));
    builder b = {.pte = &pte, .buffer = buffer, .graph = dv_graph_create(pte.method, "pte")};
    b.ids = dv_arena_array(pte.arena, pte.value_count, sizeof *b.ids);
    dv_status status = b.graph && b.ids ? build(&b) : dv_fail(DV_NO_MEMORY, "out of memory");
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
    .summary = "ExecuTorch programs (for info)",
    .extension = ".pte",
    .recognise = recognise,
    .load = load,
};
