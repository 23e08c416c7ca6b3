/* onnx_ops_ml.c - ai.onnx.ml: what scikit-learn's pipelines are made of, as far as tensors say it
   (https://onnx.ai/onnx/operators/#ai-onnx-ml). Trees, kernels and strings are kept by name
   (onnx_named.c). */
#include <math.h>

#include "load/onnx_ops.h"

/* An attribute's floats as a constant of those dims (rank 1 if rows is 0); DV_NONE if it is absent
   or has another number of elements than rows * columns (any number if columns is 0). */
static dv_status floats_of(dv_onnx_at *at, const char *name, size_t rows, size_t columns,
                           dv_tensor_id *id, size_t *count)
{
    const dv_onnx_attribute *a = dv_onnx_attribute_of(at, name);
    *id = DV_NONE;
    *count = 0;
    if (!a)
        return DV_OK;
    size_t most = a->body.size, wanted;
    float *values = dv_arena_array(at->arena, most, sizeof *values);
    if (!values)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    DV_TRY(dv_onnx_read_floats(a, at->file, most, values, count));
    if (*count == 0 || !dv_mul_size(rows ? rows : 1, columns, &wanted) ||
        (columns > 0 && *count != wanted))
        return DV_OK;
    DV_TRY(dv_onnx_floats(at, values, *count, id));
    if (rows == 0)
        return DV_OK;
    dv_op_params shape = {.view = {.shape = {.rank = 2, .dim = {(int64_t)rows, (int64_t)columns}}}};
    return dv_onnx_emit(at, DV_OP_VIEW, &shape, *id, DV_NONE, id);
}

static dv_status as_reals(dv_onnx_at *at, dv_tensor_id *id)
{
    dv_op_params params = {.cast = {DV_DTYPE_F32}};
    if (at->graph->tensors[at->inputs[0]].dtype == DV_DTYPE_F32) {
        *id = at->inputs[0];
        return DV_OK;
    }
    return dv_onnx_emit(at, DV_OP_CAST, &params, at->inputs[0], DV_NONE, id);
}

/* (x - offset) * scale */
dv_status dv_onnx_op_ml_scaler(dv_onnx_at *at)
{
    dv_tensor_id x, offset, scale;
    size_t count;
    DV_TRY(floats_of(at, "offset", 0, 0, &offset, &count));
    DV_TRY(floats_of(at, "scale", 0, 0, &scale, &count));
    DV_TRY(as_reals(at, &x));
    if (offset != DV_NONE)
        DV_TRY(dv_onnx_emit(at, DV_OP_SUB, NULL, x, offset, &x));
    dv_onnx_become(at, scale == DV_NONE ? DV_OP_IDENTITY : DV_OP_MUL, x, scale, DV_NONE);
    return DV_OK;
}

/* 1 where x is above the threshold, else 0. */
dv_status dv_onnx_op_ml_binarizer(dv_onnx_at *at)
{
    dv_tensor_id x, threshold, above;
    double value;
    DV_TRY(dv_onnx_float(at, "threshold", 0, &value));
    DV_TRY(as_reals(at, &x));
    DV_TRY(dv_onnx_scalar(at, DV_DTYPE_F32, value, &threshold));
    DV_TRY(dv_onnx_emit(at, DV_OP_GT, NULL, x, threshold, &above));
    dv_onnx_become(at, DV_OP_CAST, above, DV_NONE, DV_NONE);
    at->op.params.cast.dtype = DV_DTYPE_F32;
    return DV_OK;
}

/* Floats that are missing (equal to one value, or no numbers) become others, one a column. */
dv_status dv_onnx_op_ml_imputer(dv_onnx_at *at)
{
    dv_tensor_id x, others, missing, value;
    size_t count;
    double replaced;
    DV_TRY(dv_onnx_float(at, "replaced_value_float", 0, &replaced));
    if (!dv_onnx_has(at, "imputed_value_floats"))
        return dv_onnx_opaque(at, "only floats that are missing are supported");
    DV_TRY(floats_of(at, "imputed_value_floats", 0, 0, &others, &count));
    DV_TRY(as_reals(at, &x));
    if (others == DV_NONE)
        return dv_fail(DV_BAD_INPUT, "attribute 'imputed_value_floats' is empty");
    if (isnan(replaced)) {
        DV_TRY(dv_onnx_emit(at, DV_OP_ISNAN, NULL, x, DV_NONE, &missing));
    } else {
        DV_TRY(dv_onnx_scalar(at, DV_DTYPE_F32, replaced, &value));
        DV_TRY(dv_onnx_emit(at, DV_OP_EQ, NULL, x, value, &missing));
    }
    dv_onnx_become(at, DV_OP_WHERE, missing, others, x);
    return DV_OK;
}

/* Rows over the sum of their absolute values or the root of that of their squares; rows of 0 stay.
 */
dv_status dv_onnx_op_ml_normalizer(dv_onnx_at *at)
{
    dv_op_params last = {.reduce = {.axes = {-1}, .count = 1, .keep_dims = true}};
    dv_tensor_id x, length, least;
    dv_span norm;
    DV_TRY(dv_onnx_text(at, "norm", "MAX", &norm));
    bool squares = dv_span_is(norm, "L2");
    if (!squares && !dv_span_is(norm, "L1"))
        return dv_onnx_opaque(at, "norm '%.*s' is not supported", (int)norm.size,
                              (const char *)norm.data);
    DV_TRY(as_reals(at, &x));
    if (squares)
        DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, x, x, &length));
    else
        DV_TRY(dv_onnx_emit(at, DV_OP_ABS, NULL, x, DV_NONE, &length));
    DV_TRY(dv_onnx_emit(at, DV_OP_SUM, &last, length, DV_NONE, &length));
    DV_TRY(dv_onnx_scalar(at, DV_DTYPE_F32, 1e-37, &least));
    DV_TRY(dv_onnx_emit(at, DV_OP_MAXIMUM, NULL, length, least, &length));
    if (squares)
        DV_TRY(dv_onnx_emit(at, DV_OP_SQRT, NULL, length, DV_NONE, &length));
    dv_onnx_become(at, DV_OP_DIV, x, length, DV_NONE);
    return DV_OK;
}

/* Whole numbers as rows with a 1 in the column of their category; others' rows are 0. */
dv_status dv_onnx_op_ml_one_hot(dv_onnx_at *at)
{
    enum { MOST_CATEGORIES = 4096 };
    dv_op_params whole = {.cast = {DV_DTYPE_I64}}, last = {.axes = {.axes = {-1}, .count = 1}};
    int64_t values[MOST_CATEGORIES];
    size_t count;
    dv_tensor_id x, categories, is;
    if (!dv_onnx_has(at, "cats_int64s"))
        return dv_onnx_opaque(at, "only categories that are integers are supported");
    DV_TRY(dv_onnx_ints(at, "cats_int64s", MOST_CATEGORIES, values, &count));
    if (count == 0)
        return dv_fail(DV_BAD_INPUT, "attribute 'cats_int64s' is empty");
    DV_TRY(dv_onnx_emit(at, DV_OP_CAST, &whole, at->inputs[0], DV_NONE, &x));
    DV_TRY(dv_onnx_emit(at, DV_OP_UNSQUEEZE, &last, x, DV_NONE, &x));
    DV_TRY(dv_onnx_list(at, values, count, &categories));
    DV_TRY(dv_onnx_emit(at, DV_OP_EQ, NULL, x, categories, &is));
    dv_onnx_become(at, DV_OP_CAST, is, DV_NONE, DV_NONE);
    at->op.params.cast.dtype = DV_DTYPE_F32;
    return DV_OK;
}

/* The elements of x's last dim that the indices name, in one row if x has one dim. */
dv_status dv_onnx_op_ml_extractor(dv_onnx_at *at)
{
    dv_op_params flat = {.view = {.shape = {.rank = 1, .dim = {-1}}}};
    dv_op_params rows = {.axes = {.axes = {0}, .count = 1}};
    const dv_shape *shape = dv_onnx_shape_of(at, at->inputs[0]);
    dv_tensor_id x = at->inputs[0], index;
    if (shape->rank == DV_RANK_UNKNOWN)
        return dv_onnx_opaque(at, "the number of dimensions of its input is not known");
    DV_TRY(dv_onnx_emit(at, DV_OP_VIEW, &flat, at->inputs[1], DV_NONE, &index));
    if (shape->rank == 1)
        DV_TRY(dv_onnx_emit(at, DV_OP_UNSQUEEZE, &rows, x, DV_NONE, &x));
    dv_onnx_become(at, DV_OP_INDEX_SELECT, x, index, DV_NONE);
    at->op.params.axis.axis = -1;
    return DV_OK;
}

static dv_status linear(dv_onnx_at *at, size_t rows, dv_tensor_id *id, bool *done)
{
    const dv_shape *shape = dv_onnx_shape_of(at, at->inputs[0]);
    dv_tensor_id x, weight, bias;
    size_t count;
    *done = false;
    if (!dv_shape_known(shape) || shape->rank != 2 || shape->dim[1] < 1)
        return dv_onnx_opaque(at, "its input is not a matrix of known size");
    DV_TRY(floats_of(at, "coefficients", rows, (size_t)shape->dim[1], &weight, &count));
    if (weight == DV_NONE)
        return dv_onnx_opaque(at, "%zu coefficients do not fit %zu rows and %lld columns", count,
                              rows, (long long)shape->dim[1]);
    DV_TRY(floats_of(at, "intercepts", 0, rows, &bias, &count));
    if (bias == DV_NONE && count > 0)
        return dv_fail(DV_BAD_INPUT, "it has %zu intercepts and %zu rows", count, rows);
    DV_TRY(as_reals(at, &x));
    *done = true;
    dv_op_params plain = {.linear = {.alpha = 1, .beta = 1}};
    return bias == DV_NONE
               ? dv_onnx_emit(at, DV_OP_LINEAR, &plain, x, weight, id)
               : dv_onnx_emit3(at, DV_OP_LINEAR, &plain, (dv_tensor_id[]){x, weight, bias}, id);
}

dv_status dv_onnx_op_ml_linear_regressor(dv_onnx_at *at)
{
    int64_t targets;
    dv_span post;
    dv_tensor_id id;
    bool done;
    DV_TRY(dv_onnx_int(at, "targets", 1, &targets));
    DV_TRY(dv_onnx_text(at, "post_transform", "NONE", &post));
    if (targets < 1 || targets > INT32_MAX || !dv_span_is(post, "NONE"))
        return dv_onnx_opaque(at, "post_transform '%.*s' is not supported", (int)post.size,
                              (const char *)post.data);
    DV_TRY(linear(at, (size_t)targets, &id, &done));
    if (done)
        dv_onnx_become(at, DV_OP_IDENTITY, id, DV_NONE, DV_NONE);
    return DV_OK;
}

/* The label of the largest score, and the scores as softmax or the logistic function have them. */
dv_status dv_onnx_op_ml_linear_classifier(dv_onnx_at *at)
{
    enum { MOST_CLASSES = 4096 };
    dv_op_params last = {.reduce = {.axes = {-1}, .count = 1}};
    dv_tensor_id scores, best, names;
    dv_span post;
    bool done;
    int64_t labels[MOST_CLASSES];
    size_t count = 0;
    DV_TRY(dv_onnx_text(at, "post_transform", "NONE", &post));
    dv_op_kind kind = dv_span_is(post, "NONE")       ? DV_OP_IDENTITY
                      : dv_span_is(post, "SOFTMAX")  ? DV_OP_SOFTMAX
                      : dv_span_is(post, "LOGISTIC") ? DV_OP_SIGMOID
                                                     : DV_OP_OPAQUE;
    DV_TRY(dv_onnx_ints(at, "classlabels_ints", MOST_CLASSES, labels, &count));
    if (dv_onnx_has(at, "classlabels_strings") || count < 2 || kind == DV_OP_OPAQUE)
        return dv_onnx_opaque(at, "only labels that are integers, two or more, and the transforms "
                                  "NONE, SOFTMAX and LOGISTIC are supported");
    DV_TRY(linear(at, count, &scores, &done));
    if (!done)
        return DV_OK;
    DV_TRY(dv_onnx_list(at, labels, count, &names));
    DV_TRY(dv_onnx_emit(at, DV_OP_ARGMAX, &last, scores, DV_NONE, &best));
    if (at->op.output_count > 1 && at->outputs[1] != DV_NONE) {
        dv_op_params rows = {.axis = {.axis = -1}};
        DV_TRY(dv_onnx_emit_to(at, kind, kind == DV_OP_SOFTMAX ? &rows : NULL, scores, DV_NONE,
                               at->outputs[1]));
    }
    at->op.output_count = 1;
    dv_onnx_become(at, DV_OP_INDEX_SELECT, names, best, DV_NONE);
    return DV_OK;
}
