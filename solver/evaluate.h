/* evaluate.h - what a plan costs. Every formula of the cost semantics lives here, once.

     latency = sum of time[u][x(u)]
             + sum over segments k of dispatch[device of k]
             + sum over used devices d of session[d]
             + sum over tensors t, targets b in B(t), b != x(t) of move(t, x(t), b)

   B(t): targets of t's consumers, and the host if t is an output; inputs start on the host. A
   tensor is sent once per destination. */
#ifndef DV_SOLVER_EVALUATE_H
#define DV_SOLVER_EVALUATE_H

#include "core/plan.h"

/* Sets plan->cost. False if the plan breaks a limit, a pin, a group, support or the order; the cost
   is then INFINITY. O(units + tensors * targets). */
bool dv_evaluate(const dv_problem *problem, dv_plan *plan);

#endif
