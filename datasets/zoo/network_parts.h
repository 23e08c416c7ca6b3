/* network_parts.h - what layers need of a network; private to the zoo. */
#ifndef DV_DATASETS_ZOO_NETWORK_PARTS_H
#define DV_DATASETS_ZOO_NETWORK_PARTS_H

#include "datasets/zoo/network.h"

/* Adds an operator with one output of that type and shape; named after its kind and number. */
dv_tensor_id dv_network_op(dv_network *net, dv_op op, const dv_tensor_id *inputs, uint32_t count,
                           dv_dtype dtype, dv_shape shape);

/* A tensor's shape and type; a scalar F32 after a failure. */
const dv_shape *dv_network_shape(const dv_network *net, dv_tensor_id x);
dv_dtype dv_network_dtype(const dv_network *net, dv_tensor_id x);

#endif
