/* execution.h - graphs executed by plans on machines made up of cpu and worker devices, for tests.
 */
#ifndef DV_TESTS_EXECUTION_H
#define DV_TESTS_EXECUTION_H

#include "runtime/executor.h"
#include "tests/graph_builder.h"

/* A device of the machine; the first is the host. */
typedef struct execution_device {
    const char *name;
    const char *backend;   /* NULL: a model only */
    const char *inner;     /* NULL: no worker */
    int core;              /* of a worker */
    uint32_t threads;      /* 0: one */
    const char *precision; /* NULL: "f32" */
} execution_device;

typedef struct execution {
    dv_graph *graph;
    dv_platform *platform;
    dv_problem *problem;
    dv_plan *plan; /* all on the host, until scattered */
    dv_executor *executor;
} execution;

/* Lowers graph and takes it; a failure stops the test. */
execution execution_of(dv_graph *graph, const execution_device *devices, size_t count);

/* The same for a graph that is lowered already. */
execution execution_of_lowered(dv_graph *graph, const execution_device *devices, size_t count);

/* Random targets, in runs or one by one, and a random topological order. */
void execution_scatter(execution *e, uint64_t seed);

/* Puts the unit that makes the tensor of that name on that target; the order stays. */
void execution_place(execution *e, const char *tensor, dv_target_id target);

/* Makes the executor of the plan (a former one ends) and fills its inputs from a seed. */
dv_status execution_start(execution *e, uint64_t seed);

/* Runs once and compares the outputs with those of a host that runs all by the portable backend:
   the largest relative RMS difference; integers must be equal. INFINITY, and a line on stderr, if
   something fails. */
double execution_error(execution *e, uint64_t seed);

void execution_end(execution *e);

/* The i-th backend that works here; NULL past the last. */
const char *execution_backend(size_t i);

#endif
