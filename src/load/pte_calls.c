/* pte_calls.c - which arguments of a call are read and which are made.

   The file does not say. A kernel is an out-variant: its last argument is what it makes (a tensor,
   or the list of several), and stands behind the schema's own arguments, where what is made is
   listed already. A delegate has its inputs first, then its outputs; the blobs that can be opened
   tell how many of each.

   What is read but was never made is a view that the compiler elided: the value that was made last
   at the same place in planned memory, and is of the same size, has its bytes. The bytes of a place
   alone would not do, since planned memory is used again.

   For a delegate whose blob is closed, the instructions decide: an argument that is there is read,
   and so is all before it. Of the rest, one is a view as long as nobody else reads what was made at
   its place (a compiler keeps no dead writes); the others are made. */
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

/* The value that was made last at the place of one that nobody made; DV_NONE: it is no view. */
static uint32_t viewed(walker *w, uint32_t value)
{
    if (!w->out->values[value].planned)
        return DV_NONE;
    uint32_t source = dv_names_find(&w->made, key_of(w, value), DV_NONE);
    return source == value ? DV_NONE : source;
}

/* Does nobody but views read what was made there? */
static bool is_dead(const walker *w, uint32_t source)
{
    return !w->is_output[source] && w->last[source] == w->made_at[source];
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

/* Adds an input of the call; a view stands for what it shows. */
static dv_status take(walker *w, uint32_t value, dv_pte_call *call, uint32_t *inputs)
{
    if (!w->there[value]) {
        uint32_t source = viewed(w, value);
        if (source != DV_NONE)
            w->same_as[value] = w->same_as[source];
        w->there[value] = true;
    }
    inputs[call->input_count++] = w->same_as[value];
    call->bytes_in += w->out->values[value].bytes;
    return DV_OK;
}

static dv_status make(walker *w, uint32_t value, dv_pte_call *call, uint32_t *outputs)
{
    for (uint32_t i = 0; i < call->output_count; i++)
        if (outputs[i] == value)
            return DV_OK;
    outputs[call->output_count++] = value;
    call->bytes_out += w->out->values[value].bytes;
    return mark_made(w, value, call->instruction);
}

/* How many of the expanded arguments of a delegate are inputs. */
static size_t inputs_of_delegate(walker *w, const dv_pte_delegate *delegate, size_t arg_count)
{
    size_t n = w->expanded_count, inputs = 0;
    if (delegate->ops >= 0 && n == arg_count &&
        (size_t)delegate->input_count + delegate->output_count == n)
        return delegate->input_count;
    for (size_t i = 0; i < n; i++)
        if (w->there[w->expanded[i]])
            inputs = i + 1;
    while (inputs + 1 < n) { /* something is made */
        uint32_t source = viewed(w, w->expanded[inputs]);
        if (source == DV_NONE || !is_dead(w, source))
            break;
        inputs++;
    }
    return inputs;
}

/* The first `inputs` of the expanded arguments are read, the others made. */
static dv_status sort_arguments(walker *w, size_t inputs, dv_pte_call *call)
{
    size_t n = w->expanded_count;
    uint32_t *in = dv_arena_array(w->file->arena, n, sizeof *in);
    uint32_t *out = dv_arena_array(w->file->arena, n, sizeof *out);
    if (!in || !out)
        return out_of_memory();
    for (size_t i = 0; i < inputs; i++)
        DV_TRY(take(w, w->expanded[i], call, in));
    for (size_t i = inputs; i < n; i++)
        DV_TRY(make(w, w->expanded[i], call, out));
    call->inputs = in;
    call->outputs = out;
    return DV_OK;
}

/* ---- kernels ---- */

static bool is_list(const walker *w, uint32_t value)
{
    dv_pte_kind kind = w->out->values[value].kind;
    return kind == DV_PTE_TENSORS || kind == DV_PTE_OPTIONAL_TENSORS;
}

/* Are the two values the same tensors? Of lists so long that no kernel makes them, it is not asked:
   many values may share one. */
static bool same_list(const walker *w, uint32_t a, uint32_t b)
{
    enum { MOST_RESULTS = 4096 };
    if (a == b)
        return true;
    if (!is_list(w, a) || !is_list(w, b))
        return false;
    dv_fb_vector x = dv_fb_list(&w->out->values[a].table, 0, 4);
    dv_fb_vector y = dv_fb_list(&w->out->values[b].table, 0, 4);
    dv_span xs = dv_fb_bytes(&x), ys = dv_fb_bytes(&y);
    return xs.size == ys.size && x.count <= MOST_RESULTS &&
           (xs.size == 0 || memcmp(xs.data, ys.data, xs.size) == 0);
}

/* Is value an item of the list? */
static bool is_item(const walker *w, uint32_t list, uint32_t value)
{
    if (!is_list(w, list))
        return false;
    dv_fb_vector items = dv_fb_list(&w->out->values[list].table, 0, 4);
    for (uint32_t i = 0; i < items.count && i < 64; i++)
        if (dv_fb_i32_at(&items, i) == (int32_t)value)
            return true;
    return false;
}

/* Writes into its first argument, without an argument for the result: "aten::index_put_". */
static bool in_place(const dv_pte_call *call)
{
    size_t length = strlen(call->op);
    return length > 0 && call->op[length - 1] == '_' && !strstr(call->overload, "out");
}

/* Cuts what the kernel makes off its arguments. */
static void strip_results(const walker *w, dv_pte_call *call)
{
    if (call->arg_count == 0)
        return;
    uint32_t result = call->args[--call->arg_count];
    if (in_place(call))
        return;
    while (call->arg_count > 0) {
        uint32_t value = call->args[call->arg_count - 1];
        if (!same_list(w, value, result) && !is_item(w, result, value))
            break;
        call->arg_count--;
    }
}

static dv_status read_kernel(walker *w, dv_pte_call *call)
{
    uint32_t result = call->arg_count ? call->args[call->arg_count - 1] : 0;
    strip_results(w, call);
    w->expanded_count = 0;
    for (uint32_t a = 0; a < call->arg_count; a++)
        DV_TRY(push(w, (int32_t)call->args[a], 0));
    size_t inputs = w->expanded_count;
    if (call->arg_count < call->raw_count)
        DV_TRY(push(w, (int32_t)result, 0));
    return sort_arguments(w, inputs, call);
}

/* ---- calls ---- */

static dv_status name_kernel(walker *w, const dv_fb_table *call, dv_pte_call *out)
{
    dv_fb_table op = dv_fb_table_at(&w->operators, dv_fb_u32(call, 0, 0));
    dv_span name = dv_fb_string(&op, 0), overload = dv_fb_string(&op, 1);
    DV_TRY(w->file->fb.status);
    out->delegate = DV_NONE;
    out->op = dv_arena_copy_n(w->file->arena, name.size ? (const char *)name.data : "",
                              name.size > 200 ? 200 : name.size);
    out->overload =
        dv_arena_copy_n(w->file->arena, overload.size ? (const char *)overload.data : "",
                        overload.size > 200 ? 200 : overload.size);
    out->name =
        dv_arena_printf(w->file->arena, "%.*s%s%.*s", (int)(name.size > 200 ? 200 : name.size),
                        name.size ? (const char *)name.data : "", overload.size ? "." : "",
                        (int)(overload.size > 200 ? 200 : overload.size),
                        overload.size ? (const char *)overload.data : "");
    return out->name && out->op && out->overload ? DV_OK : out_of_memory();
}

/* The arguments as they stand in the file. */
static dv_status copy_args(walker *w, const dv_fb_table *call, dv_pte_call *out)
{
    dv_fb_vector args = dv_fb_list(call, 1, 4);
    uint32_t *values = dv_arena_array(w->file->arena, args.count, sizeof *values);
    if (!values)
        return out_of_memory();
    for (uint32_t a = 0; a < args.count; a++)
        values[a] = (uint32_t)dv_fb_i32_at(&args, a);
    out->args = values;
    out->arg_count = out->raw_count = args.count;
    return w->file->fb.status;
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
    DV_TRY(copy_args(w, &table, call));
    if (w->call_count > 1 && call[-1].backend != call->backend &&
        (!call[-1].backend || !call->backend || strcmp(call[-1].backend, call->backend) != 0))
        w->out->switches++;
    if (kind == KERNEL_CALL)
        return read_kernel(w, call);
    size_t inputs = inputs_of_delegate(w, &w->out->delegates[call->delegate], call->arg_count);
    return sort_arguments(w, inputs, call);
}

/* What is there before the first instruction, and where each value is mentioned last. */
static dv_status prepare(walker *w)
{
    dv_pte *out = w->out;
    for (uint32_t v = 0; v < out->value_count; v++) {
        w->same_as[v] = v;
        w->made_at[v] = w->last[v] = DV_NONE;
        w->there[v] = out->values[v].data > 0 || out->values[v].external;
    }
    for (uint32_t i = 0; i < out->input_count; i++)
        DV_TRY(mark_made(w, (uint32_t)out->inputs[i], DV_NONE));
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
    for (uint32_t i = 0; i < w->out->output_count; i++) { /* one may be a view itself */
        uint32_t value = (uint32_t)w->out->outputs[i];
        uint32_t source = w->there[value] ? DV_NONE : viewed(w, value);
        if (source != DV_NONE)
            w->same_as[value] = w->same_as[source];
    }
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
