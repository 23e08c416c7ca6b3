/* aten_pool.c - ATen's pooling. */
#include <string.h>

#include "load/aten_build.h"

/* ---- pooling ---- */

dv_status dv_aten_open_batch(dv_aten_at *at, dv_tensor_id *x, uint8_t spatial, bool *opened)
{
    dv_op_params open = {.axes = {.count = 1}};
    dv_shape shape = *dv_aten_shape_of(at, *x);
    *opened = dv_shape_known(&shape) && shape.rank == spatial + 1;
    if (!*opened)
        return shape.rank == DV_RANK_UNKNOWN || shape.rank == spatial + 2
                   ? DV_OK
                   : dv_aten_opaque(at, "an input of %u dimensions is not supported", shape.rank);
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, *x, DV_NONE, x));
    memmove(shape.dim + 1, shape.dim, shape.rank * sizeof *shape.dim);
    shape.dim[0] = 1;
    shape.rank++;
    dv_graph_tensor_mutable(at->graph, *x)->shape = shape;
    return DV_OK;
}

dv_status dv_aten_finish_image(dv_aten_at *at, bool opened, dv_op_kind kind,
                               const dv_op_params *params, const dv_tensor_id *inputs,
                               uint32_t count)
{
    enum { MOST = 2 };
    dv_op_params drop = {.axes = {.count = 1}};
    dv_tensor_id made[MOST];
    if (!opened || at->call->output_count > MOST)
        return dv_aten_finish_all(at, kind, params, inputs, count);
    for (uint32_t i = 0; i < at->call->output_count; i++) {
        dv_tensor part = {.name = "image",
                          .dtype = i ? DV_DTYPE_I64 : dv_aten_dtype_of(at, inputs[0]),
                          .shape = {.rank = DV_RANK_UNKNOWN},
                          .role = DV_ROLE_ACTIVATION};
        DV_TRY(dv_graph_add_tensor(at->graph, &part, &made[i]));
    }
    dv_op op = {.kind = kind,
                .name = at->call->name,
                .source_type = at->call->source_type,
                .debug_handle = at->call->debug_handle,
                .params = *params,
                .input_count = count,
                .inputs = inputs,
                .output_count = at->call->output_count,
                .outputs = made};
    dv_op_id id;
    DV_TRY(dv_graph_add_op(at->graph, &op, &id));
    for (uint32_t i = 0; i < at->call->output_count; i++)
        DV_TRY(dv_aten_finish_one(at, i, DV_OP_SQUEEZE, &drop, made[i], DV_NONE));
    return DV_OK;
}

static uint8_t spatial_of(const dv_aten_at *at, size_t kernel)
{
    const char *digit = strpbrk(at->call->source_type, "123");
    uint8_t named = digit ? (uint8_t)(*digit - '0') : 2;
    return kernel > 1 ? (uint8_t)kernel : named;
}

/* Arguments 1 to 3 are kernel, stride (none: the kernel) and padding. */
static dv_status read_window(dv_aten_at *at, dv_pool_params *pool, dv_tensor_id *x, bool *opened)
{
    int64_t kernel[DV_MAX_SPATIAL];
    size_t count, strides;
    DV_TRY(dv_aten_input(at, 0, x));
    DV_TRY(dv_aten_ints(at, 1, kernel, DV_MAX_SPATIAL, &count));
    pool->spatial = spatial_of(at, count);
    DV_TRY(dv_aten_open_batch(at, x, pool->spatial, opened));
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

/* Rounded up, one window may be larger than the image: it is all of the image then. */
static void fit_window(const dv_aten_at *at, dv_tensor_id x, dv_pool_params *pool)
{
    const dv_shape *shape = dv_aten_shape_of(at, x);
    for (uint8_t d = 0; pool->ceil_mode && dv_shape_known(shape) && d < pool->spatial; d++) {
        int64_t room = shape->dim[2 + d] + pool->pad_begin[d] + pool->pad_end[d];
        if (pool->kernel[d] > room && pool->dilation[d] == 1 && room > 0)
            pool->kernel[d] = room;
    }
}

dv_status dv_aten_read_max_pool(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id x;
    bool opened;
    DV_TRY(read_window(at, &params.pool, &x, &opened));
    if (at->reason)
        return DV_OK;
    DV_TRY(dv_aten_spatial(at, 4, params.pool.spatial, 1, params.pool.dilation));
    DV_TRY(dv_aten_flag(at, 5, &params.pool.ceil_mode));
    fit_window(at, x, &params.pool);
    return dv_aten_finish_image(at, opened, DV_OP_MAX_POOL, &params, &x, 1);
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
    bool opened;
    DV_TRY(read_window(at, &params.pool, &x, &opened));
    if (at->reason)
        return DV_OK;
    DV_TRY(dv_aten_flag(at, 4, &params.pool.ceil_mode));
    fit_window(at, x, &params.pool);
    DV_TRY(dv_aten_flag(at, 5, &params.pool.count_include_pad));
    if (dv_aten_given(at, 6) && opened)
        return dv_aten_opaque(at, "a divisor_override without a batch is not supported");
    if (dv_aten_given(at, 6))
        return finish_sums(at, &params, x);
    return dv_aten_finish_image(at, opened, DV_OP_AVG_POOL, &params, &x, 1);
}

/* Windows that tile the image; ATen's overlap where the sizes do not divide. */
dv_status dv_aten_read_adaptive_pool(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_pool_params *pool = &params.pool;
    dv_tensor_id x;
    int64_t sizes[DV_MAX_SPATIAL];
    size_t count;
    bool opened;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_ints(at, 1, sizes, DV_MAX_SPATIAL, &count));
    pool->spatial = spatial_of(at, count);
    DV_TRY(dv_aten_open_batch(at, &x, pool->spatial, &opened));
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
        bool uneven = sizes[d] < 1 || in % sizes[d] != 0;
        if (uneven && opened)
            return dv_aten_opaque(at, "uneven windows without a batch are not supported");
        if (uneven)
            return dv_aten_uneven_pool(at, x, sizes, pool->spatial);
        pool->kernel[d] = pool->stride[d] = in / sizes[d];
        pool->dilation[d] = 1;
    }
    return dv_aten_finish_image(at, opened, at->kind, &params, &x, 1);
}
