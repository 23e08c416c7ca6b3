/* cmd_partition.c - the best split of one model over one platform. */
#include <string.h>

#include "cli/cli.h"
#include "cli/pipeline.h"
#include "cli/plan_report.h"
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

/* The problem as files, for other programs; written before the search, which may take long. */
static dv_status write_inputs(const dv_cli *cli, const dv_session *session)
{
    const char *lp = dv_cli_value(cli, DV_OPTION_WRITE_LP);
    const char *problem = dv_cli_value(cli, DV_OPTION_WRITE_PROBLEM);
    if (lp)
        DV_TRY(dv_write_ilp(session->problem, lp));
    if (problem)
        DV_TRY(write_problem(problem, session->problem));
    return DV_OK;
}

static dv_status partition(dv_cli *cli, dv_session *session)
{
    DV_TRY(dv_session_load(cli, cli->arguments[0], false, session));
    DV_TRY(dv_session_pose(cli, dv_session_platform(cli), session));
    DV_TRY(write_inputs(cli, session));
    dv_solve_options options;
    DV_TRY(dv_session_solve_options(cli, &options));
    const char *strategy = dv_session_strategy(cli);
    DV_TRY(dv_session_solve(cli, strategy, session));
    if (cli->json)
        DV_TRY(dv_plan_print_json(session, strategy, options.objective, &cli->out));
    if (!session->plan)
        return dv_session_no_plan(session, strategy);
    const char *path = dv_cli_value(cli, DV_OPTION_OUTPUT);
    if (path)
        DV_TRY(write_plan(path, session));
    return cli->json ? DV_OK : dv_plan_print(cli, session, &cli->out);
}

dv_status dv_cmd_partition(dv_cli *cli)
{
    dv_session session = {0};
    dv_status status = partition(cli, &session);
    dv_session_free(&session);
    return status;
}
