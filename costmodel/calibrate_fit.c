/* calibrate_fit.c - rows of the roofline from the times of the probes' units. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "costmodel/calibrate_session.h"
#include "costmodel/roofline.h"

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "calibrate: out of memory");
}

/* A unit's demand and time, for sorting into rows. */
typedef struct observation {
    dv_kernels kernels;
    dv_op_kind kind;
    dv_family family;
    dv_sample sample;
} observation;

/* Shorter than the clock can tell: views, and what a backend fused away. */
static const double shortest_us = 0.15;

static observation *observe(const dv_session *s, uint32_t d, size_t *count)
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
                dv_kernels_of(&s->machine.devices[d].real, s->graphs[i], unit->ops[0]),
                demand.kind,
                demand.family,
                {demand.macs[demand.family], demand.weight_bytes, demand.activation_bytes, us}};
        }
    return all;
}

/* What is fitted at a time. */
typedef struct fitting {
    const observation *all;
    size_t count;
    dv_kernels kernels;
    dv_machine_rows *rows; /* of those kernels */
    dv_sample *samples;    /* room for all */
    double *scratch;       /* likewise */
} fitting;

/* Which of the observations belong together: a family, and a kind of it or (DV_OP_COUNT) all. */
static size_t choose(const fitting *f, dv_family family, dv_op_kind kind)
{
    const observation *all = f->all;
    dv_sample *samples = f->samples;
    size_t chosen = 0;
    for (size_t i = 0; i < f->count; i++)
        if (all[i].kernels == f->kernels && all[i].family == family &&
            (kind == DV_OP_COUNT || all[i].kind == kind))
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
static void fit_kinds(const fitting *f, dv_family family)
{
    dv_machine_rows *rows = f->rows;
    dv_sample *samples = f->samples;
    double *scratch = f->scratch;
    static const double apart = 0.18; /* log 1.2 */
    const dv_fit *row = &rows->family[family];
    for (int k = 0; k < DV_OP_COUNT && !is_convolution(family); k++) {
        size_t chosen = choose(f, family, (dv_op_kind)k);
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
        rows->op[k] = dv_fit_row(samples, chosen, prior);
        rows->op_known[k] = true;
        rows->op_samples[k] = (uint32_t)chosen;
    }
}

static dv_status add_report(dv_calibration *report, const dv_machine_device *device,
                            const fitting *f, dv_family family)
{
    static const char *const precisions[DV_KERNELS_COUNT] = {"f32", "i8", "i8>f32"};
    const observation *all = f->all;
    double *scratch = f->scratch;
    size_t capacity = report->family_count, used = 0;
    if (!dv_grow((void **)&report->families, &capacity, (size_t)report->family_count + 1,
                 sizeof *report->families))
        return no_memory();
    for (size_t i = 0; i < f->count; i++) {
        if (all[i].family != family || all[i].kernels != f->kernels)
            continue;
        const dv_fit *row =
            f->rows->op_known[all[i].kind] ? &f->rows->op[all[i].kind] : &f->rows->family[family];
        scratch[used++] = fabs(dv_fit_us(row, &all[i].sample) / all[i].sample.measured_us - 1.0);
    }
    dv_calibration_family *line = &report->families[report->family_count++];
    const char *inner = device->real.inner;
    *line = (dv_calibration_family){.samples = (uint32_t)used};
    snprintf(line->precision, sizeof line->precision, "%s", precisions[f->kernels]);
    snprintf(line->backend, sizeof line->backend, "%s%s%s", device->real.backend, inner ? ":" : "",
             inner ? inner : "");
    snprintf(line->family, sizeof line->family, "%s", dv_family_name(family));
    line->median_error = dv_quantile(scratch, used, 0.5);
    line->p90_error = dv_quantile(scratch, used, 0.9);
    return DV_OK;
}

static dv_status fit_kernels(const fitting *f, const dv_machine_device *device,
                             dv_calibration *report, double *errors, double *weights)
{
    for (int k = 0; k < DV_FAMILY_COUNT; k++) {
        dv_family family = (dv_family)k;
        size_t chosen = choose(f, family, DV_OP_COUNT);
        if (chosen == 0)
            continue;
        f->rows->family[k] = dv_fit_row(f->samples, chosen, dv_fit_prior(f->samples, chosen));
        f->rows->family_known[k] = true;
        f->rows->family_samples[k] = (uint32_t)chosen;
        fit_kinds(f, family);
        DV_TRY(add_report(report, device, f, family));
        const dv_calibration_family *line = &report->families[report->family_count - 1];
        *errors += line->median_error * line->samples;
        *weights += line->samples;
    }
    return DV_OK;
}

dv_status dv_session_fit(dv_session *s, uint32_t d, dv_calibration *report)
{
    dv_machine_device *device = &s->machine.devices[d];
    size_t count;
    observation *all = observe(s, d, &count);
    fitting f = {.all = all, .count = count};
    f.samples = malloc((count + 1) * sizeof *f.samples);
    f.scratch = malloc((count + 1) * sizeof *f.scratch);
    dv_status status = all && f.samples && f.scratch ? DV_OK : no_memory();
    double errors = 0.0, weights = 0.0;
    for (int k = 0; status == DV_OK && k < DV_KERNELS_COUNT; k++) {
        f.kernels = (dv_kernels)k;
        f.rows = &device->rows[k];
        status = fit_kernels(&f, device, report, &errors, &weights);
    }
    device->relative_error = weights > 0.0 ? errors / weights : 0.0;
    free(all);
    free(f.samples);
    free(f.scratch);
    return status;
}
