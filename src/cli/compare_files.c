/* compare_files.c - rows for other programs and for papers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/compare.h"

/* Quoted where RFC 4180 asks for it. */
static void csv_text(const char *text, dv_text *out)
{
    bool quoted = strpbrk(text, ",\"\r\n") != NULL;
    if (!quoted) {
        dv_text_append(out, "%s,", text);
        return;
    }
    dv_text_append(out, "\"");
    for (const char *at = text; *at; at++)
        dv_text_append(out, "%s%c", *at == '"' ? "\"" : "", *at);
    dv_text_append(out, "\",");
}

/* The fewest digits that read back equal; nothing if it is no number. */
static void csv_number(double value, const char *end, dv_text *out)
{
    char digits[40] = "";
    for (int precision = 9; isfinite(value) && precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    dv_text_append(out, "%s%s", digits, end);
}

void dv_compare_csv(const dv_compare *compare, dv_text *out)
{
    bool timed = !compare->untimed;
    dv_text_append(out,
                   "model,platform,strategy,outcome,value,bound,ratio,latency_us,segments,"
                   "moved_bytes%s\r\n",
                   timed ? ",solve_ms,peak_bytes" : "");
    for (size_t i = 0; i < compare->count; i++) {
        const dv_compare_row *row = &compare->rows[i];
        csv_text(row->model, out);
        csv_text(row->platform, out);
        csv_text(row->strategy, out);
        dv_text_append(out, "%s,", dv_outcome_name(row->outcome));
        csv_number(row->value, ",", out);
        csv_number(row->bound, ",", out);
        csv_number(isfinite(row->value) ? row->ratio : NAN, ",", out);
        csv_number(row->latency, ",", out);
        csv_number(isfinite(row->value) ? (double)row->segments : (double)NAN, ",", out);
        csv_number(row->moved_bytes, timed ? "," : "\r\n", out);
        if (timed) {
            csv_number(row->solve_ms, ",", out);
            csv_number(row->peak_bytes, "\r\n", out);
        }
    }
}

static void latex_text(const char *text, dv_text *out)
{
    for (const char *at = text; *at; at++) {
        if (*at == '\\')
            dv_text_append(out, "\\textbackslash{}");
        else if (*at == '~' || *at == '^')
            dv_text_append(out, "\\%c{}", *at);
        else if (strchr("&%$#_{}", *at))
            dv_text_append(out, "\\%c", *at);
        else
            dv_text_append(out, "%c", *at);
    }
}

/* The row of that strategy on the problem of rows[first], or NULL. */
static const dv_compare_row *find_row(const dv_compare *compare, size_t first, const char *strategy)
{
    for (size_t i = first; i < compare->count; i++) {
        const dv_compare_row *row = &compare->rows[i];
        if (dv_compare_same_problem(row, &compare->rows[first]) &&
            strcmp(row->strategy, strategy) == 0)
            return row;
    }
    return NULL;
}

static bool begins_problem(const dv_compare *compare, size_t i)
{
    return i == 0 || !dv_compare_same_problem(&compare->rows[i], &compare->rows[i - 1]);
}

/* A ratio; bold if nothing known is better, starred if proven optimal. */
static void latex_ratio(const dv_compare_row *row, dv_text *out)
{
    if (!row || !isfinite(row->value))
        dv_text_append(out, " & --");
    else
        dv_text_append(out, row->ratio <= 1.0 + 1e-9 ? " & \\textbf{%.3f}%s" : " & %.3f%s",
                       row->ratio, row->outcome == DV_OUTCOME_OPTIMAL ? "$^*$" : "");
}

void dv_compare_latex(const dv_compare *compare, dv_text *out)
{
    dv_compare_mean mean;
    dv_text_append(out, "%% Ratio to the best value known; * proven optimal.\n\\begin{tabular}{l");
    for (size_t i = 0; i < compare->count; i++)
        if (begins_problem(compare, i))
            dv_text_append(out, "r");
    dv_text_append(out, "r}\n\\hline\nstrategy");
    for (size_t i = 0; i < compare->count; i++)
        if (begins_problem(compare, i)) {
            dv_text_append(out, " & ");
            latex_text(compare->rows[i].model, out);
            dv_text_append(out, ", ");
            latex_text(compare->rows[i].platform, out);
        }
    dv_text_append(out, " & geo.\\ mean \\\\\n\\hline\n");
    for (size_t s = 0; dv_compare_mean_at(compare, s, &mean); s++) {
        latex_text(mean.strategy, out);
        for (size_t i = 0; i < compare->count; i++)
            if (begins_problem(compare, i))
                latex_ratio(find_row(compare, i, mean.strategy), out);
        if (mean.solved == mean.of)
            dv_text_append(out, " & %.3f \\\\\n", mean.ratio);
        else
            dv_text_append(out, " & -- \\\\\n");
    }
    dv_text_append(out, "\\hline\n\\end{tabular}\n");
}
