/* test_ggml.c - the passes of ggml's scheduler. */
#include <string.h>

#include "tests/problem_text.h"
#include "tests/suite.h"

enum { CPU, NPU };

static void units_without_weights_follow_their_neighbours(void)
{
    dv_problem *problem = problem_of("cpu npu", "a 1 9 ! 0 0\nb 9 1 ! 5 5\nc 1 9 ! 0 0\n");
    dv_plan *plan = solve_with("ggml", problem);
    for (int u = 0; u < 3; u++) /* down from b, then up */
        CU_ASSERT_EQUAL(plan->target[u], NPU);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void weights_that_do_not_fit_stay_on_the_host(void)
{
    dv_problem *problem = problem_of("cpu npu", "capacity 100 6\na 9 1 ! 5 5\nb 9 1 ! 5 5\n");
    dv_plan *plan = solve_with("ggml", problem);
    CU_ASSERT_EQUAL(plan->target[0], NPU);
    CU_ASSERT_EQUAL(plan->target[1], CPU);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void a_unit_between_goes_back_if_the_accelerator_lacks_it(void)
{
    dv_problem *problem = problem_of("cpu npu", "a 9 1 ! 5 5\nb 2 - ! 0 0\nc 2 1 ! 0 0\n");
    dv_plan *plan = solve_with("ggml", problem);
    CU_ASSERT_EQUAL(plan->target[0], NPU);
    CU_ASSERT_EQUAL(plan->target[1], CPU);
    CU_ASSERT_EQUAL(plan->target[2], NPU); /* the sweep goes on past b */
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void the_host_cannot_be_an_accelerator(void)
{
    dv_problem *problem = problem_of("cpu npu", "a 9 1\n");
    dv_plan *plan = NULL;
    dv_outcome outcome;
    CU_ASSERT_EQUAL(dv_solve(problem, "ggml:priority=cpu+npu", NULL, &plan, &outcome),
                    DV_BAD_PARAMETER);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "leave it out"));
    dv_problem_destroy(problem);
}

DV_SUITE(solver_ggml, DV_TEST(units_without_weights_follow_their_neighbours),
         DV_TEST(weights_that_do_not_fit_stay_on_the_host),
         DV_TEST(a_unit_between_goes_back_if_the_accelerator_lacks_it),
         DV_TEST(the_host_cannot_be_an_accelerator));
