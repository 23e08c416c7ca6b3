/* evaluate_move.c - small constants cut, joined, permuted and indexed. */
#include <string.h>

#include "lower/evaluate.h"

/* Fills out from x: element `index` of out is x[offset + sum of index * strides]. */
static void strided(const dv_value *x, int64_t offset, const int64_t *strides, dv_value *out)
{
    int64_t index[DV_MAX_RANK] = {0};
    for (size_t e = 0; e < out->count; e++) {
        int64_t at = offset;
        for (uint8_t d = 0; d < out->shape.rank; d++)
            at += index[d] * strides[d];
        out->cells[e] = x->cells[at];
        dv_next_index(&out->shape, index);
    }
}

static void permute(const dv_permute_params *p, const dv_value *x, dv_value *out)
{
    int64_t own[DV_MAX_RANK], strides[DV_MAX_RANK];
    dv_shape_strides(&x->shape, own);
    for (uint8_t d = 0; d < out->shape.rank; d++)
        strides[d] = own[p->perm[d]];
    strided(x, 0, strides, out);
}

static void expand(const dv_value *x, dv_value *out)
{
    int64_t own[DV_MAX_RANK], strides[DV_MAX_RANK];
    dv_shape_strides(&x->shape, own);
    int lead = out->shape.rank - x->shape.rank;
    for (int d = 0; d < out->shape.rank; d++)
        strides[d] = d < lead || x->shape.dim[d - lead] == 1 ? 0 : own[d - lead];
    strided(x, 0, strides, out);
}

static void slice(const dv_slice_params *p, const dv_value *x, dv_value *out)
{
    int64_t own[DV_MAX_RANK], strides[DV_MAX_RANK], offset = 0;
    dv_shape_strides(&x->shape, own);
    for (uint8_t d = 0; d < out->shape.rank; d++) {
        offset += p->begin[d] * own[d];
        /* a step past the only element is never taken, but must not overflow */
        strides[d] = out->shape.dim[d] > 1 ? own[d] * p->step[d] : 0;
    }
    strided(x, offset, strides, out);
}

static void split(const dv_split_params *p, uint32_t output, const dv_value *x, dv_value *out)
{
    int64_t own[DV_MAX_RANK], offset = 0;
    dv_shape_strides(&x->shape, own);
    for (uint32_t i = 0; i < output; i++)
        offset += p->sizes[i];
    strided(x, offset * own[p->axis], own, out);
}

static void select_one(const dv_select_params *p, const dv_value *x, dv_value *out)
{
    int64_t own[DV_MAX_RANK], strides[DV_MAX_RANK];
    dv_shape_strides(&x->shape, own);
    for (uint8_t d = 0; d < out->shape.rank; d++)
        strides[d] = own[d < p->axis ? d : d + 1];
    strided(x, p->index * own[p->axis], strides, out);
}

static void repeat(const dv_value *x, dv_value *out)
{
    int64_t own[DV_MAX_RANK], index[DV_MAX_RANK] = {0};
    dv_shape_strides(&x->shape, own);
    int lead = out->shape.rank - x->shape.rank;
    for (size_t e = 0; e < out->count; e++) {
        int64_t at = 0;
        for (int d = 0; d < x->shape.rank; d++)
            at += index[d + lead] % x->shape.dim[d] * own[d];
        out->cells[e] = x->cells[at];
        dv_next_index(&out->shape, index);
    }
}

static void cat(const dv_infer *infer, const dv_value *inputs, dv_value *out)
{
    int64_t axis = infer->params.axis.axis;
    size_t rows = 1, at = 0, row = 1;
    for (int64_t d = 0; d < axis; d++)
        rows *= (size_t)out->shape.dim[d];
    for (int64_t d = axis; d < out->shape.rank; d++)
        row *= (size_t)out->shape.dim[d];
    for (uint32_t i = 0; i < infer->input_count && out->count > 0; i++) {
        size_t part = inputs[i].count / rows;
        for (size_t r = 0; r < rows; r++)
            memcpy(&out->cells[r * row + at], &inputs[i].cells[r * part],
                   part * sizeof *out->cells);
        at += part;
    }
}

/* INDEX_SELECT and EMBEDDING; false if an index is out of range. */
static bool gather(int64_t axis, const dv_value *x, const dv_value *index, dv_value *out)
{
    size_t rows = 1, inner = 1;
    int64_t size = x->shape.dim[axis];
    for (int64_t d = 0; d < axis; d++)
        rows *= (size_t)x->shape.dim[d];
    for (int64_t d = axis + 1; d < x->shape.rank; d++)
        inner *= (size_t)x->shape.dim[d];
    for (size_t r = 0, e = 0; r < rows && out->count > 0; r++)
        for (size_t i = 0; i < index->count; i++, e += inner) {
            int64_t at = index->cells[i].i;
            if (at < -size || at >= size)
                return false;
            at += at < 0 ? size : 0;
            memcpy(&out->cells[e], &x->cells[(r * (size_t)size + (size_t)at) * inner],
                   inner * sizeof *out->cells);
        }
    return true;
}

static bool gather_elements(int64_t axis, const dv_value *x, const dv_value *wanted, dv_value *out)
{
    int64_t own[DV_MAX_RANK], index[DV_MAX_RANK] = {0}, size = x->shape.dim[axis];
    dv_shape_strides(&x->shape, own);
    for (size_t e = 0; e < out->count; e++) {
        int64_t chosen = wanted->cells[e].i, at = 0;
        if (chosen < -size || chosen >= size)
            return false;
        chosen += chosen < 0 ? size : 0;
        for (uint8_t d = 0; d < x->shape.rank; d++)
            at += (d == axis ? chosen : index[d]) * own[d];
        out->cells[e] = x->cells[at];
        dv_next_index(&out->shape, index);
    }
    return true;
}

static bool pad(const dv_pad_params *p, const dv_value *x, dv_value *out)
{
    int64_t own[DV_MAX_RANK], index[DV_MAX_RANK] = {0};
    dv_cell filler;
    if (p->mode != DV_PAD_CONSTANT || !(p->value > -0x1p62 && p->value < 0x1p62))
        return false;
    if (dv_dtype_is_float(x->dtype))
        filler.f = p->value;
    else
        filler.i = (int64_t)p->value;
    dv_shape_strides(&x->shape, own);
    for (size_t e = 0; e < out->count; e++) {
        int64_t at = 0;
        bool inside = true;
        for (uint8_t d = 0; d < x->shape.rank; d++) {
            int64_t i = index[d] - p->begin[d];
            inside &= i >= 0 && i < x->shape.dim[d];
            at += i * own[d];
        }
        out->cells[e] = inside ? x->cells[at] : filler;
        dv_next_index(&out->shape, index);
    }
    return true;
}

static void triangle(const dv_tri_params *p, const dv_value *x, dv_value *out)
{
    int64_t index[DV_MAX_RANK] = {0};
    uint8_t row = (uint8_t)(x->shape.rank - 2), column = (uint8_t)(x->shape.rank - 1);
    for (size_t e = 0; e < out->count; e++) {
        /* in double: the diagonal comes from the file and may be anything */
        double beyond = (double)index[column] - (double)index[row] - (double)p->diagonal;
        if (p->upper ? beyond >= 0 : beyond <= 0)
            out->cells[e] = x->cells[e];
        else
            memset(&out->cells[e], 0, sizeof *out->cells);
        dv_next_index(&out->shape, index);
    }
}

/* Where the elements are that are not zero, one column each. */
static void nonzero(const dv_value *x, dv_value *out)
{
    int64_t index[DV_MAX_RANK] = {0};
    size_t found = 0, columns = (size_t)out->shape.dim[1];
    bool is_float = dv_dtype_is_float(x->dtype);
    for (size_t e = 0; e < x->count; e++) {
        bool is_zero = is_float ? x->cells[e].f == 0 : x->cells[e].i == 0;
        for (uint8_t d = 0; !is_zero && found < columns && d < x->shape.rank; d++)
            out->cells[d * columns + found].i = index[d];
        found += !is_zero;
        dv_next_index(&x->shape, index);
    }
}

bool dv_evaluate_move(const dv_infer *infer, const dv_value *inputs, uint32_t output, dv_value *out)
{
    const dv_op_params *p = &infer->params;
    switch (infer->kind) {
    case DV_OP_PERMUTE:
        permute(&p->permute, &inputs[0], out);
        return true;
    case DV_OP_EXPAND:
        expand(&inputs[0], out);
        return true;
    case DV_OP_SLICE:
        slice(&p->slice, &inputs[0], out);
        return true;
    case DV_OP_SPLIT:
        split(&p->split, output, &inputs[0], out);
        return true;
    case DV_OP_SELECT:
        select_one(&p->select, &inputs[0], out);
        return true;
    case DV_OP_REPEAT:
        repeat(&inputs[0], out);
        return true;
    case DV_OP_CAT:
        cat(infer, inputs, out);
        return true;
    case DV_OP_INDEX_SELECT:
        return gather(p->axis.axis, &inputs[0], &inputs[1], out);
    case DV_OP_EMBEDDING:
        return gather(0, &inputs[0], &inputs[1], out);
    case DV_OP_GATHER:
        return gather_elements(p->axis.axis, &inputs[0], &inputs[1], out);
    case DV_OP_PAD:
        return pad(&p->pad, &inputs[0], out);
    case DV_OP_NONZERO:
        nonzero(&inputs[0], out);
        return true;
    case DV_OP_TRIL:
        triangle(&p->tri, &inputs[0], out);
        return true;
    default:
        return false;
    }
}
