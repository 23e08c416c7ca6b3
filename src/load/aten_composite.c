/* aten_composite.c - ATen operators that are a few of ours in a row, and those that are known by
   name alone. */
#include <math.h>
#include <string.h>

#include "load/aten_build.h"

static dv_dtype result_dtype(const dv_aten_at *at)
{
    return dv_aten_dtype_of(at, at->call->outputs[0]);
}

/* A number of argument i, or the tensor it is, in the result's type. */
static dv_status operand(dv_aten_at *at, uint32_t i, dv_tensor_id *id)
{
    double value;
    if (at->args[i].type == DV_ATEN_TENSOR) {
        *id = at->args[i].tensor;
        return dv_aten_cast(at, result_dtype(at), id);
    }
    DV_TRY(dv_aten_real(at, i, &value));
    return dv_aten_scalar(at, result_dtype(at), value, id);
}

/* self + value * (tensor1 op tensor2) */
dv_status dv_aten_read_add_product(dv_aten_at *at)
{
    dv_tensor_id self, a, b, factor;
    DV_TRY(operand(at, 0, &self));
    DV_TRY(operand(at, 1, &a));
    DV_TRY(operand(at, 2, &b));
    DV_TRY(operand(at, 3, &factor));
    DV_TRY(dv_aten_emit(at, at->kind, NULL, a, b, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, a, factor, &a));
    return dv_aten_finish(at, DV_OP_ADD, NULL, self, a, DV_NONE);
}

/* self + weight * (end - self) */
dv_status dv_aten_read_lerp(dv_aten_at *at)
{
    dv_tensor_id self, end, weight;
    DV_TRY(operand(at, 0, &self));
    DV_TRY(operand(at, 1, &end));
    DV_TRY(operand(at, 2, &weight));
    DV_TRY(dv_aten_emit(at, DV_OP_SUB, NULL, end, self, &end));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, end, weight, &end));
    return dv_aten_finish(at, DV_OP_ADD, NULL, self, end, DV_NONE);
}

/* log(x / (1 - x)), x held to [eps, 1 - eps] if that is given */
dv_status dv_aten_read_logit(dv_aten_at *at)
{
    dv_tensor_id x, one, rest;
    DV_TRY(operand(at, 0, &x));
    if (dv_aten_given(at, 1)) {
        dv_op_params held = {0};
        DV_TRY(dv_aten_real(at, 1, &held.clamp.min));
        held.clamp.max = 1 - held.clamp.min;
        DV_TRY(dv_aten_emit(at, DV_OP_CLAMP, &held, x, DV_NONE, &x));
    }
    DV_TRY(dv_aten_scalar(at, result_dtype(at), 1, &one));
    DV_TRY(dv_aten_emit(at, DV_OP_SUB, NULL, one, x, &rest));
    DV_TRY(dv_aten_emit(at, DV_OP_DIV, NULL, x, rest, &x));
    return dv_aten_finish(at, DV_OP_LOG, NULL, x, DV_NONE, DV_NONE);
}

/* The largest taken out before, so that nothing overflows. */
dv_status dv_aten_read_logsumexp(dv_aten_at *at)
{
    dv_op_params keep = {0}, drop;
    dv_tensor_id x, most;
    size_t count;
    bool keeps;
    DV_TRY(operand(at, 0, &x));
    DV_TRY(dv_aten_ints(at, 1, keep.reduce.axes, DV_MAX_RANK, &count));
    DV_TRY(dv_aten_flag(at, 2, &keeps));
    keep.reduce.count = (uint8_t)count;
    drop = keep;
    keep.reduce.keep_dims = true;
    drop.reduce.keep_dims = keeps;
    DV_TRY(dv_aten_emit(at, DV_OP_AMAX, &keep, x, DV_NONE, &most));
    dv_tensor_id rest, top;
    DV_TRY(dv_aten_emit(at, DV_OP_SUB, NULL, x, most, &rest));
    DV_TRY(dv_aten_emit(at, DV_OP_EXP, NULL, rest, DV_NONE, &rest));
    DV_TRY(dv_aten_emit(at, DV_OP_SUM, &drop, rest, DV_NONE, &rest));
    DV_TRY(dv_aten_emit(at, DV_OP_LOG, NULL, rest, DV_NONE, &rest));
    DV_TRY(dv_aten_emit(at, DV_OP_AMAX, &drop, x, DV_NONE, &top));
    return dv_aten_finish(at, DV_OP_ADD, NULL, rest, top, DV_NONE);
}

/* The first half along dim times the sigmoid of the second. */
dv_status dv_aten_read_glu(dv_aten_at *at)
{
    dv_op_params low = {.slice = {.count = 1, .step = {1}}}, high;
    dv_tensor_id x, value, gate;
    int64_t axis;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_axis(at, 1, x, &axis));
    const dv_shape shape = *dv_aten_shape_of(at, x);
    if (!dv_shape_known(&shape) || shape.rank == 0)
        return dv_aten_opaque(at, "the shape of its input is not known");
    low.slice.axes[0] = axis;
    low.slice.end[0] = shape.dim[axis] / 2;
    high = low;
    high.slice.begin[0] = shape.dim[axis] / 2;
    high.slice.end[0] = shape.dim[axis];
    DV_TRY(dv_aten_emit(at, DV_OP_SLICE, &low, x, DV_NONE, &value));
    DV_TRY(dv_aten_emit(at, DV_OP_SLICE, &high, x, DV_NONE, &gate));
    DV_TRY(dv_aten_emit(at, DV_OP_SIGMOID, NULL, gate, DV_NONE, &gate));
    return dv_aten_finish(at, DV_OP_MUL, NULL, value, gate, DV_NONE);
}

/* scale * elu(x, alpha): Klambauer et al. 2017 */
dv_status dv_aten_read_selu(dv_aten_at *at)
{
    dv_op_params params = {.scalar = {.alpha = 1.6732632423543772848170429916717}};
    dv_tensor_id x, scale;
    DV_TRY(operand(at, 0, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_ELU, &params, x, DV_NONE, &x));
    DV_TRY(dv_aten_scalar(at, result_dtype(at), 1.0507009873554804934193349852946, &scale));
    return dv_aten_finish(at, DV_OP_MUL, NULL, x, scale, DV_NONE);
}

/* A tensor of self's shape that holds value everywhere. */
dv_status dv_aten_read_fill(dv_aten_at *at)
{
    dv_tensor_id value, self;
    DV_TRY(dv_aten_input(at, 0, &self));
    const dv_shape *shape = dv_aten_shape_of(at, self);
    if (!dv_shape_known(shape))
        return dv_aten_opaque(at, "the shape of its input is not known");
    dv_op_params params = {.view = {.shape = *shape, .allow_zero = true}};
    DV_TRY(operand(at, 1, &value));
    return dv_aten_finish(at, DV_OP_EXPAND, &params, value, DV_NONE, DV_NONE);
}

/* One image at a time: the statistics of a batch of one are those of each channel. */
dv_status dv_aten_read_batch_statistics(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id x, weight, bias;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_option(at, 1, &weight));
    DV_TRY(dv_aten_option(at, 2, &bias));
    DV_TRY(dv_aten_real(at, 5, &params.norm.eps));
    const dv_shape *shape = dv_aten_shape_of(at, x);
    if (!dv_shape_known(shape) || shape->rank < 3 || shape->dim[0] != 1 || shape->dim[1] < 1)
        return dv_aten_opaque(at, "statistics over a batch are those of training");
    if (bias != DV_NONE && weight == DV_NONE)
        return dv_aten_opaque(at, "a bias without a weight is not supported");
    params.norm.groups = shape->dim[1];
    return dv_aten_finish(at, DV_OP_GROUP_NORM, &params, x, weight, bias);
}

/* ---- attention of ATen's own kernels: the arguments of scaled_dot_product_attention, elsewhere
   ---- */

static dv_status attend(dv_aten_at *at, uint32_t mask, uint32_t causal, uint32_t scale)
{
    dv_aten_value none = {.type = DV_ATEN_NONE}, off = {.type = DV_ATEN_BOOL};
    dv_aten_value as_usual[8] = {at->args[0],
                                 at->args[1],
                                 at->args[2],
                                 mask < DV_ATEN_MOST_ARGS ? at->args[mask] : none,
                                 none,
                                 at->args[causal],
                                 at->args[scale],
                                 off};
    memcpy(at->args, as_usual, sizeof as_usual);
    return dv_aten_read_attention(at);
}

/* (query, key, value, dropout_p, is_causal, attn_mask, scale) */
dv_status dv_aten_read_attention_cpu(dv_aten_at *at)
{
    return attend(at, 5, 4, 6);
}

/* (query, key, value, dropout_p, is_causal, return_debug_mask, scale) */
dv_status dv_aten_read_attention_flash(dv_aten_at *at)
{
    return attend(at, DV_ATEN_MOST_ARGS, 4, 6);
}

/* (query, key, value, attn_bias, compute_log_sumexp, dropout_p, is_causal, scale) */
dv_status dv_aten_read_attention_efficient(dv_aten_at *at)
{
    return attend(at, 3, 6, 7);
}

/* ---- known by name: platforms say who runs them, nobody here does ---- */

dv_status dv_aten_read_known(dv_aten_at *at)
{
    return dv_aten_opaque(at, "it is known by name, and has no kernel here");
}
