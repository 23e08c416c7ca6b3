/* canon_quant.c - integers that are moved behind a conversion are moved as the numbers that they
   stand for.

   Sources whose operators are quantised themselves reshape, transpose or pool the integers in
   between. Spelt as a conversion to numbers, the move and a conversion back, which changes no
   integer, the move is merged like any other operator (quantise.c), and keeps what the integers
   mean for the operators around it. */
#include "lower/canon.h"

/* q moved, with q made by a conversion, is q converted to numbers, moved and converted back. */
static dv_status move_numbers(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    const dv_graph *graph = rewrite->from;
    const dv_op *maker = dv_graph_maker(graph, op->inputs[0]);
    if (!maker || maker->kind != DV_OP_QUANTIZE || op->input_count != 1 || op->output_count != 1)
        return DV_OK;
    const dv_tensor *whole = dv_old_input(rewrite, op, 0), *moved = dv_old_output(rewrite, op);
    dv_dtype real = graph->tensors[maker->inputs[1]].dtype;
    dv_tensor_id ids[3] = {DV_NONE, DV_NONE, DV_NONE}, numbers, result;
    DV_TRY(dv_rewrite_tensor(rewrite, op->inputs[0], &ids[0]));
    for (uint32_t i = 1; i < maker->input_count && i < 3; i++)
        DV_TRY(dv_rewrite_tensor(rewrite, maker->inputs[i], &ids[i]));
    dv_made convert = {.source = op,
                       .kind = DV_OP_DEQUANTIZE,
                       .params = maker->params,
                       .input_count = maker->input_count,
                       .inputs = ids};
    dv_made step = {
        .source = op, .kind = op->kind, .params = op->params, .input_count = 1, .inputs = &numbers};
    convert.params.quant.dtype = whole->dtype;
    DV_TRY(dv_rewrite_step(rewrite, &convert, "numbers", real, &whole->shape, &numbers));
    DV_TRY(dv_rewrite_step(rewrite, &step, "moved", real, &moved->shape, &result));
    ids[0] = result;
    convert.kind = DV_OP_QUANTIZE;
    *done = true;
    return dv_rewrite_replace(rewrite, &convert);
}

static const dv_canon_rule rules[DV_OP_COUNT] = {
    [DV_OP_VIEW] = move_numbers,      [DV_OP_SQUEEZE] = move_numbers,
    [DV_OP_UNSQUEEZE] = move_numbers, [DV_OP_FLATTEN] = move_numbers,
    [DV_OP_PERMUTE] = move_numbers,   [DV_OP_SLICE] = move_numbers,
    [DV_OP_SELECT] = move_numbers,    [DV_OP_EXPAND] = move_numbers,
    [DV_OP_REPEAT] = move_numbers,    [DV_OP_MAX_POOL] = move_numbers,
};

static bool has_moved_integers(const dv_graph *graph)
{
    for (dv_op_id o = 0; o < graph->op_count; o++) {
        const dv_op *op = &graph->ops[o];
        bool reads = rules[op->kind] && op->input_count > 0 && op->inputs[0] != DV_NONE;
        const dv_op *maker = reads ? dv_graph_maker(graph, op->inputs[0]) : NULL;
        if (maker && maker->kind == DV_OP_QUANTIZE)
            return true;
    }
    return false;
}

dv_status dv_canon_quantised_moves(const dv_graph *graph, dv_graph **out)
{
    *out = NULL;
    return has_moved_integers(graph) ? dv_canon_run(graph, rules, out) : DV_OK;
}
