/* evaluate.c - the cost of any plan, and whether it may be used at all.

   Strategies call this in their inner loops: one pass over units, one over tensors, one small
   allocation. */
#include "solver/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/makespan.h"

/* Sums in another order may differ by their rounding; a limit met to 1e-9 is met. */
static bool exceeds(double sum, double limit)
{
    return sum > limit + 1e-9 * fabs(limit);
}

/* Every unit once, after all units that it reads from. position: unit_count entries. */
static bool order_is_sound(const dv_problem *problem, const dv_plan *plan, uint32_t *position)
{
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        position[u] = UINT32_MAX;
    for (uint32_t k = 0; k < problem->unit_count; k++) {
        dv_unit_id u = plan->order[k];
        if (u >= problem->unit_count || position[u] != UINT32_MAX)
            return false;
        position[u] = k;
        for (uint32_t i = problem->previous_start[u]; i < problem->previous_start[u + 1]; i++)
            if (position[problem->previous[i]] == UINT32_MAX)
                return false;
    }
    return true;
}

/* The group's device so far is kept where the group's number fits; other numbers, which no reader
   of models makes, are compared pair by pair. device: unit_count entries. */
static bool groups_hold(const dv_problem *problem, const dv_plan *plan, uint32_t *device)
{
    if (!problem->group)
        return true;
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        device[u] = DV_NONE;
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        uint32_t g = problem->group[u];
        dv_device_id d = problem->device[plan->target[u]];
        if (g == DV_NONE)
            continue;
        if (g < problem->unit_count) {
            if (device[g] != DV_NONE && device[g] != d)
                return false;
            device[g] = d;
            continue;
        }
        /* The first later member is enough; equality is transitive. */
        dv_unit_id v = u + 1;
        while (v < problem->unit_count && problem->group[v] != g)
            v++;
        if (v < problem->unit_count && problem->device[plan->target[v]] != d)
            return false;
    }
    return true;
}

static bool placement_is_allowed(const dv_problem *problem, const dv_plan *plan)
{
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        if (plan->target[u] >= problem->target_count ||
            !dv_problem_allows(problem, u, plan->target[u]))
            return false;
    return true;
}

static double sum_at_targets(const dv_problem *problem, const dv_plan *plan, const double *table)
{
    double sum = 0.0;
    for (dv_unit_id u = 0; table && u < problem->unit_count; u++)
        sum += table[(size_t)u * problem->target_count + plan->target[u]];
    return sum;
}

/* bytes: device_count entries. */
static bool limits_hold(const dv_problem *problem, const dv_plan *plan, double *bytes)
{
    if (exceeds(sum_at_targets(problem, plan, problem->energy_uj), problem->energy_budget_uj) ||
        exceeds(sum_at_targets(problem, plan, problem->loss), problem->loss_budget))
        return false;
    if (!problem->memory_bytes)
        return true;
    memset(bytes, 0, problem->device_count * sizeof *bytes);
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        dv_target_id a = plan->target[u];
        bytes[problem->device[a]] += problem->memory_bytes[(size_t)u * problem->target_count + a];
    }
    for (dv_device_id d = 0; d < problem->device_count; d++)
        if (exceeds(bytes[d], problem->capacity_bytes[d]))
            return false;
    return true;
}

/* Compute, dispatch and session; used: device_count entries. */
static void add_units(const dv_problem *problem, const dv_plan *plan, bool *used, dv_cost *cost)
{
    memset(used, 0, problem->device_count * sizeof *used);
    dv_device_id last = DV_NONE;
    for (uint32_t k = 0; k < problem->unit_count; k++) {
        dv_unit_id u = plan->order[k];
        dv_device_id d = problem->device[plan->target[u]];
        cost->compute_us += dv_problem_time_us(problem, u, plan->target[u]);
        if (d != last) {
            cost->dispatch_us += problem->dispatch_us[d];
            cost->segments++;
        }
        if (!used[d])
            cost->session_us += problem->session_us[d];
        used[d] = true;
        last = d;
    }
}

/* Moves of every tensor, each destination once; sent: target_count entries. */
static void add_moves(const dv_problem *problem, const dv_plan *plan, uint32_t *sent, dv_cost *cost)
{
    for (dv_target_id a = 0; a < problem->target_count; a++)
        sent[a] = UINT32_MAX;
    for (uint32_t t = 0; t < problem->tensor_count; t++) {
        dv_unit_id p = problem->producer[t];
        dv_target_id from = p == DV_NONE ? problem->host : plan->target[p];
        uint32_t end = problem->consumer_start[t + 1];
        sent[from] = t;
        for (uint32_t i = problem->consumer_start[t]; i <= end; i++) {
            if (i == end && !problem->host_needs[t])
                break;
            dv_target_id to = i == end ? problem->host : plan->target[problem->consumers[i]];
            if (sent[to] == t)
                continue;
            sent[to] = t;
            cost->move_us += dv_problem_move_us(problem, t, from, to);
            cost->moved_bytes += problem->bytes[(size_t)t * problem->target_count + from];
            cost->moves++;
        }
    }
}

static bool evaluate(const dv_problem *problem, dv_plan *plan, uint32_t *marks, double *bytes,
                     bool *used)
{
    if (!order_is_sound(problem, plan, marks) || !placement_is_allowed(problem, plan) ||
        !groups_hold(problem, plan, marks) || !limits_hold(problem, plan, bytes))
        return false;
    dv_cost cost = {0};
    add_units(problem, plan, used, &cost);
    add_moves(problem, plan, marks, &cost);
    cost.total_us = cost.compute_us + cost.dispatch_us + cost.session_us + cost.move_us;
    if (cost.segments > problem->max_segments || !isfinite(cost.total_us))
        return false;
    plan->cost = cost;
    return true;
}

bool dv_evaluate(const dv_problem *problem, dv_plan *plan)
{
    size_t count =
        problem->unit_count > problem->target_count ? problem->unit_count : problem->target_count;
    uint32_t *marks = malloc((count + 1) * sizeof *marks);
    double *bytes = malloc((problem->device_count + 1) * sizeof *bytes);
    bool *used = malloc(problem->device_count + 1);
    bool ok = marks && bytes && used && evaluate(problem, plan, marks, bytes, used);
    free(used);
    free(bytes);
    free(marks);
    if (!ok)
        plan->cost = (dv_cost){.total_us = INFINITY};
    return ok;
}

/* Tensor t's part of the loads: its producer leaves it in the host's memory if another device needs
   it, and every other device fetches it. in: device_count entries of 0, left at 0. */
static void add_tensor_load(const dv_problem *problem, const dv_plan *plan, uint32_t t, double *in,
                            double *load)
{
    dv_unit_id maker = problem->producer[t];
    dv_target_id from = maker == DV_NONE ? problem->host : plan->target[maker];
    dv_device_id home = problem->device[from];
    bool leaves = problem->host_needs[t];
    for (uint32_t i = problem->consumer_start[t]; i < problem->consumer_start[t + 1]; i++) {
        dv_target_id to = plan->target[problem->consumers[i]];
        dv_device_id d = problem->device[to];
        if (d == home)
            continue;
        leaves = true;
        double us = dv_load_in_us(problem, t, to);
        if (us > in[d]) {
            load[d] += us - in[d];
            in[d] = us;
        }
    }
    if (leaves && maker != DV_NONE)
        load[home] += dv_load_out_us(problem, t, from);
    for (uint32_t i = problem->consumer_start[t]; i < problem->consumer_start[t + 1]; i++)
        in[problem->device[plan->target[problem->consumers[i]]]] = 0.0;
}

double dv_evaluate_load_us(const dv_problem *problem, const dv_plan *plan)
{
    double *load = calloc((size_t)problem->device_count + 1, sizeof *load);
    double *in = calloc((size_t)problem->device_count + 1, sizeof *in);
    bool *used = calloc((size_t)problem->device_count + 1, sizeof *used);
    double most = load && in && used ? 0.0 : INFINITY;
    dv_device_id last = DV_NONE;
    for (uint32_t k = 0; most == 0.0 && k < problem->unit_count; k++) {
        dv_unit_id u = plan->order[k];
        dv_device_id d = problem->device[plan->target[u]];
        load[d] += dv_problem_time_us(problem, u, plan->target[u]);
        load[d] += d != last ? problem->dispatch_us[d] : 0.0;
        load[d] += used[d] ? 0.0 : problem->session_us[d];
        used[d] = true;
        last = d;
    }
    for (uint32_t t = 0; most == 0.0 && t < problem->tensor_count; t++)
        add_tensor_load(problem, plan, t, in, load);
    for (dv_device_id d = 0; isfinite(most) && d < problem->device_count; d++)
        most = fmax(most, load[d]);
    free(load);
    free(in);
    free(used);
    return most;
}

double dv_evaluate_makespan_us(const dv_problem *problem, const dv_plan *plan)
{
    dv_makespan makespan;
    double us = INFINITY;
    if (dv_makespan_create(problem, &makespan) == DV_OK)
        us = dv_makespan_us(&makespan, plan->target, plan->order);
    dv_makespan_free(&makespan);
    return us;
}
