/* trace.h - what happened when: the simulator's prediction and the runtime's measurement alike. */
#ifndef DV_CORE_TRACE_H
#define DV_CORE_TRACE_H

#include "core/arena.h"
#include "core/text.h"

typedef enum dv_event_kind {
    DV_EVENT_COMPUTE, /* item: unit */
    DV_EVENT_MOVE,    /* item: tensor of the problem */
    DV_EVENT_SWITCH,  /* dispatch of a segment; item: segment */
    DV_EVENT_SESSION, /* item: device */
    DV_EVENT_WAIT,    /* idle until an input arrives */
    DV_EVENT_KIND_COUNT
} dv_event_kind;

const char *dv_event_kind_name(dv_event_kind kind);

typedef struct dv_event {
    dv_event_kind kind;
    uint32_t resource; /* row of the timeline */
    uint32_t item;
    uint32_t segment; /* UINT32_MAX if none */
    double start_us, end_us;
} dv_event;

typedef struct dv_trace {
    char *title; /* "predicted", "measured" */
    uint32_t resource_count;
    char **resource_name; /* devices first, then links "cpu > npu" */
    size_t event_count, event_capacity;
    dv_event *events; /* in order of start */
    double latency_us;
} dv_trace;

dv_trace *dv_trace_create(const char *title);
void dv_trace_destroy(dv_trace *trace);

/* The resource of that name, added if new. UINT32_MAX without memory. */
uint32_t dv_trace_resource(dv_trace *trace, const char *name);
DV_MUST_USE dv_status dv_trace_add(dv_trace *trace, dv_event event);

/* Sorts by start and sets latency_us to the last end. O(n log n). */
void dv_trace_finish(dv_trace *trace);

/* Busy microseconds of a resource (all kinds but WAIT). O(events). */
double dv_trace_busy_us(const dv_trace *trace, uint32_t resource);

/* How to name an event's item; context is the caller's. Returns text. */
typedef const char *(*dv_event_namer)(void *context, const dv_event *event, char *text,
                                      size_t size);

/* trace/1 JSON, and Chrome trace-event JSON that ui.perfetto.dev opens: one process a trace, one
   thread a resource, complete ("X") events in us with their bytes and items as args. */
DV_MUST_USE dv_status dv_trace_write(const dv_trace *trace, dv_event_namer namer, void *context,
                                     dv_text *out);
DV_MUST_USE dv_status dv_trace_write_chrome(const dv_trace *const *traces, size_t count,
                                            dv_event_namer namer, void *context, dv_text *out);

#endif
