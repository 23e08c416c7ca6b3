/* aten_window.c - reads at places that the call alone decides: diagonals, windows, buckets. */
#include <string.h>

#include "load/aten_build.h"

/* An index tensor of that shape (a list if columns is 0), whose element (i, j) is
   first + i * row + j * column. */
static dv_status places(dv_aten_at *at, int64_t rows, int64_t columns, int64_t first, int64_t row,
                        int64_t column, dv_tensor_id *id)
{
    size_t count, bytes;
    enum { MOST = 1 << 20 };
    bool list = columns == 0;
    columns = list ? 1 : columns;
    if (rows < 1 || columns < 1 || !dv_mul_size((size_t)rows, (size_t)columns, &count) ||
        count > MOST || !dv_mul_size(count, sizeof(int64_t), &bytes) || !dv_aten_affords(at, bytes))
        return dv_fail(DV_BAD_INPUT, "it reads %lld times %lld places, which is none or too many",
                       (long long)rows, (long long)columns);
    dv_buffer *buffer = dv_buffer_create(bytes);
    if (!buffer)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    int64_t *place = (int64_t *)dv_buffer_writable(buffer);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            *place++ = first + i * row + j * column;
    dv_tensor tensor = {.name = "places",
                        .dtype = DV_DTYPE_I64,
                        .shape = {2, {rows, columns}},
                        .role = DV_ROLE_CONSTANT,
                        .data = {.storage = DV_STORAGE_BUFFER, .buffer = buffer}};
    if (list)
        tensor.shape = (dv_shape){1, {rows}};
    dv_status status = dv_graph_add_tensor(at->graph, &tensor, id);
    dv_buffer_release(buffer);
    return status;
}

/* The dims a and b come last, as one; the elements on a diagonal of theirs are every (n + 1)-th. */
dv_status dv_aten_read_diagonal(dv_aten_at *at)
{
    dv_op_params last = {0}, flat = {0}, read = {0};
    dv_tensor_id x, index;
    int64_t offset, a, b;
    dv_shape shape;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_known_shape(at, x, &shape));
    if (at->reason)
        return DV_OK;
    DV_TRY(dv_aten_int(at, 1, &offset));
    DV_TRY(dv_aten_axis(at, 2, x, &a));
    DV_TRY(dv_aten_axis(at, 3, x, &b));
    if (shape.rank < 2 || a == b)
        return dv_fail(DV_BAD_INPUT, "a diagonal of one dimension");
    int64_t rows = shape.dim[a], columns = shape.dim[b];
    int64_t down = offset < 0 ? -offset : 0, right = offset > 0 ? offset : 0;
    if (down >= rows || right >= columns)
        return dv_aten_opaque(at, "its diagonal has no elements");
    int64_t length = rows - down < columns - right ? rows - down : columns - right;
    for (uint8_t d = 0; d < shape.rank; d++)
        if (d != a && d != b) {
            flat.view.shape.dim[last.permute.rank] = shape.dim[d];
            last.permute.perm[last.permute.rank++] = d;
        }
    flat.view.shape.rank = (uint8_t)(last.permute.rank + 1);
    flat.view.shape.dim[last.permute.rank] = rows * columns;
    read.axis.axis = last.permute.rank;
    last.permute.perm[last.permute.rank++] = (uint8_t)a;
    last.permute.perm[last.permute.rank++] = (uint8_t)b;
    DV_TRY(places(at, length, 0, down * columns + right, columns + 1, 0, &index));
    DV_TRY(dv_aten_emit(at, DV_OP_PERMUTE, &last, x, DV_NONE, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_VIEW, &flat, x, DV_NONE, &x));
    return dv_aten_finish(at, DV_OP_INDEX_SELECT, &read, x, index, DV_NONE);
}

/* Windows along a dim: their number stays there, their size becomes a new last dim. */
dv_status dv_aten_read_unfold(dv_aten_at *at)
{
    dv_op_params read = {0}, order = {0};
    dv_tensor_id x, index;
    int64_t axis, size, step;
    dv_shape shape;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_known_shape(at, x, &shape));
    if (at->reason)
        return DV_OK;
    DV_TRY(dv_aten_axis(at, 1, x, &axis));
    DV_TRY(dv_aten_int(at, 2, &size));
    DV_TRY(dv_aten_int(at, 3, &step));
    if (shape.rank == 0 || shape.rank >= DV_MAX_RANK || size < 1 || step < 1 ||
        size > shape.dim[axis])
        return dv_aten_opaque(at, "windows of %lld, %lld apart, are not supported", (long long)size,
                              (long long)step);
    DV_TRY(places(at, (shape.dim[axis] - size) / step + 1, size, 0, step, 1, &index));
    read.axis.axis = axis;
    DV_TRY(dv_aten_emit(at, DV_OP_INDEX_SELECT, &read, x, index, &x));
    order.permute.rank = (uint8_t)(shape.rank + 1);
    for (uint8_t d = 0; d <= shape.rank; d++)
        order.permute.perm[d] = d <= axis ? d : d < shape.rank ? (uint8_t)(d + 1) : 0;
    order.permute.perm[shape.rank] = (uint8_t)(axis + 1);
    return dv_aten_finish(at, DV_OP_PERMUTE, &order, x, DV_NONE, DV_NONE);
}

/* Windows of an image as columns: [N, C * window, places]. */
dv_status dv_aten_read_im2col(dv_aten_at *at)
{
    dv_op_params pad = {.pad = {.rank = 4}}, read = {0};
    dv_op_params order = {.permute = {.rank = 6, .perm = {0, 1, 2, 4, 3, 5}}}, flat = {0};
    int64_t kernel[2], dilation[2], padding[2], stride[2], count[2];
    dv_tensor_id x, index;
    dv_shape shape;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_known_shape(at, x, &shape));
    if (at->reason)
        return DV_OK;
    DV_TRY(dv_aten_spatial(at, 1, 2, 1, kernel));
    DV_TRY(dv_aten_spatial(at, 2, 2, 1, dilation));
    DV_TRY(dv_aten_spatial(at, 3, 2, 0, padding));
    DV_TRY(dv_aten_spatial(at, 4, 2, 1, stride));
    if (shape.rank != 4)
        return dv_aten_opaque(at, "an image without a batch is not supported");
    for (uint8_t d = 0; d < 2; d++) {
        int64_t most = INT32_MAX;
        if (kernel[d] < 1 || kernel[d] > most || dilation[d] < 1 || dilation[d] > most ||
            stride[d] < 1 || padding[d] < 0 || padding[d] > most || shape.dim[2 + d] > most)
            return dv_aten_opaque(at, "such a window is not supported");
        pad.pad.begin[2 + d] = pad.pad.end[2 + d] = padding[d];
        int64_t reach = shape.dim[2 + d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1;
        count[d] = reach < 0 ? 0 : reach / stride[d] + 1;
        if (count[d] < 1)
            return dv_fail(DV_BAD_INPUT, "its windows do not fit into the image");
    }
    DV_TRY(dv_aten_emit(at, DV_OP_PAD, &pad, x, DV_NONE, &x));
    for (uint8_t d = 0; d < 2; d++) {
        DV_TRY(places(at, kernel[d], count[d], 0, dilation[d], stride[d], &index));
        read.axis.axis = 2 + 2 * d;
        DV_TRY(dv_aten_emit(at, DV_OP_INDEX_SELECT, &read, x, index, &x));
    }
    DV_TRY(dv_aten_emit(at, DV_OP_PERMUTE, &order, x, DV_NONE, &x));
    flat.view.shape = dv_shape_make(
        (int64_t[]){shape.dim[0], shape.dim[1] * kernel[0] * kernel[1], count[0] * count[1]}, 3);
    return dv_aten_finish(at, DV_OP_VIEW, &flat, x, DV_NONE, DV_NONE);
}

/* Elements by their place in the flattened tensor. */
dv_status dv_aten_read_take(dv_aten_at *at)
{
    dv_op_params flat = {.view = {.shape = {1, {-1}}}}, read = {0};
    dv_tensor_id x, index;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_input(at, 1, &index));
    DV_TRY(dv_aten_emit(at, DV_OP_VIEW, &flat, x, DV_NONE, &x));
    return dv_aten_finish(at, DV_OP_INDEX_SELECT, &read, x, index, DV_NONE);
}

/* 1 where a new last dim counts to the number, else 0. */
dv_status dv_aten_read_one_hot(dv_aten_at *at)
{
    dv_op_params open = {.axes = {.count = 1, .axes = {-1}}}, cast = {0};
    dv_tensor_id x, classes;
    int64_t count;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_int(at, 1, &count));
    if (count < 2)
        return dv_aten_opaque(at, "the number of its classes is not given");
    DV_TRY(places(at, count, 0, 0, 1, 0, &classes));
    DV_TRY(dv_aten_cast(at, DV_DTYPE_I64, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, x, DV_NONE, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_EQ, NULL, x, classes, &x));
    cast.cast.dtype = dv_aten_made_dtype(at, DV_DTYPE_I64);
    return dv_aten_finish(at, DV_OP_CAST, &cast, x, DV_NONE, DV_NONE);
}

/* How many boundaries of a sorted list lie below each number (or at it, from the right). */
static dv_status count_below(dv_aten_at *at, dv_tensor_id x, dv_tensor_id list, bool right)
{
    dv_op_params open = {.axes = {.count = 1, .axes = {-1}}};
    dv_op_params cast = {.cast = {.dtype = dv_aten_made_dtype(at, DV_DTYPE_I64)}};
    dv_op_params over = {.reduce = {.count = 1, .axes = {-1}}};
    if (dv_aten_rank_of(at, list) != 1)
        return dv_aten_opaque(at, "its boundaries are not one list");
    DV_TRY(dv_aten_cast(at, dv_aten_dtype_of(at, x), &list));
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, x, DV_NONE, &x));
    DV_TRY(dv_aten_emit(at, right ? DV_OP_GE : DV_OP_GT, NULL, x, list, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_CAST, &cast, x, DV_NONE, &x));
    return dv_aten_finish(at, DV_OP_SUM, &over, x, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_bucketize(dv_aten_at *at)
{
    dv_tensor_id x, list;
    bool right;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_input(at, 1, &list));
    DV_TRY(dv_aten_flag(at, 3, &right));
    return count_below(at, x, list, right);
}

dv_status dv_aten_read_searchsorted(dv_aten_at *at)
{
    dv_tensor_id x, list;
    bool right;
    DV_TRY(dv_aten_input(at, 0, &list));
    DV_TRY(dv_aten_input(at, 1, &x));
    DV_TRY(dv_aten_flag(at, 3, &right));
    if (at->args[4].type == DV_ATEN_TEXT && at->args[4].text)
        right = strcmp(at->args[4].text, "right") == 0;
    return count_below(at, x, list, right);
}

/* ---- grids ---- */

/* Interpolation 0 bilinear, 1 nearest, 2 bicubic; padding 0 zeros, 1 border, 2 reflection. */
dv_status dv_aten_read_grid_sampler(dv_aten_at *at)
{
    static const dv_sample_mode modes[] = {DV_SAMPLE_LINEAR, DV_SAMPLE_NEAREST, DV_SAMPLE_CUBIC};
    static const dv_border borders[] = {DV_BORDER_ZEROS, DV_BORDER_EDGE, DV_BORDER_REFLECT};
    dv_op_params params = {0};
    dv_tensor_id x, grid;
    int64_t mode, border;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_input(at, 1, &grid));
    DV_TRY(dv_aten_int(at, 2, &mode));
    DV_TRY(dv_aten_int(at, 3, &border));
    DV_TRY(dv_aten_flag(at, 4, &params.grid.align_corners));
    if (mode < 0 || mode > 2 || border < 0 || border > 2)
        return dv_aten_opaque(at, "its mode is not known");
    params.grid.mode = modes[mode];
    params.grid.border = borders[border];
    return dv_aten_finish(at, DV_OP_GRID_SAMPLE, &params, x, grid, DV_NONE);
}

dv_status dv_aten_read_affine_grid(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id theta;
    size_t count;
    DV_TRY(dv_aten_input(at, 0, &theta));
    DV_TRY(dv_aten_ints(at, 1, params.grid.shape.dim, DV_MAX_RANK, &count));
    DV_TRY(dv_aten_flag(at, 2, &params.grid.align_corners));
    params.grid.shape.rank = (uint8_t)count;
    return dv_aten_finish(at, DV_OP_AFFINE_GRID, &params, theta, DV_NONE, DV_NONE);
}
