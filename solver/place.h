/* place.h - what every rule of placement needs: the best target of a unit, and the unit's way out
   when its rule leaves it nowhere. */
#ifndef DV_SOLVER_PLACE_H
#define DV_SOLVER_PLACE_H

#include "core/plan.h"
#include "core/progress.h"

/* The allowed target of u with the least time on device d (d = DV_NONE: on any device); DV_NONE if
   there is none. O(targets). */
dv_target_id dv_place_fastest(const dv_problem *problem, dv_unit_id u, dv_device_id d);

/* Where u goes when its rule has no place for it: the host's target, else the fastest on the host's
   device, else the fastest of all. O(targets). */
dv_target_id dv_place_fallback(const dv_problem *problem, dv_unit_id u);

/* Brings each group that plan scatters over devices onto one: the one where its units are fastest
   in sum. A group without a common device stays as it is. O(units * (log units + devices)). */
void dv_place_join_groups(const dv_problem *problem, dv_plan *plan);

/* Keeps trial in plan if it meets the limits and is better than plan (or is the first,
 *outcome == DV_OUTCOME_NONE): by makespan if plan holds one, else by latency. Evaluates trial;
 *returns whether it was kept. */
bool dv_place_keep_better(const dv_problem *problem, const dv_progress *progress, dv_plan *trial,
                          dv_plan *plan, dv_outcome *outcome);

#endif
