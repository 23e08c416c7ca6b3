/* test_heft.c - the example of the paper, figure 2 and table 2, as far as its schedule shows in a
   placement. */
#include <stdio.h>
#include <string.h>

#include "tests/problem_text.h"
#include "tests/suite.h"

/* The mean communication costs of figure 2 are those of its edges, so each is a tensor of that many
   bytes; problem_text makes all tensors alike, hence the sizes are set here. */
static dv_problem *paper_problem(void)
{
    static const uint32_t edges[][3] = {{1, 2, 18},  {1, 3, 12},  {1, 4, 9},  {1, 5, 11},
                                        {1, 6, 14},  {2, 8, 19},  {2, 9, 16}, {3, 7, 23},
                                        {4, 8, 27},  {4, 9, 23},  {5, 9, 13}, {6, 8, 15},
                                        {7, 10, 17}, {8, 10, 11}, {9, 10, 13}};
    static const double times[10][3] = {{14, 16, 9},  {13, 19, 18}, {11, 13, 19}, {13, 8, 17},
                                        {12, 13, 10}, {13, 16, 9},  {7, 15, 11},  {5, 11, 14},
                                        {18, 12, 20}, {21, 7, 16}};
    enum { EDGES = sizeof edges / sizeof edges[0] };
    dv_problem *p = dv_problem_create();
    p->unit_count = 10;
    p->target_count = p->device_count = 3;
    p->tensor_count = EDGES;
    const char **names = dv_arena_array(p->arena, 10, sizeof *names);
    const char **tensors = dv_arena_array(p->arena, EDGES, sizeof *tensors);
    const char **places = dv_arena_array(p->arena, 3, sizeof *places);
    dv_device_id *device = dv_arena_array(p->arena, 3, sizeof *device);
    dv_unit_id *producer = dv_arena_array(p->arena, EDGES, sizeof *producer);
    uint32_t *start = dv_arena_array(p->arena, EDGES + 1, sizeof *start);
    dv_unit_id *consumers = dv_arena_array(p->arena, EDGES, sizeof *consumers);
    double *bytes = dv_arena_array(p->arena, 3 * EDGES, sizeof *bytes);
    double *per_byte = dv_arena_array(p->arena, 9, sizeof *per_byte);
    double *capacity = dv_arena_array(p->arena, 3, sizeof *capacity);
    for (uint32_t e = 0; e < EDGES; e++) {
        tensors[e] = dv_arena_printf(p->arena, "t%u", e);
        producer[e] = edges[e][0] - 1;
        consumers[e] = edges[e][1] - 1;
        start[e + 1] = e + 1;
        for (int a = 0; a < 3; a++)
            bytes[3 * e + (uint32_t)a] = edges[e][2];
    }
    for (uint32_t i = 0; i < 10; i++)
        names[i] = dv_arena_printf(p->arena, "n%u", i + 1);
    for (uint32_t a = 0; a < 3; a++) {
        places[a] = dv_arena_printf(p->arena, "p%u", a + 1);
        device[a] = a;
        capacity[a] = INFINITY;
    }
    for (int i = 0; i < 9; i++)
        per_byte[i] = 1.0;
    p->unit_name = names;
    p->tensor_name = tensors;
    p->target_name = p->device_name = places;
    p->device = device;
    p->time_us = &times[0][0];
    p->producer = producer;
    p->consumer_start = start;
    p->consumers = consumers;
    p->host_needs = dv_arena_array(p->arena, EDGES, sizeof *p->host_needs);
    p->bytes = bytes;
    p->move_latency_us = dv_arena_array(p->arena, 9, sizeof *p->move_latency_us);
    p->move_us_per_byte = per_byte;
    p->dispatch_us = dv_arena_array(p->arena, 3, sizeof *p->dispatch_us);
    p->session_us = dv_arena_array(p->arena, 3, sizeof *p->session_us);
    p->capacity_bytes = capacity;
    p->max_segments = UINT32_MAX;
    p->energy_budget_uj = p->loss_budget = INFINITY;
    CU_ASSERT_EQUAL_FATAL(dv_problem_finish(p), DV_OK);
    return p;
}

static void expect_targets(const char *strategy, const char *expected)
{
    dv_problem *problem = paper_problem();
    dv_plan *plan = solve_with(strategy, problem);
    char got[11] = {0};
    for (int u = 0; u < 10; u++)
        got[u] = (char)('1' + plan->target[u]);
    CU_ASSERT_STRING_EQUAL(got, expected);
    if (strcmp(got, expected) != 0)
        fprintf(stderr, "\n    %s: %s", strategy, got);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

/* Figure 3 (a): P1 runs n2 n8, P2 runs n4 n6 n9 n10, P3 runs n1 n3 n5 n7. */
static void heft_schedules_the_example_of_its_paper(void)
{
    expect_targets("heft", "3132323122");
}

DV_SUITE(solver_heft, DV_TEST(heft_schedules_the_example_of_its_paper));
