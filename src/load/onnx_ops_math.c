/* onnx_ops_math.c - element-wise operators and reductions. */
#include <math.h>

#include "load/onnx_ops.h"

dv_status dv_onnx_op_plain(dv_onnx_at *at)
{
    (void)at;
    return DV_OK;
}

/* Before opset 7, broadcast = 1 with axis = k lays the second operand's dims at k of the first:
   ones have to follow it, as many as only the first operand's rank can tell. */
static dv_status align_at_axis(dv_onnx_at *at, int64_t axis)
{
    const dv_shape *a = dv_onnx_shape_of(at, at->inputs[0]);
    const dv_shape *b = dv_onnx_shape_of(at, at->inputs[1]);
    if (a->rank == DV_RANK_UNKNOWN || b->rank == DV_RANK_UNKNOWN)
        return dv_onnx_opaque(at,
                              "its axis attribute (opset %lld) needs ranks that do not follow "
                              "from the model; convert the model to opset 7 or later",
                              (long long)at->opset);
    if (axis < 0)
        axis += a->rank;
    int64_t behind = a->rank - axis - b->rank;
    if (axis < 0 || behind < 0)
        return dv_fail(DV_BAD_INPUT, "attribute 'axis' is out of range");
    if (behind == 0)
        return DV_OK;
    dv_op_params params = {.axes = {.count = (uint8_t)behind}};
    for (int64_t i = 0; i < behind; i++)
        params.axes.axes[i] = b->rank + i;
    return dv_onnx_emit(at, DV_OP_UNSQUEEZE, &params, at->inputs[1], DV_NONE, &at->inputs[1]);
}

dv_status dv_onnx_op_binary(dv_onnx_at *at)
{
    if (!dv_onnx_has(at, "axis") || at->opset >= 7)
        return DV_OK;
    int64_t axis;
    bool broadcast;
    DV_TRY(dv_onnx_int(at, "axis", 0, &axis));
    DV_TRY(dv_onnx_flag(at, "broadcast", false, &broadcast));
    return broadcast ? align_at_axis(at, axis) : DV_OK;
}

/* Sum, Max, Min of n operands: n - 1 operators of two; of one: itself. */
dv_status dv_onnx_op_chain(dv_onnx_at *at)
{
    uint32_t count = at->op.input_count;
    dv_tensor_id left = at->inputs[0];
    for (uint32_t i = 0; i < count; i++)
        if (at->inputs[i] == DV_NONE)
            return dv_fail(DV_BAD_INPUT, "its input %u is missing", i);
    if (count == 1) {
        at->op.kind = DV_OP_IDENTITY;
        return DV_OK;
    }
    for (uint32_t i = 1; i + 1 < count; i++)
        DV_TRY(dv_onnx_emit(at, at->op.kind, NULL, left, at->inputs[i], &left));
    dv_onnx_become(at, at->op.kind, left, at->inputs[count - 1], DV_NONE);
    return DV_OK;
}

dv_status dv_onnx_op_mean(dv_onnx_at *at)
{
    uint32_t count = at->op.input_count;
    DV_TRY(dv_onnx_op_chain(at));
    if (count == 1)
        return DV_OK;
    dv_tensor_id sum, divisor;
    dv_dtype dtype = dv_onnx_input_dtype(at, 0);
    DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, at->inputs[0], at->inputs[1], &sum));
    DV_TRY(dv_onnx_scalar(at, dtype, count, &divisor));
    dv_onnx_become(at, DV_OP_DIV, sum, divisor, DV_NONE);
    return DV_OK;
}

dv_status dv_onnx_op_mod(dv_onnx_at *at)
{
    bool fmod_sign;
    DV_TRY(dv_onnx_flag(at, "fmod", false, &fmod_sign));
    if (fmod_sign)
        at->op.kind = DV_OP_FMOD;
    return DV_OK;
}

dv_status dv_onnx_op_alpha(dv_onnx_at *at)
{
    return dv_onnx_float(at, "alpha", 1.0, &at->op.params.scalar.alpha);
}

dv_status dv_onnx_op_leaky_relu(dv_onnx_at *at)
{
    return dv_onnx_float(at, "alpha", 0.01f, &at->op.params.scalar.alpha);
}

dv_status dv_onnx_op_hard_sigmoid(dv_onnx_at *at)
{
    DV_TRY(dv_onnx_float(at, "alpha", 0.2f, &at->op.params.scalar.alpha));
    return dv_onnx_float(at, "beta", 0.5, &at->op.params.scalar.beta);
}

dv_status dv_onnx_op_gelu(dv_onnx_at *at)
{
    dv_span approximate;
    DV_TRY(dv_onnx_text(at, "approximate", "none", &approximate));
    at->op.params.flag.on = dv_span_is(approximate, "tanh");
    if (!at->op.params.flag.on && !dv_span_is(approximate, "none"))
        return dv_onnx_opaque(at, "approximate = '%.*s' is not supported",
                              (int)(approximate.size > 40 ? 40 : approximate.size),
                              (const char *)approximate.data);
    return DV_OK;
}

/* Bounds are attributes before opset 11 (where +-3.4e38 stands for none), inputs since. */
dv_status dv_onnx_op_clip(dv_onnx_at *at)
{
    dv_clamp_params *clamp = &at->op.params.clamp;
    DV_TRY(dv_onnx_float(at, "min", -INFINITY, &clamp->min));
    DV_TRY(dv_onnx_float(at, "max", INFINITY, &clamp->max));
    const double none = 3.4028234e38;
    if (clamp->min <= -none)
        clamp->min = -INFINITY;
    if (clamp->max >= none)
        clamp->max = INFINITY;
    if (isnan(clamp->min) || isnan(clamp->max))
        return dv_fail(DV_BAD_INPUT, "a bound is not a number");
    return DV_OK;
}

/* One sign only: infinite, and on that side of zero. */
dv_status dv_onnx_op_is_inf(dv_onnx_at *at)
{
    bool positive, negative;
    DV_TRY(dv_onnx_flag(at, "detect_positive", true, &positive));
    DV_TRY(dv_onnx_flag(at, "detect_negative", true, &negative));
    if (positive && negative)
        return DV_OK;
    dv_tensor_id zero, infinite, side, x = at->inputs[0];
    DV_TRY(dv_onnx_scalar(at, dv_onnx_input_dtype(at, 0), 0.0, &zero));
    DV_TRY(dv_onnx_emit(at, DV_OP_ISINF, NULL, x, DV_NONE, &infinite));
    DV_TRY(dv_onnx_emit(at, positive ? DV_OP_GT : DV_OP_LT, NULL, x, zero, &side));
    if (!positive && !negative) /* nothing is looked for: below zero and above */
        DV_TRY(dv_onnx_emit(at, DV_OP_GT, NULL, x, zero, &infinite));
    dv_onnx_become(at, DV_OP_LOGICAL_AND, infinite, side, DV_NONE);
    return DV_OK;
}

dv_status dv_onnx_op_bit_shift(dv_onnx_at *at)
{
    dv_span direction;
    DV_TRY(dv_onnx_text(at, "direction", "", &direction));
    if (dv_span_is(direction, "RIGHT"))
        at->op.kind = DV_OP_SHIFT_RIGHT;
    else if (!dv_span_is(direction, "LEFT"))
        return dv_fail(DV_BAD_INPUT, "attribute 'direction' must be LEFT or RIGHT");
    return DV_OK;
}

/* gamma * elu(x) */
dv_status dv_onnx_op_selu(dv_onnx_at *at)
{
    dv_op_params elu = {0};
    double gamma;
    /* the defaults of opset 6; opsets 1 to 5 had 1.6732 and 1.0507 */
    bool early = at->opset < 6;
    DV_TRY(
        dv_onnx_float(at, "alpha", early ? 1.6732 : 1.67326319217681884765625, &elu.scalar.alpha));
    DV_TRY(dv_onnx_float(at, "gamma", early ? 1.0507 : 1.05070102214813232421875, &gamma));
    dv_tensor_id inner, factor;
    dv_dtype dtype = dv_onnx_input_dtype(at, 0);
    DV_TRY(dv_onnx_emit(at, DV_OP_ELU, &elu, at->inputs[0], DV_NONE, &inner));
    DV_TRY(dv_onnx_scalar(at, dtype, gamma, &factor));
    dv_onnx_become(at, DV_OP_MUL, inner, factor, DV_NONE);
    return DV_OK;
}

/* alpha * elu(x / alpha) with the plain elu: equals x above 0 and alpha (e^(x/alpha) - 1) below. */
dv_status dv_onnx_op_celu(dv_onnx_at *at)
{
    double alpha;
    DV_TRY(dv_onnx_float(at, "alpha", 1.0, &alpha));
    dv_op_params elu = {.scalar = {.alpha = 1.0}};
    dv_tensor_id divisor, inner, outer;
    DV_TRY(dv_onnx_scalar(at, dv_onnx_input_dtype(at, 0), alpha, &divisor));
    DV_TRY(dv_onnx_emit(at, DV_OP_DIV, NULL, at->inputs[0], divisor, &inner));
    DV_TRY(dv_onnx_emit(at, DV_OP_ELU, &elu, inner, DV_NONE, &outer));
    dv_onnx_become(at, DV_OP_MUL, outer, divisor, DV_NONE);
    return DV_OK;
}

/* x / (1 + |x|) */
dv_status dv_onnx_op_softsign(dv_onnx_at *at)
{
    dv_tensor_id one, size, below, x = at->inputs[0];
    DV_TRY(dv_onnx_scalar(at, dv_onnx_input_dtype(at, 0), 1.0, &one));
    DV_TRY(dv_onnx_emit(at, DV_OP_ABS, NULL, x, DV_NONE, &size));
    DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, size, one, &below));
    dv_onnx_become(at, DV_OP_DIV, x, below, DV_NONE);
    return DV_OK;
}

/* x tanh(softplus(x)) */
dv_status dv_onnx_op_mish(dv_onnx_at *at)
{
    dv_tensor_id soft, bent, x = at->inputs[0];
    DV_TRY(dv_onnx_emit(at, DV_OP_SOFTPLUS, NULL, x, DV_NONE, &soft));
    DV_TRY(dv_onnx_emit(at, DV_OP_TANH, NULL, soft, DV_NONE, &bent));
    dv_onnx_become(at, DV_OP_MUL, x, bent, DV_NONE);
    return DV_OK;
}

/* x where x > alpha, else 0 */
dv_status dv_onnx_op_thresholded_relu(dv_onnx_at *at)
{
    double alpha;
    DV_TRY(dv_onnx_float(at, "alpha", 1.0, &alpha));
    dv_dtype dtype = dv_onnx_input_dtype(at, 0);
    dv_tensor_id bound, zero, above, x = at->inputs[0];
    DV_TRY(dv_onnx_scalar(at, dtype, alpha, &bound));
    DV_TRY(dv_onnx_scalar(at, dtype, 0.0, &zero));
    DV_TRY(dv_onnx_emit(at, DV_OP_GT, NULL, x, bound, &above));
    dv_onnx_become(at, DV_OP_WHERE, above, x, zero);
    return DV_OK;
}

/* x + bias below -lambd, x - bias above lambd, else 0 */
dv_status dv_onnx_op_shrink(dv_onnx_at *at)
{
    double bias, lambda;
    DV_TRY(dv_onnx_float(at, "bias", 0.0, &bias));
    DV_TRY(dv_onnx_float(at, "lambd", 0.5, &lambda));
    dv_dtype dtype = dv_onnx_input_dtype(at, 0);
    dv_tensor_id low, high, shift, zero, is_low, is_high, up, down, rest, x = at->inputs[0];
    DV_TRY(dv_onnx_scalar(at, dtype, -lambda, &low));
    DV_TRY(dv_onnx_scalar(at, dtype, lambda, &high));
    DV_TRY(dv_onnx_scalar(at, dtype, bias, &shift));
    DV_TRY(dv_onnx_scalar(at, dtype, 0.0, &zero));
    DV_TRY(dv_onnx_emit(at, DV_OP_LT, NULL, x, low, &is_low));
    DV_TRY(dv_onnx_emit(at, DV_OP_GT, NULL, x, high, &is_high));
    DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, x, shift, &up));
    DV_TRY(dv_onnx_emit(at, DV_OP_SUB, NULL, x, shift, &down));
    DV_TRY(dv_onnx_emit3(at, DV_OP_WHERE, NULL, (dv_tensor_id[]){is_high, down, zero}, &rest));
    dv_onnx_become(at, DV_OP_WHERE, is_low, up, rest);
    return DV_OK;
}

/* Before opset 7 a slope of C elements lies along the channels, since then as broadcasting has it.
 */
dv_status dv_onnx_op_prelu(dv_onnx_at *at)
{
    if (at->opset >= 7)
        return DV_OK;
    const dv_shape *slope = dv_onnx_shape_of(at, at->inputs[1]);
    if (dv_shape_known(slope) && slope->rank == 1 && slope->dim[0] == 1)
        return DV_OK;
    const dv_shape *x = dv_onnx_shape_of(at, at->inputs[0]);
    if (slope->rank != 1 || x->rank == DV_RANK_UNKNOWN || x->rank < 2)
        return dv_onnx_opaque(at,
                              "its slope (opset %lld) needs a rank that does not follow from the "
                              "model; "
                              "convert the model to opset 7 or later",
                              (long long)at->opset);
    return align_at_axis(at, 1);
}

/* ---- casts ---- */

static dv_status cast_to(dv_onnx_at *at, int64_t type)
{
    at->op.params.cast.dtype = type < 0 ? DV_DTYPE_NONE : dv_onnx_dtype((uint32_t)type);
    if (at->op.params.cast.dtype == DV_DTYPE_NONE || at->op.params.cast.dtype == DV_DTYPE_STRING)
        return dv_onnx_opaque(at, "a cast to type %lld (%s) is not supported", (long long)type,
                              dv_onnx_type_name(type < 0 ? UINT32_MAX : (uint32_t)type));
    return DV_OK;
}

dv_status dv_onnx_op_cast(dv_onnx_at *at)
{
    const dv_onnx_attribute *to = dv_onnx_attribute_of(at, "to");
    if (!to)
        return dv_fail(DV_BAD_INPUT, "attribute 'to' is missing");
    if (to->given & DV_ONNX_S) { /* opsets 1 to 5 spell the type */
        for (uint32_t type = DV_ONNX_FLOAT; type <= DV_ONNX_BFLOAT16; type++)
            if (dv_span_is(to->s, dv_onnx_type_name(type)))
                return cast_to(at, type);
        return cast_to(at, -1);
    }
    int64_t type;
    DV_TRY(dv_onnx_int(at, "to", 0, &type));
    return cast_to(at, type > UINT32_MAX ? -1 : type);
}

dv_status dv_onnx_op_cast_like(dv_onnx_at *at)
{
    dv_dtype dtype = at->graph->tensors[at->inputs[1]].dtype;
    if (dtype == DV_DTYPE_NONE || dtype == DV_DTYPE_STRING)
        return dv_onnx_opaque(at, "the element type of its second input is not known");
    at->op.params.cast.dtype = dtype;
    at->op.input_count = 1;
    return DV_OK;
}

/* ---- reductions ---- */

dv_status dv_onnx_op_reduce(dv_onnx_at *at)
{
    dv_reduce_params *reduce = &at->op.params.reduce;
    size_t count;
    DV_TRY(dv_onnx_ints(at, "axes", DV_MAX_RANK, reduce->axes, &count));
    reduce->count = (uint8_t)count;
    DV_TRY(dv_onnx_flag(at, "noop_with_empty_axes", false, &reduce->noop_when_empty));
    return dv_onnx_flag(at, "keepdims", true, &reduce->keep_dims);
}

/* The reduction of x over the node's own axes, emitted. */
static dv_status emit_reduction(dv_onnx_at *at, dv_op_kind kind, bool keep_dims, dv_tensor_id x,
                                dv_tensor_id axes, dv_tensor_id *id)
{
    dv_op_params params = at->op.params;
    params.reduce.keep_dims = keep_dims;
    return dv_onnx_emit(at, kind, &params, x, axes, id);
}

static dv_tensor_id axes_input(const dv_onnx_at *at)
{
    return dv_onnx_given_input(at, 1) ? at->inputs[1] : DV_NONE;
}

dv_status dv_onnx_op_reduce_l1(dv_onnx_at *at)
{
    DV_TRY(dv_onnx_op_reduce(at));
    return dv_onnx_emit(at, DV_OP_ABS, NULL, at->inputs[0], DV_NONE, &at->inputs[0]);
}

dv_status dv_onnx_op_reduce_sum_square(dv_onnx_at *at)
{
    DV_TRY(dv_onnx_op_reduce(at));
    return dv_onnx_emit(at, DV_OP_MUL, NULL, at->inputs[0], at->inputs[0], &at->inputs[0]);
}

dv_status dv_onnx_op_reduce_l2(dv_onnx_at *at)
{
    dv_tensor_id sum;
    DV_TRY(dv_onnx_op_reduce_sum_square(at));
    DV_TRY(emit_reduction(at, DV_OP_SUM, at->op.params.reduce.keep_dims, at->inputs[0],
                          axes_input(at), &sum));
    dv_onnx_become(at, DV_OP_SQRT, sum, DV_NONE, DV_NONE);
    return DV_OK;
}

dv_status dv_onnx_op_reduce_log_sum(dv_onnx_at *at)
{
    dv_tensor_id sum;
    DV_TRY(dv_onnx_op_reduce(at));
    DV_TRY(emit_reduction(at, DV_OP_SUM, at->op.params.reduce.keep_dims, at->inputs[0],
                          axes_input(at), &sum));
    dv_onnx_become(at, DV_OP_LOG, sum, DV_NONE, DV_NONE);
    return DV_OK;
}

/* max + log(sum(exp(x - max))): without the maximum, exp would overflow. */
dv_status dv_onnx_op_reduce_log_sum_exp(dv_onnx_at *at)
{
    DV_TRY(dv_onnx_op_reduce(at));
    bool keep = at->op.params.reduce.keep_dims;
    dv_tensor_id axes = axes_input(at), x = at->inputs[0], most, shifted, power, sum, logarithm;
    DV_TRY(emit_reduction(at, DV_OP_AMAX, true, x, axes, &most));
    DV_TRY(dv_onnx_emit(at, DV_OP_SUB, NULL, x, most, &shifted));
    DV_TRY(dv_onnx_emit(at, DV_OP_EXP, NULL, shifted, DV_NONE, &power));
    DV_TRY(emit_reduction(at, DV_OP_SUM, keep, power, axes, &sum));
    DV_TRY(dv_onnx_emit(at, DV_OP_LOG, NULL, sum, DV_NONE, &logarithm));
    if (!keep)
        DV_TRY(emit_reduction(at, DV_OP_AMAX, false, x, axes, &most));
    dv_onnx_become(at, DV_OP_ADD, logarithm, most, DV_NONE);
    return DV_OK;
}

dv_status dv_onnx_op_argmax(dv_onnx_at *at)
{
    dv_reduce_params *reduce = &at->op.params.reduce;
    DV_TRY(dv_onnx_int(at, "axis", 0, &reduce->axes[0]));
    reduce->count = 1;
    DV_TRY(dv_onnx_flag(at, "select_last_index", false, &reduce->last));
    return dv_onnx_flag(at, "keepdims", true, &reduce->keep_dims);
}

dv_status dv_onnx_op_cumsum(dv_onnx_at *at)
{
    DV_TRY(dv_onnx_flag(at, "exclusive", false, &at->op.params.axis.exclusive));
    return dv_onnx_flag(at, "reverse", false, &at->op.params.axis.reverse);
}

/* Before opset 13 the input is flattened to 2-D around the axis first. */
dv_status dv_onnx_op_softmax(dv_onnx_at *at)
{
    at->op.params.axis.flatten_2d = at->opset < 13;
    return dv_onnx_int(at, "axis", at->opset < 13 ? 1 : -1, &at->op.params.axis.axis);
}
