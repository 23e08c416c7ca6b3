/* trace_report.c - traces as files and as a table. */
#include "cli/trace_report.h"

#include "cli/table.h"
#include "core/file.h"

dv_status dv_trace_write_perfetto(const char *path, dv_session *session,
                                  const dv_trace *const *traces, size_t count)
{
    dv_text text = {0};
    dv_status status = dv_trace_write_chrome(traces, count, dv_session_event_name, session, &text);
    if (status == DV_OK)
        status = dv_file_write(path, dv_text_string(&text), text.length);
    dv_text_free(&text);
    return status;
}

static dv_status write_trace(const char *path, dv_session *session, const dv_trace *trace)
{
    dv_text text = {0};
    dv_status status = dv_trace_write(trace, dv_session_event_name, session, &text);
    if (status == DV_OK)
        status = dv_file_write(path, dv_text_string(&text), text.length);
    dv_text_free(&text);
    return status;
}

dv_status dv_trace_write_files(const dv_cli *cli, dv_session *session,
                               const dv_trace *const *traces, size_t count)
{
    const char *path = dv_cli_value(cli, DV_OPTION_OUTPUT);
    const char *chrome = dv_cli_value(cli, DV_OPTION_CHROME_TRACE);
    if (path)
        DV_TRY(write_trace(path, session, traces[count - 1]));
    if (chrome)
        DV_TRY(dv_trace_write_perfetto(chrome, session, traces, count));
    return DV_OK;
}

void dv_trace_print(const dv_cli *cli, const dv_trace *trace, dv_text *out)
{
    dv_table *table = dv_table_create("<resource", ">busy", ">share", "<", NULL);
    for (uint32_t r = 0; r < trace->resource_count; r++) {
        double busy = dv_trace_busy_us(trace, r);
        double share = trace->latency_us > 0 ? busy / trace->latency_us : 0;
        char bar[33];
        int length = (int)(share * 32 + 0.5);
        length = length > 32 ? 32 : length;
        for (int i = 0; i < length; i++)
            bar[i] = '#';
        bar[length] = '\0';
        dv_table_row(table);
        dv_table_cell(table, "%s", trace->resource_name[r]);
        dv_table_cell_us(table, busy);
        dv_table_cell(table, "%.1f %%", 100 * share);
        dv_table_cell(table, "%s", bar);
    }
    dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
}
