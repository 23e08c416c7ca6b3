/* pipeline.h - from the words of the command line to the nouns: model, platform, problem, plan. */
#ifndef DV_CLI_PIPELINE_H
#define DV_CLI_PIPELINE_H

#include "cli/cli.h"
#include "core/plan.h"
#include "core/trace.h"
#include "solver/conflict.h"
#include "solver/strategy.h"

/* What the verbs work on; each part NULL until it is made. Owns all of it. */
typedef struct dv_session {
    const char *model;     /* as on the command line */
    dv_graph *source;      /* as the file has it; NULL for a problem file */
    dv_graph *graph;       /* lowered, with units; NULL for a problem file */
    dv_platform *platform; /* NULL for a problem file */
    dv_problem *problem;
    dv_plan *plan;
    dv_outcome outcome;
    dv_conflict conflict; /* of limits, where no plan was found; empty: none known */
} dv_session;

void dv_session_free(dv_session *session);

/* Reads the model: a file, zoo:NAME or "-", with the --dim and --set of cli. A problem file fills
   problem instead. With keep_opaque, operators that are not understood stay, for info. */
DV_MUST_USE dv_status dv_session_load(const dv_cli *cli, const char *model, bool keep_opaque,
                                      dv_session *session);

/* Opens the platform (a name or file; restricted by --targets) and builds the problem, pins and
   limits applied. Nothing is left to do for a problem file but these. */
DV_MUST_USE dv_status dv_session_pose(const dv_cli *cli, const char *platform, dv_session *session);

/* The platform that the command line asks for, or the verb's default. */
const char *dv_session_platform(const dv_cli *cli);

/* Options of the search from the command line. */
DV_MUST_USE dv_status dv_session_solve_options(const dv_cli *cli, dv_solve_options *options);

/* The strategy that the command line asks for, or the default. */
const char *dv_session_strategy(const dv_cli *cli);

/* Solves with that strategy. plan stays NULL if the outcome has none; conflict then says which
   limits cannot hold together, if that is so. */
DV_MUST_USE dv_status dv_session_solve(const dv_cli *cli, const char *strategy,
                                       dv_session *session);

/* Why there is no plan: limits that conflict, or the deadline. Returns DV_NEGATIVE. */
dv_status dv_session_no_plan(const dv_session *session, const char *strategy);

/* All of the above for the one model of a verb; the plan is read from --plan if that is given.
   Without a plan: DV_NEGATIVE and a message that says why. */
DV_MUST_USE dv_status dv_session_plan(const dv_cli *cli, dv_session *session);

/* The platform's name, or the problem's for a problem file. */
const char *dv_session_platform_name(const dv_session *session);

/* Names an event of a trace of this session; context is the session. A dv_event_namer. */
const char *dv_session_event_name(void *context, const dv_event *event, char *text, size_t size);

/* Predicted time of a segment: computing plus its dispatch. */
double dv_session_segment_us(const dv_session *session, const dv_segment *segment);

/* "cpu:f32", or "cpu:f32 cpu:i8" where a segment mixes precisions, into text. Returns text. */
const char *dv_session_segment_targets(const dv_session *session, const dv_segment *segment,
                                       char *text, size_t size);

#endif
