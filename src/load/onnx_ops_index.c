/* onnx_ops_index.c - reads and writes by index, orders, and what selects by position. */
#include "load/onnx_ops.h"

/* k is an attribute before opset 10, an input since. */
dv_status dv_onnx_op_topk(dv_onnx_at *at)
{
    dv_topk_params *topk = &at->op.params.topk;
    bool largest;
    DV_TRY(dv_onnx_int(at, "axis", -1, &topk->axis));
    DV_TRY(dv_onnx_int(at, "k", -1, &topk->k));
    DV_TRY(dv_onnx_flag(at, "largest", true, &largest));
    topk->smallest = !largest;
    if (topk->k < 0 && !dv_onnx_given_input(at, 1))
        return dv_fail(DV_BAD_INPUT, "its k is missing");
    return DV_OK;
}

dv_status dv_onnx_op_gather_nd(dv_onnx_at *at)
{
    return dv_onnx_int(at, "batch_dims", 0, &at->op.params.axis.axis);
}

dv_status dv_onnx_op_scatter(dv_onnx_at *at)
{
    static const char *const names[] = {"none", "add", "mul", "max", "min"};
    dv_scatter_params *scatter = &at->op.params.scatter;
    dv_span reduction;
    DV_TRY(dv_onnx_int(at, "axis", 0, &scatter->axis));
    DV_TRY(dv_onnx_text(at, "reduction", "none", &reduction));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (dv_span_is(reduction, names[i])) {
            scatter->mode = (dv_scatter_mode)i;
            return DV_OK;
        }
    }
    return dv_fail(DV_BAD_INPUT, "attribute 'reduction' must be none, add, mul, max or min");
}

dv_status dv_onnx_op_space_to_depth(dv_onnx_at *at)
{
    dv_shuffle_params *shuffle = &at->op.params.shuffle;
    DV_TRY(dv_onnx_int(at, "blocksize", 0, &shuffle->block));
    if (shuffle->block < 1 || shuffle->block > INT32_MAX)
        return dv_fail(DV_BAD_INPUT, "attribute 'blocksize' must be 1 or more");
    dv_span mode;
    DV_TRY(dv_onnx_text(at, "mode", "DCR", &mode));
    shuffle->dcr = dv_span_is(mode, "DCR");
    if (!shuffle->dcr && !dv_span_is(mode, "CRD"))
        return dv_fail(DV_BAD_INPUT, "attribute 'mode' must be DCR or CRD");
    return DV_OK;
}

/* ---- where an index is met ---- */

static dv_status emit_cast(dv_onnx_at *at, dv_tensor_id *id)
{
    dv_op_params integer = {.cast = {DV_DTYPE_I64}};
    if (at->graph->tensors[*id].dtype == DV_DTYPE_I64)
        return DV_OK;
    return dv_onnx_emit(at, DV_OP_CAST, &integer, *id, DV_NONE, id);
}

/* Indices below 0 count from depth. */
static dv_status emit_wrapped(dv_onnx_at *at, dv_tensor_id depth, dv_tensor_id *indices)
{
    dv_tensor_id zero, below, raised;
    DV_TRY(dv_onnx_scalar(at, DV_DTYPE_I64, 0, &zero));
    DV_TRY(dv_onnx_emit(at, DV_OP_LT, NULL, *indices, zero, &below));
    DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, *indices, depth, &raised));
    return dv_onnx_emit3(at, DV_OP_WHERE, NULL, (dv_tensor_id[]){below, raised, *indices}, indices);
}

/* The numbers 0 to depth - 1 along an axis, so many dims before the last. */
static dv_status emit_positions(dv_onnx_at *at, dv_tensor_id depth, int64_t behind,
                                dv_tensor_id *id)
{
    dv_tensor_id zero, one;
    dv_op_params ones = {.axes = {.count = (uint8_t)behind}};
    DV_TRY(dv_onnx_scalar(at, DV_DTYPE_I64, 0, &zero));
    DV_TRY(dv_onnx_scalar(at, DV_DTYPE_I64, 1, &one));
    DV_TRY(dv_onnx_emit3(at, DV_OP_ARANGE, NULL, (dv_tensor_id[]){zero, depth, one}, id));
    for (int64_t i = 0; i < behind; i++)
        ones.axes.axes[i] = 1 + i;
    return behind ? dv_onnx_emit(at, DV_OP_UNSQUEEZE, &ones, *id, DV_NONE, id) : DV_OK;
}

/* on where the new axis' position is the index, else off: inputs (indices, depth, [off, on]). */
dv_status dv_onnx_op_one_hot(dv_onnx_at *at)
{
    int64_t axis, behind = 0;
    DV_TRY(dv_onnx_int(at, "axis", -1, &axis));
    if (axis != -1) {
        const dv_shape *shape = dv_onnx_shape_of(at, at->inputs[0]);
        if (shape->rank == DV_RANK_UNKNOWN)
            return dv_onnx_opaque(
                at,
                "its axis %lld needs the rank of its indices, which does not follow from the model",
                (long long)axis);
        int64_t from_front = axis < 0 ? axis + shape->rank + 1 : axis;
        behind = shape->rank - from_front;
        if (from_front < 0 || behind < 0)
            return dv_fail(DV_BAD_INPUT, "attribute 'axis' is out of range");
    }
    dv_op_params at_axis = {.axes = {.count = 1, .axes = {axis}}};
    dv_op_params first = {.select = {0, 0}}, second = {.select = {0, 1}};
    dv_op_params one_number = {.axes = {.count = 0}};
    dv_tensor_id indices = at->inputs[0], depth = at->inputs[1], off, on, positions, met;
    DV_TRY(emit_cast(at, &indices));
    DV_TRY(emit_cast(at, &depth));
    DV_TRY(dv_onnx_emit(at, DV_OP_SQUEEZE, &one_number, depth, DV_NONE, &depth));
    DV_TRY(emit_wrapped(at, depth, &indices));
    DV_TRY(dv_onnx_emit(at, DV_OP_UNSQUEEZE, &at_axis, indices, DV_NONE, &indices));
    DV_TRY(emit_positions(at, depth, behind, &positions));
    DV_TRY(dv_onnx_emit(at, DV_OP_EQ, NULL, indices, positions, &met));
    DV_TRY(dv_onnx_emit(at, DV_OP_SELECT, &first, at->inputs[2], DV_NONE, &off));
    DV_TRY(dv_onnx_emit(at, DV_OP_SELECT, &second, at->inputs[2], DV_NONE, &on));
    dv_onnx_become(at, DV_OP_WHERE, met, on, off);
    return DV_OK;
}

static dv_status emit_full(dv_onnx_at *at, dv_tensor_id like, dv_dtype dtype, double value,
                           dv_tensor_id *id)
{
    dv_op_params whole = {.slice = {.count = 1, .end = {INT64_MAX}, .step = {1}}};
    dv_op_params fill = {.full = {{.rank = DV_RANK_UNKNOWN}, dtype, value}};
    dv_tensor_id shape;
    DV_TRY(dv_onnx_emit(at, DV_OP_SHAPE, &whole, like, DV_NONE, &shape));
    return dv_onnx_emit(at, DV_OP_FULL, &fill, shape, DV_NONE, id);
}

/* Ones, but for what lies above the k-th diagonal, and then for what lies below it. */
dv_status dv_onnx_op_eye_like(dv_onnx_at *at)
{
    int64_t type, k;
    DV_TRY(dv_onnx_int(at, "dtype", -1, &type));
    DV_TRY(dv_onnx_int(at, "k", 0, &k));
    dv_dtype dtype = dv_onnx_input_dtype(at, 0);
    if (type >= 0)
        dtype = type > UINT32_MAX ? DV_DTYPE_NONE : dv_onnx_dtype((uint32_t)type);
    if (dtype == DV_DTYPE_NONE || dtype == DV_DTYPE_STRING)
        return dv_onnx_opaque(at, "elements of type %lld are not supported", (long long)type);
    dv_op_params low = {.tri = {k, false}}, high = {.tri = {k, true}};
    dv_tensor_id ones, lower;
    DV_TRY(emit_full(at, at->inputs[0], dtype, 1.0, &ones));
    DV_TRY(dv_onnx_emit(at, DV_OP_TRIL, &low, ones, DV_NONE, &lower));
    dv_onnx_become(at, DV_OP_TRIL, lower, DV_NONE, DV_NONE);
    at->op.params = high;
    return DV_OK;
}

/* 1 where the first largest element of a line is, else 0. */
dv_status dv_onnx_op_hardmax(dv_onnx_at *at)
{
    int64_t axis;
    DV_TRY(dv_onnx_int(at, "axis", at->opset < 13 ? 1 : -1, &axis));
    const dv_shape *shape = dv_onnx_shape_of(at, at->inputs[0]);
    bool row = shape->rank != DV_RANK_UNKNOWN && (axis == -1 || axis == shape->rank - 1);
    if (at->opset < 13 && !row) /* flattened to 2-D around the axis */
        return dv_onnx_opaque(at,
                              "axis %lld (opset %lld) is not supported; convert the model to "
                              "opset 13",
                              (long long)axis, (long long)at->opset);
    dv_dtype dtype = dv_onnx_input_dtype(at, 0);
    dv_op_params largest = {.reduce = {.count = 1, .keep_dims = true, .axes = {axis}}};
    dv_op_params along = {.axis = {.axis = axis, .exclusive = true}};
    dv_tensor_id position, ones, positions, met, zero, one;
    DV_TRY(dv_onnx_scalar(at, dtype, 0.0, &zero));
    DV_TRY(dv_onnx_scalar(at, dtype, 1.0, &one));
    DV_TRY(dv_onnx_emit(at, DV_OP_ARGMAX, &largest, at->inputs[0], DV_NONE, &position));
    DV_TRY(emit_full(at, at->inputs[0], DV_DTYPE_I64, 1.0, &ones));
    DV_TRY(dv_onnx_emit(at, DV_OP_CUMSUM, &along, ones, DV_NONE, &positions));
    DV_TRY(dv_onnx_emit(at, DV_OP_EQ, NULL, positions, position, &met));
    dv_onnx_become(at, DV_OP_WHERE, met, one, zero);
    return DV_OK;
}
