/* pickle.c - pickles, read as plain data (Python's Lib/pickletools.py describes the instructions).
 */
#include "load/pickle.h"

#include <stdlib.h>
#include <string.h>

typedef struct machine {
    dv_arena *arena;
    const uint8_t *at, *end;
    size_t size;
    dv_pickle **stack, **memo; /* malloc'ed; NULL on the stack is a mark */
    size_t depth, stack_capacity, memo_count, memo_capacity;
} machine;

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "out of memory");
}

static dv_status damaged(void)
{
    return dv_fail(DV_BAD_INPUT, "a damaged pickle");
}

/* ---- bytes ---- */

static dv_status take(machine *m, size_t count, const uint8_t **out)
{
    if (count > (size_t)(m->end - m->at))
        return damaged();
    *out = m->at;
    m->at += count;
    return DV_OK;
}

static dv_status take_number(machine *m, size_t width, uint64_t *out)
{
    const uint8_t *bytes = NULL;
    DV_TRY(take(m, width, &bytes));
    *out = 0;
    for (size_t i = 0; i < width; i++)
        *out |= (uint64_t)bytes[i] << (8 * i);
    return DV_OK;
}

static dv_status take_line(machine *m, const uint8_t **out, size_t *length)
{
    const uint8_t *line = m->at, *end = memchr(line, '\n', (size_t)(m->end - line));
    if (!end)
        return damaged();
    *out = line;
    *length = (size_t)(end - line);
    m->at = end + 1;
    return DV_OK;
}

/* ---- the stack and the memo ---- */

static dv_status push(machine *m, dv_pickle *value)
{
    void *stack = m->stack;
    if (!dv_grow(&stack, &m->stack_capacity, m->depth + 1, sizeof *m->stack))
        return no_memory();
    m->stack = stack;
    m->stack[m->depth++] = value;
    return DV_OK;
}

static dv_status push_new(machine *m, dv_pickle value)
{
    dv_pickle *made = dv_arena_alloc(m->arena, sizeof *made);
    if (!made)
        return no_memory();
    *made = value;
    return push(m, made);
}

static dv_status push_text(machine *m, dv_pickle_kind kind, size_t size)
{
    const uint8_t *bytes = NULL;
    DV_TRY(take(m, size, &bytes));
    const char *text = dv_arena_copy_n(m->arena, size ? (const char *)bytes : "", size);
    return text ? push_new(m, (dv_pickle){.kind = kind, .text = text}) : no_memory();
}

static dv_status pop(machine *m, dv_pickle **out)
{
    if (m->depth == 0 || !m->stack[m->depth - 1])
        return damaged();
    *out = m->stack[--m->depth];
    return DV_OK;
}

/* How many values lie above the last mark. */
static dv_status above_mark(const machine *m, size_t *count)
{
    *count = 0;
    while (*count < m->depth && m->stack[m->depth - 1 - *count])
        ++*count;
    return *count < m->depth ? DV_OK : damaged();
}

/* Pickles number what they remember from 0 on; each takes an instruction of its own. */
static dv_status remember(machine *m, uint64_t place)
{
    void *memo = m->memo;
    if (place > m->size || m->depth == 0 || !m->stack[m->depth - 1])
        return damaged();
    if (!dv_grow(&memo, &m->memo_capacity, (size_t)place + 1, sizeof *m->memo))
        return no_memory();
    m->memo = memo;
    m->memo[place] = m->stack[m->depth - 1];
    m->memo_count = m->memo_count > place ? m->memo_count : (size_t)place + 1;
    return DV_OK;
}

static dv_status recall(machine *m, uint64_t place)
{
    return place < m->memo_count && m->memo[place] ? push(m, m->memo[place]) : damaged();
}

/* ---- values made of others ---- */

static dv_status append(machine *m, dv_pickle *to, dv_pickle *const *items, size_t count)
{
    if (count > UINT32_MAX / 2 - to->count)
        return damaged();
    uint32_t needed = to->count + (uint32_t)count;
    if (needed > to->capacity) {
        uint32_t capacity = needed > 2 * to->capacity ? needed : 2 * to->capacity;
        dv_pickle **grown = dv_arena_array(m->arena, capacity, sizeof *grown);
        if (!grown)
            return no_memory();
        if (to->count)
            memcpy(grown, to->items, to->count * sizeof *grown);
        to->items = grown;
        to->capacity = capacity;
    }
    if (count)
        memcpy(to->items + to->count, items, count * sizeof *items);
    to->count = needed;
    return DV_OK;
}

/* The last count values become one, in place of them and of a mark below. */
static dv_status gather(machine *m, dv_pickle_kind kind, size_t count, bool marked)
{
    dv_pickle *made = dv_arena_alloc(m->arena, sizeof *made);
    if (!made)
        return no_memory();
    made->kind = kind;
    if (count > m->depth)
        return damaged();
    for (size_t i = m->depth - count; i < m->depth; i++)
        if (!m->stack[i])
            return damaged();
    DV_TRY(append(m, made, m->stack + m->depth - count, count));
    m->depth -= count + marked;
    return push(m, made);
}

static dv_status gather_marked(machine *m, dv_pickle_kind kind)
{
    size_t count;
    DV_TRY(above_mark(m, &count));
    return gather(m, kind, count, true);
}

/* Puts the values above the mark (or the last count) into the list or dict below. */
static dv_status put_into(machine *m, size_t count, bool marked, bool pairs)
{
    if (marked)
        DV_TRY(above_mark(m, &count));
    size_t below = count + marked + 1;
    if (below > m->depth || !m->stack[m->depth - below] || (pairs && count % 2 != 0))
        return damaged();
    for (size_t i = m->depth - count; i < m->depth; i++)
        if (!m->stack[i])
            return damaged();
    dv_pickle *to = m->stack[m->depth - below];
    bool fits = to->kind == DV_PICKLE_CALL || to->kind == (pairs ? DV_PICKLE_DICT : DV_PICKLE_LIST);
    if (!fits)
        return damaged();
    DV_TRY(append(m, to, m->stack + m->depth - count, count));
    m->depth -= count + marked;
    return DV_OK;
}

static dv_status push_global(machine *m, const uint8_t *module, size_t module_length,
                             const uint8_t *name, size_t name_length)
{
    if (module_length > 256 || name_length > 256)
        return damaged();
    const char *text = dv_arena_printf(m->arena, "%.*s.%.*s", (int)module_length,
                                       (const char *)module, (int)name_length, (const char *)name);
    return text ? push_new(m, (dv_pickle){.kind = DV_PICKLE_GLOBAL, .text = text}) : no_memory();
}

static dv_status global_of_lines(machine *m)
{
    const uint8_t *module = NULL, *name = NULL;
    size_t module_length = 0, name_length = 0;
    DV_TRY(take_line(m, &module, &module_length));
    DV_TRY(take_line(m, &name, &name_length));
    return push_global(m, module, module_length, name, name_length);
}

static dv_status global_of_stack(machine *m)
{
    dv_pickle *name = NULL, *module = NULL;
    DV_TRY(pop(m, &name));
    DV_TRY(pop(m, &module));
    if (name->kind != DV_PICKLE_TEXT || module->kind != DV_PICKLE_TEXT)
        return damaged();
    return push_global(m, (const uint8_t *)module->text, strlen(module->text),
                       (const uint8_t *)name->text, strlen(name->text));
}

/* ---- numbers ---- */

static dv_status push_integer(machine *m, size_t width)
{
    uint64_t bits = 0;
    DV_TRY(take_number(m, width, &bits));
    int64_t value = width == 4 ? (int32_t)(uint32_t)bits : (int64_t)bits;
    return push_new(m, (dv_pickle){.kind = DV_PICKLE_INT, .integer = value});
}

/* A whole number in as many bytes as it takes, in two's complement; beyond 64 bits the sign alone
   is kept, at its most. */
static dv_status push_long(machine *m)
{
    uint64_t width = 0, bits = 0;
    const uint8_t *bytes = NULL;
    DV_TRY(take_number(m, 1, &width));
    DV_TRY(take(m, (size_t)width, &bytes));
    bool negative = width > 0 && bytes[width - 1] >= 0x80;
    for (size_t i = 0; i < 8; i++)
        bits |= (uint64_t)(i < width ? bytes[i] : negative ? 0xff : 0) << (8 * i);
    int64_t value = width <= 8 ? (int64_t)bits : negative ? INT64_MIN : INT64_MAX;
    return push_new(m, (dv_pickle){.kind = DV_PICKLE_INT, .integer = value});
}

static dv_status push_real(machine *m)
{
    const uint8_t *bytes = NULL; /* the largest first */
    uint64_t bits = 0;
    dv_pickle value = {.kind = DV_PICKLE_REAL};
    DV_TRY(take(m, 8, &bytes));
    for (size_t i = 0; i < 8; i++)
        bits = bits << 8 | bytes[i];
    memcpy(&value.real, &bits, sizeof bits);
    return push_new(m, value);
}

/* ---- instructions ---- */

static dv_status sized_text(machine *m, size_t width)
{
    uint64_t size = 0;
    DV_TRY(take_number(m, width, &size));
    return size <= m->size ? push_text(m, DV_PICKLE_TEXT, (size_t)size) : damaged();
}

static dv_status skip(machine *m, size_t count)
{
    const uint8_t *bytes = NULL;
    return take(m, count, &bytes);
}

static dv_status remember_at(machine *m, size_t width)
{
    uint64_t place = 0;
    DV_TRY(take_number(m, width, &place));
    return remember(m, place);
}

static dv_status recall_at(machine *m, size_t width)
{
    uint64_t place = 0;
    DV_TRY(take_number(m, width, &place));
    return recall(m, place);
}

/* BUILD gives an object the state that lies above it: of no interest here. */
static dv_status drop(machine *m)
{
    dv_pickle *state;
    return pop(m, &state);
}

static dv_status step(machine *m, uint8_t instruction)
{
    switch (instruction) {
    case 0x80: /* PROTO */
        return skip(m, 1);
    case 0x95: /* FRAME */
        return skip(m, 8);
    case '(':
        return push(m, NULL);
    case ')':
    case ']':
    case 0x8f: /* EMPTY_SET */
        return push_new(m, (dv_pickle){.kind = DV_PICKLE_LIST});
    case '}':
        return push_new(m, (dv_pickle){.kind = DV_PICKLE_DICT});
    case 't':
    case 'l':
    case 0x91: /* FROZENSET */
        return gather_marked(m, DV_PICKLE_LIST);
    case 0x85: /* TUPLE1 to TUPLE3 */
    case 0x86:
    case 0x87:
        return gather(m, DV_PICKLE_LIST, (size_t)instruction - 0x84, false);
    case 'a':
        return put_into(m, 1, false, false);
    case 'e':
    case 0x90: /* ADDITEMS */
        return put_into(m, 0, true, false);
    case 's':
        return put_into(m, 2, false, true);
    case 'u':
        return put_into(m, 0, true, true);
    case 'X':
    case 'T':
    case 'B':
        return sized_text(m, 4);
    case 0x8c: /* SHORT_BINUNICODE */
    case 'U':
    case 'C':
        return sized_text(m, 1);
    case 0x8d: /* BINUNICODE8, BINBYTES8 */
    case 0x8e:
        return sized_text(m, 8);
    case 'K':
        return push_integer(m, 1);
    case 'M':
        return push_integer(m, 2);
    case 'J':
        return push_integer(m, 4);
    case 0x8a: /* LONG1 */
        return push_long(m);
    case 'G':
        return push_real(m);
    case 'N':
        return push_new(m, (dv_pickle){.kind = DV_PICKLE_NONE});
    case 0x88: /* NEWTRUE, NEWFALSE */
    case 0x89:
        return push_new(m, (dv_pickle){.kind = DV_PICKLE_BOOL, .integer = instruction == 0x88});
    case 'c':
        return global_of_lines(m);
    case 0x93: /* STACK_GLOBAL */
        return global_of_stack(m);
    case 'R':
    case 0x81: /* NEWOBJ */
        return gather(m, DV_PICKLE_CALL, 2, false);
    case 'b':
    case '0':
        return drop(m);
    case 'Q':
        return gather(m, DV_PICKLE_OUTSIDE, 1, false);
    case 'q':
        return remember_at(m, 1);
    case 'r':
        return remember_at(m, 4);
    case 0x94: /* MEMOIZE */
        return remember(m, m->memo_count);
    case 'h':
        return recall_at(m, 1);
    case 'j':
        return recall_at(m, 4);
    default:
        return dv_fail(DV_BAD_INPUT, "a pickle with instruction 0x%02x, which is not supported",
                       instruction);
    }
}

static dv_status run(machine *m, const dv_pickle **out)
{
    for (;;) {
        const uint8_t *instruction = NULL;
        DV_TRY(take(m, 1, &instruction));
        if (*instruction == '.') {
            dv_pickle *result = NULL;
            DV_TRY(pop(m, &result));
            *out = result;
            return DV_OK;
        }
        DV_TRY(step(m, *instruction));
    }
}

dv_status dv_pickle_read(dv_arena *arena, const uint8_t *bytes, size_t size, const dv_pickle **out)
{
    machine m = {.arena = arena, .at = bytes, .end = bytes + size, .size = size};
    dv_status status = run(&m, out);
    free(m.stack);
    free(m.memo);
    return status;
}

/* ---- what was read ---- */

dv_pickle *const *dv_pickle_pairs(const dv_pickle *value, uint32_t *count)
{
    static dv_pickle *const none[1];
    uint32_t first = value->kind == DV_PICKLE_DICT ? 0 : 2;
    *count = 0;
    if (first && !dv_pickle_call(value, "collections.OrderedDict"))
        return NULL;
    *count = (value->count - first) & ~1u;
    return value->count > first ? value->items + first : none;
}

const dv_pickle *dv_pickle_call(const dv_pickle *value, const char *function)
{
    if (value->kind != DV_PICKLE_CALL || value->items[0]->kind != DV_PICKLE_GLOBAL ||
        value->items[1]->kind != DV_PICKLE_LIST)
        return NULL;
    return strcmp(value->items[0]->text, function) == 0 ? value->items[1] : NULL;
}
