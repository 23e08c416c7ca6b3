/* compare_jobs.c - solves in processes of their own. */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/compare.h"
#include "cli/progress_bar.h"

/* What a job says through its pipe; less than PIPE_BUF, so written at once. */
typedef struct answer {
    dv_status status;
    char message[512];
    dv_compare_row row; /* its strings mean nothing here */
} answer;

typedef struct job {
    pid_t process;
    int pipe;
    size_t row;
} job;

struct dv_compare_jobs {
    const dv_cli *cli;
    dv_compare *compare;
    job *running;
    uint32_t count, at_once;
    size_t done;
    bool stopping;    /* the jobs were asked to end */
    dv_status status; /* of the first row that failed */
    size_t failed_row;
    char message[512];
};

dv_status dv_compare_jobs_create(const dv_cli *cli, uint32_t at_once, dv_compare *compare,
                                 dv_compare_jobs **out)
{
    dv_compare_jobs *jobs = calloc(1, sizeof *jobs);
    job *running = calloc(at_once, sizeof *running);
    if (!jobs || !running) {
        free(jobs);
        free(running);
        return dv_fail(DV_NO_MEMORY, "no memory for %u jobs", at_once);
    }
    *jobs =
        (dv_compare_jobs){.cli = cli, .compare = compare, .running = running, .at_once = at_once};
    *out = jobs;
    return DV_OK;
}

static double resident_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? 1024.0 * (double)usage.ru_maxrss : NAN;
}

static void describe(const dv_plan *plan, dv_compare_row *row)
{
    row->value = plan ? dv_plan_value_us(plan) : INFINITY;
    row->latency = plan ? plan->cost.total_us : NAN;
    row->bound = plan ? plan->bound_us : -INFINITY;
    if (plan)
        memcpy(row->proof_scope, plan->proof_scope, sizeof row->proof_scope);
    row->moved_bytes = plan ? plan->cost.moved_bytes : NAN;
    row->segments = plan ? plan->cost.segments : 0;
    row->solve_ms = plan ? plan->solve_ms : NAN;
}

/* In the new process. */
static void solve(const dv_session *session, const char *strategy, const dv_solve_options *options,
                  answer *out)
{
    dv_solve_options quiet = *options;
    dv_progress silent = {.stop = options->progress ? options->progress->stop : NULL};
    dv_plan *plan = NULL;
    quiet.progress = &silent;
    double before = resident_bytes();
    out->status = dv_solve(session->problem, strategy, &quiet, &plan, &out->row.outcome);
    if (out->status != DV_OK)
        snprintf(out->message, sizeof out->message, "%s", dv_message());
    out->row.peak_bytes = resident_bytes() - before;
    describe(plan, &out->row);
    dv_plan_destroy(plan);
}

static void record(dv_compare_jobs *jobs, size_t row, const answer *from, bool whole)
{
    dv_compare_row *to = &jobs->compare->rows[row];
    dv_status status = whole ? from->status : DV_INTERNAL;
    jobs->done++;
    if (status == DV_BAD_PARAMETER && !dv_cli_has(jobs->cli, DV_OPTION_STRATEGY)) {
        /* of all strategies, one that does not serve this problem has a row without a plan */
        dv_progress_log(jobs->cli->progress, "%s: %s", to->model, from->message);
        status = DV_OK;
    }
    if (status == DV_OK) {
        dv_compare_row filled = from->row;
        filled.model = to->model;
        filled.platform = to->platform;
        filled.strategy = to->strategy;
        *to = filled;
    } else if (jobs->status == DV_OK || row < jobs->failed_row) {
        jobs->status = status;
        jobs->failed_row = row;
        if (whole)
            snprintf(jobs->message, sizeof jobs->message, "%s", from->message);
        else
            snprintf(jobs->message, sizeof jobs->message, "%s: strategy %s ended without an answer",
                     to->model, to->strategy);
    }
    dv_progress_step(jobs->cli->progress, "compare",
                     (double)jobs->done / (double)jobs->compare->count);
}

/* A Ctrl-C on a terminal reaches all processes, but a signal may have been sent to this one alone.
 */
static void pass_stop_on(dv_compare_jobs *jobs)
{
    if (jobs->stopping || !dv_progress_stopped(jobs->cli->progress))
        return;
    jobs->stopping = true;
    for (uint32_t i = 0; i < jobs->count; i++)
        kill(jobs->running[i].process, SIGINT);
}

/* Takes the answer of one job that has ended. */
static void collect(dv_compare_jobs *jobs)
{
    struct pollfd ready[DV_COMPARE_JOBS_MOST];
    uint32_t count = jobs->count, i = 0;
    for (uint32_t k = 0; k < count; k++)
        ready[k] = (struct pollfd){.fd = jobs->running[k].pipe, .events = POLLIN};
    while (poll(ready, count, 100) <= 0)
        pass_stop_on(jobs);
    while (i + 1 < count && !ready[i].revents)
        i++;
    job ended = jobs->running[i];
    answer got;
    size_t size = 0;
    for (ssize_t n; size < sizeof got; size += (size_t)n) {
        n = read(ended.pipe, (char *)&got + size, sizeof got - size);
        if (n < 0 && errno == EINTR)
            n = 0;
        else if (n <= 0)
            break;
    }
    close(ended.pipe);
    while (waitpid(ended.process, NULL, 0) < 0 && errno == EINTR)
        continue;
    jobs->running[i] = jobs->running[--jobs->count];
    record(jobs, ended.row, &got, size == sizeof got);
}

static dv_status add_row(dv_compare *compare, const dv_session *session, const char *strategy)
{
    if (!dv_grow((void **)&compare->rows, &compare->capacity, compare->count + 1,
                 sizeof *compare->rows))
        return dv_fail(DV_NO_MEMORY, "no memory for %zu rows", compare->count + 1);
    dv_compare_row *row = &compare->rows[compare->count++];
    *row = (dv_compare_row){.model = strdup(session->model),
                            .platform = strdup(dv_session_platform_name(session)),
                            .strategy = strdup(strategy),
                            .value = INFINITY};
    if (!row->model || !row->platform || !row->strategy)
        return dv_fail(DV_NO_MEMORY, "no memory for %zu rows", compare->count);
    return DV_OK;
}

static dv_status failure(const dv_compare_jobs *jobs)
{
    return jobs->status == DV_OK ? DV_OK : dv_fail(jobs->status, "%s", jobs->message);
}

dv_status dv_compare_jobs_add(dv_compare_jobs *jobs, const dv_session *session,
                              const char *strategy, const dv_solve_options *options)
{
    DV_TRY(add_row(jobs->compare, session, strategy));
    size_t row = jobs->compare->count - 1;
    while (jobs->count == jobs->at_once)
        collect(jobs);
    DV_TRY(dv_cli_check_stop(jobs->cli)); /* first: a job that was stopped may have no answer */
    DV_TRY(failure(jobs));
    int ends[2];
    if (pipe(ends) != 0)
        return dv_fail(DV_IO, "compare: no pipe: %s", strerror(errno));
    dv_progress_bar_clear();
    pid_t process = fork();
    if (process == 0) {
        answer out;
        memset(&out, 0, sizeof out); /* padding too: it goes through the pipe */
        close(ends[0]);
        solve(session, strategy, options, &out);
        ssize_t written = write(ends[1], &out, sizeof out);
        _exit(written == (ssize_t)sizeof out ? 0 : 1);
    }
    close(ends[1]);
    if (process < 0) {
        close(ends[0]);
        return dv_fail(DV_IO, "compare: no process: %s", strerror(errno));
    }
    jobs->running[jobs->count++] = (job){process, ends[0], row};
    return DV_OK;
}

dv_status dv_compare_jobs_put(dv_compare_jobs *jobs, const dv_session *session, const dv_plan *plan)
{
    DV_TRY(add_row(jobs->compare, session, plan->strategy));
    dv_compare_row *row = &jobs->compare->rows[jobs->compare->count - 1];
    describe(plan, row);
    row->outcome = plan->outcome;
    jobs->done++;
    return DV_OK;
}

dv_status dv_compare_jobs_finish(dv_compare_jobs *jobs)
{
    while (jobs->count > 0)
        collect(jobs);
    dv_progress_bar_clear();
    DV_TRY(dv_cli_check_stop(jobs->cli));
    return failure(jobs);
}

void dv_compare_jobs_destroy(dv_compare_jobs *jobs)
{
    if (!jobs)
        return;
    for (uint32_t i = 0; i < jobs->count; i++)
        kill(jobs->running[i].process,
             SIGTERM); /* a failure elsewhere: their answers are not wanted */
    while (jobs->count > 0)
        collect(jobs);
    free(jobs->running);
    free(jobs);
}
