/* test_pareto.c - latency against energy, segments and loss. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "solver/evaluate.h"
#include "solver/pareto.h"
#include "tests/problem_text.h"
#include "tests/random_problem.h"
#include "tests/suite.h"

static void each_budget_gets_its_fastest_plan(void)
{
    dv_problem *problem = problem_of("cpu npu", "a 9 1 ~ 1 5\nb 9 2 ~ 1 5\n");
    dv_solve_options options = dv_solve_options_default();
    dv_pareto front;
    CU_ASSERT_EQUAL_FATAL(dv_pareto_find(problem, DV_PARETO_ENERGY, 100, &options, &front), DV_OK);
    CU_ASSERT_EQUAL_FATAL(front.count, 3);
    const double energy[] = {10, 6, 2}, latency[] = {3, 10, 18};
    for (uint32_t i = 0; i < 3; i++) {
        CU_ASSERT_DOUBLE_EQUAL(front.points[i].amount, energy[i], 1e-12);
        CU_ASSERT_DOUBLE_EQUAL(front.points[i].plan->cost.total_us, latency[i], 1e-12);
        CU_ASSERT_TRUE(front.points[i].proven);
    }
    dv_pareto_free(&front);
    dv_problem_destroy(problem);
}

/* Memory of all devices together, beside limits of its own and of energy. */
static void memory_is_an_axis_as_the_sum_over_devices(void)
{
    dv_problem *problem = problem_of("cpu npu", "a 9 1 ~ 4 5\nb 9 2 ~ 4 5\n");
    size_t cells = (size_t)problem->unit_count * problem->target_count;
    double *memory = dv_arena_array(problem->arena, cells, sizeof *memory);
    memory[0] = memory[2] = 100;
    memory[1] = memory[3] = 160;
    problem->memory_bytes = memory;
    dv_solve_options options = dv_solve_options_default();
    dv_pareto front;
    CU_ASSERT_EQUAL_FATAL(dv_pareto_find(problem, DV_PARETO_MEMORY, 100, &options, &front), DV_OK);
    CU_ASSERT_EQUAL_FATAL(front.count, 3);
    const double bytes[] = {320, 260, 200}, latency[] = {3, 10, 18};
    for (uint32_t i = 0; i < 3; i++) {
        CU_ASSERT_DOUBLE_EQUAL(front.points[i].amount, bytes[i], 1e-12);
        CU_ASSERT_DOUBLE_EQUAL(front.points[i].plan->cost.total_us, latency[i], 1e-12);
        CU_ASSERT_TRUE(front.points[i].proven);
    }
    dv_pareto_free(&front);
    problem->energy_budget_uj = 9; /* one unit at most on the npu; the axis then uses the losses */
    CU_ASSERT_EQUAL_FATAL(dv_pareto_find(problem, DV_PARETO_MEMORY, 100, &options, &front), DV_OK);
    CU_ASSERT_EQUAL_FATAL(front.count, 2);
    CU_ASSERT_DOUBLE_EQUAL(front.points[0].amount, 260, 1e-12);
    dv_pareto_free(&front);
    dv_problem_destroy(problem);
}

static void a_cost_that_is_not_stated_is_refused(void)
{
    dv_problem *problem = problem_of("cpu npu", "a 9 1\n");
    problem->loss = NULL;
    dv_solve_options options = dv_solve_options_default();
    dv_pareto front;
    CU_ASSERT_EQUAL(dv_pareto_find(problem, DV_PARETO_LOSS, 10, &options, &front),
                    DV_BAD_PARAMETER);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "loss"));
    dv_pareto_free(&front);
    dv_problem_destroy(problem);
}

/* least[s]: the least latency of any placement with at most s segments. */
static void enumerate(const dv_problem *p, double least[16])
{
    dv_plan *plan = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_plan_create(p, &plan), DV_OK);
    for (int s = 0; s < 16; s++)
        least[s] = INFINITY;
    for (bool more = true; more;) {
        if (dv_evaluate(p, plan))
            for (uint32_t s = plan->cost.segments; s < 16; s++)
                least[s] = fmin(least[s], plan->cost.total_us);
        dv_unit_id u = 0;
        while (u < p->unit_count && ++plan->target[u] == p->target_count)
            plan->target[u++] = 0;
        more = u < p->unit_count;
    }
    dv_plan_destroy(plan);
}

static void of_segments_the_whole_front_is_that_of_exhaustive_search(void)
{
    for (uint64_t seed = 1; seed <= 120; seed++) {
        dv_random_spec spec = {.seed = seed,
                               .shape = (dv_random_shape)(seed % 5),
                               .units = 2 + (uint32_t)(seed % 6),
                               .targets = 3,
                               .ties = seed % 3 == 0};
        dv_problem *problem = dv_random_problem(&spec);
        dv_solve_options options = dv_solve_options_default();
        dv_pareto front;
        double least[16];
        enumerate(problem, least);
        CU_ASSERT_EQUAL_FATAL(dv_pareto_find(problem, DV_PARETO_SEGMENTS, 1, &options, &front),
                              DV_OK);
        uint32_t corners = 0;
        for (uint32_t s = 15; s > 0; s--) /* where one segment less costs more */
            corners += isfinite(least[s]) && least[s - 1] > least[s] * (1 + 1e-9);
        bool ok = front.count == corners;
        for (uint32_t i = 0; ok && i < front.count; i++)
            ok = front.points[i].proven &&
                 fabs(front.points[i].plan->cost.total_us - least[(int)front.points[i].amount]) <=
                     1e-9 * least[15];
        CU_ASSERT_TRUE(ok);
        if (!ok)
            fprintf(stderr, "\n    pareto: seed %llu: %u points, expected %u",
                    (unsigned long long)seed, front.count, corners);
        dv_pareto_free(&front);
        dv_problem_destroy(problem);
    }
}

DV_SUITE(solver_pareto, DV_TEST(each_budget_gets_its_fastest_plan),
         DV_TEST(memory_is_an_axis_as_the_sum_over_devices),
         DV_TEST(a_cost_that_is_not_stated_is_refused),
         DV_TEST(of_segments_the_whole_front_is_that_of_exhaustive_search));
