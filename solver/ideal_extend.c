/* ideal_extend.c - from an ideal and its states to those with one unit more; see ideal_extend.h. */
#include "solver/ideal_extend.h"

#include <string.h>

/* A state of so many figures more is one more piece of work. */
enum { WIDTH_OF_WORK = 32 };

/* Sums over the units that from leaves. */
static void sum_left(dv_ideal_search *r, const dv_ideal *from)
{
    memset(r->left_least, 0, r->budgets * sizeof *r->left_least);
    memset(r->left_most, 0, r->budgets * sizeof *r->left_most);
    for (dv_unit_id u = 0; r->budgets && u < r->problem->unit_count; u++)
        for (uint32_t b = 0; !dv_ideal_has(from, u) && b < r->budgets; b++) {
            r->left_least[b] += r->least[(size_t)u * r->budgets + b];
            r->left_most[b] += r->largest[(size_t)u * r->budgets + b];
        }
}

/* Fills spent for u on a after state i of from; false if a budget cannot be kept any more. */
static bool spend(dv_ideal_search *r, const dv_ideal *from, uint32_t i, dv_unit_id u,
                  dv_target_id a)
{
    bool enters = from->states.last[i] != r->problem->device[a];
    size_t cell = (size_t)u * r->problem->target_count + a;
    return dv_budgets_spend(r->settings->budgets, cell, enters, r->to_come, r->roomy,
                            from->states.spent + (size_t)i * r->budgets, r->spent);
}

/* What it costs to run u on a after state i of from. */
static double cost_after(const dv_ideal_search *r, const dv_ideal *from, uint32_t i, dv_unit_id u,
                         dv_target_id a)
{
    const dv_problem *p = r->problem;
    const dv_states *states = &from->states;
    const double *need = states->need + (size_t)i * states->width;
    dv_device_id d = p->device[a];
    double cost = states->cost[i] + dv_problem_time_us(p, u, a);
    cost += states->last[i] != d ? p->dispatch_us[d] : 0.0;
    cost += states->used[i] >> d & 1u ? 0.0 : p->session_us[d];
    for (uint32_t n = p->unit_tensor_start[u]; n < p->unit_tensor_start[u + 1]; n++)
        cost += need[(size_t)r->slot[p->unit_tensors[n]] * p->target_count + a];
    for (uint32_t n = p->unit_output_start[u]; n < p->unit_output_start[u + 1]; n++)
        if (p->host_needs[p->unit_outputs[n]])
            cost += dv_problem_move_us(p, p->unit_outputs[n], a, p->host);
    return cost;
}

static void fill_needs(dv_ideal_search *r, const dv_ideal *from, uint32_t i, dv_unit_id u,
                       dv_target_id a, const dv_ideal *to)
{
    const dv_problem *p = r->problem;
    const double *need = from->states.need + (size_t)i * from->states.width;
    for (uint32_t s = 0; s < to->live_count; s++) {
        uint32_t t = to->live[s];
        if (r->slot[t] == UINT32_MAX) {
            dv_need_fill(p, t, a, to->readable + (size_t)s * p->target_count,
                         r->need + (size_t)s * p->target_count);
            continue;
        }
        bool held = false; /* on a, from now on */
        for (uint32_t n = p->unit_tensor_start[u]; n < p->unit_tensor_start[u + 1] && !held; n++)
            held = p->unit_tensors[n] == t;
        const double *old = need + (size_t)r->slot[t] * p->target_count;
        for (dv_target_id e = 0; e < p->target_count; e++) {
            size_t cell = (size_t)s * p->target_count + e;
            r->need[cell] = to->readable[cell] && !(held && e == a) ? old[e] : 0.0;
        }
    }
}

dv_layer_costs dv_ideal_layer_costs(const dv_ideal_search *r, const dv_ideal *ideal)
{
    return (dv_layer_costs){.slots = ideal->live_count,
                            .targets = r->problem->target_count,
                            .single = ideal->single,
                            .dispatch_us = ideal->dispatch_us,
                            .session_us = ideal->session_us,
                            .device_count = r->problem->device_count,
                            .budget = r->budgets ? r->settings->budgets->list : NULL,
                            .progress = r->settings->progress,
                            .deadline_s = r->settings->deadline_s};
}

/* Unit u on target a after state i of from, which makes ideal to; false without memory. */
static bool extend(dv_ideal_search *r, const dv_ideal *from, uint32_t i, dv_unit_id u,
                   dv_target_id a, const dv_layer_costs *costs, dv_ideal *to)
{
    const dv_problem *p = r->problem;
    dv_device_id d = p->device[a];
    uint32_t g = r->groups.index[u];
    const dv_device_id *groups = from->states.group + (size_t)i * r->groups.count;
    if (g != UINT32_MAX && groups[g] != DV_NONE && groups[g] != d)
        return true;
    double cost = cost_after(r, from, i, u, a);
    if (!(cost + to->rest_us <= r->settings->upper_us) || !spend(r, from, i, u, a))
        return true;
    /* The cheapest state of the ideal dominates it whatever it holds, but for groups and budgets.
     */
    if (!r->some_open && r->budgets == 0 && cost > (to->least_us + to->spread_us) * (1.0 + 1e-12))
        return true;
    to->least_us = cost < to->least_us ? cost : to->least_us;
    fill_needs(r, from, i, u, a, to);
    for (uint32_t j = 0; j < r->groups.count; j++)
        r->group[j] = !r->group_open[j] ? DV_NONE : j == g ? d : groups[j];
    dv_state state = {.cost = cost,
                      .last = d,
                      .used = from->states.used[i] | UINT64_C(1) << d,
                      .need = r->need,
                      .group = r->group,
                      .spent = r->spent,
                      .parent = from->states.parent[i],
                      .choice = u * p->target_count + a};
    /* Sessions that can cost nothing more tell states apart for nothing. */
    for (dv_device_id x = 0; x < p->device_count; x++)
        if (to->session_us[x] == 0.0)
            state.used &= ~(UINT64_C(1) << x);
    size_t bytes = dv_states_bytes(&to->states);
    if (!dv_states_offer(&to->states, costs, &state))
        return false;
    r->made += 1 + to->states.width / WIDTH_OF_WORK;
    r->bytes += dv_states_bytes(&to->states) - bytes;
    return true;
}

/* The device that u must run on, or DV_NONE if it has a choice. */
static dv_device_id only_device(const dv_ideal_search *r, dv_unit_id u)
{
    dv_device_id only = DV_NONE;
    for (dv_target_id a = 0; a < r->problem->target_count; a++) {
        if (!dv_label(r->labels, u, a))
            continue;
        if (only != DV_NONE && only != r->problem->device[a])
            return DV_NONE;
        only = r->problem->device[a];
    }
    return only;
}

static void find_open_groups(dv_ideal_search *r, const dv_ideal *to)
{
    r->some_open = false;
    for (uint32_t g = 0; g < r->groups.count; g++) {
        r->group_open[g] = false;
        for (uint32_t i = r->groups.start[g + 1]; i-- > r->groups.start[g] && !r->group_open[g];)
            r->group_open[g] = !dv_ideal_has(to, r->groups.units[i]);
        r->some_open = r->some_open || r->group_open[g];
    }
}

bool dv_ideal_time_is_up(const dv_ideal_search *r)
{
    return dv_progress_must_end(r->settings->progress, r->settings->deadline_s);
}

/* All states of from with unit u run next; first_forced: per device, the ready unit that can run
   nowhere else, or DV_NONE. */
static bool extend_by(dv_ideal_search *r, const dv_ideal *from, dv_unit_id u,
                      const dv_unit_id *first_forced)
{
    const dv_problem *p = r->problem;
    uint32_t count = r->next.count;
    uint32_t child = dv_ideal_level_add(&r->next, from, u);
    if (child == UINT32_MAX)
        return false;
    dv_ideal *to = &r->next.ideal[child];
    if (child == count)
        dv_states_reset(&to->states, to->live_count * p->target_count, r->groups.count, r->budgets);
    find_open_groups(r, to);
    for (uint32_t b = 0; b < r->budgets; b++) {
        size_t at = (size_t)u * r->budgets + b;
        r->to_come[b] = r->left_least[b] - r->least[at];
        r->roomy[b] = r->settings->budgets->list[b].most - (r->left_most[b] - r->largest[at]);
    }
    dv_layer_costs costs = dv_ideal_layer_costs(r, to);
    for (uint32_t i = 0; i < from->states.count; i++) {
        dv_device_id last = from->states.last[i];
        if (i % 64 == 63 && dv_ideal_time_is_up(r))
            return true; /* advance asks again */
        if (last != DV_NONE && first_forced[last] != DV_NONE && first_forced[last] != u)
            continue;
        for (dv_target_id a = 0; a < p->target_count; a++)
            if (dv_label(r->labels, u, a) && !extend(r, from, i, u, a, &costs, to))
                return false;
    }
    return true;
}

bool dv_ideal_extend(dv_ideal_search *r, const dv_ideal *from, dv_unit_id *forced)
{
    sum_left(r, from);
    for (uint32_t s = 0; s < from->live_count; s++)
        r->slot[from->live[s]] = s;
    for (dv_device_id d = 0; d < r->problem->device_count; d++)
        forced[d] = DV_NONE;
    for (uint32_t n = from->ready_count; n-- > 0;) {
        dv_device_id d = only_device(r, from->ready[n]);
        if (d != DV_NONE)
            forced[d] = from->ready[n];
    }
    bool ok = true;
    for (uint32_t n = 0; ok && n < from->ready_count; n++)
        ok = extend_by(r, from, from->ready[n], forced);
    for (uint32_t s = 0; s < from->live_count; s++)
        r->slot[from->live[s]] = UINT32_MAX;
    return ok;
}
