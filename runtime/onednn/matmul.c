/* matmul.c - matrix products, by constant weights (packed at compile) or by another tensor. */
#include "runtime/onednn/ops.h"

typedef struct product {
    dnnl_memory_desc_t a, b, bias, y;
    bool has_bias;
} product;

static dnnl_primitive_desc_t describe(const dv_program *program, const product *p,
                                      dnnl_primitive_attr_t attr, bool fast_only)
{
    dnnl_matmul_desc_t desc;
    if (dnnl_matmul_desc_init(&desc, &p->a, &p->b, p->has_bias ? &p->bias : NULL, &p->y) !=
        dnnl_success)
        return NULL;
    return dv_dnn_describe(program, &desc, attr, fast_only);
}

static dnnl_memory_desc_t matrix(int64_t rows, int64_t columns)
{
    dv_shape shape = dv_shape_make((int64_t[]){rows, columns}, 2);
    return dv_dnn_desc_padded(&shape, 2);
}

/* By a constant matrix, all leading dims of x flattened into rows. */
static dv_status lower_constant(dv_program *program, uint32_t at, bool inputs_first,
                                dv_tensor_id bias, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_tensor *weight = &graph->tensors[op->inputs[1]];
    const dv_shape *x = &graph->tensors[op->inputs[0]].shape;
    if (weight->shape.rank != 2 || x->rank < 1)
        return DV_OK;
    int64_t inputs = weight->shape.dim[inputs_first ? 0 : 1];
    int64_t outputs = weight->shape.dim[inputs_first ? 1 : 0];
    size_t x_size = 0, y_size = 0;
    if (!dv_shape_elements(x, &x_size) ||
        !dv_shape_elements(&graph->tensors[op->outputs[0]].shape, &y_size) ||
        x->dim[x->rank - 1] != inputs)
        return DV_OK;
    int64_t rows = (int64_t)x_size / inputs;
    if ((int64_t)y_size != rows * outputs)
        return DV_OK;
    product p = {
        .a = matrix(rows, inputs), .y = matrix(rows, outputs), .has_bias = bias != DV_NONE};
    dnnl_memory_desc_t plain = matrix(inputs, outputs);
    dnnl_dims_t dims = {inputs, outputs}, strides = {1, inputs};
    if (!inputs_first)
        dnnl_memory_desc_init_by_strides(&plain, 2, dims, dnnl_f32, strides);
    dnnl_memory_desc_init_by_tag(&p.b, 2, dims, dnnl_f32, dnnl_format_tag_any);
    p.bias = matrix(1, outputs);
    dv_dnn_fusion fusion;
    dnnl_primitive_attr_t attr = dv_dnn_fuse(program, at, NULL, &fusion);
    dnnl_primitive_desc_t pd = attr ? describe(program, &p, attr, false) : NULL;
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    if (!pd)
        return DV_OK;
    *done = true;
    dv_dnn_take(program, &fusion);
    dv_dnn_operand operands[4] = {{.arg = DNNL_ARG_SRC, .desc = p.a},
                                  {.arg = DNNL_ARG_DST, .desc = p.y}};
    dnnl_memory_desc_t packed = dv_dnn_query(pd, dnnl_query_weights_md);
    uint32_t count = 2;
    dv_status status = dv_program_read(program, op->inputs[0], DV_LAYOUT_PLAIN, &operands[0].value);
    if (status == DV_OK)
        status = dv_program_write(program, fusion.output, DV_LAYOUT_PLAIN, &operands[1].value);
    if (status == DV_OK)
        status =
            dv_dnn_constant(program, weight, DNNL_ARG_WEIGHTS, &plain, &packed, &operands[count++]);
    if (status == DV_OK && bias != DV_NONE)
        status = dv_dnn_constant(program, &graph->tensors[bias], DNNL_ARG_BIAS, &p.bias, &p.bias,
                                 &operands[count++]);
    if (status != DV_OK) {
        dv_dnn_free_operands(operands, count);
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    return dv_dnn_add(program, pd, operands, count);
}

dv_status dv_dnn_lower_linear(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    dv_tensor_id bias = op->input_count > 2 ? op->inputs[2] : DV_NONE;
    bool inputs_first = op->params.linear.weight_kn;
    if (!dv_dnn_is_constant(graph, op->inputs[1]))
        return DV_OK;
    if (bias != DV_NONE) {
        const dv_shape *w = &graph->tensors[op->inputs[1]].shape;
        const dv_shape *b = &graph->tensors[bias].shape;
        if (!dv_dnn_is_constant(graph, bias) || w->rank != 2 || b->rank != 1 ||
            b->dim[0] != w->dim[inputs_first ? 1 : 0])
            return DV_OK;
    }
    return lower_constant(program, at, inputs_first, bias, done);
}

dv_status dv_dnn_lower_matmul(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_shape *a = &graph->tensors[op->inputs[0]].shape;
    const dv_shape *b = &graph->tensors[op->inputs[1]].shape;
    const dv_shape *y = &graph->tensors[op->outputs[0]].shape;
    if (dv_dnn_is_constant(graph, op->inputs[1]) && b->rank == 2)
        return lower_constant(program, at, true, DV_NONE, done);
    if (a->rank < 2 || b->rank < 2 || y->rank < a->rank || y->rank < b->rank)
        return DV_OK;
    product p = {.a = dv_dnn_desc_padded(a, y->rank),
                 .b = dv_dnn_desc_padded(b, y->rank),
                 .y = dv_dnn_desc_padded(y, y->rank)};
    dv_dnn_fusion fusion;
    dnnl_primitive_attr_t attr = dv_dnn_fuse(program, at, NULL, &fusion);
    dnnl_primitive_desc_t pd = attr ? describe(program, &p, attr, true) : NULL;
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    if (!pd)
        return DV_OK;
    *done = true;
    dv_dnn_take(program, &fusion);
    dv_dnn_operand operands[3] = {{.arg = DNNL_ARG_SRC, .desc = p.a},
                                  {.arg = DNNL_ARG_WEIGHTS, .desc = p.b},
                                  {.arg = DNNL_ARG_DST, .desc = p.y}};
    dv_status status = dv_program_read(program, op->inputs[0], DV_LAYOUT_PLAIN, &operands[0].value);
    if (status == DV_OK)
        status = dv_program_read(program, op->inputs[1], DV_LAYOUT_PLAIN, &operands[1].value);
    if (status == DV_OK)
        status = dv_program_write(program, fusion.output, DV_LAYOUT_PLAIN, &operands[2].value);
    if (status != DV_OK) {
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    return dv_dnn_add(program, pd, operands, 3);
}
