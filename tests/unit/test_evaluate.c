/* test_evaluate.c - the cost formula on cases that can be added up by hand. */
#include "solver/evaluate.h"

#include <math.h>
#include <stdlib.h>

#include "tests/problem_text.h"
#include "tests/suite.h"

enum { CPU, NPU, GPU };

static dv_plan *plan_of(const dv_problem *problem, const dv_target_id *target)
{
    dv_plan *plan = NULL;
    if (dv_plan_create(problem, &plan) != DV_OK)
        abort();
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        plan->target[u] = target[u];
    return plan;
}

#define PLAN(problem, ...) plan_of(problem, (dv_target_id[]){__VA_ARGS__})

static void a_chain_over_two_devices_adds_up(void)
{
    dv_problem *problem = problem_of("cpu npu", "move 3\nper_byte 0.5\nbytes 8\ndispatch 1 20\n"
                                                "session 100 7\na 10 1\nb 5 50\nc 10 2\n");
    dv_plan *plan = PLAN(problem, NPU, CPU, NPU);
    CU_ASSERT_TRUE(dv_evaluate(problem, plan));
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.compute_us, 1 + 5 + 2, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.dispatch_us, 20 + 1 + 20, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.session_us, 107, 1e-12);
    /* the input to the NPU, a to the CPU, b to the NPU, c home: 3 + 8 * 0.5 each */
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.move_us, 4 * 7.0, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.moved_bytes, 32, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 8 + 41 + 107 + 28, 1e-12);
    CU_ASSERT_EQUAL(plan->cost.segments, 3);
    CU_ASSERT_EQUAL(plan->cost.moves, 4);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void a_tensor_is_sent_once_to_each_destination(void)
{
    dv_problem *problem = problem_of("cpu npu gpu", "move 3\na 1 1 1\nb 1 1 1 < a\nc 1 1 1 < a\n"
                                                    "d 1 1 1 < a\ne 1 1 1 < b c d\n");
    dv_plan *plan = PLAN(problem, CPU, NPU, NPU, GPU, CPU);
    CU_ASSERT_TRUE(dv_evaluate(problem, plan));
    /* a to NPU (for b and c) and to GPU; b, c, d to CPU */
    CU_ASSERT_EQUAL(plan->cost.moves, 5);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.move_us, 15, 1e-12);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void another_precision_of_a_device_costs_a_move_but_no_dispatch(void)
{
    dv_problem *problem =
        problem_of("cpu npu:f16 npu:i8", "move 9\nmove_same 2\ndispatch 0 5\na 9 1 9\nb 9 9 1\n");
    dv_plan *plan = PLAN(problem, 1, 2);
    CU_ASSERT_TRUE(dv_evaluate(problem, plan));
    CU_ASSERT_EQUAL(plan->cost.segments, 1);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.dispatch_us, 5, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.move_us, 9 + 2 + 9, 1e-12);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

/* Evaluates a plan that must be refused. */
static void refused(const char *text, dv_target_id first, dv_target_id second)
{
    dv_problem *problem = problem_of("cpu npu", text);
    dv_plan *plan = PLAN(problem, first, second);
    CU_ASSERT_FALSE(dv_evaluate(problem, plan));
    CU_ASSERT_EQUAL(plan->cost.total_us, INFINITY);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void plans_that_break_a_limit_cost_infinity(void)
{
    refused("a 1 1\nb 1 -\n", CPU, NPU);                             /* support */
    refused("a 1 1\nb 1 1 @ npu\n", CPU, CPU);                       /* pin */
    refused("a 1 1 # 3\nb 1 1 # 3\n", CPU, NPU);                     /* group */
    refused("capacity 100 9\na 1 1 ! 5 5\nb 1 1 ! 5 5\n", NPU, NPU); /* memory */
    refused("energy 7\na 1 1 ~ 4 1\nb 1 1 ~ 4 1\n", CPU, CPU);       /* energy */
    refused("loss 0.5\na 1 1 $ 0 0.4\nb 1 1 $ 0 0.4\n", NPU, NPU);   /* loss */
    refused("segments 1\na 1 1\nb 1 1\n", CPU, NPU);                 /* segments */
    refused("a 1 1\nb 1 1\n", CPU, 7);                               /* no such target */
}

static void an_order_that_is_no_topological_order_costs_infinity(void)
{
    dv_problem *problem = problem_of("cpu", "a 1\nb 1\nc 1 < a\n");
    dv_plan *plan = PLAN(problem, CPU, CPU, CPU);
    plan->order[1] = 2;
    plan->order[2] = 1;
    CU_ASSERT_TRUE(dv_evaluate(problem, plan)); /* b and c are independent */
    plan->order[0] = 2;
    plan->order[1] = 0;
    CU_ASSERT_FALSE(dv_evaluate(problem, plan)); /* c before a */
    plan->order[0] = 0;
    CU_ASSERT_FALSE(dv_evaluate(problem, plan)); /* a twice */
    plan->order[1] = 99;
    CU_ASSERT_FALSE(dv_evaluate(problem, plan));
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_evaluate, DV_TEST(a_chain_over_two_devices_adds_up),
         DV_TEST(a_tensor_is_sent_once_to_each_destination),
         DV_TEST(another_precision_of_a_device_costs_a_move_but_no_dispatch),
         DV_TEST(plans_that_break_a_limit_cost_infinity),
         DV_TEST(an_order_that_is_no_topological_order_costs_infinity));
