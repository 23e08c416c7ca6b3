/* move.c - data movement: concatenation, splitting and slicing as strided row copies, padding,
   resizing, and permutations that are only another layout. */
#include <math.h>
#include <string.h>

#include "runtime/layout.h"
#include "runtime/xnnpack/integer_ops.h"

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

/* Rows of elements to copy, in elements. */
typedef struct rows_copy {
    size_t rows, length, from_stride, from_offset, to_stride, to_offset;
} rows_copy;

static dv_status add_rows(dv_program *program, const dv_tensor *tensor, const rows_copy *copy,
                          dv_value from, dv_value to)
{
    size_t element = dv_dtype_bytes(tensor->dtype);
    bool bytes = element == 1;
    dv_xnn_step *step = dv_xnn_step_create(program, dv_xnn_setup_unary);
    if (!step)
        return DV_NO_MEMORY;
    step->unary = (dv_xnn_unary_setup)(bytes ? (void (*)(void))xnn_setup_copy_nc_x8
                                             : (void (*)(void))xnn_setup_copy_nc_x32);
    step->batch = copy->rows;
    step->input_offset = copy->from_offset * element;
    step->output_offset = copy->to_offset * element;
    enum xnn_status status = (bytes ? xnn_create_copy_nc_x8 : xnn_create_copy_nc_x32)(
        copy->length, copy->from_stride, copy->to_stride, 0, &step->op);
    return dv_xnn_add(program, step, status, (dv_value[]){from, to}, 2);
}

/* The layout in which a tensor is moved: channels-last if it is at hand so; 8-bit integers in their
   other form if they are at hand in no other. */
static uint32_t moved_in(const dv_program *program, dv_tensor_id tensor)
{
    const dv_tensor *t = &dv_program_graph(program)->tensors[tensor];
    unsigned layouts = dv_program_layouts(program, tensor);
    if (t->role == DV_ROLE_CONSTANT)
        return DV_LAYOUT_PLAIN;
    if (dv_layout_may_be_channels_last(t->dtype, &t->shape) &&
        (layouts & 1u << DV_LAYOUT_CHANNELS_LAST) != 0)
        return DV_LAYOUT_CHANNELS_LAST;
    bool other = dv_program_is_bytes(t) && layouts == 1u << DV_LAYOUT_OWN;
    return other ? DV_LAYOUT_OWN : DV_LAYOUT_PLAIN;
}

/* Does a tensor of that rank lie channels-last in the layout? */
static bool lies_last(const dv_shape *shape, uint32_t layout)
{
    return shape->rank == 4 && layout != DV_LAYOUT_PLAIN;
}

dv_status dv_xnn_lower_cat(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_tensor *y = &graph->tensors[op->outputs[0]];
    int64_t axis = op->params.axis.axis, sum = 0;
    uint32_t layout = DV_LAYOUT_PLAIN;
    if (axis < 0 || axis >= y->shape.rank)
        return DV_OK;
    for (uint32_t i = 0; i < op->input_count; i++) {
        dv_tensor_id x = op->inputs[i];
        if (x == DV_NONE || graph->tensors[x].shape.rank != y->shape.rank)
            return DV_OK;
        sum += graph->tensors[x].shape.dim[axis];
        if (layout != DV_LAYOUT_CHANNELS_LAST && moved_in(program, x) != DV_LAYOUT_PLAIN)
            layout = moved_in(program, x);
    }
    if (sum != y->shape.dim[axis])
        return DV_OK;
    *done = true;
    bool last = lies_last(&y->shape, layout);
    rows_copy copy = {0};
    dv_value to;
    DV_TRY(dv_program_write(program, op->outputs[0], layout, &to));
    cut(&y->shape, axis, last, &copy.rows, &copy.to_stride);
    for (uint32_t i = 0; i < op->input_count; i++) {
        dv_tensor_id x = op->inputs[i];
        size_t same_rows;
        dv_value from;
        cut(&graph->tensors[x].shape, axis, last, &same_rows, &copy.length);
        copy.from_stride = copy.length;
        DV_TRY(dv_program_read(program, x, layout, &from));
        if (dv_program_is_bytes(y) && !dv_xnn_alike(graph, x, op->outputs[0]))
            DV_TRY(dv_xnn_add_rescaled_rows(program, x, op->outputs[0], layout == DV_LAYOUT_OWN,
                                            copy.rows, copy.length, copy.to_stride, copy.to_offset,
                                            from, to));
        else
            DV_TRY(add_rows(program, y, &copy, from, to));
        copy.to_offset += copy.length;
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
    uint32_t layout = moved_in(program, op->inputs[0]);
    rows_copy copy = {0};
    dv_value from;
    DV_TRY(dv_program_read(program, op->inputs[0], layout, &from));
    cut(x, p->axis, lies_last(x, layout), &copy.rows, &copy.from_stride);
    for (uint32_t i = 0; i < op->output_count; i++) {
        copy.length = copy.from_stride / (size_t)x->dim[p->axis] * (size_t)p->sizes[i];
        copy.to_stride = copy.length;
        if (op->outputs[i] != DV_NONE) {
            dv_value to;
            DV_TRY(dv_program_write(program, op->outputs[i], layout, &to));
            DV_TRY(add_rows(program, &graph->tensors[op->inputs[0]], &copy, from, to));
        }
        copy.from_offset += copy.length;
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
    uint32_t layout = moved_in(program, op->inputs[0]);
    bool last = lies_last(x, layout);
    rows_copy copy = {0};
    dv_value from, to;
    DV_TRY(dv_program_read(program, op->inputs[0], layout, &from));
    DV_TRY(dv_program_write(program, op->outputs[0], layout, &to));
    cut(x, axis, last, &copy.rows, &copy.from_stride);
    cut(y, axis, last, &copy.rows, &copy.length);
    copy.to_stride = copy.length;
    copy.from_offset = copy.from_stride / (size_t)x->dim[axis] * (size_t)p->begin[axis];
    return add_rows(program, &graph->tensors[op->inputs[0]], &copy, from, to);
}

static enum xnn_status setup_pad_bytes(dv_xnn_step *step, void *const *memory)
{
    return xnn_setup_constant_pad_nd_x8(step->op, step->rank_a, step->shape_a, step->before,
                                        step->after, memory[0], memory[1], step->pool);
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
    const dv_tensor *tensor = &graph->tensors[op->inputs[0]];
    bool bytes = dv_program_is_bytes(tensor);
    uint32_t layout = moved_in(program, op->inputs[0]);
    bool last = lies_last(x, layout);
    dv_value values[2];
    DV_TRY(dv_program_read(program, op->inputs[0], layout, &values[0]));
    DV_TRY(dv_program_write(program, op->outputs[0], layout, &values[1]));
    dv_xnn_step *step = dv_xnn_step_create(program, bytes ? setup_pad_bytes : setup_pad);
    if (!step)
        return DV_NO_MEMORY;
    step->rank_a = x->rank;
    for (uint8_t i = 0; i < x->rank; i++) {
        uint8_t place = axis_in_memory(i, last);
        step->shape_a[place] = (size_t)x->dim[i];
        step->before[place] = (size_t)p->begin[i];
        step->after[place] = (size_t)p->end[i];
    }
    if (!bytes)
        return dv_xnn_add(program, step, xnn_create_constant_pad_nd_x32(&value, 0, &step->op),
                          values, 2);
    bool form = (tensor->dtype == DV_DTYPE_I8) == (layout != DV_LAYOUT_OWN);
    uint8_t integer = (uint8_t)dv_xnn_quantised(tensor, p->value, form);
    return dv_xnn_add(program, step, xnn_create_constant_pad_nd_x8(&integer, 0, &step->op), values,
                      2);
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

bool dv_xnn_resize_fits(const dv_graph *graph, const dv_op *op, uint32_t *flags)
{
    const dv_shape *x = &graph->tensors[op->inputs[0]].shape;
    const dv_shape *y = &graph->tensors[op->outputs[0]].shape;
    const dv_resize_params *p = &op->params.resize;
    *flags = 0;
    if (x->rank != 4 || y->rank != 4 || x->dim[0] != y->dim[0] || x->dim[1] != y->dim[1] ||
        x->dim[2] < 2 || x->dim[3] < 2 || y->dim[2] < 2 || y->dim[3] < 2)
        return false;
    switch (p->coordinate) {
    case DV_COORDINATE_HALF_PIXEL:
    case DV_COORDINATE_PYTORCH_HALF_PIXEL:
        break;
    case DV_COORDINATE_ASYMMETRIC:
        *flags = XNN_FLAG_TENSORFLOW_LEGACY_MODE;
        break;
    case DV_COORDINATE_ALIGN_CORNERS:
        *flags = XNN_FLAG_ALIGN_CORNERS;
        break;
    default:
        return false;
    }
    return p->coordinate == DV_COORDINATE_ALIGN_CORNERS ||
           (scale_is_exact(p->scale_h, x->dim[2], y->dim[2]) &&
            scale_is_exact(p->scale_w, x->dim[3], y->dim[3]));
}

dv_status dv_xnn_lower_resize(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_shape *x = &graph->tensors[op->inputs[0]].shape;
    const dv_shape *y = &graph->tensors[op->outputs[0]].shape;
    uint32_t flags;
    if (!dv_xnn_resize_fits(graph, op, &flags))
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

/* Integers are moved where all of them mean the same; joins may take in other scales. */
bool dv_xnn_integer_move_fits(const dv_graph *graph, dv_op_id id)
{
    static const uint8_t to_last[4] = {0, 2, 3, 1}, from_last[4] = {0, 3, 1, 2};
    const dv_op *op = &graph->ops[id];
    const dv_permute_params *p = &op->params.permute;
    dv_tensor_id x = op->inputs[0];
    if (op->kind == DV_OP_PERMUTE &&
        (p->rank != 4 || (memcmp(p->perm, to_last, sizeof to_last) != 0 &&
                          memcmp(p->perm, from_last, sizeof from_last) != 0)))
        return false;
    for (uint32_t i = 0; i < op->input_count + op->output_count; i++) {
        dv_tensor_id t = i < op->input_count ? op->inputs[i] : op->outputs[i - op->input_count];
        if (t == DV_NONE && i >= op->input_count)
            continue;
        if (!dv_xnn_takes(graph, t) || (op->kind != DV_OP_CAT && !dv_xnn_alike(graph, x, t)))
            return false;
    }
    return true;
}
