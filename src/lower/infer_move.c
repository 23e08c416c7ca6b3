/* infer_move.c - shapes of operators that move elements without changing them, but for views. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lower/infer.h"

dv_status dv_infer_permute(dv_infer *infer)
{
    dv_permute_params *permute = &infer->params.permute;
    const dv_shape x = infer->shapes[0];
    if (permute->rank == 0) {
        permute->rank = x.rank;
        for (uint8_t d = 0; d < x.rank; d++)
            permute->perm[d] = (uint8_t)(x.rank - 1 - d);
    }
    unsigned seen = 0;
    for (uint8_t d = 0; d < permute->rank && d < x.rank; d++)
        seen |= permute->perm[d] < x.rank ? 1u << permute->perm[d] : 0;
    if (permute->rank != x.rank || seen + 1 != 1u << x.rank)
        return dv_infer_fail(infer, "it is no permutation of %u dimensions", (unsigned)x.rank);
    for (uint8_t d = 0; d < x.rank; d++)
        infer->shapes[0].dim[d] = x.dim[permute->perm[d]];
    return DV_OK;
}

dv_status dv_infer_cat(dv_infer *infer)
{
    int64_t *axis = &infer->params.axis.axis;
    dv_shape y = infer->shapes[0];
    char as[DV_SHAPE_TEXT], bs[DV_SHAPE_TEXT];
    DV_TRY(dv_infer_axis(infer, axis, y.rank));
    for (uint32_t i = 1; i < infer->input_count; i++) {
        const dv_tensor *next = dv_infer_input(infer, i);
        if (!next)
            return dv_infer_fail(infer, "input %u is missing", i + 1);
        bool match = next->shape.rank == y.rank && next->dtype == infer->dtypes[0];
        for (uint8_t d = 0; match && d < y.rank; d++)
            match = d == *axis || next->shape.dim[d] == y.dim[d];
        if (!match)
            return dv_infer_fail(infer, "inputs %s and %s do not match along axis %lld",
                                 dv_shape_text(&y, as), dv_shape_text(&next->shape, bs),
                                 (long long)*axis);
        y.dim[*axis] += next->shape.dim[*axis];
        if (y.dim[*axis] > DV_DIM_LIMIT)
            return dv_infer_fail(infer, "its output would be too large");
    }
    infer->shapes[0] = y;
    return DV_OK;
}

/* Equal parts; where they cannot be equal, the last is smaller (ONNX's num_outputs). */
static int64_t equal_part(int64_t size, uint32_t parts, uint32_t i)
{
    int64_t part = (size + parts - 1) / parts, begin = part * i;
    return begin >= size ? 0 : begin + part > size ? size - begin : part;
}

dv_status dv_infer_split(dv_infer *infer)
{
    dv_split_params *split = &infer->params.split;
    const dv_shape x = infer->shapes[0];
    uint32_t count = infer->output_count;
    DV_TRY(dv_infer_axis(infer, &split->axis, x.rank));
    int64_t *sizes = dv_arena_array(dv_graph_arena(infer->rewrite->to), count, sizeof *sizes);
    if (!sizes)
        return dv_fail(DV_NO_MEMORY, "out of memory while inferring shapes");
    size_t given = split->count;
    if (dv_infer_input(infer, 1))
        DV_TRY(dv_infer_ints(infer, 1, "sizes", sizes, count, &given));
    else if (split->count == count)
        memcpy(sizes, split->sizes, count * sizeof *sizes);
    if (infer->input_count == 2)
        infer->input_count = 1;
    if (given != 0 && given != count)
        return dv_infer_fail(infer, "%zu sizes for %u outputs", given, count);
    int64_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (given == 0)
            sizes[i] = equal_part(x.dim[split->axis], count, i);
        if (sizes[i] < 0 || sizes[i] > x.dim[split->axis] - total)
            return dv_infer_fail(infer, "its parts do not add up to %lld",
                                 (long long)x.dim[split->axis]);
        total += sizes[i];
        infer->shapes[i] = x;
        infer->shapes[i].dim[split->axis] = sizes[i];
        infer->dtypes[i] = infer->dtypes[0];
    }
    if (total != x.dim[split->axis])
        return dv_infer_fail(infer, "its parts add up to %lld, not %lld", (long long)total,
                             (long long)x.dim[split->axis]);
    split->count = count;
    split->sizes = sizes;
    infer->known_outputs = count;
    return DV_OK;
}

/* Reads begins, ends, axes and steps from inputs 1 to 4 into *slice. */
static dv_status read_slice(dv_infer *infer, dv_slice_params *slice)
{
    size_t count, others;
    DV_TRY(dv_infer_ints(infer, 1, "begins", slice->begin, DV_MAX_RANK, &count));
    DV_TRY(dv_infer_ints(infer, 2, "ends", slice->end, DV_MAX_RANK, &others));
    bool match = others == count;
    for (size_t i = 0; i < count; i++) {
        slice->axes[i] = (int64_t)i;
        slice->step[i] = 1;
    }
    if (dv_infer_input(infer, 3)) {
        DV_TRY(dv_infer_ints(infer, 3, "axes", slice->axes, DV_MAX_RANK, &others));
        match &= others == count;
    }
    if (dv_infer_input(infer, 4)) {
        DV_TRY(dv_infer_ints(infer, 4, "steps", slice->step, DV_MAX_RANK, &others));
        match &= others == count;
    }
    if (!match)
        return dv_infer_fail(infer, "its begins, ends, axes and steps differ in number");
    slice->count = (uint8_t)count;
    if (infer->input_count <= 5)
        infer->input_count = 1;
    return DV_OK;
}

static int64_t clamped(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Begin and end of one dim as core form has them; returns how many elements are taken. `ready`: an
   end of -1 with a negative step already means "through index 0". */
static int64_t slice_dim(int64_t size, int64_t *begin, int64_t *end, int64_t step, bool ready)
{
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
    if (*begin < 0)
        *begin = *begin < -size ? low : *begin + size;
    if (*end < 0 && !(ready && step < 0 && *end == -1))
        *end = *end < -size ? low : *end + size;
    *begin = clamped(*begin, low, high);
    *end = clamped(*end, low, high);
    int64_t span = step > 0 ? *end - *begin : *begin - *end;
    if (span <= 0) {
        *begin = *end = 0;
        return 0;
    }
    uint64_t width = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    return (int64_t)(((uint64_t)span - 1) / width) + 1;
}

dv_status dv_infer_slice(dv_infer *infer)
{
    dv_slice_params given = infer->params.slice, *core = &infer->params.slice;
    const dv_shape x = infer->shapes[0];
    if (infer->input_count > 1)
        DV_TRY(read_slice(infer, &given));
    if (given.count > DV_MAX_RANK)
        return dv_infer_fail(infer, "it has %u axes", (unsigned)given.count);
    bool ready = infer->source->input_count == 1 && given.count == x.rank;
    for (uint8_t i = 0; i < given.count; i++)
        ready &= given.axes[i] == i;
    *core = (dv_slice_params){.count = x.rank};
    for (uint8_t d = 0; d < x.rank; d++) {
        core->axes[d] = d;
        core->end[d] = x.dim[d];
        core->step[d] = 1;
    }
    unsigned seen = 0;
    for (uint8_t i = 0; i < given.count; i++) {
        DV_TRY(dv_infer_axis(infer, &given.axes[i], x.rank));
        int64_t axis = given.axes[i];
        if (seen & 1u << axis)
            return dv_infer_fail(infer, "axis %lld is given twice", (long long)axis);
        seen |= 1u << axis;
        if (given.step[i] == 0)
            return dv_infer_fail(infer, "a step of 0");
        core->begin[axis] = given.begin[i];
        core->end[axis] = given.end[i];
        core->step[axis] = given.step[i];
        infer->shapes[0].dim[axis] =
            slice_dim(x.dim[axis], &core->begin[axis], &core->end[axis], core->step[axis], ready);
    }
    return DV_OK;
}

dv_status dv_infer_select(dv_infer *infer)
{
    dv_select_params *select = &infer->params.select;
    dv_shape *y = &infer->shapes[0];
    DV_TRY(dv_infer_axis(infer, &select->axis, y->rank));
    int64_t size = y->dim[select->axis];
    if (select->index < -size || select->index >= size)
        return dv_infer_fail(infer, "index %lld is out of range for %lld elements",
                             (long long)select->index, (long long)size);
    if (select->index < 0)
        select->index += size;
    for (int64_t d = select->axis; d + 1 < y->rank; d++)
        y->dim[d] = y->dim[d + 1];
    y->rank--;
    return DV_OK;
}

/* Reads pads, value and axes from inputs 1 to 3 into the parameters. */
static dv_status read_pad(dv_infer *infer, uint8_t rank)
{
    dv_pad_params *pad = &infer->params.pad;
    int64_t pads[2 * DV_MAX_RANK], axes[DV_MAX_RANK];
    size_t count, axis_count = rank;
    DV_TRY(dv_infer_ints(infer, 1, "pads", pads, 2 * DV_MAX_RANK, &count));
    if (dv_infer_input(infer, 2))
        DV_TRY(dv_infer_float(infer, 2, "value", &pad->value));
    for (uint8_t d = 0; d < rank; d++)
        axes[d] = d;
    if (dv_infer_input(infer, 3))
        DV_TRY(dv_infer_ints(infer, 3, "axes", axes, DV_MAX_RANK, &axis_count));
    if (count != 2 * axis_count)
        return dv_infer_fail(infer, "%zu pads for %zu dimensions", count, axis_count);
    memset(pad->begin, 0, sizeof pad->begin);
    memset(pad->end, 0, sizeof pad->end);
    for (size_t i = 0; i < axis_count; i++) {
        DV_TRY(dv_infer_axis(infer, &axes[i], rank));
        pad->begin[axes[i]] = pads[i];
        pad->end[axes[i]] = pads[axis_count + i];
    }
    pad->rank = rank;
    if (infer->input_count <= 4)
        infer->input_count = 1;
    return DV_OK;
}

dv_status dv_infer_pad(dv_infer *infer)
{
    dv_pad_params *pad = &infer->params.pad;
    dv_shape *y = &infer->shapes[0];
    if (infer->input_count > 1)
        DV_TRY(read_pad(infer, y->rank));
    if (pad->rank != y->rank)
        return dv_infer_fail(infer, "it pads %u dimensions of %u", (unsigned)pad->rank,
                             (unsigned)y->rank);
    for (uint8_t d = 0; d < y->rank; d++) {
        int64_t begin = pad->begin[d], end = pad->end[d], size = y->dim[d];
        if (begin > DV_DIM_LIMIT || begin < -DV_DIM_LIMIT || end > DV_DIM_LIMIT ||
            end < -DV_DIM_LIMIT || size + begin + end < 0 || size + begin < 0 || size + end < 0)
            return dv_infer_fail(infer, "pads of %lld and %lld around %lld elements",
                                 (long long)begin, (long long)end, (long long)size);
        if ((pad->mode == DV_PAD_REFLECT && (begin >= size || end >= size) && (begin || end)) ||
            ((pad->mode == DV_PAD_EDGE || pad->mode == DV_PAD_WRAP) && size == 0 &&
             begin + end > 0))
            return dv_infer_fail(infer, "%lld elements cannot be continued by %lld",
                                 (long long)size, (long long)(begin > end ? begin : end));
        y->dim[d] = size + begin + end;
    }
    return DV_OK;
}

static dv_status check_index(const dv_infer *infer, uint32_t i)
{
    const dv_tensor *index = dv_infer_input(infer, i);
    if (index->dtype != DV_DTYPE_I64 && index->dtype != DV_DTYPE_I32)
        return dv_infer_fail(infer, "its indices are %s, not integers",
                             dv_dtype_name(index->dtype));
    return DV_OK;
}

/* The dims of x before axis, those of the index, those of x behind axis. */
static dv_status gathered(dv_infer *infer, const dv_shape *x, int64_t axis, const dv_shape *index)
{
    if (x->rank - 1 + index->rank > DV_MAX_RANK)
        return dv_infer_fail(infer, "its output would have more than %d dimensions", DV_MAX_RANK);
    dv_shape y = {0};
    for (int64_t d = 0; d < axis; d++)
        y.dim[y.rank++] = x->dim[d];
    for (uint8_t d = 0; d < index->rank; d++)
        y.dim[y.rank++] = index->dim[d];
    for (int64_t d = axis + 1; d < x->rank; d++)
        y.dim[y.rank++] = x->dim[d];
    infer->shapes[0] = y;
    return DV_OK;
}

dv_status dv_infer_gather(dv_infer *infer)
{
    const dv_shape x = infer->shapes[0];
    DV_TRY(check_index(infer, 1));
    DV_TRY(dv_infer_axis(infer, &infer->params.axis.axis, x.rank));
    return gathered(infer, &x, infer->params.axis.axis, &dv_infer_input(infer, 1)->shape);
}

dv_status dv_infer_embedding(dv_infer *infer)
{
    const dv_shape x = infer->shapes[0];
    char text[DV_SHAPE_TEXT];
    DV_TRY(check_index(infer, 1));
    if (x.rank != 2)
        return dv_infer_fail(infer, "its table is %s, not a matrix", dv_shape_text(&x, text));
    return gathered(infer, &x, 0, &dv_infer_input(infer, 1)->shape);
}

dv_status dv_infer_gather_elements(dv_infer *infer)
{
    const dv_shape x = infer->shapes[0], index = dv_infer_input(infer, 1)->shape;
    char as[DV_SHAPE_TEXT], bs[DV_SHAPE_TEXT];
    DV_TRY(check_index(infer, 1));
    DV_TRY(dv_infer_axis(infer, &infer->params.axis.axis, x.rank));
    bool match = x.rank == index.rank;
    for (uint8_t d = 0; match && d < x.rank; d++)
        match = d == infer->params.axis.axis || index.dim[d] <= x.dim[d];
    if (!match)
        return dv_infer_fail(infer, "inputs %s and %s do not match", dv_shape_text(&x, as),
                             dv_shape_text(&index, bs));
    infer->shapes[0] = index;
    return DV_OK;
}

dv_status dv_infer_pixel_shuffle(dv_infer *infer)
{
    int64_t block = infer->params.shuffle.block;
    dv_shape *y = &infer->shapes[0];
    char text[DV_SHAPE_TEXT];
    if (y->rank != 4 || block < 1 || block > 1 << 15 || y->dim[1] % (block * block) != 0)
        return dv_infer_fail(infer, "blocks of %lld do not divide the channels of %s",
                             (long long)block, dv_shape_text(y, text));
    y->dim[1] /= block * block;
    y->dim[2] *= block;
    y->dim[3] *= block;
    return DV_OK;
}
