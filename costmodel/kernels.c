/* kernels.c - asks the backend that realises a device. */
#include "costmodel/kernels.h"

#include <string.h>

#include "runtime/backend.h"

static bool has_bytes(const dv_graph *graph, const dv_op *op)
{
    for (uint32_t i = 0; i < op->input_count + op->output_count; i++) {
        dv_tensor_id id = i < op->input_count ? op->inputs[i] : op->outputs[i - op->input_count];
        if (id == DV_NONE)
            continue;
        dv_dtype dtype = graph->tensors[id].dtype;
        if (dtype == DV_DTYPE_I8 || dtype == DV_DTYPE_U8)
            return true;
    }
    return false;
}

dv_kernels dv_kernels_of(const dv_realisation *real, const dv_graph *graph, dv_op_id op)
{
    if (!real->backend || !has_bytes(graph, &graph->ops[op]))
        return DV_KERNELS_FLOATS;
    bool worker = strcmp(real->backend, "worker") == 0 && real->inner;
    const dv_backend *backend = dv_backend_find(worker ? real->inner : real->backend);
    if (!backend)
        return DV_KERNELS_FLOATS;
    return backend->is_integer && backend->is_integer(graph, op) ? DV_KERNELS_INTEGERS
                                                                 : DV_KERNELS_CONVERTED;
}
