/* lattice.h - all ideals of a graph (sets of units closed under producers), and which unit leads
   from one to another. */
#ifndef DV_SOLVER_LATTICE_H
#define DV_SOLVER_LATTICE_H

#include "core/problem.h"

typedef struct dv_lattice {
    uint32_t count;      /* ideals, by size; the first is empty, the last is everything */
    uint32_t *start;     /* count + 1 */
    uint32_t *child;     /* ideals of one unit more */
    dv_unit_id *by;      /* that unit */
    uint32_t word_count; /* of one set */
    uint64_t *set;       /* [ideal * word_count + unit / 64]; NULL for a chain */
    uint32_t *place;     /* of a chain, per unit: its place in the order; else NULL */
} dv_lattice;

/* All ideals, unless there are more than limit: then *complete is false and out is empty. */
DV_MUST_USE dv_status dv_lattice_build(const dv_problem *problem, uint32_t limit, dv_lattice *out,
                                       bool *complete);

/* Only the prefixes of an order. */
DV_MUST_USE dv_status dv_lattice_chain(const dv_problem *problem, const dv_unit_id *order,
                                       dv_lattice *out);
void dv_lattice_free(dv_lattice *lattice);

#endif
