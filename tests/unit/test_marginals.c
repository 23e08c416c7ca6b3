/* test_marginals.c - why a unit is where it is. */
#include "core/plan.h"
#include "solver/marginals.h"
#include "tests/problem_text.h"
#include "tests/suite.h"

static void each_cost_is_that_of_the_best_plan_with_the_unit_there(void)
{
    dv_problem *problem =
        problem_of("cpu npu", "move 2\ndispatch 1 3\na 9 1 < in\nb 4 - \nc 9 1\n");
    const dv_unit_id order[] = {0, 1, 2};
    dv_marginals m;
    CU_ASSERT_EQUAL_FATAL(dv_marginals_compute(problem, order, 100, NULL, &m), DV_OK);
    CU_ASSERT_TRUE(m.exact);
    /* npu, cpu, npu: 6 of computing, 4 moves, 7 of dispatch */
    CU_ASSERT_DOUBLE_EQUAL(m.cost_us[0 * 2 + 1], 6 + 8 + 7, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(m.cost_us[1 * 2 + 0], 21, 1e-12);
    CU_ASSERT_TRUE(isinf(m.cost_us[1 * 2 + 1]));
    /* a on the host: 14 of computing, 2 moves, 4 of dispatch; all there: 22 and 1 */
    CU_ASSERT_DOUBLE_EQUAL(m.cost_us[0 * 2 + 0], 14 + 4 + 4, 1e-12);
    CU_ASSERT_EQUAL(dv_marginals_second(problem, &m, 0, 1), 0);
    CU_ASSERT_EQUAL(dv_marginals_second(problem, &m, 1, 0), DV_NONE);
    dv_marginals_free(&m);
    dv_problem_destroy(problem);
}

static void too_few_states_are_said(void)
{
    dv_problem *problem = problem_of("cpu npu gpu", "move 3\ndispatch 5 5 5\na 3 2 1 < in\n"
                                                    "b 1 2 3 < in\nc 2 1 3 < a\nd 3 1 2 < b c\n");
    const dv_unit_id order[] = {0, 1, 2, 3};
    dv_marginals m;
    CU_ASSERT_EQUAL_FATAL(dv_marginals_compute(problem, order, 1, NULL, &m), DV_OK);
    CU_ASSERT_FALSE(m.exact);
    dv_marginals_free(&m);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_marginals, DV_TEST(each_cost_is_that_of_the_best_plan_with_the_unit_there),
         DV_TEST(too_few_states_are_said));
