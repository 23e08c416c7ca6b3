/* pairwise_terms.h - what pairwise.c and pairwise_terms.c ask of each other. */
#ifndef DV_SOLVER_PAIRWISE_TERMS_H
#define DV_SOLVER_PAIRWISE_TERMS_H

#include "solver/pairwise.h"

/* The pair of the data edge u to v; UINT32_MAX if there is none. */
uint32_t dv_pairwise_edge(const dv_pairwise *m, dv_unit_id u, dv_unit_id v);

/* The index of target a (or its device) among unit u's choices in the pair. */
uint32_t dv_pair_choice(const dv_pairwise *m, const dv_pair *pair, dv_unit_id u, dv_target_id a);

/* The column of x[u,a]. */
static inline uint32_t dv_place_column(const dv_pairwise *m, dv_unit_id u, dv_target_id a)
{
    return m->place[(size_t)u * m->problem->target_count + a];
}

/* Can u be on device d at all, or elsewhere? O(targets). */
bool dv_pairwise_may_be_on(const dv_pairwise *m, dv_unit_id u, dv_device_id d);
bool dv_pairwise_may_be_off(const dv_pairwise *m, dv_unit_id u, dv_device_id d);

/* Adds value * (is u on device d?) to the last row. */
void dv_pairwise_add_on(dv_pairwise *m, dv_unit_id u, dv_device_id d, double value);

/* Adds value * (is pair's v on device d, and u not?) to the last row. */
void dv_pairwise_add_entering(dv_pairwise *m, const dv_pair *pair, dv_device_id d, double value);

/* Does entering device d cost anything, or count? */
bool dv_pairwise_device_counts(const dv_problem *problem, dv_device_id d);

/* Says column cover >= column under. */
void dv_pairwise_add_cover(dv_pairwise *m, uint32_t cover, uint32_t under);

/* The naive, aggregated and transport forms (products.c): moves of tensor t, made by a unit; s of
   entering each device after unit u on the way to v, its columns into columns[device]. */
void dv_product_add_moves(dv_pairwise *m, uint32_t t);
void dv_product_add_entering(dv_pairwise *m, dv_unit_id u, dv_unit_id v, uint32_t at,
                             uint32_t *columns);

/* Dispatch without an order (potentials.c): which edges count is settled before pairs are made. */
DV_MUST_USE dv_status dv_potentials_create(dv_pairwise *m);
bool dv_potentials_edge_counts(const dv_pairwise *m, uint32_t edge);
void dv_potentials_add(dv_pairwise *m);
void dv_potentials_add_segment_limit(dv_pairwise *m);
void dv_potentials_point(const dv_pairwise *m, const dv_target_id *target, double *x);
void dv_potentials_free(struct dv_potentials *potentials);

/* Dispatch, moves and session, with the copies' and sessions' rows. */
void dv_pairwise_add_costs(dv_pairwise *m);

/* Capacities, budgets, segments and groups, where they can bind. */
void dv_pairwise_add_limits(dv_pairwise *m);

#endif
