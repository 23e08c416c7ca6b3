/* k_best.c - Lawler's partition of the placements, each part's best from one backward pass.

   A part is: the units before place k as in a known plan, the one at k not on certain targets, the
   rest free. Its best follows from the beginning (one state) and the least that the rest costs
   (suffix.h), without solving anything anew. When a part's best is taken, what is left of the part
   falls apart into one part for every later place where a plan may first differ from it.
   Lawler, Management Science 18(7), 1972. */
#include "solver/k_best.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/certify.h"
#include "solver/evaluate.h"
#include "solver/limited.h"
#include "solver/suffix.h"

typedef struct part {
    double cost;
    dv_target_id *target; /* of its best plan */
    uint32_t place;       /* the first place that is not fixed */
    uint64_t barred;      /* targets that the unit there may not have */
} part;

typedef struct search {
    const dv_problem *problem;
    const dv_unit_id *order;
    dv_suffix suffix; /* where no limit binds */
    part *parts;
    size_t count, capacity;
    dv_prefix at, next;
    bool limited; /* every part is a problem of its own, with these arrays */
    dv_problem posed;
    double *time_us;
    dv_target_id *pin;
    dv_limited_settings settings;
    dv_plan *trial, *plan;
    bool exact;
} search;

static void free_parts(search *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->parts[i].target);
    free(s->parts);
}

static bool keep_part(search *s, const part *made)
{
    void *parts = s->parts;
    if (!made->target || !dv_grow(&parts, &s->capacity, s->count + 1, sizeof *s->parts)) {
        free(made->target);
        return false;
    }
    s->parts = parts;
    s->parts[s->count++] = *made;
    return true;
}

/* The same where limits bind: the beginning pinned, the rest solved. */
static dv_status add_limited_part(search *s, const dv_target_id *target, uint32_t k,
                                  uint64_t barred)
{
    const dv_problem *p = s->problem;
    dv_outcome outcome;
    memcpy(s->time_us, p->time_us, (size_t)p->unit_count * p->target_count * sizeof *s->time_us);
    for (uint32_t place = 0; place < p->unit_count; place++) {
        dv_unit_id u = s->order[place];
        s->pin[u] = place < k ? target[u] : p->pin ? p->pin[u] : DV_NONE;
    }
    for (dv_target_id a = 0; a < p->target_count; a++)
        if (barred >> a & 1u)
            s->time_us[(size_t)s->order[k] * p->target_count + a] = INFINITY;
    bool some = false;
    for (dv_target_id a = 0; a < p->target_count; a++)
        some = some || dv_problem_allows(&s->posed, s->order[k], a);
    if (!some)
        return DV_OK;
    DV_TRY(dv_limited_solve(&s->posed, &s->settings, s->trial, s->plan, &outcome));
    s->exact = s->exact && (outcome == DV_OUTCOME_OPTIMAL || outcome == DV_OUTCOME_INFEASIBLE);
    if (outcome != DV_OUTCOME_OPTIMAL && outcome != DV_OUTCOME_FEASIBLE)
        return DV_OK;
    part made = {s->plan->cost.total_us, malloc(p->unit_count * sizeof *made.target), k, barred};
    if (made.target)
        memcpy(made.target, s->plan->target, p->unit_count * sizeof *made.target);
    return keep_part(s, &made) ? DV_OK : dv_fail(DV_NO_MEMORY, "k best: out of memory");
}

/* The best of a part whose beginning (s->at, before place k) is that of target, if there is one. */
static bool add_part(search *s, const dv_target_id *target, uint32_t k, uint64_t barred)
{
    const dv_suffix *x = &s->suffix;
    uint32_t n = x->problem->unit_count, state = 0, best_state = 0;
    dv_target_id best = DV_NONE;
    double least = INFINITY;
    for (dv_target_id a = 0; a < x->problem->target_count; a++) {
        if (barred >> a & 1u || !dv_label(x->labels, x->order[k], a) ||
            !dv_prefix_step(x, &s->at, k, a, &s->next))
            continue;
        double cost = dv_suffix_least(x, k + 1, &s->next, least, &state);
        if (cost >= least)
            continue;
        least = cost;
        best = a;
        best_state = state;
    }
    if (best == DV_NONE)
        return true;
    part made = {least, malloc(n * sizeof *made.target), k, barred};
    if (made.target) {
        memcpy(made.target, target, n * sizeof *made.target);
        made.target[x->order[k]] = best;
        dv_suffix_follow(x, k + 1, best_state, made.target);
    }
    return keep_part(s, &made);
}

/* The part without its best plan, in pieces. */
static bool split(search *s, const part *of)
{
    const dv_suffix *x = &s->suffix;
    dv_prefix_begin(x, &s->at);
    for (uint32_t k = 0; k < x->problem->unit_count; k++) {
        dv_target_id a = of->target[x->order[k]];
        uint64_t barred = k == of->place ? of->barred : 0;
        if (k >= of->place && !add_part(s, of->target, k, barred | UINT64_C(1) << a))
            return false;
        if (!dv_prefix_step(x, &s->at, k, a, &s->next))
            return true;
        dv_prefix kept = s->at;
        s->at = s->next;
        s->next = kept;
    }
    return true;
}

static dv_status split_limited(search *s, const part *of)
{
    for (uint32_t k = of->place; k < s->problem->unit_count; k++) {
        dv_target_id a = of->target[s->order[k]];
        uint64_t barred = k == of->place ? of->barred : 0;
        DV_TRY(add_limited_part(s, of->target, k, barred | UINT64_C(1) << a));
        if (dv_progress_stopped(s->settings.progress))
            return dv_fail(DV_INTERRUPTED, "stopped");
    }
    return DV_OK;
}

/* Takes the cheapest part out. */
static part take(search *s)
{
    size_t best = 0;
    for (size_t i = 1; i < s->count; i++)
        if (s->parts[i].cost < s->parts[best].cost)
            best = i;
    part taken = s->parts[best];
    s->parts[best] = s->parts[--s->count];
    return taken;
}

static dv_status add_plan(const search *s, const dv_target_id *target, dv_k_best *best)
{
    const dv_problem *p = s->problem;
    dv_plan *plan = NULL;
    DV_TRY(dv_plan_create(p, &plan));
    memcpy(plan->target, target, p->unit_count * sizeof *plan->target);
    memcpy(plan->order, s->order, p->unit_count * sizeof *plan->order);
    plan->bound_us = -INFINITY;
    plan->outcome = DV_OUTCOME_FEASIBLE;
    bool legal = dv_evaluate(p, plan);
    dv_certificate certificate = dv_certify(p, plan);
    if (!legal || !certificate.ok) {
        dv_plan_destroy(plan);
        return dv_fail(DV_INTERNAL, "k best: a plan fails its certificate: %s", certificate.reason);
    }
    best->plans[best->count++] = plan;
    return DV_OK;
}

/* The part that holds all plans. */
static dv_status add_first_part(search *s)
{
    const dv_problem *p = s->problem;
    dv_target_id *none = calloc((size_t)p->unit_count + 1, sizeof *none);
    dv_status status = none ? DV_OK : dv_fail(DV_NO_MEMORY, "k best: out of memory");
    if (status == DV_OK && p->unit_count > 0 && s->limited)
        status = add_limited_part(s, none, 0, 0);
    else if (status == DV_OK && p->unit_count > 0) {
        dv_prefix_begin(&s->suffix, &s->at);
        status = add_part(s, none, 0, 0) ? DV_OK : dv_fail(DV_NO_MEMORY, "k best: out of memory");
    }
    free(none);
    return status;
}

static dv_status run(search *s, uint32_t wanted, const dv_progress *progress, dv_k_best *best)
{
    dv_status status = add_first_part(s);
    while (status == DV_OK && best->count < wanted && s->count > 0) {
        part taken = take(s);
        status = add_plan(s, taken.target, best);
        if (status == DV_OK && best->count < wanted && s->limited)
            status = split_limited(s, &taken);
        else if (status == DV_OK && best->count < wanted && !split(s, &taken))
            status = dv_fail(DV_NO_MEMORY, "k best: out of memory");
        free(taken.target);
        dv_progress_step(progress, "k best", (double)best->count / wanted);
        if (status == DV_OK && dv_progress_stopped(progress))
            status = dv_fail(DV_INTERRUPTED, "stopped");
    }
    return status;
}

/* Where limits bind: the posed problem and plans to solve it with. */
static dv_status prepare_limited(search *s, uint32_t state_limit, const dv_progress *quiet)
{
    const dv_problem *p = s->problem;
    size_t cells = (size_t)p->unit_count * p->target_count;
    s->settings = (dv_limited_settings){
        .state_limit = state_limit, .deadline_s = INFINITY, .tolerance = 1e-9, .progress = quiet};
    s->time_us = malloc((cells + 1) * sizeof *s->time_us);
    s->pin = malloc(((size_t)p->unit_count + 1) * sizeof *s->pin);
    if (!s->time_us || !s->pin)
        return dv_fail(DV_NO_MEMORY, "k best: out of memory");
    s->posed = *p;
    s->posed.time_us = s->time_us;
    s->posed.pin = s->pin;
    DV_TRY(dv_plan_create(p, &s->trial));
    DV_TRY(dv_plan_create(p, &s->plan));
    memcpy(s->plan->order, s->order, p->unit_count * sizeof *s->order);
    return DV_OK;
}

static dv_status prepare(search *s, const dv_labels *labels, uint32_t state_limit,
                         const dv_progress *progress)
{
    DV_TRY(dv_suffix_create(s->problem, labels, s->order, state_limit, progress, &s->suffix));
    DV_TRY(dv_prefix_create(&s->suffix, &s->at));
    return dv_prefix_create(&s->suffix, &s->next);
}

dv_status dv_k_best_find(const dv_problem *problem, const dv_unit_id *order, uint32_t wanted,
                         uint32_t state_limit, const dv_progress *progress, dv_k_best *best)
{
    *best = (dv_k_best){0};
    if (problem->device_count > 64 || problem->target_count > 64)
        return dv_fail(DV_BAD_PARAMETER,
                       "the next best plans are listed for 64 devices and targets "
                       "at most; use fewer (--targets)");
    search s = {
        .problem = problem, .order = order, .limited = !dv_suffix_serves(problem), .exact = true};
    dv_labels labels = {0};
    dv_progress quiet = {.stop = progress ? progress->stop : NULL};
    best->plans = calloc((size_t)wanted + 1, sizeof *best->plans);
    dv_status status = best->plans ? dv_labels_create(problem, &labels)
                                   : dv_fail(DV_NO_MEMORY, "k best: out of memory");
    if (status == DV_OK)
        status = s.limited ? prepare_limited(&s, state_limit, &quiet)
                           : prepare(&s, &labels, state_limit, progress);
    if (status == DV_OK)
        status = run(&s, wanted, progress, best);
    best->exact = s.limited ? s.exact : s.suffix.exact;
    free_parts(&s);
    dv_prefix_free(&s.at);
    dv_prefix_free(&s.next);
    dv_suffix_free(&s.suffix);
    dv_labels_free(&labels);
    dv_plan_destroy(s.trial);
    dv_plan_destroy(s.plan);
    free(s.time_us);
    free(s.pin);
    return status;
}

void dv_k_best_free(dv_k_best *best)
{
    for (uint32_t i = 0; best->plans && i < best->count; i++)
        dv_plan_destroy(best->plans[i]);
    free(best->plans);
    *best = (dv_k_best){0};
}
