/* test_roofline.c - times of units against closed forms. */
#include <math.h>
#include <string.h>

#include "costmodel/costmodel.h"
#include "costmodel/roofline.h"
#include "tests/suite.h"
#include "tests/unit/cost_example.h"

static dv_demand demand_of_unit(const dv_graph *graph, dv_unit_id u, const dv_target *target)
{
    return dv_demand_of(graph, graph->units[u].ops, graph->units[u].op_count, target->precision,
                        target->channel_multiple);
}

static double time_of(const dv_graph *graph, dv_unit_id u, const dv_platform *p, const char *target)
{
    const dv_cost_model *model = dv_cost_model_find("roofline");
    CU_ASSERT_PTR_NOT_NULL_FATAL(model);
    return model->unit_time_us(graph, u, p, dv_platform_target(p, target));
}

/* Unit 0 of the example: a 3x3 convolution of 4 to 8 channels at 10x10, with its ReLU. */
static void test_a_convolution_is_bound_by_its_products(void)
{
    dv_graph *graph = cost_example_graph();
    dv_platform *p = cost_example_platform();
    double macs = 8.0 * 10 * 10 * 4 * 9;
    /* launch 1 us, 0.5 GMAC/s; the bytes (at 1 and 2 GB/s) take less */
    CU_ASSERT_DOUBLE_EQUAL(time_of(graph, 0, p, "cpu:f32"), 1.0 + macs / 500.0, 1e-9);
    dv_platform_destroy(p);
    dv_graph_destroy(graph);
}

/* The same unit on the npu: channels are padded to 16, products cost next to nothing, so the bytes
   decide: weights at 0.1, activations at 0.5 GB/s, in half precision. */
static void test_half_precision_halves_the_bytes(void)
{
    dv_graph *graph = cost_example_graph();
    dv_platform *p = cost_example_platform();
    const dv_target *npu = &p->targets[dv_platform_target(p, "npu:f16")];
    dv_demand demand = demand_of_unit(graph, 0, npu);
    double macs = 8.0 * 10 * 10 * 4 * 9;
    CU_ASSERT_DOUBLE_EQUAL(demand.macs[DV_FAMILY_CONV], macs * 4 * 2, 1e-6);
    CU_ASSERT_EQUAL(demand.weight_bytes, 2.0 * (8 * 4 * 9 + 8));
    CU_ASSERT_EQUAL(demand.activation_bytes, 2.0 * (4 * 100 + 8 * 100));
    double memory_us = demand.weight_bytes / 100.0 + demand.activation_bytes / 500.0;
    CU_ASSERT_DOUBLE_EQUAL(time_of(graph, 0, p, "npu:f16"), 3.0 + memory_us, 1e-9);
    dv_platform_destroy(p);
    dv_graph_destroy(graph);
}

static void test_a_fused_activation_is_free(void)
{
    dv_graph *graph = cost_example_graph();
    dv_platform *p = cost_example_platform();
    const dv_target *cpu = &p->targets[p->host];
    dv_demand whole = demand_of_unit(graph, 0, cpu);
    dv_demand alone = dv_demand_of(graph, graph->units[0].ops, 1, cpu->precision, 1);
    CU_ASSERT_EQUAL(graph->units[0].op_count, 2);
    CU_ASSERT_EQUAL(whole.family, DV_FAMILY_CONV);
    CU_ASSERT_EQUAL(whole.activation_bytes, alone.activation_bytes);
    CU_ASSERT_EQUAL(dv_roofline_us(&whole, cpu, DV_KERNELS_FLOATS),
                    dv_roofline_us(&alone, cpu, DV_KERNELS_FLOATS));
    dv_platform_destroy(p);
    dv_graph_destroy(graph);
}

/* Unit 1 adds the ReLU's output to itself: read once, written once. */
static void test_a_tensor_read_twice_is_streamed_once(void)
{
    dv_graph *graph = cost_example_graph();
    dv_platform *p = cost_example_platform();
    CU_ASSERT_DOUBLE_EQUAL(time_of(graph, 1, p, "cpu:f32"), 0.5 + 2 * 800 * 4 / 2000.0, 1e-9);
    dv_platform_destroy(p);
    dv_graph_destroy(graph);
}

static void test_a_view_costs_nothing_where_it_has_no_price(void)
{
    dv_graph *graph = cost_example_graph();
    dv_platform *p = cost_example_platform();
    CU_ASSERT_EQUAL(time_of(graph, 2, p, "cpu:f32"), 0.0);
    CU_ASSERT_EQUAL(time_of(graph, 2, p, "npu:f16"), 0.25);
    dv_platform_destroy(p);
    dv_graph_destroy(graph);
}

static void test_an_unsupported_operator_makes_its_unit_infinite(void)
{
    dv_graph *graph = cost_example_graph();
    dv_platform *p = cost_example_platform();
    CU_ASSERT_TRUE(isinf(time_of(graph, 3, p, "npu:f16")));
    CU_ASSERT_TRUE(isfinite(time_of(graph, 3, p, "cpu:f32")));
    dv_platform_destroy(p);
    dv_graph_destroy(graph);
}

/* An embedding of 2 rows of a table of 5000 reads 2 rows. */
static void test_a_gather_reads_only_its_rows(void)
{
    dv_graph *graph = dv_graph_create("embedding", "test");
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    dv_tensor_id table = cost_example_constant(graph, "table", (int64_t[]){5000, 64}, 2);
    dv_tensor index = {.name = "i", .dtype = DV_DTYPE_I64, .role = DV_ROLE_INPUT};
    index.shape = dv_shape_make((int64_t[]){2}, 1);
    dv_tensor_id i, out = cost_example_activation(graph, "out", (int64_t[]){2, 64}, 2);
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_tensor(graph, &index, &i), DV_OK);
    dv_op op = {.kind = DV_OP_EMBEDDING, .name = "embed", .source_type = "Gather"};
    cost_example_op(graph, &op, (dv_tensor_id[]){table, i}, 2, out);
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_output(graph, out), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_graph_set_units(graph, (dv_unit_id[]){0}, 1), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_graph_finish(graph), DV_OK);
    dv_demand demand = dv_demand_of(graph, graph->units[0].ops, 1, DV_DTYPE_F32, 1);
    CU_ASSERT_EQUAL(demand.weight_bytes, 2.0 * 64 * 4);
    CU_ASSERT_EQUAL(demand.activation_bytes, 2.0 * 64 * 4 + 2 * 8);
    dv_graph_destroy(graph);
}

static void test_the_first_model_is_the_roofline(void)
{
    CU_ASSERT_STRING_EQUAL(dv_cost_model_at(0)->name, "roofline");
    CU_ASSERT_PTR_EQUAL(dv_cost_model_find("roofline"), dv_cost_model_at(0));
    CU_ASSERT_PTR_NULL(dv_cost_model_find("astrology"));
}

DV_SUITE(cost_roofline, DV_TEST(test_a_convolution_is_bound_by_its_products),
         DV_TEST(test_half_precision_halves_the_bytes), DV_TEST(test_a_fused_activation_is_free),
         DV_TEST(test_a_tensor_read_twice_is_streamed_once),
         DV_TEST(test_a_view_costs_nothing_where_it_has_no_price),
         DV_TEST(test_an_unsupported_operator_makes_its_unit_infinite),
         DV_TEST(test_a_gather_reads_only_its_rows), DV_TEST(test_the_first_model_is_the_roofline));
