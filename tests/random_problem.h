/* random_problem.h - seeded problems for property tests and benchmarks, without error handling. */
#ifndef DV_TESTS_RANDOM_PROBLEM_H
#define DV_TESTS_RANDOM_PROBLEM_H

#include "solver/generate.h"

/* dv_generate; aborts where that fails. */
dv_problem *dv_random_problem(const dv_random_spec *spec);

#endif
