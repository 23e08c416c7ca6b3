/* test_breakpoints.c - where another plan becomes the best. */
#include "solver/breakpoints.h"
#include "tests/problem_text.h"
#include "tests/suite.h"

static void the_corner_is_where_two_plans_cost_the_same(void)
{
    /* On the NPU 2 + dispatch, on the host 20: they meet at a dispatch of 18. */
    dv_problem *problem = problem_of("cpu npu", "a 10 1 < in\nb 10 1\n");
    dv_parameter dispatch = {.kind = DV_PARAMETER_DISPATCH, .device = 1, .low = 1, .high = 100};
    dv_breakpoints b;
    CU_ASSERT_EQUAL_FATAL(dv_breakpoints_find(problem, &dispatch, NULL, &b), DV_OK);
    CU_ASSERT_TRUE(b.exact);
    CU_ASSERT_EQUAL_FATAL(b.count, 2);
    CU_ASSERT_DOUBLE_EQUAL(b.intervals[0].high, 18, 1e-9);
    CU_ASSERT_EQUAL(b.intervals[0].plan->target[0], 1);
    CU_ASSERT_EQUAL(b.intervals[1].plan->target[0], 0);
    CU_ASSERT_DOUBLE_EQUAL(b.intervals[0].low_us, 3, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(b.intervals[1].high_us, 20, 1e-9);
    dv_breakpoints_free(&b);
    dv_problem_destroy(problem);
}

static void without_a_corner_there_is_one_plan(void)
{
    dv_problem *problem = problem_of("cpu npu", "a 10 -\n");
    dv_parameter handover = {.kind = DV_PARAMETER_HANDOVER, .low = 0.1, .high = 10};
    dv_breakpoints b;
    CU_ASSERT_EQUAL_FATAL(dv_breakpoints_find(problem, &handover, NULL, &b), DV_OK);
    CU_ASSERT_EQUAL(b.count, 1);
    CU_ASSERT_EQUAL(b.intervals[0].high, 10);
    dv_breakpoints_free(&b);
    dv_problem_destroy(problem);
}

static void a_range_that_is_none_is_refused(void)
{
    dv_problem *problem = problem_of("cpu npu", "a 10 1\n");
    dv_parameter handover = {.kind = DV_PARAMETER_HANDOVER, .low = 2, .high = 1};
    dv_breakpoints b;
    CU_ASSERT_EQUAL(dv_breakpoints_find(problem, &handover, NULL, &b), DV_BAD_PARAMETER);
    dv_breakpoints_free(&b);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_breakpoints, DV_TEST(the_corner_is_where_two_plans_cost_the_same),
         DV_TEST(without_a_corner_there_is_one_plan), DV_TEST(a_range_that_is_none_is_refused));
