/* resample.c - nearest, bilinear and bicubic resizing of images [N, C, H, W] and lines [N, C, W].
 */
#include <math.h>

#include "runtime/portable/kernel.h"

/* One dim of a resizing. */
typedef struct along {
    const dv_resize_params *p;
    int64_t in, out;
    double scale, roi_begin, roi_end;
} along;

/* The input coordinate, in pixels, of an output pixel. */
static double coordinate(const along *a, int64_t out)
{
    double in = (double)a->in, x = (double)out;
    switch (a->p->coordinate) {
    case DV_COORDINATE_PYTORCH_HALF_PIXEL:
        if (a->out <= 1)
            return 0;
        /* fall through */
    case DV_COORDINATE_HALF_PIXEL:
        return (x + 0.5) / a->scale - 0.5;
    case DV_COORDINATE_SYMMETRIC: /* what rounding took from the output is left out at both ends */
        return in / 2 * (1 - (double)a->out / (a->scale * in)) + (x + 0.5) / a->scale - 0.5;
    case DV_COORDINATE_ALIGN_CORNERS:
        return a->out <= 1 ? 0 : x * (in - 1) / (double)(a->out - 1);
    case DV_COORDINATE_CROP:
        if (a->out <= 1)
            return (a->roi_begin + a->roi_end) / 2 * (in - 1);
        return a->roi_begin * (in - 1) +
               x * (a->roi_end - a->roi_begin) * (in - 1) / (double)(a->out - 1);
    case DV_COORDINATE_ASYMMETRIC:
        break;
    }
    return x / a->scale;
}

/* Of a region, what lies outside the image is one value. */
static bool is_outside(const along *a, double at)
{
    return a->p->coordinate == DV_COORDINATE_CROP && !(at >= 0 && at <= (double)(a->in - 1));
}

static int64_t hold(double at, int64_t size)
{
    if (!(at > 0))
        return 0;
    return at >= (double)(size - 1) ? size - 1 : (int64_t)at;
}

static int64_t nearest(dv_nearest_mode mode, double at, int64_t size)
{
    switch (mode) {
    case DV_NEAREST_ROUND_PREFER_FLOOR:
        return hold(ceil(at - 0.5), size);
    case DV_NEAREST_ROUND_PREFER_CEIL:
        return hold(floor(at + 0.5), size);
    case DV_NEAREST_CEIL:
        return hold(ceil(at), size);
    case DV_NEAREST_FLOOR:
        break;
    }
    return hold(floor(at), size);
}

/* The last two dims; a tensor of rank 3 has one row a channel. */
typedef struct image_sizes {
    int64_t height, width;
} image_sizes;

static image_sizes sizes_of(const dv_shape *shape)
{
    return (image_sizes){shape->rank < 4 ? 1 : shape->dim[shape->rank - 2],
                         shape->dim[shape->rank - 1]};
}

/* Keys' cubic convolution, and the tent of linear interpolation. */
static double weight_at(const dv_resize_params *p, bool cubic, double x)
{
    double a = p->cubic;
    x = fabs(x);
    if (!cubic)
        return x < 1 ? 1 - x : 0;
    if (x <= 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* The pixels [first, last] that one output pixel is made of; antialiased, more when shrinking. */
typedef struct taps {
    const along *a;
    bool cubic, outside;
    double at, spread; /* pixels per unit of the kernel */
    int64_t first, last;
    double sum; /* of all weights, to divide by */
} taps;

/* Pixels outside the image count as its edge, or, excluded, not at all. */
static double tap_weight(const taps *t, int64_t pixel)
{
    bool out = pixel < 0 || pixel >= t->a->in;
    return out && t->a->p->exclude_outside && (t->cubic || t->a->p->antialias)
               ? 0
               : weight_at(t->a->p, t->cubic, ((double)pixel - t->at) / t->spread);
}

static taps taps_of(const along *a, bool cubic, int64_t out)
{
    taps t = {.a = a, .cubic = cubic, .at = coordinate(a, out), .spread = 1};
    t.outside = is_outside(a, t.at);
    if (a->p->antialias && a->scale < 1)
        t.spread = 1 / a->scale;
    double reach = (cubic ? 2 : 1) * t.spread, size = (double)a->in;
    /* far from the image all taps are its edge */
    double at = !(t.at > -reach - 1) ? -reach - 1 : t.at > size + reach ? size + reach : t.at;
    t.at = at;
    t.first = (int64_t)ceil(at - reach);
    t.last = (int64_t)floor(at + reach);
    for (int64_t pixel = t.first; pixel <= t.last; pixel++)
        t.sum += tap_weight(&t, pixel);
    return t;
}

static double row_sum(const taps *across, const dv_operand *in, size_t row)
{
    double sum = 0;
    for (int64_t x = across->first; x <= across->last; x++) {
        double weight = tap_weight(across, x);
        if (weight != 0)
            sum += weight * dv_at(in, row + (size_t)hold((double)x, across->a->in));
    }
    return sum / across->sum;
}

static double weighted(const taps *down, const taps *across, const dv_operand *in, size_t plane)
{
    double sum = 0;
    for (int64_t y = down->first; y <= down->last; y++) {
        double weight = tap_weight(down, y);
        size_t row = (size_t)(hold((double)y, down->a->in) * across->a->in);
        if (weight != 0)
            sum += weight * row_sum(across, in, plane + row);
    }
    return sum / down->sum;
}

typedef enum resampling {
    RESAMPLE_NEAREST,
    RESAMPLE_LINEAR,
    RESAMPLE_CUBIC,
} resampling;

static double pixel_of(const along *vertical, const along *horizontal, resampling how,
                       const dv_operand *in, size_t plane, int64_t y, int64_t x)
{
    const dv_resize_params *p = vertical->p;
    double exact_y = coordinate(vertical, y), exact_x = coordinate(horizontal, x);
    if (is_outside(vertical, exact_y) || is_outside(horizontal, exact_x))
        return p->outside;
    if (how == RESAMPLE_NEAREST) {
        int64_t row = nearest(p->nearest, exact_y, vertical->in) * horizontal->in;
        return dv_at(in, plane + (size_t)(row + nearest(p->nearest, exact_x, horizontal->in)));
    }
    taps down = taps_of(vertical, how == RESAMPLE_CUBIC, y);
    taps across = taps_of(horizontal, how == RESAMPLE_CUBIC, x);
    return weighted(&down, &across, in, plane);
}

static dv_status resample(const dv_kernel_call *call, resampling how)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    const dv_resize_params *p = &call->op->params.resize;
    image_sizes from = sizes_of(&in->shape), to = sizes_of(&out->shape);
    double scale_h = in->shape.rank < 4 ? 1 : p->scale_h;
    along vertical = {p, from.height, to.height, scale_h, p->roi[0], p->roi[2]};
    along horizontal = {p, from.width, to.width, p->scale_w, p->roi[1], p->roi[3]};
    size_t plane = 0, at = 0;
    for (; at < out->count; plane += (size_t)(from.height * from.width))
        for (int64_t y = 0; y < to.height; y++)
            for (int64_t x = 0; x < to.width; x++, at++)
                dv_put(out, at, pixel_of(&vertical, &horizontal, how, in, plane, y, x));
    return DV_OK;
}

dv_status dv_kernel_upsample_nearest(const dv_kernel_call *call)
{
    return resample(call, RESAMPLE_NEAREST);
}

dv_status dv_kernel_upsample_bilinear(const dv_kernel_call *call)
{
    return resample(call, RESAMPLE_LINEAR);
}

dv_status dv_kernel_upsample_bicubic(const dv_kernel_call *call)
{
    return resample(call, RESAMPLE_CUBIC);
}

const char *dv_check_upsample(const dv_kernel_call *call)
{
    const dv_shape *in = &call->inputs[0].shape, *out = &call->outputs[0].shape;
    const dv_resize_params *p = &call->op->params.resize;
    if (!dv_same_dtype(call) || !dv_dtype_is_float(call->inputs[0].dtype))
        return "resizing computes in floats only";
    if (in->rank < 3 || in->rank > 4 || out->rank != in->rank)
        return "resizing takes tensors of three or four dims";
    if (in->dim[0] != out->dim[0] || in->dim[1] != out->dim[1])
        return "only the last two of four dims, or the last of three, can be resized";
    if (call->inputs[0].count == 0 && call->outputs[0].count > 0)
        return "there is nothing to resize from";
    if (!(p->scale_w > 0) || (in->rank == 4 && !(p->scale_h > 0)))
        return "the scale is not positive";
    if (p->antialias && (p->scale_w * (double)in->dim[in->rank - 1] < 0.5 ||
                         (in->rank == 4 && p->scale_h * (double)in->dim[2] < 0.5)))
        return "the scale leaves less than a pixel";
    return NULL;
}
