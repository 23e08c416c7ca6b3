/* tflite_ops_math.c - element-wise operators and reductions.

   Element-wise operators do not care for the order of dims as long as all operands share it. */
#include <math.h>
#include <string.h>

#include "load/tflite_build.h"

/* ---- operands ---- */

enum { MOST_OPERANDS = 3 };

/* Can input i be had in planar order? One element broadcasts in any. */
static dv_status can_be_planar(const dv_tfl_at *at, uint32_t i, bool *can, bool *single)
{
    dv_tfl_tensor tensor;
    size_t elements;
    DV_TRY(dv_tfl_input(at, i, &tensor));
    bool constant = at->b->scope->slots[dv_tfl_slot_of(at, i)].constant != DV_NONE;
    *single = dv_shape_elements(&tensor.shape, &elements) && elements == 1 &&
              tensor.shape.rank < 4 && tensor.open == 0;
    *can = tensor.shape.rank == 4 || (constant && tensor.shape.rank < 4) || *single;
    return DV_OK;
}

/* The first count inputs in one order: planar if one of them is there in that order alone. */
static dv_status operands(dv_tfl_at *at, uint32_t count, dv_tensor_id *ids, bool *planar)
{
    bool single[MOST_OPERANDS] = {false}, all = true, wanted = false;
    for (uint32_t i = 0; i < count; i++) {
        bool can;
        DV_TRY(can_be_planar(at, i, &can, &single[i]));
        all &= can;
        wanted |= dv_tfl_prefers_planar(at, i);
    }
    *planar = all && wanted;
    for (uint32_t i = 0; i < count; i++)
        DV_TRY(*planar && !single[i] ? dv_tfl_planar_input(at, i, &ids[i])
                                     : dv_tfl_plain_input(at, i, &ids[i]));
    return DV_OK;
}

/* Emits kind over the first count inputs and makes that the result. */
static dv_status elementwise(dv_tfl_at *at, dv_op_kind kind, const dv_op_params *params,
                             uint32_t count)
{
    dv_tensor_id ids[MOST_OPERANDS];
    bool planar;
    DV_TRY(operands(at, count, ids, &planar));
    DV_TRY(dv_tfl_emit(at, kind, params, ids, count, &ids[0]));
    return dv_tfl_result(at, 0, ids[0], planar);
}

/* ---- one operand ---- */

dv_status dv_tfl_op_unary(dv_tfl_at *at)
{
    return elementwise(at, at->rule->kind, NULL, 1);
}

dv_status dv_tfl_op_elu(dv_tfl_at *at)
{
    dv_op_params params = {.scalar = {.alpha = 1}};
    return elementwise(at, DV_OP_ELU, &params, 1);
}

dv_status dv_tfl_op_leaky_relu(dv_tfl_at *at)
{
    dv_op_params params = {.scalar = {.alpha = (double)dv_fb_f32(&at->options, 0, 0)}};
    return elementwise(at, DV_OP_LEAKY_RELU, &params, 1);
}

dv_status dv_tfl_op_gelu(dv_tfl_at *at)
{
    dv_op_params params = {.flag = {.on = dv_fb_flag(&at->options, 0, false)}};
    return elementwise(at, DV_OP_GELU, &params, 1);
}

dv_status dv_tfl_op_clamp(dv_tfl_at *at)
{
    dv_op_params params = {.clamp = {0, 6}};
    if (strcmp(at->type, "RELU6") != 0)
        params.clamp = (dv_clamp_params){strcmp(at->type, "RELU_N1_TO_1") == 0 ? -1 : 0, 1};
    return elementwise(at, DV_OP_CLAMP, &params, 1);
}

dv_status dv_tfl_op_square(dv_tfl_at *at)
{
    dv_tensor_id x;
    bool planar;
    DV_TRY(operands(at, 1, &x, &planar));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MUL, NULL, x, x, &x));
    return dv_tfl_result(at, 0, x, planar);
}

/* An operator on quantised integers is shown as one on f32, so converting changes nothing. */
dv_status dv_tfl_op_convert(dv_tfl_at *at)
{
    dv_tfl_tensor in, out;
    DV_TRY(dv_tfl_input(at, 0, &in));
    DV_TRY(dv_tfl_output(at, 0, &out));
    dv_tfl_slot *slots = at->b->scope->slots;
    uint32_t from = dv_tfl_slot_of(at, 0), to = (uint32_t)dv_fb_i32_at(&at->outputs, 0);
    dv_dtype have = dv_tfl_dtype(&in), want = dv_tfl_dtype(&out);
    bool converts = have == want || (dv_dtype_is_float(have) && dv_dtype_is_float(want));
    if (!converts)
        return dv_tfl_opaque(at, "it converts %s to %s, which is not supported",
                             dv_tfl_type_name(in.type), dv_tfl_type_name(out.type));
    bool free_slot = slots[to].plain == DV_NONE && slots[to].planar == DV_NONE &&
                     slots[to].constant == DV_NONE && slots[to].integers[0] == DV_NONE &&
                     slots[to].integers[1] == DV_NONE && !out.quantised;
    if (slots[from].constant != DV_NONE && free_slot &&
        (have == want || (have == DV_DTYPE_F16 && want == DV_DTYPE_F32)) &&
        dv_shape_equal(&in.shape, &out.shape)) {
        slots[to].constant = slots[from].constant; /* a weight in disguise, not an operator */
        return DV_OK;
    }
    dv_op_params params = {.cast = {.dtype = want}};
    return have == want ? elementwise(at, DV_OP_IDENTITY, NULL, 1)
                        : elementwise(at, DV_OP_CAST, &params, 1);
}

dv_status dv_tfl_op_cast(dv_tfl_at *at)
{
    dv_tfl_tensor x, out;
    DV_TRY(dv_tfl_input(at, 0, &x));
    DV_TRY(dv_tfl_output(at, 0, &out));
    if (dv_tfl_is_complex(&x) || dv_tfl_is_complex(&out))
        return dv_tfl_cast_complex(at);
    dv_op_params params = {.cast = {.dtype = dv_tfl_dtype(&out)}};
    return elementwise(at, DV_OP_CAST, &params, 1);
}

/* ---- two and more operands ---- */

dv_status dv_tfl_op_binary(dv_tfl_at *at)
{
    return elementwise(at, at->rule->kind, NULL, 2);
}

/* With a fused activation. */
dv_status dv_tfl_op_arithmetic(dv_tfl_at *at)
{
    dv_tensor_id ids[2];
    bool planar;
    DV_TRY(operands(at, 2, ids, &planar));
    DV_TRY(dv_tfl_emit(at, at->rule->kind, NULL, ids, 2, &ids[0]));
    return dv_tfl_result_activated(at, 0, ids[0], planar);
}

dv_status dv_tfl_op_squared_difference(dv_tfl_at *at)
{
    dv_tensor_id ids[2], x;
    bool planar;
    DV_TRY(operands(at, 2, ids, &planar));
    DV_TRY(dv_tfl_emit(at, DV_OP_SUB, NULL, ids, 2, &x));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MUL, NULL, x, x, &x));
    return dv_tfl_result(at, 0, x, planar);
}

/* Rounded towards minus infinity: integers divide without a remainder once it is taken away. */
dv_status dv_tfl_op_floor_div(dv_tfl_at *at)
{
    dv_tfl_tensor first;
    dv_tensor_id ids[2], x;
    bool planar;
    DV_TRY(dv_tfl_input(at, 0, &first));
    bool is_float = dv_dtype_is_float(dv_tfl_dtype(&first));
    DV_TRY(operands(at, 2, ids, &planar));
    if (!is_float) {
        DV_TRY(dv_tfl_emit(at, DV_OP_REMAINDER, NULL, ids, 2, &x));
        DV_TRY(dv_tfl_emit2(at, DV_OP_SUB, NULL, ids[0], x, &ids[0]));
    }
    DV_TRY(dv_tfl_emit(at, DV_OP_DIV, NULL, ids, 2, &x));
    if (is_float)
        DV_TRY(dv_tfl_emit1(at, DV_OP_FLOOR, NULL, x, &x));
    return dv_tfl_result(at, 0, x, planar);
}

/* (y, x): the arc tangent of y / x, turned by half a circle where x is negative. */
dv_status dv_tfl_op_atan2(dv_tfl_at *at)
{
    const double half = 3.14159265358979323846;
    dv_tensor_id y, x, zero, turn, minus, angle, negative, none;
    DV_TRY(dv_tfl_plain_input(at, 0, &y));
    DV_TRY(dv_tfl_plain_input(at, 1, &x));
    DV_TRY(dv_tfl_scalar(at, DV_DTYPE_F32, 0, &zero));
    DV_TRY(dv_tfl_scalar(at, DV_DTYPE_F32, half, &turn));
    DV_TRY(dv_tfl_scalar(at, DV_DTYPE_F32, -half, &minus));
    DV_TRY(dv_tfl_emit2(at, DV_OP_LT, NULL, y, zero, &negative));
    DV_TRY(dv_tfl_emit(at, DV_OP_WHERE, NULL, (dv_tensor_id[]){negative, minus, turn}, 3, &turn));
    DV_TRY(dv_tfl_emit2(at, DV_OP_LT, NULL, x, zero, &negative));
    DV_TRY(dv_tfl_emit(at, DV_OP_WHERE, NULL, (dv_tensor_id[]){negative, turn, zero}, 3, &turn));
    DV_TRY(dv_tfl_emit2(at, DV_OP_DIV, NULL, y, x, &angle));
    DV_TRY(dv_tfl_emit1(at, DV_OP_ATAN, NULL, angle, &angle));
    DV_TRY(dv_tfl_emit2(at, DV_OP_EQ, NULL, y, zero, &none)); /* also where x is 0, too */
    DV_TRY(dv_tfl_emit(at, DV_OP_WHERE, NULL, (dv_tensor_id[]){none, zero, angle}, 3, &angle));
    DV_TRY(dv_tfl_emit2(at, DV_OP_ADD, NULL, angle, turn, &angle));
    return dv_tfl_result(at, 0, angle, false);
}

/* Rounds to the steps that training with quantisation has laid through its range. */
dv_status dv_tfl_op_fake_quant(dv_tfl_at *at)
{
    const dv_fb_table *o = &at->options;
    double least = (double)dv_fb_f32(o, 0, 0), most = (double)dv_fb_f32(o, 1, 0);
    int32_t bits = dv_fb_i32(o, 2, 8);
    if (bits < 2 || bits > 16 || !(most > least) || least > 0 || most < 0)
        return dv_tfl_opaque(at, "%d bits from %g to %g are not supported", bits, least, most);
    double low = dv_fb_flag(o, 3, false), high = ldexp(1, bits) - 1;
    float scale = (float)((most - least) / (high - low));
    double zero = nearbyint(fmin(fmax(low - least / (double)scale, low), high));
    dv_dtype dtype = bits > 8 ? DV_DTYPE_U16 : DV_DTYPE_U8;
    dv_op_params clamp = {.clamp = {(low - zero) * (double)scale, (high - zero) * (double)scale}};
    dv_op_params quant = {.quant = {.dtype = dtype}};
    dv_tensor_id ids[3];
    DV_TRY(dv_tfl_plain_input(at, 0, &ids[0]));
    DV_TRY(dv_tfl_scalar(at, DV_DTYPE_F32, (double)scale, &ids[1]));
    DV_TRY(dv_tfl_scalar(at, dtype, zero, &ids[2]));
    DV_TRY(dv_tfl_emit1(at, DV_OP_CLAMP, &clamp, ids[0], &ids[0]));
    DV_TRY(dv_tfl_emit(at, DV_OP_QUANTIZE, &quant, ids, 3, &ids[0]));
    DV_TRY(dv_tfl_emit(at, DV_OP_DEQUANTIZE, &quant, ids, 3, &ids[0]));
    return dv_tfl_result(at, 0, ids[0], false);
}

dv_status dv_tfl_op_add_n(dv_tfl_at *at)
{
    dv_tensor_id sum, next;
    bool planar = dv_tfl_prefers_planar(at, 0);
    DV_TRY(planar ? dv_tfl_planar_input(at, 0, &sum) : dv_tfl_plain_input(at, 0, &sum));
    for (uint32_t i = 1; i < at->inputs.count; i++) {
        DV_TRY(planar ? dv_tfl_planar_input(at, i, &next) : dv_tfl_plain_input(at, i, &next));
        DV_TRY(dv_tfl_emit2(at, DV_OP_ADD, NULL, sum, next, &sum));
    }
    if (at->inputs.count == 1)
        DV_TRY(dv_tfl_emit1(at, DV_OP_IDENTITY, NULL, sum, &sum));
    return dv_tfl_result(at, 0, sum, planar);
}

/* SELECT's condition may be a vector, of the first dim. */
dv_status dv_tfl_op_select(dv_tfl_at *at)
{
    dv_tfl_tensor condition, a;
    dv_tensor_id ids[3];
    DV_TRY(dv_tfl_input(at, 0, &condition));
    DV_TRY(dv_tfl_input(at, 1, &a));
    if (strcmp(at->type, "SELECT") != 0 || condition.shape.rank == a.shape.rank ||
        condition.shape.rank != 1)
        return elementwise(at, DV_OP_WHERE, NULL, 3);
    for (uint32_t i = 0; i < 3; i++)
        DV_TRY(dv_tfl_plain_input(at, i, &ids[i]));
    dv_op_params last = {.axes = {.count = 1, .axes = {-1}}};
    for (uint8_t d = 1; d < a.shape.rank; d++)
        DV_TRY(dv_tfl_emit1(at, DV_OP_UNSQUEEZE, &last, ids[0], &ids[0]));
    DV_TRY(dv_tfl_emit(at, DV_OP_WHERE, NULL, ids, 3, &ids[0]));
    return dv_tfl_result(at, 0, ids[0], false);
}

/* ---- reductions ---- */

/* Reduces NHWC's axes on a planar operand; possible if what stays keeps its order. */
static bool reduce_planar(dv_reduce_params *reduce)
{
    unsigned gone = 0;
    for (uint8_t i = 0; i < reduce->count; i++)
        gone |= 1u << (reduce->axes[i] & 3);
    bool ordered = reduce->keep_dims || (gone & 8) || (gone & 6) == 6;
    for (uint8_t i = 0; ordered && i < reduce->count; i++)
        reduce->axes[i] = dv_tfl_planar_axis(reduce->axes[i]);
    return ordered;
}

static dv_status read_axes(dv_tfl_at *at, dv_reduce_params *reduce, dv_tfl_tensor *input,
                           bool *constant)
{
    int count;
    DV_TRY(dv_tfl_input(at, 0, input));
    DV_TRY(dv_tfl_ints(at, 1, DV_MAX_RANK, reduce->axes, &count));
    *constant = count >= 0;
    reduce->count = (uint8_t)(count < 0 ? 0 : count);
    for (uint8_t i = 0; i < reduce->count; i++) {
        int64_t axis = reduce->axes[i], rank = input->shape.rank;
        if (axis < -rank || axis >= rank)
            return dv_fail(DV_BAD_INPUT, "axis %lld of %lld dimensions", (long long)axis,
                           (long long)rank);
        reduce->axes[i] = axis < 0 ? axis + rank : axis;
    }
    return DV_OK;
}

dv_status dv_tfl_op_reduce(dv_tfl_at *at)
{
    dv_op_params params = {.reduce = {.keep_dims = dv_fb_flag(&at->options, 0, false)}};
    dv_tfl_tensor input;
    dv_tensor_id x;
    bool constant;
    DV_TRY(read_axes(at, &params.reduce, &input, &constant));
    if (!constant)
        return dv_tfl_opaque(at, "its axes are computed, which is not supported");
    params.reduce.noop_when_empty = true;
    bool planar =
        input.shape.rank == 4 && dv_tfl_prefers_planar(at, 0) && reduce_planar(&params.reduce);
    DV_TRY(planar ? dv_tfl_planar_input(at, 0, &x) : dv_tfl_plain_input(at, 0, &x));
    /* of booleans: any is the largest, all the smallest */
    bool booleans = dv_tfl_dtype(&input) == DV_DTYPE_BOOL;
    dv_op_params number = {.cast = {.dtype = DV_DTYPE_I32}}, truth = {.cast = {DV_DTYPE_BOOL}};
    if (booleans)
        DV_TRY(dv_tfl_emit1(at, DV_OP_CAST, &number, x, &x));
    DV_TRY(dv_tfl_emit1(at, at->rule->kind, &params, x, &x));
    if (booleans)
        DV_TRY(dv_tfl_emit1(at, DV_OP_CAST, &truth, x, &x));
    bool stays = params.reduce.keep_dims || params.reduce.count == 0;
    return dv_tfl_result(at, 0, x, planar && stays);
}

dv_status dv_tfl_op_argmax(dv_tfl_at *at)
{
    dv_op_params params = {0}, cast = {0};
    dv_tfl_tensor input, output;
    dv_tensor_id x;
    bool constant;
    DV_TRY(read_axes(at, &params.reduce, &input, &constant));
    DV_TRY(dv_tfl_output(at, 0, &output));
    if (!constant || params.reduce.count != 1)
        return dv_tfl_opaque(at, "its axis is computed, which is not supported");
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(dv_tfl_emit1(at, at->rule->kind, &params, x, &x));
    cast.cast.dtype = dv_tfl_dtype(&output);
    if (cast.cast.dtype != DV_DTYPE_I64)
        DV_TRY(dv_tfl_emit1(at, DV_OP_CAST, &cast, x, &x));
    return dv_tfl_result(at, 0, x, false);
}

dv_status dv_tfl_op_cumsum(dv_tfl_at *at)
{
    int64_t axis;
    int count;
    dv_tensor_id x;
    DV_TRY(dv_tfl_ints(at, 1, 1, &axis, &count));
    if (count != 1)
        return dv_tfl_opaque(at, "its axis is computed, which is not supported");
    dv_op_params params = {.axis = {.axis = axis,
                                    .exclusive = dv_fb_flag(&at->options, 0, false),
                                    .reverse = dv_fb_flag(&at->options, 1, false)}};
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(dv_tfl_emit1(at, DV_OP_CUMSUM, &params, x, &x));
    return dv_tfl_result(at, 0, x, false);
}

/* ---- along the channels ---- */

dv_status dv_tfl_op_softmax(dv_tfl_at *at)
{
    dv_tfl_tensor input;
    dv_tensor_id x, beta;
    DV_TRY(dv_tfl_input(at, 0, &input));
    bool planar = input.shape.rank == 4 && dv_tfl_prefers_planar(at, 0);
    double factor = at->rule->kind == DV_OP_SOFTMAX ? (double)dv_fb_f32(&at->options, 0, 0) : 1;
    DV_TRY(planar ? dv_tfl_planar_input(at, 0, &x) : dv_tfl_plain_input(at, 0, &x));
    if (factor != 1) {
        DV_TRY(dv_tfl_scalar(at, dv_tfl_dtype(&input), factor, &beta));
        DV_TRY(dv_tfl_emit2(at, DV_OP_MUL, NULL, x, beta, &x));
    }
    dv_op_params params = {.axis = {.axis = planar ? 1 : -1}};
    DV_TRY(dv_tfl_emit1(at, at->rule->kind, &params, x, &x));
    return dv_tfl_result(at, 0, x, planar);
}

/* x / max(its length, 1e-6), as in TFLite's reference kernel. */
dv_status dv_tfl_op_l2_norm(dv_tfl_at *at)
{
    dv_tfl_tensor input;
    dv_tensor_id x, length, least;
    DV_TRY(dv_tfl_input(at, 0, &input));
    bool planar = input.shape.rank == 4 && dv_tfl_prefers_planar(at, 0);
    dv_op_params sum = {.reduce = {.count = 1, .keep_dims = true, .axes = {planar ? 1 : -1}}};
    DV_TRY(planar ? dv_tfl_planar_input(at, 0, &x) : dv_tfl_plain_input(at, 0, &x));
    DV_TRY(dv_tfl_scalar(at, DV_DTYPE_F32, 1e-6, &least));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MUL, NULL, x, x, &length));
    DV_TRY(dv_tfl_emit1(at, DV_OP_SUM, &sum, length, &length));
    DV_TRY(dv_tfl_emit1(at, DV_OP_SQRT, NULL, length, &length));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MAXIMUM, NULL, length, least, &length));
    DV_TRY(dv_tfl_emit2(at, DV_OP_DIV, NULL, x, length, &x));
    return dv_tfl_result_activated(at, 0, x, planar);
}
