/* unsupported_gain.c - the plan after a device has learned an operator. */
#include "cli/unsupported_gain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/limits.h"
#include "cli/progress_bar.h"
#include "cli/table.h"
#include "core/op.h"
#include "costmodel/costmodel.h"

/* The platform with one device that can do more; shares all else with the session's. */
typedef struct schooled {
    dv_platform platform;
    dv_device *devices;
    bool supports[DV_OP_COUNT];
} schooled;

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "explain: no memory");
}

static void teach(const dv_platform *platform, dv_device_id d, dv_op_kind kind, schooled *out)
{
    memcpy(out->devices, platform->devices, platform->device_count * sizeof *out->devices);
    memcpy(out->supports, platform->devices[d].supports, sizeof out->supports);
    for (int k = 0; k < DV_OP_COUNT; k++)
        out->supports[k] |= kind == DV_OP_COUNT || kind == (dv_op_kind)k;
    out->devices[d].supports = out->supports;
    out->platform = *platform;
    out->platform.devices = out->devices;
}

/* Pins are copied from the session's problem: units and targets are the same. */
static dv_status solve(const dv_cli *cli, const dv_session *session, const dv_platform *platform,
                       dv_lesson *lesson)
{
    const char *name = dv_cli_value(cli, DV_OPTION_COST_MODEL);
    const dv_cost_model *model = name ? dv_cost_model_find(name) : dv_cost_model_at(0);
    dv_problem *problem = NULL;
    dv_plan *plan = NULL;
    dv_outcome outcome;
    dv_solve_options options;
    DV_TRY(dv_session_solve_options(cli, &options));
    dv_progress quiet = {.stop = cli->progress ? cli->progress->stop : NULL};
    options.progress = &quiet;
    DV_TRY(dv_problem_build(session->graph, platform, model, &problem));
    dv_limits_copy(session->problem, problem);
    dv_status status = dv_solve(problem, dv_session_strategy(cli), &options, &plan, &outcome);
    if (status == DV_OK)
        status = dv_cli_check_stop(cli);
    if (status == DV_OK && !plan)
        status = dv_session_no_plan(session, dv_session_strategy(cli));
    if (status == DV_OK) {
        lesson->latency_us = plan->cost.total_us;
        lesson->segments = plan->cost.segments;
        lesson->proven = outcome == DV_OUTCOME_OPTIMAL;
    }
    dv_plan_destroy(plan);
    problem->pin = NULL;
    dv_problem_destroy(problem);
    return status;
}

static uint32_t count_operators(const dv_graph *graph, const dv_device *device, dv_op_kind kind)
{
    uint32_t count = 0;
    for (dv_op_id i = 0; i < graph->op_count; i++) {
        dv_op_kind own = graph->ops[i].kind;
        count += kind == DV_OP_COUNT ? !device->supports[own] : own == kind;
    }
    return count;
}

static dv_status try_lesson(const dv_cli *cli, const dv_session *session, schooled *school,
                            dv_lesson lesson, dv_lessons *lessons)
{
    dv_lesson *more =
        realloc(lessons->lesson, ((size_t)lessons->count + 1) * sizeof *lessons->lesson);
    if (!more)
        return no_memory();
    lessons->lesson = more;
    teach(session->platform, lesson.device, lesson.kind, school);
    DV_TRY(solve(cli, session, &school->platform, &lesson));
    lessons->proven = lessons->proven && lesson.proven;
    lessons->lesson[lessons->count++] = lesson;
    return DV_OK;
}

/* All that the device does not run, together and kind by kind. */
static dv_status teach_device(const dv_cli *cli, const dv_session *session, dv_device_id d,
                              schooled *school, dv_lessons *lessons)
{
    const dv_device *device = &session->platform->devices[d];
    uint32_t kinds = 0, all = count_operators(session->graph, device, DV_OP_COUNT);
    for (int k = 0; all > 0 && k < DV_OP_COUNT; k++) {
        dv_op_kind kind = (dv_op_kind)k;
        uint32_t count = count_operators(session->graph, device, kind);
        if (count == 0 || device->supports[k])
            continue;
        dv_progress_step(cli->progress, dv_op_info_of(kind)->name, (double)k / DV_OP_COUNT);
        DV_TRY(try_lesson(cli, session, school,
                          (dv_lesson){.device = d, .kind = kind, .operators = count}, lessons));
        kinds++;
    }
    if (kinds < 2)
        return DV_OK;
    return try_lesson(cli, session, school,
                      (dv_lesson){.device = d, .kind = DV_OP_COUNT, .operators = all}, lessons);
}

static int by_latency(const void *left, const void *right)
{
    const dv_lesson *a = left, *b = right;
    if (a->latency_us != b->latency_us)
        return a->latency_us < b->latency_us ? -1 : 1;
    if (a->device != b->device)
        return a->device < b->device ? -1 : 1;
    return a->kind > b->kind ? -1 : a->kind < b->kind;
}

dv_status dv_lessons_find(const dv_cli *cli, const dv_session *session, dv_lessons *lessons)
{
    *lessons = (dv_lessons){0};
    if (!session->graph)
        return dv_fail(DV_BAD_PARAMETER,
                       "%s: --unsupported-gain needs operators; a problem file has only costs",
                       session->model);
    schooled school = {
        .devices = calloc((size_t)session->platform->device_count + 1, sizeof *school.devices)};
    if (!school.devices)
        return no_memory();
    dv_lesson today = {0};
    dv_status status = solve(cli, session, session->platform, &today);
    lessons->base_us = today.latency_us;
    lessons->proven = today.proven;
    for (dv_device_id d = 0; status == DV_OK && d < session->platform->device_count; d++)
        status = teach_device(cli, session, d, &school, lessons);
    dv_progress_bar_clear();
    free(school.devices);
    if (status == DV_OK && lessons->count > 0)
        qsort(lessons->lesson, lessons->count, sizeof *lessons->lesson, by_latency);
    return status;
}

void dv_lessons_free(dv_lessons *lessons)
{
    free(lessons->lesson);
    *lessons = (dv_lessons){0};
}

/* Sums in another order differ by their rounding. */
static double gain_us(const dv_lessons *lessons, const dv_lesson *lesson)
{
    double us = lessons->base_us - lesson->latency_us;
    return us > 1e-9 * lessons->base_us ? us : 0.0;
}

static const char *lesson_name(const dv_lesson *lesson)
{
    return lesson->kind == DV_OP_COUNT ? "all of these" : dv_op_info_of(lesson->kind)->name;
}

void dv_lessons_print(const dv_cli *cli, const dv_session *session, const dv_lessons *lessons,
                      dv_text *out)
{
    uint32_t vain = 0;
    dv_table *table = dv_table_create("<operator", "<device", ">operators", ">latency", ">gain",
                                      ">", ">segments", NULL);
    for (uint32_t i = 0; i < lessons->count; i++) {
        const dv_lesson *lesson = &lessons->lesson[i];
        double gain = gain_us(lessons, lesson);
        vain += gain == 0.0 && lesson->kind != DV_OP_COUNT;
        if (gain == 0.0)
            continue;
        dv_table_row(table);
        dv_table_cell(table, "%s", lesson_name(lesson));
        dv_table_cell(table, "%s", session->platform->devices[lesson->device].name);
        dv_table_cell(table, "%u", lesson->operators);
        dv_table_cell_us(table, lesson->latency_us);
        dv_table_cell_us(table, gain);
        dv_table_cell(table, "%.1f %%", 100.0 * gain / lessons->base_us);
        dv_table_cell(table, "%u", lesson->segments);
    }
    dv_text_append(out,
                   "\nGain: how much faster the best plan would be if a device learned an "
                   "operator that it does not run%s.\n",
                   lessons->proven ? "" : " (not every plan is proven)");
    if (vain < lessons->count)
        dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
    if (vain > 0)
        dv_text_append(out, "%s%u %s would gain nothing.\n", vain < lessons->count ? "\n" : "",
                       vain, vain == 1 ? "other" : "others");
    else if (lessons->count == 0)
        dv_text_append(out, "Every device runs every operator of this model.\n");
}

void dv_lessons_json(const dv_session *session, const dv_lessons *lessons, dv_json_writer *json)
{
    dv_json_put_bool(json, "unsupported_gain_proven", lessons->proven);
    dv_json_begin_array(json, "unsupported_gain");
    for (uint32_t i = 0; i < lessons->count; i++) {
        const dv_lesson *lesson = &lessons->lesson[i];
        dv_json_begin_object(json, NULL);
        dv_json_put_string(json, "operator",
                           lesson->kind == DV_OP_COUNT ? NULL : lesson_name(lesson));
        dv_json_put_string(json, "device", session->platform->devices[lesson->device].name);
        dv_json_put_integer(json, "operators", lesson->operators);
        dv_json_put_number(json, "latency_us", lesson->latency_us);
        dv_json_put_number(json, "gain_us", gain_us(lessons, lesson));
        dv_json_put_integer(json, "segments", lesson->segments);
        dv_json_end(json, '}');
    }
    dv_json_end(json, ']');
}
