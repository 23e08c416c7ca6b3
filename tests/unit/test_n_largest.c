/* test_n_largest.c - the GPU delegate's rule. */
#include "tests/problem_text.h"
#include "tests/suite.h"

enum { CPU, NPU, GPU };

/* Two partitions: a b and d. */
static const char TEXT[] = "a 9 1\nb 9 1\nc 9 -\nd 90 1\n";

static void only_the_largest_partition_is_delegated(void)
{
    dv_problem *problem = problem_of("cpu npu", TEXT);
    dv_plan *plan = solve_with("n-largest", problem);
    CU_ASSERT_EQUAL(plan->target[0], NPU);
    CU_ASSERT_EQUAL(plan->target[1], NPU);
    CU_ASSERT_EQUAL(plan->target[3], CPU); /* though it would gain more: units count, not time */
    dv_plan_destroy(plan);

    plan = solve_with("n-largest:n=2", problem);
    CU_ASSERT_EQUAL(plan->target[3], NPU);
    dv_plan_destroy(plan);

    plan = solve_with("n-largest:n=0", problem);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 117, 1e-12);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void a_partition_gathers_all_that_is_ready(void)
{
    /* In the given order c splits a and d; as an epoch a, b and d are one partition. */
    dv_problem *problem = problem_of("cpu npu", "dispatch 0 10\na 9 1 < in\nb 9 1 < in\n"
                                                "c 1 - < in\nd 9 1 < a b\n");
    dv_plan *plan = solve_with("n-largest", problem);
    CU_ASSERT_EQUAL(plan->cost.segments, 2);
    CU_ASSERT_EQUAL(plan->target[3], NPU);
    CU_ASSERT_EQUAL(plan->order[2], 3);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 3 + 1 + 10, 1e-12);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void the_best_device_is_found_or_taken_as_named(void)
{
    dv_problem *problem = problem_of("cpu npu gpu", "a 9 5 1\nb 9 5 1\n");
    dv_plan *plan = solve_with("n-largest", problem);
    CU_ASSERT_EQUAL(plan->target[0], GPU);
    dv_plan_destroy(plan);
    plan = solve_with("n-largest:device=npu", problem);
    CU_ASSERT_EQUAL(plan->target[0], NPU);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_n_largest, DV_TEST(only_the_largest_partition_is_delegated),
         DV_TEST(a_partition_gathers_all_that_is_ready),
         DV_TEST(the_best_device_is_found_or_taken_as_named));
