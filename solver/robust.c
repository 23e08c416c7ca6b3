/* robust.c - least greatest regret over the corners of a box of costs. */
#include "solver/robust.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/evaluate.h"

enum {
    MOVES = DV_ROBUST_DEVICES_MAX, /* factors: of each device, of moves, of dispatch */
    DISPATCH,
    FACTORS,
    ROUNDS_MAX = 40,   /* of mixing corners */
    PASSES_MAX = 8,    /* over all units, moving one at a time */
    WEIGHINGS = 20000, /* steps of the game between plans and corners */
};

typedef struct factors {
    double of[FACTORS];
} factors;

/* What a plan costs under each factor 1: its cost at any factors is the inner product. */
typedef struct candidate {
    dv_plan *plan;
    factors part_us;
} candidate;

typedef struct search {
    const dv_problem *problem;
    const char *strategy;
    const dv_solve_options *options;
    double share;
    dv_robust *out;
    dv_problem posed; /* with the arrays below */
    double *time, *latency, *per_byte, *dispatch, *session;
    factors *corner;
    double *least_us, *best_us; /* per corner: bound of the optimum, best known plan */
    double *weight;             /* per corner: the mixture */
    candidate *known;
    size_t known_count;
    double *score; /* per corner or plan: while weighing */
} search;

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "robust: out of memory");
}

static double cost_us(const candidate *c, const factors *f)
{
    double sum = 0.0;
    for (int k = 0; k < FACTORS; k++)
        sum += c->part_us.of[k] * f->of[k];
    return sum;
}

static void pose(search *s, const factors *f)
{
    const dv_problem *p = s->problem;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        for (dv_target_id a = 0; a < p->target_count; a++)
            s->time[(size_t)u * p->target_count + a] =
                dv_problem_time_us(p, u, a) * f->of[p->device[a]];
    for (size_t i = 0; i < (size_t)p->target_count * p->target_count; i++) {
        s->latency[i] = p->move_latency_us[i] * f->of[MOVES];
        s->per_byte[i] = p->move_us_per_byte[i] * f->of[MOVES];
    }
    for (dv_device_id d = 0; d < p->device_count; d++) {
        s->dispatch[d] = p->dispatch_us[d] * f->of[DISPATCH];
        s->session[d] = p->session_us[d] * f->of[DISPATCH];
    }
}

/* The parts of a plan that was evaluated at the problem's own costs. */
static candidate measure(const dv_problem *problem, dv_plan *plan)
{
    candidate c = {.plan = plan};
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        c.part_us.of[problem->device[plan->target[u]]] +=
            dv_problem_time_us(problem, u, plan->target[u]);
    c.part_us.of[MOVES] = plan->cost.move_us;
    c.part_us.of[DISPATCH] = plan->cost.dispatch_us + plan->cost.session_us;
    return c;
}

/* Keeps the plan (or frees it, if an equal one is known). */
static dv_status keep(search *s, dv_plan *plan)
{
    dv_evaluate(s->problem, plan);
    candidate c = measure(s->problem, plan);
    for (size_t i = 0; i < s->known_count; i++)
        if (memcmp(&s->known[i].part_us, &c.part_us, sizeof c.part_us) == 0) {
            dv_plan_destroy(plan);
            return DV_OK;
        }
    candidate *more = realloc(s->known, (s->known_count + 1) * sizeof *more);
    if (!more) {
        dv_plan_destroy(plan);
        return no_memory();
    }
    s->known = more;
    s->known[s->known_count++] = c;
    return DV_OK;
}

/* *bound_us: no plan costs less at these factors. */
static dv_status solve_at(search *s, const factors *f, double *bound_us)
{
    dv_solve_options options = *s->options;
    dv_progress quiet = {.stop = options.progress ? options.progress->stop : NULL};
    dv_plan *plan;
    dv_outcome outcome;
    options.progress = &quiet;
    pose(s, f);
    DV_TRY(dv_solve(&s->posed, s->strategy, &options, &plan, &outcome));
    s->out->solves++;
    if (dv_progress_stopped(s->options->progress)) {
        dv_plan_destroy(plan);
        return dv_fail(DV_INTERRUPTED, "stopped");
    }
    if (!plan)
        return dv_fail(DV_NEGATIVE, "no plan meets the limits");
    s->out->exact = s->out->exact && outcome == DV_OUTCOME_OPTIMAL;
    *bound_us = fmax(0.0, outcome == DV_OUTCOME_OPTIMAL ? plan->cost.total_us : plan->bound_us);
    return keep(s, plan);
}

static void improve_known(search *s)
{
    for (uint32_t c = 0; c < s->out->corners; c++) {
        s->best_us[c] = INFINITY;
        for (size_t i = 0; i < s->known_count; i++)
            s->best_us[c] = fmin(s->best_us[c], cost_us(&s->known[i], &s->corner[c]));
        s->least_us[c] = fmin(s->least_us[c], s->best_us[c]);
    }
}

static dv_robust_plan judge(const search *s, const candidate *c)
{
    dv_robust_plan answer = {.plan = c->plan, .regret_us = -INFINITY};
    for (uint32_t k = 0; k < s->out->corners; k++) {
        double us = cost_us(c, &s->corner[k]);
        answer.worst_us = fmax(answer.worst_us, us);
        if (us - s->least_us[k] <= answer.regret_us)
            continue;
        answer.regret_us = us - s->least_us[k];
        answer.corner = k;
        answer.corner_us = us;
        answer.corner_opt_us = s->least_us[k];
    }
    return answer;
}

/* The known plan of least greatest regret; of equals the one that costs less. */
static size_t best_known(const search *s)
{
    size_t best = 0;
    dv_robust_plan held = judge(s, &s->known[0]);
    for (size_t i = 1; i < s->known_count; i++) {
        dv_robust_plan other = judge(s, &s->known[i]);
        double slack = 1e-9 * held.worst_us;
        if (other.regret_us > held.regret_us + slack ||
            (other.regret_us > held.regret_us - slack &&
             other.plan->cost.total_us >= held.plan->cost.total_us))
            continue;
        held = other;
        best = i;
    }
    return best;
}

/* Moves single units of the best known plan while that lessens its greatest regret: what lies
   between plans that are optimal somewhere is optimal nowhere. */
static dv_status polish(search *s)
{
    const dv_problem *p = s->problem;
    dv_plan *trial;
    DV_TRY(dv_plan_create(p, &trial));
    dv_plan_copy(trial, s->known[best_known(s)].plan);
    candidate at = measure(p, trial);
    double held = judge(s, &at).regret_us, slack = 1e-9 * at.plan->cost.total_us;
    bool better = true;
    for (int pass = 0; better && pass < PASSES_MAX; pass++) {
        better = false;
        for (dv_unit_id u = 0; u < p->unit_count; u++)
            for (dv_target_id a = 0; a < p->target_count; a++) {
                dv_target_id before = trial->target[u];
                if (a == before || !dv_problem_allows(p, u, a))
                    continue;
                trial->target[u] = a;
                bool legal = dv_evaluate(p, trial);
                candidate moved = measure(p, trial);
                double regret = legal ? judge(s, &moved).regret_us : INFINITY;
                if (regret < held - slack) {
                    held = regret;
                    better = true;
                } else {
                    trial->target[u] = before;
                }
            }
        if (dv_progress_stopped(s->options->progress))
            break;
    }
    return keep(s, trial);
}

/* The adversary's mixture in the game of the known plans against the corners, by weights that grow
   with the regret of the plan that answers them best (Freund, Schapire, 1999). Any mixture gives a
   true bound; a good one gives a tight one. */
static void weigh(search *s)
{
    uint32_t corners = s->out->corners;
    double scale = 0.0;
    for (uint32_t c = 0; c < corners; c++)
        scale = fmax(scale, cost_us(&s->known[best_known(s)], &s->corner[c]) - s->least_us[c]);
    double rate = scale > 0.0 ? 0.05 / scale : 0.0;
    double *sum = s->score;
    memset(sum, 0, corners * sizeof *sum);
    memset(s->weight, 0, corners * sizeof *s->weight);
    long steps = WEIGHINGS / (long)(1 + s->known_count * corners / 256);
    for (long step = 0; step < steps; step++) {
        double total = 0.0, top = 0.0, least = INFINITY;
        size_t answer = 0;
        factors mixed = {0};
        for (uint32_t c = 0; c < corners; c++)
            top = fmax(top, sum[c]);
        for (uint32_t c = 0; c < corners; c++)
            total += exp(rate * (sum[c] - top));
        for (uint32_t c = 0; c < corners; c++) {
            double share = exp(rate * (sum[c] - top)) / total;
            s->weight[c] += share / (double)steps;
            for (int k = 0; k < FACTORS; k++)
                mixed.of[k] += share * s->corner[c].of[k];
        }
        for (size_t i = 0; i < s->known_count; i++)
            if (cost_us(&s->known[i], &mixed) < least) {
                least = cost_us(&s->known[i], &mixed);
                answer = i;
            }
        for (uint32_t c = 0; c < corners; c++)
            sum[c] += cost_us(&s->known[answer], &s->corner[c]) - s->best_us[c];
    }
}

/* Solves at the mixture: a bound, and perhaps a plan that is better than all known. */
static dv_status mix(search *s)
{
    factors mixed = {0};
    double optima = 0.0, bound_us, weights = 0.0;
    for (uint32_t c = 0; c < s->out->corners; c++)
        weights += s->weight[c];
    for (uint32_t c = 0; c < s->out->corners; c++) {
        double share = s->weight[c] / weights;
        optima += share * s->best_us[c];
        for (int k = 0; k < FACTORS; k++)
            mixed.of[k] += share * s->corner[c].of[k];
    }
    DV_TRY(solve_at(s, &mixed, &bound_us));
    s->out->bound_us = fmax(s->out->bound_us, bound_us - optima);
    return DV_OK;
}

static void set_corners(search *s)
{
    const dv_problem *p = s->problem;
    for (uint32_t c = 0; c < s->out->corners; c++)
        for (uint32_t k = 0; k < p->device_count + 2; k++) {
            uint32_t at = k < p->device_count ? k : MOVES + (k - p->device_count);
            s->corner[c].of[at] = 1.0 + (c >> k & 1 ? s->share : -s->share);
        }
}

/* The plan at place i of the list leaves it. */
static dv_status take(search *s, size_t i, dv_robust_plan *out)
{
    dv_robust_plan answer = judge(s, &s->known[i]);
    dv_plan *copy;
    DV_TRY(dv_plan_create(s->problem, &copy));
    dv_plan_copy(copy, answer.plan);
    *out = answer;
    out->plan = copy;
    return DV_OK;
}

/* What was proven of the problem's own costs holds for the robust plan too. */
static void claim(const dv_plan *proof, dv_plan *plan, double bound_us)
{
    memmove(plan->proved_by, proof->proved_by, sizeof plan->proved_by);
    memmove(plan->proof_scope, proof->proof_scope, sizeof plan->proof_scope);
    plan->bound_us = fmin(bound_us, plan->cost.total_us);
    plan->outcome = dv_plan_gap(plan) <= 1e-9 ? DV_OUTCOME_OPTIMAL : DV_OUTCOME_FEASIBLE;
}

static dv_status run(search *s)
{
    factors own = {0};
    double nominal_us;
    for (int k = 0; k < FACTORS; k++)
        own.of[k] = 1.0;
    set_corners(s);
    DV_TRY(solve_at(s, &own, &nominal_us));
    for (uint32_t c = 0; c < s->out->corners; c++) {
        dv_progress_step(s->options->progress, "robust: corners", (double)c / s->out->corners);
        DV_TRY(solve_at(s, &s->corner[c], &s->least_us[c]));
    }
    improve_known(s);
    for (int round = 0; round < ROUNDS_MAX; round++) {
        size_t before = s->known_count;
        double held = judge(s, &s->known[best_known(s)]).regret_us;
        dv_progress_step(s->options->progress, "robust: mixtures", (double)round / ROUNDS_MAX);
        if (held - s->out->bound_us <= 1e-9 * nominal_us)
            break;
        weigh(s);
        DV_TRY(mix(s));
        improve_known(s);
        if (s->known_count == before)
            break; /* the mixture's best answer was known: it is as good as mixtures get */
    }
    DV_TRY(polish(s));
    improve_known(s);
    DV_TRY(take(s, 0, &s->out->nominal));
    DV_TRY(take(s, best_known(s), &s->out->robust));
    s->out->bound_us = fmin(s->out->bound_us, s->out->robust.regret_us);
    claim(s->out->nominal.plan, s->out->nominal.plan, nominal_us);
    claim(s->out->nominal.plan, s->out->robust.plan, nominal_us);
    return DV_OK;
}

static bool allocate(search *s, dv_arena *arena)
{
    const dv_problem *p = s->problem;
    uint32_t corners = s->out->corners;
    size_t pairs = (size_t)p->target_count * p->target_count;
    s->time = dv_arena_array(arena, (size_t)p->unit_count * p->target_count, sizeof *s->time);
    s->latency = dv_arena_array(arena, pairs, sizeof *s->latency);
    s->per_byte = dv_arena_array(arena, pairs, sizeof *s->per_byte);
    s->dispatch = dv_arena_array(arena, p->device_count, sizeof *s->dispatch);
    s->session = dv_arena_array(arena, p->device_count, sizeof *s->session);
    s->corner = dv_arena_array(arena, corners, sizeof *s->corner);
    s->least_us = dv_arena_array(arena, corners, sizeof *s->least_us);
    s->best_us = dv_arena_array(arena, corners, sizeof *s->best_us);
    s->weight = dv_arena_array(arena, corners, sizeof *s->weight);
    s->score = dv_arena_array(arena, corners, sizeof *s->score);
    s->posed = *p;
    s->posed.time_us = s->time;
    s->posed.move_latency_us = s->latency;
    s->posed.move_us_per_byte = s->per_byte;
    s->posed.dispatch_us = s->dispatch;
    s->posed.session_us = s->session;
    return s->time && s->latency && s->per_byte && s->dispatch && s->session && s->corner &&
           s->least_us && s->best_us && s->weight && s->score;
}

dv_status dv_robust_find(const dv_problem *problem, const char *strategy,
                         const dv_solve_options *options, double share, dv_robust *out)
{
    *out = (dv_robust){.exact = true};
    if (!(share > 0.0 && share < 1.0))
        return dv_fail(DV_BAD_PARAMETER, "costs must be off by more than 0 and less than all");
    if (options->objective != DV_OBJECTIVE_LATENCY)
        return dv_fail(DV_BAD_PARAMETER, "robust plans are of latency only");
    if (problem->device_count > DV_ROBUST_DEVICES_MAX)
        return dv_fail(DV_BAD_PARAMETER,
                       "a robust plan is found for %d devices at most; use fewer (--targets)",
                       DV_ROBUST_DEVICES_MAX);
    out->corners = 1u << (problem->device_count + 2);
    search s = {
        .problem = problem, .strategy = strategy, .options = options, .share = share, .out = out};
    dv_arena *arena = dv_arena_create();
    dv_status status = arena && allocate(&s, arena) ? run(&s) : no_memory();
    for (size_t i = 0; i < s.known_count; i++)
        dv_plan_destroy(s.known[i].plan);
    free(s.known);
    dv_arena_destroy(arena);
    return status;
}

void dv_robust_free(dv_robust *robust)
{
    dv_plan_destroy(robust->nominal.plan);
    dv_plan_destroy(robust->robust.plan);
    *robust = (dv_robust){0};
}
