/* tflite_ops_mediapipe.c - MediaPipe's custom operators, of the second version, as the CPU kernels
   in mediapipe/util/tflite/operations compute them: faces are cut out and turned upright by a
   matrix that landmarks give, and landmarks on the piece are turned back; images are pooled with
   the place of the largest, and back. Tensors of landmarks are [1, count, 2 or 3], matrices [1, 4,
   4]. */
#include <math.h>
#include <stdlib.h>

#include "load/flexbuffer.h"
#include "load/tflite_build.h"

enum { MOST_LANDMARKS = 4096, MOST_PIXELS = 1 << 16 };

/* ---- small steps ---- */

static dv_status slice(dv_tfl_at *at, int64_t axis, int64_t begin, int64_t end, dv_tensor_id x,
                       dv_tensor_id *id)
{
    dv_op_params params = {
        .slice = {.count = 1, .axes = {axis}, .begin = {begin}, .end = {end}, .step = {1}}};
    return dv_tfl_emit1(at, DV_OP_SLICE, &params, x, id);
}

static dv_status concatenate(dv_tfl_at *at, int64_t axis, const dv_tensor_id *parts, uint32_t count,
                             dv_tensor_id *id)
{
    dv_op_params params = {.axis = {.axis = axis}};
    return dv_tfl_emit(at, DV_OP_CAT, &params, parts, count, id);
}

static dv_status reshape(dv_tfl_at *at, const int64_t *dims, size_t rank, dv_tensor_id *id)
{
    dv_tensor_id shape;
    DV_TRY(dv_tfl_longs(at, dims, rank, &shape));
    return dv_tfl_emit2(at, DV_OP_VIEW, NULL, *id, shape, id);
}

/* The last two of three dims change places. */
static dv_status flip(dv_tfl_at *at, dv_tensor_id x, dv_tensor_id *id)
{
    dv_op_params params = {.permute = {.rank = 3, .perm = {0, 2, 1}}};
    return dv_tfl_emit1(at, DV_OP_PERMUTE, &params, x, id);
}

/* x by a constant of one element or one that broadcasts. */
static dv_status by_constant(dv_tfl_at *at, dv_op_kind kind, const float *values,
                             const int64_t *dims, unsigned rank, dv_tensor_id *id)
{
    dv_tensor_id constant;
    DV_TRY(dv_tfl_floats(at, values, dims, rank, &constant));
    return dv_tfl_emit2(at, kind, NULL, *id, constant, id);
}

static dv_status extreme(dv_tfl_at *at, dv_op_kind kind, dv_tensor_id x, dv_tensor_id *id)
{
    dv_op_params params = {.reduce = {.count = 1, .axes = {1}, .keep_dims = true}};
    return dv_tfl_emit1(at, kind, &params, x, id);
}

static bool attribute(const dv_tfl_at *at, const char *name, double low, double high, double *out)
{
    dv_fb_vector options = dv_fb_list(&at->node, 5, 1);
    return dv_flex_number(dv_fb_bytes(&options), name, out) && *out >= low && *out <= high;
}

/* Columns 0, 1 and 3 of the first two rows of the matrix in input i, apart: [1, 2, 2], [1, 2, 1].
 */
static dv_status matrix_parts(dv_tfl_at *at, uint32_t i, dv_tensor_id *turn, dv_tensor_id *shift)
{
    dv_tensor_id rows;
    DV_TRY(dv_tfl_plain_input(at, i, &rows));
    DV_TRY(slice(at, 1, 0, 2, rows, &rows));
    DV_TRY(slice(at, 2, 0, 2, rows, turn));
    return slice(at, 2, 3, 4, rows, shift);
}

/* ---- landmarks ---- */

/* (landmarks, matrix): x and y of each through the matrix; a third number stays. */
dv_status dv_tfl_op_transform_landmarks(dv_tfl_at *at)
{
    dv_tfl_tensor marks;
    dv_tensor_id x, turn, shift, parts[2];
    DV_TRY(dv_tfl_input(at, 0, &marks));
    if (at->version != 2 || marks.shape.rank != 3 || marks.shape.dim[2] < 2 ||
        marks.shape.dim[2] > 3)
        return dv_tfl_opaque(at, "this is not its second version");
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(matrix_parts(at, 1, &turn, &shift));
    DV_TRY(flip(at, turn, &turn));
    DV_TRY(flip(at, shift, &shift));
    DV_TRY(slice(at, 2, 0, 2, x, &parts[0]));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MATMUL, NULL, parts[0], turn, &parts[0]));
    DV_TRY(dv_tfl_emit2(at, DV_OP_ADD, NULL, parts[0], shift, &parts[0]));
    if (marks.shape.dim[2] == 3) {
        DV_TRY(slice(at, 2, 2, 3, x, &parts[1]));
        DV_TRY(concatenate(at, 2, parts, 2, &parts[0]));
    }
    return dv_tfl_result(at, 0, parts[0], false);
}

/* x and y of some landmarks. */
static dv_status points(dv_tfl_at *at, dv_tensor_id marks, const int64_t *which, size_t count,
                        dv_tensor_id *id)
{
    dv_tensor_id ids[2] = {marks};
    dv_op_params axis = {.axis = {.axis = 1}};
    DV_TRY(dv_tfl_longs(at, which, count, &ids[1]));
    DV_TRY(dv_tfl_emit(at, DV_OP_INDEX_SELECT, &axis, ids, 2, id));
    return slice(at, 2, 0, 2, *id, id);
}

/* What turns rows (x, y) by `target` less the angle from one landmark to another: [1, 2, 2]. The
   angle itself is not needed, only the direction (d) that it has. */
static dv_status rotation(dv_tfl_at *at, dv_tensor_id marks, int64_t left, int64_t right,
                          double target, dv_tensor_id *id)
{
    dv_tensor_id ends[2], d, length;
    dv_op_params sum = {.reduce = {.count = 1, .axes = {2}, .keep_dims = true}};
    float c = (float)cos(target), s = (float)sin(target);
    DV_TRY(points(at, marks, &left, 1, &ends[0]));
    DV_TRY(points(at, marks, &right, 1, &ends[1]));
    DV_TRY(dv_tfl_emit2(at, DV_OP_SUB, NULL, ends[1], ends[0], &d));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MUL, NULL, d, d, &length));
    DV_TRY(dv_tfl_emit1(at, DV_OP_SUM, &sum, length, &length));
    DV_TRY(by_constant(at, DV_OP_MAXIMUM, (const float[]){1e-30f}, NULL, 0, &length));
    DV_TRY(dv_tfl_emit1(at, DV_OP_SQRT, NULL, length, &length));
    DV_TRY(dv_tfl_emit2(at, DV_OP_DIV, NULL, d, length, &d));
    const float turns[] = {c, s, -s, c, s, -c, c, s};
    DV_TRY(by_constant(at, DV_OP_MATMUL, turns, (const int64_t[]){1, 2, 4}, 3, &d));
    *id = d;
    return reshape(at, (const int64_t[]){1, 2, 2}, 3, id);
}

typedef struct crop {
    int64_t left, right, height, width;
    double target, scale_x, scale_y;
    int64_t marks[MOST_LANDMARKS];
    size_t count;
} crop;

static bool read_crop(const dv_tfl_at *at, crop *c)
{
    dv_fb_vector options = dv_fb_list(&at->node, 5, 1);
    double left, right, height, width;
    if (!attribute(at, "left_rotation_idx", 0, INT32_MAX, &left) ||
        !attribute(at, "right_rotation_idx", 0, INT32_MAX, &right) ||
        !attribute(at, "output_height", 1, INT32_MAX, &height) ||
        !attribute(at, "output_width", 1, INT32_MAX, &width) ||
        !attribute(at, "scale_x", 0, 1e9, &c->scale_x) ||
        !attribute(at, "scale_y", 0, 1e9, &c->scale_y) ||
        !attribute(at, "target_rotation_radians", -1e9, 1e9, &c->target))
        return false;
    c->left = (int64_t)left;
    c->right = (int64_t)right;
    c->height = (int64_t)height;
    c->width = (int64_t)width;
    return dv_flex_integers(dv_fb_bytes(&options), "subset_idxs", MOST_LANDMARKS, c->marks,
                            &c->count) &&
           c->count > 0;
}

/* Rows 0 and 1 of the matrix that brings a place in the piece that is cut out to where it is in
   the image: [1, 2, 4]. The piece is the box around the landmarks turned upright, as large as the
   scales say. */
static dv_status crop_rows(dv_tfl_at *at, const crop *c, dv_tensor_id marks, dv_tensor_id *id)
{
    dv_tensor_id turn, back, p, high, low, size, middle, parts[3];
    const float scale[] = {(float)(c->scale_x / (double)c->width),
                           (float)(c->scale_y / (double)c->height)};
    const float corner[] = {-(float)c->width / 2, -(float)c->height / 2};
    const int64_t row[] = {1, 1, 2}, column[] = {1, 2, 1};
    DV_TRY(rotation(at, marks, c->left, c->right, c->target, &turn));
    DV_TRY(points(at, marks, c->marks, c->count, &p));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MATMUL, NULL, p, turn, &p));
    DV_TRY(extreme(at, DV_OP_AMAX, p, &high));
    DV_TRY(extreme(at, DV_OP_AMIN, p, &low));
    DV_TRY(dv_tfl_emit2(at, DV_OP_SUB, NULL, high, low, &size));
    DV_TRY(by_constant(at, DV_OP_MUL, scale, row, 3, &size));
    DV_TRY(dv_tfl_emit2(at, DV_OP_ADD, NULL, high, low, &middle));
    DV_TRY(by_constant(at, DV_OP_MUL, (const float[]){0.5f}, NULL, 0, &middle));
    DV_TRY(flip(at, turn, &back));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MATMUL, NULL, middle, back, &middle));
    DV_TRY(flip(at, middle, &middle));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MUL, NULL, turn, size, &parts[0]));
    parts[2] = parts[0];
    DV_TRY(by_constant(at, DV_OP_MATMUL, corner, column, 3, &parts[2]));
    DV_TRY(dv_tfl_emit2(at, DV_OP_ADD, NULL, parts[2], middle, &parts[2]));
    DV_TRY(dv_tfl_floats(at, (const float[]){0, 0}, column, 3, &parts[1]));
    return concatenate(at, 2, parts, 3, id);
}

static dv_status matrix_of(dv_tfl_at *at, const crop *c, dv_tensor_id *id)
{
    static const float rest[] = {0, 0, 1, 0, 0, 0, 0, 1};
    dv_tensor_id x, parts[2];
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(crop_rows(at, c, x, &parts[0]));
    DV_TRY(dv_tfl_floats(at, rest, (const int64_t[]){1, 2, 4}, 3, &parts[1]));
    return concatenate(at, 1, parts, 2, id);
}

/* (landmarks) to the matrix. */
dv_status dv_tfl_op_landmarks_matrix(dv_tfl_at *at)
{
    dv_tfl_tensor marks;
    dv_tensor_id id;
    DV_TRY(dv_tfl_input(at, 0, &marks));
    crop *c = malloc(sizeof *c);
    if (!c)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    bool known = at->version == 2 && marks.shape.rank == 3 && read_crop(at, c);
    dv_status status = known ? matrix_of(at, c, &id)
                             : dv_tfl_opaque(at, "this is not its second version, or its "
                                                 "attributes are not those that MediaPipe writes");
    free(c);
    return status == DV_OK && known ? dv_tfl_result(at, 0, id, false) : status;
}

/* ---- images ---- */

/* The middles of all pixels of an image, row by row: [1, pixels, 3] of (x, y, 1). */
static dv_status pixels(dv_tfl_at *at, int64_t height, int64_t width, dv_tensor_id *id)
{
    float *values = malloc((size_t)(height * width) * 3 * sizeof *values);
    if (!values)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (int64_t i = 0; i < height * width; i++) {
        values[3 * i] = (float)(i % width) + 0.5f;
        values[3 * i + 1] = (float)(i / width) + 0.5f;
        values[3 * i + 2] = 1;
    }
    dv_status status = dv_tfl_floats(at, values, (const int64_t[]){1, height * width, 3}, 3, id);
    free(values);
    return status;
}

/* 1 where both of the last two numbers are from -1 to 1, else 0: [1, 1, height, width]. */
static dv_status is_inside(dv_tfl_at *at, dv_tensor_id grid, dv_tensor_id *id)
{
    dv_tensor_id one;
    dv_op_params cast = {.cast = {.dtype = DV_DTYPE_F32}},
                 axis = {.axes = {.count = 1, .axes = {1}}};
    dv_op_params both = {.reduce = {.count = 1, .axes = {3}}};
    DV_TRY(dv_tfl_floats(at, (const float[]){1}, NULL, 0, &one));
    DV_TRY(dv_tfl_emit1(at, DV_OP_ABS, NULL, grid, id));
    DV_TRY(dv_tfl_emit2(at, DV_OP_LE, NULL, *id, one, id));
    DV_TRY(dv_tfl_emit1(at, DV_OP_CAST, &cast, *id, id));
    DV_TRY(dv_tfl_emit1(at, DV_OP_AMIN, &both, *id, id));
    return dv_tfl_emit1(at, DV_OP_UNSQUEEZE, &axis, *id, id);
}

/* (image, matrix): each pixel of the output is read where the matrix sends it, between pixels; 0
   outside the image. */
dv_status dv_tfl_op_transform_tensor(dv_tfl_at *at)
{
    dv_tfl_tensor image;
    dv_tensor_id ids[2], parts[2], grid, inside;
    double height, width;
    DV_TRY(dv_tfl_input(at, 0, &image));
    const int64_t *dim = image.shape.dim;
    if (at->version != 2 || image.shape.rank != 4 || image.open & 6 || dim[0] != 1 || dim[1] < 2 ||
        dim[2] < 2 || !attribute(at, "output_height", 1, MOST_PIXELS, &height) ||
        !attribute(at, "output_width", 1, MOST_PIXELS, &width) || height * width > MOST_PIXELS)
        return dv_tfl_opaque(at, "this is not its second version, or its sizes are not supported");
    dv_op_params sample = {
        .grid = {.mode = DV_SAMPLE_LINEAR, .border = DV_BORDER_ZEROS, .align_corners = true}};
    /* in pixels less a half, then from -1 to 1 between the middles of the outer pixels */
    const double step[] = {2 / (double)(dim[2] - 1), 2 / (double)(dim[1] - 1)};
    const float scale[] = {(float)step[0], (float)step[1]};
    const float shift[] = {(float)(-1 - step[0] / 2), (float)(-1 - step[1] / 2)};
    const int64_t pair[] = {2};
    DV_TRY(dv_tfl_planar_input(at, 0, &ids[0]));
    DV_TRY(matrix_parts(at, 1, &parts[0], &parts[1]));
    DV_TRY(concatenate(at, 2, parts, 2, &parts[0]));
    DV_TRY(flip(at, parts[0], &parts[0]));
    DV_TRY(pixels(at, (int64_t)height, (int64_t)width, &grid));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MATMUL, NULL, grid, parts[0], &grid));
    DV_TRY(by_constant(at, DV_OP_MUL, scale, pair, 1, &grid));
    DV_TRY(by_constant(at, DV_OP_ADD, shift, pair, 1, &grid));
    DV_TRY(reshape(at, (const int64_t[]){1, (int64_t)height, (int64_t)width, 2}, 4, &grid));
    ids[1] = grid;
    DV_TRY(is_inside(at, grid, &inside));
    DV_TRY(dv_tfl_emit(at, DV_OP_GRID_SAMPLE, &sample, ids, 2, &ids[0]));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MUL, NULL, ids[0], inside, &ids[0]));
    return dv_tfl_result(at, 0, ids[0], true);
}

/* ---- pooling with places ----

   A place is counted within its window, a row of the window after the other, as f32 with 0.1 added;
   ours is counted within the image. The options are the C struct {int32 padding, stride width,
   stride height, filter width, filter height, activation, ...}. */

typedef struct windows {
    int64_t high, wide;    /* a window */
    int64_t rows, columns; /* windows */
} windows;

/* The windows that cover the image in input i without overlap or padding; false: others. small:
   the image has an element a window. */
static dv_status read_windows(dv_tfl_at *at, bool small, windows *w, bool *good)
{
    dv_fb_vector options = dv_fb_list(&at->node, 5, 1);
    dv_fb_vector fields = {options.fb, options.at, options.count / 4, 4};
    dv_tfl_tensor image;
    DV_TRY(dv_tfl_input(at, 0, &image));
    *good = fields.count >= 6 && image.shape.rank == 4 && !(image.open & 6);
    if (!*good)
        return DV_OK;
    w->wide = dv_fb_i32_at(&fields, 3);
    w->high = dv_fb_i32_at(&fields, 4);
    const int64_t *dim = image.shape.dim;
    *good = w->wide >= 1 && w->high >= 1 && w->wide < 256 && w->high < 256 &&
            dv_fb_i32_at(&fields, 1) == w->wide && dv_fb_i32_at(&fields, 2) == w->high &&
            dv_fb_i32_at(&fields, 5) == 0 && dim[1] >= 1 && dim[2] >= 1 && dim[1] < 1 << 15 &&
            dim[2] < 1 << 15 && (small || (dim[1] % w->high == 0 && dim[2] % w->wide == 0));
    if (!*good)
        return DV_OK;
    w->rows = small ? dim[1] : dim[1] / w->high;
    w->columns = small ? dim[2] : dim[2] / w->wide;
    return DV_OK;
}

static dv_status by_long(dv_tfl_at *at, dv_op_kind kind, dv_tensor_id x, int64_t value,
                         dv_tensor_id *id)
{
    dv_tensor_id constant;
    DV_TRY(dv_tfl_scalar(at, DV_DTYPE_I64, (double)value, &constant));
    return dv_tfl_emit2(at, kind, NULL, x, constant, id);
}

static dv_status convert(dv_tfl_at *at, dv_dtype dtype, dv_tensor_id *id)
{
    dv_op_params cast = {.cast = {.dtype = dtype}};
    return dv_tfl_emit1(at, DV_OP_CAST, &cast, *id, id);
}

/* (image) to (the largest of each window, its place). */
dv_status dv_tfl_op_pool_places(dv_tfl_at *at)
{
    windows w;
    bool good;
    dv_tensor_id x, made[2], row, place;
    dv_op_id id;
    DV_TRY(read_windows(at, false, &w, &good));
    if (!good || at->outputs.count != 2)
        return dv_tfl_opaque(at, "windows that overlap or are padded are not supported");
    DV_TRY(dv_tfl_planar_input(at, 0, &x));
    for (int i = 0; i < 2; i++)
        DV_TRY(dv_tfl_add_activation(at->b, at->part, &made[i]));
    dv_op op = at->like;
    op.kind = DV_OP_MAX_POOL;
    op.params.pool = (dv_pool_params){
        .spatial = 2, .kernel = {w.high, w.wide}, .stride = {w.high, w.wide}, .dilation = {1, 1}};
    op.inputs = &x;
    op.input_count = 1;
    op.outputs = made;
    op.output_count = 2;
    DV_TRY(dv_graph_add_op(at->b->graph, &op, &id));
    DV_TRY(dv_tfl_result(at, 0, made[0], true));
    DV_TRY(by_long(at, DV_OP_DIV, made[1], w.columns * w.wide, &row));
    DV_TRY(by_long(at, DV_OP_REMAINDER, row, w.high, &row));
    DV_TRY(by_long(at, DV_OP_MUL, row, w.wide, &row));
    DV_TRY(by_long(at, DV_OP_REMAINDER, made[1], w.wide, &place));
    DV_TRY(dv_tfl_emit2(at, DV_OP_ADD, NULL, row, place, &place));
    DV_TRY(convert(at, DV_DTYPE_F32, &place));
    DV_TRY(by_constant(at, DV_OP_ADD, (const float[]){0.1f}, NULL, 0, &place));
    return dv_tfl_result(at, 1, place, true);
}

/* The places of the windows' first elements: [1, 1, rows, columns]. */
static dv_status first_places(dv_tfl_at *at, const windows *w, dv_tensor_id *id)
{
    size_t count = (size_t)(w->rows * w->columns);
    int64_t *values = malloc(count * sizeof *values);
    if (!values)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++)
        values[i] = (int64_t)i / w->columns * w->high * w->columns * w->wide +
                    (int64_t)i % w->columns * w->wide;
    dv_status status = dv_tfl_longs(at, values, count, id);
    free(values);
    DV_TRY(status);
    return reshape(at, (const int64_t[]){1, 1, w->rows, w->columns}, 4, id);
}

/* (image, places): a larger image with its elements at their places, 0 elsewhere. */
dv_status dv_tfl_op_unpool_places(dv_tfl_at *at)
{
    windows w;
    bool good;
    dv_tensor_id ids[2], first, row, place;
    DV_TRY(read_windows(at, true, &w, &good));
    if (!good || w.rows * w.columns > MOST_PIXELS)
        return dv_tfl_opaque(at, "windows that overlap or are padded are not supported");
    dv_op_params params = {.pool = {.spatial = 2,
                                    .kernel = {w.high, w.wide},
                                    .stride = {w.high, w.wide},
                                    .dilation = {1, 1},
                                    .image = {w.rows * w.high, w.columns * w.wide}}};
    DV_TRY(dv_tfl_planar_input(at, 0, &ids[0]));
    DV_TRY(dv_tfl_planar_input(at, 1, &place));
    DV_TRY(convert(at, DV_DTYPE_I64, &place));
    DV_TRY(by_long(at, DV_OP_DIV, place, w.wide, &row));
    DV_TRY(by_long(at, DV_OP_MUL, row, w.columns * w.wide, &row));
    DV_TRY(by_long(at, DV_OP_REMAINDER, place, w.wide, &place));
    DV_TRY(first_places(at, &w, &first));
    DV_TRY(dv_tfl_emit2(at, DV_OP_ADD, NULL, row, place, &place));
    DV_TRY(dv_tfl_emit2(at, DV_OP_ADD, NULL, place, first, &ids[1]));
    DV_TRY(dv_tfl_emit(at, DV_OP_MAX_UNPOOL, &params, ids, 2, &ids[0]));
    return dv_tfl_result(at, 0, ids[0], true);
}
