/* aten_reduce.c - ATen's reductions, extremes, and what is done to rows. */
#include <math.h>

#include "load/aten_build.h"

/* Argument 1 is the axes, 2 keepdim. */
static dv_status read_axes(const dv_aten_at *at, dv_reduce_params *reduce)
{
    size_t count;
    DV_TRY(dv_aten_ints(at, 1, reduce->axes, DV_MAX_RANK, &count));
    reduce->count = (uint8_t)count;
    return dv_aten_flag(at, 2, &reduce->keep_dims);
}

/* The dtype argument, else what ATen sums integers in. */
static dv_status widen(dv_aten_at *at, uint32_t argument, dv_tensor_id *a)
{
    int64_t number;
    dv_dtype have = dv_aten_dtype_of(at, *a);
    if (at->args[argument].type == DV_ATEN_INT) {
        DV_TRY(dv_aten_int(at, argument, &number));
        return dv_aten_cast(at, dv_aten_dtype(number), a);
    }
    bool adds = at->kind == DV_OP_SUM || at->kind == DV_OP_PROD || at->kind == DV_OP_CUMSUM;
    return adds && !dv_dtype_is_float(have) ? dv_aten_cast(at, DV_DTYPE_I64, a) : DV_OK;
}

dv_status dv_aten_read_reduce(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(read_axes(at, &params.reduce));
    DV_TRY(widen(at, 3, &a));
    return dv_aten_finish(at, at->kind, &params, a, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_reduce_all(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(widen(at, 1, &a));
    return dv_aten_finish(at, at->kind, &params, a, DV_NONE, DV_NONE);
}

/* Without an axis, over all elements in their order. */
dv_status dv_aten_read_argmax(dv_aten_at *at)
{
    dv_op_params params = {.reduce = {.count = 1}}, flat = {.view = {.shape = {1, {-1}}}};
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    if (dv_aten_given(at, 1)) {
        DV_TRY(dv_aten_axis(at, 1, a, &params.reduce.axes[0]));
        DV_TRY(dv_aten_flag(at, 2, &params.reduce.keep_dims));
    } else {
        DV_TRY(dv_aten_emit(at, DV_OP_VIEW, &flat, a, DV_NONE, &a));
    }
    return dv_aten_finish(at, at->kind, &params, a, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_topk(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id a;
    bool largest;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_int(at, 1, &params.topk.k));
    DV_TRY(dv_aten_axis(at, 2, a, &params.topk.axis));
    DV_TRY(dv_aten_flag(at, 3, &largest));
    params.topk.smallest = !largest;
    return dv_aten_finish_all(at, DV_OP_TOPK, &params, &a, 1);
}

/* All of an axis in order: the values, and where they were; argsort wants the latter alone. */
static dv_status finish_sort(dv_aten_at *at, uint32_t axis_at, bool only_places)
{
    dv_op_params params = {0};
    dv_tensor_id a, both[2] = {DV_NONE, at->call->outputs[0]};
    bool descending;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_axis(at, axis_at, a, &params.topk.axis));
    DV_TRY(dv_aten_flag(at, axis_at + 1, &descending));
    const dv_shape *shape = dv_aten_shape_of(at, a);
    if (!dv_shape_known(shape) || shape->rank == 0)
        return dv_aten_opaque(at, "the shape of its input is not known");
    params.topk.k = shape->dim[params.topk.axis];
    params.topk.smallest = !descending;
    if (!only_places)
        return dv_aten_finish_all(at, DV_OP_TOPK, &params, &a, 1);
    dv_tensor values = {.name = "sorted",
                        .dtype = dv_aten_dtype_of(at, a),
                        .shape = *shape,
                        .role = DV_ROLE_ACTIVATION};
    DV_TRY(dv_graph_add_tensor(at->graph, &values, &both[0]));
    dv_op op = {.kind = DV_OP_TOPK,
                .name = at->call->name,
                .source_type = at->call->source_type,
                .debug_handle = at->call->debug_handle,
                .params = params,
                .input_count = 1,
                .inputs = &a,
                .output_count = 2,
                .outputs = both};
    dv_op_id id;
    return dv_graph_add_op(at->graph, &op, &id);
}

dv_status dv_aten_read_sort(dv_aten_at *at)
{
    return finish_sort(at, 1, false);
}

dv_status dv_aten_read_sort_stable(dv_aten_at *at)
{
    return finish_sort(at, 2, false);
}

dv_status dv_aten_read_argsort(dv_aten_at *at)
{
    return finish_sort(at, 1, true);
}

dv_status dv_aten_read_cumulate(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_axis(at, 1, a, &params.axis.axis));
    DV_TRY(widen(at, 2, &a));
    return dv_aten_finish(at, at->kind, &params, a, DV_NONE, DV_NONE);
}

/* The extremes along an axis, and where they are. */
dv_status dv_aten_read_extreme(dv_aten_at *at)
{
    dv_op_params params = {.reduce = {.count = 1}};
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_axis(at, 1, a, &params.reduce.axes[0]));
    DV_TRY(dv_aten_flag(at, 2, &params.reduce.keep_dims));
    DV_TRY(dv_aten_finish_one(at, 0, at->kind, &params, a, DV_NONE));
    dv_op_kind where = at->kind == DV_OP_AMAX ? DV_OP_ARGMAX : DV_OP_ARGMIN;
    return dv_aten_finish_one(at, 1, where, &params, a, DV_NONE);
}

/* Any: the largest of zeros and ones; all: the smallest. */
dv_status dv_aten_read_any_all(dv_aten_at *at)
{
    dv_op_params params = {0}, truth = {.cast = {.dtype = DV_DTYPE_BOOL}};
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    if (dv_aten_given(at, 1))
        DV_TRY(read_axes(at, &params.reduce));
    DV_TRY(dv_aten_cast(at, DV_DTYPE_BOOL, &a));
    DV_TRY(dv_aten_cast(at, DV_DTYPE_F32, &a));
    DV_TRY(dv_aten_emit(at, at->kind, &params, a, DV_NONE, &a));
    return dv_aten_finish(at, DV_OP_CAST, &truth, a, DV_NONE, DV_NONE);
}

/* The mean of squares around the mean, times n / (n - correction); its root for std. */
static dv_status variance(dv_aten_at *at, double correction)
{
    dv_op_params over = {0}, keep;
    dv_tensor_id a, mean, factor;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(read_axes(at, &over.reduce));
    const dv_shape *shape = dv_aten_shape_of(at, a);
    double n = 1;
    if (!dv_shape_known(shape) && correction != 0)
        return dv_aten_opaque(at, "the shape of its input is not known");
    for (uint8_t d = 0; correction != 0 && d < shape->rank; d++) {
        bool reduced = over.reduce.count == 0;
        for (uint8_t k = 0; k < over.reduce.count; k++)
            reduced |= over.reduce.axes[k] == d || over.reduce.axes[k] + shape->rank == d;
        n *= reduced ? (double)shape->dim[d] : 1;
    }
    if (correction != 0 && n <= correction)
        return dv_aten_opaque(at, "a variance of %g elements less %g is not a number", n,
                              correction);
    dv_dtype dtype = dv_aten_dtype_of(at, a);
    keep = over;
    keep.reduce.keep_dims = true;
    DV_TRY(dv_aten_emit(at, DV_OP_MEAN, &keep, a, DV_NONE, &mean));
    DV_TRY(dv_aten_emit(at, DV_OP_SUB, NULL, a, mean, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, a, a, &a));
    if (correction == 0 && at->kind == DV_OP_MUL)
        return dv_aten_finish_one(at, 0, DV_OP_MEAN, &over, a, DV_NONE);
    DV_TRY(dv_aten_emit(at, DV_OP_MEAN, &over, a, DV_NONE, &a));
    DV_TRY(dv_aten_scalar(at, dtype, n / (n - correction), &factor));
    if (at->kind == DV_OP_MUL)
        return dv_aten_finish_one(at, 0, DV_OP_MUL, NULL, a, factor);
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, a, factor, &a));
    return dv_aten_finish_one(at, 0, DV_OP_SQRT, NULL, a, DV_NONE);
}

dv_status dv_aten_read_var(dv_aten_at *at)
{
    double correction = 1;
    if (dv_aten_given(at, 2))
        DV_TRY(dv_aten_real(at, 2, &correction));
    at->args[2] = at->args[3]; /* keepdim, where read_axes looks for it */
    return variance(at, correction);
}

dv_status dv_aten_read_var_dim(dv_aten_at *at)
{
    bool unbiased;
    DV_TRY(dv_aten_flag(at, 2, &unbiased));
    at->args[2] = at->args[3];
    return variance(at, unbiased ? 1 : 0);
}

/* The variance, or its root, and the mean. */
dv_status dv_aten_read_var_mean(dv_aten_at *at)
{
    dv_op_params over = {0};
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    dv_aten_value dims = at->args[1], correction = at->args[2], keep = at->args[3];
    at->args[2] = keep;
    DV_TRY(read_axes(at, &over.reduce));
    DV_TRY(dv_aten_finish_one(at, 1, DV_OP_MEAN, &over, a, DV_NONE));
    at->args[1] = dims;
    at->args[2] = correction;
    at->args[3] = keep;
    return dv_aten_read_var(at);
}

dv_status dv_aten_read_var_mean_dim(dv_aten_at *at)
{
    bool unbiased;
    DV_TRY(dv_aten_flag(at, 2, &unbiased));
    at->args[2] = (dv_aten_value){.type = DV_ATEN_INT, .integer = unbiased};
    return dv_aten_read_var_mean(at);
}

/* How many elements are not 0. */
dv_status dv_aten_read_count_nonzero(dv_aten_at *at)
{
    dv_op_params over = {0};
    dv_tensor_id a, zero;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(read_axes(at, &over.reduce));
    over.reduce.keep_dims = false;
    DV_TRY(dv_aten_scalar(at, dv_aten_dtype_of(at, a), 0, &zero));
    DV_TRY(dv_aten_emit(at, DV_OP_NE, NULL, a, zero, &a));
    DV_TRY(dv_aten_cast(at, DV_DTYPE_I64, &a));
    return dv_aten_finish(at, DV_OP_SUM, &over, a, DV_NONE, DV_NONE);
}

/* (sum |x|^p)^(1/p); the largest |x| for p without end, the smallest for its negative. Argument 1
   is p, 2 the dims and 3 keepdim. */
dv_status dv_aten_read_vector_norm(dv_aten_at *at)
{
    dv_op_params over = {0};
    dv_tensor_id a, power;
    double order = 2;
    DV_TRY(dv_aten_input(at, 0, &a));
    if (at->args[1].type == DV_ATEN_TEXT)
        return dv_aten_opaque(at, "a norm of matrices is not supported");
    if (dv_aten_given(at, 1))
        DV_TRY(dv_aten_real(at, 1, &order));
    at->args[1] = at->args[2];
    at->args[2] = at->args[3];
    DV_TRY(read_axes(at, &over.reduce));
    DV_TRY(dv_aten_cast(at, dv_aten_made_dtype(at, DV_DTYPE_NONE), &a));
    if (order == 0 || isnan(order))
        return dv_aten_opaque(at, "a norm of order %g is not supported", order);
    if (order == 2) {
        DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, a, a, &a));
        DV_TRY(dv_aten_emit(at, DV_OP_SUM, &over, a, DV_NONE, &a));
        return dv_aten_finish(at, DV_OP_SQRT, NULL, a, DV_NONE, DV_NONE);
    }
    DV_TRY(dv_aten_emit(at, DV_OP_ABS, NULL, a, DV_NONE, &a));
    if (isinf(order) || order == 1)
        return dv_aten_finish(at,
                              order == 1  ? DV_OP_SUM
                              : order > 0 ? DV_OP_AMAX
                                          : DV_OP_AMIN,
                              &over, a, DV_NONE, DV_NONE);
    DV_TRY(dv_aten_scalar(at, dv_aten_dtype_of(at, a), order, &power));
    DV_TRY(dv_aten_emit(at, DV_OP_POW, NULL, a, power, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_SUM, &over, a, DV_NONE, &a));
    DV_TRY(dv_aten_scalar(at, dv_aten_dtype_of(at, a), 1 / order, &power));
    return dv_aten_finish(at, DV_OP_POW, NULL, a, power, DV_NONE);
}

/* A norm over two dims, or all of a matrix, without an order is that of all their elements. */
dv_status dv_aten_read_linalg_norm(dv_aten_at *at)
{
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    uint8_t dims = at->args[2].type == DV_ATEN_INTS  ? (uint8_t)at->args[2].count
                   : at->args[2].type == DV_ATEN_INT ? 1
                                                     : dv_aten_rank_of(at, a);
    if (dims > 1 && dv_aten_given(at, 1))
        return dv_aten_opaque(at, "a norm of matrices is not supported");
    return dv_aten_read_vector_norm(at);
}

static dv_status read_softmax(dv_aten_at *at, bool guarded)
{
    dv_op_params params = {.axis = {.guarded = guarded}};
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_axis(at, 1, a, &params.axis.axis));
    DV_TRY(dv_aten_cast(at, dv_aten_made_dtype(at, DV_DTYPE_NONE), &a));
    return dv_aten_finish(at, at->kind, &params, a, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_softmax(dv_aten_at *at)
{
    return read_softmax(at, false);
}

dv_status dv_aten_read_safe_softmax(dv_aten_at *at)
{
    return read_softmax(at, true);
}
