/* test_path_ilp.c - the formulations' relaxations against each other, and the integer program
   without an order against exhaustive search over all placements and topological orders. */
#include "solver/path_ilp.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "solver/evaluate.h"
#include "solver/relaxation.h"
#include "solver/strategy.h"
#include "tests/any_order.h"
#include "tests/random_problem.h"
#include "tests/suite.h"

static dv_random_spec small_spec(uint64_t seed)
{
    return (dv_random_spec){.seed = seed,
                            .shape = seed % 2 ? DV_RANDOM_ANY : DV_RANDOM_DAG,
                            .units = 1 + (uint32_t)(seed % 7),
                            .targets = 1 + (uint32_t)(seed * 3 % 4),
                            .devices_shared = seed % 3 == 0,
                            .limits = seed % 2 == 0,
                            .sessions = seed % 5 < 2,
                            .ties = seed % 7 < 3};
}

/* The least dispatch of a placement over all orders with at most so many segments; INFINITY if no
   order has so few. By sets of units that ran, the device at hand, and segments so far. */
static double least_dispatch_within(const dv_problem *p, const dv_target_id *x, uint32_t most)
{
    static double best[1 << DV_ANY_ORDER_UNITS][DV_ANY_ORDER_DEVICES][DV_ANY_ORDER_UNITS + 1];
    uint32_t all = (1u << p->unit_count) - 1u, before[DV_ANY_ORDER_UNITS] = {0};
    most = most < DV_ANY_ORDER_UNITS ? most : DV_ANY_ORDER_UNITS;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        for (uint32_t i = p->previous_start[u]; i < p->previous_start[u + 1]; i++)
            before[u] |= 1u << p->previous[i];
    for (uint32_t s = 0; s <= all; s++)
        for (int d = 0; d < DV_ANY_ORDER_DEVICES; d++)
            for (uint32_t k = 0; k <= DV_ANY_ORDER_UNITS; k++)
                best[s][d][k] = s == 0 && k == 0 ? 0.0 : INFINITY;
    for (uint32_t s = 0; s < all; s++)
        for (uint32_t d = 0; d < p->device_count; d++)
            for (uint32_t k = 0; k <= most; k++)
                for (dv_unit_id u = 0; u < p->unit_count && isfinite(best[s][d][k]); u++) {
                    uint32_t e = p->device[x[u]], more = s == 0 || e != d;
                    if (s >> u & 1u || (before[u] & ~s) || k + more > most)
                        continue;
                    double us = best[s][d][k] + (more ? p->dispatch_us[e] : 0.0);
                    double *cell = &best[s | 1u << u][e][k + more];
                    *cell = fmin(*cell, us);
                }
    double least = INFINITY;
    for (uint32_t d = 0; d < p->device_count; d++)
        for (uint32_t k = 0; k <= most; k++)
            least = fmin(least, best[all][d][k]);
    return least;
}

/* Over all placements and orders, every limit kept. */
static double optimum_of(const dv_problem *problem)
{
    dv_problem open = *problem; /* segments are counted for each order */
    open.max_segments = UINT32_MAX;
    dv_plan *plan = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_plan_create(problem, &plan), DV_OK);
    double best = INFINITY;
    do {
        double rest_us =
            dv_evaluate(&open, plan) ? plan->cost.total_us - plan->cost.dispatch_us : INFINITY;
        if (rest_us < best)
            best = fmin(best, rest_us + least_dispatch_within(problem, plan->target,
                                                              problem->max_segments));
    } while (dv_next_placement(problem, plan->target));
    dv_plan_destroy(plan);
    return best;
}

static bool same(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

typedef struct verdicts {
    uint64_t optimal, infeasible, failures;
} verdicts;

/* dv_solve certifies the plan; here, that what is claimed is true. */
static void check(uint64_t seed, const char *strategy, verdicts *tally)
{
    dv_random_spec spec = small_spec(seed);
    dv_problem *problem = dv_random_problem(&spec);
    double optimum = optimum_of(problem);
    dv_plan *plan = NULL;
    dv_outcome outcome = DV_OUTCOME_NONE;
    dv_status status = dv_solve(problem, strategy, NULL, &plan, &outcome);
    bool ok = status == DV_OK;
    bool any = plan && strcmp(plan->proof_scope, "any order") == 0;
    if (plan)
        ok = ok && (any || strcmp(strategy, "auto") == 0) &&
             plan->cost.total_us >= optimum * (1 - 1e-9);
    if (any)
        ok = ok && plan->bound_us <= optimum * (1 + 1e-9) &&
             (outcome != DV_OUTCOME_OPTIMAL || same(plan->cost.total_us, optimum));
    if (outcome == DV_OUTCOME_INFEASIBLE)
        ok = ok && isinf(optimum);
    /* Two devices and no limit of segments: the program misses nothing. */
    if (problem->device_count <= 2 && problem->max_segments >= problem->unit_count &&
        isfinite(optimum))
        ok = ok && outcome == DV_OUTCOME_OPTIMAL;
    if (!ok) {
        fprintf(stderr, "\n    %s, seed %llu: %s %.17g, bound %.17g, optimum %.17g: %s", strategy,
                (unsigned long long)seed, dv_outcome_name(outcome),
                plan ? plan->cost.total_us : NAN, plan ? plan->bound_us : NAN, optimum,
                status == DV_OK ? "" : dv_message());
        tally->failures++;
    }
    tally->optimal += outcome == DV_OUTCOME_OPTIMAL;
    tally->infeasible += outcome == DV_OUTCOME_INFEASIBLE;
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void check_many(const char *strategy, uint64_t first, uint64_t count)
{
    verdicts tally = {0};
    for (uint64_t seed = first; seed < first + count && tally.failures < 5; seed++)
        check(seed, strategy, &tally);
    CU_ASSERT_EQUAL(tally.failures, 0);
    CU_ASSERT_TRUE(tally.optimal > count / 2);
    CU_ASSERT_TRUE(tally.infeasible > 0);
}

static void no_plan_in_any_order_costs_less_than_the_bound(void)
{
    check_many("ilp:order=free", 1, 1600);
    check_many("ilp:order=free,formulation=transport", 20000, 800);
    check_many("ilp:order=free,reduce=off", 40000, 600);
}

/* Limits of memory, energy, loss and segments included. */
static void auto_finds_the_best_order_under_limits(void)
{
    check_many("auto", 60000, 800);
}

/* A stronger formulation never has a smaller bound, and no bound is above the optimum. */
static void relaxations_are_in_the_order_of_their_strength(void)
{
    double gap[DV_FORM_PAIRWISE + 1] = {0};
    for (uint64_t seed = 1; seed <= 100; seed++) {
        dv_random_spec spec = {.seed = seed,
                               .shape = (dv_random_shape)(seed % 5),
                               .units = 2 + (uint32_t)(seed % 25),
                               .targets = 2 + (uint32_t)(seed % 3),
                               .devices_shared = seed % 3 == 0,
                               .limits = seed % 4 == 0,
                               .sessions = seed % 5 < 2};
        dv_problem *problem = dv_random_problem(&spec);
        dv_plan *best = NULL;
        dv_outcome outcome;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "ilp", NULL, &best, &outcome), DV_OK);
        double optimum = best ? best->cost.total_us : INFINITY, last[2] = {0.0, 0.0};
        for (int form = DV_FORM_NAIVE; form <= DV_FORM_PAIRWISE; form++)
            for (int order = 0; order <= (form >= DV_FORM_TRANSPORT); order++) {
                dv_relaxation r;
                CU_ASSERT_EQUAL_FATAL(
                    dv_relaxation_find(problem, (dv_form)form, order, INFINITY, &r), DV_OK);
                bool ok = r.finished && r.bound_us >= last[order] * (1 - 1e-7) &&
                          (isinf(optimum) || r.bound_us <= optimum * (1 + 1e-9));
                CU_ASSERT_TRUE(ok);
                if (!ok)
                    fprintf(
                        stderr, "\n    seed %llu, form %d, free %d: %.12g after %.12g, of %.12g",
                        (unsigned long long)seed, form, order, r.bound_us, last[order], optimum);
                last[order] = r.bound_us;
                if (!order && !spec.limits)
                    gap[form] += 1.0 - r.bound_us / optimum;
            }
        CU_ASSERT_TRUE(last[1] <= last[0] * (1 + 1e-7)); /* the given order is one of all */
        dv_plan_destroy(best);
        dv_problem_destroy(problem);
    }
    for (int form = DV_FORM_NAIVE; form < DV_FORM_PAIRWISE; form++)
        CU_ASSERT_TRUE(gap[form] > 1.2 * gap[form + 1]); /* else they were not told apart */
}

/* Two methods that share neither program nor states. */
static void ilp_and_ideal_agree_on_larger_problems(void)
{
    uint64_t proven = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        dv_random_spec spec = {.seed = seed,
                               .shape = (dv_random_shape)(1 + seed % 4),
                               .units = 20 + (uint32_t)(seed % 40),
                               .targets = 2 + (uint32_t)(seed % 3),
                               .devices_shared = seed % 2 == 0,
                               .sessions = seed % 3 == 0};
        dv_problem *problem = dv_random_problem(&spec);
        dv_plan *one = NULL, *two = NULL;
        dv_outcome first, second;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "ilp:order=free", NULL, &one, &first), DV_OK);
        CU_ASSERT_EQUAL_FATAL(
            dv_solve(problem, "ideal:states=3000,program=off", NULL, &two, &second), DV_OK);
        bool ok = one && two && one->bound_us <= two->cost.total_us * (1 + 1e-9) &&
                  two->bound_us <= one->cost.total_us * (1 + 1e-9);
        CU_ASSERT_TRUE(ok);
        if (!ok)
            fprintf(stderr, "\n    seed %llu", (unsigned long long)seed);
        proven += first == DV_OUTCOME_OPTIMAL;
        dv_plan_destroy(one);
        dv_plan_destroy(two);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(proven > 25);
}

/* Where the search over ideals is too wide, the default proves the optimum all the same. */
static void auto_proves_wide_random_graphs(void)
{
    for (uint64_t seed = 11; seed <= 11; seed++) {
        dv_random_spec spec = {.seed = seed, .shape = DV_RANDOM_DAG, .units = 100, .targets = 4};
        dv_problem *problem = dv_random_problem(&spec);
        dv_plan *plan = NULL;
        dv_outcome outcome;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "auto", NULL, &plan, &outcome), DV_OK);
        CU_ASSERT_EQUAL(outcome, DV_OUTCOME_OPTIMAL);
        CU_ASSERT_TRUE(plan && strncmp(plan->proved_by, "ilp:", 4) == 0);
        CU_ASSERT_TRUE(plan && strcmp(plan->proof_scope, "any order") == 0);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
}

DV_SUITE(property_path_ilp, DV_TEST(no_plan_in_any_order_costs_less_than_the_bound),
         DV_TEST(auto_finds_the_best_order_under_limits),
         DV_TEST(relaxations_are_in_the_order_of_their_strength),
         DV_TEST(ilp_and_ideal_agree_on_larger_problems), DV_TEST(auto_proves_wide_random_graphs));
