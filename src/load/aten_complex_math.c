/* aten_complex_math.c - arithmetic of complex numbers in steps of real ones. */
#include <string.h>

#include "load/aten_complex.h"

/* ---- real steps ---- */

dv_status dv_aten_open_last(dv_aten_at *at, dv_tensor_id *id)
{
    dv_op_params open = {.axes = {.count = 1, .axes = {-1}}};
    return dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, *id, DV_NONE, id);
}

dv_status dv_aten_part_of(dv_aten_at *at, dv_tensor_id z, int part, bool keep, dv_tensor_id *id)
{
    dv_op_params one = {
        .slice = {.count = 1, .axes = {-1}, .begin = {part}, .end = {part + 1}, .step = {1}}};
    dv_op_params drop = {.select = {.axis = -1, .index = part}};
    return dv_aten_emit(at, keep ? DV_OP_SLICE : DV_OP_SELECT, keep ? &one : &drop, z, DV_NONE, id);
}

static bool is_z(const dv_aten_at *at, uint32_t i)
{
    return at->args[i].type == DV_ATEN_COMPLEX ||
           (at->args[i].type == DV_ATEN_TENSOR && dv_aten_is_complex(at, at->args[i].tensor));
}

static dv_status pair(dv_aten_at *at, dv_dtype dtype, double real, double imag, dv_tensor_id *id)
{
    return dv_aten_numbers(at, dtype, &(dv_shape){1, {2}}, (double[]){real, imag}, id);
}

/* z times i: the parts swapped, the first negative. */
static dv_status turned(dv_aten_at *at, dv_tensor_id z, dv_tensor_id *id)
{
    dv_op_params back = {
        .slice = {.count = 1, .axes = {-1}, .begin = {-1}, .end = {INT64_MIN}, .step = {-1}}};
    dv_tensor_id signs;
    DV_TRY(pair(at, dv_aten_dtype_of(at, z), -1, 1, &signs));
    DV_TRY(dv_aten_emit(at, DV_OP_SLICE, &back, z, DV_NONE, id));
    return dv_aten_emit(at, DV_OP_MUL, NULL, *id, signs, id);
}

static dv_status conjugate(dv_aten_at *at, dv_tensor_id z, dv_tensor_id *id)
{
    dv_tensor_id signs;
    DV_TRY(pair(at, dv_aten_dtype_of(at, z), 1, -1, &signs));
    return dv_aten_emit(at, DV_OP_MUL, NULL, z, signs, id);
}

/* The two summands of a b: a Re b, and (i a) Im b. */
static dv_status halves(dv_aten_at *at, dv_tensor_id a, dv_tensor_id b, dv_tensor_id out[2])
{
    dv_tensor_id real, imag, around;
    DV_TRY(dv_aten_part_of(at, b, 0, true, &real));
    DV_TRY(dv_aten_part_of(at, b, 1, true, &imag));
    DV_TRY(turned(at, a, &around));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, a, real, &out[0]));
    return dv_aten_emit(at, DV_OP_MUL, NULL, around, imag, &out[1]);
}

/* |z|^2, with a last dim of one if keep. */
static dv_status squared(dv_aten_at *at, dv_tensor_id z, bool keep, dv_tensor_id *id)
{
    dv_op_params sum = {.reduce = {.count = 1, .axes = {-1}, .keep_dims = keep}};
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, z, z, id));
    return dv_aten_emit(at, DV_OP_SUM, &sum, *id, DV_NONE, id);
}

dv_status dv_aten_finish_complex(dv_aten_at *at, dv_tensor_id real, dv_tensor_id imag)
{
    dv_op_params join = {.axis = {.axis = -1}};
    DV_TRY(dv_aten_open_last(at, &real));
    DV_TRY(dv_aten_open_last(at, &imag));
    return dv_aten_finish(at, DV_OP_CAT, &join, real, imag, DV_NONE);
}

/* The type of the parts that the call makes. */
static dv_dtype part_type(const dv_aten_at *at)
{
    return dv_aten_made_dtype(at, DV_DTYPE_F32);
}

/* The i-th argument as real numbers beside complex ones: with a last dim of one. */
static dv_status real_operand(dv_aten_at *at, uint32_t i, dv_tensor_id *id)
{
    double value;
    if (at->args[i].type == DV_ATEN_TENSOR) {
        *id = at->args[i].tensor;
        DV_TRY(dv_aten_cast(at, part_type(at), id));
        return dv_aten_open_last(at, id);
    }
    DV_TRY(dv_aten_real(at, i, &value));
    return dv_aten_scalar(at, part_type(at), value, id);
}

/* The i-th argument as complex numbers; those that are real get an imaginary part of zero. */
dv_status dv_aten_complex_operand(dv_aten_at *at, uint32_t i, dv_tensor_id *id)
{
    const dv_aten_value *value = &at->args[i];
    double real;
    if (value->type == DV_ATEN_COMPLEX)
        return pair(at, part_type(at), value->real, value->imaginary, id);
    if (value->type != DV_ATEN_TENSOR) {
        DV_TRY(dv_aten_real(at, i, &real));
        return pair(at, part_type(at), real, 0, id);
    }
    *id = value->tensor;
    if (dv_aten_is_complex(at, *id))
        return dv_aten_cast(at, part_type(at), id);
    uint8_t rank = dv_aten_rank_of(at, *id);
    dv_op_params wide = {.pad = {.rank = (uint8_t)(rank + 1), .mode = DV_PAD_CONSTANT}};
    if (rank >= DV_MAX_RANK)
        return dv_fail(DV_BAD_INPUT, "an operand of complex numbers has no known rank");
    wide.pad.end[rank] = 1;
    DV_TRY(dv_aten_cast(at, part_type(at), id));
    DV_TRY(dv_aten_open_last(at, id));
    return dv_aten_emit(at, DV_OP_PAD, &wide, *id, DV_NONE, id);
}

/* ---- arithmetic ---- */

static dv_status multiply(dv_aten_at *at)
{
    dv_tensor_id a, b, parts[2];
    int z = is_z(at, 0) ? 0 : 1;
    DV_TRY(dv_aten_complex_operand(at, (uint32_t)z, &a));
    if (!is_z(at, (uint32_t)(1 - z))) {
        DV_TRY(real_operand(at, (uint32_t)(1 - z), &b));
        return dv_aten_finish(at, DV_OP_MUL, NULL, a, b, DV_NONE);
    }
    DV_TRY(dv_aten_complex_operand(at, 1, &b));
    DV_TRY(halves(at, a, b, parts));
    return dv_aten_finish(at, DV_OP_ADD, NULL, parts[0], parts[1], DV_NONE);
}

/* a / b, or a conj(b) / |b|^2 */
static dv_status divide(dv_aten_at *at)
{
    dv_tensor_id a, b, parts[2], size;
    DV_TRY(dv_aten_complex_operand(at, 0, &a));
    if (!is_z(at, 1)) {
        DV_TRY(real_operand(at, 1, &b));
        return dv_aten_finish(at, DV_OP_DIV, NULL, a, b, DV_NONE);
    }
    DV_TRY(dv_aten_complex_operand(at, 1, &b));
    DV_TRY(squared(at, b, true, &size));
    DV_TRY(conjugate(at, b, &b));
    DV_TRY(halves(at, a, b, parts));
    DV_TRY(dv_aten_emit(at, DV_OP_ADD, NULL, parts[0], parts[1], &a));
    return dv_aten_finish(at, DV_OP_DIV, NULL, a, size, DV_NONE);
}

static dv_status invert(dv_aten_at *at)
{
    dv_tensor_id z, size;
    DV_TRY(dv_aten_input(at, 0, &z));
    DV_TRY(squared(at, z, true, &size));
    DV_TRY(conjugate(at, z, &z));
    return dv_aten_finish(at, DV_OP_DIV, NULL, z, size, DV_NONE);
}

/* e^re (cos im + i sin im) */
static dv_status exponential(dv_aten_at *at)
{
    dv_tensor_id z, size, angle, turn;
    DV_TRY(dv_aten_input(at, 0, &z));
    DV_TRY(dv_aten_part_of(at, z, 0, false, &size));
    DV_TRY(dv_aten_part_of(at, z, 1, false, &angle));
    DV_TRY(dv_aten_emit(at, DV_OP_EXP, NULL, size, DV_NONE, &size));
    DV_TRY(dv_aten_emit(at, DV_OP_COS, NULL, angle, DV_NONE, &turn));
    DV_TRY(dv_aten_emit(at, DV_OP_SIN, NULL, angle, DV_NONE, &angle));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, size, turn, &turn));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, size, angle, &angle));
    return dv_aten_finish_complex(at, turn, angle);
}

static dv_status square(dv_aten_at *at)
{
    at->args[1] = at->args[0];
    return multiply(at);
}

static dv_status power(dv_aten_at *at)
{
    double exponent = 0;
    if (at->args[1].type == DV_ATEN_INT || at->args[1].type == DV_ATEN_REAL)
        DV_TRY(dv_aten_real(at, 1, &exponent));
    return exponent == 2 ? square(at)
                         : dv_aten_opaque(at, "complex numbers to a power other than two");
}

static dv_status magnitude(dv_aten_at *at)
{
    dv_tensor_id z;
    DV_TRY(dv_aten_input(at, 0, &z));
    DV_TRY(squared(at, z, false, &z));
    return dv_aten_finish(at, DV_OP_SQRT, NULL, z, DV_NONE, DV_NONE);
}

static dv_status angle(dv_aten_at *at)
{
    dv_tensor_id z, real, imag;
    DV_TRY(dv_aten_input(at, 0, &z));
    DV_TRY(dv_aten_part_of(at, z, 0, false, &real));
    DV_TRY(dv_aten_part_of(at, z, 1, false, &imag));
    at->args[0].tensor = imag;
    at->args[1] = (dv_aten_value){.type = DV_ATEN_TENSOR, .tensor = real};
    return dv_aten_read_atan2(at);
}

static dv_status conjugated(dv_aten_at *at)
{
    dv_tensor_id z, signs;
    DV_TRY(dv_aten_input(at, 0, &z));
    DV_TRY(pair(at, dv_aten_dtype_of(at, z), 1, -1, &signs));
    return dv_aten_finish(at, DV_OP_MUL, NULL, z, signs, DV_NONE);
}

/* Sums and means over dims of the file's; over all where it gives none. */
static dv_status reduce(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id z;
    size_t count = 0;
    DV_TRY(dv_aten_input(at, 0, &z));
    uint8_t rank = dv_aten_file_rank(at, z);
    if (at->args[1].type == DV_ATEN_INTS || dv_aten_arg_count(at->call->rule) > 2) {
        DV_TRY(dv_aten_count_axes(at, 1, rank));
        DV_TRY(dv_aten_ints(at, 1, params.reduce.axes, DV_MAX_RANK, &count));
        DV_TRY(dv_aten_flag(at, 2, &params.reduce.keep_dims));
    }
    for (uint8_t d = 0; count == 0 && d < rank; d++)
        params.reduce.axes[d] = d;
    params.reduce.count = (uint8_t)(count ? count : rank);
    if (params.reduce.count == 0)
        return dv_aten_finish(at, DV_OP_IDENTITY, NULL, z, DV_NONE, DV_NONE);
    return dv_aten_finish(at, at->kind, &params, z, DV_NONE, DV_NONE);
}

/* Between real and complex numbers, and between their types. */
static dv_status convert(dv_aten_at *at)
{
    dv_op_params cast = {.cast = {part_type(at)}};
    dv_tensor_id z, out = at->call->outputs[0];
    DV_TRY(dv_aten_input(at, 0, &z));
    bool to_complex = out != DV_NONE && dv_aten_is_complex(at, out);
    if (dv_aten_is_complex(at, z) && !to_complex)
        DV_TRY(dv_aten_part_of(at, z, 0, false, &z));
    else
        DV_TRY(dv_aten_complex_operand(at, 0, &z));
    return dv_aten_finish(at, DV_OP_CAST, &cast, z, DV_NONE, DV_NONE);
}

/* full, ones and their like: one number everywhere. */
static dv_status fill(dv_aten_at *at, double value)
{
    dv_tensor_id number, out = at->call->outputs[0];
    if (out == DV_NONE || !dv_aten_is_complex(at, out))
        return dv_aten_opaque(at, "it makes something else than complex numbers");
    dv_op_params wide = {.view = {.shape = *dv_aten_shape_of(at, out), .allow_zero = true}};
    DV_TRY(pair(at, part_type(at), value, 0, &number));
    return dv_aten_finish(at, DV_OP_EXPAND, &wide, number, DV_NONE, DV_NONE);
}

static dv_status ones(dv_aten_at *at)
{
    return fill(at, 1);
}

static dv_status full(dv_aten_at *at)
{
    double value;
    bool is_new = strncmp(dv_aten_name(at->call->rule), "new", 3) == 0;
    DV_TRY(dv_aten_real(at, is_new ? 2 : 1, &value));
    return fill(at, value);
}

/* ---- products of matrices: [x, ix] . [y, iy] as one of real numbers twice as wide ---- */

/* y and i y along a new dim in front of the last `behind` dims. */
static dv_status doubled(dv_aten_at *at, dv_tensor_id y, int64_t behind, dv_tensor_id *id)
{
    dv_op_params open = {.axes = {.count = 1, .axes = {-1 - behind}}};
    dv_op_params join = {.axis = {.axis = -1 - behind}};
    dv_tensor_id around;
    DV_TRY(turned(at, y, &around));
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, y, DV_NONE, &y));
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, around, DV_NONE, &around));
    return dv_aten_emit(at, DV_OP_CAT, &join, y, around, id);
}

/* The shape of a complex operand, real ones being made complex. */
static dv_status complex_shape(const dv_aten_at *at, dv_tensor_id given, dv_shape *out)
{
    *out = *dv_aten_shape_of(at, given);
    return dv_aten_is_complex(at, given) || dv_aten_complex_shape(out)
               ? DV_OK
               : dv_fail(DV_BAD_INPUT, "an operand has too many dimensions");
}

static dv_status matmul(dv_aten_at *at)
{
    dv_tensor_id x, y, out = at->call->outputs[0];
    dv_shape a, b;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_input(at, 1, &y));
    DV_TRY(complex_shape(at, x, &a));
    DV_TRY(complex_shape(at, y, &b));
    if (a.rank < 3 || b.rank < 3 || out == DV_NONE || !dv_shape_known(dv_aten_shape_of(at, out)))
        return dv_aten_opaque(at, "a product of complex vectors is not supported");
    dv_op_params wide = {.view = {.allow_zero = true}}, tall = wide, back = wide;
    a.rank--;
    b.rank--;
    a.dim[a.rank - 1] *= 2; /* [.., m, 2 k] and [.., 2 k, 2 n] */
    b.dim[b.rank - 1] *= 2;
    b.dim[b.rank - 2] *= 2;
    wide.view.shape = a;
    tall.view.shape = b;
    back.view.shape = *dv_aten_shape_of(at, out);
    DV_TRY(dv_aten_complex_operand(at, 0, &x));
    DV_TRY(dv_aten_complex_operand(at, 1, &y));
    DV_TRY(doubled(at, y, 2, &y));
    DV_TRY(dv_aten_emit(at, DV_OP_VIEW, &wide, x, DV_NONE, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_VIEW, &tall, y, DV_NONE, &y));
    DV_TRY(dv_aten_emit(at, DV_OP_MATMUL, NULL, x, y, &x));
    return dv_aten_finish(at, DV_OP_VIEW, &back, x, DV_NONE, DV_NONE);
}

/* A letter that the equation does not have; 0 if it has all. */
static char free_letter(const char *equation, char after)
{
    for (char c = (char)(after + 1); c <= 'Z'; c++)
        if (!strchr(equation, c))
            return c;
    return 0;
}

/* "ij,jk->ik" of complex numbers is "ijP,jkPO->ikO" of their parts, the second operand doubled. */
static dv_status einsum(dv_aten_at *at)
{
    const dv_aten_value *list = &at->args[1];
    const char *equation = at->args[0].type == DV_ATEN_TEXT ? at->args[0].text : "";
    const char *comma = strchr(equation, ','), *arrow = strstr(equation, "->");
    char in = free_letter(equation, 'A' - 1), out = in ? free_letter(equation, in) : 0;
    if (list->type != DV_ATEN_TENSORS || list->count != 2 || !comma || !arrow || comma > arrow ||
        !out)
        return dv_aten_opaque(at, "the equation '%.60s' of complex numbers is not supported",
                              equation);
    dv_tensor_id *ids = dv_arena_array(dv_graph_arena(at->graph), 2, sizeof *ids);
    const char *wider =
        dv_arena_printf(dv_graph_arena(at->graph), "%.*s%c,%.*s%c%c%s%c", (int)(comma - equation),
                        equation, in, (int)(arrow - comma - 1), comma + 1, in, out, arrow, out);
    if (!ids || !wider)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < 2; i++) {
        if (list->tensors[i] == DV_NONE || !dv_aten_is_complex(at, list->tensors[i]))
            return dv_aten_opaque(at, "an operand that is not complex");
        ids[i] = list->tensors[i];
    }
    dv_shape shape = *dv_aten_shape_of(at, ids[1]);
    if (!dv_aten_complex_shape(&shape))
        return dv_aten_opaque(at, "an operand has too many dimensions");
    DV_TRY(doubled(at, ids[1], 1, &ids[1]));
    dv_graph_tensor_mutable(at->graph, ids[1])->shape = shape;
    at->args[0].text = wider;
    at->args[1].tensors = ids;
    return dv_aten_read_einsum(at);
}

/* ---- from and to real numbers ---- */

static dv_status finish_part(dv_aten_at *at, int64_t part)
{
    dv_op_params params = {.select = {.axis = -1, .index = part}};
    dv_tensor_id z;
    DV_TRY(dv_aten_input(at, 0, &z));
    if (!dv_aten_is_complex(at, z))
        return dv_aten_opaque(at, "its input is not complex");
    return dv_aten_finish(at, DV_OP_SELECT, &params, z, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_real_part(dv_aten_at *at)
{
    dv_tensor_id z;
    DV_TRY(dv_aten_input(at, 0, &z));
    if (!dv_aten_is_complex(at, z))
        return dv_aten_finish(at, DV_OP_IDENTITY, NULL, z, DV_NONE, DV_NONE);
    return finish_part(at, 0);
}

dv_status dv_aten_read_imag_part(dv_aten_at *at)
{
    return finish_part(at, 1);
}

/* Of real numbers: 0, pi below zero. */
dv_status dv_aten_read_angle(dv_aten_at *at)
{
    dv_tensor_id x, zero, inputs[3];
    DV_TRY(dv_aten_input(at, 0, &x));
    dv_dtype dtype = dv_aten_made_dtype(at, DV_DTYPE_F32);
    DV_TRY(dv_aten_cast(at, dtype, &x));
    DV_TRY(dv_aten_scalar(at, dtype, 0, &zero));
    DV_TRY(dv_aten_scalar(at, dtype, 3.14159265358979323846, &inputs[1]));
    DV_TRY(dv_aten_emit(at, DV_OP_LT, NULL, x, zero, &inputs[0]));
    inputs[2] = zero;
    return dv_aten_finish_all(at, DV_OP_WHERE, NULL, inputs, 3);
}

/* (size, angle) to size (cos angle + i sin angle) */
dv_status dv_aten_read_polar(dv_aten_at *at)
{
    dv_tensor_id size, angle, turn;
    DV_TRY(dv_aten_input(at, 0, &size));
    DV_TRY(dv_aten_input(at, 1, &angle));
    DV_TRY(dv_aten_emit(at, DV_OP_COS, NULL, angle, DV_NONE, &turn));
    DV_TRY(dv_aten_emit(at, DV_OP_SIN, NULL, angle, DV_NONE, &angle));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, size, turn, &turn));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, size, angle, &angle));
    return dv_aten_finish_complex(at, turn, angle);
}

dv_status dv_aten_read_complex(dv_aten_at *at)
{
    dv_tensor_id real, imag;
    DV_TRY(dv_aten_input(at, 0, &real));
    DV_TRY(dv_aten_input(at, 1, &imag));
    return dv_aten_finish_complex(at, real, imag);
}

static const struct {
    const char *name;
    dv_aten_reader *read;
} sums[] = {
    {"mul", multiply},
    {"multiply", multiply},
    {"div", divide},
    {"divide", divide},
    {"true_divide", divide},
    {"reciprocal", invert},
    {"exp", exponential},
    {"square", square},
    {"pow", power},
    {"abs", magnitude},
    {"absolute", magnitude},
    {"angle", angle},
    {"conj", conjugated},
    {"_conj", conjugated},
    {"conj_physical", conjugated},
    {"sum", reduce},
    {"mean", reduce},
    {"_to_copy", convert},
    {"to", convert},
    {"type_as", convert},
    {"ones", ones},
    {"ones_like", ones},
    {"new_ones", ones},
    {"full", full},
    {"full_like", full},
    {"new_full", full},
    {"bmm", matmul},
    {"mm", matmul},
    {"matmul", matmul},
    {"einsum", einsum},
    {"real", dv_aten_read_real_part},
    {"imag", dv_aten_read_imag_part},
    {"polar", dv_aten_read_polar},
    {"complex", dv_aten_read_complex},
};

dv_aten_reader *dv_aten_complex_math(const char *name)
{
    for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++)
        if (strcmp(sums[i].name, name) == 0)
            return sums[i].read;
    return NULL;
}
