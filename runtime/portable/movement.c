/* movement.c - kernels that only move elements: each is a copy through strides, whatever the
   dtype. */
#include <string.h>

#include "runtime/portable/kernel.h"

/* Copies rank dims, element [i...] at to + sum(i * to_stride) from from + sum(i * from_stride). */
static void copy_strided(size_t size, size_t rank, const int64_t *dim, char *to,
                         const ptrdiff_t *to_stride, const char *from, const ptrdiff_t *from_stride)
{
    ptrdiff_t stride[2][DV_WALK_RANK];
    memcpy(stride[0], to_stride, rank * sizeof stride[0][0]);
    memcpy(stride[1], from_stride, rank * sizeof stride[1][0]);
    dv_walk walk;
    dv_walk_start(&walk, rank, dim, 2, stride);
    dv_copy_walk(&walk, size, to, from);
}

static size_t size_of(const dv_kernel_call *call)
{
    return dv_dtype_bytes(call->inputs[0].dtype);
}

static const char *check_types(const dv_kernel_call *call)
{
    return dv_dtype_is_number(call->inputs[0].dtype) && dv_same_dtype(call)
               ? NULL
               : "input and output differ in type";
}

static const char *check_shape(const dv_kernel_call *call, const dv_shape *expected)
{
    return dv_shape_equal(expected, &call->outputs[0].shape)
               ? NULL
               : "the output's shape does not follow from the input's";
}

dv_status dv_kernel_copy(const dv_kernel_call *call)
{
    size_t bytes = call->inputs[0].count * size_of(call);
    if (bytes > 0)
        memcpy(call->outputs[0].data, call->inputs[0].data, bytes);
    return DV_OK;
}

dv_status dv_kernel_permute(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    ptrdiff_t in_stride[DV_MAX_RANK], to[DV_MAX_RANK], from[DV_MAX_RANK];
    dv_strides(&in->shape, in_stride);
    dv_strides(&out->shape, to);
    for (int d = 0; d < out->shape.rank; d++)
        from[d] = in_stride[call->op->params.permute.perm[d]];
    copy_strided(size_of(call), out->shape.rank, out->shape.dim, out->data, to, in->data, from);
    return DV_OK;
}

const char *dv_check_permute(const dv_kernel_call *call)
{
    const dv_permute_params *p = &call->op->params.permute;
    dv_shape expected = call->inputs[0].shape;
    unsigned seen = 0;
    if (p->rank != expected.rank)
        return "the permutation's length is not the input's rank";
    for (int d = 0; d < p->rank; d++) {
        if (p->perm[d] >= p->rank || (seen >> p->perm[d] & 1))
            return "the permutation is none";
        seen |= 1u << p->perm[d];
        expected.dim[d] = call->inputs[0].shape.dim[p->perm[d]];
    }
    const char *fault = check_types(call);
    return fault ? fault : check_shape(call, &expected);
}

dv_status dv_kernel_expand(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    ptrdiff_t to[DV_MAX_RANK], from[DV_MAX_RANK];
    dv_strides(&out->shape, to);
    dv_broadcast_strides(&in->shape, &out->shape, from);
    copy_strided(size_of(call), out->shape.rank, out->shape.dim, out->data, to, in->data, from);
    return DV_OK;
}

const char *dv_check_expand(const dv_kernel_call *call)
{
    dv_shape shape;
    if (!dv_shape_broadcast(&call->inputs[0].shape, &call->outputs[0].shape, &shape) ||
        !dv_shape_equal(&shape, &call->outputs[0].shape))
        return "the input does not broadcast to the output's shape";
    return check_types(call);
}

/* Each output dim is (repeat, input dim): a space of twice the rank, where the repeat does not move
   in the input. */
dv_status dv_kernel_repeat(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    int rank = out->shape.rank, missing = rank - in->shape.rank;
    ptrdiff_t to[DV_WALK_RANK], from[DV_WALK_RANK], in_stride[DV_MAX_RANK], out_stride[DV_MAX_RANK];
    int64_t dim[DV_WALK_RANK];
    dv_strides(&in->shape, in_stride);
    dv_strides(&out->shape, out_stride);
    for (int d = 0; d < rank; d++) {
        int64_t size = d < missing ? 1 : in->shape.dim[d - missing];
        dim[2 * d] = size ? out->shape.dim[d] / size : 0;
        dim[2 * d + 1] = size;
        to[2 * d] = out_stride[d] * (ptrdiff_t)size;
        to[2 * d + 1] = out_stride[d];
        from[2 * d] = 0;
        from[2 * d + 1] = d < missing ? 0 : in_stride[d - missing];
    }
    copy_strided(size_of(call), (size_t)rank * 2, dim, out->data, to, in->data, from);
    return DV_OK;
}

const char *dv_check_repeat(const dv_kernel_call *call)
{
    const dv_shape *in = &call->inputs[0].shape, *out = &call->outputs[0].shape;
    const dv_shape *factors = &call->op->params.view.shape;
    if (factors->rank != out->rank || in->rank > out->rank)
        return "there must be one factor for each dim of the output";
    for (int d = 0; d < out->rank; d++) {
        int from = d - (out->rank - in->rank);
        int64_t product;
        if (__builtin_mul_overflow(from < 0 ? 1 : in->dim[from], factors->dim[d], &product) ||
            product != out->dim[d])
            return "the output's shape does not follow from the factors";
    }
    return check_types(call);
}

/* Copies between a whole operand and the part of another that starts at `at` on an axis. */
static void copy_part(const dv_operand *whole, const dv_operand *part, int64_t axis, int64_t at,
                      bool into_whole)
{
    ptrdiff_t whole_stride[DV_MAX_RANK], part_stride[DV_MAX_RANK];
    size_t size = dv_dtype_bytes(part->dtype);
    dv_strides(&whole->shape, whole_stride);
    dv_strides(&part->shape, part_stride);
    char *inside = (char *)whole->data + (ptrdiff_t)at * whole_stride[axis] * (ptrdiff_t)size;
    if (into_whole)
        copy_strided(size, part->shape.rank, part->shape.dim, inside, whole_stride, part->data,
                     part_stride);
    else
        copy_strided(size, part->shape.rank, part->shape.dim, part->data, part_stride, inside,
                     whole_stride);
}

/* Do the parts lie one after another along the axis of the whole? Absent parts need their size. */
static bool equal_but(const dv_shape *a, const dv_shape *b, int64_t axis)
{
    if (a->rank != b->rank || axis < 0 || axis >= a->rank)
        return false;
    for (int d = 0; d < a->rank; d++)
        if (d != axis && a->dim[d] != b->dim[d])
            return false;
    return true;
}

/* ONNX and ATen both let an empty vector pass among tensors of higher rank. */
static bool is_empty_vector(const dv_operand *operand)
{
    return operand->shape.rank == 1 && operand->shape.dim[0] == 0;
}

dv_status dv_kernel_cat(const dv_kernel_call *call)
{
    int64_t axis = call->op->params.axis.axis, at = 0;
    for (uint32_t i = 0; i < call->input_count; i++) {
        const dv_operand *in = &call->inputs[i];
        if (is_empty_vector(in))
            continue;
        if (in->count > 0)
            copy_part(&call->outputs[0], in, axis, at, true);
        at += in->shape.dim[axis];
    }
    return DV_OK;
}

const char *dv_check_cat(const dv_kernel_call *call)
{
    const dv_operand *out = &call->outputs[0];
    int64_t axis = call->op->params.axis.axis, total = 0;
    if (axis < 0 || axis >= out->shape.rank)
        return "the axis is out of range";
    for (uint32_t i = 0; i < call->input_count; i++) {
        const dv_operand *in = &call->inputs[i];
        if (in->dtype != out->dtype)
            return "the inputs differ in type";
        if (is_empty_vector(in))
            continue;
        if (!equal_but(&in->shape, &out->shape, axis))
            return "the inputs differ in a dim that is not joined";
        if (__builtin_add_overflow(total, in->shape.dim[axis], &total))
            return "the joined dim is too large";
    }
    return total == out->shape.dim[axis] ? check_types(call) : "the joined dims do not add up";
}

dv_status dv_kernel_split(const dv_kernel_call *call)
{
    const dv_split_params *p = &call->op->params.split;
    int64_t at = 0;
    for (uint32_t i = 0; i < call->output_count; i++) {
        if (dv_given(&call->outputs[i]) && call->outputs[i].count > 0)
            copy_part(&call->inputs[0], &call->outputs[i], p->axis, at, false);
        at += p->sizes[i];
    }
    return DV_OK;
}

const char *dv_check_split(const dv_kernel_call *call)
{
    const dv_split_params *p = &call->op->params.split;
    const dv_shape *in = &call->inputs[0].shape;
    int64_t total = 0;
    if (p->count != call->output_count || p->axis < 0 || p->axis >= in->rank || !p->sizes)
        return "the split's sizes do not fit its outputs";
    for (uint32_t i = 0; i < p->count; i++) {
        const dv_operand *out = &call->outputs[i];
        if (p->sizes[i] < 0 || __builtin_add_overflow(total, p->sizes[i], &total))
            return "a part's size is out of range";
        if (dv_given(out) &&
            (out->dtype != call->inputs[0].dtype || !equal_but(in, &out->shape, p->axis) ||
             out->shape.dim[p->axis] != p->sizes[i]))
            return "a part's type or shape does not follow from the input's";
    }
    if (total != in->dim[p->axis])
        return "the parts do not add up to the input";
    return dv_dtype_is_number(call->inputs[0].dtype) ? NULL : "the type cannot be split";
}

dv_status dv_kernel_slice(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    const dv_slice_params *p = &call->op->params.slice;
    ptrdiff_t from[DV_MAX_RANK], to[DV_MAX_RANK], first = 0;
    if (out->count == 0)
        return DV_OK;
    dv_strides(&in->shape, from);
    dv_strides(&out->shape, to);
    for (int d = 0; d < out->shape.rank; d++) {
        first += (ptrdiff_t)p->begin[d] * from[d];
        from[d] *= (ptrdiff_t)p->step[d];
    }
    size_t size = size_of(call);
    copy_strided(size, out->shape.rank, out->shape.dim, out->data, to,
                 (const char *)in->data + first * (ptrdiff_t)size, from);
    return DV_OK;
}

/* Every element that is read lies inside: the first and the last of each dim do. */
const char *dv_check_slice(const dv_kernel_call *call)
{
    const dv_slice_params *p = &call->op->params.slice;
    const dv_shape *in = &call->inputs[0].shape, *out = &call->outputs[0].shape;
    if (p->count != in->rank || out->rank != in->rank)
        return "the slice is not in core form";
    for (int d = 0; d < in->rank && call->outputs[0].count > 0; d++) {
        int64_t reach, last;
        if (p->axes[d] != d || p->step[d] == 0 ||
            __builtin_mul_overflow(out->dim[d] - 1, p->step[d], &reach) ||
            __builtin_add_overflow(p->begin[d], reach, &last) || p->begin[d] < 0 ||
            p->begin[d] >= in->dim[d] || last < 0 || last >= in->dim[d])
            return "the slice leaves the input";
        int64_t past = p->step[d] > 0 ? p->end[d] - last : last - p->end[d];
        if (past < 1 || past > (p->step[d] > 0 ? p->step[d] : -p->step[d]))
            return "the output's shape does not follow from the slice";
    }
    return check_types(call);
}

dv_status dv_kernel_select(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0];
    const dv_select_params *p = &call->op->params.select;
    dv_operand part = call->outputs[0]; /* with the axis back in place */
    part.shape = in->shape;
    part.shape.dim[p->axis] = 1;
    copy_part(in, &part, p->axis, p->index, false);
    return DV_OK;
}

const char *dv_check_select(const dv_kernel_call *call)
{
    const dv_select_params *p = &call->op->params.select;
    const dv_shape *in = &call->inputs[0].shape;
    dv_shape expected = {0};
    if (p->axis < 0 || p->axis >= in->rank || p->index < 0 || p->index >= in->dim[p->axis])
        return "the axis or the index is out of range";
    for (int d = 0; d < in->rank; d++)
        if (d != p->axis)
            expected.dim[expected.rank++] = in->dim[d];
    const char *fault = check_types(call);
    return fault ? fault : check_shape(call, &expected);
}

/* Channels are (channel, row, column of the block), or with dcr (row, column, channel). */

/* Where element (image, channel, y, block row, x, block column) of the larger image is among the
   channels of the smaller one of that height and width. */
static void shuffled_strides(const dv_shuffle_params *p, int64_t channels, int64_t height,
                             int64_t width, ptrdiff_t out[6])
{
    ptrdiff_t plane = (ptrdiff_t)(height * width), block = (ptrdiff_t)p->block;
    out[0] = (ptrdiff_t)channels * block * block * plane;
    out[1] = (p->dcr ? 1 : block * block) * plane;
    out[2] = (ptrdiff_t)width;
    out[3] = (p->dcr ? block * (ptrdiff_t)channels : block) * plane;
    out[4] = 1;
    out[5] = (p->dcr ? (ptrdiff_t)channels : 1) * plane;
}

dv_status dv_kernel_pixel_shuffle(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    const dv_shuffle_params *p = &call->op->params.shuffle;
    int64_t channels = out->shape.dim[1], height = in->shape.dim[2], width = in->shape.dim[3];
    int64_t dim[] = {in->shape.dim[0], channels, height, p->block, width, p->block};
    ptrdiff_t from[6], to[6];
    dv_shape split = dv_shape_make(dim, 6);
    shuffled_strides(p, channels, height, width, from);
    dv_strides(&split, to);
    copy_strided(size_of(call), 6, dim, out->data, to, in->data, from);
    return DV_OK;
}

dv_status dv_kernel_pixel_unshuffle(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    const dv_shuffle_params *p = &call->op->params.shuffle;
    int64_t channels = in->shape.dim[1], height = out->shape.dim[2], width = out->shape.dim[3];
    int64_t dim[] = {in->shape.dim[0], channels, height, p->block, width, p->block};
    ptrdiff_t from[6], to[6];
    dv_shape split = dv_shape_make(dim, 6);
    shuffled_strides(p, channels, height, width, to);
    dv_strides(&split, from);
    copy_strided(size_of(call), 6, dim, out->data, to, in->data, from);
    return DV_OK;
}

const char *dv_check_pixel_shuffle(const dv_kernel_call *call)
{
    int64_t block = call->op->params.shuffle.block;
    const dv_shape *in = &call->inputs[0].shape;
    if (in->rank != 4 || block < 1 || block > INT16_MAX || in->dim[1] % (block * block) ||
        in->dim[2] > INT32_MAX || in->dim[3] > INT32_MAX)
        return "the block does not fit the input";
    dv_shape expected = {
        4, {in->dim[0], in->dim[1] / (block * block), in->dim[2] * block, in->dim[3] * block}};
    const char *fault = check_types(call);
    return fault ? fault : check_shape(call, &expected);
}

const char *dv_check_pixel_unshuffle(const dv_kernel_call *call)
{
    int64_t block = call->op->params.shuffle.block;
    const dv_shape *in = &call->inputs[0].shape;
    if (in->rank != 4 || block < 1 || block > INT16_MAX || in->dim[2] % block ||
        in->dim[3] % block || in->dim[1] > INT32_MAX)
        return "the block does not fit the input";
    dv_shape expected = {
        4, {in->dim[0], in->dim[1] * block * block, in->dim[2] / block, in->dim[3] / block}};
    const char *fault = check_types(call);
    return fault ? fault : check_shape(call, &expected);
}

dv_status dv_kernel_tril(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    const dv_tri_params *p = &call->op->params.tri;
    size_t size = size_of(call), rows = (size_t)in->shape.dim[in->shape.rank - 2];
    size_t columns = (size_t)in->shape.dim[in->shape.rank - 1];
    for (size_t i = 0; i < in->count; i++) {
        int64_t above = (int64_t)(i % columns) - (int64_t)(i / columns % rows);
        bool keep = p->upper ? above >= p->diagonal : above <= p->diagonal;
        char *to = (char *)out->data + i * size;
        if (keep)
            memcpy(to, (const char *)in->data + i * size, size);
        else
            memset(to, 0, size);
    }
    return DV_OK;
}

const char *dv_check_tril(const dv_kernel_call *call)
{
    if (call->inputs[0].shape.rank < 2)
        return "a triangle needs two dims";
    const char *fault = check_types(call);
    return fault ? fault : check_shape(call, &call->inputs[0].shape);
}
