/* strategy.h - a way to turn a problem into a plan.

   A strategy sees costs only: it knows no operator, no model file, no device name. */
#ifndef DV_SOLVER_STRATEGY_H
#define DV_SOLVER_STRATEGY_H

#include "core/plan.h"
#include "core/problem.h"
#include "core/progress.h"

typedef enum dv_objective {
    DV_OBJECTIVE_LATENCY = 1,
    DV_OBJECTIVE_THROUGHPUT = 2,
    DV_OBJECTIVE_MAKESPAN = 4,
} dv_objective;

/* "latency", ...; false if unknown. */
bool dv_objective_from_name(const char *name, dv_objective *out);
const char *dv_objective_name(dv_objective objective);

typedef struct dv_solve_options {
    double deadline_s; /* wall time from the call; INFINITY for none */
    uint64_t seed;     /* same seed, same plan */
    double tolerance;  /* relative gap that counts as optimal; 0 means 1e-9 */
    dv_objective objective;
    dv_progress *progress; /* borrowed; hears every incumbent and bound; may be NULL */
    /* What the tables of a search may take, roughly; beyond it a search keeps the most promising
       states only, and says so by its gap. 0 means DV_MEMORY_PRESET. */
    size_t memory_bytes;
} dv_solve_options;

/* 2 GB. */
#define DV_MEMORY_PRESET ((size_t)2000000000)

/* Latency, no deadline, seed 1, 2 GB. */
dv_solve_options dv_solve_options_default(void);

/* When a solve that begins now must end, on the clock of the options' progress. */
double dv_solve_deadline_s(const dv_solve_options *options);

/* The options for work within that solve: what is left until then, heard by silent only, which
   becomes dv_progress_silent of the options' progress. */
dv_solve_options dv_solve_options_within(const dv_solve_options *options, double deadline_s,
                                         dv_progress *silent);

typedef enum dv_param_type {
    DV_PARAM_INTEGER,
    DV_PARAM_NUMBER,
    DV_PARAM_CHOICE,
    DV_PARAM_TEXT,
} dv_param_type;

/* A typed, ranged, documented parameter; an array of them ends with name NULL. */
typedef struct dv_param {
    const char *name;
    dv_param_type type;
    const char *summary;
    const char *preset;  /* as written on the command line; NULL: there is none, it must be given */
    double low, high;    /* INTEGER, NUMBER */
    const char *choices; /* CHOICE: "naive|pairwise" */
} dv_param;

typedef struct dv_param_value { /* one for each dv_param, in its order */
    double number;              /* INTEGER, NUMBER; CHOICE: index */
    const char *text;           /* TEXT, CHOICE */
} dv_param_value;

typedef struct dv_strategy {
    const char *name;       /* as in --strategy */
    const char *summary;    /* one line, for --help and the manual */
    const char *citation;   /* the paper or program it follows; NULL if it is ours */
    unsigned objectives;    /* mask of DV_OBJECTIVE_* */
    const dv_param *params; /* NULL if it has none */

    /* Fills plan (whose makespan_us is INFINITY, not NAN, where that is the objective: target,
       order; bound_us, proved_by, proof_scope where it proves something), which the caller created
       for problem, and sets *outcome. Fails only where there is no answer to give: DV_NO_MEMORY,
       DV_BAD_PARAMETER, DV_INTERNAL. */
    dv_status (*solve)(const dv_problem *problem, const dv_solve_options *options,
                       const dv_param_value *values, dv_plan *plan, dv_outcome *outcome);
} dv_strategy;

/* The strategy of that name, or NULL. The i-th, NULL past the last. O(strategies). */
const dv_strategy *dv_strategy_find(const char *name);
const dv_strategy *dv_strategy_at(size_t i);

/* May it be asked for by its bare name, or is there a parameter that must be given? */
bool dv_strategy_needs_nothing(const dv_strategy *strategy);

/* The value of param's preset. Fails only on a preset that is out of its own range. */
DV_MUST_USE dv_status dv_param_preset(const dv_param *param, dv_param_value *value);

/* What "name[:key=value,...]" says of parameter key, or its preset: its number (of a choice the
   index). DV_BAD_PARAMETER as dv_solve, or if the strategy has no such parameter. */
DV_MUST_USE dv_status dv_strategy_number(const char *spec, const char *key, double *number);

/* Parses "name[:key=value,...]", solves, evaluates, certifies, and fills plan's strategy, outcome,
   bound and solve_ms. A plan that fails its certificate is DV_INTERNAL and never returned.
   DV_BAD_PARAMETER for an unknown strategy (nearest name), key or value, or an objective that the
   strategy does not serve. *plan is NULL when the outcome has none. */
DV_MUST_USE dv_status dv_solve(const dv_problem *problem, const char *strategy,
                               const dv_solve_options *options, dv_plan **plan,
                               dv_outcome *outcome);

#endif
