/* aten_loss.c - ATen's losses, in steps. The reduction is 0 for none, 1 for the mean, 2 for the
 * sum. */
#include <math.h>
#include <string.h>

#include "load/aten_build.h"

enum { NONE, MEAN, SUM };

/* What becomes of the losses of all elements. */
static dv_status finish_loss(dv_aten_at *at, uint32_t reduction_at, dv_tensor_id x)
{
    dv_op_params over = {0};
    int64_t reduction;
    DV_TRY(dv_aten_int(at, reduction_at, &reduction));
    if (reduction == NONE)
        return dv_aten_finish(at, DV_OP_IDENTITY, NULL, x, DV_NONE, DV_NONE);
    return dv_aten_finish_one(at, 0, reduction == MEAN ? DV_OP_MEAN : DV_OP_SUM, &over, x, DV_NONE);
}

static dv_status read_two(dv_aten_at *at, dv_tensor_id *x, dv_tensor_id *target)
{
    DV_TRY(dv_aten_operand(at, 0, x));
    return dv_aten_operand(at, 1, target);
}

/* mse_loss, l1_loss */
dv_status dv_aten_read_distance_loss(dv_aten_at *at)
{
    dv_tensor_id x, target;
    DV_TRY(read_two(at, &x, &target));
    DV_TRY(dv_aten_emit(at, DV_OP_SUB, NULL, x, target, &x));
    if (at->kind == DV_OP_ABS)
        DV_TRY(dv_aten_emit(at, DV_OP_ABS, NULL, x, DV_NONE, &x));
    else
        DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, x, x, &x));
    return finish_loss(at, 2, x);
}

/* d^2 / 2 up to a bound, a line beyond: m (d - m / 2) with m = min(d, bound); smooth_l1_loss
   divides by the bound (beta, delta). */
dv_status dv_aten_read_huber_loss(dv_aten_at *at)
{
    dv_op_params held = {.clamp = {.min = -INFINITY}};
    bool smooth = strstr(at->call->source_type, "smooth") != NULL;
    dv_tensor_id x, target, near, half;
    DV_TRY(read_two(at, &x, &target));
    DV_TRY(dv_aten_real(at, 3, &held.clamp.max));
    DV_TRY(dv_aten_emit(at, DV_OP_SUB, NULL, x, target, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_ABS, NULL, x, DV_NONE, &x));
    if (held.clamp.max == 0)
        return finish_loss(at, 2, x);
    DV_TRY(dv_aten_emit(at, DV_OP_CLAMP, &held, x, DV_NONE, &near));
    half = near;
    DV_TRY(dv_aten_times(at, 0.5, &half));
    DV_TRY(dv_aten_emit(at, DV_OP_SUB, NULL, x, half, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, x, near, &x));
    if (smooth)
        DV_TRY(dv_aten_times(at, 1 / held.clamp.max, &x));
    return finish_loss(at, 2, x);
}

static dv_status weigh(dv_aten_at *at, uint32_t weight_at, dv_tensor_id *x)
{
    dv_tensor_id weight;
    DV_TRY(dv_aten_option(at, weight_at, &weight));
    return weight == DV_NONE ? DV_OK : dv_aten_emit(at, DV_OP_MUL, NULL, *x, weight, x);
}

/* (self, target, weight, reduction): -(t log x + (1 - t) log(1 - x)), logarithms from -100 on. */
dv_status dv_aten_read_cross_entropy_of_two(dv_aten_at *at)
{
    dv_op_params held = {.clamp = {-100, INFINITY}};
    dv_tensor_id x, target, sides[2], shares[2];
    DV_TRY(read_two(at, &x, &target));
    dv_dtype dtype = dv_aten_dtype_of(at, x);
    sides[0] = x;
    shares[0] = target;
    DV_TRY(dv_aten_scalar(at, dtype, 1, &sides[1]));
    DV_TRY(dv_aten_scalar(at, dtype, 1, &shares[1]));
    DV_TRY(dv_aten_emit(at, DV_OP_SUB, NULL, sides[1], x, &sides[1]));
    DV_TRY(dv_aten_emit(at, DV_OP_SUB, NULL, shares[1], target, &shares[1]));
    for (int i = 0; i < 2; i++) {
        DV_TRY(dv_aten_emit(at, DV_OP_LOG, NULL, sides[i], DV_NONE, &sides[i]));
        DV_TRY(dv_aten_emit(at, DV_OP_CLAMP, &held, sides[i], DV_NONE, &sides[i]));
        DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, sides[i], shares[i], &sides[i]));
    }
    DV_TRY(dv_aten_emit(at, DV_OP_ADD, NULL, sides[0], sides[1], &x));
    DV_TRY(dv_aten_emit(at, DV_OP_NEG, NULL, x, DV_NONE, &x));
    DV_TRY(weigh(at, 2, &x));
    return finish_loss(at, 3, x);
}

/* (self, target, weight, pos_weight, reduction): (1 - t) x + (1 + (p - 1) t) log(1 + e^-x) */
dv_status dv_aten_read_cross_entropy_of_logits(dv_aten_at *at)
{
    dv_tensor_id x, target, positive, rest, soft, share;
    DV_TRY(read_two(at, &x, &target));
    DV_TRY(dv_aten_option(at, 3, &positive));
    DV_TRY(dv_aten_scalar(at, dv_aten_dtype_of(at, x), 1, &rest));
    DV_TRY(dv_aten_emit(at, DV_OP_SUB, NULL, rest, target, &rest));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, rest, x, &rest));
    DV_TRY(dv_aten_emit(at, DV_OP_NEG, NULL, x, DV_NONE, &soft));
    DV_TRY(dv_aten_emit(at, DV_OP_SOFTPLUS, NULL, soft, DV_NONE, &soft));
    if (positive != DV_NONE) {
        share = positive;
        DV_TRY(dv_aten_with(at, DV_OP_SUB, 1, &share));
        DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, share, target, &share));
        DV_TRY(dv_aten_with(at, DV_OP_ADD, 1, &share));
        DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, soft, share, &soft));
    }
    DV_TRY(dv_aten_emit(at, DV_OP_ADD, NULL, rest, soft, &x));
    DV_TRY(weigh(at, 2, &x));
    return finish_loss(at, 4, x);
}

/* (self, target, reduction, log_target): t (log t - x), nothing where t is 0. */
dv_status dv_aten_read_kl_div(dv_aten_at *at)
{
    dv_op_params held = {.clamp = {0x1p-126, INFINITY}};
    dv_tensor_id x, target, size, log;
    bool is_log;
    DV_TRY(read_two(at, &x, &target));
    DV_TRY(dv_aten_flag(at, 3, &is_log));
    size = log = target;
    if (is_log) {
        DV_TRY(dv_aten_emit(at, DV_OP_EXP, NULL, target, DV_NONE, &size));
    } else {
        DV_TRY(dv_aten_emit(at, DV_OP_CLAMP, &held, target, DV_NONE, &log));
        DV_TRY(dv_aten_emit(at, DV_OP_LOG, NULL, log, DV_NONE, &log));
    }
    DV_TRY(dv_aten_emit(at, DV_OP_SUB, NULL, log, x, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, x, size, &x));
    return finish_loss(at, 2, x);
}

/* ---- classes ---- */

/* What the classes of the targets have in x [N, C, ...], negative, times their weights, which are 0
   where a target is to be ignored; the weights. */
static dv_status pick(dv_aten_at *at, dv_tensor_id x, dv_tensor_id *weights, dv_tensor_id *losses)
{
    dv_op_params open = {.axes = {.count = 1, .axes = {1}}}, along = {.axis = {.axis = 1}};
    dv_tensor_id target, classes, ignored, counts, zero;
    int64_t skip;
    dv_dtype dtype = dv_aten_dtype_of(at, x);
    DV_TRY(dv_aten_input(at, 1, &target));
    DV_TRY(dv_aten_option(at, 2, &classes));
    DV_TRY(dv_aten_int(at, 4, &skip));
    DV_TRY(dv_aten_cast(at, DV_DTYPE_I64, &target));
    DV_TRY(dv_aten_scalar(at, DV_DTYPE_I64, (double)skip, &ignored));
    DV_TRY(dv_aten_scalar(at, DV_DTYPE_I64, 0, &zero));
    DV_TRY(dv_aten_emit(at, DV_OP_NE, NULL, target, ignored, &counts));
    dv_tensor_id choice[3] = {counts, target, zero};
    DV_TRY(dv_aten_emit_all(at, DV_OP_WHERE, NULL, choice, 3, &target));
    DV_TRY(dv_aten_cast(at, dtype, &counts));
    if (classes != DV_NONE) {
        along.axis.axis = 0;
        DV_TRY(dv_aten_emit(at, DV_OP_INDEX_SELECT, &along, classes, target, &classes));
        DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, counts, classes, &counts));
        along.axis.axis = 1;
    }
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, target, DV_NONE, &target));
    DV_TRY(dv_aten_emit(at, DV_OP_GATHER, &along, x, target, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_SQUEEZE, &open, x, DV_NONE, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_NEG, NULL, x, DV_NONE, &x));
    *weights = counts;
    return dv_aten_emit(at, DV_OP_MUL, NULL, x, counts, losses);
}

/* (self, target, weight, reduction, ignore_index); the mean is over the weights. */
static dv_status negative_likelihood(dv_aten_at *at, dv_tensor_id x)
{
    dv_op_params over = {0};
    dv_tensor_id losses, weights, all;
    int64_t reduction;
    DV_TRY(dv_aten_int(at, 3, &reduction));
    DV_TRY(pick(at, x, &weights, &losses));
    if (at->call->output_count > 1) /* what all weights add up to */
        DV_TRY(dv_aten_finish_one(at, 1, DV_OP_SUM, &over, weights, DV_NONE));
    if (reduction == NONE)
        return dv_aten_finish_one(at, 0, DV_OP_IDENTITY, NULL, losses, DV_NONE);
    if (reduction == SUM)
        return dv_aten_finish_one(at, 0, DV_OP_SUM, &over, losses, DV_NONE);
    DV_TRY(dv_aten_emit(at, DV_OP_SUM, &over, losses, DV_NONE, &losses));
    DV_TRY(dv_aten_emit(at, DV_OP_SUM, &over, weights, DV_NONE, &all));
    return dv_aten_finish_one(at, 0, DV_OP_DIV, NULL, losses, all);
}

static bool has_classes(const dv_aten_at *at, dv_tensor_id x, dv_tensor_id target)
{
    uint8_t rank = dv_aten_rank_of(at, x);
    return rank != DV_RANK_UNKNOWN && rank >= 2 && dv_aten_rank_of(at, target) == rank - 1;
}

dv_status dv_aten_read_nll_loss(dv_aten_at *at)
{
    dv_tensor_id x, target;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_input(at, 1, &target));
    if (!has_classes(at, x, target))
        return dv_aten_opaque(at, "classes without a batch are not supported");
    return negative_likelihood(at, x);
}

/* Targets that are shares of classes: -sum(t log softmax(x)) along the classes. */
static dv_status shares_of_classes(dv_aten_at *at, dv_tensor_id x, dv_tensor_id target)
{
    dv_op_params over = {.reduce = {.count = 1, .axes = {1}}};
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, x, target, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_SUM, &over, x, DV_NONE, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_NEG, NULL, x, DV_NONE, &x));
    return finish_loss(at, 3, x);
}

/* (self, target, weight, reduction, ignore_index, label_smoothing) */
dv_status dv_aten_read_cross_entropy(dv_aten_at *at)
{
    dv_op_params along = {.axis = {.axis = 1}};
    dv_tensor_id x, target;
    double smoothing;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_input(at, 1, &target));
    DV_TRY(dv_aten_real(at, 5, &smoothing));
    bool shares = dv_dtype_is_float(dv_aten_dtype_of(at, target));
    if (smoothing != 0)
        return dv_aten_opaque(at, "smoothed labels are not supported");
    if (shares ? dv_aten_given(at, 2) || dv_aten_rank_of(at, x) < 2 : !has_classes(at, x, target))
        return dv_aten_opaque(at, "targets of this shape are not supported");
    DV_TRY(dv_aten_emit(at, DV_OP_LOG_SOFTMAX, &along, x, DV_NONE, &x));
    return shares ? shares_of_classes(at, x, target) : negative_likelihood(at, x);
}
