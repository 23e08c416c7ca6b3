/* tflite_rnn.h - what the readers of recurrent operators share. */
#ifndef DV_LOAD_TFLITE_RNN_H
#define DV_LOAD_TFLITE_RNN_H

#include "load/tflite_build.h"

/* Everything that makes one of our recurrent operators. */
typedef struct dv_tfl_layer {
    dv_op_kind kind;
    dv_rnn_params rnn;
    bool sequence; /* it has a time dim, which is the second if rnn.batch_first */
    dv_tensor_id x, weight, recurrent, bias, hidden, cell, peephole;
    uint32_t hidden_slot, cell_slot; /* of the inputs that keep them */
} dv_tfl_layer;

/* ActivationFunctionType as ours; false if it is none of ours. */
bool dv_tfl_read_activation(uint8_t code, dv_activation *out);

DV_MUST_USE dv_status dv_tfl_unsqueeze(dv_tfl_at *at, int64_t axis, dv_tensor_id *id);
DV_MUST_USE dv_status dv_tfl_squeeze(dv_tfl_at *at, int64_t axis, dv_tensor_id *id);

/* Inputs [units, ...] one below the other as [1, count * units, ...]. */
DV_MUST_USE dv_status dv_tfl_stack(dv_tfl_at *at, const uint32_t *inputs, uint32_t count,
                                   dv_tensor_id *id);

/* Biases, and as many zeros for the recurrent ones that our operators have besides: [1, 2 n]. */
DV_MUST_USE dv_status dv_tfl_stack_biases(dv_tfl_at *at, const uint32_t *inputs, uint32_t count,
                                          int64_t units, dv_tensor_id *id);

/* The value that an input keeps between inferences, behind the direction's dim. */
DV_MUST_USE dv_status dv_tfl_read_kept(dv_tfl_at *at, uint32_t input, bool batch_first,
                                       dv_tensor_id *id);

/* After this inference the input, if it is a variable, keeps id. */
DV_MUST_USE dv_status dv_tfl_keep_input(dv_tfl_at *at, uint32_t input, dv_tensor_id id);

/* Sets how many units there are; gives the operator up if its x or its state has other dims. */
DV_MUST_USE dv_status dv_tfl_check_layer(dv_tfl_at *at, dv_tfl_layer *l, uint32_t input);

/* Reads the input that is x, with a time dim of one step if it has none. */
DV_MUST_USE dv_status dv_tfl_begin_layer(dv_tfl_at *at, dv_tfl_layer *l, uint32_t input);

/* Adds the operator, and what it keeps; *result has the dims of the file's. */
DV_MUST_USE dv_status dv_tfl_add_layer(dv_tfl_at *at, dv_tfl_layer *l, dv_tensor_id *result);

/* The results of two directions are the outputs: one behind the other along the last dim, or two.
 */
DV_MUST_USE dv_status dv_tfl_both_ways(dv_tfl_at *at, bool merged, const dv_tensor_id *results);

#endif
