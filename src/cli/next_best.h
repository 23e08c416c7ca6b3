/* next_best.h - partition --k-best: the plans behind the best one. */
#ifndef DV_CLI_NEXT_BEST_H
#define DV_CLI_NEXT_BEST_H

#include "cli/pipeline.h"
#include "core/json.h"
#include "solver/k_best.h"

/* As many as --k-best says, in the order of the session's plan. */
DV_MUST_USE dv_status dv_next_best_find(const dv_cli *cli, const dv_session *session,
                                        dv_k_best *best);

/* A table; the members k_best and k_best_exact of an object. */
void dv_next_best_print(const dv_cli *cli, const dv_session *session, const dv_k_best *best,
                        dv_text *out);
void dv_next_best_json(const dv_problem *problem, const dv_k_best *best, dv_json_writer *json);

#endif
