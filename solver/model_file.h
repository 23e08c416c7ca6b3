/* model_file.h - the integer program of a problem as a file for other solvers. */
#ifndef DV_SOLVER_MODEL_FILE_H
#define DV_SOLVER_MODEL_FILE_H

#include "core/problem.h"

/* Writes the pairwise-marginal formulation of the problem (given order, latency) as CPLEX LP or
   free MPS, by the extension of path (.lp, .mps). Whole or nothing. */
DV_MUST_USE dv_status dv_write_ilp(const dv_problem *problem, const char *path);

#endif
