/* test_worker.c - a device in another process computes, reports its faults, and never outlives or
   hangs its parent. */
#include "runtime/worker/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/suite.h"
#include "tests/unit/segment_case.h"

enum { COUNT = 64 };

/* One segment, y = |x|, on a worker of the portable backend. */
typedef struct rig {
    dv_graph *graph;
    float *x, *y; /* shared */
    size_t bytes;
    dv_segment_spec spec;
    dv_op_id op;
    dv_layout plain;
    void *memory[2];
    void *const *inputs, *const *outputs;
    dv_worker_options options;
    dv_backend backend; /* a copy to be bent */
    dv_worker *worker;
} rig;

static void build(rig *r)
{
    memset(r, 0, sizeof *r);
    r->graph = dv_graph_create("absolute", "graph");
    dv_tensor_id x = net_input(r->graph, "64");
    net_finish(r->graph, NET_OP(r->graph, DV_OP_ABS, NULL, "64", x));
    r->bytes = 2 * (COUNT * sizeof(float) + DV_TENSOR_PADDING);
    r->x = dv_worker_share(r->bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r->x);
    r->y = r->x + COUNT + DV_TENSOR_PADDING / sizeof(float);
    r->memory[0] = r->x;
    r->memory[1] = r->y;
    r->inputs = &r->memory[0];
    r->outputs = &r->memory[1];
    r->spec = (dv_segment_spec){.graph = r->graph,
                                .op_count = 1,
                                .ops = &r->op,
                                .input_count = 1,
                                .output_count = 1,
                                .inputs = r->graph->inputs,
                                .outputs = r->graph->outputs,
                                .input_layout = &r->plain,
                                .output_layout = &r->plain,
                                .precision = DV_DTYPE_F32,
                                .threads = 1};
    r->backend = *dv_backend_find("portable");
    r->options = (dv_worker_options){.name = "helper",
                                     .backend = &r->backend,
                                     .core = -1,
                                     .limit_s = 20.0,
                                     .segment_count = 1,
                                     .segments = &r->spec,
                                     .inputs = &r->inputs,
                                     .outputs = &r->outputs};
}

static void tear_down(rig *r)
{
    dv_worker_destroy(r->worker);
    dv_worker_unshare(r->x, r->bytes);
    dv_graph_destroy(r->graph);
}

static void start(rig *r)
{
    CU_ASSERT_EQUAL_FATAL(dv_worker_start(&r->options, &r->worker), DV_OK);
}

/* Ended, but nobody has asked how: in a container, process 1 may never ask. */
static bool is_unreaped(pid_t process)
{
    char path[64], state = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    bool read = fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
    fclose(file);
    return read && state == 'Z';
}

static bool is_gone(pid_t process)
{
    for (int tries = 0; tries < 500; tries++) {
        if ((kill(process, 0) != 0 && errno == ESRCH) || is_unreaped(process))
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return false;
}

static void a_worker_computes_in_its_own_process(void)
{
    rig r;
    build(&r);
    start(&r);
    CU_ASSERT_NOT_EQUAL(dv_worker_process(r.worker), getpid());
    CU_ASSERT_EQUAL_FATAL(dv_worker_ready(r.worker), DV_OK);
    for (int run = 1; run <= 200; run++) {
        uint64_t span[2] = {0, 0}, op_end_ns[1] = {0};
        size_t wrong = 0;
        for (int i = 0; i < COUNT; i++)
            r.x[i] = (float)(-run * i);
        CU_ASSERT_EQUAL_FATAL(dv_worker_run(r.worker, 0, span, run % 2 ? op_end_ns : NULL), DV_OK);
        for (int i = 0; i < COUNT; i++)
            wrong += r.y[i] != (float)(run * i);
        CU_ASSERT_EQUAL(wrong, 0);
        CU_ASSERT_TRUE(span[0] > 0 && span[0] <= span[1]);
        CU_ASSERT_TRUE(run % 2 == 0 || (span[0] <= op_end_ns[0] && op_end_ns[0] <= span[1]));
    }
    tear_down(&r);
}

static void a_destroyed_worker_leaves_no_process(void)
{
    rig r;
    build(&r);
    start(&r);
    pid_t process = dv_worker_process(r.worker);
    CU_ASSERT_EQUAL(dv_worker_ready(r.worker), DV_OK);
    dv_worker_destroy(r.worker);
    r.worker = NULL;
    CU_ASSERT_TRUE(kill(process, 0) != 0 && errno == ESRCH);
    tear_down(&r);
}

static void a_killed_worker_is_reported_with_its_signal(void)
{
    rig r;
    build(&r);
    start(&r);
    CU_ASSERT_EQUAL_FATAL(dv_worker_ready(r.worker), DV_OK);
    kill(dv_worker_process(r.worker), SIGKILL);
    CU_ASSERT_EQUAL(dv_worker_run(r.worker, 0, NULL, NULL), DV_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "worker 'helper' was killed by signal 9"));
    CU_ASSERT_EQUAL(dv_worker_run(r.worker, 0, NULL, NULL), DV_UNAVAILABLE); /* and stays so */
    tear_down(&r);
}

static dv_status die(dv_executable *executable, uint64_t *op_end_ns)
{
    (void)executable;
    (void)op_end_ns;
    _exit(7);
}

static void a_worker_that_dies_in_the_middle_of_a_run_is_reported(void)
{
    rig r;
    build(&r);
    r.backend.run = die;
    start(&r);
    CU_ASSERT_EQUAL_FATAL(dv_worker_ready(r.worker), DV_OK);
    CU_ASSERT_EQUAL(dv_worker_run(r.worker, 0, NULL, NULL), DV_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "ended with status 7"));
    tear_down(&r);
}

/* Ready, on a machine however busy: one that is slow to compile is started again. */
static void start_impatient(rig *r)
{
    r->options.limit_s = 0.5;
    start(r);
    for (int tries = 0; dv_worker_ready(r->worker) != DV_OK && tries < 50; tries++) {
        dv_worker_destroy(r->worker);
        start(r);
    }
}

static void a_worker_that_does_not_answer_is_given_up(void)
{
    rig r;
    build(&r);
    start_impatient(&r);
    pid_t process = dv_worker_process(r.worker);
    kill(process, SIGSTOP);
    siginfo_t stopped; /* the signal takes a moment to another core */
    CU_ASSERT_EQUAL(waitid(P_PID, (id_t)process, &stopped, WSTOPPED | WNOWAIT), 0);
    CU_ASSERT_EQUAL(dv_worker_run(r.worker, 0, NULL, NULL), DV_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "did not answer"));
    CU_ASSERT_TRUE(is_gone(process));
    tear_down(&r);
}

static dv_status refuse(const dv_segment_spec *spec, dv_executable **out)
{
    (void)spec;
    *out = NULL;
    return dv_fail(DV_BAD_INPUT, "operator 'abs' is too difficult");
}

static void a_failure_to_compile_comes_back_as_text(void)
{
    rig r;
    build(&r);
    r.backend.compile = refuse;
    start(&r);
    CU_ASSERT_EQUAL(dv_worker_ready(r.worker), DV_BAD_INPUT);
    CU_ASSERT_STRING_EQUAL(dv_message(), "device 'helper': operator 'abs' is too difficult");
    tear_down(&r);
}

static void a_core_that_is_not_there_is_an_error(void)
{
    rig r;
    build(&r);
    r.options.core = 1000000;
    start(&r);
    CU_ASSERT_EQUAL(dv_worker_ready(r.worker), DV_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "core 1000000"));
    tear_down(&r);
}

/* A parent that is killed cannot clean up; its worker must go all the same. */
static void a_worker_does_not_outlive_a_killed_parent(void)
{
    volatile pid_t *told =
        mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_NOT_EQUAL_FATAL((void *)(uintptr_t)told, MAP_FAILED);
    rig r;
    build(&r);
    pid_t parent = fork();
    if (parent == 0) {
        if (dv_worker_start(&r.options, &r.worker) != DV_OK || dv_worker_ready(r.worker) != DV_OK)
            _exit(1);
        *told = dv_worker_process(r.worker);
        for (;;)
            pause();
    }
    for (int tries = 0; *told == 0 && tries < 2000; tries++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    pid_t worker = *told;
    CU_ASSERT_NOT_EQUAL(worker, 0);
    kill(worker, SIGINT); /* Ctrl-C reaches the whole group: the worker leaves it to its parent */
    CU_ASSERT_EQUAL(kill(worker, 0), 0);
    kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    CU_ASSERT_TRUE(worker == 0 || is_gone(worker));
    munmap((void *)(uintptr_t)told, sizeof *told);
    tear_down(&r);
}

DV_SUITE(runtime_worker, DV_TEST(a_worker_computes_in_its_own_process),
         DV_TEST(a_destroyed_worker_leaves_no_process),
         DV_TEST(a_killed_worker_is_reported_with_its_signal),
         DV_TEST(a_worker_that_dies_in_the_middle_of_a_run_is_reported),
         DV_TEST(a_worker_that_does_not_answer_is_given_up),
         DV_TEST(a_failure_to_compile_comes_back_as_text),
         DV_TEST(a_core_that_is_not_there_is_an_error),
         DV_TEST(a_worker_does_not_outlive_a_killed_parent));
