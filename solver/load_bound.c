/* load_bound.c - see load_bound.h. */
#include "solver/load_bound.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "solver/load_knapsack.h"
#include "solver/split_kinds.h"

enum { KINDS_MAX = 16 };

typedef struct search {
    const dv_problem *p;
    const dv_load_bound_settings *settings;
    dv_load_knapsack knapsack[KINDS_MAX];
    uint32_t count[KINDS_MAX]; /* devices of the kind */
    uint32_t kind_count;
    double *weight;  /* per piece */
    double *surplus; /* per piece: 1 less how often the devices would take it */
    double *best_weight;
    bool *taken; /* per piece: to work in */
    double bound_us;
} search;

/* What all devices can hold at load us. */
static double held(const search *s, double us)
{
    double sum = 0.0;
    for (uint32_t k = 0; k < s->kind_count; k++)
        sum += s->count[k] * dv_load_knapsack_value(&s->knapsack[k], us);
    return sum;
}

/* The largest load, found by halving, at which the devices cannot hold everything. */
static double largest_impossible(const search *s)
{
    double all = 0.0;
    for (dv_unit_id u = 0; u < s->p->unit_count; u++)
        all += s->weight[u];
    all *= 1.0 - 1e-9; /* what rounding may hide */
    double low = 0.0, high = s->settings->upper_us;
    if (held(s, high) < all)
        return high;
    for (int i = 0; i < 60; i++) {
        double middle = 0.5 * (low + high);
        if (held(s, middle) < all)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* One round: *us is the bound that the weights give. */
static dv_status weigh(search *s, size_t *work, double *us)
{
    *us = 0.0;
    for (uint32_t k = 0; k < s->kind_count; k++) {
        bool complete;
        DV_TRY(dv_load_knapsack_solve(&s->knapsack[k], s->weight, s->settings->upper_us, work,
                                      &complete));
        if (!complete)
            return DV_OK;
    }
    *us = largest_impossible(s);
    for (dv_unit_id u = 0; u < s->p->unit_count; u++)
        s->surplus[u] = 1.0;
    for (uint32_t k = 0; k < s->kind_count; k++) {
        dv_load_knapsack_set(&s->knapsack[k], *us * (1.0 + 1e-9), s->taken);
        for (dv_unit_id u = 0; u < s->p->unit_count; u++)
            s->surplus[u] -= s->taken[u] ? s->count[k] : 0.0;
    }
    return DV_OK;
}

/* More weight for pieces that the devices would leave, less for those that several would take. */
static void change_weights(search *s, double step)
{
    double size = 0.0, sum = 0.0;
    for (dv_unit_id u = 0; u < s->p->unit_count; u++) {
        size += s->surplus[u] * s->surplus[u];
        sum += s->weight[u];
    }
    for (dv_unit_id u = 0; u < s->p->unit_count && size > 0.0; u++)
        s->weight[u] = fmax(0.0, s->weight[u] + step * sum * s->surplus[u] / size);
}

static dv_status run(search *s)
{
    const dv_problem *p = s->p;
    size_t work = s->settings->work_limit, bytes = p->unit_count * sizeof *s->weight;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        double least = INFINITY;
        for (dv_device_id d = 0; d < p->device_count; d++)
            least = fmin(least, dv_problem_time_us(p, u, d));
        s->weight[u] = least;
    }
    double step = 0.02;
    uint32_t idle = 0;
    for (uint32_t round = 0; round < s->settings->rounds && work > 0; round++) {
        if (dv_progress_stopped(s->settings->progress) || dv_clock_s() >= s->settings->deadline_s)
            break;
        double us;
        DV_TRY(weigh(s, &work, &us));
        if (us > s->bound_us) {
            idle = us > s->bound_us * (1.0 + 1e-5) ? 0 : idle + 1;
            s->bound_us = us;
            memcpy(s->best_weight, s->weight, bytes);
            dv_progress_bound(s->settings->progress, us);
            if (us >= s->settings->upper_us)
                break;
        } else {
            idle++;
        }
        if (idle == 5) { /* from the best weights on, in smaller steps */
            memcpy(s->weight, s->best_weight, bytes);
            step *= 0.5;
            idle = 0;
            DV_TRY(weigh(s, &work, &us));
        }
        change_weights(s, step);
    }
    return DV_OK;
}

static dv_status prepare(search *s)
{
    const dv_problem *p = s->p;
    size_t units = (size_t)p->unit_count + 1;
    s->weight = calloc(units, sizeof *s->weight);
    s->surplus = calloc(units, sizeof *s->surplus);
    s->best_weight = calloc(units, sizeof *s->best_weight);
    s->taken = calloc(units, sizeof *s->taken);
    if (!s->weight || !s->surplus || !s->best_weight || !s->taken)
        return dv_fail(DV_NO_MEMORY, "load bound: out of memory");
    dv_device_id first[KINDS_MAX];
    for (dv_device_id d = 0; d < p->device_count; d++) {
        uint32_t k = 0;
        while (k < s->kind_count && !dv_split_alike(p, first[k], d))
            k++;
        if (k == KINDS_MAX)
            return DV_OK;
        s->count[k]++;
        if (k < s->kind_count)
            continue;
        first[s->kind_count++] = d;
        DV_TRY(dv_load_knapsack_create(p, d, &s->knapsack[k]));
    }
    return DV_OK;
}

dv_status dv_load_bound_run(const dv_problem *pieces, const dv_load_bound_settings *settings,
                            double *bound_us)
{
    search s = {.p = pieces, .settings = settings};
    dv_status status = prepare(&s);
    bool fits = status == DV_OK;
    for (uint32_t k = 0; k < s.kind_count; k++)
        fits = fits && s.knapsack[k].fits;
    if (fits)
        status = run(&s);
    *bound_us = s.bound_us * (1.0 - 1e-9);
    if (s.bound_us >= settings->upper_us)
        *bound_us = settings->upper_us;
    for (uint32_t k = 0; k < s.kind_count; k++)
        dv_load_knapsack_free(&s.knapsack[k]);
    free(s.weight);
    free(s.surplus);
    free(s.best_weight);
    free(s.taken);
    return status;
}
