#include "load/onnx_reads.h"

static dv_status note_graph(dv_onnx_reads *reads, dv_span bytes, dv_arena *arena, int depth);

static dv_status note_inner(dv_onnx_reads *reads, const dv_onnx_node *node, dv_arena *arena,
                            int depth)
{
    for (uint32_t i = 0; i < node->attribute_count; i++)
        if (node->attributes[i].given & DV_ONNX_G)
            DV_TRY(note_graph(reads, node->attributes[i].g, arena, depth + 1));
    return DV_OK;
}

static dv_status note_node(dv_onnx_reads *reads, const dv_onnx_node *node, dv_arena *arena,
                           int depth)
{
    for (uint32_t i = 0; i < node->inputs.count; i++)
        if (node->inputs.items[i].size > 0)
            DV_TRY(dv_names_put(&reads->read, node->inputs.items[i], 1));
    for (uint32_t i = 0; depth > 0 && i < node->outputs.count; i++)
        DV_TRY(dv_names_put(&reads->made, node->outputs.items[i], 1));
    return note_inner(reads, node, arena, depth);
}

static dv_status note_outputs(dv_onnx_reads *reads, const dv_onnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->outputs.count; i++) {
        dv_onnx_value value;
        DV_TRY(dv_onnx_read_value(graph->outputs.items[i], reads->file, &value));
        DV_TRY(dv_names_put(&reads->read, value.name, 1));
    }
    return DV_OK;
}

static dv_status note_graph(dv_onnx_reads *reads, dv_span bytes, dv_arena *arena, int depth)
{
    if (depth > DV_ONNX_MAX_NESTING)
        return dv_fail(DV_BAD_INPUT, "graphs are nested more than %d deep", DV_ONNX_MAX_NESTING);
    dv_onnx_graph graph;
    DV_TRY(dv_onnx_read_graph(bytes, reads->file, arena, &graph));
    for (uint32_t i = 0; i < graph.nodes.count; i++) {
        dv_onnx_node node;
        DV_TRY(dv_onnx_read_node(graph.nodes.items[i], reads->file, arena, &node));
        DV_TRY(note_node(reads, &node, arena, depth));
    }
    return note_outputs(reads, &graph);
}

dv_status dv_onnx_reads_node(dv_onnx_reads *reads, const dv_onnx_node *node, dv_arena *arena)
{
    return note_node(reads, node, arena, 0);
}

dv_status dv_onnx_reads_inner(dv_onnx_reads *reads, const dv_onnx_node *node, dv_arena *arena)
{
    return note_inner(reads, node, arena, 0);
}

dv_status dv_onnx_reads_graph(dv_onnx_reads *reads, const dv_onnx_graph *graph)
{
    dv_status status = note_outputs(reads, graph);
    for (uint32_t i = 0; i < graph->nodes.count && status == DV_OK; i++) {
        dv_onnx_node node;
        dv_arena *arena = dv_arena_create(); /* one a node keeps a hostile file's peak low */
        status = arena ? dv_onnx_read_node(graph->nodes.items[i], reads->file, arena, &node)
                       : dv_fail(DV_NO_MEMORY, "out of memory");
        if (status == DV_OK)
            status = note_node(reads, &node, arena, 0);
        status = dv_within(status, "node %u", i);
        dv_arena_destroy(arena);
    }
    return status;
}

void dv_onnx_reads_free(dv_onnx_reads *reads)
{
    dv_names_free(&reads->read);
    dv_names_free(&reads->made);
}
