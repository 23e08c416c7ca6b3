/* move.c - concatenation, permutation, slices and splits: copies between strided descriptions. */
#include <stdlib.h>
#include <string.h>

#include "runtime/onednn/ops.h"

enum { MOST_INPUTS = 64 };

/* The layout to cut or join along an axis: as at hand, but blocks are not cut. */
static uint32_t layout_along(const dv_program *program, dv_tensor_id tensor, int64_t axis)
{
    uint32_t layout = dv_dnn_at_hand(program, tensor);
    return layout == DV_LAYOUT_OWN && axis == 1 ? DV_LAYOUT_CHANNELS_LAST : layout;
}

static bool whole_blocks(const dv_program *program, const dv_op *op)
{
    for (uint32_t i = 0; i < op->input_count; i++) {
        const dv_shape *shape = &dv_program_graph(program)->tensors[op->inputs[i]].shape;
        if (dv_dnn_at_hand(program, op->inputs[i]) != DV_LAYOUT_OWN ||
            shape->dim[1] % dv_dnn_context_of(program)->block != 0)
            return false;
    }
    return true;
}

dv_status dv_dnn_lower_cat(dv_program *program, uint32_t at, bool *done)
{
    const dv_dnn_context *context = dv_dnn_context_of(program);
    const dv_tensor *tensors = dv_program_graph(program)->tensors;
    const dv_op *op = dv_program_op(program, at);
    const dv_shape *y = &tensors[op->outputs[0]].shape;
    int64_t axis = op->params.axis.axis;
    if (op->input_count > MOST_INPUTS || axis < 0 || axis >= y->rank)
        return DV_OK;
    for (uint32_t i = 0; i < op->input_count; i++)
        if (op->inputs[i] == DV_NONE || tensors[op->inputs[i]].shape.rank != y->rank)
            return DV_OK;
    uint32_t layout = layout_along(program, op->inputs[0], axis);
    if (y->rank == 4 && whole_blocks(program, op))
        layout = DV_LAYOUT_OWN;
    dnnl_memory_desc_t from[MOST_INPUTS], to = dv_dnn_desc(context, y, layout);
    dv_dnn_operand operands[MOST_INPUTS + 1];
    for (uint32_t i = 0; i < op->input_count; i++)
        from[i] = dv_dnn_desc(context, &tensors[op->inputs[i]].shape, layout);
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    if (dnnl_primitive_attr_create(&attr) != dnnl_success)
        return DV_OK;
    dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    dnnl_status_t created = dnnl_concat_primitive_desc_create(
        &pd, &to, (int)op->input_count, (int)axis, from, attr, context->engine);
    dnnl_primitive_attr_destroy(attr);
    if (created != dnnl_success)
        return DV_OK;
    *done = true;
    dv_status status = DV_OK;
    for (uint32_t i = 0; i < op->input_count && status == DV_OK; i++) {
        operands[i] = (dv_dnn_operand){.arg = DNNL_ARG_MULTIPLE_SRC + (int)i, .desc = from[i]};
        status = dv_program_read(program, op->inputs[i], layout, &operands[i].value);
    }
    operands[op->input_count] = (dv_dnn_operand){.arg = DNNL_ARG_DST, .desc = to};
    if (status == DV_OK)
        status =
            dv_program_write(program, op->outputs[0], layout, &operands[op->input_count].value);
    if (status != DV_OK) {
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    return dv_dnn_add(program, pd, operands, op->input_count + 1);
}

dv_status dv_dnn_lower_permute(dv_program *program, uint32_t at, bool *done)
{
    static const uint8_t to_last[4] = {0, 2, 3, 1}, from_last[4] = {0, 3, 1, 2};
    const dv_tensor *tensors = dv_program_graph(program)->tensors;
    const dv_op *op = dv_program_op(program, at);
    const dv_permute_params *p = &op->params.permute;
    const dv_shape *x = &tensors[op->inputs[0]].shape, *y = &tensors[op->outputs[0]].shape;
    if (p->rank != x->rank || x->rank != y->rank || x->rank < 1)
        return DV_OK;
    if (p->rank == 4 && memcmp(p->perm, to_last, 4) == 0) {
        *done = true;
        return dv_program_alias(program, op->inputs[0], DV_LAYOUT_CHANNELS_LAST, op->outputs[0],
                                DV_LAYOUT_PLAIN);
    }
    if (p->rank == 4 && memcmp(p->perm, from_last, 4) == 0) {
        *done = true;
        return dv_program_alias(program, op->inputs[0], DV_LAYOUT_PLAIN, op->outputs[0],
                                DV_LAYOUT_CHANNELS_LAST);
    }
    dnnl_memory_desc_t plain = dv_dnn_desc_padded(x, x->rank), from = {0};
    dnnl_memory_desc_t to = dv_dnn_desc_padded(y, y->rank);
    dnnl_dims_t dims, strides;
    for (uint8_t i = 0; i < p->rank; i++) {
        dims[i] = x->dim[p->perm[i]];
        strides[i] = plain.format_desc.blocking.strides[p->perm[i]];
        if (dims[i] != y->dim[i])
            return DV_OK;
    }
    if (dnnl_memory_desc_init_by_strides(&from, p->rank, dims, dnnl_f32, strides) != dnnl_success)
        return DV_OK;
    *done = true;
    dv_value input, output;
    DV_TRY(dv_program_read(program, op->inputs[0], DV_LAYOUT_PLAIN, &input));
    DV_TRY(dv_program_write(program, op->outputs[0], DV_LAYOUT_PLAIN, &output));
    return dv_dnn_add_reorder(program, &from, input, &to, output);
}

/* Copies the part of `tensor` that begins at `begin` into `part`, both in one layout. */
static dv_status add_part(dv_program *program, dv_tensor_id tensor, const int64_t *begin,
                          dv_tensor_id part, uint32_t layout)
{
    const dv_dnn_context *context = dv_dnn_context_of(program);
    const dv_tensor *tensors = dv_program_graph(program)->tensors;
    const dv_shape *shape = &tensors[part].shape;
    dnnl_memory_desc_t whole = dv_dnn_desc(context, &tensors[tensor].shape, layout), from = {0};
    dnnl_memory_desc_t to = dv_dnn_desc(context, shape, layout);
    dnnl_dims_t dims, offsets;
    for (uint8_t i = 0; i < shape->rank; i++) {
        dims[i] = shape->dim[i];
        offsets[i] = begin[i];
    }
    if (dnnl_memory_desc_init_submemory(&from, &whole, dims, offsets) != dnnl_success)
        return dv_fail(DV_INTERNAL, "oneDNN cannot cut tensor '%s'", tensors[tensor].name);
    dv_value input, output;
    DV_TRY(dv_program_read(program, tensor, layout, &input));
    DV_TRY(dv_program_write(program, part, layout, &output));
    return dv_dnn_add_reorder(program, &from, input, &to, output);
}

/* Contiguous ranges of any axes. */
dv_status dv_dnn_lower_slice(dv_program *program, uint32_t at, bool *done)
{
    const dv_tensor *tensors = dv_program_graph(program)->tensors;
    const dv_op *op = dv_program_op(program, at);
    const dv_shape *x = &tensors[op->inputs[0]].shape, *y = &tensors[op->outputs[0]].shape;
    const dv_slice_params *p = &op->params.slice;
    if (p->count != x->rank || y->rank != x->rank || x->rank < 1)
        return DV_OK;
    bool channels = false;
    for (uint8_t i = 0; i < x->rank; i++) {
        if (p->step[i] != 1 || p->begin[i] < 0 || p->begin[i] + y->dim[i] > x->dim[i])
            return DV_OK;
        channels = channels || (i == 1 && y->dim[i] != x->dim[i]);
    }
    *done = true;
    return add_part(program, op->inputs[0], p->begin, op->outputs[0],
                    layout_along(program, op->inputs[0], channels ? 1 : 0));
}

dv_status dv_dnn_lower_split(dv_program *program, uint32_t at, bool *done)
{
    const dv_tensor *tensors = dv_program_graph(program)->tensors;
    const dv_op *op = dv_program_op(program, at);
    const dv_shape *x = &tensors[op->inputs[0]].shape;
    const dv_split_params *p = &op->params.split;
    int64_t begin[DV_MAX_RANK] = {0};
    if (p->axis < 0 || p->axis >= x->rank || p->count != op->output_count)
        return DV_OK;
    *done = true;
    uint32_t layout = layout_along(program, op->inputs[0], p->axis);
    for (uint32_t i = 0; i < op->output_count; i++) {
        if (op->outputs[i] != DV_NONE)
            DV_TRY(add_part(program, op->inputs[0], begin, op->outputs[i], layout));
        begin[p->axis] += p->sizes[i];
    }
    return DV_OK;
}
