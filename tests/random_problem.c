/* random_problem.c - see random_problem.h. */
#include "tests/random_problem.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/rng.h"

dv_problem *dv_random_problem(const dv_random_spec *spec)
{
    dv_problem *problem = NULL;
    if (dv_generate(spec, &problem) != DV_OK) {
        fprintf(stderr, "random problem %llu: %s\n", (unsigned long long)spec->seed, dv_message());
        abort();
    }
    return problem;
}

void dv_random_groups(dv_problem *problem, uint64_t seed)
{
    dv_rng rng = dv_rng_seeded(seed);
    uint32_t *group = dv_arena_array(problem->arena, problem->unit_count, sizeof *group);
    if (!group)
        abort();
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        group[u] = dv_rng_below(&rng, 2) ? (uint32_t)dv_rng_below(&rng, 2) : DV_NONE;
    problem->group = group;
}
