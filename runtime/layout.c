/* layout.c - tiled transposition; the inner 4 x 4 is done in vector registers. */
#include "runtime/layout.h"

#include <string.h>

typedef float f32x4 __attribute__((vector_size(16)));
typedef uint8_t u8x16 __attribute__((vector_size(16)));

enum { TILE = 32 }; /* 32 x 32 floats read and written: 8 KiB, a quarter of a usual L1 cache */

static f32x4 load(const float *from)
{
    f32x4 v;
    memcpy(&v, from, sizeof v);
    return v;
}

static void store(float *to, f32x4 v)
{
    memcpy(to, &v, sizeof v);
}

/* to[j][i] = from[i][j] for i, j < 4. */
static void transpose_4x4(const float *from, size_t from_stride, float *to, size_t to_stride)
{
    f32x4 a = load(from), b = load(from + from_stride);
    f32x4 c = load(from + 2 * from_stride), d = load(from + 3 * from_stride);
    f32x4 ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    f32x4 ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    f32x4 cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    f32x4 cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    store(to, __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5));
    store(to + to_stride, __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7));
    store(to + 2 * to_stride, __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5));
    store(to + 3 * to_stride, __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7));
}

/* One tile of height x width at from becomes width x height at to. */
static void transpose_tile(const float *from, size_t from_stride, float *to, size_t to_stride,
                           size_t height, size_t width)
{
    size_t i = 0;
    for (; i + 4 <= height; i += 4) {
        size_t j = 0;
        for (; j + 4 <= width; j += 4)
            transpose_4x4(from + i * from_stride + j, from_stride, to + j * to_stride + i,
                          to_stride);
        for (; j < width; j++)
            for (size_t k = i; k < i + 4; k++)
                to[j * to_stride + k] = from[k * from_stride + j];
    }
    for (; i < height; i++)
        for (size_t j = 0; j < width; j++)
            to[j * to_stride + i] = from[i * from_stride + j];
}

void dv_layout_transpose(const float *from, float *to, size_t batch, size_t rows, size_t columns)
{
    for (size_t n = 0; n < batch; n++) {
        for (size_t i = 0; i < rows; i += TILE) {
            size_t height = rows - i < TILE ? rows - i : TILE;
            for (size_t j = 0; j < columns; j += TILE) {
                size_t width = columns - j < TILE ? columns - j : TILE;
                transpose_tile(from + i * columns + j, columns, to + j * rows + i, rows, height,
                               width);
            }
        }
        from += rows * columns;
        to += rows * columns;
    }
}

/* to[j][i] = from[i][j] for i, j < 4, a row of four bytes in a register. */
static void transpose_4x4_bytes(const uint8_t *from, size_t from_stride, uint8_t *to,
                                size_t to_stride)
{
    u8x16 rows;
    for (size_t i = 0; i < 4; i++)
        memcpy((uint8_t *)&rows + 4 * i, from + i * from_stride, 4);
    rows =
        __builtin_shufflevector(rows, rows, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    for (size_t j = 0; j < 4; j++)
        memcpy(to + j * to_stride, (const uint8_t *)&rows + 4 * j, 4);
}

static void transpose_tile_bytes(const uint8_t *from, size_t from_stride, uint8_t *to,
                                 size_t to_stride, size_t height, size_t width)
{
    size_t i = 0;
    for (; i + 4 <= height; i += 4) {
        size_t j = 0;
        for (; j + 4 <= width; j += 4)
            transpose_4x4_bytes(from + i * from_stride + j, from_stride, to + j * to_stride + i,
                                to_stride);
        for (; j < width; j++)
            for (size_t k = i; k < i + 4; k++)
                to[j * to_stride + k] = from[k * from_stride + j];
    }
    for (; i < height; i++)
        for (size_t j = 0; j < width; j++)
            to[j * to_stride + i] = from[i * from_stride + j];
}

void dv_layout_transpose_bytes(const uint8_t *from, uint8_t *to, size_t batch, size_t rows,
                               size_t columns)
{
    for (size_t n = 0; n < batch; n++) {
        for (size_t i = 0; i < rows; i += TILE) {
            size_t height = rows - i < TILE ? rows - i : TILE;
            for (size_t j = 0; j < columns; j += TILE) {
                size_t width = columns - j < TILE ? columns - j : TILE;
                transpose_tile_bytes(from + i * columns + j, columns, to + j * rows + i, rows,
                                     height, width);
            }
        }
        from += rows * columns;
        to += rows * columns;
    }
}

void dv_layout_convert(dv_dtype dtype, const dv_shape *shape, const void *from,
                       dv_layout from_layout, void *to, dv_layout to_layout)
{
    size_t batch = (size_t)shape->dim[0], channels = (size_t)shape->dim[1];
    size_t pixels = (size_t)shape->dim[2] * (size_t)shape->dim[3];
    bool last = to_layout == DV_LAYOUT_CHANNELS_LAST;
    size_t rows = last ? channels : pixels, columns = last ? pixels : channels;
    if (from_layout == to_layout || dv_layout_same_bytes(shape))
        memcpy(to, from, batch * channels * pixels * dv_dtype_bytes(dtype));
    else if (dtype == DV_DTYPE_F32)
        dv_layout_transpose(from, to, batch, rows, columns);
    else
        dv_layout_transpose_bytes(from, to, batch, rows, columns);
}

bool dv_layout_may_be_channels_last(dv_dtype dtype, const dv_shape *shape)
{
    return (dtype == DV_DTYPE_F32 || dtype == DV_DTYPE_I8 || dtype == DV_DTYPE_U8) &&
           shape->rank == 4;
}

bool dv_layout_same_bytes(const dv_shape *shape)
{
    return shape->dim[1] == 1 || (shape->dim[2] == 1 && shape->dim[3] == 1);
}
