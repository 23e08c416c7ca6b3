/* tflite_ops_lstm.c - LSTM in all of TFLite's forms. One without projection, layer norms and the
   like is one operator of ours; others are written out, step by step, as lstm_eval.cc computes
   them:

     gate  = act(norm(W x + A aux + R h + p c) + bias)
     c'    = forget c + input cell,  clipped
     h'    = P (output act(c')) + its bias,  clipped

   where norm, A, p and P need not be there, and input is 1 - forget if it has no weights. */
#include <math.h>
#include <string.h>

#include "load/tflite_rnn.h"
#include "load/unfold.h"

/* ---- where the inputs of a direction are ---- */

/* Gates in TFLite's order. */
enum { GATE_IN, GATE_FORGET, GATE_CELL, GATE_OUT, GATES };

/* Offsets from a direction's first weight. */
enum { WEIGHTS = 0, RECURRENT = 4, PEEPHOLES = 8, BIASES = 11, PROJECTION = 15, ITS_BIAS = 16 };

/* A direction of an LSTM. 0: no such input (which x alone can be). */
typedef struct direction {
    dv_tfl_layer layer;
    uint32_t x, first; /* the input read; the input to input gate weight */
    uint32_t aux, aux_weights, norms;
    uint8_t activation;
    double clip, projection_clip; /* 0: none */
} direction;

static bool given(const dv_tfl_at *at, const direction *d, uint32_t offset)
{
    return dv_tfl_given(at, d->first + offset);
}

/* The peephole of a gate, and which one it is. */
static uint32_t peephole_of(uint32_t gate)
{
    return PEEPHOLES + (gate == GATE_IN ? 0 : gate == GATE_FORGET ? 1 : 2);
}

static bool has_norms(const dv_tfl_at *at, const direction *d)
{
    return d->norms > 0 && dv_tfl_given(at, d->norms + GATE_FORGET);
}

/* What is missing of what every LSTM has; NULL: nothing. */
static const char *missing(const dv_tfl_at *at, const direction *d)
{
    bool coupled = !given(at, d, WEIGHTS + GATE_IN);
    for (uint32_t gate = 0; gate < GATES; gate++)
        if (!given(at, d, RECURRENT + gate) || !given(at, d, BIASES + gate) ||
            !given(at, d, WEIGHTS + gate))
            if (gate != GATE_IN || !coupled)
                return "one of its weights is missing";
    if (!dv_tfl_given(at, d->layer.hidden_slot) || !dv_tfl_given(at, d->layer.cell_slot))
        return "its states are missing";
    for (uint32_t gate = 0; gate < GATES; gate++) {
        if (has_norms(at, d) && !dv_tfl_given(at, d->norms + gate) && (gate || !coupled))
            return "one of its layer norms is missing";
        if (d->aux_weights && !dv_tfl_given(at, d->aux_weights + gate) && (gate || !coupled))
            return "one of its auxiliary weights is missing";
    }
    return NULL;
}

/* Can our operator be it? */
static bool is_plain(const dv_tfl_at *at, const direction *d)
{
    dv_activation ours;
    dv_tfl_tensor recurrent;
    bool square = dv_tfl_input(at, d->first + RECURRENT + GATE_FORGET, &recurrent) == DV_OK &&
                  recurrent.shape.rank == 2;
    bool peepholes =
        given(at, d, PEEPHOLES) && given(at, d, PEEPHOLES + 1) && given(at, d, PEEPHOLES + 2);
    bool none =
        !given(at, d, PEEPHOLES) && !given(at, d, PEEPHOLES + 1) && !given(at, d, PEEPHOLES + 2);
    /* tanh of 10 and more is 1 to 8 digits: such a clip changes nothing */
    return given(at, d, WEIGHTS + GATE_IN) && !given(at, d, PROJECTION) && !has_norms(at, d) &&
           d->aux_weights == 0 && (d->clip == 0 || d->clip >= 10) && square &&
           (peepholes || none) && dv_tfl_read_activation(d->activation, &ours);
}

/* ---- as one operator ---- */

/* Ours has the gates in the order input, output, forget, cell. */
static dv_status whole_layer(dv_tfl_at *at, direction *d, dv_tensor_id *result)
{
    dv_tfl_layer *l = &d->layer;
    uint32_t w = d->first + WEIGHTS, r = d->first + RECURRENT, b = d->first + BIASES;
    uint32_t p = d->first + PEEPHOLES;
    (void)dv_tfl_read_activation(d->activation, &l->rnn.cell);
    l->rnn.state = l->rnn.cell;
    DV_TRY(dv_tfl_begin_layer(at, l, d->x));
    DV_TRY(dv_tfl_stack(at, (const uint32_t[]){w, w + 3, w + 1, w + 2}, 4, &l->weight));
    DV_TRY(dv_tfl_stack(at, (const uint32_t[]){r, r + 3, r + 1, r + 2}, 4, &l->recurrent));
    DV_TRY(dv_tfl_stack_biases(at, (const uint32_t[]){b, b + 3, b + 1, b + 2}, 4, l->rnn.hidden,
                               &l->bias));
    l->peephole = DV_NONE;
    if (given(at, d, PEEPHOLES))
        DV_TRY(dv_tfl_stack(at, (const uint32_t[]){p, p + 2, p + 1}, 3, &l->peephole));
    DV_TRY(dv_tfl_read_kept(at, l->hidden_slot, l->rnn.batch_first, &l->hidden));
    DV_TRY(dv_tfl_read_kept(at, l->cell_slot, l->rnn.batch_first, &l->cell));
    return dv_tfl_add_layer(at, l, result);
}

/* ---- written out ---- */

enum { MOST_STEPS = 1024, OPS_OF_A_STEP = 48 };

/* Activations beyond those that a recurrent operator of ours has. */
static dv_status activate(dv_tfl_at *at, uint8_t activation, dv_tensor_id *id)
{
    dv_op_params six = {.clamp = {0, 6}}, one = {.clamp = {-1, 1}};
    switch (activation) {
    case 1:
        return dv_tfl_emit1(at, DV_OP_RELU, NULL, *id, id);
    case 2:
        return dv_tfl_emit1(at, DV_OP_CLAMP, &one, *id, id);
    case 3:
        return dv_tfl_emit1(at, DV_OP_CLAMP, &six, *id, id);
    case 4:
        return dv_tfl_emit1(at, DV_OP_TANH, NULL, *id, id);
    default:
        return DV_OK;
    }
}

/* x W^T of an input that is W, with a bias that may be DV_NONE. */
static dv_status times(dv_tfl_at *at, uint32_t weight, dv_tensor_id x, dv_tensor_id bias,
                       dv_tensor_id *id)
{
    dv_op_params linear = {.linear = {.alpha = 1, .beta = 1}};
    dv_tensor_id ids[] = {x, DV_NONE, bias};
    dv_tfl_tensor tensor;
    DV_TRY(dv_tfl_input(at, weight, &tensor));
    DV_TRY(dv_tfl_plain_input(at, weight, &ids[1]));
    if (tensor.shape.rank == 1) /* a diagonal */
        return dv_tfl_emit(at, DV_OP_MUL, NULL, ids, 2, id);
    return dv_tfl_emit(at, DV_OP_LINEAR, &linear, ids, bias == DV_NONE ? 2 : 3, id);
}

/* What a gate takes from outside, for all steps at once. */
static dv_status outside(dv_tfl_at *at, const direction *d, uint32_t gate, dv_tensor_id *id)
{
    dv_tensor_id bias = DV_NONE, aux;
    if (!has_norms(at, d))
        DV_TRY(dv_tfl_plain_input(at, d->first + BIASES + gate, &bias));
    DV_TRY(times(at, d->first + WEIGHTS + gate, d->layer.x, bias, id));
    if (d->aux_weights == 0)
        return DV_OK;
    DV_TRY(dv_tfl_plain_input(at, d->aux, &aux));
    DV_TRY(times(at, d->aux_weights + gate, aux, DV_NONE, &aux));
    return dv_tfl_emit2(at, DV_OP_ADD, NULL, *id, aux, id);
}

/* A gate in one step: *id, what it takes from outside, becomes its value. */
static dv_status gate_value(dv_tfl_at *at, const direction *d, uint32_t gate, dv_tensor_id hidden,
                            dv_tensor_id cell, dv_tensor_id *id)
{
    dv_tensor_id ids[3];
    dv_op_params norm = {.norm = {.eps = 1e-8, .axes = 1}};
    DV_TRY(times(at, d->first + RECURRENT + gate, hidden, DV_NONE, &ids[0]));
    DV_TRY(dv_tfl_emit2(at, DV_OP_ADD, NULL, *id, ids[0], id));
    if (gate != GATE_CELL && given(at, d, peephole_of(gate))) {
        DV_TRY(dv_tfl_plain_input(at, d->first + peephole_of(gate), &ids[0]));
        DV_TRY(dv_tfl_emit2(at, DV_OP_MUL, NULL, cell, ids[0], &ids[0]));
        DV_TRY(dv_tfl_emit2(at, DV_OP_ADD, NULL, *id, ids[0], id));
    }
    if (has_norms(at, d)) {
        ids[0] = *id;
        DV_TRY(dv_tfl_plain_input(at, d->norms + gate, &ids[1]));
        DV_TRY(dv_tfl_plain_input(at, d->first + BIASES + gate, &ids[2]));
        DV_TRY(dv_tfl_emit(at, DV_OP_LAYER_NORM, &norm, ids, 3, id));
    }
    return gate == GATE_CELL ? activate(at, d->activation, id)
                             : dv_tfl_emit1(at, DV_OP_SIGMOID, NULL, *id, id);
}

static dv_status clipped(dv_tfl_at *at, double clip, dv_tensor_id *id)
{
    dv_op_params params = {.clamp = {-clip, clip}};
    return clip > 0 ? dv_tfl_emit1(at, DV_OP_CLAMP, &params, *id, id) : DV_OK;
}

/* The output gate opens on the new cell; *hidden becomes what the step gives. */
static dv_status give(dv_tfl_at *at, const direction *d, dv_tensor_id gate, dv_tensor_id cell,
                      dv_tensor_id *hidden)
{
    dv_tensor_id bias = DV_NONE, value = cell;
    DV_TRY(gate_value(at, d, GATE_OUT, *hidden, cell, &gate));
    DV_TRY(activate(at, d->activation, &value));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MUL, NULL, gate, value, hidden));
    if (!given(at, d, PROJECTION))
        return DV_OK;
    if (given(at, d, ITS_BIAS))
        DV_TRY(dv_tfl_plain_input(at, d->first + ITS_BIAS, &bias));
    DV_TRY(times(at, d->first + PROJECTION, *hidden, bias, hidden));
    return clipped(at, d->projection_clip, hidden);
}

/* One step: gates is what each gate takes from outside in it. */
static dv_status step(dv_tfl_at *at, const direction *d, dv_tensor_id *gates, dv_tensor_id *hidden,
                      dv_tensor_id *cell)
{
    dv_tensor_id one, kept, gained;
    DV_TRY(gate_value(at, d, GATE_FORGET, *hidden, *cell, &gates[GATE_FORGET]));
    DV_TRY(gate_value(at, d, GATE_CELL, *hidden, *cell, &gates[GATE_CELL]));
    if (given(at, d, WEIGHTS + GATE_IN)) {
        DV_TRY(gate_value(at, d, GATE_IN, *hidden, *cell, &gates[GATE_IN]));
    } else {
        DV_TRY(dv_tfl_scalar(at, DV_DTYPE_F32, 1, &one));
        DV_TRY(dv_tfl_emit2(at, DV_OP_SUB, NULL, one, gates[GATE_FORGET], &gates[GATE_IN]));
    }
    DV_TRY(dv_tfl_emit2(at, DV_OP_MUL, NULL, gates[GATE_FORGET], *cell, &kept));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MUL, NULL, gates[GATE_IN], gates[GATE_CELL], &gained));
    DV_TRY(dv_tfl_emit2(at, DV_OP_ADD, NULL, kept, gained, cell));
    DV_TRY(clipped(at, d->clip, cell));
    return give(at, d, gates[GATE_OUT], *cell, hidden);
}

/* How many steps x has; -1, and the operator is given up, if that is not known or too many. */
static dv_status count_steps(dv_tfl_at *at, const direction *d, int64_t *steps)
{
    dv_tfl_tensor x;
    unsigned axis = d->layer.rnn.batch_first;
    *steps = 1;
    if (!d->layer.sequence)
        return DV_OK;
    DV_TRY(dv_tfl_input(at, d->x, &x));
    *steps = x.shape.dim[axis];
    if (*steps >= 1 && *steps <= MOST_STEPS && !(x.open & 1u << axis))
        return DV_OK;
    *steps = -1;
    return dv_tfl_opaque(at,
                         "with projections, layer norms or the like, a number of steps that is "
                         "open, or more than %d, is not supported",
                         MOST_STEPS);
}

static dv_status written_out(dv_tfl_at *at, direction *d, int64_t steps, dv_tensor_id *result)
{
    dv_tensor_id all[GATES], now[GATES], hidden, cell;
    dv_tensor_id *each = dv_arena_array(at->b->arena, (size_t)steps, sizeof *each);
    int64_t axis = d->layer.sequence && d->layer.rnn.batch_first;
    dv_op_params cat = {.axis = {.axis = axis}};
    if (!each)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    DV_TRY(dv_tfl_begin_layer(at, &d->layer, d->x));
    DV_TRY(dv_tfl_plain_input(at, d->layer.hidden_slot, &hidden));
    DV_TRY(dv_tfl_plain_input(at, d->layer.cell_slot, &cell));
    for (uint32_t gate = 0; gate < GATES; gate++)
        if (gate != GATE_IN || given(at, d, WEIGHTS + GATE_IN))
            DV_TRY(outside(at, d, gate, &all[gate]));
    for (int64_t i = 0; i < steps; i++) {
        int64_t t = d->layer.rnn.reverse ? steps - 1 - i : i;
        dv_op_params select = {.select = {.axis = axis, .index = t}};
        for (uint32_t gate = 0; gate < GATES; gate++)
            if (gate != GATE_IN || given(at, d, WEIGHTS + GATE_IN))
                DV_TRY(dv_tfl_emit1(at, DV_OP_SELECT, &select, all[gate], &now[gate]));
        DV_TRY(step(at, d, now, &hidden, &cell));
        each[t] = hidden;
        if (d->layer.sequence)
            DV_TRY(dv_tfl_unsqueeze(at, axis, &each[t]));
    }
    DV_TRY(dv_tfl_keep_input(at, d->layer.hidden_slot, hidden));
    DV_TRY(dv_tfl_keep_input(at, d->layer.cell_slot, cell));
    *result = each[0];
    return steps == 1 ? DV_OK : dv_tfl_emit(at, DV_OP_CAT, &cat, each, (uint32_t)steps, result);
}

/* ---- layers ---- */

/* Gives the operator up if the direction cannot be read; *steps: those to write out, 0 for none. */
static dv_status check_direction(dv_tfl_at *at, direction *d, int64_t *steps)
{
    const char *why = missing(at, d);
    *steps = 0;
    if (why)
        return dv_tfl_opaque(at, "%s", why);
    if (d->activation > 4)
        return dv_tfl_opaque(at, "its activation is not supported");
    DV_TRY(dv_tfl_check_layer(at, &d->layer, d->x));
    return at->opaque || is_plain(at, d) ? DV_OK : count_steps(at, d, steps);
}

static dv_status add_direction(dv_tfl_at *at, direction *d, int64_t steps, dv_tensor_id *result)
{
    if (steps == 0)
        return whole_layer(at, d, result);
    size_t made = (size_t)steps * OPS_OF_A_STEP;
    DV_TRY(dv_tfl_count_built(at->b, made + dv_unfold_names(made, strlen(at->part))));
    return written_out(at, d, steps, result);
}

/* (x, h, weights and biases of the gates input, cell, forget, output over x and h, c) to (h, c, x
   and h, what goes into the gates): the states are ordinary inputs and outputs. */
static dv_status basic_cell(dv_tfl_at *at)
{
    dv_tfl_tensor state;
    dv_tensor_id ids[3], gates[GATES], cell, gained;
    dv_op_params cat = {.axis = {.axis = -1}}, linear = {.linear = {.alpha = 1, .beta = 1}};
    DV_TRY(dv_tfl_input(at, 4, &state));
    if (at->inputs.count != 5 || state.shape.rank != 2 || at->outputs.count < 2)
        return dv_tfl_opaque(at, "its kernel is not supported");
    DV_TRY(dv_tfl_plain_input(at, 0, &ids[0]));
    DV_TRY(dv_tfl_plain_input(at, 1, &ids[1]));
    DV_TRY(dv_tfl_emit(at, DV_OP_CAT, &cat, ids, 2, &ids[0]));
    if (at->outputs.count > 2)
        DV_TRY(dv_tfl_result(at, 2, ids[0], false));
    DV_TRY(dv_tfl_plain_input(at, 2, &ids[1]));
    DV_TRY(dv_tfl_plain_input(at, 3, &ids[2]));
    DV_TRY(dv_tfl_emit(at, DV_OP_LINEAR, &linear, ids, 3, &ids[0]));
    if (at->outputs.count > 3)
        DV_TRY(dv_tfl_result(at, 3, ids[0], false));
    for (int i = 0; i < GATES; i++) {
        int64_t units = state.shape.dim[1];
        dv_op_params part = {.slice = {.count = 1,
                                       .axes = {-1},
                                       .begin = {i * units},
                                       .end = {(i + 1) * units},
                                       .step = {1}}};
        DV_TRY(dv_tfl_emit1(at, DV_OP_SLICE, &part, ids[0], &gates[i]));
        DV_TRY(dv_tfl_emit1(at, i == 1 ? DV_OP_TANH : DV_OP_SIGMOID, NULL, gates[i], &gates[i]));
    }
    DV_TRY(dv_tfl_plain_input(at, 4, &cell));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MUL, NULL, gates[2], cell, &cell));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MUL, NULL, gates[0], gates[1], &gained));
    DV_TRY(dv_tfl_emit2(at, DV_OP_ADD, NULL, cell, gained, &cell));
    DV_TRY(dv_tfl_emit1(at, DV_OP_TANH, NULL, cell, &gained));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MUL, NULL, gates[3], gained, &gained));
    DV_TRY(dv_tfl_result(at, 1, cell, false));
    return dv_tfl_result(at, 0, gained, false);
}

/* LSTM and UNIDIRECTIONAL_SEQUENCE_LSTM: (x, 4 weights, 4 recurrent weights, 3 peepholes, 4 biases,
   projection and its bias, hidden and cell state, 4 layer norms), gates in the order input, forget,
   cell, output. */
dv_status dv_tfl_op_lstm(dv_tfl_at *at)
{
    bool sequence = strcmp(at->type, "LSTM") != 0;
    bool time_first = !sequence || dv_fb_flag(&at->options, 3, false);
    dv_tensor_id result;
    int64_t steps;
    direction d = {.layer = {.kind = DV_OP_LSTM,
                             .rnn = {.batch_first = !time_first},
                             .sequence = sequence,
                             .hidden_slot = 18,
                             .cell_slot = 19},
                   .first = 1,
                   .norms = at->inputs.count >= 24 ? 20 : 0,
                   .activation = dv_fb_u8(&at->options, 0, 0),
                   .clip = fabs((double)dv_fb_f32(&at->options, 1, 0)),
                   .projection_clip = fabs((double)dv_fb_f32(&at->options, 2, 0))};
    if (sequence ? dv_fb_flag(&at->options, 5, false)
                 : at->inputs.count >= 20 && dv_fb_u8(&at->options, 3, 0) != 0)
        return dv_tfl_opaque(at, "its kernel is not supported");
    if (!sequence && at->inputs.count < 20)
        return basic_cell(at);
    DV_TRY(check_direction(at, &d, &steps));
    if (at->opaque)
        return DV_OK;
    DV_TRY(add_direction(at, &d, steps, &result));
    return dv_tfl_result(at, 0, result, false);
}

/* BIDIRECTIONAL_SEQUENCE_LSTM: (x, 17 weights of each direction, its two states, an auxiliary input
   and 4 weights for it of each). Without weights the auxiliary input is what the backward direction
   reads. */
dv_status dv_tfl_op_lstm_both_ways(dv_tfl_at *at)
{
    bool time_first = dv_fb_flag(&at->options, 4, true);
    bool weighted = dv_tfl_given(at, 39) && dv_tfl_given(at, 41);
    direction ways[2];
    dv_tensor_id results[2];
    int64_t steps[2] = {0, 0};
    for (uint32_t way = 0; way < 2 && !at->opaque; way++) {
        ways[way] = (direction){.layer = {.kind = DV_OP_LSTM,
                                          .rnn = {.batch_first = !time_first, .reverse = way == 1},
                                          .sequence = true,
                                          .hidden_slot = way ? 37 : 35,
                                          .cell_slot = way ? 38 : 36},
                                .x = way == 1 && dv_tfl_given(at, 39) && !weighted ? 39 : 0,
                                .first = way ? 18 : 1,
                                .aux = 39,
                                .aux_weights = !weighted ? 0
                                               : way     ? 44
                                                         : 40,
                                .activation = dv_fb_u8(&at->options, 0, 0),
                                .clip = fabs((double)dv_fb_f32(&at->options, 1, 0)),
                                .projection_clip = fabs((double)dv_fb_f32(&at->options, 2, 0))};
        DV_TRY(check_direction(at, &ways[way], &steps[way]));
    }
    for (uint32_t way = 0; way < 2 && !at->opaque; way++)
        DV_TRY(add_direction(at, &ways[way], steps[way], &results[way]));
    return at->opaque ? DV_OK : dv_tfl_both_ways(at, dv_fb_flag(&at->options, 3, false), results);
}
