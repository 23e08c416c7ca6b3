/* test_problem_msr.c - instances of the device-placement paper become problems, and bad ones say
   what is wrong. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/problem.h"
#include "tests/suite.h"

/* Listed against the edges: node 7 reads what 3 makes; 9 runs on the CPU alone. */
static const char small[] =
    "{\"maxSizePerFPGA\": 100, \"maxFPGAs\": 2, \"maxCPUs\": 1, \"nodes\": [\n"
    " {\"id\": 7, \"supportedOnFpga\": 1, \"cpuLatency\": 20, \"fpgaLatency\": 2, \"size\": 30,\n"
    "  \"colorClass\": 4, \"isBackwardNode\": false},\n"
    " {\"id\": 3, \"supportedOnFpga\": true, \"cpuLatency\": 10, \"fpgaLatency\": 1,\n"
    "  \"name\": \"first\", \"colorClass\": 4},\n"
    " {\"id\": 9, \"supportedOnFpga\": 0, \"cpuLatency\": 5}],\n"
    " \"edges\": [{\"sourceId\": 3, \"destId\": 7, \"cost\": 0.5},\n"
    "           {\"sourceId\": 3, \"destId\": 9, \"cost\": 0.5},\n"
    "           {\"sourceId\": 7, \"destId\": 9, \"cost\": 0.25}]}";

static void an_instance_becomes_a_problem(void)
{
    dv_problem *p = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_problem_parse("a.json", small, strlen(small), &p), DV_OK);
    CU_ASSERT_EQUAL(p->unit_count, 3);
    CU_ASSERT_EQUAL(p->device_count, 3);
    CU_ASSERT_STRING_EQUAL(p->device_name[0], "cpu1");
    CU_ASSERT_STRING_EQUAL(p->device_name[2], "acc2");
    CU_ASSERT_STRING_EQUAL(p->unit_name[0], "first"); /* producers first */
    CU_ASSERT_STRING_EQUAL(p->unit_name[1], "node7");
    CU_ASSERT_EQUAL(dv_problem_time_us(p, 1, 0), 20);
    CU_ASSERT_EQUAL(dv_problem_time_us(p, 1, 2), 2);
    CU_ASSERT_TRUE(isinf(dv_problem_time_us(p, 2, 1)));
    CU_ASSERT_EQUAL(p->group[0], p->group[1]);
    CU_ASSERT_EQUAL(p->group[2], DV_NONE);
    CU_ASSERT_EQUAL(p->memory_bytes[1 * 3 + 1], 30);
    CU_ASSERT_EQUAL(p->memory_bytes[1 * 3 + 0], 0); /* CPUs have no limit */
    CU_ASSERT_EQUAL(p->capacity_bytes[1], 100);
    CU_ASSERT_TRUE(isinf(p->capacity_bytes[0]));
    CU_ASSERT_EQUAL(dv_problem_move_us(p, 0, 1, 0), 0.5);
    CU_ASSERT_EQUAL(dv_problem_move_us(p, 0, 0, 1), 0.5);
    CU_ASSERT_EQUAL(dv_problem_move_us(p, 0, 1, 2), 1.0); /* through the host's memory */
    CU_ASSERT_EQUAL(p->consumer_start[1], 2);
    dv_problem_destroy(p);
}

/* The instance with one piece of text replaced by another. */
static void expect_fault(const char *from, const char *to, const char *message)
{
    char text[sizeof small + 64];
    const char *at = strstr(small, from);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - small), small, to, at + strlen(from));
    dv_problem *p = NULL;
    CU_ASSERT_EQUAL(dv_problem_parse("a.json", text, strlen(text), &p), DV_BAD_INPUT);
    CU_ASSERT_PTR_NULL(p);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), message));
    if (!strstr(dv_message(), message))
        fprintf(stderr, "\n    %s\n", dv_message());
}

static void faults_are_named(void)
{
    expect_fault("\"destId\": 7", "\"destId\": 8", "there is no node 8");
    expect_fault("\"id\": 9", "\"id\": 3", "two nodes have the id 3");
    expect_fault("\"cpuLatency\": 10", "\"cpuLatency\": -1", "must not be negative");
    expect_fault("\"destId\": 7", "\"destId\": 3", "to itself");
    expect_fault("\"sourceId\": 3, \"destId\": 9", "\"sourceId\": 9, \"destId\": 3", "cycle");
    expect_fault("\"isBackwardNode\": false", "\"isBackwardNode\": true", "backward");
    expect_fault("\"maxFPGAs\": 2", "\"maxFPGAs\": -2", "maxFPGAs");
    expect_fault("\"supportedOnFpga\": 1", "\"supportedOnFpga\": 7", "supportedOnFpga");
    expect_fault("\"maxCPUs\": 1", "\"maxCPUs\": 0", "no target can run 1 unit");
}

DV_SUITE(core_problem_msr, DV_TEST(an_instance_becomes_a_problem), DV_TEST(faults_are_named));
