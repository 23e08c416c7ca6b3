/* metis.c - k parts of a weighted graph with as little as possible between them, by METIS.

   What a paper means by "partitioned with METIS": units are vertices weighted by their mean time,
   tensors are edges weighted by their mean time of moving, each part is a device, and its share of
   the work follows its speed. Karypis, Kumar, SIAM J. Sci. Comput. 20(1), 1998.

   Simplified: METIS knows undirected edges between two units (a tensor with many readers is as many
   edges), one weight a unit whatever the device, and balance; support, dispatch and the host are
   not in its view. A unit that its device cannot run falls back, on its device it takes the fastest
   precision, and the plan is then paid for like any other. Balance is no aim of latency, so the
   best set of devices is taken. O(sets of devices * (units + tensors)). */
#include <math.h>
#include <metis.h>
#include <stdlib.h>

#include "solver/list_schedule.h"
#include "solver/place.h"
#include "solver/strategy.h"

enum { IMBALANCE };
enum { DEVICES_MAX = 6, WEIGHT_SUM = 100000000 };

static const dv_param params[] = {
    [IMBALANCE] = {.name = "imbalance",
                   .type = DV_PARAM_INTEGER,
                   .summary = "how far a part may exceed its share, in thousandths (ufactor)",
                   .preset = "30",
                   .low = 1,
                   .high = 100000},
    {0},
};

typedef struct weighted_graph {
    idx_t units;
    idx_t *start; /* units + 1 */
    idx_t *neighbour, *edge_weight;
    idx_t *unit_weight;
    idx_t *part;
} weighted_graph;

typedef struct edge {
    dv_unit_id from, to;
    double us;
} edge;

static int by_ends(const void *left, const void *right)
{
    const edge *a = left, *b = right;
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return a->to < b->to ? -1 : a->to > b->to;
}

/* Every tensor between two units, in both directions, sorted, one edge a pair. */
static size_t list_edges(const dv_problem *problem, edge *edges)
{
    size_t count = 0, kept = 0;
    for (uint32_t t = 0; t < problem->tensor_count; t++) {
        dv_unit_id from = problem->producer[t];
        if (from == DV_NONE)
            continue;
        double us = dv_mean_move_us(problem, t);
        for (uint32_t c = problem->consumer_start[t]; c < problem->consumer_start[t + 1]; c++) {
            edges[count++] = (edge){from, problem->consumers[c], us};
            edges[count++] = (edge){problem->consumers[c], from, us};
        }
    }
    qsort(edges, count, sizeof *edges, by_ends);
    for (size_t i = 0; i < count; i++)
        if (kept > 0 && by_ends(&edges[kept - 1], &edges[i]) == 0)
            edges[kept - 1].us += edges[i].us;
        else
            edges[kept++] = edges[i];
    return kept;
}

/* A whole weight of at least 1, the sum of all near WEIGHT_SUM, as METIS computes in integers. */
static idx_t whole(double us, double sum_us)
{
    return sum_us > 0.0 ? 1 + (idx_t)(us / sum_us * WEIGHT_SUM) : 1;
}

static void weigh(const dv_problem *problem, const edge *edges, size_t count, weighted_graph *graph)
{
    double work_us = 0.0, moves_us = 0.0;
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        work_us += dv_mean_time_us(problem, u);
    for (size_t i = 0; i < count; i++)
        moves_us += edges[i].us;
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        graph->unit_weight[u] = whole(dv_mean_time_us(problem, u), work_us);
    for (size_t i = 0; i < count; i++) {
        graph->start[edges[i].from + 1]++;
        graph->neighbour[i] = (idx_t)edges[i].to;
        graph->edge_weight[i] = whole(edges[i].us, moves_us);
    }
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        graph->start[u + 1] += graph->start[u];
}

static void free_graph(weighted_graph *graph)
{
    free(graph->start);
    free(graph->neighbour);
    free(graph->edge_weight);
    free(graph->unit_weight);
    free(graph->part);
}

static dv_status build_graph(const dv_problem *problem, weighted_graph *graph)
{
    size_t units = problem->unit_count, ends = 0;
    for (uint32_t t = 0; t < problem->tensor_count; t++)
        ends += 2 * (size_t)(problem->consumer_start[t + 1] - problem->consumer_start[t]);
    if (units >= IDX_MAX || ends >= IDX_MAX)
        return dv_fail(DV_BAD_PARAMETER, "strategy metis: too many tensors for METIS");
    edge *edges = calloc(ends + 1, sizeof *edges);
    *graph = (weighted_graph){.units = (idx_t)units,
                              .start = calloc(units + 1, sizeof *graph->start),
                              .neighbour = calloc(ends + 1, sizeof *graph->neighbour),
                              .edge_weight = calloc(ends + 1, sizeof *graph->edge_weight),
                              .unit_weight = calloc(units + 1, sizeof *graph->unit_weight),
                              .part = calloc(units + 1, sizeof *graph->part)};
    bool ok = edges && graph->start && graph->neighbour && graph->edge_weight &&
              graph->unit_weight && graph->part;
    if (ok)
        weigh(problem, edges, list_edges(problem, edges), graph);
    free(edges);
    return ok ? DV_OK : dv_fail(DV_NO_MEMORY, "strategy metis: out of memory");
}

/* How fast a device is: mean time over its own, for what it can run; 0 if that is nothing. */
static double speed(const dv_problem *problem, dv_device_id d)
{
    double mean_us = 0.0, own_us = 0.0;
    uint32_t count = 0;
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        dv_target_id a = dv_place_fastest(problem, u, d);
        if (a == DV_NONE)
            continue;
        mean_us += dv_mean_time_us(problem, u);
        own_us += dv_problem_time_us(problem, u, a);
        count++;
    }
    if (count == 0)
        return 0.0;
    return own_us > 0.0 ? fmax(mean_us / own_us, 1e-3) : 1.0;
}

static dv_status cut(weighted_graph *graph, const dv_device_id *devices, idx_t count,
                     const double *speeds, uint64_t seed, idx_t imbalance)
{
    real_t share[DEVICES_MAX];
    double sum = 0.0;
    idx_t options[METIS_NOPTIONS], constraints = 1, edge_cut;
    for (idx_t i = 0; i < count; i++)
        sum += speeds[devices[i]];
    for (idx_t i = 0; i < count; i++)
        share[i] = (real_t)(speeds[devices[i]] / sum);
    METIS_SetDefaultOptions(options);
    options[METIS_OPTION_SEED] = (idx_t)(seed % IDX_MAX);
    options[METIS_OPTION_UFACTOR] = imbalance;
    int answer = METIS_PartGraphKway(&graph->units, &constraints, graph->start, graph->neighbour,
                                     graph->unit_weight, NULL, graph->edge_weight, &count, share,
                                     NULL, options, &edge_cut, graph->part);
    if (answer == METIS_OK)
        return DV_OK;
    return dv_fail(answer == METIS_ERROR_MEMORY ? DV_NO_MEMORY : DV_INTERNAL,
                   "strategy metis: METIS answered %d", answer);
}

static void place(const dv_problem *problem, const weighted_graph *graph,
                  const dv_device_id *devices, dv_plan *plan)
{
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        dv_target_id a = dv_place_fastest(problem, u, devices[graph->part[u]]);
        plan->target[u] = a != DV_NONE ? a : dv_place_fallback(problem, u);
    }
    dv_place_join_groups(problem, plan);
}

/* The devices of a set, as the bits of its number say. */
static idx_t members(const dv_device_id *usable, uint32_t usable_count, uint32_t set,
                     dv_device_id *devices)
{
    idx_t count = 0;
    for (uint32_t i = 0; i < usable_count; i++)
        if (set & (1u << i))
            devices[count++] = usable[i];
    return count;
}

static dv_status try_sets(const dv_problem *problem, const dv_solve_options *options,
                          idx_t imbalance, weighted_graph *graph, const double *speeds,
                          dv_plan *trial, dv_plan *plan, dv_outcome *outcome)
{
    double deadline_s = dv_solve_deadline_s(options);
    dv_device_id usable[DEVICES_MAX], devices[DEVICES_MAX];
    uint32_t count = 0;
    for (dv_device_id d = 0; d < problem->device_count; d++)
        if (speeds[d] > 0.0 && count < DEVICES_MAX)
            usable[count++] = d;
    for (uint32_t set = 1; set < 1u << count; set++) {
        idx_t parts = members(usable, count, set, devices);
        for (idx_t u = 0; parts == 1 && u < graph->units; u++)
            graph->part[u] = 0;
        if (parts > 1)
            DV_TRY(cut(graph, devices, parts, speeds, options->seed, imbalance));
        place(problem, graph, devices, trial);
        dv_place_keep_better(problem, options->progress, trial, plan, outcome);
        if (*outcome != DV_OUTCOME_NONE && dv_progress_must_end(options->progress, deadline_s))
            return DV_OK;
    }
    return DV_OK;
}

static dv_status solve(const dv_problem *problem, const dv_solve_options *options,
                       const dv_param_value *values, dv_plan *plan, dv_outcome *outcome)
{
    *outcome = DV_OUTCOME_NONE;
    dv_plan *trial = NULL;
    weighted_graph graph = {0};
    double *speeds = calloc((size_t)problem->device_count + 1, sizeof *speeds);
    dv_status status = speeds ? DV_OK : dv_fail(DV_NO_MEMORY, "strategy metis: out of memory");
    for (dv_device_id d = 0; speeds && d < problem->device_count; d++)
        speeds[d] = speed(problem, d);
    if (status == DV_OK)
        status = dv_plan_create(problem, &trial);
    if (status == DV_OK)
        status = build_graph(problem, &graph);
    if (status == DV_OK && problem->unit_count == 0)
        dv_place_keep_better(problem, options->progress, trial, plan, outcome);
    else if (status == DV_OK)
        status = try_sets(problem, options, (idx_t)values[IMBALANCE].number, &graph, speeds, trial,
                          plan, outcome);
    free_graph(&graph);
    dv_plan_destroy(trial);
    free(speeds);
    return status;
}

const dv_strategy dv_strategy_metis = {
    .name = "metis",
    .summary = "balanced parts of the weighted graph with a small cut, one a device",
    .citation = "Karypis, Kumar, SIAM J. Sci. Comput. 20(1), 1998; METIS 5",
    .objectives = DV_OBJECTIVE_LATENCY | DV_OBJECTIVE_MAKESPAN,
    .params = params,
    .solve = solve,
};
