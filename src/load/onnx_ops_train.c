/* onnx_ops_train.c - the optimisers of ai.onnx.preview.training, as the arithmetic that they are.

   A node updates several tensors at once: inputs are the rate R, the number T of updates before,
   then all X, all gradients G, and all of each further state; outputs are all new X, and all of
   each new state. */
#include "load/onnx_ops.h"

typedef struct update {
    dv_onnx_at *at;
    dv_tensor_id inputs[64]; /* the node's, which at->inputs no longer holds at the end */
    uint32_t count;          /* tensors that are updated */
    dv_dtype dtype;
} update;

/* Operators named by their sign, to keep the formulas readable. */
static dv_status binary(update *u, dv_op_kind kind, dv_tensor_id a, dv_tensor_id b,
                        dv_tensor_id *id)
{
    return dv_onnx_emit(u->at, kind, NULL, a, b, id);
}

static dv_status times(update *u, double factor, dv_tensor_id a, dv_tensor_id *id)
{
    dv_tensor_id constant;
    DV_TRY(dv_onnx_scalar(u->at, u->dtype, factor, &constant));
    return binary(u, DV_OP_MUL, a, constant, id);
}

static dv_status plus(update *u, double addend, dv_tensor_id a, dv_tensor_id *id)
{
    dv_tensor_id constant;
    DV_TRY(dv_onnx_scalar(u->at, u->dtype, addend, &constant));
    return binary(u, DV_OP_ADD, a, constant, id);
}

static dv_tensor_id input(const update *u, uint32_t group, uint32_t i)
{
    return u->inputs[2 + group * u->count + i];
}

static dv_tensor_id output(const update *u, uint32_t group, uint32_t i)
{
    return u->at->outputs[group * u->count + i];
}

/* Checks that there are so many states beside X and G, of each tensor. */
static dv_status begin(dv_onnx_at *at, uint32_t states, update *u)
{
    uint32_t groups = 2 + states, given = at->op.input_count - 2;
    *u = (update){.at = at, .count = given / groups, .dtype = DV_DTYPE_F32};
    if (given % groups != 0 || u->count == 0 || at->op.output_count != (1 + states) * u->count)
        return dv_fail(DV_BAD_INPUT,
                       "%u inputs and %u outputs are not those of tensors with %u "
                       "states",
                       at->op.input_count, at->op.output_count, states);
    if (at->op.input_count > sizeof u->inputs / sizeof u->inputs[0])
        return dv_onnx_opaque(at, "more than %zu inputs are not supported",
                              sizeof u->inputs / sizeof u->inputs[0]);
    for (uint32_t i = 0; i < at->op.input_count; i++) {
        if (at->inputs[i] == DV_NONE)
            return dv_fail(DV_BAD_INPUT, "its input %u is missing", i);
        u->inputs[i] = at->inputs[i];
    }
    u->dtype = dv_onnx_input_dtype(at, 2);
    return DV_OK;
}

/* from - what makes output `to`; the node's own operator makes its first output. */
static dv_status subtract_to(update *u, dv_tensor_id from, dv_tensor_id what, uint32_t i)
{
    dv_tensor_id to = output(u, 0, i);
    if (i + 1 < u->count) /* the last becomes op */
        return to == DV_NONE ? DV_OK : dv_onnx_emit_to(u->at, DV_OP_SUB, NULL, from, what, to);
    if (to == DV_NONE)
        DV_TRY(dv_onnx_part(u->at, &to));
    u->at->outputs[0] = to;
    u->at->op.output_count = 1;
    dv_onnx_become(u->at, DV_OP_SUB, from, what, DV_NONE);
    return DV_OK;
}

/* a + b is a new state: output i of that group, or a tensor that only the next formula reads. */
static dv_status add_to_state(update *u, dv_tensor_id a, dv_tensor_id b, uint32_t group, uint32_t i,
                              dv_tensor_id *id)
{
    *id = output(u, group, i);
    return *id == DV_NONE ? binary(u, DV_OP_ADD, a, b, id)
                          : dv_onnx_emit_to(u->at, DV_OP_ADD, NULL, a, b, *id);
}

/* G + norm * X */
static dv_status emit_gradient(update *u, double norm, uint32_t i, dv_tensor_id *id)
{
    *id = input(u, 1, i);
    if (norm == 0)
        return DV_OK;
    dv_tensor_id pull;
    DV_TRY(times(u, norm, input(u, 0, i), &pull));
    return binary(u, DV_OP_ADD, pull, *id, id);
}

/* The count of updates as a number. */
static dv_status emit_count(update *u, dv_tensor_id *id)
{
    dv_op_params real = {.cast = {u->dtype}};
    return dv_onnx_emit(u->at, DV_OP_CAST, &real, u->inputs[1], DV_NONE, id);
}

/* H += G^2; X -= R / (1 + T decay) G / (sqrt(H) + epsilon) */
dv_status dv_onnx_op_adagrad(dv_onnx_at *at)
{
    update u;
    double decay, epsilon, norm;
    DV_TRY(dv_onnx_float(at, "decay_factor", 0.0, &decay));
    DV_TRY(dv_onnx_float(at, "epsilon", 1e-6f, &epsilon));
    DV_TRY(dv_onnx_float(at, "norm_coefficient", 0.0, &norm));
    DV_TRY(begin(at, 1, &u));
    if (at->op.kind == DV_OP_OPAQUE)
        return DV_OK;
    dv_tensor_id rate;
    DV_TRY(emit_count(&u, &rate));
    DV_TRY(times(&u, decay, rate, &rate));
    DV_TRY(plus(&u, 1.0, rate, &rate));
    DV_TRY(binary(&u, DV_OP_DIV, u.inputs[0], rate, &rate));
    for (uint32_t i = 0; i < u.count; i++) {
        dv_tensor_id gradient, squares, root, step;
        DV_TRY(emit_gradient(&u, norm, i, &gradient));
        DV_TRY(binary(&u, DV_OP_MUL, gradient, gradient, &squares));
        DV_TRY(add_to_state(&u, input(&u, 2, i), squares, 1, i, &squares));
        DV_TRY(dv_onnx_emit(at, DV_OP_SQRT, NULL, squares, DV_NONE, &root));
        DV_TRY(plus(&u, epsilon, root, &root));
        DV_TRY(binary(&u, DV_OP_MUL, gradient, rate, &step));
        DV_TRY(binary(&u, DV_OP_DIV, step, root, &step));
        DV_TRY(subtract_to(&u, input(&u, 0, i), step, i));
    }
    return DV_OK;
}

/* R sqrt(1 - beta^T) / (1 - alpha^T), and R for T = 0 */
static dv_status emit_adam_rate(update *u, double alpha, double beta, dv_tensor_id *id)
{
    dv_tensor_id count, zero, base, above, below, corrected, later;
    DV_TRY(emit_count(u, &count));
    DV_TRY(dv_onnx_scalar(u->at, u->dtype, 0.0, &zero));
    DV_TRY(dv_onnx_scalar(u->at, u->dtype, beta, &base));
    DV_TRY(binary(u, DV_OP_POW, base, count, &above));
    DV_TRY(times(u, -1.0, above, &above));
    DV_TRY(plus(u, 1.0, above, &above));
    DV_TRY(dv_onnx_emit(u->at, DV_OP_SQRT, NULL, above, DV_NONE, &above));
    DV_TRY(dv_onnx_scalar(u->at, u->dtype, alpha, &base));
    DV_TRY(binary(u, DV_OP_POW, base, count, &below));
    DV_TRY(times(u, -1.0, below, &below));
    DV_TRY(plus(u, 1.0, below, &below));
    DV_TRY(binary(u, DV_OP_MUL, u->inputs[0], above, &corrected));
    DV_TRY(binary(u, DV_OP_DIV, corrected, below, &corrected));
    DV_TRY(binary(u, DV_OP_GT, count, zero, &later));
    return dv_onnx_emit3(u->at, DV_OP_WHERE, NULL, (dv_tensor_id[]){later, corrected, u->inputs[0]},
                         id);
}

/* V = alpha V + (1 - alpha) G; H = beta H + (1 - beta) G^2; X -= rate V / (sqrt(H) + epsilon) */
dv_status dv_onnx_op_adam(dv_onnx_at *at)
{
    update u;
    double alpha, beta, epsilon, norm, post;
    DV_TRY(dv_onnx_float(at, "alpha", 0.9f, &alpha));
    DV_TRY(dv_onnx_float(at, "beta", 0.999f, &beta));
    DV_TRY(dv_onnx_float(at, "epsilon", 1e-6f, &epsilon));
    DV_TRY(dv_onnx_float(at, "norm_coefficient", 0.0, &norm));
    DV_TRY(dv_onnx_float(at, "norm_coefficient_post", 0.0, &post));
    DV_TRY(begin(at, 2, &u));
    if (at->op.kind == DV_OP_OPAQUE)
        return DV_OK;
    dv_tensor_id rate;
    DV_TRY(emit_adam_rate(&u, alpha, beta, &rate));
    for (uint32_t i = 0; i < u.count; i++) {
        dv_tensor_id gradient, mean, kept, squares, root, step, x = input(&u, 0, i), decayed;
        DV_TRY(emit_gradient(&u, norm, i, &gradient));
        DV_TRY(times(&u, alpha, input(&u, 2, i), &kept));
        DV_TRY(times(&u, 1 - alpha, gradient, &mean));
        DV_TRY(add_to_state(&u, kept, mean, 1, i, &mean));
        DV_TRY(times(&u, beta, input(&u, 3, i), &kept));
        DV_TRY(binary(&u, DV_OP_MUL, gradient, gradient, &squares));
        DV_TRY(times(&u, 1 - beta, squares, &squares));
        DV_TRY(add_to_state(&u, kept, squares, 2, i, &squares));
        DV_TRY(dv_onnx_emit(at, DV_OP_SQRT, NULL, squares, DV_NONE, &root));
        DV_TRY(plus(&u, epsilon, root, &root));
        DV_TRY(binary(&u, DV_OP_MUL, mean, rate, &step));
        DV_TRY(binary(&u, DV_OP_DIV, step, root, &step));
        /* (1 - post) (x - step) = (1 - post) x - (1 - post) step */
        DV_TRY(times(&u, 1 - post, x, &decayed));
        DV_TRY(times(&u, 1 - post, step, &step));
        DV_TRY(subtract_to(&u, decayed, step, i));
    }
    return DV_OK;
}

/* V = alpha V + beta G (beta 1 for T = 0); X -= R V, or, by Nesterov, R (G + alpha V) */
dv_status dv_onnx_op_momentum(dv_onnx_at *at)
{
    update u;
    double alpha, beta, norm;
    dv_span mode;
    DV_TRY(dv_onnx_float(at, "alpha", 0.0, &alpha));
    DV_TRY(dv_onnx_float(at, "beta", 0.0, &beta));
    DV_TRY(dv_onnx_float(at, "norm_coefficient", 0.0, &norm));
    DV_TRY(dv_onnx_text(at, "mode", "standard", &mode));
    bool nesterov = dv_span_is(mode, "nesterov");
    if (!nesterov && !dv_span_is(mode, "standard"))
        return dv_fail(DV_BAD_INPUT, "attribute 'mode' must be standard or nesterov");
    DV_TRY(begin(at, 1, &u));
    if (at->op.kind == DV_OP_OPAQUE)
        return DV_OK;
    dv_tensor_id count, zero, one, share, later;
    DV_TRY(emit_count(&u, &count));
    DV_TRY(dv_onnx_scalar(at, u.dtype, 0.0, &zero));
    DV_TRY(dv_onnx_scalar(at, u.dtype, 1.0, &one));
    DV_TRY(dv_onnx_scalar(at, u.dtype, beta, &share));
    DV_TRY(binary(&u, DV_OP_GT, count, zero, &later));
    DV_TRY(dv_onnx_emit3(at, DV_OP_WHERE, NULL, (dv_tensor_id[]){later, share, one}, &share));
    for (uint32_t i = 0; i < u.count; i++) {
        dv_tensor_id gradient, kept, speed, step;
        DV_TRY(emit_gradient(&u, norm, i, &gradient));
        DV_TRY(times(&u, alpha, input(&u, 2, i), &kept));
        DV_TRY(binary(&u, DV_OP_MUL, gradient, share, &speed));
        DV_TRY(add_to_state(&u, kept, speed, 1, i, &speed));
        step = speed;
        if (nesterov) {
            DV_TRY(times(&u, alpha, speed, &step));
            DV_TRY(binary(&u, DV_OP_ADD, gradient, step, &step));
        }
        DV_TRY(binary(&u, DV_OP_MUL, step, u.inputs[0], &step));
        DV_TRY(subtract_to(&u, input(&u, 0, i), step, i));
    }
    return DV_OK;
}
