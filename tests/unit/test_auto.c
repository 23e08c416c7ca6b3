/* test_auto.c - the default strategy says what it proved. */
#include <stdio.h>
#include <string.h>

#include "solver/certify.h"
#include "solver/strategy.h"
#include "tests/problem_text.h"
#include "tests/random_problem.h"
#include "tests/suite.h"

/* Two branches on alternating devices: in the given order every unit is entered anew. */
static const char BRANCHES[] = "dispatch 10 10\n"
                               "a1 1 99 < in\nb1 99 1 < in\na2 1 99 < a1\nb2 99 1 < b1\n"
                               "a3 1 99 < a2\nb3 99 1 < b2\n";

static void a_better_order_is_found_and_proven_for_every_order(void)
{
    dv_problem *problem = problem_of("cpu npu", BRANCHES);
    dv_plan *given = solve_with("ilp", problem), *plan = solve_with("auto", problem);
    CU_ASSERT_DOUBLE_EQUAL(given->cost.total_us, 6 + 60, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 6 + 20, 1e-9);
    CU_ASSERT_EQUAL(plan->cost.segments, 2);
    CU_ASSERT_STRING_EQUAL(plan->proof_scope, "any order");
    CU_ASSERT_TRUE(plan->bound_us <= 26 * (1 + 1e-9));
    dv_plan_destroy(given);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void the_given_order_is_kept_on_request(void)
{
    dv_problem *problem = problem_of("cpu npu", BRANCHES);
    dv_plan *plan = solve_with("auto:order=given", problem);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 66, 1e-9);
    CU_ASSERT_EQUAL(plan->outcome, DV_OUTCOME_OPTIMAL);
    CU_ASSERT_STRING_EQUAL(plan->proof_scope, "given order");
    for (dv_unit_id k = 0; k < 6; k++)
        CU_ASSERT_EQUAL(plan->order[k], k);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void a_chain_is_proven_for_any_order(void)
{
    dv_random_spec spec = {.seed = 5, .shape = DV_RANDOM_CHAIN, .units = 80, .targets = 4};
    dv_problem *problem = dv_random_problem(&spec);
    dv_plan *plan = solve_with("auto", problem);
    CU_ASSERT_EQUAL(plan->outcome, DV_OUTCOME_OPTIMAL);
    CU_ASSERT_STRING_EQUAL(plan->proof_scope, "any order");
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void limits_are_kept_and_proven_for_any_order(void)
{
    dv_problem *problem = problem_of("cpu npu", "segments 2\na 1 9\nb 9 1\nc 1 9\nd 9 1\n");
    dv_plan *plan = solve_with("auto", problem);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 12, 1e-9);
    CU_ASSERT_EQUAL(plan->outcome, DV_OUTCOME_OPTIMAL);
    CU_ASSERT_STRING_EQUAL(plan->proof_scope, "any order");
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);

    problem = problem_of("cpu npu", "segments 1\na 1 -\nb - 1\n");
    dv_outcome outcome;
    CU_ASSERT_EQUAL(dv_solve(problem, "auto", NULL, &plan, &outcome), DV_OK);
    CU_ASSERT_EQUAL(outcome, DV_OUTCOME_INFEASIBLE);
    CU_ASSERT_PTR_NULL(plan);
    dv_problem_destroy(problem);
}

/* The given order needs six segments; a better one two. */
static void infeasible_is_claimed_only_where_no_order_could_help(void)
{
    static const char branches[] = "a1 1 - < in\nb1 - 1 < in\na2 1 - < a1\nb2 - 1 < b1\n"
                                   "a3 1 - < a2\nb3 - 1 < b2\n";
    char text[256];
    snprintf(text, sizeof text, "segments 2\n%s", branches);
    dv_problem *problem = problem_of("cpu npu", text);
    dv_plan *plan = NULL;
    dv_outcome outcome;
    CU_ASSERT_EQUAL(dv_solve(problem, "ilp", NULL, &plan, &outcome), DV_OK);
    CU_ASSERT_EQUAL(outcome, DV_OUTCOME_INFEASIBLE); /* in the given order, which is ilp's class */
    CU_ASSERT_EQUAL(dv_solve(problem, "auto", NULL, &plan, &outcome), DV_OK);
    CU_ASSERT_EQUAL(outcome, DV_OUTCOME_OPTIMAL); /* by ideals */
    CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
    CU_ASSERT_EQUAL(plan->cost.segments, 2);
    CU_ASSERT_STRING_EQUAL(plan->proof_scope, "any order");
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);

    snprintf(text, sizeof text, "segments 2\n%sc - 1 < a3\nd 1 - < b3\n", branches);
    problem = problem_of("cpu npu", text); /* both branches change sides, in whatever order */
    CU_ASSERT_EQUAL(dv_solve(problem, "auto", NULL, &plan, &outcome), DV_OK);
    CU_ASSERT_EQUAL(outcome, DV_OUTCOME_INFEASIBLE);
    CU_ASSERT_PTR_NULL(plan);
    dv_problem_destroy(problem);

    problem = problem_of("cpu npu", "segments 2\na 1 -\nb - 1\nc 1 -\n"); /* one order alone */
    CU_ASSERT_EQUAL(dv_solve(problem, "auto", NULL, &plan, &outcome), DV_OK);
    CU_ASSERT_EQUAL(outcome, DV_OUTCOME_INFEASIBLE);
    dv_problem_destroy(problem);
}

static void without_time_there_is_still_a_certified_plan(void)
{
    dv_random_spec spec = {.seed = 4, .shape = DV_RANDOM_DAG, .units = 200, .targets = 6};
    dv_problem *problem = dv_random_problem(&spec);
    dv_solve_options options = dv_solve_options_default();
    options.deadline_s = 0.0;
    dv_plan *plan = NULL;
    dv_outcome outcome;
    CU_ASSERT_EQUAL(dv_solve(problem, "auto", &options, &plan, &outcome), DV_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
    CU_ASSERT_TRUE(dv_certify(problem, plan).ok);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_auto, DV_TEST(a_better_order_is_found_and_proven_for_every_order),
         DV_TEST(the_given_order_is_kept_on_request), DV_TEST(a_chain_is_proven_for_any_order),
         DV_TEST(limits_are_kept_and_proven_for_any_order),
         DV_TEST(infeasible_is_claimed_only_where_no_order_could_help),
         DV_TEST(without_time_there_is_still_a_certified_plan));
