/* jobs.h - the simulator's work: jobs that each hold one resource, and which waits for which.

   A job is a row of steps that run without a break on its resource: a segment (session, switch,
   conversions, computes), a single unit of one, or a move over a link. For one inference, expand.c
   makes the jobs of segments and sequential.c puts them in a row; overlapped.c makes jobs of units.
   engine.c runs them. */
#ifndef DV_SIM_JOBS_H
#define DV_SIM_JOBS_H

#include "core/plan.h"
#include "core/trace.h"

typedef struct dv_step {
    dv_event_kind kind;
    uint32_t item;
    double duration_us;
} dv_step;

typedef struct dv_job {
    uint32_t resource;
    uint32_t segment; /* UINT32_MAX: a move of an input */
    bool is_segment;  /* or a unit of one; else a move */
    uint32_t device;  /* of a segment */
    size_t first_step, step_count;
    uint32_t
        waits_since; /* the job at whose end the executor turns to this one; UINT32_MAX: none */
} dv_job;

typedef struct dv_after {
    uint32_t before, after;
} dv_after;

typedef struct dv_jobs {
    dv_job *job;
    dv_step *step;
    dv_after *after; /* after waits for before */
    size_t job_count, step_count, after_count;
    size_t job_capacity, step_capacity, after_capacity;
    bool failed; /* out of memory; everything after that was ignored */
} dv_jobs;

/* Zero-initialise; frees the arrays. */
void dv_jobs_free(dv_jobs *jobs);

/* Begins a job; steps that follow belong to it. Returns its index (0 once failed). */
uint32_t dv_jobs_add(dv_jobs *jobs, dv_job job);
void dv_jobs_step(dv_jobs *jobs, dv_event_kind kind, uint32_t item, double duration_us);

/* Job after starts when job before has ended; before = UINT32_MAX asks for nothing. */
void dv_jobs_after(dv_jobs *jobs, uint32_t before, uint32_t after);

/* The resource "from > to", added to trace's if it is new. */
DV_MUST_USE dv_status dv_jobs_link(const dv_problem *problem, dv_device_id from, dv_device_id to,
                                   dv_trace *trace, uint32_t *link);

/* Adds the jobs of one inference of the plan, segment by segment. Links are added to trace's
   resources as they come up. DV_BAD_INPUT if the plan runs a unit before what it reads. */
DV_MUST_USE dv_status dv_jobs_expand(const dv_problem *problem, const dv_plan *plan,
                                     dv_trace *trace, dv_jobs *jobs);

/* Puts jobs from first on (one inference, in the order of making) one after another. */
void dv_jobs_sequential(dv_jobs *jobs, size_t first);

/* Adds the jobs of one inference whose devices and links overlap, unit by unit; as dv_jobs_expand
   otherwise. */
DV_MUST_USE dv_status dv_jobs_overlapped(const dv_problem *problem, const dv_plan *plan,
                                         dv_trace *trace, dv_jobs *jobs);

/* Runs all jobs from time 0 and adds their events to trace. A free resource takes the ready job
   that was made first. O((jobs + dependencies) log jobs). */
DV_MUST_USE dv_status dv_jobs_run(const dv_jobs *jobs, uint32_t resource_count, dv_trace *trace);

#endif
