/* test_list_schedule.c - insertion-based list scheduling. */
#include "solver/list_schedule.h"
#include "tests/problem_text.h"
#include "tests/suite.h"

static void a_gap_is_filled(void)
{
    /* a on the NPU, its reader c on the CPU after a move of 5; b fits on the CPU before it. */
    dv_problem *problem = problem_of("cpu npu", "move 5\na 90 1 < in\nb 4 90 < in\nc 3 90 < a\n");
    const double priority[] = {3, 1, 2};
    dv_plan *plan = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_plan_create(problem, &plan), DV_OK);
    bool ended;
    CU_ASSERT_EQUAL(dv_list_schedule(problem, priority, NULL, NULL, INFINITY, plan, &ended), DV_OK);
    CU_ASSERT_FALSE(ended);
    CU_ASSERT_EQUAL(plan->target[0], 1);
    CU_ASSERT_EQUAL(plan->target[1], 0);
    CU_ASSERT_EQUAL(plan->target[2], 0);
    CU_ASSERT_EQUAL(plan->order[0], 1); /* starts at 0, a at 5, c at 11 */
    CU_ASSERT_EQUAL(plan->order[2], 2);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void means_leave_out_what_is_unsupported(void)
{
    dv_problem *problem = problem_of("cpu npu gpu", "move 6\na 9 - 3\n");
    CU_ASSERT_DOUBLE_EQUAL(dv_mean_time_us(problem, 0), 6, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(dv_mean_move_us(problem, 0), 6, 1e-12);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_list_schedule, DV_TEST(a_gap_is_filled),
         DV_TEST(means_leave_out_what_is_unsupported));
