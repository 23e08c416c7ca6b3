/* load_ilp.c - see load_ilp.h. */
#include "solver/load_ilp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "solver/evaluate.h"
#include "solver/ilp_glpk.h"
#include "solver/linear.h"
#include "solver/split_kinds.h"

typedef struct model {
    const dv_problem *p;
    const dv_load_ilp_settings *settings;
    dv_linear linear;
    uint32_t *place;          /* [unit * devices + device]: x's column; DV_NONE: not allowed */
    uint32_t *used;           /* per device: z's column, or DV_NONE */
    uint32_t largest;         /* T's column */
    uint32_t *first, *second; /* per load row in the making: columns; see add_load_row */
} model;

static uint32_t *place_of(const model *m, dv_unit_id u, dv_device_id d)
{
    return &m->place[(size_t)u * m->p->device_count + d];
}

/* Work of the unit on the fastest device that runs it. */
static double weight(const dv_problem *p, dv_unit_id u)
{
    double least = INFINITY;
    for (dv_device_id d = 0; d < p->device_count; d++)
        least = fmin(least, dv_problem_time_us(p, u, d));
    return least;
}

typedef struct heavy {
    double weight;
    dv_unit_id u;
} heavy;

static int by_weight(const void *a, const void *b)
{
    const heavy *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return x->u < y->u ? -1 : x->u > y->u;
}

/* Marks what symmetry takes away: the device with n alike ones before it is not for the n heaviest
   units. closed: [unit * devices + device]. */
static dv_status break_symmetry(const dv_problem *p, bool *closed)
{
    heavy *order = calloc((size_t)p->unit_count + 1, sizeof *order);
    if (!order)
        return dv_fail(DV_NO_MEMORY, "ilp: out of memory");
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        order[u] = (heavy){weight(p, u), u};
    qsort(order, p->unit_count, sizeof *order, by_weight);
    for (dv_device_id d = 0; d < p->device_count; d++) {
        uint32_t before = 0;
        for (dv_device_id e = 0; e < d; e++)
            before += dv_split_alike(p, e, d);
        for (uint32_t r = 0; r < before && r < p->unit_count; r++)
            closed[(size_t)order[r].u * p->device_count + d] = true;
    }
    free(order);
    return DV_OK;
}

static dv_status add_places(model *m)
{
    const dv_problem *p = m->p;
    bool *closed = calloc((size_t)p->unit_count * p->device_count + 1, sizeof *closed);
    if (!closed)
        return dv_fail(DV_NO_MEMORY, "ilp: out of memory");
    dv_status status = break_symmetry(p, closed);
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        dv_linear_row(&m->linear, 1.0, 1.0);
        for (dv_device_id d = 0; d < p->device_count; d++) {
            *place_of(m, u, d) = DV_NONE;
            if (closed[(size_t)u * p->device_count + d] || isinf(dv_problem_time_us(p, u, d)))
                continue;
            uint32_t x = dv_linear_column(
                &m->linear,
                (dv_column){
                    .kind = DV_COLUMN_PLACE, .a = u, .b = d, .upper = 1.0, .integer = true});
            *place_of(m, u, d) = x;
            dv_linear_entry(&m->linear, x, 1.0);
        }
    }
    free(closed);
    return status;
}

/* A row that says way >= x - y; either may be closed. */
static void add_way_row(model *m, uint32_t way, uint32_t x, uint32_t y)
{
    if (x == DV_NONE)
        return;
    dv_linear_row(&m->linear, 0.0, INFINITY);
    dv_linear_entry(&m->linear, way, 1.0);
    dv_linear_entry(&m->linear, x, -1.0);
    if (y != DV_NONE)
        dv_linear_entry(&m->linear, y, 1.0);
}

/* Columns and rows of tensor t's ways to and from device d; DV_NONE where there is none. */
static void add_ways(model *m, uint32_t t, dv_device_id d, uint32_t *in, uint32_t *out)
{
    const dv_problem *p = m->p;
    dv_unit_id maker = p->producer[t];
    uint32_t home = maker == DV_NONE ? DV_NONE : *place_of(m, maker, d);
    uint32_t readers = p->consumer_start[t + 1] - p->consumer_start[t];
    *in = *out = DV_NONE;
    if (readers > 0 && dv_load_in_us(p, t, d) > 0.0) {
        *in = dv_linear_column(&m->linear,
                               (dv_column){.kind = DV_COLUMN_INPUT, .a = t, .b = d, .upper = 1.0});
        for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++)
            add_way_row(m, *in, *place_of(m, p->consumers[i], d), home);
    }
    if (home == DV_NONE || dv_load_out_us(p, t, d) <= 0.0)
        return;
    if (p->host_needs[t]) {
        *out = home; /* always paid */
    } else if (readers > 0) {
        *out = dv_linear_column(
            &m->linear,
            (dv_column){.kind = DV_COLUMN_COPY, .a = t, .b = d, .c = p->host, .upper = 1.0});
        for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++)
            add_way_row(m, *out, home, *place_of(m, p->consumers[i], d));
    }
}

/* z[d], where a device that is used pays for that. */
static void add_use(model *m, dv_device_id d)
{
    const dv_problem *p = m->p;
    m->used[d] = DV_NONE;
    if (p->dispatch_us[d] + p->session_us[d] <= 0.0)
        return;
    m->used[d] =
        dv_linear_column(&m->linear, (dv_column){.kind = DV_COLUMN_SESSION, .a = d, .upper = 1.0});
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        add_way_row(m, m->used[d], *place_of(m, u, d), DV_NONE);
}

/* The load of d is at most T. */
static void add_load_row(model *m, dv_device_id d)
{
    const dv_problem *p = m->p;
    for (uint32_t t = 0; t < p->tensor_count; t++)
        add_ways(m, t, d, &m->first[t], &m->second[t]);
    add_use(m, d);
    dv_linear_row(&m->linear, -INFINITY, 0.0);
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        if (*place_of(m, u, d) != DV_NONE)
            dv_linear_entry(&m->linear, *place_of(m, u, d), dv_problem_time_us(p, u, d));
    for (uint32_t t = 0; t < p->tensor_count; t++) {
        if (m->first[t] != DV_NONE)
            dv_linear_entry(&m->linear, m->first[t], dv_load_in_us(p, t, d));
        if (m->second[t] != DV_NONE)
            dv_linear_entry(&m->linear, m->second[t], dv_load_out_us(p, t, d));
    }
    if (m->used[d] != DV_NONE)
        dv_linear_entry(&m->linear, m->used[d], p->dispatch_us[d] + p->session_us[d]);
    dv_linear_entry(&m->linear, m->largest, -1.0);
}

static void add_capacity_row(model *m, dv_device_id d)
{
    const dv_problem *p = m->p;
    double capacity = p->capacity_bytes[d];
    if (!p->memory_bytes || !isfinite(capacity))
        return;
    double unit = capacity > 0.0 ? capacity : 1.0; /* sizes of about 1 suit GLPK's tolerances */
    dv_linear_row(&m->linear, -INFINITY, capacity > 0.0 ? 1.0 + 1e-9 : 0.0);
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        if (*place_of(m, u, d) != DV_NONE)
            dv_linear_entry(&m->linear, *place_of(m, u, d),
                            p->memory_bytes[(size_t)u * p->target_count + d] / unit);
}

static dv_status build(model *m)
{
    const dv_problem *p = m->p;
    size_t cells = (size_t)p->unit_count * p->device_count, tensors = (size_t)p->tensor_count + 1;
    m->place = calloc(cells + 1, sizeof *m->place);
    m->used = calloc((size_t)p->device_count + 1, sizeof *m->used);
    m->first = calloc(tensors, sizeof *m->first);
    m->second = calloc(tensors, sizeof *m->second);
    if (!m->place || !m->used || !m->first || !m->second)
        return dv_fail(DV_NO_MEMORY, "ilp: out of memory");
    m->largest = dv_linear_column(
        &m->linear,
        (dv_column){.kind = DV_COLUMN_LOAD, .cost = 1.0, .upper = m->settings->upper_us});
    DV_TRY(add_places(m));
    for (dv_device_id d = 0; d < p->device_count; d++) {
        add_load_row(m, d);
        add_capacity_row(m, d);
    }
    dv_linear_row(&m->linear, fmin(m->settings->floor_us, m->settings->upper_us), INFINITY);
    dv_linear_entry(&m->linear, m->largest, 1.0);
    return m->linear.failed ? dv_fail(DV_NO_MEMORY, "ilp: out of memory") : DV_OK;
}

static void read_point(const model *m, const double *x, dv_target_id *target)
{
    for (dv_unit_id u = 0; u < m->p->unit_count; u++) {
        double most = -1.0;
        for (dv_device_id d = 0; d < m->p->device_count; d++) {
            uint32_t j = *place_of(m, u, d);
            if (j != DV_NONE && x[j] > most) {
                most = x[j];
                target[u] = d;
            }
        }
    }
}

static dv_status solve(model *m, dv_glpk *glpk, const dv_glpk_control *control, double *x,
                       double *y, dv_target_id *target, bool *found, bool *exact, double *bound_us)
{
    dv_glpk_outcome outcome;
    dv_progress_step(m->settings->progress, "ilp: relaxation", -1.0);
    DV_TRY(dv_glpk_relax(glpk, control, NULL, NULL, x, y, &outcome));
    if (outcome == DV_GLPK_OPTIMAL || outcome == DV_GLPK_LIMIT)
        *bound_us = fmax(*bound_us, dv_linear_bound(&m->linear, y));
    *exact = outcome == DV_GLPK_INFEASIBLE;
    if (outcome == DV_GLPK_INFEASIBLE)
        *bound_us = m->settings->upper_us;
    if (outcome != DV_GLPK_OPTIMAL || *bound_us >= m->settings->upper_us)
        return DV_OK;
    dv_progress_step(m->settings->progress, "ilp: branch and bound", -1.0);
    double tree_us = -INFINITY;
    DV_TRY(dv_glpk_branch(glpk, control, x, found, &tree_us, &outcome));
    if (*found)
        read_point(m, x, target);
    *exact = outcome == DV_GLPK_OPTIMAL || outcome == DV_GLPK_INFEASIBLE;
    if (outcome == DV_GLPK_INFEASIBLE)
        *bound_us = m->settings->upper_us;
    else if (outcome == DV_GLPK_OPTIMAL || (outcome == DV_GLPK_LIMIT && tree_us > -1e300))
        *bound_us = fmax(*bound_us, fmin(tree_us, m->settings->upper_us));
    if (outcome == DV_GLPK_FAILED)
        dv_progress_log(m->settings->progress,
                        "ilp: GLPK met numerical trouble; the bound is weak");
    return DV_OK;
}

static dv_status run(model *m, dv_target_id *target, bool *found, bool *exact, double *bound_us)
{
    const dv_load_ilp_settings *settings = m->settings;
    DV_TRY(build(m));
    if (settings->size_limit > 0 && m->linear.entry_count > settings->size_limit)
        return DV_OK;
    dv_glpk_control control = {.deadline_s = settings->deadline_s,
                               .progress = settings->progress,
                               .tolerance = settings->tolerance,
                               .scale = 1.0,
                               .node_limit = settings->node_limit};
    double *x = calloc((size_t)m->linear.column_count + 1, sizeof *x);
    double *y = calloc((size_t)m->linear.row_count + 1, sizeof *y);
    dv_glpk *glpk = NULL;
    dv_status status = x && y ? dv_glpk_create(&m->linear, control.scale, &glpk)
                              : dv_fail(DV_NO_MEMORY, "ilp: out of memory");
    if (status == DV_OK)
        status = solve(m, glpk, &control, x, y, target, found, exact, bound_us);
    dv_glpk_destroy(glpk);
    free(x);
    free(y);
    return status;
}

dv_status dv_load_ilp_run(const dv_problem *pieces, const dv_load_ilp_settings *settings,
                          dv_target_id *target, bool *found, bool *exact, double *bound_us)
{
    model m = {.p = pieces, .settings = settings};
    *found = *exact = false;
    *bound_us = settings->floor_us;
    dv_status status = run(&m, target, found, exact, bound_us);
    dv_linear_free(&m.linear);
    free(m.place);
    free(m.used);
    free(m.first);
    free(m.second);
    return status;
}
