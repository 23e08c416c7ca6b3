/* onnx_ops_resize.c - resampling of images. */
#include "load/onnx_ops.h"

static bool one_of(dv_span text, const char *const *names, size_t count, size_t *which)
{
    for (*which = 0; *which < count; ++*which)
        if (dv_span_is(text, names[*which]))
            return true;
    return false;
}

static dv_status unsupported(dv_onnx_at *at, const char *attribute, dv_span value)
{
    return dv_onnx_opaque(at, "%s = '%.*s' is not supported", attribute,
                          (int)(value.size > 40 ? 40 : value.size), (const char *)value.data);
}

static dv_status read_mode(dv_onnx_at *at)
{
    dv_span mode;
    DV_TRY(dv_onnx_text(at, "mode", "nearest", &mode));
    if (dv_span_is(mode, "nearest"))
        at->op.kind = DV_OP_UPSAMPLE_NEAREST;
    else if (dv_span_is(mode, "linear") || dv_span_is(mode, "bilinear"))
        at->op.kind = DV_OP_UPSAMPLE_BILINEAR;
    else if (dv_span_is(mode, "cubic"))
        at->op.kind = DV_OP_UPSAMPLE_BICUBIC;
    else
        return unsupported(at, "mode", mode);
    return DV_OK;
}

/* (x + 1/2) / scale is half_pixel's coordinate plus 1/2, so rounding to nearest of it is rounding
   half_pixel's up, and rounding it down is rounding half_pixel's to nearest. */
static dv_status read_half_pixel_for_nearest(dv_onnx_at *at, dv_span rounding)
{
    dv_resize_params *resize = &at->op.params.resize;
    resize->coordinate = DV_COORDINATE_HALF_PIXEL;
    if (resize->nearest == DV_NEAREST_FLOOR)
        resize->nearest = DV_NEAREST_ROUND_PREFER_CEIL;
    else if (resize->nearest == DV_NEAREST_ROUND_PREFER_FLOOR)
        resize->nearest = DV_NEAREST_CEIL;
    else
        return unsupported(at, "nearest_mode", rounding);
    return DV_OK;
}

static dv_status read_coordinates(dv_onnx_at *at, dv_resize_params *resize)
{
    static const char *const coordinates[] = {
        "half_pixel",           "pytorch_half_pixel", "align_corners",       "asymmetric",
        "half_pixel_symmetric", "tf_crop_and_resize", "tf_half_pixel_for_nn"};
    static const char *const nearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                          "ceil"};
    dv_span coordinate, rounding;
    size_t c, n;
    DV_TRY(dv_onnx_text(at, "coordinate_transformation_mode", "half_pixel", &coordinate));
    DV_TRY(dv_onnx_text(at, "nearest_mode", "round_prefer_floor", &rounding));
    if (!one_of(coordinate, coordinates, 7, &c))
        return unsupported(at, "coordinate_transformation_mode", coordinate);
    if (!one_of(rounding, nearest, 4, &n))
        return unsupported(at, "nearest_mode", rounding);
    resize->nearest = (dv_nearest_mode)n;
    if (c == 6)
        return read_half_pixel_for_nearest(at, rounding);
    resize->coordinate = (dv_coordinate_mode)c;
    return DV_OK;
}

static dv_status read_policy(dv_onnx_at *at, dv_resize_params *resize)
{
    static const char *const policies[] = {"stretch", "not_larger", "not_smaller"};
    dv_span policy;
    size_t which, count;
    DV_TRY(dv_onnx_text(at, "keep_aspect_ratio_policy", "stretch", &policy));
    DV_TRY(dv_onnx_ints(at, "axes", DV_MAX_RANK, resize->axes, &count));
    if (!one_of(policy, policies, 3, &which))
        return unsupported(at, "keep_aspect_ratio_policy", policy);
    resize->policy = (dv_resize_policy)which;
    resize->axis_count = (uint8_t)count;
    return DV_OK;
}

/* Inputs (data, roi, scales, sizes) since opset 11; (data, scales) and plain asymmetric sampling
   in opset 10. */
dv_status dv_onnx_op_resize(dv_onnx_at *at)
{
    dv_resize_params *resize = &at->op.params.resize;
    DV_TRY(read_mode(at));
    if (at->op.kind == DV_OP_OPAQUE)
        return DV_OK;
    if (at->opset < 11) {
        resize->coordinate = DV_COORDINATE_ASYMMETRIC;
        resize->nearest = DV_NEAREST_FLOOR;
        at->inputs[2] = at->op.input_count > 1 ? at->inputs[1] : DV_NONE;
        at->inputs[1] = DV_NONE;
        at->op.input_count = 3;
        return DV_OK;
    }
    resize->roi[2] = resize->roi[3] = 1;
    DV_TRY(dv_onnx_float(at, "cubic_coeff_a", -0.75, &resize->cubic));
    DV_TRY(dv_onnx_float(at, "extrapolation_value", 0.0, &resize->outside));
    DV_TRY(dv_onnx_flag(at, "exclude_outside", false, &resize->exclude_outside));
    DV_TRY(dv_onnx_flag(at, "antialias", false, &resize->antialias));
    DV_TRY(read_policy(at, resize));
    if (at->op.kind == DV_OP_OPAQUE)
        return DV_OK;
    /* an empty roi, scales or sizes is one that is not given */
    for (uint32_t i = 1; i < at->op.input_count; i++) {
        const dv_tensor *tensor = dv_onnx_constant(at, i);
        size_t elements;
        if (tensor && dv_shape_elements(&tensor->shape, &elements) && elements == 0)
            at->inputs[i] = DV_NONE;
    }
    return read_coordinates(at, resize);
}

/* Opset 7 has the scales as an attribute, opset 9 as an input, opset 1 by height and width. */
dv_status dv_onnx_op_upsample(dv_onnx_at *at)
{
    dv_resize_params *resize = &at->op.params.resize;
    DV_TRY(read_mode(at));
    if (at->op.kind == DV_OP_OPAQUE)
        return DV_OK;
    resize->coordinate = DV_COORDINATE_ASYMMETRIC;
    resize->nearest = DV_NEAREST_FLOOR;
    dv_tensor_id scales = at->op.input_count > 1 ? at->inputs[1] : DV_NONE;
    const dv_onnx_attribute *attribute = dv_onnx_attribute_of(at, "scales");
    float values[DV_MAX_RANK] = {1, 1};
    size_t count = 0;
    if (attribute) {
        DV_TRY(dv_onnx_read_floats(attribute, at->file, DV_MAX_RANK, values, &count));
    } else if (scales == DV_NONE) {
        double height, width;
        DV_TRY(dv_onnx_float(at, "height_scale", 1.0, &height));
        DV_TRY(dv_onnx_float(at, "width_scale", 1.0, &width));
        values[2] = (float)height;
        values[3] = (float)width;
        count = 4;
    }
    if (count > 0)
        DV_TRY(dv_onnx_floats(at, values, count, &scales));
    if (scales == DV_NONE)
        return dv_fail(DV_BAD_INPUT, "its scales are missing");
    at->inputs[1] = DV_NONE;
    at->inputs[2] = scales;
    at->op.input_count = 3;
    return DV_OK;
}
