/* test_suffix.c - the rest of an order, and a beginning that it is joined with. */
#include "solver/suffix.h"
#include "tests/problem_text.h"
#include "tests/suite.h"

static void a_beginning_and_its_best_rest_cost_what_the_plan_costs(void)
{
    dv_problem *problem = problem_of(
        "cpu npu", "move 2\ndispatch 1 3\nsession 0 5\na 9 1 < in\nb 4 4\nc 9 1 < a b\n");
    const dv_unit_id order[] = {0, 1, 2};
    dv_labels labels;
    dv_suffix suffix;
    dv_prefix before, behind;
    uint32_t state = UINT32_MAX;
    dv_target_id target[3] = {1, DV_NONE, DV_NONE};
    CU_ASSERT_EQUAL_FATAL(dv_labels_create(problem, &labels), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_suffix_create(problem, &labels, order, 100, NULL, &suffix), DV_OK);
    CU_ASSERT_TRUE(suffix.exact);
    CU_ASSERT_EQUAL_FATAL(dv_prefix_create(&suffix, &before), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_prefix_create(&suffix, &behind), DV_OK);
    dv_prefix_begin(&suffix, &before);
    CU_ASSERT_TRUE(dv_prefix_step(&suffix, &before, 0, 1, &behind));
    CU_ASSERT_DOUBLE_EQUAL(behind.cost, 1 + 2 + 3 + 5, 1e-12);
    double least = dv_suffix_least(&suffix, 1, &behind, INFINITY, &state);
    CU_ASSERT_DOUBLE_EQUAL(least, 11 + 4 + 1 + 2, 1e-12); /* stays, and brings the output home */
    dv_suffix_follow(&suffix, 1, state, target);
    CU_ASSERT_EQUAL(target[1], 1);
    CU_ASSERT_EQUAL(target[2], 1);
    CU_ASSERT_DOUBLE_EQUAL(dv_suffix_least(&suffix, 1, &behind, 17, &state), 17, 0); /* the limit */
    dv_prefix_free(&before);
    dv_prefix_free(&behind);
    dv_suffix_free(&suffix);
    dv_labels_free(&labels);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_suffix, DV_TEST(a_beginning_and_its_best_rest_cost_what_the_plan_costs));
