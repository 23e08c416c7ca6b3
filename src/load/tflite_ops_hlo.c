/* tflite_ops_hlo.c - StableHLO's operators as TFLite files hold them: their attributes are in the
   second union of options, and shapes are what the file records. */
#include <string.h>

#include "load/tflite_build.h"

/* The integers of a field; *count -1 if there are more than DV_MAX_RANK. */
static int read_list(const dv_tfl_at *at, unsigned field, int64_t *out)
{
    dv_fb_vector list = dv_fb_list(&at->options2, field, 8);
    if (list.count > DV_MAX_RANK)
        return -1;
    for (uint32_t i = 0; i < list.count; i++)
        out[i] = dv_fb_i64_at(&list, i);
    return (int)list.count;
}

/* The shape that output 0 has in the file, as a list. */
static dv_status output_shape(dv_tfl_at *at, dv_tfl_tensor *out, dv_tensor_id *id)
{
    DV_TRY(dv_tfl_output(at, 0, out));
    if (out->open != 0)
        return dv_tfl_opaque(at, "an output of open dimensions is not supported");
    return dv_tfl_longs(at, out->shape.dim, out->shape.rank, id);
}

dv_status dv_tfl_op_hlo_reshape(dv_tfl_at *at)
{
    dv_op_params params = {.view = {.allow_zero = true, .shape = {.rank = DV_RANK_UNKNOWN}}};
    dv_tfl_tensor out;
    dv_tensor_id x, shape;
    DV_TRY(output_shape(at, &out, &shape));
    if (at->opaque)
        return DV_OK;
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(dv_tfl_emit2(at, DV_OP_VIEW, &params, x, shape, &x));
    return dv_tfl_result(at, 0, x, false);
}

/* (least, x, most) */
dv_status dv_tfl_op_hlo_clamp(dv_tfl_at *at)
{
    dv_tensor_id ids[3];
    for (uint32_t i = 0; i < 3; i++)
        DV_TRY(dv_tfl_plain_input(at, i, &ids[i]));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MAXIMUM, NULL, ids[1], ids[0], &ids[1]));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MINIMUM, NULL, ids[1], ids[2], &ids[1]));
    return dv_tfl_result(at, 0, ids[1], false);
}

/* Of booleans the logical operator, of integers the bitwise one. */
dv_status dv_tfl_op_hlo_logic(dv_tfl_at *at)
{
    dv_tfl_tensor x;
    dv_tensor_id ids[2];
    DV_TRY(dv_tfl_input(at, 0, &x));
    bool both = at->rule->kind == DV_OP_LOGICAL_AND;
    dv_op_kind bits = both ? DV_OP_BITWISE_AND : DV_OP_BITWISE_OR;
    DV_TRY(dv_tfl_plain_input(at, 0, &ids[0]));
    DV_TRY(dv_tfl_plain_input(at, 1, &ids[1]));
    DV_TRY(dv_tfl_emit(at, dv_tfl_dtype(&x) == DV_DTYPE_BOOL ? at->rule->kind : bits, NULL, ids, 2,
                       &ids[0]));
    return dv_tfl_result(at, 0, ids[0], false);
}

dv_status dv_tfl_op_hlo_concatenate(dv_tfl_at *at)
{
    dv_op_params params = {.axis = {.axis = dv_fb_i64(&at->options2, 0, 0)}};
    dv_tensor_id *ids = dv_arena_array(at->b->arena, at->inputs.count, sizeof *ids), id;
    if (!ids)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < at->inputs.count; i++)
        DV_TRY(dv_tfl_plain_input(at, i, &ids[i]));
    DV_TRY(dv_tfl_emit(at, DV_OP_CAT, &params, ids, at->inputs.count, &id));
    return dv_tfl_result(at, 0, id, false);
}

/* Input dim i becomes output dim list[i]; the others are repeated. */
dv_status dv_tfl_op_hlo_broadcast(dv_tfl_at *at)
{
    dv_op_params params = {.view = {.allow_zero = true, .shape = {.rank = DV_RANK_UNKNOWN}}};
    dv_op_params expand = {.view = {.shape = {.rank = DV_RANK_UNKNOWN}}};
    int64_t list[DV_MAX_RANK], ones[DV_MAX_RANK];
    dv_tfl_tensor in, out;
    dv_tensor_id x, shape, small;
    int count = read_list(at, 0, list);
    DV_TRY(dv_tfl_input(at, 0, &in));
    DV_TRY(output_shape(at, &out, &shape));
    if (at->opaque)
        return DV_OK;
    if (count != in.shape.rank || in.open != 0)
        return dv_tfl_opaque(at, "%d dimensions of an input of %u are not supported", count,
                             (unsigned)in.shape.rank);
    for (uint8_t d = 0; d < out.shape.rank; d++)
        ones[d] = 1;
    for (int i = 0; i < count; i++) {
        if (list[i] < 0 || list[i] >= out.shape.rank || (i > 0 && list[i] <= list[i - 1]))
            return dv_tfl_opaque(at, "dimensions that change places are not supported");
        ones[list[i]] = in.shape.dim[i];
    }
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(dv_tfl_longs(at, ones, out.shape.rank, &small));
    DV_TRY(dv_tfl_emit2(at, DV_OP_VIEW, &params, x, small, &x));
    DV_TRY(dv_tfl_emit2(at, DV_OP_EXPAND, &expand, x, shape, &x));
    return dv_tfl_result(at, 0, x, false);
}

dv_status dv_tfl_op_hlo_slice(dv_tfl_at *at)
{
    dv_op_params params = {0};
    dv_slice_params *s = &params.slice;
    dv_tensor_id x;
    int count = read_list(at, 0, s->begin);
    if (count < 0 || read_list(at, 1, s->end) != count || read_list(at, 2, s->step) != count)
        return dv_fail(DV_BAD_INPUT, "its starts, limits and strides do not match");
    s->count = (uint8_t)count;
    for (int i = 0; i < count; i++)
        s->axes[i] = i;
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    if (count > 0)
        DV_TRY(dv_tfl_emit1(at, DV_OP_SLICE, &params, x, &x));
    else
        DV_TRY(dv_tfl_emit1(at, DV_OP_IDENTITY, NULL, x, &x));
    return dv_tfl_result(at, 0, x, false);
}

dv_status dv_tfl_op_hlo_compare(dv_tfl_at *at)
{
    static const dv_op_kind kinds[] = {DV_OP_EQ, DV_OP_NE, DV_OP_GE, DV_OP_GT, DV_OP_LE, DV_OP_LT};
    uint32_t direction = dv_fb_u32(&at->options2, 0, 0);
    dv_tensor_id ids[2];
    if (direction >= sizeof kinds / sizeof kinds[0])
        return dv_fail(DV_BAD_INPUT, "its comparison %u is not known", direction);
    DV_TRY(dv_tfl_plain_input(at, 0, &ids[0]));
    DV_TRY(dv_tfl_plain_input(at, 1, &ids[1]));
    DV_TRY(dv_tfl_emit(at, kinds[direction], NULL, ids, 2, &ids[0]));
    return dv_tfl_result(at, 0, ids[0], false);
}

/* (x, value); negative pads cut. */
dv_status dv_tfl_op_hlo_pad(dv_tfl_at *at)
{
    dv_op_params params = {.pad = {.mode = DV_PAD_CONSTANT}};
    int64_t inside[DV_MAX_RANK];
    dv_tensor_id x;
    bool known;
    int count = read_list(at, 0, params.pad.begin), gaps = read_list(at, 2, inside);
    if (count < 0 || read_list(at, 1, params.pad.end) != count || gaps != count)
        return dv_fail(DV_BAD_INPUT, "its paddings do not match");
    DV_TRY(dv_tfl_number(at, 1, &params.pad.value, &known));
    for (int i = 0; i < gaps; i++)
        known &= inside[i] == 0;
    if (!known)
        return dv_tfl_opaque(at, "a computed value, or padding between elements, is not supported");
    params.pad.rank = (uint8_t)count;
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(dv_tfl_emit1(at, DV_OP_PAD, &params, x, &x));
    return dv_tfl_result(at, 0, x, false);
}

dv_status dv_tfl_op_hlo_transpose(dv_tfl_at *at)
{
    int64_t perm[DV_MAX_RANK];
    dv_op_params params = {0};
    dv_tensor_id x;
    int count = read_list(at, 0, perm);
    if (count < 1)
        return dv_tfl_opaque(at, "a permutation of %d dimensions is not supported", count);
    params.permute.rank = (uint8_t)count;
    for (int d = 0; d < count; d++) {
        if (perm[d] < 0 || perm[d] >= count)
            return dv_fail(DV_BAD_INPUT, "dimension %lld of %d", (long long)perm[d], count);
        params.permute.perm[d] = (uint8_t)perm[d];
    }
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(dv_tfl_emit1(at, DV_OP_PERMUTE, &params, x, &x));
    return dv_tfl_result(at, 0, x, false);
}

/* Counts along one dim. */
dv_status dv_tfl_op_hlo_iota(dv_tfl_at *at)
{
    int64_t axis = dv_fb_i64(&at->options2, 0, 0), ones[DV_MAX_RANK], bounds[3] = {0, 0, 1};
    dv_op_params view = {.view = {.shape = {.rank = DV_RANK_UNKNOWN}}}, cast = {0};
    dv_tfl_tensor out;
    dv_tensor_id ids[3], shape, small, x;
    DV_TRY(output_shape(at, &out, &shape));
    if (at->opaque)
        return DV_OK;
    if (axis < 0 || axis >= out.shape.rank)
        return dv_fail(DV_BAD_INPUT, "it counts along dimension %lld of %u", (long long)axis,
                       (unsigned)out.shape.rank);
    for (uint8_t d = 0; d < out.shape.rank; d++)
        ones[d] = d == axis ? out.shape.dim[d] : 1;
    bounds[1] = out.shape.dim[axis];
    cast.cast.dtype = dv_tfl_dtype(&out);
    if (cast.cast.dtype == DV_DTYPE_NONE || cast.cast.dtype == DV_DTYPE_STRING)
        return dv_fail(DV_BAD_INPUT, "it counts in %s", dv_tfl_type_name(out.type));
    for (int i = 0; i < 3; i++)
        DV_TRY(dv_tfl_scalar(at, DV_DTYPE_I64, (double)bounds[i], &ids[i]));
    DV_TRY(dv_tfl_emit(at, DV_OP_ARANGE, NULL, ids, 3, &x));
    DV_TRY(dv_tfl_emit1(at, DV_OP_CAST, &cast, x, &x));
    DV_TRY(dv_tfl_longs(at, ones, out.shape.rank, &small));
    DV_TRY(dv_tfl_emit2(at, DV_OP_VIEW, &view, x, small, &x));
    DV_TRY(dv_tfl_emit2(at, DV_OP_EXPAND, &view, x, shape, &x));
    return dv_tfl_result(at, 0, x, false);
}

/* The root keeps the sign. */
dv_status dv_tfl_op_hlo_cbrt(dv_tfl_at *at)
{
    dv_tensor_id x, sign, third;
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(dv_tfl_scalar(at, DV_DTYPE_F32, 1.0 / 3.0, &third));
    DV_TRY(dv_tfl_emit1(at, DV_OP_SIGN, NULL, x, &sign));
    DV_TRY(dv_tfl_emit1(at, DV_OP_ABS, NULL, x, &x));
    DV_TRY(dv_tfl_emit2(at, DV_OP_POW, NULL, x, third, &x));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MUL, NULL, sign, x, &x));
    return dv_tfl_result(at, 0, x, false);
}

/* ---- products ---- */

/* The dims of an operand: those of the batch, those that stay, those that are summed over. */
typedef struct operand {
    dv_tfl_tensor tensor;
    int64_t batch[DV_MAX_RANK], summed[DV_MAX_RANK], free[DV_MAX_RANK];
    int batch_count, summed_count, free_count;
} operand;

static bool is_among(const int64_t *list, int count, int64_t d)
{
    for (int i = 0; i < count; i++)
        if (list[i] == d)
            return true;
    return false;
}

static dv_status read_operand(const dv_tfl_at *at, uint32_t i, operand *o, bool *fits)
{
    DV_TRY(dv_tfl_input(at, i, &o->tensor));
    o->batch_count = read_list(at, i, o->batch);
    o->summed_count = read_list(at, 2 + i, o->summed);
    o->free_count = 0;
    *fits = o->batch_count >= 0 && o->summed_count >= 0 && o->tensor.open == 0;
    for (int64_t d = 0; *fits && d < o->tensor.shape.rank; d++)
        if (!is_among(o->batch, o->batch_count, d) && !is_among(o->summed, o->summed_count, d))
            o->free[o->free_count++] = d;
    *fits &= o->batch_count + o->summed_count + o->free_count == o->tensor.shape.rank;
    return DV_OK;
}

static bool product_of(const operand *o, const int64_t *list, int count, int64_t *out)
{
    *out = 1;
    for (int i = 0; i < count; i++)
        if (__builtin_mul_overflow(*out, o->tensor.shape.dim[list[i]], out))
            return false;
    return true;
}

/* The operand as [batch, rows, columns], its dims in the order batch, first, second. */
static dv_status as_matrices(dv_tfl_at *at, uint32_t i, const operand *o, bool summed_last,
                             dv_tensor_id *id)
{
    dv_op_params permute = {.permute = {.rank = o->tensor.shape.rank}};
    const int64_t *lists[] = {o->batch, summed_last ? o->free : o->summed,
                              summed_last ? o->summed : o->free};
    int counts[] = {o->batch_count, summed_last ? o->free_count : o->summed_count,
                    summed_last ? o->summed_count : o->free_count};
    int64_t dims[3];
    dv_tensor_id shape;
    uint8_t used = 0;
    for (int part = 0; part < 3; part++) {
        if (!product_of(o, lists[part], counts[part], &dims[part]))
            return dv_fail(DV_BAD_INPUT, "its operands have more elements than memory can hold");
        for (int k = 0; k < counts[part]; k++)
            permute.permute.perm[used++] = (uint8_t)lists[part][k];
    }
    DV_TRY(dv_tfl_plain_input(at, i, id));
    if (o->tensor.shape.rank > 0)
        DV_TRY(dv_tfl_emit1(at, DV_OP_PERMUTE, &permute, *id, id));
    DV_TRY(dv_tfl_longs(at, dims, 3, &shape));
    return dv_tfl_emit2(at, DV_OP_VIEW, NULL, *id, shape, id);
}

/* Sums over pairs of dims, keeps pairs of batch dims, and puts what is left behind them. */
dv_status dv_tfl_op_hlo_dot(dv_tfl_at *at)
{
    dv_op_params view = {.view = {.allow_zero = true, .shape = {.rank = DV_RANK_UNKNOWN}}};
    operand a, b;
    bool fits[2];
    dv_tfl_tensor out;
    dv_tensor_id ids[2], shape;
    DV_TRY(read_operand(at, 0, &a, &fits[0]));
    DV_TRY(read_operand(at, 1, &b, &fits[1]));
    if (!fits[0] || !fits[1])
        return dv_tfl_opaque(at, "open dimensions, or ones that are listed twice, are not "
                                 "supported");
    DV_TRY(output_shape(at, &out, &shape));
    if (at->opaque)
        return DV_OK;
    DV_TRY(as_matrices(at, 0, &a, true, &ids[0]));
    DV_TRY(as_matrices(at, 1, &b, false, &ids[1]));
    DV_TRY(dv_tfl_emit(at, DV_OP_MATMUL, NULL, ids, 2, &ids[0]));
    DV_TRY(dv_tfl_emit2(at, DV_OP_VIEW, &view, ids[0], shape, &ids[0]));
    return dv_tfl_result(at, 0, ids[0], false);
}

/* ---- composites ---- */

/* A name for what a subgraph computes: the subgraph is built in place. */
dv_status dv_tfl_op_hlo_composite(dv_tfl_at *at)
{
    dv_tfl_builder *b = at->b;
    uint32_t *slots = dv_arena_array(b->arena, at->inputs.count, sizeof *slots);
    dv_tensor_id *results = dv_arena_array(b->arena, at->outputs.count, sizeof *results);
    if (!slots || !results)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < at->inputs.count; i++)
        slots[i] = dv_tfl_slot_of(at, i);
    DV_TRY(dv_tfl_call(b, dv_fb_i32(&at->options2, 1, 0), slots, at->inputs.count, results,
                       at->outputs.count));
    for (uint32_t i = 0; i < at->outputs.count; i++) {
        DV_TRY(dv_tfl_emit1(at, DV_OP_IDENTITY, NULL, results[i], &results[i]));
        DV_TRY(dv_tfl_result(at, i, results[i], false));
    }
    return DV_OK;
}
