/* bench_view.c - what a picture costs: laying a network out, drawing it, and its pixels.

   Prints a Markdown table, one row a network; each figure is the least of several runs. Usage:
   bench_view [RUNS] (default 5). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "tests/random_problem.h"
#include "viz/view.h"

static const struct {
    const char *name;
    dv_random_shape shape;
    uint32_t units;
} networks[] = {
    {"chain", DV_RANDOM_CHAIN, 150},
    {"resnet", DV_RANDOM_RESNET, 180},
    {"transformer", DV_RANDOM_TRANSFORMER, 420},
    {"transformer", DV_RANDOM_TRANSFORMER, 1500},
    {"random", DV_RANDOM_DAG, 1500},
    {"transformer", DV_RANDOM_TRANSFORMER, 10000},
    {"random", DV_RANDOM_DAG, 10000},
};

typedef struct times {
    double create, draw, pixels;
} times;

static void fail(void)
{
    fprintf(stderr, "bench_view: %s\n", dv_message());
    exit(1);
}

static times measure(const dv_problem *problem, const dv_plan *plan)
{
    dv_view_input input = {.problem = problem, .plan = plan};
    dv_scene *scene = dv_scene_create(1280, 800, 0);
    dv_view *view = NULL;
    double t0 = dv_clock_s();
    if (!scene || dv_view_create(&input, 1280, 800, &view) != DV_OK)
        fail();
    double t1 = dv_clock_s();
    if (dv_view_draw(view, scene) != DV_OK)
        fail();
    double t2 = dv_clock_s();
    uint8_t *pixels = dv_scene_rasterise(scene);
    double t3 = dv_clock_s();
    free(pixels);
    dv_view_destroy(view);
    dv_scene_destroy(scene);
    return (times){1e3 * (t1 - t0), 1e3 * (t2 - t1), 1e3 * (t3 - t2)};
}

int main(int argc, char **argv)
{
    int runs = argc > 1 ? atoi(argv[1]) : 5;
    printf("| network | units | set up and lay out (ms) | draw (ms) | pixels (ms) |\n"
           "|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        dv_random_spec spec = {
            .seed = 1, .shape = networks[i].shape, .units = networks[i].units, .targets = 3};
        dv_problem *problem = dv_random_problem(&spec);
        dv_solve_options options = dv_solve_options_default();
        dv_plan *plan = NULL;
        dv_outcome outcome;
        times best = {INFINITY, INFINITY, INFINITY};
        if (dv_solve(problem, "cheapest", &options, &plan, &outcome) != DV_OK || !plan)
            fail();
        for (int run = 0; run < runs; run++) {
            times t = measure(problem, plan);
            best.create = fmin(best.create, t.create);
            best.draw = fmin(best.draw, t.draw);
            best.pixels = fmin(best.pixels, t.pixels);
        }
        printf("| %s | %u | %.2f | %.2f | %.2f |\n", networks[i].name, problem->unit_count,
               best.create, best.draw, best.pixels);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
    return 0;
}
