/* test_deadline.c - a search ends soon after its deadline, with the best plan so far, and keeps to
   its memory; counted in looks at a clock that the test turns, never in seconds. */
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "solver/groups.h"
#include "solver/strategy.h"
#include "solver/unit_heap.h"
#include "tests/problem_text.h"
#include "tests/random_problem.h"
#include "tests/suite.h"

/* It is 0 s until so many looks were taken, then long past any deadline. */
typedef struct turned_clock {
    size_t looks, expires_after;
    size_t states; /* as the searches tell in their logs */
} turned_clock;

static double look(void *context)
{
    turned_clock *clock = context;
    return ++clock->looks <= clock->expires_after ? 0.0 : 1e9;
}

static void count_states(void *context, const char *line)
{
    turned_clock *clock = context;
    size_t states;
    const char *colon = strrchr(line, ':');
    if (colon && sscanf(colon, ": %zu states", &states) == 1)
        clock->states += states;
}

static dv_problem *problem_of_shape(dv_random_shape shape, uint32_t units, uint32_t targets,
                                    uint32_t width)
{
    dv_random_spec spec = {
        .seed = 7, .shape = shape, .units = units, .targets = targets, .width = width};
    return dv_random_problem(&spec);
}

static dv_plan *solve_until(const dv_problem *problem, const char *strategy, turned_clock *clock)
{
    dv_progress progress = {.context = clock, .now_s = look, .log = count_states};
    dv_solve_options options = dv_solve_options_default();
    options.progress = &progress;
    options.deadline_s = 1.0;
    dv_plan *plan;
    dv_outcome outcome;
    CU_ASSERT_EQUAL(dv_solve(problem, strategy, &options, &plan, &outcome), DV_OK);
    return plan;
}

/* Wherever the time runs out, the search looks at the clock a few times more at most. */
static void expect_an_end_soon(const dv_problem *problem, const char *strategy, double best_us,
                               bool always_a_plan)
{
    enum { MOST_LOOKS_AFTER = 40 };
    for (size_t after = 1; after < 400; after += 1 + after) {
        turned_clock clock = {.expires_after = after};
        dv_plan *plan = solve_until(problem, strategy, &clock);
        CU_ASSERT_TRUE(plan || !always_a_plan);
        if (plan) { /* certified by dv_solve */
            CU_ASSERT_TRUE(plan->cost.total_us >= best_us * (1.0 - 1e-9));
            if (strcmp(plan->proof_scope, "given order") != 0)
                CU_ASSERT_TRUE(plan->bound_us <= best_us * (1.0 + 1e-9));
        }
        if (clock.looks > after + MOST_LOOKS_AFTER)
            printf("%s: %zu looks after the deadline at %zu\n", strategy, clock.looks - after,
                   after);
        CU_ASSERT_TRUE(clock.looks <= after + MOST_LOOKS_AFTER);
        dv_plan_destroy(plan);
        if (clock.looks <= after)
            return; /* done before the deadline, as it would be without */
    }
}

static void every_strategy_ends_soon_after_its_deadline(void)
{
    dv_problem *problem = problem_of_shape(DV_RANDOM_TRANSFORMER, 51, 4, 0);
    dv_plan *best = solve_with("ideal", problem);
    CU_ASSERT_EQUAL_FATAL(best->outcome, DV_OUTCOME_OPTIMAL);
    for (size_t i = 0; dv_strategy_at(i); i++) {
        const dv_strategy *strategy = dv_strategy_at(i);
        bool exact = strcmp(strategy->name, "auto") == 0 || strcmp(strategy->name, "ideal") == 0 ||
                     strcmp(strategy->name, "frontier") == 0;
        if (strategy->objectives & DV_OBJECTIVE_LATENCY && dv_strategy_needs_nothing(strategy) &&
            strcmp(strategy->name, "ilp") != 0) /* GLPK reads the time itself: test_ilp_glpk.c */
            expect_an_end_soon(problem, strategy->name, best->cost.total_us, exact);
    }
    dv_plan_destroy(best);
    dv_problem_destroy(problem);
}

static void a_search_looks_at_the_clock_every_few_states(void)
{
    dv_problem *problem = problem_of_shape(DV_RANDOM_TRANSFORMER, 102, 5, 0);
    static const char *const searches[] = {"frontier", "ideal:states=2000"};
    for (size_t i = 0; i < 2; i++) {
        turned_clock clock = {.expires_after = SIZE_MAX};
        dv_plan *plan = solve_until(problem, searches[i], &clock);
        CU_ASSERT_TRUE(clock.states > 300);
        CU_ASSERT_TRUE(clock.looks >= clock.states / 64);
        dv_plan_destroy(plan);
    }
    dv_problem_destroy(problem);
}

static void with_no_time_at_all_auto_still_has_a_plan_with_a_gap(void)
{
    dv_problem *problem = problem_of_shape(DV_RANDOM_TRANSFORMER, 500, 4, 0);
    turned_clock clock = {.expires_after = 1};
    dv_plan *plan = solve_until(problem, "auto", &clock);
    CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
    CU_ASSERT_TRUE(plan->bound_us > 0.0);
    CU_ASSERT_TRUE(isfinite(dv_plan_gap(plan)));
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

/* What malloc has handed out, sampled at every look at the clock. */
typedef struct meter {
    size_t least, most;
} meter;

static double measure(void *context)
{
    meter *m = context;
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
    struct mallinfo2 info = mallinfo2();
    size_t bytes = info.uordblks + info.hblkhd;
#else
    size_t bytes = 0;
#endif
    m->least = bytes < m->least ? bytes : m->least;
    m->most = bytes > m->most ? bytes : m->most;
    return dv_clock_s();
}

/* A deadline that is never reached makes the search look at the clock. */
static size_t bytes_of_solve(const dv_problem *problem, const char *strategy, size_t memory,
                             double *cost_us, double *bound_us)
{
    meter m = {.least = SIZE_MAX};
    dv_progress progress = {.context = &m, .now_s = measure};
    dv_solve_options options = dv_solve_options_default();
    options.progress = &progress;
    options.memory_bytes = memory;
    options.deadline_s = 1e6;
    dv_plan *plan;
    dv_outcome outcome;
    CU_ASSERT_EQUAL(dv_solve(problem, strategy, &options, &plan, &outcome), DV_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
    *cost_us = plan->cost.total_us;
    *bound_us = plan->bound_us;
    dv_plan_destroy(plan);
    return m.most - m.least;
}

static void expect_less_memory(const dv_problem *problem, const char *strategy, size_t memory)
{
    enum { TABLES = 300000 }; /* of the size of the problem */
    double cost_us, bound_us, free_cost_us, free_bound_us;
    size_t free_bytes = bytes_of_solve(problem, strategy, 0, &free_cost_us, &free_bound_us);
    size_t bytes = bytes_of_solve(problem, strategy, memory, &cost_us, &bound_us);
    if (free_bytes > 0) { /* else the allocator is a checking one, which counts nothing */
        if (free_bytes <= memory + TABLES || bytes > memory + TABLES)
            printf("%s: %zu bytes, %zu without a limit\n", strategy, bytes, free_bytes);
        CU_ASSERT_TRUE(free_bytes > memory + TABLES);
        CU_ASSERT_TRUE(bytes <= memory + TABLES);
    }
    CU_ASSERT_TRUE(bound_us <= free_cost_us * (1.0 + 1e-9));
    CU_ASSERT_TRUE(cost_us >= free_bound_us * (1.0 - 1e-9));
}

static void a_search_keeps_to_its_memory_and_says_what_it_costs(void)
{
    dv_problem *wide = problem_of_shape(DV_RANDOM_DAG, 120, 6, 14);
    dv_problem *blocks = problem_of_shape(DV_RANDOM_TRANSFORMER, 68, 6, 0);
    expect_less_memory(wide, "frontier:states=5000", 1000000);
    expect_less_memory(blocks, "ideal:states=20000", 1000000);
    dv_problem_destroy(wide);
    dv_problem_destroy(blocks);
}

static void groups_are_listed_by_their_first_unit(void)
{
    dv_problem *problem = problem_of("cpu npu", "a 1 1 # 9\nb 1 1\nc 1 1 # 4\nd 1 1 # 9\n");
    dv_unit_groups groups;
    CU_ASSERT_EQUAL_FATAL(dv_unit_groups_create(problem, &groups), DV_OK);
    CU_ASSERT_EQUAL(groups.count, 2);
    CU_ASSERT_EQUAL(groups.index[0], 0);
    CU_ASSERT_EQUAL(groups.index[1], UINT32_MAX);
    CU_ASSERT_EQUAL(groups.index[2], 1);
    CU_ASSERT_EQUAL(groups.index[3], 0);
    CU_ASSERT_EQUAL(groups.start[1] - groups.start[0], 2);
    CU_ASSERT_EQUAL(groups.units[groups.start[0] + 1], 3);
    CU_ASSERT_EQUAL(groups.start[2] - groups.start[1], 1);
    CU_ASSERT_EQUAL(groups.units[groups.start[1]], 2);
    dv_unit_groups_free(&groups);
    dv_problem_destroy(problem);
}

static void the_most_urgent_unit_comes_first(void)
{
    static const double priority[] = {1, 5, 3, 5, 0, 4};
    static const dv_unit_id expected[] = {1, 3, 5, 2, 0, 4};
    dv_unit_id room[6];
    dv_unit_heap heap = {.priority = priority, .unit = room};
    for (dv_unit_id u = 6; u-- > 0;)
        dv_unit_heap_push(&heap, u);
    for (size_t i = 0; i < 6; i++)
        CU_ASSERT_EQUAL(dv_unit_heap_pop(&heap), expected[i]);
    CU_ASSERT_EQUAL(heap.count, 0);
}

DV_SUITE(solver_deadline, DV_TEST(every_strategy_ends_soon_after_its_deadline),
         DV_TEST(a_search_looks_at_the_clock_every_few_states),
         DV_TEST(with_no_time_at_all_auto_still_has_a_plan_with_a_gap),
         DV_TEST(a_search_keeps_to_its_memory_and_says_what_it_costs),
         DV_TEST(groups_are_listed_by_their_first_unit), DV_TEST(the_most_urgent_unit_comes_first));
