/* xnnblob.c - what ExecuTorch's XNNPACK delegate holds: a header of 30 bytes, then a flatbuffer
   (XNNHeader.h, schema.fbs of its serialization). */
#include <string.h>

#include "core/text.h"
#include "load/pte.h"

/* XNodeUnion, from 1. */
static const char *const kinds[] = {
    "?",
    "Add",
    "FullyConnected",
    "Softmax",
    "Sigmoid",
    "StaticTranspose",
    "Clamp",
    "Conv2d",
    "Div",
    "StaticResizeBilinear2D",
    "StaticConstantPad",
    "AvgPooling2d",
    "Minimum",
    "DepthwiseConv2d",
    "MaxPooling2d",
    "Multiply",
    "Subtract",
    "Floor",
    "Convert",
    "GlobalAvgPooling2d",
    "StaticReshape",
    "ArgMaxPooling2d",
    "SquareRoot",
    "Ceiling",
    "Hardswish",
    "LeakyReLU",
    "Maximum",
    "Negate",
    "Square",
    "ELU",
    "Abs",
    "PReLU",
    "Concatenate2",
    "Concatenate3",
    "Concatenate4",
    "StaticSlice",
    "ScaledDotProductAttention",
    "BatchMatrixMultiply",
    "Concatenate5",
    "ConvTranspose2d",
    "ReciprocalSquareRoot",
    "Log",
    "Gelu",
    "Tanh",
    "Exp",
    "Sin",
    "Copy",
    "Cos",
};

enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

static uint64_t number(const uint8_t *bytes, size_t width)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < width; i++)
        bits |= (uint64_t)bytes[i] << (8 * i);
    return bits;
}

/* The flatbuffer of a blob, with or without a header; empty if it is none. */
static dv_span graph_of(dv_span blob)
{
    dv_span graph = blob;
    if (blob.size >= 30 && memcmp(blob.data + 4, "XH00", 4) == 0) {
        uint64_t offset = number(blob.data + 10, 4), size = number(blob.data + 14, 4);
        if (offset > blob.size || size > blob.size - offset)
            return (dv_span){0};
        graph = (dv_span){blob.data + offset, (size_t)size};
    }
    bool ours = graph.size >= 8 &&
                (memcmp(graph.data + 4, "XN00", 4) == 0 || memcmp(graph.data + 4, "XN01", 4) == 0);
    return ours ? graph : (dv_span){0};
}

dv_status dv_xnnblob_read(dv_span blob, dv_arena *arena, int64_t *ops, const char **inside)
{
    uint32_t counts[KIND_COUNT] = {0};
    dv_span bytes = graph_of(blob);
    *ops = -1;
    if (bytes.size == 0)
        return DV_OK;
    dv_fb fb = {.bytes = bytes.data, .size = bytes.size};
    dv_fb_table graph = dv_fb_root(&fb);
    dv_fb_vector nodes = dv_fb_tables(&graph, 1);
    for (uint32_t i = 0; i < nodes.count; i++) {
        dv_fb_table node = dv_fb_table_at(&nodes, i);
        uint8_t kind = dv_fb_u8(&node, 0, 0);
        counts[kind < KIND_COUNT ? kind : 0]++;
    }
    DV_TRY(dv_within(fb.status, "its XNNPACK graph"));
    dv_text text = {0};
    for (size_t k = 1; k <= KIND_COUNT; k++) /* unknown kinds last */
        if (counts[k % KIND_COUNT])
            dv_text_append(&text, "%s%s %u", text.length ? ", " : "", kinds[k % KIND_COUNT],
                           counts[k % KIND_COUNT]);
    *ops = nodes.count;
    *inside = dv_arena_copy(arena, dv_text_string(&text));
    bool failed = text.failed;
    dv_text_free(&text);
    return *inside && !failed ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory");
}
