/* cmd_compare.c - strategies x platforms x models, side by side. */
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/compare.h"
#include "cli/existing.h"
#include "cli/plan_report.h"
#include "core/file.h"

/* The i-th strategy asked for, or of all that serve the objective; NULL past the last. */
static const char *nth_strategy(const dv_cli *cli, dv_objective objective, size_t i)
{
    if (dv_cli_has(cli, DV_OPTION_STRATEGY))
        return dv_cli_nth(cli, DV_OPTION_STRATEGY, i);
    const dv_strategy *strategy;
    for (size_t s = 0; (strategy = dv_strategy_at(s)); s++)
        if ((strategy->objectives & (unsigned)objective) && dv_strategy_needs_nothing(strategy) &&
            i-- == 0)
            return strategy->name;
    return NULL;
}

static dv_status add_strategies(const dv_cli *cli, const dv_session *session, dv_compare_jobs *jobs)
{
    dv_solve_options options;
    DV_TRY(dv_session_solve_options(cli, &options));
    const char *strategy = nth_strategy(cli, options.objective, 0);
    if (!strategy)
        return dv_fail(DV_BAD_PARAMETER, "compare: no strategy serves the objective %s",
                       dv_objective_name(options.objective));
    for (size_t i = 0; (strategy = nth_strategy(cli, options.objective, i)); i++)
        DV_TRY(dv_compare_jobs_add(jobs, session, strategy, &options));
    return DV_OK;
}

/* An ExecuTorch program has a placement already: the first row. */
static dv_status add_existing(const dv_cli *cli, const dv_session *session, dv_compare_jobs *jobs)
{
    dv_plan *plan;
    dv_solve_options options;
    DV_TRY(dv_session_solve_options(cli, &options));
    if (options.objective != DV_OBJECTIVE_LATENCY)
        return DV_OK;
    DV_TRY(dv_existing_plan(cli, session, &plan));
    dv_status status = plan ? dv_compare_jobs_put(jobs, session, plan) : DV_OK;
    dv_plan_destroy(plan);
    return status;
}

static dv_status add_model(const dv_cli *cli, const char *model, dv_session *session,
                           dv_compare_jobs *jobs)
{
    DV_TRY(dv_session_load(cli, model, false, session));
    const char *platform = dv_cli_nth(cli, DV_OPTION_PLATFORM, 0);
    size_t i = 0;
    do {
        DV_TRY(dv_session_pose(cli, platform ? platform : dv_session_platform(cli), session));
        DV_TRY(add_existing(cli, session, jobs));
        DV_TRY(add_strategies(cli, session, jobs));
        platform = session->graph ? dv_cli_nth(cli, DV_OPTION_PLATFORM, ++i) : NULL;
    } while (platform);
    return DV_OK;
}

/* The processors of this machine, or what was asked for; waiting for more costs little. */
static dv_status jobs_at_once(const dv_cli *cli, uint32_t *out)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t value;
    processors = processors < 1                      ? 1
                 : processors > DV_COMPARE_JOBS_MOST ? DV_COMPARE_JOBS_MOST
                                                     : processors;
    DV_TRY(dv_cli_integer(cli, DV_OPTION_JOBS, 1, DV_COMPARE_JOBS_MOST, processors, &value));
    *out = (uint32_t)value;
    return DV_OK;
}

static void describe(const dv_cli *cli, dv_compare *compare)
{
    const char *objective = dv_cli_value(cli, DV_OPTION_OBJECTIVE);
    compare->value_name = !objective || strcmp(objective, "throughput") != 0
                              ? (objective ? objective : "latency")
                              : "largest load";
    compare->untimed = dv_cli_has(cli, DV_OPTION_UNTIMED);
}

dv_status dv_compare_print(const dv_cli *cli, const char *model, const char *platform, dv_text *out)
{
    dv_compare compare = {0};
    dv_session session = {0};
    dv_compare_jobs *jobs = NULL;
    describe(cli, &compare);
    dv_status status = dv_compare_jobs_create(cli, 1, &compare, &jobs);
    if (status == DV_OK)
        status = dv_session_load(cli, model, false, &session);
    if (status == DV_OK)
        status = dv_session_pose(cli, platform, &session);
    if (status == DV_OK)
        status = add_strategies(cli, &session, jobs);
    if (status == DV_OK)
        status = dv_compare_jobs_finish(jobs);
    if (status == DV_OK) {
        dv_compare_rate(&compare);
        dv_compare_tables(cli, &compare, out);
    }
    dv_compare_jobs_destroy(jobs);
    dv_compare_free(&compare);
    dv_session_free(&session);
    return status;
}

static dv_status solve_all(const dv_cli *cli, dv_compare *compare)
{
    uint32_t at_once;
    dv_compare_jobs *jobs = NULL;
    DV_TRY(jobs_at_once(cli, &at_once));
    DV_TRY(dv_compare_jobs_create(cli, at_once, compare, &jobs));
    dv_status status = DV_OK;
    for (int m = 0; m < cli->argument_count && status == DV_OK; m++) {
        dv_session session = {0};
        status = add_model(cli, cli->arguments[m], &session, jobs);
        dv_session_free(&session);
    }
    if (status == DV_OK)
        status = dv_compare_jobs_finish(jobs);
    dv_compare_jobs_destroy(jobs);
    dv_compare_rate(compare);
    return status;
}

static dv_status write_as(void (*print)(const dv_compare *compare, dv_text *out),
                          const dv_compare *compare, const char *path)
{
    dv_text text = {0};
    if (!path)
        return DV_OK;
    print(compare, &text);
    dv_status status = text.failed ? dv_fail(DV_NO_MEMORY, "%s: no memory for the table", path)
                                   : dv_file_write(path, dv_text_string(&text), text.length);
    dv_text_free(&text);
    return status;
}

static dv_status report(dv_cli *cli, const dv_compare *compare)
{
    const char *path = dv_cli_value(cli, DV_OPTION_OUTPUT);
    dv_text text = {0};
    DV_TRY(write_as(dv_compare_csv, compare, dv_cli_value(cli, DV_OPTION_CSV)));
    DV_TRY(write_as(dv_compare_latex, compare, dv_cli_value(cli, DV_OPTION_LATEX)));
    if (cli->json)
        dv_compare_json(compare, &text);
    else
        dv_compare_tables(cli, compare, &text);
    dv_status status = DV_OK;
    if (path)
        status = dv_file_write(path, dv_text_string(&text), text.length);
    else
        dv_text_append(&cli->out, "%s", dv_text_string(&text));
    dv_text_free(&text);
    return status;
}

dv_status dv_cmd_compare(dv_cli *cli)
{
    dv_compare compare = {0};
    describe(cli, &compare);
    dv_status status = solve_all(cli, &compare);
    if (status == DV_OK)
        status = report(cli, &compare);
    dv_compare_free(&compare);
    return status;
}
