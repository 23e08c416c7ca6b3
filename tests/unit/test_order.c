/* test_order.c - few segments, by hand. */
#include "solver/order.h"

#include "solver/evaluate.h"
#include "tests/problem_text.h"
#include "tests/suite.h"

enum { CPU, NPU };

static void what_is_ready_on_the_device_at_hand_runs_first(void)
{
    dv_problem *problem = problem_of("cpu npu", "dispatch 1 10\na 1 1\nb 1 1 < a\nc 1 1 < a\n"
                                                "d 1 1 < b\ne 1 1 < c d\n");
    static const dv_target_id target[] = {CPU, NPU, CPU, NPU, CPU};
    dv_unit_id order[5];
    double dispatch_us;
    CU_ASSERT_EQUAL(dv_order_closure(problem, target, NULL, INFINITY, order, &dispatch_us), DV_OK);
    CU_ASSERT_DOUBLE_EQUAL(dispatch_us, 12, 1e-12); /* a c | b d | e, where given: a|b|c|d|e */
    static const dv_unit_id best[] = {0, 2, 1, 3, 4};
    for (int k = 0; k < 5; k++)
        CU_ASSERT_EQUAL(order[k], best[k]);
    dv_problem_destroy(problem);
}

static void the_dearest_path_is_where_most_is_entered(void)
{
    dv_problem *problem = problem_of("cpu npu", "dispatch 1 10\na 1 1\nb 1 1 < a\nc 1 1 < a\n"
                                                "d 1 1 < b\ne 1 1 < c d\n");
    static const dv_target_id target[] = {CPU, NPU, CPU, CPU, CPU};
    dv_unit_id path[5];
    uint32_t length;
    double dispatch_us;
    CU_ASSERT_EQUAL(dv_order_dearest_path(problem, target, path, &length, &dispatch_us), DV_OK);
    CU_ASSERT_DOUBLE_EQUAL(dispatch_us, 1 + 10 + 1, 1e-12);
    CU_ASSERT_EQUAL_FATAL(length, 4);
    static const dv_unit_id best[] = {0, 1, 3, 4};
    for (uint32_t k = 0; k < length; k++)
        CU_ASSERT_EQUAL(path[k], best[k]);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_order, DV_TEST(what_is_ready_on_the_device_at_hand_runs_first),
         DV_TEST(the_dearest_path_is_where_most_is_entered));
