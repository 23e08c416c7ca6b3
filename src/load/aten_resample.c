/* aten_resample.c - ATen's upsample operators.

   Where torch is given factors it computes with them; where it is given sizes, with their ratios:
   at 1.7 times 6 pixels that is not the same. */
#include <math.h>
#include <string.h>

#include "load/aten_build.h"

/* Sizes and factors of the result, for so many of the last dims. */
typedef struct request {
    uint8_t spatial;
    int64_t sizes[3];
    double factors[3]; /* 0: the sizes' ratio */
} request;

/* Sizes at argument 1; factors at `factors`: a list, or one number for each dim. */
static dv_status read_request(dv_aten_at *at, const dv_shape *x, uint32_t factors, request *out)
{
    const dv_aten_value *list = &at->args[factors];
    size_t count;
    DV_TRY(dv_aten_ints(at, 1, out->sizes, out->spatial, &count));
    for (uint8_t d = 0; d < out->spatial; d++) {
        out->factors[d] = 0;
        if (list->type == DV_ATEN_REALS && list->count == out->spatial)
            out->factors[d] = list->reals[d];
        else if (list->type != DV_ATEN_REALS && factors + d < DV_ATEN_MOST_ARGS &&
                 dv_aten_given(at, factors + d))
            DV_TRY(dv_aten_real(at, factors + d, &out->factors[d]));
        if (count == 0 && !(out->factors[d] > 0))
            return dv_fail(DV_BAD_INPUT, "neither its size nor its factors are given");
        if (count == 0)
            out->sizes[d] = (int64_t)floor((double)x->dim[2 + d] * out->factors[d]);
        if (out->sizes[d] < 1 || out->sizes[d] > INT32_MAX)
            return dv_fail(DV_BAD_INPUT, "a size of %lld", (long long)out->sizes[d]);
    }
    return DV_OK;
}

static dv_status open_image(dv_aten_at *at, uint8_t spatial, dv_tensor_id *x, dv_shape *shape)
{
    DV_TRY(dv_aten_input(at, 0, x));
    *shape = *dv_aten_shape_of(at, *x);
    if (!dv_shape_known(shape) || shape->rank != spatial + 2)
        return dv_aten_opaque(at, "the shape of its input is not known");
    return DV_OK;
}

/* One resampling of two dims: *count inputs and parameters of the operator. Where corners are
   aligned only sizes count; else the operator takes its factors, and its output's shape is the one
   that is declared. */
static dv_status prepare(dv_aten_at *at, const dv_shape *x, const int64_t *sizes,
                         const double *factors, dv_op_params *params, dv_tensor_id inputs[4],
                         uint32_t *count)
{
    int64_t all[4] = {x->dim[0], x->dim[1], sizes[0], sizes[1]};
    double *scale[2] = {&params->resize.scale_h, &params->resize.scale_w};
    inputs[1] = inputs[2] = DV_NONE;
    *count = 1;
    if (params->resize.coordinate == DV_COORDINATE_ALIGN_CORNERS) {
        *count = 4;
        return dv_aten_list(at, all, 4, &inputs[3]);
    }
    for (uint8_t d = 0; d < 2; d++)
        *scale[d] = factors[d] > 0 ? factors[d] : (double)sizes[d] / (double)x->dim[2 + d];
    return DV_OK;
}

/* The same as one of several steps: *id becomes its result. */
static dv_status resample_part(dv_aten_at *at, const dv_shape *x, const int64_t *sizes,
                               const double *factors, dv_resize_params resize, dv_tensor_id *id)
{
    dv_op_params params = {.resize = resize};
    dv_tensor_id inputs[4] = {*id};
    uint32_t count;
    DV_TRY(prepare(at, x, sizes, factors, &params, inputs, &count));
    DV_TRY(dv_aten_emit_all(at, at->kind, &params, inputs, count, id));
    dv_graph_tensor_mutable(at->graph, *id)->shape =
        dv_shape_make((int64_t[]){x->dim[0], x->dim[1], sizes[0], sizes[1]}, 4);
    return DV_OK;
}

static dv_status resample(dv_aten_at *at, dv_resize_params resize, uint32_t factors)
{
    dv_op_params params = {.resize = resize};
    dv_tensor_id inputs[4];
    dv_shape x;
    request wanted = {.spatial = 2};
    DV_TRY(open_image(at, 2, &inputs[0], &x));
    if (at->reason)
        return DV_OK;
    DV_TRY(read_request(at, &x, factors, &wanted));
    uint32_t count;
    DV_TRY(prepare(at, &x, wanted.sizes, wanted.factors, &params, inputs, &count));
    return dv_aten_finish_all(at, at->kind, &params, inputs, count);
}

static const dv_resize_params nearest = {.coordinate = DV_COORDINATE_ASYMMETRIC,
                                         .nearest = DV_NEAREST_FLOOR};

dv_status dv_aten_read_upsample_nearest(dv_aten_at *at)
{
    return resample(at, nearest, 2);
}

static dv_status smooth(dv_aten_at *at, dv_resize_params *out)
{
    bool corners;
    DV_TRY(dv_aten_flag(at, 2, &corners));
    *out = (dv_resize_params){.coordinate = corners ? DV_COORDINATE_ALIGN_CORNERS
                                                    : DV_COORDINATE_PYTORCH_HALF_PIXEL,
                              .cubic = -0.75};
    return DV_OK;
}

/* The pixel whose middle is nearest, where "nearest" takes the one at or before it. */
dv_status dv_aten_read_upsample_nearest_exact(dv_aten_at *at)
{
    const dv_resize_params exact = {.coordinate = DV_COORDINATE_HALF_PIXEL,
                                    .nearest = DV_NEAREST_ROUND_PREFER_CEIL};
    return resample(at, exact, 2);
}

/* Shrinking averages over all pixels; torch's cubic is another one then. */
dv_status dv_aten_read_upsample_antialias(dv_aten_at *at)
{
    dv_resize_params resize;
    DV_TRY(smooth(at, &resize));
    resize.antialias = resize.exclude_outside = true;
    resize.cubic = -0.5;
    return resample(at, resize, 3);
}

dv_status dv_aten_read_upsample(dv_aten_at *at)
{
    dv_resize_params resize;
    DV_TRY(smooth(at, &resize));
    return resample(at, resize, 3);
}

/* ---- one dim, and three ---- */

/* One dim is an image of one row; of three, first the last two are resampled with the first among
   the channels, then the first with the last two side by side. */
static dv_status resample_flat(dv_aten_at *at, dv_resize_params resize, uint32_t factors,
                               uint8_t spatial)
{
    dv_op_params view = {.view = {.allow_zero = true}};
    dv_tensor_id id;
    dv_shape x;
    request wanted = {.spatial = spatial};
    DV_TRY(open_image(at, spatial, &id, &x));
    if (at->reason)
        return DV_OK;
    DV_TRY(read_request(at, &x, factors, &wanted));
    bool deep = spatial == 3;
    const int64_t *size = wanted.sizes;
    const double *factor = wanted.factors;
    int64_t layers = deep ? x.dim[2] : 1, rows = deep ? size[1] : 1, columns = size[spatial - 1];
    view.view.shape = dv_shape_make(
        (int64_t[]){x.dim[0], x.dim[1] * layers, deep ? x.dim[3] : 1, x.dim[1 + spatial]}, 4);
    DV_TRY(dv_aten_emit(at, DV_OP_VIEW, &view, id, DV_NONE, &id));
    DV_TRY(resample_part(at, &view.view.shape, (int64_t[]){rows, columns},
                         (double[]){deep ? factor[1] : 1, factor[spatial - 1]}, resize, &id));
    if (deep) {
        view.view.shape = dv_shape_make((int64_t[]){x.dim[0], x.dim[1], layers, rows * columns}, 4);
        DV_TRY(dv_aten_emit(at, DV_OP_VIEW, &view, id, DV_NONE, &id));
        DV_TRY(resample_part(at, &view.view.shape, (int64_t[]){size[0], rows * columns},
                             (double[]){factor[0], 1}, resize, &id));
    }
    view.view.shape = x;
    memcpy(view.view.shape.dim + 2, size, spatial * sizeof *size);
    return dv_aten_finish(at, DV_OP_VIEW, &view, id, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_upsample_nearest1d(dv_aten_at *at)
{
    return resample_flat(at, nearest, 2, 1);
}

dv_status dv_aten_read_upsample_nearest3d(dv_aten_at *at)
{
    return resample_flat(at, nearest, 2, 3);
}

dv_status dv_aten_read_upsample_linear1d(dv_aten_at *at)
{
    dv_resize_params resize;
    DV_TRY(smooth(at, &resize));
    return resample_flat(at, resize, 3, 1);
}

dv_status dv_aten_read_upsample_trilinear3d(dv_aten_at *at)
{
    dv_resize_params resize;
    DV_TRY(smooth(at, &resize));
    return resample_flat(at, resize, 3, 3);
}
