/* aten_complex.c - ATen operators on complex numbers.

   A complex tensor of the file is one of ours with a last dim of two: real and imaginary part. What
   only moves numbers is then the operator on real tensors, its dims counted without the last one;
   a table says where its arguments name dims or sizes. Arithmetic is spelled out in real steps. */
#include <string.h>

#include "load/aten_complex.h"

typedef enum treatment {
    AS_IS,    /* no argument names a dim or a size */
    AXES,     /* dims at one or two places, counted from the back perhaps */
    NEW_AXES, /* dims of what it makes, which has one more */
    SIZES,    /* a shape */
    COUNTS,   /* one number a dim */
    PADS,     /* pairs from the last dim on */
    PROMOTE,  /* two operands, of which one may be real */
} treatment;

static const struct {
    const char *name;
    treatment how;
    uint8_t at, last; /* places of the arguments */
} moves[] = {
    {"view_as_real", AS_IS, 0, 0},
    {"view_as_complex", AS_IS, 0, 0},
    {"alias", AS_IS, 0, 0},
    {"clone", AS_IS, 0, 0},
    {"contiguous", AS_IS, 0, 0},
    {"detach", AS_IS, 0, 0},
    {"lift_fresh", AS_IS, 0, 0},
    {"dropout", AS_IS, 0, 0},
    {"neg", AS_IS, 0, 0},
    {"negative", AS_IS, 0, 0},
    {"positive", AS_IS, 0, 0},
    {"zeros_like", AS_IS, 0, 0},
    {"empty_like", AS_IS, 0, 0},
    {"zero", AS_IS, 0, 0},
    {"index", AS_IS, 0, 0},
    {"index_put", AS_IS, 0, 0},
    {"expand_as", AS_IS, 0, 0},
    {"view_as", AS_IS, 0, 0},
    {"reshape_as", AS_IS, 0, 0},
    {"slice", AXES, 1, 1},
    {"select", AXES, 1, 1},
    {"narrow", AXES, 1, 1},
    {"squeeze", AXES, 1, 1},
    {"transpose", AXES, 1, 2},
    {"swapaxes", AXES, 1, 2},
    {"swapdims", AXES, 1, 2},
    {"movedim", AXES, 1, 2},
    {"flatten", AXES, 1, 2},
    {"unflatten", AXES, 1, 1},
    {"flip", AXES, 1, 1},
    {"roll", AXES, 2, 2},
    {"cat", AXES, 1, 1},
    {"concat", AXES, 1, 1},
    {"split", AXES, 2, 2},
    {"split_with_sizes", AXES, 2, 2},
    {"chunk", AXES, 2, 2},
    {"unbind", AXES, 1, 1},
    {"index_select", AXES, 1, 1},
    {"slice_scatter", AXES, 2, 2},
    {"select_scatter", AXES, 2, 2},
    {"cumsum", AXES, 1, 1},
    {"unsqueeze", NEW_AXES, 1, 1},
    {"stack", NEW_AXES, 1, 1},
    {"view", SIZES, 1, 1},
    {"reshape", SIZES, 1, 1},
    {"_unsafe_view", SIZES, 1, 1},
    {"_reshape_alias", SIZES, 1, 1},
    {"expand", SIZES, 1, 1},
    {"broadcast_to", SIZES, 1, 1},
    {"zeros", SIZES, 0, 0},
    {"empty", SIZES, 0, 0},
    {"new_zeros", SIZES, 1, 1},
    {"new_empty", SIZES, 1, 1},
    {"repeat", COUNTS, 1, 1},
    {"constant_pad_nd", PADS, 1, 2},
    {"pad", PADS, 1, 3},
    {"add", PROMOTE, 0, 1},
    {"sub", PROMOTE, 0, 1},
    {"rsub", PROMOTE, 0, 1},
    {"copy", PROMOTE, 0, 1},
    {"where", PROMOTE, 1, 2},
};

bool dv_aten_is_complex(const dv_aten_at *at, dv_tensor_id id)
{
    return at->graph->tensors[id].is_complex;
}

uint8_t dv_aten_file_rank(const dv_aten_at *at, dv_tensor_id id)
{
    return (uint8_t)(dv_aten_rank_of(at, id) - dv_aten_is_complex(at, id));
}

/* ---- arguments ---- */

dv_status dv_aten_own_list(dv_aten_at *at, uint32_t i, size_t more, int64_t **out)
{
    dv_aten_value *value = &at->args[i];
    static const int64_t none = 0;
    int64_t *list =
        dv_arena_array(dv_graph_arena(at->graph), value->count + more + 1, sizeof *list);
    if (!list)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    if (value->type == DV_ATEN_INT) {
        value->count = 1;
        list[0] = value->integer;
    } else {
        memcpy(list, value->count ? value->integers : &none, value->count * sizeof *list);
    }
    *out = list;
    value->type = DV_ATEN_INTS;
    value->integers = list;
    return DV_OK;
}

dv_status dv_aten_count_axes(dv_aten_at *at, uint32_t i, uint8_t rank)
{
    int64_t *list;
    dv_aten_value *value = &at->args[i];
    bool single = value->type == DV_ATEN_INT;
    if (!single && value->type != DV_ATEN_INTS)
        return DV_OK;
    DV_TRY(dv_aten_own_list(at, i, 0, &list));
    for (uint32_t k = 0; k < value->count; k++) {
        list[k] += list[k] < 0 ? rank : 0;
        if (list[k] < 0 || list[k] >= rank)
            return dv_fail(DV_BAD_INPUT, "a dim of a complex tensor is out of range");
    }
    if (single)
        *value = (dv_aten_value){.type = DV_ATEN_INT, .integer = list[0]};
    return DV_OK;
}

static dv_status append(dv_aten_at *at, uint32_t i, int64_t number)
{
    int64_t *list;
    DV_TRY(dv_aten_own_list(at, i, 1, &list));
    list[at->args[i].count++] = number;
    return DV_OK;
}

static dv_status pad_parts(dv_aten_at *at, uint32_t i, uint32_t value)
{
    int64_t *list;
    double fill = 0;
    if (dv_aten_given(at, value))
        DV_TRY(dv_aten_real(at, value, &fill));
    if (fill != 0)
        return dv_aten_opaque(at, "complex numbers padded with others than zeros");
    DV_TRY(dv_aten_own_list(at, i, 2, &list));
    memmove(list + 2, list, at->args[i].count * sizeof *list);
    list[0] = list[1] = 0;
    at->args[i].count += 2;
    return DV_OK;
}

static dv_status promote(dv_aten_at *at, uint32_t first, uint32_t second)
{
    dv_tensor_id a, b, condition;
    DV_TRY(dv_aten_complex_operand(at, first, &a));
    DV_TRY(dv_aten_complex_operand(at, second, &b));
    at->args[first] = (dv_aten_value){.type = DV_ATEN_TENSOR, .tensor = a};
    at->args[second] = (dv_aten_value){.type = DV_ATEN_TENSOR, .tensor = b};
    if (first == 1) { /* where(condition, a, b) */
        DV_TRY(dv_aten_input(at, 0, &condition));
        DV_TRY(dv_aten_open_last(at, &condition));
        return dv_aten_finish(at, DV_OP_WHERE, NULL, condition, a, b);
    }
    return DV_OK;
}

static dv_status permute(dv_aten_at *at)
{
    dv_tensor_id z;
    DV_TRY(dv_aten_input(at, 0, &z));
    uint8_t rank = dv_aten_file_rank(at, z);
    DV_TRY(dv_aten_count_axes(at, 1, rank));
    DV_TRY(append(at, 1, rank));
    return dv_aten_read_permute(at);
}

/* t, T, mT: the last two dims of the file's exchanged, or all turned around. */
static dv_status matrix_t(dv_aten_at *at)
{
    dv_tensor_id z;
    int64_t dims[DV_MAX_RANK];
    DV_TRY(dv_aten_input(at, 0, &z));
    uint8_t rank = dv_aten_file_rank(at, z);
    bool all = strcmp(dv_aten_name(at->call->rule), "numpy_T") == 0;
    if (rank < 2)
        return dv_aten_finish(at, DV_OP_IDENTITY, NULL, z, DV_NONE, DV_NONE);
    for (uint8_t d = 0; d < rank; d++)
        dims[d] = all ? rank - 1 - d : d + 2 < rank ? d : 2 * rank - 3 - d;
    at->args[1] = (dv_aten_value){.type = DV_ATEN_INTS, .count = rank, .integers = dims};
    return permute(at);
}

/* ---- calls ---- */

/* The call is that of real tensors, its arguments as they have to be there. */
static dv_status move(dv_aten_at *at, size_t row, uint8_t rank)
{
    uint8_t first = moves[row].at, last = moves[row].last;
    switch (moves[row].how) {
    case AXES:
    case NEW_AXES:
        for (uint8_t i = first; i <= last; i++)
            DV_TRY(dv_aten_count_axes(at, i, (uint8_t)(rank + (moves[row].how == NEW_AXES))));
        break;
    case SIZES:
        DV_TRY(append(at, first, 2));
        break;
    case COUNTS:
        DV_TRY(append(at, first, 1));
        break;
    case PADS:
        DV_TRY(pad_parts(at, first, last));
        break;
    case PROMOTE:
        DV_TRY(promote(at, first, last));
        if (first == 1)
            return DV_OK;
        break;
    case AS_IS:
    default:
        break;
    }
    return at->reason ? DV_OK : dv_aten_read_as_real(at);
}

/* All that is called complex is so; *rank is that of the first tensor, as the file counts. */
static bool check(const dv_aten_at *at, uint8_t *rank, bool *mixed)
{
    bool seen = false, ok = true;
    for (uint32_t i = 0; i < DV_ATEN_MOST_ARGS; i++) {
        const dv_aten_value *value = &at->args[i];
        uint32_t count =
            value->type == DV_ATEN_TENSORS ? value->count : value->type == DV_ATEN_TENSOR;
        for (uint32_t k = 0; k < count; k++) {
            dv_tensor_id id = value->type == DV_ATEN_TENSORS ? value->tensors[k] : value->tensor;
            if (id == DV_NONE)
                continue;
            const dv_tensor *tensor = &at->graph->tensors[id];
            const dv_shape *shape = &tensor->shape;
            ok &= dv_shape_known(shape);
            ok &= !tensor->is_complex ||
                  (shape->rank > 0 && shape->dim[shape->rank - 1] == 2 &&
                   (tensor->dtype == DV_DTYPE_F32 || tensor->dtype == DV_DTYPE_F64));
            *mixed |= value->type == DV_ATEN_TENSORS && !tensor->is_complex && i == 0;
            if (!seen)
                *rank = (uint8_t)(shape->rank - tensor->is_complex);
            seen = true;
        }
    }
    return ok;
}

dv_status dv_aten_read_complex_call(dv_aten_at *at)
{
    const char *name = dv_aten_name(at->call->rule);
    uint8_t rank = 0;
    bool mixed = false;
    if (!check(at, &rank, &mixed) || mixed)
        return dv_aten_opaque(at, "complex numbers beside others, or of unknown shape");
    if (strstr(name, "fft") || strstr(name, "stft"))
        return dv_aten_read_as_real(at); /* it knows both */
    dv_aten_reader *math = dv_aten_complex_math(name);
    if (math)
        return math(at);
    if (strcmp(name, "permute") == 0)
        return permute(at);
    if (strcmp(name, "t") == 0 || strcmp(name, "mT") == 0 || strcmp(name, "numpy_T") == 0)
        return matrix_t(at);
    if (strcmp(name, "roll") == 0 && at->args[2].count == 0 && at->args[2].type != DV_ATEN_INT)
        return dv_aten_opaque(at, "complex numbers rolled as if they were flat");
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++)
        if (strcmp(moves[i].name, name) == 0)
            return move(at, i, rank);
    return dv_aten_opaque(at, "it is not supported on complex numbers");
}
