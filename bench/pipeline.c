/* pipeline.c - how long the way from a network to a proven plan takes, stage by stage, for every
   network of the zoo: medians of several runs.

     bench/pipeline [PLATFORM]     default iphone15pro */
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/platform.h"
#include "costmodel/costmodel.h"
#include "datasets/zoo/zoo.h"
#include "lower/lower.h"
#include "sim/simulate.h"
#include "solver/strategy.h"

enum { RUNS = 5, STAGES = 5 };

static const char *const stages[STAGES] = {"build", "lower", "problem", "solve", "simulate"};

struct sample {
    double ms[STAGES];
    uint32_t operators, units;
    double latency_us, gap;
};

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double lap(double *since_s)
{
    double now = dv_clock_s(), ms = 1e3 * (now - *since_s);
    *since_s = now;
    return ms;
}

static dv_status pose_and_solve(const dv_graph *graph, const dv_platform *platform, double *since,
                                struct sample *sample)
{
    dv_problem *problem = NULL;
    dv_plan *plan = NULL;
    dv_trace *trace = NULL;
    dv_outcome outcome;
    dv_solve_options options = dv_solve_options_default();
    dv_simulate_options simulation = {.executor = DV_EXECUTOR_SEQUENTIAL, .inferences = 1};

    dv_status status = dv_problem_build(graph, platform, dv_cost_model_at(0), &problem);
    sample->ms[2] = lap(since);
    if (status == DV_OK)
        status = dv_solve(problem, "ilp", &options, &plan, &outcome);
    sample->ms[3] = lap(since);
    if (status == DV_OK && plan)
        status = dv_simulate(problem, plan, &simulation, &trace);
    sample->ms[4] = lap(since);
    if (status == DV_OK && plan) {
        sample->units = problem->unit_count;
        sample->latency_us = plan->cost.total_us;
        sample->gap = dv_plan_gap(plan);
    }
    dv_trace_destroy(trace);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
    return status;
}

static dv_status measure(const char *network, const dv_platform *platform, struct sample *sample)
{
    dv_graph *source = NULL, *graph = NULL;
    double since = dv_clock_s();
    dv_status status = dv_zoo_build(network, &source);
    sample->ms[0] = lap(&since);
    if (status == DV_OK) {
        sample->operators = source->op_count;
        status = dv_lower(source, NULL, &graph);
    }
    sample->ms[1] = lap(&since);
    if (status == DV_OK)
        status = pose_and_solve(graph, platform, &since, sample);
    dv_graph_destroy(graph);
    dv_graph_destroy(source);
    return status;
}

static dv_status row(const char *network, const dv_platform *platform)
{
    double ms[STAGES][RUNS];
    struct sample sample = {0};
    for (int r = 0; r < RUNS; r++) {
        DV_TRY(measure(network, platform, &sample));
        for (int s = 0; s < STAGES; s++)
            ms[s][r] = sample.ms[s];
    }
    printf("%-20s %9u %6u", network, sample.operators, sample.units);
    for (int s = 0; s < STAGES; s++) {
        qsort(ms[s], RUNS, sizeof **ms, by_value);
        printf(" %9.2f", ms[s][RUNS / 2]);
    }
    printf(" %12.1f %8.1e\n", sample.latency_us, sample.gap);
    fflush(stdout);
    return DV_OK;
}

int main(int argc, char **argv)
{
    dv_platform *platform = NULL;
    dv_status status = dv_platform_open(argc > 1 ? argv[1] : "iphone15pro", &platform);
    if (status == DV_OK) {
        printf("milliseconds, medians of %d runs, on %s\n\n", RUNS, platform->name);
        printf("%-20s %9s %6s", "network", "operators", "units");
        for (int s = 0; s < STAGES; s++)
            printf(" %9s", stages[s]);
        printf(" %12s %8s\n", "latency us", "gap");
    }
    const dv_zoo_entry *entry;
    for (size_t i = 0; status == DV_OK && (entry = dv_zoo_at(i)); i++)
        status = row(entry->name, platform);
    dv_platform_destroy(platform);
    if (status != DV_OK)
        fprintf(stderr, "pipeline: %s\n", dv_message());
    return dv_status_exit(status);
}
