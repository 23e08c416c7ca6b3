/* cmd_info.c - what a model holds, even where parts of it are not understood. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/delegate_report.h"
#include "cli/pipeline.h"
#include "cli/table.h"
#include "core/json.h"

struct kind_count {
    const char *name;
    uint32_t count;
};

static int by_count(const void *left, const void *right)
{
    const struct kind_count *a = left, *b = right;
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    return strcmp(a->name, b->name);
}

/* Kinds that occur, the most frequent first, into rows; returns how many. */
static size_t count_kinds(const dv_graph *graph, struct kind_count rows[DV_OP_COUNT])
{
    for (int k = 0; k < DV_OP_COUNT; k++)
        rows[k] = (struct kind_count){dv_op_info_of((dv_op_kind)k)->name, 0};
    for (dv_op_id o = 0; o < graph->op_count; o++)
        rows[graph->ops[o].kind].count++;
    qsort(rows, DV_OP_COUNT, sizeof *rows, by_count);
    size_t used = 0;
    while (used < DV_OP_COUNT && rows[used].count > 0)
        used++;
    return used;
}

static void json_tensors(dv_json_writer *json, const char *key, const dv_graph *graph,
                         const dv_tensor_id *ids, uint32_t count)
{
    dv_json_begin_array(json, key);
    for (uint32_t i = 0; i < count; i++) {
        const dv_tensor *tensor = &graph->tensors[ids[i]];
        char shape[DV_SHAPE_TEXT];
        dv_json_begin_line(json, NULL, '{');
        dv_json_put_string(json, "name", tensor->name);
        dv_json_put_string(json, "dtype", dv_dtype_name(tensor->dtype));
        dv_json_put_string(json, "shape", dv_shape_text(&tensor->shape, shape));
        dv_json_end(json, '}');
    }
    dv_json_end(json, ']');
}

/* Results whose length the values decide, as long as they are taken to be. */
static void json_rows(dv_json_writer *json, const dv_graph *graph)
{
    dv_json_begin_array(json, "assumed_rows");
    for (dv_op_id o = 0; o < graph->op_count; o++) {
        const int64_t *rows = dv_op_rows(&graph->ops[o]);
        if (!rows)
            continue;
        dv_json_begin_line(json, NULL, '{');
        dv_json_put_string(json, "op", graph->ops[o].name);
        dv_json_put_integer(json, "rows", *rows);
        dv_json_end(json, '}');
    }
    dv_json_end(json, ']');
}

static bool is_program(const dv_session *session)
{
    return strcmp(session->source->format, "pte") == 0;
}

static dv_status json_info(const dv_cli *cli, dv_json_writer *json, const dv_session *session)
{
    const dv_graph *source = session->source, *graph = session->graph;
    dv_graph_totals totals = dv_graph_count(graph);
    dv_json_begin_object(json, NULL);
    dv_json_put_string(json, "model", session->model);
    dv_json_put_string(json, "format", source->format);
    dv_json_put_string(json, "about", source->about);
    dv_json_put_integer(json, "ops", source->op_count);
    dv_json_put_integer(json, "lowered_ops", graph->op_count);
    dv_json_put_integer(json, "units", graph->unit_count);
    dv_json_put_integer(json, "tensors", source->tensor_count);
    dv_json_put_number(json, "parameters", dv_graph_count(source).parameters);
    dv_json_put_number(json, "multiply_adds", totals.macs);
    dv_json_put_number(json, "weight_bytes", totals.weight_bytes);
    dv_json_put_number(json, "peak_activation_bytes", totals.peak_activation_bytes);
    struct kind_count kinds[DV_OP_COUNT];
    size_t used = count_kinds(source, kinds);
    dv_json_begin_object(json, "ops_by_kind");
    for (size_t k = 0; k < used; k++)
        dv_json_put_integer(json, kinds[k].name, kinds[k].count);
    dv_json_end(json, '}');
    json_tensors(json, "inputs", graph, graph->inputs, graph->input_count);
    json_tensors(json, "outputs", graph, graph->outputs, graph->output_count);
    json_rows(json, graph);
    dv_json_begin_array(json, "unsupported");
    for (dv_op_id o = 0; o < source->op_count; o++) {
        if (source->ops[o].kind != DV_OP_OPAQUE)
            continue;
        dv_json_begin_line(json, NULL, '{');
        dv_json_put_string(json, "node", source->ops[o].name);
        dv_json_put_string(json, "op", source->ops[o].source_type);
        dv_json_put_string(json, "reason", source->ops[o].reason);
        dv_json_end(json, '}');
    }
    dv_json_end(json, ']');
    if (is_program(session))
        DV_TRY(dv_delegates_json(cli, session->model, json));
    dv_json_end(json, '}');
    return DV_OK;
}

static void print_tensors(dv_text *out, const char *head, const dv_graph *graph,
                          const dv_tensor_id *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const dv_tensor *tensor = &graph->tensors[ids[i]];
        char shape[DV_SHAPE_TEXT];
        dv_text_append(out, "  %-12s %s %s  ", i ? "" : head, dv_dtype_name(tensor->dtype),
                       dv_shape_text(&tensor->shape, shape));
        dv_cli_append_safe(out, tensor->name);
        dv_text_append(out, "\n");
    }
}

static void print_rows(const dv_cli *cli, dv_text *out, const dv_graph *graph)
{
    dv_table *table = dv_table_create("<length that the values decide", ">rows assumed",
                                      "<to assume another", NULL);
    uint32_t count = 0;
    for (dv_op_id o = 0; o < graph->op_count; o++) {
        const int64_t *rows = dv_op_rows(&graph->ops[o]);
        if (!rows)
            continue;
        count++;
        dv_table_row(table);
        dv_table_cell(table, "%s", graph->ops[o].name);
        dv_table_cell(table, "%lld", (long long)*rows);
        dv_table_cell(table, "--dim '%s=N'", graph->ops[o].name);
    }
    if (count > 0) {
        dv_text_append(out, "\n");
        dv_table_print(table, cli->colour, out);
    }
    dv_table_destroy(table);
}

static void print_unsupported(const dv_cli *cli, dv_text *out, const dv_graph *source)
{
    uint32_t count = 0;
    for (dv_op_id o = 0; o < source->op_count; o++)
        count += source->ops[o].kind == DV_OP_OPAQUE;
    if (count == 0)
        return;
    dv_text_append(out, "\n  ");
    dv_styled(out, cli->colour, DV_STYLE_WARN, "not understood: %u of %u operators", count,
              source->op_count);
    dv_text_append(out, "\n");
    dv_table *table = dv_table_create("<node", "<operator", "<why", NULL);
    for (dv_op_id o = 0; o < source->op_count; o++) {
        if (source->ops[o].kind != DV_OP_OPAQUE)
            continue;
        dv_table_row(table);
        dv_table_cell(table, "%s", source->ops[o].name);
        dv_table_cell(table, "%s", source->ops[o].source_type ? source->ops[o].source_type : "");
        dv_table_cell(table, "%s", source->ops[o].reason ? source->ops[o].reason : "");
    }
    dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
}

static dv_status print_info(const dv_cli *cli, dv_text *out, const dv_session *session)
{
    const dv_graph *source = session->source, *graph = session->graph;
    dv_graph_totals totals = dv_graph_count(graph);
    char figure[DV_FIGURE_MAX];
    dv_cli_append_safe(out, session->model);
    dv_text_append(out, "\n  %-12s %s", "format", source->format);
    if (source->about) {
        dv_text_append(out, ", ");
        dv_cli_append_safe(out, source->about);
    }
    dv_text_append(out, "\n  %-12s %u, %u after lowering, in %u units\n", "operators",
                   source->op_count, graph->op_count, graph->unit_count);
    dv_text_append(out, "  %-12s %s\n", "parameters",
                   dv_format_count(figure, dv_graph_count(source).parameters));
    dv_text_append(out, "  %-12s %s\n", "weights", dv_format_bytes(figure, totals.weight_bytes));
    dv_text_append(out, "  %-12s %s multiply-adds\n", "work", dv_format_count(figure, totals.macs));
    dv_text_append(out, "  %-12s %s of activations at the peak\n", "memory",
                   dv_format_bytes(figure, totals.peak_activation_bytes));
    print_tensors(out, "inputs", graph, graph->inputs, graph->input_count);
    print_tensors(out, "outputs", graph, graph->outputs, graph->output_count);
    if (is_program(session))
        return dv_delegates_print(cli, session->model, out);

    struct kind_count kinds[DV_OP_COUNT];
    size_t used = count_kinds(source, kinds);
    dv_table *table = dv_table_create("<operator", ">count", NULL);
    for (size_t k = 0; k < used; k++) {
        dv_table_row(table);
        dv_table_cell(table, "%s", kinds[k].name);
        dv_table_cell(table, "%u", kinds[k].count);
    }
    dv_text_append(out, "\n");
    dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
    print_rows(cli, out, graph);
    print_unsupported(cli, out, source);
    return DV_OK;
}

static dv_status refuse_problem(const dv_session *session)
{
    return dv_fail(DV_BAD_PARAMETER,
                   "%s: this is a problem file: it holds costs and no operators; partition, "
                   "compare, simulate and view take it",
                   session->model);
}

dv_status dv_cmd_info(dv_cli *cli)
{
    dv_json_writer json = dv_json_writer_on(&cli->out);
    bool several = cli->argument_count > 1;
    if (cli->json && several) {
        dv_json_begin_object(&json, NULL);
        dv_json_begin_array(&json, "models");
    }
    for (int i = 0; i < cli->argument_count; i++) {
        dv_session session;
        dv_status status = dv_session_load(cli, cli->arguments[i], true, &session);
        if (status == DV_OK && !session.graph)
            status = refuse_problem(&session);
        if (status == DV_OK && cli->json)
            status = json_info(cli, &json, &session);
        else if (status == DV_OK) {
            if (i)
                dv_text_append(&cli->out, "\n");
            status = print_info(cli, &cli->out, &session);
        }
        dv_session_free(&session);
        DV_TRY(status);
    }
    if (cli->json && several) {
        dv_json_end(&json, ']');
        dv_json_end(&json, '}');
    }
    return DV_OK;
}
