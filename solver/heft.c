/* heft.c - heterogeneous earliest finish time.

   Units by falling upward rank (mean time plus the dearest way to the end, with mean moves), each
   to the target where it finishes first, gaps filled. It builds a schedule for devices that
   overlap; here its placement and its order of starts are then paid for one after another.

   Simplified: a processor is a device, on which each of its targets (precisions) is tried; outputs'
   way to the host, dispatch and sessions are not in its view, as in the paper. Units of a group
   follow the first of them. O(units * (log units + targets * (inputs + gaps))). */
#include <math.h>
#include <stdlib.h>

#include "solver/list_schedule.h"
#include "solver/place.h"
#include "solver/strategy.h"

static void rank_upward(const dv_problem *problem, double *rank)
{
    for (dv_unit_id u = problem->unit_count; u-- > 0;) {
        double ahead = 0.0;
        for (uint32_t i = problem->unit_output_start[u]; i < problem->unit_output_start[u + 1];
             i++) {
            uint32_t t = problem->unit_outputs[i];
            double move = dv_mean_move_us(problem, t);
            for (uint32_t c = problem->consumer_start[t]; c < problem->consumer_start[t + 1]; c++)
                ahead = fmax(ahead, move + rank[problem->consumers[c]]);
        }
        rank[u] = dv_mean_time_us(problem, u) + ahead;
    }
}

static dv_status solve(const dv_problem *problem, const dv_solve_options *options,
                       const dv_param_value *values, dv_plan *plan, dv_outcome *outcome)
{
    (void)values;
    *outcome = DV_OUTCOME_NONE;
    double deadline_s = dv_solve_deadline_s(options);
    bool ended = false;
    dv_plan *trial = NULL;
    DV_TRY(dv_plan_create(problem, &trial));
    double *rank = calloc((size_t)problem->unit_count + 1, sizeof *rank);
    dv_status status = rank ? DV_OK : dv_fail(DV_NO_MEMORY, "strategy heft: out of memory");
    if (status == DV_OK) {
        rank_upward(problem, rank);
        status =
            dv_list_schedule(problem, rank, NULL, options->progress, deadline_s, trial, &ended);
    }
    if (status == DV_OK && !ended)
        dv_place_keep_better(problem, options->progress, trial, plan, outcome);
    free(rank);
    dv_plan_destroy(trial);
    return status;
}

const dv_strategy dv_strategy_heft = {
    .name = "heft",
    .summary = "list scheduling by upward rank to the earliest finish",
    .citation = "Topcuoglu, Hariri, Wu, IEEE TPDS 13(3), 2002",
    .objectives = DV_OBJECTIVE_LATENCY | DV_OBJECTIVE_MAKESPAN,
    .solve = solve,
};
