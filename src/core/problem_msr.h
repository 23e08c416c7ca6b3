/* problem_msr.h - what problem_read.c and problem_msr.c ask of each other. */
#ifndef DV_CORE_PROBLEM_MSR_H
#define DV_CORE_PROBLEM_MSR_H

#include "core/json.h"
#include "core/problem.h"

/* Does the document look like one: no noun of ours, but accelerators, nodes and edges? */
bool dv_problem_is_msr(const dv_json_at *root);

/* Fills problem from a device-placement instance (doc/formats.md); dv_problem_finish is left to the
   caller. */
DV_MUST_USE dv_status dv_problem_read_msr(const dv_json_at *root, dv_problem *problem);

#endif
