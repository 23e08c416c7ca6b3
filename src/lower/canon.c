/* canon.c - one spelling for each operator, and none for those that do nothing.

   Fewer spellings mean fewer cases for cost models, support tables and backends. One walk;
   O(operators + edges). */
#include "lower/canon.h"

#include <math.h>
#include <string.h>

#include "lower/passes.h"

enum { MOST_PADDING = 1 << 20 }; /* of one side; sums stay within what a convolution may have */

const dv_tensor *dv_old_input(const dv_rewrite *rewrite, const dv_op *op, uint32_t i)
{
    if (i >= op->input_count || op->inputs[i] == DV_NONE)
        return NULL;
    return &rewrite->from->tensors[op->inputs[i]];
}

const dv_tensor *dv_old_output(const dv_rewrite *rewrite, const dv_op *op)
{
    return &rewrite->from->tensors[op->outputs[0]];
}

bool dv_constant_value(const dv_tensor *tensor, double *value)
{
    size_t count;
    float one;
    if (!tensor || tensor->role != DV_ROLE_CONSTANT || !dv_dtype_is_float(tensor->dtype) ||
        !dv_shape_elements(&tensor->shape, &count) ||
        (count != 1 && (count == 0 || tensor->data.storage != DV_STORAGE_FILL)) ||
        !dv_tensor_read_f32(tensor, 0, 1, &one))
        return false;
    *value = (double)one;
    return true;
}

dv_status dv_become_input(dv_rewrite *rewrite, const dv_op *op, uint32_t i, bool *done)
{
    dv_tensor_id id;
    DV_TRY(dv_rewrite_tensor(rewrite, op->inputs[i], &id));
    *done = true;
    return dv_rewrite_alias(rewrite, op, id);
}

dv_status dv_become(dv_rewrite *rewrite, const dv_op *op, dv_op_kind kind,
                    const dv_op_params *params, uint32_t input_count, bool *done)
{
    dv_tensor_id inputs[3];
    for (uint32_t i = 0; i < input_count; i++)
        DV_TRY(dv_rewrite_tensor(rewrite, op->inputs[i], &inputs[i]));
    dv_made made = {.source = op, .kind = kind, .input_count = input_count, .inputs = inputs};
    if (params)
        made.params = *params;
    *done = true;
    return dv_rewrite_replace(rewrite, &made);
}

dv_op_params dv_view_to(const dv_shape *shape)
{
    dv_op_params params = {.view = {.shape = *shape}};
    for (uint8_t d = 0; d < shape->rank; d++)
        params.view.allow_zero |= shape->dim[d] == 0;
    return params;
}

static bool same_tensors(const dv_tensor *a, const dv_tensor *b)
{
    return a->dtype == b->dtype && dv_shape_equal(&a->shape, &b->shape);
}

static dv_status become_view(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    dv_op_params params = dv_view_to(&dv_old_output(rewrite, op)->shape);
    return dv_become(rewrite, op, DV_OP_VIEW, &params, 1, done);
}

static dv_status remove_identity(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    rewrite->changed = true; /* even where a view has to take its place */
    return dv_become_input(rewrite, op, 0, done);
}

/* A view of a view is a view of what that one reads. */
static dv_status canon_view(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    if (same_tensors(dv_old_input(rewrite, op, 0), dv_old_output(rewrite, op)))
        return dv_become_input(rewrite, op, 0, done);
    dv_tensor_id input;
    DV_TRY(dv_rewrite_tensor(rewrite, op->inputs[0], &input));
    const dv_op *before = dv_rewrite_producer(rewrite, input);
    if (!before || before->kind != DV_OP_VIEW)
        return DV_OK;
    dv_tensor_id source = before->inputs[0];
    *done = true;
    if (dv_shape_equal(&dv_rewrite_at(rewrite, source)->shape, &dv_old_output(rewrite, op)->shape))
        return dv_rewrite_alias(rewrite, op, source);
    dv_made made = {.source = op,
                    .kind = DV_OP_VIEW,
                    .params = op->params,
                    .input_count = 1,
                    .inputs = &source};
    return dv_rewrite_replace(rewrite, &made);
}

/* Does the permutation keep the order of all dims but those of size 1? */
static bool keeps_order(const dv_shape *shape, const dv_permute_params *permute)
{
    int last = -1;
    for (uint8_t d = 0; d < permute->rank; d++) {
        int from = permute->perm[d];
        if (shape->dim[from] == 1)
            continue;
        if (from < last)
            return false;
        last = from;
    }
    return true;
}

/* Two permutations in a row are one; one that moves no elements is a view, or nothing. */
static dv_status canon_permute(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    dv_tensor_id input;
    DV_TRY(dv_rewrite_tensor(rewrite, op->inputs[0], &input));
    dv_op_params params = op->params;
    dv_permute_params *permute = &params.permute;
    const dv_op *before = dv_rewrite_producer(rewrite, input);
    if (before && before->kind == DV_OP_PERMUTE) {
        for (uint8_t d = 0; d < permute->rank; d++)
            permute->perm[d] = before->params.permute.perm[op->params.permute.perm[d]];
        input = before->inputs[0];
    }
    dv_shape shape = dv_rewrite_at(rewrite, input)->shape;
    bool moved = false;
    for (uint8_t d = 0; d < permute->rank; d++)
        moved |= permute->perm[d] != d;
    *done = true;
    if (!moved)
        return dv_rewrite_alias(rewrite, op, input);
    dv_made made = {
        .source = op, .kind = DV_OP_PERMUTE, .params = params, .input_count = 1, .inputs = &input};
    if (keeps_order(&shape, permute)) {
        made.kind = DV_OP_VIEW;
        made.params = dv_view_to(&dv_old_output(rewrite, op)->shape);
    } else if (!before || before->kind != DV_OP_PERMUTE) {
        *done = false; /* as it was */
        return DV_OK;
    }
    return dv_rewrite_replace(rewrite, &made);
}

/* Operators that give back their input when the shape stays: EXPAND, REPEAT, CAST ... */
static dv_status canon_copy(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    if (op->input_count == 1 &&
        same_tensors(dv_old_input(rewrite, op, 0), dv_old_output(rewrite, op)))
        return dv_become_input(rewrite, op, 0, done);
    return DV_OK;
}

static dv_status canon_resize(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    if (op->params.resize.scale_h != 1 || op->params.resize.scale_w != 1 ||
        op->params.resize.coordinate == DV_COORDINATE_CROP)
        return DV_OK; /* a scale of 1.1 may keep the shape, too, but not the elements */
    return canon_copy(rewrite, op, done);
}

static dv_status canon_slice(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    for (uint8_t d = 0; d < op->params.slice.count; d++)
        if (op->params.slice.step[d] < 0)
            return DV_OK; /* a reversal keeps the shape, too */
    return canon_copy(rewrite, op, done);
}

static dv_status canon_pad(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    for (uint8_t d = 0; d < op->params.pad.rank; d++)
        if (op->params.pad.begin[d] != 0 || op->params.pad.end[d] != 0)
            return DV_OK; /* one side may grow by what the other loses */
    return canon_copy(rewrite, op, done);
}

static dv_status canon_split(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    return op->output_count == 1 ? canon_copy(rewrite, op, done) : DV_OK;
}

/* A reduction over dims of size 1 moves nothing. */
static dv_status canon_reduce(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    const dv_shape *x = &dv_old_input(rewrite, op, 0)->shape;
    if (dv_old_input(rewrite, op, 0)->role == DV_ROLE_CONSTANT)
        return DV_OK; /* folding has left it alone; as a view it would not */
    for (uint8_t i = 0; i < op->params.reduce.count; i++)
        if (x->dim[op->params.reduce.axes[i]] != 1)
            return DV_OK;
    return become_view(rewrite, op, done);
}

/* Zeros around an image are the convolution's own padding. */
static dv_status canon_convolution(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    dv_tensor_id inputs[3] = {DV_NONE, DV_NONE, DV_NONE};
    for (uint32_t i = 0; i < op->input_count; i++)
        DV_TRY(dv_rewrite_tensor(rewrite, op->inputs[i], &inputs[i]));
    const dv_op *before = dv_rewrite_producer(rewrite, inputs[0]);
    if (!before || before->kind != DV_OP_PAD || op->params.conv.transposed)
        return DV_OK;
    const dv_pad_params *pad = &before->params.pad;
    dv_op_params params = op->params;
    bool zeros = pad->mode == DV_PAD_CONSTANT && pad->value == 0;
    for (uint8_t d = 0; d < pad->rank; d++) {
        bool inside = d >= 2 ? pad->begin[d] >= 0 && pad->end[d] >= 0
                             : pad->begin[d] == 0 && pad->end[d] == 0;
        zeros &= inside && pad->begin[d] < MOST_PADDING && pad->end[d] < MOST_PADDING;
        if (d >= 2 && zeros) {
            params.conv.pad_begin[d - 2] += pad->begin[d];
            params.conv.pad_end[d - 2] += pad->end[d];
        }
    }
    if (!zeros)
        return DV_OK;
    inputs[0] = before->inputs[0];
    dv_made made = {.source = op,
                    .kind = DV_OP_CONVOLUTION,
                    .params = params,
                    .input_count = op->input_count,
                    .inputs = inputs};
    *done = true;
    return dv_rewrite_replace(rewrite, &made);
}

/* An average over the whole image is a mean. (Of a constant it stays: a mean would fold, but only
   when the graph is lowered again.) */
static dv_status canon_avg_pool(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    const dv_pool_params *pool = &op->params.pool;
    const dv_shape *x = &dv_old_input(rewrite, op, 0)->shape;
    if (dv_old_input(rewrite, op, 0)->role == DV_ROLE_CONSTANT)
        return DV_OK;
    dv_op_params params = {.reduce = {.count = pool->spatial, .keep_dims = true}};
    for (uint8_t d = 0; d < pool->spatial; d++) {
        if (pool->kernel[d] != x->dim[2 + d] || pool->pad_begin[d] != 0 || pool->pad_end[d] != 0 ||
            pool->dilation[d] != 1)
            return DV_OK;
        params.reduce.axes[d] = 2 + d;
    }
    return dv_become(rewrite, op, DV_OP_MEAN, &params, 1, done);
}

static dv_status canon_clamp(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    const dv_clamp_params *clamp = &op->params.clamp;
    if (clamp->max != (double)INFINITY)
        return DV_OK;
    if (clamp->min == 0)
        return dv_become(rewrite, op, DV_OP_RELU, NULL, 1, done);
    return clamp->min == (double)-INFINITY ? dv_become_input(rewrite, op, 0, done) : DV_OK;
}

/* A maximum or minimum with a constant is a clamp. */
static dv_status canon_extreme(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    double bound;
    if (!dv_constant_value(dv_old_input(rewrite, op, 1), &bound) || isnan(bound) ||
        !same_tensors(dv_old_input(rewrite, op, 0), dv_old_output(rewrite, op)))
        return DV_OK;
    dv_op_params params = {.clamp = {.min = -INFINITY, .max = INFINITY}};
    *(op->kind == DV_OP_MAXIMUM ? &params.clamp.min : &params.clamp.max) = bound;
    return dv_become(rewrite, op, DV_OP_CLAMP, &params, 1, done);
}

static dv_status canon_pow(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    double exponent;
    if (!dv_constant_value(dv_old_input(rewrite, op, 1), &exponent) ||
        !same_tensors(dv_old_input(rewrite, op, 0), dv_old_output(rewrite, op)))
        return DV_OK;
    if (exponent == 1)
        return dv_become_input(rewrite, op, 0, done);
    if (exponent == 0.5)
        return dv_become(rewrite, op, DV_OP_SQRT, NULL, 1, done);
    if (exponent == -0.5)
        return dv_become(rewrite, op, DV_OP_RSQRT, NULL, 1, done);
    if (exponent == -1)
        return dv_become(rewrite, op, DV_OP_RECIPROCAL, NULL, 1, done);
    if (exponent != 2)
        return DV_OK;
    dv_tensor_id x;
    DV_TRY(dv_rewrite_tensor(rewrite, op->inputs[0], &x));
    dv_made made = {
        .source = op, .kind = DV_OP_MUL, .input_count = 2, .inputs = (dv_tensor_id[]){x, x}};
    *done = true;
    return dv_rewrite_replace(rewrite, &made);
}

/* Constants stand on the right; what adds 0 or multiplies by 1 goes; 1 / x is a reciprocal. */
static dv_status canon_arithmetic(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    const dv_tensor *a = dv_old_input(rewrite, op, 0), *b = dv_old_input(rewrite, op, 1);
    bool commutes = op->kind != DV_OP_SUB && op->kind != DV_OP_DIV;
    if (commutes && a->role == DV_ROLE_CONSTANT && b->role != DV_ROLE_CONSTANT) {
        dv_tensor_id left, right;
        DV_TRY(dv_rewrite_tensor(rewrite, op->inputs[0], &left));
        DV_TRY(dv_rewrite_tensor(rewrite, op->inputs[1], &right));
        dv_made made = {.source = op,
                        .kind = op->kind,
                        .input_count = 2,
                        .inputs = (dv_tensor_id[]){right, left}};
        *done = true;
        return dv_rewrite_replace(rewrite, &made);
    }
    if (op->kind == DV_OP_MAXIMUM || op->kind == DV_OP_MINIMUM)
        return canon_extreme(rewrite, op, done);
    double value;
    if (op->kind == DV_OP_DIV && dv_constant_value(a, &value) && value == 1 &&
        dv_dtype_is_float(b->dtype) && same_tensors(b, dv_old_output(rewrite, op))) {
        dv_tensor_id divisor;
        DV_TRY(dv_rewrite_tensor(rewrite, op->inputs[1], &divisor));
        dv_made made = {
            .source = op, .kind = DV_OP_RECIPROCAL, .input_count = 1, .inputs = &divisor};
        *done = true;
        return dv_rewrite_replace(rewrite, &made);
    }
    double neutral = op->kind == DV_OP_MUL || op->kind == DV_OP_DIV ? 1 : 0;
    if (dv_constant_value(b, &value) && value == neutral &&
        same_tensors(a, dv_old_output(rewrite, op)))
        return dv_become_input(rewrite, op, 0, done);
    return DV_OK;
}

/* 1 / sqrt(x) */
static dv_status canon_reciprocal(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    dv_tensor_id input;
    DV_TRY(dv_rewrite_tensor(rewrite, op->inputs[0], &input));
    const dv_op *before = dv_rewrite_producer(rewrite, input);
    if (!before || before->kind != DV_OP_SQRT ||
        dv_graph_readers(rewrite->from, op->inputs[0]) != 1)
        return DV_OK;
    dv_tensor_id x = before->inputs[0];
    dv_made made = {.source = op, .kind = DV_OP_RSQRT, .input_count = 1, .inputs = &x};
    *done = true;
    return dv_rewrite_replace(rewrite, &made);
}

/* One constant index selects; a constant table read by rows is an embedding. */
static dv_status canon_index_select(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    const dv_tensor *table = dv_old_input(rewrite, op, 0), *index = dv_old_input(rewrite, op, 1);
    int64_t axis = op->params.axis.axis, at, size = table->shape.dim[axis];
    if (index->role == DV_ROLE_CONSTANT && index->shape.rank == 0 &&
        dv_tensor_read_i64(index, 0, 1, &at) && at >= -size && at < size) {
        dv_op_params params = {.select = {.axis = axis, .index = at < 0 ? at + size : at}};
        return dv_become(rewrite, op, DV_OP_SELECT, &params, 1, done);
    }
    if (table->role == DV_ROLE_CONSTANT && table->shape.rank == 2 && axis == 0 &&
        index->role != DV_ROLE_CONSTANT)
        return dv_become(rewrite, op, DV_OP_EMBEDDING, NULL, 2, done);
    return DV_OK;
}

/* A choice that is known already, as an If on shapes leaves it, is the operand that it takes. */
static dv_status canon_where(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    const dv_tensor *condition = dv_old_input(rewrite, op, 0);
    size_t count;
    int64_t truth;
    if (!condition || condition->role != DV_ROLE_CONSTANT ||
        !dv_shape_elements(&condition->shape, &count) ||
        (count != 1 && (count == 0 || condition->data.storage != DV_STORAGE_FILL)) ||
        !dv_tensor_read_i64(condition, 0, 1, &truth))
        return DV_OK;
    uint32_t taken = truth ? 1 : 2;
    if (!same_tensors(dv_old_input(rewrite, op, taken), dv_old_output(rewrite, op)))
        return DV_OK;
    return dv_become_input(rewrite, op, taken, done);
}

static const dv_canon_rule rules[DV_OP_COUNT] = {
    [DV_OP_IDENTITY] = remove_identity,
    [DV_OP_VIEW] = canon_view,
    [DV_OP_SQUEEZE] = become_view,
    [DV_OP_UNSQUEEZE] = become_view,
    [DV_OP_FLATTEN] = become_view,
    [DV_OP_PERMUTE] = canon_permute,
    [DV_OP_EXPAND] = canon_copy,
    [DV_OP_REPEAT] = canon_copy,
    [DV_OP_CAST] = canon_copy,
    [DV_OP_CAT] = canon_copy,
    [DV_OP_UPSAMPLE_NEAREST] = canon_resize,
    [DV_OP_UPSAMPLE_BILINEAR] = canon_resize,
    [DV_OP_SLICE] = canon_slice,
    [DV_OP_PAD] = canon_pad,
    [DV_OP_SPLIT] = canon_split,
    [DV_OP_MEAN] = canon_reduce,
    [DV_OP_SUM] = canon_reduce,
    [DV_OP_AMAX] = canon_reduce,
    [DV_OP_AMIN] = canon_reduce,
    [DV_OP_PROD] = canon_reduce,
    [DV_OP_AVG_POOL] = canon_avg_pool,
    [DV_OP_CONVOLUTION] = canon_convolution,
    [DV_OP_CLAMP] = canon_clamp,
    [DV_OP_POW] = canon_pow,
    [DV_OP_ADD] = canon_arithmetic,
    [DV_OP_SUB] = canon_arithmetic,
    [DV_OP_MUL] = canon_arithmetic,
    [DV_OP_DIV] = canon_arithmetic,
    [DV_OP_MAXIMUM] = canon_arithmetic,
    [DV_OP_MINIMUM] = canon_arithmetic,
    [DV_OP_RECIPROCAL] = canon_reciprocal,
    [DV_OP_INDEX_SELECT] = canon_index_select,
    [DV_OP_WHERE] = canon_where,
    [DV_OP_LINEAR] = dv_canon_linear,
    [DV_OP_MATMUL] = dv_canon_matmul,
    [DV_OP_SOFTMAX] = dv_canon_softmax,
    [DV_OP_LOG_SOFTMAX] = dv_canon_softmax,
};

static bool shapes_known(const dv_graph *graph, const dv_op *op)
{
    for (uint32_t i = 0; i < op->input_count + op->output_count; i++) {
        dv_tensor_id t = i < op->input_count ? op->inputs[i] : op->outputs[i - op->input_count];
        if (t != DV_NONE && !dv_shape_known(&graph->tensors[t].shape))
            return false;
    }
    return op->output_count > 0 && op->outputs[0] != DV_NONE;
}

/* The first operator that a rule does something about (or fails at); op_count if there is none.
   Most runs find nothing, and then no copy of the graph need be made. */
static dv_op_id first_change(const dv_graph *graph, const dv_canon_rule table[DV_OP_COUNT])
{
    dv_rewrite dry = dv_rewrite_dry(graph);
    for (dv_op_id o = 0; o < graph->op_count; o++) {
        const dv_op *op = &graph->ops[o];
        bool done = false;
        if (table[op->kind] && shapes_known(graph, op) &&
            (table[op->kind](&dry, op, &done) != DV_OK || done || dry.changed))
            return o;
    }
    return graph->op_count;
}

dv_status dv_canon_run(const dv_graph *graph, const dv_canon_rule table[DV_OP_COUNT],
                       dv_graph **out)
{
    dv_rewrite rewrite;
    dv_op_id first = first_change(graph, table);
    *out = NULL;
    if (first == graph->op_count)
        return DV_OK;
    DV_TRY(dv_rewrite_begin(&rewrite, graph));
    dv_status status = DV_OK;
    for (dv_op_id o = 0; status == DV_OK && o < graph->op_count; o++) {
        const dv_op *op = &graph->ops[o];
        bool done = false;
        if (o >= first && table[op->kind] && shapes_known(graph, op))
            status = table[op->kind](&rewrite, op, &done);
        if (status == DV_OK && !done)
            status = dv_rewrite_copy(&rewrite, op);
    }
    return dv_rewrite_end_if_changed(&rewrite, status, out);
}

/* One spelling may show the way to the next, so the rules run until none applies. Each application
   removes or simplifies an operator; the limit guards against two rules that undo each other. */
enum { MOST_RUNS = 32 };

dv_status dv_pass_canon(const dv_graph *graph, const dv_lower_options *options, dv_graph **out)
{
    (void)options;
    *out = NULL;
    for (int run = 0; run < MOST_RUNS; run++) {
        dv_graph *next = NULL;
        const dv_graph *now = *out ? *out : graph;
        dv_status status = dv_canon_quantised_moves(now, &next);
        if (status == DV_OK && !next)
            status = dv_canon_run(now, rules, &next);
        if (status != DV_OK) {
            dv_graph_destroy(*out);
            *out = NULL;
            return status;
        }
        if (!next)
            return DV_OK;
        dv_graph_destroy(*out);
        *out = next;
    }
    return DV_OK;
}
