/* evaluate.h - what a plan costs. Every formula of the cost semantics lives here, once.

     latency = sum of time[u][x(u)]
             + sum over segments k of dispatch[device of k]
             + sum over used devices d of session[d]
             + sum over tensors t, targets b in B(t), b != x(t) of move(t, x(t), b)

   B(t): targets of t's consumers, and the host if t is an output; inputs start on the host. A
   tensor is sent once per destination.

     load[d] = sum of time[u][x(u)] over units on d + dispatch[d] per segment + session[d] if used
             + sum over tensors made on d that another device or the host needs of move(t, x, host)
             + sum over tensors made elsewhere that d reads of move(t, host, x)

   throughput is the reciprocal of the largest load: in a pipeline every device works on another
   sample. Tensors between two devices pass through the host's memory, so both pay, each once
   whatever the number of readers; the host itself pays nothing (Tarnawski et al., "Efficient
   Algorithms for Device Placement of DNN Graph Operators", NeurIPS 2020).

   makespan is the length of the schedule in which devices and links work at the same time:
   solver/makespan.h has its rules. */
#ifndef DV_SOLVER_EVALUATE_H
#define DV_SOLVER_EVALUATE_H

#include "core/plan.h"

/* Sets plan->cost. False if the plan breaks a limit, a pin, a group, support or the order; the cost
   is then INFINITY. O(units + tensors * targets). */
bool dv_evaluate(const dv_problem *problem, dv_plan *plan);

/* What one device's side of the way between target a and the host's memory costs: tensor t read
   from there, or left there. Targets of the host's device pay nothing. */
static inline double dv_load_in_us(const dv_problem *problem, uint32_t t, dv_target_id a)
{
    bool host = problem->device[a] == problem->device[problem->host];
    return host ? 0.0 : dv_problem_move_us(problem, t, problem->host, a);
}

static inline double dv_load_out_us(const dv_problem *problem, uint32_t t, dv_target_id a)
{
    bool host = problem->device[a] == problem->device[problem->host];
    return host ? 0.0 : dv_problem_move_us(problem, t, a, problem->host);
}

/* The largest load of a device under a plan that dv_evaluate accepts; INFINITY without memory.
   Where a device reads a tensor on several targets, the dearest counts. O(units + tensors *
   devices). */
double dv_evaluate_load_us(const dv_problem *problem, const dv_plan *plan);

/* When everything is done if devices and links overlap, under a plan that dv_evaluate accepts;
   INFINITY without memory. For many plans of one problem, dv_makespan_us saves the allocations. */
double dv_evaluate_makespan_us(const dv_problem *problem, const dv_plan *plan);

#endif
