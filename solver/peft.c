/* peft.c - predict earliest finish time: list scheduling that looks ahead.

   An optimistic cost table says for each unit and target how long the dearest way to the end takes
   at least, if every later unit may choose its target:

     oct(u, a) = max over readers v of min over targets b of
                 oct(v, b) + time(v, b) + mean move(u, v) if a != b

   Ready units by falling mean of their row, each to the target where finish + oct is least. The
   schedule is made for devices that overlap; its placement and order are then paid for one after
   another. Simplified as heft. O(units * log units + edges * targets^2). */
#include <math.h>
#include <stdlib.h>

#include "solver/list_schedule.h"
#include "solver/place.h"
#include "solver/strategy.h"

static double best_from(const dv_problem *problem, const double *oct, dv_unit_id v, dv_target_id a,
                        double move_us)
{
    double best = INFINITY;
    for (dv_target_id b = 0; b < problem->target_count; b++)
        if (dv_problem_allows(problem, v, b))
            best = fmin(best, oct[(size_t)v * problem->target_count + b] +
                                  dv_problem_time_us(problem, v, b) + (a != b ? move_us : 0.0));
    return best;
}

static void look_ahead(const dv_problem *problem, double *oct, double *priority)
{
    uint32_t targets = problem->target_count;
    for (dv_unit_id u = problem->unit_count; u-- > 0;) {
        double *row = oct + (size_t)u * targets;
        for (uint32_t i = problem->unit_output_start[u]; i < problem->unit_output_start[u + 1];
             i++) {
            uint32_t t = problem->unit_outputs[i];
            double move = dv_mean_move_us(problem, t);
            for (uint32_t c = problem->consumer_start[t]; c < problem->consumer_start[t + 1]; c++)
                for (dv_target_id a = 0; a < targets; a++)
                    row[a] = fmax(row[a], best_from(problem, oct, problem->consumers[c], a, move));
        }
        uint32_t count = 0;
        for (dv_target_id a = 0; a < targets; a++)
            if (dv_problem_allows(problem, u, a)) {
                priority[u] += row[a];
                count++;
            }
        priority[u] /= count;
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
    size_t units = (size_t)problem->unit_count + 1;
    double *oct = calloc(units * problem->target_count, sizeof *oct);
    double *priority = calloc(units, sizeof *priority);
    dv_status status =
        oct && priority ? DV_OK : dv_fail(DV_NO_MEMORY, "strategy peft: out of memory");
    if (status == DV_OK) {
        look_ahead(problem, oct, priority);
        status =
            dv_list_schedule(problem, priority, oct, options->progress, deadline_s, trial, &ended);
    }
    if (status == DV_OK && !ended)
        dv_place_keep_better(problem, options->progress, trial, plan, outcome);
    free(oct);
    free(priority);
    dv_plan_destroy(trial);
    return status;
}

const dv_strategy dv_strategy_peft = {
    .name = "peft",
    .summary = "list scheduling with a table of optimistic costs ahead",
    .citation = "Arabnejad, Barbosa, IEEE TPDS 25(3), 2014",
    .objectives = DV_OBJECTIVE_LATENCY | DV_OBJECTIVE_MAKESPAN,
    .solve = solve,
};
