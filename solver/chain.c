/* chain.c - ExecuTorch's chain of partitioners.

   to_edge_transform_and_lower takes a list of partitioners. Each in turn claims every operator that
   its delegate supports and no earlier one has taken; what is left runs on the host. Here each
   takes the fastest of its device's precisions. The claimed units of a device form one delegate
   call for each run of consecutive units in the order, so every partition is convex, as
   CapabilityBasedPartitioner makes them. O(lists * (units * targets + moves)). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/order.h"
#include "solver/place.h"
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

/* Devices in the order in which their partitioners run; the host's device is never one. */
typedef struct list {
    dv_device_id *device;
    uint32_t count;
} list;

typedef struct search {
    const dv_problem *problem;
    const dv_solve_options *options;
    bool merged;
    dv_plan *trial, *plan;
    dv_outcome *outcome;
    dv_status status; /* the first failure */
} search;

static void place(const dv_problem *problem, const list *partitioners, dv_plan *plan)
{
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        dv_target_id target = DV_NONE;
        for (uint32_t i = 0; target == DV_NONE && i < partitioners->count; i++)
            target = dv_place_fastest(problem, u, partitioners->device[i]);
        plan->target[u] = target != DV_NONE ? target : dv_place_fallback(problem, u);
    }
    dv_place_join_groups(problem, plan);
}

static void try_list(search *s, const list *partitioners)
{
    double dispatch_us;
    place(s->problem, partitioners, s->trial);
    if (s->merged && s->status == DV_OK)
        s->status = dv_order_closure(s->problem, s->trial->target, s->trial->order, &dispatch_us);
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
static void try_all(search *s, list *devices, uint32_t first)
{
    list prefix = {devices->device, first};
    try_list(s, &prefix);
    for (uint32_t i = first; i < devices->count; i++) {
        swap(&devices->device[first], &devices->device[i]);
        try_all(s, devices, first + 1);
        swap(&devices->device[first], &devices->device[i]);
    }
}

/* The units' time if device d alone had a partitioner. */
static double time_with_us(const dv_problem *problem, dv_device_id d)
{
    double sum = 0.0;
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        dv_target_id a = dv_place_fastest(problem, u, d);
        sum += dv_problem_time_us(problem, u, a != DV_NONE ? a : dv_place_fallback(problem, u));
    }
    return sum;
}

/* Most accelerated first. */
static void sort_by_speed(const dv_problem *problem, list *devices)
{
    for (uint32_t i = 1; i < devices->count; i++)
        for (uint32_t k = i; k > 0 && time_with_us(problem, devices->device[k]) <
                                          time_with_us(problem, devices->device[k - 1]);
             k--)
            swap(&devices->device[k], &devices->device[k - 1]);
}

/* With many devices not every list can be tried: each device first, then the others by speed. */
static void try_each_first(search *s, list *devices)
{
    try_list(s, &(list){NULL, 0});
    for (uint32_t i = 0; i < devices->count; i++) {
        for (uint32_t k = i; k > 0; k--)
            swap(&devices->device[k], &devices->device[k - 1]);
        try_list(s, devices);
        for (uint32_t k = 0; k < i; k++)
            swap(&devices->device[k], &devices->device[k + 1]);
    }
}

static dv_status read_list(const dv_problem *problem, const char *text, list *devices)
{
    devices->count = 0;
    for (const char *at = text;;) {
        size_t length = strcspn(at, "+");
        dv_device_id d = 0;
        while (d < problem->device_count && (strlen(problem->device_name[d]) != length ||
                                             strncmp(problem->device_name[d], at, length) != 0))
            d++;
        if (d == problem->device_count)
            return dv_fail(DV_BAD_PARAMETER, "strategy chain: order=%s: no device '%.*s' here",
                           text, (int)length, at);
        for (uint32_t i = 0; i < devices->count; i++)
            if (devices->device[i] == d)
                return dv_fail(DV_BAD_PARAMETER, "strategy chain: order=%s: '%.*s' comes twice",
                               text, (int)length, at);
        devices->device[devices->count++] = d;
        if (!at[length])
            return DV_OK;
        at += length + 1;
    }
}

static dv_status run(search *s, const char *order, list *devices)
{
    if (strcmp(order, "best") != 0) {
        DV_TRY(read_list(s->problem, order, devices));
        try_list(s, devices);
        return DV_OK;
    }
    for (dv_device_id d = 0; d < s->problem->device_count; d++)
        if (d != s->problem->device[s->problem->host])
            devices->device[devices->count++] = d;
    sort_by_speed(s->problem, devices);
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
    list devices = {malloc((problem->device_count + 1) * sizeof *devices.device), 0};
    if (!devices.device)
        return dv_fail(DV_NO_MEMORY, "strategy chain: out of memory");
    search s = {.problem = problem,
                .options = options,
                .merged = values[PARTITIONS].number > 0.0,
                .plan = plan,
                .outcome = outcome};
    dv_status status = dv_plan_create(problem, &s.trial);
    if (status == DV_OK)
        status = run(&s, values[ORDER].text, &devices);
    if (status == DV_OK)
        status = s.status;
    dv_plan_destroy(s.trial);
    free(devices.device);
    return status;
}

const dv_strategy dv_strategy_chain = {
    .name = "chain",
    .summary = "a chain of partitioners, each taking all that its device supports",
    .citation = "ExecuTorch, exir/program/_program.py, to_edge_transform_and_lower",
    .objectives = DV_OBJECTIVE_LATENCY,
    .params = params,
    .solve = solve,
};
