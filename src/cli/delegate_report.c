/* delegate_report.c - what an ExecuTorch program calls, in order, and on which backend. */
#include "cli/delegate_report.h"

#include <string.h>

#include "cli/table.h"
#include "load/pte.h"

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
        dv_table_row(table);
        dv_table_cell(table, "%u", call->instruction);
        dv_table_cell(table, "%s", call->backend ? call->backend : "portable");
        dv_table_cell(table, "%u", call->input_count);
        dv_table_cell_bytes(table, call->bytes_in);
        dv_table_cell(table, "%u", call->output_count);
        dv_table_cell_bytes(table, call->bytes_out);
        dv_table_cell(table, "%s", inside ? inside : "");
    }
    dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
}

dv_status dv_delegates_print(const dv_cli *cli, const char *path, dv_text *out)
{
    dv_pte pte;
    char figure[DV_FIGURE_MAX];
    DV_TRY(open_program(path, NULL, &pte));
    if (pte.delegate_count > 0) {
        dv_text_append(out, "\n");
        print_backends(cli, &pte, out);
    }
    dv_text_append(out, "\n");
    print_calls(cli, &pte, out);
    for (uint32_t s = 0; s < pte.segment_count; s++)
        dv_text_append(out, "%s%s", s ? ", " : "\n  segments     ",
                       dv_format_bytes(figure, pte.segments[s].bytes));
    dv_text_append(out, pte.segment_count ? "\n" : "");
    dv_pte_free(&pte);
    return DV_OK;
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

dv_status dv_delegates_json(const char *path, dv_json_writer *json)
{
    dv_pte pte;
    DV_TRY(open_program(path, NULL, &pte));
    dv_json_begin_array(json, "delegates");
    for (uint32_t d = 0; d < pte.delegate_count; d++) {
        if (!is_first(&pte, d))
            continue;
        backend_total total = total_of(&pte, pte.delegates[d].backend);
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
    json_calls(&pte, json);
    dv_json_put_integer(json, "switches", pte.switches);
    dv_pte_free(&pte);
    return DV_OK;
}
