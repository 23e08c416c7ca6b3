/* load_knapsack.h - the heaviest set of pieces that one device can hold, for every load at once.

   Pieces are decided one after another. A state says of every tensor under way what its ends have
   in common: nothing known yet, made elsewhere and not fetched, made here and not left, or settled.
   Per state the pairs of load and weight that no other beats are kept, at most one in each of some
   hundred intervals of load: the smallest load with the greatest weight found there. */
#ifndef DV_SOLVER_LOAD_KNAPSACK_H
#define DV_SOLVER_LOAD_KNAPSACK_H

#include "core/problem.h"

typedef struct dv_load_way { /* tensors with the same ends as one */
    dv_unit_id maker;        /* DV_NONE: the host */
    uint32_t tensor;         /* one of them: its readers */
    bool host_needs;
    double in_us, out_us;
    uint32_t first, last; /* pieces */
    uint32_t slot;        /* where a state has it */
} dv_load_way;

typedef struct dv_load_layer { /* after so many pieces */
    uint32_t entry_count;
    uint32_t *from; /* per entry: 2 * entry of the layer before + whether the piece is taken */
} dv_load_layer;

typedef struct dv_load_knapsack {
    const dv_problem *pieces; /* borrowed */
    dv_device_id device;
    uint32_t intervals; /* of load, at least 1; may be changed before a solve */
    bool fits;          /* else there are too many tensors under way at once */
    dv_load_way *way;
    uint32_t way_count;
    uint32_t *at_start, *at;  /* per piece: its ways */
    dv_load_layer *layer;     /* pieces + 1 */
    double *load_us, *weight; /* of the last layer's entries, both ascending */
    uint32_t count;
} dv_load_knapsack;

/* Free it also after a failure. */
DV_MUST_USE dv_status dv_load_knapsack_create(const dv_problem *pieces, dv_device_id device,
                                              dv_load_knapsack *out);
void dv_load_knapsack_free(dv_load_knapsack *knapsack);

/* For loads up to upper_us. Takes the entries made from *work; *complete is false where that was
   not enough. */
DV_MUST_USE dv_status dv_load_knapsack_solve(dv_load_knapsack *knapsack, const double *weight,
                                             double upper_us, size_t *work, bool *complete);

/* At least the weight of any set with that load, at most upper_us. */
double dv_load_knapsack_value(const dv_load_knapsack *knapsack, double load_us);

/* A set that has about this weight. taken: per piece. */
void dv_load_knapsack_set(const dv_load_knapsack *knapsack, double load_us, bool *taken);

#endif
