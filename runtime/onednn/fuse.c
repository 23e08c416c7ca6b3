/* fuse.c - element-wise operators and residual additions that ride along with their producer. */
#include "runtime/onednn/ops.h"

bool dv_dnn_append(dnnl_post_ops_t post_ops, const dv_op *op)
{
    float alpha = 0.0f, beta = 0.0f;
    dnnl_alg_kind_t kind;
    switch (op->kind) {
    case DV_OP_RELU:
        kind = dnnl_eltwise_relu;
        break;
    case DV_OP_LEAKY_RELU:
        kind = dnnl_eltwise_relu;
        alpha = (float)op->params.scalar.alpha;
        break;
    case DV_OP_CLAMP:
        kind = dnnl_eltwise_clip;
        alpha = (float)op->params.clamp.min;
        beta = (float)op->params.clamp.max;
        if (!(alpha <= beta))
            return false;
        break;
    case DV_OP_SIGMOID:
        kind = dnnl_eltwise_logistic;
        break;
    case DV_OP_TANH:
        kind = dnnl_eltwise_tanh;
        break;
    case DV_OP_HARDSWISH:
        kind = dnnl_eltwise_hardswish;
        break;
    case DV_OP_SILU:
        kind = dnnl_eltwise_swish;
        alpha = 1.0f;
        break;
    case DV_OP_GELU:
        kind = op->params.flag.on ? dnnl_eltwise_gelu_tanh : dnnl_eltwise_gelu_erf;
        break;
    case DV_OP_ELU:
        kind = dnnl_eltwise_elu;
        alpha = (float)op->params.scalar.alpha;
        break;
    case DV_OP_ABS:
        kind = dnnl_eltwise_abs;
        break;
    case DV_OP_SQRT:
        kind = dnnl_eltwise_sqrt;
        break;
    case DV_OP_EXP:
        kind = dnnl_eltwise_exp;
        break;
    case DV_OP_NEG:
        kind = dnnl_eltwise_linear;
        alpha = -1.0f;
        break;
    case DV_OP_HARDSIGMOID: /* a line, then a clip */
        if (dnnl_post_ops_append_eltwise(post_ops, 1.0f, dnnl_eltwise_linear,
                                         (float)op->params.scalar.alpha,
                                         (float)op->params.scalar.beta) != dnnl_success)
            return false;
        kind = dnnl_eltwise_clip;
        beta = 1.0f;
        break;
    default:
        return false;
    }
    return dnnl_post_ops_append_eltwise(post_ops, 1.0f, kind, alpha, beta) == dnnl_success;
}

/* The other operand of an addition that may be folded into the operator that makes `made`. */
static dv_tensor_id residual_of(const dv_program *program, const dv_op *op, dv_tensor_id made)
{
    const dv_graph *graph = dv_program_graph(program);
    if (op->kind != DV_OP_ADD || op->inputs[0] == op->inputs[1])
        return DV_NONE;
    dv_tensor_id other = op->inputs[op->inputs[0] == made ? 1 : 0];
    const dv_tensor *t = &graph->tensors[other];
    bool ready = t->role != DV_ROLE_CONSTANT && t->dtype == DV_DTYPE_F32 &&
                 dv_shape_equal(&t->shape, &graph->tensors[made].shape) &&
                 dv_program_has(program, other);
    return ready ? other : DV_NONE;
}

static bool fuse_one(const dv_program *program, uint32_t next, const dnnl_memory_desc_t *like,
                     dnnl_post_ops_t post_ops, dv_dnn_fusion *fusion)
{
    const dv_op *op = dv_program_op(program, next);
    if (like && fusion->residual == DV_NONE) {
        dv_tensor_id other = residual_of(program, op, fusion->output);
        if (other != DV_NONE) {
            fusion->residual_arg =
                DNNL_ARG_ATTR_MULTIPLE_POST_OP(dnnl_post_ops_len(post_ops)) | DNNL_ARG_SRC_1;
            if (dnnl_post_ops_append_binary(post_ops, dnnl_binary_add, like) != dnnl_success)
                return false;
            fusion->residual = other;
            return true;
        }
    }
    return dv_dnn_append(post_ops, op);
}

dnnl_primitive_attr_t dv_dnn_fuse(const dv_program *program, uint32_t at,
                                  const dnnl_memory_desc_t *like, dv_dnn_fusion *fusion)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t post_ops = NULL;
    *fusion =
        (dv_dnn_fusion){.output = dv_program_op(program, at)->outputs[0], .residual = DV_NONE};
    if (dnnl_primitive_attr_create(&attr) != dnnl_success)
        return NULL;
    if (dnnl_post_ops_create(&post_ops) != dnnl_success) {
        dnnl_primitive_attr_destroy(attr);
        return NULL;
    }
    while (fusion->count < 4) {
        uint32_t next = dv_program_follower(program, at);
        if (next == DV_NONE || !fuse_one(program, next, like, post_ops, fusion))
            break;
        fusion->taken[fusion->count++] = next;
        fusion->output = dv_program_op(program, next)->outputs[0];
        at = next;
    }
    dnnl_status_t status = dnnl_primitive_attr_set_post_ops(attr, post_ops);
    dnnl_post_ops_destroy(post_ops);
    if (status != dnnl_success) {
        dnnl_primitive_attr_destroy(attr);
        return NULL;
    }
    return attr;
}

void dv_dnn_take(dv_program *program, const dv_dnn_fusion *fusion)
{
    for (uint32_t i = 0; i < fusion->count; i++)
        dv_program_take(program, fusion->taken[i]);
}
