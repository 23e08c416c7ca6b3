/* infer_index.c - shapes of writes by index, of tuples of indices, and of orders. */
#include "lower/infer.h"

static dv_status check_index(const dv_infer *infer)
{
    dv_dtype dtype = dv_infer_input(infer, 1)->dtype;
    if (dtype != DV_DTYPE_I64 && dtype != DV_DTYPE_I32)
        return dv_infer_fail(infer, "its indices are %s, not integers", dv_dtype_name(dtype));
    return DV_OK;
}

dv_status dv_infer_topk(dv_infer *infer)
{
    dv_topk_params *topk = &infer->params.topk;
    size_t count;
    if (dv_infer_input(infer, 1)) {
        DV_TRY(dv_infer_ints(infer, 1, "k", &topk->k, 1, &count));
        if (count != 1)
            return dv_infer_fail(infer, "its k must be one number");
    }
    if (infer->input_count == 2)
        infer->input_count = 1;
    dv_shape *y = &infer->shapes[0];
    DV_TRY(dv_infer_axis(infer, &topk->axis, y->rank));
    if (topk->k < 0 || topk->k > y->dim[topk->axis])
        return dv_infer_fail(infer, "k is %lld, of %lld elements", (long long)topk->k,
                             (long long)y->dim[topk->axis]);
    y->dim[topk->axis] = topk->k;
    if (infer->output_count > 1) {
        infer->known_outputs = 2;
        infer->shapes[1] = *y;
        infer->dtypes[1] = DV_DTYPE_I64;
    }
    return DV_OK;
}

/* The dims that tuples of `depth` indices leave: those of the tuples, then of x from `from` on. */
static dv_status indexed(const dv_infer *infer, const dv_shape *index, const dv_shape *x,
                         int64_t from, dv_shape *out)
{
    *out = *index;
    out->rank--;
    if (out->rank + x->rank - from > DV_MAX_RANK)
        return dv_infer_fail(infer, "its output would have more than %d dimensions", DV_MAX_RANK);
    for (int64_t d = from; d < x->rank; d++)
        out->dim[out->rank++] = x->dim[d];
    return DV_OK;
}

dv_status dv_infer_gather_nd(dv_infer *infer)
{
    const dv_shape x = infer->shapes[0], index = dv_infer_input(infer, 1)->shape;
    int64_t batch = infer->params.axis.axis;
    char as[DV_SHAPE_TEXT], bs[DV_SHAPE_TEXT];
    DV_TRY(check_index(infer));
    int64_t depth = index.rank ? index.dim[index.rank - 1] : 0;
    bool match = index.rank >= 1 && batch >= 0 && batch < index.rank && depth <= x.rank &&
                 batch + depth <= x.rank;
    for (int64_t d = 0; match && d < batch; d++)
        match = x.dim[d] == index.dim[d];
    if (!match)
        return dv_infer_fail(infer, "inputs %s and %s do not match", dv_shape_text(&x, as),
                             dv_shape_text(&index, bs));
    return indexed(infer, &index, &x, batch + depth, &infer->shapes[0]);
}

dv_status dv_infer_scatter(dv_infer *infer)
{
    const dv_shape *x = &infer->shapes[0], *index = &dv_infer_input(infer, 1)->shape;
    const dv_tensor *updates = dv_infer_input(infer, 2);
    char as[DV_SHAPE_TEXT], bs[DV_SHAPE_TEXT];
    DV_TRY(check_index(infer));
    DV_TRY(dv_infer_axis(infer, &infer->params.scatter.axis, x->rank));
    bool match = x->rank == index->rank && dv_shape_equal(index, &updates->shape) &&
                 updates->dtype == infer->dtypes[0];
    for (uint8_t d = 0; match && d < x->rank; d++)
        match = d == infer->params.scatter.axis || index->dim[d] <= x->dim[d];
    if (!match)
        return dv_infer_fail(infer, "inputs %s and %s do not match", dv_shape_text(x, as),
                             dv_shape_text(index, bs));
    return DV_OK;
}

dv_status dv_infer_scatter_nd(dv_infer *infer)
{
    const dv_shape *x = &infer->shapes[0], *index = &dv_infer_input(infer, 1)->shape;
    const dv_tensor *updates = dv_infer_input(infer, 2);
    char as[DV_SHAPE_TEXT], bs[DV_SHAPE_TEXT];
    dv_shape expected;
    DV_TRY(check_index(infer));
    if (index->rank < 1 || index->dim[index->rank - 1] > x->rank)
        return dv_infer_fail(infer, "inputs %s and %s do not match", dv_shape_text(x, as),
                             dv_shape_text(index, bs));
    DV_TRY(indexed(infer, index, x, index->dim[index->rank - 1], &expected));
    if (!dv_shape_equal(&expected, &updates->shape) || updates->dtype != infer->dtypes[0])
        return dv_infer_fail(infer, "its updates are %s, expected %s",
                             dv_shape_text(&updates->shape, as), dv_shape_text(&expected, bs));
    return DV_OK;
}

dv_status dv_infer_pixel_unshuffle(dv_infer *infer)
{
    int64_t block = infer->params.shuffle.block;
    dv_shape *y = &infer->shapes[0];
    char text[DV_SHAPE_TEXT];
    if (y->rank != 4 || block < 1 || block > 1 << 15 || y->dim[2] % block || y->dim[3] % block ||
        y->dim[1] > DV_DIM_LIMIT)
        return dv_infer_fail(infer, "blocks of %lld do not divide the image %s", (long long)block,
                             dv_shape_text(y, text));
    y->dim[1] *= block * block;
    y->dim[2] /= block;
    y->dim[3] /= block;
    return DV_OK;
}
