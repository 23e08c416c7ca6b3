/* conflict.c - the deletion filter over the limits of a problem; see conflict.h. */
#include "solver/conflict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "solver/frontier.h"
#include "solver/labels.h"
#include "solver/strategy.h"

/* Sums in another order may differ by their rounding; a limit met to 1e-9 is met. */
static const double TOLERANCE = 1e-9;

typedef enum answer { CAN_BE_MET, CANNOT_BE_MET, UNDECIDED } answer;

typedef struct search {
    const dv_problem *problem;
    const dv_progress *progress;
    double deadline_s; /* on dv_clock_s */
    dv_limit *limits;
    bool *on; /* per limit: it is asked for */
    uint32_t count;
    dv_problem posed; /* with the limits that are on, and the arrays below */
    double *time, *zero_pairs, *none, *one, *capacity;
    dv_target_id *pin;
    uint32_t *group;
    uint32_t *pin_limit, *group_limit; /* per unit: its limit, or UINT32_MAX */
} search;

static bool allocate(search *s, dv_arena *arena)
{
    const dv_problem *p = s->problem;
    size_t units = (size_t)p->unit_count + 1, devices = (size_t)p->device_count + 1;
    size_t pairs = (size_t)p->target_count * p->target_count;
    size_t most = 2 * units + devices + 3;
    s->limits = dv_arena_array(arena, most, sizeof *s->limits);
    s->on = dv_arena_array(arena, most, sizeof *s->on);
    s->time = dv_arena_array(arena, units * p->target_count, sizeof *s->time);
    s->zero_pairs = dv_arena_array(arena, pairs + 1, sizeof *s->zero_pairs);
    s->none = dv_arena_array(arena, devices, sizeof *s->none);
    s->one = dv_arena_array(arena, devices, sizeof *s->one);
    s->capacity = dv_arena_array(arena, devices, sizeof *s->capacity);
    s->pin = dv_arena_array(arena, units, sizeof *s->pin);
    s->group = dv_arena_array(arena, units, sizeof *s->group);
    s->pin_limit = dv_arena_array(arena, units, sizeof *s->pin_limit);
    s->group_limit = dv_arena_array(arena, units, sizeof *s->group_limit);
    for (dv_device_id d = 0; s->one && d < p->device_count; d++)
        s->one[d] = 1.0;
    return s->limits && s->on && s->time && s->zero_pairs && s->none && s->one && s->capacity &&
           s->pin && s->group && s->pin_limit && s->group_limit;
}

static uint32_t add_limit(search *s, dv_limit_kind kind, uint32_t index)
{
    s->limits[s->count] = (dv_limit){kind, index, NAN};
    s->on[s->count] = true;
    return s->count++;
}

typedef struct member {
    uint32_t group;
    dv_unit_id unit;
} member;

static int by_group(const void *a, const void *b)
{
    const member *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return (x->unit > y->unit) - (x->unit < y->unit);
}

/* Groups of two units or more. */
static bool list_groups(search *s)
{
    const dv_problem *p = s->problem;
    member *members = malloc(((size_t)p->unit_count + 1) * sizeof *members);
    if (!members)
        return false;
    uint32_t count = 0;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        s->group_limit[u] = UINT32_MAX;
        if (p->group && p->group[u] != DV_NONE)
            members[count++] = (member){p->group[u], u};
    }
    qsort(members, count, sizeof *members, by_group);
    for (uint32_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && members[end].group == members[i].group;)
            end++;
        uint32_t limit = end - i > 1 ? add_limit(s, DV_LIMIT_GROUP, members[i].group) : UINT32_MAX;
        for (uint32_t k = i; k < end; k++)
            s->group_limit[members[k].unit] = limit;
    }
    free(members);
    return true;
}

/* Those that go first if they can come first: a conflict of few budgets says more. */
static bool list_limits(search *s)
{
    const dv_problem *p = s->problem;
    if (!list_groups(s))
        return false;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        bool pinned = p->pin && p->pin[u] != DV_NONE;
        s->pin_limit[u] = pinned ? add_limit(s, DV_LIMIT_PIN, u) : UINT32_MAX;
    }
    for (dv_device_id d = 0; d < p->device_count; d++)
        if (dv_limit_capacity_binds(p, d))
            add_limit(s, DV_LIMIT_CAPACITY, d);
    if (dv_limit_segments_binds(p))
        add_limit(s, DV_LIMIT_SEGMENTS, 0);
    if (dv_limit_loss_binds(p))
        add_limit(s, DV_LIMIT_LOSS, 0);
    if (dv_limit_energy_binds(p))
        add_limit(s, DV_LIMIT_ENERGY, 0);
    return true;
}

/* What a limit bounds, for unit u on target a; segments are no matter of one unit. */
static double amount(const dv_problem *p, const dv_limit *limit, dv_unit_id u, dv_target_id a)
{
    size_t cell = (size_t)u * p->target_count + a;
    switch (limit->kind) {
    case DV_LIMIT_CAPACITY:
        return p->device[a] == limit->index ? p->memory_bytes[cell] : 0.0;
    case DV_LIMIT_LOSS:
        return p->loss[cell];
    case DV_LIMIT_ENERGY:
        return p->energy_uj[cell];
    default:
        return 0.0;
    }
}

static double budget(const dv_problem *p, const dv_limit *limit)
{
    switch (limit->kind) {
    case DV_LIMIT_CAPACITY:
        return p->capacity_bytes[limit->index];
    case DV_LIMIT_SEGMENTS:
        return p->max_segments;
    case DV_LIMIT_LOSS:
        return p->loss_budget;
    case DV_LIMIT_ENERGY:
        return p->energy_budget_uj;
    default:
        return INFINITY;
    }
}

static bool is_budget(const dv_limit *limit)
{
    return limit->kind != DV_LIMIT_PIN && limit->kind != DV_LIMIT_GROUP;
}

/* posed = the problem with the limits that are on, and times to be filled in; nothing else costs.
 */
static void pose(search *s)
{
    const dv_problem *p = s->problem;
    dv_problem *to = &s->posed;
    *to = *p;
    to->time_us = s->time;
    to->move_latency_us = to->move_us_per_byte = s->zero_pairs;
    to->dispatch_us = to->session_us = s->none;
    to->capacity_bytes = s->capacity;
    to->pin = s->pin;
    to->group = s->group;
    to->max_segments = UINT32_MAX;
    to->energy_budget_uj = to->loss_budget = INFINITY;
    for (dv_device_id d = 0; d < p->device_count; d++)
        s->capacity[d] = INFINITY;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        bool pinned = s->pin_limit[u] != UINT32_MAX && s->on[s->pin_limit[u]];
        bool bound = s->group_limit[u] != UINT32_MAX && s->on[s->group_limit[u]];
        s->pin[u] = pinned ? p->pin[u] : DV_NONE;
        s->group[u] = bound ? s->group_limit[u] : DV_NONE;
        for (dv_target_id a = 0; a < p->target_count; a++)
            s->time[(size_t)u * p->target_count + a] =
                isfinite(dv_problem_time_us(p, u, a)) ? 0.0 : INFINITY;
    }
    for (uint32_t i = 0; i < s->count; i++) {
        if (!s->on[i])
            continue;
        if (s->limits[i].kind == DV_LIMIT_CAPACITY)
            s->capacity[s->limits[i].index] = p->capacity_bytes[s->limits[i].index];
        else if (s->limits[i].kind == DV_LIMIT_SEGMENTS)
            to->max_segments = p->max_segments;
        else if (s->limits[i].kind == DV_LIMIT_LOSS)
            to->loss_budget = p->loss_budget;
        else if (s->limits[i].kind == DV_LIMIT_ENERGY)
            to->energy_budget_uj = p->energy_budget_uj;
    }
}

/* The least that unit u takes of the limit on device d; INFINITY if it cannot be there. */
static double least_on(const search *s, const dv_limit *limit, dv_unit_id u, dv_device_id d)
{
    const dv_problem *p = &s->posed;
    double least = INFINITY;
    for (dv_target_id a = 0; a < p->target_count; a++)
        if (p->device[a] == d && dv_problem_allows(p, u, a))
            least = fmin(least, amount(s->problem, limit, u, a));
    return least;
}

/* The least that any placement takes of the limit under the pins and groups that are on, exactly:
   units that no group joins choose alone. INFINITY: not even pins and groups can be met. sums: an
   entry a limit and device. */
static double least_sum(const search *s, const dv_limit *limit, double *sums)
{
    const dv_problem *p = &s->posed;
    double sum = 0.0;
    memset(sums, 0, (size_t)s->count * p->device_count * sizeof *sums);
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        double least = INFINITY;
        for (dv_device_id d = 0; d < p->device_count; d++) {
            double there = least_on(s, limit, u, d);
            least = fmin(least, there);
            if (p->group[u] != DV_NONE)
                sums[(size_t)p->group[u] * p->device_count + d] += there;
        }
        sum += p->group[u] == DV_NONE ? least : 0.0;
    }
    for (uint32_t g = 0; g < s->count; g++) {
        if (!s->on[g] || s->limits[g].kind != DV_LIMIT_GROUP)
            continue;
        double least = INFINITY;
        for (dv_device_id d = 0; d < p->device_count; d++)
            least = fmin(least, sums[(size_t)g * p->device_count + d]);
        sum += least;
    }
    return sum;
}

/* The least segments of the given order under the pins that are on; groups are left aside.
   segments, next: an entry a device. */
static double least_segments(const search *s, double *segments, double *next)
{
    const dv_problem *p = &s->posed;
    double best = 0.0;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        double least = INFINITY;
        for (dv_device_id d = 0; d < p->device_count; d++) {
            bool may = isfinite(least_on(s, &(dv_limit){.kind = DV_LIMIT_PIN}, u, d));
            double staying = u == 0 ? INFINITY : segments[d];
            next[d] = may ? fmin(staying, best + 1.0) : INFINITY;
            least = fmin(least, next[d]);
        }
        best = least;
        memcpy(segments, next, p->device_count * sizeof *segments);
    }
    return best;
}

/* Whether sums alone decide: no if one budget is short, yes if there is one budget at most. */
static dv_status decide_by_sums(search *s, answer *out)
{
    size_t devices = s->problem->device_count;
    double *sums = calloc(((size_t)s->count + 2) * devices + 1, sizeof *sums);
    if (!sums)
        return dv_fail(DV_NO_MEMORY, "conflict: out of memory");
    double *segments = sums + (size_t)s->count * devices;
    uint32_t budgets = 0, groups = 0;
    bool fits = isfinite(least_sum(s, &(dv_limit){.kind = DV_LIMIT_PIN}, sums)), counted = false;
    for (uint32_t i = 0; i < s->count && fits; i++) {
        groups += s->on[i] && s->limits[i].kind == DV_LIMIT_GROUP;
        if (!s->on[i] || !is_budget(&s->limits[i]))
            continue;
        budgets++;
        counted = counted || s->limits[i].kind == DV_LIMIT_SEGMENTS;
        double least = s->limits[i].kind == DV_LIMIT_SEGMENTS
                           ? least_segments(s, segments, segments + devices)
                           : least_sum(s, &s->limits[i], sums);
        double most = budget(s->problem, &s->limits[i]);
        fits = least <= most + TOLERANCE * most;
    }
    free(sums);
    bool exact = budgets == 0 || (budgets == 1 && !(counted && groups > 0));
    *out = !fits ? CANNOT_BE_MET : exact ? CAN_BE_MET : UNDECIDED;
    return DV_OK;
}

static dv_status solve_posed(search *s, dv_plan **plan, dv_outcome *outcome)
{
    dv_solve_options options = dv_solve_options_default();
    dv_progress quiet = {.stop = s->progress ? s->progress->stop : NULL};
    options.progress = &quiet;
    options.deadline_s = fmax(0.0, s->deadline_s - dv_clock_s());
    const char *strategy = dv_frontier_serves(&s->posed) ? "frontier" : "ilp";
    DV_TRY(dv_solve(&s->posed, strategy, &options, plan, outcome));
    if (!dv_progress_stopped(s->progress))
        return DV_OK;
    dv_plan_destroy(*plan);
    return dv_fail(DV_INTERRUPTED, "stopped");
}

/* Can the limits that are on be met? */
static dv_status ask(search *s, answer *out)
{
    pose(s);
    DV_TRY(decide_by_sums(s, out));
    if (*out != UNDECIDED || dv_clock_s() >= s->deadline_s)
        return DV_OK;
    dv_plan *plan;
    dv_outcome outcome;
    DV_TRY(solve_posed(s, &plan, &outcome));
    *out = plan ? CAN_BE_MET : outcome == DV_OUTCOME_INFEASIBLE ? CANNOT_BE_MET : UNDECIDED;
    dv_plan_destroy(plan);
    return DV_OK;
}

/* Turns a block of limits off for good if the others still cannot be met; *answered: what was
   found. */
static dv_status drop(search *s, const uint32_t *block, uint32_t count, answer *answered)
{
    for (uint32_t i = 0; i < count; i++)
        s->on[block[i]] = false;
    DV_TRY(ask(s, answered));
    for (uint32_t i = 0; i < count && *answered != CANNOT_BE_MET; i++)
        s->on[block[i]] = true;
    return DV_OK;
}

static uint32_t list_on(const search *s, uint32_t *list)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->count; i++)
        if (s->on[i])
            list[count++] = i;
    return count;
}

/* One budget alone, with all pins and groups, is the easiest conflict to see. */
static dv_status try_one_budget(search *s, bool *found)
{
    *found = false;
    for (uint32_t one = s->count; one-- > 0 && !*found;) {
        if (!is_budget(&s->limits[one]))
            continue;
        for (uint32_t i = 0; i < s->count; i++)
            s->on[i] = i == one || !is_budget(&s->limits[i]);
        answer answered;
        pose(s);
        DV_TRY(decide_by_sums(s, &answered));
        *found = answered == CANNOT_BE_MET;
    }
    for (uint32_t i = 0; i < s->count && !*found; i++)
        s->on[i] = true;
    return DV_OK;
}

/* Halves, then quarters, ... then single ones. A limit that is needed in a set is needed in every
   part of it that cannot be met, so one round of single ones shows that each is. */
static dv_status reduce(search *s, bool *minimal)
{
    uint32_t *list = calloc((size_t)s->count + 1, sizeof *list);
    if (!list)
        return dv_fail(DV_NO_MEMORY, "conflict: out of memory");
    dv_status status = DV_OK;
    *minimal = true;
    for (uint32_t block = (s->count + 1) / 2; status == DV_OK && block > 0; block /= 2) {
        uint32_t count = list_on(s, list);
        for (uint32_t i = 0; status == DV_OK && i < count; i += block) {
            answer answered = UNDECIDED;
            uint32_t size = count - i < block ? count - i : block;
            status = drop(s, list + i, size, &answered);
            *minimal = *minimal && (block > 1 || answered != UNDECIDED);
        }
        dv_progress_step(s->progress, "limits that conflict", -1.0);
    }
    free(list);
    return status;
}

/* What limit i bounds, at least, under the others that are on. */
static dv_status find_least(search *s, uint32_t i)
{
    const dv_problem *p = s->problem;
    dv_limit *limit = &s->limits[i];
    s->on[i] = false;
    pose(s);
    s->on[i] = true;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        for (dv_target_id a = 0; a < p->target_count; a++)
            s->time[(size_t)u * p->target_count + a] += amount(p, limit, u, a);
    if (limit->kind == DV_LIMIT_SEGMENTS)
        s->posed.dispatch_us = s->one;
    dv_plan *plan;
    dv_outcome outcome;
    DV_TRY(solve_posed(s, &plan, &outcome));
    double least = !plan                           ? -INFINITY
                   : outcome == DV_OUTCOME_OPTIMAL ? plan->cost.total_us
                                                   : plan->bound_us;
    if (least > budget(p, limit))
        limit->least = least;
    /* A number of segments is whole. */
    if (limit->kind == DV_LIMIT_SEGMENTS && isfinite(limit->least))
        limit->least = ceil(limit->least - 1e-6);
    dv_plan_destroy(plan);
    return DV_OK;
}

static dv_status report(search *s, dv_conflict *out)
{
    out->limits = calloc((size_t)s->count + 1, sizeof *out->limits);
    if (!out->limits)
        return dv_fail(DV_NO_MEMORY, "conflict: out of memory");
    for (uint32_t i = s->count; i-- > 0;) { /* budgets first */
        if (!s->on[i])
            continue;
        if (is_budget(&s->limits[i]))
            DV_TRY(find_least(s, i));
        out->given_order = out->given_order ||
                           (s->limits[i].kind == DV_LIMIT_SEGMENTS && s->problem->max_segments > 1);
        out->limits[out->count++] = s->limits[i];
    }
    return DV_OK;
}

static dv_status run(search *s, dv_conflict *out)
{
    bool found;
    if (!list_limits(s))
        return dv_fail(DV_NO_MEMORY, "conflict: out of memory");
    DV_TRY(try_one_budget(s, &found));
    if (!found) {
        answer answered;
        DV_TRY(ask(s, &answered));
        if (answered != CANNOT_BE_MET)
            return DV_OK;
    }
    DV_TRY(reduce(s, &out->minimal));
    return report(s, out);
}

dv_status dv_conflict_find(const dv_problem *problem, double deadline_s,
                           const dv_progress *progress, dv_conflict *out)
{
    *out = (dv_conflict){0};
    search s = {.problem = problem, .progress = progress, .deadline_s = dv_clock_s() + deadline_s};
    dv_arena *arena = dv_arena_create();
    dv_status status = arena && allocate(&s, arena)
                           ? run(&s, out)
                           : dv_fail(DV_NO_MEMORY, "conflict: out of memory");
    dv_arena_destroy(arena);
    return status;
}

void dv_conflict_free(dv_conflict *conflict)
{
    free(conflict->limits);
    *conflict = (dv_conflict){0};
}
