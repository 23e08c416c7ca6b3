/* run_report.c - predicted against measured: segments, hand-overs, total. */
#include "cli/run_report.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/progress_bar.h"
#include "cli/run_limits.h"
#include "cli/table.h"
#include "core/json.h"

dv_status dv_run_session(const dv_cli *cli, const dv_session *session, uint32_t runs, dv_run *run)
{
    *run = (dv_run){0};
    DV_TRY(dv_run_check_needs(cli, session));
    dv_progress_step(cli->progress, "compile", -1);
    DV_TRY(dv_executor_create(session->graph, session->platform, session->problem, session->plan,
                              &run->executor));
    dv_executor_fill_inputs(run->executor, 1);
    DV_TRY(dv_executor_run(run->executor));
    DV_TRY(dv_cli_check_stop(cli));
    dv_progress_step(cli->progress, "check against portable", -1);
    DV_TRY(dv_executor_check(run->executor, &run->check));
    DV_TRY(dv_cli_check_stop(cli));
    DV_TRY(dv_executor_measure(&run->executor, 1, runs, 1.0, cli->progress, &run->measured));
    dv_progress_bar_clear();
    return dv_cli_check_stop(cli);
}

void dv_run_free(dv_run *run)
{
    dv_executor_destroy(run->executor);
    dv_measurement_free(&run->measured);
    *run = (dv_run){0};
}

static double predicted_move_us(const dv_session *session, const struct dv_move *move)
{
    return dv_problem_move_us(session->problem, move->tensor, move->from, move->to);
}

static void cell_error(dv_table *table, double predicted, double measured)
{
    if (measured > 0)
        dv_table_cell(table, "%+.0f %%", 100 * (predicted - measured) / measured);
    else
        dv_table_cell(table, "-");
}

static void cell_measured(dv_table *table, double predicted, const dv_measured *measured)
{
    char low[DV_FIGURE_MAX], high[DV_FIGURE_MAX];
    dv_table_cell_us(table, predicted);
    dv_table_cell_us(table, measured->median);
    dv_table_cell(table, "%s .. %s", dv_format_us(low, measured->q1),
                  dv_format_us(high, measured->q3));
    cell_error(table, predicted, measured->median);
}

static void print_segments(const dv_cli *cli, const dv_session *session, const dv_run *run,
                           const dv_segment *segments, dv_text *out)
{
    dv_table *table = dv_table_create("<segment", "<device", ">units", ">predicted", ">measured",
                                      "<quartiles", ">error", NULL);
    for (uint32_t s = 0; s < run->measured.segment_count; s++) {
        const dv_segment *segment = &segments[s];
        dv_table_row(table);
        dv_table_cell(table, "%u", s + 1);
        dv_table_cell(table, "%s", session->problem->device_name[segment->device]);
        dv_table_cell(table, "%u", segment->count);
        cell_measured(table, dv_session_segment_us(session, segment), &run->measured.segments[s]);
    }
    for (uint32_t m = 0; m < run->measured.move_count; m++) {
        const struct dv_move *move = &run->measured.moves[m];
        char bytes[DV_FIGURE_MAX];
        dv_table_row(table);
        dv_table_cell(table, "hand-over");
        dv_table_cell(table, "%s > %s", session->problem->target_name[move->from],
                      session->problem->target_name[move->to]);
        dv_table_cell(table, "%s", dv_format_bytes(bytes, move->bytes));
        cell_measured(table, predicted_move_us(session, move), &move->time);
    }
    dv_table_row(table);
    dv_table_cell(table, "total");
    dv_table_style(table, DV_STYLE_BOLD);
    dv_table_cell(table, "%s", "");
    dv_table_cell(table, "%u", session->problem->unit_count);
    cell_measured(table, session->plan->cost.total_us, &run->measured.total);
    dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
}

/* What else runs on this machine shows in the times. */
static void print_load(const dv_cli *cli, dv_text *out)
{
    double load = 0;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (getloadavg(&load, 1) != 1 || processors < 1 || load <= 1.25 * (double)processors)
        return;
    dv_text_append(out, "  ");
    dv_styled(out, cli->colour, DV_STYLE_WARN,
              "the machine is busy (load %.1f on %ld processors): these times include waiting",
              load, processors);
    dv_text_append(out, "\n");
}

double dv_run_tolerance(const dv_graph *graph)
{
    for (dv_op_id o = 0; o < graph->op_count; o++) {
        dv_op_kind kind = graph->ops[o].kind;
        if (kind == DV_OP_QUANTIZE || kind == DV_OP_QUANTIZE_CHANNEL ||
            dv_op_is_quantised(graph, &graph->ops[o]))
            return 5e-2; /* doc/formats.md says why */
    }
    return 1e-3; /* as of the ONNX project's own tests */
}

/* What the values decided, beside what the plan assumed. */
static void print_found(const dv_cli *cli, const dv_session *session, const dv_run *run,
                        dv_text *out)
{
    if (run->check.found_count == 0)
        return;
    dv_table *table =
        dv_table_create("<length that the values decide", ">rows planned", ">rows found", NULL);
    for (uint32_t i = 0; i < run->check.found_count; i++) {
        const dv_found *found = &run->check.found[i];
        const dv_op *op = &session->graph->ops[found->op];
        dv_table_row(table);
        dv_table_cell(table, "%s", op->name);
        dv_table_cell(table, "%lld", (long long)*dv_op_rows(op));
        dv_table_cell(table, "%zu", found->rows);
    }
    dv_text_append(out, "\n");
    dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
}

dv_status dv_run_print(const dv_cli *cli, const dv_session *session, const dv_run *run,
                       dv_text *out)
{
    dv_segment *segments = NULL;
    uint32_t count = 0;
    DV_TRY(dv_plan_segments(session->problem, session->plan, &segments, &count));
    if (count != run->measured.segment_count) {
        free(segments);
        return dv_fail(DV_INTERNAL, "run: %u segments planned, %u measured", count,
                       run->measured.segment_count);
    }
    print_segments(cli, session, run, segments, out);
    free(segments);
    bool agrees = run->check.max_relative_rms <= dv_run_tolerance(session->graph);
    dv_text_append(out, "\n  %u runs; ", run->measured.total.runs);
    dv_styled(out, cli->colour, agrees ? DV_STYLE_GOOD : DV_STYLE_BAD,
              "outputs %s the portable reference: relative RMS error %.2g",
              agrees ? "agree with" : "differ from", run->check.max_relative_rms);
    if (run->check.worst_output < session->graph->tensor_count) {
        dv_text_append(out, " (");
        dv_cli_append_safe(out, session->graph->tensors[run->check.worst_output].name);
        dv_text_append(out, ")");
    }
    dv_text_append(out, "\n");
    print_load(cli, out);
    print_found(cli, session, run, out);
    return DV_OK;
}

static void json_measured(dv_json_writer *json, const char *key, const dv_measured *measured)
{
    dv_json_begin_line(json, key, '{');
    dv_json_put_number(json, "median", measured->median);
    dv_json_put_number(json, "q1", measured->q1);
    dv_json_put_number(json, "q3", measured->q3);
    dv_json_put_integer(json, "runs", measured->runs);
    dv_json_end(json, '}');
}

static void json_found(dv_json_writer *json, const dv_session *session, const dv_run *run)
{
    dv_json_begin_array(json, "rows");
    for (uint32_t i = 0; i < run->check.found_count; i++) {
        const dv_op *op = &session->graph->ops[run->check.found[i].op];
        dv_json_begin_line(json, NULL, '{');
        dv_json_put_string(json, "op", op->name);
        dv_json_put_integer(json, "planned", *dv_op_rows(op));
        dv_json_put_integer(json, "found", (int64_t)run->check.found[i].rows);
        dv_json_end(json, '}');
    }
    dv_json_end(json, ']');
}

static void json_moves(dv_json_writer *json, const dv_session *session, const dv_run *run)
{
    dv_json_begin_array(json, "moves");
    for (uint32_t m = 0; m < run->measured.move_count; m++) {
        const struct dv_move *move = &run->measured.moves[m];
        dv_json_begin_object(json, NULL);
        dv_json_put_string(json, "tensor", session->problem->tensor_name[move->tensor]);
        dv_json_put_number(json, "bytes", move->bytes);
        dv_json_put_string(json, "from", session->problem->target_name[move->from]);
        dv_json_put_string(json, "to", session->problem->target_name[move->to]);
        dv_json_put_number(json, "predicted_us", predicted_move_us(session, move));
        json_measured(json, "measured_us", &move->time);
        dv_json_end(json, '}');
    }
    dv_json_end(json, ']');
}

dv_status dv_run_print_json(const dv_session *session, const dv_run *run, dv_text *out)
{
    dv_segment *segments = NULL;
    uint32_t count = 0;
    DV_TRY(dv_plan_segments(session->problem, session->plan, &segments, &count));
    dv_json_writer json = dv_json_writer_on(out);
    dv_json_begin_object(&json, NULL);
    dv_json_put_string(&json, "model", session->model);
    dv_json_put_string(&json, "platform", dv_session_platform_name(session));
    dv_json_put_string(&json, "strategy", session->plan->strategy);
    dv_json_put_number(&json, "predicted_us", session->plan->cost.total_us);
    json_measured(&json, "measured_us", &run->measured.total);
    dv_json_begin_array(&json, "segments");
    for (uint32_t s = 0; s < count && s < run->measured.segment_count; s++) {
        dv_json_begin_object(&json, NULL);
        dv_json_put_string(&json, "device", session->problem->device_name[segments[s].device]);
        dv_json_put_integer(&json, "units", segments[s].count);
        dv_json_put_number(&json, "predicted_us", dv_session_segment_us(session, &segments[s]));
        json_measured(&json, "measured_us", &run->measured.segments[s]);
        dv_json_end(&json, '}');
    }
    dv_json_end(&json, ']');
    json_moves(&json, session, run);
    dv_json_begin_line(&json, "check", '{');
    dv_json_put_number(&json, "max_relative_rms", run->check.max_relative_rms);
    dv_json_put_string(&json, "worst_output",
                       run->check.worst_output < session->graph->tensor_count
                           ? session->graph->tensors[run->check.worst_output].name
                           : NULL);
    dv_json_end(&json, '}');
    json_found(&json, session, run);
    dv_json_end(&json, '}');
    free(segments);
    return DV_OK;
}
