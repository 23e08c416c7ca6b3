/* test_plan.c - segments, gaps, and plan/1 both ways. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/plan.h"
#include "tests/suite.h"

/* Four units in a chain on targets cpu:f32, npu:f16 and npu:i8. */
static dv_problem *chain(const char *sha256)
{
    dv_text text = {0};
    dv_text_append(
        &text,
        "{\"divvy\": \"problem/1\", \"name\": \"chain\", \"model_sha256\": \"%s\","
        "\"devices\": [{\"name\": \"cpu\", \"dispatch_us\": 1},"
        "{\"name\": \"npu\", \"dispatch_us\": 5}],"
        "\"targets\": [{\"name\": \"cpu:f32\", \"device\": \"cpu\"},"
        "{\"name\": \"npu:f16\", \"device\": \"npu\"},"
        "{\"name\": \"npu:i8\", \"device\": \"npu\"}], \"host\": \"cpu:f32\","
        "\"units\": [{\"name\": \"a\", \"time_us\": [4, 2, 1]},"
        "{\"name\": \"b\", \"time_us\": [4, 2, 1]}, {\"name\": \"c\", \"time_us\": [4, 2, 1]},"
        "{\"name\": \"d\", \"time_us\": [4, 2, 1]}],"
        "\"tensors\": [{\"name\": \"t\", \"from\": \"a\", \"to\": [\"d\"], \"bytes\": 8}],"
        "\"move_latency_us\": [[0, 1, 1], [1, 0, 1], [1, 1, 0]],"
        "\"move_us_per_byte\": [[0, 0, 0], [0, 0, 0], [0, 0, 0]]}",
        sha256);
    dv_problem *problem = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_problem_parse("p.json", dv_text_string(&text), text.length, &problem),
                          DV_OK);
    dv_text_free(&text);
    return problem;
}

/* Order a, c, b, d; a on the cpu, c and b on the npu in two precisions, d on the cpu. */
static dv_plan *mixed(const dv_problem *problem)
{
    dv_plan *plan = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_plan_create(problem, &plan), DV_OK);
    plan->order[1] = 2;
    plan->order[2] = 1;
    plan->target[2] = 1;
    plan->target[1] = 2;
    snprintf(plan->strategy, sizeof plan->strategy, "hand");
    plan->outcome = DV_OUTCOME_FEASIBLE;
    plan->cost.total_us = 20;
    plan->bound_us = 15;
    return plan;
}

static void test_a_segment_is_a_run_of_one_device(void)
{
    dv_problem *problem = chain("");
    dv_plan *plan = mixed(problem);
    dv_segment *segments = NULL;
    uint32_t count;
    CU_ASSERT_EQUAL(dv_plan_segments(problem, plan, &segments, &count), DV_OK);
    CU_ASSERT_EQUAL_FATAL(count, 3);
    CU_ASSERT_EQUAL(segments[1].device, 1);
    CU_ASSERT_EQUAL(segments[1].first, 1);
    CU_ASSERT_EQUAL(segments[1].count, 2); /* a change of precision is no new segment */
    free(segments);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void test_the_gap_is_relative_to_the_value(void)
{
    dv_problem *problem = chain("");
    dv_plan *plan = mixed(problem);
    CU_ASSERT_DOUBLE_EQUAL(dv_plan_gap(plan), 0.25, 1e-15);
    plan->bound_us = 20.0000001;
    CU_ASSERT_EQUAL(dv_plan_gap(plan), 0.0);
    plan->bound_us = -INFINITY;
    CU_ASSERT_TRUE(isinf(dv_plan_gap(plan)));
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void test_a_copy_is_independent(void)
{
    dv_problem *problem = chain("");
    dv_plan *plan = mixed(problem), *copy = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_plan_create(problem, &copy), DV_OK);
    dv_plan_copy(copy, plan);
    plan->target[0] = 2;
    plan->order[0] = 3;
    CU_ASSERT_EQUAL(copy->target[0], 0);
    CU_ASSERT_EQUAL(copy->order[0], 0);
    CU_ASSERT_EQUAL(copy->target[1], 2);
    CU_ASSERT_STRING_EQUAL(copy->strategy, "hand");
    dv_plan_destroy(plan);
    dv_plan_destroy(copy);
    dv_problem_destroy(problem);
}

static const char sha_a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char sha_b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

static void test_a_written_plan_reads_back_the_same(void)
{
    dv_problem *problem = chain(sha_a);
    dv_plan *plan = mixed(problem), *back = NULL;
    dv_text text = {0};
    CU_ASSERT_EQUAL(dv_plan_write(problem, plan, NULL, NULL, &text), DV_OK);
    CU_ASSERT_EQUAL_FATAL(
        dv_plan_parse("plan.json", dv_text_string(&text), text.length, problem, &back), DV_OK);
    for (dv_unit_id u = 0; u < 4; u++) {
        CU_ASSERT_EQUAL(back->target[u], plan->target[u]);
        CU_ASSERT_EQUAL(back->order[u], plan->order[u]);
    }
    CU_ASSERT_STRING_EQUAL(back->strategy, "hand");
    CU_ASSERT_EQUAL(back->outcome, DV_OUTCOME_FEASIBLE);
    CU_ASSERT_EQUAL(back->bound_us, 15.0);
    dv_plan_destroy(plan);
    dv_plan_destroy(back);
    dv_problem_destroy(problem);
    dv_text_free(&text);
}

static void check_refused(const dv_problem *problem, const char *text, const char *from,
                          const char *to, const char *part)
{
    const char *at = strstr(text, from);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    dv_text changed = {0};
    dv_text_append(&changed, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    dv_plan *plan = NULL;
    CU_ASSERT_EQUAL(
        dv_plan_parse("plan.json", dv_text_string(&changed), changed.length, problem, &plan),
        DV_BAD_INPUT);
    CU_ASSERT_PTR_NULL(plan);
    if (!strstr(dv_message(), part))
        fprintf(stderr, "expected \"%s\" in: %s\n", part, dv_message());
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), part));
    dv_plan_destroy(plan);
    dv_text_free(&changed);
}

static void test_a_plan_for_another_model_is_refused(void)
{
    dv_problem *problem = chain(sha_a), *other = chain(sha_b);
    dv_plan *plan = mixed(problem);
    dv_text text = {0};
    CU_ASSERT_EQUAL(dv_plan_write(problem, plan, NULL, NULL, &text), DV_OK);
    const char *good = dv_text_string(&text);
    check_refused(other, good, "hand", "hand", "made for another model");
    check_refused(problem, good, "\"name\": \"b\"", "\"name\": \"e\"", "is 'b', not 'e'");
    check_refused(problem, good, "\"unit\": 2", "\"unit\": 7", "out of range");
    check_refused(problem, good, "\"target\": \"npu:i8\"", "\"target\": \"gpu:f16\"", "no target");
    check_refused(problem, good, "{\"unit\": 3, \"name\": \"d\"", "{\"unit\": 0, \"name\": \"a\"",
                  "placed twice");
    check_refused(problem, good, "\"feasible\"", "\"fine\"", "an outcome is");
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
    dv_problem_destroy(other);
    dv_text_free(&text);
}

DV_SUITE(core_plan, DV_TEST(test_a_segment_is_a_run_of_one_device),
         DV_TEST(test_the_gap_is_relative_to_the_value), DV_TEST(test_a_copy_is_independent),
         DV_TEST(test_a_written_plan_reads_back_the_same),
         DV_TEST(test_a_plan_for_another_model_is_refused));
