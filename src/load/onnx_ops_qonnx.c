/* onnx_ops_qonnx.c - quantisation to any number of bits as Brevitas and QKeras write it: rounding
   that stays among real numbers (Pappalardo et al., QONNX, 2022; domain qonnx.custom_op.general,
   which older files call onnx.brevitas or finn.custom_op.general). */
#include <math.h>

#include "load/onnx_ops.h"

static dv_status with(dv_onnx_at *at, dv_op_kind kind, double value, dv_tensor_id *id)
{
    dv_tensor_id constant;
    DV_TRY(dv_onnx_scalar(at, dv_onnx_input_dtype(at, 0), value, &constant));
    return dv_onnx_emit(at, kind, NULL, *id, constant, id);
}

static bool rounding_of(dv_span mode, dv_op_kind *kind)
{
    static const struct {
        const char *mode;
        dv_op_kind kind;
    } modes[] = {{"ROUND", DV_OP_ROUND}, {"HALF_EVEN", DV_OP_ROUND}, {"CEIL", DV_OP_CEIL},
                 {"FLOOR", DV_OP_FLOOR}, {"round", DV_OP_ROUND},     {"floor", DV_OP_FLOOR},
                 {"ceil", DV_OP_CEIL}};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (dv_span_is(mode, modes[i].mode)) {
            *kind = modes[i].kind;
            return true;
        }
    return false;
}

/* (round(clamp(x / scale + zero, least, most)) - zero) * scale, of inputs (x, scale, zero, bits).
 */
dv_status dv_onnx_op_qonnx_quant(dv_onnx_at *at)
{
    const dv_tensor *bits = dv_onnx_known_constant(at, 3);
    double width = bits ? dv_onnx_first_element(bits) : 0;
    bool is_signed, narrow;
    dv_op_kind round;
    dv_span mode;
    DV_TRY(dv_onnx_flag(at, "signed", true, &is_signed));
    DV_TRY(dv_onnx_flag(at, "narrow", false, &narrow));
    DV_TRY(dv_onnx_text(at, "rounding_mode", "ROUND", &mode));
    if (!(width >= 1 && width <= 32))
        return dv_onnx_opaque(at, "its number of bits is not a constant from 1 to 32");
    if (!rounding_of(mode, &round))
        return dv_onnx_opaque(at, "rounding_mode '%.*s' is not supported", (int)mode.size,
                              (const char *)mode.data);
    double most = is_signed ? exp2(width - 1) - 1 : exp2(width) - 1 - narrow;
    double least = is_signed ? -exp2(width - 1) + narrow : 0;
    dv_tensor_id scale = at->inputs[1], zero = at->inputs[2], id;
    DV_TRY(dv_onnx_emit(at, DV_OP_DIV, NULL, at->inputs[0], scale, &id));
    DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, id, zero, &id));
    DV_TRY(with(at, DV_OP_MINIMUM, most, &id));
    DV_TRY(with(at, DV_OP_MAXIMUM, least, &id));
    DV_TRY(dv_onnx_emit(at, round, NULL, id, DV_NONE, &id));
    DV_TRY(dv_onnx_emit(at, DV_OP_SUB, NULL, id, zero, &id));
    dv_onnx_become(at, DV_OP_MUL, id, scale, DV_NONE);
    return DV_OK;
}

/* scale where x is not negative, else -scale. */
dv_status dv_onnx_op_qonnx_bipolar(dv_onnx_at *at)
{
    dv_tensor_id scale = at->inputs[1], zero, minus, positive;
    DV_TRY(dv_onnx_scalar(at, dv_onnx_input_dtype(at, 0), 0, &zero));
    DV_TRY(dv_onnx_emit(at, DV_OP_GE, NULL, at->inputs[0], zero, &positive));
    DV_TRY(dv_onnx_emit(at, DV_OP_NEG, NULL, scale, DV_NONE, &minus));
    dv_onnx_become(at, DV_OP_WHERE, positive, scale, minus);
    return DV_OK;
}
