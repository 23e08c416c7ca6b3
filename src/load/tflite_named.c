/* tflite_named.c - operators that are kept by name, and the shapes of what they make, as the file
   records them. */
#include "load/tflite_build.h"

/* What is known of output i, made as id: its elements, and its shape if that is fixed (a tensor
   whose shape depends on values has none, or no rank in files that tell). */
static dv_status record_output(const dv_tfl_at *at, uint32_t i, dv_tensor_id id)
{
    dv_tfl_tensor tensor;
    DV_TRY(dv_tfl_output(at, i, &tensor));
    bool scalar = tensor.shape.rank == 0 && dv_fb_flag(&tensor.table, 8, false);
    if ((tensor.shape.rank == 0 && !scalar) || tensor.open != 0)
        return at->b->fb.status;
    dv_tensor *made = dv_graph_tensor_mutable(at->b->graph, id);
    made->shape = tensor.shape;
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
