/* xnnblob.c - the tables of an XNNPACK blob. */
#include "load/xnnblob.h"

#include <math.h>
#include <string.h>

#include "core/text.h"

/* How a node's table lists what it reads and makes: the fields of its inputs and outputs. */
typedef struct kind_row {
    const char *name;
    uint8_t input_count, output_count;
    uint8_t inputs[DV_XNN_MOST_INPUTS], outputs[2];
} kind_row;

#define UNARY(name)      \
    {                    \
        name, 1, 1, {0}, \
        {                \
            1            \
        }                \
    }
#define BINARY(name)        \
    {                       \
        name, 2, 1, {0, 1}, \
        {                   \
            2               \
        }                   \
    }
#define CONV(name)                \
    {                             \
        name, 3, 1, {15, 16, 17}, \
        {                         \
            18                    \
        }                         \
    }
#define POOL(name)        \
    {                     \
        name, 1, 1, {10}, \
        {                 \
            11            \
        }                 \
    }

/* XNodeUnion, from 1. */
static const kind_row kinds[] = {
    {"?", 0, 0, {0}, {0}},
    BINARY("Add"),
    {"FullyConnected", 3, 1, {0, 1, 2}, {3}},
    UNARY("Softmax"),
    UNARY("Sigmoid"),
    {"StaticTranspose", 1, 1, {2}, {3}},
    UNARY("Clamp"),
    CONV("Conv2d"),
    BINARY("Div"),
    {"StaticResizeBilinear2D", 1, 1, {2}, {3}},
    {"StaticConstantPad", 1, 1, {3}, {4}},
    POOL("AvgPooling2d"),
    BINARY("Minimum"),
    CONV("DepthwiseConv2d"),
    POOL("MaxPooling2d"),
    BINARY("Multiply"),
    BINARY("Subtract"),
    UNARY("Floor"),
    UNARY("Convert"),
    UNARY("GlobalAvgPooling2d"),
    {"StaticReshape", 1, 1, {2}, {3}},
    {"ArgMaxPooling2d", 1, 2, {6}, {7, 8}},
    UNARY("SquareRoot"),
    UNARY("Ceiling"),
    UNARY("Hardswish"),
    {"LeakyReLU", 1, 1, {1}, {2}},
    BINARY("Maximum"),
    UNARY("Negate"),
    UNARY("Square"),
    {"ELU", 1, 1, {1}, {2}},
    UNARY("Abs"),
    BINARY("PReLU"),
    {"Concatenate2", 2, 1, {1, 2}, {5}},
    {"Concatenate3", 3, 1, {1, 2, 3}, {5}},
    {"Concatenate4", 4, 1, {1, 2, 3, 4}, {5}},
    {"StaticSlice", 1, 1, {3}, {4}},
    {"ScaledDotProductAttention", 5, 1, {0, 1, 2, 3, 4}, {5}},
    BINARY("BatchMatrixMultiply"),
    {"Concatenate5", 5, 1, {1, 2, 3, 4, 7}, {5}},
    CONV("ConvTranspose2d"),
    UNARY("ReciprocalSquareRoot"),
    UNARY("Log"),
    UNARY("Gelu"),
    UNARY("Tanh"),
    UNARY("Exp"),
    UNARY("Sin"),
    UNARY("Copy"),
    UNARY("Cos"),
};

enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

const char *dv_xnn_kind_name(uint8_t kind)
{
    return kinds[kind < KIND_COUNT ? kind : 0].name;
}

static uint64_t number(const uint8_t *bytes, size_t width)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < width; i++)
        bits |= (uint64_t)bytes[i] << (8 * i);
    return bits;
}

/* The flatbuffer of a blob, with or without a header; empty if it is none. */
static dv_span graph_of(dv_span blob, dv_span *constants)
{
    dv_span graph = blob;
    *constants = (dv_span){0};
    if (blob.size >= 30 && memcmp(blob.data + 4, "XH00", 4) == 0) {
        uint64_t offset = number(blob.data + 10, 4), size = number(blob.data + 14, 4);
        uint64_t data = number(blob.data + 18, 4);
        if (offset > blob.size || size > blob.size - offset || data > blob.size)
            return (dv_span){0};
        graph = (dv_span){blob.data + offset, (size_t)size};
        *constants = (dv_span){blob.data + data, blob.size - (size_t)data};
    }
    bool ours = graph.size >= 8 &&
                (memcmp(graph.data + 4, "XN00", 4) == 0 || memcmp(graph.data + 4, "XN01", 4) == 0);
    return ours ? graph : (dv_span){0};
}

/* ---- values ---- */

static dv_status read_value(const dv_fb_table *row, dv_xnn_graph *out)
{
    enum { QUANTISED = 2 };
    uint8_t kind = dv_fb_u8(row, 0, 0);
    dv_fb_table table = dv_fb_child(row, 1), quant = {.fb = row->fb};
    uint8_t quant_kind = 0;
    if (kind == QUANTISED) {
        quant_kind = dv_fb_u8(&table, 1, 0);
        quant = dv_fb_child(&table, 2);
        table = dv_fb_child(&table, 0);
    }
    uint32_t id = dv_fb_u32(&table, 6, 0);
    dv_fb_vector dims = dv_fb_list(&table, 2, 4);
    DV_TRY(out->fb.status);
    if (table.at == 0)
        return DV_OK;
    if (id >= out->value_count || out->values[id].given)
        return dv_fail(DV_BAD_INPUT, "value %u of %u", id, out->value_count);
    if (dims.count > DV_MAX_RANK)
        return dv_fail(DV_BAD_INPUT, "value %u has %u dimensions", id, dims.count);
    dv_xnn_value *value = &out->values[id];
    *value = (dv_xnn_value){.given = true,
                            .type = (int16_t)(dv_fb_u8(&table, 0, 0)),
                            .constant = dv_fb_u32(&table, 3, 0),
                            .external = dv_fb_u32(&table, 4, 0),
                            .quant = quant_kind,
                            .quant_table = quant};
    uint32_t flags = dv_fb_u32(&table, 5, 0);
    if (!(flags & 3)) /* neither an input nor an output of the delegate */
        value->external = DV_NONE;
    value->shape.rank = (uint8_t)dims.count;
    for (uint32_t d = 0; d < dims.count; d++)
        value->shape.dim[d] = (int64_t)dv_fb_bits_at(&dims, d);
    size_t elements, bytes;
    if (!dv_shape_elements(&value->shape, &elements) || !dv_mul_size(elements, 1 << 12, &bytes))
        return dv_fail(DV_BAD_INPUT, "value %u has more elements than memory can hold", id);
    return out->fb.status;
}

/* ---- nodes ---- */

static dv_status read_id(const dv_xnn_graph *graph, const dv_fb_table *table, uint8_t field,
                         bool optional, uint32_t *out)
{
    *out = dv_fb_u32(table, field, 0);
    if (*out == UINT32_MAX && optional)
        return graph->fb.status;
    if (*out >= graph->value_count || !graph->values[*out].given)
        return dv_fail(DV_BAD_INPUT, "it names value %u of %u", *out, graph->value_count);
    return graph->fb.status;
}

static dv_status read_node(const dv_fb_table *row, dv_xnn_graph *graph, dv_xnn_node *out)
{
    dv_fb_table bounds = dv_fb_child(row, 3);
    out->kind = dv_fb_u8(row, 0, 0);
    out->table = dv_fb_child(row, 1);
    out->least = -INFINITY;
    out->most = INFINITY;
    if (bounds.at) {
        out->least = (double)dv_fb_f32(&bounds, 0, 0);
        out->most = (double)dv_fb_f32(&bounds, 1, 0);
    }
    DV_TRY(graph->fb.status);
    if (out->kind >= KIND_COUNT)
        out->kind = 0;
    const kind_row *kind = &kinds[out->kind];
    out->input_count = kind->input_count;
    out->output_count = kind->output_count;
    for (uint8_t i = 0; i < kind->input_count; i++)
        DV_TRY(read_id(graph, &out->table, kind->inputs[i], i >= 2, &out->inputs[i]));
    for (uint8_t i = 0; i < kind->output_count; i++)
        DV_TRY(read_id(graph, &out->table, kind->outputs[i], false, &out->outputs[i]));
    return graph->fb.status;
}

static dv_status read_graph(dv_arena *arena, dv_xnn_graph *out)
{
    dv_fb_table root = dv_fb_root(&out->fb);
    dv_fb_vector nodes = dv_fb_tables(&root, 1), values = dv_fb_tables(&root, 2);
    dv_fb_vector inputs = dv_fb_list(&root, 4, 4), outputs = dv_fb_list(&root, 5, 4);
    out->data = dv_fb_tables(&root, 8);
    DV_TRY(out->fb.status);
    out->node_count = nodes.count;
    out->value_count = values.count;
    out->input_count = inputs.count;
    out->output_count = outputs.count;
    out->nodes = dv_arena_array(arena, nodes.count, sizeof *out->nodes);
    out->values = dv_arena_array(arena, values.count, sizeof *out->values);
    if (!out->nodes || !out->values)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < values.count; i++) {
        dv_fb_table row = dv_fb_table_at(&values, i);
        DV_TRY(read_value(&row, out));
    }
    for (uint32_t i = 0; i < nodes.count; i++) {
        dv_fb_table row = dv_fb_table_at(&nodes, i);
        DV_TRY(dv_within(read_node(&row, out, &out->nodes[i]), "node %u", i));
    }
    return out->fb.status;
}

dv_status dv_xnnblob_open(dv_span blob, dv_arena *arena, dv_xnn_graph *out, bool *known)
{
    dv_span constants, bytes = graph_of(blob, &constants);
    *out = (dv_xnn_graph){.fb = {.bytes = bytes.data, .size = bytes.size}, .constants = constants};
    *known = bytes.size > 0;
    return *known ? dv_within(read_graph(arena, out), "its XNNPACK graph") : DV_OK;
}

/* ---- what it says to people ---- */

static const char *type_name(int16_t type)
{
    static const char *const names[] = {"?",      "fp32",   "fp16",    "qint8",  "quint8",
                                        "qint32", "qcint8", "qcint32", "qcint4", "qdint8",
                                        "qbint4", "qpint8", "int32",   "pfp32",  "bf16"};
    return names[type > 0 && (size_t)type < sizeof names / sizeof names[0] ? type : 0];
}

static double elements_of(const dv_shape *shape)
{
    size_t elements = 0;
    (void)dv_shape_elements(shape, &elements);
    return (double)elements;
}

/* Multiply-adds of a node, from its filter; 0 for what only moves or touches each element. */
static double macs_of(const dv_xnn_graph *graph, const dv_xnn_node *node)
{
    if (node->output_count == 0)
        return 0;
    const char *name = dv_xnn_kind_name(node->kind);
    const dv_shape *out = &graph->values[node->outputs[0]].shape;
    const dv_shape *in = &graph->values[node->inputs[0]].shape;
    if (strcmp(name, "BatchMatrixMultiply") == 0)
        return in->rank ? elements_of(out) * (double)in->dim[in->rank - 1] : 0;
    if (node->input_count != 3 || strncmp(name, "Concat", 6) == 0)
        return 0;
    const dv_shape *filter = &graph->values[node->inputs[1]].shape;
    if (strcmp(name, "FullyConnected") == 0)
        return in->rank ? elements_of(out) * (double)in->dim[in->rank - 1] : 0;
    double channels = out->rank ? (double)out->dim[out->rank - 1] : 1;
    double taps = channels > 0 ? elements_of(filter) / channels : 0; /* read for one output */
    if (strcmp(name, "ConvTranspose2d") == 0)
        return taps * elements_of(in) * channels /
               (in->rank ? fmax(1, (double)in->dim[in->rank - 1]) : 1);
    return taps * elements_of(out);
}

static dv_status xnn_lines(const dv_xnn_graph *graph, dv_arena *arena, dv_blob_line **lines,
                           uint32_t *count)
{
    dv_blob_line *rows = dv_arena_array(arena, graph->node_count, sizeof *rows);
    if (!rows)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < graph->node_count; i++) {
        const dv_xnn_node *node = &graph->nodes[i];
        rows[i] = (dv_blob_line){
            .kind = dv_xnn_kind_name(node->kind), .dtype = "", .macs = macs_of(graph, node)};
        if (node->output_count == 0)
            continue;
        rows[i].input = graph->values[node->inputs[0]].shape;
        rows[i].output = graph->values[node->outputs[0]].shape;
        rows[i].dtype = type_name(graph->values[node->outputs[0]].type);
    }
    *lines = rows;
    *count = graph->node_count;
    return DV_OK;
}

dv_status dv_blob_lines(const dv_pte_delegate *delegate, dv_arena *arena, dv_blob_line **lines,
                        uint32_t *count)
{
    dv_xnn_graph graph;
    bool known;
    DV_TRY(dv_xnnblob_open(delegate->blob, arena, &graph, &known));
    return known ? xnn_lines(&graph, arena, lines, count)
                 : dv_vkblob_lines(delegate, arena, lines, count);
}

static dv_status describe(const dv_xnn_graph *graph, dv_pte_delegate *delegate, dv_arena *arena)
{
    uint32_t counts[KIND_COUNT] = {0};
    dv_text text = {0};
    for (uint32_t i = 0; i < graph->node_count; i++)
        counts[graph->nodes[i].kind]++;
    for (size_t k = 1; k <= KIND_COUNT; k++) /* unknown kinds last */
        if (counts[k % KIND_COUNT])
            dv_text_append(&text, "%s%s %u", text.length ? ", " : "", kinds[k % KIND_COUNT].name,
                           counts[k % KIND_COUNT]);
    delegate->ops = graph->node_count;
    delegate->input_count = graph->input_count;
    delegate->output_count = graph->output_count;
    delegate->inside = dv_arena_copy(arena, dv_text_string(&text));
    bool failed = text.failed;
    dv_text_free(&text);
    return delegate->inside && !failed ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory");
}

dv_status dv_xnnblob_count(dv_pte_delegate *delegate, dv_arena *arena)
{
    dv_xnn_graph graph;
    bool known;
    dv_arena *scratch = dv_arena_create();
    if (!scratch)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    dv_status status = dv_xnnblob_open(delegate->blob, scratch, &graph, &known);
    if (status == DV_OK && known)
        status = describe(&graph, delegate, arena);
    dv_arena_destroy(scratch);
    return status;
}
