/* bench_solver.c - time to proof of the exact strategies on generated families.

   Prints a Markdown table: one row a problem, for each strategy the milliseconds until it ended and
   whether it proved the optimum, or the gap that it left. Usage: bench_solver [SECONDS]
   [STRATEGY...] (default: 60 s for each solve; every exact strategy). */
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

static const char *const exact[] = {"auto", "ideal", "ilp:order=free", "frontier", "ilp"};

/* Milliseconds if proven, with the gap if not; lowers *value to the plan's latency. */
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
        printf(" %.1f (%s) |", plan->solve_ms, plan->proof_scope);
    else
        printf(" %.1f (%s, gap %.3g %%) |", plan->solve_ms, plan->proof_scope,
               100.0 * dv_plan_gap(plan));
    if (plan)
        *value = fmin(*value, plan->cost.total_us);
    dv_plan_destroy(plan);
    fflush(stdout);
}

static void print_row(size_t family, uint32_t targets, const char *const *strategies,
                      size_t strategy_count, const dv_solve_options *options)
{
    dv_random_spec spec = {.seed = family + 1,
                           .shape = families[family].shape,
                           .units = families[family].units,
                           .targets = targets,
                           .devices_shared = targets == 6};
    dv_problem *problem = dv_random_problem(&spec);
    printf("| %s | %u | %u |", families[family].name, families[family].units, targets);
    double best_us = INFINITY, chain_us = INFINITY;
    for (size_t i = 0; i < strategy_count; i++)
        print_cell(problem, strategies[i], options, &best_us);
    dv_plan *chain = NULL;
    dv_outcome outcome;
    if (dv_solve(problem, "chain", NULL, &chain, &outcome) == DV_OK && chain)
        chain_us = chain->cost.total_us;
    printf(" %.1f | %.3f |\n", best_us, chain_us / best_us);
    dv_plan_destroy(chain);
    dv_problem_destroy(problem);
}

int main(int argc, char **argv)
{
    dv_solve_options options = dv_solve_options_default();
    options.deadline_s = argc > 1 ? atof(argv[1]) : 60.0;
    const char *const *strategies = argc > 2 ? (const char *const *)argv + 2 : exact;
    size_t strategy_count = argc > 2 ? (size_t)argc - 2 : sizeof exact / sizeof exact[0];

    printf("Time to proof; what is proven and the gap left, if any, in brackets.\n\n");
    printf("| family | units | targets |");
    for (size_t i = 0; i < strategy_count; i++)
        printf(" %s (ms) |", strategies[i]);
    printf(" best latency (us) | chain of partitioners / best |\n|---|---|---|");
    for (size_t i = 0; i < strategy_count + 2; i++)
        printf("---|");
    printf("\n");
    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++)
        for (uint32_t targets = 4; targets <= 6; targets += 2)
            print_row(f, targets, strategies, strategy_count, &options);
    return 0;
}
