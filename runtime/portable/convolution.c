/* convolution.c - convolution in one to three spatial dimensions, with groups and dilation.

   Every image is treated as a volume (leading spatial dims of 1). DV_LANES output pixels at a time,
   the input values under the kernel are gathered into a panel [depth][DV_LANES], depth running over
   (channel of the group, kernel position); each output channel is then one row of weights times
   that panel. */
#include "runtime/portable/conv_geometry.h"

/* Where the window of an output pixel starts in the (unpadded) input. */
typedef struct window {
    int64_t at[DV_MAX_SPATIAL];
} window;

static window window_of(const dv_conv_geometry *g, size_t pixel)
{
    window w;
    size_t rest = pixel;
    for (int d = DV_MAX_SPATIAL - 1; d >= 0; d--) {
        w.at[d] = (int64_t)(rest % (size_t)g->out[d]) * g->stride[d] - g->pad[d];
        rest /= (size_t)g->out[d];
    }
    return w;
}

static bool outside(int64_t at, int64_t size)
{
    return (uint64_t)at >= (uint64_t)size;
}

/* The values of one lane, over all channels of the group; zero outside the image. */
static void gather_lane(const dv_conv_geometry *g, const float *image, window w, double *lane)
{
    size_t volume = g->in_pixels;
    for (size_t c = 0; c < g->in_per_group; c++, image += volume)
        for (int64_t z = 0; z < g->kernel[0]; z++)
            for (int64_t y = 0; y < g->kernel[1]; y++) {
                int64_t at_z = w.at[0] + z * g->dilation[0];
                int64_t at_y = w.at[1] + y * g->dilation[1];
                bool off = outside(at_z, g->in[0]) || outside(at_y, g->in[1]);
                const float *row = off ? image : image + (at_z * g->in[1] + at_y) * g->in[2];
                for (int64_t x = 0; x < g->kernel[2]; x++, lane += DV_LANES) {
                    int64_t at_x = w.at[2] + x * g->dilation[2];
                    *lane = off || outside(at_x, g->in[2]) ? 0.0 : (double)row[at_x];
                }
            }
}

/* Kernels of one position, stride 1, no padding: the columns lie side by side already. */
static void gather_pointwise(const dv_conv_geometry *g, const float *image, size_t pixel,
                             size_t lanes, double *panel)
{
    for (size_t c = 0; c < g->in_per_group; c++, panel += DV_LANES) {
        const float *from = image + c * g->in_pixels + pixel;
        for (size_t lane = 0; lane < lanes; lane++)
            panel[lane] = (double)from[lane];
    }
}

/* Adds the bias and writes the lanes of `rows` output channels. */
static void store_rows(const dv_conv_geometry *g, const double *sums, size_t rows, size_t lanes,
                       const float *bias, float *out)
{
    for (size_t r = 0; r < rows; r++, out += g->out_pixels) {
        double add = bias ? (double)bias[r] : 0.0;
        for (size_t lane = 0; lane < lanes; lane++)
            out[lane] = (float)(sums[r * DV_LANES + lane] + add);
    }
}

enum { ROWS = 16 }; /* output channels between two stores */

/* One group of one image. */
static void convolve_group(const dv_conv_geometry *g, const float *image, const float *weight,
                           const float *bias, float *out, double *panel)
{
    double sums[ROWS * DV_LANES];
    for (size_t i = 0; i < g->depth * DV_LANES; i++)
        panel[i] = 0; /* lanes past the last pixel are computed, and dropped */
    for (size_t pixel = 0; pixel < g->out_pixels; pixel += DV_LANES) {
        size_t lanes = g->out_pixels - pixel < DV_LANES ? g->out_pixels - pixel : DV_LANES;
        if (g->pointwise)
            gather_pointwise(g, image, pixel, lanes, panel);
        else
            for (size_t lane = 0; lane < lanes; lane++)
                gather_lane(g, image, window_of(g, pixel + lane), panel + lane);
        for (size_t o = 0; o < g->out_per_group; o += ROWS) {
            size_t rows = g->out_per_group - o < ROWS ? g->out_per_group - o : ROWS;
            dv_panel_product(weight + o * g->depth, rows, g->depth, panel, g->depth, sums);
            store_rows(g, sums, rows, lanes, bias ? bias + o : NULL,
                       out + o * g->out_pixels + pixel);
        }
    }
}

dv_status dv_kernel_convolution(const dv_kernel_call *call)
{
    dv_conv_geometry g;
    (void)dv_conv_geometry_of(call, &g); /* checked before */
    if (g.transposed) {
        dv_convolve_transposed(call, &g);
        return DV_OK;
    }
    const float *image = call->inputs[0].data;
    const float *weight = call->inputs[1].data;
    const float *bias = call->inputs[2].data;
    float *out = call->outputs[0].data;
    for (size_t n = 0; n < g.batch; n++)
        for (size_t group = 0; group < g.groups; group++) {
            size_t first = group * g.out_per_group;
            convolve_group(&g, image + (n * g.groups + group) * g.in_per_group * g.in_pixels,
                           weight + first * g.depth, bias ? bias + first : NULL,
                           out + (n * g.groups * g.out_per_group + first) * g.out_pixels,
                           call->scratch);
        }
    return DV_OK;
}

size_t dv_scratch_convolution(const dv_kernel_call *call)
{
    dv_conv_geometry g;
    if (dv_conv_geometry_of(call, &g))
        return 0;
    size_t panel = dv_panel_bytes(g.depth), row = 0, bytes;
    if (g.transposed && !dv_mul_size(g.depth, sizeof(float), &row))
        return SIZE_MAX;
    return panel != SIZE_MAX && dv_add_size(panel, row, &bytes) ? bytes : SIZE_MAX;
}

const char *dv_check_convolution(const dv_kernel_call *call)
{
    dv_conv_geometry g;
    if (!dv_all_f32(call))
        return "convolution computes in f32 only";
    return dv_conv_geometry_of(call, &g);
}
