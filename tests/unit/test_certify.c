/* test_certify.c - a certificate is worth what it refuses. */
#include "solver/certify.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "solver/evaluate.h"
#include "tests/problem_text.h"
#include "tests/suite.h"

enum { CPU, NPU };

static const char TEXT[] = "move 2\ndispatch 1 4\nsession 0 3\ncapacity 100 50\nenergy 100\n"
                           "loss 10\nsegments 4\n"
                           "a 10 1 ! 10 10 ~ 10 5 $ 0 1\n"
                           "b  5 - ! 10 10 ~ 10 5 $ 0 1\n"
                           "c 10 1 # 1 ! 10 10 ~ 10 5 $ 0 1\n"
                           "d 10 1 @ npu # 1 ! 10 10 ~ 10 5 $ 0 1\n";

typedef void (*tamper)(dv_problem *problem, dv_plan *plan);

/* The certificate of a good plan after tampering; word: what the reason must mention, or NULL. */
static void expect(tamper change, const char *word)
{
    dv_problem *problem = problem_of("cpu npu", TEXT);
    dv_plan *plan = solve_with("ilp", problem);
    CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
    CU_ASSERT_TRUE(dv_certify(problem, plan).ok);
    change(problem, plan);
    dv_certificate certificate = dv_certify(problem, plan);
    CU_ASSERT_FALSE(certificate.ok);
    CU_ASSERT_PTR_NOT_NULL(strstr(certificate.reason, word));
    if (!strstr(certificate.reason, word))
        fprintf(stderr, "\n    expected '%s': %s", word, certificate.reason);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void state_less(dv_problem *problem, dv_plan *plan)
{
    (void)problem;
    plan->cost.total_us *= 1.0 - 1e-7;
}

static void state_nan(dv_problem *problem, dv_plan *plan)
{
    (void)problem;
    plan->cost.total_us = NAN;
}

static void raise_bound(dv_problem *problem, dv_plan *plan)
{
    (void)problem;
    plan->bound_us = plan->cost.total_us * (1.0 + 1e-7);
}

static void lose_bound(dv_problem *problem, dv_plan *plan)
{
    (void)problem;
    plan->bound_us = -INFINITY;
}

static void swap_order(dv_problem *problem, dv_plan *plan)
{
    (void)problem;
    plan->order[0] = 1;
    plan->order[1] = 0;
}

static void repeat_unit(dv_problem *problem, dv_plan *plan)
{
    (void)problem;
    plan->order[1] = 0;
}

static void leave_range(dv_problem *problem, dv_plan *plan)
{
    (void)problem;
    plan->target[0] = 2;
}

static void leave_order(dv_problem *problem, dv_plan *plan)
{
    (void)problem;
    plan->order[3] = 1000;
}

static void lose_support(dv_problem *problem, dv_plan *plan)
{
    (void)problem;
    plan->target[1] = NPU;
}

static void leave_pin(dv_problem *problem, dv_plan *plan)
{
    (void)problem;
    plan->target[2] = plan->target[3] = CPU;
}

static void split_group(dv_problem *problem, dv_plan *plan)
{
    (void)problem;
    plan->target[2] = CPU;
}

static void shrink_memory(dv_problem *problem, dv_plan *plan)
{
    (void)plan;
    ((double *)problem->capacity_bytes)[NPU] = 19;
}

static void shrink_energy(dv_problem *problem, dv_plan *plan)
{
    (void)plan;
    problem->energy_budget_uj = 4;
}

static void shrink_loss(dv_problem *problem, dv_plan *plan)
{
    (void)plan;
    problem->loss_budget = 1;
}

static void shrink_segments(dv_problem *problem, dv_plan *plan)
{
    (void)plan;
    problem->max_segments = 1;
}

static void forget_unit(dv_problem *problem, dv_plan *plan)
{
    (void)problem;
    plan->unit_count--;
}

static void a_tampered_cost_is_refused(void)
{
    expect(state_less, "states");
    expect(state_nan, "states");
}

static void a_tampered_bound_is_refused(void)
{
    expect(raise_bound, "bound");
    expect(lose_bound, "without a bound");
}

/* A worse plan that calls itself optimal: one unit elsewhere refutes it. */
static void a_bound_that_a_neighbour_beats_is_refused(void)
{
    dv_problem *problem = problem_of("cpu npu", "dispatch 1 4\na 10 1\nb 10 1\nc 10 1\n");
    dv_plan *plan = solve_with("ilp", problem);
    CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
    CU_ASSERT_TRUE(dv_certify_bound(problem, plan).ok);
    plan->target[2] = CPU;
    CU_ASSERT_TRUE(dv_evaluate(problem, plan));
    CU_ASSERT_TRUE(dv_certify_bound(problem, plan).ok); /* dearer, its bound is still true */
    plan->bound_us = plan->cost.total_us;
    dv_certificate certificate = dv_certify_bound(problem, plan);
    CU_ASSERT_FALSE(certificate.ok);
    CU_ASSERT_PTR_NOT_NULL(strstr(certificate.reason, "unit c on npu"));
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void a_tampered_order_is_refused(void)
{
    expect(swap_order, "before");
    expect(repeat_unit, "twice");
    expect(leave_order, "holds no unit");
    expect(forget_unit, "3 units of 4");
}

static void a_tampered_placement_is_refused(void)
{
    expect(leave_range, "no target");
    expect(lose_support, "not supported");
    expect(leave_pin, "pinned");
    expect(split_group, "group");
}

static void a_broken_limit_is_refused(void)
{
    expect(shrink_memory, "capacity");
    expect(shrink_energy, "energy");
    expect(shrink_loss, "loss");
    expect(shrink_segments, "segments");
}

DV_SUITE(solver_certify, DV_TEST(a_tampered_cost_is_refused), DV_TEST(a_tampered_bound_is_refused),
         DV_TEST(a_bound_that_a_neighbour_beats_is_refused), DV_TEST(a_tampered_order_is_refused),
         DV_TEST(a_tampered_placement_is_refused), DV_TEST(a_broken_limit_is_refused));
