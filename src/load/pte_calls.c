/* pte_calls.c - which arguments of a call are read and which are made.

   The file does not say. The instructions are walked in order with a mark for every value that is
   there: inputs and constants from the start, others once they were made. An argument that is there
   is read; one that is not is made, unless it is a view that the compiler elided: another value at
   the same place and of the same size was made before, nobody reads that one after it was made, and
   it is no output of the method (a compiler keeps no dead writes). The bytes of a place alone would
   not do, since planned memory is used again. */
#include <stdlib.h>
#include <string.h>

#include "load/names.h"
#include "load/pte.h"

enum { KERNEL_CALL = 1, DELEGATE_CALL = 2, MOVE_CALL = 3, JUMP_FALSE_CALL = 4 };

typedef struct place { /* the key of a place in planned memory */
    uint64_t memory, offset, bytes;
} place;

typedef struct walker {
    dv_pte_file *file;
    dv_pte *out;
    dv_fb_vector values, instructions, operators;
    bool *there;        /* per value */
    bool *is_output;    /* of the method */
    uint32_t *last;     /* the last instruction that mentions a value */
    uint32_t *made_at;  /* the instruction that made it */
    uint32_t *same_as;  /* the value that a view stands for; itself else */
    place *places;      /* per value; keys of made */
    dv_names made;      /* place -> the last value made there */
    uint32_t *expanded; /* arguments of the call under way, lists unfolded */
    size_t expanded_count, expanded_capacity, expanded_total;
    dv_pte_call *calls;
    uint32_t call_count;
} walker;

static dv_status out_of_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "out of memory");
}

/* The arguments of a call: tensors, and those in lists of tensors. */
static dv_status push(walker *w, int32_t value, int depth)
{
    enum { TENSOR_LIST = 10, OPTIONAL_LIST = 11 };
    if (value == -1 && depth > 0) /* an absent element of an optional list */
        return DV_OK;
    if (value < 0 || (uint32_t)value >= w->out->value_count)
        return dv_fail(DV_BAD_INPUT, "value %d of %u", value, w->out->value_count);
    dv_fb_table row = dv_fb_table_at(&w->values, (uint32_t)value);
    uint8_t type = dv_fb_u8(&row, 0, 0);
    if (depth == 0 && (type == TENSOR_LIST || type == OPTIONAL_LIST)) {
        dv_fb_table list = dv_fb_child(&row, 1);
        dv_fb_vector items = dv_fb_list(&list, 0, 4);
        for (uint32_t i = 0; i < items.count; i++)
            DV_TRY(push(w, dv_fb_i32_at(&items, i), 1));
        return w->file->fb.status;
    }
    if (!w->out->values[value].is_tensor)
        return w->file->fb.status;
    if (++w->expanded_total > w->file->fb.size)
        return dv_fail(DV_BAD_INPUT, "its lists are referred to too often");
    if (!dv_grow((void **)&w->expanded, &w->expanded_capacity, w->expanded_count + 1,
                 sizeof *w->expanded))
        return out_of_memory();
    w->expanded[w->expanded_count++] = (uint32_t)value;
    return w->file->fb.status;
}

/* The instruction's kind, its table, and the tensors it mentions. */
static dv_status expand(walker *w, uint32_t i, uint8_t *kind, dv_fb_table *call)
{
    dv_fb_table instruction = dv_fb_table_at(&w->instructions, i);
    *kind = dv_fb_u8(&instruction, 0, 0);
    *call = dv_fb_child(&instruction, 1);
    w->expanded_count = 0;
    if (*kind == MOVE_CALL) {
        DV_TRY(push(w, dv_fb_i32(call, 0, 0), 0));
        return push(w, dv_fb_i32(call, 1, 0), 0);
    }
    if (*kind != KERNEL_CALL && *kind != DELEGATE_CALL)
        return w->file->fb.status;
    dv_fb_vector args = dv_fb_list(call, 1, 4);
    for (uint32_t a = 0; a < args.count; a++)
        DV_TRY(push(w, dv_fb_i32_at(&args, a), 0));
    return w->file->fb.status;
}

/* ---- read or made ---- */

static dv_span key_of(walker *w, uint32_t value)
{
    const dv_pte_value *v = &w->out->values[value];
    w->places[value] = (place){v->memory, v->offset, (uint64_t)v->bytes};
    return (dv_span){(const uint8_t *)&w->places[value], sizeof(place)};
}

/* The value that an unwritten argument is a view of; DV_NONE if it is no view. */
static uint32_t viewed(walker *w, uint32_t value)
{
    if (!w->out->values[value].planned)
        return DV_NONE;
    uint32_t source = dv_names_find(&w->made, key_of(w, value), DV_NONE);
    if (source == DV_NONE || source == value || w->is_output[source] ||
        w->last[source] != w->made_at[source])
        return DV_NONE;
    return source;
}

static dv_status mark_made(walker *w, uint32_t value, uint32_t instruction)
{
    w->there[value] = true;
    w->made_at[value] = instruction;
    w->same_as[value] = value;
    if (!w->out->values[value].planned)
        return DV_OK;
    return dv_names_put(&w->made, key_of(w, value), value);
}

/* Sorts the expanded arguments into inputs and outputs. A kernel repeats its last argument, and may
   write into a value that is there already; both count as its output. */
static dv_status sort_arguments(walker *w, uint32_t instruction, bool kernel, dv_pte_call *call)
{
    size_t n = w->expanded_count;
    uint32_t *inputs = dv_arena_array(w->file->arena, n, sizeof *inputs);
    uint32_t *outputs = dv_arena_array(w->file->arena, n, sizeof *outputs);
    if (!inputs || !outputs)
        return out_of_memory();
    bool repeats = kernel && n >= 2 && w->expanded[n - 1] == w->expanded[n - 2];
    uint32_t written = repeats ? w->expanded[n - 1] : DV_NONE;
    for (size_t i = 0; i < n; i++) {
        uint32_t value = w->expanded[i];
        bool reads = w->there[value] && value != written;
        uint32_t source = reads || value == written ? DV_NONE : viewed(w, value);
        if (source != DV_NONE) {
            w->there[value] = true;
            w->same_as[value] = w->same_as[source];
            reads = true;
        }
        uint32_t real = reads ? w->same_as[value] : value;
        if (reads)
            inputs[call->input_count++] = real;
        else if (call->output_count == 0 || outputs[call->output_count - 1] != value)
            outputs[call->output_count++] = value;
        if (reads)
            call->bytes_in += w->out->values[real].bytes;
    }
    for (uint32_t i = 0; i < call->output_count; i++) {
        call->bytes_out += w->out->values[outputs[i]].bytes;
        DV_TRY(mark_made(w, outputs[i], instruction));
    }
    call->inputs = inputs;
    call->outputs = outputs;
    return DV_OK;
}

/* ---- calls ---- */

static dv_status name_kernel(walker *w, const dv_fb_table *call, dv_pte_call *out)
{
    dv_fb_table op = dv_fb_table_at(&w->operators, dv_fb_u32(call, 0, 0));
    dv_span name = dv_fb_string(&op, 0), overload = dv_fb_string(&op, 1);
    DV_TRY(w->file->fb.status);
    out->delegate = DV_NONE;
    out->name =
        dv_arena_printf(w->file->arena, "%.*s%s%.*s", (int)(name.size > 200 ? 200 : name.size),
                        name.size ? (const char *)name.data : "", overload.size ? "." : "",
                        (int)(overload.size > 200 ? 200 : overload.size),
                        overload.size ? (const char *)overload.data : "");
    return out->name ? DV_OK : out_of_memory();
}

static dv_status name_delegate(walker *w, const dv_fb_table *call, dv_pte_call *out)
{
    uint32_t index = dv_fb_u32(call, 0, 0);
    if (index >= w->out->delegate_count)
        return dv_fail(DV_BAD_INPUT, "delegate %u of %u", index, w->out->delegate_count);
    out->delegate = index;
    out->backend = out->name = w->out->delegates[index].backend;
    return DV_OK;
}

static dv_status add_call(walker *w, uint32_t i)
{
    uint8_t kind;
    dv_fb_table table;
    DV_TRY(expand(w, i, &kind, &table));
    if (kind == JUMP_FALSE_CALL)
        w->out->jumps++;
    if (kind == MOVE_CALL && w->expanded_count == 2) {
        w->there[w->expanded[1]] = true;
        w->same_as[w->expanded[1]] = w->same_as[w->expanded[0]];
    }
    if (kind != KERNEL_CALL && kind != DELEGATE_CALL)
        return DV_OK;
    dv_pte_call *call = &w->calls[w->call_count++];
    call->instruction = i;
    DV_TRY(kind == KERNEL_CALL ? name_kernel(w, &table, call) : name_delegate(w, &table, call));
    if (w->call_count > 1 && call[-1].backend != call->backend &&
        (!call[-1].backend || !call->backend || strcmp(call[-1].backend, call->backend) != 0))
        w->out->switches++;
    return sort_arguments(w, i, kind == KERNEL_CALL, call);
}

/* What is there before the first instruction, and where each value is mentioned last. */
static dv_status prepare(walker *w)
{
    dv_pte *out = w->out;
    for (uint32_t v = 0; v < out->value_count; v++) {
        w->same_as[v] = v;
        w->made_at[v] = DV_NONE;
        w->there[v] = out->values[v].data > 0;
    }
    for (uint32_t i = 0; i < out->input_count; i++)
        w->there[out->inputs[i]] = true;
    for (uint32_t i = 0; i < out->output_count; i++)
        w->is_output[out->outputs[i]] = true;
    for (uint32_t i = 0; i < w->instructions.count; i++) {
        uint8_t kind;
        dv_fb_table table;
        DV_TRY(dv_within(expand(w, i, &kind, &table), "instruction %u", i));
        for (size_t a = 0; a < w->expanded_count; a++)
            w->last[w->expanded[a]] = i;
    }
    w->expanded_total = 0;
    return DV_OK;
}

static dv_status walk(walker *w)
{
    DV_TRY(prepare(w));
    for (uint32_t i = 0; i < w->instructions.count; i++)
        DV_TRY(dv_within(add_call(w, i), "instruction %u", i));
    w->out->calls = w->calls;
    w->out->call_count = w->call_count;
    w->out->same_as = w->same_as;
    return w->file->fb.status;
}

dv_status dv_pte_calls(dv_pte_file *file, dv_pte *out)
{
    dv_fb_vector chains = dv_fb_tables(&file->plan, 5);
    if (chains.count != 1)
        return dv_fail(DV_BAD_INPUT, "method '%.80s' has %u chains of instructions, not one",
                       out->method, chains.count);
    dv_fb_table chain = dv_fb_table_at(&chains, 0);
    size_t n = out->value_count;
    dv_arena *arena = file->arena;
    walker w = {.file = file,
                .out = out,
                .values = dv_fb_tables(&file->plan, 2),
                .instructions = dv_fb_tables(&chain, 2),
                .operators = dv_fb_tables(&file->plan, 6),
                .there = dv_arena_array(arena, n, sizeof *w.there),
                .is_output = dv_arena_array(arena, n, sizeof *w.is_output),
                .last = dv_arena_array(arena, n, sizeof *w.last),
                .made_at = dv_arena_array(arena, n, sizeof *w.made_at),
                .same_as = dv_arena_array(arena, n, sizeof *w.same_as),
                .places = dv_arena_array(arena, n, sizeof *w.places)};
    w.calls = dv_arena_array(arena, w.instructions.count, sizeof *w.calls);
    bool room = w.there && w.is_output && w.last && w.made_at && w.same_as && w.places && w.calls;
    dv_status status = room ? walk(&w) : out_of_memory();
    dv_names_free(&w.made);
    free(w.expanded);
    return status;
}
