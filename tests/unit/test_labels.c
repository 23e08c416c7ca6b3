/* test_labels.c - which targets can be ruled out, and which must not be. */
#include "solver/labels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/problem_text.h"
#include "tests/suite.h"

enum { CPU, NPU };

static const dv_unit_id natural[] = {0, 1, 2, 3, 4, 5, 6, 7};

static dv_labels labels_of(const dv_problem *problem)
{
    dv_labels labels;
    if (dv_labels_create(problem, &labels) != DV_OK)
        abort();
    return labels;
}

static void support_and_pins_decide_what_is_there(void)
{
    dv_problem *problem = problem_of("cpu npu", "a 1 -\nb 1 1 @ npu\nc 1 1\n");
    dv_labels labels = labels_of(problem);
    CU_ASSERT_EQUAL(labels.count[0], 1);
    CU_ASSERT_TRUE(dv_label(&labels, 0, CPU));
    CU_ASSERT_FALSE(dv_label(&labels, 1, CPU));
    CU_ASSERT_EQUAL(labels.count[2], 2);
    CU_ASSERT_DOUBLE_EQUAL(dv_labels_floor_us(problem, &labels), 3.0, 1e-12);
    dv_labels_free(&labels);
    dv_problem_destroy(problem);
}

static void a_label_that_costs_more_than_a_known_plan_goes(void)
{
    dv_problem *problem = problem_of("cpu npu", "a 1 100\nb 5 8\n");
    dv_labels labels = labels_of(problem);
    dv_labels_cut(problem, 9.0, &labels); /* 1 + 8 is just not more */
    CU_ASSERT_FALSE(dv_label(&labels, 0, NPU));
    CU_ASSERT_TRUE(dv_label(&labels, 1, NPU));
    dv_labels_free(&labels);
    dv_problem_destroy(problem);
}

/* Alone among neighbours on the NPU, b would pay two moves and two dispatches on the CPU. */
static void a_label_goes_only_if_it_can_never_pay(void)
{
    dv_problem *problem =
        problem_of("cpu npu", "move 2\ndispatch 1 1\na 1 1 @ cpu\nb 9 1\nc 1 1\n");
    dv_labels labels = labels_of(problem);
    dv_labels_dominate(problem, natural, NULL, INFINITY, &labels);
    /* b: 8 gained against at most 2 + 2 of moves and 2 of dispatch */
    CU_ASSERT_FALSE(dv_label(&labels, 1, CPU));
    dv_labels_free(&labels);
    dv_problem_destroy(problem);

    problem = problem_of("cpu npu", "move 4\ndispatch 1 1\na 1 1 @ cpu\nb 9 1\nc 1 1 @ cpu\n");
    labels = labels_of(problem);
    dv_labels_dominate(problem, natural, NULL, INFINITY, &labels);
    CU_ASSERT_TRUE(dv_label(&labels, 1, CPU)); /* 8 against 8 + 2: it may pay to stay */
    dv_labels_free(&labels);
    dv_problem_destroy(problem);
}

static void nothing_goes_where_a_limit_binds(void)
{
    dv_problem *problem = problem_of("cpu npu", "segments 1\na 9 1\nb 9 1\n");
    dv_labels labels = labels_of(problem);
    CU_ASSERT_TRUE(dv_limit_segments_binds(problem));
    dv_labels_dominate(problem, natural, NULL, INFINITY, &labels);
    CU_ASSERT_EQUAL(labels.count[0] + labels.count[1], 4);
    dv_labels_free(&labels);
    dv_problem_destroy(problem);
}

static void a_unit_of_a_group_is_left_alone(void)
{
    dv_problem *problem = problem_of("cpu npu", "a 9 1 # 1\nb 1 1\nc 1 - # 1\n");
    dv_labels labels = labels_of(problem);
    dv_labels_dominate(problem, natural, NULL, INFINITY, &labels);
    CU_ASSERT_TRUE(dv_label(&labels, 0, CPU));
    CU_ASSERT_TRUE(dv_label(&labels, 0, NPU));
    dv_labels_free(&labels);
    dv_problem_destroy(problem);
}

static void following_the_swaps_leads_to_allowed_labels(void)
{
    dv_problem *problem = problem_of("cpu npu", "a 9 1\nb 9 1\nc 9 1\n");
    dv_labels labels = labels_of(problem);
    dv_labels_dominate(problem, natural, NULL, INFINITY, &labels);
    dv_target_id target[3] = {CPU, NPU, CPU};
    dv_labels_follow(&labels, target);
    for (dv_unit_id u = 0; u < 3; u++)
        CU_ASSERT_EQUAL(target[u], NPU);
    dv_labels_free(&labels);
    dv_problem_destroy(problem);
}

static void a_limit_that_nothing_can_reach_does_not_bind(void)
{
    dv_problem *problem =
        problem_of("cpu npu", "capacity 100 9\nenergy 4\nloss 3\n"
                              "a 1 1 ! 5 5 ~ 1 2 $ 1 2\nb 1 - ! 5 5 ~ 1 2 $ 1 2\n");
    CU_ASSERT_FALSE(dv_limit_capacity_binds(problem, CPU));
    CU_ASSERT_FALSE(dv_limit_capacity_binds(problem, NPU)); /* b cannot go there */
    CU_ASSERT_FALSE(dv_limit_energy_binds(problem));
    CU_ASSERT_FALSE(dv_limit_loss_binds(problem));
    CU_ASSERT_FALSE(dv_limits_bind(problem));
    problem->loss_budget = 2.5;
    CU_ASSERT_TRUE(dv_limit_loss_binds(problem));
    CU_ASSERT_TRUE(dv_limits_bind(problem));
    dv_problem_destroy(problem);
}

DV_SUITE(solver_labels, DV_TEST(support_and_pins_decide_what_is_there),
         DV_TEST(a_label_that_costs_more_than_a_known_plan_goes),
         DV_TEST(a_label_goes_only_if_it_can_never_pay), DV_TEST(nothing_goes_where_a_limit_binds),
         DV_TEST(a_unit_of_a_group_is_left_alone),
         DV_TEST(following_the_swaps_leads_to_allowed_labels),
         DV_TEST(a_limit_that_nothing_can_reach_does_not_bind));
