/* binary.c - two operands with broadcasting, in whichever layout they are at hand. */
#include <stdlib.h>

#include "runtime/layout.h"
#include "runtime/xnnpack/ops.h"

enum { MAX_RANK = 6 }; /* XNN_MAX_TENSOR_DIMS */

typedef enum xnn_status (*create_clamped)(float low, float high, uint32_t flags,
                                          xnn_operator_t *op);
typedef enum xnn_status (*create_plain)(uint32_t flags, xnn_operator_t *op);

static const struct {
    dv_op_kind kind;
    create_clamped clamped;
    create_plain plain;
    dv_xnn_binary_setup setup;
} binaries[] = {
    {DV_OP_ADD, xnn_create_add_nd_f32, NULL, xnn_setup_add_nd_f32},
    {DV_OP_SUB, xnn_create_subtract_nd_f32, NULL, xnn_setup_subtract_nd_f32},
    {DV_OP_MUL, xnn_create_multiply_nd_f32, NULL, xnn_setup_multiply_nd_f32},
    {DV_OP_DIV, xnn_create_divide_nd_f32, NULL, xnn_setup_divide_nd_f32},
    {DV_OP_MAXIMUM, NULL, xnn_create_maximum_nd_f32, xnn_setup_maximum_nd_f32},
    {DV_OP_MINIMUM, NULL, xnn_create_minimum_nd_f32, xnn_setup_minimum_nd_f32},
};

/* The shape with leading ones up to rank 4. */
static dv_shape padded(const dv_shape *shape)
{
    dv_shape out = {.rank = 4, .dim = {1, 1, 1, 1}};
    for (uint8_t i = 0; i < shape->rank; i++)
        out.dim[4 - shape->rank + i] = shape->dim[i];
    return out;
}

bool dv_xnn_may_be_last(const dv_graph *graph, dv_tensor_id tensor)
{
    const dv_shape *shape = &graph->tensors[tensor].shape;
    if (shape->rank > 4)
        return false;
    dv_shape full = padded(shape);
    return shape->rank == 4 || dv_layout_same_bytes(&full);
}

/* Is an image of more than one pixel at hand channels-last? */
static bool is_last(const dv_program *program, dv_tensor_id tensor)
{
    const dv_tensor *t = &dv_program_graph(program)->tensors[tensor];
    return t->role != DV_ROLE_CONSTANT && t->shape.rank == 4 &&
           (dv_program_layouts(program, tensor) & 1u << DV_LAYOUT_CHANNELS_LAST) != 0 &&
           !dv_layout_same_bytes(&t->shape);
}

size_t dv_xnn_dims(const dv_shape *shape, bool last, size_t *dims)
{
    if (!last) {
        for (size_t i = 0; i < shape->rank; i++)
            dims[i] = (size_t)shape->dim[i];
        return shape->rank;
    }
    dv_shape full = padded(shape);
    dims[0] = (size_t)full.dim[0];
    dims[1] = (size_t)full.dim[2];
    dims[2] = (size_t)full.dim[3];
    dims[3] = (size_t)full.dim[1];
    return 4;
}

static dv_status read_operand(dv_program *program, dv_tensor_id tensor, bool last, size_t *rank,
                              size_t *dims, dv_value *value)
{
    const dv_shape *shape = &dv_program_graph(program)->tensors[tensor].shape;
    *rank = dv_xnn_dims(shape, last, dims);
    bool image = last && shape->rank == 4;
    return dv_program_read(program, tensor, image ? DV_LAYOUT_CHANNELS_LAST : DV_LAYOUT_PLAIN,
                           value);
}

dv_status dv_xnn_lower_binary(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    dv_tensor_id a = op->inputs[0], b = op->inputs[1], output = op->outputs[0];
    const dv_shape *y = &graph->tensors[output].shape;
    size_t row = 0;
    while (row < sizeof binaries / sizeof binaries[0] && binaries[row].kind != op->kind)
        row++;
    dv_shape broadcast;
    if (row == sizeof binaries / sizeof binaries[0] || y->rank > MAX_RANK ||
        !dv_shape_broadcast(&graph->tensors[a].shape, &graph->tensors[b].shape, &broadcast) ||
        !dv_shape_equal(&broadcast, y))
        return DV_OK;
    *done = true;
    bool last = y->rank == 4 && dv_xnn_may_be_last(graph, a) && dv_xnn_may_be_last(graph, b) &&
                (is_last(program, a) || is_last(program, b));
    float low = 0, high = 0;
    if (binaries[row].clamped)
        dv_xnn_fuse_clamp(program, at, &low, &high, &output);
    dv_xnn_step *step = dv_xnn_step_create(program, dv_xnn_setup_binary);
    if (!step)
        return DV_NO_MEMORY;
    dv_value values[3];
    step->binary = binaries[row].setup;
    dv_status status = read_operand(program, a, last, &step->rank_a, step->shape_a, &values[0]);
    if (status == DV_OK)
        status = read_operand(program, b, last, &step->rank_b, step->shape_b, &values[1]);
    if (status == DV_OK)
        status = dv_program_write(program, output, last ? DV_LAYOUT_CHANNELS_LAST : DV_LAYOUT_PLAIN,
                                  &values[2]);
    if (status != DV_OK) {
        free(step);
        return status;
    }
    enum xnn_status created = binaries[row].clamped ? binaries[row].clamped(low, high, 0, &step->op)
                                                    : binaries[row].plain(0, &step->op);
    return dv_xnn_add(program, step, created, values, 3);
}
