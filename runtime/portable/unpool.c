/* unpool.c - what pooling and cutting into blocks took apart, put together again. */
#include <string.h>

#include "runtime/portable/kernel.h"

/* Beyond this no window makes sense, and no product below can overflow. */
enum { LARGEST = 1 << 24 };

static bool sane(const dv_pool_params *p)
{
    for (int d = 0; d < p->spatial && d < DV_MAX_SPATIAL; d++)
        if (p->kernel[d] < 1 || p->kernel[d] > LARGEST || p->stride[d] < 1 ||
            p->stride[d] > LARGEST || p->dilation[d] < 1 || p->dilation[d] > LARGEST ||
            p->pad_begin[d] < 0 || p->pad_begin[d] > LARGEST || p->pad_end[d] < 0 ||
            p->pad_end[d] > LARGEST || p->image[d] < 0 || p->image[d] > LARGEST)
            return false;
    return p->spatial >= 1 && p->spatial <= DV_MAX_SPATIAL;
}

/* ---- max unpool ---- */

/* Where the i-th element goes: index counts through the pooled image (or all of them), which lies
   in the corner of the output's. -1: nowhere. */
static int64_t place_of(const dv_kernel_call *call, size_t i, int64_t index)
{
    const dv_pool_params *p = &call->op->params.pool;
    const dv_shape *x = &call->inputs[0].shape;
    int64_t pooled = 1, pixels = 1, planes = 1, place = 0, scale = 1;
    for (int d = 0; d < p->spatial; d++) {
        pooled *= x->dim[2 + d];
        pixels *=
            (x->dim[2 + d] - 1) * p->stride[d] - p->pad_begin[d] - p->pad_end[d] + p->kernel[d];
    }
    planes = (int64_t)call->inputs[0].count / pooled;
    int64_t plane = p->whole ? index / pixels : (int64_t)i / pooled;
    if (index < 0 || plane >= planes || (!p->whole && index >= pixels))
        return -1;
    int64_t rest = index % pixels;
    for (int d = p->spatial - 1; d >= 0; d--) {
        int64_t size =
            (x->dim[2 + d] - 1) * p->stride[d] - p->pad_begin[d] - p->pad_end[d] + p->kernel[d];
        place += rest % size * scale;
        rest /= size;
        scale *= p->image[d];
    }
    return plane * scale + place;
}

dv_status dv_kernel_max_unpool(const dv_kernel_call *call)
{
    const dv_operand *x = &call->inputs[0], *out = &call->outputs[0];
    size_t bytes = dv_dtype_bytes(out->dtype);
    if (out->count > 0)
        memset(out->data, 0, out->count * bytes);
    for (size_t i = 0; i < x->count; i++) {
        int64_t index = 0;
        dv_load_i64(&call->inputs[1], i, 1, 1, &index);
        int64_t place = place_of(call, i, index);
        if (place < 0)
            return dv_fail(DV_BAD_INPUT, "'%s': index %lld is out of range", call->op->name,
                           (long long)index);
        memcpy((char *)out->data + (size_t)place * bytes, (const char *)x->data + i * bytes, bytes);
    }
    return DV_OK;
}

const char *dv_check_max_unpool(const dv_kernel_call *call)
{
    const dv_pool_params *p = &call->op->params.pool;
    const dv_shape *x = &call->inputs[0].shape, *out = &call->outputs[0].shape;
    if (!dv_dtype_is_number(call->inputs[0].dtype) || !dv_same_dtype(call) ||
        call->inputs[1].dtype != DV_DTYPE_I64 || !dv_shape_equal(x, &call->inputs[1].shape))
        return "numbers and an index for each must be given";
    if (p->by_column || !sane(p) || x->rank != p->spatial + 2 || out->rank != x->rank ||
        out->dim[0] != x->dim[0] || out->dim[1] != x->dim[1])
        return "input and output do not fit";
    for (int d = 0; d < p->spatial; d++) {
        int64_t least =
            (x->dim[2 + d] - 1) * p->stride[d] - p->pad_begin[d] - p->pad_end[d] + p->kernel[d];
        if (x->dim[2 + d] < 1 || least < 1 || p->image[d] < least || out->dim[2 + d] != p->image[d])
            return "the output does not hold what was pooled";
    }
    return NULL;
}

/* ---- blocks back into images ---- */

/* Adds block element k of window w, in one plane; both counted row-major. */
static int64_t pixel_of(const dv_pool_params *p, size_t k, size_t w)
{
    int64_t place = 0, scale = 1;
    for (int d = p->spatial - 1; d >= 0; d--) {
        int64_t windows = (p->image[d] + p->pad_begin[d] + p->pad_end[d] -
                           p->dilation[d] * (p->kernel[d] - 1) - 1) /
                              p->stride[d] +
                          1;
        int64_t at = (int64_t)(w % (size_t)windows) * p->stride[d] - p->pad_begin[d] +
                     (int64_t)(k % (size_t)p->kernel[d]) * p->dilation[d];
        if (at < 0 || at >= p->image[d])
            return -1;
        place += at * scale;
        scale *= p->image[d];
        w /= (size_t)windows;
        k /= (size_t)p->kernel[d];
    }
    return place;
}

dv_status dv_kernel_col2im(const dv_kernel_call *call)
{
    const dv_operand *x = &call->inputs[0], *out = &call->outputs[0];
    const dv_pool_params *p = &call->op->params.pool;
    size_t windows = (size_t)x->shape.dim[2], window = 1, pixels = 1;
    double *sums = call->scratch;
    for (int d = 0; d < p->spatial; d++) {
        window *= (size_t)p->kernel[d];
        pixels *= (size_t)p->image[d];
    }
    if (out->count == 0)
        return DV_OK;
    for (size_t plane = 0; plane < out->count / pixels; plane++) {
        memset(sums, 0, pixels * sizeof *sums);
        for (size_t k = 0; k < window; k++)
            for (size_t w = 0; w < windows; w++) {
                int64_t pixel = pixel_of(p, k, w);
                if (pixel >= 0)
                    sums[pixel] += dv_at(x, (plane * window + k) * windows + w);
            }
        for (size_t i = 0; i < pixels; i++)
            dv_put(out, plane * pixels + i, sums[i]);
    }
    return DV_OK;
}

size_t dv_scratch_col2im(const dv_kernel_call *call)
{
    const dv_shape *out = &call->outputs[0].shape;
    size_t pixels = sizeof(double);
    for (int d = 2; d < out->rank; d++)
        if (!dv_mul_size(pixels, (size_t)out->dim[d], &pixels))
            return SIZE_MAX;
    return pixels;
}

const char *dv_check_col2im(const dv_kernel_call *call)
{
    const dv_pool_params *p = &call->op->params.pool;
    const dv_shape *x = &call->inputs[0].shape, *out = &call->outputs[0].shape;
    if (!dv_dtype_is_float(call->inputs[0].dtype) || !dv_same_dtype(call))
        return "blocks and image must be floats of one type";
    if (!sane(p) || x->rank != 3 || out->rank != 2 + p->spatial || out->dim[0] != x->dim[0])
        return "input and output do not fit";
    int64_t window = 1, windows = 1;
    for (int d = 0; d < p->spatial; d++) {
        int64_t room =
            p->image[d] + p->pad_begin[d] + p->pad_end[d] - p->dilation[d] * (p->kernel[d] - 1) - 1;
        if (room < 0 || out->dim[2 + d] != p->image[d])
            return "the blocks do not fit into the image";
        if (p->kernel[d] > LARGEST / window || room / p->stride[d] + 1 > LARGEST / windows)
            return "there are too many blocks";
        window *= p->kernel[d];
        windows *= room / p->stride[d] + 1;
    }
    return x->dim[1] == out->dim[1] * window && x->dim[2] == windows
               ? NULL
               : "the input does not hold the image's blocks";
}
