/* contiguous.c - see contiguous.h. */
#include "solver/contiguous.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "solver/contract.h"
#include "solver/evaluate.h"
#include "solver/labels.h"
#include "solver/place.h"
#include "solver/split.h"

/* Of the first question, before lower loads are asked for. */
enum { FIRST_STEPS = 2500000 };

typedef struct search {
    const dv_problem *problem;
    const dv_contiguous_settings *settings;
    dv_contraction contraction;
    dv_plan *split;  /* of the pieces */
    double split_us; /* its largest load */
    dv_plan *trial, *plan;
    double *load_us, *bound_us;
} search;

static bool is_backward(const dv_problem *p, dv_unit_id u)
{
    return p->backward && p->backward[u];
}

/* Piece after piece, forward units in their order; returns how many. end: one a piece, zeros. */
static uint32_t order_forward(search *s, uint32_t *end)
{
    const uint32_t *piece = s->contraction.piece;
    uint32_t sum = 0;
    for (dv_unit_id u = 0; u < s->problem->unit_count; u++)
        if (!is_backward(s->problem, u))
            end[piece[u]]++;
    for (uint32_t k = 0; k < s->contraction.pieces->unit_count; k++) {
        uint32_t i = s->split->order[k], count = end[i];
        end[i] = sum;
        sum += count;
    }
    for (dv_unit_id u = 0; u < s->problem->unit_count; u++)
        if (!is_backward(s->problem, u))
            s->trial->order[end[piece[u]]++] = u;
    return sum;
}

/* Backward units from place first on: whatever is ready on the device at hand, then the device of
   the first that is ready. missing: unit_count entries. */
static void order_backward(search *s, uint32_t first, uint32_t *missing)
{
    const dv_problem *p = s->problem;
    uint32_t place = first;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        missing[u] = is_backward(p, u) ? 0 : UINT32_MAX; /* at its place already */
        for (uint32_t i = p->previous_start[u]; i < p->previous_start[u + 1]; i++)
            missing[u] += is_backward(p, u) && is_backward(p, p->previous[i]);
    }
    dv_device_id here = DV_NONE;
    while (place < p->unit_count) {
        uint32_t before = place;
        for (dv_unit_id u = 0; u < p->unit_count; u++) {
            dv_device_id d = p->device[s->trial->target[u]];
            if (missing[u] != 0 || (here != DV_NONE && d != here))
                continue;
            here = d;
            missing[u] = UINT32_MAX;
            s->trial->order[place++] = u;
            for (uint32_t i = p->next_start[u]; i < p->next_start[u + 1]; i++)
                missing[p->next[i]]--;
        }
        here = place == before ? DV_NONE : here;
    }
}

/* The split of the pieces as a plan of the units, kept if it is better. */
static dv_status expand(search *s)
{
    const dv_problem *p = s->problem;
    uint32_t *room = calloc((size_t)p->unit_count + 1, sizeof *room);
    if (!room)
        return dv_fail(DV_NO_MEMORY, "throughput: out of memory");
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        s->trial->target[u] = dv_place_fastest(p, u, s->split->target[s->contraction.piece[u]]);
    uint32_t placed = order_forward(s, room);
    order_backward(s, placed, room);
    free(room);
    if (!dv_evaluate(p, s->trial)) /* memory of the fastest targets, say */
        return DV_OK;
    double load_us = dv_evaluate_load_us(p, s->trial);
    if (load_us >= *s->load_us)
        return DV_OK;
    *s->load_us = load_us;
    dv_plan_copy(s->plan, s->trial);
    dv_progress_incumbent(s->settings->progress, load_us);
    return DV_OK;
}

static dv_status search_along(search *s, const dv_lattice *lattice,
                              const dv_split_settings *settings, dv_split_result *result)
{
    DV_TRY(dv_split_run(s->contraction.pieces, lattice, settings, s->split->target, s->split->order,
                        result));
    if (!result->found)
        return DV_OK;
    s->split_us = result->load_us;
    return expand(s);
}

/* The best way to cut up the order of s->split, if it is better than the known one. */
static dv_status cut_order(search *s)
{
    dv_lattice chain;
    dv_split_result result;
    DV_TRY(dv_lattice_chain(s->contraction.pieces, s->split->order, &chain));
    dv_split_settings settings = {.deadline_s = INFINITY,
                                  .progress = s->settings->progress,
                                  .upper_us = s->split_us * (1.0 - 1e-12)};
    dv_status status = search_along(s, &chain, &settings, &result);
    dv_lattice_free(&chain);
    return status;
}

/* Asks for splits below the known one, each time putting the answer's order to its best use, until
   there is none. Questions are the dearer the more there is to hope for: if the first is too dear,
   lower loads are asked for first. */
static dv_status ask(search *s, const dv_lattice *lattice)
{
    bool exact = false;
    double below_us = s->split_us, *none_us = s->bound_us;
    dv_split_settings settings = {.deadline_s = s->settings->deadline_s,
                                  .progress = s->settings->progress,
                                  .decide = true,
                                  .step_limit = FIRST_STEPS};
    while (!exact) {
        dv_split_result result;
        settings.upper_us = below_us * (1.0 - 1e-12); /* another sum of the same is no news */
        DV_TRY(search_along(s, lattice, &settings, &result));
        if (result.found) {
            DV_TRY(cut_order(s));
        } else if (result.exact) {
            *none_us = fmax(*none_us, below_us);
            exact = below_us >= s->split_us;
            dv_progress_bound(s->settings->progress, *none_us);
        } else if (dv_progress_stopped(s->settings->progress) ||
                   dv_clock_s() >= s->settings->deadline_s) {
            break;
        } else {
            settings.step_limit = 0;
        }
        bool far = settings.step_limit == 0 && s->split_us - *none_us > 0.02 * s->split_us;
        below_us = far ? 0.5 * (s->split_us + *none_us) : s->split_us;
    }
    return DV_OK;
}

static dv_status search_all(search *s)
{
    dv_lattice lattice;
    bool complete;
    DV_TRY(dv_lattice_build(s->contraction.pieces, s->settings->ideal_limit, &lattice, &complete));
    dv_status status = complete ? ask(s, &lattice) : DV_OK;
    dv_lattice_free(&lattice);
    return status;
}

bool dv_contiguous_serves(const dv_problem *problem)
{
    bool limited = problem->backward && dv_limit_segments_binds(problem);
    return !limited && !dv_limit_energy_binds(problem) && !dv_limit_loss_binds(problem);
}

static dv_status run(search *s)
{
    DV_TRY(dv_contract(s->problem, true, &s->contraction));
    const dv_problem *pieces = s->contraction.pieces;
    if (!dv_split_serves(pieces))
        return dv_fail(
            DV_BAD_PARAMETER,
            "throughput: contiguous splits are found for at most 4000 units, and not for "
            "so many kinds of devices");
    *s->bound_us = dv_split_floor_us(pieces);
    DV_TRY(dv_plan_create(pieces, &s->split));
    DV_TRY(cut_order(s));
    return search_all(s);
}

dv_status dv_contiguous_run(const dv_problem *problem, const dv_contiguous_settings *settings,
                            dv_plan *trial, dv_plan *plan, double *load_us, double *bound_us)
{
    search s = {.problem = problem,
                .settings = settings,
                .split_us = INFINITY,
                .trial = trial,
                .plan = plan,
                .load_us = load_us,
                .bound_us = bound_us};
    *load_us = INFINITY;
    dv_status status = run(&s);
    dv_plan_destroy(s.split);
    dv_contraction_free(&s.contraction);
    return status;
}
