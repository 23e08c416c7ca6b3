/* recognise.c - operators that exporters spell out in smaller ones.

   Patterns are matched backwards from their last operator; what lies inside dies with its last
   reader. Inner results must have no other reader, so that nothing is computed twice.

     GELU        x * 0.5 * (1 + erf(x / sqrt 2))                    (Hendrycks and Gimpel 2016)
     GELU, tanh  x * 0.5 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))
     SiLU        x * sigmoid(x)
     hardsigmoid clamp(x + 3, 0, 6) / 6
     hardswish   x * hardsigmoid(x)                                 (Howard et al. 2019)
     softmax     isnan(s) ? 0 : s of s = softmax(x), guarded        (PyTorch's attention)
     layer norm  (x - mean) / sqrt(mean((x - mean)^2) + eps) [* weight [+ bias]]  (Ba et al. 2016)
     attention   guarded in other words, or without need; products without merged dims
                 (recognise_attention.c)

   One walk, a bounded look back at each operator; O(operators + edges). */
#include <math.h>
#include <string.h>

#include "lower/canon.h"
#include "lower/passes.h"

/* Constants in files agree with the formula to a few digits only ("1.4142"), those of f16 to half a
   step of theirs. */
static bool near(double value, double wanted)
{
    return fabs(value - wanted) <= 0x1p-11 * fabs(wanted);
}

/* The operator that makes t if it is of that kind and only read once; else NULL. */
static const dv_op *inner(const dv_graph *graph, dv_tensor_id t, dv_op_kind kind)
{
    const dv_op *op = dv_graph_maker(graph, t);
    return op && op->kind == kind && dv_graph_readers(graph, t) == 1 ? op : NULL;
}

/* If t = u + c for a constant c (behind one reader), true. */
static bool is_sum(const dv_graph *graph, dv_tensor_id t, dv_tensor_id *u, double *c)
{
    const dv_op *op = inner(graph, t, DV_OP_ADD);
    if (!op || !dv_constant_value(&graph->tensors[op->inputs[1]], c))
        return false;
    *u = op->inputs[0];
    return true;
}

/* A product taken apart: non-constant factors (up to 4) and the product of the constant ones. */
typedef struct product {
    int count;
    dv_tensor_id factors[4];
    double constant;
} product;

enum { MOST_DEPTH = 4 };

/* Takes apart the product that op computes; false if it has too many factors. */
static bool take_apart(const dv_graph *graph, const dv_op *op, int depth, product *p)
{
    for (uint32_t i = 0; i < 2; i++) {
        dv_tensor_id t = op->inputs[i];
        double value;
        if (dv_constant_value(&graph->tensors[t], &value)) {
            p->constant *= op->kind == DV_OP_DIV && i == 1 ? 1 / value : value;
            continue;
        }
        const dv_op *before = dv_graph_maker(graph, t);
        bool divides = op->kind == DV_OP_DIV && i == 1;
        if (divides)
            return false;
        if (before && depth < MOST_DEPTH && dv_graph_readers(graph, t) == 1 &&
            (before->kind == DV_OP_MUL || before->kind == DV_OP_DIV)) {
            if (!take_apart(graph, before, depth + 1, p))
                return false;
            continue;
        }
        if (p->count == 4)
            return false;
        p->factors[p->count++] = t;
    }
    return true;
}

/* The factors of t, or t itself if it is no product. */
static bool factors_of(const dv_graph *graph, dv_tensor_id t, product *p)
{
    *p = (product){.constant = 1};
    const dv_op *op = dv_graph_maker(graph, t);
    if (op && dv_graph_readers(graph, t) == 1 && (op->kind == DV_OP_MUL || op->kind == DV_OP_DIV))
        return take_apart(graph, op, 1, p);
    p->factors[p->count++] = t;
    return true;
}

/* t = constant * x^power? */
static bool is_power(const dv_graph *graph, dv_tensor_id t, dv_tensor_id x, int power,
                     double constant)
{
    product p;
    if (!factors_of(graph, t, &p))
        return false;
    int have = 0;
    for (int i = 0; i < p.count; i++) {
        const dv_op *op = inner(graph, p.factors[i], DV_OP_POW);
        const dv_op *square = inner(graph, p.factors[i], DV_OP_MUL);
        double exponent;
        if (p.factors[i] == x)
            have++;
        else if (op && op->inputs[0] == x &&
                 dv_constant_value(&graph->tensors[op->inputs[1]], &exponent) && exponent >= 1 &&
                 exponent <= 4)
            have += (int)exponent;
        else if (square && square->inputs[0] == x && square->inputs[1] == x)
            have += 2;
        else
            return false;
    }
    return have == power && near(p.constant, constant);
}

/* t = sqrt(2/pi) * (x + 0.044715 x^3), in one of two groupings? */
static bool is_tanh_argument(const dv_graph *graph, dv_tensor_id t, dv_tensor_id x)
{
    product p;
    if (!factors_of(graph, t, &p) || !near(p.constant, 0.7978845608))
        return false;
    if (p.count == 1) {
        const dv_op *sum = inner(graph, p.factors[0], DV_OP_ADD);
        for (int i = 0; sum && i < 2; i++)
            if (sum->inputs[i] == x && is_power(graph, sum->inputs[1 - i], x, 3, 0.044715))
                return true;
        return false;
    }
    for (int i = 0; p.count == 2 && i < 2; i++) {
        dv_tensor_id u;
        double one;
        if (p.factors[i] == x && is_sum(graph, p.factors[1 - i], &u, &one) && near(one, 1) &&
            is_power(graph, u, x, 2, 0.044715))
            return true;
    }
    return false;
}

/* t = 1 + erf(x / sqrt 2) or 1 + tanh(...)? */
static bool is_gelu_gate(const dv_graph *graph, dv_tensor_id t, dv_tensor_id x, bool *tanh_form)
{
    dv_tensor_id u;
    double one;
    if (!is_sum(graph, t, &u, &one) || !near(one, 1))
        return false;
    const dv_op *erf_op = inner(graph, u, DV_OP_ERF), *tanh_op = inner(graph, u, DV_OP_TANH);
    *tanh_form = tanh_op != NULL;
    if (tanh_op)
        return is_tanh_argument(graph, tanh_op->inputs[0], x);
    return erf_op && is_power(graph, erf_op->inputs[0], x, 1, 0.70710678);
}

/* t = clamp(x + 3, 0, 6)? */
static bool is_hard_gate(const dv_graph *graph, dv_tensor_id t, dv_tensor_id *x)
{
    const dv_op *clamp = inner(graph, t, DV_OP_CLAMP);
    double three;
    return clamp && clamp->params.clamp.min == 0 && clamp->params.clamp.max == 6 &&
           is_sum(graph, clamp->inputs[0], x, &three) && three == 3;
}

static bool is_gate_of(const dv_graph *graph, dv_tensor_id t, dv_tensor_id x, dv_op_kind kind)
{
    const dv_op *op = inner(graph, t, kind);
    if (!op || op->inputs[0] != x)
        return false;
    return kind != DV_OP_HARDSIGMOID ||
           (near(op->params.scalar.alpha, 1.0 / 6) && near(op->params.scalar.beta, 0.5));
}

static dv_status become_of(dv_rewrite *rewrite, const dv_op *op, dv_op_kind kind,
                           const dv_op_params *params, dv_tensor_id x, bool *done)
{
    dv_tensor_id id;
    if (!dv_shape_equal(&rewrite->from->tensors[x].shape, &dv_old_output(rewrite, op)->shape))
        return DV_OK;
    DV_TRY(dv_rewrite_tensor(rewrite, x, &id));
    dv_made made = {.source = op, .kind = kind, .input_count = 1, .inputs = &id};
    if (params)
        made.params = *params;
    *done = true;
    return dv_rewrite_replace(rewrite, &made);
}

/* x * gate(x), gates as above */
static dv_status gated(dv_rewrite *rewrite, const dv_op *op, const product *p, bool *done)
{
    const dv_graph *graph = rewrite->from;
    for (int i = 0; i < 2 && !*done; i++) {
        dv_tensor_id x = p->factors[i], gate = p->factors[1 - i], of;
        dv_op_params params = {0};
        if (near(p->constant, 1) && is_gate_of(graph, gate, x, DV_OP_SIGMOID))
            DV_TRY(become_of(rewrite, op, DV_OP_SILU, NULL, x, done));
        else if (near(p->constant, 1) && is_gate_of(graph, gate, x, DV_OP_HARDSIGMOID))
            DV_TRY(become_of(rewrite, op, DV_OP_HARDSWISH, NULL, x, done));
        else if (near(p->constant, 1.0 / 6) && is_hard_gate(graph, gate, &of) && of == x)
            DV_TRY(become_of(rewrite, op, DV_OP_HARDSWISH, NULL, x, done));
        else if (near(p->constant, 0.5) && is_gelu_gate(graph, gate, x, &params.flag.on))
            DV_TRY(become_of(rewrite, op, DV_OP_GELU, &params, x, done));
    }
    return DV_OK;
}

/* (x - mean(x)) over trailing dims: the axes' number, else 0. */
static int64_t is_centred(const dv_graph *graph, dv_tensor_id t, dv_tensor_id *x)
{
    const dv_op *sub = dv_graph_maker(graph, t);
    const dv_op *mean =
        sub && sub->kind == DV_OP_SUB ? dv_graph_maker(graph, sub->inputs[1]) : NULL;
    if (!mean || mean->kind != DV_OP_MEAN || mean->inputs[0] != sub->inputs[0])
        return 0;
    const dv_reduce_params *p = &mean->params.reduce;
    uint8_t rank = graph->tensors[sub->inputs[0]].shape.rank;
    for (uint8_t i = 0; i < p->count; i++)
        if (p->axes[i] != rank - p->count + i)
            return 0;
    if (!p->keep_dims && p->count != rank)
        return 0;
    *x = sub->inputs[0];
    return p->count;
}

/* t = mean(centred^2) + eps, over the same dims of the same x? */
static bool is_variance(const dv_graph *graph, dv_tensor_id t, dv_tensor_id x, int64_t axes,
                        double *eps)
{
    dv_tensor_id u, other;
    if (!is_sum(graph, t, &u, eps) || *eps < 0)
        return false;
    const dv_op *mean = inner(graph, u, DV_OP_MEAN);
    const dv_op *square = mean ? inner(graph, mean->inputs[0], DV_OP_MUL) : NULL;
    if (!square || square->inputs[0] != square->inputs[1] || mean->params.reduce.count != axes ||
        is_centred(graph, square->inputs[0], &other) != axes || other != x)
        return false;
    for (int64_t i = 0; i < axes; i++)
        if (mean->params.reduce.axes[i] != graph->tensors[x].shape.rank - axes + i)
            return false;
    return true;
}

/* centred / sqrt(variance + eps), or centred * rsqrt(variance + eps) */
static dv_status normalised(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    const dv_graph *graph = rewrite->from;
    dv_op_kind root = op->kind == DV_OP_DIV ? DV_OP_SQRT : DV_OP_RSQRT;
    for (int i = 0; i < (op->kind == DV_OP_DIV ? 1 : 2); i++) {
        const dv_op *deviation = inner(graph, op->inputs[1 - i], root);
        dv_tensor_id x;
        double eps;
        int64_t axes = deviation ? is_centred(graph, op->inputs[i], &x) : 0;
        if (axes == 0 || !is_variance(graph, deviation->inputs[0], x, axes, &eps))
            continue;
        dv_op_params params = {.norm = {.eps = eps, .axes = axes}};
        return become_of(rewrite, op, DV_OP_LAYER_NORM, &params, x, done);
    }
    return DV_OK;
}

/* layer_norm(x) * weight, layer_norm(x, weight) + bias: constants of the normalised dims */
static dv_status into_layer_norm(dv_rewrite *rewrite, const dv_op *op, uint32_t place, bool *done)
{
    const dv_graph *graph = rewrite->from;
    const dv_tensor *constant = &graph->tensors[op->inputs[1]];
    dv_tensor_id input, inputs[3];
    if (dv_graph_readers(graph, op->inputs[0]) != 1 || constant->role != DV_ROLE_CONSTANT)
        return DV_OK;
    DV_TRY(dv_rewrite_tensor(rewrite, op->inputs[0], &input));
    const dv_op *norm = dv_rewrite_producer(rewrite, input);
    if (!norm || norm->kind != DV_OP_LAYER_NORM || norm->input_count != place)
        return DV_OK;
    const dv_shape *y = &dv_old_output(rewrite, op)->shape;
    size_t axes = (size_t)norm->params.norm.axes, have, want;
    dv_shape dims = dv_shape_make(y->dim + y->rank - axes, axes);
    dv_shape tail = constant->shape;
    for (; tail.rank > axes && tail.dim[0] == 1; tail.rank--)
        memmove(tail.dim, tail.dim + 1, (size_t)(tail.rank - 1) * sizeof *tail.dim);
    if (!dv_shape_elements(&constant->shape, &have) || !dv_shape_elements(&dims, &want) ||
        have != want || !dv_shape_equal(&tail, &dims) ||
        !dv_shape_equal(&graph->tensors[op->inputs[0]].shape, y))
        return DV_OK;
    dv_op_params params = norm->params;
    memcpy(inputs, norm->inputs, place * sizeof *inputs);
    if (constant->shape.rank == axes)
        DV_TRY(dv_rewrite_tensor(rewrite, op->inputs[1], &inputs[place]));
    else
        DV_TRY(dv_rewrite_constant(rewrite, constant->name, "row", constant->dtype, &dims,
                                   &constant->data, &inputs[place]));
    dv_made made = {.source = op,
                    .kind = DV_OP_LAYER_NORM,
                    .params = params,
                    .input_count = place + 1,
                    .inputs = inputs};
    *done = true;
    return dv_rewrite_replace(rewrite, &made);
}

static dv_status recognise_product(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    product p = {.constant = 1};
    dv_tensor_id x;
    DV_TRY(normalised(rewrite, op, done));
    if (!*done && op->kind == DV_OP_MUL)
        DV_TRY(into_layer_norm(rewrite, op, 1, done));
    if (*done || !take_apart(rewrite->from, op, 0, &p))
        return DV_OK;
    if (p.count == 2)
        return gated(rewrite, op, &p, done);
    if (p.count == 1 && near(p.constant, 1.0 / 6) &&
        is_hard_gate(rewrite->from, p.factors[0], &x)) {
        dv_op_params params = {.scalar = {.alpha = 1.0 / 6, .beta = 0.5}};
        return become_of(rewrite, op, DV_OP_HARDSIGMOID, &params, x, done);
    }
    return DV_OK;
}

static dv_status recognise_sum(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    return into_layer_norm(rewrite, op, 2, done);
}

/* A clamp of a clamp (or of a relu), as decompositions leave them, is one. */
static dv_status recognise_clamp(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    const dv_graph *graph = rewrite->from;
    const dv_clamp_params *outer = &op->params.clamp;
    const dv_op *before = inner(graph, op->inputs[0], DV_OP_CLAMP);
    dv_clamp_params first = {0, INFINITY};
    if (op->input_count != 1)
        return DV_OK;
    if (before && before->input_count == 1)
        first = before->params.clamp;
    else if (!(before = inner(graph, op->inputs[0], DV_OP_RELU)))
        return DV_OK;
    dv_op_params params = {.clamp = {fmin(fmax(first.min, outer->min), outer->max),
                                     fmin(fmax(first.max, outer->min), outer->max)}};
    return become_of(rewrite, op, DV_OP_CLAMP, &params, before->inputs[0], done);
}

/* isnan(s) ? 0 : s of a softmax s that nothing else reads: a row that is masked as a whole gives 0.
 */
static dv_status recognise_guard(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    const dv_graph *graph = rewrite->from;
    const dv_op *test = inner(graph, op->inputs[0], DV_OP_ISNAN);
    const dv_op *softmax = dv_graph_maker(graph, op->inputs[2]);
    double zero;
    DV_TRY(dv_recognise_safe_softmax(rewrite, op, done));
    if (*done || !test || !softmax || softmax->kind != DV_OP_SOFTMAX ||
        test->inputs[0] != op->inputs[2] || dv_graph_readers(graph, op->inputs[2]) != 2 ||
        !dv_constant_value(&graph->tensors[op->inputs[1]], &zero) || zero != 0)
        return DV_OK;
    dv_op_params params = softmax->params;
    params.axis.guarded = true;
    return become_of(rewrite, op, DV_OP_SOFTMAX, &params, softmax->inputs[0], done);
}

static const dv_canon_rule rules[DV_OP_COUNT] = {
    [DV_OP_CLAMP] = recognise_clamp,
    [DV_OP_MUL] = recognise_product,
    [DV_OP_DIV] = recognise_product,
    [DV_OP_ADD] = recognise_sum,
    [DV_OP_WHERE] = recognise_guard,
    [DV_OP_LINEAR] = dv_recognise_merged_linear,
    [DV_OP_MATMUL] = dv_recognise_merged_matmul,
};

dv_status dv_pass_recognise(const dv_graph *graph, const dv_lower_options *options, dv_graph **out)
{
    (void)options;
    return dv_canon_run(graph, rules, out);
}
