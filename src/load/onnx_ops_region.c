/* onnx_ops_region.c - images read and written at computed places. */
#include <math.h>
#include <string.h>

#include "load/onnx_ops.h"

static dv_status choice(dv_onnx_at *at, const char *name, const char *const *names, size_t count,
                        size_t *which)
{
    dv_span text;
    DV_TRY(dv_onnx_text(at, name, names[0], &text));
    for (*which = 0; *which < count; ++*which)
        if (dv_span_is(text, names[*which]))
            return DV_OK;
    return dv_onnx_opaque(at, "%s = '%.*s' is not supported", name,
                          (int)(text.size > 40 ? 40 : text.size), (const char *)text.data);
}

/* ---- grids ---- */

/* Opset 16 said bilinear and bicubic where opset 20 says linear and cubic. */
dv_status dv_onnx_op_grid_sample(dv_onnx_at *at)
{
    static const char *const modes[] = {"linear", "bilinear", "nearest", "cubic", "bicubic"};
    static const dv_sample_mode meant[] = {DV_SAMPLE_LINEAR, DV_SAMPLE_LINEAR, DV_SAMPLE_NEAREST,
                                           DV_SAMPLE_CUBIC, DV_SAMPLE_CUBIC};
    static const char *const borders[] = {"zeros", "border", "reflection"};
    size_t mode, border;
    bool align_corners;
    DV_TRY(dv_onnx_flag(at, "align_corners", false, &align_corners));
    DV_TRY(choice(at, "mode", modes, 5, &mode));
    if (at->op.kind != DV_OP_OPAQUE)
        DV_TRY(choice(at, "padding_mode", borders, 3, &border));
    if (at->op.kind == DV_OP_OPAQUE)
        return DV_OK;
    at->op.params.grid = (dv_grid_params){.mode = meant[mode],
                                          .border = (dv_border)border,
                                          .align_corners = align_corners,
                                          .shape = {.rank = DV_RANK_UNKNOWN}};
    return DV_OK;
}

dv_status dv_onnx_op_affine_grid(dv_onnx_at *at)
{
    at->op.params.grid.shape.rank = DV_RANK_UNKNOWN;
    return dv_onnx_flag(at, "align_corners", false, &at->op.params.grid.align_corners);
}

/* ---- regions ---- */

/* Pixels have had their middles at halves by default since opset 16. */
dv_status dv_onnx_op_roi_align(dv_onnx_at *at)
{
    static const char *const modes[] = {"avg", "max"};
    static const char *const early[] = {"output_half_pixel", "half_pixel"};
    static const char *const late[] = {"half_pixel", "output_half_pixel"};
    dv_region_params *region = &at->op.params.region;
    size_t mode, coordinate;
    DV_TRY(dv_onnx_int(at, "output_height", 1, &region->height));
    DV_TRY(dv_onnx_int(at, "output_width", 1, &region->width));
    DV_TRY(dv_onnx_int(at, "sampling_ratio", 0, &region->samples));
    DV_TRY(dv_onnx_float(at, "spatial_scale", 1.0, &region->scale));
    DV_TRY(choice(at, "coordinate_transformation_mode", at->opset < 16 ? early : late, 2,
                  &coordinate));
    if (at->op.kind != DV_OP_OPAQUE)
        DV_TRY(choice(at, "mode", modes, 2, &mode));
    if (at->op.kind == DV_OP_OPAQUE)
        return DV_OK;
    region->half_pixel = (coordinate == 0) == (at->opset >= 16);
    region->largest = mode == 1;
    return DV_OK;
}

dv_status dv_onnx_op_max_roi_pool(dv_onnx_at *at)
{
    dv_region_params *region = &at->op.params.region;
    int64_t shape[2];
    size_t count;
    DV_TRY(dv_onnx_ints(at, "pooled_shape", 2, shape, &count));
    if (count != 2)
        return dv_fail(DV_BAD_INPUT, "attribute 'pooled_shape' must be two numbers");
    region->height = shape[0];
    region->width = shape[1];
    return dv_onnx_float(at, "spatial_scale", 1.0, &region->scale);
}

/* ---- sequences ---- */

dv_status dv_onnx_op_reverse_sequence(dv_onnx_at *at)
{
    DV_TRY(dv_onnx_int(at, "batch_axis", 1, &at->op.params.reverse.batch));
    return dv_onnx_int(at, "time_axis", 0, &at->op.params.reverse.axis);
}

/* ---- what is chosen, and where ---- */

/* Elements, or slices along the axis, where the condition holds: those at the places where it is
   not zero. */
dv_status dv_onnx_op_compress(dv_onnx_at *at)
{
    dv_op_params along = {.axis = {.axis = 0}}, row = {.axes = {.count = 1, .axes = {0}}};
    dv_op_params open = {.view = {.shape = {.rank = DV_RANK_UNKNOWN}}};
    dv_tensor_id x = at->inputs[0], places, flat;
    DV_TRY(dv_onnx_int(at, "axis", 0, &along.axis.axis));
    if (!dv_onnx_has(at, "axis")) {
        DV_TRY(dv_onnx_list(at, (int64_t[]){-1}, 1, &flat));
        DV_TRY(dv_onnx_emit(at, DV_OP_VIEW, &open, x, flat, &x));
    }
    DV_TRY(dv_onnx_emit(at, DV_OP_NONZERO, NULL, at->inputs[1], DV_NONE, &places));
    DV_TRY(dv_onnx_emit(at, DV_OP_SQUEEZE, &row, places, DV_NONE, &places));
    dv_onnx_become(at, DV_OP_INDEX_SELECT, x, places, DV_NONE);
    at->op.params = along;
    return DV_OK;
}

/* Cut or padded at both ends alike, the odd one at the end: a PAD by half the difference of sizes,
   which may be less than nothing, and by the rest. */
dv_status dv_onnx_op_center_crop_pad(dv_onnx_at *at)
{
    dv_op_params whole = {.slice = {.count = 1, .end = {INT64_MAX}, .step = {1}}};
    dv_op_params along = {.axis = {.axis = 0}};
    int64_t axes[DV_MAX_RANK];
    size_t count;
    dv_tensor_id list = DV_NONE, have, two, more, begin, end, pads;
    DV_TRY(dv_onnx_ints(at, "axes", DV_MAX_RANK, axes, &count));
    DV_TRY(dv_onnx_emit(at, DV_OP_SHAPE, &whole, at->inputs[0], DV_NONE, &have));
    if (count > 0) {
        DV_TRY(dv_onnx_list(at, axes, count, &list));
        DV_TRY(dv_onnx_emit(at, DV_OP_INDEX_SELECT, &along, have, list, &have));
    }
    DV_TRY(dv_onnx_scalar(at, DV_DTYPE_I64, 2, &two));
    DV_TRY(dv_onnx_emit(at, DV_OP_SUB, NULL, at->inputs[1], have, &more));
    DV_TRY(dv_onnx_emit(at, DV_OP_DIV, NULL, more, two, &begin)); /* toward zero */
    DV_TRY(dv_onnx_emit(at, DV_OP_SUB, NULL, more, begin, &end));
    DV_TRY(dv_onnx_emit(at, DV_OP_CAT, &along, begin, end, &pads));
    at->op.kind = DV_OP_PAD;
    at->op.params = (dv_op_params){.pad = {.mode = DV_PAD_CONSTANT}};
    at->inputs[1] = pads;
    at->inputs[2] = DV_NONE;
    at->inputs[3] = list;
    at->op.input_count = list == DV_NONE ? 2 : 4;
    return DV_OK;
}

/* Elements or slices along the axis that differ. */
dv_status dv_onnx_op_unique(dv_onnx_at *at)
{
    dv_unique_params *unique = &at->op.params.unique;
    unique->flat = !dv_onnx_has(at, "axis");
    DV_TRY(dv_onnx_int(at, "axis", 0, &unique->axis));
    return dv_onnx_flag(at, "sorted", true, &unique->sorted);
}

/* Inputs (boxes, scores[, most boxes of a class[, overlap[, least score]]]). */
dv_status dv_onnx_op_nms(dv_onnx_at *at)
{
    at->op.params.nms.score = -(double)INFINITY;
    return dv_onnx_flag(at, "center_point_box", false, &at->op.params.nms.centred);
}
