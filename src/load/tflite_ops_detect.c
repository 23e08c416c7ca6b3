/* tflite_ops_detect.c - operators that pick boxes: non-maximum suppression, and the custom operator
   that ends detectors. They have room for a fixed number of boxes. */
#include <math.h>

#include "load/flexbuffer.h"
#include "load/tflite_build.h"

/* Adds the operator; results[i] becomes output i unless it is DV_NONE. */
static dv_status emit_outputs(dv_tfl_at *at, dv_op_kind kind, const dv_op_params *params,
                              const dv_tensor_id *inputs, const dv_tensor_id *outputs,
                              uint32_t output_count)
{
    dv_op op = at->like;
    dv_op_id id;
    op.kind = kind;
    op.params = *params;
    op.inputs = inputs;
    op.input_count = at->inputs.count - (kind == DV_OP_SUPPRESS);
    op.outputs = outputs;
    op.output_count = output_count;
    return dv_graph_add_op(at->b->graph, &op, &id);
}

/* (boxes, scores, most boxes, overlap, least score[, sigma]) to (which, [their scores,] how many).
 */
dv_status dv_tfl_op_suppress(dv_tfl_at *at)
{
    bool soft = at->inputs.count == 6;
    dv_tensor_id inputs[5], outputs[3];
    dv_op_params params = {0};
    int count;
    DV_TRY(dv_tfl_ints(at, 2, 1, &params.suppress.most, &count));
    if (count != 1)
        return dv_tfl_opaque(at, "how many boxes it keeps at most is computed, which is not "
                                 "supported");
    if (at->outputs.count != (soft ? 3u : 2u))
        return dv_fail(DV_BAD_INPUT, "it has %u outputs, not %d", at->outputs.count, soft ? 3 : 2);
    for (uint32_t i = 0, k = 0; i < at->inputs.count; i++)
        if (i != 2)
            DV_TRY(dv_tfl_plain_input(at, i, &inputs[k++]));
    for (uint32_t i = 0; i < 3; i++) {
        outputs[i] = DV_NONE;
        if (soft || i != 1)
            DV_TRY(dv_tfl_add_activation(at->b, at->part, &outputs[i]));
    }
    DV_TRY(emit_outputs(at, DV_OP_SUPPRESS, &params, inputs, outputs, 3));
    for (uint32_t i = 0, k = 0; i < 3; i++)
        if (outputs[i] != DV_NONE)
            DV_TRY(dv_tfl_result(at, k++, outputs[i], false));
    return DV_OK;
}

/* An attribute; absent NAN: it must be there. */
static bool attribute(const dv_fb_vector *options, const char *name, double absent, double *out)
{
    *out = absent;
    return dv_flex_number(dv_fb_bytes(options), name, out) || !isnan(absent);
}

static bool whole(const dv_fb_vector *options, const char *name, double absent, int64_t *out)
{
    double number;
    if (!attribute(options, name, absent, &number) || !(fabs(number) <= INT32_MAX))
        return false;
    *out = (int64_t)number;
    return true;
}

static bool read_attributes(const dv_fb_vector *options, dv_detect_params *p)
{
    int64_t by_class;
    if (!whole(options, "max_detections", NAN, &p->most) ||
        !whole(options, "max_classes_per_detection", NAN, &p->classes_per_box) ||
        !whole(options, "num_classes", NAN, &p->classes) ||
        !whole(options, "detections_per_class", 100, &p->most_per_class) ||
        !whole(options, "use_regular_nms", 0, &by_class) ||
        !attribute(options, "nms_score_threshold", NAN, &p->score) ||
        !attribute(options, "nms_iou_threshold", NAN, &p->overlap) ||
        !attribute(options, "y_scale", NAN, &p->y_scale) ||
        !attribute(options, "x_scale", NAN, &p->x_scale) ||
        !attribute(options, "h_scale", NAN, &p->h_scale) ||
        !attribute(options, "w_scale", NAN, &p->w_scale))
        return false;
    p->by_class = by_class != 0;
    double *const scales[] = {&p->y_scale, &p->x_scale, &p->h_scale, &p->w_scale};
    for (int i = 0; i < 4; i++)
        *scales[i] = (double)(float)*scales[i];
    return true;
}

/* (box encodings, scores, anchors) to (boxes, classes, scores, how many). */
dv_status dv_tfl_op_custom_detect(dv_tfl_at *at)
{
    dv_fb_vector options = dv_fb_list(&at->node, 5, 1);
    dv_op_params params = {0};
    dv_tensor_id inputs[3], outputs[4];
    if (!read_attributes(&options, &params.detect))
        return dv_tfl_opaque(at, "its attributes are not those that TFLite's converter writes");
    if (at->outputs.count != 4)
        return dv_fail(DV_BAD_INPUT, "it has %u outputs, not 4", at->outputs.count);
    for (uint32_t i = 0; i < 3; i++)
        DV_TRY(dv_tfl_plain_input(at, i, &inputs[i]));
    for (uint32_t i = 0; i < 4; i++)
        DV_TRY(dv_tfl_add_activation(at->b, at->part, &outputs[i]));
    DV_TRY(emit_outputs(at, DV_OP_DETECT, &params, inputs, outputs, 4));
    for (uint32_t i = 0; i < 4; i++)
        DV_TRY(dv_tfl_result(at, i, outputs[i], false));
    return DV_OK;
}
