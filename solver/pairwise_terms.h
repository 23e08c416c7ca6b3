/* pairwise_terms.h - what pairwise.c and pairwise_terms.c ask of each other. */
#ifndef DV_SOLVER_PAIRWISE_TERMS_H
#define DV_SOLVER_PAIRWISE_TERMS_H

#include "solver/pairwise.h"

/* The pair of the data edge u to v; UINT32_MAX if there is none. */
uint32_t dv_pairwise_edge(const dv_pairwise *m, dv_unit_id u, dv_unit_id v);

/* The index of target a (or its device) among unit u's choices in the pair. */
uint32_t dv_pair_choice(const dv_pairwise *m, const dv_pair *pair, dv_unit_id u, dv_target_id a);

/* Dispatch, moves and session, with the copies' and sessions' rows. */
void dv_pairwise_add_costs(dv_pairwise *m);

/* Capacities, budgets, segments and groups, where they can bind. */
void dv_pairwise_add_limits(dv_pairwise *m);

#endif
