/* trace.c - events on a timeline, and their JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/trace.h"

const char *dv_event_kind_name(dv_event_kind kind)
{
    static const char *const names[] = {"compute", "move", "switch", "session", "wait"};
    return (unsigned)kind < DV_EVENT_KIND_COUNT ? names[kind] : "?";
}

dv_trace *dv_trace_create(const char *title)
{
    dv_trace *trace = calloc(1, sizeof *trace);
    if (!trace)
        return NULL;
    trace->title = strdup(title);
    if (!trace->title) {
        free(trace);
        return NULL;
    }
    return trace;
}

void dv_trace_destroy(dv_trace *trace)
{
    if (!trace)
        return;
    for (uint32_t i = 0; i < trace->resource_count; i++)
        free(trace->resource_name[i]);
    free(trace->resource_name);
    free(trace->events);
    free(trace->title);
    free(trace);
}

uint32_t dv_trace_resource(dv_trace *trace, const char *name)
{
    for (uint32_t i = 0; i < trace->resource_count; i++)
        if (strcmp(trace->resource_name[i], name) == 0)
            return i;
    /* few resources: growing one by one is fine */
    char **names = realloc(trace->resource_name, (trace->resource_count + 1) * sizeof *names);
    if (!names)
        return UINT32_MAX;
    trace->resource_name = names;
    names[trace->resource_count] = strdup(name);
    return names[trace->resource_count] ? trace->resource_count++ : UINT32_MAX;
}

dv_status dv_trace_add(dv_trace *trace, dv_event event)
{
    if (event.resource >= trace->resource_count)
        return dv_fail(DV_INTERNAL, "trace: an event on resource %u of %u", event.resource,
                       trace->resource_count);
    if (!dv_grow((void **)&trace->events, &trace->event_capacity, trace->event_count + 1,
                 sizeof *trace->events))
        return dv_fail(DV_NO_MEMORY, "trace: out of memory");
    trace->events[trace->event_count++] = event;
    return DV_OK;
}

/* By start; a tie is broken by the end and then by kind and item, so that the order is one. */
static int compare_events(const void *a, const void *b)
{
    const dv_event *x = a, *y = b;
    if (x->start_us != y->start_us)
        return x->start_us < y->start_us ? -1 : 1;
    if (x->end_us != y->end_us)
        return x->end_us < y->end_us ? -1 : 1;
    if (x->resource != y->resource)
        return x->resource < y->resource ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

void dv_trace_finish(dv_trace *trace)
{
    if (trace->event_count)
        qsort(trace->events, trace->event_count, sizeof *trace->events, compare_events);
    trace->latency_us = 0.0;
    for (size_t i = 0; i < trace->event_count; i++)
        if (trace->events[i].end_us > trace->latency_us)
            trace->latency_us = trace->events[i].end_us;
}

double dv_trace_busy_us(const dv_trace *trace, uint32_t resource)
{
    double busy = 0.0;
    for (size_t i = 0; i < trace->event_count; i++) {
        const dv_event *event = &trace->events[i];
        if (event->resource == resource && event->kind != DV_EVENT_WAIT)
            busy += event->end_us - event->start_us;
    }
    return busy;
}

static const char *name_event(const dv_event *event, dv_event_namer namer, void *context,
                              char text[256])
{
    if (namer)
        return namer(context, event, text, 256);
    snprintf(text, 256, "%s %u", dv_event_kind_name(event->kind), event->item);
    return text;
}

static dv_status check_text(const dv_text *out)
{
    return out->failed ? dv_fail(DV_NO_MEMORY, "trace: out of memory") : DV_OK;
}

dv_status dv_trace_write(const dv_trace *trace, dv_event_namer namer, void *context, dv_text *out)
{
    dv_json_writer w = dv_json_writer_on(out);
    dv_json_begin_object(&w, NULL);
    dv_json_put_string(&w, "divvy", "trace/1");
    dv_json_put_string(&w, "title", trace->title);
    dv_json_put_number(&w, "latency_us", trace->latency_us);
    dv_json_begin_line(&w, "resources", '[');
    for (uint32_t i = 0; i < trace->resource_count; i++)
        dv_json_put_string(&w, NULL, trace->resource_name[i]);
    dv_json_end(&w, ']');
    dv_json_begin_array(&w, "events");
    for (size_t i = 0; i < trace->event_count; i++) {
        const dv_event *event = &trace->events[i];
        char text[256];
        dv_json_begin_line(&w, NULL, '{');
        dv_json_put_string(&w, "kind", dv_event_kind_name(event->kind));
        dv_json_put_string(&w, "name", name_event(event, namer, context, text));
        dv_json_put_integer(&w, "resource", event->resource);
        dv_json_put_integer(&w, "item", event->item);
        if (event->segment != UINT32_MAX)
            dv_json_put_integer(&w, "segment", event->segment);
        dv_json_put_number(&w, "start_us", event->start_us);
        dv_json_put_number(&w, "end_us", event->end_us);
        dv_json_end(&w, '}');
    }
    dv_json_end(&w, ']');
    dv_json_end(&w, '}');
    return check_text(out);
}

/* Trace Event Format: metadata rows name the process (trace) and its threads (resources). */
static void put_chrome_name(dv_json_writer *w, const char *what, size_t process, uint32_t thread,
                            const char *name)
{
    dv_json_begin_line(w, NULL, '{');
    dv_json_put_string(w, "ph", "M");
    dv_json_put_string(w, "name", what);
    dv_json_put_integer(w, "pid", (int64_t)process);
    dv_json_put_integer(w, "tid", thread);
    dv_json_begin_line(w, "args", '{');
    dv_json_put_string(w, "name", name);
    dv_json_end(w, '}');
    dv_json_end(w, '}');
}

static void put_chrome_event(dv_json_writer *w, size_t process, const dv_event *event,
                             dv_event_namer namer, void *context)
{
    char text[256];
    dv_json_begin_line(w, NULL, '{');
    dv_json_put_string(w, "ph", "X");
    dv_json_put_string(w, "name", name_event(event, namer, context, text));
    dv_json_put_string(w, "cat", dv_event_kind_name(event->kind));
    dv_json_put_integer(w, "pid", (int64_t)process);
    dv_json_put_integer(w, "tid", event->resource + 1);
    dv_json_put_number(w, "ts", event->start_us);
    dv_json_put_number(w, "dur", event->end_us - event->start_us);
    dv_json_begin_line(w, "args", '{');
    dv_json_put_integer(w, "item", event->item);
    if (event->segment != UINT32_MAX)
        dv_json_put_integer(w, "segment", event->segment);
    dv_json_end(w, '}');
    dv_json_end(w, '}');
}

dv_status dv_trace_write_chrome(const dv_trace *const *traces, size_t count, dv_event_namer namer,
                                void *context, dv_text *out)
{
    dv_json_writer w = dv_json_writer_on(out);
    dv_json_begin_object(&w, NULL);
    dv_json_put_string(&w, "displayTimeUnit", "ms");
    dv_json_begin_array(&w, "traceEvents");
    for (size_t i = 0; i < count; i++) {
        const dv_trace *trace = traces[i];
        put_chrome_name(&w, "process_name", i + 1, 0, trace->title);
        for (uint32_t r = 0; r < trace->resource_count; r++)
            put_chrome_name(&w, "thread_name", i + 1, r + 1, trace->resource_name[r]);
        for (size_t e = 0; e < trace->event_count; e++)
            put_chrome_event(&w, i + 1, &trace->events[e], namer, context);
    }
    dv_json_end(&w, ']');
    dv_json_end(&w, '}');
    return check_text(out);
}
