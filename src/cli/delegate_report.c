/* delegate_report.c - what an ExecuTorch program calls, in order, and on which backend. */
#include "cli/delegate_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"
#include "load/pte.h"
#include "load/xnnblob.h"

static dv_status open_program(const char *path, const char *method, dv_pte *out)
{
    if (strcmp(path, "-") == 0)
        return dv_fail(DV_BAD_PARAMETER, "the placement of a program cannot be shown from standard "
                                         "input; give its path");
    dv_buffer *buffer;
    DV_TRY(dv_buffer_map(path, &buffer));
    dv_status status = dv_pte_read(buffer, path, method, out);
    dv_buffer_release(buffer); /* blobs are not looked at any more */
    return dv_within(status, "%s", path);
}

/* The totals of a backend over all its delegates. */
typedef struct backend_total {
    const char *name;
    uint32_t delegates, calls;
    int64_t ops; /* -1: not known */
    double bytes_in, bytes_out, blob_bytes;
} backend_total;

static backend_total total_of(const dv_pte *pte, const char *backend)
{
    backend_total total = {.name = backend};
    for (uint32_t d = 0; d < pte->delegate_count; d++) {
        if (strcmp(pte->delegates[d].backend, backend) != 0)
            continue;
        total.delegates++;
        total.blob_bytes += pte->delegates[d].blob_bytes;
        bool known = total.ops >= 0 && pte->delegates[d].ops >= 0;
        total.ops = known ? total.ops + pte->delegates[d].ops : -1;
    }
    for (uint32_t c = 0; c < pte->call_count; c++) {
        if (!pte->calls[c].backend || strcmp(pte->calls[c].backend, backend) != 0)
            continue;
        total.calls++;
        total.bytes_in += pte->calls[c].bytes_in;
        total.bytes_out += pte->calls[c].bytes_out;
    }
    return total;
}

/* Is delegate d the first of its backend? */
static bool is_first(const dv_pte *pte, uint32_t d)
{
    for (uint32_t before = 0; before < d; before++)
        if (strcmp(pte->delegates[before].backend, pte->delegates[d].backend) == 0)
            return false;
    return true;
}

/* ---- for people ---- */

static void cell_ops(dv_table *table, int64_t ops)
{
    if (ops >= 0)
        dv_table_cell(table, "%lld", (long long)ops);
    else
        dv_table_cell(table, "?");
}

static void print_backends(const dv_cli *cli, const dv_pte *pte, dv_text *out)
{
    dv_table *table = dv_table_create("<backend", ">delegates", ">calls", ">operators", ">in",
                                      ">out", ">blobs", NULL);
    for (uint32_t d = 0; d < pte->delegate_count; d++) {
        if (!is_first(pte, d))
            continue;
        backend_total total = total_of(pte, pte->delegates[d].backend);
        dv_table_row(table);
        dv_table_cell(table, "%s", total.name);
        dv_table_cell(table, "%u", total.delegates);
        dv_table_cell(table, "%u", total.calls);
        cell_ops(table, total.ops);
        dv_table_cell_bytes(table, total.bytes_in);
        dv_table_cell_bytes(table, total.bytes_out);
        dv_table_cell_bytes(table, total.blob_bytes);
    }
    dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
}

static void print_calls(const dv_cli *cli, const dv_pte *pte, dv_text *out)
{
    dv_table *table =
        dv_table_create(">call", "<runs on", ">inputs", ">in", ">outputs", ">out", "<what", NULL);
    for (uint32_t c = 0; c < pte->call_count; c++) {
        const dv_pte_call *call = &pte->calls[c];
        const char *inside =
            call->delegate == DV_NONE ? call->name : pte->delegates[call->delegate].inside;
        const char *specs = call->delegate == DV_NONE ? "" : pte->delegates[call->delegate].specs;
        dv_table_row(table);
        dv_table_cell(table, "%u", call->instruction);
        dv_table_cell(table, "%s", call->backend ? call->backend : "portable");
        dv_table_cell(table, "%u", call->input_count);
        dv_table_cell_bytes(table, call->bytes_in);
        dv_table_cell(table, "%u", call->output_count);
        dv_table_cell_bytes(table, call->bytes_out);
        dv_table_cell(table, "%s", inside ? inside : specs);
    }
    dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
}

/* The operators of the portable kernels that are left, the most frequent first. */
typedef struct kernel_count {
    const char *name;
    uint32_t count;
} kernel_count;

static int by_name(const void *left, const void *right)
{
    const kernel_count *a = left, *b = right;
    return strcmp(a->name, b->name);
}

static int by_count(const void *left, const void *right)
{
    const kernel_count *a = left, *b = right;
    return a->count != b->count ? (a->count < b->count ? 1 : -1) : strcmp(a->name, b->name);
}

/* Sorted into rows, which have room for every call; returns how many kinds there are. */
static uint32_t count_kernels(const dv_pte *pte, kernel_count *rows)
{
    uint32_t used = 0, kinds = 0;
    for (uint32_t c = 0; c < pte->call_count; c++)
        if (!pte->calls[c].backend)
            rows[used++] = (kernel_count){pte->calls[c].name, 1};
    qsort(rows, used, sizeof *rows, by_name);
    for (uint32_t i = 0; i < used; i++) {
        if (kinds > 0 && strcmp(rows[kinds - 1].name, rows[i].name) == 0)
            rows[kinds - 1].count++;
        else
            rows[kinds++] = rows[i];
    }
    qsort(rows, kinds, sizeof *rows, by_count);
    return kinds;
}

static dv_status print_kernels(const dv_pte *pte, dv_text *out)
{
    kernel_count *rows = dv_arena_array(pte->arena, pte->call_count, sizeof *rows);
    if (!rows)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    uint32_t kinds = count_kernels(pte, rows);
    for (uint32_t i = 0; i < kinds; i++)
        dv_text_append(out, "%s%s %u", i ? ", " : "\n  portable     ", rows[i].name, rows[i].count);
    dv_text_append(out, kinds ? "\n" : "");
    return DV_OK;
}

/* What a delegate's blob runs, where it can be opened. */
static dv_status print_blob(const dv_cli *cli, const dv_pte *pte, uint32_t d, dv_text *out)
{
    const dv_pte_delegate *delegate = &pte->delegates[d];
    char text[DV_SHAPE_TEXT], figure[DV_FIGURE_MAX];
    dv_blob_line *lines;
    uint32_t count = 0;
    if (delegate->ops <= 0)
        return DV_OK;
    DV_TRY(dv_blob_lines(delegate, pte->arena, &lines, &count));
    dv_text_append(out, "\n  delegate %u, %s\n", d, delegate->backend);
    dv_table *table =
        dv_table_create("<node", "<input", "<output", "<type", ">multiply-adds", NULL);
    for (uint32_t i = 0; i < count; i++) {
        dv_table_row(table);
        dv_table_cell(table, "%s", lines[i].kind);
        dv_table_cell(table, "%s", dv_shape_text(&lines[i].input, text));
        dv_table_cell(table, "%s", dv_shape_text(&lines[i].output, text));
        dv_table_cell(table, "%s", lines[i].dtype);
        dv_table_cell(table, "%s", lines[i].macs > 0 ? dv_format_count(figure, lines[i].macs) : "");
    }
    dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
    return DV_OK;
}

static void print_segment(double bytes, const char *holds, bool first, dv_text *out)
{
    char figure[DV_FIGURE_MAX];
    dv_text_append(out, "%s%-9s  ", first ? "\n  segments     " : "               ",
                   dv_format_bytes(figure, bytes));
    dv_cli_append_safe(out, holds);
    dv_text_append(out, "\n");
}

/* Weights with names are summed up where there are many. */
static void print_segments(const dv_pte *pte, dv_text *out)
{
    enum { FEW = 8 };
    uint32_t named = 0, printed = 0;
    double bytes = 0;
    for (uint32_t s = 0; s < pte->segment_count; s++) {
        bool is_named = strncmp(pte->segments[s].holds, "named data", 10) == 0;
        named += is_named;
        bytes += is_named ? pte->segments[s].bytes : 0;
    }
    for (uint32_t s = 0; s < pte->segment_count; s++)
        if (named <= FEW || strncmp(pte->segments[s].holds, "named data", 10) != 0)
            print_segment(pte->segments[s].bytes, pte->segments[s].holds, printed++ == 0, out);
    if (named > FEW) {
        char text[64];
        snprintf(text, sizeof text, "%u segments of named data", named);
        print_segment(bytes, text, printed == 0, out);
    }
    if (pte->weights) {
        dv_text_append(out, "\n  weights      ");
        dv_cli_append_safe(out, pte->weights_path);
        dv_text_append(out, "\n");
    }
}

static void print_methods(const dv_pte *pte, dv_text *out)
{
    uint32_t other = 0;
    for (uint32_t m = 0; m < pte->method_count; m++) {
        if (pte->methods[m].instructions == 0 || strcmp(pte->methods[m].name, pte->method) == 0)
            continue;
        dv_text_append(out, "%s", other++ ? ", " : "\n  it also has  --method ");
        dv_cli_append_safe(out, pte->methods[m].name);
    }
    dv_text_append(out, other ? "\n" : "");
}

dv_status dv_delegates_print(const dv_cli *cli, const char *path, dv_text *out)
{
    dv_pte pte;
    DV_TRY(open_program(path, dv_cli_value(cli, DV_OPTION_METHOD), &pte));
    if (pte.delegate_count > 0) {
        dv_text_append(out, "\n");
        print_backends(cli, &pte, out);
    }
    dv_text_append(out, "\n");
    print_calls(cli, &pte, out);
    dv_status status = print_kernels(&pte, out);
    print_segments(&pte, out);
    for (uint32_t d = 0; status == DV_OK && d < pte.delegate_count; d++)
        status = print_blob(cli, &pte, d, out);
    print_methods(&pte, out);
    dv_pte_free(&pte);
    return dv_within(status, "%s", path);
}

/* ---- for programs ---- */

static void put_ops(dv_json_writer *json, int64_t ops)
{
    if (ops >= 0)
        dv_json_put_integer(json, "ops", ops);
}

static void json_calls(const dv_pte *pte, dv_json_writer *json)
{
    dv_json_begin_array(json, "calls");
    for (uint32_t c = 0; c < pte->call_count; c++) {
        const dv_pte_call *call = &pte->calls[c];
        dv_json_begin_line(json, NULL, '{');
        dv_json_put_integer(json, "instruction", call->instruction);
        dv_json_put_string(json, "backend", call->backend ? call->backend : "portable");
        dv_json_put_string(json, "name", call->name);
        dv_json_put_integer(json, "inputs", call->input_count);
        dv_json_put_integer(json, "outputs", call->output_count);
        dv_json_put_number(json, "bytes_in", call->bytes_in);
        dv_json_put_number(json, "bytes_out", call->bytes_out);
        if (call->delegate != DV_NONE)
            put_ops(json, pte->delegates[call->delegate].ops);
        dv_json_end(json, '}');
    }
    dv_json_end(json, ']');
}

static void json_kernels(const dv_pte *pte, kernel_count *rows, dv_json_writer *json)
{
    uint32_t kinds = count_kernels(pte, rows);
    dv_json_begin_object(json, "kernels");
    for (uint32_t i = 0; i < kinds; i++)
        dv_json_put_integer(json, rows[i].name, rows[i].count);
    dv_json_end(json, '}');
}

static void json_segments(const dv_pte *pte, dv_json_writer *json)
{
    dv_json_begin_array(json, "segments");
    for (uint32_t s = 0; s < pte->segment_count; s++) {
        dv_json_begin_line(json, NULL, '{');
        dv_json_put_number(json, "bytes", pte->segments[s].bytes);
        dv_json_put_string(json, "holds", pte->segments[s].holds);
        dv_json_end(json, '}');
    }
    dv_json_end(json, ']');
}

static dv_status json_nodes(const dv_pte *pte, dv_json_writer *json)
{
    char text[DV_SHAPE_TEXT];
    dv_json_begin_array(json, "nodes");
    for (uint32_t d = 0; d < pte->delegate_count; d++) {
        dv_blob_line *lines;
        uint32_t count = 0;
        if (pte->delegates[d].ops > 0)
            DV_TRY(dv_blob_lines(&pte->delegates[d], pte->arena, &lines, &count));
        for (uint32_t i = 0; i < count; i++) {
            dv_json_begin_line(json, NULL, '{');
            dv_json_put_integer(json, "delegate", d);
            dv_json_put_string(json, "node", lines[i].kind);
            dv_json_put_string(json, "input", dv_shape_text(&lines[i].input, text));
            dv_json_put_string(json, "output", dv_shape_text(&lines[i].output, text));
            dv_json_put_string(json, "dtype", lines[i].dtype);
            dv_json_put_number(json, "multiply_adds", lines[i].macs);
            dv_json_end(json, '}');
        }
    }
    dv_json_end(json, ']');
    return DV_OK;
}

static void json_methods(const dv_pte *pte, dv_json_writer *json)
{
    dv_json_put_string(json, "method", pte->method);
    dv_json_begin_array(json, "methods");
    for (uint32_t m = 0; m < pte->method_count; m++)
        if (pte->methods[m].instructions > 0)
            dv_json_put_string(json, NULL, pte->methods[m].name);
    dv_json_end(json, ']');
}

static void json_delegates(const dv_pte *pte, dv_json_writer *json)
{
    dv_json_begin_array(json, "delegates");
    for (uint32_t d = 0; d < pte->delegate_count; d++) {
        if (!is_first(pte, d))
            continue;
        backend_total total = total_of(pte, pte->delegates[d].backend);
        dv_json_begin_line(json, NULL, '{');
        dv_json_put_string(json, "backend", total.name);
        dv_json_put_integer(json, "calls", total.calls);
        dv_json_put_number(json, "bytes_in", total.bytes_in);
        dv_json_put_number(json, "bytes_out", total.bytes_out);
        put_ops(json, total.ops);
        dv_json_put_number(json, "blob_bytes", total.blob_bytes);
        dv_json_end(json, '}');
    }
    dv_json_end(json, ']');
}

dv_status dv_delegates_json(const dv_cli *cli, const char *path, dv_json_writer *json)
{
    dv_pte pte;
    DV_TRY(open_program(path, dv_cli_value(cli, DV_OPTION_METHOD), &pte));
    kernel_count *rows = dv_arena_array(pte.arena, pte.call_count, sizeof *rows);
    dv_status status = rows ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory");
    if (status == DV_OK) {
        json_methods(&pte, json);
        json_delegates(&pte, json);
        json_calls(&pte, json);
        json_kernels(&pte, rows, json);
        json_segments(&pte, json);
        status = json_nodes(&pte, json);
        dv_json_put_integer(json, "switches", pte.switches);
    }
    dv_pte_free(&pte);
    return dv_within(status, "%s", path);
}
