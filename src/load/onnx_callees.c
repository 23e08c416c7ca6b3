#include "load/onnx_callees.h"

#include <stdio.h>
#include <string.h>

enum { FUNCTIONS = 25, LONGEST_KEY = 1024 };

/* Names cannot hold newlines in practice; one that does would at worst not be found. */
static bool key_of(dv_span domain, dv_span name, dv_span overload, char out[LONGEST_KEY],
                   size_t *size)
{
    if (dv_span_is(domain, "ai.onnx"))
        domain = (dv_span){0};
    const dv_span parts[] = {domain, name, overload};
    *size = 0;
    for (size_t i = 0; i < 3; i++) {
        if (parts[i].size > LONGEST_KEY - 4 - *size)
            return false;
        if (parts[i].size > 0)
            memcpy(out + *size, parts[i].data, parts[i].size);
        *size += parts[i].size;
        out[(*size)++] = '\n';
    }
    return true;
}

static dv_status add(dv_onnx_callees *callees, dv_span bytes, const uint8_t *file, dv_arena *arena)
{
    dv_onnx_callee *callee = &callees->items[callees->count];
    dv_onnx_function *f = &callee->function;
    char key[LONGEST_KEY];
    size_t size;
    callee->reads.file = file;
    DV_TRY(dv_onnx_read_function(bytes, file, arena, f));
    int shown = f->name.size > 120 ? 120 : (int)f->name.size;
    const char *name = shown ? (const char *)f->name.data : "";
    if (!key_of(f->domain, f->name, f->overload, key, &size))
        return dv_fail(DV_BAD_INPUT, "function '%.*s': its name is too long", shown, name);
    char *kept = dv_arena_copy_n(arena, key, size);
    if (!kept)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    dv_span span = {(const uint8_t *)kept, size};
    if (dv_names_find(&callees->index, span, DV_ONNX_MAX_ITEMS) != DV_ONNX_MAX_ITEMS)
        return dv_fail(DV_BAD_INPUT, "function '%.*s' is defined twice", shown, name);
    return dv_names_put(&callees->index, span, callees->count++);
}

dv_status dv_onnx_callees_read(dv_onnx_callees *callees, dv_span model, const uint8_t *file,
                               dv_arena *arena)
{
    dv_pb_field field;
    size_t count = 0;
    dv_pb_cursor cursor = dv_pb_open(model, file);
    while (dv_pb_next(&cursor, &field))
        count += field.number == FUNCTIONS;
    DV_TRY(cursor.status);
    if (count > DV_ONNX_MAX_ITEMS)
        return dv_fail(DV_BAD_INPUT, "more than %d functions", DV_ONNX_MAX_ITEMS);
    callees->items = dv_arena_array(arena, count, sizeof *callees->items);
    if (!callees->items)
        return dv_fail(DV_NO_MEMORY, "out of memory for %zu functions", count);
    cursor = dv_pb_open(model, file);
    while (dv_pb_next(&cursor, &field))
        if (field.number == FUNCTIONS && dv_pb_expect(&cursor, &field, DV_PB_BYTES))
            DV_TRY(add(callees, field.bytes, file, arena));
    return cursor.status;
}

dv_onnx_callee *dv_onnx_callee_of(const dv_onnx_callees *callees, const dv_onnx_node *node)
{
    char key[LONGEST_KEY];
    size_t size;
    if (callees->count == 0 || !key_of(node->domain, node->op_type, node->overload, key, &size))
        return NULL;
    uint32_t i =
        dv_names_find(&callees->index, (dv_span){(const uint8_t *)key, size}, callees->count);
    return i < callees->count ? &callees->items[i] : NULL;
}

void dv_onnx_callees_free(dv_onnx_callees *callees)
{
    for (uint32_t i = 0; i < callees->count; i++)
        dv_onnx_reads_free(&callees->items[i].reads);
    dv_names_free(&callees->index);
}
