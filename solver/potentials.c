/* potentials.c - dispatch where the order is free: what every order pays, counted along paths.

   Along a path of the graph the devices are a subsequence of the segments' devices. So a device has
   at least as many segments as any path has entries into it, whichever other path decides for the
   other devices:

     P[v,d] >= P[u,d] + (v on d, u not)     for each edge (u,v)
     N[d] >= P[v,d]                         the segments on d, at dispatch[d] each

   What runs first and what runs last are known to be on one device each, F and G. All that has no
   producer comes after the first segment, all that has no reader before the end of the last one:

     P[v,d] >= F[d]  and  P[v,d] >= (v on d)         where v reads from no unit
     N[d] >= P[v,d] + G[d] - (v on d)                where no unit reads from v

   With two devices this is what the best order pays, with more it nearly always is. Edges that a
   longer path joins say nothing more and are left out; a unit in the middle of a chain has no P of
   its own, it is that of the chain's beginning plus the entries on the way. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/pairwise_terms.h"

struct dv_potentials {
    bool *counts;   /* per entry of problem->next: no longer path joins its ends */
    uint32_t *into; /* per unit: how many such edges come in; likewise those that go out */
    uint32_t *out_of;
    uint32_t *passed;               /* [unit * devices + device]: column of P, or UINT32_MAX */
    uint32_t *count, *first, *last; /* per device: columns of N, F, G, or UINT32_MAX */
    uint32_t source_count, sink_count;
    double *most;  /* [unit * devices + device]: no path to the unit enters the device more often */
    double *value; /* per unit, to work in */
};

/* Beyond so many units all edges are taken to count: to find the others takes units^2 / 8 bytes. */
enum { REDUCED_UNITS = 20000 };

void dv_potentials_free(struct dv_potentials *p)
{
    if (!p)
        return;
    free(p->counts);
    free(p->into);
    free(p->out_of);
    free(p->passed);
    free(p->count);
    free(p->first);
    free(p->last);
    free(p->most);
    free(p->value);
    free(p);
}

static uint32_t *unset(size_t count)
{
    uint32_t *items = malloc((count + 1) * sizeof *items);
    if (items)
        memset(items, 0xff, (count + 1) * sizeof *items);
    return items;
}

/* Marks edge (u,v) as one that counts unless another producer of v comes after u. above: per unit,
   the set of units before it as words of bits. */
static void mark(const dv_problem *problem, struct dv_potentials *p, const uint64_t *above,
                 size_t words)
{
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        for (uint32_t i = problem->next_start[u]; i < problem->next_start[u + 1]; i++) {
            dv_unit_id v = problem->next[i];
            p->counts[i] = true;
            for (uint32_t k = problem->previous_start[v];
                 above && k < problem->previous_start[v + 1]; k++)
                if (above[problem->previous[k] * words + u / 64] >> u % 64 & 1u)
                    p->counts[i] = false;
            p->into[v] += p->counts[i];
            p->out_of[u] += p->counts[i];
        }
}

static bool find_edges(const dv_problem *problem, struct dv_potentials *p)
{
    size_t words = problem->unit_count / 64 + 1;
    uint64_t *above = NULL;
    if (problem->unit_count <= REDUCED_UNITS) {
        above = calloc(problem->unit_count * words + 1, sizeof *above);
        if (!above)
            return false;
        for (dv_unit_id v = 0; v < problem->unit_count; v++)
            for (uint32_t k = problem->previous_start[v]; k < problem->previous_start[v + 1]; k++) {
                dv_unit_id u = problem->previous[k];
                for (size_t w = 0; w < words; w++)
                    above[v * words + w] |= above[u * words + w];
                above[v * words + u / 64] |= UINT64_C(1) << u % 64;
            }
    }
    mark(problem, p, above, words);
    free(above);
    return true;
}

dv_status dv_potentials_create(dv_pairwise *m)
{
    const dv_problem *problem = m->problem;
    size_t units = (size_t)problem->unit_count + 1, devices = problem->device_count;
    struct dv_potentials *p = calloc(1, sizeof *p);
    m->potentials = p;
    if (!p)
        return dv_fail(DV_NO_MEMORY, "ilp: out of memory");
    p->counts = calloc((size_t)problem->next_start[problem->unit_count] + 1, sizeof *p->counts);
    p->into = calloc(units, sizeof *p->into);
    p->out_of = calloc(units, sizeof *p->out_of);
    p->passed = unset(units * devices);
    p->count = unset(devices);
    p->first = unset(devices);
    p->last = unset(devices);
    p->most = calloc(units * devices + 1, sizeof *p->most);
    p->value = calloc(units, sizeof *p->value);
    bool ok = p->value && p->counts && p->into && p->out_of && p->passed && p->count && p->first &&
              p->last && p->most && find_edges(problem, p);
    if (!ok)
        return dv_fail(DV_NO_MEMORY, "ilp: out of memory");
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        p->source_count += p->into[u] == 0;
        p->sink_count += p->out_of[u] == 0;
    }
    return DV_OK;
}

bool dv_potentials_edge_counts(const dv_pairwise *m, uint32_t edge)
{
    if (!m->potentials->counts[edge])
        return false;
    for (dv_device_id d = 0; d < m->problem->device_count; d++)
        if (dv_pairwise_device_counts(m->problem, d))
            return true;
    return false;
}

/* The edge of problem->next from u to v. */
static uint32_t edge_between(const dv_problem *problem, dv_unit_id u, dv_unit_id v)
{
    uint32_t i = problem->next_start[u];
    while (problem->next[i] != v)
        i++;
    return i;
}

/* The next producer of v from the k-th on whose edge counts, and that edge; false: none. */
static bool producer_from(const dv_pairwise *m, dv_unit_id v, uint32_t *k, uint32_t *edge)
{
    const dv_problem *problem = m->problem;
    for (; *k < problem->previous_start[v + 1]; ++*k) {
        *edge = edge_between(problem, problem->previous[*k], v);
        if (m->potentials->counts[*edge])
            return true;
    }
    return false;
}

/* Adds value * (v on d, u not) for an edge. */
static void add_entry(dv_pairwise *m, uint32_t edge, dv_unit_id u, dv_unit_id v, dv_device_id d,
                      double value)
{
    if (!dv_pairwise_may_be_on(m, v, d) || !dv_pairwise_may_be_off(m, u, d))
        return;
    if (m->form == DV_FORM_PAIRWISE)
        dv_pairwise_add_entering(m, &m->pair[m->edge_pair[edge]], d, value);
    else
        dv_linear_entry(&m->linear, m->entering[(size_t)edge * m->problem->device_count + d],
                        value);
}

/* Adds value * P[v,d], whether v has a column for it or a chain leads to one that has. */
static void add_passed(dv_pairwise *m, dv_unit_id v, dv_device_id d, double value)
{
    const struct dv_potentials *p = m->potentials;
    for (;;) {
        uint32_t column = p->passed[(size_t)v * m->problem->device_count + d];
        if (column != UINT32_MAX) {
            dv_linear_entry(&m->linear, column, value);
            return;
        }
        if (p->into[v] == 0) {
            dv_pairwise_add_on(m, v, d, value);
            return;
        }
        uint32_t k = m->problem->previous_start[v], edge = 0;
        producer_from(m, v, &k, &edge);
        add_entry(m, edge, m->problem->previous[k], v, d, value);
        v = m->problem->previous[k];
    }
}

static void begin_cover(dv_pairwise *m, uint32_t column)
{
    dv_linear_row(&m->linear, 0.0, INFINITY);
    if (!m->linear.failed)
        m->linear.row[m->linear.row_count - 1].cover = column;
    dv_linear_entry(&m->linear, column, 1.0);
}

/* Is P[v,.] a column? A unit within a chain needs none. */
static bool has_column(const struct dv_potentials *p, dv_unit_id v)
{
    if (p->into[v] == 0)
        return p->source_count > 1;
    return p->into[v] > 1 || p->out_of[v] > 1;
}

static void add_unit(dv_pairwise *m, dv_unit_id v, dv_device_id d)
{
    struct dv_potentials *p = m->potentials;
    size_t at = (size_t)v * m->problem->device_count + d;
    bool may_be_on = dv_pairwise_may_be_on(m, v, d);
    p->most[at] = p->source_count > 1 || may_be_on ? 1.0 : 0.0;
    uint32_t edge = 0;
    for (uint32_t k = m->problem->previous_start[v]; producer_from(m, v, &k, &edge); k++) {
        dv_unit_id u = m->problem->previous[k];
        bool enters = may_be_on && dv_pairwise_may_be_off(m, u, d);
        p->most[at] =
            fmax(p->most[at], p->most[(size_t)u * m->problem->device_count + d] + (enters ? 1 : 0));
    }
    if (!has_column(p, v))
        return;
    uint32_t column = dv_linear_column(
        &m->linear, (dv_column){.kind = DV_COLUMN_PASSED, .a = v, .b = d, .upper = p->most[at]});
    p->passed[at] = column;
    if (p->into[v] == 0) {
        dv_pairwise_add_cover(m, column, p->first[d]);
        begin_cover(m, column);
        dv_pairwise_add_on(m, v, d, -1.0);
        return;
    }
    for (uint32_t k = m->problem->previous_start[v]; producer_from(m, v, &k, &edge); k++) {
        begin_cover(m, column);
        add_entry(m, edge, m->problem->previous[k], v, d, -1.0);
        add_passed(m, m->problem->previous[k], d, -1.0);
    }
}

/* Columns of a choice of one device: what runs first, or last. */
static void add_choice(dv_pairwise *m, dv_column_kind kind, const uint32_t *degree,
                       uint32_t *columns)
{
    const dv_problem *problem = m->problem;
    for (dv_device_id d = 0; d < problem->device_count; d++) {
        bool may = false;
        for (dv_unit_id u = 0; u < problem->unit_count && !may; u++)
            may = degree[u] == 0 && dv_pairwise_may_be_on(m, u, d);
        columns[d] = dv_linear_column(&m->linear,
                                      (dv_column){.kind = kind, .a = d, .upper = may ? 1.0 : 0.0});
    }
    dv_linear_row(&m->linear, 1.0, 1.0);
    for (dv_device_id d = 0; d < problem->device_count; d++)
        dv_linear_entry(&m->linear, columns[d], 1.0);
}

static void add_count(dv_pairwise *m, dv_device_id d)
{
    const dv_problem *problem = m->problem;
    struct dv_potentials *p = m->potentials;
    double most = 0.0;
    for (dv_unit_id v = 0; v < problem->unit_count; v++)
        most = fmax(most, p->most[(size_t)v * problem->device_count + d] + 1.0);
    p->count[d] = dv_linear_column(&m->linear, (dv_column){.kind = DV_COLUMN_COUNT,
                                                           .a = d,
                                                           .cost = problem->dispatch_us[d],
                                                           .upper = most,
                                                           .integer = true});
    for (dv_unit_id v = 0; v < problem->unit_count; v++) {
        if (p->out_of[v] > 0)
            continue;
        begin_cover(m, p->count[d]);
        add_passed(m, v, d, -1.0);
        if (p->sink_count == 1)
            continue;
        begin_cover(m, p->count[d]);
        add_passed(m, v, d, -1.0);
        dv_linear_entry(&m->linear, p->last[d], -1.0);
        dv_pairwise_add_on(m, v, d, 1.0);
    }
}

void dv_potentials_add(dv_pairwise *m)
{
    const dv_problem *problem = m->problem;
    struct dv_potentials *p = m->potentials;
    bool any = false;
    for (dv_device_id d = 0; d < problem->device_count; d++)
        any = any || dv_pairwise_device_counts(problem, d);
    if (!any)
        return;
    if (p->source_count > 1)
        add_choice(m, DV_COLUMN_FIRST, p->into, p->first);
    if (p->sink_count > 1)
        add_choice(m, DV_COLUMN_LAST, p->out_of, p->last);
    for (dv_device_id d = 0; d < problem->device_count; d++) {
        if (!dv_pairwise_device_counts(problem, d))
            continue;
        for (dv_unit_id v = 0; v < problem->unit_count; v++)
            add_unit(m, v, d);
        add_count(m, d);
    }
}

void dv_potentials_add_segment_limit(dv_pairwise *m)
{
    dv_linear_row(&m->linear, -INFINITY, (double)m->problem->max_segments);
    for (dv_device_id d = 0; d < m->problem->device_count; d++)
        if (m->potentials->count[d] != UINT32_MAX)
            dv_linear_entry(&m->linear, m->potentials->count[d], 1.0);
}

/* How often the dearest path to each unit enters d, into passed; returns N[d]. */
static double count_entries(const dv_pairwise *m, const dv_target_id *target, dv_device_id d,
                            bool is_first, bool is_last, double *passed)
{
    const dv_problem *problem = m->problem;
    const struct dv_potentials *p = m->potentials;
    double most = 0.0;
    for (dv_unit_id v = 0; v < problem->unit_count; v++) {
        bool on = problem->device[target[v]] == d;
        passed[v] = on || (is_first && p->into[v] == 0) ? 1.0 : 0.0;
        uint32_t edge = 0;
        for (uint32_t k = problem->previous_start[v]; producer_from(m, v, &k, &edge); k++) {
            dv_unit_id u = problem->previous[k];
            bool enters = on && problem->device[target[u]] != d;
            passed[v] = fmax(passed[v], passed[u] + (enters ? 1.0 : 0.0));
        }
        if (p->out_of[v] == 0)
            most = fmax(most, passed[v] + (is_last && !on ? 1.0 : 0.0));
    }
    return most;
}

static void set_entries(const dv_pairwise *m, const dv_target_id *target, double *x)
{
    const dv_problem *problem = m->problem;
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        for (uint32_t i = problem->next_start[u]; i < problem->next_start[u + 1]; i++) {
            dv_device_id from = problem->device[target[u]];
            dv_device_id to = problem->device[target[problem->next[i]]];
            uint32_t column = m->entering[(size_t)i * problem->device_count + to];
            if (from != to && column != UINT32_MAX)
                x[column] = 1.0;
        }
}

/* The device of the first unit without producers, or of the last without readers; DV_NONE: there is
   one such unit alone, and no choice. */
static dv_device_id end_device(const dv_pairwise *m, const dv_target_id *target, bool first)
{
    const struct dv_potentials *p = m->potentials;
    dv_device_id d = DV_NONE;
    if ((first ? p->source_count : p->sink_count) < 2)
        return d;
    for (dv_unit_id u = m->problem->unit_count; u-- > 0;)
        if ((first ? p->into[u] : p->out_of[u]) == 0 && (first || d == DV_NONE))
            d = m->problem->device[target[u]];
    return d;
}

void dv_potentials_point(const dv_pairwise *m, const dv_target_id *target, double *x)
{
    const dv_problem *problem = m->problem;
    const struct dv_potentials *p = m->potentials;
    dv_device_id first = end_device(m, target, true), last = end_device(m, target, false);
    set_entries(m, target, x);
    for (dv_device_id d = 0; d < problem->device_count; d++) {
        if (p->count[d] == UINT32_MAX)
            continue;
        x[p->count[d]] = count_entries(m, target, d, d == first, d == last, p->value);
        for (dv_unit_id v = 0; v < problem->unit_count; v++) {
            uint32_t column = p->passed[(size_t)v * problem->device_count + d];
            if (column != UINT32_MAX)
                x[column] = p->value[v];
        }
    }
    if (first != DV_NONE && p->first[first] != UINT32_MAX)
        x[p->first[first]] = 1.0;
    if (last != DV_NONE && p->last[last] != UINT32_MAX)
        x[p->last[last]] = 1.0;
}
