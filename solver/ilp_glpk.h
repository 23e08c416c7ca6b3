/* ilp_glpk.h - GLPK behind a small door: relaxation, then branch and bound, of a dv_linear.

   GLPK prints and aborts; here it does neither: its terminal output is off, its error hook becomes
   DV_INTERNAL, and a stop asked for through the progress ends it within some 50 ms. */
#ifndef DV_SOLVER_ILP_GLPK_H
#define DV_SOLVER_ILP_GLPK_H

#include "core/progress.h"
#include "solver/linear.h"

typedef struct dv_glpk dv_glpk;

typedef enum dv_glpk_outcome {
    DV_GLPK_OPTIMAL,
    DV_GLPK_INFEASIBLE,
    DV_GLPK_LIMIT,  /* deadline, stop or limit; x may hold a point (see below) */
    DV_GLPK_FAILED, /* numerical trouble */
} dv_glpk_outcome;

typedef struct dv_glpk_control {
    double deadline_s; /* on progress's clock */
    const dv_progress *progress;
    double tolerance;    /* relative gap that ends branch and bound */
    double scale;        /* costs are multiplied by it for GLPK alone; positive */
    const double *start; /* an integral point to prune with, or NULL; column_count entries */
    bool dual;           /* relax by the dual simplex method */
    /* Simplex iterations of the relaxation, and nodes of branch and bound; 0: no limit. */
    uint32_t iteration_limit, node_limit;
} dv_glpk_control;

/* Loads linear (borrowed until destroyed). */
DV_MUST_USE dv_status dv_glpk_create(const dv_linear *linear, double scale, dv_glpk **out);
void dv_glpk_destroy(dv_glpk *glpk); /* NULL is allowed */

/* Solves the relaxation by the simplex method from the given basis (both NULL: GLPK's own
   advanced basis). x: values, y: row multipliers in the units of the costs, both of OPTIMAL, and y
   also of LIMIT where the method left any (else zero). */
DV_MUST_USE dv_status dv_glpk_relax(dv_glpk *glpk, const dv_glpk_control *control,
                                    const bool *basic_column, const bool *basic_row, double *x,
                                    double *y, dv_glpk_outcome *outcome);

/* Branch and bound after an optimal relaxation. x: the best point, if *found; *bound: proven lower
   bound of the integer program, -INFINITY if none. */
DV_MUST_USE dv_status dv_glpk_branch(dv_glpk *glpk, const dv_glpk_control *control, double *x,
                                     bool *found, double *bound, dv_glpk_outcome *outcome);

#endif
