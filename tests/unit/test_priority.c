/* test_priority.c - lists of accelerators. */
#include <string.h>

#include "solver/priority.h"
#include "tests/problem_text.h"
#include "tests/suite.h"

static void speed_counts_what_falls_back_to_the_host(void)
{
    /* npu is faster where it can run at all, gpu in sum: 2 + 2 against 1 + 9 */
    dv_problem *problem = problem_of("cpu npu gpu", "a 9 1 2\nb 9 - 2\n");
    dv_priority list;
    CU_ASSERT_EQUAL_FATAL(dv_priority_create(problem, &list), DV_OK);
    dv_priority_by_speed(problem, &list);
    CU_ASSERT_EQUAL_FATAL(list.count, 2); /* never the host */
    CU_ASSERT_EQUAL(list.device[0], 2);
    CU_ASSERT_EQUAL(list.device[1], 1);
    dv_priority_free(&list);
    dv_problem_destroy(problem);
}

static void a_wrong_list_is_refused_by_name(void)
{
    dv_problem *problem = problem_of("cpu npu gpu", "a 9 1 2\n");
    dv_priority list;
    CU_ASSERT_EQUAL_FATAL(dv_priority_create(problem, &list), DV_OK);
    CU_ASSERT_EQUAL(dv_priority_choose(problem, "s", "k", "gpu+npu", &list), DV_OK);
    CU_ASSERT_EQUAL(list.device[0], 2);
    CU_ASSERT_EQUAL(dv_priority_choose(problem, "s", "k", "tpu", &list), DV_BAD_PARAMETER);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "s: k=tpu: no device 'tpu' here"));
    CU_ASSERT_EQUAL(dv_priority_choose(problem, "s", "k", "gpu+gpu", &list), DV_BAD_PARAMETER);
    dv_priority_free(&list);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_priority, DV_TEST(speed_counts_what_falls_back_to_the_host),
         DV_TEST(a_wrong_list_is_refused_by_name));
