/* Every pass of lowering keeps the numbers, changes nothing when it runs again, and can be printed:
   on each of the ONNX project's tests (Debian's libonnx-testdata) that lowers and runs. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lower/lower.h"
#include "runtime/portable/portable.h"
#include "tests/conformance/onnx_case.h"
#include "tests/lowering.h"
#include "tests/suite.h"

/* A test on its way through the passes. */
typedef struct progress {
    onnx_case *test;
    const char *name;
    uint32_t *passes, *faults;
    bool runs; /* after the first pass, infer, and so it has to go on */
} progress;

static const dv_pass *pass_named(const char *name)
{
    for (size_t i = 0; dv_pass_at(i); i++)
        if (strcmp(dv_pass_at(i)->name, name) == 0)
            return dv_pass_at(i);
    return NULL;
}

static void fault(progress *p, const char *pass, const char *what)
{
    printf("\n    %s, after %s: %s", p->name, pass, what);
    ++*p->faults;
}

/* The stored outputs come out of the graph as it is now. */
static void check_numbers(progress *p, const char *pass, const dv_graph *graph)
{
    onnx_case now = *p->test;
    dv_graph *mutable_graph;
    memcpy(&mutable_graph, &graph, sizeof graph); /* running only reads it */
    now.lowered = mutable_graph;
    onnx_verdict verdict = onnx_case_run(&now, &dv_backend_portable);
    bool good = verdict == ONNX_PASSED || verdict == ONNX_FOLDED;
    if (strcmp(pass, "infer") == 0)
        p->runs = good;
    else if (p->runs && !good)
        fault(p, pass, now.why);
}

static void check_again(progress *p, const char *pass, const dv_graph *graph)
{
    dv_graph *again = NULL;
    if (pass_named(pass)->run(graph, NULL, &again) != DV_OK) {
        fault(p, pass, dv_message());
        return;
    }
    char *first = printed(graph), *second = again ? printed(again) : strdup(first);
    if (first[0] == '\0' && graph->op_count > 0)
        fault(p, pass, "it prints nothing");
    if (strcmp(first, second) != 0)
        fault(p, pass, "a second run changes it");
    free(first);
    free(second);
    dv_graph_destroy(again);
}

static void after_pass(void *context, const char *pass, const dv_graph *graph)
{
    progress *p = context;
    ++*p->passes;
    check_numbers(p, pass, graph);
    check_again(p, pass, graph);
}

static void check_case(const char *folder, uint32_t *passes, uint32_t *faults)
{
    onnx_case test;
    if (onnx_case_open(&test, folder) == ONNX_PASSED) {
        progress p = {
            .test = &test, .name = strrchr(folder, '/') + 1, .passes = passes, .faults = faults};
        dv_lower_options options = {.dump_after = "all", .dump = after_pass, .context = &p};
        dv_graph *once = NULL, *twice = NULL;
        CU_ASSERT_EQUAL_FATAL(dv_lower(test.bound, &options, &once), DV_OK);
        CU_ASSERT_EQUAL_FATAL(dv_lower(once, NULL, &twice), DV_OK);
        char *first = printed(once), *second = printed(twice);
        if (strcmp(first, second) != 0)
            fault(&p, "all", "lowering again changes it");
        free(first);
        free(second);
        dv_graph_destroy(once);
        dv_graph_destroy(twice);
    }
    onnx_case_close(&test);
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* False if there is no such set. */
static bool check_set(const char *data, const char *set, uint32_t *passes, uint32_t *faults)
{
    char folder[512];
    struct dirent **entries;
    snprintf(folder, sizeof folder, "%s/%s", data, set);
    int count = scandir(folder, &entries, visible, alphasort);
    for (int i = 0; i < count; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        check_case(path, passes, faults);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return count >= 0;
}

static void test_every_pass_keeps_the_numbers_and_is_done_when_it_is_done(void)
{
    static const char *const sets[] = {"node", "pytorch-converted", "pytorch-operator", "simple"};
    const char *newer = getenv("DIVVY_ONNX_NODES");
    uint32_t passes = 0, faults = 0;
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        if (!check_set("/usr/share/libonnx-testdata/data", sets[i], &passes, &faults)) {
            dv_skip("passes over ONNX's tests", "Debian's libonnx-testdata is not installed");
            return;
        }
    if (newer)
        CU_ASSERT_TRUE(check_set(newer, "node", &passes, &faults));
    CU_ASSERT_TRUE(passes > 5000);
    CU_ASSERT_EQUAL(faults, 0);
}

DV_SUITE(conformance_onnx_passes,
         DV_TEST(test_every_pass_keeps_the_numbers_and_is_done_when_it_is_done));
