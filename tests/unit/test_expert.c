/* test_expert.c - plans from files. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "solver/evaluate.h"
#include "tests/problem_text.h"
#include "tests/suite.h"

static const char TEXT[] = "a 9 1\nb 1 9\n";

/* A plan file with b on the NPU; path and spec: of 64 and 80 characters. */
static void write_file(const dv_problem *problem, char *path, char *spec)
{
    dv_plan *plan = NULL;
    dv_text text = {0};
    CU_ASSERT_EQUAL_FATAL(dv_plan_create(problem, &plan), DV_OK);
    plan->target[1] = 1;
    CU_ASSERT_TRUE_FATAL(dv_evaluate(problem, plan));
    CU_ASSERT_EQUAL_FATAL(dv_plan_write(problem, plan, NULL, NULL, &text), DV_OK);
    snprintf(path, 64, "/tmp/divvy-expert-%ld.json", (long)getpid());
    snprintf(spec, 80, "expert:file=%s", path);
    CU_ASSERT_EQUAL_FATAL(dv_file_write(path, text.data, text.length), DV_OK);
    dv_text_free(&text);
    dv_plan_destroy(plan);
}

static void the_file_is_the_plan(void)
{
    dv_problem *problem = problem_of("cpu npu", TEXT);
    char path[64], spec[80];
    write_file(problem, path, spec);
    dv_plan *plan = solve_with(spec, problem);
    CU_ASSERT_EQUAL(plan->target[0], 0);
    CU_ASSERT_EQUAL(plan->target[1], 1);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 18, 1e-12);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
    unlink(path);
}

static void a_plan_that_breaks_a_pin_is_refused(void)
{
    dv_problem *problem = problem_of("cpu npu", TEXT);
    dv_problem *pinned = problem_of("cpu npu", "a 9 1\nb 1 9 @ cpu\n");
    char path[64], spec[80];
    write_file(problem, path, spec);
    dv_plan *plan = NULL;
    dv_outcome outcome;
    CU_ASSERT_EQUAL(dv_solve(pinned, spec, NULL, &plan, &outcome), DV_BAD_INPUT);
    CU_ASSERT_PTR_NULL(plan);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), path));
    dv_problem_destroy(problem);
    dv_problem_destroy(pinned);
    unlink(path);
}

static void the_file_must_be_given_and_be_there(void)
{
    dv_problem *problem = problem_of("cpu npu", TEXT);
    dv_plan *plan = NULL;
    dv_outcome outcome;
    CU_ASSERT_EQUAL(dv_solve(problem, "expert", NULL, &plan, &outcome), DV_BAD_PARAMETER);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "file="));
    CU_ASSERT_EQUAL(dv_solve(problem, "expert:file=/nowhere", NULL, &plan, &outcome), DV_IO);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_expert, DV_TEST(the_file_is_the_plan), DV_TEST(a_plan_that_breaks_a_pin_is_refused),
         DV_TEST(the_file_must_be_given_and_be_there));
