/* region.c - regions of images pooled to a fixed number of cells. */
#include <math.h>

#include "runtime/portable/kernel.h"

/* Boxes come with the data: however large one is, a cell takes no more samples than this a side. */
enum { MOST_SAMPLES = 1 << 10 };

/* A box in pixels of its image. */
typedef struct box {
    size_t image;
    double left, top, width, height;
} box;

static dv_status bad_image(const dv_kernel_call *call, int64_t image)
{
    return dv_fail(DV_BAD_INPUT, "'%s': there is no image %lld", call->op->name, (long long)image);
}

/* ---- ROI align (He et al., "Mask R-CNN", 2017) ---- */

static dv_status aligned_box(const dv_kernel_call *call, size_t i, box *b)
{
    const dv_region_params *p = &call->op->params.region;
    const dv_operand *boxes = &call->inputs[1];
    double shift = p->half_pixel ? 0.5 : 0, least = p->half_pixel ? 0 : 1;
    int64_t image = 0;
    dv_load_i64(&call->inputs[2], i, 1, 1, &image);
    if (image < 0 || image >= call->inputs[0].shape.dim[0])
        return bad_image(call, image);
    b->image = (size_t)image;
    b->left = dv_at(boxes, 4 * i) * p->scale - shift;
    b->top = dv_at(boxes, 4 * i + 1) * p->scale - shift;
    b->width = fmax(dv_at(boxes, 4 * i + 2) * p->scale - shift - b->left, least);
    b->height = fmax(dv_at(boxes, 4 * i + 3) * p->scale - shift - b->top, least);
    return DV_OK;
}

/* Two neighbouring pixels and the share of the second; false: outside the image. */
typedef struct between {
    size_t low, high;
    double share;
} between;

static bool neighbours(double at, int64_t size, between *b)
{
    if (!(at >= -1 && at <= (double)size))
        return false;
    double held = at <= 0 ? 0 : at >= (double)(size - 1) ? (double)(size - 1) : at;
    b->low = (size_t)held;
    b->high = b->low + 1 < (size_t)size ? b->low + 1 : b->low;
    b->share = held - (double)b->low;
    return true;
}

/* The four weighted pixels around a place; their largest, or their sum. */
static double value_at(const dv_operand *image, size_t plane, double y, double x, bool largest)
{
    int64_t height = image->shape.dim[2], width = image->shape.dim[3];
    between v, h;
    if (!neighbours(y, height, &v) || !neighbours(x, width, &h))
        return 0;
    const size_t rows[2] = {v.low, v.high}, columns[2] = {h.low, h.high};
    double result = largest ? -INFINITY : 0;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            double weight = (i ? v.share : 1 - v.share) * (j ? h.share : 1 - h.share);
            double part = weight * dv_at(image, plane + rows[i] * (size_t)width + columns[j]);
            result = largest ? fmax(result, part) : result + part;
        }
    return result;
}

static int64_t samples_of(int64_t given, double size, int64_t cells)
{
    double most = given > 0 ? (double)given : ceil(size / (double)cells);
    return !(most >= 1) ? 0 : most > MOST_SAMPLES ? MOST_SAMPLES : (int64_t)most;
}

static double cell_of(const dv_kernel_call *call, const box *b, size_t plane, int64_t row,
                      int64_t column)
{
    const dv_region_params *p = &call->op->params.region;
    double height = b->height / (double)p->height, width = b->width / (double)p->width;
    int64_t down = samples_of(p->samples, b->height, p->height);
    int64_t across = samples_of(p->samples, b->width, p->width);
    double result = p->largest && down * across > 0 ? -INFINITY : 0;
    for (int64_t i = 0; i < down; i++)
        for (int64_t j = 0; j < across; j++) {
            double y = b->top + ((double)row + ((double)i + 0.5) / (double)down) * height;
            double x = b->left + ((double)column + ((double)j + 0.5) / (double)across) * width;
            double value = value_at(&call->inputs[0], plane, y, x, p->largest);
            result = p->largest ? fmax(result, value) : result + value;
        }
    return p->largest || down * across == 0 ? result : result / (double)(down * across);
}

dv_status dv_kernel_roi_align(const dv_kernel_call *call)
{
    const dv_operand *image = &call->inputs[0], *out = &call->outputs[0];
    const dv_region_params *p = &call->op->params.region;
    size_t channels = (size_t)image->shape.dim[1], at = 0;
    size_t plane = (size_t)image->shape.dim[2] * (size_t)image->shape.dim[3];
    for (size_t i = 0; i < (size_t)out->shape.dim[0]; i++) {
        box b = {0};
        DV_TRY(aligned_box(call, i, &b));
        for (size_t c = 0; c < channels; c++)
            for (int64_t row = 0; row < p->height; row++)
                for (int64_t column = 0; column < p->width; column++)
                    dv_put(out, at++,
                           cell_of(call, &b, (b.image * channels + c) * plane, row, column));
    }
    return DV_OK;
}

/* ---- max ROI pooling (Girshick, "Fast R-CNN", 2015): cells of whole pixels ---- */

/* The pixels [*from, *to) of cell i of so many over a box from start, of that size. */
static void span_of(double start, double size, int64_t cells, int64_t i, int64_t limit,
                    int64_t *from, int64_t *to)
{
    double step = size / (double)cells, low = floor((double)i * step) + start;
    double high = ceil((double)(i + 1) * step) + start;
    *from = !(low > 0) ? 0 : low > (double)limit ? limit : (int64_t)low;
    *to = !(high > 0) ? 0 : high > (double)limit ? limit : (int64_t)high;
}

dv_status dv_kernel_max_roi_pool(const dv_kernel_call *call)
{
    const dv_operand *image = &call->inputs[0], *boxes = &call->inputs[1], *out = &call->outputs[0];
    const dv_region_params *p = &call->op->params.region;
    int64_t height = image->shape.dim[2], width = image->shape.dim[3], top, bottom, left, right;
    size_t channels = (size_t)image->shape.dim[1], plane = (size_t)(height * width);
    for (size_t at = 0; at < out->count; at++) {
        int64_t column = (int64_t)(at % (size_t)p->width);
        int64_t row = (int64_t)(at / (size_t)p->width % (size_t)p->height);
        size_t c = at / (size_t)(p->width * p->height) % channels;
        size_t i = at / (size_t)(p->width * p->height) / channels;
        double n = dv_at(boxes, 5 * i), edge[4];
        if (!(n >= 0 && n < (double)image->shape.dim[0]))
            return bad_image(call, n > -1e9 && n < 1e9 ? (int64_t)n : -1);
        for (size_t k = 0; k < 4; k++)
            edge[k] = round(dv_at(boxes, 5 * i + 1 + k) * p->scale);
        span_of(edge[0], fmax(edge[2] - edge[0] + 1, 1), p->width, column, width, &left, &right);
        span_of(edge[1], fmax(edge[3] - edge[1] + 1, 1), p->height, row, height, &top, &bottom);
        double most = top < bottom && left < right ? -INFINITY : 0;
        for (int64_t y = top; y < bottom; y++)
            for (int64_t x = left; x < right; x++)
                most = fmax(most, dv_at(image, ((size_t)n * channels + c) * plane +
                                                   (size_t)(y * width + x)));
        dv_put(out, at, most);
    }
    return DV_OK;
}

static const char *check_regions(const dv_kernel_call *call, int64_t numbers)
{
    const dv_region_params *p = &call->op->params.region;
    const dv_operand *image = &call->inputs[0], *boxes = &call->inputs[1];
    if (!dv_dtype_is_float(image->dtype) || !dv_dtype_is_float(boxes->dtype) ||
        !dv_same_dtype(call))
        return "image and boxes must be floats, the output of the image's type";
    if (image->shape.rank != 4 || boxes->shape.rank != 2 || boxes->shape.dim[1] != numbers ||
        p->height < 1 || p->width < 1 || p->height > INT32_MAX || p->width > INT32_MAX)
        return "image and boxes do not fit";
    if (image->shape.dim[2] < 1 || image->shape.dim[3] < 1)
        return "there is nothing to pool";
    dv_shape expected = dv_shape_make(
        (int64_t[]){boxes->shape.dim[0], image->shape.dim[1], p->height, p->width}, 4);
    return dv_shape_equal(&expected, &call->outputs[0].shape) ? NULL
                                                              : "the output does not fit the boxes";
}

const char *dv_check_roi_align(const dv_kernel_call *call)
{
    const dv_operand *images = &call->inputs[2];
    if ((images->dtype != DV_DTYPE_I64 && images->dtype != DV_DTYPE_I32) ||
        images->shape.rank != 1 || call->inputs[1].shape.rank != 2 ||
        images->shape.dim[0] != call->inputs[1].shape.dim[0])
        return "each box needs the number of its image";
    return check_regions(call, 4);
}

const char *dv_check_max_roi_pool(const dv_kernel_call *call)
{
    return check_regions(call, 5);
}
