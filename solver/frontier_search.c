/* frontier_search.c - what the problem, the order and the settings fix before the first layer; see
   frontier_search.h. */
#include "solver/frontier_search.h"

#include <math.h>
#include <stdlib.h>

#include "solver/groups.h"

static bool allocate(dv_frontier_search *r)
{
    const dv_problem *p = r->problem;
    size_t units = (size_t)p->unit_count + 1, tensors = (size_t)p->tensor_count + 1;
    size_t cells = tensors * p->target_count + 1;
    r->place = calloc(units, sizeof *r->place);
    r->last_read = calloc(tensors, sizeof *r->last_read);
    r->slot = calloc(tensors, sizeof *r->slot);
    r->next_slot = calloc(tensors, sizeof *r->next_slot);
    r->live = calloc(tensors, sizeof *r->live);
    r->next_live = calloc(tensors, sizeof *r->next_live);
    r->group_index = calloc(units, sizeof *r->group_index);
    r->group_end = calloc(units, sizeof *r->group_end);
    r->group_last = calloc(units, sizeof *r->group_last);
    r->rest_us = calloc(units + 1, sizeof *r->rest_us);
    r->last_use = calloc((size_t)p->device_count + 1, sizeof *r->last_use);
    r->session_us = calloc((size_t)p->device_count + 1, sizeof *r->session_us);
    r->readers = calloc(tensors, sizeof *r->readers);
    r->readers_on = calloc(cells, sizeof *r->readers_on);
    r->readable = calloc(cells, sizeof *r->readable);
    r->single = calloc(tensors, sizeof *r->single);
    r->need = calloc(cells, sizeof *r->need);
    r->group = calloc(units, sizeof *r->group);
    r->trails = calloc(units, sizeof *r->trails);
    r->budgets = r->settings->budgets ? r->settings->budgets->count : 0;
    r->spent = calloc((size_t)r->budgets + 1, sizeof *r->spent);
    r->amount_to_come = calloc((units + 1) * r->budgets + 1, sizeof *r->amount_to_come);
    r->roomy = calloc((units + 1) * r->budgets + 1, sizeof *r->roomy);
    r->on_path = r->settings->path ? calloc(units, sizeof *r->on_path) : NULL;
    return r->place && r->last_read && r->slot && r->next_slot && r->live && r->next_live &&
           r->group_index && r->group_end && r->group_last && r->rest_us && r->last_use &&
           r->session_us && r->readable && r->single && r->need && r->group && r->trails &&
           r->spent && r->amount_to_come && r->roomy && (r->on_path || !r->settings->path);
}

/* Groups that are never under way together share a number, so that states stay narrow; not where
   the layers are handed out, or the rest is known (frontier.h), which both know groups by their own
   numbers. */
static void share_numbers(dv_frontier_search *r, const dv_unit_groups *groups,
                          const dv_unit_id *first)
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < r->problem->unit_count; k++) {
        dv_unit_id u = r->order[k];
        if (groups->index[u] == UINT32_MAX)
            continue;
        dv_unit_id begin = first[groups->index[u]];
        if (begin != u) {
            r->group_index[u] = r->group_index[begin];
            continue;
        }
        uint32_t g = 0;
        while (g < count && r->group_last[g] >= k)
            g++;
        count = g == count ? count + 1 : count;
        r->group_last[g] = r->group_end[u];
        r->group_index[u] = g;
    }
    r->group_count = count;
}

static bool number_groups(dv_frontier_search *r)
{
    const dv_problem *p = r->problem;
    dv_unit_groups groups;
    if (dv_unit_groups_create(p, &groups) != DV_OK)
        return false;
    dv_unit_id *first = calloc((size_t)groups.count + 1, sizeof *first);
    if (!first) {
        dv_unit_groups_free(&groups);
        return false;
    }
    r->group_count = groups.count;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        r->group_index[u] = groups.index[u];
    for (uint32_t g = 0; g < groups.count; g++) {
        uint32_t last = 0;
        first[g] = groups.units[groups.start[g]];
        for (uint32_t i = groups.start[g]; i < groups.start[g + 1]; i++) {
            dv_unit_id u = groups.units[i];
            last = r->place[u] > last ? r->place[u] : last;
            first[g] = r->place[u] < r->place[first[g]] ? u : first[g];
        }
        for (uint32_t i = groups.start[g]; i < groups.start[g + 1]; i++)
            r->group_end[groups.units[i]] = last;
        r->group_last[g] = last;
    }
    if (!r->settings->layers && !r->settings->rest)
        share_numbers(r, &groups, first);
    free(first);
    dv_unit_groups_free(&groups);
    return true;
}

/* What units from each place on take of the budgets, at least and at most. */
static void sum_budgets(dv_frontier_search *r)
{
    const dv_problem *p = r->problem;
    for (uint32_t b = 0; b < r->budgets; b++) {
        const dv_budget *budget = &r->settings->budgets->list[b];
        double most = 0.0;
        r->roomy[(size_t)p->unit_count * r->budgets + b] = budget->most;
        for (uint32_t k = p->unit_count; k-- > 0;) {
            double least, largest;
            dv_budget_range(budget, r->labels, r->order[k], &least, &largest);
            size_t at = (size_t)k * r->budgets + b;
            r->amount_to_come[at] = r->amount_to_come[at + r->budgets] + least;
            most += largest;
            r->roomy[at] = budget->most - most;
        }
    }
}

static bool prepare(dv_frontier_search *r)
{
    const dv_problem *p = r->problem;
    for (uint32_t k = 0; k < p->unit_count; k++) {
        r->place[r->order[k]] = k;
        for (dv_target_id a = 0; a < p->target_count; a++)
            if (dv_label(r->labels, r->order[k], a))
                r->last_use[p->device[a]] = k + 1;
    }
    for (uint32_t k = p->unit_count; k-- > 0;) {
        double least = INFINITY;
        for (dv_target_id a = 0; a < p->target_count; a++)
            if (dv_label(r->labels, r->order[k], a))
                least = fmin(least, dv_problem_time_us(p, r->order[k], a));
        r->rest_us[k] = r->rest_us[k + 1] + least;
    }
    for (uint32_t t = 0; t < p->tensor_count; t++) {
        r->slot[t] = r->next_slot[t] = r->last_read[t] = UINT32_MAX;
        for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++) {
            uint32_t place = r->place[p->consumers[i]];
            if (r->last_read[t] == UINT32_MAX || place > r->last_read[t])
                r->last_read[t] = place;
            r->readers[t]++;
            for (dv_target_id a = 0; a < p->target_count; a++)
                r->readers_on[(size_t)t * p->target_count + a] +=
                    dv_label(r->labels, p->consumers[i], a);
        }
    }
    for (uint32_t i = 0; r->on_path && i < r->settings->path_length; i++)
        r->on_path[r->settings->path[i]] = true;
    sum_budgets(r);
    return number_groups(r);
}

bool dv_frontier_search_init(dv_frontier_search *r)
{
    if (!allocate(r))
        return false;
    if (r->settings->rest && dv_prefix_create(r->settings->rest, &r->prefix) != DV_OK)
        return false;
    return prepare(r);
}

void dv_frontier_search_free(dv_frontier_search *r)
{
    for (uint32_t k = 0; r->trails && k < r->problem->unit_count; k++) {
        free(r->trails[k].parent);
        free(r->trails[k].choice);
    }
    void *const owned[] = {
        r->place,      r->last_read,      r->slot,      r->next_slot,  r->on_path,   r->live,
        r->next_live,  r->group_index,    r->group_end, r->group_last, r->rest_us,   r->last_use,
        r->session_us, r->readable,       r->single,    r->need,       r->group,     r->trails,
        r->spent,      r->amount_to_come, r->roomy,     r->readers,    r->readers_on};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        free(owned[i]);
    dv_prefix_free(&r->prefix);
    dv_states_free(&r->now);
    dv_states_free(&r->next);
}
