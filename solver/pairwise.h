/* pairwise.h - the integer program of a placement with the order given: pairwise marginals.

   x[u,a] = 1 if unit u is on target a. For every pair (u,v) that a cost joins - v reads from u, or
   v follows u in the order - m[u,v,a,b] is the joint choice, with the x as its marginals:

     sum_a x[u,a] = 1      sum_b m[u,v,a,b] = x[u,a]      sum_a m[u,v,a,b] = x[v,b]

   Dispatch and moves are costs of the m; a tensor with several consumers pays a copy
   w[t,a,b] >= m[u,v,a,b] once for all of them. On a chain this is the exact hull of the plans; on
   real networks the relaxation is nearly always integral, which the textbook product linearisation
   never is. Three things keep it small: a unit with one label left has no m, its partner's x does
   the job; a pair that only dispatch joins is over devices, not targets; the last marginal row of a
   pair follows from the others. */
#ifndef DV_SOLVER_PAIRWISE_H
#define DV_SOLVER_PAIRWISE_H

#include "core/plan.h"
#include "solver/labels.h"
#include "solver/linear.h"

typedef struct dv_pair {
    dv_unit_id u, v;
    bool by_device;  /* choices are devices, else targets */
    uint32_t column; /* of the first choice of both; UINT32_MAX: one of the units has one choice */
    uint32_t u_choices, v_choices;
} dv_pair;

typedef enum dv_form { /* in the order of strength */
                       DV_FORM_NAIVE,
                       DV_FORM_AGGREGATED,
                       DV_FORM_TRANSPORT,
                       DV_FORM_PAIRWISE,
} dv_form;

typedef struct dv_pairwise {
    const dv_problem *problem; /* borrowed, as are labels and order */
    const dv_labels *labels;
    const dv_unit_id *order; /* NULL: any */
    dv_form form;
    dv_linear linear;
    uint32_t *place;        /* [unit * targets + target]: column of x, or UINT32_MAX */
    uint32_t *rank;         /* [unit * targets + target]: its index among the unit's labels */
    uint32_t *device_rank;  /* [unit * targets + target]: its device's index among the unit's */
    uint32_t *device_count; /* per unit */
    dv_pair *pair;
    uint32_t pair_count;
    uint32_t *edge_pair;   /* per entry of problem->next: its pair, or UINT32_MAX */
    uint32_t *follow_pair; /* per place k > 0 of the order: the pair (k - 1, k), or UINT32_MAX */
    /* Column of s, or UINT32_MAX: [place * devices + device], the device entered there; without an
       order [entry of problem->next * devices + device], along that edge. */
    uint32_t *entering;
    uint32_t *copy;                   /* target_count entries to work in */
    struct dv_potentials *potentials; /* NULL with an order */
} dv_pairwise;

/* Builds the program; labels and order must outlive it. Without an order (NULL) the forms are
   transport and pairwise. DV_NO_MEMORY if it does not fit. */
DV_MUST_USE dv_status dv_pairwise_build(const dv_problem *problem, const dv_labels *labels,
                                        const dv_unit_id *order, dv_form form, dv_pairwise *out);
void dv_pairwise_free(dv_pairwise *model);

/* The columns' values that a plan's placement means; x: column_count entries. */
void dv_pairwise_point(const dv_pairwise *model, const dv_target_id *target, double *x);

/* Of the pairwise form, a basis whose vertex is the placement's point x: basic_column[j],
   basic_row[r], as many trues as rows. For each pair the cells in the row and the column of the
   chosen cell form a spanning tree of the pair's transportation problem. */
void dv_pairwise_basis(const dv_pairwise *model, const dv_target_id *target, const double *x,
                       bool *basic_column, bool *basic_row);

/* The placement that x rounds to: each unit's largest. *integral: whether every one is within 1e-6
   of 0 or 1. */
void dv_pairwise_round(const dv_pairwise *model, const double *x, dv_target_id *target,
                       bool *integral);

#endif
