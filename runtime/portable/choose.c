/* choose.c - results whose length the values decide, in as many rows as the plan has for them.

   What there is too much of is left out; where there is too little, the last row stands again
   (zeros if there is none): an index that was found before reads and writes nothing that it would
   not. */
#include <string.h>

#include "core/boxes.h"
#include "core/slices.h"
#include "runtime/portable/kernel.h"

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Says how many rows there were; those that there is room for. */
static size_t note_found(const dv_kernel_call *call, size_t found, size_t rows)
{
    if (call->found)
        *call->found = found;
    return least(found, rows);
}

static void *after(void *start, size_t count, size_t size)
{
    return (char *)start + count * size;
}

/* ---- nonzero: [rank, rows] ---- */

dv_status dv_kernel_nonzero(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    size_t rows = (size_t)out->shape.dim[1], found = 0;
    int64_t *places = out->data;
    bool floats = dv_dtype_is_float(in->dtype);
    for (size_t first = 0; first < in->count; first += DV_BLOCK) {
        double numbers[DV_BLOCK];
        int64_t integers[DV_BLOCK];
        size_t count = least(in->count - first, DV_BLOCK);
        if (floats)
            dv_load_f64(in, first, 1, count, numbers);
        else
            dv_load_i64(in, first, 1, count, integers);
        for (size_t i = 0; i < count; i++) {
            if (floats ? numbers[i] == 0 : integers[i] == 0)
                continue;
            size_t rest = first + i;
            for (int d = in->shape.rank - 1; found < rows && d >= 0; d--) {
                size_t length = (size_t)in->shape.dim[d];
                places[(size_t)d * rows + found] = (int64_t)(rest % length);
                rest /= length;
            }
            found++;
        }
    }
    size_t there = note_found(call, found, rows);
    for (uint8_t d = 0; d < in->shape.rank; d++)
        for (size_t i = there; i < rows; i++)
            places[d * rows + i] = there ? places[d * rows + there - 1] : 0;
    return DV_OK;
}

const char *dv_check_nonzero(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    if (!dv_dtype_is_number(in->dtype))
        return "nonzero takes numbers";
    if (call->output_count != 1 || out->dtype != DV_DTYPE_I64 || out->shape.rank != 2 ||
        out->shape.dim[0] != in->shape.rank)
        return "nonzero gives i64 coordinates";
    return NULL;
}

/* ---- unique: the groups, where each is first, which one each slice is in, how many in each ----
 */

static dv_slices slices_of(const dv_kernel_call *call)
{
    return dv_slices_of(&call->op->params.unique, &call->inputs[0].shape, call->inputs[0].count);
}

static void put_integer(const dv_operand *out, size_t at, size_t value)
{
    int64_t number = (int64_t)value;
    dv_store_i64(out, at, 1, 1, &number);
}

/* Row `row` of the results is a group. */
static void put_group(const dv_kernel_call *call, const dv_slices *s, const dv_group *group,
                      size_t row)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    size_t rows = (size_t)call->op->params.unique.rows, size = dv_dtype_bytes(in->dtype);
    for (size_t o = 0; dv_given(out) && o < s->outer; o++)
        memcpy((char *)out->data + (o * rows + row) * s->inner * size,
               (const char *)in->data + (o * s->n + group->first) * s->inner * size,
               s->inner * size);
    if (call->output_count > 1 && dv_given(&call->outputs[1]))
        put_integer(&call->outputs[1], row, group->first);
    if (call->output_count > 3 && dv_given(&call->outputs[3]))
        put_integer(&call->outputs[3], row, group->members);
}

dv_status dv_kernel_unique(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0];
    dv_slices s = slices_of(call);
    size_t rows = (size_t)call->op->params.unique.rows;
    if (s.n == 0) { /* no scratch either */
        (void)note_found(call, 0, rows);
        return DV_OK;
    }
    dv_group *groups = call->scratch;
    size_t *of = after(groups, s.n, sizeof *groups), *order = after(of, s.n, sizeof *of);
    void *elements = after(order, s.n, sizeof *order);
    if (dv_dtype_is_float(in->dtype)) {
        dv_load_f64(in, 0, 1, in->count, elements);
        s.floats = elements;
    } else {
        dv_load_i64(in, 0, 1, in->count, elements);
        s.integers = elements;
    }
    size_t found = dv_slices_group(&s, call->op->params.unique.sorted, groups, of, order);
    size_t there = note_found(call, found, rows);
    for (size_t i = 0; call->output_count > 2 && dv_given(&call->outputs[2]) && i < s.n; i++)
        put_integer(&call->outputs[2], i, rows ? least(of[i], rows - 1) : 0);
    for (size_t row = 0; row < rows; row++)
        put_group(call, &s, &groups[least(row, there - 1)], row);
    return DV_OK;
}

size_t dv_scratch_unique(const dv_kernel_call *call)
{
    size_t each = sizeof(dv_group) + 2 * sizeof(size_t), slices, elements, bytes;
    return dv_mul_size(slices_of(call).n, each, &slices) &&
                   dv_mul_size(call->inputs[0].count, sizeof(double), &elements) &&
                   dv_add_size(slices, elements, &bytes)
               ? bytes
               : SIZE_MAX;
}

const char *dv_check_unique(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0];
    const dv_unique_params *p = &call->op->params.unique;
    if (!dv_dtype_is_number(in->dtype) || in->dtype == DV_DTYPE_U64)
        return "unique takes numbers other than u64";
    if (!p->flat && (p->axis < 0 || p->axis >= in->shape.rank))
        return "the axis is out of range";
    int64_t n = p->flat ? (int64_t)in->count : in->shape.dim[p->axis];
    if (p->rows < 0 || p->rows > n || call->output_count > 4)
        return "there are more rows than slices, or more than four results";
    dv_shape expected = in->shape;
    if (p->flat)
        expected.rank = 1;
    expected.dim[p->flat ? 0 : p->axis] = p->rows;
    for (uint32_t i = 0; i < call->output_count; i++) {
        const dv_operand *out = &call->outputs[i];
        dv_shape list = {.rank = 1, .dim = {i == 2 ? n : p->rows}};
        if (dv_given(out) && (out->dtype != (i == 0 ? in->dtype : DV_DTYPE_I64) ||
                              !dv_shape_equal(&out->shape, i == 0 ? &expected : &list)))
            return "unique gives slices, and i64 places and counts";
    }
    return NULL;
}

/* ---- non-maximum suppression: [rows, 3] ---- */

dv_status dv_kernel_nms(const dv_kernel_call *call)
{
    const dv_operand *corners = &call->inputs[0], *scores = &call->inputs[1];
    const dv_operand *out = &call->outputs[0];
    size_t rows = (size_t)out->shape.dim[0];
    int64_t *kept = out->data;
    double *numbers = call->scratch, *score = numbers + corners->count;
    dv_load_f64(corners, 0, 1, corners->count, numbers);
    dv_load_f64(scores, 0, 1, scores->count, score);
    dv_boxes boxes = {(size_t)scores->shape.dim[0], (size_t)scores->shape.dim[1],
                      (size_t)scores->shape.dim[2], numbers, score};
    void *scratch = score + scores->count;
    size_t found = dv_boxes_keep(&call->op->params.nms, &boxes, scratch, rows, kept);
    size_t there = note_found(call, found, rows);
    for (size_t row = there; row < rows; row++)
        for (size_t i = 0; i < 3; i++)
            kept[3 * row + i] = there ? kept[3 * (there - 1) + i] : 0;
    return DV_OK;
}

size_t dv_scratch_nms(const dv_kernel_call *call)
{
    size_t numbers, bytes, order, total, boxes = (size_t)call->inputs[1].shape.dim[2];
    return dv_add_size(call->inputs[0].count, call->inputs[1].count, &numbers) &&
                   dv_mul_size(numbers, sizeof(double), &bytes) &&
                   dv_mul_size(boxes, 2 * sizeof(size_t), &order) &&
                   dv_add_size(bytes, order, &total)
               ? total
               : SIZE_MAX;
}

const char *dv_check_nms(const dv_kernel_call *call)
{
    const dv_operand *corners = &call->inputs[0], *scores = &call->inputs[1];
    const dv_operand *out = &call->outputs[0];
    if (!dv_dtype_is_float(corners->dtype) || !dv_dtype_is_float(scores->dtype))
        return "boxes and scores must be floats";
    if (corners->shape.rank != 3 || scores->shape.rank != 3 || corners->shape.dim[2] != 4 ||
        corners->shape.dim[0] != scores->shape.dim[0] ||
        corners->shape.dim[1] != scores->shape.dim[2])
        return "boxes and scores do not match";
    if (call->output_count != 1 || out->dtype != DV_DTYPE_I64 || out->shape.rank != 2 ||
        out->shape.dim[1] != 3)
        return "it gives rows of three i64";
    return NULL;
}
