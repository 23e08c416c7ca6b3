/* bench_formulations.c - the integer programs of a placement held against each other.

   For each problem and each formulation: columns and rows, what its relaxation leaves of the
   optimum, and how long GLPK needs for the relaxation and for the proof, without anything that
   divvy adds (no reductions, no known plan, no bound of its own); cbc on the same program where it
   is installed. The first columns are divvy's own way: auto with the order kept, then what the
   dynamic programs kept until they were done, given auto's plan to prune with (frontier for that
   order, ideal for any; '-' not done within the seconds). The last column says how many times
   longer the program takes than auto: at least so much where it did not finish.

     bench/bench_formulations [SECONDS [PLATFORM [MODEL...]]]

   MODEL is a network of the zoo, or SHAPE:UNITS of the generator, as in transformer:102; by default
   there are some of each, 10 seconds and iphone15pro. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/platform.h"
#include "costmodel/costmodel.h"
#include "datasets/zoo/zoo.h"
#include "lower/lower.h"
#include "solver/frontier.h"
#include "solver/generate.h"
#include "solver/ideal.h"
#include "solver/ilp_glpk.h"
#include "solver/model_file.h"
#include "solver/pairwise.h"
#include "solver/strategy.h"

static const char *const presets[] = {"squeezenet1_1",   "mobilenet_v2", "resnet50",
                                      "efficientnet_b0", "vit_b_16",     "bert_base",
                                      "chain:60",        "chain:150",    "resnet:123",
                                      "transformer:102", "random:60",    "transformer:408"};

static const struct {
    dv_form form;
    const char *name;
    bool dual; /* the better simplex method for it: facts of the formulation, not of a problem */
} forms[] = {
    {DV_FORM_NAIVE, "naive", true},
    {DV_FORM_AGGREGATED, "aggregated", true},
    {DV_FORM_TRANSPORT, "transport", true},
    {DV_FORM_PAIRWISE, "pairwise", false},
};

typedef struct measurement {
    uint32_t columns, rows;
    double relaxed_us, relax_ms, value_us, total_ms;
    bool proven;
} measurement;

static dv_status pose_network(const char *name, const dv_platform *platform, dv_problem **out)
{
    dv_graph *source = NULL, *graph = NULL;
    dv_status status = dv_zoo_build(name, &source);
    if (status == DV_OK)
        status = dv_lower(source, NULL, &graph);
    if (status == DV_OK)
        status = dv_problem_build(graph, platform, dv_cost_model_at(0), out);
    dv_graph_destroy(graph);
    dv_graph_destroy(source);
    return status;
}

static dv_status pose(const char *model, const dv_platform *platform, dv_problem **out)
{
    char shape[32];
    unsigned units;
    dv_random_spec spec = {.seed = 1, .targets = 4};
    if (sscanf(model, "%31[a-z]:%u", shape, &units) == 2 &&
        dv_random_shape_from_name(shape, &spec.shape)) {
        spec.units = units;
        return dv_generate(&spec, out);
    }
    return pose_network(model, platform, out);
}

typedef struct searched {
    double frontier_ms, ideal_ms; /* NAN: not done in time */
    size_t frontier_states, ideal_states;
} searched;

/* The dynamic programs with all labels, pruned by the best plan. */
static dv_status search(const dv_problem *problem, const dv_labels *labels, const dv_plan *best,
                        double seconds, searched *out)
{
    enum { MOST_STATES = 200000 };
    const double upper_us = best->cost.total_us * (1.0 + 1e-9);
    dv_target_id *target = calloc((size_t)problem->unit_count + 1, sizeof *target);
    dv_unit_id *order = calloc((size_t)problem->unit_count + 1, sizeof *order);
    dv_frontier_result frontier = {0};
    dv_ideal_result ideal = {0};
    double begin_s = dv_clock_s();
    dv_frontier_settings given = {
        .state_limit = MOST_STATES, .deadline_s = begin_s + seconds, .upper_us = upper_us};
    dv_status status =
        target && order ? DV_OK : dv_fail(DV_NO_MEMORY, "bench_formulations: out of memory");
    if (status == DV_OK)
        status = dv_frontier_run(problem, labels, best->order, &given, target, &frontier);
    out->frontier_ms = frontier.exact ? 1e3 * (dv_clock_s() - begin_s) : NAN;
    out->frontier_states = frontier.states;
    begin_s = dv_clock_s();
    dv_ideal_settings any = {.state_limit = MOST_STATES,
                             .whole = true,
                             .work_limit = SIZE_MAX,
                             .memory_limit = 2000000000,
                             .deadline_s = begin_s + seconds,
                             .upper_us = upper_us};
    if (status == DV_OK)
        status = dv_ideal_run(problem, labels, &any, target, order, &ideal);
    out->ideal_ms = ideal.exact ? 1e3 * (dv_clock_s() - begin_s) : NAN;
    out->ideal_states = ideal.states;
    free(target);
    free(order);
    return status;
}

static void print_search(double ms, size_t states)
{
    if (isnan(ms))
        printf(" - | - |");
    else
        printf(" %.1f | %zu |", ms, states);
}

/* GLPK alone on one program, within seconds. */
static dv_status run_glpk(const dv_linear *linear, bool dual, double scale, double seconds,
                          measurement *out)
{
    double *x = calloc((size_t)linear->column_count + 1, sizeof *x);
    double *y = calloc((size_t)linear->row_count + 1, sizeof *y);
    double begin_s = dv_clock_s(), bound_us;
    dv_glpk_control control = {
        .deadline_s = begin_s + seconds, .tolerance = 1e-9, .scale = scale, .dual = dual};
    dv_glpk *glpk = NULL;
    dv_glpk_outcome outcome = DV_GLPK_FAILED;
    bool found = false;
    dv_status status = x && y ? dv_glpk_create(linear, control.scale, &glpk)
                              : dv_fail(DV_NO_MEMORY, "bench_formulations: out of memory");
    if (status == DV_OK)
        status = dv_glpk_relax(glpk, &control, NULL, NULL, x, y, &outcome);
    out->relax_ms = 1e3 * (dv_clock_s() - begin_s);
    out->relaxed_us = outcome == DV_GLPK_OPTIMAL ? dv_linear_value(linear, x) : NAN;
    if (status == DV_OK && outcome == DV_GLPK_OPTIMAL)
        status = dv_glpk_branch(glpk, &control, x, &found, &bound_us, &outcome);
    out->total_ms = 1e3 * (dv_clock_s() - begin_s);
    out->proven = found && outcome == DV_GLPK_OPTIMAL;
    out->value_us = found ? dv_linear_value(linear, x) : NAN;
    dv_glpk_destroy(glpk);
    free(x);
    free(y);
    return status;
}

/* cbc on the same program: milliseconds, *proven whether it ended with the optimum; NAN without. */
static dv_status run_cbc(const dv_problem *problem, dv_form form, double seconds, double *ms,
                         bool *proven)
{
    char path[64], command[256], line[256];
    snprintf(path, sizeof path, "/tmp/divvy-bench-%ld.mps", (long)getpid());
    *ms = NAN;
    *proven = false;
    DV_TRY(dv_write_ilp(problem, form, false, path));
    snprintf(command, sizeof command,
             "cbc %s -threads 1 -ratioGap 0 -seconds %.0f -solve -quit 2>/dev/null", path, seconds);
    double begin_s = dv_clock_s();
    FILE *pipe = popen(command, "r");
    while (pipe && fgets(line, sizeof line, pipe))
        *proven = *proven || strstr(line, "Optimal solution found");
    if (pipe && pclose(pipe) == 0)
        *ms = 1e3 * (dv_clock_s() - begin_s);
    remove(path);
    return DV_OK;
}

static bool have_cbc(void)
{
    return system("command -v cbc >/dev/null 2>&1") == 0;
}

static void print_time(double ms, bool proven)
{
    if (isnan(ms))
        printf(" - |");
    else
        printf(" %s%.1f |", proven ? "" : "> ", ms);
}

static dv_status print_form(const char *model, const dv_problem *problem, size_t f,
                            const dv_labels *labels, const dv_plan *best, const searched *found,
                            double seconds, bool cbc)
{
    dv_pairwise program = {0};
    measurement m = {0};
    double cbc_ms = NAN;
    bool cbc_proven = false;
    double scale = best->cost.total_us > 0.0 ? problem->unit_count / best->cost.total_us : 1.0;
    dv_status status = dv_pairwise_build(problem, labels, best->order, forms[f].form, &program);
    if (status == DV_OK)
        status = run_glpk(&program.linear, forms[f].dual, scale, seconds, &m);
    if (status == DV_OK && cbc)
        status = run_cbc(problem, forms[f].form, seconds, &cbc_ms, &cbc_proven);
    if (status == DV_OK) {
        printf("| %s | %u | %.1f |", model, problem->unit_count, best->solve_ms);
        print_search(found->frontier_ms, found->frontier_states);
        print_search(found->ideal_ms, found->ideal_states);
        printf(" %s | %u x %u |", forms[f].name, program.linear.column_count,
               program.linear.row_count);
        double gap = 100.0 * fmax(0.0, 1.0 - m.relaxed_us / best->cost.total_us);
        isnan(m.relaxed_us) ? printf(" - |") : printf(" %.3f %% |", gap);
        print_time(m.relax_ms, !isnan(m.relaxed_us));
        print_time(m.total_ms, m.proven);
        print_time(cbc_ms, cbc_proven);
        printf(" %s%.0f |\n", m.proven ? "" : "> ", m.total_ms / best->solve_ms);
        fflush(stdout);
        if (m.proven && fabs(m.value_us - best->cost.total_us) > 1e-6 * best->cost.total_us)
            status = dv_fail(DV_INTERNAL, "%s: %s finds %.9g us, auto %.9g us", model,
                             forms[f].name, m.value_us, best->cost.total_us);
    }
    dv_pairwise_free(&program);
    return status;
}

static dv_status print_model(const char *model, const dv_platform *platform, double seconds,
                             bool cbc)
{
    dv_problem *problem = NULL;
    dv_plan *best = NULL;
    dv_outcome outcome;
    dv_labels labels = {0};
    searched found = {0};
    dv_status status = pose(model, platform, &problem);
    if (status == DV_OK)
        status = dv_solve(problem, "auto:order=given", NULL, &best, &outcome);
    if (status == DV_OK && (!best || outcome != DV_OUTCOME_OPTIMAL))
        status = dv_fail(DV_INTERNAL, "%s: auto proves nothing", model);
    if (status == DV_OK)
        status = dv_labels_create(problem, &labels);
    if (status == DV_OK)
        status = search(problem, &labels, best, seconds, &found);
    for (size_t f = 0; status == DV_OK && f < sizeof forms / sizeof forms[0]; f++)
        status = print_form(model, problem, f, &labels, best, &found, seconds, cbc);
    dv_labels_free(&labels);
    dv_plan_destroy(best);
    dv_problem_destroy(problem);
    return status;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 10.0;
    const char *const *models = argc > 3 ? (const char *const *)argv + 3 : presets;
    size_t count = argc > 3 ? (size_t)argc - 3 : sizeof presets / sizeof presets[0];
    bool cbc = have_cbc();
    dv_platform *platform = NULL;
    dv_status status = dv_platform_open(argc > 2 ? argv[2] : "iphone15pro", &platform);
    if (status == DV_OK) {
        printf("Integer programs for the given order, at most %g s each, networks on %s; times in "
               "ms, '>' not proven by then%s.\n\n",
               seconds, platform->name, cbc ? "" : "; cbc is not installed");
        printf("| problem | units | auto | frontier | states | ideal | states | formulation "
               "| columns x rows | LP gap | LP | GLPK | cbc | GLPK / auto |\n"
               "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    }
    for (size_t i = 0; status == DV_OK && i < count; i++)
        status = print_model(models[i], platform, seconds, cbc);
    dv_platform_destroy(platform);
    if (status != DV_OK)
        fprintf(stderr, "bench_formulations: %s\n", dv_message());
    return dv_status_exit(status);
}
