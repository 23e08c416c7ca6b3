/* test_conflict.c - limits that conflict, against exhaustive search: the set cannot be met, any
   part of it can, and the figures are those of the best placement for them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "solver/conflict.h"
#include "solver/evaluate.h"
#include "tests/any_order.h"
#include "tests/random_problem.h"
#include "tests/suite.h"

static dv_random_spec small_spec(uint64_t seed)
{
    return (dv_random_spec){.seed = seed,
                            .units = 1 + (uint32_t)(seed % 6),
                            .targets = 1 + (uint32_t)(seed / 6 % 3),
                            .devices_shared = seed % 3 != 0,
                            .limits = true,
                            .ties = seed % 7 < 4};
}

/* The problem with no limit but those of the set; but for the one at without. */
static dv_problem only(const dv_problem *p, const dv_conflict *c, uint32_t without)
{
    dv_problem to = *p;
    double *capacity = dv_arena_array(p->arena, p->device_count, sizeof *capacity);
    dv_target_id *pin = dv_arena_array(p->arena, p->unit_count, sizeof *pin);
    uint32_t *group = dv_arena_array(p->arena, p->unit_count, sizeof *group);
    for (dv_device_id d = 0; d < p->device_count; d++)
        capacity[d] = INFINITY;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        pin[u] = group[u] = DV_NONE;
    to.energy_budget_uj = to.loss_budget = INFINITY;
    to.max_segments = UINT32_MAX;
    for (uint32_t i = 0; i < c->count; i++) {
        const dv_limit *limit = &c->limits[i];
        if (i == without)
            continue;
        if (limit->kind == DV_LIMIT_CAPACITY)
            capacity[limit->index] = p->capacity_bytes[limit->index];
        else if (limit->kind == DV_LIMIT_PIN)
            pin[limit->index] = p->pin[limit->index];
        else if (limit->kind == DV_LIMIT_SEGMENTS)
            to.max_segments = p->max_segments;
        else if (limit->kind == DV_LIMIT_LOSS)
            to.loss_budget = p->loss_budget;
        else if (limit->kind == DV_LIMIT_ENERGY)
            to.energy_budget_uj = p->energy_budget_uj;
        for (dv_unit_id u = 0; limit->kind == DV_LIMIT_GROUP && u < p->unit_count; u++)
            if (p->group[u] == limit->index)
                group[u] = limit->index;
    }
    to.capacity_bytes = capacity;
    to.pin = pin;
    to.group = group;
    return to;
}

static double amount(const dv_problem *p, const dv_limit *limit, const dv_plan *plan)
{
    double sum = 0.0;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        size_t cell = (size_t)u * p->target_count + plan->target[u];
        sum += limit->kind == DV_LIMIT_ENERGY ? p->energy_uj[cell]
               : limit->kind == DV_LIMIT_LOSS ? p->loss[cell]
               : limit->kind == DV_LIMIT_CAPACITY && p->device[plan->target[u]] == limit->index
                   ? p->memory_bytes[cell]
                   : 0.0;
    }
    return limit->kind == DV_LIMIT_SEGMENTS ? plan->cost.segments : sum;
}

/* Over all placements in the given order: is there one, and the least amount of a limit. */
static bool enumerate(const dv_problem *p, const dv_limit *limit, double *least)
{
    dv_plan *plan = NULL;
    bool any = false;
    *least = INFINITY;
    CU_ASSERT_EQUAL_FATAL(dv_plan_create(p, &plan), DV_OK);
    memset(plan->target, 0, p->unit_count * sizeof *plan->target);
    do {
        if (!dv_evaluate(p, plan))
            continue;
        any = true;
        *least = limit ? fmin(*least, amount(p, limit, plan)) : 0.0;
    } while (dv_next_placement(p, plan->target));
    dv_plan_destroy(plan);
    return any;
}

static bool is_irreducible(const dv_problem *p, const dv_conflict *c)
{
    double least;
    dv_problem all = only(p, c, UINT32_MAX);
    if (!c->minimal || enumerate(&all, NULL, &least))
        return false;
    for (uint32_t i = 0; i < c->count; i++) {
        const dv_limit *limit = &c->limits[i];
        bool figure = limit->kind != DV_LIMIT_PIN && limit->kind != DV_LIMIT_GROUP;
        dv_problem rest = only(p, c, i);
        if (!enumerate(&rest, limit, &least))
            return false;
        if (figure ? !(fabs(limit->least - least) <= 1e-6 * least) : !isnan(limit->least))
            return false;
    }
    return true;
}

static void a_conflict_is_irreducible_and_its_figures_are_exact(void)
{
    uint64_t failures = 0, conflicts = 0, joint = 0;
    for (uint64_t seed = 1; seed <= 3000 && failures < 5; seed++) {
        dv_random_spec spec = small_spec(seed);
        dv_problem *problem = dv_random_problem(&spec);
        dv_conflict conflict;
        double least;
        bool possible = enumerate(problem, NULL, &least);
        CU_ASSERT_EQUAL_FATAL(dv_conflict_find(problem, INFINITY, NULL, &conflict), DV_OK);
        bool ok = possible ? conflict.count == 0
                           : conflict.count > 0 && is_irreducible(problem, &conflict);
        conflicts += conflict.count > 0;
        joint += conflict.count > 1;
        failures += !ok;
        if (!ok)
            fprintf(stderr, "\n    seed %llu: %u limits, can be met: %d", (unsigned long long)seed,
                    conflict.count, possible);
        dv_conflict_free(&conflict);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_EQUAL(failures, 0);
    CU_ASSERT_TRUE(conflicts > 300 && joint > 100);
}

/* Hundreds of pins, of which two matter. */
static void two_pins_of_many_are_found(void)
{
    dv_random_spec spec = {.seed = 5, .shape = DV_RANDOM_CHAIN, .units = 600, .targets = 2};
    dv_problem *problem = dv_random_problem(&spec);
    size_t cells = (size_t)problem->unit_count * problem->target_count;
    double *energy = dv_arena_array(problem->arena, cells, sizeof *energy);
    double *time = dv_arena_array(problem->arena, cells, sizeof *time);
    dv_target_id *pin = dv_arena_array(problem->arena, problem->unit_count, sizeof *pin);
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        for (dv_target_id a = 0; a < 2; a++) {
            time[2 * u + a] = 1.0;
            energy[2 * u + a] = u == 77 || u == 500 ? 1.0 + 10.0 * a : 1.0;
            pin[u] = 1;
        }
    problem->time_us = time;
    problem->energy_uj = energy;
    problem->pin = pin;
    problem->energy_budget_uj = 615.0;
    dv_conflict conflict;
    CU_ASSERT_EQUAL_FATAL(dv_conflict_find(problem, INFINITY, NULL, &conflict), DV_OK);
    CU_ASSERT_EQUAL_FATAL(conflict.count, 3);
    CU_ASSERT_TRUE(conflict.minimal);
    CU_ASSERT_EQUAL(conflict.limits[0].kind, DV_LIMIT_ENERGY);
    CU_ASSERT_DOUBLE_EQUAL(conflict.limits[0].least, 620.0, 1e-6);
    CU_ASSERT_EQUAL(conflict.limits[1].index + conflict.limits[2].index, 577);
    dv_conflict_free(&conflict);
    dv_problem_destroy(problem);
}

DV_SUITE(property_conflict, DV_TEST(a_conflict_is_irreducible_and_its_figures_are_exact),
         DV_TEST(two_pins_of_many_are_found));
