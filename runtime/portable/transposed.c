/* transposed.c - transposed convolution, as a gather: output pixel o hears input pixel i through
   kernel position k where o = i * stride + k * dilation - pad. */
#include "runtime/portable/conv_geometry.h"

/* The input coordinate that reaches `out` through kernel position k, or -1. */
static int64_t source(const dv_conv_geometry *g, int d, int64_t out, int64_t k)
{
    int64_t reach = out + g->pad[d] - k * g->dilation[d];
    if (reach < 0 || reach % g->stride[d] != 0)
        return -1;
    return reach / g->stride[d] < g->in[d] ? reach / g->stride[d] : -1;
}

static void gather_lane(const dv_conv_geometry *g, const float *image, size_t pixel, double *lane)
{
    int64_t x = (int64_t)pixel % g->out[2];
    int64_t y = (int64_t)pixel / g->out[2] % g->out[1];
    int64_t z = (int64_t)pixel / g->out[2] / g->out[1];
    for (size_t c = 0; c < g->in_per_group; c++, image += g->in_pixels)
        for (int64_t kz = 0; kz < g->kernel[0]; kz++)
            for (int64_t ky = 0; ky < g->kernel[1]; ky++) {
                int64_t from_z = source(g, 0, z, kz), from_y = source(g, 1, y, ky);
                for (int64_t kx = 0; kx < g->kernel[2]; kx++, lane += DV_LANES) {
                    int64_t from_x = source(g, 2, x, kx);
                    bool none = from_z < 0 || from_y < 0 || from_x < 0;
                    *lane = none ? 0.0
                                 : (double)image[(from_z * g->in[1] + from_y) * g->in[2] + from_x];
                }
            }
}

/* The weights of one output channel in the panel's order; they lie [Cin, Cout / groups, kernel]. */
static void gather_row(const dv_conv_geometry *g, const float *weight, size_t channel, float *row)
{
    size_t positions = g->in_per_group ? g->depth / g->in_per_group : 0;
    for (size_t c = 0; c < g->in_per_group; c++) {
        const float *from = weight + (c * g->out_per_group + channel) * positions;
        for (size_t k = 0; k < positions; k++)
            *row++ = from[k];
    }
}

static void convolve_group(const dv_conv_geometry *g, const float *image, const float *weight,
                           const float *bias, float *out, double *panel)
{
    float *row = (float *)(panel + g->depth * DV_LANES);
    double sums[DV_LANES];
    for (size_t i = 0; i < g->depth * DV_LANES; i++)
        panel[i] = 0;
    for (size_t pixel = 0; pixel < g->out_pixels; pixel += DV_LANES) {
        size_t lanes = g->out_pixels - pixel < DV_LANES ? g->out_pixels - pixel : DV_LANES;
        for (size_t lane = 0; lane < lanes; lane++)
            gather_lane(g, image, pixel + lane, panel + lane);
        for (size_t o = 0; o < g->out_per_group; o++) {
            gather_row(g, weight, o, row);
            dv_panel_product(row, 1, 0, panel, g->depth, sums);
            for (size_t lane = 0; lane < lanes; lane++)
                out[o * g->out_pixels + pixel + lane] =
                    (float)(sums[lane] + (bias ? (double)bias[o] : 0.0));
        }
    }
}

void dv_convolve_transposed(const dv_kernel_call *call, const dv_conv_geometry *g)
{
    const float *image = call->inputs[0].data;
    const float *weight = call->inputs[1].data;
    const float *bias = call->inputs[2].data;
    float *out = call->outputs[0].data;
    for (size_t n = 0; n < g->batch; n++)
        for (size_t group = 0; group < g->groups; group++) {
            size_t in_first = group * g->in_per_group, out_first = group * g->out_per_group;
            size_t positions = g->in_per_group ? g->depth / g->in_per_group : 0;
            convolve_group(g, image + (n * g->groups * g->in_per_group + in_first) * g->in_pixels,
                           weight + in_first * g->out_per_group * positions,
                           bias ? bias + out_first : NULL,
                           out + (n * g->groups * g->out_per_group + out_first) * g->out_pixels,
                           call->scratch);
        }
}
