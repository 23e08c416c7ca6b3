/* calibrate.c - runs the probes on this machine's devices, fits the roofline, measures what
   segments and hand-overs cost, and writes it all down. */
#include <math.h>
#include <stdlib.h>

#include "core/clock.h"
#include "costmodel/calibrate_session.h"
#include "costmodel/costmodel.h"
#include "costmodel/probe.h"

/* There are always a few passes, so that a busy moment of the machine spoils no result. */
static const dv_calibrate_budget quick = {18.0, 32.0}, thorough = {120.0, 300.0};
enum { LEAST_PASSES = 2, MOST_PASSES = 30, RUNS_A_PASS = 3 };

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "calibrate: out of memory");
}

bool dv_session_in_a_hurry(const dv_session *s)
{
    return dv_clock_s() - s->started > s->budget.hurry_s;
}

dv_status dv_session_check_stop(const dv_session *s)
{
    return dv_progress_stopped(s->options->progress)
               ? dv_fail(DV_INTERRUPTED, "calibrate: stopped, nothing written")
               : DV_OK;
}

void dv_bench_close(dv_bench *b)
{
    dv_executor_destroy(b->executor);
    dv_plan_destroy(b->plan);
    dv_problem_destroy(b->problem);
    *b = (dv_bench){0};
}

/* Every unit u goes where place(u, context) says. */
dv_status dv_bench_open(const dv_session *s, const dv_graph *graph, dv_bench_place place,
                        const void *context, dv_bench *b)
{
    DV_TRY(dv_problem_build(graph, s->platform, dv_cost_model_at(0), &b->problem));
    DV_TRY(dv_plan_create(b->problem, &b->plan));
    for (dv_unit_id u = 0; u < graph->unit_count; u++)
        b->plan->target[u] = place(u, context);
    DV_TRY(dv_executor_create(graph, s->platform, b->problem, b->plan, &b->executor));
    dv_executor_fill_inputs(b->executor, 1);
    return DV_OK;
}

dv_target_id dv_bench_all_on(dv_unit_id u, const void *context)
{
    (void)u;
    return *(const dv_target_id *)context;
}

static dv_status open_probes(dv_session *s)
{
    for (; dv_probe_at(s->probe_count); s->probe_count++) {
        if (s->probe_count == DV_MOST_PROBES)
            return dv_fail(DV_INTERNAL, "calibrate: more probes than places for them");
        DV_TRY(dv_probe_at(s->probe_count)->build(&s->graphs[s->probe_count]));
    }
    /* workers first: their processes are forked before this one has threads */
    for (uint32_t d = s->machine.device_count; d-- > 0;)
        for (size_t i = 0; i < s->probe_count; i++) {
            dv_progress_step(s->options->progress, "prepare probes",
                             (double)i / (double)s->probe_count);
            DV_TRY(dv_session_check_stop(s));
            DV_TRY(dv_bench_open(s, s->graphs[i], dv_bench_all_on, &(dv_target_id){d},
                                 &s->benches[d][i]));
            uint32_t units = s->graphs[i]->unit_count;
            s->unit_us[d][i] = malloc(units * sizeof(double));
            if (!s->unit_us[d][i])
                return no_memory();
            for (uint32_t u = 0; u < units; u++)
                s->unit_us[d][i][u] = INFINITY;
            s->whole_us[d][i] = INFINITY;
        }
    return DV_OK;
}

/* On a quiet machine a median lies this far above the least of a few; on a busy one there is no
   other way to know it. */
static double usual_us(double least_us)
{
    return 1.05 * least_us;
}

static dv_status run_pass(dv_session *s)
{
    for (size_t i = 0; i < s->probe_count; i++)
        for (uint32_t d = 0; d < s->machine.device_count; d++) {
            dv_measurement measured;
            DV_TRY(dv_session_check_stop(s));
            DV_TRY(dv_executor_measure(&s->benches[d][i].executor, 1, RUNS_A_PASS, 0.0, NULL,
                                       &measured));
            for (uint32_t u = 0; u < s->graphs[i]->unit_count; u++)
                s->unit_us[d][i][u] =
                    fmin(s->unit_us[d][i][u],
                         fmin(measured.unit_us[u], usual_us(measured.unit_least_us[u])));
            s->whole_us[d][i] = fmin(s->whole_us[d][i], measured.segments[0].median);
            dv_measurement_free(&measured);
        }
    return DV_OK;
}

/* Units were timed one by one, a whole run is what people wait for: units are stretched by what the
   probes' whole runs take longer than the sum of their units. */
static void stretch_units(dv_session *s)
{
    static const double most = 1.5;
    for (uint32_t d = 0; d < s->machine.device_count; d++) {
        double ratio[DV_MOST_PROBES];
        for (size_t i = 0; i < s->probe_count; i++) {
            double sum = 0.0;
            for (uint32_t u = 0; u < s->graphs[i]->unit_count; u++)
                sum += s->unit_us[d][i][u];
            ratio[i] = s->whole_us[d][i] / sum;
        }
        double stretch = fmin(most, fmax(1.0, dv_quantile(ratio, s->probe_count, 0.5)));
        for (size_t i = 0; i < s->probe_count; i++)
            for (uint32_t u = 0; u < s->graphs[i]->unit_count; u++)
                s->unit_us[d][i][u] *= stretch;
    }
}

static dv_status measure_units(dv_session *s)
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
    stretch_units(s);
    return DV_OK;
}

static dv_status calibrate(dv_session *s, dv_text *out, dv_calibration *report)
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
        DV_TRY(dv_session_fit(s, d, report));
    DV_TRY(dv_session_measure_links(s));
    /* a change of layout or precision is an element-wise operator's traffic */
    s->machine.convert_gbs =
        s->machine.devices[0].rows[DV_KERNELS_FLOATS].family[DV_FAMILY_ELEMENTWISE].activation_gbs;
    DV_TRY(dv_session_check_stop(s));
    return dv_machine_write(&s->machine, out);
}

dv_status dv_calibrate(const dv_calibrate_options *options, dv_text *out,
                       dv_calibration *calibration)
{
    *calibration = (dv_calibration){0};
    dv_session *s = calloc(1, sizeof *s);
    if (!s)
        return no_memory();
    s->options = options;
    s->started = dv_clock_s();
    s->budget = options->quick ? quick : thorough;
    dv_status status = calibrate(s, out, calibration);
    for (size_t i = 0; i < DV_MOST_PROBES; i++)
        for (int d = 0; d < 2; d++) {
            dv_bench_close(&s->benches[d][i]);
            free(s->unit_us[d][i]);
        }
    for (size_t i = 0; i < DV_MOST_PROBES; i++)
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
