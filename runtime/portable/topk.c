/* topk.c - the k extremes of every line along an axis, in order. */
#include <math.h>
#include <stdlib.h>

#include "runtime/portable/kernel.h"

typedef struct entry {
    double number;
    int64_t integer, position;
} entry;

/* Equal elements keep their order; NaN counts as the greatest. */
static int by_number(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    if (isnan(a->number) != isnan(b->number))
        return isnan(a->number) ? -1 : 1;
    if (a->number != b->number && !isnan(a->number))
        return a->number > b->number ? -1 : 1;
    if (a->integer != b->integer)
        return a->integer > b->integer ? -1 : 1;
    return a->position < b->position ? -1 : 1;
}

static int by_number_up(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    if (isnan(a->number) != isnan(b->number))
        return isnan(a->number) ? 1 : -1;
    if (a->number != b->number && !isnan(a->number))
        return a->number < b->number ? -1 : 1;
    if (a->integer != b->integer)
        return a->integer < b->integer ? -1 : 1;
    return a->position < b->position ? -1 : 1;
}

static void read_line(const dv_operand *in, size_t first, size_t stride, size_t length, entry *line)
{
    bool floats = dv_dtype_is_float(in->dtype);
    for (size_t i = 0; i < length; i++) {
        size_t at = first + i * stride;
        line[i] = (entry){.position = (int64_t)i};
        if (floats)
            line[i].number = dv_at(in, at);
        else
            dv_load_i64(in, at, 1, 1, &line[i].integer);
    }
}

static void write_line(const dv_kernel_call *call, size_t first, size_t stride, size_t count,
                       const entry *line)
{
    const dv_operand *values = &call->outputs[0], *positions = &call->outputs[1];
    for (size_t i = 0; i < count; i++) {
        size_t at = first + i * stride;
        if (dv_given(values) && dv_dtype_is_float(values->dtype))
            dv_put(values, at, line[i].number);
        else if (dv_given(values))
            dv_store_i64(values, at, 1, 1, &line[i].integer);
        if (call->output_count > 1 && dv_given(positions))
            dv_store_i64(positions, at, 1, 1, &line[i].position);
    }
}

dv_status dv_kernel_topk(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0];
    const dv_topk_params *p = &call->op->params.topk;
    size_t length = (size_t)in->shape.dim[p->axis], k = (size_t)p->k, inner = 1;
    for (int d = (int)p->axis + 1; d < in->shape.rank; d++)
        inner *= (size_t)in->shape.dim[d];
    for (size_t line = 0; in->count && line < in->count / length; line++) {
        entry *entries = call->scratch;
        size_t outer = line / inner, column = line % inner;
        read_line(in, outer * length * inner + column, inner, length, entries);
        qsort(entries, length, sizeof *entries, p->smallest ? by_number_up : by_number);
        write_line(call, outer * k * inner + column, inner, k, entries);
    }
    return DV_OK;
}

size_t dv_scratch_topk(const dv_kernel_call *call)
{
    size_t bytes, length = (size_t)call->inputs[0].shape.dim[call->op->params.topk.axis];
    return dv_mul_size(length, sizeof(entry), &bytes) ? bytes : SIZE_MAX;
}

const char *dv_check_topk(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0];
    const dv_topk_params *p = &call->op->params.topk;
    if (!dv_dtype_is_number(in->dtype) || in->dtype == DV_DTYPE_U64)
        return "topk takes numbers other than u64";
    if (p->axis < 0 || p->axis >= in->shape.rank || p->k < 0 || p->k > in->shape.dim[p->axis])
        return "the axis or k is out of range";
    dv_shape expected = in->shape;
    expected.dim[p->axis] = p->k;
    for (uint32_t i = 0; i < call->output_count; i++) {
        const dv_operand *out = &call->outputs[i];
        dv_dtype dtype = i == 0 ? in->dtype : DV_DTYPE_I64;
        if (i > 1 ||
            (dv_given(out) && (out->dtype != dtype || !dv_shape_equal(&out->shape, &expected))))
            return "topk gives values and i64 positions of k elements";
    }
    return NULL;
}
