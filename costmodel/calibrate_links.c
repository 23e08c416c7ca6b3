/* calibrate_links.c - what calling a device costs, and handing tensors over. */
#include <math.h>
#include <stdlib.h>

#include "costmodel/calibrate_session.h"
#include "costmodel/probe.h"

enum { MIXED_RUNS = 4 };

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "calibrate: out of memory");
}

/* Short visits to the worker, far enough apart for it to fall asleep in between as it does in real
   plans. */
enum { VISIT_EVERY = 7 };

static dv_target_id visiting(dv_unit_id u, const void *context)
{
    (void)context;
    return u % VISIT_EVERY == VISIT_EVERY - 1 ? 1 : 0;
}

/* What a quiet machine usually shows: the least median of a few passes, but not much more than the
   least of all. */
static void keep_usual(dv_measured *kept, const dv_measured *again)
{
    kept->median = fmin(kept->median, fmin(again->median, 1.05 * again->least));
}

/* Segments keep their lower quartile: calls of a device have no least that is usual, as it may be
   awake or asleep. */
static dv_status measure_again(dv_session *s, dv_bench *b, uint32_t runs, dv_measurement *least)
{
    enum { PASSES = 3 };
    DV_TRY(dv_executor_measure(&b->executor, 1, runs, 0.0, s->options->progress, least));
    for (int pass = 1; pass < PASSES && !dv_session_in_a_hurry(s); pass++) {
        dv_measurement again;
        dv_status status =
            dv_executor_measure(&b->executor, 1, runs, 0.0, s->options->progress, &again);
        if (status != DV_OK) {
            dv_measurement_free(least);
            return status;
        }
        for (uint32_t k = 0; k < least->segment_count; k++)
            least->segments[k].q1 = fmin(least->segments[k].q1, again.segments[k].q1);
        for (uint32_t m = 0; m < least->move_count; m++)
            keep_usual(&least->moves[m].time, &again.moves[m].time);
        dv_measurement_free(&again);
    }
    return DV_OK;
}

static void keep_moves(dv_session *s, const dv_measurement *measured)
{
    for (uint32_t m = 0; m < measured->move_count; m++) {
        const struct dv_move *move = &measured->moves[m];
        bool to = move->to == 1;
        size_t *count = to ? &s->to_count : &s->from_count;
        dv_sample *list = to ? s->to_moves : s->from_moves;
        if (move->time.median > 0.0 && *count < DV_MOST_MOVES)
            list[(*count)++] =
                (dv_sample){.activation_bytes = move->bytes, .measured_us = move->time.median};
    }
}

/* What segments took beyond their units, per device. */
typedef struct extras {
    double *us[2];
    size_t count[2], capacity[2];
} extras;

/* Segments longer than this tell more of the machine's restlessness than of a call. */
static const double short_segment_us = 500.0;

static dv_status keep_extras(const dv_session *s, size_t probe, const dv_bench *b,
                             const dv_measurement *measured, extras *to)
{
    dv_segment *segments = NULL;
    uint32_t count = 0;
    dv_status status = dv_plan_segments(b->problem, b->plan, &segments, &count);
    for (uint32_t k = 0; status == DV_OK && k < count; k++) {
        dv_device_id d = segments[k].device;
        double units = 0.0;
        for (uint32_t j = 0; j < segments[k].count; j++)
            units += s->unit_us[d][probe][b->plan->order[segments[k].first + j]];
        if (units > short_segment_us)
            continue;
        if (!dv_grow((void **)&to->us[d], &to->capacity[d], to->count[d] + 1, sizeof(double)))
            status = no_memory();
        else
            to->us[d][to->count[d]++] = measured->segments[k].q1 - units;
    }
    free(segments);
    return status;
}

static dv_status visit_probe(dv_session *s, size_t probe, extras *to)
{
    dv_bench b = {0};
    dv_measurement measured = {0};
    dv_progress_step(s->options->progress, "measure hand-overs",
                     1.0 - (double)(probe + 1) / (double)s->probe_count);
    dv_status status = dv_session_check_stop(s);
    if (status == DV_OK)
        status = dv_bench_open(s, s->graphs[probe], visiting, NULL, &b);
    if (status == DV_OK)
        status = measure_again(s, &b, MIXED_RUNS, &measured);
    if (status == DV_OK) {
        keep_moves(s, &measured);
        status = keep_extras(s, probe, &b, &measured, to);
        dv_measurement_free(&measured);
    }
    dv_bench_close(&b);
    return status;
}

/* Segments of plans that change devices; the median over them is the device's dispatch. */
static dv_status measure_visits(dv_session *s)
{
    extras all = {0};
    dv_status status = DV_OK;
    /* shortest probe first, so that there are some results whatever happens */
    for (size_t i = s->probe_count; status == DV_OK && i-- > 0;)
        if (i + 1 == s->probe_count || !dv_session_in_a_hurry(s))
            status = visit_probe(s, i, &all);
    for (uint32_t d = 0; d < 2; d++) {
        s->machine.devices[d].dispatch_us = fmax(0.0, dv_quantile(all.us[d], all.count[d], 0.5));
        free(all.us[d]);
    }
    return status;
}

/* A single device has no neighbour: its segment's cost is what a call takes beyond its operator. */
static dv_status measure_call(dv_session *s)
{
    dv_graph *graph = NULL;
    dv_bench b = {0};
    dv_measurement measured = {0};
    dv_status status = dv_probe_copy(256, &graph);
    if (status == DV_OK)
        status = dv_bench_open(s, graph, dv_bench_all_on, &(dv_target_id){0}, &b);
    if (status == DV_OK)
        status = dv_executor_measure(&b.executor, 1, 50, 0.0, NULL, &measured);
    if (status == DV_OK)
        s->machine.devices[0].dispatch_us =
            fmax(0.0, measured.segments[0].median - measured.unit_us[0]);
    if (measured.total.runs)
        dv_measurement_free(&measured);
    dv_bench_close(&b);
    dv_graph_destroy(graph);
    return status;
}

/* Hand-overs of designed sizes, 4 KB to 8 MB. */
static dv_status measure_sizes(dv_session *s)
{
    for (size_t elements = 1024; elements <= 2u << 20; elements *= 4) {
        dv_graph *graph = NULL;
        dv_bench b = {0};
        dv_measurement measured = {0};
        dv_status status = dv_session_check_stop(s);
        if (status == DV_OK)
            status = dv_probe_copy(elements, &graph);
        if (status == DV_OK)
            status = dv_bench_open(s, graph, dv_bench_all_on, &(dv_target_id){1}, &b);
        if (status == DV_OK)
            status = measure_again(s, &b, MIXED_RUNS, &measured);
        if (status == DV_OK) {
            keep_moves(s, &measured);
            dv_measurement_free(&measured);
        }
        dv_bench_close(&b);
        dv_graph_destroy(graph);
        DV_TRY(status);
    }
    return DV_OK;
}

dv_status dv_session_measure_links(dv_session *s)
{
    if (s->machine.device_count < 2)
        return measure_call(s);
    DV_TRY(measure_visits(s));
    DV_TRY(measure_sizes(s));
    dv_fit_line(s->to_moves, s->to_count, &s->machine.to_us, &s->machine.to_gbs);
    dv_fit_line(s->from_moves, s->from_count, &s->machine.from_us, &s->machine.from_gbs);
    return DV_OK;
}
