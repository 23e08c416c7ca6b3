/* test_executor_worker.c - an executor whose workers are killed or never start fails cleanly and
   leaves nothing behind. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/executor_parts.h"
#include "tests/execution.h"

/* A hang ends the whole test program. */
enum { HANG_S = 120 };

/* The process must be gone for good, reaped. */
static void expect_reaped(pid_t process)
{
    errno = 0;
    CU_ASSERT_EQUAL(waitpid(process, NULL, WNOHANG), -1);
    CU_ASSERT_EQUAL(errno, ECHILD);
}

static void expect_said(const char *word)
{
    bool said = strstr(dv_message(), word) != NULL;
    if (!said)
        fprintf(stderr, "\n    no '%s' in: %s\n", word, dv_message());
    CU_ASSERT_TRUE(said);
}

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

static void the_process_holds_none_of_its_parents_files(void)
{
    char path[64];
    execution e = two_devices();
    snprintf(path, sizeof path, "/proc/%d/fd", (int)worker_of(&e));
    DIR *folder = opendir(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            CU_ASSERT_TRUE(atoi(entry->d_name) <= STDERR_FILENO);
    closedir(folder);
    execution_end(&e);
    alarm(0);
}

DV_SUITE(runtime_executor_worker, DV_TEST(a_killed_worker_ends_runs_not_the_program),
         DV_TEST(a_worker_killed_at_work_ends_that_run), DV_TEST(the_other_executors_go_on),
         DV_TEST(an_interrupt_from_the_keyboard_is_the_parents_to_handle),
         DV_TEST(the_process_holds_none_of_its_parents_files),
         DV_TEST(an_executor_leaves_no_process_behind),
         DV_TEST(an_executor_that_fails_to_start_leaves_none_either));
