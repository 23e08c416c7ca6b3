/* kernels.h - by which kernels a device of this machine runs an operator. */
#ifndef DV_COSTMODEL_KERNELS_H
#define DV_COSTMODEL_KERNELS_H

#include "core/graph.h"
#include "core/platform.h"

typedef enum dv_kernels {
    DV_KERNELS_FLOATS,    /* no 8-bit integers among its tensors */
    DV_KERNELS_INTEGERS,  /* the backend's own, on integers */
    DV_KERNELS_CONVERTED, /* integers, on floats between conversions: the backend's kernels for
                             floats, or the reference kernels */
    DV_KERNELS_COUNT,
} dv_kernels;

/* The backend itself is asked (dv_backend.is_integer), so that what is planned is what will run.
   The operator stands for those that a unit has behind it. FLOATS on a device that is only a model.
 */
dv_kernels dv_kernels_of(const dv_realisation *real, const dv_graph *graph, dv_op_id op);

#endif
