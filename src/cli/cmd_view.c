/* cmd_view.c - the picture, in a window or in files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/picture.h"
#include "cli/run_report.h"

static dv_status apply_options(const dv_cli *cli, const dv_session *session, dv_view *view)
{
    dv_view_dark(view, dv_cli_has(cli, DV_OPTION_DARK));
    const char *factor = dv_cli_value(cli, DV_OPTION_HANDOVER);
    if (factor) {
        char *end;
        double value = strtod(factor, &end);
        if (*end || end == factor || !(value >= 0.01 && value <= 100))
            return dv_fail(DV_BAD_PARAMETER,
                           "view: --handover '%s': must be a number from 0.01 to 100", factor);
        DV_TRY(dv_view_set_handover(view, value));
    }
    const char *name = dv_cli_value(cli, DV_OPTION_SELECT);
    if (!name || dv_view_select(view, name))
        return DV_OK;
    const dv_problem *problem = session->problem;
    const char *nearest = dv_nearest_name(name, problem->unit_name, problem->unit_count);
    return dv_fail(DV_BAD_PARAMETER,
                   "view: --select '%s': no operator or unit is called that%s%s%s", name,
                   nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

static dv_status show(const dv_cli *cli, const dv_session *session, dv_view *view, int width,
                      int height)
{
    const char *png = dv_cli_value(cli, DV_OPTION_SHOT);
    const char *svg = dv_cli_value(cli, DV_OPTION_SVG);
    DV_TRY(apply_options(cli, session, view));
    if (png || svg)
        return dv_picture_write(view, width, height, png, svg);
    char title[256];
    snprintf(title, sizeof title, "divvy: %s on %s", session->model,
             dv_session_platform_name(session));
    return dv_view_window(view, title, 0);
}

static dv_status measure(const dv_cli *cli, const dv_session *session, dv_run *run)
{
    int64_t runs;
    DV_TRY(dv_cli_integer(cli, DV_OPTION_RUNS, 1, 1000000, 30, &runs));
    if (!dv_cli_has(cli, DV_OPTION_MEASURE))
        return DV_OK;
    if (!session->graph)
        return dv_fail(DV_BAD_PARAMETER, "%s: a problem file has no operators to run",
                       session->model);
    return dv_run_session(cli, session, (uint32_t)runs, run);
}

dv_status dv_cmd_view(dv_cli *cli)
{
    int width, height;
    DV_TRY(dv_picture_size(cli, &width, &height));
    dv_session session = {0};
    dv_run run = {0};
    dv_view *view = NULL;
    dv_status status = dv_session_plan(cli, &session);
    if (status == DV_OK)
        status = measure(cli, &session, &run);
    if (status != DV_OK)
        goto done;
    dv_view_input input = {session.graph, session.platform,   session.problem,
                           session.plan,  run.measured.trace, dv_session_strategy(cli)};
    status = dv_view_create(&input, width, height, &view);
    if (status == DV_OK)
        status = show(cli, &session, view, width, height);
done:
    dv_view_destroy(view);
    dv_run_free(&run);
    dv_session_free(&session);
    return status;
}
