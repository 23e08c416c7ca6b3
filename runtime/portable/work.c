/* work.c - how long the reference kernels take, roughly. */
#include "runtime/portable/portable.h"

/* One thread on a processor of 2020, nanoseconds: a product with its addition, an element made, a
   byte read or written. */
static const double product_ns = 2, element_ns = 10, byte_ns = 1;

/* Elements that are looked at for each one made, where dv_op_work counts no multiply-adds. */
static double looks_at(const dv_graph *graph, const dv_op *op)
{
    double looks = 1;
    switch (op->kind) {
    case DV_OP_MAX_POOL:
    case DV_OP_AVG_POOL:
    case DV_OP_LP_POOL:
        for (int d = 0; d < op->params.pool.spatial; d++)
            looks *= (double)op->params.pool.kernel[d];
        return looks;
    case DV_OP_LRN:
        return (double)op->params.lrn.size;
    case DV_OP_NMS: /* every box that is kept is held against all of its class */
        return (double)graph->tensors[op->inputs[1]].shape.dim[2];
    default:
        return 1;
    }
}

double dv_portable_ns(const dv_graph *graph, dv_op_id op)
{
    dv_work work = dv_op_work(graph, op);
    return work.macs * product_ns + work.elements * looks_at(graph, &graph->ops[op]) * element_ns +
           (work.activation_bytes + work.weight_bytes) * byte_ns;
}
