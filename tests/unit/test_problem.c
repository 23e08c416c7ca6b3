/* test_problem.c - what a problem must be, its adjacency, and problem/1 both ways. */
#include <stdio.h>
#include <string.h>

#include "core/problem.h"
#include "core/rng.h"
#include "tests/suite.h"

/* A diamond: a -> b, c -> d; an input x for a, an output y of d. */
static const char diamond[] =
    "{\"divvy\": \"problem/1\", \"name\": \"diamond\",\n"
    " \"devices\": [{\"name\": \"cpu\", \"dispatch_us\": 1},\n"
    "               {\"name\": \"npu\", \"dispatch_us\": 5, \"session_us\": 2,\n"
    "                \"capacity_bytes\": 1000}],\n"
    " \"targets\": [{\"name\": \"cpu:f32\", \"device\": \"cpu\"},\n"
    "               {\"name\": \"npu:f16\", \"device\": \"npu\"}],\n"
    " \"host\": \"cpu:f32\",\n"
    " \"units\": [{\"name\": \"a\", \"time_us\": [10, 1]}, {\"name\": \"b\", \"time_us\": [10, "
    "null]},\n"
    "             {\"name\": \"c\", \"time_us\": [10, 2], \"memory_bytes\": [8, 4], \"group\": "
    "3},\n"
    "             {\"name\": \"d\", \"time_us\": [10, 3], \"pin\": \"npu:f16\", \"group\": 3}],\n"
    " \"tensors\": [{\"name\": \"x\", \"to\": [\"a\"], \"bytes\": 64},\n"
    "               {\"name\": \"t\", \"from\": \"a\", \"to\": [\"c\", \"b\"], \"bytes\": [100, "
    "50]},\n"
    "               {\"name\": \"u\", \"from\": \"b\", \"to\": [3], \"bytes\": 10},\n"
    "               {\"name\": \"v\", \"from\": 2, \"to\": [\"d\"], \"bytes\": 10},\n"
    "               {\"name\": \"y\", \"from\": \"d\", \"output\": true, \"bytes\": 4}],\n"
    " \"move_latency_us\": [[0, 7], [6, 0]], \"move_us_per_byte\": [[0, 0.5], [0.25, 0]],\n"
    " \"limits\": {\"max_segments\": 9}}\n";

static dv_problem *parsed(const char *text)
{
    dv_problem *problem = NULL;
    dv_status status = dv_problem_parse("p.json", text, strlen(text), &problem);
    if (status != DV_OK)
        fprintf(stderr, "%s\n", dv_message());
    CU_ASSERT_EQUAL_FATAL(status, DV_OK);
    return problem;
}

static void check_refused(const char *from, const char *to, const char *part)
{
    const char *at = strstr(diamond, from);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    dv_text text = {0};
    dv_text_append(&text, "%.*s%s%s", (int)(at - diamond), diamond, to, at + strlen(from));
    dv_problem *problem = NULL;
    dv_status status = dv_problem_parse("p.json", dv_text_string(&text), text.length, &problem);
    CU_ASSERT_EQUAL(status, DV_BAD_INPUT);
    CU_ASSERT_PTR_NULL(problem);
    if (!strstr(dv_message(), part))
        fprintf(stderr, "expected \"%s\" in: %s\n", part, dv_message());
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), part));
    dv_problem_destroy(problem);
    dv_text_free(&text);
}

static void test_reading_a_problem_gives_its_numbers(void)
{
    dv_problem *p = parsed(diamond);
    CU_ASSERT_EQUAL(p->unit_count, 4);
    CU_ASSERT_EQUAL(dv_problem_time_us(p, 0, 1), 1.0);
    CU_ASSERT_FALSE(dv_problem_allows(p, 1, 1)); /* null: not supported */
    CU_ASSERT_FALSE(dv_problem_allows(p, 3, 0)); /* pinned elsewhere */
    CU_ASSERT_TRUE(dv_problem_allows(p, 3, 1));
    CU_ASSERT_EQUAL(p->group[0], DV_NONE);
    CU_ASSERT_EQUAL(p->group[2], p->group[3]);
    CU_ASSERT_EQUAL(p->memory_bytes[2 * 2 + 1], 4.0);
    CU_ASSERT_PTR_NULL(p->energy_uj);
    CU_ASSERT_EQUAL(p->capacity_bytes[1], 1000.0);
    CU_ASSERT_TRUE(isinf(p->capacity_bytes[0]));
    CU_ASSERT_EQUAL(p->producer[0], DV_NONE);
    CU_ASSERT_TRUE(p->host_needs[4] && !p->host_needs[3]);
    CU_ASSERT_EQUAL(p->max_segments, 9);
    CU_ASSERT_TRUE(isinf(p->loss_budget));
    CU_ASSERT_EQUAL(dv_problem_move_us(p, 1, 0, 1), 7.0 + 100 * 0.5);
    CU_ASSERT_EQUAL(dv_problem_move_us(p, 1, 1, 0), 6.0 + 50 * 0.25);
    CU_ASSERT_EQUAL(dv_problem_move_us(p, 1, 1, 1), 0.0);
    dv_problem_destroy(p);
}

static void test_adjacency_lists_each_neighbour_once(void)
{
    dv_problem *p = parsed(diamond);
    CU_ASSERT_EQUAL(p->next_start[1] - p->next_start[0], 2);
    CU_ASSERT_EQUAL(p->next[p->next_start[0]], 1);
    CU_ASSERT_EQUAL(p->next[p->next_start[0] + 1], 2);
    CU_ASSERT_EQUAL(p->previous_start[4] - p->previous_start[3], 2);
    CU_ASSERT_EQUAL(p->unit_tensors[p->unit_tensor_start[0]], 0);
    CU_ASSERT_EQUAL(p->unit_output_start[4] - p->unit_output_start[3], 1);
    CU_ASSERT_EQUAL(p->unit_outputs[p->unit_output_start[3]], 4);
    dv_problem_destroy(p);
}

static void test_writing_and_reading_give_the_same_text(void)
{
    dv_problem *p = parsed(diamond);
    dv_text once = {0}, twice = {0};
    CU_ASSERT_EQUAL(dv_problem_write(p, &once), DV_OK);
    dv_problem *again = parsed(dv_text_string(&once));
    CU_ASSERT_EQUAL(dv_problem_write(again, &twice), DV_OK);
    CU_ASSERT_STRING_EQUAL(dv_text_string(&once), dv_text_string(&twice));
    CU_ASSERT_EQUAL(again->pin[3], 1);
    dv_problem_destroy(p);
    dv_problem_destroy(again);
    dv_text_free(&once);
    dv_text_free(&twice);
}

static void test_bad_numbers_are_named(void)
{
    check_refused("\"time_us\": [10, 1]", "\"time_us\": [-10, 1]", "units[0].time_us[0]");
    check_refused("\"time_us\": [10, 1]", "\"time_us\": [10]", "2 numbers, one a target");
    check_refused("\"time_us\": [10, 1]", "\"time_us\": [\"NaN\", 1]", "units[0].time_us[0]");
    check_refused("\"bytes\": 64", "\"bytes\": -64", "tensors[0].bytes");
    check_refused("\"dispatch_us\": 5", "\"dispatch_us\": \"inf\"", "device npu");
    check_refused("[[0, 7], [6, 0]]", "[[0, 7]]", "move_latency_us: 2 rows");
    check_refused("\"to\": [3]", "\"to\": [4]", "tensors[2].to[0]: 4 is out of range");
    check_refused("\"from\": \"b\"", "\"from\": \"bb\"", "there is no unit \"bb\"");
    check_refused("\"to\": [\"c\", \"b\"]", "\"to\": [\"c\", \"c\"]", "tensor 't'");
    check_refused("\"host\": \"cpu:f32\"", "\"host\": \"gpu\"", "host: there is no target");
    check_refused("\"max_segments\": 9", "\"max_segments\": 0", "limits.max_segments");
}

static void test_a_unit_that_nothing_runs_is_named(void)
{
    check_refused("[10, null]", "[null, null]", "no target can run 1 unit: 'b'");
    check_refused("\"time_us\": [10, 3]", "\"time_us\": [10, null]", "'d'"); /* pinned to npu */
}

static void test_a_cycle_is_named(void)
{
    check_refused("{\"name\": \"x\", \"to\": [\"a\"]",
                  "{\"name\": \"x\", \"from\": \"d\", \"to\": [\"a\"]",
                  "the units form a cycle: 'a' <- 'd'");
}

static void test_a_bad_order_is_no_cycle(void)
{
    check_refused("{\"name\": \"u\", \"from\": \"b\", \"to\": [3]",
                  "{\"name\": \"u\", \"from\": \"c\", \"to\": [\"b\"]",
                  "unit 'b' reads what 'c' makes later");
}

/* Three bytes changed anywhere: refused with a message, or read; never a crash. */
static void test_damaged_files_never_crash(void)
{
    enum { SEED = 11, TRIALS = 3000 };
    dv_rng rng = dv_rng_seeded(SEED);
    for (int trial = 0; trial < TRIALS; trial++) {
        char bad[sizeof diamond];
        memcpy(bad, diamond, sizeof bad);
        for (int i = 0; i < 3; i++) {
            char any = (char)(' ' + dv_rng_below(&rng, 95));
            bad[dv_rng_below(&rng, sizeof bad - 1)] = any;
        }
        dv_problem *problem = NULL;
        dv_status status = dv_problem_parse("bad.json", bad, sizeof bad - 1, &problem);
        CU_ASSERT_TRUE((status == DV_OK) == (problem != NULL));
        if (status != DV_OK)
            CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "bad.json: "));
        dv_problem_destroy(problem);
    }
}

DV_SUITE(core_problem, DV_TEST(test_reading_a_problem_gives_its_numbers),
         DV_TEST(test_adjacency_lists_each_neighbour_once),
         DV_TEST(test_writing_and_reading_give_the_same_text), DV_TEST(test_bad_numbers_are_named),
         DV_TEST(test_a_unit_that_nothing_runs_is_named), DV_TEST(test_a_cycle_is_named),
         DV_TEST(test_a_bad_order_is_no_cycle), DV_TEST(test_damaged_files_never_crash));
