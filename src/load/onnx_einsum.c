/* onnx_einsum.c - an Einsum of one operand is a sum and a transpose; of two, one matrix product.

   Labels that both operands and the result have are a batch; of what only one operand brings to the
   result, the last label is the matrix's row or column and the others are dims of the batch in
   which the other operand has size 1; what is summed is put last and joined to one dim. An ellipsis
   stands for dims labelled by digits, the last of them 9. */
#include <ctype.h>
#include <string.h>

#include "load/onnx_ops.h"

typedef struct term {
    uint8_t count;
    char label[DV_MAX_RANK];
} term;

typedef struct equation {
    size_t operands;
    term in[2], out;
} equation;

static bool has(const term *t, char label)
{
    return memchr(t->label, label, t->count) != NULL;
}

static bool append(term *t, char label)
{
    if (!isalnum((unsigned char)label) || t->count == DV_MAX_RANK || has(t, label))
        return false;
    t->label[t->count++] = label;
    return true;
}

/* Without an arrow the result has the ellipsis, then the labels that occur once, sorted. */
static bool implied_result(equation *e)
{
    for (int c = '0'; c <= '9'; c++)
        if ((has(&e->in[0], (char)c) || (e->operands == 2 && has(&e->in[1], (char)c))) &&
            !append(&e->out, (char)c))
            return false;
    for (int c = 'A'; c <= 'z'; c++) {
        size_t seen = 0;
        for (size_t i = 0; i < e->operands; i++)
            seen += has(&e->in[i], (char)c);
        if (seen == 1 && !append(&e->out, (char)c))
            return false;
    }
    return true;
}

/* Appends the dims that an ellipsis stands for in an operand of that rank whose term is the text up
   to the next comma or arrow; in the result, all that an operand has. */
static bool append_ellipsis(dv_span text, size_t at, uint8_t rank, const equation *e, term *t)
{
    int dims = 0;
    if (t == &e->out) {
        for (char c = '0'; c <= '9'; c++)
            if ((has(&e->in[0], c) || (e->operands == 2 && has(&e->in[1], c))) && !append(t, c))
                return false;
        return true;
    }
    if (rank == DV_RANK_UNKNOWN)
        return false;
    dims = rank - t->count;
    for (size_t i = at; i < text.size && text.data[i] != ',' && text.data[i] != '-'; i++)
        dims -= isalpha(text.data[i]) != 0;
    if (dims < 0 || dims > DV_MAX_RANK)
        return false;
    for (int d = dims; d > 0; d--)
        if (!append(t, (char)('9' - d + 1)))
            return false;
    return true;
}

/* False for what is not understood: a diagonal, more than two operands. */
static bool parse(dv_span text, size_t operands, const uint8_t *ranks, equation *e)
{
    term *at = &e->in[0];
    bool arrow = false;
    memset(e, 0, sizeof *e);
    e->operands = 1;
    for (size_t i = 0; i < text.size; i++) {
        char c = (char)text.data[i];
        if (c == ' ')
            continue;
        if (c == ',' && !arrow && e->operands < 2) {
            at = &e->in[e->operands++];
        } else if (c == '-' && !arrow && i + 1 < text.size && text.data[i + 1] == '>') {
            arrow = true;
            at = &e->out;
            i++;
        } else if (c == '.' && i + 2 < text.size && text.data[i + 1] == '.' &&
                   text.data[i + 2] == '.') {
            if (!append_ellipsis(text, i + 3, ranks[at == &e->in[1]], e, at))
                return false;
            i += 2;
        } else if (!isalpha((unsigned char)c) || !append(at, c)) {
            return false;
        }
    }
    if (!arrow && !implied_result(e))
        return false;
    for (uint8_t i = 0; i < e->out.count; i++)
        if (!has(&e->in[0], e->out.label[i]) && !(operands == 2 && has(&e->in[1], e->out.label[i])))
            return false;
    return e->operands == operands;
}

/* Transposes *id from the order of `from` to that of `to`, which holds the same labels. */
static dv_status emit_order(dv_onnx_at *at, const term *from, const term *to, dv_tensor_id *id)
{
    dv_op_params order = {.permute = {.rank = to->count}};
    bool same = true;
    for (uint8_t i = 0; i < to->count; i++) {
        const char *place = memchr(from->label, to->label[i], from->count);
        order.permute.perm[i] = (uint8_t)(place - from->label);
        same &= order.permute.perm[i] == i;
    }
    return same ? DV_OK : dv_onnx_emit(at, DV_OP_PERMUTE, &order, *id, DV_NONE, id);
}

/* Sums over the labels that nothing else has. */
static dv_status emit_sum(dv_onnx_at *at, term *t, const term *a, const term *b, dv_tensor_id *id)
{
    dv_op_params over = {.reduce = {.count = 0}};
    term kept = {0};
    for (uint8_t i = 0; i < t->count; i++)
        if (has(a, t->label[i]) || has(b, t->label[i]))
            kept.label[kept.count++] = t->label[i];
        else
            over.reduce.axes[over.reduce.count++] = i;
    *t = kept;
    return over.reduce.count ? dv_onnx_emit(at, DV_OP_SUM, &over, *id, DV_NONE, id) : DV_OK;
}

/* How two operands meet. */
typedef struct meeting {
    term batch, own[2], summed;
} meeting;

static meeting meeting_of(const equation *e)
{
    meeting m;
    memset(&m, 0, sizeof m);
    for (int side = 0; side < 2; side++)
        for (uint8_t i = 0; i < e->in[side].count; i++) {
            char label = e->in[side].label[i];
            bool both = has(&e->in[1 - side], label), kept = has(&e->out, label);
            term *to = both ? kept ? &m.batch : &m.summed : &m.own[side];
            if (side == 0 || !both)
                to->label[to->count++] = label;
        }
    return m;
}

/* One operand as [batch, the left's own but one, the right's own but one, its last own, summed]. */
static dv_status emit_side(dv_onnx_at *at, const equation *e, const meeting *m, int side,
                           dv_tensor_id *id)
{
    term order = m->batch;
    const term *own = &m->own[side], *other = &m->own[1 - side];
    memcpy(order.label + order.count, own->label, own->count);
    order.count = (uint8_t)(order.count + own->count);
    memcpy(order.label + order.count, m->summed.label, m->summed.count);
    order.count = (uint8_t)(order.count + m->summed.count);
    DV_TRY(emit_order(at, &e->in[side], &order, id));
    uint8_t front = (uint8_t)(m->batch.count + own->count);
    if (m->summed.count > 1) {
        int64_t joined[DV_MAX_RANK] = {0}; /* 0: as it was */
        dv_op_params open = {.view = {.shape = {.rank = DV_RANK_UNKNOWN}}};
        dv_tensor_id shape;
        joined[front] = -1;
        DV_TRY(dv_onnx_list(at, joined, front + 1u, &shape));
        DV_TRY(dv_onnx_emit(at, DV_OP_VIEW, &open, *id, shape, id));
    }
    /* dims of size 1, as places in the result of unsqueezing */
    dv_op_params ones = {.axes = {.count = 0}};
    uint8_t extra = other->count > 1 ? (uint8_t)(other->count - 1) : 0;
    uint8_t mine = own->count > 1 ? (uint8_t)(own->count - 1) : 0;
    uint8_t at_dim = (uint8_t)(m->batch.count + (side == 0 ? mine : 0));
    for (uint8_t i = 0; i < extra; i++)
        ones.axes.axes[ones.axes.count++] = at_dim + i;
    uint8_t row = (uint8_t)(m->batch.count + mine + extra);
    if (own->count == 0)
        ones.axes.axes[ones.axes.count++] = row;
    if (m->summed.count == 0)
        ones.axes.axes[ones.axes.count++] = row + 1;
    if (ones.axes.count > 0)
        DV_TRY(dv_onnx_emit(at, DV_OP_UNSQUEEZE, &ones, *id, DV_NONE, id));
    if (side == 0)
        return DV_OK;
    dv_op_params turned = {.permute = {.rank = (uint8_t)(row + 2)}};
    for (uint8_t i = 0; i < row + 2; i++)
        turned.permute.perm[i] = i < row ? i : (uint8_t)(2 * row + 1 - i);
    return dv_onnx_emit(at, DV_OP_PERMUTE, &turned, *id, DV_NONE, id);
}

/* The labels that the product has, without the row and column of size 1 that are squeezed out. */
static dv_status emit_result(dv_onnx_at *at, const equation *e, const meeting *m, dv_tensor_id id)
{
    term made = m->batch;
    dv_op_params gone = {.axes = {.count = 0}};
    uint8_t rank = m->batch.count;
    for (int side = 0; side < 2; side++)
        for (uint8_t i = 0; i + 1 < m->own[side].count; i++, rank++)
            made.label[made.count++] = m->own[side].label[i];
    for (int side = 0; side < 2; side++, rank++) {
        uint8_t count = m->own[side].count;
        if (count > 0)
            made.label[made.count++] = m->own[side].label[count - 1];
        else
            gone.axes.axes[gone.axes.count++] = rank;
    }
    if (gone.axes.count > 0)
        DV_TRY(dv_onnx_emit(at, DV_OP_SQUEEZE, &gone, id, DV_NONE, &id));
    DV_TRY(emit_order(at, &made, &e->out, &id));
    dv_onnx_become(at, DV_OP_IDENTITY, id, DV_NONE, DV_NONE);
    return DV_OK;
}

dv_status dv_onnx_op_einsum(dv_onnx_at *at)
{
    dv_span text;
    equation e;
    DV_TRY(dv_onnx_text(at, "equation", "", &text));
    uint8_t ranks[2] = {DV_RANK_UNKNOWN, DV_RANK_UNKNOWN};
    bool dots = text.size > 0 && memchr(text.data, '.', text.size);
    for (uint32_t i = 0; i < at->op.input_count && i < 2; i++)
        ranks[i] = dots ? dv_onnx_shape_of(at, at->inputs[i])->rank
                        : at->graph->tensors[at->inputs[i]].shape.rank;
    if (!parse(text, at->op.input_count, ranks, &e))
        return dv_onnx_opaque(at, "equation '%.*s' is not supported",
                              (int)(text.size > 80 ? 80 : text.size), (const char *)text.data);
    for (size_t i = 0; i < e.operands; i++) {
        const dv_shape *shape = &at->graph->tensors[at->inputs[i]].shape;
        if (shape->rank != DV_RANK_UNKNOWN && shape->rank != e.in[i].count)
            return dv_fail(DV_BAD_INPUT, "its input %zu has %u dimensions, its equation %u", i,
                           shape->rank, e.in[i].count);
    }
    dv_tensor_id left = at->inputs[0], right, product;
    DV_TRY(emit_sum(at, &e.in[0], &e.out, &e.in[1], &left));
    if (e.operands == 1) {
        DV_TRY(emit_order(at, &e.in[0], &e.out, &left));
        dv_onnx_become(at, DV_OP_IDENTITY, left, DV_NONE, DV_NONE);
        return DV_OK;
    }
    right = at->inputs[1];
    DV_TRY(emit_sum(at, &e.in[1], &e.out, &e.in[0], &right));
    meeting m = meeting_of(&e);
    if (m.batch.count + m.own[0].count + m.own[1].count + 2 > DV_MAX_RANK)
        return dv_onnx_opaque(at, "equation '%.*s' has too many labels",
                              (int)(text.size > 80 ? 80 : text.size), (const char *)text.data);
    DV_TRY(emit_side(at, &e, &m, 0, &left));
    DV_TRY(emit_side(at, &e, &m, 1, &right));
    DV_TRY(dv_onnx_emit(at, DV_OP_MATMUL, NULL, left, right, &product));
    return emit_result(at, &e, &m, product);
}
