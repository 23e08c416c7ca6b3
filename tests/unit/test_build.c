/* test_build.c - the problem of a graph on a platform. */
#include <math.h>
#include <string.h>

#include "costmodel/costmodel.h"
#include "tests/suite.h"
#include "tests/unit/cost_example.h"

enum { CPU, GPU, NPU }; /* targets and devices alike */

static dv_problem *built(void)
{
    dv_graph *graph = cost_example_graph();
    dv_platform *platform = cost_example_platform();
    dv_problem *problem = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_problem_build(graph, platform, dv_cost_model_at(0), &problem), DV_OK);
    dv_platform_destroy(platform); /* the problem copies what it needs */
    dv_graph_destroy(graph);
    return problem;
}

static void test_units_devices_and_limits_are_the_platforms(void)
{
    dv_problem *p = built();
    CU_ASSERT_EQUAL(p->unit_count, 4);
    CU_ASSERT_EQUAL(p->target_count, 3);
    CU_ASSERT_EQUAL(p->host, CPU);
    CU_ASSERT_STRING_EQUAL(p->unit_name[0], "conv");
    CU_ASSERT_STRING_EQUAL(p->target_name[NPU], "npu:f16");
    CU_ASSERT_EQUAL(p->dispatch_us[GPU], 9.0);
    CU_ASSERT_EQUAL(p->session_us[GPU], 7.0);
    CU_ASSERT_EQUAL(p->capacity_bytes[GPU], 1000.0);
    CU_ASSERT_TRUE(isinf(p->capacity_bytes[CPU]));
    CU_ASSERT_FALSE(dv_problem_allows(p, 3, NPU));
    dv_problem_destroy(p);
}

static void test_weights_count_in_the_targets_precision(void)
{
    dv_problem *p = built();
    double elements = 8 * 4 * 9 + 8;
    CU_ASSERT_EQUAL(p->memory_bytes[CPU], 4 * elements);
    CU_ASSERT_EQUAL(p->memory_bytes[NPU], 2 * elements);
    CU_ASSERT_EQUAL(p->memory_bytes[3 + CPU], 0.0);
    dv_problem_destroy(p);
}

/* x into unit 0; its ReLU's output into 1, 1's into 2, 2's into 3; y to the host. What stays inside
   unit 0 is no tensor of the problem. */
static void test_tensors_are_those_that_cross_units_or_the_host(void)
{
    dv_problem *p = built();
    CU_ASSERT_EQUAL_FATAL(p->tensor_count, 5);
    CU_ASSERT_STRING_EQUAL(p->tensor_name[0], "x");
    CU_ASSERT_EQUAL(p->producer[0], DV_NONE);
    CU_ASSERT_STRING_EQUAL(p->tensor_name[1], "r");
    CU_ASSERT_EQUAL(p->producer[1], 0);
    CU_ASSERT_EQUAL(p->consumer_start[2] - p->consumer_start[1], 1);
    CU_ASSERT_EQUAL(p->consumers[p->consumer_start[1]], 1);
    CU_ASSERT_STRING_EQUAL(p->tensor_name[4], "y");
    CU_ASSERT_TRUE(p->host_needs[4] && !p->host_needs[1]);
    CU_ASSERT_EQUAL(p->bytes[1 * 3 + CPU], 800 * 4.0);
    CU_ASSERT_EQUAL(p->bytes[1 * 3 + NPU], 800 * 2.0);
    CU_ASSERT_EQUAL(p->bytes[0 * 3 + NPU], 400 * 4.0); /* an input starts on the host */
    dv_problem_destroy(p);
}

static void test_a_move_is_a_link_and_a_conversion(void)
{
    dv_problem *p = built();
    double bytes = 800 * 4.0;
    /* same precision: the link alone, 10 us and 2 GB/s */
    CU_ASSERT_DOUBLE_EQUAL(dv_problem_move_us(p, 1, CPU, GPU), 10 + bytes / 2e3, 1e-9);
    /* to the npu: 30 us and 8 GB/s, and half as much written as read at 4 GB/s by its element-wise
       kernel (launch 1.5 us) */
    CU_ASSERT_DOUBLE_EQUAL(dv_problem_move_us(p, 1, CPU, NPU),
                           30 + 1.5 + bytes / 8e3 + 1.5 * bytes / 4e3, 1e-9);
    /* back: half the bytes travel, three times as many are read and written for each */
    CU_ASSERT_DOUBLE_EQUAL(dv_problem_move_us(p, 1, NPU, CPU),
                           30 + 0.5 + 1600 / 8e3 + 3.0 * 1600 / 4e3, 1e-9);
    dv_problem_destroy(p);
}

static void test_without_a_link_a_tensor_goes_through_the_host(void)
{
    dv_problem *p = built();
    double bytes = 800 * 4.0;
    CU_ASSERT_DOUBLE_EQUAL(dv_problem_move_us(p, 1, GPU, NPU),
                           10 + 30 + 1.5 + bytes / 2e3 + bytes / 8e3 + 1.5 * bytes / 4e3, 1e-9);
    dv_problem_destroy(p);
}

static void test_energy_is_power_times_time(void)
{
    dv_problem *p = built();
    CU_ASSERT_PTR_NOT_NULL_FATAL(p->energy_uj);
    CU_ASSERT_DOUBLE_EQUAL(p->energy_uj[CPU], 3.0 * dv_problem_time_us(p, 0, CPU), 1e-9);
    CU_ASSERT_EQUAL(p->energy_uj[3 * 3 + NPU], 0.0); /* cannot run there */
    dv_problem_destroy(p);
}

static void test_an_operator_that_nothing_runs_is_named(void)
{
    dv_graph *graph = cost_example_graph();
    dv_platform *platform = NULL;
    CU_ASSERT_EQUAL(dv_platform_open("iphone12", &platform), DV_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(platform);
    for (dv_device_id d = 0; d < platform->device_count; d++)
        ((bool *)platform->devices[d].supports)[DV_OP_GELU] = false;
    dv_problem *problem = NULL;
    CU_ASSERT_EQUAL(dv_problem_build(graph, platform, dv_cost_model_at(0), &problem), DV_BAD_INPUT);
    CU_ASSERT_PTR_NULL(problem);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "'gelu' (aten.gelu.default)"));
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "iphone12"));
    dv_platform_destroy(platform);
    dv_graph_destroy(graph);
}

static void test_a_graph_without_units_is_refused(void)
{
    dv_graph *graph = dv_graph_create("empty", "test");
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT_EQUAL_FATAL(dv_graph_finish(graph), DV_OK);
    dv_platform *platform = cost_example_platform();
    dv_problem *problem = NULL;
    CU_ASSERT_EQUAL(dv_problem_build(graph, platform, dv_cost_model_at(0), &problem), DV_BAD_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "empty"));
    dv_platform_destroy(platform);
    dv_graph_destroy(graph);
}

DV_SUITE(cost_build, DV_TEST(test_units_devices_and_limits_are_the_platforms),
         DV_TEST(test_weights_count_in_the_targets_precision),
         DV_TEST(test_tensors_are_those_that_cross_units_or_the_host),
         DV_TEST(test_a_move_is_a_link_and_a_conversion),
         DV_TEST(test_without_a_link_a_tensor_goes_through_the_host),
         DV_TEST(test_energy_is_power_times_time),
         DV_TEST(test_an_operator_that_nothing_runs_is_named),
         DV_TEST(test_a_graph_without_units_is_refused));
