/* path_ilp.c - relaxation, prices, a plan from it, then a proof; see path_ilp.h. */
#include "solver/path_ilp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "solver/evaluate.h"
#include "solver/frontier.h"
#include "solver/ilp_glpk.h"
#include "solver/order.h"
#include "solver/place.h"

enum { POLISH_STATES = 400, POLISH_ROUNDS = 4 };

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
    double *x, *y, *start, *reduced;
    bool *basic_column, *basic_row;
    bool polishes; /* can the dynamic program hold the problem? */
} search;

static bool have_plan(const search *s)
{
    return *s->outcome == DV_OUTCOME_FEASIBLE;
}

static bool out_of_time(const search *s)
{
    return dv_progress_stopped(s->settings->progress) || dv_clock_s() >= s->settings->deadline_s;
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

/* The placement in trial->target, in its best known order, then improved in turns. */
static dv_status offer(search *s)
{
    double dispatch_us, bound_us;
    DV_TRY(dv_order_closure(s->problem, s->trial->target, s->trial->order, &dispatch_us));
    dv_place_keep_better(s->problem, s->settings->progress, s->trial, s->plan, s->outcome);
    if (!s->polishes || !dv_evaluate(s->problem, s->trial))
        return DV_OK;
    dv_plan_copy(s->other, s->trial);
    dv_frontier_settings settings = {.state_limit = POLISH_STATES,
                                     .deadline_s = s->settings->deadline_s,
                                     .progress = s->settings->progress};
    for (int round = 0; round < POLISH_ROUNDS && !out_of_time(s); round++) {
        double before_us = s->other->cost.total_us;
        DV_TRY(dv_frontier_improve(s->problem, &settings, s->trial, s->other, &bound_us));
        dv_plan_copy(s->trial, s->other);
        DV_TRY(dv_order_closure(s->problem, s->trial->target, s->trial->order, &dispatch_us));
        dv_outcome outcome = DV_OUTCOME_FEASIBLE;
        dv_place_keep_better(s->problem, NULL, s->trial, s->other, &outcome);
        if (s->other->cost.total_us >= before_us * (1.0 - 1e-12))
            break;
    }
    dv_plan_copy(s->trial, s->other);
    dv_place_keep_better(s->problem, s->settings->progress, s->trial, s->plan, s->outcome);
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

static dv_status relax(search *s, dv_glpk_outcome *outcome)
{
    DV_TRY(dv_glpk_relax(s->glpk, &s->control, NULL, NULL, s->x, s->y, outcome));
    if (*outcome == DV_GLPK_OPTIMAL) {
        bool integral;
        dv_pairwise_round(&s->model, s->x, s->trial->target, &integral);
        DV_TRY(offer(s));
    }
    if (*outcome == DV_GLPK_OPTIMAL || *outcome == DV_GLPK_LIMIT)
        DV_TRY(price(s));
    return DV_OK;
}

static dv_status branch(search *s, dv_glpk_outcome *outcome)
{
    bool found = false, integral;
    double bound_us = -INFINITY;
    DV_TRY(dv_glpk_branch(s->glpk, &s->control, s->x, &found, &bound_us, outcome));
    if (found) {
        dv_pairwise_round(&s->model, s->x, s->trial->target, &integral);
        DV_TRY(offer(s));
    }
    if (*outcome == DV_GLPK_OPTIMAL || (*outcome == DV_GLPK_LIMIT && bound_us > -1e300))
        prove(s, bound_us, "ilp: branch and bound, any order");
    return DV_OK;
}

/* The search over ideals on what labels are left. */
static dv_status search_ideals(search *s)
{
    dv_ideal_settings settings = *s->settings->ideals;
    dv_ideal_result result = {0};
    settings.upper_us = s->plan->cost.total_us * (1.0 + 1e-9);
    DV_TRY(dv_ideal_run(s->problem, &s->labels, &settings, s->trial->target, s->trial->order,
                        &result));
    dv_progress_log(s->settings->progress,
                    "ilp: %zu states (%zu at most in a level) in %zu ideals, work %zu%s",
                    result.states, result.most, result.ideals, result.made,
                    result.exact ? "" : ", cut short");
    if (result.found)
        dv_place_keep_better(s->problem, s->settings->progress, s->trial, s->plan, s->outcome);
    prove(s, result.bound_us, "ideal: dynamic programming, labels priced");
    return DV_OK;
}

static dv_status run(search *s)
{
    DV_TRY(dv_labels_create(s->problem, &s->labels));
    prove(s, dv_labels_floor_us(s->problem, &s->labels), "ilp: least times");
    if (s->settings->reduce) {
        if (have_plan(s))
            dv_labels_cut(s->problem, s->plan->cost.total_us, &s->labels);
        dv_labels_dominate(s->problem, NULL, &s->labels);
    }
    s->result->labels = s->result->labels_left = count_labels(s);
    if (proven(s) || out_of_time(s))
        return DV_OK;
    double t0 = dv_clock_s();
    dv_progress_step(s->settings->progress, "ilp: relaxation", -1.0);
    dv_glpk_outcome outcome;
    DV_TRY(build(s));
    s->result->columns = s->model.linear.column_count;
    s->result->rows = s->model.linear.row_count;
    DV_TRY(relax(s, &outcome));
    s->result->relaxation_us = s->result->bound_us;
    s->result->labels_left = count_labels(s);
    dv_progress_log(s->settings->progress,
                    "ilp: any order: %u columns, %u rows, bound %.9g, plan %.9g, %zu of %zu labels left, %.3f s",
                    s->result->columns, s->result->rows, s->result->bound_us,
                    s->plan->cost.total_us, s->result->labels_left, s->result->labels, dv_clock_s()-t0);
    t0 = dv_clock_s();
    if (have_plan(s) && !proven(s) && !out_of_time(s) && s->settings->ideals)
        DV_TRY(search_ideals(s));
    dv_progress_log(s->settings->progress, "ideals %.3f s", dv_clock_s()-t0);
    t0 = dv_clock_s();
    if (outcome == DV_GLPK_OPTIMAL && !proven(s) && !out_of_time(s) && s->settings->branch) {
        dv_progress_step(s->settings->progress, "ilp: branch and bound", -1.0);
        if (s->result->labels_left < s->result->labels) {
            DV_TRY(build(s));
            DV_TRY(relax(s, &outcome));
    dv_progress_log(s->settings->progress,
                    "ilp: again: %u columns, %u rows, bound %.9g, plan %.9g, %zu labels left, %.3f s",
                    s->model.linear.column_count, s->model.linear.row_count, s->result->bound_us,
                    s->plan->cost.total_us, count_labels(s), dv_clock_s()-t0);
        }
        if (outcome == DV_GLPK_OPTIMAL && !proven(s) && !out_of_time(s))
            DV_TRY(branch(s, &outcome));
    dv_progress_log(s->settings->progress,
                    "ilp: branch: bound %.9g, plan %.9g, %.3f s",
                    s->result->bound_us, s->plan->cost.total_us, dv_clock_s()-t0);
    }
    if (outcome == DV_GLPK_INFEASIBLE && !have_plan(s))
        s->result->infeasible = true;
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
