/* test_model_file.c - the files are read back by GLPK's own readers and have the same optimum. */
#include "solver/model_file.h"

#include <glpk.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/problem_text.h"
#include "tests/random_problem.h"
#include "tests/suite.h"

static const char *path_of(const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s", dv_test_folder(), name);
    return path;
}

/* What GLPK's branch and bound makes of the file; INFINITY if it finds the program infeasible. */
static double optimum_of_file(const char *path, bool lp)
{
    glp_term_out(GLP_OFF);
    glp_prob *problem = glp_create_prob();
    int failed =
        lp ? glp_read_lp(problem, NULL, path) : glp_read_mps(problem, GLP_MPS_FILE, NULL, path);
    CU_ASSERT_EQUAL(failed, 0);
    double value = NAN;
    if (!failed) {
        glp_iocp settings;
        glp_init_iocp(&settings);
        settings.msg_lev = GLP_MSG_OFF;
        settings.presolve = GLP_ON;
        int code = glp_intopt(problem, &settings);
        value = code == GLP_ENOPFS || glp_mip_status(problem) != GLP_OPT ? INFINITY
                                                                         : glp_mip_obj_val(problem);
    }
    glp_delete_prob(problem);
    glp_term_out(GLP_ON);
    return value;
}

/* Writes and reads back one form of the program. */
static double written_optimum(const dv_problem *problem, dv_form form, bool free_order, bool lp)
{
    char path[256];
    path_of(lp ? "model.lp" : "model.mps", path);
    CU_ASSERT_EQUAL_FATAL(dv_write_ilp(problem, form, free_order, path), DV_OK);
    return optimum_of_file(path, lp);
}

static bool same(double a, double b)
{
    return a == b || fabs(a - b) <= 1e-6 * fabs(b);
}

static dv_problem *problem_of_seed(uint64_t seed)
{
    dv_random_spec spec = {.seed = seed,
                           .shape = (dv_random_shape)(seed % 5),
                           .units = 1 + (uint32_t)(seed % 12),
                           .targets = 1 + (uint32_t)(seed % 4),
                           .devices_shared = seed % 3 == 0,
                           .limits = seed % 2 == 0,
                           .sessions = seed % 5 < 2};
    return dv_random_problem(&spec);
}

static void both_formats_hold_the_whole_problem_in_every_form(void)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        dv_problem *problem = problem_of_seed(seed);
        dv_plan *plan = solve_with("ilp", problem);
        double expected = plan ? plan->cost.total_us : INFINITY;
        for (int form = DV_FORM_NAIVE; form <= DV_FORM_PAIRWISE; form++)
            for (int lp = 0; lp < 2; lp++) {
                if (form < DV_FORM_PAIRWISE && seed % 3 != 0)
                    continue;
                double found = written_optimum(problem, (dv_form)form, false, lp);
                CU_ASSERT_TRUE(same(found, expected));
                if (!same(found, expected))
                    fprintf(stderr, "\n    form %d, lp %d, seed %llu: %.12g, expected %.12g", form,
                            lp, (unsigned long long)seed, found, expected);
            }
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
}

/* Without an order both forms have one optimum, which the given order does not undercut. */
static void programs_without_an_order_agree(void)
{
    uint64_t below = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        dv_problem *problem = problem_of_seed(seed);
        dv_plan *plan = solve_with("ilp", problem);
        double given = plan ? plan->cost.total_us : INFINITY;
        double one = written_optimum(problem, DV_FORM_TRANSPORT, true, true);
        double two = written_optimum(problem, DV_FORM_PAIRWISE, true, false);
        bool ok = same(one, two) && (isinf(given) || one <= given * (1 + 1e-6));
        CU_ASSERT_TRUE(ok);
        if (!ok)
            fprintf(stderr, "\n    seed %llu: %.12g and %.12g, given order %.12g",
                    (unsigned long long)seed, one, two, given);
        below += one < given * (1 - 1e-6);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
    CU_ASSERT_TRUE(below > 3);
    char path[256];
    dv_problem *problem = problem_of_seed(1);
    CU_ASSERT_EQUAL(dv_write_ilp(problem, DV_FORM_NAIVE, true, path_of("model.lp", path)),
                    DV_BAD_PARAMETER);
    dv_problem_destroy(problem);
}

static void names_in_comments_cannot_end_their_line(void)
{
    char path[256], line[256];
    dv_problem *problem = problem_of("cpu", "a 1\n");
    ((const char **)problem->unit_name)[0] = "evil\nSubject To\n x >= 3";
    CU_ASSERT_EQUAL_FATAL(dv_write_ilp(problem, DV_FORM_PAIRWISE, false, path_of("evil.lp", path)),
                          DV_OK);
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    int sections = 0;
    while (fgets(line, sizeof line, file))
        sections += strncmp(line, "Subject To", 10) == 0;
    fclose(file);
    CU_ASSERT_EQUAL(sections, 1);
    CU_ASSERT_DOUBLE_EQUAL(optimum_of_file(path, true), 1.0, 1e-9);
    dv_problem_destroy(problem);
}

static void another_extension_is_refused(void)
{
    dv_problem *problem = problem_of("cpu", "a 1\n");
    CU_ASSERT_EQUAL(dv_write_ilp(problem, DV_FORM_PAIRWISE, false, "model.txt"), DV_BAD_PARAMETER);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "model.txt"));
    dv_problem_destroy(problem);
}

static void a_folder_that_is_not_there_leaves_nothing_behind(void)
{
    char path[256];
    dv_problem *problem = problem_of("cpu", "a 1\n");
    CU_ASSERT_EQUAL(
        dv_write_ilp(problem, DV_FORM_PAIRWISE, false, path_of("missing/model.lp", path)), DV_IO);
    CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_model_file, DV_TEST(both_formats_hold_the_whole_problem_in_every_form),
         DV_TEST(programs_without_an_order_agree), DV_TEST(names_in_comments_cannot_end_their_line),
         DV_TEST(another_extension_is_refused),
         DV_TEST(a_folder_that_is_not_there_leaves_nothing_behind));
