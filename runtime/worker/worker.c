/* worker.c - the parent's side of a worker process, and the process itself. */
#include "runtime/worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "runtime/worker/channel.h"

enum { SLEEP_MS = 50, MESSAGE_SIZE = 512 };

/* Shared by both processes. The parent writes the command before it rings `request`, the child the
   answer before it rings `reply`. */
typedef struct worker_control {
    dv_bell request, reply;
    _Alignas(64) uint32_t segment;
    bool profile;
    dv_status status;
    uint64_t begin_ns, end_ns;
    char message[MESSAGE_SIZE];
    uint64_t op_end_ns[]; /* of the longest segment */
} worker_control;

struct dv_worker {
    char *name;
    pid_t process; /* 0: none, or already reaped */
    worker_control *control;
    size_t control_bytes;
    uint32_t replies; /* heard so far */
    uint32_t spin_us;
    double limit_s;
    const dv_segment_spec *segments;
    char death[128]; /* why it is gone; "" while it lives */
};

void *dv_worker_share(size_t bytes)
{
    void *memory = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void dv_worker_unshare(void *memory, size_t bytes)
{
    if (memory)
        munmap(memory, bytes ? bytes : 1);
}

/* ---- the process ---- */

/* Dies with its parent, leaves Ctrl-C to it, and holds none of its files: whoever reads the
   parent's output must see its end when the parent ends. */
static void leave_parent(pid_t parent)
{
    static const int defaults[] = {SIGTERM, SIGHUP, SIGQUIT, SIGCHLD, SIGALRM};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    signal(SIGINT, SIG_IGN);
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
        signal(defaults[i], SIG_DFL);
    int nowhere = open("/dev/null", O_RDWR);
    if (nowhere >= 0) {
        dup2(nowhere, STDIN_FILENO);
        dup2(nowhere, STDOUT_FILENO);
    }
    close_range(3, ~0U, 0);
    prctl(PR_SET_NAME, "divvy-worker");
}

static dv_status pin(int32_t core)
{
    if (core < 0)
        return DV_OK;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (core < CPU_SETSIZE)
        CPU_SET((size_t)core, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        return dv_fail(DV_UNAVAILABLE, "processor core %d is not available: %s", (int)core,
                       strerror(errno));
    return DV_OK;
}

/* The first touch of shared pages in this process. */
static void touch(const dv_worker_options *options)
{
    volatile unsigned char sum = 0;
    for (uint32_t s = 0; s < options->segment_count; s++) {
        const dv_segment_spec *spec = &options->segments[s];
        for (uint32_t i = 0; i < spec->input_count + spec->output_count; i++) {
            bool in = i < spec->input_count;
            dv_tensor_id tensor = in ? spec->inputs[i] : spec->outputs[i - spec->input_count];
            const unsigned char *bytes =
                in ? options->inputs[s][i] : options->outputs[s][i - spec->input_count];
            size_t size = 0;
            if (!dv_tensor_bytes(&spec->graph->tensors[tensor], &size))
                continue;
            for (size_t at = 0; at < size; at += 4096)
                sum = (unsigned char)(sum + bytes[at]);
        }
    }
}

static dv_status compile_all(const dv_worker_options *options, dv_executable **executables)
{
    DV_TRY(pin(options->core));
    touch(options);
    for (uint32_t s = 0; s < options->segment_count; s++) {
        DV_TRY(options->backend->compile(&options->segments[s], &executables[s]));
        DV_TRY(options->backend->bind(executables[s], options->inputs[s], options->outputs[s]));
    }
    return DV_OK;
}

static void answer(worker_control *control, dv_status status)
{
    control->status = status;
    if (status != DV_OK)
        snprintf(control->message, sizeof control->message, "%s", dv_message());
    dv_bell_ring(&control->reply);
}

_Noreturn static void serve(const dv_worker_options *options, worker_control *control, pid_t parent)
{
    dv_executable **executables = calloc(options->segment_count + 1, sizeof(dv_executable *));
    dv_status status = executables ? compile_all(options, executables)
                                   : dv_fail(DV_NO_MEMORY, "no memory to compile segments");
    answer(control, status);
    if (status != DV_OK)
        _exit(1);
    for (uint32_t seen = 0;; seen++) {
        uint32_t spin_us = options->spin_us;
        while (!dv_bell_wait(&control->request, seen, spin_us, 1000)) {
            if (getppid() != parent)
                _exit(0);
            spin_us = 0;
        }
        control->begin_ns = dv_clock_ns();
        status = options->backend->run(executables[control->segment],
                                       control->profile ? control->op_end_ns : NULL);
        control->end_ns = dv_clock_ns();
        answer(control, status);
    }
}

typedef struct service {
    const dv_worker_options *options;
    worker_control *control;
    pid_t parent;
} service;

static void *serve_in_thread(void *context)
{
    const service *s = context;
    serve(s->options, s->control, s->parent);
}

/* The process. It serves in a thread of its own: the one it was forked from may have worked with
   threads that no longer exist here, and OpenMP would wait for them for ever; a new thread starts
   without any. */
_Noreturn static void live(const dv_worker_options *options, worker_control *control, pid_t parent)
{
    service s = {options, control, parent};
    pthread_t thread;
    leave_parent(parent);
    if (pthread_create(&thread, NULL, serve_in_thread, &s) == 0)
        pthread_join(thread, NULL); /* it does not come back */
    answer(control, dv_fail(DV_UNAVAILABLE, "the process could not start its thread"));
    _exit(1);
}

/* ---- its parent ---- */

static size_t most_ops(const dv_worker_options *options)
{
    size_t most = 0;
    for (uint32_t s = 0; s < options->segment_count; s++)
        if (options->segments[s].op_count > most)
            most = options->segments[s].op_count;
    return most;
}

dv_status dv_worker_start(const dv_worker_options *options, dv_worker **out)
{
    *out = NULL;
    dv_worker *worker = calloc(1, sizeof *worker);
    if (!worker || !(worker->name = strdup(options->name))) {
        free(worker);
        return dv_fail(DV_NO_MEMORY, "no memory for a worker");
    }
    worker->control_bytes = sizeof(worker_control) + (most_ops(options) + 1) * sizeof(uint64_t);
    worker->control = dv_worker_share(worker->control_bytes);
    worker->spin_us = options->spin_us;
    worker->limit_s = options->limit_s;
    worker->segments = options->segments;
    if (!worker->control) {
        dv_worker_destroy(worker);
        return dv_fail(DV_NO_MEMORY, "no shared memory for worker '%s'", options->name);
    }
    pid_t parent = getpid();
    pid_t process = fork();
    if (process == 0)
        live(options, worker->control, parent);
    if (process < 0) {
        int reason = errno;
        dv_worker_destroy(worker);
        return dv_fail(DV_UNAVAILABLE, "worker '%s' could not be started: %s", options->name,
                       strerror(reason));
    }
    worker->process = process;
    *out = worker;
    return DV_OK;
}

int dv_worker_process(const dv_worker *worker)
{
    return (int)worker->process;
}

/* Has the process ended? Then it is reaped and `death` says how. */
static bool has_died(dv_worker *worker)
{
    int how = 0;
    if (worker->process == 0)
        return true;
    pid_t ended = waitpid(worker->process, &how, WNOHANG);
    if (ended == 0 || (ended < 0 && errno == EINTR))
        return false;
    worker->process = 0;
    if (ended > 0 && WIFSIGNALED(how))
        snprintf(worker->death, sizeof worker->death, "was killed by signal %d (%s)", WTERMSIG(how),
                 strsignal(WTERMSIG(how)));
    else
        snprintf(worker->death, sizeof worker->death, "ended with status %d",
                 ended > 0 ? WEXITSTATUS(how) : -1);
    return true;
}

static void end_process(dv_worker *worker)
{
    if (worker->process == 0)
        return;
    kill(worker->process, SIGKILL);
    while (waitpid(worker->process, NULL, 0) < 0 && errno == EINTR)
        continue;
    worker->process = 0;
}

static dv_status gone(const dv_worker *worker)
{
    return dv_fail(DV_UNAVAILABLE, "worker '%s' %s", worker->name, worker->death);
}

/* The next reply of the process; its own failure becomes ours. */
static dv_status await_reply(dv_worker *worker)
{
    double until = dv_clock_s() + worker->limit_s;
    uint32_t spin_us = worker->spin_us;
    while (!dv_bell_wait(&worker->control->reply, worker->replies, spin_us, SLEEP_MS)) {
        spin_us = 0;
        /* it may have answered between our last look and its end */
        if (has_died(worker) && atomic_load(&worker->control->reply.number) == worker->replies)
            return gone(worker);
        if (dv_clock_s() > until) {
            end_process(worker);
            snprintf(worker->death, sizeof worker->death, "did not answer for %.0f s",
                     worker->limit_s);
            return gone(worker);
        }
    }
    worker->replies++;
    if (worker->control->status != DV_OK)
        return dv_fail(worker->control->status, "device '%s': %.*s", worker->name, MESSAGE_SIZE - 1,
                       worker->control->message);
    return DV_OK;
}

dv_status dv_worker_ready(dv_worker *worker)
{
    return await_reply(worker);
}

dv_status dv_worker_run(dv_worker *worker, uint32_t segment, uint64_t begin_end_ns[2],
                        uint64_t *op_end_ns)
{
    if (worker->process == 0)
        return gone(worker);
    worker_control *control = worker->control;
    control->segment = segment;
    control->profile = op_end_ns != NULL;
    dv_bell_ring(&control->request);
    DV_TRY(await_reply(worker));
    if (begin_end_ns) {
        begin_end_ns[0] = control->begin_ns;
        begin_end_ns[1] = control->end_ns;
    }
    if (op_end_ns)
        memcpy(op_end_ns, control->op_end_ns,
               worker->segments[segment].op_count * sizeof *op_end_ns);
    return DV_OK;
}

void dv_worker_destroy(dv_worker *worker)
{
    if (!worker)
        return;
    end_process(worker);
    dv_worker_unshare(worker->control, worker->control_bytes);
    free(worker->name);
    free(worker);
}
