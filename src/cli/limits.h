/* limits.h - limits of the problem from the command line, and why they cannot be met. */
#ifndef DV_CLI_LIMITS_H
#define DV_CLI_LIMITS_H

#include "cli/pipeline.h"
#include "core/json.h"

/* --capacity, --energy-budget, --loss-budget and --max-segments take the place of the problem's own
   limits. DV_BAD_PARAMETER naming the option. */
DV_MUST_USE dv_status dv_limits_apply(const dv_cli *cli, dv_problem *problem);

/* Limits and pins of one problem are those of another over the same devices and units. */
void dv_limits_copy(const dv_problem *from, dv_problem *to);

/* After a search that found no plan: looks for limits that conflict, and sets session->conflict,
   and the outcome if they prove that there is none. DV_INTERRUPTED, DV_NO_MEMORY. */
DV_MUST_USE dv_status dv_conflict_look(const dv_cli *cli, dv_session *session);

/* "the energy budget of 100 uJ and the pin of 'conv1' on npu cannot both hold: ..." */
void dv_conflict_say(const dv_problem *problem, const dv_conflict *conflict, dv_text *out);

/* The member conflict of an object. */
void dv_conflict_json(const dv_problem *problem, const dv_conflict *conflict, dv_json_writer *json);

#endif
