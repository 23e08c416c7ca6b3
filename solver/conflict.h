/* conflict.h - why no plan meets the limits: a smallest set of them that cannot hold together.

   An irreducible infeasible set by deletion (Chinneck, Dravnieks, ORSA J. Computing 3(2), 1991):
   limits go, first many at a time, as long as what stays is proven to be infeasible. Of the set
   that is left each one is needed: without it the others can be met. */
#ifndef DV_SOLVER_CONFLICT_H
#define DV_SOLVER_CONFLICT_H

#include "core/problem.h"
#include "core/progress.h"

typedef enum dv_limit_kind {
    DV_LIMIT_GROUP,    /* index: the group's number */
    DV_LIMIT_PIN,      /* index: the unit */
    DV_LIMIT_CAPACITY, /* index: the device */
    DV_LIMIT_SEGMENTS,
    DV_LIMIT_LOSS,
    DV_LIMIT_ENERGY,
} dv_limit_kind;

typedef struct dv_limit {
    dv_limit_kind kind;
    uint32_t index;
    /* What any plan under the other limits of the set takes at least of what this one bounds
       (bytes, segments, loss, uJ); NAN for pins and groups, and where time ran out. */
    double least;
} dv_limit;

typedef struct dv_conflict {
    dv_limit *limits;
    uint32_t count;   /* 0: the limits can be met, or nothing was proven in time */
    bool minimal;     /* each one is proven to be needed */
    bool given_order; /* a number of segments is among them: proven for the problem's order only */
} dv_conflict;

/* Proofs are sums of least amounts, else integer programs on the time that is left. deadline_s:
   wall time from the call. DV_INTERRUPTED if asked to stop, DV_NO_MEMORY; *out may be freed in any
   case. */
DV_MUST_USE dv_status dv_conflict_find(const dv_problem *problem, double deadline_s,
                                       const dv_progress *progress, dv_conflict *out);
void dv_conflict_free(dv_conflict *conflict);

#endif
