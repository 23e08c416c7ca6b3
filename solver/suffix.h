/* suffix.h - what the rest of an order costs: dynamic programming from its end.

   The mirror image of frontier.h. For the units from place k on, all that the units before need to
   know is: the device of the first, which sessions they use, where the groups under way are, and
   for every tensor that comes from before the targets that ask for it. Rest A makes rest B
   superfluous if, whatever came before, A costs no more:

     cost(A) + sum over tensors of the dearest way to serve what A asks for and B does not
             + dispatch of A's first device if B starts on another
             + sessions that A uses and B does not  <=  cost(B)

   No known plan prunes it, so it holds for every beginning, good or bad: that is what the costs of
   pinned units (marginals.h) and of the next best plans (k_best.h) need. */
#ifndef DV_SOLVER_SUFFIX_H
#define DV_SOLVER_SUFFIX_H

#include "core/plan.h"
#include "core/progress.h"
#include "solver/labels.h"

typedef struct dv_suffix_layer {
    uint32_t count, live_count;
    uint32_t *live; /* per slot: a tensor from before that the rest reads */
    uint64_t *key;  /* [state * width]: first device, used devices, targets per slot, groups */
    double *cost;   /* ascending */
    uint32_t *next; /* per state: the state of the layer behind */
    dv_target_id *choice; /* per state: of the unit at this place */
} dv_suffix_layer;

typedef struct dv_suffix {
    const dv_problem *problem;
    const dv_labels *labels;
    const dv_unit_id *order;
    dv_suffix_layer *layers; /* unit_count + 1: of the rest from that place on */
    uint32_t *place;         /* per unit */
    uint32_t *first_read;    /* per tensor: place of its first consumer */
    uint32_t *group_index;   /* per unit: 0.. by first unit, UINT32_MAX: none */
    uint32_t *group_first;   /* per group: the first place of its units */
    uint32_t group_count;
    bool exact; /* no state was dropped for lack of room */
    size_t states;
} dv_suffix;

/* Can the method hold the problem: as frontier, and at most 64 targets? */
bool dv_suffix_serves(const dv_problem *problem);

/* labels and order are borrowed. state_limit: kept in one layer; the cheapest stay. Fails without
   memory, and with DV_INTERRUPTED if asked to stop; *suffix may be freed in any case. */
DV_MUST_USE dv_status dv_suffix_create(const dv_problem *problem, const dv_labels *labels,
                                       const dv_unit_id *order, uint32_t state_limit,
                                       const dv_progress *progress, dv_suffix *suffix);
void dv_suffix_free(dv_suffix *suffix);

/* What the units before a place have left behind. */
typedef struct dv_prefix {
    double cost;
    dv_device_id last; /* DV_NONE before the first unit */
    uint64_t used;
    double *need;        /* [tensor * targets]: to have it there; valid for live tensors */
    dv_device_id *group; /* per group; DV_NONE: open */
} dv_prefix;

DV_MUST_USE dv_status dv_prefix_create(const dv_suffix *suffix, dv_prefix *prefix);
void dv_prefix_free(dv_prefix *prefix);

/* Before the first unit. */
void dv_prefix_begin(const dv_suffix *suffix, dv_prefix *prefix);

/* to = from with the unit at place k on target a; false if its group is elsewhere.
   O(live tensors * targets). */
bool dv_prefix_step(const dv_suffix *suffix, const dv_prefix *from, uint32_t k, dv_target_id a,
                    dv_prefix *to);

/* The least cost of any plan that goes on from place k like this, if it is below limit: else limit.
 *state: the rest that attains it, if not NULL. O(states * slots * targets). */
double dv_suffix_least(const dv_suffix *suffix, uint32_t k, const dv_prefix *prefix, double limit,
                       uint32_t *state);

/* Writes the targets of the rest. */
void dv_suffix_follow(const dv_suffix *suffix, uint32_t k, uint32_t state, dv_target_id *target);

#endif
