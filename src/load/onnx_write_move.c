/* onnx_write_move.c - operators that move elements, as ONNX nodes. */
#include "load/onnx_put.h"
#include "load/onnx_tensor.h"

/* The output's own shape says it all. */
dv_status dv_onnx_write_view(dv_onnx_put *put)
{
    const dv_shape *shape = &dv_put_output_tensor(put, 0)->shape;
    for (uint8_t d = 0; d < shape->rank; d++)
        if (shape->dim[d] == 0) {
            dv_put_int(put, "allowzero", 1);
            break;
        }
    return dv_put_last(put, "Reshape", dv_put_input(put, 0), dv_put_shape(put, shape), NULL);
}

dv_status dv_onnx_write_expand(dv_onnx_put *put)
{
    return dv_put_last(put, put->type, dv_put_input(put, 0),
                       dv_put_shape(put, &dv_put_output_tensor(put, 0)->shape), NULL);
}

/* Tile wants as many dims as repeats. */
dv_status dv_onnx_write_repeat(dv_onnx_put *put)
{
    const dv_shape *x = &dv_put_input_tensor(put, 0)->shape, *times = &put->op->params.view.shape;
    const char *input = dv_put_input(put, 0);
    if (times->rank > x->rank) {
        dv_shape longer = {.rank = times->rank};
        for (uint8_t d = 0; d < times->rank; d++) {
            int at = d - (times->rank - x->rank);
            longer.dim[d] = at < 0 ? 1 : x->dim[at];
        }
        input = dv_put_part(put, "Reshape", input, dv_put_shape(put, &longer), NULL);
    }
    return dv_put_last(put, put->type, input, dv_put_shape(put, times), NULL);
}

dv_status dv_onnx_write_axes(dv_onnx_put *put)
{
    const dv_axes_params *axes = &put->op->params.axes;
    if (axes->count == 0)
        return dv_onnx_write_view(put);
    return dv_put_last(put, put->type, dv_put_input(put, 0),
                       dv_put_longs(put, axes->axes, axes->count), NULL);
}

dv_status dv_onnx_write_permute(dv_onnx_put *put)
{
    const dv_permute_params *permute = &put->op->params.permute;
    int64_t perm[DV_MAX_RANK];
    for (uint8_t d = 0; d < permute->rank; d++)
        perm[d] = permute->perm[d];
    dv_put_ints(put, "perm", perm, permute->rank);
    return dv_put_whole(put, put->type);
}

dv_status dv_onnx_write_split(dv_onnx_put *put)
{
    const dv_split_params *split = &put->op->params.split;
    const char **outputs = dv_arena_array(put->arena, put->op->output_count, sizeof *outputs);
    if (!outputs)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < put->op->output_count; i++)
        outputs[i] = dv_put_output(put, i);
    dv_put_int(put, "axis", split->axis);
    const char *inputs[] = {dv_put_input(put, 0), dv_put_longs(put, split->sizes, split->count)};
    dv_put_node(put, put->type, inputs, 2, outputs, put->op->output_count);
    return DV_OK;
}

/* In core form an end of -1 with a negative step runs through index 0; ONNX would count it from
   the back, so it becomes an end far before the first. */
dv_status dv_onnx_write_slice(dv_onnx_put *put)
{
    const dv_slice_params *slice = &put->op->params.slice;
    const dv_shape *x = &dv_put_input_tensor(put, 0)->shape;
    int64_t axes[DV_MAX_RANK], begin[DV_MAX_RANK], end[DV_MAX_RANK], step[DV_MAX_RANK];
    size_t count = 0;
    for (uint8_t i = 0; i < slice->count; i++) {
        if (slice->begin[i] == 0 && slice->end[i] == x->dim[i] && slice->step[i] == 1)
            continue;
        axes[count] = slice->axes[i];
        begin[count] = slice->begin[i];
        end[count] = slice->step[i] < 0 && slice->end[i] == -1 ? INT64_MIN + 1 : slice->end[i];
        step[count++] = slice->step[i];
    }
    if (count == 0)
        return dv_put_last(put, "Identity", dv_put_input(put, 0), NULL, NULL);
    const char *inputs[] = {dv_put_input(put, 0), dv_put_longs(put, begin, count),
                            dv_put_longs(put, end, count), dv_put_longs(put, axes, count),
                            dv_put_longs(put, step, count)};
    const char *output = dv_put_output(put, 0);
    dv_put_node(put, put->type, inputs, 5, &output, 1);
    return DV_OK;
}

dv_status dv_onnx_write_select(dv_onnx_put *put)
{
    dv_put_int(put, "axis", put->op->params.select.axis);
    return dv_put_last(put, put->type, dv_put_input(put, 0),
                       dv_put_long(put, put->op->params.select.index), NULL);
}

dv_status dv_onnx_write_pad(dv_onnx_put *put)
{
    static const char *const modes[] = {"constant", "reflect", "edge", "wrap"};
    const dv_pad_params *pad = &put->op->params.pad;
    int64_t pads[2 * DV_MAX_RANK];
    for (uint8_t d = 0; d < pad->rank; d++) {
        pads[d] = pad->begin[d];
        pads[pad->rank + d] = pad->end[d];
    }
    dv_put_string(put, "mode", modes[pad->mode]);
    if (pad->mode == DV_PAD_WRAP)
        dv_put_need(put, 19);
    const char *value = NULL;
    if (pad->mode == DV_PAD_CONSTANT)
        value = dv_put_scalar(put, dv_put_input_tensor(put, 0)->dtype, pad->value);
    return dv_put_last(put, put->type, dv_put_input(put, 0),
                       dv_put_longs(put, pads, 2 * (size_t)pad->rank), value);
}

dv_status dv_onnx_write_gather_nd(dv_onnx_put *put)
{
    dv_put_int(put, "batch_dims", put->op->params.axis.axis);
    return dv_put_whole(put, put->type);
}

dv_status dv_onnx_write_scatter(dv_onnx_put *put)
{
    static const char *const modes[] = {"none", "add", "mul", "max", "min"};
    const dv_scatter_params *scatter = &put->op->params.scatter;
    if (put->op->kind == DV_OP_SCATTER)
        dv_put_int(put, "axis", scatter->axis);
    if (scatter->mode != DV_SCATTER_SET)
        dv_put_string(put, "reduction", modes[scatter->mode]);
    return dv_put_whole(put, put->type);
}

dv_status dv_onnx_write_pixel_shuffle(dv_onnx_put *put)
{
    const dv_shuffle_params *shuffle = &put->op->params.shuffle;
    dv_put_int(put, "blocksize", shuffle->block);
    dv_put_string(put, "mode", shuffle->dcr ? "DCR" : "CRD");
    return dv_put_whole(put, put->type);
}

/* SpaceToDepth is the way back from DCR; from CRD, channels come before the block's places. */
dv_status dv_onnx_write_pixel_unshuffle(dv_onnx_put *put)
{
    const dv_shuffle_params *shuffle = &put->op->params.shuffle;
    const dv_shape *x = &dv_put_input_tensor(put, 0)->shape,
                   *y = &dv_put_output_tensor(put, 0)->shape;
    if (shuffle->dcr) {
        dv_put_int(put, "blocksize", shuffle->block);
        return dv_put_whole(put, put->type);
    }
    int64_t b = shuffle->block;
    const int64_t parts[] = {x->dim[0], x->dim[1], y->dim[2], b, y->dim[3], b};
    const char *split =
        dv_put_part(put, "Reshape", dv_put_input(put, 0), dv_put_longs(put, parts, 6), NULL);
    dv_put_ints(put, "perm", (const int64_t[]){0, 1, 3, 5, 2, 4}, 6);
    const char *moved = dv_put_part(put, "Transpose", split, NULL, NULL);
    return dv_put_last(put, "Reshape", moved, dv_put_shape(put, y), NULL);
}

dv_status dv_onnx_write_tril(dv_onnx_put *put)
{
    const dv_tri_params *tri = &put->op->params.tri;
    dv_put_int(put, "upper", tri->upper);
    return dv_put_last(put, put->type, dv_put_input(put, 0), dv_put_long(put, tri->diagonal), NULL);
}

dv_status dv_onnx_write_cast(dv_onnx_put *put)
{
    dv_put_int(put, "to", dv_onnx_type_of(put->op->params.cast.dtype));
    return dv_put_whole(put, put->type);
}

dv_status dv_onnx_write_shape(dv_onnx_put *put)
{
    const dv_slice_params *slice = &put->op->params.slice;
    if (slice->count > 0) {
        dv_put_int(put, "start", slice->begin[0]);
        dv_put_int(put, "end", slice->end[0]);
    }
    return dv_put_whole(put, put->type);
}

dv_status dv_onnx_write_full(dv_onnx_put *put)
{
    const dv_full_params *full = &put->op->params.full;
    dv_put_value(put, "value", full->dtype, full->value);
    return dv_put_last(put, put->type, dv_put_shape(put, &full->shape), NULL, NULL);
}
