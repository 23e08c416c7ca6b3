/* subgraphs_states.h - the states of each ideal: dominated ones dropped, the most promising kept.

   A state of an ideal is how many devices have their subgraph, the ends of the units that somebody
   outside still reads (its live units), and the latest end of all. Times in microseconds. */
#ifndef DV_SOLVER_SUBGRAPHS_STATES_H
#define DV_SOLVER_SUBGRAPHS_STATES_H

#include "solver/lattice.h"
#include "solver/subgraphs.h"

enum { DV_SUBGRAPHS_STATES = 200 }; /* of one ideal, at most */

typedef struct dv_subgraphs_state {
    double last_us, bound_us;
    size_t ends; /* where its ends begin; as many as its ideal has live units */
    uint32_t parent, ideal, used;
    bool host; /* the last piece joined on the host */
} dv_subgraphs_state;

/* A unit of an ideal that somebody outside still reads. */
typedef struct dv_subgraphs_live {
    dv_unit_id unit;
    double tail_us; /* what reads it from outside, and what follows, takes at least so long */
} dv_subgraphs_live;

/* The search along one lattice, and what all lattices share. */
typedef struct dv_subgraphs_dp {
    const dv_problem *p;
    const dv_problem *pieces;
    const uint32_t *piece; /* per unit */
    const dv_lattice *lattice;
    const dv_unit_id *order; /* of pieces, for a chain; NULL: all ideals */
    uint32_t *member_start;  /* per piece + 1: its units */
    dv_unit_id *member;
    const dv_subgraphs_path *path;
    uint32_t *path_at; /* per ideal: how many of the path's units it holds */
    double *tail_us;   /* per unit: what follows takes at least so long */
    dv_target_id accelerator;
    uint32_t accelerators;
    double upper_us, deadline_s;

    dv_subgraphs_state *states; /* all of them */
    size_t state_count, state_capacity;
    double *ends;
    size_t end_count, end_capacity;
    uint32_t *list, *list_count; /* [ideal * DV_SUBGRAPHS_STATES + i]: states of an ideal */
    dv_subgraphs_live **live;    /* per ideal; NULL: not met yet */
    uint32_t *live_count;

    bool *inside;      /* per piece: in the ideal at hand */
    bool *taken;       /* per piece: in the subgraph at hand */
    uint32_t *outside; /* per tensor of a taken piece: readers not taken */
    uint32_t *fetched; /* per tensor: how many taken units read it from outside */
    uint32_t *seen;    /* per ideal: the ideal from which the walk last met it */
    double bytes, busy_us;
    dv_unit_id *makers; /* of what was fetched; those of inputs left out */
    uint32_t maker_count;
    double *row; /* [state of the ideal at hand * units + unit]: ends */
    double dropped_us;
    bool failed, late;
} dv_subgraphs_dp;

/* Fills tail_us. O(units + edges). */
void dv_subgraphs_find_tails(dv_subgraphs_dp *d);

/* Lists the live units of ideal j, which is what is inside and taken, and how far the path is in
   it; at once if that was done before. False without memory. O(units + edges). */
DV_MUST_USE bool dv_subgraphs_list_live(dv_subgraphs_dp *d, uint32_t j);

/* Adds a state to ideal j, whose live units are listed: last_us, parent, used and host of new are
   set, ends has an end per live unit. Left out: a state whose bound does not beat upper_us, one
   that another of the ideal dominates, and the one with the worst bound where the ideal has all
   that it may; dropped_us is lowered to that bound. Sets failed without memory.
   O(states * live units). */
void dv_subgraphs_enter(dv_subgraphs_dp *d, uint32_t j, const double *ends, dv_subgraphs_state new);

/* Frees the states and all that is kept per ideal; the lattice must still be there. */
void dv_subgraphs_free_states(dv_subgraphs_dp *d);

#endif
