/* overlap_relax.c - chains and loads in one linear program.

     minimise T, over x[u,a] >= 0 with sum_a x[u,a] = 1, ends E[u] and, for each edge (u, v) of
     tensor t, pairs m[a,b] >= 0 with sum_b m[a,b] = x[u,a] and sum_a m[a,b] = x[v,b]

     E[u] >= sum_a head[u,a] x[u,a],   T >= E[u] + sum_a tail[u,a] x[u,a]
     E[v] >= E[u] + sum_ab (move(t,a,b) + unescaped dispatch) m[a,b] + sum_b time[v,b] x[v,b]
     T >= r y + sum over (u,a) on d that start at r or later and have tail q or more of time[u,a]
          x[u,a] + q y,   y >= x[u,a] of each of them      per device d and some r, q
     T >= conversions and time of a device; T >= moves over a link

   A tensor with several readers counts for one of them at a device or link: which is less than all
   its copies. Every plan is a point of the program, with T its makespan. */
#include <math.h>
#include <stdlib.h>

#include "core/clock.h"
#include "solver/ilp_glpk.h"
#include "solver/overlap_bound.h"

/* Of r and of q, each device; and how many units of a window, the longest, y is held above (to
   leave rows out makes the bound weaker, never wrong). */
enum { STEPS = 4, HELD = 16 };

typedef struct program {
    const dv_overlap_bound *b;
    const dv_problem *p;
    dv_linear linear;
    double upper_us;
    uint32_t *place;      /* [unit * targets + target]: column of x; UINT32_MAX: closed */
    uint32_t *end;        /* per unit: column of E */
    uint32_t *first_pair; /* per edge, in the order of tensors and readers: its first pair column */
    bool pairs;    /* else moves are left out, for programs that would be too large with them */
    uint32_t last; /* column of T */
} program;

static uint32_t column(program *g, dv_column_kind kind, uint32_t a, uint32_t b, uint32_t c,
                       double upper)
{
    return dv_linear_column(&g->linear,
                            (dv_column){.kind = kind, .a = a, .b = b, .c = c, .upper = upper});
}

static bool open_at(const program *g, dv_unit_id u, dv_target_id a)
{
    return g->place[(size_t)u * g->p->target_count + a] != UINT32_MAX;
}

static void add_units(program *g)
{
    const dv_problem *p = g->p;
    g->last = column(g, DV_COLUMN_SESSION, 0, 0, 0, g->upper_us);
    dv_linear_cost(&g->linear, g->last, 1.0);
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        g->end[u] = column(g, DV_COLUMN_SESSION, u, 0, 0, g->upper_us);
        for (dv_target_id a = 0; a < p->target_count; a++) {
            size_t cell = (size_t)u * p->target_count + a;
            g->place[cell] = isfinite(g->b->head_us[cell])
                                 ? column(g, DV_COLUMN_PLACE, u, a, 0, 1.0)
                                 : UINT32_MAX;
        }
        dv_linear_row(&g->linear, 1.0, 1.0);
        for (dv_target_id a = 0; a < p->target_count; a++)
            if (open_at(g, u, a))
                dv_linear_entry(&g->linear, g->place[(size_t)u * p->target_count + a], 1.0);
    }
}

/* The sum over u's targets of figure x, times sign, into the last row. */
static void add_figure(program *g, dv_unit_id u, const double *figure, double sign)
{
    const dv_problem *p = g->p;
    for (dv_target_id a = 0; a < p->target_count; a++)
        if (open_at(g, u, a))
            dv_linear_entry(&g->linear, g->place[(size_t)u * p->target_count + a],
                            sign * figure[(size_t)u * p->target_count + a]);
}

static void add_ends(program *g)
{
    for (dv_unit_id u = 0; u < g->p->unit_count; u++) {
        dv_linear_row(&g->linear, 0.0, INFINITY);
        dv_linear_entry(&g->linear, g->end[u], 1.0);
        add_figure(g, u, g->b->head_us, -1.0);
        dv_linear_row(&g->linear, 0.0, INFINITY);
        dv_linear_entry(&g->linear, g->last, 1.0);
        dv_linear_entry(&g->linear, g->end[u], -1.0);
        add_figure(g, u, g->b->tail_us, -1.0);
    }
}

/* Pair columns of the edge from t's maker to a reader: those of open targets, in the order of
   (a, b). */
static void add_pairs(program *g, uint32_t t, uint32_t reader)
{
    const dv_problem *p = g->p;
    dv_unit_id u = p->producer[t], v = p->consumers[reader];
    uint32_t n = p->target_count, next, *first = &g->first_pair[reader];
    *first = g->linear.column_count;
    for (dv_target_id a = 0; a < n; a++)
        for (dv_target_id b = 0; b < n; b++)
            if (open_at(g, u, a) && open_at(g, v, b))
                (void)column(g, DV_COLUMN_PAIR, t, a, b, 1.0);
    next = *first;
    for (dv_target_id a = 0; a < n; a++) {
        if (!open_at(g, u, a))
            continue;
        dv_linear_row(&g->linear, 0.0, 0.0);
        dv_linear_entry(&g->linear, g->place[(size_t)u * n + a], -1.0);
        for (dv_target_id b = 0; b < n; b++)
            if (open_at(g, v, b))
                dv_linear_entry(&g->linear, next++, 1.0);
    }
    for (dv_target_id b = 0; b < n; b++) {
        if (!open_at(g, v, b))
            continue;
        next = *first;
        dv_linear_row(&g->linear, 0.0, 0.0);
        dv_linear_entry(&g->linear, g->place[(size_t)v * n + b], -1.0);
        for (dv_target_id a = 0; a < n; a++)
            for (dv_target_id to = 0; to < n; to++)
                if (open_at(g, u, a) && open_at(g, v, to)) {
                    if (to == b)
                        dv_linear_entry(&g->linear, next, 1.0);
                    next++;
                }
    }
    dv_linear_row(&g->linear, 0.0, INFINITY);
    dv_linear_entry(&g->linear, g->end[v], 1.0);
    dv_linear_entry(&g->linear, g->end[u], -1.0);
    add_figure(g, v, p->time_us, -1.0);
    next = *first;
    for (dv_target_id a = 0; a < n; a++)
        for (dv_target_id b = 0; b < n; b++)
            if (open_at(g, u, a) && open_at(g, v, b))
                dv_linear_entry(&g->linear, next++, -dv_overlap_edge_us(g->b, t, reader, a, b));
}

/* The same without moves. */
static void add_chain(program *g, uint32_t t, uint32_t reader)
{
    dv_unit_id u = g->p->producer[t], v = g->p->consumers[reader];
    dv_linear_row(&g->linear, 0.0, INFINITY);
    dv_linear_entry(&g->linear, g->end[v], 1.0);
    dv_linear_entry(&g->linear, g->end[u], -1.0);
    add_figure(g, v, g->p->time_us, -1.0);
}

static void add_edges(program *g)
{
    const dv_problem *p = g->p;
    for (uint32_t t = 0; t < p->tensor_count; t++)
        for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++)
            if (p->producer[t] != DV_NONE && g->pairs)
                add_pairs(g, t, i);
            else if (p->producer[t] != DV_NONE)
                add_chain(g, t, i);
}

/* Moves of one reader a tensor between devices d and e (d = e: conversions), less than or equal to
   T with what else is in the last row. */
static void add_moves(program *g, dv_device_id d, dv_device_id e)
{
    const dv_problem *p = g->p;
    uint32_t n = p->target_count;
    for (uint32_t t = 0; t < p->tensor_count; t++) {
        uint32_t i = p->consumer_start[t];
        if (p->producer[t] == DV_NONE || i == p->consumer_start[t + 1])
            continue;
        uint32_t next = g->first_pair[i];
        for (dv_target_id a = 0; a < n; a++)
            for (dv_target_id b = 0; b < n; b++)
                if (open_at(g, p->producer[t], a) && open_at(g, p->consumers[i], b)) {
                    if (a != b && p->device[a] == d && p->device[b] == e)
                        dv_linear_entry(&g->linear, next, -dv_problem_move_us(p, t, a, b));
                    next++;
                }
    }
}

static void add_links(program *g)
{
    for (dv_device_id d = 0; d < g->p->device_count; d++)
        for (dv_device_id e = 0; e < g->p->device_count; e++) {
            dv_linear_row(&g->linear, 0.0, INFINITY);
            dv_linear_entry(&g->linear, g->last, 1.0);
            add_moves(g, d, e);
            for (dv_unit_id u = 0; d == e && u < g->p->unit_count; u++)
                for (dv_target_id a = 0; a < g->p->target_count; a++)
                    if (g->p->device[a] == d && open_at(g, u, a))
                        dv_linear_entry(&g->linear, g->place[(size_t)u * g->p->target_count + a],
                                        -dv_problem_time_us(g->p, u, a));
        }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static bool is_within(const program *g, dv_device_id d, dv_unit_id u, dv_target_id a, double r,
                      double q)
{
    size_t cell = (size_t)u * g->p->target_count + a;
    return g->p->device[a] == d && open_at(g, u, a) &&
           g->b->head_us[cell] - g->p->time_us[cell] >= r && g->b->tail_us[cell] >= q;
}

/* The HELD-th longest time within a window; 0 if there are fewer. */
static double longest_of(const program *g, dv_device_id d, double r, double q)
{
    double longest[HELD + 1] = {0.0};
    for (dv_unit_id u = 0; u < g->p->unit_count; u++)
        for (dv_target_id a = 0; a < g->p->target_count; a++)
            if (is_within(g, d, u, a, r, q)) { /* the least gives way */
                longest[0] = dv_problem_time_us(g->p, u, a);
                qsort(longest, HELD + 1, sizeof *longest, by_value);
            }
    return longest[1];
}

/* Work on device d that starts at r or later and leaves q or more. */
static void add_window(program *g, dv_device_id d, double r, double q)
{
    const dv_problem *p = g->p;
    double least = longest_of(g, d, r, q);
    uint32_t used = column(g, DV_COLUMN_SESSION, d, 0, 0, 1.0);
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 0) {
            dv_linear_row(&g->linear, 0.0, INFINITY);
            dv_linear_entry(&g->linear, g->last, 1.0);
            dv_linear_entry(&g->linear, used, -(r + q));
        }
        for (dv_unit_id u = 0; u < p->unit_count; u++)
            for (dv_target_id a = 0; a < p->target_count; a++) {
                size_t cell = (size_t)u * p->target_count + a;
                double time = p->time_us[cell];
                if (!is_within(g, d, u, a, r, q))
                    continue;
                if (pass == 0) {
                    dv_linear_entry(&g->linear, g->place[cell], -time);
                } else if (time >= least) {
                    dv_linear_row(&g->linear, 0.0, INFINITY);
                    dv_linear_entry(&g->linear, used, 1.0);
                    dv_linear_entry(&g->linear, g->place[cell], -1.0);
                }
            }
    }
}

/* The figures (heads less times, or tails) of what may be on d, sorted; returns how many. */
static size_t figures_of(const program *g, dv_device_id d, bool tails, double *list)
{
    const dv_problem *p = g->p;
    size_t count = 0;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        for (dv_target_id a = 0; a < p->target_count; a++) {
            size_t cell = (size_t)u * p->target_count + a;
            if (p->device[a] == d && open_at(g, u, a))
                list[count++] =
                    tails ? g->b->tail_us[cell] : g->b->head_us[cell] - p->time_us[cell];
        }
    qsort(list, count, sizeof *list, by_value);
    return count;
}

static void add_windows(program *g, double *heads, double *tails)
{
    for (dv_device_id d = 0; d < g->p->device_count; d++) {
        size_t count = figures_of(g, d, false, heads);
        (void)figures_of(g, d, true, tails);
        for (size_t i = 0; count && i < STEPS; i++)
            for (size_t k = 0; k + i < STEPS; k++)
                if ((i == 0 || heads[i * count / STEPS] > heads[(i - 1) * count / STEPS]) &&
                    (k == 0 || tails[k * count / STEPS] > tails[(k - 1) * count / STEPS]))
                    add_window(g, d, heads[i * count / STEPS], tails[k * count / STEPS]);
    }
}

static dv_status relax(program *g, double deadline_s, const dv_progress *progress, double *bound_us)
{
    dv_glpk *glpk = NULL;
    dv_glpk_outcome outcome;
    const dv_linear *linear = &g->linear;
    double *x = calloc((size_t)linear->column_count + 1, sizeof *x);
    double *y = calloc((size_t)linear->row_count + 1, sizeof *y);
    dv_status status = x && y ? DV_OK : dv_fail(DV_NO_MEMORY, "makespan: out of memory");
    double scale = g->upper_us > 0.0 ? 1e3 / g->upper_us : 1.0;
    if (status == DV_OK)
        status = dv_glpk_create(linear, scale, &glpk);
    dv_glpk_control control = {
        .deadline_s = deadline_s, .progress = progress, .tolerance = 1e-9, .scale = scale};
    if (status == DV_OK)
        status = dv_glpk_relax(glpk, &control, NULL, NULL, x, y, &outcome);
    if (status == DV_OK && outcome != DV_GLPK_INFEASIBLE) /* which nobody could certify */
        *bound_us = dv_linear_bound(linear, y);
    dv_glpk_destroy(glpk);
    free(x);
    free(y);
    return status;
}

/* What the program will have in columns, about. */
static double size_of(const dv_problem *p, bool pairs)
{
    double targets = p->target_count;
    double edges = pairs ? p->consumer_start[p->tensor_count] : 0.0;
    return p->unit_count * (1 + targets) + edges * targets * targets;
}

dv_status dv_overlap_relax(const dv_overlap_bound *bound, double upper_us, uint32_t column_limit,
                           double deadline_s, const dv_progress *progress, double *bound_us)
{
    const dv_problem *p = bound->problem;
    *bound_us = -INFINITY;
    if (size_of(p, false) > column_limit || !isfinite(upper_us) || dv_clock_s() >= deadline_s)
        return DV_OK;
    size_t cells = (size_t)p->unit_count * p->target_count + 1;
    /* Room enough for fractional ends, so that the program always has a point. */
    program g = {
        .b = bound, .p = p, .upper_us = 4.0 * upper_us, .pairs = size_of(p, true) <= column_limit};
    g.place = calloc(cells, sizeof *g.place);
    g.end = calloc((size_t)p->unit_count + 1, sizeof *g.end);
    g.first_pair = calloc((size_t)p->consumer_start[p->tensor_count] + 1, sizeof *g.first_pair);
    double *heads = calloc(cells, sizeof *heads), *tails = calloc(cells, sizeof *tails);
    dv_status status = DV_OK;
    if (!g.place || !g.end || !g.first_pair || !heads || !tails)
        status = dv_fail(DV_NO_MEMORY, "makespan: out of memory");
    if (status == DV_OK) {
        add_units(&g);
        add_ends(&g);
        add_edges(&g);
        if (g.pairs)
            add_links(&g);
        add_windows(&g, heads, tails);
        status = g.linear.failed ? dv_fail(DV_NO_MEMORY, "makespan: out of memory")
                                 : relax(&g, deadline_s, progress, bound_us);
    }
    dv_linear_free(&g.linear);
    free(g.place);
    free(g.end);
    free(g.first_pair);
    free(heads);
    free(tails);
    return status;
}
