/* fuzz.h - one entry point a format: any bytes go as deep as a user's file would.

   libFuzzer calls one of them (entry.c, run.sh); the suite of test_corpus.c calls all of them with
   the committed files. What is expected of every file: the work ends; each failure is one of bad
   input, with a message; memory stays within what the file's length justifies. What breaks this
   aborts the process. */
#ifndef DV_TESTS_FUZZ_H
#define DV_TESTS_FUZZ_H

#include "core/file.h"
#include "core/graph.h"
#include "core/problem.h"

#define FUZZ_TARGET(name) int dv_fuzz_##name(const uint8_t *data, size_t size);
#include "tests/fuzz/targets.def"
#undef FUZZ_TARGET

/* ---- shared by fuzz_*.c ---- */

/* Aborts unless condition holds, and says what did not. */
void dv_fuzz_expect(bool condition, const char *what);

/* True if status is DV_OK; aborts unless it is that or the input's fault with a message. */
bool dv_fuzz_accepted(dv_status status);

/* The bytes as a buffer that a sanitizer guards to the byte; free with dv_fuzz_free. */
dv_buffer *dv_fuzz_buffer(const uint8_t *data, size_t size);
void dv_fuzz_free(dv_buffer *buffer);

/* Loads as a person does, who gives a dimension that the refusal asks for by --dim NAME=N. */
DV_MUST_USE dv_status dv_fuzz_load(const char *path, dv_buffer *buffer, dv_graph **out);

/* From load to plan, as the name of the file has it: load, print, write, lower, count, costs, a
   plan. */
int dv_fuzz_model(const char *path, const uint8_t *data, size_t size);

/* Plans by the quick strategies, each written and read back. graph and platform may be NULL. */
void dv_fuzz_solve(const dv_problem *problem, const dv_graph *graph, const dv_platform *platform);

/* A small network and the problem that it poses on a platform; made once. */
const dv_graph *dv_fuzz_network(void);
const dv_platform *dv_fuzz_host(void);

/* ---- memory ---- */

/* What a program that reads a file of that length may hold at a time, in bytes. */
size_t dv_fuzz_allowance(size_t size);

/* Aborts on the allocation that goes beyond, from begin to end. Counts under AddressSanitizer only;
   elsewhere the caller sets a limit on the process. */
void dv_fuzz_memory_begin(size_t allowance);
void dv_fuzz_memory_end(void);

#endif
