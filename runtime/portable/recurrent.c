/* recurrent.c - whole recurrent layers: plain, gated (GRU) and long short-term memory.

   Formulas, orders of gates and layouts are those of ONNX. Each sequence of a batch and each
   direction is computed on its own, one step after another, its state in scratch. */
#include <math.h>
#include <string.h>

#include "runtime/portable/kernel.h"

enum { X, WEIGHT, RECURRENT, BIAS, LENGTHS, HIDDEN, CELL, PEEPHOLE };

/* The sizes of a layer. */
typedef struct layer {
    size_t steps, batch, features, hidden, directions, gates;
} layer;

/* One direction of one sequence. */
typedef struct run {
    const dv_kernel_call *call;
    layer size;
    size_t direction, sequence;
    double *h, *c, *mixed, *parts; /* [hidden], [hidden], [hidden], [gates, hidden] */
} run;

static size_t gates_of(dv_op_kind kind)
{
    return kind == DV_OP_LSTM ? 4 : kind == DV_OP_GRU ? 3 : 1;
}

static layer layer_of(const dv_kernel_call *call)
{
    const dv_shape *x = &call->inputs[X].shape;
    bool batch_first = call->op->params.rnn.batch_first;
    return (layer){.steps = (size_t)x->dim[batch_first],
                   .batch = (size_t)x->dim[!batch_first],
                   .features = (size_t)x->dim[2],
                   .hidden = (size_t)call->inputs[RECURRENT].shape.dim[2],
                   .directions = (size_t)call->inputs[WEIGHT].shape.dim[0],
                   .gates = gates_of(call->op->kind)};
}

static bool is_given(const run *r, uint32_t input)
{
    return input < r->call->input_count && dv_given(&r->call->inputs[input]);
}

static double activate(dv_activation activation, double x)
{
    switch (activation) {
    case DV_ACTIVATION_TANH:
        return tanh(x);
    case DV_ACTIVATION_RELU:
        return x < 0 ? 0 : x;
    case DV_ACTIVATION_SIGMOID:
        break;
    }
    double e = exp(-fabs(x));
    return (x >= 0 ? 1 : e) / (1 + e);
}

static double clipped(const run *r, double x)
{
    double clip = r->call->op->params.rnn.clip;
    return clip > 0 && x > clip ? clip : clip > 0 && x < -clip ? -clip : x;
}

/* Row `row` of a direction's weight times a vector. */
static double product(const run *r, uint32_t weight, size_t row, size_t length, const double *by)
{
    const dv_operand *w = &r->call->inputs[weight];
    size_t first = (r->direction * r->size.gates * r->size.hidden + row) * length;
    double sum = 0;
    for (size_t k = 0; k < length; k++)
        sum += dv_at(w, first + k) * by[k];
    return sum;
}

/* Row `row` of x's step times its weight. */
static double input_product(const run *r, size_t row, size_t x_first)
{
    const dv_operand *w = &r->call->inputs[WEIGHT], *x = &r->call->inputs[X];
    size_t length = r->size.features;
    size_t first = (r->direction * r->size.gates * r->size.hidden + row) * length;
    double sum = 0;
    for (size_t k = 0; k < length; k++)
        sum += dv_at(w, first + k) * dv_at(x, x_first + k);
    return sum;
}

/* The bias of a row: of the input's weight, or of the recurrent one. */
static double bias(const run *r, size_t row, bool recurrent)
{
    size_t rows = r->size.gates * r->size.hidden;
    return is_given(r, BIAS)
               ? dv_at(&r->call->inputs[BIAS], (2 * r->direction + recurrent) * rows + row)
               : 0;
}

static double peephole(const run *r, size_t gate, size_t unit)
{
    size_t at = (r->direction * 3 + gate) * r->size.hidden + unit;
    return is_given(r, PEEPHOLE) ? dv_at(&r->call->inputs[PEEPHOLE], at) * r->c[unit] : 0;
}

/* What the activations get of every gate from x, h and the biases. */
static void mix(run *r, size_t x_first, size_t gates)
{
    size_t hidden = r->size.hidden;
    for (size_t row = 0; row < gates * hidden; row++)
        r->parts[row] = input_product(r, row, x_first) + product(r, RECURRENT, row, hidden, r->h) +
                        bias(r, row, false) + bias(r, row, true);
}

static void rnn_step(run *r, size_t x_first)
{
    mix(r, x_first, 1);
    for (size_t u = 0; u < r->size.hidden; u++)
        r->h[u] = activate(r->call->op->params.rnn.gate, clipped(r, r->parts[u]));
}

/* Gates z, r, h. */
static void gru_step(run *r, size_t x_first)
{
    const dv_rnn_params *p = &r->call->op->params.rnn;
    size_t hidden = r->size.hidden;
    double *update = r->parts, *reset = update + hidden, *fresh = reset + hidden;
    mix(r, x_first, 2);
    for (size_t u = 0; u < 2 * hidden; u++)
        r->parts[u] = activate(p->gate, clipped(r, r->parts[u]));
    for (size_t u = 0; u < hidden; u++)
        r->mixed[u] = p->reset_after ? r->h[u] : reset[u] * r->h[u];
    for (size_t u = 0; u < hidden; u++) {
        size_t row = 2 * hidden + u;
        double kept = product(r, RECURRENT, row, hidden, r->mixed) + bias(r, row, true);
        double sum = input_product(r, row, x_first) + bias(r, row, false) +
                     (p->reset_after ? reset[u] * kept : kept);
        fresh[u] = activate(p->cell, clipped(r, sum));
    }
    for (size_t u = 0; u < hidden; u++)
        r->h[u] = (1 - update[u]) * fresh[u] + update[u] * r->h[u];
}

/* Gates i, o, f, c; peepholes i, o, f. */
static void lstm_step(run *r, size_t x_first)
{
    const dv_rnn_params *p = &r->call->op->params.rnn;
    size_t hidden = r->size.hidden;
    const double *in = r->parts, *out = in + hidden, *forget = out + hidden,
                 *cell = forget + hidden;
    mix(r, x_first, 4);
    for (size_t u = 0; u < hidden; u++) {
        double i = activate(p->gate, clipped(r, in[u] + peephole(r, 0, u)));
        double f =
            p->coupled ? 1 - i : activate(p->gate, clipped(r, forget[u] + peephole(r, 2, u)));
        r->c[u] = f * r->c[u] + i * activate(p->cell, clipped(r, cell[u]));
        double o = activate(p->gate, clipped(r, out[u] + peephole(r, 1, u)));
        r->h[u] = o * activate(p->state, r->c[u]);
    }
}

/* Where a state [direction, batch, hidden] of this run starts. */
static size_t state_at(const run *r)
{
    const layer *s = &r->size;
    size_t row = r->call->op->params.rnn.batch_first ? r->sequence * s->directions + r->direction
                                                     : r->direction * s->batch + r->sequence;
    return row * s->hidden;
}

static size_t output_at(const run *r, size_t step)
{
    const layer *s = &r->size;
    size_t row = r->call->op->params.rnn.batch_first
                     ? (r->sequence * s->steps + step) * s->directions + r->direction
                     : (step * s->directions + r->direction) * s->batch + r->sequence;
    return row * s->hidden;
}

static void load_state(const run *r, uint32_t input, double *state)
{
    if (is_given(r, input))
        dv_load_f64(&r->call->inputs[input], state_at(r), 1, r->size.hidden, state);
    else
        memset(state, 0, r->size.hidden * sizeof *state);
}

static void store(const run *r, uint32_t output, size_t at, const double *state)
{
    if (output < r->call->output_count && dv_given(&r->call->outputs[output]))
        dv_store_f64(&r->call->outputs[output], at, 1, r->size.hidden, state);
}

static dv_status length_of(const run *r, size_t *length)
{
    *length = r->size.steps;
    if (!is_given(r, LENGTHS))
        return DV_OK;
    int64_t given = 0;
    dv_load_i64(&r->call->inputs[LENGTHS], r->sequence, 1, 1, &given);
    if (given < 0 || given > (int64_t)r->size.steps)
        return dv_fail(DV_BAD_INPUT, "'%s': a sequence of %lld steps in a batch of %zu",
                       r->call->op->name, (long long)given, r->size.steps);
    *length = (size_t)given;
    return DV_OK;
}

typedef void (*step_function)(run *r, size_t x_first);

/* Steps behind the end of a short sequence give zeros. */
static dv_status run_sequence(run *r, step_function step)
{
    const dv_rnn_params *p = &r->call->op->params.rnn;
    const layer *s = &r->size;
    size_t length;
    DV_TRY(length_of(r, &length));
    bool backward = r->direction == 1 || p->reverse;
    load_state(r, HIDDEN, r->h);
    load_state(r, CELL, r->c);
    for (size_t t = 0; t < length; t++) {
        size_t at = backward ? length - 1 - t : t;
        size_t row = p->batch_first ? r->sequence * s->steps + at : at * s->batch + r->sequence;
        step(r, row * s->features);
        store(r, 0, output_at(r, at), r->h);
    }
    memset(r->mixed, 0, s->hidden * sizeof *r->mixed);
    for (size_t t = length; t < s->steps; t++)
        store(r, 0, output_at(r, t), r->mixed);
    store(r, 1, state_at(r), r->h);
    store(r, 2, state_at(r), r->c);
    return DV_OK;
}

static dv_status run_layer(const dv_kernel_call *call, step_function step)
{
    run r = {.call = call, .size = layer_of(call), .h = call->scratch};
    r.c = r.h + r.size.hidden;
    r.mixed = r.c + r.size.hidden;
    r.parts = r.mixed + r.size.hidden;
    for (r.direction = 0; r.direction < r.size.directions; r.direction++)
        for (r.sequence = 0; r.sequence < r.size.batch; r.sequence++)
            DV_TRY(run_sequence(&r, step));
    return DV_OK;
}

dv_status dv_kernel_rnn(const dv_kernel_call *call)
{
    return run_layer(call, rnn_step);
}

dv_status dv_kernel_gru(const dv_kernel_call *call)
{
    return run_layer(call, gru_step);
}

dv_status dv_kernel_lstm(const dv_kernel_call *call)
{
    return run_layer(call, lstm_step);
}

size_t dv_scratch_rnn(const dv_kernel_call *call)
{
    size_t bytes, hidden = layer_of(call).hidden;
    return dv_mul_size(hidden, 7 * sizeof(double), &bytes) ? bytes + sizeof(double) : SIZE_MAX;
}

static bool has_shape(const dv_operand *operand, dv_shape shape)
{
    return !dv_given(operand) || dv_shape_equal(&operand->shape, &shape);
}

static dv_shape shape_of(int64_t a, int64_t b, int64_t c)
{
    return dv_shape_make((int64_t[]){a, b, c}, 3);
}

static bool states_fit(const dv_kernel_call *call, int64_t steps, int64_t batch, int64_t hidden)
{
    int64_t directions = call->op->params.rnn.directions;
    bool batch_first = call->op->params.rnn.batch_first, fit = true;
    dv_shape state =
        batch_first ? shape_of(batch, directions, hidden) : shape_of(directions, batch, hidden);
    dv_shape every = dv_shape_make(batch_first ? (int64_t[]){batch, steps, directions, hidden}
                                               : (int64_t[]){steps, directions, batch, hidden},
                                   4);
    for (uint32_t i = HIDDEN; i <= CELL && i < call->input_count; i++)
        fit &= has_shape(&call->inputs[i], state);
    for (uint32_t i = 0; i < call->output_count; i++)
        fit &= has_shape(&call->outputs[i], i == 0 ? every : state);
    return fit;
}

static const char *check_types(const dv_kernel_call *call)
{
    for (uint32_t i = 0; i < call->input_count; i++) {
        const dv_operand *in = &call->inputs[i];
        bool fits = i == LENGTHS ? in->dtype == DV_DTYPE_I32 || in->dtype == DV_DTYPE_I64
                                 : in->dtype == call->inputs[X].dtype;
        if (dv_given(in) && !fits)
            return "operands must be floats of one type, lengths i32 or i64";
    }
    if (!dv_dtype_is_float(call->inputs[X].dtype) || !dv_same_dtype(call))
        return "operands and results must be floats of one type";
    return NULL;
}

const char *dv_check_rnn(const dv_kernel_call *call)
{
    const dv_rnn_params *p = &call->op->params.rnn;
    const dv_shape *x = &call->inputs[X].shape;
    const char *fault = check_types(call);
    if (fault)
        return fault;
    if (x->rank != 3 || call->inputs[WEIGHT].shape.rank != 3 || p->hidden < 1 ||
        (p->directions != 1 && p->directions != 2))
        return "the input and the weight must have three dims";
    int64_t rows = (int64_t)gates_of(call->op->kind), hidden = p->hidden;
    int64_t steps = x->dim[p->batch_first], batch = x->dim[!p->batch_first];
    if (hidden > INT32_MAX)
        return "the hidden size is out of range";
    rows *= hidden;
    bool fit = has_shape(&call->inputs[WEIGHT], shape_of(p->directions, rows, x->dim[2])) &&
               has_shape(&call->inputs[RECURRENT], shape_of(p->directions, rows, hidden)) &&
               states_fit(call, steps, batch, hidden);
    dv_shape bias = dv_shape_make((int64_t[]){p->directions, 2 * rows}, 2);
    dv_shape peepholes = dv_shape_make((int64_t[]){p->directions, 3 * hidden}, 2);
    if (call->input_count > BIAS)
        fit &= has_shape(&call->inputs[BIAS], bias);
    if (call->input_count > LENGTHS)
        fit &= has_shape(&call->inputs[LENGTHS], dv_shape_make(&batch, 1));
    if (call->input_count > PEEPHOLE)
        fit &= has_shape(&call->inputs[PEEPHOLE], peepholes);
    return fit ? NULL : "the shapes of its operands do not match";
}
