/* chain.c - ExecuTorch's chain of partitioners.

   to_edge_transform_and_lower takes a list of partitioners. Each in turn claims every operator that
   its delegate supports and no earlier one has taken; what is left runs on the host. Here each
   takes the fastest of its device's precisions. The claimed units of a device form one delegate
   call for each run of consecutive units in the order, so every partition is convex, as
   CapabilityBasedPartitioner makes them. O(lists * (units * targets + moves)). */
#include <string.h>

#include "solver/order.h"
#include "solver/place.h"
#include "solver/priority.h"
#include "solver/strategy.h"

enum { ORDER, PARTITIONS };

static const dv_param params[] = {
    [ORDER] = {.name = "order",
               .type = DV_PARAM_TEXT,
               .summary = "the partitioners' devices, most preferred first, as ane+gpu; or best: "
                          "the best of all lists",
               .preset = "best"},
    [PARTITIONS] = {.name = "partitions",
                    .type = DV_PARAM_CHOICE,
                    .summary = "runs of the given order, or merged over independent units as "
                               "CapabilityBasedPartitioner does, which changes the order",
                    .preset = "runs",
                    .choices = "runs|merged"},
    {0},
};

typedef struct search {
    const dv_problem *problem;
    const dv_solve_options *options;
    bool merged;
    dv_plan *trial, *plan;
    dv_outcome *outcome;
    dv_status status; /* the first failure */
    double deadline_s;
} search;

static void place(const dv_problem *problem, const dv_priority *partitioners, dv_plan *plan)
{
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        dv_target_id target = DV_NONE;
        for (uint32_t i = 0; target == DV_NONE && i < partitioners->count; i++)
            target = dv_place_fastest(problem, u, partitioners->device[i]);
        plan->target[u] = target != DV_NONE ? target : dv_place_fallback(problem, u);
    }
    dv_place_join_groups(problem, plan);
}

static void try_list(search *s, const dv_priority *partitioners)
{
    double dispatch_us;
    if (*s->outcome != DV_OUTCOME_NONE && dv_progress_must_end(s->options->progress, s->deadline_s))
        return;
    place(s->problem, partitioners, s->trial);
    if (s->merged && s->status == DV_OK)
        s->status = dv_order_closure(s->problem, s->trial->target, s->options->progress,
                                     s->deadline_s, s->trial->order, &dispatch_us);
    dv_place_keep_better(s->problem, s->options->progress, s->trial, s->plan, s->outcome);
}

static void swap(dv_device_id *a, dv_device_id *b)
{
    dv_device_id kept = *a;
    *a = *b;
    *b = kept;
}

/* Every ordered choice of devices: a list may also leave devices out. first: how many are chosen.
 */
static void try_all(search *s, dv_priority *devices, uint32_t first)
{
    dv_priority prefix = {devices->device, first};
    try_list(s, &prefix);
    for (uint32_t i = first; i < devices->count; i++) {
        swap(&devices->device[first], &devices->device[i]);
        try_all(s, devices, first + 1);
        swap(&devices->device[first], &devices->device[i]);
    }
}

/* With many devices not every list can be tried: each device first, then the others by speed. */
static void try_each_first(search *s, dv_priority *devices)
{
    try_list(s, &(dv_priority){NULL, 0});
    for (uint32_t i = 0; i < devices->count; i++) {
        for (uint32_t k = i; k > 0; k--)
            swap(&devices->device[k], &devices->device[k - 1]);
        try_list(s, devices);
        for (uint32_t k = 0; k < i; k++)
            swap(&devices->device[k], &devices->device[k + 1]);
    }
}

static dv_status run(search *s, const char *order, dv_priority *devices)
{
    if (strcmp(order, "best") != 0) {
        DV_TRY(dv_priority_read(s->problem, "chain", "order", order, devices));
        try_list(s, devices);
        return DV_OK;
    }
    dv_priority_by_speed(s->problem, devices);
    if (devices->count <= 4)
        try_all(s, devices, 0);
    else
        try_each_first(s, devices);
    return DV_OK;
}

static dv_status solve(const dv_problem *problem, const dv_solve_options *options,
                       const dv_param_value *values, dv_plan *plan, dv_outcome *outcome)
{
    *outcome = DV_OUTCOME_NONE;
    dv_priority devices;
    DV_TRY(dv_priority_create(problem, &devices));
    search s = {.problem = problem,
                .options = options,
                .merged = values[PARTITIONS].number > 0.0,
                .plan = plan,
                .outcome = outcome,
                .deadline_s = dv_solve_deadline_s(options)};
    dv_status status = dv_plan_create(problem, &s.trial);
    if (status == DV_OK)
        status = run(&s, values[ORDER].text, &devices);
    if (status == DV_OK)
        status = s.status;
    dv_plan_destroy(s.trial);
    dv_priority_free(&devices);
    return status;
}

const dv_strategy dv_strategy_chain = {
    .name = "chain",
    .summary = "a chain of partitioners, each taking all that its device supports",
    .citation = "ExecuTorch, exir/program/_program.py, to_edge_transform_and_lower",
    .objectives = DV_OBJECTIVE_LATENCY | DV_OBJECTIVE_MAKESPAN,
    .params = params,
    .solve = solve,
};
