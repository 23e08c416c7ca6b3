/* tflite_ops_rnn.c - recurrent operators. Their weights come gate by gate; ours lie stacked, and
   what they keep is a state of the graph. */
#include <string.h>

#include "load/tflite_build.h"

/* ---- stacked weights ---- */

static dv_status unsqueeze(dv_tfl_at *at, int64_t axis, dv_tensor_id *id)
{
    dv_op_params params = {.axes = {.count = 1, .axes = {axis}}};
    return dv_tfl_emit1(at, DV_OP_UNSQUEEZE, &params, *id, id);
}

static dv_status squeeze(dv_tfl_at *at, int64_t axis, dv_tensor_id *id)
{
    dv_op_params params = {.axes = {.count = 1, .axes = {axis}}};
    return dv_tfl_emit1(at, DV_OP_SQUEEZE, &params, *id, id);
}

/* Inputs one below the other, as they run. */
static dv_status stack_running(dv_tfl_at *at, const uint32_t *inputs, uint32_t count,
                               dv_tensor_id *id)
{
    dv_tensor_id ids[4];
    dv_op_params cat = {.axis = {.axis = 0}};
    for (uint32_t i = 0; i < count; i++)
        DV_TRY(dv_tfl_plain_input(at, inputs[i], &ids[i]));
    *id = ids[0];
    if (count > 1)
        DV_TRY(dv_tfl_emit(at, DV_OP_CAT, &cat, ids, count, id));
    return unsqueeze(at, 0, id);
}

/* Weights of the gates that are alike: constants of one type and shape, quantised one scale each or
   not at all. */
typedef struct gates {
    uint32_t count;
    dv_tfl_tensor source[4];
    dv_tensor part[4];
} gates;

static bool are_alike(const gates *g)
{
    for (uint32_t i = 0; i < g->count; i++) {
        const dv_tensor *part = &g->part[i];
        if (part->data.storage == DV_STORAGE_NONE || part->dtype != g->part[0].dtype ||
            g->source[i].quantised != g->source[0].quantised || g->source[i].scale.count > 1 ||
            !dv_shape_equal(&part->shape, &g->part[0].shape))
            return false;
    }
    return true;
}

/* Rows of gate i have the gate's scale. */
static dv_status stacked_scales(dv_tfl_at *at, const gates *g, dv_tensor_id *id)
{
    size_t rows = g->count * (size_t)g->part[0].shape.dim[0];
    dv_quant quant = {.count = (uint32_t)rows, .axis = 1};
    float *scale = dv_arena_array(at->b->arena, rows, sizeof *scale);
    int32_t *zero = dv_arena_array(at->b->arena, rows, sizeof *zero);
    if (!scale || !zero || rows > UINT32_MAX)
        return dv_fail(DV_NO_MEMORY, "out of memory for %zu scales", rows);
    for (size_t row = 0; row < rows; row++) {
        const dv_tfl_tensor *source = &g->source[row / (size_t)g->part[0].shape.dim[0]];
        double point;
        DV_TRY(dv_tfl_meaning(source, 0, &point)); /* which checks them */
        scale[row] = dv_fb_f32_at(&source->scale, 0);
        zero[row] = source->zero.count ? (int32_t)dv_fb_i64_at(&source->zero, 0) : 0;
    }
    quant.scale = scale;
    quant.zero = zero;
    return dv_tfl_dequantise_by(at->b, &quant, g->part[0].dtype, at->part, *id, id);
}

static dv_status stack_constants(dv_tfl_at *at, const gates *g, dv_tensor_id *id)
{
    const dv_shape *shape = &g->part[0].shape;
    size_t bytes, all;
    dv_tensor made = {.name = at->part,
                      .dtype = g->part[0].dtype,
                      .role = DV_ROLE_CONSTANT,
                      .shape = {.rank = (uint8_t)(shape->rank + 1), .dim = {1}},
                      .data = {.storage = DV_STORAGE_BUFFER}};
    for (uint8_t d = 0; d < shape->rank; d++)
        made.shape.dim[d + 1] = d == 0 ? g->count * shape->dim[d] : shape->dim[d];
    if (!dv_tensor_bytes(&g->part[0], &bytes) || !dv_mul_size(bytes, g->count, &all))
        return dv_fail(DV_BAD_INPUT, "its weights have more elements than memory can hold");
    DV_TRY(dv_tfl_new_buffer(at->b, all, &made.data.buffer));
    for (uint32_t i = 0; i < g->count && bytes > 0; i++)
        memcpy(dv_buffer_writable(made.data.buffer) + i * bytes, dv_tensor_raw(&g->part[i]), bytes);
    dv_status status = dv_graph_add_tensor(at->b->graph, &made, id);
    dv_buffer_release(made.data.buffer);
    DV_TRY(status);
    return g->source[0].quantised ? stacked_scales(at, g, id) : DV_OK;
}

/* Inputs [units, ...] one below the other as [1, count * units, ...]. */
static dv_status stack(dv_tfl_at *at, const uint32_t *inputs, uint32_t count, dv_tensor_id *id)
{
    gates g = {.count = count};
    bool constant = true;
    dv_status status = DV_OK;
    for (uint32_t i = 0; i < count; i++)
        constant &= at->b->scope->slots[dv_tfl_slot_of(at, inputs[i])].constant != DV_NONE;
    for (uint32_t i = 0; constant && status == DV_OK && i < count; i++) {
        uint32_t slot = at->b->scope->slots[dv_tfl_slot_of(at, inputs[i])].constant;
        status = dv_tfl_tensor_at(at->b, slot, &g.source[i]);
        if (status == DV_OK)
            status = dv_tfl_constant(at->b, slot, true, NULL, &g.part[i]);
    }
    bool alike = constant && status == DV_OK && are_alike(&g) && g.part[0].shape.rank > 0;
    if (alike)
        status = stack_constants(at, &g, id);
    for (uint32_t i = 0; i < count; i++)
        dv_buffer_release(g.part[i].data.buffer);
    return status == DV_OK && !alike ? stack_running(at, inputs, count, id) : status;
}

/* Biases, and as many zeros for the recurrent ones that our operators have besides: [1, 2 n]. */
static dv_status stack_biases(dv_tfl_at *at, const uint32_t *inputs, uint32_t count, int64_t units,
                              dv_tensor_id *id)
{
    dv_tensor_id ids[2];
    dv_op_params cat = {.axis = {.axis = 1}};
    dv_tensor none = {.name = at->part,
                      .dtype = DV_DTYPE_F32,
                      .role = DV_ROLE_CONSTANT,
                      .shape = {.rank = 2, .dim = {1, units * count}},
                      .data = {.storage = DV_STORAGE_FILL}};
    DV_TRY(stack(at, inputs, count, &ids[0]));
    DV_TRY(dv_graph_add_tensor(at->b->graph, &none, &ids[1]));
    return dv_tfl_emit(at, DV_OP_CAT, &cat, ids, 2, id);
}

/* ---- layers ---- */

/* ActivationFunctionType as ours; false if it is none of ours. */
static bool read_activation(uint8_t code, dv_activation *out)
{
    *out = code == 1 ? DV_ACTIVATION_RELU : DV_ACTIVATION_TANH;
    return code == 1 || code == 4;
}

/* Everything that makes one of our recurrent operators. */
typedef struct layer {
    dv_op_kind kind;
    dv_rnn_params rnn;
    bool sequence; /* it has a time dim, which is the second if rnn.batch_first */
    dv_tensor_id x, weight, recurrent, bias, hidden, cell, peephole;
    uint32_t hidden_slot, cell_slot; /* of the input that keeps it; DV_NONE: none */
} layer;

/* The value that an input keeps between inferences, behind the direction's dim. */
static dv_status read_kept(dv_tfl_at *at, uint32_t input, bool batch_first, dv_tensor_id *id)
{
    DV_TRY(dv_tfl_plain_input(at, input, id));
    return unsqueeze(at, batch_first, id);
}

/* What the layer leaves behind is what it begins with next time. */
static dv_status keep(dv_tfl_at *at, uint32_t input, bool batch_first, dv_tensor_id id)
{
    dv_tfl_tensor tensor;
    dv_tensor_id state;
    uint32_t slot = dv_tfl_slot_of(at, input);
    DV_TRY(dv_tfl_input(at, input, &tensor));
    if (!tensor.is_variable)
        return DV_OK;
    DV_TRY(dv_tfl_memory(at->b, slot, &state));
    DV_TRY(squeeze(at, batch_first, &id));
    if (tensor.quantised)
        DV_TRY(dv_tfl_quantise(at->b, &tensor, tensor.quantised_axis, at->part, id, &id));
    return dv_tfl_keep(at->b, state, id);
}

static dv_status add_layer(dv_tfl_at *at, layer *l)
{
    bool lstm = l->kind == DV_OP_LSTM;
    const dv_tensor_id ids[] = {l->x,    l->weight, l->recurrent, l->bias,
                                DV_NONE, l->hidden, l->cell,      l->peephole};
    dv_tensor_id made[3];
    dv_op_id id;
    dv_op op = at->like;
    for (int i = 0; i < 2 + lstm; i++)
        DV_TRY(dv_tfl_add_activation(at->b, at->part, &made[i]));
    op.kind = l->kind;
    op.params.rnn = l->rnn;
    op.inputs = ids;
    op.input_count = !lstm ? 6 : l->peephole == DV_NONE ? 7 : 8;
    op.outputs = made;
    op.output_count = 2 + lstm;
    DV_TRY(dv_graph_add_op(at->b->graph, &op, &id));
    DV_TRY(keep(at, l->hidden_slot, l->rnn.batch_first, made[1]));
    if (lstm)
        DV_TRY(keep(at, l->cell_slot, l->rnn.batch_first, made[2]));
    DV_TRY(squeeze(at, l->rnn.batch_first ? 2 : 1, &made[0]));
    if (!l->sequence)
        DV_TRY(squeeze(at, 0, &made[0]));
    return dv_tfl_result(at, 0, made[0], false);
}

/* x, with a time dim of one step if it has none, and the weights that every layer has. */
static dv_status read_layer(dv_tfl_at *at, layer *l)
{
    dv_tfl_tensor x, state;
    DV_TRY(dv_tfl_input(at, 0, &x));
    DV_TRY(dv_tfl_input(at, l->hidden_slot, &state));
    if (x.shape.rank != (l->sequence ? 3 : 2) || state.shape.rank != 2)
        return dv_tfl_opaque(at, "an input of %u dimensions, or a state of %u, is not supported",
                             (unsigned)x.shape.rank, (unsigned)state.shape.rank);
    l->rnn.hidden = state.shape.dim[1];
    l->rnn.directions = 1;
    DV_TRY(dv_tfl_plain_input(at, 0, &l->x));
    if (!l->sequence)
        DV_TRY(unsqueeze(at, 0, &l->x));
    return DV_OK;
}

/* RNN and UNIDIRECTIONAL_SEQUENCE_RNN: (x, weight, recurrent weight, bias, state). */
dv_status dv_tfl_op_rnn(dv_tfl_at *at)
{
    bool sequence = strcmp(at->type, "RNN") != 0;
    bool time_first = !sequence || dv_fb_flag(&at->options, 0, false);
    layer l = {.kind = DV_OP_RNN,
               .rnn = {.batch_first = !time_first},
               .sequence = sequence,
               .hidden_slot = 4};
    if (!read_activation(dv_fb_u8(&at->options, sequence, 0), &l.rnn.gate))
        return dv_tfl_opaque(at, "its activation is not supported");
    DV_TRY(read_layer(at, &l));
    if (at->opaque)
        return DV_OK;
    DV_TRY(stack(at, (const uint32_t[]){1}, 1, &l.weight));
    DV_TRY(stack(at, (const uint32_t[]){2}, 1, &l.recurrent));
    DV_TRY(stack_biases(at, (const uint32_t[]){3}, 1, l.rnn.hidden, &l.bias));
    DV_TRY(read_kept(at, 4, l.rnn.batch_first, &l.hidden));
    return add_layer(at, &l);
}

/* What an LSTM may have that ours does not; NULL: nothing. */
static const char *lstm_extra(const dv_tfl_at *at, bool sequence)
{
    if (at->inputs.count != 20 && at->inputs.count != 24)
        return "the basic kernel's inputs are not supported";
    if (!dv_tfl_given(at, 1) || !dv_tfl_given(at, 5) || !dv_tfl_given(at, 12))
        return "coupled gates are not supported";
    if (dv_tfl_given(at, 16))
        return "a projection is not supported";
    for (uint32_t i = 20; i < 24; i++)
        if (dv_tfl_given(at, i))
            return "layer norms between its gates are not supported";
    if (sequence ? dv_fb_flag(&at->options, 5, false) : dv_fb_u8(&at->options, 3, 0) != 0)
        return "its kernel is not supported";
    for (uint32_t i = 2; i < 20; i++)
        if (!dv_tfl_given(at, i) && (i < 9 || i > 11) && i != 16 && i != 17)
            return "one of its weights is missing";
    return NULL;
}

/* LSTM and UNIDIRECTIONAL_SEQUENCE_LSTM: (x, 4 weights, 4 recurrent weights, 3 peepholes, 4 biases,
   projection and its bias, hidden and cell state), gates in the order input, forget, cell, output;
   ours is input, output, forget, cell. */
dv_status dv_tfl_op_lstm(dv_tfl_at *at)
{
    bool sequence = strcmp(at->type, "LSTM") != 0;
    bool time_first = !sequence || dv_fb_flag(&at->options, 3, false);
    double clip = (double)dv_fb_f32(&at->options, 1, 0);
    layer l = {.kind = DV_OP_LSTM,
               .rnn = {.batch_first = !time_first},
               .sequence = sequence,
               .peephole = DV_NONE,
               .hidden_slot = 18,
               .cell_slot = 19};
    const char *extra = lstm_extra(at, sequence);
    if (extra)
        return dv_tfl_opaque(at, "%s", extra);
    if (!read_activation(dv_fb_u8(&at->options, 0, 0), &l.rnn.cell))
        return dv_tfl_opaque(at, "its activation is not supported");
    if (clip != 0 && clip < 10) /* tanh of more is 1 to 8 digits, and nobody clips it for less */
        return dv_tfl_opaque(at, "a cell that is clipped at %g is not supported", clip);
    l.rnn.state = l.rnn.cell;
    DV_TRY(read_layer(at, &l));
    if (at->opaque)
        return DV_OK;
    DV_TRY(stack(at, (const uint32_t[]){1, 4, 2, 3}, 4, &l.weight));
    DV_TRY(stack(at, (const uint32_t[]){5, 8, 6, 7}, 4, &l.recurrent));
    DV_TRY(stack_biases(at, (const uint32_t[]){12, 15, 13, 14}, 4, l.rnn.hidden, &l.bias));
    if (dv_tfl_given(at, 9) && dv_tfl_given(at, 10) && dv_tfl_given(at, 11))
        DV_TRY(stack(at, (const uint32_t[]){9, 11, 10}, 3, &l.peephole));
    DV_TRY(read_kept(at, 18, l.rnn.batch_first, &l.hidden));
    DV_TRY(read_kept(at, 19, l.rnn.batch_first, &l.cell));
    return add_layer(at, &l);
}

/* ---- SVDF ---- */

static dv_status viewed(dv_tfl_at *at, const int64_t *dims, size_t count, dv_tensor_id *id)
{
    dv_tensor_id shape;
    DV_TRY(dv_tfl_longs(at, dims, count, &shape));
    return dv_tfl_emit2(at, DV_OP_VIEW, NULL, *id, shape, id);
}

/* The last steps of every filter, the newest behind them; *id: [batch, filters, memory]. */
static dv_status push_features(dv_tfl_at *at, int64_t filters, int64_t memory, dv_tensor_id *id)
{
    dv_tensor_id ids[2];
    dv_op_params linear = {.linear = {.alpha = 1, .beta = 1}}, cat = {.axis = {.axis = 2}};
    dv_op_params later = {
        .slice = {.count = 1, .axes = {2}, .begin = {1}, .end = {INT64_MAX}, .step = {1}}};
    DV_TRY(dv_tfl_plain_input(at, 0, &ids[0]));
    DV_TRY(dv_tfl_plain_input(at, 1, &ids[1]));
    DV_TRY(dv_tfl_emit(at, DV_OP_LINEAR, &linear, ids, 2, &ids[1]));
    DV_TRY(unsqueeze(at, 2, &ids[1]));
    DV_TRY(dv_tfl_plain_input(at, 4, &ids[0]));
    DV_TRY(viewed(at, (const int64_t[]){-1, filters, memory}, 3, &ids[0]));
    DV_TRY(dv_tfl_emit1(at, DV_OP_SLICE, &later, ids[0], &ids[0]));
    return dv_tfl_emit(at, DV_OP_CAT, &cat, ids, 2, id);
}

/* A matrix product of low rank over time: (x [batch, in], feature weights [filters, in], time
   weights [filters, memory], bias [units], the last features); units of `rank` filters each. */
dv_status dv_tfl_op_svdf(dv_tfl_at *at)
{
    dv_tfl_tensor weight, state;
    dv_tensor_id steps, ids[2], memory, old;
    int64_t rank = dv_fb_i32(&at->options, 0, 0);
    dv_op_params sum = {.reduce = {.count = 1, .axes = {2}}};
    DV_TRY(dv_tfl_input(at, 2, &weight));
    DV_TRY(dv_tfl_input(at, 4, &state));
    if (weight.shape.rank != 2 || rank < 1 || weight.shape.dim[0] % rank != 0 ||
        !state.is_variable || state.quantised)
        return dv_tfl_opaque(at,
                             "weights of %u dimensions, or a state of integers, are not "
                             "supported",
                             (unsigned)weight.shape.rank);
    int64_t filters = weight.shape.dim[0], length = weight.shape.dim[1];
    DV_TRY(push_features(at, filters, length, &steps));
    memory = steps;
    DV_TRY(viewed(at, (const int64_t[]){-1, filters * length}, 2, &memory));
    DV_TRY(dv_tfl_memory(at->b, dv_tfl_slot_of(at, 4), &old));
    DV_TRY(dv_tfl_keep(at->b, old, memory));
    DV_TRY(dv_tfl_plain_input(at, 2, &ids[1]));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MUL, NULL, steps, ids[1], &ids[0]));
    DV_TRY(dv_tfl_emit1(at, DV_OP_SUM, &sum, ids[0], &ids[0]));
    if (rank > 1) {
        DV_TRY(viewed(at, (const int64_t[]){-1, filters / rank, rank}, 3, &ids[0]));
        DV_TRY(dv_tfl_emit1(at, DV_OP_SUM, &sum, ids[0], &ids[0]));
    }
    if (dv_tfl_given(at, 3)) {
        DV_TRY(dv_tfl_plain_input(at, 3, &ids[1]));
        DV_TRY(dv_tfl_emit(at, DV_OP_ADD, NULL, ids, 2, &ids[0]));
    }
    return dv_tfl_result_activated(at, 1, ids[0], false);
}
