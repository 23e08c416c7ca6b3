/* bench_solver.c - time to proof of the exact strategies on generated families.

   Prints a Markdown table: one row a problem, for each strategy the milliseconds until it ended and
   whether it proved the optimum, or the gap that it left. Usage: bench_solver [SECONDS] [STRATEGY...]
   (default: 60 s for each solve; every exact strategy). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "solver/strategy.h"
#include "tests/random_problem.h"

static const struct {
    const char *name;
    dv_random_shape shape;
    uint32_t units;
} families[] = {
    {"chain", DV_RANDOM_CHAIN, 60},
    {"chain", DV_RANDOM_CHAIN, 150},
    {"resnet", DV_RANDOM_RESNET, 123},
    {"transformer", DV_RANDOM_TRANSFORMER, 408},
    {"random", DV_RANDOM_DAG, 200},
    {"random", DV_RANDOM_DAG, 400},
    {"transformer", DV_RANDOM_TRANSFORMER, 1530},
};

static const char *const exact[] = {"ilp"};

static void print_cell(const dv_problem *problem, const char *strategy,
                       const dv_solve_options *options, double *value)
{
    dv_plan *plan = NULL;
    dv_outcome outcome;
    dv_status status = dv_solve(problem, strategy, options, &plan, &outcome);
    if (status != DV_OK)
        printf(" %s |", dv_message());
    else if (!plan)
        printf(" %s |", dv_outcome_name(outcome));
    else if (outcome == DV_OUTCOME_OPTIMAL)
        printf(" %.1f |", plan->solve_ms);
    else
        printf(" %.1f (gap %.3g %%) |", plan->solve_ms, 100.0 * dv_plan_gap(plan));
    if (plan)
        *value = fmin(*value, plan->cost.total_us);
    dv_plan_destroy(plan);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    dv_solve_options options = dv_solve_options_default();
    options.deadline_s = argc > 1 ? atof(argv[1]) : 60.0;
    const char *const *strategies = argc > 2 ? (const char *const *)argv + 2 : exact;
    size_t strategy_count = argc > 2 ? (size_t)argc - 2 : sizeof exact / sizeof exact[0];

    printf("| family | units | targets | best found (us) |");
    for (size_t i = 0; i < strategy_count; i++)
        printf(" %s (ms) |", strategies[i]);
    printf("\n|---|---|---|---|");
    for (size_t i = 0; i < strategy_count; i++)
        printf("---|");
    printf("\n");
    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++)
        for (uint32_t targets = 4; targets <= 6; targets += 2) {
            dv_random_spec spec = {.seed = f + 1,
                                   .shape = families[f].shape,
                                   .units = families[f].units,
                                   .targets = targets,
                                   .devices_shared = targets == 6};
            dv_problem *problem = dv_random_problem(&spec);
            double value = INFINITY;
            printf("| %s | %u | %u |", families[f].name, families[f].units, targets);
            /* The best value comes first in the row but is known last: solve into the row's end. */
            dv_plan *plan = NULL;
            dv_outcome outcome;
            if (dv_solve(problem, "chain", NULL, &plan, &outcome) == DV_OK && plan)
                printf(" chain %.0f |", plan->cost.total_us);
            dv_plan_destroy(plan);
            for (size_t i = 0; i < strategy_count; i++)
                print_cell(problem, strategies[i], &options, &value);
            printf(" %.3f |\n", value);
            dv_problem_destroy(problem);
        }
    return 0;
}
