/* test_executor_refused.c - what no executor is made for, and how that is said. */
#include <stdio.h>
#include <string.h>

#include "runtime/executor_parts.h"
#include "tests/execution.h"

enum { CPU, NPU };

/* Two operators in a row, the second of that name. */
static dv_graph *relus(const char *name)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 2x3");
    dv_tensor_id y = BUILD_OP(graph, DV_OP_SIGMOID, build_none(), "first", x);
    return build_finish(graph, BUILD_OP(graph, DV_OP_RELU, build_none(), name, y));
}

static void expect_refusal(execution *e, dv_status expected, const char *word, const char *other)
{
    CU_ASSERT_EQUAL(execution_start(e, 1), expected);
    CU_ASSERT_PTR_NULL(e->executor);
    bool said = strstr(dv_message(), word) && strstr(dv_message(), other);
    if (!said)
        fprintf(stderr, "\n    no '%s' and '%s' in: %s\n", word, other, dv_message());
    CU_ASSERT_TRUE(said);
    execution_end(e);
}

static void a_device_that_is_a_model_only_is_refused(void)
{
    const execution_device devices[] = {{.name = "cpu", .backend = "portable"}, {.name = "npu"}};
    execution e = execution_of(relus("squeeze"), devices, 2);
    CU_ASSERT_TRUE(execution_error(&e, 1) < 1e-6); /* not while nothing is placed on it */
    execution_place(&e, "squeeze", NPU);
    expect_refusal(&e, DV_BAD_INPUT, "'npu'", "model only");
}

static void a_precision_that_does_not_run_is_refused(void)
{
    const execution_device devices[] = {{.name = "cpu", .backend = "portable"},
                                        {.name = "npu", .backend = "portable", .precision = "f16"}};
    execution e = execution_of(relus("squeeze"), devices, 2);
    execution_place(&e, "squeeze", NPU);
    expect_refusal(&e, DV_BAD_INPUT, "'squeeze'", "'npu:f16'");
}

static void a_backend_that_is_not_there_is_refused(void)
{
    const execution_device devices[] = {
        {.name = "cpu", .backend = "portable"},
        {.name = "npu", .backend = "worker", .inner = "abacus", .core = -1}};
    execution e = execution_of(relus("squeeze"), devices, 2);
    execution_place(&e, "squeeze", NPU);
    expect_refusal(&e, DV_UNAVAILABLE, "'npu'", "'abacus'");
}

static void an_operator_that_no_kernel_runs_is_refused(void)
{
    const execution_device devices[] = {
        {.name = "cpu", .backend = "portable"},
        {.name = "npu", .backend = "worker", .inner = "portable", .core = -1}};
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "i64 2x3");
    dv_tensor_id a = BUILD_OP(graph, DV_OP_ABS, build_none(), "a", x);
    dv_tensor_id y = BUILD_OP(graph, DV_OP_SIGMOID, build_none(), "squashed", a);
    execution e = execution_of(build_finish(graph, y), devices, 2);
    execution_place(&e, "squashed", NPU);
    expect_refusal(&e, DV_BAD_INPUT, "'squashed'", "does not run on device 'npu'");
}

static void a_plan_of_another_model_is_refused(void)
{
    const execution_device devices[] = {{.name = "cpu", .backend = "portable"}};
    execution a = execution_of(relus("squeeze"), devices, 1),
              b = execution_of(relus("other"), devices, 1);
    dv_executor *executor = NULL;
    CU_ASSERT_EQUAL(dv_executor_create(a.graph, a.platform, b.problem, b.plan, &executor),
                    DV_BAD_INPUT);
    CU_ASSERT_PTR_NULL(executor);
    execution_end(&a);
    execution_end(&b);
}

DV_SUITE(runtime_executor_refused, DV_TEST(a_device_that_is_a_model_only_is_refused),
         DV_TEST(a_precision_that_does_not_run_is_refused),
         DV_TEST(a_backend_that_is_not_there_is_refused),
         DV_TEST(an_operator_that_no_kernel_runs_is_refused),
         DV_TEST(a_plan_of_another_model_is_refused));
