/* resample.c - nearest, bilinear and bicubic resizing of images [N, C, H, W] and lines [N, C, W].
 */
#include <math.h>

#include "runtime/portable/kernel.h"

/* The input coordinate, in pixels, of an output pixel (the names are ONNX's). */
static double coordinate(dv_coordinate_mode mode, int64_t out, int64_t in_size, int64_t out_size,
                         double scale)
{
    switch (mode) {
    case DV_COORDINATE_PYTORCH_HALF_PIXEL:
        if (out_size <= 1)
            return 0;
        /* fall through */
    case DV_COORDINATE_HALF_PIXEL:
        return ((double)out + 0.5) / scale - 0.5;
    case DV_COORDINATE_ALIGN_CORNERS:
        return out_size <= 1 ? 0 : (double)out * (double)(in_size - 1) / (double)(out_size - 1);
    case DV_COORDINATE_ASYMMETRIC:
        break;
    }
    return (double)out / scale;
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

dv_status dv_kernel_upsample_nearest(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    const dv_resize_params *p = &call->op->params.resize;
    image_sizes from = sizes_of(&in->shape), to = sizes_of(&out->shape);
    size_t plane = 0, at = 0;
    for (; at < out->count; plane += (size_t)(from.height * from.width))
        for (int64_t y = 0; y < to.height; y++) {
            double exact_y = coordinate(p->coordinate, y, from.height, to.height, p->scale_h);
            int64_t row = nearest(p->nearest, exact_y, from.height) * from.width;
            for (int64_t x = 0; x < to.width; x++, at++) {
                double exact_x = coordinate(p->coordinate, x, from.width, to.width, p->scale_w);
                int64_t column = nearest(p->nearest, exact_x, from.width);
                dv_put(out, at, dv_at(in, plane + (size_t)(row + column)));
            }
        }
    return DV_OK;
}

/* Two neighbours and the share of the second; outside the image its edge goes on. */
typedef struct between {
    int64_t low, high;
    double share;
} between;

static between neighbours(double at, int64_t size)
{
    double held = !(at > 0) ? 0 : at > (double)(size - 1) ? (double)(size - 1) : at;
    int64_t low = (int64_t)held;
    return (between){low, low + 1 < size ? low + 1 : low, held - (double)low};
}

dv_status dv_kernel_upsample_bilinear(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    const dv_resize_params *p = &call->op->params.resize;
    image_sizes from = sizes_of(&in->shape), to = sizes_of(&out->shape);
    size_t plane = 0, at = 0;
    for (; at < out->count; plane += (size_t)(from.height * from.width))
        for (int64_t y = 0; y < to.height; y++) {
            between v = neighbours(coordinate(p->coordinate, y, from.height, to.height, p->scale_h),
                                   from.height);
            size_t upper = plane + (size_t)(v.low * from.width);
            size_t lower = plane + (size_t)(v.high * from.width);
            for (int64_t x = 0; x < to.width; x++, at++) {
                between h = neighbours(
                    coordinate(p->coordinate, x, from.width, to.width, p->scale_w), from.width);
                size_t left = (size_t)h.low, right = (size_t)h.high;
                double top =
                    dv_at(in, upper + left) * (1 - h.share) + dv_at(in, upper + right) * h.share;
                double bottom =
                    dv_at(in, lower + left) * (1 - h.share) + dv_at(in, lower + right) * h.share;
                dv_put(out, at, top * (1 - v.share) + bottom * v.share);
            }
        }
    return DV_OK;
}

/* Four neighbours and their weights by Keys' cubic convolution; outside the image its edge goes on,
   or, excluded, the others share the weight. */
typedef struct around {
    int64_t at[4];
    double weight[4];
} around;

static double cubic_weight(double a, double x)
{
    x = fabs(x);
    if (x <= 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

static around four_of(const dv_resize_params *p, double at, int64_t size)
{
    around four;
    double base = floor(at), sum = 0;
    for (int i = 0; i < 4; i++) {
        double pixel = base + i - 1;
        bool outside = pixel < 0 || pixel > (double)(size - 1);
        four.at[i] = hold(pixel, size);
        four.weight[i] = p->exclude_outside && outside ? 0 : cubic_weight(p->cubic, at - pixel);
        sum += four.weight[i];
    }
    for (int i = 0; p->exclude_outside && i < 4; i++)
        four.weight[i] /= sum;
    return four;
}

dv_status dv_kernel_upsample_bicubic(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    const dv_resize_params *p = &call->op->params.resize;
    image_sizes from = sizes_of(&in->shape), to = sizes_of(&out->shape);
    size_t plane = 0, at = 0;
    for (; at < out->count; plane += (size_t)(from.height * from.width))
        for (int64_t y = 0; y < to.height; y++) {
            around v = four_of(p, coordinate(p->coordinate, y, from.height, to.height, p->scale_h),
                               from.height);
            for (int64_t x = 0; x < to.width; x++, at++) {
                around h = four_of(
                    p, coordinate(p->coordinate, x, from.width, to.width, p->scale_w), from.width);
                double sum = 0;
                for (int i = 0; i < 4; i++)
                    for (int j = 0; j < 4; j++)
                        sum += v.weight[i] * h.weight[j] *
                               dv_at(in, plane + (size_t)(v.at[i] * from.width + h.at[j]));
                dv_put(out, at, sum);
            }
        }
    return DV_OK;
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
    return NULL;
}
