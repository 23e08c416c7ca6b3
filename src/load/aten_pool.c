/* aten_pool.c - ATen's pooling. */
#include <string.h>

#include "load/aten_build.h"

/* ---- pooling ---- */

dv_status dv_aten_check_batch(dv_aten_at *at, dv_tensor_id x, uint8_t spatial)
{
    uint8_t rank = dv_aten_rank_of(at, x);
    return rank == DV_RANK_UNKNOWN || rank == spatial + 2
               ? DV_OK
               : dv_aten_opaque(at, "an input of %u dimensions, without a batch, is not supported",
                                rank);
}

static uint8_t spatial_of(const dv_aten_at *at, size_t kernel)
{
    const char *digit = strpbrk(at->call->source_type, "123");
    uint8_t named = digit ? (uint8_t)(*digit - '0') : 2;
    return kernel > 1 ? (uint8_t)kernel : named;
}

/* Arguments 1 to 3 are kernel, stride (none: the kernel) and padding. */
static dv_status read_window(dv_aten_at *at, dv_pool_params *pool, dv_tensor_id *x)
{
    int64_t kernel[DV_MAX_SPATIAL];
    size_t count, strides;
    DV_TRY(dv_aten_input(at, 0, x));
    DV_TRY(dv_aten_ints(at, 1, kernel, DV_MAX_SPATIAL, &count));
    pool->spatial = spatial_of(at, count);
    DV_TRY(dv_aten_check_batch(at, *x, pool->spatial));
    DV_TRY(dv_aten_spatial(at, 1, pool->spatial, 1, pool->kernel));
    DV_TRY(dv_aten_ints(at, 2, pool->stride, DV_MAX_SPATIAL, &strides));
    if (strides)
        DV_TRY(dv_aten_spatial(at, 2, pool->spatial, 1, pool->stride));
    else
        memcpy(pool->stride, pool->kernel, sizeof pool->stride);
    DV_TRY(dv_aten_spatial(at, 3, pool->spatial, 0, pool->pad_begin));
    memcpy(pool->pad_end, pool->pad_begin, sizeof pool->pad_end);
    for (size_t d = 0; d < DV_MAX_SPATIAL; d++)
        pool->dilation[d] = 1;
    return DV_OK;
}

dv_status dv_aten_read_max_pool(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id x;
    DV_TRY(read_window(at, &params.pool, &x));
    if (at->reason)
        return DV_OK;
    DV_TRY(dv_aten_spatial(at, 4, params.pool.spatial, 1, params.pool.dilation));
    DV_TRY(dv_aten_flag(at, 5, &params.pool.ceil_mode));
    return dv_aten_finish_all(at, DV_OP_MAX_POOL, &params, &x, 1);
}

/* Sums of windows over a divisor of their own: the mean over all of a window, times its size. */
static dv_status finish_sums(dv_aten_at *at, dv_op_params *params, dv_tensor_id x)
{
    double divisor, size = 1;
    dv_tensor_id factor;
    DV_TRY(dv_aten_real(at, 6, &divisor));
    if (params->pool.ceil_mode)
        return dv_aten_opaque(at, "a divisor_override with ceil_mode is not supported");
    if (divisor == 0)
        return dv_fail(DV_BAD_INPUT, "a divisor_override of 0");
    params->pool.count_include_pad = true;
    for (uint8_t d = 0; d < params->pool.spatial; d++)
        size *= (double)params->pool.kernel[d];
    DV_TRY(dv_aten_scalar(at, dv_aten_dtype_of(at, x), size / divisor, &factor));
    DV_TRY(dv_aten_emit(at, DV_OP_AVG_POOL, params, x, DV_NONE, &x));
    return dv_aten_finish(at, DV_OP_MUL, NULL, x, factor, DV_NONE);
}

dv_status dv_aten_read_avg_pool(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id x;
    DV_TRY(read_window(at, &params.pool, &x));
    if (at->reason)
        return DV_OK;
    DV_TRY(dv_aten_flag(at, 4, &params.pool.ceil_mode));
    DV_TRY(dv_aten_flag(at, 5, &params.pool.count_include_pad));
    if (dv_aten_given(at, 6))
        return finish_sums(at, &params, x);
    return dv_aten_finish_all(at, DV_OP_AVG_POOL, &params, &x, 1);
}

/* Windows that tile the image; ATen's overlap where the sizes do not divide. */
dv_status dv_aten_read_adaptive_pool(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_pool_params *pool = &params.pool;
    dv_tensor_id x;
    int64_t sizes[DV_MAX_SPATIAL];
    size_t count;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_ints(at, 1, sizes, DV_MAX_SPATIAL, &count));
    pool->spatial = spatial_of(at, count);
    DV_TRY(dv_aten_check_batch(at, x, pool->spatial));
    DV_TRY(dv_aten_spatial(at, 1, pool->spatial, 1, sizes));
    if (at->reason)
        return DV_OK;
    bool global = true;
    for (uint8_t d = 0; d < pool->spatial; d++)
        global &= sizes[d] == 1;
    pool->global = global;
    const dv_shape *shape = dv_aten_shape_of(at, x);
    if (!global && !dv_shape_known(shape))
        return dv_aten_opaque(at, "the shape of its input is not known");
    for (uint8_t d = 0; d < pool->spatial; d++) {
        int64_t in = global ? 1 : shape->dim[2 + d];
        if (sizes[d] < 1 || in % sizes[d] != 0)
            return dv_aten_uneven_pool(at, x, sizes, pool->spatial);
        pool->kernel[d] = pool->stride[d] = in / sizes[d];
        pool->dilation[d] = 1;
    }
    return dv_aten_finish(at, at->kind, &params, x, DV_NONE, DV_NONE);
}
