/* mincut.c - two targets exactly, by one minimum cut; more by swapping two labels at a time.

   With two targets and the order fixed the cost is submodular: a unit on the source's side is on
   target A, on the sink's side on B. Times are arcs from and to the terminals, dispatch is arcs
   between neighbours of the order, and a tensor has an auxiliary node for each direction, which
   follows as soon as one reader is on the other side (Stone, "Multiprocessor scheduling with the
   aid of network flow algorithms", IEEE TSE 1977; Kolmogorov and Zabih, "What energy functions can
   be minimized via graph cuts?", IEEE TPAMI 2004). Swaps: Boykov, Veksler, Zabih, "Fast approximate
   energy minimization via graph cuts", IEEE TPAMI 2001. Flows by igraph (push and relabel). */
#include <igraph.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "solver/evaluate.h"
#include "solver/incumbent.h"
#include "solver/labels.h"
#include "solver/place.h"
#include "solver/strategy.h"

enum { TARGETS };

static const dv_param params[] = {
    [TARGETS] = {.name = "targets",
                 .type = DV_PARAM_CHOICE,
                 .summary = "two: refuse a problem with more usable targets; any: then swap labels",
                 .preset = "any",
                 .choices = "any|two"},
    {0},
};

enum { SOURCE, SINK, FIRST_NODE }; /* A is the source's side */

typedef struct cutter {
    const dv_problem *problem;
    const dv_plan *plan; /* what is not on a or b stays as it is here */
    dv_target_id a, b;
    igraph_vector_int_t ends; /* from, to, from, to, ... */
    igraph_vector_t capacity;
    igraph_integer_t nodes;
    double constant_us; /* paid whatever the cut */
    double never_us;    /* more than any plan costs */
    bool failed;        /* without memory */
} cutter;

static void arc(cutter *c, igraph_integer_t from, igraph_integer_t to, double us)
{
    if (us <= 0.0 || from == to)
        return;
    c->failed = c->failed || igraph_vector_int_push_back(&c->ends, from) != IGRAPH_SUCCESS ||
                igraph_vector_int_push_back(&c->ends, to) != IGRAPH_SUCCESS ||
                igraph_vector_push_back(&c->capacity, us) != IGRAPH_SUCCESS;
}

static bool is_free(const cutter *c, dv_unit_id u)
{
    return c->plan->target[u] == c->a || c->plan->target[u] == c->b;
}

static igraph_integer_t node_of(dv_unit_id u)
{
    return (igraph_integer_t)u + FIRST_NODE;
}

/* Node n costs on_a on A's side and on_b on B's. */
static void choice(cutter *c, igraph_integer_t n, double on_a, double on_b)
{
    double both = fmin(on_a, on_b);
    c->constant_us += both;
    arc(c, n, SINK, on_a - both);
    arc(c, SOURCE, n, on_b - both);
}

/* A node that is on B's side (A's side) as soon as one of those that lean on it is. */
static void lean(cutter *c, igraph_integer_t node, igraph_integer_t on, bool on_b)
{
    if (on_b)
        arc(c, node, on, c->never_us);
    else
        arc(c, on, node, c->never_us);
}

/* The side that target x is on: SOURCE, SINK, or -1 for another target. */
static igraph_integer_t side_of(const cutter *c, dv_target_id x)
{
    return x == c->a ? SOURCE : x == c->b ? SINK : -1;
}

/* Where tensor t's maker is: a node or a terminal; -1: fixed to *target, which is neither. */
static igraph_integer_t maker_node(const cutter *c, uint32_t t, dv_target_id *target)
{
    dv_unit_id maker = c->problem->producer[t];
    *target = maker == DV_NONE ? c->problem->host : c->plan->target[maker];
    if (maker != DV_NONE && is_free(c, maker))
        return node_of(maker);
    return side_of(c, *target);
}

/* Copies of t on other targets than a and b: each distinct one once. */
static void add_fixed_copies(cutter *c, uint32_t t, igraph_integer_t maker, dv_target_id from)
{
    const dv_problem *p = c->problem;
    for (dv_target_id x = 0; x < p->target_count; x++) {
        if (side_of(c, x) >= 0)
            continue;
        bool read = p->host_needs[t] && p->host == x;
        for (uint32_t i = p->consumer_start[t]; !read && i < p->consumer_start[t + 1]; i++)
            read = c->plan->target[p->consumers[i]] == x;
        if (!read)
            continue;
        if (maker < 0)
            c->constant_us += dv_problem_move_us(p, t, from, x);
        else if (maker == SOURCE || maker == SINK)
            c->constant_us += dv_problem_move_us(p, t, maker == SOURCE ? c->a : c->b, x);
        else
            choice(c, maker, dv_problem_move_us(p, t, c->a, x), dv_problem_move_us(p, t, c->b, x));
    }
}

/* The copy of t on B (on A, if not on_b), if its maker is elsewhere and somebody there reads it. */
static void add_copy(cutter *c, uint32_t t, igraph_integer_t maker, dv_target_id from, bool on_b)
{
    const dv_problem *p = c->problem;
    dv_target_id to = on_b ? c->b : c->a;
    igraph_integer_t here = on_b ? SINK : SOURCE, there = on_b ? SOURCE : SINK;
    if (maker == here)
        return;
    double us = maker < 0 ? dv_problem_move_us(p, t, from, to)
                          : dv_problem_move_us(p, t, on_b ? c->a : c->b, to);
    igraph_integer_t copy = c->nodes++, origin = maker < 0 ? there : maker;
    if (on_b)
        arc(c, origin, copy, us);
    else
        arc(c, copy, origin, us);
    if (p->host_needs[t] && p->host == to)
        lean(c, copy, here, on_b);
    for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++)
        if (is_free(c, p->consumers[i]))
            lean(c, copy, node_of(p->consumers[i]), on_b);
}

static void add_tensors(cutter *c)
{
    for (uint32_t t = 0; t < c->problem->tensor_count && !c->failed; t++) {
        dv_target_id from;
        igraph_integer_t maker = maker_node(c, t, &from);
        add_fixed_copies(c, t, maker, from);
        add_copy(c, t, maker, from, true);
        add_copy(c, t, maker, from, false);
    }
}

/* Dispatch of the unit at place k, by the device of the one before. */
static void add_dispatch(cutter *c, uint32_t k)
{
    const dv_problem *p = c->problem;
    dv_unit_id v = c->plan->order[k], u = k > 0 ? c->plan->order[k - 1] : DV_NONE;
    dv_device_id da = p->device[c->a], db = p->device[c->b];
    dv_device_id fixed_v = p->device[c->plan->target[v]];
    dv_device_id fixed_u = u == DV_NONE ? DV_NONE : p->device[c->plan->target[u]];
    bool free_u = u != DV_NONE && is_free(c, u), free_v = is_free(c, v);
    if (free_u && free_v) {
        if (da != db) {
            arc(c, node_of(u), node_of(v), p->dispatch_us[db]);
            arc(c, node_of(v), node_of(u), p->dispatch_us[da]);
        }
    } else if (free_v) {
        choice(c, node_of(v), da == fixed_u ? 0.0 : p->dispatch_us[da],
               db == fixed_u ? 0.0 : p->dispatch_us[db]);
    } else if (free_u) {
        choice(c, node_of(u), da == fixed_v ? 0.0 : p->dispatch_us[fixed_v],
               db == fixed_v ? 0.0 : p->dispatch_us[fixed_v]);
    } else {
        c->constant_us += fixed_u == fixed_v ? 0.0 : p->dispatch_us[fixed_v];
    }
}

static void add_units(cutter *c)
{
    const dv_problem *p = c->problem;
    for (dv_unit_id u = 0; u < p->unit_count && !c->failed; u++) {
        if (!is_free(c, u)) {
            c->constant_us += dv_problem_time_us(p, u, c->plan->target[u]);
            continue;
        }
        double on_a = dv_problem_time_us(p, u, c->a), on_b = dv_problem_time_us(p, u, c->b);
        choice(c, node_of(u), dv_problem_allows(p, u, c->a) ? on_a : c->never_us,
               dv_problem_allows(p, u, c->b) ? on_b : c->never_us);
    }
    for (uint32_t k = 0; k < p->unit_count && !c->failed; k++)
        add_dispatch(c, k);
}

/* The session of every device: paid for fixed units, or as soon as one unit is there. */
static void add_sessions(cutter *c)
{
    const dv_problem *p = c->problem;
    for (dv_device_id d = 0; d < p->device_count && !c->failed; d++) {
        bool at_a = p->device[c->a] == d, at_b = p->device[c->b] == d;
        bool fixed = false, free = false;
        for (dv_unit_id u = 0; u < p->unit_count; u++) {
            free = free || is_free(c, u);
            fixed = fixed || (!is_free(c, u) && p->device[c->plan->target[u]] == d);
        }
        if (fixed || (at_a && at_b && free)) {
            c->constant_us += p->session_us[d];
            continue;
        }
        if (at_a == at_b || !(p->session_us[d] > 0.0))
            continue;
        igraph_integer_t used = c->nodes++;
        choice(c, used, at_a ? p->session_us[d] : 0.0, at_b ? p->session_us[d] : 0.0);
        for (dv_unit_id u = 0; u < p->unit_count; u++)
            if (is_free(c, u))
                lean(c, used, node_of(u), at_b);
    }
}

static void add_groups(cutter *c)
{
    const dv_problem *p = c->problem;
    dv_device_id da = p->device[c->a], db = p->device[c->b];
    for (dv_unit_id u = 0; p->group && u < p->unit_count && !c->failed; u++)
        for (dv_unit_id v = u + 1; p->group[u] != DV_NONE && v < p->unit_count; v++) {
            if (p->group[v] != p->group[u])
                continue;
            dv_unit_id fixed = is_free(c, u) ? v : u, other = fixed == u ? v : u;
            dv_device_id d = p->device[c->plan->target[fixed]];
            if (is_free(c, u) && is_free(c, v) && da != db) {
                arc(c, node_of(u), node_of(v), c->never_us);
                arc(c, node_of(v), node_of(u), c->never_us);
            } else if (is_free(c, other) && !is_free(c, fixed)) {
                choice(c, node_of(other), da == d ? 0.0 : c->never_us, db == d ? 0.0 : c->never_us);
            }
        }
}

/* The minimum cut of what was added: sides of the units into trial; *value_us: what it costs. */
static bool cut(cutter *c, dv_plan *trial, double *value_us)
{
    igraph_t graph;
    igraph_vector_int_t side;
    igraph_real_t flow = 0.0;
    if (igraph_create(&graph, &c->ends, c->nodes, IGRAPH_DIRECTED) != IGRAPH_SUCCESS)
        return false;
    bool ok = igraph_vector_int_init(&side, 0) == IGRAPH_SUCCESS;
    if (ok) {
        ok = igraph_maxflow(&graph, &flow, NULL, NULL, &side, NULL, SOURCE, SINK, &c->capacity,
                            NULL) == IGRAPH_SUCCESS;
        const dv_problem *p = c->problem;
        for (dv_unit_id u = 0; ok && u < p->unit_count; u++)
            trial->target[u] = is_free(c, u) ? c->b : c->plan->target[u];
        for (igraph_integer_t i = 0; ok && i < igraph_vector_int_size(&side); i++) {
            igraph_integer_t n = VECTOR(side)[i] - FIRST_NODE;
            if (n >= 0 && n < (igraph_integer_t)p->unit_count && is_free(c, (dv_unit_id)n))
                trial->target[n] = c->a;
        }
        igraph_vector_int_destroy(&side);
    }
    igraph_destroy(&graph);
    *value_us = c->constant_us + flow;
    return ok;
}

static double more_than_any_plan_us(const dv_problem *p)
{
    double sum = 1.0;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        double most = 0.0;
        for (dv_target_id a = 0; a < p->target_count; a++) {
            double us = dv_problem_time_us(p, u, a) + p->dispatch_us[p->device[a]];
            most = isfinite(us) ? fmax(most, us) : most;
        }
        sum += most;
    }
    for (dv_device_id d = 0; d < p->device_count; d++)
        sum += p->session_us[d];
    for (uint32_t t = 0; t < p->tensor_count; t++)
        for (dv_target_id b = 0; b < p->target_count; b++) {
            double most = 0.0;
            for (dv_target_id a = 0; a < p->target_count; a++)
                most = fmax(most, dv_problem_move_us(p, t, a, b));
            sum += most;
        }
    return sum;
}

/* The best placement that differs from the plan's only on a and b; its order stays. */
static dv_status best_swap(const dv_problem *problem, const dv_plan *plan, dv_target_id a,
                           dv_target_id b, dv_plan *trial, double *value_us)
{
    cutter c = {.problem = problem,
                .plan = plan,
                .a = a,
                .b = b,
                .nodes = FIRST_NODE + (igraph_integer_t)problem->unit_count,
                .never_us = more_than_any_plan_us(problem)};
    igraph_error_handler_t *before = igraph_set_error_handler(igraph_error_handler_ignore);
    bool ok = igraph_vector_int_init(&c.ends, 0) == IGRAPH_SUCCESS;
    if (ok && igraph_vector_init(&c.capacity, 0) != IGRAPH_SUCCESS) {
        igraph_vector_int_destroy(&c.ends);
        ok = false;
    }
    if (ok) {
        add_units(&c);
        add_tensors(&c);
        add_sessions(&c);
        add_groups(&c);
        memcpy(trial->order, plan->order, problem->unit_count * sizeof *trial->order);
        ok = !c.failed && cut(&c, trial, value_us);
        igraph_vector_destroy(&c.capacity);
        igraph_vector_int_destroy(&c.ends);
    }
    igraph_set_error_handler(before);
    return ok ? DV_OK : dv_fail(DV_NO_MEMORY, "mincut: out of memory");
}

/* Targets that some unit may use; the first two into pair. */
static uint32_t usable_targets(const dv_problem *problem, dv_target_id pair[2])
{
    uint32_t count = 0;
    for (dv_target_id a = 0; a < problem->target_count; a++) {
        bool usable = false;
        for (dv_unit_id u = 0; !usable && u < problem->unit_count; u++)
            usable = dv_problem_allows(problem, u, a);
        if (usable && count < 2)
            pair[count] = a;
        count += usable;
    }
    return count;
}

/* One cut: the plan, or the proof that there is none. */
static dv_status solve_two(const dv_problem *problem, const dv_solve_options *options,
                           const dv_target_id pair[2], dv_plan *trial, dv_plan *plan,
                           dv_outcome *outcome)
{
    double value_us;
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        plan->target[u] = pair[0];
    DV_TRY(best_swap(problem, plan, pair[0], pair[1], trial, &value_us));
    if (value_us >= more_than_any_plan_us(problem)) {
        *outcome = DV_OUTCOME_INFEASIBLE; /* units of one group have no device in common */
        return DV_OK;
    }
    *outcome = DV_OUTCOME_NONE;
    if (!dv_place_keep_better(problem, options->progress, trial, plan, outcome))
        return dv_fail(DV_INTERNAL, "mincut: the cut's placement breaks a limit");
    plan->bound_us = fmin(value_us, plan->cost.total_us);
    snprintf(plan->proved_by, sizeof plan->proved_by, "mincut: maximum flow");
    snprintf(plan->proof_scope, sizeof plan->proof_scope, "given order");
    dv_progress_bound(options->progress, plan->bound_us);
    if (plan->cost.total_us - plan->bound_us <= options->tolerance * plan->cost.total_us)
        *outcome = DV_OUTCOME_OPTIMAL;
    return DV_OK;
}

/* Swaps pairs of labels until none helps, or the time is up. */
static dv_status solve_more(const dv_problem *problem, const dv_solve_options *options,
                            dv_plan *trial, dv_plan *plan, dv_outcome *outcome)
{
    double deadline_s = dv_solve_deadline_s(options), value_us;
    DV_TRY(dv_incumbent_baselines(problem, options, trial, plan, outcome));
    for (bool better = *outcome == DV_OUTCOME_FEASIBLE; better;) {
        better = false;
        for (dv_target_id a = 0; a < problem->target_count; a++)
            for (dv_target_id b = a + 1; b < problem->target_count; b++) {
                if (dv_progress_must_end(options->progress, deadline_s))
                    return DV_OK;
                double before_us = plan->cost.total_us;
                DV_TRY(best_swap(problem, plan, a, b, trial, &value_us));
                if (value_us < before_us * (1.0 - 1e-12) &&
                    dv_place_keep_better(problem, options->progress, trial, plan, outcome))
                    better = true;
            }
    }
    return DV_OK;
}

static dv_status solve(const dv_problem *problem, const dv_solve_options *options,
                       const dv_param_value *values, dv_plan *plan, dv_outcome *outcome)
{
    dv_target_id pair[2] = {0, 0};
    uint32_t count = usable_targets(problem, pair);
    *outcome = DV_OUTCOME_NONE;
    if (dv_limits_bind(problem))
        return dv_fail(
            DV_BAD_PARAMETER,
            "strategy mincut keeps pins and groups, but no limit of memory, energy, loss "
            "or segments; use frontier, ideal or ilp");
    if (count > 2 && values[TARGETS].number == 1.0)
        return dv_fail(DV_BAD_PARAMETER,
                       "strategy mincut: targets=two, but %u targets can be used; restrict them "
                       "(--targets)",
                       count);
    dv_plan *trial = NULL;
    DV_TRY(dv_plan_create(problem, &trial));
    dv_status status = count <= 2 ? solve_two(problem, options, pair, trial, plan, outcome)
                                  : solve_more(problem, options, trial, plan, outcome);
    dv_plan_destroy(trial);
    return status;
}

const dv_strategy dv_strategy_mincut = {
    .name = "mincut",
    .summary =
        "minimum cut: two targets proven for the given order; more by swapping two at a time",
    .citation = "Stone, IEEE TSE 1977; Boykov, Veksler, Zabih, IEEE TPAMI 2001",
    .objectives = DV_OBJECTIVE_LATENCY,
    .params = params,
    .solve = solve,
};
