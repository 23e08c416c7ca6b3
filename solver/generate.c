/* generate.c - graphs of four families, devices that differ, and times that scatter.

   Heavy units (two in five) gain much from an accelerator, light ones little; some are not
   supported there. Moves and dispatch are dear in one half of the seeds and cheap in the other. */
#include "solver/generate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"

typedef struct maker {
    const dv_random_spec *spec;
    dv_rng rng;
    dv_problem *problem;
    bool failed; /* for lack of memory; nothing is made any more */
    size_t edge_count, edge_capacity;
    struct edge {
        uint32_t from, to; /* tensor (of unit from, or the input: units), reading unit */
    } * edge;
} maker;

static void *array(maker *m, size_t count, size_t size)
{
    void *items = dv_arena_array(m->problem->arena, count, size);
    m->failed = m->failed || !items;
    return items;
}

static double uniform(maker *m, double low, double high)
{
    return low + (high - low) * dv_rng_uniform(&m->rng);
}

static bool chance(maker *m, double probability)
{
    return dv_rng_uniform(&m->rng) < probability;
}

static uint32_t below(maker *m, uint32_t bound)
{
    return (uint32_t)dv_rng_below(&m->rng, bound);
}

/* A cost around size; with ties a small whole number, often 0. */
static double cost(maker *m, double size)
{
    return m->spec->ties ? (double)below(m, 4) : size * uniform(m, 0.2, 1.8);
}

static void edge(maker *m, uint32_t from, uint32_t to)
{
    for (size_t i = m->edge_count; i-- > 0 && m->edge[i].to == to;)
        if (m->edge[i].from == from)
            return;
    void *items = m->edge;
    if (!dv_grow(&items, &m->edge_capacity, m->edge_count + 1, sizeof *m->edge)) {
        m->failed = true;
        return;
    }
    m->edge = items;
    m->edge[m->edge_count++] = (struct edge){from, to};
}

static void edges_of_any(maker *m, uint32_t u)
{
    uint32_t input = m->spec->units;
    if (u == 0 || chance(m, 0.08))
        edge(m, input, u);
    if (u == 0 || chance(m, 0.05)) /* maybe a second start of a disconnected graph */
        return;
    edge(m, chance(m, 0.6) ? u - 1 : below(m, u), u);
    while (chance(m, 0.35))
        edge(m, below(m, u), u);
}

static void edges_of_resnet(maker *m, uint32_t u)
{
    edge(m, u == 0 ? m->spec->units : u - 1, u);
    if (u % 4 == 3 && u >= 4)
        edge(m, u - 4, u);
}

/* Unit 0 of a block reads what ends the block before. */
static void edges_of_transformer(maker *m, uint32_t u)
{
    enum { BLOCK = 34 };
    uint32_t i = u % BLOCK;
    if (u == 0)
        edge(m, m->spec->units, u);
    else if (i == 1 || i == 5 || i == 9) { /* query, key, value: matmul, bias, reshape, transpose */
        edge(m, u - i, u);
    } else {
        edge(m, u - 1, u);
        if (i == 13) /* scores read query and key */
            edge(m, u - 9, u), edge(m, u - 5, u);
        if (i == 17)
            edge(m, u - 8, u);
        if (i == 21)
            edge(m, u - 21, u);
        if (i == 33)
            edge(m, u - 11, u);
    }
}

static void edges_of_dag(maker *m, uint32_t u)
{
    uint32_t width = m->spec->width ? m->spec->width : 6, near = u < width ? u : width;
    edge(m, u == 0 ? m->spec->units : u - 1 - below(m, near), u);
    if (u > 0 && chance(m, 0.5))
        edge(m, u - 1 - below(m, near), u);
}

static int by_tensor(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->to < y->to ? -1 : x->to > y->to;
}

static void make_edges(maker *m)
{
    dv_random_shape shape = m->spec->shape;
    bool chain = shape == DV_RANDOM_CHAIN || (shape == DV_RANDOM_ANY && chance(m, 0.2));
    for (uint32_t u = 0; u < m->spec->units && !m->failed; u++) {
        if (chain)
            edge(m, u == 0 ? m->spec->units : u - 1, u);
        else if (shape == DV_RANDOM_ANY)
            edges_of_any(m, u);
        else if (shape == DV_RANDOM_RESNET)
            edges_of_resnet(m, u);
        else if (shape == DV_RANDOM_TRANSFORMER)
            edges_of_transformer(m, u);
        else
            edges_of_dag(m, u);
    }
    if (m->edge_count > 0)
        qsort(m->edge, m->edge_count, sizeof *m->edge, by_tensor);
}

/* Tensor u is what unit u makes; tensor units is the input. */
static void make_tensors(maker *m)
{
    dv_problem *p = m->problem;
    uint32_t tensors = m->spec->units + 1;
    p->tensor_count = tensors;
    dv_unit_id *producer = array(m, tensors, sizeof *producer);
    uint32_t *start = array(m, (size_t)tensors + 1, sizeof *start);
    dv_unit_id *consumers = array(m, m->edge_count, sizeof *consumers);
    bool *host_needs = array(m, tensors, sizeof *host_needs);
    double *bytes = array(m, (size_t)tensors * p->target_count, sizeof *bytes);
    const char **name = array(m, tensors, sizeof *name);
    if (m->failed)
        return;
    uint32_t next = 0;
    for (uint32_t t = 0; t < tensors; t++) {
        producer[t] = t < m->spec->units ? t : DV_NONE;
        start[t] = next;
        while (next < m->edge_count && m->edge[next].from == t) {
            consumers[next] = m->edge[next].to;
            next++;
        }
        host_needs[t] = t < m->spec->units &&
                        (start[t] == next || (m->spec->shape == DV_RANDOM_ANY && chance(m, 0.1)));
        double size = m->spec->ties ? below(m, 3) : 1e5 * uniform(m, 0.1, 4.0);
        for (dv_target_id a = 0; a < p->target_count; a++)
            bytes[(size_t)t * p->target_count + a] = a % 2 ? size / 2 : size;
        name[t] = dv_arena_printf(p->arena, "t%u", t);
    }
    start[tensors] = next;
    p->producer = producer;
    p->consumer_start = start;
    p->consumers = consumers;
    p->host_needs = host_needs;
    p->bytes = bytes;
    p->tensor_name = name;
}

static void make_targets(maker *m)
{
    dv_problem *p = m->problem;
    uint32_t count = p->target_count;
    dv_device_id *device = array(m, count, sizeof *device);
    double *latency = array(m, (size_t)count * count, sizeof *latency);
    double *per_byte = array(m, (size_t)count * count, sizeof *per_byte);
    const char **target_name = array(m, count, sizeof *target_name);
    const char **device_name = array(m, count, sizeof *device_name);
    if (m->failed)
        return;
    uint32_t devices = 0;
    for (dv_target_id a = 0; a < count; a++) {
        bool shared = a > 0 && m->spec->devices_shared && chance(m, 0.5);
        device[a] = shared ? devices - 1 : devices++;
        target_name[a] = dv_arena_printf(p->arena, "d%u:%u", device[a], a);
        if (!shared)
            device_name[device[a]] = dv_arena_printf(p->arena, "d%u", device[a]);
    }
    double overhead = chance(m, 0.5) ? 60.0 : 8.0;
    for (dv_target_id a = 0; a < count; a++)
        for (dv_target_id b = 0; b < count; b++)
            if (a != b) {
                double share = device[a] == device[b] ? 0.1 : 1.0;
                latency[(size_t)a * count + b] = share * cost(m, overhead);
                per_byte[(size_t)a * count + b] =
                    m->spec->ties ? below(m, 2) : uniform(m, 0.5e-4, 2e-4);
            }
    double *dispatch = array(m, devices, sizeof *dispatch);
    double *session = array(m, devices, sizeof *session);
    double *capacity = array(m, devices, sizeof *capacity);
    if (m->failed)
        return;
    bool sessions = m->spec->sessions && chance(m, 0.6);
    for (dv_device_id d = 0; d < devices; d++) {
        dispatch[d] = d == 0 ? cost(m, 2.0) : cost(m, overhead);
        session[d] = sessions ? cost(m, 3.0 * overhead) : 0.0;
        capacity[d] = INFINITY;
    }
    p->device_count = devices;
    p->device = device;
    p->move_latency_us = latency;
    p->move_us_per_byte = per_byte;
    p->target_name = target_name;
    p->device_name = device_name;
    p->dispatch_us = dispatch;
    p->session_us = session;
    p->capacity_bytes = capacity;
}

static void make_units(maker *m)
{
    dv_problem *p = m->problem;
    uint32_t units = p->unit_count, targets = p->target_count;
    double *time = array(m, (size_t)units * targets, sizeof *time);
    const char **name = array(m, units, sizeof *name);
    for (dv_unit_id u = 0; !m->failed && u < units; u++) {
        name[u] = dv_arena_printf(p->arena, "u%u", u);
        bool heavy = chance(m, 0.4);
        double base = heavy ? uniform(m, 100.0, 1500.0) : uniform(m, 2.0, 60.0);
        for (dv_target_id a = 0; a < targets; a++) {
            double gain = a == 0 ? 1.0 : heavy ? 3.0 + 3.0 * a : 1.0 + 0.6 * a;
            bool supported = a == 0 || !chance(m, 0.06 * (1.0 + a));
            double value =
                m->spec->ties ? (double)below(m, 6) : base / gain * uniform(m, 0.75, 1.25);
            time[(size_t)u * targets + a] = supported ? value : INFINITY;
        }
    }
    p->time_us = time;
    p->unit_name = name;
}

/* Figures of one kind for every unit and target. */
static const double *table(maker *m)
{
    size_t cells = (size_t)m->problem->unit_count * m->problem->target_count;
    double *values = array(m, cells, sizeof *values);
    for (size_t i = 0; !m->failed && i < cells; i++)
        values[i] = m->spec->ties ? (double)below(m, 5) : uniform(m, 0.0, 100.0);
    return values;
}

static void make_limits(maker *m)
{
    dv_problem *p = m->problem;
    double per_unit = m->spec->ties ? 2.0 : 50.0;
    p->memory_bytes = chance(m, 0.7) ? table(m) : NULL;
    p->energy_uj = chance(m, 0.5) ? table(m) : NULL;
    p->loss = chance(m, 0.5) ? table(m) : NULL;
    double *capacity = array(m, p->device_count, sizeof *capacity);
    for (dv_device_id d = 0; !m->failed && d < p->device_count; d++)
        capacity[d] = chance(m, 0.4) ? per_unit * p->unit_count * uniform(m, 0.1, 0.8) : INFINITY;
    p->capacity_bytes = capacity;
    if (chance(m, 0.4))
        p->energy_budget_uj = per_unit * p->unit_count * uniform(m, 0.4, 1.1);
    if (chance(m, 0.4))
        p->loss_budget = per_unit * p->unit_count * uniform(m, 0.4, 1.1);
    if (chance(m, 0.3))
        p->max_segments = 1 + below(m, 1 + p->unit_count / 2);
    dv_target_id *pin = array(m, p->unit_count, sizeof *pin);
    uint32_t *group = array(m, p->unit_count, sizeof *group);
    bool pins = chance(m, 0.4), groups = chance(m, 0.4);
    for (dv_unit_id u = 0; !m->failed && u < p->unit_count; u++) {
        dv_target_id a = below(m, p->target_count);
        bool supported = isfinite(p->time_us[(size_t)u * p->target_count + a]);
        pin[u] = pins && chance(m, 0.2) && supported ? a : DV_NONE;
        group[u] = groups && chance(m, 0.4) ? below(m, 2) : DV_NONE;
    }
    p->pin = pins ? pin : NULL;
    p->group = groups ? group : NULL;
}

bool dv_random_shape_from_name(const char *name, dv_random_shape *out)
{
    static const struct {
        const char *name;
        dv_random_shape shape;
    } shapes[] = {
        {"chain", DV_RANDOM_CHAIN},
        {"resnet", DV_RANDOM_RESNET},
        {"transformer", DV_RANDOM_TRANSFORMER},
        {"random", DV_RANDOM_DAG},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (strcmp(shapes[i].name, name) == 0) {
            *out = shapes[i].shape;
            return true;
        }
    return false;
}

dv_status dv_generate(const dv_random_spec *spec, dv_problem **out)
{
    maker m = {.spec = spec, .rng = dv_rng_seeded(spec->seed), .problem = dv_problem_create()};
    *out = NULL;
    m.failed = !m.problem;
    if (!m.failed) {
        m.problem->name = "random";
        m.problem->unit_count = spec->units;
        m.problem->target_count = spec->targets;
        make_targets(&m);
    }
    if (!m.failed)
        make_edges(&m);
    if (!m.failed)
        make_tensors(&m);
    if (!m.failed)
        make_units(&m);
    if (!m.failed && spec->limits)
        make_limits(&m);
    free(m.edge);
    dv_status status =
        m.failed ? dv_fail(DV_NO_MEMORY, "no memory for a problem of %u units", spec->units)
                 : dv_problem_finish(m.problem);
    if (status == DV_OK)
        *out = m.problem;
    else
        dv_problem_destroy(m.problem);
    return status;
}
