/* elementwise.c - operators of one or two operands, softmax and norms. */
#include <string.h>

#include "runtime/onednn/ops.h"

/* Adds a primitive from one value of a layout to another of the same; owns pd. */
static dv_status add_plain(dv_program *program, dnnl_primitive_desc_t pd, dv_tensor_id input,
                           dv_tensor_id output, uint32_t layout)
{
    const dv_dnn_context *context = dv_dnn_context_of(program);
    const dv_tensor *tensors = dv_program_graph(program)->tensors;
    dv_dnn_operand operands[2] = {
        {.arg = DNNL_ARG_SRC, .desc = dv_dnn_desc(context, &tensors[input].shape, layout)},
        {.arg = DNNL_ARG_DST, .desc = dv_dnn_desc(context, &tensors[output].shape, layout)}};
    dv_status status = dv_program_read(program, input, layout, &operands[0].value);
    if (status == DV_OK)
        status = dv_program_write(program, output, layout, &operands[1].value);
    if (status != DV_OK) {
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    return dv_dnn_add(program, pd, operands, 2);
}

/* As an identity with the operator as its post-op, so that there is one table of kinds. */
dv_status dv_dnn_lower_elementwise(dv_program *program, uint32_t at, bool *done)
{
    const dv_op *op = dv_program_op(program, at);
    const dv_dnn_context *context = dv_dnn_context_of(program);
    const dv_tensor *tensors = dv_program_graph(program)->tensors;
    dnnl_post_ops_t post_ops = NULL;
    dnnl_alg_kind_t kind = dnnl_eltwise_linear;
    float scale = 1.0f, alpha = 1.0f, beta = 0.0f;
    if (dnnl_post_ops_create(&post_ops) != dnnl_success)
        return DV_OK;
    bool known =
        dv_dnn_append(post_ops, op) && dnnl_post_ops_len(post_ops) == 1 &&
        dnnl_post_ops_get_params_eltwise(post_ops, 0, &scale, &kind, &alpha, &beta) == dnnl_success;
    dnnl_post_ops_destroy(post_ops);
    if (!known)
        return DV_OK; /* of two parts: only as a follower */
    uint32_t layout = dv_dnn_at_hand(program, op->inputs[0]);
    dnnl_memory_desc_t data = dv_dnn_desc(context, &tensors[op->inputs[0]].shape, layout);
    dnnl_eltwise_desc_t desc;
    if (dnnl_eltwise_forward_desc_init(&desc, dnnl_forward_inference, kind, &data, alpha, beta) !=
        dnnl_success)
        return DV_OK;
    dnnl_primitive_desc_t pd = dv_dnn_describe(program, &desc, NULL, true);
    if (!pd)
        return DV_OK;
    *done = true;
    return add_plain(program, pd, op->inputs[0], op->outputs[0], layout);
}

static bool binary_kind(dv_op_kind kind, dnnl_alg_kind_t *out, bool *commutes)
{
    static const struct {
        dv_op_kind kind;
        dnnl_alg_kind_t library;
        bool commutes;
    } kinds[] = {
        {DV_OP_ADD, dnnl_binary_add, true},     {DV_OP_MUL, dnnl_binary_mul, true},
        {DV_OP_MAXIMUM, dnnl_binary_max, true}, {DV_OP_MINIMUM, dnnl_binary_min, true},
        {DV_OP_SUB, dnnl_binary_sub, false},    {DV_OP_DIV, dnnl_binary_div, false},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].kind == kind) {
            *out = kinds[i].library;
            *commutes = kinds[i].commutes;
            return true;
        }
    return false;
}

/* The layout for the first operand and the result; the second has the same if of the same shape,
   else it is read plain. */
static uint32_t binary_layout(const dv_program *program, dv_tensor_id a, dv_tensor_id b,
                              bool same_shape)
{
    uint32_t of_a = dv_dnn_at_hand(program, a), of_b = dv_dnn_at_hand(program, b);
    bool constant = dv_dnn_is_constant(dv_program_graph(program), a);
    if (!same_shape)
        return of_a;
    if (constant)
        return of_b == DV_LAYOUT_OWN ? DV_LAYOUT_OWN : of_b;
    return of_a > of_b ? of_a : of_b;
}

static dnnl_primitive_desc_t describe_binary(const dv_program *program, dnnl_alg_kind_t kind,
                                             const dv_dnn_operand *operands, uint32_t at,
                                             dv_dnn_fusion *fusion)
{
    dnnl_binary_desc_t desc;
    dnnl_primitive_desc_t pd = NULL;
    if (dnnl_binary_desc_init(&desc, kind, &operands[0].desc, &operands[1].desc,
                              &operands[2].desc) != dnnl_success)
        return NULL;
    dnnl_primitive_attr_t attr = dv_dnn_fuse(program, at, NULL, fusion);
    if (attr) {
        pd = dv_dnn_describe(program, &desc, attr, true);
        dnnl_primitive_attr_destroy(attr);
    }
    if (!pd) {
        fusion->count = 0;
        fusion->output = dv_program_op(program, at)->outputs[0];
        /* the library's reference binaries are slower than the portable kernels */
        pd = dv_dnn_describe(program, &desc, NULL, true);
    }
    return pd;
}

dv_status dv_dnn_lower_binary(dv_program *program, uint32_t at, bool *done)
{
    const dv_dnn_context *context = dv_dnn_context_of(program);
    const dv_tensor *tensors = dv_program_graph(program)->tensors;
    const dv_op *op = dv_program_op(program, at);
    dv_tensor_id a = op->inputs[0], b = op->inputs[1];
    const dv_shape *y = &tensors[op->outputs[0]].shape;
    dnnl_alg_kind_t kind;
    bool commutes;
    if (!binary_kind(op->kind, &kind, &commutes) || y->rank < 1)
        return DV_OK;
    if (commutes && !dv_shape_equal(&tensors[a].shape, y)) {
        a = op->inputs[1];
        b = op->inputs[0];
    }
    dv_shape broadcast;
    if (!dv_shape_equal(&tensors[a].shape, y) ||
        !dv_shape_broadcast(&tensors[a].shape, &tensors[b].shape, &broadcast) ||
        !dv_shape_equal(&broadcast, y))
        return DV_OK;
    bool same = dv_shape_equal(&tensors[b].shape, y);
    uint32_t layout = binary_layout(program, a, b, same);
    dv_dnn_operand operands[3] = {{.arg = DNNL_ARG_SRC_0, .desc = dv_dnn_desc(context, y, layout)},
                                  {.arg = DNNL_ARG_SRC_1,
                                   .desc = same ? dv_dnn_desc(context, y, layout)
                                                : dv_dnn_desc_padded(&tensors[b].shape, y->rank)},
                                  {.arg = DNNL_ARG_DST, .desc = dv_dnn_desc(context, y, layout)}};
    dv_dnn_fusion fusion;
    dnnl_primitive_desc_t pd = describe_binary(program, kind, operands, at, &fusion);
    if (!pd)
        return DV_OK;
    *done = true;
    dv_dnn_take(program, &fusion);
    dv_status status = dv_program_read(program, a, layout, &operands[0].value);
    if (status == DV_OK)
        status = dv_program_read(program, b, same ? layout : DV_LAYOUT_PLAIN, &operands[1].value);
    if (status == DV_OK)
        status = dv_program_write(program, fusion.output, layout, &operands[2].value);
    if (status != DV_OK) {
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    return dv_dnn_add(program, pd, operands, 3);
}

dv_status dv_dnn_lower_softmax(dv_program *program, uint32_t at, bool *done)
{
    const dv_op *op = dv_program_op(program, at);
    const dv_shape *x = &dv_program_graph(program)->tensors[op->inputs[0]].shape;
    bool guarded = op->params.axis.guarded;
    uint32_t layout = guarded ? DV_LAYOUT_PLAIN : dv_dnn_at_hand(program, op->inputs[0]);
    dnnl_memory_desc_t data = dv_dnn_desc(dv_dnn_context_of(program), x, layout);
    dnnl_softmax_v2_desc_t desc;
    if (guarded && op->params.axis.axis != x->rank - 1)
        return DV_OK;
    if (x->rank < 1 || dnnl_softmax_v2_forward_desc_init(
                           &desc, dnnl_forward_inference,
                           op->kind == DV_OP_SOFTMAX ? dnnl_softmax_accurate : dnnl_softmax_log,
                           &data, &data, (int)op->params.axis.axis) != dnnl_success)
        return DV_OK;
    dnnl_primitive_desc_t pd = dv_dnn_describe(program, &desc, NULL, false);
    if (!pd)
        return DV_OK;
    *done = true;
    DV_TRY(add_plain(program, pd, op->inputs[0], op->outputs[0], layout));
    dv_value values[2];
    size_t count, columns = (size_t)x->dim[x->rank - 1];
    if (!guarded || !dv_shape_elements(x, &count))
        return DV_OK;
    DV_TRY(dv_program_read(program, op->inputs[0], layout, &values[0]));
    DV_TRY(dv_program_read(program, op->outputs[0], layout, &values[1]));
    return dv_program_guard(program, values[0], values[1], count / columns, columns);
}

/* The constants of a norm, count of them from the operator's second input on. */
static dv_status add_norm(dv_program *program, dnnl_primitive_desc_t pd, const dv_op *op,
                          uint32_t layout, const int *args, uint32_t constants)
{
    const dv_tensor *tensors = dv_program_graph(program)->tensors;
    dnnl_memory_desc_t data =
        dv_dnn_desc(dv_dnn_context_of(program), &tensors[op->inputs[0]].shape, layout);
    dv_dnn_operand operands[6] = {{.arg = DNNL_ARG_SRC, .desc = data},
                                  {.arg = DNNL_ARG_DST, .desc = data}};
    uint32_t count = 2;
    dv_status status = dv_program_read(program, op->inputs[0], layout, &operands[0].value);
    if (status == DV_OK)
        status = dv_program_write(program, op->outputs[0], layout, &operands[1].value);
    for (uint32_t i = 0; i < constants && status == DV_OK; i++) {
        const dv_tensor *tensor = &tensors[op->inputs[i + 1]];
        dnnl_memory_desc_t desc = dv_dnn_desc_padded(&tensor->shape, 1);
        status = dv_dnn_constant(program, tensor, args[i], &desc, &desc, &operands[count++]);
    }
    if (status != DV_OK) {
        dv_dnn_free_operands(operands, count);
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    return dv_dnn_add(program, pd, operands, count);
}

static bool vectors_of(const dv_graph *graph, const dv_op *op, uint32_t count, int64_t size)
{
    for (uint32_t i = 1; i <= count; i++) {
        if (i >= op->input_count || !dv_dnn_is_constant(graph, op->inputs[i]))
            return false;
        const dv_shape *shape = &graph->tensors[op->inputs[i]].shape;
        if (shape->rank != 1 || shape->dim[0] != size)
            return false;
    }
    return true;
}

dv_status dv_dnn_lower_batch_norm(dv_program *program, uint32_t at, bool *done)
{
    static const int args[4] = {DNNL_ARG_SCALE, DNNL_ARG_SHIFT, DNNL_ARG_MEAN, DNNL_ARG_VARIANCE};
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_shape *x = &graph->tensors[op->inputs[0]].shape;
    if (x->rank < 2 || !vectors_of(graph, op, 4, x->dim[1]))
        return DV_OK;
    uint32_t layout = dv_dnn_at_hand(program, op->inputs[0]);
    dnnl_memory_desc_t data = dv_dnn_desc(dv_dnn_context_of(program), x, layout);
    dnnl_batch_normalization_desc_t desc;
    if (dnnl_batch_normalization_forward_desc_init(
            &desc, dnnl_forward_inference, &data, (float)op->params.norm.eps,
            dnnl_use_global_stats | dnnl_use_scale | dnnl_use_shift) != dnnl_success)
        return DV_OK;
    dnnl_primitive_desc_t pd = dv_dnn_describe(program, &desc, NULL, false);
    if (!pd)
        return DV_OK;
    *done = true;
    return add_norm(program, pd, op, layout, args, 4);
}

/* Over the last dim, with weight and bias or neither. */
dv_status dv_dnn_lower_layer_norm(dv_program *program, uint32_t at, bool *done)
{
    static const int args[2] = {DNNL_ARG_SCALE, DNNL_ARG_SHIFT};
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    const dv_shape *x = &graph->tensors[op->inputs[0]].shape;
    bool affine = op->input_count > 1 && op->inputs[1] != DV_NONE;
    if (op->params.norm.axes != 1 || x->rank < 2 || x->rank > 5 ||
        (affine && !vectors_of(graph, op, 2, x->dim[x->rank - 1])))
        return DV_OK;
    dnnl_memory_desc_t data = dv_dnn_desc_padded(x, x->rank);
    dv_shape rows = *x;
    rows.rank--;
    dnnl_memory_desc_t statistics = dv_dnn_desc_padded(&rows, rows.rank);
    dnnl_layer_normalization_desc_t desc;
    unsigned flags = affine ? (unsigned)dnnl_use_scale | (unsigned)dnnl_use_shift : 0;
    if (dnnl_layer_normalization_forward_desc_init(&desc, dnnl_forward_inference, &data,
                                                   &statistics, (float)op->params.norm.eps,
                                                   flags) != dnnl_success)
        return DV_OK;
    dnnl_primitive_desc_t pd = dv_dnn_describe(program, &desc, NULL, true);
    if (!pd)
        return DV_OK;
    *done = true;
    return add_norm(program, pd, op, DV_LAYOUT_PLAIN, args, affine ? 2 : 0);
}
