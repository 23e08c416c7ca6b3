/* ilp.c - the reference exact solver: the pairwise program on GLPK, bounds from its duals.

   A good plan is found first; labels that cannot pay go; the relaxation starts from that plan's
   vertex. Its duals prove a bound by themselves (linear.h), so that an optimal claim needs no trust
   in the simplex method. Only where the relaxation is fractional does branch and bound follow. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "solver/evaluate.h"
#include "solver/frontier.h"
#include "solver/ilp_glpk.h"
#include "solver/incumbent.h"
#include "solver/labels.h"
#include "solver/limited.h"
#include "solver/pairwise.h"
#include "solver/path_ilp.h"
#include "solver/place.h"
#include "solver/strategy.h"
#include "solver/throughput.h"

enum { REDUCE, START, FORMULATION, ORDER };

/* Of the search for a contiguous split to begin with, for throughput. */
enum { IDEALS = 300000 };

static const dv_param params[] = {
    [REDUCE] = {.name = "reduce",
                .type = DV_PARAM_CHOICE,
                .summary = "rule out targets that cannot pay before the program is built",
                .preset = "on",
                .choices = "off|on"},
    [START] = {.name = "start",
               .type = DV_PARAM_CHOICE,
               .summary = "the simplex method's first vertex: that of the best plan so far, or "
                          "GLPK's advanced basis",
               .preset = "plan",
               .choices = "plan|advanced"},
    [FORMULATION] = {.name = "formulation",
                     .type = DV_PARAM_CHOICE,
                     .summary = "how costs of pairs of units become linear, from the weakest "
                                "relaxation to the strongest",
                     .preset = "pairwise",
                     .choices = "naive|aggregated|transport|pairwise"},
    [ORDER] = {.name = "order",
               .type = DV_PARAM_CHOICE,
               .summary = "place the units in the given order, or in any: a bound for every order "
                          "(transport and pairwise only)",
               .preset = "given",
               .choices = "given|free"},
    {0},
};

typedef struct search {
    const dv_problem *problem;
    const dv_solve_options *options;
    double deadline_s; /* on progress's clock */
    bool reduce, start_at_plan;
    dv_form form;
    dv_plan *plan; /* best so far, once *outcome is not NONE */
    dv_plan *trial;
    dv_outcome *outcome;
    dv_labels labels;
    dv_pairwise model;
    dv_glpk *glpk;
    dv_glpk_control control;
    double *x, *y, *start;
    bool *basic_column, *basic_row;
    bool integral;         /* is x? */
    double first_bound_us; /* what the dynamic program proved on the way to the first plan */
} search;

static bool have_plan(const search *s)
{
    return *s->outcome == DV_OUTCOME_FEASIBLE;
}

static bool out_of_time(const search *s)
{
    return dv_progress_must_end(s->options->progress, s->deadline_s);
}

/* Records a proven bound, and that the plan is optimal if the two meet. */
static void prove(search *s, double bound_us, const char *method)
{
    if (have_plan(s) && bound_us > s->plan->cost.total_us)
        bound_us = s->plan->cost.total_us; /* no plan costs less than the bound less its rounding */
    if (bound_us <= s->plan->bound_us)
        return;
    s->plan->bound_us = bound_us;
    snprintf(s->plan->proved_by, sizeof s->plan->proved_by, "%s", method);
    snprintf(s->plan->proof_scope, sizeof s->plan->proof_scope, "given order");
    dv_progress_bound(s->options->progress, bound_us);
}

static bool proven(const search *s)
{
    if (!have_plan(s) || !isfinite(s->plan->bound_us))
        return false;
    double cost = s->plan->cost.total_us;
    return cost - s->plan->bound_us <= s->options->tolerance * cost;
}

static dv_status reduce(search *s)
{
    DV_TRY(dv_labels_create(s->problem, &s->labels));
    prove(s, dv_labels_floor_us(s->problem, &s->labels), "ilp: least times");
    if (!s->reduce)
        return DV_OK;
    if (have_plan(s))
        dv_labels_cut(s->problem, s->plan->cost.total_us, &s->labels);
    dv_labels_dominate(s->problem, s->plan->order, s->options->progress, s->deadline_s, &s->labels);
    if (!have_plan(s))
        return DV_OK;
    memcpy(s->trial->target, s->plan->target, s->problem->unit_count * sizeof *s->trial->target);
    dv_labels_follow(&s->labels, s->trial->target);
    /* Equal in cost is good enough: what counts is that it uses allowed labels only. */
    double bound_us = s->plan->bound_us;
    if (dv_evaluate(s->problem, s->trial) &&
        s->trial->cost.total_us <= s->plan->cost.total_us * (1.0 + 1e-12)) {
        memcpy(s->plan->target, s->trial->target, s->problem->unit_count * sizeof *s->plan->target);
        s->plan->cost = s->trial->cost;
    }
    s->plan->bound_us = bound_us;
    return DV_OK;
}

/* Does the plan use allowed labels only, as a starting point must? */
static bool plan_fits_labels(const search *s)
{
    for (dv_unit_id u = 0; u < s->problem->unit_count; u++)
        if (!dv_label(&s->labels, u, s->plan->target[u]))
            return false;
    return have_plan(s);
}

static dv_status build(search *s)
{
    DV_TRY(dv_pairwise_build(s->problem, &s->labels, s->trial->order, s->form, &s->model));
    const dv_linear *linear = &s->model.linear;
    s->x = calloc((size_t)linear->column_count + 1, sizeof *s->x);
    s->y = calloc((size_t)linear->row_count + 1, sizeof *s->y);
    s->start = calloc((size_t)linear->column_count + 1, sizeof *s->start);
    s->basic_column = calloc((size_t)linear->column_count + 1, sizeof *s->basic_column);
    s->basic_row = calloc((size_t)linear->row_count + 1, sizeof *s->basic_row);
    if (!s->x || !s->y || !s->start || !s->basic_column || !s->basic_row)
        return dv_fail(DV_NO_MEMORY, "ilp: out of memory");

    /* Costs of about 1 a unit suit GLPK's absolute tolerances. */
    double size =
        have_plan(s) ? s->plan->cost.total_us : dv_labels_floor_us(s->problem, &s->labels);
    s->control = (dv_glpk_control){.deadline_s = s->deadline_s,
                                   .progress = s->options->progress,
                                   .tolerance = s->options->tolerance,
                                   .dual = s->form != DV_FORM_PAIRWISE,
                                   .scale = 1.0};
    if (size > 0.0 && isfinite((s->problem->unit_count + 1) / size))
        s->control.scale = (s->problem->unit_count + 1) / size;
    if (plan_fits_labels(s)) {
        dv_pairwise_point(&s->model, s->plan->target, s->start);
        s->control.start = s->start;
    }
    return dv_glpk_create(linear, s->control.scale, &s->glpk);
}

/* Turns x into a plan, and keeps it if it is better. */
static void round_and_keep(search *s)
{
    dv_pairwise_round(&s->model, s->x, s->trial->target, &s->integral);
    dv_place_keep_better(s->problem, s->options->progress, s->trial, s->plan, s->outcome);
}

static dv_status relax(search *s, dv_glpk_outcome *outcome)
{
    bool *columns = NULL, *rows = NULL;
    if (s->start_at_plan && s->control.start && s->form == DV_FORM_PAIRWISE) {
        dv_pairwise_basis(&s->model, s->plan->target, s->start, s->basic_column, s->basic_row);
        columns = s->basic_column;
        rows = s->basic_row;
    }
    DV_TRY(dv_glpk_relax(s->glpk, &s->control, columns, rows, s->x, s->y, outcome));
    if (*outcome == DV_GLPK_OPTIMAL)
        round_and_keep(s);
    if (*outcome == DV_GLPK_OPTIMAL || *outcome == DV_GLPK_LIMIT)
        prove(s, dv_linear_bound(&s->model.linear, s->y), "ilp: LP bound");
    return DV_OK;
}

static dv_status branch(search *s, dv_glpk_outcome *outcome)
{
    bool found = false;
    double bound_us = -INFINITY;
    DV_TRY(dv_glpk_branch(s->glpk, &s->control, s->x, &found, &bound_us, outcome));
    if (found)
        round_and_keep(s);
    if (*outcome == DV_GLPK_OPTIMAL || (*outcome == DV_GLPK_LIMIT && bound_us > -1e300))
        prove(s, bound_us, "ilp: branch and bound");
    return DV_OK;
}

/* Everything after the incumbent. */
static dv_status exact(search *s)
{
    DV_TRY(reduce(s));
    if (proven(s) || out_of_time(s))
        return DV_OK;
    dv_progress_step(s->options->progress, "ilp: building", -1.0);
    DV_TRY(build(s));
    dv_glpk_outcome outcome;
    dv_progress_step(s->options->progress, "ilp: relaxation", -1.0);
    DV_TRY(relax(s, &outcome));
    if (outcome == DV_GLPK_OPTIMAL && !proven(s) && !out_of_time(s)) {
        dv_progress_step(s->options->progress, "ilp: branch and bound", -1.0);
        DV_TRY(branch(s, &outcome));
    }
    /* A plan in hand refutes GLPK; without one, its word stands. */
    if (outcome == DV_GLPK_INFEASIBLE && !have_plan(s))
        *s->outcome = DV_OUTCOME_INFEASIBLE;
    if (outcome == DV_GLPK_FAILED)
        dv_progress_log(s->options->progress, "ilp: GLPK met numerical trouble; the bound is weak");
    return DV_OK;
}

/* By prices on the limits and a beam. */
static dv_status first_limited_plan(search *s)
{
    dv_limited_settings limited = {.state_limit = 20,
                                   .deadline_s = s->deadline_s,
                                   .tolerance = s->options->tolerance,
                                   .progress = s->options->progress};
    dv_limited_result result;
    DV_TRY(dv_limited_improve(s->problem, &limited, s->trial, s->plan, s->outcome, &result));
    s->first_bound_us = result.given_bound_us;
    if (*s->outcome == DV_OUTCOME_INFEASIBLE) /* the integer program is to prove that itself */
        *s->outcome = DV_OUTCOME_NONE;
    return DV_OK;
}

/* A plan to start from and to prune with: baselines, improved by the dynamic program where it can
   hold the problem (a few states a layer do), else by coordinate descent. */
static dv_status first_plan(search *s)
{
    if (!dv_frontier_holds(s->problem))
        return dv_incumbent_find(s->problem, s->options, s->plan, s->outcome);
    DV_TRY(dv_incumbent_baselines(s->problem, s->options, s->trial, s->plan, s->outcome));
    dv_frontier_settings settings = {.state_limit = 300,
                                     .deadline_s = s->deadline_s,
                                     .memory_limit = s->options->memory_bytes,
                                     .progress = s->options->progress};
    if (dv_limits_bind(s->problem))
        return first_limited_plan(s);
    /* Its bound counts only if time runs out: the duals are to prove the optimum independently. */
    return have_plan(s)
               ? dv_frontier_improve(s->problem, &settings, s->trial, s->plan, &s->first_bound_us)
               : DV_OK;
}

/* Placement and order together. */
static dv_status solve_free(const dv_problem *problem, const dv_solve_options *options,
                            const dv_param_value *values, dv_plan *plan, dv_outcome *outcome)
{
    dv_path_settings settings = {.form = (dv_form)values[FORMULATION].number,
                                 .reduce = values[REDUCE].number > 0.0,
                                 .tolerance = options->tolerance,
                                 .deadline_s = dv_solve_deadline_s(options),
                                 .progress = options->progress};
    if (settings.form < DV_FORM_TRANSPORT)
        return dv_fail(DV_BAD_PARAMETER,
                       "strategy ilp: order=free has no formulation %s; take "
                       "transport or pairwise",
                       values[FORMULATION].text);
    dv_plan *trial = NULL;
    dv_path_result result;
    DV_TRY(dv_plan_create(problem, &trial));
    dv_status status = dv_incumbent_find(problem, options, plan, outcome);
    if (status == DV_OK)
        status = dv_path_improve(problem, &settings, trial, plan, outcome, &result);
    dv_plan_destroy(trial);
    DV_TRY(status);
    plan->bound_us = result.bound_us;
    snprintf(plan->proved_by, sizeof plan->proved_by, "%s", result.method);
    snprintf(plan->proof_scope, sizeof plan->proof_scope, "any order");
    if (result.infeasible)
        *outcome = DV_OUTCOME_INFEASIBLE;
    else if (*outcome == DV_OUTCOME_FEASIBLE &&
             plan->cost.total_us - plan->bound_us <= options->tolerance * plan->cost.total_us)
        *outcome = DV_OUTCOME_OPTIMAL;
    return DV_OK;
}

static dv_status solve(const dv_problem *problem, const dv_solve_options *options,
                       const dv_param_value *values, dv_plan *plan, dv_outcome *outcome)
{
    if (options->objective == DV_OBJECTIVE_THROUGHPUT) {
        dv_throughput_settings settings = {.splits = DV_SPLITS_ANY_PROVEN, .ideal_limit = IDEALS};
        return dv_throughput_solve(problem, options, &settings, plan, outcome);
    }
    if (values[ORDER].number > 0.0)
        return solve_free(problem, options, values, plan, outcome);
    search s = {.problem = problem,
                .options = options,
                .deadline_s = dv_solve_deadline_s(options),
                .reduce = values[REDUCE].number > 0.0,
                .start_at_plan = values[START].number == 0.0,
                .form = (dv_form)values[FORMULATION].number,
                .plan = plan,
                .outcome = outcome,
                .first_bound_us = -INFINITY};
    *outcome = DV_OUTCOME_NONE;
    plan->bound_us = -INFINITY;
    dv_status status = dv_plan_create(problem, &s.trial);
    if (status == DV_OK)
        status = first_plan(&s);
    if (status == DV_OK)
        status = exact(&s);
    if (status == DV_OK && *outcome == DV_OUTCOME_FEASIBLE && !proven(&s))
        prove(&s, s.first_bound_us, "frontier: dynamic programming");
    if (status == DV_OK && proven(&s))
        *outcome = DV_OUTCOME_OPTIMAL;

    dv_glpk_destroy(s.glpk);
    dv_pairwise_free(&s.model);
    dv_labels_free(&s.labels);
    free(s.x);
    free(s.y);
    free(s.start);
    free(s.basic_column);
    free(s.basic_row);
    dv_plan_destroy(s.trial);
    return status;
}

const dv_strategy dv_strategy_ilp = {
    .name = "ilp",
    .summary = "integer programming on GLPK: proven optimal for the given order, any limits",
    .citation = "pairwise-marginal formulation; GLPK, https://www.gnu.org/software/glpk/",
    .objectives = DV_OBJECTIVE_LATENCY | DV_OBJECTIVE_THROUGHPUT,
    .params = params,
    .solve = solve,
};
