/* throughput.h - the least largest load of a device: contiguous splits, exact. */
#ifndef DV_SOLVER_THROUGHPUT_H
#define DV_SOLVER_THROUGHPUT_H

#include "solver/strategy.h"

/* Fills plan as a strategy does. First the best way to cut one topological order into pieces, then
   the best contiguous split if the graph has no more than ideal_limit ideals. DV_BAD_PARAMETER for
   a problem that it cannot hold. */
DV_MUST_USE dv_status dv_throughput_solve(const dv_problem *problem,
                                          const dv_solve_options *options, uint32_t ideal_limit,
                                          dv_plan *plan, dv_outcome *outcome);

#endif
