/* delegate_report.h - the placement that an ExecuTorch program holds, as tables and as JSON. */
#ifndef DV_CLI_DELEGATE_REPORT_H
#define DV_CLI_DELEGATE_REPORT_H

#include "cli/cli.h"
#include "core/json.h"

/* Both read the file again; "-", which was read already, is a DV_BAD_PARAMETER that says so. */
DV_MUST_USE dv_status dv_delegates_print(const dv_cli *cli, const char *path, dv_text *out);
DV_MUST_USE dv_status dv_delegates_json(const dv_cli *cli, const char *path, dv_json_writer *json);

#endif
