/* cmd_compare.c - strategies x platforms x models, side by side. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/plan_report.h"
#include "cli/table.h"
#include "core/file.h"
#include "core/json.h"

struct row {
    const char *model, *platform, *strategy; /* platform: malloc'ed */
    dv_outcome outcome;
    double value, latency, bound, moved_bytes, solve_ms;
    uint32_t segments;
    double ratio; /* value / the best value known for this model and platform */
};

struct rows {
    struct row *items;
    size_t count, capacity;
};

static dv_status add_row(struct rows *rows, const dv_session *session, const char *strategy)
{
    if (!dv_grow((void **)&rows->items, &rows->capacity, rows->count + 1, sizeof *rows->items))
        return dv_fail(DV_NO_MEMORY, "no memory for %zu rows", rows->count + 1);
    const dv_plan *plan = session->plan;
    rows->items[rows->count++] = (struct row){
        .model = session->model,
        .platform = strdup(dv_session_platform_name(session)),
        .strategy = strategy,
        .outcome = session->outcome,
        .value = plan ? dv_plan_value_us(plan) : INFINITY,
        .latency = plan ? plan->cost.total_us : NAN,
        .bound = plan ? plan->bound_us : -INFINITY,
        .moved_bytes = plan ? plan->cost.moved_bytes : NAN,
        .segments = plan ? plan->cost.segments : 0,
        .solve_ms = plan ? plan->solve_ms : NAN,
    };
    return DV_OK;
}

/* Ratios of the rows from first on, which are of one model on one platform. */
static void set_ratios(struct rows *rows, size_t first)
{
    double best = INFINITY;
    for (size_t i = first; i < rows->count; i++)
        best = fmin(best, rows->items[i].value);
    for (size_t i = first; i < rows->count; i++)
        rows->items[i].ratio = best > 0 ? rows->items[i].value / best : 1;
}

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

static dv_status compare_strategies(const dv_cli *cli, dv_session *session, struct rows *rows)
{
    dv_solve_options options;
    DV_TRY(dv_session_solve_options(cli, &options));
    size_t first = rows->count;
    const char *strategy;
    for (size_t i = 0; (strategy = nth_strategy(cli, options.objective, i)); i++) {
        DV_TRY(dv_session_solve(cli, strategy, session));
        DV_TRY(add_row(rows, session, strategy));
    }
    if (rows->count == first)
        return dv_fail(DV_BAD_PARAMETER, "compare: no strategy serves the objective %s",
                       dv_objective_name(options.objective));
    set_ratios(rows, first);
    return DV_OK;
}

static dv_status compare_model(const dv_cli *cli, const char *model, dv_session *session,
                               struct rows *rows)
{
    DV_TRY(dv_session_load(cli, model, false, session));
    const char *platform = dv_cli_nth(cli, DV_OPTION_PLATFORM, 0);
    size_t i = 0;
    do {
        DV_TRY(dv_session_pose(cli, platform ? platform : dv_session_platform(cli), session));
        DV_TRY(compare_strategies(cli, session, rows));
        platform = session->graph ? dv_cli_nth(cli, DV_OPTION_PLATFORM, ++i) : NULL;
    } while (platform);
    return DV_OK;
}

static void print_json(const struct rows *rows, dv_text *out)
{
    dv_json_writer json = dv_json_writer_on(out);
    dv_json_begin_object(&json, NULL);
    dv_json_begin_array(&json, "rows");
    for (size_t i = 0; i < rows->count; i++) {
        const struct row *row = &rows->items[i];
        bool solved = isfinite(row->value);
        dv_json_begin_object(&json, NULL);
        dv_json_put_string(&json, "model", row->model);
        dv_json_put_string(&json, "platform", row->platform);
        dv_json_put_string(&json, "strategy", row->strategy);
        dv_json_put_string(&json, "outcome", dv_outcome_name(row->outcome));
        dv_json_put_number(&json, "value", solved ? row->value : NAN);
        dv_json_put_number(&json, "bound", isfinite(row->bound) ? row->bound : NAN);
        dv_json_put_number(&json, "ratio", solved ? row->ratio : NAN);
        dv_json_put_number(&json, "latency_us", row->latency);
        dv_json_put_integer(&json, "segments", row->segments);
        dv_json_put_number(&json, "moved_bytes", row->moved_bytes);
        dv_json_put_number(&json, "solve_ms", row->solve_ms);
        dv_json_end(&json, '}');
    }
    dv_json_end(&json, ']');
    dv_json_end(&json, '}');
}

static void print_rows(const dv_cli *cli, const struct row *rows, size_t count, dv_text *out)
{
    const char *objective = dv_cli_value(cli, DV_OPTION_OBJECTIVE);
    bool load = objective && strcmp(objective, "throughput") == 0;
    dv_cli_append_safe(out, rows[0].model);
    dv_text_append(out, " on %s\n", rows[0].platform);
    dv_table *table = dv_table_create("<strategy", load ? ">largest load" : ">latency", ">ratio",
                                      ">segments", ">moved", ">solve", "<proof", NULL);
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        bool optimal = row->outcome == DV_OUTCOME_OPTIMAL;
        dv_table_row(table);
        dv_table_cell(table, "%s", row->strategy);
        dv_table_style(table, DV_STYLE_BOLD);
        if (!isfinite(row->value)) {
            for (int c = 0; c < 5; c++)
                dv_table_cell(table, "-");
            dv_table_cell(table, "%s", dv_outcome_name(row->outcome));
            continue;
        }
        dv_table_cell_us(table, row->value);
        dv_table_cell(table, "%.3f", row->ratio);
        dv_table_cell(table, "%u", row->segments);
        dv_table_cell_bytes(table, row->moved_bytes);
        dv_table_cell_us(table, 1000 * row->solve_ms);
        if (optimal)
            dv_table_cell(table, "optimal");
        else if (isfinite(row->bound))
            dv_table_cell(table, "gap %.2g %%", 100 * (row->value - row->bound) / row->value);
        else
            dv_table_cell(table, "-");
        dv_table_style(table, optimal ? DV_STYLE_GOOD : DV_STYLE_PLAIN);
    }
    dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
}

/* One table a model and platform. */
static void print_tables(const dv_cli *cli, const struct rows *rows, dv_text *out)
{
    for (size_t first = 0, next; first < rows->count; first = next) {
        const struct row *head = &rows->items[first];
        for (next = first + 1; next < rows->count; next++)
            if (rows->items[next].model != head->model ||
                strcmp(rows->items[next].platform, head->platform) != 0)
                break;
        if (first)
            dv_text_append(out, "\n");
        print_rows(cli, head, next - first, out);
    }
}

static void free_rows(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        free((char *)rows->items[i].platform);
    free(rows->items);
}

dv_status dv_compare_print(const dv_cli *cli, const char *model, const char *platform, dv_text *out)
{
    struct rows rows = {0};
    dv_session session = {0};
    dv_status status = dv_session_load(cli, model, false, &session);
    if (status == DV_OK)
        status = dv_session_pose(cli, platform, &session);
    if (status == DV_OK)
        status = compare_strategies(cli, &session, &rows);
    if (status == DV_OK)
        print_tables(cli, &rows, out);
    free_rows(&rows);
    dv_session_free(&session);
    return status;
}

dv_status dv_cmd_compare(dv_cli *cli)
{
    struct rows rows = {0};
    dv_status status = DV_OK;
    for (int m = 0; m < cli->argument_count && status == DV_OK; m++) {
        dv_session session = {0};
        status = compare_model(cli, cli->arguments[m], &session, &rows);
        dv_session_free(&session);
    }
    dv_text report = {0};
    if (status == DV_OK) {
        const char *path = dv_cli_value(cli, DV_OPTION_OUTPUT);
        if (cli->json)
            print_json(&rows, &report);
        else
            print_tables(cli, &rows, &report);
        if (path)
            status = dv_file_write(path, dv_text_string(&report), report.length);
        else
            dv_text_append(&cli->out, "%s", dv_text_string(&report));
    }
    dv_text_free(&report);
    free_rows(&rows);
    return status;
}
