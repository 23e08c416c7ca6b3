/* test_cheapest.c - each unit where it is fastest. */
#include "tests/problem_text.h"
#include "tests/suite.h"

enum { CPU, NPU, GPU };

static void moves_and_dispatch_are_not_looked_at(void)
{
    dv_problem *problem =
        problem_of("cpu npu", "move 1000\ndispatch 0 1000\na 3 2\nb 2 3\nc 3 2\n");
    dv_plan *plan = solve_with("cheapest", problem);
    CU_ASSERT_EQUAL(plan->target[0], NPU);
    CU_ASSERT_EQUAL(plan->target[1], CPU);
    CU_ASSERT_EQUAL(plan->target[2], NPU);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 6 + 2000 + 4000, 1e-9);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void a_group_goes_where_it_is_fastest_in_sum(void)
{
    dv_problem *problem =
        problem_of("cpu npu gpu", "a 3 2 9 # 1\nb 1 9 1 # 1\nc 9 1 2\nd 5 - 4 # 1\n");
    dv_plan *plan = solve_with("cheapest", problem);
    CU_ASSERT_EQUAL(plan->target[0], CPU); /* 9 in sum; the GPU needs 14, the NPU lacks d */
    CU_ASSERT_EQUAL(plan->target[1], CPU);
    CU_ASSERT_EQUAL(plan->target[2], NPU);
    CU_ASSERT_EQUAL(plan->target[3], CPU);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void a_pin_is_obeyed(void)
{
    dv_problem *problem = problem_of("cpu npu", "a 3 2 @ cpu\nb 3 2\n");
    dv_plan *plan = solve_with("cheapest", problem);
    CU_ASSERT_EQUAL(plan->target[0], CPU);
    CU_ASSERT_EQUAL(plan->target[1], NPU);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_cheapest, DV_TEST(moves_and_dispatch_are_not_looked_at),
         DV_TEST(a_group_goes_where_it_is_fastest_in_sum), DV_TEST(a_pin_is_obeyed));
