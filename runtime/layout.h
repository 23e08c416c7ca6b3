/* layout.h - from channels-first to channels-last and back, for images of f32 or 8-bit integers.

   Both ways are a transposition of each image's [channels][pixels] matrix. */
#ifndef DV_RUNTIME_LAYOUT_H
#define DV_RUNTIME_LAYOUT_H

#include "runtime/backend.h"

/* Transposes batch matrices of rows x columns into columns x rows. from and to don't overlap.
   O(batch * rows * columns), in tiles that stay in the first-level cache. */
void dv_layout_transpose(const float *from, float *to, size_t batch, size_t rows, size_t columns);

/* The same for matrices of bytes. */
void dv_layout_transpose_bytes(const uint8_t *from, uint8_t *to, size_t batch, size_t rows,
                               size_t columns);

/* A rank-4 tensor of f32, i8 or u8 and logical shape [N, C, H, W] from one layout to the other
   (equal layouts: a copy). */
void dv_layout_convert(dv_dtype dtype, const dv_shape *shape, const void *from,
                       dv_layout from_layout, void *to, dv_layout to_layout);

/* May a tensor of that type and shape be channels-last at all? */
bool dv_layout_may_be_channels_last(dv_dtype dtype, const dv_shape *shape);

/* Are its bytes the same in both layouts (one channel, or one pixel)? */
bool dv_layout_same_bytes(const dv_shape *shape);

#endif
