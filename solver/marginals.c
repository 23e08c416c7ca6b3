/* marginals.c - the forward and the backward dynamic program meet at every unit.

   A state that dominance drops before place k would have done no better with the unit at k on any
   target, nor does a rest that was dropped behind k; but the extended state behind k may be one
   that a cheaper choice at k dominates. So states kept before k are extended by each target and
   joined with the rests kept behind k, without dropping any between. */
#include "solver/marginals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/frontier.h"
#include "solver/limited.h"
#include "solver/suffix.h"

/* The state as the beginning of a plan. */
static void load(const dv_problem *p, const dv_frontier_layer *layer, uint32_t i, dv_prefix *prefix)
{
    const dv_states *states = &layer->states;
    prefix->cost = states->cost[i];
    prefix->last = states->last[i];
    prefix->used = states->used[i];
    for (uint32_t s = 0; s < layer->live_count; s++)
        memcpy(prefix->need + (size_t)layer->live[s] * p->target_count,
               states->need + (size_t)i * states->width + (size_t)s * p->target_count,
               p->target_count * sizeof *prefix->need);
    for (uint32_t g = 0; g < states->groups; g++)
        prefix->group[g] = states->group[(size_t)i * states->groups + g];
}

static dv_status meet(const dv_suffix *suffix, const dv_labels *labels,
                      const dv_frontier_layer *layers, const dv_progress *progress, double *cost_us)
{
    const dv_problem *p = suffix->problem;
    dv_prefix before = {0}, behind = {0};
    dv_status status = dv_prefix_create(suffix, &before);
    if (status == DV_OK)
        status = dv_prefix_create(suffix, &behind);
    for (uint32_t k = 0; status == DV_OK && k < p->unit_count; k++) {
        double *row = cost_us + (size_t)suffix->order[k] * p->target_count;
        for (uint32_t i = 0; i < layers[k].states.count; i++) {
            load(p, &layers[k], i, &before);
            for (dv_target_id a = 0; a < p->target_count; a++)
                if (dv_label(labels, suffix->order[k], a) &&
                    dv_prefix_step(suffix, &before, k, a, &behind))
                    row[a] = dv_suffix_least(suffix, k + 1, &behind, row[a], NULL);
        }
        dv_progress_step(progress, "costs of every target", (k + 1.0) / p->unit_count);
        if (dv_progress_stopped(progress))
            status = dv_fail(DV_INTERRUPTED, "stopped");
    }
    dv_prefix_free(&before);
    dv_prefix_free(&behind);
    return status;
}

static dv_status by_passes(const dv_problem *problem, const dv_unit_id *order, uint32_t state_limit,
                           const dv_progress *progress, dv_marginals *m)
{
    dv_labels labels = {0};
    dv_suffix suffix = {0};
    dv_frontier_result result = {0};
    dv_frontier_settings settings = {.state_limit = state_limit,
                                     .deadline_s = INFINITY,
                                     .progress = progress,
                                     .upper_us = INFINITY};
    dv_target_id *target = calloc((size_t)problem->unit_count + 1, sizeof *target);
    settings.layers = calloc((size_t)problem->unit_count + 1, sizeof *settings.layers);
    dv_status status = target && settings.layers
                           ? dv_labels_create(problem, &labels)
                           : dv_fail(DV_NO_MEMORY, "marginals: out of memory");
    if (status == DV_OK)
        status = dv_frontier_run(problem, &labels, order, &settings, target, &result);
    if (status == DV_OK)
        status = dv_suffix_create(problem, &labels, order, state_limit, progress, &suffix);
    if (status == DV_OK)
        status = meet(&suffix, &labels, settings.layers, progress, m->cost_us);
    m->exact = result.exact && suffix.exact;
    m->states = result.states + suffix.states;
    dv_suffix_free(&suffix);
    dv_labels_free(&labels);
    dv_frontier_layers_free(settings.layers, problem->unit_count);
    free(target);
    return status;
}

/* Where limits bind: every unit pinned to every target in turn. pin: that of pinned, as the problem
   has it. */
static dv_status by_pins(const dv_problem *pinned, dv_target_id *pin,
                         const dv_limited_settings *settings, dv_plan *trial, dv_plan *plan,
                         const dv_progress *progress, dv_marginals *m)
{
    for (dv_unit_id u = 0; u < pinned->unit_count; u++) {
        dv_target_id own = pin[u];
        for (dv_target_id a = 0; a < pinned->target_count; a++) {
            pin[u] = own;
            if (!dv_problem_allows(pinned, u, a))
                continue;
            dv_outcome outcome;
            pin[u] = a;
            DV_TRY(dv_limited_solve(pinned, settings, trial, plan, &outcome));
            if (outcome == DV_OUTCOME_OPTIMAL || outcome == DV_OUTCOME_FEASIBLE)
                m->cost_us[(size_t)u * pinned->target_count + a] = plan->cost.total_us;
            m->exact =
                m->exact && (outcome == DV_OUTCOME_OPTIMAL || outcome == DV_OUTCOME_INFEASIBLE);
            if (dv_progress_stopped(progress))
                return dv_fail(DV_INTERRUPTED, "stopped");
        }
        pin[u] = own;
        dv_progress_step(progress, "costs of every target", (u + 1.0) / pinned->unit_count);
    }
    return DV_OK;
}

static dv_status within_limits(const dv_problem *problem, const dv_unit_id *order,
                               uint32_t state_limit, const dv_progress *progress, dv_marginals *m)
{
    size_t units = problem->unit_count;
    dv_problem pinned = *problem;
    dv_progress quiet = {.stop = progress ? progress->stop : NULL};
    dv_limited_settings settings = {
        .state_limit = state_limit, .deadline_s = INFINITY, .tolerance = 1e-9, .progress = &quiet};
    dv_plan *trial = NULL, *plan = NULL;
    dv_target_id *pin = malloc((units + 1) * sizeof *pin);
    dv_status status =
        pin ? dv_plan_create(problem, &trial) : dv_fail(DV_NO_MEMORY, "marginals: out of memory");
    if (status == DV_OK)
        status = dv_plan_create(problem, &plan);
    if (status == DV_OK) {
        for (dv_unit_id u = 0; u < units; u++)
            pin[u] = problem->pin ? problem->pin[u] : DV_NONE;
        memcpy(plan->order, order, units * sizeof *order);
        pinned.pin = pin;
        m->exact = true;
        status = by_pins(&pinned, pin, &settings, trial, plan, progress, m);
    }
    dv_plan_destroy(trial);
    dv_plan_destroy(plan);
    free(pin);
    return status;
}

dv_status dv_marginals_compute(const dv_problem *problem, const dv_unit_id *order,
                               uint32_t state_limit, const dv_progress *progress,
                               dv_marginals *marginals)
{
    size_t cells = (size_t)problem->unit_count * problem->target_count;
    *marginals = (dv_marginals){.cost_us = malloc((cells + 1) * sizeof *marginals->cost_us)};
    if (!marginals->cost_us)
        return dv_fail(DV_NO_MEMORY, "marginals: out of memory");
    for (size_t i = 0; i < cells; i++)
        marginals->cost_us[i] = INFINITY;
    if (dv_suffix_serves(problem))
        return by_passes(problem, order, state_limit, progress, marginals);
    if (!dv_frontier_holds(problem))
        return dv_fail(DV_BAD_PARAMETER,
                       "costs of every target are had for 64 devices at most; use "
                       "fewer (--targets)");
    return within_limits(problem, order, state_limit, progress, marginals);
}

void dv_marginals_free(dv_marginals *marginals)
{
    free(marginals->cost_us);
    *marginals = (dv_marginals){0};
}

dv_target_id dv_marginals_second(const dv_problem *problem, const dv_marginals *marginals,
                                 dv_unit_id u, dv_target_id a)
{
    const double *row = marginals->cost_us + (size_t)u * problem->target_count;
    dv_target_id best = DV_NONE;
    for (dv_target_id b = 0; b < problem->target_count; b++)
        if (b != a && isfinite(row[b]) && (best == DV_NONE || row[b] < row[best]))
            best = b;
    return best;
}
