/* path_ilp.h - placement and order together, by the integer program without an order.

   Its relaxation (potentials.c) is a lower bound for every order, certified from the duals. The
   duals also price every label: one that would lift the bound above the known plan's cost is in no
   better plan, and goes. The placement that the relaxation suggests gets its best order, the order
   its best placement, and so on. What is left of the gap, branch and bound on the labels left
   closes, but for segments that no path of the graph shows. */
#ifndef DV_SOLVER_PATH_ILP_H
#define DV_SOLVER_PATH_ILP_H

#include "core/plan.h"
#include "core/progress.h"
#include "solver/pairwise.h"

typedef struct dv_path_settings {
    dv_form form; /* transport or pairwise */
    bool reduce;  /* rule out labels that cannot pay before anything is built */
    /* Simplex iterations of a relaxation, and nodes of branch and bound; 0: no limit. */
    uint32_t iteration_limit, node_limit;
    double tolerance;  /* relative gap that counts as none */
    double deadline_s; /* on dv_clock_s */
    const dv_progress *progress;
} dv_path_settings;

typedef struct dv_path_result {
    double bound_us;      /* no plan in any order costs less; not above the plan's cost */
    const char *method;   /* behind that bound; a constant text, "" if there is none */
    bool infeasible;      /* no placement meets the limits, whatever the order */
    double relaxation_us; /* of the whole program: its certified bound */
    uint32_t columns, rows;
    size_t labels, labels_left; /* before the relaxation, and after its duals priced them */
} dv_path_result;

/* Improves plan (*outcome FEASIBLE: it is evaluated; NONE: there is none yet), placement and order.
   trial: any plan of the problem. Fails only without memory or if GLPK gives up. */
DV_MUST_USE dv_status dv_path_improve(const dv_problem *problem, const dv_path_settings *settings,
                                      dv_plan *trial, dv_plan *plan, dv_outcome *outcome,
                                      dv_path_result *result);

/* About how many columns the program has, before anything is reduced. O(units + edges). */
size_t dv_path_columns(const dv_problem *problem, dv_form form);

#endif
