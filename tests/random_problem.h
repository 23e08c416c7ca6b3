/* random_problem.h - seeded problems for property tests and benchmarks, without error handling. */
#ifndef DV_TESTS_RANDOM_PROBLEM_H
#define DV_TESTS_RANDOM_PROBLEM_H

#include "solver/generate.h"

/* dv_generate; aborts where that fails. */
dv_problem *dv_random_problem(const dv_random_spec *spec);

/* Gives about half of the units one of two groups, in place of those that they have; aborts where
   that fails. */
void dv_random_groups(dv_problem *problem, uint64_t seed);

#endif
