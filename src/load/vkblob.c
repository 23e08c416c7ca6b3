/* vkblob.c - the blob of ExecuTorch's Vulkan delegate: a header of 30 bytes, a flatbuffer of ATen
   calls over values, constants (schema.fbs of its serialization). A call's last argument is what it
   makes. */
#include <string.h>

#include "core/text.h"
#include "load/vkblob.h"
#include "load/xnnblob.h"

static uint64_t number(const uint8_t *bytes, size_t width)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < width; i++)
        bits |= (uint64_t)bytes[i] << (8 * i);
    return bits;
}

dv_status dv_vk_open(dv_span blob, dv_vk_graph *out, bool *known)
{
    *out = (dv_vk_graph){0};
    *known = false;
    if (blob.size < 30 || memcmp(blob.data + 4, "VH00", 4) != 0)
        return DV_OK;
    uint64_t offset = number(blob.data + 10, 4), size = number(blob.data + 14, 4);
    uint64_t data = number(blob.data + 18, 4);
    if (offset > blob.size || size > blob.size - offset || data > blob.size || size < 8 ||
        memcmp(blob.data + offset + 4, "VK00", 4) != 0)
        return DV_OK;
    *known = true;
    out->fb = (dv_fb){.bytes = blob.data + offset, .size = (size_t)size};
    out->constants = (dv_span){blob.data + data, blob.size - (size_t)data};
    dv_fb_table root = dv_fb_root(&out->fb);
    out->calls = dv_fb_tables(&root, 1);
    out->values = dv_fb_tables(&root, 2);
    out->inputs = dv_fb_list(&root, 3, 4);
    out->outputs = dv_fb_list(&root, 4, 4);
    out->data = dv_fb_tables(&root, 5);
    return dv_within(out->fb.status, "its Vulkan graph");
}

/* ---- values ---- */

dv_status dv_vk_value_at(const dv_vk_graph *graph, uint32_t index, uint8_t *kind,
                         dv_fb_table *table)
{
    if (index >= graph->values.count)
        return dv_fail(DV_BAD_INPUT, "value %u of %u", index, graph->values.count);
    dv_fb_table row = dv_fb_table_at(&graph->values, index);
    *kind = dv_fb_u8(&row, 0, 0);
    *table = dv_fb_child(&row, 1);
    return graph->fb.status;
}

static dv_dtype dtype_of(uint8_t type)
{
    static const dv_dtype types[] = {DV_DTYPE_BOOL, DV_DTYPE_U8,  DV_DTYPE_I8,  DV_DTYPE_I32,
                                     DV_DTYPE_F16,  DV_DTYPE_F32, DV_DTYPE_F64, DV_DTYPE_I64};
    return type < sizeof types / sizeof types[0] ? types[type] : DV_DTYPE_NONE;
}

dv_status dv_vk_read_tensor(const dv_vk_graph *graph, const dv_fb_table *table, dv_tensor *out,
                            int32_t *constant)
{
    dv_fb_vector dims = dv_fb_list(table, 1, 4);
    size_t elements, bytes;
    if (dims.count > DV_MAX_RANK)
        return dv_fail(DV_BAD_INPUT, "a tensor of %u dimensions", dims.count);
    out->dtype = dtype_of(dv_fb_u8(table, 0, 0));
    out->shape.rank = (uint8_t)dims.count;
    for (uint32_t d = 0; d < dims.count; d++)
        out->shape.dim[d] = (int64_t)dv_fb_bits_at(&dims, d);
    *constant = dv_fb_i32(table, 2, 0);
    if (!dv_shape_elements(&out->shape, &elements) || !dv_mul_size(elements, 1 << 12, &bytes))
        return dv_fail(DV_BAD_INPUT, "a tensor has more elements than memory can hold");
    return graph->fb.status;
}

/* The tensor that a value is, or the first of its list. */
static bool shape_of(const dv_vk_graph *graph, uint32_t index, dv_tensor *out)
{
    uint8_t kind;
    dv_fb_table table;
    int32_t constant;
    if (dv_vk_value_at(graph, index, &kind, &table) != DV_OK)
        return false;
    if (kind == DV_VK_VALUES) {
        dv_fb_vector items = dv_fb_list(&table, 0, 4);
        if (items.count == 0 ||
            dv_vk_value_at(graph, (uint32_t)dv_fb_i32_at(&items, 0), &kind, &table) != DV_OK)
            return false;
    }
    return kind == DV_VK_TENSOR && dv_vk_read_tensor(graph, &table, out, &constant) == DV_OK;
}

/* ---- what it says to people ---- */

static double elements_of(const dv_shape *shape)
{
    size_t elements = 0;
    (void)dv_shape_elements(shape, &elements);
    return (double)elements;
}

/* Of products with a weight: its elements for one output, for every output. */
static double macs_of(const char *name, const dv_tensor *x, const dv_tensor *w, const dv_tensor *y)
{
    double outputs = elements_of(&y->shape), rows = w->shape.rank ? (double)w->shape.dim[0] : 1;
    if (strncmp(name, "aten.conv", 9) == 0 || strncmp(name, "et_vk.conv", 10) == 0)
        return rows > 0 ? outputs * elements_of(&w->shape) / rows : 0;
    if (strncmp(name, "aten.linear", 11) == 0 || strncmp(name, "aten.mm", 7) == 0 ||
        strncmp(name, "aten.bmm", 8) == 0)
        return x->shape.rank ? outputs * (double)x->shape.dim[x->shape.rank - 1] : 0;
    return 0;
}

static dv_status read_line(const dv_vk_graph *graph, uint32_t i, dv_arena *arena, dv_blob_line *out)
{
    dv_fb_table call = dv_fb_table_at(&graph->calls, i);
    dv_span name = dv_fb_string(&call, 1);
    dv_fb_vector args = dv_fb_list(&call, 2, 4);
    dv_tensor x = {0}, w = {0}, y = {0};
    DV_TRY(graph->fb.status);
    *out = (dv_blob_line){.dtype = ""};
    out->kind = dv_arena_copy_n(arena, name.size ? (const char *)name.data : "",
                                name.size > 120 ? 120 : name.size);
    if (!out->kind)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    if (args.count == 0)
        return DV_OK;
    if (shape_of(graph, (uint32_t)dv_fb_i32_at(&args, 0), &x))
        out->input = x.shape;
    if (shape_of(graph, (uint32_t)dv_fb_i32_at(&args, args.count - 1), &y)) {
        out->output = y.shape;
        out->dtype = dv_dtype_name(y.dtype);
    }
    if (args.count > 2 && shape_of(graph, (uint32_t)dv_fb_i32_at(&args, 1), &w))
        out->macs = macs_of(out->kind, &x, &w, &y);
    return graph->fb.status;
}

dv_status dv_vkblob_lines(const dv_pte_delegate *delegate, dv_arena *arena, dv_blob_line **lines,
                          uint32_t *count)
{
    dv_vk_graph graph;
    bool known;
    *count = 0;
    DV_TRY(dv_vk_open(delegate->blob, &graph, &known));
    if (!known)
        return DV_OK;
    *lines = dv_arena_array(arena, graph.calls.count, sizeof **lines);
    if (!*lines)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (; *count < graph.calls.count; (*count)++)
        DV_TRY(read_line(&graph, *count, arena, &(*lines)[*count]));
    return DV_OK;
}

/* "aten.linear.default 2, aten.gelu.default 1" */
static dv_status tally(const dv_vk_graph *graph, dv_text *text)
{
    enum { MOST_KINDS = 64 };
    dv_span names[MOST_KINDS];
    uint32_t counts[MOST_KINDS], kinds = 0, rest = 0;
    for (uint32_t i = 0; i < graph->calls.count; i++) {
        dv_fb_table call = dv_fb_table_at(&graph->calls, i);
        dv_span name = dv_fb_string(&call, 1);
        uint32_t k = 0;
        while (k < kinds && !dv_span_equal(names[k], name))
            k++;
        if (k < kinds) {
            counts[k]++;
        } else if (kinds < MOST_KINDS) {
            names[kinds] = name;
            counts[kinds++] = 1;
        } else {
            rest++;
        }
    }
    DV_TRY(graph->fb.status);
    for (uint32_t k = 0; k < kinds; k++)
        dv_text_append(text, "%s%.*s %u", k ? ", " : "",
                       (int)(names[k].size > 120 ? 120 : names[k].size),
                       names[k].size ? (const char *)names[k].data : "", counts[k]);
    if (rest)
        dv_text_append(text, ", others %u", rest);
    return DV_OK;
}

dv_status dv_vkblob_count(dv_pte_delegate *delegate, dv_arena *arena)
{
    dv_vk_graph graph;
    bool known;
    dv_text text = {0};
    DV_TRY(dv_vk_open(delegate->blob, &graph, &known));
    if (!known)
        return DV_OK;
    dv_status status = tally(&graph, &text);
    delegate->ops = graph.calls.count;
    delegate->input_count = graph.inputs.count;
    delegate->output_count = graph.outputs.count;
    delegate->inside = dv_arena_copy(arena, dv_text_string(&text));
    if (status == DV_OK && (!delegate->inside || text.failed))
        status = dv_fail(DV_NO_MEMORY, "out of memory");
    dv_text_free(&text);
    return status;
}
