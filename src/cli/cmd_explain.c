/* cmd_explain.c - why each unit is where it is. */
#include "cli/cli.h"
#include "cli/plan_report.h"
#include "cli/regret.h"
#include "core/file.h"

static void print_json(const dv_session *session, const dv_marginals *m, dv_text *out)
{
    dv_json_writer json = dv_json_writer_on(out);
    dv_json_begin_object(&json, NULL);
    dv_json_put_string(&json, "model", session->model);
    dv_json_put_string(&json, "platform", dv_session_platform_name(session));
    dv_json_put_string(&json, "strategy", session->plan->strategy);
    dv_json_put_string(&json, "outcome", dv_outcome_name(session->outcome));
    dv_json_put_number(&json, "value", session->plan->cost.total_us);
    dv_regret_json(session, m, &json);
    dv_json_end(&json, '}');
}

static dv_status print_text(const dv_cli *cli, const dv_session *session, const dv_marginals *m,
                            dv_text *out)
{
    char figure[DV_FIGURE_MAX], proof[96];
    dv_cli_append_safe(out, session->model);
    dv_text_append(out, " on %s: %s, %s\n", dv_session_platform_name(session),
                   dv_format_us(figure, session->plan->cost.total_us),
                   dv_plan_proof(session->plan, proof, sizeof proof));
    return dv_regret_print(cli, session, m, out);
}

dv_status dv_cmd_explain(dv_cli *cli)
{
    dv_session session = {0};
    dv_marginals marginals = {0};
    dv_text report = {0};
    dv_status status = dv_session_plan(cli, &session);
    if (status == DV_OK)
        status = dv_regret_find(cli, &session, &marginals);
    if (status == DV_OK && cli->json)
        print_json(&session, &marginals, &report);
    else if (status == DV_OK)
        status = print_text(cli, &session, &marginals, &report);
    const char *path = dv_cli_value(cli, DV_OPTION_OUTPUT);
    if (status == DV_OK && path)
        status = dv_file_write(path, dv_text_string(&report), report.length);
    else if (status == DV_OK)
        dv_text_append(&cli->out, "%s", dv_text_string(&report));
    dv_text_free(&report);
    dv_marginals_free(&marginals);
    dv_session_free(&session);
    return status;
}
