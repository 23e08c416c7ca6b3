/* test_linear.c - the sparse program and the bound that multipliers prove. */
#include "solver/linear.h"

#include <math.h>

#include "core/rng.h"
#include "tests/suite.h"

/* minimise -x - 2 y + 5 with x + y <= 1 and x - y = 0.25 over [0, 1]^2: y = 0.375, x = 0.625. */
static dv_linear triangle(void)
{
    dv_linear l = {.constant = 5.0};
    uint32_t x = dv_linear_column(&l, (dv_column){.cost = -1.0, .upper = 1.0});
    uint32_t y = dv_linear_column(&l, (dv_column){.cost = -2.0, .upper = 1.0});
    dv_linear_row(&l, -INFINITY, 1.0);
    dv_linear_entry(&l, x, 1.0);
    dv_linear_entry(&l, y, 1.0);
    dv_linear_row(&l, 0.25, 0.25);
    dv_linear_entry(&l, x, 1.0);
    dv_linear_entry(&l, y, -1.0);
    return l;
}

static void the_value_is_costs_and_constant(void)
{
    dv_linear l = triangle();
    CU_ASSERT_DOUBLE_EQUAL(dv_linear_value(&l, (double[]){0.625, 0.375}), 5 - 0.625 - 0.75, 1e-15);
    dv_linear_free(&l);
}

static void optimal_multipliers_prove_the_optimum(void)
{
    dv_linear l = triangle();
    /* -1 = a + b and -2 = a - b: a = -1.5, b = 0.5 */
    double bound = dv_linear_bound(&l, (double[]){-1.5, 0.5});
    CU_ASSERT_DOUBLE_EQUAL(bound, 3.625, 1e-12);
    CU_ASSERT_TRUE(bound <= 3.625);
    dv_linear_free(&l);
}

static void no_multipliers_prove_more_than_the_optimum(void)
{
    dv_linear l = triangle();
    dv_rng rng = dv_rng_seeded(1);
    for (int i = 0; i < 10000; i++) {
        double y[2] = {4.0 * dv_rng_normal(&rng), 4.0 * dv_rng_normal(&rng)};
        double bound = dv_linear_bound(&l, y);
        CU_ASSERT_TRUE(bound <= 3.625);
    }
    double wild[2] = {NAN, INFINITY};
    CU_ASSERT_TRUE(dv_linear_bound(&l, wild) <= 3.625);
    dv_linear_free(&l);
}

static void a_multiplier_on_an_open_side_counts_nothing(void)
{
    dv_linear l = triangle();
    /* positive on the <= row would need its lower side */
    CU_ASSERT_DOUBLE_EQUAL(dv_linear_bound(&l, (double[]){7.0, 0.0}), 5 - 1 - 2, 1e-12);
    dv_linear_free(&l);
}

static void a_column_that_comes_twice_in_a_row_is_added_up(void)
{
    dv_linear l = {0};
    uint32_t x = dv_linear_column(&l, (dv_column){.upper = 1.0});
    dv_linear_row(&l, 0.0, 1.0);
    dv_linear_entry(&l, x, 1.0);
    dv_linear_entry(&l, x, 2.0);
    dv_linear_row(&l, 0.0, 1.0);
    dv_linear_entry(&l, x, 4.0);
    CU_ASSERT_EQUAL(l.entry_count, 2);
    CU_ASSERT_EQUAL(l.entry[0].value, 3.0);
    CU_ASSERT_EQUAL(l.entry[1].value, 4.0);
    CU_ASSERT_EQUAL(dv_linear_row_end(&l, 0), 1);
    CU_ASSERT_EQUAL(dv_linear_row_end(&l, 1), 2);
    dv_linear_free(&l);
}

static void an_infinite_cost_closes_the_column(void)
{
    dv_linear l = {0};
    uint32_t x = dv_linear_column(&l, (dv_column){.cost = INFINITY, .upper = 1.0});
    CU_ASSERT_EQUAL(l.column[x].upper, 0.0);
    CU_ASSERT_EQUAL(l.column[x].cost, 0.0);
    CU_ASSERT_DOUBLE_EQUAL(dv_linear_bound(&l, (double[]){0}), 0.0, 1e-300);
    dv_linear_free(&l);
}

DV_SUITE(solver_linear, DV_TEST(the_value_is_costs_and_constant),
         DV_TEST(optimal_multipliers_prove_the_optimum),
         DV_TEST(no_multipliers_prove_more_than_the_optimum),
         DV_TEST(a_multiplier_on_an_open_side_counts_nothing),
         DV_TEST(a_column_that_comes_twice_in_a_row_is_added_up),
         DV_TEST(an_infinite_cost_closes_the_column));
