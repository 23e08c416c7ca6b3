/* test_answers.c - what else is asked than one best plan: the cost of every unit on every target,
   the next best plans. Against exhaustive search, and against problems solved anew with pins. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "solver/breakpoints.h"
#include "solver/evaluate.h"
#include "solver/k_best.h"
#include "solver/labels.h"
#include "solver/marginals.h"
#include "solver/strategy.h"
#include "tests/any_order.h"
#include "tests/random_problem.h"
#include "tests/suite.h"

enum { STATES = 100000 };

static dv_random_spec small_spec(uint64_t seed)
{
    return (dv_random_spec){.seed = seed,
                            .shape = (dv_random_shape)(seed % 5),
                            .units = 1 + (uint32_t)(seed % 7),
                            .targets = 1 + (uint32_t)(seed / 7 % 3),
                            .devices_shared = seed % 2 == 0,
                            .limits = false,
                            .sessions = seed % 3 == 0,
                            .ties = seed % 5 == 1};
}

static bool same(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b)) || (isinf(a) && isinf(b));
}

static void report(const char *what, uint64_t seed, double got, double expected)
{
    fprintf(stderr, "\n    %s: seed %llu: %.17g, expected %.17g", what, (unsigned long long)seed,
            got, expected);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* costs: of every legal placement, ascending; least: [unit * targets + target]. */
static size_t enumerate(const dv_problem *p, double *costs, double *least)
{
    size_t count = 0;
    dv_plan *plan = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_plan_create(p, &plan), DV_OK);
    for (uint32_t i = 0; i < p->unit_count * p->target_count; i++)
        least[i] = INFINITY;
    do {
        if (!dv_evaluate(p, plan))
            continue;
        costs[count++] = plan->cost.total_us;
        for (dv_unit_id u = 0; u < p->unit_count; u++) {
            double *cell = &least[u * p->target_count + plan->target[u]];
            *cell = fmin(*cell, plan->cost.total_us);
        }
    } while (dv_next_placement(p, plan->target));
    qsort(costs, count, sizeof *costs, ascending);
    dv_plan_destroy(plan);
    return count;
}

static bool marginals_agree(const dv_problem *p, uint64_t seed, const double *least)
{
    dv_plan *own = NULL;
    dv_marginals m;
    CU_ASSERT_EQUAL_FATAL(dv_plan_create(p, &own), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_marginals_compute(p, own->order, STATES, NULL, &m), DV_OK);
    bool ok = m.exact;
    for (uint32_t i = 0; ok && i < p->unit_count * p->target_count; i++)
        if (!same(m.cost_us[i], least[i])) {
            report("marginals", seed, m.cost_us[i], least[i]);
            ok = false;
        }
    dv_marginals_free(&m);
    dv_plan_destroy(own);
    return ok;
}

static bool k_best_agree(const dv_problem *p, uint64_t seed, const double *costs, size_t count)
{
    enum { WANTED = 12 };
    dv_plan *own = NULL;
    dv_k_best best;
    CU_ASSERT_EQUAL_FATAL(dv_plan_create(p, &own), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_k_best_find(p, own->order, WANTED, STATES, NULL, &best), DV_OK);
    bool ok = best.exact && best.count == (count < WANTED ? count : WANTED);
    if (!ok)
        report("k best: plans", seed, best.count, (double)count);
    for (uint32_t i = 0; ok && i < best.count; i++) {
        ok = same(best.plans[i]->cost.total_us, costs[i]);
        if (!ok)
            report("k best", seed, best.plans[i]->cost.total_us, costs[i]);
        for (uint32_t j = 0; ok && j < i; j++)
            ok = memcmp(best.plans[i]->target, best.plans[j]->target,
                        p->unit_count * sizeof *own->target) != 0;
    }
    dv_k_best_free(&best);
    dv_plan_destroy(own);
    return ok;
}

static void every_cost_and_every_next_plan_is_that_of_exhaustive_search(void)
{
    static double costs[3 * 3 * 3 * 3 * 3 * 3 * 3], least[64];
    uint64_t failures = 0;
    for (uint64_t seed = 1; seed <= 4000 && failures < 5; seed++) {
        dv_random_spec spec = small_spec(seed);
        dv_problem *problem = dv_random_problem(&spec);
        size_t count = enumerate(problem, costs, least);
        failures += !marginals_agree(problem, seed, least);
        failures += !k_best_agree(problem, seed, costs, count);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_EQUAL(failures, 0);
}

/* Limits of every kind, infeasible ones too. */
static void limits_are_kept(void)
{
    static double costs[3 * 3 * 3 * 3 * 3 * 3 * 3], least[64];
    uint64_t failures = 0, limited = 0;
    for (uint64_t seed = 1; seed <= 600 && failures < 5; seed++) {
        dv_random_spec spec = small_spec(seed);
        spec.limits = true;
        dv_problem *problem = dv_random_problem(&spec);
        size_t count = enumerate(problem, costs, least);
        limited += dv_limits_bind(problem) && count > 0;
        failures += !marginals_agree(problem, seed, least);
        failures += !k_best_agree(problem, seed, costs, count);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_EQUAL(failures, 0);
    CU_ASSERT_TRUE(limited > 100);
}

/* The same for another order than the problem's own: costs are those of the problem with its units
   listed so. */
static void limits_are_kept_in_another_order(void)
{
    uint64_t checked = 0;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        dv_random_spec spec = small_spec(seed);
        spec.limits = true;
        spec.units = 4 + (uint32_t)(seed % 3);
        dv_problem *problem = dv_random_problem(&spec);
        dv_plan *plan = NULL;
        dv_outcome outcome;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "auto", NULL, &plan, &outcome), DV_OK);
        if (plan) {
            dv_marginals m;
            CU_ASSERT_EQUAL_FATAL(dv_marginals_compute(problem, plan->order, STATES, NULL, &m),
                                  DV_OK);
            /* No plan of that order beats the one at hand if that is optimal in any order. */
            for (dv_unit_id u = 0; u < problem->unit_count; u++) {
                double own = m.cost_us[(size_t)u * problem->target_count + plan->target[u]];
                bool best = outcome == DV_OUTCOME_OPTIMAL;
                CU_ASSERT_TRUE(best ? same(own, plan->cost.total_us)
                                    : own <= plan->cost.total_us * (1 + 1e-9));
            }
            checked++;
            dv_marginals_free(&m);
        }
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(checked > 80);
}

static void pins_and_groups_are_kept(void)
{
    static double costs[3 * 3 * 3 * 3 * 3 * 3 * 3], least[64];
    uint64_t failures = 0, grouped = 0;
    for (uint64_t seed = 1; seed <= 3000 && failures < 5; seed++) {
        dv_random_spec spec = small_spec(seed);
        spec.limits = true;
        dv_problem *problem = dv_random_problem(&spec);
        problem->max_segments = UINT32_MAX;
        problem->energy_budget_uj = problem->loss_budget = INFINITY;
        for (dv_device_id d = 0; d < problem->device_count; d++)
            ((double *)problem->capacity_bytes)[d] = INFINITY;
        size_t count = enumerate(problem, costs, least);
        grouped += problem->group || problem->pin;
        failures += !marginals_agree(problem, seed, least);
        failures += !k_best_agree(problem, seed, costs, count);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_EQUAL(failures, 0);
    CU_ASSERT_TRUE(grouped > 500);
}

/* Pins one unit at a time and solves anew. */
static void larger_problems_agree_with_pinned_ones(void)
{
    uint64_t failures = 0;
    for (uint64_t seed = 1; seed <= 24 && failures < 5; seed++) {
        dv_random_spec spec = {.seed = seed,
                               .shape = (dv_random_shape)(1 + seed % 4),
                               .units = 30 + (uint32_t)(seed % 60),
                               .targets = 2 + (uint32_t)(seed % 4),
                               .devices_shared = seed % 2 == 0,
                               .sessions = seed % 3 == 0,
                               .ties = seed % 5 == 1};
        dv_problem *problem = dv_random_problem(&spec);
        dv_plan *own = NULL;
        dv_marginals m;
        CU_ASSERT_EQUAL_FATAL(dv_plan_create(problem, &own), DV_OK);
        CU_ASSERT_EQUAL_FATAL(dv_marginals_compute(problem, own->order, STATES, NULL, &m), DV_OK);
        CU_ASSERT_TRUE(m.exact);
        dv_target_id *pin = malloc(problem->unit_count * sizeof *pin);
        dv_problem pinned = *problem;
        pinned.pin = pin;
        for (dv_unit_id u = (dv_unit_id)(seed % 7); u < problem->unit_count; u += 7)
            for (dv_target_id a = 0; a < problem->target_count; a++) {
                if (!dv_problem_allows(problem, u, a))
                    continue;
                memset(pin, 0xff, problem->unit_count * sizeof *pin);
                pin[u] = a;
                dv_plan *plan = NULL;
                dv_outcome outcome;
                CU_ASSERT_EQUAL_FATAL(dv_solve(&pinned, "frontier", NULL, &plan, &outcome), DV_OK);
                double got = m.cost_us[(size_t)u * problem->target_count + a];
                bool ok = outcome == DV_OUTCOME_OPTIMAL && same(got, plan->cost.total_us);
                failures += !ok;
                if (!ok)
                    report("marginals, pinned", seed, got, plan ? plan->cost.total_us : NAN);
                dv_plan_destroy(plan);
            }
        free(pin);
        dv_marginals_free(&m);
        dv_plan_destroy(own);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_EQUAL(failures, 0);
}

/* The problem with the parameter at a value, its arrays in the problem's arena. */
static dv_problem posed_at(const dv_problem *p, const dv_parameter *parameter, double value)
{
    dv_problem posed = *p;
    size_t pairs = (size_t)p->target_count * p->target_count;
    double *dispatch = dv_arena_array(p->arena, p->device_count, sizeof *dispatch);
    double *latency = dv_arena_array(p->arena, pairs, sizeof *latency);
    double *per_byte = dv_arena_array(p->arena, pairs, sizeof *per_byte);
    memcpy(dispatch, p->dispatch_us, p->device_count * sizeof *dispatch);
    for (size_t i = 0; i < pairs; i++) {
        latency[i] = p->move_latency_us[i] * value;
        per_byte[i] = p->move_us_per_byte[i] * value;
    }
    dispatch[parameter->device] = value;
    if (parameter->kind == DV_PARAMETER_DISPATCH)
        posed.dispatch_us = dispatch;
    if (parameter->kind == DV_PARAMETER_LATENCY || parameter->kind == DV_PARAMETER_HANDOVER)
        posed.move_latency_us = latency;
    if (parameter->kind == DV_PARAMETER_TRAFFIC || parameter->kind == DV_PARAMETER_HANDOVER)
        posed.move_us_per_byte = per_byte;
    return posed;
}

static const dv_interval *interval_of(const dv_breakpoints *b, double value)
{
    for (uint32_t i = 0; i < b->count; i++)
        if (value >= b->intervals[i].low && value <= b->intervals[i].high)
            return &b->intervals[i];
    return NULL;
}

static bool envelope_agrees(const dv_problem *p, const dv_parameter *parameter, uint64_t seed,
                            const dv_breakpoints *b)
{
    static double costs[3 * 3 * 3 * 3 * 3 * 3 * 3], least[64];
    for (int i = 0; i <= 20; i++) {
        double value = parameter->low + i * (parameter->high - parameter->low) / 20;
        const dv_interval *at = interval_of(b, value);
        dv_problem posed = posed_at(p, parameter, value);
        size_t count = enumerate(&posed, costs, least);
        if (!at || count == 0)
            return false;
        dv_evaluate(&posed, at->plan);
        if (same(at->plan->cost.total_us, costs[0]))
            continue;
        report("breakpoints", seed, at->plan->cost.total_us, costs[0]);
        return false;
    }
    for (uint32_t i = 1; i < b->count; i++) /* corners turn downwards, or the line goes on */
        if (b->intervals[i - 1].high != b->intervals[i].low ||
            !same(b->intervals[i - 1].high_us, b->intervals[i].low_us))
            return false;
    return true;
}

static void breakpoints_are_the_corners_of_the_lower_envelope(void)
{
    uint64_t failures = 0, corners = 0;
    for (uint64_t seed = 1; seed <= 400 && failures < 5; seed++) {
        dv_random_spec spec = small_spec(seed);
        spec.units = 1 + (uint32_t)(seed % 6);
        spec.limits = seed % 3 == 1;
        dv_problem *problem = dv_random_problem(&spec);
        static double costs[3 * 3 * 3 * 3 * 3 * 3 * 3], least[64];
        if (enumerate(problem, costs, least) == 0) {
            dv_problem_destroy(problem);
            continue;
        }
        static const dv_parameter_kind kinds[] = {DV_PARAMETER_DISPATCH, DV_PARAMETER_HANDOVER,
                                                  DV_PARAMETER_LATENCY, DV_PARAMETER_TRAFFIC};
        dv_parameter parameter = {.kind = kinds[seed % 4],
                                  .device = (dv_device_id)(seed % problem->device_count),
                                  .high = seed % 4 ? 10 : 100};
        dv_breakpoints b;
        CU_ASSERT_EQUAL_FATAL(dv_breakpoints_find(problem, &parameter, NULL, &b), DV_OK);
        corners += b.count - 1;
        bool ok = b.exact && b.intervals[0].low == 0 &&
                  b.intervals[b.count - 1].high == parameter.high &&
                  envelope_agrees(problem, &parameter, seed, &b);
        failures += !ok;
        if (!ok)
            report("breakpoints: intervals", seed, b.count, NAN);
        dv_breakpoints_free(&b);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_EQUAL(failures, 0);
    CU_ASSERT_TRUE(corners > 100);
}

DV_SUITE(property_answers, DV_TEST(every_cost_and_every_next_plan_is_that_of_exhaustive_search),
         DV_TEST(pins_and_groups_are_kept), DV_TEST(limits_are_kept),
         DV_TEST(limits_are_kept_in_another_order), DV_TEST(larger_problems_agree_with_pinned_ones),
         DV_TEST(breakpoints_are_the_corners_of_the_lower_envelope));
