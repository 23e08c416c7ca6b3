/* graph_quant.c - quantised tensors. */
#include <string.h>

#include "core/graph.h"

dv_status dv_graph_set_quant(dv_graph *graph, dv_tensor_id id, const dv_quant *quant)
{
    dv_arena *arena = dv_graph_arena(graph);
    float *scale = dv_arena_array(arena, quant->count, sizeof *scale);
    int32_t *zero = dv_arena_array(arena, quant->count, sizeof *zero);
    if (!scale || !zero)
        return dv_fail(DV_NO_MEMORY, "out of memory for %u scales", quant->count);
    if (quant->count > 0) {
        memcpy(scale, quant->scale, quant->count * sizeof *scale);
        memcpy(zero, quant->zero, quant->count * sizeof *zero);
    }
    dv_graph_tensor_mutable(graph, id)->quant =
        (dv_quant){quant->count, quant->count > 1 ? quant->axis : 0, scale, zero};
    return DV_OK;
}

bool dv_quant_equal(const dv_quant *a, const dv_quant *b)
{
    if (a->count != b->count || (a->count > 1 && a->axis != b->axis))
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->scale[i] != b->scale[i] || a->zero[i] != b->zero[i])
            return false;
    return true;
}

bool dv_op_is_raw(dv_op_kind kind)
{
    switch (kind) {
    case DV_OP_QUANTIZE:
    case DV_OP_QUANTIZE_CHANNEL:
    case DV_OP_DEQUANTIZE:
    case DV_OP_DEQUANTIZE_CHANNEL:
    case DV_OP_CHOOSE_QPARAMS:
    case DV_OP_CONV_INTEGER:
    case DV_OP_MATMUL_INTEGER:
    case DV_OP_OPAQUE:
        return true;
    default:
        return false;
    }
}

bool dv_op_is_quantised(const dv_graph *graph, const dv_op *op)
{
    bool found = false;
    for (uint32_t i = 0; i < op->input_count; i++)
        found |= op->inputs[i] != DV_NONE && graph->tensors[op->inputs[i]].quant.count > 0;
    for (uint32_t i = 0; i < op->output_count; i++)
        found |= op->outputs[i] != DV_NONE && graph->tensors[op->outputs[i]].quant.count > 0;
    return found && !dv_op_is_raw(op->kind);
}

bool dv_tensor_read_numbers(const dv_tensor *tensor, size_t first, size_t count, float *out)
{
    const dv_quant *quant = &tensor->quant;
    size_t inner = 1;
    if (quant->count == 0)
        return dv_tensor_read_f32(tensor, first, count, out);
    for (uint32_t d = quant->axis + 1; d < tensor->shape.rank; d++)
        inner *= (size_t)tensor->shape.dim[d];
    for (size_t i = 0; i < count;) {
        enum { BLOCK = 256 };
        int64_t block[BLOCK];
        size_t some = count - i < BLOCK ? count - i : BLOCK;
        if (!dv_tensor_read_i64(tensor, first + i, some, block))
            return false;
        for (size_t k = 0; k < some; k++, i++) {
            size_t c = quant->count == 1 ? 0 : (first + i) / inner % quant->count;
            out[i] = (float)((double)(block[k] - quant->zero[c]) * (double)quant->scale[c]);
        }
    }
    return true;
}
