/* compare_report.c - rows as tables, JSON, CSV and LaTeX. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/compare.h"
#include "cli/table.h"
#include "core/json.h"

void dv_compare_free(dv_compare *compare)
{
    for (size_t i = 0; i < compare->count; i++) {
        free(compare->rows[i].model);
        free(compare->rows[i].platform);
        free(compare->rows[i].strategy);
    }
    free(compare->rows);
    *compare = (dv_compare){0};
}

bool dv_compare_same_problem(const dv_compare_row *a, const dv_compare_row *b)
{
    return strcmp(a->model, b->model) == 0 && strcmp(a->platform, b->platform) == 0;
}

/* The first row behind first that is of another model or platform. */
static size_t next_problem(const dv_compare *compare, size_t first)
{
    size_t next = first + 1;
    while (next < compare->count &&
           dv_compare_same_problem(&compare->rows[next], &compare->rows[first]))
        next++;
    return next;
}

void dv_compare_rate(dv_compare *compare)
{
    for (size_t first = 0, next; first < compare->count; first = next) {
        double best = INFINITY;
        next = next_problem(compare, first);
        for (size_t i = first; i < next; i++)
            best = fmin(best, compare->rows[i].value);
        for (size_t i = first; i < next; i++)
            compare->rows[i].ratio = best > 0 ? compare->rows[i].value / best : 1;
    }
}

bool dv_compare_mean_at(const dv_compare *compare, size_t i, dv_compare_mean *mean)
{
    const char *strategy = NULL;
    for (size_t r = 0; r < compare->count && !strategy; r++) {
        bool first = true;
        for (size_t s = 0; s < r && first; s++)
            first = strcmp(compare->rows[s].strategy, compare->rows[r].strategy) != 0;
        if (first && i-- == 0)
            strategy = compare->rows[r].strategy;
    }
    if (!strategy)
        return false;
    double logs = 0.0;
    *mean = (dv_compare_mean){.strategy = strategy};
    for (size_t r = 0; r < compare->count; r++) {
        const dv_compare_row *row = &compare->rows[r];
        if (strcmp(row->strategy, strategy) != 0)
            continue;
        mean->of++;
        mean->optimal += row->outcome == DV_OUTCOME_OPTIMAL;
        if (!isfinite(row->value))
            continue;
        mean->solved++;
        logs += log(row->ratio);
    }
    mean->ratio = mean->solved ? exp(logs / mean->solved) : NAN;
    return true;
}

static void print_row(const dv_compare_row *row, bool untimed, dv_table *table)
{
    bool optimal = row->outcome == DV_OUTCOME_OPTIMAL;
    dv_table_row(table);
    dv_table_cell(table, "%s", row->strategy);
    dv_table_style(table, DV_STYLE_BOLD);
    if (!isfinite(row->value)) {
        for (int c = 0; c < (untimed ? 4 : 6); c++)
            dv_table_cell(table, "-");
        dv_table_cell(table, "%s", dv_outcome_name(row->outcome));
        return;
    }
    dv_table_cell_us(table, row->value);
    dv_table_cell(table, "%.3f", row->ratio);
    dv_table_cell(table, "%u", row->segments);
    dv_table_cell_bytes(table, row->moved_bytes);
    if (!untimed) {
        dv_table_cell_us(table, 1000 * row->solve_ms);
        dv_table_cell_bytes(table, row->peak_bytes);
    }
    if (optimal)
        dv_table_cell(table, "optimal%s%s", row->proof_scope[0] ? ", " : "", row->proof_scope);
    else if (isfinite(row->bound))
        dv_table_cell(table, "gap %.2g %%", 100 * (row->value - row->bound) / row->value);
    else
        dv_table_cell(table, "-");
    dv_table_style(table, optimal ? DV_STYLE_GOOD : DV_STYLE_PLAIN);
}

static void print_means(const dv_cli *cli, const dv_compare *compare, size_t problems, dv_text *out)
{
    dv_compare_mean mean;
    dv_text_append(out, "\nGeometric means of %zu ratios to the best known\n", problems);
    dv_table *table = dv_table_create("<strategy", ">ratio", ">solved", ">proven", NULL);
    for (size_t i = 0; dv_compare_mean_at(compare, i, &mean); i++) {
        dv_table_row(table);
        dv_table_cell(table, "%s", mean.strategy);
        dv_table_style(table, DV_STYLE_BOLD);
        if (mean.solved)
            dv_table_cell(table, "%.3f", mean.ratio);
        else
            dv_table_cell(table, "-");
        dv_table_cell(table, "%u of %u", mean.solved, mean.of);
        dv_table_cell(table, "%u", mean.optimal);
    }
    dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
}

void dv_compare_tables(const dv_cli *cli, const dv_compare *compare, dv_text *out)
{
    size_t problems = 0;
    for (size_t first = 0, next; first < compare->count; first = next, problems++) {
        const dv_compare_row *head = &compare->rows[first];
        next = next_problem(compare, first);
        if (first)
            dv_text_append(out, "\n");
        dv_cli_append_safe(out, head->model);
        dv_text_append(out, " on %s\n", head->platform);
        char value[32];
        snprintf(value, sizeof value, ">%s", compare->value_name);
        dv_table *table = compare->untimed
                              ? dv_table_create("<strategy", value, ">ratio", ">segments", ">moved",
                                                "<proof", NULL)
                              : dv_table_create("<strategy", value, ">ratio", ">segments", ">moved",
                                                ">solve", ">memory", "<proof", NULL);
        for (size_t i = first; i < next; i++)
            print_row(&compare->rows[i], compare->untimed, table);
        dv_table_print(table, cli->colour, out);
        dv_table_destroy(table);
    }
    if (problems > 1)
        print_means(cli, compare, problems, out);
}

static void json_row(const dv_compare_row *row, bool untimed, dv_json_writer *json)
{
    bool solved = isfinite(row->value);
    dv_json_begin_object(json, NULL);
    dv_json_put_string(json, "model", row->model);
    dv_json_put_string(json, "platform", row->platform);
    dv_json_put_string(json, "strategy", row->strategy);
    dv_json_put_string(json, "outcome", dv_outcome_name(row->outcome));
    dv_json_put_number(json, "value", solved ? row->value : NAN);
    dv_json_put_number(json, "bound", isfinite(row->bound) ? row->bound : NAN);
    dv_json_put_string(json, "proof_scope", row->proof_scope[0] ? row->proof_scope : NULL);
    dv_json_put_number(json, "ratio", solved ? row->ratio : NAN);
    dv_json_put_number(json, "latency_us", solved ? row->latency : NAN);
    dv_json_put_integer(json, "segments", row->segments);
    dv_json_put_number(json, "moved_bytes", row->moved_bytes);
    if (!untimed) {
        dv_json_put_number(json, "solve_ms", row->solve_ms);
        dv_json_put_number(json, "peak_bytes", row->peak_bytes);
    }
    dv_json_end(json, '}');
}

void dv_compare_json(const dv_compare *compare, dv_text *out)
{
    dv_compare_mean mean;
    dv_json_writer json = dv_json_writer_on(out);
    dv_json_begin_object(&json, NULL);
    dv_json_begin_array(&json, "rows");
    for (size_t i = 0; i < compare->count; i++)
        json_row(&compare->rows[i], compare->untimed, &json);
    dv_json_end(&json, ']');
    dv_json_begin_array(&json, "means");
    for (size_t i = 0; dv_compare_mean_at(compare, i, &mean); i++) {
        dv_json_begin_object(&json, NULL);
        dv_json_put_string(&json, "strategy", mean.strategy);
        dv_json_put_number(&json, "ratio", mean.ratio);
        dv_json_put_integer(&json, "solved", mean.solved);
        dv_json_put_integer(&json, "optimal", mean.optimal);
        dv_json_put_integer(&json, "of", mean.of);
        dv_json_end(&json, '}');
    }
    dv_json_end(&json, ']');
    dv_json_end(&json, '}');
}
