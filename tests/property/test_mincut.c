/* test_mincut.c - two targets by a minimum cut against exhaustive search, and label swaps. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "solver/evaluate.h"
#include "solver/strategy.h"
#include "tests/problem_text.h"
#include "tests/random_problem.h"
#include "tests/suite.h"

static bool same(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

/* The least cost over all placements in the given order. */
static double exhaustive(const dv_problem *p)
{
    dv_plan *plan = NULL;
    double best = INFINITY;
    CU_ASSERT_EQUAL_FATAL(dv_plan_create(p, &plan), DV_OK);
    uint64_t all = 1;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        all *= p->target_count;
    for (uint64_t code = 0; code < all; code++) {
        uint64_t rest = code;
        for (dv_unit_id u = 0; u < p->unit_count; u++, rest /= p->target_count)
            plan->target[u] = (dv_target_id)(rest % p->target_count);
        if (dv_evaluate(p, plan))
            best = fmin(best, plan->cost.total_us);
    }
    dv_plan_destroy(plan);
    return best;
}

/* A third target that no unit may use, sometimes the host: everything then passes by it. */
static void forbid_a_target(dv_problem *problem, dv_target_id target)
{
    double *time = (double *)problem->time_us;
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        time[u * problem->target_count + target] = INFINITY;
        double *other = &time[u * problem->target_count + (target + 1) % problem->target_count];
        *other = isfinite(*other) ? *other : 7.0;
    }
}

static dv_problem *problem_with(uint64_t seed, uint32_t targets)
{
    dv_random_spec spec = {.seed = seed,
                           .shape = seed % 2 ? DV_RANDOM_ANY : DV_RANDOM_DAG,
                           .units = 1 + (uint32_t)(seed % 8),
                           .targets = targets,
                           .devices_shared = seed % 5 == 0,
                           .sessions = seed % 3 == 0,
                           .ties = seed % 7 < 3};
    dv_problem *problem = dv_random_problem(&spec);
    if (seed % 4 == 0)
        dv_random_groups(problem, seed);
    return problem;
}

static void two_targets_are_solved_as_by_exhaustive_search(void)
{
    for (uint64_t seed = 1; seed <= 1200; seed++) {
        dv_problem *problem = problem_with(seed, seed % 3 == 1 ? 3 : 2);
        if (problem->target_count == 3)
            forbid_a_target(problem, (dv_target_id)(seed / 3 % 3));
        double optimum = exhaustive(problem);
        dv_plan *plan = NULL;
        dv_outcome outcome;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "mincut:targets=two", NULL, &plan, &outcome),
                              DV_OK);
        bool ok = plan ? outcome == DV_OUTCOME_OPTIMAL && same(plan->cost.total_us, optimum)
                       : outcome == DV_OUTCOME_INFEASIBLE && isinf(optimum);
        CU_ASSERT_TRUE(ok);
        if (!ok)
            fprintf(stderr, "\n    seed %llu: %.17g (%s), expected %.17g", (unsigned long long)seed,
                    plan ? plan->cost.total_us : NAN, dv_outcome_name(outcome), optimum);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
}

static void swaps_never_lose_to_the_baselines_and_often_find_the_optimum(void)
{
    static const char *const baselines[] = {"cheapest", "single", "chain"};
    int found = 0, total = 400;
    for (uint64_t seed = 1; seed <= (uint64_t)total; seed++) {
        dv_problem *problem = problem_with(seed, 3 + (uint32_t)(seed % 2));
        double optimum = exhaustive(problem);
        dv_plan *plan = NULL, *other = NULL;
        dv_outcome outcome;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "mincut", NULL, &plan, &outcome), DV_OK);
        CU_ASSERT_TRUE(!plan || plan->cost.total_us >= optimum * (1 - 1e-9));
        for (size_t i = 0; i < sizeof baselines / sizeof baselines[0]; i++) {
            CU_ASSERT_EQUAL_FATAL(dv_solve(problem, baselines[i], NULL, &other, &outcome), DV_OK);
            bool ok = !other || (plan && plan->cost.total_us <= other->cost.total_us * (1 + 1e-9));
            CU_ASSERT_TRUE(ok);
            if (!ok)
                fprintf(stderr, "\n    seed %llu: %s", (unsigned long long)seed, baselines[i]);
            dv_plan_destroy(other);
        }
        found += plan ? same(plan->cost.total_us, optimum) : isinf(optimum);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(found > total * 3 / 4);
}

/* The same optimum as the dynamic program's, where nobody can enumerate. */
static void the_cut_agrees_with_the_frontier_on_larger_problems(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        dv_random_spec spec = {.seed = seed,
                               .shape = (dv_random_shape)(1 + seed % 4),
                               .units = 60 + 10 * (uint32_t)seed,
                               .targets = 2};
        dv_problem *problem = dv_random_problem(&spec);
        dv_plan *one = NULL, *two = NULL;
        dv_outcome first, second;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "mincut", NULL, &one, &first), DV_OK);
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "frontier", NULL, &two, &second), DV_OK);
        CU_ASSERT_EQUAL(first, DV_OUTCOME_OPTIMAL);
        CU_ASSERT_TRUE(one && two && same(one->cost.total_us, two->cost.total_us));
        dv_plan_destroy(one);
        dv_plan_destroy(two);
        dv_problem_destroy(problem);
    }
}

static void more_targets_are_refused_on_request(void)
{
    dv_problem *problem = problem_of("cpu npu gpu", "a 3 2 1\nb 1 2 3\n");
    dv_plan *plan = NULL;
    dv_outcome outcome;
    CU_ASSERT_EQUAL(dv_solve(problem, "mincut:targets=two", NULL, &plan, &outcome),
                    DV_BAD_PARAMETER);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "3 targets"));
    CU_ASSERT_EQUAL(dv_solve(problem, "mincut", NULL, &plan, &outcome), DV_OK);
    CU_ASSERT_EQUAL(outcome, DV_OUTCOME_FEASIBLE);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 2, 1e-9);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

DV_SUITE(property_mincut, DV_TEST(two_targets_are_solved_as_by_exhaustive_search),
         DV_TEST(swaps_never_lose_to_the_baselines_and_often_find_the_optimum),
         DV_TEST(the_cut_agrees_with_the_frontier_on_larger_problems),
         DV_TEST(more_targets_are_refused_on_request));
