/* run.c - runs the suites: all of them, or those named on the command line. */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/suite.h"

#ifdef DV_WEAK_SUITES
#define SUITE(id) extern const dv_suite dv_suite_##id __attribute__((weak));
#else
#define SUITE(id) extern const dv_suite dv_suite_##id;
#endif
#include "tests/suites.def"
#undef SUITE

static const dv_suite *const suites[] = {
#define SUITE(id) &dv_suite_##id,
#include "tests/suites.def"
#undef SUITE
};

static char skips[64][256];
static size_t skip_count;

void dv_skip(const char *test, const char *why)
{
    fprintf(stderr, "\n    SKIPPED %s: %s\n", test, why);
    if (skip_count < sizeof skips / sizeof skips[0])
        snprintf(skips[skip_count++], sizeof skips[0], "%s: %s", test, why);
}

static char folder[64];

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (folder[0] && system(command) != 0)
        fprintf(stderr, "could not remove %s\n", folder);
}

const char *dv_test_folder(void)
{
    if (!folder[0]) {
        strcpy(folder, "/tmp/divvy-test-XXXXXX");
        if (!mkdtemp(folder))
            abort();
    }
    return folder;
}

const char *dv_source_root(void)
{
    const char *root = getenv("srcdir");
    return root && *root ? root : ".";
}

static int wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strstr(name, argv[i]))
            return 1;
    return argc < 2;
}

int main(int argc, char **argv)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 3;
    for (size_t s = 0; s < sizeof suites / sizeof suites[0]; s++) {
        const dv_suite *suite = suites[s];
        if (!suite || !wanted(suite->name, argc, argv))
            continue;
        CU_pSuite registered = CU_add_suite(suite->name, NULL, NULL);
        for (size_t t = 0; registered && t < suite->count; t++)
            CU_add_test(registered, suite->tests[t].name, suite->tests[t].run);
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    for (size_t i = 0; i < skip_count; i++)
        printf("SKIPPED %s\n", skips[i]);
    unsigned failed = CU_get_number_of_failures();
    unsigned run = CU_get_number_of_tests_run();
    CU_cleanup_registry();
    remove_folder();
    return failed || run == 0 ? 1 : 0;
}
