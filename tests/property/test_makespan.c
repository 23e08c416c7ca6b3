/* test_makespan.c - schedules of devices and links that work at the same time: the evaluator
   against the certifier and against what any schedule must obey. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/rng.h"
#include "solver/certify.h"
#include "solver/evaluate.h"
#include "solver/makespan.h"
#include "solver/overlap_bound.h"
#include "solver/subgraphs.h"
#include "tests/any_order.h"
#include "tests/problem_text.h"
#include "tests/random_problem.h"
#include "tests/suite.h"

static bool same(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

/* A random legal placement, and a random topological order: any unit whose producers have run may
   be next. */
static void draw_plan(const dv_problem *p, dv_rng *rng, dv_plan *plan)
{
    uint32_t missing[64], ready[64], count = 0;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        do
            plan->target[u] = (dv_target_id)dv_rng_below(rng, p->target_count);
        while (!dv_problem_allows(p, u, plan->target[u]));
        missing[u] = p->previous_start[u + 1] - p->previous_start[u];
        if (missing[u] == 0)
            ready[count++] = u;
    }
    for (uint32_t k = 0; k < p->unit_count; k++) {
        uint32_t i = (uint32_t)dv_rng_below(rng, count);
        dv_unit_id u = plan->order[k] = ready[i];
        ready[i] = ready[--count];
        for (uint32_t n = p->next_start[u]; n < p->next_start[u + 1]; n++)
            if (--missing[p->next[n]] == 0)
                ready[count++] = p->next[n];
    }
}

static dv_plan *plan_of(const dv_problem *problem)
{
    dv_plan *plan = NULL;
    if (dv_plan_create(problem, &plan) != DV_OK)
        abort();
    return plan;
}

/* What each device has to do alone is never more than the makespan, which is never more than
   everything one after another. */
static bool is_between_busiest_and_latency(const dv_problem *p, const dv_plan *plan, double us)
{
    double busy[16] = {0.0};
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        busy[p->device[plan->target[u]]] += dv_problem_time_us(p, u, plan->target[u]);
    double most = 0.0;
    for (dv_device_id d = 0; d < p->device_count; d++)
        most = fmax(most, busy[d]);
    return us >= most * (1 - 1e-9) && us <= plan->cost.total_us * (1 + 1e-9);
}

static void evaluation_and_certificate_agree(void)
{
    uint32_t shorter = 0;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        dv_random_spec spec = {.seed = seed,
                               .shape = (dv_random_shape)(seed % 5),
                               .units = 1 + (uint32_t)(seed * 11 % 50),
                               .targets = 1 + (uint32_t)(seed % 5),
                               .devices_shared = seed % 3 != 0,
                               .sessions = seed % 2 == 0,
                               .ties = seed % 4 == 1};
        dv_problem *problem = dv_random_problem(&spec);
        dv_plan *plan = plan_of(problem);
        dv_rng rng = dv_rng_seeded(seed);
        draw_plan(problem, &rng, plan);
        CU_ASSERT_TRUE_FATAL(dv_evaluate(problem, plan));
        double us = plan->makespan_us = dv_evaluate_makespan_us(problem, plan);
        dv_certificate right = dv_certify(problem, plan);
        plan->makespan_us = us * (1 + 1e-6) + 1e-6;
        dv_certificate wrong = dv_certify(problem, plan);
        bool ok = right.ok && same(right.makespan_us, us) && !wrong.ok &&
                  is_between_busiest_and_latency(problem, plan, us);
        CU_ASSERT_TRUE(ok);
        if (!ok)
            fprintf(stderr, "\n    seed %llu: %.17g, certified %.17g: %s", (unsigned long long)seed,
                    us, right.makespan_us, right.reason);
        shorter += us < plan->cost.total_us * 0.9;
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(shorter > 500); /* else nothing ever overlapped */
}

static void two_branches_run_side_by_side(void)
{
    dv_problem *problem = problem_of("cpu npu", "move 3\ndispatch 1 5\nsession 0 7\n"
                                                "a 10 1 < in\nb 20 2 < a\nc 40 30 < a\n"
                                                "d 80 5 < b c\n");
    dv_plan *plan = plan_of(problem);
    const dv_target_id targets[] = {0, 0, 1, 0};
    const dv_unit_id order[] = {0, 1, 2, 3};
    memcpy(plan->target, targets, sizeof targets);
    memcpy(plan->order, order, sizeof order);
    CU_ASSERT_TRUE_FATAL(dv_evaluate(problem, plan));
    /* cpu 1 + 10, then b until 31; a arrives at 14; npu 7 + 5 + 30 until 56; c arrives at 59;
       cpu 1 + 80 */
    CU_ASSERT_DOUBLE_EQUAL(dv_evaluate_makespan_us(problem, plan), 140, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 11 + 20 + 3 + 42 + 3 + 81, 1e-9);
    plan->makespan_us = 140;
    plan->bound_us = 140;
    CU_ASSERT_TRUE(dv_certify(problem, plan).ok);
    plan->bound_us = 141; /* below the latency, but above what it is a bound of */
    CU_ASSERT_FALSE(dv_certify(problem, plan).ok);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

/* One link: b's tensor, made first, goes first; of one unit's the one whose reader comes first. */
static void a_link_carries_one_tensor_at_a_time(void)
{
    dv_problem *problem = problem_of("cpu npu", "move 10\n"
                                                "a 1 - <\nb 1 - <\nc - 2 < b\nd - 2 < a\n"
                                                "e 1 - < c d\n");
    dv_plan *plan = plan_of(problem);
    const dv_target_id targets[] = {0, 0, 1, 1, 0};
    memcpy(plan->target, targets, sizeof targets);
    CU_ASSERT_TRUE_FATAL(dv_evaluate(problem, plan));
    /* a 1..11, b 11..21, c 21..23, d 23..25; c back 33, d back 43, e 44 */
    CU_ASSERT_DOUBLE_EQUAL(dv_evaluate_makespan_us(problem, plan), 44, 1e-9);
    plan->order[2] = 3;
    plan->order[3] = 2;
    /* d 11..13, back 23; c 21..23, back 33; e 34 */
    CU_ASSERT_DOUBLE_EQUAL(dv_evaluate_makespan_us(problem, plan), 34, 1e-9);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

/* All topological orders from place k on, each tried with plan's placement. */
static void try_orders(const dv_problem *p, dv_makespan *makespan, dv_plan *plan, uint32_t k,
                       uint32_t done, double *best)
{
    if (k == p->unit_count) {
        double us = dv_makespan_us(makespan, plan->target, plan->order);
        if (us < *best && dv_evaluate(p, plan))
            *best = us;
        return;
    }
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        bool ready = !(done >> u & 1u);
        for (uint32_t i = p->previous_start[u]; i < p->previous_start[u + 1]; i++)
            ready = ready && (done >> p->previous[i] & 1u);
        if (!ready)
            continue;
        plan->order[k] = u;
        try_orders(p, makespan, plan, k + 1, done | 1u << u, best);
    }
}

/* The least makespan of all plans; INFINITY if none is legal. */
static double enumerated(const dv_problem *p)
{
    dv_makespan makespan;
    dv_plan *plan = plan_of(p);
    double best = INFINITY;
    if (dv_makespan_create(p, &makespan) != DV_OK)
        abort();
    do {
        bool allowed = true;
        for (dv_unit_id u = 0; u < p->unit_count; u++)
            allowed = allowed && dv_problem_allows(p, u, plan->target[u]);
        if (allowed)
            try_orders(p, &makespan, plan, 0, 0, &best);
    } while (dv_next_placement(p, plan->target));
    dv_makespan_free(&makespan);
    dv_plan_destroy(plan);
    return best;
}

/* Heads, tails, shares and the linear program, before and after what cannot be part of a shorter
   schedule is struck. */
static bool bounds_hold(const dv_problem *p, double best, uint32_t *tight)
{
    dv_overlap_bound bound;
    double relaxed = -INFINITY, slack = best * (1 + 1e-9) + 1e-9;
    CU_ASSERT_EQUAL_FATAL(dv_overlap_bound_create(p, &bound), DV_OK);
    bool ok = bound.path_us <= slack && bound.device_us <= slack;
    ok = ok && dv_overlap_bound_tighten(&bound, best * 1.01 + 1e-6);
    ok = ok && bound.path_us <= slack && bound.device_us <= slack;
    CU_ASSERT_EQUAL(dv_overlap_relax(&bound, best * 1.01 + 1e-6, 100000, INFINITY, NULL, &relaxed),
                    DV_OK);
    ok = ok && relaxed <= slack && relaxed >= 0.0;
    double coarse = -INFINITY; /* as programs that would be too large with moves */
    CU_ASSERT_EQUAL(dv_overlap_relax(&bound, best * 1.01 + 1e-6,
                                     p->unit_count * (1 + p->target_count), INFINITY, NULL,
                                     &coarse),
                    DV_OK);
    ok = ok && coarse <= slack && coarse >= 0.0;
    *tight += fmax(relaxed, bound.path_us) >= best * 0.95;
    dv_overlap_bound_free(&bound);
    return ok;
}

static void the_least_makespan_is_that_of_enumeration(void)
{
    uint32_t tight = 0, solved = 0;
    dv_solve_options options = dv_solve_options_default();
    options.objective = DV_OBJECTIVE_MAKESPAN;
    for (uint64_t seed = 1; seed <= 600; seed++) {
        dv_random_spec spec = {.seed = seed,
                               .shape = seed % 3 ? DV_RANDOM_DAG : DV_RANDOM_ANY,
                               .units = 2 + (uint32_t)(seed % 4),
                               .targets = 2 + (uint32_t)(seed % 2),
                               .devices_shared = seed % 5 == 0,
                               .limits = seed % 4 == 0,
                               .sessions = seed % 4 == 1,
                               .ties = seed % 7 < 3};
        dv_problem *problem = dv_random_problem(&spec);
        double best = enumerated(problem);
        dv_plan *plan = NULL;
        dv_outcome outcome;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "auto", &options, &plan, &outcome), DV_OK);
        bool ok = plan ? same(plan->makespan_us, best) && outcome == DV_OUTCOME_OPTIMAL &&
                             bounds_hold(problem, best, &tight)
                       : isinf(best);
        CU_ASSERT_TRUE(ok);
        if (!ok)
            fprintf(stderr, "\n    seed %llu: %.17g (%s by %s), expected %.17g",
                    (unsigned long long)seed, plan ? plan->makespan_us : INFINITY,
                    dv_outcome_name(outcome), plan ? plan->proved_by : "", best);
        solved += plan != NULL;
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(solved > 500);
    CU_ASSERT_TRUE(tight > 300);
}

/* A small instance of the device-placement paper: accelerators hold one subgraph each. */
static dv_problem *draw_instance(uint64_t seed, bool colours)
{
    dv_rng rng = dv_rng_seeded(seed);
    char text[8192];
    size_t at = 0;
    uint32_t units = 2 + (uint32_t)dv_rng_below(&rng, 4);
    const char *before = "";
#define SAY(...) at += (size_t)snprintf(text + at, sizeof text - at, __VA_ARGS__)
    SAY("{\"maxFPGAs\": %d, \"maxCPUs\": 1, \"maxSizePerFPGA\": %d, \"nodes\": [",
        1 + (int)dv_rng_below(&rng, 2), 4 + (int)dv_rng_below(&rng, 12));
    for (uint32_t u = 0; u < units; u++, before = ", ") {
        SAY("%s{\"id\": %u, \"cpuLatency\": %d, \"fpgaLatency\": %d, \"size\": %d, "
            "\"supportedOnFpga\": %d",
            before, u, (int)dv_rng_below(&rng, 30), (int)dv_rng_below(&rng, 5),
            (int)dv_rng_below(&rng, 6), dv_rng_below(&rng, 8) > 0);
        if (colours)
            SAY(", \"colorClass\": %d", (int)dv_rng_below(&rng, units));
        SAY("}");
    }
    SAY("], \"edges\": [");
    before = "";
    for (uint32_t u = 0; u < units; u++) {
        int cost = (int)dv_rng_below(&rng, 6);
        for (uint32_t v = u + 1; v < units; v++)
            if (dv_rng_below(&rng, 2)) {
                SAY("%s{\"sourceId\": %u, \"destId\": %u, \"cost\": %d}", before, u, v, cost);
                before = ", ";
            }
    }
    SAY("]}");
#undef SAY
    dv_problem *problem = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_problem_parse("drawn", text, at, &problem), DV_OK);
    return problem;
}

static void subgraphs_end_as_soon_as_by_enumeration(void)
{
    uint32_t proven = 0, bound_met = 0, helped = 0;
    dv_solve_options options = dv_solve_options_default();
    options.objective = DV_OBJECTIVE_MAKESPAN;
    for (uint64_t seed = 1; seed <= 600; seed++) {
        bool colours = seed % 4 == 0;
        dv_problem *problem = draw_instance(seed, colours);
        CU_ASSERT_EQUAL(problem->subgraphs_per_device, 1);
        double one = enumerated(problem);
        problem->subgraphs_per_device = 1 + (uint32_t)(seed % 5 / 4);
        double best = problem->subgraphs_per_device == 1 ? one : enumerated(problem);
        helped += best < one * (1 - 1e-9);
        dv_plan *plan = NULL;
        dv_outcome outcome;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "auto", &options, &plan, &outcome), DV_OK);
        /* Exact with one subgraph a device and no colours; else no better than the best, and no
           bound above it. */
        bool exact = problem->subgraphs_per_device == 1 && !colours;
        bool ok =
            plan ? plan->makespan_us >= best * (1 - 1e-9) &&
                       plan->bound_us <= best * (1 + 1e-9) + 1e-9 &&
                       (!exact || (same(plan->makespan_us, best) && outcome == DV_OUTCOME_OPTIMAL))
                 : isinf(best);
        CU_ASSERT_TRUE(ok);
        if (!ok)
            fprintf(stderr, "\n    seed %llu: %.17g (%s by %s, bound %.17g), expected %.17g",
                    (unsigned long long)seed, plan ? plan->makespan_us : INFINITY,
                    dv_outcome_name(outcome), plan ? plan->proved_by : "",
                    plan ? plan->bound_us : NAN, best);
        proven += outcome == DV_OUTCOME_OPTIMAL;
        dv_subgraphs_path path;
        CU_ASSERT_EQUAL_FATAL(dv_subgraphs_path_find(problem, &path), DV_OK);
        CU_ASSERT_TRUE(path.rest_us[0] <= best * (1 + 1e-9) + 1e-9);
        bound_met += path.rest_us[0] >= best * (1 - 1e-9);
        dv_subgraphs_path_free(&path);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(proven > 380);
    CU_ASSERT_TRUE(bound_met > 150);
    CU_ASSERT_TRUE(helped > 0); /* else a second subgraph was never tested */
}

/* Two subgraphs where one is allowed, and figures that are not the plan's. */
static void false_plans_of_subgraphs_are_rejected(void)
{
    static const char TEXT[] =
        "{\"maxFPGAs\": 1, \"maxCPUs\": 1, \"maxSizePerFPGA\": 9, \"nodes\": ["
        "{\"id\": 0, \"cpuLatency\": 9, \"fpgaLatency\": 1, \"supportedOnFpga\": 1},"
        "{\"id\": 1, \"cpuLatency\": 9, \"fpgaLatency\": 1, \"supportedOnFpga\": 1},"
        "{\"id\": 2, \"cpuLatency\": 9, \"fpgaLatency\": 1, \"supportedOnFpga\": 1}],"
        "\"edges\": [{\"sourceId\": 0, \"destId\": 1, \"cost\": 2},"
        "{\"sourceId\": 1, \"destId\": 2, \"cost\": 3}]}";
    dv_problem *problem = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_problem_parse("row", TEXT, sizeof TEXT - 1, &problem), DV_OK);
    dv_plan *plan = plan_of(problem);
    const dv_target_id split[] = {1, 0, 1}, joined[] = {0, 1, 1};
    memcpy(plan->target, split, sizeof split);
    CU_ASSERT_TRUE_FATAL(dv_evaluate(problem, plan));
    CU_ASSERT_TRUE(isinf(dv_evaluate_makespan_us(problem, plan)));
    const double claims[] = {20.0, INFINITY};
    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        plan->makespan_us = claims[i];
        CU_ASSERT_FALSE(dv_certify(problem, plan).ok);
    }
    problem->subgraphs_per_device = 2; /* 1 + out 2, 9, in 3 + 1 */
    plan->makespan_us = dv_evaluate_makespan_us(problem, plan);
    CU_ASSERT_DOUBLE_EQUAL(plan->makespan_us, 16, 1e-9);
    CU_ASSERT_TRUE(dv_certify(problem, plan).ok);
    problem->subgraphs_per_device = 1;
    memcpy(plan->target, joined, sizeof joined);
    CU_ASSERT_TRUE_FATAL(dv_evaluate(problem, plan));
    plan->makespan_us = dv_evaluate_makespan_us(problem, plan);
    CU_ASSERT_DOUBLE_EQUAL(plan->makespan_us, 13, 1e-9); /* 9, in 2 + 1 + 1 */
    CU_ASSERT_TRUE(dv_certify(problem, plan).ok);
    plan->bound_us = 13.5;
    CU_ASSERT_FALSE(dv_certify(problem, plan).ok);
    plan->bound_us = 13;
    plan->makespan_us = 12.5;
    CU_ASSERT_FALSE(dv_certify(problem, plan).ok);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void latency_instances_are_solved_as_well_as_known(void)
{
    static const struct {
        const char *name;
        double value, bound, known;
    } instances[] = {
        {"bert24_inference.json", 100.2185, 100.2185, 100.219},
        {"bert_l-3_operator_inference.json", 408.4745, 398.1297, 414.441},
    };
    dv_solve_options options = dv_solve_options_default();
    options.objective = DV_OBJECTIVE_MAKESPAN;
    for (size_t i = 0; i < sizeof instances / sizeof instances[0]; i++) {
        char path[512];
        dv_buffer *buffer = NULL;
        dv_problem *problem = NULL;
        dv_plan *plan = NULL;
        dv_outcome outcome;
        snprintf(path, sizeof path, "%s/datasets/msr/latency/%s", dv_source_root(),
                 instances[i].name);
        CU_ASSERT_EQUAL_FATAL(dv_buffer_map(path, &buffer), DV_OK);
        CU_ASSERT_EQUAL_FATAL(dv_problem_parse(path, (const char *)dv_buffer_data(buffer),
                                               dv_buffer_size(buffer), &problem),
                              DV_OK);
        dv_buffer_release(buffer);
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "auto", &options, &plan, &outcome), DV_OK);
        CU_ASSERT_TRUE(plan->makespan_us <= instances[i].known);
        CU_ASSERT_TRUE(plan->makespan_us <= instances[i].value + 1e-4);
        CU_ASSERT_TRUE(plan->bound_us >= instances[i].bound - 1e-4);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
}

DV_SUITE(property_makespan, DV_TEST(two_branches_run_side_by_side),
         DV_TEST(a_link_carries_one_tensor_at_a_time), DV_TEST(evaluation_and_certificate_agree),
         DV_TEST(the_least_makespan_is_that_of_enumeration),
         DV_TEST(subgraphs_end_as_soon_as_by_enumeration),
         DV_TEST(false_plans_of_subgraphs_are_rejected),
         DV_TEST(latency_instances_are_solved_as_well_as_known));
