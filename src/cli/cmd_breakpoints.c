/* cmd_breakpoints.c - at which values of a cost another plan becomes the best. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/limits.h"
#include "cli/picture.h"
#include "cli/pipeline.h"
#include "cli/table.h"
#include "core/file.h"
#include "core/json.h"
#include "solver/breakpoints.h"
#include "viz/breakpoints_plot.h"

static const struct {
    const char *name;
    dv_parameter_kind kind;
    bool of_device; /* and a time; else a factor */
} kinds[] = {
    {"dispatch", DV_PARAMETER_DISPATCH, true},  {"session", DV_PARAMETER_SESSION, true},
    {"handover", DV_PARAMETER_HANDOVER, false}, {"latency", DV_PARAMETER_LATENCY, false},
    {"traffic", DV_PARAMETER_TRAFFIC, false},
};

typedef struct question {
    const char *text; /* as given, up to '=' */
    int length;
    bool of_device;
    dv_parameter parameter;
} question;

static bool read_value(const char *text, bool is_time, double *value)
{
    char *end;
    if (is_time)
        return dv_parse_us(text, value);
    *value = strtod(text, &end);
    return end != text && !*end && isfinite(*value) && *value >= 0.0;
}

/* "LOW..HIGH" */
static dv_status read_range(const char *text, const char *range, question *q)
{
    const char *dots = strstr(range, "..");
    char low[64];
    if (!dots || (size_t)(dots - range) >= sizeof low)
        return dv_fail(DV_BAD_PARAMETER,
                       "--param '%s': write NAME=LOW..HIGH, as in "
                       "dispatch:ane=10us..1ms or handover=0.1..10",
                       text);
    snprintf(low, sizeof low, "%.*s", (int)(dots - range), range);
    if (!read_value(low, q->of_device, &q->parameter.low) ||
        !read_value(dots + 2, q->of_device, &q->parameter.high) ||
        !(q->parameter.low < q->parameter.high))
        return dv_fail(DV_BAD_PARAMETER, "--param '%s': '%s' must go from %s to a greater one",
                       text, range, q->of_device ? "a time" : "a factor");
    return DV_OK;
}

static dv_status read_device(const char *text, const char *name, size_t length,
                             const dv_problem *problem, dv_device_id *out)
{
    dv_text known = {0};
    for (dv_device_id d = 0; d < problem->device_count; d++) {
        if (strlen(problem->device_name[d]) == length &&
            strncmp(problem->device_name[d], name, length) == 0) {
            *out = d;
            dv_text_free(&known);
            return DV_OK;
        }
        dv_text_append(&known, "%s%s", d ? ", " : "", problem->device_name[d]);
    }
    dv_status status = dv_fail(DV_BAD_PARAMETER, "--param '%s': no device '%.*s'; there are %s",
                               text, (int)length, name, dv_text_string(&known));
    dv_text_free(&known);
    return status;
}

static dv_status read_question(const dv_cli *cli, const dv_problem *problem, question *q)
{
    const char *text = dv_cli_value(cli, DV_OPTION_PARAM);
    if (!text)
        return dv_fail(DV_BAD_PARAMETER,
                       "breakpoints: say of what, as in --param dispatch:ane=10us..1ms or "
                       "--param handover=0.1..10");
    size_t name = strcspn(text, ":="), all = strcspn(text, "=");
    *q = (question){.text = text, .length = (int)all};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strlen(kinds[i].name) != name || strncmp(text, kinds[i].name, name) != 0 ||
            kinds[i].of_device != (text[name] == ':'))
            continue;
        q->of_device = kinds[i].of_device;
        q->parameter.kind = kinds[i].kind;
        if (q->of_device)
            DV_TRY(
                read_device(text, text + name + 1, all - name - 1, problem, &q->parameter.device));
        return read_range(text, text[all] ? text + all + 1 : "", q);
    }
    return dv_fail(DV_BAD_PARAMETER,
                   "--param '%s': there are dispatch:DEVICE, session:DEVICE, "
                   "handover, latency and traffic",
                   text);
}

/* How many units are on another target than in the interval before. */
static uint32_t changes(const dv_problem *problem, const dv_breakpoints *b, uint32_t i)
{
    uint32_t count = 0;
    for (dv_unit_id u = 0; i > 0 && u < problem->unit_count; u++)
        count += b->intervals[i].plan->target[u] != b->intervals[i - 1].plan->target[u];
    return count;
}

static void cell_value(const question *q, double value, dv_table *table)
{
    if (q->of_device)
        dv_table_cell_us(table, value);
    else
        dv_table_cell(table, "%.4g", value);
}

/* "cpu 3, ane 40": units on each device. */
static void cell_devices(const dv_problem *problem, const dv_plan *plan, dv_table *table)
{
    dv_text text = {0};
    for (dv_device_id d = 0; d < problem->device_count; d++) {
        uint32_t count = 0;
        for (dv_unit_id u = 0; u < problem->unit_count; u++)
            count += problem->device[plan->target[u]] == d;
        if (count)
            dv_text_append(&text, "%s%s %u", text.length ? ", " : "", problem->device_name[d],
                           count);
    }
    dv_table_cell(table, "%s", dv_text_string(&text));
    dv_text_free(&text);
}

static void print_table(const dv_cli *cli, const dv_session *session, const question *q,
                        const dv_breakpoints *b, dv_text *out)
{
    dv_cli_append_safe(out, session->model);
    dv_text_append(out, " on %s: %u plan%s over %.*s, %s (given order, %u solves)\n",
                   dv_session_platform_name(session), b->count, b->count == 1 ? "" : "s", q->length,
                   q->text, b->exact ? "all of them, proven" : "not all proven", b->solves);
    dv_table *table = dv_table_create(">from", ">to", ">latency", ">to", ">segments", ">moved",
                                      ">changes", "<units", NULL);
    for (uint32_t i = 0; i < b->count; i++) {
        const dv_interval *interval = &b->intervals[i];
        dv_table_row(table);
        cell_value(q, interval->low, table);
        cell_value(q, interval->high, table);
        dv_table_cell_us(table, interval->low_us);
        dv_table_cell_us(table, interval->high_us);
        dv_table_cell(table, "%u", interval->plan->cost.segments);
        dv_table_cell_bytes(table, interval->plan->cost.moved_bytes);
        dv_table_cell(table, "%u", changes(session->problem, b, i));
        cell_devices(session->problem, interval->plan, table);
    }
    dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
}

static void print_json(const dv_session *session, const question *q, const dv_breakpoints *b,
                       dv_text *out)
{
    const dv_problem *problem = session->problem;
    char name[128];
    snprintf(name, sizeof name, "%.*s", q->length, q->text);
    dv_json_writer json = dv_json_writer_on(out);
    dv_json_begin_object(&json, NULL);
    dv_json_put_string(&json, "model", session->model);
    dv_json_put_string(&json, "platform", dv_session_platform_name(session));
    dv_json_put_string(&json, "param", name);
    dv_json_put_bool(&json, "exact", b->exact);
    dv_json_put_string(&json, "proof_scope", "given order");
    dv_json_begin_array(&json, "intervals");
    for (uint32_t i = 0; i < b->count; i++) {
        const dv_interval *interval = &b->intervals[i];
        dv_json_begin_object(&json, NULL);
        dv_json_put_number(&json, "low", interval->low);
        dv_json_put_number(&json, "high", interval->high);
        dv_json_put_number(&json, "low_latency_us", interval->low_us);
        dv_json_put_number(&json, "high_latency_us", interval->high_us);
        dv_json_put_integer(&json, "segments", interval->plan->cost.segments);
        dv_json_put_number(&json, "moved_bytes", interval->plan->cost.moved_bytes);
        dv_json_begin_object(&json, "placement");
        for (dv_unit_id u = 0; u < problem->unit_count; u++)
            dv_json_put_string(&json, problem->unit_name[u],
                               problem->target_name[interval->plan->target[u]]);
        dv_json_end(&json, '}');
        dv_json_end(&json, '}');
    }
    dv_json_end(&json, ']');
    dv_json_end(&json, '}');
}

static dv_status draw(const dv_cli *cli, const dv_session *session, const question *q,
                      const dv_breakpoints *b)
{
    const char *png = dv_cli_value(cli, DV_OPTION_SHOT), *svg = dv_cli_value(cli, DV_OPTION_SVG);
    char title[256], cost[128];
    int width, height;
    DV_TRY(dv_picture_size(cli, &width, &height));
    if (!png && !svg)
        return DV_OK;
    snprintf(title, sizeof title, "%s on %s", session->model, dv_session_platform_name(session));
    snprintf(cost, sizeof cost, "%.*s", (int)strcspn(q->text, "="), q->text);
    dv_breakpoints_plot plot = {.problem = session->problem,
                                .breakpoints = b,
                                .title = title,
                                .cost = cost,
                                .is_time = q->of_device};
    dv_scene *scene = dv_scene_create(width, height, 0xffffff);
    if (!scene)
        return dv_fail(DV_NO_MEMORY, "no memory for a picture");
    dv_status status = dv_breakpoints_draw(&plot, scene);
    if (status == DV_OK)
        status = dv_picture_write_scene(scene, png, svg);
    dv_scene_destroy(scene);
    return status;
}

static dv_status find(dv_cli *cli, dv_session *session, dv_breakpoints *b)
{
    question q;
    DV_TRY(dv_session_load(cli, cli->arguments[0], false, session));
    DV_TRY(dv_session_pose(cli, dv_session_platform(cli), session));
    DV_TRY(read_question(cli, session->problem, &q));
    dv_status found = dv_breakpoints_find(session->problem, &q.parameter, cli->progress, b);
    if (found == DV_NEGATIVE) { /* limits do not depend on the parameter */
        DV_TRY(dv_conflict_look(cli, session));
        return dv_session_no_plan(session, "breakpoints");
    }
    DV_TRY(dv_within(found, "%s", session->model));
    DV_TRY(draw(cli, session, &q, b));
    dv_text report = {0};
    if (cli->json)
        print_json(session, &q, b, &report);
    else
        print_table(cli, session, &q, b, &report);
    const char *path = dv_cli_value(cli, DV_OPTION_OUTPUT);
    dv_status status = DV_OK;
    if (path)
        status = dv_file_write(path, dv_text_string(&report), report.length);
    else
        dv_text_append(&cli->out, "%s", dv_text_string(&report));
    dv_text_free(&report);
    return status;
}

dv_status dv_cmd_breakpoints(dv_cli *cli)
{
    dv_session session = {0};
    dv_breakpoints b = {0};
    dv_status status = find(cli, &session, &b);
    dv_breakpoints_free(&b);
    dv_session_free(&session);
    return status;
}
