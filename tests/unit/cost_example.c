/* cost_example.c - the network and the machine of the cost models' tests. */
#include <string.h>

#include "tests/suite.h"
#include "tests/unit/cost_example.h"

static dv_tensor_id add_tensor(dv_graph *graph, const char *name, const int64_t *dims, size_t rank,
                               dv_role role)
{
    dv_tensor tensor = {.name = name, .dtype = DV_DTYPE_F32, .role = role};
    tensor.shape = dv_shape_make(dims, rank);
    if (role == DV_ROLE_CONSTANT)
        tensor.data = (dv_data){.storage = DV_STORAGE_FILL};
    dv_tensor_id id;
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_tensor(graph, &tensor, &id), DV_OK);
    return id;
}

dv_tensor_id cost_example_constant(dv_graph *graph, const char *name, const int64_t *dims,
                                   size_t rank)
{
    return add_tensor(graph, name, dims, rank, DV_ROLE_CONSTANT);
}

dv_tensor_id cost_example_activation(dv_graph *graph, const char *name, const int64_t *dims,
                                     size_t rank)
{
    return add_tensor(graph, name, dims, rank, DV_ROLE_ACTIVATION);
}

dv_op_id cost_example_op(dv_graph *graph, dv_op *op, const dv_tensor_id *inputs, uint32_t count,
                         dv_tensor_id output)
{
    op->inputs = inputs;
    op->input_count = count;
    op->outputs = &output;
    op->output_count = 1;
    dv_op_id id;
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_op(graph, op, &id), DV_OK);
    return id;
}

dv_graph *cost_example_graph(void)
{
    static const int64_t in[] = {1, 4, 10, 10}, out[] = {1, 8, 10, 10}, flat[] = {1, 800};
    dv_graph *graph = dv_graph_create("example", "test");
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    dv_tensor_id x = add_tensor(graph, "x", in, 4, DV_ROLE_INPUT);
    dv_tensor_id w = cost_example_constant(graph, "w", (int64_t[]){8, 4, 3, 3}, 4);
    dv_tensor_id b = cost_example_constant(graph, "b", (int64_t[]){8}, 1);
    dv_tensor_id c = cost_example_activation(graph, "c", out, 4);
    dv_tensor_id r = cost_example_activation(graph, "r", out, 4);
    dv_tensor_id s = cost_example_activation(graph, "s", out, 4);
    dv_tensor_id v = cost_example_activation(graph, "v", flat, 2);
    dv_tensor_id y = cost_example_activation(graph, "y", flat, 2);
    dv_op conv = {.kind = DV_OP_CONVOLUTION, .name = "conv", .source_type = "Conv"};
    conv.params.conv = (dv_conv_params){.spatial = 2,
                                        .groups = 1,
                                        .stride = {1, 1},
                                        .dilation = {1, 1},
                                        .pad_begin = {1, 1},
                                        .pad_end = {1, 1}};
    dv_op relu = {.kind = DV_OP_RELU, .name = "relu", .source_type = "Relu"};
    dv_op add = {.kind = DV_OP_ADD, .name = "add", .source_type = "Add"};
    dv_op view = {.kind = DV_OP_VIEW, .name = "view", .source_type = "Reshape"};
    view.params.view.shape = dv_shape_make(flat, 2);
    dv_op gelu = {.kind = DV_OP_GELU, .name = "gelu", .source_type = "Gelu"};
    cost_example_op(graph, &conv, (dv_tensor_id[]){x, w, b}, 3, c);
    cost_example_op(graph, &relu, (dv_tensor_id[]){c}, 1, r);
    cost_example_op(graph, &add, (dv_tensor_id[]){r, r}, 2, s);
    cost_example_op(graph, &view, (dv_tensor_id[]){s}, 1, v);
    cost_example_op(graph, &gelu, (dv_tensor_id[]){v}, 1, y);
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_output(graph, y), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_graph_set_units(graph, (dv_unit_id[]){0, 0, 1, 2, 3}, 4), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_graph_finish(graph), DV_OK);
    return graph;
}

#define FIGURE(value)      "{\"value\": " #value ", \"source\": \"test\"}"
#define ROW(launch, gmacs) "{\"launch_us\": " FIGURE(launch) ", \"gmacs\": " FIGURE(gmacs) "}"
#define LAUNCH(launch)     "{\"launch_us\": " FIGURE(launch) "}"

/* cpu:f32 is the host; gpu:f32 has no link to npu; npu:f16 runs no GELU and pads channels to 16. */
static const char
    machine[] = "{\"divvy\": \"platform/1\", \"name\": \"example\", \"host\": "
                "\"cpu:f32\","
                " \"convert_gbs\": " FIGURE(
                    4) ", \"devices\": ["
                       "{\"name\": \"cpu\", \"kind\": \"cpu\", "
                       "\"dispatch_us\": " FIGURE(
                           2) ","
                              " \"power_w\": " FIGURE(
                                  3) ", \"support\": {\"all\": true}, "
                                     "\"precisions\": [{\"precision\":"
                                     " \"f32\", \"weight_gbs\": " FIGURE(
                                         1) ", "
                                            "\"activa"
                                            "tion_"
                                            "gbs\":"
                                            " " FIGURE(
                                                2) ","
                                                   " "
                                                   "\"fam"
                                                   "i"
                                                   "l"
                                                   "i"
                                                   "e"
                                                   "s"
                                                   "\":"
                                                   " "
                                                   "{"
                                                   "\"con"
                                                   "v"
                                                   "\":"
                                                   " " ROW(1, 0.5) ", \"elementwise\": " LAUNCH(0.5) "}}]},"
                                                                                                     "{\"name\": \"gpu\", \"kind\": \"gpu\", \"dispatch_us\": " FIGURE(9) ", \"session_us\": " FIGURE(7) ", \"power_w\": " FIGURE(5) ", \"memory_bytes\": " FIGURE(1000) ","
                                                                                                                                                                                                                                                                         " \"support\": {\"all\": true}, \"precisions\": [{\"precision\": \"f32\", \"weight_gbs\": " FIGURE(1) ", \"activation_gbs\": " FIGURE(2) ", \"families\": {\"conv\": " ROW(2,
                                                                                                                                                                                                                                                                                                                                                                                                                                                    5) ", \"elementwise\": " LAUNCH(1) "}}]},"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       "{\"name\": \"npu\", \"kind\": \"npu\", \"dispatch_us\": " FIGURE(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           20) ","
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                               " \"power_w\": " FIGURE(1) ", \"support\": {\"all\": true, \"except\":"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          " [\"aten.gelu.default\"]}, \"precisions\": [{\"precision\": \"f16\", \"channel_multiple\": " FIGURE(16) ", \"weight_gbs\": " FIGURE(0.1) ", \"activation_gbs\": " FIGURE(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                              0.5) ","
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                   " \"families\": {\"conv\": " ROW(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       3,
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       1000) ", \"elementwise\": " LAUNCH(1.5) ", \"view\": " LAUNCH(0.25) "}}]}],"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           " \"links\": [{\"from\": \"cpu\", \"to\": \"gpu\", \"both_ways\": true, \"latency_us\": " FIGURE(10) ", \"gbs\": " FIGURE(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                               2) "}, {\"from\": \"cpu\", \"to\": \"npu\", \"both_ways\":"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  " true, \"latency_us\": " FIGURE(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      30) ", \"gbs\": " FIGURE(8) "}]}";

dv_platform *cost_example_platform(void)
{
    dv_platform *platform = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_platform_parse("example.json", machine, strlen(machine), &platform),
                          DV_OK);
    return platform;
}
