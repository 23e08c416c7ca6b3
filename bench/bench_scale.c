/* bench_scale.c - the goals of speed and scale: long problems, short deadlines, little memory, and
   every network of the zoo.

     bench/bench_scale [SECTION...]     sizes deadline memory zoo; default all

   Times are of the processor, which other programs disturb less than the clock, and, where a
   deadline is kept, of the clock too. Each solve runs in a process of its own; its memory is what
   it added to that process at its peak. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/platform.h"
#include "costmodel/costmodel.h"
#include "datasets/zoo/zoo.h"
#include "lower/lower.h"
#include "solver/generate.h"
#include "solver/strategy.h"

typedef struct answer {
    dv_outcome outcome;
    double gap, value_us, cpu_s, clock_s, megabytes;
    char scope[64], by[64];
} answer;

static const struct family {
    const char *name;
    dv_random_shape shape;
    uint32_t width;
} families[] = {
    {"chain", DV_RANDOM_CHAIN, 0},
    {"resnet", DV_RANDOM_RESNET, 0},
    {"transformer", DV_RANDOM_TRANSFORMER, 0},
    {"random, width 4", DV_RANDOM_DAG, 4},
    {"random, width 8", DV_RANDOM_DAG, 8},
};

enum { FAMILIES = sizeof families / sizeof families[0] };

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double peak_megabytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1e3;
}

static void fill(const dv_problem *problem, const char *strategy, const dv_solve_options *options,
                 answer *a)
{
    dv_plan *plan = NULL;
    double cpu = cpu_s(), since = dv_clock_s(), megabytes = peak_megabytes();
    if (dv_solve(problem, strategy, options, &plan, &a->outcome) != DV_OK) {
        fprintf(stderr, "bench_scale: %s\n", dv_message());
        _exit(3);
    }
    a->cpu_s = cpu_s() - cpu;
    a->clock_s = dv_clock_s() - since;
    a->megabytes = peak_megabytes() - megabytes;
    a->gap = plan ? dv_plan_gap(plan) : INFINITY;
    a->value_us = plan ? dv_plan_value_us(plan) : INFINITY;
    if (plan) {
        snprintf(a->scope, sizeof a->scope, "%s", plan->proof_scope);
        snprintf(a->by, sizeof a->by, "%s", plan->proved_by);
    }
    dv_plan_destroy(plan);
}

/* In a process of its own; ends this one where that fails. */
static answer solve(const dv_problem *problem, const char *strategy,
                    const dv_solve_options *options)
{
    answer a = {0};
    int ends[2], status;
    fflush(stdout);
    pid_t child = pipe(ends) == 0 ? fork() : -1;
    if (child == 0) {
        fill(problem, strategy, options, &a);
        _exit(write(ends[1], &a, sizeof a) == sizeof a ? 0 : 3);
    }
    bool ok = child > 0 && read(ends[0], &a, sizeof a) == sizeof a;
    ok = child > 0 && waitpid(child, &status, 0) == child && ok && status == 0;
    if (!ok) {
        fprintf(stderr, "bench_scale: %s did not end well\n", strategy);
        exit(3);
    }
    close(ends[0]);
    close(ends[1]);
    return a;
}

static dv_problem *generate(const struct family *family, uint32_t units, uint32_t targets)
{
    dv_random_spec spec = {.seed = 1,
                           .shape = family->shape,
                           .units = units,
                           .targets = targets,
                           .width = family->width};
    dv_problem *problem = NULL;
    if (dv_generate(&spec, &problem) != DV_OK) {
        fprintf(stderr, "bench_scale: %s\n", dv_message());
        exit(3);
    }
    return problem;
}

static const char *percent(double gap, char *text, size_t size)
{
    if (isinf(gap))
        snprintf(text, size, "none");
    else
        snprintf(text, size, "%.3g %%", gap < 1e-9 ? 0.0 : 100.0 * gap);
    return text;
}

static void sizes(void)
{
    static const uint32_t units[] = {1500, 10000, 100000};
    char gap[32];
    printf("## auto on long problems\n\n"
           "| family | units | targets | s | gap | of | by | MB |\n"
           "|---|---|---|---|---|---|---|---|\n");
    for (size_t f = 0; f < FAMILIES; f++)
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
            for (uint32_t targets = 4; targets <= 6; targets += 2) {
                dv_problem *problem = generate(&families[f], units[i], targets);
                answer a = solve(problem, "auto", NULL);
                printf("| %s | %u | %u | %.2f | %s | %s | %s | %.0f |\n", families[f].name,
                       units[i], targets, a.cpu_s, percent(a.gap, gap, sizeof gap), a.scope, a.by,
                       a.megabytes);
                dv_problem_destroy(problem);
            }
}

static void deadline(void)
{
    static const uint32_t units[] = {1530, 10000, 100000};
    dv_solve_options options = dv_solve_options_default();
    options.deadline_s = 0.05;
    printf("\n## A deadline of 50 ms, transformer, 6 targets: ms of the clock, of the processor, "
           "value over the best\n\n| strategy |");
    for (size_t i = 0; i < 3; i++)
        printf(" %u units |", units[i]);
    printf("\n|---|---|---|---|\n");
    dv_problem *problem[3];
    double best_us[3];
    for (size_t i = 0; i < 3; i++) {
        problem[i] = generate(&families[2], units[i], 6);
        best_us[i] = solve(problem[i], "frontier", NULL).value_us;
    }
    for (size_t k = 0; dv_strategy_at(k); k++) {
        const dv_strategy *strategy = dv_strategy_at(k);
        if (!(strategy->objectives & DV_OBJECTIVE_LATENCY) || !dv_strategy_needs_nothing(strategy))
            continue;
        printf("| %s |", strategy->name);
        for (size_t i = 0; i < 3; i++) {
            answer a = solve(problem[i], strategy->name, &options);
            printf(isinf(a.value_us) ? " %.0f, %.0f, no plan |" : " %.0f, %.0f, %.3f |",
                   1e3 * a.clock_s, 1e3 * a.cpu_s, a.value_us / best_us[i]);
        }
        printf("\n");
    }
    for (size_t i = 0; i < 3; i++)
        dv_problem_destroy(problem[i]);
}

static void memory(void)
{
    static const struct {
        const char *strategy;
        size_t family;
        uint32_t units, targets;
    } cases[] = {
        {"frontier", 4, 400, 6}, {"ideal", 2, 1530, 6}, {"auto", 2, 10000, 4}, {"auto", 4, 400, 6}};
    static const size_t limits[] = {10000000, 100000000, 2000000000};
    char gap[32];
    printf(
        "\n## Memory that a search may take, MB: s, gap, MB taken\n\n"
        "| strategy | family | units | targets | 10 | 100 | 2000 |\n|---|---|---|---|---|---|---|"
        "\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct family *family = &families[cases[i].family];
        dv_problem *problem = generate(family, cases[i].units, cases[i].targets);
        printf("| %s | %s | %u | %u |", cases[i].strategy, family->name, cases[i].units,
               cases[i].targets);
        for (size_t k = 0; k < sizeof limits / sizeof limits[0]; k++) {
            dv_solve_options options = dv_solve_options_default();
            options.memory_bytes = limits[k];
            answer a = solve(problem, cases[i].strategy, &options);
            printf(" %.2f, %s, %.0f |", a.cpu_s, percent(a.gap, gap, sizeof gap), a.megabytes);
        }
        printf("\n");
        dv_problem_destroy(problem);
    }
}

static dv_status pose(const char *network, const char *platform_name, dv_problem **problem,
                      dv_graph **graph, dv_platform **platform)
{
    dv_graph *source = NULL;
    DV_TRY(dv_platform_open(platform_name, platform));
    DV_TRY(dv_zoo_build(network, &source));
    dv_status status = dv_lower(source, NULL, graph);
    if (status == DV_OK)
        status = dv_problem_build(*graph, *platform, dv_cost_model_at(0), problem);
    dv_graph_destroy(source);
    return status;
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

enum { SOLVES_MAX = 1000 };

static void network(const char *name, const char *platform_name, double *seconds, size_t *count,
                    size_t *proven, size_t *any_order)
{
    enum { SLOW_MS = 200 };
    dv_problem *problem = NULL;
    dv_graph *graph = NULL;
    dv_platform *platform = NULL;
    if (pose(name, platform_name, &problem, &graph, &platform) != DV_OK) {
        fprintf(stderr, "bench_scale: %s on %s: %s\n", name, platform_name, dv_message());
        exit(3);
    }
    char gap[32];
    answer a = solve(problem, "auto", NULL);
    bool optimal = a.outcome == DV_OUTCOME_OPTIMAL, any = strcmp(a.scope, "any order") == 0;
    *proven += optimal;
    *any_order += optimal && any;
    if (*count < SOLVES_MAX)
        seconds[(*count)++] = a.cpu_s;
    if (!optimal || !any || 1e3 * a.cpu_s > SLOW_MS)
        printf("| %s | %s | %.2f | %s | %s | %s |\n", name, platform_name, a.cpu_s,
               percent(a.gap, gap, sizeof gap), a.scope, a.by);
    dv_problem_destroy(problem);
    dv_graph_destroy(graph);
    dv_platform_destroy(platform);
}

static void zoo(void)
{
    static const char *const platforms[] = {"iphone12", "iphone15pro", "galaxy_s24", "galaxy_s25",
                                            "raspberrypi5"};
    static double seconds[SOLVES_MAX];
    size_t count = 0, proven = 0, any_order = 0;
    const dv_zoo_entry *entry;
    printf("\n## The zoo: what takes over 0.2 s, or is not proven for any order\n\n"
           "| network | platform | s | gap | of | by |\n|---|---|---|---|---|---|\n");
    for (size_t p = 0; p < sizeof platforms / sizeof platforms[0]; p++) {
        for (size_t i = 0; (entry = dv_zoo_at(i)); i++)
            network(entry->name, platforms[p], seconds, &count, &proven, &any_order);
        network("llama_3_1_8b:decode=512", platforms[p], seconds, &count, &proven, &any_order);
    }
    qsort(seconds, count, sizeof *seconds, by_value);
    printf("\n%zu solves: median %.4f s, worst %.2f s; %zu proven optimal, %zu of them for any "
           "order.\n",
           count, seconds[count / 2], seconds[count - 1], proven, any_order);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } sections[] = {{"sizes", sizes}, {"deadline", deadline}, {"memory", memory}, {"zoo", zoo}};
    size_t known = 0;
    for (size_t s = 0; s < sizeof sections / sizeof sections[0]; s++)
        for (int i = argc > 1 ? 1 : 0; i < argc; i++)
            if (argc == 1 || strcmp(argv[i], sections[s].name) == 0) {
                sections[s].run();
                known++;
            }
    if (argc > 1 && known + 1 < (size_t)argc)
        fprintf(stderr, "bench_scale: the sections are sizes, deadline, memory and zoo\n");
    return argc > 1 && known + 1 < (size_t)argc ? 2 : 0;
}
