/* suite.h - a test file is a suite: a list of named tests, registered by one line of suites.def. */
#ifndef DV_TESTS_SUITE_H
#define DV_TESTS_SUITE_H

#include <CUnit/CUnit.h>
#include <stddef.h>

typedef struct dv_test {
    const char *name; /* a sentence */
    void (*run)(void);
} dv_test;

typedef struct dv_suite {
    const char *name;
    const dv_test *tests;
    size_t count;
} dv_suite;

#define DV_TEST(function)   \
    {                       \
#function, function \
    }

/* DV_SUITE(solver_certify, DV_TEST(a), DV_TEST(b)); at the foot of tests/unit/test_certify.c */
#define DV_SUITE(id, ...)                              \
    static const dv_test id##_tests[] = {__VA_ARGS__}; \
    extern const dv_suite dv_suite_##id;               \
    const dv_suite dv_suite_##id = {#id, id##_tests, sizeof id##_tests / sizeof id##_tests[0]}

/* Says loudly that a test's requirement is absent; counted and repeated at the end of the run. */
void dv_skip(const char *test, const char *why);

/* A folder for this test run's files (made on first use, removed at the end), without a trailing
   slash. */
const char *dv_test_folder(void);

/* The source tree's root (from the environment variable srcdir, else "."). */
const char *dv_source_root(void);

#endif
