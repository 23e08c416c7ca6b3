/* certify.h - an independent check of a plan, from the problem alone, sharing no code with the
   strategies or with evaluate.c. */
#ifndef DV_SOLVER_CERTIFY_H
#define DV_SOLVER_CERTIFY_H

#include "core/plan.h"

typedef struct dv_certificate {
    bool ok;
    char reason[256];            /* what is wrong; "" if ok */
    double latency_us;           /* recomputed */
    double load_us, makespan_us; /* the same; NAN if the plan states none */
} dv_certificate;

/* Checks: the order is topological and complete, every unit supported and on its pin, groups on one
   device, capacities, segment, energy and loss limits, the stated cost (and largest load or
   makespan, if it states one) within 1e-9 relative, and bound <= value. O(units * targets + tensors
   * targets). */
dv_certificate dv_certify(const dv_problem *problem, const dv_plan *plan);

/* The same, and a search for a plan that refutes the bound: of latency, every plan in that order
   with one unit elsewhere. What it does not refute may still be false; no proof is redone. For
   plans from elsewhere: O(units * targets) certificates. */
dv_certificate dv_certify_bound(const dv_problem *problem, const dv_plan *plan);

#endif
