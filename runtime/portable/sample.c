/* sample.c - images read at computed places: grid sampling, and the grids of affine maps. */
#include <math.h>

#include "runtime/portable/kernel.h"

/* The pixels along one dim that a place is made of; -1 for a pixel that is 0. */
typedef struct taps {
    int count;
    int64_t at[4];
    double weight[4];
} taps;

/* Back and forth between low and high until inside. */
static double reflect(double at, double low, double high)
{
    double range = high - low;
    if (at >= low && at <= high)
        return at;
    if (range <= 0)
        return low;
    double beyond = at < low ? low - at : at - high;
    double turns = floor(beyond / range), rest = beyond - turns * range;
    bool back = fmod(turns, 2) != 0;
    return (at < low) != back ? low + rest : high - rest;
}

static int64_t hold(double at, int64_t size)
{
    if (!(at > 0))
        return 0;
    return at >= (double)(size - 1) ? size - 1 : (int64_t)at;
}

/* What stands for a whole-numbered place that may be outside. */
static int64_t pixel(const dv_grid_params *p, double at, int64_t size)
{
    bool inside = at >= 0 && at <= (double)(size - 1);
    if (inside || p->border == DV_BORDER_EDGE)
        return hold(at, size);
    if (p->border == DV_BORDER_ZEROS)
        return -1;
    double edge = p->align_corners ? 0 : 0.5;
    return hold(reflect(at, -edge, (double)size - 1 + edge), size);
}

/* Keys' cubic convolution with a = -0.75, as PyTorch has it. */
static double cubic_weight(double x)
{
    const double a = -0.75;
    x = fabs(x);
    if (x <= 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* Of a normalised coordinate: -1 to 1 across the image. */
static taps taps_of(const dv_grid_params *p, double normal, int64_t size)
{
    double edge = p->align_corners ? 0 : 0.5, last = (double)size - 1 + edge;
    double at = p->align_corners ? (normal + 1) / 2 * (double)(size - 1)
                                 : ((normal + 1) * (double)size - 1) / 2;
    at = (double)(float)at; /* where halves are rounded, as precise as others are */
    if (!(fabs(at) < 1e9))
        at = -1e9;
    if (p->mode == DV_SAMPLE_NEAREST)
        at = rint(at);
    if (p->border == DV_BORDER_EDGE && (at < -edge || at > last))
        at = (double)hold(at, size);
    else if (p->border == DV_BORDER_REFLECT)
        at = reflect(at, -edge, last);
    double base = floor(at), share = at - base;
    taps t = {.count = p->mode == DV_SAMPLE_CUBIC ? 4 : p->mode == DV_SAMPLE_LINEAR ? 2 : 1};
    for (int i = 0; i < t.count; i++) {
        double place = p->mode == DV_SAMPLE_CUBIC ? base + i - 1 : base + i;
        t.at[i] = pixel(p, place, size);
        t.weight[i] = p->mode == DV_SAMPLE_CUBIC    ? cubic_weight(at - place)
                      : p->mode == DV_SAMPLE_LINEAR ? (i ? share : 1 - share)
                                                    : 1;
    }
    return t;
}

/* The weighted sum of the taps of up to three dims; dims that are not there have one tap at 0. */
static double sample(const dv_operand *image, size_t plane, const int64_t *size, const taps *t)
{
    double sum = 0;
    for (int i = 0; i < t[0].count; i++)
        for (int j = 0; j < t[1].count; j++)
            for (int k = 0; k < t[2].count; k++) {
                int64_t z = t[0].at[i], y = t[1].at[j], x = t[2].at[k];
                if (z < 0 || y < 0 || x < 0)
                    continue;
                size_t at = plane + (size_t)((z * size[1] + y) * size[2] + x);
                sum += t[0].weight[i] * t[1].weight[j] * t[2].weight[k] * dv_at(image, at);
            }
    return sum;
}

dv_status dv_kernel_grid_sample(const dv_kernel_call *call)
{
    const dv_operand *image = &call->inputs[0], *grid = &call->inputs[1], *out = &call->outputs[0];
    const dv_grid_params *p = &call->op->params.grid;
    int spatial = image->shape.rank - 2;
    int64_t size[DV_MAX_SPATIAL];
    for (int d = 0; d < DV_MAX_SPATIAL; d++)
        size[d] =
            d < DV_MAX_SPATIAL - spatial ? 1 : image->shape.dim[2 + d - (DV_MAX_SPATIAL - spatial)];
    size_t volume = (size_t)(size[0] * size[1] * size[2]);
    size_t batch = (size_t)image->shape.dim[0], channels = (size_t)image->shape.dim[1];
    if (out->count == 0)
        return DV_OK;
    size_t points = out->count / batch / channels;
    for (size_t i = 0; i < batch * points; i++) {
        taps t[DV_MAX_SPATIAL] = {{1, {0}, {1}}, {1, {0}, {1}}, {1, {0}, {1}}};
        for (int d = 0; d < spatial; d++) /* the grid names the last dim first */
            t[DV_MAX_SPATIAL - 1 - d] = taps_of(p, dv_at(grid, i * (size_t)spatial + (size_t)d),
                                                size[DV_MAX_SPATIAL - 1 - d]);
        size_t n = i / points;
        for (size_t c = 0; c < channels; c++)
            dv_put(out, (n * channels + c) * points + i % points,
                   sample(image, (n * channels + c) * volume, size, t));
    }
    return DV_OK;
}

const char *dv_check_grid_sample(const dv_kernel_call *call)
{
    const dv_operand *image = &call->inputs[0], *grid = &call->inputs[1];
    dv_shape expected = image->shape;
    int spatial = image->shape.rank - 2;
    if (!dv_dtype_is_float(image->dtype) || !dv_dtype_is_float(grid->dtype) || !dv_same_dtype(call))
        return "image and grid must be floats, the output of the image's type";
    if (spatial < 1 || spatial > DV_MAX_SPATIAL || grid->shape.rank != image->shape.rank ||
        grid->shape.dim[0] != image->shape.dim[0] || grid->shape.dim[spatial + 1] != spatial)
        return "image and grid do not fit";
    for (int d = 0; d < spatial; d++) {
        if (image->shape.dim[2 + d] < 1)
            return "there is nothing to sample from";
        expected.dim[2 + d] = grid->shape.dim[1 + d];
    }
    return dv_shape_equal(&expected, &call->outputs[0].shape) ? NULL
                                                              : "the output does not fit the grid";
}

/* The middle of pixel i, from -1 to 1 across so many. */
static double middle(const dv_grid_params *p, int64_t i, int64_t size)
{
    if (p->align_corners)
        return size > 1 ? 2 * (double)i / (double)(size - 1) - 1 : -1;
    return (2 * (double)i + 1) / (double)size - 1;
}

/* Every pixel's place (x, y, z, 1) through the matrix of its image. */
dv_status dv_kernel_affine_grid(const dv_kernel_call *call)
{
    const dv_operand *theta = &call->inputs[0], *out = &call->outputs[0];
    const dv_grid_params *p = &call->op->params.grid;
    size_t spatial = (size_t)p->shape.rank - 2, rows = 0;
    if (out->count == 0)
        return DV_OK;
    size_t points = out->count / (size_t)out->shape.dim[0] / spatial;
    for (size_t i = 0; i < out->count / spatial; i++, rows = i / points * spatial) {
        double place[DV_MAX_SPATIAL + 1];
        size_t rest = i % points;
        for (size_t d = 0; d < spatial; d++) {
            int64_t size = p->shape.dim[p->shape.rank - 1 - d];
            place[d] = middle(p, (int64_t)(rest % (size_t)size), size);
            rest /= (size_t)size;
        }
        place[spatial] = 1;
        for (size_t r = 0; r < spatial; r++) {
            double sum = 0;
            for (size_t d = 0; d <= spatial; d++)
                sum += place[d] * dv_at(theta, (rows + r) * (spatial + 1) + d);
            dv_put(out, i * spatial + r, sum);
        }
    }
    return DV_OK;
}

const char *dv_check_affine_grid(const dv_kernel_call *call)
{
    const dv_shape *size = &call->op->params.grid.shape, *theta = &call->inputs[0].shape;
    const dv_shape *out = &call->outputs[0].shape;
    if (!dv_dtype_is_float(call->inputs[0].dtype) || !dv_same_dtype(call))
        return "affine grids are floats of one type";
    if (size->rank < 4 || size->rank > 2 + DV_MAX_SPATIAL || out->rank != size->rank ||
        theta->rank != 3 || theta->dim[0] != size->dim[0] || theta->dim[1] != size->rank - 2 ||
        theta->dim[2] != size->rank - 1 || out->dim[0] != size->dim[0] ||
        out->dim[out->rank - 1] != size->rank - 2)
        return "the matrices do not fit the images";
    for (int d = 2; d < size->rank; d++)
        if (out->dim[d - 1] != size->dim[d])
            return "the output does not fit the images";
    return NULL;
}
