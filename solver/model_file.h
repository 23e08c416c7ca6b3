/* model_file.h - the integer program of a problem as a file for other solvers. */
#ifndef DV_SOLVER_MODEL_FILE_H
#define DV_SOLVER_MODEL_FILE_H

#include "solver/pairwise.h"

/* Writes the program of the problem (latency; the given order, or any: then the forms are transport
   and pairwise) as CPLEX LP or free MPS, by the extension of path (.lp, .mps). Whole or nothing. */
DV_MUST_USE dv_status dv_write_ilp(const dv_problem *problem, dv_form form, bool free_order,
                                   const char *path);

#endif
