/* onnx_ops_shape.c - views, data movement and shape plumbing. */
#include <string.h>

#include "load/onnx_ops.h"

/* ---- views ---- */

/* The attribute form of opsets 1 to 4 becomes the input form. */
static dv_status attribute_to_input(dv_onnx_at *at, const char *name)
{
    int64_t values[DV_ONNX_MAX_DIMS];
    size_t count;
    DV_TRY(dv_onnx_ints(at, name, DV_ONNX_MAX_DIMS, values, &count));
    DV_TRY(dv_onnx_list(at, values, count, &at->inputs[1]));
    at->op.input_count = 2;
    return DV_OK;
}

dv_status dv_onnx_op_reshape(dv_onnx_at *at)
{
    at->op.params.view.shape.rank = DV_RANK_UNKNOWN;
    DV_TRY(dv_onnx_flag(at, "allowzero", false, &at->op.params.view.allow_zero));
    if (dv_onnx_has(at, "shape"))
        return attribute_to_input(at, "shape");
    return dv_onnx_given_input(at, 1) ? DV_OK : dv_fail(DV_BAD_INPUT, "its shape is missing");
}

dv_status dv_onnx_op_flatten(dv_onnx_at *at)
{
    return dv_onnx_int(at, "axis", 1, &at->op.params.axis.axis);
}

/* Squeeze and Unsqueeze; axes moved from attribute to input in opset 13. */
dv_status dv_onnx_op_axes(dv_onnx_at *at)
{
    dv_axes_params *axes = &at->op.params.axes;
    size_t count;
    DV_TRY(dv_onnx_ints(at, "axes", DV_MAX_RANK, axes->axes, &count));
    axes->count = (uint8_t)count;
    /* exporters write If(size is 1, Squeeze, Identity): the other branch must not be an error */
    axes->lenient = at->in_branch && at->op.kind == DV_OP_SQUEEZE;
    if (at->op.kind == DV_OP_UNSQUEEZE && count == 0 && !dv_onnx_given_input(at, 1))
        return dv_fail(DV_BAD_INPUT, "its axes are missing");
    return DV_OK;
}

dv_status dv_onnx_op_transpose(dv_onnx_at *at)
{
    dv_permute_params *permute = &at->op.params.permute;
    int64_t perm[DV_MAX_RANK];
    size_t count;
    DV_TRY(dv_onnx_ints(at, "perm", DV_MAX_RANK, perm, &count));
    permute->rank = (uint8_t)count;
    unsigned seen = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t from = perm[i] < 0 ? perm[i] + (int64_t)count : perm[i];
        if (from < 0 || from >= (int64_t)count || (seen & 1u << from))
            return dv_fail(DV_BAD_INPUT, "attribute 'perm' is not a permutation");
        seen |= 1u << from;
        permute->perm[i] = (uint8_t)from;
    }
    return DV_OK;
}

dv_status dv_onnx_op_tile(dv_onnx_at *at)
{
    if (at->opset < 6)
        return dv_onnx_opaque(at, "Tile before opset 6 is not supported");
    at->op.params.view.shape.rank = DV_RANK_UNKNOWN;
    return DV_OK;
}

/* ---- joining and cutting ---- */

dv_status dv_onnx_op_concat(dv_onnx_at *at)
{
    if (at->opset >= 4 && !dv_onnx_has(at, "axis"))
        return dv_fail(DV_BAD_INPUT, "attribute 'axis' is missing");
    for (uint32_t i = 0; i < at->op.input_count; i++)
        if (at->inputs[i] == DV_NONE)
            return dv_fail(DV_BAD_INPUT, "its input %u is missing", i);
    return dv_onnx_int(at, "axis", 1, &at->op.params.axis.axis);
}

/* Sizes: attribute before opset 13, input since; absent, equal parts, one for each output. */
dv_status dv_onnx_op_split(dv_onnx_at *at)
{
    dv_split_params *split = &at->op.params.split;
    int64_t parts;
    DV_TRY(dv_onnx_int(at, "axis", 0, &split->axis));
    DV_TRY(dv_onnx_int(at, "num_outputs", at->op.output_count, &parts));
    if (parts != at->op.output_count)
        return dv_fail(DV_BAD_INPUT, "attribute 'num_outputs' says %lld; the node has %u outputs",
                       (long long)parts, at->op.output_count);
    if (!dv_onnx_has(at, "split"))
        return DV_OK;
    size_t count;
    int64_t *sizes = dv_arena_array(at->arena, at->op.output_count, sizeof *sizes);
    if (!sizes)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    DV_TRY(dv_onnx_ints(at, "split", at->op.output_count, sizes, &count));
    if (count != 0 && count != at->op.output_count)
        return dv_fail(DV_BAD_INPUT, "attribute 'split' has %zu sizes for %u outputs", count,
                       at->op.output_count);
    split->count = (uint32_t)count;
    split->sizes = sizes;
    return DV_OK;
}

/* Bounds: attributes before opset 10, inputs since. */
dv_status dv_onnx_op_slice(dv_onnx_at *at)
{
    dv_slice_params *slice = &at->op.params.slice;
    size_t begins, ends, axes;
    DV_TRY(dv_onnx_ints(at, "starts", DV_MAX_RANK, slice->begin, &begins));
    DV_TRY(dv_onnx_ints(at, "ends", DV_MAX_RANK, slice->end, &ends));
    DV_TRY(dv_onnx_ints(at, "axes", DV_MAX_RANK, slice->axes, &axes));
    if (at->op.input_count >= 3)
        return DV_OK;
    if (begins == 0 || begins != ends || (axes != 0 && axes != begins))
        return dv_fail(DV_BAD_INPUT, "its starts, ends and axes do not match");
    slice->count = (uint8_t)begins;
    for (size_t i = 0; i < begins; i++) {
        slice->step[i] = 1;
        if (axes == 0)
            slice->axes[i] = (int64_t)i;
    }
    return DV_OK;
}

/* pads: attribute before opset 11 (paddings before 2), input since; begins of all dims, then ends.
 */
dv_status dv_onnx_op_pad(dv_onnx_at *at)
{
    dv_pad_params *pad = &at->op.params.pad;
    dv_span mode;
    DV_TRY(dv_onnx_text(at, "mode", "constant", &mode));
    if (dv_span_is(mode, "reflect"))
        pad->mode = DV_PAD_REFLECT;
    else if (dv_span_is(mode, "edge"))
        pad->mode = DV_PAD_EDGE;
    else if (dv_span_is(mode, "wrap"))
        pad->mode = DV_PAD_WRAP;
    else if (!dv_span_is(mode, "constant"))
        return dv_onnx_opaque(at, "mode = '%.*s' is not supported",
                              (int)(mode.size > 40 ? 40 : mode.size), (const char *)mode.data);
    DV_TRY(dv_onnx_float(at, "value", 0.0, &pad->value));
    const char *name = dv_onnx_has(at, "paddings") ? "paddings" : "pads";
    int64_t pads[2 * DV_MAX_RANK];
    size_t count;
    DV_TRY(dv_onnx_ints(at, name, 2 * DV_MAX_RANK, pads, &count));
    if (count == 0 && !dv_onnx_given_input(at, 1))
        return dv_fail(DV_BAD_INPUT, "its pads are missing");
    if (count % 2 != 0)
        return dv_fail(DV_BAD_INPUT, "attribute '%s' has an odd count of numbers", name);
    pad->rank = (uint8_t)(count / 2);
    memcpy(pad->begin, pads, count / 2 * sizeof *pads);
    memcpy(pad->end, pads + count / 2, count / 2 * sizeof *pads);
    return DV_OK;
}

/* ---- indexed reads ---- */

dv_status dv_onnx_op_gather(dv_onnx_at *at)
{
    return dv_onnx_int(at, "axis", 0, &at->op.params.axis.axis);
}

dv_status dv_onnx_op_depth_to_space(dv_onnx_at *at)
{
    dv_shuffle_params *shuffle = &at->op.params.shuffle;
    dv_span mode;
    DV_TRY(dv_onnx_int(at, "blocksize", 0, &shuffle->block));
    DV_TRY(dv_onnx_text(at, "mode", "DCR", &mode));
    if (shuffle->block < 1 || shuffle->block > INT32_MAX)
        return dv_fail(DV_BAD_INPUT, "attribute 'blocksize' must be 1 or more");
    shuffle->dcr = dv_span_is(mode, "DCR");
    if (!shuffle->dcr && !dv_span_is(mode, "CRD"))
        return dv_fail(DV_BAD_INPUT, "attribute 'mode' must be DCR or CRD");
    return DV_OK;
}

dv_status dv_onnx_op_trilu(dv_onnx_at *at)
{
    return dv_onnx_flag(at, "upper", true, &at->op.params.tri.upper);
}

/* ---- shape plumbing ---- */

dv_status dv_onnx_op_shape(dv_onnx_at *at)
{
    dv_slice_params *slice = &at->op.params.slice;
    slice->count = 1;
    slice->step[0] = 1;
    DV_TRY(dv_onnx_int(at, "start", 0, &slice->begin[0]));
    return dv_onnx_int(at, "end", INT64_MAX, &slice->end[0]);
}

/* value is a tensor of one element; absent, 0 as f32. */
dv_status dv_onnx_op_constant_of_shape(dv_onnx_at *at)
{
    dv_full_params *full = &at->op.params.full;
    full->dtype = DV_DTYPE_F32;
    full->shape.rank = DV_RANK_UNKNOWN;
    const dv_onnx_attribute *attribute = dv_onnx_attribute_of(at, "value");
    if (!attribute)
        return DV_OK;
    if (!(attribute->given & DV_ONNX_T))
        return dv_fail(DV_BAD_INPUT, "attribute 'value' must be a tensor");
    dv_onnx_tensor view;
    dv_tensor tensor = {0};
    DV_TRY(dv_onnx_read_tensor(attribute->t, at->file, &view));
    DV_TRY(dv_onnx_tensor_data(at->files, &view, &tensor));
    size_t elements;
    dv_status status = DV_OK;
    if (tensor.data.storage == DV_STORAGE_NONE) {
        status = dv_onnx_opaque(at, "elements of type %s are not supported",
                                dv_onnx_type_name(view.type));
    } else if (!dv_shape_elements(&tensor.shape, &elements) || elements != 1) {
        status = dv_fail(DV_BAD_INPUT, "attribute 'value' must have one element");
    } else {
        full->dtype = tensor.dtype;
        full->value = dv_onnx_first_element(&tensor);
    }
    dv_buffer_release(tensor.data.buffer);
    return status;
}
