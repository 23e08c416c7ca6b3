/* test_optimum.c - the exact strategies against exhaustive search, the baselines and each other, on
   thousands of seeded problems. The search below is written from the cost formula alone. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/rng.h"
#include "solver/certify.h"
#include "solver/evaluate.h"
#include "solver/labels.h"
#include "solver/strategy.h"
#include "tests/random_problem.h"
#include "tests/suite.h"

/* The latency of a placement in the problem's own order, INFINITY if it breaks anything. */
static double latency_of(const dv_problem *p, const uint32_t *x)
{
    double sum = 0.0, energy = 0.0, loss = 0.0, memory[8] = {0};
    bool used[8] = {false};
    uint32_t segments = 0;
    for (uint32_t u = 0; u < p->unit_count; u++) {
        size_t cell = (size_t)u * p->target_count + x[u];
        uint32_t d = p->device[x[u]];
        if (isinf(p->time_us[cell]) || (p->pin && p->pin[u] != DV_NONE && p->pin[u] != x[u]))
            return INFINITY;
        for (uint32_t v = 0; p->group && v < u; v++)
            if (p->group[u] != DV_NONE && p->group[u] == p->group[v] && p->device[x[v]] != d)
                return INFINITY;
        sum += p->time_us[cell];
        memory[d] += p->memory_bytes ? p->memory_bytes[cell] : 0.0;
        energy += p->energy_uj ? p->energy_uj[cell] : 0.0;
        loss += p->loss ? p->loss[cell] : 0.0;
        if (u == 0 || p->device[x[u - 1]] != d) {
            sum += p->dispatch_us[d];
            segments++;
        }
        sum += used[d] ? 0.0 : p->session_us[d];
        used[d] = true;
    }
    if (segments > p->max_segments || energy > p->energy_budget_uj * (1 + 1e-9) ||
        loss > p->loss_budget * (1 + 1e-9))
        return INFINITY;
    for (uint32_t d = 0; d < p->device_count; d++)
        if (memory[d] > p->capacity_bytes[d] * (1 + 1e-9))
            return INFINITY;
    for (uint32_t t = 0; t < p->tensor_count; t++) {
        uint32_t from = p->producer[t] == DV_NONE ? p->host : x[p->producer[t]];
        unsigned to = p->host_needs[t] ? 1u << p->host : 0u;
        for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++)
            to |= 1u << x[p->consumers[i]];
        for (uint32_t b = 0; b < p->target_count; b++)
            if (b != from && (to >> b & 1u))
                sum += p->move_latency_us[from * p->target_count + b] +
                       p->bytes[(size_t)t * p->target_count + from] *
                           p->move_us_per_byte[from * p->target_count + b];
    }
    return sum;
}

static double exhaustive_optimum(const dv_problem *p)
{
    uint32_t x[16] = {0};
    double best = INFINITY;
    for (;;) {
        best = fmin(best, latency_of(p, x));
        uint32_t u = 0;
        while (u < p->unit_count && ++x[u] == p->target_count)
            x[u++] = 0;
        if (u == p->unit_count)
            return best;
    }
}

static bool same(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b)) || (isinf(a) && isinf(b));
}

static void report(const char *what, const dv_random_spec *spec, double got, double expected)
{
    fprintf(stderr,
            "\n    %s: seed %llu, shape %d, units %u, targets %u, shared %d, limits %d, "
            "sessions %d, ties %d: %.17g, expected %.17g",
            what, (unsigned long long)spec->seed, (int)spec->shape, spec->units, spec->targets,
            spec->devices_shared, spec->limits, spec->sessions, spec->ties, got, expected);
}

/* Solves, and checks all that holds of any answer whose optimum is known. */
static bool agrees(const dv_problem *problem, const dv_random_spec *spec, const char *strategy,
                   double optimum)
{
    dv_plan *plan = NULL;
    dv_outcome outcome;
    dv_status status = dv_solve(problem, strategy, NULL, &plan, &outcome);
    bool ok;
    if (status != DV_OK) {
        fprintf(stderr, "\n    %s: %s", strategy, dv_message());
        ok = false;
    } else if (isinf(optimum)) {
        ok = outcome == DV_OUTCOME_INFEASIBLE && !plan;
    } else {
        ok = outcome == DV_OUTCOME_OPTIMAL && plan && same(plan->cost.total_us, optimum) &&
             plan->bound_us <= optimum * (1 + 1e-9) && dv_certify(problem, plan).ok;
    }
    if (!ok)
        report(strategy, spec, plan ? plan->cost.total_us : (double)outcome, optimum);
    dv_plan_destroy(plan);
    return ok;
}

static dv_random_spec small_spec(uint64_t seed)
{
    static const uint32_t most_units[] = {9, 9, 9, 9, 7};
    uint32_t targets = 1 + (uint32_t)(seed * 7 % 4);
    return (dv_random_spec){.seed = seed,
                            .units = 1 + (uint32_t)(seed * 5 % most_units[targets]),
                            .targets = targets,
                            .devices_shared = seed % 3 != 0,
                            .limits = seed % 2 == 0,
                            .sessions = seed % 5 < 2,
                            .ties = seed % 7 < 3};
}

static void check_small(const char *strategy, uint64_t first, uint64_t count, bool limits)
{
    uint64_t failures = 0, infeasible = 0;
    for (uint64_t seed = first; seed < first + count && failures < 5; seed++) {
        dv_random_spec spec = small_spec(seed);
        spec.limits = spec.limits && limits;
        dv_problem *problem = dv_random_problem(&spec);
        double optimum = exhaustive_optimum(problem);
        infeasible += optimum == INFINITY;
        failures += !agrees(problem, &spec, strategy, optimum);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_EQUAL(failures, 0);
    CU_ASSERT_TRUE(!limits || (infeasible > 0 && infeasible < count));
}

static void ilp_finds_what_exhaustive_search_finds(void)
{
    check_small("ilp", 1, 2000, true);
}

static void ilp_without_reductions_finds_the_same(void)
{
    check_small("ilp:reduce=off", 50000, 700, true);
}

static void ilp_from_any_first_vertex_finds_the_same(void)
{
    check_small("ilp:start=advanced", 60000, 500, true);
}

static void the_weaker_formulations_find_the_same(void)
{
    check_small("ilp:formulation=naive", 70000, 400, true);
    check_small("ilp:formulation=aggregated,reduce=off", 71000, 400, true);
    check_small("ilp:formulation=transport", 72000, 400, true);
}

static void frontier_finds_what_exhaustive_search_finds(void)
{
    check_small("frontier", 1, 6000, true);
}

/* Kept to few states, the plan may be worse, but the bound still holds. */
static void frontier_with_too_few_states_is_honest(void)
{
    uint64_t gaps = 0;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        dv_random_spec spec = small_spec(seed);
        spec.limits = false;
        dv_problem *problem = dv_random_problem(&spec);
        double optimum = exhaustive_optimum(problem);
        dv_plan *plan = NULL;
        dv_outcome outcome;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "frontier:states=1", NULL, &plan, &outcome), DV_OK);
        bool ok = plan && plan->bound_us <= optimum * (1 + 1e-9) &&
                  plan->cost.total_us >= optimum * (1 - 1e-9) &&
                  (outcome != DV_OUTCOME_OPTIMAL || same(plan->cost.total_us, optimum));
        CU_ASSERT_TRUE(ok);
        if (!ok)
            report("frontier:states=1", &spec, plan ? plan->bound_us : NAN, optimum);
        gaps += outcome == DV_OUTCOME_FEASIBLE;
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(gaps > 50);
}

/* Two methods that share nothing but the labels. */
static void frontier_and_ilp_agree_on_larger_problems(void)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        dv_random_spec spec = {.seed = seed,
                               .shape = (dv_random_shape)(seed % 5),
                               /* any: edges of any length, so fronts grow with the units */
                               .units = seed % 5 == 0 ? 25 : 30 + (uint32_t)(seed % 60),
                               .targets = 2 + (uint32_t)(seed % 4),
                               .devices_shared = seed % 2 == 0,
                               .sessions = seed % 3 == 0,
                               .ties = seed % 5 == 1};
        dv_problem *problem = dv_random_problem(&spec);
        dv_plan *one = NULL, *two = NULL;
        dv_outcome first, second;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "ilp", NULL, &one, &first), DV_OK);
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "frontier", NULL, &two, &second), DV_OK);
        bool ok = first == DV_OUTCOME_OPTIMAL && second == DV_OUTCOME_OPTIMAL &&
                  same(one->cost.total_us, two->cost.total_us);
        CU_ASSERT_TRUE(ok);
        if (!ok)
            report("frontier, ilp", &spec, two->cost.total_us, one->cost.total_us);
        dv_plan_destroy(one);
        dv_plan_destroy(two);
        dv_problem_destroy(problem);
    }
}

/* The same within limits: prices and states against branch and bound. */
static void frontier_and_ilp_agree_on_larger_limited_problems(void)
{
    uint64_t limited = 0, infeasible = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        dv_random_spec spec = {.seed = seed,
                               .shape = (dv_random_shape)(1 + seed % 4),
                               .units = 12 + (uint32_t)(seed % 14),
                               .targets = 2 + (uint32_t)(seed % 3),
                               .devices_shared = seed % 2 == 0,
                               .limits = true,
                               .sessions = seed % 3 == 0,
                               .ties = seed % 5 == 1};
        dv_problem *problem = dv_random_problem(&spec);
        dv_plan *one = NULL, *two = NULL;
        dv_outcome first, second;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "ilp", NULL, &one, &first), DV_OK);
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "frontier", NULL, &two, &second), DV_OK);
        bool ok = first == second &&
                  (first == DV_OUTCOME_INFEASIBLE ||
                   (first == DV_OUTCOME_OPTIMAL && same(one->cost.total_us, two->cost.total_us)));
        CU_ASSERT_TRUE(ok);
        if (!ok)
            report("frontier, ilp", &spec, two ? two->cost.total_us : NAN,
                   one ? one->cost.total_us : NAN);
        limited += first == DV_OUTCOME_OPTIMAL && dv_limits_bind(problem);
        infeasible += first == DV_OUTCOME_INFEASIBLE;
        dv_plan_destroy(one);
        dv_plan_destroy(two);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(limited > 20 && infeasible > 3);
}

/* Whatever is changed in a proven plan, its certificate notices: the placement, what it states to
   cost, its bound, a limit that it uses up. */
static void tampered_plans_are_refused(void)
{
    uint64_t moved = 0, shrunk = 0;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        dv_random_spec spec = small_spec(seed);
        dv_problem *problem = dv_random_problem(&spec);
        dv_plan *plan = NULL;
        dv_outcome outcome;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "frontier", NULL, &plan, &outcome), DV_OK);
        dv_rng rng = dv_rng_seeded(seed);
        if (plan && plan->cost.total_us > 0.0) {
            CU_ASSERT_TRUE(dv_certify_bound(problem, plan).ok);
            double cost_us = plan->cost.total_us;
            dv_unit_id u = (dv_unit_id)dv_rng_below(&rng, problem->unit_count);
            dv_target_id own = plan->target[u];
            plan->target[u] = (dv_target_id)dv_rng_below(&rng, problem->target_count);
            if (!same(latency_of(problem, plan->target), cost_us)) {
                CU_ASSERT_FALSE(dv_certify(problem, plan).ok);
                moved++;
            }
            plan->target[u] = own;
            plan->bound_us *= 1.0 + 1e-6;
            CU_ASSERT_FALSE(dv_certify(problem, plan).ok);
            plan->bound_us = plan->cost.total_us = cost_us * (1.0 - 1e-6);
            CU_ASSERT_FALSE(dv_certify(problem, plan).ok);
            plan->bound_us = plan->cost.total_us = cost_us;
            if (plan->cost.segments > 1) {
                problem->max_segments = plan->cost.segments - 1;
                CU_ASSERT_FALSE(dv_certify(problem, plan).ok);
                shrunk++;
            }
        }
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(moved > 200 && shrunk > 100);
}

/* The optimum is never above a baseline, and its bound holds for all of them. */
static void no_baseline_beats_the_optimum(void)
{
    static const char *const baselines[] = {"single", "cheapest",         "chain",
                                            "ggml",   "anneal:steps=300", "random:n=30"};
    for (uint64_t seed = 1; seed <= 150; seed++) {
        dv_random_spec spec = {.seed = seed,
                               .shape = (dv_random_shape)(seed % 5),
                               .units = 5 + (uint32_t)(seed % 60),
                               .targets = 2 + (uint32_t)(seed % 3),
                               .devices_shared = seed % 2 == 0,
                               .limits = seed % 4 == 0,
                               .sessions = seed % 3 == 0,
                               .ties = seed % 5 == 1};
        dv_problem *problem = dv_random_problem(&spec);
        dv_plan *best = NULL, *plan = NULL;
        dv_outcome outcome;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "ilp", NULL, &best, &outcome), DV_OK);
        for (size_t i = 0; i < sizeof baselines / sizeof baselines[0]; i++) {
            CU_ASSERT_EQUAL_FATAL(dv_solve(problem, baselines[i], NULL, &plan, &outcome), DV_OK);
            if (!plan)
                continue;
            bool fine = best && best->cost.total_us <= plan->cost.total_us * (1 + 1e-9) &&
                        best->bound_us <= plan->cost.total_us * (1 + 1e-9);
            CU_ASSERT_TRUE(fine);
            if (!fine)
                report(baselines[i], &spec, plan->cost.total_us, best ? best->cost.total_us : NAN);
            dv_plan_destroy(plan);
        }
        dv_plan_destroy(best);
        dv_problem_destroy(problem);
    }
}

/* Baselines that choose an order of their own may beat the best of the given one, but no bound for
   every order. dv_solve certifies their plans: pins, groups, support and limits. */
static void no_baseline_beats_a_bound_for_every_order(void)
{
    static const char *const baselines[] = {"n-largest:n=2", "ort", "heft", "peft"};
    uint64_t bounded = 0;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        dv_random_spec spec = small_spec(seed);
        spec.units = 5 + (uint32_t)(seed % 40);
        dv_problem *problem = dv_random_problem(&spec);
        dv_plan *best = NULL, *plan = NULL;
        dv_outcome outcome;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "auto", NULL, &best, &outcome), DV_OK);
        double bound_us =
            best && strcmp(best->proof_scope, "any order") == 0 ? best->bound_us : -INFINITY;
        bounded += isfinite(bound_us);
        for (size_t i = 0; i < sizeof baselines / sizeof baselines[0]; i++) {
            CU_ASSERT_EQUAL_FATAL(dv_solve(problem, baselines[i], NULL, &plan, &outcome), DV_OK);
            bool fine = !plan || plan->cost.total_us >= bound_us * (1 - 1e-9);
            CU_ASSERT_TRUE(fine);
            if (!fine)
                report(baselines[i], &spec, plan->cost.total_us, bound_us);
            dv_plan_destroy(plan);
        }
        dv_plan_destroy(best);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(bounded > 30);
}

/* A random placement, evaluated, certified and counted by the search above, costs the same. */
static void three_ways_to_cost_a_plan_agree(void)
{
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        dv_random_spec spec = small_spec(seed);
        dv_problem *problem = dv_random_problem(&spec);
        dv_plan *plan = NULL;
        CU_ASSERT_EQUAL_FATAL(dv_plan_create(problem, &plan), DV_OK);
        dv_rng rng = dv_rng_seeded(seed);
        for (dv_unit_id u = 0; u < problem->unit_count; u++)
            plan->target[u] = (dv_target_id)dv_rng_below(&rng, problem->target_count);
        plan->bound_us = -INFINITY;
        double expected = latency_of(problem, plan->target);
        bool usable = dv_evaluate(problem, plan);
        dv_certificate certificate = dv_certify(problem, plan);
        bool ok = usable == isfinite(expected) && same(plan->cost.total_us, expected) &&
                  certificate.ok == usable && (!usable || same(certificate.latency_us, expected));
        CU_ASSERT_TRUE(ok);
        if (!ok)
            report("evaluate", &spec, plan->cost.total_us, expected);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
}

DV_SUITE(property_optimum, DV_TEST(three_ways_to_cost_a_plan_agree),
         DV_TEST(ilp_finds_what_exhaustive_search_finds),
         DV_TEST(ilp_without_reductions_finds_the_same),
         DV_TEST(ilp_from_any_first_vertex_finds_the_same),
         DV_TEST(the_weaker_formulations_find_the_same),
         DV_TEST(frontier_finds_what_exhaustive_search_finds),
         DV_TEST(frontier_with_too_few_states_is_honest),
         DV_TEST(frontier_and_ilp_agree_on_larger_problems),
         DV_TEST(frontier_and_ilp_agree_on_larger_limited_problems),
         DV_TEST(tampered_plans_are_refused), DV_TEST(no_baseline_beats_the_optimum),
         DV_TEST(no_baseline_beats_a_bound_for_every_order));
