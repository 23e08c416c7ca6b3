/* aten_cut.c - ATen's joining and cutting: cat, stack, split, slice, flip, roll. */
#include <string.h>

#include "load/aten_build.h"

static dv_status read_list(dv_aten_at *at, const dv_tensor_id **tensors, uint32_t *count)
{
    const dv_aten_value *list = &at->args[0];
    *tensors = list->tensors;
    *count = list->count;
    bool ok = list->type == DV_ATEN_TENSORS && list->count > 0;
    for (uint32_t i = 0; ok && i < *count; i++)
        ok = list->tensors[i] != DV_NONE;
    return ok ? DV_OK : dv_fail(DV_BAD_INPUT, "argument 'tensors' is not a list of tensors");
}

/* torch joins an empty list with anything, and leaves it out. */
static dv_status drop_empty(dv_aten_at *at, const dv_tensor_id **tensors, uint32_t *count)
{
    dv_tensor_id *kept = dv_arena_array(dv_graph_arena(at->graph), *count, sizeof *kept);
    uint32_t many = 0;
    if (!kept)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < *count; i++) {
        const dv_shape *shape = dv_aten_shape_of(at, (*tensors)[i]);
        if (shape->rank != 1 || shape->dim[0] != 0)
            kept[many++] = (*tensors)[i];
    }
    if (many > 0 && many < *count) {
        *tensors = kept;
        *count = many;
    }
    return DV_OK;
}

dv_status dv_aten_read_cat(dv_aten_at *at)
{
    dv_op_params params = {0};
    const dv_tensor_id *tensors;
    uint32_t count;
    DV_TRY(read_list(at, &tensors, &count));
    DV_TRY(drop_empty(at, &tensors, &count));
    DV_TRY(dv_aten_axis(at, 1, tensors[0], &params.axis.axis));
    return dv_aten_finish_all(at, DV_OP_CAT, &params, tensors, count);
}

/* hstack and vstack of tensors that have such a dim already. */
dv_status dv_aten_read_join(dv_aten_at *at)
{
    dv_op_params params = {0};
    const dv_tensor_id *tensors;
    uint32_t count;
    DV_TRY(read_list(at, &tensors, &count));
    bool across = strstr(at->call->source_type, "hstack") != NULL;
    uint8_t rank = dv_aten_rank_of(at, tensors[0]);
    if (rank == DV_RANK_UNKNOWN || rank < (across ? 1 : 2))
        return dv_aten_opaque(at, "its tensors have too few dimensions");
    params.axis.axis = across && rank > 1;
    return dv_aten_finish_all(at, DV_OP_CAT, &params, tensors, count);
}

dv_status dv_aten_read_stack(dv_aten_at *at)
{
    dv_op_params open = {.axes = {.count = 1}}, params = {0};
    const dv_tensor_id *tensors;
    uint32_t count;
    DV_TRY(read_list(at, &tensors, &count));
    DV_TRY(dv_aten_int(at, 1, &open.axes.axes[0]));
    params.axis.axis = open.axes.axes[0];
    dv_tensor_id *rows = dv_arena_array(dv_graph_arena(at->graph), count, sizeof *rows);
    if (!rows)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < count; i++)
        DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, tensors[i], DV_NONE, &rows[i]));
    return dv_aten_finish_all(at, DV_OP_CAT, &params, rows, count);
}

static dv_status finish_split(dv_aten_at *at, dv_tensor_id a, int64_t axis, int64_t *sizes,
                              uint32_t count)
{
    dv_op_params params = {.split = {.axis = axis, .count = count, .sizes = sizes}};
    if (count != at->call->output_count)
        return dv_fail(DV_BAD_INPUT, "it makes %u parts and has %u outputs", count,
                       at->call->output_count);
    return dv_aten_finish_all(at, DV_OP_SPLIT, &params, &a, 1);
}

/* Parts of that size, the last with the rest; or so many parts, if by_count. */
static dv_status split_evenly(dv_aten_at *at, bool by_count)
{
    dv_tensor_id a;
    int64_t axis, size;
    dv_shape x;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_int(at, 1, &size));
    DV_TRY(dv_aten_axis(at, 2, a, &axis));
    DV_TRY(dv_aten_known_shape(at, a, &x));
    if (at->reason)
        return DV_OK;
    int64_t all = axis < x.rank ? x.dim[axis] : 0;
    if (size < 1 || all < 1)
        return dv_fail(DV_BAD_INPUT, "it cuts %lld by %lld", (long long)all, (long long)size);
    if (by_count)
        size = (all + size - 1) / size;
    int64_t count = (all + size - 1) / size;
    if (count != at->call->output_count)
        return dv_fail(DV_BAD_INPUT, "it makes %lld parts and has %u outputs", (long long)count,
                       at->call->output_count);
    int64_t *sizes = dv_arena_array(dv_graph_arena(at->graph), (size_t)count, sizeof *sizes);
    if (!sizes)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (int64_t i = 0; i < count; i++)
        sizes[i] = i + 1 < count ? size : all - size * i;
    return finish_split(at, a, axis, sizes, (uint32_t)count);
}

dv_status dv_aten_read_split(dv_aten_at *at)
{
    return split_evenly(at, false);
}

dv_status dv_aten_read_chunk(dv_aten_at *at)
{
    return split_evenly(at, true);
}

dv_status dv_aten_read_split_with_sizes(dv_aten_at *at)
{
    dv_tensor_id a;
    int64_t axis;
    size_t count, most = at->args[1].count;
    int64_t *sizes = dv_arena_array(dv_graph_arena(at->graph), most ? most : 1, sizeof *sizes);
    if (!sizes)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_ints(at, 1, sizes, most ? most : 1, &count));
    DV_TRY(dv_aten_axis(at, 2, a, &axis));
    return finish_split(at, a, axis, sizes, (uint32_t)count);
}

/* So many parts, the first ones larger by one where the size does not divide; or cut before each of
   a list of places. */
dv_status dv_aten_read_tensor_split(dv_aten_at *at)
{
    dv_tensor_id a;
    int64_t axis, places[64], sizes[65], all;
    size_t count = 0, parts;
    dv_shape x;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_known_shape(at, a, &x));
    if (at->reason)
        return DV_OK;
    DV_TRY(dv_aten_axis(at, 2, a, &axis));
    all = axis < x.rank ? x.dim[axis] : 0;
    DV_TRY(dv_aten_ints(at, 1, places, 64, &count));
    if (at->args[1].type == DV_ATEN_INTS) {
        parts = count + 1;
        for (size_t i = 0; i <= count; i++) {
            int64_t from = i == 0 ? 0 : places[i - 1], to = i == count ? all : places[i];
            sizes[i] = to - from;
            if (from < 0 || to > all || sizes[i] < 0)
                return dv_aten_opaque(at, "places out of order, or counted from the end");
        }
    } else {
        if (places[0] < 1 || places[0] > 64)
            return dv_aten_opaque(at, "so many parts are not supported");
        parts = (size_t)places[0];
        for (size_t i = 0; i < parts; i++)
            sizes[i] = all / places[0] + ((int64_t)i < all % places[0]);
    }
    return finish_split(at, a, axis, sizes, (uint32_t)parts);
}

dv_status dv_aten_read_unbind(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_axis(at, 1, a, &params.select.axis));
    for (uint32_t i = 0; i < at->call->output_count; i++) {
        params.select.index = i;
        DV_TRY(dv_aten_finish_one(at, i, DV_OP_SELECT, &params, a, DV_NONE));
    }
    return DV_OK;
}

static dv_op_params one_slice(int64_t axis, int64_t begin, int64_t end, int64_t step)
{
    return (dv_op_params){
        .slice = {.count = 1, .axes = {axis}, .begin = {begin}, .end = {end}, .step = {step}}};
}

dv_status dv_aten_read_slice(dv_aten_at *at)
{
    dv_tensor_id a;
    int64_t axis, begin = 0, end = INT64_MAX, step;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_axis(at, 1, a, &axis));
    if (dv_aten_given(at, 2))
        DV_TRY(dv_aten_int(at, 2, &begin));
    if (dv_aten_given(at, 3))
        DV_TRY(dv_aten_int(at, 3, &end));
    DV_TRY(dv_aten_int(at, 4, &step));
    dv_op_params params = one_slice(axis, begin, end, step);
    return dv_aten_finish(at, DV_OP_SLICE, &params, a, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_narrow(dv_aten_at *at)
{
    dv_tensor_id a;
    int64_t axis, begin, length;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_axis(at, 1, a, &axis));
    DV_TRY(dv_aten_int(at, 2, &begin));
    DV_TRY(dv_aten_int(at, 3, &length));
    if (length < 0 || begin > INT32_MAX || length > INT32_MAX)
        return dv_fail(DV_BAD_INPUT, "it takes %lld elements from %lld on", (long long)length,
                       (long long)begin);
    int64_t end = begin < 0 && begin + length == 0 ? INT64_MAX : begin + length;
    dv_op_params params = one_slice(axis, begin, end, 1);
    return dv_aten_finish(at, DV_OP_SLICE, &params, a, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_select(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_axis(at, 1, a, &params.select.axis));
    DV_TRY(dv_aten_int(at, 2, &params.select.index));
    return dv_aten_finish(at, DV_OP_SELECT, &params, a, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_flip(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id a;
    size_t count;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_ints(at, 1, params.slice.axes, DV_MAX_RANK, &count));
    params.slice.count = (uint8_t)count;
    for (size_t i = 0; i < count; i++) {
        params.slice.begin[i] = -1;
        params.slice.end[i] = INT64_MIN;
        params.slice.step[i] = -1;
    }
    return dv_aten_finish(at, DV_OP_SLICE, &params, a, DV_NONE, DV_NONE);
}

/* What is behind the end comes to the front. */
static dv_status roll_axis(dv_aten_at *at, int64_t axis, int64_t shift, int64_t size,
                           dv_tensor_id *a, bool last)
{
    dv_op_params front, back, join = {.axis = {.axis = axis}};
    dv_tensor_id parts[2];
    shift = size > 0 ? (shift % size + size) % size : 0;
    front = one_slice(axis, size - shift, INT64_MAX, 1);
    back = one_slice(axis, 0, size - shift, 1);
    DV_TRY(dv_aten_emit(at, DV_OP_SLICE, &front, *a, DV_NONE, &parts[0]));
    DV_TRY(dv_aten_emit(at, DV_OP_SLICE, &back, *a, DV_NONE, &parts[1]));
    if (last)
        return dv_aten_finish(at, DV_OP_CAT, &join, parts[0], parts[1], DV_NONE);
    return dv_aten_emit(at, DV_OP_CAT, &join, parts[0], parts[1], a);
}

/* Without an axis the tensor is rolled as if it were flat. */
static dv_status roll_flat(dv_aten_at *at, dv_tensor_id a, int64_t shift, const dv_shape *shape)
{
    dv_op_params flat = {.view = {.shape = {1, {-1}}}}, back = {.view = {.shape = *shape}};
    size_t elements;
    if (!dv_shape_elements(shape, &elements) || elements > INT32_MAX)
        return dv_fail(DV_BAD_INPUT, "it rolls too many elements");
    DV_TRY(dv_aten_emit(at, DV_OP_VIEW, &flat, a, DV_NONE, &a));
    DV_TRY(roll_axis(at, 0, shift, (int64_t)elements, &a, false));
    back.view.allow_zero = true;
    return dv_aten_finish(at, DV_OP_VIEW, &back, a, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_roll(dv_aten_at *at)
{
    dv_tensor_id a;
    int64_t shifts[DV_MAX_RANK], axes[DV_MAX_RANK];
    size_t count, axis_count;
    dv_shape x;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_ints(at, 1, shifts, DV_MAX_RANK, &count));
    DV_TRY(dv_aten_ints(at, 2, axes, DV_MAX_RANK, &axis_count));
    DV_TRY(dv_aten_known_shape(at, a, &x));
    if (at->reason)
        return DV_OK;
    if (count == 1 && axis_count == 0)
        return roll_flat(at, a, shifts[0], &x);
    if (count == 0 || count != axis_count)
        return dv_fail(DV_BAD_INPUT, "it has %zu shifts for %zu axes", count, axis_count);
    for (size_t i = 0; i < count; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + x.rank : axes[i];
        if (axis < 0 || axis >= x.rank)
            return dv_fail(DV_BAD_INPUT, "axis %lld is out of range", (long long)axes[i]);
        DV_TRY(roll_axis(at, axis, shifts[i], x.dim[axis], &a, i + 1 == count));
    }
    return DV_OK;
}
