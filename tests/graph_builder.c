/* graph_builder.c - small graphs by hand, for tests. */
#include "tests/graph_builder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void read_type(const char *type, dv_tensor *tensor)
{
    char dtype[16] = "";
    const char *space = strchr(type, ' ');
    CU_ASSERT_PTR_NOT_NULL_FATAL(space);
    snprintf(dtype, sizeof dtype, "%.*s", (int)(space - type), type);
    CU_ASSERT_TRUE_FATAL(dv_dtype_from_name(dtype, &tensor->dtype));
    tensor->shape = (dv_shape){0};
    const char *at = space + 1;
    if (strcmp(at, "scalar") == 0)
        return;
    if (strcmp(at, "?") == 0) {
        tensor->shape.rank = DV_RANK_UNKNOWN;
        return;
    }
    for (;;) {
        char *end = (char *)at + 1;
        int64_t dim = *at == '?' ? -1 : strtoll(at, &end, 10);
        CU_ASSERT_TRUE_FATAL(tensor->shape.rank < DV_MAX_RANK && end != at);
        tensor->shape.dim[tensor->shape.rank++] = dim;
        if (*end != 'x')
            break;
        at = end + 1;
    }
}

static dv_tensor_id add(dv_graph *graph, const char *name, const char *type, dv_role role,
                        const dv_data *data)
{
    dv_tensor tensor = {.name = name, .role = role};
    read_type(type, &tensor);
    if (data)
        tensor.data = *data;
    dv_tensor_id id = DV_NONE;
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_tensor(graph, &tensor, &id), DV_OK);
    return id;
}

dv_graph *build_graph(void)
{
    dv_graph *graph = dv_graph_create("test", "test");
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    return graph;
}

dv_tensor_id build_input(dv_graph *graph, const char *name, const char *type)
{
    return add(graph, name, type, DV_ROLE_INPUT, NULL);
}

dv_tensor_id build_fill(dv_graph *graph, const char *name, const char *type, double value)
{
    dv_data data = {.storage = DV_STORAGE_FILL, .shift = value};
    return add(graph, name, type, DV_ROLE_CONSTANT, &data);
}

dv_tensor_id build_random(dv_graph *graph, const char *name, const char *type, uint64_t seed,
                          double scale, double shift)
{
    dv_data data = {.storage = DV_STORAGE_GENERATED, .seed = seed, .scale = scale, .shift = shift};
    return add(graph, name, type, DV_ROLE_CONSTANT, &data);
}

static dv_tensor_id add_bytes(dv_graph *graph, const char *name, const char *type,
                              const void *values)
{
    dv_tensor tensor = {0};
    size_t bytes;
    read_type(type, &tensor);
    CU_ASSERT_TRUE_FATAL(dv_tensor_bytes(&tensor, &bytes));
    dv_data data = {.storage = DV_STORAGE_BUFFER, .buffer = dv_buffer_create(bytes)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(data.buffer);
    if (bytes > 0)
        memcpy(dv_buffer_writable(data.buffer), values, bytes);
    dv_tensor_id id = add(graph, name, type, DV_ROLE_CONSTANT, &data);
    dv_buffer_release(data.buffer);
    return id;
}

dv_tensor_id build_floats(dv_graph *graph, const char *name, const char *type, const float *values)
{
    return add_bytes(graph, name, type, values);
}

dv_tensor_id build_ints(dv_graph *graph, const char *name, const char *type, const int64_t *values)
{
    return add_bytes(graph, name, type, values);
}

dv_tensor_id build_vector(dv_graph *graph, const int64_t *values, size_t count)
{
    char type[32];
    snprintf(type, sizeof type, "i64 %zu", count);
    return add_bytes(graph, "parameter", type, values);
}

void build_op_outputs(dv_graph *graph, dv_op_kind kind, dv_op_params params, const char *name,
                      const dv_tensor_id *inputs, size_t count, dv_tensor_id *outputs,
                      uint32_t output_count)
{
    char output[64];
    for (uint32_t i = 0; i < output_count; i++) {
        snprintf(output, sizeof output, "%s.%u", name, i);
        outputs[i] =
            add(graph, output_count == 1 ? name : output, "f32 ?", DV_ROLE_ACTIVATION, NULL);
    }
    dv_op op = {.kind = kind,
                .name = name,
                .source_type = dv_op_info_of(kind)->name,
                .input_count = (uint32_t)count,
                .output_count = output_count,
                .inputs = inputs,
                .outputs = outputs,
                .params = params,
                .debug_handle = graph->op_count};
    dv_op_id id;
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_op(graph, &op, &id), DV_OK);
}

dv_tensor_id build_op(dv_graph *graph, dv_op_kind kind, dv_op_params params, const char *name,
                      const dv_tensor_id *inputs, size_t count)
{
    dv_tensor_id output;
    build_op_outputs(graph, kind, params, name, inputs, count, &output, 1);
    return output;
}

dv_op_params build_none(void)
{
    return (dv_op_params){0};
}

dv_op_params build_conv(int64_t stride, int64_t pad, int64_t groups)
{
    dv_op_params params = {.conv = {.groups = groups}};
    for (int d = 0; d < DV_MAX_SPATIAL; d++) {
        params.conv.stride[d] = stride;
        params.conv.dilation[d] = 1;
        params.conv.pad_begin[d] = params.conv.pad_end[d] = pad;
    }
    return params;
}

dv_op_params build_pool(int64_t kernel, int64_t stride, int64_t pad)
{
    dv_op_params params = {0};
    for (int d = 0; d < DV_MAX_SPATIAL; d++) {
        params.pool.kernel[d] = kernel;
        params.pool.stride[d] = stride;
        params.pool.dilation[d] = 1;
        params.pool.pad_begin[d] = params.pool.pad_end[d] = pad;
    }
    return params;
}

dv_op_params build_linear(bool weight_kn)
{
    return (dv_op_params){.linear = {.weight_kn = weight_kn, .alpha = 1, .beta = 1}};
}

dv_op_params build_axis(int64_t axis)
{
    return (dv_op_params){.axis = {.axis = axis}};
}

dv_op_params build_permute(const char *perm)
{
    dv_op_params params = {0};
    for (; *perm; perm++)
        params.permute.perm[params.permute.rank++] = (uint8_t)(*perm - '0');
    return params;
}

dv_op_params build_clamp(double min, double max)
{
    return (dv_op_params){.clamp = {.min = min, .max = max}};
}

dv_op_params build_norm(double eps, int64_t axes)
{
    return (dv_op_params){.norm = {.eps = eps, .axes = axes}};
}

dv_op_params build_reduce(bool keep_dims, const char *axes)
{
    dv_op_params params = {.reduce = {.keep_dims = keep_dims}};
    for (; *axes; axes++)
        params.reduce.axes[params.reduce.count++] = *axes - '0';
    return params;
}

void build_output(dv_graph *graph, dv_tensor_id id)
{
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_output(graph, id), DV_OK);
}

dv_graph *build_finish(dv_graph *graph, dv_tensor_id output)
{
    if (output != DV_NONE)
        build_output(graph, output);
    dv_status status = dv_graph_finish(graph);
    if (status != DV_OK)
        fprintf(stderr, "    %s\n", dv_message());
    CU_ASSERT_EQUAL_FATAL(status, DV_OK);
    return graph;
}

const char *type_of(const dv_graph *graph, const char *name)
{
    static char text[DV_SHAPE_TEXT + 16];
    char shape[DV_SHAPE_TEXT];
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++)
        if (strcmp(graph->tensors[t].name, name) == 0) {
            snprintf(text, sizeof text, "%s %s", dv_dtype_name(graph->tensors[t].dtype),
                     dv_shape_text(&graph->tensors[t].shape, shape));
            return text;
        }
    return "";
}

uint32_t count_of(const dv_graph *graph, dv_op_kind kind)
{
    uint32_t count = 0;
    for (dv_op_id o = 0; o < graph->op_count; o++)
        count += graph->ops[o].kind == kind;
    return count;
}

const dv_op *first_of(const dv_graph *graph, dv_op_kind kind)
{
    for (dv_op_id o = 0; o < graph->op_count; o++)
        if (graph->ops[o].kind == kind)
            return &graph->ops[o];
    return NULL;
}

const dv_op *op_named(const dv_graph *graph, const char *name)
{
    for (dv_op_id o = 0; o < graph->op_count; o++)
        if (strcmp(graph->ops[o].name, name) == 0)
            return &graph->ops[o];
    return NULL;
}
