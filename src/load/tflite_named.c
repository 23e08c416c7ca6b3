/* tflite_named.c - operators that are kept by name, and the shapes of what they make: those that
   the file records, and for detections those that the operator's attributes tell, as the kernels of
   TFLite set them (detection_postprocess.cc, non_max_suppression.cc). */
#include <string.h>

#include "load/flexbuffer.h"
#include "load/tflite_build.h"

/* The one nonnegative integer of a constant input; -1 if it is computed. */
static dv_status count_of(const dv_tfl_at *at, uint32_t i, int64_t *out)
{
    int count;
    DV_TRY(dv_tfl_ints(at, i, 1, out, &count));
    if (count != 1 || *out < 0 || *out > INT32_MAX)
        *out = -1;
    return DV_OK;
}

/* (boxes [1, n, 4], classes [1, n], scores [1, n], how many [1]). */
static bool detection_shape(const dv_tfl_at *at, uint32_t i, dv_shape *out)
{
    dv_fb_vector options = dv_fb_list(&at->node, 5, 1);
    double most = 0, classes = 0;
    if (!dv_flex_number(dv_fb_bytes(&options), "max_detections", &most) ||
        !dv_flex_number(dv_fb_bytes(&options), "max_classes_per_detection", &classes) ||
        !(most >= 1 && most <= 1e6 && classes >= 1 && classes <= 1e3) || i > 3)
        return false;
    *out = (dv_shape){.rank = (uint8_t)(i == 0   ? 3
                                        : i == 3 ? 1
                                                 : 2),
                      .dim = {1, (int64_t)most * (int64_t)classes, 4}};
    return true;
}

/* (which [n], how many), with the scores [n] between them for V5. */
static dv_status suppression_shape(const dv_tfl_at *at, uint32_t i, dv_shape *out, bool *known)
{
    int64_t most;
    DV_TRY(count_of(at, 2, &most));
    *known = most >= 0;
    *out = (dv_shape){.rank = i + 1 < at->outputs.count, .dim = {most}};
    return DV_OK;
}

/* The shape of output i of an operator whose file need not tell. */
static dv_status told_shape(const dv_tfl_at *at, uint32_t i, dv_shape *out, bool *known)
{
    *known = false;
    if (strcmp(at->type, "TFLite_Detection_PostProcess") == 0)
        *known = detection_shape(at, i, out);
    else if (strncmp(at->type, "NON_MAX_SUPPRESSION_V", 21) == 0 && at->inputs.count > 2)
        return suppression_shape(at, i, out, known);
    return at->b->fb.status;
}

/* What is known of output i, made as id: its elements, and its shape if that is fixed (a tensor
   whose shape depends on values has none, or no rank in files that tell). */
static dv_status record_output(const dv_tfl_at *at, uint32_t i, dv_tensor_id id)
{
    dv_tfl_tensor tensor;
    bool known;
    DV_TRY(dv_tfl_output(at, i, &tensor));
    dv_shape shape = tensor.shape;
    DV_TRY(told_shape(at, i, &shape, &known));
    bool scalar = tensor.shape.rank == 0 && dv_fb_flag(&tensor.table, 8, false);
    known |= (tensor.shape.rank > 0 || scalar) && tensor.open == 0;
    if (!known)
        return at->b->fb.status;
    dv_tensor *made = dv_graph_tensor_mutable(at->b->graph, id);
    made->shape = shape;
    made->dtype = dv_tfl_stored_dtype(&tensor);
    size_t bytes;
    if (made->dtype != DV_DTYPE_NONE && !dv_tensor_bytes(made, &bytes))
        return dv_fail(DV_BAD_INPUT, "its output %u has more elements than memory can hold", i);
    return at->b->fb.status;
}

/* Room that a compiled operator works in is listed among its inputs, but nobody fills it. */
static bool is_filled(const dv_tfl_builder *b, uint32_t slot)
{
    const dv_tfl_slot *s = &b->scope->slots[slot];
    dv_tfl_tensor tensor;
    bool variable =
        dv_tfl_tensor_at((dv_tfl_builder *)b, slot, &tensor) == DV_OK && tensor.is_variable;
    return s->plain != DV_NONE || s->planar != DV_NONE || s->integers[0] != DV_NONE ||
           s->integers[1] != DV_NONE || s->constant != DV_NONE || variable;
}

dv_status dv_tfl_add_named(dv_tfl_at *at)
{
    dv_tfl_builder *b = at->b;
    dv_tensor_id *inputs = dv_arena_array(b->arena, at->inputs.count, sizeof *inputs);
    dv_tensor_id *outputs = dv_arena_array(b->arena, at->outputs.count, sizeof *outputs);
    if (!inputs || !outputs)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < at->inputs.count; i++) {
        inputs[i] = DV_NONE;
        if (dv_tfl_given(at, i) && is_filled(b, dv_tfl_slot_of(at, i)))
            DV_TRY(dv_tfl_memory(b, dv_tfl_slot_of(at, i), &inputs[i]));
    }
    for (uint32_t i = 0; i < at->outputs.count; i++) {
        DV_TRY(dv_tfl_add_activation(b, at->part, &outputs[i]));
        DV_TRY(record_output(at, i, outputs[i]));
        DV_TRY(dv_tfl_result_in_memory(at, i, outputs[i]));
    }
    dv_op op = at->like;
    op.kind = DV_OP_OPAQUE;
    op.inputs = inputs;
    op.input_count = at->inputs.count;
    op.outputs = outputs;
    op.output_count = at->outputs.count;
    dv_op_id id;
    return dv_graph_add_op(b->graph, &op, &id);
}
