/* ideal_dp.c - level after level of the dynamic program; see ideal.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/groups.h"
#include "solver/ideal.h"
#include "solver/ideal_level.h"

/* A state of so many figures more is one more piece of work. */
enum { WIDTH_OF_WORK = 32 };

/* However little memory there is, a level may keep so many states. */
enum { LEAST_STATES = 16 };

typedef struct step { /* how a kept state was reached */
    uint32_t parent;  /* step before; UINT32_MAX: the first */
    uint32_t choice;  /* unit * targets + target */
} step;

typedef struct run {
    const dv_problem *problem;
    const dv_labels *labels;
    const dv_ideal_settings *settings;
    dv_ideal_costs costs;
    dv_ideal_level now, next;
    step *trail;
    size_t trail_count, trail_capacity;
    uint32_t *slot; /* per tensor: its slot in the ideal being extended, or UINT32_MAX */
    dv_unit_groups groups;
    bool some_open;   /* any of these: */
    bool *group_open; /* per group: in the ideal being made, has it units that ran and others? */
    double *need;     /* one state being made */
    dv_device_id *group;
    double *spent;
    uint32_t budgets;
    double *least, *largest;        /* [unit * budgets + budget]: what a unit takes */
    double *left_least, *left_most; /* per budget: the units to come of the ideal being extended */
    double *to_come, *roomy; /* of the ideal being made: at least; spent up to that will do */
    double dropped_us;
    size_t made, states, ideals, most;
    size_t floor_bytes, bytes; /* that the states of level now and of the next one take */
    bool abandoned;
} run;

static void release(run *r)
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

static bool allocate(run *r)
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
static void list_amounts(run *r)
{
    const dv_problem *p = r->problem;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        for (uint32_t b = 0; b < r->budgets; b++) {
            const double *amount = r->settings->budgets->list[b].amount;
            double least = INFINITY, largest = 0.0;
            for (dv_target_id a = 0; a < p->target_count; a++)
                if (dv_label(r->labels, u, a)) {
                    size_t cell = (size_t)u * p->target_count + a;
                    least = fmin(least, amount ? amount[cell] : 0.0);
                    largest = fmax(largest, amount ? amount[cell] : 1.0);
                }
            r->least[(size_t)u * r->budgets + b] = least;
            r->largest[(size_t)u * r->budgets + b] = largest;
        }
}

/* Sums over the units that from leaves. */
static void sum_left(run *r, const dv_ideal *from)
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
static bool spend(run *r, const dv_ideal *from, uint32_t i, dv_unit_id u, dv_target_id a)
{
    bool enters = from->states.last[i] != r->problem->device[a];
    size_t cell = (size_t)u * r->problem->target_count + a;
    for (uint32_t b = 0; b < r->budgets; b++) {
        const dv_budget *budget = &r->settings->budgets->list[b];
        double amount = budget->amount ? budget->amount[cell] : enters ? 1.0 : 0.0;
        r->spent[b] = from->states.spent[(size_t)i * r->budgets + b] + amount;
        if (r->spent[b] + r->to_come[b] > budget->most)
            return false;
        if (r->spent[b] <= r->roomy[b])
            r->spent[b] = 0.0;
    }
    return true;
}

/* The needs of a tensor newly made on target a; 0 where nobody will read it. */
static void fill_need(run *r, const dv_ideal *to, uint32_t t, dv_target_id a, uint32_t slot)
{
    const dv_problem *p = r->problem;
    for (dv_target_id e = 0; e < p->target_count; e++) {
        size_t cell = (size_t)slot * p->target_count + e;
        bool held = e == a || (e == p->host && p->host_needs[t]);
        r->need[cell] = to->readable[cell] && !held ? dv_problem_move_us(p, t, a, e) : 0.0;
    }
}

/* The empty ideal: inputs are on the host. */
static bool start(run *r)
{
    const dv_problem *p = r->problem;
    for (uint32_t t = 0; t < p->tensor_count; t++)
        r->slot[t] = UINT32_MAX;
    if (dv_ideal_level_add(&r->now, NULL, DV_NONE) == UINT32_MAX)
        return false;
    dv_ideal *first = &r->now.ideal[0];
    for (uint32_t s = 0; s < first->live_count; s++)
        fill_need(r, first, first->live[s], p->host, s);
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

/* What it costs to run u on a after state i of from. */
static double cost_after(const run *r, const dv_ideal *from, uint32_t i, dv_unit_id u,
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

static void fill_needs(run *r, const dv_ideal *from, uint32_t i, dv_unit_id u, dv_target_id a,
                       const dv_ideal *to)
{
    const dv_problem *p = r->problem;
    const double *need = from->states.need + (size_t)i * from->states.width;
    for (uint32_t s = 0; s < to->live_count; s++) {
        uint32_t t = to->live[s];
        if (r->slot[t] == UINT32_MAX) {
            fill_need(r, to, t, a, s);
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

static dv_layer_costs costs_of(const run *r, const dv_ideal *ideal)
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
static bool extend(run *r, const dv_ideal *from, uint32_t i, dv_unit_id u, dv_target_id a,
                   const dv_layer_costs *costs, dv_ideal *to)
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
static dv_device_id only_device(const run *r, dv_unit_id u)
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

static void find_open_groups(run *r, const dv_ideal *to)
{
    r->some_open = false;
    for (uint32_t g = 0; g < r->groups.count; g++) {
        r->group_open[g] = false;
        for (uint32_t i = r->groups.start[g + 1]; i-- > r->groups.start[g] && !r->group_open[g];)
            r->group_open[g] = !dv_ideal_has(to, r->groups.units[i]);
        r->some_open = r->some_open || r->group_open[g];
    }
}

static bool time_is_up(const run *r)
{
    return dv_progress_must_end(r->settings->progress, r->settings->deadline_s);
}

/* All states of from with unit u run next; first_forced: per device, the ready unit that can run
   nowhere else, or DV_NONE. */
static bool extend_by(run *r, const dv_ideal *from, dv_unit_id u, const dv_unit_id *first_forced)
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
    dv_layer_costs costs = costs_of(r, to);
    for (uint32_t i = 0; i < from->states.count; i++) {
        dv_device_id last = from->states.last[i];
        if (i % 64 == 63 && time_is_up(r))
            return true; /* advance asks again */
        if (last != DV_NONE && first_forced[last] != DV_NONE && first_forced[last] != u)
            continue;
        for (dv_target_id a = 0; a < p->target_count; a++)
            if (dv_label(r->labels, u, a) && !extend(r, from, i, u, a, &costs, to))
                return false;
    }
    return true;
}

static bool thin(run *r, dv_ideal *ideal, uint32_t limit)
{
    dv_layer_costs costs = costs_of(r, ideal);
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
static bool thin_level(run *r, uint32_t limit)
{
    size_t total = 0;
    for (uint32_t i = 0; i < r->next.count; i++) {
        if (i % 16 == 15 && time_is_up(r))
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
static bool leave_trail(run *r)
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
            r->trail[r->trail_count] = (step){states->parent[k], states->choice[k]};
            states->parent[k] = (uint32_t)r->trail_count++;
        }
        r->states += states->count;
        level += states->count;
        r->ideals += states->count > 0;
    }
    r->most = level > r->most ? level : r->most;
    return true;
}

/* All states of one ideal, each ready unit in turn. forced: device_count entries to work in. */
static bool extend_ideal(run *r, const dv_ideal *from, dv_unit_id *forced)
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

/* Must the search end here, with the bound of level now? */
static bool must_end(const run *r)
{
    return r->made > r->settings->work_limit || time_is_up(r) ||
           (r->settings->whole && isfinite(r->dropped_us)) ||
           r->trail_capacity * sizeof(step) > r->settings->memory_limit / 2;
}

/* Half of the memory is for the trail, which dv_grow may double, the other for two levels. */
static bool is_full(const run *r)
{
    return r->floor_bytes + r->bytes + r->next.bytes > r->settings->memory_limit / 2;
}

/* From level now to the next one; sets abandoned where time, work or memory is at its end. */
static bool advance(run *r, dv_unit_id *forced)
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
        if (!extend_ideal(r, &r->now.ideal[i], forced))
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
    if (time_is_up(r)) { /* some of the next level may be missing */
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
static void abandon(run *r)
{
    for (uint32_t i = 0; i < r->now.count; i++)
        for (uint32_t k = 0; k < r->now.ideal[i].states.count; k++)
            r->dropped_us =
                fmin(r->dropped_us, r->now.ideal[i].states.cost[k] + r->now.ideal[i].rest_us);
}

static void finish(const run *r, dv_target_id *target, dv_unit_id *order, dv_ideal_result *result)
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
    run r = {.problem = problem, .labels = labels, .settings = settings, .dropped_us = INFINITY};
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
