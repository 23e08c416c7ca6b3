/* conv_geometry.h - the sizes of a convolution, the same for every number of dimensions. */
#ifndef DV_RUNTIME_PORTABLE_CONV_GEOMETRY_H
#define DV_RUNTIME_PORTABLE_CONV_GEOMETRY_H

#include "runtime/portable/kernel.h"

typedef struct dv_conv_geometry {
    bool transposed;
    bool pointwise; /* each output pixel sees the one input pixel of the same index */
    size_t batch, groups, in_per_group, out_per_group;
    size_t depth; /* terms of one output: in_per_group * kernel positions */
    size_t in_pixels, out_pixels;
    /* depth, height, width; 1, stride 1, no padding where the convolution has fewer */
    int64_t in[DV_MAX_SPATIAL], out[DV_MAX_SPATIAL], kernel[DV_MAX_SPATIAL];
    int64_t stride[DV_MAX_SPATIAL], dilation[DV_MAX_SPATIAL], pad[DV_MAX_SPATIAL]; /* begin */
} dv_conv_geometry;

/* NULL and *g filled if shapes and params agree, else what does not. */
const char *dv_conv_geometry_of(const dv_kernel_call *call, dv_conv_geometry *g);

/* transposed.c: the whole transposed convolution. */
void dv_convolve_transposed(const dv_kernel_call *call, const dv_conv_geometry *g);

#endif
