/* infer_region.c - shapes of what reads images at computed places, or writes to such. */
#include <math.h>

#include "lower/infer.h"

/* Bounds what a window is made of, so that sums and products of two fit. */
static bool in_range(int64_t value, int64_t least)
{
    return value >= least && value < (int64_t)1 << 24;
}

static dv_status mismatch(const dv_infer *infer, const dv_shape *a, const dv_shape *b)
{
    char as[DV_SHAPE_TEXT], bs[DV_SHAPE_TEXT];
    return dv_infer_fail(infer, "inputs %s and %s do not match", dv_shape_text(a, as),
                         dv_shape_text(b, bs));
}

/* What grid_sample, regions and grids are computed from are floats of one type. */
static dv_status check_floats(const dv_infer *infer, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const dv_tensor *tensor = dv_infer_input(infer, i);
        if (tensor && !dv_dtype_is_float(tensor->dtype))
            return dv_infer_fail(infer, "input %u is %s, not a float", i + 1,
                                 dv_dtype_name(tensor->dtype));
    }
    return DV_OK;
}

static bool is_image(const dv_shape *shape)
{
    return shape->rank >= 3 && shape->rank <= 2 + DV_MAX_SPATIAL;
}

dv_status dv_infer_grid_sample(dv_infer *infer)
{
    const dv_shape *x = &dv_infer_input(infer, 0)->shape, *grid = &dv_infer_input(infer, 1)->shape;
    dv_shape *y = &infer->shapes[0];
    DV_TRY(check_floats(infer, 2));
    if (!is_image(x) || grid->rank != x->rank || grid->dim[0] != x->dim[0] ||
        grid->dim[grid->rank - 1] != x->rank - 2)
        return mismatch(infer, x, grid);
    for (uint8_t d = 2; d < x->rank; d++) {
        if (x->dim[d] < 1)
            return mismatch(infer, x, grid);
        y->dim[d] = grid->dim[d - 1];
    }
    return DV_OK;
}

dv_status dv_infer_affine_grid(dv_infer *infer)
{
    const dv_shape *theta = &dv_infer_input(infer, 0)->shape;
    dv_shape *size = &infer->params.grid.shape, *y = &infer->shapes[0];
    DV_TRY(check_floats(infer, 1));
    if (dv_infer_input(infer, 1)) {
        int64_t dims[DV_MAX_RANK];
        size_t count;
        DV_TRY(dv_infer_ints(infer, 1, "size", dims, DV_MAX_RANK, &count));
        *size = dv_shape_make(dims, count);
    }
    if (infer->input_count == 2)
        infer->input_count = 1;
    if (!dv_shape_known(size) || size->rank < 4 || !is_image(size))
        return dv_infer_fail(infer, "its size is not that of images");
    int64_t spatial = size->rank - 2;
    if (theta->rank != 3 || theta->dim[0] != size->dim[0] || theta->dim[1] != spatial ||
        theta->dim[2] != spatial + 1)
        return mismatch(infer, theta, size);
    *y = *size;
    for (uint8_t d = 2; d < size->rank; d++)
        y->dim[d - 1] = size->dim[d];
    y->dim[y->rank - 1] = spatial;
    return DV_OK;
}

static dv_status region_output(dv_infer *infer, const dv_shape *boxes, int64_t numbers)
{
    const dv_region_params *region = &infer->params.region;
    const dv_shape *x = &dv_infer_input(infer, 0)->shape;
    DV_TRY(check_floats(infer, 2));
    if (x->rank != 4 || boxes->rank != 2 || boxes->dim[1] != numbers)
        return mismatch(infer, x, boxes);
    if (!in_range(region->height, 1) || !in_range(region->width, 1) ||
        !in_range(region->samples, 0) || !(region->scale > 0) || !isfinite(region->scale))
        return dv_infer_fail(infer, "its cells or its scale are out of range");
    infer->shapes[0] =
        dv_shape_make((int64_t[]){boxes->dim[0], x->dim[1], region->height, region->width}, 4);
    return DV_OK;
}

dv_status dv_infer_roi_align(dv_infer *infer)
{
    const dv_shape *boxes = &dv_infer_input(infer, 1)->shape;
    const dv_tensor *images = dv_infer_input(infer, 2);
    DV_TRY(region_output(infer, boxes, 4));
    if ((images->dtype != DV_DTYPE_I64 && images->dtype != DV_DTYPE_I32) ||
        images->shape.rank != 1 || images->shape.dim[0] != boxes->dim[0])
        return mismatch(infer, boxes, &images->shape);
    return DV_OK;
}

dv_status dv_infer_max_roi_pool(dv_infer *infer)
{
    return region_output(infer, &dv_infer_input(infer, 1)->shape, 5);
}

static dv_status check_windows(const dv_infer *infer)
{
    const dv_pool_params *pool = &infer->params.pool;
    for (unsigned d = 0; d < pool->spatial; d++)
        if (!in_range(pool->kernel[d], 1) || !in_range(pool->stride[d], 1) ||
            !in_range(pool->dilation[d], 1) || !in_range(pool->pad_begin[d], 0) ||
            !in_range(pool->pad_end[d], 0) || !in_range(pool->image[d], 0))
            return dv_infer_fail(infer, "a window, stride, dilation or padding is out of range");
    return DV_OK;
}

/* The image that was pooled, at least; a larger one may be asked for. */
dv_status dv_infer_max_unpool(dv_infer *infer)
{
    dv_pool_params *pool = &infer->params.pool;
    const dv_shape *x = &dv_infer_input(infer, 0)->shape;
    const dv_tensor *indices = dv_infer_input(infer, 1);
    dv_shape *y = &infer->shapes[0];
    if (!is_image(x) || pool->spatial != x->rank - 2 || indices->dtype != DV_DTYPE_I64 ||
        !dv_shape_equal(x, &indices->shape))
        return mismatch(infer, x, &indices->shape);
    if (dv_infer_input(infer, 2)) {
        int64_t dims[DV_MAX_RANK];
        size_t count;
        DV_TRY(dv_infer_ints(infer, 2, "output shape", dims, DV_MAX_RANK, &count));
        if (count != x->rank || dims[0] != x->dim[0] || dims[1] != x->dim[1])
            return dv_infer_fail(infer, "its output shape does not match");
        for (unsigned d = 0; d < pool->spatial; d++)
            pool->image[d] = dims[2 + d];
    }
    if (infer->input_count == 3)
        infer->input_count = 2;
    DV_TRY(check_windows(infer));
    for (unsigned d = 0; d < pool->spatial; d++) {
        int64_t least = (x->dim[2 + d] - 1) * pool->stride[d] - pool->pad_begin[d] -
                        pool->pad_end[d] + pool->kernel[d];
        if (pool->image[d] == 0)
            pool->image[d] = least;
        if (x->dim[2 + d] < 1 || least < 1 || pool->image[d] < least)
            return dv_infer_fail(infer, "its output would not hold what was pooled");
        y->dim[2 + d] = pool->image[d];
    }
    return DV_OK;
}

static dv_status read_sizes(dv_infer *infer, uint32_t i, const char *what, int64_t *out,
                            uint8_t *spatial)
{
    size_t count;
    DV_TRY(dv_infer_ints(infer, i, what, out, DV_MAX_SPATIAL, &count));
    if (count == 0 || (*spatial != 0 && count != *spatial))
        return dv_infer_fail(infer, "its %s has %zu dimensions", what, count);
    *spatial = (uint8_t)count;
    return DV_OK;
}

/* [N, C * window, windows] becomes [N, C, image...]. */
dv_status dv_infer_col2im(dv_infer *infer)
{
    dv_pool_params *pool = &infer->params.pool;
    const dv_shape *x = &dv_infer_input(infer, 0)->shape;
    if (dv_infer_input(infer, 1))
        DV_TRY(read_sizes(infer, 1, "image shape", pool->image, &pool->spatial));
    if (dv_infer_input(infer, 2))
        DV_TRY(read_sizes(infer, 2, "block shape", pool->kernel, &pool->spatial));
    if (infer->input_count <= 3)
        infer->input_count = 1;
    char text[DV_SHAPE_TEXT];
    if (x->rank != 3 || pool->spatial < 1 || pool->spatial > DV_MAX_SPATIAL)
        return dv_infer_fail(infer, "an input of %s is no list of blocks", dv_shape_text(x, text));
    DV_TRY(check_windows(infer));
    int64_t window = 1, windows = 1;
    dv_shape y = {.rank = (uint8_t)(2 + pool->spatial), .dim = {x->dim[0], x->dim[1]}};
    for (unsigned d = 0; d < pool->spatial; d++) {
        int64_t room = pool->image[d] + pool->pad_begin[d] + pool->pad_end[d] -
                       pool->dilation[d] * (pool->kernel[d] - 1) - 1;
        if (room < 0 || window > DV_DIM_LIMIT / pool->kernel[d] ||
            windows > DV_DIM_LIMIT / (room / pool->stride[d] + 1))
            return dv_infer_fail(infer, "its blocks do not fit into its image");
        window *= pool->kernel[d];
        windows *= room / pool->stride[d] + 1;
        y.dim[2 + d] = pool->image[d];
    }
    if (x->dim[1] % window != 0 || x->dim[2] != windows)
        return dv_infer_fail(infer, "an input of %s does not hold %lld blocks of %lld",
                             dv_shape_text(x, text), (long long)windows, (long long)window);
    y.dim[1] = x->dim[1] / window;
    infer->shapes[0] = y;
    return DV_OK;
}

dv_status dv_infer_reverse_sequence(dv_infer *infer)
{
    dv_reverse_params *reverse = &infer->params.reverse;
    const dv_shape *x = &infer->shapes[0];
    const dv_tensor *lengths = dv_infer_input(infer, 1);
    DV_TRY(dv_infer_axis(infer, &reverse->axis, x->rank));
    DV_TRY(dv_infer_axis(infer, &reverse->batch, x->rank));
    if (reverse->axis == reverse->batch || lengths->shape.rank != 1 ||
        lengths->shape.dim[0] != x->dim[reverse->batch] ||
        (lengths->dtype != DV_DTYPE_I64 && lengths->dtype != DV_DTYPE_I32))
        return mismatch(infer, x, &lengths->shape);
    return DV_OK;
}
