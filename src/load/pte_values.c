/* pte_values.c - the values of a method, and where the elements of its weights are: in the segment
   of constants, in old files in the flatbuffer, in a segment of mutable state, or in a .ptd file
   beside the program (flat_tensor.fbs). */
#include <string.h>

#include "load/aten.h"
#include "load/pte.h"

static uint64_t number(const uint8_t *bytes, size_t width)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < width; i++)
        bits |= (uint64_t)bytes[i] << (8 * i);
    return bits;
}

/* ---- data with names ---- */

dv_status dv_pte_index_names(const dv_fb_vector *list, dv_names *names)
{
    for (uint32_t i = 0; i < list->count; i++) {
        dv_fb_table row = dv_fb_table_at(list, i);
        dv_span key = dv_fb_string(&row, 0);
        DV_TRY(row.fb->status);
        if (key.size)
            DV_TRY(dv_names_put(names, key, dv_fb_u32(&row, 1, 0)));
    }
    return list->fb ? list->fb->status : DV_OK;
}

static dv_status weight_segment(dv_pte_file *file, uint32_t index, dv_span *out)
{
    dv_fb_table segment = dv_fb_table_at(&file->weight_segments, index);
    uint64_t offset = dv_fb_u64(&segment, 0, 0), size = dv_fb_u64(&segment, 1, 0);
    DV_TRY(file->weights.status);
    size_t room = file->weights.size - file->weight_base;
    if (offset > room || size > room - offset)
        return dv_fail(DV_BAD_INPUT, "segment %u of its .ptd file lies outside of it", index);
    *out = (dv_span){file->weights.bytes + file->weight_base + offset, (size_t)size};
    return DV_OK;
}

dv_status dv_pte_named(dv_pte_file *file, dv_span key, dv_span *out, bool *outside)
{
    uint32_t segment = dv_names_find(&file->names, key, DV_NONE);
    *out = (dv_span){0};
    *outside = false;
    if (segment != DV_NONE)
        return dv_pte_segment(file, segment, out);
    segment = dv_names_find(&file->weight_names, key, DV_NONE);
    *outside = segment != DV_NONE;
    return segment == DV_NONE ? DV_OK : weight_segment(file, segment, out);
}

/* ---- the .ptd file ---- */

/* Behind the identifier: "FH01", u32 length of the header, u64 offset and size of the flatbuffer,
   u64 offset and size of the segments. */
static dv_status open_flat_tensor(dv_pte_file *file, dv_buffer *buffer)
{
    const uint8_t *bytes = dv_buffer_data(buffer);
    size_t size = dv_buffer_size(buffer);
    if (size < 48 || memcmp(bytes + 4, "FT01", 4) != 0 || memcmp(bytes + 8, "FH01", 4) != 0)
        return dv_fail(DV_BAD_INPUT, "it does not begin as a file of tensors (.ptd) does");
    uint64_t base = number(bytes + 32, 8);
    if (base > size)
        return dv_fail(DV_BAD_INPUT, "its segments begin at byte %llu of %zu; it is truncated",
                       (unsigned long long)base, size);
    file->weights = (dv_fb){.bytes = bytes, .size = size};
    file->weight_base = (size_t)base;
    dv_fb_table root = dv_fb_root(&file->weights);
    file->weight_segments = dv_fb_tables(&root, 1);
    dv_fb_vector names = dv_fb_tables(&root, 2);
    DV_TRY(dv_pte_index_names(&names, &file->weight_names));
    return file->weights.status;
}

dv_status dv_pte_open_weights(dv_pte *pte, const char *path)
{
    static const char *const names[] = {"", "_default_external_constant.ptd"};
    const char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
    const char *dot = strrchr(path + folder, '.');
    size_t stem = dot ? (size_t)(dot - path) : strlen(path);
    for (size_t i = 0; i < 2 && !pte->weights; i++) {
        const char *other =
            i == 0 ? dv_arena_printf(pte->arena, "%.*s.ptd", (int)stem, path)
                   : dv_arena_printf(pte->arena, "%.*s%s", (int)folder, path, names[i]);
        if (!other)
            return dv_fail(DV_NO_MEMORY, "out of memory");
        if (dv_buffer_map_plain(other, &pte->weights) != DV_OK) {
            pte->weights = NULL;
            continue;
        }
        pte->weights_path = other;
        DV_TRY(dv_within(open_flat_tensor(pte->file, pte->weights), "%s", other));
    }
    return DV_OK;
}

/* ---- tensors ---- */

static dv_status in_constants(dv_pte_file *file, uint32_t index, dv_span *out)
{
    dv_fb_table constants = dv_fb_child(&file->program, 5);
    dv_fb_vector offsets = dv_fb_list(&constants, 1, 8);
    dv_fb_vector buffers = dv_fb_tables(&file->program, 2);
    if (index < offsets.count) {
        uint64_t offset = dv_fb_bits_at(&offsets, index);
        DV_TRY(dv_pte_segment(file, dv_fb_u32(&constants, 0, 0), out));
        if (offset > out->size)
            return dv_fail(DV_BAD_INPUT, "constant %u lies outside its segment", index);
        *out = (dv_span){out->data + offset, out->size - (size_t)offset};
    } else if (index < buffers.count) {
        dv_fb_table buffer = dv_fb_table_at(&buffers, index);
        dv_fb_vector data = dv_fb_list(&buffer, 0, 1);
        *out = dv_fb_bytes(&data);
    }
    return file->fb.status;
}

/* What a value that is kept from run to run begins with. */
static dv_status in_states(dv_pte_file *file, const dv_pte_value *value, dv_span *out)
{
    dv_fb_table extra = dv_fb_child(&value->table, 9);
    dv_fb_vector all = dv_fb_tables(&file->program, 6);
    uint64_t which = dv_fb_u64(&extra, 0, 0);
    if (which >= all.count)
        return file->fb.status;
    dv_fb_table state = dv_fb_table_at(&all, (uint32_t)which);
    dv_fb_vector offsets = dv_fb_list(&state, 1, 8);
    uint64_t offset = value->data < offsets.count ? dv_fb_bits_at(&offsets, value->data) : 0;
    if (value->data >= offsets.count)
        return file->fb.status;
    DV_TRY(dv_pte_segment(file, dv_fb_u32(&state, 0, 0), out));
    if (offset > out->size)
        return dv_fail(DV_BAD_INPUT, "state %u lies outside its segment", value->data);
    *out = (dv_span){out->data + offset, out->size - (size_t)offset};
    return file->fb.status;
}

static dv_status read_stored(dv_pte_file *file, dv_pte *pte, dv_pte_value *out)
{
    dv_span bytes = {0};
    bool outside = false;
    if (out->external)
        DV_TRY(dv_pte_named(file, out->name, &bytes, &outside));
    else if (out->data > 0 && !out->planned)
        DV_TRY(in_constants(file, out->data, &bytes));
    else if (out->data > 0)
        DV_TRY(in_states(file, out, &bytes));
    if ((double)bytes.size >= out->bytes && bytes.data) {
        out->stored = (dv_span){bytes.data, (size_t)out->bytes};
        out->buffer = outside ? pte->weights : pte->buffer;
    }
    return file->fb.status;
}

static dv_status read_order(const dv_fb_table *tensor, uint32_t index, dv_pte_value *out)
{
    dv_fb_vector order = dv_fb_list(tensor, 3, 1);
    unsigned seen = 0;
    for (uint8_t d = 0; d < out->shape.rank; d++) {
        out->order[d] = order.count == out->shape.rank ? (uint8_t)dv_fb_bits_at(&order, d) : d;
        if (out->order[d] >= out->shape.rank || (seen & 1u << out->order[d]))
            return dv_fail(DV_BAD_INPUT, "value %u has no order of dimensions", index);
        seen |= 1u << out->order[d];
    }
    int last = -1; /* dims of size 1 may stand anywhere */
    for (uint8_t d = 0; d < out->shape.rank; d++) {
        if (out->shape.dim[out->order[d]] == 1)
            continue;
        out->permuted |= out->order[d] < last;
        last = out->order[d];
    }
    return tensor->fb->status;
}

static dv_status read_tensor(const dv_fb_table *tensor, uint32_t index, dv_pte_value *out)
{
    enum { EXTERNAL = 1 };
    dv_fb_vector sizes = dv_fb_list(tensor, 2, 4);
    dv_fb_table place = dv_fb_child(tensor, 6), extra = dv_fb_child(tensor, 9);
    if (sizes.count > DV_MAX_RANK)
        return dv_fail(DV_BAD_INPUT, "value %u has %u dimensions; at most %d are supported", index,
                       sizes.count, DV_MAX_RANK);
    out->is_tensor = true;
    out->dtype = dv_aten_dtype(dv_fb_i8(tensor, 0, 0));
    out->shape.rank = (uint8_t)sizes.count;
    out->bytes = (double)dv_dtype_bytes(out->dtype);
    for (uint32_t d = 0; d < sizes.count; d++) {
        out->shape.dim[d] = dv_fb_i32_at(&sizes, d);
        if (out->shape.dim[d] < 0)
            return dv_fail(DV_BAD_INPUT, "value %u has a dimension of %lld", index,
                           (long long)out->shape.dim[d]);
        out->bytes *= (double)out->shape.dim[d];
    }
    size_t elements, bytes;
    if (!dv_shape_elements(&out->shape, &elements) || !dv_mul_size(elements, 1 << 12, &bytes))
        return dv_fail(DV_BAD_INPUT, "value %u has more elements than memory can hold", index);
    DV_TRY(read_order(tensor, index, out));
    out->data = dv_fb_u32(tensor, 5, 0);
    out->planned = place.at != 0;
    out->memory = dv_fb_u32(&place, 0, 0);
    out->offset = dv_fb_u32(&place, 1, 0) | (uint64_t)dv_fb_u32(&place, 2, 0) << 32;
    out->name = dv_fb_string(&extra, 1);
    out->external = dv_fb_i8(&extra, 2, 0) == EXTERNAL && out->name.size > 0;
    return tensor->fb->status;
}

dv_status dv_pte_values(dv_pte_file *file, dv_pte *out)
{
    dv_fb_vector values = dv_fb_tables(&file->plan, 2);
    dv_pte_value *rows = dv_arena_array(file->arena, values.count, sizeof *rows);
    if (!rows)
        return dv_fail(DV_NO_MEMORY, "out of memory for %u values", values.count);
    for (uint32_t i = 0; i < values.count; i++) {
        dv_fb_table value = dv_fb_table_at(&values, i);
        rows[i].kind = (dv_pte_kind)dv_fb_u8(&value, 0, 0);
        rows[i].table = dv_fb_child(&value, 1);
        if (rows[i].kind != DV_PTE_TENSOR)
            continue;
        DV_TRY(read_tensor(&rows[i].table, i, &rows[i]));
        DV_TRY(dv_within(read_stored(file, out, &rows[i]), "value %u", i));
    }
    out->values = rows;
    out->value_count = values.count;
    return file->fb.status;
}

dv_status dv_pte_integer(const dv_pte *pte, uint32_t value, int64_t *out)
{
    if (value >= pte->value_count ||
        (pte->values[value].kind != DV_PTE_INT && pte->values[value].kind != DV_PTE_BOOL))
        return dv_fail(DV_BAD_INPUT, "value %u is no whole number", value);
    *out = pte->values[value].kind == DV_PTE_INT
               ? dv_fb_i64(&pte->values[value].table, 0, 0)
               : (int64_t)dv_fb_flag(&pte->values[value].table, 0, false);
    return pte->file->fb.status;
}
