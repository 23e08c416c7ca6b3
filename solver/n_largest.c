/* n_largest.c - the TensorFlow Lite GPU delegate's rule: only the n largest partitions.

   A model is cut into partitions of supported and unsupported nodes: an epoch starts with the type
   of the first node that is ready and runs every node of that type that is or becomes ready; then
   comes the other type (PartitionGraphIntoIndependentNodeSubsets). Of the supported partitions the
   n with most nodes are delegated, all others stay on the CPU, because each costs a hand-over.

   Simplified: a node is supported where the problem says so (the delegate's checks are the
   platform's business), nodes are counted in units, and of several devices the best is taken
   unless one is named. O(devices * (units * log units + edges)). */
#include <stdlib.h>
#include <string.h>

#include "solver/place.h"
#include "solver/priority.h"
#include "solver/strategy.h"
#include "solver/unit_heap.h"

enum { N, DEVICE };

static const dv_param params[] = {
    [N] = {.name = "n",
           .type = DV_PARAM_INTEGER,
           .summary = "how many partitions are delegated (max_delegated_partitions)",
           .preset = "1",
           .low = 0,
           .high = 1000000},
    [DEVICE] = {.name = "device",
                .type = DV_PARAM_TEXT,
                .summary = "the delegate's device, or best: the best of all",
                .preset = "best"},
    {0},
};

typedef struct partitions {
    const dv_problem *problem;
    dv_device_id device;
    uint32_t *epoch;   /* per unit; UINT32_MAX: has not run */
    uint32_t *missing; /* per unit: producers that have not run */
    uint32_t *size;    /* per epoch: units; 0 for those that are unsupported or left out */
    uint32_t epochs;
    dv_unit_heap ready[2]; /* units that could run: unsupported, supported */
    uint32_t *largest;     /* epochs to sort */
} partitions;

static bool supported(const partitions *p, dv_unit_id u)
{
    return dv_place_fastest(p->problem, u, p->device) != DV_NONE;
}

/* Runs unit u in the current epoch. */
static void run_unit(partitions *p, dv_unit_id u)
{
    p->epoch[u] = p->epochs;
    p->size[p->epochs]++;
    for (uint32_t i = p->problem->next_start[u]; i < p->problem->next_start[u + 1]; i++) {
        dv_unit_id v = p->problem->next[i];
        if (--p->missing[v] == 0)
            dv_unit_heap_push(&p->ready[supported(p, v)], v);
    }
}

/* One epoch after another; writes the order in which units run. */
static void cut(partitions *p, dv_unit_id *order)
{
    const dv_problem *problem = p->problem;
    uint32_t done = 0;
    p->epochs = 0;
    p->ready[0].count = p->ready[1].count = 0;
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        p->missing[u] = problem->previous_start[u + 1] - problem->previous_start[u];
        if (p->missing[u] == 0)
            dv_unit_heap_push(&p->ready[supported(p, u)], u);
    }
    while (done < problem->unit_count) {
        /* The first unit that is ready says which type runs. */
        const dv_unit_heap *no = &p->ready[0], *yes = &p->ready[1];
        bool type = yes->count > 0 && (no->count == 0 || yes->unit[0] < no->unit[0]);
        p->size[p->epochs] = 0;
        while (p->ready[type].count > 0) {
            order[done] = dv_unit_heap_pop(&p->ready[type]);
            run_unit(p, order[done++]);
        }
        if (!type)
            p->size[p->epochs] = 0;
        p->epochs++;
    }
}

static int by_size(const void *a, const void *b, void *sizes)
{
    const uint32_t *size = sizes;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (size[x] != size[y])
        return size[x] > size[y] ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* Keeps the n largest partitions; the earlier of equals stays. */
static void keep_largest(partitions *p, uint32_t n, bool *kept)
{
    memset(kept, 0, p->epochs * sizeof *kept);
    uint32_t count = 0;
    for (uint32_t e = 0; e < p->epochs; e++)
        if (p->size[e] > 0)
            p->largest[count++] = e;
    qsort_r(p->largest, count, sizeof *p->largest, by_size, p->size);
    for (uint32_t i = 0; i < n && i < count; i++)
        kept[p->largest[i]] = true;
}

static void place(const partitions *p, const bool *kept, dv_plan *plan)
{
    for (dv_unit_id u = 0; u < p->problem->unit_count; u++)
        plan->target[u] = kept[p->epoch[u]] ? dv_place_fastest(p->problem, u, p->device)
                                            : dv_place_fallback(p->problem, u);
    dv_place_join_groups(p->problem, plan);
}

static dv_status try_devices(const dv_problem *problem, const dv_solve_options *options,
                             const dv_priority *devices, uint32_t n, dv_plan *trial, dv_plan *plan,
                             dv_outcome *outcome)
{
    double deadline_s = dv_solve_deadline_s(options);
    size_t units = (size_t)problem->unit_count + 1;
    partitions p = {.problem = problem,
                    .epoch = calloc(units, sizeof *p.epoch),
                    .missing = calloc(units, sizeof *p.missing),
                    .size = calloc(units, sizeof *p.size),
                    .largest = calloc(units, sizeof *p.largest),
                    .ready = {{.unit = calloc(units, sizeof(dv_unit_id))},
                              {.unit = calloc(units, sizeof(dv_unit_id))}}};
    bool *kept = calloc(units, sizeof *kept);
    bool ok =
        p.epoch && p.missing && p.size && p.largest && p.ready[0].unit && p.ready[1].unit && kept;
    for (uint32_t i = 0; ok && i < devices->count; i++) {
        if (i > 0 && dv_progress_must_end(options->progress, deadline_s))
            break;
        p.device = devices->device[i];
        cut(&p, trial->order);
        keep_largest(&p, n, kept);
        place(&p, kept, trial);
        dv_place_keep_better(problem, options->progress, trial, plan, outcome);
    }
    free(p.epoch);
    free(p.missing);
    free(p.size);
    free(p.largest);
    free(p.ready[0].unit);
    free(p.ready[1].unit);
    free(kept);
    return ok ? DV_OK : dv_fail(DV_NO_MEMORY, "strategy n-largest: out of memory");
}

static dv_status solve(const dv_problem *problem, const dv_solve_options *options,
                       const dv_param_value *values, dv_plan *plan, dv_outcome *outcome)
{
    *outcome = DV_OUTCOME_NONE;
    dv_priority devices;
    dv_plan *trial = NULL;
    DV_TRY(dv_priority_create(problem, &devices));
    dv_status status =
        dv_priority_choose(problem, "n-largest", "device", values[DEVICE].text, &devices);
    if (status == DV_OK && devices.count == 0) /* the host alone: nothing to delegate to */
        devices.device[devices.count++] = problem->device[problem->host];
    if (status == DV_OK)
        status = dv_plan_create(problem, &trial);
    if (status == DV_OK)
        status = try_devices(problem, options, &devices, (uint32_t)values[N].number, trial, plan,
                             outcome);
    dv_plan_destroy(trial);
    dv_priority_free(&devices);
    return status;
}

const dv_strategy dv_strategy_n_largest = {
    .name = "n-largest",
    .summary = "one accelerator runs its n largest partitions only, the host the rest",
    .citation = "TensorFlow Lite, delegates/utils.cc, GraphPartitionHelper; graph_info.cc",
    .objectives = DV_OBJECTIVE_LATENCY | DV_OBJECTIVE_MAKESPAN,
    .params = params,
    .solve = solve,
};
