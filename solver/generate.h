/* generate.h - seeded problems of the kinds that networks have, for studies, benches and tests. */
#ifndef DV_SOLVER_GENERATE_H
#define DV_SOLVER_GENERATE_H

#include "core/problem.h"

typedef enum dv_random_shape {
    DV_RANDOM_ANY, /* chain, tree-like or dense, connected or not, as the seed says */
    DV_RANDOM_CHAIN,
    DV_RANDOM_RESNET,      /* chain with skips over 2 to 4 units */
    DV_RANDOM_TRANSFORMER, /* blocks of 34: three projections, attention, residuals, feed-forward */
    DV_RANDOM_DAG,         /* random, fronts of about width tensors */
} dv_random_shape;

typedef struct dv_random_spec {
    uint64_t seed;
    dv_random_shape shape;
    uint32_t units;      /* at least 1 */
    uint32_t width;      /* of DV_RANDOM_DAG; 0: 6 */
    uint32_t targets;    /* at least 1; the first is the host and supports everything */
    bool devices_shared; /* some devices have several targets (precisions) */
    bool limits;         /* maybe capacities, budgets, segments, pins and groups */
    bool sessions;       /* maybe session costs */
    bool ties;           /* small whole costs: many zeros and ties */
} dv_random_spec;

/* "chain", "resnet", "transformer", "random" (a DAG); false if it is none of them. */
bool dv_random_shape_from_name(const char *name, dv_random_shape *out);

/* The same spec, the same problem, on every machine. */
DV_MUST_USE dv_status dv_generate(const dv_random_spec *spec, dv_problem **out);

#endif
