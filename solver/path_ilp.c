/* path_ilp.c - relaxation, prices, a plan from it, then branch and bound; see path_ilp.h. */
#include "solver/path_ilp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/evaluate.h"
#include "solver/frontier.h"
#include "solver/ideal.h"
#include "solver/ilp_glpk.h"
#include "solver/order.h"
#include "solver/place.h"

enum { POLISH_STATES = 400, POLISH_ROUNDS = 4 };

/* Of the search for the best order of one placement. */
enum { ORDER_STATES = 2000, ORDER_WORK = 500000, ORDER_MEMORY = 100000000 };

typedef struct search {
    const dv_problem *problem;
    const dv_path_settings *settings;
    dv_plan *plan, *trial, *other;
    dv_outcome *outcome;
    dv_path_result *result;
    dv_labels labels;
    dv_pairwise model;
    dv_glpk *glpk;
    dv_glpk_control control;
    double *x, *y, *start, *reduced; /* reduced: a column's price */
    bool *basic_column, *basic_row;
    bool polishes; /* can the dynamic program hold the problem? */
} search;

static bool have_plan(const search *s)
{
    return *s->outcome == DV_OUTCOME_FEASIBLE;
}

static bool out_of_time(const search *s)
{
    return dv_progress_must_end(s->settings->progress, s->settings->deadline_s);
}

static void prove(search *s, double bound_us, const char *method)
{
    if (have_plan(s) && bound_us > s->plan->cost.total_us)
        bound_us = s->plan->cost.total_us;
    if (!(bound_us > s->result->bound_us))
        return;
    s->result->bound_us = bound_us;
    s->result->method = method;
    dv_progress_bound(s->settings->progress, bound_us);
}

static bool proven(const search *s)
{
    if (!have_plan(s))
        return false;
    double cost = s->plan->cost.total_us;
    return cost - s->result->bound_us <= s->settings->tolerance * cost;
}

/* Puts the placement in trial->target in an order of little dispatch, if it may be used at all. */
static dv_status put_in_order(search *s)
{
    double dispatch_us;
    DV_TRY(dv_order_closure(s->problem, s->trial->target, s->settings->progress,
                            s->settings->deadline_s, s->trial->order, &dispatch_us));
    if (dv_place_keep_better(s->problem, s->settings->progress, s->trial, s->plan, s->outcome) ||
        !s->polishes || !isfinite(s->trial->cost.total_us))
        return DV_OK;
    /* One label a unit: the search over ideals is then one over orders alone. */
    dv_labels only;
    DV_TRY(dv_labels_create(s->problem, &only));
    for (dv_unit_id u = 0; u < s->problem->unit_count; u++)
        for (dv_target_id a = 0; a < s->problem->target_count; a++)
            if (a != s->trial->target[u] && dv_label(&only, u, a))
                dv_labels_drop(&only, u, a);
    dv_ideal_settings settings = {.state_limit = ORDER_STATES,
                                  .work_limit = ORDER_WORK,
                                  .memory_limit = ORDER_MEMORY,
                                  .deadline_s = s->settings->deadline_s,
                                  .upper_us = s->trial->cost.total_us * (1.0 + 1e-9)};
    dv_ideal_result result = {0};
    dv_status status =
        dv_ideal_run(s->problem, &only, &settings, s->other->target, s->other->order, &result);
    dv_labels_free(&only);
    if (status == DV_OK && result.found) {
        dv_outcome outcome = DV_OUTCOME_FEASIBLE;
        dv_place_keep_better(s->problem, NULL, s->other, s->trial, &outcome);
    }
    return status;
}

/* Keeps the placement in trial->target if it is better in its best order, or after improving the
   placement for that order, and so on. */
static dv_status offer(search *s)
{
    DV_TRY(put_in_order(s));
    double best_us = INFINITY, bound_us;
    for (int round = 0; round < POLISH_ROUNDS && isfinite(s->trial->cost.total_us); round++) {
        dv_place_keep_better(s->problem, s->settings->progress, s->trial, s->plan, s->outcome);
        if (!s->polishes || out_of_time(s) || s->trial->cost.total_us >= best_us * (1.0 - 1e-12))
            break;
        best_us = s->trial->cost.total_us;
        dv_frontier_settings settings = {.state_limit = POLISH_STATES,
                                         .deadline_s = s->settings->deadline_s};
        DV_TRY(dv_frontier_improve(s->problem, &settings, s->other, s->trial, &bound_us));
        DV_TRY(put_in_order(s));
    }
    return DV_OK;
}

static void unbuild(search *s)
{
    dv_glpk_destroy(s->glpk);
    s->glpk = NULL;
    dv_pairwise_free(&s->model);
    free(s->x);
    free(s->y);
    free(s->start);
    free(s->reduced);
    free(s->basic_column);
    free(s->basic_row);
    s->x = s->y = s->start = s->reduced = NULL;
    s->basic_column = s->basic_row = NULL;
}

static bool plan_fits_labels(const search *s)
{
    for (dv_unit_id u = 0; u < s->problem->unit_count; u++)
        if (!dv_label(&s->labels, u, s->plan->target[u]))
            return false;
    return have_plan(s);
}

static size_t count_labels(const search *s)
{
    size_t sum = 0;
    for (dv_unit_id u = 0; u < s->problem->unit_count; u++)
        sum += s->labels.count[u];
    return sum;
}

static dv_status build(search *s)
{
    unbuild(s);
    DV_TRY(dv_pairwise_build(s->problem, &s->labels, NULL, s->settings->form, &s->model));
    const dv_linear *linear = &s->model.linear;
    size_t columns = (size_t)linear->column_count + 1, rows = (size_t)linear->row_count + 1;
    s->x = calloc(columns, sizeof *s->x);
    s->y = calloc(rows, sizeof *s->y);
    s->start = calloc(columns, sizeof *s->start);
    s->reduced = calloc(columns, sizeof *s->reduced);
    s->basic_column = calloc(columns, sizeof *s->basic_column);
    s->basic_row = calloc(rows, sizeof *s->basic_row);
    if (!s->x || !s->y || !s->start || !s->reduced || !s->basic_column || !s->basic_row)
        return dv_fail(DV_NO_MEMORY, "ilp: out of memory");

    double size =
        have_plan(s) ? s->plan->cost.total_us : dv_labels_floor_us(s->problem, &s->labels);
    s->control = (dv_glpk_control){.deadline_s = s->settings->deadline_s,
                                   .progress = s->settings->progress,
                                   .tolerance = s->settings->tolerance,
                                   .dual = true,
                                   .iteration_limit = s->settings->iteration_limit,
                                   .node_limit = s->settings->node_limit,
                                   .scale = 1.0};
    if (size > 0.0 && isfinite((s->problem->unit_count + 1) / size))
        s->control.scale = (s->problem->unit_count + 1) / size;
    if (plan_fits_labels(s)) {
        dv_pairwise_point(&s->model, s->plan->target, s->start);
        s->control.start = s->start;
    }
    return dv_glpk_create(linear, s->control.scale, &s->glpk);
}

/* Rules out the labels of no better plan; *none: there is no better plan at all. */
static void drop_priced(search *s, double bound_us, bool *none)
{
    const dv_problem *p = s->problem;
    double upper_us = s->plan->cost.total_us * (1.0 + 1e-9);
    *none = false;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        uint32_t left = 0;
        for (dv_target_id a = 0; a < p->target_count; a++) {
            uint32_t column = s->model.place[(size_t)u * p->target_count + a];
            if (column == UINT32_MAX)
                continue;
            bool out = bound_us + fmax(0.0, s->reduced[column]) > upper_us;
            left += !out;
            if (out && s->labels.count[u] > 1)
                dv_labels_drop(&s->labels, u, a);
        }
        *none = *none || left == 0;
    }
}

/* Prices the labels by the multipliers y. */
static dv_status price(search *s)
{
    double bound_us;
    DV_TRY(dv_linear_price(&s->model.linear, s->y, s->reduced, &bound_us));
    prove(s, bound_us, "ilp: LP bound, any order");
    if (!have_plan(s))
        return DV_OK;
    bool none;
    drop_priced(s, bound_us, &none);
    if (none)
        prove(s, s->plan->cost.total_us, "ilp: reduced costs, any order");
    return DV_OK;
}

/* Rounds x to a placement and offers it. */
static dv_status offer_rounded(search *s)
{
    bool integral;
    dv_pairwise_round(&s->model, s->x, s->trial->target, &integral);
    return offer(s);
}

static dv_status relax(search *s, dv_glpk_outcome *outcome)
{
    bool *columns = NULL, *rows = NULL;
    /* The pairwise program is solved fastest from the known plan's vertex, the other one by the
       dual simplex method. */
    s->control.dual = !s->control.start || s->settings->form != DV_FORM_PAIRWISE;
    if (!s->control.dual) {
        dv_pairwise_basis(&s->model, s->plan->target, s->start, s->basic_column, s->basic_row);
        columns = s->basic_column;
        rows = s->basic_row;
    }
    DV_TRY(dv_glpk_relax(s->glpk, &s->control, columns, rows, s->x, s->y, outcome));
    if (*outcome == DV_GLPK_OPTIMAL)
        DV_TRY(offer_rounded(s));
    if (*outcome == DV_GLPK_OPTIMAL || *outcome == DV_GLPK_LIMIT)
        DV_TRY(price(s));
    return DV_OK;
}

static dv_status branch(search *s, dv_glpk_outcome *outcome)
{
    bool found = false;
    double bound_us = -INFINITY;
    DV_TRY(dv_glpk_branch(s->glpk, &s->control, s->x, &found, &bound_us, outcome));
    if (found)
        DV_TRY(offer_rounded(s));
    if (*outcome == DV_GLPK_OPTIMAL || (*outcome == DV_GLPK_LIMIT && bound_us > -1e300))
        prove(s, bound_us, "ilp: branch and bound, any order");
    return DV_OK;
}

static dv_status reduce(search *s)
{
    DV_TRY(dv_labels_create(s->problem, &s->labels));
    prove(s, dv_labels_floor_us(s->problem, &s->labels), "ilp: least times");
    if (s->settings->reduce) {
        if (have_plan(s))
            dv_labels_cut(s->problem, s->plan->cost.total_us, &s->labels);
        dv_labels_dominate(s->problem, NULL, s->settings->progress, s->settings->deadline_s,
                           &s->labels);
    }
    s->result->labels = s->result->labels_left = count_labels(s);
    return DV_OK;
}

static dv_status relax_first(search *s, dv_glpk_outcome *outcome)
{
    dv_progress_step(s->settings->progress, "ilp: relaxation, any order", -1.0);
    DV_TRY(build(s));
    s->result->columns = s->model.linear.column_count;
    s->result->rows = s->model.linear.row_count;
    DV_TRY(relax(s, outcome));
    s->result->labels_left = count_labels(s);
    dv_progress_log(s->settings->progress,
                    "ilp: any order: %u columns, %u rows, bound %.9g us, plan %.9g us; %zu of %zu "
                    "labels left",
                    s->result->columns, s->result->rows, s->result->bound_us,
                    s->plan->cost.total_us, s->result->labels_left, s->result->labels);
    return DV_OK;
}

/* Branch and bound; where prices ruled out labels, of the smaller program. */
static dv_status close_gap(search *s, dv_glpk_outcome *outcome)
{
    dv_progress_step(s->settings->progress, "ilp: branch and bound, any order", -1.0);
    if (s->result->labels_left < s->result->labels) {
        DV_TRY(build(s));
        DV_TRY(relax(s, outcome));
    }
    if (*outcome == DV_GLPK_OPTIMAL && !proven(s) && !out_of_time(s))
        DV_TRY(branch(s, outcome));
    return DV_OK;
}

static dv_status run(search *s)
{
    dv_glpk_outcome outcome;
    DV_TRY(reduce(s));
    if (proven(s) || out_of_time(s))
        return DV_OK;
    DV_TRY(relax_first(s, &outcome));
    if (outcome == DV_GLPK_OPTIMAL && !proven(s) && !out_of_time(s))
        DV_TRY(close_gap(s, &outcome));
    /* A plan in hand refutes GLPK; without one, its word stands. */
    s->result->infeasible = outcome == DV_GLPK_INFEASIBLE && !have_plan(s);
    if (outcome == DV_GLPK_FAILED)
        dv_progress_log(s->settings->progress,
                        "ilp: GLPK met numerical trouble; the bound is weak");
    return DV_OK;
}

dv_status dv_path_improve(const dv_problem *problem, const dv_path_settings *settings,
                          dv_plan *trial, dv_plan *plan, dv_outcome *outcome,
                          dv_path_result *result)
{
    *result = (dv_path_result){.bound_us = -INFINITY, .relaxation_us = -INFINITY, .method = ""};
    search s = {.problem = problem,
                .settings = settings,
                .plan = plan,
                .trial = trial,
                .outcome = outcome,
                .result = result,
                .polishes = dv_frontier_serves(problem)};
    dv_status status = dv_plan_create(problem, &s.other);
    if (status == DV_OK)
        status = run(&s);
    unbuild(&s);
    dv_labels_free(&s.labels);
    dv_plan_destroy(s.other);
    return status;
}

static size_t count_targets(const dv_problem *problem, dv_unit_id u)
{
    size_t count = 0;
    for (dv_target_id a = 0; a < problem->target_count; a++)
        count += dv_problem_allows(problem, u, a);
    return count;
}

size_t dv_path_columns(const dv_problem *problem, dv_form form)
{
    size_t columns = 0, targets, others;
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        targets = count_targets(problem, u);
        columns += targets + problem->device_count;
        for (uint32_t i = problem->next_start[u]; i < problem->next_start[u + 1]; i++) {
            others = count_targets(problem, problem->next[i]);
            columns += form == DV_FORM_PAIRWISE
                           ? targets * others
                           : targets * (others - 1) / 2 + problem->device_count;
        }
    }
    return columns;
}
