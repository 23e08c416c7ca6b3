/* test_place.c - the steps that rules of placement share. */
#include "solver/place.h"

#include <math.h>

#include "solver/evaluate.h"
#include "tests/problem_text.h"
#include "tests/suite.h"

enum { CPU, NPU, GPU };

static void the_fastest_target_respects_device_support_and_pin(void)
{
    dv_problem *problem = problem_of("cpu npu:f16 npu:i8", "a 5 4 3\nb 5 - 3\nc 5 1 - @ cpu\n");
    CU_ASSERT_EQUAL(dv_place_fastest(problem, 0, DV_NONE), 2);
    CU_ASSERT_EQUAL(dv_place_fastest(problem, 0, 0), 0);
    CU_ASSERT_EQUAL(dv_place_fastest(problem, 1, 1), 2);
    CU_ASSERT_EQUAL(dv_place_fastest(problem, 2, 1), DV_NONE);
    CU_ASSERT_EQUAL(dv_place_fastest(problem, 2, DV_NONE), 0);
    dv_problem_destroy(problem);
}

static void the_way_out_is_the_host_then_its_device_then_the_fastest(void)
{
    dv_problem *problem = problem_of("cpu:f32 cpu:i8 npu", "a 9 1 1\nb - 5 1\nc - - 7\n");
    CU_ASSERT_EQUAL(dv_place_fallback(problem, 0), 0);
    CU_ASSERT_EQUAL(dv_place_fallback(problem, 1), 1);
    CU_ASSERT_EQUAL(dv_place_fallback(problem, 2), 2);
    dv_problem_destroy(problem);
}

static void only_a_better_plan_within_the_limits_is_kept(void)
{
    dv_problem *problem = problem_of("cpu npu gpu", "capacity 9 9 1\na 5 3 1 ! 2 2 2\n");
    dv_plan *plan = NULL, *trial = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_plan_create(problem, &plan), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_plan_create(problem, &trial), DV_OK);
    dv_outcome outcome = DV_OUTCOME_NONE;
    CU_ASSERT_TRUE(dv_place_keep_better(problem, NULL, trial, plan, &outcome));
    CU_ASSERT_EQUAL(outcome, DV_OUTCOME_FEASIBLE);
    trial->target[0] = GPU; /* faster, but does not fit */
    CU_ASSERT_FALSE(dv_place_keep_better(problem, NULL, trial, plan, &outcome));
    trial->target[0] = NPU;
    CU_ASSERT_TRUE(dv_place_keep_better(problem, NULL, trial, plan, &outcome));
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 3, 1e-12);
    trial->target[0] = CPU;
    CU_ASSERT_FALSE(dv_place_keep_better(problem, NULL, trial, plan, &outcome));
    CU_ASSERT_EQUAL(plan->target[0], NPU);
    dv_plan_destroy(plan);
    dv_plan_destroy(trial);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_place, DV_TEST(the_fastest_target_respects_device_support_and_pin),
         DV_TEST(the_way_out_is_the_host_then_its_device_then_the_fastest),
         DV_TEST(only_a_better_plan_within_the_limits_is_kept));
