#include "load/rows.h"

#include <string.h>

dv_status dv_rows_bind(const dv_load_options *options, dv_op *op, uint64_t *used)
{
    if (!options || !op->name || !dv_op_rows(op))
        return DV_OK;
    for (size_t i = 0; i < options->dim_count; i++) {
        const dv_binding *binding = &options->dims[i];
        if (strcmp(binding->name, op->name) != 0)
            continue;
        if (binding->value < 1)
            return dv_fail(DV_BAD_PARAMETER, "--dim %s: its result has at least one row",
                           binding->name);
        if (i < 64)
            *used |= (uint64_t)1 << i;
        dv_op_set_rows(op, binding->value);
    }
    return DV_OK;
}
