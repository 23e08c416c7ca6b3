/* recognise_attention.c - what decompositions leave of attention and of linear layers.

     safe softmax   where(every score of the row is -inf, 0, softmax(scores)), as torch spells
                    scaled_dot_product_attention out, is softmax(scores) where no row can be so (a
                    product's scores are finite, and masks that are constant tell), else the
                    guarded softmax
     merged dims    linear(view(x)) and matmul(view(a), view(b)), whose views only merge leading
   dims into one, are done on x, a and b as they are, and the result viewed

   Each looks back a bounded number of operators; a constant mask is read once for each softmax. */
#include <math.h>
#include <string.h>

#include "lower/canon.h"

enum { MOST_STEPS = 12, MOST_MASK = 1 << 24 };

static const dv_op *made_by(const dv_graph *graph, dv_tensor_id t, dv_op_kind kind)
{
    const dv_op *op = t == DV_NONE ? NULL : dv_graph_maker(graph, t);
    return op && op->kind == kind ? op : NULL;
}

static bool is_number(const dv_graph *graph, dv_tensor_id t, double wanted)
{
    double value;
    return dv_constant_value(&graph->tensors[t], &value) && value == wanted;
}

/* ---- rows that are -inf throughout ---- */

/* t = (x == -inf)? */
static bool is_minus_infinity(const dv_graph *graph, dv_tensor_id t, dv_tensor_id x)
{
    const dv_op *equal = made_by(graph, t, DV_OP_EQ);
    return equal && equal->inputs[0] == x && is_number(graph, equal->inputs[1], -INFINITY);
}

/* The truth of one number for each row, with the dim kept: what it is the extreme of; else NULL. */
static const dv_op *extreme_of_rows(const dv_graph *graph, dv_tensor_id t, dv_op_kind kind)
{
    const dv_op *truth = made_by(graph, t, DV_OP_CAST);
    const dv_op *extreme = made_by(graph, truth ? truth->inputs[0] : DV_NONE, kind);
    const dv_op *number = made_by(graph, extreme ? extreme->inputs[0] : DV_NONE, DV_OP_CAST);
    if (!number || truth->params.cast.dtype != DV_DTYPE_BOOL)
        return NULL;
    const dv_reduce_params *over = &extreme->params.reduce;
    uint8_t rank = graph->tensors[extreme->inputs[0]].shape.rank;
    return over->count == 1 && over->keep_dims && over->axes[0] == rank - 1 ? number : NULL;
}

/* t: all of a row of x is -inf, as all(x == -inf), not any(not (x == -inf)) or not any(x != -inf);
   or isnan of its softmax s. */
static bool is_blank_row(const dv_graph *graph, dv_tensor_id t, dv_tensor_id x, dv_tensor_id s)
{
    const dv_op *all = extreme_of_rows(graph, t, DV_OP_AMIN), *nan = made_by(graph, t, DV_OP_ISNAN);
    const dv_op *not_any = made_by(graph, t, DV_OP_LOGICAL_NOT);
    if (nan)
        return nan->inputs[0] == s;
    if (all)
        return is_minus_infinity(graph, all->inputs[0], x);
    const dv_op *any = not_any ? extreme_of_rows(graph, not_any->inputs[0], DV_OP_AMAX) : NULL;
    const dv_op *finite = any ? made_by(graph, any->inputs[0], DV_OP_LOGICAL_NOT) : NULL;
    const dv_op *other = any ? made_by(graph, any->inputs[0], DV_OP_NE) : NULL;
    if (other)
        return other->inputs[0] == x && is_number(graph, other->inputs[1], -INFINITY);
    return finite && is_minus_infinity(graph, finite->inputs[0], x);
}

/* Has every row of a constant a number other than -inf? Of booleans: one that is true. */
static bool leaves_something(const dv_tensor *mask)
{
    size_t count;
    const dv_shape *shape = &mask->shape;
    int64_t width = shape->rank ? shape->dim[shape->rank - 1] : 1;
    if (mask->role != DV_ROLE_CONSTANT || !dv_shape_elements(shape, &count) || count > MOST_MASK ||
        width < 1)
        return false;
    for (size_t row = 0; row < count; row += (size_t)width) {
        bool some = false;
        for (size_t i = row; !some && i < row + (size_t)width; i++) {
            int64_t flag = 0;
            float value = 0;
            if (mask->dtype == DV_DTYPE_BOOL)
                some = dv_tensor_read_i64(mask, i, 1, &flag) && flag != 0;
            else
                some = dv_tensor_read_f32(mask, i, 1, &value) && value != -INFINITY;
        }
        if (!some)
            return false;
    }
    return true;
}

/* Scores of a product, scaled, and masked by constants that leave something of every row. */
static bool has_scores_in_every_row(const dv_graph *graph, dv_tensor_id t)
{
    for (int step = 0; step < MOST_STEPS; step++) {
        const dv_op *op = dv_graph_maker(graph, t);
        const dv_tensor *y = &graph->tensors[t];
        double factor;
        if (!op || y->shape.rank == 0)
            return false;
        const dv_shape *x = &graph->tensors[op->inputs[0]].shape;
        switch (op->kind) {
        case DV_OP_MATMUL:
        case DV_OP_LINEAR:
            return true;
        case DV_OP_MUL:
        case DV_OP_DIV:
            if (!dv_constant_value(&graph->tensors[op->inputs[1]], &factor) || !isfinite(factor))
                return false;
            break;
        case DV_OP_VIEW:
            if (x->rank == 0 || x->dim[x->rank - 1] != y->shape.dim[y->shape.rank - 1])
                return false;
            break;
        case DV_OP_ADD:
            if (!leaves_something(&graph->tensors[op->inputs[1]]))
                return false;
            break;
        default:
            return false;
        }
        t = op->inputs[0];
    }
    return false;
}

dv_status dv_recognise_safe_softmax(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    const dv_graph *graph = rewrite->from;
    const dv_op *softmax = made_by(graph, op->inputs[2], DV_OP_SOFTMAX);
    const dv_shape *y = &dv_old_output(rewrite, op)->shape;
    if (!softmax || op->params.flag.on || y->rank == 0 ||
        softmax->params.axis.axis != y->rank - 1 || !is_number(graph, op->inputs[1], 0) ||
        !dv_shape_equal(y, &graph->tensors[op->inputs[2]].shape) ||
        !is_blank_row(graph, op->inputs[0], softmax->inputs[0], op->inputs[2]))
        return DV_OK;
    if (has_scores_in_every_row(graph, softmax->inputs[0]))
        return dv_become_input(rewrite, op, 2, done);
    if (dv_graph_readers(graph, op->inputs[2]) != 1)
        return DV_OK;
    dv_tensor_id scores;
    dv_made made = {.source = op,
                    .kind = DV_OP_SOFTMAX,
                    .params = softmax->params,
                    .input_count = 1,
                    .inputs = &scores};
    made.params.axis.guarded = true;
    DV_TRY(dv_rewrite_tensor(rewrite, softmax->inputs[0], &scores));
    *done = true;
    return dv_rewrite_replace(rewrite, &made);
}

/* ---- merged dims ---- */

/* What is quantised becomes one operator with its conversions; nothing may come between. */
static bool is_dequantised(const dv_graph *graph, dv_tensor_id t)
{
    return made_by(graph, t, DV_OP_DEQUANTIZE) || made_by(graph, t, DV_OP_DEQUANTIZE_CHANNEL);
}

/* The tensor whose leading dims t's view merges into one, keeping `kept` last ones; else DV_NONE.
 */
static dv_tensor_id before_merging(const dv_graph *graph, dv_tensor_id t, uint8_t kept)
{
    const dv_op *view = made_by(graph, t, DV_OP_VIEW);
    const dv_shape *to = &graph->tensors[t].shape;
    if (!view || to->rank != kept + 1)
        return DV_NONE;
    const dv_tensor *x = &graph->tensors[view->inputs[0]];
    if (x->shape.rank <= to->rank || x->quant.count != 0 || is_dequantised(graph, view->inputs[0]))
        return DV_NONE;
    for (uint8_t d = 1; d <= kept; d++)
        if (x->shape.dim[x->shape.rank - d] != to->dim[to->rank - d])
            return DV_NONE;
    return view->inputs[0];
}

/* op on wider inputs, its result viewed as it was. */
static dv_status widen(dv_rewrite *rewrite, const dv_op *op, const dv_tensor_id *inputs,
                       const dv_shape *shape, bool *done)
{
    const dv_tensor *y = dv_old_output(rewrite, op);
    dv_tensor_id ids[3], made_id;
    for (uint32_t i = 0; i < op->input_count; i++)
        DV_TRY(dv_rewrite_tensor(rewrite, inputs[i], &ids[i]));
    dv_made made = {.source = op,
                    .kind = op->kind,
                    .params = op->params,
                    .input_count = op->input_count,
                    .inputs = ids};
    DV_TRY(dv_rewrite_step(rewrite, &made, "wide", y->dtype, shape, &made_id));
    dv_made view = {.source = op,
                    .kind = DV_OP_VIEW,
                    .params = dv_view_to(&y->shape),
                    .input_count = 1,
                    .inputs = &made_id};
    *done = true;
    return dv_rewrite_replace(rewrite, &view);
}

dv_status dv_recognise_merged_linear(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    const dv_graph *graph = rewrite->from;
    const dv_tensor *y = dv_old_output(rewrite, op);
    dv_tensor_id inputs[3] = {before_merging(graph, op->inputs[0], 1)};
    if (inputs[0] == DV_NONE || op->input_count > 3 || op->params.linear.input_transposed ||
        y->shape.rank != 2 || !dv_dtype_is_float(y->dtype) || y->quant.count != 0)
        return DV_OK;
    dv_shape shape = graph->tensors[inputs[0]].shape;
    shape.dim[shape.rank - 1] = y->shape.dim[1];
    for (uint32_t i = 1; i < op->input_count; i++)
        inputs[i] = op->inputs[i];
    return widen(rewrite, op, inputs, &shape, done);
}

dv_status dv_recognise_merged_matmul(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    const dv_graph *graph = rewrite->from;
    const dv_tensor *y = dv_old_output(rewrite, op);
    dv_tensor_id inputs[2] = {before_merging(graph, op->inputs[0], 2),
                              before_merging(graph, op->inputs[1], 2)};
    if (inputs[0] == DV_NONE || inputs[1] == DV_NONE || y->shape.rank != 3 ||
        !dv_dtype_is_float(y->dtype))
        return DV_OK;
    const dv_shape *a = &graph->tensors[inputs[0]].shape, *b = &graph->tensors[inputs[1]].shape;
    bool same = a->rank == b->rank;
    for (uint8_t d = 0; same && d + 2 < a->rank; d++)
        same = a->dim[d] == b->dim[d];
    if (!same)
        return DV_OK;
    dv_shape shape = *a;
    shape.dim[shape.rank - 1] = b->dim[b->rank - 1];
    return widen(rewrite, op, inputs, &shape, done);
}
