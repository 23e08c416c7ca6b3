/* breakpoints.c - parametric search for the corners of the lower envelope.

   From the optimal lines at both ends: where they cross, solve. If nothing lies below the crossing,
   it is a corner; else the line found there splits the range. Eisner, Severance, JACM 23(4), 1976.
   A plan's line is known from its cost at both ends. */
#include "solver/breakpoints.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/evaluate.h"
#include "solver/frontier.h"
#include "solver/strategy.h"

/* Costs that differ by less are the same: sums in another order differ by their rounding. */
static const double TOLERANCE = 1e-9;

typedef struct search {
    const dv_problem *problem;
    const dv_parameter *parameter;
    const dv_progress *progress;
    dv_problem posed;           /* the problem with a value put in */
    double *dispatch, *session; /* of posed */
    double *latency, *per_byte;
    dv_breakpoints *out;
} search;

static void scale(const double *from, double factor, size_t count, double *to)
{
    for (size_t i = 0; i < count; i++)
        to[i] = from[i] * factor;
}

static void pose(search *s, double value)
{
    const dv_problem *p = s->problem;
    size_t pairs = (size_t)p->target_count * p->target_count;
    switch (s->parameter->kind) {
    case DV_PARAMETER_DISPATCH:
        s->dispatch[s->parameter->device] = value;
        return;
    case DV_PARAMETER_SESSION:
        s->session[s->parameter->device] = value;
        return;
    case DV_PARAMETER_HANDOVER:
        scale(p->move_latency_us, value, pairs, s->latency);
        scale(p->move_us_per_byte, value, pairs, s->per_byte);
        return;
    case DV_PARAMETER_LATENCY:
        scale(p->move_latency_us, value, pairs, s->latency);
        return;
    case DV_PARAMETER_TRAFFIC:
        scale(p->move_us_per_byte, value, pairs, s->per_byte);
        return;
    }
}

/* The plan's cost at the value. */
static double cost_at(search *s, dv_plan *plan, double value)
{
    pose(s, value);
    dv_evaluate(&s->posed, plan);
    return plan->cost.total_us;
}

static double line_at(const search *s, const dv_interval *line, double value)
{
    double part = (value - s->parameter->low) / (s->parameter->high - s->parameter->low);
    return line->low_us + part * (line->high_us - line->low_us);
}

/* The optimal line at the value; its ends are those of the whole range for now. */
static dv_status solve_at(search *s, double value, dv_interval *line)
{
    dv_solve_options options = dv_solve_options_default();
    dv_progress quiet = {.stop = s->progress ? s->progress->stop : NULL};
    dv_outcome outcome;
    options.progress = &quiet;
    *line = (dv_interval){.low = value, .high = value};
    pose(s, value);
    DV_TRY(dv_solve(&s->posed, dv_frontier_holds(&s->posed) ? "frontier" : "ilp", &options,
                    &line->plan, &outcome));
    s->out->solves++;
    if (dv_progress_stopped(s->progress))
        return dv_fail(DV_INTERRUPTED, "stopped");
    if (!line->plan)
        return dv_fail(DV_NEGATIVE, "no plan meets the limits");
    s->out->exact = s->out->exact && outcome == DV_OUTCOME_OPTIMAL;
    line->low_us = cost_at(s, line->plan, s->parameter->low);
    line->high_us = cost_at(s, line->plan, s->parameter->high);
    return DV_OK;
}

/* Where the lines cross; NAN if they do not. */
static double crossing(const search *s, const dv_interval *a, const dv_interval *b)
{
    double above = b->low_us - a->low_us, below = a->high_us - b->high_us;
    double slack = TOLERANCE * (fabs(a->low_us) + fabs(a->high_us));
    if (!(above + below > slack))
        return NAN;
    double part = fmin(fmax(above / (above + below), 0.0), 1.0);
    return s->parameter->low + part * (s->parameter->high - s->parameter->low);
}

static bool insert(dv_breakpoints *out, uint32_t at, const dv_interval *line)
{
    dv_interval *more = realloc(out->intervals, ((size_t)out->count + 1) * sizeof *more);
    if (!more)
        return false;
    out->intervals = more;
    memmove(more + at + 1, more + at, (out->count - at) * sizeof *more);
    more[at] = *line;
    out->count++;
    return true;
}

/* Between neighbours at and at + 1: a corner (then at moves on), or a line between. */
static dv_status refine(search *s, uint32_t *at)
{
    dv_interval *left = &s->out->intervals[*at], *right = left + 1;
    double value = crossing(s, left, right);
    if (isnan(value)) { /* the same line: one plan serves both */
        left->high = right->high;
        dv_plan_destroy(right->plan);
        s->out->count--;
        memmove(right, right + 1, (s->out->count - *at - 1) * sizeof *right);
        return DV_OK;
    }
    dv_interval line;
    dv_status status = solve_at(s, value, &line);
    double known = line_at(s, left, value);
    if (status == DV_OK && line_at(s, &line, value) < known - TOLERANCE * fabs(known)) {
        if (insert(s->out, *at + 1, &line))
            return DV_OK;
        status = dv_fail(DV_NO_MEMORY, "breakpoints: out of memory");
    } else {
        left->high = right->low = value;
        (*at)++;
    }
    dv_plan_destroy(line.plan);
    return status;
}

/* Lines that are optimal at a single value only are no intervals. */
static void drop_empty(search *s)
{
    dv_breakpoints *out = s->out;
    double least = 1e-12 * (s->parameter->high - s->parameter->low);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < out->count; i++) {
        dv_interval *line = &out->intervals[i];
        if (line->high - line->low <= least && out->count > 1) {
            dv_plan_destroy(line->plan);
            continue;
        }
        double low_us = cost_at(s, line->plan, line->low);
        double high_us = cost_at(s, line->plan, line->high);
        cost_at(s, line->plan, line->low);
        line->low_us = low_us;
        line->high_us = high_us;
        out->intervals[kept++] = *line;
    }
    out->count = kept;
}

static dv_status run(search *s)
{
    for (int end = 0; end < 2; end++) {
        dv_interval line;
        dv_status status = solve_at(s, end ? s->parameter->high : s->parameter->low, &line);
        if (status == DV_OK && !insert(s->out, s->out->count, &line))
            status = dv_fail(DV_NO_MEMORY, "breakpoints: out of memory");
        if (status != DV_OK) {
            dv_plan_destroy(line.plan);
            return status;
        }
    }
    for (uint32_t at = 0; at + 1 < s->out->count;) {
        DV_TRY(refine(s, &at));
        dv_progress_step(s->progress, "breakpoints", (double)at / s->out->count);
    }
    drop_empty(s);
    return DV_OK;
}

static double *copy(const double *from, size_t count)
{
    double *to = malloc((count + 1) * sizeof *to);
    if (to && count)
        memcpy(to, from, count * sizeof *to);
    return to;
}

dv_status dv_breakpoints_find(const dv_problem *problem, const dv_parameter *parameter,
                              const dv_progress *progress, dv_breakpoints *out)
{
    size_t pairs = (size_t)problem->target_count * problem->target_count;
    *out = (dv_breakpoints){.exact = true};
    if (!(parameter->low >= 0.0 && parameter->low < parameter->high && isfinite(parameter->high)))
        return dv_fail(DV_BAD_PARAMETER,
                       "the range must go from a value of at least 0 to a greater");
    search s = {.problem = problem,
                .parameter = parameter,
                .progress = progress,
                .posed = *problem,
                .dispatch = copy(problem->dispatch_us, problem->device_count),
                .session = copy(problem->session_us, problem->device_count),
                .latency = copy(problem->move_latency_us, pairs),
                .per_byte = copy(problem->move_us_per_byte, pairs),
                .out = out};
    s.posed.dispatch_us = s.dispatch;
    s.posed.session_us = s.session;
    s.posed.move_latency_us = s.latency;
    s.posed.move_us_per_byte = s.per_byte;
    dv_status status = s.dispatch && s.session && s.latency && s.per_byte
                           ? run(&s)
                           : dv_fail(DV_NO_MEMORY, "breakpoints: out of memory");
    free(s.dispatch);
    free(s.session);
    free(s.latency);
    free(s.per_byte);
    return status;
}

void dv_breakpoints_free(dv_breakpoints *breakpoints)
{
    for (uint32_t i = 0; i < breakpoints->count; i++)
        dv_plan_destroy(breakpoints->intervals[i].plan);
    free(breakpoints->intervals);
    *breakpoints = (dv_breakpoints){0};
}
