/* list_schedule.h - insertion-based list scheduling, which heft and peft share. */
#ifndef DV_SOLVER_LIST_SCHEDULE_H
#define DV_SOLVER_LIST_SCHEDULE_H

#include "core/plan.h"
#include "core/progress.h"

/* The mean over the targets that may run u; the mean time of moving tensor t between two different
   targets. */
double dv_mean_time_us(const dv_problem *problem, dv_unit_id u);
double dv_mean_move_us(const dv_problem *problem, uint32_t t);

/* Among the units that are ready takes the one of highest priority (the earlier of equals), and the
   allowed target where its finish plus ahead_us is least (ahead_us: [unit * targets + target], or
   NULL). A device runs one unit at a time, gaps are filled; inputs are there when their producer is
   done and they were moved. Groups stay on the device of their first unit. Writes targets, and the
   order of starts; past the deadline (on progress's clock) nothing of use, and *ended is true.
   DV_NO_MEMORY. O(units * (log units + targets * (inputs + gaps))). */
DV_MUST_USE dv_status dv_list_schedule(const dv_problem *problem, const double *priority,
                                       const double *ahead_us, const dv_progress *progress,
                                       double deadline_s, dv_plan *plan, bool *ended);

#endif
