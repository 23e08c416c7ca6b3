/* test_throughput.c - the best contiguous split against exhaustive search, and the published optima
   of the device-placement paper's instances. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "solver/certify.h"
#include "solver/contract.h"
#include "solver/evaluate.h"
#include "solver/load_bound.h"
#include "solver/split.h"
#include "solver/strategy.h"
#include "tests/any_order.h"
#include "tests/problem_text.h"
#include "tests/random_problem.h"
#include "tests/suite.h"

enum { UNITS = 7 };

static bool same(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

/* Is there a forward unit in the group of u? */
static bool has_forward(const dv_problem *p, dv_unit_id u)
{
    bool found = !p->backward[u];
    for (dv_unit_id v = 0; v < p->unit_count; v++)
        found = found || (p->group && p->group[u] != DV_NONE && p->group[v] == p->group[u] &&
                          !p->backward[v]);
    return found;
}

/* Must unit u, fed by v, stand behind v (1), before it (-1: in a training step, the mirror image of
   a backward unit that has no forward unit to follow), or does it not matter (0)? */
static int side(const dv_problem *p, dv_unit_id v, dv_unit_id u)
{
    if (!p->backward || !p->backward[u])
        return 1;
    return p->backward[v] && (!has_forward(p, u) || !has_forward(p, v)) ? -1 : 0;
}

/* Can the devices be put in a row so that every tensor (of the forward pass) runs forward? Takes
   away devices that nobody left feeds; writes an order of the units, their own in a training step.
 */
static bool is_contiguous(const dv_problem *p, dv_plan *plan)
{
    bool gone[16] = {false};
    uint32_t placed = 0;
    for (uint32_t round = 0; round < p->device_count; round++)
        for (dv_device_id d = 0; d < p->device_count; d++) {
            bool fed = gone[d];
            for (dv_unit_id u = 0; u < p->unit_count; u++)
                for (uint32_t i = p->previous_start[u]; i < p->previous_start[u + 1]; i++) {
                    dv_device_id from = p->device[plan->target[p->previous[i]]];
                    dv_device_id to = p->device[plan->target[u]];
                    int way = side(p, p->previous[i], u);
                    fed = fed || (way > 0 && to == d && from != d && !gone[from]) ||
                          (way < 0 && from == d && to != d && !gone[to]);
                }
            if (fed)
                continue;
            gone[d] = true;
            for (dv_unit_id u = 0; u < p->unit_count; u++)
                if (p->device[plan->target[u]] == d)
                    plan->order[placed++] = u;
        }
    for (dv_unit_id u = 0; p->backward && u < p->unit_count; u++)
        plan->order[u] = u;
    return placed == p->unit_count;
}

/* The least largest load over contiguous placements; over all of them into *any. */
static double exhaustive(const dv_problem *p, double *any)
{
    dv_plan *plan = NULL;
    if (dv_plan_create(p, &plan) != DV_OK)
        abort();
    double best = INFINITY;
    *any = INFINITY;
    do {
        bool contiguous = is_contiguous(p, plan);
        for (dv_unit_id u = 0; !contiguous && u < p->unit_count; u++)
            plan->order[u] = u;
        if (!dv_evaluate(p, plan))
            continue;
        double load = dv_evaluate_load_us(p, plan);
        *any = fmin(*any, load);
        best = contiguous ? fmin(best, load) : best;
    } while (dv_next_placement(p, plan->target));
    dv_plan_destroy(plan);
    return best;
}

/* Makes the last two devices alike, adds pins, groups and capacities: what the seed says. */
static void vary(dv_problem *p, uint64_t seed)
{
    double *capacity = dv_arena_array(p->arena, p->device_count, sizeof *capacity);
    uint32_t *group = dv_arena_array(p->arena, p->unit_count, sizeof *group);
    CU_ASSERT_TRUE_FATAL(capacity && group);
    for (dv_device_id d = 0; d < p->device_count; d++)
        capacity[d] = d > 0 && seed % 3 == 0 ? 150.0 : INFINITY;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        group[u] = seed % 4 == 0 && u % 3 != 1 ? u % 3 : DV_NONE;
    p->group = group;
    p->capacity_bytes = capacity;
    p->max_segments = UINT32_MAX;
    p->energy_budget_uj = p->loss_budget = INFINITY;
    uint32_t n = p->target_count;
    if (seed % 2 == 0 || n < 3)
        return;
    double *time = (double *)p->time_us, *bytes = (double *)p->bytes;
    double *memory = (double *)p->memory_bytes, *dispatch = (double *)p->dispatch_us;
    double *session = (double *)p->session_us, *latency = (double *)p->move_latency_us;
    double *per_byte = (double *)p->move_us_per_byte;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        time[u * n + n - 1] = time[u * n + n - 2];
        if (memory)
            memory[u * n + n - 1] = memory[u * n + n - 2];
    }
    for (uint32_t t = 0; t < p->tensor_count; t++)
        bytes[t * n + n - 1] = bytes[t * n + n - 2];
    dispatch[n - 1] = dispatch[n - 2];
    session[n - 1] = session[n - 2];
    latency[n - 1] = latency[n - 2];
    per_byte[n - 1] = per_byte[n - 2];
    latency[(n - 1) * n] = latency[(n - 2) * n];
    per_byte[(n - 1) * n] = per_byte[(n - 2) * n];
}

static void the_best_contiguous_split_is_that_of_exhaustive_search(void)
{
    uint64_t solved = 0, below = 0;
    dv_solve_options options = dv_solve_options_default();
    options.objective = DV_OBJECTIVE_THROUGHPUT;
    for (uint64_t seed = 1; seed <= 600; seed++) {
        dv_random_spec spec = {.seed = seed,
                               .shape = seed % 5 < 3 ? DV_RANDOM_ANY : DV_RANDOM_DAG,
                               .units = 2 + (uint32_t)(seed % (UNITS - 1)),
                               .targets = 2 + (uint32_t)(seed % 2),
                               .limits = seed % 3 == 0,
                               .sessions = seed % 4 == 1,
                               .ties = seed % 7 < 3};
        dv_problem *problem = dv_random_problem(&spec);
        vary(problem, seed);
        double any, best = exhaustive(problem, &any);
        dv_plan *plan = NULL;
        dv_outcome outcome;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "ideal", &options, &plan, &outcome), DV_OK);
        bool everywhere = plan && strcmp(plan->proof_scope, "any split") == 0;
        bool ok = plan ? same(plan->load_us, best) && outcome == DV_OUTCOME_OPTIMAL &&
                             (!everywhere || same(plan->load_us, any))
                       : isinf(best);
        CU_ASSERT_TRUE(ok);
        if (!ok)
            fprintf(stderr, "\n    seed %llu: %.17g (%s), expected %.17g, any %.17g",
                    (unsigned long long)seed, plan ? plan->load_us : INFINITY,
                    dv_outcome_name(outcome), best, any);
        solved += plan != NULL;
        below += any < best * (1 - 1e-9);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(solved > 500);
    CU_ASSERT_TRUE(below > 10); /* else contiguity was never tested */
}

/* The later units become the backward pass; some follow a forward unit, some have none. Without
   dispatch, which would depend on the order. */
static void make_training(dv_problem *p, uint64_t seed)
{
    bool *backward = dv_arena_array(p->arena, p->unit_count, sizeof *backward);
    uint32_t *group = dv_arena_array(p->arena, p->unit_count, sizeof *group);
    CU_ASSERT_TRUE_FATAL(backward && group);
    memset((double *)p->dispatch_us, 0, p->device_count * sizeof *p->dispatch_us);
    uint32_t first = 1 + (uint32_t)(seed / 2 % (p->unit_count - 1));
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        backward[u] = u >= first;
        group[u] = (seed >> u % 5) % 3 != 0 ? (u < first ? u : p->unit_count - 1 - u) : DV_NONE;
    }
    p->backward = backward;
    p->group = group;
}

static void training_steps_are_split_as_exhaustive_search_does(void)
{
    uint32_t solved = 0, below = 0, orphans = 0;
    dv_solve_options options = dv_solve_options_default();
    options.objective = DV_OBJECTIVE_THROUGHPUT;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        dv_random_spec spec = {.seed = seed,
                               .shape = seed % 5 < 3 ? DV_RANDOM_ANY : DV_RANDOM_DAG,
                               .units = 3 + (uint32_t)(seed % (UNITS - 2)),
                               .targets = 2 + (uint32_t)(seed % 2),
                               .ties = seed % 7 < 3};
        dv_problem *problem = dv_random_problem(&spec);
        vary(problem, seed);
        make_training(problem, seed);
        for (dv_unit_id u = 0; u < problem->unit_count; u++)
            orphans += problem->backward[u] && !has_forward(problem, u);
        double any, best = exhaustive(problem, &any);
        dv_plan *plan = NULL;
        dv_outcome outcome;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "ideal", &options, &plan, &outcome), DV_OK);
        bool ok = plan ? same(plan->load_us, best) && outcome == DV_OUTCOME_OPTIMAL : isinf(best);
        CU_ASSERT_TRUE(ok);
        if (!ok)
            fprintf(stderr, "\n    seed %llu: %.17g (%s), expected %.17g, any %.17g",
                    (unsigned long long)seed, plan ? plan->load_us : INFINITY,
                    dv_outcome_name(outcome), best, any);
        solved += plan != NULL;
        below += any < best * (1 - 1e-9);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(solved > 300);
    CU_ASSERT_TRUE(below > 10);
    CU_ASSERT_TRUE(orphans > 100);
}

/* A small problem of the seed: groups, capacities, alike devices, sometimes a training step. */
static dv_problem *small_problem(uint64_t seed, bool training)
{
    dv_random_spec spec = {.seed = seed,
                           .shape = seed % 5 < 3 ? DV_RANDOM_ANY : DV_RANDOM_DAG,
                           .units = 3 + (uint32_t)(seed % (UNITS - 2)),
                           .targets = 2 + (uint32_t)(seed % 2),
                           .sessions = seed % 4 == 1,
                           .ties = seed % 7 < 3};
    dv_problem *problem = dv_random_problem(&spec);
    vary(problem, seed);
    if (training)
        make_training(problem, seed);
    return problem;
}

/* Dispatch apart, whose sum depends on the order, the integer program proves what enumeration
   finds. */
static void the_best_split_of_any_kind_is_that_of_exhaustive_search(void)
{
    uint32_t solved = 0, below = 0;
    dv_solve_options options = dv_solve_options_default();
    options.objective = DV_OBJECTIVE_THROUGHPUT;
    for (uint64_t seed = 1; seed <= 120; seed++) {
        dv_problem *problem = small_problem(seed, seed % 3 == 1);
        memset((double *)problem->dispatch_us, 0,
               problem->device_count * sizeof *problem->dispatch_us);
        double any, best = exhaustive(problem, &any);
        dv_plan *plan = NULL;
        dv_outcome outcome;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "ilp", &options, &plan, &outcome), DV_OK);
        bool ok = plan ? same(plan->load_us, any) && outcome == DV_OUTCOME_OPTIMAL &&
                             strcmp(plan->proof_scope, "any split") == 0
                       : isinf(any) && outcome == DV_OUTCOME_INFEASIBLE;
        CU_ASSERT_TRUE(ok);
        if (!ok)
            fprintf(stderr, "\n    seed %llu: %.17g (%s), expected %.17g", (unsigned long long)seed,
                    plan ? plan->load_us : INFINITY, dv_outcome_name(outcome), any);
        solved += plan != NULL;
        below += plan && any < best * (1 - 1e-9);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(solved > 100);
    CU_ASSERT_TRUE(below > 10);
}

/* With dispatch to pay, and with several targets a device, bounds hold, and plans are no better
   than possible. */
static void bounds_hold_where_the_methods_are_not_exact(void)
{
    uint32_t exact = 0, all = 0;
    dv_solve_options options = dv_solve_options_default();
    options.objective = DV_OBJECTIVE_THROUGHPUT;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        dv_problem *problem = small_problem(seed, seed % 4 == 2);
        dv_device_id *device = (dv_device_id *)problem->device;
        bool shared = seed % 2 == 1 && problem->target_count == 3;
        if (shared) /* the last device becomes another target of the one before */
            device[2] = device[1];
        double any, best = exhaustive(problem, &any);
        for (int s = 0; s < 2; s++) {
            dv_plan *plan = NULL;
            dv_outcome outcome;
            CU_ASSERT_EQUAL_FATAL(
                dv_solve(problem, s ? "auto" : "ideal", &options, &plan, &outcome), DV_OK);
            bool narrow = plan && strcmp(plan->proof_scope, "contiguous splits") == 0;
            double least = narrow ? best : any;
            bool ok = !plan || (plan->bound_us <= least * (1 + 1e-9) &&
                                (s || plan->load_us >= best * (1 - 1e-9)));
            CU_ASSERT_TRUE(ok);
            if (!ok)
                fprintf(stderr, "\n    seed %llu: %.17g, bound %.17g, contiguous %.17g, any %.17g",
                        (unsigned long long)seed, plan->load_us, plan->bound_us, best, any);
            exact += shared && plan && outcome == DV_OUTCOME_OPTIMAL;
            all += shared && plan;
            dv_plan_destroy(plan);
        }
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(2 * exact > all);
}

/* Knapsacks along the pieces: never above the best split, and above evenly spread work. */
static void weights_bound_every_split(void)
{
    uint32_t better = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        dv_problem *problem = small_problem(seed, seed % 3 == 1);
        memset((double *)problem->dispatch_us, 0,
               problem->device_count * sizeof *problem->dispatch_us);
        double any, bound = 0.0;
        exhaustive(problem, &any);
        dv_contraction contraction;
        CU_ASSERT_EQUAL_FATAL(dv_contract(problem, false, &contraction), DV_OK);
        dv_load_bound_settings settings = {
            .upper_us = any * 1.5, .rounds = 10, .work_limit = 10000000, .deadline_s = INFINITY};
        if (isfinite(any))
            CU_ASSERT_EQUAL_FATAL(dv_load_bound_run(contraction.pieces, &settings, &bound), DV_OK);
        CU_ASSERT_TRUE(bound <= any * (1 + 1e-9));
        better += isfinite(any) && bound > dv_split_floor_us(contraction.pieces) * (1 + 1e-6);
        dv_contraction_free(&contraction);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(better > 25);
}

static dv_problem *instance(const char *name)
{
    char path[512];
    dv_buffer *buffer = NULL;
    dv_problem *problem = NULL;
    snprintf(path, sizeof path, "%s/datasets/msr/%s", dv_source_root(), name);
    CU_ASSERT_EQUAL_FATAL(dv_buffer_map(path, &buffer), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_problem_parse(name, (const char *)dv_buffer_data(buffer),
                                           dv_buffer_size(buffer), &problem),
                          DV_OK);
    dv_buffer_release(buffer);
    return problem;
}

static void published_contiguous_optima_are_reproduced(void)
{
    static const struct {
        const char *name;
        double load;
    } published[] = {
        {"bert24_inference.json", 17.7899},
        {"gnmt_inference.json", 32.9107},
        {"resnet50_inference.json", 33.7747},
        {"inceptionv3_inference.json", 51.5519},
        {"bert_l-3_operator_inference.json", 27.9186},
        {"bert24_training.json", 41.7458},
        {"bert_l-3_operator_training.json", 65.3031},
    };
    dv_solve_options options = dv_solve_options_default();
    options.objective = DV_OBJECTIVE_THROUGHPUT;
    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
        dv_problem *problem = instance(published[i].name);
        dv_plan *plan = NULL;
        dv_outcome outcome;
        CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "ideal", &options, &plan, &outcome), DV_OK);
        CU_ASSERT_EQUAL(outcome, DV_OUTCOME_OPTIMAL);
        CU_ASSERT_STRING_EQUAL(plan->proof_scope, "contiguous splits");
        CU_ASSERT_DOUBLE_EQUAL(plan->load_us, published[i].load, 5.1e-5);
        CU_ASSERT_TRUE(problem->backward || plan->cost.segments <= problem->device_count);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
}

/* A split of any kind is far better here; in bert24 a little. */
static void published_instances_have_better_splits_of_any_kind(void)
{
    dv_solve_options options = dv_solve_options_default();
    options.objective = DV_OBJECTIVE_THROUGHPUT;
    dv_plan *plan = NULL;
    dv_outcome outcome;
    dv_problem *problem = instance("bert_l-3_operator_inference.json");
    CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "ilp", &options, &plan, &outcome), DV_OK);
    CU_ASSERT_EQUAL(outcome, DV_OUTCOME_OPTIMAL);
    CU_ASSERT_STRING_EQUAL(plan->proof_scope, "any split");
    CU_ASSERT_DOUBLE_EQUAL(plan->load_us, 21.9084, 5.1e-5);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
    problem = instance("bert24_inference.json");
    CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "auto", &options, &plan, &outcome), DV_OK);
    CU_ASSERT_TRUE(plan->load_us < 17.7148 && plan->bound_us > 16.28);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

/* Few ideals allowed: one order is cut up, and the bound is of any split. */
static void beyond_the_limit_the_bound_is_honest(void)
{
    dv_solve_options options = dv_solve_options_default();
    options.objective = DV_OBJECTIVE_THROUGHPUT;
    dv_problem *problem = instance("resnet50_inference.json");
    dv_plan *plan = NULL;
    dv_outcome outcome;
    CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "ideal:ideals=50", &options, &plan, &outcome), DV_OK);
    CU_ASSERT_EQUAL(outcome, DV_OUTCOME_FEASIBLE);
    CU_ASSERT_STRING_EQUAL(plan->proof_scope, "any split");
    CU_ASSERT_TRUE(plan->load_us >= 33.7746 && plan->bound_us <= 33.7748);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

/* Each device pays its side of a tensor once; the host pays none. */
static void loads_are_those_of_the_formula(void)
{
    dv_problem *problem = problem_of("cpu npu gpu", "move 3\nbytes 4\nper_byte 0.5\n"
                                                    "dispatch 1 2 4\nsession 0 16 0\n"
                                                    "a 10 1 1 < in\nb 20 2 2 < a\nc 40 3 3 < a\n"
                                                    "d 80 5 5 < b c\n");
    dv_plan *plan = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_plan_create(problem, &plan), DV_OK);
    const dv_target_id targets[] = {0, 1, 1, 2};
    memcpy(plan->target, targets, sizeof targets);
    CU_ASSERT_TRUE_FATAL(dv_evaluate(problem, plan));
    /* npu: b and c, dispatch, session, a in once, b's and c's results out */
    double npu = 5 + 2 + 16 + 5 + 10;
    CU_ASSERT_DOUBLE_EQUAL(dv_evaluate_load_us(problem, plan), npu, 1e-9);
    plan->load_us = npu;
    CU_ASSERT_TRUE(dv_certify(problem, plan).ok);
    plan->load_us = npu - 1;
    CU_ASSERT_FALSE(dv_certify(problem, plan).ok);
    plan->load_us = npu;
    plan->bound_us = npu + 1;
    CU_ASSERT_FALSE(dv_certify(problem, plan).ok);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

DV_SUITE(property_throughput, DV_TEST(loads_are_those_of_the_formula),
         DV_TEST(the_best_contiguous_split_is_that_of_exhaustive_search),
         DV_TEST(training_steps_are_split_as_exhaustive_search_does),
         DV_TEST(the_best_split_of_any_kind_is_that_of_exhaustive_search),
         DV_TEST(bounds_hold_where_the_methods_are_not_exact), DV_TEST(weights_bound_every_split),
         DV_TEST(published_contiguous_optima_are_reproduced),
         DV_TEST(published_instances_have_better_splits_of_any_kind),
         DV_TEST(beyond_the_limit_the_bound_is_honest));
