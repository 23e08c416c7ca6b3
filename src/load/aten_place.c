/* aten_place.c - ATen operators that place elements by several indices, repeat them, or pool over
   uneven windows. */
#include <string.h>

#include "load/aten_build.h"

/* Each element of an axis so often, neighbours staying together. */
dv_status dv_aten_read_repeat_interleave(dv_aten_at *at)
{
    dv_op_params open = {.axes = {.count = 1}}, wide = {0}, flat = {0};
    dv_tensor_id x;
    int64_t times, axis = 0;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_int(at, 1, &times));
    dv_shape shape = *dv_aten_shape_of(at, x);
    size_t elements;
    if (!dv_shape_known(&shape) || !dv_shape_elements(&shape, &elements) || times < 0 ||
        shape.rank >= DV_MAX_RANK)
        return dv_aten_opaque(at, "the shape of its input is not known");
    if (dv_aten_given(at, 2)) {
        DV_TRY(dv_aten_axis(at, 2, x, &axis));
    } else {
        shape = (dv_shape){.rank = 1, .dim = {(int64_t)elements}};
        flat.view = (dv_view_params){shape, true};
        DV_TRY(dv_aten_emit(at, DV_OP_VIEW, &flat, x, DV_NONE, &x));
    }
    if (shape.rank == 0)
        return dv_aten_opaque(at, "a scalar is not repeated");
    open.axes.axes[0] = axis + 1;
    for (uint8_t d = 0; d < shape.rank; d++)
        wide.view.shape.dim[d + (d > axis)] = shape.dim[d];
    wide.view.shape.rank = (uint8_t)(shape.rank + 1);
    wide.view.shape.dim[axis + 1] = times;
    wide.view.allow_zero = true;
    shape.dim[axis] *= times;
    flat.view = (dv_view_params){shape, true};
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, x, DV_NONE, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_EXPAND, &wide, x, DV_NONE, &x));
    return dv_aten_finish(at, DV_OP_VIEW, &flat, x, DV_NONE, DV_NONE);
}

/* Dims `source` become dims `destination`, the others keep their order. */
dv_status dv_aten_read_movedim(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id x;
    int64_t from[DV_MAX_RANK], to[DV_MAX_RANK];
    size_t count, other;
    unsigned taken = 0, filled = 0;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_ints(at, 1, from, DV_MAX_RANK, &count));
    DV_TRY(dv_aten_ints(at, 2, to, DV_MAX_RANK, &other));
    uint8_t rank = dv_aten_rank_of(at, x);
    if (rank > DV_MAX_RANK || count != other)
        return dv_aten_opaque(at, "the rank of its input is not known");
    params.permute.rank = rank;
    for (size_t i = 0; i < count; i++) {
        from[i] += from[i] < 0 ? rank : 0;
        to[i] += to[i] < 0 ? rank : 0;
        if (from[i] < 0 || from[i] >= rank || to[i] < 0 || to[i] >= rank)
            return dv_fail(DV_BAD_INPUT, "there is no such dimension");
        params.permute.perm[to[i]] = (uint8_t)from[i];
        taken |= 1u << from[i];
        filled |= 1u << to[i];
    }
    uint8_t next = 0;
    for (uint8_t d = 0; d < rank; d++) {
        if (filled & 1u << d)
            continue;
        while (next < rank && (taken & 1u << next))
            next++;
        params.permute.perm[d] = next < rank ? next++ : 0;
    }
    return dv_aten_finish(at, DV_OP_PERMUTE, &params, x, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_view_as(dv_aten_at *at)
{
    dv_tensor_id x, like;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_input(at, 1, &like));
    dv_op_params params = {.view = {*dv_aten_shape_of(at, like), true}};
    if (!dv_shape_known(&params.view.shape))
        return dv_aten_opaque(at, "the shape of its second input is not known");
    return dv_aten_finish(at, DV_OP_VIEW, &params, x, DV_NONE, DV_NONE);
}

/* ---- several indices ---- */

dv_status dv_aten_index_order(const dv_aten_value *list, uint8_t rank, dv_index_order *out)
{
    *out = (dv_index_order){.adjacent = true};
    uint8_t last = 0;
    if (list->count > rank)
        return dv_fail(DV_BAD_INPUT, "%u indices for %u dimensions", list->count, (unsigned)rank);
    for (uint8_t d = 0; d < list->count; d++)
        if (list->tensors[d] != DV_NONE) {
            out->adjacent &= out->count == 0 || last + 1 == d;
            out->first = out->count == 0 ? d : out->first;
            last = d;
            out->perm[out->count++] = d;
        }
    uint8_t next = out->count;
    for (uint8_t d = 0; d < rank; d++)
        if (d >= list->count || list->tensors[d] == DV_NONE)
            out->perm[next++] = d;
    return DV_OK;
}

/* Where the indexed dims of the result go: where the first index was, or to the front if the
   indices are not neighbours (numpy's rule). Output dims of [index..., others...]. */
void dv_aten_index_back(const dv_index_order *order, uint8_t index_rank, uint8_t rank,
                        uint8_t *perm)
{
    uint8_t others = (uint8_t)(rank - order->count), front = order->adjacent ? order->first : 0;
    uint8_t next = 0;
    for (uint8_t d = 0; d < front; d++)
        perm[next++] = (uint8_t)(index_rank + d);
    for (uint8_t d = 0; d < index_rank; d++)
        perm[next++] = d;
    for (uint8_t d = front; d < others; d++)
        perm[next++] = (uint8_t)(index_rank + d);
}

/* ---- uneven windows ---- */

typedef struct window {
    int64_t begin, end;
} window;

/* The i-th of `out` windows over `in` pixels, as torch's adaptive pools have them. */
static window window_of(int64_t in, int64_t out, int64_t i)
{
    return (window){i * in / out, ((i + 1) * in + out - 1) / out};
}

/* One dim reduced window by window; the result's parts are joined again. */
static dv_status pool_dim(dv_aten_at *at, int64_t axis, int64_t in, int64_t out, dv_tensor_id *x)
{
    dv_op_params join = {.axis = {.axis = axis}};
    dv_op_params over = {.reduce = {.count = 1, .keep_dims = true, .axes = {axis}}};
    dv_tensor_id *parts = dv_arena_array(dv_graph_arena(at->graph), (size_t)out, sizeof *parts);
    if (!parts)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (int64_t i = 0; i < out; i++) {
        window w = window_of(in, out, i);
        dv_op_params cut = {
            .slice = {.count = 1, .axes = {axis}, .begin = {w.begin}, .end = {w.end}, .step = {1}}};
        DV_TRY(dv_aten_emit(at, DV_OP_SLICE, &cut, *x, DV_NONE, &parts[i]));
        DV_TRY(dv_aten_emit(at, at->kind == DV_OP_MAX_POOL ? DV_OP_AMAX : DV_OP_MEAN, &over,
                            parts[i], DV_NONE, &parts[i]));
    }
    *x = parts[0];
    return out == 1 ? DV_OK : dv_aten_emit_all(at, DV_OP_CAT, &join, parts, (uint32_t)out, x);
}

enum { MOST_WINDOWS = 64 };

dv_status dv_aten_uneven_pool(dv_aten_at *at, dv_tensor_id x, const int64_t *sizes, uint8_t spatial)
{
    const dv_shape shape = *dv_aten_shape_of(at, x);
    for (uint8_t d = 0; d < spatial; d++)
        if (sizes[d] < 1 || sizes[d] > MOST_WINDOWS)
            return dv_aten_opaque(at, "%lld uneven windows are not supported", (long long)sizes[d]);
    for (uint8_t d = 0; d < spatial; d++)
        DV_TRY(pool_dim(at, shape.rank - spatial + d, shape.dim[shape.rank - spatial + d], sizes[d],
                        &x));
    return dv_aten_finish_one(at, 0, DV_OP_IDENTITY, NULL, x, DV_NONE);
}

/* Differences of neighbours along dim, n times. */
dv_status dv_aten_read_diff(dv_aten_at *at)
{
    dv_op_params low = {.slice = {.count = 1, .step = {1}}}, high;
    dv_tensor_id x, a, b, before, after;
    int64_t times, axis;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_int(at, 1, &times));
    DV_TRY(dv_aten_axis(at, 2, x, &axis));
    DV_TRY(dv_aten_option(at, 3, &before));
    DV_TRY(dv_aten_option(at, 4, &after));
    const dv_shape shape = *dv_aten_shape_of(at, x);
    if (times != 1 || !dv_shape_known(&shape) || shape.rank == 0 ||
        dv_aten_dtype_of(at, x) == DV_DTYPE_BOOL)
        return dv_aten_opaque(at, "%lld differences of such an input are not supported",
                              (long long)times);
    dv_op_params join = {.axis = {.axis = axis}};
    if (before != DV_NONE)
        DV_TRY(dv_aten_emit(at, DV_OP_CAT, &join, before, x, &x));
    if (after != DV_NONE)
        DV_TRY(dv_aten_emit(at, DV_OP_CAT, &join, x, after, &x));
    low.slice.axes[0] = axis;
    low.slice.end[0] = -1;
    high = low;
    high.slice.begin[0] = 1;
    high.slice.end[0] = INT64_MAX;
    DV_TRY(dv_aten_emit(at, DV_OP_SLICE, &high, x, DV_NONE, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_SLICE, &low, x, DV_NONE, &b));
    return dv_aten_finish(at, DV_OP_SUB, NULL, a, b, DV_NONE);
}

/* The same elements under sizes and strides: a view where the strides are those of that shape. */
dv_status dv_aten_read_as_strided(dv_aten_at *at)
{
    dv_tensor_id x;
    int64_t strides[DV_MAX_RANK], offset = 0, expected = 1;
    size_t count, steps, have = 0, elements = 0;
    dv_op_params params = {.view = {.allow_zero = true}};
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_ints(at, 1, params.view.shape.dim, DV_MAX_RANK, &count));
    DV_TRY(dv_aten_ints(at, 2, strides, DV_MAX_RANK, &steps));
    if (dv_aten_given(at, 3))
        DV_TRY(dv_aten_int(at, 3, &offset));
    params.view.shape.rank = (uint8_t)count;
    const dv_shape *shape = dv_aten_shape_of(at, x);
    bool plain = count == steps && offset == 0 && dv_shape_known(shape) &&
                 dv_shape_elements(shape, &have) &&
                 dv_shape_elements(&params.view.shape, &elements) && have == elements && have > 0;
    for (size_t d = count; plain && d-- > 0;) {
        plain = params.view.shape.dim[d] == 1 || strides[d] == expected;
        expected *= params.view.shape.dim[d];
    }
    if (!plain && (count != steps || !dv_shape_known(shape)))
        return dv_aten_opaque(at, "its strides do not fit its shape, or that is not known");
    if (!plain)
        return dv_aten_take_strided(at, x, &params.view.shape, strides, offset);
    return dv_aten_finish(at, DV_OP_VIEW, &params, x, DV_NONE, DV_NONE);
}
