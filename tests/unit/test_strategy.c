/* test_strategy.c - names, parameters and the promises of dv_solve. */
#include "solver/strategy.h"

#include <math.h>
#include <string.h>

#include "solver/certify.h"
#include "tests/problem_text.h"
#include "tests/suite.h"

enum { CPU, NPU };

static dv_problem *small_problem(void)
{
    return problem_of("cpu npu", "move 2\ndispatch 0 1\na 10 1\nb 5 -\nc 10 1\n");
}

/* Fails with DV_BAD_PARAMETER and a message that holds every word of expected. */
static void expect_refused(const char *strategy, const char *first, const char *second)
{
    dv_problem *problem = small_problem();
    dv_plan *plan = NULL;
    dv_outcome outcome;
    CU_ASSERT_EQUAL(dv_solve(problem, strategy, NULL, &plan, &outcome), DV_BAD_PARAMETER);
    CU_ASSERT_PTR_NULL(plan);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), first));
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), second));
    dv_problem_destroy(problem);
}

static void an_unknown_strategy_is_refused_with_the_nearest_name(void)
{
    expect_refused("chian", "chian", "chain");
    expect_refused("", "''", "ilp");
}

static void an_unknown_key_is_refused_with_the_known_ones(void)
{
    expect_refused("ilp:speed=on", "speed", "reduce");
    expect_refused("single:x=1", "'x'", "no parameters");
}

static void a_value_that_is_no_choice_is_refused_with_the_choices(void)
{
    expect_refused("ilp:reduce=maybe", "maybe", "off|on");
    expect_refused("ilp:reduce", "reduce", "key=value");
}

static void a_very_long_strategy_is_refused(void)
{
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    expect_refused(text, "strategy", "characters");
}

static void an_objective_that_is_not_served_is_refused(void)
{
    dv_problem *problem = small_problem();
    dv_solve_options options = dv_solve_options_default();
    options.objective = DV_OBJECTIVE_THROUGHPUT;
    dv_plan *plan = NULL;
    dv_outcome outcome;
    CU_ASSERT_EQUAL(dv_solve(problem, "frontier", &options, &plan, &outcome), DV_BAD_PARAMETER);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "throughput"));
    dv_problem_destroy(problem);
}

static void objectives_have_names_both_ways(void)
{
    dv_objective objective;
    CU_ASSERT_TRUE(dv_objective_from_name("makespan", &objective));
    CU_ASSERT_EQUAL(objective, DV_OBJECTIVE_MAKESPAN);
    CU_ASSERT_STRING_EQUAL(dv_objective_name(DV_OBJECTIVE_LATENCY), "latency");
    CU_ASSERT_FALSE(dv_objective_from_name("beauty", &objective));
}

/* Every strategy in the list, by its bare name. */
static void every_strategy_gives_a_certified_plan_that_says_where_it_comes_from(void)
{
    dv_problem *problem = small_problem();
    size_t count = 0;
    for (const dv_strategy *s; (s = dv_strategy_at(count)); count++) {
        CU_ASSERT_PTR_EQUAL(dv_strategy_find(s->name), s);
        CU_ASSERT_TRUE(strlen(s->summary) > 10);
        if (!dv_strategy_needs_nothing(s))
            continue;
        dv_plan *plan = solve_with(s->name, problem);
        CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
        CU_ASSERT_STRING_EQUAL(plan->strategy, s->name);
        CU_ASSERT_TRUE(dv_certify(problem, plan).ok);
        CU_ASSERT_TRUE(plan->solve_ms >= 0.0);
        CU_ASSERT_TRUE(plan->outcome == DV_OUTCOME_OPTIMAL || plan->outcome == DV_OUTCOME_FEASIBLE);
        CU_ASSERT_TRUE((plan->outcome == DV_OUTCOME_OPTIMAL) <= isfinite(plan->bound_us));
        dv_plan_destroy(plan);
    }
    CU_ASSERT_TRUE(count >= 4);
    CU_ASSERT_PTR_NULL(dv_strategy_find("nothing"));
    dv_problem_destroy(problem);
}

static void the_same_seed_gives_the_same_plan(void)
{
    dv_problem *problem = small_problem();
    for (size_t i = 0; dv_strategy_at(i); i++) {
        if (!dv_strategy_needs_nothing(dv_strategy_at(i)))
            continue;
        dv_plan *one = solve_with(dv_strategy_at(i)->name, problem);
        dv_plan *two = solve_with(dv_strategy_at(i)->name, problem);
        CU_ASSERT_EQUAL(memcmp(one->target, two->target, 3 * sizeof *one->target), 0);
        CU_ASSERT_EQUAL(memcmp(one->order, two->order, 3 * sizeof *one->order), 0);
        dv_plan_destroy(one);
        dv_plan_destroy(two);
    }
    dv_problem_destroy(problem);
}

DV_SUITE(solver_strategy, DV_TEST(an_unknown_strategy_is_refused_with_the_nearest_name),
         DV_TEST(an_unknown_key_is_refused_with_the_known_ones),
         DV_TEST(a_value_that_is_no_choice_is_refused_with_the_choices),
         DV_TEST(a_very_long_strategy_is_refused),
         DV_TEST(an_objective_that_is_not_served_is_refused),
         DV_TEST(objectives_have_names_both_ways),
         DV_TEST(every_strategy_gives_a_certified_plan_that_says_where_it_comes_from),
         DV_TEST(the_same_seed_gives_the_same_plan));
