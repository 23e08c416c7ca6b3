/* onnx_ops_loss.c - losses over classes, as the operators that they are short for. */
#include "load/onnx_ops.h"

/* What both losses read: log-probabilities [N, C, ...], classes [N, ...], a weight for each class
   or none; elements of the class `ignored` do not count. */
typedef struct loss {
    dv_tensor_id logs, classes, weights;
    dv_span reduction;
    bool has_ignored;
    int64_t ignored;
    dv_dtype dtype;
} loss;

static dv_status read_loss(dv_onnx_at *at, loss *l)
{
    DV_TRY(dv_onnx_text(at, "reduction", "mean", &l->reduction));
    DV_TRY(dv_onnx_int(at, "ignore_index", 0, &l->ignored));
    if (!dv_span_is(l->reduction, "mean") && !dv_span_is(l->reduction, "sum") &&
        !dv_span_is(l->reduction, "none"))
        return dv_fail(DV_BAD_INPUT, "attribute 'reduction' must be none, sum or mean");
    /* no class has a number beyond these */
    l->has_ignored =
        dv_onnx_has(at, "ignore_index") && l->ignored > -(1LL << 53) && l->ignored < 1LL << 53;
    l->logs = at->inputs[0];
    l->classes = at->inputs[1];
    l->weights = dv_onnx_given_input(at, 2) ? at->inputs[2] : DV_NONE;
    l->dtype = dv_onnx_input_dtype(at, 0);
    return DV_OK;
}

/* The weight of every element: that of its class, nothing where it is ignored. DV_NONE: all 1. */
static dv_status emit_weights(dv_onnx_at *at, const loss *l, dv_tensor_id classes,
                              dv_tensor_id is_ignored, dv_tensor_id *id)
{
    dv_op_params first_axis = {.axis = {.axis = 0}};
    dv_tensor_id nothing, one;
    *id = DV_NONE;
    if (l->weights != DV_NONE)
        DV_TRY(dv_onnx_emit(at, DV_OP_INDEX_SELECT, &first_axis, l->weights, classes, id));
    if (is_ignored == DV_NONE)
        return DV_OK;
    DV_TRY(dv_onnx_scalar(at, l->dtype, 0.0, &nothing));
    DV_TRY(dv_onnx_scalar(at, l->dtype, 1.0, &one));
    dv_tensor_id weight = *id == DV_NONE ? one : *id;
    return dv_onnx_emit3(at, DV_OP_WHERE, NULL, (dv_tensor_id[]){is_ignored, nothing, weight}, id);
}

/* op becomes the mean: by weight, if elements have one. */
static dv_status become_mean(dv_onnx_at *at, dv_tensor_id losses, dv_tensor_id weights)
{
    dv_op_params all = {.reduce = {.count = 0}};
    dv_tensor_id sum, total;
    if (weights == DV_NONE) {
        dv_onnx_become(at, DV_OP_MEAN, losses, DV_NONE, DV_NONE);
        at->op.params = all;
        return DV_OK;
    }
    DV_TRY(dv_onnx_emit(at, DV_OP_SUM, &all, losses, DV_NONE, &sum));
    DV_TRY(dv_onnx_emit(at, DV_OP_SUM, &all, weights, DV_NONE, &total));
    dv_onnx_become(at, DV_OP_DIV, sum, total, DV_NONE);
    return DV_OK;
}

/* -weight[class] * logs[class], summed or averaged over all elements, or left for each. */
static dv_status become_loss(dv_onnx_at *at, const loss *l)
{
    dv_op_params integer = {.cast = {DV_DTYPE_I64}}, all = {.reduce = {.count = 0}};
    dv_op_params channel = {.axes = {.count = 1, .axes = {1}}}, along = {.axis = {.axis = 1}};
    dv_tensor_id classes = l->classes, is_ignored = DV_NONE, zero, ignored, weights, losses;
    DV_TRY(dv_onnx_emit(at, DV_OP_CAST, &integer, classes, DV_NONE, &classes));
    if (l->has_ignored) { /* it need not be a class: read the first in its place */
        DV_TRY(dv_onnx_scalar(at, DV_DTYPE_I64, 0, &zero));
        DV_TRY(dv_onnx_scalar(at, DV_DTYPE_I64, (double)l->ignored, &ignored));
        DV_TRY(dv_onnx_emit(at, DV_OP_EQ, NULL, classes, ignored, &is_ignored));
        DV_TRY(dv_onnx_emit3(at, DV_OP_WHERE, NULL, (dv_tensor_id[]){is_ignored, zero, classes},
                             &classes));
    }
    DV_TRY(emit_weights(at, l, classes, is_ignored, &weights));
    DV_TRY(dv_onnx_emit(at, DV_OP_UNSQUEEZE, &channel, classes, DV_NONE, &losses));
    DV_TRY(dv_onnx_emit(at, DV_OP_GATHER, &along, l->logs, losses, &losses));
    DV_TRY(dv_onnx_emit(at, DV_OP_SQUEEZE, &channel, losses, DV_NONE, &losses));
    bool each = dv_span_is(l->reduction, "none");
    if (each && weights == DV_NONE) {
        dv_onnx_become(at, DV_OP_NEG, losses, DV_NONE, DV_NONE);
        return DV_OK;
    }
    DV_TRY(dv_onnx_emit(at, DV_OP_NEG, NULL, losses, DV_NONE, &losses));
    if (each) {
        dv_onnx_become(at, DV_OP_MUL, losses, weights, DV_NONE);
        return DV_OK;
    }
    if (weights != DV_NONE)
        DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, losses, weights, &losses));
    if (dv_span_is(l->reduction, "mean"))
        return become_mean(at, losses, weights);
    dv_onnx_become(at, DV_OP_SUM, losses, DV_NONE, DV_NONE);
    at->op.params = all;
    return DV_OK;
}

dv_status dv_onnx_op_likelihood_loss(dv_onnx_at *at)
{
    loss l;
    DV_TRY(read_loss(at, &l));
    return become_loss(at, &l);
}

/* The same of the scores' log-softmax, which is its second output. */
dv_status dv_onnx_op_cross_entropy_loss(dv_onnx_at *at)
{
    loss l;
    dv_op_params along = {.axis = {.axis = 1}};
    DV_TRY(read_loss(at, &l));
    if (at->op.output_count > 1 && at->outputs[1] != DV_NONE) {
        DV_TRY(dv_onnx_emit_to(at, DV_OP_LOG_SOFTMAX, &along, l.logs, DV_NONE, at->outputs[1]));
        l.logs = at->outputs[1];
    } else {
        DV_TRY(dv_onnx_emit(at, DV_OP_LOG_SOFTMAX, &along, l.logs, DV_NONE, &l.logs));
    }
    at->op.output_count = 1;
    return become_loss(at, &l);
}
