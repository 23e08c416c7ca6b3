/* aten_matrix.c - matrices that are made, cut and joined by place: eye, diagonals, triangles,
   elements by stride, and tensors of few dims side by side. */
#include <math.h>
#include <string.h>

#include "load/aten_build.h"

enum { MOST = 1 << 22 }; /* of a table of places */

/* ---- made ---- */

static dv_status counted(dv_aten_at *at, int64_t count, dv_tensor_id *id)
{
    dv_tensor_id ends[3];
    for (int i = 0; i < 3; i++)
        DV_TRY(dv_aten_scalar(at, DV_DTYPE_I64, i == 0 ? 0 : i == 1 ? (double)count : 1, &ends[i]));
    return dv_aten_emit_all(at, DV_OP_ARANGE, NULL, ends, 3, id);
}

/* (n[, m]): ones where row and column are the same. */
dv_status dv_aten_read_eye(dv_aten_at *at)
{
    dv_op_params open = {.axes = {.count = 1, .axes = {-1}}}, cast = {0};
    dv_tensor_id rows, columns;
    int64_t n, m;
    bool wide = at->kind == DV_OP_FULL; /* the row with m */
    DV_TRY(dv_aten_int(at, 0, &n));
    m = n;
    if (wide)
        DV_TRY(dv_aten_int(at, 1, &m));
    if (n < 1 || m < 1 || n > MOST / m)
        return dv_aten_opaque(at, "a matrix of %lld x %lld", (long long)n, (long long)m);
    cast.cast.dtype = dv_aten_made_dtype(at, DV_DTYPE_F32);
    DV_TRY(counted(at, n, &rows));
    DV_TRY(counted(at, m, &columns));
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, rows, DV_NONE, &rows));
    DV_TRY(dv_aten_emit(at, DV_OP_EQ, NULL, rows, columns, &rows));
    return dv_aten_finish(at, DV_OP_CAST, &cast, rows, DV_NONE, DV_NONE);
}

/* (row, col, offset): the places of a triangle's elements, row by row. */
dv_status dv_aten_read_triangle(dv_aten_at *at)
{
    bool upper = strstr(at->call->source_type, "triu") != NULL;
    int64_t rows, columns, offset, *places, count = 0;
    dv_tensor_id list;
    DV_TRY(dv_aten_int(at, 0, &rows));
    DV_TRY(dv_aten_int(at, 1, &columns));
    DV_TRY(dv_aten_int(at, 2, &offset));
    if (rows < 1 || columns < 1 || rows > MOST / columns || offset > MOST || offset < -MOST)
        return dv_aten_opaque(at, "a matrix of %lld x %lld", (long long)rows, (long long)columns);
    places =
        dv_arena_array(dv_graph_arena(at->graph), (size_t)(2 * rows * columns), sizeof *places);
    if (!places)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            if (upper ? c - r >= offset : c - r <= offset) {
                places[count] = r;
                places[rows * columns + count++] = c;
            }
    memmove(places + count, places + rows * columns, (size_t)count * sizeof *places);
    dv_op_params two = {.view = {.shape = {2, {2, count}}, .allow_zero = true}};
    DV_TRY(dv_aten_list(at, places, (size_t)(2 * count), &list));
    return dv_aten_finish(at, DV_OP_VIEW, &two, list, DV_NONE, DV_NONE);
}

/* ---- by place ---- */

/* x's elements, counted through all of it, at the places that `made` asks for. */
static dv_status take(dv_aten_at *at, dv_tensor_id x, const int64_t *places, const dv_shape *made,
                      size_t count)
{
    dv_op_params flat = {.view = {.shape = {1, {-1}}}}, along = {.axis = {.axis = 0}};
    dv_op_params back = {.view = {.shape = *made, .allow_zero = true}};
    dv_tensor_id list;
    DV_TRY(dv_aten_list(at, places, count, &list));
    DV_TRY(dv_aten_emit(at, DV_OP_VIEW, &flat, x, DV_NONE, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_INDEX_SELECT, &along, x, list, &x));
    return dv_aten_finish(at, DV_OP_VIEW, &back, x, DV_NONE, DV_NONE);
}

/* Elements that lie apart by any strides, in memory that is `have` elements long. */
dv_status dv_aten_take_strided(dv_aten_at *at, dv_tensor_id x, const dv_shape *made,
                               const int64_t *strides, int64_t offset)
{
    size_t count, have;
    int64_t index[DV_MAX_RANK] = {0}, at_element = offset, last = offset;
    if (!dv_shape_elements(made, &count) || !dv_shape_elements(dv_aten_shape_of(at, x), &have) ||
        count == 0 || count > MOST || have > INT32_MAX || offset < 0 || offset > INT32_MAX)
        return dv_aten_opaque(at, "so many elements by stride are not supported");
    for (uint8_t d = 0; d < made->rank; d++) {
        if (strides[d] < 0 || strides[d] > INT32_MAX)
            return dv_aten_opaque(at, "elements against the order of memory are not supported");
        last += strides[d] * (made->dim[d] - 1);
    }
    if (last >= (int64_t)have)
        return dv_fail(DV_BAD_INPUT, "it reaches beyond its input's %zu elements", have);
    int64_t *places = dv_arena_array(dv_graph_arena(at->graph), count, sizeof *places);
    if (!places)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++) {
        places[i] = at_element;
        for (uint8_t d = made->rank; d-- > 0;) {
            at_element += strides[d];
            if (++index[d] < made->dim[d])
                break;
            at_element -= strides[d] * made->dim[d];
            index[d] = 0;
        }
    }
    return take(at, x, places, made, count);
}

/* (self, offset, dim1, dim2): the last dim on a diagonal of two new ones, zeros around it. */
dv_status dv_aten_read_diag_embed(dv_aten_at *at)
{
    dv_op_params open = {.axes = {.count = 1, .axes = {-1}}};
    dv_tensor_id x, row, column, zero;
    int64_t offset, first, second;
    dv_shape shape;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_int(at, 1, &offset));
    DV_TRY(dv_aten_int(at, 2, &first));
    DV_TRY(dv_aten_int(at, 3, &second));
    DV_TRY(dv_aten_known_shape(at, x, &shape));
    if (at->reason)
        return DV_OK;
    first += first < 0 ? shape.rank + 1 : 0;
    second += second < 0 ? shape.rank + 1 : 0;
    if (shape.rank < 1 || offset != 0 || first != shape.rank - 1 || second != shape.rank)
        return dv_aten_opaque(at, "only the main diagonal of the last two dims is supported");
    int64_t size = shape.dim[shape.rank - 1];
    DV_TRY(counted(at, size, &column));
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, column, DV_NONE, &row));
    DV_TRY(dv_aten_emit(at, DV_OP_EQ, NULL, row, column, &row));
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, x, DV_NONE, &x));
    DV_TRY(dv_aten_scalar(at, dv_aten_made_dtype(at, DV_DTYPE_F32), 0, &zero));
    return dv_aten_finish(at, DV_OP_WHERE, NULL, row, x, zero);
}

/* A vector to the diagonal of a matrix, a matrix to its diagonal. */
dv_status dv_aten_read_diag(dv_aten_at *at)
{
    dv_tensor_id x;
    DV_TRY(dv_aten_input(at, 0, &x));
    at->args[2] =
        (dv_aten_value){.type = DV_ATEN_INT, .integer = dv_aten_rank_of(at, x) == 1 ? -2 : 0};
    at->args[3] =
        (dv_aten_value){.type = DV_ATEN_INT, .integer = dv_aten_rank_of(at, x) == 1 ? -1 : 1};
    return dv_aten_rank_of(at, x) == 1 ? dv_aten_read_diag_embed(at) : dv_aten_read_diagonal(at);
}

/* ---- side by side ---- */

/* Dims in front (or, of three, behind) until there are as many as the name says. */
dv_status dv_aten_read_at_least(dv_aten_at *at)
{
    const char *digit = strpbrk(dv_aten_name(at->call->rule), "123");
    uint8_t least = digit ? (uint8_t)(*digit - '0') : 1;
    dv_op_params params = {.view = {.allow_zero = true}};
    dv_shape x;
    dv_tensor_id id;
    if (at->args[0].type != DV_ATEN_TENSOR)
        return dv_aten_opaque(at, "of a list it is not supported");
    DV_TRY(dv_aten_input(at, 0, &id));
    DV_TRY(dv_aten_known_shape(at, id, &x));
    if (at->reason)
        return DV_OK;
    dv_shape *y = &params.view.shape;
    *y = x;
    if (x.rank < least)
        *y = (dv_shape){least, {1, 1, 1}};
    if (x.rank < least && x.rank == 1)
        y->dim[1] = x.dim[0];
    if (x.rank < least && x.rank == 2)
        memcpy(y->dim, x.dim, 2 * sizeof *x.dim);
    return dv_aten_finish(at, DV_OP_VIEW, &params, id, DV_NONE, DV_NONE);
}

/* Lists as columns beside each other. */
dv_status dv_aten_read_column_stack(dv_aten_at *at)
{
    const dv_aten_value *list = &at->args[0];
    dv_op_params open = {.axes = {.count = 1, .axes = {-1}}}, join = {.axis = {.axis = 1}};
    if (list->type != DV_ATEN_TENSORS || list->count == 0)
        return dv_fail(DV_BAD_INPUT, "argument 'tensors' is not a list of tensors");
    dv_tensor_id *ids = dv_arena_array(dv_graph_arena(at->graph), list->count, sizeof *ids);
    if (!ids)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < list->count; i++) {
        ids[i] = list->tensors[i];
        if (ids[i] == DV_NONE || dv_aten_rank_of(at, ids[i]) == DV_RANK_UNKNOWN ||
            dv_aten_rank_of(at, ids[i]) < 1)
            return dv_aten_opaque(at, "the shape of an input is not known, or empty");
        if (dv_aten_rank_of(at, ids[i]) == 1)
            DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, ids[i], DV_NONE, &ids[i]));
    }
    return dv_aten_finish_all(at, DV_OP_CAT, &join, ids, list->count);
}

/* All of a list in one shape. */
dv_status dv_aten_read_broadcast_tensors(dv_aten_at *at)
{
    const dv_aten_value *list = &at->args[0];
    dv_op_params wide = {0};
    if (list->type != DV_ATEN_TENSORS || list->count != at->call->output_count)
        return dv_fail(DV_BAD_INPUT, "argument 'tensors' is not a list of tensors");
    for (uint32_t i = 0; i < list->count; i++) {
        const dv_shape *own =
            list->tensors[i] == DV_NONE ? NULL : dv_aten_shape_of(at, list->tensors[i]);
        dv_shape both;
        if (!own || !dv_shape_known(own) || !dv_shape_broadcast(&wide.view.shape, own, &both))
            return dv_aten_opaque(at, "the shapes of its inputs are not known");
        wide.view.shape = both;
    }
    for (uint32_t i = 0; i < list->count; i++)
        DV_TRY(dv_aten_finish_one(at, i, DV_OP_EXPAND, &wide, list->tensors[i], DV_NONE));
    return DV_OK;
}

/* ---- products ---- */

/* (self, other, dim): the vector product along a dim of three. */
dv_status dv_aten_read_cross(dv_aten_at *at)
{
    dv_op_params open = {0}, join = {0}, one = {0};
    dv_tensor_id a, b, parts[3];
    int64_t axis;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_input(at, 1, &b));
    if (!dv_aten_given(at, 2))
        return dv_aten_opaque(at, "without a dim it is not supported");
    DV_TRY(dv_aten_axis(at, 2, a, &axis));
    open.axes.count = 1;
    open.axes.axes[0] = join.axis.axis = one.select.axis = axis;
    if (dv_aten_rank_of(at, a) != dv_aten_rank_of(at, b))
        return dv_aten_opaque(at, "operands of different ranks are not supported");
    for (int i = 0; i < 3; i++) {
        dv_tensor_id ends[4];
        for (int k = 0; k < 4; k++) {
            one.select.index = (i + 1 + (k == 1 || k == 2)) % 3;
            DV_TRY(dv_aten_emit(at, DV_OP_SELECT, &one, k % 2 ? b : a, DV_NONE, &ends[k]));
        }
        DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, ends[0], ends[1], &ends[0]));
        DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, ends[2], ends[3], &ends[2]));
        DV_TRY(dv_aten_emit(at, DV_OP_SUB, NULL, ends[0], ends[2], &parts[i]));
        DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, parts[i], DV_NONE, &parts[i]));
    }
    return dv_aten_finish_all(at, DV_OP_CAT, &join, parts, 3);
}

/* x1 W x2^T for every one of W's matrices: (input1, input2, weight, bias). */
dv_status dv_aten_read_bilinear(dv_aten_at *at)
{
    dv_op_params over = {.reduce = {.count = 1, .axes = {-1}}};
    dv_op_params turn = {.permute = {.rank = 2, .perm = {1, 0}}};
    dv_tensor_id a, b, weight, bias;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_input(at, 1, &b));
    DV_TRY(dv_aten_input(at, 2, &weight));
    DV_TRY(dv_aten_option(at, 3, &bias));
    if (dv_aten_rank_of(at, a) != 2 || dv_aten_rank_of(at, b) != 2 ||
        dv_aten_rank_of(at, weight) != 3)
        return dv_aten_opaque(at, "only lists of vectors are supported");
    DV_TRY(dv_aten_emit(at, DV_OP_MATMUL, NULL, a, weight, &a)); /* [outputs, rows, in2] */
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, a, b, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_SUM, &over, a, DV_NONE, &a));
    if (bias == DV_NONE)
        return dv_aten_finish(at, DV_OP_PERMUTE, &turn, a, DV_NONE, DV_NONE);
    DV_TRY(dv_aten_emit(at, DV_OP_PERMUTE, &turn, a, DV_NONE, &a));
    return dv_aten_finish(at, DV_OP_ADD, NULL, a, bias, DV_NONE);
}

/* (i1, i2, i3, expand1, expand2, expand3, sumdim): the product of three, each with dims of one
   where its list says, summed over some. */
dv_status dv_aten_read_trilinear(dv_aten_at *at)
{
    dv_op_params over = {0};
    dv_tensor_id ids[3];
    size_t count;
    for (uint32_t i = 0; i < 3; i++) {
        dv_op_params open = {0};
        DV_TRY(dv_aten_input(at, i, &ids[i]));
        DV_TRY(dv_aten_ints(at, 3 + i, open.axes.axes, DV_MAX_RANK, &count));
        open.axes.count = (uint8_t)count;
        if (count > 0)
            DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, ids[i], DV_NONE, &ids[i]));
    }
    DV_TRY(dv_aten_ints(at, 6, over.reduce.axes, DV_MAX_RANK, &count));
    over.reduce.count = (uint8_t)count;
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, ids[0], ids[1], &ids[0]));
    if (count == 0)
        return dv_aten_finish(at, DV_OP_MUL, NULL, ids[0], ids[2], DV_NONE);
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, ids[0], ids[2], &ids[0]));
    return dv_aten_finish(at, DV_OP_SUM, &over, ids[0], DV_NONE, DV_NONE);
}

/* A product of several matrices, one after another. */
dv_status dv_aten_read_multi_dot(dv_aten_at *at)
{
    const dv_aten_value *list = &at->args[0];
    bool ok = list->type == DV_ATEN_TENSORS && list->count > 1;
    for (uint32_t i = 0; ok && i < list->count; i++)
        ok = list->tensors[i] != DV_NONE && dv_aten_rank_of(at, list->tensors[i]) == 2;
    if (!ok)
        return dv_aten_opaque(at, "only lists of matrices are supported");
    dv_tensor_id id = list->tensors[0];
    for (uint32_t i = 1; i + 1 < list->count; i++)
        DV_TRY(dv_aten_emit(at, DV_OP_MATMUL, NULL, id, list->tensors[i], &id));
    return dv_aten_finish(at, DV_OP_MATMUL, NULL, id, list->tensors[list->count - 1], DV_NONE);
}
