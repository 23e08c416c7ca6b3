/* test_incumbent.c - the plan that exact methods start from. */
#include "solver/incumbent.h"

#include <stdlib.h>

#include "solver/evaluate.h"
#include "tests/problem_text.h"
#include "tests/suite.h"

enum { CPU, NPU };

static dv_plan *incumbent_of(const dv_problem *problem, dv_outcome *outcome)
{
    dv_solve_options options = dv_solve_options_default();
    options.tolerance = 1e-9;
    dv_plan *plan = NULL;
    if (dv_plan_create(problem, &plan) != DV_OK)
        abort();
    CU_ASSERT_EQUAL(dv_incumbent_find(problem, &options, plan, outcome), DV_OK);
    return plan;
}

/* Every baseline keeps all four together or splits at each unit; half and half is best. */
static void segments_are_moved_where_that_helps(void)
{
    dv_problem *problem = problem_of("cpu npu", "move 4\ndispatch 1 1\n"
                                                "a 1 20\nb 1 20\nc 20 1\nd 20 1\n");
    dv_outcome outcome;
    dv_plan *plan = incumbent_of(problem, &outcome);
    CU_ASSERT_EQUAL(outcome, DV_OUTCOME_FEASIBLE);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 4 + 2 + 8, 1e-12);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void a_single_unit_is_moved_where_that_helps(void)
{
    dv_problem *problem = problem_of("cpu npu", "move 2\na 9 1\nb 1 2\nc 9 1\n");
    dv_outcome outcome;
    dv_plan *plan = incumbent_of(problem, &outcome);
    CU_ASSERT_EQUAL(plan->target[1], NPU); /* the detour of cheapest costs 4 for a gain of 1 */
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 4 + 4, 1e-12);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void nothing_is_claimed_where_every_baseline_breaks_a_limit(void)
{
    dv_problem *problem = problem_of("cpu npu", "capacity 5 5\na 1 2 ! 4 4\nb 1 2 ! 4 4\n");
    dv_outcome outcome;
    dv_plan *plan = incumbent_of(problem, &outcome);
    CU_ASSERT_EQUAL(outcome, DV_OUTCOME_NONE);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_incumbent, DV_TEST(segments_are_moved_where_that_helps),
         DV_TEST(a_single_unit_is_moved_where_that_helps),
         DV_TEST(nothing_is_claimed_where_every_baseline_breaks_a_limit));
