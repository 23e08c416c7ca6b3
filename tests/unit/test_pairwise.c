/* test_pairwise.c - the program says what the evaluator says, point by point. */
#include "solver/pairwise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/rng.h"
#include "solver/evaluate.h"
#include "tests/random_problem.h"
#include "tests/suite.h"

static bool satisfies(const dv_linear *l, const double *x)
{
    for (uint32_t j = 0; j < l->column_count; j++)
        if (x[j] > l->column[j].upper)
            return false;
    for (uint32_t r = 0; r < l->row_count; r++) {
        double sum = 0.0;
        for (size_t i = l->row[r].first; i < dv_linear_row_end(l, r); i++)
            sum += l->entry[i].value * x[l->entry[i].column];
        if (sum < l->row[r].lower - 1e-9 || sum > l->row[r].upper + 1e-9)
            return false;
    }
    return true;
}

static uint32_t trues(const bool *items, uint32_t count)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += items[i];
    return sum;
}

/* One random placement of one random problem. Without an order a point costs no more than any order
   of the placement. */
static bool agrees(const dv_random_spec *spec, dv_form form, bool free_order)
{
    dv_problem *problem = dv_random_problem(spec);
    dv_labels labels;
    dv_pairwise model;
    dv_plan *plan = NULL;
    if (dv_labels_create(problem, &labels) != DV_OK || dv_plan_create(problem, &plan) != DV_OK ||
        dv_pairwise_build(problem, &labels, free_order ? NULL : plan->order, form, &model) != DV_OK)
        abort();
    dv_rng rng = dv_rng_seeded(spec->seed);
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        do
            plan->target[u] = (dv_target_id)dv_rng_below(&rng, problem->target_count);
        while (!dv_label(&labels, u, plan->target[u]));
    const dv_linear *l = &model.linear;
    double *x = calloc(l->column_count + 1, sizeof *x);
    bool *columns = calloc(l->column_count + 1, sizeof *columns);
    bool *rows = calloc(l->row_count + 1, sizeof *rows);
    dv_pairwise_point(&model, plan->target, x);
    bool usable = dv_evaluate(problem, plan);
    double value = dv_linear_value(l, x);
    double slack = 1e-9 * plan->cost.total_us;
    bool ok = free_order ? !usable || satisfies(l, x) : satisfies(l, x) == usable;
    ok = ok && (!usable || (value <= plan->cost.total_us + slack &&
                            (free_order || value >= plan->cost.total_us - slack)));

    if (form == DV_FORM_PAIRWISE) {
        dv_pairwise_basis(&model, plan->target, x, columns, rows);
        ok = ok && trues(columns, l->column_count) + trues(rows, l->row_count) == l->row_count;
    }

    dv_target_id *rounded = calloc(problem->unit_count, sizeof *rounded);
    bool integral = false;
    dv_pairwise_round(&model, x, rounded, &integral);
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        ok = ok && rounded[u] == plan->target[u];
    ok = ok && integral;
    free(rounded);
    free(x);
    free(columns);
    free(rows);
    dv_pairwise_free(&model);
    dv_labels_free(&labels);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
    return ok;
}

static void every_placement_is_a_point_of_its_cost(void)
{
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        dv_random_spec spec = {.seed = seed,
                               .shape = (dv_random_shape)(seed % 5),
                               .units = 1 + (uint32_t)(seed % 20),
                               .targets = 1 + (uint32_t)(seed % 5),
                               .devices_shared = seed % 3 != 0,
                               .limits = seed % 2 == 0,
                               .sessions = seed % 5 < 2,
                               .ties = seed % 7 < 3};
        for (int form = DV_FORM_NAIVE; form <= DV_FORM_PAIRWISE; form++)
            for (int free_order = 0; free_order <= (form >= DV_FORM_TRANSPORT); free_order++) {
                bool ok = agrees(&spec, (dv_form)form, free_order);
                CU_ASSERT_TRUE(ok);
                if (!ok)
                    fprintf(stderr, "\n    seed %llu, form %d, free %d", (unsigned long long)seed,
                            form, free_order);
            }
    }
}

DV_SUITE(solver_pairwise, DV_TEST(every_placement_is_a_point_of_its_cost));
