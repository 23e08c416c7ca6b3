/* cmd_run.c - a plan executed on this machine. */
#include "cli/cli.h"
#include "cli/run_report.h"
#include "cli/trace_report.h"
#include "sim/simulate.h"

/* Predicted and measured timelines side by side in one file. */
static dv_status write_traces(const dv_cli *cli, dv_session *session, const dv_run *run)
{
    if (!dv_cli_has(cli, DV_OPTION_OUTPUT) && !dv_cli_has(cli, DV_OPTION_CHROME_TRACE))
        return DV_OK;
    dv_simulate_options options = {.executor = DV_EXECUTOR_SEQUENTIAL, .inferences = 1};
    dv_trace *predicted = NULL;
    DV_TRY(dv_simulate(session->problem, session->plan, &options, &predicted));
    const dv_trace *traces[] = {predicted, run->measured.trace};
    dv_status status = dv_trace_write_files(cli, session, traces, 2);
    dv_trace_destroy(predicted);
    return status;
}

static dv_status execute(dv_cli *cli, dv_session *session, dv_run *run)
{
    int64_t runs;
    DV_TRY(dv_cli_integer(cli, DV_OPTION_RUNS, 1, 1000000, 30, &runs));
    DV_TRY(dv_session_plan(cli, session));
    if (!session->graph)
        return dv_fail(DV_BAD_PARAMETER, "%s: a problem file has no operators to run",
                       session->model);
    DV_TRY(dv_run_session(cli, session, (uint32_t)runs, run));
    DV_TRY(write_traces(cli, session, run));
    if (cli->json) {
        DV_TRY(dv_run_print_json(session, run, &cli->out));
    } else {
        dv_cli_append_safe(&cli->out, session->model);
        dv_text_append(&cli->out, " on %s, plan by %s\n\n", dv_session_platform_name(session),
                       session->plan->strategy);
        DV_TRY(dv_run_print(cli, session, run, &cli->out));
    }
    double tolerance = dv_run_tolerance(session->graph);
    if (!(run->check.max_relative_rms <= tolerance))
        return dv_fail(DV_NEGATIVE,
                       "%s: outputs differ from the portable reference by %.2g (allowed: %.2g)",
                       session->model, run->check.max_relative_rms, tolerance);
    return DV_OK;
}

dv_status dv_cmd_run(dv_cli *cli)
{
    dv_session session = {0};
    dv_run run = {0};
    dv_status status = execute(cli, &session, &run);
    dv_run_free(&run); /* borrows from the session */
    dv_session_free(&session);
    return status;
}
