/* random_problem.c - see random_problem.h. */
#include "tests/random_problem.h"

#include <stdio.h>
#include <stdlib.h>

dv_problem *dv_random_problem(const dv_random_spec *spec)
{
    dv_problem *problem = NULL;
    if (dv_generate(spec, &problem) != DV_OK) {
        fprintf(stderr, "random problem %llu: %s\n", (unsigned long long)spec->seed, dv_message());
        abort();
    }
    return problem;
}
