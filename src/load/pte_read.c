/* pte_read.c - the container of a .pte file: header, methods, delegates, segments. */
#include <string.h>

#include "core/text.h"
#include "load/pte.h"

bool dv_pte_recognise(const uint8_t *bytes, size_t size)
{
    return size >= 8 && bytes[4] == 'E' && bytes[5] == 'T' && bytes[6] >= '0' && bytes[6] <= '9' &&
           bytes[7] >= '0' && bytes[7] <= '9';
}

static uint64_t number(const uint8_t *bytes, size_t width)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < width; i++)
        bits |= (uint64_t)bytes[i] << (8 * i);
    return bits;
}

/* "eh00", u32 length of the header, u64 size of the program, u64 offset of the first segment. */
static dv_status read_header(dv_pte_file *file)
{
    const uint8_t *bytes = file->fb.bytes;
    if (file->fb.size < 32 || memcmp(bytes + 8, "eh00", 4) != 0)
        return DV_OK; /* small and old files have none */
    uint64_t base = number(bytes + 24, 8);
    if (base > file->fb.size)
        return dv_fail(DV_BAD_INPUT, "its segments begin at byte %llu of %zu; it is truncated",
                       (unsigned long long)base, file->fb.size);
    file->segment_base = (size_t)base;
    return DV_OK;
}

dv_status dv_pte_segment(dv_pte_file *file, uint32_t index, dv_span *out)
{
    dv_fb_table segment = dv_fb_table_at(&file->segments, index);
    uint64_t offset = dv_fb_u64(&segment, 0, 0), size = dv_fb_u64(&segment, 1, 0);
    DV_TRY(file->fb.status);
    *out = (dv_span){file->fb.bytes, 0};
    if (size == 0) /* written where there is nothing to hold, then without a header */
        return DV_OK;
    size_t room = file->fb.size - file->segment_base;
    if (file->segment_base == 0 || offset > room || size > room - offset)
        return dv_fail(DV_BAD_INPUT, "segment %u lies outside the file; it is truncated", index);
    *out = (dv_span){file->fb.bytes + file->segment_base + offset, (size_t)size};
    return DV_OK;
}

static char *text_of(dv_pte_file *file, dv_span text)
{
    return dv_arena_copy_n(file->arena, text.size ? (const char *)text.data : "", text.size);
}

/* ---- delegates and segments ---- */

/* A blob is in the flatbuffer (location 0) or in a segment (1). */
static dv_status read_blob(dv_pte_file *file, const dv_fb_table *delegate, dv_span *out)
{
    dv_fb_table processed = dv_fb_child(delegate, 1);
    uint32_t index = dv_fb_u32(&processed, 1, 0);
    *out = (dv_span){0};
    if (processed.at == 0)
        return file->fb.status;
    if (dv_fb_i8(&processed, 0, 0) == 1)
        return dv_pte_segment(file, index, out);
    dv_fb_vector inline_blobs = dv_fb_tables(&file->program, 3);
    dv_fb_table blob = dv_fb_table_at(&inline_blobs, index);
    dv_fb_vector data = dv_fb_list(&blob, 0, 1);
    *out = dv_fb_bytes(&data);
    return file->fb.status;
}

/* What a delegate was compiled for, as far as it is text: "compute_units=cpu_and_ne". */
static dv_status read_specs(dv_pte_file *file, const dv_fb_table *delegate, const char **out)
{
    enum { MOST_BYTES = 60, MOST_SPECS = 16 };
    dv_fb_vector specs = dv_fb_tables(delegate, 2);
    dv_text text = {0};
    for (uint32_t i = 0; i < specs.count && i < MOST_SPECS; i++) {
        dv_fb_table spec = dv_fb_table_at(&specs, i);
        dv_span key = dv_fb_string(&spec, 0);
        dv_fb_vector value = dv_fb_list(&spec, 1, 1);
        dv_span bytes = dv_fb_bytes(&value);
        bool printable = bytes.size > 0 && bytes.size <= MOST_BYTES && key.size <= MOST_BYTES;
        for (size_t k = 0; printable && k < bytes.size; k++)
            printable = bytes.data[k] >= 0x20 && bytes.data[k] < 0x7f;
        if (printable && key.size)
            dv_text_append(&text, "%s%.*s=%.*s", text.length ? " " : "", (int)key.size,
                           (const char *)key.data, (int)bytes.size, (const char *)bytes.data);
    }
    *out = dv_arena_copy(file->arena, dv_text_string(&text));
    bool failed = text.failed;
    dv_text_free(&text);
    DV_TRY(file->fb.status);
    return *out && !failed ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory");
}

static dv_status read_delegate(dv_pte_file *file, const dv_fb_table *table, size_t *read,
                               dv_pte_delegate *out)
{
    DV_TRY(read_blob(file, table, &out->blob));
    DV_TRY(read_specs(file, table, &out->specs));
    out->blob_bytes = (double)out->blob.size;
    /* delegates may share a blob; a file of nothing but references to one is cut short */
    if (!dv_add_size(*read, out->blob.size, read) || *read / 64 > file->fb.size)
        return DV_OK;
    DV_TRY(dv_xnnblob_count(out, file->arena));
    return out->ops >= 0 ? DV_OK : dv_vkblob_count(out, file->arena);
}

static dv_status read_delegates(dv_pte_file *file, dv_pte *out)
{
    dv_fb_vector delegates = dv_fb_tables(&file->plan, 7);
    dv_pte_delegate *rows = dv_arena_array(file->arena, delegates.count, sizeof *rows);
    size_t read = 0;
    if (!rows)
        return dv_fail(DV_NO_MEMORY, "out of memory for %u delegates", delegates.count);
    for (uint32_t i = 0; i < delegates.count; i++) {
        dv_fb_table delegate = dv_fb_table_at(&delegates, i);
        dv_span id = dv_fb_string(&delegate, 0);
        rows[i].backend = text_of(file, id);
        rows[i].ops = -1;
        if (!rows[i].backend)
            return dv_fail(DV_NO_MEMORY, "out of memory");
        DV_TRY(dv_within(read_delegate(file, &delegate, &read, &rows[i]), "delegate %u (%.80s)", i,
                         rows[i].backend));
    }
    out->delegates = rows;
    out->delegate_count = delegates.count;
    return file->fb.status;
}

/* ---- segments ---- */

static dv_status note(dv_pte_file *file, dv_pte_segment_use *uses, uint32_t count, uint32_t segment,
                      const char *what)
{
    if (segment >= count || !what)
        return what ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory");
    const char *before = uses[segment].holds;
    if (*before && strlen(before) > 200) /* one of many that share it */
        return DV_OK;
    uses[segment].holds = *before ? dv_arena_printf(file->arena, "%s, %s", before, what) : what;
    return uses[segment].holds ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory");
}

/* Which delegates, of this method, keep their blob in a segment. */
static dv_status note_delegates(dv_pte_file *file, dv_pte_segment_use *uses, uint32_t count)
{
    dv_fb_vector delegates = dv_fb_tables(&file->plan, 7);
    for (uint32_t i = 0; i < delegates.count; i++) {
        dv_fb_table delegate = dv_fb_table_at(&delegates, i);
        dv_fb_table processed = dv_fb_child(&delegate, 1);
        dv_span id = dv_fb_string(&delegate, 0);
        if (processed.at == 0 || dv_fb_i8(&processed, 0, 0) != 1)
            continue;
        DV_TRY(note(file, uses, count, dv_fb_u32(&processed, 1, 0),
                    dv_arena_printf(file->arena, "delegate %u (%.*s)", i,
                                    (int)(id.size > 80 ? 80 : id.size), (const char *)id.data)));
    }
    return file->fb.status;
}

static dv_status note_rest(dv_pte_file *file, dv_pte_segment_use *uses, uint32_t count)
{
    dv_fb_table constants = dv_fb_child(&file->program, 5);
    dv_fb_vector states = dv_fb_tables(&file->program, 6);
    dv_fb_vector offsets = dv_fb_list(&constants, 1, 8);
    if (offsets.count > 0)
        DV_TRY(note(file, uses, count, dv_fb_u32(&constants, 0, 0), "constants"));
    for (uint32_t i = 0; i < states.count; i++) {
        dv_fb_table state = dv_fb_table_at(&states, i);
        DV_TRY(note(file, uses, count, dv_fb_u32(&state, 0, 0), "initial state"));
    }
    for (uint32_t i = 0; i < file->named.count; i++) {
        dv_fb_table row = dv_fb_table_at(&file->named, i);
        dv_span key = dv_fb_string(&row, 0);
        DV_TRY(note(file, uses, count, dv_fb_u32(&row, 1, 0),
                    dv_arena_printf(file->arena, "named data '%.*s'",
                                    (int)(key.size > 24 ? 24 : key.size),
                                    key.size ? (const char *)key.data : "")));
    }
    return file->fb.status;
}

static dv_status read_segments(dv_pte_file *file, dv_pte *out)
{
    dv_pte_segment_use *uses = dv_arena_array(file->arena, file->segments.count, sizeof *uses);
    if (!uses)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < file->segments.count; i++) {
        dv_span segment;
        DV_TRY(dv_pte_segment(file, i, &segment));
        uses[i] = (dv_pte_segment_use){(double)segment.size, ""};
    }
    DV_TRY(note_delegates(file, uses, file->segments.count));
    DV_TRY(note_rest(file, uses, file->segments.count));
    out->segments = uses;
    out->segment_count = file->segments.count;
    return DV_OK;
}

/* ---- methods ---- */

static uint32_t instructions_of(const dv_fb_table *plan)
{
    dv_fb_vector chains = dv_fb_tables(plan, 5);
    if (chains.count == 0)
        return 0;
    dv_fb_table chain = dv_fb_table_at(&chains, 0);
    dv_fb_vector list = dv_fb_tables(&chain, 2);
    return list.count;
}

static dv_status list_methods(dv_pte_file *file, const dv_fb_vector *plans, dv_pte *out)
{
    dv_pte_method *rows = dv_arena_array(file->arena, plans->count, sizeof *rows);
    if (!rows)
        return dv_fail(DV_NO_MEMORY, "out of memory for %u methods", plans->count);
    for (uint32_t i = 0; i < plans->count; i++) {
        dv_fb_table plan = dv_fb_table_at(plans, i);
        rows[i].name = text_of(file, dv_fb_string(&plan, 0));
        rows[i].instructions = instructions_of(&plan);
        if (!rows[i].name)
            return dv_fail(DV_NO_MEMORY, "out of memory");
    }
    out->methods = rows;
    out->method_count = plans->count;
    return file->fb.status;
}

static dv_status no_method(const dv_pte *pte, const char *wanted)
{
    dv_text known = {0};
    for (uint32_t i = 0; i < pte->method_count && i < 20; i++)
        if (pte->methods[i].instructions > 0)
            dv_text_append(&known, "%s%.80s", known.length ? ", " : "", pte->methods[i].name);
    dv_status status = wanted ? dv_fail(DV_BAD_PARAMETER, "it has no method '%s'; it has %s",
                                        wanted, known.length ? dv_text_string(&known) : "none")
                              : dv_fail(DV_BAD_INPUT, "no method of it does anything");
    dv_text_free(&known);
    return status;
}

/* The method of that name; for NULL, "forward", else the first with instructions: others only tell
   constants of the model. */
static dv_status choose_plan(dv_pte_file *file, const char *wanted, dv_pte *out)
{
    dv_fb_vector plans = dv_fb_tables(&file->program, 1);
    uint32_t chosen = DV_NONE;
    DV_TRY(list_methods(file, &plans, out));
    for (uint32_t i = plans.count; i-- > 0;) {
        const dv_pte_method *method = &out->methods[i];
        if (strcmp(method->name, wanted ? wanted : "forward") == 0) {
            chosen = i;
            break;
        }
        if (!wanted && method->instructions > 0)
            chosen = i;
    }
    if (chosen == DV_NONE)
        return no_method(out, wanted);
    file->plan = dv_fb_table_at(&plans, chosen);
    out->method = out->methods[chosen].name;
    return file->fb.status;
}

static dv_status read_borders(dv_pte_file *file, unsigned field, const int32_t **out,
                              uint32_t *count, uint32_t value_count)
{
    dv_fb_vector list = dv_fb_list(&file->plan, field, 4);
    int32_t *values = dv_arena_array(file->arena, list.count, sizeof *values);
    if (!values)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < list.count; i++) {
        values[i] = dv_fb_i32_at(&list, i);
        if (file->fb.status == DV_OK && (values[i] < 0 || (uint32_t)values[i] >= value_count))
            return dv_fail(DV_BAD_INPUT, "its method gives or takes value %d of %u", values[i],
                           value_count);
    }
    *out = values;
    *count = list.count;
    return file->fb.status;
}

/* Does the program have weights that it keeps elsewhere? */
static bool needs_weights(const dv_pte *pte)
{
    for (uint32_t v = 0; v < pte->value_count; v++)
        if (pte->values[v].external && !pte->values[v].stored.data)
            return true;
    for (uint32_t d = 0; d < pte->delegate_count; d++)
        if (pte->delegates[d].ops >= 0)
            return true;
    return false;
}

static dv_status read_all(dv_pte_file *file, const char *path, const char *method, dv_pte *out)
{
    if (!dv_pte_recognise(file->fb.bytes, file->fb.size))
        return dv_fail(DV_BAD_INPUT, "it does not begin as an ExecuTorch program does");
    DV_TRY(read_header(file));
    file->program = dv_fb_root(&file->fb);
    file->segments = dv_fb_tables(&file->program, 4);
    file->named = dv_fb_tables(&file->program, 7);
    DV_TRY(dv_pte_index_names(&file->named, &file->names));
    DV_TRY(choose_plan(file, method, out));
    DV_TRY(read_delegates(file, out));
    DV_TRY(dv_pte_values(file, out));
    if (path && needs_weights(out)) {
        DV_TRY(dv_pte_open_weights(out, path));
        if (out->weights)
            DV_TRY(dv_pte_values(file, out));
    }
    DV_TRY(read_borders(file, 3, &out->inputs, &out->input_count, out->value_count));
    DV_TRY(read_borders(file, 4, &out->outputs, &out->output_count, out->value_count));
    DV_TRY(read_segments(file, out));
    return dv_pte_calls(file, out);
}

dv_status dv_pte_read(dv_buffer *buffer, const char *path, const char *method, dv_pte *out)
{
    *out = (dv_pte){.arena = dv_arena_create()};
    dv_pte_file *file = out->arena ? dv_arena_array(out->arena, 1, sizeof *file) : NULL;
    dv_status status = DV_OK;
    if (file) {
        *file =
            (dv_pte_file){.fb = {.bytes = dv_buffer_data(buffer), .size = dv_buffer_size(buffer)},
                          .arena = out->arena};
        out->file = file;
        out->buffer = dv_buffer_retain(buffer);
        status = read_all(file, path, method, out);
    } else {
        status = dv_fail(DV_NO_MEMORY, "out of memory");
    }
    if (status != DV_OK)
        dv_pte_free(out);
    return status;
}

void dv_pte_free(dv_pte *pte)
{
    if (pte->file) {
        dv_names_free(&pte->file->names);
        dv_names_free(&pte->file->weight_names);
    }
    dv_buffer_release(pte->buffer);
    dv_buffer_release(pte->weights);
    dv_arena_destroy(pte->arena);
    *pte = (dv_pte){0};
}
