/* tflite_ops_rnn.c - recurrent layers that are one operator of ours. Their weights come gate by
   gate; ours lie stacked, and what they keep is a state of the graph. */
#include "load/tflite_rnn.h"

#include <string.h>

/* ---- stacked weights ---- */

dv_status dv_tfl_unsqueeze(dv_tfl_at *at, int64_t axis, dv_tensor_id *id)
{
    dv_op_params params = {.axes = {.count = 1, .axes = {axis}}};
    return dv_tfl_emit1(at, DV_OP_UNSQUEEZE, &params, *id, id);
}

dv_status dv_tfl_squeeze(dv_tfl_at *at, int64_t axis, dv_tensor_id *id)
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
    return dv_tfl_unsqueeze(at, 0, id);
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
dv_status dv_tfl_stack(dv_tfl_at *at, const uint32_t *inputs, uint32_t count, dv_tensor_id *id)
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
dv_status dv_tfl_stack_biases(dv_tfl_at *at, const uint32_t *inputs, uint32_t count, int64_t units,
                              dv_tensor_id *id)
{
    dv_tensor_id ids[2];
    dv_op_params cat = {.axis = {.axis = 1}};
    dv_tensor none = {.name = at->part,
                      .dtype = DV_DTYPE_F32,
                      .role = DV_ROLE_CONSTANT,
                      .shape = {.rank = 2, .dim = {1, units * count}},
                      .data = {.storage = DV_STORAGE_FILL}};
    DV_TRY(dv_tfl_stack(at, inputs, count, &ids[0]));
    DV_TRY(dv_graph_add_tensor(at->b->graph, &none, &ids[1]));
    return dv_tfl_emit(at, DV_OP_CAT, &cat, ids, 2, id);
}

/* ---- layers ---- */

/* ActivationFunctionType as ours; false if it is none of ours. */
bool dv_tfl_read_activation(uint8_t code, dv_activation *out)
{
    *out = code == 1 ? DV_ACTIVATION_RELU : DV_ACTIVATION_TANH;
    return code == 1 || code == 4;
}

/* The value that an input keeps between inferences, behind the direction's dim. */
dv_status dv_tfl_read_kept(dv_tfl_at *at, uint32_t input, bool batch_first, dv_tensor_id *id)
{
    DV_TRY(dv_tfl_plain_input(at, input, id));
    return dv_tfl_unsqueeze(at, batch_first, id);
}

dv_status dv_tfl_keep_input(dv_tfl_at *at, uint32_t input, dv_tensor_id id)
{
    dv_tfl_tensor tensor;
    dv_tensor_id state;
    DV_TRY(dv_tfl_input(at, input, &tensor));
    if (!tensor.is_variable)
        return DV_OK;
    DV_TRY(dv_tfl_memory(at->b, dv_tfl_slot_of(at, input), &state));
    if (tensor.quantised)
        DV_TRY(dv_tfl_quantise(at->b, &tensor, tensor.quantised_axis, at->part, id, &id));
    return dv_tfl_keep(at->b, state, id);
}

/* What the layer leaves behind is what it begins with next time. */
static dv_status keep(dv_tfl_at *at, uint32_t input, bool batch_first, dv_tensor_id id)
{
    DV_TRY(dv_tfl_squeeze(at, batch_first, &id));
    return dv_tfl_keep_input(at, input, id);
}

dv_status dv_tfl_add_layer(dv_tfl_at *at, dv_tfl_layer *l, dv_tensor_id *result)
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
    DV_TRY(dv_tfl_squeeze(at, l->rnn.batch_first ? 2 : 1, &made[0]));
    if (!l->sequence)
        DV_TRY(dv_tfl_squeeze(at, 0, &made[0]));
    *result = made[0];
    return DV_OK;
}

dv_status dv_tfl_check_layer(dv_tfl_at *at, dv_tfl_layer *l, uint32_t input)
{
    dv_tfl_tensor x, state;
    DV_TRY(dv_tfl_input(at, input, &x));
    DV_TRY(dv_tfl_input(at, l->hidden_slot, &state));
    l->rnn.hidden = state.shape.dim[1];
    l->rnn.directions = 1;
    if (x.shape.rank != (l->sequence ? 3 : 2) || state.shape.rank != 2)
        return dv_tfl_opaque(at, "an input of %u dimensions, or a state of %u, is not supported",
                             (unsigned)x.shape.rank, (unsigned)state.shape.rank);
    return DV_OK;
}

dv_status dv_tfl_begin_layer(dv_tfl_at *at, dv_tfl_layer *l, uint32_t input)
{
    DV_TRY(dv_tfl_plain_input(at, input, &l->x));
    return l->sequence ? DV_OK : dv_tfl_unsqueeze(at, 0, &l->x);
}

/* One direction of an RNN whose weights are the inputs from first on, and its state another. */
static dv_status rnn_layer(dv_tfl_at *at, dv_tfl_layer *l, uint32_t input, uint32_t first,
                           dv_tensor_id *result)
{
    DV_TRY(dv_tfl_begin_layer(at, l, input));
    DV_TRY(dv_tfl_stack(at, &first, 1, &l->weight));
    DV_TRY(dv_tfl_stack(at, (const uint32_t[]){first + 1}, 1, &l->recurrent));
    DV_TRY(dv_tfl_stack_biases(at, (const uint32_t[]){first + 2}, 1, l->rnn.hidden, &l->bias));
    DV_TRY(dv_tfl_read_kept(at, l->hidden_slot, l->rnn.batch_first, &l->hidden));
    return dv_tfl_add_layer(at, l, result);
}

/* RNN and UNIDIRECTIONAL_SEQUENCE_RNN: (x, weight, recurrent weight, bias, state). */
dv_status dv_tfl_op_rnn(dv_tfl_at *at)
{
    bool sequence = strcmp(at->type, "RNN") != 0;
    bool time_first = !sequence || dv_fb_flag(&at->options, 0, false);
    dv_tensor_id result;
    dv_tfl_layer l = {.kind = DV_OP_RNN,
                      .rnn = {.batch_first = !time_first},
                      .sequence = sequence,
                      .hidden_slot = 4};
    if (!dv_tfl_read_activation(dv_fb_u8(&at->options, sequence, 0), &l.rnn.gate))
        return dv_tfl_opaque(at, "its activation is not supported");
    DV_TRY(dv_tfl_check_layer(at, &l, 0));
    if (at->opaque)
        return DV_OK;
    DV_TRY(rnn_layer(at, &l, 0, 1, &result));
    return dv_tfl_result(at, 0, result, false);
}

dv_status dv_tfl_both_ways(dv_tfl_at *at, bool merged, const dv_tensor_id *results)
{
    dv_tensor_id both;
    dv_op_params last = {.axis = {.axis = -1}};
    if (!merged) {
        if (at->outputs.count < 2)
            return dv_fail(DV_BAD_INPUT, "it has one output for its two directions");
        DV_TRY(dv_tfl_result(at, 0, results[0], false));
        return dv_tfl_result(at, 1, results[1], false);
    }
    DV_TRY(dv_tfl_emit(at, DV_OP_CAT, &last, results, 2, &both));
    return dv_tfl_result(at, 0, both, false);
}

/* BIDIRECTIONAL_SEQUENCE_RNN: (x, three weights and a state forwards, the same backwards, an
   auxiliary input and its weights). Without weights the auxiliary input is what the backward
   direction reads. */
dv_status dv_tfl_op_rnn_both_ways(dv_tfl_at *at)
{
    bool time_first = dv_fb_flag(&at->options, 0, false);
    uint32_t read[] = {0, dv_tfl_given(at, 9) ? 9 : 0};
    dv_tensor_id results[2];
    dv_tfl_layer ways[2];
    if (dv_tfl_given(at, 10) || dv_tfl_given(at, 11))
        return dv_tfl_opaque(at, "weights of an auxiliary input are not supported");
    for (uint32_t way = 0; way < 2 && !at->opaque; way++) {
        ways[way] = (dv_tfl_layer){.kind = DV_OP_RNN,
                                   .rnn = {.batch_first = !time_first, .reverse = way == 1},
                                   .sequence = true,
                                   .hidden_slot = way ? 8 : 4};
        if (!dv_tfl_read_activation(dv_fb_u8(&at->options, 1, 0), &ways[way].rnn.gate))
            return dv_tfl_opaque(at, "its activation is not supported");
        DV_TRY(dv_tfl_check_layer(at, &ways[way], read[way]));
    }
    for (uint32_t way = 0; way < 2 && !at->opaque; way++)
        DV_TRY(rnn_layer(at, &ways[way], read[way], way ? 5 : 1, &results[way]));
    return at->opaque ? DV_OK : dv_tfl_both_ways(at, dv_fb_flag(&at->options, 2, false), results);
}
