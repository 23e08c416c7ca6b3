/* test_peft.c - list scheduling that looks ahead. */
#include "tests/problem_text.h"
#include "tests/suite.h"

static void what_comes_later_counts_where_heft_is_greedy(void)
{
    dv_problem *problem = problem_of("cpu npu", "move 10\na 2 3 <\nb 100 1\n");
    dv_plan *greedy = solve_with("heft", problem);
    dv_plan *ahead = solve_with("peft", problem);
    CU_ASSERT_EQUAL(greedy->target[0], 0); /* done first there, but b has to be moved to */
    CU_ASSERT_EQUAL(ahead->target[0], 1);
    CU_ASSERT_EQUAL(ahead->target[1], 1);
    dv_plan_destroy(greedy);
    dv_plan_destroy(ahead);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_peft, DV_TEST(what_comes_later_counts_where_heft_is_greedy));
