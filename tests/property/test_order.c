/* test_order.c - orders, and what is claimed of every order, against exhaustive search over all
   topological orders and placements of small problems. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "solver/evaluate.h"
#include "solver/order.h"
#include "solver/strategy.h"
#include "tests/any_order.h"
#include "tests/random_problem.h"
#include "tests/suite.h"

enum { UNITS = DV_ANY_ORDER_UNITS };

static dv_random_spec spec_of(uint64_t seed)
{
    return (dv_random_spec){.seed = seed,
                            .shape = seed % 2 ? DV_RANDOM_ANY : DV_RANDOM_DAG,
                            .units = 2 + (uint32_t)(seed % (UNITS - 2)),
                            .targets = 2 + (uint32_t)(seed % 2),
                            .devices_shared = seed % 3 == 0,
                            .sessions = seed % 4 == 0,
                            .ties = seed % 7 < 3};
}

static bool same(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

/* Every claim of auto holds, and it mostly finds the best plan of any order. */
static void what_auto_claims_is_true(void)
{
    int found = 0, any = 0, total = 600;
    for (uint64_t seed = 1; seed <= (uint64_t)total; seed++) {
        dv_random_spec spec = spec_of(seed);
        dv_problem *problem = dv_random_problem(&spec);
        double optimum = dv_any_order_optimum_us(problem);
        dv_plan *plan = NULL;
        dv_outcome outcome;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "auto", NULL, &plan, &outcome), DV_OK);
        bool claims_any = strcmp(plan->proof_scope, "any order") == 0;
        bool ok =
            plan->cost.total_us >= optimum * (1 - 1e-9) &&
            (!claims_any || plan->bound_us <= optimum * (1 + 1e-9)) &&
            (!claims_any || outcome != DV_OUTCOME_OPTIMAL || same(plan->cost.total_us, optimum));
        CU_ASSERT_TRUE(ok);
        if (!ok)
            fprintf(stderr, "\n    seed %llu: %.17g bound %.17g (%s), any order %.17g",
                    (unsigned long long)seed, plan->cost.total_us, plan->bound_us,
                    plan->proof_scope, optimum);
        found += same(plan->cost.total_us, optimum);
        any += claims_any && outcome == DV_OUTCOME_OPTIMAL;
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(found > total * 8 / 10);
    CU_ASSERT_TRUE(any > total / 2);
}

static void auto_is_never_worse_than_another_strategy(void)
{
    static const char *const others[] = {"ilp",    "frontier", "chain", "chain:partitions=merged",
                                         "single", "cheapest"};
    for (uint64_t seed = 1; seed <= 120; seed++) {
        dv_random_spec spec = {.seed = seed,
                               .shape = (dv_random_shape)(seed % 5),
                               .units = seed % 5 == 0 ? 20 : 10 + (uint32_t)(seed % 50),
                               .targets = 2 + (uint32_t)(seed % 4),
                               .devices_shared = seed % 2 == 0,
                               .limits = seed % 4 == 0,
                               .sessions = seed % 3 == 0,
                               .ties = seed % 5 == 1};
        dv_problem *problem = dv_random_problem(&spec);
        dv_plan *best = NULL, *plan = NULL;
        dv_outcome outcome;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "auto", NULL, &best, &outcome), DV_OK);
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
            dv_status status = dv_solve(problem, others[i], NULL, &plan, &outcome);
            CU_ASSERT_TRUE(status == DV_OK || strcmp(others[i], "frontier") == 0);
            bool ok = !plan || (best && best->cost.total_us <= plan->cost.total_us * (1 + 1e-9));
            CU_ASSERT_TRUE(ok);
            if (!ok)
                fprintf(stderr, "\n    seed %llu: %s", (unsigned long long)seed, others[i]);
            dv_plan_destroy(plan);
        }
        dv_plan_destroy(best);
        dv_problem_destroy(problem);
    }
}

/* Random placements: the closure rule's order is sound and pays what it says; with two devices it
   is the best order; no order pays less than the dearest path. */
static void closure_orders_are_sound_and_paths_bound_them(void)
{
    int best = 0, total = 2000;
    for (uint64_t seed = 1; seed <= (uint64_t)total; seed++) {
        dv_random_spec spec = spec_of(seed);
        dv_problem *problem = dv_random_problem(&spec);
        dv_plan *plan = NULL;
        if (dv_plan_create(problem, &plan) != DV_OK)
            abort();
        dv_rng rng = dv_rng_seeded(seed);
        for (dv_unit_id u = 0; u < problem->unit_count; u++)
            do
                plan->target[u] = (dv_target_id)dv_rng_below(&rng, problem->target_count);
            while (!dv_problem_allows(problem, u, plan->target[u]));
        double paid, path_us, least = dv_least_dispatch_us(problem, plan->target);
        dv_unit_id path[UNITS];
        uint32_t length;
        CU_ASSERT_EQUAL(dv_order_closure(problem, plan->target, NULL, INFINITY, plan->order, &paid),
                        DV_OK);
        CU_ASSERT_EQUAL(dv_order_dearest_path(problem, plan->target, path, &length, &path_us),
                        DV_OK);
        bool ok = dv_evaluate(problem, plan) && same(plan->cost.dispatch_us, paid) &&
                  paid >= least * (1 - 1e-12) && path_us <= least * (1 + 1e-12) &&
                  (problem->device_count > 2 || same(paid, least));
        CU_ASSERT_TRUE(ok);
        if (!ok)
            fprintf(stderr, "\n    seed %llu: paid %.17g, least %.17g, path %.17g",
                    (unsigned long long)seed, paid, least, path_us);
        best += same(paid, least);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(best > total * 9 / 10);
}

DV_SUITE(property_order, DV_TEST(closure_orders_are_sound_and_paths_bound_them),
         DV_TEST(what_auto_claims_is_true), DV_TEST(auto_is_never_worse_than_another_strategy));
