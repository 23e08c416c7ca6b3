/* tflite_state.c - what is kept from one inference to the next: resource variables, and the state
   of recurrent operators. */
#include <stdlib.h>
#include <string.h>

#include "load/tflite_build.h"

/* ---- states of the graph ---- */

dv_status dv_tfl_keep(dv_tfl_builder *b, dv_tensor_id state, dv_tensor_id next)
{
    if (!dv_grow((void **)&b->kept, &b->kept_capacity, b->kept_count + 1, sizeof *b->kept))
        return dv_fail(DV_NO_MEMORY, "out of memory");
    b->kept[b->kept_count++] = (dv_tfl_kept){state, next};
    return DV_OK;
}

/* A value that no operator makes is copied by one. */
static dv_status add_state(dv_tfl_builder *b, dv_tensor_id state, dv_tensor_id next)
{
    dv_op like = {.name = b->graph->tensors[state].name,
                  .source_type = "ASSIGN_VARIABLE",
                  .debug_handle = -1};
    const dv_tensor *value = &b->graph->tensors[next];
    if (value->role != DV_ROLE_ACTIVATION || value->is_output)
        DV_TRY(dv_tfl_add_op(b, &like, DV_OP_IDENTITY, NULL, &next, 1, like.name, &next));
    return dv_graph_add_state(b->graph, state, next);
}

dv_status dv_tfl_add_states(dv_tfl_builder *b)
{
    for (size_t i = 0; i < b->kept_count; i++)
        DV_TRY(add_state(b, b->kept[i].state, b->kept[i].next));
    for (size_t i = 0; i < b->variable_count; i++) {
        const dv_tfl_variable *v = &b->variables[i];
        if (v->written && v->state != DV_NONE)
            DV_TRY(add_state(b, v->state, v->now));
    }
    return DV_OK;
}

void dv_tfl_free_states(dv_tfl_builder *b)
{
    for (size_t i = 0; i < b->variable_count; i++)
        dv_buffer_release(b->variables[i].first.data.buffer);
    free(b->variables);
    free(b->kept);
}

/* ---- resource variables ---- */

dv_status dv_tfl_op_var_handle(dv_tfl_at *at)
{
    dv_tfl_builder *b = at->b;
    dv_span name = dv_fb_string(&at->options, 1);
    uint32_t slot = (uint32_t)dv_fb_i32_at(&at->outputs, 0), found = 0;
    while (found < b->variable_count &&
           (b->variables[found].name.size != name.size ||
            (name.size > 0 && memcmp(b->variables[found].name.data, name.data, name.size) != 0)))
        found++;
    if (found == b->variable_count) {
        if (!dv_grow((void **)&b->variables, &b->variable_capacity, b->variable_count + 1,
                     sizeof *b->variables))
            return dv_fail(DV_NO_MEMORY, "out of memory");
        b->variables[b->variable_count++] =
            (dv_tfl_variable){.name = name, .state = DV_NONE, .now = DV_NONE};
    }
    b->scope->slots[slot].variable = found;
    return DV_OK;
}

/* The variable whose handle is input 0, or NULL. */
static dv_tfl_variable *variable_of(const dv_tfl_at *at)
{
    uint32_t index = at->b->scope->slots[dv_tfl_slot_of(at, 0)].variable;
    return index == DV_NONE ? NULL : &at->b->variables[index];
}

/* What the variable holds when an inference starts. */
static dv_status begin(dv_tfl_at *at, dv_tfl_variable *v)
{
    dv_tfl_tensor tensor;
    DV_TRY(dv_tfl_output(at, 0, &tensor));
    dv_tensor state = v->first;
    if (state.data.storage == DV_STORAGE_NONE) {
        state.dtype = dv_tfl_stored_dtype(&tensor);
        state.shape = tensor.shape;
        if (tensor.open)
            return dv_tfl_opaque(at, "the variable's shape is not known");
    }
    state.role = DV_ROLE_STATE;
    state.name = dv_tfl_text(at->b, v->name);
    if (!state.name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    return dv_graph_add_tensor(at->b->graph, &state, &v->state);
}

dv_status dv_tfl_op_read_variable(dv_tfl_at *at)
{
    dv_tfl_variable *v = variable_of(at);
    dv_tensor_id id;
    if (!v)
        return dv_tfl_opaque(at, "the variable that it reads is not known");
    if (v->now == DV_NONE && v->state == DV_NONE)
        DV_TRY(begin(at, v));
    if (at->opaque)
        return DV_OK;
    DV_TRY(dv_tfl_emit1(at, DV_OP_IDENTITY, NULL, v->now != DV_NONE ? v->now : v->state, &id));
    return dv_tfl_result_in_memory(at, 0, id);
}

/* In CALL_ONCE, a constant that the variable begins with. */
static dv_status write_first(dv_tfl_at *at, dv_tfl_variable *v)
{
    dv_tfl_tensor tensor;
    uint32_t source = at->b->scope->slots[dv_tfl_slot_of(at, 1)].constant;
    if (source == DV_NONE)
        return dv_fail(DV_BAD_INPUT, "what a variable begins with has to be a constant");
    dv_buffer_release(v->first.data.buffer);
    v->first = (dv_tensor){0};
    return dv_tfl_stored(at->b, source, &tensor, &v->first);
}

dv_status dv_tfl_op_assign_variable(dv_tfl_at *at)
{
    dv_tfl_variable *v = variable_of(at);
    if (!v)
        return dv_fail(DV_BAD_INPUT, "the variable that it writes is not known");
    if (at->b->undecided > 0)
        return dv_fail(DV_BAD_INPUT, "it writes a variable in a branch that may not be taken, "
                                     "which is not supported");
    if (at->b->starting)
        return write_first(at, v);
    DV_TRY(dv_tfl_memory(at->b, dv_tfl_slot_of(at, 1), &v->now));
    v->written = true;
    return DV_OK;
}

/* Runs before the first inference: it gives variables the values that they begin with. */
dv_status dv_tfl_op_call_once(dv_tfl_at *at)
{
    dv_tfl_builder *b = at->b;
    int32_t subgraph = dv_fb_i32(&at->options, 0, 0);
    if (b->starting)
        return dv_fail(DV_BAD_INPUT, "what is called once calls something once");
    b->starting = true;
    dv_status status = dv_tfl_call(b, subgraph, NULL, 0, NULL, 0);
    b->starting = false;
    return status;
}
