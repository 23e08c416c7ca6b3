/* relaxation.h - what the linear relaxation of a formulation says: for studies and benches. */
#ifndef DV_SOLVER_RELAXATION_H
#define DV_SOLVER_RELAXATION_H

#include "solver/pairwise.h"

typedef struct dv_relaxation {
    double bound_us; /* certified from the duals; INFINITY if GLPK finds it infeasible */
    bool finished;   /* else the deadline came first, and the bound is weaker than the relaxation */
    bool integral;   /* its solution is a placement */
    uint32_t columns, rows;
    size_t entries;
    double seconds; /* of the simplex method */
} dv_relaxation;

/* The relaxation of the whole program of the problem, nothing reduced; free_order as in
   dv_pairwise_build. deadline_s: on dv_clock_s. */
DV_MUST_USE dv_status dv_relaxation_find(const dv_problem *problem, dv_form form, bool free_order,
                                         double deadline_s, dv_relaxation *out);

#endif
