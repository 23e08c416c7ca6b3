/* test_ort.c - execution providers in order of priority. */
#include "tests/problem_text.h"
#include "tests/suite.h"

enum { CPU, NPU, GPU };

static void the_first_provider_takes_all_that_it_supports(void)
{
    dv_problem *problem = problem_of("cpu npu gpu", "a 9 8 1\nb 9 - 1\nc 9 - -\n");
    dv_plan *plan = solve_with("ort:priority=npu+gpu", problem);
    CU_ASSERT_EQUAL(plan->target[0], NPU);
    CU_ASSERT_EQUAL(plan->target[1], GPU);
    CU_ASSERT_EQUAL(plan->target[2], CPU);
    dv_plan_destroy(plan);
    plan = solve_with("ort", problem); /* the GPU saves more */
    CU_ASSERT_EQUAL(plan->target[0], GPU);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

/* b reads from the group {a}, so it waits until c, which is ready, has joined; d needs b and cannot
   join: a group that held a, c and d would feed b and read from it. */
static void groups_are_convex(void)
{
    dv_problem *problem =
        problem_of("cpu npu", "dispatch 1 10\na 9 1 < in\nb 1 - < a\nc 9 1 < in\nd 9 1 < b c\n");
    dv_plan *plan = solve_with("ort", problem);
    CU_ASSERT_EQUAL(plan->order[0], 0);
    CU_ASSERT_EQUAL(plan->order[1], 2);
    CU_ASSERT_EQUAL(plan->order[2], 1);
    CU_ASSERT_EQUAL(plan->order[3], 3);
    CU_ASSERT_EQUAL(plan->cost.segments, 3);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 4 + 21, 1e-12);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void groups_of_the_problem_stay_together(void)
{
    dv_problem *problem = problem_of("cpu npu", "a 9 1 # 1\nb 9 - # 1\n");
    dv_plan *plan = solve_with("ort", problem);
    CU_ASSERT_EQUAL(plan->target[0], CPU);
    CU_ASSERT_EQUAL(plan->target[1], CPU);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_ort, DV_TEST(the_first_provider_takes_all_that_it_supports),
         DV_TEST(groups_are_convex), DV_TEST(groups_of_the_problem_stay_together));
