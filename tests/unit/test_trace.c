/* test_trace.c - timelines: order, sums, and the JSON that Perfetto opens. */
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/trace.h"
#include "tests/suite.h"

static dv_trace *example(void)
{
    dv_trace *trace = dv_trace_create("measured");
    CU_ASSERT_PTR_NOT_NULL_FATAL(trace);
    uint32_t cpu = dv_trace_resource(trace, "cpu"), link = dv_trace_resource(trace, "cpu > npu");
    CU_ASSERT_EQUAL(dv_trace_resource(trace, "cpu"), cpu);
    dv_status status =
        dv_trace_add(trace, (dv_event){DV_EVENT_MOVE, link, 4, UINT32_MAX, 12.5, 20.0});
    CU_ASSERT_EQUAL(status, DV_OK);
    status = dv_trace_add(trace, (dv_event){DV_EVENT_COMPUTE, cpu, 1, 0, 2.0, 12.5});
    CU_ASSERT_EQUAL(status, DV_OK);
    status = dv_trace_add(trace, (dv_event){DV_EVENT_SWITCH, cpu, 0, 0, 0.0, 2.0});
    CU_ASSERT_EQUAL(status, DV_OK);
    status = dv_trace_add(trace, (dv_event){DV_EVENT_WAIT, cpu, 0, UINT32_MAX, 12.5, 15.0});
    CU_ASSERT_EQUAL(status, DV_OK);
    dv_trace_finish(trace);
    return trace;
}

static void test_events_come_in_order_of_start(void)
{
    dv_trace *trace = example();
    for (size_t i = 1; i < trace->event_count; i++)
        CU_ASSERT_TRUE(trace->events[i - 1].start_us <= trace->events[i].start_us);
    CU_ASSERT_EQUAL(trace->latency_us, 20.0);
    dv_trace_destroy(trace);
}

static void test_waiting_is_not_busy(void)
{
    dv_trace *trace = example();
    CU_ASSERT_EQUAL(dv_trace_busy_us(trace, 0), 12.5);
    CU_ASSERT_EQUAL(dv_trace_busy_us(trace, 1), 7.5);
    dv_trace_destroy(trace);
}

static void test_an_event_without_its_resource_is_refused(void)
{
    dv_trace *trace = example();
    dv_status status = dv_trace_add(trace, (dv_event){.resource = 9});
    CU_ASSERT_EQUAL(status, DV_INTERNAL);
    CU_ASSERT_EQUAL(trace->event_count, 4);
    dv_trace_destroy(trace);
}

static const char *namer(void *context, const dv_event *event, char *text, size_t size)
{
    snprintf(text, size, "%s \"%u\"", (const char *)context, event->item);
    return text;
}

static void test_chrome_events_have_what_perfetto_needs(void)
{
    dv_trace *trace = example();
    const dv_trace *both[] = {trace, trace};
    dv_text text = {0};
    CU_ASSERT_EQUAL(dv_trace_write_chrome(both, 2, namer, "op", &text), DV_OK);
    dv_json *json = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_json_parse("trace.json", dv_text_string(&text), text.length, &json),
                          DV_OK);
    dv_json_at root = dv_json_root(json, "trace.json");
    dv_json_at events = dv_json_member(&root, "traceEvents");
    CU_ASSERT_EQUAL(dv_json_count(&events), 2 * (1 + 2 + 4));
    int complete = 0;
    for (dv_json_at e = dv_json_first(&events); e.node; e = dv_json_next(&e)) {
        dv_json_at phase = dv_json_member(&e, "ph"), pid = dv_json_member(&e, "pid");
        dv_json_at name = dv_json_member(&e, "name"), duration = dv_json_member(&e, "dur");
        const char *ph = NULL, *text_of = NULL;
        int64_t process;
        double us = -1;
        CU_ASSERT_EQUAL(dv_json_string(&phase, &ph), DV_OK);
        CU_ASSERT_EQUAL(dv_json_integer(&pid, 1, 2, &process), DV_OK);
        CU_ASSERT_EQUAL(dv_json_string(&name, &text_of), DV_OK);
        if (ph && ph[0] == 'X') {
            complete++;
            CU_ASSERT_EQUAL(dv_json_number(&duration, &us), DV_OK);
            CU_ASSERT_TRUE(us >= 0.0);
            CU_ASSERT_PTR_NOT_NULL(strstr(text_of, "op \""));
        }
    }
    CU_ASSERT_EQUAL(complete, 8);
    dv_json_destroy(json);
    dv_text_free(&text);
    dv_trace_destroy(trace);
}

DV_SUITE(core_trace, DV_TEST(test_events_come_in_order_of_start), DV_TEST(test_waiting_is_not_busy),
         DV_TEST(test_an_event_without_its_resource_is_refused),
         DV_TEST(test_chrome_events_have_what_perfetto_needs));
