/* throughput.c - contract, cut one order, then search all ideals. */
#include "solver/throughput.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "solver/contract.h"
#include "solver/evaluate.h"
#include "solver/labels.h"
#include "solver/split.h"

typedef struct search {
    const dv_problem *problem;
    const dv_solve_options *options;
    dv_contraction contraction;
    dv_plan *split; /* of the pieces */
    dv_plan *plan;
    dv_outcome *outcome;
    double load_us; /* of the best split so far */
} search;

/* The split of the pieces as a plan of the units: piece after piece, units in their order. */
static dv_status expand(search *s)
{
    uint32_t units = s->problem->unit_count, pieces = s->contraction.pieces->unit_count;
    uint32_t *end = calloc((size_t)pieces + 1, sizeof *end);
    if (!end)
        return dv_fail(DV_NO_MEMORY, "throughput: out of memory");
    const uint32_t *piece = s->contraction.piece;
    for (dv_unit_id u = 0; u < units; u++)
        end[piece[u]]++;
    for (uint32_t k = 0, sum = 0; k < pieces; k++) {
        uint32_t i = s->split->order[k], count = end[i];
        end[i] = sum;
        sum += count;
    }
    for (dv_unit_id u = 0; u < units; u++) {
        s->plan->target[u] = s->split->target[piece[u]];
        s->plan->order[end[piece[u]]++] = u;
    }
    free(end);
    if (!dv_evaluate(s->problem, s->plan))
        return dv_fail(DV_INTERNAL, "throughput: the split breaks a limit");
    *s->outcome = DV_OUTCOME_FEASIBLE;
    s->load_us = dv_evaluate_load_us(s->problem, s->plan);
    dv_progress_incumbent(s->options->progress, s->load_us);
    return DV_OK;
}

/* The best split along the lattice that is better than the known one. */
static dv_status search_along(search *s, const dv_lattice *lattice, double deadline_s, bool *exact)
{
    dv_split_settings settings = {
        .deadline_s = deadline_s, .progress = s->options->progress, .upper_us = s->load_us};
    dv_split_result result;
    DV_TRY(dv_split_run(s->contraction.pieces, lattice, &settings, s->split->target,
                        s->split->order, &result));
    *exact = result.exact;
    return result.found ? expand(s) : DV_OK;
}

static dv_status search_all(search *s, uint32_t ideal_limit, double deadline_s, bool *exact)
{
    dv_lattice lattice;
    bool complete;
    *exact = false;
    DV_TRY(dv_lattice_build(s->contraction.pieces, ideal_limit, &lattice, &complete));
    dv_status status = complete ? search_along(s, &lattice, deadline_s, exact) : DV_OK;
    dv_lattice_free(&lattice);
    return status;
}

static void claim(search *s, bool exact)
{
    dv_plan *plan = s->plan;
    double floor_us = dv_split_floor_us(s->problem);
    bool met = s->load_us - floor_us <= s->options->tolerance * s->load_us;
    plan->bound_us = exact && !met ? s->load_us : fmin(floor_us, s->load_us);
    snprintf(plan->proof_scope, sizeof plan->proof_scope, "%s",
             exact && !met ? "contiguous splits" : "any split");
    snprintf(plan->proved_by, sizeof plan->proved_by, "%s",
             exact && !met ? "ideal: dynamic programming" : "work spread evenly");
    if (exact || met)
        *s->outcome = DV_OUTCOME_OPTIMAL;
    dv_progress_bound(s->options->progress, plan->bound_us);
}

static dv_status run(search *s, uint32_t ideal_limit)
{
    const dv_problem *pieces = s->contraction.pieces;
    const dv_problem *p = s->problem;
    if (!dv_split_serves(pieces) || dv_limit_energy_binds(p) || dv_limit_loss_binds(p) ||
        dv_limit_segments_binds(p))
        return dv_fail(DV_BAD_PARAMETER,
                       "throughput needs one target a device (--targets), no limits "
                       "but capacities, and at most 4000 units");
    DV_TRY(dv_plan_create(pieces, &s->split));
    double deadline_s = dv_clock_s() + s->options->deadline_s;
    dv_lattice chain;
    bool exact;
    DV_TRY(dv_lattice_chain(pieces, s->split->order, &chain));
    dv_status status = search_along(s, &chain, INFINITY, &exact);
    dv_lattice_free(&chain);
    DV_TRY(status);
    DV_TRY(search_all(s, ideal_limit, deadline_s, &exact));
    if (*s->outcome == DV_OUTCOME_FEASIBLE)
        claim(s, exact);
    return DV_OK;
}

dv_status dv_throughput_solve(const dv_problem *problem, const dv_solve_options *options,
                              uint32_t ideal_limit, dv_plan *plan, dv_outcome *outcome)
{
    search s = {.problem = problem,
                .options = options,
                .plan = plan,
                .outcome = outcome,
                .load_us = INFINITY};
    *outcome = DV_OUTCOME_NONE;
    dv_status status = dv_contract(problem, &s.contraction);
    if (status == DV_BAD_INPUT) { /* units that must stay together have no device in common */
        dv_progress_log(options->progress, "throughput: %s", dv_message());
        status = DV_OK;
    } else if (status == DV_OK) {
        status = run(&s, ideal_limit);
    }
    dv_plan_destroy(s.split);
    dv_contraction_free(&s.contraction);
    return status;
}
