/* pin_input.c - copies a graph, one input turned into a constant. */
#include <stdlib.h>
#include <string.h>

#include "cli/pin_input.h"
#include "core/text.h"

static dv_status find_input(const dv_graph *graph, const char *name, dv_tensor_id *out)
{
    const char **names = calloc((size_t)graph->input_count + 1, sizeof *names);
    if (!names)
        return dv_fail(DV_NO_MEMORY, "no memory for %u names", graph->input_count);
    dv_status status = DV_OK;
    *out = DV_NONE;
    for (uint32_t i = 0; i < graph->input_count; i++) {
        names[i] = graph->tensors[graph->inputs[i]].name;
        if (strcmp(names[i], name) == 0)
            *out = graph->inputs[i];
    }
    if (*out == DV_NONE) {
        const char *nearest = dv_nearest_name(name, names, graph->input_count);
        if (!nearest && graph->input_count > 0)
            nearest = names[0];
        status = dv_fail(DV_BAD_PARAMETER, "--set %s: the model has no such input%s%s%s", name,
                         nearest ? "; it has '" : "", nearest ? nearest : "", nearest ? "'" : "");
    }
    free(names);
    return status;
}

static dv_status copy_tensors(const dv_graph *graph, dv_tensor_id pinned, double value,
                              dv_graph *copy)
{
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++) {
        dv_tensor tensor = graph->tensors[t];
        tensor.is_output = tensor.is_kept = false; /* copy_rest marks them again */
        if (t == pinned) {
            tensor.role = DV_ROLE_CONSTANT;
            tensor.data = (dv_data){.storage = DV_STORAGE_FILL, .shift = value};
        }
        dv_tensor_id id;
        DV_TRY(dv_graph_add_tensor(copy, &tensor, &id));
    }
    return DV_OK;
}

static dv_status copy_rest(const dv_graph *graph, dv_graph *copy)
{
    for (dv_op_id o = 0; o < graph->op_count; o++) {
        dv_op_id id;
        DV_TRY(dv_graph_add_op(copy, &graph->ops[o], &id));
    }
    for (uint32_t i = 0; i < graph->output_count; i++)
        DV_TRY(dv_graph_add_output(copy, graph->outputs[i]));
    for (uint32_t i = 0; i < graph->state_count; i++)
        DV_TRY(dv_graph_add_state(copy, graph->states[i].tensor, graph->states[i].next));
    DV_TRY(dv_graph_copy_source(copy, graph));
    return dv_graph_finish(copy);
}

dv_status dv_pin_input(const dv_graph *graph, const char *name, double value, dv_graph **out)
{
    *out = NULL;
    dv_tensor_id pinned;
    DV_TRY(find_input(graph, name, &pinned));
    if (!dv_shape_known(&graph->tensors[pinned].shape))
        return dv_fail(DV_BAD_PARAMETER,
                       "--set %s: the input's own shape is open; bind its dimensions with --dim",
                       name);
    dv_graph *copy = dv_graph_create(graph->name, graph->format);
    if (!copy)
        return dv_fail(DV_NO_MEMORY, "no memory for a graph");
    dv_status status = copy_tensors(graph, pinned, value, copy);
    if (status == DV_OK)
        status = copy_rest(graph, copy);
    if (status != DV_OK)
        dv_graph_destroy(copy);
    else
        *out = copy;
    return status;
}
