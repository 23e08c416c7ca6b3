/* aten_index.c - ATen's reads and writes by index. */
#include <string.h>

#include "load/aten_build.h"

/* ---- reads ---- */

static dv_status finish_indexed(dv_aten_at *at, dv_op_kind kind, uint32_t axis_at,
                                uint32_t index_at)
{
    dv_op_params params = {0};
    dv_tensor_id a, index;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_input(at, index_at, &index));
    DV_TRY(dv_aten_axis(at, axis_at, a, &params.axis.axis));
    return dv_aten_finish(at, kind, &params, a, index, DV_NONE);
}

dv_status dv_aten_read_index_select(dv_aten_at *at)
{
    return finish_indexed(at, DV_OP_INDEX_SELECT, 1, 2);
}

dv_status dv_aten_read_gather(dv_aten_at *at)
{
    return finish_indexed(at, DV_OP_GATHER, 1, 2);
}

/* gather with the dim last; without one, over the flattened tensor. */
dv_status dv_aten_read_take_along(dv_aten_at *at)
{
    if (!dv_aten_given(at, 2))
        return dv_aten_opaque(at, "without a dim it is not supported");
    return finish_indexed(at, DV_OP_GATHER, 2, 1);
}

dv_status dv_aten_read_embedding(dv_aten_at *at)
{
    dv_tensor_id weight, indices;
    DV_TRY(dv_aten_input(at, 0, &weight));
    DV_TRY(dv_aten_input(at, 1, &indices));
    return dv_aten_finish(at, DV_OP_EMBEDDING, NULL, weight, indices, DV_NONE);
}

/* How many indices are given, where the first is, and whether they lead without a gap. */
typedef struct index_list {
    const dv_tensor_id *ids;
    uint32_t given, first;
    bool lead;
} index_list;

static dv_status read_indices(dv_aten_at *at, index_list *out)
{
    const dv_aten_value *list = &at->args[1];
    *out = (index_list){.ids = list->tensors, .lead = true};
    if (list->type != DV_ATEN_TENSORS)
        return dv_fail(DV_BAD_INPUT, "argument 'indices' is not a list of tensors");
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->tensors[i] == DV_NONE)
            continue;
        dv_dtype dtype = dv_aten_dtype_of(at, list->tensors[i]);
        if (dtype != DV_DTYPE_I64 && dtype != DV_DTYPE_I32)
            return dv_aten_opaque(at, "an index of %s is not supported", dv_dtype_name(dtype));
        if (out->given++ == 0)
            out->first = i;
        out->lead &= out->given == i + 1;
    }
    if (out->given == 0)
        return dv_fail(DV_BAD_INPUT, "argument 'indices' holds no index");
    return DV_OK;
}

/* The given indices as tuples: broadcast to one shape, side by side along a new last axis. */
static dv_status tuples(dv_aten_at *at, const index_list *list, dv_tensor_id *out, dv_shape *shape)
{
    dv_op_params wide = {0}, open = {.axes = {.count = 1, .axes = {-1}}}, join = {0};
    *shape = *dv_aten_shape_of(at, list->ids[0]);
    for (uint32_t i = 0; i < list->given; i++) {
        const dv_shape *own = dv_aten_shape_of(at, list->ids[i]);
        dv_shape both;
        if (!dv_shape_known(own) || !dv_shape_broadcast(shape, own, &both))
            return dv_aten_opaque(at, "the shapes of its indices are not known");
        *shape = both;
    }
    if (shape->rank >= DV_MAX_RANK)
        return dv_aten_opaque(at, "its indices have too many dimensions");
    dv_tensor_id *parts = dv_arena_array(dv_graph_arena(at->graph), list->given, sizeof *parts);
    if (!parts)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    wide.view.shape = *shape;
    for (uint32_t i = 0; i < list->given; i++) {
        parts[i] = list->ids[i];
        DV_TRY(dv_aten_cast(at, DV_DTYPE_I64, &parts[i]));
        if (!dv_shape_equal(dv_aten_shape_of(at, list->ids[i]), shape))
            DV_TRY(dv_aten_emit(at, DV_OP_EXPAND, &wide, parts[i], DV_NONE, &parts[i]));
        DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, parts[i], DV_NONE, &parts[i]));
    }
    *out = parts[0];
    join.axis.axis = shape->rank;
    for (uint32_t i = 1; i < list->given; i++)
        DV_TRY(dv_aten_emit(at, DV_OP_CAT, &join, *out, parts[i], out));
    return DV_OK;
}

/* dims as perm has them, unless that changes nothing */
static dv_status turned(dv_aten_at *at, const uint8_t *perm, uint8_t rank, dv_tensor_id *id)
{
    dv_op_params params = {.permute = {.rank = rank}};
    bool same = true;
    for (uint8_t d = 0; d < rank; d++) {
        params.permute.perm[d] = perm[d];
        same &= perm[d] == d;
    }
    return same ? DV_OK : dv_aten_emit(at, DV_OP_PERMUTE, &params, *id, DV_NONE, id);
}

/* Indices with dims between or before them: those they read are brought to the front, and the
   result's dims to where torch has them. */
static dv_status read_scattered(dv_aten_at *at, dv_tensor_id a, dv_tensor_id *packed)
{
    dv_op_params params = {0};
    const dv_shape x = *dv_aten_shape_of(at, a);
    dv_index_order order;
    index_list list = {.ids = packed};
    dv_tensor_id index;
    dv_shape shape;
    uint8_t back[2 * DV_MAX_RANK];
    if (!dv_shape_known(&x))
        return dv_aten_opaque(at, "the shape of its input is not known");
    DV_TRY(dv_aten_index_order(&at->args[1], x.rank, &order));
    for (uint32_t i = 0; i < order.count; i++)
        packed[i] = at->args[1].tensors[order.perm[i]];
    list.given = order.count;
    DV_TRY(tuples(at, &list, &index, &shape));
    if (at->reason)
        return DV_OK;
    if (shape.rank + x.rank - order.count > DV_MAX_RANK)
        return dv_fail(DV_BAD_INPUT, "its result has more than %d dimensions", DV_MAX_RANK);
    DV_TRY(turned(at, order.perm, x.rank, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_GATHER_ND, &params, a, index, &a));
    dv_aten_index_back(&order, shape.rank, x.rank, back);
    DV_TRY(turned(at, back, (uint8_t)(shape.rank + x.rank - order.count), &a));
    return dv_aten_finish(at, DV_OP_IDENTITY, NULL, a, DV_NONE, DV_NONE);
}

/* One index reads along its axis; several that lead read by tuples. */
dv_status dv_aten_read_index(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id a, index;
    index_list list;
    dv_shape shape;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_read_masks(at, dv_aten_shape_of(at, a),
                              dv_aten_shape_of(at, at->call->outputs[0])));
    if (at->reason)
        return DV_OK;
    DV_TRY(read_indices(at, &list));
    if (at->reason)
        return DV_OK;
    if (list.given == 1) {
        params.axis.axis = list.first;
        return dv_aten_finish(at, DV_OP_INDEX_SELECT, &params, a, list.ids[list.first], DV_NONE);
    }
    if (!list.lead) {
        dv_tensor_id packed[DV_MAX_RANK];
        return list.given > DV_MAX_RANK ? dv_fail(DV_BAD_INPUT, "it has %u indices", list.given)
                                        : read_scattered(at, a, packed);
    }
    DV_TRY(tuples(at, &list, &index, &shape));
    if (at->reason)
        return DV_OK;
    return dv_aten_finish(at, DV_OP_GATHER_ND, &params, a, index, DV_NONE);
}

/* ---- writes ---- */

dv_status dv_aten_read_scatter(dv_aten_at *at)
{
    bool adds = strstr(at->call->source_type, "scatter_add") != NULL;
    dv_op_params params = {.scatter = {.mode = adds ? DV_SCATTER_ADD : DV_SCATTER_SET}};
    dv_tensor_id a, index, updates;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_axis(at, 1, a, &params.scatter.axis));
    DV_TRY(dv_aten_input(at, 2, &index));
    const dv_shape shape = *dv_aten_shape_of(at, index);
    if (!dv_shape_known(&shape))
        return dv_aten_opaque(at, "the shape of its index is not known");
    if (at->args[3].type == DV_ATEN_TENSOR) {
        DV_TRY(dv_aten_input(at, 3, &updates));
        if (!dv_shape_equal(dv_aten_shape_of(at, updates), &shape)) { /* only that corner counts */
            dv_op_params corner = {.slice = {.count = shape.rank}};
            for (uint8_t d = 0; d < shape.rank; d++) {
                corner.slice.axes[d] = d;
                corner.slice.end[d] = shape.dim[d];
                corner.slice.step[d] = 1;
            }
            DV_TRY(dv_aten_emit(at, DV_OP_SLICE, &corner, updates, DV_NONE, &updates));
        }
    } else {
        dv_op_params wide = {.view = {.shape = shape}};
        double value;
        DV_TRY(dv_aten_real(at, 3, &value));
        DV_TRY(dv_aten_scalar(at, dv_aten_dtype_of(at, a), value, &updates));
        DV_TRY(dv_aten_emit(at, DV_OP_EXPAND, &wide, updates, DV_NONE, &updates));
    }
    return dv_aten_finish(at, DV_OP_SCATTER, &params, a, index, updates);
}

/* Rows along one axis: the index is repeated over all other dims of what is written. */
static dv_status put_along(dv_aten_at *at, dv_tensor_id a, dv_tensor_id index, int64_t axis,
                           dv_tensor_id values, dv_scatter_mode mode)
{
    dv_op_params params = {.scatter = {.axis = axis, .mode = mode}}, wide = {0}, column = {0};
    const dv_shape x = *dv_aten_shape_of(at, a), rows = *dv_aten_shape_of(at, index);
    if (!dv_shape_known(&x) || !dv_shape_known(&rows) || rows.rank > 1 || axis >= x.rank)
        return dv_aten_opaque(at, "an index of more than one dimension is not supported");
    wide.view.shape = x;
    wide.view.shape.dim[axis] = rows.rank ? rows.dim[0] : 1;
    column.view.shape.rank = x.rank;
    for (uint8_t d = 0; d < x.rank; d++)
        column.view.shape.dim[d] = d == axis ? wide.view.shape.dim[axis] : 1;
    DV_TRY(dv_aten_emit(at, DV_OP_VIEW, &column, index, DV_NONE, &index));
    DV_TRY(dv_aten_emit(at, DV_OP_EXPAND, &wide, index, DV_NONE, &index));
    DV_TRY(dv_aten_cast(at, dv_aten_dtype_of(at, a), &values));
    if (rows.rank == 0 && dv_aten_rank_of(at, values) == x.rank - 1) {
        dv_op_params open = {.axes = {.count = 1, .axes = {axis}}};
        DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, values, DV_NONE, &values));
    }
    DV_TRY(dv_aten_emit(at, DV_OP_EXPAND, &wide, values, DV_NONE, &values));
    return dv_aten_finish(at, DV_OP_SCATTER, &params, a, index, values);
}

/* index_add(self, dim, index, source, alpha=1), index_copy without the last, and index_fill whose
   source is one number. */
static dv_status put_rows(dv_aten_at *at, dv_scatter_mode mode)
{
    dv_tensor_id a, index, values;
    int64_t axis;
    double value = 1;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_axis(at, 1, a, &axis));
    DV_TRY(dv_aten_input(at, 2, &index));
    if (at->args[3].type == DV_ATEN_TENSOR) {
        DV_TRY(dv_aten_input(at, 3, &values));
    } else {
        DV_TRY(dv_aten_real(at, 3, &value));
        DV_TRY(dv_aten_scalar(at, dv_aten_dtype_of(at, a), value, &values));
    }
    if (mode == DV_SCATTER_ADD) {
        DV_TRY(dv_aten_real(at, 4, &value));
        DV_TRY(dv_aten_times(at, value, &values));
    }
    return put_along(at, a, index, axis, values, mode);
}

dv_status dv_aten_read_index_add(dv_aten_at *at)
{
    return put_rows(at, DV_SCATTER_ADD);
}

dv_status dv_aten_read_index_copy(dv_aten_at *at)
{
    return put_rows(at, DV_SCATTER_SET);
}

/* One value, for all that is written? */
static bool is_one(const dv_shape *shape)
{
    return dv_shape_known(shape) && (shape->rank == 0 || shape->dim[0] == 1);
}

/* x[mask] = number, the mask over the first dims of x: a choice. */
static dv_status put_masked(dv_aten_at *at, dv_tensor_id a, dv_tensor_id mask, dv_tensor_id value)
{
    const dv_shape x = *dv_aten_shape_of(at, a), m = *dv_aten_shape_of(at, mask);
    dv_op_params wide = {.view = {.shape = x, .allow_zero = true}};
    size_t elements;
    if (!dv_shape_known(&x) || !dv_shape_known(&m) || m.rank > x.rank ||
        !dv_shape_elements(dv_aten_shape_of(at, value), &elements) || elements != 1)
        return dv_aten_opaque(at, "a mask with more than one value is not supported");
    for (uint8_t d = 0; d < x.rank; d++)
        wide.view.shape.dim[d] = d < m.rank ? m.dim[d] : 1;
    DV_TRY(dv_aten_cast(at, dv_aten_dtype_of(at, a), &value));
    DV_TRY(dv_aten_emit(at, DV_OP_VIEW, &wide, mask, DV_NONE, &mask));
    return dv_aten_finish(at, DV_OP_WHERE, NULL, mask, value, a);
}

/* Indices with dims between or before them: as those reads go, in both directions. */
static dv_status put_scattered(dv_aten_at *at, dv_tensor_id a, dv_tensor_id values,
                               dv_scatter_mode mode)
{
    dv_op_params params = {.scatter = {.mode = mode}}, wide = {.view = {.allow_zero = true}};
    const dv_shape x = *dv_aten_shape_of(at, a);
    dv_index_order order;
    dv_tensor_id packed[DV_MAX_RANK], index;
    dv_shape shape, *put = &wide.view.shape;
    uint8_t back[2 * DV_MAX_RANK], forth[DV_MAX_RANK];
    DV_TRY(dv_aten_index_order(&at->args[1], x.rank, &order));
    for (uint32_t i = 0; i < order.count; i++)
        packed[i] = at->args[1].tensors[order.perm[i]];
    DV_TRY(tuples(at, &(index_list){.ids = packed, .given = order.count}, &index, &shape));
    if (at->reason)
        return DV_OK;
    if (shape.rank + x.rank - order.count > DV_MAX_RANK)
        return dv_fail(DV_BAD_INPUT, "it writes more than %d dimensions", DV_MAX_RANK);
    put->rank = (uint8_t)(shape.rank + x.rank - order.count);
    dv_aten_index_back(&order, shape.rank, x.rank, back);
    for (uint8_t d = 0; d < put->rank; d++) {
        uint8_t from = back[d]; /* of [index dims, the others] */
        put->dim[d] = from < shape.rank ? shape.dim[from]
                                        : x.dim[order.perm[order.count + from - shape.rank]];
        forth[from] = d;
    }
    DV_TRY(dv_aten_cast(at, dv_aten_dtype_of(at, a), &values));
    DV_TRY(dv_aten_emit(at, DV_OP_EXPAND, &wide, values, DV_NONE, &values));
    DV_TRY(turned(at, forth, put->rank, &values));
    DV_TRY(turned(at, order.perm, x.rank, &a));
    dv_tensor_id inputs[3] = {a, index, values};
    DV_TRY(dv_aten_emit_all(at, DV_OP_SCATTER_ND, &params, inputs, 3, &a));
    for (uint8_t d = 0; d < x.rank; d++)
        forth[order.perm[d]] = d;
    DV_TRY(turned(at, forth, x.rank, &a));
    return dv_aten_finish(at, DV_OP_IDENTITY, NULL, a, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_index_put(dv_aten_at *at)
{
    dv_tensor_id a, index, values;
    index_list list;
    bool adds;
    dv_shape shape;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_input(at, 2, &values));
    DV_TRY(dv_aten_flag(at, 3, &adds));
    const dv_aten_value *given = &at->args[1];
    if (!adds && given->type == DV_ATEN_TENSORS && given->count == 1 &&
        given->tensors[0] != DV_NONE && dv_aten_dtype_of(at, given->tensors[0]) == DV_DTYPE_BOOL &&
        is_one(dv_aten_shape_of(at, values)))
        return put_masked(at, a, given->tensors[0], values);
    DV_TRY(dv_aten_read_masks(at, dv_aten_shape_of(at, a), dv_aten_shape_of(at, values)));
    if (at->reason)
        return DV_OK;
    DV_TRY(read_indices(at, &list));
    if (at->reason)
        return DV_OK;
    dv_scatter_mode mode = adds ? DV_SCATTER_ADD : DV_SCATTER_SET;
    if (list.given == 1)
        return put_along(at, a, list.ids[list.first], list.first, values, mode);
    const dv_shape x = *dv_aten_shape_of(at, a);
    if (!dv_shape_known(&x) || list.given > x.rank)
        return dv_aten_opaque(at, "the shape of its input is not known");
    if (!list.lead)
        return put_scattered(at, a, values, mode);
    DV_TRY(tuples(at, &list, &index, &shape));
    if (at->reason)
        return DV_OK;
    dv_op_params params = {.scatter = {.mode = mode}}, wide = {.view = {.shape = shape}};
    for (uint8_t d = (uint8_t)list.given; d < x.rank; d++) {
        if (wide.view.shape.rank == DV_MAX_RANK)
            return dv_fail(DV_BAD_INPUT, "it writes more than %d dimensions", DV_MAX_RANK);
        wide.view.shape.dim[wide.view.shape.rank++] = x.dim[d];
    }
    DV_TRY(dv_aten_cast(at, dv_aten_dtype_of(at, a), &values));
    DV_TRY(dv_aten_emit(at, DV_OP_EXPAND, &wide, values, DV_NONE, &values));
    return dv_aten_finish(at, DV_OP_SCATTER_ND, &params, a, index, values);
}

/* What is before the part, the part, what is behind it. */
static dv_status put_part(dv_aten_at *at, dv_tensor_id a, dv_tensor_id part, int64_t axis,
                          int64_t begin, int64_t end)
{
    dv_op_params join = {.axis = {.axis = axis}};
    dv_op_params front = {.slice = {.count = 1, .axes = {axis}, .end = {begin}, .step = {1}}};
    dv_op_params back = {
        .slice = {.count = 1, .axes = {axis}, .begin = {end}, .end = {INT64_MAX}, .step = {1}}};
    dv_tensor_id parts[3];
    DV_TRY(dv_aten_emit(at, DV_OP_SLICE, &front, a, DV_NONE, &parts[0]));
    parts[1] = part;
    DV_TRY(dv_aten_emit(at, DV_OP_SLICE, &back, a, DV_NONE, &parts[2]));
    return dv_aten_finish_all(at, DV_OP_CAT, &join, parts, 3);
}

static int64_t within(int64_t bound, int64_t size)
{
    bound = bound < 0 ? bound + size : bound;
    return bound < 0 ? 0 : bound > size ? size : bound;
}

/* Every step-th row from begin on is written by its number. */
static dv_status put_steps(dv_aten_at *at, dv_tensor_id a, dv_tensor_id part, int64_t axis,
                           int64_t begin, int64_t end, int64_t step)
{
    enum { MOST = 1 << 16 };
    int64_t count = step > 0 && end > begin ? (end - begin - 1) / step + 1 : 0;
    dv_tensor_id index;
    if (step < 1 || count < 1 || count > MOST ||
        !dv_aten_affords(at, 2 * (size_t)count * sizeof(int64_t)))
        return dv_aten_opaque(at, "a step of %lld from %lld to %lld is not supported",
                              (long long)step, (long long)begin, (long long)end);
    int64_t *rows = dv_arena_array(dv_graph_arena(at->graph), (size_t)count, sizeof *rows);
    if (!rows)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (int64_t i = 0; i < count; i++)
        rows[i] = begin + i * step;
    DV_TRY(dv_aten_list(at, rows, (size_t)count, &index));
    dv_graph_tensor_mutable(at->graph, index)->shape = (dv_shape){1, {count}};
    return put_along(at, a, index, axis, part, DV_SCATTER_SET);
}

dv_status dv_aten_read_slice_scatter(dv_aten_at *at)
{
    dv_tensor_id a, part;
    int64_t axis, begin = 0, end = INT64_MAX, step;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_input(at, 1, &part));
    DV_TRY(dv_aten_axis(at, 2, a, &axis));
    if (dv_aten_given(at, 3))
        DV_TRY(dv_aten_int(at, 3, &begin));
    if (dv_aten_given(at, 4))
        DV_TRY(dv_aten_int(at, 4, &end));
    DV_TRY(dv_aten_int(at, 5, &step));
    const dv_shape x = *dv_aten_shape_of(at, a);
    if (!dv_shape_known(&x) || x.rank == 0)
        return dv_aten_opaque(at, "the shape of its input is not known");
    begin = within(begin, x.dim[axis]);
    end = within(end, x.dim[axis]);
    if (step != 1)
        return put_steps(at, a, part, axis, begin, end, step);
    if (begin == 0 && end == x.dim[axis])
        return dv_aten_finish(at, DV_OP_IDENTITY, NULL, part, DV_NONE, DV_NONE);
    return put_part(at, a, part, axis, begin, end < begin ? begin : end);
}

dv_status dv_aten_read_select_scatter(dv_aten_at *at)
{
    dv_op_params open = {.axes = {.count = 1}};
    dv_tensor_id a, part;
    int64_t axis, index;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_input(at, 1, &part));
    DV_TRY(dv_aten_axis(at, 2, a, &axis));
    DV_TRY(dv_aten_int(at, 3, &index));
    const dv_shape x = *dv_aten_shape_of(at, a);
    if (!dv_shape_known(&x) || x.rank == 0)
        return dv_aten_opaque(at, "the shape of its input is not known");
    index = index < 0 ? index + x.dim[axis] : index;
    if (index < 0 || index >= x.dim[axis])
        return dv_fail(DV_BAD_INPUT, "index %lld is out of range", (long long)index);
    open.axes.axes[0] = axis;
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, part, DV_NONE, &part));
    return put_part(at, a, part, axis, index, index + 1);
}
