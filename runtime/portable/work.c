/* work.c - how long the reference kernels take, roughly. */
#include "runtime/portable/portable.h"

/* One thread on a processor of 2020, nanoseconds: a product with its addition, an element made. */
static const double product_ns = 2, element_ns = 10;

/* Elements that are looked at for each one made, where dv_op_work counts no multiply-adds. */
static double looks_at(const dv_op *op)
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
    default:
        return 1;
    }
}

double dv_portable_ns(const dv_graph *graph, dv_op_id op)
{
    dv_work work = dv_op_work(graph, op);
    return work.macs * product_ns + work.elements * looks_at(&graph->ops[op]) * element_ns;
}
