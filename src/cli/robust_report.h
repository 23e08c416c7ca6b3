/* robust_report.h - partition --robust: the plan that is never far from the best. */
#ifndef DV_CLI_ROBUST_REPORT_H
#define DV_CLI_ROBUST_REPORT_H

#include "cli/pipeline.h"
#include "core/json.h"
#include "solver/robust.h"

/* For the share that --robust names; the session's plan becomes the robust one. */
DV_MUST_USE dv_status dv_robust_plan_find(const dv_cli *cli, dv_session *session,
                                          const dv_solve_options *options, dv_robust *robust);

/* Both plans side by side; the member robust of an object. */
void dv_robust_print(const dv_cli *cli, const dv_session *session, const dv_robust *robust,
                     dv_text *out);
void dv_robust_json(const dv_cli *cli, const dv_session *session, const dv_robust *robust,
                    dv_json_writer *json);

#endif
