/* fit.c - robust fits by the simplex method of Nelder and Mead (Computer Journal 7, 1965) in the
   logarithms of the parameters, which keeps them positive.

   The model has a maximum in it, so that least squares in closed form do not apply; it has four
   parameters at most, so that a simplex is quick and needs no derivatives. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "costmodel/fit.h"

enum { PARAMETERS = 4, STEPS = 600 };

/* Beyond this |log error| (22 %) an outlier pulls with constant force. */
static const double huber = 0.2;

/* How firmly a parameter that the samples leave open is held at its prior. */
static const double tether = 2e-3;

double dv_fit_us(const dv_fit *fit, const dv_sample *sample)
{
    double memory_us = sample->weight_bytes / (fit->weight_gbs * 1e3) +
                       sample->activation_bytes / (fit->activation_gbs * 1e3);
    return fit->launch_us + fmax(sample->macs / (fit->gmacs * 1e3), memory_us);
}

typedef struct problem {
    const dv_sample *samples;
    size_t count;
    dv_fit prior;
} problem;

static void pack(const dv_fit *fit, double x[PARAMETERS])
{
    x[0] = log(fit->launch_us);
    x[1] = isfinite(fit->gmacs) ? log(fit->gmacs) : 0.0;
    x[2] = log(fit->weight_gbs);
    x[3] = log(fit->activation_gbs);
}

static dv_fit unpack(const double x[PARAMETERS], bool products)
{
    return (dv_fit){exp(x[0]), products ? exp(x[1]) : INFINITY, exp(x[2]), exp(x[3])};
}

static double loss(const problem *p, const double x[PARAMETERS])
{
    double prior[PARAMETERS], sum = 0.0, weights = 0.0, held = 0.0;
    dv_fit fit = unpack(x, isfinite(p->prior.gmacs));
    for (size_t i = 0; i < p->count; i++) {
        double error = fabs(log(dv_fit_us(&fit, &p->samples[i]) / p->samples[i].measured_us));
        /* by the time that the prior expects: a freak of a time must not also be a weighty one */
        double weight = sqrt(dv_fit_us(&p->prior, &p->samples[i]));
        sum += weight * (error < huber ? error * error / 2 : huber * (error - huber / 2));
        weights += weight;
    }
    pack(&p->prior, prior);
    for (int k = 0; k < PARAMETERS; k++)
        held += (x[k] - prior[k]) * (x[k] - prior[k]);
    return sum / weights + tether * held / (1.0 + (double)p->count / 8.0);
}

typedef struct vertex {
    double x[PARAMETERS], value;
} vertex;

static int by_value(const void *a, const void *b)
{
    double x = ((const vertex *)a)->value, y = ((const vertex *)b)->value;
    return x < y ? -1 : x > y;
}

/* The point centre + t (worst - centre), and its value. */
static vertex along(const problem *p, const double *centre, const vertex *worst, double t)
{
    vertex v;
    for (int k = 0; k < PARAMETERS; k++)
        v.x[k] = centre[k] + t * (worst->x[k] - centre[k]);
    v.value = loss(p, v.x);
    return v;
}

static vertex minimise(const problem *p, const double start[PARAMETERS], double size)
{
    vertex simplex[PARAMETERS + 1];
    for (int i = 0; i <= PARAMETERS; i++) {
        memcpy(simplex[i].x, start, sizeof simplex[i].x);
        if (i > 0)
            simplex[i].x[i - 1] += size;
        simplex[i].value = loss(p, simplex[i].x);
    }
    for (int step = 0; step < STEPS; step++) {
        qsort(simplex, PARAMETERS + 1, sizeof *simplex, by_value);
        double centre[PARAMETERS] = {0};
        for (int i = 0; i < PARAMETERS; i++)
            for (int k = 0; k < PARAMETERS; k++)
                centre[k] += simplex[i].x[k] / PARAMETERS;
        vertex *worst = &simplex[PARAMETERS];
        vertex next = along(p, centre, worst, -1.0);
        if (next.value < simplex[0].value) {
            vertex further = along(p, centre, worst, -2.0);
            if (further.value < next.value)
                next = further;
        } else if (next.value >= simplex[PARAMETERS - 1].value) {
            next = along(p, centre, next.value < worst->value ? &next : worst, 0.5);
        }
        if (next.value < worst->value) {
            *worst = next;
            continue;
        }
        for (int i = 1; i <= PARAMETERS; i++) {
            for (int k = 0; k < PARAMETERS; k++)
                simplex[i].x[k] = (simplex[i].x[k] + simplex[0].x[k]) / 2;
            simplex[i].value = loss(p, simplex[i].x);
        }
    }
    qsort(simplex, PARAMETERS + 1, sizeof *simplex, by_value);
    return simplex[0];
}

dv_fit dv_fit_prior(const dv_sample *samples, size_t count)
{
    dv_fit prior = {INFINITY, 0.0, 0.0, 0.0};
    for (size_t i = 0; i < count; i++) {
        const dv_sample *s = &samples[i];
        double bytes = s->weight_bytes + s->activation_bytes;
        prior.launch_us = fmin(prior.launch_us, s->measured_us / 2);
        prior.gmacs = fmax(prior.gmacs, s->macs / s->measured_us * 1e-3);
        prior.activation_gbs = fmax(prior.activation_gbs, bytes / s->measured_us * 1e-3);
    }
    prior.launch_us = fmin(fmax(prior.launch_us, 0.02), 5.0);
    prior.gmacs = prior.gmacs > 0.0 ? prior.gmacs : INFINITY;
    prior.activation_gbs = fmax(prior.activation_gbs, 0.01);
    prior.weight_gbs = prior.activation_gbs;
    return prior;
}

dv_fit dv_fit_row(const dv_sample *samples, size_t count, dv_fit prior)
{
    if (count == 0)
        return prior;
    /* the maximum has a kink: start on both of its sides, and again where the first ended */
    static const double offsets[][2] = {{0.0, 0.0}, {-0.7, 0.7}, {0.5, -1.0}};
    problem p = {samples, count, prior};
    vertex best = {.value = INFINITY};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        double start[PARAMETERS];
        pack(&prior, start);
        start[1] += offsets[i][0];
        start[2] += offsets[i][1];
        start[3] += offsets[i][1];
        vertex found = minimise(&p, start, 0.5);
        found = minimise(&p, found.x, 0.1);
        if (found.value < best.value)
            best = found;
    }
    return unpack(best.x, isfinite(prior.gmacs));
}

void dv_fit_line(const dv_sample *samples, size_t count, double *latency_us, double *gbs)
{
    dv_fit fit = dv_fit_row(samples, count, dv_fit_prior(samples, count));
    *latency_us = fit.launch_us;
    *gbs = fit.activation_gbs;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double dv_quantile(double *values, size_t count, double q)
{
    if (count == 0)
        return 0.0;
    qsort(values, count, sizeof *values, ascending);
    double at = q * (double)(count - 1);
    size_t below = (size_t)at;
    if (below + 1 >= count)
        return values[count - 1];
    return values[below] + (at - (double)below) * (values[below + 1] - values[below]);
}

double dv_fit_error(const dv_fit *fit, const dv_sample *samples, size_t count, double q,
                    double *scratch)
{
    for (size_t i = 0; i < count; i++)
        scratch[i] = fabs(dv_fit_us(fit, &samples[i]) / samples[i].measured_us - 1.0);
    return dv_quantile(scratch, count, q);
}
