/* decoding.c - prefill and decode: positions, causal masks, the KV cache, attention over it. */
#include "datasets/zoo/decoding.h"

#include <math.h>
#include <stdlib.h>

#include "datasets/zoo/network_parts.h"

static const double HIDDEN = -10000; /* exp of it is 0 in every precision, and f16 holds it */

/* 0, 1 ... count - 1 in the shape [count] or [count, 1]. */
static dv_tensor_id counted(dv_network *net, const char *name, int64_t count, size_t rank)
{
    int64_t *numbers = calloc((size_t)count, sizeof *numbers);
    if (!numbers && net->status == DV_OK)
        net->status = dv_fail(DV_NO_MEMORY, "out of memory while building a network");
    for (int64_t i = 0; numbers && i < count; i++)
        numbers[i] = i;
    dv_tensor_id id = DV_NONE;
    if (numbers)
        id = dv_known(net, name, DV_DTYPE_I64, numbers, (int64_t[]){count, 1}, rank);
    free(numbers);
    return id;
}

/* A row is seen by the positions that are not before it. */
static dv_tensor_id causal_mask(dv_network *net, dv_tensor_id rows, dv_tensor_id positions)
{
    dv_tensor_id inputs[] = {rows, positions};
    dv_shape shape = {.rank = 2, .dim = {dv_dim(net, positions, 0), dv_dim(net, rows, 0)}};
    dv_tensor_id seen =
        dv_network_op(net, (dv_op){.kind = DV_OP_LE}, inputs, 2, DV_DTYPE_BOOL, shape);
    dv_tensor_id choice[] = {seen, dv_scalar(net, 0), dv_scalar(net, HIDDEN)};
    return dv_network_op(net, (dv_op){.kind = DV_OP_WHERE}, choice, 3, DV_DTYPE_F32, shape);
}

dv_decoding dv_decoding_begin(dv_network *net, bool step, int64_t rows)
{
    dv_decoding decoding = {.step = step, .rows = rows, .tokens = step ? 1 : rows};
    dv_network_scope(net, "decoding");
    if (step) {
        dv_network_scope(net, "%s", "");
        decoding.positions = dv_input(net, "position", DV_DTYPE_I64, (int64_t[]){1}, 1);
        dv_network_scope(net, "decoding");
        decoding.column = dv_view(net, decoding.positions, (int64_t[]){1, 1}, 2);
    } else {
        decoding.positions = counted(net, "positions", rows, 1);
        decoding.column = counted(net, "position_column", rows, 2);
    }
    decoding.mask = causal_mask(net, counted(net, "rows", rows, 1), decoding.column);
    return decoding;
}

dv_tensor_id dv_decoding_ids(dv_network *net, const dv_decoding *decoding)
{
    dv_network_scope(net, "%s", "");
    int64_t dims[] = {1, decoding->tokens};
    return dv_view(net, dv_input(net, "input_ids", DV_DTYPE_I64, dims, 2), dims + 1, 1);
}

dv_tensor_id dv_decoding_cached(dv_network *net, const dv_decoding *decoding, const char *name,
                                dv_tensor_id x)
{
    int64_t dims[] = {decoding->rows, dv_dim(net, x, 1), dv_dim(net, x, 2)};
    dv_tensor_id state = dv_state(net, name, dims, 3);
    if (decoding->step) {
        dv_tensor_id inputs[] = {state, decoding->column, x};
        x = dv_network_op(net, (dv_op){.kind = DV_OP_SCATTER_ND}, inputs, 3, DV_DTYPE_F32,
                          dv_shape_make(dims, 3));
    }
    dv_becomes(net, state, x);
    return x;
}

dv_tensor_id dv_decoding_last(dv_network *net, const dv_decoding *decoding, dv_tensor_id x)
{
    return decoding->tokens == 1 ? x : dv_slice(net, x, 0, decoding->tokens - 1, decoding->tokens);
}

dv_tensor_id dv_heads(dv_network *net, dv_tensor_id x, int64_t heads)
{
    int64_t dims[] = {dv_dim(net, x, 0), heads, dv_dim(net, x, 1) / heads};
    return dv_view(net, x, dims, 3);
}

dv_tensor_id dv_grouped_attention(dv_network *net, dv_tensor_id q, dv_tensor_id k, dv_tensor_id v,
                                  dv_tensor_id mask)
{
    static const uint8_t split[] = {1, 2, 0, 3}, columns[] = {1, 2, 0}, rows[] = {1, 0, 2},
                         join[] = {2, 0, 1, 3};
    int64_t queries = dv_dim(net, q, 0), heads = dv_dim(net, q, 1), size = dv_dim(net, q, 2);
    int64_t seen = dv_dim(net, k, 0), groups = dv_dim(net, k, 1);
    if (net->status != DV_OK)
        return DV_NONE;
    int64_t each = heads / groups, apart[] = {groups, each, queries, seen};
    q = dv_permute(net, dv_view(net, q, (int64_t[]){queries, groups, each, size}, 4), split, 4);
    q = dv_view(net, q, (int64_t[]){groups, each * queries, size}, 3);
    dv_tensor_id scores = dv_matmul(net, q, dv_permute(net, k, columns, 3));
    scores = dv_binary(net, DV_OP_MUL, scores, dv_scalar(net, 1 / sqrt((double)size)));
    if (mask != DV_NONE) {
        scores = dv_binary(net, DV_OP_ADD, dv_view(net, scores, apart, 4), mask);
        scores = dv_view(net, scores, (int64_t[]){groups, each * queries, seen}, 3);
    }
    dv_tensor_id mixed = dv_matmul(net, dv_softmax(net, scores), dv_permute(net, v, rows, 3));
    mixed = dv_view(net, mixed, (int64_t[]){groups, each, queries, size}, 4);
    return dv_view(net, dv_permute(net, mixed, join, 4), (int64_t[]){queries, heads * size}, 2);
}
