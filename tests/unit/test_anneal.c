/* test_anneal.c - simulated annealing. */
#include "tests/problem_text.h"
#include "tests/suite.h"

/* Each unit alone is better on the host, all together on the NPU: single moves climb first. */
static const char TEXT[] = "move 10\ndispatch 1 30\na 20 5 < in\nb 20 5\nc 20 5\nd 20 5\n";

static void a_hill_is_climbed(void)
{
    dv_problem *problem = problem_of("cpu npu", TEXT);
    dv_plan *plan = solve_with("anneal", problem);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 20 + 30 + 20, 1e-12);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void groups_and_pins_move_together_or_not_at_all(void)
{
    dv_problem *problem =
        problem_of("cpu npu gpu", "a 9 5 1 # 1\nb 9 5 1 @ npu\nc 9 5 - # 1\nd 9 5 1\n");
    dv_plan *plan = solve_with("anneal", problem);
    CU_ASSERT_EQUAL(plan->target[0], 1); /* the GPU cannot run c */
    CU_ASSERT_EQUAL(plan->target[1], 1);
    CU_ASSERT_EQUAL(plan->target[2], 1);
    CU_ASSERT_EQUAL(plan->target[3], 2);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void without_steps_the_start_is_the_plan(void)
{
    dv_problem *problem = problem_of("cpu npu", "move 10\na 2 1 < in\nb 2 3\nc 2 1\n");
    dv_plan *plan = solve_with("anneal:steps=0", problem);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 6, 1e-12); /* the fallback beats cheapest */
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_anneal, DV_TEST(a_hill_is_climbed),
         DV_TEST(groups_and_pins_move_together_or_not_at_all),
         DV_TEST(without_steps_the_start_is_the_plan));
