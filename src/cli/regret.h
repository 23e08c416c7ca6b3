/* regret.h - for every unit of a plan: its next best target, and what that would cost. */
#ifndef DV_CLI_REGRET_H
#define DV_CLI_REGRET_H

#include "cli/pipeline.h"
#include "core/json.h"
#include "solver/marginals.h"

/* In the order of the session's plan. */
DV_MUST_USE dv_status dv_regret_find(const dv_cli *cli, const dv_session *session, dv_marginals *m);

/* A table, dearest first; the members regret and regret_exact of an object. */
DV_MUST_USE dv_status dv_regret_print(const dv_cli *cli, const dv_session *session,
                                      const dv_marginals *m, dv_text *out);
void dv_regret_json(const dv_session *session, const dv_marginals *m, dv_json_writer *json);

#endif
