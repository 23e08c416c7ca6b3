/* tflite_ops_index.c - operators that read and write by index. Axes count in NHWC. */
#include <math.h>
#include <string.h>

#include "load/tflite_build.h"

static dv_status cast_to(dv_tfl_at *at, dv_dtype dtype, dv_tensor_id *id)
{
    dv_op_params cast = {.cast = {.dtype = dtype}};
    return dv_tfl_emit1(at, DV_OP_CAST, &cast, *id, id);
}

static dv_status unsqueeze(dv_tfl_at *at, int64_t axis, dv_tensor_id *id)
{
    dv_op_params params = {.axes = {.count = 1, .axes = {axis}}};
    return dv_tfl_emit1(at, DV_OP_UNSQUEEZE, &params, *id, id);
}

/* 0, 1, 2, ... count - 1 */
static dv_status counting(dv_tfl_at *at, int64_t count, dv_tensor_id *id)
{
    dv_tensor_id ids[3];
    DV_TRY(dv_tfl_scalar(at, DV_DTYPE_I64, 0, &ids[0]));
    DV_TRY(dv_tfl_scalar(at, DV_DTYPE_I64, (double)count, &ids[1]));
    DV_TRY(dv_tfl_scalar(at, DV_DTYPE_I64, 1, &ids[2]));
    return dv_tfl_emit(at, DV_OP_ARANGE, NULL, ids, 3, id);
}

/* A tensor of that shape (a vector of the graph) with one value everywhere. */
static dv_status filled(dv_tfl_at *at, dv_dtype dtype, double value, dv_tensor_id shape,
                        dv_tensor_id *id)
{
    dv_op_params params = {
        .full = {.dtype = dtype, .value = value, .shape = {.rank = DV_RANK_UNKNOWN}}};
    return dv_tfl_emit1(at, DV_OP_FULL, &params, shape, id);
}

/* ---- reading ---- */

/* Batch dims are an index tuple's leading part, as in gather_nd, if the axis follows them. */
dv_status dv_tfl_op_gather(dv_tfl_at *at)
{
    dv_tensor_id ids[2];
    dv_tfl_tensor table, index;
    int64_t axis = dv_fb_i32(&at->options, 0, 0), batch = dv_fb_i32(&at->options, 1, 0);
    DV_TRY(dv_tfl_input(at, 0, &table));
    DV_TRY(dv_tfl_input(at, 1, &index));
    batch += batch < 0 ? index.shape.rank : 0;
    axis += axis < 0 ? table.shape.rank : 0;
    if (batch < 0 || (batch != 0 && axis != batch))
        return dv_tfl_opaque(at, "batch dimensions before another axis are not supported");
    DV_TRY(dv_tfl_plain_input(at, 0, &ids[0]));
    DV_TRY(dv_tfl_plain_input(at, 1, &ids[1]));
    dv_op_params params = {.axis = {.axis = axis}};
    if (batch != 0)
        DV_TRY(unsqueeze(at, -1, &ids[1]));
    DV_TRY(dv_tfl_emit(at, batch != 0 ? DV_OP_GATHER_ND : DV_OP_INDEX_SELECT, &params, ids, 2,
                       &ids[0]));
    return dv_tfl_result(at, 0, ids[0], false);
}

dv_status dv_tfl_op_gather_nd(dv_tfl_at *at)
{
    dv_tensor_id ids[2];
    dv_op_params params = {.axis = {.axis = 0}};
    DV_TRY(dv_tfl_plain_input(at, 0, &ids[0]));
    DV_TRY(dv_tfl_long_input(at, 1, &ids[1]));
    DV_TRY(dv_tfl_emit(at, DV_OP_GATHER_ND, &params, ids, 2, &ids[0]));
    return dv_tfl_result(at, 0, ids[0], false);
}

/* (indices, table): rows of the table. */
dv_status dv_tfl_op_embedding_lookup(dv_tfl_at *at)
{
    dv_tensor_id ids[2];
    dv_op_params params = {.axis = {.axis = 0}};
    DV_TRY(dv_tfl_plain_input(at, 1, &ids[0]));
    DV_TRY(dv_tfl_plain_input(at, 0, &ids[1]));
    DV_TRY(dv_tfl_emit(at, DV_OP_INDEX_SELECT, &params, ids, 2, &ids[0]));
    return dv_tfl_result(at, 0, ids[0], false);
}

dv_status dv_tfl_op_topk(dv_tfl_at *at)
{
    dv_tfl_tensor index;
    dv_tensor_id x, made[2];
    dv_op_id id;
    int64_t k;
    int count;
    DV_TRY(dv_tfl_ints(at, 1, 1, &k, &count));
    if (count != 1)
        return dv_tfl_opaque(at, "how many it looks for is computed, which is not supported");
    if (at->outputs.count != 2)
        return dv_fail(DV_BAD_INPUT, "it has %u outputs, not 2", at->outputs.count);
    DV_TRY(dv_tfl_output(at, 1, &index));
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    for (int i = 0; i < 2; i++)
        DV_TRY(dv_tfl_add_activation(at->b, at->part, &made[i]));
    dv_op op = at->like;
    op.kind = DV_OP_TOPK;
    op.params.topk = (dv_topk_params){.axis = -1, .k = k};
    op.inputs = &x;
    op.input_count = 1;
    op.outputs = made;
    op.output_count = 2;
    DV_TRY(dv_graph_add_op(at->b->graph, &op, &id));
    DV_TRY(dv_tfl_result(at, 0, made[0], false));
    if (dv_tfl_dtype(&index) != DV_DTYPE_I64)
        DV_TRY(cast_to(at, dv_tfl_dtype(&index), &made[1]));
    return dv_tfl_result(at, 1, made[1], false);
}

/* The coordinates of what is true, a row each; how many there are is only known for constants. */
dv_status dv_tfl_op_where(dv_tfl_at *at)
{
    dv_tensor_id x;
    dv_op_params turn = {.permute = {.rank = 2, .perm = {1, 0}}};
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(dv_tfl_emit1(at, DV_OP_NONZERO, NULL, x, &x));
    DV_TRY(dv_tfl_emit1(at, DV_OP_PERMUTE, &turn, x, &x));
    return dv_tfl_result(at, 0, x, false);
}

/* ---- comparing with indices ---- */

/* (indices, depth, on, off) */
dv_status dv_tfl_op_one_hot(dv_tfl_at *at)
{
    dv_tfl_tensor index;
    dv_tensor_id ids[3], numbers;
    int64_t depth, axis = dv_fb_i32(&at->options, 0, 0);
    int count;
    DV_TRY(dv_tfl_input(at, 0, &index));
    DV_TRY(dv_tfl_ints(at, 1, 1, &depth, &count));
    if (count != 1)
        return dv_tfl_opaque(at, "its depth is computed, which is not supported");
    int64_t rank = index.shape.rank;
    axis = axis == -1 ? rank : axis;
    if (axis < 0 || axis > rank || rank == DV_MAX_RANK || depth < 0)
        return dv_fail(DV_BAD_INPUT, "axis %lld of %lld dimensions", (long long)axis,
                       (long long)rank + 1);
    DV_TRY(dv_tfl_long_input(at, 0, &ids[0]));
    DV_TRY(unsqueeze(at, axis, &ids[0]));
    DV_TRY(counting(at, depth, &numbers));
    for (int64_t d = axis; d < rank; d++)
        DV_TRY(unsqueeze(at, -1, &numbers));
    DV_TRY(dv_tfl_emit2(at, DV_OP_EQ, NULL, ids[0], numbers, &ids[0]));
    DV_TRY(dv_tfl_plain_input(at, 2, &ids[1]));
    DV_TRY(dv_tfl_plain_input(at, 3, &ids[2]));
    DV_TRY(dv_tfl_emit(at, DV_OP_WHERE, NULL, ids, 3, &ids[0]));
    return dv_tfl_result(at, 0, ids[0], false);
}

/* Is the row the column? [rows, columns] */
static dv_status diagonal(dv_tfl_at *at, int64_t rows, int64_t columns, dv_tensor_id *id)
{
    dv_tensor_id row, column;
    DV_TRY(counting(at, rows, &row));
    DV_TRY(counting(at, columns, &column));
    DV_TRY(unsqueeze(at, 1, &row));
    return dv_tfl_emit2(at, DV_OP_EQ, NULL, row, column, id);
}

/* MATRIX_DIAG (numbers): them on the diagonal, 0 elsewhere; MATRIX_SET_DIAG (matrix, numbers). */
enum { MOST_ROWS = 1 << 16 }; /* more would not fit into any memory */

dv_status dv_tfl_op_diagonal(dv_tfl_at *at)
{
    bool sets = at->rule->least == 2;
    dv_tfl_tensor x, numbers;
    dv_tensor_id ids[3];
    DV_TRY(dv_tfl_input(at, 0, &x));
    DV_TRY(dv_tfl_input(at, sets, &numbers));
    uint8_t rank = numbers.shape.rank;
    if (rank < 1 || rank == DV_MAX_RANK || (sets && x.shape.rank != rank + 1) ||
        numbers.open & 1u << (rank - 1))
        return dv_tfl_opaque(at, "diagonals of %u dimensions or unknown length are not supported",
                             (unsigned)rank);
    int64_t length = numbers.shape.dim[rank - 1], rows = length, columns = length;
    if (sets) {
        rows = x.shape.dim[rank - 1];
        columns = x.shape.dim[rank];
        if (length != (rows < columns ? rows : columns) || rows != length)
            return dv_tfl_opaque(at, "matrices of more rows than columns are not supported");
    }
    if (rows > MOST_ROWS || columns > MOST_ROWS)
        return dv_tfl_opaque(at, "a matrix of %lld rows and %lld columns is not supported",
                             (long long)rows, (long long)columns);
    DV_TRY(diagonal(at, rows, columns, &ids[0]));
    DV_TRY(dv_tfl_plain_input(at, sets, &ids[1]));
    DV_TRY(unsqueeze(at, -1, &ids[1]));
    DV_TRY(sets ? dv_tfl_plain_input(at, 0, &ids[2])
                : dv_tfl_scalar(at, dv_tfl_dtype(&x), 0, &ids[2]));
    DV_TRY(dv_tfl_emit(at, DV_OP_WHERE, NULL, ids, 3, &ids[0]));
    return dv_tfl_result(at, 0, ids[0], false);
}

/* How many of the boundaries in its options each element has reached. */
dv_status dv_tfl_op_bucketize(dv_tfl_at *at)
{
    dv_fb_vector list = dv_fb_list(&at->options, 0, 4);
    dv_tensor_id x, bound, sum = DV_NONE;
    dv_tfl_tensor tensor;
    DV_TRY(dv_tfl_input(at, 0, &tensor));
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    if (dv_tfl_dtype(&tensor) != DV_DTYPE_F32)
        DV_TRY(cast_to(at, DV_DTYPE_F32, &x));
    if (list.count == 0 || list.count > 256)
        return dv_tfl_opaque(at, "%u boundaries are not supported", list.count);
    for (uint32_t i = 0; i < list.count; i++) {
        dv_tensor_id reached;
        DV_TRY(dv_tfl_scalar(at, DV_DTYPE_F32, (double)dv_fb_f32_at(&list, i), &bound));
        DV_TRY(dv_tfl_emit2(at, DV_OP_GE, NULL, x, bound, &reached));
        DV_TRY(cast_to(at, DV_DTYPE_I32, &reached));
        if (sum == DV_NONE)
            sum = reached;
        else
            DV_TRY(dv_tfl_emit2(at, DV_OP_ADD, NULL, sum, reached, &sum));
    }
    return dv_tfl_result(at, 0, sum, false);
}

/* ---- writing ---- */

static dv_status scatter(dv_tfl_at *at, dv_scatter_mode mode, dv_tensor_id data,
                         dv_tensor_id indices, dv_tensor_id updates)
{
    dv_op_params params = {.scatter = {.mode = mode}};
    const dv_tensor_id ids[] = {data, indices, updates};
    dv_tensor_id id;
    DV_TRY(dv_tfl_emit(at, DV_OP_SCATTER_ND, &params, ids, 3, &id));
    return dv_tfl_result(at, 0, id, false);
}

/* (indices, updates, shape): what has one index is summed. */
dv_status dv_tfl_op_scatter_nd(dv_tfl_at *at)
{
    dv_tfl_tensor updates;
    dv_tensor_id ids[3], data;
    DV_TRY(dv_tfl_input(at, 1, &updates));
    DV_TRY(dv_tfl_long_input(at, 0, &ids[0]));
    DV_TRY(dv_tfl_plain_input(at, 1, &ids[1]));
    DV_TRY(dv_tfl_long_input(at, 2, &ids[2]));
    DV_TRY(filled(at, dv_tfl_dtype(&updates), 0, ids[2], &data));
    return scatter(at, DV_SCATTER_ADD, data, ids[0], ids[1]);
}

/* (indices, shape, values, default): indices of rank 2, or of rank 1 into a vector. */
dv_status dv_tfl_op_sparse_to_dense(dv_tfl_at *at)
{
    dv_tfl_tensor index, values;
    dv_tensor_id ids[3], data;
    double rest;
    bool known;
    DV_TRY(dv_tfl_input(at, 0, &index));
    DV_TRY(dv_tfl_input(at, 2, &values));
    DV_TRY(dv_tfl_number(at, 3, &rest, &known));
    if (!known || index.shape.rank < 1 || index.shape.rank > 2 || values.shape.rank != 1)
        return dv_tfl_opaque(at, "its default is computed, or its indices are no list");
    DV_TRY(dv_tfl_long_input(at, 0, &ids[0]));
    if (index.shape.rank == 1)
        DV_TRY(unsqueeze(at, -1, &ids[0]));
    DV_TRY(dv_tfl_long_input(at, 1, &ids[1]));
    DV_TRY(dv_tfl_plain_input(at, 2, &ids[2]));
    DV_TRY(filled(at, dv_tfl_dtype(&values), rest, ids[1], &data));
    return scatter(at, DV_SCATTER_SET, data, ids[0], ids[2]);
}

/* The shape of segments: how many, then the dims of data behind the ids'. */
static dv_status segment_shape(dv_tfl_at *at, int64_t segments, uint8_t id_rank, dv_tensor_id *id)
{
    dv_tensor_id data, ids[2];
    dv_op_params rest = {
        .slice = {.count = 1, .begin = {id_rank}, .end = {INT64_MAX}, .step = {1}}};
    dv_op_params cat = {.axis = {.axis = 0}};
    DV_TRY(dv_tfl_plain_input(at, 0, &data));
    DV_TRY(dv_tfl_longs(at, &segments, 1, &ids[0]));
    DV_TRY(dv_tfl_emit1(at, DV_OP_SHAPE, &rest, data, &ids[1]));
    return dv_tfl_emit(at, DV_OP_CAT, &cat, ids, 2, id);
}

static dv_status segments(dv_tfl_at *at, dv_scatter_mode mode, double first, int64_t count)
{
    dv_tfl_tensor data, index;
    dv_tensor_id shape, ids[3];
    DV_TRY(dv_tfl_input(at, 0, &data));
    DV_TRY(dv_tfl_input(at, 1, &index));
    DV_TRY(segment_shape(at, count, index.shape.rank, &shape));
    DV_TRY(filled(at, dv_tfl_dtype(&data), first, shape, &ids[0]));
    DV_TRY(dv_tfl_long_input(at, 1, &ids[1]));
    DV_TRY(unsqueeze(at, -1, &ids[1]));
    DV_TRY(dv_tfl_plain_input(at, 0, &ids[2]));
    return scatter(at, mode, ids[0], ids[1], ids[2]);
}

/* (data, ids in ascending order): there are as many as the last says. */
dv_status dv_tfl_op_segment_sum(dv_tfl_at *at)
{
    dv_tfl_tensor index;
    size_t rows;
    int count;
    DV_TRY(dv_tfl_input(at, 1, &index));
    if (!dv_shape_elements(&index.shape, &rows) || rows == 0 || rows > 1 << 20)
        return dv_tfl_opaque(at, "no segments, or more than a million, are not supported");
    int64_t *ids = dv_arena_array(at->b->arena, rows, sizeof *ids);
    if (!ids)
        return dv_fail(DV_NO_MEMORY, "out of memory for %zu segment ids", rows);
    DV_TRY(dv_tfl_ints(at, 1, rows, ids, &count));
    if (count != (int)rows)
        return dv_tfl_opaque(at, "its segments are computed, so that their number is not known");
    if (ids[rows - 1] < 0 || ids[rows - 1] > INT32_MAX)
        return dv_fail(DV_BAD_INPUT, "segment %lld", (long long)ids[rows - 1]);
    return segments(at, DV_SCATTER_ADD, 0, ids[rows - 1] + 1);
}

static double least_of(dv_dtype dtype)
{
    return dv_dtype_is_float(dtype) ? -(double)3.402823466e+38f
                                    : -ldexp(1, (int)(8 * dv_dtype_bytes(dtype)) - 1);
}

static double most_of(dv_dtype dtype)
{
    return dv_dtype_is_float(dtype) ? (double)3.402823466e+38f
                                    : ldexp(1, (int)(8 * dv_dtype_bytes(dtype)) - 1) - 1;
}

/* (data, ids, how many) */
dv_status dv_tfl_op_unsorted_segment(dv_tfl_at *at)
{
    const char *what = at->type + strlen("UNSORTED_SEGMENT_");
    dv_tfl_tensor data;
    int64_t number;
    int count;
    DV_TRY(dv_tfl_input(at, 0, &data));
    DV_TRY(dv_tfl_ints(at, 2, 1, &number, &count));
    if (count != 1 || number < 0 || number > INT32_MAX)
        return dv_tfl_opaque(at, "the number of its segments is computed, which is not supported");
    dv_dtype dtype = dv_tfl_dtype(&data);
    if (strcmp(what, "SUM") == 0)
        return segments(at, DV_SCATTER_ADD, 0, number);
    if (strcmp(what, "PROD") == 0)
        return segments(at, DV_SCATTER_MUL, 1, number);
    if (strcmp(what, "MAX") == 0)
        return segments(at, DV_SCATTER_MAX, least_of(dtype), number);
    return segments(at, DV_SCATTER_MIN, most_of(dtype), number);
}

/* The one axis along which the update is shorter than what it is written into; -1 if there are
   more. *same if there is none. */
static int64_t differing_axis(const dv_tfl_tensor *data, const dv_tfl_tensor *update, bool *same)
{
    int64_t axis = -1;
    *same = true;
    for (uint8_t d = 0; d < data->shape.rank; d++)
        if (data->shape.dim[d] != update->shape.dim[d]) {
            axis = *same ? d : -1;
            *same = false;
        }
    return axis;
}

/* (data, update, where it begins): along one axis, each element of the update has an index. As in
   TFLite, what would stick out is moved inside. */
dv_status dv_tfl_op_update_slice(dv_tfl_at *at)
{
    dv_tfl_tensor data, update;
    dv_tensor_id ids[3], start, shape, bound;
    bool same;
    DV_TRY(dv_tfl_input(at, 0, &data));
    DV_TRY(dv_tfl_input(at, 1, &update));
    if (data.shape.rank != update.shape.rank || data.open || update.open)
        return dv_tfl_opaque(at, "an update of another rank or unknown size is not supported");
    int64_t axis = differing_axis(&data, &update, &same), rank = data.shape.rank;
    DV_TRY(dv_tfl_plain_input(at, 1, &ids[2]));
    if (same) {
        DV_TRY(dv_tfl_emit1(at, DV_OP_IDENTITY, NULL, ids[2], &ids[2]));
        return dv_tfl_result(at, 0, ids[2], false);
    }
    if (axis < 0 || data.shape.dim[axis] < update.shape.dim[axis])
        return dv_tfl_opaque(at, "updates that are shorter along several axes are not supported");
    dv_op_params one = {.select = {.index = axis}};
    dv_op_params expand = {.view = {.shape = {.rank = DV_RANK_UNKNOWN}}};
    DV_TRY(dv_tfl_long_input(at, 2, &start));
    DV_TRY(dv_tfl_emit1(at, DV_OP_SELECT, &one, start, &start));
    DV_TRY(dv_tfl_scalar(at, DV_DTYPE_I64, (double)(data.shape.dim[axis] - update.shape.dim[axis]),
                         &bound));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MINIMUM, NULL, start, bound, &start));
    DV_TRY(dv_tfl_scalar(at, DV_DTYPE_I64, 0, &bound));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MAXIMUM, NULL, start, bound, &start));
    DV_TRY(counting(at, update.shape.dim[axis], &ids[1]));
    DV_TRY(dv_tfl_emit2(at, DV_OP_ADD, NULL, ids[1], start, &ids[1]));
    for (int64_t d = axis + 1; d < rank; d++)
        DV_TRY(unsqueeze(at, -1, &ids[1]));
    DV_TRY(dv_tfl_longs(at, update.shape.dim, (size_t)rank, &shape));
    DV_TRY(dv_tfl_emit2(at, DV_OP_EXPAND, &expand, ids[1], shape, &ids[1]));
    DV_TRY(dv_tfl_plain_input(at, 0, &ids[0]));
    dv_op_params params = {.scatter = {.axis = axis}};
    DV_TRY(dv_tfl_emit(at, DV_OP_SCATTER, &params, ids, 3, &ids[0]));
    return dv_tfl_result(at, 0, ids[0], false);
}

/* ---- sequences ---- */

/* (x, how much of each sequence is reversed) */
dv_status dv_tfl_op_reverse_sequence(dv_tfl_at *at)
{
    dv_tensor_id ids[2];
    dv_op_params params = {
        .reverse = {.axis = dv_fb_i32(&at->options, 0, 0), .batch = dv_fb_i32(&at->options, 1, 0)}};
    DV_TRY(dv_tfl_plain_input(at, 0, &ids[0]));
    DV_TRY(dv_tfl_long_input(at, 1, &ids[1]));
    DV_TRY(dv_tfl_emit(at, DV_OP_REVERSE_SEQUENCE, &params, ids, 2, &ids[0]));
    return dv_tfl_result(at, 0, ids[0], false);
}

/* The shape that two shapes broadcast to: the larger size of each dim, if there are as many. */
dv_status dv_tfl_op_broadcast_args(dv_tfl_at *at)
{
    dv_tfl_tensor a, b;
    dv_tensor_id ids[2];
    DV_TRY(dv_tfl_input(at, 0, &a));
    DV_TRY(dv_tfl_input(at, 1, &b));
    if (a.shape.rank != 1 || b.shape.rank != 1 || a.shape.dim[0] != b.shape.dim[0])
        return dv_tfl_opaque(at, "shapes of different lengths are not supported");
    DV_TRY(dv_tfl_plain_input(at, 0, &ids[0]));
    DV_TRY(dv_tfl_plain_input(at, 1, &ids[1]));
    DV_TRY(dv_tfl_emit(at, DV_OP_MAXIMUM, NULL, ids, 2, &ids[0]));
    return dv_tfl_result(at, 0, ids[0], false);
}
