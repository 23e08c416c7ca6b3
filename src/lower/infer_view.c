/* infer_view.c - shapes of views, of broadcasting copies, and of the plumbing that computes
   shapes. */
#include <math.h>

#include "lower/evaluate.h"

/* The shape in parameter input 1, if the operator is in source form. */
static dv_status read_shape(dv_infer *infer, const char *what, dv_shape *shape)
{
    int64_t dims[DV_MAX_RANK];
    size_t count;
    if (infer->source->input_count < 2)
        return DV_OK;
    DV_TRY(dv_infer_ints(infer, 1, what, dims, DV_MAX_RANK, &count));
    *shape = dv_shape_make(dims, count);
    if (infer->input_count == 2)
        infer->input_count = 1;
    return DV_OK;
}

static dv_status check_rank(const dv_infer *infer, const dv_shape *shape)
{
    if (shape->rank > DV_MAX_RANK)
        return dv_infer_fail(infer, "a shape of %u dimensions", (unsigned)shape->rank);
    return DV_OK;
}

/* Replaces zeros and the -1 of a target shape. */
static dv_status resolve_view(dv_infer *infer, const dv_shape *x, dv_shape *y)
{
    char xs[DV_SHAPE_TEXT], ys[DV_SHAPE_TEXT];
    size_t have, rest = 1;
    int missing = -1;
    bool ok = dv_shape_elements(x, &have);
    for (uint8_t d = 0; ok && d < y->rank; d++) {
        if (y->dim[d] == 0 && !infer->params.view.allow_zero) {
            ok = d < x->rank;
            y->dim[d] = ok ? x->dim[d] : 0;
        }
        if (y->dim[d] == -1 && missing < 0)
            missing = d;
        else
            ok &= y->dim[d] >= 0 && y->dim[d] <= DV_DIM_LIMIT &&
                  dv_mul_size(rest, (size_t)y->dim[d], &rest);
    }
    if (ok && missing >= 0) {
        ok = rest > 0 && have % rest == 0;
        y->dim[missing] = ok ? (int64_t)(have / rest) : 0;
    } else {
        ok &= have == rest;
    }
    if (!ok)
        return dv_infer_fail(infer, "%s cannot be viewed as %s", dv_shape_text(x, xs),
                             dv_shape_text(&infer->params.view.shape, ys));
    return DV_OK;
}

dv_status dv_infer_view(dv_infer *infer)
{
    dv_view_params *view = &infer->params.view;
    const dv_shape x = infer->shapes[0];
    DV_TRY(read_shape(infer, "target shape", &view->shape));
    DV_TRY(check_rank(infer, &view->shape));
    dv_shape y = view->shape;
    DV_TRY(resolve_view(infer, &x, &y));
    *view = (dv_view_params){.shape = y};
    for (uint8_t d = 0; d < y.rank; d++)
        view->allow_zero |= y.dim[d] == 0; /* or the zero would be read as "copy" */
    infer->shapes[0] = y;
    return DV_OK;
}

dv_status dv_infer_squeeze(dv_infer *infer)
{
    dv_axes_params *axes = &infer->params.axes;
    const dv_shape x = infer->shapes[0];
    size_t count = axes->count;
    if (dv_infer_input(infer, 1))
        DV_TRY(dv_infer_ints(infer, 1, "axes", axes->axes, DV_MAX_RANK, &count));
    if (infer->input_count == 2)
        infer->input_count = 1;
    if (count > DV_MAX_RANK)
        return dv_infer_fail(infer, "it has %zu axes", count);
    if (count == 0)
        for (uint8_t d = 0; d < x.rank; d++)
            if (x.dim[d] == 1)
                axes->axes[count++] = d;
    DV_TRY(dv_infer_axes(infer, axes->axes, count, x.rank));
    axes->count = (uint8_t)count;
    dv_shape y = {0};
    size_t next = 0;
    for (uint8_t d = 0; d < x.rank; d++)
        if (next < count && axes->axes[next] == d) {
            if (x.dim[d] != 1 && !axes->lenient)
                return dv_infer_fail(infer, "dimension %u is %lld, not 1", (unsigned)d,
                                     (long long)x.dim[d]);
            if (x.dim[d] != 1)
                y.dim[y.rank++] = x.dim[d];
            next++;
        } else {
            y.dim[y.rank++] = x.dim[d];
        }
    infer->shapes[0] = y;
    return DV_OK;
}

dv_status dv_infer_unsqueeze(dv_infer *infer)
{
    dv_axes_params *axes = &infer->params.axes;
    const dv_shape x = infer->shapes[0];
    size_t count = axes->count;
    if (dv_infer_input(infer, 1))
        DV_TRY(dv_infer_ints(infer, 1, "axes", axes->axes, DV_MAX_RANK, &count));
    if (infer->input_count == 2)
        infer->input_count = 1;
    if (count + x.rank > DV_MAX_RANK)
        return dv_infer_fail(infer, "its output would have more than %d dimensions", DV_MAX_RANK);
    DV_TRY(dv_infer_axes(infer, axes->axes, count, (int64_t)count + x.rank));
    axes->count = (uint8_t)count;
    dv_shape y = {.rank = (uint8_t)(count + x.rank)};
    uint8_t next = 0, from = 0;
    for (uint8_t d = 0; d < y.rank; d++) {
        bool fresh = next < count && axes->axes[next] == d;
        next = (uint8_t)(next + fresh);
        y.dim[d] = fresh ? 1 : x.dim[from++];
    }
    infer->shapes[0] = y;
    return DV_OK;
}

dv_status dv_infer_flatten(dv_infer *infer)
{
    int64_t *axis = &infer->params.axis.axis;
    const dv_shape x = infer->shapes[0];
    if (*axis != x.rank) /* flattening may also put all dims in front */
        DV_TRY(dv_infer_axis(infer, axis, x.rank));
    dv_shape y = {.rank = 2, .dim = {1, 1}};
    for (uint8_t d = 0; d < x.rank; d++) {
        y.dim[d >= *axis] *= x.dim[d]; /* no overflow: x was checked as a whole */
        if (y.dim[d >= *axis] > DV_DIM_LIMIT)
            return dv_infer_fail(infer, "its output would be too large");
    }
    infer->shapes[0] = y;
    return DV_OK;
}

dv_status dv_infer_expand(dv_infer *infer)
{
    dv_view_params *view = &infer->params.view;
    const dv_shape x = infer->shapes[0];
    char xs[DV_SHAPE_TEXT], ys[DV_SHAPE_TEXT];
    DV_TRY(read_shape(infer, "target shape", &view->shape));
    DV_TRY(check_rank(infer, &view->shape));
    for (uint8_t d = 0; d < view->shape.rank; d++)
        if (view->shape.dim[d] == -1) /* as torch: the dim as it is */
            view->shape.dim[d] = 1;
    dv_shape y;
    if (!dv_shape_broadcast(&x, &view->shape, &y))
        return dv_infer_fail(infer, "%s cannot be expanded to %s", dv_shape_text(&x, xs),
                             dv_shape_text(&view->shape, ys));
    *view = (dv_view_params){.shape = y};
    infer->shapes[0] = y;
    return DV_OK;
}

dv_status dv_infer_repeat(dv_infer *infer)
{
    dv_view_params *view = &infer->params.view;
    const dv_shape x = infer->shapes[0];
    DV_TRY(read_shape(infer, "repeats", &view->shape));
    DV_TRY(check_rank(infer, &view->shape));
    if (view->shape.rank < x.rank)
        return dv_infer_fail(infer, "%u repeats for %u dimensions", (unsigned)view->shape.rank,
                             (unsigned)x.rank);
    dv_shape y = view->shape;
    for (uint8_t d = 0; d < y.rank; d++) {
        if (y.dim[d] < 0 || y.dim[d] > DV_DIM_LIMIT)
            return dv_infer_fail(infer, "%lld repeats", (long long)y.dim[d]);
        int lead = y.rank - x.rank;
        y.dim[d] *= d >= lead ? x.dim[d - lead] : 1;
    }
    infer->shapes[0] = y;
    return DV_OK;
}

dv_status dv_infer_shape(dv_infer *infer)
{
    dv_slice_params *slice = &infer->params.slice;
    int64_t rank = infer->shapes[0].rank, begin = 0, end = rank;
    if (slice->count > 0) {
        begin = slice->begin[0] < 0 ? slice->begin[0] + rank : slice->begin[0];
        end = slice->end[0] < 0 ? slice->end[0] + rank : slice->end[0];
    }
    begin = begin < 0 ? 0 : begin > rank ? rank : begin;
    end = end < begin ? begin : end > rank ? rank : end;
    *slice = (dv_slice_params){.count = 1, .begin = {begin}, .end = {end}, .step = {1}};
    infer->shapes[0] = (dv_shape){.rank = 1, .dim = {end - begin}};
    infer->dtypes[0] = DV_DTYPE_I64;
    return DV_OK;
}

dv_status dv_infer_numel(dv_infer *infer)
{
    infer->shapes[0] = (dv_shape){0};
    infer->dtypes[0] = DV_DTYPE_I64;
    return DV_OK;
}

dv_status dv_infer_full(dv_infer *infer)
{
    dv_full_params *full = &infer->params.full;
    int64_t dims[DV_MAX_RANK];
    size_t count;
    if (infer->input_count > 0) {
        DV_TRY(dv_infer_ints(infer, 0, "shape", dims, DV_MAX_RANK, &count));
        full->shape = dv_shape_make(dims, count);
    }
    if (infer->input_count == 1)
        infer->input_count = 0;
    DV_TRY(check_rank(infer, &full->shape));
    for (uint8_t d = 0; d < full->shape.rank; d++)
        if (full->shape.dim[d] < 0)
            return dv_infer_fail(infer, "a dimension of %lld", (long long)full->shape.dim[d]);
    if (full->dtype <= DV_DTYPE_NONE || full->dtype >= DV_DTYPE_STRING)
        return dv_infer_fail(infer, "its element type is not supported");
    infer->shapes[0] = full->shape;
    infer->dtypes[0] = full->dtype;
    return DV_OK;
}

dv_status dv_infer_arange(dv_infer *infer)
{
    static const char *const names[] = {"start", "limit", "step"};
    double value[3];
    if (infer->input_count != 3 || !dv_infer_input(infer, 0))
        return dv_infer_fail(infer, "it needs a start, a limit and a step");
    for (uint32_t i = 0; i < 3; i++)
        if (dv_dtype_is_float(infer->dtypes[0])) {
            DV_TRY(dv_infer_float(infer, i, names[i], &value[i]));
        } else {
            int64_t integer = 0;
            size_t count;
            DV_TRY(dv_infer_ints(infer, i, names[i], &integer, 1, &count));
            if (count != 1)
                return dv_infer_fail(infer, "its %s must be one number", names[i]);
            value[i] = (double)integer;
        }
    double steps = ceil((value[1] - value[0]) / value[2]);
    if (value[2] == 0 || !(steps <= (double)DV_RANGE_LIMIT))
        return dv_infer_fail(infer, "a range from %g to %g by %g is none, or too long", value[0],
                             value[1], value[2]);
    infer->shapes[0] = (dv_shape){.rank = 1, .dim = {steps > 0 ? (int64_t)steps : 0}};
    infer->input_count = 0; /* dv_fold, which always follows, still finds them */
    return DV_OK;
}
