/* test_random.c - the best of n random placements. */
#include <string.h>

#include "tests/problem_text.h"
#include "tests/suite.h"

static void enough_draws_find_the_best_of_a_small_problem(void)
{
    dv_problem *problem = problem_of("cpu npu", "dispatch 1 1\na 9 1 < in\nb 1 9\nc 9 1\n");
    dv_plan *plan = solve_with("random", problem);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 6, 1e-12);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void the_seed_decides_what_is_drawn(void)
{
    char text[4096] = "";
    for (int u = 0; u < 64; u++)
        strcat(text, "u 1 1\n");
    dv_problem *problem = problem_of("cpu npu", text);
    dv_plan *plans[3] = {NULL};
    for (int i = 0; i < 3; i++) {
        dv_solve_options options = dv_solve_options_default();
        dv_outcome outcome;
        options.seed = i < 2 ? 7 : 8;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "random:n=1", &options, &plans[i], &outcome),
                              DV_OK);
    }
    CU_ASSERT_EQUAL(memcmp(plans[0]->target, plans[1]->target, 64 * sizeof(dv_target_id)), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(plans[0]->target, plans[2]->target, 64 * sizeof(dv_target_id)), 0);
    for (int i = 0; i < 3; i++)
        dv_plan_destroy(plans[i]);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_random, DV_TEST(enough_draws_find_the_best_of_a_small_problem),
         DV_TEST(the_seed_decides_what_is_drawn));
