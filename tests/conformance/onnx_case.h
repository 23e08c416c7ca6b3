/* onnx_case.h - one test of the ONNX project: a folder with a model, its inputs and its outputs.

   The model is loaded, lowered and run on a backend as a single segment, and what comes out is held
   against the stored outputs as the ONNX backend tests do: |a - b| <= 1e-7 + 1e-3 |b| for
   floats (two units in the last place for those of 16 bits), equality for all else. */
#ifndef DV_TESTS_ONNX_CASE_H
#define DV_TESTS_ONNX_CASE_H

#include "core/graph.h"
#include "runtime/backend.h"

typedef enum onnx_verdict {
    ONNX_PASSED,
    ONNX_FOLDED,      /* passed, but lowering computed it all: nothing was left to run */
    ONNX_UNSUPPORTED, /* loading, lowering or the backend said no, with a reason */
    ONNX_FAILED,      /* wrong values, types or shapes, or an error that should not be */
} onnx_verdict;

enum { ONNX_CASE_TENSORS = 64 };

typedef struct onnx_case {
    const char *folder;
    dv_graph *source;                     /* as loaded; NULL if it could not be */
    uint32_t given_count, expected_count; /* of the data set */
    dv_tensor given[ONNX_CASE_TENSORS], expected[ONNX_CASE_TENSORS];
    char names[2 * ONNX_CASE_TENSORS][128]; /* of the data set's tensors */
    dv_graph *bound; /* the source with constants for those of its inputs that shapes need */
    dv_graph *lowered;
    char operators[64]; /* the operator it is a test of, "several" or "not loaded" */
    char why[256];
} onnx_case;

/* Loads and lowers. Shapes that come as inputs of the network, as some tests have them, are bound
   as constants: first nothing is, then all inputs that are not floats, then all but the first, then
   all. ONNX_PASSED if it is ready to run. */
onnx_verdict onnx_case_open(onnx_case *test, const char *folder);

/* Runs the lowered graph on the backend and compares. */
onnx_verdict onnx_case_run(onnx_case *test, const dv_backend *backend);
void onnx_case_close(onnx_case *test);

#endif
