/* affine.c - what scales and shifts channels by constants goes into the weights before it.

   y = scale[c] * (W * x + b)[c] + shift[c]: batch norm (Ioffe and Szegedy 2015, section 3.1), and
   multiplication, division, addition and subtraction by constants, behind a convolution or linear
   layer that nobody else reads. Weights stay where they are and are scaled as they are read. One
   walk; O(operators + edges + channels). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lower/canon.h"
#include "lower/passes.h"
#include "lower/scale.h"

/* Larger weights are not computed anew: an operator of its own costs less than so much memory. A
   batch norm is worth more of it than a multiplication. */
enum { MOST_WEIGHTS = 1 << 27, MOST_SCALED = 1 << 22, MOST_CHANNELS = 1 << 20 };

/* Per channel, in one allocation. */
typedef struct affine {
    size_t channels;
    double *scale, *shift;
} affine;

static dv_status affine_create(size_t channels, affine *a)
{
    a->channels = channels;
    a->scale = calloc(2 * channels + 1, sizeof *a->scale);
    if (!a->scale)
        return dv_fail(DV_NO_MEMORY, "out of memory while folding weights");
    a->shift = a->scale + channels;
    for (size_t c = 0; c < channels; c++)
        a->scale[c] = 1;
    return DV_OK;
}

/* A constant f32 tensor as one number a channel; one element counts for all channels. */
static bool read_channels(const dv_tensor *tensor, size_t channels, double *out)
{
    size_t count;
    if (tensor->role != DV_ROLE_CONSTANT || tensor->dtype != DV_DTYPE_F32 ||
        !dv_shape_elements(&tensor->shape, &count) || (count != 1 && count != channels))
        return false;
    for (size_t c = 0; c < channels; c++) {
        float value;
        (void)dv_tensor_read_f32(tensor, count == 1 ? 0 : c, 1, &value);
        out[c] = (double)value;
    }
    return true;
}

/* Does the constant, broadcast to y, vary along the channel axis only? */
static bool is_per_channel(const dv_shape *constant, const dv_shape *y, int axis)
{
    int lead = y->rank - constant->rank;
    for (int d = 0; d < constant->rank; d++)
        if (constant->dim[d] != 1 && d + lead != axis)
            return false;
    return lead >= 0;
}

static bool read_batch_norm(const dv_graph *graph, const dv_op *op, affine *a)
{
    double *p = calloc(3 * a->channels + 1, sizeof *p), *mean = p + a->channels,
           *variance = mean + a->channels;
    bool ok = p && read_channels(&graph->tensors[op->inputs[1]], a->channels, a->scale) &&
              read_channels(&graph->tensors[op->inputs[2]], a->channels, p) &&
              read_channels(&graph->tensors[op->inputs[3]], a->channels, mean) &&
              read_channels(&graph->tensors[op->inputs[4]], a->channels, variance);
    for (size_t c = 0; ok && c < a->channels; c++) {
        a->scale[c] /= sqrt(variance[c] + op->params.norm.eps);
        a->shift[c] = p[c] - mean[c] * a->scale[c];
        ok = isfinite(a->scale[c]) && isfinite(a->shift[c]);
    }
    free(p);
    return ok;
}

static bool read_arithmetic(const dv_graph *graph, const dv_op *op, affine *a)
{
    const dv_tensor *constant = &graph->tensors[op->inputs[1]];
    bool scales = op->kind == DV_OP_MUL || op->kind == DV_OP_DIV, ok = true;
    if (!read_channels(constant, a->channels, scales ? a->scale : a->shift))
        return false;
    for (size_t c = 0; ok && c < a->channels; c++) {
        if (op->kind == DV_OP_DIV)
            a->scale[c] = 1 / a->scale[c];
        if (op->kind == DV_OP_SUB)
            a->shift[c] = -a->shift[c];
        ok = isfinite(a->scale[c]) && isfinite(a->shift[c]);
    }
    return ok;
}

/* The axis of y that `before` makes channels along. */
static int channel_axis(const dv_op *before, const dv_shape *y)
{
    return before->kind == DV_OP_CONVOLUTION ? 1 : y->rank - 1;
}

/* Can op be folded into before, by the shapes alone? */
static bool fits(const dv_graph *graph, const dv_op *op, const dv_op *before)
{
    const dv_shape *y = &graph->tensors[op->outputs[0]].shape;
    if (!dv_shape_equal(&graph->tensors[op->inputs[0]].shape, y))
        return false;
    int axis = channel_axis(before, y);
    if (op->kind == DV_OP_BATCH_NORM)
        return axis == 1;
    return is_per_channel(&graph->tensors[op->inputs[1]].shape, y, axis);
}

/* The factor of every element of the weight: one a channel, channels along its first dim; behind it
   in a transposed weight, where each group has its own, and in a linear layer's [K, N]. */
static dv_status scale_weight(dv_rewrite *rewrite, const dv_op *before, const affine *a,
                              dv_tensor_id *id)
{
    const dv_shape *w = &dv_rewrite_at(rewrite, *id)->shape;
    bool is_conv = before->kind == DV_OP_CONVOLUTION;
    bool transposed = is_conv && before->params.conv.transposed;
    dv_factors factors = {.count = a->channels, .inner = 1, .factor = a->scale};
    if (!is_conv && before->params.linear.weight_kn)
        return dv_scale_constant(rewrite, &factors, "folded", id);
    for (uint8_t d = transposed ? 2 : 1; d < w->rank; d++)
        factors.inner *= (size_t)w->dim[d];
    if (!transposed || before->params.conv.groups == 1)
        return dv_scale_constant(rewrite, &factors, "folded", id);

    size_t rows = (size_t)w->dim[0], columns = (size_t)w->dim[1];
    size_t rows_of_group = rows / (size_t)before->params.conv.groups;
    double *each = calloc(rows * columns + 1, sizeof *each);
    if (!each)
        return dv_fail(DV_NO_MEMORY, "out of memory while folding weights");
    for (size_t i = 0; i < rows * columns; i++)
        each[i] = a->scale[i / columns / rows_of_group * columns + i % columns];
    factors.count = rows * columns;
    factors.factor = each;
    dv_status status = dv_scale_constant(rewrite, &factors, "folded", id);
    free(each);
    return status;
}

/* The bias times scale plus shift; *id may be DV_NONE. */
static dv_status scale_bias(dv_rewrite *rewrite, const char *weight_name, const affine *a,
                            dv_tensor_id *id)
{
    float *values = calloc(a->channels + 1, sizeof *values);
    if (!values)
        return dv_fail(DV_NO_MEMORY, "out of memory while folding a bias");
    const char *base = weight_name;
    if (*id != DV_NONE) {
        (void)dv_tensor_read_f32(dv_rewrite_at(rewrite, *id), 0, a->channels, values);
        base = dv_rewrite_at(rewrite, *id)->name;
    }
    for (size_t c = 0; c < a->channels; c++)
        values[c] = (float)((double)values[c] * a->scale[c] + a->shift[c]);
    dv_shape shape = {.rank = 1, .dim = {(int64_t)a->channels}};
    dv_status status =
        dv_rewrite_floats(rewrite, base, *id == DV_NONE ? "bias" : "folded", &shape, values, id);
    free(values);
    return status;
}

/* Can the weights of this operator of the new graph be changed? */
static bool has_foldable_weights(const dv_rewrite *rewrite, const dv_op *before)
{
    if (before->kind != DV_OP_CONVOLUTION &&
        (before->kind != DV_OP_LINEAR || before->params.linear.alpha != 1 ||
         before->params.linear.beta != 1 || before->params.linear.input_transposed))
        return false;
    const dv_tensor *weight = dv_rewrite_at(rewrite, before->inputs[1]);
    const dv_tensor *bias = before->input_count > 2 && before->inputs[2] != DV_NONE
                                ? dv_rewrite_at(rewrite, before->inputs[2])
                                : NULL;
    return weight->role == DV_ROLE_CONSTANT && weight->dtype == DV_DTYPE_F32 &&
           (!bias || (bias->role == DV_ROLE_CONSTANT && bias->dtype == DV_DTYPE_F32 &&
                      bias->shape.rank == 1));
}

static dv_status fold_into(dv_rewrite *rewrite, const dv_op *op, const dv_op *before,
                           const affine *a)
{
    dv_op made = *before;
    dv_tensor_id output, inputs[3] = {before->inputs[0], before->inputs[1],
                                      before->input_count > 2 ? before->inputs[2] : DV_NONE};
    const char *weight_name = dv_rewrite_at(rewrite, inputs[1])->name;
    DV_TRY(scale_weight(rewrite, before, a, &inputs[1]));
    DV_TRY(scale_bias(rewrite, weight_name, a, &inputs[2]));
    DV_TRY(dv_rewrite_tensor(rewrite, op->outputs[0], &output));
    made.inputs = inputs;
    made.input_count = 3;
    made.outputs = &output;
    made.output_count = 1;
    rewrite->changed = true;
    return dv_rewrite_add_op(rewrite, &made); /* still named after the layer, as the source does */
}

/* A sum of a layer without a bias and a constant a channel, in a type that weights are not scaled
   in: the constant is the bias. */
static dv_status become_bias(dv_rewrite *rewrite, const dv_op *op, const dv_op *before, bool *done)
{
    const dv_tensor constant = rewrite->from->tensors[op->inputs[1]];
    const dv_shape *y = &rewrite->from->tensors[op->outputs[0]].shape;
    const dv_tensor *weight = dv_rewrite_at(rewrite, before->inputs[1]);
    int64_t channels = y->dim[channel_axis(before, y)];
    bool plain = before->kind == DV_OP_CONVOLUTION ||
                 (before->params.linear.alpha == 1 && before->params.linear.beta == 1);
    bool bare = before->input_count < 3 || before->inputs[2] == DV_NONE;
    size_t count;
    if (op->kind != DV_OP_ADD || !plain || !bare || constant.role != DV_ROLE_CONSTANT ||
        weight->role != DV_ROLE_CONSTANT || weight->dtype != constant.dtype ||
        weight->dtype == DV_DTYPE_F32 || !dv_dtype_is_float(weight->dtype) ||
        !dv_shape_elements(&constant.shape, &count) || (int64_t)count != channels)
        return DV_OK;
    dv_tensor_id output, inputs[3] = {before->inputs[0], before->inputs[1], DV_NONE};
    dv_shape shape = {.rank = 1, .dim = {channels}};
    DV_TRY(dv_rewrite_constant(rewrite, constant.name, "row", constant.dtype, &shape,
                               &constant.data, &inputs[2]));
    DV_TRY(dv_rewrite_tensor(rewrite, op->outputs[0], &output));
    dv_op made = *before;
    made.inputs = inputs;
    made.input_count = 3;
    made.outputs = &output;
    made.output_count = 1;
    rewrite->changed = *done = true;
    return dv_rewrite_add_op(rewrite, &made);
}

static bool takes_bias(const dv_op *before)
{
    return before && (before->kind == DV_OP_CONVOLUTION || before->kind == DV_OP_LINEAR);
}

static dv_status fold_affine(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    const dv_graph *graph = rewrite->from;
    dv_tensor_id input;
    if (dv_graph_readers(graph, op->inputs[0]) != 1)
        return DV_OK;
    DV_TRY(dv_rewrite_tensor(rewrite, op->inputs[0], &input));
    const dv_op *before = dv_rewrite_producer(rewrite, input);
    if (takes_bias(before) && fits(graph, op, before)) {
        dv_op layer = *before;
        DV_TRY(become_bias(rewrite, op, &layer, done));
        if (*done)
            return DV_OK;
    }
    if (!before || !has_foldable_weights(rewrite, before) || !fits(graph, op, before))
        return DV_OK;
    dv_op copy = *before; /* the row may move while tensors and operators are added */
    const dv_shape *y = &graph->tensors[op->outputs[0]].shape;
    int64_t channels = y->dim[channel_axis(&copy, y)];
    affine a = {0};
    if (channels > MOST_CHANNELS)
        return DV_OK;
    DV_TRY(affine_create((size_t)channels, &a));
    dv_status status = DV_OK;
    bool known = op->kind == DV_OP_BATCH_NORM ? read_batch_norm(graph, op, &a)
                                              : read_arithmetic(graph, op, &a);
    if (known) {
        *done = true;
        status = fold_into(rewrite, op, &copy, &a);
    }
    free(a.scale);
    return status;
}

static const dv_canon_rule rules[DV_OP_COUNT] = {
    [DV_OP_BATCH_NORM] = fold_affine, [DV_OP_MUL] = fold_affine, [DV_OP_DIV] = fold_affine,
    [DV_OP_ADD] = fold_affine,        [DV_OP_SUB] = fold_affine,
};

dv_status dv_pass_affine(const dv_graph *graph, const dv_lower_options *options, dv_graph **out)
{
    (void)options;
    return dv_canon_run(graph, rules, out);
}
