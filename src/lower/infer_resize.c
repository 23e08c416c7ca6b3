/* infer_resize.c - shapes of resampled images, and what their scales are. */
#include <math.h>

#include "lower/infer.h"

/* What the dims of an image are to become: sizes or scales, each 0 where nothing is said. */
typedef struct wish {
    int64_t size[DV_MAX_RANK];
    double scale[DV_MAX_RANK];
    size_t count;              /* dims that scales, sizes and roi are given for */
    int64_t dims[DV_MAX_RANK]; /* which */
} wish;

static dv_status read_dims(const dv_infer *infer, wish *w)
{
    const dv_resize_params *resize = &infer->params.resize;
    const dv_shape *x = &dv_infer_input(infer, 0)->shape;
    if (resize->axis_count > DV_MAX_RANK)
        return dv_infer_fail(infer, "it has too many axes");
    w->count = resize->axis_count > 0 ? resize->axis_count : x->rank;
    for (size_t i = 0; i < w->count; i++) {
        w->dims[i] = resize->axis_count > 0 ? resize->axes[i] : (int64_t)i;
        DV_TRY(dv_infer_axis(infer, &w->dims[i], x->rank));
    }
    return DV_OK;
}

static bool is_given(const dv_infer *infer, uint32_t i)
{
    const dv_tensor *tensor = dv_infer_input(infer, i);
    return tensor && !(tensor->shape.rank == 1 && tensor->shape.dim[0] == 0);
}

static dv_status read_sizes(const dv_infer *infer, wish *w)
{
    size_t count;
    int64_t sizes[DV_MAX_RANK];
    DV_TRY(dv_infer_ints(infer, 3, "sizes", sizes, DV_MAX_RANK, &count));
    if (count != w->count)
        return dv_infer_fail(infer, "%zu sizes for %zu dimensions", count, w->count);
    for (size_t i = 0; i < count; i++) {
        if (sizes[i] < 1 || sizes[i] > DV_DIM_LIMIT ||
            dv_infer_input(infer, 0)->shape.dim[w->dims[i]] < 1)
            return dv_infer_fail(infer, "a size of %lld", (long long)sizes[i]);
        w->size[w->dims[i]] = sizes[i];
    }
    return DV_OK;
}

static dv_status read_floats(const dv_infer *infer, uint32_t i, const char *what, size_t expected,
                             float *values)
{
    const dv_tensor *tensor = dv_infer_input(infer, i);
    size_t count;
    if (tensor->role != DV_ROLE_CONSTANT || !dv_shape_elements(&tensor->shape, &count) ||
        count != expected || !dv_tensor_read_f32(tensor, 0, count, values))
        return dv_infer_fail(infer, "its %s must be constant, one for each dimension", what);
    return DV_OK;
}

/* The region of the last two dims. */
static dv_status read_roi(dv_infer *infer, const wish *w)
{
    float values[2 * DV_MAX_RANK];
    uint8_t rank = dv_infer_input(infer, 0)->shape.rank;
    DV_TRY(read_floats(infer, 1, "roi", 2 * w->count, values));
    for (size_t i = 0; i < w->count; i++) {
        int64_t d = w->dims[i] - (rank - 2);
        if (d >= 0) {
            infer->params.resize.roi[d] = (double)values[i];
            infer->params.resize.roi[2 + d] = (double)values[w->count + i];
        }
    }
    return DV_OK;
}

static dv_status read_scales(const dv_infer *infer, wish *w)
{
    float values[DV_MAX_RANK];
    DV_TRY(read_floats(infer, 2, "scales", w->count, values));
    for (size_t i = 0; i < w->count; i++)
        w->scale[w->dims[i]] = (double)values[i];
    return DV_OK;
}

/* The share of the image that is looked at along dim d. */
static double share_of(const dv_infer *infer, uint8_t d)
{
    const dv_resize_params *resize = &infer->params.resize;
    int from_back = d - (dv_infer_input(infer, 0)->shape.rank - 2);
    return resize->coordinate == DV_COORDINATE_CROP && from_back >= 0
               ? resize->roi[2 + from_back] - resize->roi[from_back]
               : 1;
}

/* One scale for all dims that sizes are given for, the least or the largest that they ask for. */
static void keep_aspect(dv_infer *infer, wish *w)
{
    const dv_shape *x = &dv_infer_input(infer, 0)->shape;
    bool larger = infer->params.resize.policy == DV_RESIZE_NOT_SMALLER;
    double common = larger ? 0 : INFINITY;
    if (infer->params.resize.policy == DV_RESIZE_STRETCH)
        return;
    for (size_t i = 0; i < w->count; i++) {
        double scale = (double)w->size[w->dims[i]] / (double)x->dim[w->dims[i]];
        common = larger ? fmax(common, scale) : fmin(common, scale);
    }
    for (size_t i = 0; i < w->count; i++) {
        w->scale[w->dims[i]] = common;
        w->size[w->dims[i]] = (int64_t)floor(common * (double)x->dim[w->dims[i]] + 0.5);
    }
}

static dv_status fill_output(dv_infer *infer, const wish *w)
{
    const dv_shape *x = &dv_infer_input(infer, 0)->shape;
    dv_resize_params *resize = &infer->params.resize;
    dv_shape *y = &infer->shapes[0];
    char text[DV_SHAPE_TEXT];
    for (uint8_t d = 0; d < x->rank; d++) {
        double out = floor((double)x->dim[d] * share_of(infer, d) * w->scale[d]);
        if (w->size[d] == 0 && w->scale[d] != 0 && !(out >= 1 && out < (double)DV_DIM_LIMIT))
            return dv_infer_fail(infer, "a scale of %g", w->scale[d]);
        y->dim[d] = w->size[d] != 0 ? w->size[d] : w->scale[d] != 0 ? (int64_t)out : x->dim[d];
    }
    if (y->dim[0] != x->dim[0] || y->dim[1] != x->dim[1] || y->dim[2] < 1 || y->dim[3] < 1)
        return dv_infer_fail(infer, "it cannot be resized to %s", dv_shape_text(y, text));
    double scales[2];
    for (uint8_t d = 0; d < 2; d++) {
        scales[d] = w->scale[2 + d];
        if (!(scales[d] > 0 && isfinite(scales[d])))
            scales[d] = (double)y->dim[2 + d] / (double)x->dim[2 + d];
        if (!isfinite(resize->roi[d]) || !isfinite(resize->roi[2 + d]))
            return dv_infer_fail(infer, "a region without bounds");
        if (resize->antialias && scales[d] * (double)x->dim[2 + d] < 0.5)
            return dv_infer_fail(infer, "a scale of %g", scales[d]);
    }
    resize->scale_h = scales[0];
    resize->scale_w = scales[1];
    resize->policy = DV_RESIZE_STRETCH;
    resize->axis_count = 0;
    return DV_OK;
}

dv_status dv_infer_resize(dv_infer *infer)
{
    const dv_resize_params *resize = &infer->params.resize;
    const dv_shape *x = &dv_infer_input(infer, 0)->shape;
    const dv_shape *declared = &infer->rewrite->from->tensors[infer->source->outputs[0]].shape;
    char text[DV_SHAPE_TEXT];
    wish w = {0};
    if (x->rank != 4 || x->dim[2] < 1 || x->dim[3] < 1)
        return dv_infer_fail(infer, "an input of %s cannot be resized; it must be an image",
                             dv_shape_text(x, text));
    DV_TRY(read_dims(infer, &w));
    if (is_given(infer, 1) && resize->coordinate == DV_COORDINATE_CROP)
        DV_TRY(read_roi(infer, &w));
    if (is_given(infer, 3)) {
        DV_TRY(read_sizes(infer, &w));
        keep_aspect(infer, &w);
    } else if (is_given(infer, 2)) {
        DV_TRY(read_scales(infer, &w));
    } else {
        w.scale[2] = resize->scale_h;
        w.scale[3] = resize->scale_w;
        if (dv_shape_known(declared) && declared->rank == 4)
            for (uint8_t d = 0; d < 4; d++)
                w.size[d] = declared->dim[d];
        else if (!(w.scale[2] > 0) || !(w.scale[3] > 0))
            return dv_infer_fail(infer, "neither its sizes nor its scales are given");
    }
    infer->input_count = 1;
    return fill_output(infer, &w);
}
