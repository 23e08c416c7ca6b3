/* compare.h - rows of strategies x platforms x models: solved side by side, reported in every form.
 */
#ifndef DV_CLI_COMPARE_H
#define DV_CLI_COMPARE_H

#include "cli/pipeline.h"

typedef struct dv_compare_row {
    char *model, *platform, *strategy;
    dv_outcome outcome;
    char proof_scope[64]; /* the plans that an optimum is proven against: "any order" */
    double value, latency, bound, moved_bytes; /* value INFINITY: no plan */
    double solve_ms, peak_bytes; /* peak_bytes: memory that the solve added at its peak */
    uint32_t segments;
    double ratio; /* value / the best value known for this model and platform */
} dv_compare_row;

typedef struct dv_compare {
    dv_compare_row *rows;
    size_t count, capacity;
    const char *value_name; /* "latency", "largest load" or "makespan", as the objective is */
    bool untimed;           /* leave out what differs from run to run: times and memory */
} dv_compare;

void dv_compare_free(dv_compare *compare);

/* The solves under way, each in a process of its own: they use all processors, their memory is told
   apart, and rows keep their order whichever ends first. */
typedef struct dv_compare_jobs dv_compare_jobs;

enum { DV_COMPARE_JOBS_MOST = 64 };

/* At most so many at once, up to DV_COMPARE_JOBS_MOST; DV_NO_MEMORY. Waits for those that still run
 * when destroyed. */
DV_MUST_USE dv_status dv_compare_jobs_create(const dv_cli *cli, uint32_t at_once,
                                             dv_compare *compare, dv_compare_jobs **out);
void dv_compare_jobs_destroy(dv_compare_jobs *jobs);

/* Adds a row for the strategy on the session's problem, and solves it as soon as there is a place.
   The session may go once this has returned. Fails as soon as any job has failed. */
DV_MUST_USE dv_status dv_compare_jobs_add(dv_compare_jobs *jobs, const dv_session *session,
                                          const char *strategy, const dv_solve_options *options);

/* Adds a row for a plan that is there already. */
DV_MUST_USE dv_status dv_compare_jobs_put(dv_compare_jobs *jobs, const dv_session *session,
                                          const dv_plan *plan);

/* Waits for all. Of several failures, the one of the first row. */
DV_MUST_USE dv_status dv_compare_jobs_finish(dv_compare_jobs *jobs);

/* Fills in the ratios of rows of one model and platform. */
void dv_compare_rate(dv_compare *compare);

/* One table a model and platform, and the geometric means where there are several. */
void dv_compare_tables(const dv_cli *cli, const dv_compare *compare, dv_text *out);
void dv_compare_json(const dv_compare *compare, dv_text *out);

/* RFC 4180, one line a row, a head; a tabular of ratios: a line a strategy, a column a model and
   platform, the geometric mean last. */
void dv_compare_csv(const dv_compare *compare, dv_text *out);
void dv_compare_latex(const dv_compare *compare, dv_text *out);

/* A strategy's geometric mean of ratios over the models and platforms where it found a plan. */
typedef struct dv_compare_mean {
    const char *strategy;
    double ratio; /* NAN if it never found one */
    uint32_t solved, optimal, of;
} dv_compare_mean;

/* The i-th strategy's, in the order of rows; false past the last. O(rows). */
bool dv_compare_mean_at(const dv_compare *compare, size_t i, dv_compare_mean *mean);

/* Are the rows of one model on one platform? */
bool dv_compare_same_problem(const dv_compare_row *a, const dv_compare_row *b);

#endif
