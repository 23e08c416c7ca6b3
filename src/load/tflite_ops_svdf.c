/* tflite_ops_svdf.c - SVDF: a matrix product of low rank over the last steps of a sequence. */
#include "load/tflite_rnn.h"

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
    DV_TRY(dv_tfl_unsqueeze(at, 2, &ids[1]));
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
    dv_tensor_id steps, ids[2], memory;
    int64_t rank = dv_fb_i32(&at->options, 0, 0);
    dv_op_params sum = {.reduce = {.count = 1, .axes = {2}}};
    DV_TRY(dv_tfl_input(at, 2, &weight));
    DV_TRY(dv_tfl_input(at, 4, &state));
    if (weight.shape.rank != 2 || rank < 1 || weight.shape.dim[0] % rank != 0 ||
        !state.is_variable || state.shape.rank != 2 ||
        state.shape.dim[1] != weight.shape.dim[0] * weight.shape.dim[1])
        return dv_tfl_opaque(at,
                             "weights of %u dimensions, or a state of other sizes, are not "
                             "supported",
                             (unsigned)weight.shape.rank);
    int64_t filters = weight.shape.dim[0], length = weight.shape.dim[1];
    DV_TRY(push_features(at, filters, length, &steps));
    memory = steps;
    DV_TRY(viewed(at, (const int64_t[]){-1, filters * length}, 2, &memory));
    DV_TRY(dv_tfl_keep_input(at, 4, memory));
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
