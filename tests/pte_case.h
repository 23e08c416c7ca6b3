/* pte_case.h - an ExecuTorch program and what ExecuTorch's own tools said of it (NAME.json beside
   NAME.pte, written by tests/models/make_pte.py). */
#ifndef DV_TESTS_PTE_CASE_H
#define DV_TESTS_PTE_CASE_H

#include "core/json.h"
#include "load/pte.h"
#include "tests/suite.h"

typedef struct pte_case {
    char path[512];
    dv_buffer *buffer;
    dv_pte pte;
    dv_json *note;
    dv_json_at root, method; /* of the note */
} pte_case;

/* Opens folder/NAME.pte and its note; method NULL: forward. A failure stops the test. */
pte_case *pte_case_open(const char *folder, const char *name, const char *method);
void pte_case_close(pte_case *c);

/* Runs the method by divvy with the inputs of the note and compares with its outputs: the largest
   relative RMS difference; NAN if the note has none, INFINITY and a line on stderr if it cannot be
   run. */
double pte_case_error(const pte_case *c, const char *method);

#endif
