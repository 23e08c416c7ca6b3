/* platform_support.c - which kinds of operators a device runs, from the tables compiled in.

   A table (datasets/support/NAME.csv) has one operator a row and one delegate a column. The cells
   "yes" and "conditional" count as support: what the condition excludes, a platform lists in
   "except". Later tables overrule earlier ones for the operators that they list. */
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/platform_internal.h"

enum { NAMES_STEP = 64 };

/* The row of a table: fields are split at commas; no quoting in these tables. */
typedef struct row {
    const char *start, *end;
} row;

static bool next_row(const char **at, const char *end, row *out)
{
    while (*at < end) {
        const char *stop = memchr(*at, '\n', (size_t)(end - *at));
        if (!stop)
            stop = end;
        *out = (row){*at, stop > *at && stop[-1] == '\r' ? stop - 1 : stop};
        *at = stop < end ? stop + 1 : end;
        if (out->start < out->end && *out->start != '#')
            return true;
    }
    return false;
}

static bool field(const row *in, size_t index, const char **text, size_t *length)
{
    const char *at = in->start;
    for (;;) {
        const char *comma = memchr(at, ',', (size_t)(in->end - at));
        const char *stop = comma ? comma : in->end;
        if (index == 0) {
            *text = at;
            *length = (size_t)(stop - at);
            return true;
        }
        if (!comma)
            return false;
        index--;
        at = comma + 1;
    }
}

static bool field_is(const row *in, size_t index, const char *word)
{
    const char *text;
    size_t length;
    return field(in, index, &text, &length) && length == strlen(word) &&
           memcmp(text, word, length) == 0;
}

/* Tables list ATen's names, our kinds the copying forms of the edge dialect: "aten.view.default"
   is "aten.view_copy.default" there. */
static dv_op_kind kind_of_row(const char *text, size_t length)
{
    char name[128], copy[140];
    if (length >= sizeof name)
        return DV_OP_COUNT;
    memcpy(name, text, length);
    name[length] = '\0';
    dv_op_kind kind = dv_op_kind_of(name);
    char *dot = strrchr(name, '.');
    if (kind != DV_OP_COUNT || !dot)
        return kind;
    snprintf(copy, sizeof copy, "%.*s_copy%s", (int)(dot - name), name, dot);
    return dv_op_kind_of(copy);
}

/* The operators of no kind of ours that a device runs, while its tables are read. */
typedef struct name_list {
    dv_arena *arena;
    const char **items; /* room for every row of a table */
    uint32_t count;
} name_list;

static dv_status add_name(name_list *to, const char *text, size_t length, bool runs)
{
    uint32_t i = 0;
    while (i < to->count &&
           (strncmp(to->items[i], text, length) != 0 || to->items[i][length] != '\0'))
        i++;
    if (i < to->count && !runs) /* a later table overrules */
        to->items[i] = to->items[--to->count];
    if (i < to->count || !runs)
        return DV_OK;
    if (to->count % NAMES_STEP == 0) {
        const char **items =
            dv_arena_array(to->arena, (size_t)to->count + NAMES_STEP, sizeof *items);
        if (!items)
            return dv_fail(DV_NO_MEMORY, "out of memory");
        if (to->count)
            memcpy(items, to->items, to->count * sizeof *items);
        to->items = items;
    }
    to->items[to->count] = dv_arena_copy_n(to->arena, text, length);
    return to->items[to->count++] ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory");
}

static dv_status read_table(const dv_json_at *table, const dv_json_at *column, bool *supports,
                            name_list *named)
{
    const char *name = NULL, *wanted = NULL;
    DV_TRY(dv_json_string(table, &name));
    DV_TRY(dv_json_string(column, &wanted));
    char path[128];
    snprintf(path, sizeof path, "support/%.100s.csv", name);
    size_t size;
    const char *text = dv_embedded_find(path, &size);
    if (!text)
        return dv_json_fail(table, "no table \"%.100s\" of operators is compiled in", name);

    const char *at = text, *end = text + size;
    row header, line;
    if (!next_row(&at, end, &header))
        return dv_json_fail(table, "the table \"%s\" is empty", name);
    size_t index = 1;
    const char *cell;
    size_t length;
    while (field(&header, index, &cell, &length) && !field_is(&header, index, wanted))
        index++;
    if (!field(&header, index, &cell, &length))
        return dv_json_fail(column, "the table \"%s\" has no column \"%.100s\"; it is %.*s", name,
                            wanted, (int)(header.end - header.start), header.start);
    while (next_row(&at, end, &line)) {
        field(&line, 0, &cell, &length);
        dv_op_kind kind = kind_of_row(cell, length);
        bool runs = field_is(&line, index, "yes") || field_is(&line, index, "conditional");
        if (kind != DV_OP_COUNT)
            supports[kind] = runs;
        else
            DV_TRY(add_name(named, cell, length, runs));
    }
    return DV_OK;
}

dv_op_kind dv_platform_read_kind(const dv_json_at *at, const char *name)
{
    dv_op_kind kind = dv_op_kind_of(name);
    if (kind != DV_OP_COUNT)
        return kind;
    const char *names[DV_OP_COUNT];
    for (int k = 0; k < DV_OP_COUNT; k++)
        names[k] = dv_op_info_of((dv_op_kind)k)->name;
    const char *near = dv_nearest_name(name, names, DV_OP_COUNT);
    if (near)
        dv_json_fail(at, "unknown operator; did you mean \"%s\"?", near);
    else
        dv_json_fail(at, "unknown operator; they are named as in core ATen, "
                         "such as \"aten.convolution.default\"");
    return DV_OP_COUNT;
}

/* Sets the operators that a list names. */
static dv_status read_list(const dv_json_at *list, bool *supports, bool value)
{
    if (!dv_json_present(list))
        return DV_OK;
    DV_TRY(dv_json_array(list));
    for (dv_json_at item = dv_json_first(list); item.node; item = dv_json_next(&item)) {
        const char *name = NULL;
        DV_TRY(dv_json_string(&item, &name));
        dv_op_kind kind = dv_platform_read_kind(&item, name);
        if (kind == DV_OP_COUNT)
            return DV_BAD_INPUT;
        supports[kind] = value;
    }
    return DV_OK;
}

static dv_status read_tables(const dv_json_at *at, dv_arena *arena, bool *supports,
                             name_list *named, const char **source)
{
    dv_json_at tables = dv_json_member(at, "tables");
    dv_json_at column = dv_json_member(at, "column");
    DV_TRY(dv_json_array(&tables));
    if (dv_json_count(&tables) == 0)
        return dv_json_fail(&tables, "name at least one table");
    dv_text names = {0};
    dv_status status = DV_OK;
    for (dv_json_at table = dv_json_first(&tables); table.node && status == DV_OK;
         table = dv_json_next(&table)) {
        status = read_table(&table, &column, supports, named);
        const char *name = NULL;
        if (status == DV_OK)
            status = dv_json_string(&table, &name);
        if (status == DV_OK)
            dv_text_append(&names, "%s%s.csv", names.length ? ", " : "", name);
    }
    const char *wanted = NULL;
    if (status == DV_OK)
        status = dv_json_string(&column, &wanted);
    if (status == DV_OK) {
        *source = dv_arena_printf(arena, "%s, column %s", dv_text_string(&names), wanted);
        if (!*source || names.failed)
            status = dv_fail(DV_NO_MEMORY, "%s: out of memory", at->file);
    }
    dv_text_free(&names);
    return status;
}

/* "aten.sort.default": an operator, not a delegate's or a kernel's name. */
static bool is_operator_name(const char *type)
{
    const char *dot = strchr(type, '.');
    return dot && strchr(dot + 1, '.') && !strchr(type, ':');
}

bool dv_device_runs(const dv_device *device, dv_op_kind kind, const char *source_type)
{
    char plain[160];
    if (device->supports[kind] || kind != DV_OP_OPAQUE)
        return device->supports[kind];
    if (!source_type || !is_operator_name(source_type))
        return false;
    if (device->runs_all)
        return true;
    /* tables list ATen's names without "_copy" */
    const char *type = source_type, *copy = strstr(type, "_copy.");
    snprintf(plain, sizeof plain, "%.*s%s", copy ? (int)(copy - type) : 100, type,
             copy ? copy + strlen("_copy") : "");
    for (uint32_t i = 0; i < device->named_count; i++)
        if (strcmp(device->named[i], type) == 0 || strcmp(device->named[i], plain) == 0)
            return true;
    return false;
}

dv_status dv_platform_read_support(const dv_json_at *at, dv_arena *arena, bool *supports,
                                   dv_device *device)
{
    static const char *const keys[] = {"all", "tables", "column", "except", "also", NULL};
    DV_TRY(dv_json_only(at, keys));
    dv_json_at all = dv_json_member(at, "all");
    dv_json_at except = dv_json_member(at, "except");
    dv_json_at also = dv_json_member(at, "also");
    bool everything = false;
    if (dv_json_present(&all))
        DV_TRY(dv_json_bool(&all, &everything));
    if (everything) {
        for (int kind = 0; kind < DV_OP_COUNT; kind++)
            supports[kind] = true;
        device->runs_all = true;
        device->support_source = "every kind of operator";
    } else {
        name_list named = {.arena = arena};
        DV_TRY(read_tables(at, arena, supports, &named, &device->support_source));
        device->named = named.items;
        device->named_count = named.count;
    }
    DV_TRY(read_list(&also, supports, true));
    DV_TRY(read_list(&except, supports, false));
    /* by name only: dv_device_runs looks it up */
    supports[DV_OP_OPAQUE] = false;
    return DV_OK;
}
