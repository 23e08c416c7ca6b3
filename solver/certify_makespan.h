/* certify_makespan.h - the makespan of a plan, for certify.c: by the rules of solver/makespan.h
   or solver/subgraphs.h, but sharing no code with their evaluation. */
#ifndef DV_SOLVER_CERTIFY_MAKESPAN_H
#define DV_SOLVER_CERTIFY_MAKESPAN_H

#include "core/plan.h"

/* Of a plan whose order and placement are legal; false without memory. O(units + tensors * targets
 * readers + transfers * log transfers). */
bool dv_certify_makespan_us(const dv_problem *problem, const dv_plan *plan, double *us);

#endif
