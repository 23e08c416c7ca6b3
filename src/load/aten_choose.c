/* aten_choose.c - ATen's results whose length only values tell.

   A torch.export program has a symbol for each such length, and what it is taken to be stands in
   the shape that the file records for the result: NONZERO and UNIQUE give so many rows. */
#include <string.h>

#include "load/aten_build.h"

/* The places where a mask of known shape is not zero: `rows` of them, one list for each of its
 * dims.
 */
static dv_status places_of(dv_aten_at *at, dv_tensor_id mask, int64_t rows, dv_tensor_id *places)
{
    dv_op_params all = {.rows = {.rows = rows}}, one = {.select = {.axis = 0}};
    const dv_shape shape = *dv_aten_shape_of(at, mask);
    dv_tensor_id found;
    DV_TRY(dv_aten_emit(at, DV_OP_NONZERO, &all, mask, DV_NONE, &found));
    dv_graph_tensor_mutable(at->graph, found)->shape = (dv_shape){2, {shape.rank, rows}};
    for (uint8_t d = 0; d < shape.rank; d++) {
        one.select.index = d;
        DV_TRY(dv_aten_emit(at, DV_OP_SELECT, &one, found, DV_NONE, &places[d]));
        dv_graph_tensor_mutable(at->graph, places[d])->shape = (dv_shape){1, {rows}};
    }
    return DV_OK;
}

/* The i-th output's size along its first dim, if the file has it. */
static dv_status recorded_rows(dv_aten_at *at, uint32_t i, int64_t *rows)
{
    const dv_shape *shape = i < at->call->output_count && at->call->outputs[i] != DV_NONE
                                ? dv_aten_shape_of(at, at->call->outputs[i])
                                : NULL;
    if (!shape || !dv_shape_known(shape) || shape->rank == 0 || shape->dim[0] < 1)
        return dv_aten_opaque(at, "the length of its result is not known");
    *rows = shape->dim[0];
    return DV_OK;
}

/* [how many, rank] */
dv_status dv_aten_read_nonzero(dv_aten_at *at)
{
    dv_op_params turn = {.permute = {.rank = 2, .perm = {1, 0}}}, all = {0};
    dv_tensor_id x;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(recorded_rows(at, 0, &all.rows.rows));
    if (at->reason)
        return DV_OK;
    DV_TRY(dv_aten_emit(at, DV_OP_NONZERO, &all, x, DV_NONE, &x));
    return dv_aten_finish(at, DV_OP_PERMUTE, &turn, x, DV_NONE, DV_NONE);
}

/* A list of places for each dim: where(condition), nonzero_numpy. */
dv_status dv_aten_read_places(dv_aten_at *at)
{
    dv_op_params all = {0}, one = {.select = {.axis = 0}};
    dv_tensor_id x;
    DV_TRY(dv_aten_input(at, 0, &x));
    uint32_t i = 0;
    while (i < at->call->output_count && at->call->outputs[i] == DV_NONE)
        i++;
    DV_TRY(recorded_rows(at, i, &all.rows.rows));
    if (at->reason)
        return DV_OK;
    DV_TRY(dv_aten_emit(at, DV_OP_NONZERO, &all, x, DV_NONE, &x));
    for (i = 0; i < at->call->output_count; i++) {
        one.select.index = i;
        DV_TRY(dv_aten_finish_one(at, i, DV_OP_SELECT, &one, x, DV_NONE));
    }
    return DV_OK;
}

dv_status dv_aten_read_masked_select(dv_aten_at *at)
{
    dv_op_params along = {0}, wide = {0}, flat = {0};
    dv_tensor_id x, mask, places;
    int64_t rows;
    size_t elements;
    dv_shape both;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_input(at, 1, &mask));
    const dv_shape a = *dv_aten_shape_of(at, x), m = *dv_aten_shape_of(at, mask);
    if (!dv_shape_known(&a) || !dv_shape_known(&m) || !dv_shape_broadcast(&a, &m, &both) ||
        !dv_shape_elements(&both, &elements))
        return dv_aten_opaque(at, "the shapes of its inputs are not known");
    DV_TRY(recorded_rows(at, 0, &rows));
    if (at->reason)
        return DV_OK;
    wide.view.shape = both;
    flat.view.shape = (dv_shape){1, {(int64_t)elements}};
    if (!dv_shape_equal(&a, &both))
        DV_TRY(dv_aten_emit(at, DV_OP_EXPAND, &wide, x, DV_NONE, &x));
    if (!dv_shape_equal(&m, &both))
        DV_TRY(dv_aten_emit(at, DV_OP_EXPAND, &wide, mask, DV_NONE, &mask));
    DV_TRY(dv_aten_emit(at, DV_OP_VIEW, &flat, x, DV_NONE, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_VIEW, &flat, mask, DV_NONE, &mask));
    dv_graph_tensor_mutable(at->graph, mask)->shape = flat.view.shape;
    DV_TRY(places_of(at, mask, rows, &places));
    return dv_aten_finish(at, DV_OP_INDEX_SELECT, &along, x, places, DV_NONE);
}

/* _unique2(self, sorted, return_inverse, return_counts): values, inverse, counts; torch sorts in
   any case. unique_dim(self, dim, sorted, return_inverse, return_counts). */
static dv_status finish_unique(dv_aten_at *at, dv_unique_params unique)
{
    dv_op_params params = {.unique = unique}, shape = {0};
    dv_tensor_id x, made[4] = {DV_NONE, DV_NONE, DV_NONE, DV_NONE};
    uint32_t count = at->call->output_count;
    DV_TRY(dv_aten_input(at, 0, &x));
    const dv_shape *values = count > 0 && at->call->outputs[0] != DV_NONE
                                 ? dv_aten_shape_of(at, at->call->outputs[0])
                                 : NULL;
    const dv_shape own = *dv_aten_shape_of(at, x);
    if (!values || !dv_shape_known(values) || !dv_shape_known(&own) || values->rank == 0 ||
        values->dim[unique.axis] < 1)
        return dv_aten_opaque(at, "the length of its result is not known");
    params.unique.rows = values->dim[unique.axis];
    params.unique.sorted = true;
    made[0] = at->call->outputs[0];
    made[3] = count > 2 ? at->call->outputs[2] : DV_NONE;
    bool inverse = count > 1 && at->call->outputs[1] != DV_NONE;
    dv_tensor of = {.name =
                        dv_arena_printf(dv_graph_arena(at->graph), "%s.inverse", at->call->name),
                    .dtype = DV_DTYPE_I64,
                    .shape = {.rank = DV_RANK_UNKNOWN},
                    .role = DV_ROLE_ACTIVATION};
    dv_op op = {.kind = DV_OP_UNIQUE,
                .name = at->call->name,
                .source_type = at->call->source_type,
                .debug_handle = at->call->debug_handle,
                .inputs = &x,
                .input_count = 1,
                .outputs = made,
                .output_count = 4,
                .params = params};
    dv_op_id id;
    if (!of.name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    if (inverse)
        DV_TRY(dv_graph_add_tensor(at->graph, &of, &made[2]));
    DV_TRY(dv_graph_add_op(at->graph, &op, &id));
    if (!inverse)
        return DV_OK;
    shape.view.shape = unique.flat ? own : (dv_shape){1, {own.dim[unique.axis]}};
    shape.view.allow_zero = true;
    return dv_aten_finish_one(at, 1, DV_OP_VIEW, &shape, made[2], DV_NONE);
}

dv_status dv_aten_read_unique(dv_aten_at *at)
{
    return finish_unique(at, (dv_unique_params){.flat = true});
}

dv_status dv_aten_read_unique_dim(dv_aten_at *at)
{
    dv_unique_params unique = {0};
    dv_tensor_id x;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_axis(at, 1, x, &unique.axis));
    return finish_unique(at, unique);
}

/* ---- masks among indices ---- */

/* How many dims the list does not index, and how many elements they have. */
static bool rest_of(const dv_aten_at *at, const dv_shape *x, uint8_t *dims, size_t *rest)
{
    const dv_aten_value *list = &at->args[1];
    uint8_t d = 0, indexed = 0;
    *rest = 1;
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->tensors[i] != DV_NONE &&
            dv_aten_dtype_of(at, list->tensors[i]) == DV_DTYPE_BOOL) {
            const dv_shape *mask = dv_aten_shape_of(at, list->tensors[i]);
            if (!dv_shape_known(mask) || mask->rank == 0 || mask->rank > x->rank - d)
                return false;
            d = (uint8_t)(d + mask->rank);
            indexed = (uint8_t)(indexed + mask->rank);
            continue;
        }
        if (d == x->rank)
            return false;
        if (list->tensors[i] == DV_NONE)
            *rest *= (size_t)x->dim[d];
        else if (dv_aten_rank_of(at, list->tensors[i]) > 1)
            return false; /* how the mask's places meet it is not worked out here */
        else
            indexed++;
        d++;
    }
    for (; d < x->rank; d++)
        *rest *= (size_t)x->dim[d];
    *dims = (uint8_t)(x->rank - indexed);
    return *rest > 0;
}

dv_status dv_aten_read_masks(dv_aten_at *at, const dv_shape *x, const dv_shape *result)
{
    dv_aten_value *list = &at->args[1];
    uint32_t masks = 0, count = 0;
    size_t elements, rest;
    uint8_t dims;
    for (uint32_t i = 0; list->type == DV_ATEN_TENSORS && i < list->count; i++)
        masks +=
            list->tensors[i] != DV_NONE && dv_aten_dtype_of(at, list->tensors[i]) == DV_DTYPE_BOOL;
    if (masks == 0)
        return DV_OK;
    if (!dv_shape_known(x) || !dv_shape_known(result) || !dv_shape_elements(result, &elements) ||
        !rest_of(at, x, &dims, &rest) || result->rank != dims + 1 || elements / rest < 1)
        return dv_aten_opaque(at, "how many elements its mask chooses is not known");
    dv_tensor_id *ids =
        dv_arena_array(dv_graph_arena(at->graph), (size_t)list->count + x->rank, sizeof *ids);
    if (!ids)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < list->count; i++) {
        dv_tensor_id id = list->tensors[i];
        if (id == DV_NONE || dv_aten_dtype_of(at, id) != DV_DTYPE_BOOL) {
            ids[count++] = id;
            continue;
        }
        DV_TRY(places_of(at, id, (int64_t)(elements / rest), &ids[count]));
        count += dv_aten_rank_of(at, id);
    }
    list->tensors = ids;
    list->count = count;
    return DV_OK;
}
