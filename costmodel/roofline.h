/* roofline.h - what a unit asks of a target, for the roofline and for those who fit it. */
#ifndef DV_COSTMODEL_ROOFLINE_H
#define DV_COSTMODEL_ROOFLINE_H

#include "core/graph.h"
#include "core/platform.h"
#include "costmodel/kernels.h"

/* The demands of a group of operators that run as one on a target. */
typedef struct dv_demand {
    dv_op_kind kind; /* of the operator that decides the launch and the bandwidths */
    dv_family family;
    double macs[DV_FAMILY_COUNT]; /* padded to the target's channels; pooling: window elements */
    double weight_bytes;          /* constants read, in the target's precision */
    double activation_bytes;      /* from and to outside the group, in the target's precision */
} dv_demand;

/* Of the count operators ops of graph, in precision, channels padded to channel_multiple. Traffic
   between the operators of the group is free. O(operators * inputs). */
dv_demand dv_demand_of(const dv_graph *graph, const dv_op_id *ops, uint32_t count,
                       dv_dtype precision, uint32_t channel_multiple);

/* The cost row that stands for a family on a target: its own, or that of the nearest kin. NULL:
   views of a target that does not price them, which are free. */
const dv_family_cost *dv_roofline_row(const dv_target *target, dv_family family);

/* launch + max(multiply-adds / rate, bytes / bandwidth), us, by the rows of those kernels. */
double dv_roofline_us(const dv_demand *demand, const dv_target *target, dv_kernels kernels);

/* Bytes of a tensor on a target of that precision: floating elements are kept in it. */
double dv_bytes_in(const dv_tensor *tensor, dv_dtype precision);

#endif
