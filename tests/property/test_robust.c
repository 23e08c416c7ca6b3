/* test_robust.c - the plan of least greatest regret, against every placement at every corner. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "solver/evaluate.h"
#include "solver/robust.h"
#include "tests/any_order.h"
#include "tests/problem_text.h"
#include "tests/random_problem.h"
#include "tests/suite.h"

static const double SHARE = 0.3;

/* A copy whose costs are those of a corner, its arrays in the copy's arena. */
static dv_problem *at_corner(const dv_random_spec *spec, uint32_t corner)
{
    dv_problem *p = dv_random_problem(spec);
    size_t times = (size_t)p->unit_count * p->target_count;
    size_t pairs = (size_t)p->target_count * p->target_count;
    double factor[16];
    for (uint32_t k = 0; k < p->device_count + 2; k++)
        factor[k] = 1.0 + (corner >> k & 1 ? SHARE : -SHARE);
    double moves = factor[p->device_count], dispatch = factor[p->device_count + 1];
    /* The arrays are the problem's own, made a moment ago. */
    double *time = (double *)p->time_us, *latency = (double *)p->move_latency_us;
    double *per_byte = (double *)p->move_us_per_byte;
    double *calls = (double *)p->dispatch_us, *sessions = (double *)p->session_us;
    for (size_t i = 0; i < times; i++)
        time[i] *= factor[p->device[i % p->target_count]];
    for (size_t i = 0; i < pairs; i++) {
        latency[i] *= moves;
        per_byte[i] *= moves;
    }
    for (dv_device_id d = 0; d < p->device_count; d++) {
        calls[d] *= dispatch;
        sessions[d] *= dispatch;
    }
    return p;
}

/* Over all placements in the given order. */
static double enumerate_us(const dv_random_spec *spec)
{
    dv_problem *own = dv_random_problem(spec);
    uint32_t corners = 1u << (own->device_count + 2);
    dv_problem **posed = calloc(corners, sizeof *posed);
    double *optimum = calloc(corners, sizeof *optimum), least = INFINITY;
    dv_plan *plan;
    CU_ASSERT_EQUAL_FATAL(dv_plan_create(own, &plan), DV_OK);
    for (uint32_t c = 0; c < corners; c++) {
        posed[c] = at_corner(spec, c);
        optimum[c] = INFINITY;
        do {
            dv_evaluate(posed[c], plan);
            optimum[c] = fmin(optimum[c], plan->cost.total_us);
        } while (dv_next_placement(own, plan->target));
    }
    do {
        double regret = -INFINITY;
        for (uint32_t c = 0; c < corners; c++) {
            dv_evaluate(posed[c], plan);
            regret = fmax(regret, plan->cost.total_us - optimum[c]);
        }
        least = fmin(least, regret);
    } while (dv_next_placement(own, plan->target));
    for (uint32_t c = 0; c < corners; c++)
        dv_problem_destroy(posed[c]);
    dv_plan_destroy(plan);
    dv_problem_destroy(own);
    free(posed);
    free(optimum);
    return least;
}

static void the_least_regret_lies_between_the_bound_and_the_plan(void)
{
    uint32_t met = 0, cases = 120;
    for (uint64_t seed = 1; seed <= cases; seed++) {
        dv_random_spec spec = {.seed = seed,
                               .shape = (dv_random_shape)(seed % 5),
                               .units = 1 + (uint32_t)(seed % 6),
                               .targets = 1 + (uint32_t)(seed / 6 % 3),
                               .devices_shared = seed % 2 == 0,
                               .sessions = seed % 3 == 0,
                               .ties = seed % 5 == 1};
        dv_problem *problem = dv_random_problem(&spec);
        dv_solve_options options = dv_solve_options_default();
        dv_robust found;
        CU_ASSERT_EQUAL_FATAL(dv_robust_find(problem, "frontier", &options, SHARE, &found), DV_OK);
        double least = enumerate_us(&spec), slack = 1e-9 * found.nominal.worst_us;
        bool holds = found.exact && found.bound_us <= least + slack &&
                     found.robust.regret_us >= least - slack &&
                     found.robust.regret_us <= found.nominal.regret_us + slack;
        met += found.robust.regret_us <= least + slack;
        if (!holds)
            fprintf(stderr, "\n    seed %llu: bound %.17g, least %.17g, found %.17g",
                    (unsigned long long)seed, found.bound_us, least, found.robust.regret_us);
        CU_ASSERT(holds);
        dv_robust_free(&found);
        dv_problem_destroy(problem);
    }
    CU_ASSERT(met > cases * 9 / 10); /* corners and mixtures find nearly all of them */
}

static void the_robust_plan_gives_a_little_to_lose_little(void)
{
    /* All on the npu wins by a hair, and loses much if the npu is slow; half on each risks less. */
    dv_problem *problem = problem_of("cpu npu", "a 100 99\nb 100 99\n");
    dv_solve_options options = dv_solve_options_default();
    dv_robust found;
    CU_ASSERT_EQUAL_FATAL(dv_robust_find(problem, "frontier", &options, 0.1, &found), DV_OK);
    CU_ASSERT_DOUBLE_EQUAL(found.nominal.plan->cost.total_us, 198, 1e-9);
    /* npu slow, cpu fast: 2 * 99 * 1.1 against 2 * 100 * 0.9 */
    CU_ASSERT_DOUBLE_EQUAL(found.nominal.regret_us, 37.8, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(found.nominal.corner_opt_us, 180, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(found.robust.plan->cost.total_us, 199, 1e-9);
    /* the other way round: 110 + 89.1 against 178.2 */
    CU_ASSERT_DOUBLE_EQUAL(found.robust.regret_us, 20.9, 1e-9);
    CU_ASSERT(found.bound_us <= found.robust.regret_us);
    dv_robust_free(&found);
    CU_ASSERT_EQUAL(dv_robust_find(problem, "frontier", &options, 1.5, &found), DV_BAD_PARAMETER);
    dv_robust_free(&found);
    dv_problem_destroy(problem);
}

DV_SUITE(property_robust, DV_TEST(the_least_regret_lies_between_the_bound_and_the_plan),
         DV_TEST(the_robust_plan_gives_a_little_to_lose_little));
