/* trace_report.h - timelines written to files and summed up by resource. */
#ifndef DV_CLI_TRACE_REPORT_H
#define DV_CLI_TRACE_REPORT_H

#include "cli/pipeline.h"

/* Writes what --output (trace/1) and --chrome-trace ask for; names come from the session. */
DV_MUST_USE dv_status dv_trace_write_files(const dv_cli *cli, dv_session *session,
                                           const dv_trace *const *traces, size_t count);

/* Writes traces for ui.perfetto.dev. */
DV_MUST_USE dv_status dv_trace_write_perfetto(const char *path, dv_session *session,
                                              const dv_trace *const *traces, size_t count);

/* Who was busy for how long. */
void dv_trace_print(const dv_cli *cli, const dv_trace *trace, dv_text *out);

#endif
