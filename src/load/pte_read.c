/* pte_read.c - the container of a .pte file: header, tables, values, delegates, segments. */
#include <string.h>

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

/* ---- values ---- */

static dv_dtype dtype_of(int8_t type)
{
    switch (type) {
    case 0:
        return DV_DTYPE_U8;
    case 1:
        return DV_DTYPE_I8;
    case 2:
        return DV_DTYPE_I16;
    case 3:
        return DV_DTYPE_I32;
    case 4:
        return DV_DTYPE_I64;
    case 5:
        return DV_DTYPE_F16;
    case 6:
        return DV_DTYPE_F32;
    case 7:
        return DV_DTYPE_F64;
    case 11:
        return DV_DTYPE_BOOL;
    case 15:
        return DV_DTYPE_BF16;
    case 27:
        return DV_DTYPE_U16;
    case 28:
        return DV_DTYPE_U32;
    case 29:
        return DV_DTYPE_U64;
    default:
        return DV_DTYPE_NONE;
    }
}

/* A weight's bytes: in the segment of constants, in old files in the flatbuffer. */
static dv_status read_stored(dv_pte_file *file, dv_pte_value *out)
{
    dv_fb_table constants = dv_fb_child(&file->program, 5);
    dv_fb_vector offsets = dv_fb_list(&constants, 1, 8);
    dv_fb_vector buffers = dv_fb_tables(&file->program, 2);
    dv_span bytes = {0};
    if (out->data == 0 || out->planned)
        return DV_OK;
    if (out->data < offsets.count) {
        uint64_t offset = dv_fb_bits_at(&offsets, out->data);
        DV_TRY(dv_pte_segment(file, dv_fb_u32(&constants, 0, 0), &bytes));
        if (offset > bytes.size)
            return dv_fail(DV_BAD_INPUT, "constant %u lies outside its segment", out->data);
        bytes = (dv_span){bytes.data + offset, bytes.size - (size_t)offset};
    } else if (out->data < buffers.count) {
        dv_fb_table buffer = dv_fb_table_at(&buffers, out->data);
        dv_fb_vector data = dv_fb_list(&buffer, 0, 1);
        bytes = dv_fb_bytes(&data);
    }
    if ((double)bytes.size >= out->bytes)
        out->stored = bytes.data;
    return file->fb.status;
}

static dv_status read_tensor(const dv_fb_table *tensor, uint32_t index, dv_pte_value *out)
{
    dv_fb_vector sizes = dv_fb_list(tensor, 2, 4);
    dv_fb_table place = dv_fb_child(tensor, 6), extra = dv_fb_child(tensor, 9);
    if (sizes.count > DV_MAX_RANK)
        return dv_fail(DV_BAD_INPUT, "value %u has %u dimensions; at most %d are supported", index,
                       sizes.count, DV_MAX_RANK);
    out->is_tensor = true;
    out->dtype = dtype_of(dv_fb_i8(tensor, 0, 0));
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
    out->data = dv_fb_u32(tensor, 5, 0);
    out->planned = place.at != 0;
    out->memory = dv_fb_u32(&place, 0, 0);
    out->offset = dv_fb_u32(&place, 1, 0) | (uint64_t)dv_fb_u32(&place, 2, 0) << 32;
    out->name = dv_fb_string(&extra, 1);
    return tensor->fb->status;
}

static dv_status read_values(dv_pte_file *file, dv_pte *out)
{
    enum { TENSOR = 5 };
    dv_fb_vector values = dv_fb_tables(&file->plan, 2);
    dv_pte_value *rows = dv_arena_array(file->arena, values.count, sizeof *rows);
    if (!rows)
        return dv_fail(DV_NO_MEMORY, "out of memory for %u values", values.count);
    for (uint32_t i = 0; i < values.count; i++) {
        dv_fb_table value = dv_fb_table_at(&values, i);
        if (dv_fb_u8(&value, 0, 0) != TENSOR)
            continue;
        dv_fb_table tensor = dv_fb_child(&value, 1);
        DV_TRY(read_tensor(&tensor, i, &rows[i]));
        DV_TRY(dv_within(read_stored(file, &rows[i]), "value %u", i));
    }
    out->values = rows;
    out->value_count = values.count;
    return file->fb.status;
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

static dv_status read_delegates(dv_pte_file *file, dv_pte *out)
{
    dv_fb_vector delegates = dv_fb_tables(&file->plan, 7);
    dv_pte_delegate *rows = dv_arena_array(file->arena, delegates.count, sizeof *rows);
    size_t read = 0;
    if (!rows)
        return dv_fail(DV_NO_MEMORY, "out of memory for %u delegates", delegates.count);
    for (uint32_t i = 0; i < delegates.count; i++) {
        dv_fb_table delegate = dv_fb_table_at(&delegates, i);
        dv_span id = dv_fb_string(&delegate, 0), blob;
        rows[i].backend = text_of(file, id);
        rows[i].ops = -1;
        if (!rows[i].backend)
            return dv_fail(DV_NO_MEMORY, "out of memory");
        DV_TRY(dv_within(read_blob(file, &delegate, &blob), "delegate %u (%.80s)", i,
                         rows[i].backend));
        rows[i].blob_bytes = (double)blob.size;
        /* delegates may share a blob; a file of nothing but references to one is cut short */
        if (dv_add_size(read, blob.size, &read) && read / 64 <= file->fb.size)
            DV_TRY(dv_within(dv_xnnblob_read(blob, file->arena, &rows[i].ops, &rows[i].inside),
                             "delegate %u (%.80s)", i, rows[i].backend));
    }
    out->delegates = rows;
    out->delegate_count = delegates.count;
    return file->fb.status;
}

static dv_status read_segments(dv_pte_file *file, dv_pte *out)
{
    double *bytes = dv_arena_array(file->arena, file->segments.count, sizeof *bytes);
    if (!bytes)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < file->segments.count; i++) {
        dv_span segment;
        DV_TRY(dv_pte_segment(file, i, &segment));
        bytes[i] = (double)segment.size;
    }
    out->segment_bytes = bytes;
    out->segment_count = file->segments.count;
    return DV_OK;
}

/* ---- methods ---- */

/* "forward", else the first method with instructions; others only tell constants of the model. */
static dv_status choose_plan(dv_pte_file *file, dv_pte *out)
{
    dv_fb_vector plans = dv_fb_tables(&file->program, 1);
    for (uint32_t i = 0; i < plans.count; i++) {
        dv_fb_table plan = dv_fb_table_at(&plans, i);
        dv_fb_vector chains = dv_fb_tables(&plan, 5);
        dv_span name = dv_fb_string(&plan, 0);
        uint32_t instructions = 0;
        if (chains.count > 0) {
            dv_fb_table chain = dv_fb_table_at(&chains, 0);
            dv_fb_vector list = dv_fb_tables(&chain, 2);
            instructions = list.count;
        }
        bool forward = dv_span_is(name, "forward");
        if (!forward && (instructions == 0 || file->plan.at))
            continue;
        file->plan = plan;
        out->method = text_of(file, name);
        if (!out->method)
            return dv_fail(DV_NO_MEMORY, "out of memory");
        if (forward)
            break;
    }
    DV_TRY(file->fb.status);
    return file->plan.at ? DV_OK : dv_fail(DV_BAD_INPUT, "no method of it does anything");
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

static dv_status read_all(dv_pte_file *file, dv_pte *out)
{
    if (!dv_pte_recognise(file->fb.bytes, file->fb.size))
        return dv_fail(DV_BAD_INPUT, "it does not begin as an ExecuTorch program does");
    DV_TRY(read_header(file));
    file->program = dv_fb_root(&file->fb);
    file->segments = dv_fb_tables(&file->program, 4);
    DV_TRY(choose_plan(file, out));
    DV_TRY(read_values(file, out));
    DV_TRY(read_borders(file, 3, &out->inputs, &out->input_count, out->value_count));
    DV_TRY(read_borders(file, 4, &out->outputs, &out->output_count, out->value_count));
    DV_TRY(read_segments(file, out));
    DV_TRY(read_delegates(file, out));
    return dv_pte_calls(file, out);
}

dv_status dv_pte_read(const dv_buffer *buffer, dv_pte *out)
{
    *out = (dv_pte){.arena = dv_arena_create()};
    dv_pte_file file = {.fb = {.bytes = dv_buffer_data(buffer), .size = dv_buffer_size(buffer)},
                        .arena = out->arena};
    dv_status status = out->arena ? read_all(&file, out) : dv_fail(DV_NO_MEMORY, "out of memory");
    if (status != DV_OK)
        dv_pte_free(out);
    return status;
}

void dv_pte_free(dv_pte *pte)
{
    dv_arena_destroy(pte->arena);
    *pte = (dv_pte){0};
}
