/* test_ilp.c - what the integer program proves, and how it behaves when it may not finish. */
#include <math.h>
#include <string.h>

#include "solver/certify.h"
#include "solver/strategy.h"
#include "tests/problem_text.h"
#include "tests/random_problem.h"
#include "tests/suite.h"

enum { CPU, NPU, GPU };

static void a_detour_that_pays_is_found_and_proven(void)
{
    /* Leaving the NPU for b costs 2 moves and 2 dispatches, 10 in all; staying costs 20. */
    dv_problem *problem = problem_of("cpu npu", "move 2\ndispatch 1 5\na 30 1\nb 1 21\nc 30 1\n");
    dv_plan *plan = solve_with("ilp", problem);
    CU_ASSERT_EQUAL(plan->target[0], NPU);
    CU_ASSERT_EQUAL(plan->target[1], CPU);
    CU_ASSERT_EQUAL(plan->target[2], NPU);
    CU_ASSERT_EQUAL(plan->outcome, DV_OUTCOME_OPTIMAL);
    CU_ASSERT_STRING_EQUAL(plan->proof_scope, "given order");
    CU_ASSERT_EQUAL(strncmp(plan->proved_by, "ilp: ", 5), 0);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 3 + 11 + 8, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(plan->bound_us, 22, 1e-7);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void a_session_cost_keeps_a_device_out(void)
{
    dv_problem *problem = problem_of("cpu npu", "session 0 15\na 9 1\nb 9 1\nc 1 1\n");
    dv_plan *plan = solve_with("ilp", problem);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 18, 1e-9); /* 19 on the CPU */
    CU_ASSERT_EQUAL(plan->target[0], NPU);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
    problem = problem_of("cpu npu", "session 0 17\na 9 1\nb 9 1\nc 1 1\n");
    plan = solve_with("ilp", problem);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 19, 1e-9);
    CU_ASSERT_EQUAL(plan->outcome, DV_OUTCOME_OPTIMAL);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void limits_are_kept(void)
{
    static const struct {
        const char *text;
        double optimum;
    } cases[] = {
        {"capacity 100 10\na 9 1 ! 6 6\nb 8 1 ! 6 6\n", 9}, /* only one fits: keep a */
        {"energy 12\na 9 1 ~ 1 8\nb 8 1 ~ 1 8\n", 9},
        {"loss 0.3\na 9 1 $ 0 0.2\nb 8 1 $ 0 0.2\n", 9},
        {"segments 1\na 9 1\nb 1 -\n", 10},
        {"a 9 1 @ cpu\nb 8 1\n", 10},
        {"a 9 1 # 4\nb 8 1 < # 4\nc 5 - # 4\n", 22},
        {"segments 2\na 1 9\nb 9 1\nc 1 9\nd 9 1\n", 12},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dv_problem *problem = problem_of("cpu npu", cases[i].text);
        dv_plan *plan = solve_with("ilp", problem);
        CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
        CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, cases[i].optimum, 1e-9);
        CU_ASSERT_EQUAL(plan->outcome, DV_OUTCOME_OPTIMAL);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
}

static void limits_that_no_plan_meets_are_proven_infeasible(void)
{
    static const char *const texts[] = {
        "capacity 5 5\na 1 1 ! 6 6\n", "capacity 9 9\na 1 1 ! 6 6\nb 1 1 ! 6 6\nc 1 1 ! 6 6\n",
        "energy 1\na 1 1 ~ 2 2\n",     "loss 0\na 1 1 $ 0.1 0.2\n",
        "segments 1\na 1 -\nb - 1\n",  "a 1 1 @ cpu # 2\nb 1 1 @ npu # 2\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        dv_problem *problem = problem_of("cpu npu", texts[i]);
        dv_plan *plan = NULL;
        dv_outcome outcome;
        CU_ASSERT_EQUAL(dv_solve(problem, "ilp", NULL, &plan, &outcome), DV_OK);
        CU_ASSERT_EQUAL(outcome, DV_OUTCOME_INFEASIBLE);
        CU_ASSERT_PTR_NULL(plan);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
}

static void huge_tiny_and_mixed_costs_are_solved(void)
{
    static const struct {
        const char *text;
        double optimum;
    } cases[] = {
        {"move 1e15\na 1e15 2e15\nb 3e15 1e15\nc 1e15 1e15\n", 5e15},
        {"move 1e-15\na 3e-15 1e-15\nb 1e-15 9e-15\n", 4e-15},
        {"move 1\na 1e15 5\nb 1 1e-9\nc 2 1e15\n", 5 + 1e-9 + 2 + 1 + 1},
        {"a 0 0\nb 0 0\n", 0},
        {"move 1e15\na 1 1e15\nb 1e-12 1\n", 1 + 1e-12},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dv_problem *problem = problem_of("cpu npu", cases[i].text);
        dv_plan *plan = solve_with("ilp", problem);
        CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
        CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, cases[i].optimum,
                               1e-9 * (cases[i].optimum + 1e-300));
        CU_ASSERT_EQUAL(plan->outcome, DV_OUTCOME_OPTIMAL);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
}

static dv_problem *large_problem(void)
{
    dv_random_spec spec = {
        .seed = 6, .shape = DV_RANDOM_DAG, .units = 500, .targets = 6, .devices_shared = true};
    return dv_random_problem(&spec);
}

static void without_time_there_is_still_a_certified_plan_and_an_honest_gap(void)
{
    dv_problem *problem = large_problem();
    dv_solve_options options = dv_solve_options_default();
    options.deadline_s = 0.0;
    dv_plan *plan = NULL;
    dv_outcome outcome;
    CU_ASSERT_EQUAL(dv_solve(problem, "ilp", &options, &plan, &outcome), DV_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
    CU_ASSERT_EQUAL(outcome, DV_OUTCOME_FEASIBLE);
    CU_ASSERT_TRUE(dv_certify(problem, plan).ok);
    CU_ASSERT_TRUE(plan->bound_us > 0.0 && plan->bound_us < plan->cost.total_us);
    CU_ASSERT_TRUE(dv_plan_gap(plan) > 0.0 && dv_plan_gap(plan) < 1.0);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static volatile int stop;

static void stop_at_relaxation(void *context, const char *what, double fraction)
{
    (void)context;
    (void)fraction;
    if (strcmp(what, "ilp: relaxation") == 0)
        stop = 1;
}

/* The stop comes just before GLPK starts; the plan of before is returned, and GLPK still works. */
static void a_stop_ends_the_simplex_method_and_leaves_a_plan(void)
{
    dv_problem *problem = large_problem();
    dv_progress progress = {.step = stop_at_relaxation, .stop = &stop};
    dv_solve_options options = dv_solve_options_default();
    options.progress = &progress;
    dv_plan *plan = NULL;
    dv_outcome outcome;
    stop = 0;
    CU_ASSERT_EQUAL(dv_solve(problem, "ilp", &options, &plan, &outcome), DV_OK);
    CU_ASSERT_EQUAL(stop, 1);
    CU_ASSERT_EQUAL(outcome, DV_OUTCOME_FEASIBLE);
    CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);

    problem = problem_of("cpu npu", "move 2\na 30 1\nb 1 21\nc 30 1\n");
    plan = solve_with("ilp", problem);
    CU_ASSERT_EQUAL(plan->outcome, DV_OUTCOME_OPTIMAL);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

typedef struct heard {
    double incumbent, bound;
    bool worse;
} heard;

static void listen(void *context, double incumbent, double bound)
{
    heard *h = context;
    if (!isnan(incumbent)) {
        h->worse |= incumbent > h->incumbent * (1 + 1e-9);
        h->incumbent = incumbent;
    }
    if (!isnan(bound)) {
        h->worse |= bound < h->bound * (1 - 1e-9);
        h->bound = bound;
    }
}

static void incumbents_fall_and_bounds_rise_until_they_meet(void)
{
    dv_random_spec spec = {
        .seed = 3, .shape = DV_RANDOM_DAG, .units = 60, .targets = 4, .sessions = true};
    dv_problem *problem = dv_random_problem(&spec);
    heard h = {.incumbent = INFINITY, .bound = -INFINITY};
    dv_progress progress = {.context = &h, .solution = listen};
    dv_solve_options options = dv_solve_options_default();
    options.progress = &progress;
    dv_plan *plan = NULL;
    dv_outcome outcome;
    CU_ASSERT_EQUAL(dv_solve(problem, "ilp", &options, &plan, &outcome), DV_OK);
    CU_ASSERT_FALSE(h.worse);
    CU_ASSERT_DOUBLE_EQUAL(h.incumbent, plan->cost.total_us, 1e-9 * h.incumbent);
    CU_ASSERT_DOUBLE_EQUAL(h.bound, plan->cost.total_us, 1e-8 * h.incumbent);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_ilp, DV_TEST(a_detour_that_pays_is_found_and_proven),
         DV_TEST(a_session_cost_keeps_a_device_out), DV_TEST(limits_are_kept),
         DV_TEST(limits_that_no_plan_meets_are_proven_infeasible),
         DV_TEST(huge_tiny_and_mixed_costs_are_solved),
         DV_TEST(without_time_there_is_still_a_certified_plan_and_an_honest_gap),
         DV_TEST(a_stop_ends_the_simplex_method_and_leaves_a_plan),
         DV_TEST(incumbents_fall_and_bounds_rise_until_they_meet));
