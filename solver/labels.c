/* labels.c - label elimination: a choice that never pays is never looked at again.

   A label is dropped only while the label that beats it is still there, so by induction an optimal
   plan survives every step, ties included. */
#include "solver/labels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"

dv_status dv_labels_create(const dv_problem *problem, dv_labels *labels)
{
    size_t cells;
    *labels = (dv_labels){.unit_count = problem->unit_count, .target_count = problem->target_count};
    if (dv_mul_size(problem->unit_count, problem->target_count, &cells)) {
        labels->allowed = malloc(cells + 1);
        labels->count = calloc((size_t)problem->unit_count + 1, sizeof *labels->count);
        labels->swap = calloc(cells + 1, sizeof *labels->swap);
    }
    if (!labels->allowed || !labels->count || !labels->swap) {
        dv_labels_free(labels);
        return dv_fail(DV_NO_MEMORY, "solver: out of memory");
    }
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        for (dv_target_id a = 0; a < problem->target_count; a++) {
            bool allowed = dv_problem_allows(problem, u, a);
            labels->allowed[(size_t)u * problem->target_count + a] = allowed;
            labels->count[u] += allowed;
        }
    return DV_OK;
}

void dv_labels_free(dv_labels *labels)
{
    free(labels->allowed);
    free(labels->count);
    free(labels->swap);
    *labels = (dv_labels){0};
}

void dv_labels_drop(dv_labels *labels, dv_unit_id u, dv_target_id a)
{
    labels->allowed[(size_t)u * labels->target_count + a] = false;
    labels->count[u]--;
}

static double least_us(const dv_problem *problem, const dv_labels *labels, dv_unit_id u)
{
    double least = INFINITY;
    for (dv_target_id a = 0; a < problem->target_count; a++)
        if (dv_label(labels, u, a))
            least = fmin(least, dv_problem_time_us(problem, u, a));
    return least;
}

void dv_labels_cut(const dv_problem *problem, double incumbent_us, dv_labels *labels)
{
    if (!isfinite(incumbent_us))
        return;
    double floor_us = 0.0;
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        floor_us += least_us(problem, labels, u);
    /* Keep what is above only by the rounding of these sums. */
    double ceiling_us = incumbent_us * (1.0 + 1e-9);
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        double others_us = floor_us - least_us(problem, labels, u);
        for (dv_target_id a = 0; a < problem->target_count; a++)
            if (dv_label(labels, u, a) && labels->count[u] > 1 &&
                others_us + dv_problem_time_us(problem, u, a) > ceiling_us)
                dv_labels_drop(labels, u, a);
    }
}

void dv_labels_follow(const dv_labels *labels, dv_target_id *target)
{
    for (size_t i = 0; i < labels->swap_count; i++)
        if (target[labels->swap[i].u] == labels->swap[i].from)
            target[labels->swap[i].u] = labels->swap[i].to;
}

double dv_labels_floor_us(const dv_problem *problem, const dv_labels *labels)
{
    double sum = 0.0, dispatch = problem->unit_count ? INFINITY : 0.0;
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        sum += least_us(problem, labels, u);
    for (dv_device_id d = 0; d < problem->device_count; d++)
        dispatch = fmin(dispatch, problem->dispatch_us[d]);
    return sum + dispatch;
}

/* One question: at worst, how much more does u on e cost than u on d? */
typedef struct swap {
    const dv_problem *problem;
    const dv_labels *labels;
    dv_unit_id u;
    dv_target_id d, e;
} swap;

/* Dispatch of u's own entry and of its successor's, at worst over their devices. before, after:
   neighbours in the order, DV_NONE at an end. */
static double worst_dispatch_us(const swap *s, dv_unit_id before, dv_unit_id after)
{
    const dv_problem *p = s->problem;
    dv_device_id from = p->device[s->d], to = p->device[s->e];
    if (from == to)
        return 0.0;
    double entering = -INFINITY, leaving = after == DV_NONE ? 0.0 : -INFINITY;
    if (before == DV_NONE)
        entering = p->dispatch_us[to] - p->dispatch_us[from];
    for (dv_target_id a = 0; a < p->target_count; a++) {
        dv_device_id x = p->device[a];
        if (before != DV_NONE && dv_label(s->labels, before, a))
            entering = fmax(entering, (x != to ? p->dispatch_us[to] : 0.0) -
                                          (x != from ? p->dispatch_us[from] : 0.0));
        if (after != DV_NONE && dv_label(s->labels, after, a))
            leaving = fmax(leaving, (x != to ? p->dispatch_us[x] : 0.0) -
                                        (x != from ? p->dispatch_us[x] : 0.0));
    }
    return entering + leaving;
}

/* The same where the order is free: the neighbours may be any device, or none. */
static double worst_free_dispatch_us(const swap *s)
{
    const dv_problem *p = s->problem;
    dv_device_id from = p->device[s->d], to = p->device[s->e];
    if (from == to)
        return 0.0;
    /* Entering: at worst the unit before is on the device that u leaves. Leaving: likewise. */
    double after = p->dispatch_us[from];
    return p->dispatch_us[to] + after;
}

/* fmax is a call, and this is the innermost of loops; no argument is NaN. */
static inline double larger(double a, double b)
{
    return a > b ? a : b;
}

static double worst_input_us(const swap *s, uint32_t t)
{
    const dv_problem *p = s->problem;
    dv_unit_id maker = p->producer[t];
    bool alone = p->consumer_start[t + 1] - p->consumer_start[t] == 1;
    double worst = -INFINITY;
    for (dv_target_id a = 0; a < p->target_count; a++) {
        if (maker == DV_NONE ? a != p->host : !dv_label(s->labels, maker, a))
            continue;
        double added =
            p->host_needs[t] && s->e == p->host ? 0.0 : dv_problem_move_us(p, t, a, s->e);
        bool saves = alone && !(p->host_needs[t] && s->d == p->host);
        double saved = saves ? dv_problem_move_us(p, t, a, s->d) : 0.0;
        worst = larger(worst, isfinite(added) ? added - saved : INFINITY);
    }
    return worst;
}

static double output_change_us(const swap *s, uint32_t t, dv_target_id b)
{
    double now = dv_problem_move_us(s->problem, t, s->d, b);
    double then = dv_problem_move_us(s->problem, t, s->e, b);
    return isfinite(then) ? then - now : INFINITY;
}

static double worst_output_us(const swap *s, uint32_t t)
{
    const dv_problem *p = s->problem;
    uint32_t first = p->consumer_start[t], end = p->consumer_start[t + 1];
    double host_us = p->host_needs[t] ? output_change_us(s, t, p->host) : 0.0;
    double any = 0.0; /* every target that some consumer may have, each once */
    double one = -INFINITY;
    for (dv_target_id b = 0; b < p->target_count; b++) {
        bool read = false;
        for (uint32_t i = first; !read && i < end; i++)
            read = dv_label(s->labels, p->consumers[i], b);
        if (!read)
            continue;
        double change = p->host_needs[t] && b == p->host ? 0.0 : output_change_us(s, t, b);
        any += larger(0.0, change);
        one = larger(one, change);
    }
    if (end == first)
        return host_us;
    return host_us + (end - first == 1 ? one : any);
}

static double worst_change_us(const swap *s, const dv_unit_id *order, uint32_t place)
{
    const dv_problem *p = s->problem;
    double change = dv_problem_time_us(p, s->u, s->e) - dv_problem_time_us(p, s->u, s->d);
    if (p->device[s->d] != p->device[s->e])
        change += p->session_us[p->device[s->e]];
    if (order)
        change += worst_dispatch_us(s, place > 0 ? order[place - 1] : DV_NONE,
                                    place + 1 < p->unit_count ? order[place + 1] : DV_NONE);
    else
        change += worst_free_dispatch_us(s);
    for (uint32_t i = p->unit_tensor_start[s->u]; i < p->unit_tensor_start[s->u + 1]; i++)
        change += worst_input_us(s, p->unit_tensors[i]);
    for (uint32_t i = p->unit_output_start[s->u]; i < p->unit_output_start[s->u + 1]; i++)
        change += worst_output_us(s, p->unit_outputs[i]);
    return change;
}

/* What another look at a unit depends on: its own labels and those of its neighbours. */
static void mark_neighbours(const dv_problem *p, const dv_unit_id *order, uint32_t place,
                            bool *stale)
{
    dv_unit_id u = order ? order[place] : place;
    stale[u] = true;
    for (uint32_t i = p->next_start[u]; i < p->next_start[u + 1]; i++)
        stale[p->next[i]] = true;
    for (uint32_t i = p->previous_start[u]; i < p->previous_start[u + 1]; i++)
        stale[p->previous[i]] = true;
    if (order && place > 0)
        stale[order[place - 1]] = true;
    if (order && place + 1 < p->unit_count)
        stale[order[place + 1]] = true;
}

/* Drops u's labels that another one beats; whether any went. */
static bool look_at(const dv_problem *problem, const dv_unit_id *order, uint32_t place,
                    dv_labels *labels)
{
    dv_unit_id u = order ? order[place] : place;
    bool any = false;
    for (dv_target_id d = 0; d < problem->target_count && labels->count[u] > 1; d++)
        for (dv_target_id e = 0; e < problem->target_count && dv_label(labels, u, d); e++) {
            swap s = {problem, labels, u, d, e};
            if (e != d && dv_label(labels, u, e) && worst_change_us(&s, order, place) <= 0.0) {
                dv_labels_drop(labels, u, d);
                labels->swap[labels->swap_count++] = (dv_label_swap){u, d, e};
                any = true;
            }
        }
    return any;
}

/* stale: per unit, must it be looked at (again)? */
static void dominate(const dv_problem *problem, const dv_unit_id *order,
                     const dv_progress *progress, double deadline_s, dv_labels *labels, bool *stale)
{
    bool again = true;
    for (int round = 0; again && round < 8; round++) {
        again = false;
        for (uint32_t k = 0; k < problem->unit_count; k++) {
            dv_unit_id u = order ? order[k] : k;
            if (k % 256 == 255 && dv_progress_must_end(progress, deadline_s))
                return;
            /* The device of a group's unit is not its own choice. */
            if (!stale[u] || (problem->group && problem->group[u] != DV_NONE))
                continue;
            stale[u] = false;
            if (look_at(problem, order, k, labels)) {
                mark_neighbours(problem, order, k, stale);
                again = true;
            }
        }
    }
}

void dv_labels_dominate(const dv_problem *problem, const dv_unit_id *order,
                        const dv_progress *progress, double deadline_s, dv_labels *labels)
{
    if (dv_limits_bind(problem))
        return;
    bool *stale = malloc((size_t)problem->unit_count + 1);
    if (!stale) /* all labels stay: valid, only slower */
        return;
    memset(stale, true, problem->unit_count);
    dominate(problem, order, progress, deadline_s, labels, stale);
    free(stale);
}

/* The sum over units of their largest figure in table among allowed targets on d (DV_NONE: all). */
static double largest_sum(const dv_problem *problem, const double *table, dv_device_id d)
{
    double sum = 0.0;
    for (dv_unit_id u = 0; table && u < problem->unit_count; u++) {
        double largest = 0.0;
        for (dv_target_id a = 0; a < problem->target_count; a++)
            if ((d == DV_NONE || problem->device[a] == d) && dv_problem_allows(problem, u, a))
                largest = fmax(largest, table[(size_t)u * problem->target_count + a]);
        sum += largest;
    }
    return sum;
}

bool dv_limit_capacity_binds(const dv_problem *problem, dv_device_id d)
{
    return largest_sum(problem, problem->memory_bytes, d) > problem->capacity_bytes[d];
}

bool dv_limit_energy_binds(const dv_problem *problem)
{
    return largest_sum(problem, problem->energy_uj, DV_NONE) > problem->energy_budget_uj;
}

bool dv_limit_loss_binds(const dv_problem *problem)
{
    return largest_sum(problem, problem->loss, DV_NONE) > problem->loss_budget;
}

bool dv_limit_segments_binds(const dv_problem *problem)
{
    return problem->max_segments < problem->unit_count;
}

bool dv_limits_bind(const dv_problem *problem)
{
    if (dv_limit_energy_binds(problem) || dv_limit_loss_binds(problem) ||
        dv_limit_segments_binds(problem))
        return true;
    for (dv_device_id d = 0; d < problem->device_count; d++)
        if (dv_limit_capacity_binds(problem, d))
            return true;
    return false;
}
