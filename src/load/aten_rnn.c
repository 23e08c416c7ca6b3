/* aten_rnn.c - ATen's recurrent layers: one whole operator a layer, its weights in ONNX's order.

   torch keeps a matrix a layer and direction, its gates in the order i f g o (lstm) or r z n (gru);
   ours has both directions in one tensor, and i o f c or z r h. Rearranging constants is folded by
   lowering. */
#include <string.h>

#include "load/aten_build.h"

enum { MOST_LAYERS = 64, MOST_DIRECTIONS = 2, STATES = 2 };

/* A call's layers; of its arguments: input, hx, params, has_biases, num_layers, dropout, train,
   bidirectional, batch_first. */
typedef struct stack {
    uint32_t gates, states, each; /* each: weights a layer and direction */
    const uint8_t *order;         /* where each of our gates is in torch's */
    int64_t layers, directions, hidden, steps, batch;
    bool biased, batch_first;
    const dv_tensor_id *weights;
    dv_tensor_id first[STATES]; /* the first state of all layers, one tensor a kind of state */
} stack;

static dv_status join(dv_aten_at *at, const dv_tensor_id *parts, uint32_t count, int64_t axis,
                      dv_tensor_id *id)
{
    dv_op_params params = {.axis = {.axis = axis}};
    *id = parts[0];
    return count == 1 ? DV_OK : dv_aten_emit_all(at, DV_OP_CAT, &params, parts, count, id);
}

static dv_status cut(dv_aten_at *at, dv_tensor_id from, int64_t begin, int64_t end,
                     dv_tensor_id *id)
{
    dv_op_params params = {.slice = {.count = 1, .begin = {begin}, .end = {end}, .step = {1}}};
    return dv_aten_emit(at, DV_OP_SLICE, &params, from, DV_NONE, id);
}

/* A weight's rows with the gates in our order. */
static dv_status reorder(dv_aten_at *at, const stack *s, dv_tensor_id *id)
{
    dv_tensor_id parts[4];
    if (s->gates == 1)
        return DV_OK;
    for (uint32_t g = 0; g < s->gates; g++)
        DV_TRY(cut(at, *id, s->order[g] * s->hidden, (s->order[g] + 1) * s->hidden, &parts[g]));
    return join(at, parts, s->gates, 0, id);
}

/* The weight of that number of both directions, as one tensor. */
static dv_status weight_of(dv_aten_at *at, const stack *s, int64_t layer, uint32_t number,
                           dv_tensor_id *id)
{
    dv_op_params open = {.axes = {.count = 1}};
    dv_tensor_id parts[MOST_DIRECTIONS];
    for (int64_t d = 0; d < s->directions; d++) {
        parts[d] = s->weights[(layer * s->directions + d) * s->each + number];
        DV_TRY(reorder(at, s, &parts[d]));
        DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, parts[d], DV_NONE, &parts[d]));
    }
    return join(at, parts, (uint32_t)s->directions, 0, id);
}

static dv_status add_part(dv_aten_at *at, dv_tensor_id like, dv_tensor_id *id)
{
    dv_tensor part = {.name = at->call->name,
                      .dtype = dv_aten_dtype_of(at, like),
                      .shape = {.rank = DV_RANK_UNKNOWN},
                      .role = DV_ROLE_ACTIVATION};
    return dv_graph_add_tensor(at->graph, &part, id);
}

/* One layer of x [steps, batch, features]; *x becomes its output, last[] its last states. */
static dv_status add_layer(dv_aten_at *at, const stack *s, int64_t layer, dv_tensor_id *x,
                           dv_tensor_id last[STATES])
{
    dv_tensor_id inputs[7] = {*x, DV_NONE, DV_NONE, DV_NONE, DV_NONE, DV_NONE, DV_NONE};
    dv_tensor_id bias[2], outputs[1 + STATES];
    bool relu = strstr(at->call->source_type, "rnn_relu") != NULL;
    dv_op_params params = {.rnn = {.directions = s->directions,
                                   .reset_after = at->kind == DV_OP_GRU,
                                   .gate = DV_ACTIVATION_SIGMOID,
                                   .cell = DV_ACTIVATION_TANH,
                                   .state = DV_ACTIVATION_TANH}};
    if (at->kind == DV_OP_RNN)
        params.rnn.gate = relu ? DV_ACTIVATION_RELU : DV_ACTIVATION_TANH;
    DV_TRY(weight_of(at, s, layer, 0, &inputs[1]));
    DV_TRY(weight_of(at, s, layer, 1, &inputs[2]));
    if (s->biased) {
        DV_TRY(weight_of(at, s, layer, 2, &bias[0]));
        DV_TRY(weight_of(at, s, layer, 3, &bias[1]));
        DV_TRY(join(at, bias, 2, 1, &inputs[3]));
    }
    for (uint32_t k = 0; k < s->states; k++)
        DV_TRY(cut(at, s->first[k], layer * s->directions, (layer + 1) * s->directions,
                   &inputs[5 + k]));
    for (uint32_t k = 0; k <= s->states; k++)
        DV_TRY(add_part(at, *x, &outputs[k]));
    dv_op_id id;
    dv_op op = {.kind = at->kind,
                .name = at->call->name,
                .source_type = at->call->source_type,
                .debug_handle = at->call->debug_handle,
                .params = params,
                .inputs = inputs,
                .input_count = 5 + s->states,
                .outputs = outputs,
                .output_count = 1 + s->states};
    DV_TRY(dv_graph_add_op(at->graph, &op, &id));
    /* [steps, directions, batch, hidden] to [steps, batch, directions * hidden] */
    dv_op_params side = {.permute = {.rank = 4, .perm = {0, 2, 1, 3}}};
    dv_op_params flat = {
        .view = {.shape = {.rank = 3, .dim = {s->steps, s->batch, s->directions * s->hidden}},
                 .allow_zero = true}};
    DV_TRY(dv_aten_emit(at, DV_OP_PERMUTE, &side, outputs[0], DV_NONE, x));
    DV_TRY(dv_aten_emit(at, DV_OP_VIEW, &flat, *x, DV_NONE, x));
    for (uint32_t k = 0; k < s->states; k++)
        last[k] = outputs[1 + k];
    return DV_OK;
}

/* ---- arguments ---- */

static dv_status read_states(dv_aten_at *at, stack *s)
{
    const dv_aten_value *hx = &at->args[1];
    bool several = s->states == 2;
    if (several ? hx->type != DV_ATEN_TENSORS || hx->count != 2 : hx->type != DV_ATEN_TENSOR)
        return dv_fail(DV_BAD_INPUT, "argument 'hx' is not %u states", s->states);
    for (uint32_t k = 0; k < s->states; k++)
        s->first[k] = several ? hx->tensors[k] : hx->tensor;
    return DV_OK;
}

static dv_status read_stack(dv_aten_at *at, stack *s)
{
    static const uint8_t lstm[] = {0, 3, 1, 2}, gru[] = {1, 0, 2};
    const dv_aten_value *params = &at->args[2];
    bool both;
    s->gates = at->kind == DV_OP_LSTM ? 4 : at->kind == DV_OP_GRU ? 3 : 1;
    s->order = at->kind == DV_OP_LSTM ? lstm : gru;
    s->states = at->kind == DV_OP_LSTM ? 2 : 1;
    DV_TRY(read_states(at, s));
    DV_TRY(dv_aten_flag(at, 3, &s->biased));
    DV_TRY(dv_aten_int(at, 4, &s->layers));
    DV_TRY(dv_aten_flag(at, 7, &both));
    DV_TRY(dv_aten_flag(at, 8, &s->batch_first));
    s->directions = both ? 2 : 1;
    s->each = s->biased ? 4 : 2;
    if (params->type != DV_ATEN_TENSORS || s->layers < 1)
        return dv_fail(DV_BAD_INPUT, "argument 'params' is not a list of weights");
    if (s->layers > MOST_LAYERS || params->count != s->layers * s->directions * s->each)
        return dv_aten_opaque(at, "%lld layers with %u weights are not supported (a projection?)",
                              (long long)s->layers, params->count);
    s->weights = params->tensors;
    for (uint32_t i = 0; i < params->count; i++)
        if (params->tensors[i] == DV_NONE)
            return dv_fail(DV_BAD_INPUT, "a weight is missing");
    const dv_shape *recurrent = dv_aten_shape_of(at, s->weights[1]);
    if (!dv_shape_known(recurrent) || recurrent->rank != 2)
        return dv_aten_opaque(at, "the shapes of its weights are not known");
    s->hidden = recurrent->dim[1];
    return DV_OK;
}

/* (input, hx, params, ...) -> (output, the last states) */
dv_status dv_aten_read_rnn(dv_aten_at *at)
{
    dv_op_params turn = {.permute = {.rank = 3, .perm = {1, 0, 2}}}, along = {0};
    dv_tensor_id x, last[STATES][MOST_LAYERS];
    stack s = {0};
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(read_stack(at, &s));
    const dv_shape shape = *dv_aten_shape_of(at, x);
    if (at->reason)
        return DV_OK;
    if (!dv_shape_known(&shape) || shape.rank != 3)
        return dv_aten_opaque(at, "an input without a batch is not supported");
    s.steps = shape.dim[s.batch_first ? 1 : 0];
    s.batch = shape.dim[s.batch_first ? 0 : 1];
    if (s.batch_first)
        DV_TRY(dv_aten_emit(at, DV_OP_PERMUTE, &turn, x, DV_NONE, &x));
    for (int64_t layer = 0; layer < s.layers; layer++) {
        dv_tensor_id ends[STATES];
        DV_TRY(add_layer(at, &s, layer, &x, ends));
        for (uint32_t k = 0; k < s.states; k++)
            last[k][layer] = ends[k];
    }
    DV_TRY(s.batch_first ? dv_aten_finish_one(at, 0, DV_OP_PERMUTE, &turn, x, DV_NONE)
                         : dv_aten_finish_one(at, 0, DV_OP_IDENTITY, NULL, x, DV_NONE));
    for (uint32_t k = 0; k < s.states; k++) {
        dv_tensor_id all;
        DV_TRY(join(at, last[k], (uint32_t)s.layers, 0, &all));
        DV_TRY(dv_aten_finish_one(at, 1 + k, DV_OP_IDENTITY, &along, all, DV_NONE));
    }
    return DV_OK;
}

/* ---- cells: one step ---- */

/* weight . x + bias */
static dv_status project(dv_aten_at *at, dv_tensor_id x, uint32_t weight_at, uint32_t bias_at,
                         dv_tensor_id *id)
{
    dv_op_params params = {.linear = {.alpha = 1, .beta = 1}};
    dv_tensor_id inputs[3] = {x, DV_NONE, DV_NONE};
    DV_TRY(dv_aten_input(at, weight_at, &inputs[1]));
    DV_TRY(dv_aten_option(at, bias_at, &inputs[2]));
    return dv_aten_emit_all(at, DV_OP_LINEAR, &params, inputs, inputs[2] == DV_NONE ? 2 : 3, id);
}

/* The i-th of the gates that lie side by side, each of so many columns. */
static dv_status gate(dv_aten_at *at, dv_tensor_id all, int64_t size, int64_t i, dv_op_kind kind,
                      dv_tensor_id *id)
{
    dv_op_params part = {
        .slice = {
            .count = 1, .axes = {1}, .begin = {i * size}, .end = {(i + 1) * size}, .step = {1}}};
    DV_TRY(dv_aten_emit(at, DV_OP_SLICE, &part, all, DV_NONE, id));
    return kind == DV_OP_IDENTITY ? DV_OK : dv_aten_emit(at, kind, NULL, *id, DV_NONE, id);
}

/* The width of a state; opaque if the file does not tell it. */
static dv_status width_of(dv_aten_at *at, dv_tensor_id state, int64_t *width)
{
    const dv_shape *shape = dv_aten_shape_of(at, state);
    if (!dv_shape_known(shape) || shape->rank != 2)
        return dv_aten_opaque(at, "the shape of its state is not known");
    *width = shape->dim[1];
    return *width > 0 && *width < INT32_MAX ? DV_OK
                                            : dv_fail(DV_BAD_INPUT, "its state has no width");
}

/* (input, [h, c], w_ih, w_hh, b_ih, b_hh), gates in torch's order: input, forget, cell, output. */
dv_status dv_aten_read_lstm_cell(dv_aten_at *at)
{
    static const dv_op_kind kinds[] = {DV_OP_SIGMOID, DV_OP_SIGMOID, DV_OP_TANH, DV_OP_SIGMOID};
    dv_tensor_id x, gates, turned, g[4], made;
    int64_t width = 0;
    const dv_aten_value *states = &at->args[1];
    DV_TRY(dv_aten_input(at, 0, &x));
    if (states->type != DV_ATEN_TENSORS || states->count != 2 || states->tensors[0] == DV_NONE ||
        states->tensors[1] == DV_NONE || at->call->output_count != 2)
        return dv_fail(DV_BAD_INPUT, "its states are not two tensors");
    DV_TRY(width_of(at, states->tensors[0], &width));
    if (at->reason)
        return DV_OK;
    DV_TRY(project(at, x, 2, 4, &gates));
    DV_TRY(project(at, states->tensors[0], 3, 5, &turned));
    DV_TRY(dv_aten_emit(at, DV_OP_ADD, NULL, gates, turned, &gates));
    for (int64_t i = 0; i < 4; i++)
        DV_TRY(gate(at, gates, width, i, kinds[i], &g[i]));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, g[1], states->tensors[1], &made));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, g[0], g[2], &g[0]));
    DV_TRY(dv_aten_finish_one(at, 1, DV_OP_ADD, NULL, made, g[0]));
    DV_TRY(dv_aten_emit(at, DV_OP_ADD, NULL, made, g[0], &made));
    DV_TRY(dv_aten_emit(at, DV_OP_TANH, NULL, made, DV_NONE, &made));
    return dv_aten_finish_one(at, 0, DV_OP_MUL, NULL, g[3], made);
}

/* (input, h, w_ih, w_hh, b_ih, b_hh), gates: reset, update, new; h' = n + update * (h - n). */
dv_status dv_aten_read_gru_cell(dv_aten_at *at)
{
    dv_tensor_id x, h, given, turned, part[3], back[3];
    int64_t width = 0;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_input(at, 1, &h));
    DV_TRY(width_of(at, h, &width));
    if (at->reason)
        return DV_OK;
    DV_TRY(project(at, x, 2, 4, &given));
    DV_TRY(project(at, h, 3, 5, &turned));
    for (int64_t i = 0; i < 3; i++) {
        DV_TRY(gate(at, given, width, i, DV_OP_IDENTITY, &part[i]));
        DV_TRY(gate(at, turned, width, i, DV_OP_IDENTITY, &back[i]));
    }
    for (int64_t i = 0; i < 2; i++) {
        DV_TRY(dv_aten_emit(at, DV_OP_ADD, NULL, part[i], back[i], &part[i]));
        DV_TRY(dv_aten_emit(at, DV_OP_SIGMOID, NULL, part[i], DV_NONE, &part[i]));
    }
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, part[0], back[2], &back[2]));
    DV_TRY(dv_aten_emit(at, DV_OP_ADD, NULL, part[2], back[2], &part[2]));
    DV_TRY(dv_aten_emit(at, DV_OP_TANH, NULL, part[2], DV_NONE, &part[2]));
    DV_TRY(dv_aten_emit(at, DV_OP_SUB, NULL, h, part[2], &h));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, part[1], h, &h));
    return dv_aten_finish(at, DV_OP_ADD, NULL, part[2], h, DV_NONE);
}

dv_status dv_aten_read_rnn_cell(dv_aten_at *at)
{
    dv_tensor_id x, h;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_input(at, 1, &h));
    DV_TRY(project(at, x, 2, 4, &x));
    DV_TRY(project(at, h, 3, 5, &h));
    DV_TRY(dv_aten_emit(at, DV_OP_ADD, NULL, x, h, &x));
    return dv_aten_finish(at, at->kind, NULL, x, DV_NONE, DV_NONE);
}
