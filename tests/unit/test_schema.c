/* test_schema.c - files that come with divvy, files that it writes and the examples of the manual
   follow the schemas, and divvy reads them. */
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/plan.h"
#include "core/trace.h"
#include "costmodel/costmodel.h"
#include "costmodel/machine.h"
#include "load/graphjson.h"
#include "load/load.h"
#include "tests/suite.h"
#include "tests/unit/cost_example.h"
#include "tests/unit/schema_check.h"

static void check_follows(const char *noun, const char *text, size_t size)
{
    char why[600] = "";
    bool fine = schema_check(noun, text, size, why, sizeof why);
    if (!fine)
        fprintf(stderr, "%s\n", why);
    CU_ASSERT_TRUE(fine);
}

static void check_breaks(const char *noun, const char *text, const char *where)
{
    char why[600] = "";
    CU_ASSERT_FALSE(schema_check(noun, text, strlen(text), why, sizeof why));
    if (!strstr(why, where))
        fprintf(stderr, "expected \"%s\" in: %s\n", where, why);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, where));
}

static void test_the_validator_tells_right_from_wrong(void)
{
    check_follows("trace",
                  "{\"divvy\": \"trace/1\", \"title\": \"t\", \"latency_us\": 1,"
                  " \"resources\": [], \"events\": []}",
                  strlen("{\"divvy\": \"trace/1\", \"title\": \"t\", \"latency_us\": 1,"
                         " \"resources\": [], \"events\": []}"));
    check_breaks("trace", "[]", "wrong type");
    check_breaks("trace", "{\"divvy\": \"trace/1\"}", "title");
    check_breaks("trace",
                 "{\"divvy\": \"trace/2\", \"title\": \"t\", \"latency_us\": 1, \"resources\": [],"
                 " \"events\": []}",
                 "trace.divvy");
    check_breaks("trace",
                 "{\"divvy\": \"trace/1\", \"title\": \"t\", \"latency_us\": -1, \"resources\": [],"
                 " \"events\": []}",
                 "trace.latency_us: too small");
    check_breaks("trace",
                 "{\"divvy\": \"trace/1\", \"title\": \"t\", \"latency_us\": 1, \"resources\": [],"
                 " \"events\": [{\"kind\": \"nap\", \"resource\": 0, \"item\": 0, \"start_us\": 0,"
                 " \"end_us\": 1}]}",
                 "trace.events[0].kind");
}

static void test_platforms_compiled_in_follow_their_schema(void)
{
    int count = 0;
    for (size_t i = 0; dv_embedded_name(i); i++) {
        size_t size;
        const char *name = dv_embedded_name(i), *text = dv_embedded_find(name, &size);
        if (strncmp(name, "devices/", 8) != 0)
            continue;
        check_follows("platform", text, size);
        count++;
    }
    CU_ASSERT_TRUE(count >= 5);
}

static void test_a_calibrated_platform_follows_its_schema(void)
{
    dv_machine machine;
    dv_text text = {0};
    CU_ASSERT_EQUAL_FATAL(dv_machine_guess("host", &machine), DV_OK);
    machine.devices[0].rows[DV_KERNELS_FLOATS].op_known[DV_OP_GELU] = true;
    machine.devices[0].rows[DV_KERNELS_FLOATS].op[DV_OP_GELU] = (dv_fit){1, INFINITY, 1, 1};
    static const dv_family needed[] = {DV_FAMILY_CONV, DV_FAMILY_ELEMENTWISE};
    for (int i = 0; i < 2; i++) {
        dv_machine_rows *rows = &machine.devices[0].rows[DV_KERNELS_INTEGERS];
        rows->family_known[needed[i]] = true;
        rows->family[needed[i]] = (dv_fit){1, 20, 1, 1};
    }
    CU_ASSERT_EQUAL(dv_machine_write(&machine, &text), DV_OK);
    check_follows("platform", dv_text_string(&text), text.length);
    dv_text_free(&text);
}

static void test_problems_and_plans_follow_their_schemas(void)
{
    dv_graph *graph = cost_example_graph();
    dv_platform *platform = cost_example_platform();
    dv_problem *problem = NULL;
    dv_plan *plan = NULL;
    dv_text text = {0}, written = {0};
    CU_ASSERT_EQUAL_FATAL(dv_problem_build(graph, platform, dv_cost_model_at(0), &problem), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_plan_create(problem, &plan), DV_OK);
    CU_ASSERT_EQUAL(dv_problem_write(problem, &text), DV_OK);
    check_follows("problem", dv_text_string(&text), text.length);
    CU_ASSERT_EQUAL(dv_plan_write(problem, plan, graph, platform, &written), DV_OK);
    check_follows("plan", dv_text_string(&written), written.length);
    dv_text_free(&text);
    dv_text_free(&written);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
    dv_platform_destroy(platform);
    dv_graph_destroy(graph);
}

static void test_graphs_follow_their_schema(void)
{
    dv_graph *graph = cost_example_graph();
    dv_text text = {0};
    CU_ASSERT_EQUAL(dv_graph_write_json(graph, &text), DV_OK);
    check_follows("graph", dv_text_string(&text), text.length);
    dv_text_free(&text);
    dv_graph_destroy(graph);
}

static void test_traces_follow_their_schema(void)
{
    dv_trace *trace = dv_trace_create("predicted");
    CU_ASSERT_PTR_NOT_NULL_FATAL(trace);
    uint32_t cpu = dv_trace_resource(trace, "cpu");
    CU_ASSERT_EQUAL(dv_trace_add(trace, (dv_event){DV_EVENT_COMPUTE, cpu, 0, 0, 0.5, 2.25}), DV_OK);
    dv_text text = {0};
    dv_trace_finish(trace);
    CU_ASSERT_EQUAL(dv_trace_write(trace, NULL, NULL, &text), DV_OK);
    check_follows("trace", dv_text_string(&text), text.length);
    dv_text_free(&text);
    dv_trace_destroy(trace);
}

/* Whether divvy itself takes an example; plans and traces need what they are about. */
static void check_read(const char *noun, const char *text, size_t size)
{
    dv_status status = DV_OK;
    if (strcmp(noun, "platform") == 0) {
        dv_platform *platform = NULL;
        status = dv_platform_parse("formats.md", text, size, &platform);
        dv_platform_destroy(platform);
    } else if (strcmp(noun, "problem") == 0) {
        dv_problem *problem = NULL;
        status = dv_problem_parse("formats.md", text, size, &problem);
        dv_problem_destroy(problem);
    } else if (strcmp(noun, "graph") == 0) {
        char path[4096];
        dv_graph *graph = NULL;
        snprintf(path, sizeof path, "%s/example.json", dv_test_folder());
        status = dv_file_write(path, text, size);
        if (status == DV_OK)
            status = dv_load(path, NULL, &graph);
        dv_graph_destroy(graph);
    }
    if (status != DV_OK)
        fprintf(stderr, "%s\n", dv_message());
    CU_ASSERT_EQUAL(status, DV_OK);
}

static void test_examples_of_the_manual_are_right(void)
{
    char path[4096];
    dv_buffer *buffer = NULL;
    snprintf(path, sizeof path, "%s/doc/formats.md", dv_source_root());
    CU_ASSERT_EQUAL_FATAL(dv_buffer_map(path, &buffer), DV_OK);
    dv_text text = {0};
    dv_text_append_n(&text, (const char *)dv_buffer_data(buffer), dv_buffer_size(buffer));
    dv_buffer_release(buffer);
    int count = 0;
    for (const char *at = dv_text_string(&text); (at = strstr(at, "```json\n")) != NULL; count++) {
        at += strlen("```json\n");
        const char *end = strstr(at, "```"), *noun = strstr(at, "\"divvy\": \"");
        CU_ASSERT_FATAL(end && noun && noun < end);
        char name[32];
        CU_ASSERT_EQUAL_FATAL(sscanf(noun, "\"divvy\": \"%31[a-z]", name), 1);
        check_follows(name, at, (size_t)(end - at));
        check_read(name, at, (size_t)(end - at));
        at = end + 3;
    }
    CU_ASSERT_EQUAL(count, 5);
    dv_text_free(&text);
}

DV_SUITE(formats, DV_TEST(test_the_validator_tells_right_from_wrong),
         DV_TEST(test_platforms_compiled_in_follow_their_schema),
         DV_TEST(test_a_calibrated_platform_follows_its_schema),
         DV_TEST(test_problems_and_plans_follow_their_schemas),
         DV_TEST(test_graphs_follow_their_schema), DV_TEST(test_traces_follow_their_schema),
         DV_TEST(test_examples_of_the_manual_are_right));
