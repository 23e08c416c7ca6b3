/* cmd_explain.c - why each unit is where it is. */
#include "cli/cli.h"
#include "cli/existing.h"
#include "cli/plan_report.h"
#include "cli/regret.h"
#include "cli/unsupported_gain.h"
#include "core/file.h"

typedef struct answers {
    dv_marginals marginals;
    dv_lessons lessons;
    bool has_lessons;
} answers;

static void print_json(const dv_session *session, const answers *a, dv_text *out)
{
    dv_json_writer json = dv_json_writer_on(out);
    dv_json_begin_object(&json, NULL);
    dv_json_put_string(&json, "model", session->model);
    dv_json_put_string(&json, "platform", dv_session_platform_name(session));
    dv_json_put_string(&json, "strategy", session->plan->strategy);
    dv_json_put_string(&json, "outcome", dv_outcome_name(session->outcome));
    dv_json_put_number(&json, "value", session->plan->cost.total_us);
    dv_regret_json(session, &a->marginals, &json);
    if (a->has_lessons)
        dv_lessons_json(session, &a->lessons, &json);
    dv_json_end(&json, '}');
}

static dv_status print_text(const dv_cli *cli, const dv_session *session, const answers *a,
                            dv_text *out)
{
    char figure[DV_FIGURE_MAX], proof[96];
    dv_cli_append_safe(out, session->model);
    dv_text_append(out, " on %s: %s, %s\n", dv_session_platform_name(session),
                   dv_format_us(figure, session->plan->cost.total_us),
                   dv_plan_proof(session->plan, proof, sizeof proof));
    DV_TRY(dv_existing_print(cli, session, out));
    DV_TRY(dv_regret_print(cli, session, &a->marginals, out));
    if (a->has_lessons)
        dv_lessons_print(cli, session, &a->lessons, out);
    return DV_OK;
}

dv_status dv_cmd_explain(dv_cli *cli)
{
    dv_session session = {0};
    answers a = {.has_lessons = dv_cli_has(cli, DV_OPTION_UNSUPPORTED_GAIN)};
    dv_text report = {0};
    dv_status status = dv_session_plan(cli, &session);
    if (status == DV_OK)
        status = dv_regret_find(cli, &session, &a.marginals);
    if (status == DV_OK && a.has_lessons)
        status = dv_lessons_find(cli, &session, &a.lessons);
    if (status == DV_OK && cli->json)
        print_json(&session, &a, &report);
    else if (status == DV_OK)
        status = print_text(cli, &session, &a, &report);
    const char *path = dv_cli_value(cli, DV_OPTION_OUTPUT);
    if (status == DV_OK && path)
        status = dv_file_write(path, dv_text_string(&report), report.length);
    else if (status == DV_OK)
        dv_text_append(&cli->out, "%s", dv_text_string(&report));
    dv_text_free(&report);
    dv_marginals_free(&a.marginals);
    dv_lessons_free(&a.lessons);
    dv_session_free(&session);
    return status;
}
