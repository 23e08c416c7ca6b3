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
#include "solver/suffix.h"

typedef struct part {
    double cost;
    dv_target_id *target; /* of its best plan */
    uint32_t place;       /* the first place that is not fixed */
    uint64_t barred;      /* targets that the unit there may not have */
} part;

typedef struct search {
    dv_suffix suffix;
    part *parts;
    size_t count, capacity;
    dv_prefix at, next;
} search;

static void free_parts(search *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->parts[i].target);
    free(s->parts);
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
    if (!made.target ||
        !dv_grow((void **)&s->parts, &s->capacity, s->count + 1, sizeof *s->parts)) {
        free(made.target);
        return false;
    }
    memcpy(made.target, target, n * sizeof *made.target);
    made.target[x->order[k]] = best;
    dv_suffix_follow(x, k + 1, best_state, made.target);
    s->parts[s->count++] = made;
    return true;
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
    const dv_problem *p = s->suffix.problem;
    dv_plan *plan = NULL;
    DV_TRY(dv_plan_create(p, &plan));
    memcpy(plan->target, target, p->unit_count * sizeof *plan->target);
    memcpy(plan->order, s->suffix.order, p->unit_count * sizeof *plan->order);
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

static dv_status run(search *s, uint32_t wanted, const dv_progress *progress, dv_k_best *best)
{
    const dv_problem *p = s->suffix.problem;
    dv_target_id *none = calloc((size_t)p->unit_count + 1, sizeof *none);
    dv_prefix_begin(&s->suffix, &s->at);
    bool ok = none && (p->unit_count == 0 || add_part(s, none, 0, 0));
    free(none);
    dv_status status = DV_OK;
    while (ok && status == DV_OK && best->count < wanted && s->count > 0) {
        part taken = take(s);
        status = add_plan(s, taken.target, best);
        if (status == DV_OK && best->count < wanted)
            ok = split(s, &taken);
        free(taken.target);
        dv_progress_step(progress, "k best", (double)best->count / wanted);
        if (status == DV_OK && dv_progress_stopped(progress))
            status = dv_fail(DV_INTERRUPTED, "stopped");
    }
    return ok ? status : dv_fail(DV_NO_MEMORY, "k best: out of memory");
}

dv_status dv_k_best_find(const dv_problem *problem, const dv_unit_id *order, uint32_t wanted,
                         uint32_t state_limit, const dv_progress *progress, dv_k_best *best)
{
    *best = (dv_k_best){0};
    if (!dv_suffix_serves(problem))
        return dv_fail(DV_BAD_PARAMETER, "the next best plans cannot be listed under limits of "
                                         "memory, energy, loss or segments");
    search s = {.parts = NULL};
    dv_labels labels = {0};
    best->plans = calloc((size_t)wanted + 1, sizeof *best->plans);
    dv_status status = best->plans ? dv_labels_create(problem, &labels)
                                   : dv_fail(DV_NO_MEMORY, "k best: out of memory");
    if (status == DV_OK)
        status = dv_suffix_create(problem, &labels, order, state_limit, progress, &s.suffix);
    if (status == DV_OK)
        status = dv_prefix_create(&s.suffix, &s.at);
    if (status == DV_OK)
        status = dv_prefix_create(&s.suffix, &s.next);
    if (status == DV_OK)
        status = run(&s, wanted, progress, best);
    best->exact = s.suffix.exact;
    free_parts(&s);
    dv_prefix_free(&s.at);
    dv_prefix_free(&s.next);
    dv_suffix_free(&s.suffix);
    dv_labels_free(&labels);
    return status;
}

void dv_k_best_free(dv_k_best *best)
{
    for (uint32_t i = 0; best->plans && i < best->count; i++)
        dv_plan_destroy(best->plans[i]);
    free(best->plans);
    *best = (dv_k_best){0};
}
