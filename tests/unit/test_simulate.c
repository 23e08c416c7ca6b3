/* test_simulate.c - timelines that can be drawn by hand. */
#include "sim/simulate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/problem_text.h"
#include "tests/suite.h"

enum { CPU, NPU };

static const char TEXT[] = "move 3\ndispatch 1 5\nsession 0 20\n"
                           "a 10 9\nb 9 2 < a\nc 9 2 < b\nd 4 9 < a\ne 6 9 < c d\n";
static const dv_target_id PLACED[] = {CPU, NPU, NPU, CPU, CPU};

static dv_trace *trace_of(dv_executor_model executor, uint32_t inferences)
{
    dv_problem *problem = problem_of("cpu npu", TEXT);
    dv_plan *plan = NULL;
    dv_trace *trace = NULL;
    if (dv_plan_create(problem, &plan) != DV_OK)
        abort();
    memcpy(plan->target, PLACED, sizeof PLACED);
    dv_simulate_options options = {executor, inferences};
    CU_ASSERT_EQUAL_FATAL(dv_simulate(problem, plan, &options, &trace), DV_OK);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
    return trace;
}

static const dv_event *event_of(const dv_trace *trace, dv_event_kind kind, uint32_t item)
{
    for (size_t i = 0; i < trace->event_count; i++)
        if (trace->events[i].kind == kind && trace->events[i].item == item)
            return &trace->events[i];
    CU_FAIL_FATAL("no such event");
    return NULL;
}

static bool lies(const dv_event *event, double start_us, double end_us)
{
    return event->start_us == start_us && event->end_us == end_us;
}

static void one_thing_at_a_time(void)
{
    dv_trace *trace = trace_of(DV_EXECUTOR_SEQUENTIAL, 1);
    /* cpu 1 + 10 | move 3 | npu 20 + 5 + 2 + 2 | move 3 | cpu 1 + 4 + 6 */
    CU_ASSERT_DOUBLE_EQUAL(trace->latency_us, 57, 1e-12);
    CU_ASSERT_TRUE(lies(event_of(trace, DV_EVENT_COMPUTE, 0), 1, 11));
    CU_ASSERT_TRUE(lies(event_of(trace, DV_EVENT_MOVE, 1), 11, 14));
    CU_ASSERT_TRUE(lies(event_of(trace, DV_EVENT_SESSION, 1), 14, 34));
    CU_ASSERT_TRUE(lies(event_of(trace, DV_EVENT_SWITCH, 1), 34, 39));
    CU_ASSERT_TRUE(lies(event_of(trace, DV_EVENT_COMPUTE, 2), 41, 43));
    CU_ASSERT_TRUE(lies(event_of(trace, DV_EVENT_COMPUTE, 4), 51, 57));
    CU_ASSERT_TRUE(lies(event_of(trace, DV_EVENT_WAIT, 2), 43, 46));
    CU_ASSERT_EQUAL(trace->resource_count, 4);
    CU_ASSERT_STRING_EQUAL(trace->resource_name[0], "cpu");
    CU_ASSERT_STRING_EQUAL(trace->resource_name[2], "cpu > npu");
    CU_ASSERT_STRING_EQUAL(trace->resource_name[3], "npu > cpu");
    CU_ASSERT_STRING_EQUAL(trace->title, "predicted");
    dv_trace_destroy(trace);
}

static void inferences_follow_each_other(void)
{
    dv_trace *trace = trace_of(DV_EXECUTOR_SEQUENTIAL, 3);
    CU_ASSERT_DOUBLE_EQUAL(trace->latency_us, 3 * 57, 1e-12);
    dv_trace_destroy(trace);
}

/* While the NPU works on one inference, the CPU begins the next. */
static void overlapped_inferences_fill_the_gaps(void)
{
    dv_trace *one = trace_of(DV_EXECUTOR_OVERLAPPED, 1);
    dv_trace *two = trace_of(DV_EXECUTOR_OVERLAPPED, 2);
    /* d at once behind a; npu 14 + 20 + 5 + 2 + 2 until 43; c is back at 46; e 46 + 6 */
    CU_ASSERT_DOUBLE_EQUAL(one->latency_us, 52, 1e-12);
    CU_ASSERT_TRUE(lies(event_of(one, DV_EVENT_COMPUTE, 3), 12, 16));
    CU_ASSERT_TRUE(lies(event_of(one, DV_EVENT_WAIT, 2), 16, 46));
    /* the NPU's second turn, ready at 30, starts at 43: 43 + 29 + 3 + 6 */
    CU_ASSERT_DOUBLE_EQUAL(two->latency_us, 81, 1e-12);
    dv_trace_destroy(one);
    dv_trace_destroy(two);
}

static void plans_that_cannot_run_are_refused(void)
{
    dv_problem *problem = problem_of("cpu npu", "a 1 -\nb 1 1\n");
    dv_plan *plan = NULL;
    dv_trace *trace = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_plan_create(problem, &plan), DV_OK);
    dv_simulate_options options = {DV_EXECUTOR_SEQUENTIAL, 0};
    CU_ASSERT_EQUAL(dv_simulate(problem, plan, &options, &trace), DV_BAD_PARAMETER);
    options.inferences = 1;
    plan->target[0] = NPU;
    CU_ASSERT_EQUAL(dv_simulate(problem, plan, &options, &trace), DV_BAD_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "'a'"));
    plan->target[0] = 9;
    CU_ASSERT_EQUAL(dv_simulate(problem, plan, &options, &trace), DV_BAD_INPUT);
    plan->target[0] = CPU;
    plan->target[1] = NPU;
    plan->order[0] = 1;
    plan->order[1] = 0;
    CU_ASSERT_EQUAL(dv_simulate(problem, plan, &options, &trace), DV_BAD_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "before"));
    CU_ASSERT_PTR_NULL(trace);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

DV_SUITE(sim_simulate, DV_TEST(one_thing_at_a_time), DV_TEST(inferences_follow_each_other),
         DV_TEST(overlapped_inferences_fill_the_gaps), DV_TEST(plans_that_cannot_run_are_refused));
