/* onnx_ops_norm.c - normalisation over a layer, groups, channels or an axis. */
#include "load/onnx_ops.h"

/* ---- layer normalisation ---- */

/* What y = norm * scale + bias, the mean and the inverse deviation are made of when a node asks for
   more than y. */
static dv_status layer_norm_in_steps(dv_onnx_at *at)
{
    dv_dtype dtype = dv_onnx_input_dtype(at, 0);
    dv_norm_params norm = at->op.params.norm;
    bool bias = dv_onnx_given_input(at, 2);
    dv_op_params over = {.reduce = {.count = (uint8_t)norm.axes, .keep_dims = true}};
    dv_tensor_id eps, mean, inverse, centred, square, variance, raised, deviation, y;
    dv_tensor_id x = at->inputs[0], scale = at->inputs[1], shift = bias ? at->inputs[2] : DV_NONE;
    for (int64_t i = 0; i < norm.axes; i++)
        over.reduce.axes[i] = i - norm.axes;
    mean = at->outputs[1];
    if (mean != DV_NONE)
        DV_TRY(dv_onnx_emit_to(at, DV_OP_MEAN, &over, x, DV_NONE, mean));
    else
        DV_TRY(dv_onnx_emit(at, DV_OP_MEAN, &over, x, DV_NONE, &mean));
    DV_TRY(dv_onnx_scalar(at, dtype, norm.eps, &eps));
    DV_TRY(dv_onnx_emit(at, DV_OP_SUB, NULL, x, mean, &centred));
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, centred, centred, &square));
    DV_TRY(dv_onnx_emit(at, DV_OP_MEAN, &over, square, DV_NONE, &variance));
    DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, variance, eps, &raised));
    DV_TRY(dv_onnx_emit(at, DV_OP_SQRT, NULL, raised, DV_NONE, &deviation));
    inverse = at->op.output_count > 2 ? at->outputs[2] : DV_NONE;
    if (inverse != DV_NONE)
        DV_TRY(dv_onnx_emit_to(at, DV_OP_RECIPROCAL, NULL, deviation, DV_NONE, inverse));
    else
        DV_TRY(dv_onnx_emit(at, DV_OP_RECIPROCAL, NULL, deviation, DV_NONE, &inverse));
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, centred, inverse, &y));
    if (bias) {
        DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, y, scale, &y));
        dv_onnx_become(at, DV_OP_ADD, y, shift, DV_NONE);
    } else {
        dv_onnx_become(at, DV_OP_MUL, y, scale, DV_NONE);
    }
    return DV_OK;
}

/* The axis is from the front or from the back; the scale's rank tells the former. */
dv_status dv_onnx_op_layer_norm(dv_onnx_at *at)
{
    dv_norm_params *norm = &at->op.params.norm;
    int64_t axis, precision;
    DV_TRY(dv_onnx_float(at, "epsilon", 1e-5f, &norm->eps));
    DV_TRY(dv_onnx_int(at, "stash_type", 1, &precision));
    DV_TRY(dv_onnx_int(at, "axis", -1, &axis));
    const dv_shape *scale = &at->graph->tensors[at->inputs[1]].shape;
    if (axis < 0)
        norm->axes = axis < -DV_MAX_RANK ? 0 : -axis;
    else if (scale->rank != DV_RANK_UNKNOWN &&
             at->graph->tensors[at->inputs[0]].shape.rank == DV_RANK_UNKNOWN)
        norm->axes = scale->rank;
    else if (dv_onnx_shape_of(at, at->inputs[0])->rank != DV_RANK_UNKNOWN)
        norm->axes = dv_onnx_shape_of(at, at->inputs[0])->rank - axis;
    else
        return dv_onnx_opaque(at,
                              "its axis %lld counts from the front of a shape that does not "
                              "follow from the model",
                              (long long)axis);
    if (norm->axes < 1 || norm->axes > DV_MAX_RANK)
        return dv_fail(DV_BAD_INPUT, "attribute 'axis' is out of range");
    bool more = false;
    for (uint32_t i = 1; i < at->op.output_count; i++)
        more |= at->outputs[i] != DV_NONE;
    if (more)
        DV_TRY(layer_norm_in_steps(at));
    at->op.output_count = 1;
    return DV_OK;
}

/* ---- batch normalisation in training ---- */

/* kept * momentum + now * (1 - momentum), as output i of the node if that is asked for. */
static dv_status emit_running(dv_onnx_at *at, uint32_t i, dv_tensor_id kept, dv_tensor_id now,
                              double momentum)
{
    dv_dtype dtype = dv_onnx_input_dtype(at, 3);
    dv_tensor_id old_share, new_share;
    if (i >= at->op.output_count || at->outputs[i] == DV_NONE)
        return DV_OK;
    DV_TRY(dv_onnx_scalar(at, dtype, momentum, &old_share));
    DV_TRY(dv_onnx_scalar(at, dtype, 1 - momentum, &new_share));
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, kept, old_share, &kept));
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, now, new_share, &now));
    return dv_onnx_emit_to(at, DV_OP_ADD, NULL, kept, now, at->outputs[i]);
}

dv_status dv_onnx_batch_norm_in_training(dv_onnx_at *at)
{
    const dv_shape *shape = dv_onnx_shape_of(at, at->inputs[0]);
    dv_op_params over = {.reduce = {.count = 1}}, wide;
    dv_tensor_id x = at->inputs[0], mean, wide_mean, centred, square, variance;
    double momentum;
    DV_TRY(dv_onnx_float(at, "momentum", 0.9f, &momentum));
    if (at->opset < 14 || shape->rank == DV_RANK_UNKNOWN || shape->rank < 2)
        return dv_onnx_opaque(at, "training mode is not supported; export the model for inference");
    for (uint8_t d = 2; d < shape->rank; d++)
        over.reduce.axes[over.reduce.count++] = d;
    wide = over;
    wide.reduce.keep_dims = true;
    DV_TRY(dv_onnx_emit(at, DV_OP_MEAN, &over, x, DV_NONE, &mean));
    DV_TRY(dv_onnx_emit(at, DV_OP_MEAN, &wide, x, DV_NONE, &wide_mean));
    DV_TRY(dv_onnx_emit(at, DV_OP_SUB, NULL, x, wide_mean, &centred));
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, centred, centred, &square));
    DV_TRY(dv_onnx_emit(at, DV_OP_MEAN, &over, square, DV_NONE, &variance));
    DV_TRY(emit_running(at, 1, at->inputs[3], mean, momentum));
    DV_TRY(emit_running(at, 2, at->inputs[4], variance, momentum));
    at->inputs[3] = mean;
    at->inputs[4] = variance;
    at->op.output_count = 1;
    return DV_OK;
}

/* ---- group normalisation ---- */

dv_status dv_onnx_op_instance_norm(dv_onnx_at *at)
{
    return dv_onnx_float(at, "epsilon", 1e-5f, &at->op.params.norm.eps);
}

/* One number a group becomes one a channel: [groups, 1] repeated to [groups, channels / groups]. */
static dv_status spread(dv_onnx_at *at, uint32_t input, int64_t groups, int64_t channels)
{
    dv_op_params behind = {.axes = {.count = 1, .axes = {1}}};
    dv_op_params open = {.view = {.shape = {.rank = DV_RANK_UNKNOWN}}};
    dv_tensor_id id = at->inputs[input], wide, flat;
    DV_TRY(dv_onnx_list(at, (int64_t[]){groups, channels / groups}, 2, &wide));
    DV_TRY(dv_onnx_list(at, (int64_t[]){channels}, 1, &flat));
    DV_TRY(dv_onnx_emit(at, DV_OP_UNSQUEEZE, &behind, id, DV_NONE, &id));
    DV_TRY(dv_onnx_emit(at, DV_OP_EXPAND, &open, id, wide, &id));
    return dv_onnx_emit(at, DV_OP_VIEW, &open, id, flat, &at->inputs[input]);
}

/* Scale and bias are one a channel since opset 21; before, one a group. */
dv_status dv_onnx_op_group_norm(dv_onnx_at *at)
{
    dv_norm_params *norm = &at->op.params.norm;
    DV_TRY(dv_onnx_float(at, "epsilon", 1e-5f, &norm->eps));
    DV_TRY(dv_onnx_int(at, "num_groups", 0, &norm->groups));
    if (norm->groups < 1)
        return dv_fail(DV_BAD_INPUT, "attribute 'num_groups' must be 1 or more");
    if (at->opset >= 21)
        return DV_OK;
    const dv_shape *x = dv_onnx_shape_of(at, at->inputs[0]);
    if (x->rank == DV_RANK_UNKNOWN || x->rank < 2 || x->dim[1] < 0)
        return dv_onnx_opaque(at,
                              "scale and bias by group (opset %lld) need a number of channels "
                              "that does not follow from the model; convert the model to opset 21",
                              (long long)at->opset);
    int64_t channels = x->dim[1];
    if (channels % norm->groups != 0)
        return dv_fail(DV_BAD_INPUT, "%lld groups do not divide %lld channels",
                       (long long)norm->groups, (long long)channels);
    DV_TRY(spread(at, 1, norm->groups, channels));
    return spread(at, 2, norm->groups, channels);
}

/* ---- over axes, without parameters ---- */

/* x divided by the sum of its magnitudes along the axis, or by the root of its sum of squares; a
   line of zeros stays one. */
dv_status dv_onnx_op_lp_normalization(dv_onnx_at *at)
{
    int64_t axis, p;
    DV_TRY(dv_onnx_int(at, "axis", -1, &axis));
    DV_TRY(dv_onnx_int(at, "p", 2, &p));
    if (p != 1 && p != 2)
        return dv_fail(DV_BAD_INPUT, "attribute 'p' must be 1 or 2");
    dv_op_params over = {.reduce = {.count = 1, .keep_dims = true, .axes = {axis}}};
    dv_tensor_id size, norm, zero, one, empty, x = at->inputs[0];
    if (p == 1)
        DV_TRY(dv_onnx_emit(at, DV_OP_ABS, NULL, x, DV_NONE, &size));
    else
        DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, x, x, &size));
    DV_TRY(dv_onnx_emit(at, DV_OP_SUM, &over, size, DV_NONE, &norm));
    if (p == 2)
        DV_TRY(dv_onnx_emit(at, DV_OP_SQRT, NULL, norm, DV_NONE, &norm));
    DV_TRY(dv_onnx_scalar(at, dv_onnx_input_dtype(at, 0), 0.0, &zero));
    DV_TRY(dv_onnx_scalar(at, dv_onnx_input_dtype(at, 0), 1.0, &one));
    DV_TRY(dv_onnx_emit(at, DV_OP_EQ, NULL, norm, zero, &empty));
    DV_TRY(dv_onnx_emit3(at, DV_OP_WHERE, NULL, (dv_tensor_id[]){empty, one, norm}, &norm));
    dv_onnx_become(at, DV_OP_DIV, x, norm, DV_NONE);
    return DV_OK;
}

/* (x - mean) / (deviation + 1e-9) over the axes. */
dv_status dv_onnx_op_mean_variance(dv_onnx_at *at)
{
    dv_op_params over = {.reduce = {.keep_dims = true}};
    size_t count;
    DV_TRY(dv_onnx_ints(at, "axes", DV_MAX_RANK, over.reduce.axes, &count));
    if (count == 0) {
        static const int64_t preset[] = {0, 2, 3};
        for (; count < 3; count++)
            over.reduce.axes[count] = preset[count];
    }
    over.reduce.count = (uint8_t)count;
    dv_tensor_id mean, centred, square, variance, deviation, eps, below, x = at->inputs[0];
    DV_TRY(dv_onnx_scalar(at, dv_onnx_input_dtype(at, 0), 1e-9, &eps));
    DV_TRY(dv_onnx_emit(at, DV_OP_MEAN, &over, x, DV_NONE, &mean));
    DV_TRY(dv_onnx_emit(at, DV_OP_SUB, NULL, x, mean, &centred));
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, centred, centred, &square));
    DV_TRY(dv_onnx_emit(at, DV_OP_MEAN, &over, square, DV_NONE, &variance));
    DV_TRY(dv_onnx_emit(at, DV_OP_SQRT, NULL, variance, DV_NONE, &deviation));
    DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, deviation, eps, &below));
    dv_onnx_become(at, DV_OP_DIV, centred, below, DV_NONE);
    return DV_OK;
}
