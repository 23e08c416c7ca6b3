/* plan_report.h - a plan for people and for programs. */
#ifndef DV_CLI_PLAN_REPORT_H
#define DV_CLI_PLAN_REPORT_H

#include "cli/pipeline.h"
#include "core/json.h"

/* A few lines and the table of segments. */
DV_MUST_USE dv_status dv_plan_print(const dv_cli *cli, const dv_session *session, dv_text *out);

/* Writes more members of an object. */
typedef struct dv_more_json {
    void (*write)(const void *context, const dv_session *session, dv_json_writer *json);
    const void *context;
} dv_more_json;

/* The object of `partition --json`, with more members if more is not NULL; without a plan its
   figures are null. */
DV_MUST_USE dv_status dv_plan_print_json(const dv_session *session, const char *strategy,
                                         dv_objective objective, const dv_more_json *more,
                                         dv_text *out);

/* The table of `compare`: every strategy on one model and platform. */
DV_MUST_USE dv_status dv_compare_print(const dv_cli *cli, const char *model, const char *platform,
                                       dv_text *out);

/* "proven optimal (given order)", "at most 1.2 % above the optimum", "no proof" into text. */
const char *dv_plan_proof(const dv_plan *plan, char *text, size_t size);

#endif
