/* tflite_ops_shape.c - data movement, views and the plumbing of shapes. Axes count in NHWC. */
#include <stdlib.h>
#include <string.h>

#include "load/tflite_build.h"

/* Input i planar where that saves a permutation and it is an image, with its file's shape. */
static dv_status either(dv_tfl_at *at, uint32_t i, dv_tensor_id *id, bool *planar,
                        dv_tfl_tensor *tensor)
{
    DV_TRY(dv_tfl_input(at, i, tensor));
    *planar = tensor->shape.rank == 4 && dv_tfl_prefers_planar(at, i);
    return *planar ? dv_tfl_planar_input(at, i, id) : dv_tfl_plain_input(at, i, id);
}

static dv_status computed(dv_tfl_at *at, const char *what)
{
    return dv_tfl_opaque(at, "its %s computed, which is not supported", what);
}

/* ---- together and apart ---- */

dv_status dv_tfl_op_concatenation(dv_tfl_at *at)
{
    uint32_t count = at->inputs.count;
    dv_tfl_tensor tensor;
    bool planar = false, images = true;
    for (uint32_t i = 0; i < count; i++) {
        DV_TRY(dv_tfl_input(at, i, &tensor));
        images &= tensor.shape.rank == 4;
        planar |= dv_tfl_prefers_planar(at, i);
    }
    planar &= images;
    dv_tensor_id *ids = dv_arena_array(at->b->arena, count, sizeof *ids);
    if (!ids)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < count; i++)
        DV_TRY(planar ? dv_tfl_planar_input(at, i, &ids[i]) : dv_tfl_plain_input(at, i, &ids[i]));
    int64_t axis = dv_fb_i32(&at->options, 0, 0);
    dv_op_params params = {.axis = {.axis = planar ? dv_tfl_planar_axis(axis) : axis}};
    DV_TRY(dv_tfl_emit(at, DV_OP_CAT, &params, ids, count, &ids[0]));
    return dv_tfl_result_activated(at, 1, ids[0], planar);
}

/* Adds one SPLIT of x with as many outputs as the operator has. */
static dv_status split(dv_tfl_at *at, dv_tensor_id x, int64_t axis, const int64_t *sizes,
                       bool planar)
{
    dv_op op = at->like;
    uint32_t count = at->outputs.count;
    dv_tensor_id *outputs = dv_arena_array(at->b->arena, count, sizeof *outputs);
    dv_op_id id;
    if (!outputs)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < count; i++) {
        DV_TRY(dv_tfl_add_activation(at->b, at->part, &outputs[i]));
        DV_TRY(dv_tfl_result(at, i, outputs[i], planar));
    }
    op.kind = DV_OP_SPLIT;
    op.inputs = &x;
    op.input_count = 1;
    op.outputs = outputs;
    op.output_count = count;
    op.params.split.axis = planar ? dv_tfl_planar_axis(axis) : axis;
    op.params.split.count = sizes ? count : 0;
    op.params.split.sizes = sizes;
    return dv_graph_add_op(at->b->graph, &op, &id);
}

dv_status dv_tfl_op_split(dv_tfl_at *at)
{
    int64_t axis;
    int count;
    bool planar;
    dv_tensor_id x;
    dv_tfl_tensor tensor;
    DV_TRY(dv_tfl_ints(at, 0, 1, &axis, &count));
    if (count != 1)
        return computed(at, "axis is");
    DV_TRY(either(at, 1, &x, &planar, &tensor));
    return split(at, x, axis, NULL, planar);
}

/* One of the sizes may be -1: what is left. */
static dv_status complete_sizes(const dv_tfl_tensor *tensor, int64_t axis, int64_t *sizes,
                                uint32_t count)
{
    int64_t rank = tensor->shape.rank, left, missing = -1;
    axis = axis < 0 ? axis + rank : axis;
    if (axis < 0 || axis >= rank)
        return dv_fail(DV_BAD_INPUT, "its axis lies outside its input's dimensions");
    left = tensor->shape.dim[axis];
    for (uint32_t i = 0; i < count; i++) {
        if (sizes[i] == -1 && missing < 0)
            missing = i;
        else if (sizes[i] < 0 || sizes[i] > INT32_MAX)
            return dv_fail(DV_BAD_INPUT, "a part of size %lld", (long long)sizes[i]);
        else
            left -= sizes[i];
    }
    if (missing >= 0)
        sizes[missing] = left;
    return DV_OK;
}

dv_status dv_tfl_op_split_v(dv_tfl_at *at)
{
    int64_t axis;
    int axes, count;
    bool planar;
    dv_tensor_id x;
    dv_tfl_tensor tensor;
    uint32_t parts = at->outputs.count;
    int64_t *sizes = dv_arena_array(at->b->arena, parts, sizeof *sizes);
    if (!sizes)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    DV_TRY(dv_tfl_ints(at, 2, 1, &axis, &axes));
    DV_TRY(dv_tfl_ints(at, 1, parts, sizes, &count));
    if (axes != 1 || count != (int)parts)
        return computed(at, "axis or sizes are");
    DV_TRY(dv_tfl_input(at, 0, &tensor));
    DV_TRY(complete_sizes(&tensor, axis, sizes, parts));
    DV_TRY(either(at, 0, &x, &planar, &tensor));
    return split(at, x, axis, sizes, planar);
}

dv_status dv_tfl_op_pack(dv_tfl_at *at)
{
    uint32_t count = at->inputs.count;
    int64_t axis = dv_fb_i32(&at->options, 1, 0);
    dv_op_params unsqueeze = {.axes = {.count = 1, .axes = {axis}}}, cat = {.axis = {.axis = axis}};
    dv_tensor_id *ids = dv_arena_array(at->b->arena, count, sizeof *ids);
    if (!ids)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < count; i++) {
        DV_TRY(dv_tfl_plain_input(at, i, &ids[i]));
        DV_TRY(dv_tfl_emit1(at, DV_OP_UNSQUEEZE, &unsqueeze, ids[i], &ids[i]));
    }
    DV_TRY(dv_tfl_emit(at, DV_OP_CAT, &cat, ids, count, &ids[0]));
    return dv_tfl_result(at, 0, ids[0], false);
}

dv_status dv_tfl_op_unpack(dv_tfl_at *at)
{
    dv_tensor_id x, part;
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    for (uint32_t i = 0; i < at->outputs.count; i++) {
        dv_op_params params = {.select = {.axis = dv_fb_i32(&at->options, 1, 0), .index = i}};
        DV_TRY(dv_tfl_emit1(at, DV_OP_SELECT, &params, x, &part));
        DV_TRY(dv_tfl_result(at, i, part, false));
    }
    return DV_OK;
}

/* ---- around and inside ---- */

/* PAD, PADV2 (a value), MIRROR_PAD (mode 0 leaves out the edge, 1 repeats it). */
dv_status dv_tfl_op_pad(dv_tfl_at *at)
{
    int64_t pads[2 * DV_MAX_RANK];
    int count;
    bool planar;
    dv_tensor_id x;
    dv_tfl_tensor tensor;
    dv_op_params params = {0};
    dv_pad_params *pad = &params.pad;
    DV_TRY(dv_tfl_ints(at, 1, 2 * DV_MAX_RANK, pads, &count));
    if (count < 0)
        return computed(at, "pads are");
    if (strcmp(at->type, "MIRROR_PAD") == 0) {
        pad->mode = DV_PAD_REFLECT;
        if (dv_fb_u8(&at->options, 0, 0) != 0)
            return dv_tfl_pad_symmetric(at, pads, count);
    }
    if (at->rule->least == 3) {
        bool known;
        DV_TRY(dv_tfl_number(at, 2, &pad->value, &known));
        if (!known)
            return computed(at, "value is");
    }
    DV_TRY(dv_tfl_input(at, 0, &tensor));
    if (tensor.shape.rank == 0 && count % 2 == 0)
        tensor.shape.rank = (uint8_t)(count / 2); /* none are recorded behind a computed size */
    if (count != 2 * tensor.shape.rank)
        return dv_fail(DV_BAD_INPUT, "%d pads for %u dimensions", count,
                       (unsigned)tensor.shape.rank);
    DV_TRY(either(at, 0, &x, &planar, &tensor));
    pad->rank = (uint8_t)(count / 2);
    for (uint8_t d = 0; d < pad->rank; d++) {
        int64_t to = planar ? dv_tfl_planar_axis(d) : d;
        pad->begin[to] = pads[2 * d];
        pad->end[to] = pads[2 * d + 1];
    }
    DV_TRY(dv_tfl_emit1(at, DV_OP_PAD, &params, x, &x));
    return dv_tfl_result(at, 0, x, planar);
}

/* TILE and BROADCAST_TO: the repeats or the shape are a parameter input. */
dv_status dv_tfl_op_with_list(dv_tfl_at *at)
{
    dv_tensor_id ids[2];
    dv_op_params params = {.view = {.shape = {.rank = DV_RANK_UNKNOWN}}};
    DV_TRY(dv_tfl_plain_input(at, 0, &ids[0]));
    DV_TRY(dv_tfl_plain_input(at, 1, &ids[1]));
    DV_TRY(dv_tfl_emit(at, at->rule->kind, &params, ids, 2, &ids[0]));
    return dv_tfl_result(at, 0, ids[0], false);
}

/* ---- views ---- */

dv_status dv_tfl_op_transpose(dv_tfl_at *at)
{
    int64_t perm[DV_MAX_RANK];
    int count;
    dv_tensor_id x;
    DV_TRY(dv_tfl_ints(at, 1, DV_MAX_RANK, perm, &count));
    if (count < 1)
        return count == 0 ? dv_fail(DV_BAD_INPUT, "its permutation is empty")
                          : computed(at, "permutation is");
    dv_op_params params = {.permute = {.rank = (uint8_t)count}};
    for (int d = 0; d < count; d++) {
        int64_t from = perm[d] < 0 ? perm[d] + count : perm[d];
        if (from < 0 || from >= count)
            return dv_fail(DV_BAD_INPUT, "dimension %lld of %d", (long long)perm[d], count);
        params.permute.perm[d] = (uint8_t)from;
    }
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(dv_tfl_emit1(at, DV_OP_PERMUTE, &params, x, &x));
    return dv_tfl_result(at, 0, x, false);
}

/* The shape comes as an input, or in old files as an option. */
dv_status dv_tfl_op_reshape(dv_tfl_at *at)
{
    dv_tensor_id x, shape;
    dv_op_params params = {.view = {.allow_zero = true, .shape = {.rank = DV_RANK_UNKNOWN}}};
    dv_fb_vector option = dv_fb_list(&at->options, 0, 4);
    dv_tfl_tensor input;
    DV_TRY(dv_tfl_input(at, 0, &input));
    if (dv_tfl_is_complex(&input))
        return dv_tfl_reshape_complex(at);
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    if (dv_tfl_given(at, 1)) {
        DV_TRY(dv_tfl_plain_input(at, 1, &shape));
    } else {
        int64_t dims[DV_MAX_RANK];
        if (option.count > DV_MAX_RANK)
            return dv_fail(DV_BAD_INPUT, "a shape of %u dimensions", option.count);
        for (uint32_t d = 0; d < option.count; d++)
            dims[d] = dv_fb_i32_at(&option, d);
        DV_TRY(dv_tfl_longs(at, dims, option.count, &shape));
    }
    DV_TRY(dv_tfl_emit2(at, DV_OP_VIEW, &params, x, shape, &x));
    return dv_tfl_result(at, 0, x, false);
}

dv_status dv_tfl_op_squeeze(dv_tfl_at *at)
{
    dv_tensor_id x;
    dv_tfl_tensor tensor;
    dv_op_params params = {0};
    dv_fb_vector dims = dv_fb_list(&at->options, 0, 4);
    if (dims.count > DV_MAX_RANK)
        return dv_fail(DV_BAD_INPUT, "it has %u axes", dims.count);
    DV_TRY(dv_tfl_input(at, 0, &tensor));
    params.axes.count = (uint8_t)dims.count;
    for (uint32_t d = 0; d < dims.count; d++)
        params.axes.axes[d] = dv_tfl_axis_of(&tensor, dv_fb_i32_at(&dims, d));
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(dv_tfl_emit1(at, DV_OP_SQUEEZE, &params, x, &x));
    return dv_tfl_result(at, 0, x, false);
}

dv_status dv_tfl_op_expand_dims(dv_tfl_at *at)
{
    dv_tensor_id x;
    dv_tfl_tensor tensor;
    dv_op_params params = {.axes = {.count = 1}};
    int count;
    DV_TRY(dv_tfl_ints(at, 1, 1, params.axes.axes, &count));
    if (count != 1)
        return computed(at, "axis is");
    DV_TRY(dv_tfl_input(at, 0, &tensor));
    params.axes.axes[0] = dv_tfl_axis_of(&tensor, params.axes.axes[0]);
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(dv_tfl_emit1(at, DV_OP_UNSQUEEZE, &params, x, &x));
    return dv_tfl_result(at, 0, x, false);
}

dv_status dv_tfl_op_depth_to_space(dv_tfl_at *at)
{
    dv_tensor_id x;
    dv_op_params params = {.shuffle = {.block = dv_fb_i32(&at->options, 0, 0), .dcr = true}};
    DV_TRY(dv_tfl_planar_input(at, 0, &x));
    DV_TRY(dv_tfl_emit1(at, DV_OP_PIXEL_SHUFFLE, &params, x, &x));
    return dv_tfl_result(at, 0, x, true);
}

/* [N, H, W, C] as [N, H/b, b, W/b, b, C]; the blocks' pixels move in front of the channels. */
dv_status dv_tfl_op_space_to_depth(dv_tfl_at *at)
{
    dv_tfl_tensor tensor;
    dv_tensor_id x, shape;
    int64_t block = dv_fb_i32(&at->options, 0, 0);
    DV_TRY(dv_tfl_input(at, 0, &tensor));
    const int64_t *dim = tensor.shape.dim;
    if (tensor.shape.rank != 4 || tensor.open & 14)
        return dv_tfl_opaque(at, "an image of unknown size is not supported");
    if (block < 1 || dim[1] % block != 0 || dim[2] % block != 0 ||
        dim[3] > INT32_MAX / block / block)
        return dv_fail(DV_BAD_INPUT, "blocks of %lld do not divide its image", (long long)block);
    const int64_t apart[] = {0, dim[1] / block, block, dim[2] / block, block, dim[3]};
    const int64_t together[] = {0, dim[1] / block, dim[2] / block, block * block * dim[3]};
    dv_op_params permute = {.permute = {.rank = 6, .perm = {0, 1, 3, 2, 4, 5}}};
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(dv_tfl_longs(at, apart, 6, &shape));
    DV_TRY(dv_tfl_emit2(at, DV_OP_VIEW, NULL, x, shape, &x));
    DV_TRY(dv_tfl_emit1(at, DV_OP_PERMUTE, &permute, x, &x));
    DV_TRY(dv_tfl_longs(at, together, 4, &shape));
    DV_TRY(dv_tfl_emit2(at, DV_OP_VIEW, NULL, x, shape, &x));
    return dv_tfl_result(at, 0, x, false);
}

/* ---- shapes as data ---- */

dv_status dv_tfl_op_rank(dv_tfl_at *at)
{
    dv_tfl_tensor tensor;
    dv_tensor_id x;
    DV_TRY(dv_tfl_input(at, 0, &tensor));
    DV_TRY(dv_tfl_scalar(at, DV_DTYPE_I32, tensor.shape.rank, &x));
    return dv_tfl_result(at, 0, x, false);
}

dv_status dv_tfl_op_zeros_like(dv_tfl_at *at)
{
    dv_tfl_tensor tensor;
    dv_tensor_id x;
    dv_op_params all = {.slice = {.count = 1, .end = {INT64_MAX}, .step = {1}}};
    dv_op_params full = {.full = {.shape = {.rank = DV_RANK_UNKNOWN}}};
    DV_TRY(dv_tfl_input(at, 0, &tensor));
    full.full.dtype = dv_tfl_dtype(&tensor);
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(dv_tfl_emit1(at, DV_OP_SHAPE, &all, x, &x));
    DV_TRY(dv_tfl_emit1(at, DV_OP_FULL, &full, x, &x));
    return dv_tfl_result(at, 0, x, false);
}

dv_status dv_tfl_op_shape(dv_tfl_at *at)
{
    dv_tfl_tensor out;
    dv_tensor_id x;
    dv_op_params all = {.slice = {.count = 1, .end = {INT64_MAX}, .step = {1}}}, cast = {0};
    DV_TRY(dv_tfl_output(at, 0, &out));
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(dv_tfl_emit1(at, DV_OP_SHAPE, &all, x, &x));
    cast.cast.dtype = dv_tfl_dtype(&out);
    if (cast.cast.dtype == DV_DTYPE_I32)
        DV_TRY(dv_tfl_emit1(at, DV_OP_CAST, &cast, x, &x));
    return dv_tfl_result(at, 0, x, false);
}

dv_status dv_tfl_op_fill(dv_tfl_at *at)
{
    dv_op_params params = {.full = {.shape = {.rank = DV_RANK_UNKNOWN}}};
    dv_tfl_tensor value;
    dv_tensor_id x;
    bool known;
    DV_TRY(dv_tfl_input(at, 1, &value));
    DV_TRY(dv_tfl_number(at, 1, &params.full.value, &known));
    if (!known)
        return computed(at, "value is");
    params.full.dtype = dv_tfl_dtype(&value);
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(dv_tfl_emit1(at, DV_OP_FULL, &params, x, &x));
    return dv_tfl_result(at, 0, x, false);
}

dv_status dv_tfl_op_range(dv_tfl_at *at)
{
    dv_tensor_id ids[3];
    for (uint32_t i = 0; i < 3; i++)
        DV_TRY(dv_tfl_plain_input(at, i, &ids[i]));
    DV_TRY(dv_tfl_emit(at, DV_OP_ARANGE, NULL, ids, 3, &ids[0]));
    return dv_tfl_result(at, 0, ids[0], false);
}
