/* aten_algebra.c - products of vectors, distances, and norms of several steps. */
#include <math.h>

#include "load/aten_build.h"

static dv_status view(dv_aten_at *at, const int64_t *dims, size_t count, dv_tensor_id *id)
{
    dv_op_params params = {.view = {.shape = dv_shape_make(dims, count), .allow_zero = true}};
    return dv_aten_emit(at, DV_OP_VIEW, &params, *id, DV_NONE, id);
}

static dv_status finish_view(dv_aten_at *at, const int64_t *dims, size_t count, dv_tensor_id id)
{
    dv_op_params params = {.view = {.shape = dv_shape_make(dims, count), .allow_zero = true}};
    return dv_aten_finish(at, DV_OP_VIEW, &params, id, DV_NONE, DV_NONE);
}

/* The sum of products of two vectors. */
dv_status dv_aten_read_dot(dv_aten_at *at)
{
    dv_op_params over = {0};
    dv_tensor_id a, b;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_input(at, 1, &b));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, a, b, &a));
    return dv_aten_finish(at, DV_OP_SUM, &over, a, DV_NONE, DV_NONE);
}

/* A column times a row. */
dv_status dv_aten_read_outer(dv_aten_at *at)
{
    dv_tensor_id a, b;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_input(at, 1, &b));
    DV_TRY(view(at, (int64_t[]){-1, 1}, 2, &a));
    return dv_aten_finish(at, DV_OP_MUL, NULL, a, b, DV_NONE);
}

/* A matrix times a vector. */
static dv_status times_vector(dv_aten_at *at, dv_tensor_id matrix, dv_tensor_id vector,
                              dv_tensor_id *id)
{
    DV_TRY(view(at, (int64_t[]){-1, 1}, 2, &vector));
    return dv_aten_emit(at, DV_OP_MATMUL, NULL, matrix, vector, id);
}

dv_status dv_aten_read_mv(dv_aten_at *at)
{
    dv_tensor_id a, b;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_input(at, 1, &b));
    DV_TRY(times_vector(at, a, b, &a));
    return finish_view(at, (int64_t[]){-1}, 1, a);
}

/* beta * self + alpha * (mat . vec) */
dv_status dv_aten_read_addmv(dv_aten_at *at)
{
    dv_tensor_id self, a, b;
    double beta, alpha;
    DV_TRY(dv_aten_input(at, 0, &self));
    DV_TRY(dv_aten_input(at, 1, &a));
    DV_TRY(dv_aten_input(at, 2, &b));
    DV_TRY(dv_aten_real(at, 3, &beta));
    DV_TRY(dv_aten_real(at, 4, &alpha));
    DV_TRY(times_vector(at, a, b, &a));
    DV_TRY(view(at, (int64_t[]){-1}, 1, &a));
    DV_TRY(dv_aten_times(at, alpha, &a));
    DV_TRY(dv_aten_times(at, beta, &self));
    return dv_aten_finish(at, DV_OP_ADD, NULL, self, a, DV_NONE);
}

/* Products over the last dims of both. */
dv_status dv_aten_read_inner(dv_aten_at *at)
{
    dv_op_params params = {.linear = {.alpha = 1, .beta = 1}};
    dv_tensor_id a, b;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_input(at, 1, &b));
    if (dv_aten_rank_of(at, b) != 2 || dv_aten_rank_of(at, a) == DV_RANK_UNKNOWN)
        return dv_aten_opaque(at, "its second input is no matrix");
    return dv_aten_finish(at, DV_OP_LINEAR, &params, a, b, DV_NONE);
}

/* *id = sqrt(sum of squares over the last dim) */
static dv_status length_of(dv_aten_at *at, const dv_op_params *over, dv_tensor_id *id)
{
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, *id, *id, id));
    DV_TRY(dv_aten_emit(at, DV_OP_SUM, over, *id, DV_NONE, id));
    return dv_aten_emit(at, DV_OP_SQRT, NULL, *id, DV_NONE, id);
}

/* The distance of every row of a to every row of b. */
dv_status dv_aten_read_cdist(dv_aten_at *at)
{
    dv_op_params rows = {.axes = {.count = 1, .axes = {-2}}},
                 columns = {.axes = {.count = 1, .axes = {-3}}};
    dv_op_params over = {.reduce = {.count = 1, .axes = {-1}}};
    dv_tensor_id a, b;
    double order;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_input(at, 1, &b));
    DV_TRY(dv_aten_real(at, 2, &order));
    if (order != 2)
        return dv_aten_opaque(at, "a distance of order %g is not supported", order);
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &rows, a, DV_NONE, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &columns, b, DV_NONE, &b));
    DV_TRY(dv_aten_emit(at, DV_OP_SUB, NULL, a, b, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, a, a, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_SUM, &over, a, DV_NONE, &a));
    return dv_aten_finish(at, DV_OP_SQRT, NULL, a, DV_NONE, DV_NONE);
}

/* |a - b + eps| along the last dim */
dv_status dv_aten_read_pairwise_distance(dv_aten_at *at)
{
    dv_op_params over = {.reduce = {.count = 1, .axes = {-1}}};
    dv_tensor_id a, b, small;
    double order, eps;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_input(at, 1, &b));
    DV_TRY(dv_aten_real(at, 2, &order));
    DV_TRY(dv_aten_real(at, 3, &eps));
    DV_TRY(dv_aten_flag(at, 4, &over.reduce.keep_dims));
    if (order != 2)
        return dv_aten_opaque(at, "a distance of order %g is not supported", order);
    DV_TRY(dv_aten_emit(at, DV_OP_SUB, NULL, a, b, &a));
    DV_TRY(dv_aten_scalar(at, dv_aten_dtype_of(at, a), eps, &small));
    DV_TRY(dv_aten_emit(at, DV_OP_ADD, NULL, a, small, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, a, a, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_SUM, &over, a, DV_NONE, &a));
    return dv_aten_finish(at, DV_OP_SQRT, NULL, a, DV_NONE, DV_NONE);
}

/* (a . b) / (max(|a|, eps) * max(|b|, eps)) along a dim */
dv_status dv_aten_read_cosine_similarity(dv_aten_at *at)
{
    dv_op_params over = {.reduce = {.count = 1}}, held = {.clamp = {.max = INFINITY}};
    dv_tensor_id a, b, product;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_input(at, 1, &b));
    DV_TRY(dv_aten_axis(at, 2, a, &over.reduce.axes[0]));
    DV_TRY(dv_aten_real(at, 3, &held.clamp.min));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, a, b, &product));
    DV_TRY(dv_aten_emit(at, DV_OP_SUM, &over, product, DV_NONE, &product));
    DV_TRY(length_of(at, &over, &a));
    DV_TRY(length_of(at, &over, &b));
    DV_TRY(dv_aten_emit(at, DV_OP_CLAMP, &held, a, DV_NONE, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_CLAMP, &held, b, DV_NONE, &b));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, a, b, &a));
    return dv_aten_finish(at, DV_OP_DIV, NULL, product, a, DV_NONE);
}

/* v * (g / |v|), the length over every dim but one */
dv_status dv_aten_read_weight_norm(dv_aten_at *at)
{
    dv_op_params over = {.reduce = {.keep_dims = true}};
    dv_tensor_id v, g, length;
    int64_t kept;
    DV_TRY(dv_aten_input(at, 0, &v));
    DV_TRY(dv_aten_input(at, 1, &g));
    DV_TRY(dv_aten_axis(at, 2, v, &kept));
    uint8_t rank = dv_aten_rank_of(at, v);
    if (rank == DV_RANK_UNKNOWN)
        return dv_aten_opaque(at, "the rank of its input is not known");
    for (int64_t d = 0; d < rank; d++)
        if (d != kept)
            over.reduce.axes[over.reduce.count++] = d;
    length = v;
    DV_TRY(length_of(at, &over, &length));
    DV_TRY(dv_aten_emit(at, DV_OP_DIV, NULL, g, length, &g));
    return dv_aten_finish(at, DV_OP_MUL, NULL, v, g, DV_NONE);
}
