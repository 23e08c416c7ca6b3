/* front.h - partition --pareto: the least latency for each budget of a second cost. */
#ifndef DV_CLI_FRONT_H
#define DV_CLI_FRONT_H

#include "cli/pipeline.h"
#include "core/json.h"
#include "solver/pareto.h"

/* Along the axis that --pareto names. */
DV_MUST_USE dv_status dv_front_find(const dv_cli *cli, const dv_session *session,
                                    const dv_solve_options *options, dv_pareto *front);

/* DV_BAD_PARAMETER if files of a front are asked for, but no front. */
DV_MUST_USE dv_status dv_front_check_files(const dv_cli *cli);

/* --csv, --svg and --shot, where they are given. */
DV_MUST_USE dv_status dv_front_write_files(const dv_cli *cli, const dv_session *session,
                                           const dv_pareto *front);

/* A table; the members pareto_axis and pareto of an object. */
void dv_front_print(const dv_cli *cli, const dv_pareto *front, dv_text *out);
void dv_front_json(const dv_cli *cli, const dv_problem *problem, const dv_pareto *front,
                   dv_json_writer *json);

#endif
