/* test_single.c - everything on one target. */
#include "solver/certify.h"
#include "tests/problem_text.h"
#include "tests/suite.h"

enum { CPU, NPU, GPU };

/* The plan of a target that cannot run a unit leaves just that unit on the host. */
static void an_unsupported_unit_falls_back_to_the_host(void)
{
    dv_problem *problem = problem_of("cpu npu", "conv   10  1\n"
                                                "nms     5  -\n"
                                                "conv2  10  1\n");
    dv_plan *plan = solve_with("single", problem);
    CU_ASSERT_EQUAL(plan->target[0], NPU);
    CU_ASSERT_EQUAL(plan->target[1], CPU);
    CU_ASSERT_EQUAL(plan->target[2], NPU);
    CU_ASSERT_TRUE(dv_certify(problem, plan).ok);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void the_best_target_is_taken_with_all_costs_counted(void)
{
    dv_problem *problem = problem_of("cpu npu gpu", "move 2\ndispatch 0 50 1\n"
                                                    "a 10 1 4\nb 10 1 4\n");
    dv_plan *plan = solve_with("single", problem);
    CU_ASSERT_EQUAL(plan->target[0], GPU);
    CU_ASSERT_EQUAL(plan->target[1], GPU);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 8 + 1 + 4, 1e-12);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void a_unit_that_the_host_cannot_run_goes_where_it_is_fastest(void)
{
    dv_problem *problem = problem_of("cpu npu gpu", "a - 5 4\nb 1 90 90\n");
    dv_plan *plan = solve_with("single", problem);
    CU_ASSERT_EQUAL(plan->target[0], GPU);
    CU_ASSERT_EQUAL(plan->target[1], CPU);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void no_plan_is_found_where_every_single_target_breaks_a_limit(void)
{
    dv_problem *problem = problem_of("cpu npu", "capacity 5 5\na 1 1 ! 4 4\nb 1 1 ! 4 4\n");
    CU_ASSERT_PTR_NULL(solve_with("single", problem));
    dv_problem_destroy(problem);
}

DV_SUITE(solver_single, DV_TEST(an_unsupported_unit_falls_back_to_the_host),
         DV_TEST(the_best_target_is_taken_with_all_costs_counted),
         DV_TEST(a_unit_that_the_host_cannot_run_goes_where_it_is_fastest),
         DV_TEST(no_plan_is_found_where_every_single_target_breaks_a_limit));
