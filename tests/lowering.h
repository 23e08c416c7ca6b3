/* lowering.h - passes run over hand-made graphs, and what comes out compared, for tests. */
#ifndef DV_TESTS_LOWERING_H
#define DV_TESTS_LOWERING_H

#include "lower/passes.h"
#include "tests/graph_builder.h"

/* Lowers, destroys graph, returns the result; a failure stops the test. */
dv_graph *lowered(dv_graph *graph);

/* The same with the infer pass alone. */
dv_graph *inferred(dv_graph *graph);

/* Expects lowering to fail as DV_BAD_INPUT with a message that contains every one of the words
   (separated by '|'); destroys graph. */
void expect_refused(dv_graph *graph, const char *words);

/* The printed graph; the caller frees it. */
char *printed(const dv_graph *graph);

/* Largest difference of any output of two graphs with the same inputs and outputs, relative to the
   output's root mean square, run by the portable backend on inputs drawn from seed (integers below
   `most`). INFINITY, and a line on stderr, if one cannot run. */
double difference(const dv_graph *a, const dv_graph *b, uint64_t seed, int64_t most);

/* Runs the graph once by the portable backend on inputs drawn from seed. outputs[i], and inputs[i]
   unless inputs is NULL, become memory that the caller frees, also after a failure. At most 32 of
   each. */
bool run_portable(const dv_graph *graph, uint64_t seed, int64_t most, void **inputs,
                  void **outputs);

/* Is the constant's every element within 1e-6 of the expected one? */
bool holds(const dv_graph *graph, dv_tensor_id id, size_t count, const double *expected);
#define HOLDS(graph, id, ...)                                                \
    holds(graph, id, sizeof((const double[]){__VA_ARGS__}) / sizeof(double), \
          (const double[]){__VA_ARGS__})

#endif
