/* cmd_demo.c - the whole way on a built-in network: a phone's best plan, proven, drawn and
   simulated; then this machine measured, a plan over two devices executed, the prediction held
   against it. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/host_platform.h"
#include "cli/picture.h"
#include "cli/plan_report.h"
#include "cli/progress_bar.h"
#include "cli/run_report.h"
#include "cli/table.h"
#include "cli/trace_report.h"
#include "core/file.h"
#include "sim/simulate.h"

static const char *const model = "zoo:mobilenet_v2";
static const char *const phone = "iphone15pro";

enum { PICTURE_WIDTH = 1280, PICTURE_HEIGHT = 800, PATH_SIZE = 4096 };

struct demo {
    dv_cli *cli;
    const char *folder;
    char plan[PATH_SIZE], png[PATH_SIZE], svg[PATH_SIZE], trace[PATH_SIZE], split_png[PATH_SIZE];
    char host[PATH_SIZE], host_png[PATH_SIZE], host_trace[PATH_SIZE];
};

static dv_status file_in(const struct demo *demo, const char *name, char path[PATH_SIZE])
{
    if (snprintf(path, PATH_SIZE, "%s/%s", demo->folder, name) >= PATH_SIZE)
        return dv_fail(DV_IO, "%s: the path is too long", demo->folder);
    return DV_OK;
}

static dv_status prepare(struct demo *demo)
{
    const char *given = dv_cli_value(demo->cli, DV_OPTION_OUTPUT);
    demo->folder = given ? given : "divvy-demo";
    if (mkdir(demo->folder, 0777) != 0 && errno != EEXIST)
        return dv_fail(DV_IO, "%s: %s", demo->folder, strerror(errno));
    DV_TRY(file_in(demo, "plan.json", demo->plan));
    DV_TRY(file_in(demo, "plan.png", demo->png));
    DV_TRY(file_in(demo, "plan.svg", demo->svg));
    DV_TRY(file_in(demo, "bert.png", demo->split_png));
    DV_TRY(file_in(demo, "predicted.trace.json", demo->trace));
    DV_TRY(file_in(demo, "host.json", demo->host));
    DV_TRY(file_in(demo, "host.png", demo->host_png));
    return file_in(demo, "measured.trace.json", demo->host_trace);
}

/* A head line; what came before reaches the terminal, so that one sees how far it is. */
static dv_status section(const struct demo *demo, int number, const char *what)
{
    dv_text *out = &demo->cli->out;
    dv_text_append(out, "%s", number > 1 ? "\n" : "");
    dv_styled(out, demo->cli->colour, DV_STYLE_BOLD, "%d. %s", number, what);
    dv_text_append(out, "\n\n");
    DV_TRY(dv_cli_flush(demo->cli));
    return dv_cli_check_stop(demo->cli);
}

static dv_status draw(const dv_session *session, const dv_trace *measured, const char *strategy,
                      const char *png, const char *svg)
{
    dv_view_input input = {session->graph, session->platform, session->problem,
                           session->plan,  measured,          strategy};
    dv_view *view = NULL;
    DV_TRY(dv_view_create(&input, PICTURE_WIDTH, PICTURE_HEIGHT, &view));
    dv_status status = dv_picture_write(view, PICTURE_WIDTH, PICTURE_HEIGHT, png, svg);
    dv_view_destroy(view);
    return status;
}

static dv_status write_plan(const struct demo *demo, const dv_session *session)
{
    dv_text text = {0};
    dv_status status =
        dv_plan_write(session->problem, session->plan, session->graph, session->platform, &text);
    if (status == DV_OK)
        status = dv_file_write(demo->plan, dv_text_string(&text), text.length);
    dv_text_free(&text);
    return status;
}

/* A convolutional network and a transformer on two phones: where today's rules of thumb find the
   optimum, and where they miss it. */
static dv_status compare_on_phones(const struct demo *demo)
{
    static const char *const models[] = {"zoo:mobilenet_v2", "zoo:bert_base"};
    static const char *const phones[] = {"iphone15pro", "galaxy_s24"};
    DV_TRY(section(demo, 1, "Every strategy on the processors of two phones"));
    for (size_t i = 0; i < 4; i++) {
        if (i)
            dv_text_append(&demo->cli->out, "\n");
        DV_TRY(dv_compare_print(demo->cli, models[i / 2], phones[i % 2], &demo->cli->out));
        DV_TRY(dv_cli_flush(demo->cli));
    }
    return DV_OK;
}

static dv_status simulate_on_phone(const struct demo *demo, dv_session *session)
{
    DV_TRY(section(demo, 3, "That plan as discrete events: who is busy for how long"));
    dv_simulate_options options = {.executor = DV_EXECUTOR_SEQUENTIAL, .inferences = 1};
    dv_trace *trace = NULL;
    DV_TRY(dv_simulate(session->problem, session->plan, &options, &trace));
    dv_trace_print(demo->cli, trace, &demo->cli->out);
    dv_status status =
        dv_trace_write_perfetto(demo->trace, session, (const dv_trace *const *)&trace, 1);
    dv_trace_destroy(trace);
    return status;
}

/* A network whose optimum uses two processors, as a picture. */
static dv_status draw_split(const struct demo *demo)
{
    const char *strategy = dv_session_strategy(demo->cli);
    dv_session session = {0};
    dv_status status = dv_session_load(demo->cli, "zoo:bert_base", false, &session);
    if (status == DV_OK)
        status = dv_session_pose(demo->cli, "galaxy_s24", &session);
    if (status == DV_OK)
        status = dv_session_solve(demo->cli, strategy, &session);
    if (status == DV_OK && session.plan)
        status = draw(&session, NULL, strategy, demo->split_png, NULL);
    dv_session_free(&session);
    return status;
}

static dv_status plan_for_phone(const struct demo *demo, dv_session *session)
{
    DV_TRY(section(demo, 2, "The optimum, certified, and its segments"));
    const char *strategy = dv_session_strategy(demo->cli);
    DV_TRY(dv_session_load(demo->cli, model, false, session));
    DV_TRY(dv_session_pose(demo->cli, phone, session));
    DV_TRY(dv_session_solve(demo->cli, strategy, session));
    if (!session->plan)
        return dv_session_no_plan(session, strategy);
    DV_TRY(dv_plan_print(demo->cli, session, &demo->cli->out));
    DV_TRY(write_plan(demo, session));
    DV_TRY(draw(session, NULL, strategy, demo->png, demo->svg));
    DV_TRY(draw_split(demo));
    return simulate_on_phone(demo, session);
}

/* The fastest plan of a machine with one good CPU keeps everything there. To see hand-overs, the
   middle third of the units is given to the other device, wherever it can run them. */
static dv_status split_over_devices(dv_problem *problem)
{
    dv_target_id other = DV_NONE;
    for (dv_target_id a = problem->target_count; a-- > 0;)
        if (problem->device[a] != problem->device[problem->host])
            other = a;
    dv_target_id *pin = dv_arena_array(problem->arena, problem->unit_count, sizeof *pin);
    if (!pin)
        return dv_fail(DV_NO_MEMORY, "no memory for pins");
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        bool middle = 3 * u >= problem->unit_count && 3 * u < 2 * problem->unit_count;
        bool able = other != DV_NONE && isfinite(dv_problem_time_us(problem, u, other));
        pin[u] = middle && able ? other : DV_NONE;
    }
    problem->pin = pin;
    return DV_OK;
}

static dv_status run_on_host(const struct demo *demo, dv_session *session, dv_run *run)
{
    dv_cli *cli = demo->cli;
    DV_TRY(section(demo, 5, "A plan over two devices of this machine, executed"));
    const char *strategy = dv_session_strategy(cli);
    DV_TRY(dv_session_load(cli, model, false, session));
    DV_TRY(dv_session_pose(cli, demo->host, session));
    DV_TRY(split_over_devices(session->problem));
    DV_TRY(dv_session_solve(cli, strategy, session));
    if (!session->plan)
        return dv_session_no_plan(session, strategy);
    DV_TRY(dv_run_session(cli, session, 30, run));
    DV_TRY(dv_run_print(cli, session, run, &cli->out));
    DV_TRY(draw(session, run->measured.trace, strategy, demo->host_png, NULL));

    dv_simulate_options options = {.executor = DV_EXECUTOR_SEQUENTIAL, .inferences = 1};
    dv_trace *predicted = NULL;
    DV_TRY(dv_simulate(session->problem, session->plan, &options, &predicted));
    const dv_trace *traces[] = {predicted, run->measured.trace};
    dv_status status = dv_trace_write_perfetto(demo->host_trace, session, traces, 2);
    dv_trace_destroy(predicted);
    DV_TRY(status);
    if (!(run->check.max_relative_rms <= dv_run_tolerance(session->graph)))
        return dv_fail(DV_NEGATIVE, "the outputs differ from the portable reference by %.2g",
                       run->check.max_relative_rms);
    return DV_OK;
}

static dv_status measure_host(const struct demo *demo)
{
    DV_TRY(section(demo, 4, "This machine, measured"));
    dv_calibration calibration = {0};
    dv_status status = dv_host_calibrate(demo->cli, "host", true, demo->host, &calibration);
    dv_progress_bar_clear();
    if (status == DV_OK) {
        dv_text_append(&demo->cli->out, "in %.1f s\n", calibration.seconds);
        dv_host_print(demo->cli, &calibration, &demo->cli->out);
    }
    dv_calibration_free(&calibration);
    return status;
}

static void list_files(const struct demo *demo)
{
    const struct {
        const char *path, *what;
    } files[] = {
        {demo->plan, "the plan for the phone's compiler"},
        {demo->png, "the network coloured by device"},
        {demo->svg, "the same, to zoom into"},
        {demo->split_png, "BERT over the CPU and the neural processor of the other phone"},
        {demo->trace, "the predicted timeline; open it at ui.perfetto.dev"},
        {demo->host, "this machine as a platform: --platform takes it"},
        {demo->host_png, "the plan that ran here, both timelines below it"},
        {demo->host_trace, "predicted and measured side by side, for ui.perfetto.dev"},
    };
    dv_text *out = &demo->cli->out;
    dv_text_append(out, "\n");
    dv_table *table = dv_table_create("<file", "<what", NULL);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        dv_table_row(table);
        dv_table_cell(table, "%s", files[i].path);
        dv_table_style(table, DV_STYLE_BOLD);
        dv_table_cell(table, "%s", files[i].what);
    }
    dv_table_print(table, demo->cli->colour, out);
    dv_table_destroy(table);
    dv_text_append(out,
                   "\nNow with a model of your own: divvy partition MODEL.onnx --platform "
                   "%s\n",
                   phone);
}

dv_status dv_cmd_demo(dv_cli *cli)
{
    struct demo demo = {.cli = cli};
    dv_session phone_session = {0}, host_session = {0};
    dv_run run = {0};
    dv_status status = prepare(&demo);
    if (status == DV_OK)
        status = compare_on_phones(&demo);
    if (status == DV_OK)
        status = plan_for_phone(&demo, &phone_session);
    if (status == DV_OK)
        status = measure_host(&demo);
    if (status == DV_OK)
        status = run_on_host(&demo, &host_session, &run);
    if (status == DV_OK)
        list_files(&demo);
    dv_run_free(&run);
    dv_session_free(&host_session);
    dv_session_free(&phone_session);
    return status;
}
