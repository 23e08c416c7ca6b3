/* infer_elementwise.c - shapes of element-wise operators, normalisations and reductions. */
#include <math.h>
#include <string.h>

#include "lower/evaluate.h"
#include "lower/infer.h"

/* Bounds that are computed while the network runs: a maximum, a minimum, or one of the other. */
static dv_status clamp_to_inputs(dv_infer *infer)
{
    const dv_tensor *min = dv_infer_input(infer, 1), *max = dv_infer_input(infer, 2);
    dv_dtype dtype = infer->dtypes[0];
    for (uint32_t i = 1; i < 3; i++) {
        size_t count;
        const dv_tensor *bound = dv_infer_input(infer, i);
        if (bound && (!dv_shape_elements(&bound->shape, &count) || count != 1 ||
                      bound->shape.rank > infer->shapes[0].rank || bound->dtype != dtype))
            return dv_infer_fail(infer, "a bound is not one number of its input's type");
    }
    infer->kind = min ? DV_OP_MAXIMUM : DV_OP_MINIMUM;
    infer->params = (dv_op_params){0};
    infer->input_count = 2;
    if (!min) {
        infer->inputs[1] = infer->inputs[2];
    } else if (max) {
        dv_made lower = {.source = infer->source,
                         .kind = DV_OP_MAXIMUM,
                         .input_count = 2,
                         .inputs = infer->inputs};
        dv_tensor_id id;
        DV_TRY(dv_rewrite_step(infer->rewrite, &lower, "lower", dtype, &infer->shapes[0], &id));
        infer->kind = DV_OP_MINIMUM;
        infer->inputs[0] = id;
        infer->inputs[1] = infer->inputs[2];
    }
    return DV_OK;
}

static bool is_computed(const dv_infer *infer, uint32_t i)
{
    const dv_tensor *tensor = dv_infer_input(infer, i);
    return tensor && tensor->role != DV_ROLE_CONSTANT;
}

/* A source form's constant bounds move into the parameters. */
static dv_status read_clamp(dv_infer *infer)
{
    dv_clamp_params *clamp = &infer->params.clamp;
    if (infer->input_count <= 3 && (is_computed(infer, 1) || is_computed(infer, 2)))
        return clamp_to_inputs(infer);
    if (infer->source->input_count > 1)
        *clamp = (dv_clamp_params){.min = -INFINITY, .max = INFINITY};
    if (dv_infer_input(infer, 1))
        DV_TRY(dv_infer_float(infer, 1, "lower bound", &clamp->min));
    if (dv_infer_input(infer, 2))
        DV_TRY(dv_infer_float(infer, 2, "upper bound", &clamp->max));
    if (isnan(clamp->min) || isnan(clamp->max))
        return dv_infer_fail(infer, "a bound is not a number");
    if (infer->input_count > 3)
        return dv_infer_fail(infer, "it has %u inputs, at most 3 are expected", infer->input_count);
    infer->input_count = 1;
    return DV_OK;
}

static dv_status read_integer(dv_infer *infer, const char *what, int64_t *value)
{
    size_t count;
    if (dv_infer_input(infer, 1)) {
        DV_TRY(dv_infer_ints(infer, 1, what, value, 1, &count));
        if (count != 1)
            return dv_infer_fail(infer, "its %s must be one number", what);
    }
    if (infer->input_count == 2)
        infer->input_count = 1;
    return DV_OK;
}

static dv_status check_parameter(const dv_infer *infer, uint32_t i, const char *what,
                                 const dv_shape *expected)
{
    const dv_tensor *tensor = dv_infer_input(infer, i);
    char have[DV_SHAPE_TEXT], want[DV_SHAPE_TEXT];
    if (tensor && !dv_shape_equal(&tensor->shape, expected))
        return dv_infer_fail(infer, "its %s is %s, expected %s", what,
                             dv_shape_text(&tensor->shape, have), dv_shape_text(expected, want));
    return DV_OK;
}

static dv_status check_norm(dv_infer *infer)
{
    static const char *const names[] = {"input", "weight", "bias", "mean", "variance"};
    dv_norm_params *norm = &infer->params.norm;
    const dv_shape *x = &infer->shapes[0];
    dv_shape expected = {.rank = 1};
    if (!(norm->eps >= 0 && isfinite(norm->eps)))
        return dv_infer_fail(infer, "an epsilon of %g", norm->eps);
    if (infer->kind == DV_OP_LAYER_NORM) {
        if (norm->axes < 1 || norm->axes > x->rank)
            return dv_infer_fail(infer, "it cannot normalise %lld of %u dimensions",
                                 (long long)norm->axes, (unsigned)x->rank);
        expected = dv_shape_make(x->dim + x->rank - norm->axes, (size_t)norm->axes);
    } else {
        if (x->rank < 2)
            return dv_infer_fail(infer, "its input has no channels");
        expected.dim[0] = x->dim[1];
    }
    if (infer->kind == DV_OP_GROUP_NORM) {
        if (norm->groups == 0)
            norm->groups = x->dim[1];
        if (norm->groups < 1 || x->dim[1] % norm->groups != 0)
            return dv_infer_fail(infer, "%lld groups do not divide %lld channels",
                                 (long long)norm->groups, (long long)x->dim[1]);
    }
    for (uint32_t i = 1; i < infer->input_count && i < 5; i++)
        DV_TRY(check_parameter(infer, i, names[i], &expected));
    return DV_OK;
}

static dv_status check_rows(dv_infer *infer)
{
    dv_axis_params *axis = &infer->params.axis;
    int64_t rank = infer->shapes[0].rank;
    if (axis->flatten_2d && axis->axis == rank) /* flattening to [all, 1] */
        return dv_infer_fail(infer, "axis %lld is out of range", (long long)axis->axis);
    if (rank == 0 && (axis->axis == 0 || axis->axis == -1)) {
        axis->axis = 0; /* a scalar counts as one row of one */
        return DV_OK;
    }
    return dv_infer_axis(infer, &axis->axis, rank);
}

dv_status dv_infer_same(dv_infer *infer)
{
    switch (infer->kind) {
    case DV_OP_CLAMP:
        return read_clamp(infer);
    case DV_OP_CUMSUM:
    case DV_OP_CUMPROD:
        DV_TRY(read_integer(infer, "axis", &infer->params.axis.axis));
        return check_rows(infer);
    case DV_OP_TRIL:
        if (infer->shapes[0].rank < 2)
            return dv_infer_fail(infer, "its input is no matrix");
        return read_integer(infer, "diagonal", &infer->params.tri.diagonal);
    case DV_OP_SOFTMAX:
    case DV_OP_LOG_SOFTMAX:
        return check_rows(infer);
    case DV_OP_BATCH_NORM:
    case DV_OP_LAYER_NORM:
    case DV_OP_GROUP_NORM:
        return check_norm(infer);
    case DV_OP_LRN:
        if (infer->shapes[0].rank < 2 || infer->params.lrn.size < 1)
            return dv_infer_fail(infer, "it cannot normalise %lld channels of its input",
                                 (long long)infer->params.lrn.size);
        return DV_OK;
    default:
        return DV_OK;
    }
}

dv_status dv_infer_boolean(dv_infer *infer)
{
    infer->dtypes[0] = DV_DTYPE_BOOL;
    return DV_OK;
}

/* An exponent or the like of another type: a constant is converted, anything else gets a cast. */
static dv_status convert_input(dv_infer *infer, uint32_t i, dv_dtype dtype)
{
    dv_rewrite *rewrite = infer->rewrite;
    dv_tensor_id folded = DV_NONE;
    dv_dtype have = dv_infer_input(infer, i)->dtype;
    if (have == DV_DTYPE_STRING || have == DV_DTYPE_NONE || dtype == DV_DTYPE_STRING ||
        dtype == DV_DTYPE_NONE)
        return dv_infer_fail(infer, "inputs of %s and %s do not match", dv_dtype_name(dtype),
                             dv_dtype_name(have));
    if (dv_infer_input(infer, i)->role == DV_ROLE_CONSTANT)
        DV_TRY(dv_fold_cast(rewrite, infer->source, infer->inputs[i], dtype, &folded));
    if (folded != DV_NONE) {
        infer->inputs[i] = folded;
        return DV_OK;
    }
    dv_made made = {.source = infer->source,
                    .kind = DV_OP_CAST,
                    .params.cast.dtype = dtype,
                    .input_count = 1,
                    .inputs = &infer->inputs[i]};
    dv_shape shape = dv_infer_input(infer, i)->shape;
    dv_tensor_id id;
    DV_TRY(dv_rewrite_step(rewrite, &made, "cast", dtype, &shape, &id));
    infer->inputs[i] = id;
    return DV_OK;
}

static dv_status broadcast(dv_infer *infer, uint32_t first)
{
    char as[DV_SHAPE_TEXT], bs[DV_SHAPE_TEXT];
    if (infer->kind == DV_OP_POW &&
        dv_infer_input(infer, 0)->dtype != dv_infer_input(infer, 1)->dtype)
        DV_TRY(convert_input(infer, 1, dv_infer_input(infer, 0)->dtype));
    const dv_tensor *a = dv_infer_input(infer, first), *b = dv_infer_input(infer, first + 1);
    if (!dv_shape_broadcast(&a->shape, &b->shape, &infer->shapes[0]))
        return dv_infer_fail(infer, "inputs %s and %s do not match", dv_shape_text(&a->shape, as),
                             dv_shape_text(&b->shape, bs));
    if (a->dtype != b->dtype || a->dtype == DV_DTYPE_STRING)
        return dv_infer_fail(infer, "inputs of %s and %s do not match", dv_dtype_name(a->dtype),
                             dv_dtype_name(b->dtype));
    infer->dtypes[0] = a->dtype;
    return DV_OK;
}

dv_status dv_infer_broadcast(dv_infer *infer)
{
    DV_TRY(broadcast(infer, 0));
    if (infer->kind == DV_OP_PRELU &&
        !dv_shape_equal(&infer->shapes[0], &dv_infer_input(infer, 0)->shape))
        return dv_infer_fail(infer, "its slope is larger than its input");
    return DV_OK;
}

dv_status dv_infer_compare(dv_infer *infer)
{
    DV_TRY(broadcast(infer, 0));
    infer->dtypes[0] = DV_DTYPE_BOOL;
    return DV_OK;
}

/* The choice of an If: the operand that a known condition takes, else two of the same shape. */
static dv_status infer_choice(dv_infer *infer, const dv_tensor *condition)
{
    char as[DV_SHAPE_TEXT], bs[DV_SHAPE_TEXT];
    size_t count;
    int64_t truth;
    if (!dv_shape_elements(&condition->shape, &count) || count != 1)
        return dv_infer_fail(infer, "its condition %s is not one element",
                             dv_shape_text(&condition->shape, as));
    bool known = condition->role == DV_ROLE_CONSTANT && dv_tensor_read_i64(condition, 0, 1, &truth);
    uint32_t taken = known && !truth ? 2 : 1;
    const dv_tensor *value = dv_infer_input(infer, taken),
                    *other = dv_infer_input(infer, 3 - taken);
    infer->shapes[0] = value->shape;
    infer->dtypes[0] = value->dtype;
    infer->params.flag.on = false;
    if (known) {
        infer->kind = DV_OP_IDENTITY;
        infer->inputs[0] = infer->inputs[taken];
        infer->input_count = 1;
        return DV_OK;
    }
    if (value->dtype != other->dtype || !dv_shape_equal(&value->shape, &other->shape))
        return dv_infer_fail(infer,
                             "its branches make %s %s and %s %s; which of them is not known "
                             "before it runs",
                             dv_dtype_name(value->dtype), dv_shape_text(&value->shape, as),
                             dv_dtype_name(other->dtype), dv_shape_text(&other->shape, bs));
    if (condition->shape.rank <= value->shape.rank)
        return DV_OK;
    /* a condition of more dims than the branches would widen the result: make it a scalar */
    dv_made scalar = {.source = infer->source,
                      .kind = DV_OP_VIEW,
                      .input_count = 1,
                      .inputs = (dv_tensor_id[]){infer->inputs[0]}};
    return dv_rewrite_step(infer->rewrite, &scalar, "condition", DV_DTYPE_BOOL,
                           &scalar.params.view.shape, &infer->inputs[0]);
}

dv_status dv_infer_where(dv_infer *infer)
{
    const dv_tensor *condition = dv_infer_input(infer, 0);
    char as[DV_SHAPE_TEXT];
    if (condition->dtype != DV_DTYPE_BOOL)
        return dv_infer_fail(infer, "its condition is %s, not bool",
                             dv_dtype_name(condition->dtype));
    if (infer->params.flag.on)
        return infer_choice(infer, condition);
    DV_TRY(broadcast(infer, 1));
    dv_shape values = infer->shapes[0];
    if (!dv_shape_broadcast(&condition->shape, &values, &infer->shapes[0]))
        return dv_infer_fail(infer, "its condition %s does not match",
                             dv_shape_text(&condition->shape, as));
    return DV_OK;
}

/* The shape that is left when the axes, sorted, are reduced. */
static dv_shape reduced(const dv_shape *x, const dv_reduce_params *reduce)
{
    dv_shape y = {0};
    uint8_t next = 0;
    for (uint8_t d = 0; d < x->rank; d++) {
        bool gone = next < reduce->count && reduce->axes[next] == d;
        next = (uint8_t)(next + gone);
        if (!gone || reduce->keep_dims)
            y.dim[y.rank++] = gone ? 1 : x->dim[d];
    }
    return y;
}

dv_status dv_infer_reduce(dv_infer *infer)
{
    dv_reduce_params *reduce = &infer->params.reduce;
    const dv_shape x = infer->shapes[0];
    size_t count = reduce->count;
    if (dv_infer_input(infer, 1))
        DV_TRY(dv_infer_ints(infer, 1, "axes", reduce->axes, DV_MAX_RANK, &count));
    if (infer->input_count == 2)
        infer->input_count = 1;
    if (count > DV_MAX_RANK)
        return dv_infer_fail(infer, "it has %zu axes", count);
    if (x.rank == 0 || (count == 0 && reduce->noop_when_empty)) {
        for (size_t i = 0; i < count; i++)
            if (reduce->axes[i] != 0 && reduce->axes[i] != -1)
                return dv_infer_fail(infer, "a scalar has no axis %lld",
                                     (long long)reduce->axes[i]);
        infer->kind = DV_OP_IDENTITY; /* nothing is reduced */
        infer->params = (dv_op_params){0};
        return DV_OK;
    }
    if (count == 0)
        for (; count < x.rank; count++)
            reduce->axes[count] = (int64_t)count;
    reduce->count = (uint8_t)count;
    DV_TRY(dv_infer_axes(infer, reduce->axes, count, x.rank));
    for (size_t i = count; i < DV_MAX_RANK; i++)
        reduce->axes[i] = 0;
    for (size_t i = 0; i < count; i++)
        if (x.dim[reduce->axes[i]] == 0 && infer->kind == DV_OP_MEAN)
            return dv_infer_fail(infer, "nothing to reduce along axis %lld",
                                 (long long)reduce->axes[i]);
    infer->shapes[0] = reduced(&x, reduce);
    return DV_OK;
}

dv_status dv_infer_argmax(dv_infer *infer)
{
    dv_reduce_params *reduce = &infer->params.reduce;
    const dv_shape x = infer->shapes[0];
    if (reduce->count == 0 && x.rank == 1)
        reduce->count = 1;
    if (reduce->count != 1)
        return dv_infer_fail(infer, "it needs exactly one axis");
    DV_TRY(dv_infer_axis(infer, &reduce->axes[0], x.rank));
    if (x.dim[reduce->axes[0]] == 0)
        return dv_infer_fail(infer, "nothing to reduce along axis %lld",
                             (long long)reduce->axes[0]);
    infer->shapes[0] = reduced(&x, reduce);
    infer->dtypes[0] = DV_DTYPE_I64;
    return DV_OK;
}

dv_status dv_infer_cast(dv_infer *infer)
{
    dv_dtype to = infer->params.cast.dtype;
    if (to <= DV_DTYPE_NONE || to >= DV_DTYPE_STRING || infer->dtypes[0] == DV_DTYPE_STRING)
        return dv_infer_fail(infer, "a cast from %s to %s is not supported",
                             dv_dtype_name(infer->dtypes[0]),
                             to >= 0 && to < DV_DTYPE_COUNT ? dv_dtype_name(to) : "nothing");
    infer->dtypes[0] = to;
    return DV_OK;
}
