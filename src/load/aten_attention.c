/* aten_attention.c - ATen's scaled dot product of queries, keys and values. */
#include <math.h>
#include <string.h>

#include "load/aten_build.h"

dv_status dv_aten_times(dv_aten_at *at, double factor, dv_tensor_id *id)
{
    dv_tensor_id scalar;
    if (factor == 1)
        return DV_OK;
    DV_TRY(dv_aten_scalar(at, dv_aten_dtype_of(at, *id), factor, &scalar));
    return dv_aten_emit(at, DV_OP_MUL, NULL, *id, scalar, id);
}

/* Adds what masks: booleans choose, numbers are added. */
static dv_status mask_scores(dv_aten_at *at, dv_tensor_id mask, dv_tensor_id *scores)
{
    dv_tensor_id never, raised[2];
    dv_dtype dtype = dv_aten_dtype_of(at, *scores);
    if (dv_aten_dtype_of(at, mask) != DV_DTYPE_BOOL)
        return dv_aten_emit(at, DV_OP_ADD, NULL, *scores, mask, scores);
    DV_TRY(dv_aten_scalar(at, dtype, 0, &raised[0]));
    DV_TRY(dv_aten_scalar(at, dtype, -INFINITY, &never));
    dv_tensor_id inputs[3] = {mask, raised[0], never};
    DV_TRY(dv_aten_emit_all(at, DV_OP_WHERE, NULL, inputs, 3, &raised[1]));
    return dv_aten_emit(at, DV_OP_ADD, NULL, *scores, raised[1], scores);
}

static const char causal[] = "attention:causal"; /* no node has such a name */

/* A lower triangle of ones, as booleans: query i sees keys up to i. */
static dv_status causal_mask(dv_aten_at *at, int64_t queries, int64_t keys, dv_tensor_id *mask)
{
    const dv_shape shape = {2, {queries, keys}};
    size_t bytes;
    for (dv_tensor_id t = 0; t < at->graph->tensor_count; t++) {
        const dv_tensor *tensor = &at->graph->tensors[t];
        if (tensor->data.storage != DV_STORAGE_BUFFER || tensor->dtype != DV_DTYPE_BOOL ||
            !tensor->name || strcmp(tensor->name, causal) != 0)
            continue;
        *mask = t;
        if (dv_shape_equal(&tensor->shape, &shape))
            return DV_OK; /* layers share it */
    }
    if (!dv_mul_size((size_t)queries, (size_t)keys, &bytes) || bytes == SIZE_MAX ||
        !dv_aten_affords(at, bytes))
        return dv_aten_opaque(at, "its causal mask of %lld x %lld would be too large",
                              (long long)queries, (long long)keys);
    dv_buffer *buffer = dv_buffer_create(bytes + 1);
    if (!buffer)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    uint8_t *cell = dv_buffer_writable(buffer);
    for (int64_t q = 0; q < queries; q++)
        for (int64_t k = 0; k < keys; k++)
            *cell++ = k <= q;
    dv_tensor tensor = {.name = causal,
                        .dtype = DV_DTYPE_BOOL,
                        .shape = shape,
                        .role = DV_ROLE_CONSTANT,
                        .data = {.storage = DV_STORAGE_BUFFER, .buffer = buffer}};
    dv_status status = dv_graph_add_tensor(at->graph, &tensor, mask);
    dv_buffer_release(buffer);
    return status;
}

/* Heads of keys or values that several queries share, each repeated so often. */
static dv_status share_heads(dv_aten_at *at, const dv_shape *query, dv_tensor_id *id)
{
    dv_shape shape = *dv_aten_shape_of(at, *id);
    uint8_t head = (uint8_t)(shape.rank - 3);
    int64_t heads = query->dim[query->rank - 3], own = shape.dim[head];
    dv_op_params open = {.axes = {.count = 1, .axes = {head + 1}}}, wide = {0}, flat = {0};
    if (own == heads)
        return DV_OK;
    if (own < 1 || heads % own != 0 || shape.rank >= DV_MAX_RANK)
        return dv_fail(DV_BAD_INPUT, "%lld heads cannot share %lld", (long long)heads,
                       (long long)own);
    for (uint8_t d = 0; d < shape.rank; d++)
        wide.view.shape.dim[d + (d > head)] = shape.dim[d];
    wide.view.shape.rank = (uint8_t)(shape.rank + 1);
    wide.view.shape.dim[head + 1] = heads / own;
    shape.dim[head] = heads;
    flat.view.shape = shape;
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, *id, DV_NONE, id));
    DV_TRY(dv_aten_emit(at, DV_OP_EXPAND, &wide, *id, DV_NONE, id));
    return dv_aten_emit(at, DV_OP_VIEW, &flat, *id, DV_NONE, id);
}

/* softmax(q . k^T * scale + mask) . v, in steps. */
dv_status dv_aten_read_attention(dv_aten_at *at)
{
    dv_tensor_id q, k, v, mask, scores;
    dv_op_params swap = {0}, rows = {.axis = {.axis = -1}};
    bool is_causal, shared;
    DV_TRY(dv_aten_input(at, 0, &q));
    DV_TRY(dv_aten_input(at, 1, &k));
    DV_TRY(dv_aten_input(at, 2, &v));
    DV_TRY(dv_aten_option(at, 3, &mask));
    DV_TRY(dv_aten_flag(at, 5, &is_causal));
    DV_TRY(dv_aten_flag(at, 7, &shared));
    const dv_shape query = *dv_aten_shape_of(at, q), key = *dv_aten_shape_of(at, k);
    if (!dv_shape_known(&query) || !dv_shape_known(&key) || query.rank < 2 || key.rank < 2)
        return dv_aten_opaque(at, "the shapes of its inputs are not known");
    if (is_causal && mask == DV_NONE)
        DV_TRY(causal_mask(at, query.dim[query.rank - 2], key.dim[key.rank - 2], &mask));
    if (at->reason)
        return DV_OK;
    if (shared && query.rank >= 3 && key.rank == query.rank) {
        DV_TRY(share_heads(at, &query, &k));
        DV_TRY(share_heads(at, &query, &v));
    }
    double scale = 1 / sqrt((double)query.dim[query.rank - 1]);
    if (dv_aten_given(at, 6))
        DV_TRY(dv_aten_real(at, 6, &scale));
    swap.permute.rank = key.rank;
    for (uint8_t d = 0; d < key.rank; d++)
        swap.permute.perm[d] = d;
    swap.permute.perm[key.rank - 2] = (uint8_t)(key.rank - 1);
    swap.permute.perm[key.rank - 1] = (uint8_t)(key.rank - 2);
    DV_TRY(dv_aten_emit(at, DV_OP_PERMUTE, &swap, k, DV_NONE, &k));
    DV_TRY(dv_aten_emit(at, DV_OP_MATMUL, NULL, q, k, &scores));
    DV_TRY(dv_aten_times(at, scale, &scores));
    if (mask != DV_NONE)
        DV_TRY(mask_scores(at, mask, &scores));
    DV_TRY(dv_aten_emit(at, DV_OP_SOFTMAX, &rows, scores, DV_NONE, &scores));
    return dv_aten_finish_one(at, 0, DV_OP_MATMUL, NULL, scores, v);
}
