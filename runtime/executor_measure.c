/* executor_measure.c - repeats runs of several plans in turn, so that what disturbs the machine
   disturbs them alike, and sums up. */
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "runtime/executor_parts.h"

enum { WARM_UP_LEAST = 3, WARM_UP_MOST = 12, RUNS_LEAST = 5, RUNS_MOST = 10000, PROFILE_RUNS = 5 };

/* A warm-up ends when a run takes no more than this share off the one before. */
static const double stable_share = 0.05;

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "no memory for measurements");
}

/* ---- order statistics ---- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear interpolation between order statistics (Hyndman and Fan 1996, definition 7). */
static double quantile(const double *sorted, uint32_t count, double share)
{
    double at = share * (count - 1);
    uint32_t below = (uint32_t)at;
    if (below + 1 >= count)
        return sorted[count - 1];
    return sorted[below] + (at - below) * (sorted[below + 1] - sorted[below]);
}

/* Sorts values. */
static dv_measured summarise(double *values, uint32_t count)
{
    qsort(values, count, sizeof *values, ascending);
    return (dv_measured){.median = quantile(values, count, 0.5),
                         .q1 = quantile(values, count, 0.25),
                         .q3 = quantile(values, count, 0.75),
                         .least = values[0],
                         .runs = count};
}

/* ---- all runs of one executor ---- */

typedef struct record {
    uint32_t runs, capacity, segment_count, move_count;
    uint64_t (*total)[2];
    uint64_t (*segments)[4]; /* [run * segment_count + segment] */
    uint64_t (*moves)[2];
} record;

static void free_record(record *r)
{
    free(r->total);
    free(r->segments);
    free(r->moves);
}

static bool resize(void *rows, size_t count, size_t size)
{
    void **place = rows;
    size_t bytes = 0;
    void *grown = dv_mul_size(count + 1, size, &bytes) ? realloc(*place, bytes) : NULL;
    if (grown)
        *place = grown;
    return grown != NULL;
}

static dv_status keep(record *r, const dv_executor *executor)
{
    const executor_stamps *stamps = &executor->stamps;
    r->segment_count = executor->segment_count;
    r->move_count = executor->move_count;
    if (r->runs == r->capacity) {
        size_t capacity = r->capacity ? (size_t)r->capacity * 2 : 32;
        if (!resize(&r->total, capacity, sizeof *r->total) ||
            !resize(&r->segments, capacity * r->segment_count, sizeof *r->segments) ||
            !resize(&r->moves, capacity * r->move_count, sizeof *r->moves))
            return no_memory();
        r->capacity = (uint32_t)capacity;
    }
    size_t run = r->runs++;
    r->total[run][0] = stamps->begin;
    r->total[run][1] = stamps->end;
    memcpy(r->segments + run * r->segment_count, stamps->segments,
           r->segment_count * sizeof *r->segments);
    memcpy(r->moves + run * r->move_count, stamps->moves, r->move_count * sizeof *r->moves);
    return DV_OK;
}

static double span_us(uint64_t begin, uint64_t end)
{
    return (double)(end - begin) * 1e-3;
}

static double total_us(const record *r, uint32_t run)
{
    return span_us(r->total[run][0], r->total[run][1]);
}

/* ---- running ---- */

static dv_status warm_up(dv_executor *executor, const dv_progress *progress)
{
    double before = INFINITY;
    for (int run = 0; run < WARM_UP_MOST; run++) {
        if (dv_progress_stopped(progress))
            return dv_fail(DV_INTERRUPTED, "stopped while warming up");
        DV_TRY(dv_executor_run_once(executor, false));
        double now = span_us(executor->stamps.begin, executor->stamps.end);
        if (run + 1 >= WARM_UP_LEAST && now >= before * (1 - stable_share))
            break;
        before = now;
    }
    return DV_OK;
}

static dv_status run_in_turn(dv_executor *const *executors, size_t count, uint32_t runs,
                             double seconds, const dv_progress *progress, record *records)
{
    if (runs > RUNS_MOST)
        runs = RUNS_MOST;
    if (runs < 1)
        runs = 1;
    double start = dv_clock_s();
    for (uint32_t run = 0; run < runs; run++) {
        double passed = dv_clock_s() - start;
        if (run >= RUNS_LEAST && passed >= seconds)
            break;
        dv_progress_step(progress, "measure", (double)run / runs);
        for (size_t e = 0; e < count; e++) {
            if (dv_progress_stopped(progress))
                return dv_fail(DV_INTERRUPTED, "stopped while measuring");
            DV_TRY(dv_executor_run_once(executors[e], false));
            DV_TRY(keep(&records[e], executors[e]));
        }
    }
    return DV_OK;
}

/* Adds one profiled run's time of every unit to samples[unit * PROFILE_RUNS + run]. */
static void add_unit_times(const dv_executor *executor, double *samples, int run)
{
    const dv_graph *graph = executor->graph;
    for (uint32_t s = 0; s < executor->segment_count; s++) {
        const executor_segment *segment = &executor->segments[s];
        uint64_t before = executor->stamps.segments[s][1];
        for (uint32_t i = 0; i < segment->spec.op_count; i++) {
            dv_unit_id unit = graph->unit_of[segment->ops[i]];
            samples[(size_t)unit * PROFILE_RUNS + (size_t)run] +=
                span_us(before, segment->op_end_ns[i]);
            before = segment->op_end_ns[i];
        }
    }
}

static dv_status profile(dv_executor *executor, double *unit_us, double *unit_least_us)
{
    uint32_t units = executor->graph->unit_count;
    double *samples = calloc((size_t)units * PROFILE_RUNS + 1, sizeof *samples);
    dv_status status = samples ? DV_OK : no_memory();
    for (int run = 0; status == DV_OK && run < PROFILE_RUNS; run++) {
        status = dv_executor_run_once(executor, true);
        if (status == DV_OK)
            add_unit_times(executor, samples, run);
    }
    for (uint32_t u = 0; status == DV_OK && u < units; u++) {
        dv_measured times = summarise(samples + (size_t)u * PROFILE_RUNS, PROFILE_RUNS);
        unit_us[u] = times.median;
        unit_least_us[u] = times.least;
    }
    free(samples);
    return status;
}

/* ---- the cores of workers ---- */

/* While measuring, this thread keeps off the cores that workers are pinned to: there its looking
   for a reply would hold up the very worker that should give it. */
static bool leave_worker_cores(dv_executor *const *executors, size_t count, cpu_set_t *before)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof *before, before) != 0)
        return false;
    set = *before;
    for (size_t e = 0; e < count; e++)
        for (uint32_t l = 0; l < executors[e]->lane_count; l++) {
            const executor_lane *lane = &executors[e]->lanes[l];
            if (lane->is_worker && lane->realisation->core >= 0 &&
                lane->realisation->core < CPU_SETSIZE)
                CPU_CLR((size_t)lane->realisation->core, &set);
        }
    return CPU_COUNT(&set) > 0 && !CPU_EQUAL(&set, before) &&
           sched_setaffinity(0, sizeof set, &set) == 0;
}

/* ---- results ---- */

static dv_status add_event(dv_trace *trace, dv_event_kind kind, uint32_t resource, uint32_t item,
                           uint32_t segment, double start_us, double end_us)
{
    return dv_trace_add(trace, (dv_event){.kind = kind,
                                          .resource = resource,
                                          .item = item,
                                          .segment = segment,
                                          .start_us = start_us,
                                          .end_us = end_us});
}

/* A segment's units, sharing its measured time in proportion to their profiled times. */
static dv_status trace_units(const dv_executor *executor, uint32_t index, const double *unit_us,
                             double start_us, double end_us, dv_trace *trace)
{
    const executor_segment *segment = &executor->segments[index];
    const dv_unit_id *order = executor->plan->order + segment->first_unit;
    double sum = 0.0, done = 0.0;
    for (uint32_t k = 0; k < segment->unit_count; k++)
        sum += unit_us[order[k]];
    for (uint32_t k = 0; k < segment->unit_count; k++) {
        double share = sum > 0 ? unit_us[order[k]] / sum : 1.0 / segment->unit_count;
        double from = start_us + done * (end_us - start_us);
        done += share;
        double to = k + 1 == segment->unit_count ? end_us : start_us + done * (end_us - start_us);
        DV_TRY(add_event(trace, DV_EVENT_COMPUTE, segment->lane, order[k], index, from, to));
    }
    return DV_OK;
}

static dv_status name_resources(const dv_executor *executor, dv_trace *trace, uint32_t *of_lane)
{
    const dv_problem *problem = executor->problem;
    for (dv_device_id d = 0; d < problem->device_count; d++) {
        uint32_t resource = dv_trace_resource(trace, problem->device_name[d]);
        if (resource == UINT32_MAX)
            return no_memory();
        for (uint32_t l = 0; l < executor->lane_count; l++)
            if (executor->lanes[l].device == d)
                of_lane[l] = resource;
    }
    return DV_OK;
}

static dv_status trace_segment(const dv_executor *executor, uint32_t index,
                               const uint64_t stamps[4], uint64_t origin, const double *unit_us,
                               uint32_t resource, dv_trace *trace)
{
    double called = span_us(origin, stamps[0]), begun = span_us(origin, stamps[1]);
    double ended = span_us(origin, stamps[2]), returned = span_us(origin, stamps[3]);
    size_t first = trace->event_count;
    if (begun > called)
        DV_TRY(add_event(trace, DV_EVENT_SWITCH, resource, index, index, called, begun));
    DV_TRY(trace_units(executor, index, unit_us, begun, ended, trace));
    if (returned > ended)
        DV_TRY(add_event(trace, DV_EVENT_SWITCH, resource, index, index, ended, returned));
    for (size_t i = first; i < trace->event_count; i++)
        trace->events[i].resource = resource;
    return DV_OK;
}

static dv_status trace_move(const dv_executor *executor, uint32_t index, const uint64_t stamps[2],
                            uint64_t origin, uint32_t segment, dv_trace *trace)
{
    const executor_move *move = &executor->moves[index];
    char name[512];
    snprintf(name, sizeof name, "%s > %s", executor->lanes[move->from_lane].name,
             executor->lanes[move->to_lane].name);
    uint32_t resource = dv_trace_resource(trace, name);
    if (resource == UINT32_MAX)
        return no_memory();
    return add_event(trace, DV_EVENT_MOVE, resource, move->problem_tensor, segment,
                     span_us(origin, stamps[0]), span_us(origin, stamps[1]));
}

static dv_status make_trace(const dv_executor *executor, const record *r, uint32_t run,
                            const double *unit_us, dv_trace **out)
{
    uint64_t origin = r->total[run][0];
    dv_trace *trace = dv_trace_create("measured");
    uint32_t *resource = calloc((size_t)executor->lane_count + 1, sizeof *resource);
    dv_status status = trace && resource ? name_resources(executor, trace, resource) : no_memory();
    const uint64_t(*segments)[4] =
        (const uint64_t(*)[4])(r->segments + (size_t)run * r->segment_count);
    const uint64_t(*moves)[2] = (const uint64_t(*)[2])(r->moves + (size_t)run * r->move_count);
    for (uint32_t s = 0; status == DV_OK && s < r->segment_count; s++) {
        const executor_segment *segment = &executor->segments[s];
        for (uint32_t m = 0; status == DV_OK && m < segment->move_count; m++)
            status = trace_move(executor, segment->first_move + m, moves[segment->first_move + m],
                                origin, s, trace);
        if (status == DV_OK)
            status = trace_segment(executor, s, segments[s], origin, unit_us,
                                   resource[segment->lane], trace);
    }
    uint32_t home = 0;
    if (r->segment_count > 0) {
        const executor_segment *last = &executor->segments[r->segment_count - 1];
        home = last->first_move + last->move_count;
    }
    for (uint32_t m = home; status == DV_OK && m < r->move_count; m++)
        status = trace_move(executor, m, moves[m], origin, UINT32_MAX, trace);
    free(resource);
    if (status != DV_OK) {
        dv_trace_destroy(trace);
        return status;
    }
    dv_trace_finish(trace);
    trace->latency_us = span_us(origin, r->total[run][1]);
    *out = trace;
    return DV_OK;
}

static dv_status sum_up(dv_executor *executor, const record *r, dv_measurement *out)
{
    out->segment_count = r->segment_count;
    out->move_count = r->move_count;
    out->segments = calloc((size_t)r->segment_count + 1, sizeof *out->segments);
    out->moves = calloc((size_t)r->move_count + 1, sizeof *out->moves);
    size_t units = executor->graph->unit_count;
    out->unit_us = calloc(units + 1, sizeof *out->unit_us);
    out->unit_least_us = calloc(units + 1, sizeof *out->unit_least_us);
    double *values = calloc((size_t)r->runs + 1, sizeof *values);
    if (!out->segments || !out->moves || !out->unit_us || !out->unit_least_us || !values) {
        free(values);
        return no_memory();
    }
    for (uint32_t s = 0; s < r->segment_count; s++) {
        for (uint32_t run = 0; run < r->runs; run++) {
            const uint64_t *stamps = r->segments[(size_t)run * r->segment_count + s];
            values[run] = span_us(stamps[0], stamps[3]);
        }
        out->segments[s] = summarise(values, r->runs);
    }
    for (uint32_t m = 0; m < r->move_count; m++) {
        const executor_move *move = &executor->moves[m];
        for (uint32_t run = 0; run < r->runs; run++) {
            const uint64_t *stamps = r->moves[(size_t)run * r->move_count + m];
            values[run] = span_us(stamps[0], stamps[1]);
        }
        out->moves[m] = (struct dv_move){.tensor = move->problem_tensor,
                                         .from = move->from,
                                         .to = move->to,
                                         .bytes = (double)move->bytes,
                                         .time = summarise(values, r->runs)};
    }
    for (uint32_t run = 0; run < r->runs; run++)
        values[run] = total_us(r, run);
    out->total = summarise(values, r->runs);
    free(values);
    uint32_t nearest = 0;
    for (uint32_t run = 1; run < r->runs; run++)
        if (fabs(total_us(r, run) - out->total.median) <
            fabs(total_us(r, nearest) - out->total.median))
            nearest = run;
    DV_TRY(profile(executor, out->unit_us, out->unit_least_us));
    return make_trace(executor, r, nearest, out->unit_us, &out->trace);
}

dv_status dv_executor_measure(dv_executor *const *executors, size_t count, uint32_t runs,
                              double seconds, const dv_progress *progress,
                              dv_measurement *measurements)
{
    cpu_set_t before;
    memset(measurements, 0, count * sizeof *measurements);
    record *records = calloc(count + 1, sizeof *records);
    dv_status status = records ? DV_OK : no_memory();
    bool left = leave_worker_cores(executors, count, &before);
    for (size_t e = 0; status == DV_OK && e < count; e++)
        status = warm_up(executors[e], progress);
    if (status == DV_OK)
        status = run_in_turn(executors, count, runs, seconds, progress, records);
    for (size_t e = 0; status == DV_OK && e < count; e++)
        status = sum_up(executors[e], &records[e], &measurements[e]);
    if (left)
        sched_setaffinity(0, sizeof before, &before);
    for (size_t e = 0; records && e < count; e++)
        free_record(&records[e]);
    free(records);
    for (size_t e = 0; status != DV_OK && e < count; e++)
        dv_measurement_free(&measurements[e]);
    return status;
}

void dv_measurement_free(dv_measurement *measurement)
{
    free(measurement->segments);
    free(measurement->moves);
    free(measurement->unit_us);
    free(measurement->unit_least_us);
    dv_trace_destroy(measurement->trace);
    *measurement = (dv_measurement){0};
}
