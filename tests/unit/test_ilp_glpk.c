/* test_ilp_glpk.c - GLPK behind its door: values, multipliers, and no way to abort or print. */
#include "solver/ilp_glpk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/rng.h"
#include "tests/suite.h"

static dv_glpk_control control_of(void)
{
    return (dv_glpk_control){.deadline_s = INFINITY, .tolerance = 1e-9, .scale = 1.0};
}

/* maximise 5 a + 4 b + 3 c, written as a minimum, with 2 a + 3 b + c <= 5 and 4 a + b + 2 c <= 5
   over 0/1: a and b alone weigh 5 and 5, worth 9; the relaxation gets 10 with half of a. */
static dv_linear knapsack(void)
{
    dv_linear l = {.constant = 100.0};
    static const double worth[] = {5, 4, 3}, weight[2][3] = {{2, 3, 1}, {4, 1, 2}};
    for (int j = 0; j < 3; j++)
        dv_linear_column(&l, (dv_column){.cost = -worth[j], .upper = 1.0, .integer = true});
    for (int r = 0; r < 2; r++) {
        dv_linear_row(&l, -INFINITY, 5.0);
        for (uint32_t j = 0; j < 3; j++)
            dv_linear_entry(&l, j, weight[r][j]);
    }
    return l;
}

static void relaxation_and_branching_give_the_known_values(void)
{
    dv_linear l = knapsack();
    dv_glpk *glpk = NULL;
    dv_glpk_control control = control_of();
    double x[3], y[2], bound;
    bool found;
    dv_glpk_outcome outcome;
    CU_ASSERT_EQUAL_FATAL(dv_glpk_create(&l, 1.0, &glpk), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_glpk_relax(glpk, &control, NULL, NULL, x, y, &outcome), DV_OK);
    CU_ASSERT_EQUAL(outcome, DV_GLPK_OPTIMAL);
    double relaxed = dv_linear_value(&l, x);
    CU_ASSERT_TRUE(relaxed < 91.0 - 0.1);
    CU_ASSERT_DOUBLE_EQUAL(dv_linear_bound(&l, y), relaxed, 1e-9); /* strong duality */
    CU_ASSERT_EQUAL_FATAL(dv_glpk_branch(glpk, &control, x, &found, &bound, &outcome), DV_OK);
    CU_ASSERT_TRUE(found);
    CU_ASSERT_EQUAL(outcome, DV_GLPK_OPTIMAL);
    CU_ASSERT_DOUBLE_EQUAL(dv_linear_value(&l, x), 91.0, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(bound, 91.0, 1e-6);
    CU_ASSERT_TRUE(bound <= 91.0);
    dv_glpk_destroy(glpk);
    dv_linear_free(&l);
}

static void an_impossible_row_is_infeasible(void)
{
    dv_linear l = {0};
    dv_linear_column(&l, (dv_column){.cost = 1.0, .upper = 1.0});
    dv_linear_row(&l, 2.0, INFINITY);
    dv_linear_entry(&l, 0, 1.0);
    dv_glpk *glpk = NULL;
    dv_glpk_control control = control_of();
    double x[1], y[1];
    dv_glpk_outcome outcome;
    CU_ASSERT_EQUAL_FATAL(dv_glpk_create(&l, 1.0, &glpk), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_glpk_relax(glpk, &control, NULL, NULL, x, y, &outcome), DV_OK);
    CU_ASSERT_EQUAL(outcome, DV_GLPK_INFEASIBLE);
    dv_glpk_destroy(glpk);
    dv_linear_free(&l);
}

/* GLPK aborts the program on a coefficient twice in a row; here it becomes an error. */
static void a_fault_inside_glpk_becomes_an_error(void)
{
    dv_linear l = knapsack();
    l.entry[1].column = l.entry[0].column;
    dv_glpk *glpk = NULL;
    CU_ASSERT_EQUAL(dv_glpk_create(&l, 1.0, &glpk), DV_INTERNAL);
    CU_ASSERT_PTR_NULL(glpk);
    dv_linear_free(&l);
    relaxation_and_branching_give_the_known_values(); /* and GLPK lives on */
}

/* Many random covering rows: branch and bound needs longer than any test waits. */
static dv_linear hard_program(void)
{
    enum { COLUMNS = 150, ROWS = 150 };
    dv_linear l = {0};
    dv_rng rng = dv_rng_seeded(7);
    for (int j = 0; j < COLUMNS; j++)
        dv_linear_column(&l, (dv_column){.cost = 10.0 + (double)dv_rng_below(&rng, 5),
                                         .upper = 1.0,
                                         .integer = true});
    for (int r = 0; r < ROWS; r++) {
        dv_linear_row(&l, 3.0, INFINITY);
        for (uint32_t j = 0; j < COLUMNS; j++)
            if (dv_rng_below(&rng, 5) == 0)
                dv_linear_entry(&l, j, 1.0);
    }
    return l;
}

typedef struct stopper {
    volatile int stop;
    double stopped_at_s;
} stopper;

static void stop_soon(void *context, double incumbent, double bound)
{
    stopper *s = context;
    (void)bound;
    if (!isnan(incumbent) && !s->stop) {
        s->stop = 1;
        s->stopped_at_s = dv_clock_s();
    }
}

static void a_stop_during_branching_keeps_what_was_found(void)
{
    dv_linear l = hard_program();
    stopper s = {0};
    dv_progress progress = {.context = &s, .solution = stop_soon, .stop = &s.stop};
    dv_glpk *glpk = NULL;
    dv_glpk_control control = control_of();
    control.progress = &progress;
    double *x = calloc(l.column_count, sizeof *x), *y = calloc(l.row_count, sizeof *y), bound;
    bool found;
    dv_glpk_outcome outcome;
    CU_ASSERT_EQUAL_FATAL(dv_glpk_create(&l, 1.0, &glpk), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_glpk_relax(glpk, &control, NULL, NULL, x, y, &outcome), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_glpk_branch(glpk, &control, x, &found, &bound, &outcome), DV_OK);
    CU_ASSERT_EQUAL(s.stop, 1);
    CU_ASSERT_EQUAL(outcome, DV_GLPK_LIMIT);
    CU_ASSERT_TRUE(bound <= dv_linear_value(&l, x) || !found);
    dv_glpk_destroy(glpk);
    free(x);
    free(y);
    dv_linear_free(&l);
}

static void a_deadline_ends_branching_with_a_bound(void)
{
    dv_linear l = hard_program();
    dv_glpk *glpk = NULL;
    dv_glpk_control control = control_of();
    double *x = calloc(l.column_count, sizeof *x), *y = calloc(l.row_count, sizeof *y), bound;
    bool found;
    dv_glpk_outcome outcome;
    CU_ASSERT_EQUAL_FATAL(dv_glpk_create(&l, 1.0, &glpk), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_glpk_relax(glpk, &control, NULL, NULL, x, y, &outcome), DV_OK);
    double relaxed = dv_linear_value(&l, x);
    control.deadline_s = dv_clock_s() + 0.2;
    CU_ASSERT_EQUAL_FATAL(dv_glpk_branch(glpk, &control, x, &found, &bound, &outcome), DV_OK);
    CU_ASSERT_EQUAL(outcome, DV_GLPK_LIMIT);
    CU_ASSERT_TRUE(bound >= relaxed * (1 - 1e-9));
    dv_glpk_destroy(glpk);
    free(x);
    free(y);
    dv_linear_free(&l);
}

/* Standard output is pointed at a file while GLPK works and while it fails. */
static void nothing_is_ever_printed(void)
{
    char path[256];
    snprintf(path, sizeof path, "%s/glpk.out", dv_test_folder());
    fflush(stdout);
    int saved = dup(1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(freopen(path, "w", stdout));
    relaxation_and_branching_give_the_known_values();
    a_fault_inside_glpk_becomes_an_error();
    fflush(stdout);
    dup2(saved, 1);
    close(saved);
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fgetc(file), EOF);
    fclose(file);
}

DV_SUITE(solver_ilp_glpk, DV_TEST(relaxation_and_branching_give_the_known_values),
         DV_TEST(an_impossible_row_is_infeasible), DV_TEST(a_fault_inside_glpk_becomes_an_error),
         DV_TEST(a_stop_during_branching_keeps_what_was_found),
         DV_TEST(a_deadline_ends_branching_with_a_bound), DV_TEST(nothing_is_ever_printed));
