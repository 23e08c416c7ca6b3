/* onnx_ops_attention.c - what language models are made of since opset 23, in smaller operators. */
#include <math.h>

#include "load/onnx_attention.h"

/* The rank of input i, or DV_RANK_UNKNOWN. */
static uint8_t rank_of(dv_onnx_at *at, uint32_t i)
{
    return dv_onnx_shape_of(at, at->inputs[i])->rank;
}

dv_status dv_onnx_cast_to(dv_onnx_at *at, dv_dtype dtype, dv_tensor_id *id)
{
    dv_op_params params = {.cast = {dtype}};
    if (at->graph->tensors[*id].dtype == dtype)
        return DV_OK;
    return dv_onnx_emit(at, DV_OP_CAST, &params, *id, DV_NONE, id);
}

dv_status dv_onnx_view_as(dv_onnx_at *at, const int64_t *dims, size_t count, dv_tensor_id *id)
{
    dv_op_params open = {.view = {.shape = {.rank = DV_RANK_UNKNOWN}}};
    dv_tensor_id shape;
    DV_TRY(dv_onnx_list(at, dims, count, &shape));
    return dv_onnx_emit(at, DV_OP_VIEW, &open, *id, shape, id);
}

/* Exchanges dims a and b of four. */
static dv_status swap_dims(dv_onnx_at *at, uint8_t a, uint8_t b, dv_tensor_id *id)
{
    dv_op_params order = {.permute = {.rank = 4, .perm = {0, 1, 2, 3}}};
    order.permute.perm[a] = b;
    order.permute.perm[b] = a;
    return dv_onnx_emit(at, DV_OP_PERMUTE, &order, *id, DV_NONE, id);
}

/* ---- root mean square normalisation ---- */

/* x / sqrt(mean of x^2 over the dims from axis on + epsilon) * scale, in f32 at least. */
dv_status dv_onnx_op_rms_norm(dv_onnx_at *at)
{
    dv_op_params over = {.reduce = {.keep_dims = true}};
    dv_dtype given = dv_onnx_input_dtype(at, 0);
    dv_dtype dtype = given == DV_DTYPE_F64 ? given : DV_DTYPE_F32;
    int64_t axis;
    double epsilon;
    DV_TRY(dv_onnx_int(at, "axis", -1, &axis));
    DV_TRY(dv_onnx_float(at, "epsilon", 1e-5f, &epsilon));
    uint8_t rank = axis >= 0 ? rank_of(at, 0) : 0;
    if (axis >= 0 && rank == DV_RANK_UNKNOWN)
        return dv_onnx_opaque(at,
                              "its axis %lld counts from the front of a shape that does not "
                              "follow from the model",
                              (long long)axis);
    bool sane = axis >= -DV_MAX_RANK && axis < DV_MAX_RANK;
    int64_t count = !sane ? 0 : axis < 0 ? -axis : rank - axis;
    if (count < 1 || count > DV_MAX_RANK)
        return dv_fail(DV_BAD_INPUT, "attribute 'axis' is out of range");
    over.reduce.count = (uint8_t)count;
    for (int64_t i = 0; i < count; i++)
        over.reduce.axes[i] = i - count;
    dv_tensor_id x = at->inputs[0], scale = at->inputs[1], square, mean, eps;
    DV_TRY(dv_onnx_cast_to(at, dtype, &x));
    DV_TRY(dv_onnx_scalar(at, dtype, epsilon, &eps));
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, x, x, &square));
    DV_TRY(dv_onnx_emit(at, DV_OP_MEAN, &over, square, DV_NONE, &mean));
    DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, mean, eps, &mean));
    DV_TRY(dv_onnx_emit(at, DV_OP_RSQRT, NULL, mean, DV_NONE, &mean));
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, x, mean, &x));
    DV_TRY(dv_onnx_cast_to(at, given, &x));
    dv_onnx_become(at, DV_OP_MUL, x, scale, DV_NONE);
    return DV_OK;
}

/* ---- activations ---- */

/* x sigmoid(alpha x) */
dv_status dv_onnx_op_swish(dv_onnx_at *at)
{
    double alpha;
    dv_tensor_id factor, gate, x = at->inputs[0];
    DV_TRY(dv_onnx_float(at, "alpha", 1.0, &alpha));
    gate = x;
    if (alpha != 1) {
        DV_TRY(dv_onnx_scalar(at, dv_onnx_input_dtype(at, 0), alpha, &factor));
        DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, x, factor, &gate));
    }
    DV_TRY(dv_onnx_emit(at, DV_OP_SIGMOID, NULL, gate, DV_NONE, &gate));
    dv_onnx_become(at, DV_OP_MUL, x, gate, DV_NONE);
    return DV_OK;
}

/* ---- rotary embedding ---- */

static dv_status slice_last(dv_onnx_at *at, dv_tensor_id x, int64_t begin, int64_t end,
                            int64_t step, dv_tensor_id *id)
{
    dv_op_params cut = {
        .slice = {.count = 1, .axes = {3}, .begin = {begin}, .end = {end}, .step = {step}}};
    return dv_onnx_emit(at, DV_OP_SLICE, &cut, x, DV_NONE, id);
}

/* The two numbers of each pair that is turned: neighbours, or from either half. */
static dv_status split_pairs(dv_onnx_at *at, bool interleaved, dv_tensor_id x, dv_tensor_id pair[2])
{
    if (interleaved) {
        DV_TRY(slice_last(at, x, 0, INT64_MAX, 2, &pair[0]));
        return slice_last(at, x, 1, INT64_MAX, 2, &pair[1]);
    }
    DV_TRY(dv_onnx_part(at, &pair[0]));
    DV_TRY(dv_onnx_part(at, &pair[1]));
    dv_op halves = at->op;
    halves.kind = DV_OP_SPLIT;
    halves.params = (dv_op_params){.split = {.axis = 3}};
    halves.inputs = &x;
    halves.input_count = 1;
    halves.outputs = pair;
    halves.output_count = 2;
    return dv_onnx_add(at, &halves);
}

static dv_status join_pairs(dv_onnx_at *at, bool interleaved, const dv_tensor_id pair[2],
                            dv_tensor_id *id)
{
    dv_op_params last = {.axis = {.axis = -1}}, behind = {.axes = {.count = 1, .axes = {-1}}};
    dv_tensor_id a = pair[0], b = pair[1];
    if (interleaved) {
        DV_TRY(dv_onnx_emit(at, DV_OP_UNSQUEEZE, &behind, a, DV_NONE, &a));
        DV_TRY(dv_onnx_emit(at, DV_OP_UNSQUEEZE, &behind, b, DV_NONE, &b));
    }
    DV_TRY(dv_onnx_emit(at, DV_OP_CAT, &last, a, b, id));
    return interleaved ? dv_onnx_view_as(at, (int64_t[]){0, 0, 0, -1}, 4, id) : DV_OK;
}

dv_status dv_onnx_rotate(dv_onnx_at *at, const dv_onnx_rotation *r, dv_tensor_id *x)
{
    dv_op_params last = {.axis = {.axis = -1}};
    dv_tensor_id rest = DV_NONE, pair[2], a, b, turn[2];
    if (r->turned > 0) {
        DV_TRY(slice_last(at, *x, r->turned, INT64_MAX, 1, &rest));
        DV_TRY(slice_last(at, *x, 0, r->turned, 1, x));
    }
    DV_TRY(split_pairs(at, r->interleaved, *x, pair));
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, pair[0], r->cosine, &a));
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, pair[1], r->sine, &b));
    DV_TRY(dv_onnx_emit(at, DV_OP_SUB, NULL, a, b, &turn[0]));
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, pair[0], r->sine, &a));
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, pair[1], r->cosine, &b));
    DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, a, b, &turn[1]));
    DV_TRY(join_pairs(at, r->interleaved, turn, x));
    return rest == DV_NONE ? DV_OK : dv_onnx_emit(at, DV_OP_CAT, &last, *x, rest, x);
}

dv_status dv_onnx_angles(dv_onnx_at *at, dv_tensor_id table, dv_tensor_id positions,
                         dv_tensor_id *id)
{
    dv_op_params rows = {.axis = {.axis = 0}}, heads = {.axes = {.count = 1, .axes = {-2}}};
    *id = table;
    if (positions != DV_NONE)
        DV_TRY(dv_onnx_emit(at, DV_OP_INDEX_SELECT, &rows, table, positions, id));
    return dv_onnx_emit(at, DV_OP_UNSQUEEZE, &heads, *id, DV_NONE, id);
}

/* Inputs (x, cos, sin[, positions]); x [batch, head, position, size], or [batch, position, all]. */
dv_status dv_onnx_op_rotary_embedding(dv_onnx_at *at)
{
    bool flat = rank_of(at, 0) == 3;
    int64_t heads;
    dv_onnx_rotation r;
    DV_TRY(dv_onnx_flag(at, "interleaved", false, &r.interleaved));
    DV_TRY(dv_onnx_int(at, "rotary_embedding_dim", 0, &r.turned));
    DV_TRY(dv_onnx_int(at, "num_heads", 0, &heads));
    if (rank_of(at, 0) == DV_RANK_UNKNOWN)
        return dv_onnx_opaque(at, "the rank of its input does not follow from the model");
    if (r.turned < 0 || r.turned > INT32_MAX || (flat && heads < 1))
        return dv_fail(DV_BAD_INPUT, "attributes 'num_heads' and 'rotary_embedding_dim' do not fit "
                                     "its input");
    dv_tensor_id x = at->inputs[0];
    dv_tensor_id positions = dv_onnx_given_input(at, 3) ? at->inputs[3] : DV_NONE;
    if (flat)
        DV_TRY(dv_onnx_view_as(at, (int64_t[]){0, 0, heads, -1}, 4, &x));
    else
        DV_TRY(swap_dims(at, 1, 2, &x));
    DV_TRY(dv_onnx_angles(at, at->inputs[1], positions, &r.cosine));
    DV_TRY(dv_onnx_angles(at, at->inputs[2], positions, &r.sine));
    DV_TRY(dv_onnx_rotate(at, &r, &x));
    if (flat)
        DV_TRY(dv_onnx_view_as(at, (int64_t[]){0, 0, -1}, 3, &x));
    else
        DV_TRY(swap_dims(at, 1, 2, &x));
    dv_onnx_become(at, DV_OP_IDENTITY, x, DV_NONE, DV_NONE);
    return DV_OK;
}

/* ---- attention ---- */

enum { QUERY, KEY, VALUE, MASK, PAST_KEY, PAST_VALUE, LENGTHS };

typedef dv_onnx_attention attention;

static dv_tensor_id given(const dv_onnx_at *at, uint32_t i)
{
    return dv_onnx_given_input(at, i) ? at->inputs[i] : DV_NONE;
}

static dv_status read_attention(dv_onnx_at *at, attention *a)
{
    int64_t precision;
    *a = (attention){.flat = rank_of(at, QUERY) == 3,
                     .dtype = dv_onnx_input_dtype(at, QUERY),
                     .has_scale = dv_onnx_has(at, "scale"),
                     .query = at->inputs[QUERY],
                     .key = at->inputs[KEY],
                     .value = at->inputs[VALUE],
                     .mask = given(at, MASK),
                     .past_key = given(at, PAST_KEY),
                     .past_value = given(at, PAST_VALUE),
                     .present_key = 1,
                     .present_value = 2};
    DV_TRY(dv_onnx_flag(at, "is_causal", false, &a->causal));
    DV_TRY(dv_onnx_int(at, "q_num_heads", 0, &a->heads));
    DV_TRY(dv_onnx_int(at, "kv_num_heads", 0, &a->key_heads));
    DV_TRY(dv_onnx_int(at, "qk_matmul_output_mode", 0, &a->mode));
    DV_TRY(dv_onnx_int(at, "softmax_precision", 0, &precision));
    DV_TRY(dv_onnx_float(at, "scale", 0.0, &a->scale));
    DV_TRY(dv_onnx_float(at, "softcap", 0.0, &a->cap));
    a->precision =
        precision > 0 && precision <= UINT32_MAX ? dv_onnx_dtype((uint32_t)precision) : a->dtype;
    const dv_shape *query = dv_onnx_shape_of(at, at->inputs[QUERY]);
    const dv_shape *key = dv_onnx_shape_of(at, at->inputs[KEY]);
    if (!a->flat && query->rank == 4 && key->rank == 4) {
        a->heads = query->dim[1];
        a->key_heads = key->dim[1];
    }
    if (dv_onnx_given_input(at, LENGTHS))
        return dv_onnx_opaque(at, "a number of valid keys by sample is not supported");
    if (a->mode < 0 || a->mode > 3)
        return dv_fail(DV_BAD_INPUT, "attribute 'qk_matmul_output_mode' is out of range");
    bool known = (a->flat || query->rank == 4) && a->heads > 0 && a->key_heads > 0 &&
                 a->heads <= DV_ONNX_MOST_HEADS && dv_dtype_is_float(a->precision);
    if (!known)
        return dv_onnx_opaque(at, "its number of heads follows neither from the shapes of its "
                                  "inputs nor from q_num_heads and kv_num_heads");
    return a->heads % a->key_heads == 0
               ? DV_OK
               : dv_fail(DV_BAD_INPUT, "%lld heads do not share %lld heads of keys",
                         (long long)a->heads, (long long)a->key_heads);
}

/* [batch, position, head, size] of an operand with its heads joined or not, heads in front. */
static dv_status split_heads(dv_onnx_at *at, const attention *a, int64_t heads, dv_tensor_id *id)
{
    if (!a->flat)
        return DV_OK;
    DV_TRY(dv_onnx_view_as(at, (int64_t[]){0, 0, heads, -1}, 4, id));
    return swap_dims(at, 1, 2, id);
}

/* Keys or values: behind those of the past, which is an output, and once for each head. */
static dv_status emit_memory(dv_onnx_at *at, const attention *a, dv_tensor_id past,
                             uint32_t present, dv_tensor_id *id)
{
    dv_op_params along = {.axis = {.axis = 2}}, heads = {.axis = {.axis = 1}};
    DV_TRY(split_heads(at, a, a->key_heads, id));
    bool asked = present < at->op.output_count && at->outputs[present] != DV_NONE;
    if (past != DV_NONE)
        DV_TRY(dv_onnx_emit(at, DV_OP_CAT, &along, past, *id, id));
    if (asked)
        DV_TRY(dv_onnx_emit_to(at, DV_OP_IDENTITY, NULL, *id, DV_NONE, at->outputs[present]));
    int64_t *which = dv_arena_array(at->arena, (size_t)a->heads, sizeof *which);
    dv_tensor_id list;
    if (a->heads == a->key_heads)
        return DV_OK;
    if (!which)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (int64_t h = 0; h < a->heads; h++)
        which[h] = h / (a->heads / a->key_heads);
    DV_TRY(dv_onnx_list(at, which, (size_t)a->heads, &list));
    return dv_onnx_emit(at, DV_OP_INDEX_SELECT, &heads, *id, list, id);
}

static dv_status emit_dim(dv_onnx_at *at, dv_tensor_id of, int64_t dim, dv_tensor_id *id)
{
    dv_op_params one = {.slice = {.count = 1, .begin = {dim}, .end = {dim + 1}, .step = {1}}};
    return dv_onnx_emit(at, DV_OP_SHAPE, &one, of, DV_NONE, id);
}

/* 1 / sqrt(size of a head), where no scale is given. */
static dv_status emit_scale(dv_onnx_at *at, const attention *a, dv_tensor_id *id)
{
    if (a->has_scale)
        return dv_onnx_scalar(at, a->dtype, a->scale, id);
    DV_TRY(emit_dim(at, a->query, 3, id));
    DV_TRY(dv_onnx_cast_to(at, DV_DTYPE_F32, id));
    DV_TRY(dv_onnx_emit(at, DV_OP_RSQRT, NULL, *id, DV_NONE, id));
    return dv_onnx_cast_to(at, a->dtype, id);
}

/* 0 where a condition holds, else -infinity. */
static dv_status emit_bias(dv_onnx_at *at, const attention *a, dv_tensor_id allowed,
                           dv_tensor_id *id)
{
    dv_tensor_id zero, never;
    DV_TRY(dv_onnx_scalar(at, a->dtype, 0.0, &zero));
    DV_TRY(dv_onnx_scalar(at, a->dtype, -(double)INFINITY, &never));
    return dv_onnx_emit3(at, DV_OP_WHERE, NULL, (dv_tensor_id[]){allowed, zero, never}, id);
}

/* Positions up to the query's own, which the past comes before. */
static dv_status emit_causal(dv_onnx_at *at, const attention *a, dv_tensor_id *id)
{
    dv_op_params first = {.axis = {.axis = 0}};
    dv_op_params truth = {.full = {{.rank = DV_RANK_UNKNOWN}, DV_DTYPE_BOOL, 1.0}};
    dv_tensor_id rows, columns, past = DV_NONE, allowed;
    DV_TRY(emit_dim(at, a->query, 2, &rows));
    DV_TRY(emit_dim(at, a->key, 2, &columns));
    DV_TRY(dv_onnx_emit(at, DV_OP_CAT, &first, rows, columns, &rows));
    DV_TRY(dv_onnx_emit(at, DV_OP_FULL, &truth, rows, DV_NONE, &allowed));
    if (a->past_key != DV_NONE)
        DV_TRY(emit_dim(at, a->past_key, 2, &past));
    DV_TRY(dv_onnx_emit(at, DV_OP_TRIL, NULL, allowed, past, &allowed));
    return emit_bias(at, a, allowed, id);
}

/* What is added to the scores; DV_NONE: nothing. */
static dv_status emit_mask(dv_onnx_at *at, const attention *a, dv_tensor_id *id)
{
    dv_tensor_id causal;
    *id = a->mask;
    if (*id != DV_NONE && at->graph->tensors[*id].dtype == DV_DTYPE_BOOL)
        DV_TRY(emit_bias(at, a, *id, id));
    if (!a->causal)
        return DV_OK;
    DV_TRY(emit_causal(at, a, &causal));
    if (*id == DV_NONE)
        *id = causal;
    else
        DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, *id, causal, id));
    return DV_OK;
}

static dv_status show(dv_onnx_at *at, bool now, dv_tensor_id scores)
{
    if (!now || at->op.output_count < 4 || at->outputs[3] == DV_NONE)
        return DV_OK;
    return dv_onnx_emit_to(at, DV_OP_IDENTITY, NULL, scores, DV_NONE, at->outputs[3]);
}

/* A row that may look at nothing is 0, not what 0 / 0 gives. */
static dv_status emit_weights(dv_onnx_at *at, const attention *a, dv_tensor_id mask,
                              dv_tensor_id *id)
{
    dv_op_params last = {.axis = {.axis = -1}};
    dv_op_params rows = {.reduce = {.count = 1, .keep_dims = true, .axes = {-1}}};
    dv_tensor_id most, never, empty, zero;
    DV_TRY(dv_onnx_cast_to(at, a->precision, id));
    DV_TRY(dv_onnx_emit(at, DV_OP_SOFTMAX, &last, *id, DV_NONE, id));
    DV_TRY(dv_onnx_cast_to(at, a->dtype, id));
    if (mask == DV_NONE)
        return DV_OK;
    DV_TRY(dv_onnx_scalar(at, a->dtype, -(double)INFINITY, &never));
    DV_TRY(dv_onnx_scalar(at, a->dtype, 0.0, &zero));
    DV_TRY(dv_onnx_emit(at, DV_OP_AMAX, &rows, mask, DV_NONE, &most));
    DV_TRY(dv_onnx_emit(at, DV_OP_EQ, NULL, most, never, &empty));
    return dv_onnx_emit3(at, DV_OP_WHERE, NULL, (dv_tensor_id[]){empty, zero, *id}, id);
}

dv_status dv_onnx_attend(dv_onnx_at *at, dv_onnx_attention *a)
{
    dv_tensor_id scale, scores, turned, mask, cap, y;
    DV_TRY(split_heads(at, a, a->heads, &a->query));
    DV_TRY(emit_memory(at, a, a->past_key, a->present_key, &a->key));
    DV_TRY(emit_memory(at, a, a->past_value, a->present_value, &a->value));
    DV_TRY(emit_scale(at, a, &scale));
    DV_TRY(emit_mask(at, a, &mask));
    turned = a->key;
    DV_TRY(swap_dims(at, 2, 3, &turned));
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, a->query, scale, &scores));
    DV_TRY(dv_onnx_emit(at, DV_OP_MATMUL, NULL, scores, turned, &scores));
    DV_TRY(show(at, a->mode == 0 || (a->mode == 1 && a->cap <= 0), scores));
    if (a->cap > 0) {
        DV_TRY(dv_onnx_scalar(at, a->dtype, a->cap, &cap));
        DV_TRY(dv_onnx_emit(at, DV_OP_DIV, NULL, scores, cap, &scores));
        DV_TRY(dv_onnx_emit(at, DV_OP_TANH, NULL, scores, DV_NONE, &scores));
        DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, scores, cap, &scores));
        DV_TRY(show(at, a->mode == 1, scores));
    }
    if (mask != DV_NONE)
        DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, scores, mask, &scores));
    DV_TRY(show(at, a->mode == 2, scores));
    /* by causality alone, a position sees itself */
    bool may_be_empty = a->mask != DV_NONE && !a->mask_is_finite;
    DV_TRY(emit_weights(at, a, may_be_empty ? mask : DV_NONE, &scores));
    DV_TRY(show(at, a->mode == 3, scores));
    DV_TRY(dv_onnx_emit(at, DV_OP_MATMUL, NULL, scores, a->value, &y));
    if (a->flat) {
        DV_TRY(swap_dims(at, 1, 2, &y));
        DV_TRY(dv_onnx_view_as(at, (int64_t[]){0, 0, -1}, 3, &y));
    }
    at->op.output_count = 1;
    dv_onnx_become(at, DV_OP_IDENTITY, y, DV_NONE, DV_NONE);
    return DV_OK;
}

/* softmax(cap(q k^T scale) + mask) v; inputs (q, k, v, mask, past key, past value), outputs (y,
   present key, present value, scores). */
dv_status dv_onnx_op_attention(dv_onnx_at *at)
{
    attention a;
    DV_TRY(read_attention(at, &a));
    return at->op.kind == DV_OP_OPAQUE ? DV_OK : dv_onnx_attend(at, &a);
}
