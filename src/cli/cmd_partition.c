/* cmd_partition.c - the best split of one model over one platform. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/front.h"
#include "cli/next_best.h"
#include "cli/pipeline.h"
#include "cli/plan_report.h"
#include "cli/regret.h"
#include "cli/robust_report.h"
#include "core/file.h"
#include "solver/model_file.h"

static dv_status write_problem(const char *path, const dv_problem *problem)
{
    dv_text text = {0};
    dv_status status = dv_problem_write(problem, &text);
    if (status == DV_OK)
        status = dv_file_write(path, dv_text_string(&text), text.length);
    dv_text_free(&text);
    return status;
}

static dv_status write_plan(const char *path, const dv_session *session)
{
    dv_text text = {0};
    dv_status status =
        dv_plan_write(session->problem, session->plan, session->graph, session->platform, &text);
    if (status == DV_OK)
        status = dv_file_write(path, dv_text_string(&text), text.length);
    dv_text_free(&text);
    return status;
}

/* The strategy asked for, with the formulation if that was. spec: to write it in. */
static dv_status strategy_of(const dv_cli *cli, char *spec, size_t size, const char **strategy)
{
    const char *given = dv_cli_value(cli, DV_OPTION_STRATEGY);
    const char *form = dv_cli_value(cli, DV_OPTION_FORMULATION);
    *strategy = dv_session_strategy(cli);
    if (!form)
        return DV_OK;
    if (!given)
        given = "ilp";
    bool bare = strcmp(given, "ilp") == 0;
    if (!bare && strncmp(given, "ilp:", 4) != 0)
        return dv_fail(DV_BAD_PARAMETER, "--formulation: it is of strategy ilp, not of %s", given);
    snprintf(spec, size, "%s%cformulation=%s", given, bare ? ':' : ',', form);
    *strategy = spec;
    return DV_OK;
}

static dv_status write_program(const dv_problem *problem, const char *strategy, const char *path)
{
    double form = DV_FORM_PAIRWISE, free_order = 0.0;
    if (strcmp(strategy, "ilp") == 0 || strncmp(strategy, "ilp:", 4) == 0) {
        DV_TRY(dv_strategy_number(strategy, "formulation", &form));
        DV_TRY(dv_strategy_number(strategy, "order", &free_order));
    }
    return dv_write_ilp(problem, (dv_form)form, free_order > 0.0, path);
}

/* The problem as files, for other programs; written before the search, which may take long. */
static dv_status write_inputs(const dv_cli *cli, const char *strategy, const dv_session *session)
{
    const char *lp = dv_cli_value(cli, DV_OPTION_WRITE_LP);
    const char *mps = dv_cli_value(cli, DV_OPTION_WRITE_MPS);
    const char *problem = dv_cli_value(cli, DV_OPTION_WRITE_PROBLEM);
    if (lp)
        DV_TRY(write_program(session->problem, strategy, lp));
    if (mps)
        DV_TRY(write_program(session->problem, strategy, mps));
    if (problem)
        DV_TRY(write_problem(problem, session->problem));
    return DV_OK;
}

/* What was asked for beside the plan; each part empty if it was not. */
typedef struct answers {
    const dv_cli *cli;
    bool has_regret, has_next_best, has_front, has_robust;
    dv_marginals regret;
    dv_k_best next_best;
    dv_pareto front;
    dv_robust robust;
} answers;

static void free_answers(answers *a)
{
    dv_marginals_free(&a->regret);
    dv_k_best_free(&a->next_best);
    dv_pareto_free(&a->front);
    dv_robust_free(&a->robust);
}

static dv_status find_answers(const dv_cli *cli, dv_session *session,
                              const dv_solve_options *options, answers *a)
{
    bool regret = dv_cli_has(cli, DV_OPTION_REGRET), next_best = dv_cli_has(cli, DV_OPTION_K_BEST);
    bool front = dv_cli_has(cli, DV_OPTION_PARETO), robust = dv_cli_has(cli, DV_OPTION_ROBUST);
    if (!session->plan || (!regret && !next_best && !front && !robust))
        return DV_OK;
    if (options->objective != DV_OBJECTIVE_LATENCY)
        return dv_fail(DV_BAD_PARAMETER,
                       "partition: --regret, --k-best, --pareto and --robust are of latency only");
    if (robust)
        DV_TRY(dv_robust_plan_find(cli, session, options, &a->robust));
    a->has_robust = robust;
    if (regret)
        DV_TRY(dv_regret_find(cli, session, &a->regret));
    a->has_regret = regret;
    if (next_best)
        DV_TRY(dv_next_best_find(cli, session, &a->next_best));
    a->has_next_best = next_best;
    if (front)
        DV_TRY(dv_front_find(cli, session, options, &a->front));
    if (front)
        DV_TRY(dv_front_write_files(cli, session, &a->front));
    a->has_front = front;
    return DV_OK;
}

static void write_answers(const void *context, const dv_session *session, dv_json_writer *json)
{
    const answers *a = context;
    if (a->has_regret)
        dv_regret_json(session, &a->regret, json);
    if (a->has_next_best)
        dv_next_best_json(session->problem, &a->next_best, json);
    if (a->has_front)
        dv_front_json(a->cli, session->problem, &a->front, json);
    if (a->has_robust)
        dv_robust_json(a->cli, session, &a->robust, json);
}

static dv_status print(dv_cli *cli, dv_session *session, const char *strategy,
                       const dv_solve_options *options)
{
    answers a = {.cli = cli};
    dv_more_json more = {write_answers, &a};
    dv_status status = find_answers(cli, session, options, &a);
    if (status == DV_OK && cli->json)
        status = dv_plan_print_json(session, strategy, options->objective, &more, &cli->out);
    else if (status == DV_OK && session->plan)
        status = dv_plan_print(cli, session, &cli->out);
    if (status == DV_OK && !cli->json && a.has_regret)
        status = dv_regret_print(cli, session, &a.regret, &cli->out);
    if (status == DV_OK && !cli->json && a.has_next_best)
        dv_next_best_print(cli, session, &a.next_best, &cli->out);
    if (status == DV_OK && !cli->json && a.has_front)
        dv_front_print(cli, &a.front, &cli->out);
    if (status == DV_OK && !cli->json && a.has_robust)
        dv_robust_print(cli, session, &a.robust, &cli->out);
    free_answers(&a);
    return status;
}

static dv_status partition(dv_cli *cli, dv_session *session)
{
    char spec[256];
    const char *strategy;
    DV_TRY(strategy_of(cli, spec, sizeof spec, &strategy));
    DV_TRY(dv_front_check_files(cli));
    DV_TRY(dv_session_load(cli, cli->arguments[0], false, session));
    DV_TRY(dv_session_pose(cli, dv_session_platform(cli), session));
    DV_TRY(write_inputs(cli, strategy, session));
    dv_solve_options options;
    DV_TRY(dv_session_solve_options(cli, &options));
    DV_TRY(dv_session_solve(cli, strategy, session));
    DV_TRY(print(cli, session, strategy, &options));
    if (!session->plan)
        return dv_session_no_plan(session, strategy);
    const char *path = dv_cli_value(cli, DV_OPTION_OUTPUT);
    return path ? write_plan(path, session) : DV_OK;
}

dv_status dv_cmd_partition(dv_cli *cli)
{
    dv_session session = {0};
    dv_status status = partition(cli, &session);
    dv_session_free(&session);
    return status;
}
