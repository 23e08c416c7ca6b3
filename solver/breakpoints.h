/* breakpoints.h - at which values of a cost the optimal plan changes.

   A cost that enters every plan linearly (the dispatch of a device, a factor on hand-overs) makes
   each plan's latency a straight line and the optimum their lower envelope: concave and piecewise
   linear. All its corners are found with two solves for each. */
#ifndef DV_SOLVER_BREAKPOINTS_H
#define DV_SOLVER_BREAKPOINTS_H

#include "core/plan.h"
#include "core/progress.h"

typedef enum dv_parameter_kind {
    DV_PARAMETER_DISPATCH, /* of a device, in us */
    DV_PARAMETER_SESSION,  /* of a device, in us */
    DV_PARAMETER_HANDOVER, /* factor on all moves */
    DV_PARAMETER_LATENCY,  /* factor on the fixed part of moves */
    DV_PARAMETER_TRAFFIC,  /* factor on the part of moves that grows with the bytes */
} dv_parameter_kind;

typedef struct dv_parameter {
    dv_parameter_kind kind;
    dv_device_id device; /* DISPATCH, SESSION */
    double low, high;
} dv_parameter;

typedef struct dv_interval { /* of values for which one plan is optimal */
    double low, high;
    dv_plan *plan;          /* cost is that at low */
    double low_us, high_us; /* its latency at both ends */
} dv_interval;

typedef struct dv_breakpoints {
    dv_interval *intervals; /* ascending, without gaps, from the parameter's low to its high */
    uint32_t count;
    bool exact; /* every solve was proven optimal for the given order */
    uint32_t solves;
} dv_breakpoints;

/* All plans that are optimal, for the problem's order, at some value from low to high. Plans that
   are only as good as others everywhere are not told apart. Fails without memory, with
   DV_BAD_PARAMETER for a range that is none, DV_NEGATIVE if no plan meets the limits, or with
   DV_INTERRUPTED. *out may be freed in any case. */
DV_MUST_USE dv_status dv_breakpoints_find(const dv_problem *problem, const dv_parameter *parameter,
                                          const dv_progress *progress, dv_breakpoints *out);
void dv_breakpoints_free(dv_breakpoints *breakpoints);

#endif
