/* ideal_dp.c - level after level of the dynamic program; see ideal.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/ideal_extend.h"

/* However little memory there is, a level may keep so many states. */
enum { LEAST_STATES = 16 };

static void release(dv_ideal_search *r)
{
    dv_ideal_level_free(&r->now);
    dv_ideal_level_free(&r->next);
    dv_ideal_costs_free(&r->costs);
    free(r->trail);
    free(r->slot);
    dv_unit_groups_free(&r->groups);
    free(r->group_open);
    free(r->need);
    free(r->group);
    free(r->spent);
    free(r->least);
    free(r->largest);
    free(r->left_least);
    free(r->left_most);
    free(r->to_come);
    free(r->roomy);
}

static bool allocate(dv_ideal_search *r)
{
    const dv_problem *p = r->problem;
    size_t units = (size_t)p->unit_count + 1, tensors = (size_t)p->tensor_count + 1;
    r->slot = calloc(tensors, sizeof *r->slot);
    r->group_open = calloc(units, sizeof *r->group_open);
    r->need = calloc(tensors * p->target_count, sizeof *r->need);
    r->group = calloc(units, sizeof *r->group);
    r->budgets = r->settings->budgets ? r->settings->budgets->count : 0;
    size_t budgets = (size_t)r->budgets + 1;
    r->spent = calloc(budgets, sizeof *r->spent);
    r->least = calloc(units * budgets, sizeof *r->least);
    r->largest = calloc(units * budgets, sizeof *r->largest);
    r->left_least = calloc(budgets, sizeof *r->left_least);
    r->left_most = calloc(budgets, sizeof *r->left_most);
    r->to_come = calloc(budgets, sizeof *r->to_come);
    r->roomy = calloc(budgets, sizeof *r->roomy);
    bool sums = r->spent && r->least && r->largest && r->left_least && r->left_most && r->to_come &&
                r->roomy;
    bool levels = dv_ideal_costs_init(p, r->labels, &r->costs);
    levels = dv_ideal_level_init(p, r->labels, &r->costs, &r->now) && levels;
    levels = dv_ideal_level_init(p, r->labels, &r->costs, &r->next) && levels;
    return levels && sums && r->slot && r->group_open && r->need && r->group;
}

/* What each unit takes of the budgets, at least and at most. */
static void list_amounts(dv_ideal_search *r)
{
    const dv_problem *p = r->problem;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        for (uint32_t b = 0; b < r->budgets; b++) {
            size_t at = (size_t)u * r->budgets + b;
            dv_budget_range(&r->settings->budgets->list[b], r->labels, u, &r->least[at],
                            &r->largest[at]);
        }
}

/* The empty ideal: inputs are on the host. */
static bool start(dv_ideal_search *r)
{
    const dv_problem *p = r->problem;
    for (uint32_t t = 0; t < p->tensor_count; t++)
        r->slot[t] = UINT32_MAX;
    if (dv_ideal_level_add(&r->now, NULL, DV_NONE) == UINT32_MAX)
        return false;
    dv_ideal *first = &r->now.ideal[0];
    for (uint32_t s = 0; s < first->live_count; s++)
        dv_need_fill(p, first->live[s], p->host, first->readable + (size_t)s * p->target_count,
                     r->need + (size_t)s * p->target_count);
    for (uint32_t g = 0; g < r->groups.count; g++)
        r->group[g] = DV_NONE;
    dv_states_reset(&first->states, first->live_count * p->target_count, r->groups.count,
                    r->budgets);
    dv_state state = {.last = DV_NONE,
                      .need = r->need,
                      .group = r->group,
                      .spent = r->spent,
                      .parent = UINT32_MAX,
                      .choice = 0};
    return dv_states_add(&first->states, &state);
}

static bool thin(dv_ideal_search *r, dv_ideal *ideal, uint32_t limit)
{
    dv_layer_costs costs = dv_ideal_layer_costs(r, ideal);
    double dropped_us = INFINITY;
    bool ok = dv_states_thin(&ideal->states, &costs, limit, &dropped_us);
    r->dropped_us = fmin(r->dropped_us, dropped_us + ideal->rest_us);
    return ok;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Drops dominated states of the next level, and all but the limit most promising of it (and ties).
 */
static bool thin_level(dv_ideal_search *r, uint32_t limit)
{
    size_t total = 0;
    for (uint32_t i = 0; i < r->next.count; i++) {
        if (i % 16 == 15 && dv_ideal_time_is_up(r))
            return true;
        if (!thin(r, &r->next.ideal[i], UINT32_MAX))
            return false;
        total += r->next.ideal[i].states.count;
    }
    double *value = total > limit ? malloc(total * sizeof *value) : NULL;
    if (total > limit && !value)
        return false;
    r->bytes = 0;
    size_t n = 0;
    for (uint32_t i = 0; value && i < r->next.count; i++)
        for (uint32_t k = 0; k < r->next.ideal[i].states.count; k++)
            value[n++] = r->next.ideal[i].states.cost[k] + r->next.ideal[i].rest_us;
    if (value)
        qsort(value, n, sizeof *value, by_value);
    for (uint32_t i = 0; i < r->next.count; i++) {
        dv_ideal *ideal = &r->next.ideal[i];
        uint32_t kept = ideal->states.count;
        for (; value && kept > 0; kept--) { /* sorted by cost */
            double f = ideal->states.cost[kept - 1] + ideal->rest_us;
            if (f <= value[limit - 1])
                break;
            r->dropped_us = fmin(r->dropped_us, f);
        }
        if (!dv_states_cut(&ideal->states, kept)) {
            free(value);
            return false;
        }
        r->bytes += dv_states_bytes(&ideal->states);
    }
    free(value);
    return true;
}

/* Writes the trail of the next level's states; from here on a state's parent is its own step. */
static bool leave_trail(dv_ideal_search *r)
{
    size_t level = 0;
    for (uint32_t i = 0; i < r->next.count; i++) {
        dv_states *states = &r->next.ideal[i].states;
        void *items = r->trail;
        if (r->trail_count + states->count >= UINT32_MAX ||
            !dv_grow(&items, &r->trail_capacity, r->trail_count + states->count, sizeof *r->trail))
            return false;
        r->trail = items;
        for (uint32_t k = 0; k < states->count; k++) {
            r->trail[r->trail_count] = (dv_ideal_step){states->parent[k], states->choice[k]};
            states->parent[k] = (uint32_t)r->trail_count++;
        }
        r->states += states->count;
        level += states->count;
        r->ideals += states->count > 0;
    }
    r->most = level > r->most ? level : r->most;
    return true;
}

/* Must the search end here, with the bound of level now? */
static bool must_end(const dv_ideal_search *r)
{
    return r->made > r->settings->work_limit || dv_ideal_time_is_up(r) ||
           (r->settings->whole && isfinite(r->dropped_us)) ||
           r->trail_capacity * sizeof(dv_ideal_step) > r->settings->memory_limit / 2;
}

/* Half of the memory is for the trail, which dv_grow may double, the other for two levels. */
static bool is_full(const dv_ideal_search *r)
{
    return r->floor_bytes + r->bytes + r->next.bytes > r->settings->memory_limit / 2;
}

/* From level now to the next one; sets abandoned where time, work or memory is at its end. */
static bool advance(dv_ideal_search *r, dv_unit_id *forced)
{
    uint32_t limit = r->settings->state_limit;
    r->floor_bytes = r->bytes + r->now.bytes;
    r->bytes = 0;
    for (uint32_t i = 0; i < r->now.count; i++) {
        if (r->now.ideal[i].states.count == 0)
            continue;
        if (must_end(r)) {
            r->abandoned = true;
            return true;
        }
        if (!dv_ideal_extend(r, &r->now.ideal[i], forced))
            return false;
        if (!is_full(r))
            continue;
        if (!thin_level(r, limit))
            return false;
        while (is_full(r) && limit > LEAST_STATES && !r->settings->whole)
            if (!thin_level(r, limit /= 2))
                return false;
        if (is_full(r)) { /* of few states, too: there are too many ideals */
            r->abandoned = true;
            return true;
        }
    }
    if (!thin_level(r, limit))
        return false;
    if (dv_ideal_time_is_up(r)) { /* some of the next level may be missing */
        r->abandoned = true;
        return true;
    }
    if (!leave_trail(r))
        return false;
    dv_ideal_level_free(&r->now);
    r->now = r->next;
    return dv_ideal_level_init(r->problem, r->labels, &r->costs, &r->next);
}

/* The bound of the level reached holds whatever is not searched. */
static void abandon(dv_ideal_search *r)
{
    for (uint32_t i = 0; i < r->now.count; i++)
        for (uint32_t k = 0; k < r->now.ideal[i].states.count; k++)
            r->dropped_us =
                fmin(r->dropped_us, r->now.ideal[i].states.cost[k] + r->now.ideal[i].rest_us);
}

static void finish(const dv_ideal_search *r, dv_target_id *target, dv_unit_id *order,
                   dv_ideal_result *result)
{
    const dv_states *last = r->abandoned || r->now.count == 0 ? NULL : &r->now.ideal[0].states;
    *result = (dv_ideal_result){.found = last && last->count > 0,
                                .exact = isinf(r->dropped_us),
                                .states = r->states,
                                .ideals = r->ideals,
                                .made = r->made,
                                .most = r->most};
    result->value_us = result->found ? last->cost[0] : INFINITY;
    result->bound_us = fmin(fmin(result->value_us, r->dropped_us), r->settings->upper_us);
    if (!result->found)
        return;
    uint32_t at = last->parent[0];
    for (uint32_t k = r->problem->unit_count; k-- > 0; at = r->trail[at].parent) {
        order[k] = r->trail[at].choice / r->problem->target_count;
        target[order[k]] = r->trail[at].choice % r->problem->target_count;
    }
}

dv_status dv_ideal_run(const dv_problem *problem, const dv_labels *labels,
                       const dv_ideal_settings *settings, dv_target_id *target, dv_unit_id *order,
                       dv_ideal_result *result)
{
    dv_ideal_search r = {
        .problem = problem, .labels = labels, .settings = settings, .dropped_us = INFINITY};
    dv_unit_id *forced = calloc((size_t)problem->device_count + 1, sizeof *forced);
    bool ok = allocate(&r) && forced;
    if (ok)
        list_amounts(&r);
    if (ok)
        ok = dv_unit_groups_create(problem, &r.groups) == DV_OK && start(&r);
    for (uint32_t k = 0; ok && !r.abandoned && k < problem->unit_count; k++) {
        ok = advance(&r, forced);
        if (k % 16 == 15)
            dv_progress_step(settings->progress, "ideal", (k + 1.0) / problem->unit_count);
    }
    if (ok && r.abandoned)
        abandon(&r);
    if (ok)
        finish(&r, target, order, result);
    free(forced);
    release(&r);
    return ok ? DV_OK : dv_fail(DV_NO_MEMORY, "ideal: out of memory");
}
