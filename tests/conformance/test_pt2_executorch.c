/* test_pt2_executorch.c - plans of torch.export archives are applied in ExecuTorch.

   DIVVY_PYTHON (default python3) must have ExecuTorch; without it the test is skipped. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/plan.h"
#include "costmodel/costmodel.h"
#include "load/load.h"
#include "lower/lower.h"
#include "solver/strategy.h"
#include "tests/suite.h"

/* By the made-up platform in tests/data/pt2: portable kernels, slow, and XNNPACK. */
static void write_plan(const char *model, const char *path)
{
    dv_graph *graph = NULL, *lowered = NULL;
    dv_platform *platform = NULL;
    dv_problem *problem = NULL;
    dv_plan *plan = NULL;
    dv_text text = {0};
    dv_outcome outcome;
    dv_solve_options options = dv_solve_options_default();
    CU_ASSERT_EQUAL_FATAL(dv_load(model, NULL, &graph), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_lower(graph, NULL, &lowered), DV_OK);
    char file[512];
    snprintf(file, sizeof file, "%s/tests/data/pt2/two.json", dv_source_root());
    CU_ASSERT_EQUAL_FATAL(dv_platform_open(file, &platform), DV_OK);
    CU_ASSERT_EQUAL_FATAL(
        dv_problem_build(lowered, platform, dv_cost_model_find("roofline"), &problem), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "auto", &options, &plan, &outcome), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_plan_write(problem, plan, lowered, platform, &text), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_file_write(path, text.data, text.length), DV_OK);
    dv_text_free(&text);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
    dv_platform_destroy(platform);
    dv_graph_destroy(lowered);
    dv_graph_destroy(graph);
}

/* The exit status of `$DIVVY_PYTHON tests/models/check_partitioner.py model plan`. */
static int run_script(const char *python, const char *model, const char *plan)
{
    char script[512];
    snprintf(script, sizeof script, "%s/tests/models/check_partitioner.py", dv_source_root());
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        execlp(python, python, script, model, plan, (char *)NULL);
        _exit(77);
    }
    int status = 0;
    CU_ASSERT_TRUE_FATAL(child > 0 && waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* As many calls as planned, no node lost, and the same numbers as the exported program. */
static void executorch_applies_the_plan_of_an_archive(void)
{
    static const char *const names[] = {"cnn", "encoder", "decoder"};
    const char *python = getenv("DIVVY_PYTHON") ? getenv("DIVVY_PYTHON") : "python3";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char model[512], plan[512];
        snprintf(model, sizeof model, "%s/tests/data/pt2/%s.pt2", dv_source_root(), names[i]);
        snprintf(plan, sizeof plan, "%s/%s.plan.json", dv_test_folder(), names[i]);
        write_plan(model, plan);
        int status = run_script(python, model, plan);
        if (status == 77) {
            dv_skip(__func__,
                    "python3 (or $DIVVY_PYTHON) has no ExecuTorch: pip install executorch");
            return;
        }
        CU_ASSERT_EQUAL(status, 0);
    }
}

DV_SUITE(pt2_executorch, DV_TEST(executorch_applies_the_plan_of_an_archive));
