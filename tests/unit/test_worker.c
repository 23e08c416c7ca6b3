/* test_worker.c - a device in another process fails cleanly and leaves nothing behind. */
#include "runtime/worker/worker.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "runtime/executor_parts.h"
#include "tests/execution.h"
#include "tests/lowering.h"

/* A hang ends the whole test program. */
enum { HANG_S = 120 };

/* ---- a backend that does as it is told ---- */

typedef enum behaviour {
    DOUBLE, /* output = 2 * input */
    FAIL,
    END,   /* the process */
    SLEEP, /* for ever */
} behaviour;

/* Read from the input's first element. */
static behaviour told(const float *input)
{
    return input[0] >= 0 ? DOUBLE : (behaviour)(int)-input[0];
}

typedef struct fake {
    const float *input;
    float *output;
    size_t elements;
} fake;

static bool fake_refuses; /* inherited by the process */

static dv_status fake_compile(const dv_segment_spec *spec, dv_executable **out)
{
    if (fake_refuses)
        return dv_fail(DV_BAD_INPUT, "no taste for it");
    fake *f = calloc(1, sizeof *f);
    if (!f || !dv_shape_elements(&spec->graph->tensors[spec->inputs[0]].shape, &f->elements))
        abort();
    *out = (dv_executable *)f;
    return DV_OK;
}

static dv_status fake_bind(dv_executable *executable, void *const *inputs, void *const *outputs)
{
    fake *f = (fake *)executable;
    f->input = inputs[0];
    f->output = outputs[0];
    return DV_OK;
}

static dv_status fake_run(dv_executable *executable, uint64_t *op_end_ns)
{
    const fake *f = (const fake *)executable;
    switch (told(f->input)) {
    case FAIL:
        return dv_fail(DV_INTERNAL, "told to fail");
    case END:
        _exit(7);
    case SLEEP:
        for (;;)
            pause();
    case DOUBLE:
        break;
    }
    for (size_t i = 0; i < f->elements; i++)
        f->output[i] = 2 * f->input[i];
    if (op_end_ns)
        op_end_ns[0] = dv_clock_ns();
    return DV_OK;
}

static const dv_backend fake_backend = {
    .name = "fake", .compile = fake_compile, .bind = fake_bind, .run = fake_run};

/* ---- one worker by hand ---- */

enum { ELEMENTS = 6 };

typedef struct bench {
    dv_graph *graph;
    dv_op_id op;
    dv_layout layout;
    dv_segment_spec spec;
    float *shared; /* the input, then the output */
    void *input[1], *output[1];
    void *const *inputs[1], *const *outputs[1];
    dv_worker *worker;
} bench;

static void open_bench(bench *b, double limit_s, int32_t core)
{
    *b = (bench){.graph = build_graph()};
    dv_tensor_id x = build_input(b->graph, "x", "f32 2x3");
    build_finish(b->graph, BUILD_OP(b->graph, DV_OP_ABS, build_none(), "y", x));
    b->graph = inferred(b->graph);
    b->spec = (dv_segment_spec){.graph = b->graph,
                                .op_count = 1,
                                .ops = &b->op,
                                .input_count = 1,
                                .output_count = 1,
                                .inputs = b->graph->inputs,
                                .outputs = b->graph->outputs,
                                .input_layout = &b->layout,
                                .output_layout = &b->layout,
                                .precision = DV_DTYPE_F32,
                                .threads = 1};
    b->shared = dv_worker_share(2 * ELEMENTS * sizeof *b->shared);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b->shared);
    b->input[0] = b->shared;
    b->output[0] = b->shared + ELEMENTS;
    b->inputs[0] = b->input;
    b->outputs[0] = b->output;
    dv_worker_options options = {.name = "npu",
                                 .backend = &fake_backend,
                                 .core = core,
                                 .limit_s = limit_s,
                                 .segment_count = 1,
                                 .segments = &b->spec,
                                 .inputs = b->inputs,
                                 .outputs = b->outputs};
    alarm(HANG_S);
    CU_ASSERT_EQUAL_FATAL(dv_worker_start(&options, &b->worker), DV_OK);
}

/* The process must be gone for good, reaped. */
static void expect_reaped(pid_t process)
{
    errno = 0;
    CU_ASSERT_EQUAL(waitpid(process, NULL, WNOHANG), -1);
    CU_ASSERT_EQUAL(errno, ECHILD);
}

static void close_bench(bench *b)
{
    pid_t process = dv_worker_process(b->worker);
    dv_worker_destroy(b->worker);
    if (process > 0)
        expect_reaped(process);
    dv_worker_unshare(b->shared, 2 * ELEMENTS * sizeof *b->shared);
    dv_graph_destroy(b->graph);
    alarm(0);
}

static dv_status run_with(bench *b, float first)
{
    b->shared[0] = first;
    return dv_worker_run(b->worker, 0, NULL, NULL);
}

static void expect_said(const char *word)
{
    bool said = strstr(dv_message(), word) != NULL;
    if (!said)
        fprintf(stderr, "\n    no '%s' in: %s\n", word, dv_message());
    CU_ASSERT_TRUE(said);
}

static void a_worker_reads_and_writes_shared_memory(void)
{
    bench b;
    open_bench(&b, 60, -1);
    CU_ASSERT_EQUAL(dv_worker_ready(b.worker), DV_OK);
    for (int run = 0; run < 200; run++) {
        uint64_t times[2], end = 0;
        for (int i = 0; i < ELEMENTS; i++)
            b.shared[i] = (float)(run + i);
        uint64_t before = dv_clock_ns();
        CU_ASSERT_EQUAL_FATAL(dv_worker_run(b.worker, 0, times, &end), DV_OK);
        uint64_t after = dv_clock_ns();
        CU_ASSERT_TRUE(before <= times[0] && times[0] <= end && end <= times[1] &&
                       times[1] <= after);
        for (int i = 0; i < ELEMENTS; i++)
            CU_ASSERT_EQUAL(b.shared[ELEMENTS + i], 2 * b.shared[i]);
    }
    close_bench(&b);
}

static void a_failure_inside_is_told_and_survived(void)
{
    bench b;
    open_bench(&b, 60, -1);
    CU_ASSERT_EQUAL(dv_worker_ready(b.worker), DV_OK);
    CU_ASSERT_EQUAL(run_with(&b, -FAIL), DV_INTERNAL);
    expect_said("device 'npu': told to fail");
    CU_ASSERT_EQUAL(run_with(&b, 4), DV_OK);
    CU_ASSERT_EQUAL(b.shared[ELEMENTS], 8);
    close_bench(&b);
}

static void a_failure_to_compile_is_told(void)
{
    bench b;
    fake_refuses = true;
    open_bench(&b, 60, -1);
    fake_refuses = false;
    CU_ASSERT_EQUAL(dv_worker_ready(b.worker), DV_BAD_INPUT);
    expect_said("device 'npu': no taste for it");
    CU_ASSERT_EQUAL(run_with(&b, 1), DV_UNAVAILABLE); /* its process has ended */
    expect_said("worker 'npu' ended with status 1");
    close_bench(&b);
}

static void a_process_that_ends_during_a_run_is_an_error_of_that_run(void)
{
    bench b;
    open_bench(&b, 60, -1);
    CU_ASSERT_EQUAL(dv_worker_ready(b.worker), DV_OK);
    for (int i = 0; i < 3; i++) { /* and of every later one */
        CU_ASSERT_EQUAL(run_with(&b, i == 0 ? -END : 1), DV_UNAVAILABLE);
        expect_said("worker 'npu' ended with status 7");
    }
    close_bench(&b);
}

static void a_process_that_does_not_answer_is_ended(void)
{
    bench b;
    open_bench(&b, 0.2, -1);
    CU_ASSERT_EQUAL(dv_worker_ready(b.worker), DV_OK);
    pid_t process = dv_worker_process(b.worker);
    CU_ASSERT_EQUAL(run_with(&b, -SLEEP), DV_UNAVAILABLE);
    expect_said("did not answer");
    expect_reaped(process);
    close_bench(&b);
}

static void a_stopped_process_is_ended_too(void)
{
    bench b;
    open_bench(&b, 60, -1);
    CU_ASSERT_EQUAL(dv_worker_ready(b.worker), DV_OK);
    CU_ASSERT_EQUAL(kill(dv_worker_process(b.worker), SIGSTOP), 0);
    close_bench(&b);
}

static void cores_that_do_not_exist_are_told(void)
{
    static const int32_t cores[] = {999, 1 << 20};
    for (int i = 0; i < 2; i++) {
        char word[64];
        bench b;
        open_bench(&b, 60, cores[i]);
        CU_ASSERT_EQUAL(dv_worker_ready(b.worker), DV_UNAVAILABLE);
        snprintf(word, sizeof word, "device 'npu': processor core %d", (int)cores[i]);
        expect_said(word);
        close_bench(&b);
    }
}

static void the_process_holds_none_of_its_parents_files(void)
{
    bench b;
    char path[64];
    open_bench(&b, 60, -1);
    CU_ASSERT_EQUAL(dv_worker_ready(b.worker), DV_OK);
    snprintf(path, sizeof path, "/proc/%d/fd", dv_worker_process(b.worker));
    DIR *folder = opendir(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            CU_ASSERT_TRUE(atoi(entry->d_name) <= STDERR_FILENO);
    closedir(folder);
    close_bench(&b);
}

/* ---- workers of an executor ---- */

/* Two convolutions, the second of them in another process. */
static execution two_devices(void)
{
    const execution_device devices[] = {
        {.name = "cpu", .backend = "portable"},
        {.name = "npu", .backend = "worker", .inner = execution_backend(0), .core = -1}};
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 1x4x8x8");
    dv_tensor_id w = build_random(graph, "w", "f32 4x4x3x3", 1, 0.3, 0);
    dv_tensor_id a = BUILD_OP(graph, DV_OP_CONVOLUTION, build_conv(1, 1, 1), "a", x, w);
    dv_tensor_id y = BUILD_OP(graph, DV_OP_CONVOLUTION, build_conv(1, 1, 1), "y", a, w);
    execution e = execution_of(build_finish(graph, y), devices, 2);
    execution_place(&e, "y", 1);
    alarm(HANG_S);
    CU_ASSERT_EQUAL_FATAL(execution_start(&e, 1), DV_OK);
    return e;
}

static pid_t worker_of(const execution *e)
{
    for (uint32_t l = 0; l < e->executor->lane_count; l++)
        if (e->executor->lanes[l].is_worker)
            return dv_worker_process(e->executor->lanes[l].worker);
    CU_ASSERT_TRUE_FATAL(false);
    return -1;
}

static void expect_killed(dv_status status)
{
    CU_ASSERT_EQUAL(status, DV_UNAVAILABLE);
    expect_said("worker 'npu' was killed by signal 9");
}

static void a_killed_worker_ends_runs_not_the_program(void)
{
    execution e = two_devices();
    CU_ASSERT_EQUAL(dv_executor_run(e.executor), DV_OK);
    pid_t process = worker_of(&e);
    CU_ASSERT_EQUAL(kill(process, SIGKILL), 0);
    dv_check check;
    dv_measurement m;
    expect_killed(dv_executor_run(e.executor));
    expect_killed(dv_executor_run(e.executor));
    expect_killed(dv_executor_check(e.executor, &check));
    expect_killed(dv_executor_measure(&e.executor, 1, 5, 0, NULL, &m));
    expect_reaped(process);
    CU_ASSERT_TRUE(execution_error(&e, 1) < 1e-4); /* a new one works */
    execution_end(&e);
    alarm(0);
}

/* A process of its own kills the worker while it is at work. */
static void a_worker_killed_at_work_ends_that_run(void)
{
    execution e = two_devices();
    pid_t worker = worker_of(&e), killer = fork();
    if (killer == 0) {
        usleep(20000);
        kill(worker, SIGKILL);
        _exit(0);
    }
    dv_status status = DV_OK;
    while (status == DV_OK)
        status = dv_executor_run(e.executor);
    expect_killed(status);
    CU_ASSERT_EQUAL(waitpid(killer, NULL, 0), killer);
    execution_end(&e);
    expect_reaped(worker);
    alarm(0);
}

static void the_other_executors_go_on(void)
{
    execution a = two_devices(), b = two_devices();
    CU_ASSERT_EQUAL(kill(worker_of(&a), SIGKILL), 0);
    expect_killed(dv_executor_run(a.executor));
    CU_ASSERT_EQUAL(dv_executor_run(b.executor), DV_OK);
    pid_t left = worker_of(&b);
    execution_end(&a);
    CU_ASSERT_EQUAL(dv_executor_run(b.executor), DV_OK);
    execution_end(&b);
    expect_reaped(left);
    alarm(0);
}

static void an_interrupt_from_the_keyboard_is_the_parents_to_handle(void)
{
    execution e = two_devices();
    CU_ASSERT_EQUAL(kill(worker_of(&e), SIGINT), 0);
    CU_ASSERT_EQUAL(dv_executor_run(e.executor), DV_OK);
    execution_end(&e);
    alarm(0);
}

/* A child starts an executor and is killed; its worker, which then is ours, must end by itself. */
static void a_worker_ends_when_its_parent_is_killed(void)
{
    int ends[2];
    pid_t worker = 0;
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    CU_ASSERT_EQUAL_FATAL(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    pid_t child = fork();
    if (child == 0) {
        execution e = two_devices();
        worker = worker_of(&e);
        if (dv_executor_run(e.executor) == DV_OK &&
            write(ends[1], &worker, sizeof worker) == (ssize_t)sizeof worker)
            pause();
        _exit(1);
    }
    close(ends[1]);
    alarm(HANG_S);
    CU_ASSERT_EQUAL_FATAL(read(ends[0], &worker, sizeof worker), (ssize_t)sizeof worker);
    close(ends[0]);
    CU_ASSERT_EQUAL(kill(child, SIGKILL), 0);
    CU_ASSERT_EQUAL(waitpid(child, NULL, 0), child);
    int how = 0;
    CU_ASSERT_EQUAL(waitpid(worker, &how, 0), worker);
    CU_ASSERT_TRUE(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    alarm(0);
}

static void an_executor_leaves_no_process_behind(void)
{
    for (int i = 0; i < 10; i++) {
        execution e = two_devices();
        pid_t worker = worker_of(&e);
        if (i % 2)
            CU_ASSERT_EQUAL(dv_executor_run(e.executor), DV_OK);
        execution_end(&e);
        expect_reaped(worker);
    }
    errno = 0;
    CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
    CU_ASSERT_EQUAL(errno, ECHILD);
    alarm(0);
}

static void an_executor_that_fails_to_start_leaves_none_either(void)
{
    const execution_device devices[] = {
        {.name = "cpu", .backend = "portable"},
        {.name = "npu", .backend = "worker", .inner = "portable", .core = -1},
        {.name = "gpu", .backend = "worker", .inner = "portable", .core = 4000}};
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 4");
    dv_tensor_id a = BUILD_OP(graph, DV_OP_ABS, build_none(), "a", x);
    dv_tensor_id y = BUILD_OP(graph, DV_OP_SIGMOID, build_none(), "y", a);
    execution e = execution_of(build_finish(graph, y), devices, 3);
    execution_place(&e, "a", 1);
    execution_place(&e, "y", 2);
    alarm(HANG_S);
    CU_ASSERT_EQUAL(execution_start(&e, 1), DV_UNAVAILABLE);
    expect_said("device 'gpu': processor core 4000");
    errno = 0;
    CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
    CU_ASSERT_EQUAL(errno, ECHILD);
    execution_end(&e);
    alarm(0);
}

DV_SUITE(runtime_worker, DV_TEST(a_worker_reads_and_writes_shared_memory),
         DV_TEST(a_failure_inside_is_told_and_survived), DV_TEST(a_failure_to_compile_is_told),
         DV_TEST(a_process_that_ends_during_a_run_is_an_error_of_that_run),
         DV_TEST(a_process_that_does_not_answer_is_ended), DV_TEST(a_stopped_process_is_ended_too),
         DV_TEST(cores_that_do_not_exist_are_told),
         DV_TEST(the_process_holds_none_of_its_parents_files),
         DV_TEST(a_killed_worker_ends_runs_not_the_program),
         DV_TEST(a_worker_killed_at_work_ends_that_run), DV_TEST(the_other_executors_go_on),
         DV_TEST(an_interrupt_from_the_keyboard_is_the_parents_to_handle),
         DV_TEST(a_worker_ends_when_its_parent_is_killed),
         DV_TEST(an_executor_leaves_no_process_behind),
         DV_TEST(an_executor_that_fails_to_start_leaves_none_either));
