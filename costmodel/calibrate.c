/* calibrate.c - runs the probes on this machine's devices, fits the roofline, measures what
   segments and hand-overs cost, and writes it all down. */
#include "costmodel/calibrate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "costmodel/costmodel.h"
#include "costmodel/machine.h"
#include "costmodel/probe.h"
#include "costmodel/roofline.h"
#include "runtime/executor.h"

enum { MOST_PROBES = 8, MOST_MOVES = 4096 };

/* How long passes over the probes go on, and when to hurry with what follows, in seconds since the
   start. There are always a few passes, so that a busy moment of the machine spoils no result. */
typedef struct budget {
    double passes_s, hurry_s;
} budget;

static const budget quick = {18.0, 32.0}, thorough = {120.0, 300.0};
enum { LEAST_PASSES = 2, MOST_PASSES = 30, RUNS_A_PASS = 3, MIXED_RUNS = 4 };

/* A graph made ready to run by a plan. */
typedef struct bench {
    dv_problem *problem;
    dv_plan *plan;
    dv_executor *executor;
} bench;

/* All that calibration holds. */
typedef struct session {
    const dv_calibrate_options *options;
    dv_machine machine;
    dv_platform *platform; /* of the machine as guessed, for the executor */
    size_t probe_count;
    dv_graph *graphs[MOST_PROBES];
    bench benches[2][MOST_PROBES];   /* per device */
    double *unit_us[2][MOST_PROBES]; /* least of the medians so far */
    dv_sample to_moves[MOST_MOVES], from_moves[MOST_MOVES];
    size_t to_count, from_count;
    budget budget;
    double started;
} session;

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "calibrate: out of memory");
}

static bool in_a_hurry(const session *s)
{
    return dv_clock_s() - s->started > s->budget.hurry_s;
}

static dv_status check_stop(const session *s)
{
    return dv_progress_stopped(s->options->progress)
               ? dv_fail(DV_INTERRUPTED, "calibrate: stopped, nothing written")
               : DV_OK;
}

static void close_bench(bench *b)
{
    dv_executor_destroy(b->executor);
    dv_plan_destroy(b->plan);
    dv_problem_destroy(b->problem);
    *b = (bench){0};
}

/* Every unit u goes where place(u, context) says. */
static dv_status open_bench(const session *s, const dv_graph *graph,
                            dv_target_id (*place)(dv_unit_id u, const void *context),
                            const void *context, bench *b)
{
    DV_TRY(dv_problem_build(graph, s->platform, dv_cost_model_at(0), &b->problem));
    DV_TRY(dv_plan_create(b->problem, &b->plan));
    for (dv_unit_id u = 0; u < graph->unit_count; u++)
        b->plan->target[u] = place(u, context);
    DV_TRY(dv_executor_create(graph, s->platform, b->problem, b->plan, &b->executor));
    dv_executor_fill_inputs(b->executor, 1);
    return DV_OK;
}

static dv_target_id all_on(dv_unit_id u, const void *context)
{
    (void)u;
    return *(const dv_target_id *)context;
}

/* ---- units ---- */

static dv_status open_probes(session *s)
{
    for (; dv_probe_at(s->probe_count); s->probe_count++) {
        if (s->probe_count == MOST_PROBES)
            return dv_fail(DV_INTERNAL, "calibrate: more probes than places for them");
        DV_TRY(dv_probe_at(s->probe_count)->build(&s->graphs[s->probe_count]));
    }
    /* workers first: their processes are forked before this one has threads */
    for (uint32_t d = s->machine.device_count; d-- > 0;)
        for (size_t i = 0; i < s->probe_count; i++) {
            dv_progress_step(s->options->progress, "prepare probes",
                             (double)i / (double)s->probe_count);
            DV_TRY(check_stop(s));
            DV_TRY(open_bench(s, s->graphs[i], all_on, &(dv_target_id){d}, &s->benches[d][i]));
            uint32_t units = s->graphs[i]->unit_count;
            s->unit_us[d][i] = malloc(units * sizeof(double));
            if (!s->unit_us[d][i])
                return no_memory();
            for (uint32_t u = 0; u < units; u++)
                s->unit_us[d][i][u] = INFINITY;
        }
    return DV_OK;
}

static dv_status run_pass(session *s)
{
    for (size_t i = 0; i < s->probe_count; i++)
        for (uint32_t d = 0; d < s->machine.device_count; d++) {
            dv_measurement measured;
            DV_TRY(check_stop(s));
            DV_TRY(dv_executor_measure(&s->benches[d][i].executor, 1, RUNS_A_PASS, 0.0, NULL,
                                       &measured));
            for (uint32_t u = 0; u < s->graphs[i]->unit_count; u++)
                s->unit_us[d][i][u] = fmin(s->unit_us[d][i][u], measured.unit_us[u]);
            dv_measurement_free(&measured);
        }
    return DV_OK;
}

static dv_status measure_units(session *s)
{
    double limit = s->budget.passes_s;
    for (int pass = 0; pass < MOST_PASSES; pass++) {
        double spent = dv_clock_s() - s->started;
        if (pass >= LEAST_PASSES && spent >= limit)
            break;
        double by_time = spent / limit, by_count = (double)pass / MOST_PASSES;
        dv_progress_step(s->options->progress, "measure operators",
                         fmin(1.0, fmax(by_time, by_count)));
        DV_TRY(run_pass(s));
    }
    return DV_OK;
}

/* ---- fits ---- */

/* A unit's demand and time, for sorting into rows. */
typedef struct observation {
    dv_op_kind kind;
    dv_family family;
    dv_sample sample;
} observation;

/* Shorter than the clock can tell: views, and what a backend fused away. */
static const double shortest_us = 0.15;

static observation *observe(const session *s, uint32_t d, size_t *count)
{
    size_t units = 0;
    for (size_t i = 0; i < s->probe_count; i++)
        units += s->graphs[i]->unit_count;
    observation *all = malloc((units + 1) * sizeof *all);
    *count = 0;
    for (size_t i = 0; all && i < s->probe_count; i++)
        for (dv_unit_id u = 0; u < s->graphs[i]->unit_count; u++) {
            const dv_unit *unit = &s->graphs[i]->units[u];
            dv_demand demand =
                dv_demand_of(s->graphs[i], unit->ops, unit->op_count, DV_DTYPE_F32, 1);
            double us = s->unit_us[d][i][u];
            if (us < shortest_us || demand.family == DV_FAMILY_VIEW)
                continue;
            all[(*count)++] = (observation){
                demand.kind,
                demand.family,
                {demand.macs[demand.family], demand.weight_bytes, demand.activation_bytes, us}};
        }
    return all;
}

/* Which of the observations belong together: a family, and a kind of it or (DV_OP_COUNT) all. */
static size_t choose(const observation *all, size_t count, dv_family family, dv_op_kind kind,
                     dv_sample *samples)
{
    size_t chosen = 0;
    for (size_t i = 0; i < count; i++)
        if (all[i].family == family && (kind == DV_OP_COUNT || all[i].kind == kind))
            samples[chosen++] = all[i].sample;
    return chosen;
}

static bool is_convolution(dv_family family)
{
    return family == DV_FAMILY_CONV || family == DV_FAMILY_GROUPED || family == DV_FAMILY_DEPTHWISE;
}

/* A kind whose times are off its family's row by more than a fifth gets a row of its own; the
   families of convolutions are one kind, told apart by their parameters. Products with weights and
   products of two activations always have one each: their operands are not prepared alike. */
static void fit_kinds(dv_machine_device *device, const observation *all, size_t count,
                      dv_family family, dv_sample *samples, double *scratch)
{
    static const double apart = 0.18; /* log 1.2 */
    const dv_fit *row = &device->family[family];
    for (int k = 0; k < DV_OP_COUNT && !is_convolution(family); k++) {
        size_t chosen = choose(all, count, family, (dv_op_kind)k, samples);
        if (chosen < 2)
            continue;
        for (size_t i = 0; i < chosen; i++)
            scratch[i] = log(samples[i].measured_us / dv_fit_us(row, &samples[i]));
        double off = dv_quantile(scratch, chosen, 0.5);
        double error = dv_fit_error(row, samples, chosen, 0.5, scratch);
        bool alike = fabs(off) < apart && error < apart;
        if (alike && family != DV_FAMILY_MATMUL)
            continue;
        dv_fit prior = *row;
        prior.gmacs /= exp(off);
        prior.weight_gbs /= exp(off);
        prior.activation_gbs /= exp(off);
        device->op[k] = dv_fit_row(samples, chosen, prior);
        device->op_known[k] = true;
        device->op_samples[k] = (uint32_t)chosen;
    }
}

static dv_status add_report(dv_calibration *report, const dv_machine_device *device,
                            dv_family family, const observation *all, size_t count, double *scratch)
{
    size_t capacity = report->family_count, used = 0;
    if (!dv_grow((void **)&report->families, &capacity, (size_t)report->family_count + 1,
                 sizeof *report->families))
        return no_memory();
    for (size_t i = 0; i < count; i++) {
        if (all[i].family != family)
            continue;
        const dv_fit *row =
            device->op_known[all[i].kind] ? &device->op[all[i].kind] : &device->family[family];
        scratch[used++] = fabs(dv_fit_us(row, &all[i].sample) / all[i].sample.measured_us - 1.0);
    }
    dv_calibration_family *line = &report->families[report->family_count++];
    const char *inner = device->real.inner;
    *line = (dv_calibration_family){.samples = (uint32_t)used, .precision = "f32"};
    snprintf(line->backend, sizeof line->backend, "%s%s%s", device->real.backend, inner ? ":" : "",
             inner ? inner : "");
    snprintf(line->family, sizeof line->family, "%s", dv_family_name(family));
    line->median_error = dv_quantile(scratch, used, 0.5);
    line->p90_error = dv_quantile(scratch, used, 0.9);
    return DV_OK;
}

static dv_status fit_device(session *s, uint32_t d, dv_calibration *report)
{
    dv_machine_device *device = &s->machine.devices[d];
    size_t count;
    observation *all = observe(s, d, &count);
    dv_sample *samples = malloc((count + 1) * sizeof *samples);
    double *scratch = malloc((count + 1) * sizeof *scratch);
    dv_status status = all && samples && scratch ? DV_OK : no_memory();
    double errors = 0.0, weights = 0.0;
    for (int f = 0; status == DV_OK && f < DV_FAMILY_COUNT; f++) {
        size_t chosen = choose(all, count, (dv_family)f, DV_OP_COUNT, samples);
        if (chosen == 0)
            continue;
        device->family[f] = dv_fit_row(samples, chosen, dv_fit_prior(samples, chosen));
        device->family_known[f] = true;
        device->family_samples[f] = (uint32_t)chosen;
        fit_kinds(device, all, count, (dv_family)f, samples, scratch);
        status = add_report(report, device, (dv_family)f, all, count, scratch);
        if (status == DV_OK) {
            const dv_calibration_family *line = &report->families[report->family_count - 1];
            errors += line->median_error * line->samples;
            weights += line->samples;
        }
    }
    device->relative_error = weights > 0.0 ? errors / weights : 0.0;
    free(all);
    free(samples);
    free(scratch);
    return status;
}

/* ---- segments and hand-overs ---- */

/* Short visits to the worker, far enough apart for it to fall asleep in between as it does in real
   plans. */
enum { VISIT_EVERY = 7 };

static dv_target_id visiting(dv_unit_id u, const void *context)
{
    (void)context;
    return u % VISIT_EVERY == VISIT_EVERY - 1 ? 1 : 0;
}

/* The least of the medians of a few passes, per segment and per move, as for units. */
static dv_status measure_again(session *s, bench *b, uint32_t runs, dv_measurement *least)
{
    enum { PASSES = 3 };
    DV_TRY(dv_executor_measure(&b->executor, 1, runs, 0.0, s->options->progress, least));
    for (int pass = 1; pass < PASSES && !in_a_hurry(s); pass++) {
        dv_measurement again;
        dv_status status =
            dv_executor_measure(&b->executor, 1, runs, 0.0, s->options->progress, &again);
        if (status != DV_OK) {
            dv_measurement_free(least);
            return status;
        }
        for (uint32_t k = 0; k < least->segment_count; k++)
            least->segments[k].median = fmin(least->segments[k].median, again.segments[k].median);
        for (uint32_t m = 0; m < least->move_count; m++)
            least->moves[m].time.median =
                fmin(least->moves[m].time.median, again.moves[m].time.median);
        dv_measurement_free(&again);
    }
    return DV_OK;
}

static void keep_moves(session *s, const dv_measurement *measured)
{
    for (uint32_t m = 0; m < measured->move_count; m++) {
        const struct dv_move *move = &measured->moves[m];
        bool to = move->to == 1;
        size_t *count = to ? &s->to_count : &s->from_count;
        dv_sample *list = to ? s->to_moves : s->from_moves;
        if (move->time.median > 0.0 && *count < MOST_MOVES)
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

static dv_status keep_extras(const session *s, size_t probe, const bench *b,
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
            to->us[d][to->count[d]++] = measured->segments[k].median - units;
    }
    free(segments);
    return status;
}

static dv_status visit_probe(session *s, size_t probe, extras *to)
{
    bench b = {0};
    dv_measurement measured = {0};
    dv_progress_step(s->options->progress, "measure hand-overs",
                     1.0 - (double)(probe + 1) / (double)s->probe_count);
    dv_status status = check_stop(s);
    if (status == DV_OK)
        status = open_bench(s, s->graphs[probe], visiting, NULL, &b);
    if (status == DV_OK)
        status = measure_again(s, &b, MIXED_RUNS, &measured);
    if (status == DV_OK) {
        keep_moves(s, &measured);
        status = keep_extras(s, probe, &b, &measured, to);
        dv_measurement_free(&measured);
    }
    close_bench(&b);
    return status;
}

/* Segments of plans that change devices; the median over them is the device's dispatch. */
static dv_status measure_visits(session *s)
{
    extras all = {0};
    dv_status status = DV_OK;
    /* shortest probe first, so that there are some results whatever happens */
    for (size_t i = s->probe_count; status == DV_OK && i-- > 0;)
        if (i + 1 == s->probe_count || !in_a_hurry(s))
            status = visit_probe(s, i, &all);
    for (uint32_t d = 0; d < 2; d++) {
        s->machine.devices[d].dispatch_us = fmax(0.0, dv_quantile(all.us[d], all.count[d], 0.5));
        free(all.us[d]);
    }
    return status;
}

/* A single device has no neighbour: its segment's cost is what a call takes beyond its operator. */
static dv_status measure_call(session *s)
{
    dv_graph *graph = NULL;
    bench b = {0};
    dv_measurement measured = {0};
    dv_status status = dv_probe_copy(256, &graph);
    if (status == DV_OK)
        status = open_bench(s, graph, all_on, &(dv_target_id){0}, &b);
    if (status == DV_OK)
        status = dv_executor_measure(&b.executor, 1, 50, 0.0, NULL, &measured);
    if (status == DV_OK)
        s->machine.devices[0].dispatch_us =
            fmax(0.0, measured.segments[0].median - measured.unit_us[0]);
    if (measured.total.runs)
        dv_measurement_free(&measured);
    close_bench(&b);
    dv_graph_destroy(graph);
    return status;
}

/* Hand-overs of designed sizes, 4 KB to 8 MB. */
static dv_status measure_sizes(session *s)
{
    for (size_t elements = 1024; elements <= 2u << 20; elements *= 4) {
        dv_graph *graph = NULL;
        bench b = {0};
        dv_measurement measured = {0};
        dv_status status = check_stop(s);
        if (status == DV_OK)
            status = dv_probe_copy(elements, &graph);
        if (status == DV_OK)
            status = open_bench(s, graph, all_on, &(dv_target_id){1}, &b);
        if (status == DV_OK)
            status = measure_again(s, &b, MIXED_RUNS, &measured);
        if (status == DV_OK) {
            keep_moves(s, &measured);
            dv_measurement_free(&measured);
        }
        close_bench(&b);
        dv_graph_destroy(graph);
        DV_TRY(status);
    }
    return DV_OK;
}

static dv_status measure_links(session *s)
{
    if (s->machine.device_count < 2)
        return measure_call(s);
    DV_TRY(measure_visits(s));
    DV_TRY(measure_sizes(s));
    dv_fit_line(s->to_moves, s->to_count, &s->machine.to_us, &s->machine.to_gbs);
    dv_fit_line(s->from_moves, s->from_count, &s->machine.from_us, &s->machine.from_gbs);
    return DV_OK;
}

/* ---- all of it ---- */

static dv_status calibrate(session *s, dv_text *out, dv_calibration *report)
{
    dv_text guess = {0};
    DV_TRY(dv_machine_guess(s->options->name ? s->options->name : "host", &s->machine));
    dv_status status = dv_machine_write(&s->machine, &guess);
    if (status == DV_OK)
        status =
            dv_platform_parse("calibration", dv_text_string(&guess), guess.length, &s->platform);
    dv_text_free(&guess);
    DV_TRY(status);
    DV_TRY(open_probes(s));
    DV_TRY(measure_units(s));
    for (uint32_t d = 0; d < s->machine.device_count; d++)
        DV_TRY(fit_device(s, d, report));
    DV_TRY(measure_links(s));
    /* a change of layout or precision is an element-wise operator's traffic */
    s->machine.convert_gbs = s->machine.devices[0].family[DV_FAMILY_ELEMENTWISE].activation_gbs;
    DV_TRY(check_stop(s));
    return dv_machine_write(&s->machine, out);
}

dv_status dv_calibrate(const dv_calibrate_options *options, dv_text *out,
                       dv_calibration *calibration)
{
    *calibration = (dv_calibration){0};
    session *s = calloc(1, sizeof *s);
    if (!s)
        return no_memory();
    s->options = options;
    s->started = dv_clock_s();
    s->budget = options->quick ? quick : thorough;
    dv_status status = calibrate(s, out, calibration);
    for (size_t i = 0; i < MOST_PROBES; i++)
        for (int d = 0; d < 2; d++) {
            close_bench(&s->benches[d][i]);
            free(s->unit_us[d][i]);
        }
    for (size_t i = 0; i < MOST_PROBES; i++)
        dv_graph_destroy(s->graphs[i]);
    dv_platform_destroy(s->platform);
    calibration->seconds = dv_clock_s() - s->started;
    free(s);
    if (status != DV_OK)
        dv_calibration_free(calibration);
    return status;
}

void dv_calibration_free(dv_calibration *calibration)
{
    free(calibration->families);
    *calibration = (dv_calibration){0};
}
