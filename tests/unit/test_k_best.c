/* test_k_best.c - the next best plans. */
#include <string.h>

#include "solver/k_best.h"
#include "tests/problem_text.h"
#include "tests/suite.h"

static void plans_come_by_cost_until_there_are_no_more(void)
{
    dv_problem *problem = problem_of("cpu npu", "a 1 5 < in\nb 1 3\nc 2 -\n");
    const dv_unit_id order[] = {0, 1, 2};
    dv_k_best best;
    CU_ASSERT_EQUAL_FATAL(dv_k_best_find(problem, order, 10, 100, NULL, &best), DV_OK);
    CU_ASSERT_TRUE(best.exact);
    CU_ASSERT_EQUAL_FATAL(best.count, 4);
    const double expected[] = {4, 6, 8, 10};
    for (int i = 0; i < 4; i++)
        CU_ASSERT_DOUBLE_EQUAL(best.plans[i]->cost.total_us, expected[i], 1e-12);
    dv_k_best_free(&best);
    dv_problem_destroy(problem);
}

static void a_limit_that_binds_is_kept(void)
{
    dv_problem *problem = problem_of("cpu npu", "segments 1\na 1 5 < in\nb 1 3\n");
    const dv_unit_id order[] = {0, 1};
    dv_k_best best;
    CU_ASSERT_EQUAL(dv_k_best_find(problem, order, 10, 100, NULL, &best), DV_OK);
    CU_ASSERT_EQUAL_FATAL(best.count, 2);
    CU_ASSERT_TRUE(best.exact);
    CU_ASSERT_DOUBLE_EQUAL(best.plans[0]->cost.total_us, 2, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(best.plans[1]->cost.total_us, 8, 1e-12);
    dv_k_best_free(&best);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_k_best, DV_TEST(plans_come_by_cost_until_there_are_no_more),
         DV_TEST(a_limit_that_binds_is_kept));
