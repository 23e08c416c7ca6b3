/* pool.c - maximum, average and p-norm over windows, in one to three spatial dims. */
#include <math.h>

#include "runtime/portable/kernel.h"

/* Every image is a volume; dims that are not there have size 1. */
typedef struct windows {
    int64_t in[DV_MAX_SPATIAL], out[DV_MAX_SPATIAL], kernel[DV_MAX_SPATIAL];
    int64_t stride[DV_MAX_SPATIAL], dilation[DV_MAX_SPATIAL];
    int64_t pad_begin[DV_MAX_SPATIAL], pad_end[DV_MAX_SPATIAL];
} windows;

static windows windows_of(const dv_kernel_call *call)
{
    const dv_pool_params *p = &call->op->params.pool;
    windows w;
    for (int d = 0; d < DV_MAX_SPATIAL; d++) {
        int from = d - (DV_MAX_SPATIAL - p->spatial);
        bool there = from >= 0;
        w.in[d] = there ? call->inputs[0].shape.dim[from + 2] : 1;
        w.out[d] = there ? call->outputs[0].shape.dim[from + 2] : 1;
        w.kernel[d] = there ? p->kernel[from] : 1;
        w.stride[d] = there ? p->stride[from] : 1;
        w.dilation[d] = there ? p->dilation[from] : 1;
        w.pad_begin[d] = there ? p->pad_begin[from] : 0;
        w.pad_end[d] = there ? p->pad_end[from] : 0;
    }
    return w;
}

/* The window positions of one output coordinate that fall on the image: [*from, *to); gives how
   many fall on the image or its padding. */
static int64_t window_on_image(const windows *w, int d, int64_t out, int64_t *from, int64_t *to)
{
    int64_t start = out * w->stride[d] - w->pad_begin[d], on_padding = 0;
    *from = w->kernel[d];
    *to = 0;
    for (int64_t k = 0; k < w->kernel[d]; k++) {
        int64_t at = start + k * w->dilation[d];
        if (at < w->in[d] + w->pad_end[d])
            on_padding = k + 1;
        if (at >= 0 && at < w->in[d]) {
            *from = k < *from ? k : *from;
            *to = k + 1;
        }
    }
    return on_padding;
}

typedef struct pooled {
    double most, sum, powers; /* sum of |x|^p, where there is a p */
    int64_t most_at;          /* pixel of the first largest */
    int64_t inside, padded;   /* positions on the image; on the image or its padding */
} pooled;

static pooled pool_window(const windows *w, const dv_operand *in, size_t plane, const int64_t *at,
                          double p)
{
    int64_t from[DV_MAX_SPATIAL], to[DV_MAX_SPATIAL], start[DV_MAX_SPATIAL];
    pooled result = {.most = -INFINITY, .padded = 1};
    for (int d = 0; d < DV_MAX_SPATIAL; d++) {
        result.padded *= window_on_image(w, d, at[d], &from[d], &to[d]);
        start[d] = at[d] * w->stride[d] - w->pad_begin[d];
    }
    for (int64_t z = from[0]; z < to[0]; z++)
        for (int64_t y = from[1]; y < to[1]; y++) {
            int64_t row =
                (start[0] + z * w->dilation[0]) * w->in[1] + start[1] + y * w->dilation[1];
            for (int64_t x = from[2]; x < to[2]; x++, result.inside++) {
                int64_t pixel = row * w->in[2] + start[2] + x * w->dilation[2];
                double v = dv_at(in, plane + (size_t)pixel);
                result.sum += v;
                if (p > 0)
                    result.powers += pow(fabs(v), p);
                if (isnan(v) || v > result.most || result.inside == 0) {
                    result.most = v;
                    result.most_at = pixel;
                }
            }
        }
    return result;
}

typedef enum pooling {
    POOL_MAX,
    POOL_AVERAGE,
    POOL_NORM,
} pooling;

/* How a pixel counts: through its image or all of them, along rows or down columns. */
static int64_t index_of(const dv_pool_params *p, const windows *w, size_t plane, int64_t pixel)
{
    int64_t x = pixel % w->in[2], y = pixel / w->in[2] % w->in[1], z = pixel / w->in[2] / w->in[1];
    int64_t index = p->by_column ? z + w->in[0] * (y + w->in[1] * x) : pixel;
    return p->whole ? (int64_t)plane * w->in[0] * w->in[1] * w->in[2] + index : index;
}

static dv_status pool(const dv_kernel_call *call, pooling how)
{
    const dv_pool_params *params = &call->op->params.pool;
    bool indexed = how == POOL_MAX && call->output_count > 1 && dv_given(&call->outputs[1]);
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    windows w = windows_of(call);
    size_t volume = (size_t)w.in[0] * (size_t)w.in[1] * (size_t)w.in[2];
    size_t planes = (size_t)in->shape.dim[0] * (size_t)in->shape.dim[1], at = 0;
    if (out->count == 0)
        return DV_OK;
    for (size_t plane = 0; plane < planes; plane++)
        for (int64_t z = 0; z < w.out[0]; z++)
            for (int64_t y = 0; y < w.out[1]; y++)
                for (int64_t x = 0; x < w.out[2]; x++, at++) {
                    int64_t pixel[DV_MAX_SPATIAL] = {z, y, x};
                    double power = how == POOL_NORM ? params->p : 0;
                    pooled p = pool_window(&w, in, plane * volume, pixel, power);
                    int64_t divisor = params->count_include_pad ? p.padded : p.inside;
                    dv_put(out, at,
                           how == POOL_NORM      ? pow(p.powers, 1 / params->p)
                           : how == POOL_AVERAGE ? p.sum / (double)divisor
                                                 : p.most);
                    if (!indexed)
                        continue;
                    int64_t index = volume ? index_of(params, &w, plane, p.most_at) : 0;
                    dv_store_i64(&call->outputs[1], at, 1, 1, &index);
                }
    return DV_OK;
}

dv_status dv_kernel_max_pool(const dv_kernel_call *call)
{
    return pool(call, POOL_MAX);
}

dv_status dv_kernel_avg_pool(const dv_kernel_call *call)
{
    return pool(call, POOL_AVERAGE);
}

dv_status dv_kernel_lp_pool(const dv_kernel_call *call)
{
    return pool(call, POOL_NORM);
}

/* The number of windows: with ceil_mode the last may hang over the padded image, but it must
   start on the image or the padding before it. */
static int64_t window_count(const dv_pool_params *p, int d, int64_t in)
{
    int64_t room = in + p->pad_begin[d] + p->pad_end[d] - (p->kernel[d] - 1) * p->dilation[d] - 1;
    if (room < 0)
        return p->ceil_mode && room > -p->stride[d] ? 1 : 0;
    return (p->ceil_mode ? room + p->stride[d] - 1 : room) / p->stride[d] + 1;
}

enum { LARGEST_WINDOW = 1 << 20 };

static const char *check_windows(const dv_kernel_call *call)
{
    const dv_pool_params *p = &call->op->params.pool;
    const dv_shape *in = &call->inputs[0].shape, *out = &call->outputs[0].shape;
    if (p->global || p->auto_pad != DV_PAD_EXPLICIT || p->spatial < 1 ||
        p->spatial > DV_MAX_SPATIAL)
        return "the pooling is not in core form";
    if (in->rank != p->spatial + 2 || out->rank != in->rank || in->dim[0] != out->dim[0] ||
        in->dim[1] != out->dim[1])
        return "input and output do not fit";
    for (int d = 0; d < p->spatial; d++) {
        if (p->kernel[d] < 1 || p->kernel[d] > LARGEST_WINDOW || p->stride[d] < 1 ||
            p->stride[d] > LARGEST_WINDOW || p->dilation[d] < 1 ||
            p->dilation[d] > LARGEST_WINDOW || p->pad_begin[d] < 0 ||
            p->pad_begin[d] > LARGEST_WINDOW || p->pad_end[d] < 0 || p->pad_end[d] > LARGEST_WINDOW)
            return "a window, stride, dilation or padding is out of range";
        int64_t computed = window_count(p, d, in->dim[d + 2]);
        int64_t given = out->dim[d + 2];
        if (given != computed && !(p->ceil_mode && given == computed - 1))
            return "the output's shape does not follow from the input's";
    }
    return NULL;
}

const char *dv_check_max_pool(const dv_kernel_call *call)
{
    const dv_operand *indices = &call->outputs[1];
    if (call->output_count > 1 && dv_given(indices) &&
        (indices->dtype != DV_DTYPE_I64 ||
         !dv_shape_equal(&indices->shape, &call->outputs[0].shape)))
        return "the indices must be i64, as many as outputs";
    if (call->outputs[0].dtype != call->inputs[0].dtype ||
        !dv_dtype_is_number(call->inputs[0].dtype) || dv_dtype_bytes(call->inputs[0].dtype) == 8)
        return "max pool takes numbers of up to 32 bits";
    return check_windows(call);
}

const char *dv_check_avg_pool(const dv_kernel_call *call)
{
    if (!dv_same_dtype(call) || !dv_dtype_is_float(call->inputs[0].dtype))
        return "average and norm pool compute in floats only";
    if (call->op->kind == DV_OP_LP_POOL && !(call->op->params.pool.p > 0))
        return "the norm's p is not positive";
    return check_windows(call);
}
