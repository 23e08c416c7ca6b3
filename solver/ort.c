/* ort.c - ONNX Runtime: execution providers claim convex groups of nodes in order of priority.

   Each provider in turn goes through the graph that the earlier ones have left, from the inputs on
   (Kahn's order). Supported nodes join the open group; an unsupported node that reads from the
   group waits until the group is closed, which happens when nothing else is ready; so every group
   is convex and becomes one fused node (CreateSupportedPartitionNodeGroups). The CPU takes the
   rest.

   Simplified: providers claim nodes of all their supported kinds (no per-provider heuristics such
   as minimum group sizes), and the session runs the contracted graph in the topological order of
   least index. O(providers * (units + edges)). */
#include <stdlib.h>
#include <string.h>

#include "solver/place.h"
#include "solver/priority.h"
#include "solver/strategy.h"
#include "solver/unit_heap.h"

enum { PRIORITY };

static const dv_param params[] = {
    [PRIORITY] = {.name = "priority",
                  .type = DV_PARAM_TEXT,
                  .summary = "the providers' devices, first asked first, as ane+gpu; or speed: the "
                             "most accelerating first",
                  .preset = "speed"},
    {0},
};

/* The graph as contracted so far. A node is named by its first unit. */
typedef struct contracted {
    const dv_problem *problem;
    dv_unit_id *node;      /* per unit: its node */
    dv_unit_id *next_unit; /* per unit: the next of its node; DV_NONE: the last */
    dv_device_id *claimed; /* per node: by whom; DV_NONE */
    uint32_t *missing;     /* per node: edges from nodes that have not been processed */
    uint32_t *border;      /* per node: the number of the last open group that it reads from */
    uint32_t open;         /* the open group's number */
    dv_unit_id *queue, *later, *group;
    uint32_t head, tail, later_count, group_count;
} contracted;

static void release(contracted *c)
{
    void *const owned[] = {c->node,   c->next_unit, c->claimed, c->missing,
                           c->border, c->queue,     c->later,   c->group};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        free(owned[i]);
}

static bool allocate(contracted *c)
{
    size_t units = (size_t)c->problem->unit_count + 1;
    c->node = calloc(units, sizeof *c->node);
    c->next_unit = calloc(units, sizeof *c->next_unit);
    c->claimed = calloc(units, sizeof *c->claimed);
    c->missing = calloc(units, sizeof *c->missing);
    c->border = calloc(units, sizeof *c->border);
    c->queue = calloc(2 * units, sizeof *c->queue); /* a node may wait once */
    c->later = calloc(units, sizeof *c->later);
    c->group = calloc(units, sizeof *c->group);
    return c->node && c->next_unit && c->claimed && c->missing && c->border && c->queue &&
           c->later && c->group;
}

/* Counts what every node waits for and queues those that wait for nothing. */
static void begin(contracted *c)
{
    const dv_problem *p = c->problem;
    memset(c->missing, 0, p->unit_count * sizeof *c->missing);
    c->open++;
    c->head = c->tail = c->later_count = c->group_count = 0;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        for (uint32_t i = p->next_start[u]; i < p->next_start[u + 1]; i++)
            c->missing[c->node[p->next[i]]] += c->node[p->next[i]] != c->node[u];
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        if (c->node[u] == u && c->missing[u] == 0)
            c->queue[c->tail++] = u;
}

/* The node is processed: whoever reads from it waits for one less. */
static void pass(contracted *c, dv_unit_id node, bool in_group)
{
    const dv_problem *p = c->problem;
    for (dv_unit_id u = node; u != DV_NONE; u = c->next_unit[u])
        for (uint32_t i = p->next_start[u]; i < p->next_start[u + 1]; i++) {
            dv_unit_id reader = c->node[p->next[i]];
            if (reader == node)
                continue;
            if (in_group)
                c->border[reader] = c->open;
            if (--c->missing[reader] == 0)
                c->queue[c->tail++] = reader;
        }
}

/* The open group becomes one node, in the order in which its nodes joined. */
static void close_group(contracted *c, dv_device_id device)
{
    if (c->group_count == 0)
        return;
    dv_unit_id first = c->group[0], last = first;
    for (uint32_t i = 1; i < c->group_count; i++) {
        while (c->next_unit[last] != DV_NONE)
            last = c->next_unit[last];
        c->next_unit[last] = c->group[i];
    }
    for (dv_unit_id u = first; u != DV_NONE; u = c->next_unit[u])
        c->node[u] = first;
    c->claimed[first] = device;
    c->group_count = 0;
}

static bool can_claim(const contracted *c, dv_unit_id node, dv_device_id device)
{
    return c->claimed[node] == DV_NONE && dv_place_fastest(c->problem, node, device) != DV_NONE;
}

/* One provider goes through the graph. Groups are contracted after the whole pass (the names of
   nodes are in use until then), so they are kept apart by their ends in bounds. */
static void claim(contracted *c, dv_device_id device, dv_unit_id *groups, uint32_t *bounds)
{
    uint32_t count = 0, filled = 0;
    begin(c);
    while (c->head < c->tail || c->later_count > 0) {
        if (c->head == c->tail) {
            bounds[count++] = filled;
            c->open++;
            for (uint32_t i = 0; i < c->later_count; i++)
                c->queue[c->tail++] = c->later[i];
            c->later_count = 0;
            continue;
        }
        dv_unit_id node = c->queue[c->head++];
        bool joins = can_claim(c, node, device);
        if (!joins && c->border[node] == c->open) {
            c->later[c->later_count++] = node;
            continue;
        }
        if (joins)
            groups[filled++] = node;
        pass(c, node, joins);
    }
    bounds[count++] = filled;
    for (uint32_t g = 0, from = 0; g < count; from = bounds[g++]) {
        c->group_count = bounds[g] - from;
        memcpy(c->group, groups + from, c->group_count * sizeof *c->group);
        close_group(c, device);
    }
}

/* The contracted graph in topological order, its nodes unit by unit. */
static void write_order(contracted *c, dv_unit_id *order)
{
    uint32_t done = 0;
    dv_unit_heap ready = {.unit = c->later};
    begin(c);
    while (c->head < c->tail || ready.count > 0) {
        while (c->head < c->tail)
            dv_unit_heap_push(&ready, c->queue[c->head++]);
        dv_unit_id node = dv_unit_heap_pop(&ready);
        for (dv_unit_id u = node; u != DV_NONE; u = c->next_unit[u])
            order[done++] = u;
        pass(c, node, false);
    }
}

static bool run(contracted *c, const dv_priority *providers, dv_plan *trial)
{
    const dv_problem *p = c->problem;
    dv_unit_id *groups = calloc((size_t)p->unit_count + 1, sizeof *groups);
    uint32_t *bounds = calloc((size_t)p->unit_count + 2, sizeof *bounds);
    bool ok = allocate(c) && groups && bounds;
    for (dv_unit_id u = 0; ok && u < p->unit_count; u++) {
        c->node[u] = u;
        c->next_unit[u] = c->claimed[u] = DV_NONE;
    }
    for (uint32_t i = 0; ok && i < providers->count; i++)
        claim(c, providers->device[i], groups, bounds);
    for (dv_unit_id u = 0; ok && u < p->unit_count; u++) {
        dv_device_id device = c->claimed[c->node[u]];
        trial->target[u] =
            device != DV_NONE ? dv_place_fastest(p, u, device) : dv_place_fallback(p, u);
    }
    if (ok) {
        dv_place_join_groups(p, trial);
        write_order(c, trial->order);
    }
    free(groups);
    free(bounds);
    release(c);
    return ok;
}

static dv_status solve(const dv_problem *problem, const dv_solve_options *options,
                       const dv_param_value *values, dv_plan *plan, dv_outcome *outcome)
{
    *outcome = DV_OUTCOME_NONE;
    dv_priority providers;
    dv_plan *trial = NULL;
    contracted c = {.problem = problem};
    DV_TRY(dv_priority_create(problem, &providers));
    dv_status status =
        dv_priority_choose(problem, "ort", "priority", values[PRIORITY].text, &providers);
    if (status == DV_OK)
        status = dv_plan_create(problem, &trial);
    if (status == DV_OK && !run(&c, &providers, trial))
        status = dv_fail(DV_NO_MEMORY, "strategy ort: out of memory");
    if (status == DV_OK)
        dv_place_keep_better(problem, options->progress, trial, plan, outcome);
    dv_plan_destroy(trial);
    dv_priority_free(&providers);
    return status;
}

const dv_strategy dv_strategy_ort = {
    .name = "ort",
    .summary = "execution providers claim convex groups in order of priority",
    .citation = "ONNX Runtime, core/providers/partitioning_utils.cc, graph_partitioner.cc",
    .objectives = DV_OBJECTIVE_LATENCY | DV_OBJECTIVE_MAKESPAN,
    .params = params,
    .solve = solve,
};
