/* move.c - data movement: concatenation, splitting and slicing as strided row copies, padding,
   resizing, and permutations that are only another layout. */
#include <math.h>
#include <string.h>

#include "runtime/layout.h"
#include "runtime/xnnpack/ops.h"

/* Dimensions of a tensor in the order in which they lie in memory. */
static uint8_t lie(const dv_shape *shape, bool last, size_t dims[DV_MAX_RANK])
{
    static const uint8_t order[4] = {0, 2, 3, 1};
    for (uint8_t i = 0; i < shape->rank; i++)
        dims[i] = (size_t)shape->dim[last ? order[i] : i];
    return shape->rank;
}

static uint8_t axis_in_memory(uint8_t axis, bool last)
{
    static const uint8_t place[4] = {0, 3, 1, 2};
    return last ? place[axis] : axis;
}

/* rows, and elements a row, when memory is cut at an axis. */
static void cut(const dv_shape *shape, int64_t axis, bool last, size_t *rows, size_t *length)
{
    size_t dims[DV_MAX_RANK];
    uint8_t rank = lie(shape, last, dims), at = axis_in_memory((uint8_t)axis, last);
    *rows = *length = 1;
    for (uint8_t i = 0; i < rank; i++)
        *(i < at ? rows : length) *= dims[i];
}

/* Copies `rows` rows of `length` elements from one stride and offset (in elements) to another. */
static dv_status add_rows(dv_program *program, size_t rows, size_t length, size_t from_stride,
                          size_t from_offset, size_t to_stride, size_t to_offset, dv_value from,
                          dv_value to)
{
    dv_xnn_step *step = dv_xnn_step_create(program, dv_xnn_setup_unary);
    if (!step)
        return DV_NO_MEMORY;
    step->unary = (dv_xnn_unary_setup)(void (*)(void))xnn_setup_copy_nc_x32;
    step->batch = rows;
    step->input_offset = from_offset * sizeof(float);
    step->output_offset = to_offset * sizeof(float);
    enum xnn_status status = xnn_create_copy_nc_x32(length, from_stride, to_stride, 0, &step->op);
    return dv_xnn_add(program, step, status, (dv_value[]){from, to}, 2);
}

static bool at_hand_last(const dv_program *program, dv_tensor_id tensor)
{
    const dv_tensor *t = &dv_program_graph(program)->tensors[tensor];
    return t->role != DV_ROLE_CONSTANT && dv_layout_may_be_channels_last(t->dtype, &t->shape) &&
           (dv_program_layouts(program, tensor) & 1u << DV_LAYOUT_CHANNELS_LAST) != 0;
}

dv_status dv_xnn_lower_cat(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_shape *y = &graph->tensors[op->outputs[0]].shape;
    int64_t axis = op->params.axis.axis, sum = 0;
    bool last = false;
    if (axis < 0 || axis >= y->rank)
        return DV_OK;
    for (uint32_t i = 0; i < op->input_count; i++) {
        if (op->inputs[i] == DV_NONE || graph->tensors[op->inputs[i]].shape.rank != y->rank)
            return DV_OK;
        sum += graph->tensors[op->inputs[i]].shape.dim[axis];
        last = last || at_hand_last(program, op->inputs[i]);
    }
    if (sum != y->dim[axis])
        return DV_OK;
    *done = true;
    uint32_t layout = last ? DV_LAYOUT_CHANNELS_LAST : DV_LAYOUT_PLAIN;
    size_t rows, total, offset = 0;
    dv_value to;
    DV_TRY(dv_program_write(program, op->outputs[0], layout, &to));
    cut(y, axis, last, &rows, &total);
    for (uint32_t i = 0; i < op->input_count; i++) {
        size_t same_rows, length;
        dv_value from;
        cut(&graph->tensors[op->inputs[i]].shape, axis, last, &same_rows, &length);
        DV_TRY(dv_program_read(program, op->inputs[i], layout, &from));
        DV_TRY(add_rows(program, rows, length, length, 0, total, offset, from, to));
        offset += length;
    }
    return DV_OK;
}

dv_status dv_xnn_lower_split(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_shape *x = &graph->tensors[op->inputs[0]].shape;
    const dv_split_params *p = &op->params.split;
    if (p->axis < 0 || p->axis >= x->rank || p->count != op->output_count)
        return DV_OK;
    *done = true;
    bool last = at_hand_last(program, op->inputs[0]);
    uint32_t layout = last ? DV_LAYOUT_CHANNELS_LAST : DV_LAYOUT_PLAIN;
    size_t rows, total, offset = 0;
    dv_value from;
    DV_TRY(dv_program_read(program, op->inputs[0], layout, &from));
    cut(x, p->axis, last, &rows, &total);
    for (uint32_t i = 0; i < op->output_count; i++) {
        size_t length = total / (size_t)x->dim[p->axis] * (size_t)p->sizes[i];
        if (op->outputs[i] != DV_NONE) {
            dv_value to;
            DV_TRY(dv_program_write(program, op->outputs[i], layout, &to));
            DV_TRY(add_rows(program, rows, length, total, offset, length, 0, from, to));
        }
        offset += length;
    }
    return DV_OK;
}

/* A contiguous range of one axis. */
dv_status dv_xnn_lower_slice(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_shape *x = &graph->tensors[op->inputs[0]].shape;
    const dv_shape *y = &graph->tensors[op->outputs[0]].shape;
    const dv_slice_params *p = &op->params.slice;
    int64_t axis = -1;
    if (p->count != x->rank || y->rank != x->rank || x->rank == 0)
        return DV_OK;
    for (uint8_t i = 0; i < x->rank; i++) {
        if (p->step[i] != 1)
            return DV_OK;
        if (y->dim[i] == x->dim[i])
            continue;
        if (axis >= 0)
            return DV_OK;
        axis = i;
    }
    if (axis < 0)
        axis = 0;
    if (p->begin[axis] < 0 || p->begin[axis] + y->dim[axis] > x->dim[axis])
        return DV_OK;
    *done = true;
    bool last = at_hand_last(program, op->inputs[0]);
    uint32_t layout = last ? DV_LAYOUT_CHANNELS_LAST : DV_LAYOUT_PLAIN;
    size_t rows, total, length;
    dv_value from, to;
    DV_TRY(dv_program_read(program, op->inputs[0], layout, &from));
    DV_TRY(dv_program_write(program, op->outputs[0], layout, &to));
    cut(x, axis, last, &rows, &total);
    cut(y, axis, last, &rows, &length);
    size_t offset = total / (size_t)x->dim[axis] * (size_t)p->begin[axis];
    return add_rows(program, rows, length, total, offset, length, 0, from, to);
}

static enum xnn_status setup_pad(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_constant_pad_nd_x32(step->op, step->rank_a, step->shape_a, step->before,
                                         step->after, memory[0], memory[1], step->pool);
}

dv_status dv_xnn_add_image_pad(dv_program *program, const dv_shape *shape, const int64_t before[2],
                               const int64_t after[2], dv_value input, dv_value output)
{
    const float zero = 0.0f;
    dv_xnn_step *step = dv_xnn_step_create(program, setup_pad);
    if (!step)
        return DV_NO_MEMORY;
    size_t dims[DV_MAX_RANK];
    step->rank_a = lie(shape, true, dims);
    memcpy(step->shape_a, dims, 4 * sizeof *dims);
    for (size_t i = 0; i < 2; i++) {
        step->before[1 + i] = (size_t)before[i];
        step->after[1 + i] = (size_t)after[i];
    }
    enum xnn_status status = xnn_create_constant_pad_nd_x32(&zero, 0, &step->op);
    return dv_xnn_add(program, step, status, (dv_value[]){input, output}, 2);
}

dv_status dv_xnn_lower_pad(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_shape *x = &graph->tensors[op->inputs[0]].shape;
    const dv_shape *y = &graph->tensors[op->outputs[0]].shape;
    const dv_pad_params *p = &op->params.pad;
    const float value = (float)p->value;
    if (p->mode != DV_PAD_CONSTANT || x->rank < 1 || x->rank > 6 || p->rank != x->rank)
        return DV_OK;
    for (uint8_t i = 0; i < x->rank; i++)
        if (p->begin[i] < 0 || p->end[i] < 0 || x->dim[i] + p->begin[i] + p->end[i] != y->dim[i])
            return DV_OK;
    *done = true;
    bool last = at_hand_last(program, op->inputs[0]);
    uint32_t layout = last ? DV_LAYOUT_CHANNELS_LAST : DV_LAYOUT_PLAIN;
    dv_value values[2];
    DV_TRY(dv_program_read(program, op->inputs[0], layout, &values[0]));
    DV_TRY(dv_program_write(program, op->outputs[0], layout, &values[1]));
    dv_xnn_step *step = dv_xnn_step_create(program, setup_pad);
    if (!step)
        return DV_NO_MEMORY;
    step->rank_a = x->rank;
    for (uint8_t i = 0; i < x->rank; i++) {
        uint8_t place = axis_in_memory(i, last);
        step->shape_a[place] = (size_t)x->dim[i];
        step->before[place] = (size_t)p->begin[i];
        step->after[place] = (size_t)p->end[i];
    }
    enum xnn_status status = xnn_create_constant_pad_nd_x32(&value, 0, &step->op);
    return dv_xnn_add(program, step, status, values, 2);
}

static enum xnn_status setup_resize(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_resize_bilinear2d_nhwc_f32(step->op, step->batch, step->height, step->width,
                                                step->out_height, step->out_width, memory[0],
                                                memory[1], step->pool);
}

/* The library takes the scale from the extents alone. */
static bool scale_is_exact(double scale, int64_t input, int64_t output)
{
    return fabs(scale * (double)input - (double)output) <= 1e-9 * (double)output;
}

dv_status dv_xnn_lower_resize(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_shape *x = &graph->tensors[op->inputs[0]].shape;
    const dv_shape *y = &graph->tensors[op->outputs[0]].shape;
    const dv_resize_params *p = &op->params.resize;
    uint32_t flags = 0;
    if (x->rank != 4 || y->rank != 4 || x->dim[0] != y->dim[0] || x->dim[1] != y->dim[1] ||
        x->dim[2] < 2 || x->dim[3] < 2 || y->dim[2] < 2 || y->dim[3] < 2)
        return DV_OK;
    switch (p->coordinate) {
    case DV_COORDINATE_HALF_PIXEL:
    case DV_COORDINATE_PYTORCH_HALF_PIXEL:
        break;
    case DV_COORDINATE_ASYMMETRIC:
        flags = XNN_FLAG_TENSORFLOW_LEGACY_MODE;
        break;
    case DV_COORDINATE_ALIGN_CORNERS:
        flags = XNN_FLAG_ALIGN_CORNERS;
        break;
    default:
        return DV_OK;
    }
    if (p->coordinate != DV_COORDINATE_ALIGN_CORNERS &&
        (!scale_is_exact(p->scale_h, x->dim[2], y->dim[2]) ||
         !scale_is_exact(p->scale_w, x->dim[3], y->dim[3])))
        return DV_OK;
    *done = true;
    dv_value values[2];
    DV_TRY(dv_program_read(program, op->inputs[0], DV_LAYOUT_CHANNELS_LAST, &values[0]));
    DV_TRY(dv_program_write(program, op->outputs[0], DV_LAYOUT_CHANNELS_LAST, &values[1]));
    dv_xnn_step *step = dv_xnn_step_create(program, setup_resize);
    if (!step)
        return DV_NO_MEMORY;
    size_t channels = (size_t)x->dim[1];
    step->batch = (size_t)x->dim[0];
    step->height = (size_t)x->dim[2];
    step->width = (size_t)x->dim[3];
    step->out_height = (size_t)y->dim[2];
    step->out_width = (size_t)y->dim[3];
    enum xnn_status status =
        xnn_create_resize_bilinear2d_nhwc_f32(channels, channels, channels, flags, &step->op);
    return dv_xnn_add(program, step, status, values, 2);
}

/* NCHW to NHWC and back as operators: the other layout under the new shape. */
dv_status dv_xnn_lower_permute(dv_program *program, uint32_t at, bool *done)
{
    static const uint8_t to_last[4] = {0, 2, 3, 1}, from_last[4] = {0, 3, 1, 2};
    const dv_op *op = dv_program_op(program, at);
    const dv_permute_params *p = &op->params.permute;
    if (p->rank != 4)
        return DV_OK;
    if (memcmp(p->perm, to_last, sizeof to_last) == 0) {
        *done = true;
        return dv_program_alias(program, op->inputs[0], DV_LAYOUT_CHANNELS_LAST, op->outputs[0],
                                DV_LAYOUT_PLAIN);
    }
    if (memcmp(p->perm, from_last, sizeof from_last) == 0) {
        *done = true;
        return dv_program_alias(program, op->inputs[0], DV_LAYOUT_PLAIN, op->outputs[0],
                                DV_LAYOUT_CHANNELS_LAST);
    }
    return DV_OK;
}
