/* test_executor.c - plans on a cpu and worker processes give what the portable backend gives, and
   what is measured of them is what they are. */
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "datasets/zoo/zoo.h"
#include "lower/lower.h"
#include "runtime/executor_parts.h"
#include "solver/evaluate.h"
#include "tests/execution.h"

static const double tolerance = 1e-4;

enum { CPU, NPU, GPU };

/* A host and two workers, on three backends of those that work here, turned by `turn`. */
static execution on_three(dv_graph *graph, size_t turn)
{
    const char *found[8];
    size_t count = 0;
    while (count < 8 && (found[count] = execution_backend(count)))
        count++;
    CU_ASSERT_TRUE_FATAL(count > 0);
    const execution_device devices[] = {
        {.name = "cpu", .backend = found[turn % count]},
        {.name = "npu", .backend = "worker", .inner = found[(turn + 1) % count], .core = -1},
        {.name = "gpu", .backend = "worker", .inner = found[(turn + 2) % count], .core = -1}};
    return execution_of(graph, devices, 3);
}

/* ---- networks ---- */

static dv_tensor_id conv(dv_graph *graph, const char *name, dv_tensor_id x, int64_t in, int64_t out,
                         int64_t kernel, int64_t groups)
{
    char type[64], weight[64];
    snprintf(type, sizeof type, "f32 %dx%dx%dx%d", (int)out, (int)(in / groups), (int)kernel,
             (int)kernel);
    snprintf(weight, sizeof weight, "%s.w", name);
    dv_tensor_id w = build_random(graph, weight, type, graph->tensor_count, 0.4, 0);
    return BUILD_OP(graph, DV_OP_CONVOLUTION, build_conv(1, kernel / 2, groups), name, x, w);
}

/* A residual block with a gate, a classifier, and an inner tensor that is an output too. */
static dv_graph *residual(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 1x8x6x5");
    dv_tensor_id a = conv(graph, "expand", x, 8, 24, 1, 1);
    a = BUILD_OP(graph, DV_OP_HARDSWISH, build_none(), "swish", a);
    a = conv(graph, "depthwise", a, 24, 24, 3, 24);
    dv_tensor_id gate = BUILD_OP(graph, DV_OP_MEAN, build_reduce(true, "23"), "squeeze", a);
    gate = conv(graph, "excite", gate, 24, 24, 1, 1);
    gate = BUILD_OP(graph, DV_OP_SIGMOID, build_none(), "gate", gate);
    a = BUILD_OP(graph, DV_OP_MUL, build_none(), "gated", a, gate);
    a = conv(graph, "project", a, 24, 8, 1, 1);
    dv_tensor_id sum = BUILD_OP(graph, DV_OP_ADD, build_none(), "sum", x, a);
    build_output(graph, sum);
    dv_tensor_id y = BUILD_OP(graph, DV_OP_MEAN, build_reduce(false, "23"), "mean", sum);
    dv_tensor_id w = build_random(graph, "w", "f32 5x8", 3, 1, 0);
    y = BUILD_OP(graph, DV_OP_LINEAR, build_linear(false), "classes", y, w);
    return build_finish(graph, y);
}

/* One tensor with four readers, joined again; two outputs, one of them an input's neighbour. */
static dv_graph *branches(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 1x4x9x7");
    dv_tensor_id z = build_input(graph, "z", "f32 1x16x9x7");
    dv_tensor_id stem = conv(graph, "stem", x, 4, 4, 3, 1);
    dv_tensor_id a = conv(graph, "a", stem, 4, 4, 1, 1);
    dv_tensor_id b = conv(graph, "b", stem, 4, 4, 3, 1);
    dv_tensor_id c = BUILD_OP(graph, DV_OP_MAX_POOL, build_pool(3, 1, 1), "c", stem);
    dv_tensor_id d = BUILD_OP(graph, DV_OP_TANH, build_none(), "d", stem);
    dv_tensor_id all = BUILD_OP(graph, DV_OP_CAT, build_axis(1), "all", a, b, c, d);
    dv_tensor_id far = BUILD_OP(graph, DV_OP_SIGMOID, build_none(), "far", z);
    build_output(graph, far);
    dv_tensor_id y = BUILD_OP(graph, DV_OP_MUL, build_none(), "y", all, far);
    build_output(graph, BUILD_OP(graph, DV_OP_PERMUTE, build_permute("0231"), "turned", y));
    return build_finish(graph, y);
}

/* Attention over an embedding that integers index. */
static dv_graph *attention(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id ids = build_input(graph, "ids", "i64 1x6");
    dv_tensor_id table = build_random(graph, "table", "f32 11x8", 5, 1, 0);
    dv_tensor_id x = BUILD_OP(graph, DV_OP_EMBEDDING, build_none(), "x", table, ids);
    dv_tensor_id heads[3];
    for (int i = 0; i < 3; i++) {
        char name[8], weight[8];
        snprintf(name, sizeof name, "%c", "qkv"[i]);
        snprintf(weight, sizeof weight, "w%c", "qkv"[i]);
        dv_tensor_id w = build_random(graph, weight, "f32 8x8", 7 + (uint64_t)i, 0.5, 0);
        heads[i] = BUILD_OP(graph, DV_OP_LINEAR, build_linear(false), name, x, w);
    }
    dv_tensor_id k = BUILD_OP(graph, DV_OP_PERMUTE, build_permute("021"), "kt", heads[1]);
    dv_tensor_id s = BUILD_OP(graph, DV_OP_MATMUL, build_none(), "scores", heads[0], k);
    s = BUILD_OP(graph, DV_OP_SOFTMAX, build_axis(-1), "softmax", s);
    dv_tensor_id y = BUILD_OP(graph, DV_OP_MATMUL, build_none(), "mixed", s, heads[2]);
    return build_finish(graph, BUILD_OP(graph, DV_OP_ADD, build_none(), "y", x, y));
}

static dv_graph *squeezenet(void)
{
    dv_graph *graph = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_zoo_build("squeezenet1_1:side=64", &graph), DV_OK);
    return graph;
}

/* ---- agreement ---- */

/* Random plans of a network, the three devices changing backends; takes what build makes. */
static void expect_agreement(dv_graph *(*build)(void), uint64_t plans)
{
    for (size_t turn = 0; turn < 3; turn++) {
        execution e = on_three(build(), turn);
        for (uint64_t seed = 0; seed < plans; seed++) {
            execution_scatter(&e, seed);
            double error = execution_error(&e, seed + 100);
            if (!(error < tolerance))
                fprintf(stderr, "\n    turn %zu, seed %llu: error %g\n", turn,
                        (unsigned long long)seed, error);
            CU_ASSERT_TRUE(error < tolerance);
        }
        execution_end(&e);
    }
}

static void residual_networks_agree_with_the_reference(void)
{
    expect_agreement(residual, 20);
}

static void tensors_with_many_readers_agree(void)
{
    expect_agreement(branches, 20);
}

static void attention_agrees(void)
{
    expect_agreement(attention, 20);
}

static void a_published_network_agrees(void)
{
    expect_agreement(squeezenet, 3);
}

static void results_are_those_of_the_formula(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 2x3");
    dv_tensor_id two = build_fill(graph, "two", "f32 2x3", 2);
    dv_tensor_id a = BUILD_OP(graph, DV_OP_MUL, build_none(), "a", x, two);
    dv_tensor_id b = BUILD_OP(graph, DV_OP_ABS, build_none(), "b", a);
    dv_tensor_id y = BUILD_OP(graph, DV_OP_SUB, build_none(), "y", b, x);
    execution e = on_three(build_finish(graph, y), 0);
    execution_place(&e, "a", NPU);
    execution_place(&e, "b", CPU);
    execution_place(&e, "y", GPU);
    CU_ASSERT_EQUAL_FATAL(execution_start(&e, 1), DV_OK);
    float *in = dv_executor_input(e.executor, 0);
    for (int run = 0; run < 3; run++) { /* each run reads its own input */
        for (int i = 0; i < 6; i++)
            in[i] = (float)(i - run) * 0.5f;
        CU_ASSERT_EQUAL_FATAL(dv_executor_run(e.executor), DV_OK);
        const float *out = dv_executor_output(e.executor, 0);
        for (int i = 0; i < 6; i++)
            CU_ASSERT_EQUAL(out[i], fabsf(2 * in[i]) - in[i]);
    }
    execution_end(&e);
}

/* All of it away from the host: inputs go straight out, outputs come home. */
static void the_host_may_have_nothing_to_run(void)
{
    execution e = on_three(branches(), 1);
    for (dv_unit_id u = 0; u < e.problem->unit_count; u++)
        e.plan->target[u] = GPU;
    CU_ASSERT_TRUE(dv_evaluate(e.problem, e.plan));
    CU_ASSERT_TRUE(execution_error(&e, 3) < tolerance);
    dv_measurement m;
    CU_ASSERT_EQUAL_FATAL(dv_executor_measure(&e.executor, 1, 5, 0, NULL, &m), DV_OK);
    CU_ASSERT_EQUAL(m.segment_count, 1);
    CU_ASSERT_EQUAL(m.move_count, 5); /* x and z out; three outputs back */
    dv_measurement_free(&m);
    execution_end(&e);
}

/* The host's own device may be a process of its own. */
static void the_host_may_be_a_worker(void)
{
    const execution_device devices[] = {
        {.name = "cpu", .backend = "worker", .inner = execution_backend(0), .core = -1},
        {.name = "npu", .backend = execution_backend(0)}};
    execution e = execution_of(residual(), devices, 2);
    for (uint64_t seed = 0; seed < 6; seed++) {
        execution_scatter(&e, seed);
        CU_ASSERT_TRUE(execution_error(&e, seed) < tolerance);
    }
    execution_end(&e);
}

/* Threads of an earlier executor do no harm to the workers of a later one. */
static void workers_start_after_others_have_run_with_threads(void)
{
    for (size_t i = 0; execution_backend(i); i++) {
        const execution_device devices[] = {
            {.name = "cpu", .backend = execution_backend(i), .threads = 2},
            {.name = "npu",
             .backend = "worker",
             .inner = execution_backend(i),
             .core = -1,
             .threads = 2}};
        execution e = execution_of(squeezenet(), devices, 2);
        CU_ASSERT_TRUE(execution_error(&e, 1) < tolerance);
        execution_scatter(&e, 4);
        CU_ASSERT_TRUE(execution_error(&e, 1) < tolerance);
        execution_end(&e);
    }
}

static void the_check_is_the_largest_error_of_any_output(void)
{
    execution e = on_three(residual(), 1);
    execution_scatter(&e, 5);
    double error = execution_error(&e, 9);
    dv_check check;
    CU_ASSERT_EQUAL_FATAL(dv_executor_check(e.executor, &check), DV_OK);
    CU_ASSERT_DOUBLE_EQUAL(check.max_relative_rms, error, 1e-9);
    CU_ASSERT_TRUE_FATAL(check.worst_output < e.graph->tensor_count);
    CU_ASSERT_TRUE(e.graph->tensors[check.worst_output].is_output);
    execution_end(&e);
}

/* ---- measurements ---- */

static double moved_bytes(const dv_measurement *m)
{
    double sum = 0;
    for (uint32_t i = 0; i < m->move_count; i++)
        sum += m->moves[i].bytes;
    return sum;
}

static void measured_counts_are_the_plans(void)
{
    dv_graph *(*const builders[])(void) = {residual, branches, attention};
    for (size_t b = 0; b < 3; b++) {
        execution e = on_three(builders[b](), b);
        for (uint64_t seed = 0; seed < 10; seed++) {
            dv_measurement m;
            execution_scatter(&e, seed);
            CU_ASSERT_EQUAL_FATAL(execution_start(&e, 1), DV_OK);
            CU_ASSERT_EQUAL_FATAL(dv_executor_measure(&e.executor, 1, 1, 0, NULL, &m), DV_OK);
            CU_ASSERT_EQUAL(m.segment_count, e.plan->cost.segments);
            CU_ASSERT_EQUAL(m.move_count, e.plan->cost.moves);
            CU_ASSERT_DOUBLE_EQUAL(moved_bytes(&m), e.plan->cost.moved_bytes, 0.5);
            dv_measurement_free(&m);
        }
        execution_end(&e);
    }
}

static bool ordered(const dv_measured *m, uint32_t runs)
{
    return m->runs == runs && m->least >= 0 && m->least <= m->q1 && m->q1 <= m->median &&
           m->median <= m->q3;
}

static void quartiles_are_in_order_and_parts_fit_the_whole(void)
{
    enum { RUNS = 9 };
    execution e = on_three(residual(), 2);
    execution_scatter(&e, 2);
    CU_ASSERT_EQUAL_FATAL(execution_start(&e, 1), DV_OK);
    dv_measurement m;
    CU_ASSERT_EQUAL_FATAL(dv_executor_measure(&e.executor, 1, RUNS, 60, NULL, &m), DV_OK);
    double parts = 0;
    CU_ASSERT_TRUE(ordered(&m.total, RUNS));
    for (uint32_t s = 0; s < m.segment_count; s++) {
        CU_ASSERT_TRUE(ordered(&m.segments[s], RUNS));
        parts += m.segments[s].least;
    }
    for (uint32_t i = 0; i < m.move_count; i++) {
        CU_ASSERT_TRUE(ordered(&m.moves[i].time, RUNS));
        CU_ASSERT_NOT_EQUAL(m.moves[i].from, m.moves[i].to);
        parts += m.moves[i].time.least;
    }
    CU_ASSERT_TRUE(parts <= m.total.least);
    for (dv_unit_id u = 0; u < e.problem->unit_count; u++)
        CU_ASSERT_TRUE(m.unit_least_us[u] >= 0 && m.unit_least_us[u] <= m.unit_us[u]);
    dv_measurement_free(&m);
    execution_end(&e);
}

/* Nothing overlaps; units come in the plan's order; a tensor is there before its first reader. */
static void expect_sound_trace(const execution *e, const dv_measurement *m)
{
    const dv_trace *trace = m->trace;
    uint32_t unit = 0, moves = 0, segment = 0;
    double end = 0;
    for (size_t i = 0; i < trace->event_count; i++) {
        const dv_event *event = &trace->events[i];
        CU_ASSERT_TRUE(event->start_us >= end - 1e-6);
        CU_ASSERT_TRUE(event->end_us >= event->start_us);
        CU_ASSERT_TRUE(event->resource < trace->resource_count);
        end = event->end_us;
        if (event->kind == DV_EVENT_COMPUTE) {
            CU_ASSERT_EQUAL(event->item, e->plan->order[unit]);
            unit++;
            dv_target_id target = e->plan->target[event->item];
            CU_ASSERT_STRING_EQUAL(trace->resource_name[event->resource],
                                   e->problem->device_name[e->problem->device[target]]);
        }
        if (event->kind == DV_EVENT_MOVE) {
            CU_ASSERT_TRUE(event->item < e->problem->tensor_count);
            CU_ASSERT_PTR_NOT_NULL(strstr(trace->resource_name[event->resource], " > "));
            moves++;
        }
        if (event->segment != UINT32_MAX) {
            CU_ASSERT_TRUE(event->segment >= segment);
            segment = event->segment;
        }
    }
    CU_ASSERT_EQUAL(unit, e->problem->unit_count);
    CU_ASSERT_EQUAL(moves, m->move_count);
    CU_ASSERT_TRUE(end <= trace->latency_us + 1e-6);
    CU_ASSERT_TRUE(trace->latency_us >= m->total.q1 && trace->latency_us <= m->total.q3);
}

static void the_trace_tells_the_run_in_order(void)
{
    for (uint64_t seed = 0; seed < 8; seed++) {
        execution e = on_three(seed % 2 ? residual() : branches(), seed);
        execution_scatter(&e, seed);
        CU_ASSERT_EQUAL_FATAL(execution_start(&e, 1), DV_OK);
        dv_measurement m;
        CU_ASSERT_EQUAL_FATAL(dv_executor_measure(&e.executor, 1, 7, 60, NULL, &m), DV_OK);
        expect_sound_trace(&e, &m);
        dv_measurement_free(&m);
        execution_end(&e);
    }
}

/* ---- several at once ---- */

typedef struct listener {
    dv_executor *executors[2];
    uint64_t begun[2]; /* when the last run began, at the last step */
    uint32_t steps, in_turn;
} listener;

static void listen(void *context, const char *what, double fraction)
{
    listener *l = context;
    (void)fraction;
    if (strcmp(what, "measure") != 0)
        return;
    uint64_t first = l->executors[0]->stamps.begin, second = l->executors[1]->stamps.begin;
    bool both = first > l->begun[0] && second > l->begun[1] && first < second;
    l->in_turn += both;
    l->steps++;
    l->begun[0] = first;
    l->begun[1] = second;
}

static void several_executors_take_turns(void)
{
    execution a = on_three(residual(), 0), b = on_three(branches(), 1);
    execution_scatter(&a, 1);
    execution_scatter(&b, 1);
    CU_ASSERT_EQUAL_FATAL(execution_start(&a, 1), DV_OK);
    CU_ASSERT_EQUAL_FATAL(execution_start(&b, 1), DV_OK);
    listener l = {.executors = {a.executor, b.executor}};
    dv_progress progress = {.context = &l, .step = listen};
    dv_measurement m[2];
    CU_ASSERT_EQUAL_FATAL(dv_executor_measure(l.executors, 2, 12, 60, &progress, m), DV_OK);
    CU_ASSERT_EQUAL(l.steps, 12);
    CU_ASSERT_EQUAL(l.in_turn, 12);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(m[i].total.runs, 12);
        dv_measurement_free(&m[i]);
    }
    CU_ASSERT_EQUAL(m[0].trace, NULL); /* freed ones are empty */
    execution_end(&a);
    execution_end(&b);
}

static void a_measurement_can_be_stopped(void)
{
    execution e = on_three(residual(), 0);
    CU_ASSERT_EQUAL_FATAL(execution_start(&e, 1), DV_OK);
    volatile int stop = 1;
    dv_progress progress = {.stop = &stop};
    dv_measurement m;
    CU_ASSERT_EQUAL(dv_executor_measure(&e.executor, 1, 5, 0, &progress, &m), DV_INTERRUPTED);
    CU_ASSERT_PTR_NULL(m.segments);
    CU_ASSERT_PTR_NULL(m.trace);
    execution_end(&e);
}

/* ---- memory and inputs ---- */

/* A library may take memory and give it back within a run, which moves the allocator's figures a
   little; a leak of one small block a run would be past the bound. */
static void runs_leave_no_memory_behind(void)
{
    enum { WARM_UP = 20, RUNS = 500, SMALLEST_BLOCK = 16 };
    for (size_t turn = 0; turn < 3; turn++) {
        execution e = on_three(residual(), turn); /* all of it in this process */
        CU_ASSERT_EQUAL_FATAL(execution_start(&e, 1), DV_OK);
        for (int run = 0; run < WARM_UP; run++)
            CU_ASSERT_EQUAL_FATAL(dv_executor_run(e.executor), DV_OK);
        struct mallinfo2 before = mallinfo2();
        for (int run = 0; run < RUNS; run++)
            CU_ASSERT_EQUAL_FATAL(dv_executor_run(e.executor), DV_OK);
        struct mallinfo2 after = mallinfo2();
        CU_ASSERT_TRUE(after.uordblks < before.uordblks + RUNS * SMALLEST_BLOCK);
        CU_ASSERT_EQUAL(before.hblkhd, after.hblkhd);
        execution_end(&e);
    }
}

static void inputs_follow_their_seed(void)
{
    execution e = on_three(branches(), 0);
    enum { COUNT = 16 * 9 * 7 };
    float first[COUNT], other[COUNT];
    CU_ASSERT_EQUAL_FATAL(execution_start(&e, 7), DV_OK);
    memcpy(first, dv_executor_input(e.executor, 1), sizeof first);
    dv_executor_fill_inputs(e.executor, 8);
    memcpy(other, dv_executor_input(e.executor, 1), sizeof other);
    CU_ASSERT_NOT_EQUAL(memcmp(first, other, sizeof first), 0);
    CU_ASSERT_EQUAL_FATAL(execution_start(&e, 7), DV_OK);
    CU_ASSERT_EQUAL(memcmp(first, dv_executor_input(e.executor, 1), sizeof first), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(first, dv_executor_input(e.executor, 0), 16), 0);
    double sum = 0;
    for (int i = 0; i < COUNT; i++) {
        CU_ASSERT_TRUE(first[i] >= -1 && first[i] < 1);
        sum += (double)first[i];
    }
    CU_ASSERT_TRUE(fabs(sum / COUNT) < 0.1);
    execution_end(&e);
}

static void integers_stay_inside_the_table_they_index(void)
{
    execution e = on_three(attention(), 0);
    bool seen[11] = {false};
    for (uint64_t seed = 0; seed < 30; seed++) {
        CU_ASSERT_EQUAL_FATAL(execution_start(&e, seed), DV_OK);
        const int64_t *ids = dv_executor_input(e.executor, 0);
        for (int i = 0; i < 6; i++) {
            CU_ASSERT_TRUE_FATAL(ids[i] >= 0 && ids[i] < 11);
            seen[ids[i]] = true;
        }
    }
    for (int i = 0; i < 11; i++)
        CU_ASSERT_TRUE(seen[i]);
    execution_end(&e);
}

DV_SUITE(runtime_executor, DV_TEST(results_are_those_of_the_formula),
         DV_TEST(residual_networks_agree_with_the_reference),
         DV_TEST(tensors_with_many_readers_agree), DV_TEST(attention_agrees),
         DV_TEST(a_published_network_agrees), DV_TEST(the_host_may_have_nothing_to_run),
         DV_TEST(the_host_may_be_a_worker),
         DV_TEST(workers_start_after_others_have_run_with_threads),
         DV_TEST(the_check_is_the_largest_error_of_any_output),
         DV_TEST(measured_counts_are_the_plans),
         DV_TEST(quartiles_are_in_order_and_parts_fit_the_whole),
         DV_TEST(the_trace_tells_the_run_in_order), DV_TEST(several_executors_take_turns),
         DV_TEST(a_measurement_can_be_stopped), DV_TEST(runs_leave_no_memory_behind),
         DV_TEST(inputs_follow_their_seed), DV_TEST(integers_stay_inside_the_table_they_index));
