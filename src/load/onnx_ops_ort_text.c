/* onnx_ops_ort_text.c - com.microsoft: attention and embeddings as ONNX Runtime's transformer
   optimiser fuses them, taken apart again. */
#include "load/onnx_attention.h"

static dv_tensor_id given(const dv_onnx_at *at, uint32_t i)
{
    return dv_onnx_given_input(at, i) ? at->inputs[i] : DV_NONE;
}

/* Positions start, start + 1, ... for as many as dim 1 of input 0 has. */
static dv_status emit_positions_from(dv_onnx_at *at, dv_tensor_id start, dv_tensor_id *id)
{
    dv_op_params length = {.slice = {.count = 1, .begin = {1}, .end = {2}, .step = {1}}};
    dv_op_params none = {.axis = {0}}, scalar = {.axes = {.count = 1, .axes = {0}}};
    dv_tensor_id zero, one, count;
    DV_TRY(dv_onnx_scalar(at, DV_DTYPE_I64, 0, &zero));
    DV_TRY(dv_onnx_scalar(at, DV_DTYPE_I64, 1, &one));
    DV_TRY(dv_onnx_emit(at, DV_OP_SHAPE, &length, at->inputs[0], DV_NONE, &count));
    DV_TRY(dv_onnx_emit(at, DV_OP_SQUEEZE, &scalar, count, DV_NONE, &count));
    DV_TRY(dv_onnx_emit3(at, DV_OP_ARANGE, &none, (dv_tensor_id[]){zero, count, one}, id));
    return start == DV_NONE ? DV_OK : dv_onnx_emit(at, DV_OP_ADD, NULL, *id, start, id);
}

/* ---- attention ---- */

static dv_status read_heads(dv_onnx_at *at, dv_onnx_attention *a)
{
    *a = (dv_onnx_attention){.flat = true,
                             .dtype = dv_onnx_input_dtype(at, 0),
                             .has_scale = dv_onnx_has(at, "scale"),
                             .mask = DV_NONE,
                             .past_key = DV_NONE,
                             .past_value = DV_NONE,
                             .mask_is_finite = true,
                             .mode = -1};
    a->precision = a->dtype;
    DV_TRY(dv_onnx_int(at, "num_heads", 0, &a->heads));
    DV_TRY(dv_onnx_float(at, "scale", 0.0, &a->scale));
    DV_TRY(dv_onnx_flag(at, "unidirectional", false, &a->causal));
    a->has_scale = a->scale > 0;
    a->key_heads = a->heads;
    return a->heads >= 1 && a->heads <= DV_ONNX_MOST_HEADS
               ? DV_OK
               : dv_fail(DV_BAD_INPUT, "attribute 'num_heads' is %lld", (long long)a->heads);
}

/* true for the keys below a length for each sample: [batch, 1, 1, key]. The keys are those of the
   node's own input. */
static dv_status emit_below(dv_onnx_at *at, dv_tensor_id lengths, dv_tensor_id *id)
{
    dv_op_params wide = {.axes = {.count = 3, .axes = {1, 2, 3}}}, whole = {.cast = {DV_DTYPE_I64}};
    dv_tensor_id places;
    DV_TRY(emit_positions_from(at, DV_NONE, &places));
    DV_TRY(dv_onnx_emit(at, DV_OP_CAST, &whole, lengths, DV_NONE, &lengths));
    DV_TRY(dv_onnx_emit(at, DV_OP_UNSQUEEZE, &wide, lengths, DV_NONE, &lengths));
    return dv_onnx_emit(at, DV_OP_LT, NULL, places, lengths, id);
}

/* What integers say of which keys may be seen (by a 1, or below a length), as numbers to add to the
   scores. */
static dv_status emit_padding(dv_onnx_at *at, const dv_onnx_attention *a, dv_tensor_id which,
                              dv_tensor_id *mask)
{
    double filter;
    dv_tensor_id one, never;
    const dv_shape *shape = dv_onnx_shape_of(at, which), *x = dv_onnx_shape_of(at, at->inputs[0]);
    bool lengths = shape->rank == 1 && dv_shape_known(shape) && dv_shape_known(x) && x->rank == 3 &&
                   x->dim[0] == shape->dim[0];
    DV_TRY(dv_onnx_float(at, "mask_filter_value", -10000.0, &filter));
    if (!lengths && shape->rank != 2 && shape->rank != 3)
        return dv_onnx_opaque(at,
                              "a mask of this shape is not supported; one of a length a sample, "
                              "or of rank 2 or 3, is");
    dv_op_params wide = {.axes = {.count = shape->rank == 2 ? 2 : 1, .axes = {1, 2}}};
    if (lengths)
        DV_TRY(emit_below(at, which, mask));
    else
        DV_TRY(dv_onnx_emit(at, DV_OP_UNSQUEEZE, &wide, which, DV_NONE, mask));
    DV_TRY(dv_onnx_cast_to(at, a->dtype, mask));
    DV_TRY(dv_onnx_scalar(at, a->dtype, 1.0, &one));
    DV_TRY(dv_onnx_scalar(at, a->dtype, filter, &never));
    DV_TRY(dv_onnx_emit(at, DV_OP_SUB, NULL, one, *mask, mask));
    return dv_onnx_emit(at, DV_OP_MUL, NULL, *mask, never, mask);
}

/* The padding mask of input i and the bias of input k, where given, in one. */
static dv_status read_mask(dv_onnx_at *at, dv_onnx_attention *a, uint32_t i, uint32_t k)
{
    dv_tensor_id padding = given(at, i), bias = given(at, k);
    if (padding != DV_NONE)
        DV_TRY(emit_padding(at, a, padding, &a->mask));
    if (bias == DV_NONE || at->op.reason)
        return DV_OK;
    if (a->mask == DV_NONE)
        a->mask = bias;
    else
        DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, a->mask, bias, &a->mask));
    return DV_OK;
}

static dv_status split_three(dv_onnx_at *at, dv_tensor_id joined, int64_t axis,
                             dv_tensor_id parts[3])
{
    dv_op split = at->op;
    int64_t sizes[3];
    size_t count;
    DV_TRY(dv_onnx_ints(at, "qkv_hidden_sizes", 3, sizes, &count));
    for (size_t i = 0; i < count; i++)
        if (count != 3 || sizes[i] < 0 || sizes[i] > INT32_MAX)
            return dv_fail(DV_BAD_INPUT, "attribute 'qkv_hidden_sizes' is not three sizes");
    for (int i = 0; i < 3; i++)
        DV_TRY(dv_onnx_part(at, &parts[i]));
    split.kind = DV_OP_SPLIT;
    split.params =
        (dv_op_params){.split = {.axis = axis, .count = (uint32_t)count, .sizes = sizes}};
    split.inputs = &joined;
    split.input_count = 1;
    split.outputs = parts;
    split.output_count = 3;
    return dv_onnx_add(at, &split);
}

/* Inputs (x, weights of query, key and value, their biases[, mask, past, bias of the scores]). */
dv_status dv_onnx_op_ort_attention(dv_onnx_at *at)
{
    dv_onnx_attention a;
    dv_tensor_id joined, parts[3];
    bool rotates;
    DV_TRY(read_heads(at, &a));
    DV_TRY(dv_onnx_flag(at, "do_rotary", false, &rotates));
    if (dv_onnx_given_input(at, 4) || dv_onnx_given_input(at, 6) || rotates)
        return dv_onnx_opaque(at, "a past in one tensor and rotary positions are not supported");
    DV_TRY(read_mask(at, &a, 3, 5));
    if (at->op.reason)
        return DV_OK;
    DV_TRY(dv_onnx_emit(at, DV_OP_MATMUL, NULL, at->inputs[0], at->inputs[1], &joined));
    if (dv_onnx_given_input(at, 2))
        DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, joined, at->inputs[2], &joined));
    DV_TRY(split_three(at, joined, 2, parts));
    a.query = parts[0];
    a.key = parts[1];
    a.value = parts[2];
    a.present_key = a.present_value = UINT32_MAX;
    return dv_onnx_attend(at, &a);
}

/* Inputs (query, key, value[, biases of the three in one, padding mask, bias of the scores, past
   key, past value]). */
dv_status dv_onnx_op_multi_head_attention(dv_onnx_at *at)
{
    dv_onnx_attention a;
    DV_TRY(read_heads(at, &a));
    for (uint32_t i = 0; i < 3; i++)
        if (!dv_onnx_given_input(at, i) || dv_onnx_shape_of(at, at->inputs[i])->rank != 3)
            return dv_onnx_opaque(at, "query, key and value packed into fewer tensors, or with "
                                      "heads apart, are not supported");
    if (at->op.input_count > 8)
        return dv_onnx_opaque(at, "a length of the past (its input 8) is not supported");
    DV_TRY(read_mask(at, &a, 4, 5));
    if (at->op.reason)
        return DV_OK;
    a.query = at->inputs[0];
    a.key = at->inputs[1];
    a.value = at->inputs[2];
    a.past_key = given(at, 6);
    a.past_value = given(at, 7);
    a.present_key = 1;
    a.present_value = 2;
    if (dv_onnx_given_input(at, 3)) {
        dv_tensor_id biases[3];
        DV_TRY(split_three(at, at->inputs[3], 0, biases));
        DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, a.query, biases[0], &a.query));
        DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, a.key, biases[1], &a.key));
        DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, a.value, biases[2], &a.value));
    }
    return dv_onnx_attend(at, &a);
}

/* ---- language models ---- */

static dv_status turn_flat(dv_onnx_at *at, const dv_onnx_rotation *r, int64_t heads,
                           dv_tensor_id *x)
{
    DV_TRY(dv_onnx_view_as(at, (int64_t[]){0, 0, heads, -1}, 4, x));
    DV_TRY(dv_onnx_rotate(at, r, x));
    return dv_onnx_view_as(at, (int64_t[]){0, 0, -1}, 3, x);
}

/* Inputs (x [batch, position, heads joined], positions, cos, sin). */
dv_status dv_onnx_op_ort_rotary(dv_onnx_at *at)
{
    dv_onnx_rotation r;
    int64_t heads;
    const dv_shape *x = dv_onnx_shape_of(at, at->inputs[0]);
    const dv_shape *cosine = dv_onnx_shape_of(at, at->inputs[2]);
    const dv_shape *places = dv_onnx_shape_of(at, at->inputs[1]);
    dv_tensor_id positions = at->inputs[1], y = at->inputs[0];
    DV_TRY(dv_onnx_flag(at, "interleaved", false, &r.interleaved));
    DV_TRY(dv_onnx_int(at, "rotary_embedding_dim", 0, &r.turned));
    DV_TRY(dv_onnx_int(at, "num_heads", 0, &heads));
    if (!dv_shape_known(x) || x->rank != 3 || !dv_shape_known(cosine) || cosine->rank != 2)
        return dv_onnx_opaque(at, "an input that is not [batch, position, all heads], or whose "
                                  "shape does not follow from the model, is not supported");
    if (heads == 0 && cosine->dim[1] > 0)
        heads = x->dim[2] / (2 * cosine->dim[1]);
    if (heads < 1 || heads > DV_ONNX_MOST_HEADS || r.turned < 0 || r.turned > INT32_MAX)
        return dv_fail(DV_BAD_INPUT, "attribute 'num_heads' does not fit its input");
    if (places->rank == 1) /* of the first */
        DV_TRY(emit_positions_from(at, at->inputs[1], &positions));
    DV_TRY(dv_onnx_angles(at, at->inputs[2], positions, &r.cosine));
    DV_TRY(dv_onnx_angles(at, at->inputs[3], positions, &r.sine));
    DV_TRY(turn_flat(at, &r, heads, &y));
    dv_onnx_become(at, DV_OP_IDENTITY, y, DV_NONE, DV_NONE);
    return DV_OK;
}

enum { PAST_KEY = 3, PAST_VALUE = 4, COSINE = 7, SINE = 8, POSITIONS = 9, BIAS = 10 };

/* Turns query and key by the positions behind the past. */
static dv_status turn_both(dv_onnx_at *at, dv_onnx_attention *a)
{
    dv_op_params length = {.slice = {.count = 1, .begin = {2}, .end = {3}, .step = {1}}};
    dv_onnx_rotation r = {.turned = 0};
    dv_tensor_id positions = given(at, POSITIONS), past = DV_NONE;
    DV_TRY(dv_onnx_flag(at, "rotary_interleaved", false, &r.interleaved));
    if (!dv_onnx_given_input(at, COSINE) || !dv_onnx_given_input(at, SINE))
        return dv_fail(DV_BAD_INPUT, "do_rotary = 1 needs tables of cosines and sines");
    const dv_shape *table = dv_onnx_shape_of(at, at->inputs[COSINE]);
    if (!dv_shape_known(table) || table->rank != 2 || table->dim[1] > INT32_MAX)
        return dv_onnx_opaque(at, "the shape of its cosines does not follow from the model");
    const dv_shape *query = dv_onnx_shape_of(at, a->query);
    bool whole =
        dv_shape_known(query) && query->rank == 3 && query->dim[2] == 2 * table->dim[1] * a->heads;
    r.turned = whole ? 0 : 2 * table->dim[1];
    if (positions == DV_NONE) {
        if (a->past_key != DV_NONE)
            DV_TRY(dv_onnx_emit(at, DV_OP_SHAPE, &length, a->past_key, DV_NONE, &past));
        DV_TRY(emit_positions_from(at, past, &positions));
    }
    DV_TRY(dv_onnx_angles(at, at->inputs[COSINE], positions, &r.cosine));
    DV_TRY(dv_onnx_angles(at, at->inputs[SINE], positions, &r.sine));
    DV_TRY(turn_flat(at, &r, a->heads, &a->query));
    return turn_flat(at, &r, a->key_heads, &a->key);
}

/* Query, key and value of one tensor that holds all heads. */
static dv_status unpack(dv_onnx_at *at, dv_onnx_attention *a)
{
    const dv_shape *x = dv_onnx_shape_of(at, at->inputs[0]);
    int64_t all = a->heads + 2 * a->key_heads;
    if (!dv_shape_known(x) || x->rank != 3 || x->dim[2] % all != 0)
        return dv_onnx_opaque(at, "the shape of its packed query, key and value does not follow "
                                  "from the model, or does not fit its heads");
    int64_t size = x->dim[2] / all;
    int64_t sizes[3] = {a->heads * size, a->key_heads * size, a->key_heads * size};
    dv_tensor_id parts[3];
    for (int i = 0; i < 3; i++)
        DV_TRY(dv_onnx_part(at, &parts[i]));
    dv_op split = at->op;
    split.kind = DV_OP_SPLIT;
    split.params = (dv_op_params){.split = {.axis = 2, .count = 3, .sizes = sizes}};
    split.inputs = at->inputs;
    split.input_count = 1;
    split.outputs = parts;
    split.output_count = 3;
    a->query = parts[0];
    a->key = parts[1];
    a->value = parts[2];
    return dv_onnx_add(at, &split);
}

/* Inputs (query, key, value, past key, past value, last position and number of positions by sample,
   cos, sin, positions, bias): causal attention behind the whole of the past. The lengths of samples
   are taken to be those of past and query together, as without padding they are. */
dv_status dv_onnx_op_group_query_attention(dv_onnx_at *at)
{
    dv_onnx_attention a;
    bool rotates, smooth;
    int64_t window;
    DV_TRY(read_heads(at, &a));
    DV_TRY(dv_onnx_int(at, "kv_num_heads", 0, &a.key_heads));
    DV_TRY(dv_onnx_float(at, "softcap", 0.0, &a.cap));
    DV_TRY(dv_onnx_flag(at, "do_rotary", false, &rotates));
    DV_TRY(dv_onnx_flag(at, "smooth_softmax", false, &smooth));
    DV_TRY(dv_onnx_int(at, "local_window_size", -1, &window));
    if (a.key_heads < 1 || a.heads % a.key_heads != 0)
        return dv_fail(DV_BAD_INPUT, "%lld heads do not share %lld heads of keys",
                       (long long)a.heads, (long long)a.key_heads);
    if (window >= 0 || smooth || at->op.input_count > BIAS + 1)
        return dv_onnx_opaque(at, "a local window, a smooth softmax and sinks are not supported");
    a.causal = true;
    a.mask = given(at, BIAS);
    a.past_key = given(at, PAST_KEY);
    a.past_value = given(at, PAST_VALUE);
    a.present_key = 1;
    a.present_value = 2;
    a.query = at->inputs[0];
    a.key = given(at, 1);
    a.value = given(at, 2);
    if (a.key == DV_NONE)
        DV_TRY(unpack(at, &a));
    if (rotates && !at->op.reason)
        DV_TRY(turn_both(at, &a));
    return at->op.reason ? DV_OK : dv_onnx_attend(at, &a);
}

/* ---- embeddings ---- */

/* Rows of a table by indices; of positions 0, 1, ... where none are given. */
static dv_status emit_rows(dv_onnx_at *at, dv_tensor_id table, dv_tensor_id indices,
                           dv_tensor_id *id)
{
    dv_op_params rows = {.axis = {.axis = 0}};
    return dv_onnx_emit(at, DV_OP_INDEX_SELECT, &rows, table, indices, id);
}

static dv_status emit_first_rows(dv_onnx_at *at, dv_tensor_id table, dv_tensor_id *id)
{
    DV_TRY(emit_positions_from(at, DV_NONE, id));
    return emit_rows(at, table, *id, id);
}

/* Inputs (tokens, segments, three tables, weight, bias[, mask, positions]): outputs (normalised sum
   of the rows, number of tokens that count, the sum). */
dv_status dv_onnx_op_embed_layer_norm(dv_onnx_at *at)
{
    double epsilon;
    dv_tensor_id sum, rows, counts = at->op.output_count > 1 ? at->outputs[1] : DV_NONE;
    dv_tensor_id asked = at->op.output_count > 2 ? at->outputs[2] : DV_NONE;
    DV_TRY(dv_onnx_float(at, "epsilon", 1e-12f, &epsilon));
    DV_TRY(emit_rows(at, at->inputs[2], at->inputs[0], &sum));
    if (dv_onnx_given_input(at, 8))
        DV_TRY(emit_rows(at, at->inputs[3], at->inputs[8], &rows));
    else
        DV_TRY(emit_first_rows(at, at->inputs[3], &rows));
    DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, sum, rows, &sum));
    if (dv_onnx_given_input(at, 1) && dv_onnx_given_input(at, 4)) {
        DV_TRY(emit_rows(at, at->inputs[4], at->inputs[1], &rows));
        DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, sum, rows, &sum));
    }
    if (asked != DV_NONE)
        DV_TRY(dv_onnx_emit_to(at, DV_OP_IDENTITY, NULL, sum, DV_NONE, asked));
    if (counts != DV_NONE && !dv_onnx_given_input(at, 7))
        return dv_onnx_opaque(at, "its output 1 without a mask is not supported");
    if (counts != DV_NONE) {
        dv_op_params over = {.reduce = {.count = 1, .axes = {1}}};
        DV_TRY(dv_onnx_emit_to(at, DV_OP_SUM, &over, at->inputs[7], DV_NONE, counts));
    }
    at->op.output_count = 1;
    dv_onnx_become(at, DV_OP_LAYER_NORM, sum, at->inputs[5], at->inputs[6]);
    at->op.params.norm = (dv_norm_params){.eps = epsilon, .axes = 1};
    return DV_OK;
}
