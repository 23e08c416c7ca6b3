/* test_metis.c - a k-way cut as a placement. */
#include <string.h>

#include "tests/problem_text.h"
#include "tests/suite.h"

/* Two clusters of four units, tied by one tensor; neither device holds all of them. */
static const char CLUSTERS[] = "move 3\ncapacity 40 40\n"
                               "a 5 5 < in ! 10 10\nb 5 5 < a ! 10 10\n"
                               "c 5 5 < a b ! 10 10\nd 5 5 < a b c ! 10 10\n"
                               "e 5 5 < d ! 10 10\nf 5 5 < e ! 10 10\n"
                               "g 5 5 < e f ! 10 10\nh 5 5 < e f g ! 10 10\n";

static void the_cut_goes_where_the_fewest_tensors_cross(void)
{
    dv_problem *problem = problem_of("cpu npu", CLUSTERS);
    dv_plan *plan = solve_with("metis", problem);
    CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
    for (dv_unit_id u = 1; u < 4; u++)
        CU_ASSERT_EQUAL(plan->target[u], plan->target[0]);
    for (dv_unit_id u = 4; u < 8; u++)
        CU_ASSERT_NOT_EQUAL(plan->target[u], plan->target[0]);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void a_unit_that_its_part_cannot_run_falls_back(void)
{
    dv_problem *problem = problem_of("cpu npu", "a 9 1\nb 9 1\nc 9 -\nd 9 1\n");
    dv_plan *plan = solve_with("metis", problem);
    CU_ASSERT_EQUAL(plan->target[2], 0);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 1 + 1 + 9 + 1, 1e-12); /* all else on the npu */
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void the_same_seed_gives_the_same_plan(void)
{
    dv_problem *problem = problem_of("cpu npu gpu", "move 1\na 5 3 2\nb 5 3 2\nc 5 3 2\nd 5 3 2\n");
    dv_plan *one = solve_with("metis:imbalance=100", problem);
    dv_plan *two = solve_with("metis:imbalance=100", problem);
    CU_ASSERT_EQUAL(memcmp(one->target, two->target, 4 * sizeof *one->target), 0);
    dv_plan_destroy(one);
    dv_plan_destroy(two);
    dv_problem_destroy(problem);
}

static void no_units_and_units_without_cost_are_no_trouble(void)
{
    dv_problem *problem = problem_of("cpu npu", "a 0 0\nb 0 0\nc 0 0\n");
    dv_plan *plan = solve_with("metis", problem);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 0, 0);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_metis, DV_TEST(the_cut_goes_where_the_fewest_tensors_cross),
         DV_TEST(a_unit_that_its_part_cannot_run_falls_back),
         DV_TEST(the_same_seed_gives_the_same_plan),
         DV_TEST(no_units_and_units_without_cost_are_no_trouble));
