/* onnx_ops_rnn.c - recurrent layers, each kept whole. */
#include "load/onnx_ops.h"

/* The i-th name of the list of activations, as ours; false if there is no such. */
static bool activation_of(dv_span name, dv_activation *out)
{
    static const char *const names[] = {"Sigmoid", "Tanh", "Relu"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (dv_span_is(name, names[i])) {
            *out = (dv_activation)i;
            return true;
        }
    }
    return false;
}

/* `count` activations a direction; both directions must agree. */
static dv_status read_activations(dv_onnx_at *at, size_t count)
{
    dv_rnn_params *rnn = &at->op.params.rnn;
    dv_activation *members[] = {&rnn->gate, &rnn->cell, &rnn->state};
    const dv_onnx_attribute *attribute = dv_onnx_attribute_of(at, "activations");
    dv_span names[6];
    size_t given = 0;
    if (!attribute)
        return DV_OK;
    DV_TRY(dv_onnx_read_texts(attribute, at->file, 6, names, &given));
    for (size_t i = 0; i < given; i++) {
        dv_activation activation;
        if (!activation_of(names[i], &activation))
            return dv_onnx_opaque(at, "activation '%.*s' is not supported",
                                  (int)(names[i].size > 40 ? 40 : names[i].size),
                                  (const char *)names[i].data);
        if (i < count)
            *members[i] = activation;
        else if (*members[i % count] != activation)
            return dv_onnx_opaque(at, "different activations by direction are not supported");
    }
    if (given % count != 0)
        return dv_fail(DV_BAD_INPUT, "attribute 'activations' has %zu names", given);
    return DV_OK;
}

static dv_status read_layer(dv_onnx_at *at, size_t activations)
{
    dv_rnn_params *rnn = &at->op.params.rnn;
    dv_span direction;
    DV_TRY(dv_onnx_int(at, "hidden_size", 0, &rnn->hidden));
    DV_TRY(dv_onnx_float(at, "clip", 0.0, &rnn->clip));
    DV_TRY(dv_onnx_flag(at, "layout", false, &rnn->batch_first));
    DV_TRY(dv_onnx_text(at, "direction", "forward", &direction));
    rnn->directions = dv_span_is(direction, "bidirectional") ? 2 : 1;
    rnn->reverse = dv_span_is(direction, "reverse");
    if (rnn->directions == 1 && !rnn->reverse && !dv_span_is(direction, "forward"))
        return dv_fail(DV_BAD_INPUT,
                       "attribute 'direction' must be forward, reverse or bidirectional");
    if (rnn->hidden < 0)
        return dv_fail(DV_BAD_INPUT, "attribute 'hidden_size' must not be negative");
    return read_activations(at, activations);
}

dv_status dv_onnx_op_rnn(dv_onnx_at *at)
{
    at->op.params.rnn.gate = DV_ACTIVATION_TANH;
    return read_layer(at, 1);
}

dv_status dv_onnx_op_gru(dv_onnx_at *at)
{
    at->op.params.rnn.cell = DV_ACTIVATION_TANH;
    DV_TRY(dv_onnx_flag(at, "linear_before_reset", false, &at->op.params.rnn.reset_after));
    return read_layer(at, 2);
}

dv_status dv_onnx_op_lstm(dv_onnx_at *at)
{
    at->op.params.rnn.cell = at->op.params.rnn.state = DV_ACTIVATION_TANH;
    DV_TRY(dv_onnx_flag(at, "input_forget", false, &at->op.params.rnn.coupled));
    return read_layer(at, 3);
}
