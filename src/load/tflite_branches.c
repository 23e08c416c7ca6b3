/* tflite_branches.c - IF and WHILE without subgraphs: branches are built in place and a choice is
   made between their results (or the one alone that a constant condition takes), loops whose number
   of rounds is a constant are unrolled. */
#include "load/tflite_build.h"

enum { MOST_NESTING = 16 };

/* ---- subgraphs in place ---- */

/* The subgraph reads the slots of the scope around it as they are; all forms, so that nothing is
   permuted or converted twice. */
static dv_status give_inputs(dv_tfl_builder *b, dv_tfl_scope *inner, const uint32_t *inputs,
                             uint32_t count)
{
    dv_fb_vector names = dv_fb_list(&inner->subgraph, 1, 4);
    if (names.count != count)
        return dv_fail(DV_BAD_INPUT, "its branch takes %u inputs, not %u", names.count, count);
    for (uint32_t i = 0; i < names.count; i++) {
        int32_t index = dv_fb_i32_at(&names, i);
        if (index < 0 || (uint32_t)index >= inner->tensors.count)
            return dv_fail(DV_BAD_INPUT, "its branch's input %u is tensor %d of %u", i, index,
                           inner->tensors.count);
        dv_tensor_id id;
        dv_tfl_slot *slot = &inner->slots[index], *from = &b->scope->slots[inputs[i]];
        if (slot->plain != DV_NONE || slot->constant != DV_NONE || slot->variable != DV_NONE)
            return dv_fail(DV_BAD_INPUT, "its branch's input %u is given twice", i);
        slot->variable = from->variable;
        if (from->variable != DV_NONE)
            continue;
        DV_TRY(dv_tfl_plain(b, inputs[i], &id));
        slot->plain = id;
        slot->planar = from->planar;
    }
    return DV_OK;
}

/* Builds what is inside the innermost scope. */
static dv_status build_inside(dv_tfl_builder *b, dv_tensor_id *results, uint32_t count)
{
    dv_fb_vector names = dv_fb_list(&b->scope->subgraph, 2, 4);
    DV_TRY(dv_tfl_add_operators(b));
    if (names.count != count && results)
        return dv_fail(DV_BAD_INPUT, "its branch gives %u results, not %u", names.count, count);
    for (uint32_t i = 0; i < names.count && results; i++) {
        int32_t index = dv_fb_i32_at(&names, i);
        if (index < 0 || (uint32_t)index >= b->scope->tensors.count)
            return dv_fail(DV_BAD_INPUT, "its branch's result %u is tensor %d of %u", i, index,
                           b->scope->tensors.count);
        DV_TRY(dv_tfl_plain(b, (uint32_t)index, &results[i]));
    }
    return DV_OK;
}

/* A subgraph is entered. */
static dv_status enter(dv_tfl_builder *b, int32_t subgraph, dv_tfl_scope *inner)
{
    if (b->depth >= MOST_NESTING)
        return dv_fail(DV_BAD_INPUT, "its branches are nested more than %d deep", MOST_NESTING);
    if (subgraph < 0 || (uint32_t)subgraph >= b->subgraphs.count)
        return dv_fail(DV_BAD_INPUT, "its branch is subgraph %d of %u", subgraph,
                       b->subgraphs.count);
    return dv_tfl_open_scope(b, (uint32_t)subgraph, inner);
}

static dv_status build_scope(dv_tfl_builder *b, dv_tfl_scope *inner, dv_tensor_id *results,
                             uint32_t count)
{
    dv_tfl_scope *outer = b->scope;
    b->scope = inner;
    b->depth++;
    dv_status status = build_inside(b, results, count);
    b->depth--;
    b->scope = outer;
    return status;
}

dv_status dv_tfl_call(dv_tfl_builder *b, int32_t subgraph, const uint32_t *inputs,
                      uint32_t input_count, dv_tensor_id *results, uint32_t result_count)
{
    dv_tfl_scope inner;
    DV_TRY(enter(b, subgraph, &inner));
    DV_TRY(give_inputs(b, &inner, inputs, input_count));
    return build_scope(b, &inner, results, result_count);
}

/* The slots of the inputs from the first on. */
static dv_status slots_of(const dv_tfl_at *at, uint32_t first, uint32_t **out)
{
    *out = dv_arena_array(at->b->arena, at->inputs.count, sizeof **out);
    if (!*out)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = first; i < at->inputs.count; i++)
        (*out)[i - first] = dv_tfl_slot_of(at, i);
    return DV_OK;
}

/* ---- IF ---- */

/* 0 then, 1 else; 2 if the condition is not a constant of the file. */
static dv_status branch_taken(const dv_tfl_at *at, size_t *taken)
{
    int64_t truth;
    int count;
    DV_TRY(dv_tfl_ints(at, 0, 1, &truth, &count));
    *taken = count != 1 ? 2 : truth ? 0 : 1;
    return DV_OK;
}

dv_status dv_tfl_op_branch(dv_tfl_at *at)
{
    dv_tfl_builder *b = at->b;
    uint32_t *slots;
    size_t taken;
    DV_TRY(branch_taken(at, &taken));
    DV_TRY(slots_of(at, 1, &slots));
    dv_tensor_id *results[2], condition;
    for (unsigned i = 0; i < 2; i++) {
        results[i] = dv_arena_array(b->arena, at->outputs.count, sizeof **results);
        if (!results[i])
            return dv_fail(DV_NO_MEMORY, "out of memory");
        if (taken != 2 && taken != i)
            continue;
        b->undecided += taken == 2;
        DV_TRY(dv_tfl_call(b, dv_fb_i32(&at->options, i, 0), slots, at->inputs.count - 1,
                           results[i], at->outputs.count));
        b->undecided -= taken == 2;
    }
    DV_TRY(dv_tfl_plain_input(at, 0, &condition));
    for (uint32_t i = 0; i < at->outputs.count; i++) {
        dv_tensor_id id;
        dv_op_params choice = {.flag = {.on = true}};
        if (taken == 2)
            DV_TRY(dv_tfl_emit(at, DV_OP_WHERE, &choice,
                               (dv_tensor_id[]){condition, results[0][i], results[1][i]}, 3, &id));
        else
            DV_TRY(dv_tfl_emit1(at, DV_OP_IDENTITY, NULL, results[taken][i], &id));
        DV_TRY(dv_tfl_result(at, i, id, false));
    }
    return DV_OK;
}

/* ---- WHILE ---- */

/* A loop is unrolled if its rounds can be counted: its condition compares inputs that begin with
   constants and that the body moves on by constants (or leaves alone) with each other or with
   constants of its own, and joins such comparisons by AND. */
enum {
    MOST_ROUNDS = 4096,
    MOST_WORK = 1 << 20,
    ADD = 0,
    SUB = 41,
    LESS = 58,
    GREATER = 61,
    GREATER_EQUAL = 62
};
enum { LESS_EQUAL = 63, NOT_EQUAL = 72, LOGICAL_AND = 86 };

typedef struct counter {
    bool known;
    int64_t now, step;
} counter;

typedef struct loop {
    dv_tfl_at *at;
    dv_tfl_scope condition, body;
    counter *counters; /* one an input */
    uint32_t count;
    uint32_t work; /* operators looked at to find out what the condition is made of */
} loop;

/* The builtin number of an operator of a subgraph, -1 if there is none. */
static int32_t number_of(const dv_tfl_builder *b, const dv_fb_table *node)
{
    uint32_t index = dv_fb_u32(node, 0, 0);
    if (index >= b->codes.count)
        return -1;
    dv_fb_table code = dv_fb_table_at(&b->codes, index);
    int32_t old = dv_fb_i8(&code, 0, 0), builtin = dv_fb_i32(&code, 3, 0);
    return old > builtin ? old : builtin;
}

/* The operator of a scope that makes a tensor; false, too, if it is far to seek. */
static bool maker_of(loop *l, const dv_tfl_scope *scope, int32_t tensor, dv_fb_table *node)
{
    dv_fb_vector nodes = dv_fb_tables(&scope->subgraph, 3);
    for (uint32_t i = 0; i < nodes.count && l->work++ < MOST_WORK; i++) {
        *node = dv_fb_table_at(&nodes, i);
        dv_fb_vector outputs = dv_fb_list(node, 2, 4);
        for (uint32_t k = 0; k < outputs.count && l->work++ < MOST_WORK; k++)
            if (dv_fb_i32_at(&outputs, k) == tensor)
                return true;
    }
    return false;
}

/* Which input of its scope a tensor is, -1 if none. */
static int32_t input_index(const dv_tfl_scope *scope, int32_t tensor)
{
    dv_fb_vector inputs = dv_fb_list(&scope->subgraph, 1, 4);
    for (uint32_t i = 0; i < inputs.count; i++)
        if (dv_fb_i32_at(&inputs, i) == tensor)
            return (int32_t)i;
    return -1;
}

/* The one integer of a constant slot of a scope. */
static bool constant_in(dv_tfl_builder *b, dv_tfl_scope *scope, int32_t tensor, int64_t *value)
{
    dv_tfl_scope *outer = b->scope;
    dv_tfl_tensor info;
    dv_tensor stored;
    size_t count;
    bool found = false;
    if (tensor < 0 || (uint32_t)tensor >= scope->tensors.count ||
        scope->slots[tensor].constant == DV_NONE)
        return false;
    b->scope = scope;
    if (dv_tfl_stored(b, scope->slots[tensor].constant, &info, &stored) == DV_OK) {
        found = stored.data.storage != DV_STORAGE_NONE && !dv_dtype_is_float(stored.dtype) &&
                dv_shape_elements(&stored.shape, &count) && count == 1 &&
                dv_tensor_read_i64(&stored, 0, 1, value);
        dv_buffer_release(stored.data.buffer);
    }
    b->scope = outer;
    return found;
}

static int32_t operand(const dv_fb_table *node, uint32_t i)
{
    dv_fb_vector inputs = dv_fb_list(node, 1, 4);
    return i < inputs.count ? dv_fb_i32_at(&inputs, i) : -1;
}

/* How an input moves on in a round. */
static void read_counter(loop *l, uint32_t i)
{
    dv_tfl_builder *b = l->at->b;
    counter *c = &l->counters[i];
    dv_fb_vector results = dv_fb_list(&l->body.subgraph, 2, 4);
    dv_fb_table node;
    int32_t result = i < results.count ? dv_fb_i32_at(&results, i) : -1;
    if (!c->known || input_index(&l->body, result) == (int32_t)i)
        return; /* left alone */
    c->known = maker_of(l, &l->body, result, &node);
    int32_t number = c->known ? number_of(b, &node) : -1;
    int32_t first = operand(&node, 0), second = operand(&node, 1);
    if (number == ADD && input_index(&l->body, second) == (int32_t)i) {
        int32_t other = first;
        first = second;
        second = other;
    }
    c->known = (number == ADD || number == SUB) && input_index(&l->body, first) == (int32_t)i &&
               constant_in(b, &l->body, second, &c->step) && c->step > INT32_MIN &&
               c->step <= INT32_MAX && c->now >= INT32_MIN && c->now <= INT32_MAX;
    c->step = number == SUB ? -c->step : c->step;
}

/* The value of a tensor of the condition in this round. */
static bool value_of(loop *l, int32_t tensor, int64_t *value)
{
    int32_t input = input_index(&l->condition, tensor);
    if (input >= 0 && (uint32_t)input < l->count && l->counters[input].known) {
        *value = l->counters[input].now;
        return true;
    }
    return constant_in(l->at->b, &l->condition, tensor, value);
}

/* Does the condition hold in this round? false if that is not known. */
static bool evaluate(loop *l, int32_t tensor, int depth, bool *holds)
{
    dv_fb_table node;
    int64_t a, b;
    bool left, right;
    if (depth > MOST_NESTING || !maker_of(l, &l->condition, tensor, &node))
        return false;
    int32_t number = number_of(l->at->b, &node);
    if (number == LOGICAL_AND) {
        bool known = evaluate(l, operand(&node, 0), depth + 1, &left) &&
                     evaluate(l, operand(&node, 1), depth + 1, &right);
        *holds = known && left && right;
        return known;
    }
    if (!value_of(l, operand(&node, 0), &a) || !value_of(l, operand(&node, 1), &b))
        return false;
    *holds = number == LESS            ? a < b
             : number == LESS_EQUAL    ? a <= b
             : number == GREATER       ? a > b
             : number == GREATER_EQUAL ? a >= b
                                       : a != b;
    return number == LESS || number == LESS_EQUAL || number == GREATER || number == GREATER_EQUAL ||
           number == NOT_EQUAL;
}

/* How many rounds a loop takes; -1 if it cannot be told. */
static int count_rounds(loop *l)
{
    dv_fb_vector results = dv_fb_list(&l->condition.subgraph, 2, 4);
    bool holds;
    if (results.count != 1)
        return -1;
    for (uint32_t i = 0; i < l->count; i++)
        read_counter(l, i);
    for (int rounds = 0; rounds <= MOST_ROUNDS; rounds++) {
        if (!evaluate(l, dv_fb_i32_at(&results, 0), 0, &holds))
            return -1;
        if (!holds)
            return rounds;
        for (uint32_t i = 0; i < l->count; i++)
            l->counters[i].now += l->counters[i].step;
    }
    return -1;
}

/* A round after the first is given what the one before has made; constants are there already. */
static dv_status next_round(loop *l, int32_t subgraph, dv_tensor_id *values)
{
    dv_tfl_builder *b = l->at->b;
    const dv_tfl_slot *before = l->body.slots;
    DV_TRY(enter(b, subgraph, &l->body));
    for (uint32_t i = 0; i < l->body.tensors.count; i++)
        if (l->body.slots[i].constant != DV_NONE && before[i].constant != DV_NONE)
            l->body.slots[i] = before[i];
    dv_fb_vector names = dv_fb_list(&l->body.subgraph, 1, 4);
    if (names.count != l->count)
        return dv_fail(DV_BAD_INPUT, "its body takes %u inputs, not %u", names.count, l->count);
    for (uint32_t i = 0; i < names.count; i++) {
        int32_t index = dv_fb_i32_at(&names, i);
        if (index < 0 || (uint32_t)index >= l->body.tensors.count)
            return dv_fail(DV_BAD_INPUT, "its body's input %u is tensor %d of %u", i, index,
                           l->body.tensors.count);
        dv_tfl_slot *slot = &l->body.slots[index];
        if (slot->plain != DV_NONE || slot->constant != DV_NONE)
            return dv_fail(DV_BAD_INPUT, "its body's input %u is given twice", i);
        slot->plain = values[i];
    }
    return build_scope(b, &l->body, values, l->count);
}

dv_status dv_tfl_op_loop(dv_tfl_at *at)
{
    dv_tfl_builder *b = at->b;
    loop l = {.at = at, .count = at->inputs.count};
    int32_t body = dv_fb_i32(&at->options, 1, 0);
    dv_tensor_id *values = dv_arena_array(b->arena, l.count, sizeof *values);
    l.counters = dv_arena_array(b->arena, l.count, sizeof *l.counters);
    if (!values || !l.counters)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    if (at->outputs.count != l.count)
        return dv_fail(DV_BAD_INPUT, "it has %u inputs and %u outputs", l.count, at->outputs.count);
    DV_TRY(enter(b, dv_fb_i32(&at->options, 0, 0), &l.condition));
    DV_TRY(enter(b, body, &l.body));
    for (uint32_t i = 0; i < l.count; i++) {
        int numbers;
        DV_TRY(dv_tfl_ints(at, i, 1, &l.counters[i].now, &numbers));
        l.counters[i].known = numbers == 1;
    }
    int rounds = count_rounds(&l);
    DV_TRY(b->fb.status);
    if (rounds < 0)
        return dv_tfl_opaque(at, "how many rounds it takes depends on values, or is more than %d",
                             MOST_ROUNDS);
    for (uint32_t i = 0; i < l.count; i++)
        DV_TRY(dv_tfl_plain_input(at, i, &values[i]));
    for (int i = 0; i < rounds; i++)
        DV_TRY(next_round(&l, body, values));
    for (uint32_t i = 0; i < l.count; i++) {
        dv_tensor_id id;
        DV_TRY(dv_tfl_emit1(at, DV_OP_IDENTITY, NULL, values[i], &id));
        DV_TRY(dv_tfl_result(at, i, id, false));
    }
    return DV_OK;
}
