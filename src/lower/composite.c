/* composite.c - groups of operators that delegates run as one: attention, RMS norm, rotary
   positions, products of what is quantised while the model runs.

     attention  softmax(q k^T * scale + mask) v, with the permutations that bring q, k and v into
                heads and the result out of them                    (Vaswani et al. 2017)
     RMS norm   x * rsqrt(mean(x * x) + eps) [* weight]             (Zhang and Sennrich 2019)
                or x / sqrt(mean(x * x) + eps)
     rotary     x * cos + cat(-x[half:], x[:half]) * sin            (Su et al. 2021)
                or cat(a * cos - b * sin, a * sin + b * cos) of two parts of x
     dynamic    real((q - z) (w - z')) * (s * s') [+ bias], activated, with q, s and z chosen from
                the range of x: in the same block, or where several products share them in one of
                their own              (DynamicQuantizeLinear of ONNX, XNNPACK's qd8 operators)

   A block has one exit (but for a choice of q, s and z that is shared, which reads nothing that
   they lead to): nobody outside reads what its operators make but the last one's result. So no path
   leaves it and comes back, and the graph of units stays without cycles. Each is matched backwards
   from its last product or sum; O(operators + edges). */
#include <string.h>

#include "lower/passes.h"
#include "lower/rewrite.h"

enum { MOST_MEMBERS = 32, MOST_CHAIN = 6, MOST_SCORES = 10 };

typedef struct block {
    const dv_graph *graph;
    uint32_t count;
    dv_op_id members[MOST_MEMBERS];
    bool is_dynamic;
    const dv_op_id *block_of; /* those found before */
} block;

static bool add(block *b, dv_op_id op)
{
    for (uint32_t i = 0; i < b->count; i++)
        if (b->members[i] == op)
            return true;
    if (b->count == MOST_MEMBERS)
        return false;
    b->members[b->count++] = op;
    return true;
}

/* The maker of a tensor that only one operator reads; else NULL. */
static const dv_op *inner(const block *b, dv_tensor_id t)
{
    return t != DV_NONE && dv_graph_readers(b->graph, t) == 1 ? dv_graph_maker(b->graph, t) : NULL;
}

static dv_op_id id_of(const block *b, const dv_op *op)
{
    return (dv_op_id)(op - b->graph->ops);
}

static bool is_constant(const block *b, dv_tensor_id t)
{
    return b->graph->tensors[t].role == DV_ROLE_CONSTANT;
}

static bool is_view(const dv_op *op)
{
    return dv_op_info_of(op->kind)->family == DV_FAMILY_VIEW;
}

/* x * c or x / c with a constant c. */
static bool is_scale(const block *b, const dv_op *op)
{
    return (op->kind == DV_OP_MUL || op->kind == DV_OP_DIV) && is_constant(b, op->inputs[1]);
}

/* Takes in what only brings an operand into its place: permutations, views, constant scales; what
   ends another block stays there. */
static bool take_operand(block *b, dv_tensor_id t)
{
    for (int i = 0; i < MOST_CHAIN; i++) {
        const dv_op *op = inner(b, t);
        if (!op || b->block_of[id_of(b, op)] != DV_NONE ||
            !(op->kind == DV_OP_PERMUTE || op->kind == DV_OP_EXPAND || is_view(op) ||
              is_scale(b, op)))
            return true;
        if (!add(b, id_of(b, op)))
            return false;
        t = op->inputs[0];
    }
    return true;
}

/* What makes numbers to be added of a mask's booleans: where(mask, 0, -inf). */
static bool take_mask(block *b, dv_tensor_id t)
{
    const dv_op *op = inner(b, t);
    bool raised = op && op->kind == DV_OP_WHERE && is_constant(b, op->inputs[1]) &&
                  is_constant(b, op->inputs[2]);
    return !raised || add(b, id_of(b, op));
}

/* t = q k^T, scaled, capped by a tanh and masked in any order: takes in the way back to the
   product. */
static bool take_scores(block *b, dv_tensor_id t, int depth)
{
    const dv_op *op = inner(b, t);
    uint32_t count = b->count;
    if (!op || depth == MOST_SCORES || !add(b, id_of(b, op)))
        return false;
    if (op->kind == DV_OP_MATMUL)
        return take_operand(b, op->inputs[0]) && take_operand(b, op->inputs[1]);
    if ((is_view(op) || is_scale(b, op)) && take_scores(b, op->inputs[0], depth + 1))
        return true;
    if ((op->kind == DV_OP_SUB || op->kind == DV_OP_TANH) &&
        take_scores(b, op->inputs[0], depth + 1))
        return true;
    for (uint32_t i = 0; op->kind == DV_OP_ADD && i < 2; i++)
        if (take_scores(b, op->inputs[i], depth + 1))
            return take_mask(b, op->inputs[1 - i]);
    if (op->kind == DV_OP_WHERE)
        for (uint32_t i = 1; i < 3; i++)
            if (take_scores(b, op->inputs[i], depth + 1))
                return true;
    b->count = count;
    return false;
}

static bool match_attention(block *b, const dv_op *last)
{
    dv_tensor_id t = last->inputs[0];
    const dv_op *op = inner(b, t);
    while (op && (is_view(op) || op->kind == DV_OP_EXPAND) && add(b, id_of(b, op)))
        op = inner(b, t = op->inputs[0]);
    if (!op || op->kind != DV_OP_SOFTMAX ||
        op->params.axis.axis != b->graph->tensors[t].shape.rank - 1 || !add(b, id_of(b, op)))
        return false;
    return add(b, id_of(b, last)) && take_scores(b, op->inputs[0], 0) &&
           take_operand(b, last->inputs[1]);
}

/* t = kind(mean(x * x) + eps) over the last dim of that x, kind a root? */
static bool match_rms(block *b, dv_tensor_id t, dv_tensor_id x, dv_op_kind kind)
{
    const dv_op *root = inner(b, t);
    const dv_op *sum = root && root->kind == kind ? inner(b, root->inputs[0]) : NULL;
    const dv_op *mean = sum && sum->kind == DV_OP_ADD && is_constant(b, sum->inputs[1])
                            ? inner(b, sum->inputs[0])
                            : NULL;
    const dv_op *square = mean && mean->kind == DV_OP_MEAN ? inner(b, mean->inputs[0]) : NULL;
    if (!square || square->kind != DV_OP_MUL || square->inputs[0] != x || square->inputs[1] != x)
        return false;
    return add(b, id_of(b, square)) && add(b, id_of(b, mean)) && add(b, id_of(b, sum)) &&
           add(b, id_of(b, root));
}

static bool match_norm(block *b, const dv_op *last)
{
    if (last->kind == DV_OP_DIV)
        return match_rms(b, last->inputs[1], last->inputs[0], DV_OP_SQRT) && add(b, id_of(b, last));
    for (uint32_t i = 0; i < 2; i++)
        if (match_rms(b, last->inputs[1 - i], last->inputs[i], DV_OP_RSQRT))
            return add(b, id_of(b, last));
    return false;
}

/* t = cat(-x[half:], x[:half]) along the last dim? */
static bool match_halves(block *b, dv_tensor_id t, dv_tensor_id x)
{
    const dv_op *cat = inner(b, t);
    if (!cat || cat->kind != DV_OP_CAT || cat->input_count != 2)
        return false;
    const dv_op *neg = inner(b, cat->inputs[0]), *low = inner(b, cat->inputs[1]);
    const dv_op *high = neg && neg->kind == DV_OP_NEG ? inner(b, neg->inputs[0]) : NULL;
    if (!high || !low || high->kind != DV_OP_SLICE || low->kind != DV_OP_SLICE ||
        high->inputs[0] != x || low->inputs[0] != x)
        return false;
    return add(b, id_of(b, low)) && add(b, id_of(b, high)) && add(b, id_of(b, neg)) &&
           add(b, id_of(b, cat));
}

static bool match_rotary(block *b, const dv_op *last)
{
    for (uint32_t i = 0; i < 2; i++) {
        const dv_op *plain = inner(b, last->inputs[i]), *turned = inner(b, last->inputs[1 - i]);
        if (!plain || !turned || plain->kind != DV_OP_MUL || turned->kind != DV_OP_MUL)
            continue;
        for (uint32_t k = 0; k < 4; k++)
            if (match_halves(b, turned->inputs[k / 2], plain->inputs[k % 2]))
                return add(b, id_of(b, plain)) && add(b, id_of(b, turned)) &&
                       add(b, id_of(b, last));
    }
    return false;
}

static const dv_op *behind_views(block *b, dv_tensor_id t)
{
    const dv_op *op = inner(b, t);
    while (op && is_view(op) && add(b, id_of(b, op)))
        op = inner(b, op->inputs[0]);
    return op;
}

/* The tensor that two products, each read once, have in common; DV_NONE: none. */
static dv_tensor_id common(block *b, dv_tensor_id s, dv_tensor_id t)
{
    const dv_op *p = inner(b, s), *q = inner(b, t);
    if (!p || !q || p->kind != DV_OP_MUL || q->kind != DV_OP_MUL || !add(b, id_of(b, p)) ||
        !add(b, id_of(b, q)))
        return DV_NONE;
    for (uint32_t i = 0; i < 4; i++)
        if (p->inputs[i / 2] == q->inputs[i % 2] &&
            dv_graph_readers(b->graph, p->inputs[i / 2]) == 2)
            return p->inputs[i / 2];
    return DV_NONE;
}

static bool match_pairs(block *b, const dv_op *last)
{
    if (last->input_count != 2)
        return false;
    const dv_op *low = behind_views(b, last->inputs[0]), *high = behind_views(b, last->inputs[1]);
    if (!low || !high || low->kind != DV_OP_SUB || high->kind != DV_OP_ADD)
        return false;
    dv_tensor_id first = common(b, low->inputs[0], high->inputs[0]);
    dv_tensor_id second = common(b, low->inputs[1], high->inputs[1]);
    const dv_op *a = first == DV_NONE ? NULL : dv_graph_maker(b->graph, first);
    const dv_op *z = second == DV_NONE ? NULL : dv_graph_maker(b->graph, second);
    bool parts =
        a && z && a->kind == z->kind && a->inputs[0] == z->inputs[0] &&
        (a->kind == DV_OP_SLICE || (a->kind == DV_OP_SPLIT && a == z && a->output_count == 2));
    return parts && add(b, id_of(b, a)) && add(b, id_of(b, z)) && add(b, id_of(b, low)) &&
           add(b, id_of(b, high)) && add(b, id_of(b, last));
}

/* The operator that chose the scale or the zero point t from a range; else NULL. */
static const dv_op *choice_of(const block *b, dv_tensor_id t)
{
    const dv_op *op = t == DV_NONE ? NULL : dv_graph_maker(b->graph, t);
    return op && op->kind == DV_OP_CHOOSE_QPARAMS ? op : NULL;
}

/* Does q stand for the numbers that choose looked at, by the scale that it chose? */
static const dv_op *quantise_of(const block *b, dv_tensor_id q, const dv_op *choose)
{
    const dv_op *op = dv_graph_maker(b->graph, q);
    bool is = op && op->kind == DV_OP_QUANTIZE && op->inputs[0] == choose->inputs[0] &&
              op->inputs[1] == choose->outputs[0];
    return is ? op : NULL;
}

/* Has the choice readers besides its own conversion and one product? */
static bool is_shared(const block *b, const dv_op *choose, const dv_op *quantise)
{
    const dv_graph *graph = b->graph;
    return dv_graph_readers(graph, quantise->outputs[0]) != 1 ||
           dv_graph_readers(graph, choose->outputs[0]) > 2 ||
           (choose->outputs[1] != DV_NONE && dv_graph_readers(graph, choose->outputs[1]) > 2);
}

/* t = s * s' with a scale s that was chosen: takes in the product, and gives the choice. */
static const dv_op *take_scale(block *b, dv_tensor_id t)
{
    const dv_op *op = inner(b, t);
    while (op && is_view(op) && add(b, id_of(b, op)))
        op = inner(b, op->inputs[0]);
    for (uint32_t i = 0; op && op->kind == DV_OP_MUL && i < 2; i++) {
        const dv_op *choose = choice_of(b, op->inputs[i]);
        if (choose && is_constant(b, op->inputs[1 - i]) && add(b, id_of(b, op)))
            return choose;
    }
    return NULL;
}

static bool match_dynamic(block *b, const dv_op *last)
{
    for (uint32_t i = 0; i < 2; i++) {
        b->count = 0;
        const dv_op *real = inner(b, last->inputs[i]);
        const dv_op *product = real && real->kind == DV_OP_CAST ? inner(b, real->inputs[0]) : NULL;
        if (!product ||
            (product->kind != DV_OP_MATMUL_INTEGER && product->kind != DV_OP_CONV_INTEGER) ||
            !is_constant(b, product->inputs[1]))
            continue;
        const dv_op *choose = take_scale(b, last->inputs[1 - i]);
        const dv_op *quantise = choose ? quantise_of(b, product->inputs[0], choose) : NULL;
        if (!quantise || !add(b, id_of(b, product)) || !add(b, id_of(b, real)) ||
            !add(b, id_of(b, last)))
            continue;
        b->is_dynamic = true;
        return is_shared(b, choose, quantise) ||
               (add(b, id_of(b, choose)) && add(b, id_of(b, quantise)));
    }
    return false;
}

/* A choice that several products share, with its conversion. */
static bool match_choice(block *b, const dv_op *last)
{
    const dv_op *choose = choice_of(b, last->inputs[1]);
    return choose && quantise_of(b, last->outputs[0], choose) == last &&
           is_shared(b, choose, last) && add(b, id_of(b, choose)) && add(b, id_of(b, last));
}

static bool match(block *b, const dv_op *last)
{
    switch (last->kind) {
    case DV_OP_MATMUL:
        return match_attention(b, last);
    case DV_OP_MUL:
        return match_norm(b, last) || match_dynamic(b, last);
    case DV_OP_DIV:
        return match_norm(b, last);
    case DV_OP_CAT:
        return match_pairs(b, last);
    case DV_OP_QUANTIZE:
        return match_choice(b, last);
    case DV_OP_ADD:
        return match_rotary(b, last);
    default:
        return false;
    }
}

/* What follows and belongs to the block: the norm's weight, the permutation out of the heads, a
   bias and an activation. */
static void take_followers(block *b, dv_op_id last)
{
    const dv_graph *graph = b->graph;
    dv_op_kind kind = graph->ops[last].kind;
    bool has_bias = false;
    for (int i = 0; i < 3; i++) {
        dv_tensor_id t = graph->ops[last].outputs[0];
        if (dv_graph_readers(graph, t) != 1 || graph->tensors[t].is_output ||
            graph->tensors[t].is_kept)
            return;
        dv_op_id next = graph->consumers[graph->consumer_start[t]];
        const dv_op *op = &graph->ops[next];
        bool weight = (kind == DV_OP_MUL || kind == DV_OP_DIV) && i == 0 && op->kind == DV_OP_MUL &&
                      is_constant(b, op->inputs[1]);
        bool out = kind == DV_OP_MATMUL && (op->kind == DV_OP_PERMUTE || is_view(op));
        bool bias = op->kind == DV_OP_ADD && is_constant(b, op->inputs[1]) && !has_bias;
        bool follows =
            b->is_dynamic ? bias || is_view(op) || dv_op_is_activation(op->kind) : weight || out;
        if (!follows || !add(b, next))
            return;
        if (b->is_dynamic && dv_op_is_activation(op->kind))
            return;
        has_bias |= bias;
        last = next;
    }
}

void dv_composites_find(const dv_graph *graph, dv_op_id *block_of)
{
    for (dv_op_id o = 0; o < graph->op_count; o++)
        block_of[o] = DV_NONE;
    for (dv_op_id o = 0; o < graph->op_count; o++) {
        block b = {.graph = graph, .block_of = block_of};
        if (block_of[o] != DV_NONE || !match(&b, &graph->ops[o]))
            continue;
        take_followers(&b, o);
        bool free = true; /* an operator is in one block at most */
        for (uint32_t i = 0; i < b.count; i++)
            free &= block_of[b.members[i]] == DV_NONE;
        for (uint32_t i = 0; free && i < b.count; i++)
            block_of[b.members[i]] = o;
    }
}
