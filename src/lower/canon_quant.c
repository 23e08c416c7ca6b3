/* canon_quant.c - integers that are moved between two conversions are moved as the numbers that
   they stand for.

   Sources whose operators are quantised themselves reshape, transpose or pool the integers in
   between. Spelt as a conversion to numbers, the move and a conversion back, it is merged like any
   other operator (quantise.c), and keeps what the integers mean for the operators around it. */
#include "lower/canon.h"

/* Does the kind put elements of its one input somewhere, or choose the largest? */
static bool only_moves(dv_op_kind kind)
{
    switch (kind) {
    case DV_OP_VIEW:
    case DV_OP_PERMUTE:
    case DV_OP_SLICE:
    case DV_OP_SELECT:
    case DV_OP_EXPAND:
    case DV_OP_REPEAT:
    case DV_OP_MAX_POOL:
        return true;
    default:
        return false;
    }
}

/* The move that makes a tensor which nobody else reads, or NULL. */
static const dv_op *move_before(const dv_graph *graph, dv_tensor_id id)
{
    const dv_op *maker = dv_graph_maker(graph, id);
    bool moves = maker && only_moves(maker->kind) && maker->input_count == 1 &&
                 maker->output_count == 1 && dv_graph_readers(graph, id) == 1;
    return moves ? maker : NULL;
}

/* Are the integers that all these moves begin with made by a conversion? */
static bool comes_from_conversion(const dv_graph *graph, dv_tensor_id id)
{
    const dv_op *maker = dv_graph_maker(graph, id);
    while (maker && only_moves(maker->kind) && maker->input_count == 1)
        maker = dv_graph_maker(graph, maker->inputs[0]);
    return maker && maker->kind == DV_OP_QUANTIZE;
}

/* q(x) moved and converted is x converted, moved, converted back, and converted. */
dv_status dv_canon_dequantize(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    const dv_graph *graph = rewrite->from;
    const dv_op *move = move_before(graph, op->inputs[0]);
    if (!move || op->input_count < 2 || !comes_from_conversion(graph, move->inputs[0]))
        return DV_OK;
    const dv_tensor *moved = &graph->tensors[op->inputs[0]];
    const dv_tensor *whole = &graph->tensors[move->inputs[0]];
    dv_dtype real = dv_old_output(rewrite, op)->dtype;
    dv_tensor_id ids[3] = {DV_NONE, DV_NONE, DV_NONE};
    DV_TRY(dv_rewrite_tensor(rewrite, move->inputs[0], &ids[0]));
    for (uint32_t i = 1; i < op->input_count && i < 3; i++)
        DV_TRY(dv_rewrite_tensor(rewrite, op->inputs[i], &ids[i]));
    dv_made convert = {.source = move,
                       .kind = DV_OP_DEQUANTIZE,
                       .params = op->params,
                       .input_count = op->input_count,
                       .inputs = ids};
    dv_made step = {.source = move, .kind = move->kind, .params = move->params, .input_count = 1};
    dv_tensor_id numbers, result;
    DV_TRY(dv_rewrite_step(rewrite, &convert, "numbers", real, &whole->shape, &numbers));
    step.inputs = &numbers;
    DV_TRY(dv_rewrite_step(rewrite, &step, "moved", real, &moved->shape, &result));
    convert.kind = DV_OP_QUANTIZE;
    convert.params.quant.dtype = moved->dtype;
    ids[0] = result;
    DV_TRY(dv_rewrite_step(rewrite, &convert, "integers", moved->dtype, &moved->shape, &numbers));
    ids[0] = numbers;
    convert = (dv_made){.source = op,
                        .kind = DV_OP_DEQUANTIZE,
                        .params = op->params,
                        .input_count = op->input_count,
                        .inputs = ids};
    *done = true;
    return dv_rewrite_replace(rewrite, &convert);
}
