/* test_chain.c - ExecuTorch's chain of partitioners. */
#include <string.h>

#include "tests/problem_text.h"
#include "tests/suite.h"

enum { CPU, NPU, GPU };

static const char TEXT[] = "a 9 1 2\nb 9 - 2\nc 9 - -\nd 9 8 2\n";

static void each_partitioner_takes_all_that_it_supports(void)
{
    dv_problem *problem = problem_of("cpu npu gpu", TEXT);
    dv_plan *plan = solve_with("chain:order=npu+gpu", problem);
    CU_ASSERT_EQUAL(plan->target[0], NPU);
    CU_ASSERT_EQUAL(plan->target[1], GPU);
    CU_ASSERT_EQUAL(plan->target[2], CPU);
    CU_ASSERT_EQUAL(plan->target[3], NPU); /* though the GPU is faster */
    dv_plan_destroy(plan);

    plan = solve_with("chain:order=gpu", problem);
    CU_ASSERT_EQUAL(plan->target[0], GPU);
    CU_ASSERT_EQUAL(plan->target[2], CPU);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void the_best_list_is_found(void)
{
    dv_problem *problem = problem_of("cpu npu gpu", TEXT);
    dv_plan *plan = solve_with("chain", problem);
    CU_ASSERT_EQUAL(plan->target[3], GPU); /* gpu first */
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 2 + 2 + 9 + 2, 1e-12);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void the_fastest_precision_of_a_device_is_taken(void)
{
    dv_problem *problem = problem_of("cpu npu:f16 npu:i8", "a 9 4 3\nb 9 3 4\n");
    dv_plan *plan = solve_with("chain:order=npu", problem);
    CU_ASSERT_EQUAL(plan->target[0], 2);
    CU_ASSERT_EQUAL(plan->target[1], 1);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void many_devices_are_still_tried(void)
{
    dv_problem *problem = problem_of("cpu d1 d2 d3 d4 d5 d6", "a 9 5 5 5 2 5 5\nb 9 5 5 5 5 5 1\n");
    dv_plan *plan = solve_with("chain", problem);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 6, 1e-12); /* d6 or d4 first: one takes both */
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void merged_partitions_save_dispatch_by_another_order(void)
{
    dv_problem *problem = problem_of("cpu npu", "dispatch 1 10\na 9 1 < in\nb 1 - < in\n"
                                                "c 9 1 < a\nd 1 - < b\n");
    dv_plan *runs = solve_with("chain:order=npu", problem);
    dv_plan *merged = solve_with("chain:order=npu,partitions=merged", problem);
    CU_ASSERT_EQUAL(runs->cost.segments, 4);
    CU_ASSERT_EQUAL(merged->cost.segments, 2);
    CU_ASSERT_DOUBLE_EQUAL(runs->cost.total_us, 4 + 22, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(merged->cost.total_us, 4 + 11, 1e-12);
    dv_plan_destroy(runs);
    dv_plan_destroy(merged);
    dv_problem_destroy(problem);
}

static void an_unknown_device_is_refused_by_name(void)
{
    dv_problem *problem = problem_of("cpu npu gpu", TEXT);
    dv_plan *plan = NULL;
    dv_outcome outcome;
    static const char *const wrong[] = {"chain:order=tpu", "chain:order=npu+",
                                        "chain:order=", "chain:order=npu+npu"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CU_ASSERT_EQUAL(dv_solve(problem, wrong[i], NULL, &plan, &outcome), DV_BAD_PARAMETER);
        CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "order="));
    }
    dv_problem_destroy(problem);
}

DV_SUITE(solver_chain, DV_TEST(each_partitioner_takes_all_that_it_supports),
         DV_TEST(the_best_list_is_found), DV_TEST(the_fastest_precision_of_a_device_is_taken),
         DV_TEST(many_devices_are_still_tried),
         DV_TEST(merged_partitions_save_dispatch_by_another_order),
         DV_TEST(an_unknown_device_is_refused_by_name));
