/* test_ideal.c - the dynamic program over ideals against exhaustive search over all topological
   orders and placements of small problems, and against the other exact methods on larger ones. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "solver/evaluate.h"
#include "solver/labels.h"
#include "solver/strategy.h"
#include "tests/any_order.h"
#include "tests/random_problem.h"
#include "tests/suite.h"

static dv_random_spec small_spec(uint64_t seed)
{
    return (dv_random_spec){.seed = seed,
                            .shape = seed % 2 ? DV_RANDOM_ANY : DV_RANDOM_DAG,
                            .units = 2 + (uint32_t)(seed % 6),
                            .targets = 2 + (uint32_t)(seed % 2),
                            .devices_shared = seed % 3 == 0,
                            .limits = seed % 3 == 1,
                            .sessions = seed % 4 == 0,
                            .ties = seed % 7 < 3};
}

static bool same(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b)) || (isinf(a) && isinf(b));
}

static void report(uint64_t seed, const dv_plan *plan, double expected)
{
    fprintf(stderr, "\n    seed %llu: %.17g, bound %.17g, expected %.17g", (unsigned long long)seed,
            plan ? plan->cost.total_us : NAN, plan ? plan->bound_us : NAN, expected);
}

static void placement_and_order_are_those_of_exhaustive_search(void)
{
    uint64_t better = 0, infeasible = 0, limited = 0;
    for (uint64_t seed = 1; seed <= 1200; seed++) {
        dv_random_spec spec = small_spec(seed);
        dv_problem *problem = dv_random_problem(&spec);
        if (seed % 5 == 0)
            dv_random_groups(problem, seed);
        double optimum = dv_any_order_optimum_us(problem);
        dv_plan *plan = NULL, *given = NULL;
        dv_outcome outcome, other;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "ideal", NULL, &plan, &outcome), DV_OK);
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "frontier", NULL, &given, &other), DV_OK);
        bool ok = isinf(optimum) ? outcome == DV_OUTCOME_INFEASIBLE
                                 : plan && outcome == DV_OUTCOME_OPTIMAL &&
                                       same(plan->cost.total_us, optimum) &&
                                       strcmp(plan->proof_scope, "any order") == 0;
        CU_ASSERT_TRUE(ok);
        infeasible += optimum == INFINITY;
        limited += isfinite(optimum) && dv_limits_bind(problem);
        if (!ok)
            report(seed, plan, optimum);
        better += given && plan && plan->cost.total_us < given->cost.total_us * (1 - 1e-9);
        dv_plan_destroy(given);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(infeasible > 20 && limited > 100);
    CU_ASSERT_TRUE(better > 20); /* else the order did not matter and nothing was tested */
}

/* Kept to one state a level, the plan may be worse, but the bound still holds. */
static void with_too_few_states_the_bound_is_honest(void)
{
    uint64_t gaps = 0;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        dv_random_spec spec = small_spec(seed);
        dv_problem *problem = dv_random_problem(&spec);
        double optimum = dv_any_order_optimum_us(problem);
        dv_plan *plan = NULL;
        dv_outcome outcome;
        CU_ASSERT_EQUAL_FATAL(
            dv_solve(problem, "ideal:states=1,program=off", NULL, &plan, &outcome), DV_OK);
        bool ok = plan == NULL
                      ? outcome == DV_OUTCOME_NONE ||
                            outcome == (isinf(optimum) ? DV_OUTCOME_INFEASIBLE : DV_OUTCOME_NONE)
                      : plan->bound_us <= optimum * (1 + 1e-9) &&
                            plan->cost.total_us >= optimum * (1 - 1e-9) &&
                            (outcome != DV_OUTCOME_OPTIMAL || same(plan->cost.total_us, optimum));
        CU_ASSERT_TRUE(ok);
        if (!ok)
            report(seed, plan, optimum);
        gaps += outcome == DV_OUTCOME_FEASIBLE;
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(gaps > 20);
}

/* What auto proves of every order, with and without limits, and that it is never below the optimum.
 */
static void auto_is_right_about_every_order(void)
{
    uint64_t proven = 0, limited = 0;
    for (uint64_t seed = 5000; seed <= 5800; seed++) {
        dv_random_spec spec = small_spec(seed);
        spec.limits = seed % 3 != 0;
        dv_problem *problem = dv_random_problem(&spec);
        double optimum = dv_any_order_optimum_us(problem);
        dv_plan *plan = NULL;
        dv_outcome outcome;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "auto", NULL, &plan, &outcome), DV_OK);
        bool any = plan && strcmp(plan->proof_scope, "any order") == 0;
        bool ok = plan ? plan->cost.total_us >= optimum * (1 - 1e-9) &&
                             (!any || plan->bound_us <= optimum * (1 + 1e-9))
                       : outcome == DV_OUTCOME_INFEASIBLE && isinf(optimum);
        CU_ASSERT_TRUE(ok);
        if (!ok)
            report(seed, plan, optimum);
        proven += any && outcome == DV_OUTCOME_OPTIMAL;
        limited += any && dv_limits_bind(problem);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(proven > 500 && limited > 150);
}

/* On larger problems no other method finds a cheaper plan than what ideal proves. */
static void what_ideal_proves_no_other_method_beats(void)
{
    uint64_t proven = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        dv_random_spec spec = {.seed = seed,
                               .shape = (dv_random_shape)(1 + seed % 3),
                               .units = 20 + (uint32_t)(seed % 40),
                               .targets = 2 + (uint32_t)(seed % 3),
                               .devices_shared = seed % 2 == 0,
                               .sessions = seed % 3 == 0,
                               .ties = seed % 5 == 1};
        dv_problem *problem = dv_random_problem(&spec);
        dv_plan *one = NULL, *two = NULL;
        dv_outcome first, second;
        CU_ASSERT_EQUAL_FATAL(
            dv_solve(problem, "ideal:states=2000,program=off", NULL, &one, &first), DV_OK);
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "auto", NULL, &two, &second), DV_OK);
        bool ok = one && two && one->bound_us <= two->cost.total_us * (1 + 1e-9) &&
                  (strcmp(two->proof_scope, "any order") != 0 ||
                   two->bound_us <= one->cost.total_us * (1 + 1e-9));
        CU_ASSERT_TRUE(ok);
        if (!ok)
            report(seed, one, two ? two->cost.total_us : NAN);
        proven += first == DV_OUTCOME_OPTIMAL;
        dv_plan_destroy(one);
        dv_plan_destroy(two);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(proven > 30);
}

static void a_deadline_of_nothing_leaves_a_plan_and_a_bound(void)
{
    dv_random_spec spec = {.seed = 3, .shape = DV_RANDOM_DAG, .units = 200, .targets = 4};
    dv_problem *problem = dv_random_problem(&spec);
    dv_solve_options options = dv_solve_options_default();
    options.deadline_s = 0.0;
    dv_plan *plan = NULL;
    dv_outcome outcome;
    CU_ASSERT_EQUAL(dv_solve(problem, "ideal", &options, &plan, &outcome), DV_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
    CU_ASSERT_TRUE(isfinite(plan->bound_us) && plan->bound_us < plan->cost.total_us);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

DV_SUITE(property_ideal, DV_TEST(placement_and_order_are_those_of_exhaustive_search),
         DV_TEST(with_too_few_states_the_bound_is_honest), DV_TEST(auto_is_right_about_every_order),
         DV_TEST(what_ideal_proves_no_other_method_beats),
         DV_TEST(a_deadline_of_nothing_leaves_a_plan_and_a_bound));
