/* worker.h - a device in another process: compiles and runs its segments there, with tensors in
   memory that both processes map.

   Create one, take its shared memory, start it (the process is forked here, so start every worker
   before threads are made), wait until it is ready, run segments. The process ends with its
   worker, and also when its parent dies by any means. */
#ifndef DV_RUNTIME_WORKER_WORKER_H
#define DV_RUNTIME_WORKER_WORKER_H

#include "runtime/backend.h"

typedef struct dv_worker dv_worker;

typedef struct dv_worker_options {
    const char *name;          /* of the device, for messages */
    const dv_backend *backend; /* what it runs inside */
    int32_t core;              /* to pin to; -1: none */
    uint32_t spin_us;          /* how long either side looks before it sleeps; 0 on shared cores */
    double limit_s;            /* a command that takes longer has failed */
    uint32_t segment_count;    /* borrowed until the worker is destroyed */
    const dv_segment_spec *segments;
    void *const *const *inputs, *const *const *outputs; /* per segment, in shared memory */
} dv_worker_options;

/* bytes of memory that a child process will share, touched; NULL if the system refuses. */
void *dv_worker_share(size_t bytes);
void dv_worker_unshare(void *memory, size_t bytes); /* NULL is allowed */

/* Forks the process, which compiles on its own. DV_UNAVAILABLE if it can't be forked. */
DV_MUST_USE dv_status dv_worker_start(const dv_worker_options *options, dv_worker **out);

/* Kills and reaps the process; NULL is allowed. */
void dv_worker_destroy(dv_worker *worker);

/* Waits until all segments are compiled and bound; the process's own failure if they are not,
   DV_UNAVAILABLE with the reason if it died. */
DV_MUST_USE dv_status dv_worker_ready(dv_worker *worker);

/* Runs a segment to its end. begin_end_ns (may be NULL): dv_clock_ns() at its begin and end in
   the process. op_end_ns (may be NULL): as of dv_backend.run. The same failures. */
DV_MUST_USE dv_status dv_worker_run(dv_worker *worker, uint32_t segment, uint64_t begin_end_ns[2],
                                    uint64_t *op_end_ns);

/* The process's id, for tests. */
int dv_worker_process(const dv_worker *worker);

#endif
